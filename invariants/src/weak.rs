//! `weak`: after the atomic phase no weak entry refers to a dead object.
//!
//! Dead entries are removed in the atomic phase, before anything is freed: one that is left is a dangling reference as
//! soon as the sweep comes to its object. Strings are values and never removed; a weak table keeps them.

use crate::lists::{holders, is_dead};
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Colour, HeapView, Kind, ObjectView, Phase, Strength};

/// The living tables with weak keys or values.
pub(crate) fn living_tables<'h>(view: HeapView<'h>) -> impl Iterator<Item = ObjectView<'h>> {
    holders(view).filter(move |&object| !is_dead(view, object) && view.is_weak_table(object))
}

/// Looks at the weak entries of all living tables, while dead objects wait to be swept.
pub(crate) fn check(view: HeapView<'_>) -> Verdict {
    if !(Phase::SweepStrings..=Phase::SweepEnd).contains(&view.phase()) {
        return Ok(());
    }
    for table in living_tables(view) {
        let mut dead = None;
        view.references(table, |edge| {
            let is_weak = edge.strength == Strength::Weak && edge.target.kind() != Kind::String;
            if is_weak && !edge.target.is_freed() && view.colour(edge.target) == Colour::OtherWhite {
                dead.get_or_insert(edge);
            }
        });
        if let Some(edge) = dead {
            return Err(Violation::of_edge(Invariant::Weak, view, table, edge));
        }
    }
    Ok(())
}
