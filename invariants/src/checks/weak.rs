//! `weak`: after the atomic phase no weak entry refers to a dead object.
//!
//! Dead entries are removed in the atomic phase, before anything is freed. One that is left is a dangling reference as soon
//! as the sweep comes to its object. Strings are values and never removed; a weak table keeps them. That no other entry is removed
//! is the subject of `kept_entries`.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::walk::{find_reference, holders, is_dead, is_weak_table};
use moonphase_heap::{Colour, Heap, Kind, Strength};

/// The living tables with weak keys or values.
pub(crate) fn living_tables<H: Heap>(heap: H) -> impl Iterator<Item = H::Object> {
    holders(heap).filter(move |&object| !is_dead(heap, object) && is_weak_table(heap, object))
}

/// Looks at the weak entries of all living tables, while dead objects wait to be swept.
pub(crate) fn check<H: Heap>(heap: H) -> Verdict<H::Object> {
    if !heap.phase().is_sweeping() {
        return Ok(());
    }
    for table in living_tables(heap) {
        let dead = find_reference(heap, table, |edge| {
            let is_weak = edge.strength == Strength::Weak && heap.kind(edge.target) != Kind::String;
            is_weak && !heap.is_freed(edge.target) && heap.colour(edge.target) == Colour::OtherWhite
        });
        if let Some(edge) = dead {
            return Err(Breach::of_edge(Invariant::Weak, table, edge));
        }
    }
    Ok(())
}
