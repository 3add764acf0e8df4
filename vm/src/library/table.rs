//! Tables (manual §6.6).
//!
//! All functions respect metamethods. A table without a metatable is read and written directly, which calls nothing; all
//! else may call Lua, so a value that is needed after such a call is pushed.

use super::{check_function, plain, register};
use crate::gc::Site;
use crate::interpreter::{Builtin, Call, NativeResult, Throw, Vm};
use crate::value::{Metamethod, Value, format_number};

pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("concat", concat),
    plain("insert", insert),
    plain("pack", pack),
    plain("unpack", unpack),
    plain("remove", remove),
    plain("move", move_),
    plain("sort", sort),
];

pub(crate) fn open(vm: &mut Vm) {
    register(vm, "table", FUNCTIONS);
}

// Access.

/// The metamethods that let another object stand for a table.
const READ: &[Metamethod] = &[Metamethod::Index];
const WRITE: &[Metamethod] = &[Metamethod::NewIndex];
const READ_LENGTH: &[Metamethod] = &[Metamethod::Index, Metamethod::Len];
const READ_WRITE_LENGTH: &[Metamethod] = &[Metamethod::Index, Metamethod::NewIndex, Metamethod::Len];

/// An argument that is a table, or has the metamethods to stand for one.
fn check_tablelike(call: &mut Call<'_>, index: usize, needed: &[Metamethod]) -> Result<(), Throw> {
    let value = call.arg(index);
    if let Value::Table(_) = value {
        return Ok(());
    }
    let heap = &call.vm.heap;
    match heap.metatable_of(value) {
        Some(metatable) if needed.iter().all(|&event| !heap.metamethod_in(metatable, event).is_nil()) => Ok(()),
        _ => Err(call.type_error(index, "table")),
    }
}

/// The length of the first argument.
fn length(call: &mut Call<'_>, needed: &[Metamethod]) -> Result<i64, Throw> {
    check_tablelike(call, 0, needed)?;
    match call.arg(0) {
        Value::Table(table) if table.metatable.get().is_none() => Ok(table.length()),
        object => call.length(object),
    }
}

#[inline(always)]
fn get(call: &mut Call<'_>, object: Value, index: i64) -> Result<Value, Throw> {
    if let Value::Table(table) = object {
        let value = table.get_integer(index);
        if !value.is_nil() || table.metatable.get().is_none() {
            return Ok(value);
        }
    }
    call.index(object, Value::Integer(index))
}

#[inline(always)]
fn set(call: &mut Call<'_>, object: Value, index: i64, value: Value) -> Result<(), Throw> {
    if let Value::Table(table) = object
        && table.metatable.get().is_none()
        && let Some(slot) = table.find_item(index)
    {
        call.heap().table_replace(Site::TableStore, table, slot, &value);
        return Ok(());
    }
    set_elsewhere(call, object, index, value)
}

/// Sets an item that is not in the array part, or may have a metamethod.
fn set_elsewhere(call: &mut Call<'_>, object: Value, index: i64, value: Value) -> Result<(), Throw> {
    match object {
        Value::Table(table) if table.metatable.get().is_none() => {
            // A loop in a native function meets no other check while the table grows.
            call.reserve(256)?;
            call.raw_set(table, Value::Integer(index), value)
        }
        object => call.set_index(object, Value::Integer(index), value),
    }
}

/// Reads a value and pushes it.
#[inline(always)]
fn fetch(call: &mut Call<'_>, index: u32) -> Result<Value, Throw> {
    let object = call.arg(0);
    let value = get(call, object, index.into())?;
    call.push(value);
    Ok(value)
}

fn copy(call: &mut Call<'_>, from: (Value, i64), to: (Value, i64)) -> Result<(), Throw> {
    call.vm.charge(1)?;
    let value = get(call, from.0, from.1)?;
    set(call, to.0, to.1, value)
}

/// Copies `count` items that begin at `from` to where `to` is, the last one first where `backwards`.
fn copy_items(
    call: &mut Call<'_>,
    from: (Value, i64),
    to: (Value, i64),
    count: i64,
    backwards: bool,
) -> Result<(), Throw> {
    if let (Value::Table(source), Value::Table(target)) = (from.0, to.0)
        && source == target
        && source.metatable.get().is_none()
        && source.array_has(from.1, count)
        && source.array_has(to.1, count)
        && backwards == (from.1 < to.1)
    {
        call.vm.charge(count as u64)?;
        call.heap().table_move(source, from.1 as usize - 1, to.1 as usize - 1, count as usize);
        return Ok(());
    }
    for nth in 0..count {
        let offset = if backwards { count - 1 - nth } else { nth };
        copy(call, (from.0, from.1 + offset), (to.0, to.1 + offset))?;
    }
    Ok(())
}

// Functions.

