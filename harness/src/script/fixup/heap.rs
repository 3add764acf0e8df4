//! Fixup of what loads functions, of entries and weakness of tables, and of growth.

use super::*;

/// The most steps after a change of a table, or after a few strings.
const MAX_STEPS_BETWEEN: u8 = 4;
/// The most hundreds of strings that live at a time.
const MAX_HUNDREDS: u8 = 6;
/// The most rounds of objects whose finalizers make others.
const MAX_ROUNDS: u8 = 50;
/// The most finalizers that make each other.
const MAX_WORKS: usize = 4;

impl Fixer {
    pub(super) fn read_function(&mut self, read: &mut ReadFunction) -> Option<()> {
        let ReadFunction { id, place, locals, body, chunk: Chunk { environment, .. }, reader } = read;
        let Reader { steps, piece, .. } = reader;
        *steps = (*steps).min(MAX_STEPS / 10);
        *piece = (*piece).max(1);
        self.loaded_function(id, place, locals, body, environment);
        Some(())
    }

    pub(super) fn copy_function(&mut self, copy: &mut CopyFunction) -> Option<()> {
        let CopyFunction { id, place, function, strip: _, value } = copy;
        let shape = self.function_where(function, |function| function.shape.upvalues() > 0)?;
        self.value(value);
        self.place(place);
        self.define_function(id, *place, shape, false);
        Some(())
    }

    pub(super) fn change_weakness(&mut self, changed: &mut ChangeWeakness) -> Option<()> {
        let ChangeWeakness { table, weakness, change } = changed;
        self.any_table(table, |table| table.info.changes)?;
        let links = self.links(*table);
        if links && *weakness == Some(Weakness::Values) {
            *weakness = Some(Weakness::Both);
        }
        match change {
            WeaknessChange::Shared(other) => {
                let language = self.language;
                self.any_table(other, |table| table.info.changes && table.info.links(&language) == links)?;
            }
            WeaknessChange::Bare(steps) => *steps = (*steps).min(MAX_STEPS),
            WeaknessChange::Fresh | WeaknessChange::Weak | WeaknessChange::InPlace => {}
        }
        Some(())
    }

    pub(super) fn ephemeron_chain(&mut self, chain: &mut EphemeronChain) -> Option<()> {
        let EphemeronChain { tables, links, backward: _, holder } = chain;
        tables.truncate(3);
        // How long the links of a table live whose weakness changes is uncertain: no other table may depend on it.
        let mut changes = None;
        let language = self.language;
        for table in tables.iter_mut() {
            self.any_table(table, |table| {
                table.info.links(&language) && changes.is_none_or(|changes| changes == table.info.changes)
            })?;
            changes = Some(self.changes(*table));
        }
        if tables.is_empty() {
            return None;
        }
        *links = (*links).clamp(1, MAX_LINKS);
        if let Holder::Field(table, _) = holder
            && self.steady_table(table).is_none()
        {
            *holder = Holder::Nobody;
        }
        Some(())
    }

    pub(super) fn empty_table(&mut self, empty: &mut EmptyTable) -> Option<()> {
        let EmptyTable { table, steps, again } = empty;
        self.any_table(table, |_| true)?;
        *steps = (*steps).min(MAX_STEPS_BETWEEN);
        // A table that is not weak may have variables among its fields.
        *again |= self.tables.iter().any(|variable| variable.new == table.0 && !variable.info.is_weak());
        Some(())
    }

    pub(super) fn grow_table(&mut self, grow: &mut GrowTable) -> Option<()> {
        let GrowTable { table, growth: _, count, steps } = grow;
        self.any_table(table, |_| true)?;
        *count = (*count).clamp(1, MAX_ITEMS);
        *steps = (*steps).min(MAX_STEPS_BETWEEN);
        Some(())
    }

    pub(super) fn late_field(&mut self, LateField { field, value, steps }: &mut LateField) {
        *steps = (*steps).min(MAX_STEPS);
        if *field == MetaField::Mode && self.may_count_survivors().is_none() {
            *field = MetaField::Index;
        }
        self.value(value);
    }

    pub(super) fn finalize_nested(&mut self, nested: &mut FinalizeNested) -> Option<()> {
        let FinalizeNested { rounds, works, steps } = nested;
        works.truncate(MAX_WORKS);
        *rounds = (*rounds).clamp(1, MAX_ROUNDS);
        *steps = (*steps).min(MAX_STEPS_BETWEEN);
        // So many objects are made once.
        (!works.is_empty() && self.iterations == 1).then_some(())
    }

    pub(super) fn intern_strings(&mut self, InternStrings { hundreds, steps }: &mut InternStrings) {
        *hundreds = (*hundreds).clamp(1, MAX_HUNDREDS);
        *steps = (*steps).min(MAX_STEPS_BETWEEN);
    }

    /// Fixes a table and what is stored into it.
    ///
    /// A table whose weakness changes gets only fresh objects, and variables that keep their tables to the end: of nothing
    /// else that it holds would the end be certain.
    pub(super) fn store(&mut self, table: &mut TableId, stored: &mut [&mut Value]) -> Option<()> {
        self.any_table(table, |_| true)?;
        for value in stored.iter_mut() {
            self.value(value);
        }
        if self.changes(*table) {
            for value in stored {
                self.make_lasting(value);
            }
        }
        Some(())
    }

    fn make_lasting(&mut self, value: &mut Value) {
        match *value {
            Value::Function(_) => *value = Value::NewClosure(1),
            Value::Table(id) if self.tables.iter().any(|table| table.new == id.0 && table.block == MAIN_BLOCK) => {
                self.keep_table(id.0);
            }
            Value::Table(_) => *value = Value::NewTable,
            _ => {}
        }
    }

    fn links(&self, id: TableId) -> bool {
        self.tables.iter().any(|table| table.new == id.0 && table.info.links(&self.language))
    }

    fn changes(&self, id: TableId) -> bool {
        self.tables.iter().any(|table| table.new == id.0 && table.info.changes)
    }
}
