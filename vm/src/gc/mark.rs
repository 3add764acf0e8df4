//! Marking: from the roots over gray objects to everything that is reachable.

use crate::gc::Event;
use crate::gc::object::bits;
use crate::gc::{AnyGc, Clearing, Gc, Heap, Object, ObjectView, Phase, StringRule, SweepRule, Weakness};
use crate::random;
use crate::value::{Closure, Metamethod, NativeClosure, Prototype, Table, Thread, Userdata, Value};

/// Work is counted in references visited, as in Lua: one for the object and one for each slot.
pub(super) type Work = usize;

/// What the `__mode` of a metatable says.
pub(super) fn weakness_of_mode(mode: Value) -> Weakness {
    match mode {
        Value::String(mode) => Weakness::of_mode(mode.as_bytes()),
        _ => Weakness::None,
    }
}

impl Heap {
    /// Puts what waits to be traversed, or cleared, into a random order.
    pub(crate) fn shuffle_gray(&mut self, state: &mut [u64; 4]) {
        for list in [&mut self.gray, &mut self.gray_again] {
            random::shuffle(state, list);
        }
        for list in [&mut self.weak_values, &mut self.ephemerons, &mut self.all_weak] {
            random::shuffle(state, list);
        }
    }

    /// Marks the object if it is white.
    #[inline(always)]
    pub(super) fn mark_if_white(&mut self, object: AnyGc) {
        if object.is_white() {
            self.mark_object(object);
        }
    }

    #[inline(always)]
    pub(super) fn mark_value(&mut self, value: Value) {
        if let Some(object) = value.object() {
            self.mark_if_white(object);
        }
    }

    fn mark_option<T: crate::gc::Managed>(&mut self, object: Option<Gc<T>>) {
        if let Some(object) = object {
            self.mark_if_white(object.erase());
        }
    }

    /// White to gray; objects that refer to nothing, or to one thing, become black at once.
    pub(super) fn mark_object(&mut self, object: AnyGc) {
        if object.has(bits::FREED) {
            self.halted = true;
            self.raise_dangling(object);
            return;
        }
        if self.interests.fine {
            self.raise(Event::Mark(ObjectView::new(object)));
        }
        match object.unpack() {
            Object::String(_) => object.set_colour(match self.policy.strings {
                StringRule::Black => bits::BLACK,
                StringRule::Gray => 0,
            }),
            Object::Upvalue(upvalue) => {
                // An open upvalue is never black: its value is a stack slot, and stacks have no barrier.
                object.set_colour(if upvalue.is_open() { 0 } else { bits::BLACK });
                self.mark_value(upvalue.get());
            }
            Object::Userdata(userdata) if userdata.user_values.is_empty() => {
                object.set_colour(bits::BLACK);
                self.mark_option(userdata.metatable.get());
            }
            _ => {
                object.set_colour(0);
                self.gray.push(object);
            }
        }
    }

    #[cold]
    fn raise_dangling(&mut self, object: AnyGc) {
        self.halted = false;
        self.raise(Event::Dangling(ObjectView::new(object)));
        self.halted = true;
    }

    /// Begins a cycle: forgets the gray lists of the one before, and marks the roots.
    pub(super) fn restart(&mut self) {
        self.clear_gray_lists();
        self.trim_quarantine();
        let main = self.main_thread();
        self.mark_if_white(main.erase());
        self.mark_registry_and_metatables();
        // Lua 5.1 leaves that to the atomic phase.
        if self.policy.sweep != SweepRule::Strings {
            self.mark_being_finalized();
        }
    }

    pub(super) fn clear_gray_lists(&mut self) {
        if !planted!(self, AbandonedGrayKept) {
            self.gray.clear();
            self.gray_again.clear();
        }
        self.weak_values.clear();
        self.ephemerons.clear();
        self.all_weak.clear();
    }

    /// The roots that have no barrier, and so are marked again in the atomic phase.
    pub(super) fn mark_registry_and_metatables(&mut self) {
        self.mark_option(self.registry);
        self.mark_option(self.host_references);
        for metatable in self.metatables.all() {
            self.mark_option(metatable);
        }
        for index in 0..self.anchors.len() {
            self.mark_if_white(self.anchors[index].0);
        }
    }

    /// Traverses one gray object.
    pub(super) fn propagate(&mut self) -> Work {
        let Some(object) = self.gray.pop() else { return 0 };
        if object.has(bits::FREED) {
            self.halted = true;
            self.raise_dangling(object);
            return 1;
        }
        object.set_colour(bits::BLACK);
        if self.interests.fine {
            self.raise(Event::Traverse(ObjectView::new(object)));
        }
        let work = match object.unpack() {
            Object::Table(table) => self.traverse_table(table),
            Object::Closure(closure) => self.traverse_closure(closure),
            Object::NativeClosure(closure) => self.traverse_native_closure(closure),
            Object::Userdata(userdata) => self.traverse_userdata(userdata),
            Object::Thread(thread) => self.traverse_thread(thread),
            Object::Prototype(prototype) => self.traverse_prototype(prototype),
            Object::String(_) | Object::Upvalue(_) => 1,
        };
        if self.interests.steps && self.phase == Phase::Propagate {
            self.raise(Event::Traversed(ObjectView::new(object)));
        }
        work
    }

