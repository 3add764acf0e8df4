//! `complete`: after uninterrupted full collections nothing unreachable is left.
//!
//! It catches whites that are not flipped, objects that are marked for no reason, and leaks. It is not asked at events, since
//! it is only true at the end of a collection that nothing has interrupted.

use super::{lists, reachable};
use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::id_set::IdSet;
use crate::walk::collected;
use moonphase_heap::Heap;

/// Looks for an object that nothing leads to, aside from certain objects and what they lead to.
pub(crate) fn check<H: Heap>(heap: H, excepted: impl Fn(u32) -> bool) -> Verdict<H::Object> {
    lists::check_members(heap, &mut IdSet::default())?;
    let mut reached = IdSet::default();
    let excepted: Vec<H::Object> = collected(heap).filter(|&object| excepted(heap.id(object))).collect();
    reachable::trace(heap, &mut reached, &excepted, |_| {});
    match collected(heap).find(|&object| !reached.contains(heap.id(object))) {
        Some(object) => Err(Breach::of_object(Invariant::Complete, object, "is unreachable and was not collected")),
        None => Ok(()),
    }
}
