//! Operands: what is known of an expression's value before it is used.
//!
//! An expression is not loaded at once. It stays a constant, a variable, an indexed place or an instruction without a
//! destination until its user says in which form it wants the value, so that it lands where it is needed without a move.
//! The functions here are these forms: any register, the next register, a given register, a constant, a jump.

use super::constant::{Literal, Text};
use super::fold::Numeral;
use super::function_state::{FunctionState, Register, UpvalueIndex};
use super::jumps::JumpList;
use crate::bytecode::{Instruction, Opcode};
use crate::value::{FloatRounding, float_to_integer};

/// Where the value of an expression is, or how to get it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'t> {
    Nil,
    True,
    False,
    Integer(i64),
    Float(f64),
    String(Text<'t>),
    /// In a register: a temporary, or a variable that is only read.
    Register(Register),
    /// A local variable.
    Local(Register),
    /// An upvalue.
    Upvalue(UpvalueIndex),
    /// `Up[table][K[key]]`
    IndexUpvalue {
        table: UpvalueIndex,
        key: u8,
    },
    /// `R[table][key]`
    IndexInteger {
        table: Register,
        key: u8,
    },
    /// `R[table][K[key]]`
    IndexField {
        table: Register,
        key: u8,
    },
    /// `R[table][R[key]]`
    Index {
        table: Register,
        key: Register,
    },
    /// The result of the instruction at this address, whose operand A is still free.
    Pending(usize),
    /// True where the jump at this address is taken.
    Comparison(usize),
    /// The results of the `Call` at this address.
    Call(usize),
    /// The results of the `Vararg` at this address.
    Vararg(usize),
}

impl Place<'_> {
    /// Whether it is an element of a table.
    pub(super) fn is_indexed(&self) -> bool {
        matches!(
            self,
            Place::IndexUpvalue { .. } | Place::IndexInteger { .. } | Place::IndexField { .. } | Place::Index { .. }
        )
    }

    /// Whether it can have any number of values.
    pub(super) fn is_multiple(&self) -> bool {
        matches!(self, Place::Call(_) | Place::Vararg(_))
    }
}

/// An expression whose code up to its last operation is emitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand<'t> {
    pub(super) place: Place<'t>,
    /// Jumps taken where it is true.
    pub(super) when_true: JumpList,
    /// Jumps taken where it is false.
    pub(super) when_false: JumpList,
}

impl<'t> From<Place<'t>> for Operand<'t> {
    fn from(place: Place<'t>) -> Self {
        Operand { place, when_true: JumpList::default(), when_false: JumpList::default() }
    }
}

impl<'t> Operand<'t> {
    /// Whether jumps leave it with a value.
    pub(super) fn has_jumps(&self) -> bool {
        !self.when_true.is_empty() || !self.when_false.is_empty()
    }

    /// Its number, if it is a numeral.
    pub(super) fn numeral(&self) -> Option<Numeral> {
        match self.place {
            _ if self.has_jumps() => None,
            Place::Integer(value) => Some(Numeral::Integer(value)),
            Place::Float(value) => Some(Numeral::Float(value)),
            _ => None,
        }
    }

    /// Its value as an immediate integer.
    pub(super) fn immediate(&self) -> Option<i8> {
        match self.numeral()? {
            Numeral::Integer(value) => i8::try_from(value).ok(),
            Numeral::Float(_) => None,
        }
    }

    /// Its value as an immediate integer, for comparing where integers and floats are alike.
    pub(super) fn immediate_number(&self) -> Option<i8> {
        match self.numeral()? {
            Numeral::Integer(value) => i8::try_from(value).ok(),
            Numeral::Float(value) => i8::try_from(float_to_integer(value, FloatRounding::Exact)?).ok(),
        }
    }

    /// Its value, if that is known.
    pub(super) fn literal(&self) -> Option<Literal<'t>> {
        if self.has_jumps() {
            return None;
        }
        Some(match self.place {
            Place::Nil => Literal::Nil,
            Place::True => Literal::Boolean(true),
            Place::False => Literal::Boolean(false),
            Place::Integer(value) => Literal::Integer(value),
            Place::Float(value) => Literal::Float(value),
            Place::String(text) => Literal::String(text),
            _ => return None,
        })
    }
}

impl FunctionState {
    /// Make sure that an operand is one value and no variable: emit what reads it.
    #[inline]
    pub(super) fn discharge(&mut self, operand: &mut Operand) {
        if !matches!(operand.place, Place::Register(_) | Place::Integer(_) | Place::String(_) | Place::Pending(_)) {
            operand.place = self.discharged(operand.place);
        }
    }

