//! `weak`, the other way round: an entry of a weak table stays until something that it refers to weakly is dead.
//!
//! Nothing in the heap shows that an entry was removed too early: its table is as if it had never been there. So the entries are
//! remembered before a collection clears them, and compared with what is left after it. No program runs in between. An entry is
//! removed by right
//!
//! - if its weak key is dead;
//! - if its weak value is dead, or reachable only from objects that wait for their finalizers: such values are removed before
//!   those objects are revived.
//!
//! All others stay. For example: in a table with weak values the entry `t.a = x` stays while a variable has `x`, and `t.b = 1` and
//! `t.c = "text"` stay for ever; in an ephemeron table `t[x] = {}` stays while a variable has `x`.
//!
//! What the collector takes for dead is not asked further here: whether that is right, `reachable` and `dangling` say.

use super::{lists, reachable};
use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::id_set::IdSet;
use crate::walk::{self, collected, holders, is_dead, is_weak_table};
use moonphase_heap::{Heap, Kind, Label, ListName, Phase, StepKind, Strength};
use std::ops::Range;

/// The entries of weak tables when a collection began.
#[derive(Default)]
pub(crate) struct WeakEntries {
    /// Of each table that has entries: its number, and where they are in `entries`.
    tables: Vec<(u32, Range<usize>)>,
    entries: Vec<Entry>,
}

/// An entry that refers to an object, and the numbers of the objects that it refers to weakly. Strings are none of them, since they
/// are values.
#[derive(Clone, Copy)]
struct Entry {
    place: Label,
    key: Option<u32>,
    value: Option<u32>,
}

/// Whether a step that begins in this phase clears weak tables.
pub(crate) fn clears(kind: StepKind, phase: Phase) -> bool {
    match kind {
        StepKind::Turn => phase == Phase::EnterAtomic,
        StepKind::Minor | StepKind::Major => true,
        _ => false,
    }
}

/// The place of a table entry; its key and its value have the same.
fn place_of(label: Label) -> Option<Label> {
    match label {
        Label::Item(_) | Label::Entry(_) => Some(label),
        Label::Key(entry) => Some(Label::Entry(entry)),
        _ => None,
    }
}

impl WeakEntries {
    pub(crate) fn forget(&mut self) {
        self.tables.clear();
        self.entries.clear();
    }

    /// Remembers the entries of all weak tables before a step that clears them.
    pub(crate) fn remember_all<H: Heap>(&mut self, heap: H) {
        // A list that is a circle is left in the end.
        holders(heap).take(heap.newest() as usize).for_each(|object| self.remember(heap, object));
    }

    /// The same of one object, if it is a weak table.
    #[inline]
    pub(crate) fn remember<H: Heap>(&mut self, heap: H, object: H::Object) {
        if heap.kind(object) == Kind::Table && is_weak_table(heap, object) {
            self.remember_table(heap, object);
        }
    }

    #[inline(never)]
    fn remember_table<H: Heap>(&mut self, heap: H, table: H::Object) {
        let first = self.entries.len();
        let entries = &mut self.entries;
        heap.references(table, |edge| {
            let Some(place) = place_of(edge.label) else { return };
            if entries[first..].last().is_none_or(|entry| entry.place != place) {
                entries.push(Entry { place, key: None, value: None });
            }
            let is_weak = edge.strength == Strength::Weak && heap.kind(edge.target) != Kind::String;
            if let (true, Some(entry)) = (is_weak, entries.last_mut()) {
                let target = if edge.label == place { &mut entry.value } else { &mut entry.key };
                *target = Some(heap.id(edge.target));
            }
        });
        if entries.len() > first {
            self.tables.push((heap.id(table), first..entries.len()));
        }
    }

    /// The step has ended: looks for entries that went and had to stay, and forgets all of them.
    pub(crate) fn check<H: Heap>(&mut self, heap: H, ids: &mut IdSet) -> Verdict<H::Object> {
        if self.tables.is_empty() {
            return Ok(());
        }
        let lost = self.lost(heap);
        self.forget();
        if lost.is_empty() { Ok(()) } else { check_lost(heap, lost, ids) }
    }

    /// The entries that living tables have lost.
    fn lost<H: Heap>(&mut self, heap: H) -> Vec<(H::Object, Entry)> {
        self.tables.sort_unstable_by_key(|&(id, _)| id);
        let mut left = self.tables.len();
        let mut lost = Vec::new();
        // A walk that meets more objects than were ever made is in a circle, which is for other checks to find.
        for object in holders(heap).take(heap.newest() as usize) {
            if heap.kind(object) != Kind::Table {
                continue;
            }
            let Ok(nth) = self.tables.binary_search_by_key(&heap.id(object), |&(id, _)| id) else { continue };
            if !is_dead(heap, object) {
                lost_from(heap, object, &self.entries[self.tables[nth].1.clone()], &mut lost);
            }
            left -= 1;
            if left == 0 {
                break;
            }
        }
        lost
    }
}

/// Adds the entries that a table had and has no more. The places of those that are left are in the same order.
fn lost_from<H: Heap>(heap: H, table: H::Object, before: &[Entry], lost: &mut Vec<(H::Object, Entry)>) {
    let mut rest = before;
    let mut last = None;
    heap.references(table, |edge| {
        let place = place_of(edge.label);
        if place.is_none() || place == last {
            return;
        }
        last = place;
        if let Some(at) = rest.iter().position(|entry| Some(entry.place) == place) {
            lost.extend(rest[..at].iter().map(|&entry| (table, entry)));
            rest = &rest[at + 1..];
        }
    });
    lost.extend(rest.iter().map(|&entry| (table, entry)));
}

/// Looks for a reason for each entry that was lost, the cheapest first.
#[inline(never)]
fn check_lost<H: Heap>(heap: H, mut lost: Vec<(H::Object, Entry)>, ids: &mut IdSet) -> Verdict<H::Object> {
    ids.clear();
    for object in collected(heap).take(heap.newest() as usize).filter(|&object| !is_dead(heap, object)) {
        ids.insert(heap.id(object));
    }
    let is_in = |ids: &IdSet, id: Option<u32>| id.is_none_or(|id| ids.contains(id));
    lost.retain(|(_, entry)| is_in(ids, entry.key) && is_in(ids, entry.value));
    if lost.is_empty() {
        return Ok(());
    }
    if !walk::lists_end(heap) {
        lists::check(heap, ids)?;
    }
    let waiting: Vec<H::Object> = heap.list(ListName::ToBeFinalized).collect();
    reachable::trace_without(heap, ids, &waiting);
    lost.retain(|(_, entry)| is_in(ids, entry.value));
    // A key is removed when it is dead, so those that are revived count as well.
    reachable::trace(heap, ids, &[], |_| {});
    match lost.iter().find(|(_, entry)| is_in(ids, entry.key)) {
        Some(&(table, entry)) => Err(Breach::of_object(Invariant::Weak, table, entry.what_is_wrong())),
        None => Ok(()),
    }
}

impl Entry {
    /// What is wrong if a table has lost this entry.
    fn what_is_wrong(self) -> String {
        match (self.key, self.value) {
            (None, None) => "has lost an entry that refers to nothing weakly".to_owned(),
            (Some(key), None) => format!("has lost an entry whose key #{key} is not dead"),
            (None, Some(value)) => format!("has lost an entry whose value #{value} is reachable"),
            (Some(key), Some(value)) => {
                format!("has lost an entry whose key #{key} is not dead and whose value #{value} is reachable")
            }
        }
    }
}
