//! Cells: what something that happened looked like to the collector.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use moonphase_heap::{Event, Heap, Site, StepKind};
use serde::{Deserialize, Serialize};

use super::closing::{EndCell, ScopeCell};
use super::loading::LoadCell;
use super::store::StoreCell;
use super::weak::WeakCell;

/// Something that happened, as the collector saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Cell {
    /// A reference was stored.
    Store(StoreCell),
    /// An entry of a weak table was cleared.
    Weak(WeakCell),
    /// A variable was closed.
    Scope(ScopeCell),
    /// The state was closed.
    End(EndCell),
    /// The collector worked while a chunk was loaded.
    Load(LoadCell),
}

/// How many numbers of cells there are.
pub const CELLS: usize = StoreCell::COUNT + WeakCell::COUNT + ScopeCell::COUNT + EndCell::COUNT + LoadCell::COUNT;

const _: () = assert!(CELLS <= u16::MAX as usize + 1);

/// The first words of the names of cells other than stores, whose first words are those of sites.
const SUBJECTS: [&str; 9] = [
    "weak-entry",
    "weak-late",
    "weak-age",
    "weak-finalized",
    "weak-pair",
    "close-upvalue",
    "close-variable",
    "close-state",
    "load",
];

/// The cells other than stores, in the order of their numbers, and the numbers.
struct Others {
    cells: Vec<Cell>,
    numbers: HashMap<Cell, usize>,
}

static OTHERS: LazyLock<Others> = LazyLock::new(|| {
    let cells: Vec<Cell> = (WeakCell::all().into_iter().map(Cell::Weak))
        .chain(ScopeCell::all().map(Cell::Scope))
        .chain(EndCell::all().map(Cell::End))
        .chain(LoadCell::all().map(Cell::Load))
        .collect();
    let numbers = (StoreCell::COUNT..).zip(&cells).map(|(number, &cell)| (cell, number)).collect();
    Others { cells, numbers }
});

impl Cell {
    /// The cells of an event, in the middle of a step of this kind or outside of steps.
    #[inline]
    pub(super) fn each_of<H: Heap>(
        heap: H,
        step: Option<StepKind>,
        event: &Event<'_, H::Object>,
        mut visit: impl FnMut(Cell),
    ) {
        match *event {
            Event::Store { site, holder, new, before, .. } => {
                if let Some(cell) = StoreCell::of(heap, site, [holder, new], before) {
                    visit(Cell::Store(cell));
                }
            }
            Event::ClearWeak { pass, table, key, value } => {
                WeakCell::each_of(heap, step, pass, table, [key, value], |cell| visit(Cell::Weak(cell)));
            }
            Event::CloseUpvalue { end, .. } => visit(Cell::Scope(ScopeCell::of_upvalue(heap, end))),
            Event::CloseVariable(end) => {
                if let Some(cell) = ScopeCell::of_variable(heap, end) {
                    visit(Cell::Scope(cell));
                }
            }
            Event::CloseState => EndCell::each_of(heap, |cell| visit(Cell::End(cell))),
            Event::StepBegin(kind) => {
                if let Some(cell) = LoadCell::of(heap, kind) {
                    visit(Cell::Load(cell));
                }
            }
            _ => {}
        }
    }

    /// The number of the cell, below [`CELLS`].
    pub fn index(self) -> usize {
        match self {
            Cell::Store(store) => store.index(),
            // Every cell is among them.
            other => OTHERS.numbers.get(&other).copied().unwrap_or_default(),
        }
    }

    /// The cell of a number. `None` where there is none.
    pub fn at(index: usize) -> Option<Cell> {
        match index.checked_sub(StoreCell::COUNT) {
            None => StoreCell::at(index).map(Cell::Store),
            Some(index) => OTHERS.cells.get(index).copied(),
        }
    }

    /// Every cell, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Cell> {
        (0..CELLS).filter_map(Cell::at)
    }

    /// What met the collector, with its article.
    pub fn subject(self) -> &'static str {
        match self {
            Cell::Store(_) => "a store",
            Cell::Weak(_) => "the clearing of a weak entry",
            Cell::Scope(_) => "the closing of a variable",
            Cell::End(_) => "the closing of the state",
            Cell::Load(_) => "the loading of a chunk",
        }
    }

    /// What the names of cells begin with.
    pub fn first_words() -> impl Iterator<Item = &'static str> {
        Site::ALL.iter().map(|site| site.name()).chain(SUBJECTS)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Store(cell) => cell.fmt(f),
            Cell::Weak(cell) => cell.fmt(f),
            Cell::Scope(cell) => cell.fmt(f),
            Cell::End(cell) => cell.fmt(f),
            Cell::Load(cell) => cell.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_cell_is_the_one_of_its_number_and_has_a_name_of_its_own() {
        assert_eq!(StoreCell::COUNT + OTHERS.cells.len(), CELLS);
        let mut names = HashSet::new();
        for cell in Cell::all() {
            assert_eq!(Cell::at(cell.index()), Some(cell));
            assert!(names.insert(cell.to_string()), "{cell}");
        }
        for name in [
            "setupvalue propagate black->white closed",
            "table-store minor-sweep white->gray",
            "weak-entry weak-keys key minor",
            "weak-late major",
            "weak-age keys survival",
            "weak-finalized values incremental",
            "weak-pair all-weak value dead",
            "close-upvalue wrap-error marking",
            "close-variable error",
            "close-variable return no-barriers",
            "close-state table sweeping",
            "close-state waiting",
            "load binary reader prototype sweep-all",
        ] {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn every_name_begins_with_one_of_the_first_words() {
        let used: HashSet<String> =
            Cell::all().map(|cell| cell.to_string().split(' ').next().unwrap_or_default().to_owned()).collect();
        assert_eq!(used, Cell::first_words().map(str::to_owned).collect());
    }
}
