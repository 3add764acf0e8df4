//! The old part of a heap in generational mode, which minor collections leave alone.
//!
//! In each list the really old objects stand behind all others. A minor collection sweeps and traverses none of them but
//! those that waited on the gray-again list: whoever writes a young object into an old one puts the old one there. So the old
//! part is looked at once, and is known from then on. A look after a minor collection walks the young part of the lists, and
//! the old objects that had waited. It sees all that the collection changed, and walks as much as the collection itself.
//!
//! Damage to old objects that no event told of, and that stays, it cannot see; whole looks do.

use crate::checks::ages::AGED_LISTS;
use crate::id_set::IdSet;
use crate::sweep::SweptUntil;
use crate::walk::Extent;
use moonphase_heap::{Heap, ListName, Mode};

/// See the module.
#[derive(Default)]
pub(crate) struct OldPart {
    /// Whether it was seen, and the references of its objects with it.
    is_known: bool,
    /// Its objects.
    ids: IdSet,
    /// Those that a walk has found to belong to it from now on.
    joining: Vec<u32>,
    /// Where it begins in each list that is in the order of ages.
    begins: [Option<u32>; AGED_LISTS.len()],
    /// When it was last looked at.
    seen: SweptUntil,
}

impl OldPart {
    /// How much has to be looked at: the young part is enough where this one is known.
    pub(crate) fn extent(&self) -> Extent {
        if self.is_known { Extent::Young } else { Extent::Headers }
    }

    /// Something may have moved, or was not seen.
    pub(crate) fn forget(&mut self) {
        self.is_known = false;
    }

    /// Objects may have come to stand anywhere in this list: the next look at the young part walks all of it.
    pub(crate) fn lose_place_in(&mut self, list: ListName) {
        for (begin, of) in self.begins.iter_mut().zip(AGED_LISTS) {
            *begin = begin.filter(|_| of != list);
        }
    }

    /// A walk over the whole heap begins.
    pub(crate) fn begin_anew(&mut self) {
        self.ids.clear();
        self.joining.clear();
    }

    /// Whether an object belongs to it.
    #[inline]
    pub(crate) fn contains<H: Heap>(&self, heap: H, object: H::Object) -> bool {
        self.ids.contains(heap.id(object))
    }

    /// A walk has come to an object that belongs to it from the next look on.
    #[inline]
    pub(crate) fn join<H: Heap>(&mut self, heap: H, object: H::Object) {
        self.joining.push(heap.id(object));
    }

    /// Whether it begins with this object of a list.
    pub(crate) fn begins_with<H: Heap>(&self, heap: H, list: ListName, object: H::Object) -> bool {
        AGED_LISTS.iter().zip(self.begins).any(|(&of, begin)| of == list && begin == Some(heap.id(object)))
    }

    /// A look has ended and found nothing. `references` says whether it followed those of all that joins.
    pub(crate) fn settle<H: Heap>(&mut self, heap: H, references: bool) {
        let is_told = heap.abilities().stores && heap.abilities().lifetimes;
        self.is_known = is_told && heap.mode() == Mode::Generational && (self.is_known || references);
        for id in self.joining.drain(..) {
            self.ids.insert(id);
        }
        self.begins = AGED_LISTS.map(|list| heap.generations(list)[2].map(|object| heap.id(object)));
        self.seen = SweptUntil::now(heap);
    }

    /// The members of a list before the old part.
    pub(crate) fn before<H: Heap>(&self, heap: H, list: ListName) -> impl Iterator<Item = H::Object> {
        heap.list(list).take_while(move |&object| !self.begins_with(heap, list, object))
    }

    /// Its objects that the last minor collection traversed.
    pub(crate) fn touched<H: Heap>(&self, heap: H) -> impl Iterator<Item = H::Object> {
        heap.waited().filter(move |&object| self.contains(heap, object))
    }

    /// Whether an old object was swept since the last look.
    pub(crate) fn has_lost_any<H: Heap>(&self, heap: H) -> bool {
        self.seen.any_since(heap, |object| heap.age(object).is_old())
    }
}
