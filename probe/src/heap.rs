//! The heap of a C Lua at one moment, as the trait [`Heap`] has it.

use std::ffi::{CStr, c_char};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use std::{ptr, slice};

use moonphase_heap::{
    Abilities, Age, Colour, Edge, GrayList, Heap, Key, Kind, Label, ListName, Location, Marks, Mode, Names, Pacing,
    Phase, Root, Rules, Stopped, Strength, UpvalueStorage, Weakness,
};

use crate::abi::{self, NONE, flag};
use crate::load::ProbedLua;

/// An object of a look: its place among the objects of that look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProbedObject(u32);

/// What a test can break. The script must be ended then.
#[derive(Clone, Copy, Debug)]
pub enum Damage {
    /// The header's byte with colours and age becomes this.
    Marks(u8),
    /// The object leaves the list of all objects and is freed.
    Free,
    /// The object leaves the list of all objects.
    Unlink,
    /// The string's hash changes: it is in the wrong bucket of the string table.
    Rehash,
    /// The collector counts so many bytes more.
    CountBytes(u64),
    /// The first entry of the table whose value is an object gets this value, or nil.
    Redirect(Option<ProbedObject>),
}

/// The heap of a C Lua that stands still.
#[derive(Clone, Copy)]
pub struct ProbedHeap<'h> {
    lua: &'h ProbedLua,
    look: &'h abi::Look,
    tick: u64,
}

/// # Safety
/// So many items are there for as long as the look.
unsafe fn items<'h, T>(start: *const T, count: u32) -> &'h [T] {
    if count == 0 {
        return &[];
    }
    // SAFETY: by the contract above.
    unsafe { slice::from_raw_parts(start, count as usize) }
}

impl<'h> ProbedHeap<'h> {
    pub(crate) fn new(lua: &'h ProbedLua, look: &'h abi::Look, tick: u64) -> ProbedHeap<'h> {
        ProbedHeap { lua, look, tick }
    }

    fn all(self) -> &'h [abi::Object] {
        // SAFETY: the arrays of a look live until the next one, which needs the borrow that this one has.
        unsafe { items(self.look.objects, self.look.object_count) }
    }

    fn object(self, object: ProbedObject) -> &'h abi::Object {
        &self.all()[object.0 as usize]
    }

    fn has(self, object: ProbedObject, flag: u8) -> bool {
        self.object(object).flags & flag != 0
    }

    fn edges(self, object: ProbedObject) -> &'h [abi::Edge] {
        let object = self.object(object);
        // SAFETY: as for the objects.
        let edges = unsafe { items(self.look.edges, self.look.edge_count) };
        &edges[object.first_edge as usize..][..object.edges as usize]
    }

    fn members(self, list: usize) -> &'h [u32] {
        let range = self.look.lists[list];
        let count = self.look.lists.iter().map(|range| range.first + range.count).max().unwrap_or(0);
        // SAFETY: as for the objects.
        let members = unsafe { items(self.look.members, count) };
        &members[range.first as usize..][..range.count as usize]
    }

    fn objects_in(self, list: usize) -> impl DoubleEndedIterator<Item = ProbedObject> + 'h {
        self.members(list).iter().map(|&index| ProbedObject(index))
    }

    /// The address, where the object may be read.
    fn readable(self, object: ProbedObject) -> Option<u64> {
        (!self.has(object, flag::FREED)).then(|| self.object(object).address)
    }

    /// The object at an address.
    pub(crate) fn at(self, address: u64) -> Option<ProbedObject> {
        let index = self.all().iter().position(|object| object.address == address)?;
        u32::try_from(index).ok().map(ProbedObject)
    }

    /// The object of this number that is not freed.
    pub fn numbered(self, id: u32) -> Option<ProbedObject> {
        let index = self.all().iter().position(|object| object.number == id && object.flags & flag::FREED == 0)?;
        u32::try_from(index).ok().map(ProbedObject)
    }

    /// A number made of all that the look has, addresses included.
    pub fn fingerprint(self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for index in 0..self.look.object_count {
            let object = self.object(ProbedObject(index));
            (object.address, object.size, object.number, object.kind, object.flags, object.marks).hash(&mut hasher);
            for edge in self.edges(ProbedObject(index)) {
                (edge.target, edge.place, edge.label, edge.strength).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Damages the heap at an object, for a test. Says whether there was something to damage.
    pub fn damage(self, object: ProbedObject, damage: Damage) -> bool {
        let Some(address) = self.readable(object) else { return false };
        let (what, with) = match damage {
            Damage::Marks(marks) => (0, u64::from(marks)),
            Damage::Free => (1, 0),
            Damage::Unlink => (2, 0),
            Damage::Rehash => (3, 0),
            Damage::CountBytes(bytes) => (4, bytes),
            Damage::Redirect(target) => (5, target.and_then(|target| self.readable(target)).unwrap_or(0)),
        };
        // SAFETY: the object is there, and the Lua stands still. It does not run on with what is broken.
        unsafe { (self.lua.engine.damage)(what, address, with) != 0 }
    }

    /// The header's byte with colours and age.
    pub fn raw_marks(self, object: ProbedObject) -> u8 {
        self.object(object).marks
    }
}

fn some(index: u32) -> Option<ProbedObject> {
    (index != NONE).then_some(ProbedObject(index))
}

/// The value of this number, in the order of a list that the header has as well.
fn value<T: Copy>(all: &[T], number: u8) -> T {
    all[usize::from(number).min(all.len() - 1)]
}

/// # Safety
/// A string of C, or null.
unsafe fn c_string(text: *const c_char) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by the contract above.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes().to_vec())
}

