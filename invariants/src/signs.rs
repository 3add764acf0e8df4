//! Cheap signs that something may be wrong, for moments when a whole look would be too much.
//!
//! Most damage stays until the next look at the part of the heap that it is in. Two kinds of damage may be gone by then. A
//! program overwrites its stack, and no event tells of that. A sweep makes objects white, for example an open upvalue that was
//! wrongly black. So these two are looked for at the events themselves.

use crate::checks::{ages, threads, upvalues};
use crate::walk::{any_on_stack, is_dead};
use moonphase_heap::{Heap, Kind};

/// How many slots of a stack are looked at, at most: enough for the functions that run. In a deep recursion the lower frames
/// stay as they are until the program returns to them.
const SLOTS: u32 = 64;

/// How many are looked at where the stack had nothing freed in it when sweeping had ended: a freed object can only be in slots
/// that a native function has written since.
const NEWEST_SLOTS: u32 = 16;

/// Whether the running thread has a dead object near the top of its stack. `was_clean` says that the whole stack had no freed
/// object in it when sweeping had ended; it counts while marking.
#[inline]
pub(crate) fn on_stack<H: Heap>(heap: H, was_clean: bool) -> bool {
    if heap.phase().is_marking() {
        any_on_stack(heap, if was_clean { NEWEST_SLOTS } else { SLOTS }, |object| heap.is_freed(object))
    } else {
        any_on_stack(heap, SLOTS, |object| is_dead(heap, object))
    }
}

/// Whether an object that was just given a colour or an age should not have it, whatever it refers to.
#[inline]
pub(crate) fn in_object<H: Heap>(heap: H, object: H::Object) -> bool {
    let wrong = match heap.kind(object) {
        Kind::Upvalue => upvalues::check_upvalue(heap, object).is_err(),
        Kind::Thread => heap.phase().is_marking() && threads::check_thread(heap, object).is_err(),
        _ => false,
    };
    wrong || ages::check_object(heap, object).is_err()
}

/// Whether an open upvalue of the running thread is one of a variable that is not there any more.
pub(crate) fn is_open_above_top<H: Heap>(heap: H) -> bool {
    let Some(thread) = heap.running_thread() else { return false };
    let highest = heap.open_upvalues(thread).pop().and_then(|upvalue| heap.upvalue_slot(upvalue));
    highest.is_some_and(|(_, slot)| slot >= heap.live_stack(thread))
}
