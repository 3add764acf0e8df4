//! How a root leads to an object.

use crate::walk;
use moonphase_heap::{Edge, Heap, Label, Strength};
use std::collections::HashSet;

/// The references that lead to an object, the first from a root.
pub(crate) type Path<O> = Vec<Hop<O>>;

/// A reference of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hop<O> {
    /// The object that refers; a root has none.
    pub(crate) from: Option<O>,
    pub(crate) label: Label,
    pub(crate) to: O,
}

/// The shortest way from a root to an object, by references that keep alive. Whether the key of an ephemeron entry lives is
/// not asked. Empty if there is no way.
pub(crate) fn path_to<H: Heap>(heap: H, target: H::Object) -> Path<H::Object> {
    // Roots include whole lists, which would never be done with if one of them were a circle.
    if !walk::lists_end(heap) {
        return Path::new();
    }
    // What was reached, each with the place of the hop before.
    let mut reached: Vec<(Option<usize>, Hop<H::Object>)> = Vec::new();
    let mut seen = HashSet::new();
    let mut goal = None;
    let mut reach = |reached: &mut Vec<(_, Hop<_>)>, before: Option<usize>, edge: Edge<H::Object>| {
        if edge.strength != Strength::Weak && seen.insert(edge.target) {
            if edge.target == target {
                goal = Some(reached.len());
            }
            let from = before.map(|before| reached[before].1.to);
            reached.push((before, Hop { from, label: edge.label, to: edge.target }));
        }
    };
    heap.roots(|edge| reach(&mut reached, None, edge));
    let mut next = 0;
    while next < reached.len() {
        let object = reached[next].1.to;
        heap.references(object, |edge| reach(&mut reached, Some(next), edge));
        next += 1;
    }
    let mut path = Path::new();
    let mut at = goal;
    while let Some(index) = at {
        let (before, hop) = reached[index];
        path.push(hop);
        at = before;
    }
    path.reverse();
    path
}
