//! Swept objects that are kept, so that a dangling reference leads to a marked corpse and not to undefined behaviour.

use crate::gc::object::bits;
use crate::gc::{AnyGc, Heap};
use std::collections::VecDeque;

pub(super) struct Quarantine {
    objects: VecDeque<(AnyGc, usize)>,
    bytes: usize,
    limit: usize,
}

impl Quarantine {
    pub(super) fn new(limit: usize) -> Quarantine {
        Quarantine { objects: VecDeque::new(), bytes: 0, limit }
    }

    pub(super) fn objects(&self) -> impl DoubleEndedIterator<Item = AnyGc> + '_ {
        self.objects.iter().map(|&(object, _)| object)
    }
}

impl Heap {
    /// Keeps a swept object. Past the limit the script ends, if the policy is unsound and something may refer to it.
    pub(super) fn quarantine(&mut self, object: AnyGc, size: usize) {
        debug_assert!(object.has(bits::FREED));
        object.next.set(None);
        self.quarantine.objects.push_back((object, size));
        self.quarantine.bytes += size;
        if self.quarantine.bytes > self.quarantine.limit && !self.is_sound() {
            self.halted = true;
        }
    }

    /// Lets the oldest objects past the limit go. Called when a cycle begins and everything dead is swept: until then the
    /// dead that still wait for the sweep refer to each other, and events and views may follow such references.
    pub(super) fn trim_quarantine(&mut self) {
        self.waited.clear();
        while self.quarantine.bytes > self.quarantine.limit && self.is_sound() {
            let Some((oldest, size)) = self.quarantine.objects.pop_front() else { return };
            self.quarantine.bytes -= size;
            // SAFETY: the object is in no list, and under a sound policy nothing that is not freed refers to it: nothing
            // living, and there is nothing else.
            unsafe { self.destroy(oldest) };
        }
    }

    /// Returns everything in quarantine to the allocator.
    pub(super) fn release_quarantine(&mut self) {
        self.quarantine.bytes = 0;
        for (object, _) in std::mem::take(&mut self.quarantine.objects) {
            // SAFETY: the heap is being dropped.
            unsafe { self.destroy(object) };
        }
    }
}
