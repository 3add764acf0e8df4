//! What a trace tells, as plain data: the fields of its JSON lines.

use moonphase_heap::{Age, Colour, Direction, Phase, Site, StepKind};
use serde::Serialize;

use super::event_kind::EventKind;
use super::names::Name;

/// Where a new closure has an upvalue from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// From the stack of the function that runs.
    Stack,
    /// From the closure that runs.
    Enclosing,
    /// It was made for the closure.
    New,
}

/// The two ends of a cycle or step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Boundary {
    /// It begins.
    Begin,
    /// It is over.
    End,
}

/// A few objects of maybe many.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Few {
    /// The first ones.
    pub refers: Vec<Name>,
    /// How many more there are.
    pub refers_more: usize,
}

/// What happened. The objects are in fields of their own; `object` is the one that it happened to.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)]
pub enum Fact {
    /// `prototype`: of a closure. `parent`: where a prototype is nested.
    Allocate {
        object: Name,
        #[serde(serialize_with = "crate::text::serialize")]
        colour: Colour,
        #[serde(skip_serializing_if = "Option::is_none")]
        prototype: Option<Name>,
        #[serde(skip_serializing_if = "Option::is_none")]
        parent: Option<Name>,
    },
    Call {
        object: Name,
    },
    Return {
        object: Name,
    },
    Reuse {
        object: Name,
    },
    /// `index`: which upvalue of the closure, from 1. `enclosing_index`: which one it is of the enclosing closure.
    Capture {
        object: Name,
        index: usize,
        variable: String,
        upvalue: Name,
        from: Origin,
        #[serde(skip_serializing_if = "Option::is_none")]
        register: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        enclosing: Option<Name>,
        #[serde(skip_serializing_if = "Option::is_none")]
        enclosing_index: Option<usize>,
    },
    Open {
        object: Name,
        thread: Option<Name>,
        slot: Option<u32>,
    },
    /// `found`: whether it was in the list before. `open`: the list, innermost variable first.
    Link {
        object: Name,
        thread: Option<Name>,
        found: bool,
        open: Vec<Name>,
    },
    Close {
        object: Name,
        #[serde(serialize_with = "crate::text::serialize")]
        colour: Colour,
        value: Option<Name>,
    },
    Join {
        object: Name,
        index: usize,
        variable: String,
        old: Option<Name>,
        new: Name,
    },
    Store {
        object: Name,
        #[serde(serialize_with = "crate::text::serialize")]
        site: Site,
        old: Option<Name>,
        new: Name,
    },
    /// The colours are those after it.
    Barrier {
        object: Name,
        #[serde(serialize_with = "crate::text::serialize")]
        site: Site,
        #[serde(serialize_with = "crate::text::serialize")]
        direction: Direction,
        child: Name,
        acted: bool,
        #[serde(serialize_with = "crate::text::serialize")]
        colour: Colour,
        #[serde(serialize_with = "crate::text::serialize")]
        child_colour: Colour,
    },
    /// `by`: the object whose traversal found it; null for roots and barriers.
    Mark {
        object: Name,
        #[serde(serialize_with = "crate::text::serialize")]
        from: Colour,
        #[serde(serialize_with = "crate::text::serialize")]
        to: Colour,
        by: Option<Name>,
        #[serde(flatten)]
        few: Few,
    },
    /// `weakly`: what it refers to without keeping it alive, the first few.
    Blacken {
        object: Name,
        #[serde(serialize_with = "crate::text::serialize")]
        from: Colour,
        #[serde(serialize_with = "crate::text::serialize")]
        to: Colour,
        #[serde(flatten)]
        few: Few,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        weakly: Vec<Name>,
    },
    GrayAgain {
        object: Name,
        #[serde(serialize_with = "crate::text::serialize")]
        from: Colour,
        #[serde(serialize_with = "crate::text::serialize")]
        to: Colour,
    },
    /// `key` and `value`: where they are objects.
    Clear {
        object: Name,
        key: Option<Name>,
        value: Option<Name>,
    },
    Age {
        object: Name,
        #[serde(serialize_with = "crate::text::serialize")]
        from: Age,
        #[serde(serialize_with = "crate::text::serialize")]
        to: Age,
    },
    Whiten {
        object: Name,
        #[serde(serialize_with = "crate::text::serialize")]
        from: Colour,
        #[serde(serialize_with = "crate::text::serialize")]
        to: Colour,
    },
    Free {
        object: Name,
    },
    Finalize {
        object: Name,
    },
    Phase {
        #[serde(serialize_with = "crate::text::serialize")]
        from: Phase,
        #[serde(serialize_with = "crate::text::serialize")]
        to: Phase,
    },
    /// `freed`: objects freed in the cycle, shown or not. `bytes`: in use.
    Cycle {
        edge: Boundary,
        freed: u64,
        bytes: usize,
    },
    Step {
        edge: Boundary,
        step: u64,
        #[serde(serialize_with = "crate::text::serialize")]
        kind: StepKind,
    },
    Print {
        text: String,
    },
    Dangling {
        object: Name,
    },
    /// `object`: what is wrong, or must not be referred to; `holder`: what refers to it.
    Violation {
        signature: String,
        detail: String,
        object: Option<Name>,
        holder: Option<Name>,
    },
    LeftOut {
        lines: u64,
    },
    /// `how`: `returned`, `error`, `limit`, `violation`, `dangling` or `halted`.
    End {
        how: &'static str,
        message: Option<String>,
    },
}

