//! `finalizers`: objects with finalizers are in the lists of such objects and nowhere else, and within a cycle they are
//! called in the reverse of the order in which they were marked for finalization (manual §2.5.3).
//!
//! A step may take the first object off the list of those that wait, and may append the objects of a cycle. So after each
//! step the list is compared with the list after the step before. For example: after the list `a b c`, the lists `b c` and
//! `b c d e` are right, and `c b` is not.
//!
//! What weak tables may still refer to depends on the same moment (`weak`): values that are about to be finalized are cleared
//! before they are revived, keys only once they are dead.

use super::{reachable, weak};
use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::id_set::IdSet;
use crate::walk::{holders, is_dead, is_marked, is_weak_table};
use moonphase_heap::{Edge, Heap, Kind, Label, ListName, Strength, Weakness};
use std::collections::HashMap;

/// Looks at one member of a list.
#[inline]
pub(crate) fn check_member<H: Heap>(heap: H, list: ListName, object: H::Object) -> Verdict<H::Object> {
    let listed = matches!(list, ListName::Finalizable | ListName::ToBeFinalized);
    if heap.has_finalizer(object) == listed {
        return if !listed || matches!(heap.kind(object), Kind::Table | Kind::Userdata) {
            Ok(())
        } else {
            let what = "is of a kind that has no finalizers, and is listed among objects that do";
            Err(Breach::of_object(Invariant::Finalizers, object, what))
        };
    }
    let not = if listed { " not" } else { "" };
    let what = format!("is in the list '{}', but its header says that it has{not} a finalizer", list.name());
    Err(Breach::of_object(Invariant::Finalizers, object, what))
}

/// Looks at the members of all lists.
pub(crate) fn check<H: Heap>(heap: H) -> Verdict<H::Object> {
    ListName::ALL
        .into_iter()
        .try_for_each(|list| heap.list(list).try_for_each(|object| check_member(heap, list, object)))
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
    pub(crate) fn mark<H: Heap>(&mut self, heap: H, object: H::Object) {
        self.marks += 1;
        self.marked.insert(heap.id(object), self.marks);
        // One that waited is marked again: its turn has come since, and so that of all before it.
        if let Some(taken) = self.waiting.iter().position(|&id| id == heap.id(object)) {
            self.waiting.drain(..=taken);
        }
    }

    /// The atomic phase is about to begin. Says whether the weak tables are of interest.
    pub(crate) fn before_atomic<H: Heap>(&mut self, heap: H) -> bool {
        self.keys.clear();
        heap.list(ListName::Finalizable).next().is_some()
    }

    /// Of an object before the atomic phase: remembers the keys that have finalizers, if it is a table with weak keys.
    #[inline]
    pub(crate) fn remember_keys<H: Heap>(&mut self, heap: H, object: H::Object) {
        if !is_weak_table(heap, object) {
            return;
        }
        heap.references(object, |edge| {
            if is_weak_key(&edge) && heap.has_finalizer(edge.target) {
                self.keys.push((heap.id(object), heap.id(edge.target)));
            }
        });
    }

    /// A step has ended that has nothing to do with finalizers, but that it may have called one: the list is what it was,
    /// perhaps without its first object. Its order is looked at after the next step of the other kind.
    pub(crate) fn after_usual_step<H: Heap>(&mut self, heap: H) {
        let first = heap.list(ListName::ToBeFinalized).next();
        let taken = match first {
            Some(first) => self.waiting.iter().position(|&id| id == heap.id(first)),
            None => Some(self.waiting.len()),
        };
        // Where the first object is an unknown one, the list is left to be compared.
        self.waiting.drain(..taken.unwrap_or(0));
    }

    /// A step has ended.
    pub(crate) fn after_step<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
        if self.waiting.is_empty() && heap.list(ListName::ToBeFinalized).next().is_none() {
            self.keys.clear();
            return Ok(());
        }
        // A list that is a circle is for the checks to find.
        let now: Vec<H::Object> = heap.list(ListName::ToBeFinalized).take(heap.newest() as usize).collect();
        let taken = match now.first() {
            Some(&first) => self.waiting.iter().position(|&id| id == heap.id(first)).unwrap_or(self.waiting.len()),
            None => self.waiting.len(),
        };
        let kept = self.waiting.split_off(taken);
        self.waiting = now.iter().map(|&object| heap.id(object)).collect();
        if !self.waiting.starts_with(&kept) {
            let detail = "the objects that wait for their finalizers changed their order".to_owned();
            return Err(Breach::of_heap(Invariant::Finalizers, detail));
        }
        let fresh = &now[kept.len()..];
        let when = |object: H::Object| self.marked.get(&heap.id(object));
        for pair in fresh.windows(2) {
            if when(pair[0]) < when(pair[1]) {
                let what = "is to be finalized after an object that was marked for finalization before it";
                return Err(Breach::of_object(Invariant::Finalizers, pair[1], what));
            }
        }
        let keys = std::mem::take(&mut self.keys);
        if fresh.is_empty() {
            return Ok(());
        }
        // What had not been marked when values were cleared.
        let unmarked = if is_marked(heap, ListName::ToBeFinalized) { fresh } else { &now };
        check_weak_entries(heap, fresh, unmarked, &keys)
    }
}

fn is_weak_key<O>(edge: &Edge<O>) -> bool {
    edge.strength == Strength::Weak && matches!(edge.label, Label::Key(_))
}

/// Looks at what weak tables still have of objects that were found dead and are about to be finalized.
fn check_weak_entries<H: Heap>(
    heap: H,
    fresh: &[H::Object],
    unmarked: &[H::Object],
    keys: &[(u32, u32)],
) -> Verdict<H::Object> {
    let is_fresh = |id: u32| fresh.iter().any(|&object| heap.id(object) == id);
    let tables: Vec<(H::Object, Edge<H::Object>)> = {
        let mut entries = Vec::new();
        for table in weak::living_tables(heap) {
            heap.references(table, |edge| {
                if edge.strength == Strength::Weak && is_fresh(heap.id(edge.target)) {
                    entries.push((table, edge));
                }
            });
        }
        entries
    };
    // A table that is only reachable from objects that wait was not marked yet when values were cleared.
    let mut reached = IdSet::default();
    if tables.iter().any(|(_, edge)| !is_weak_key(edge)) {
        reachable::trace_without(heap, &mut reached, unmarked);
    }
    for &(table, edge) in &tables {
        if !is_weak_key(&edge) && reached.contains(heap.id(table)) {
            return Err(Breach::of_edge(Invariant::Weak, table, edge));
        }
    }
    for &(table, key) in keys.iter().filter(|(_, key)| is_fresh(*key)) {
        let kept = tables
            .iter()
            .any(|&(kept, ref edge)| heap.id(kept) == table && is_weak_key(edge) && heap.id(edge.target) == key);
        let holder = holders(heap).find(|&object| heap.id(object) == table && !is_dead(heap, object));
        if let (false, Some(holder)) = (kept, holder) {
            // With weak values too the entry may have gone because of its value.
            if heap.weakness(holder) == Weakness::Keys {
                let what = "has lost an entry whose key is about to be finalized and so not dead yet";
                return Err(Breach::of_object(Invariant::Weak, holder, what));
            }
        }
    }
    Ok(())
}
