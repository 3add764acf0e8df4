//! Arithmetic and bitwise operations (manual §3.4.1, §3.4.2).

use crate::interpreter::error::Operand;
use crate::interpreter::{Throw, Vm};
use crate::value::{
    FloatRounding, Metamethod, Value, float_modulo, float_to_integer, floor_divide, modulo, power, shift_left,
};

/// An operator that a metamethod can handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Operator {
    Add,
    Sub,
    Mul,
    Mod,
    Pow,
    Div,
    IDiv,
    BAnd,
    BOr,
    BXor,
    Shl,
    Shr,
    Unm,
    BNot,
}

impl Operator {
    /// The event of metatables.
    pub fn metamethod(self) -> Metamethod {
        match self {
            Operator::Add => Metamethod::Add,
            Operator::Sub => Metamethod::Sub,
            Operator::Mul => Metamethod::Mul,
            Operator::Mod => Metamethod::Mod,
            Operator::Pow => Metamethod::Pow,
            Operator::Div => Metamethod::Div,
            Operator::IDiv => Metamethod::IDiv,
            Operator::BAnd => Metamethod::BAnd,
            Operator::BOr => Metamethod::BOr,
            Operator::BXor => Metamethod::BXor,
            Operator::Shl => Metamethod::Shl,
            Operator::Shr => Metamethod::Shr,
            Operator::Unm => Metamethod::Unm,
            Operator::BNot => Metamethod::BNot,
        }
    }

    /// Whether it works on integers only.
    pub fn is_bitwise(self) -> bool {
        use Operator::*;
        matches!(self, BAnd | BOr | BXor | Shl | Shr | BNot)
    }
}

/// What an operation needs.
pub(crate) enum Computed {
    Value(Value),
    /// A metamethod, to be called with both operands.
    Call(Value),
}

/// The integer that a number stands for. Strings are not converted: arithmetic on them is up to their metatable.
pub(crate) fn exact_integer(value: Value) -> Option<i64> {
    match value {
        Value::Integer(i) => Some(i),
        Value::Float(f) => float_to_integer(f, FloatRounding::Exact),
        _ => None,
    }
}

impl Vm {
    /// An operation on numbers. `None` where the operands don't fit, or a metamethod must decide.
    pub(crate) fn raw_arithmetic(&mut self, operator: Operator, a: Value, b: Value) -> Result<Option<Value>, Throw> {
        use Operator::*;
        if operator.is_bitwise() {
            let (Some(x), Some(y)) = (exact_integer(a), exact_integer(b)) else { return Ok(None) };
            return Ok(Some(Value::Integer(match operator {
                BAnd => x & y,
                BOr => x | y,
                BXor => x ^ y,
                Shl => shift_left(x, y),
                Shr => shift_left(x, y.wrapping_neg()),
                _ => !x,
            })));
        }
        if let (Value::Integer(x), Value::Integer(y)) = (a, b) {
            let result = match operator {
                Add => x.wrapping_add(y),
                Sub => x.wrapping_sub(y),
                Mul => x.wrapping_mul(y),
                IDiv if y == 0 => return Err(self.runtime_error(b"attempt to divide by zero")),
                Mod if y == 0 => return Err(self.runtime_error(b"attempt to perform 'n%0'")),
                IDiv => floor_divide(x, y),
                Mod => modulo(x, y),
                Unm => x.wrapping_neg(),
                _ => return Ok(Some(float_arithmetic(operator, x as f64, y as f64))),
            };
            return Ok(Some(Value::Integer(result)));
        }
        match (a.as_float(), b.as_float()) {
            (Some(x), Some(y)) => Ok(Some(float_arithmetic(operator, x, y))),
            _ => Ok(None),
        }
    }

    /// An operation with metamethods, where errors name the operands.
    pub(crate) fn arithmetic(
        &mut self,
        operator: Operator,
        a: (Value, Operand),
        b: (Value, Operand),
    ) -> Result<Computed, Throw> {
        if let Some(value) = self.raw_arithmetic(operator, a.0, b.0)? {
            return Ok(Computed::Value(value));
        }
        let event = operator.metamethod();
        let mut handler = self.heap.metamethod_of(a.0, event);
        if handler.is_nil() {
            handler = self.heap.metamethod_of(b.0, event);
        }
        if handler.is_nil() {
            return Err(self.arithmetic_error(operator.is_bitwise(), a, b));
        }
        Ok(Computed::Call(handler))
    }

    /// An operation from inside a native function.
    pub(crate) fn arithmetic_nested(&mut self, operator: Operator, a: Value, b: Value) -> Result<Value, Throw> {
        match self.arithmetic(operator, (a, Operand::Constant), (b, Operand::Constant))? {
            Computed::Value(value) => Ok(value),
            Computed::Call(handler) => self.call_nested_1(handler, &[a, b]),
        }
    }
}

fn float_arithmetic(operator: Operator, a: f64, b: f64) -> Value {
    use Operator::*;
    Value::Float(match operator {
        Add => a + b,
        Sub => a - b,
        Mul => a * b,
        Div => a / b,
        Mod => float_modulo(a, b),
        Pow => power(a, b),
        IDiv => (a / b).floor(),
        _ => -a,
    })
}
