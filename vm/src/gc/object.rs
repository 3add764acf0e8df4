//! Object headers and handles.
//!
//! Every collected object begins with a [`Header`]; a [`Gc`] is a typed handle to one and an [`AnyGc`] an untyped one.
//! Handles are plain pointers. What makes reading through them sound is one invariant, which the rest of the VM keeps:
//!
//! > A handle is read only while its object is reachable from the roots, or while no collector step has run since it
//! > was found reachable, or while the object is in quarantine.
//!
//! Steps run only at the interpreter's safe points, so code between two of them may hold handles freely; what must
//! live across one stands on a Lua stack. A collector with a faulty policy breaks the invariant, which is why such a
//! policy needs a quarantine or an `unsafe` promise.

use crate::gc::{Age, Kind};
use crate::value::{Closure, NativeClosure, Prototype, Str, Table, Thread, Upvalue, Userdata};
use std::cell::Cell;
use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;

/// The colour bits of an object. Exactly one of the two whites, or black, or none of them, which is gray.
pub(crate) mod bits {
    pub const WHITE_0: u16 = 1 << 0;
    pub const WHITE_1: u16 = 1 << 1;
    pub const BLACK: u16 = 1 << 2;
    /// The object is in the list of objects with finalizers.
    pub const FINALIZER: u16 = 1 << 3;
    /// Swept, and kept in quarantine.
    pub const FREED: u16 = 1 << 4;
    /// The finalizer was called, and will not be again.
    pub const FINALIZED: u16 = 1 << 5;
    pub const WHITES: u16 = WHITE_0 | WHITE_1;
    pub const COLOURS: u16 = WHITES | BLACK;
    /// The three bits above are the age.
    pub const AGE_SHIFT: u32 = 6;
    pub const AGE: u16 = 0b111 << AGE_SHIFT;
}

/// The beginning of every object.
#[repr(C)]
pub struct Header {
    /// The next object in the collector's list.
    pub(crate) next: Cell<Option<AnyGc>>,
    id: u32,
    marked: Cell<u16>,
    kind: Kind,
    /// A byte for the kind's own use: of a table what it lacks, of a closure how many upvalues it has.
    pub(crate) extra: Cell<u8>,
}

const _: () = assert!(size_of::<Header>() == 16);

impl Header {
    pub(crate) fn new(kind: Kind, id: u32, white: u16) -> Header {
        Header { next: Cell::new(None), id, marked: Cell::new(white), kind, extra: Cell::new(0) }
    }

    /// The object's number, counted from 1 in the order of allocation.
    #[inline]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// What the object is.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Colour, age and what is known of a finalizer.
    #[inline]
    pub(crate) fn marks(&self) -> u16 {
        self.marked.get()
    }

    #[inline]
    pub(crate) fn has(&self, bits: u16) -> bool {
        self.marked.get() & bits != 0
    }

    #[inline]
    pub(crate) fn is_white(&self) -> bool {
        self.has(bits::WHITES)
    }

    #[inline]
    pub(crate) fn is_black(&self) -> bool {
        self.has(bits::BLACK)
    }

    #[inline]
    pub(crate) fn is_gray(&self) -> bool {
        !self.has(bits::COLOURS)
    }

    /// Whether a sweep with this `other_white` frees the object.
    #[inline]
    pub(crate) fn is_dead(&self, other_white: u16) -> bool {
        self.has(other_white)
    }

    /// Replaces the colour; `colour` is one of the whites, [`bits::BLACK`], or 0 for gray.
    #[inline]
    pub(crate) fn set_colour(&self, colour: u16) {
        self.marked.set(self.marked.get() & !bits::COLOURS | colour);
    }

    #[inline]
    pub(crate) fn age(&self) -> Age {
        Age::ALL[usize::from((self.marked.get() & bits::AGE) >> bits::AGE_SHIFT)]
    }

    #[inline]
    pub(crate) fn set_age(&self, age: Age) {
        self.marked.set(self.marked.get() & !bits::AGE | u16::from(age as u8) << bits::AGE_SHIFT);
    }

