//! Calls and returns.
//!
//! A call pushes a frame. A return pops one and gives its results to the frame below, whatever that is: a Lua function, which
//! may be in the middle of an instruction; `pcall` and its kin; the bottom of a coroutine; or the boundary where a native
//! function called back.

use crate::gc::{Event, Gc, Heap, ObjectView, ScopeEnd, copy_value};
use crate::interpreter::access::MAX_CHAIN;
use crate::interpreter::native::{Call, Control, Function, NativeResult};
use crate::interpreter::stack::NATIVE_SLOTS;
use crate::interpreter::{Builtin, Throw, Vm};
use crate::value::{Closure, Frame, FrameKind, Metamethod, Thread, Value, flags, hook_events};

/// What runs after a call or a return.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The Lua function whose frame is on top.
    Lua,
    /// The frame on top, which is not that of a Lua function.
    Other,
    /// Whoever called from outside: the frame below was a boundary.
    Exit,
}

/// How a function was called, as its frame keeps it.
#[derive(Clone, Copy)]
pub(super) struct Called {
    /// How many results the caller takes, -1 for all.
    pub wanted: i32,
    /// Bits of [`flags`].
    pub flags: u8,
    /// [`Frame::nesting`].
    pub nesting: u16,
}

impl Vm {
    /// Calls inside each other that are not made by a call expression, over all threads that wait for one another.
    #[inline]
    pub(crate) fn nesting(&self) -> u32 {
        self.heap.current().nesting + u32::from(self.frame_nesting())
    }

    /// [`Frame::nesting`] of the frame on top.
    #[inline]
    pub(super) fn frame_nesting(&self) -> u16 {
        self.heap.current().frames.last().map_or(0, |frame| frame.nesting)
    }

    /// [`Frame::nesting`] of a call that no call expression makes.
    ///
    /// # Errors
    /// There are too many inside each other.
    pub(super) fn nesting_inside(&mut self) -> Result<u16, Throw> {
        if self.nesting() + 1 == self.options.nesting_limit {
            return Err(self.nesting_error());
        }
        self.nesting_of_handler(1)
    }

    /// [`Frame::nesting`] of a call so much deeper: inside the message handler that sees the error of too many calls, some more
    /// are allowed.
    ///
    /// # Errors
    /// There are too many even for that.
    pub(super) fn nesting_of_handler(&mut self, deeper: u16) -> Result<u16, Throw> {
        let limit = self.options.nesting_limit;
        let nesting = self.nesting() + u32::from(deeper);
        match self.frame_nesting().checked_add(deeper) {
            Some(inside) if nesting < limit.saturating_add(limit / 10) => Ok(inside),
            _ => Err(self.handler_error()),
        }
    }

    /// Calls the value in slot `func` with the `args` values above it, up to the top, for an instruction or a function that is
    /// no call expression.
    pub(super) fn precall_inside(&mut self, func: usize, args: usize, wanted: i32, flags: u8) -> Result<Next, Throw> {
        let nesting = self.nesting_inside()?;
        self.precall(func, args, wanted, flags, nesting)
    }

    /// Calls the value in slot `func` with the `args` values above it, up to the top.
    pub(super) fn precall(
        &mut self,
        func: usize,
        mut args: usize,
        wanted: i32,
        flags: u8,
        nesting: u16,
    ) -> Result<Next, Throw> {
        for _ in 0..=MAX_CHAIN {
            match self.slot(func) {
                Value::Closure(closure) => {
                    let thread = self.heap.current();
                    return self.enter_lua::<true>(thread, closure, func, args, Called { wanted, flags, nesting });
                }
                Value::Builtin(builtin) => return self.call_native(builtin, func, args, wanted, flags, nesting),
                Value::NativeClosure(closure) => {
                    return self.call_native(closure.builtin, func, args, wanted, flags, nesting);
                }
                other => {
                    self.insert_call_handler(func, args, other)?;
                    args += 1;
                }
            }
        }
        Err(self.call_chain_error())
    }

    /// The error of `__call` metamethods that lead to one another without end.
    #[cold]
    pub(super) fn call_chain_error(&mut self) -> Throw {
        self.runtime_error(b"'__call' chain too long; possibly a loop (stack overflow)")
    }

