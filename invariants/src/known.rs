//! The references of objects that were followed once and have not been written since.
//!
//! Most of what a short script's heap refers to is there before the script runs, and stays: the library, and the main
//! chunk. When sweeping has ended, a look asks whether anything living refers to what is gone. Where the references of an
//! object are *known*, it need not be followed for that. It is enough to ask of each object that was swept whether a known
//! reference leads to it. For example: if `string.format` is known to be referred to by the table `string`, and the sweep
//! freed ten tables of the script, then ten questions replace a walk over the library.
//!
//! A store makes the references of its holder unknown. What a program removes without a store is still taken for a reference;
//! if its target is swept, nothing is known any more. An object with known references need be looked at once only when it is
//! traversed.
//!
//! References are known in incremental mode only, since `ages` asks of references at each collection of generational mode;
//! and only where the heap tells of every store. Whole looks follow all references, and so find what was written and not told.

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
    /// After so many of them the references of newer objects may be known too.
    looks_until_newer: u32,
    /// The objects whose references are known.
    holders: IdSet,
    /// What they refer to, or have referred to.
    targets: IdSet,
    /// The holders that were traversed.
    traversed: IdSet,
    /// When it was last asked whether any of the targets was swept.
    asked: SweptUntil,
}

impl Known {
    /// The references of an object may have changed.
    #[inline]
    pub(crate) fn touch<H: Heap>(&mut self, heap: H, holder: H::Object) {
        if heap.id(holder) <= self.newest {
            self.holders.remove(heap.id(holder));
        }
    }

    /// Forgets what is known if any of it refers to what was swept since this was last asked for.
    pub(crate) fn renew<H: Heap>(&mut self, heap: H) {
        self.is_valid &= heap.mode() == Mode::Incremental;
        self.is_valid &= !self.asked.any_since(heap, |object| self.refers_to(heap, object));
        if self.is_valid {
            self.asked = SweptUntil::now(heap);
        }
    }

    /// Whether objects with known references need not be followed. An object that waits for its finalizer may be dead though
    /// it was not swept; it takes a walk to see what refers to it.
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

    /// All references were followed, and nothing was found: from now on they are known.
    pub(crate) fn learn<H: Heap>(&mut self, heap: H) {
        let is_told = heap.abilities().stores && heap.abilities().lifetimes;
        if !is_told || heap.mode() != Mode::Incremental || !heap.phase().is_between_cycles() {
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
            if is_strong {
                self.holders.insert(heap.id(object));
            }
        }
        // No event tells of writes into the registry.
        heap.roots(|edge| self.holders.remove(heap.id(edge.target)));
        self.asked = SweptUntil::now(heap);
        self.is_valid = true;
    }
}
