//! The `utf8` library (manual §6.5).
//!
//! Strict decoding refuses surrogates and code points above 10FFFF; lax decoding takes anything below 2³¹.
//! Overlong forms are refused by both.

use crate::interpreter::{Builtin, Call, NativeResult, Vm, to_integer};
use crate::library::string::{Buffer, charge_bytes, reserve_results};
use crate::library::{self, plain};
use crate::value::Value;

/// The greatest code point of Unicode.
const MAX_UNICODE: u32 = 0x10_FFFF;
/// The greatest number that six bytes can carry.
const MAX_CODE: u32 = 0x7FFF_FFFF;
/// A pattern that matches one character of a valid string.
const CHARACTER_PATTERN: &[u8] = b"[\0-\x7F\xC2-\xFD][\x80-\xBF]*";
const INVALID: &str = "invalid UTF-8 code";

/// The functions of the library.
pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("char", char),
    plain("codepoint", codepoint),
    plain("codes", codes),
    plain("len", len),
    plain("offset", offset),
];

static STRICT_ITERATOR: Builtin = plain("for iterator", |call| next_code(call, Mode::Strict));
static LAX_ITERATOR: Builtin = plain("for iterator", |call| next_code(call, Mode::Lax));

/// Makes the global `utf8`.
pub(crate) fn open(vm: &mut Vm) {
    let utf8 = library::register(vm, "utf8", FUNCTIONS);
    let pattern = vm.heap.new_string(CHARACTER_PATTERN);
    library::set_field(vm, utf8, "charpattern", Value::String(pattern));
}

/// Which code points are accepted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Strict,
    Lax,
}

