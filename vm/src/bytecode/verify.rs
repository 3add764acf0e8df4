//! What must hold of code before it may run.
//!
//! The interpreter reads registers, constants, upvalues and code without looking whether they are there, and a few of its
//! instructions lean on what the compiler puts beside them. The compiler keeps the rules below by how it works; code from
//! elsewhere is held against them here. Both are the same rules, so whatever the compiler makes passes.
//!
//! | rule | what leans on it |
//! |---|---|
//! | operands are inside the function's registers, constants, upvalues and prototypes | the unchecked reads and writes of the dispatch loop |
//! | every opcode is one | the loop makes an enum of its number |
//! | control goes from instruction to instruction, and never behind the last or to the second word of one | the loop's program counter |
//! | a test stands before a jump | a test reads the jump's distance |
//! | what sets the top (`Call`, `Vararg`, with open results) stands right before what uses it, which nothing else leads to, and leaves the top no lower than the user's first value | the count of open values is a difference of slots |
//! | a function that can have upvalues or variables to close closes them in every return | an open upvalue points into a frame that is there |
//! | parameters fit into the registers, and upvalues are captured from what the enclosing function has | calls, and the making of closures |
//! | a table's hints of size are no more than its function can fill | memory is not taken on the word of an operand |
//! | there are no more variables in scope than registers | `debug.getlocal` |
//!
//! No rule says what a register holds. It holds a value at any time, as all of a stack does (`interpreter::stack`, and the
//! collector clears what is above the top), and where an instruction wants a certain type the interpreter checks it.

use super::{Constant, Instruction, Opcode, Template};

/// A rule that code breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Fault {
    #[error("unknown opcode")]
    Opcode,
    #[error("operand out of range")]
    Operand,
    #[error("register out of range")]
    Register,
    #[error("constant out of range or of the wrong type")]
    Constant,
    #[error("upvalue out of range")]
    Upvalue,
    #[error("function out of range")]
    Prototype,
    #[error("control leaves the code")]
    Control,
    #[error("second word missing or misplaced")]
    ExtraArg,
    #[error("test without a jump")]
    Test,
    #[error("open values without a use, or a use without them")]
    OpenValues,
    #[error("return that leaves variables open")]
    Return,
    #[error("more parameters than registers, or too few registers")]
    Registers,
    #[error("too many upvalues")]
    Upvalues,
    #[error("no line for every instruction")]
    Lines,
    #[error("bad scope of a variable")]
    Scope,
}

/// Where code breaks a rule, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}, function at line {line_defined}, instruction {instruction}")]
pub struct VerifyError {
    /// The rule.
    pub fault: Fault,
    /// The line that the function says it is defined at.
    pub line_defined: u32,
    /// The instruction, counted from 0, or 0 where it is not about one.
    pub instruction: usize,
}

impl Template {
    /// Checks that the interpreter can run the function and those inside it, whatever they do.
    ///
    /// # Errors
    /// The first rule of this module that is broken.
    pub(super) fn verify(&self) -> Result<(), VerifyError> {
        // Nobody captures the upvalues of a main function: loading makes them.
        let mut pending = vec![self];
        while let Some(template) = pending.pop() {
            let mut verifier = Verifier::new(template);
            verifier.function().map_err(|fault| VerifyError {
                fault,
                line_defined: template.line_defined,
                instruction: verifier.pc,
            })?;
            pending.extend(&template.prototypes);
        }
        Ok(())
    }
}

type Checked = Result<(), Fault>;

fn check(holds: bool, fault: Fault) -> Checked {
    if holds { Ok(()) } else { Err(fault) }
}

struct Verifier<'a> {
    template: &'a Template,
    /// The instruction that is looked at.
    pc: usize,
    /// Where instructions begin; the other words are second ones.
    begins: Vec<bool>,
    /// Where control comes from other than the instruction before.
    arrivals: Vec<bool>,
    /// Whether there may be something to close when it returns.
    captures: bool,
}

impl<'a> Verifier<'a> {
    fn new(template: &'a Template) -> Self {
        let words = template.code.len();
        let captured = |upvalue: &super::UpvalueDescription| upvalue.in_stack;
        let captures = template.prototypes.iter().any(|function| function.upvalues.iter().any(captured))
            || template.code.iter().any(|i| matches!(i.opcode(), Opcode::Tbc | Opcode::TForPrep));
        Verifier { template, pc: 0, begins: vec![false; words], arrivals: vec![false; words], captures }
    }

