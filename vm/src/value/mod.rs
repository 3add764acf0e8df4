//! Lua values and the objects that they refer to.
//!
//! The types here are data: they know their own shape and nothing of the collector's rules. Whoever writes a reference
//! into an object goes through [`crate::gc::Heap`], which keeps the tri-colour invariant.

mod arithmetic;
mod closure;
mod convert;
mod metamethod;
mod prototype;
mod string;
mod table;
mod thread;
mod userdata;

pub(crate) use arithmetic::{float_modulo, floor_divide, modulo, power, shift_left};
pub use closure::{Closure, NativeClosure, Upvalue};
pub(crate) use convert::{FloatRounding, float_to_integer, format_g, format_number, str_to_number};
pub use metamethod::Metamethod;
pub use prototype::{LocalName, Prototype, UpvalueName};
pub use string::Str;
pub(crate) use string::{LONG, MAX_SHORT, StrRest, before_zero, hash_bytes};
pub use table::Table;
pub(crate) use table::{Slot, TableKeyError};
pub(crate) use thread::{Frame, FrameKind, Hook, flags, hook_events};
pub use thread::{Thread, ThreadStatus};
pub use userdata::Userdata;

use crate::gc::{AnyGc, Gc, Kind};
use crate::interpreter::Builtin;
use std::fmt;

/// A Lua value.
///
/// The layout is that of C: a tag of four bytes, and then eight bytes for every payload. So a copy is two moves. With a tag of one
/// byte, those behind it would be copied too, in pieces that the processor is slow to put together again.
#[derive(Clone, Copy, Default)]
#[repr(C, u32)]
pub enum Value {
    /// `nil`.
    #[default]
    Nil,
    /// `true` or `false`.
    Boolean(bool),
    /// A number of the integer subtype.
    Integer(i64),
    /// A number of the float subtype.
    Float(f64),
    /// A native function without upvalues.
    Builtin(&'static Builtin),
    /// A number that scripts can only compare, such as what `debug.upvalueid` gives.
    LightUserdata(usize),
    /// A string.
    String(Gc<Str>),
    /// A table.
    Table(Gc<Table>),
    /// A Lua function.
    Closure(Gc<Closure>),
    /// A native function with upvalues.
    NativeClosure(Gc<NativeClosure>),
    /// A full userdata.
    Userdata(Gc<Userdata>),
    /// A coroutine.
    Thread(Gc<Thread>),
}

const _: () = assert!(size_of::<Value>() == 16);

impl Value {
    /// Whether this is `nil`.
    #[inline(always)]
    pub fn is_nil(self) -> bool {
        matches!(self, Value::Nil)
    }

    /// Whether a condition takes this as false: `nil` and `false` (manual §3.3.4).
    #[inline(always)]
    pub fn is_falsy(self) -> bool {
        matches!(self, Value::Nil | Value::Boolean(false))
    }

    /// What `type` calls it.
    pub fn type_name(self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Boolean(_) => "boolean",
            Value::Integer(_) | Value::Float(_) => "number",
            Value::String(_) => "string",
            Value::Table(_) => "table",
            Value::Builtin(_) | Value::Closure(_) | Value::NativeClosure(_) => "function",
            Value::LightUserdata(_) | Value::Userdata(_) => "userdata",
            Value::Thread(_) => "thread",
        }
    }

    /// The object that the value refers to, if it is a collected one.
    #[inline(always)]
    pub fn object(self) -> Option<AnyGc> {
        match self {
            Value::String(s) => Some(s.erase()),
            Value::Table(t) => Some(t.erase()),
            Value::Closure(c) => Some(c.erase()),
            Value::NativeClosure(c) => Some(c.erase()),
            Value::Userdata(u) => Some(u.erase()),
            Value::Thread(t) => Some(t.erase()),
            _ => None,
        }
    }

    /// Whether the value refers to a white object.
    #[inline(always)]
    pub(crate) fn is_white(self) -> bool {
        self.object().is_some_and(|object| object.is_white())
    }

    /// Equality without metamethods (`rawequal`, manual §3.4.4): numbers by their value, strings by their bytes.
    #[inline]
    pub fn raw_equals(self, other: Value) -> bool {
        match (self, other) {
            (Value::Nil, Value::Nil) => true,
            (Value::Boolean(a), Value::Boolean(b)) => a == b,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Float(a), Value::Float(b)) => a == b,
            (Value::Integer(a), Value::Float(b)) | (Value::Float(b), Value::Integer(a)) => {
                float_to_integer(b, FloatRounding::Exact) == Some(a)
            }
            (Value::Builtin(a), Value::Builtin(b)) => std::ptr::eq(a, b),
            (Value::LightUserdata(a), Value::LightUserdata(b)) => a == b,
            (Value::String(a), Value::String(b)) => a == b || a.long_equals(b),
            (Value::Table(a), Value::Table(b)) => a == b,
            (Value::Closure(a), Value::Closure(b)) => a == b,
            (Value::NativeClosure(a), Value::NativeClosure(b)) => a == b,
            (Value::Userdata(a), Value::Userdata(b)) => a == b,
            (Value::Thread(a), Value::Thread(b)) => a == b,
            _ => false,
        }
    }

    /// The number as a float, without conversion from strings.
    #[inline]
    pub(crate) fn as_float(self) -> Option<f64> {
        match self {
            Value::Integer(i) => Some(i as f64),
            Value::Float(f) => Some(f),
            _ => None,
        }
    }

    /// The value of an object, where it is of a kind that values can refer to.
    pub fn from_object(object: AnyGc) -> Option<Value> {
        use crate::gc::Object;
        Some(match object.unpack() {
            Object::String(s) => Value::String(s),
            Object::Table(t) => Value::Table(t),
            Object::Closure(c) => Value::Closure(c),
            Object::NativeClosure(c) => Value::NativeClosure(c),
            Object::Userdata(u) => Value::Userdata(u),
            Object::Thread(t) => Value::Thread(t),
            Object::Upvalue(_) | Object::Prototype(_) => return None,
        })
    }

    /// The kind of the object that the value refers to.
    pub fn kind(self) -> Option<Kind> {
        self.object().map(|object| object.kind())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Nil => f.write_str("nil"),
            Value::Boolean(b) => b.fmt(f),
            Value::Integer(i) => i.fmt(f),
            Value::Float(x) => x.fmt(f),
            Value::Builtin(b) => write!(f, "builtin {}", b.name),
            Value::LightUserdata(u) => write!(f, "light userdata {u}"),
            Value::String(s) => write!(f, "{:?}", String::from_utf8_lossy(s.as_bytes())),
            other => match other.object() {
                Some(object) => object.fmt(f),
                None => Ok(()),
            },
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<Gc<Str>> for Value {
    fn from(value: Gc<Str>) -> Self {
        Value::String(value)
    }
}

impl From<Gc<Table>> for Value {
    fn from(value: Gc<Table>) -> Self {
        Value::Table(value)
    }
}
