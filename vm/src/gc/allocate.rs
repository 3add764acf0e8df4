//! Making and freeing objects; the table of interned strings; the byte count.
//!
//! Objects come from the pool one by one. The bytes of a string and the upvalues of a closure stand behind the object's fields
//! in the same block.

use crate::gc::Event;
use crate::gc::object::bits;
use crate::gc::upvalue::CountedUpvalue;
use crate::gc::{Age, AnyGc, Field, Gc, Header, Heap, Held, Kind, Managed, Object, ObjectView, Phase};
use crate::value::{
    Closure, LONG, MAX_SHORT, NativeClosure, Prototype, Str, StrRest, Table, Thread, ThreadStatus, Upvalue, Userdata,
    Value, hash_bytes,
};
use std::alloc::Layout;
use std::any::Any;
use std::cell::Cell;
use std::mem::offset_of;
use std::ptr::{addr_of, addr_of_mut};

macro_rules! managed {
    ($($type:ident),*) => {$(
        // SAFETY: the type is `repr(C)` with a header first, and `Heap::adopt` gives it a header of this kind.
        unsafe impl Managed for $type {
            const KIND: Kind = Kind::$type;
        }
    )*};
}

managed!(Table, Closure, NativeClosure, Userdata, Thread, Upvalue, Prototype);

// SAFETY: as above.
unsafe impl Managed for Str {
    const KIND: Kind = Kind::String;
}

type UpvalueSlot = Field<Option<Gc<Upvalue>>>;

fn string_layout(length: usize) -> Layout {
    let size = offset_of!(Str, bytes).saturating_add(length).max(size_of::<Str>());
    Layout::from_size_align(size, align_of::<Str>()).unwrap_or_else(|_| unreachable!("no slice is that long"))
}

fn closure_layout(upvalues: usize) -> Layout {
    let size = size_of::<Closure>() + upvalues * size_of::<UpvalueSlot>();
    Layout::from_size_align(size, align_of::<Closure>()).unwrap_or_else(|_| unreachable!("at most 255 upvalues"))
}

impl Str {
    /// How many bytes the string has.
    #[inline]
    pub(crate) fn length(&self) -> usize {
        match self.short_length {
            // SAFETY: a long string has its length there, from its making on.
            LONG => unsafe { self.rest.get().length },
            length => usize::from(length),
        }
    }

    /// The next string in the bucket of the string table, where this one is short.
    #[inline]
    pub(super) fn chain(&self) -> Option<Gc<Str>> {
        // SAFETY: a short string has its link there, from its making on.
        if self.is_short() { unsafe { self.rest.get().chain } } else { None }
    }

    /// Links a short string.
    #[inline]
    fn set_chain(&self, next: Option<Gc<Str>>) {
        debug_assert!(self.is_short());
        self.rest.set(StrRest { chain: next });
    }
}

impl Gc<Str> {
    /// The bytes of the string.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes_held_by(&**self)
    }

    /// The bytes of a string that an object refers to, for as long as that object is borrowed.
    #[inline]
    pub(crate) fn bytes_held_by<T: Managed>(self, _holder: &T) -> &[u8] {
        // SAFETY: `new_string_object` allocated and filled `length` bytes behind the fields, and they never change; while the
        // holder is borrowed no step can run that frees it or what it refers to.
        unsafe { std::slice::from_raw_parts(addr_of!((*self.as_ptr()).bytes).cast::<u8>(), self.length()) }
    }
}

impl Gc<Closure> {
    /// The closure's upvalues. None of them is `None` once the closure is complete.
    #[inline(always)]
    pub(crate) fn upvalues(&self) -> &[UpvalueSlot] {
        // SAFETY: `new_closure` allocated and filled `upvalue_count` slots behind the fields.
        unsafe { std::slice::from_raw_parts(self.as_ptr().add(1).cast::<UpvalueSlot>(), self.upvalue_count()) }
    }
}

impl Gc<Upvalue> {
    /// The variable's value.
    #[inline(always)]
    pub fn get(&self) -> Value {
        // SAFETY: the location is the upvalue's own cell, or a slot of a living stack: closing, freeing a thread and
        // moving a stack keep it so.
        unsafe { *self.location.get() }
    }
}

