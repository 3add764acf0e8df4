//! What must hold in the heap of a Lua collector, checked while a program runs.
//!
//! Each [`Invariant`] is one question to a heap, answered from [`HeapView`](moonphase_vm::gc::HeapView) alone: nothing
//! that the collector computes is trusted, its colours and lists are the thing under test. A [`Checker`] is an observer
//! of a VM that asks them after every store and barrier and around every step of the collector, and ends the script at
//! the first [`Violation`]. How often it looks at how much is its [`Level`]; what it remembers for explaining is its
//! [`History`].
//!
//! The code reads from single questions (`tricolour` to `complete`) to `looks`, which says when which of them may be
//! asked, and `checker`, which asks.

#![forbid(unsafe_code)]

mod ages;
mod bytes;
mod checker;
mod complete;
mod dangling;
mod describe;
mod finalizers;
mod gray_lists;
mod history;
mod id_set;
mod intern;
mod invariant;
mod known;
mod lists;
mod looks;
mod old;
mod pause;
mod reachable;
mod signs;
mod sound;
mod threads;
mod tricolour;
mod upvalues;
mod violation;
mod weak;

pub use checker::{Checker, Level, UnknownLevel};
pub use complete::check_complete;
pub use dangling::met as dangling_met;
pub use describe::{describe, describe_location, excerpt, name_of};
pub use history::{BarrierRecord, History, Moment, StoreRecord};
pub use invariant::{Invariant, UnknownInvariant};
pub use violation::{ObjectInfo, PathStep, Verdict, Violation};