/// # Safety
/// So many bytes, or null.
unsafe fn sized(text: *const c_char, size: usize) -> Option<Vec<u8>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: by the contract above.
    Some(unsafe { slice::from_raw_parts(text.cast::<u8>(), size) }.to_vec())
}

/// The label of a reference; `None` for what is no reference.
fn label_of(rules: Rules, edge: &abi::Edge) -> Option<Label> {
    let place = edge.place;
    Some(match edge.label {
        0 => Label::Metatable,
        1 => Label::Item(i64::from(place)),
        2 => Label::Entry(place),
        3 => Label::Key(place),
        5 => Label::Prototype,
        6 => Label::Upvalue(place),
        7 => Label::NativeUpvalue(place),
        8 => Label::Value,
        9 => Label::UserValue(place),
        10 => Label::StackSlot(place),
        // Elsewhere only closures keep them; the thread just knows them.
        11 if rules.upvalues == UpvalueStorage::InAll => Label::OpenUpvalue(place),
        12 => Label::Source,
        13 => Label::Constant(place),
        14 => Label::Nested(place),
        15 => Label::UpvalueName(place),
        16 => Label::LocalName(place),
        17 => Label::Environment,
        _ => return None,
    })
}

const EMPTY_KEY: u8 = 4;
const KEY: u8 = 3;
const OPEN_UPVALUE: u8 = 11;

