//! `gray-lists`: while marking, gray objects and members of gray lists are the same set, each in one list.
//!
//! A gray object on no list is never traversed, so what only it refers to is lost. Not on a list, though gray, are open
//! upvalues (their thread leads to them), marked strings of Lua 5.1, counted upvalues and fixed objects. On a list, though
//! black, are touched2 objects of generational mode, since the next minor collection traverses them once more.
//!
//! While sweeping, the lists may hold white and even freed objects, since lists are only emptied when the next cycle begins.
//! Nobody may look at them then.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::id_set::IdSet;
use crate::walk::marked;
use moonphase_heap::{Age, GrayList, Heap, Kind};

pub(crate) fn check<H: Heap>(heap: H, listed: &mut IdSet) -> Verdict<H::Object> {
    if !heap.phase().is_marking() {
        return Ok(());
    }
    check_members(heap, listed)?;
    marked(heap).try_for_each(|object| check_object(heap, listed, object))
}

/// Looks at the members of all gray lists, and fills the set with them.
pub(crate) fn check_members<H: Heap>(heap: H, listed: &mut IdSet) -> Verdict<H::Object> {
    listed.clear();
    for list in GrayList::ALL {
        for object in heap.gray_list(list) {
            check_member(heap, list, object)?;
            if !listed.insert(heap.id(object)) {
                let what = format!("is twice on the gray lists, the second time on '{list}'");
                return Err(Breach::of_object(Invariant::GrayLists, object, what));
            }
        }
    }
    Ok(())
}

/// Looks at one object that is not fixed, while marking.
#[inline]
pub(crate) fn check_object<H: Heap>(heap: H, listed: &IdSet, object: H::Object) -> Verdict<H::Object> {
    if is_listed(heap, object) && !listed.contains(heap.id(object)) { Err(unlisted(heap, object)) } else { Ok(()) }
}

fn check_member<H: Heap>(heap: H, list: GrayList, object: H::Object) -> Verdict<H::Object> {
    if is_listed(heap, object) && !heap.is_freed(object) {
        return Ok(());
    }
    let colour = if heap.is_freed(object) { "freed" } else { heap.colour(object).name() };
    let what = format!("is {colour} and on the gray list '{list}'");
    Err(Breach::of_object(Invariant::GrayLists, object, what))
}

/// Whether the object's colour and age say that it is on a gray list.
#[inline]
pub(crate) fn is_listed<H: Heap>(heap: H, object: H::Object) -> bool {
    if heap.is_black(object) {
        return heap.age(object) == Age::Touched2;
    }
    heap.is_gray(object) && !heap.is_open_upvalue(object) && heap.kind(object) != Kind::String
}

fn unlisted<H: Heap>(heap: H, object: H::Object) -> Box<Breach<H::Object>> {
    let colour = if heap.is_gray(object) { "gray" } else { "touched2" };
    Breach::of_object(Invariant::GrayLists, object, format!("is {colour} and on no gray list"))
}

/// Looks at one object that has just become gray: whoever makes an object gray puts it at the end of a list.
#[inline]
pub(crate) fn check_newest<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    if heap.phase().is_marking() && is_listed(heap, object) { check_is_listed(heap, object) } else { Ok(()) }
}

fn check_is_listed<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    // The end of a list is where it was put, unless the collector found more to mark behind it.
    let listed = GrayList::ALL.into_iter().any(|list| heap.gray_list(list).next_back() == Some(object))
        || GrayList::ALL.into_iter().any(|list| heap.gray_list(list).rev().any(|member| member == object));
    if listed { Ok(()) } else { Err(unlisted(heap, object)) }
}
