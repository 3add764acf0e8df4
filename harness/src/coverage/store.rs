//! Stores: what one looks like to the collector.

use std::fmt;

use moonphase_heap::{Colour, Heap, Site, StoreColours};
use serde::{Deserialize, Serialize};

use super::stage::CyclePart;

const COLOURS: [Colour; 4] = [Colour::White, Colour::OtherWhite, Colour::Gray, Colour::Black];

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
pub struct StoreCell {
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

impl StoreCell {
    /// How many numbers of stores there are.
    pub(super) const COUNT: usize = Site::ALL.len() * CyclePart::COUNT * COLOURS.len() * COLOURS.len() * 2;

    /// The cell of a store. `None` where a name of a metamethod is stored: these strings are never collected, so they have no
    /// colour to speak of.
    #[inline(never)]
    pub(super) fn of<H: Heap>(
        heap: H,
        site: Site,
        [holder, new]: [H::Object; 2],
        before: StoreColours,
    ) -> Option<StoreCell> {
        if heap.is_fixed(new) {
            return None;
        }
        let upvalue = has_upvalue_state(site).then(|| {
            // Of the two objects one is the upvalue.
            let open = heap.is_open_upvalue(holder) || heap.is_open_upvalue(new);
            if open { UpvalueState::Open } else { UpvalueState::Closed }
        });
        Some(StoreCell { site, stage: CyclePart::of(heap), parent: before.holder, child: before.new, upvalue })
    }

    /// The number of the cell, below [`StoreCell::COUNT`].
    pub(super) fn index(self) -> usize {
        let mut index = self.site as usize;
        index = index * CyclePart::COUNT + self.stage.index();
        index = index * COLOURS.len() + self.parent as usize;
        index = index * COLOURS.len() + self.child as usize;
        index * 2 + usize::from(self.upvalue == Some(UpvalueState::Open))
    }

    /// The cell of a number. `None` where there is none.
    pub(super) fn at(index: usize) -> Option<StoreCell> {
        let (open, index) = (index % 2 == 1, index / 2);
        let (child, index) = (COLOURS[index % COLOURS.len()], index / COLOURS.len());
        let (parent, index) = (COLOURS[index % COLOURS.len()], index / COLOURS.len());
        let (stage, index) = (CyclePart::at(index % CyclePart::COUNT), index / CyclePart::COUNT);
        let site = *Site::ALL.get(index)?;
        let upvalue = match (has_upvalue_state(site), open) {
            (true, true) => Some(UpvalueState::Open),
            (true, false) => Some(UpvalueState::Closed),
            (false, false) => None,
            (false, true) => return None,
        };
        Some(StoreCell { site, stage, parent, child, upvalue })
    }
}

/// Whether the upvalue at a site may be open or closed. One that is being closed is open, and that of a main function
/// closed from the beginning.
fn has_upvalue_state(site: Site) -> bool {
    matches!(site, Site::UpvalueStore | Site::Setupvalue | Site::Upvaluejoin | Site::ClosureCapture)
}

impl fmt::Display for StoreCell {
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
