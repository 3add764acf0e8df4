//! Full userdata: a value of the host, with a metatable and user values.

use crate::gc::{Field, Gc, Header};
use crate::value::{Table, Value};
use std::any::Any;

/// A userdata object.
#[repr(C)]
pub struct Userdata {
    pub(crate) header: Header,
    pub(crate) metatable: Field<Option<Gc<Table>>>,
    pub(crate) user_values: Box<[Field<Value>]>,
    /// What the host put in.
    pub(crate) data: Option<Box<dyn Any>>,
}
