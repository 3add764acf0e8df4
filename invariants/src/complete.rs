//! `complete`: after uninterrupted full collections nothing unreachable is left.
//!
//! It catches whites that are not flipped, objects that are marked for no reason, and leaks. Not asked at events, since
//! it is only true at the end of a collection that nothing has interrupted.

use crate::id_set::IdSet;
use crate::lists::collected;
use crate::{Invariant, Verdict, Violation, reachable};
use moonphase_vm::gc::{HeapView, ObjectView};

/// Looks for an object that nothing leads to. To be asked right after as many full collections as
/// [`Vm::collect`](moonphase_vm::Vm::collect) makes. Finalizers that the last one calls make exceptions, which
/// [`Checker::look_complete`](crate::Checker::look_complete) knows.
///
/// # Errors
/// There is one.
pub fn check_complete(view: HeapView<'_>) -> Verdict {
    check_but(view, |_| false)
}

/// The same, aside from certain objects and what they lead to.
pub(crate) fn check_but(view: HeapView<'_>, excepted: impl Fn(u32) -> bool) -> Verdict {
    crate::lists::check_members(view, &mut IdSet::default())?;
    let mut reached = IdSet::default();
    let excepted: Vec<ObjectView<'_>> = collected(view).filter(|object| excepted(object.id())).collect();
    reachable::trace(view, &mut reached, &excepted, |_| {});
    match collected(view).find(|object| !reached.contains(object.id())) {
        Some(object) => {
            Err(Violation::of_object(Invariant::Complete, view, object, "is unreachable and was not collected"))
        }
        None => Ok(()),
    }
}
