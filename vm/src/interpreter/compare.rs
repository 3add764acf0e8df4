//! Comparison and length, with metamethods (manual §3.4.4, §3.4.7).

use crate::gc::Gc;
use crate::interpreter::error::Operand;
use crate::interpreter::{Throw, Vm};
use crate::value::{FloatRounding, Metamethod, Str, Value, float_to_integer, format_number};
use std::cmp::Ordering;

/// What a comparison needs.
pub(crate) enum Compared {
    Known(bool),
    /// A metamethod, to be called with both operands.
    Call(Value),
    /// A metamethod, to be called with both operands in the other order; the result is to be negated.
    Reversed(Value),
}

/// `a < b` of an integer and a float, exactly.
fn integer_less_float(a: i64, b: f64) -> bool {
    // Every a is below a b that is out of range at the top.
    match float_to_integer(b, FloatRounding::Ceil) {
        Some(b) => a < b,
        None => b > 0.0,
    }
}

fn integer_less_equal_float(a: i64, b: f64) -> bool {
    match float_to_integer(b, FloatRounding::Floor) {
        Some(b) => a <= b,
        None => b > 0.0,
    }
}

fn float_less_integer(a: f64, b: i64) -> bool {
    match float_to_integer(a, FloatRounding::Floor) {
        Some(a) => a < b,
        None => a < 0.0,
    }
}

fn float_less_equal_integer(a: f64, b: i64) -> bool {
    match float_to_integer(a, FloatRounding::Ceil) {
        Some(a) => a <= b,
        None => a < 0.0,
    }
}

/// `a < b` of numbers or strings; `None` for other operands.
#[inline]
pub(crate) fn raw_less(a: Value, b: Value) -> Option<bool> {
    Some(match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a < b,
        (Value::Float(a), Value::Float(b)) => a < b,
        (Value::Integer(a), Value::Float(b)) => integer_less_float(a, b),
        (Value::Float(a), Value::Integer(b)) => float_less_integer(a, b),
        (Value::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()) == Ordering::Less,
        _ => return None,
    })
}

/// `a <= b` of numbers or strings; `None` for other operands.
#[inline]
pub(crate) fn raw_less_equal(a: Value, b: Value) -> Option<bool> {
    Some(match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a <= b,
        (Value::Float(a), Value::Float(b)) => a <= b,
        (Value::Integer(a), Value::Float(b)) => integer_less_equal_float(a, b),
        (Value::Float(a), Value::Integer(b)) => float_less_equal_integer(a, b),
        (Value::String(a), Value::String(b)) => a.as_bytes().cmp(b.as_bytes()) != Ordering::Greater,
        _ => return None,
    })
}

impl Vm {
    /// `a == b`
    #[inline]
    pub(crate) fn equals(&mut self, a: Value, b: Value) -> Compared {
        if a.raw_equals(b) {
            return Compared::Known(true);
        }
        match (a, b) {
            (Value::Table(_), Value::Table(_)) | (Value::Userdata(_), Value::Userdata(_)) => {
                match self.handler_of_either(Metamethod::Eq, a, b) {
                    Value::Nil => Compared::Known(false),
                    handler => Compared::Call(handler),
                }
            }
            _ => Compared::Known(false),
        }
    }

    pub(crate) fn less_than(&mut self, a: Value, b: Value) -> Result<Compared, Throw> {
        match raw_less(a, b) {
            Some(known) => Ok(Compared::Known(known)),
            None => match self.handler_of_either(Metamethod::Lt, a, b) {
                Value::Nil => Err(self.compare_error(a, b)),
                handler => Ok(Compared::Call(handler)),
            },
        }
    }

    /// `a <= b`. Without `__le` it is `not (b < a)` where `__lt` says so: as in 5.3, and in 5.4 as it is usually built
    /// (`LUA_COMPAT_LT_LE`).
    pub(crate) fn less_equal(&mut self, a: Value, b: Value) -> Result<Compared, Throw> {
        match raw_less_equal(a, b) {
            Some(known) => Ok(Compared::Known(known)),
            None => match self.handler_of_either(Metamethod::Le, a, b) {
                Value::Nil => match self.handler_of_either(Metamethod::Lt, b, a) {
                    Value::Nil => Err(self.compare_error(a, b)),
                    handler => Ok(Compared::Reversed(handler)),
                },
                handler => Ok(Compared::Call(handler)),
            },
        }
    }

