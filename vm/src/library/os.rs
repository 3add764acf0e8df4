//! Operating system facilities (manual §6.9), as far as they don't change anything.
//!
//! Unless the host gives real time, the time is constant and the clock counts instructions, so that a run can be repeated.
//! Local time is UTC: the zone of a machine would make runs differ, too.

use super::{before_zero, plain, register};
use crate::interpreter::{Builtin, Call, NativeResult, Throw, Vm, to_integer};
use crate::value::Value;
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("clock", clock),
    plain("date", date),
    plain("difftime", difftime),
    plain("getenv", getenv),
    plain("setlocale", setlocale),
    plain("time", time),
];

pub(crate) fn open(vm: &mut Vm) {
    register(vm, "os", FUNCTIONS);
}

/// Instructions that the clock takes for a second.
const INSTRUCTIONS_PER_SECOND: f64 = 1e8;

thread_local! {
    /// When the real clock began.
    static START: std::time::Instant = std::time::Instant::now();
}

fn clock(call: &mut Call<'_>) -> NativeResult {
    let seconds = if call.vm.options.real_time {
        START.with(|start| start.elapsed().as_secs_f64())
    } else {
        call.vm.instructions() as f64 / INSTRUCTIONS_PER_SECOND
    };
    call.ret(seconds)
}

/// Seconds since the epoch.
fn now(call: &Call<'_>) -> i64 {
    if !call.vm.options.real_time {
        return 0;
    }
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64),
    }
}

fn difftime(call: &mut Call<'_>) -> NativeResult {
    let later = call.check_integer(0)?;
    let earlier = call.check_integer(1)?;
    call.ret(later.wrapping_sub(earlier) as f64)
}

fn getenv(call: &mut Call<'_>) -> NativeResult {
    let name = call.check_string(0)?;
    // The environment is the machine's, as its files are.
    let value = match std::str::from_utf8(before_zero(name.as_bytes())) {
        Ok(name) if call.vm.options.files => std::env::var_os(name),
        _ => None,
    };
    match value {
        Some(value) => call.ret_bytes(value.as_encoded_bytes()),
        None => call.ret(Value::Nil),
    }
}

fn setlocale(call: &mut Call<'_>) -> NativeResult {
    const CATEGORIES: [&str; 6] = ["all", "collate", "ctype", "monetary", "numeric", "time"];
    let wanted = call.opt_string(0)?;
    call.check_option(1, Some("all"), &CATEGORIES)?;
    match wanted.as_ref().map(|wanted| wanted.as_bytes()) {
        None | Some(b"" | b"C" | b"POSIX") => call.ret_bytes(b"C"),
        // There are no others.
        Some(_) => call.ret(Value::Nil),
    }
}

// Dates.

/// A broken-down time. The numbers count as a date table's do: months and days from 1, years from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Date {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    /// From 0 for Sunday.
    weekday: i64,
    /// From 0 for the first of January.
    yearday: i64,
}

const SECONDS_PER_DAY: i64 = 86_400;
const DAYS_PER_ERA: i64 = 146_097;

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar. The month is in 1..=12, the day may be any.
fn days_to(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - 719_468
}

