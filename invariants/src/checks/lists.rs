//! `lists`: every object is in one of the collector's lists, once, and in one that is for its kind; the lists end.
//!
//! All other checks walk the lists, so this check comes first. It trusts only that the next object of a list is an object. An
//! object that fell out of all lists is found by the references that lead to it.

use super::finalizers;
use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::id_set::IdSet;
use crate::walk::{find_reference, holders, is_dead};
use moonphase_heap::{Heap, Kind, ListName, ShortStrings, UpvalueStorage};

pub(crate) fn check<H: Heap>(heap: H, listed: &mut IdSet) -> Verdict<H::Object> {
    check_members(heap, listed)?;
    let mut missing = None;
    heap.roots(|edge| {
        if missing.is_none() && is_missing(heap, listed, edge.target) {
            missing = Some(edge);
        }
    });
    if let Some(edge) = missing {
        return Err(Breach::of_unlisted(None, edge));
    }
    // What a dead object refers to may be gone altogether.
    for object in holders(heap).filter(|&object| !is_dead(heap, object)) {
        if let Some(edge) = find_reference(heap, object, |edge| is_missing(heap, listed, edge.target)) {
            return Err(Breach::of_unlisted(Some(object), edge));
        }
    }
    Ok(())
}

/// Looks at the members of all lists, and fills the set with them.
pub(crate) fn check_members<H: Heap>(heap: H, listed: &mut IdSet) -> Verdict<H::Object> {
    listed.clear();
    for list in ListName::ALL {
        for object in heap.list(list) {
            check_member(heap, listed, list, object)?;
        }
    }
    Ok(())
}

/// Looks at one member of a list, and adds it to the set of those before it.
#[inline]
fn check_member<H: Heap>(heap: H, listed: &mut IdSet, list: ListName, object: H::Object) -> Verdict<H::Object> {
    let (right_kind, freed) = (has_place(heap, list, object), heap.is_freed(object));
    if listed.insert(heap.id(object)) && !freed && right_kind {
        return finalizers::check_member(heap, list, object);
    }
    let what = if freed {
        format!("is still in the list '{list}'")
    } else if !right_kind {
        format!("is of a kind that has no place in the list '{list}'")
    } else {
        format!("is twice in the lists, the second time in '{list}'")
    };
    Err(Breach::of_object(Invariant::Lists, object, what))
}

/// Whether a list is for objects of this kind.
#[inline]
pub(crate) fn has_place<H: Heap>(heap: H, list: ListName, object: H::Object) -> bool {
    match list {
        ListName::All => {
            heap.kind(object) != Kind::Upvalue && !heap.is_short_string(object) || belongs_in_all(heap, object)
        }
        ListName::Strings => heap.is_short_string(object),
        ListName::OpenUpvalues => heap.is_open_upvalue(object),
        ListName::CountedUpvalues => heap.kind(object) == Kind::Upvalue,
        ListName::Finalizable | ListName::ToBeFinalized | ListName::Fixed => true,
    }
}

/// Whether the rules have this short string, or this upvalue, in the list of all objects.
fn belongs_in_all<H: Heap>(heap: H, object: H::Object) -> bool {
    match heap.rules().upvalues {
        _ if heap.is_short_string(object) => heap.rules().short_strings == ShortStrings::InAll,
        UpvalueStorage::OpenApart => !heap.is_open_upvalue(object),
        UpvalueStorage::InAll => true,
        UpvalueStorage::Counted => false,
    }
}

/// Whether an object is in no list. Freed ones are the subject of `dangling`.
#[inline]
fn is_missing<H: Heap>(heap: H, listed: &IdSet, object: H::Object) -> bool {
    !listed.contains(heap.id(object)) && !heap.is_freed(object)
}
