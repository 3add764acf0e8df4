//! The debug library (manual §6.10).
//!
//! Upvalues are set and joined through the heap, which runs the barriers that the collector's policy asks for. The
//! interpreter calls the hooks.

use super::activation::Activation;
use super::{before_zero, check_function, check_metatable, field, is_function, plain, register, traceback};
use crate::gc::{Gc, Metatables};
use crate::interpreter::{Builtin, Call, NativeResult, System, Throw, Vm};
use crate::syntax::chunk_id;
use crate::value::{Closure, Hook, Prototype, Table, Thread, Upvalue, Value, format_number, hook_events};
use std::io::BufRead;

pub(crate) static FUNCTIONS: &[Builtin] = &[
    plain("debug", debug_),
    plain("gethook", gethook),
    plain("getinfo", getinfo),
    plain("getlocal", getlocal),
    plain("getmetatable", getmetatable),
    plain("getregistry", getregistry),
    plain("getupvalue", getupvalue),
    plain("getuservalue", getuservalue),
    plain("setcstacklimit", setcstacklimit),
    plain("sethook", sethook),
    plain("setlocal", setlocal),
    plain("setmetatable", setmetatable),
    plain("setupvalue", setupvalue),
    plain("setuservalue", setuservalue),
    plain("traceback", traceback_),
    plain("upvalueid", upvalueid),
    plain("upvaluejoin", upvaluejoin),
];

pub(crate) fn open(vm: &mut Vm) {
    register(vm, "debug", FUNCTIONS);
}

/// The thread that a function works on, and the index of the argument after the optional thread.
fn thread_argument(call: &Call<'_>) -> (Gc<Thread>, usize) {
    match call.arg(0) {
        Value::Thread(thread) => (thread, 1),
        _ => (call.vm.heap.current(), 0),
    }
}

/// An argument that C takes for an `int`.
fn check_int(call: &mut Call<'_>, index: usize) -> Result<i64, Throw> {
    Ok(i64::from(call.check_integer(index)? as i32))
}

fn opt_int(call: &mut Call<'_>, index: usize, default: i64) -> Result<i64, Throw> {
    if call.arg(index).is_nil() { Ok(default) } else { check_int(call, index) }
}

fn getregistry(call: &mut Call<'_>) -> NativeResult {
    let registry = call.vm.heap.registry();
    call.ret(registry)
}

// Metatables and user values.

fn getmetatable(call: &mut Call<'_>) -> NativeResult {
    let value = call.check_any(0)?;
    call.ret(call.vm.heap.metatable_of(value).map_or(Value::Nil, Value::Table))
}

fn setmetatable(call: &mut Call<'_>) -> NativeResult {
    let metatable = check_metatable(call, 1)?;
    let value = call.arg(0);
    let heap = call.heap();
    let Metatables { string, nil, boolean, number, function, thread, light_userdata } = &mut heap.metatables;
    match value {
        Value::Table(table) => heap.set_table_metatable(table, metatable),
        Value::Userdata(userdata) => heap.set_userdata_metatable(userdata, metatable),
        Value::String(_) => *string = metatable,
        Value::Nil => *nil = metatable,
        Value::Boolean(_) => *boolean = metatable,
        Value::Integer(_) | Value::Float(_) => *number = metatable,
        Value::Closure(_) | Value::NativeClosure(_) | Value::Builtin(_) => *function = metatable,
        Value::Thread(_) => *thread = metatable,
        Value::LightUserdata(_) => *light_userdata = metatable,
    }
    call.ret(value)
}

fn getuservalue(call: &mut Call<'_>) -> NativeResult {
    let number = opt_int(call, 1, 1)?;
    let Value::Userdata(userdata) = call.arg(0) else { return call.ret(Value::Nil) };
    let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
    match userdata.user_values.get(index).map(|value| value.get()) {
        Some(value) => call.ret_all(&[value, Value::Boolean(true)]),
        None => call.ret(Value::Nil),
    }
}

