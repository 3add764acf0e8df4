//! `intern`: every short string is found in the string table, and nothing freed is there.
//!
//! A string that is not found gets a twin, and then two equal strings differ. One that is dead and not swept yet is in
//! the table by right: if it is wanted again it is revived. Counting shows that there is nothing else in the table.

use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{HeapView, ObjectView};

pub(crate) fn check(view: HeapView<'_>) -> Verdict {
    let mut count = 0;
    for object in view.objects() {
        count += usize::from(check_object(view, object)?);
    }
    check_count(view, count)
}

/// Looks at one object. Says whether it is a short string.
#[inline]
pub(crate) fn check_object<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Result<bool, Box<Violation>> {
    if !object.is_short_string() {
        return Ok(false);
    }
    if view.is_interned(object) {
        return Ok(true);
    }
    Err(Violation::of_object(Invariant::Intern, view, object, "is not found in the string table"))
}

/// Looks at the table, whose strings are so many if all is well.
pub(crate) fn check_count(view: HeapView<'_>, count: usize) -> Verdict {
    // A bucket that is a circle never ends: one string more than there may be is enough.
    let mut found = 0;
    for string in view.interned().take(count + 1) {
        if string.is_freed() {
            return Err(Violation::of_object(Invariant::Intern, view, string, "is still in the string table"));
        }
        found += 1;
    }
    if found == count {
        return Ok(());
    }
    let detail = format!("the string table has more than the {count} short strings that there are");
    Err(Violation::of_heap(Invariant::Intern, view, detail))
}
