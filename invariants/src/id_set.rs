//! A set of objects, by their numbers: one bit each.
//!
//! Numbers count allocations, so a set takes an eighth of a byte for each object that was ever made: 12 MB for a program that
//! makes a hundred million objects.

/// See the module. One set is cleared and filled again by check after check.
#[derive(Default)]
pub(crate) struct IdSet {
    words: Vec<u64>,
    /// The words that are not zero. They are few: a heap is small beside all that was ever made in it.
    used: Vec<u32>,
}

impl IdSet {
    pub(crate) fn clear(&mut self) {
        for word in self.used.drain(..) {
            self.words[word as usize] = 0;
        }
    }

    /// Says whether the object was not in the set.
    #[inline]
    pub(crate) fn insert(&mut self, id: u32) -> bool {
        let (index, bit) = (id as usize / 64, 1 << (id % 64));
        match self.words.get_mut(index) {
            Some(word) if *word != 0 => {
                let is_new = *word & bit == 0;
                *word |= bit;
                is_new
            }
            _ => self.insert_first(index, bit),
        }
    }

    /// Inserts the first object of a word.
    #[cold]
    fn insert_first(&mut self, index: usize, bit: u64) -> bool {
        if index >= self.words.len() {
            self.words.resize(index + 1 + index / 2, 0);
        }
        self.words[index] = bit;
        self.used.push(index as u32);
        true
    }

    #[inline]
    pub(crate) fn remove(&mut self, id: u32) {
        if let Some(word) = self.words.get_mut(id as usize / 64) {
            *word &= !(1 << (id % 64));
        }
    }

    #[inline]
    pub(crate) fn contains(&self, id: u32) -> bool {
        self.words.get(id as usize / 64).is_some_and(|word| word & (1 << (id % 64)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_knows_what_was_put_in_and_forgets_it_when_cleared() {
        let mut set = IdSet::default();
        assert!(set.insert(1) && set.insert(64) && set.insert(100_000));
        assert!(!set.insert(64));
        assert!(set.contains(64) && !set.contains(63) && !set.contains(u32::MAX));
        set.remove(64);
        assert!(!set.contains(64) && set.insert(64) && !set.insert(64));
        set.clear();
        assert!(!set.contains(1) && !set.contains(64) && set.insert(1));
    }
}
