//! A Lua that is given as C sources: in a folder, or by an engine file, which says how they are compiled.
//!
//! ```toml
//! name = "our game's Lua"          # else the name of the file
//! sources = ["src", "ext/lfs.c"]   # folders, of which each C file is compiled that is of the library, and C files
//! include = ["include"]            # further folders with headers
//! defines = ["LUA_USE_LINUX", "LUAI_MAXCCALLS=500"]
//! flags = ["-O1"]                  # for the compiler and the linker
//! compiler = "clang"               # else what CC says, else cc
//! sanitizers = ["address"]         # or undefined
//! language = "5.1"                 # else what lua.h says
//! ```
//!
//! Paths are relative to the file. A key that is not known is an error.

use std::path::{Path, PathBuf};
use std::{fs, io};

use moonphase_probe::compile::{Recipe, Sanitizer};
use serde::Deserialize;

use crate::language::Language;

/// A Lua that is given as C sources.
#[derive(Clone, Debug)]
pub struct Sources {
    /// What it is called.
    pub name: String,
    /// How it is compiled.
    pub recipe: Recipe,
    /// The language that it is said to speak.
    language: Option<Language>,
}

/// Why an engine file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineFileError {
    /// It cannot be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is no engine file.
    #[error("{}: line {line}: {reason}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// An engine file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EngineFile {
    name: Option<String>,
    sources: OneOrMore,
    #[serde(default)]
    include: Vec<PathBuf>,
    #[serde(default)]
    defines: Vec<String>,
    #[serde(default)]
    flags: Vec<Flag>,
    compiler: Option<String>,
    #[serde(default)]
    sanitizers: Vec<SanitizerName>,
    #[serde(default, with = "crate::text::option")]
    language: Option<Language>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a folder, or a list of folders and C files")]
enum OneOrMore {
    One(PathBuf),
    More(Vec<PathBuf>),
}

/// A flag for the compiler, which does not concern sanitizers: their processes need more than a flag.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Flag(String);

impl TryFrom<String> for Flag {
    type Error = &'static str;

    fn try_from(flag: String) -> Result<Flag, &'static str> {
        if flag.starts_with("-fsanitize") {
            return Err("sanitizers are not flags: write sanitizers = [\"address\"], or \"undefined\"");
        }
        Ok(Flag(flag))
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SanitizerName {
    Address,
    Undefined,
}

impl From<SanitizerName> for Sanitizer {
    fn from(name: SanitizerName) -> Sanitizer {
        match name {
            SanitizerName::Address => Sanitizer::Address,
            SanitizerName::Undefined => Sanitizer::Undefined,
        }
    }
}

impl Sources {
    /// Those in a folder, compiled as is usual.
    pub fn in_folder(folder: &Path) -> Sources {
        Sources { name: folder.display().to_string(), recipe: Recipe::new(folder), language: None }
    }

