//! `finalizers`: objects with finalizers are in the lists of such objects and nowhere else. Within a cycle finalizers are called
//! in the reverse of the order in which the objects were marked for finalization (manual of Lua 5.4, §2.5.3).
//!
//! Between two looks objects are taken off the front of the list of those that wait, and the objects of a cycle are appended.
//! So the list is compared with the list of the look before. For example: after the list `a b c`, the lists `b c`, `c` and
//! `c d e` are right; `c b` is not, unless `b` was marked for finalization again.
//!
//! The collector does not work while a finalizer runs. When the state is closed, all objects with finalizers wait, and each is taken
//! off the front in its turn. Objects that get a finalizer from then on are not finalized, else closing might never end.
//!
//! The same moment decides what weak tables may still refer to (`weak`). When an object that has a finalizer is found dead,
//! entries with it as a weak value are removed at once; entries with it as a weak key stay until it is freed (`kept_entries`).

use super::{reachable, weak};
use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::id_set::IdSet;
use crate::walk::is_marked;
use moonphase_heap::{Edge, Heap, Kind, Label, ListName, Strength};
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
    /// The objects that waited for their finalizers after the last step, less those that are known to have been taken off.
    waiting: Vec<u32>,
    /// Those that were taken off since the lists were last compared, and not marked for finalization again.
    taken: IdSet,
    /// How many finalizers run, one inside of the other.
    running: u32,
    /// Since the state is being closed: how many finalizers were called.
    closing: Option<u32>,
}

impl Order {
    /// An object was marked for finalization.
    pub(crate) fn mark<H: Heap>(&mut self, heap: H, object: H::Object) {
        self.marks += 1;
        self.marked.insert(heap.id(object), self.marks);
        self.taken.remove(heap.id(object));
        // If it waited, its finalizer was called, and those of all objects before it.
        if let Some(taken) = self.waiting.iter().position(|&id| id == heap.id(object)) {
            self.waiting.drain(..=taken);
        }
    }

    /// A step begins.
    pub(crate) fn before_step<O>(&self) -> Verdict<O> {
        if self.running == 0 {
            return Ok(());
        }
        Err(Breach::of_heap(Invariant::Finalizers, "the collector works while a finalizer runs"))
    }

    /// Whether the collector has to stand still: a finalizer runs, or the state is being closed.
    pub(crate) fn stop_collector(&self) -> bool {
        self.running > 0 || self.closing.is_some()
    }

    /// An object's finalizer is about to be called.
    pub(crate) fn begin<H: Heap>(&mut self, heap: H, object: H::Object) -> Verdict<H::Object> {
        self.running += 1;
        let Some(called) = &mut self.closing else { return Ok(()) };
        *called += 1;
        if self.waiting.first() != Some(&heap.id(object)) {
            let what = "is finalized out of turn while the state is closed";
            return Err(Breach::of_object(Invariant::Finalizers, object, what));
        }
        self.waiting.remove(0);
        Ok(())
    }

    /// The finalizer that was called last has ended.
    pub(crate) fn end(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// The step that begins to close the state has ended. The objects are not dead, so weak tables keep them.
    pub(crate) fn begin_closing<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
        self.closing = Some(0);
        self.compare(heap)?;
        match heap.list(ListName::Finalizable).next() {
            Some(object) => {
                let what = "has a finalizer, and does not wait for it though the state is closed";
                Err(Breach::of_object(Invariant::Finalizers, object, what))
            }
            None => Ok(()),
        }
    }

    /// A step has ended that took an object whose finalizer is to be called while the state is closed, or found none. The whole
    /// list was compared when closing began.
    pub(crate) fn after_taking<H: Heap>(&self, heap: H) -> Verdict<H::Object> {
        let first = heap.list(ListName::ToBeFinalized).next();
        if first.map(|object| heap.id(object)) == self.waiting.first().copied() {
            return Ok(());
        }
        let detail = "the objects that wait for their finalizers changed while the state is closed".to_owned();
        Err(Breach::of_heap(Invariant::Finalizers, detail))
    }

    /// The state is closed: looks for an object that still waits.
    pub(crate) fn check_closed<H: Heap>(&self, heap: H) -> Verdict<H::Object> {
        match heap.list(ListName::ToBeFinalized).next() {
            Some(object) => {
                let what = "waits for its finalizer, though the state is closed";
                Err(Breach::of_object(Invariant::Finalizers, object, what))
            }
            None => Ok(()),
        }
    }

