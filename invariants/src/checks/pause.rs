//! `pause-white`: between two cycles every object is of the current white, fixed ones aside, which are gray for ever.
//!
//! A sweep that misses an object leaves it black, and the next cycle would take it for done. The rule is already true
//! when the last list is swept: nothing is marked before the next cycle begins. Generational mode never pauses: between its
//! collections old objects are black, and `ages` is asked.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use moonphase_heap::{Colour, Heap, ListName, Waiting};

pub(crate) fn check<H: Heap>(heap: H) -> Verdict<H::Object> {
    if !heap.phase().is_between_cycles() {
        return Ok(());
    }
    ListName::COLLECTED
        .into_iter()
        .try_for_each(|list| heap.list(list).try_for_each(|object| check_member(heap, list, object)))
}

/// Looks at one object that is not fixed. Those that wait for their finalizer keep their colour where they are not swept.
#[inline]
pub(crate) fn check_member<H: Heap>(heap: H, list: ListName, object: H::Object) -> Verdict<H::Object> {
    let colour = heap.colour(object);
    if colour == Colour::White || list == ListName::ToBeFinalized && heap.rules().waiting != Waiting::Swept {
        return Ok(());
    }
    Err(Breach::of_object(Invariant::PauseWhite, object, format!("is {colour} though nothing is being collected")))
}
