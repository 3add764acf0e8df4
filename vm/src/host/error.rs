//! How an operation of the host fails.

use super::LuaValue;
use crate::interpreter::{Limit, LoadError, ScriptError, Throw, Vm};

/// Why an operation of the host failed.
///
/// A native function that returns it raises it: a limit goes on to the host, everything else is an error that `pcall`
/// catches.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A Lua error: raised by a program, or to be raised by a native function.
    #[error("{message}")]
    Lua {
        /// The error as a Lua value.
        value: LuaValue,
        /// Its message, as `lua` would print it.
        message: String,
    },
    /// A message to be raised by a native function, with the position of its caller in front (manual §5.1, `luaL_error`).
    #[error("{0}")]
    Message(String),
    /// A value that is not of the type that was asked for.
    #[error("{expected} expected, got {got}")]
    Type {
        /// Which argument or result it is, from 0.
        index: usize,
        /// The type that was asked for.
        expected: String,
        /// The type of the value; `no value` where there is none.
        got: String,
    },
    /// A handle was used with a VM that it does not belong to.
    #[error("the value belongs to another VM")]
    ForeignHandle,
    /// A limit of the host.
    #[error("{0}")]
    Limit(Limit),
    /// The program called `os.exit`.
    #[error("the program ended itself with status {status}")]
    Exit {
        /// What it wants the process to end with.
        status: i32,
        /// Whether it wants the state to be closed before, for which [`Vm::close`] is there.
        close: bool,
    },
    /// The observer ended the program.
    #[error("ended by the observer")]
    Halted,
}

impl Error {
    /// An error with a message, for a native function to raise.
    pub fn message(text: impl Into<String>) -> Error {
        Error::Message(text.into())
    }

    /// What a throw means for the host.
    pub(super) fn from_throw(vm: &mut Vm, throw: Throw) -> Error {
        let value = match throw {
            Throw::Error(value) | Throw::Handled(value) => vm.hold(value),
            Throw::Limit(limit) => return Error::Limit(limit),
            Throw::Exit { status, close } => return Error::Exit { status, close },
            Throw::Halted => return Error::Halted,
        };
        // The value is held: what its `__tostring` does cannot free it.
        let message = vm.script_error(throw).to_string();
        Error::Lua { value, message }
    }

    pub(super) fn from_load(vm: &mut Vm, error: LoadError) -> Error {
        match error.into_message() {
            Err(throw) => Error::from_throw(vm, throw),
            Ok(bytes) => {
                let message = ScriptError::Error(bytes.clone()).to_string();
                Error::Lua { value: LuaValue::String(bytes), message }
            }
        }
    }

    /// What a native function raises for it.
    pub(super) fn into_throw(self, vm: &mut Vm) -> Throw {
        match self {
            Error::Lua { value, .. } => match vm.resolve(&value) {
                Ok(value) => Throw::Error(value),
                Err(error) => error.into_throw(vm),
            },
            Error::Limit(limit) => Throw::Limit(limit),
            Error::Exit { status, close } => Throw::Exit { status, close },
            Error::Halted => Throw::Halted,
            other => vm.native_error(other.to_string().as_bytes()),
        }
    }
}