    /// The metamethod of the first operand, or else of the second; nil where neither has one.
    fn handler_of_either(&mut self, event: Metamethod, a: Value, b: Value) -> Value {
        match self.heap.metamethod_of(a, event) {
            Value::Nil => self.heap.metamethod_of(b, event),
            handler => handler,
        }
    }

    /// `#value`: the length, or the metamethod to be called with the value twice.
    pub(crate) fn length(&mut self, value: Value, operand: Operand) -> Result<Result<Value, Value>, Throw> {
        match value {
            Value::String(string) => return Ok(Ok(Value::Integer(string.as_bytes().len() as i64))),
            Value::Table(table) => {
                let handler = self.table_metamethod(table, Metamethod::Len);
                return Ok(if handler.is_nil() { Ok(Value::Integer(table.length())) } else { Err(handler) });
            }
            _ => {}
        }
        match self.heap.metamethod_of(value, Metamethod::Len) {
            Value::Nil => Err(self.operand_error("get length of", value, operand)),
            handler => Ok(Err(handler)),
        }
    }

    // The same from inside native functions.

    pub(crate) fn equals_nested(&mut self, a: Value, b: Value) -> Result<bool, Throw> {
        let compared = self.equals(a, b);
        self.finish_comparison(compared, a, b)
    }

    pub(crate) fn less_than_nested(&mut self, a: Value, b: Value) -> Result<bool, Throw> {
        if let Some(known) = raw_less(a, b) {
            return Ok(known);
        }
        let compared = self.less_than(a, b)?;
        self.finish_comparison(compared, a, b)
    }

    fn finish_comparison(&mut self, compared: Compared, a: Value, b: Value) -> Result<bool, Throw> {
        match compared {
            Compared::Known(known) => Ok(known),
            Compared::Call(handler) => Ok(!self.call_nested_1(handler, &[a, b])?.is_falsy()),
            Compared::Reversed(handler) => Ok(self.call_nested_1(handler, &[b, a])?.is_falsy()),
        }
    }

    pub(crate) fn length_nested(&mut self, value: Value) -> Result<Value, Throw> {
        match self.length(value, Operand::Constant)? {
            Ok(length) => Ok(length),
            Err(handler) => self.call_nested_1(handler, &[value, value]),
        }
    }

    /// `tostring(value)` (manual §6.1).
    pub(crate) fn text_of(&mut self, value: Value) -> Result<Gc<Str>, Throw> {
        let handler = self.heap.metamethod_of(value, Metamethod::ToString);
        if !handler.is_nil() {
            return match self.call_nested_1(handler, &[value])? {
                Value::String(text) => Ok(text),
                number @ (Value::Integer(_) | Value::Float(_)) => Ok(self.number_to_string(number)),
                _ => Err(self.native_error(b"'__tostring' must return a string")),
            };
        }
        let mut text = Vec::new();
        match value {
            Value::String(string) => return Ok(string),
            Value::Integer(_) | Value::Float(_) => format_number(value, &mut text),
            Value::Nil => text.extend_from_slice(b"nil"),
            Value::Boolean(b) => text.extend_from_slice(if b { b"true" } else { b"false" }),
            // Where Lua shows an address this shows a number: an address would differ from run to run.
            Value::Builtin(builtin) => {
                let hash = crate::value::hash_bytes(builtin.name.as_bytes());
                text.extend_from_slice(format!("function: 0x{hash:014x}").as_bytes());
            }
            Value::LightUserdata(number) => text.extend_from_slice(format!("userdata: 0x{number:014x}").as_bytes()),
            other => {
                let id = other.object().map_or(0, |object| object.id());
                text = match other {
                    Value::Userdata(_) | Value::Table(_) => self.type_name_for_messages(other),
                    _ => other.type_name().as_bytes().to_vec(),
                };
                text.extend_from_slice(format!(": 0x{id:014x}").as_bytes());
            }
        }
        Ok(self.heap.new_string(&text))
    }
}
