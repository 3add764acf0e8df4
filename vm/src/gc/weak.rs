//! Weak tables: ephemerons and clearing (manual §2.5.4).

use crate::gc::view::ObjectView;
use crate::gc::{Clearing, Gc, Heap};
use crate::value::{Table, Value};
use moonphase_heap::Event;

impl Heap {
    /// Whether a weak entry with this key or value is to be cleared. Strings are values rather than objects: they are
    /// never weak.
    pub(super) fn is_cleared(&mut self, value: Value) -> bool {
        match value {
            Value::String(string) if !string.is_short() && planted!(self, LongStringsWeak) => string.erase().is_white(),
            Value::String(_) if planted!(self, WeakStringsNotMarked) => false,
            Value::String(string) => {
                self.mark_if_white(string.erase());
                false
            }
            _ => value.is_white(),
        }
    }

    /// Traverses ephemeron tables until no more values get marked. A pass in the other direction each time keeps long
    /// chains of entries from needing one pass each.
    pub(super) fn converge_ephemerons(&mut self) {
        let mut backwards = false;
        loop {
            let mut changed = false;
            for table in std::mem::take(&mut self.ephemerons) {
                table.erase().set_colour(crate::gc::object::bits::BLACK);
                if self.traverse_ephemeron(table, backwards) {
                    self.propagate_all();
                    changed = true;
                }
            }
            backwards = !backwards;
            if !changed || planted!(self, EphemeronsCutShort) {
                return;
            }
        }
    }

    /// Clears the entries with dead keys.
    pub(super) fn clear_by_keys(&mut self) {
        for index in 0..self.ephemerons.len() {
            self.clear_keys_of(self.ephemerons[index]);
        }
        for index in 0..self.all_weak.len() {
            self.clear_keys_of(self.all_weak[index]);
        }
    }

    fn clear_keys_of(&mut self, table: Gc<Table>) {
        if planted!(self, WeakKeysNotCleared) {
            return;
        }
        for index in 0..table.node_count() {
            match table.entry(index) {
                Some((key, _)) if self.is_cleared(key) => self.clear_node(Clearing::Keys, table, index),
                Some(_) => {}
                None => self.bury_key(table, index),
            }
        }
    }

    /// Clears the entries with dead values of the tables from the given places of the two lists on.
    pub(super) fn clear_by_values(&mut self, pass: Clearing, weak_from: usize, all_from: usize) {
        for index in weak_from..self.weak_values.len() {
            self.clear_values_of(pass, self.weak_values[index]);
        }
        for index in all_from..self.all_weak.len() {
            self.clear_values_of(pass, self.all_weak[index]);
        }
    }

    fn clear_values_of(&mut self, pass: Clearing, table: Gc<Table>) {
        if planted!(self, WeakValuesNotCleared) {
            return;
        }
        for index in 0..table.array().len() {
            if self.is_cleared(table.array()[index]) {
                self.note_cleared(pass, table, Value::Nil, table.array()[index]);
                // SAFETY: no other reference to the table is held here.
                unsafe { table.object_mut() }.array_mut()[index] = Value::Nil;
            }
        }
        for index in 0..table.node_count() {
            match table.entry(index) {
                Some((_, value)) if self.is_cleared(value) => self.clear_node(pass, table, index),
                Some(_) => {}
                // Before the keys are looked at: a string there would be marked, which this entry does not keep.
                None => self.bury_key(table, index),
            }
        }
    }

    /// Removes an entry: its value goes, and its key is no reference any more.
    pub(super) fn clear_node(&mut self, pass: Clearing, table: Gc<Table>, index: usize) {
        if self.interests.steps
            && let Some((key, value)) = table.entry(index)
        {
            self.note_cleared(pass, table, key, value);
        }
        // SAFETY: no other reference to the table is held here.
        unsafe { table.object_mut() }.set_node_value(index, Value::Nil);
        self.bury_key(table, index);
    }

    fn note_cleared(&mut self, pass: Clearing, table: Gc<Table>, key: Value, value: Value) {
        if self.interests.steps {
            let object = |value: Value| value.object().map(ObjectView::new);
            let table = ObjectView::new(table.erase());
            self.raise(Event::ClearWeak { pass, table, key: object(key), value: object(value) });
        }
    }
}
