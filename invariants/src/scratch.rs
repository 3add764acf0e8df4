//! What looks at one heap share and keep from one look to the next.

use crate::id_set::IdSet;
use crate::known::Known;
use crate::old::OldPart;
use crate::sweep::SweptUntil;
use moonphase_heap::{Abilities, Heap};

/// See the module.
pub(crate) struct Scratch {
    /// Whether whoever looks hears of every store that the heap tells of. Only then may a look rely on what an earlier look
    /// has seen.
    hears_stores: bool,
    /// A set that each look fills anew.
    pub(crate) ids: IdSet,
    /// The members of gray lists. Each look fills it anew.
    pub(crate) gray: IdSet,
    pub(crate) old: OldPart,
    pub(crate) known: Known,
    /// When all references were last followed, and nothing living referred to anything dead.
    pub(crate) followed: SweptUntil,
}

impl Scratch {
    pub(crate) fn new(hears_stores: bool) -> Scratch {
        Scratch {
            hears_stores,
            ids: IdSet::default(),
            gray: IdSet::default(),
            old: OldPart::default(),
            known: Known::default(),
            followed: SweptUntil::default(),
        }
    }

    /// Whether every store is heard, and every freed object can still be looked at.
    pub(crate) fn hears_all<H: Heap>(&self, heap: H) -> bool {
        let Abilities { stores, lifetimes, .. } = heap.abilities();
        self.hears_stores && stores && lifetimes
    }
}