    fn function(&mut self) -> Checked {
        let template = self.template;
        check(template.max_stack >= 2 && template.parameters <= template.max_stack, Fault::Registers)?;
        check(template.upvalues.len() <= super::MAX_UPVALUES, Fault::Upvalues)?;
        check(template.lines.is_empty() || template.lines.len() == template.code.len(), Fault::Lines)?;
        self.scopes()?;
        for upvalue in template.prototypes.iter().flat_map(|function| &function.upvalues) {
            match upvalue.in_stack {
                true => self.register(upvalue.index)?,
                false => self.upvalue(upvalue.index)?,
            }
        }
        self.instructions()?;
        // What leads where is known only now.
        for pc in 0..template.code.len() {
            self.pc = pc;
            check(!self.arrivals[pc] || self.begins[pc], Fault::Control)?;
            if self.begins[pc] {
                self.open_values(pc)?;
            }
        }
        Ok(())
    }

    /// No instruction has more variables in scope than there are registers.
    fn scopes(&self) -> Checked {
        let words = self.template.code.len();
        let mut changes = vec![0_i64; words + 1];
        for local in &self.template.locals {
            let (start, end) = (local.start as usize, local.end as usize);
            check(start <= end && end <= words, Fault::Scope)?;
            changes[start] += 1;
            changes[end] -= 1;
        }
        let mut active = 0;
        for change in changes {
            active += change;
            check(active <= i64::from(self.template.max_stack), Fault::Scope)?;
        }
        Ok(())
    }

    /// Checks every instruction by itself, and notes where each begins and leads.
    fn instructions(&mut self) -> Checked {
        let words = self.template.code.len();
        let mut next = 0;
        while next < words {
            self.pc = next;
            self.begins[next] = true;
            let instruction = self.template.code[next];
            let opcode = Opcode::from_number(instruction.opcode_number()).ok_or(Fault::Opcode)?;
            next += 1;
            if matches!(opcode, Opcode::LoadKX | Opcode::NewTable | Opcode::SetList) {
                check(self.opcode_at(next) == Some(Opcode::ExtraArg), Fault::ExtraArg)?;
                next += 1;
            }
            self.operands(opcode, instruction)?;
            if !matches!(
                opcode,
                Opcode::Jmp
                    | Opcode::TForPrep
                    | Opcode::LFalseSkip
                    | Opcode::Return
                    | Opcode::Return0
                    | Opcode::Return1
            ) {
                check(next < words, Fault::Control)?;
            }
        }
        // Without code there is nothing to begin with.
        check(words > 0, Fault::Control)
    }

    /// The opcode at an address, if there is one.
    fn opcode_at(&self, address: usize) -> Option<Opcode> {
        Opcode::from_number(self.template.code.get(address)?.opcode_number())
    }

    /// The second word of the instruction.
    fn extra(&self) -> usize {
        self.template.code.get(self.pc + 1).map_or(0, |extra| extra.get_ax() as usize)
    }

    // Operands.

    fn register(&self, index: impl Into<usize>) -> Checked {
        check(index.into() < self.template.max_stack.into(), Fault::Register)
    }

    /// So many registers from `first` on. Where there are none, `first` may be the one behind the last.
    fn registers(&self, first: u8, count: usize) -> Checked {
        check(usize::from(first) + count <= self.template.max_stack.into(), Fault::Register)
    }

    fn upvalue(&self, index: u8) -> Checked {
        check(usize::from(index) < self.template.upvalues.len(), Fault::Upvalue)
    }

    fn constant(&self, index: impl Into<usize>) -> Checked {
        check(index.into() < self.template.constants.len(), Fault::Constant)
    }

    fn string(&self, index: u8) -> Checked {
        let constant = self.template.constants.get(usize::from(index));
        check(matches!(constant, Some(Constant::String(_))), Fault::Constant)
    }

    fn number(&self, index: u8) -> Checked {
        let constant = self.template.constants.get(usize::from(index));
        check(matches!(constant, Some(Constant::Integer(_) | Constant::Float(_))), Fault::Constant)
    }

