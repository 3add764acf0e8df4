//! Running scripts.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_int, c_void};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use moonphase_heap::Phase;

use crate::abi;
use crate::heap::{ProbedHeap, ProbedObject};
use crate::load::ProbedLua;
use crate::memory::Memory;

/// A script, and how it is run.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a> {
    /// Its text.
    pub source: &'a [u8],
    /// Its name as Lua takes it, as `@case.lua`.
    pub chunk_name: &'a str,
    /// Lua that runs first. Nothing is told of it.
    pub prelude: &'a str,
    /// Bytes that may be alive at once.
    pub memory_limit: u64,
    /// Bytes that the script may print.
    pub output_limit: u64,
    /// What the clocks say, in seconds since 1970.
    pub now: i64,
    /// Which instructions are told.
    pub ticks: Ticks,
    /// How many instructions there may be, where there are ticks.
    pub tick_limit: u64,
    /// Whether full collections come before the state is closed.
    pub collects: bool,
    /// How the collector is driven, besides what the script and its own debt ask for.
    pub drive: Drive,
    /// Whether the script begins in generational mode, where there is one.
    pub generational: bool,
}

/// How the collector is driven. By debt and by steps it is at some ticks, never in finalizers and hooks nor while it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drive {
    /// It is not.
    None,
    /// Its debt is made due, so that the next allocation makes a step at a place of the Lua's own.
    Debt {
        /// At one tick in so many, by chance.
        rate: NonZeroU32,
        /// Which ones.
        seed: u64,
    },
    /// It makes a step at the tick.
    Steps {
        /// At one tick in so many, by chance.
        rate: NonZeroU32,
        /// Which ones.
        seed: u64,
    },
    /// Requests for memory fail, so that it collects everything in an emergency, in the middle of whatever the Lua does: where
    /// [`ProbedLua::has_emergencies`] says so, else not at all.
    Requests {
        /// One request in so many, by chance.
        rate: NonZeroU32,
        /// Which ones.
        seed: u64,
    },
}

/// Which ticks are told: the moments before each instruction of the VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticks {
    /// There are none: the VM runs as it does by itself.
    None,
    /// Those before which the collector has worked, an object was freed, or something was written while it marks.
    Eventful,
    /// All.
    All,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It returned.
    Returned,
    /// An error left it, with this message.
    Error(Vec<u8>),
    /// It ended the process, with this status.
    Exit(i32),
    /// Whoever was told of events had enough.
    Stopped,
    /// It printed too much.
    OutputFull,
    /// It went on for too many instructions.
    TicksOut,
    /// There was not enough memory for a state, or the prelude failed with this message.
    NoState(Vec<u8>),
}

/// What a script did.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub end: End,
    /// What it printed.
    pub output: Vec<u8>,
    /// How many ticks there were.
    pub ticks: u64,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MomentKind {
    /// An instruction is about to be executed.
    Tick,
    /// The collector is about to work: one step, or a full collection.
    StepBegin {
        /// Whether it is a full collection.
        full: bool,
    },
    /// The collector has worked.
    StepEnd {
        /// Whether it was a full collection.
        full: bool,
    },
    /// A barrier acted.
    Barrier,
    /// The script has ended. The state is not closed yet.
    Ended,
}

/// What is glanced at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glance {
    /// What may have been written into since the last tick.
    Written,
    /// All black objects, and the gray ones.
    Marked,
    /// All objects that are not dead.
    All,
}

/// What a Lua is about to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Whether it is a call of a native function, or the end of a function that such a one has called; else an instruction.
    pub native: bool,
    /// The native function by the way from the globals to it, as `debug.setupvalue`; the instruction as its Lua calls it, as
    /// `SETUPVAL`. `None` if it has no name.
    pub name: Option<String>,
    /// The Lua function that is an argument of the call, or that executes the instruction.
    pub closure: Option<ProbedObject>,
}

/// A moment at which the heap stands still.
pub struct Moment<'m> {
    lua: &'m ProbedLua,
    event: &'m abi::Event,
    /// What happens.
    pub kind: MomentKind,
}

impl Moment<'_> {
    /// How many ticks there were so far, this one included.
    pub fn number(&self) -> u64 {
        self.event.number
    }

    /// How many objects were freed so far that a look has met.
    pub fn frees(&self) -> u64 {
        self.event.frees
    }

    /// Where the collector is.
    pub fn phase(&self) -> Phase {
        Phase::ALL[(self.event.phase as usize).min(Phase::COUNT - 1)]
    }

    /// Whether the script has ended and full collections were made after that, in the last of which nothing of the script ran: nothing
    /// unreachable can be left.
    pub fn is_complete(&self) -> bool {
        self.kind == MomentKind::Ended && self.event.full != 0
    }

    /// Whether minor collections are made.
    pub fn is_generational(&self) -> bool {
        self.event.generational != 0
    }

    /// Whether since the last tick an object has come into another list or age, or a dead one was given out to the script: what a glance does
    /// not see.
    pub fn has_moved(&self) -> bool {
        self.event.moved != 0
    }

    /// The function of the API that was called last since the last tick, of those that may write into objects.
    pub fn function(&self) -> Option<&str> {
        if self.event.function.is_null() {
            return None;
        }
        // SAFETY: a string constant of the engine, which is loaded.
        unsafe { CStr::from_ptr(self.event.function) }.to_str().ok()
    }

    /// Whether a glance shows something wrong: a strong reference from a black object to a white one while marking, gray objects that
    /// are on no gray list, or a reference to a freed object from one that is not dead. It takes a small part of the time of a look.
    pub fn is_suspicious(&self, glance: Glance) -> bool {
        // SAFETY: the Lua stands still, in the call that tells this event.
        let seen = unsafe { (self.lua.engine.glance)(glance as c_int) };
        seen & abi::TO_FREED != 0 || seen & (abi::BLACK_TO_WHITE | abi::ODD_GRAY) != 0 && self.phase().is_marking()
    }

    /// What the Lua is about to do, at a tick. The heap is that of this moment.
    pub fn deed(&self, heap: ProbedHeap<'_>) -> Deed {
        let mut deed = abi::Deed { kind: 0, name: [0; 64], closure: 0 };
        // SAFETY: the Lua stands still, in the call that tells this event.
        unsafe { (self.lua.engine.deed)(&mut deed) };
        // SAFETY: the engine ends the name with a zero byte.
        let name = unsafe { CStr::from_ptr(deed.name.as_ptr()) }.to_string_lossy().into_owned();
        Deed {
            native: deed.kind == 1,
            name: Some(name).filter(|name| !name.is_empty()),
            closure: heap.at(deed.closure),
        }
    }

    /// The heap as it is now.
    pub fn look(&self) -> ProbedHeap<'_> {
        // SAFETY: the Lua stands still, in the call that tells this event.
        let look = unsafe { &*(self.lua.engine.look)() };
        ProbedHeap::new(self.lua, look, self.event.number)
    }
}

