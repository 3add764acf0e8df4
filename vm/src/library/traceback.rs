//! Tracebacks, as `debug.traceback` gives them.

use super::activation::Activation;
use super::{LOADED, before_zero, field, plain};
use crate::gc::Gc;
use crate::interpreter::{Builtin, Call, NativeResult, Throw, Vm};
use crate::syntax::chunk_id;
use crate::value::{Metamethod, Table, Thread, Value};

/// How many levels a long traceback shows at its beginning and at its end.
const FIRST_LEVELS: i64 = 10;
const LAST_LEVELS: i64 = 11;

/// Arguments that a script takes at most: they have to fit on the stack.
const MOST_ARGUMENTS: usize = 900_000;

/// The message handler of a stand-alone interpreter: adds a traceback to the message.
static TRACEBACK_HANDLER: Builtin = plain("traceback handler", add_traceback);

/// Calls a chunk with the other arguments in protected mode, as a host does. Scripts see it as the outermost level.
pub(crate) static MAIN: Builtin = plain("main", run_chunk);

/// As the main function of `lua` does: with a message handler, and where the second argument says so with the arguments that
/// are in the global table `arg`.
pub(crate) static STAND_ALONE: Builtin = plain("main", run_stand_alone);

fn run_chunk(call: &mut Call<'_>) -> NativeResult {
    let chunk = call.arg(0);
    let arguments = call.args()[1..].to_vec();
    call.vm.call_closing(chunk, &arguments, Some(0), 0)
}

fn run_stand_alone(call: &mut Call<'_>) -> NativeResult {
    let chunk = call.arg(0);
    let arguments = if call.arg(1).is_falsy() { Vec::new() } else { script_arguments(call)? };
    // As many slots as in `lua` are in use where the chunk begins, so that it overflows the stack at the same depth.
    let handler = call.base + 2;
    call.vm.set_top(handler);
    call.push(Value::Builtin(&TRACEBACK_HANDLER));
    call.vm.with_message_handler(handler, |vm| vm.call_closing(chunk, &arguments, Some(0), 0))
}

/// What is in the global table `arg` from 1 on.
fn script_arguments(call: &mut Call<'_>) -> Result<Vec<Value>, Throw> {
    let globals = Value::Table(call.vm.globals());
    let name = Value::String(call.new_string(b"arg")?);
    let Value::Table(table) = call.index(globals, name)? else { return Err(call.error("'arg' is not a table")) };
    // Its length may be what a metamethod says.
    call.push(Value::Table(table));
    let count = call.length(Value::Table(table))?;
    call.pop();
    let fits = |&count: &usize| count < MOST_ARGUMENTS;
    let Some(count) = usize::try_from(count.max(0)).ok().filter(fits) else {
        return Err(call.error("stack overflow (too many arguments to script)"));
    };
    Ok((1..=count as i64).map(|index| table.get_integer(index)).collect())
}

fn add_traceback(call: &mut Call<'_>) -> NativeResult {
    let error = call.arg(0);
    let message = match error {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Integer(_) | Value::Float(_) => call.to_string(error)?.as_bytes().to_vec(),
        _ => {
            // An error object that can tell what it is gets no traceback.
            let tell = call.vm.heap.metamethod_of(error, Metamethod::ToString);
            if !tell.is_nil()
                && let text @ Value::String(_) = call.call1(tell, &[error])?
            {
                return call.ret(text);
            }
            format!("(error object is a {} value)", error.type_name()).into_bytes()
        }
    };
    let thread = call.vm.heap.current();
    let text = traceback(call.vm, thread, Some(&message), 1);
    call.ret_bytes(&text)
}

/// A message and the activations of a thread, from a level on.
pub(crate) fn traceback(vm: &mut Vm, thread: Gc<Thread>, message: Option<&[u8]>, level: i64) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(message) = message {
        text.extend_from_slice(before_zero(message));
        text.push(b'\n');
    }
    text.extend_from_slice(b"stack traceback:");
    let last = Activation::count(thread) - 1;
    let is_long = last.saturating_sub(level) > FIRST_LEVELS + LAST_LEVELS;
    let skip_at = level.saturating_add(FIRST_LEVELS);
    let mut level = level;
    while let Some(activation) = Activation::at_level(thread, level) {
        if is_long && level == skip_at {
            // As in Lua, the number leaves out the level in whose place it stands.
            let skipped = last - level - LAST_LEVELS;
            text.extend_from_slice(format!("\n\t...\t(skipping {skipped} levels)").as_bytes());
            level += skipped + 1;
        } else {
            add_level(vm, activation, &mut text);
            level += 1;
        }
    }
    text
}

fn add_level(vm: &mut Vm, activation: Activation, text: &mut Vec<u8>) {
    let prototype = activation.prototype();
    let source = prototype.map_or_else(|| b"=[C]".to_vec(), |prototype| prototype.source_bytes());
    let source = chunk_id(&source);
    text.extend_from_slice(b"\n\t");
    text.extend_from_slice(&source);
    match activation.line() {
        Some(line @ 1..) => text.extend_from_slice(format!(":{line}: in ").as_bytes()),
        _ => text.extend_from_slice(b": in "),
    }
    if let Some(name) = global_function_name(vm, activation.function()) {
        text.extend_from_slice(&[b"function '".as_slice(), before_zero(&name), b"'"].concat());
    } else if let Some((kind, name)) = activation.name() {
        text.extend_from_slice(&[kind.as_bytes(), b" '", before_zero(&name), b"'"].concat());
    } else {
        match prototype.map(|prototype| prototype.line_defined) {
            Some(0) => text.extend_from_slice(b"main chunk"),
            Some(line) => {
                text.extend_from_slice(&[b"function <".as_slice(), &source].concat());
                text.extend_from_slice(format!(":{line}>").as_bytes());
            }
            None => text.push(b'?'),
        }
    }
    if activation.is_tail_call() {
        text.extend_from_slice(b"\n\t(...tail calls...)");
    }
}

/// The name under which a loaded module, or the table of globals, has a function: `string.rep`, `print`.
pub(crate) fn global_function_name(vm: &mut Vm, function: Value) -> Option<Vec<u8>> {
    let registry = vm.heap.registry();
    let Value::Table(loaded) = field(vm, registry, LOADED) else { return None };
    let name = find_function(loaded, function, 2)?;
    Some(match name.strip_prefix(b"_G.") {
        Some(name) => name.to_vec(),
        None => name,
    })
}

/// Looks for a value in a table, and in the tables in it as deep as `depth` says.
fn find_function(table: Gc<Table>, function: Value, depth: u32) -> Option<Vec<u8>> {
    let mut key = Value::Nil;
    while let Ok(Some((next, value))) = table.next(key) {
        key = next;
        let Value::String(name) = key else { continue };
        if value.raw_equals(function) {
            return Some(name.as_bytes().to_vec());
        }
        if let (Value::Table(inner), 2..) = (value, depth)
            && let Some(found) = find_function(inner, function, depth - 1)
        {
            return Some([name.as_bytes(), b".", &found].concat());
        }
    }
    None
}
