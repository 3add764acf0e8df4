//! A Lua VM whose collector is the incremental tri-colour collector of real Lua, and whose heap can be observed.
//!
//! The road of a program: bytes → [`syntax`] (tree) → [`compiler`] (bytecode [`Template`](bytecode::Template)) → objects in
//! the heap of [`gc`] → [`interpreter`] (one dispatch loop) with the library.

pub mod bytecode;
pub mod compiler;
#[allow(unsafe_code)]
#[macro_use]
pub mod gc;
mod hash;
mod host;
#[allow(unsafe_code)]
pub mod interpreter;
mod library;
mod random;
pub mod syntax;
pub mod value;
mod version;

pub use host::{
    Coroutine, Error, FromLua, FromValues, Function, IntoLua, IntoValues, LuaValue, Table, Userdata, Values,
};
pub use interpreter::{Compiled, Limit, Options, Schedule, ScriptError, System, Turned, Turns, UnknownSchedule, Vm};
pub use version::{LuaVersion, UnknownVersion};