impl Mode {
    /// An optional argument: whether to be lax.
    fn from_arg(call: &Call<'_>, index: usize) -> Mode {
        if call.arg(index).is_falsy() { Mode::Strict } else { Mode::Lax }
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

/// Whether the byte at an offset continues a character; the end does not.
fn continues_at(bytes: &[u8], offset: usize) -> bool {
    bytes.get(offset).is_some_and(|&byte| is_continuation(byte))
}

/// The first character of a string: its code and its length in bytes.
fn decode(bytes: &[u8], mode: Mode) -> Option<(u32, usize)> {
    /// The least code that needs so many continuation bytes.
    const LEAST: [u32; 6] = [0, 0x80, 0x800, 0x1_0000, 0x20_0000, 0x400_0000];
    let (&first, rest) = bytes.split_first()?;
    let (code, length) = if first.is_ascii() {
        (u32::from(first), 1)
    } else {
        let continuations = first.leading_ones() as usize - 1;
        if continuations == 0 || continuations >= LEAST.len() {
            return None;
        }
        let mut code = u32::from(first) & (0x3F >> continuations);
        for &byte in rest.get(..continuations)? {
            if !is_continuation(byte) {
                return None;
            }
            code = code << 6 | u32::from(byte & 0x3F);
        }
        if code < LEAST[continuations] {
            return None;
        }
        (code, continuations + 1)
    };
    let valid = mode == Mode::Lax || (code <= MAX_UNICODE && !(0xD800..=0xDFFF).contains(&code));
    valid.then_some((code, length))
}

/// The bytes of a code, written from the end of the array; and how many they are.
fn encode(code: u32) -> ([u8; 6], usize) {
    let mut bytes = [0; 6];
    if code < 0x80 {
        bytes[5] = code as u8;
        return (bytes, 1);
    }
    let mut rest = code;
    let mut length = 0;
    // What fits into the first byte, beside the bits that say the length.
    let mut room = 0x3F;
    while rest > room {
        bytes[5 - length] = 0x80 | (rest & 0x3F) as u8;
        rest >>= 6;
        room >>= 1;
        length += 1;
    }
    bytes[5 - length] = (!room << 1) as u8 | rest as u8;
    (bytes, length + 1)
}

/// A position that a script gave, where a negative one counts from the end; 0 where that is before the beginning.
fn absolute_position(position: i64, length: usize) -> i64 {
    match position {
        0.. => position,
        _ if position.unsigned_abs() > length as u64 => 0,
        _ => length as i64 + position + 1,
    }
}

/// `utf8.char(...)`
fn char(call: &mut Call<'_>) -> NativeResult {
    let mut out = Buffer::default();
    for index in 0..call.arg_count() {
        match u32::try_from(call.check_integer(index)?) {
            Ok(code @ ..=MAX_CODE) => {
                let (bytes, length) = encode(code);
                out.append(call, &bytes[bytes.len() - length..])?;
            }
            _ => return Err(call.arg_error(index, "value out of range")),
        }
    }
    out.finish(call)
}

/// `utf8.codepoint(s [, i [, j [, lax]]])`
fn codepoint(call: &mut Call<'_>) -> NativeResult {
    let string = call.check_string(0)?;
    let bytes = string.as_bytes();
    let start = absolute_position(call.opt_integer(1, 1)?, bytes.len());
    let end = absolute_position(call.opt_integer(2, start)?, bytes.len());
    let mode = Mode::from_arg(call, 3);
    if start < 1 {
        return Err(call.arg_error(1, "out of bounds"));
    }
    if end > bytes.len() as i64 {
        return Err(call.arg_error(2, "out of bounds"));
    }
    if start > end {
        return Ok(0);
    }
    // Both lie in the string now.
    let (mut at, end) = (start as usize - 1, end as usize);
    if end - at > i32::MAX as usize {
        return Err(call.error("string slice too long"));
    }
    reserve_results(call, end - at)?;
    let mut count = 0;
    while at < end {
        let Some((code, length)) = decode(&bytes[at..], mode) else {
            return Err(call.error(INVALID));
        };
        call.push(Value::Integer(i64::from(code)));
        at += length;
        count += 1;
    }
    Ok(count)
}

/// `utf8.len(s [, i [, j [, lax]]])`
fn len(call: &mut Call<'_>) -> NativeResult {
    let string = call.check_string(0)?;
    let bytes = string.as_bytes();
    let length = bytes.len() as i64;
    let start = absolute_position(call.opt_integer(1, 1)?, bytes.len());
    let end = absolute_position(call.opt_integer(2, -1)?, bytes.len());
    let mode = Mode::from_arg(call, 3);
    if !(1..=length + 1).contains(&start) {
        return Err(call.arg_error(1, "initial position out of bounds"));
    }
    if end > length {
        return Err(call.arg_error(2, "final position out of bounds"));
    }
    charge_bytes(call, bytes.len())?;
    // Neither is negative, and both lie in the string.
    let (mut at, end) = (start as usize - 1, end as usize);
    let mut count = 0;
    while at < end {
        match decode(&bytes[at..], mode) {
            Some((_, length)) => at += length,
            None => return call.ret_all(&[Value::Nil, Value::Integer(at as i64 + 1)]),
        }
        count += 1;
    }
    call.ret(count)
}

/// `utf8.offset(s, n [, i])`
fn offset(call: &mut Call<'_>) -> NativeResult {
    let string = call.check_string(0)?;
    let bytes = string.as_bytes();
    let mut left = call.check_integer(1)?;
    let default = if left >= 0 { 1 } else { bytes.len() as i64 + 1 };
    let start = absolute_position(call.opt_integer(2, default)?, bytes.len());
    if !(1..=bytes.len() as i64 + 1).contains(&start) {
        return Err(call.arg_error(2, "position out of bounds"));
    }
    charge_bytes(call, bytes.len())?;
    let mut at = start as usize - 1;
    if left == 0 {
        while at > 0 && continues_at(bytes, at) {
            at -= 1;
        }
        return call.ret(at as i64 + 1);
    }
    if continues_at(bytes, at) {
        return Err(call.error("initial position is a continuation byte"));
    }
    if left < 0 {
        while left < 0 && at > 0 {
            at -= 1;
            while at > 0 && continues_at(bytes, at) {
                at -= 1;
            }
            left += 1;
        }
    } else {
        // The first character is the one at the position.
        left -= 1;
        while left > 0 && at < bytes.len() {
            at += 1;
            while continues_at(bytes, at) {
                at += 1;
            }
            left -= 1;
        }
    }
    call.ret(if left == 0 { Value::Integer(at as i64 + 1) } else { Value::Nil })
}

/// `utf8.codes(s [, lax])`
fn codes(call: &mut Call<'_>) -> NativeResult {
    let string = call.check_string(0)?;
    if continues_at(string.as_bytes(), 0) {
        return Err(call.arg_error(0, INVALID));
    }
    let iterator = match Mode::from_arg(call, 1) {
        Mode::Strict => &STRICT_ITERATOR,
        Mode::Lax => &LAX_ITERATOR,
    };
    call.ret_all(&[Value::Builtin(iterator), Value::String(string), Value::Integer(0)])
}

/// The iterator of `codes`: from the position of a character, 0 before the first, to the next one.
fn next_code(call: &mut Call<'_>, mode: Mode) -> NativeResult {
    let string = call.check_string(0)?;
    let bytes = string.as_bytes();
    let position = to_integer(call.arg(1)).unwrap_or(0);
    // Counted from 1 this was the position of the last character, so from 0 it is that of the byte after its first.
    let Ok(mut at) = usize::try_from(position) else {
        return Ok(0);
    };
    while continues_at(bytes, at) {
        at += 1;
    }
    if at >= bytes.len() {
        return Ok(0);
    }
    match decode(&bytes[at..], mode) {
        Some((code, length)) if !continues_at(bytes, at + length) => {
            call.ret_all(&[Value::Integer(at as i64 + 1), Value::Integer(i64::from(code))])
        }
        _ => Err(call.error(INVALID)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(code: u32) -> Vec<u8> {
        let (bytes, length) = encode(code);
        bytes[6 - length..].to_vec()
    }

    #[test]
    fn codes_are_encoded_as_rust_does() {
        for code in [0, 0x7F, 0x80, 0x7FF, 0x800, 0xFFFD, 0x1_0000, 0x10_FFFF] {
            let expected = char::from_u32(code).unwrap().to_string();
            assert_eq!(encoded(code), expected.as_bytes(), "{code:x}");
        }
    }

    #[test]
    fn decoding_reverses_encoding() {
        for shift in 0..31 {
            for code in [1u32 << shift, (1u32 << shift) - 1, (1u32 << shift) + 5, MAX_CODE >> shift] {
                let bytes = encoded(code);
                assert_eq!(decode(&bytes, Mode::Lax), Some((code, bytes.len())), "{code:x}");
                assert_eq!(decode(&bytes, Mode::Strict).is_some(), char::from_u32(code).is_some(), "{code:x}");
            }
        }
    }

    #[test]
    fn malformed_bytes_are_no_character() {
        for bytes in [
            &b""[..],
            b"\x80",
            b"\xBF\x80",
            b"\xC0\x80",
            b"\xC1\xBF",
            b"\xE0\x9F\xBF",
            b"\xC3",
            b"\xC3a",
            b"\xE2\x82",
            b"\xF0\x8F\xBF\xBF",
            b"\xFE\x80\x80\x80\x80\x80\x80",
            b"\xFF\x80\x80\x80\x80\x80\x80\x80",
        ] {
            assert_eq!(decode(bytes, Mode::Lax), None, "{bytes:x?}");
        }
    }

    #[test]
    fn positions_count_from_either_end() {
        for (position, expected) in [(3, 3), (9, 9), (0, 0), (-1, 5), (-5, 1), (-6, 0), (i64::MIN, 0)] {
            assert_eq!(absolute_position(position, 5), expected, "{position}");
        }
    }
}
