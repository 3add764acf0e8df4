//! Walks over the objects of a heap, and over what they refer to.
//!
//! Every check walks the collector's lists. `checks/lists.rs` looks at the lists themselves; all other checks rely on it: each
//! list ends, and each member is an object.

use moonphase_heap::{Colour, Edge, Heap, Kind, ListName, Strength, UpvalueStorage, Waiting, Weakness};

/// How much of the heap a look covers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// After a minor collection: the objects in front of the old part of each list, and the old objects that the collection
    /// traversed. The other objects were looked at before.
    Young,
    /// All objects by their headers; of threads and upvalues also which slots belong to which upvalue.
    Headers,
    /// As [`Extent::Headers`], and the size of each object, whether an object is listed twice, whether what is referred to is
    /// listed, and whether the string table has each short string.
    Contents,
}

/// The objects whose colour the collector changes: all but fixed ones and counted upvalues.
pub(crate) fn collected<H: Heap>(heap: H) -> impl Iterator<Item = H::Object> {
    ListName::COLLECTED.into_iter().flat_map(move |list| heap.list(list))
}

/// Whether the colours of a list's objects mean something while marking. They do not where a cycle begins without marking
/// the objects that wait for their finalizers ([`Waiting::KeptUnmarked`]).
pub(crate) fn is_marked<H: Heap>(heap: H, list: ListName) -> bool {
    list != ListName::ToBeFinalized || heap.rules().waiting != Waiting::KeptUnmarked
}

/// The objects whose colours mean something while marking.
pub(crate) fn marked<H: Heap>(heap: H) -> impl Iterator<Item = H::Object> {
    let lists = ListName::COLLECTED.into_iter().filter(move |&list| is_marked(heap, list));
    lists.flat_map(move |list| heap.list(list))
}

/// The objects whose references mean something: all but counted upvalues, whose values are reached through the closures that
/// have them.
pub(crate) fn holders<H: Heap>(heap: H) -> impl Iterator<Item = H::Object> {
    collected(heap).chain(heap.list(ListName::Fixed))
}

/// What an object refers to; of a closure with counted upvalues also the values of its closed upvalues.
///
/// A counted upvalue is never looked at by itself: one that only dead closures have may refer to a freed object. The value of an
/// open upvalue is on a stack, and is found there.
#[inline]
pub(crate) fn references<H: Heap>(heap: H, object: H::Object, mut visit: impl FnMut(Edge<H::Object>)) {
    if heap.kind(object) != Kind::Closure || heap.rules().upvalues != UpvalueStorage::Counted {
        return heap.references(object, visit);
    }
    heap.references(object, |edge| {
        visit(edge);
        let target = edge.target;
        if heap.kind(target) == Kind::Upvalue && !heap.is_freed(target) && !heap.is_open_upvalue(target) {
            heap.references(target, &mut visit);
        }
    });
}

/// The first of an object's references for which `is_so` holds.
pub(crate) fn find_reference<H: Heap>(
    heap: H,
    object: H::Object,
    is_so: impl Fn(&Edge<H::Object>) -> bool,
) -> Option<Edge<H::Object>> {
    let mut found = None;
    references(heap, object, |edge| {
        if found.is_none() && is_so(&edge) {
            found = Some(edge);
        }
    });
    found
}

/// Whether all lists end. Their members are not looked at.
pub(crate) fn lists_end<H: Heap>(heap: H) -> bool {
    ListName::ALL.into_iter().all(|list| {
        // One walker goes twice as fast as the other. In a circle they meet.
        let mut slow = heap.list(list);
        let mut fast = heap.list(list);
        loop {
            let (Some(_), Some(ahead)) = (fast.next(), fast.next()) else { return true };
            if slow.next() == Some(ahead) {
                return false;
            }
        }
    })
}

/// Whether an object was freed, or is of the other white: then a sweep will free it, unless it waits for its finalizer.
#[inline]
pub(crate) fn is_dead<H: Heap>(heap: H, object: H::Object) -> bool {
    heap.is_freed(object) || heap.colour(object) == Colour::OtherWhite
}

/// Whether an object is a table with weak keys or weak values.
#[inline]
pub(crate) fn is_weak_table<H: Heap>(heap: H, object: H::Object) -> bool {
    heap.weakness(object) != Weakness::None
}

/// Whether a reference is strong and its target is white and not freed.
#[inline]
pub(crate) fn is_strong_to_white<H: Heap>(heap: H, edge: &Edge<H::Object>) -> bool {
    edge.strength == Strength::Strong && heap.is_white(edge.target) && !heap.is_freed(edge.target)
}

/// Whether `is_so` holds for any object in the running thread's live stack. Looks at no more than `slots` slots, from the top.
#[inline]
pub(crate) fn any_on_stack<H: Heap>(heap: H, slots: u32, is_so: impl Fn(H::Object) -> bool) -> bool {
    heap.running_thread().is_some_and(|thread| {
        let top = heap.live_stack(thread);
        heap.stack(thread, top.saturating_sub(slots)..top).flatten().any(is_so)
    })
}

/// Whether `is_so` holds for any object in the running thread's stack, above its live top too.
pub(crate) fn any_in_whole_stack<H: Heap>(heap: H, is_so: impl Fn(H::Object) -> bool) -> bool {
    heap.running_thread().is_some_and(|thread| heap.stack(thread, 0..u32::MAX).flatten().any(is_so))
}
