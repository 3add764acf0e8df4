//! The language version that a script is written in.

use std::fmt;
use std::str::FromStr;

/// A version of the Lua language.
///
/// It decides syntax, semantics, library and the rules of the collector that scripts can observe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum LuaVersion {
    /// Lua 5.4, as in its release 5.4.8.
    #[default]
    Lua54,
}

impl LuaVersion {
    /// Every version that the VM knows, oldest first.
    pub const ALL: &'static [LuaVersion] = &[LuaVersion::Lua54];

    /// The number as people write it: `5.4`.
    pub fn number(self) -> &'static str {
        match self {
            LuaVersion::Lua54 => "5.4",
        }
    }

    /// The value of the global `_VERSION`.
    pub fn name(self) -> &'static str {
        match self {
            LuaVersion::Lua54 => "Lua 5.4",
        }
    }
}

impl fmt::Display for LuaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}

/// A version that is not one of [`LuaVersion::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown Lua version '{0}' (known: 5.4)")]
pub struct UnknownVersion(String);

impl FromStr for LuaVersion {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        LuaVersion::ALL
            .iter()
            .copied()
            .find(|version| version.number() == text)
            .ok_or_else(|| UnknownVersion(text.to_owned()))
    }
}
