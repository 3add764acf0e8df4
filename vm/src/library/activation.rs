//! What `debug` and tracebacks see of an activation: a function that was called and has not returned.

use super::base::{PCALL, XPCALL};
use crate::gc::Gc;
use crate::interpreter::names::function_name;
use crate::value::{Frame, FrameKind, Prototype, Thread, Value, flags};

/// An activation on the stack of a thread. It is valid until the thread runs on.
#[derive(Clone, Copy)]
pub(super) struct Activation {
    thread: Gc<Thread>,
    index: usize,
}

impl Activation {
    /// The activation at a level: 0 is the innermost.
    pub(super) fn at_level(thread: Gc<Thread>, level: i64) -> Option<Activation> {
        let level = usize::try_from(level).ok()?;
        let frames = &thread.frames;
        let index = (0..frames.len()).rev().filter(|&index| frames[index].kind.is_activation()).nth(level)?;
        Some(Activation { thread, index })
    }

    /// How many activations a thread has.
    pub(super) fn count(thread: Gc<Thread>) -> i64 {
        thread.frames.iter().filter(|frame| frame.kind.is_activation()).count() as i64
    }

    fn frame(&self) -> &Frame {
        &self.thread.frames[self.index]
    }

    /// The function.
    pub(super) fn function(&self) -> Value {
        match self.frame().kind {
            // The slots of these functions have got another use.
            FrameKind::Xpcall => Value::Builtin(&XPCALL),
            FrameKind::Closing if self.frame().flags & flags::XPCALL != 0 => Value::Builtin(&XPCALL),
            FrameKind::Pcall | FrameKind::Closing => Value::Builtin(&PCALL),
            _ => self.thread.stack[self.frame().func as usize],
        }
    }

    /// The code of a Lua function.
    pub(super) fn prototype(&self) -> Option<Gc<Prototype>> {
        match (self.frame().kind, self.function()) {
            (FrameKind::Lua, Value::Closure(closure)) => Some(closure.prototype.get()),
            _ => None,
        }
    }

    /// The instruction that runs.
    fn pc(&self) -> usize {
        (self.frame().pc as usize).saturating_sub(1)
    }

    /// The line that a Lua function is at.
    pub(super) fn line(&self) -> Option<u32> {
        self.prototype()?.line_at(self.pc())
    }

    /// Whether the function was called by a tail call, so that its caller is gone.
    pub(super) fn is_tail_call(&self) -> bool {
        self.frame().flags & flags::TAIL != 0
    }

    /// The local variables that the running hook's event is about, if it watches this activation: the number of the first,
    /// and how many they are.
    pub(super) fn transfer(&self) -> Option<(u32, u32)> {
        (self.frame().flags & flags::TRANSFER != 0).then_some(self.thread.hook.transfer)
    }

    /// What the caller calls the function: the kind of the name, and the name.
    pub(super) fn name(&self) -> Option<(&'static str, Vec<u8>)> {
        let called = self.frame().flags;
        if called & flags::TAIL != 0 {
            return None;
        }
        if called & flags::HOOK != 0 {
            return Some(("hook", b"?".to_vec()));
        }
        if called & flags::FINALIZER != 0 {
            return Some(("metamethod", b"__gc".to_vec()));
        }
        // A message handler is called for the instruction that failed, with a boundary in between.
        let distance = if called & flags::HANDLER != 0 { 2 } else { 1 };
        let caller = Activation { thread: self.thread, index: self.index.checked_sub(distance)? };
        let prototype = caller.prototype()?;
        let (kind, name) = function_name(&*prototype, caller.pc())?;
        Some((kind, name.to_vec()))
    }

    /// A local variable (counted from 1) or an extra argument (from -1 downwards): its name and its stack slot.
    pub(super) fn local(&self, number: i64) -> Option<(Vec<u8>, usize)> {
        let frame = self.frame();
        let prototype = self.prototype();
        if number < 0 {
            let place = number.checked_neg()?;
            // Extra arguments stand right below the registers.
            let is_extra = prototype.is_some_and(|prototype| prototype.variadic) && place <= frame.extra.into();
            return is_extra.then(|| (b"(vararg)".to_vec(), (frame.base - frame.extra) as usize + place as usize - 1));
        }
        let register = usize::try_from(number).ok()?.checked_sub(1)?;
        let slot = (frame.base as usize).checked_add(register)?;
        if let Some(name) = prototype.and_then(|prototype| prototype.local_name(register, self.pc())) {
            return Some((name.as_bytes().to_vec(), slot));
        }
        let end = match self.thread.frames.get(self.index + 1) {
            Some(next) => next.func as usize,
            None => self.thread.top,
        };
        let name: &[u8] = if prototype.is_some() { b"(temporary)" } else { b"(C temporary)" };
        (slot < end).then(|| (name.to_vec(), slot))
    }
}
