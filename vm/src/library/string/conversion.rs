//! The conversions of C's `printf`, free of the VM: what `%5.2f` makes of a number.
//!
//! `string.format` is defined by the C function (C11 §7.21.6.1), and this gives the same bytes as glibc's in the
//! `C` locale; but for `%#g` of a number that is rounded up to a power of ten, where glibc drops the zeros that
//! the standard keeps. Rust's own formatting is exact for any number of decimals, so the digits come from there.

use crate::value::format_g;

/// One conversion specification, such as `%-5.2f`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Specification {
    /// `-`: pad on the right.
    left: bool,
    /// `+`: a sign always.
    plus: bool,
    /// A space where a sign would be.
    space: bool,
    /// `#`: the alternate form.
    alternate: bool,
    /// `0`: pad with zeros.
    zero: bool,
    width: usize,
    precision: Option<usize>,
    /// The letter at the end.
    conversion: u8,
}

impl Specification {
    /// Reads what follows the `%`, up to and with the letter. `None` if there is more than the flags that are
    /// allowed, two digits of width and, where it is allowed, a precision of two digits.
    pub(super) fn parse(text: &[u8], allowed_flags: &[u8], with_precision: bool) -> Option<Specification> {
        let mut specification = Specification::default();
        let mut rest = text;
        while let [flag, tail @ ..] = rest
            && allowed_flags.contains(flag)
        {
            match flag {
                b'-' => specification.left = true,
                b'+' => specification.plus = true,
                b' ' => specification.space = true,
                b'#' => specification.alternate = true,
                _ => specification.zero = true,
            }
            rest = tail;
        }
        // A width cannot begin with 0: where that is no flag, it is an error.
        if rest.first() != Some(&b'0') {
            (specification.width, rest) = two_digits(rest);
            if let [b'.', tail @ ..] = rest
                && with_precision
            {
                let precision;
                (precision, rest) = two_digits(tail);
                specification.precision = Some(precision);
            }
        }
        match rest {
            &[letter] if letter.is_ascii_alphabetic() => {
                specification.conversion = letter;
                Some(specification)
            }
            _ => None,
        }
    }

    /// Whether there is a precision.
    pub(super) fn has_precision(&self) -> bool {
        self.precision.is_some()
    }

    /// `%s`, `%c`, `%p`: bytes, cut to the precision.
    pub(super) fn text(&self, text: &[u8], out: &mut Vec<u8>) {
        let length = self.precision.map_or(text.len(), |precision| precision.min(text.len()));
        self.pad(b"", &text[..length], false, out);
    }

    /// `%d`, `%i`, `%u`, `%o`, `%x`, `%X`
    pub(super) fn integer(&self, value: i64, out: &mut Vec<u8>) {
        let unsigned = value as u64;
        let (prefix, mut digits) = match self.conversion {
            b'd' | b'i' => (self.sign(value < 0), value.unsigned_abs().to_string()),
            b'o' => ("", format!("{unsigned:o}")),
            b'x' => (if self.alternate && value != 0 { "0x" } else { "" }, format!("{unsigned:x}")),
            b'X' => (if self.alternate && value != 0 { "0X" } else { "" }, format!("{unsigned:X}")),
            _ => ("", unsigned.to_string()),
        };
        if let Some(precision) = self.precision {
            if value == 0 {
                digits.clear();
            }
            digits.insert_str(0, &"0".repeat(precision.saturating_sub(digits.len())));
        }
        if self.conversion == b'o' && self.alternate && !digits.starts_with('0') {
            digits.insert(0, '0');
        }
        self.pad(prefix.as_bytes(), digits.as_bytes(), self.precision.is_none(), out);
    }

    /// `%a`, `%e`, `%f`, `%g` and those in upper case.
    pub(super) fn float(&self, value: f64, out: &mut Vec<u8>) {
        let mut prefix = self.sign(value.is_sign_negative()).as_bytes().to_vec();
        let magnitude = value.abs();
        let mut body = Vec::new();
        if value.is_nan() {
            body.extend_from_slice(b"nan");
        } else if value.is_infinite() {
            body.extend_from_slice(b"inf");
        } else {
            match self.conversion.to_ascii_lowercase() {
                b'a' => {
                    prefix.extend_from_slice(b"0x");
                    self.hexadecimal(magnitude, &mut body);
                }
                b'e' => self.scientific(magnitude, &mut body),
                b'f' => {
                    let precision = self.precision.unwrap_or(6);
                    body.extend_from_slice(format!("{magnitude:.precision$}").as_bytes());
                    if self.alternate && precision == 0 {
                        body.push(b'.');
                    }
                }
                _ => format_g(magnitude, self.precision.unwrap_or(6), self.alternate, &mut body),
            }
        }
        if self.conversion.is_ascii_uppercase() {
            prefix.make_ascii_uppercase();
            body.make_ascii_uppercase();
        }
        self.pad(&prefix, &body, value.is_finite(), out);
    }

