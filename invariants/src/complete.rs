//! `complete`: after uninterrupted full collections nothing unreachable is left.
//!
//! It catches whites that are not flipped, objects that are marked for no reason, and leaks. Not asked at events, since
//! it is only true at the end of a collection that nothing has interrupted.

use crate::id_set::IdSet;
use crate::lists::collected;
use crate::{Invariant, Verdict, Violation, reachable};
use moonphase_vm::gc::HeapView;

/// Looks for an object that nothing leads to. To be asked right after two full collections: where the first calls
/// finalizers, their objects are gone after the second. Finalizers of the second may leave garbage of their own, which
/// [`Checker::look_complete`](crate::Checker::look_complete) knows to be younger than that collection.
///
/// # Errors
/// There is one.
pub fn check_complete(view: HeapView<'_>) -> Verdict {
    check_made_until(view, u32::MAX)
}

/// The same for objects up to this number.
pub(crate) fn check_made_until(view: HeapView<'_>, newest: u32) -> Verdict {
    crate::lists::check_members(view, &mut IdSet::default())?;
    let mut reached = IdSet::default();
    reachable::trace(view, &mut reached, |_| {});
    match collected(view).find(|object| object.id() <= newest && !reached.contains(object.id())) {
        Some(object) => {
            Err(Violation::of_object(Invariant::Complete, view, object, "is unreachable and was not collected"))
        }
        None => Ok(()),
    }
}
