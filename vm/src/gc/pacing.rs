//! The collector's state machine, and how fast it runs.
//!
//! The collector is paid by *debt*: bytes allocated since it last rested. While the debt is positive, each safe point of
//! the interpreter runs turns until it is paid. The parameters are those of `collectgarbage("incremental", …)`, manual
//! §2.5.1.

use crate::gc::{AnyGc, FullCollectionRule, Heap, Mode, Phase};
use crate::gc::{Event, StepKind};
use moonphase_heap::Stopped;

/// Bytes that a unit of work stands for (Lua's `WORK2MEM`: the size of a value).
const WORK_TO_BYTES: isize = 16;
/// What the debt is raised by where every safe point is to see a positive one: more than any heap has.
const ALERT: isize = isize::MAX / 2;
/// Units of work that a finalizer counts as.
const FINALIZER_COST: usize = 50;

/// Byte count and parameters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacing {
    /// Bytes of all objects that are not freed.
    pub bytes: usize,
    /// Bytes allocated beyond what has been paid for, and the alert.
    pub debt: isize,
    /// By how much the debt is raised to bring every safe point to a schedule; 0 without one.
    alert: isize,
    /// Bytes that were alive at the end of the last cycle.
    pub estimate: usize,
    /// Percent of the estimate at which the next cycle begins.
    pub pause: usize,
    /// Speed of the collector against allocation, in percent.
    pub step_multiplier: usize,
    /// Logarithm of the bytes allocated between two steps.
    pub step_size: u32,
    /// Stopped by the program, by the collector itself (in a finalizer), or by the host (while closing).
    pub stopped_by_program: bool,
    pub stopped_inside: bool,
}

impl Default for Pacing {
    fn default() -> Self {
        Pacing {
            bytes: 0,
            debt: 0,
            alert: 0,
            estimate: 0,
            pause: 200,
            step_multiplier: 100,
            step_size: 13,
            // A new state is filled with the library before its collector starts.
            stopped_by_program: false,
            stopped_inside: true,
        }
    }
}

impl Pacing {
    #[inline(always)]
    pub(super) fn charge(&mut self, bytes: isize) {
        self.bytes = self.bytes.wrapping_add_signed(bytes);
        self.debt += bytes;
    }
}

/// What a step leaves to the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing; so much work was done.
    Done(usize),
    /// This object's finalizer is to be called.
    Finalize(AnyGc),
}

impl Turn {
    pub(crate) fn work(self) -> usize {
        match self {
            Turn::Done(work) => work,
            Turn::Finalize(_) => FINALIZER_COST,
        }
    }
}