    /// Puts the `__call` metamethod of a value below it, so that the value is its first argument.
    #[cold]
    pub(super) fn insert_call_handler(&mut self, func: usize, args: usize, value: Value) -> Result<(), Throw> {
        let handler = self.heap.metamethod_of(value, Metamethod::Call);
        if handler.is_nil() {
            return Err(self.call_error(value));
        }
        self.ensure_stack(func + 1 + args, 1)?;
        // SAFETY: the reference ends with the block.
        let thread = unsafe { self.thread_mut() };
        thread.stack.copy_within(func..func + 1 + args, func + 1);
        thread.stack[func] = handler;
        thread.top = func + args + 2;
        Ok(())
    }

    /// Closes the upvalues where a new frame will be. The compiler leaves none open there. Other code may, and what it calls
    /// could put something else into the slot of the function that runs.
    #[inline(always)]
    fn close_above(&mut self, thread: Gc<Thread>, func: usize) {
        if Heap::has_open_upvalue(thread, func) {
            self.heap.close_upvalues(thread, func, ScopeEnd::NewFrame);
        }
    }

    /// Pushes the frame of a Lua function onto the running thread. `OBSERVED` where there may be an observer.
    #[inline(always)]
    pub(super) fn enter_lua<const OBSERVED: bool>(
        &mut self,
        thread: Gc<Thread>,
        closure: Gc<Closure>,
        func: usize,
        args: usize,
        Called { wanted, flags, nesting }: Called,
    ) -> Result<Next, Throw> {
        if OBSERVED {
            self.heap.note(|| Event::Call(ObjectView::new(closure.erase())));
        }
        self.close_above(thread, func);
        let prototype = closure.prototype.get();
        let parameters = prototype.parameters as usize;
        let max_stack = prototype.max_stack as usize;
        let mut base = func + 1;
        let mut extra = 0;
        if prototype.variadic {
            extra = self.adjust_varargs(base, args, parameters, max_stack)?;
            base += args.max(parameters);
        } else if base + max_stack >= thread.stack.len() {
            self.ensure_stack(base, max_stack + 1)?;
        }
        // SAFETY: the reference ends before anything else is called.
        let thread = unsafe { thread.as_mut() };
        if args < parameters {
            thread.stack[base + args..base + parameters].fill(Value::Nil);
        }
        let top = base + max_stack;
        thread.top = top;
        thread.frames.push(Frame {
            func: func as u32,
            base: base as u32,
            top: top as u32,
            pc: 0,
            wanted,
            extra: extra as u32,
            saved: 0,
            nesting,
            kind: FrameKind::Lua,
            flags,
        });
        Ok(Next::Lua)
    }

    /// Makes room for a variadic function's registers above its arguments, and moves the named parameters there; the extra
    /// arguments stay where they are. Gives how many those are.
    fn adjust_varargs(
        &mut self,
        base: usize,
        args: usize,
        parameters: usize,
        max_stack: usize,
    ) -> Result<usize, Throw> {
        let given = args.max(parameters);
        self.ensure_stack(base + given, parameters + max_stack)?;
        // SAFETY: the reference ends with the function.
        let thread = unsafe { self.thread_mut() };
        for index in 0..parameters.min(args) {
            thread.stack[base + given + index] = std::mem::take(&mut thread.stack[base + index]);
        }
        Ok(given - parameters)
    }

    /// Calls a native function to its end, or begins what a control function does.
    #[inline]
    pub(super) fn call_native(
        &mut self,
        builtin: &'static Builtin,
        func: usize,
        args: usize,
        wanted: i32,
        flags: u8,
        nesting: u16,
    ) -> Result<Next, Throw> {
        let thread = self.heap.current();
        self.close_above(thread, func);
        let base = func + 1;
        self.ensure_stack(base + args, NATIVE_SLOTS)?;
        let kind = match builtin.function {
            Function::Plain(_) => FrameKind::Native,
            Function::Control(control) => match control {
                Control::Pcall => FrameKind::Pcall,
                Control::Xpcall => FrameKind::Xpcall,
                Control::Resume => FrameKind::Resume,
                Control::Wrapped => FrameKind::Wrap,
                Control::Yield => FrameKind::Yield,
                Control::Pairs => FrameKind::Pairs,
                Control::Dofile => FrameKind::Dofile,
            },
        };
        // SAFETY: the reference ends before anything else is called.
        let thread = unsafe { thread.as_mut() };
        thread.top = base + args;
        let saved = thread.message_handler;
        thread.frames.push(Frame {
            func: func as u32,
            base: base as u32,
            top: (base + args) as u32,
            pc: 0,
            wanted,
            extra: 0,
            saved,
            nesting,
            kind,
            flags,
        });
        if self.checked && self.hook_events() & hook_events::CALL != 0 {
            self.hook_native_call(args)?;
        }
        match builtin.function {
            Function::Plain(function) => {
                let count = function(&mut Call { vm: self, base, count: args })?;
                let first = self.top() - count;
                if !self.checked {
                    // SAFETY: the running thread is a root (the invariant of handles), and the reference ends here.
                    let returned = unsafe { self.thread_mut() }.return_as_is(first, count);
                    if let Some(next) = returned {
                        return Ok(next);
                    }
                }
                self.return_values(first, count)
            }
            Function::Control(control) => self.control(control, func, args),
        }
    }

