//! The functions that take patterns: `find`, `match`, `gmatch`, `gsub`.

use super::buffer::{Buffer, charge_bytes};
use super::pattern::{Captured, Charge, ESCAPE, MAX_CAPTURES, MatchError, Matcher, PatternError};
use super::start_position;
use crate::interpreter::{Builtin, Call, NativeResult, Throw};
use crate::library::plain;
use crate::value::{Value, format_number};
use std::ops::Range;

/// Without one of these a pattern is plain text.
const SPECIALS: &[u8] = b"^$*+?.([%-";

impl Charge for Call<'_> {
    type Stop = Throw;

    fn charge(&mut self, steps: u64) -> Result<(), Throw> {
        self.work(steps)
    }
}

/// `string.find(s, pattern [, init [, plain]])`
pub(super) fn find(call: &mut Call<'_>) -> NativeResult {
    search(call, true)
}

/// `string.match(s, pattern [, init])`
pub(super) fn match_(call: &mut Call<'_>) -> NativeResult {
    search(call, false)
}

fn search(call: &mut Call<'_>, finding: bool) -> NativeResult {
    let (subject, pattern) = (call.check_string(0)?, call.check_string(1)?);
    let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
    let init = start_position(call.opt_integer(2, 1)?, subject.len()) - 1;
    if init > subject.len() {
        return call.ret(Value::Nil);
    }
    if finding && (!call.arg(3).is_falsy() || !pattern.iter().any(|byte| SPECIALS.contains(byte))) {
        return match find_plain(call, &subject[init..], pattern)? {
            Some(at) => {
                let start = (init + at) as i64;
                call.ret_all(&[Value::Integer(start + 1), Value::Integer(start + pattern.len() as i64)])
            }
            None => call.ret(Value::Nil),
        };
    }
    let (pattern, anchored) = split_anchor(pattern);
    let mut matcher = Matcher::new(subject, pattern);
    let last = if anchored { init } else { subject.len() };
    for start in init..=last {
        let Some(end) = match_at(call, &mut matcher, start)? else {
            continue;
        };
        if !finding {
            return push_captures(call, &matcher, subject, start..end);
        }
        call.push(Value::Integer(start as i64 + 1));
        call.push(Value::Integer(end as i64));
        // The whole match is no capture here.
        return match matcher.capture_count() {
            0 => Ok(2),
            _ => Ok(2 + push_captures(call, &matcher, subject, start..end)?),
        };
    }
    call.ret(Value::Nil)
}

fn split_anchor(pattern: &[u8]) -> (&[u8], bool) {
    match pattern {
        [b'^', rest @ ..] => (rest, true),
        _ => (pattern, false),
    }
}

/// Where the needle is first found.
fn find_plain(call: &mut Call<'_>, haystack: &[u8], needle: &[u8]) -> Result<Option<usize>, Throw> {
    let Some((&first, tail)) = needle.split_first() else {
        return Ok(Some(0));
    };
    let Some(starts) = haystack.len().checked_sub(tail.len()) else {
        return Ok(None);
    };
    let mut from = 0;
    while let Some(step) = haystack[from..starts].iter().position(|&byte| byte == first) {
        from += step + 1;
        charge_bytes(call, step + tail.len())?;
        if haystack[from..].starts_with(tail) {
            return Ok(Some(from - 1));
        }
    }
    charge_bytes(call, starts - from)?;
    Ok(None)
}

fn match_at(call: &mut Call<'_>, matcher: &mut Matcher<'_>, start: usize) -> Result<Option<usize>, Throw> {
    matcher.match_at(start, call).map_err(|error| match error {
        MatchError::Pattern(error) => pattern_error(call, error),
        MatchError::Stopped(throw) => throw,
    })
}

fn pattern_error(call: &mut Call<'_>, error: PatternError) -> Throw {
    call.error(error.to_string())
}

/// The value of a capture of the last match, which spanned `whole`.
fn capture_value(
    call: &mut Call<'_>,
    matcher: &Matcher<'_>,
    subject: &[u8],
    index: usize,
    whole: Range<usize>,
) -> Result<Value, Throw> {
    match matcher.capture(index, whole) {
        Ok(Captured::Position(position)) => Ok(Value::Integer(position)),
        Ok(Captured::Span(span)) => Ok(Value::String(call.new_string(&subject[span])?)),
        Err(error) => Err(pattern_error(call, error)),
    }
}

/// Pushes the captures of the last match; the whole match, if there are none. Gives how many values that are.
fn push_captures(call: &mut Call<'_>, matcher: &Matcher<'_>, subject: &[u8], whole: Range<usize>) -> NativeResult {
    let count = matcher.capture_count().max(1);
    for index in 0..count {
        let value = capture_value(call, matcher, subject, index, whole.clone())?;
        call.push(value);
    }
    Ok(count)
}

/// The upvalues of the iterator that `gmatch` makes: subject and pattern, the offset where the search goes on,
/// and the end of the last match, -1 before the first one. A script can change them (`debug.setupvalue`), so they
/// are checked.
mod upvalue {
    pub(super) const SUBJECT: usize = 0;
    pub(super) const PATTERN: usize = 1;
    pub(super) const NEXT: usize = 2;
    pub(super) const LAST_END: usize = 3;
}

static GMATCH_ITERATOR: Builtin = plain("for iterator", gmatch_next);

