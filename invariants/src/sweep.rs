//! A moment, to know what was freed after it.

use moonphase_heap::Heap;

/// See the module. The default is a moment before everything.
#[derive(Default)]
pub(crate) struct SweptUntil {
    /// The object that was freed last.
    last: Option<u32>,
}

impl SweptUntil {
    /// This moment.
    pub(crate) fn now<H: Heap>(heap: H) -> SweptUntil {
        SweptUntil { last: heap.quarantined().next_back().map(|object| heap.id(object)) }
    }

    /// Whether `is_so` holds for any object that was freed since.
    pub(crate) fn any_since<H: Heap>(&self, heap: H, is_so: impl Fn(H::Object) -> bool) -> bool {
        heap.quarantined().rev().take_while(|&object| Some(heap.id(object)) != self.last).any(is_so)
    }
}
