//! Every write of a reference into an object.
//!
//! A method here writes, calls the barrier that its site and the policy ask for, and then tells the observer who wrote
//! what. The event comes from the write and not from the barrier, so a barrier that is missing or looks at the wrong
//! parent cannot hide the store.

use crate::gc::event::{Event, Site};
use crate::gc::{AnyGc, ClosingRule, Gc, Heap, ObjectView, SetupvalueRule};
use crate::value::{Closure, Metamethod, Prototype, Slot, Str, Table, TableKeyError, Thread, Upvalue, Userdata, Value};
use std::cell::Cell;

impl Heap {
    /// Tells the observer of a store that is done.
    #[inline]
    pub(super) fn note_store(&mut self, site: Site, holder: AnyGc, old: Option<AnyGc>, new: Option<AnyGc>) {
        if self.interests.stores {
            self.raise_store(site, holder, old, new);
        }
    }

    #[cold]
    fn raise_store(&mut self, site: Site, holder: AnyGc, old: Option<AnyGc>, new: Option<AnyGc>) {
        if let Some(new) = new {
            let (holder, old, new) = (ObjectView::new(holder), old.map(ObjectView::new), ObjectView::new(new));
            self.raise(Event::Store { site, holder, old, new });
        }
    }

    // Tables.

    /// Sets a key of a table without metamethods (`rawset`).
    ///
    /// # Errors
    /// The key is nil or NaN.
    pub(crate) fn table_set(&mut self, table: Gc<Table>, key: Value, value: Value) -> Result<(), TableKeyError> {
        self.table_set_at(Site::TableStore, table, key, value)
    }

    fn table_set_at(&mut self, site: Site, table: Gc<Table>, key: Value, value: Value) -> Result<(), TableKeyError> {
        if let Some(slot) = table.find(key) {
            self.table_replace(site, table, slot, value);
            return Ok(());
        }
        let before = table.size();
        // SAFETY: no other reference to the table is held here, and setting a key calls nothing.
        let added = unsafe { table.as_mut() }.set(key, value)?;
        if added {
            table.absent.set(0);
            self.resized(before, table.size());
            // Key and value are in the table by now: neither store is done before both barriers are.
            if let Some(object) = key.object() {
                self.barrier_back(Site::TableKey, table.erase(), object);
            }
            if let Some(object) = value.object() {
                self.barrier_back(site, table.erase(), object);
            }
            self.note_store(Site::TableKey, table.erase(), None, key.object());
            self.note_store(site, table.erase(), None, value.object());
        }
        Ok(())
    }

    /// Replaces a value that is in the table. The caller has seen that no `__newindex` is concerned.
    #[inline(always)]
    pub(crate) fn table_replace(&mut self, site: Site, table: Gc<Table>, slot: Slot, value: Value) {
        let old = if self.interests.stores { table.value_at(slot).object() } else { None };
        // SAFETY: no other reference to the table is held here.
        unsafe { table.as_mut() }.set_value_at(slot, value);
        // A nil may have hidden an entry of a metatable from the cache of absent events.
        table.absent.set(0);
        if let Some(object) = value.object() {
            self.barrier_back(site, table.erase(), object);
            self.note_store(site, table.erase(), old, Some(object));
        }
    }

    /// Sets the items `first …` of a table constructor.
    pub(crate) fn table_set_list(&mut self, table: Gc<Table>, first: usize, values: &[Value]) {
        let before = table.size();
        {
            // SAFETY: `values` is part of a stack; no other reference to the table is held here.
            let table = unsafe { table.as_mut() };
            table.ensure_array(first - 1 + values.len());
            table.array_mut()[first - 1..first - 1 + values.len()].copy_from_slice(values);
        }
        self.resized(before, table.size());
        for object in values.iter().filter_map(|value| value.object()) {
            self.barrier_back(Site::TableList, table.erase(), object);
        }
        for object in values.iter().filter_map(|value| value.object()) {
            self.note_store(Site::TableList, table.erase(), None, Some(object));
        }
    }

    /// Gives a table's parts room for so many items and other entries.
    pub(crate) fn table_resize(&mut self, table: Gc<Table>, array: usize, hash: usize) {
        let before = table.size();
        // SAFETY: no other reference to the table is held here.
        unsafe { table.as_mut() }.resize(array, hash);
        self.resized(before, table.size());
    }

    // Metatables and user values.

    /// Sets a table's metatable. The object gets a finalizer if the metatable has `__gc` at this moment.
    pub(crate) fn set_table_metatable(&mut self, table: Gc<Table>, metatable: Option<Gc<Table>>) {
        let old = table.metatable.replace(metatable);
        if let Some(metatable) = metatable {
            self.barrier_forward(Site::TableMetatable, table.erase(), metatable.erase());
            self.note_store(Site::TableMetatable, table.erase(), old.map(Gc::erase), Some(metatable.erase()));
            self.check_finalizer(table.erase(), metatable);
        }
    }