fn setuservalue(call: &mut Call<'_>) -> NativeResult {
    let number = opt_int(call, 2, 1)?;
    let Value::Userdata(userdata) = call.arg(0) else { return Err(call.type_error(0, "userdata")) };
    let value = call.check_any(1)?;
    let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
    let done = call.heap().set_user_value(userdata, index, value);
    call.ret(if done { Value::Userdata(userdata) } else { Value::Nil })
}

// Upvalues.

/// An upvalue of a Lua function, counted from 1.
fn lua_upvalue(closure: Gc<Closure>, number: i64) -> Option<(usize, Gc<Upvalue>)> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    Some((index, closure.upvalues().get(index)?.get()?))
}

/// The name of a Lua function's upvalue.
fn upvalue_name(closure: Gc<Closure>, index: usize) -> Vec<u8> {
    let prototype = closure.prototype.get();
    let name = prototype.upvalues.get(index).and_then(|upvalue| upvalue.name.get());
    name.map_or_else(|| b"(no name)".to_vec(), |name| name.as_bytes().to_vec())
}

/// The upvalue index and function arguments of `getupvalue` and `setupvalue`.
fn upvalue_arguments(call: &mut Call<'_>) -> Result<(Value, i64), Throw> {
    let number = check_int(call, 1)?;
    Ok((check_function(call, 0)?, number))
}

fn getupvalue(call: &mut Call<'_>) -> NativeResult {
    match upvalue_arguments(call)? {
        (Value::Closure(closure), number) => {
            let Some((index, upvalue)) = lua_upvalue(closure, number) else { return Ok(0) };
            let name = call.new_string(&upvalue_name(closure, index))?;
            call.ret_all(&[Value::String(name), upvalue.get()])
        }
        (Value::NativeClosure(closure), number) => {
            let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
            let Some(value) = closure.upvalues.get(index).map(|value| value.get()) else { return Ok(0) };
            let name = call.new_string(b"")?;
            call.ret_all(&[Value::String(name), value])
        }
        _ => Ok(0),
    }
}

fn setupvalue(call: &mut Call<'_>) -> NativeResult {
    let value = call.check_any(2)?;
    match upvalue_arguments(call)? {
        (Value::Closure(closure), number) => {
            let Some((index, _)) = lua_upvalue(closure, number) else { return Ok(0) };
            let name = call.new_string(&upvalue_name(closure, index))?;
            call.heap().setupvalue(closure, index, value);
            call.ret(name)
        }
        (Value::NativeClosure(closure), number) => {
            let index = usize::try_from(number - 1).unwrap_or(usize::MAX);
            if index >= closure.upvalues.len() {
                return Ok(0);
            }
            call.heap().set_native_upvalue(closure, index, value);
            call.ret_bytes(b"")
        }
        _ => Ok(0),
    }
}

/// What tells the upvalue of a function from others: the number of its object. A native closure's values are no objects;
/// the high bit keeps their identities apart from those of objects.
fn upvalue_identity(function: Value, number: i64) -> Option<usize> {
    match function {
        Value::Closure(closure) => lua_upvalue(closure, number).map(|(_, upvalue)| upvalue.header.id() as usize),
        Value::NativeClosure(closure) => {
            let index = usize::try_from(number).ok()?.checked_sub(1)?;
            let exists = index < closure.upvalues.len();
            exists.then(|| 1 << 63 | (closure.header.id() as usize) << 16 | index)
        }
        _ => None,
    }
}

/// A function argument and the upvalue index behind it.
fn indexed_function(call: &mut Call<'_>, index: usize) -> Result<(Value, i64), Throw> {
    let number = check_int(call, index + 1)?;
    Ok((check_function(call, index)?, number))
}

fn upvalueid(call: &mut Call<'_>) -> NativeResult {
    let (function, number) = indexed_function(call, 0)?;
    call.ret(upvalue_identity(function, number).map_or(Value::Nil, Value::LightUserdata))
}

