//! Jumps: lists of those whose target is not known yet, and their patching.
//!
//! A condition is compiled to a test followed by a `Jmp`. An expression with `and`, `or`, `not` or a comparison leaves two
//! lists of such jumps, for when it is true and for when it is false. The user of the expression decides where they go, and
//! whether the tests also deliver a value: a `TestSet` does, all other tests do not. A `TestSet` whose value nobody wants
//! becomes a `Test`.

use super::function_state::{FunctionState, Register};
use crate::bytecode::{Instruction, Opcode};

/// Operand A of a `TestSet` that has no destination yet.
const NO_REGISTER: u8 = u8::MAX;

/// `Jmp` instructions that will get the same target, given by the addresses of the first and the last. Until then the
/// distance of each leads to the next one, which is never farther away than the target.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct JumpList(Option<(u32, u32)>);

impl JumpList {
    /// A list of one jump.
    pub(super) fn one(jump: usize) -> Self {
        // As in the debug information, 32 bits hold any address.
        JumpList(Some((jump as u32, jump as u32)))
    }

    /// Whether there is no jump.
    pub(super) fn is_empty(self) -> bool {
        self.0.is_none()
    }

    fn first(self) -> Option<usize> {
        self.0.map(|(first, _)| first as usize)
    }
}

/// Whether an instruction is a test, which a `Jmp` follows.
fn is_test(opcode: Opcode) -> bool {
    matches!(
        opcode,
        Opcode::Eq
            | Opcode::Lt
            | Opcode::Le
            | Opcode::EqK
            | Opcode::EqI
            | Opcode::LtI
            | Opcode::LeI
            | Opcode::GtI
            | Opcode::GeI
            | Opcode::Test
            | Opcode::TestSet
    )
}

impl FunctionState {
    /// The jumps of both lists.
    pub(super) fn join(&mut self, one: JumpList, other: JumpList) -> JumpList {
        let (Some((first, end)), Some((start, last))) = (one.0, other.0) else {
            return JumpList(one.0.or(other.0));
        };
        self.set_target(end as usize, start as usize);
        if self.failure.is_some() {
            // They may be too far apart to be one list. The code is thrown away.
            return one;
        }
        JumpList(Some((first, last)))
    }

    /// The jump after one of a list.
    fn next_jump(&self, list: JumpList, jump: usize) -> Option<usize> {
        let (_, last) = list.0?;
        (jump != last as usize).then(|| self.target(jump))
    }

    /// The jumps of a list.
    fn jumps(&self, list: JumpList) -> impl Iterator<Item = usize> {
        std::iter::successors(list.first(), move |&jump| self.next_jump(list, jump))
    }

    /// Where the jump at `jump` goes.
    fn target(&self, jump: usize) -> usize {
        (jump as i64 + 1 + i64::from(self.code[jump].get_sj())) as usize
    }

    /// Emit a jump whose target is set later; its address.
    pub(super) fn emit_jump(&mut self) -> usize {
        self.emit(Instruction::sj(Opcode::Jmp, 0))
    }

    /// Emit a jump to an address that is known.
    pub(super) fn emit_jump_to(&mut self, target: usize) {
        let jump = self.emit_jump();
        self.set_target(jump, target);
    }

    /// Emit a test and its jump; the address of the jump.
    pub(super) fn emit_test(&mut self, test: Instruction) -> usize {
        self.emit(test);
        self.emit_jump()
    }

    /// Emit a jump that is taken when the truth of a register is `truth`, and that may deliver the register's value.
    pub(super) fn emit_truth_test(&mut self, register: Register, truth: bool) -> usize {
        self.emit_test(Instruction::abc(Opcode::TestSet, NO_REGISTER, register.0, truth as u8))
    }

    /// The address of the next instruction, marked as one where jumps arrive.
    pub(super) fn mark_target(&mut self) -> usize {
        self.last_target = self.pc();
        self.last_target
    }

