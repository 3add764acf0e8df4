//! What a heap tells of by itself, and what has to be seen by looking.

use serde::{Deserialize, Serialize};

/// Which events a heap tells of. If a kind of event is not told, a checker must neither wait for such an event nor conclude
/// that nothing happened.
///
/// Our VM tells of everything. A C Lua tells of the steps of its collector and of the barriers that act. A snapshot tells of
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// [`Event::Store`](crate::Event::Store): every write of a reference but those into stacks, the registry and the
    /// metatables of basic types.
    pub stores: bool,
    /// [`Event::Barrier`](crate::Event::Barrier): at least every call of a barrier that changes a colour.
    pub barriers: bool,
    /// [`Event::StepBegin`](crate::Event::StepBegin), [`Event::StepEnd`](crate::Event::StepEnd) and
    /// [`Event::PhaseChange`](crate::Event::PhaseChange): when the collector works.
    pub steps: bool,
    /// [`Event::Mark`](crate::Event::Mark), [`Event::Traverse`](crate::Event::Traverse),
    /// [`Event::Traversed`](crate::Event::Traversed) and [`Event::SweepAlive`](crate::Event::SweepAlive): each object that the
    /// collector comes to.
    pub marks: bool,
    /// [`Event::Allocate`](crate::Event::Allocate) and [`Event::Free`](crate::Event::Free) are told, and freed objects can
    /// still be looked at ([`Heap::quarantined`](crate::Heap::quarantined)).
    pub lifetimes: bool,
}

impl Abilities {
    /// Everything is told.
    pub const ALL: Abilities = Abilities { stores: true, barriers: true, steps: true, marks: true, lifetimes: true };

    /// Nothing is told: all that can be done is to look.
    pub const NONE: Abilities =
        Abilities { stores: false, barriers: false, steps: false, marks: false, lifetimes: false };
}
