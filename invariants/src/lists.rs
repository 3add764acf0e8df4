//! `lists`: every object is in one of the collector's lists, once, and in the one that its header says; the lists end.
//!
//! All other checks walk the lists, so this one goes first and trusts only that `next` leads to objects. An object that
//! fell out of all lists is found by the references that lead to it.

use crate::id_set::IdSet;
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Colour, Edge, HeapView, Kind, ListName, ObjectView};

/// The objects that the collector colours: all but fixed ones.
pub(crate) fn collected<'h>(view: HeapView<'h>) -> impl Iterator<Item = ObjectView<'h>> {
    [ListName::All, ListName::Finalizable, ListName::ToBeFinalized].into_iter().flat_map(move |list| view.list(list))
}

pub(crate) fn check(view: HeapView<'_>, listed: &mut IdSet) -> Verdict {
    check_members(view, listed)?;
    let mut missing: Option<(Option<ObjectView<'_>>, Edge<'_>)> = None;
    view.roots(|edge| {
        if missing.is_none() && is_missing(listed, &edge) {
            missing = Some((None, edge));
        }
    });
    for object in view.objects() {
        view.references(object, |edge| {
            if missing.is_none() && is_missing(listed, &edge) {
                missing = Some((Some(object), edge));
            }
        });
        if missing.is_some() {
            break;
        }
    }
    match missing {
        Some((holder, edge)) => Err(unlisted(view, holder, edge)),
        None => Ok(()),
    }
}

/// Looks at the members and fills the set with them.
pub(crate) fn check_members(view: HeapView<'_>, listed: &mut IdSet) -> Verdict {
    listed.clear();
    for list in ListName::ALL {
        for object in view.list(list) {
            check_member(view, listed, list, object)?;
        }
    }
    Ok(())
}

/// Looks at one member and adds it to the set of those before it.
#[inline]
pub(crate) fn check_member<'h>(
    view: HeapView<'h>,
    listed: &mut IdSet,
    list: ListName,
    object: ObjectView<'h>,
) -> Verdict {
    let finalizer = object.has_finalizer();
    let right_list = finalizer == matches!(list, ListName::Finalizable | ListName::ToBeFinalized);
    let right_kind = !finalizer || matches!(object.kind(), Kind::Table | Kind::Userdata);
    if listed.insert(object.id()) && !object.is_freed() && right_list && right_kind {
        return Ok(());
    }
    let name = list.name();
    let what = if object.is_freed() {
        format!("is still in the list '{name}'")
    } else if !right_list {
        let not = if finalizer { "" } else { " not" };
        format!("is in the list '{name}', but its header says that it has{not} a finalizer")
    } else if !right_kind {
        "is of a kind that has no finalizers, and is listed among objects that do".to_owned()
    } else {
        format!("is twice in the lists, the second time in '{name}'")
    };
    Err(Violation::of_object(Invariant::Lists, view, object, &what))
}

/// Whether a reference leads to an object that is in no list. Freed ones are the subject of `dangling`.
#[inline]
pub(crate) fn is_missing(listed: &IdSet, edge: &Edge<'_>) -> bool {
    !listed.contains(edge.target.id()) && !edge.target.is_freed()
}

pub(crate) fn unlisted<'h>(view: HeapView<'h>, holder: Option<ObjectView<'h>>, edge: Edge<'h>) -> Box<Violation> {
    let mut violation = Violation::of_object(Invariant::Lists, view, edge.target, "is in no list of the collector");
    if let Some(holder) = holder {
        let by = Violation::of_edge(Invariant::Lists, view, holder, edge);
        violation.edge = by.edge;
        violation.detail.push_str(&format!(": {}", by.detail));
    }
    violation
}

/// Whether all lists end. Their members are not looked at.
pub(crate) fn end(view: HeapView<'_>) -> bool {
    ListName::ALL.into_iter().all(|list| {
        // One walker goes twice as fast; in a circle it meets the slow one.
        let mut slow = view.list(list);
        let mut fast = view.list(list);
        loop {
            let (Some(_), Some(ahead)) = (fast.next(), fast.next()) else { return true };
            if slow.next() == Some(ahead) {
                return false;
            }
        }
    })
}

/// Whether the sweep will free the object, or has.
pub(crate) fn is_dead<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> bool {
    object.is_freed() || view.colour(object) == Colour::OtherWhite
}
