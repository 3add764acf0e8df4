//! The languages that scripts are written in.
//!
//! What differs between languages is asked of a [`Language`], feature by feature. Nobody compares version numbers.

use std::fmt;
use std::str::FromStr;

use moonphase_vm::bytecode::Template;
use moonphase_vm::syntax::ast::Chunk;
use moonphase_vm::syntax::{self, Syntax, SyntaxError};
use moonphase_vm::{LuaVersion, compiler};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Something that a language may have. What it has instead, 5.1 has, which has none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    // Syntax.
    /// `goto` and labels.
    Goto,
    /// The attributes `<const>` and `<close>`, and the fourth value of a generic `for`, which is closed.
    Attributes,
    /// Integers, with `//` and `math.mininteger`.
    Integers,
    // Functions.
    /// `load` takes texts, a mode and an environment, and the environment of a function is its upvalue `_ENV`. Else `loadstring`
    /// and `setfenv`.
    Load,
    /// `table.pack` and `table.unpack`. Else `unpack`.
    TablePack,
    /// `table.move`.
    TableMove,
    /// `rawlen`.
    RawLength,
    /// The library `utf8`.
    Utf8,
    /// `string.dump` strips debug information if it is asked to.
    StrippedDumps,
    /// `debug.upvaluejoin` and `debug.upvalueid`. Some engines of 5.1 have them.
    UpvalueJoin,
    /// The debug library reaches upvalues of native functions.
    NativeUpvalues,
    /// The options `t` and `r` of `debug.getinfo`.
    CallInfo,
    /// `os.exit` takes `true` for a status, and closes the state if it is asked to.
    CloseAtExit,
    /// `coroutine.close`.
    CoroutineClose,
    /// `coroutine.running` gives the main coroutine. Else it gives nil there.
    MainCoroutine,
    // What values and calls do.
    /// `#` of a table calls `__len`.
    TableLength,
    /// Comparisons call the metamethod of either operand, whatever the other one is. Else both must be tables that have the same.
    MixedComparisons,
    /// The value of `__call` may be no function, but a value that has `__call` itself.
    CallChains,
    /// Coroutines yield out of protected calls, metamethods and iterators.
    YieldAcrossCalls,
    /// A function of the library may return hundreds of thousands of values. Else 8,000 (`LUAI_MAXCSTACK`).
    LargeResults,
    /// A function may have 255 upvalues. Else 60 (`LUAI_MAXUPVALUES`).
    ManyUpvalues,
    // The collector.
    /// `collectgarbage("isrunning")`.
    IsRunning,
    /// `collectgarbage("generational")` and `collectgarbage("incremental")` choose the mode, and set the pace. Else `setpause` and
    /// `setstepmul` do.
    Modes,
    /// Entries of tables with weak keys are ephemerons. Else their values are strong.
    Ephemerons,
    /// Tables have finalizers. Else userdata only, which `newproxy` makes.
    TableFinalizers,
    /// `setmetatable` sets up an object for its finalizer again.
    FinalizedAgain,
    /// An error in a finalizer ends nothing else. Else it is raised in whatever made the collector turn.
    ContainedFinalizers,
    /// Calls of the collector do nothing inside of a finalizer.
    RestInFinalizers,
}

impl Serialize for Language {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.name, self.features.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (name, features) = <(String, u64)>::deserialize(deserializer)?;
        let plain: Language = name.parse().map_err(D::Error::custom)?;
        Ok(Language { features: Features(features), ..plain })
    }
}

/// A set of features.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Features(u64);

impl Features {
    const NONE: Features = Features(0);
    const ALL: Features = Features(u64::MAX);
}

/// A language that scripts are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Language {
    name: &'static str,
    syntax: Syntax,
    features: Features,
    /// What our VM calls it, if it speaks it.
    version: Option<LuaVersion>,
}

impl Language {
    /// Lua 5.1, without what some of its engines have added.
    pub const LUA_51: Language =
        Language { name: "5.1", syntax: Syntax::LUA_51, features: Features::NONE, version: None };

    /// Lua 5.4.
    pub const LUA_54: Language =
        Language { name: "5.4", syntax: Syntax::LUA_54, features: Features::ALL, version: Some(LuaVersion::Lua54) };

