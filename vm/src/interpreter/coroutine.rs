//! Coroutines: each is a Lua stack of its own, and resuming or yielding only changes which one runs.

use crate::gc::{Gc, ScopeEnd};
use crate::interpreter::call::Next;
use crate::interpreter::{Call, Throw, Vm};
use crate::value::{FrameKind, Hook, Metamethod, Thread, ThreadStatus, Value};

impl Vm {
    /// A suspended coroutine that will call the function.
    pub(crate) fn new_coroutine(&mut self, function: Value) -> Gc<Thread> {
        let thread = self.heap.new_thread();
        self.init_thread(thread);
        // As in Lua the events are inherited, and the function is not.
        let Hook { events, count, .. } = self.heap.current().hook;
        // SAFETY: the reference ends with the block.
        let data = unsafe { thread.as_mut() };
        data.stack[1] = function;
        data.top = 2;
        data.hook = Hook { events, count, remaining: count, ..Hook::default() };
        thread
    }

    /// Whether the running function may yield.
    pub(crate) fn is_yieldable(&self) -> bool {
        let thread = self.heap.current();
        thread.resumer.is_some() && thread.native_boundaries == 0
    }

    pub(super) fn switch_to(&mut self, thread: Gc<Thread>) {
        thread.status.set(ThreadStatus::Running);
        self.heap.current_thread = Some(thread);
        self.update_checked();
    }

    /// `coroutine.resume`, whose frame is on top.
    pub(super) fn resume(&mut self, func: usize, args: usize) -> Result<Next, Throw> {
        let Value::Thread(thread) = (if args == 0 { Value::Nil } else { self.slot(func + 1) }) else {
            self.retype_top(FrameKind::Native);
            return Err(Call { vm: self, base: func + 1, count: args }.type_error(0, "thread"));
        };
        match self.check_resumable(thread, args - 1) {
            Ok(()) => self.continue_coroutine(thread, func + 2, args - 1),
            Err(message) => {
                let message = self.heap.new_string(message.as_bytes());
                self.set_top(func + 1);
                self.push(Value::Boolean(false));
                self.push(Value::String(message));
                self.return_values(func + 1, 2)
            }
        }
    }

    /// A function made by `coroutine.wrap`, whose frame is on top.
    pub(super) fn resume_wrapped(&mut self, func: usize, args: usize) -> Result<Next, Throw> {
        let thread = match self.slot(func) {
            Value::NativeClosure(closure) => closure.upvalues.first().map(|upvalue| upvalue.get()),
            _ => None,
        };
        let Some(Value::Thread(thread)) = thread else {
            // The upvalue can be replaced through `debug.setupvalue`.
            self.retype_top(FrameKind::Native);
            return Err(Call { vm: self, base: func + 1, count: args }.error("not a coroutine"));
        };
        match self.check_resumable(thread, args) {
            Ok(()) => self.continue_coroutine(thread, func + 1, args),
            Err(message) => {
                self.retype_top(FrameKind::Native);
                Err(self.native_error(message.as_bytes()))
            }
        }
    }

