//! Errors on their way to whoever catches them.

use crate::gc::ScopeEnd;
use crate::interpreter::call::Next;
use crate::interpreter::{NativeResult, Throw, Vm};
use crate::value::{FrameKind, Metamethod, ThreadStatus, Value, flags};

impl Vm {
    /// Finds who catches a throw and lets it go on from there. `Err` where nobody does before the innermost boundary, whose
    /// frame is gone then.
    #[cold]
    pub(super) fn unwind(&mut self, throw: Throw) -> Result<Next, Throw> {
        let mut throw = throw;
        loop {
            if let Throw::Error(value) = throw {
                // The handler runs where the error was raised, with all frames still there.
                throw = match self.handle_message(value) {
                    Ok(value) => Throw::Handled(value),
                    Err(other) => other,
                };
            }
            let thread = self.heap.current();
            let caught = thread.frames.iter().rposition(|frame| match frame.kind {
                FrameKind::Boundary | FrameKind::Base => true,
                FrameKind::Pcall | FrameKind::Xpcall | FrameKind::Closing => matches!(throw, Throw::Handled(_)),
                _ => false,
            });
            let Some(index) = caught else { unreachable!("every stack has a bottom frame") };
            let frame = thread.frames[index];
            match frame.kind {
                FrameKind::Boundary => {
                    // The top stays where it is until whoever catches the throw has closed the upvalues below it.
                    // SAFETY: the reference ends here.
                    let passed = unsafe { self.thread_mut() }.frames.drain(index..);
                    self.passed.splice(0..0, passed);
                    return Err(throw);
                }
                FrameKind::Base => match self.fail_coroutine(throw) {
                    Ok(next) => return Ok(next),
                    Err(again) => throw = again,
                },
                _ => {
                    let Throw::Handled(value) = throw else { unreachable!("only errors are caught") };
                    return Ok(self.catch(index, value));
                }
            }
        }
    }

    /// Calls the message handler in force, if there is one. Gives the error to go on with.
    fn handle_message(&mut self, mut value: Value) -> Result<Value, Throw> {
        let thread = self.heap.current();
        if thread.message_handler == 0 {
            return Ok(value);
        }
        let handler = thread.stack[thread.message_handler as usize];
        // Above everything that the failing function may have in use.
        let top = thread.frames.last().map_or(0, |frame| frame.top as usize).max(thread.top);
        self.set_top(top);
        let mut deeper = 1;
        if self.nesting() + 1 == self.options.nesting_limit {
            // The handler's call is the one that is too many, or the error is of such a call, and the same. The handler is
            // called again for it, and gets some more calls, of which the one that failed counts as one.
            let Throw::Error(overflow) = self.nesting_error() else { unreachable!("it can be caught") };
            value = overflow;
            deeper = 2;
        }
        let result = self
            .nesting_of_handler(deeper)
            .and_then(|nesting| self.call_nested_at(handler, &[value], Some(1), flags::HANDLER, nesting));
        self.passed.clear();
        match result {
            Ok(_) => Ok(self.pop()),
            // What the handler raised was handled by itself as long as that was possible.
            Err(Throw::Error(value) | Throw::Handled(value)) => Ok(value),
            Err(other) => Err(other),
        }
    }

    /// What the message handler in force makes of an error that a native function catches before it is raised.
    pub(crate) fn handle_error(&mut self, error: Throw) -> Result<Value, Throw> {
        let top = self.top();
        let handled = match error {
            Throw::Error(value) => self.handle_message(value),
            Throw::Handled(value) => Ok(value),
            other => Err(other),
        };
        if handled.is_ok() {
            self.set_top(top);
        }
        handled
    }

    /// Does work with the value in a slot as the message handler in force.
    pub(crate) fn with_message_handler<T>(&mut self, slot: usize, work: impl FnOnce(&mut Vm) -> T) -> T {
        // SAFETY: the reference ends here.
        let before = std::mem::replace(&mut unsafe { self.thread_mut() }.message_handler, slot as u32);
        let result = work(self);
        // SAFETY: as above.
        unsafe { self.thread_mut() }.message_handler = before;
        result
    }

