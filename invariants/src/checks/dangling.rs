//! `dangling`: nothing live refers to a freed object, in any phase.
//!
//! Live is what the collector may still use: all objects but those of the other white, which are dead and wait to be swept.
//! Weak references count too, since dead entries are cleared before anything is freed.
//!
//! The key of an entry without a value is no reference, and may be freed. But the entry stays in its table, where searches and
//! `next` come to it. So the collector marks the key dead before it frees the object, and nobody looks at the object then. For
//! example: after `t[x] = nil` the next traversal of `t` marks the key `x` dead. While sweeping, a key that is of the other white
//! counts as freed: no traversal comes before its object is swept.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::walk::{self, find_reference, holders, is_dead};
use moonphase_heap::{Colour, Edge, Heap, Kind, UpvalueStorage};

/// Looks at the roots and at all references of all live objects.
pub(crate) fn check<H: Heap>(heap: H) -> Verdict<H::Object> {
    check_roots(heap)?;
    holders(heap).try_for_each(|object| check_object(heap, object))
}

fn check_roots<H: Heap>(heap: H) -> Verdict<H::Object> {
    let mut freed = None;
    heap.roots(|edge| {
        if heap.is_freed(edge.target) {
            freed.get_or_insert(edge.target);
        }
    });
    match freed {
        Some(object) => Err(Breach::of_object(Invariant::Dangling, object, "is a root")),
        None => Ok(()),
    }
}

fn check_object<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    if heap.colour(object) == Colour::OtherWhite {
        return Ok(());
    }
    match find_reference(heap, object, |edge| heap.is_freed(edge.target)) {
        Some(edge) => Err(Breach::of_edge(Invariant::Dangling, object, edge)),
        None => check_empty_keys_of(heap, object),
    }
}

/// Looks at the keys of the empty entries of all live tables.
pub(crate) fn check_empty_keys<H: Heap>(heap: H) -> Verdict<H::Object> {
    let mut live = holders(heap).filter(|&object| !is_dead(heap, object));
    live.try_for_each(|object| check_empty_keys_of(heap, object))
}

fn check_empty_keys_of<H: Heap>(heap: H, table: H::Object) -> Verdict<H::Object> {
    let mut dead = None;
    heap.empty_keys(table, |edge| {
        if dead.is_none() && is_dead_key(heap, edge.target) {
            dead = Some(edge);
        }
    });
    let Some(edge) = dead else { return Ok(()) };
    let mut breach = Breach::of_edge(Invariant::Dangling, table, edge);
    breach.what = "; the key is not marked dead, so whoever comes to the entry looks at the object".to_owned();
    Err(breach)
}

/// Whether the key of an empty entry has to be marked dead, since its object is freed or is about to be.
#[inline]
pub(crate) fn is_dead_key<H: Heap>(heap: H, key: H::Object) -> bool {
    heap.is_freed(key) || heap.phase().is_sweeping() && heap.colour(key) == Colour::OtherWhite
}

/// Looks at one reference that was just written. Holds in the middle of a step too, when a dead thread that is freed closes
/// its upvalues.
pub(crate) fn check_store<H: Heap>(heap: H, holder: H::Object, new: H::Object) -> Verdict<H::Object> {
    if !heap.is_freed(new) || heap.is_freed(holder) {
        return Ok(());
    }
    if heap.kind(holder) == Kind::Upvalue && heap.rules().upvalues == UpvalueStorage::Counted {
        // Maybe only dead closures have this upvalue. Living closures that have it are looked at for it.
        return check(heap);
    }
    check_object(heap, holder)
}

/// The collector came upon a freed object. Who refers to the object is found by looking everywhere.
pub(crate) fn met<H: Heap>(heap: H, object: H::Object) -> Box<Breach<H::Object>> {
    let reference = || -> Option<(H::Object, Edge<H::Object>)> {
        if !walk::lists_end(heap) {
            return None;
        }
        heap.objects().find_map(|holder| {
            let mut found = None;
            heap.references(holder, |edge| {
                if edge.target == object && found.is_none() {
                    found = Some((holder, edge));
                }
            });
            found
        })
    };
    match reference() {
        Some((holder, edge)) => Breach::of_edge(Invariant::Dangling, holder, edge),
        None => Breach::of_object(Invariant::Dangling, object, "was met by the collector"),
    }
}
