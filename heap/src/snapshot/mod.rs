//! A heap that stands still: every object with its marks, lists and references, and the names that its script has for them.

mod capture;
mod read;

use crate::{
    Age, Colour, Edge, GrayList, Key, Kind, ListName, Location, Mode, Names, Pacing, Phase, Root, Rules, Weakness,
};
use serde::{Deserialize, Serialize};

/// A heap that stands still and belongs to nobody. `&Snapshot` is a [`Heap`](crate::Heap) and has [`Names`].
///
/// It is as damaged as the heap that it was taken of: an object may be in two lists, a list may be a circle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    rules: Rules,
    phase: Phase,
    mode: Mode,
    bytes: u64,
    pacing: Pacing,
    newest: u32,
    location: Option<Location>,
    destination: Option<Vec<u8>>,
    depth: u32,
    objects: Vec<Record>,
    lists: [Chain; ListName::COUNT],
    gray_lists: [Vec<Place>; GrayList::COUNT],
    waited: Vec<Place>,
    interned: Chain,
    quarantined: Vec<Place>,
    generations: [[Option<Place>; 3]; ListName::COUNT],
    first_old1: Option<Place>,
    running_thread: Option<Place>,
    /// What is in the running thread's stack, above its live top too.
    stack: Vec<Option<Place>>,
    roots: Vec<(Root, Place)>,
}

/// An object of a [`Snapshot`]: its place among the snapshot's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place(u32);

/// A list of objects, which may lead back into itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Chain {
    members: Vec<Place>,
    /// The member that follows the last one, if the list is a circle.
    circle: Option<u32>,
}

/// An object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Record {
    id: u32,
    kind: Kind,
    colour: Colour,
    age: Age,
    freed: bool,
    fixed: bool,
    finalizer: bool,
    size: u64,
    weakness: Weakness,
    references: Vec<Edge<Place>>,
    /// The keys of a table's entries, by the places of the entries.
    keys: Vec<(u32, Key)>,
    /// The objects that are keys of entries without a value, by the places of the entries.
    empty_keys: Vec<(u32, Place)>,
    definition: Option<Location>,
    details: Details,
}

/// What only objects of one kind have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Details {
    None,
    String { contents: Vec<u8>, short: bool, interned: bool },
    Closure { prototype: Option<Place>, upvalue_names: Vec<Option<Vec<u8>>> },
    NativeClosure { name: Option<Vec<u8>> },
    Prototype { nested_names: Vec<Option<Vec<u8>>>, method: bool },
    Thread { live: u32, open_upvalues: Vec<Place>, slot_names: Vec<Option<Vec<u8>>> },
    Upvalue { open: bool, slot: Option<(Place, u32)>, holders: Option<u32> },
}

impl Snapshot {
    /// How a heap is now.
    pub fn of<H: Names>(heap: H) -> Snapshot {
        capture::capture(heap)
    }

    fn record(&self, object: Place) -> &Record {
        &self.objects[object.0 as usize]
    }
}
