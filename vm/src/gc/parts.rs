//! Values by their two parts, tag and payload: how they are copied where it has to be fast, and how they are packed.

use crate::value::Value;
use std::mem::MaybeUninit;

/// A value as its layout has it: [`Value`] is `repr(C, u32)`, and all payloads have eight bytes.
#[repr(C)]
#[derive(Clone, Copy)]
struct Parts {
    tag: u32,
    payload: MaybeUninit<u64>,
}

impl Parts {
    #[inline(always)]
    const fn of(value: Value) -> Parts {
        // SAFETY: the layouts are the same.
        unsafe { std::mem::transmute::<Value, Parts>(value) }
    }

    /// # Safety
    /// These are the parts of a value.
    #[inline(always)]
    unsafe fn value(self) -> Value {
        // SAFETY: the layouts are the same, and the caller's promise.
        unsafe { std::mem::transmute::<Parts, Value>(self) }
    }
}

const _: () = assert!(size_of::<Parts>() == size_of::<Value>() && align_of::<Parts>() == align_of::<Value>());

/// Copies a value by its two parts, which is how values are written: a load of all sixteen bytes right after such a write would
/// have to wait for both stores.
///
/// # Safety
/// Both pointers are to values, and nothing else writes them meanwhile. No barrier is called.
#[inline(always)]
pub(crate) unsafe fn copy_value(from: *const Value, to: *mut Value) {
    let (from, to) = (from.cast::<Parts>(), to.cast::<Parts>());
    // SAFETY: the caller's promise; the layouts are the same, and the payload of a value may have uninitialized bytes.
    unsafe {
        (*to).tag = (*from).tag;
        (*to).payload = (*from).payload;
    }
}

/// A value, read by its two parts.
#[inline(always)]
pub(crate) fn read_value(from: &Value) -> Value {
    let mut value = MaybeUninit::uninit();
    // SAFETY: the copy makes it a value.
    unsafe {
        copy_value(from, value.as_mut_ptr());
        value.assume_init()
    }
}

/// Writes a value by its two parts. No barrier is called.
#[inline(always)]
pub(crate) fn write_value(to: &mut Value, value: &Value) {
    // SAFETY: both are references to values.
    unsafe { copy_value(value, to) }
}

/// An entry in the hash part of a table: the two parts of its key and of its value, and the link to others beside the tags. So
/// it has half the size of a value more than a value, and its value is no [`Value`] in memory.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Node {
    value: MaybeUninit<u64>,
    key: MaybeUninit<u64>,
    /// Of values, whose tags are few.
    value_tag: u8,
    key_tag: u8,
    /// The key may be collected. What is left of it is its hash (high half) and its object's number (low half), for the
    /// chain to stay whole and `next` to find its place.
    pub(crate) dead: bool,
    /// Distance to the next node of the chain; 0 ends it.
    pub(crate) next: i32,
}

const _: () = assert!(size_of::<Node>() == 24);

impl Node {
    /// A node that was never used.
    pub(crate) const FREE: Node = Node::new(Value::Nil, Value::Nil, 0);

    /// A node with a key that is not dead.
    #[inline(always)]
    pub(crate) const fn new(key: Value, value: Value, next: i32) -> Node {
        let (key, value) = (Parts::of(key), Parts::of(value));
        Node {
            value: value.payload,
            key: key.payload,
            value_tag: value.tag as u8,
            key_tag: key.tag as u8,
            dead: false,
            next,
        }
    }

    /// The key.
    #[inline(always)]
    pub(crate) fn key(&self) -> Value {
        // SAFETY: these are the parts of a value.
        unsafe { Parts { tag: u32::from(self.key_tag), payload: self.key }.value() }
    }

    /// The value.
    #[inline(always)]
    pub(crate) fn value(&self) -> Value {
        // SAFETY: as above.
        unsafe { Parts { tag: u32::from(self.value_tag), payload: self.value }.value() }
    }

    /// Writes the value. No barrier is called.
    #[inline(always)]
    pub(crate) fn set_value(&mut self, value: &Value) {
        let Parts { tag, payload } = Parts::of(read_value(value));
        self.value_tag = tag as u8;
        self.value = payload;
    }
}
