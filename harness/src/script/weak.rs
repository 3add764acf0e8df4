//! Operations on entries of tables that may be weak, and on the weakness itself.
//!
//! Whether a table whose weakness changes has lost an entry depends on when the collector ran. So the entries of such a table
//! are never counted nor shown, and the table holds only what makes no difference to anybody: see [`fixup`](super::fixup).

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::payload::{burst, payloads};
use super::{TableId, Value, Weakness};

payloads! {
    /// `setmetatable(t1, { __mode = "k" })`: changes what of a table is weak.
    ChangeWeakness {
        /// The table.
        table: TableId,
        /// What becomes weak; nothing if there is none.
        weakness: Option<Weakness>,
        /// How it is said.
        change: WeaknessChange,
    }

    /// `t1[("long1"):rep(9)] = {}`: a long string as key.
    SetLongKey {
        /// The table.
        table: TableId,
        /// Which string.
        number: u8,
        /// The value.
        value: Value,
    }

    /// `empty(t1, 2, true)`: removes all entries of a table while they are traversed.
    EmptyTable {
        /// The table.
        table: TableId,
        /// How many steps there are after each entry.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(0..=3))]
        steps: u8,
        /// Whether the same keys get their values again afterwards.
        again: bool,
    }
}

/// How the weakness of a table is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Mutate)]
pub enum WeaknessChange {
    /// By a metatable of its own.
    Fresh,
    /// By a metatable that is a weak table itself.
    Weak,
    /// In the metatable, which other tables may have too.
    InPlace,
    /// By the metatable of another table, whatever that says.
    Shared(TableId),
    /// By a metatable of its own, after the table had none for so many steps.
    Bare(u8),
}

impl<'a> Arbitrary<'a> for WeaknessChange {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.arbitrary::<u8>()? % 5 {
            0 => WeaknessChange::Fresh,
            1 => WeaknessChange::Weak,
            2 => WeaknessChange::InPlace,
            3 => WeaknessChange::Shared(u.arbitrary()?),
            _ => WeaknessChange::Bare(burst(u)?),
        })
    }
}