impl Date {
    /// The date of a time; `None` where its year is beyond what C's `struct tm` holds.
    fn from_seconds(seconds: i64) -> Option<Date> {
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let rest = seconds.rem_euclid(SECONDS_PER_DAY);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(DAYS_PER_ERA);
        let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = (shifted_month + 2) % 12 + 1;
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        i32::try_from(year - 1900).ok()?;
        Some(Date {
            year,
            month,
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7),
            yearday: days - days_to(year, 1, 1),
        })
    }

    /// The time of a date, whose numbers may be out of their ranges. They are those of an `int`, so nothing overflows.
    fn to_seconds(self) -> i64 {
        let months = self.month - 1;
        let days = days_to(self.year + months.div_euclid(12), months.rem_euclid(12) + 1, 1) + self.day - 1;
        days * SECONDS_PER_DAY + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// Hour on a clock with twelve of them.
    fn hour_of_half(self) -> i64 {
        (self.hour + 11) % 12 + 1
    }

    /// Week of the year, where the first week begins with the first such day (0 for Sunday).
    fn week_from(self, first: i64) -> i64 {
        (self.yearday + 7 - (self.weekday - first).rem_euclid(7)) / 7
    }

    /// Year and week of ISO 8601: weeks begin on Monday and belong to the year of their Thursday.
    fn iso_week(self) -> (i64, i64) {
        let thursday = self.yearday - (self.weekday + 6) % 7 + 3;
        if thursday < 0 {
            let length = days_to(self.year, 1, 1) - days_to(self.year - 1, 1, 1);
            return (self.year - 1, (thursday + length) / 7 + 1);
        }
        let length = days_to(self.year + 1, 1, 1) - days_to(self.year, 1, 1);
        if thursday >= length { (self.year + 1, 1) } else { (self.year, thursday / 7 + 1) }
    }
}

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// The text of one conversion specifier of C's `strftime` in the C locale; `None` where C has no such specifier.
fn format(date: &Date, specifier: u8, zone: &str) -> Option<String> {
    // Both are in the ranges of their arrays.
    let day = DAYS[date.weekday as usize];
    let month = MONTHS[date.month as usize - 1];
    let Date { year, hour, minute, second, .. } = *date;
    let all = |specifiers: &str| -> Option<String> {
        specifiers.bytes().try_fold(String::new(), |text, byte| {
            let piece = if byte.is_ascii_alphabetic() { format(date, byte, zone)? } else { char::from(byte).into() };
            Some(text + &piece)
        })
    };
    Some(match specifier {
        b'a' => day[..3].to_owned(),
        b'A' => day.to_owned(),
        b'b' | b'h' => month[..3].to_owned(),
        b'B' => month.to_owned(),
        b'c' => return all("a b e H:M:S Y"),
        b'C' => format!("{:02}", year.div_euclid(100)),
        b'd' => format!("{:02}", date.day),
        b'D' | b'x' => return all("m/d/y"),
        b'e' => format!("{:2}", date.day),
        b'F' => return all("Y-m-d"),
        b'g' => format!("{:02}", date.iso_week().0.rem_euclid(100)),
        b'G' => date.iso_week().0.to_string(),
        b'H' => format!("{hour:02}"),
        b'I' => format!("{:02}", date.hour_of_half()),
        b'j' => format!("{:03}", date.yearday + 1),
        b'm' => format!("{:02}", date.month),
        b'M' => format!("{minute:02}"),
        b'n' => "\n".to_owned(),
        b'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        b'r' => return all("I:M:S p"),
        b'R' => return all("H:M"),
        b's' => date.to_seconds().to_string(),
        b'S' => format!("{second:02}"),
        b't' => "\t".to_owned(),
        b'T' | b'X' => return all("H:M:S"),
        b'u' => ((date.weekday + 6) % 7 + 1).to_string(),
        b'U' => format!("{:02}", date.week_from(0)),
        b'V' => format!("{:02}", date.iso_week().1),
        b'w' => date.weekday.to_string(),
        b'W' => format!("{:02}", date.week_from(1)),
        b'y' => format!("{:02}", year.rem_euclid(100)),
        b'Y' => year.to_string(),
        b'z' => "+0000".to_owned(),
        b'Z' => zone.to_owned(),
        b'%' => "%".to_owned(),
        _ => return None,
    })
}

/// The specifier that text after a `%` begins with, and its length. `E` and `O` only change what other locales show.
fn specifier(text: &[u8]) -> Option<(u8, usize)> {
    match *text {
        [b'E', specifier, ..] if b"cCxXyY".contains(&specifier) => Some((specifier, 2)),
        [b'O', specifier, ..] if b"deHImMSuUVwWy".contains(&specifier) => Some((specifier, 2)),
        [specifier, ..] if b"aAbBcCdDeFgGhHIjmMnprRStTuUVwWxXyYzZ%".contains(&specifier) => Some((specifier, 1)),
        _ => None,
    }
}

