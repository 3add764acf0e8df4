//! Sweeping: dead objects are freed, living ones turn white for the next cycle.

use crate::gc::event::Event;
use crate::gc::{AnyGc, Heap, ObjectView, Phase};
use std::cell::Cell;
use std::ptr::NonNull;

/// Objects that one step looks at (Lua's `GCSWEEPMAX`).
const SWEEP_STEP: usize = 100;

/// The link that leads to an object: a list's head, or the `next` of the object before.
type Link = NonNull<Cell<Option<AnyGc>>>;

impl Heap {
    /// Begins to sweep. The first living object is found at once, so that the sweep's position is behind all objects that
    /// are made from now on: those are of the right white already.
    pub(super) fn enter_sweep(&mut self) {
        self.enter(Phase::SweepAll);
        let head = NonNull::from(&self.all);
        self.sweep_at = self.sweep_to_living(head);
    }

    /// One step through the list of the current phase; then on to `next`, whose list begins at `head`.
    pub(super) fn sweep_step(&mut self, next: Phase, head: Option<Link>) -> usize {
        let Some(link) = self.sweep_at else {
            self.enter(next);
            self.sweep_at = head;
            return 0;
        };
        let (rest, count) = self.sweep_list(link, SWEEP_STEP);
        self.sweep_at = rest;
        count
    }

    /// Sweeps at most `limit` objects. Gives the link to go on from, `None` at the end of the list, and the objects seen.
    fn sweep_list(&mut self, mut link: Link, limit: usize) -> (Option<Link>, usize) {
        let dead = self.other_white();
        for count in 0..limit {
            // SAFETY: a link is a list's head in this boxed heap, or the `next` of an object that is in the list: objects
            // leave a list only in the sweep itself and in `finalizer`, which moves the position along.
            let current = unsafe { link.as_ref() };
            let Some(object) = current.get() else { return (None, count) };
            if object.is_dead(dead) {
                current.set(object.next.get());
                self.free(object);
            } else {
                object.set_colour(self.current_white);
                if self.interests.fine {
                    self.raise(Event::SweepAlive(ObjectView::new(object)));
                }
                link = link_after(object);
            }
        }
        // SAFETY: as above.
        let more = unsafe { link.as_ref() }.get().is_some();
        (more.then_some(link), limit)
    }

    /// Sweeps until it has passed a living object.
    pub(super) fn sweep_to_living(&mut self, link: Link) -> Option<Link> {
        let mut at = link;
        loop {
            match self.sweep_list(at, 1).0 {
                Some(next) if next == link => at = next,
                other => return other,
            }
        }
    }

    pub(super) fn finalizable_link(&self) -> Link {
        NonNull::from(&self.finalizable)
    }

    pub(super) fn to_be_finalized_link(&self) -> Link {
        NonNull::from(&self.to_be_finalized)
    }

    /// Whether the sweep will go on from the object's `next`.
    pub(super) fn sweep_is_after(&self, object: AnyGc) -> bool {
        self.sweep_at == Some(link_after(object))
    }
}

/// The link in an object to the next one.
fn link_after(object: AnyGc) -> Link {
    NonNull::from(&object.next)
}