impl Heap {
    /// Where the collector is.
    #[inline]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Bytes of all objects that are not freed.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.pacing.bytes
    }

    /// Whether a safe point should look at the debt and the schedule.
    #[inline(always)]
    pub(crate) fn wants_step(&self) -> bool {
        self.pacing.debt > 0
    }

    /// Whether a program has more memory than its host allows.
    #[inline(always)]
    pub(crate) fn over_limit(&self) -> bool {
        self.pacing.bytes > self.memory_limit
    }

    /// Whether so many more bytes would be more than the host allows.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.pacing.bytes.saturating_add(bytes) <= self.memory_limit
    }

    pub(super) fn enter(&mut self, phase: Phase) {
        let before = std::mem::replace(&mut self.phase, phase);
        if self.interests.steps && (self.interests.idle || before == Phase::Atomic) {
            self.raise(Event::PhaseChange(before));
        }
    }

    /// One turn of the state machine; in generational mode, whose state machine has only one, a minor collection.
    pub(crate) fn step(&mut self) -> Turn {
        match self.mode() {
            Mode::Incremental if self.goes_on_marking() => {
                self.events += 2;
                self.turn()
            }
            Mode::Incremental => self.in_step(StepKind::Turn, Heap::turn),
            Mode::Generational => Turn::Done(self.collect_minor()),
        }
    }

    /// Does the work of a step, between the events that tell of it.
    pub(super) fn in_step<T>(&mut self, kind: StepKind, work: impl FnOnce(&mut Heap) -> T) -> T {
        let phase = self.phase;
        if self.interests.steps {
            self.raise(Event::StepBegin(kind));
            self.run_goes_on = self.in_run;
        }
        let result = work(self);
        if self.interests.steps {
            self.raise(Event::StepEnd(kind, phase));
        }
        result
    }

    /// Whether the next turn is one that the observer does not want to be told of by itself.
    fn goes_on_marking(&self) -> bool {
        self.interests.steps
            && !self.interests.idle
            && self.run_goes_on
            && self.phase == Phase::Propagate
            && !self.gray.is_empty()
    }

    fn turn(&mut self) -> Turn {
        Turn::Done(match self.phase {
            Phase::Pause => {
                self.restart();
                self.enter(Phase::Propagate);
                1
            }
            Phase::Propagate if self.gray.is_empty() => {
                self.enter(Phase::EnterAtomic);
                0
            }
            Phase::Propagate => self.propagate(),
            Phase::EnterAtomic | Phase::Atomic => {
                let work = self.atomic();
                self.enter_sweep();
                self.pacing.estimate = self.pacing.bytes;
                work
            }
            Phase::SweepStrings | Phase::SweepAll | Phase::SweepFinalizable | Phase::SweepToBeFinalized => {
                let before = self.pacing.bytes;
                let work = self.sweep_step();
                let freed = before.saturating_sub(self.pacing.bytes);
                let freed = if planted!(self, EstimateKept) { 0 } else { freed };
                self.pacing.estimate = self.pacing.estimate.saturating_sub(freed);
                work
            }
            Phase::SweepEnd => {
                self.enter(Phase::CallFinalizers);
                0
            }
            Phase::CallFinalizers => match self.take_finalizable() {
                Some(object) => return Turn::Finalize(object),
                None => {
                    self.enter(Phase::Pause);
                    0
                }
            },
        })
    }

    /// The work that one automatic step has to do: turns go on until it is done or the cycle ends.
    pub(crate) fn step_budget(&self) -> StepBudget {
        let multiplier = (self.pacing.step_multiplier | 1) as isize;
        let size = match self.pacing.step_size {
            0..=62 => ((1isize << self.pacing.step_size) / WORK_TO_BYTES).saturating_mul(multiplier),
            _ => isize::MAX,
        };
        StepBudget { debt: (self.debt() / WORK_TO_BYTES).saturating_mul(multiplier), size, multiplier }
    }

    /// Settles the debt after a step.
    pub(crate) fn settle(&mut self, budget: StepBudget) {
        if self.phase == Phase::Pause {
            self.rest();
        } else {
            self.rest_for(budget.debt / budget.multiplier * WORK_TO_BYTES);
        }
    }

    /// Sets the debt when the collector has worked.
    pub(super) fn rest_for(&mut self, debt: isize) {
        self.set_debt(debt);
        if self.interests.steps {
            self.raise(Event::Rest);
        }
    }

    /// Sets the debt where the collector has not worked.
    pub(crate) fn give_credit(&mut self, debt: isize) {
        self.set_debt(debt);
        if self.interests.steps {
            self.raise(Event::Credit);
        }
    }

    /// When the collector is to work again, as an observer sees it.
    pub(super) fn seen_pacing(&self) -> moonphase_heap::Pacing {
        let stopped = match (self.pacing.stopped_inside, self.pacing.stopped_by_program) {
            (true, _) => Some(Stopped::Inside),
            (false, true) => Some(Stopped::Program),
            (false, false) => None,
        };
        moonphase_heap::Pacing {
            credit: (self.debt() as i64).saturating_neg(),
            stopped,
            pause: self.pacing.pause as u64,
            minor_growth: if self.policy.has_generational() { self.minor_multiplier() as u64 } else { 0 },
            major_growth: if self.policy.has_generational() { self.major_multiplier() as u64 } else { 0 },
            step: 1_u64.checked_shl(self.pacing.step_size).unwrap_or(u64::MAX),
        }
    }

    /// Sets the debt, but no lower than what leads to a safe point before the memory limit is passed.
    pub(crate) fn set_debt(&mut self, debt: isize) {
        let room = self.memory_limit.saturating_sub(self.pacing.bytes).min(isize::MAX as usize) as isize;
        self.pacing.debt = debt.max(-room).saturating_add(self.pacing.alert);
    }

    pub(crate) fn debt(&self) -> isize {
        self.pacing.debt - self.pacing.alert
    }

    /// Whether every safe point is to act as if there were a debt, since there is a schedule.
    pub(crate) fn alert(&mut self, alert: bool) {
        let debt = self.debt();
        self.pacing.alert = if alert { ALERT } else { 0 };
        self.set_debt(debt);
    }

    /// Lets the collector run, once the library is there.
    pub(crate) fn start_collector(&mut self) {
        self.pacing.stopped_inside = false;
    }

    /// Whether `collectgarbage("stop")` is in force.
    pub(crate) fn is_stopped_by_program(&self) -> bool {
        self.pacing.stopped_by_program
    }

    pub(crate) fn set_stopped_by_program(&mut self, stopped: bool) {
        self.pacing.stopped_by_program = stopped;
    }

    /// Whether a finalizer runs, or the state is being closed: the collector does nothing then.
    pub(crate) fn is_stopped_inside(&self) -> bool {
        self.pacing.stopped_inside
    }

    pub(crate) fn set_stopped_inside(&mut self, stopped: bool) -> bool {
        std::mem::replace(&mut self.pacing.stopped_inside, stopped)
    }

    /// The parameters: pause and step multiplier in percent, logarithm of the step size. Those given are set; gives the
    /// ones before.
    pub(crate) fn parameters(
        &mut self,
        pause: Option<usize>,
        multiplier: Option<usize>,
        step_size: Option<u32>,
    ) -> (usize, usize, u32) {
        let before = (self.pacing.pause, self.pacing.step_multiplier, self.pacing.step_size);
        self.pacing.pause = pause.unwrap_or(before.0);
        self.pacing.step_multiplier = multiplier.unwrap_or(before.1);
        self.pacing.step_size = step_size.unwrap_or(before.2);
        before
    }

    /// Sets the debt so that the next cycle begins when memory has grown by the pause parameter.
    pub(crate) fn rest(&mut self) {
        let threshold = (self.pacing.estimate / 100).saturating_mul(self.pacing.pause);
        let threshold = isize::try_from(threshold).unwrap_or(isize::MAX);
        // A faulty collector may have counted below zero.
        self.rest_for((self.pacing.bytes as isize).saturating_sub(threshold).min(0));
    }

    /// First part of a full collection. From the middle of marking it goes straight to sweep, which undoes the marks
    /// without freeing anything, since the white was not flipped; under the rule of Lua 5.1 from pause too, and the gray
    /// lists are forgotten at once.
    pub(crate) fn abandon_marking(&mut self) {
        let restarts = self.policy.full_collection == FullCollectionRule::Restart;
        if self.keeps_invariant() || restarts && self.phase == Phase::Pause {
            self.in_step(StepKind::AbandonMarking, |heap| {
                if restarts {
                    heap.clear_gray_lists();
                }
                if planted!(heap, FullCollectionFlips) {
                    heap.current_white = heap.other_white();
                }
                heap.enter_sweep();
            });
        }
    }

    /// Second part of a full collection under the rule of Lua 5.1: marking begins before the finalizers of the cycle
    /// before are called.
    pub(crate) fn begin_marking(&mut self) {
        self.in_step(StepKind::BeginMarking, |heap| {
            heap.restart();
            heap.enter(Phase::Propagate);
        });
    }

    /// Leaves the rest of marking to the atomic phase: in a full collection nothing runs in between.
    pub(crate) fn skip_to_atomic(&mut self) {
        self.enter(Phase::EnterAtomic);
    }
}

/// How much of an automatic step is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StepBudget {
    debt: isize,
    size: isize,
    multiplier: isize,
}

impl StepBudget {
    /// Pays for a turn. Says whether there is more to do.
    pub(crate) fn pay(&mut self, work: usize) -> bool {
        self.debt = self.debt.saturating_sub_unsigned(work);
        self.debt > -self.size
    }
}
