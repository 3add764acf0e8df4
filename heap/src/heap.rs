//! The trait that a heap is read through.

use crate::{
    Abilities, Age, Colour, Edge, GrayList, Key, Kind, Label, ListName, Mode, Pacing, Phase, Root, Rules, Strength,
};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::ops::Range;

/// The header bits of an object, for comparison. Two objects of one heap that are not fixed and have equal marks give equal
/// answers to [`Heap::colour`], [`Heap::age`], [`Heap::is_freed`] and [`Heap::has_finalizer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks(NonZeroU32);

impl Marks {
    /// Marks from sixteen bits. The heap chooses what each bit means.
    #[inline]
    pub fn new(bits: u16) -> Marks {
        Marks(NonZeroU32::MIN | u32::from(bits) << 16)
    }
}

/// Which references of a table are weak, as its metatable's `__mode` says. An object that is no table has no weak references.
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

/// A chunk that a program loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loading {
    /// Whether the chunk is a binary one.
    pub binary: bool,
    /// Whether a function gave the chunk piece by piece. Else a string is the chunk.
    pub reader: bool,
}

/// A heap, to be read. The value is a handle: it is copied freely and lent for as long as the heap stands still.
///
/// An implementation reads the objects themselves and none of the collector's caches: the caches may be wrong.
///
/// A handle of an object comes from a list, a root or a reference. The object may have been freed, and is kept. Then it may be
/// asked for what its header says (number, kind, colour, age, marks, [`Heap::is_freed`]), and it refers to nothing.
///
/// Lists may be damaged. [`Heap::list`] and [`Heap::interned`] are endless where a list, or a bucket of the string table, is a
/// circle. A caller first finds out whether the list ends, or stops after [`Heap::newest`] objects.
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

    /// How the collector works now. After a major collection of generational mode that freed too little, Lua 5.4 works
    /// incrementally until a collection has freed enough: meanwhile this is [`Mode::Incremental`].
    fn mode(self) -> Mode;

    /// The bytes of all objects that are not freed, by the collector's own count. The sum of [`Heap::size`], if all is well.
    fn bytes(self) -> usize;

    /// When the collector is to work again, by its own count.
    fn pacing(self) -> Pacing;

    /// The number of the object that was made last, of whatever kind; 0 if there is none. No object has a larger number.
    fn newest(self) -> u32;

    /// The number of the event that is told, or was told last. Events are counted since the observer was installed: those that
    /// are numbered ([`Event::is_numbered`](crate::Event::is_numbered)) and that the observer has asked for
    /// ([`Interests`](crate::Interests)), idle ones in any case. So two observers that ask for the same but for idle events
    /// have the same numbers.
    fn events(self) -> u64;

    /// Whether steps of the collector follow one another with nothing done by the program in between. It is so until
    /// [`Event::RunEnd`](crate::Event::RunEnd) is told.
    fn is_in_run(self) -> bool;

    // Lists.

    /// The objects of a list. Endless if the list is a circle.
    fn list(self, list: ListName) -> impl Iterator<Item = Self::Object>;

    /// All objects of all lists.
    fn objects(self) -> impl Iterator<Item = Self::Object> {
        ListName::ALL.into_iter().flat_map(move |list| self.list(list))
    }

    /// Where the ages begin in a list: from the first of these objects on all are at least survivals, from the second on at
    /// least old1, from the third on old. `None` stands for the end of the list; in incremental mode all three are `None`.
    fn generations(self, list: ListName) -> [Option<Self::Object>; 3];

    /// Where a minor collection begins to look for old1 objects in the list of all ordinary objects. `None` if it need not.
    fn first_old1(self) -> Option<Self::Object>;

    /// The members of a gray list. The last one was added last.
    fn gray_list(self, list: GrayList) -> impl DoubleEndedIterator<Item = Self::Object>;

    /// The gray-again list as it was when the last minor collection began. Empty once the next collection has begun.
    fn waited(self) -> impl Iterator<Item = Self::Object>;

    /// The strings of the string table.
    fn interned(self) -> impl Iterator<Item = Self::Object>;

    /// Whether looking up this string's bytes in the string table finds this string.
    fn is_interned(self, string: Self::Object) -> bool;

    /// The freed objects that are kept. The last one was freed last. A heap that tells of
    /// [`lifetimes`](crate::Abilities::lifetimes) keeps all of them while it is looked at.
    fn quarantined(self) -> impl DoubleEndedIterator<Item = Self::Object>;

    // Objects.

    /// The number of an object, counted from 1 in the order of allocation.
    fn id(self, object: Self::Object) -> u32;

    /// What an object is.
    fn kind(self, object: Self::Object) -> Kind;

    /// The colour of an object. An object that the collector does not colour, such as a counted upvalue, is gray.
    fn colour(self, object: Self::Object) -> Colour;

    /// Whether an object is of either white.
    fn is_white(self, object: Self::Object) -> bool;

    /// Whether an object is black.
    fn is_black(self, object: Self::Object) -> bool;

    /// Whether an object is gray.
    fn is_gray(self, object: Self::Object) -> bool;

    /// Whether an object was freed, and is kept.
    fn is_freed(self, object: Self::Object) -> bool;

    /// Whether an object is one of those that are never collected. Fixed objects are always gray.
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

    /// The thread and the slot, from 0, of an open upvalue. `None` where the upvalue is closed or points into no stack.
    fn upvalue_slot(self, upvalue: Self::Object) -> Option<(Self::Object, u32)>;

    /// The open upvalues of a thread, in the order of its list: the lowest slot first, if all is well.
    fn open_upvalues(self, thread: Self::Object) -> Vec<Self::Object>;

    /// How many closures the heap counts for an upvalue; `None` for one that is not counted.
    fn holders(self, upvalue: Self::Object) -> Option<u32>;

    /// How many slots of a thread's stack, from the bottom, are part of the program's state.
    fn live_stack(self, thread: Self::Object) -> u32;

    /// The objects in these slots of a thread's stack, live or not; `None` for a slot with a value that is no object. Slots
    /// that the stack does not have are left out.
    fn stack(self, thread: Self::Object, slots: Range<u32>) -> impl Iterator<Item = Option<Self::Object>>;

    /// The thread that runs; `None` before the first one does.
    fn running_thread(self) -> Option<Self::Object>;

    /// The chunk that the program is loading, as long as its objects are made: those that nothing refers to yet are roots
    /// ([`Root::JustMade`]). `None` where no program loads one, or the heap does not know.
    fn loading(self) -> Option<Loading> {
        None
    }

    // References.

    /// What is alive without anything referring to it, aside from the members of the lists of fixed objects and of those to
    /// be finalized.
    fn single_roots(self, visit: impl FnMut(Root, Self::Object));

    /// What is alive without anything referring to it. Endless if one of the two lists whose members are roots is a circle.
    fn roots(self, mut visit: impl FnMut(Edge<Self::Object>)) {
        let mut root = |root, target| visit(Edge { label: Label::Root(root), target, strength: Strength::Strong });
        self.single_roots(&mut root);
        self.list(ListName::Fixed).for_each(|object| root(Root::Fixed, object));
        self.list(ListName::ToBeFinalized).for_each(|object| root(Root::ToBeFinalized, object));
    }

    /// What an object refers to. Keys of entries without a value, and stack slots above the live top, are no references. A
    /// freed object refers to nothing. The key of a table entry comes right before its value, and in two walks over a table that
    /// was not written to in between the entries come in the same order.
    fn references(self, object: Self::Object, visit: impl FnMut(Edge<Self::Object>));

    /// The objects that a table still has as keys of entries without a value, weakly, by
    /// [`Label::EmptyKey`](crate::Label::EmptyKey). They are no references and may be freed. Before a collector frees one, it marks
    /// the key dead (`clearkey` in `lgc.c` of Lua 5.4), so that a search or `next` that comes to the entry does not look at the
    /// object. A key that is marked dead is not given. Of an object that is no table, or was freed, nothing.
    fn empty_keys(self, table: Self::Object, visit: impl FnMut(Edge<Self::Object>));

    /// The key of a table's entry. `entry` is the place in a [`Label::Entry`](crate::Label::Entry); `None` where the entry is
    /// empty, or there is none.
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
