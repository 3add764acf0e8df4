//! The standard library (manual §6), one file a library.
//!
//! A library is a static list of [`Builtin`]s, so a library function is a value without an object. What a library keeps
//! between calls stands in the registry or in the [`Vm`]. Functions that change the flow of control (`pcall`,
//! `coroutine.resume` and their like) are only named here: the interpreter carries them out.

mod activation;
mod base;
mod coroutine;
mod debug;
mod io;
mod math;
mod os;
mod package;
mod string;
mod system;
mod table;
#[cfg(test)]
mod tests;
mod traceback;
mod utf8;

pub(crate) use base::{NEXT, load_file};
pub(crate) use debug::hook_function;
pub(crate) use traceback::{MAIN, STAND_ALONE, global_function_name, traceback};

use crate::gc::Gc;
use crate::interpreter::{Builtin, Call, Control, Function, NativeResult, Throw, Vm};
use crate::value::{Table, Value, before_zero};

/// Makes all libraries.
pub(crate) fn open_all(vm: &mut Vm) {
    base::open(vm);
    package::open(vm);
    coroutine::open(vm);
    table::open(vm);
    io::open(vm);
    os::open(vm);
    string::open(vm);
    math::open(vm);
    utf8::open(vm);
    debug::open(vm);
}

/// Makes the table of a library and puts it into a global variable and into `package.loaded`.
pub(crate) fn register(vm: &mut Vm, name: &str, functions: &'static [Builtin]) -> Gc<Table> {
    let library = vm.heap.new_table();
    let globals = vm.globals();
    set_field(vm, globals, name, Value::Table(library));
    let loaded = registry_table(vm, LOADED);
    set_field(vm, loaded, name, Value::Table(library));
    add_functions(vm, library, functions);
    library
}

/// Where the registry keeps `package.loaded`.
pub(crate) const LOADED: &str = "_LOADED";

/// Puts functions into a table.
fn add_functions(vm: &mut Vm, table: Gc<Table>, functions: &'static [Builtin]) {
    vm.heap.table_resize(table, 0, functions.len());
    for builtin in functions {
        set_field(vm, table, builtin.name, Value::Builtin(builtin));
    }
}

/// Sets a field without metamethods.
fn set_field(vm: &mut Vm, table: Gc<Table>, name: &str, value: Value) {
    let key = vm.heap.new_string(name.as_bytes());
    vm.heap.table_set(table, Value::String(key), value).unwrap_or_else(|_| unreachable!("a string is a valid key"));
}

/// A field, read without metamethods.
fn field(vm: &mut Vm, table: Gc<Table>, name: &str) -> Value {
    let key = vm.heap.new_string(name.as_bytes());
    table.get(Value::String(key))
}

/// A table in the registry, made on first use.
fn registry_table(vm: &mut Vm, name: &str) -> Gc<Table> {
    let registry = vm.heap.registry();
    if let Value::Table(table) = field(vm, registry, name) {
        return table;
    }
    let table = vm.heap.new_table();
    set_field(vm, registry, name, Value::Table(table));
    table
}

/// A function that runs to its end.
const fn plain(name: &'static str, function: fn(&mut Call<'_>) -> NativeResult) -> Builtin {
    Builtin { name, function: Function::Plain(function) }
}

/// A function that the interpreter carries out.
const fn control(name: &'static str, control: Control) -> Builtin {
    Builtin { name, function: Function::Control(control) }
}

fn is_function(value: Value) -> bool {
    matches!(value, Value::Closure(_) | Value::NativeClosure(_) | Value::Builtin(_))
}

/// An argument that is a function.
fn check_function(call: &mut Call<'_>, index: usize) -> Result<Value, Throw> {
    match call.arg(index) {
        function if is_function(function) => Ok(function),
        _ => Err(call.type_error(index, "function")),
    }
}

/// An argument that is a table or, given as such, nil.
fn check_metatable(call: &mut Call<'_>, index: usize) -> Result<Option<Gc<Table>>, Throw> {
    match call.arg(index) {
        Value::Table(table) => Ok(Some(table)),
        Value::Nil if index < call.arg_count() => Ok(None),
        _ => Err(call.type_error(index, "nil or table")),
    }
}
