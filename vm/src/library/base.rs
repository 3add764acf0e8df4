//! The basic functions (manual §6.1).
//!
//! A chunk that a reader function gives is read to its end before it is looked at.

use super::{add_functions, check_function, check_metatable, control, plain, registry_table, set_field, system};
use crate::bytecode::is_binary;
use crate::gc::Mode;
use crate::interpreter::{Builtin, Call, Control, LoadError, NativeResult, System, Throw, Vm};
use crate::value::{Metamethod, Value, format_number};

pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("assert", assert),
    plain("collectgarbage", collectgarbage),
    control("dofile", Control::Dofile),
    plain("error", error),
    plain("getmetatable", getmetatable),
    plain("ipairs", ipairs),
    plain("loadfile", loadfile),
    plain("load", load),
    control("pairs", Control::Pairs),
    plain("print", print),
    plain("warn", warn),
    plain("rawequal", rawequal),
    plain("rawlen", rawlen),
    plain("rawget", rawget),
    plain("rawset", rawset),
    plain("select", select),
    plain("setmetatable", setmetatable),
    plain("tonumber", tonumber),
    plain("tostring", tostring),
    plain("type", type_),
];

/// What `pairs` gives for a table without `__pairs`.
pub(crate) static NEXT: Builtin = plain("next", next);

/// The iterator of `ipairs`.
static IPAIRS_NEXT: Builtin = plain("for iterator", ipairs_next);

/// `pcall`, also for native functions that must catch errors.
pub(super) static PCALL: Builtin = control("pcall", Control::Pcall);

pub(super) static XPCALL: Builtin = control("xpcall", Control::Xpcall);

pub(crate) fn open(vm: &mut Vm) {
    let globals = vm.globals();
    add_functions(vm, globals, FUNCTIONS);
    for builtin in [&NEXT, &PCALL, &XPCALL] {
        set_field(vm, globals, builtin.name, Value::Builtin(builtin));
    }
    set_field(vm, globals, "_G", Value::Table(globals));
    let version = vm.heap.new_string(vm.options.version.name().as_bytes());
    set_field(vm, globals, "_VERSION", Value::String(version));
    let loaded = registry_table(vm, super::LOADED);
    set_field(vm, loaded, "_G", Value::Table(globals));
}

fn assert(call: &mut Call<'_>) -> NativeResult {
    if !call.arg(0).is_falsy() {
        return return_args(call, 0);
    }
    call.check_any(0)?;
    let message = match call.arg_count() {
        1 => Value::String(call.new_string(b"assertion failed!")?),
        _ => call.arg(1),
    };
    Err(raise(call, message, 1)?)
}

/// Gives the arguments from `first` on as results.
fn return_args(call: &mut Call<'_>, first: usize) -> NativeResult {
    let count = call.arg_count();
    for index in first..count {
        let value = call.arg(index);
        call.push(value);
    }
    Ok(count.saturating_sub(first))
}

fn error(call: &mut Call<'_>) -> NativeResult {
    let level = call.opt_integer(1, 1)? as i32;
    let message = call.arg(0);
    Err(raise(call, message, level)?)
}

/// An error with this message. A string gets the position of the function at a level, if that is above 0.
fn raise(call: &mut Call<'_>, message: Value, level: i32) -> Result<Throw, Throw> {
    match (message, usize::try_from(level)) {
        (Value::String(message), Ok(level @ 1..)) => {
            let mut text = call.vm.position_at_level(level);
            text.extend_from_slice(message.as_bytes());
            Ok(Throw::Error(Value::String(call.new_string(&text)?)))
        }
        (value, _) => Ok(Throw::Error(value)),
    }
}

fn getmetatable(call: &mut Call<'_>) -> NativeResult {
    let value = call.check_any(0)?;
    let result = match call.vm.heap.metatable_of(value) {
        None => Value::Nil,
        Some(metatable) => match call.vm.heap.metamethod_in(metatable, Metamethod::Metatable) {
            Value::Nil => Value::Table(metatable),
            protected => protected,
        },
    };
    call.ret(result)
}

