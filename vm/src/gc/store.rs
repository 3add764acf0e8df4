//! Every write of a reference into an object; those into and of upvalues are in `upvalue`.
//!
//! A method here writes, calls the barrier that its site and the policy ask for, and then tells the observer who wrote
//! what. The event comes from the write and not from the barrier, so a barrier that is missing or looks at the wrong
//! parent cannot hide the store.

use crate::gc::{AnyGc, DirectionRule, Event, Field, Gc, Heap, ObjectView, Site, StoreColours};
use crate::interpreter::Builtin;
use crate::value::{
    Closure, Metamethod, NativeClosure, Prototype, Slot, Str, Table, TableKeyError, Thread, Userdata, Value,
};
use moonphase_heap::Heap as _;

/// A reference that was written, as it was before its barrier.
#[derive(Clone, Copy)]
pub(super) struct Written {
    holder: AnyGc,
    new: AnyGc,
    before: StoreColours,
}

impl Heap {
    /// What an observer will want to know of a store that is about to call its barrier. Nothing if nobody listens.
    #[inline(always)]
    pub(super) fn written(&self, holder: AnyGc, new: Option<AnyGc>) -> Option<Written> {
        if self.interests.stores {
            new.map(|new| Written { holder, new, before: self.store_colours(holder, new) })
        } else {
            None
        }
    }

    #[cold]
    fn store_colours(&self, holder: AnyGc, new: AnyGc) -> StoreColours {
        let view = self.view();
        StoreColours { holder: view.colour(ObjectView::new(holder)), new: view.colour(ObjectView::new(new)) }
    }

    /// Tells the observer of a store that is done.
    #[inline]
    pub(super) fn note_store(&mut self, site: Site, written: Option<Written>, old: Option<AnyGc>) {
        if let Some(written) = written {
            self.raise_store(site, written, old);
        }
    }

    #[cold]
    fn raise_store(&mut self, site: Site, Written { holder, new, before }: Written, old: Option<AnyGc>) {
        let (holder, old, new) = (ObjectView::new(holder), old.map(ObjectView::new), ObjectView::new(new));
        self.raise(Event::Store { site, holder, old, new, before });
    }

    /// The barrier in the direction that a rule asks for.
    fn barrier(&mut self, direction: DirectionRule, site: Site, parent: AnyGc, child: AnyGc) {
        match direction {
            DirectionRule::Forward => self.barrier_forward(site, parent, child),
            DirectionRule::Backward => self.barrier_back(site, parent, child),
        }
    }

    // Tables.

    /// Sets a key of a table without metamethods (`rawset`).
    ///
    /// # Errors
    /// The key is nil or NaN.
    pub(crate) fn table_set(&mut self, table: Gc<Table>, key: Value, value: Value) -> Result<(), TableKeyError> {
        match table.find(key) {
            Some(slot) => self.table_replace(Site::TableStore, table, slot, &value),
            None => self.table_add(table, key, value)?,
        }
        Ok(())
    }

    /// Sets a key that the table does not have.
    ///
    /// # Errors
    /// The key is nil or NaN.
    pub(crate) fn table_add(&mut self, table: Gc<Table>, key: Value, value: Value) -> Result<(), TableKeyError> {
        let before = table.size();
        // SAFETY: no other reference to the table is held here, and adding a key calls nothing.
        let added = unsafe { table.object_mut() }.add(&mut self.pool, key, value)?;
        if added {
            if !planted!(self, AbsentFlagKept) {
                table.absent().set(0);
            }
            self.resized(before, table.size());
            let unguarded = planted!(self, GrowthWithoutBarrier) && table.size() > before;
            let written_key = self.written(table.erase(), key.object());
            // Key and value are in the table by now: neither store is done before both barriers are.
            if let Some(object) = key.object().filter(|_| !unguarded) {
                self.barrier_back(Site::TableKey, table.erase(), object);
            }
            let written = self.written(table.erase(), value.object());
            if let Some(object) = value.object().filter(|_| !unguarded) {
                self.barrier_back(Site::TableStore, table.erase(), object);
            }
            self.note_store(Site::TableKey, written_key, None);
            self.note_store(Site::TableStore, written, None);
        }
        Ok(())
    }

    /// Replaces a value that is in the table. The caller has seen that no `__newindex` is concerned.
    #[inline(always)]
    pub(crate) fn table_replace(&mut self, site: Site, table: Gc<Table>, slot: Slot, value: &Value) {
        let old = if self.interests.stores { table.value_at(slot).object() } else { None };
        // SAFETY: no other reference to the table is held here.
        unsafe { table.object_mut() }.set_value_at(slot, value);
        // A nil may have hidden an entry of a metatable from the cache of absent events.
        table.absent().set(0);
        if let Some(object) = value.object() {
            let written = self.written(table.erase(), Some(object));
            self.barrier_back(site, table.erase(), object);
            self.note_store(site, written, old);
        }
    }