    /// Those that an engine file names.
    ///
    /// # Errors
    /// The file cannot be read, or is no engine file.
    pub fn read(file: &Path) -> Result<Sources, EngineFileError> {
        let text = fs::read_to_string(file).map_err(|error| EngineFileError::Read { path: file.to_owned(), error })?;
        let read: EngineFile = toml::from_str(&text).map_err(|error| {
            let before = &text[..error.span().map_or(0, |span| span.start).min(text.len())];
            let line = before.matches('\n').count() + 1;
            // Some reasons have more than one line.
            let reason = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
            EngineFileError::Text { path: file.to_owned(), line, reason }
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let placed = |paths: Vec<PathBuf>| paths.into_iter().map(|path| folder.join(path)).collect::<Vec<_>>();
        let sources = match read.sources {
            OneOrMore::One(path) => vec![path],
            OneOrMore::More(paths) => paths,
        };
        let usual = Recipe::new(folder);
        Ok(Sources {
            name: read.name.unwrap_or_else(|| file.file_stem().unwrap_or_default().to_string_lossy().into_owned()),
            recipe: Recipe {
                sources: placed(sources),
                include: placed(read.include),
                compiler: read.compiler.map_or(usual.compiler, Into::into),
                defines: read.defines,
                flags: read.flags.into_iter().map(|Flag(flag)| flag).collect(),
                sanitizers: read.sanitizers.into_iter().map(Into::into).collect(),
            },
            language: read.language,
        })
    }

    /// The language that they speak: the one that is given, or else what `lua.h` says. `None` where there is no such file, or it
    /// says something else.
    pub fn language(&self) -> Option<Language> {
        let header = || {
            let text = self.recipe.folders().iter().find_map(|folder| fs::read(folder.join("lua.h")).ok())?;
            let text = String::from_utf8_lossy(&text);
            let mut words = text.split_whitespace().skip_while(|&word| word != "LUA_VERSION_NUM");
            match words.nth(1)? {
                "501" => Some(Language::LUA_51),
                "504" => Some(Language::LUA_54),
                _ => None,
            }
        };
        self.language.or_else(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Sources, String> {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("game.toml");
        fs::write(&file, text).unwrap();
        let scratch = format!("{}/", scratch.path().display());
        Sources::read(&file).map_err(|error| error.to_string().replace(&scratch, ""))
    }

    #[test]
    fn an_engine_file_says_all_that_a_recipe_has() {
        let sources = read(
            "name = \"a game's\"\nsources = [\"src\", \"ext/lfs.c\"]\ninclude = [\"include\"]\ndefines = [\"A=1\"]\n\
             flags = [\"-O1\"]\ncompiler = \"clang\"\nsanitizers = [\"address\", \"undefined\"]\nlanguage = \"5.1\"\n",
        )
        .unwrap();
        let ends = |paths: &[PathBuf], names: &[&str]| {
            assert_eq!(paths.len(), names.len());
            assert!(
                paths.iter().zip(names).all(|(path, name)| path.is_absolute() && path.ends_with(name)),
                "{paths:?}"
            );
        };
        let recipe = &sources.recipe;
        ends(&recipe.sources, &["src", "ext/lfs.c"]);
        ends(&recipe.include, &["include"]);
        ends(&recipe.folders(), &["src", "ext", "include"]);
        assert_eq!((sources.name.as_str(), sources.language()), ("a game's", Some(Language::LUA_51)));
        assert_eq!((&recipe.defines[..], &recipe.flags[..]), (&["A=1".to_owned()][..], &["-O1".to_owned()][..]));
        assert_eq!((recipe.compiler.to_str(), recipe.sanitizers.len()), (Some("clang"), 2));
    }

    #[test]
    fn what_is_not_said_is_as_usual() {
        let sources = read("sources = \"src\"\n").unwrap();
        let usual = Recipe::new(sources.recipe.sources[0].clone());
        assert_eq!((sources.name.as_str(), &sources.recipe), ("game", &usual));
        assert_eq!(sources.language(), None);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let wrong = |text| read(text).map(|_| ()).unwrap_err();
        let unknown = wrong("sources = \"src\"\n\nsanitizer = [\"address\"]\n");
        assert!(
            unknown.starts_with("game.toml: line 3: unknown field `sanitizer`, expected one of `name`, "),
            "{unknown}"
        );
        let memory = wrong("sources = \"src\"\nsanitizers = [\"memory\"]\n");
        assert!(memory.starts_with("game.toml: line 2: unknown variant `memory`, expected `address` or"), "{memory}");
        let flag = wrong("sources = \"src\"\nflags = [\"-g\", \"-fsanitize=address\"]\n");
        assert!(flag.starts_with("game.toml: line 2: sanitizers are not flags"), "{flag}");
        let language = wrong("sources = \"src\"\nlanguage = \"6.0\"\n");
        assert!(language.starts_with("game.toml: line 2: unknown Lua version '6.0'"), "{language}");
        assert_eq!(wrong("sources = 5\n"), "game.toml: line 1: expected a folder, or a list of folders and C files");
        assert!(wrong("name = \"x\"\n").starts_with("game.toml: line 1: missing field `sources`"));
        assert!(wrong("sources = \"src\n").starts_with("game.toml: line 1: "));
        assert!(Sources::read(Path::new("none.toml")).unwrap_err().to_string().starts_with("none.toml: No such file"));
    }
}
