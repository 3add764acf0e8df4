//! The stack of the running thread.
//!
//! Every slot is a valid value at any time; growing moves the stack and the open upvalues that point into it.

use crate::gc::{Gc, ScopeEnd, copy_value, read_value};
use crate::interpreter::{Throw, Vm};
use crate::value::{Frame, FrameKind, Hook, Thread, ThreadStatus, Value};

/// Slots that natives may push without a check (Lua's `LUA_MINSTACK`).
pub(crate) const NATIVE_SLOTS: usize = 20;
/// Slots that a message handler gets beyond the limit.
const ERROR_SLOTS: usize = 200;
const FIRST_SIZE: usize = 2 * NATIVE_SLOTS;

impl Vm {
    pub(crate) fn init_main_thread(&mut self) {
        let main = self.heap.main_thread();
        self.init_thread(main);
        // What the host calls is a call inside that of the host, as the main program of `lua` is.
        // SAFETY: the reference ends here.
        unsafe { main.as_mut() }.nesting = 1;
        main.status.set(ThreadStatus::Running);
    }

    /// Gives a new thread its first slots and its bottom frame.
    pub(crate) fn init_thread(&mut self, thread: Gc<Thread>) {
        let before = thread.stack.len() * size_of::<Value>();
        // SAFETY: the thread is new; nothing refers into it.
        let data = unsafe { thread.as_mut() };
        data.stack = vec![Value::Nil; FIRST_SIZE];
        data.top = 1;
        data.frames.push(Frame {
            func: 0,
            base: 1,
            top: 1,
            pc: 0,
            wanted: -1,
            extra: 0,
            saved: 0,
            nesting: 0,
            kind: FrameKind::Base,
            flags: 0,
        });
        self.heap.resized(before, FIRST_SIZE * size_of::<Value>());
    }

