//! `string.pack`, `string.packsize` and `string.unpack` (manual §6.4.2).
//!
//! A format is read item by item ([`Format::next`]); what follows from an item alone (its size, its alignment, whether
//! it is well formed) is known before a value is looked at. Sizes are those of C on a 64-bit system, and the native
//! byte order is little-endian on every one, so that a script makes the same bytes everywhere.

use super::buffer::{Buffer, charge_bytes};
use super::{MAX_SIZE, ensure_results, start_position};
use crate::interpreter::{Call, NativeResult, Throw};
use crate::library::before_zero;
use crate::value::Value;

/// The largest size of an integer, in bytes.
const MAX_INTEGER: usize = 16;
/// What `!` alone aligns to: the strictest need of a basic type.
const NATIVE_ALIGNMENT: usize = 8;
const INTEGER_SIZE: usize = size_of::<i64>();
/// Characters of a format whose work counts as one step.
const CHARACTERS_PER_STEP: usize = 4;

/// What stands in an item's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Signed,
    Unsigned,
    /// An IEEE number of the item's size, 4 or 8.
    Float,
    /// `c`: a string of the item's size.
    Fixed,
    /// `s`: a string behind its length, which has the item's size.
    Counted,
    /// `z`: a string before a zero.
    Terminated,
    /// `x`: a byte without meaning.
    Padding,
    /// `X`: nothing but its alignment.
    Alignment,
    /// A setting, or a space.
    Nothing,
}

/// One item of a format.
struct Item {
    kind: Kind,
    /// Bytes that it takes whatever the value is.
    size: usize,
    /// Bytes before it that align it.
    padding: usize,
}

/// A format that is being read, with the settings so far.
struct Format<'a> {
    rest: &'a [u8],
    little_endian: bool,
    max_alignment: usize,
}

impl<'a> Format<'a> {
    /// The format ends at the first zero, as a string of C does.
    fn new(call: &mut Call<'_>, text: &'a [u8]) -> Result<Self, Throw> {
        let rest = before_zero(text);
        call.work((rest.len() / CHARACTERS_PER_STEP) as u64)?;
        Ok(Format { rest, little_endian: true, max_alignment: 1 })
    }

    /// The next item, which begins behind `offset` bytes; `None` at the end.
    fn next(&mut self, call: &mut Call<'_>, offset: usize) -> Result<Option<Item>, Throw> {
        let Some((kind, size)) = self.option(call)? else { return Ok(None) };
        let mut alignment = size;
        if kind == Kind::Alignment {
            alignment = match self.option(call)? {
                Some((kind, alignment @ 1..)) if kind != Kind::Fixed => alignment,
                _ => return Err(call.arg_error(0, "invalid next option for option 'X'")),
            };
        }
        let mut padding = 0;
        if alignment > 1 && kind != Kind::Fixed {
            alignment = alignment.min(self.max_alignment);
            if !alignment.is_power_of_two() {
                return Err(call.arg_error(0, "format asks for alignment not power of 2"));
            }
            padding = offset.wrapping_neg() & (alignment - 1);
        }
        Ok(Some(Item { kind, size, padding }))
    }

