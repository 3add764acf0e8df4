//! A type of the host as a userdata with methods, a callback from Lua that the host calls later, and errors that cross the
//! boundary in both directions.
//!
//! `cargo run --example counter`

use moonphase_vm::{Error, Function, LuaValue, Options, Userdata, Vm};
use std::cell::Cell;

/// What the userdata holds.
#[derive(Default)]
pub struct Counter {
    count: Cell<i64>,
}

/// Makes the global function `counter`, which makes counters.
///
/// # Errors
/// There is no memory for it.
pub fn open(vm: &mut Vm) -> Result<(), Error> {
    let add = vm.create_function(|vm, (this, amount): (Userdata, Option<i64>)| {
        let counter = this.get::<Counter>(vm)?;
        let sum = counter.count.get().checked_add(amount.unwrap_or(1));
        counter.count.set(sum.ok_or_else(|| Error::message("the counter is full"))?);
        Ok(this)
    })?;
    let count = vm.create_function(|vm, this: Userdata| Ok(this.get::<Counter>(vm)?.count.get()))?;
    let methods = vm.create_table()?;
    methods.set(vm, "add", add)?;
    methods.set(vm, "count", count)?;
    let metatable = vm.create_table()?;
    metatable.set(vm, "__index", methods)?;
    metatable.set(vm, "__name", "Counter")?;
    let make = vm.create_function(move |vm, ()| {
        let counter = vm.create_userdata(Counter::default())?;
        counter.set_metatable(vm, Some(&metatable))?;
        Ok(counter)
    })?;
    vm.set_global("counter", make)
}

/// What Lua and the host have to say about a counter.
///
/// # Errors
/// Something else went wrong than what is to.
pub fn run() -> Result<Vec<String>, Error> {
    let mut vm = Vm::new(Options::default()).map_err(|error| Error::message(error.to_string()))?;
    open(&mut vm)?;
    let mut said = Vec::new();
    let (counter, every): (Userdata, Function) =
        vm.eval("local c = counter() return c, function(n) return c:add(n):count() end")?;
    for amount in [1, 10, 100] {
        let count: i64 = every.call(&mut vm, amount)?;
        said.push(format!("Lua counts {count}"));
    }
    said.push(format!("the host counts {}", counter.get::<Counter>(&mut vm)?.count.get()));
    for script in ["counter():add('many')", "counter().add(12)", "counter():add(math.maxinteger):add(1)"] {
        if let Err(error) = vm.eval::<LuaValue>(script) {
            said.push(error.to_string());
        }
    }
    let (caught, message): (bool, String) = vm.eval("return pcall(counter().add, {})")?;
    said.push(format!("pcall gave {caught}: {message}"));
    Ok(said)
}

/// Prints it.
pub fn main() {
    match run() {
        Ok(said) => said.iter().for_each(|line| println!("{line}")),
        Err(error) => println!("{error}"),
    }
}