/// Bytes of an object with all that belongs to it alone.
#[inline]
pub(super) fn size_of_object(object: AnyGc) -> usize {
    match object.unpack() {
        Object::String(s) => string_layout(s.length()).size(),
        Object::Table(t) => t.size(),
        Object::Closure(c) => closure_layout(c.upvalue_count()).size(),
        Object::NativeClosure(c) => size_of::<NativeClosure>() + size_of_val(&*c.upvalues),
        Object::Userdata(u) => size_of::<Userdata>() + size_of_val(&*u.user_values),
        Object::Thread(t) => size_of::<Thread>() + t.stack.len() * size_of::<Value>(),
        Object::Upvalue(_) => size_of::<Upvalue>(),
        Object::Prototype(p) => {
            size_of::<Prototype>()
                + size_of_val(&*p.code)
                + size_of_val(&*p.lines)
                + size_of_val(&*p.constants)
                + size_of_val(&*p.prototypes)
                + size_of_val(&*p.upvalues)
                + size_of_val(&*p.locals)
        }
    }
}

/// The interned strings, in buckets by hash.
pub(super) struct StringTable {
    buckets: Vec<Option<Gc<Str>>>,
    count: usize,
}

impl StringTable {
    pub(super) fn new() -> StringTable {
        StringTable { buckets: vec![None; 256], count: 0 }
    }

    #[inline]
    fn bucket(&self, hash: u32) -> usize {
        hash as usize & (self.buckets.len() - 1)
    }

    /// The string with these bytes.
    #[inline]
    pub(super) fn find(&self, hash: u32, bytes: &[u8]) -> Option<Gc<Str>> {
        self.first(hash, |string| string.as_bytes() == bytes)
    }

    /// Whether looking up the bytes of this string finds this string.
    pub(super) fn finds(&self, string: Gc<Str>) -> bool {
        self.first(string.hash(), |other| other == string || other.as_bytes() == string.as_bytes()) == Some(string)
    }

    /// The first string in the bucket of a hash that has this hash and is the one.
    #[inline]
    fn first(&self, hash: u32, is_it: impl Fn(Gc<Str>) -> bool) -> Option<Gc<Str>> {
        let mut entry = self.buckets[self.bucket(hash)];
        while let Some(string) = entry {
            if string.hash.get() == hash && is_it(string) {
                return Some(string);
            }
            entry = string.chain();
        }
        None
    }

    /// Adds a string. The table does not grow while it is being swept. Strings of the `lost` colours do not outlast its growth.
    fn insert(&mut self, string: Gc<Str>, sweeping: bool, lost: u16) {
        if self.count >= self.buckets.len() && !sweeping {
            self.grow(lost);
        }
        let bucket = self.bucket(string.hash.get());
        string.set_chain(self.buckets[bucket]);
        self.buckets[bucket] = Some(string);
        self.count += 1;
    }

    fn remove(&mut self, string: Gc<Str>) {
        let bucket = self.bucket(string.hash.get());
        let mut link = &mut self.buckets[bucket];
        let mut previous: Option<Gc<Str>> = None;
        let mut entry = *link;
        while let Some(found) = entry {
            if found == string {
                match previous {
                    Some(previous) => previous.set_chain(found.chain()),
                    None => *link = found.chain(),
                }
                self.count -= 1;
                return;
            }
            previous = Some(found);
            entry = found.chain();
            link = &mut self.buckets[bucket];
        }
    }

    /// Doubles the number of buckets, in their place: the strings of each go to it and to one of the new ones.
    fn grow(&mut self, lost: u16) {
        let old = self.buckets.len();
        self.buckets.resize(old * 2, None);
        for index in 0..old {
            let mut entry = self.buckets[index].take();
            while let Some(string) = entry {
                entry = string.chain();
                if string.header.has(lost) {
                    continue;
                }
                let bucket = self.bucket(string.hash.get());
                string.set_chain(self.buckets[bucket]);
                self.buckets[bucket] = Some(string);
            }
        }
    }

    /// The number of buckets.
    pub(super) fn bucket_count(&self) -> usize {
        self.buckets.len()
    }

