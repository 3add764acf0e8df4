//! Hooks (manual §4.7): calls of the program's hook function on calls, returns, new lines and instructions.
//!
//! A thread says which events it wants ([`Hook`](crate::value::Hook)); the debug library keeps the function. Threads that
//! want some run in the checked loop, and everything here is reached from there or from behind [`Vm::checked`], so that
//! hooks cost nothing where there are none.
//!
//! A hook sees the function that it watches at level 2, with a program counter behind the instruction that is running, as at
//! any call. Nothing is watched while a hook or a finalizer runs.

use crate::bytecode::Opcode;
use crate::interpreter::Vm;
use crate::interpreter::error::Throw;
use crate::library::hook_function;
use crate::value::{Frame, FrameKind, Prototype, Value, flags, hook_events};

/// Stands for the last instruction where the next one is an instruction that goes on after a `__close` method, and not
/// executed anew.
const REPEATED: u32 = u32::MAX;

impl Vm {
    /// What the hook of the running thread is to be called for.
    #[inline(always)]
    pub(super) fn hook_events(&self) -> u8 {
        self.heap.current().hook.events
    }

    /// Calls the hook of the running thread, with the local variables of the frame on top that the event is about.
    #[cold]
    fn call_hook(&mut self, event: &str, line: Option<u32>, transfer: Option<(usize, usize)>) -> Result<(), Throw> {
        let thread = self.heap.current();
        if thread.hook.suspended {
            return Ok(());
        }
        let function = hook_function(self, thread);
        if function.is_nil() {
            return Ok(());
        }
        let top = thread.top;
        {
            // SAFETY: the running thread is a root (the invariant of handles), and the reference ends with the block.
            let data = unsafe { self.thread_mut() };
            data.hook.suspended = true;
            if let Some(frame) = data.frames.last_mut() {
                if frame.kind == FrameKind::Lua {
                    data.top = top.max(frame.top as usize);
                }
                if let Some((first, count @ 1..)) = transfer {
                    data.hook.transfer = (first as u32, count as u32);
                    frame.flags |= flags::TRANSFER;
                }
            }
        }
        let event = Value::String(self.heap.new_string(event.as_bytes()));
        let line = line.map_or(Value::Nil, |line| Value::Integer(line.into()));
        let result = self.call_nested_as(function, &[event, line], Some(0), flags::HOOK);
        // SAFETY: as above.
        let data = unsafe { self.thread_mut() };
        // Where the hook ends the program, the state is closed inside of the hook.
        data.hook.suspended = matches!(result, Err(Throw::Exit { .. }));
        if let Some(frame) = data.frames.last_mut() {
            frame.flags &= !flags::TRANSFER;
        }
        if result.is_ok() {
            data.top = top;
        }
        result.map(drop)
    }

    /// The event of entering the Lua function on top, before its first instruction.
    #[cold]
    pub(super) fn hook_lua_call(&mut self) -> Result<(), Throw> {
        let Some(frame) = self.heap.current().frames.last().copied() else { return Ok(()) };
        let Some(prototype) = self.frame_prototype(&frame) else { return Ok(()) };
        // The first instruction of a variadic function belongs to the call.
        let first = u32::from(prototype.variadic);
        // SAFETY: the reference ends here.
        unsafe { self.thread_mut() }.hook.last_pc = first;
        if self.hook_events() & hook_events::CALL == 0 {
            return Ok(());
        }
        let event = if frame.flags & flags::TAIL == 0 { "call" } else { "tail call" };
        self.set_top_pc(first + 1);
        self.call_hook(event, None, Some((1, prototype.parameters.into())))?;
        self.set_top_pc(0);
        // The hook's own return has touched it.
        // SAFETY: as above.
        unsafe { self.thread_mut() }.hook.last_pc = first;
        Ok(())
    }

    /// The event of entering the native function on top.
    #[cold]
    pub(super) fn hook_native_call(&mut self, args: usize) -> Result<(), Throw> {
        self.call_hook("call", None, Some((1, args))).inspect_err(|_| self.retype_top(FrameKind::Native))
    }

