//! Memory at the same addresses in every process: a run of a script is the same to the address.

use std::ffi::c_void;
use std::ptr;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Where the objects of a Lua are, and where its C stack is. No system maps anything there by itself.
const ARENA_ADDRESS: usize = 0x5200_0000_0000;
const STACK_ADDRESS: usize = 0x5300_0000_0000;

const ARENA_BYTES: usize = 4 << 30;
const STACK_BYTES: usize = 16 << 20;

/// Addresses that a process has for its Luas, in bytes. Memory is taken as it is used.
pub const RESERVED_BYTES: u64 = (ARENA_BYTES + STACK_BYTES) as u64;

/// Memory that is given back when it goes.
struct Region {
    start: *mut c_void,
    bytes: usize,
}

impl Region {
    /// At the address, if it is free; else anywhere.
    fn at(address: usize, bytes: usize) -> rustix::io::Result<Region> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        let wanted = ptr::without_provenance_mut(address);
        // SAFETY: with this flag nothing that is mapped already is replaced.
        let fixed = unsafe { mmap_anonymous(wanted, bytes, protection, flags | MapFlags::FIXED_NOREPLACE) };
        let start = match fixed {
            Ok(start) => start,
            // SAFETY: a new mapping at an address that the system chooses.
            Err(_) => unsafe { mmap_anonymous(ptr::null_mut(), bytes, protection, flags)? },
        };
        Ok(Region { start, bytes })
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the region was mapped by `at`, and nobody else knows it any more.
        let _ = unsafe { munmap(self.start, self.bytes) };
    }
}

/// What the Luas of a process run in, one after the other.
pub(crate) struct Memory {
    arena: Region,
    stack: Region,
    /// How many bytes of the arena were written, from the beginning.
    pub(crate) dirty: usize,
}

// SAFETY: the regions belong to the value alone, whichever thread has it.
unsafe impl Send for Memory {}

impl Memory {
    pub(crate) fn new() -> rustix::io::Result<Memory> {
        let (arena, stack) = (Region::at(ARENA_ADDRESS, ARENA_BYTES)?, Region::at(STACK_ADDRESS, STACK_BYTES)?);
        Ok(Memory { arena, stack, dirty: 0 })
    }

    /// The arena and its bytes.
    pub(crate) fn arena(&self) -> (*mut c_void, usize) {
        (self.arena.start, self.arena.bytes)
    }

    /// The C stack and its bytes.
    pub(crate) fn stack(&self) -> (*mut c_void, usize) {
        (self.stack.start, self.stack.bytes)
    }
}