    /// Sets a userdata's metatable; finalizers as for tables.
    pub fn set_userdata_metatable(&mut self, userdata: Gc<Userdata>, metatable: Option<Gc<Table>>) {
        let old = userdata.metatable.replace(metatable);
        if let Some(metatable) = metatable {
            self.barrier_forward(Site::UserdataMetatable, userdata.erase(), metatable.erase());
            self.note_store(Site::UserdataMetatable, userdata.erase(), old.map(Gc::erase), Some(metatable.erase()));
            self.check_finalizer(userdata.erase(), metatable);
        }
    }

    /// Sets a user value, counted from 0. Says whether the userdata has that many.
    pub fn set_user_value(&mut self, userdata: Gc<Userdata>, index: usize, value: Value) -> bool {
        let Some(slot) = userdata.user_values.get(index) else { return false };
        let old = slot.replace(value);
        if let Some(object) = value.object() {
            self.barrier_back(Site::UserValue, userdata.erase(), object);
            self.note_store(Site::UserValue, userdata.erase(), old.object(), Some(object));
        }
        true
    }

    // Upvalues and closures.

    /// The assignment of an upvalue by Lua code.
    #[inline(always)]
    pub(crate) fn store_upvalue(&mut self, upvalue: Gc<Upvalue>, value: Value) {
        let old = if self.interests.stores { upvalue.get().object() } else { None };
        upvalue.write(value);
        if let Some(object) = value.object() {
            self.barrier_forward(Site::UpvalueStore, upvalue.erase(), object);
            self.note_store(Site::UpvalueStore, upvalue.erase(), old, Some(object));
        }
    }

    /// `debug.setupvalue` on a Lua closure, counted from 0. The closure has such an upvalue.
    pub(crate) fn setupvalue(&mut self, closure: Gc<Closure>, index: usize, value: Value) {
        let Some(upvalue) = closure.upvalues()[index].get() else { return };
        let old = upvalue.get();
        upvalue.write(value);
        if let Some(object) = value.object() {
            let parent = match self.policy.setupvalue {
                SetupvalueRule::Closure => closure.erase(),
                SetupvalueRule::Upvalue => upvalue.erase(),
            };
            self.barrier_forward(Site::Setupvalue, parent, object);
            self.note_store(Site::Setupvalue, upvalue.erase(), old.object(), Some(object));
        }
    }

    /// `debug.setupvalue` on a native closure, counted from 0.
    pub(crate) fn set_native_upvalue(&mut self, closure: Gc<crate::value::NativeClosure>, index: usize, value: Value) {
        let old = closure.upvalues[index].replace(value);
        if let Some(object) = value.object() {
            self.barrier_forward(Site::NativeUpvalue, closure.erase(), object);
            self.note_store(Site::NativeUpvalue, closure.erase(), old.object(), Some(object));
        }
    }

    /// `debug.upvaluejoin`: the closure's upvalue `index` becomes `upvalue`.
    pub(crate) fn upvaluejoin(&mut self, closure: Gc<Closure>, index: usize, upvalue: Gc<Upvalue>) {
        let old = closure.upvalues()[index].replace(Some(upvalue));
        self.barrier_forward(Site::Upvaluejoin, closure.erase(), upvalue.erase());
        self.note_store(Site::Upvaluejoin, closure.erase(), old.map(Gc::erase), Some(upvalue.erase()));
    }

    /// Gives a new closure an upvalue.
    pub(crate) fn set_closure_upvalue(&mut self, site: Site, closure: Gc<Closure>, index: usize, upvalue: Gc<Upvalue>) {
        closure.upvalues()[index].set(Some(upvalue));
        self.barrier_forward(site, closure.erase(), upvalue.erase());
        self.note_store(site, closure.erase(), None, Some(upvalue.erase()));
    }

    /// The upvalue of a stack slot: the one that is open there, or a new one.
    pub(crate) fn find_upvalue(&mut self, thread: Gc<Thread>, slot: usize) -> Gc<Upvalue> {
        // SAFETY: nothing else refers to the thread's list or moves its stack here.
        let data = unsafe { thread.as_mut() };
        let location: *mut Value = &mut data.stack[slot];
        let mut place = data.open_upvalues.len();
        while place > 0 && data.open_upvalues[place - 1].location.get() >= location {
            if data.open_upvalues[place - 1].location.get() == location {
                return data.open_upvalues[place - 1];
            }
            place -= 1;
        }
        let upvalue = self.new_closed_upvalue();
        upvalue.own.set(Value::Thread(thread));
        upvalue.location.set(location);
        // SAFETY: as above; making the object has not touched the thread.
        unsafe { thread.as_mut() }.open_upvalues.insert(place, upvalue);
        if !thread.in_upvalue_list.replace(true) {
            self.threads_with_upvalues.push(thread);
        }
        if self.interests.fine {
            self.raise(Event::OpenUpvalue(ObjectView::new(upvalue.erase())));
        }
        upvalue
    }

