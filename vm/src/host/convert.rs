//! Conversions between values of Lua and of Rust.
//!
//! Numbers and strings convert into each other as they do for the library's functions (manual §3.4.3); floats become
//! integers where they are exact.

use super::{Coroutine, Error, Function, LuaValue, Table, Userdata};
use crate::interpreter::Vm;
use crate::interpreter::{to_integer, to_number};
use crate::value::Value;

/// What can become a Lua value.
pub trait IntoLua {
    /// The value.
    ///
    /// # Errors
    /// It cannot be made, for want of memory for instance.
    fn into_lua(self, vm: &mut Vm) -> Result<LuaValue, Error>;
}

/// What a Lua value can become.
pub trait FromLua: Sized {
    /// What a message calls the type, as in `number expected, got nil`.
    const EXPECTED: &'static str;

    /// Converts the value, or gives it back.
    #[doc(hidden)]
    fn convert(value: LuaValue, vm: &mut Vm) -> Result<Self, LuaValue>;

    /// Converts the value.
    ///
    /// # Errors
    /// It is of another type.
    fn from_lua(value: LuaValue, vm: &mut Vm) -> Result<Self, Error> {
        Self::convert(value, vm).map_err(|value| Error::Type {
            index: 0,
            expected: Self::EXPECTED.to_owned(),
            got: value.type_name().to_owned(),
        })
    }
}

/// What can become arguments or results: nothing, `()`; one value; a tuple of values; [`Values`].
pub trait IntoValues {
    /// The values.
    ///
    /// # Errors
    /// One of them cannot be made.
    fn into_values(self, vm: &mut Vm) -> Result<Vec<LuaValue>, Error>;
}

/// What arguments or results can become. Those that are missing are nil, and those too many are dropped.
pub trait FromValues: Sized {
    /// Converts the values.
    ///
    /// # Errors
    /// One of them is of another type.
    fn from_values(values: Vec<LuaValue>, vm: &mut Vm) -> Result<Self, Error>;
}

/// Any number of arguments or results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(pub Vec<LuaValue>);

/// Conversions from and to one variant.
macro_rules! variants {
    ($($type:ty, $variant:ident, $expected:literal;)*) => {$(
        impl IntoLua for $type {
            fn into_lua(self, _: &mut Vm) -> Result<LuaValue, Error> {
                Ok(LuaValue::$variant(self))
            }
        }

        impl FromLua for $type {
            const EXPECTED: &'static str = $expected;

            fn convert(value: LuaValue, _: &mut Vm) -> Result<Self, LuaValue> {
                match value {
                    LuaValue::$variant(inner) => Ok(inner),
                    other => Err(other),
                }
            }
        }
    )*};
}

variants! {
    Table, Table, "table";
    Function, Function, "function";
    Userdata, Userdata, "userdata";
    Coroutine, Coroutine, "thread";
}

impl IntoLua for LuaValue {
    fn into_lua(self, _: &mut Vm) -> Result<LuaValue, Error> {
        Ok(self)
    }
}

impl FromLua for LuaValue {
    const EXPECTED: &'static str = "value";

    fn convert(value: LuaValue, _: &mut Vm) -> Result<Self, LuaValue> {
        Ok(value)
    }
}

impl IntoLua for bool {
    fn into_lua(self, _: &mut Vm) -> Result<LuaValue, Error> {
        Ok(LuaValue::Boolean(self))
    }
}

/// Any value: whether a condition takes it as true.
impl FromLua for bool {
    const EXPECTED: &'static str = "boolean";

    fn convert(value: LuaValue, _: &mut Vm) -> Result<Self, LuaValue> {
        Ok(value.is_truthy())
    }
}

/// Conversions of numbers, by way of the value inside the VM, whose rules they are.
macro_rules! numbers {
    ($($type:ty, $variant:ident, $convert:expr;)*) => {$(
        impl IntoLua for $type {
            fn into_lua(self, _: &mut Vm) -> Result<LuaValue, Error> {
                Ok(LuaValue::$variant(self.into()))
            }
        }

        impl FromLua for $type {
            const EXPECTED: &'static str = "number";

            fn convert(value: LuaValue, vm: &mut Vm) -> Result<Self, LuaValue> {
                let number = match &value {
                    LuaValue::Integer(_) | LuaValue::Float(_) | LuaValue::String(_) => vm.resolve(&value).ok(),
                    _ => None,
                };
                let convert: fn(Value) -> Option<$type> = $convert;
                number.and_then(convert).ok_or(value)
            }
        }
    )*};
}

