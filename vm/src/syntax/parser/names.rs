//! The names of a chunk, each allocated once.

use std::collections::HashMap;

use crate::hash::Keyed;
use crate::syntax::ast::Name;

/// An interner of names.
#[derive(Default)]
pub(super) struct Names<'s> {
    known: HashMap<&'s [u8], Name, Keyed>,
}

impl<'s> Names<'s> {
    /// The one shared copy of a name, which is ASCII.
    pub fn intern(&mut self, text: &'s [u8]) -> Name {
        self.known.entry(text).or_insert_with(|| Name::from(&*String::from_utf8_lossy(text))).clone()
    }
}
