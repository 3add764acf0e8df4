//! `black-to-white`: while marking, no black object refers strongly to a white one.
//!
//! The collector is done with a black object. It reaches the white object only by another reference. If there is no such
//! reference, or if it is removed, the white object is freed while the black one still refers to it. Weak references may lead
//! to white objects. While sweeping, black objects turn white one by one, so the rule is off.
//!
//! In generational mode the collector is in a phase of marking between two collections, so the rule is on. It covers black
//! objects up to age old0. What older ones may refer to is the subject of `ages`.

use super::ages;
use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::walk::{find_reference, is_strong_to_white, marked, references};
use moonphase_heap::{Heap, Kind, ListName, UpvalueStorage};

/// Looks at all references of all black objects.
pub(crate) fn check<H: Heap>(heap: H) -> Verdict<H::Object> {
    if !heap.phase().is_marking() {
        return Ok(());
    }
    marked(heap).chain(heap.list(ListName::Fixed)).try_for_each(|object| check_object(heap, object))
}

/// Looks at the references of one object.
fn check_object<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    if !heap.is_black(object) || ages::covers(heap, object) {
        return Ok(());
    }
    match find_reference(heap, object, |edge| is_strong_to_white(heap, edge)) {
        Some(edge) => Err(Breach::of_edge(Invariant::BlackToWhite, object, edge)),
        None => Ok(()),
    }
}

/// Looks at one reference that was just written. Where upvalues are counted, a value that was stored into one is looked at for
/// all closures.
pub(crate) fn check_store<H: Heap>(heap: H, holder: H::Object, new: H::Object) -> Verdict<H::Object> {
    if !heap.phase().is_marking() {
        return Ok(());
    }
    if heap.rules().upvalues == UpvalueStorage::Counted {
        // A counted upvalue has no colour. Its value is taken as referred to by each closure that has the upvalue, so the
        // colours of those closures decide.
        if heap.kind(new) == Kind::Upvalue {
            return check_object(heap, holder);
        }
        if heap.kind(holder) == Kind::Upvalue && heap.is_white(new) && !heap.is_open_upvalue(holder) {
            return check(heap);
        }
    }
    let broken = heap.is_black(holder) && heap.is_white(new) && !heap.is_freed(new) && !ages::covers(heap, holder);
    if !broken {
        return Ok(());
    }
    match find_reference(heap, holder, |edge| edge.target == new && is_strong_to_white(heap, edge)) {
        Some(edge) => Err(Breach::of_edge(Invariant::BlackToWhite, holder, edge)),
        None => Ok(()),
    }
}

/// Looks at an object that was just traversed or marked, and at the objects that were blackened together with it.
///
/// Upvalues and userdata become black as soon as they are marked, without being traversed later. So their targets are marked at
/// the same time. For example: a closure refers to a closed upvalue, the upvalue to a userdata, the userdata to its metatable.
/// One traversal of the closure marks all of them.
pub(crate) fn check_traversed<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    if !heap.phase().is_marking() {
        return Ok(());
    }
    // Mostly no target is white or could have been blackened, and this short walk shows it.
    let mut any = false;
    references(heap, object, |edge| any |= heap.is_white(edge.target) || may_be_blackened(heap, edge.target));
    if any { check_targets(heap, object) } else { Ok(()) }
}

#[inline]
fn may_be_blackened<H: Heap>(heap: H, object: H::Object) -> bool {
    matches!(heap.kind(object), Kind::Upvalue | Kind::Userdata)
}

fn check_targets<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    check_object(heap, object)?;
    let mut verdict = Ok(());
    references(heap, object, |edge| {
        let target = edge.target;
        if may_be_blackened(heap, target) && heap.is_black(target) && target != object && verdict.is_ok() {
            // Upvalues lead on to userdata, and these to tables. A userdata that is a user value of another one is left to
            // later looks.
            verdict = check_blackened(heap, target);
        }
    });
    verdict
}

fn check_blackened<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    check_object(heap, object)?;
    let mut userdata = None;
    if heap.kind(object) == Kind::Upvalue {
        heap.references(object, |edge| {
            if heap.kind(edge.target) == Kind::Userdata && heap.is_black(edge.target) {
                userdata = Some(edge.target);
            }
        });
    }
    userdata.map_or(Ok(()), |userdata| check_object(heap, userdata))
}