    fn scientific(&self, magnitude: f64, out: &mut Vec<u8>) {
        let precision = self.precision.unwrap_or(6);
        let text = format!("{magnitude:.precision$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        out.extend_from_slice(mantissa.as_bytes());
        if self.alternate && precision == 0 {
            out.push(b'.');
        }
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(exponent) => ('-', exponent),
            None => ('+', exponent),
        };
        out.extend_from_slice(format!("e{sign}{exponent:0>2}").as_bytes());
    }

    /// `%a` of a finite number that is not negative, without its `0x`.
    fn hexadecimal(&self, magnitude: f64, out: &mut Vec<u8>) {
        const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
        const FRACTION_DIGITS: usize = FRACTION_BITS as usize / 4;
        let bits = magnitude.to_bits();
        let fraction = bits & ((1 << FRACTION_BITS) - 1);
        let (exponent, mut mantissa) = match (bits >> FRACTION_BITS) as i64 {
            0 if fraction == 0 => (0, 0),
            // Subnormal numbers keep the exponent and begin with 0.
            0 => (-1022, fraction),
            biased => (biased - 1023, fraction | 1 << FRACTION_BITS),
        };
        let mut digits = FRACTION_DIGITS;
        match self.precision {
            Some(precision) if precision < FRACTION_DIGITS => {
                let dropped = 4 * (FRACTION_DIGITS - precision);
                let rest = mantissa & ((1 << dropped) - 1);
                let half = 1 << (dropped - 1);
                mantissa >>= dropped;
                if rest > half || (rest == half && mantissa & 1 == 1) {
                    mantissa += 1;
                }
                digits = precision;
            }
            Some(_) => {}
            None => {
                while digits > 0 && mantissa & 0xF == 0 {
                    mantissa >>= 4;
                    digits -= 1;
                }
            }
        }
        out.extend_from_slice(format!("{:x}", mantissa >> (4 * digits)).as_bytes());
        let wanted = self.precision.unwrap_or(digits);
        if wanted > 0 || self.alternate {
            out.push(b'.');
        }
        if digits > 0 {
            let fraction = mantissa & ((1 << (4 * digits)) - 1);
            out.extend_from_slice(format!("{fraction:0digits$x}").as_bytes());
        }
        out.resize(out.len() + wanted - digits, b'0');
        out.extend_from_slice(format!("p{exponent:+}").as_bytes());
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            (false, false, false) => "",
        }
    }

    /// Fills up to the width: on the right, or with zeros after the prefix, or on the left.
    fn pad(&self, prefix: &[u8], body: &[u8], zeros_allowed: bool, out: &mut Vec<u8>) {
        let fill = self.width.saturating_sub(prefix.len() + body.len());
        let (before, zeros, after) = match (self.left, self.zero && zeros_allowed) {
            (true, _) => (0, 0, fill),
            (false, true) => (0, fill, 0),
            (false, false) => (fill, 0, 0),
        };
        out.resize(out.len() + before, b' ');
        out.extend_from_slice(prefix);
        out.resize(out.len() + zeros, b'0');
        out.extend_from_slice(body);
        out.resize(out.len() + after, b' ');
    }
}

