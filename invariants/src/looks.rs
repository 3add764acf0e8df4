//! Looks: which checks are asked together at each kind of moment, and how much of the heap they cover.
//!
//! A *whole* look asks every check that applies in the heap's phase, of all the heap. The other looks are parts of a whole one,
//! for moments when only a part can have changed: when marking has ended, when sweeping has ended, after a minor collection. A
//! part finds nothing that a whole look would not find.
//!
//! A look first asks [`sound`](crate::sound) for a yes or no. After a no it asks check by check: all of them ([`one_by_one`]),
//! or those that it is about ([`after_atomic`]). They say what is wrong. Where one fault breaks several invariants, the order
//! decides which check reports it: lists first, since all others walk them; then checks of single kinds of objects; then checks
//! of references; then checks of what may be a mere consequence.

use crate::breach::Verdict;
use crate::checks::{
    ages, bytes, dangling, gray_lists, intern, lists, pause, reachable, threads, tricolour, upvalues, weak,
};
use crate::scratch::Scratch;
use crate::sound;
use crate::sweep::SweptUntil;
use crate::walk::{self, Extent};
use moonphase_heap::{Heap, ListName, Mode};

/// Everything. `settled` says that no store is half done.
pub(crate) fn whole<H: Heap>(heap: H, scratch: &mut Scratch, settled: bool) -> Verdict<H::Object> {
    all_at_once(heap, scratch, settled, Extent::Contents)
}

/// Everything, one check after the other, without asking `sound` first.
pub(crate) fn one_by_one<H: Heap>(heap: H, scratch: &mut Scratch, settled: bool) -> Verdict<H::Object> {
    let ids = &mut scratch.ids;
    // With each member of a list its finalizer.
    lists::check(heap, ids)?;
    threads::check_threads(heap)?;
    threads::check_strings(heap)?;
    upvalues::check(heap)?;
    pause::check(heap)?;
    dangling::check(heap)?;
    if settled {
        tricolour::check(heap)?;
    }
    ages::check(heap, settled)?;
    gray_lists::check(heap, ids)?;
    reachable::check(heap, ids)?;
    weak::check(heap)?;
    intern::check(heap)?;
    bytes::check(heap)
}

/// The checks of single objects. References are not followed. Each object but strings is given to `each`.
pub(crate) fn members<H: Heap>(heap: H, scratch: &mut Scratch, mut each: impl FnMut(H::Object)) -> Verdict<H::Object> {
    let sound = sound::members_are_sound(heap, scratch, Extent::Headers, |_, object| each(object));
    after_members(heap, scratch, sound)
}

/// The checks of single objects in generational mode, where the program may have given objects finalizers since the last
/// collection. Such objects have moved to the list of objects with finalizers, so all of that list is walked, and the young
/// part of the others.
pub(crate) fn young_members<H: Heap>(heap: H, scratch: &mut Scratch) -> Verdict<H::Object> {
    scratch.old.lose_place_in(ListName::Finalizable);
    let extent = scratch.old.extent();
    let sound = sound::members_are_sound(heap, scratch, extent, |_, _| {});
    after_members(heap, scratch, sound)
}

fn after_members<H: Heap>(heap: H, scratch: &mut Scratch, sound: bool) -> Verdict<H::Object> {
    if sound {
        let heard = scratch.hears_all(heap);
        scratch.old.settle(heap, false, heard);
        return Ok(());
    }
    scratch.old.forget();
    one_by_one(heap, scratch, true)
}

/// When sweeping has just ended: all checks but those that take [`Extent::Contents`] (bytes, the string table, double listing,
/// unlisted targets).
pub(crate) fn swept<H: Heap>(heap: H, scratch: &mut Scratch) -> Verdict<H::Object> {
    // Where nothing was freed since references were followed last, no reference of that time leads to a freed object, and
    // those that were written since were looked at when they were.
    let freed_none = scratch.hears_all(heap) && !scratch.followed.any_since(heap, |_| true);
    if heap.mode() == Mode::Incremental && heap.phase().is_between_cycles() && freed_none {
        return members(heap, scratch, |_| {});
    }
    all_at_once(heap, scratch, true, Extent::Headers)
}

/// When a minor collection has just ended: what it may have changed; all objects, if the old part is not known.
pub(crate) fn after_minor<H: Heap>(heap: H, scratch: &mut Scratch) -> Verdict<H::Object> {
    let extent = scratch.old.extent();
    all_at_once(heap, scratch, true, extent)
}

fn all_at_once<H: Heap>(heap: H, scratch: &mut Scratch, settled: bool, extent: Extent) -> Verdict<H::Object> {
    if sound::is_sound(heap, scratch, settled, extent) {
        // A heap that is not settled has references that were not looked at.
        let heard = scratch.hears_all(heap);
        scratch.old.settle(heap, settled, heard);
        scratch.known.learn(heap, heard);
        scratch.followed = SweptUntil::now(heap);
        return Ok(());
    }
    scratch.old.forget();
    one_by_one(heap, scratch, settled)
}

/// When marking has just ended: what is dead now is dead for good, so nothing reachable may be dead.
pub(crate) fn after_atomic<H: Heap>(heap: H, scratch: &mut Scratch) -> Verdict<H::Object> {
    if sound::is_closed(heap, &mut scratch.known) {
        return Ok(());
    }
    if !walk::lists_end(heap) {
        lists::check(heap, &mut scratch.ids)?;
    }
    dangling::check_empty_keys(heap)?;
    reachable::check(heap, &mut scratch.ids)?;
    weak::check(heap)
}

#[cfg(test)]
mod tests {
    use super::*;
    use moonphase_vm::gc::HeapOptions;
    use moonphase_vm::value::Value;

    /// Whether a look when sweeping has ended finds a reference to a freed object that no event told of, in an object that an
    /// earlier look has followed.
    fn finds(hears_stores: bool) -> bool {
        let mut heap = moonphase_vm::gc::Heap::new(HeapOptions::default());
        let (table, child) = (heap.new_table(), heap.new_table());
        let registry = heap.corrupt().registry();
        heap.corrupt().set(registry, Value::Integer(1), Value::Table(table));
        let mut scratch = Scratch::new(hears_stores);
        assert!(whole(heap.view(), &mut scratch, true).is_ok());
        heap.corrupt().set_in_silence(table, Value::Integer(1), Value::Table(child));
        heap.corrupt().free(child.erase().id());
        swept(heap.view(), &mut scratch).is_err()
    }

    #[test]
    fn a_look_relies_on_what_an_earlier_one_has_seen_only_where_stores_are_heard() {
        assert!(finds(false));
        // A store would have been heard.
        assert!(!finds(true));
    }
}
