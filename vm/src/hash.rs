//! A fast hash for tables of short texts and numbers.
//!
//! A text that is compiled chooses the keys of such a table, so the hash has a key of the process, without which nobody
//! can tell which texts meet in one place. Nothing may depend on the order of a table.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// The secrets of the process: where a hash begins, and what it multiplies by.
static SECRETS: OnceLock<[u64; 2]> = OnceLock::new();

/// Makes hashers, all with the same key.
#[derive(Clone)]
pub(crate) struct Keyed([u64; 2]);

impl Default for Keyed {
    fn default() -> Self {
        Keyed(*SECRETS.get_or_init(|| [RandomState::new().hash_one(0), RandomState::new().hash_one(0) | 1]))
    }
}

impl BuildHasher for Keyed {
    type Hasher = Folding;

    fn build_hasher(&self) -> Folding {
        let Keyed([state, factor]) = *self;
        Folding { state, factor }
    }
}

/// Multiplies what it is given, eight bytes at a time, and folds both halves of the product into one.
pub(crate) struct Folding {
    state: u64,
    factor: u64,
}

impl Hasher for Folding {
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((eight, after)) = rest.split_first_chunk() {
            self.write_u64(u64::from_le_bytes(*eight));
            rest = after;
        }
        // The length tells apart what the last pieces, which overlap, do not.
        let last = match (rest.first_chunk(), rest.last_chunk(), rest) {
            (Some(start), Some(end), _) => {
                u64::from(u32::from_le_bytes(*start)) << 32 | u64::from(u32::from_le_bytes(*end))
            }
            (_, _, &[first, .., last]) => {
                u64::from(first) << 16 | u64::from(rest[rest.len() / 2]) << 8 | u64::from(last)
            }
            (_, _, &[only]) => u64::from(only),
            _ => 0,
        };
        self.write_u64(last ^ (bytes.len() as u64).rotate_right(8));
    }

    fn write_u64(&mut self, value: u64) {
        let product = u128::from(self.state ^ value) * u128::from(self.factor);
        self.state = product as u64 ^ (product >> 64) as u64;
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.state
    }
}
