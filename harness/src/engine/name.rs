//! What engines are called on the command line and in headers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use moonphase_probe::Stock;

use super::sources::{EngineFileError, Sources};
use crate::language::Language;

/// An engine under test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum EngineName {
    /// Our VM.
    #[default]
    Moonphase,
    /// Stock PUC Lua 5.1.5.
    Lua51,
    /// Stock PUC Lua 5.4.8.
    Lua54,
    /// The Lua whose C sources are in this folder.
    Sources(PathBuf),
    /// The Lua of this engine file.
    File(PathBuf),
}

impl EngineName {
    /// Every engine that has a name of its own.
    pub const NAMED: [EngineName; 3] = [EngineName::Moonphase, EngineName::Lua51, EngineName::Lua54];

    /// A stock engine.
    pub fn of_stock(stock: Stock) -> EngineName {
        match stock {
            Stock::Lua51 => EngineName::Lua51,
            Stock::Lua54 => EngineName::Lua54,
        }
    }

    /// The C sources of a Lua, where it names some.
    ///
    /// # Errors
    /// The engine file cannot be read, or is none.
    pub fn sources(&self) -> Result<Option<Sources>, EngineFileError> {
        match self {
            EngineName::Sources(folder) => Ok(Some(Sources::in_folder(folder))),
            EngineName::File(file) => Sources::read(file).map(Some),
            _ => Ok(None),
        }
    }

    /// The language that it speaks. `None` where the sources do not say, or are not to be had.
    pub fn language(&self) -> Option<Language> {
        match self {
            EngineName::Lua51 => Some(Language::LUA_51),
            EngineName::Moonphase | EngineName::Lua54 => Some(Language::LUA_54),
            EngineName::Sources(_) | EngineName::File(_) => self.sources().ok()??.language(),
        }
    }

    /// Whether it is our VM, whose collector has policies, schedules and planted faults.
    pub fn is_ours(&self) -> bool {
        *self == EngineName::Moonphase
    }
}

impl fmt::Display for EngineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EngineName::Moonphase => f.write_str("moonphase"),
            EngineName::Lua51 => f.write_str("lua51"),
            EngineName::Lua54 => f.write_str("lua54"),
            EngineName::Sources(path) | EngineName::File(path) => path.display().fmt(f),
        }
    }
}

/// A name that no engine has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine '{0}' (known: {known}, or a folder with the C sources of a Lua, as ./lua-5.1.5/src, or an engine file, as ./game.toml)", known = known())]
pub struct UnknownEngine(String);

fn known() -> String {
    EngineName::NAMED.map(|name| name.to_string()).join(", ")
}

impl FromStr for EngineName {
    type Err = UnknownEngine;

    /// A folder is told from a name by the slash or dot in it, and an engine file by its ending.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = EngineName::NAMED.into_iter().find(|name| name.to_string() == text);
        let path = || match Path::new(text) {
            // It would break the line of a header.
            _ if text.contains(['\n', '\r']) => None,
            path if path.extension().is_some_and(|extension| extension == "toml") => {
                Some(EngineName::File(path.into()))
            }
            path => text.contains(['/', '.']).then(|| EngineName::Sources(path.into())),
        };
        named.or_else(path).ok_or_else(|| UnknownEngine(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_read_back_from_their_names() {
        for text in ["moonphase", "lua51", "lua54", "./src", "/opt/lua/src", "..", "game.toml", "./a b/c.toml"] {
            assert_eq!(text.parse::<EngineName>().unwrap().to_string(), text);
        }
        let error = "lua99".parse::<EngineName>().unwrap_err().to_string();
        assert!(error.starts_with("unknown engine 'lua99' (known: moonphase, lua51, lua54, or a folder"), "{error}");
    }
}
