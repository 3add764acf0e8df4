//! The names of what scripts may use of the machine, in options, headers and on the way between processes.

use moonphase_vm::System;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// All that there is.
pub(super) const ALL: [System; 2] = [System::None, System::Full];

/// `none` or `full`.
pub(super) fn name(system: System) -> &'static str {
    match system {
        System::Full => "full",
        _ => "none",
    }
}

/// What a script may use of the machine, by its name.
pub(super) fn named(text: &str) -> Option<System> {
    ALL.into_iter().find(|&system| name(system) == text)
}

pub(super) fn serialize<S: Serializer>(system: &System, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name(*system))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<System, D::Error> {
    let text = String::deserialize(deserializer)?;
    named(&text).ok_or_else(|| D::Error::custom(format_args!("unknown system '{text}'")))
}