    pub(super) fn propagate_all(&mut self) -> Work {
        let mut work = 0;
        while !self.gray.is_empty() {
            work += self.propagate();
        }
        work
    }

    fn traverse_table(&mut self, table: Gc<Table>) -> Work {
        if !planted!(self, MetatableNotMarked) {
            self.mark_option(table.metatable.get());
        }
        match self.weakness(table) {
            Weakness::None => self.traverse_strong(table),
            Weakness::Values => self.traverse_weak_values(table),
            Weakness::Keys if self.semantics.ephemerons => {
                self.traverse_ephemeron(table, false);
            }
            Weakness::Keys => self.traverse_weak_keys(table),
            Weakness::Both => {
                // Nothing to visit. A table that may still change is looked at again in the atomic phase.
                table.erase().set_colour(0);
                if self.phase == Phase::Propagate && !planted!(self, AllWeakMarkedOnce) {
                    self.gray_again.push(table.erase());
                } else {
                    self.all_weak.push(table);
                }
            }
        }
        1 + table.array().len() + 2 * table.node_count()
    }

    pub(super) fn weakness(&self, table: Gc<Table>) -> Weakness {
        let Some(metatable) = table.metatable.get() else { return Weakness::None };
        weakness_of_mode(self.metamethod_in(metatable, Metamethod::Mode))
    }

    fn traverse_strong(&mut self, table: Gc<Table>) {
        let mut items = 0..table.array().len();
        if planted!(self, ArrayEndNotMarked) {
            items.next_back();
        }
        for index in items {
            self.mark_value(table.array()[index]);
        }
        for index in 0..table.node_count() {
            let Some((key, value)) = table.entry(index) else {
                self.bury_key(table, index);
                continue;
            };
            self.mark_value(key);
            self.mark_value(value);
        }
        self.link_if_touched(table.erase());
    }

    /// The key of an empty entry is not a reference: it may be collected.
    pub(super) fn bury_key(&mut self, table: Gc<Table>, index: usize) {
        if planted!(self, DeadKeysKept) {
            return;
        }
        // SAFETY: no other reference to the table is held by the traversals.
        let table = unsafe { table.object_mut() };
        table.bury_key(index);
        if planted!(self, DeadKeyLost) {
            table.lose_dead_key(index);
        }
    }

    /// Marks the keys of a table with weak values. In the atomic phase the table is kept for clearing if it has white
    /// values.
    fn traverse_weak_values(&mut self, table: Gc<Table>) {
        // Items of the array part may be white; rather than look at each, they are looked at when clearing.
        let mut has_white = !table.array().is_empty();
        for index in 0..table.node_count() {
            let Some((key, value)) = table.entry(index) else {
                self.bury_key(table, index);
                continue;
            };
            self.mark_value(key);
            let is_white = self.is_cleared(value);
            if is_white && self.phase != Phase::Propagate && planted!(self, WeakValuesClearedEarly) {
                self.clear_node(Clearing::Values, table, index);
            }
            has_white |= is_white;
        }
        if self.phase == Phase::Propagate {
            table.erase().set_colour(0);
            if planted!(self, WeakValuesMarkedOnce) {
                return self.all_weak.push(table);
            }
            self.gray_again.push(table.erase());
        } else if has_white {
            table.erase().set_colour(0);
            self.weak_values.push(table);
        } else if !planted!(self, WeakTouchedBlack) {
            self.link_if_touched(table.erase());
        }
    }

    /// Marks the values of a table with weak keys that are not ephemerons. In the atomic phase it is kept for clearing.
    fn traverse_weak_keys(&mut self, table: Gc<Table>) {
        for index in 0..table.array().len() {
            self.mark_value(table.array()[index]);
        }
        for index in 0..table.node_count() {
            match table.entry(index) {
                Some((_, value)) => self.mark_value(value),
                None => self.bury_key(table, index),
            }
        }
        table.erase().set_colour(0);
        if self.phase == Phase::Propagate {
            self.gray_again.push(table.erase());
        } else {
            self.all_weak.push(table);
        }
    }