    /// The event of leaving the function on top, whose results are the `count` values from slot `first` on.
    #[cold]
    pub(super) fn hook_return(&mut self, first: usize, count: usize) -> Result<(), Throw> {
        let Some(frame) = self.heap.current().frames.last().copied() else { return Ok(()) };
        if self.hook_events() & hook_events::RETURN != 0 {
            let top = self.top();
            self.set_top(top.max(first + count));
            if self.returns_for_tail_call(&frame) {
                self.set_top_pc(frame.pc - 1);
            }
            let number = first + 1 - frame.base as usize;
            self.call_hook("return", None, Some((number, count))).inspect_err(|_| {
                // A protected call has done its work and does not catch this.
                if frame.kind != FrameKind::Lua {
                    self.retype_top(FrameKind::Native);
                }
            })?;
            self.set_top(top);
        }
        // Lines are counted from where the caller goes on. Below a boundary there is one where a hook or a finalizer returns.
        // SAFETY: the reference ends with the function.
        let thread = unsafe { self.thread_mut() };
        let mut callers = thread.frames.iter().rev().skip(1).skip_while(|caller| caller.kind == FrameKind::Boundary);
        if let Some(&Frame { kind: FrameKind::Lua, pc, .. }) = callers.next() {
            let repeats = frame.flags & flags::REPEAT != 0;
            thread.hook.last_pc = if repeats { REPEATED } else { pc.saturating_sub(1) };
        }
        Ok(())
    }

    /// The events of the instruction that the Lua function on top is about to execute, which its program counter has passed.
    /// Says whether the stack may have moved.
    #[cold]
    pub(super) fn hook_instruction(&mut self) -> Result<bool, Throw> {
        let Some(frame) = self.heap.current().frames.last().copied() else { return Ok(false) };
        let Some(prototype) = self.frame_prototype(&frame) else { return Ok(false) };
        let pc = frame.pc - 1;
        let returns_for_tail_call = self.returns_for_tail_call(&frame);
        let (events, counted) = {
            // SAFETY: the running thread is a root (the invariant of handles), and the reference ends with the block.
            let hook = &mut unsafe { self.thread_mut() }.hook;
            // Some instructions are a part of what the one before them does: the return after a tail call that a native
            // function has answered, and those that go on after a `__close` method.
            let goes_on = hook.last_pc == REPEATED;
            if goes_on {
                hook.last_pc = pc;
            }
            if goes_on || returns_for_tail_call || prototype.code[pc as usize].opcode() == Opcode::VarargPrep {
                return Ok(false);
            }
            let counts = hook.events & hook_events::COUNT != 0;
            if counts {
                hook.remaining = hook.remaining.saturating_sub(1);
            }
            let counted = counts && hook.remaining == 0;
            if counted {
                hook.remaining = hook.count;
            }
            (hook.events, counted)
        };
        if counted {
            self.call_hook("count", None, None)?;
        }
        if events & hook_events::LINE == 0 {
            return Ok(counted);
        }
        let last = match self.heap.current().hook.last_pc {
            last if (last as usize) < prototype.code.len() => last,
            _ => 0,
        };
        let line = prototype.line_at(pc as usize);
        let is_new = pc <= last || prototype.line_at(last as usize) != line;
        if is_new {
            self.call_hook("line", line, None)?;
        }
        // SAFETY: the reference ends here.
        unsafe { self.thread_mut() }.hook.last_pc = pc;
        Ok(counted || is_new)
    }

    /// Whether a frame's running instruction gives back what a native function has answered a tail call with.
    fn returns_for_tail_call(&self, frame: &Frame) -> bool {
        let code = |prototype: &Prototype, back: u32| {
            let pc = frame.pc.checked_sub(back)?;
            prototype.code.get(pc as usize).map(|instruction| instruction.opcode())
        };
        self.frame_prototype(frame).is_some_and(|prototype| {
            code(&prototype, 1) == Some(Opcode::Return) && code(&prototype, 2) == Some(Opcode::TailCall)
        })
    }

    fn set_top_pc(&mut self, pc: u32) {
        // SAFETY: the reference ends here.
        if let Some(frame) = unsafe { self.thread_mut() }.frames.last_mut() {
            frame.pc = pc;
        }
    }
}