impl Heap for ProbedHeap<'_> {
    type Object = ProbedObject;

    fn rules(self) -> Rules {
        self.lua.rules()
    }

    fn abilities(self) -> Abilities {
        Abilities::NONE
    }

    fn phase(self) -> Phase {
        value(&Phase::ALL, self.look.phase)
    }

    fn mode(self) -> Mode {
        if self.look.generational != 0 { Mode::Generational } else { Mode::Incremental }
    }

    fn bytes(self) -> usize {
        usize::try_from(self.look.bytes).unwrap_or(usize::MAX)
    }

    fn pacing(self) -> Pacing {
        // Not asked of a C Lua yet: as if it were stopped.
        Pacing { credit: 0, stopped: Some(Stopped::Inside), pause: 0, minor_growth: 0, major_growth: 0, step: 0 }
    }

    fn newest(self) -> u32 {
        self.look.newest
    }

    fn events(self) -> u64 {
        self.tick
    }

    fn is_in_run(self) -> bool {
        false
    }

    fn list(self, list: ListName) -> impl Iterator<Item = ProbedObject> {
        self.objects_in(list as usize)
    }

    fn generations(self, list: ListName) -> [Option<ProbedObject>; 3] {
        match list {
            ListName::All => self.look.generations[0].map(some),
            ListName::Finalizable => self.look.generations[1].map(some),
            _ => [None; 3],
        }
    }

    fn first_old1(self) -> Option<ProbedObject> {
        some(self.look.first_old1)
    }

    fn gray_list(self, list: GrayList) -> impl DoubleEndedIterator<Item = ProbedObject> {
        self.objects_in(ListName::COUNT + list as usize)
    }

    fn waited(self) -> impl Iterator<Item = ProbedObject> {
        [].into_iter()
    }

    fn interned(self) -> impl Iterator<Item = ProbedObject> {
        self.objects_in(abi::INTERNED_LIST)
    }

    fn is_interned(self, string: ProbedObject) -> bool {
        self.has(string, flag::INTERNED)
    }

    fn quarantined(self) -> impl DoubleEndedIterator<Item = ProbedObject> {
        let freed = |&index: &u32| self.has(ProbedObject(index), flag::FREED);
        (0..self.look.object_count).filter(freed).map(ProbedObject).collect::<Vec<_>>().into_iter()
    }

    fn id(self, object: ProbedObject) -> u32 {
        self.object(object).number
    }

    fn kind(self, object: ProbedObject) -> Kind {
        value(&Kind::ALL, self.object(object).kind)
    }

    fn colour(self, object: ProbedObject) -> Colour {
        // In 5.1 the sweep makes fixed strings white, like all others; it never frees them.
        if self.is_fixed(object) { Colour::Gray } else { value(&Colour::ALL, self.object(object).colour) }
    }

    fn is_white(self, object: ProbedObject) -> bool {
        matches!(self.colour(object), Colour::White | Colour::OtherWhite)
    }

    fn is_black(self, object: ProbedObject) -> bool {
        self.colour(object) == Colour::Black
    }

    fn is_gray(self, object: ProbedObject) -> bool {
        self.colour(object) == Colour::Gray
    }

    fn is_freed(self, object: ProbedObject) -> bool {
        self.has(object, flag::FREED)
    }

    fn is_fixed(self, object: ProbedObject) -> bool {
        self.has(object, flag::FIXED)
    }

    fn has_finalizer(self, object: ProbedObject) -> bool {
        self.has(object, flag::FINALIZER)
    }

    fn age(self, object: ProbedObject) -> Age {
        if self.is_fixed(object) { Age::Old } else { value(&Age::ALL, self.object(object).age) }
    }

    fn marks(self, object: ProbedObject) -> Marks {
        // All that a check may ask of the header, as the look has it.
        let object = self.object(object);
        let header = u16::from(object.age) << 2 | u16::from(object.colour);
        Marks::new(u16::from(object.flags & (flag::FREED | flag::FINALIZER | flag::FIXED)) << 8 | header)
    }

    fn size(self, object: ProbedObject) -> usize {
        usize::try_from(self.object(object).size).unwrap_or(usize::MAX)
    }

    fn contents(self, object: ProbedObject) -> Option<Vec<u8>> {
        if self.kind(object) != Kind::String {
            return None;
        }
        let address = self.readable(object)?;
        let mut size = 0;
        // SAFETY: a string that is there, and the Lua stands still.
        unsafe {
            let text = (self.lua.engine.string)(address, &mut size);
            sized(text, size)
        }
    }

    fn is_short_string(self, object: ProbedObject) -> bool {
        self.has(object, flag::SHORT)
    }

    fn weakness(self, object: ProbedObject) -> Weakness {
        value(&[Weakness::None, Weakness::Values, Weakness::Keys, Weakness::Both], self.object(object).weakness)
    }

    fn is_open_upvalue(self, object: ProbedObject) -> bool {
        self.has(object, flag::OPEN)
    }

    fn upvalue_slot(self, upvalue: ProbedObject) -> Option<(ProbedObject, u32)> {
        let object = self.object(upvalue);
        some(object.slot_thread).map(|thread| (thread, object.slot))
    }

    fn open_upvalues(self, thread: ProbedObject) -> Vec<ProbedObject> {
        let open = self.edges(thread).iter().filter(|edge| edge.label == OPEN_UPVALUE);
        // The lists of all versions begin with the highest slot.
        open.rev().map(|edge| ProbedObject(edge.target)).collect()
    }

    fn holders(self, _: ProbedObject) -> Option<u32> {
        None
    }

    fn live_stack(self, thread: ProbedObject) -> u32 {
        if thread.0 == self.look.running {
            return self.look.stack_live;
        }
        let slots = self.edges(thread).iter().filter(|edge| edge.label == 10).map(|edge| edge.place + 1);
        let open = self.open_upvalues(thread).into_iter().filter_map(|upvalue| self.upvalue_slot(upvalue));
        slots.chain(open.map(|(_, slot)| slot + 1)).max().unwrap_or(0)
    }

    fn stack(self, thread: ProbedObject, slots: Range<u32>) -> impl Iterator<Item = Option<ProbedObject>> {
        let size = if thread.0 == self.look.running { self.look.stack_size } else { 0 };
        // SAFETY: as for the objects.
        let stack = unsafe { items(self.look.stack, size) };
        let (start, end) = (slots.start.min(size), slots.end.min(size));
        stack[start as usize..end.max(start) as usize].iter().map(|&index| some(index))
    }

    fn running_thread(self) -> Option<ProbedObject> {
        some(self.look.running)
    }

    fn single_roots(self, mut visit: impl FnMut(Root, ProbedObject)) {
        // SAFETY: as for the objects.
        for root in unsafe { items(self.look.roots, self.look.root_count) } {
            let name = match root.root {
                0 => Root::MainThread,
                1 => Root::RunningThread,
                2 => Root::Registry,
                // By the numbers of `lua.h`.
                3 => Root::NilMetatable,
                4 => Root::BooleanMetatable,
                5 => Root::LightUserdataMetatable,
                6 => Root::NumberMetatable,
                7 => Root::StringMetatable,
                9 => Root::FunctionMetatable,
                11 => Root::ThreadMetatable,
                // Tables and userdata have metatables of their own.
                _ => Root::HostReferences,
            };
            visit(name, ProbedObject(root.object));
        }
    }

    fn references(self, object: ProbedObject, mut visit: impl FnMut(Edge<ProbedObject>)) {
        let rules = self.rules();
        for edge in self.edges(object) {
            let Some(label) = label_of(rules, edge) else { continue };
            let strength = match edge.strength {
                0 => Strength::Strong,
                1 => Strength::Weak,
                _ => Strength::Ephemeron { key: some(edge.key).map_or(0, |key| self.id(key)) },
            };
            visit(Edge { label, target: ProbedObject(edge.target), strength });
        }
    }

    fn empty_keys(self, table: ProbedObject, mut visit: impl FnMut(Edge<ProbedObject>)) {
        for edge in self.edges(table).iter().filter(|edge| edge.label == EMPTY_KEY) {
            let (label, target) = (Label::EmptyKey(edge.place), ProbedObject(edge.target));
            visit(Edge { label, target, strength: Strength::Weak });
        }
    }

    fn key(self, table: ProbedObject, entry: u32) -> Option<Key> {
        let edge = self.edges(table).iter().find(|edge| edge.label == KEY && edge.place == entry);
        if let Some(edge) = edge {
            let key = ProbedObject(edge.target);
            return Some(match self.contents(key) {
                Some(bytes) => Key::String(bytes),
                None => Key::Object(self.kind(key)),
            });
        }
        let address = self.readable(table).filter(|_| self.kind(table) == Kind::Table)?;
        let mut text = [0; 64];
        // SAFETY: a table that is there, and room for the text, which ends with a zero byte.
        let found = unsafe { (self.lua.engine.key)(address, entry, text.as_mut_ptr(), text.len()) };
        match found {
            // SAFETY: the engine wrote a string of C.
            1 => Some(Key::Number(unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned())),
            2 => Some(Key::Boolean(false)),
            3 => Some(Key::Boolean(true)),
            4 => Some(Key::Light),
            _ => None,
        }
    }
}