    /// Makes the protected call in the frame at `index` the innermost one, with the error it caught.
    fn catch(&mut self, index: usize, value: Value) -> Next {
        // SAFETY: the reference ends with the block.
        let thread = unsafe { self.thread_mut() };
        thread.frames.truncate(index + 1);
        self.passed.clear();
        let frame = &mut thread.frames[index];
        let func = frame.func as usize;
        match frame.kind {
            // The handler stays in force until all is closed. The slot of `pcall` itself gets the error.
            FrameKind::Xpcall => {
                frame.flags |= flags::XPCALL;
                thread.message_handler = func as u32 + 1;
                thread.stack[func + 1] = thread.stack[func];
            }
            FrameKind::Pcall => thread.message_handler = 0,
            _ => {}
        }
        frame.kind = FrameKind::Closing;
        thread.stack[func] = value;
        if self.is_yieldable() {
            self.restart_nesting();
        }
        Next::Other
    }

    /// Goes on with a protected call that caught an error: closes what was opened above it, one `__close` method at a time,
    /// and then returns false and the error.
    pub(super) fn continue_closing(&mut self) -> Result<Next, Throw> {
        let thread = self.heap.current();
        let Some(&frame) = thread.frames.last() else { unreachable!("the frame of the protected call is on top") };
        debug_assert_eq!(frame.kind, FrameKind::Closing);
        let func = frame.func as usize;
        if !planted!(self.heap, CaughtLeftOpen) {
            self.heap.close_upvalues(thread, func + 1, ScopeEnd::Error);
        }
        match self.pop_to_be_closed(func + 1, ScopeEnd::Error) {
            Some(slot) => {
                let variable = self.slot(slot);
                let error = self.slot(func);
                self.set_top(slot + 1);
                self.call_close_method(variable, error, 0)
            }
            None => {
                let error = self.slot(func);
                self.set_top(func + 1);
                self.push(Value::Boolean(false));
                self.push(error);
                // SAFETY: the reference ends here.
                unsafe { self.thread_mut() }.message_handler = frame.saved;
                self.shrink_stack();
                // A safe point: what failed may have come by none since it made its error.
                if self.heap.wants_step() && !planted!(self.heap, ErrorsUnpaid) {
                    self.pay_debt()?;
                }
                self.return_values(func + 1, 2)
            }
        }
    }

    /// Takes the innermost to-be-closed variable at or above `level` off the list: its slot.
    #[inline]
    pub(super) fn pop_to_be_closed(&mut self, level: usize, end: ScopeEnd) -> Option<usize> {
        let slot = *self.heap.current().to_be_closed.last()? as usize;
        if slot < level {
            return None;
        }
        self.heap.note_closing_variable(end);
        // SAFETY: the reference ends here.
        unsafe { self.thread_mut() }.to_be_closed.pop();
        Some(slot)
    }

    /// Calls the `__close` method of a value from the top of the stack.
    pub(super) fn call_close_method(&mut self, value: Value, error: Value, flags: u8) -> Result<Next, Throw> {
        let handler = self.heap.metamethod_of(value, Metamethod::Close);
        let func = self.top();
        self.ensure_stack(func, 3)?;
        for part in [handler, value, error] {
            self.push(part);
        }
        self.precall_inside(func, 2, 0, flags)
    }

    /// Closes what a call that failed has left open at and above `level`: upvalues, and to-be-closed variables, whose
    /// methods may replace the error. Those methods run for errors only. Where the program ends and its state is to be closed,
    /// the main thread's variables stay as they are until then ([`Vm::close_state`]).
    pub(super) fn close_after(&mut self, level: usize, throw: Throw) -> Throw {
        self.passed.clear();
        let mut throw = throw;
        loop {
            let thread = self.heap.current();
            if matches!(throw, Throw::Exit { close: true, .. }) && thread == self.heap.main_thread() {
                return throw;
            }
            self.heap.close_upvalues(thread, level, ScopeEnd::NestedError);
            let Some(slot) = self.pop_to_be_closed(level, ScopeEnd::NestedError) else { break };
            let (Throw::Error(error) | Throw::Handled(error)) = throw else { continue };
            if let Err(other) = self.close_variable(slot, error) {
                throw = other;
            }
        }
        self.set_top(level);
        self.shrink_stack();
        self.passed.clear();
        throw
    }

