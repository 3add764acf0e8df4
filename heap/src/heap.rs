//! The trait that a heap is read through.

use crate::{Abilities, Age, Colour, Edge, GrayList, Key, Kind, Label, ListName, Mode, Phase, Root, Rules, Strength};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::ops::Range;

/// All that the header of an object says of it beside number and kind, to be compared: two objects with the same marks have
/// the same colour and age, and are the same to [`Heap::is_freed`] and [`Heap::has_finalizer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks(NonZeroU32);

impl Marks {
    /// Marks from the bits of a header, which are up to the heap.
    #[inline]
    pub fn new(bits: u16) -> Marks {
        Marks(NonZeroU32::MIN | u32::from(bits) << 16)
    }
}

/// Which references of a table are weak, as its metatable's `__mode` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Weakness {
    /// Neither keys nor values.
    None,
    /// Values alone.
    Values,
    /// Keys alone: an ephemeron table, where the Lua has those.
    Keys,
    /// Both.
    Both,
}

impl Weakness {
    /// What the string in a metatable's `__mode` says (manual of Lua 5.4, §2.5.4).
    #[inline]
    pub fn of_mode(mode: &[u8]) -> Weakness {
        match (mode.contains(&b'k'), mode.contains(&b'v')) {
            (false, false) => Weakness::None,
            (false, true) => Weakness::Values,
            (true, false) => Weakness::Keys,
            (true, true) => Weakness::Both,
        }
    }
}

/// A heap, to be read. The value is a handle: it is copied freely and lent for as long as the heap stands still.
///
/// What a heap says is what *is* there. An implementation computes nothing from caches that the collector keeps, since
/// those may be wrong. Objects are asked for by what lists and references lead to; an object that was freed and is still
/// known may be asked for its number, kind and [`Heap::is_freed`], and refers to nothing.
///
/// Lists may be damaged. [`Heap::list`] is endless where a list is a circle; whoever walks one checks that first or counts.
pub trait Heap: Copy {
    /// An object of the heap. Two are equal if they are one object.
    type Object: Copy + Eq + Hash + Debug;

    // The collector.

    /// What a checker may assume.
    fn rules(self) -> Rules;

    /// Which events the heap tells of.
    fn abilities(self) -> Abilities;

    /// Where the collector is.
    fn phase(self) -> Phase;

    /// How the collector works now. Between bad collections of generational mode that is incrementally.
    fn mode(self) -> Mode;

    /// The collector's own count of bytes.
    fn bytes(self) -> usize;

    /// The number of the object that was made last.
    fn newest(self) -> u32;

    /// The number of the event that is told, or was last: how many there were that are numbered
    /// ([`Event::is_numbered`](crate::Event::is_numbered)) and that the observer has an interest in, told or not.
    fn events(self) -> u64;

    /// Whether the steps of the collector follow one another, with nothing done in between, until
    /// [`Event::RunEnd`](crate::Event::RunEnd) is told.
    fn is_in_run(self) -> bool;

    // Lists.

    /// The objects of a list. Endless if the list is a circle.
    fn list(self, list: ListName) -> impl Iterator<Item = Self::Object>;

    /// All objects of all lists.
    fn objects(self) -> impl Iterator<Item = Self::Object> {
        ListName::ALL.into_iter().flat_map(move |list| self.list(list))
    }

    /// Where the ages begin in a list: its first objects are at least new, those from the first of these places on at
    /// least survivals, then at least old1, then old. `None` is the end of the list.
    fn generations(self, list: ListName) -> [Option<Self::Object>; 3];

    /// Where a minor collection begins to look for old1 objects in the list of all ordinary objects.
    fn first_old1(self) -> Option<Self::Object>;

    /// The members of a gray list. The last one was added last.
    fn gray_list(self, list: GrayList) -> impl DoubleEndedIterator<Item = Self::Object>;

    /// What was on the gray-again list when the last minor collection began, until the next collection begins.
    fn waited(self) -> impl Iterator<Item = Self::Object>;

    /// The strings of the string table.
    fn interned(self) -> impl Iterator<Item = Self::Object>;

    /// Whether looking up this string's bytes in the string table finds this string.
    fn is_interned(self, string: Self::Object) -> bool;

    /// The swept objects that are kept. The last one was swept last.
    fn quarantined(self) -> impl DoubleEndedIterator<Item = Self::Object>;

