//! Sweeping: dead objects are freed, living ones turn white for the next cycle.

use crate::gc::Event;
use crate::gc::{AnyGc, Heap, Object, ObjectView, Phase, SweepRule};
use std::cell::Cell;
use std::ptr::NonNull;

/// Objects that one step looks at (Lua's `GCSWEEPMAX`).
const SWEEP_STEP: usize = 100;

/// The link that leads to an object: a list's head, or the `next` of the object before.
pub(super) type Link = NonNull<Cell<Option<AnyGc>>>;

impl Heap {
    /// Begins to sweep. Where the list of all objects is first, its first living object is found at once, so that the
    /// sweep's position is behind all objects that are made from now on: those are of the right white already.
    pub(super) fn enter_sweep(&mut self) {
        if self.policy.sweeps_strings() {
            self.enter(Phase::SweepStrings);
            self.sweep_bucket = 0;
        } else {
            self.enter(Phase::SweepAll);
            self.sweep_at = self.sweep_to_living(self.all_link());
        }
    }

    /// One step through what the current phase sweeps; at its end on to the next phase. Gives how much was looked at.
    pub(super) fn sweep_step(&mut self) -> usize {
        if self.phase == Phase::SweepStrings {
            return self.sweep_strings();
        }
        let Some(link) = self.sweep_at else {
            self.enter_next_stage();
            return 0;
        };
        let (rest, count) = self.sweep_list(link, SWEEP_STEP);
        self.sweep_at = rest;
        count
    }

    fn enter_next_stage(&mut self) {
        use SweepRule::{Lists, Strings, StringsFinalizable};
        let next = match (self.policy.sweep, self.phase) {
            (Strings, Phase::SweepStrings) | (StringsFinalizable, Phase::SweepFinalizable) => Phase::SweepAll,
            (StringsFinalizable, Phase::SweepStrings) | (Lists, Phase::SweepAll) => Phase::SweepFinalizable,
            (Lists, Phase::SweepFinalizable) => Phase::SweepToBeFinalized,
            (Lists, _) => Phase::SweepEnd,
            (Strings, _) => Phase::CallFinalizers,
            (StringsFinalizable, _) => Phase::Pause,
        };
        self.enter(next);
        self.sweep_at = match next {
            Phase::SweepAll => Some(NonNull::from(&self.all)),
            Phase::SweepFinalizable => Some(NonNull::from(&self.finalizable)),
            Phase::SweepToBeFinalized => Some(NonNull::from(&self.to_be_finalized)),
            _ => None,
        };
    }

    /// Sweeps some buckets of the string table.
    fn sweep_strings(&mut self) -> usize {
        let dead = self.other_white();
        let end = self.strings.bucket_count().min(self.sweep_bucket + SWEEP_STEP);
        let first = std::mem::replace(&mut self.sweep_bucket, end);
        for bucket in first..end {
            let mut next = self.strings.bucket_at(bucket);
            while let Some(string) = next {
                next = string.chain();
                if string.erase().is_dead(dead) {
                    self.free(string.erase());
                } else if !self.is_fixed(string.erase()) {
                    self.turn_white(string.erase());
                }
            }
        }
        if end == self.strings.bucket_count() {
            self.enter_next_stage();
        }
        end - first
    }

    /// A sweep has met the object alive.
    #[inline]
    pub(super) fn turn_white(&mut self, object: AnyGc) {
        object.set_colour(self.current_white);
        if self.interests.fine {
            self.raise(Event::SweepAlive(ObjectView::new(object)));
        }
    }

    /// Sweeps at most `limit` objects. Gives the link to go on from, `None` at the end of the list, and the objects seen.
    fn sweep_list(&mut self, mut link: Link, limit: usize) -> (Option<Link>, usize) {
        let dead = self.other_white();
        for count in 0..limit {
            // SAFETY: a link is a list's head in this boxed heap, or the `next` of an object that is in the list: objects
            // leave a list only in the sweep itself and in `finalizer`, which moves the position along.
            let current = unsafe { link.as_ref() };
            let Some(object) = current.get() else { return (None, count) };
            if planted!(self, SweepStopsEarly) && object.next.get().is_none() {
                return (None, count);
            }
            if object.is_dead(dead) {
                current.set(object.next.get());
                self.free(object);
            } else {
                self.turn_white(object);
                if let (true, Object::Thread(thread)) = (self.policy.has_global_upvalues(), object.unpack()) {
                    self.sweep_open_upvalues(thread);
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

    pub(super) fn all_link(&self) -> Link {
        NonNull::from(&self.all)
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
pub(super) fn link_after(object: AnyGc) -> Link {
    NonNull::from(&object.next)
}
