//! The VM as a library: values, tables, functions and userdata as a Rust program holds them.
//!
//! The host never sees a reference into the heap. It has *handles*, each of which names a slot of a table that the
//! collector takes for a root and that no script can reach; dropping the last copy of a handle frees the slot the next time
//! the host uses the VM. Every operation takes the VM as an argument, so handles borrow nothing and can be kept anywhere,
//! also inside native functions; one that belongs to another VM is refused. A native function that holds a handle to
//! something which refers to that function is a cycle across the boundary, which lives as long as the VM.
//!
//! ```
//! use moonphase_vm::{Options, Vm};
//!
//! let mut vm = Vm::new(Options::default())?;
//! let double = vm.create_function(|_, number: i64| Ok(number * 2))?;
//! vm.set_global("double", double)?;
//! let answer: i64 = vm.eval("return double(21)")?;
//! assert_eq!(answer, 42);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod convert;
mod error;
mod function;
mod handle;

pub use convert::{FromLua, FromValues, IntoLua, IntoValues, Values};
pub use error::Error;
pub(crate) use handle::References;
pub use handle::{Coroutine, Function, LuaValue, Table, Userdata};

use crate::interpreter::Vm;
use crate::value::Value;
use std::any::Any;
use std::rc::Rc;

impl Vm {
    /// Loads a chunk, source or binary, and gives its main function. `chunk_name` is what messages call it: `@file`, `=text`, or
    /// the source itself (manual §4.6, `lua_load`).
    ///
    /// # Errors
    /// The chunk is not Lua, or a limit was hit.
    pub fn load_chunk(&mut self, source: impl AsRef<[u8]>, chunk_name: &str) -> Result<Function, Error> {
        self.prepare(OBJECT + source.as_ref().len())?;
        let closure =
            self.load(source.as_ref(), chunk_name.as_bytes()).map_err(|error| Error::from_load(self, error))?;
        Ok(self.hold_function(Value::Closure(closure)))
    }

    /// Runs source text and converts what it returns.
    ///
    /// # Errors
    /// The text is not Lua, it raised an error, hit a limit, or returned something else.
    pub fn eval<R: FromValues>(&mut self, source: &str) -> Result<R, Error> {
        self.load_chunk(source, source)?.call(self, ())
    }

    /// A global variable, without metamethods.
    ///
    /// # Errors
    /// Its value is something else.
    pub fn global<V: FromLua>(&mut self, name: &str) -> Result<V, Error> {
        self.global_table().raw_get(self, name)
    }

    /// Sets a global variable, without metamethods.
    ///
    /// # Errors
    /// The value belongs to another VM, or there is no memory for it.
    pub fn set_global(&mut self, name: &str, value: impl IntoLua) -> Result<(), Error> {
        self.global_table().raw_set(self, name, value)
    }

    fn global_table(&mut self) -> Table {
        let globals = Value::Table(self.globals());
        self.hold_table(globals)
    }

    /// An empty table.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn create_table(&mut self) -> Result<Table, Error> {
        self.prepare(OBJECT)?;
        let table = self.heap.new_table();
        Ok(self.hold_table(Value::Table(table)))
    }

    /// A function that Lua can call. Arguments and results are converted as their types say; arguments that cannot be are the
    /// error that the library's own functions raise. The function may use the VM as it likes.
    ///
    /// A panic in it leaves the VM in a state that is safe to drop, and to nothing else.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn create_function<A, R, F>(&mut self, function: F) -> Result<Function, Error>
    where
        A: FromValues,
        R: IntoValues,
        F: Fn(&mut Vm, A) -> Result<R, Error> + 'static,
    {
        self.prepare(OBJECT)?;
        let closure = function::create(self, function);
        Ok(self.hold_function(Value::NativeClosure(closure)))
    }

    /// A full userdata with a value of the host in it. It is dropped when the collector frees the object; what it takes besides
    /// its box does not count for the memory limit.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn create_userdata<T: Any>(&mut self, data: T) -> Result<Userdata, Error> {
        self.prepare(OBJECT)?;
        let userdata = self.heap.new_userdata(Some(Box::new(Rc::new(data))), 0);
        Ok(self.hold_userdata(Value::Userdata(userdata)))
    }

    /// Sets how many instructions may be executed from now on, those of native functions and the collector included; `None`
    /// for no limit. The count of [`Vm::instructions`] begins anew.
    pub fn set_instruction_limit(&mut self, limit: Option<u64>) {
        self.restart_instructions(limit);
    }

    /// Bytes of all objects together, garbage that is not freed yet included.
    pub fn memory_used(&self) -> usize {
        self.heap.bytes()
    }

    /// What comes before objects are made that take so many bytes: slots of dropped handles are freed, and the collector has
    /// its turn, since a host that makes objects need not run Lua.
    fn prepare(&mut self, bytes: usize) -> Result<(), Error> {
        self.release_handles();
        let paid = if !self.heap.has_room(bytes) {
            self.collect_full()
        } else if self.heap.wants_step() {
            self.pay_debt()
        } else {
            Ok(())
        };
        paid.map_err(|throw| Error::from_throw(self, throw))?;
        self.heap.has_room(bytes).then_some(()).ok_or(Error::Limit(crate::Limit::Memory))
    }
}

/// Bytes that an object with the slot of its handle takes at most, if that is the first one in a grown table.
const OBJECT: usize = 512;