impl Fact {
    /// What kind of event it is.
    pub fn kind(&self) -> EventKind {
        match self {
            Fact::Allocate { .. } => EventKind::Allocate,
            Fact::Call { .. } => EventKind::Call,
            Fact::Return { .. } => EventKind::Return,
            Fact::Reuse { .. } => EventKind::Reuse,
            Fact::Capture { .. } => EventKind::Capture,
            Fact::Open { .. } => EventKind::Open,
            Fact::Link { .. } => EventKind::Link,
            Fact::Close { .. } => EventKind::Close,
            Fact::Join { .. } => EventKind::Join,
            Fact::Store { .. } => EventKind::Store,
            Fact::Barrier { acted: true, .. } => EventKind::Barrier,
            Fact::Barrier { acted: false, .. } => EventKind::IdleBarrier,
            Fact::Mark { .. } => EventKind::Mark,
            Fact::Blacken { .. } => EventKind::Blacken,
            Fact::GrayAgain { .. } => EventKind::GrayAgain,
            Fact::Clear { .. } => EventKind::Clear,
            Fact::Age { .. } => EventKind::Age,
            Fact::Whiten { .. } => EventKind::Whiten,
            Fact::Free { .. } => EventKind::Free,
            Fact::Finalize { .. } => EventKind::Finalize,
            Fact::Phase { .. } => EventKind::Phase,
            Fact::Cycle { .. } => EventKind::Cycle,
            Fact::Step { .. } => EventKind::Step,
            Fact::Print { .. } => EventKind::Print,
            Fact::Dangling { .. } => EventKind::Dangling,
            Fact::Violation { .. } => EventKind::Violation,
            Fact::LeftOut { .. } => EventKind::LeftOut,
            Fact::End { .. } => EventKind::End,
        }
    }
}

/// A line of a trace.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// The number of the event, from 1, counting those that are not shown.
    pub number: u64,
    /// What it is.
    pub event: EventKind,
    /// The cycle of the collector; 0 before the first one.
    pub cycle: u64,
    /// Where the collector was.
    #[serde(serialize_with = "crate::text::serialize")]
    pub phase: Phase,
    /// The chunk that ran; null outside of one.
    pub chunk: Option<String>,
    /// The line that ran.
    pub line: Option<u32>,
    /// How deep calls are nested.
    pub depth: usize,
    /// Whether a step of the collector is under way.
    #[serde(skip)]
    pub in_step: bool,
    /// The rest.
    #[serde(flatten)]
    pub fact: Fact,
}