    fn check_resumable(&self, thread: Gc<Thread>, args: usize) -> Result<(), &'static str> {
        match thread.status.get() {
            ThreadStatus::Suspended if !self.has_stack(thread.top, args) => Err("too many arguments to resume"),
            ThreadStatus::Suspended if self.nesting() + 1 >= self.options.nesting_limit => Err("C stack overflow"),
            ThreadStatus::Suspended => Ok(()),
            ThreadStatus::Dead => Err("cannot resume dead coroutine"),
            ThreadStatus::Running | ThreadStatus::Normal => Err("cannot resume non-suspended coroutine"),
        }
    }

    /// Switches to a coroutine and gives it the `count` values from slot `first` on.
    fn continue_coroutine(&mut self, thread: Gc<Thread>, first: usize, count: usize) -> Result<Next, Throw> {
        let resumer = self.heap.current();
        resumer.status.set(ThreadStatus::Normal);
        let nesting = self.nesting() + 1;
        self.heap.set_resumer(thread, Some(resumer));
        // SAFETY: the reference ends here.
        unsafe { thread.as_mut() }.nesting = nesting;
        self.switch_to(thread);
        self.copy_values(resumer, first, count)?;
        let top = self.top();
        if thread.frames.len() == 1 { self.precall(1, count, -1, 0, 0) } else { self.return_values(top - count, count) }
    }

    /// The calls inside each other that the running coroutine has made do not count any more: after a yield, or an error
    /// that it caught, Lua goes on with the C stack that the coroutine began with.
    pub(super) fn restart_nesting(&mut self) {
        // SAFETY: the reference ends with the function.
        let frames = &mut unsafe { self.thread_mut() }.frames;
        // The frames below one that does not count do not, either.
        frames.iter_mut().rev().take_while(|frame| frame.nesting > 0).for_each(|frame| frame.nesting = 0);
    }

    /// Pushes values of another stack on the running one.
    fn copy_values(&mut self, from: Gc<Thread>, first: usize, count: usize) -> Result<(), Throw> {
        let top = self.top();
        self.ensure_stack(top, count + 1)?;
        // SAFETY: the two threads are different, and the reference ends with the block.
        let thread = unsafe { self.thread_mut() };
        thread.stack[top..top + count].copy_from_slice(&from.stack[first..first + count]);
        thread.top = top + count;
        Ok(())
    }

    /// `coroutine.yield`, whose frame is on top.
    pub(super) fn yield_values(&mut self, func: usize, args: usize) -> Result<Next, Throw> {
        let thread = self.heap.current();
        let resumer = match *thread.resumer {
            Some(resumer) if thread.native_boundaries == 0 => resumer,
            _ => {
                self.retype_top(FrameKind::Native);
                let is_main = thread == self.heap.main_thread();
                let place: &[u8] = if is_main { b"from outside a coroutine" } else { b"across a C-call boundary" };
                return Err(self.runtime_error(&[b"attempt to yield ", place].concat()));
            }
        };
        self.restart_nesting();
        let left = self.leave_coroutine(resumer, ThreadStatus::Suspended, func + 1, args);
        // SAFETY: the reference ends here. The values that were yielded are not kept.
        unsafe { thread.as_mut() }.top = func + 1;
        let (first, count) = left?;
        self.return_values(first, count)
    }

    /// The running coroutine's function returned: its results are those of the resume. Gives their place in the resumer.
    pub(super) fn finish_coroutine(&mut self, first: usize, count: usize) -> Result<(usize, usize), Throw> {
        let thread = self.heap.current();
        let Some(resumer) = *thread.resumer else { unreachable!("the main thread's frames are above a boundary") };
        let left = self.leave_coroutine(resumer, ThreadStatus::Dead, first, count);
        // SAFETY: the reference ends here.
        unsafe { thread.as_mut() }.top = 1;
        left
    }

    /// Switches from the running coroutine to its resumer, which gets the values as the results of its waiting frame.
    fn leave_coroutine(
        &mut self,
        resumer: Gc<Thread>,
        status: ThreadStatus,
        first: usize,
        count: usize,
    ) -> Result<(usize, usize), Throw> {
        let thread = self.heap.current();
        thread.status.set(status);
        self.heap.set_resumer(thread, None);
        self.switch_to(resumer);
        let Some(&frame) = resumer.frames.last() else { unreachable!("the resumer waits in a frame") };
        let results = frame.base as usize;
        self.set_top(results);
        if !self.has_stack(results + 1, count) {
            let message = self.heap.new_string(b"too many results to resume");
            if frame.kind != FrameKind::Resume {
                return Err(self.native_error(message.as_bytes()));
            }
            self.push(Value::Boolean(false));
            self.push(Value::String(message));
            return Ok((results, 2));
        }
        if frame.kind == FrameKind::Resume {
            self.push(Value::Boolean(true));
        }
        self.copy_values(thread, first, count)?;
        Ok((results, self.top() - results))
    }

    /// Closes a coroutine that is suspended or dead: its to-be-closed variables are closed. `Ok(Err(value))` where the
    /// coroutine died, or a `__close` method failed, with that error.
    pub(crate) fn close_coroutine(&mut self, thread: Gc<Thread>, end: ScopeEnd) -> Result<Result<(), Value>, Throw> {
        let mut error = if thread.failed.replace(false) { Some(thread.stack[thread.top - 1]) } else { None };
        let caller = self.heap.current();
        let caller_status = caller.status.get();
        caller.status.set(ThreadStatus::Normal);
        let nesting = self.nesting();
        // SAFETY: the reference ends with the block.
        let data = unsafe { thread.as_mut() };
        data.frames.truncate(1);
        data.message_handler = 0;
        data.nesting = nesting;
        self.switch_to(thread);
        let mut uncatchable = None;
        loop {
            if !planted!(self.heap, ClosedThreadLeftOpen) {
                self.heap.close_upvalues(thread, 1, end);
            }
            let Some(slot) = self.pop_to_be_closed(1, end) else { break };
            if uncatchable.is_some() {
                continue;
            }
            let variable = self.slot(slot);
            self.set_top(slot + 1);
            if let Some(error) = error {
                // What is to be given back must survive the call.
                self.push(error);
            }
            let handler = self.heap.metamethod_of(variable, Metamethod::Close);
            match self.call_nested(handler, &[variable, error.unwrap_or_default()], Some(0)) {
                Ok(_) => {}
                Err(Throw::Error(value) | Throw::Handled(value)) => error = Some(value),
                Err(other) => uncatchable = Some(other),
            }
        }
        self.set_top(1);
        self.passed.clear();
        thread.status.set(ThreadStatus::Dead);
        self.heap.current_thread = Some(caller);
        caller.status.set(caller_status);
        self.update_checked();
        match (uncatchable, error) {
            (Some(throw), _) => Err(throw),
            (None, Some(error)) => Ok(Err(error)),
            (None, None) => Ok(Ok(())),
        }
    }
}