numbers! {
    i64, Integer, to_integer;
    i32, Integer, |value| to_integer(value)?.try_into().ok();
    u32, Integer, |value| to_integer(value)?.try_into().ok();
    f64, Float, |value| to_number(value)?.as_float();
}

impl IntoLua for &str {
    fn into_lua(self, _: &mut Vm) -> Result<LuaValue, Error> {
        Ok(LuaValue::String(self.into()))
    }
}

impl IntoLua for &[u8] {
    fn into_lua(self, _: &mut Vm) -> Result<LuaValue, Error> {
        Ok(LuaValue::String(self.to_vec()))
    }
}

impl IntoLua for String {
    fn into_lua(self, _: &mut Vm) -> Result<LuaValue, Error> {
        Ok(LuaValue::String(self.into_bytes()))
    }
}

impl IntoLua for Vec<u8> {
    fn into_lua(self, _: &mut Vm) -> Result<LuaValue, Error> {
        Ok(LuaValue::String(self))
    }
}

impl FromLua for Vec<u8> {
    const EXPECTED: &'static str = "string";

    fn convert(value: LuaValue, vm: &mut Vm) -> Result<Self, LuaValue> {
        match value {
            LuaValue::String(bytes) => Ok(bytes),
            LuaValue::Integer(_) | LuaValue::Float(_) => match vm.resolve(&value) {
                Ok(number) => Ok(vm.number_to_string(number).as_bytes().to_vec()),
                Err(_) => Err(value),
            },
            other => Err(other),
        }
    }
}

/// A string that is UTF-8.
impl FromLua for String {
    const EXPECTED: &'static str = "UTF-8 string";

    fn convert(value: LuaValue, vm: &mut Vm) -> Result<Self, LuaValue> {
        let bytes = Vec::convert(value, vm)?;
        String::from_utf8(bytes).map_err(|error| LuaValue::String(error.into_bytes()))
    }
}

/// nil for `None`.
impl<T: IntoLua> IntoLua for Option<T> {
    fn into_lua(self, vm: &mut Vm) -> Result<LuaValue, Error> {
        self.map_or(Ok(LuaValue::Nil), |value| value.into_lua(vm))
    }
}

impl<T: FromLua> FromLua for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn convert(value: LuaValue, vm: &mut Vm) -> Result<Self, LuaValue> {
        match value {
            LuaValue::Nil => Ok(None),
            value => T::convert(value, vm).map(Some),
        }
    }
}

impl<T: IntoLua> IntoValues for T {
    fn into_values(self, vm: &mut Vm) -> Result<Vec<LuaValue>, Error> {
        Ok(vec![self.into_lua(vm)?])
    }
}

impl<T: FromLua> FromValues for T {
    fn from_values(values: Vec<LuaValue>, vm: &mut Vm) -> Result<Self, Error> {
        nth(&mut values.into_iter(), 0, vm)
    }
}

impl IntoValues for Values {
    fn into_values(self, _: &mut Vm) -> Result<Vec<LuaValue>, Error> {
        Ok(self.0)
    }
}

impl FromValues for Values {
    fn from_values(values: Vec<LuaValue>, _: &mut Vm) -> Result<Self, Error> {
        Ok(Values(values))
    }
}

/// Converts the next of the values, which is the one of this index.
fn nth<T: FromLua>(values: &mut std::vec::IntoIter<LuaValue>, place: usize, vm: &mut Vm) -> Result<T, Error> {
    let value = values.next();
    let missing = value.is_none();
    T::from_lua(value.unwrap_or_default(), vm).map_err(|error| match error {
        Error::Type { expected, got, .. } => {
            Error::Type { index: place, expected, got: if missing { "no value".to_owned() } else { got } }
        }
        other => other,
    })
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),*);)*) => {$(
        impl<$($name: IntoLua),*> IntoValues for ($($name,)*) {
            #[allow(unused_variables)]
            fn into_values(self, vm: &mut Vm) -> Result<Vec<LuaValue>, Error> {
                Ok(vec![$(self.$index.into_lua(vm)?),*])
            }
        }

        impl<$($name: FromLua),*> FromValues for ($($name,)*) {
            #[allow(unused_variables, unused_mut, clippy::unused_unit)]
            fn from_values(values: Vec<LuaValue>, vm: &mut Vm) -> Result<Self, Error> {
                let mut values = values.into_iter();
                Ok(($(nth::<$name>(&mut values, $index, vm)?,)*))
            }
        }
    )*};
}

tuples! {
    ();
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
}