/// `string.gmatch(s, pattern [, init])`
pub(super) fn gmatch(call: &mut Call<'_>) -> NativeResult {
    let (subject, pattern) = (call.check_string(0)?, call.check_string(1)?);
    let init = start_position(call.opt_integer(2, 1)?, subject.as_bytes().len()) - 1;
    let upvalues = [
        Value::String(subject),
        Value::String(pattern),
        // Behind the end there is no match, however far.
        Value::Integer(init.min(subject.as_bytes().len() + 1) as i64),
        Value::Integer(-1),
    ];
    let iterator = call.new_native_closure(&GMATCH_ITERATOR, &upvalues);
    call.ret(Value::NativeClosure(iterator))
}

fn gmatch_next(call: &mut Call<'_>) -> NativeResult {
    use upvalue::{LAST_END, NEXT, PATTERN, SUBJECT};
    let state = (call.upvalue(SUBJECT), call.upvalue(PATTERN), call.upvalue(NEXT), call.upvalue(LAST_END));
    let (Value::String(subject), Value::String(pattern), Value::Integer(next), Value::Integer(last_end)) = state else {
        return Ok(0);
    };
    let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
    let Ok(next) = usize::try_from(next) else {
        return Ok(0);
    };
    // Unlike elsewhere, a `^` is no anchor here.
    let mut matcher = Matcher::new(subject, pattern);
    for start in next..=subject.len() {
        match match_at(call, &mut matcher, start)? {
            Some(end) if end as i64 != last_end => {
                call.set_upvalue(NEXT, Value::Integer(end as i64));
                call.set_upvalue(LAST_END, Value::Integer(end as i64));
                return push_captures(call, &matcher, subject, start..end);
            }
            _ => {}
        }
    }
    Ok(0)
}

/// `string.gsub(s, pattern, replacement [, n])`
pub(super) fn gsub(call: &mut Call<'_>) -> NativeResult {
    let (original, pattern) = (call.check_string(0)?, call.check_string(1)?);
    let (subject, pattern) = (original.as_bytes(), pattern.as_bytes());
    let replacement = call.arg(2);
    let maximum = call.opt_integer(3, subject.len() as i64 + 1)?;
    if !matches!(replacement.type_name(), "number" | "string" | "function" | "table") {
        return Err(call.type_error(2, "string/function/table"));
    }
    let (pattern, anchored) = split_anchor(pattern);
    let mut matcher = Matcher::new(subject, pattern);
    let mut out = Buffer::default();
    let mut changed = false;
    let mut count = 0;
    let mut next = 0;
    let mut last_end = None;
    while count < maximum {
        match match_at(call, &mut matcher, next)? {
            Some(end) if last_end != Some(end) => {
                count += 1;
                changed |= replace(call, &matcher, subject, next..end, &mut out)?;
                // As each string that C code pushes is a safe point.
                call.vm.safe_point()?;
                next = end;
                last_end = Some(end);
            }
            _ if next < subject.len() => {
                out.push(call, subject[next])?;
                next += 1;
            }
            _ => break,
        }
        if anchored {
            break;
        }
    }
    if changed {
        out.append(call, &subject[next..])?;
        out.finish(call)?;
    } else {
        call.push(Value::String(original));
    }
    call.push(Value::Integer(count));
    Ok(2)
}

/// Adds what replaces a match. Gives whether it comes from the replacement, rather than being the match itself.
fn replace(
    call: &mut Call<'_>,
    matcher: &Matcher<'_>,
    subject: &[u8],
    whole: Range<usize>,
    out: &mut Buffer,
) -> Result<bool, Throw> {
    let value = match call.arg(2) {
        table @ Value::Table(_) => {
            let key = capture_value(call, matcher, subject, 0, whole.clone())?;
            call.index(table, key)?
        }
        function @ (Value::Builtin(_) | Value::Closure(_) | Value::NativeClosure(_)) => {
            let count = matcher.capture_count().max(1);
            let mut captures = [Value::Nil; MAX_CAPTURES];
            for (index, capture) in captures[..count].iter_mut().enumerate() {
                *capture = capture_value(call, matcher, subject, index, whole.clone())?;
            }
            call.call1(function, &captures[..count])?
        }
        _ => {
            expand(call, matcher, subject, whole, out)?;
            return Ok(true);
        }
    };
    match value {
        Value::Nil | Value::Boolean(false) => {
            out.append(call, &subject[whole])?;
            return Ok(false);
        }
        Value::String(text) => out.append(call, text.as_bytes())?,
        Value::Integer(_) | Value::Float(_) => format_number(value, out.bytes_mut()),
        other => return Err(call.error(format!("invalid replacement value (a {})", other.type_name()))),
    }
    Ok(true)
}

/// Adds the replacement string with its captures filled in.
fn expand(
    call: &mut Call<'_>,
    matcher: &Matcher<'_>,
    subject: &[u8],
    whole: Range<usize>,
    out: &mut Buffer,
) -> Result<(), Throw> {
    let replacement = call.check_string(2)?;
    let mut rest = replacement.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| byte == ESCAPE) {
        out.append(call, &rest[..at])?;
        match rest.get(at + 1) {
            Some(&ESCAPE) => out.push(call, ESCAPE)?,
            Some(b'0') => out.append(call, &subject[whole.clone()])?,
            Some(digit @ b'1'..=b'9') => match matcher.capture(usize::from(digit - b'1'), whole.clone()) {
                Ok(Captured::Span(span)) => out.append(call, &subject[span])?,
                Ok(Captured::Position(position)) => format_number(Value::Integer(position), out.bytes_mut()),
                Err(error) => return Err(pattern_error(call, error)),
            },
            _ => return Err(call.error("invalid use of '%' in replacement string")),
        }
        rest = &rest[at + 2..];
    }
    out.append(call, rest)
}