    /// Control may go this far from the next instruction.
    fn jump(&mut self, distance: i64) -> Checked {
        let target = usize::try_from(self.pc as i64 + 1 + distance).map_err(|_| Fault::Control)?;
        *self.arrivals.get_mut(target).ok_or(Fault::Control)? = true;
        Ok(())
    }

    /// The test may go on with the jump that follows, or skip it.
    fn test(&mut self) -> Checked {
        check(self.opcode_at(self.pc + 1) == Some(Opcode::Jmp), Fault::Test)?;
        self.jump(1)
    }

    /// A constructor's list is no longer than what the function can put into it.
    fn list_length(&self, length: usize) -> Checked {
        check(length <= self.template.code.len().saturating_mul(super::MAX_REGISTERS), Fault::Operand)
    }

    fn returns(&self, closes: bool) -> Checked {
        check(closes || !self.captures, Fault::Return)
    }

    fn operands(&mut self, opcode: Opcode, i: Instruction) -> Checked {
        let (a, b, c) = (i.a(), i.b(), i.c());
        match opcode {
            Opcode::Move | Opcode::Unm | Opcode::BNot | Opcode::Not | Opcode::Len => {
                self.register(a)?;
                self.register(b)
            }
            Opcode::LoadI | Opcode::LoadF | Opcode::LoadFalse | Opcode::LoadTrue => self.register(a),
            Opcode::LFalseSkip => {
                self.register(a)?;
                self.jump(1)
            }
            Opcode::LoadK => {
                self.register(a)?;
                self.constant(i.bx())
            }
            Opcode::LoadKX => {
                self.register(a)?;
                self.constant(self.extra())
            }
            Opcode::LoadNil => self.registers(a, usize::from(b) + 1),
            Opcode::GetUpval | Opcode::SetUpval => {
                self.register(a)?;
                self.upvalue(b)
            }
            Opcode::GetTabUp => {
                self.register(a)?;
                self.upvalue(b)?;
                self.string(c)
            }
            Opcode::GetI | Opcode::AddI | Opcode::SubI | Opcode::ShlI | Opcode::ShrI => {
                self.register(a)?;
                self.register(b)
            }
            Opcode::GetField => {
                self.register(a)?;
                self.register(b)?;
                self.string(c)
            }
            Opcode::SetTabUp => {
                self.upvalue(a)?;
                self.string(b)?;
                self.register(c)
            }
            Opcode::SetTabUpK => {
                self.upvalue(a)?;
                self.string(b)?;
                self.constant(c)
            }
            Opcode::SetTableK => {
                self.register(a)?;
                self.register(b)?;
                self.constant(c)
            }
            Opcode::SetI => {
                self.register(a)?;
                self.register(c)
            }
            Opcode::SetIK => {
                self.register(a)?;
                self.constant(c)
            }
            Opcode::SetField => {
                self.register(a)?;
                self.string(b)?;
                self.register(c)
            }
            Opcode::SetFieldK => {
                self.register(a)?;
                self.string(b)?;
                self.constant(c)
            }
            Opcode::NewTable => {
                self.register(a)?;
                let entries = b.checked_sub(1).map_or(Some(0), |exponent| 1_usize.checked_shl(exponent.into()));
                check(entries.is_some_and(|entries| entries / 2 <= self.template.code.len()), Fault::Operand)?;
                self.list_length(self.extra())
            }
            Opcode::SelfK => {
                self.registers(a, 2)?;
                self.register(b)?;
                self.string(c)
            }
            Opcode::SelfR => {
                self.registers(a, 2)?;
                self.register(b)?;
                self.register(c)
            }
            Opcode::AddK
            | Opcode::SubK
            | Opcode::MulK
            | Opcode::ModK
            | Opcode::PowK
            | Opcode::DivK
            | Opcode::IDivK
            | Opcode::BAndK
            | Opcode::BOrK
            | Opcode::BXorK => {
                self.register(a)?;
                self.register(b)?;
                self.number(c)
            }
            Opcode::GetTable
            | Opcode::SetTable
            | Opcode::Add
            | Opcode::Sub
            | Opcode::Mul
            | Opcode::Mod
            | Opcode::Pow
            | Opcode::Div
            | Opcode::IDiv
            | Opcode::BAnd
            | Opcode::BOr
            | Opcode::BXor
            | Opcode::Shl
            | Opcode::Shr => {
                self.register(a)?;
                self.register(b)?;
                self.register(c)
            }
            Opcode::Concat => {
                check(b >= 2, Fault::Operand)?;
                self.registers(a, b.into())
            }
            Opcode::Close | Opcode::Tbc => self.register(a),
            Opcode::Jmp => self.jump(i.get_sj().into()),
            Opcode::Eq | Opcode::Lt | Opcode::Le | Opcode::TestSet => {
                self.register(a)?;
                self.register(b)?;
                self.test()
            }
            Opcode::EqK => {
                self.register(a)?;
                self.constant(b)?;
                self.test()
            }
            Opcode::EqI | Opcode::LtI | Opcode::LeI | Opcode::GtI | Opcode::GeI | Opcode::Test => {
                self.register(a)?;
                self.test()
            }
            Opcode::Call => {
                self.registers(a, usize::from(b).max(1))?;
                self.registers(a, usize::from(c).saturating_sub(1))
            }
            Opcode::TailCall => {
                self.registers(a, usize::from(b).max(1))?;
                self.returns(c != 0)
            }
            Opcode::Return => {
                self.registers(a, usize::from(b).saturating_sub(1))?;
                self.returns(c != 0)
            }
            Opcode::Return0 => {
                self.registers(a, 0)?;
                self.returns(false)
            }
            Opcode::Return1 => {
                self.register(a)?;
                self.returns(false)
            }
            Opcode::ForPrep => {
                self.registers(a, 4)?;
                self.jump(i64::from(i.bx()) + 1)
            }
            Opcode::ForLoop => {
                self.registers(a, 4)?;
                self.jump(-i64::from(i.bx()))
            }
            Opcode::TForPrep => {
                self.registers(a, 4)?;
                self.jump(i.bx().into())
            }
            // The function and its two arguments stand where the results will.
            Opcode::TForCall => self.registers(a, 4 + usize::from(c).max(3)),
            Opcode::TForLoop => {
                self.registers(a, 5)?;
                self.jump(-i64::from(i.bx()))
            }
            Opcode::SetList => {
                self.registers(a, usize::from(b) + 1)?;
                self.list_length(self.extra())
            }
            Opcode::Closure => {
                self.register(a)?;
                check(usize::from(i.bx()) < self.template.prototypes.len(), Fault::Prototype)
            }
            Opcode::Vararg => {
                check(self.template.variadic, Fault::Operand)?;
                self.registers(a, usize::from(c).saturating_sub(1))
            }
            Opcode::VarargPrep => check(self.template.variadic && self.pc == 0, Fault::Operand),
            Opcode::ExtraArg => Err(Fault::ExtraArg),
        }
    }

