//! What an observer is told.

use crate::gc::{Colour, HeapView, ObjectView, Phase};
use std::fmt;
use std::ops::ControlFlow;

/// A place in the VM that writes references into objects. Its name stands in events, signatures and reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Site {
    /// A value stored into an existing or new table entry.
    TableStore,
    /// A key added to a table.
    TableKey,
    /// The items of a table constructor.
    TableList,
    /// `setmetatable` on a table.
    TableMetatable,
    /// A metatable for a userdata.
    UserdataMetatable,
    /// A user value of a userdata.
    UserValue,
    /// The assignment of an upvalue by Lua code.
    UpvalueStore,
    /// `debug.setupvalue`.
    Setupvalue,
    /// `debug.upvaluejoin`.
    Upvaluejoin,
    /// The prototype of a new closure.
    ClosurePrototype,
    /// An upvalue of the enclosing function, or an open one, given to a new closure.
    ClosureCapture,
    /// An upvalue made for a new closure.
    ClosureFresh,
    /// The value that an upvalue takes with it when it is closed.
    UpvalueClose,
    /// An upvalue of a native closure.
    NativeUpvalue,
    /// A constant of a prototype that is being loaded.
    PrototypeConstant,
    /// A nested prototype.
    PrototypeNested,
    /// The name of an upvalue.
    PrototypeUpvalueName,
    /// The name of a local variable.
    PrototypeLocalName,
    /// The source of a prototype.
    PrototypeSource,
    /// The environment of a loaded chunk.
    ChunkEnvironment,
    /// The closure that a prototype keeps to use again. It is no reference.
    ClosureCache,
}

impl Site {
    /// Every site, in the order of their declaration.
    pub const ALL: &'static [Site] = &[
        Site::TableStore,
        Site::TableKey,
        Site::TableList,
        Site::TableMetatable,
        Site::UserdataMetatable,
        Site::UserValue,
        Site::UpvalueStore,
        Site::Setupvalue,
        Site::Upvaluejoin,
        Site::ClosurePrototype,
        Site::ClosureCapture,
        Site::ClosureFresh,
        Site::UpvalueClose,
        Site::NativeUpvalue,
        Site::PrototypeConstant,
        Site::PrototypeNested,
        Site::PrototypeUpvalueName,
        Site::PrototypeLocalName,
        Site::PrototypeSource,
        Site::ChunkEnvironment,
        Site::ClosureCache,
    ];

    /// The name in signatures, such as `setupvalue`.
    pub fn name(self) -> &'static str {
        match self {
            Site::TableStore => "table-store",
            Site::TableKey => "table-key",
            Site::TableList => "table-list",
            Site::TableMetatable => "table-metatable",
            Site::UserdataMetatable => "userdata-metatable",
            Site::UserValue => "user-value",
            Site::UpvalueStore => "upvalue-store",
            Site::Setupvalue => "setupvalue",
            Site::Upvaluejoin => "upvaluejoin",
            Site::ClosurePrototype => "closure-prototype",
            Site::ClosureCapture => "closure-capture",
            Site::ClosureFresh => "closure-fresh",
            Site::UpvalueClose => "upvalue-close",
            Site::NativeUpvalue => "native-upvalue",
            Site::PrototypeConstant => "prototype-constant",
            Site::PrototypeNested => "prototype-nested",
            Site::PrototypeUpvalueName => "prototype-upvalue-name",
            Site::PrototypeLocalName => "prototype-local-name",
            Site::PrototypeSource => "prototype-source",
            Site::ChunkEnvironment => "chunk-environment",
            Site::ClosureCache => "closure-cache",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which side of a reference a barrier changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Marks the child.
    Forward,
    /// Makes the parent gray again.
    Backward,
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        }
    }
}

