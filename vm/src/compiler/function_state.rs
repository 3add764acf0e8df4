//! The function being compiled: its code, constants, registers and lines.
//!
//! Instructions are emitted here and nowhere else. Registers are a stack: those of the active variables at the bottom,
//! temporaries above them, freed in the reverse of the order in which they were taken. The collector relies on that: an
//! instruction that allocates or calls has every live register below its own.
//!
//! A limit that is exceeded (registers, constants, distance of a jump) does not stop the emission; the first such
//! [`Failure`] is kept and the compiler reports it at the end of the statement. Until then the code is well formed but
//! wrong, and it is thrown away.

use super::constant::{ConstantKey, Literal};
use super::scope::{Block, Goto, Label, Variable};
use crate::bytecode::{
    Constant, Instruction, LocalVariable, MAX_LOCALS, MAX_REGISTERS, Opcode, Template, UpvalueDescription,
};
use crate::hash::Keyed;
use crate::syntax::limit_message;
use std::collections::HashMap;
use std::rc::Rc;

/// A table of constants with more room than this is not kept for the next function: to empty it takes its time.
const MOST_KEPT: usize = 1000;

/// A register of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Register(pub(super) u8);

/// An entry of the constant table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConstantIndex(pub(super) u32);

/// An upvalue of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UpvalueIndex(pub(super) u8);

/// A limit that the function exceeds.
#[derive(Debug)]
pub(super) struct Failure {
    /// What is wrong, without the position.
    pub(super) message: String,
    /// Line that the compiler was at.
    pub(super) line: u32,
}

/// A function while it is compiled.
#[derive(Default)]
pub(super) struct FunctionState {
    /// The code so far, with a line for each instruction.
    pub(super) code: Vec<Instruction>,
    lines: Vec<u32>,
    /// Line of the last token that the source order of tokens has passed; the next instruction gets it.
    pub(super) line: u32,
    /// No instruction at or after this address may be merged with one before it, since a jump arrives between them.
    pub(super) last_target: usize,
    constants: Vec<Constant>,
    constant_indices: HashMap<ConstantKey, u32, Keyed>,
    /// Strings that variables are known to hold.
    pub(super) texts: Vec<Rc<[u8]>>,
    /// Functions inside this one.
    prototypes: Vec<Template>,
    /// Upvalues found so far.
    pub(super) upvalues: Vec<UpvalueDescription>,
    /// Debug information of all variables so far.
    pub(super) locals: Vec<LocalVariable>,
    /// The variables in scope, outermost first.
    pub(super) variables: Vec<Variable>,
    /// How many registers the variables in scope take.
    pub(super) variable_registers: usize,
    /// The open blocks, outermost first.
    pub(super) blocks: Vec<Block>,
    /// The labels that are visible.
    pub(super) labels: Vec<Label>,
    /// The jumps whose label has not come yet.
    pub(super) gotos: Vec<Goto>,
    /// Whether returning must close upvalues or variables.
    pub(super) needs_close: bool,
    /// The first register that is not in use.
    pub(super) free: usize,
    max_stack: usize,
    /// Named parameters.
    pub(super) parameters: u8,
    /// Whether there are extra arguments.
    pub(super) variadic: bool,
    /// Line of the word `function`; 0 for a main chunk.
    pub(super) line_defined: u32,
    /// The first limit exceeded.
    pub(super) failure: Option<Failure>,
}

impl FunctionState {
    /// A function with room for so many instructions, and for as much of the rest as usually goes with them.
    pub(super) fn with_room(instructions: usize) -> Self {
        FunctionState {
            code: Vec::with_capacity(instructions),
            lines: Vec::with_capacity(instructions),
            constants: Vec::with_capacity(instructions / 4),
            constant_indices: HashMap::with_capacity_and_hasher(instructions / 4, Keyed::default()),
            prototypes: Vec::with_capacity(instructions / 16),
            locals: Vec::with_capacity(instructions / 4),
            variables: Vec::with_capacity(MAX_LOCALS.min(instructions / 4)),
            ..FunctionState::default()
        }
    }

    /// Begin a function that is defined at `line_defined`; the compiler is at `line`. Nothing is left of the one before but
    /// the memory that it took.
    pub(super) fn begin(&mut self, line_defined: u32, line: u32) {
        self.code.clear();
        self.lines.clear();
        self.line = line;
        self.last_target = 0;
        self.constants.clear();
        if self.constant_indices.capacity() > MOST_KEPT {
            self.constant_indices = HashMap::default();
        }
        self.constant_indices.clear();
        self.texts.clear();
        self.prototypes.clear();
        self.upvalues.clear();
        self.locals.clear();
        self.variables.clear();
        self.variable_registers = 0;
        self.blocks.clear();
        self.labels.clear();
        self.gotos.clear();
        self.needs_close = false;
        self.free = 0;
        self.max_stack = 2;
        self.parameters = 0;
        self.variadic = false;
        self.line_defined = line_defined;
        self.failure = None;
    }

