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

/// The key of an entry in the hash part of a table, with its link to others beside the tag: together no larger than a value.
#[derive(Clone, Copy)]
pub(crate) struct PackedKey {
    payload: MaybeUninit<u64>,
    /// Of a value, whose tags are few.
    tag: u8,
    /// The key may be collected. What is left of it is its hash (high half) and its object's number (low half), for the
    /// chain to stay whole and `next` to find its place.
    pub(crate) dead: bool,
    /// Distance to the next node of the chain; 0 ends it.
    pub(crate) next: i32,
}

const _: () = assert!(size_of::<PackedKey>() == size_of::<Value>());

impl PackedKey {
    /// A key at the end of a chain.
    pub(crate) const NONE: PackedKey = PackedKey::new(Value::Nil, 0);

    /// A key that is not dead.
    #[inline(always)]
    pub(crate) const fn new(key: Value, next: i32) -> PackedKey {
        // SAFETY: the layouts are the same.
        let Parts { tag, payload } = unsafe { std::mem::transmute::<Value, Parts>(key) };
        PackedKey { payload, tag: tag as u8, dead: false, next }
    }

    /// The key.
    #[inline(always)]
    pub(crate) fn value(&self) -> Value {
        let parts = Parts { tag: u32::from(self.tag), payload: self.payload };
        // SAFETY: these are the parts of a value.
        unsafe { std::mem::transmute::<Parts, Value>(parts) }
    }
}
