//! Operators: folding, the forms with constants and immediates, comparisons as jumps.
//!
//! A binary operator is compiled in two parts, as its left operand must reach its final form before the code of the right
//! one: [`FunctionState::prepare_left`], then the right operand, then [`FunctionState::finish_binary`].
//!
//! Metamethods see the operands in the order of the source. So only a constant on the right is used directly by
//! arithmetic; comparisons may exchange sides, because `a > b` *means* `b < a`.

use super::fold::{self, Numeral};
use super::function_state::{FunctionState, Register};
use super::operand::{Operand, Place};
use crate::bytecode::{Instruction, Opcode};
use crate::syntax::ast::{BinaryOperator, UnaryOperator};

/// The instructions of an arithmetic or bitwise operator.
struct Forms {
    registers: Opcode,
    constant: Option<Opcode>,
    immediate: Option<Opcode>,
}

fn forms(operator: BinaryOperator) -> Option<Forms> {
    use BinaryOperator as Op;
    let (registers, constant, immediate) = match operator {
        Op::Add => (Opcode::Add, Some(Opcode::AddK), Some(Opcode::AddI)),
        Op::Subtract => (Opcode::Sub, Some(Opcode::SubK), Some(Opcode::SubI)),
        Op::Multiply => (Opcode::Mul, Some(Opcode::MulK), None),
        Op::Divide => (Opcode::Div, Some(Opcode::DivK), None),
        Op::FloorDivide => (Opcode::IDiv, Some(Opcode::IDivK), None),
        Op::Modulo => (Opcode::Mod, Some(Opcode::ModK), None),
        Op::Power => (Opcode::Pow, Some(Opcode::PowK), None),
        Op::BitAnd => (Opcode::BAnd, Some(Opcode::BAndK), None),
        Op::BitOr => (Opcode::BOr, Some(Opcode::BOrK), None),
        Op::BitXor => (Opcode::BXor, Some(Opcode::BXorK), None),
        Op::ShiftLeft => (Opcode::Shl, None, Some(Opcode::ShlI)),
        Op::ShiftRight => (Opcode::Shr, None, Some(Opcode::ShrI)),
        _ => return None,
    };
    Some(Forms { registers, constant, immediate })
}

