//! `bytes`: the collector's count of bytes is the sum of its objects' sizes.

use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::HeapView;

pub(crate) fn check(view: HeapView<'_>) -> Verdict {
    check_sum(view, view.objects().map(|object| object.size()).sum())
}

/// The same for a caller that knows the sum.
pub(crate) fn check_sum(view: HeapView<'_>, sum: usize) -> Verdict {
    if view.bytes() == sum {
        return Ok(());
    }
    let detail = format!("the collector counts {} bytes, and the objects have {sum}", view.bytes());
    Err(Violation::of_heap(Invariant::Bytes, view, detail))
}
