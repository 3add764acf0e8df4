//! `black-to-white`: while marking, no black object refers strongly to a white one.
//!
//! The collector is done with a black object and will visit a white one only by another reference. If there is none, or
//! it goes away, the white object is freed while the black one still refers to it. Weak references may lead to white
//! objects; while sweeping, black objects turn white one by one and the rule is off.
//!
//! In generational mode marking goes on, as it were, between collections, and the rule holds of black objects that are not
//! old. Old ones are black all the time and the subject of `ages`: those that the next minor collection traverses may refer
//! to white survivals.

use crate::ages;
use crate::lists::{marked, references};
use crate::looks::is_marking;
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Edge, HeapView, Kind, ListName, ObjectView, Strength, Upvalues};

/// Looks at all references of all black objects.
pub(crate) fn check(view: HeapView<'_>) -> Verdict {
    if !is_marking(view) {
        return Ok(());
    }
    marked(view).chain(view.list(ListName::Fixed)).try_for_each(|object| check_object(view, object))
}

/// Looks at the references of one object.
pub(crate) fn check_object<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    if !object.is_black() || ages::covers(object) {
        return Ok(());
    }
    let mut white = None;
    references(view, object, |edge| {
        if white.is_none() && is_strong_to_white(&edge) {
            white = Some(edge);
        }
    });
    match white {
        Some(edge) => Err(Violation::of_edge(Invariant::BlackToWhite, view, object, edge)),
        None => Ok(()),
    }
}

/// Looks at one reference, which was just written.
pub(crate) fn check_store<'h>(view: HeapView<'h>, holder: ObjectView<'h>, new: ObjectView<'h>) -> Verdict {
    if !is_marking(view) {
        return Ok(());
    }
    if view.policy().upvalues == Upvalues::Counted {
        // The value counts for the closures, which are black or not.
        if new.kind() == Kind::Upvalue {
            return check_object(view, holder);
        }
        if holder.kind() == Kind::Upvalue && new.is_white() && !holder.is_open_upvalue() {
            return check(view);
        }
    }
    if !(holder.is_black() && new.is_white() && !new.is_freed()) || ages::covers(holder) {
        return Ok(());
    }
    let mut broken = None;
    view.references(holder, |edge| {
        if broken.is_none() && edge.target == new && edge.strength == Strength::Strong {
            broken = Some(edge);
        }
    });
    match broken {
        Some(edge) => Err(Violation::of_edge(Invariant::BlackToWhite, view, holder, edge)),
        None => Ok(()),
    }
}

/// After an object was traversed or marked: what it and the objects that marking blackens at once, without a turn of
/// their own, refer to.
pub(crate) fn check_traversed<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    if !is_marking(view) {
        return Ok(());
    }
    // Mostly there is nothing to be said of any target, and that is soon seen.
    let mut any = false;
    references(view, object, |edge| any |= edge.target.is_white() || may_be_blackened(edge.target));
    if any { check_targets(view, object) } else { Ok(()) }
}

#[inline]
fn may_be_blackened(object: ObjectView<'_>) -> bool {
    matches!(object.kind(), Kind::Upvalue | Kind::Userdata)
}

fn check_targets<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    check_object(view, object)?;
    let mut verdict = Ok(());
    references(view, object, |edge| {
        let target = edge.target;
        if may_be_blackened(target) && target.is_black() && target != object && verdict.is_ok() {
            // Upvalues lead on to userdata and these to tables, so this goes no deeper than that.
            verdict = check_blackened(view, target);
        }
    });
    verdict
}

fn check_blackened<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    check_object(view, object)?;
    let mut userdata = None;
    if object.kind() == Kind::Upvalue {
        view.references(object, |edge| {
            if edge.target.kind() == Kind::Userdata && edge.target.is_black() {
                userdata = Some(edge.target);
            }
        });
    }
    userdata.map_or(Ok(()), |userdata| check_object(view, userdata))
}

pub(crate) fn is_strong_to_white(edge: &Edge<'_>) -> bool {
    edge.strength == Strength::Strong && edge.target.is_white() && !edge.target.is_freed()
}