fn setmetatable(call: &mut Call<'_>) -> NativeResult {
    let table = call.check_table(0)?;
    let metatable = check_metatable(call, 1)?;
    if !call.vm.heap.metamethod_of(Value::Table(table), Metamethod::Metatable).is_nil() {
        return Err(call.error("cannot change a protected metatable"));
    }
    call.vm.heap.set_table_metatable(table, metatable);
    call.ret(table)
}

fn rawequal(call: &mut Call<'_>) -> NativeResult {
    let a = call.check_any(0)?;
    let b = call.check_any(1)?;
    call.ret(a.raw_equals(b))
}

fn rawlen(call: &mut Call<'_>) -> NativeResult {
    let length = match call.arg(0) {
        Value::Table(table) => table.length(),
        Value::String(string) => string.as_bytes().len() as i64,
        _ => return Err(call.type_error(0, "table or string")),
    };
    call.ret(length)
}

fn rawget(call: &mut Call<'_>) -> NativeResult {
    let table = call.check_table(0)?;
    let key = call.check_any(1)?;
    call.ret(table.get(key))
}

fn rawset(call: &mut Call<'_>) -> NativeResult {
    let table = call.check_table(0)?;
    let key = call.check_any(1)?;
    let value = call.check_any(2)?;
    call.raw_set(table, key, value)?;
    call.ret(table)
}

fn type_(call: &mut Call<'_>) -> NativeResult {
    let value = call.check_any(0)?;
    call.ret_bytes(value.type_name().as_bytes())
}

fn tostring(call: &mut Call<'_>) -> NativeResult {
    let value = call.check_any(0)?;
    let text = call.to_string(value)?;
    call.ret(text)
}

fn tonumber(call: &mut Call<'_>) -> NativeResult {
    if call.arg(1).is_nil() {
        let number = match call.arg(0) {
            number @ (Value::Integer(_) | Value::Float(_)) => Some(number),
            Value::String(text) => crate::value::str_to_number(text.as_bytes()),
            _ => {
                call.check_any(0)?;
                None
            }
        };
        return call.ret(number.unwrap_or_default());
    }
    let base = call.check_integer(1)?;
    let Value::String(text) = call.arg(0) else { return Err(call.type_error(0, "string")) };
    if !(2..=36).contains(&base) {
        return Err(call.arg_error(1, "base out of range"));
    }
    call.ret(integer_in_base(text.as_bytes(), base as u32).map_or(Value::Nil, Value::Integer))
}

/// The integer that a text stands for in a base from 2 to 36; it wraps around.
fn integer_in_base(text: &[u8], base: u32) -> Option<i64> {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\x0c' | b'\n' | b'\r' | b'\t' | b'\x0b');
    let start = text.iter().position(|byte| !is_space(byte))?;
    let end = text.iter().rposition(|byte| !is_space(byte))? + 1;
    let (negative, digits) = match &text[start..end] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0i64;
    for &digit in digits {
        let digit = char::from(digit).to_digit(base)?;
        number = number.wrapping_mul(base.into()).wrapping_add(digit.into());
    }
    Some(if negative { number.wrapping_neg() } else { number })
}

fn select(call: &mut Call<'_>) -> NativeResult {
    let count = call.arg_count();
    if let Value::String(text) = call.arg(0)
        && text.as_bytes().first() == Some(&b'#')
    {
        return call.ret(count as i64 - 1);
    }
    let index = call.check_integer(0)?;
    let first = if index < 0 { (count as i64).saturating_add(index) } else { index.min(count as i64) };
    if first < 1 {
        return Err(call.arg_error(0, "index out of range"));
    }
    return_args(call, first as usize)
}

fn next(call: &mut Call<'_>) -> NativeResult {
    let table = call.check_table(0)?;
    match table.next(call.arg(1)) {
        Ok(Some((key, value))) => call.ret_all(&[key, value]),
        Ok(None) => call.ret(Value::Nil),
        Err(_) => Err(call.vm.runtime_error(b"invalid key to 'next'")),
    }
}