    // Open values.

    /// From which register on the instruction at an address leaves values up to the top.
    fn opens(&self, address: usize) -> Option<usize> {
        let i = self.template.code[address];
        let opens = match i.opcode() {
            Opcode::Call | Opcode::Vararg => i.c() == 0,
            // The results of a native function.
            Opcode::TailCall => true,
            _ => false,
        };
        opens.then_some(i.a().into())
    }

    /// From which register on the instruction at an address uses values up to the top.
    fn uses(&self, address: usize) -> Option<usize> {
        let i = self.template.code[address];
        let first = match i.opcode() {
            Opcode::Call | Opcode::TailCall | Opcode::SetList => usize::from(i.a()) + 1,
            Opcode::Return => i.a().into(),
            _ => return None,
        };
        (i.b() == 0).then_some(first)
    }

    /// Open values come from the instruction before, and go to the one that follows.
    fn open_values(&self, address: usize) -> Checked {
        if let Some(opened) = self.opens(address) {
            let next = address + 1;
            let used = if self.begins[next] { self.uses(next) } else { None };
            check(used.is_some_and(|first| first <= opened) && !self.arrivals[next], Fault::OpenValues)?;
        }
        if self.uses(address).is_some() {
            let opened = address.checked_sub(1).filter(|&before| self.begins[before]).and_then(|it| self.opens(it));
            check(opened.is_some(), Fault::OpenValues)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