    /// Let the jump at `jump` go to `target`.
    fn set_target(&mut self, jump: usize, target: usize) {
        let distance = target as i64 - (jump as i64 + 1);
        if Instruction::SJ_RANGE.contains(&distance) {
            self.code[jump] = Instruction::sj(Opcode::Jmp, distance as i32);
        } else {
            self.fail("control structure too long");
        }
    }

    /// Set the distance of a loop instruction.
    pub(super) fn set_loop_distance(&mut self, pc: usize, distance: usize) {
        match u16::try_from(distance) {
            Ok(distance) => {
                let old = self.code[pc];
                self.code[pc] = Instruction::abx(old.opcode(), old.a(), distance);
            }
            Err(_) => self.fail("control structure too long"),
        }
    }

    /// The instruction that decides whether the jump at `jump` is taken.
    fn control(&self, jump: usize) -> usize {
        match jump.checked_sub(1) {
            Some(before) if is_test(self.code[before].opcode()) => before,
            _ => jump,
        }
    }

    /// Turn the comparison before the jump at `jump` into its opposite.
    pub(super) fn negate(&mut self, jump: usize) {
        let control = self.control(jump);
        let truth = self.code[control].c();
        self.set_c(control, truth ^ 1);
    }

    /// Settle where the test of the jump at `jump` delivers its value, and if nowhere, that it delivers none. Whether it
    /// is a test that can deliver one.
    fn set_destination(&mut self, jump: usize, target: Option<Register>) -> bool {
        let control = self.control(jump);
        let test = self.code[control];
        if test.opcode() != Opcode::TestSet {
            return false;
        }
        match target {
            // A value that is at its destination already needs no copy.
            Some(register) if register.0 != test.b() => self.set_a(control, register.0),
            _ => self.code[control] = Instruction::abc(Opcode::Test, test.b(), 0, test.c()),
        }
        true
    }

    /// Let no jump of the list deliver a value.
    pub(super) fn drop_values(&mut self, jumps: JumpList) {
        let mut next = jumps.first();
        while let Some(jump) = next {
            self.set_destination(jump, None);
            next = self.next_jump(jumps, jump);
        }
    }

    /// Whether some jump of the list delivers no value, so that a boolean must be loaded for it.
    pub(super) fn lacks_value(&self, jumps: JumpList) -> bool {
        self.jumps(jumps).any(|jump| self.code[self.control(jump)].opcode() != Opcode::TestSet)
    }

    /// Let all jumps go to `target`, without values.
    pub(super) fn patch(&mut self, jumps: JumpList, target: usize) {
        self.patch_with_value(jumps, target, None, target);
    }

    /// Let all jumps go to the next instruction, without values.
    pub(super) fn patch_to_here(&mut self, jumps: JumpList) {
        let here = self.mark_target();
        self.patch(jumps, here);
    }

    /// Let the jumps that deliver a value put it into `register` and go to `with_value`, and the others go to `without`.
    pub(super) fn patch_with_value(
        &mut self,
        jumps: JumpList,
        with_value: usize,
        register: Option<Register>,
        without: usize,
    ) {
        let mut next = jumps.first();
        while let Some(jump) = next {
            next = self.next_jump(jumps, jump);
            let target = if self.set_destination(jump, register) { with_value } else { without };
            self.set_target(jump, target);
        }
    }

    /// Let jumps to jumps go to the final target at once.
    pub(super) fn shorten_jumps(&mut self) {
        // Bounded, since jumps may go in a circle.
        const STEPS: usize = 100;
        for pc in 0..self.code.len() {
            if self.code[pc].opcode_number() != Opcode::Jmp as u8 {
                continue;
            }
            let mut target = pc;
            for _ in 0..STEPS {
                match self.code.get(target) {
                    Some(next) if next.opcode() == Opcode::Jmp => target = self.target(target),
                    _ => break,
                }
            }
            self.set_target(pc, target);
        }
    }
}