    /// The first string of a bucket; the others follow by `chain`.
    pub(super) fn bucket_at(&self, index: usize) -> Option<Gc<Str>> {
        self.buckets.get(index).copied().flatten()
    }

    /// Every interned string.
    pub(super) fn iter(&self) -> Strings<'_> {
        Strings { next: None, buckets: self.buckets.iter() }
    }
}

/// The interned strings, bucket by bucket.
#[derive(Clone)]
pub(super) struct Strings<'h> {
    next: Option<Gc<Str>>,
    /// The buckets that are left.
    buckets: std::slice::Iter<'h, Option<Gc<Str>>>,
}

impl Iterator for Strings<'_> {
    type Item = Gc<Str>;

    #[inline]
    fn next(&mut self) -> Option<Gc<Str>> {
        let string = match self.next {
            Some(string) => string,
            None => self.buckets.find_map(|&first| first)?,
        };
        self.next = string.chain();
        Some(string)
    }
}

impl Heap {
    fn new_header(&mut self, kind: Kind) -> Header {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1).max(1);
        let wrong = planted!(self, BornOtherWhite) && self.is_sweeping();
        Header::new(kind, id, if wrong { self.other_white() } else { self.current_white })
    }

    /// Puts a new object into the list of all objects and counts its bytes.
    #[inline]
    fn adopt(&mut self, object: AnyGc, bytes: usize) {
        object.next.set(self.all.get());
        self.all.set(Some(object));
        self.account(object, bytes);
    }

    /// Counts the bytes of a new object.
    #[inline]
    fn account(&mut self, object: AnyGc, bytes: usize) {
        debug_assert_eq!(bytes, size_of_object(object));
        self.pacing.charge(bytes as isize);
        if planted!(self, StringsUnpaid) && object.kind() == Kind::String {
            self.pacing.debt -= bytes as isize;
        }
        if self.interests.fine {
            self.raise(Event::Allocate(ObjectView::new(object)));
        }
    }

    /// Moves an object into the heap's memory.
    fn place<T: Managed>(&mut self, value: T) -> Gc<T> {
        let pointer = self.pool.allocate(Layout::new::<T>()).cast::<T>();
        // SAFETY: the block is as large as the layout says, and not used yet.
        unsafe {
            pointer.write(value);
            Gc::from_pointer(pointer)
        }
    }

    fn new_object<T: Managed>(&mut self, value: T) -> Gc<T> {
        let object = self.place(value);
        let bytes = size_of_object(object.erase());
        self.adopt(object.erase(), bytes);
        object
    }

    /// The string with these bytes.
    pub fn new_string(&mut self, bytes: &[u8]) -> Gc<Str> {
        if bytes.len() > MAX_SHORT {
            return self.new_string_object(bytes, None);
        }
        let hash = hash_bytes(bytes);
        if let Some(string) = self.strings.find(hash, bytes) {
            if string.header.is_dead(self.other_white()) && !planted!(self, DeadStringNotRevived) {
                // Dead but not swept yet: it is wanted again, so it lives.
                string.header.set_colour(self.current_white);
            }
            return string;
        }
        let string = self.new_string_object(bytes, Some(hash));
        let loses = planted!(self, GrowthDropsStrings) && self.is_sweeping();
        self.strings.insert(string, self.phase == Phase::SweepStrings, if loses { bits::BLACK } else { 0 });
        string
    }

    fn new_string_object(&mut self, bytes: &[u8], hash: Option<u32>) -> Gc<Str> {
        let header = self.new_header(Kind::String);
        let layout = string_layout(bytes.len());
        let pointer = self.pool.allocate(layout).cast::<Str>();
        // SAFETY: the layout has room for the fields and the bytes, and both are written before the object is used.
        let string = unsafe {
            pointer.write(Str {
                header,
                hash: Cell::new(hash.unwrap_or(0)),
                hashed: Cell::new(hash.is_some()),
                short_length: if hash.is_some() { bytes.len() as u8 } else { LONG },
                rest: Cell::new(match hash {
                    Some(_) => StrRest { chain: None },
                    None => StrRest { length: bytes.len() },
                }),
                bytes: [],
            });
            let behind = addr_of_mut!((*pointer.as_ptr()).bytes).cast::<u8>();
            behind.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            Gc::from_pointer(pointer)
        };
        if hash.is_some() && self.policy.sweeps_strings() {
            self.account(string.erase(), layout.size());
        } else {
            self.adopt(string.erase(), layout.size());
        }
        string
    }

    /// An empty table.
    pub fn new_table(&mut self) -> Gc<Table> {
        let header = self.new_header(Kind::Table);
        self.new_object(Table::new(header))
    }

    /// A closure, made by `make` around its header, whose upvalues are all missing.
    pub(super) fn allocate_closure(&mut self, upvalues: u8, make: impl FnOnce(Header) -> Closure) -> Gc<Closure> {
        let header = self.new_header(Kind::Closure);
        header.extra.set(upvalues);
        let layout = closure_layout(upvalues as usize);
        let pointer = self.pool.allocate(layout).cast::<Closure>();
        // SAFETY: as in `new_string_object`.
        let closure = unsafe {
            pointer.write(make(header));
            for index in 0..upvalues as usize {
                pointer.add(1).cast::<UpvalueSlot>().add(index).write(Field::empty());
            }
            Gc::from_pointer(pointer)
        };
        self.adopt(closure.erase(), layout.size());
        closure
    }

    /// A native closure, made by `make` around its header.
    pub(super) fn allocate_native_closure(&mut self, make: impl FnOnce(Header) -> NativeClosure) -> Gc<NativeClosure> {
        let header = self.new_header(Kind::NativeClosure);
        self.new_object(make(header))
    }

    /// A userdata with a value of the host and so many user values.
    pub fn new_userdata(&mut self, data: Option<Box<dyn Any>>, user_values: usize) -> Gc<Userdata> {
        let header = self.new_header(Kind::Userdata);
        let user_values = (0..user_values).map(|_| Field::nil()).collect();
        self.new_object(Userdata { header, metatable: Field::empty(), user_values, data })
    }

    /// A thread with an empty stack.
    pub(crate) fn new_thread(&mut self) -> Gc<Thread> {
        let header = self.new_header(Kind::Thread);
        self.new_object(Thread {
            header,
            status: Cell::new(ThreadStatus::Suspended),
            stack: Vec::new(),
            top: 0,
            frames: Vec::new(),
            open_upvalues: Held::empty(),
            to_be_closed: Vec::new(),
            in_upvalue_list: Cell::new(false),
            nesting: 0,
            native_boundaries: 0,
            message_handler: 0,
            failed: Cell::new(false),
            resumer: Held::empty(),
            hook: Default::default(),
        })
    }

    /// A closed upvalue with the value nil.
    pub(crate) fn new_closed_upvalue(&mut self) -> Gc<Upvalue> {
        self.new_upvalue(true)
    }

    /// A closed upvalue with the value nil. One that is not `listed` goes into a list of the caller's.
    pub(super) fn new_upvalue(&mut self, listed: bool) -> Gc<Upvalue> {
        let header = self.new_header(Kind::Upvalue);
        let upvalue = Upvalue { header, location: Field::first(std::ptr::null()), own: Field::nil() };
        let upvalue = self.place(upvalue);
        // SAFETY: the pointer to the field is taken from the object's own pointer and stays inside it.
        upvalue.location.put(unsafe { addr_of_mut!((*upvalue.as_ptr()).own) }.cast::<Value>());
        if self.policy.counts_upvalues() {
            upvalue.erase().set_colour(0);
            self.counted.insert(upvalue.erase().id(), CountedUpvalue { upvalue, holders: 0, touched: false });
            self.account(upvalue.erase(), size_of::<Upvalue>());
        } else if listed {
            self.adopt(upvalue.erase(), size_of::<Upvalue>());
        } else {
            self.account(upvalue.erase(), size_of::<Upvalue>());
        }
        upvalue
    }

    /// A prototype, made by `make` around its header.
    pub(crate) fn new_prototype(&mut self, make: impl FnOnce(Header) -> Prototype) -> Gc<Prototype> {
        let header = self.new_header(Kind::Prototype);
        self.new_object(make(header))
    }

    /// Makes the newest object one that is never collected. Such objects are made before all others.
    pub(super) fn fix_newest(&mut self, object: AnyGc) {
        object.set_colour(0);
        object.set_age(Age::Old);
        if self.all.get() == Some(object) {
            self.all.set(object.next.get());
        }
        self.fixed_count = object.id();
        object.next.set(self.fixed.get());
        self.fixed.set(Some(object));
    }

    /// The number of bytes of a table or stack changed.
    #[inline]
    pub(crate) fn resized(&mut self, before: usize, after: usize) {
        if planted!(self, BytesOff) {
            return;
        }
        self.pacing.charge(after as isize - before as isize);
    }

    /// Ends the life of an object that is in no list any more.
    pub(super) fn free(&mut self, object: AnyGc) {
        if self.interests.fine {
            self.raise(Event::Free(ObjectView::new(object)));
        }
        match object.unpack() {
            Object::String(string) if string.is_short() && !planted!(self, StringTableEntryKept) => {
                self.strings.remove(string)
            }
            Object::Upvalue(upvalue) => self.forget_upvalue(upvalue),
            Object::Closure(closure) if self.policy.counts_upvalues() => self.release_upvalues_of(closure),
            Object::Thread(thread) => self.close_all_upvalues_of_dead(thread),
            _ => {}
        }
        let size = size_of_object(object);
        self.pacing.charge(-(size as isize));
        if self.observer.is_some() {
            object.set(bits::FREED);
            self.quarantine(object, size);
        } else {
            // SAFETY: the object is in no list, so nobody frees it again; that nothing living refers to it is what the
            // collector is for.
            unsafe { self.destroy(object) };
        }
    }

    /// Returns an object's memory, and what belongs to it alone.
    ///
    /// # Safety
    /// Nothing reads the object again.
    pub(super) unsafe fn destroy(&mut self, object: AnyGc) {
        let layout = match object.unpack() {
            Object::String(s) => string_layout(s.length()),
            Object::Closure(c) => closure_layout(c.upvalue_count()),
            // SAFETY: the caller's promise, which ends the invariant of handles for this object.
            Object::Table(t) => unsafe {
                t.object_mut().free_parts(&mut self.pool);
                drop_fields(t)
            },
            // SAFETY: as above.
            Object::NativeClosure(c) => unsafe { drop_fields(c) },
            // SAFETY: as above.
            Object::Userdata(u) => unsafe { drop_fields(u) },
            // SAFETY: as above.
            Object::Thread(t) => unsafe { drop_fields(t) },
            // SAFETY: as above.
            Object::Upvalue(u) => unsafe { drop_fields(u) },
            // SAFETY: as above.
            Object::Prototype(p) => unsafe { drop_fields(p) },
        };
        // SAFETY: each object was allocated with the layout that its kind says.
        unsafe { self.pool.free(object.as_non_null().cast(), layout) };
    }
}

