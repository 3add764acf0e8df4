//! The rules of the collector that scripts can see. They follow the version of the language.

use crate::LuaVersion;

/// What a script can see of the collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Semantics {
    /// Whether a table with weak keys holds a value only as long as its key lives (an ephemeron table, since Lua 5.2), or
    /// strongly (Lua 5.1).
    pub ephemerons: bool,
    /// Whether tables can have finalizers (since Lua 5.2), or userdata only (Lua 5.1).
    pub table_finalizers: bool,
    /// Whether an object that was finalized is finalized again when its metatable is set again (since Lua 5.3).
    pub finalize_again: bool,
    /// Whether a closure is used again for a new one that would be equal to it: Lua 5.2 and 5.3.
    pub closure_cache: bool,
}

impl From<LuaVersion> for Semantics {
    fn from(version: LuaVersion) -> Semantics {
        match version {
            LuaVersion::Lua54 => {
                Semantics { ephemerons: true, table_finalizers: true, finalize_again: true, closure_cache: false }
            }
        }
    }
}

impl Default for Semantics {
    fn default() -> Semantics {
        LuaVersion::default().into()
    }
}