    /// Every language, oldest first.
    pub const ALL: &'static [Language] = &[Language::LUA_51, Language::LUA_54];

    /// The language as an engine has it that adds a feature of the library.
    pub const fn with(self, feature: Feature) -> Language {
        Language { features: Features(self.features.0 | 1 << feature as u64), ..self }
    }

    /// Whether the language has a feature.
    #[inline]
    pub const fn has(&self, feature: Feature) -> bool {
        match feature {
            Feature::Goto => self.syntax.goto,
            Feature::Attributes => self.syntax.attributes,
            Feature::Integers => self.syntax.integers,
            feature => self.features.0 >> feature as u64 & 1 == 1,
        }
    }

    /// Whether it has every feature, so that no single one need be asked.
    #[inline]
    pub fn has_all(&self) -> bool {
        self.features == Features::ALL && self.syntax == Syntax::LUA_54
    }

    /// The name in options, headers and reports: `5.4`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What our VM calls the language.
    ///
    /// # Errors
    /// Our VM does not speak it.
    pub fn version(&self) -> Result<LuaVersion, Unspoken> {
        self.version.ok_or(Unspoken(*self))
    }

    /// The function that loads a text.
    pub fn text_loader(&self) -> &'static str {
        if self.has(Feature::Load) { "load" } else { "loadstring" }
    }

    /// The syntax tree of a chunk.
    ///
    /// # Errors
    /// The source breaks a rule of the grammar.
    pub fn parse(&self, source: &[u8], chunk_name: &[u8]) -> Result<Chunk, SyntaxError> {
        syntax::parse(source, chunk_name, self.syntax)
    }

    /// A chunk as the code of our VM.
    ///
    /// # Errors
    /// The source breaks a rule of the grammar or a limit of the compiler, or our VM does not speak the language.
    pub fn compile(&self, source: &[u8], chunk_name: &[u8]) -> Result<Template, CompileError> {
        let version = self.version()?;
        let chunk = self.parse(source, chunk_name)?;
        Ok(compiler::compile(&chunk, chunk_name, version)?)
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

fn names(languages: impl Iterator<Item = &'static Language>) -> String {
    languages.map(Language::name).collect::<Vec<_>>().join(", ")
}

/// A language that our VM does not speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Moonphase's own VM does not speak Lua {0} (it speaks: {spoken})",
    spoken = names(Language::ALL.iter().filter(|language| language.version.is_some()))
)]
pub struct Unspoken(Language);

/// Why a chunk is no code of our VM.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum CompileError {
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    #[error(transparent)]
    Unspoken(#[from] Unspoken),
}

/// A name that is not one of [`Language::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown Lua version '{0}' (known: {known})", known = names(Language::ALL.iter()))]
pub struct UnknownLanguage(String);

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
        assert_eq!(error, "unknown Lua version '5.0' (known: 5.1, 5.4)");
    }

    #[test]
    fn a_language_reads_its_own_syntax() {
        assert!(Language::LUA_54.parse(b"local x <const> = 1 // 2", b"=test").is_ok());
        assert!(Language::LUA_51.parse(b"local x <const> = 1 // 2", b"=test").is_err());
        assert!(Language::LUA_51.parse(b"local goto = 1", b"=test").is_ok());
        let error = Language::LUA_54.compile(b"goto nowhere", b"@test.lua").unwrap_err().to_string();
        assert!(error.starts_with("test.lua:1: no visible label 'nowhere'"), "{error}");
    }

    #[test]
    fn what_our_vm_does_not_speak_is_an_error_that_says_what_it_speaks() {
        let error = Language::LUA_51.compile(b"return 1", b"=test").unwrap_err().to_string();
        assert_eq!(error, "Moonphase's own VM does not speak Lua 5.1 (it speaks: 5.4)");
    }

    #[test]
    fn an_engine_may_add_a_feature_to_its_language() {
        let language = Language::LUA_51.with(Feature::UpvalueJoin);
        assert!(language.has(Feature::UpvalueJoin) && !Language::LUA_51.has(Feature::UpvalueJoin));
        assert!(!language.has(Feature::Load) && !language.has(Feature::Goto) && language.name() == "5.1");
    }
}
