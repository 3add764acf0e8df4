//! Counts of what scripts consist of.

use std::collections::{BTreeMap, BTreeSet};

use super::{OpKind, Script};

/// How many scripts contain each kind of operation, and how many operations there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// The number of scripts.
    pub scripts: u64,
    /// The number of operations in all of them.
    pub operations: u64,
    scripts_with: BTreeMap<OpKind, u64>,
}

impl Statistics {
    /// Adds a script.
    pub fn add(&mut self, script: &Script) {
        let mut kinds = BTreeSet::new();
        script.for_each(&mut |operation| {
            self.operations += 1;
            kinds.insert(operation.kind());
        });
        self.scripts += 1;
        for kind in kinds {
            *self.scripts_with.entry(kind).or_default() += 1;
        }
    }

    /// How many of the scripts contain an operation of this kind.
    pub fn scripts_with(&self, kind: OpKind) -> u64 {
        self.scripts_with.get(&kind).copied().unwrap_or(0)
    }
}
