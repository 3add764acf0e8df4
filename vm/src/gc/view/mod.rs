//! The heap as it is seen from outside: [`HeapView`] binds it to the trait through which checkers, traces and reports read it.
//!
//! A view trusts nothing that the collector computes.

mod lists;
mod object;
mod walk;

use crate::gc::{
    AnyGc, Gc, GrayList, Heap, Kind, ListName, Loading, Mode, Object, Phase, Policy, Rules, Semantics, Weakness,
};
use crate::value::{FrameKind, Table, Value, format_number};
use moonphase_heap::{Abilities, Age, Colour, Edge, Key, Marks, Pacing, Root};
use std::ops::Range;

use lists::Members;
pub use object::ObjectView;

/// The whole heap, to be read.
#[derive(Clone, Copy)]
pub struct HeapView<'h> {
    heap: &'h Heap,
}

impl<'h> HeapView<'h> {
    pub(crate) fn new(heap: &'h Heap) -> HeapView<'h> {
        HeapView { heap }
    }

    /// The heap, for those inside the VM.
    pub(crate) fn heap(self) -> &'h Heap {
        self.heap
    }

    /// The rules that this collector works by.
    #[inline]
    pub fn policy(self) -> Policy {
        self.heap.policy
    }

    /// The rules of the collector that scripts can see.
    pub fn semantics(self) -> Semantics {
        self.heap.semantics
    }

    /// The threads that the collector knows to have open upvalues.
    pub fn threads_with_upvalues(self) -> impl Iterator<Item = ObjectView<'h>> + 'h {
        self.heap.threads_with_upvalues.iter().map(|thread| ObjectView::new(thread.erase()))
    }

    /// The closure whose frame is on top, if it is that of a Lua function.
    pub(super) fn running_function(self) -> Option<AnyGc> {
        let thread = self.heap.current_thread?;
        let frame = thread.frames.last().filter(|frame| frame.kind == FrameKind::Lua)?;
        thread.stack.get(frame.func as usize)?.object()
    }
}

impl<'h> moonphase_heap::Heap for HeapView<'h> {
    type Object = ObjectView<'h>;

    #[inline]
    fn rules(self) -> Rules {
        self.heap.rules
    }

    #[inline]
    fn abilities(self) -> Abilities {
        Abilities::ALL
    }

    #[inline]
    fn phase(self) -> Phase {
        self.heap.phase
    }

    #[inline]
    fn mode(self) -> Mode {
        self.heap.mode()
    }

    fn bytes(self) -> usize {
        self.heap.pacing.bytes
    }

    fn pacing(self) -> Pacing {
        self.heap.seen_pacing()
    }

    #[inline]
    fn newest(self) -> u32 {
        self.heap.next_id.wrapping_sub(1)
    }

    #[inline]
    fn events(self) -> u64 {
        self.heap.events
    }

    #[inline]
    fn is_in_run(self) -> bool {
        self.heap.in_run
    }

