//! `reachable`: after the atomic phase nothing reachable is of the other white, which the sweep frees; nothing reachable is
//! ever freed.
//!
//! What is reachable is found by a trace from the roots. The trace is independent: it ignores colours, and has its own set
//! and queue. The value of an ephemeron entry is reached when its key is, so such entries wait until nothing new comes up.
//! Strings are values rather than objects: a weak table keeps those that it has.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::id_set::IdSet;
use crate::walk::is_dead;
use moonphase_heap::{Edge, Heap, Kind, Label, Phase, Root, Strength};

pub(crate) fn check<H: Heap>(heap: H, reached: &mut IdSet) -> Verdict<H::Object> {
    let mut lost = None;
    let marking = heap.phase().is_marking() || heap.phase() == Phase::Atomic;
    trace(heap, reached, &[], |object| {
        let wrong = if marking { heap.is_freed(object) } else { is_dead(heap, object) };
        if wrong {
            lost.get_or_insert(object);
        }
    });
    let Some(object) = lost else { return Ok(()) };
    let what =
        if heap.is_freed(object) { "is reachable and was freed" } else { "is reachable, and dead to the collector" };
    Err(Breach::of_reachable(Invariant::Reachable, object, what))
}

/// Visits every object that the roots and these others lead to, once, and fills the set with them. Relies on lists that
/// end.
pub(crate) fn trace<H: Heap>(heap: H, reached: &mut IdSet, others: &[H::Object], visit: impl FnMut(H::Object)) {
    trace_from(heap, reached, others, |_| true, visit);
}

/// Fills the set with what is reachable without these objects, which wait for their finalizers.
pub(crate) fn trace_without<H: Heap>(heap: H, reached: &mut IdSet, objects: &[H::Object]) {
    let waits =
        |edge: &Edge<H::Object>| edge.label == Label::Root(Root::ToBeFinalized) && objects.contains(&edge.target);
    trace_from(heap, reached, &[], |edge| !waits(edge), |_| {});
}

fn trace_from<H: Heap>(
    heap: H,
    reached: &mut IdSet,
    others: &[H::Object],
    is_root: impl Fn(&Edge<H::Object>) -> bool,
    mut visit: impl FnMut(H::Object),
) {
    reached.clear();
    let mut queue = Vec::with_capacity(64);
    let mut waiting: Vec<(u32, H::Object)> = Vec::new();
    let mut reach = |reached: &mut IdSet, queue: &mut Vec<H::Object>, object: H::Object| {
        if reached.insert(heap.id(object)) {
            visit(object);
            // A string refers to nothing: it need not wait in the queue.
            if heap.kind(object) != Kind::String {
                queue.push(object);
            }
        }
    };
    heap.roots(|edge| {
        if is_root(&edge) {
            reach(reached, &mut queue, edge.target);
        }
    });
    for &object in others {
        reach(reached, &mut queue, object);
    }
    loop {
        while let Some(object) = queue.pop() {
            heap.references(object, |edge: Edge<H::Object>| match edge.strength {
                Strength::Strong => reach(reached, &mut queue, edge.target),
                _ if heap.kind(edge.target) == Kind::String => reach(reached, &mut queue, edge.target),
                Strength::Weak => {}
                Strength::Ephemeron { key } if reached.contains(key) => reach(reached, &mut queue, edge.target),
                Strength::Ephemeron { key } => waiting.push((key, edge.target)),
            });
        }
        waiting.retain(|&(key, value)| {
            let key_reached = reached.contains(key);
            if key_reached {
                reach(reached, &mut queue, value);
            }
            !key_reached
        });
        if queue.is_empty() {
            return;
        }
    }
}