    /// The finished function.
    pub(super) fn finish(&mut self, source: Rc<[u8]>, last_line_defined: u32) -> Template {
        self.adjust_returns();
        self.shorten_jumps();
        Template {
            source,
            line_defined: self.line_defined,
            last_line_defined,
            parameters: self.parameters,
            variadic: self.variadic,
            // Where it does not fit, `failure` is set.
            max_stack: self.max_stack.min(MAX_REGISTERS) as u8,
            code: Rc::from(self.code.as_slice()),
            constants: self.constants.drain(..).collect(),
            upvalues: self.upvalues.drain(..).collect(),
            prototypes: self.prototypes.drain(..).collect(),
            lines: Rc::from(self.lines.as_slice()),
            locals: self.locals.drain(..).collect(),
        }
    }

    /// Whether a return must close something is known only once the whole function is compiled.
    fn adjust_returns(&mut self) {
        if !self.needs_close {
            return;
        }
        for instruction in &mut self.code {
            let (a, b) = (instruction.a(), instruction.b());
            *instruction = match instruction.opcode() {
                Opcode::Return0 => Instruction::abc(Opcode::Return, a, 1, 1),
                Opcode::Return1 => Instruction::abc(Opcode::Return, a, 2, 1),
                opcode @ (Opcode::Return | Opcode::TailCall) => Instruction::abc(opcode, a, b, 1),
                _ => continue,
            };
        }
    }

    /// Remember that a limit is exceeded, unless one was before.
    pub(super) fn fail(&mut self, message: impl Into<String>) {
        if self.failure.is_none() {
            self.failure = Some(Failure { message: message.into(), line: self.line });
        }
    }

    /// As [`Self::fail`], for a countable thing of which one function has too many.
    pub(super) fn fail_limit(&mut self, what: &str, limit: usize) {
        self.fail(limit_message(what, limit, self.line_defined));
    }

    /// Go on to a token at `line`. Nodes that are made rather than parsed have line 0 and change nothing.
    pub(super) fn at_line(&mut self, line: u32) {
        if line != 0 {
            self.line = line;
        }
    }

    // Code.

    /// The address of the next instruction.
    pub(super) fn pc(&self) -> usize {
        self.code.len()
    }

    /// Add an instruction; its address.
    pub(super) fn emit(&mut self, instruction: Instruction) -> usize {
        self.code.push(instruction);
        self.lines.push(self.line);
        self.code.len() - 1
    }

    /// Add an instruction with operands A, B and C; its address.
    pub(super) fn emit_abc(&mut self, opcode: Opcode, a: u8, b: u8, c: u8) -> usize {
        self.emit(Instruction::abc(opcode, a, b, c))
    }

    /// Take the last instruction away again.
    pub(super) fn remove_last(&mut self) {
        self.code.pop();
        self.lines.pop();
    }

    /// Give the last instruction another line.
    pub(super) fn fix_line(&mut self, line: u32) {
        if let Some(last) = self.lines.last_mut()
            && line != 0
        {
            *last = line;
        }
    }

    /// The last instruction, unless a jump may arrive after it.
    pub(super) fn previous(&mut self) -> Option<&mut Instruction> {
        if self.code.len() > self.last_target { self.code.last_mut() } else { None }
    }

    /// Change operand A of the instruction at `pc`.
    pub(super) fn set_a(&mut self, pc: usize, a: u8) {
        let old = self.code[pc];
        self.code[pc] = Instruction::abc(old.opcode(), a, old.b(), old.c());
    }

    /// Change operand C of the instruction at `pc`.
    pub(super) fn set_c(&mut self, pc: usize, c: u8) {
        let old = self.code[pc];
        self.code[pc] = Instruction::abc(old.opcode(), old.a(), old.b(), c);
    }

    /// Set `count` registers from `first` to nil, in one instruction with the one before if that does the same nearby.
    pub(super) fn emit_nil(&mut self, first: usize, count: usize) {
        let (mut from, mut to) = (first, first + count - 1);
        if let Some(previous) = self.previous()
            && previous.opcode() == Opcode::LoadNil
        {
            let old_from = previous.a() as usize;
            let old_to = old_from + previous.b() as usize;
            if (old_from <= from && from <= old_to + 1) || (from <= old_from && old_from <= to + 1) {
                from = from.min(old_from);
                to = to.max(old_to);
                *previous = Instruction::abc(Opcode::LoadNil, from as u8, (to - from) as u8, 0);
                return;
            }
        }
        self.emit_abc(Opcode::LoadNil, from as u8, (to - from) as u8, 0);
    }

