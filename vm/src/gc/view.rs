//! A look at the heap from outside: every object with its colour, its lists, and what it refers to and why.
//!
//! The view trusts nothing that the collector computes. It is for checkers, traces and reports.

use crate::gc::allocate::Strings;
use crate::gc::mark::Weakness;
use crate::gc::object::bits;
use crate::gc::upvalue::CountedUpvalue;
use crate::gc::{Age, AnyGc, Gc, Heap, Kind, Mode, Object, Phase, Policy, Semantics, SweepRule};
use crate::interpreter::names;
use crate::value::{Closure, FrameKind, Metamethod, Thread, Value, format_number};
use std::collections::btree_map;
use std::fmt;
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// The colour of an object, as the collector sees it now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Colour {
    /// The current white: not reached yet, or new.
    White,
    /// The white of the cycle before: dead, while sweeping.
    OtherWhite,
    /// Reached; waits to be traversed.
    Gray,
    /// Reached and traversed.
    Black,
}

impl Colour {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Colour::White => "white",
            Colour::OtherWhite => "other white",
            Colour::Gray => "gray",
            Colour::Black => "black",
        }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A list of objects that belong to the collector. Every object is in one of them. Which there are is a choice of the
/// policy ([`SweepRule`](crate::gc::SweepRule), [`Upvalues`](crate::gc::Upvalues)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListName {
    /// All ordinary objects.
    All,
    /// Objects with a finalizer.
    Finalizable,
    /// Unreachable objects whose finalizer is to be called.
    ToBeFinalized,
    /// Interned strings, where they are swept on their own.
    Strings,
    /// Open upvalues, where they are in one list.
    OpenUpvalues,
    /// Upvalues that are counted and not collected. They have no colour, and are gray.
    CountedUpvalues,
    /// Objects that are never collected.
    Fixed,
}

impl ListName {
    /// Every list.
    pub const ALL: [ListName; 7] = [
        ListName::All,
        ListName::Finalizable,
        ListName::ToBeFinalized,
        ListName::Strings,
        ListName::OpenUpvalues,
        ListName::CountedUpvalues,
        ListName::Fixed,
    ];

    /// Those whose objects are collected, and so have colours.
    pub const COLLECTED: [ListName; 5] =
        [ListName::All, ListName::Finalizable, ListName::ToBeFinalized, ListName::Strings, ListName::OpenUpvalues];

    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            ListName::All => "all",
            ListName::Finalizable => "finalizable",
            ListName::ToBeFinalized => "to-be-finalized",
            ListName::Strings => "strings",
            ListName::OpenUpvalues => "open upvalues",
            ListName::CountedUpvalues => "counted upvalues",
            ListName::Fixed => "fixed",
        }
    }
}

/// A list of gray objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GrayList {
    /// To be traversed.
    Gray,
    /// To be traversed again in the atomic phase.
    GrayAgain,
    /// Tables with weak values, to be cleared.
    WeakValues,
    /// Ephemeron tables that are not settled.
    Ephemerons,
    /// Tables with weak keys, to be cleared.
    AllWeak,
}

impl GrayList {
    /// Every list.
    pub const ALL: [GrayList; 5] =
        [GrayList::Gray, GrayList::GrayAgain, GrayList::WeakValues, GrayList::Ephemerons, GrayList::AllWeak];

    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            GrayList::Gray => "gray",
            GrayList::GrayAgain => "gray-again",
            GrayList::WeakValues => "weak-values",
            GrayList::Ephemerons => "ephemerons",
            GrayList::AllWeak => "all-weak",
        }
    }
}

/// What an object's header says of it, to be compared; see [`ObjectView::marks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks(NonZeroU32);

/// An object, to be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectView<'h> {
    object: AnyGc,
    heap: PhantomData<&'h Heap>,
}

impl fmt::Debug for ObjectView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object.fmt(f)
    }
}

