//! How a case is run: language, collector, schedule, reference and checks. Given on the command line or in a file's header.

mod system;
mod table;

use std::fmt;
use std::str::FromStr;

use moonphase_invariants::Level;
use moonphase_vm::gc::Policy;
use moonphase_vm::{Schedule, System};
use serde::{Deserialize, Serialize};

pub use table::{CHECK, ENGINE, FAULT, GC, Given, LUA, Offered, REFERENCE, SCHEDULE, SETTINGS, SYSTEM, Setting};

use crate::engine::{EngineName, UnknownEngine};
use crate::fault::{Planted, UnknownFault};
use crate::language::{Language, UnknownLanguage, Unspoken};
use crate::schedule::Schedules;
use table::unknown;

/// A setting that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum SettingError {
    #[error("unknown setting '{name}' (known: {known})")]
    Setting { name: String, known: String },
    #[error("unknown {setting} '{value}' (known: {known})")]
    Value { setting: &'static str, value: String, known: String },
    #[error(transparent)]
    Fault(#[from] UnknownFault),
    #[error(transparent)]
    Policy(#[from] moonphase_vm::gc::PolicyError),
    #[error(transparent)]
    Schedule(#[from] moonphase_vm::UnknownSchedule),
    #[error(transparent)]
    Language(#[from] UnknownLanguage),
    #[error(transparent)]
    Engine(#[from] UnknownEngine),
    #[error(transparent)]
    Unspoken(#[from] Unspoken),
    #[error("engine {engine} has no fault '{fault}': moonphase faults --list says which engine has it")]
    OtherEngine { engine: EngineName, fault: &'static str },
    #[error(
        "engine {engine} cannot follow the schedule {schedule}: that is for our own VM (for others: none, stress, random:SEED, generational, usual, all)"
    )]
    ForeignSchedule { engine: EngineName, schedule: String },
    #[error("engine {engine} has no {setting}: that is for our own VM")]
    Foreign { engine: EngineName, setting: &'static str },
}

/// How often the invariants are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Never.
    Off,
    /// At this level.
    At(Level),
}

impl Check {
    /// All that there is.
    pub(crate) fn all() -> impl Iterator<Item = Check> {
        std::iter::once(Check::Off).chain(Level::ALL.iter().map(|&level| Check::At(level)))
    }

    /// The level to check at, `None` for no checks.
    pub fn level(self) -> Option<Level> {
        match self {
            Check::Off => None,
            Check::At(level) => Some(level),
        }
    }
}

impl Default for Check {
    /// At the level that is usual.
    fn default() -> Check {
        Check::At(Level::default())
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Check::Off => f.write_str("off"),
            Check::At(level) => f.write_str(level.name()),
        }
    }
}

impl FromStr for Check {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Check::all().find(|check| check.to_string() == text).ok_or_else(|| unknown(&CHECK, text))
    }
}

/// Which reference a script is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Reference {
    /// The embedded reference Lua 5.4.
    #[default]
    Lua54,
    /// None.
    None,
}

impl Reference {
    /// All that there is.
    pub const ALL: &'static [Reference] = &[Reference::Lua54, Reference::None];
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reference::Lua54 => "lua54",
            Reference::None => "none",
        })
    }
}

impl FromStr for Reference {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reference = Reference::ALL.iter().find(|reference| reference.to_string() == text);
        reference.copied().ok_or_else(|| unknown(&REFERENCE, text))
    }
}

/// How a case is run.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Settings {
    /// The engine under test.
    #[serde(with = "crate::text")]
    pub engine: EngineName,
    /// The language.
    #[serde(with = "crate::text")]
    pub lua: Language,
    /// The collector's rules.
    #[serde(with = "crate::text")]
    pub gc: Policy,
    /// Whom to compare with.
    pub reference: Reference,
    /// When to check the invariants.
    #[serde(with = "crate::text")]
    pub check: Check,
    /// When the collector turns, beside what scripts ask for.
    pub schedules: Schedules,
    /// What scripts may use of the machine.
    #[serde(with = "system")]
    pub system: System,
    /// What is wrong with the collector on purpose.
    #[serde(with = "crate::text::option")]
    pub fault: Option<Planted>,
    /// Returns freed objects to the allocator at once though the collector is unsound: undefined behaviour, for a
    /// sanitizer to see. Only with [`Check::Off`].
    pub allow_dangling: bool,
}

impl Settings {
    /// Settings under which a fault shows: those that are usual, with the engine and the policy that it lives in.
    ///
    /// # Errors
    /// This VM does not know the policy.
    pub fn of_fault(fault: impl Into<Planted>) -> Result<Settings, SettingError> {
        Settings::default().with(&[Given::new(&FAULT, fault.into().name())?])
    }

    /// These settings, if they go together.
    ///
    /// # Errors
    /// Our VM does not speak the language, or what only our VM has is asked of another engine.
    pub fn consistent(self) -> Result<Settings, SettingError> {
        if self.engine.is_ours() {
            self.lua.version()?;
        } else if let Some(schedule @ (Schedule::Shuffled(_) | Schedule::Barriers | Schedule::Steps(_))) =
            self.schedules.one()
        {
            return Err(SettingError::ForeignSchedule { engine: self.engine, schedule: schedule.to_string() });
        }
        match self.fault {
            Some(fault) if fault.engine() != self.engine => {
                Err(SettingError::OtherEngine { engine: self.engine, fault: fault.name() })
            }
            _ => Ok(self),
        }
    }

    /// The same settings without what is wrong with the collector: no fault, and the rules put right.
    pub fn sound(&self) -> Settings {
        Settings { fault: None, gc: self.gc.corrected(), ..self.clone() }
    }

    /// Settings under which a script runs as under the stand-alone `lua` of the version, where nothing else is asked for:
    /// `lua.c` of 5.4 starts the collector in generational mode before it runs anything. A state that a host makes starts in
    /// incremental mode, which the default settings have.
    pub fn stand_alone() -> Settings {
        Settings { gc: Policy::GENERATIONAL, ..Settings::default() }
    }

    /// Whether nothing living ever refers to a freed object.
    pub fn is_sound(&self) -> bool {
        self.fault.is_none() && self.gc.is_sound()
    }
}

#[cfg(test)]
mod tests {
    use moonphase_vm::Schedule;

    use super::*;

    #[test]
    fn settings_survive_the_way_between_processes() {
        let settings = Settings {
            gc: Policy::LUA_51,
            reference: Reference::None,
            check: Check::Off,
            schedules: Schedules::Only(Schedule::Random(3)),
            system: System::Full,
            fault: Planted::of(&EngineName::Moonphase).first().copied(),
            allow_dangling: true,
            ..Settings::default()
        };
        let bytes = postcard::to_stdvec(&settings).unwrap();
        assert_eq!(postcard::from_bytes::<Settings>(&bytes), Ok(settings));
    }

    #[test]
    fn a_setting_that_is_not_known_is_an_error_of_decoding() {
        let mut value = serde_json::to_value(Settings::default()).unwrap();
        for (field, wrong) in [("gc", "6.0"), ("check", "often"), ("system", "some"), ("fault", "none-such")] {
            let right = std::mem::replace(&mut value[field], wrong.into());
            let error = serde_json::from_value::<Settings>(value.clone()).unwrap_err().to_string();
            assert!(error.starts_with("unknown ") || error.starts_with("this build has no planted faults"), "{error}");
            value[field] = right;
        }
    }
}