    #[inline]
    fn list(self, list: ListName) -> impl Iterator<Item = ObjectView<'h>> {
        Members::of(self.heap, list)
    }

    fn generations(self, list: ListName) -> [Option<ObjectView<'h>>; 3] {
        self.heap.generations.of(list).places().map(|place| place.map(ObjectView::new))
    }

    fn first_old1(self) -> Option<ObjectView<'h>> {
        self.heap.generations.first_old1.map(ObjectView::new)
    }

    fn gray_list(self, list: GrayList) -> impl DoubleEndedIterator<Item = ObjectView<'h>> {
        let (objects, tables): (&[AnyGc], &[Gc<Table>]) = match list {
            GrayList::Gray => (&self.heap.gray, &[]),
            GrayList::GrayAgain => (&self.heap.gray_again, &[]),
            GrayList::WeakValues => (&[], &self.heap.weak_values),
            GrayList::Ephemerons => (&[], &self.heap.ephemerons),
            GrayList::AllWeak => (&[], &self.heap.all_weak),
        };
        objects.iter().copied().chain(tables.iter().map(|table| table.erase())).map(ObjectView::new)
    }

    fn waited(self) -> impl Iterator<Item = ObjectView<'h>> {
        self.heap.waited.iter().copied().map(ObjectView::new)
    }

    fn interned(self) -> impl Iterator<Item = ObjectView<'h>> {
        self.heap.strings.iter().map(|string| ObjectView::new(string.erase()))
    }

    fn is_interned(self, string: ObjectView<'h>) -> bool {
        match string.object.unpack() {
            Object::String(s) => self.heap.strings.finds(s),
            _ => false,
        }
    }

    fn quarantined(self) -> impl DoubleEndedIterator<Item = ObjectView<'h>> {
        self.heap.quarantine.objects().map(ObjectView::new)
    }

    #[inline]
    fn id(self, object: ObjectView<'h>) -> u32 {
        object.id()
    }

    #[inline]
    fn kind(self, object: ObjectView<'h>) -> Kind {
        object.kind()
    }

    #[inline]
    fn colour(self, object: ObjectView<'h>) -> Colour {
        let header = object.object;
        if header.has(self.heap.current_white) {
            Colour::White
        } else if header.is_white() {
            Colour::OtherWhite
        } else if header.is_black() {
            Colour::Black
        } else {
            Colour::Gray
        }
    }

    #[inline]
    fn is_white(self, object: ObjectView<'h>) -> bool {
        object.is_white()
    }

    #[inline]
    fn is_black(self, object: ObjectView<'h>) -> bool {
        object.is_black()
    }

    #[inline]
    fn is_gray(self, object: ObjectView<'h>) -> bool {
        object.is_gray()
    }

    #[inline]
    fn is_freed(self, object: ObjectView<'h>) -> bool {
        object.is_freed()
    }

    fn is_fixed(self, object: ObjectView<'h>) -> bool {
        self.heap.is_fixed(object.object)
    }

    #[inline]
    fn has_finalizer(self, object: ObjectView<'h>) -> bool {
        object.has_finalizer()
    }

    #[inline]
    fn age(self, object: ObjectView<'h>) -> Age {
        object.age()
    }

    #[inline]
    fn marks(self, object: ObjectView<'h>) -> Marks {
        object.marks()
    }

    fn size(self, object: ObjectView<'h>) -> usize {
        object.size()
    }

    fn contents(self, object: ObjectView<'h>) -> Option<Vec<u8>> {
        object.contents()
    }

    #[inline]
    fn is_short_string(self, object: ObjectView<'h>) -> bool {
        object.is_short_string()
    }

    #[inline]
    fn weakness(self, object: ObjectView<'h>) -> Weakness {
        match object.object.unpack() {
            Object::Table(table) => self.weakness_of(table),
            _ => Weakness::None,
        }
    }

    #[inline]
    fn is_open_upvalue(self, object: ObjectView<'h>) -> bool {
        object.is_open_upvalue()
    }

    fn upvalue_slot(self, upvalue: ObjectView<'h>) -> Option<(ObjectView<'h>, u32)> {
        upvalue.upvalue_slot()
    }

    fn open_upvalues(self, thread: ObjectView<'h>) -> Vec<ObjectView<'h>> {
        thread.open_upvalues()
    }

    fn holders(self, upvalue: ObjectView<'h>) -> Option<u32> {
        self.heap.counted.get(&upvalue.id()).map(|counted| counted.holders)
    }

    #[inline]
    fn live_stack(self, thread: ObjectView<'h>) -> u32 {
        thread.live_stack()
    }

    #[inline]
    fn stack(self, thread: ObjectView<'h>, slots: Range<u32>) -> impl Iterator<Item = Option<ObjectView<'h>>> {
        let thread = if let Object::Thread(thread) = thread.object.unpack() { Some(thread) } else { None };
        let size = thread.map_or(0, |thread| thread.stack.len());
        let slots = size.min(slots.start as usize)..size.min(slots.end as usize);
        slots.filter_map(move |slot| Some(thread?.stack[slot].object().map(ObjectView::new)))
    }

    #[inline]
    fn running_thread(self) -> Option<ObjectView<'h>> {
        self.heap.current_thread.map(|thread| ObjectView::new(thread.erase()))
    }

    fn loading(self) -> Option<Loading> {
        self.heap.loading
    }

    fn single_roots(self, visit: impl FnMut(Root, ObjectView<'h>)) {
        self.visit_single_roots(visit);
    }

    #[inline]
    fn references(self, object: ObjectView<'h>, visit: impl FnMut(Edge<ObjectView<'h>>)) {
        self.visit_references(object, visit);
    }

    #[inline]
    fn empty_keys(self, table: ObjectView<'h>, visit: impl FnMut(Edge<ObjectView<'h>>)) {
        self.visit_empty_keys(table, visit);
    }

    fn key(self, table: ObjectView<'h>, entry: u32) -> Option<Key> {
        let Object::Table(table) = table.object.unpack() else { return None };
        let entry = entry as usize;
        let (key, _) = (entry < table.node_count()).then(|| table.entry(entry)).flatten()?;
        Some(match key {
            Value::String(string) => Key::String(string.as_bytes().to_vec()),
            Value::Integer(_) | Value::Float(_) => {
                let mut text = Vec::new();
                format_number(key, &mut text);
                Key::Number(String::from_utf8_lossy(&text).into_owned())
            }
            Value::Boolean(value) => Key::Boolean(value),
            other => match other.object() {
                Some(object) => Key::Object(object.kind()),
                None => Key::Light,
            },
        })
    }
}
