//! Schedules: who says when the collector turns, besides the program's own requests and its debt.
//!
//! A schedule is asked at *points*, which are numbered from 1 in the order in which a run comes to them:
//! - where the debt is looked at: after instructions that allocate, after native functions have returned, and where a
//!   protected call has caught an error;
//! - before and after every instruction that may reach a write barrier: stores, the closing of upvalues, calls of native
//!   functions. There is one point between two such instructions that follow each other;
//! - inside native functions, when they have made an object that only they hold yet;
//! - while a chunk is loaded, between the making of each object and the store of a reference to it, but for the upvalues of
//!   the main function. Where a program loads it, the debt is looked at there too.
//!
//! Inside native functions and while loading, what was made is *anchored*: a root until the function has returned, or the
//! chunk is loaded. All else that a native function holds there is on the stack or reachable, since no program runs that
//! could change it: turns at these points call no finalizer, they wait. An object that an instruction makes (a closure, an upvalue,
//! the parts of a table) is complete before there is a point, as in Lua; error messages and yields have none. While a
//! finalizer runs, and when the VM is closed, the collector is stopped and nothing is asked.
//!
//! `collectgarbage("stop")` is about the debt and does not keep a schedule from its turns. A program can tell schedules
//! apart only by when its finalizers run, weak entries vanish and cycles end.
//!
//! Without a schedule nothing of this costs anything: the debt is kept positive where there is one, so that the question
//! at safe points is the usual one, and the rest is asked in the checked loop and behind one branch in what natives make.

use crate::bytecode::Opcode;
use crate::gc::{AnyGc, Gc, Managed, Mode, Phase};
use crate::interpreter::collect::FINALIZERS_PER_STEP;
use crate::interpreter::{Throw, Vm};
use crate::random;
use crate::value::{FrameKind, Value};
use std::fmt;
use std::str::FromStr;

/// When the collector turns, besides the program's own requests and its debt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Schedule {
    /// Never.
    #[default]
    None,
    /// One turn at every point of an allocation: after the instruction or the native function, inside it, while loading.
    Stress,
    /// Turns at random points, by xoshiro256** from this seed: any number of them, or as many as it takes to come to a phase.
    /// How dense they are depends on the seed too.
    Random(u64),
    /// The turns of [`Schedule::Random`], and after them the gray lists are shuffled: their order is the collector's own, and no
    /// collector that is right depends on it.
    Shuffled(u64),
    /// One turn at every point before and after an instruction that may reach a barrier.
    Barriers,
    /// The program runs in generational mode from its start, with an automatic step, which is a collection there, at every
    /// eighth allocation.
    Generational,
    /// Turns at these points.
    Steps(Vec<Turns>),
}

/// Allocations between two automatic steps of [`Schedule::Generational`].
const ALLOCATIONS: u64 = 8;

/// In generational mode a schedule with turns at every point has them at one in so many: each is a whole collection.
const POINTS: u64 = 8;

/// In generational mode so many turns make what is there old, and the threads among it gray; more at the same point would do
/// nothing.
const TURNS_TO_OLD: u64 = 3;

/// Among the points of [`Schedule::Random`] that have turns, one in so many goes to a phase.
const LEAPS: u64 = 4;

/// No more than so many points the collector then rests in that phase, most of which are short.
const REST: u64 = 128;

/// The phases to go to: all that a turn can end in. One that the policy does not have takes a whole cycle.
fn destinations() -> impl Iterator<Item = Phase> {
    Phase::ALL.into_iter().filter(|&phase| phase != Phase::Atomic)
}

/// Turns of the collector at one point of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Turns {
    /// The number of the point, from 1.
    pub point: u64,
    /// How many turns.
    pub turns: u32,
}

/// A schedule that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown schedule '{0}' (known: none, stress, random:SEED, shuffled:SEED, barriers, generational, steps:POINT[xTURNS],…)"
)]
pub struct UnknownSchedule(String);

impl FromStr for Turns {
    type Err = ();

    fn from_str(text: &str) -> Result<Turns, ()> {
        let (point, turns) = text.split_once('x').unwrap_or((text, "1"));
        match (point.parse(), turns.parse()) {
            (Ok(point), Ok(turns)) if point > 0 && turns > 0 => Ok(Turns { point, turns }),
            _ => Err(()),
        }
    }
}

