//! References that were followed once and have not been written since: above all those of the library and of the main
//! chunk.
//!
//! Most of what a short script's heap refers to is there before it runs and stays. A look when sweeping has ended asks
//! whether anything living refers to what is gone. Of objects whose references are known, it takes no walk to answer that:
//! it is enough to ask of each object that was swept whether they refer to it. A store makes its holder unknown. What a
//! program removes without a store is still taken for a reference; if it is swept, all is followed and known anew. And of
//! the traversals of such an object one is looked at.
//!
//! Only in incremental mode, since ages are asked of references at each collection. Whole looks follow all references
//! and so find what was written and not told.

use crate::id_set::IdSet;
use crate::lists::{Sweep, holders, is_dead};
use crate::pause;
use moonphase_vm::gc::{HeapView, Kind, ListName, Mode, ObjectView, Strength};

/// See the module.
#[derive(Default)]
pub(crate) struct Known {
    is_valid: bool,
    /// The newest object of those that may be known.
    newest: u32,
    /// Looks that found nothing, and how many of them there are to be before newer objects are let in.
    looks: u32,
    looks_until_newer: u32,
    holders: IdSet,
    targets: IdSet,
    /// Those of them that were traversed.
    traversed: IdSet,
    /// When it was last asked whether any of the targets was swept.
    asked: Sweep,
}

impl Known {
    /// The references of an object may have changed.
    #[inline]
    pub(crate) fn touch(&mut self, holder: ObjectView<'_>) {
        if holder.id() <= self.newest {
            self.holders.remove(holder.id());
        }
    }

    /// Forgets what is known if any of it refers to what was swept since this was last asked for.
    pub(crate) fn renew(&mut self, view: HeapView<'_>) {
        self.is_valid &= view.mode() == Mode::Incremental;
        self.is_valid &= !self.asked.has_swept(view, |object| self.refers_to(object));
        if self.is_valid {
            self.asked = Sweep::now(view);
        }
    }

    /// Whether the objects that are known need not be followed. What waits for its finalizer may have been found dead and is
    /// not swept, so that it takes a walk to see what refers to it.
    pub(crate) fn is_enough(&self, view: HeapView<'_>) -> bool {
        self.is_valid && view.list(ListName::ToBeFinalized).next().is_none()
    }

    /// Whether the references of this object are known.
    #[inline]
    pub(crate) fn contains(&self, holder: ObjectView<'_>) -> bool {
        self.holders.contains(holder.id())
    }

    /// An object was traversed. Says whether that was so before, since its references are known: what was looked at then
    /// need not be again.
    #[inline]
    pub(crate) fn repeats_traversal(&mut self, holder: ObjectView<'_>) -> bool {
        self.is_valid && self.contains(holder) && !self.traversed.insert(holder.id())
    }

    /// Whether something known refers to this object, or has done so.
    #[inline]
    pub(crate) fn refers_to(&self, target: ObjectView<'_>) -> bool {
        self.targets.contains(target.id())
    }

    /// All references were followed, and nothing was found: from now on they are known.
    pub(crate) fn learn(&mut self, view: HeapView<'_>) {
        if view.mode() != Mode::Incremental || !pause::applies(view) {
            return;
        }
        self.looks += 1;
        if self.looks > self.looks_until_newer {
            self.looks_until_newer = 8 * self.looks;
            self.newest = view.newest();
        } else if self.is_valid {
            return;
        }
        let newest = self.newest;
        self.holders.clear();
        self.targets.clear();
        self.traversed.clear();
        let may_be_known = |object: ObjectView<'_>| {
            object.id() <= newest && matches!(object.kind(), Kind::Table | Kind::Prototype) && !is_dead(view, object)
        };
        for object in holders(view).filter(|&object| may_be_known(object)) {
            // The collector writes into weak tables.
            let mut is_strong = true;
            view.references(object, |edge| {
                is_strong &= edge.strength == Strength::Strong;
                self.targets.insert(edge.target.id());
            });
            if is_strong {
                self.holders.insert(object.id());
            }
        }
        // No event tells of writes into the registry.
        view.roots(|edge| self.holders.remove(edge.target.id()));
        self.asked = Sweep::now(view);
        self.is_valid = true;
    }
}
