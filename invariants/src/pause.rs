//! `pause-white`: between two cycles every object is of the current white, fixed ones aside, which are gray for ever.
//!
//! A sweep that misses an object leaves it black, and the next cycle would take it for done. The rule is already true
//! when the last list is swept: nothing is marked before the next cycle begins. Generational mode never pauses: between its
//! collections old objects are black, and `ages` is asked.

use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Colour, HeapView, ListName, ObjectView, Phase, SweepRule};

pub(crate) fn check(view: HeapView<'_>) -> Verdict {
    if !applies(view) {
        return Ok(());
    }
    ListName::COLLECTED
        .into_iter()
        .try_for_each(|list| view.list(list).try_for_each(|object| check_member(view, list, object)))
}

/// Whether sweeping is done and marking has not begun.
pub(crate) fn applies(view: HeapView<'_>) -> bool {
    matches!(view.phase(), Phase::SweepEnd | Phase::CallFinalizers | Phase::Pause)
}

/// Looks at one object that is not fixed. Those that wait for their finalizer keep their colour where they are not swept.
#[inline]
pub(crate) fn check_member<'h>(view: HeapView<'h>, list: ListName, object: ObjectView<'h>) -> Verdict {
    let colour = view.colour(object);
    if colour == Colour::White || list == ListName::ToBeFinalized && view.policy().sweep != SweepRule::Lists {
        return Ok(());
    }
    let what = format!("is {colour} though nothing is being collected");
    Err(Violation::of_object(Invariant::PauseWhite, view, object, &what))
}