fn ipairs(call: &mut Call<'_>) -> NativeResult {
    let value = call.check_any(0)?;
    call.ret_all(&[Value::Builtin(&IPAIRS_NEXT), value, Value::Integer(0)])
}

fn ipairs_next(call: &mut Call<'_>) -> NativeResult {
    let index = call.check_integer(1)?.wrapping_add(1);
    let value = match call.arg(0) {
        Value::Table(table) if table.metatable.get().is_none() => table.get_integer(index),
        object => call.index(object, Value::Integer(index))?,
    };
    if value.is_nil() { call.ret(Value::Nil) } else { call.ret_all(&[Value::Integer(index), value]) }
}

/// `print`. As in Lua nobody hears of a failure to write, and each line is flushed.
fn print(call: &mut Call<'_>) -> NativeResult {
    let mut line = Vec::new();
    for index in 0..call.arg_count() {
        let value = call.arg(index);
        match value {
            Value::String(_) | Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Nil => {}
            // A metamethod may print, too, or fail: what is before it comes first.
            _ => drop(call.vm.write_output(&std::mem::take(&mut line))?),
        }
        let text = call.to_string(value)?;
        if index > 0 {
            line.push(b'\t');
        }
        line.extend_from_slice(text.as_bytes());
    }
    line.push(b'\n');
    let _ = call.vm.write_output(&line)?;
    let _ = call.vm.flush_for_program()?;
    Ok(0)
}

fn warn(call: &mut Call<'_>) -> NativeResult {
    call.check_string(0)?;
    let mut message = Vec::new();
    for index in 0..call.arg_count() {
        message.extend_from_slice(super::before_zero(call.check_string(index)?.as_bytes()));
    }
    match (call.arg_count(), message.as_slice()) {
        (1, b"@on") => call.vm.warnings = true,
        (1, b"@off") => call.vm.warnings = false,
        // Other control messages are for other hosts.
        (1, [b'@', ..]) => {}
        _ => call.vm.warn(&message),
    }
    Ok(0)
}

// The collector.

/// What Lua 5.4 keeps of a parameter that it stores, divided by 4, in a byte.
fn stored_parameter(value: i64) -> i64 {
    i64::from((value as i32 / 4) as u8) * 4
}

fn collectgarbage(call: &mut Call<'_>) -> NativeResult {
    const OPTIONS: [&str; 10] = [
        "stop",
        "restart",
        "collect",
        "count",
        "step",
        "setpause",
        "setstepmul",
        "isrunning",
        "generational",
        "incremental",
    ];
    let option = OPTIONS[call.check_option(0, Some("collect"), &OPTIONS)?];
    // Arguments are checked also where the collector does not listen.
    let mut numbers = [None; 3];
    let count = match option {
        "step" | "setpause" | "setstepmul" => 1,
        "generational" => 2,
        "incremental" => 3,
        _ => 0,
    };
    for (index, number) in numbers.iter_mut().enumerate().take(count) {
        let given = i64::from(call.opt_integer(index + 1, 0)? as i32);
        *number = (given != 0).then_some(given);
    }
    let [first, second, third] = numbers;
    if call.vm.collector_is_busy() {
        // Inside a finalizer no option is valid.
        return call.ret(Value::Nil);
    }
    let vm = call.vm();
    let result = match option {
        "stop" => {
            vm.collector_stop();
            Value::Integer(0)
        }
        "restart" => {
            vm.collector_restart();
            Value::Integer(0)
        }
        "count" => Value::Float(vm.heap.bytes() as f64 / 1024.0),
        "step" => Value::Boolean(vm.collector_step(first.unwrap_or(0))?),
        "setpause" => Value::Integer(vm.collector_set_pause(stored_parameter(first.unwrap_or(0)))),
        "setstepmul" => Value::Integer(vm.collector_set_step_multiplier(stored_parameter(first.unwrap_or(0)))),
        "isrunning" => Value::Boolean(vm.collector_is_running()),
        "generational" => {
            // The minor multiplier is kept in one byte.
            let minor = first.map(|percent| i64::from(percent as u8));
            vm.generational_parameters(minor, second.map(stored_parameter));
            return return_mode(call, Mode::Generational);
        }
        "incremental" => {
            let step_size = third.map(|size| i64::from(size as u8));
            vm.collector_parameters(first.map(stored_parameter), second.map(stored_parameter), step_size);
            return return_mode(call, Mode::Incremental);
        }
        _ => {
            vm.collect_full()?;
            Value::Integer(0)
        }
    };
    call.ret(result)
}

