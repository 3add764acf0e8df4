//! Operating system facilities (manual §6.9).
//!
//! Where the host keeps the machine from the program, whatever would use it is refused, the time is constant, local time is
//! UTC, and the clock counts instructions, so that a run can be repeated.

mod date;
mod zone;

use super::string::Buffer;
use super::system::{exec_result, file_result, path, permit, processor_seconds, shell, variable};
use super::{before_zero, plain, register};
use crate::interpreter::{Builtin, Call, NativeResult, System, Throw, Vm, to_integer};
use crate::value::Value;
use date::Date;
use std::io::ErrorKind;
use std::time::{SystemTime, UNIX_EPOCH};
use zone::{Offset, Zone};

pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("clock", clock),
    plain("date", date),
    plain("difftime", difftime),
    plain("execute", execute),
    plain("exit", exit),
    plain("getenv", getenv),
    plain("remove", remove),
    plain("rename", rename),
    plain("setlocale", setlocale),
    plain("time", time),
    plain("tmpname", tmpname),
];

pub(crate) fn open(vm: &mut Vm) {
    register(vm, "os", FUNCTIONS);
}

// Processes and files.

fn execute(call: &mut Call<'_>) -> NativeResult {
    let permitted = permit(call);
    let Some(command) = call.opt_string(0)? else { return call.ret(permitted.is_ok()) };
    // Unlike `io.popen` it flushes nothing, as in Lua on POSIX systems.
    let status = permitted.and_then(|()| shell(command.as_bytes()).status());
    exec_result(call, status)
}

/// `os.exit`. It ends the program; what becomes of the process is its host's decision.
fn exit(call: &mut Call<'_>) -> NativeResult {
    let status = match call.arg(0) {
        Value::Boolean(success) => i32::from(!success),
        _ => call.opt_integer(0, 0)? as i32,
    };
    Err(Throw::Exit { status, close: !call.arg(1).is_falsy() })
}

fn getenv(call: &mut Call<'_>) -> NativeResult {
    let name = call.check_string(0)?;
    // The environment is the machine's, as its files are.
    match permit(call).ok().and_then(|()| variable(name.as_bytes())) {
        Some(value) => call.ret_bytes(&value),
        None => call.ret(Value::Nil),
    }
}

fn remove(call: &mut Call<'_>) -> NativeResult {
    let name = call.check_string(0)?;
    let path = path(name.as_bytes());
    let removed = permit(call).and_then(|()| match std::fs::remove_file(path) {
        // C's function removes empty directories, too.
        Err(error) if error.kind() == ErrorKind::IsADirectory => std::fs::remove_dir(path),
        result => result,
    });
    file_result(call, removed, Some(name.as_bytes()))
}

fn rename(call: &mut Call<'_>) -> NativeResult {
    let (from, to) = (call.check_string(0)?, call.check_string(1)?);
    let renamed = permit(call).and_then(|()| std::fs::rename(path(from.as_bytes()), path(to.as_bytes())));
    file_result(call, renamed, None)
}

fn tmpname(call: &mut Call<'_>) -> NativeResult {
    let made = permit(call).and_then(|()| {
        let file = tempfile::Builder::new().prefix("lua_").tempfile()?;
        Ok(file.into_temp_path().keep()?)
    });
    match made {
        Ok(path) => call.ret_bytes(path.as_os_str().as_encoded_bytes()),
        Err(_) => Err(call.error("unable to generate a unique filename")),
    }
}

fn setlocale(call: &mut Call<'_>) -> NativeResult {
    const CATEGORIES: [&str; 6] = ["all", "collate", "ctype", "monetary", "numeric", "time"];
    let wanted = call.opt_string(0)?;
    call.check_option(1, Some("all"), &CATEGORIES)?;
    match wanted.as_ref().map(|wanted| before_zero(wanted.as_bytes())) {
        None | Some(b"" | b"C" | b"POSIX") => call.ret_bytes(b"C"),
        // There are no others.
        Some(_) => call.ret(Value::Nil),
    }
}

// Time.

/// Instructions that the clock takes for a second, where it counts them.
const INSTRUCTIONS_PER_SECOND: f64 = 1e8;

fn clock(call: &mut Call<'_>) -> NativeResult {
    let seconds = match call.vm.options.system {
        System::Full => processor_seconds(),
        System::None => call.vm.instructions() as f64 / INSTRUCTIONS_PER_SECOND,
    };
    call.ret(seconds)
}

/// Seconds since the epoch.
fn now(call: &Call<'_>) -> i64 {
    if permit(call).is_err() {
        return 0;
    }
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64),
    }
}

