//! The Lua implementations that a script is run on, behind one trait.
//!
//! An engine gets a [`Case`] and limits, and returns a [`Run`]: what the script did, and what the engine itself saw go wrong
//! meanwhile. It knows nothing of scripts as models, of oracles or of worker processes. Every engine offers a script the
//! same library, to the function. Those that reach files, processes or whatever else could harm the machine or leave the
//! engine's control are refused unless the settings permit them, and every run starts from a fresh state.
//!
//! An engine may hang or die all the same (that is what is looked for); isolation is the business of `campaign`. An engine
//! with a process of its own says so in its [`Run`].

mod name;
mod open;
pub mod probed;
pub mod puc;
pub mod reference;
pub mod sanitizer;
pub mod sources;
pub mod vm;

use std::time::Duration;

use moonphase_heap::{Abilities, Snapshot};
use moonphase_vm::Schedule;
use serde::{Deserialize, Serialize};

use crate::circumstance::Circumstance;
use crate::finding::Signature;
use crate::language::Language;
use crate::limits::Limits;
use crate::outcome::Outcome;
use crate::report::Explanation;
use crate::schedule::TurnsAt;
use crate::words::Words;

pub use name::{EngineName, UnknownEngine};
pub use open::{Engines, OpenError, Surroundings, open, open_references, surroundings};

/// A Lua implementation.
pub trait Engine {
    /// Its short name, as the command line knows it.
    fn name(&self) -> String;

    /// Its exact version.
    fn version(&self) -> String;

    /// The language that it runs.
    fn language(&self) -> &Language;

    /// How it words what outcomes are compared by.
    fn words(&self) -> &'static Words;

    /// What its heap tells of while a script runs, as the engine is set up. An engine whose heap nobody looks into tells of
    /// nothing, and sees nothing but outcomes.
    fn abilities(&self) -> Abilities {
        Abilities::NONE
    }

    /// Whether its collector can be driven by this schedule. Every engine can do without one.
    fn follows(&self, schedule: &Schedule) -> bool {
        *schedule == Schedule::None
    }

    /// In which circumstances it can run a script, besides the usual ones.
    fn circumstances(&self) -> &'static [Circumstance] {
        &[]
    }

    /// Runs a script from a fresh state.
    fn run(&mut self, case: &Case<'_>, limits: &Limits) -> Run;

    /// Runs a script as the engine does when nobody looks on, which may be another way than the usual one: `None` where it is not.
    fn run_alone(&mut self, _case: &Case<'_>, _limits: &Limits) -> Option<Run> {
        None
    }

    /// The numbers of the cells of state coverage that were covered for the first time since the last call. Empty for an
    /// engine that has no such cells.
    fn take_new_cells(&mut self) -> Vec<u16> {
        Vec::new()
    }

    /// The numbers of all cells that were covered since the last call.
    fn take_cells(&mut self) -> Vec<u16> {
        Vec::new()
    }
}

/// A script, and how it is run.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Its text.
    pub source: &'a [u8],
    /// A chunk name as Lua takes it, with its prefix (`@case.lua` shows as `case.lua` in messages). It must be the same for
    /// all engines, since messages contain it.
    pub chunk_name: &'a str,
    /// When the collector turns besides what the script asks for; a schedule that the engine follows.
    pub schedule: &'a Schedule,
    /// What is otherwise than usual; circumstances that the engine can make.
    pub circumstance: Circumstance,
    /// How closely the run is looked at.
    pub look: Look,
}

impl<'a> Case<'a> {
    /// A script that is run without a schedule, in the usual circumstances, and looked at no closer than the settings say.
    pub fn new(source: &'a [u8], chunk_name: &'a str) -> Case<'a> {
        Case { source, chunk_name, schedule: &Schedule::None, circumstance: Circumstance::Usual, look: Look::default() }
    }
}

/// How closely a run is looked at, beyond what the settings say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Record the history of every object and the turns of the schedule, to explain what is seen.
    pub history: bool,
    /// Measure the time that the checker takes.
    pub timed: bool,
}

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the script did.
    pub outcome: Outcome,
    /// What the engine saw go wrong, the most telling first.
    pub sightings: Vec<Sighting>,
    /// The heap when the first of these was seen, if the history was asked for and somebody looked into the heap.
    pub snapshot: Option<Box<Snapshot>>,
    /// What the schedule did, if the history was asked for.
    pub turned: Vec<TurnsAt>,
    /// Time spent in the checker, if it was measured.
    pub checking: Duration,
    /// The end of what the engine wrote to standard error, where it has one of its own.
    pub stderr: String,
}

impl Run {
    /// A run of an engine that can tell nothing but the outcome.
    pub fn of_outcome(outcome: Outcome) -> Run {
        Run {
            outcome,
            sightings: Vec::new(),
            snapshot: None,
            turned: Vec::new(),
            checking: Duration::ZERO,
            stderr: String::new(),
        }
    }
}

/// Something that went wrong while a script ran, as the engine saw it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// What it is.
    pub signature: Signature,
    /// What explains it, if the history was asked for.
    pub explanation: Option<Box<Explanation>>,
}

/// What an engine is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// It is under test.
    Subject,
    /// The subject is compared with it. References are counted from 0.
    Reference(u8),
}

impl Role {
    /// The word for it in signatures and reports.
    pub fn name(self) -> &'static str {
        match self {
            Role::Subject => "vm",
            Role::Reference(_) => "reference",
        }
    }
}

/// What a process that runs cases is doing; says to whom a death belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Activity {
    /// Making the script, and whatever is not named below.
    Prepare,
    /// Running an engine.
    Run(Role),
    /// Comparing outcomes.
    Compare,
}

impl Activity {
    /// What was running, as signatures and reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Activity::Prepare | Activity::Compare => "harness",
            Activity::Run(role) => role.name(),
        }
    }
}
