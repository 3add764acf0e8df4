//! What all parts of the generator share: entropy, and the text as it grows.

use std::fmt::Write;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Use;

/// A program in the making.
pub(super) struct Maker {
    entropy: ChaCha8Rng,
    pub out: String,
    pub uses: Vec<Use>,
    indent: usize,
    names: u32,
}

impl Maker {
    pub fn new(seed: u64, case: u64) -> Maker {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&case.to_le_bytes());
        // Another stream than that of the operations.
        key[16] = 1;
        Maker { entropy: ChaCha8Rng::from_seed(key), out: String::new(), uses: Vec::new(), indent: 0, names: 0 }
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        // The bias of the remainder does not matter for so few.
        self.entropy.next_u32() as usize % end
    }

    /// A number from `least` to `most`.
    pub fn between(&mut self, least: usize, most: usize) -> usize {
        least + self.below(most - least + 1)
    }

    /// Whether something happens that happens so rarely.
    pub fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// One of several.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.entropy.next_u64()
    }

    /// A variable that the program does not have yet.
    pub fn fresh(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    /// Adds a line.
    pub fn line(&mut self, text: impl AsRef<str>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{:indent$}{}", "", text.as_ref(), indent = 2 * self.indent);
    }

    /// Adds a line, what `body` adds, indented, and another line.
    pub fn block(&mut self, begin: impl AsRef<str>, end: impl AsRef<str>, body: impl FnOnce(&mut Maker)) {
        self.line(begin);
        self.indented(body);
        self.line(end);
    }

    /// What `body` adds, indented.
    pub fn indented(&mut self, body: impl FnOnce(&mut Maker)) {
        self.indent += 1;
        body(self);
        self.indent -= 1;
    }

    /// A maker of a text of its own.
    pub fn branch(&mut self) -> Maker {
        let mut key = [0; 32];
        self.entropy.fill_bytes(&mut key);
        Maker { entropy: ChaCha8Rng::from_seed(key), out: String::new(), uses: Vec::new(), indent: 0, names: 0 }
    }

    /// A protected call of its own for what `body` adds.
    pub fn trying(&mut self, name: &str, body: impl FnOnce(&mut Maker)) {
        self.block(format!("try({name:?}, function()"), "end)", body);
    }

    /// Several of something, with commas between them.
    pub fn list(&mut self, count: usize, mut item: impl FnMut(&mut Maker) -> String) -> String {
        let items: Vec<String> = (0..count).map(|_| item(self)).collect();
        items.join(", ")
    }
}