/// Changes the mode; gives the name of the one before.
fn return_mode(call: &mut Call<'_>, mode: Mode) -> NativeResult {
    let before = call.vm.collector_mode(mode)?;
    call.ret_bytes(before.name().as_bytes())
}

// Loading.

/// A text argument: a string, or a number as one.
pub(super) fn text_of(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Float(_) => {
            let mut text = Vec::new();
            format_number(value, &mut text);
            Some(text)
        }
        _ => None,
    }
}

fn load(call: &mut Call<'_>) -> NativeResult {
    let source = text_of(call.arg(0));
    let mode = call.opt_string(2)?.map(|mode| mode.as_bytes().to_vec());
    let name = call.opt_string(1)?.map(|name| name.as_bytes().to_vec());
    let reader = source.is_none();
    let (source, name) = match source {
        Some(source) => {
            let name = name.unwrap_or_else(|| source.clone());
            (source, name)
        }
        None => {
            check_function(call, 0)?;
            match read_all(call)? {
                Ok(source) => (source, name.unwrap_or_else(|| b"=(load)".to_vec())),
                Err(error) => return call.ret_all(&[Value::Nil, error]),
            }
        }
    };
    let environment = (call.arg_count() > 3).then(|| call.arg(3));
    load_text(call, Given { chunk: &source, reader }, super::before_zero(&name), mode.as_deref(), environment)
}

/// Calls the reader function, the first argument, until it gives nil or nothing. The inner error is one that the function
/// raised, which `load` gives back.
fn read_all(call: &mut Call<'_>) -> Result<Result<Vec<u8>, Value>, Throw> {
    let mut source = Vec::new();
    loop {
        // A native reader executes no instruction that would count.
        call.work(1)?;
        let reader = call.arg(0);
        let count = match call.vm.try_call(reader, &[])? {
            Ok(count) => count,
            Err(error) => return Ok(Err(error)),
        };
        let piece = call.pushed(count).first().copied().unwrap_or_default();
        for _ in 0..count {
            call.pop();
        }
        match text_of(piece) {
            Some(text) if text.is_empty() => return Ok(Ok(source)),
            Some(text) => source.extend_from_slice(&text),
            None if piece.is_nil() => return Ok(Ok(source)),
            None => {
                let error = call.error("reader function must return a string");
                return call.vm.handle_error(error).map(Err);
            }
        }
        call.reserve(source.len())?;
    }
}

/// A chunk as a program gives it.
#[derive(Clone, Copy)]
struct Given<'c> {
    chunk: &'c [u8],
    /// Whether it came piece by piece, from a function or a file.
    reader: bool,
}

/// Loads a chunk: its function, or nil and a message.
fn load_text(
    call: &mut Call<'_>,
    given: Given<'_>,
    name: &[u8],
    mode: Option<&[u8]>,
    environment: Option<Value>,
) -> NativeResult {
    match compile(call, given, name, mode)? {
        Ok(function) => {
            if let (Some(environment), Value::Closure(closure)) = (environment, function)
                && let Some(upvalue) = closure.upvalues().first().and_then(|upvalue| upvalue.get())
            {
                call.vm.heap.set_environment(upvalue, environment);
            }
            call.ret(function)
        }
        Err(error) => call.ret_all(&[Value::Nil, error]),
    }
}

