//! Conversions between numbers and between numbers and text (manual §3.4.3).

use crate::syntax::{Number, parse_number};
use crate::value::Value;

/// What to do with a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FloatRounding {
    /// There must be none.
    Exact,
    /// Round towards minus infinity.
    Floor,
    /// Round towards plus infinity.
    Ceil,
}

/// The integer that a float stands for; `None` if it is out of range, or has a fraction and `rounding` is `Exact`.
#[inline]
pub(crate) fn float_to_integer(float: f64, rounding: FloatRounding) -> Option<i64> {
    let rounded = match rounding {
        FloatRounding::Exact if float.floor() != float => return None,
        FloatRounding::Exact => float,
        FloatRounding::Floor => float.floor(),
        FloatRounding::Ceil => float.ceil(),
    };
    // 2^63 itself is out of range, -2^63 is not.
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&rounded).then_some(rounded as i64)
}

/// The number that a string stands for, by the rules of the lexer, with spaces around and a sign allowed.
pub(crate) fn str_to_number(text: &[u8]) -> Option<Value> {
    parse_number(text).map(|number| match number {
        Number::Integer(i) => Value::Integer(i),
        Number::Float(f) => Value::Float(f),
    })
}

/// The text of a number as `tostring` gives it: integers in full, floats with 14 significant digits (`%.14g`), and `.0`
/// after a float that would look like an integer.
pub(crate) fn format_number(value: Value, out: &mut Vec<u8>) {
    use std::io::Write;
    match value {
        // Writing to a vector cannot fail.
        Value::Integer(i) => drop(write!(out, "{i}")),
        Value::Float(f) => {
            let start = out.len();
            format_g(f, 14, false, out);
            if out[start..].iter().all(|&byte| byte.is_ascii_digit() || byte == b'-') {
                out.extend_from_slice(b".0");
            }
        }
        _ => {}
    }
}

/// C's `%.{precision}g`, with zeros at the end of the fraction kept where asked for (`#`). At most 99 digits are given.
pub(crate) fn format_g(value: f64, precision: usize, keep_zeros: bool, out: &mut Vec<u8>) {
    use std::io::Write;
    if value.is_nan() {
        // The sign of a NaN is printed by C libraries, and 0/0 has it set on x86.
        out.extend_from_slice(if value.is_sign_negative() { b"-nan" } else { b"nan" });
        return;
    }
    if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
        return;
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    // `d.ddde±ddd`: both notations have these digits. They fit: the longest are 99 with a point and an exponent.
    let precision = precision.clamp(1, 99);
    let mut buffer = std::io::Cursor::new([0; 112]);
    drop(write!(buffer, "{:.*e}", precision - 1, value.abs()));
    let length = buffer.position() as usize;
    let text = &buffer.get_ref()[..length];
    let mark = text.iter().position(|&byte| byte == b'e').unwrap_or(length);
    let exponent = text.get(mark + 1..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (first, rest) = (&text[..1], text.get(2..mark).unwrap_or_default());

    let fixed = (-4..precision as i32).contains(&exponent);
    let start = out.len();
    let mut whole = 1;
    if fixed && exponent < 0 {
        out.extend_from_slice(&b"0000"[..exponent.unsigned_abs() as usize]);
    } else if fixed {
        whole += exponent as usize;
    }
    out.extend_from_slice(first);
    out.extend_from_slice(rest);
    out.insert(start + whole, b'.');
    if !keep_zeros {
        let zeros = out.iter().rev().take_while(|&&byte| byte == b'0').count();
        out.truncate(out.len() - zeros);
        if out.last() == Some(&b'.') {
            out.pop();
        }
    }
    if !fixed {
        let sign = if exponent < 0 { '-' } else { '+' };
        drop(write!(out, "e{sign}{:02}", exponent.unsigned_abs()));
    }
}
