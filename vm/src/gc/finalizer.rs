//! Which objects have finalizers, and which of them are to be called (manual §2.5.3).

use crate::gc::object::bits;
use crate::gc::{Age, AnyGc, Gc, Heap, Kind, Mode, ObjectView, Phase, SweepRule};
use crate::gc::{Event, StepKind};
use crate::value::Table;
use std::cell::Cell;

impl Heap {
    /// Where the objects with finalizers begin: a list of their own, or, where that is not swept on its own, the part of the
    /// list of all objects behind the main thread, which was the first object in it.
    pub(super) fn finalizable_head(&self) -> &Cell<Option<AnyGc>> {
        match (self.policy.sweep, &self.main_thread) {
            (SweepRule::Strings, Some(main)) => &main.header.next,
            _ => &self.finalizable,
        }
    }

    /// Moves an object to the list of those with finalizers, if its new metatable has `__gc` and it is not there yet.
    pub(super) fn check_finalizer(&mut self, object: AnyGc, metatable: Gc<Table>) {
        let allowed = self.semantics.table_finalizers || object.kind() == Kind::Userdata;
        let wants = |heap: &Heap| heap.has_gc_metamethod(metatable) || planted!(heap, FinalizerSetLater);
        if !allowed || object.has(bits::FINALIZER | bits::FINALIZED) || !wants(self) {
            return;
        }
        if self.is_sweeping() {
            // The sweep of its old list will not see it; and it may be anywhere in the new one.
            if !planted!(self, FinalizableStaysBlack) {
                object.set_colour(self.current_white);
            }
            if self.sweep_is_after(object) && !planted!(self, SweepPointerLost) {
                // The position would go astray with the object: move it on first.
                self.sweep_at = self.sweep_at.and_then(|link| self.sweep_to_living(link));
            }
        } else if !planted!(self, BoundariesLost) {
            self.generations.leave_all(object);
        }
        unlink(&self.all, object);
        let head = self.finalizable_head();
        let place = if planted!(self, FinalizersForward) { last_link(head) } else { head };
        object.next.set(place.get());
        place.set(Some(object));
        object.set(bits::FINALIZER);
        if self.interests.steps {
            self.raise(Event::Finalizable(ObjectView::new(object)));
        }
    }

    /// Moves the unreachable objects with finalizers (all of them if `all`) to the end of the list of those to be
    /// finalized. The list of finalizable objects begins with the one marked last, so that is the order of calls.
    pub(super) fn separate_unreachable_finalizable(&mut self, all: bool) {
        let mut tail = None;
        let mut next = self.to_be_finalized.get();
        while let Some(object) = next {
            tail = Some(object);
            next = object.next.get();
        }
        let mut previous: Option<AnyGc> = None;
        let mut next = self.finalizable_head().get();
        // What is old, and what follows it, is not white at the end of a minor collection's marking.
        while next != self.generations.finalizable.first_old1()
            && let Some(object) = next
        {
            next = object.next.get();
            if !all && !object.is_white() {
                previous = Some(object);
                continue;
            }
            self.generations.finalizable.leave(object);
            match previous {
                Some(previous) => previous.next.set(next),
                None => self.finalizable_head().set(next),
            }
            object.next.set(None);
            match tail {
                Some(tail) => tail.next.set(Some(object)),
                None => self.to_be_finalized.set(Some(object)),
            }
            tail = Some(object);
        }
    }

    /// Marks the objects that wait for their finalizer, and so what it may use. Where they are not swept, some may still
    /// have the colour of the cycle before.
    pub(super) fn mark_being_finalized(&mut self) {
        let mut next = self.to_be_finalized.get();
        while let Some(object) = next {
            next = object.next.get();
            if self.policy.sweep != SweepRule::Lists {
                object.set_colour(self.current_white);
            }
            self.mark_if_white(object);
        }
    }

