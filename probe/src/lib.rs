//! Looks into the heaps of C Luas.
//!
//! The probe is C (`c/`, `include/`): it is compiled against the internal headers of a Lua and linked with it into one shared object
//! ([`compile`]). A [`ProbedLua`] is such an object, loaded. It runs scripts and tells what happens; at each event the heap stands
//! still and can be read as a [`Heap`](moonphase_heap::Heap).

#![cfg(target_os = "linux")]
// Loading, calling and reading what C has made cannot do without; each block has its reason.
#![allow(unsafe_code)]

mod abi;
pub mod compile;
pub mod fault;
mod heap;
mod load;
mod memory;
mod rules;
mod run;

pub use heap::{Damage, ProbedHeap, ProbedObject};
pub use load::{LoadError, ProbedLua, Stock};
pub use memory::RESERVED_BYTES;
pub use run::{Deed, Drive, End, Glance, Moment, MomentKind, Ran, Script, Ticks};