impl<'h> ObjectView<'h> {
    #[inline]
    pub(crate) fn new(object: AnyGc) -> ObjectView<'h> {
        ObjectView { object, heap: PhantomData }
    }

    /// The handle, for those inside the VM.
    pub(crate) fn erased(self) -> AnyGc {
        self.object
    }

    /// Its number, counted from 1 in the order of allocation.
    #[inline]
    pub fn id(self) -> u32 {
        self.object.id()
    }

    /// What it is.
    #[inline]
    pub fn kind(self) -> Kind {
        self.object.kind()
    }

    /// Whether it is of either white.
    #[inline]
    pub fn is_white(self) -> bool {
        self.object.is_white()
    }

    /// Whether it is black.
    #[inline]
    pub fn is_black(self) -> bool {
        self.object.is_black()
    }

    /// Whether it is gray.
    #[inline]
    pub fn is_gray(self) -> bool {
        self.object.is_gray()
    }

    /// Whether it was swept and is in quarantine.
    #[inline]
    pub fn is_freed(self) -> bool {
        self.object.has(bits::FREED)
    }

    /// Whether its header says that it is among the objects with finalizers.
    #[inline]
    pub fn has_finalizer(self) -> bool {
        self.object.has(bits::FINALIZER)
    }

    /// Its age.
    #[inline]
    pub fn age(self) -> Age {
        self.object.age()
    }

    /// All that its header says of it beside number and kind: two objects with the same marks have the same colour and age,
    /// and are the same to [`Self::is_freed`] and [`Self::has_finalizer`].
    #[inline]
    pub fn marks(self) -> Marks {
        Marks(NonZeroU32::MIN | u32::from(self.object.marks()) << 16)
    }

    /// Its bytes as the collector counts them.
    pub fn size(self) -> usize {
        super::allocate::size_of_object(self.object)
    }

    /// A number that differs between any two objects that exist at the same time.
    pub fn address(self) -> usize {
        self.object.address()
    }

    /// The bytes, if it is a string.
    pub fn as_bytes(&self) -> Option<Vec<u8>> {
        match self.object.unpack() {
            Object::String(string) => Some(string.as_bytes().to_vec()),
            _ => None,
        }
    }

    /// Whether it is a string that must be interned.
    #[inline]
    pub fn is_short_string(self) -> bool {
        matches!(self.object.unpack(), Object::String(string) if string.is_short())
    }

    /// If it is an upvalue: whether it is open.
    #[inline]
    pub fn is_open_upvalue(self) -> bool {
        matches!(self.object.unpack(), Object::Upvalue(upvalue) if upvalue.is_open())
    }

    /// The thread and the slot of an open upvalue, if the slot is in that thread's stack.
    pub fn upvalue_slot(self) -> Option<(ObjectView<'h>, usize)> {
        let Object::Upvalue(upvalue) = self.object.unpack() else { return None };
        let thread = upvalue.thread()?;
        let offset = (upvalue.location.get() as usize).checked_sub(thread.stack.as_ptr() as usize)?;
        let slot = offset / size_of::<Value>();
        (slot < thread.stack.len()).then(|| (ObjectView::new(thread.erase()), slot))
    }

    /// The open upvalues of a thread, in the order of its list.
    pub fn open_upvalues(self) -> Vec<ObjectView<'h>> {
        match self.object.unpack() {
            Object::Thread(thread) => thread.open_upvalues.iter().map(|uv| ObjectView::new(uv.erase())).collect(),
            _ => Vec::new(),
        }
    }

    /// The slots of a thread's stack that are part of the program's state.
    pub fn live_stack(self) -> usize {
        match self.object.unpack() {
            Object::Thread(thread) => live_top(&thread),
            _ => 0,
        }
    }

    /// The name of the chunk and the line where the function of a prototype or closure is defined.
    pub fn definition(self) -> Option<Location> {
        let prototype = match self.object.unpack() {
            Object::Prototype(prototype) => prototype,
            Object::Closure(closure) => closure.prototype.get(),
            _ => return None,
        };
        Some(Location { source: prototype.source_bytes(), line: prototype.line_defined })
    }

    /// What the code of the enclosing prototype calls its nested prototype of this index: the variable or the field that
    /// the function is put into, such as `f`, `M.f` or `M:f`. `None` for a function without a name.
    pub fn nested_name(self, index: usize) -> Option<Vec<u8>> {
        match self.object.unpack() {
            Object::Prototype(prototype) => names::nested_name(&*prototype, index),
            _ => None,
        }
    }

    /// Whether a prototype is that of a method: its first parameter is `self`.
    pub fn is_method(self) -> bool {
        match self.object.unpack() {
            Object::Prototype(prototype) => {
                let first = prototype.locals.first().and_then(|local| local.name.get());
                prototype.parameters > 0 && first.is_some_and(|name| name.as_bytes() == b"self")
            }
            _ => false,
        }
    }

    /// The prototype of a closure.
    pub fn prototype(self) -> Option<ObjectView<'h>> {
        match self.object.unpack() {
            Object::Closure(closure) => Some(ObjectView::new(closure.prototype.get().erase())),
            _ => None,
        }
    }

    /// The name that a closure's code has for its upvalue of this index.
    pub fn upvalue_name(self, index: usize) -> Option<Vec<u8>> {
        match self.object.unpack() {
            // A prototype that was freed must not be read for names.
            Object::Closure(closure) if !closure.prototype.get().erase().has(bits::FREED) => {
                names::CodeView::upvalue_name(&*closure.prototype.get(), index).map(<[u8]>::to_vec)
            }
            _ => None,
        }
    }

    /// The name of the variable in a slot of a thread's stack.
    pub fn slot_name(self, slot: usize) -> Option<Vec<u8>> {
        match self.object.unpack() {
            Object::Thread(thread) => slot_name(&thread, slot).and_then(|name| name.as_bytes()),
            _ => None,
        }
    }

    /// The name of a native closure's function.
    pub fn native_name(self) -> Option<&'static str> {
        match self.object.unpack() {
            Object::NativeClosure(closure) => Some(closure.builtin.name),
            _ => None,
        }
    }
}

