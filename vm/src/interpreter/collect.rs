//! Running the collector: at safe points, on request, and at the end. Finalizers are called here.

use crate::gc::{AnyGc, FullCollectionRule, Mode, Phase, SweepRule};
use crate::interpreter::schedule::Point;
use crate::interpreter::{Limit, Throw, Vm};
use crate::value::{Metamethod, Value, flags, hook_events};

/// Debt of a stopped collector: how soon a safe point asks again (as in Lua).
const STOPPED_DEBT: isize = -2000;

/// Units of the collector's work, about a value each, that count as one instruction.
const WORK_PER_INSTRUCTION: u64 = 4;

/// Finalizers called after a step that did not end its cycle (`GCFINALIZENUM` of Lua 5.2).
pub(super) const FINALIZERS_PER_STEP: usize = 4;

impl Vm {
    /// One turn of the collector, with the finalizer that it may call. Gives the work done.
    pub(super) fn turn(&mut self) -> Result<usize, Throw> {
        let turn = self.heap.step();
        if self.heap.is_halted() {
            return Err(Throw::Halted);
        }
        if let crate::gc::Turn::Finalize(object) = turn {
            let in_run = self.heap.end_run();
            self.call_finalizer(object)?;
            if in_run {
                self.heap.begin_run();
            }
        }
        self.charge_collector(turn.work())?;
        Ok(turn.work())
    }

    /// Charges work of the collector to the instruction limit: a program that lets it work all the time has to end as well.
    pub(super) fn charge_collector(&mut self, work: usize) -> Result<(), Throw> {
        let before = self.collector_instructions();
        self.collector_work = self.collector_work.saturating_add(work as u64);
        self.charge(self.collector_instructions() - before)
    }

    /// What the collector has charged so far.
    pub(super) fn collector_instructions(&self) -> u64 {
        self.collector_work / WORK_PER_INSTRUCTION
    }

    /// What a safe point does when the debt is positive, or there is a schedule.
    #[cold]
    pub(crate) fn pay_debt(&mut self) -> Result<(), Throw> {
        self.schedule_point(Point::Allocation)?;
        self.pay()
    }

    /// A safe point inside of a native function that may make many objects, and calls back.
    pub(crate) fn safe_point(&mut self) -> Result<(), Throw> {
        if self.heap.wants_step() { self.pay_debt() } else { Ok(()) }
    }

    /// What is done while a chunk is loaded when the debt is positive, or there is a schedule. The debt of a chunk that no program
    /// loads is paid by the program that it is.
    #[cold]
    pub(super) fn pay_debt_inside(&mut self) -> Result<(), Throw> {
        self.schedule_point(Point::Inside)?;
        // Below all calls is the frame of the host.
        if self.heap.current().frames.len() > 1 { self.pay() } else { Ok(()) }
    }

    fn pay(&mut self) -> Result<(), Throw> {
        if self.heap.debt() > 0 {
            if self.heap.is_stopped_by_program() || self.heap.is_stopped_inside() {
                self.heap.give_credit(STOPPED_DEBT);
            } else {
                self.automatic_step()?;
            }
        }
        if self.heap.over_limit() { self.make_room() } else { Ok(()) }
    }

    /// Does work that takes turn after turn and nothing else.
    fn in_run<T>(&mut self, work: impl FnOnce(&mut Vm) -> Result<T, Throw>) -> Result<T, Throw> {
        self.heap.begin_run();
        let result = work(self);
        self.heap.end_run();
        if self.heap.is_halted() { Err(Throw::Halted) } else { result }
    }

    /// Turns until the debt is paid, at least one.
    pub(super) fn automatic_step(&mut self) -> Result<(), Throw> {
        if self.heap.steps_are_generational() {
            return self.generational_step();
        }
        let mut budget = self.heap.step_budget();
        self.in_run(|vm| {
            loop {
                let work = vm.turn()?;
                if !budget.pay(work) || vm.heap.phase() == Phase::Pause {
                    return Ok(());
                }
            }
        })?;
        self.heap.settle(budget);
        if self.heap.phase() == Phase::Pause {
            self.shrink_stack();
        }
        // A few finalizers, or all of them at the end of a cycle.
        let all = self.heap.phase() == Phase::Pause;
        self.call_finalizers_between_steps(if all { usize::MAX } else { FINALIZERS_PER_STEP })
    }

