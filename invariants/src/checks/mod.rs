//! The checks, a file each, and the check that belongs to each [`Invariant`].
//!
//! A check is one question to a heap. It reads the heap through [`Heap`] and asks [`Rules`](moonphase_heap::Rules) where
//! collectors differ. Most have several entries. `check` looks at the whole heap. `check_object` and `check_member` look at one
//! object, for a caller that walks the heap for several checks at once; `check_store` looks at one reference.

use crate::Invariant;
use crate::breach::Verdict;
use crate::id_set::IdSet;
use moonphase_heap::Heap;

pub(crate) mod ages;
pub(crate) mod bytes;
pub(crate) mod complete;
pub(crate) mod dangling;
pub(crate) mod finalizers;
pub(crate) mod gray_lists;
pub(crate) mod intern;
pub(crate) mod kept_entries;
pub(crate) mod lists;
pub(crate) mod pacing;
pub(crate) mod pause;
pub(crate) mod reachable;
pub(crate) mod threads;
pub(crate) mod tricolour;
pub(crate) mod upvalues;
pub(crate) mod weak;

/// Asks one question of the whole heap.
pub(crate) fn check<H: Heap>(invariant: Invariant, heap: H) -> Verdict<H::Object> {
    let seen = &mut IdSet::default();
    match invariant {
        Invariant::BlackToWhite => tricolour::check(heap),
        Invariant::Dangling => dangling::check(heap),
        Invariant::PauseWhite => pause::check(heap),
        Invariant::GrayLists => gray_lists::check(heap, seen),
        Invariant::Upvalues => upvalues::check(heap),
        Invariant::Threads => threads::check_threads(heap),
        Invariant::Strings => threads::check_strings(heap),
        Invariant::Finalizers => finalizers::check(heap),
        Invariant::Weak => weak::check(heap),
        Invariant::Reachable => reachable::check(heap, seen),
        Invariant::Lists => lists::check(heap, seen),
        Invariant::Bytes => bytes::check(heap),
        Invariant::Intern => intern::check(heap),
        Invariant::Complete => complete::check(heap, |_| false),
        Invariant::Ages => ages::check(heap, true),
        // The program may have changed the parameters since, so that one look shows nothing.
        Invariant::Pacing => Ok(()),
    }
}