    /// Whether the object is of one of the old ages.
    #[inline]
    pub(crate) fn is_old(&self) -> bool {
        self.age().is_old()
    }

    #[inline]
    pub(crate) fn set(&self, bits: u16) {
        self.marked.set(self.marked.get() | bits);
    }

    #[inline]
    pub(crate) fn clear(&self, bits: u16) {
        self.marked.set(self.marked.get() & !bits);
    }
}

/// A type of collected object.
///
/// # Safety
/// The type is `repr(C)`, begins with a [`Header`], and objects whose header says `KIND` are of this type.
pub unsafe trait Managed {
    /// What the header of such an object says.
    const KIND: Kind;
}

/// A handle to an object of a known type. Two handles are equal where they refer to the same object.
pub struct Gc<T>(NonNull<T>);

impl<T> Clone for Gc<T> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Gc<T> {}

impl<T> PartialEq for Gc<T> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Gc<T> {}

impl<T: Managed> fmt::Debug for Gc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", T::KIND, self.erase().id())
    }
}

impl<T: Managed> Gc<T> {
    /// # Safety
    /// The pointer is to an initialized object of this type, made by the heap.
    #[inline]
    pub(crate) unsafe fn from_pointer(pointer: NonNull<T>) -> Self {
        Gc(pointer)
    }

    /// The same object without its type.
    #[inline(always)]
    pub fn erase(self) -> AnyGc {
        AnyGc(self.0.cast())
    }

    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *mut T {
        self.0.as_ptr()
    }

    /// The object, to be changed by the collector's modules.
    ///
    /// # Safety
    /// The handle's invariant (see the module) holds, and no other reference to the object lives as long as this one.
    #[inline(always)]
    pub(super) unsafe fn object_mut<'a>(self) -> &'a mut T {
        // SAFETY: the caller's promise.
        unsafe { &mut *self.0.as_ptr() }
    }
}

impl Gc<Thread> {
    /// The thread, to be changed: the interpreter writes stacks and frames, which have no barrier. No other object is changed
    /// outside of the collector.
    ///
    /// # Safety
    /// The handle's invariant (see the module) holds, and no other reference to the thread lives as long as this one.
    #[inline(always)]
    pub(crate) unsafe fn as_mut<'a>(self) -> &'a mut Thread {
        // SAFETY: the caller's promise.
        unsafe { self.object_mut() }
    }
}

impl<T: Managed> Deref for Gc<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the invariant of handles, at the top of this module.
        unsafe { self.0.as_ref() }
    }
}

/// A handle to an object of any kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AnyGc(NonNull<Header>);

impl fmt::Debug for AnyGc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.kind(), self.id())
    }
}

impl Deref for AnyGc {
    type Target = Header;

    #[inline(always)]
    fn deref(&self) -> &Header {
        // SAFETY: the invariant of handles, at the top of this module; a header is the first field of every object.
        unsafe { self.0.as_ref() }
    }
}

/// A handle with its type at run time.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Object {
    String(Gc<Str>),
    Table(Gc<Table>),
    Closure(Gc<Closure>),
    NativeClosure(Gc<NativeClosure>),
    Userdata(Gc<Userdata>),
    Thread(Gc<Thread>),
    Upvalue(Gc<Upvalue>),
    Prototype(Gc<Prototype>),
}

impl AnyGc {
    /// The object with its type.
    #[inline]
    pub fn unpack(self) -> Object {
        match self.kind() {
            Kind::String => Object::String(Gc(self.0.cast())),
            Kind::Table => Object::Table(Gc(self.0.cast())),
            Kind::Closure => Object::Closure(Gc(self.0.cast())),
            Kind::NativeClosure => Object::NativeClosure(Gc(self.0.cast())),
            Kind::Userdata => Object::Userdata(Gc(self.0.cast())),
            Kind::Thread => Object::Thread(Gc(self.0.cast())),
            Kind::Upvalue => Object::Upvalue(Gc(self.0.cast())),
            Kind::Prototype => Object::Prototype(Gc(self.0.cast())),
        }
    }

    /// Where the object begins.
    #[inline(always)]
    pub(super) fn as_non_null(self) -> NonNull<Header> {
        self.0
    }
}