/// Where a new closure has an upvalue from.
#[derive(Clone, Copy, Debug)]
pub enum CaptureOrigin<'h> {
    /// From the running function's stack: the upvalue of this register.
    Stack(usize),
    /// From the closure that runs: its upvalue of this index.
    Enclosing(ObjectView<'h>, usize),
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
pub enum Event<'h> {
    /// A reference was written: `holder` now refers to `new`. Raised when the write site is done, its barrier included,
    /// or without one where the site calls none.
    Store {
        /// Where.
        site: Site,
        /// The object that holds the reference.
        holder: ObjectView<'h>,
        /// What the slot referred to before, if that is known and was an object.
        old: Option<ObjectView<'h>>,
        /// What it refers to now.
        new: ObjectView<'h>,
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
        parent: ObjectView<'h>,
        /// What was stored.
        child: ObjectView<'h>,
        /// Whether it changed a colour.
        acted: bool,
    },
    /// A step begins.
    StepBegin(StepKind),
    /// A step ended; the phase when it began.
    StepEnd(StepKind, Phase),
    /// After a step that ended a run of steps, between which nothing was done: the program, or the host, goes on.
    RunEnd,
    /// The collector entered a phase, coming from this one.
    PhaseChange(Phase),
    /// An object was made.
    Allocate(ObjectView<'h>),
    /// White to gray (or to black at once, for objects without references).
    Mark(ObjectView<'h>),
    /// Gray to black: the object is being traversed.
    Traverse(ObjectView<'h>),
    /// A step of propagation is done with an object: what it refers to is marked. Not raised in the atomic phase.
    Traversed(ObjectView<'h>),
    /// A prototype is being made, inside of another one (as its nested prototype of this index) or as a main chunk. Its
    /// names and constants are there; its nested prototypes follow.
    LoadPrototype {
        /// The new prototype.
        prototype: ObjectView<'h>,
        /// The enclosing one.
        parent: Option<(ObjectView<'h>, usize)>,
    },
    /// A Lua function is about to be entered: its caller is still the one that runs.
    Call(ObjectView<'h>),
    /// A Lua function is about to be left by a return. One that an error leaves is not told.
    Return(ObjectView<'h>),
    /// A function expression gave the closure that the cache of its prototype had, and not a new one.
    ReuseClosure(ObjectView<'h>),
    /// A new closure was given an upvalue.
    Capture {
        /// The closure.
        closure: ObjectView<'h>,
        /// Which of its upvalues, from 0.
        index: usize,
        /// What it was given.
        upvalue: ObjectView<'h>,
        /// Where that was found.
        origin: CaptureOrigin<'h>,
    },
    /// `debug.upvaluejoin`: a closure refers to another upvalue now.
    JoinUpvalue {
        /// The closure.
        closure: ObjectView<'h>,
        /// Which of its upvalues, from 0.
        index: usize,
        /// The one that it referred to.
        old: Option<ObjectView<'h>>,
        /// The one that it refers to.
        new: ObjectView<'h>,
    },
    /// A variable was captured for the first time: an upvalue was opened, and entered its thread's open list.
    OpenUpvalue(ObjectView<'h>),
    /// A variable was captured again: the upvalue was found in its thread's open list.
    FindUpvalue(ObjectView<'h>),
    /// An upvalue was closed.
    CloseUpvalue(ObjectView<'h>),
    /// A sweep met a living object and made it white.
    SweepAlive(ObjectView<'h>),
    /// A sweep frees an object. It is the last event that may look at it.
    Free(ObjectView<'h>),
    /// An object got a finalizer: it was marked for finalization (manual §2.5.3). Raised with the steps.
    Finalizable(ObjectView<'h>),
    /// A finalizer is about to be called for the object.
    Finalize(ObjectView<'h>),
    /// The program wrote to its output.
    Output(&'h [u8]),
    /// The collector met a freed object where only living ones may be.
    Dangling(ObjectView<'h>),
}

impl Event<'_> {
    /// Whether it is one of those that are numbered: stores, barriers, and both ends of each step.
    #[inline]
    pub fn is_numbered(&self) -> bool {
        matches!(self, Event::Store { .. } | Event::Barrier { .. } | Event::StepBegin(_) | Event::StepEnd(..))
    }
}

/// Which events an observer wants. The others are not raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interests {
    /// [`Event::Store`] and [`Event::Barrier`].
    pub stores: bool,
    /// [`Event::StepBegin`], [`Event::StepEnd`], [`Event::RunEnd`], [`Event::Traversed`], [`Event::PhaseChange`] and
    /// [`Event::Finalizable`].
    pub steps: bool,
    /// Where there is little to tell: with the stores, barriers that changed no colour; with the steps, changes of phase but
    /// for those that end marking, and both ends of each turn that only goes on with marking in the middle of a run.
    pub idle: bool,
    /// All others but [`Event::Dangling`], which is always raised.
    pub fine: bool,
}

/// Reads the heap while a program runs.
pub trait Observer {
    /// What to tell it. Asked once, when the observer is installed.
    fn interests(&self) -> Interests;

    /// Something happened. `Break` ends the script at once: no further instruction runs, and `pcall` cannot catch it.
    fn event(&mut self, heap: HeapView<'_>, event: &Event<'_>) -> ControlFlow<()>;

    /// Gives the observer back to whoever installed it.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any>;
}