    /// Begins what a control function does. Its frame is on top.
    fn control(&mut self, control: Control, func: usize, args: usize) -> Result<Next, Throw> {
        match control {
            Control::Pcall => {
                if args == 0 {
                    self.retype_top(FrameKind::Native);
                    return Err(self.argument_error(0, b"value expected"));
                }
                // SAFETY: the reference ends here.
                unsafe { self.thread_mut() }.message_handler = 0;
                self.precall_inside(func + 1, args - 1, -1, 0)
            }
            Control::Xpcall => {
                let handler = if args < 2 { Value::Nil } else { self.slot(func + 2) };
                if handler.type_name() != "function" {
                    self.retype_top(FrameKind::Native);
                    let error = Call { vm: self, base: func + 1, count: args }.type_error(1, "function");
                    return Err(error);
                }
                // SAFETY: the reference ends with the block.
                let thread = unsafe { self.thread_mut() };
                thread.stack[func] = handler;
                thread.stack.copy_within(func + 3..func + 1 + args, func + 2);
                thread.top -= 1;
                thread.message_handler = func as u32;
                self.precall_inside(func + 1, args - 2, -1, 0)
            }
            Control::Pairs => {
                let value = if args == 0 { Value::Nil } else { self.slot(func + 1) };
                let handler = self.heap.metamethod_of(value, Metamethod::Pairs);
                if handler.is_nil() {
                    if args == 0 {
                        self.retype_top(FrameKind::Native);
                        return Err(self.argument_error(0, b"value expected"));
                    }
                    let next = Value::Builtin(&crate::library::NEXT);
                    self.set_top(func + 1);
                    for result in [next, value, Value::Nil] {
                        self.push(result);
                    }
                    return self.return_values(func + 1, 3);
                }
                self.set_slot(func + 1, handler);
                self.set_top(func + 2);
                self.push(value);
                self.precall_inside(func + 1, 1, 3, 0)
            }
            Control::Dofile => {
                let chunk = crate::library::load_file(&mut Call { vm: self, base: func + 1, count: args })?;
                self.set_slot(func + 1, chunk);
                self.set_top(func + 2);
                self.precall_inside(func + 1, 0, -1, 0)
            }
            Control::Resume => self.resume(func, args),
            Control::Wrapped => self.resume_wrapped(func, args),
            Control::Yield => self.yield_values(func, args),
        }
    }

    /// Changes what the top frame is: a control function that fails at once is an ordinary native function.
    pub(super) fn retype_top(&mut self, kind: FrameKind) {
        // SAFETY: the reference ends here.
        if let Some(frame) = unsafe { self.thread_mut() }.frames.last_mut() {
            frame.kind = kind;
        }
    }

