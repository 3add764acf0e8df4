//! Where the collector is, as finely or as roughly as cells tell it.

use moonphase_heap::{Heap, Mode, Phase};
use serde::{Deserialize, Serialize};

/// Where the collector is, as far as a program can tell.
///
/// In generational mode the phase between two collections is that of propagation, while the colours mean ages; so it has
/// stages of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CyclePart {
    /// A phase of a cycle, in incremental mode.
    Incremental(Phase),
    /// Between two collections of generational mode.
    Generational,
    /// Inside of a minor collection, while it sweeps.
    MinorSweep,
}

impl CyclePart {
    /// How many parts there are.
    pub(super) const COUNT: usize = Phase::COUNT + 2;

    /// Where the collector of a heap is.
    pub(super) fn of<H: Heap>(heap: H) -> CyclePart {
        match (heap.mode(), heap.phase()) {
            (Mode::Incremental, phase) => CyclePart::Incremental(phase),
            (Mode::Generational, Phase::Propagate) => CyclePart::Generational,
            (Mode::Generational, _) => CyclePart::MinorSweep,
        }
    }

    /// Every part, in the order of their numbers.
    pub(super) fn all() -> impl Iterator<Item = CyclePart> {
        (0..CyclePart::COUNT).map(CyclePart::at)
    }

    pub(super) fn index(self) -> usize {
        match self {
            CyclePart::Incremental(phase) => phase as usize,
            CyclePart::Generational => Phase::COUNT,
            CyclePart::MinorSweep => Phase::COUNT + 1,
        }
    }

    pub(super) fn at(index: usize) -> CyclePart {
        match Phase::ALL.get(index) {
            Some(&phase) => CyclePart::Incremental(phase),
            None if index == CyclePart::Generational.index() => CyclePart::Generational,
            None => CyclePart::MinorSweep,
        }
    }

    /// The word in the names of cells: that of the phase, `generational` or `minor-sweep`.
    pub fn name(self) -> &'static str {
        match self {
            CyclePart::Incremental(phase) => phase.name(),
            CyclePart::Generational => "generational",
            CyclePart::MinorSweep => "minor-sweep",
        }
    }
}

/// What the collector is doing, for what is too rare to be told apart by phases.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Doing {
    /// It marks, in incremental mode.
    Marking,
    /// It sweeps, in incremental mode or in a major collection.
    Sweeping,
    /// It is between two cycles, or calls finalizers.
    Resting,
    /// It works in generational mode.
    Generational,
}

impl Doing {
    /// Every one.
    pub(super) const ALL: [Doing; 4] = [Doing::Marking, Doing::Sweeping, Doing::Resting, Doing::Generational];

    /// What the collector of a heap is doing.
    pub(super) fn of<H: Heap>(heap: H) -> Doing {
        match heap.phase() {
            _ if heap.mode() == Mode::Generational => Doing::Generational,
            Phase::Propagate | Phase::EnterAtomic | Phase::Atomic => Doing::Marking,
            Phase::SweepStrings
            | Phase::SweepAll
            | Phase::SweepFinalizable
            | Phase::SweepToBeFinalized
            | Phase::SweepEnd => Doing::Sweeping,
            Phase::CallFinalizers | Phase::Pause => Doing::Resting,
        }
    }

    /// Whether barriers keep up the tri-colour invariant.
    pub(super) fn keeps_invariant(self) -> bool {
        matches!(self, Doing::Marking | Doing::Generational)
    }

    /// The word in the names of cells.
    pub fn name(self) -> &'static str {
        match self {
            Doing::Marking => "marking",
            Doing::Sweeping => "sweeping",
            Doing::Resting => "resting",
            Doing::Generational => "generational",
        }
    }
}
