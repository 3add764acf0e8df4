//! `threads`: threads are never black while marking. `strings`: strings are never gray, but in Lua 5.1, where that is the
//! colour of marked ones.
//!
//! Writes to a stack have no barrier, so a thread that was traversed waits on the gray-again list for the atomic phase. In
//! generational mode it waits there between collections too, aside from one that is old1: the next collection traverses
//! all black objects of that age.
//! A string refers to nothing and is black as soon as it is reached.

use crate::lists::collected;
use crate::looks::is_marking;
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Age, HeapView, Kind, ObjectView, StringRule};

pub(crate) fn check_threads(view: HeapView<'_>) -> Verdict {
    if is_marking(view) { collected(view).try_for_each(|object| check_thread(view, object)) } else { Ok(()) }
}

/// Looks at one object while marking.
#[inline]
pub(crate) fn check_thread<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    if object.kind() == Kind::Thread && object.is_black() && object.age() != Age::Old1 {
        return Err(Violation::of_object(Invariant::Threads, view, object, "is black before the end of marking"));
    }
    Ok(())
}

pub(crate) fn check_strings(view: HeapView<'_>) -> Verdict {
    collected(view).try_for_each(|object| check_string(view, object))
}

/// Looks at one object that is not fixed.
#[inline]
pub(crate) fn check_string<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    if object.kind() == Kind::String && object.is_gray() && view.policy().strings == StringRule::Black {
        return Err(Violation::of_object(Invariant::Strings, view, object, "is gray"));
    }
    Ok(())
}