    // Objects.

    /// The number of an object, counted from 1 in the order of allocation.
    fn id(self, object: Self::Object) -> u32;

    /// What an object is.
    fn kind(self, object: Self::Object) -> Kind;

    /// The colour of an object.
    fn colour(self, object: Self::Object) -> Colour;

    /// Whether an object is of either white.
    fn is_white(self, object: Self::Object) -> bool;

    /// Whether an object is black.
    fn is_black(self, object: Self::Object) -> bool;

    /// Whether an object is gray.
    fn is_gray(self, object: Self::Object) -> bool;

    /// Whether an object was swept and is kept.
    fn is_freed(self, object: Self::Object) -> bool;

    /// Whether an object is one of those that are never collected. They are gray for ever.
    fn is_fixed(self, object: Self::Object) -> bool;

    /// Whether an object's header says that it is among the objects with finalizers.
    fn has_finalizer(self, object: Self::Object) -> bool;

    /// The age of an object.
    fn age(self, object: Self::Object) -> Age;

    /// What the header of an object says, to be compared.
    fn marks(self, object: Self::Object) -> Marks;

    /// The bytes of an object as the collector counts them.
    fn size(self, object: Self::Object) -> usize;

    /// The contents of a string; `None` of another object.
    fn contents(self, object: Self::Object) -> Option<Vec<u8>>;

    /// Whether an object is a string that must be interned.
    fn is_short_string(self, object: Self::Object) -> bool;

    /// Which references of an object are weak.
    fn weakness(self, object: Self::Object) -> Weakness;

    // Upvalues and stacks.

    /// Whether an object is an upvalue that is open.
    fn is_open_upvalue(self, object: Self::Object) -> bool;

    /// The thread and the slot of an open upvalue, if the slot is in that thread's stack.
    fn upvalue_slot(self, upvalue: Self::Object) -> Option<(Self::Object, u32)>;

    /// The open upvalues of a thread, in the order of its list.
    fn open_upvalues(self, thread: Self::Object) -> Vec<Self::Object>;

    /// How many closures the heap counts for an upvalue; `None` for one that is not counted.
    fn holders(self, upvalue: Self::Object) -> Option<u32>;

    /// How many slots of a thread's stack are part of the program's state.
    fn live_stack(self, thread: Self::Object) -> u32;

    /// What is in these slots of a thread's stack, live or not. Slots that the stack does not have are left out.
    fn stack(self, thread: Self::Object, slots: Range<u32>) -> impl Iterator<Item = Option<Self::Object>>;

    /// The thread that runs.
    fn running_thread(self) -> Option<Self::Object>;

    // References.

    /// What is alive without anything referring to it, aside from the members of lists.
    fn single_roots(self, visit: impl FnMut(Root, Self::Object));

    /// What is alive without anything referring to it. Endless if one of the two lists whose members are roots is a circle.
    fn roots(self, mut visit: impl FnMut(Edge<Self::Object>)) {
        let mut root = |root, target| visit(Edge { label: Label::Root(root), target, strength: Strength::Strong });
        self.single_roots(&mut root);
        self.list(ListName::Fixed).for_each(|object| root(Root::Fixed, object));
        self.list(ListName::ToBeFinalized).for_each(|object| root(Root::ToBeFinalized, object));
    }

    /// What an object refers to. Keys of entries without a value, and stack slots above the live top, are no references. A
    /// freed object refers to nothing.
    fn references(self, object: Self::Object, visit: impl FnMut(Edge<Self::Object>));

    /// The key of a table's entry, by the place that [`Label::Entry`](crate::Label::Entry) has. `None` where the entry is
    /// empty.
    fn key(self, table: Self::Object, entry: u32) -> Option<Key>;
}

#[cfg(test)]
mod tests {
    use super::Weakness;

    #[test]
    fn a_mode_is_read_by_its_letters() {
        for (mode, expected) in [
            ("", Weakness::None),
            ("K", Weakness::None),
            ("k", Weakness::Keys),
            ("v", Weakness::Values),
            ("vk", Weakness::Both),
            ("weak", Weakness::Keys),
        ] {
            assert_eq!(Weakness::of_mode(mode.as_bytes()), expected, "{mode}");
        }
    }
}