    /// The running thread, to be changed.
    ///
    /// # Safety
    /// The reference ends before anything else can reach the thread.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn thread_mut<'a>(&self) -> &'a mut Thread {
        // SAFETY: the caller's promise; the running thread is a root.
        unsafe { self.heap.current().as_mut() }
    }

    /// Writes a slot of any thread. Stacks have no barrier: they are traversed again in the atomic phase.
    pub(crate) fn set_slot_of(&mut self, thread: Gc<Thread>, index: usize, value: Value) {
        // SAFETY: the reference ends here.
        unsafe { thread.as_mut() }.stack[index] = value;
    }

    /// Sets what the hook of a thread is called for; a count event comes after each `count` instructions.
    pub(crate) fn set_hook_events(&mut self, thread: Gc<Thread>, events: u8, count: u32) {
        // SAFETY: the reference ends with the statement.
        let hook = &mut unsafe { thread.as_mut() }.hook;
        *hook = Hook { events, count, remaining: count, ..*hook };
        self.update_checked();
    }

    /// First free slot.
    #[inline(always)]
    pub(crate) fn top(&self) -> usize {
        self.heap.current().top
    }

    #[inline(always)]
    pub(crate) fn set_top(&mut self, top: usize) {
        // SAFETY: the reference ends here.
        unsafe { self.thread_mut() }.top = top;
    }

    #[inline(always)]
    pub(crate) fn slot(&self, index: usize) -> Value {
        read_value(&self.heap.current().stack[index])
    }

    #[inline(always)]
    pub(crate) fn set_slot(&mut self, index: usize, value: Value) {
        // SAFETY: the reference ends here, and both are values.
        unsafe { copy_value(&value, &mut self.thread_mut().stack[index]) };
    }

    pub(crate) fn slots(&self, start: usize, count: usize) -> &[Value] {
        // The borrow of `self` keeps the stack from moving.
        let thread = self.heap.current();
        // SAFETY: the slice is inside the stack, which lives and stays as long as `self` is borrowed.
        unsafe { std::slice::from_raw_parts(thread.stack[start..start + count].as_ptr(), count) }
    }

    /// Pushes a value. Beyond the stack limit there is always room for a few, so this cannot fail; the next call does.
    #[inline]
    pub(crate) fn push(&mut self, value: Value) {
        // SAFETY: the reference ends before the stack grows.
        let thread = unsafe { self.thread_mut() };
        if thread.top == thread.stack.len() {
            self.grow_stack(1);
        }
        // SAFETY: the reference ends here.
        let thread = unsafe { self.thread_mut() };
        let top = thread.top;
        // SAFETY: both are values.
        unsafe { copy_value(&value, &mut thread.stack[top]) };
        thread.top = top + 1;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Value {
        // SAFETY: the reference ends here.
        let thread = unsafe { self.thread_mut() };
        thread.top -= 1;
        read_value(&thread.stack[thread.top])
    }

    /// Whether so many slots above `from`, and one more, are within the limit.
    pub(super) fn has_stack(&self, from: usize, slots: usize) -> bool {
        from.saturating_add(slots) < self.options.stack_limit
    }

    /// Makes room for so many slots above `from`.
    ///
    /// # Errors
    /// The stack would pass its limit: `stack overflow`.
    #[inline(always)]
    pub(crate) fn ensure_stack(&mut self, from: usize, slots: usize) -> Result<(), Throw> {
        if from + slots > self.heap.current().stack.len() { self.ensure_stack_slow(from, slots) } else { Ok(()) }
    }

    #[cold]
    fn ensure_stack_slow(&mut self, from: usize, slots: usize) -> Result<(), Throw> {
        let needed = from + slots;
        let limit = self.options.stack_limit;
        let size = self.heap.current().stack.len();
        if needed > limit {
            if size > limit && needed > limit + ERROR_SLOTS {
                // Already handling an overflow.
                return Err(self.handler_error());
            }
            if size <= limit {
                self.grow_to(limit + ERROR_SLOTS);
                return Err(self.runtime_error(b"stack overflow"));
            }
            return Ok(());
        }
        self.reserve(slots * size_of::<Value>())?;
        self.grow_to(needed.max(2 * size).min(limit));
        Ok(())
    }

    /// Gives a stack back of which little is in use, as Lua does when an error was caught and when a thread is traversed
    /// (`luaD_shrinkstack`); here it is done when a cycle ends, and before a collection of generational mode. What is beyond the
    /// limit, with which an overflow was handled, goes too.
    pub(super) fn shrink_stack(&mut self) {
        let limit = self.options.stack_limit;
        let thread = self.heap.current();
        let size = thread.stack.len();
        if planted!(self.heap, OverflowKept) {
            return;
        }
        let tops = thread.frames.iter().map(|frame| frame.top as usize);
        // A faulty VM may have left variables open above the top.
        let base = thread.stack.as_ptr() as usize;
        let open = thread.open_upvalues.iter().filter_map(|upvalue| {
            let slot = (upvalue.location.get() as usize).checked_sub(base)? / size_of::<Value>();
            (slot < size).then_some(slot + 1)
        });
        let closing = thread.to_be_closed.iter().map(|&slot| slot as usize);
        let used = tops.chain(open).chain(closing).fold(thread.top, usize::max) + NATIVE_SLOTS;
        let fits = if size > limit { limit } else { 3 * used };
        if used > limit || size <= fits {
            return;
        }
        let small = (2 * used).clamp(FIRST_SIZE, limit);
        let old_base = thread.stack.as_ptr();
        // SAFETY: the reference ends before the upvalues are moved along, none of which is open beyond what is in use by the above.
        let stack = &mut unsafe { thread.as_mut() }.stack;
        stack.truncate(small);
        stack.shrink_to_fit();
        self.heap.stack_moved(thread, old_base);
        self.heap.resized(size * size_of::<Value>(), small * size_of::<Value>());
    }

    fn grow_stack(&mut self, slots: usize) {
        let size = self.heap.current().stack.len();
        self.grow_to(2 * size + slots);
    }

    fn grow_to(&mut self, size: usize) {
        let thread = self.heap.current();
        let before = thread.stack.len();
        if size <= before {
            return;
        }
        if planted!(self.heap, MovedStackLeft) {
            self.heap.close_upvalues(thread, 0, ScopeEnd::NewFrame);
        }
        let old_base = thread.stack.as_ptr();
        // SAFETY: the reference ends before the upvalues are moved along.
        let stack = &mut unsafe { thread.as_mut() }.stack;
        stack.reserve_exact(size - before);
        stack.resize(size, Value::Nil);
        self.heap.stack_moved(thread, old_base);
        self.heap.resized(before * size_of::<Value>(), size * size_of::<Value>());
    }
}