/// Drops an object in its place; gives the layout of that.
///
/// # Safety
/// Nothing reads the object again.
unsafe fn drop_fields<T: Managed>(object: Gc<T>) -> Layout {
    // SAFETY: the caller's promise.
    unsafe { object.as_ptr().drop_in_place() };
    Layout::new::<T>()
}

impl Drop for Heap {
    fn drop(&mut self) {
        self.observer = None;
        self.release_quarantine();
        if self.policy.sweeps_strings() {
            let strings: Vec<Gc<Str>> = self.strings.iter().filter(|string| !self.is_fixed(string.erase())).collect();
            for string in strings {
                // SAFETY: such a string is in no list, and the heap is gone after this.
                unsafe { self.destroy(string.erase()) };
            }
        }
        for counted in std::mem::take(&mut self.counted).into_values() {
            // SAFETY: a counted upvalue is in no list, and the heap is gone after this.
            unsafe { self.destroy(counted.upvalue.erase()) };
        }
        let lists = [&self.all, &self.finalizable, &self.to_be_finalized, &self.open, &self.fixed].map(Cell::take);
        for mut next in lists {
            while let Some(object) = next {
                next = object.next.get();
                // SAFETY: each object is in one list, and the heap is gone after this.
                unsafe { self.destroy(object) };
            }
        }
    }
}
