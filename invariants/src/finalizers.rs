//! `finalizers`: objects with finalizers are in the lists of such objects and nowhere else, and within a cycle they are
//! called in the reverse of the order in which they were marked for finalization (manual §2.5.3).
//!
//! Each step may take the first object of the list of those that wait, and append the objects of a cycle: so the list is
//! compared with what it was after the step before. What weak tables may still refer to depends on the same moment
//! (`weak`): values that are about to be finalized are cleared before they are revived, keys only once they are dead.

use crate::id_set::IdSet;
use crate::lists::{holders, is_dead, is_marked};
use crate::{Invariant, Verdict, Violation, reachable, weak};
use moonphase_vm::gc::{Edge, HeapView, Kind, Label, ListName, ObjectView, Strength};
use std::collections::HashMap;

/// Looks at one member of a list.
#[inline]
pub(crate) fn check_member<'h>(view: HeapView<'h>, list: ListName, object: ObjectView<'h>) -> Verdict {
    let listed = matches!(list, ListName::Finalizable | ListName::ToBeFinalized);
    if object.has_finalizer() == listed {
        return if !listed || matches!(object.kind(), Kind::Table | Kind::Userdata) {
            Ok(())
        } else {
            let what = "is of a kind that has no finalizers, and is listed among objects that do";
            Err(Violation::of_object(Invariant::Finalizers, view, object, what))
        };
    }
    let not = if listed { " not" } else { "" };
    let what = format!("is in the list '{}', but its header says that it has{not} a finalizer", list.name());
    Err(Violation::of_object(Invariant::Finalizers, view, object, &what))
}

/// Looks at the members of all lists.
pub(crate) fn check(view: HeapView<'_>) -> Verdict {
    ListName::ALL
        .into_iter()
        .try_for_each(|list| view.list(list).try_for_each(|object| check_member(view, list, object)))
}

/// What is known of finalizers from the steps so far.
#[derive(Default)]
pub(crate) struct Order {
    /// When each object was marked for finalization.
    marked: HashMap<u32, u64>,
    marks: u64,
    /// The objects that waited for their finalizers after the last step.
    waiting: Vec<u32>,
    /// Entries of tables with weak keys before the atomic phase whose keys have finalizers: table and key.
    keys: Vec<(u32, u32)>,
}

impl Order {
    /// An object was marked for finalization.
    pub(crate) fn mark(&mut self, object: ObjectView<'_>) {
        self.marks += 1;
        self.marked.insert(object.id(), self.marks);
        // One that waited is marked again: its turn has come since, and so that of all before it.
        if let Some(taken) = self.waiting.iter().position(|&id| id == object.id()) {
            self.waiting.drain(..=taken);
        }
    }

    /// The atomic phase is about to begin. Says whether the weak tables are of interest.
    pub(crate) fn before_atomic(&mut self, view: HeapView<'_>) -> bool {
        self.keys.clear();
        view.list(ListName::Finalizable).next().is_some()
    }

    /// Of an object before the atomic phase: remembers the keys that have finalizers, if it is a table with weak keys.
    #[inline]
    pub(crate) fn remember_keys<'h>(&mut self, view: HeapView<'h>, object: ObjectView<'h>) {
        if !view.is_weak_table(object) {
            return;
        }
        view.references(object, |edge| {
            if is_weak_key(&edge) && edge.target.has_finalizer() {
                self.keys.push((object.id(), edge.target.id()));
            }
        });
    }

    /// A step has ended that has nothing to do with finalizers, but that it may have called one: the list is what it was,
    /// perhaps without its first object. Its order is looked at after the next step of the other kind.
    pub(crate) fn after_usual_step(&mut self, view: HeapView<'_>) {
        let first = view.list(ListName::ToBeFinalized).next();
        let taken = match first {
            Some(first) => self.waiting.iter().position(|&id| id == first.id()),
            None => Some(self.waiting.len()),
        };
        // Where the first object is an unknown one, the list is left to be compared.
        self.waiting.drain(..taken.unwrap_or(0));
    }

    /// A step has ended.
    pub(crate) fn after_step(&mut self, view: HeapView<'_>) -> Verdict {
        if self.waiting.is_empty() && view.list(ListName::ToBeFinalized).next().is_none() {
            self.keys.clear();
            return Ok(());
        }
        // A list that is a circle is for the checks to find.
        let now: Vec<ObjectView<'_>> = view.list(ListName::ToBeFinalized).take(view.newest() as usize).collect();
        let taken = match now.first() {
            Some(first) => self.waiting.iter().position(|&id| id == first.id()).unwrap_or(self.waiting.len()),
            None => self.waiting.len(),
        };
        let kept = self.waiting.split_off(taken);
        self.waiting = now.iter().map(|object| object.id()).collect();
        if !self.waiting.starts_with(&kept) {
            let detail = "the objects that wait for their finalizers changed their order".to_owned();
            return Err(Violation::of_heap(Invariant::Finalizers, view, detail));
        }
        let fresh = &now[kept.len()..];
        let when = |object: &ObjectView<'_>| self.marked.get(&object.id());
        for pair in fresh.windows(2) {
            if when(&pair[0]) < when(&pair[1]) {
                let what = "is to be finalized after an object that was marked for finalization before it";
                return Err(Violation::of_object(Invariant::Finalizers, view, pair[1], what));
            }
        }
        let keys = std::mem::take(&mut self.keys);
        if fresh.is_empty() {
            return Ok(());
        }
        // What had not been marked when values were cleared.
        let unmarked = if is_marked(view, ListName::ToBeFinalized) { fresh } else { &now };
        check_weak_entries(view, fresh, unmarked, &keys)
    }
}

fn is_weak_key(edge: &Edge<'_>) -> bool {
    edge.strength == Strength::Weak && matches!(edge.label, Label::Key)
}

/// Looks at what weak tables still have of objects that were found dead and are about to be finalized.
fn check_weak_entries<'h>(
    view: HeapView<'h>,
    fresh: &[ObjectView<'h>],
    unmarked: &[ObjectView<'h>],
    keys: &[(u32, u32)],
) -> Verdict {
    let is_fresh = |id: u32| fresh.iter().any(|object| object.id() == id);
    let tables: Vec<(ObjectView<'h>, Edge<'h>)> = {
        let mut entries = Vec::new();
        for table in weak::living_tables(view) {
            view.references(table, |edge| {
                if edge.strength == Strength::Weak && is_fresh(edge.target.id()) {
                    entries.push((table, edge));
                }
            });
        }
        entries
    };
    // A table that is only reachable from objects that wait was not marked yet when values were cleared.
    let mut reached = IdSet::default();
    if tables.iter().any(|(_, edge)| !is_weak_key(edge)) {
        reachable::trace_without(view, &mut reached, unmarked);
    }
    for (table, edge) in &tables {
        if !is_weak_key(edge) && reached.contains(table.id()) {
            return Err(Violation::of_edge(Invariant::Weak, view, *table, *edge));
        }
    }
    for &(table, key) in keys.iter().filter(|(_, key)| is_fresh(*key)) {
        let kept = tables.iter().any(|(kept, edge)| kept.id() == table && is_weak_key(edge) && edge.target.id() == key);
        let holder = holders(view).find(|object| object.id() == table && !is_dead(view, *object));
        if let (false, Some(holder)) = (kept, holder) {
            // With weak values too the entry may have gone because of its value.
            if view.is_ephemeron_table(holder) {
                let what = "has lost an entry whose key is about to be finalized and so not dead yet";
                return Err(Violation::of_object(Invariant::Weak, view, holder, what));
            }
        }
    }
    Ok(())
}