    /// Marks the values of an ephemeron table whose keys are marked. Says whether it marked any.
    pub(super) fn traverse_ephemeron(&mut self, table: Gc<Table>, backwards: bool) -> bool {
        let mut marked = false;
        let mut white_keys = false;
        let mut white_pairs = false;
        for index in 0..table.array().len() {
            let value = table.array()[index];
            if value.is_white() {
                marked = true;
                self.mark_value(value);
            }
        }
        let count = table.node_count();
        for step in 0..count {
            let index = if backwards { count - 1 - step } else { step };
            let Some((key, value)) = table.entry(index) else {
                self.bury_key(table, index);
                continue;
            };
            if self.is_cleared(key) {
                white_keys = true;
                white_pairs |= value.is_white();
            } else if value.is_white() && self.phase != Phase::Propagate && planted!(self, EphemeronEntryDropped) {
                self.clear_node(Clearing::Keys, table, index);
            } else if value.is_white() {
                marked = true;
                self.mark_value(value);
            }
        }
        let object = table.erase();
        let once = white_keys && !white_pairs && planted!(self, EphemeronMarkedOnce);
        if self.phase == Phase::Propagate && !once {
            object.set_colour(0);
            self.gray_again.push(object);
        } else if white_pairs {
            object.set_colour(0);
            self.ephemerons.push(table);
        } else if white_keys && !planted!(self, EphemeronKeysForgotten) {
            object.set_colour(0);
            self.all_weak.push(table);
        } else {
            object.set_colour(bits::BLACK);
            self.link_if_touched(object);
        }
        marked
    }

    fn traverse_closure(&mut self, closure: Gc<Closure>) -> Work {
        self.mark_if_white(closure.prototype.get().erase());
        let mut upvalues = closure.upvalues().iter();
        if planted!(self, ClosureUpvaluesNotMarked) {
            upvalues.next_back();
        }
        for upvalue in upvalues {
            match upvalue.get() {
                Some(upvalue) if self.policy.counts_upvalues() => self.mark_counted(upvalue),
                upvalue => self.mark_option(upvalue),
            }
        }
        1 + closure.upvalues().len()
    }

    fn traverse_native_closure(&mut self, closure: Gc<NativeClosure>) -> Work {
        for value in &closure.upvalues {
            self.mark_value(value.get());
        }
        1 + closure.upvalues.len()
    }

    fn traverse_userdata(&mut self, userdata: Gc<Userdata>) -> Work {
        self.mark_option(userdata.metatable.get());
        for value in &userdata.user_values {
            self.mark_value(value.get());
        }
        self.link_if_touched(userdata.erase());
        1 + userdata.user_values.len()
    }

    fn traverse_prototype(&mut self, prototype: Gc<Prototype>) -> Work {
        if prototype.cache.get().is_some_and(|closure| closure.erase().is_white()) {
            // The cache is no reference: it lets the closure be collected.
            prototype.cache.clear();
        }
        self.mark_option(prototype.source.get());
        for constant in &prototype.constants {
            self.mark_value(constant.get());
        }
        for upvalue in &prototype.upvalues {
            self.mark_option(upvalue.name.get());
        }
        for nested in &prototype.prototypes {
            self.mark_option(nested.get());
        }
        for local in &prototype.locals {
            self.mark_option(local.name.get());
        }
        1 + prototype.constants.len() + prototype.upvalues.len() + prototype.prototypes.len() + prototype.locals.len()
    }

    /// A stack has no barrier, so a thread is never black while marking: it waits on the gray-again list and is traversed
    /// again in the atomic phase. An old one waits there for the next collection too.
    fn traverse_thread(&mut self, thread: Gc<Thread>) -> Work {
        thread.erase().set_colour(0);
        let again = self.phase == Phase::Propagate || thread.erase().is_old();
        if again && !planted!(self, ThreadsBlackened) {
            self.gray_again.push(thread.erase());
        } else {
            thread.erase().set_colour(bits::BLACK);
        }
        // The last slots in use may be above the running frame's top only for dead temporaries.
        let skipped = planted!(self, ExtraArgumentsNotMarked).then(|| thread.extra_arguments());
        for index in 0..thread.top {
            if skipped.as_ref().is_some_and(|slots| slots.binary_search(&index).is_ok()) {
                continue;
            }
            self.mark_value(thread.stack[index]);
        }
        if self.policy.keeps_open_upvalues() {
            for index in 0..thread.open_upvalues.len() {
                self.mark_if_white(thread.open_upvalues[index].erase());
            }
        }
        self.mark_option(*thread.resumer);
        if self.phase != Phase::Propagate {
            // What is above the top is dead and may be swept in this cycle: nothing may find it there later.
            // SAFETY: no other reference to the thread is held here.
            let data = unsafe { thread.as_mut() };
            let top = data.top;
            if !planted!(self, DeadStackKept) {
                data.stack[top..].fill(Value::Nil);
            }
            let needless = self.policy.has_global_upvalues() || thread.open_upvalues.is_empty();
            if !needless && !planted!(self, RevivedThreadForgotten) && !thread.in_upvalue_list.replace(true) {
                self.threads_with_upvalues.push(thread);
            }
        }
        1 + thread.top
    }
}
