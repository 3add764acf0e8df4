//! `threads`: threads are never black while marking. `strings`: strings are never gray; in Lua 5.1, where gray is the colour of
//! marked ones, they are never black.
//!
//! Writes to a stack have no barrier, so a thread that was traversed waits on the gray-again list for the atomic phase. In
//! generational mode it waits there between collections too. A thread that is old1 need not: the next collection traverses
//! all black objects of that age.
//!
//! A string refers to nothing and is black as soon as it is reached.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::walk::collected;
use moonphase_heap::{Age, Heap, Kind, MarkedStrings};

pub(crate) fn check_threads<H: Heap>(heap: H) -> Verdict<H::Object> {
    if heap.phase().is_marking() { collected(heap).try_for_each(|object| check_thread(heap, object)) } else { Ok(()) }
}

/// Looks at one object while marking.
#[inline]
pub(crate) fn check_thread<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    if heap.kind(object) == Kind::Thread && heap.is_black(object) && heap.age(object) != Age::Old1 {
        return Err(Breach::of_object(Invariant::Threads, object, "is black before the end of marking"));
    }
    Ok(())
}

pub(crate) fn check_strings<H: Heap>(heap: H) -> Verdict<H::Object> {
    collected(heap).try_for_each(|object| check_string(heap, object))
}

/// Looks at one object that is not fixed.
#[inline]
pub(crate) fn check_string<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    if heap.kind(object) != Kind::String {
        return Ok(());
    }
    match heap.rules().marked_strings {
        MarkedStrings::Black if heap.is_gray(object) => Err(Breach::of_object(Invariant::Strings, object, "is gray")),
        MarkedStrings::Gray if heap.is_black(object) => Err(Breach::of_object(Invariant::Strings, object, "is black")),
        _ => Ok(()),
    }
}
