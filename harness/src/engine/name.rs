//! What engines are called on the command line and in headers.

use std::path::PathBuf;
use std::str::FromStr;
use std::{fmt, fs};

use moonphase_probe::Stock;

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

    /// The language that it speaks. Of sources `lua.h` says it; `None` where there is no such file, or it says something else.
    pub fn language(&self) -> Option<Language> {
        match self {
            EngineName::Lua51 => Some(Language::LUA_51),
            EngineName::Moonphase | EngineName::Lua54 => Some(Language::LUA_54),
            EngineName::Sources(folder) => {
                let header = fs::read(folder.join("lua.h")).ok()?;
                let header = String::from_utf8_lossy(&header);
                let mut words = header.split_whitespace().skip_while(|&word| word != "LUA_VERSION_NUM");
                match words.nth(1)? {
                    "501" => Some(Language::LUA_51),
                    "504" => Some(Language::LUA_54),
                    _ => None,
                }
            }
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
            EngineName::Sources(folder) => folder.display().fmt(f),
        }
    }
}

/// A name that no engine has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine '{0}' (known: {known}, or a folder with the C sources of a Lua, as ./lua-5.1.5/src)", known = known())]
pub struct UnknownEngine(String);

fn known() -> String {
    EngineName::NAMED.map(|name| name.to_string()).join(", ")
}

impl FromStr for EngineName {
    type Err = UnknownEngine;

    /// A folder is told from a name by the slash or dot in it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = EngineName::NAMED.into_iter().find(|name| name.to_string() == text);
        named
            .or_else(|| text.contains(['/', '.']).then(|| EngineName::Sources(text.into())))
            .ok_or_else(|| UnknownEngine(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_read_back_from_their_names() {
        for text in ["moonphase", "lua51", "lua54", "./src", "/opt/lua/src", ".."] {
            assert_eq!(text.parse::<EngineName>().unwrap().to_string(), text);
        }
        let error = "lua99".parse::<EngineName>().unwrap_err().to_string();
        assert!(error.starts_with("unknown engine 'lua99' (known: moonphase, lua51, lua54, or a folder"), "{error}");
    }
}
