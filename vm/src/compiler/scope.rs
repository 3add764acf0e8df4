//! Variables, blocks, and the labels that `goto` and `break` jump to.
//!
//! A block that is left must close the upvalues of its variables. Falling out of its end does so with a `Close`. A jump
//! forward out of it cannot know yet whether that is necessary: it is noted with the jump, and the `Close` stands at the
//! label. A jump backward closes before it jumps.

use super::constant::Literal;
use super::function_state::{FunctionState, Register, UpvalueIndex};
use super::jumps::JumpList;
use crate::bytecode::{Constant, LocalVariable, MAX_UPVALUES, Opcode, UpvalueDescription};
use crate::syntax::ast::{Attribute, Name};
use crate::syntax::limit_message;
use std::rc::Rc;

/// A variable in scope.
#[derive(Debug)]
pub(super) struct Variable {
    pub(super) name: Name,
    pub(super) storage: Storage,
}

/// Where the value of a variable is.
#[derive(Clone, Debug)]
pub(super) enum Storage {
    /// In a register.
    Register {
        register: Register,
        /// Its entry among [`FunctionState::locals`].
        debug: usize,
        /// Whether it can be assigned.
        read_only: bool,
    },
    /// Nowhere: a `<const>` whose value is known while compiling.
    Constant(Constant),
}

/// A block that is open.
#[derive(Debug)]
pub(super) struct Block {
    /// How many variables were in scope before it.
    pub(super) variables: usize,
    labels: usize,
    gotos: usize,
    /// `break` leaves it.
    is_loop: bool,
    /// Some variable of it is captured, or is to be closed.
    pub(super) must_close: bool,
    /// It or a block around it has a variable to be closed, so that nothing in it is a tail call.
    pub(super) inside_close: bool,
}

/// What a pending jump looks for.
#[derive(Debug, PartialEq)]
pub(super) enum GotoTarget {
    /// The end of the innermost loop.
    Break,
    /// A label.
    Label(Name),
}

/// A `goto` or `break` whose label has not come yet.
#[derive(Debug)]
pub(super) struct Goto {
    pub(super) target: GotoTarget,
    /// Line of the statement.
    pub(super) line: u32,
    jumps: JumpList,
    /// How many variables are in scope of it, in the innermost block around it that is still open.
    pub(super) variables: usize,
    registers: usize,
    /// It leaves a block that must be closed.
    close: bool,
}

/// A label that is visible.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) name: Name,
    /// Line of the label.
    pub(super) line: u32,
    target: usize,
    variables: usize,
}

/// A jump into the scope of a variable.
pub(super) struct JumpIntoScope {
    /// The label's name.
    pub(super) label: Name,
    /// Line of the `goto`.
    pub(super) line: u32,
    /// The variable.
    pub(super) variable: Name,
}

/// Whether two names are the same. Those of one text mostly are where they are the same piece of memory, and differ at
/// their ends where they are not.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && (std::ptr::eq(one, other) || one.last() == other.last() && one == other)
}

impl FunctionState {
    // Variables.

    /// Bring a variable into scope, in the next register above the variables that are.
    pub(super) fn declare(&mut self, name: &Name, attribute: Attribute) {
        let register = Register(self.variable_registers as u8);
        let start = self.pc() as u32;
        self.locals.push(LocalVariable { name: Rc::from(name.clone()), start, end: start });
        let storage =
            Storage::Register { register, debug: self.locals.len() - 1, read_only: attribute != Attribute::Regular };
        self.variables.push(Variable { name: name.clone(), storage });
        self.variable_registers += 1;
    }

    /// Bring a variable into scope that has no register.
    pub(super) fn declare_constant(&mut self, name: &Name, value: Literal) {
        let value = self.owned(value);
        self.variables.push(Variable { name: name.clone(), storage: Storage::Constant(value) });
    }

    /// Let the debug information of the latest variable begin only here.
    pub(super) fn restart_latest_local(&mut self) {
        let pc = self.pc() as u32;
        if let Some(Variable { storage: Storage::Register { debug, .. }, .. }) = self.variables.last() {
            self.locals[*debug].start = pc;
        }
    }

    /// How many registers the first `count` variables take.
    pub(super) fn registers_of(&self, count: usize) -> usize {
        let in_register = |variable: &Variable| match variable.storage {
            Storage::Register { register, .. } => Some(register.0 as usize + 1),
            Storage::Constant(_) => None,
        };
        self.variables[..count].iter().rev().find_map(in_register).unwrap_or(0)
    }

    /// End the scope of all but the first `count` variables.
    fn remove_variables(&mut self, count: usize) {
        let end = self.pc() as u32;
        for variable in &self.variables[count..] {
            if let Storage::Register { debug, .. } = variable.storage {
                self.locals[debug].end = end;
            }
        }
        self.variable_registers = self.registers_of(count);
        self.variables.truncate(count);
    }

    /// The innermost variable in scope with this name.
    pub(super) fn find_variable(&self, name: &Name) -> Option<usize> {
        self.variables.iter().rposition(|variable| is_same(variable.name.as_bytes(), name.as_bytes()))
    }

    /// The upvalue with this name, if the function has it already.
    pub(super) fn find_upvalue(&self, name: &Name) -> Option<UpvalueIndex> {
        let index = self.upvalues.iter().position(|upvalue| is_same(&upvalue.name, name.as_bytes()))?;
        Some(UpvalueIndex(index as u8))
    }