impl FromStr for Schedule {
    type Err = UnknownSchedule;

    fn from_str(text: &str) -> Result<Schedule, UnknownSchedule> {
        let unknown = || UnknownSchedule(text.to_owned());
        Ok(match text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest))) {
            ("none", None) => Schedule::None,
            ("stress", None) => Schedule::Stress,
            ("random", Some(seed)) => Schedule::Random(seed.parse().map_err(|_| unknown())?),
            ("shuffled", Some(seed)) => Schedule::Shuffled(seed.parse().map_err(|_| unknown())?),
            ("barriers", None) => Schedule::Barriers,
            ("generational", None) => Schedule::Generational,
            ("steps", Some(steps)) => {
                let mut steps: Vec<Turns> =
                    steps.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|()| unknown())?;
                steps.sort_by_key(|step| step.point);
                Schedule::Steps(steps)
            }
            _ => return Err(unknown()),
        })
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::None => f.write_str("none"),
            Schedule::Steps(steps) if steps.is_empty() => f.write_str("none"),
            Schedule::Stress => f.write_str("stress"),
            Schedule::Random(seed) => write!(f, "random:{seed}"),
            Schedule::Shuffled(seed) => write!(f, "shuffled:{seed}"),
            Schedule::Barriers => f.write_str("barriers"),
            Schedule::Generational => f.write_str("generational"),
            Schedule::Steps(steps) => {
                for (index, Turns { point, turns }) in steps.iter().enumerate() {
                    f.write_str(if index == 0 { "steps:" } else { "," })?;
                    write!(f, "{point}")?;
                    if *turns > 1 {
                        write!(f, "x{turns}")?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// The turns that a schedule made at one point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turned {
    /// At which point, and how many.
    pub turns: Turns,
    /// The line of the Lua function that ran; 0 where none did.
    pub line: u32,
}

/// A kind of point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// After an instruction that allocates, or a native function.
    Allocation,
    /// Before or after an instruction that may reach a barrier.
    Store,
    /// An object was made that is not stored anywhere yet.
    Inside,
}

/// How many turns to make at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Turns(u64),
    /// Until this phase begins, or a cycle has passed.
    Until(Phase),
}

/// A schedule at work.
pub(super) struct Scheduler {
    rule: Rule,
    /// Points so far.
    points: u64,
    /// Whether the last instruction may have reached a barrier.
    stored: bool,
    /// Whether a cycle has ended by the schedule's turns since the program asked for a step.
    ended_cycle: bool,
    /// The turns made, if somebody wants to know.
    record: Option<Vec<Turned>>,
}

enum Rule {
    At(Point),
    /// Automatic steps, by the number of allocations.
    Automatic {
        allocations: u64,
    },
    Random {
        state: [u64; 4],
        odds: u64,
        most: u64,
        /// Points to come without turns.
        rest: u64,
        /// Whether the gray lists are shuffled.
        shuffles: bool,
    },
    Steps {
        steps: Vec<Turns>,
        next: usize,
    },
}

impl Rule {
    /// What decides in a schedule; `None` where nothing is to be decided.
    fn of(schedule: &Schedule) -> Option<Rule> {
        Some(match schedule {
            Schedule::None => return None,
            Schedule::Generational => Rule::Automatic { allocations: 0 },
            Schedule::Stress => Rule::At(Point::Allocation),
            Schedule::Barriers => Rule::At(Point::Store),
            Schedule::Random(seed) | Schedule::Shuffled(seed) => {
                let mut state = random::seeded(*seed, 0);
                let odds = 2 << (random::next(&mut state) % 6);
                let most = 1 << (random::next(&mut state) % 6);
                Rule::Random { state, odds, most, rest: 0, shuffles: matches!(schedule, Schedule::Shuffled(_)) }
            }
            Schedule::Steps(steps) => Rule::Steps { steps: steps.clone(), next: 0 },
        })
    }