fn upvaluejoin(call: &mut Call<'_>) -> NativeResult {
    let mut upvalues = [None; 2];
    for (place, found) in upvalues.iter_mut().enumerate() {
        let (function, number) = indexed_function(call, 2 * place)?;
        if upvalue_identity(function, number).is_none() {
            return Err(call.arg_error(2 * place + 1, "invalid upvalue index"));
        }
        if let Value::Closure(closure) = function {
            *found = lua_upvalue(closure, number).map(|(index, upvalue)| (closure, index, upvalue));
        }
    }
    let Some((closure, index, _)) = upvalues[0] else { return Err(call.arg_error(0, "Lua function expected")) };
    let Some((_, _, upvalue)) = upvalues[1] else { return Err(call.arg_error(2, "Lua function expected")) };
    call.heap().upvaluejoin(closure, index, upvalue);
    Ok(0)
}

// Activations.

fn getinfo(call: &mut Call<'_>) -> NativeResult {
    let (thread, first) = thread_argument(call);
    let options = match call.opt_string(first + 1)? {
        Some(options) => before_zero(options.as_bytes()).to_vec(),
        None => b"flnSrtu".to_vec(),
    };
    if options.first() == Some(&b'>') {
        return Err(call.arg_error(first + 1, "invalid option '>'"));
    }
    let subject = call.arg(first);
    let activation = if is_function(subject) {
        None
    } else {
        let level = check_int(call, first)?;
        match Activation::at_level(thread, level) {
            Some(activation) => Some(activation),
            None => return call.ret(Value::Nil),
        }
    };
    if !options.iter().all(|option| b"SlnrutLf".contains(option)) {
        return Err(call.arg_error(first + 1, "invalid option"));
    }
    let function = activation.map_or(subject, |activation| activation.function());
    let prototype = match function {
        Value::Closure(closure) => Some(closure.prototype.get()),
        _ => None,
    };
    let table = call.new_table();
    let has = |option: u8| options.contains(&option);
    if has(b'S') {
        let source = prototype.map_or_else(|| b"=[C]".to_vec(), |prototype| prototype.source_bytes());
        let (line, last_line, what) = match &prototype {
            None => (-1, -1, "C"),
            Some(prototype) => (
                i64::from(prototype.line_defined),
                i64::from(prototype.last_line_defined),
                if prototype.line_defined == 0 { "main" } else { "Lua" },
            ),
        };
        set_text(call, table, "source", &source)?;
        set_text(call, table, "short_src", &chunk_id(&source))?;
        call.set_field(table, "linedefined", Value::Integer(line));
        call.set_field(table, "lastlinedefined", Value::Integer(last_line));
        set_text(call, table, "what", what.as_bytes())?;
    }
    if has(b'l') {
        let line = activation.and_then(|activation| activation.line()).map_or(-1, i64::from);
        call.set_field(table, "currentline", Value::Integer(line));
    }
    if has(b'u') {
        let upvalues = match function {
            Value::Closure(closure) => closure.upvalues().len(),
            Value::NativeClosure(closure) => closure.upvalues.len(),
            _ => 0,
        };
        call.set_field(table, "nups", Value::Integer(upvalues as i64));
        let (parameters, variadic) =
            prototype.map_or((0, true), |prototype| (prototype.parameters, prototype.variadic));
        call.set_field(table, "nparams", Value::Integer(parameters.into()));
        call.set_field(table, "isvararg", Value::Boolean(variadic));
    }
    if has(b'n') {
        let (kind, name) = match activation.and_then(|activation| activation.name()) {
            Some((kind, name)) => (kind, Value::String(call.new_string(&name)?)),
            None => ("", Value::Nil),
        };
        call.set_field(table, "name", name);
        set_text(call, table, "namewhat", kind.as_bytes())?;
    }
    if has(b'r') {
        let (first, count) = activation.and_then(|activation| activation.transfer()).unwrap_or_default();
        call.set_field(table, "ftransfer", Value::Integer(first.into()));
        call.set_field(table, "ntransfer", Value::Integer(count.into()));
    }
    if has(b't') {
        let is_tail_call = activation.is_some_and(|activation| activation.is_tail_call());
        call.set_field(table, "istailcall", Value::Boolean(is_tail_call));
    }
    if has(b'L') {
        let lines = active_lines(call, prototype)?;
        call.set_field(table, "activelines", lines);
    }
    if has(b'f') {
        call.set_field(table, "func", function);
    }
    call.ret(table)
}

