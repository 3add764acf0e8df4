//! Circumstances: what correct Luas do each in their own way, and one may do differently from run to run.
//!
//! A script whose output depends on circumstances cannot be compared. Whether it does is a matter of evidence: an engine runs
//! it again in others, and it prints something else. Nobody reads the script for that.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a script may depend on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dependence {
    /// When the collector runs.
    Timing,
    /// The clock, the date and the time zone.
    Clock,
    /// The order in which tables are traversed.
    Order,
    /// Random numbers that no seed of the script decides.
    Seed,
    /// The addresses of objects.
    Addresses,
    /// Binary chunks, byte for byte.
    Chunks,
    /// How many instructions the code has.
    Instructions,
    /// Something that differs from run to run.
    Run,
}

impl fmt::Display for Dependence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dependence::Timing => "when the collector runs",
            Dependence::Clock => "the clock",
            Dependence::Order => "the order in which tables are traversed",
            Dependence::Seed => "random numbers without a seed",
            Dependence::Addresses => "the addresses of objects",
            Dependence::Chunks => "the bytes of string.dump",
            Dependence::Instructions => "the number of instructions that a hook counts",
            Dependence::Run => "what differs from run to run",
        })
    }
}

/// A way to run a script that a correct Lua may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Circumstance {
    /// The engine's usual way.
    #[default]
    Usual,
    /// Another timing of the collector.
    Timing(Timing),
    /// Another time, always the same, in another time zone.
    Clock,
    /// Tables are traversed in the order of their keys, where those have one.
    Ascending,
    /// Tables are traversed against that order.
    Descending,
    /// Another seed of random numbers, always the same.
    Seed,
    /// Other addresses, which have more digits and are all the same.
    Addresses,
    /// Binary chunks with other parts.
    Chunks,
    /// Hooks of a script that count instructions count fewer.
    Instructions,
}

/// When the collector of an engine runs, besides what the script asks for. A number says that it does so once in so many
/// instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timing {
    /// Never.
    Never,
    /// It collects everything.
    Full(u32),
    /// It makes a step.
    Step(u32),
    /// Its steps are the smallest that there are, and the script is told that it has begun in generational mode.
    Small,
    /// It is due, and has a short pause and large steps.
    Hasty(u32),
}

impl Circumstance {
    /// Whether it holds still what differs from run to run in the usual circumstances.
    pub fn is_steady(self) -> bool {
        matches!(self, Circumstance::Clock | Circumstance::Ascending | Circumstance::Seed | Circumstance::Addresses)
    }

    /// The circumstance with which it is compared: of two that differ in one thing alone, where the usual one differs in more.
    pub fn opposite(self) -> Circumstance {
        match self {
            Circumstance::Ascending => Circumstance::Descending,
            Circumstance::Descending => Circumstance::Ascending,
            _ => Circumstance::Usual,
        }
    }

    /// What a script depends on that prints something else then. Nothing differs in the usual circumstances.
    pub fn dependence(self) -> Option<Dependence> {
        Some(match self {
            Circumstance::Usual => return None,
            Circumstance::Timing(_) => Dependence::Timing,
            Circumstance::Clock => Dependence::Clock,
            Circumstance::Ascending | Circumstance::Descending => Dependence::Order,
            Circumstance::Seed => Dependence::Seed,
            Circumstance::Addresses => Dependence::Addresses,
            Circumstance::Chunks => Dependence::Chunks,
            Circumstance::Instructions => Dependence::Instructions,
        })
    }
}
