//! Strings.
//!
//! Short strings are interned: equal ones are the same object. Long ones are not, and are compared by their bytes. The
//! bytes stand right behind the fields, in the same allocation; reading them is the part of this type that needs the
//! allocator's promise, so it is in `gc::allocate`.

use crate::gc::{Gc, Header};
use std::cell::Cell;

/// The longest string that is interned (Lua's `LUAI_MAXSHORTLEN`).
pub(crate) const MAX_SHORT: usize = 40;

/// A string object.
#[repr(C)]
pub struct Str {
    pub(crate) header: Header,
    pub(crate) rest: Cell<StrRest>,
    /// Hash of the bytes; of a long string only once it is wanted (`hashed`).
    pub(crate) hash: Cell<u32>,
    pub(crate) hashed: Cell<bool>,
    /// Bytes of a short string, or [`LONG`].
    pub(crate) short_length: u8,
    /// Where the bytes begin: before the padding.
    pub(crate) bytes: [u8; 0],
}

/// What stands in a long string where a short one has its length.
pub(crate) const LONG: u8 = u8::MAX;

const _: () = assert!(MAX_SHORT < LONG as usize);

/// What short and long strings keep in the same place.
#[derive(Clone, Copy)]
pub(crate) union StrRest {
    /// Of a short string: the next one in the bucket of the string table.
    pub(crate) chain: Option<Gc<Str>>,
    /// Of a long string: its bytes.
    pub(crate) length: usize,
}

/// Hash of a string's bytes. The same on every machine and in every run.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u32 {
    let mut hash = 0x9E37_79B9_u32 ^ bytes.len() as u32;
    for &byte in bytes {
        hash ^= (hash << 5).wrapping_add(hash >> 2).wrapping_add(byte as u32);
    }
    hash
}

impl Str {
    /// Whether the string is interned.
    #[inline(always)]
    pub(crate) fn is_short(&self) -> bool {
        self.short_length != LONG
    }
}

impl Gc<Str> {
    /// Whether two strings that are not the same object have the same bytes.
    #[inline]
    pub(crate) fn long_equals(self, other: Gc<Str>) -> bool {
        !self.is_short() && !other.is_short() && self.as_bytes() == other.as_bytes()
    }

    /// The hash of the bytes, computed once.
    #[inline]
    pub(crate) fn hash(self) -> u32 {
        if !self.hashed.get() {
            self.hash.set(hash_bytes(self.as_bytes()));
            self.hashed.set(true);
        }
        self.hash.get()
    }
}

/// The bytes before the first zero: what a function of C sees of a string.
pub(crate) fn before_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or(bytes)
}