fn set_text(call: &mut Call<'_>, table: Gc<Table>, name: &str, text: &[u8]) -> Result<(), Throw> {
    let text = call.new_string(text)?;
    call.set_field(table, name, Value::String(text));
    Ok(())
}

/// The set of lines on which a Lua function has code.
fn active_lines(call: &mut Call<'_>, prototype: Option<Gc<Prototype>>) -> Result<Value, Throw> {
    let Some(prototype) = prototype else { return Ok(Value::Nil) };
    let table = call.new_table();
    // The first instruction of a variadic function is not the program's.
    for &line in prototype.lines.iter().skip(usize::from(prototype.variadic)) {
        call.raw_set(table, Value::Integer(line.into()), Value::Boolean(true))?;
    }
    Ok(Value::Table(table))
}

fn getlocal(call: &mut Call<'_>) -> NativeResult {
    let (thread, first) = thread_argument(call);
    let number = check_int(call, first + 1)?;
    let subject = call.arg(first);
    if is_function(subject) {
        // Of a function that is not active: its parameters.
        let name = match (subject, usize::try_from(number - 1)) {
            (Value::Closure(closure), Ok(register)) => closure.prototype.get().local_name(register, 0),
            _ => None,
        };
        return call.ret(name.map_or(Value::Nil, Value::String));
    }
    let activation = activation_argument(call, thread, first)?;
    match activation.local(number) {
        Some((name, slot)) => {
            let name = call.new_string(&name)?;
            call.ret_all(&[Value::String(name), thread.stack[slot]])
        }
        None => call.ret(Value::Nil),
    }
}

fn setlocal(call: &mut Call<'_>) -> NativeResult {
    let (thread, first) = thread_argument(call);
    let number = {
        check_int(call, first)?;
        check_int(call, first + 1)?
    };
    let activation = activation_argument(call, thread, first)?;
    let value = call.check_any(first + 2)?;
    match activation.local(number) {
        Some((name, slot)) => {
            call.vm.set_slot_of(thread, slot, value);
            call.ret_bytes(&name)
        }
        None => call.ret(Value::Nil),
    }
}

fn activation_argument(call: &mut Call<'_>, thread: Gc<Thread>, index: usize) -> Result<Activation, Throw> {
    let level = check_int(call, index)?;
    match Activation::at_level(thread, level) {
        Some(activation) => Ok(activation),
        None => Err(call.arg_error(index, "level out of range")),
    }
}

fn traceback_(call: &mut Call<'_>) -> NativeResult {
    let (thread, first) = thread_argument(call);
    let message = match call.arg(first) {
        Value::Nil => None,
        Value::String(message) => Some(message.as_bytes().to_vec()),
        number @ (Value::Integer(_) | Value::Float(_)) => {
            let mut text = Vec::new();
            format_number(number, &mut text);
            Some(text)
        }
        other => return call.ret(other),
    };
    let own = thread == call.vm.heap.current();
    let level = opt_int(call, first + 1, i64::from(own))?;
    let text = traceback(call.vm, thread, message.as_deref(), level);
    call.ret_bytes(&text)
}

// Hooks.

/// Where the registry keeps the hook functions: a table with threads as weak keys.
const HOOKS: &str = "_HOOKKEY";

/// The events that a mask of letters names.
const MASK: [(u8, u8); 3] = [(b'c', hook_events::CALL), (b'r', hook_events::RETURN), (b'l', hook_events::LINE)];

