//! `pause-white`: between two cycles every object is of the current white, fixed ones aside, which are gray for ever.
//!
//! A sweep that misses an object leaves it black, and the next cycle would take it for done. The rule is already true
//! when the last list is swept: nothing is marked before the next cycle begins.

use crate::lists::collected;
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Colour, HeapView, ObjectView, Phase};

pub(crate) fn check(view: HeapView<'_>) -> Verdict {
    if applies(view) { collected(view).try_for_each(|object| check_object(view, object)) } else { Ok(()) }
}

/// Whether sweeping is done and marking has not begun.
pub(crate) fn applies(view: HeapView<'_>) -> bool {
    matches!(view.phase(), Phase::SweepEnd | Phase::CallFinalizers | Phase::Pause)
}

/// Looks at one object that is not fixed.
#[inline]
pub(crate) fn check_object<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    let colour = view.colour(object);
    if colour == Colour::White {
        return Ok(());
    }
    let what = format!("is {colour} though nothing is being collected");
    Err(Violation::of_object(Invariant::PauseWhite, view, object, &what))
}
