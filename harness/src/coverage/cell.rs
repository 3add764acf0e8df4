//! Cells: what one store looks like to the collector.

use std::fmt;

use moonphase_heap::{Colour, Event, Heap, Mode, Phase, Site};
use serde::{Deserialize, Serialize};

/// Where the collector is, as far as stores can tell.
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

const STAGES: usize = Phase::ALL.len() + 2;

const COLOURS: [Colour; 4] = [Colour::White, Colour::OtherWhite, Colour::Gray, Colour::Black];

impl CyclePart {
    fn of<H: Heap>(heap: H) -> CyclePart {
        match (heap.mode(), heap.phase()) {
            (Mode::Incremental, phase) => CyclePart::Incremental(phase),
            (Mode::Generational, Phase::Propagate) => CyclePart::Generational,
            (Mode::Generational, _) => CyclePart::MinorSweep,
        }
    }

    fn index(self) -> usize {
        match self {
            CyclePart::Incremental(phase) => phase as usize,
            CyclePart::Generational => Phase::ALL.len(),
            CyclePart::MinorSweep => Phase::ALL.len() + 1,
        }
    }

    fn at(index: usize) -> CyclePart {
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

/// Whether the upvalue that a store is about is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum UpvalueState {
    /// It is a stack slot's.
    Open,
    /// It has its value.
    Closed,
}

/// A store as the collector sees it before its barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cell {
    /// Who writes.
    pub site: Site,
    /// Where the collector is.
    pub stage: CyclePart,
    /// The colour of the holder.
    pub parent: Colour,
    /// The colour of what it refers to now.
    pub child: Colour,
    /// The state of the upvalue, at sites where it can be one or the other.
    pub upvalue: Option<UpvalueState>,
}

/// How many numbers of cells there are.
pub const CELLS: usize = Site::ALL.len() * STAGES * COLOURS.len() * COLOURS.len() * 2;

const _: () = assert!(CELLS <= u16::MAX as usize + 1);

impl Cell {
    /// The cell of a store. `None` for other events, and where a name of a metamethod is stored: these strings are never
    /// collected, so they have no colour to speak of.
    pub fn of<H: Heap>(heap: H, event: &Event<'_, H::Object>) -> Option<Cell> {
        let Event::Store { site, holder, new, before, .. } = *event else { return None };
        if heap.is_fixed(new) {
            return None;
        }
        let upvalue = has_upvalue_state(site).then(|| {
            // Of the two objects one is the upvalue.
            let open = heap.is_open_upvalue(holder) || heap.is_open_upvalue(new);
            if open { UpvalueState::Open } else { UpvalueState::Closed }
        });
        Some(Cell { site, stage: CyclePart::of(heap), parent: before.holder, child: before.new, upvalue })
    }

    /// The number of the cell, below [`CELLS`].
    pub fn index(self) -> usize {
        let mut index = self.site as usize;
        index = index * STAGES + self.stage.index();
        index = index * COLOURS.len() + self.parent as usize;
        index = index * COLOURS.len() + self.child as usize;
        index * 2 + usize::from(self.upvalue == Some(UpvalueState::Open))
    }

    /// The cell of a number. `None` where there is none.
    pub fn at(index: usize) -> Option<Cell> {
        let (open, index) = (index % 2 == 1, index / 2);
        let (child, index) = (COLOURS[index % COLOURS.len()], index / COLOURS.len());
        let (parent, index) = (COLOURS[index % COLOURS.len()], index / COLOURS.len());
        let (stage, index) = (CyclePart::at(index % STAGES), index / STAGES);
        let site = *Site::ALL.get(index)?;
        let upvalue = match (has_upvalue_state(site), open) {
            (true, true) => Some(UpvalueState::Open),
            (true, false) => Some(UpvalueState::Closed),
            (false, false) => None,
            (false, true) => return None,
        };
        Some(Cell { site, stage, parent, child, upvalue })
    }

    /// Every cell, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Cell> {
        (0..CELLS).filter_map(Cell::at)
    }
}

/// Whether the upvalue at a site may be open or closed. One that is being closed is open, and that of a main function
/// closed from the beginning.
fn has_upvalue_state(site: Site) -> bool {
    matches!(site, Site::UpvalueStore | Site::Setupvalue | Site::Upvaluejoin | Site::ClosureCapture)
}

impl fmt::Display for Cell {
    /// `setupvalue propagate black->white closed`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |colour: Colour| match colour {
            Colour::White => "white",
            Colour::OtherWhite => "other-white",
            Colour::Gray => "gray",
            Colour::Black => "black",
        };
        write!(f, "{} {} {}->{}", self.site, self.stage.name(), word(self.parent), word(self.child))?;
        match self.upvalue {
            Some(UpvalueState::Open) => f.write_str(" open"),
            Some(UpvalueState::Closed) => f.write_str(" closed"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_cell_is_the_one_of_its_number_and_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for cell in Cell::all() {
            assert_eq!(Cell::at(cell.index()), Some(cell));
            assert!(names.insert(cell.to_string()), "{cell}");
        }
        assert!(names.contains("setupvalue propagate black->white closed"));
        assert!(names.contains("table-store minor-sweep white->gray"));
    }
}
