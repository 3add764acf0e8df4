//! `bytes`: the collector's count of bytes is the sum of its objects' sizes.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use moonphase_heap::Heap;

pub(crate) fn check<H: Heap>(heap: H) -> Verdict<H::Object> {
    check_sum(heap, heap.objects().map(|object| heap.size(object)).sum())
}

/// The same for a caller that knows the sum.
pub(crate) fn check_sum<H: Heap>(heap: H, sum: usize) -> Verdict<H::Object> {
    if heap.bytes() == sum {
        return Ok(());
    }
    let sentence = format!("the collector counts {} bytes, and the objects have {sum}", heap.bytes());
    Err(Breach::of_heap(Invariant::Bytes, sentence))
}
