//! Generational mode on the interpreter's side: when to collect what, and the finalizers afterwards.
//!
//! What a collection does to the heap is `gc::generational`. Finalizers run after it, when the heap is in order again.

use crate::gc::{Mode, Phase};
use crate::interpreter::{Throw, Vm};

impl Vm {
    /// Sets the mode; gives the one that was asked for before. A policy without a generational mode remembers the wish and
    /// works incrementally.
    pub(crate) fn collector_mode(&mut self, mode: Mode) -> Result<Mode, Throw> {
        let before = self.heap.declare_mode(mode);
        match (self.heap.mode(), mode) {
            (Mode::Incremental, Mode::Generational) if self.heap.policy().has_generational() => {
                self.collect_to_old()?;
            }
            (Mode::Generational, Mode::Incremental) => self.heap.enter_incremental(),
            _ => {}
        }
        self.heap.set_bad_collection(None);
        Ok(before)
    }

    /// Sets the multipliers that are given, in percent.
    pub(crate) fn generational_parameters(&mut self, minor: Option<i64>, major: Option<i64>) {
        let percent = |value: i64| usize::try_from(value).unwrap_or(0);
        self.heap.set_generational_parameters(minor.map(percent), major.map(percent));
    }

    /// A major collection with its finalizers. In incremental mode the cycle that is under way ends first, and generational
    /// mode begins. Gives the work of marking.
    pub(super) fn collect_to_old(&mut self) -> Result<usize, Throw> {
        let begins = self.heap.mode() == Mode::Incremental;
        if begins && !planted!(self.heap, SwitchInMidCycle) {
            self.run_until(|phase| phase == Phase::Pause)?;
        }
        let debt = self.heap.debt();
        let work = self.heap.collect_major();
        let ended = self.charge_collector(work).and_then(|()| self.end_step());
        // Even where the program has met a limit, since finalizers are called when the state is closed.
        if begins && planted!(self.heap, GenerationalLate) {
            self.heap.set_debt(debt);
        } else {
            self.heap.rest_until_minor();
        }
        ended.map(|()| work)
    }

    /// A major collection in generational mode where memory is short: finalizers wait for the next minor collection, for
    /// they may allocate.
    pub(super) fn collect_without_finalizers(&mut self) -> Result<(), Throw> {
        let work = self.heap.collect_major();
        self.charge_collector(work)?;
        self.heap.rest_until_minor();
        if self.heap.is_halted() { Err(Throw::Halted) } else { Ok(()) }
    }

    /// One automatic step: usually a minor collection; a major one when memory has grown by the major multiplier since the
    /// last one. A major collection that frees less than half of that growth is a bad one: the program is building
    /// something big, and the next step waits as long as in incremental mode.
    pub(super) fn generational_step(&mut self) -> Result<(), Throw> {
        self.shrink_stack();
        if let Some(work) = self.heap.bad_collection() {
            return self.step_after_bad_collection(work);
        }
        let growth = self.heap.growth();
        // Without debt a program asks for a step, which is to be a minor collection.
        if self.heap.debt() > 0 && growth.is_used_up(self.heap.bytes()) {
            let work = self.collect_to_old()?;
            if growth.makes_bad(self.heap.bytes()) {
                self.heap.set_bad_collection(Some(work));
                self.heap.rest();
            }
        } else {
            self.turn()?;
            self.call_pending_finalizers()?;
            self.heap.rest_until_minor();
        }
        Ok(())
    }

    /// A major collection, after which the collector is back in generational mode, unless this one was bad as well.
    fn step_after_bad_collection(&mut self, work: usize) -> Result<(), Throw> {
        if self.heap.mode() == Mode::Incremental {
            self.run_until(|phase| phase == Phase::Pause)?;
        }
        self.heap.collect_major_after_bad(work);
        self.charge_collector(work)?;
        self.end_step()?;
        if self.heap.mode() == Mode::Generational {
            self.heap.rest_until_minor();
        } else {
            self.run_until(|phase| phase == Phase::Pause)?;
            self.heap.rest();
        }
        Ok(())
    }

    /// After a collection that was one step: the observer may have ended the program; finalizers are called.
    fn end_step(&mut self) -> Result<(), Throw> {
        if self.heap.is_halted() {
            return Err(Throw::Halted);
        }
        if self.heap.mode() == Mode::Generational { self.call_pending_finalizers() } else { Ok(()) }
    }
}
