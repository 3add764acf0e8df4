//! What must hold in the heap of a Lua collector, checked while a program runs.
//!
//! Each [`Invariant`] is one question to a heap, answered from the trait [`Heap`](moonphase_heap::Heap) alone: nothing that
//! the collector computes is trusted, since its colours and lists are the thing under test. Where collectors differ without
//! being wrong, a check asks the heap's [`Rules`](moonphase_heap::Rules).
//!
//! A [`Checker`] is an observer of a heap. It asks after every store and barrier and around every step of the collector, and
//! ends the script at the first [`Violation`]. How often it looks at how much is its [`Level`]; what it remembers for
//! explaining is its [`History`]. A heap that stands still is looked at with [`check`], or with [`Checker::look`].
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
/// step. All questions but [`Invariant::Lists`] rely on lists that end.
///
/// [`Invariant::Complete`] applies right after as many full collections as it takes to collect everything. Finalizers that the
/// last one calls make exceptions, which [`Checker::look_complete`] knows.
///
/// # Errors
/// The heap breaks the invariant.
pub fn check<H: Names>(invariant: Invariant, heap: H) -> Result<(), Box<Violation>> {
    checks::check(invariant, heap).map_err(|breach| Violation::of(heap, &breach))
}

/// What it means that the collector met a freed object where only living ones may be.
pub fn dangling_met<H: Names>(heap: H, object: H::Object) -> Box<Violation> {
    Violation::of(heap, &checks::dangling::met(heap, object))
}
