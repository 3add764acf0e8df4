//! Objects whose references were followed once, and that no store has written to since.
//!
//! Of the objects of a short script's heap most are there before the script runs, and stay: the library, and the main chunk.
//! When sweeping has ended, a look asks whether anything living refers to a freed object. Where the references of an object
//! are *known*, the object need not be followed for that. It is enough to ask of each freed object whether a known reference
//! leads to it. For example: if the references of the table `string` are known, and the sweep freed ten tables of the script,
//! then ten questions replace a walk over the library.
//!
//! A store makes the references of its holder unknown. A reference that was removed without a store (`t.x = nil` is none) is
//! still taken for one; if its target is freed, all references are unknown again. A traversal of an object whose references
//! are known is looked at the first time only.
//!
//! References are known in incremental mode only, since in generational mode `ages` must follow references at each collection;
//! and only where every store is heard. Whole looks follow all references, and so find what was written and not told.

use crate::id_set::IdSet;
use crate::sweep::SweptUntil;
use crate::walk::{holders, is_dead};
use moonphase_heap::{Heap, Kind, ListName, Mode, Strength};

/// See the module.
#[derive(Default)]
pub(crate) struct Known {
    is_valid: bool,
    /// The newest object whose references may be known.
    newest: u32,
    /// Looks that found nothing.
    looks: u32,
    /// When there were more looks than this, the references of newer objects may be known too. It grows eightfold each time,
    /// since learning follows all references.
    looks_until_newer: u32,
    /// The objects whose references are known.
    holders: IdSet,
    /// What they refer to, or have referred to, and the keys of their empty entries.
    targets: IdSet,
    /// The holders that were traversed.
    traversed: IdSet,
    /// Up to which freed object the targets were compared.
    compared: SweptUntil,
}

impl Known {
    /// The references of an object may have changed.
    #[inline]
    pub(crate) fn touch<H: Heap>(&mut self, heap: H, holder: H::Object) {
        if heap.id(holder) <= self.newest {
            self.holders.remove(heap.id(holder));
        }
    }

    /// Forgets everything if a target was freed since the last call.
    pub(crate) fn renew<H: Heap>(&mut self, heap: H) {
        self.is_valid &= heap.mode() == Mode::Incremental;
        self.is_valid &= !self.compared.any_since(heap, |object| self.refers_to(heap, object));
        if self.is_valid {
            self.compared = SweptUntil::now(heap);
        }
    }

    /// Whether objects with known references need not be followed. They must be where an object waits for its finalizer: the
    /// object may be dead and not freed, and only a walk shows which objects refer to it.
    pub(crate) fn is_enough<H: Heap>(&self, heap: H) -> bool {
        self.is_valid && heap.list(ListName::ToBeFinalized).next().is_none()
    }

    /// Whether the references of this object are known.
    #[inline]
    pub(crate) fn contains<H: Heap>(&self, heap: H, holder: H::Object) -> bool {
        self.holders.contains(heap.id(holder))
    }

    /// An object was traversed. Says whether it was traversed before with the same references, so that it need not be looked
    /// at again.
    #[inline]
    pub(crate) fn repeats_traversal<H: Heap>(&mut self, heap: H, holder: H::Object) -> bool {
        self.is_valid && self.contains(heap, holder) && !self.traversed.insert(heap.id(holder))
    }

    /// Whether a known reference leads to this object, or has led to it.
    #[inline]
    pub(crate) fn refers_to<H: Heap>(&self, heap: H, target: H::Object) -> bool {
        self.targets.contains(heap.id(target))
    }

    /// A look has ended and found nothing. Follows all references, if that is due: from now on they are known of older tables
    /// and prototypes without weak references. `heard` says that every store will be heard.
    pub(crate) fn learn<H: Heap>(&mut self, heap: H, heard: bool) {
        if !heard || heap.mode() != Mode::Incremental || !heap.phase().is_between_cycles() {
            return;
        }
        self.looks += 1;
        if self.looks > self.looks_until_newer {
            self.looks_until_newer = 8 * self.looks;
            self.newest = heap.newest();
        } else if self.is_valid {
            return;
        }
        let newest = self.newest;
        self.holders.clear();
        self.targets.clear();
        self.traversed.clear();
        let may_be_known = |object: H::Object| {
            heap.id(object) <= newest
                && matches!(heap.kind(object), Kind::Table | Kind::Prototype)
                && !is_dead(heap, object)
        };
        for object in holders(heap).filter(|&object| may_be_known(object)) {
            // The collector writes into weak tables.
            let mut is_strong = true;
            heap.references(object, |edge| {
                is_strong &= edge.strength == Strength::Strong;
                self.targets.insert(heap.id(edge.target));
            });
            // No store tells that an entry was emptied, but then its key is among the targets already.
            heap.empty_keys(object, |edge| {
                self.targets.insert(heap.id(edge.target));
            });
            if is_strong {
                self.holders.insert(heap.id(object));
            }
        }
        // No event tells of writes into the registry.
        heap.roots(|edge| self.holders.remove(heap.id(edge.target)));
        self.compared = SweptUntil::now(heap);
        self.is_valid = true;
    }
}
