//! `string.format`: the template, the rules on what each conversion accepts, and `%q`.

use super::buffer::Buffer;
use super::conversion::Specification;
use super::pattern::ESCAPE;
use crate::gc::Gc;
use crate::interpreter::{Call, NativeResult, Throw};
use crate::value::{Str, Value, hash_bytes};

/// What may stand between a `%` and its letter.
const MODIFIERS: &[u8] = b"-+#0 123456789.";
/// A specification must be shorter than this, letter included.
const MAX_SPECIFICATION: usize = 22;
/// No conversion but that of a string is longer: the longest is `%.99f` of a number with 309 digits before the point.
const MAX_CONVERTED: usize = 512;
/// A string this long is longer than any width, so it needs no padding.
const LONGER_THAN_WIDTH: usize = 100;

const FLOAT_FLAGS: &[u8] = b"-+#0 ";
const HEXADECIMAL_FLAGS: &[u8] = b"-#0";
const INTEGER_FLAGS: &[u8] = b"-+0 ";
const UNSIGNED_FLAGS: &[u8] = b"-0";
const TEXT_FLAGS: &[u8] = b"-";

/// `string.format(template, ...)`
pub(super) fn format(call: &mut Call<'_>) -> NativeResult {
    let template = call.check_string(0)?;
    let mut rest = template.as_bytes();
    let mut out = Buffer::default();
    let mut arg = 0;
    while let Some(at) = rest.iter().position(|&byte| byte == ESCAPE) {
        out.append(call, &rest[..at])?;
        rest = &rest[at + 1..];
        if let [ESCAPE, tail @ ..] = rest {
            out.push(call, ESCAPE)?;
            rest = tail;
            continue;
        }
        arg += 1;
        if arg >= call.arg_count() {
            return Err(call.arg_error(arg, "no value"));
        }
        let modifiers = rest.iter().take_while(|byte| MODIFIERS.contains(byte)).count();
        if modifiers + 1 >= MAX_SPECIFICATION {
            return Err(call.error("invalid format (too long)"));
        }
        let (specification, tail) = rest.split_at(rest.len().min(modifiers + 1));
        out.make_room(call, MAX_CONVERTED)?;
        convert(call, arg, specification, modifiers, &mut out)?;
        rest = tail;
    }
    out.append(call, rest)?;
    out.finish(call)
}

/// Writes one argument. The specification is what follows the `%`: so many modifiers, and then its letter, which
/// lacks at the end of the template.
fn convert(call: &mut Call<'_>, arg: usize, text: &[u8], modifiers: usize, out: &mut Buffer) -> Result<(), Throw> {
    let letter = text.get(modifiers).copied().unwrap_or(0);
    // In which order the argument and the specification are checked is PUC Lua's.
    match letter {
        b'c' => {
            let specification = parse(call, text, TEXT_FLAGS, false)?;
            let byte = call.check_integer(arg)? as u8;
            specification.text(&[byte], out.bytes_mut());
        }
        b'd' | b'i' | b'u' | b'o' | b'x' | b'X' => {
            let value = call.check_integer(arg)?;
            let flags = match letter {
                b'd' | b'i' => INTEGER_FLAGS,
                b'u' => UNSIGNED_FLAGS,
                _ => HEXADECIMAL_FLAGS,
            };
            parse(call, text, flags, true)?.integer(value, out.bytes_mut());
        }
        b'a' | b'A' => {
            let specification = parse(call, text, FLOAT_FLAGS, true)?;
            specification.float(call.check_float(arg)?, out.bytes_mut());
        }
        b'e' | b'E' | b'f' | b'g' | b'G' => {
            let value = call.check_float(arg)?;
            parse(call, text, FLOAT_FLAGS, true)?.float(value, out.bytes_mut());
        }
        b'p' => {
            let specification = parse(call, text, TEXT_FLAGS, false)?;
            let name = match identity(call.arg(arg)) {
                Some(number) => format!("0x{number:014x}"),
                None => "(null)".to_owned(),
            };
            specification.text(name.as_bytes(), out.bytes_mut());
        }
        b'q' if modifiers > 0 => return Err(call.error("specifier '%q' cannot have modifiers")),
        b'q' => quote(call, arg, out)?,
        b's' => {
            let string = call.to_string(call.arg(arg))?;
            if modifiers == 0 {
                return out.append(call, string.as_bytes());
            }
            convert_string(call, arg, text, string, out)?;
        }
        _ => {
            // The C function sees the end of a string in a zero.
            let shown = text.split(|&byte| byte == 0).next().unwrap_or_default();
            return Err(call.error([b"invalid conversion '%", shown, b"' to 'format'"].concat()));
        }
    }
    Ok(())
}

