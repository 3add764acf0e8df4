//! `lists`: every object is in one of the collector's lists, once, and in one that the policy has for its kind; the lists
//! end.
//!
//! All other checks walk the lists, so this one goes first and trusts only that `next` leads to objects. An object that
//! fell out of all lists is found by the references that lead to it.

use crate::id_set::IdSet;
use crate::{Invariant, Verdict, Violation, finalizers};
use moonphase_vm::gc::{Colour, Edge, HeapView, Kind, ListName, ObjectView, OpenRule, SweepRule, Upvalues};

/// The objects that the collector colours: all but fixed ones and counted upvalues.
pub(crate) fn collected<'h>(view: HeapView<'h>) -> impl Iterator<Item = ObjectView<'h>> {
    ListName::COLLECTED.into_iter().flat_map(move |list| view.list(list))
}

/// Whether marking has come to the objects of a list, so that their colours mean something. Under the rules of Lua 5.1 those
/// that wait for their finalizer are not swept, and a full collection marks anew while they wait: until its atomic phase
/// they have the colours of the cycle before.
pub(crate) fn is_marked(view: HeapView<'_>, list: ListName) -> bool {
    list != ListName::ToBeFinalized || view.policy().sweep != SweepRule::Strings
}

/// The objects whose colours mean something while marking.
pub(crate) fn marked<'h>(view: HeapView<'h>) -> impl Iterator<Item = ObjectView<'h>> {
    let lists = ListName::COLLECTED.into_iter().filter(move |&list| is_marked(view, list));
    lists.flat_map(move |list| view.list(list))
}

/// The objects whose references mean something: all but counted upvalues, which only count through their closures.
pub(crate) fn holders<'h>(view: HeapView<'h>) -> impl Iterator<Item = ObjectView<'h>> {
    collected(view).chain(view.list(ListName::Fixed))
}

/// What an object refers to, and through a closed counted upvalue its value: one that only dead closures have may refer to
/// what is freed already, so it is never looked at by itself. The value of an open one is on a stack.
#[inline]
pub(crate) fn references<'h>(view: HeapView<'h>, object: ObjectView<'h>, mut visit: impl FnMut(Edge<'h>)) {
    if object.kind() != Kind::Closure || view.policy().upvalues != Upvalues::Counted {
        return view.references(object, visit);
    }
    view.references(object, |edge| {
        visit(edge);
        if edge.target.kind() == Kind::Upvalue && !edge.target.is_freed() && !edge.target.is_open_upvalue() {
            view.references(edge.target, &mut visit);
        }
    });
}

pub(crate) fn check(view: HeapView<'_>, listed: &mut IdSet) -> Verdict {
    check_members(view, listed)?;
    let mut missing: Option<(Option<ObjectView<'_>>, Edge<'_>)> = None;
    view.roots(|edge| {
        if missing.is_none() && is_missing(listed, &edge) {
            missing = Some((None, edge));
        }
    });
    for object in holders(view) {
        // What a dead object refers to may be gone altogether.
        if !is_dead(view, object) {
            references(view, object, |edge| {
                if missing.is_none() && is_missing(listed, &edge) {
                    missing = Some((Some(object), edge));
                }
            });
        }
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
    let right_kind = has_place(view, list, object);
    if listed.insert(object.id()) && !object.is_freed() && right_kind {
        return finalizers::check_member(view, list, object);
    }
    let name = list.name();
    let what = if object.is_freed() {
        format!("is still in the list '{name}'")
    } else if !right_kind {
        format!("is of a kind that has no place in the list '{name}'")
    } else {
        format!("is twice in the lists, the second time in '{name}'")
    };
    Err(Violation::of_object(Invariant::Lists, view, object, &what))
}

/// Whether an object is of a kind that a list is for.
#[inline]
pub(crate) fn has_place<'h>(view: HeapView<'h>, list: ListName, object: ObjectView<'h>) -> bool {
    match list {
        ListName::All => object.kind() != Kind::Upvalue && !object.is_short_string() || belongs_in_all(view, object),
        ListName::Strings => object.is_short_string(),
        ListName::OpenUpvalues => object.is_open_upvalue(),
        ListName::CountedUpvalues => object.kind() == Kind::Upvalue,
        ListName::Finalizable | ListName::ToBeFinalized | ListName::Fixed => true,
    }
}

/// Whether the policy has strings and upvalues in the list of all objects.
fn belongs_in_all<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> bool {
    match view.policy().upvalues {
        _ if object.is_short_string() => view.policy().sweep == SweepRule::Lists,
        Upvalues::Objects { open: OpenRule::Global, .. } => !object.is_open_upvalue(),
        Upvalues::Objects { open: OpenRule::ByThread, .. } => true,
        Upvalues::Counted => false,
    }
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

/// A moment, to know what was swept after it.
#[derive(Default)]
pub(crate) struct Sweep {
    last: Option<u32>,
}

impl Sweep {
    /// Up to now.
    pub(crate) fn now(view: HeapView<'_>) -> Sweep {
        Sweep { last: view.quarantined().next_back().map(|object| object.id()) }
    }

    /// Whether this is so of anything that was swept since.
    pub(crate) fn has_swept<'h>(&self, view: HeapView<'h>, is_so: impl Fn(ObjectView<'h>) -> bool) -> bool {
        view.quarantined().rev().take_while(|object| Some(object.id()) != self.last).any(is_so)
    }
}

/// Whether the sweep will free the object, or has.
pub(crate) fn is_dead<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> bool {
    object.is_freed() || view.colour(object) == Colour::OtherWhite
}
