//! A snapshot as a heap.

use super::{Chain, Details, Place, Record, Snapshot};
use crate::{
    Abilities, Age, Colour, Edge, GrayList, Heap, Key, Kind, Label, ListName, Location, Marks, Mode, Names, Pacing,
    Phase, Root, Rules, Strength, Weakness,
};
use std::ops::Range;

impl Chain {
    fn iter(&self) -> impl Iterator<Item = Place> + '_ {
        let circle = self.circle.map(|start| &self.members[start as usize..]).unwrap_or_default();
        self.members.iter().chain(circle.iter().cycle()).copied()
    }
}

impl Record {
    fn marks(&self) -> Marks {
        let flags = u16::from(self.freed) << 1 | u16::from(self.finalizer);
        Marks::new((flags << 3 | self.age as u16) << 2 | self.colour as u16)
    }

    fn key(&self, entry: u32) -> Option<&Key> {
        let at = self.keys.iter().position(|&(place, _)| place == entry)?;
        Some(&self.keys[at].1)
    }
}

impl Heap for &Snapshot {
    type Object = Place;

    fn rules(self) -> Rules {
        self.rules
    }

    fn abilities(self) -> Abilities {
        Abilities::NONE
    }

    fn phase(self) -> Phase {
        self.phase
    }

    fn mode(self) -> Mode {
        self.mode
    }

    fn bytes(self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX)
    }

    fn pacing(self) -> Pacing {
        self.pacing
    }

    fn newest(self) -> u32 {
        self.newest
    }

    fn events(self) -> u64 {
        0
    }

    fn is_in_run(self) -> bool {
        false
    }

    fn list(self, list: ListName) -> impl Iterator<Item = Place> {
        self.lists[list as usize].iter()
    }

    fn generations(self, list: ListName) -> [Option<Place>; 3] {
        self.generations[list as usize]
    }

    fn first_old1(self) -> Option<Place> {
        self.first_old1
    }

    fn gray_list(self, list: GrayList) -> impl DoubleEndedIterator<Item = Place> {
        self.gray_lists[list as usize].iter().copied()
    }

    fn waited(self) -> impl Iterator<Item = Place> {
        self.waited.iter().copied()
    }

    fn interned(self) -> impl Iterator<Item = Place> {
        self.interned.iter()
    }

    fn is_interned(self, string: Place) -> bool {
        matches!(self.record(string).details, Details::String { interned: true, .. })
    }

    fn quarantined(self) -> impl DoubleEndedIterator<Item = Place> {
        self.quarantined.iter().copied()
    }

    fn id(self, object: Place) -> u32 {
        self.record(object).id
    }

    fn kind(self, object: Place) -> Kind {
        self.record(object).kind
    }

    fn colour(self, object: Place) -> Colour {
        self.record(object).colour
    }

    fn is_white(self, object: Place) -> bool {
        matches!(self.colour(object), Colour::White | Colour::OtherWhite)
    }

    fn is_black(self, object: Place) -> bool {
        self.colour(object) == Colour::Black
    }

    fn is_gray(self, object: Place) -> bool {
        self.colour(object) == Colour::Gray
    }

    fn is_freed(self, object: Place) -> bool {
        self.record(object).freed
    }

    fn is_fixed(self, object: Place) -> bool {
        self.record(object).fixed
    }

    fn has_finalizer(self, object: Place) -> bool {
        self.record(object).finalizer
    }

    fn age(self, object: Place) -> Age {
        self.record(object).age
    }

    fn marks(self, object: Place) -> Marks {
        self.record(object).marks()
    }

    fn size(self, object: Place) -> usize {
        usize::try_from(self.record(object).size).unwrap_or(usize::MAX)
    }

    fn contents(self, object: Place) -> Option<Vec<u8>> {
        match &self.record(object).details {
            Details::String { contents, .. } => Some(contents.clone()),
            _ => None,
        }
    }

    fn is_short_string(self, object: Place) -> bool {
        matches!(self.record(object).details, Details::String { short: true, .. })
    }

    fn weakness(self, object: Place) -> Weakness {
        self.record(object).weakness
    }

    fn is_open_upvalue(self, object: Place) -> bool {
        matches!(self.record(object).details, Details::Upvalue { open: true, .. })
    }

    fn upvalue_slot(self, upvalue: Place) -> Option<(Place, u32)> {
        match self.record(upvalue).details {
            Details::Upvalue { slot, .. } => slot,
            _ => None,
        }
    }

    fn open_upvalues(self, thread: Place) -> Vec<Place> {
        match &self.record(thread).details {
            Details::Thread { open_upvalues, .. } => open_upvalues.clone(),
            _ => Vec::new(),
        }
    }

    fn holders(self, upvalue: Place) -> Option<u32> {
        match self.record(upvalue).details {
            Details::Upvalue { holders, .. } => holders,
            _ => None,
        }
    }

    fn live_stack(self, thread: Place) -> u32 {
        match self.record(thread).details {
            Details::Thread { live, .. } => live,
            _ => 0,
        }
    }

    /// Of another thread than the running one, nothing: what is live there are references.
    fn stack(self, thread: Place, slots: Range<u32>) -> impl Iterator<Item = Option<Place>> {
        let stack = if self.running_thread == Some(thread) { &self.stack[..] } else { &[] };
        let end = stack.len().min(slots.end as usize);
        stack[end.min(slots.start as usize)..end].iter().copied()
    }

    fn running_thread(self) -> Option<Place> {
        self.running_thread
    }

    fn single_roots(self, mut visit: impl FnMut(Root, Place)) {
        self.roots.iter().for_each(|&(root, object)| visit(root, object));
    }

    fn references(self, object: Place, visit: impl FnMut(Edge<Place>)) {
        self.record(object).references.iter().copied().for_each(visit);
    }

    fn empty_keys(self, table: Place, mut visit: impl FnMut(Edge<Place>)) {
        for &(entry, target) in &self.record(table).empty_keys {
            visit(Edge { label: Label::EmptyKey(entry), target, strength: Strength::Weak });
        }
    }

    fn key(self, table: Place, entry: u32) -> Option<Key> {
        self.record(table).key(entry).cloned()
    }
}

