//! How a case is run: language, collector, schedule, reference and checks. Given on the command line or in a file's header.

use std::fmt;
use std::str::FromStr;

use moonphase_invariants::Level;
use moonphase_vm::System;
use moonphase_vm::gc::Policy;
use serde::{Deserialize, Serialize};

use crate::fault::{Fault, UnknownFault};
use crate::language::{Language, UnknownLanguage};
use crate::schedule::Schedules;

/// How often the invariants are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Check {
    /// Never.
    Off,
    /// At this level.
    At(Level),
    /// At the level that is usual.
    #[default]
    Usual,
}

impl Check {
    /// The level to check at, `None` for no checks.
    pub fn level(self) -> Option<Level> {
        match self {
            Check::Off => None,
            Check::At(level) => Some(level),
            Check::Usual => Some(Level::default()),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level() {
            None => f.write_str("off"),
            Some(level) => f.write_str(level.name()),
        }
    }
}

/// A setting that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum SettingError {
    #[error("unknown check '{0}' (known: off, step, barrier, full)")]
    Check(String),
    #[error("unknown reference '{0}' (known: lua54, none)")]
    Reference(String),
    #[error("unknown system '{0}' (known: none, full)")]
    System(String),
    #[error(transparent)]
    Fault(#[from] UnknownFault),
    #[error(transparent)]
    Policy(#[from] moonphase_vm::gc::PolicyError),
    #[error(transparent)]
    Schedule(#[from] moonphase_vm::UnknownSchedule),
    #[error(transparent)]
    Language(#[from] UnknownLanguage),
}

impl FromStr for Check {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Check::Off),
            _ => text.parse().map(Check::At).map_err(|_| SettingError::Check(text.to_owned())),
        }
    }
}

/// Which reference a script is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Reference {
    /// The embedded reference Lua 5.4.
    #[default]
    Lua54,
    /// None.
    None,
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
        match text {
            "lua54" => Ok(Reference::Lua54),
            "none" => Ok(Reference::None),
            _ => Err(SettingError::Reference(text.to_owned())),
        }
    }
}

/// `none` or `full`.
fn system_name(system: System) -> &'static str {
    match system {
        System::Full => "full",
        _ => "none",
    }
}

/// What a script may use of the machine, by its name.
pub(crate) fn system_named(name: &str) -> Result<System, SettingError> {
    match name {
        "none" => Ok(System::None),
        "full" => Ok(System::Full),
        _ => Err(SettingError::System(name.to_owned())),
    }
}

/// How a case is run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Settings {
    /// The language.
    pub lua: Language,
    /// The collector's rules.
    pub gc: Policy,
    /// Whom to compare with.
    pub reference: Reference,
    /// When to check the invariants.
    pub check: Check,
    /// When the collector turns, beside what scripts ask for.
    pub schedules: Schedules,
    /// What scripts may use of the machine.
    pub system: System,
    /// What is wrong with the collector on purpose.
    pub fault: Option<Fault>,
    /// Returns freed objects to the allocator at once though the collector is unsound: undefined behaviour, for a
    /// sanitizer to see. Only with [`Check::Off`].
    pub allow_dangling: bool,
}

impl Settings {
    /// Settings under which a fault shows: those that are usual, with the policy that it lives in.
    ///
    /// # Errors
    /// This VM does not know the policy.
    pub fn of_fault(fault: Fault) -> Result<Settings, SettingError> {
        Ok(Settings { gc: fault.policy().parse()?, fault: Some(fault), ..Settings::default() })
    }

    /// Whether nothing living ever refers to a freed object.
    pub fn is_sound(&self) -> bool {
        self.fault.is_none() && self.gc.is_sound()
    }
}

/// [`Settings`] as they travel to worker processes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsText {
    lua: String,
    gc: String,
    reference: String,
    check: String,
    schedules: String,
    system: String,
    fault: Option<String>,
    allow_dangling: bool,
}

impl From<Settings> for SettingsText {
    fn from(settings: Settings) -> Self {
        SettingsText {
            lua: settings.lua.to_string(),
            gc: settings.gc.to_string(),
            reference: settings.reference.to_string(),
            check: settings.check.to_string(),
            schedules: settings.schedules.to_string(),
            system: system_name(settings.system).to_owned(),
            fault: settings.fault.map(|fault| fault.to_string()),
            allow_dangling: settings.allow_dangling,
        }
    }
}

impl TryFrom<SettingsText> for Settings {
    type Error = SettingError;

    fn try_from(text: SettingsText) -> Result<Self, Self::Error> {
        Ok(Settings {
            lua: text.lua.parse()?,
            gc: text.gc.parse()?,
            reference: text.reference.parse()?,
            check: text.check.parse()?,
            schedules: text.schedules.parse()?,
            system: system_named(&text.system)?,
            fault: text.fault.map(|name| name.parse()).transpose()?,
            allow_dangling: text.allow_dangling,
        })
    }
}

impl fmt::Display for Settings {
    /// As in a header and on the command line: `lua=5.4 gc=5.1 check=barrier`, with the schedule and the fault if there
    /// are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lua={} gc={} check={}", self.lua, self.gc, self.check)?;
        if self.schedules != Schedules::default() {
            write!(f, " schedule={}", self.schedules)?;
        }
        if self.system != System::default() {
            write!(f, " system={}", system_name(self.system))?;
        }
        self.fault.map_or(Ok(()), |fault| write!(f, " fault={fault}"))
    }
}
