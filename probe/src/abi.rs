//! The structures of `include/moonphase_probe.h`, whose comments say what each field is.

#![allow(missing_docs)]

use std::ffi::{c_char, c_int, c_void};

pub(crate) const ABI: u32 = 3;
pub(crate) const NONE: u32 = u32::MAX;

/// What a glance shows.
pub(crate) const BLACK_TO_WHITE: u32 = 1;
pub(crate) const TO_FREED: u32 = 2;
pub(crate) const ODD_GRAY: u32 = 4;

pub(crate) mod flag {
    pub(crate) const FREED: u8 = 1;
    pub(crate) const FIXED: u8 = 2;
    pub(crate) const FINALIZER: u8 = 4;
    pub(crate) const SHORT: u8 = 8;
    pub(crate) const INTERNED: u8 = 16;
    pub(crate) const OPEN: u8 = 32;
}

/// How many lists of objects, gray lists and string tables a look has.
pub(crate) const LISTS: usize = 13;
pub(crate) const INTERNED_LIST: usize = 12;

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Object {
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) number: u32,
    pub(crate) first_edge: u32,
    pub(crate) edges: u32,
    pub(crate) slot_thread: u32,
    pub(crate) slot: u32,
    pub(crate) kind: u8,
    pub(crate) colour: u8,
    pub(crate) age: u8,
    pub(crate) flags: u8,
    pub(crate) weakness: u8,
    pub(crate) marks: u8,
    unused: [u8; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) target: u32,
    pub(crate) place: u32,
    pub(crate) key: u32,
    pub(crate) label: u8,
    pub(crate) strength: u8,
    unused: [u8; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Range {
    pub(crate) first: u32,
    pub(crate) count: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Root {
    pub(crate) root: u32,
    pub(crate) object: u32,
}

#[repr(C)]
pub(crate) struct Look {
    pub(crate) objects: *const Object,
    pub(crate) edges: *const Edge,
    pub(crate) members: *const u32,
    pub(crate) roots: *const Root,
    pub(crate) stack: *const u32,
    pub(crate) lists: [Range; LISTS],
    pub(crate) object_count: u32,
    pub(crate) edge_count: u32,
    pub(crate) root_count: u32,
    pub(crate) stack_size: u32,
    pub(crate) stack_live: u32,
    pub(crate) running: u32,
    pub(crate) generations: [[u32; 3]; 2],
    pub(crate) first_old1: u32,
    pub(crate) newest: u32,
    pub(crate) bytes: u64,
    pub(crate) phase: u8,
    pub(crate) generational: u8,
    unused: [u8; 6],
}

#[repr(C)]
pub(crate) struct Event {
    pub(crate) kind: u32,
    pub(crate) full: u32,
    pub(crate) number: u64,
    pub(crate) frees: u64,
    pub(crate) parent: u64,
    pub(crate) child: u64,
    pub(crate) function: *const c_char,
    pub(crate) phase: u32,
    pub(crate) generational: u32,
    pub(crate) moved: u32,
}

#[repr(C)]
pub(crate) struct Deed {
    pub(crate) kind: c_int,
    pub(crate) name: [c_char; 64],
    pub(crate) closure: u64,
}

#[repr(C)]
pub(crate) struct Case {
    pub(crate) source: *const c_char,
    pub(crate) chunk_name: *const c_char,
    pub(crate) prelude: *const c_char,
    pub(crate) source_size: usize,
    pub(crate) prelude_size: usize,
    pub(crate) arena: *mut c_void,
    pub(crate) stack: *mut c_void,
    pub(crate) arena_size: usize,
    pub(crate) stack_size: usize,
    pub(crate) arena_dirty: usize,
    pub(crate) memory_limit: u64,
    pub(crate) output_limit: u64,
    pub(crate) now: i64,
    pub(crate) tick_limit: u64,
    pub(crate) ticks: c_int,
    pub(crate) collects: c_int,
    pub(crate) driven: c_int,
    pub(crate) drive_rate: u32,
    pub(crate) drive_seed: u64,
    pub(crate) generational: c_int,
    pub(crate) event: Option<unsafe extern "C" fn(*mut c_void, *const Event) -> c_int>,
    pub(crate) context: *mut c_void,
}

#[repr(C)]
pub(crate) struct CaseResult {
    pub(crate) end: c_int,
    pub(crate) status: c_int,
    pub(crate) message: *const c_char,
    pub(crate) message_size: usize,
    pub(crate) output: *const c_char,
    pub(crate) output_size: usize,
    pub(crate) arena_used: usize,
    pub(crate) ticks: u64,
}

#[repr(C)]
pub(crate) struct Engine {
    pub(crate) abi: u32,
    pub(crate) version: u32,
    pub(crate) release: *const c_char,
    pub(crate) run: unsafe extern "C" fn(*const Case, *mut CaseResult),
    pub(crate) look: unsafe extern "C" fn() -> *const Look,
    pub(crate) glance: unsafe extern "C" fn(c_int) -> u32,
    pub(crate) string: unsafe extern "C" fn(u64, *mut usize) -> *const c_char,
    pub(crate) definition: unsafe extern "C" fn(u64, *mut *const c_char, *mut usize, *mut u32) -> c_int,
    pub(crate) location: unsafe extern "C" fn(*mut *const c_char, *mut usize, *mut u32) -> c_int,
    pub(crate) upvalue_name: unsafe extern "C" fn(u64, u32, *mut usize) -> *const c_char,
    pub(crate) slot_name: unsafe extern "C" fn(u64, u32) -> *const c_char,
    pub(crate) key: unsafe extern "C" fn(u64, u32, *mut c_char, usize) -> c_int,
    pub(crate) depth: unsafe extern "C" fn() -> u32,
    pub(crate) deed: unsafe extern "C" fn(*mut Deed),
    pub(crate) damage: unsafe extern "C" fn(c_int, u64, u64) -> c_int,
}