    /// What to do at the point of this number.
    fn wanted(&mut self, number: u64, point: Point) -> Wanted {
        Wanted::Turns(match self {
            // What is made inside is an allocation too.
            Rule::At(Point::Allocation) => u64::from(point != Point::Store),
            Rule::At(wanted) => u64::from(point == *wanted),
            Rule::Automatic { .. } => 0,
            Rule::Random { state, odds, most, rest, shuffles: _ } => {
                if *rest > 0 {
                    *rest -= 1;
                    0
                } else if !random::next(state).is_multiple_of(*odds) {
                    0
                } else if random::next(state).is_multiple_of(LEAPS) {
                    *rest = random::next(state) % REST;
                    let nth = random::next(state) % destinations().count() as u64;
                    return Wanted::Until(destinations().nth(nth as usize).unwrap_or(Phase::Pause));
                } else {
                    1 + random::next(state) % *most
                }
            }
            Rule::Steps { steps, next } => {
                let mut turns = 0;
                while let Some(step) = steps.get(*next).filter(|step| step.point <= number) {
                    turns += if step.point == number { u64::from(step.turns) } else { 0 };
                    *next += 1;
                }
                turns
            }
        })
    }
}

impl Vm {
    /// Puts the schedule of the options into force.
    pub(super) fn start_schedule(&mut self) {
        if self.options.schedule == Schedule::Generational {
            // No finalizer is there that could fail, and no observer.
            let _ = self.collector_mode(Mode::Generational);
        }
        self.scheduler = Rule::of(&self.options.schedule)
            .map(|rule| Box::new(Scheduler { rule, points: 0, stored: false, ended_cycle: false, record: None }));
        self.heap.alert(self.scheduler.is_some());
        self.update_checked();
    }