/// First slot above all that the frames of a thread may use: between two instructions the registers of the running
/// frame.
#[inline]
fn live_top(thread: &Thread) -> usize {
    thread.top.min(thread.stack.len())
}

/// A place in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The chunk's name as given to `load`.
    pub source: Vec<u8>,
    /// Line, from 1; 0 for a main chunk's definition.
    pub line: u32,
}

/// Whether a reference keeps its target alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// It does.
    Strong,
    /// It does not: a weak key or value.
    Weak,
    /// The value of an ephemeron entry, which does as long as its key lives.
    Ephemeron {
        /// The id of the key.
        key: u32,
    },
}

/// Why an object refers to another one.
#[derive(Clone, Copy)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Label<'h> {
    Root(&'static str),
    ToBeFinalized,
    Metatable,
    Item(i64),
    Entry(Value, PhantomData<&'h Heap>),
    Key,
    Prototype,
    Upvalue { index: usize, closure: ObjectView<'h> },
    NativeUpvalue(usize),
    Value,
    UserValue(usize),
    StackSlot { slot: usize, thread: ObjectView<'h> },
    OpenUpvalue(usize),
    Resumer,
    Source,
    Constant(usize),
    Nested(usize),
    UpvalueName(usize),
    LocalName(usize),
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: Vec<u8>| String::from_utf8_lossy(&name).into_owned();
        match self {
            Label::Root(name) => f.write_str(name),
            Label::ToBeFinalized => f.write_str("object to be finalized"),
            Label::Metatable => f.write_str("metatable"),
            Label::Item(index) => write!(f, "[{index}]"),
            Label::Entry(key, _) => fmt_key(*key, f),
            Label::Key => f.write_str("key"),
            Label::Prototype => f.write_str("prototype"),
            Label::Upvalue { index, closure } => {
                let name = closure.upvalue_name(*index).unwrap_or_default();
                write!(f, "upvalue #{} '{}'", index + 1, quoted(name))
            }
            Label::NativeUpvalue(index) => write!(f, "native upvalue #{}", index + 1),
            Label::Value => f.write_str("value"),
            Label::UserValue(index) => write!(f, "user value {}", index + 1),
            Label::StackSlot { slot, thread } => match thread.slot_name(*slot) {
                Some(name) => write!(f, "local '{}' (stack slot {slot})", quoted(name)),
                None => write!(f, "stack slot {slot}"),
            },
            Label::OpenUpvalue(index) => write!(f, "open upvalue {index}"),
            Label::Resumer => f.write_str("resumer"),
            Label::Source => f.write_str("source"),
            Label::Constant(index) => write!(f, "constant {index}"),
            Label::Nested(index) => write!(f, "nested prototype {index}"),
            Label::UpvalueName(index) => write!(f, "name of upvalue {index}"),
            Label::LocalName(index) => write!(f, "name of local {index}"),
        }
    }
}

fn fmt_key(key: Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match key {
        Value::String(string) => write!(f, "[\"{}\"]", string.as_bytes().escape_ascii()),
        Value::Integer(_) | Value::Float(_) => {
            let mut text = Vec::new();
            format_number(key, &mut text);
            write!(f, "[{}]", String::from_utf8_lossy(&text))
        }
        other => match other.object() {
            Some(object) => write!(f, "[{}]", object.kind()),
            None => write!(f, "[{other:?}]"),
        },
    }
}

/// A reference from one object to another.
#[derive(Clone, Copy)]
pub struct Edge<'h> {
    /// Why.
    pub label: Label<'h>,
    /// What is referred to.
    pub target: ObjectView<'h>,
    /// Whether the reference keeps it alive.
    pub strength: Strength,
}

/// The objects of one of the collector's lists, see [`HeapView::list`].
#[derive(Clone)]
pub struct Members<'h> {
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

/// The whole heap, to be read.
#[derive(Clone, Copy)]
pub struct HeapView<'h> {
    heap: &'h Heap,
}