    /// Load an integer.
    pub(super) fn emit_integer(&mut self, target: Register, value: i64) {
        match i16::try_from(value) {
            Ok(small) => {
                self.emit(Instruction::asbx(Opcode::LoadI, target.0, small));
            }
            Err(_) => {
                let constant = self.constant(Literal::Integer(value));
                self.emit_constant(target, constant);
            }
        }
    }

    /// Load a float.
    pub(super) fn emit_float(&mut self, target: Register, value: f64) {
        let small = value as i16;
        // Comparing bits keeps the sign of a zero, which LoadF cannot give.
        if f64::from(small).to_bits() == value.to_bits() {
            self.emit(Instruction::asbx(Opcode::LoadF, target.0, small));
        } else {
            let constant = self.constant(Literal::Float(value));
            self.emit_constant(target, constant);
        }
    }

    /// Load an entry of the constant table.
    pub(super) fn emit_constant(&mut self, target: Register, constant: ConstantIndex) {
        match u16::try_from(constant.0) {
            Ok(index) => {
                self.emit(Instruction::abx(Opcode::LoadK, target.0, index));
            }
            Err(_) => {
                self.emit(Instruction::abx(Opcode::LoadKX, target.0, 0));
                self.emit(Instruction::ax(Opcode::ExtraArg, constant.0.min(Instruction::MAX_AX)));
            }
        }
    }

    /// Return `count` values (`None`: all up to the top) from register `first` on.
    pub(super) fn emit_return(&mut self, first: usize, count: Option<usize>) {
        let first = first as u8;
        match count {
            Some(0) => self.emit_abc(Opcode::Return0, first, 1, 0),
            Some(1) => self.emit_abc(Opcode::Return1, first, 2, 0),
            Some(count) => self.emit_abc(Opcode::Return, first, (count + 1) as u8, 0),
            None => self.emit_abc(Opcode::Return, first, 0, 0),
        };
    }

    /// Close everything at or above register `level`.
    pub(super) fn emit_close(&mut self, level: usize) {
        self.emit_abc(Opcode::Close, level as u8, 0, 0);
    }

    // Constants and functions.

    /// The place of a constant in the table.
    pub(super) fn constant(&mut self, literal: Literal) -> ConstantIndex {
        let key = ConstantKey(self.owned(literal));
        if let Some(&index) = self.constant_indices.get(&key) {
            return ConstantIndex(index);
        }
        if self.constants.len() > Instruction::MAX_AX as usize {
            self.fail_limit("constants", Instruction::MAX_AX as usize);
            return ConstantIndex(0);
        }
        let index = self.constants.len() as u32;
        self.constants.push(key.0.clone());
        self.constant_indices.insert(key, index);
        ConstantIndex(index)
    }

    /// Take in a finished function; its number.
    pub(super) fn add_prototype(&mut self, template: Template) -> u16 {
        match u16::try_from(self.prototypes.len()) {
            Ok(index) => {
                self.prototypes.push(template);
                index
            }
            Err(_) => {
                self.fail_limit("functions", Instruction::MAX_BX as usize + 1);
                0
            }
        }
    }

    // Registers.

    /// Make sure that `count` more registers exist, without taking them.
    pub(super) fn check_stack(&mut self, count: usize) {
        let needed = self.free + count;
        if needed >= MAX_REGISTERS {
            self.fail("function or expression needs too many registers");
        }
        self.max_stack = self.max_stack.max(needed);
    }

    /// Take the next `count` registers; the first of them.
    pub(super) fn reserve(&mut self, count: usize) -> Register {
        self.check_stack(count);
        let first = self.free;
        self.free += count;
        // Where it does not fit, `failure` is set.
        Register(first.min(MAX_REGISTERS) as u8)
    }

    /// Free a register, if it is a temporary.
    pub(super) fn free_register(&mut self, register: Register) {
        if register.0 as usize >= self.variable_registers {
            debug_assert!(self.failure.is_some() || register.0 as usize + 1 == self.free, "freed out of order");
            self.free = self.free.saturating_sub(1);
        }
    }

    /// Free two registers, the higher one first.
    pub(super) fn free_registers(&mut self, one: Register, other: Option<Register>) {
        let Some(other) = other else {
            return self.free_register(one);
        };
        self.free_register(one.max(other));
        self.free_register(one.min(other));
    }
}
