//! `gray-lists`: while marking, gray objects and members of gray lists are the same set, each in one list.
//!
//! A gray object on no list is never traversed, so what only it refers to is lost. Aside: open upvalues, which are gray
//! on no list since their thread leads to them, marked strings of Lua 5.1, counted upvalues and fixed objects; and, in
//! generational mode, touched2 objects, which are black and listed, since the next minor collection traverses them once
//! more. While sweeping the lists may hold white and even
//! freed objects, since they are only emptied when the next cycle begins; nobody may look at them then.

use crate::id_set::IdSet;
use crate::lists::marked;
use crate::looks::is_marking;
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Age, GrayList, HeapView, Kind, ObjectView};

pub(crate) fn check(view: HeapView<'_>, listed: &mut IdSet) -> Verdict {
    if !is_marking(view) {
        return Ok(());
    }
    check_members(view, listed)?;
    marked(view).try_for_each(|object| check_object(view, listed, object))
}

/// Looks at the members and fills the set with them.
pub(crate) fn check_members(view: HeapView<'_>, listed: &mut IdSet) -> Verdict {
    listed.clear();
    for list in GrayList::ALL {
        for object in view.gray_list(list) {
            check_member(view, list, object)?;
            if !listed.insert(object.id()) {
                let what = format!("is twice on the gray lists, the second time on '{}'", list.name());
                return Err(Violation::of_object(Invariant::GrayLists, view, object, &what));
            }
        }
    }
    Ok(())
}

/// Looks at one object that is not fixed, while marking.
#[inline]
pub(crate) fn check_object<'h>(view: HeapView<'h>, listed: &IdSet, object: ObjectView<'h>) -> Verdict {
    if is_listed(object) && !listed.contains(object.id()) { Err(unlisted(view, object)) } else { Ok(()) }
}

fn check_member<'h>(view: HeapView<'h>, list: GrayList, object: ObjectView<'h>) -> Verdict {
    if is_listed(object) && !object.is_freed() {
        return Ok(());
    }
    let colour = if object.is_freed() { "freed" } else { view.colour(object).name() };
    let what = format!("is {colour} and on the gray list '{}'", list.name());
    Err(Violation::of_object(Invariant::GrayLists, view, object, &what))
}

/// Whether the object's colour and age say that it is on a gray list.
#[inline]
pub(crate) fn is_listed(object: ObjectView<'_>) -> bool {
    if object.is_black() {
        return object.age() == Age::Touched2;
    }
    object.is_gray() && !object.is_open_upvalue() && object.kind() != Kind::String
}

fn unlisted<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Box<Violation> {
    let colour = if object.is_gray() { "gray" } else { "touched2" };
    Violation::of_object(Invariant::GrayLists, view, object, &format!("is {colour} and on no gray list"))
}

/// Looks at one object that has just become gray: whoever makes an object gray puts it at the end of a list.
#[inline]
pub(crate) fn check_newest<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    if is_marking(view) && is_listed(object) { check_is_listed(view, object) } else { Ok(()) }
}

fn check_is_listed<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    // The end of a list is where it was put, unless the collector found more to mark behind it.
    let listed = GrayList::ALL.into_iter().any(|list| view.gray_list(list).next_back() == Some(object))
        || GrayList::ALL.into_iter().any(|list| view.gray_list(list).rev().any(|member| member == object));
    if listed { Ok(()) } else { Err(unlisted(view, object)) }
}
