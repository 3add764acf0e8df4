//! The names of a chunk, each allocated once.

use std::collections::HashMap;

use crate::hash::Keyed;
use crate::syntax::ast::Name;

/// Bytes of source for each different name in it, roughly.
const BYTES_PER_NAME: usize = 50;

/// An interner of names.
pub(super) struct Names<'s> {
    known: HashMap<&'s [u8], Name, Keyed>,
}

impl<'s> Names<'s> {
    /// No name, and room for those of a source.
    pub fn of(source: &[u8]) -> Names<'s> {
        Names { known: HashMap::with_capacity_and_hasher(source.len() / BYTES_PER_NAME, Keyed::default()) }
    }

    /// The one shared copy of a name, which is ASCII.
    pub fn intern(&mut self, text: &'s [u8]) -> Name {
        if let Some(name) = self.known.get(text) {
            return name.clone();
        }
        let name = Name::from(std::str::from_utf8(text).expect("names are ASCII"));
        self.known.insert(text, name.clone());
        name
    }
}
