//! Cheap signs that something may be wrong, for moments when a whole look would be too much.
//!
//! Most damage stays until the next look at the part of the heap that it is in. Here is what may be gone by then: a program
//! overwrites its stack, which no event tells of, and a sweep turns white what should never have had another colour.

use crate::lists::is_dead;
use crate::looks::is_marking;
use crate::{ages, threads, upvalues};
use moonphase_vm::gc::{HeapView, Kind, ObjectView};

/// How much of a stack is looked at, in slots: enough for the functions that run, and no more in a deep recursion, whose
/// lower frames stay as they are until the program returns to them.
const SLOTS: usize = 64;

/// The same where the stack had nothing freed in it when sweeping had ended: what a native function may have put there
/// since that it should have let go.
const NEWEST_SLOTS: usize = 16;

/// Whether the running thread has something near the top of its stack that is freed, or that the sweep is about to free.
/// `was_clean` says that there was nothing freed when sweeping had ended.
#[inline]
pub(crate) fn on_stack(view: HeapView<'_>, was_clean: bool) -> bool {
    if is_marking(view) {
        view.any_on_stack(if was_clean { NEWEST_SLOTS } else { SLOTS }, ObjectView::is_freed)
    } else {
        view.any_on_stack(SLOTS, |object| is_dead(view, object))
    }
}

/// Whether an object that was just given a colour should not have it, whatever it refers to.
#[inline]
pub(crate) fn in_object<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> bool {
    let wrong = match object.kind() {
        Kind::Upvalue => upvalues::check_upvalue(view, object).is_err(),
        Kind::Thread => is_marking(view) && threads::check_thread(view, object).is_err(),
        _ => false,
    };
    wrong || ages::check_object(view, object).is_err()
}