fn date(call: &mut Call<'_>) -> NativeResult {
    let format_string = call.opt_string(0)?;
    let seconds = if call.arg(1).is_nil() { now(call) } else { call.check_integer(1)? };
    let text = format_string.as_ref().map_or(b"%c".as_slice(), |text| text.as_bytes());
    let (text, zone) = match text {
        [b'!', text @ ..] => (text, "GMT"),
        text => (text, "UTC"),
    };
    let Some(date) = Date::from_seconds(seconds) else {
        return Err(call.error("date result cannot be represented in this installation"));
    };
    if before_zero(text) == b"*t" {
        let table = call.new_table();
        for (name, value) in fields(&date) {
            call.set_field(table, name, value);
        }
        return call.ret(table);
    }
    let mut result = Vec::new();
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            result.push(*byte);
            continue;
        }
        let formatted = specifier(rest).and_then(|(specifier, length)| Some((format(&date, specifier, zone)?, length)));
        let Some((piece, length)) = formatted else {
            let message = [b"invalid conversion specifier '%".as_slice(), before_zero(rest), b"'"].concat();
            return Err(call.arg_error(0, message));
        };
        result.extend_from_slice(piece.as_bytes());
        rest = &rest[length..];
    }
    call.ret_bytes(&result)
}

/// The fields of a date table.
fn fields(date: &Date) -> [(&'static str, Value); 9] {
    [
        ("year", Value::Integer(date.year)),
        ("month", Value::Integer(date.month)),
        ("day", Value::Integer(date.day)),
        ("hour", Value::Integer(date.hour)),
        ("min", Value::Integer(date.minute)),
        ("sec", Value::Integer(date.second)),
        ("yday", Value::Integer(date.yearday + 1)),
        ("wday", Value::Integer(date.weekday + 1)),
        ("isdst", Value::Boolean(false)),
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
    let seconds = date.to_seconds();
    let normalized = Date::from_seconds(seconds);
    // -1 is how C says that there is no result, though it is a time.
    let Some(normalized) = normalized.filter(|_| seconds != -1) else {
        return Err(call.error("time result cannot be represented in this installation"));
    };
    for (name, value) in fields(&normalized) {
        let key = call.new_string(name.as_bytes())?;
        call.set_index(Value::Table(table), Value::String(key), value)?;
    }
    call.ret(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(seconds: i64, specifiers: &str) -> String {
        let date = Date::from_seconds(seconds).expect("in range");
        specifiers.bytes().map(|byte| format(&date, byte, "GMT").expect("known") + " ").collect()
    }

    #[test]
    fn dates_and_times_are_inverse() {
        for seconds in [0, -1, 951_782_399, 951_782_400, 1_700_000_000, -62_135_596_801, 253_402_300_800] {
            assert_eq!(Date::from_seconds(seconds).expect("in range").to_seconds(), seconds);
        }
        assert_eq!(Date::from_seconds(i64::MAX), None);
        assert_eq!(Date::from_seconds(i64::MIN), None);
    }

    #[test]
    fn numbers_out_of_range_are_carried_over() {
        let date = Date { year: 2020, month: 14, day: -3, hour: 25, minute: 61, second: -1, weekday: 0, yearday: 0 };
        let normalized = Date::from_seconds(date.to_seconds()).expect("in range");
        assert_eq!((normalized.year, normalized.month, normalized.day), (2021, 1, 29));
        assert_eq!((normalized.hour, normalized.minute, normalized.second), (2, 0, 59));
    }

    #[test]
    fn specifiers_are_those_of_the_c_locale() {
        assert_eq!(formatted(0, "cxXpr"), "Thu Jan  1 00:00:00 1970 01/01/70 00:00:00 AM 12:00:00 AM ");
        assert_eq!(formatted(1_700_000_000, "FTjUWVGguwyC"), "2023-11-14 22:13:20 318 46 46 46 2023 23 2 2 23 20 ");
        // The first of January 2021 is a Friday of the last week of 2020.
        assert_eq!(formatted(1_609_459_200, "GVUWj"), "2020 53 00 00 001 ");
        // The last of December 2018 is a Monday of the first week of 2019.
        assert_eq!(formatted(1_546_214_400, "GVUWj"), "2019 01 52 53 365 ");
    }
}