/// The time zone of the machine, which makes runs differ like its other properties.
fn local_zone(call: &Call<'_>) -> Zone {
    if permit(call).is_ok() { Zone::local() } else { Zone::utc() }
}

fn difftime(call: &mut Call<'_>) -> NativeResult {
    let later = call.check_integer(0)?;
    let earlier = call.check_integer(1)?;
    call.ret((i128::from(later) - i128::from(earlier)) as f64)
}

fn date(call: &mut Call<'_>) -> NativeResult {
    let format_string = call.opt_string(0)?;
    let seconds = if call.arg(1).is_nil() { now(call) } else { call.check_integer(1)? };
    let text = format_string.as_ref().map_or(b"%c".as_slice(), |text| text.as_bytes());
    let (text, zone) = match text {
        [b'!', text @ ..] => (text, Offset::utc("GMT")),
        text => (text, local_zone(call).at(seconds)),
    };
    let Some(date) = seconds.checked_add(zone.seconds).and_then(Date::from_seconds) else {
        return Err(call.error("date result cannot be represented in this installation"));
    };
    if before_zero(text) == b"*t" {
        let table = call.new_table();
        for (name, value) in fields(&date, zone.is_dst) {
            call.set_field(table, name, value);
        }
        return call.ret(table);
    }
    let mut result = Buffer::default();
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            result.push(call, *byte)?;
            continue;
        }
        let formatted = date::specifier(rest)
            .and_then(|(specifier, length)| Some((date::format(&date, specifier, &zone)?, length)));
        let Some((piece, length)) = formatted else {
            let message = [b"invalid conversion specifier '%".as_slice(), before_zero(rest), b"'"].concat();
            return Err(call.arg_error(0, message));
        };
        result.append(call, piece.as_bytes())?;
        rest = &rest[length..];
    }
    result.finish(call)
}

/// The fields of a date table.
fn fields(date: &Date, is_dst: bool) -> [(&'static str, Value); 9] {
    [
        ("year", Value::Integer(date.year)),
        ("month", Value::Integer(date.month)),
        ("day", Value::Integer(date.day)),
        ("hour", Value::Integer(date.hour)),
        ("min", Value::Integer(date.minute)),
        ("sec", Value::Integer(date.second)),
        ("yday", Value::Integer(date.yearday + 1)),
        ("wday", Value::Integer(date.weekday + 1)),
        ("isdst", Value::Boolean(is_dst)),
    ]
}

/// A number of a date table. `offset` is what C's `struct tm` keeps less than the table; the result must be an `int` there.
fn number_field(call: &mut Call<'_>, name: &str, default: Option<i64>, offset: i64) -> Result<i64, Throw> {
    let key = call.new_string(name.as_bytes())?;
    let table = call.arg(0);
    let value = call.index(table, Value::String(key))?;
    match (to_integer(value), default) {
        (Some(number), _) => match number.checked_sub(offset).map(i32::try_from) {
            Some(Ok(_)) => Ok(number),
            _ => Err(call.error(format!("field '{name}' is out-of-bound"))),
        },
        (None, _) if !value.is_nil() => Err(call.error(format!("field '{name}' is not an integer"))),
        (None, None) => Err(call.error(format!("field '{name}' missing in date table"))),
        (None, Some(default)) => Ok(default),
    }
}

fn time(call: &mut Call<'_>) -> NativeResult {
    if call.arg(0).is_nil() {
        let now = now(call);
        return call.ret(now);
    }
    let table = call.check_table(0)?;
    let date = Date {
        year: number_field(call, "year", None, 1900)?,
        month: number_field(call, "month", None, 1)?,
        day: number_field(call, "day", None, 0)?,
        hour: number_field(call, "hour", Some(12), 0)?,
        minute: number_field(call, "min", Some(0), 0)?,
        second: number_field(call, "sec", Some(0), 0)?,
        weekday: 0,
        yearday: 0,
    };
    let key = call.new_string(b"isdst")?;
    let is_dst = match call.index(Value::Table(table), Value::String(key))? {
        Value::Nil => None,
        value => Some(!value.is_falsy()),
    };
    let zone = local_zone(call);
    let seconds = zone.seconds_of(date, is_dst);
    let offset = zone.at(seconds);
    // -1 is how C says that there is no result, though it is a time.
    let Some(normalized) = Date::from_seconds(seconds + offset.seconds).filter(|_| seconds != -1) else {
        return Err(call.error("time result cannot be represented in this installation"));
    };
    for (name, value) in fields(&normalized, offset.is_dst) {
        let key = call.new_string(name.as_bytes())?;
        call.set_index(Value::Table(table), Value::String(key), value)?;
    }
    call.ret(seconds)
}