/// The memory of this process for its Luas. Whoever has it runs one.
static MEMORY: Mutex<Option<Memory>> = Mutex::new(None);

/// Who is told what happens.
type Listener<'t> = dyn FnMut(&Moment<'_>) -> ControlFlow<()> + 't;

struct Context<'c> {
    lua: &'c ProbedLua,
    tell: RefCell<&'c mut Listener<'c>>,
}

unsafe extern "C" fn told(context: *mut c_void, event: *const abi::Event) -> c_int {
    // SAFETY: `run` gave this context, and waits for the engine; the event is the engine's for the time of this call.
    let (context, event) = unsafe { (&*context.cast::<Context<'_>>(), &*event) };
    let full = event.full != 0;
    let kind = match event.kind {
        0 => MomentKind::Tick,
        1 => MomentKind::StepBegin { full },
        2 => MomentKind::StepEnd { full },
        3 => MomentKind::Barrier,
        _ => MomentKind::Ended,
    };
    let moment = Moment { lua: context.lua, event, kind };
    let flow = match context.tell.try_borrow_mut() {
        Ok(mut tell) => tell(&moment),
        Err(_) => ControlFlow::Continue(()),
    };
    c_int::from(flow.is_break())
}

impl ProbedLua {
    /// Runs a script in a fresh state. `tell` is told what happens; its `Break` ends the script at once. One Lua runs at a time in a
    /// process.
    ///
    /// # Errors
    /// The system gives no memory.
    pub fn run(
        &self,
        script: &Script<'_>,
        tell: &mut dyn FnMut(&Moment<'_>) -> ControlFlow<()>,
    ) -> std::io::Result<Ran> {
        let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
        if memory.is_none() {
            *memory = Some(Memory::new()?);
        }
        let Some(memory) = memory.as_mut() else { return Err(std::io::ErrorKind::OutOfMemory.into()) };
        let name = CString::new(script.chunk_name).map_err(std::io::Error::other)?;
        let context = Context { lua: self, tell: RefCell::new(tell) };
        let ((arena, arena_size), (stack, stack_size)) = (memory.arena(), memory.stack());
        let (driven, drive_rate, drive_seed) = match script.drive {
            Drive::None => (0, 1, 0),
            Drive::Debt { rate, seed } => (1, rate.get(), seed),
            Drive::Steps { rate, seed } => (2, rate.get(), seed),
            Drive::Requests { rate, seed } => (3, rate.get(), seed),
        };
        let case = abi::Case {
            source: script.source.as_ptr().cast(),
            chunk_name: name.as_ptr(),
            prelude: script.prelude.as_ptr().cast(),
            source_size: script.source.len(),
            prelude_size: script.prelude.len(),
            arena,
            stack,
            arena_size,
            stack_size,
            arena_dirty: memory.dirty,
            memory_limit: script.memory_limit,
            output_limit: script.output_limit,
            now: script.now,
            tick_limit: script.tick_limit,
            ticks: script.ticks as c_int,
            collects: c_int::from(script.collects),
            driven,
            drive_rate,
            drive_seed,
            generational: c_int::from(script.generational),
            event: Some(told),
            context: ptr::from_ref(&context).cast_mut().cast(),
        };
        let mut result = abi::CaseResult {
            end: 0,
            status: 0,
            message: ptr::null(),
            message_size: 0,
            output: ptr::null(),
            output_size: 0,
            arena_used: 0,
            ticks: 0,
        };
        // SAFETY: what the case points to lives until the call returns, and nobody else uses the memory meanwhile.
        unsafe { (self.engine.run)(&case, &mut result) };
        memory.dirty = result.arena_used;
        // SAFETY: the engine says that so many bytes are there, until the next case.
        let (message, output) = unsafe {
            (bytes_of(result.message.cast(), result.message_size), bytes_of(result.output.cast(), result.output_size))
        };
        let end = match result.end {
            0 => End::Returned,
            1 => End::Error(message),
            2 => End::Exit(result.status),
            3 => End::Stopped,
            4 => End::OutputFull,
            5 => End::TicksOut,
            _ => End::NoState(message),
        };
        Ok(Ran { end, output, ticks: result.ticks })
    }
}

/// # Safety
/// So many bytes are there, or the pointer is null.
unsafe fn bytes_of(start: *const u8, size: usize) -> Vec<u8> {
    if start.is_null() || size == 0 {
        return Vec::new();
    }
    // SAFETY: by the contract above.
    unsafe { std::slice::from_raw_parts(start, size) }.to_vec()
}