fn insert(call: &mut Call<'_>) -> NativeResult {
    let end = length(call, READ_WRITE_LENGTH)?.wrapping_add(1);
    let table = call.arg(0);
    match call.arg_count() {
        2 => {
            let value = call.arg(1);
            set(call, table, end, value)?;
        }
        3 => {
            let position = call.check_integer(1)?;
            if (position as u64).wrapping_sub(1) >= end as u64 {
                return Err(call.arg_error(1, "position out of bounds"));
            }
            if end > position {
                // The last one first, which may make the array part larger: the others are then inside it.
                copy(call, (table, end - 1), (table, end))?;
                copy_items(call, (table, position), (table, position + 1), end - 1 - position, true)?;
            }
            let value = call.arg(2);
            set(call, table, position, value)?;
        }
        _ => return Err(call.error("wrong number of arguments to 'insert'")),
    }
    Ok(0)
}

fn remove(call: &mut Call<'_>) -> NativeResult {
    let size = length(call, READ_WRITE_LENGTH)?;
    let mut position = call.opt_integer(1, size)?;
    if position != size && (position as u64).wrapping_sub(1) > size as u64 {
        return Err(call.arg_error(1, "position out of bounds"));
    }
    let table = call.arg(0);
    let removed = get(call, table, position)?;
    call.push(removed);
    if position < size {
        copy_items(call, (table, position + 1), (table, position), size - position, false)?;
        position = size;
    }
    set(call, table, position, Value::Nil)?;
    Ok(1)
}

fn move_(call: &mut Call<'_>) -> NativeResult {
    let first = call.check_integer(1)?;
    let last = call.check_integer(2)?;
    let target = call.check_integer(3)?;
    let destination = if call.arg(4).is_nil() { 0 } else { 4 };
    check_tablelike(call, 0, READ)?;
    check_tablelike(call, destination, WRITE)?;
    let (from, to) = (call.arg(0), call.arg(destination));
    if last >= first {
        if first <= 0 && last >= i64::MAX.wrapping_add(first) {
            return Err(call.arg_error(2, "too many elements to move"));
        }
        let count = last - first + 1;
        if target > i64::MAX - count + 1 {
            return Err(call.arg_error(3, "destination wrap around"));
        }
        let apart = target > last || target <= first;
        let backwards = !(apart || (destination != 0 && !call.equals(from, to)?));
        copy_items(call, (from, first), (to, target), count, backwards)?;
    }
    call.ret(to)
}

fn concat(call: &mut Call<'_>) -> NativeResult {
    let length = length(call, READ_LENGTH)?;
    let separator = call.opt_string(1)?;
    let first = call.opt_integer(2, 1)?;
    let last = call.opt_integer(3, length)?;
    let separator = separator.as_ref().map_or(b"".as_slice(), |separator| separator.as_bytes());
    let table = call.arg(0);
    let mut text = Vec::new();
    let mut index = first;
    while index <= last {
        call.vm.charge(1)?;
        match get(call, table, index)? {
            Value::String(string) => {
                call.reserve(text.len() + string.as_bytes().len() + separator.len())?;
                text.extend_from_slice(string.as_bytes());
            }
            number @ (Value::Integer(_) | Value::Float(_)) => {
                call.reserve(text.len() + separator.len())?;
                format_number(number, &mut text);
            }
            other => {
                let message = format!("invalid value ({}) at index {index} in table for 'concat'", other.type_name());
                return Err(call.error(message));
            }
        }
        if index == last {
            break;
        }
        text.extend_from_slice(separator);
        index += 1;
    }
    call.ret_bytes(&text)
}

fn pack(call: &mut Call<'_>) -> NativeResult {
    let count = call.arg_count();
    call.reserve(count * size_of::<Value>())?;
    let table = call.new_table();
    call.heap().table_resize(table, count, 1);
    for index in 0..count {
        let value = call.arg(index);
        call.raw_set(table, Value::Integer(index as i64 + 1), value)?;
    }
    call.set_field(table, "n", Value::Integer(count as i64));
    call.ret(table)
}

fn unpack(call: &mut Call<'_>) -> NativeResult {
    let table = call.arg(0);
    let first = call.opt_integer(1, 1)?;
    let last = if call.arg(2).is_nil() { call.length(table)? } else { call.check_integer(2)? };
    if first > last {
        return Ok(0);
    }
    // One less than the number of results, which may be 2^64.
    let distance = last.wrapping_sub(first) as u64;
    let top = call.vm.top();
    let room = call.vm.options.stack_limit.saturating_sub(top) as u64;
    if distance >= i32::MAX as u64 || distance >= room {
        return Err(call.error("too many results to unpack"));
    }
    let count = distance as usize + 1;
    call.vm.charge(count as u64)?;
    call.vm.ensure_stack(top, count)?;
    for offset in 0..count {
        let value = get(call, table, first.wrapping_add(offset as i64))?;
        call.push(value);
    }
    Ok(count)
}