    /// Ends the frame on top, whose results are the `count` values from slot `first` on, which is above its function's.
    pub(super) fn return_values(&mut self, mut first: usize, mut count: usize) -> Result<Next, Throw> {
        loop {
            if self.checked {
                self.before_return(first, count)?;
            }
            // SAFETY: the references end before anything else is called.
            let thread = unsafe { self.thread_mut() };
            let Some(frame) = thread.frames.pop() else { unreachable!("a bottom frame never returns") };
            let Some(&caller) = thread.frames.last() else { unreachable!("a bottom frame never returns") };
            match caller.kind {
                FrameKind::Lua => {
                    if frame.flags & flags::REPEAT != 0 {
                        thread.top = frame.func as usize;
                        if let Some(caller) = thread.frames.last_mut() {
                            caller.pc -= 1;
                        }
                        return Ok(Next::Lua);
                    }
                    if frame.flags & flags::FINISH != 0 {
                        let result = if count > 0 { thread.stack[first] } else { Value::Nil };
                        thread.top = caller.top as usize;
                        return self.finish_instruction(result);
                    }
                    thread.place_results(&frame, first, count);
                    if frame.wanted >= 0 {
                        thread.top = caller.top as usize;
                    }
                    return Ok(Next::Lua);
                }
                FrameKind::Boundary => {
                    thread.place_results(&frame, first, count);
                    thread.frames.pop();
                    return Ok(Next::Exit);
                }
                FrameKind::Pcall | FrameKind::Xpcall => {
                    thread.message_handler = caller.saved;
                    // The results are above the function that was called, which is above that of the caller.
                    first -= 1;
                    count += 1;
                    thread.stack[first] = Value::Boolean(true);
                    thread.top = first + count;
                }
                FrameKind::Pairs => {
                    thread.place_results(&frame, first, count);
                    first = frame.func as usize;
                    count = 3;
                }
                // What the chunk gives is what `dofile` gives.
                FrameKind::Dofile => {}
                FrameKind::Closing => return Ok(Next::Other),
                FrameKind::Base => (first, count) = self.finish_coroutine(first, count)?,
                FrameKind::Native | FrameKind::Resume | FrameKind::Wrap | FrameKind::Yield => {
                    unreachable!("no frame is called by a {:?} frame", caller.kind)
                }
            }
        }
    }

    /// Tells who watches of a return.
    fn before_return(&mut self, first: usize, count: usize) -> Result<(), Throw> {
        if self.hook_events() != 0 {
            self.hook_return(first, count)?;
        }
        self.heap.note_return();
        Ok(())
    }

    /// Calls a function from a native function or the host. With `wanted` results, or all of them: they are the last values on
    /// the stack, and their number is given.
    pub(crate) fn call_nested(&mut self, function: Value, args: &[Value], wanted: Option<usize>) -> NativeResult {
        self.call_nested_as(function, args, wanted, 0)
    }

    /// The same for a call whose frame has these flags.
    pub(super) fn call_nested_as(
        &mut self,
        function: Value,
        args: &[Value],
        wanted: Option<usize>,
        flags: u8,
    ) -> NativeResult {
        let nesting = self.nesting_inside()?;
        self.call_nested_at(function, args, wanted, flags, nesting)
    }

    /// The same, with the [`Frame::nesting`] of the call.
    pub(super) fn call_nested_at(
        &mut self,
        function: Value,
        args: &[Value],
        wanted: Option<usize>,
        flags: u8,
        nesting: u16,
    ) -> NativeResult {
        let thread = self.heap.current();
        let func = thread.top;
        self.ensure_stack(func, args.len() + 1 + NATIVE_SLOTS)?;
        // SAFETY: the reference ends before the call.
        let data = unsafe { self.thread_mut() };
        data.frames.push(Frame {
            func: func as u32,
            base: func as u32,
            top: func as u32,
            pc: 0,
            wanted: 0,
            extra: 0,
            saved: 0,
            nesting,
            kind: FrameKind::Boundary,
            flags: 0,
        });
        data.stack[func] = function;
        for (slot, arg) in data.stack[func + 1..].iter_mut().zip(args) {
            // SAFETY: both are values.
            unsafe { copy_value(arg, slot) };
        }
        data.top = func + 1 + args.len();
        data.native_boundaries += 1;
        let start = self.precall(func, args.len(), wanted.map_or(-1, |wanted| wanted as i32), flags, nesting);
        let result = self.execute(start);
        // SAFETY: the reference ends here; the thread is that of the caller, which still runs in it.
        unsafe { thread.as_mut() }.native_boundaries -= 1;
        result?;
        Ok(self.top() - func)
    }

