//! What a heap tells of by itself, and what has to be seen by looking.

use serde::{Deserialize, Serialize};

/// Which events come of a heap. What does not come, a checker must not wait for, nor take for not having happened.
///
/// A VM of ours tells of everything. Of a C Lua the turns of its collector are told, the barriers that act, and the
/// moments between two instructions. A snapshot tells of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// [`Event::Store`](crate::Event::Store): every write of a reference but those into stacks, the registry and the
    /// metatables of basic types.
    pub stores: bool,
    /// [`Event::Barrier`](crate::Event::Barrier): every call of a barrier that changes a colour.
    pub barriers: bool,
    /// [`Event::StepBegin`](crate::Event::StepBegin) and its kin: all that the collector does.
    pub steps: bool,
    /// [`Event::Mark`](crate::Event::Mark), [`Event::Traversed`](crate::Event::Traversed) and their kin: each object that the
    /// collector comes to.
    pub marks: bool,
    /// [`Event::Allocate`](crate::Event::Allocate) and [`Event::Free`](crate::Event::Free), and freed objects stay to be
    /// looked at ([`Heap::quarantined`](crate::Heap::quarantined)).
    pub lifetimes: bool,
}

impl Abilities {
    /// Everything is told.
    pub const ALL: Abilities = Abilities { stores: true, barriers: true, steps: true, marks: true, lifetimes: true };

    /// Nothing is told: all that can be done is to look.
    pub const NONE: Abilities =
        Abilities { stores: false, barriers: false, steps: false, marks: false, lifetimes: false };
}
