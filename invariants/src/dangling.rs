//! `dangling`: nothing live refers to a freed object, in any phase.
//!
//! Live is what the collector may still use: all that is not of the other white, which only dead objects that wait to
//! be swept are. Weak references count: dead entries are cleared before anything is freed.

use crate::lists::{holders, references};
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Colour, Edge, HeapView, Kind, ObjectView, Upvalues};

/// Looks at the roots and at all references of all live objects.
pub(crate) fn check(view: HeapView<'_>) -> Verdict {
    check_roots(view)?;
    holders(view).try_for_each(|object| check_object(view, object))
}

pub(crate) fn check_roots(view: HeapView<'_>) -> Verdict {
    let mut freed: Option<Edge<'_>> = None;
    view.roots(|edge| {
        if edge.target.is_freed() {
            freed.get_or_insert(edge);
        }
    });
    match freed {
        Some(edge) => Err(Violation::of_object(Invariant::Dangling, view, edge.target, "is a root")),
        None => Ok(()),
    }
}

fn check_object<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    if view.colour(object) == Colour::OtherWhite {
        return Ok(());
    }
    let mut freed = None;
    references(view, object, |edge| {
        if edge.target.is_freed() {
            freed.get_or_insert(edge);
        }
    });
    match freed {
        Some(edge) => Err(Violation::of_edge(Invariant::Dangling, view, object, edge)),
        None => Ok(()),
    }
}

/// Looks at one reference, which was just written. Holds in the middle of a step too, when a dead thread that is freed
/// closes its upvalues.
pub(crate) fn check_store<'h>(view: HeapView<'h>, holder: ObjectView<'h>, new: ObjectView<'h>) -> Verdict {
    if !new.is_freed() || holder.is_freed() {
        return Ok(());
    }
    if holder.kind() == Kind::Upvalue && view.policy().upvalues == Upvalues::Counted {
        // It may be one that only dead closures have. Those that live are looked at for it.
        return check(view);
    }
    check_object(view, holder)
}

/// The collector came upon a freed object. Who refers to it is found by looking everywhere.
pub fn met<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Box<Violation> {
    let unknown = || Violation::of_object(Invariant::Dangling, view, object, "was met by the collector");
    if !crate::lists::end(view) {
        return unknown();
    }
    let mut found = None;
    for holder in view.objects() {
        view.references(holder, |edge| {
            if edge.target == object && found.is_none() {
                found = Some((holder, edge));
            }
        });
        if let Some((holder, edge)) = found {
            return Violation::of_edge(Invariant::Dangling, view, holder, edge);
        }
    }
    unknown()
}