    /// [`Vm::call_nested_as`], after whose error nothing that it opened is left open.
    pub(crate) fn call_closing(
        &mut self,
        function: Value,
        args: &[Value],
        wanted: Option<usize>,
        flags: u8,
    ) -> NativeResult {
        let level = self.top();
        self.call_nested_as(function, args, wanted, flags).map_err(|throw| {
            // Where the call itself is one too many, no handler has seen the error.
            let throw = self.handle_error(throw).map_or_else(|other| other, Throw::Handled);
            self.close_after(level, throw)
        })
    }

    /// Calls a function in protected mode from a native one, with the message handler in force. The inner result: how many
    /// values were pushed, or what the handler made of the error.
    pub(crate) fn try_call(&mut self, function: Value, args: &[Value]) -> Result<Result<usize, Value>, Throw> {
        match self.call_closing(function, args, None, 0) {
            Ok(count) => Ok(Ok(count)),
            Err(Throw::Error(error) | Throw::Handled(error)) => Ok(Err(error)),
            Err(other) => Err(other),
        }
    }

    /// [`Vm::call_closing`], where no message handler of the program sees an error.
    pub(crate) fn call_protected(
        &mut self,
        function: Value,
        args: &[Value],
        wanted: Option<usize>,
        flags: u8,
    ) -> NativeResult {
        // SAFETY: the reference ends here.
        let handler = std::mem::take(&mut unsafe { self.thread_mut() }.message_handler);
        let result = self.call_closing(function, args, wanted, flags);
        // SAFETY: as above.
        unsafe { self.thread_mut() }.message_handler = handler;
        result
    }

    /// Calls a function from a native function for its first result.
    pub(crate) fn call_nested_1(&mut self, function: Value, args: &[Value]) -> Result<Value, Throw> {
        self.call_nested(function, args, Some(1))?;
        Ok(self.pop())
    }

    #[cold]
    pub(super) fn nesting_error(&mut self) -> Throw {
        self.runtime_error(b"C stack overflow")
    }

    /// The error of a message handler that fails again and again. No handler sees it.
    #[cold]
    pub(super) fn handler_error(&mut self) -> Throw {
        Throw::Handled(Value::String(self.heap.new_string(b"error in error handling")))
    }

    /// Runs until the innermost boundary is returned to.
    fn execute(&mut self, start: Result<Next, Throw>) -> Result<(), Throw> {
        let mut next = start;
        loop {
            next = match next {
                Ok(Next::Exit) => return Ok(()),
                Ok(Next::Lua) if self.checked => self.dispatch::<true>(),
                Ok(Next::Lua) => self.dispatch::<false>(),
                Ok(Next::Other) => self.continue_closing(),
                Err(throw) => match self.unwind(throw) {
                    Ok(next) => Ok(next),
                    Err(throw) => return Err(throw),
                },
            };
        }
    }
}

impl Thread {
    /// Ends the frame on top where its caller is a Lua function or a boundary, and takes the results as they are. `None` where
    /// there is more to do.
    #[inline(always)]
    pub(super) fn return_as_is(&mut self, first: usize, count: usize) -> Option<Next> {
        let [.., caller, frame] = self.frames.as_slice() else { return None };
        if frame.flags & (flags::FINISH | flags::REPEAT) != 0 || frame.wanted != count as i32 {
            return None;
        }
        let func = frame.func as usize;
        let (top, ended, next) = match caller.kind {
            FrameKind::Lua => (caller.top as usize, 1, Next::Lua),
            FrameKind::Boundary => (func + count, 2, Next::Exit),
            _ => return None,
        };
        match count {
            0 => {}
            1 => {
                let result: *const Value = &self.stack[first];
                // SAFETY: both are slots of the stack.
                unsafe { copy_value(result, &mut self.stack[func]) };
            }
            _ => return None,
        }
        self.top = top;
        self.frames.truncate(self.frames.len() - ended);
        Some(next)
    }

    /// Moves a frame's results to where its caller wants them: from its function's slot up, as many as wanted. The top is
    /// behind them.
    #[inline]
    pub(crate) fn place_results(&mut self, frame: &Frame, first: usize, count: usize) {
        let func = frame.func as usize;
        if frame.wanted < 0 {
            self.stack.copy_within(first..first + count, func);
            self.top = func + count;
            return;
        }
        let wanted = frame.wanted as usize;
        let moved = count.min(wanted);
        self.stack.copy_within(first..first + moved, func);
        self.stack[func + moved..func + wanted].fill(Value::Nil);
        self.top = func + wanted;
    }
}
