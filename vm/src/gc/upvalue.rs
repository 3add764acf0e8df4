//! Upvalues: opening, sharing, closing, and the stores into them.
//!
//! What an upvalue is to the collector is the choice of the policy ([`Upvalues`]). As objects, open ones are either in
//! one list of the heap (`open`), each kept by the closures that use it, or kept by their thread. Counted ones are in no
//! list: the heap knows them by their numbers, with how many closures hold each; they have no colour and stay gray.

use crate::gc::finalizer::unlink;
use crate::gc::object::bits;
use crate::gc::{AnyGc, Gc, Heap, ObjectView, OpenRule, SetupvalueRule, Upvalues, copy_value};
use crate::gc::{Event, ScopeEnd, Site};
use crate::value::{Closure, Prototype, Thread, Upvalue, Value};
use std::collections::BTreeMap;

/// The counted upvalues, by their numbers.
pub(super) type CountedUpvalues = BTreeMap<u32, CountedUpvalue>;

/// An upvalue that closures hold by counting.
pub(super) struct CountedUpvalue {
    pub upvalue: Gc<Upvalue>,
    /// How many closures have it.
    pub holders: u32,
    /// Whether a closure that has it was traversed, or joined to it, while it was open: its value is to be marked in the
    /// atomic phase if its thread is not.
    pub touched: bool,
}

impl Gc<Upvalue> {
    /// Writes the variable's value. No barrier is called.
    #[inline(always)]
    fn write(&self, value: Value) {
        // SAFETY: the location is a value, as `Gc<Upvalue>::get` says; nothing holds a reference into a stack or a cell while
        // an upvalue is written.
        unsafe { *self.location.get().cast_mut() = value }
    }
}

impl Heap {
    /// The upvalue of a stack slot: the one that is open there, or a new one.
    pub(crate) fn find_upvalue(&mut self, thread: Gc<Thread>, slot: usize) -> Gc<Upvalue> {
        // SAFETY: nothing else refers to the thread's list or moves its stack here.
        let data = unsafe { thread.as_mut() };
        let location: *mut Value = &mut data.stack[slot];
        let mut place = data.open_upvalues.len();
        while place > 0 && data.open_upvalues[place - 1].location.get() >= location.cast_const() {
            let open = data.open_upvalues[place - 1];
            if open.location.get() == location.cast_const() {
                let forgets = planted!(self, DeadUpvalueNotRevived);
                if !forgets && self.policy.has_global_upvalues() && open.erase().is_dead(self.other_white()) {
                    // No closure had it any more, but the sweep has not come to it: it is wanted again, so it lives.
                    open.erase().set_colour(self.current_white);
                }
                self.note(|| Event::FindUpvalue(ObjectView::new(open.erase())));
                return open;
            }
            place -= 1;
        }
        let upvalue = self.new_upvalue(!self.policy.has_global_upvalues());
        upvalue.own.put(Value::Thread(thread));
        upvalue.location.put(location.cast_const());
        // SAFETY: as above; making the object has not touched the thread.
        unsafe { thread.as_mut() }.open_upvalues.writable().insert(place, upvalue);
        if self.policy.has_global_upvalues() {
            upvalue.erase().next.set(self.open.get());
            self.open.set(Some(upvalue.erase()));
        } else if !thread.in_upvalue_list.replace(true) && !planted!(self, ThreadForgotten) {
            self.threads_with_upvalues.push(thread);
        }
        if self.interests.fine {
            self.raise(Event::OpenUpvalue(ObjectView::new(upvalue.erase())));
        }
        upvalue
    }

    /// Closes the upvalues of the thread's slots at and above `level`.
    #[inline]
    pub(crate) fn close_upvalues(&mut self, thread: Gc<Thread>, level: usize, end: ScopeEnd) {
        if Self::has_open_upvalue(thread, level) {
            self.close_open_upvalues(thread, level, end);
        }
    }

    #[inline(never)]
    fn close_open_upvalues(&mut self, thread: Gc<Thread>, level: usize, end: ScopeEnd) {
        while Self::has_open_upvalue(thread, level) {
            // SAFETY: the reference to the thread ends before anything else is called.
            let last = unsafe { thread.as_mut() }.open_upvalues.writable().pop();
            if let Some(upvalue) = last {
                self.close_upvalue(upvalue, end);
            }
        }
    }