    /// Add an upvalue.
    pub(super) fn add_upvalue(&mut self, upvalue: UpvalueDescription) -> UpvalueIndex {
        if self.upvalues.len() >= MAX_UPVALUES {
            let message = limit_message("upvalues", MAX_UPVALUES, self.line_defined);
            self.fail(format!("{message} near '{}'", String::from_utf8_lossy(&upvalue.name)));
            return UpvalueIndex(0);
        }
        self.upvalues.push(upvalue);
        UpvalueIndex((self.upvalues.len() - 1) as u8)
    }

    /// Note that an inner function captures a variable: its block must close it.
    pub(super) fn mark_captured(&mut self, variable: usize) {
        if let Some(block) = self.blocks.iter_mut().rfind(|block| block.variables <= variable) {
            block.must_close = true;
        }
        self.needs_close = true;
    }

    /// Note that the innermost block has a variable to be closed.
    pub(super) fn mark_to_be_closed(&mut self) {
        if let Some(block) = self.blocks.last_mut() {
            block.must_close = true;
            block.inside_close = true;
        }
        self.needs_close = true;
    }

    // Blocks.

    /// Begin a block; `break` leaves it if it is a loop's.
    pub(super) fn enter_block(&mut self, is_loop: bool) {
        debug_assert!(self.failure.is_some() || self.free == self.variable_registers);
        self.blocks.push(Block {
            variables: self.variables.len(),
            labels: self.labels.len(),
            gotos: self.gotos.len(),
            is_loop,
            must_close: false,
            inside_close: self.blocks.last().is_some_and(|outer| outer.inside_close),
        });
    }

    /// End the innermost block. Jumps that are still pending become those of the block around it.
    pub(super) fn leave_block(&mut self) -> Block {
        let is_nested = self.blocks.len() > 1;
        // Calls are paired with those of `enter_block`, so there is one.
        let block = self.blocks.pop().expect("a block is open");
        self.remove_variables(block.variables);
        let level = self.variable_registers;
        let mut closed = false;
        if block.is_loop {
            let target = self.mark_target();
            // A break never enters a scope: the variables of the block are gone.
            closed = self.resolve_gotos(&GotoTarget::Break, block.gotos, target, block.variables).unwrap_or(false);
            if closed {
                self.emit_close(level);
            }
        }
        if !closed && is_nested && block.must_close {
            self.emit_close(level);
        }
        self.free = level;
        self.labels.truncate(block.labels);
        if is_nested {
            for goto in &mut self.gotos[block.gotos..] {
                goto.close |= goto.registers > level && block.must_close;
                goto.registers = level;
                goto.variables = block.variables;
            }
        }
        block
    }

    // Labels.

    /// A visible label.
    pub(super) fn find_label(&self, name: &Name) -> Option<&Label> {
        self.labels.iter().find(|label| label.name == *name)
    }

    /// Note jumps to a label that has not come yet.
    pub(super) fn add_goto(&mut self, target: GotoTarget, line: u32, jumps: JumpList) {
        self.gotos.push(Goto {
            target,
            line,
            jumps,
            variables: self.variables.len(),
            registers: self.variable_registers,
            close: false,
        });
    }

    /// Jump to a label, which may be one that has not come yet.
    pub(super) fn emit_goto(&mut self, name: &Name, line: u32) {
        match self.find_label(name).map(|label| (label.target, label.variables)) {
            Some((target, variables)) => {
                let level = self.registers_of(variables);
                if self.variable_registers > level {
                    self.emit_close(level);
                }
                self.emit_jump_to(target);
            }
            None => {
                let jump = self.emit_jump();
                self.add_goto(GotoTarget::Label(name.clone()), line, JumpList::one(jump));
            }
        }
    }

    /// Put a label here. If it is the last statement of its block, the block's variables count as out of scope.
    pub(super) fn add_label(&mut self, name: &Name, line: u32, is_last: bool) -> Result<(), JumpIntoScope> {
        let target = self.mark_target();
        let (outer_variables, gotos) = self.blocks.last().map_or((0, 0), |block| (block.variables, block.gotos));
        let variables = if is_last { outer_variables } else { self.variables.len() };
        self.labels.push(Label { name: name.clone(), line, target, variables });
        if self.resolve_gotos(&GotoTarget::Label(name.clone()), gotos, target, variables)? {
            self.emit_close(self.variable_registers);
        }
        Ok(())
    }

    /// Let the pending jumps to a label, from number `first` on, go there. Whether one of them left a block that must be
    /// closed.
    fn resolve_gotos(
        &mut self,
        target: &GotoTarget,
        first: usize,
        address: usize,
        variables: usize,
    ) -> Result<bool, JumpIntoScope> {
        let mut close = false;
        let mut index = first;
        while index < self.gotos.len() {
            if self.gotos[index].target != *target {
                index += 1;
                continue;
            }
            let goto = self.gotos.remove(index);
            if let (true, GotoTarget::Label(label)) = (goto.variables < variables, goto.target) {
                let variable = self.variables[goto.variables].name.clone();
                return Err(JumpIntoScope { label, line: goto.line, variable });
            }
            close |= goto.close;
            self.patch(goto.jumps, address);
        }
        Ok(close)
    }

    /// Mark the variable in a register as to be closed.
    pub(super) fn emit_to_be_closed(&mut self, register: usize) {
        self.mark_to_be_closed();
        self.emit_abc(Opcode::Tbc, register as u8, 0, 0);
    }
}