impl<'h> HeapView<'h> {
    pub(crate) fn new(heap: &'h Heap) -> HeapView<'h> {
        HeapView { heap }
    }

    /// The rules of the collector.
    #[inline]
    pub fn policy(self) -> Policy {
        self.heap.policy
    }

    /// The rules of the collector that scripts can see.
    pub fn semantics(self) -> Semantics {
        self.heap.semantics
    }

    /// Where the collector is.
    #[inline]
    pub fn phase(self) -> Phase {
        self.heap.phase
    }

    /// How the collector works now. Between bad collections of generational mode that is incrementally.
    #[inline]
    pub fn mode(self) -> Mode {
        self.heap.mode()
    }

    /// Whether the steps of the collector follow one another, with nothing done in between, until `Event::RunEnd` is told.
    #[inline]
    pub fn is_in_run(self) -> bool {
        self.heap.in_run
    }

    /// The number of the event that is told, or was last: how many there were that are numbered
    /// ([`Event::is_numbered`](crate::gc::Event::is_numbered)) and that the observer has an interest in, told or not.
    #[inline]
    pub fn events(self) -> u64 {
        self.heap.events
    }

    /// The collector's own count of bytes.
    pub fn bytes(self) -> usize {
        self.heap.pacing.bytes
    }

    /// The number of the object that was made last.
    #[inline]
    pub fn newest(self) -> u32 {
        self.heap.next_id.wrapping_sub(1)
    }

    /// The colour of an object.
    #[inline]
    pub fn colour(self, object: ObjectView<'h>) -> Colour {
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

    /// Whether an object is one of those that are never collected, the names of metamethods. They are gray for ever.
    pub fn is_fixed(self, object: ObjectView<'h>) -> bool {
        self.heap.is_fixed(object.object)
    }

    /// The objects of a list. Endless if the list has a cycle.
    #[inline]
    pub fn list(self, list: ListName) -> Members<'h> {
        let heap = self.heap;
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

    /// Where the ages begin in a list: its first objects are at least new, those from the first of these places on at
    /// least survivals, then at least old1, then old. `None` is the end of the list.
    pub fn generations(self, list: ListName) -> [Option<ObjectView<'h>>; 3] {
        self.heap.generations.of(list).places().map(|place| place.map(ObjectView::new))
    }

    /// Where a minor collection begins to look for old1 objects in the list of all ordinary objects.
    pub fn first_old1(self) -> Option<ObjectView<'h>> {
        self.heap.generations.first_old1.map(ObjectView::new)
    }

    /// All objects of all lists.
    pub fn objects(self) -> impl Iterator<Item = ObjectView<'h>> + 'h {
        ListName::ALL.into_iter().flat_map(move |list| self.list(list))
    }

    /// The members of a gray list. The last one was added last.
    pub fn gray_list(self, list: GrayList) -> impl DoubleEndedIterator<Item = ObjectView<'h>> + 'h {
        let (objects, tables): (&[AnyGc], &[crate::gc::Gc<crate::value::Table>]) = match list {
            GrayList::Gray => (&self.heap.gray, &[]),
            GrayList::GrayAgain => (&self.heap.gray_again, &[]),
            GrayList::WeakValues => (&[], &self.heap.weak_values),
            GrayList::Ephemerons => (&[], &self.heap.ephemerons),
            GrayList::AllWeak => (&[], &self.heap.all_weak),
        };
        objects.iter().copied().chain(tables.iter().map(|table| table.erase())).map(ObjectView::new)
    }

    /// What was on the gray-again list when the last minor collection began. Until the next collection begins.
    pub fn waited(self) -> impl Iterator<Item = ObjectView<'h>> + 'h {
        self.heap.waited.iter().copied().map(ObjectView::new)
    }

    /// How many closures the heap counts for an upvalue; `None` for one that is not counted.
    pub fn holders(self, upvalue: ObjectView<'h>) -> Option<u32> {
        self.heap.counted.get(&upvalue.id()).map(|counted| counted.holders)
    }

    /// The threads that the collector knows to have open upvalues.
    pub fn threads_with_upvalues(self) -> impl Iterator<Item = ObjectView<'h>> + 'h {
        self.heap.threads_with_upvalues.iter().map(|thread| ObjectView::new(thread.erase()))
    }

    /// The interned strings.
    pub fn interned(self) -> impl Iterator<Item = ObjectView<'h>> + 'h {
        self.heap.strings.iter().map(|string| ObjectView::new(string.erase()))
    }

    /// Whether looking up this string's bytes in the string table finds this string.
    pub fn is_interned(self, string: ObjectView<'h>) -> bool {
        match string.object.unpack() {
            Object::String(s) => self.heap.strings.finds(s),
            _ => false,
        }
    }

    /// The swept objects that are kept. The last one was swept last.
    pub fn quarantined(self) -> impl DoubleEndedIterator<Item = ObjectView<'h>> + 'h {
        self.heap.quarantine.objects().map(ObjectView::new)
    }

    /// What is alive without anything referring to it.
    pub fn roots(self, mut visit: impl FnMut(Edge<'h>)) {
        let heap = self.heap;
        let mut root = |name, object: Option<AnyGc>| {
            if let Some(object) = object {
                visit(Edge { label: Label::Root(name), target: ObjectView::new(object), strength: Strength::Strong });
            }
        };
        root("main thread", heap.main_thread.map(|thread| thread.erase()));
        root("running thread", heap.current_thread.map(|thread| thread.erase()));
        root("registry", heap.registry.map(|table| table.erase()));
        root("references of the host", heap.host_references.map(|table| table.erase()));
        let metatables = &heap.metatables;
        root("metatable of strings", metatables.string.map(|table| table.erase()));
        root("metatable of nil", metatables.nil.map(|table| table.erase()));
        root("metatable of booleans", metatables.boolean.map(|table| table.erase()));
        root("metatable of numbers", metatables.number.map(|table| table.erase()));
        root("metatable of functions", metatables.function.map(|table| table.erase()));
        root("metatable of threads", metatables.thread.map(|table| table.erase()));
        root("metatable of light userdata", metatables.light_userdata.map(|table| table.erase()));
        for (object, _) in &heap.anchors {
            root("object that native code has just made", Some(*object));
        }
        for object in self.list(ListName::Fixed) {
            root("fixed object", Some(object.object));
        }
        for target in self.list(ListName::ToBeFinalized) {
            visit(Edge { label: Label::ToBeFinalized, target, strength: Strength::Strong });
        }
    }

    /// What an object refers to. The closure cache, keys of entries without a value, and stack slots above the live top, are no references.
    /// A freed object refers to nothing.
    pub fn references(self, object: ObjectView<'h>, mut visit: impl FnMut(Edge<'h>)) {
        if object.is_freed() {
            return;
        }
        let mut strong = |label, target: Option<AnyGc>| {
            if let Some(target) = target {
                visit(Edge { label, target: ObjectView::new(target), strength: Strength::Strong });
            }
        };
        match object.object.unpack() {
            Object::String(_) => {}
            Object::Upvalue(upvalue) => strong(Label::Value, upvalue.get().object()),
            Object::Userdata(userdata) => {
                strong(Label::Metatable, userdata.metatable.get().map(|table| table.erase()));
                for (index, value) in userdata.user_values.iter().enumerate() {
                    strong(Label::UserValue(index), value.get().object());
                }
            }
            Object::NativeClosure(closure) => {
                for (index, value) in closure.upvalues.iter().enumerate() {
                    strong(Label::NativeUpvalue(index), value.get().object());
                }
            }
            Object::Closure(closure) => {
                let prototype = closure.prototype.get();
                strong(Label::Prototype, Some(prototype.erase()));
                for (index, upvalue) in closure.upvalues().iter().enumerate() {
                    let label = Label::Upvalue { index, closure: object };
                    strong(label, upvalue.get().map(|upvalue| upvalue.erase()));
                }
            }
            Object::Prototype(prototype) => {
                strong(Label::Source, prototype.source.get().map(|source| source.erase()));
                for (index, constant) in prototype.constants.iter().enumerate() {
                    strong(Label::Constant(index), constant.get().object());
                }
                for (index, nested) in prototype.prototypes.iter().enumerate() {
                    strong(Label::Nested(index), nested.get().map(|nested| nested.erase()));
                }
                for (index, upvalue) in prototype.upvalues.iter().enumerate() {
                    strong(Label::UpvalueName(index), upvalue.name.get().map(|name| name.erase()));
                }
                for (index, local) in prototype.locals.iter().enumerate() {
                    strong(Label::LocalName(index), local.name.get().map(|name| name.erase()));
                }
            }
            Object::Thread(thread) => {
                for slot in 0..live_top(&thread) {
                    if let Some(target) = thread.stack[slot].object() {
                        strong(Label::StackSlot { slot, thread: object }, Some(target));
                    }
                }
                // Elsewhere only closures keep them; the thread just knows them.
                if self.heap.policy.keeps_open_upvalues() {
                    for (index, upvalue) in thread.open_upvalues.iter().enumerate() {
                        strong(Label::OpenUpvalue(index), Some(upvalue.erase()));
                    }
                }
                strong(Label::Resumer, thread.resumer.map(|thread| thread.erase()));
            }
            Object::Table(table) => {
                strong(Label::Metatable, table.metatable.get().map(|metatable| metatable.erase()));
                let weakness = self.weakness(&table);
                let (weak_keys, weak_values) = match weakness {
                    Weakness::None => (false, false),
                    Weakness::Values => (false, true),
                    Weakness::Keys => (true, false),
                    Weakness::Both => (true, true),
                };
                // Strings are never removed from weak tables, but only marking the table keeps them.
                let strength = |weak| if weak { Strength::Weak } else { Strength::Strong };
                for (index, value) in table.array().iter().enumerate() {
                    if let Some(target) = value.object() {
                        let label = Label::Item(index as i64 + 1);
                        visit(Edge { label, target: ObjectView::new(target), strength: strength(weak_values) });
                    }
                }
                for index in 0..table.node_count() {
                    let Some((key, value)) = table.entry(index) else { continue };
                    if let Some(target) = key.object() {
                        let target = ObjectView::new(target);
                        visit(Edge { label: Label::Key, target, strength: strength(weak_keys) });
                    }
                    if let Some(target) = value.object() {
                        let ephemeron = weak_keys && self.heap.semantics.ephemerons;
                        let strength = match (ephemeron, weak_values, key.object()) {
                            (_, true, _) => Strength::Weak,
                            (true, false, Some(key)) if key.kind() != Kind::String => {
                                Strength::Ephemeron { key: key.id() }
                            }
                            _ => Strength::Strong,
                        };
                        let label = Label::Entry(key, PhantomData);
                        visit(Edge { label, target: ObjectView::new(target), strength });
                    }
                }
            }
        }
    }

    /// How a table is weak, as its metatable says now. What the metatable is remembered to lack is left aside: the collector
    /// keeps that.
    #[inline]
    fn weakness(self, table: &crate::gc::Gc<crate::value::Table>) -> Weakness {
        match table.metatable.get() {
            Some(metatable) if !metatable.erase().has(bits::FREED) => {
                Weakness::of_mode(metatable.get_short(self.heap.name_of(Metamethod::Mode)))
            }
            _ => Weakness::None,
        }
    }

    /// Whether it is a table with weak keys or weak values.
    #[inline]
    pub fn is_weak_table(self, object: ObjectView<'h>) -> bool {
        matches!(object.object.unpack(), Object::Table(table) if self.weakness(&table) != Weakness::None)
    }

    /// Whether it is a table with weak keys whose values are strong.
    pub fn is_ephemeron_table(self, object: ObjectView<'h>) -> bool {
        matches!(object.object.unpack(), Object::Table(table) if self.weakness(&table) == Weakness::Keys)
    }

    /// Whether this is so of any object in the topmost live slots of the running thread's stack, so many slots at most.
    #[inline]
    pub fn any_on_stack(self, slots: usize, is_so: impl Fn(ObjectView<'h>) -> bool) -> bool {
        self.heap.current_thread.is_some_and(|thread| {
            let top = live_top(&thread);
            let topmost = &thread.stack[top.saturating_sub(slots)..top];
            topmost.iter().any(|value| value.object().is_some_and(|object| is_so(ObjectView::new(object))))
        })
    }

    /// Whether this is so of any object in the running thread's stack, above its live top too.
    pub fn any_in_whole_stack(self, is_so: impl Fn(ObjectView<'h>) -> bool) -> bool {
        self.heap.current_thread.is_some_and(|thread| {
            thread.stack.iter().any(|value| value.object().is_some_and(|object| is_so(ObjectView::new(object))))
        })
    }

    /// The thread that runs.
    #[inline]
    pub fn running_thread(self) -> Option<ObjectView<'h>> {
        self.heap.current_thread.map(|thread| ObjectView::new(thread.erase()))
    }

    /// Where the running script is: the innermost Lua function of the running thread.
    pub fn location(self) -> Option<Location> {
        let (closure, address) = self.innermost()?;
        let prototype = closure.prototype.get();
        Some(Location { source: prototype.source_bytes(), line: prototype.line_at(address)? })
    }

    /// What the running script calls the object that its running instruction makes: the variable or the field that will
    /// hold it.
    pub fn destination(self) -> Option<Vec<u8>> {
        let (closure, address) = self.innermost()?;
        names::result_name(&*closure.prototype.get(), address)
    }

    /// How deep the calls are nested that are running: the frames of the running thread and of those that wait for it. One
    /// of a native function counts too.
    pub fn depth(self) -> usize {
        let threads = std::iter::successors(self.heap.current_thread, |thread| *thread.resumer);
        // Every stack has a bottom frame. The script is called by a function of the host's, and both are entered across a
        // boundary.
        threads.map(|thread| thread.frames.len().saturating_sub(1)).sum::<usize>().saturating_sub(3)
    }

    /// The innermost Lua function of the running thread, with the address of its running instruction.
    fn innermost(self) -> Option<(Gc<Closure>, usize)> {
        let thread = self.heap.current_thread?;
        let frame = thread.frames.iter().rev().find(|frame| frame.kind == FrameKind::Lua)?;
        let Value::Closure(closure) = *thread.stack.get(frame.func as usize)? else { return None };
        Some((closure, (frame.pc as usize).saturating_sub(1)))
    }

    /// The closure whose frame is on top, if it is that of a Lua function.
    pub(super) fn running_function(self) -> Option<AnyGc> {
        let thread = self.heap.current_thread?;
        let frame = thread.frames.last().filter(|frame| frame.kind == FrameKind::Lua)?;
        thread.stack.get(frame.func as usize)?.object()
    }
}

/// The name of the local variable in a stack slot.
fn slot_name<'h>(thread: &Thread, slot: usize) -> Option<ObjectView<'h>> {
    // A search from the top would make a look at a deep stack take the square of its depth.
    let reached = thread.frames.partition_point(|frame| frame.base as usize <= slot);
    let frame = thread.frames[..reached].iter().rev().find(|frame| frame.kind == FrameKind::Lua)?;
    let Value::Closure(closure) = *thread.stack.get(frame.func as usize)? else { return None };
    if closure.erase().has(bits::FREED) || closure.prototype.get().erase().has(bits::FREED) {
        return None;
    }
    closure
        .prototype
        .get()
        .local_name(slot - frame.base as usize, frame.pc as usize)
        .map(|name| ObjectView::new(name.erase()))
}
