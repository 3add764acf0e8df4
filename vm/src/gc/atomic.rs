//! The atomic phase: the end of marking, in one go.

use crate::gc::mark::Work;
use crate::gc::{Clearing, Gc, Heap, Object, Phase, Upvalues};
use crate::value::Upvalue;

impl Heap {
    /// Marks all that is left, settles weak tables and finalizers, and flips the white: what is still white now is dead.
    pub(super) fn atomic(&mut self) -> Work {
        let gray_again = std::mem::take(&mut self.gray_again);
        debug_assert!(self.ephemerons.is_empty() && self.weak_values.is_empty());
        self.enter(Phase::Atomic);
        // The roots without barriers.
        let current = self.current();
        self.mark_if_white(current.erase());
        if !planted!(self, MetatablesNotRemarked) {
            self.mark_registry_and_metatables();
        }
        let mut work = self.propagate_all();
        work += self.remark_upvalues();
        work += self.propagate_all();
        if !planted!(self, GrayAgainDropped) {
            self.gray = gray_again;
        }
        work += self.propagate_all();
        self.converge_ephemerons();
        // All that is strongly reachable is marked. Values are cleared before objects with finalizers are revived, so
        // that a weak table never shows one that is being finalized.
        if !planted!(self, WeakValuesClearedLate) {
            self.clear_by_values(Clearing::Values, 0, 0);
        }
        if planted!(self, WeakKeysClearedEarly) {
            self.clear_by_keys();
        }
        let (weak_before, all_before) = (self.weak_values.len(), self.all_weak.len());
        self.separate_unreachable_finalizable(false);
        if !planted!(self, FinalizersNotMarked) {
            self.mark_being_finalized();
        }
        work += self.propagate_all();
        if !planted!(self, EphemeronsOnce) {
            self.converge_ephemerons();
        }
        // All that will be revived is marked too. Keys stay until they are really dead.
        self.clear_by_keys();
        if planted!(self, WeakValuesClearedLate) {
            self.clear_by_values(Clearing::Values, 0, 0);
        }
        if !planted!(self, RevivedValuesKept) {
            self.clear_by_values(Clearing::RevivedValues, weak_before, all_before);
        }
        if !planted!(self, WhiteNotFlipped) {
            self.current_white = self.other_white();
        }
        debug_assert!(self.gray.is_empty());
        work
    }

    /// A thread that is dead now is freed by this collection's sweep, which closes its upvalues, and a barrier does nothing
    /// there. A join may have made one of them old, older than its thread. So its value, which was last stored without a barrier,
    /// since the variable was open, grows old with it.
    fn make_old_with(&mut self, upvalue: Gc<Upvalue>) {
        if upvalue.erase().is_old()
            && let Some(value) = upvalue.get().object()
            && !planted!(self, DeadThreadValueYoung)
        {
            self.make_old0(value);
        }
    }

    /// Marks the values of marked upvalues for which no stack will be traversed: those of threads that are not marked or
    /// have no open upvalue any more; where open upvalues are in one list, of all.
    fn remark_upvalues(&mut self) -> Work {
        let mut work = 0;
        let mut next = if planted!(self, OpenUpvaluesNotRemarked) { None } else { self.open.get() };
        while let Some(object) = next {
            next = object.next.get();
            work += 1;
            if let (Object::Upvalue(upvalue), true) = (object.unpack(), object.is_gray()) {
                self.mark_value(upvalue.get());
            }
        }
        for thread in std::mem::take(&mut self.threads_with_upvalues) {
            work += 1;
            if !thread.erase().is_white() && !thread.open_upvalues.is_empty() {
                self.threads_with_upvalues.push(thread);
                continue;
            }
            thread.in_upvalue_list.set(false);
            for index in 0..thread.open_upvalues.len() {
                let upvalue = thread.open_upvalues[index];
                work += 1;
                let used = match self.policy.upvalues {
                    Upvalues::Objects { .. } => !upvalue.erase().is_white(),
                    Upvalues::Counted => self.take_touched(upvalue),
                };
                if used {
                    self.mark_value(upvalue.get());
                    self.make_old_with(upvalue);
                }
            }
        }
        work
    }
}
