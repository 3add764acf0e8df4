//! Constant folding: operators whose operands are numerals.
//!
//! Folded is only what gives the same value at run time without any error: no division by zero, no bitwise operator on a
//! float without an integer representation. A result that is NaN or a zero float is not folded either, so that the constant
//! table never has to tell apart the many NaNs, nor constant expressions the two zeros.

use crate::syntax::ast::{BinaryOperator, UnaryOperator};
use crate::value::{FloatRounding, float_modulo, float_to_integer, floor_divide, modulo, power, shift_left};

/// A number known while compiling.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Numeral {
    Integer(i64),
    Float(f64),
}

impl Numeral {
    fn to_float(self) -> f64 {
        match self {
            Numeral::Integer(value) => value as f64,
            Numeral::Float(value) => value,
        }
    }

    fn to_integer(self) -> Option<i64> {
        match self {
            Numeral::Integer(value) => Some(value),
            Numeral::Float(value) => float_to_integer(value, FloatRounding::Exact),
        }
    }
}

/// The value of an arithmetic or bitwise operation, if it can be folded.
pub(super) fn binary(operator: BinaryOperator, left: Numeral, right: Numeral) -> Option<Numeral> {
    use BinaryOperator as Op;
    let result = match operator {
        Op::BitAnd | Op::BitOr | Op::BitXor | Op::ShiftLeft | Op::ShiftRight => {
            let (left, right) = (left.to_integer()?, right.to_integer()?);
            Numeral::Integer(match operator {
                Op::BitAnd => left & right,
                Op::BitOr => left | right,
                Op::BitXor => left ^ right,
                Op::ShiftLeft => shift_left(left, right),
                _ => shift_left(left, right.wrapping_neg()),
            })
        }
        Op::Divide | Op::FloorDivide | Op::Modulo if right.to_float() == 0.0 => return None,
        Op::Divide => Numeral::Float(left.to_float() / right.to_float()),
        Op::Power => Numeral::Float(power(left.to_float(), right.to_float())),
        Op::Add | Op::Subtract | Op::Multiply | Op::FloorDivide | Op::Modulo => match (left, right) {
            (Numeral::Integer(left), Numeral::Integer(right)) => Numeral::Integer(match operator {
                Op::Add => left.wrapping_add(right),
                Op::Subtract => left.wrapping_sub(right),
                Op::Multiply => left.wrapping_mul(right),
                Op::FloorDivide => floor_divide(left, right),
                _ => modulo(left, right),
            }),
            _ => {
                let (left, right) = (left.to_float(), right.to_float());
                Numeral::Float(match operator {
                    Op::Add => left + right,
                    Op::Subtract => left - right,
                    Op::Multiply => left * right,
                    Op::FloorDivide => (left / right).floor(),
                    _ => float_modulo(left, right),
                })
            }
        },
        _ => return None,
    };
    foldable(result)
}

/// The value of `-` or `~`, if it can be folded.
pub(super) fn unary(operator: UnaryOperator, operand: Numeral) -> Option<Numeral> {
    foldable(match (operator, operand) {
        (UnaryOperator::Negate, Numeral::Integer(value)) => Numeral::Integer(value.wrapping_neg()),
        (UnaryOperator::Negate, Numeral::Float(value)) => Numeral::Float(-value),
        (UnaryOperator::BitNot, _) => Numeral::Integer(!operand.to_integer()?),
        (UnaryOperator::Not | UnaryOperator::Length, _) => return None,
    })
}

fn foldable(result: Numeral) -> Option<Numeral> {
    match result {
        Numeral::Float(value) if value.is_nan() || value == 0.0 => None,
        _ => Some(result),
    }
}

#[cfg(test)]
mod tests {
    use super::Numeral::{Float, Integer};
    use super::*;
    use BinaryOperator as Op;

    #[test]
    fn integer_arithmetic_wraps_around() {
        assert_eq!(binary(Op::Add, Integer(i64::MAX), Integer(1)), Some(Integer(i64::MIN)));
        assert_eq!(binary(Op::FloorDivide, Integer(i64::MIN), Integer(-1)), Some(Integer(i64::MIN)));
        assert_eq!(binary(Op::Modulo, Integer(i64::MIN), Integer(-1)), Some(Integer(0)));
        assert_eq!(unary(UnaryOperator::Negate, Integer(i64::MIN)), Some(Integer(i64::MIN)));
    }

    #[test]
    fn division_and_modulo_round_to_minus_infinity() {
        assert_eq!(binary(Op::FloorDivide, Integer(-7), Integer(2)), Some(Integer(-4)));
        assert_eq!(binary(Op::Modulo, Integer(-7), Integer(2)), Some(Integer(1)));
        assert_eq!(binary(Op::Modulo, Integer(7), Integer(-2)), Some(Integer(-1)));
        assert_eq!(binary(Op::Modulo, Float(-5.5), Float(2.0)), Some(Float(0.5)));
        assert_eq!(binary(Op::Modulo, Float(5.0), Float(f64::NEG_INFINITY)), Some(Float(f64::NEG_INFINITY)));
    }

    #[test]
    fn errors_nan_and_zero_floats_are_left_to_run_time() {
        assert_eq!(binary(Op::FloorDivide, Integer(1), Integer(0)), None);
        assert_eq!(binary(Op::Divide, Float(1.0), Float(-0.0)), None);
        assert_eq!(binary(Op::BitAnd, Float(1.5), Integer(1)), None);
        assert_eq!(binary(Op::Subtract, Float(f64::INFINITY), Float(f64::INFINITY)), None);
        assert_eq!(binary(Op::Subtract, Float(1.0), Integer(1)), None);
        assert_eq!(unary(UnaryOperator::Negate, Float(0.0)), None);
    }

    #[test]
    fn shifts_by_more_than_a_word_give_zero_and_negative_ones_turn_round() {
        assert_eq!(binary(Op::ShiftLeft, Integer(1), Integer(63)), Some(Integer(i64::MIN)));
        assert_eq!(binary(Op::ShiftLeft, Integer(1), Integer(64)), Some(Integer(0)));
        assert_eq!(binary(Op::ShiftLeft, Integer(-1), Integer(-63)), Some(Integer(1)));
        assert_eq!(binary(Op::ShiftRight, Integer(-1), Integer(i64::MIN)), Some(Integer(0)));
        assert_eq!(binary(Op::ShiftRight, Float(8.0), Integer(2)), Some(Integer(2)));
    }
}
