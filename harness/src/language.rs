//! The languages that scripts are written in.
//!
//! What differs between languages is asked of a [`Language`]. Nobody compares version numbers.

use std::fmt;
use std::str::FromStr;

use moonphase_vm::bytecode::Template;
use moonphase_vm::syntax::ast::Chunk;
use moonphase_vm::syntax::{self, SyntaxError};
use moonphase_vm::{LuaVersion, compiler};

/// A language that scripts are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Language {
    name: &'static str,
    version: LuaVersion,
}

impl Language {
    /// Lua 5.4.
    pub const LUA_54: Language = Language { name: "5.4", version: LuaVersion::Lua54 };

    /// Every language, oldest first.
    pub const ALL: &'static [Language] = &[Language::LUA_54];

    /// The name in options, headers and reports: `5.4`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What our VM calls the language that it speaks.
    pub fn version(&self) -> LuaVersion {
        self.version
    }

    /// The syntax tree of a chunk.
    ///
    /// # Errors
    /// The source breaks a rule of the grammar.
    pub fn parse(&self, source: &[u8], chunk_name: &[u8]) -> Result<Chunk, SyntaxError> {
        syntax::parse(source, chunk_name, self.version)
    }

    /// A chunk as the code of our VM.
    ///
    /// # Errors
    /// The source breaks a rule of the grammar or a limit of the compiler.
    pub fn compile(&self, source: &[u8], chunk_name: &[u8]) -> Result<Template, SyntaxError> {
        let chunk = self.parse(source, chunk_name)?;
        compiler::compile(&chunk, chunk_name, self.version)
    }
}

impl Default for Language {
    fn default() -> Self {
        Language::LUA_54
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A name that is not one of [`Language::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown Lua version '{0}' (known: {known})", known = known())]
pub struct UnknownLanguage(String);

fn known() -> String {
    Language::ALL.iter().map(Language::name).collect::<Vec<_>>().join(", ")
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let language = Language::ALL.iter().find(|language| language.name == text);
        language.copied().ok_or_else(|| UnknownLanguage(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_reads_back_from_its_name() {
        for &language in Language::ALL {
            assert_eq!(language.to_string().parse(), Ok(language));
        }
        let error = "5.0".parse::<Language>().unwrap_err().to_string();
        assert_eq!(error, "unknown Lua version '5.0' (known: 5.4)");
    }

    #[test]
    fn a_language_reads_its_own_syntax() {
        assert!(Language::LUA_54.parse(b"local x <const> = 1 // 2", b"=test").is_ok());
        let error = Language::LUA_54.compile(b"goto nowhere", b"@test.lua").unwrap_err().to_string();
        assert!(error.starts_with("test.lua:1: no visible label 'nowhere'"), "{error}");
    }
}
