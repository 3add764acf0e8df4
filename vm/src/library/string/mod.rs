//! The `string` library (manual §6.4).
//!
//! Positions count bytes from 1, negative ones from the end; every function clips them to the string. Strings are
//! bytes in the `C` locale: only ASCII letters have a case.

mod arithmetic;
mod buffer;
mod conversion;
mod format;
mod pack;
mod pattern;
mod search;

pub(crate) use buffer::{Buffer, charge_bytes};

use crate::interpreter::{Builtin, Call, NativeResult, Throw, Vm};
use crate::library::{self, check_function, plain};
use crate::value::Value;

/// No string made by `rep` is longer (PUC Lua's `MAXSIZE`).
const MAX_SIZE: usize = i32::MAX as usize;
/// Results that need no check (PUC Lua's `LUA_MINSTACK`).
const NATIVE_SLOTS: usize = 20;

/// The functions of the library.
pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("byte", byte),
    plain("char", char),
    plain("dump", dump),
    plain("find", search::find),
    plain("format", format::format),
    plain("gmatch", search::gmatch),
    plain("gsub", search::gsub),
    plain("len", len),
    plain("lower", lower),
    plain("match", search::match_),
    plain("pack", pack::pack),
    plain("packsize", pack::packsize),
    plain("rep", rep),
    plain("reverse", reverse),
    plain("sub", sub),
    plain("unpack", pack::unpack),
    plain("upper", upper),
];

/// Makes the global `string` and the metatable of strings.
pub(crate) fn open(vm: &mut Vm) {
    let string = library::register(vm, "string", FUNCTIONS);
    let metatable = vm.heap.new_table();
    library::add_functions(vm, metatable, arithmetic::METAMETHODS);
    library::set_field(vm, metatable, "__index", Value::Table(string));
    vm.heap.metatables.string = Some(metatable);
}

/// Where a range begins that a script asked for: at least 1, perhaps behind the end.
fn start_position(position: i64, length: usize) -> usize {
    match usize::try_from(position) {
        Ok(position) => position.max(1),
        Err(_) => (length + 1).saturating_sub(position.unsigned_abs() as usize).max(1),
    }
}

/// Where such a range ends: from 0 to the length.
fn end_position(position: i64, length: usize) -> usize {
    match usize::try_from(position) {
        Ok(position) => position.min(length),
        Err(_) => (length + 1).saturating_sub(position.unsigned_abs() as usize),
    }
}

/// Makes room for so many results, of a function that makes one for each byte of a slice.
pub(crate) fn reserve_results(call: &mut Call<'_>, count: usize) -> Result<(), Throw> {
    if count <= NATIVE_SLOTS {
        return Ok(());
    }
    ensure_results(call, count, "string slice too long")?;
    charge_bytes(call, count)
}

/// Makes room for so many more results, or fails with a stack overflow that says why.
fn ensure_results(call: &mut Call<'_>, count: usize, complaint: &str) -> Result<(), Throw> {
    let vm = call.vm();
    let top = vm.top();
    if count >= vm.options().stack_limit.saturating_sub(top) {
        return Err(call.error(format!("stack overflow ({complaint})")));
    }
    vm.ensure_stack(top, count)
}

/// `string.byte(s [, i [, j]])`
fn byte(call: &mut Call<'_>) -> NativeResult {
    let string = call.check_string(0)?;
    let bytes = string.as_bytes();
    let first = call.opt_integer(1, 1)?;
    let start = start_position(first, bytes.len());
    let end = end_position(call.opt_integer(2, first)?, bytes.len());
    if start > end {
        return Ok(0);
    }
    let slice = &bytes[start - 1..end];
    if slice.len() > MAX_SIZE {
        return Err(call.error("string slice too long"));
    }
    reserve_results(call, slice.len())?;
    for &byte in slice {
        call.push(Value::Integer(i64::from(byte)));
    }
    Ok(slice.len())
}

/// `string.char(...)`
fn char(call: &mut Call<'_>) -> NativeResult {
    let mut out = Buffer::default();
    for index in 0..call.arg_count() {
        match u8::try_from(call.check_integer(index)?) {
            Ok(byte) => out.push(call, byte)?,
            Err(_) => return Err(call.arg_error(index, "value out of range")),
        }
    }
    out.finish(call)
}

/// `string.dump(function [, strip])`
fn dump(call: &mut Call<'_>) -> NativeResult {
    let strip = !call.arg(1).is_falsy();
    let closure = match check_function(call, 0)? {
        Value::Closure(closure) => closure,
        _ => return Err(call.error("unable to dump given function")),
    };
    let chunk = closure.prototype.get().template().dump(strip);
    charge_bytes(call, chunk.len())?;
    call.ret_bytes(&chunk)
}

/// `string.len(s)`
fn len(call: &mut Call<'_>) -> NativeResult {
    let string = call.check_string(0)?;
    call.ret(string.as_bytes().len() as i64)
}

/// `string.lower(s)`
fn lower(call: &mut Call<'_>) -> NativeResult {
    map(call, <[u8]>::make_ascii_lowercase)
}

/// `string.upper(s)`
fn upper(call: &mut Call<'_>) -> NativeResult {
    map(call, <[u8]>::make_ascii_uppercase)
}

/// `string.reverse(s)`
fn reverse(call: &mut Call<'_>) -> NativeResult {
    map(call, <[u8]>::reverse)
}

/// The string that a change of the first argument's bytes makes.
fn map(call: &mut Call<'_>, change: fn(&mut [u8])) -> NativeResult {
    let string = call.check_string(0)?;
    let mut out = Buffer::default();
    out.append(call, string.as_bytes())?;
    change(out.bytes_mut());
    out.finish(call)
}

/// `string.rep(s, n [, sep])`
fn rep(call: &mut Call<'_>) -> NativeResult {
    let string = call.check_string(0)?;
    let times = call.check_integer(1)?;
    let separator = call.opt_string(2)?;
    let (bytes, separator) = (string.as_bytes(), separator.as_ref().map_or(&[][..], |string| string.as_bytes()));
    let Ok(times @ 1..) = usize::try_from(times) else {
        return call.ret_bytes(b"");
    };
    let unit = bytes.len() + separator.len();
    if unit > MAX_SIZE / times {
        return Err(call.error("resulting string too large"));
    }
    let total = unit * times - separator.len();
    call.reserve(total)?;
    charge_bytes(call, total)?;
    let mut out = Vec::with_capacity(total);
    out.extend_from_slice(bytes);
    // Where there is nothing to repeat it may be very often.
    if unit > 0 {
        for _ in 1..times {
            out.extend_from_slice(separator);
            out.extend_from_slice(bytes);
        }
    }
    call.ret_bytes(&out)
}

/// `string.sub(s, i [, j])`
fn sub(call: &mut Call<'_>) -> NativeResult {
    let string = call.check_string(0)?;
    let bytes = string.as_bytes();
    let start = start_position(call.check_integer(1)?, bytes.len());
    let end = end_position(call.opt_integer(2, -1)?, bytes.len());
    let slice = if start > end { &[][..] } else { &bytes[start - 1..end] };
    charge_bytes(call, slice.len())?;
    call.ret_bytes(slice)
}

#[cfg(test)]
mod tests;
