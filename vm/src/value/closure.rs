//! Closures and the variables that they share.

use crate::gc::{Field, Gc, Header};
use crate::interpreter::Builtin;
use crate::value::{Prototype, Thread, Value};

/// A Lua function: a prototype with its upvalues. The upvalues stand right behind these fields in the same allocation;
/// `gc::allocate` gives access to them.
#[repr(C)]
pub struct Closure {
    pub(crate) header: Header,
    pub(crate) prototype: Field<Gc<Prototype>>,
}

impl Closure {
    /// How many upvalues stand behind the fields: what `gc::allocate` has put into the header.
    #[inline(always)]
    pub(crate) fn upvalue_count(&self) -> usize {
        usize::from(self.header.extra.get())
    }
}

/// A native function with values of its own.
#[repr(C)]
pub struct NativeClosure {
    pub(crate) header: Header,
    pub(crate) builtin: &'static Builtin,
    pub(crate) upvalues: Box<[Field<Value>]>,
}

/// A variable captured by closures.
///
/// While *open* its value is a slot of a living stack; when the slot's scope ends it is *closed* and owns its value.
#[repr(C)]
pub struct Upvalue {
    pub(crate) header: Header,
    /// Where the value is: a stack slot, or `own`.
    pub(crate) location: Field<*const Value>,
    /// The value of a closed upvalue. While open, the thread that the slot belongs to; not a reference that counts.
    pub(crate) own: Field<Value>,
}

impl Upvalue {
    /// Whether the value is still in a stack slot.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.location.get() != self.own.as_ptr()
    }

    /// The thread whose slot an open upvalue refers to.
    pub(crate) fn thread(&self) -> Option<Gc<Thread>> {
        match self.own.get() {
            Value::Thread(thread) if self.is_open() => Some(thread),
            _ => None,
        }
    }
}
