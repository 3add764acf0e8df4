//! Entries of weak tables: what cleared ones looked like to the atomic phase that cleared them.

use std::fmt;

use moonphase_heap::{Age, Clearing, Heap, StepKind, Weakness};
use serde::{Deserialize, Serialize};

/// An enum of plain words.
macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $value:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$about])* $value,)* }

        impl $name {
            /// Every value.
            pub(super) const ALL: &'static [$name] = &[$($name::$value),*];

            /// The word in the names of cells.
            pub fn name(self) -> &'static str {
                match self { $($name::$value => $word,)* }
            }
        }
    )*};
}

choices! {
    /// What is weak in a table.
    WeakKind {
        /// Its values.
        Values = "weak-values",
        /// Its keys.
        Keys = "weak-keys",
        /// Both.
        Both = "all-weak",
    }

    /// Which side of an entry is dead, so that the entry is cleared.
    Side {
        /// Its key.
        Key = "key",
        /// Its value.
        Value = "value",
    }

    /// How old a dead object has become.
    Lived {
        /// It was made since the last collection.
        New = "new",
        /// It has survived a minor collection.
        Survival = "survival",
    }

    /// The collection that clears an entry.
    Collection {
        /// A cycle of incremental mode.
        Incremental = "incremental",
        /// A minor collection.
        Minor = "minor",
        /// A major collection, which also begins generational mode.
        Major = "major",
    }

    /// What is on the other side of an entry than the dead object.
    Other {
        /// No object.
        Plain = "plain",
        /// An object that lives.
        Living = "living",
        /// A dead object.
        Dead = "dead",
    }
}

/// What an entry of a weak table looked like that was cleared. An entry has several cells: one that told all would hardly ever
/// come twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WeakCell {
    /// What died: a value, before it is known what finalizers keep, or a key, when all of that is marked.
    Cleared {
        /// What is weak in the table.
        table: WeakKind,
        /// What is dead.
        dead: Side,
        /// When.
        collection: Collection,
    },
    /// A value died that nothing refers to but a table which objects with finalizers alone keep.
    Late {
        /// When.
        collection: Collection,
    },
    /// How old the dead object was, in a minor collection. Elsewhere all objects are new.
    Lived {
        /// The pass that clears the entry.
        pass: Clearing,
        /// How old.
        lived: Lived,
    },
    /// What was cleared waits for its finalizer from now on.
    Finalized {
        /// The pass that clears the entry.
        pass: Clearing,
        /// When.
        collection: Collection,
    },
    /// What was on both sides.
    Pair {
        /// What is weak in the table.
        table: WeakKind,
        /// What is dead.
        dead: Side,
        /// What is on the other side.
        other: Other,
    },
}

impl WeakCell {
    /// How many there are.
    pub(super) const COUNT: usize = {
        let (sides, times) = (WeakKind::ALL.len() * Side::ALL.len(), Collection::ALL.len());
        sides * (times + Other::ALL.len()) + times + Clearing::COUNT * (Lived::ALL.len() + times)
    };

    /// Every one.
    pub(super) fn all() -> Vec<WeakCell> {
        let mut all = Vec::new();
        for &table in WeakKind::ALL {
            for &dead in Side::ALL {
                all.extend(Collection::ALL.iter().map(|&collection| WeakCell::Cleared { table, dead, collection }));
                all.extend(Other::ALL.iter().map(|&other| WeakCell::Pair { table, dead, other }));
            }
        }
        for pass in Clearing::ALL {
            all.extend(Lived::ALL.iter().map(|&lived| WeakCell::Lived { pass, lived }));
            all.extend(Collection::ALL.iter().map(|&collection| WeakCell::Finalized { pass, collection }));
        }
        all.extend(Collection::ALL.iter().map(|&collection| WeakCell::Late { collection }));
        all
    }

    /// The cells of an entry that is cleared in a step of this kind.
    #[inline(never)]
    pub(super) fn each_of<H: Heap>(
        heap: H,
        step: Option<StepKind>,
        pass: Clearing,
        table: H::Object,
        [key, value]: [Option<H::Object>; 2],
        mut visit: impl FnMut(WeakCell),
    ) {
        let collection = match step {
            Some(StepKind::Minor) => Collection::Minor,
            Some(StepKind::Major) => Collection::Major,
            _ => Collection::Incremental,
        };
        let (dead, died, other) = match pass {
            Clearing::Keys => (Side::Key, key, value),
            Clearing::Values | Clearing::RevivedValues => (Side::Value, value, key),
        };
        let Some(died) = died else { return };
        if heap.has_finalizer(died) {
            visit(WeakCell::Finalized { pass, collection });
        }
        if collection == Collection::Minor {
            let lived = if heap.age(died) == Age::New { Lived::New } else { Lived::Survival };
            visit(WeakCell::Lived { pass, lived });
        }
        if pass == Clearing::RevivedValues {
            return visit(WeakCell::Late { collection });
        }
        let table = match heap.weakness(table) {
            Weakness::None => return,
            Weakness::Values => WeakKind::Values,
            Weakness::Keys => WeakKind::Keys,
            Weakness::Both => WeakKind::Both,
        };
        let other = match other {
            None => Other::Plain,
            Some(other) if heap.is_white(other) => Other::Dead,
            Some(_) => Other::Living,
        };
        visit(WeakCell::Cleared { table, dead, collection });
        visit(WeakCell::Pair { table, dead, other });
    }
}

impl fmt::Display for WeakCell {
    /// `weak-entry weak-keys key minor`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            WeakCell::Cleared { table, dead, collection } => {
                write!(f, "weak-entry {} {} {}", table.name(), dead.name(), collection.name())
            }
            WeakCell::Late { collection } => write!(f, "weak-late {}", collection.name()),
            WeakCell::Lived { pass, lived } => write!(f, "weak-age {pass} {}", lived.name()),
            WeakCell::Finalized { pass, collection } => write!(f, "weak-finalized {pass} {}", collection.name()),
            WeakCell::Pair { table, dead, other } => {
                write!(f, "weak-pair {} {} {}", table.name(), dead.name(), other.name())
            }
        }
    }
}