impl FunctionState {
    /// Bring the left operand of a binary operator into the form that it keeps while the right one is computed.
    pub(super) fn prepare_left<'t>(&mut self, operator: BinaryOperator, mut left: Operand<'t>) -> Operand<'t> {
        use BinaryOperator as Op;
        self.discharge(&mut left);
        match operator {
            Op::And => {
                let when_false = self.go_if_true(left);
                Operand { when_false, ..Place::Nil.into() }
            }
            Op::Or => {
                let when_true = self.go_if_false(left);
                Operand { when_true, ..Place::Nil.into() }
            }
            Op::Concat => Place::Register(self.load_next_register(left)).into(),
            // A constant may still be folded or become part of the instruction.
            Op::Equal | Op::NotEqual => match left.numeral().is_some() || self.short_constant(&left).is_some() {
                true => left,
                false => Place::Register(self.load_any_register(left)).into(),
            },
            Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual => match left.immediate() {
                Some(_) => left,
                None => Place::Register(self.load_any_register(left)).into(),
            },
            _ if left.numeral().is_some() => left,
            _ => Place::Register(self.load_any_register(left)).into(),
        }
    }

    /// Emit a binary operation. `line` is that of the operator.
    pub(super) fn finish_binary<'t>(
        &mut self,
        operator: BinaryOperator,
        left: Operand<'t>,
        mut right: Operand<'t>,
        line: u32,
    ) -> Operand<'t> {
        use BinaryOperator as Op;
        self.discharge(&mut right);
        if let (Some(left), Some(right)) = (left.numeral(), right.numeral())
            && let Some(result) = fold::binary(operator, left, right)
        {
            return numeral_operand(result);
        }
        match operator {
            Op::And => {
                right.when_false = self.join(right.when_false, left.when_false);
                right
            }
            Op::Or => {
                right.when_true = self.join(right.when_true, left.when_true);
                right
            }
            Op::Concat => self.concat(left, right, line),
            Op::Equal => self.equality(true, left, right),
            Op::NotEqual => self.equality(false, left, right),
            Op::Less => self.order(true, left, right),
            Op::LessEqual => self.order(false, left, right),
            Op::Greater => self.order(true, right, left),
            Op::GreaterEqual => self.order(false, right, left),
            _ => match forms(operator) {
                Some(forms) => self.arithmetic(&forms, left, right, line),
                None => unreachable!("all other operators are matched above"),
            },
        }
    }

    fn arithmetic<'t>(&mut self, forms: &Forms, left: Operand<'t>, right: Operand<'t>, line: u32) -> Operand<'t> {
        let is_bitwise = matches!(forms.registers, Opcode::BAnd | Opcode::BOr | Opcode::BXor);
        let usable = match right.numeral() {
            Some(Numeral::Integer(_)) => true,
            Some(Numeral::Float(_)) => !is_bitwise,
            None => false,
        };
        let (opcode, c, right_register) = if let Some(opcode) = forms.immediate
            && let Some(value) = right.immediate()
        {
            (opcode, value as u8, None)
        } else if let Some(opcode) = forms.constant
            && usable
            && let Some(constant) = self.short_constant(&right)
        {
            (opcode, constant, None)
        } else {
            let register = self.load_any_register(right);
            (forms.registers, register.0, Some(register))
        };
        let left = self.load_any_register(left);
        let pc = self.emit_abc(opcode, 0, left.0, c);
        self.free_registers(left, right_register);
        self.fix_line(line);
        Place::Pending(pc).into()
    }

    /// Both operands are in consecutive registers. A chain of concatenations becomes one instruction.
    fn concat<'t>(&mut self, left: Operand<'t>, right: Operand<'t>, line: u32) -> Operand<'t> {
        let first = self.load_any_register(left);
        let second = self.load_next_register(right);
        match self.previous() {
            Some(previous) if previous.opcode() == Opcode::Concat && previous.a() == second.0 => {
                *previous = Instruction::abc(Opcode::Concat, first.0, previous.b() + 1, 0);
            }
            _ => {
                self.emit_abc(Opcode::Concat, first.0, 2, 0);
                self.fix_line(line);
            }
        }
        self.free_register(second);
        Place::Register(first).into()
    }

    /// `left == right`, or its opposite. Constants have no metamethods, so the sides may be exchanged.
    fn equality<'t>(&mut self, equal: bool, mut left: Operand<'t>, mut right: Operand<'t>) -> Operand<'t> {
        if !matches!(left.place, Place::Register(_)) {
            std::mem::swap(&mut left, &mut right);
        }
        let left = self.load_any_register(left);
        let (opcode, b, right_register) = if let Some(value) = right.immediate_number() {
            (Opcode::EqI, value as u8, None)
        } else if let Some(constant) = self.short_constant(&right) {
            (Opcode::EqK, constant, None)
        } else {
            let register = self.load_any_register(right);
            (Opcode::Eq, register.0, Some(register))
        };
        self.comparison(opcode, left, b, right_register, equal)
    }

    /// `left < right` if `strict`, else `left <= right`.
    fn order<'t>(&mut self, strict: bool, left: Operand<'t>, right: Operand<'t>) -> Operand<'t> {
        let choose = |if_strict, otherwise| if strict { if_strict } else { otherwise };
        if let Some(value) = right.immediate() {
            let left = self.load_any_register(left);
            self.comparison(choose(Opcode::LtI, Opcode::LeI), left, value as u8, None, true)
        } else if let Some(value) = left.immediate() {
            let right = self.load_any_register(right);
            self.comparison(choose(Opcode::GtI, Opcode::GeI), right, value as u8, None, true)
        } else {
            let left = self.load_any_register(left);
            let right = self.load_any_register(right);
            self.comparison(choose(Opcode::Lt, Opcode::Le), left, right.0, Some(right), true)
        }
    }

    fn comparison<'t>(
        &mut self,
        opcode: Opcode,
        a: Register,
        b: u8,
        second: Option<Register>,
        holds: bool,
    ) -> Operand<'t> {
        self.free_registers(a, second);
        Place::Comparison(self.emit_test(Instruction::abc(opcode, a.0, b, holds as u8))).into()
    }

    /// Emit an operator with one operand. `line` is that of the operator.
    pub(super) fn unary<'t>(&mut self, operator: UnaryOperator, mut operand: Operand<'t>, line: u32) -> Operand<'t> {
        self.discharge(&mut operand);
        if let Some(value) = operand.numeral()
            && let Some(result) = fold::unary(operator, value)
        {
            return numeral_operand(result);
        }
        let opcode = match operator {
            UnaryOperator::Negate => Opcode::Unm,
            UnaryOperator::BitNot => Opcode::BNot,
            UnaryOperator::Length => Opcode::Len,
            UnaryOperator::Not => return self.not(operand),
        };
        let register = self.load_any_register(operand);
        self.free_register(register);
        let pc = self.emit_abc(opcode, 0, register.0, 0);
        self.fix_line(line);
        Place::Pending(pc).into()
    }

    fn not<'t>(&mut self, operand: Operand<'t>) -> Operand<'t> {
        let Operand { place, when_true, when_false } = operand;
        let place = match place {
            Place::Nil | Place::False => Place::True,
            Place::Integer(_) | Place::Float(_) | Place::String(_) | Place::True => Place::False,
            Place::Comparison(jump) => {
                self.negate(jump);
                Place::Comparison(jump)
            }
            place => {
                // The jumps stay apart: they do not come to this value.
                let register = match place {
                    Place::Register(register) => register,
                    place => self.load_next_register(place.into()),
                };
                self.free_register(register);
                Place::Pending(self.emit_abc(Opcode::Not, 0, register.0, 0))
            }
        };
        // The negated values are booleans, which the tests do not deliver.
        self.drop_values(when_true);
        self.drop_values(when_false);
        Operand { place, when_true: when_false, when_false: when_true }
    }
}

fn numeral_operand<'t>(value: Numeral) -> Operand<'t> {
    Operand::from(match value {
        Numeral::Integer(value) => Place::Integer(value),
        Numeral::Float(value) => Place::Float(value),
    })
}