impl Names for ProbedHeap<'_> {
    fn location(self) -> Option<Location> {
        let (mut text, mut size, mut line) = (ptr::null(), 0, 0);
        // SAFETY: the Lua stands still, and the text is one of its strings.
        let source = unsafe {
            let found = (self.lua.engine.location)(&mut text, &mut size, &mut line);
            if found == 0 { None } else { sized(text, size) }
        };
        source.map(|source| Location { source, line })
    }

    fn destination(self) -> Option<Vec<u8>> {
        None
    }

    fn depth(self) -> usize {
        // SAFETY: the Lua stands still.
        unsafe { (self.lua.engine.depth)() as usize }
    }

    fn definition(self, object: ProbedObject) -> Option<Location> {
        if !matches!(self.kind(object), Kind::Closure | Kind::Prototype) {
            return None;
        }
        let address = self.readable(object)?;
        let (mut text, mut size, mut line) = (ptr::null(), 0, 0);
        // SAFETY: a function that is there; the text is a string that is there as well.
        let source = unsafe {
            let found = (self.lua.engine.definition)(address, &mut text, &mut size, &mut line);
            if found == 0 { None } else { sized(text, size) }
        };
        source.map(|source| Location { source, line })
    }

    fn nested_name(self, _: ProbedObject, _: usize) -> Option<Vec<u8>> {
        None
    }

    fn is_method(self, _: ProbedObject) -> bool {
        false
    }

    fn prototype(self, closure: ProbedObject) -> Option<ProbedObject> {
        let edge = self.edges(closure).iter().find(|edge| edge.label == 5)?;
        Some(ProbedObject(edge.target))
    }

    fn upvalue_name(self, closure: ProbedObject, index: u32) -> Option<Vec<u8>> {
        if self.kind(closure) != Kind::Closure {
            return None;
        }
        let address = self.readable(closure)?;
        let mut size = 0;
        // SAFETY: a closure that is there; the text is a string that is there as well.
        unsafe {
            let text = (self.lua.engine.upvalue_name)(address, index, &mut size);
            sized(text, size)
        }
    }

    fn slot_name(self, thread: ProbedObject, slot: u32) -> Option<Vec<u8>> {
        if self.kind(thread) != Kind::Thread || slot >= self.live_stack(thread) {
            return None;
        }
        let address = self.readable(thread)?;
        // SAFETY: a thread that is there, and a slot that it has.
        let name = unsafe { c_string((self.lua.engine.slot_name)(address, slot)) }?;
        // What has no name in the program is in brackets: `(temporary)`, `(for state)`.
        (!name.starts_with(b"(")).then_some(name)
    }

    fn native_name(self, _: ProbedObject) -> Option<Vec<u8>> {
        None
    }
}