    /// Whether an upvalue of the thread is open at this level of its stack or above.
    #[inline(always)]
    pub(crate) fn has_open_upvalue(thread: Gc<Thread>, level: usize) -> bool {
        let slot = thread.stack.as_ptr().wrapping_add(level);
        thread.open_upvalues.last().is_some_and(|upvalue| upvalue.location.get() >= slot)
    }

    /// Closes an upvalue that was taken off its thread's list.
    fn close_upvalue(&mut self, upvalue: Gc<Upvalue>, end: ScopeEnd) {
        let object = upvalue.erase();
        let unused = match self.policy.upvalues {
            Upvalues::Objects { open: OpenRule::Global, .. } => object.is_dead(self.other_white()),
            Upvalues::Objects { open: OpenRule::ByThread, .. } => false,
            Upvalues::Counted => self.counted.get(&object.id()).is_none_or(|counted| counted.holders == 0),
        };
        if unused && !planted!(self, ClosingDeadKept) {
            return self.free(object);
        }
        if self.policy.has_global_upvalues() {
            unlink(&self.open, object);
            object.next.set(self.all.get());
            self.all.set(Some(object));
        }
        let value = upvalue.get();
        let written = self.written(object, value.object());
        upvalue.own.put(value);
        upvalue.location.put(upvalue.own.as_ptr());
        match self.policy.upvalues {
            _ if planted!(self, ClosingLeavesGray) => {}
            Upvalues::Objects { open: OpenRule::ByThread, .. } if !object.is_white() => {
                object.set_colour(bits::BLACK);
                self.closing_barrier(upvalue, value);
            }
            Upvalues::Objects { open: OpenRule::Global, .. } if object.is_gray() => {
                if self.keeps_invariant() {
                    object.set_colour(bits::BLACK);
                    self.closing_barrier(upvalue, value);
                } else {
                    object.set_colour(self.current_white);
                }
            }
            Upvalues::Counted => self.closing_barrier(upvalue, value),
            Upvalues::Objects { .. } => {}
        }
        if self.interests.stores {
            self.raise(Event::CloseUpvalue { upvalue: ObjectView::new(object), end });
        }
        self.note_store(Site::UpvalueClose, written, None);
    }

    fn closing_barrier(&mut self, upvalue: Gc<Upvalue>, value: Value) {
        if let Some(child) = value.object() {
            self.barrier_upvalue(Site::UpvalueClose, upvalue, child);
        }
    }

    /// The barrier after a value was stored into an upvalue.
    #[inline(always)]
    pub(super) fn barrier_upvalue(&mut self, site: Site, upvalue: Gc<Upvalue>, child: AnyGc) {
        if self.policy.counts_upvalues() {
            self.barrier_counted(site, upvalue, child);
        } else {
            self.barrier_forward(site, upvalue.erase(), child);
        }
    }

    /// The assignment of an upvalue by Lua code.
    #[inline(always)]
    pub(crate) fn store_upvalue(&mut self, upvalue: Gc<Upvalue>, value: &Value) {
        let old = if self.interests.stores { upvalue.get().object() } else { None };
        // SAFETY: an upvalue's location is a value; see `Gc<Upvalue>::get`.
        unsafe { copy_value(value, upvalue.location.get().cast_mut()) };
        if let Some(object) = value.object() {
            let written = self.written(upvalue.erase(), Some(object));
            match () {
                () if planted!(self, UpvalueStoreParentClosure) => self.barrier_of_running_closure(object),
                () if planted!(self, UpvalueStoreBackward) => {
                    self.barrier_back(Site::UpvalueStore, upvalue.erase(), object);
                }
                () => self.barrier_upvalue(Site::UpvalueStore, upvalue, object),
            }
            self.note_store(Site::UpvalueStore, written, old);
        }
    }

    /// The barrier of a planted fault, which takes the closure that runs for the holder of what it assigns.
    #[cold]
    fn barrier_of_running_closure(&mut self, child: AnyGc) {
        let thread = self.current();
        let function = thread.frames.last().and_then(|frame| thread.stack.get(frame.func as usize));
        if let Some(closure) = function.and_then(|function| function.object()) {
            self.barrier_forward(Site::UpvalueStore, closure, child);
        }
    }

