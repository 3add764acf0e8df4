//! Looks: which checks are asked together, and how much of the heap they cover, by the moment.
//!
//! A *whole* look asks every check that applies in the heap's phase, of all the heap. The other looks are parts of a whole one,
//! for moments at which only so much can have changed: when marking has ended, when sweeping has ended, after a minor
//! collection. A part finds nothing that a whole look would not find.
//!
//! Each look first asks [`sound`](crate::sound) for a yes or no. After a no it asks check by check ([`one_by_one`]), which
//! says what is wrong. The order of the checks decides which of them speaks where one fault breaks several invariants: lists
//! first, since all others walk them; then what is said of single kinds of objects; then what is said of references; then what
//! may be a mere consequence.

use crate::breach::Verdict;
use crate::checks::{
    ages, bytes, dangling, gray_lists, intern, lists, pause, reachable, threads, tricolour, upvalues, weak,
};
use crate::scratch::Scratch;
use crate::sound;
use crate::sweep::SweptUntil;
use crate::walk::{self, Extent};
use moonphase_heap::{Heap, ListName, Mode};

/// Everything. `settled` says that no store is half done: while a barrier is called, its object may refer to things
/// that a barrier still to come will see to.
pub(crate) fn whole<H: Heap>(heap: H, scratch: &mut Scratch, settled: bool) -> Verdict<H::Object> {
    all_at_once(heap, scratch, settled, Extent::Contents)
}

/// Everything, one check after the other, whether the heap is sound or not.
pub(crate) fn one_by_one<H: Heap>(heap: H, scratch: &mut Scratch, settled: bool) -> Verdict<H::Object> {
    let ids = &mut scratch.ids;
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

/// What is said of single objects, without following references. Each object but strings is given to `each`.
pub(crate) fn members<H: Heap>(heap: H, scratch: &mut Scratch, mut each: impl FnMut(H::Object)) -> Verdict<H::Object> {
    let sound = sound::members_are_sound(heap, scratch, Extent::Headers, |_, object| each(object));
    after_members(heap, scratch, sound)
}

/// What is said of single objects in generational mode, where the program may have given objects finalizers since the last
/// collection: these have moved to another list. The old part of that list is walked too; the rest is known.
pub(crate) fn young_members<H: Heap>(heap: H, scratch: &mut Scratch) -> Verdict<H::Object> {
    scratch.old.lose_place_in(ListName::Finalizable);
    let extent = scratch.old.extent();
    let sound = sound::members_are_sound(heap, scratch, extent, |_, _| {});
    after_members(heap, scratch, sound)
}

fn after_members<H: Heap>(heap: H, scratch: &mut Scratch, sound: bool) -> Verdict<H::Object> {
    if sound {
        scratch.old.settle(heap, false);
        return Ok(());
    }
    scratch.old.forget();
    one_by_one(heap, scratch, true)
}

/// When sweeping has just ended: everything but what is asked of the contents of objects and of the set of them all.
pub(crate) fn swept<H: Heap>(heap: H, scratch: &mut Scratch) -> Verdict<H::Object> {
    // Where nothing was freed since references were followed last, no reference can lead to what is freed.
    let freed_none = heap.abilities().lifetimes && !scratch.closed.any_since(heap, |_| true);
    if heap.mode() == Mode::Incremental && heap.phase().is_between_cycles() && freed_none {
        return members(heap, scratch, |_| {});
    }
    all_at_once(heap, scratch, true, Extent::Headers)
}

/// When a minor collection has just ended: what it may have changed, where the rest is known.
pub(crate) fn after_minor<H: Heap>(heap: H, scratch: &mut Scratch) -> Verdict<H::Object> {
    let extent = scratch.old.extent();
    all_at_once(heap, scratch, true, extent)
}

fn all_at_once<H: Heap>(heap: H, scratch: &mut Scratch, settled: bool, extent: Extent) -> Verdict<H::Object> {
    if sound::is_sound(heap, scratch, settled, extent) {
        scratch.old.settle(heap, settled);
        scratch.known.learn(heap);
        scratch.closed = SweptUntil::now(heap);
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
    reachable::check(heap, &mut scratch.ids)?;
    weak::check(heap)
}