    /// Where there is no phase for it: calls finalizers after a step. Under the rules of Lua 5.2 no more than the limit says,
    /// in generational mode all.
    pub(super) fn call_finalizers_between_steps(&mut self, limit: usize) -> Result<(), Throw> {
        if self.heap.mode() == Mode::Generational {
            return self.call_pending_finalizers();
        }
        if self.heap.policy().sweep != SweepRule::StringsFinalizable {
            return Ok(());
        }
        for _ in 0..limit {
            let Some(object) = self.heap.take_finalizable() else { break };
            self.call_finalizer(object)?;
        }
        Ok(())
    }

    /// Collects all that can be had without running the program, as Lua does when an allocation fails. No finalizer runs.
    fn make_room(&mut self) -> Result<(), Throw> {
        if !self.heap.is_stopped_inside() && self.heap.mode() == Mode::Generational {
            self.collect_without_finalizers()?;
        } else if !self.heap.is_stopped_inside() {
            self.heap.abandon_marking();
            self.run_until(|phase| matches!(phase, Phase::CallFinalizers | Phase::Pause))?;
            if self.heap.over_limit() {
                // What has become unreachable since the last atomic phase is found by a whole cycle; one that waits for
                // finalizers is left there, for they may allocate.
                if self.heap.phase() == Phase::Pause {
                    self.run_until(|phase| phase == Phase::Propagate)?;
                    self.run_until(|phase| matches!(phase, Phase::CallFinalizers | Phase::Pause))?;
                }
            }
        }
        if self.heap.over_limit() { Err(Throw::Limit(Limit::Memory)) } else { Ok(()) }
    }

    pub(super) fn run_until(&mut self, reached: impl Fn(Phase) -> bool) -> Result<(), Throw> {
        self.in_run(|vm| {
            while !reached(vm.heap.phase()) {
                vm.turn()?;
            }
            Ok(())
        })
    }

    /// A full collection (`collectgarbage("collect")`): ends the cycle that is under way as fast as can be, and runs
    /// another one, finalizers included.
    pub(crate) fn collect_full(&mut self) -> Result<(), Throw> {
        if self.heap.mode() == Mode::Generational {
            self.collect_to_old()?;
            return Ok(());
        }
        self.call_finalizers_between_steps(usize::MAX)?;
        self.heap.abandon_marking();
        match self.heap.policy().full_collection {
            FullCollectionRule::Restart => {
                self.run_until(|phase| matches!(phase, Phase::CallFinalizers | Phase::Pause))?;
                self.heap.begin_marking();
            }
            FullCollectionRule::ToSweep => {
                self.run_until(|phase| phase == Phase::Pause)?;
                self.run_until(|phase| phase == Phase::Propagate)?;
            }
        }
        self.heap.skip_to_atomic();
        self.run_until(|phase| phase == Phase::Pause)?;
        self.heap.rest();
        self.shrink_stack();
        self.call_finalizers_between_steps(usize::MAX)
    }

    /// `collectgarbage("step", kilobytes)`: a basic step for 0, else as if so much had been allocated. Says whether a cycle
    /// ended.
    pub(crate) fn collector_step(&mut self, kilobytes: i64) -> Result<bool, Throw> {
        let stopped = self.heap.is_stopped_by_program();
        self.heap.set_stopped_by_program(false);
        let mut debt = 1;
        let result = if kilobytes == 0 {
            self.heap.give_credit(0);
            self.automatic_step()
        } else {
            let bytes = kilobytes.saturating_mul(1024) as isize;
            debt = bytes.saturating_add(self.heap.debt());
            self.heap.give_credit(debt);
            if debt > 0 { self.automatic_step() } else { Ok(()) }
        };
        self.heap.set_stopped_by_program(stopped && !planted!(self.heap, StepRestarts));
        result?;
        // Asked for first, so that it is forgotten in any case.
        Ok(self.take_cycle_end() || (debt > 0 && self.heap.phase() == Phase::Pause))
    }

    /// Whether the collector cannot be asked for anything: inside a finalizer, and while the state is closed.
    pub(crate) fn collector_is_busy(&self) -> bool {
        self.heap.is_stopped_inside()
    }

    /// Sets the parameters that are given: pause and step multiplier in percent, logarithm of the step size.
    pub(crate) fn collector_parameters(&mut self, pause: Option<i64>, multiplier: Option<i64>, step_size: Option<i64>) {
        let percent = |value: i64| usize::try_from(value).unwrap_or(0);
        self.heap.parameters(
            pause.map(percent),
            multiplier.map(percent),
            step_size.map(|size| u32::try_from(size).unwrap_or(0)),
        );
    }

    /// Sets the pause; gives the one before.
    pub(crate) fn collector_set_pause(&mut self, pause: i64) -> i64 {
        self.heap.parameters(Some(usize::try_from(pause).unwrap_or(0)), None, None).0 as i64
    }