    /// Takes the next object to be finalized and tells the observer: it becomes an ordinary one, which the following cycle may free.
    pub(crate) fn take_finalizable(&mut self) -> Option<AnyGc> {
        let object = self.to_be_finalized.get()?;
        self.to_be_finalized.set(object.next.get());
        if planted!(self, FinalizerKept) {
            let head = self.finalizable_head();
            object.next.set(head.get());
            head.set(Some(object));
        } else {
            object.next.set(self.all.get());
            self.all.set(Some(object));
            object.clear(bits::FINALIZER);
        }
        if !self.semantics.finalize_again {
            object.set(bits::FINALIZED);
        }
        if planted!(self, ResurrectedSwept) {
            object.set_colour(self.other_white());
        } else if !self.keeps_invariant() {
            object.set_colour(self.current_white);
        } else if object.age() == Age::Old1 {
            self.generations.first_old1 = Some(object);
        }
        if self.interests.steps {
            self.raise(Event::Finalize(ObjectView::new(object)));
        }
        Some(object)
    }

    /// Stops the collector, since a finalizer is about to run. Says whether the collector was stopped before.
    pub(crate) fn stop_for_finalizer(&mut self) -> bool {
        let before = self.is_stopped_inside();
        if planted!(self, FinalizerReentered) { before } else { self.set_stopped_inside(true) }
    }

    /// Lets the objects that wait for their finalizers go without: a planted fault.
    pub(crate) fn drop_waiting(&mut self) {
        while let Some(object) = self.to_be_finalized.get() {
            self.to_be_finalized.set(object.next.get());
            object.next.set(self.all.get());
            self.all.set(Some(object));
            object.clear(bits::FINALIZER);
        }
    }

    /// Tells the observer that a finalizer has ended.
    pub(crate) fn note_finalized(&mut self) {
        if self.interests.steps {
            self.raise(Event::Finalized);
        }
    }

    /// Whether the next turn calls a finalizer.
    pub(crate) fn finalizer_is_due(&self) -> bool {
        self.phase == Phase::CallFinalizers && self.to_be_finalized.get().is_some()
    }

    /// Makes every object with a finalizer wait for it: the state is being closed.
    pub(crate) fn finalize_all(&mut self) {
        if self.interests.steps {
            self.raise(Event::CloseState);
        }
        if self.mode() == Mode::Generational && !planted!(self, ClosingDropsOld) {
            self.enter_incremental();
        }
        self.set_stopped_inside(true);
        self.in_step(StepKind::Close, |heap| {
            if !planted!(heap, ClosingDropsFinalizers) {
                heap.separate_unreachable_finalizable(true);
            }
        });
    }

    /// Takes the next object to be finalized while the state is being closed. An object that has got a finalizer since does not
    /// wait for it.
    pub(crate) fn take_while_closing(&mut self) -> Option<AnyGc> {
        self.in_step(StepKind::CloseNext, |heap| {
            if heap.to_be_finalized.get().is_none() && planted!(heap, ClosingFinalizesNew) {
                heap.separate_unreachable_finalizable(true);
            }
            heap.take_finalizable()
        })
    }

    pub(super) fn is_sweeping(&self) -> bool {
        (Phase::SweepStrings..=Phase::SweepEnd).contains(&self.phase)
    }
}

/// Takes an object out of the list that it is in.
pub(super) fn unlink(head: &Cell<Option<AnyGc>>, object: AnyGc) {
    if head.get() == Some(object) {
        head.set(object.next.get());
        return;
    }
    let mut at = head.get();
    while let Some(candidate) = at {
        if candidate.next.get() == Some(object) {
            candidate.next.set(object.next.get());
            return;
        }
        at = candidate.next.get();
    }
}

/// The link at the end of a list.
fn last_link(head: &Cell<Option<AnyGc>>) -> &Cell<Option<AnyGc>> {
    let mut link = head;
    while let Some(object) = link.get() {
        // SAFETY: an object in a list lives as long as the heap is borrowed.
        link = unsafe { &*std::ptr::from_ref(&object.next) };
    }
    link
}