/// Makes a function of a chunk, or gives the error, which handlers have seen that are to see it.
fn compile(
    call: &mut Call<'_>,
    Given { chunk, reader }: Given<'_>,
    name: &[u8],
    mode: Option<&[u8]>,
) -> Result<Result<Value, Value>, Throw> {
    let kind = if is_binary(chunk) { "binary" } else { "text" };
    let mode = super::before_zero(mode.unwrap_or(b"bt"));
    if !mode.contains(&kind.as_bytes()[0]) {
        let message = [b"attempt to load a ".as_slice(), kind.as_bytes(), b" chunk (mode is '", mode, b"')"].concat();
        return Ok(Err(Value::String(call.new_string(&message)?)));
    }
    match call.vm.load_for_program(chunk, name, reader) {
        Ok(closure) => Ok(Ok(Value::Closure(closure))),
        Err(LoadError::Syntax(error)) if error.too_deep => {
            let error = call.vm.string_error(&error.message);
            call.vm.handle_error(error).map(Err)
        }
        Err(error) => {
            let message = error.into_message()?;
            Ok(Err(Value::String(call.new_string(&message)?)))
        }
    }
}

/// The text of a file, or why it cannot be had.
pub(super) fn read_file(call: &mut Call<'_>, name: Option<&[u8]>) -> Result<Vec<u8>, Vec<u8>> {
    let shown = name.unwrap_or(b"stdin");
    let failure =
        |what: &str, reason: &str| [b"cannot ", what.as_bytes(), b" ", shown, b": ", reason.as_bytes()].concat();
    if call.vm.options.system == System::None {
        return Err(failure("open", "files are not available"));
    }
    let mut text = Vec::new();
    let read = match name {
        Some(name) => std::fs::read(system::path(name)).map(|read| text = read),
        None => {
            let mut input = call.vm.take_input();
            let read = std::io::Read::read_to_end(&mut input, &mut text);
            call.vm.give_input(input);
            read.map(drop)
        }
    };
    if let Err(error) = read {
        let what = if error.kind() == std::io::ErrorKind::IsADirectory { "read" } else { "open" };
        return Err(failure(what, &system::words(&error)));
    }
    if text.starts_with(b"\xEF\xBB\xBF") {
        text.drain(..3);
    }
    if text.first() == Some(&b'#') {
        // The end of the line stays, so that lines count right; but not before a binary chunk.
        let end = text.iter().position(|&byte| byte == b'\n').unwrap_or(text.len());
        text.drain(..end);
        if text.get(1..).is_some_and(is_binary) {
            text.remove(0);
        }
    }
    Ok(text)
}

/// Makes a function of a file, or gives the error.
pub(super) fn compile_file(
    call: &mut Call<'_>,
    name: Option<&[u8]>,
    mode: Option<&[u8]>,
) -> Result<Result<Value, Value>, Throw> {
    match read_file(call, name) {
        Ok(text) => {
            let chunk_name = name.map_or_else(|| b"=stdin".to_vec(), |name| [b"@", name].concat());
            compile(call, Given { chunk: &text, reader: true }, &chunk_name, mode)
        }
        Err(message) => Ok(Err(Value::String(call.new_string(&message)?))),
    }
}

/// An argument that names a file.
fn file_argument(call: &mut Call<'_>, index: usize) -> Result<Option<Vec<u8>>, Throw> {
    Ok(call.opt_string(index)?.map(|name| super::before_zero(name.as_bytes()).to_vec()))
}

fn loadfile(call: &mut Call<'_>) -> NativeResult {
    let name = file_argument(call, 0)?;
    let mode = call.opt_string(1)?.map(|mode| mode.as_bytes().to_vec());
    let environment = (call.arg_count() > 2).then(|| call.arg(2));
    match read_file(call, name.as_deref()) {
        Ok(text) => {
            let chunk_name = name.map_or_else(|| b"=stdin".to_vec(), |name| [b"@".as_slice(), &name].concat());
            load_text(call, Given { chunk: &text, reader: true }, &chunk_name, mode.as_deref(), environment)
        }
        Err(message) => {
            let message = call.new_string(&message)?;
            call.ret_all(&[Value::Nil, Value::String(message)])
        }
    }
}

/// The chunk that `dofile` runs.
pub(crate) fn load_file(call: &mut Call<'_>) -> Result<Value, Throw> {
    let name = file_argument(call, 0)?;
    compile_file(call, name.as_deref(), None)?.map_err(Throw::Error)
}