    /// Sets the step multiplier; gives the one before.
    pub(crate) fn collector_set_step_multiplier(&mut self, multiplier: i64) -> i64 {
        self.heap.parameters(None, Some(usize::try_from(multiplier).unwrap_or(0)), None).1 as i64
    }

    pub(crate) fn collector_stop(&mut self) {
        self.heap.set_stopped_by_program(true);
    }

    pub(crate) fn collector_restart(&mut self) {
        self.heap.give_credit(0);
        self.heap.set_stopped_by_program(false);
    }

    pub(crate) fn collector_is_running(&self) -> bool {
        !self.heap.is_stopped_by_program() && !self.heap.is_stopped_inside()
    }

    /// Calls an object's finalizer. An error in it is a warning (manual §2.5.3).
    pub(super) fn call_finalizer(&mut self, object: AnyGc) -> Result<(), Throw> {
        let result = self.call_finalizer_of(object);
        self.heap.note_finalized();
        result
    }

    fn call_finalizer_of(&mut self, object: AnyGc) -> Result<(), Throw> {
        let Some(value) = Value::from_object(object) else { return Ok(()) };
        self.finalized += 1;
        let finalizer = self.heap.metamethod_of(value, Metamethod::Gc);
        if finalizer.is_nil() {
            // Its metatable has lost it. Nil is not called, even where it has a metatable with `__call`.
            return Ok(());
        }
        if !matches!(finalizer, Value::Closure(_) | Value::Builtin(_) | Value::NativeClosure(_))
            && self.heap.metamethod_of(finalizer, Metamethod::Call).is_nil()
        {
            let kind = self.type_name_for_messages(finalizer);
            let message = [b"attempt to call a ".as_slice(), &kind, b" value (metamethod '__gc')"].concat();
            let throw = self.runtime_error(&message);
            return self.warn_of_finalizer(throw);
        }
        let stopped = self.heap.stop_for_finalizer();
        let thread = self.heap.current();
        let before = thread.hook;
        // SAFETY: the running thread is a root (the invariant of handles), and the reference ends here.
        unsafe { thread.as_mut() }.hook.suspended = true;
        let result = self.call_protected(finalizer, &[value], Some(0), flags::FINALIZER);
        // SAFETY: as above; the thread runs again, and nothing else has it until the reference ends.
        let hook = &mut unsafe { thread.as_mut() }.hook;
        hook.suspended = before.suspended;
        if before.events & hook_events::LINE != 0 {
            // The program goes on where it was, which may be before an instruction whose line is still to be told.
            hook.last_pc = before.last_pc;
        }
        self.heap.set_stopped_inside(stopped || result.is_err() && planted!(self.heap, FailedFinalizerStops));
        if result.is_err() && planted!(self.heap, FailedFinalizerDrops) {
            self.heap.drop_waiting();
        }
        match result {
            Ok(_) => Ok(()),
            Err(throw) => self.warn_of_finalizer(throw),
        }
    }

    /// Makes the error of a finalizer a warning.
    fn warn_of_finalizer(&mut self, throw: Throw) -> Result<(), Throw> {
        let (Throw::Error(error) | Throw::Handled(error)) = throw else { return Err(throw) };
        let text = match error {
            Value::String(text) => text.as_bytes().to_vec(),
            _ => b"error object is not a string".to_vec(),
        };
        self.warn(&[b"error in __gc (".as_slice(), &text, b")"].concat());
        Ok(())
    }

    /// Prints a warning to the program's standard error, if warnings are on.
    pub(crate) fn warn(&mut self, message: &[u8]) {
        if self.warnings {
            let line = [b"Lua warning: ".as_slice(), message, b"\n"].concat();
            // A warning that nobody can read is lost, as in Lua.
            let _ = self.write_error(&line);
        }
    }

    /// Calls every finalizer that is left, but not those of objects that get one meanwhile.
    pub(crate) fn finalize_everything(&mut self) -> Result<(), Throw> {
        self.heap.finalize_all();
        while let Some(object) = self.heap.take_while_closing() {
            self.call_finalizer(object)?;
        }
        if self.heap.is_halted() { Err(Throw::Halted) } else { Ok(()) }
    }

    /// Calls the finalizers of all objects that wait for it.
    pub(super) fn call_pending_finalizers(&mut self) -> Result<(), Throw> {
        while let Some(object) = self.heap.take_finalizable() {
            self.call_finalizer(object)?;
        }
        Ok(())
    }
}
