//! The names of a chunk, each allocated once.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::syntax::ast::Name;

/// An interner of names.
#[derive(Default)]
pub(super) struct Names<'s> {
    known: HashMap<&'s [u8], Name, BuildHasherDefault<Fnv>>,
}

impl<'s> Names<'s> {
    /// The one shared copy of a name, which is ASCII.
    pub fn intern(&mut self, text: &'s [u8]) -> Name {
        self.known.entry(text).or_insert_with(|| Name::from(&*String::from_utf8_lossy(text))).clone()
    }
}

/// FNV-1a: for keys as short as names faster than the library's hash, and nothing depends on the order of the map.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