impl Names for &Snapshot {
    fn location(self) -> Option<Location> {
        self.location.clone()
    }

    fn destination(self) -> Option<Vec<u8>> {
        self.destination.clone()
    }

    fn depth(self) -> usize {
        self.depth as usize
    }

    fn definition(self, object: Place) -> Option<Location> {
        self.record(object).definition.clone()
    }

    fn nested_name(self, prototype: Place, index: usize) -> Option<Vec<u8>> {
        match &self.record(prototype).details {
            Details::Prototype { nested_names, .. } => nested_names.get(index).cloned().flatten(),
            _ => None,
        }
    }

    fn is_method(self, prototype: Place) -> bool {
        matches!(self.record(prototype).details, Details::Prototype { method: true, .. })
    }

    fn prototype(self, closure: Place) -> Option<Place> {
        match self.record(closure).details {
            Details::Closure { prototype, .. } => prototype,
            _ => None,
        }
    }

    fn upvalue_name(self, closure: Place, index: u32) -> Option<Vec<u8>> {
        match &self.record(closure).details {
            Details::Closure { upvalue_names, .. } => upvalue_names.get(index as usize).cloned().flatten(),
            _ => None,
        }
    }

    fn slot_name(self, thread: Place, slot: u32) -> Option<Vec<u8>> {
        match &self.record(thread).details {
            Details::Thread { slot_names, .. } => slot_names.get(slot as usize).cloned().flatten(),
            _ => None,
        }
    }

    fn native_name(self, closure: Place) -> Option<Vec<u8>> {
        match &self.record(closure).details {
            Details::NativeClosure { name } => name.clone(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_a_circle_goes_on_for_ever_where_it_leads_back() {
        let chain = |circle| Chain { members: (0..3).map(Place).collect(), circle };
        let first = |circle| chain(circle).iter().take(7).map(|Place(place)| place).collect::<Vec<_>>();
        assert_eq!(first(None), [0, 1, 2]);
        assert_eq!(first(Some(1)), [0, 1, 2, 1, 2, 1, 2]);
        assert_eq!(Chain::default().iter().next(), None);
    }
}
