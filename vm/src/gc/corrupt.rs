//! Breaking a heap by hand, for tests of whoever checks heaps. Only built with the feature `corrupt`.
//!
//! Each method breaks one rule and nothing else, so that a test sees which check speaks. What is left behind is not a
//! heap that a program should run on: look at it and drop it. Objects are named by their numbers. Memory stays sound:
//! an object that is freed here goes to quarantine, and none is taken out of all lists but by [`Corrupt::unlink`],
//! which leaks it.

use crate::gc::object::bits;
use crate::gc::pacing::Turn;
use crate::gc::{Age, AnyGc, Colour, Field, Gc, GrayList, Heap, ListName, Object, Phase, Site};
use crate::value::{Closure, Prototype, Table, Thread, Upvalue, UpvalueName, Value};
use moonphase_heap::Heap as _;
use std::cell::Cell;
use std::rc::Rc;

/// A heap that is going to be broken. See [`Heap::corrupt`].
pub struct Corrupt<'h> {
    heap: &'h mut Heap,
}

impl Heap {
    /// Ways to break this heap.
    pub fn corrupt(&mut self) -> Corrupt<'_> {
        Corrupt { heap: self }
    }
}

impl Corrupt<'_> {
    // Making and running, which break nothing.

    /// One turn of the collector. A finalizer that is due is not called.
    pub fn turn(&mut self) -> Phase {
        if let Turn::Finalize(_) = self.heap.step() {
            self.heap.note_finalized();
        }
        self.heap.phase
    }

    /// One turn of the collector, after which the finalizer that is due seems to run on.
    pub fn turn_into_finalizer(&mut self) {
        self.heap.step();
    }

    /// All objects with finalizers come to wait for them, as when the state is closed. No event tells of it.
    pub fn separate(&mut self) {
        self.heap.separate_unreachable_finalizable(true);
    }

    /// Takes the next object that waits for its finalizer, which is not called.
    pub fn take_finalizable(&mut self) {
        self.heap.take_finalizable();
    }

    /// Turns of the collector until it has come to this phase; at least one.
    pub fn turn_until(&mut self, phase: Phase) {
        while self.turn() != phase {}
    }

    /// Ends the cycle and enters generational mode, where a turn is a minor collection. Finalizers that are due are not
    /// called.
    pub fn enter_generational(&mut self) {
        while self.heap.phase != Phase::Pause {
            self.heap.step();
        }
        self.heap.collect_major();
    }

    /// The table of what the host keeps, which is a root.
    pub fn registry(&self) -> Gc<Table> {
        self.heap.registry()
    }

    /// The main thread, with at least this many slots in use.
    pub fn main_thread(&mut self, slots: usize) -> Gc<Thread> {
        let thread = self.heap.main_thread();
        let (before, old_base) = (thread.stack.len(), thread.stack.as_ptr());
        // SAFETY: the only reference to the thread, and it ends before its upvalues are moved along.
        let data = unsafe { thread.as_mut() };
        data.stack.resize(before.max(slots), Value::Nil);
        data.top = data.top.max(slots);
        let after = data.stack.len();
        self.heap.stack_moved(thread, old_base);
        self.heap.resized(before * size_of::<Value>(), after * size_of::<Value>());
        thread
    }

    /// A thread that nothing refers to, with an empty stack.
    pub fn new_thread(&mut self) -> Gc<Thread> {
        self.heap.new_thread()
    }

    /// A closure with a prototype of its own and these upvalues.
    pub fn new_closure(&mut self, upvalues: &[Gc<Upvalue>]) -> Gc<Closure> {
        let names = upvalues
            .iter()
            .enumerate()
            .map(|(index, _)| UpvalueName { name: Field::empty(), in_stack: false, index: index as u8 })
            .collect();
        let prototype = self.heap.new_prototype(|header| Prototype {
            header,
            source: Field::empty(),
            line_defined: 1,
            last_line_defined: 1,
            parameters: 0,
            variadic: false,
            max_stack: 2,
            code: Rc::from([]),
            lines: Rc::from([]),
            constants: Box::default(),
            prototypes: Box::default(),
            upvalues: names,
            locals: Box::default(),
            cache: Field::empty(),
        });
        let closure = self.heap.new_closure(prototype, upvalues.len() as u8);
        for (index, &upvalue) in upvalues.iter().enumerate() {
            self.heap.set_closure_upvalue(Site::ClosureFresh, closure, index, upvalue);
        }
        closure
    }

    /// An upvalue that is closed and has the value nil.
    pub fn new_upvalue(&mut self) -> Gc<Upvalue> {
        self.heap.new_closed_upvalue()
    }

    /// The open upvalue of a stack slot.
    pub fn open_upvalue(&mut self, thread: Gc<Thread>, slot: usize) -> Gc<Upvalue> {
        self.heap.find_upvalue(thread, slot)
    }

    /// Stores into a table as a program does, with barrier and event.
    pub fn set(&mut self, table: Gc<Table>, key: Value, value: Value) {
        // A key that no table can have is not stored.
        let _ = self.heap.table_set(table, key, value);
    }

    /// `debug.setupvalue`, with barrier and event.
    pub fn setupvalue(&mut self, closure: Gc<Closure>, index: usize, value: Value) {
        self.heap.setupvalue(closure, index, value);
    }

    /// Stores the table of this number, as [`Corrupt::set`] does.
    pub fn set_to_object(&mut self, table: Gc<Table>, key: Value, id: u32) {
        if let Object::Table(value) = self.find(id).unpack() {
            self.set(table, key, Value::Table(value));
        }
    }

    /// Sets a metatable, with barrier and event.
    pub fn set_metatable(&mut self, table: Gc<Table>, metatable: Gc<Table>) {
        self.heap.set_table_metatable(table, Some(metatable));
    }

    // Breaking.

    /// Stores into a table without a barrier, and tells the observer.
    pub fn set_without_barrier(&mut self, table: Gc<Table>, key: Value, value: Value) {
        self.set_in_silence(table, key, value);
        let written = self.heap.written(table.erase(), value.object());
        self.heap.note_store(Site::TableStore, written, None);
    }

    /// Stores into a table without a barrier, and tells nobody.
    pub fn set_in_silence(&mut self, table: Gc<Table>, key: Value, value: Value) {
        let before = table.size();
        // SAFETY: no other reference to the table is held here.
        let parts = unsafe { table.object_mut() };
        match parts.find(key) {
            Some(slot) => parts.set_value_at(slot, &value),
            // A key that no table can have is not stored.
            None => drop(parts.add(&mut self.heap.pool, key, value)),
        }
        self.heap.resized(before, table.size());
    }

    /// Gives an object another colour and leaves all lists as they are.
    pub fn set_colour(&mut self, id: u32, colour: Colour) {
        let bits = match colour {
            Colour::White => self.heap.current_white,
            Colour::OtherWhite => self.heap.other_white(),
            Colour::Gray => 0,
            Colour::Black => bits::BLACK,
        };
        self.find(id).set_colour(bits);
    }

    /// Gives an object another age and leaves all else as it is.
    pub fn set_age(&mut self, id: u32, age: Age) {
        self.find(id).set_age(age);
    }

    /// Turns the mark that an object has a finalizer.
    pub fn toggle_finalizer(&mut self, id: u32) {
        let object = self.find(id);
        if object.has(bits::FINALIZER) { object.clear(bits::FINALIZER) } else { object.set(bits::FINALIZER) }
    }

    /// Takes an object out of its list. Its memory is leaked.
    pub fn unlink(&mut self, id: u32) {
        let object = self.find(id);
        for list in
            [&self.heap.all, &self.heap.finalizable, &self.heap.to_be_finalized, &self.heap.open, &self.heap.fixed]
        {
            let mut link: &Cell<Option<AnyGc>> = list;
            let mut at = link.get();
            while let Some(current) = at {
                if current == object {
                    link.set(object.next.get());
                    return;
                }
                // SAFETY: `current` is in a list, so no step has freed it, nor will one while the heap is borrowed (the
                // invariant of handles).
                link = unsafe { &*std::ptr::from_ref(&current.next) };
                at = link.get();
            }
        }
    }

    /// Makes the list of all objects a circle: its last object is followed by this one. The heap must be mended with
    /// [`Corrupt::cut`] before it is dropped.
    pub fn tie(&mut self, id: u32) {
        let object = self.find(id);
        if let Some(last) = self.last_of_all() {
            last.next.set(Some(object));
        }
    }

    /// Ends the list of all objects after this object.
    pub fn cut(&mut self, id: u32) {
        let object = self.find(id);
        object.next.set(None);
    }

    /// The last object in the list of all objects.
    pub fn last(&self) -> Option<u32> {
        self.last_of_all().map(|object| object.id())
    }

    /// Frees an object whatever refers to it. It goes to quarantine.
    pub fn free(&mut self, id: u32) {
        let object = self.find(id);
        self.unlink(id);
        let size = super::allocate::size_of_object(object);
        self.heap.resized(size, 0);
        object.set(bits::FREED);
        self.heap.quarantine(object, size);
    }

    /// Adds an object to a gray list. Of the lists of weak tables only tables can be members.
    pub fn push_gray(&mut self, list: GrayList, id: u32) {
        let object = self.find(id);
        let tables = match list {
            GrayList::Gray => return self.heap.gray.push(object),
            GrayList::GrayAgain => return self.heap.gray_again.push(object),
            GrayList::WeakValues => &mut self.heap.weak_values,
            GrayList::Ephemerons => &mut self.heap.ephemerons,
            GrayList::AllWeak => &mut self.heap.all_weak,
        };
        if let Object::Table(table) = object.unpack() {
            tables.push(table);
        }
    }

    /// Removes an object from the gray lists.
    pub fn forget_gray(&mut self, id: u32) {
        self.heap.gray.retain(|object| object.id() != id);
        self.heap.gray_again.retain(|object| object.id() != id);
        for list in [&mut self.heap.weak_values, &mut self.heap.ephemerons, &mut self.heap.all_weak] {
            list.retain(|table| table.erase().id() != id);
        }
    }

    /// Exchanges the first two open upvalues of a thread.
    pub fn swap_open_upvalues(&mut self, thread: Gc<Thread>) {
        // SAFETY: no other reference to the thread is held here.
        let list = unsafe { thread.as_mut() }.open_upvalues.writable();
        if list.len() > 1 {
            list.swap(0, 1);
        }
    }

    /// Takes the last open upvalue out of the list of its thread.
    pub fn forget_open_upvalue(&mut self, thread: Gc<Thread>) {
        // SAFETY: no other reference to the thread is held here.
        unsafe { thread.as_mut() }.open_upvalues.writable().pop();
    }

    /// Exchanges the first two objects with finalizers.
    pub fn swap_finalizable(&mut self) {
        swap(self.heap.finalizable_head());
    }

    /// Exchanges the first two objects that wait for their finalizers.
    pub fn swap_waiting(&mut self) {
        swap(&self.heap.to_be_finalized);
    }

    /// Counts more bytes than there are.
    pub fn add_bytes(&mut self, bytes: usize) {
        self.heap.resized(0, bytes);
    }

    /// Gives an interned string another hash, so that it is not found where it ought to be.
    pub fn misplace_string(&mut self, id: u32) {
        if let Object::String(string) = self.find(id).unpack() {
            string.hash.set(string.hash.get().wrapping_add(1));
        }
    }

    fn last_of_all(&self) -> Option<AnyGc> {
        std::iter::successors(self.heap.all.get(), |object| object.next.get()).last()
    }

    /// An object in a list.
    ///
    /// # Panics
    /// There is none with this number: the test is wrong.
    fn find(&self, id: u32) -> AnyGc {
        ListName::ALL
            .into_iter()
            .find_map(|list| self.heap.view().list(list).find(|object| object.id() == id).map(|found| found.erased()))
            .unwrap_or_else(|| panic!("no object #{id}"))
    }
}

/// Exchanges the first two objects of a list.
fn swap(head: &Cell<Option<AnyGc>>) {
    if let Some(first) = head.get()
        && let Some(second) = first.next.get()
    {
        first.next.set(second.next.get());
        second.next.set(Some(first));
        head.set(Some(second));
    }
}
