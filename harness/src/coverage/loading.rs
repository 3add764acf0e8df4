//! Loading: where the collector works while a program loads a chunk.

use std::fmt;

use moonphase_heap::{Heap, Kind, Loading, Root, StepKind};
use serde::{Deserialize, Serialize};

use super::stage::CyclePart;

/// What has just been made when the collector works while a chunk is loaded. Nothing but a root refers to it yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Made {
    /// A constant, a name or a source.
    String,
    /// A function's code, whose parts are missing.
    Prototype,
    /// The main function, without its upvalues.
    Closure,
}

impl Made {
    const ALL: [Made; 3] = [Made::String, Made::Prototype, Made::Closure];

    /// The word in the names of cells.
    pub fn name(self) -> &'static str {
        match self {
            Made::String => "string",
            Made::Prototype => "prototype",
            Made::Closure => "closure",
        }
    }
}

/// A step of the collector while a program loads a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LoadCell {
    /// Whether the chunk is a binary one.
    pub binary: bool,
    /// Whether a function has given the chunk piece by piece.
    pub reader: bool,
    /// What has just been made.
    pub made: Made,
    /// Where the collector is before the step.
    pub stage: CyclePart,
}

impl LoadCell {
    /// How many there are.
    pub(super) const COUNT: usize = 2 * 2 * Made::ALL.len() * CyclePart::COUNT;

    /// Every one.
    pub(super) fn all() -> impl Iterator<Item = LoadCell> {
        [(false, false), (false, true), (true, false), (true, true)].into_iter().flat_map(|(binary, reader)| {
            Made::ALL
                .into_iter()
                .flat_map(move |made| CyclePart::all().map(move |stage| LoadCell { binary, reader, made, stage }))
        })
    }

    /// The cell of a step that begins. `None` where nothing is being loaded, or the step is none of a cycle or collection.
    #[inline(never)]
    pub(super) fn of<H: Heap>(heap: H, step: StepKind) -> Option<LoadCell> {
        let Loading { binary, reader } = heap.loading()?;
        if !matches!(step, StepKind::Turn | StepKind::Minor | StepKind::Major) {
            return None;
        }
        let mut newest = None;
        heap.single_roots(|root, object| {
            if root == Root::JustMade {
                newest = Some(object);
            }
        });
        let made = match heap.kind(newest?) {
            Kind::String => Made::String,
            Kind::Prototype => Made::Prototype,
            Kind::Closure => Made::Closure,
            _ => return None,
        };
        Some(LoadCell { binary, reader, made, stage: CyclePart::of(heap) })
    }
}

impl fmt::Display for LoadCell {
    /// `load binary reader prototype sweep-all`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if self.binary { "binary" } else { "text" };
        let from = if self.reader { "reader" } else { "string" };
        write!(f, "load {form} {from} {} {}", self.made.name(), self.stage.name())
    }
}
