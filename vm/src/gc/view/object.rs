//! Objects, to be read from outside.

use crate::gc::object::bits;
use crate::gc::{Age, AnyGc, Heap, Kind, Object};
use crate::value::{Thread, Value};
use moonphase_heap::Marks;
use std::fmt;
use std::marker::PhantomData;

/// An object, to be read.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectView<'h> {
    pub(super) object: AnyGc,
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
        Marks::new(self.object.marks())
    }

    /// Its bytes as the collector counts them.
    pub fn size(self) -> usize {
        crate::gc::allocate::size_of_object(self.object)
    }

    /// The bytes, if it is a string.
    pub fn contents(self) -> Option<Vec<u8>> {
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
    pub fn upvalue_slot(self) -> Option<(ObjectView<'h>, u32)> {
        let Object::Upvalue(upvalue) = self.object.unpack() else { return None };
        let thread = upvalue.thread()?;
        let offset = (upvalue.location.get() as usize).checked_sub(thread.stack.as_ptr() as usize)?;
        let slot = offset / size_of::<Value>();
        // A stack has fewer than 2^32 slots.
        (slot < thread.stack.len()).then(|| (ObjectView::new(thread.erase()), slot as u32))
    }

    /// The open upvalues of a thread, in the order of its list.
    pub fn open_upvalues(self) -> Vec<ObjectView<'h>> {
        match self.object.unpack() {
            Object::Thread(thread) => thread.open_upvalues.iter().map(|uv| ObjectView::new(uv.erase())).collect(),
            _ => Vec::new(),
        }
    }

    /// How many slots of a thread's stack are part of the program's state.
    pub fn live_stack(self) -> u32 {
        match self.object.unpack() {
            Object::Thread(thread) => live_top(&thread) as u32,
            _ => 0,
        }
    }
}

/// First slot above all that the frames of a thread may use: between two instructions the registers of the running
/// frame.
#[inline]
pub(super) fn live_top(thread: &Thread) -> usize {
    thread.top.min(thread.stack.len())
}
