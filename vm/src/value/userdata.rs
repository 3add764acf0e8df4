//! Full userdata: a value of the host, with a metatable and user values.

use crate::gc::{Gc, Header};
use crate::value::{Table, Value};
use std::any::Any;
use std::cell::Cell;

/// A userdata object.
#[repr(C)]
pub struct Userdata {
    pub(crate) header: Header,
    pub(crate) metatable: Cell<Option<Gc<Table>>>,
    pub(crate) user_values: Box<[Cell<Value>]>,
    /// What the host put in.
    pub(crate) data: Option<Box<dyn Any>>,
}
