//! Text to number, for numerals in source and for strings that become numbers at run time (manual §3.1, §3.4.3).

use super::lexer::is_space;

/// A number of either kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// An integer.
    Integer(i64),
    /// A float.
    Float(f64),
}

/// The number that a text says, with spaces and one sign allowed around it.
///
/// A decimal integer that fits no `i64` is a float; a hexadecimal one wraps around. Names of numbers such as `inf` and
/// `nan` are no numbers.
///
/// ```
/// # use moonphase_vm::syntax::{Number, parse_number};
/// assert_eq!(parse_number(b" -0x10 "), Some(Number::Integer(-16)));
/// assert_eq!(parse_number(b"0x.8p1"), Some(Number::Float(1.0)));
/// assert_eq!(parse_number(b"1e"), None);
/// ```
pub fn parse_number(text: &[u8]) -> Option<Number> {
    let text = trim(text);
    let (negative, digits) = match text.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, text),
    };
    match digits {
        [b'0', b'x' | b'X', hexadecimal @ ..] => parse_hexadecimal(hexadecimal, negative),
        _ => parse_decimal(digits, negative),
    }
}

/// The number that a numeral says in a language without integers and without hexadecimal floats.
///
/// A whole number below 2^53 that is written without a point or an exponent is given as an integer: it says the same, and shorter.
pub(super) fn parse_numeral_of_floats(text: &[u8]) -> Option<Number> {
    const EXACT: f64 = (1_u64 << 53) as f64;
    let Some((b'0', [b'x' | b'X', digits @ ..])) = text.split_first() else {
        return match parse_number(text)? {
            Number::Integer(value) if value as f64 >= EXACT => Some(Number::Float(value as f64)),
            number => Some(number),
        };
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    match parse_hexadecimal(&[digits, b"p0"].concat(), false)? {
        Number::Float(value) if value < EXACT => Some(Number::Integer(value as i64)),
        number => Some(number),
    }
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_space(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_space(*last)
    {
        text = rest;
    }
    text
}

fn parse_decimal(digits: &[u8], negative: bool) -> Option<Number> {
    if let Some(integer) = decimal_integer(digits, negative) {
        return Some(Number::Integer(integer));
    }
    // The grammar is checked first: the library's parser knows names such as `inf`, which Lua refuses.
    let (whole, rest) = split_digits(digits, u8::is_ascii_digit);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => split_digits(rest, u8::is_ascii_digit),
        _ => (&[][..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    parse_exponent(rest, b'e')?;
    let value: f64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(Number::Float(if negative { -value } else { value }))
}

/// The digits as an integer, unless there is anything else or they overflow.
fn decimal_integer(digits: &[u8], negative: bool) -> Option<i64> {
    if digits.is_empty() {
        return None;
    }
    // Negative all along: the least integer has no positive counterpart.
    let mut value: i64 = 0;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

/// What follows `0x`.
fn parse_hexadecimal(text: &[u8], negative: bool) -> Option<Number> {
    let (whole, rest) = split_digits(text, u8::is_ascii_hexdigit);
    if rest.is_empty() && !whole.is_empty() {
        let value = whole.iter().fold(0u64, |value, &digit| (value << 4) | hex_value(digit));
        let value = if negative { value.wrapping_neg() } else { value };
        return Some(Number::Integer(value as i64));
    }
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => split_digits(rest, u8::is_ascii_hexdigit),
        _ => (&[][..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let exponent = parse_exponent(rest, b'p')?;

    let mut mantissa: u64 = 0;
    // Whether a digit that is not zero came after those that the mantissa holds.
    let mut sticky = false;
    let mut shift: i64 = 0;
    for (position, &digit) in whole.iter().chain(fraction).enumerate() {
        let in_fraction = position >= whole.len();
        if mantissa >> 60 == 0 {
            mantissa = (mantissa << 4) | hex_value(digit);
            shift -= if in_fraction { 4 } else { 0 };
        } else {
            sticky |= digit != b'0';
            shift += if in_fraction { 0 } else { 4 };
        }
    }
    let value = scale(mantissa, sticky, shift.saturating_add(exponent));
    Some(Number::Float(if negative { -value } else { value }))
}

/// An exponent, up to the end of the text: none at all counts as 0. `mark` is its letter in lower case.
fn parse_exponent(text: &[u8], mark: u8) -> Option<i64> {
    let Some((letter, rest)) = text.split_first() else {
        return Some(0);
    };
    if letter.to_ascii_lowercase() != mark {
        return None;
    }
    let (negative, digits) = match rest {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value =
        digits.iter().fold(0i64, |value, &digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    Some(if negative { -value } else { value })
}

fn split_digits(text: &[u8], is_digit: fn(&u8) -> bool) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|&byte| is_digit(byte)).count())
}

/// The value of a hexadecimal digit.
pub(super) fn hex_value(digit: u8) -> u64 {
    match digit {
        b'0'..=b'9' => u64::from(digit - b'0'),
        _ => u64::from((digit | 0x20).wrapping_sub(b'a' - 10)),
    }
}

/// `mantissa · 2^exponent`, rounded once, half to even; `sticky` says that the mantissa itself was cut.
fn scale(mantissa: u64, sticky: bool, exponent: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let zeros = mantissa.leading_zeros();
    let mantissa = u128::from(mantissa << zeros);
    let exponent = exponent.saturating_sub(i64::from(zeros));
    // The value lies in [2^magnitude, 2^(magnitude + 1)).
    let magnitude = exponent.saturating_add(63);
    if magnitude > 1023 {
        return f64::INFINITY;
    }
    if magnitude < -1075 {
        return 0.0;
    }
    // Subnormal numbers have fewer bits, down to none: then only rounding up can give something.
    let bits = (magnitude + 1075).min(53);
    let dropped = 64 - bits;
    let mut rounded = mantissa >> dropped;
    let rest = mantissa & ((1 << dropped) - 1);
    let half = 1u128 << (dropped - 1);
    if rest > half || (rest == half && (sticky || rounded & 1 == 1)) {
        rounded += 1;
    }
    // Both factors and their product are exact, but for overflow to infinity.
    rounded as f64 * power_of_two(exponent + dropped)
}

/// `2^exponent`, for exponents from -1074 to 1023.
fn power_of_two(exponent: i64) -> f64 {
    if exponent < -1022 {
        f64::from_bits(1 << (exponent + 1074))
    } else {
        f64::from_bits(((exponent + 1023) as u64) << 52)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(text: &str) -> i64 {
        match parse_number(text.as_bytes()) {
            Some(Number::Integer(value)) => value,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn float(text: &str) -> f64 {
        match parse_number(text.as_bytes()) {
            Some(Number::Float(value)) => value,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn decimal_integers_that_fit_stay_integers() {
        assert_eq!(integer("0"), 0);
        assert_eq!(integer(" \t\n\x0b\x0c\r12\r"), 12);
        assert_eq!(integer("+3"), 3);
        assert_eq!(integer("9223372036854775807"), i64::MAX);
        assert_eq!(integer("-9223372036854775808"), i64::MIN);
        assert_eq!(float("9223372036854775808"), 9_223_372_036_854_775_808.0);
        assert_eq!(float("-9223372036854775809"), -9_223_372_036_854_775_809.0);
    }

    #[test]
    fn hexadecimal_integers_wrap_around() {
        assert_eq!(integer("0xff"), 255);
        assert_eq!(integer("-0XfF"), -255);
        assert_eq!(integer("0xffffffffffffffff"), -1);
        assert_eq!(integer("0x1ffffffffffffffff"), -1);
        assert_eq!(integer("0x7fffffffffffffff"), i64::MAX);
        assert_eq!(integer("-0x8000000000000000"), i64::MIN);
    }

    #[test]
    fn floats_have_a_point_or_an_exponent() {
        assert_eq!(float("1."), 1.0);
        assert_eq!(float(".5"), 0.5);
        assert_eq!(float("3.25e-2"), 0.0325);
        assert_eq!(float("1E+2"), 100.0);
        assert_eq!(float("1e999"), f64::INFINITY);
        assert_eq!(float("1e-999"), 0.0);
        assert!(float("-0.0").is_sign_negative());
        assert!(float("-0x0p0").is_sign_negative());
        assert_eq!(float("1e99999999999999999999"), f64::INFINITY);
    }

    #[test]
    fn hexadecimal_floats_are_rounded_once() {
        assert_eq!(float("0x1p4"), 16.0);
        assert_eq!(float("0xA.8"), 10.5);
        assert_eq!(float("0x.1"), 0.0625);
        assert_eq!(float("0x1P-1"), 0.5);
        assert_eq!(float("0x1p-1074"), f64::from_bits(1));
        assert_eq!(float("0x1p-1075"), 0.0);
        assert_eq!(float("0x1.0000000000000000000000001p-1075"), f64::from_bits(1));
        assert_eq!(float("0x1.8p-1074"), f64::from_bits(2));
        assert_eq!(float("0x1.fffffffffffffp1023"), f64::MAX);
        assert_eq!(float("0x1.fffffffffffff8p1023"), f64::INFINITY);
        assert_eq!(float("0x1.00000000000008p0"), 1.0);
        assert_eq!(float("0x1.000000000000080000000000000001p0"), 1.0 + f64::EPSILON);
        assert_eq!(float("0x1.00000000000018p0"), 1.0 + 2.0 * f64::EPSILON);
        assert_eq!(float("0x0.fffffffffffffcp-1022"), f64::MIN_POSITIVE);
        assert_eq!(float(&format!("0x1{}p-4000", "0".repeat(1000))), 1.0);
        assert_eq!(float(&format!("0x0.{}1p4004", "0".repeat(1000))), 1.0);
        assert_eq!(float("0x1p99999999999999999999"), f64::INFINITY);
        assert_eq!(float("0x1p-99999999999999999999"), 0.0);
        assert_eq!(float("0x0p99999999999999999999"), 0.0);
    }

    #[test]
    fn without_integers_small_whole_numbers_are_exact_and_others_are_floats() {
        for (text, value) in [("0", 0), ("12", 12), ("9007199254740991", (1 << 53) - 1), ("0xff", 255), ("0X10", 16)] {
            assert_eq!(parse_numeral_of_floats(text.as_bytes()), Some(Number::Integer(value)), "{text}");
        }
        let floats = [
            ("1.0", 1.0),
            ("1e2", 100.0),
            ("9007199254740993", 9_007_199_254_740_992.0),
            ("0xffffffffffffffffff", 4_722_366_482_869_645_213_695.0),
        ];
        for (text, value) in floats {
            assert_eq!(parse_numeral_of_floats(text.as_bytes()), Some(Number::Float(value)), "{text}");
        }
        for text in ["0x", "0x1p4", "0xA.8", "1..2", "3in", "1e"] {
            assert_eq!(parse_numeral_of_floats(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_number() {
        let refused = "|  |+|-|- 1|--1|e5|.|.e1|1e|1e+|1e1.0|1..2|0x|0x.|0x.p1|0x1p|0x1p+|0x1.8.1|0xg|1f|inf|-inf|nan\
            |infinity|0x1e+1|1 2|1_000";
        for text in refused.split('|').chain(["1\0", "0x1\0", "1.5\0"]) {
            assert_eq!(parse_number(text.as_bytes()), None, "{text:?}");
        }
    }
}