// Sorting: the quicksort of PUC Lua, since which comparisons are made, and when an order function is found out to be
// inconsistent, can be seen by a script.

/// Intervals longer than this may choose a pivot away from the middle.
const LARGE: u32 = 100;
/// What stands for a random number once a partition was badly out of balance.
const PIVOT_SEED: u32 = 0x9E37_79B9;

fn sort(call: &mut Call<'_>) -> NativeResult {
    let count = length(call, READ_WRITE_LENGTH)?;
    if count > 1 {
        if count >= i32::MAX.into() {
            return Err(call.arg_error(0, "array too big"));
        }
        if !call.arg(1).is_nil() {
            check_function(call, 1)?;
        }
        quicksort(call, 1, count as u32, 0)?;
    }
    Ok(0)
}

/// Whether `a` comes before `b`. Both are pushed already.
#[inline(always)]
fn comes_before(call: &mut Call<'_>, a: Value, b: Value) -> Result<bool, Throw> {
    call.vm.charge(1)?;
    match (call.arg(1), a, b) {
        (Value::Nil, Value::Integer(a), Value::Integer(b)) => Ok(a < b),
        (Value::Nil, ..) => call.less_than(a, b),
        (order, ..) => Ok(!call.call1(order, &[a, b])?.is_falsy()),
    }
}

#[inline(always)]
fn store(call: &mut Call<'_>, index: u32, value: Value) -> Result<(), Throw> {
    let object = call.arg(0);
    set(call, object, index.into(), value)
}

fn drop_pushed(call: &mut Call<'_>, count: usize) {
    let top = call.vm.top();
    call.vm.set_top(top - count);
}

/// Sorts the items from `low` to `high`, both included. The depth of recursion is logarithmic, since the longer part is
/// done by the loop.
fn quicksort(call: &mut Call<'_>, mut low: u32, mut high: u32, mut random: u32) -> Result<(), Throw> {
    while low < high {
        let a = fetch(call, low)?;
        let b = fetch(call, high)?;
        if comes_before(call, b, a)? {
            store(call, low, b)?;
            store(call, high, a)?;
        }
        drop_pushed(call, 2);
        if high - low == 1 {
            return Ok(());
        }
        let middle = if high - low < LARGE || random == 0 {
            low + (high - low) / 2
        } else {
            let quarter = (high - low) / 4;
            random % (quarter * 2) + low + quarter
        };
        let pivot = fetch(call, middle)?;
        let a = fetch(call, low)?;
        if comes_before(call, pivot, a)? {
            store(call, middle, a)?;
            store(call, low, pivot)?;
        } else {
            call.pop();
            let b = fetch(call, high)?;
            if comes_before(call, b, pivot)? {
                store(call, middle, b)?;
                store(call, high, pivot)?;
            }
        }
        drop_pushed(call, 2);
        if high - low == 2 {
            return Ok(());
        }
        let pivot = fetch(call, middle)?;
        let last = fetch(call, high - 1)?;
        store(call, middle, last)?;
        store(call, high - 1, pivot)?;
        call.pop();
        let place = partition(call, low, high, pivot)?;
        call.pop();
        let shorter = if place - low < high - place {
            quicksort(call, low, place - 1, random)?;
            let shorter = place - low;
            low = place + 1;
            shorter
        } else {
            quicksort(call, place + 1, high, random)?;
            let shorter = high - place;
            high = place - 1;
            shorter
        };
        if high.wrapping_sub(low) / 128 > shorter {
            random = PIVOT_SEED;
        }
    }
    Ok(())
}

/// Puts what is less than the pivot before it and what is greater behind it; gives the pivot's place. The pivot is pushed,
/// and stands at `high - 1`; the item at `low` is not greater, that at `high` not less.
fn partition(call: &mut Call<'_>, low: u32, high: u32, pivot: Value) -> Result<u32, Throw> {
    let (mut i, mut j) = (low, high - 1);
    loop {
        i += 1;
        let mut left = fetch(call, i)?;
        while comes_before(call, left, pivot)? {
            if i == high - 1 {
                return Err(call.error("invalid order function for sorting"));
            }
            call.pop();
            i += 1;
            left = fetch(call, i)?;
        }
        j -= 1;
        let mut right = fetch(call, j)?;
        while comes_before(call, pivot, right)? {
            if j < i {
                return Err(call.error("invalid order function for sorting"));
            }
            call.pop();
            j -= 1;
            right = fetch(call, j)?;
        }
        if j < i {
            store(call, high - 1, left)?;
            store(call, i, pivot)?;
            drop_pushed(call, 2);
            return Ok(i);
        }
        store(call, i, right)?;
        store(call, j, left)?;
        drop_pushed(call, 2);
    }
}
