//! The old part of a heap in generational mode, which minor collections leave alone.
//!
//! In each list the really old objects stand behind all others. A minor collection sweeps and traverses none of them but
//! those that waited on the gray-again list: a barrier puts an old object there when a young one is written into it. So the old
//! part is looked at once, and is known from then on. A look after a minor collection walks the young part of the lists, and
//! the old objects that had waited. It sees all that the collection changed, and walks no more than the collection itself.
//!
//! Such a look misses damage to old objects that no event told of. A whole look finds it.

use crate::checks::ages::AGED_LISTS;
use crate::id_set::IdSet;
use crate::sweep::SweptUntil;
use crate::walk::{Extent, holders};
use moonphase_heap::{GrayList, Heap, ListName, Mode};

/// See the module.
#[derive(Default)]
pub(crate) struct OldPart {
    /// Whether the old part was looked at, and the references of its objects with it.
    is_known: bool,
    /// The objects of the old part.
    ids: IdSet,
    /// Objects that the walk under way has found to be old: they belong to the old part once the look has found nothing.
    joining: Vec<u32>,
    /// The first object of the old part in each list that is in the order of ages.
    begins: [Option<u32>; AGED_LISTS.len()],
    /// When the last look ended.
    seen: SweptUntil,
}

impl OldPart {
    /// How much a look has to cover: the young part is enough where the old part is known.
    pub(crate) fn extent(&self) -> Extent {
        if self.is_known { Extent::Young } else { Extent::Headers }
    }

    /// The old part may be damaged: the next look covers it too.
    pub(crate) fn forget(&mut self) {
        self.is_known = false;
    }

    /// Objects of this list may have moved, so it is not known where its old part begins: the next look walks all of it.
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

    /// Whether an object belongs to the old part.
    #[inline]
    pub(crate) fn contains<H: Heap>(&self, heap: H, object: H::Object) -> bool {
        self.ids.contains(heap.id(object))
    }

    /// The walk under way has come to a really old object.
    #[inline]
    pub(crate) fn join<H: Heap>(&mut self, heap: H, object: H::Object) {
        self.joining.push(heap.id(object));
    }

    /// Whether the old part of a list begins with this object.
    pub(crate) fn begins_with<H: Heap>(&self, heap: H, list: ListName, object: H::Object) -> bool {
        AGED_LISTS.iter().zip(self.begins).any(|(&of, begin)| of == list && begin == Some(heap.id(object)))
    }

    /// A look has ended and found nothing. `followed` says whether it followed the references of all objects that it covered;
    /// `heard`, that every store will be heard.
    pub(crate) fn settle<H: Heap>(&mut self, heap: H, followed: bool, heard: bool) {
        self.is_known = heard && heap.mode() == Mode::Generational && (self.is_known || followed);
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

    /// Gives each object that a minor collection may change if it begins now: the young ones, and the old ones that it traverses;
    /// all objects, if the old part is not known. A list that is a circle is left in the end.
    pub(crate) fn changeable<H: Heap>(&self, heap: H, visit: impl FnMut(H::Object)) {
        let most = heap.newest() as usize;
        if !self.is_known {
            return holders(heap).take(most).for_each(visit);
        }
        let young = ListName::COLLECTED.into_iter().flat_map(|list| self.before(heap, list));
        young.take(most).chain(heap.gray_list(GrayList::GrayAgain)).for_each(visit);
    }

    /// The old objects that the last minor collection traversed.
    pub(crate) fn touched<H: Heap>(&self, heap: H) -> impl Iterator<Item = H::Object> {
        heap.waited().filter(move |&object| self.contains(heap, object))
    }

    /// Whether an old object was swept since the last look.
    pub(crate) fn has_lost_any<H: Heap>(&self, heap: H) -> bool {
        self.seen.any_since(heap, |object| heap.age(object).is_old())
    }
}
