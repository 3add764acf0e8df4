//! Which invariants are asked together, and when they may be.
//!
//! A *whole* look asks every invariant that applies in the heap's phase, of all the heap. The others are parts of it,
//! for moments when only so much can have changed; each finds nothing that a whole look would not find.
//!
//! The order matters where one fault breaks several invariants: lists first, since all others walk them; then what is
//! said of single kinds of objects; then what is said of references; then what may be a mere consequence.

use crate::id_set::IdSet;
use crate::known::Known;
use crate::lists::Sweep;
use crate::old::OldPart;
use crate::sound::{self, Extent};
use crate::{
    Verdict, ages, bytes, dangling, gray_lists, intern, lists, pause, reachable, threads, tricolour, upvalues, weak,
};
use moonphase_vm::gc::{HeapView, ListName, Mode, ObjectView, Phase};

/// Whether the tri-colour invariant holds now. In the middle of the atomic phase it does not have to.
#[inline]
pub(crate) fn is_marking(view: HeapView<'_>) -> bool {
    matches!(view.phase(), Phase::Propagate | Phase::EnterAtomic)
}

/// Sets that the looks fill anew each time, and what they know from one to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) ids: IdSet,
    pub(crate) gray: IdSet,
    pub(crate) old: OldPart,
    pub(crate) known: Known,
    /// When nothing living was last found to refer to anything dead.
    pub(crate) closed: Sweep,
}

/// Everything. `settled` says that no store is half done: while a barrier is called, its object may refer to things
/// that a barrier still to come will see to.
pub(crate) fn whole(view: HeapView<'_>, scratch: &mut Scratch, settled: bool) -> Verdict {
    all_at_once(view, scratch, settled, Extent::Contents)
}

/// Everything, one question after the other, whether the heap is sound or not.
pub(crate) fn one_by_one(view: HeapView<'_>, scratch: &mut Scratch, settled: bool) -> Verdict {
    let ids = &mut scratch.ids;
    lists::check(view, ids)?;
    threads::check_threads(view)?;
    threads::check_strings(view)?;
    upvalues::check(view)?;
    pause::check(view)?;
    dangling::check(view)?;
    if settled {
        tricolour::check(view)?;
    }
    ages::check(view, settled)?;
    gray_lists::check(view, ids)?;
    reachable::check(view, ids)?;
    weak::check(view)?;
    intern::check(view)?;
    bytes::check(view)
}

/// Everything that is said of single objects: all but what asks for references to be followed. Gives each object on, aside
/// from strings.
pub(crate) fn members<'h>(view: HeapView<'h>, scratch: &mut Scratch, mut each: impl FnMut(ObjectView<'h>)) -> Verdict {
    let sound = sound::members_are_sound(view, scratch, Extent::Headers, |_, object| each(object));
    told_of_members(view, scratch, sound)
}

/// When the program may have given objects finalizers since a collection of generational mode: the same, where the rest is
/// known.
pub(crate) fn young_members(view: HeapView<'_>, scratch: &mut Scratch) -> Verdict {
    scratch.old.lose_place_in(ListName::Finalizable);
    let extent = scratch.old.extent();
    let sound = sound::members_are_sound(view, scratch, extent, |_, _| {});
    told_of_members(view, scratch, sound)
}

fn told_of_members(view: HeapView<'_>, scratch: &mut Scratch, sound: bool) -> Verdict {
    if sound {
        scratch.old.settle(view, false);
        return Ok(());
    }
    scratch.old.forget();
    one_by_one(view, scratch, true)
}

/// When sweeping has just ended: everything but what is asked of the contents of objects and of the set of them all. If
/// nothing was freed since references were looked at, nothing can refer to what is.
pub(crate) fn swept(view: HeapView<'_>, scratch: &mut Scratch) -> Verdict {
    if view.mode() == Mode::Incremental && pause::applies(view) && !scratch.closed.has_swept(view, |_| true) {
        return members(view, scratch, |_| {});
    }
    all_at_once(view, scratch, true, Extent::Headers)
}

/// When a minor collection has just ended: what it may have changed, where the rest is known.
pub(crate) fn after_minor(view: HeapView<'_>, scratch: &mut Scratch) -> Verdict {
    let extent = scratch.old.extent();
    all_at_once(view, scratch, true, extent)
}

fn all_at_once(view: HeapView<'_>, scratch: &mut Scratch, settled: bool, extent: Extent) -> Verdict {
    if sound::is_sound(view, scratch, settled, extent) {
        scratch.old.settle(view, settled);
        scratch.known.learn(view);
        scratch.closed = Sweep::now(view);
        return Ok(());
    }
    scratch.old.forget();
    one_by_one(view, scratch, settled)
}

/// When marking has just ended: what is dead now is dead for good.
pub(crate) fn after_atomic(view: HeapView<'_>, scratch: &mut Scratch) -> Verdict {
    if sound::is_closed(view, &mut scratch.known) {
        return Ok(());
    }
    if !lists::end(view) {
        lists::check(view, &mut scratch.ids)?;
    }
    reachable::check(view, &mut scratch.ids)?;
    weak::check(view)
}