/// The number that up to two digits say, and what follows them.
fn two_digits(text: &[u8]) -> (usize, &[u8]) {
    let count = text.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    (digits.iter().fold(0, |value, &digit| value * 10 + usize::from(digit - b'0')), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specification(text: &str) -> Specification {
        Specification::parse(text.as_bytes(), b"-+#0 ", true).unwrap()
    }

    fn integer(text: &str, value: i64) -> String {
        let mut out = Vec::new();
        specification(text).integer(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn float(text: &str, value: f64) -> String {
        let mut out = Vec::new();
        specification(text).float(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn text(format: &str, value: &str) -> String {
        let mut out = Vec::new();
        specification(format).text(value.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn specifications_are_short_and_use_allowed_flags_only() {
        let parse = |text: &str, flags: &str, precision| {
            Specification::parse(text.as_bytes(), flags.as_bytes(), precision).is_some()
        };
        assert!(parse("-+#0 10.20f", "-+#0 ", true));
        assert!(parse("--5s", "-", true));
        assert!(parse(".f", "", true));
        assert!(!parse("05s", "-", true));
        assert!(!parse("+c", "-", false));
        assert!(!parse("5.2c", "-", false));
        assert!(!parse("123d", "", true));
        assert!(!parse("1.123d", "", true));
        assert!(!parse("1.2.3d", "", true));
        assert!(!parse("5", "", true));
    }

    #[test]
    fn text_is_padded_and_cut() {
        assert_eq!(text("5s", "ab"), "   ab");
        assert_eq!(text("-5s", "ab"), "ab   ");
        assert_eq!(text(".1s", "ab"), "a");
        assert_eq!(text("4.9s", "ab"), "  ab");
        assert_eq!(text(".s", "ab"), "");
    }

    #[test]
    fn integers_have_signs_precision_and_prefixes() {
        assert_eq!(integer("5d", -42), "  -42");
        assert_eq!(integer("05d", -42), "-0042");
        assert_eq!(integer("-05d", -42), "-42  ");
        assert_eq!(integer("+d", 42), "+42");
        assert_eq!(integer(" d", 42), " 42");
        assert_eq!(integer("08.3d", 7), "     007");
        assert_eq!(integer(".0d", 0), "");
        assert_eq!(integer("+.0d", 0), "+");
        assert_eq!(integer("d", i64::MIN), "-9223372036854775808");
        assert_eq!(integer("u", -1), "18446744073709551615");
        assert_eq!(integer("x", -1), "ffffffffffffffff");
        assert_eq!(integer("#x", 255), "0xff");
        assert_eq!(integer("#X", 255), "0XFF");
        assert_eq!(integer("#x", 0), "0");
        assert_eq!(integer("#08x", 255), "0x0000ff");
        assert_eq!(integer("o", 8), "10");
        assert_eq!(integer("#o", 8), "010");
        assert_eq!(integer("#.0o", 0), "0");
        assert_eq!(integer("#.4o", 8), "0010");
    }

    #[test]
    fn floats_are_written_as_in_c() {
        assert_eq!(float("f", 0.1), "0.100000");
        assert_eq!(float(".0f", 0.5), "0");
        assert_eq!(float(".0f", 1.5), "2");
        assert_eq!(float(".2f", 2.675), "2.67");
        assert_eq!(float("#.0f", 1.0), "1.");
        assert_eq!(float("010.3f", -1.0), "-00001.000");
        assert_eq!(float(".20f", 0.1), "0.10000000000000000555");
        assert_eq!(float("f", 1e22), "10000000000000000000000.000000");
        assert_eq!(float("e", 0.0), "0.000000e+00");
        assert_eq!(float(".3e", -12345.678), "-1.235e+04");
        assert_eq!(float("#.0e", 1e100), "1.e+100");
        assert_eq!(float("E", 1e-7), "1.000000E-07");
        assert_eq!(float("g", 100000.0), "100000");
        assert_eq!(float("g", 1000000.0), "1e+06");
        assert_eq!(float("g", 0.0001), "0.0001");
        assert_eq!(float("g", 0.00001), "1e-05");
        assert_eq!(float("#g", 1.0), "1.00000");
        assert_eq!(float(".0g", 15.0), "2e+01");
        assert_eq!(float("#.0g", 5.0), "5.");
        assert_eq!(float(".17g", 0.1), "0.10000000000000001");
        assert_eq!(float("G", 1e-10), "1E-10");
        assert_eq!(float("+g", -0.0), "-0");
    }

    #[test]
    fn floats_that_are_no_numbers_are_not_filled_with_zeros() {
        assert_eq!(float("05f", f64::INFINITY), "  inf");
        assert_eq!(float("+E", f64::INFINITY), "+INF");
        assert_eq!(float("-6g", f64::NEG_INFINITY), "-inf  ");
        assert_eq!(float("A", f64::NAN.copysign(1.0)), "NAN");
        assert_eq!(float("a", f64::NAN.copysign(-1.0)), "-nan");
    }

    #[test]
    fn hexadecimal_floats_are_rounded_half_to_even() {
        assert_eq!(float("a", 1.0), "0x1p+0");
        assert_eq!(float("a", 0.1), "0x1.999999999999ap-4");
        assert_eq!(float("A", -0.5), "-0X1P-1");
        assert_eq!(float("a", 0.0), "0x0p+0");
        assert_eq!(float(".3a", 0.0), "0x0.000p+0");
        assert_eq!(float("a", f64::from_bits(1)), "0x0.0000000000001p-1022");
        assert_eq!(float(".0a", 1.5), "0x2p+0");
        assert_eq!(float(".0a", 1.25), "0x1p+0");
        assert_eq!(float(".1a", 1.97), "0x2.0p+0");
        assert_eq!(float(".15a", 1.5), "0x1.800000000000000p+0");
        assert_eq!(float("#.0a", 1.0), "0x1.p+0");
        assert_eq!(float("020a", -1.5), "-0x000000000001.8p+0");
    }
}