/// `%s` with modifiers.
fn convert_string(
    call: &mut Call<'_>,
    arg: usize,
    text: &[u8],
    string: Gc<Str>,
    out: &mut Buffer,
) -> Result<(), Throw> {
    let bytes = string.as_bytes();
    if bytes.contains(&0) {
        return Err(call.arg_error(arg, "string contains zeros"));
    }
    let specification = parse(call, text, TEXT_FLAGS, true)?;
    if !specification.has_precision() && bytes.len() >= LONGER_THAN_WIDTH {
        return out.append(call, bytes);
    }
    specification.text(bytes, out.bytes_mut());
    Ok(())
}

fn parse(call: &mut Call<'_>, text: &[u8], flags: &[u8], with_precision: bool) -> Result<Specification, Throw> {
    match Specification::parse(text, flags, with_precision) {
        Some(specification) => Ok(specification),
        None => Err(call.error([b"invalid conversion specification: '%", text, b"'"].concat())),
    }
}

/// What `%p` shows instead of an address, which would differ from run to run: the number that `tostring` shows.
fn identity(value: Value) -> Option<u64> {
    match value {
        Value::LightUserdata(number) => Some(number as u64),
        // It has no number. Those of objects have 32 bits.
        Value::Builtin(builtin) => Some(1 << 32 | u64::from(hash_bytes(builtin.name.as_bytes()))),
        other => other.object().map(|object| u64::from(object.id())),
    }
}

/// `%q`: a literal that reads back as the value.
fn quote(call: &mut Call<'_>, arg: usize, out: &mut Buffer) -> Result<(), Throw> {
    match call.arg(arg) {
        Value::String(string) => quote_string(call, string.as_bytes(), out),
        // Its decimal text would read back as a float.
        Value::Integer(i64::MIN) => out.append(call, b"0x8000000000000000"),
        Value::Float(value) => {
            let text = match value {
                f64::INFINITY => "1e9999",
                f64::NEG_INFINITY => "-1e9999",
                _ if value.is_nan() => "(0/0)",
                _ => {
                    parse(call, b"a", b"", false)?.float(value, out.bytes_mut());
                    return Ok(());
                }
            };
            out.append(call, text.as_bytes())
        }
        value @ (Value::Nil | Value::Boolean(_) | Value::Integer(_)) => {
            let text = call.to_string(value)?;
            out.append(call, text.as_bytes())
        }
        _ => Err(call.arg_error(arg, "value has no literal form")),
    }
}

fn quote_string(call: &mut Call<'_>, bytes: &[u8], out: &mut Buffer) -> Result<(), Throw> {
    let special = |byte: &u8| matches!(byte, b'"' | b'\\') || byte.is_ascii_control();
    let mut rest = bytes;
    out.push(call, b'"')?;
    while let Some(at) = rest.iter().position(special) {
        out.append(call, &rest[..at])?;
        let byte = rest[at];
        rest = &rest[at + 1..];
        match byte {
            b'"' | b'\\' | b'\n' => out.append(call, &[b'\\', byte])?,
            // A digit that follows must not be taken for one of the number's.
            _ if rest.first().is_some_and(u8::is_ascii_digit) => out.append(call, format!("\\{byte:03}").as_bytes())?,
            _ => out.append(call, format!("\\{byte}").as_bytes())?,
        }
    }
    out.append(call, rest)?;
    out.push(call, b'"')
}