    /// Reads one option: what it is, and its size.
    fn option(&mut self, call: &mut Call<'_>) -> Result<Option<(Kind, usize)>, Throw> {
        let Some((&letter, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let option = match letter {
            b'b' => (Kind::Signed, 1),
            b'B' => (Kind::Unsigned, 1),
            b'h' => (Kind::Signed, 2),
            b'H' => (Kind::Unsigned, 2),
            b'i' => (Kind::Signed, self.integer_size(call, 4)?),
            b'I' => (Kind::Unsigned, self.integer_size(call, 4)?),
            b'l' | b'j' => (Kind::Signed, 8),
            b'L' | b'J' | b'T' => (Kind::Unsigned, 8),
            b'f' => (Kind::Float, 4),
            b'd' | b'n' => (Kind::Float, 8),
            b's' => (Kind::Counted, self.integer_size(call, 8)?),
            b'c' => match self.number() {
                Some(size) => (Kind::Fixed, size),
                None => return Err(call.error("missing size for format option 'c'")),
            },
            b'z' => (Kind::Terminated, 0),
            b'x' => (Kind::Padding, 1),
            b'X' => (Kind::Alignment, 0),
            setting => {
                match setting {
                    b' ' => {}
                    b'<' | b'=' => self.little_endian = true,
                    b'>' => self.little_endian = false,
                    b'!' => self.max_alignment = self.integer_size(call, NATIVE_ALIGNMENT)?,
                    _ => return Err(call.error([b"invalid format option '".as_slice(), &[letter], b"'"].concat())),
                }
                (Kind::Nothing, 0)
            }
        };
        Ok(Some(option))
    }

    /// The number that stands next, at most [`MAX_SIZE`]: digits that would make it larger are left.
    fn number(&mut self) -> Option<usize> {
        let mut number = None;
        while let [digit @ b'0'..=b'9', rest @ ..] = self.rest
            && number.is_none_or(|number| number <= (MAX_SIZE - 9) / 10)
        {
            number = Some(number.unwrap_or(0) * 10 + usize::from(digit - b'0'));
            self.rest = rest;
        }
        number
    }

    /// The size of an integer that stands next, or the default.
    fn integer_size(&mut self, call: &mut Call<'_>, default: usize) -> Result<usize, Throw> {
        match self.number().unwrap_or(default) {
            size @ 1..=MAX_INTEGER => Ok(size),
            size => Err(call.error(format!("integral size ({size}) out of limits [1,{MAX_INTEGER}]"))),
        }
    }
}

/// Adds an integer of two's complement in so many bytes; those beyond its own repeat `sign`.
fn pack_integer(
    call: &mut Call<'_>,
    out: &mut Buffer,
    format: &Format<'_>,
    size: usize,
    value: u64,
    sign: u8,
) -> Result<(), Throw> {
    let mut bytes = [sign; MAX_INTEGER];
    bytes[..INTEGER_SIZE].copy_from_slice(&value.to_le_bytes());
    append_ordered(call, out, format, &mut bytes[..size])
}

/// Adds the little-endian bytes of a number in the order of the format.
fn append_ordered(call: &mut Call<'_>, out: &mut Buffer, format: &Format<'_>, bytes: &mut [u8]) -> Result<(), Throw> {
    if !format.little_endian {
        bytes.reverse();
    }
    out.append(call, bytes)
}

/// `string.pack(fmt, v1, v2, …)`
pub(super) fn pack(call: &mut Call<'_>) -> NativeResult {
    let text = call.check_string(0)?;
    let mut format = Format::new(call, text.as_bytes())?;
    let mut out = Buffer::default();
    let mut arg = 0;
    while let Some(Item { kind, size, padding }) = format.next(call, out.len())? {
        out.append_zeros(call, padding)?;
        if matches!(kind, Kind::Padding | Kind::Alignment | Kind::Nothing) {
            out.append_zeros(call, size)?;
            continue;
        }
        arg += 1;
        if arg >= call.arg_count() {
            // In C a nil marks the end of the arguments.
            let expected =
                if matches!(kind, Kind::Signed | Kind::Unsigned | Kind::Float) { "number" } else { "string" };
            return Err(call.arg_error(arg, format!("{expected} expected, got nil")));
        }
        match kind {
            Kind::Signed => {
                let value = call.check_integer(arg)?;
                let sign = (value >> 63) as u8;
                if size < INTEGER_SIZE && value >> (8 * size - 1) != i64::from(sign as i8) {
                    return Err(call.arg_error(arg, "integer overflow"));
                }
                pack_integer(call, &mut out, &format, size, value as u64, sign)?;
            }
            Kind::Unsigned => {
                let value = call.check_integer(arg)? as u64;
                if size < INTEGER_SIZE && value >> (8 * size) != 0 {
                    return Err(call.arg_error(arg, "unsigned overflow"));
                }
                pack_integer(call, &mut out, &format, size, value, 0)?;
            }
            Kind::Float => {
                let value = call.check_float(arg)?;
                if size == size_of::<f32>() {
                    append_ordered(call, &mut out, &format, &mut (value as f32).to_le_bytes())?;
                } else {
                    append_ordered(call, &mut out, &format, &mut value.to_le_bytes())?;
                }
            }
            Kind::Fixed => {
                let string = call.check_string(arg)?;
                let bytes = string.as_bytes();
                if bytes.len() > size {
                    return Err(call.arg_error(arg, "string longer than given size"));
                }
                out.append(call, bytes)?;
                out.append_zeros(call, size - bytes.len())?;
            }
            Kind::Counted => {
                let string = call.check_string(arg)?;
                let bytes = string.as_bytes();
                if size < INTEGER_SIZE && bytes.len() >> (8 * size) != 0 {
                    return Err(call.arg_error(arg, "string length does not fit in given size"));
                }
                pack_integer(call, &mut out, &format, size, bytes.len() as u64, 0)?;
                out.append(call, bytes)?;
            }
            _ => {
                let string = call.check_string(arg)?;
                if string.as_bytes().contains(&0) {
                    return Err(call.arg_error(arg, "string contains zeros"));
                }
                out.append(call, string.as_bytes())?;
                out.push(call, 0)?;
            }
        }
    }
    out.finish(call)
}

/// `string.packsize(fmt)`
pub(super) fn packsize(call: &mut Call<'_>) -> NativeResult {
    let text = call.check_string(0)?;
    let mut format = Format::new(call, text.as_bytes())?;
    let mut total = 0;
    while let Some(Item { kind, size, padding }) = format.next(call, total)? {
        if matches!(kind, Kind::Counted | Kind::Terminated) {
            return Err(call.arg_error(0, "variable-length format"));
        }
        total += padding + size;
        if total > MAX_SIZE {
            return Err(call.arg_error(0, "format result too large"));
        }
    }
    call.ret(total as i64)
}

/// Reads an integer, which must fit into one of Lua.
fn unpack_integer(call: &mut Call<'_>, bytes: &[u8], little_endian: bool, signed: bool) -> Result<i64, Throw> {
    let mut number = [0; MAX_INTEGER];
    let number = &mut number[..bytes.len()];
    number.copy_from_slice(bytes);
    if !little_endian {
        number.reverse();
    }
    let (low, high) = number.split_at(bytes.len().min(INTEGER_SIZE));
    let negative = signed && low.last().is_some_and(|&top| top >= 0x80);
    let sign = if negative { 0xFF } else { 0 };
    if high.iter().any(|&byte| byte != sign) {
        return Err(call.error(format!("{}-byte integer does not fit into Lua Integer", bytes.len())));
    }
    let mut value = [sign; INTEGER_SIZE];
    value[..low.len()].copy_from_slice(low);
    Ok(i64::from_le_bytes(value))
}

/// The bytes of a number in little-endian order.
fn ordered<const N: usize>(bytes: &[u8], little_endian: bool) -> [u8; N] {
    let mut ordered = [0; N];
    ordered.copy_from_slice(bytes);
    if !little_endian {
        ordered.reverse();
    }
    ordered
}

/// `string.unpack(fmt, s [, pos])`
pub(super) fn unpack(call: &mut Call<'_>) -> NativeResult {
    let text = call.check_string(0)?;
    let string = call.check_string(1)?;
    let data = string.as_bytes();
    let mut at = start_position(call.opt_integer(2, 1)?, data.len()) - 1;
    if at > data.len() {
        return Err(call.arg_error(2, "initial position out of string"));
    }
    let mut format = Format::new(call, text.as_bytes())?;
    let mut count = 0;
    while let Some(Item { kind, size, padding }) = format.next(call, at)? {
        if padding + size > data.len() - at {
            return Err(call.arg_error(1, "data string too short"));
        }
        at += padding;
        let (bytes, rest) = data[at..].split_at(size);
        at += size;
        ensure_results(call, 2, "too many results")?;
        match kind {
            Kind::Signed | Kind::Unsigned => {
                let value = unpack_integer(call, bytes, format.little_endian, kind == Kind::Signed)?;
                call.push(Value::Integer(value));
            }
            Kind::Float if size == size_of::<f32>() => {
                let value = f32::from_le_bytes(ordered(bytes, format.little_endian));
                call.push(Value::Float(value.into()));
            }
            Kind::Float => call.push(Value::Float(f64::from_le_bytes(ordered(bytes, format.little_endian)))),
            Kind::Fixed => push_string(call, bytes)?,
            Kind::Counted => {
                let length = unpack_integer(call, bytes, format.little_endian, false)?;
                let Some(bytes) = usize::try_from(length).ok().and_then(|length| rest.get(..length)) else {
                    return Err(call.arg_error(1, "data string too short"));
                };
                at += bytes.len();
                push_string(call, bytes)?;
            }
            Kind::Terminated => {
                let Some(length) = rest.iter().position(|&byte| byte == 0) else {
                    return Err(call.arg_error(1, "unfinished string for format 'z'"));
                };
                at += length + 1;
                push_string(call, &rest[..length])?;
            }
            Kind::Padding | Kind::Alignment | Kind::Nothing => continue,
        }
        count += 1;
    }
    call.push(Value::Integer(at as i64 + 1));
    Ok(count + 1)
}

fn push_string(call: &mut Call<'_>, bytes: &[u8]) -> Result<(), Throw> {
    charge_bytes(call, bytes.len())?;
    call.ret_bytes(bytes).map(drop)
}