    /// Records the turns that the schedule makes from now on.
    pub fn record_schedule(&mut self) {
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.record = Some(Vec::new());
        }
    }

    /// The turns that were recorded, in their order.
    pub fn take_scheduled_turns(&mut self) -> Vec<Turned> {
        self.scheduler.as_mut().and_then(|scheduler| scheduler.record.as_mut()).map(std::mem::take).unwrap_or_default()
    }

    /// A point: makes the turns that the schedule wants here.
    #[cold]
    pub(super) fn schedule_point(&mut self, point: Point) -> Result<(), Throw> {
        if self.heap.is_stopped_inside() {
            return Ok(());
        }
        let Some(scheduler) = &mut self.scheduler else { return Ok(()) };
        scheduler.points += 1;
        let number = scheduler.points;
        if let Rule::Automatic { allocations } = &mut scheduler.rule {
            *allocations += u64::from(point == Point::Allocation);
            let due = point == Point::Allocation && allocations.is_multiple_of(ALLOCATIONS);
            if due {
                self.automatic_step()?;
                if self.heap.phase() == Phase::Pause {
                    self.note_cycle_end();
                }
            }
            return Ok(());
        }
        let mut wanted = scheduler.rule.wanted(number, point);
        if self.heap.mode() == Mode::Generational && !matches!(scheduler.rule, Rule::Steps { .. }) {
            let dense = matches!(scheduler.rule, Rule::At(_));
            wanted = match wanted {
                _ if dense && !number.is_multiple_of(POINTS) => Wanted::Turns(0),
                Wanted::Turns(turns) => Wanted::Turns(turns.min(TURNS_TO_OLD)),
                Wanted::Until(_) => Wanted::Turns(TURNS_TO_OLD),
            };
        }
        if wanted == Wanted::Turns(0) {
            return Ok(());
        }
        let line = scheduler.record.is_some().then(|| self.running_line());
        let (mut turns, mut cycles) = (0, 0);
        loop {
            let ended = match wanted {
                Wanted::Turns(wanted) => turns == wanted,
                Wanted::Until(phase) => turns > 0 && self.heap.phase() == phase || cycles == 2,
            };
            if ended || self.heap.is_halted() || (point == Point::Inside && self.heap.finalizer_is_due()) {
                break;
            }
            // Before the turn: it may be the one that the observer ends.
            if let Some(line) = line {
                self.record_turn(number, line, turns == 0);
            }
            self.turn()?;
            turns += 1;
            if self.heap.phase() == Phase::Pause {
                cycles += 1;
                self.note_cycle_end();
            }
        }
        if let Some(Rule::Random { state, shuffles: true, .. }) =
            self.scheduler.as_mut().map(|at_work| &mut at_work.rule)
        {
            self.heap.shuffle_gray(state);
        }
        match point {
            Point::Inside => Ok(()),
            Point::Allocation | Point::Store => self.call_finalizers_between_steps(FINALIZERS_PER_STEP),
        }
    }

    fn note_cycle_end(&mut self) {
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.ended_cycle = true;
        }
    }

    /// Whether a cycle has ended by the schedule's turns since the last call. A step that the program asks for says so: else
    /// one that waits for the end of a cycle might wait for ever, where each of its steps is followed by the same turns.
    pub(super) fn take_cycle_end(&mut self) -> bool {
        self.scheduler.as_mut().is_some_and(|scheduler| std::mem::take(&mut scheduler.ended_cycle))
    }

    fn record_turn(&mut self, point: u64, line: u32, first: bool) {
        let Some(record) = self.scheduler.as_mut().and_then(|scheduler| scheduler.record.as_mut()) else { return };
        match record.last_mut() {
            Some(last) if !first => last.turns.turns += 1,
            _ => record.push(Turned { turns: Turns { point, turns: 1 }, line }),
        }
    }

    /// The line that the innermost Lua function is at.
    fn running_line(&self) -> u32 {
        let frames = &self.heap.current().frames;
        let innermost = frames.iter().rev().find(|frame| frame.kind == FrameKind::Lua);
        innermost
            .and_then(|frame| self.frame_prototype(frame)?.line_at((frame.pc as usize).saturating_sub(1)))
            .unwrap_or_default()
    }

    /// What a schedule does before each instruction: the program counter is behind it already. Says whether the stack may
    /// have moved.
    #[cold]
    pub(super) fn schedule_instruction(&mut self) -> Result<bool, Throw> {
        // What native functions have made is theirs no more once they have returned.
        self.heap.let_go_from(self.nesting());
        let stores = self.stores_next();
        let Some(scheduler) = &mut self.scheduler else { return Ok(false) };
        if !std::mem::replace(&mut scheduler.stored, stores) && !stores {
            return Ok(false);
        }
        self.schedule_point(Point::Store)?;
        Ok(true)
    }

    /// Whether the instruction that comes may reach a barrier.
    fn stores_next(&self) -> bool {
        let thread = self.heap.current();
        let Some(frame) = thread.frames.last() else { return false };
        let Some(prototype) = self.frame_prototype(frame) else { return false };
        let Some(instruction) = prototype.code.get((frame.pc as usize).wrapping_sub(1)) else { return false };
        match instruction.opcode() {
            Opcode::SetUpval
            | Opcode::SetTabUp
            | Opcode::SetTabUpK
            | Opcode::SetTable
            | Opcode::SetTableK
            | Opcode::SetI
            | Opcode::SetIK
            | Opcode::SetField
            | Opcode::SetFieldK
            | Opcode::SetList
            | Opcode::Close
            | Opcode::Closure => true,
            // They close upvalues.
            Opcode::Return | Opcode::TailCall if instruction.c() != 0 => true,
            Opcode::Call | Opcode::TailCall => {
                let function = thread.stack[frame.base as usize + instruction.a() as usize];
                matches!(function, Value::Builtin(_) | Value::NativeClosure(_))
            }
            _ => false,
        }
    }

    /// A native function has made an object that nothing refers to yet. It is kept until the function has
    /// returned; turns may run here.
    #[inline]
    pub(crate) fn made<T: Managed>(&mut self, object: Gc<T>) -> Gc<T> {
        if self.scheduler.is_some() {
            self.made_under_schedule(object.erase());
        }
        object
    }

    #[cold]
    fn made_under_schedule(&mut self, object: AnyGc) {
        self.heap.anchor(object, self.nesting());
        // If an observer ends the program here, that is seen before the next instruction.
        let _ = self.schedule_point(Point::Inside);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_read_back_from_their_names() {
        for text in ["none", "stress", "random:7", "barriers", "generational", "shuffled:7", "steps:3,5x20,9"] {
            assert_eq!(text.parse::<Schedule>().map(|schedule| schedule.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("steps:5,3x2".parse::<Schedule>().unwrap().to_string(), "steps:3x2,5");
        for text in ["", "stress:1", "random", "random:x", "steps", "steps:", "steps:0", "steps:1x0", "steps:1,,2"] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