    /// Moves items inside the array part, as so many single stores would. Indices count from 0.
    pub(crate) fn table_move(&mut self, table: Gc<Table>, from: usize, to: usize, count: usize) {
        // A store that nobody is told of and that calls no barrier is a copy: the barrier looks at tables that are black.
        if !self.interests.stores && !table.erase().is_black() {
            // SAFETY: no other reference to the table is held here.
            unsafe { table.object_mut() }.move_items(from, to, count);
            table.absent().set(0);
            return;
        }
        for nth in 0..count {
            let offset = if from < to { count - 1 - nth } else { nth };
            let value = table.array()[from + offset];
            self.table_replace(Site::TableStore, table, Slot::Array(to + offset), &value);
        }
    }

    /// Sets the items `first …` of a table constructor.
    pub(crate) fn table_set_list(&mut self, table: Gc<Table>, first: usize, values: &[Value]) {
        let before = table.size();
        {
            // SAFETY: `values` is part of a stack; no other reference to the table is held here.
            let table = unsafe { table.object_mut() };
            table.ensure_array(&mut self.pool, first - 1 + values.len());
            table.array_mut()[first - 1..first - 1 + values.len()].copy_from_slice(values);
        }
        self.resized(before, table.size());
        // No store is done before all barriers are.
        let mut stores = Vec::new();
        for object in values.iter().filter_map(|value| value.object()) {
            stores.extend(self.written(table.erase(), Some(object)));
            self.barrier_back(Site::TableList, table.erase(), object);
        }
        for written in stores {
            self.note_store(Site::TableList, Some(written), None);
        }
    }

    /// Gives a table's parts room for so many items and other entries.
    pub(crate) fn table_resize(&mut self, table: Gc<Table>, array: usize, hash: usize) {
        let before = table.size();
        // SAFETY: no other reference to the table is held here.
        unsafe { table.object_mut() }.resize(&mut self.pool, array, hash);
        self.resized(before, table.size());
    }

    // Metatables and user values.

    /// Sets a table's metatable. The object gets a finalizer if the metatable has `__gc` at this moment.
    pub(crate) fn set_table_metatable(&mut self, table: Gc<Table>, metatable: Option<Gc<Table>>) {
        let old = table.metatable.exchange(metatable);
        if let Some(metatable) = metatable {
            let parent = if planted!(self, MetatableParentMetatable) { metatable } else { table };
            let written = self.written(table.erase(), Some(metatable.erase()));
            self.barrier(self.policy.table_metatable, Site::TableMetatable, parent.erase(), metatable.erase());
            self.note_store(Site::TableMetatable, written, old.map(Gc::erase));
            self.check_finalizer(table.erase(), metatable);
        }
    }

    /// Sets a userdata's metatable; finalizers as for tables.
    pub fn set_userdata_metatable(&mut self, userdata: Gc<Userdata>, metatable: Option<Gc<Table>>) {
        let old = userdata.metatable.exchange(metatable);
        if let Some(metatable) = metatable {
            let written = self.written(userdata.erase(), Some(metatable.erase()));
            self.barrier_forward(Site::UserdataMetatable, userdata.erase(), metatable.erase());
            self.note_store(Site::UserdataMetatable, written, old.map(Gc::erase));
            self.check_finalizer(userdata.erase(), metatable);
        }
    }

    /// Sets a user value, counted from 0. Says whether the userdata has that many.
    pub fn set_user_value(&mut self, userdata: Gc<Userdata>, index: usize, value: Value) -> bool {
        let Some(slot) = userdata.user_values.get(index) else { return false };
        let old = slot.exchange(value);
        if let Some(object) = value.object() {
            let written = self.written(userdata.erase(), Some(object));
            self.barrier(self.policy.user_value, Site::UserValue, userdata.erase(), object);
            self.note_store(Site::UserValue, written, old.object());
        }
        true
    }

    // Closures. What a new one has from the first on needs no barrier: it is white when it is made, and a barrier acts on
    // black holders alone.

    /// A closure whose upvalues are all missing. The caller fills them in before a step can run.
    pub(crate) fn new_closure(&mut self, prototype: Gc<Prototype>, upvalues: u8) -> Gc<Closure> {
        let closure = self.allocate_closure(upvalues, |header| Closure { header, prototype: Field::first(prototype) });
        let written = self.written(closure.erase(), Some(prototype.erase()));
        self.note_store(Site::ClosurePrototype, written, None);
        closure
    }