    /// Calls the `__close` method of the variable in a slot, above which nothing is in use any more.
    fn close_variable(&mut self, slot: usize, error: Value) -> NativeResult {
        let variable = self.slot(slot);
        self.set_top(slot + 1);
        // What is to be given back must survive the call.
        self.push(error);
        let handler = self.heap.metamethod_of(variable, Metamethod::Close);
        self.call_nested(handler, &[variable, error], Some(0))
    }

    /// Closes the state, as `lua_close` does: the main thread's variables from `level` on, and then all objects that have
    /// finalizers. No message handler sees an error of either. Where one of them ends the program, what is left is closed all the
    /// same if that is asked for, and the program ends as the last one says.
    pub(super) fn close_state(&mut self, level: usize, mut end: Result<(), Throw>) -> Result<(), Throw> {
        let thread = self.heap.main_thread();
        debug_assert!(thread == self.heap.current());
        // SAFETY: the reference ends here.
        unsafe { self.thread_mut() }.message_handler = 0;
        // What the methods are given: the last error among themselves.
        let mut last_error = Value::Nil;
        loop {
            self.passed.clear();
            self.heap.close_upvalues(thread, level, ScopeEnd::StateClose);
            let Some(slot) = self.pop_to_be_closed(level, ScopeEnd::StateClose) else { break };
            match self.close_variable(slot, last_error) {
                Ok(_) => {}
                Err(Throw::Error(error) | Throw::Handled(error)) => last_error = error,
                Err(exit @ Throw::Exit { close: true, .. }) => {
                    // The state is closed anew.
                    last_error = Value::Nil;
                    end = Err(exit);
                }
                Err(other) => return Err(other),
            }
        }
        self.set_top(level);
        self.shrink_stack();
        loop {
            match self.finalize_everything() {
                Ok(()) => return end,
                Err(exit @ Throw::Exit { close: true, .. }) => end = Err(exit),
                Err(other) => return Err(other),
            }
        }
    }

    /// The running coroutine dies of an error. It goes to whoever resumed it: as the results of `coroutine.resume`, or on
    /// its way (`Err`) through a function of `coroutine.wrap`.
    fn fail_coroutine(&mut self, throw: Throw) -> Result<Next, Throw> {
        let thread = self.heap.current();
        let Some(resumer) = *thread.resumer else {
            // The host calls through a boundary, so no error gets to the bottom of the main thread.
            unreachable!("the main thread's frames are above a boundary")
        };
        thread.status.set(ThreadStatus::Dead);
        // SAFETY: the reference ends here.
        unsafe { thread.as_mut() }.frames.append(&mut self.passed);
        let top = thread.frames.last().map_or(0, |frame| frame.top as usize).max(thread.top);
        if let Throw::Handled(value) = throw {
            self.set_top(top);
            self.push(value);
            thread.failed.set(true);
        }
        self.heap.set_resumer(thread, None);
        self.switch_to(resumer);
        let Throw::Handled(value) = throw else { return Err(throw) };
        let Some(&frame) = resumer.frames.last() else { unreachable!("the resumer waits in a frame") };
        let func = frame.func as usize;
        if frame.kind == FrameKind::Resume {
            self.set_top(func + 1);
            self.push(Value::Boolean(false));
            self.push(value);
            return self.return_values(func + 1, 2);
        }
        self.retype_top(FrameKind::Native);
        let value = match self.close_coroutine(thread, ScopeEnd::WrapError)? {
            Ok(()) => value,
            Err(value) => value,
        };
        match value {
            Value::String(text) => Err(self.native_error(text.as_bytes())),
            other => Err(Throw::Error(other)),
        }
    }
}