    /// Closes the upvalues of the thread's slots at and above `level`.
    pub(crate) fn close_upvalues(&mut self, thread: Gc<Thread>, level: usize) {
        loop {
            // SAFETY: the reference to the thread ends before anything else is called.
            let upvalue = unsafe {
                let data = thread.as_mut();
                match data.open_upvalues.last() {
                    Some(upvalue) if upvalue.location.get().cast_const() >= data.stack.as_ptr().add(level) => {
                        let upvalue = *upvalue;
                        data.open_upvalues.pop();
                        upvalue
                    }
                    _ => return,
                }
            };
            self.close_upvalue(upvalue);
        }
    }

    /// Closes an upvalue that was taken off its thread's list.
    pub(super) fn close_upvalue(&mut self, upvalue: Gc<Upvalue>) {
        let value = upvalue.get();
        upvalue.own.set(value);
        upvalue.location.set(upvalue.own.as_ptr());
        let object = upvalue.erase();
        match self.policy.closing {
            ClosingRule::Black if !object.is_white() => {
                object.set_colour(crate::gc::object::bits::BLACK);
                self.upvalue_close_barrier(upvalue, value);
            }
            ClosingRule::ByPhase if object.is_gray() => {
                if self.keeps_invariant() {
                    object.set_colour(crate::gc::object::bits::BLACK);
                    self.upvalue_close_barrier(upvalue, value);
                } else {
                    object.set_colour(self.current_white);
                }
            }
            _ => {}
        }
        if self.interests.fine {
            self.raise(Event::CloseUpvalue(ObjectView::new(object)));
        }
        self.note_store(Site::UpvalueClose, object, None, value.object());
    }

    fn upvalue_close_barrier(&mut self, upvalue: Gc<Upvalue>, value: Value) {
        if let Some(child) = value.object() {
            self.barrier_forward(Site::UpvalueClose, upvalue.erase(), child);
        }
    }

    /// Points the open upvalues of a thread to where its stack has moved.
    pub(crate) fn stack_moved(&mut self, thread: Gc<Thread>, old_base: *const Value) {
        // SAFETY: nothing else refers to the thread's list here.
        let data = unsafe { thread.as_mut() };
        let base = data.stack.as_mut_ptr();
        for upvalue in &data.open_upvalues {
            let slot = (upvalue.location.get() as usize - old_base as usize) / size_of::<Value>();
            // SAFETY: the slot was inside the old stack, and a stack with open upvalues above a slot never shrinks
            // below it.
            upvalue.location.set(unsafe { base.add(slot) });
        }
    }

    /// The environment of a loaded chunk: the value of its first upvalue.
    pub(crate) fn set_environment(&mut self, upvalue: Gc<Upvalue>, value: Value) {
        upvalue.write(value);
        if let Some(object) = value.object() {
            self.barrier_forward(Site::ChunkEnvironment, upvalue.erase(), object);
            self.note_store(Site::ChunkEnvironment, upvalue.erase(), None, Some(object));
        }
    }

    // Prototypes.

    /// Writes a string into a prototype that is being loaded.
    pub(crate) fn set_prototype_string(
        &mut self,
        site: Site,
        prototype: Gc<Prototype>,
        slot: impl FnOnce(&Prototype) -> &Cell<Option<Gc<Str>>>,
        string: Gc<Str>,
    ) {
        slot(&prototype).set(Some(string));
        self.barrier_forward(site, prototype.erase(), string.erase());
        self.note_store(site, prototype.erase(), None, Some(string.erase()));
    }

    /// Writes a constant into a prototype that is being loaded.
    pub(crate) fn set_prototype_constant(&mut self, prototype: Gc<Prototype>, index: usize, value: Value) {
        prototype.constants[index].set(value);
        if let Some(object) = value.object() {
            self.barrier_forward(Site::PrototypeConstant, prototype.erase(), object);
            self.note_store(Site::PrototypeConstant, prototype.erase(), None, Some(object));
        }
    }

    /// Writes a nested prototype into one that is being loaded.
    pub(crate) fn set_prototype_nested(&mut self, prototype: Gc<Prototype>, index: usize, nested: Gc<Prototype>) {
        prototype.prototypes[index].set(Some(nested));
        self.barrier_forward(Site::PrototypeNested, prototype.erase(), nested.erase());
        self.note_store(Site::PrototypeNested, prototype.erase(), None, Some(nested.erase()));
    }

    /// Whether a metatable asks for a finalizer.
    pub(super) fn has_gc_metamethod(&self, metatable: Gc<Table>) -> bool {
        !self.metamethod_in(metatable, Metamethod::Gc).is_nil()
    }
}
