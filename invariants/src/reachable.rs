//! `reachable`: an independent trace from the roots, which ignores colours: after atomic and while sweeping nothing
//! reachable is of the other white, which the sweep frees; nothing reachable is ever freed.
//!
//! The trace has its own set and queue. The value of an ephemeron entry is reached when its key is, so such entries
//! wait until nothing new comes up. Strings are values rather than objects: a weak table keeps those that it has.

use crate::id_set::IdSet;
use crate::lists::is_dead;
use crate::looks::is_marking;
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Edge, HeapView, Kind, Label, ObjectView, Phase, Strength};

pub(crate) fn check(view: HeapView<'_>, reached: &mut IdSet) -> Verdict {
    let mut lost = None;
    let marking = is_marking(view) || view.phase() == Phase::Atomic;
    trace(view, reached, &[], |object| {
        let wrong = if marking { object.is_freed() } else { is_dead(view, object) };
        if wrong {
            lost.get_or_insert(object);
        }
    });
    match lost {
        None => Ok(()),
        Some(object) if object.is_freed() => {
            Err(Violation::of_reachable(Invariant::Reachable, view, object, "is reachable and was freed"))
        }
        Some(object) => {
            let what = "is reachable, and dead to the collector";
            Err(Violation::of_reachable(Invariant::Reachable, view, object, what))
        }
    }
}

/// Visits every object that the roots and these others lead to, once, and fills the set with them. Relies on lists that
/// end.
pub(crate) fn trace<'h>(
    view: HeapView<'h>,
    reached: &mut IdSet,
    others: &[ObjectView<'h>],
    visit: impl FnMut(ObjectView<'h>),
) {
    trace_from(view, reached, others, |_| true, visit);
}

/// Fills the set with what is reachable without these objects, which wait for their finalizers.
pub(crate) fn trace_without<'h>(view: HeapView<'h>, reached: &mut IdSet, objects: &[ObjectView<'h>]) {
    let is_root = |edge: &Edge<'h>| !(matches!(edge.label, Label::ToBeFinalized) && objects.contains(&edge.target));
    trace_from(view, reached, &[], is_root, |_| {});
}

fn trace_from<'h>(
    view: HeapView<'h>,
    reached: &mut IdSet,
    others: &[ObjectView<'h>],
    is_root: impl Fn(&Edge<'h>) -> bool,
    mut visit: impl FnMut(ObjectView<'h>),
) {
    reached.clear();
    let mut queue = Vec::with_capacity(64);
    let mut waiting: Vec<(u32, ObjectView<'h>)> = Vec::new();
    let mut reach = |reached: &mut IdSet, queue: &mut Vec<ObjectView<'h>>, object: ObjectView<'h>| {
        if reached.insert(object.id()) {
            visit(object);
            // A string refers to nothing: it need not wait in the queue.
            if object.kind() != Kind::String {
                queue.push(object);
            }
        }
    };
    view.roots(|edge| {
        if is_root(&edge) {
            reach(reached, &mut queue, edge.target);
        }
    });
    for &object in others {
        reach(reached, &mut queue, object);
    }
    loop {
        while let Some(object) = queue.pop() {
            view.references(object, |edge: Edge<'h>| match edge.strength {
                Strength::Strong => reach(reached, &mut queue, edge.target),
                _ if edge.target.kind() == Kind::String => reach(reached, &mut queue, edge.target),
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