    /// Whether any finalizer was called since the state is being closed.
    pub(crate) fn has_closed_any(&self) -> bool {
        self.closing.is_some_and(|called| called > 0)
    }

    /// A step has ended that did not change the phase. Objects may have been taken off the list. Its order is looked at after
    /// the next step that changes the phase.
    pub(crate) fn after_usual_step<H: Heap>(&mut self, heap: H) {
        let first = heap.list(ListName::ToBeFinalized).next();
        let taken = match first {
            Some(first) => self.waiting.iter().position(|&id| id == heap.id(first)),
            None => Some(self.waiting.len()),
        };
        // Where the first object is an unknown one, `after_step` will compare the lists.
        for id in self.waiting.drain(..taken.unwrap_or(0)) {
            self.taken.insert(id);
        }
    }

    /// A step has ended.
    pub(crate) fn after_step<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
        let Waiting { now, fresh } = self.compare(heap)?;
        let fresh = &now[fresh..];
        if fresh.is_empty() {
            return Ok(());
        }
        // The objects that had not been marked when values were cleared.
        let unmarked = if is_marked(heap, ListName::ToBeFinalized) { fresh } else { &now };
        check_weak_values(heap, fresh, unmarked)
    }

    /// Compares the list of the objects that wait with the list of the look before.
    fn compare<H: Heap>(&mut self, heap: H) -> Result<Waiting<H::Object>, Box<Breach<H::Object>>> {
        if self.waiting.is_empty() && heap.list(ListName::ToBeFinalized).next().is_none() {
            self.taken.clear();
            return Ok(Waiting { now: Vec::new(), fresh: 0 });
        }
        // The list may be a circle, which other checks find.
        let now: Vec<H::Object> = heap.list(ListName::ToBeFinalized).take(heap.newest() as usize).collect();
        let taken = match now.first() {
            Some(&first) => self.waiting.iter().position(|&id| id == heap.id(first)).unwrap_or(self.waiting.len()),
            None => self.waiting.len(),
        };
        let kept = self.waiting.split_off(taken);
        for id in self.waiting.drain(..) {
            self.taken.insert(id);
        }
        self.waiting = now.iter().map(|&object| heap.id(object)).collect();
        if !self.waiting.starts_with(&kept) {
            let detail = "the objects that wait for their finalizers changed their order".to_owned();
            return Err(Breach::of_heap(Invariant::Finalizers, detail));
        }
        let fresh = &now[kept.len()..];
        let again = fresh.iter().find(|&&object| self.taken.contains(heap.id(object)));
        if let Some(&again) = again {
            let what = "waits for its finalizer behind objects that came after it";
            return Err(Breach::of_object(Invariant::Finalizers, again, what));
        }
        let when = |object: H::Object| self.marked.get(&heap.id(object));
        self.taken.clear();
        for pair in fresh.windows(2) {
            if when(pair[0]) < when(pair[1]) {
                let what = "is to be finalized after an object that was marked for finalization before it";
                return Err(Breach::of_object(Invariant::Finalizers, pair[1], what));
            }
        }
        Ok(Waiting { fresh: kept.len(), now })
    }
}

/// The objects that wait for their finalizers.
struct Waiting<O> {
    now: Vec<O>,
    /// Where those begin that did not wait at the look before.
    fresh: usize,
}

/// Looks for weak values that were found dead and are about to be finalized.
fn check_weak_values<H: Heap>(heap: H, fresh: &[H::Object], unmarked: &[H::Object]) -> Verdict<H::Object> {
    let is_value = |edge: &Edge<H::Object>| edge.strength == Strength::Weak && !matches!(edge.label, Label::Key(_));
    let mut entries = Vec::new();
    for table in weak::living_tables(heap) {
        heap.references(table, |edge| {
            if is_value(&edge) && fresh.contains(&edge.target) {
                entries.push((table, edge));
            }
        });
    }
    if entries.is_empty() {
        return Ok(());
    }
    // A table that only waiting objects lead to was not marked yet when values were cleared.
    let mut reached = IdSet::default();
    reachable::trace_without(heap, &mut reached, unmarked);
    match entries.into_iter().find(|&(table, _)| reached.contains(heap.id(table))) {
        Some((table, edge)) => Err(Breach::of_edge(Invariant::Weak, table, edge)),
        None => Ok(()),
    }
}
