//! Operations that grow and shrink what the collector works on, or change how the collector works, in the midst of a cycle.

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::TableId;
use super::payload::{burst, payloads};

payloads! {
    /// `grow(t1, 20, 1, function(last, i) return last + i end)`: gives a table entries and takes them away again.
    GrowTable {
        /// The table.
        table: TableId,
        /// The keys.
        growth: Growth,
        /// How many entries.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[2, 5, 9, 17, 33, 65]).copied())]
        count: u8,
        /// How many steps there are after each change.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(0..=2))]
        steps: u8,
    }

    /// `print(intern(300, 2))`: makes many short strings, each of which dies some hundreds later.
    InternStrings {
        /// How many hundreds of them live at a time.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[1, 1, 1, 3]).copied())]
        hundreds: u8,
        /// How many steps there are after every few strings.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(0..=3))]
        steps: u8,
    }

    /// `collectgarbage("generational")`, some steps, `collectgarbage("incremental")`, or the other way round.
    SwitchMode {
        /// Whether the last mode is the generational one.
        generational: bool,
        /// How many steps there are in the other mode.
        #[arbitrary(with = burst)]
        steps: u8,
    }
}

/// The keys with which a table grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Growth {
    /// Integers after those of the list, upwards.
    #[default]
    Up,
    /// The same downwards, so that they come to the hash part first.
    Down,
    /// Strings.
    Strings,
    /// Objects.
    Objects,
}
