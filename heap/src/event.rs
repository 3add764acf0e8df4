//! What happens in a heap, as an observer is told it.

use crate::{Clearing, Colour, Phase, ScopeEnd, Site};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which side of a reference a barrier changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Marks the child.
    Forward,
    /// Makes the parent gray again.
    Backward,
}

impl Direction {
    /// The word in traces and reports.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Forward => "forward",
            Direction::Backward => "backward",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepKind {
    /// One turn of the collector's state machine.
    Turn,
    /// The leap of a full collection from marking into sweeping, which undoes the marks.
    AbandonMarking,
    /// In a full collection of Lua 5.1: the start of marking, before the finalizers of the cycle before are called.
    BeginMarking,
    /// A minor collection of generational mode, from marking to the end of the sweep.
    Minor,
    /// A major collection of generational mode, from the roots on. After it all that lives is old; where it follows a bad
    /// one and is bad itself, sweeping has just begun, and turns go on with it.
    Major,
    /// The end of generational mode: all objects become white and new.
    EnterIncremental,
    /// The state is closed: all objects with finalizers come to wait for them.
    Close,
    /// While the state is closed: the next object that waits is taken, and its finalizer is called after the step. The last such
    /// step finds none.
    CloseNext,
}

impl StepKind {
    /// The word in traces.
    pub fn name(self) -> &'static str {
        match self {
            StepKind::Turn => "turn",
            StepKind::AbandonMarking => "abandon-marking",
            StepKind::BeginMarking => "begin-marking",
            StepKind::Minor => "minor",
            StepKind::Major => "major",
            StepKind::EnterIncremental => "enter-incremental",
            StepKind::Close => "close",
            StepKind::CloseNext => "close-next",
        }
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a new closure has an upvalue from.
#[derive(Clone, Copy, Debug)]
pub enum CaptureOrigin<O> {
    /// From the running function's stack: the upvalue of this register.
    Stack(usize),
    /// From the closure that runs: its upvalue of this index.
    Enclosing(O, usize),
    /// It was made for the closure: a main chunk's.
    Fresh,
}

/// The colours that a store met, as its barrier saw them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StoreColours {
    /// Of the object that holds the reference.
    pub holder: Colour,
    /// Of what it refers to now.
    pub new: Colour,
}

/// Something that happened in the heap.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'e, O> {
    /// A reference was written: `holder` now refers to `new`. Raised when the write site is done, its barrier included,
    /// or without one where the site calls none.
    Store {
        /// Where.
        site: Site,
        /// The object that holds the reference.
        holder: O,
        /// What the slot referred to before, if that is known and was an object.
        old: Option<O>,
        /// What it refers to now.
        new: O,
        /// The colours before the barrier; of an upvalue that is closed, the one it had while it was open.
        before: StoreColours,
    },
    /// A barrier was called, whether or not the colours asked for work. The colours are those after it.
    Barrier {
        /// Where.
        site: Site,
        /// Which way it works.
        direction: Direction,
        /// The object that the barrier takes for the holder.
        parent: O,
        /// What was stored.
        child: O,
        /// Whether it changed a colour.
        acted: bool,
    },
    /// A step begins.
    StepBegin(StepKind),
    /// A step ended; the phase when it began.
    StepEnd(StepKind, Phase),
    /// After a step that ended a run of steps, between which nothing was done: the program, or the host, goes on.
    RunEnd,
    /// The collector has worked, and said how much the program may allocate before it works again. Raised with the steps.
    Rest,
    /// It was said how much the program may allocate before the collector works, which has not worked: by the program, or since the
    /// collector is stopped. Raised with the steps.
    Credit,
    /// The collector entered a phase, coming from this one.
    PhaseChange(Phase),
    /// An object was made.
    Allocate(O),
    /// White to gray (or to black at once, for objects without references).
    Mark(O),
    /// Gray to black: the object is being traversed.
    Traverse(O),
    /// A step of propagation is done with an object: what it refers to is marked. Not raised in the atomic phase.
    Traversed(O),
    /// A prototype is being made, inside of another one (as its nested prototype of this index) or as a main chunk. Its
    /// names and constants are there; its nested prototypes follow.
    LoadPrototype {
        /// The new prototype.
        prototype: O,
        /// The enclosing one.
        parent: Option<(O, usize)>,
    },
    /// A Lua function is about to be entered: its caller is still the one that runs.
    Call(O),
    /// A Lua function is about to be left by a return. One that an error leaves is not told.
    Return(O),
    /// A function expression gave the closure that the cache of its prototype had, and not a new one.
    ReuseClosure(O),
    /// A new closure was given an upvalue.
    Capture {
        /// The closure.
        closure: O,
        /// Which of its upvalues, from 0.
        index: usize,
        /// What it was given.
        upvalue: O,
        /// Where that was found.
        origin: CaptureOrigin<O>,
    },
    /// `debug.upvaluejoin`: a closure refers to another upvalue now.
    JoinUpvalue {
        /// The closure.
        closure: O,
        /// Which of its upvalues, from 0.
        index: usize,
        /// The one that it referred to.
        old: Option<O>,
        /// The one that it refers to.
        new: O,
    },
    /// A variable was captured for the first time: an upvalue was opened, and entered its thread's open list.
    OpenUpvalue(O),
    /// A variable was captured again: the upvalue was found in its thread's open list.
    FindUpvalue(O),
    /// An upvalue was closed. Raised with the stores.
    CloseUpvalue {
        /// The upvalue, which has its value by now.
        upvalue: O,
        /// Why.
        end: ScopeEnd,
    },
    /// A to-be-closed variable is closed: its `__close` method is called next, unless the program is being ended. Raised with the
    /// stores.
    CloseVariable(ScopeEnd),
    /// An entry of a weak table is cleared, since its key or value is dead. Raised with the steps.
    ClearWeak {
        /// The pass that clears it.
        pass: Clearing,
        /// The table.
        table: O,
        /// The key, if it is an object.
        key: Option<O>,
        /// The value, if it is an object.
        value: Option<O>,
    },
    /// A sweep met a living object and made it white.
    SweepAlive(O),
    /// A sweep frees an object. It is the last event that may look at it.
    Free(O),
    /// An object got a finalizer: it was marked for finalization (manual §2.5.3). Raised with the steps.
    Finalizable(O),
    /// A finalizer is about to be called for the object. Raised with the steps, inside of the step that takes the object if there
    /// is one.
    Finalize(O),
    /// The finalizer that was called last has ended. Raised with the steps.
    Finalized,
    /// The state is about to be closed: nothing of that has been done yet but that variables were closed. Raised with the steps.
    CloseState,
    /// The program wrote to its output.
    Output(&'e [u8]),
    /// The collector met a freed object where only living ones may be.
    Dangling(O),
}

impl<O> Event<'_, O> {
    /// Whether it is one of those that are numbered: stores, barriers, and both ends of each step.
    #[inline]
    pub fn is_numbered(&self) -> bool {
        matches!(self, Event::Store { .. } | Event::Barrier { .. } | Event::StepBegin(_) | Event::StepEnd(..))
    }
}

/// Which events an observer wants. The others are not raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interests {
    /// [`Event::Store`], [`Event::Barrier`], [`Event::CloseUpvalue`] and [`Event::CloseVariable`].
    pub stores: bool,
    /// [`Event::StepBegin`], [`Event::StepEnd`], [`Event::RunEnd`], [`Event::Rest`], [`Event::Credit`], [`Event::Traversed`],
    /// [`Event::PhaseChange`], [`Event::ClearWeak`], [`Event::Finalizable`], [`Event::Finalize`], [`Event::Finalized`] and
    /// [`Event::CloseState`].
    pub steps: bool,
    /// Where there is little to tell: with the stores, barriers that changed no colour; with the steps, changes of phase but
    /// for those that end marking, and both ends of each turn that only goes on with marking in the middle of a run.
    pub idle: bool,
    /// All others but [`Event::Dangling`], which is always raised.
    pub fine: bool,
}
