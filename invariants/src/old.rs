//! What minor collections leave alone: the old part of a heap in generational mode, seen once and taken for granted until it
//! is touched.
//!
//! In each list the really old objects stand behind all others. A minor collection sweeps and traverses none of them but
//! those that waited on the gray-again list: whoever writes a young object into an old one puts it there. So a look after
//! a minor collection that walks the young part of the lists and what had waited sees all that the collection changed,
//! which is as much as the collection itself walks. What it cannot see is damage to old objects that no event told of and
//! that stays; whole looks do.

use crate::ages::Order;
use crate::id_set::IdSet;
use crate::lists::Sweep;
use crate::sound::Extent;
use moonphase_vm::gc::{HeapView, ListName, Mode, ObjectView};

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
    begins: [Option<u32>; Order::LISTS.len()],
    /// When it was last looked at.
    seen: Sweep,
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
        for (begin, of) in self.begins.iter_mut().zip(Order::LISTS) {
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
    pub(crate) fn contains(&self, object: ObjectView<'_>) -> bool {
        self.ids.contains(object.id())
    }

    /// A walk has come to an object that belongs to it from the next look on.
    #[inline]
    pub(crate) fn join(&mut self, object: ObjectView<'_>) {
        self.joining.push(object.id());
    }

    /// Whether it begins with this object of a list.
    pub(crate) fn begins_with(&self, list: ListName, object: ObjectView<'_>) -> bool {
        Order::LISTS.iter().zip(self.begins).any(|(&of, begin)| of == list && begin == Some(object.id()))
    }

    /// A look has ended and found nothing. `references` says whether it followed those of all that joins.
    pub(crate) fn settle(&mut self, view: HeapView<'_>, references: bool) {
        self.is_known = view.mode() == Mode::Generational && (self.is_known || references);
        for id in self.joining.drain(..) {
            self.ids.insert(id);
        }
        self.begins = Order::LISTS.map(|list| view.generations(list)[2].map(|object| object.id()));
        self.seen = Sweep::now(view);
    }

    /// The members of a list before the old part.
    pub(crate) fn before<'h>(&self, view: HeapView<'h>, list: ListName) -> impl Iterator<Item = ObjectView<'h>> {
        view.list(list).take_while(move |&object| !self.begins_with(list, object))
    }

    /// Its objects that the last minor collection traversed.
    pub(crate) fn touched<'h>(&self, view: HeapView<'h>) -> impl Iterator<Item = ObjectView<'h>> {
        view.waited().filter(|&object| self.contains(object))
    }

    /// Whether an old object was swept since the last look.
    pub(crate) fn has_lost_any(&self, view: HeapView<'_>) -> bool {
        self.seen.has_swept(view, |object| object.age().is_old())
    }
}