    /// A native closure with these upvalues.
    pub(crate) fn new_native_closure(&mut self, builtin: &'static Builtin, upvalues: &[Value]) -> Gc<NativeClosure> {
        let upvalues = upvalues.iter().map(|&value| Field::first(value)).collect();
        let closure = self.allocate_native_closure(|header| NativeClosure { header, builtin, upvalues });
        for index in 0..closure.upvalues.len() {
            let written = self.written(closure.erase(), closure.upvalues[index].get().object());
            self.note_store(Site::NativeUpvalue, written, None);
        }
        closure
    }

    /// `debug.setupvalue` on a native closure, counted from 0.
    pub(crate) fn set_native_upvalue(&mut self, closure: Gc<NativeClosure>, index: usize, value: Value) {
        let old = closure.upvalues[index].exchange(value);
        if let Some(object) = value.object() {
            let written = self.written(closure.erase(), Some(object));
            self.barrier_forward(Site::NativeUpvalue, closure.erase(), object);
            self.note_store(Site::NativeUpvalue, written, old.object());
        }
    }

    // Threads.

    /// Says who waits for a coroutine that is resumed, or nobody once it is left.
    ///
    /// This has no barrier and no event, like a store into a stack: a thread is not black while marking, and the atomic phase
    /// traverses it again with what its stack and this field refer to.
    pub(crate) fn set_resumer(&mut self, thread: Gc<Thread>, resumer: Option<Gc<Thread>>) {
        // SAFETY: the reference ends here, and no other reference to the thread is held meanwhile.
        *unsafe { thread.as_mut() }.resumer.writable() = resumer;
    }

    // Prototypes.

    /// Writes a string into a prototype that is being loaded.
    pub(crate) fn set_prototype_string(
        &mut self,
        site: Site,
        prototype: Gc<Prototype>,
        slot: impl FnOnce(&Prototype) -> &Field<Option<Gc<Str>>>,
        string: Gc<Str>,
    ) {
        slot(&prototype).put(Some(string));
        let written = self.written(prototype.erase(), Some(string.erase()));
        self.barrier_forward(site, prototype.erase(), string.erase());
        self.note_store(site, written, None);
    }

    /// Writes a constant into a prototype that is being loaded.
    pub(crate) fn set_prototype_constant(&mut self, prototype: Gc<Prototype>, index: usize, value: Value) {
        prototype.constants[index].put(value);
        if let Some(object) = value.object() {
            let written = self.written(prototype.erase(), Some(object));
            self.barrier_forward(Site::PrototypeConstant, prototype.erase(), object);
            self.note_store(Site::PrototypeConstant, written, None);
        }
    }

    /// Writes a nested prototype into one that is being loaded.
    pub(crate) fn set_prototype_nested(&mut self, prototype: Gc<Prototype>, index: usize, nested: Gc<Prototype>) {
        prototype.prototypes[index].put(Some(nested));
        let written = self.written(prototype.erase(), Some(nested.erase()));
        self.barrier_forward(Site::PrototypeNested, prototype.erase(), nested.erase());
        self.note_store(Site::PrototypeNested, written, None);
    }

    /// Whether a metatable asks for a finalizer.
    pub(super) fn has_gc_metamethod(&self, metatable: Gc<Table>) -> bool {
        let found = !self.metamethod_in(metatable, Metamethod::Gc).is_nil();
        if !found && planted!(self, AbsentFlagWrong) {
            metatable.absent().set(metatable.absent().get() | Metamethod::Mode.cache_bit().unwrap_or_default());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use crate::gc::object::bits;
    use crate::gc::{DirectionRule, Heap, HeapOptions, Phase, Policy};
    use crate::value::Value;

    #[test]
    fn a_user_value_stored_into_a_black_userdata_is_marked_or_the_userdata_is_traversed_again() {
        for user_value in [DirectionRule::Forward, DirectionRule::Backward] {
            let policy = Policy { user_value, ..Policy::LUA_54 };
            let mut heap = Heap::new(HeapOptions { policy, ..HeapOptions::default() });
            let (userdata, registry) = (heap.new_userdata(None, 1), heap.registry());
            assert_eq!(heap.table_set(registry, Value::Integer(1), Value::Userdata(userdata)), Ok(()));
            while !userdata.erase().has(bits::BLACK) {
                heap.step();
                assert!(heap.phase() <= Phase::EnterAtomic);
            }
            let value = heap.new_table();
            assert!(heap.set_user_value(userdata, 0, Value::Table(value)));
            let marked = user_value == DirectionRule::Forward;
            assert_eq!(value.erase().is_gray(), marked);
            assert_eq!(userdata.erase().is_gray(), !marked);
            assert_eq!(heap.gray_again.contains(&userdata.erase()), !marked);
        }
    }
}