    fn discharged<'t>(&mut self, place: Place<'t>) -> Place<'t> {
        match place {
            Place::Local(register) => Place::Register(register),
            Place::Upvalue(index) => Place::Pending(self.emit_abc(Opcode::GetUpval, 0, index.0, 0)),
            Place::IndexUpvalue { table, key } => Place::Pending(self.emit_abc(Opcode::GetTabUp, 0, table.0, key)),
            Place::IndexInteger { table, key } => {
                self.free_register(table);
                Place::Pending(self.emit_abc(Opcode::GetI, 0, table.0, key))
            }
            Place::IndexField { table, key } => {
                self.free_register(table);
                Place::Pending(self.emit_abc(Opcode::GetField, 0, table.0, key))
            }
            Place::Index { table, key } => {
                self.free_registers(table, Some(key));
                Place::Pending(self.emit_abc(Opcode::GetTable, 0, table.0, key.0))
            }
            // Calls are emitted with one result.
            Place::Call(pc) => Place::Register(Register(self.code[pc].a())),
            Place::Vararg(pc) => {
                self.set_c(pc, 2);
                Place::Pending(pc)
            }
            place => place,
        }
    }

    /// Free the register of an operand, if it is in a temporary.
    pub(super) fn free_operand(&mut self, operand: &Operand) {
        if let Place::Register(register) = operand.place {
            self.free_register(register);
        }
    }

    /// Put the value of an operand into a register, its jumps and comparisons aside.
    fn discharge_into(&mut self, operand: &mut Operand, target: Register) {
        self.discharge(operand);
        match operand.place {
            Place::Nil => self.emit_nil(target.0 as usize, 1),
            Place::False => {
                self.emit_abc(Opcode::LoadFalse, target.0, 0, 0);
            }
            Place::True => {
                self.emit_abc(Opcode::LoadTrue, target.0, 0, 0);
            }
            Place::Integer(value) => self.emit_integer(target, value),
            Place::Float(value) => self.emit_float(target, value),
            Place::String(text) => {
                let constant = self.constant(Literal::String(text));
                self.emit_constant(target, constant);
            }
            Place::Pending(pc) => self.set_a(pc, target.0),
            Place::Register(register) => {
                if register != target {
                    self.emit_abc(Opcode::Move, target.0, register.0, 0);
                }
            }
            _ => return,
        }
        operand.place = Place::Register(target);
    }

    /// Put the value of an operand, whichever way it is reached, into a register.
    pub(super) fn place_in(&mut self, mut operand: Operand, target: Register) {
        self.discharge_into(&mut operand, target);
        let is_comparison = match operand.place {
            Place::Comparison(jump) => {
                operand.when_true = self.join(operand.when_true, JumpList::one(jump));
                true
            }
            _ => false,
        };
        if !operand.has_jumps() {
            return;
        }
        let (mut load_false, mut load_true) = (0, 0);
        if self.lacks_value(operand.when_true) || self.lacks_value(operand.when_false) {
            let skip = if is_comparison { JumpList::default() } else { JumpList::one(self.emit_jump()) };
            load_false = self.mark_target();
            self.emit_abc(Opcode::LFalseSkip, target.0, 0, 0);
            load_true = self.mark_target();
            self.emit_abc(Opcode::LoadTrue, target.0, 0, 0);
            self.patch_to_here(skip);
        }
        let end = self.mark_target();
        self.patch_with_value(operand.when_false, end, Some(target), load_false);
        self.patch_with_value(operand.when_true, end, Some(target), load_true);
    }

    /// Put the value of an operand into the next free register.
    pub(super) fn load_next_register(&mut self, mut operand: Operand) -> Register {
        self.discharge(&mut operand);
        self.free_operand(&operand);
        let target = self.reserve(1);
        self.place_in(operand, target);
        target
    }

    /// Put the value of an operand into some register, if it isn't in one.
    pub(super) fn load_any_register(&mut self, mut operand: Operand) -> Register {
        self.discharge(&mut operand);
        if let Place::Register(register) = operand.place {
            if !operand.has_jumps() {
                return register;
            }
            if register.0 as usize >= self.variable_registers {
                self.place_in(operand, register);
                return register;
            }
            // The register of a variable cannot take the values that jumps bring.
        }
        self.load_next_register(operand)
    }

    /// Make an operand a register or a constant expression without jumps.
    pub(super) fn load_value<'t>(&mut self, mut operand: Operand<'t>) -> Operand<'t> {
        if operand.has_jumps() || matches!(operand.place, Place::Comparison(_)) {
            return Place::Register(self.load_any_register(operand)).into();
        }
        self.discharge(&mut operand);
        operand
    }

    /// The place of an operand in the part of the constant table that an 8-bit operand reaches, if it is a constant.
    pub(super) fn short_constant(&mut self, operand: &Operand) -> Option<u8> {
        let constant = operand.literal()?;
        u8::try_from(self.constant(constant).0).ok()
    }

    /// Emit the place `table[key]`. The table is in a register or an upvalue.
    pub(super) fn index<'t>(&mut self, table: Operand<'t>, key: Operand<'t>) -> Operand<'t> {
        let field = match key.place {
            Place::String(_) => self.short_constant(&key),
            _ => None,
        };
        let place = match (table.place, field) {
            (Place::Upvalue(table), Some(key)) => Place::IndexUpvalue { table, key },
            (place, field) => {
                let table = self.load_any_register(place.into());
                match (field, &key.place) {
                    (Some(key), _) => Place::IndexField { table, key },
                    (None, Place::Integer(value @ 0..=255)) if !key.has_jumps() => {
                        Place::IndexInteger { table, key: *value as u8 }
                    }
                    _ => Place::Index { table, key: self.load_any_register(key) },
                }
            }
        };
        place.into()
    }

    /// Prepare an operand to be indexed: in a register, or an upvalue.
    pub(super) fn load_table<'t>(&mut self, operand: Operand<'t>) -> Operand<'t> {
        match operand.place {
            Place::Upvalue(_) if !operand.has_jumps() => operand,
            _ => Place::Register(self.load_any_register(operand)).into(),
        }
    }

    /// Assign the value of an operand to a variable or an element of a table.
    pub(super) fn store(&mut self, target: &Place, mut value: Operand) {
        // The forms of a store: with the value in a register, and with a constant.
        let (in_register, with_constant, a, b) = match *target {
            Place::Local(register) => {
                self.discharge(&mut value);
                self.free_operand(&value);
                return self.place_in(value, register);
            }
            Place::Upvalue(index) => {
                let register = self.load_any_register(value);
                self.emit_abc(Opcode::SetUpval, register.0, index.0, 0);
                return self.free_register(register);
            }
            Place::IndexUpvalue { table, key } => (Opcode::SetTabUp, Opcode::SetTabUpK, table.0, key),
            Place::IndexInteger { table, key } => (Opcode::SetI, Opcode::SetIK, table.0, key),
            Place::IndexField { table, key } => (Opcode::SetField, Opcode::SetFieldK, table.0, key),
            Place::Index { table, key } => (Opcode::SetTable, Opcode::SetTableK, table.0, key.0),
            _ => unreachable!("the parser lets only variables and elements be assigned"),
        };
        match self.short_constant(&value) {
            Some(constant) => {
                self.emit_abc(with_constant, a, b, constant);
            }
            None => {
                let register = self.load_any_register(value);
                self.emit_abc(in_register, a, b, register.0);
                self.free_register(register);
            }
        }
    }

    /// Let an operand with any number of values give all of them, up to the top.
    pub(super) fn set_all_results(&mut self, operand: &Operand) {
        self.set_results(operand, None);
    }

    /// Let an operand with any number of values give `count` of them (`None`: all), from the next free register on.
    pub(super) fn set_results(&mut self, operand: &Operand, count: Option<usize>) {
        let encoded = count.map_or(0, |count| (count + 1) as u8);
        match operand.place {
            Place::Call(pc) => self.set_c(pc, encoded),
            Place::Vararg(pc) => {
                let first = self.reserve(1);
                self.code[pc] = Instruction::abc(Opcode::Vararg, first.0, 0, encoded);
            }
            _ => {}
        }
    }

    /// Emit what goes on where the operand is true; the jumps for where it is false.
    pub(super) fn go_if_true(&mut self, mut operand: Operand) -> JumpList {
        self.discharge(&mut operand);
        let jump = match operand.place {
            Place::Comparison(jump) => {
                self.negate(jump);
                JumpList::one(jump)
            }
            Place::Integer(_) | Place::Float(_) | Place::String(_) | Place::True => JumpList::default(),
            place => JumpList::one(self.emit_conditional_jump(place, false)),
        };
        let when_false = self.join(operand.when_false, jump);
        self.patch_to_here(operand.when_true);
        when_false
    }

    /// Emit what goes on where the operand is false; the jumps for where it is true.
    pub(super) fn go_if_false(&mut self, mut operand: Operand) -> JumpList {
        self.discharge(&mut operand);
        let jump = match operand.place {
            Place::Comparison(jump) => JumpList::one(jump),
            Place::Nil | Place::False => JumpList::default(),
            place => JumpList::one(self.emit_conditional_jump(place, true)),
        };
        let when_true = self.join(operand.when_true, jump);
        self.patch_to_here(operand.when_false);
        when_true
    }

    /// Emit a jump that is taken when the truth of a place, which is discharged, is `truth`.
    fn emit_conditional_jump(&mut self, place: Place, truth: bool) -> usize {
        if let Place::Pending(pc) = place {
            let instruction = self.code[pc];
            if instruction.opcode() == Opcode::Not {
                // Test the operand of the `not` for the opposite.
                self.remove_last();
                return self.emit_test(Instruction::abc(Opcode::Test, instruction.b(), 0, !truth as u8));
            }
        }
        let register = match place {
            Place::Register(register) => register,
            _ => {
                let register = self.reserve(1);
                self.discharge_into(&mut place.into(), register);
                register
            }
        };
        self.free_register(register);
        self.emit_truth_test(register, truth)
    }
}
