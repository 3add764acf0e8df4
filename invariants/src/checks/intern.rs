//! `intern`: every short string is found in the string table, and nothing freed is there.
//!
//! A string that is not found gets a twin, and then two equal strings differ. A string that is dead and not swept yet is in
//! the table by right: if it is wanted again it is revived. Counting shows that there is nothing else in the table.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use moonphase_heap::Heap;

pub(crate) fn check<H: Heap>(heap: H) -> Verdict<H::Object> {
    let mut count = 0;
    for object in heap.objects() {
        count += usize::from(check_object(heap, object)?);
    }
    check_count(heap, count)
}

/// Looks at one object. Says whether it is a short string.
#[inline]
pub(crate) fn check_object<H: Heap>(heap: H, object: H::Object) -> Result<bool, Box<Breach<H::Object>>> {
    if !heap.is_short_string(object) {
        return Ok(false);
    }
    if heap.is_interned(object) {
        return Ok(true);
    }
    Err(Breach::of_object(Invariant::Intern, object, "is not found in the string table"))
}

/// Looks at the table, whose strings are so many if all is well.
pub(crate) fn check_count<H: Heap>(heap: H, count: usize) -> Verdict<H::Object> {
    // A bucket that is a circle never ends: one string more than there may be is enough.
    let mut found = 0;
    for string in heap.interned().take(count + 1) {
        if heap.is_freed(string) {
            return Err(Breach::of_object(Invariant::Intern, string, "is still in the string table"));
        }
        found += 1;
    }
    if found == count {
        return Ok(());
    }
    let sentence = format!("the string table has more than the {count} short strings that there are");
    Err(Breach::of_heap(Invariant::Intern, sentence))
}