/// The hook function of a thread, nil where it has none.
pub(crate) fn hook_function(vm: &mut Vm, thread: Gc<Thread>) -> Value {
    let registry = vm.heap.registry();
    match field(vm, registry, HOOKS) {
        Value::Table(hooks) => hooks.get(Value::Thread(thread)),
        _ => Value::Nil,
    }
}

/// The table of hook functions, made on first use.
fn hook_table(call: &mut Call<'_>) -> Result<Gc<Table>, Throw> {
    let registry = call.vm.heap.registry();
    if let Value::Table(hooks) = field(call.vm, registry, HOOKS) {
        return Ok(hooks);
    }
    let hooks = call.new_table();
    let mode: &[u8] = match () {
        () if planted!(call.vm.heap, HooksWeak) => b"kv",
        () if planted!(call.vm.heap, HooksHoarded) => b"",
        () => b"k",
    };
    set_text(call, hooks, "__mode", mode)?;
    call.heap().set_table_metatable(hooks, Some(hooks));
    call.set_field(registry, HOOKS, Value::Table(hooks));
    Ok(hooks)
}

fn sethook(call: &mut Call<'_>) -> NativeResult {
    let (thread, first) = thread_argument(call);
    let (mut function, mut events, mut count) = (Value::Nil, 0, 0);
    if !call.arg(first).is_nil() {
        let mask = call.check_string(first + 1)?;
        function = check_function(call, first)?;
        count = opt_int(call, first + 2, 0)?;
        for (letter, event) in MASK {
            if before_zero(mask.as_bytes()).contains(&letter) {
                events |= event;
            }
        }
        if count > 0 {
            events |= hook_events::COUNT;
        }
    }
    let hooks = hook_table(call)?;
    call.raw_set(hooks, Value::Thread(thread), function)?;
    let count = if events == 0 { 0 } else { u32::try_from(count).unwrap_or(0) };
    call.vm.set_hook_events(thread, events, count);
    Ok(0)
}

fn gethook(call: &mut Call<'_>) -> NativeResult {
    let (thread, _) = thread_argument(call);
    let Hook { events, count, .. } = thread.hook;
    if events == 0 {
        return call.ret(Value::Nil);
    }
    let function = hook_function(call.vm, thread);
    let letters: Vec<u8> = MASK.iter().filter(|(_, event)| events & event != 0).map(|&(letter, _)| letter).collect();
    let mask = call.new_string(&letters)?;
    call.ret_all(&[function, Value::String(mask), Value::Integer(count.into())])
}

// Interaction.

/// Runs lines of the host's standard input, if the program may read it, until one that is `cont`.
fn debug_(call: &mut Call<'_>) -> NativeResult {
    while call.vm.options.system == System::Full {
        // Where nobody reads the prompts, nothing is lost.
        let _ = call.vm.write_error(b"lua_debug> ");
        let mut line = Vec::new();
        let mut input = call.vm.take_input();
        let read = input.read_until(b'\n', &mut line);
        call.vm.give_input(input);
        if !matches!(read, Ok(1..)) || line == b"cont\n" {
            break;
        }
        let message = match call.vm.load(&line, b"=(debug command)") {
            Ok(closure) => match call.vm.call_protected(Value::Closure(closure), &[], Some(0), 0) {
                Ok(_) => continue,
                Err(Throw::Error(error) | Throw::Handled(error)) => call.to_string(error)?.as_bytes().to_vec(),
                Err(other) => return Err(other),
            },
            Err(error) => error.into_message()?,
        };
        let _ = call.vm.write_error(&[message.as_slice(), b"\n"].concat());
    }
    Ok(0)
}

fn setcstacklimit(call: &mut Call<'_>) -> NativeResult {
    // Kept for compatibility only, as in Lua 5.4: nothing changes.
    check_int(call, 0)?;
    call.ret(i64::from(call.vm.options.nesting_limit))
}
