//! Cheap signs that something may be wrong, for moments when a whole look would be too much.
//!
//! Most damage stays until the next look at the part of the heap that it is in. Two kinds of damage may be gone by then.
//! A program overwrites its stack, and no event tells of that. A sweep turns white what should never have had another
//! colour. So these two are looked for at the events themselves.

use crate::checks::{ages, threads, upvalues};
use crate::walk::{any_on_stack, is_dead};
use moonphase_heap::{Heap, Kind};

/// How much of a stack is looked at, in slots: enough for the functions that run, and no more in a deep recursion, whose
/// lower frames stay as they are until the program returns to them.
const SLOTS: u32 = 64;

/// The same where the stack had nothing freed in it when sweeping had ended. What is freed can only be in slots that a native
/// function has written since.
const NEWEST_SLOTS: u32 = 16;

/// Whether the running thread has something near the top of its stack that is freed, or that the sweep is about to free.
/// `was_clean` says that there was nothing freed when sweeping had ended.
#[inline]
pub(crate) fn on_stack<H: Heap>(heap: H, was_clean: bool) -> bool {
    if heap.phase().is_marking() {
        any_on_stack(heap, if was_clean { NEWEST_SLOTS } else { SLOTS }, |object| heap.is_freed(object))
    } else {
        any_on_stack(heap, SLOTS, |object| is_dead(heap, object))
    }
}

/// Whether an object that was just given a colour should not have it, whatever it refers to.
#[inline]
pub(crate) fn in_object<H: Heap>(heap: H, object: H::Object) -> bool {
    let wrong = match heap.kind(object) {
        Kind::Upvalue => upvalues::check_upvalue(heap, object).is_err(),
        Kind::Thread => heap.phase().is_marking() && threads::check_thread(heap, object).is_err(),
        _ => false,
    };
    wrong || ages::check_object(heap, object).is_err()
}
