//! Write barriers: how the mutator keeps the tri-colour invariant.
//!
//! Both are called after a reference from `parent` to `child` was written. Both do nothing unless the parent is black
//! and the child white: only such a reference breaks the invariant.

use crate::gc::event::{Direction, Event, Site};
use crate::gc::{AnyGc, Gc, Heap, ObjectView};
use crate::value::Upvalue;

impl Heap {
    /// IF the parent is black AND the child is white THEN, while marking, mark the child; while sweeping, make the parent
    /// white, so that it calls no further barriers in this cycle.
    #[inline]
    pub(super) fn barrier_forward(&mut self, site: Site, parent: AnyGc, child: AnyGc) {
        let acts = parent.is_black() && child.is_white();
        if acts {
            if self.keeps_invariant() {
                self.mark_object(child);
            } else {
                parent.set_colour(self.current_white);
            }
        }
        if self.interests.stores {
            self.raise_barrier(site, Direction::Forward, parent, child, acts);
        }
    }

    /// IF the parent is black AND the child is white THEN make the parent gray again, to be traversed a second time in the
    /// atomic phase. Right where more stores into the same parent are likely.
    #[inline]
    pub(super) fn barrier_back(&mut self, site: Site, parent: AnyGc, child: AnyGc) {
        let acts = parent.is_black() && child.is_white();
        if acts {
            self.gray_black_again(parent);
        }
        if self.interests.stores {
            self.raise_barrier(site, Direction::Backward, parent, child, acts);
        }
    }

    /// The barrier of counted upvalues, which have no colour: IF the upvalue is closed AND the child is white THEN, while
    /// marking, mark the child.
    pub(super) fn barrier_counted(&mut self, site: Site, upvalue: Gc<Upvalue>, child: AnyGc) {
        let acts = !upvalue.is_open() && child.is_white() && self.keeps_invariant();
        if acts {
            self.mark_object(child);
        }
        if self.interests.stores {
            self.raise_barrier(site, Direction::Forward, upvalue.erase(), child, acts);
        }
    }

    /// Makes a black object gray and has it traversed again in the atomic phase. While sweeping it only waits there until
    /// its turn to become white comes, and the list is emptied when the next cycle begins.
    #[cold]
    fn gray_black_again(&mut self, object: AnyGc) {
        object.set_colour(0);
        self.gray_again.push(object);
    }

    #[cold]
    fn raise_barrier(&mut self, site: Site, direction: Direction, parent: AnyGc, child: AnyGc, acted: bool) {
        let (parent, child) = (ObjectView::new(parent), ObjectView::new(child));
        self.raise(Event::Barrier { site, direction, parent, child, acted });
    }
}
