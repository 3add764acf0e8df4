//! What must hold in the heap of a Lua collector, checked while a program runs.
//!
//! Each [`Invariant`] is one question to a heap, answered from the trait [`Heap`](moonphase_heap::Heap). Nothing that the
//! collector computes is trusted, since its colours and lists are the thing under test. Where collectors differ without
//! being wrong, a check asks the heap's [`Rules`](moonphase_heap::Rules).
//!
//! A [`Checker`] is an observer of a heap. It asks the questions while a program runs, after stores and barriers and around
//! steps of the collector, and ends the program at the first [`Violation`]. Its [`Level`] says when it looks and at how much;
//! its [`History`] is what it remembers to explain a violation. A heap that stands still is looked at with [`check`], or with
//! [`Checker::look`].
//!
//! These words are used throughout:
//!
//! - a *look* asks several questions of a part of the heap at once; a *whole* look asks all of everything;
//! - an object is *dead* if it was freed or is of the other white, so that a sweep will free it;
//! - the heap is *settled* where no store is half done: while a barrier is called, its object may hold another new reference
//!   whose barrier has not run yet;
//! - a *run of steps* is a number of steps of the collector with nothing done by the program in between;
//! - *really old* is an object of age [`Old`](moonphase_heap::Age::Old), which minor collections leave alone.
//!
//! The code reads from the walks over a heap (`walk`) and the single questions (`checks/`) to the looks, which ask several
//! questions together (`sound`, `looks`), and the checker, which says when (`checker`).

#![forbid(unsafe_code)]

mod breach;
mod checker;
mod checks;
mod describe;
mod history;
mod id_set;
mod invariant;
mod known;
mod last_cycle;
mod level;
mod looks;
mod old;
mod path;
mod scratch;
mod signs;
mod sound;
mod sweep;
mod violation;
mod walk;

use moonphase_heap::Names;

pub use checker::Checker;
pub use describe::{ObjectInfo, excerpt};
pub use history::{BarrierRecord, History, Moment, StoreRecord};
pub use invariant::{Invariant, UnknownInvariant};
pub use level::{Level, UnknownLevel};
pub use violation::{PathStep, Violation};

/// Asks one question of a whole heap, if the question applies in the heap's phase. The heap must not be in the middle of a
/// step.
///
/// All questions but [`Invariant::Lists`] rely on lists that end: in a circle they would not return. Of
/// [`Invariant::Finalizers`] the order of calls is not asked, since it takes a [`Checker`] that has seen the objects get their
/// finalizers; nor of [`Invariant::Weak`] whether an entry is gone, since it takes one that has seen the heap before.
/// [`Invariant::Complete`] applies right after two full collections of which the last called no finalizer;
/// [`Checker::look_complete`] knows what finalizers may have left.
///
/// # Errors
/// The heap breaks the invariant: the first breach that was met.
pub fn check<H: Names>(invariant: Invariant, heap: H) -> Result<(), Box<Violation>> {
    checks::check(invariant, heap).map_err(|breach| Violation::of(heap, &breach))
}

/// The violation that it is if the collector meets a freed object: who refers to the object is found by looking everywhere.
pub fn dangling_met<H: Names>(heap: H, object: H::Object) -> Box<Violation> {
    Violation::of(heap, &checks::dangling::met(heap, object))
}