    /// `debug.setupvalue` on a Lua closure, counted from 0. The closure has such an upvalue.
    pub(crate) fn setupvalue(&mut self, closure: Gc<Closure>, index: usize, value: Value) {
        let Some(upvalue) = closure.upvalues()[index].get() else { return };
        let old = upvalue.get();
        upvalue.write(value);
        if let Some(object) = value.object() {
            let written = self.written(upvalue.erase(), Some(object));
            match self.policy.upvalues {
                _ if planted!(self, SetupvalueParentClosure) => {
                    self.barrier_forward(Site::Setupvalue, closure.erase(), object);
                }
                Upvalues::Objects { setupvalue: SetupvalueRule::Closure, .. } => {
                    self.barrier_forward(Site::Setupvalue, closure.erase(), object);
                }
                _ => self.barrier_upvalue(Site::Setupvalue, upvalue, object),
            }
            self.note_store(Site::Setupvalue, written, old.object());
        }
    }

    /// The environment of a loaded chunk: the value of its first upvalue.
    pub(crate) fn set_environment(&mut self, upvalue: Gc<Upvalue>, value: Value) {
        upvalue.write(value);
        if let Some(object) = value.object() {
            let written = self.written(upvalue.erase(), Some(object));
            self.barrier_upvalue(Site::ChunkEnvironment, upvalue, object);
            self.note_store(Site::ChunkEnvironment, written, None);
        }
    }

    /// `debug.upvaluejoin`: the closure's upvalue `index` becomes `upvalue`.
    pub(crate) fn upvaluejoin(&mut self, closure: Gc<Closure>, index: usize, upvalue: Gc<Upvalue>) {
        let mut old = closure.upvalues()[index].exchange(Some(upvalue));
        let written = self.written(closure.erase(), Some(upvalue.erase()));
        if self.policy.counts_upvalues() {
            if planted!(self, SelfJoin) {
                old = old.filter(|&old| !self.release_counted(old));
                self.hold_counted(upvalue);
            } else {
                self.hold_counted(upvalue);
                old = old.filter(|&old| !self.release_counted(old));
            }
            // The closure may have been traversed already, so the join counts as traversing it.
            self.touch_counted(upvalue);
            if let Some(child) = upvalue.get().object() {
                self.barrier_counted(Site::Upvaluejoin, upvalue, child);
            }
        } else if planted!(self, JoinParentUpvalue) {
            if let Some(child) = upvalue.get().object() {
                self.barrier_forward(Site::Upvaluejoin, upvalue.erase(), child);
            }
        } else {
            let child = if planted!(self, JoinChildOldUpvalue) { old.unwrap_or(upvalue) } else { upvalue };
            self.barrier_forward(Site::Upvaluejoin, closure.erase(), child.erase());
        }
        let old = old.map(Gc::erase);
        self.note_store(Site::Upvaluejoin, written, old);
        let (closure, old, new) = (ObjectView::new(closure.erase()), old.map(ObjectView::new), upvalue.erase());
        self.note(|| Event::JoinUpvalue { closure, index, old, new: ObjectView::new(new) });
    }

    /// Gives a new closure an upvalue.
    pub(crate) fn set_closure_upvalue(&mut self, site: Site, closure: Gc<Closure>, index: usize, upvalue: Gc<Upvalue>) {
        closure.upvalues()[index].put(Some(upvalue));
        let written = self.written(closure.erase(), Some(upvalue.erase()));
        if self.policy.counts_upvalues() {
            self.hold_counted(upvalue);
        } else {
            self.barrier_forward(site, closure.erase(), upvalue.erase());
        }
        self.note_store(site, written, None);
    }

    /// Points the open upvalues of a thread to where its stack has moved.
    pub(crate) fn stack_moved(&mut self, thread: Gc<Thread>, old_base: *const Value) {
        // SAFETY: nothing else refers to the thread's list here.
        let data = unsafe { thread.as_mut() };
        let base = data.stack.as_mut_ptr().cast_const();
        for upvalue in data.open_upvalues.iter() {
            let slot = (upvalue.location.get() as usize - old_base as usize) / size_of::<Value>();
            // SAFETY: the slot was inside the old stack, and a stack with open upvalues above a slot never shrinks
            // below it.
            upvalue.location.put(unsafe { base.add(slot) });
        }
    }

    // The closure cache of Lua 5.2 and 5.3.

    /// The closure made last of this prototype, if a new one in this frame would have the same upvalues.
    #[inline]
    pub(crate) fn cached_closure(
        &self,
        prototype: Gc<Prototype>,
        thread: Gc<Thread>,
        base: usize,
        parent: Gc<Closure>,
    ) -> Option<Gc<Closure>> {
        let closure = prototype.cache.get()?;
        let same = prototype.upvalues.iter().zip(closure.upvalues()).all(|(wanted, upvalue)| {
            let Some(upvalue) = upvalue.get() else { return false };
            if wanted.in_stack {
                let slot = &thread.stack[base + wanted.index as usize];
                std::ptr::eq(upvalue.location.get(), slot)
            } else {
                parent.upvalues()[wanted.index as usize].get() == Some(upvalue)
            }
        });
        same.then_some(closure)
    }

