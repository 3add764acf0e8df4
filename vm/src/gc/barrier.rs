//! Write barriers: how the mutator keeps the tri-colour invariant.
//!
//! Both are called after a reference from `parent` to `child` was written. Both do nothing unless the parent is black
//! and the child white: only such a reference breaks the invariant.

use crate::gc::{Age, AnyGc, Gc, Heap, Mode, ObjectView};
use crate::gc::{Direction, Event, Site};
use crate::value::Upvalue;

impl Heap {
    /// IF the parent is black AND the child is white THEN, while marking, mark the child, AND IF the parent is old THEN make
    /// the child old0; while sweeping, make the parent white, so that it calls no further barriers in this cycle. A sweep
    /// of generational mode would take a white parent for dead: there nothing is done.
    #[inline]
    pub(super) fn barrier_forward(&mut self, site: Site, parent: AnyGc, child: AnyGc) {
        let acts = parent.is_black() && child.is_white();
        if !acts && !self.interests.stores || self.skips_barrier(site) {
            return;
        }
        if acts {
            self.go_forward(parent, child);
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
        if !acts && !self.interests.stores || self.skips_barrier(site) {
            return;
        }
        if acts {
            self.gray_black_again(parent);
        }
        if self.interests.stores {
            self.raise_barrier(site, Direction::Backward, parent, child, acts);
        }
    }

    /// The barrier of counted upvalues, which have no colour: IF marking AND the upvalue is closed AND the child is white
    /// THEN mark the child. While sweeping the child may be gone: the upvalue of a dead thread is closed with whatever its
    /// slot has.
    pub(super) fn barrier_counted(&mut self, site: Site, upvalue: Gc<Upvalue>, child: AnyGc) {
        let acts = self.keeps_invariant() && !upvalue.is_open() && child.is_white();
        if !acts && !self.interests.stores || self.skips_barrier(site) {
            return;
        }
        if acts {
            self.mark_object(child);
        }
        if self.interests.stores {
            self.raise_barrier(site, Direction::Forward, upvalue.erase(), child, acts);
        }
    }

    #[cold]
    fn go_forward(&mut self, parent: AnyGc, child: AnyGc) {
        if self.keeps_invariant() {
            if planted!(self, ForwardBlackens) {
                return child.set_colour(crate::gc::object::bits::BLACK);
            }
            self.mark_object(child);
            if parent.is_old() && !planted!(self, Old0Skipped) {
                self.make_old0(child);
            }
        } else if self.mode() == Mode::Incremental || planted!(self, SweepBarrierWhitens) {
            parent.set_colour(self.current_white);
        }
    }

    /// Makes a black object gray and has it traversed again in the atomic phase. While sweeping it only waits there until
    /// its turn to become white comes, and the list is emptied when the next cycle begins. An old object is touched.
    #[cold]
    fn gray_black_again(&mut self, object: AnyGc) {
        // A touched2 object is black and on the list.
        if object.age() != Age::Touched2 && !planted!(self, BackwardWithoutList) {
            self.gray_again.push(object);
        }
        if !planted!(self, BackwardStaysBlack) {
            object.set_colour(0);
        }
        if object.is_old() && !planted!(self, NotTouched) {
            object.set_age(Age::Touched1);
        }
    }

    /// Whether a planted fault leaves this barrier out.
    #[inline(always)]
    fn skips_barrier(&self, _site: Site) -> bool {
        #[cfg(feature = "faults")]
        if let Some(fault) = self.fault {
            return fault.skipped_site() == Some(_site);
        }
        false
    }

    #[cold]
    fn raise_barrier(&mut self, site: Site, direction: Direction, parent: AnyGc, child: AnyGc, acted: bool) {
        if !acted && !self.interests.idle {
            self.events += 1;
            return;
        }
        let (parent, child) = (ObjectView::new(parent), ObjectView::new(child));
        self.raise(Event::Barrier { site, direction, parent, child, acted });
    }
}
