//! The collector's lists, to be walked from outside.

use super::ObjectView;
use crate::gc::allocate::Strings;
use crate::gc::upvalue::CountedUpvalue;
use crate::gc::{AnyGc, Heap, ListName, SweepRule};
use std::collections::btree_map;

/// The objects of one of the collector's lists.
#[derive(Clone)]
pub(super) struct Members<'h> {
    /// In a list that objects link, which ends with the border.
    next: Option<AnyGc>,
    border: Option<AnyGc>,
    unlinked: Option<Unlinked<'h>>,
}

/// Objects that are kept elsewhere.
#[derive(Clone)]
enum Unlinked<'h> {
    /// In the string table, among those that are swept there.
    Strings(Strings<'h>, &'h Heap),
    Counted(btree_map::Values<'h, u32, CountedUpvalue>),
}

impl<'h> Members<'h> {
    /// The objects of a list. Endless if the list is a circle.
    #[inline]
    pub(super) fn of(heap: &'h Heap, list: ListName) -> Members<'h> {
        match list {
            ListName::All => {
                // Where objects with finalizers have no list of their own, they stand behind the main thread.
                let border = heap.main_thread.filter(|_| heap.policy.sweep == SweepRule::Strings);
                Members { border: border.map(|main| main.erase()), ..Members::linked(heap.all.get()) }
            }
            ListName::Finalizable => Members::linked(heap.finalizable_head().get()),
            ListName::ToBeFinalized => Members::linked(heap.to_be_finalized.get()),
            ListName::OpenUpvalues => Members::linked(heap.open.get()),
            ListName::Fixed => Members::linked(heap.fixed.get()),
            ListName::Strings if heap.policy.sweeps_strings() => {
                Members::unlinked(Unlinked::Strings(heap.strings.iter(), heap))
            }
            ListName::Strings => Members::linked(None),
            ListName::CountedUpvalues => Members::unlinked(Unlinked::Counted(heap.counted.values())),
        }
    }

    fn linked(next: Option<AnyGc>) -> Members<'h> {
        Members { next, border: None, unlinked: None }
    }

    fn unlinked(objects: Unlinked<'h>) -> Members<'h> {
        Members { next: None, border: None, unlinked: Some(objects) }
    }
}

impl<'h> Iterator for Members<'h> {
    type Item = ObjectView<'h>;

    #[inline]
    fn next(&mut self) -> Option<ObjectView<'h>> {
        if let Some(object) = self.next {
            // Compared as options they would be two cases each.
            self.next = if self.border.is_some_and(|border| border == object) { None } else { object.next.get() };
            return Some(ObjectView::new(object));
        }
        let object = match self.unlinked.as_mut()? {
            Unlinked::Strings(strings, heap) => {
                strings.map(|string| string.erase()).find(|&string| !heap.is_fixed(string))?
            }
            Unlinked::Counted(counted) => counted.next()?.upvalue.erase(),
        };
        Some(ObjectView::new(object))
    }
}