    /// Keeps a new closure to be used again, where the language has that. A black prototype is traversed again, which
    /// empties the cache if the closure is still white then.
    #[inline]
    pub(crate) fn cache_closure(&mut self, prototype: Gc<Prototype>, closure: Gc<Closure>) {
        if self.semantics.closure_cache {
            prototype.cache.put(Some(closure));
            self.barrier_back(Site::ClosureCache, prototype.erase(), closure.erase());
        }
    }

    // The end of an upvalue, and of those who have one.

    /// Takes a dead upvalue out of the lists of open ones.
    pub(super) fn forget_upvalue(&mut self, upvalue: Gc<Upvalue>) {
        if let Some(thread) = upvalue.thread() {
            // SAFETY: the thread is not freed, since freeing it closes its upvalues; no other reference to its list is
            // held while freeing.
            let list = unsafe { thread.as_mut() }.open_upvalues.writable();
            list.retain(|&open| open != upvalue);
            if self.policy.has_global_upvalues() {
                unlink(&self.open, upvalue.erase());
            }
        }
        self.counted.remove(&upvalue.erase().id());
    }

    /// Gives the open upvalues of a dead thread their values; they may outlive it, or wait to be swept themselves.
    pub(super) fn close_all_upvalues_of_dead(&mut self, thread: Gc<Thread>) {
        // SAFETY: no other reference to the thread's list is held while freeing.
        let list = std::mem::take(unsafe { thread.as_mut() }.open_upvalues.writable());
        if !planted!(self, DeadThreadLeftOpen) {
            for upvalue in list.into_iter().rev() {
                self.close_upvalue(upvalue, ScopeEnd::ThreadFreed);
            }
        }
        self.threads_with_upvalues.retain(|&other| other != thread);
    }

    /// Sweeps the open upvalues of a thread that the sweep has met alive.
    pub(super) fn sweep_open_upvalues(&mut self, thread: Gc<Thread>) {
        let dead = self.other_white();
        // Freeing one takes it off the list.
        for upvalue in thread.open_upvalues.clone() {
            if upvalue.erase().is_dead(dead) {
                self.free(upvalue.erase());
            } else {
                self.turn_white(upvalue.erase());
            }
        }
    }

    // Counting.

    fn hold_counted(&mut self, upvalue: Gc<Upvalue>) {
        if let Some(counted) = self.counted.get_mut(&upvalue.erase().id()) {
            counted.holders += 1;
        }
    }

    /// A closure lets an upvalue go. A closed one that nobody holds is freed; an open one when it is closed. Says whether
    /// it was freed.
    fn release_counted(&mut self, upvalue: Gc<Upvalue>) -> bool {
        let Some(counted) = self.counted.get_mut(&upvalue.erase().id()) else { return false };
        counted.holders = counted.holders.saturating_sub(1);
        let unused = counted.holders == 0 && !upvalue.is_open();
        if unused {
            self.free(upvalue.erase());
        }
        unused
    }

    /// A closure dies: it lets its upvalues go.
    pub(super) fn release_upvalues_of(&mut self, closure: Gc<Closure>) {
        if planted!(self, CountKept) {
            return;
        }
        for upvalue in closure.upvalues().iter().filter_map(|upvalue| upvalue.get()) {
            self.release_counted(upvalue);
        }
    }

    /// A closure with this counted upvalue is being traversed. The value of an open one is on a stack, which is looked at
    /// again in the atomic phase.
    pub(super) fn mark_counted(&mut self, upvalue: Gc<Upvalue>) {
        if upvalue.is_open() && self.phase != crate::gc::Phase::Atomic {
            if !planted!(self, TouchedForgotten) {
                self.touch_counted(upvalue);
            }
        } else {
            self.mark_value(upvalue.get());
        }
    }

    fn touch_counted(&mut self, upvalue: Gc<Upvalue>) {
        if let Some(counted) = self.counted.get_mut(&upvalue.erase().id()) {
            counted.touched = true;
        }
    }

    /// Whether a closure with this counted upvalue was traversed, or joined to it, since the last call.
    pub(super) fn take_touched(&mut self, upvalue: Gc<Upvalue>) -> bool {
        let counted = self.counted.get_mut(&upvalue.erase().id());
        counted.is_some_and(|counted| std::mem::take(&mut counted.touched))
    }
}
