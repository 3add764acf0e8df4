//! Threads: a Lua stack with its call frames. A coroutine is one, and so is the main program.

use crate::gc::{Gc, Header, Held};
use crate::value::{Upvalue, Value};
use std::cell::Cell;

/// What a thread is doing, as `coroutine.status` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadStatus {
    /// Created and not started, or stopped in a yield.
    Suspended,
    /// The one that runs.
    Running,
    /// It resumed another one.
    Normal,
    /// Ended, or stopped by an error.
    Dead,
}

/// A thread object.
#[repr(C)]
pub struct Thread {
    pub(crate) header: Header,
    pub(crate) status: Cell<ThreadStatus>,
    /// Every slot is a valid value; those at and above `top` are not part of the program's state.
    pub(crate) stack: Vec<Value>,
    /// First free slot of the frame that runs.
    pub(crate) top: usize,
    pub(crate) frames: Vec<Frame>,
    /// Open upvalues by ascending slot.
    pub(crate) open_upvalues: Held<Vec<Gc<Upvalue>>>,
    /// Slots of to-be-closed variables, ascending.
    pub(crate) to_be_closed: Vec<u32>,
    /// Whether it is in the collector's list of threads that have open upvalues.
    pub(crate) in_upvalue_list: Cell<bool>,
    /// Calls inside each other below the bottom frame, while the thread runs: those of the threads that wait for it.
    pub(crate) nesting: u32,
    /// Native functions below the running frame that called back into Lua; a yield may not cross them.
    pub(crate) native_boundaries: u32,
    /// Stack slot of the message handler in force; 0 for none.
    pub(crate) message_handler: u32,
    /// Whether an error killed the thread; the error is the last value on its stack.
    pub(crate) failed: Cell<bool>,
    /// Who resumed this thread and waits for it.
    pub(crate) resumer: Held<Option<Gc<Thread>>>,
    /// What `debug.sethook` set.
    pub(crate) hook: Hook,
}

impl Thread {
    /// The slots of the arguments beyond the named parameters of functions, ascending.
    pub(crate) fn extra_arguments(&self) -> Vec<usize> {
        self.frames.iter().flat_map(|frame| (frame.base - frame.extra) as usize..frame.base as usize).collect()
    }
}

/// When a thread calls its hook. The function is in the registry, as the debug library keeps it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hook {
    /// Bits of [`hook_events`].
    pub events: u8,
    /// How many instructions a count event comes after.
    pub count: u32,
    pub remaining: u32,
    /// Whether a hook or a finalizer runs, which no hook watches.
    pub suspended: bool,
    /// The instruction that was last looked at for a new line, in the function that runs. May be one of another function.
    pub last_pc: u32,
    /// What the running hook's event transfers: the number of the first local variable, and how many.
    pub transfer: (u32, u32),
}

/// Bits of [`Hook::events`].
pub(crate) mod hook_events {
    pub const CALL: u8 = 1;
    pub const RETURN: u8 = 1 << 1;
    pub const LINE: u8 = 1 << 2;
    pub const COUNT: u8 = 1 << 3;
}

/// What a frame runs, or what happens when the frame above it returns to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// A Lua function.
    Lua,
    /// A native function that is running now.
    Native,
    /// `pcall` waiting for its function.
    Pcall,
    /// `xpcall` waiting for its function; its handler is in the slot of its function.
    Xpcall,
    /// A protected call that caught an error and is running `__close` methods; the error is in its first slot.
    Closing,
    /// `coroutine.resume` waiting for its coroutine.
    Resume,
    /// A function made by `coroutine.wrap`, waiting for its coroutine.
    Wrap,
    /// `coroutine.yield`, in a suspended thread.
    Yield,
    /// `pairs` waiting for `__pairs`.
    Pairs,
    /// `dofile` waiting for its chunk.
    Dofile,
    /// Where a native function or the host called back into Lua: a return to it leaves the loop that runs.
    Boundary,
    /// The bottom of a stack.
    Base,
}

impl FrameKind {
    /// Whether the frame is that of a function that Lua code can see, as `debug.getinfo` counts levels.
    pub fn is_activation(self) -> bool {
        !matches!(self, FrameKind::Boundary | FrameKind::Base)
    }
}

/// Bits of [`Frame::flags`].
pub(crate) mod flags {
    /// A protected call that caught an error is `xpcall`'s.
    pub const XPCALL: u8 = 1;
    /// The caller is a Lua frame in the middle of an instruction, which the result finishes.
    pub const FINISH: u8 = 1 << 1;
    /// Was entered by a tail call.
    pub const TAIL: u8 = 1 << 2;
    /// A finalizer that the collector called.
    pub const FINALIZER: u8 = 1 << 3;
    /// The result is dropped, and the instruction of the caller runs again (`__close`).
    pub const REPEAT: u8 = 1 << 4;
    /// A hook function.
    pub const HOOK: u8 = 1 << 5;
    /// A message handler.
    pub const HANDLER: u8 = 1 << 6;
    /// A hook looks at the arguments or results of the function.
    pub const TRANSFER: u8 = 1 << 7;
}

/// An activation of a function.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// Slot of the called function; results go here.
    pub func: u32,
    /// Register 0.
    pub base: u32,
    /// First slot above the frame's registers.
    pub top: u32,
    /// Next instruction.
    pub pc: u32,
    /// Results that the caller wants; negative: all.
    pub wanted: i32,
    /// Arguments beyond the named parameters.
    pub extra: u32,
    /// A number that the frame's kind needs: saved message handler, results kept while closing.
    pub saved: u32,
    /// How many calls since the thread was resumed, this one included, were not made by a call expression. Those take a part
    /// of the C stack in Lua, and their number is limited.
    pub nesting: u16,
    pub kind: FrameKind,
    pub flags: u8,
}
