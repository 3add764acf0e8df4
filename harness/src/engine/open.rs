//! From settings to engines.

use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use moonphase_probe::compile::{CompileError, Recipe, Sanitizer};
use moonphase_probe::{LoadError, ProbedLua, Stock};

use super::probed::ProbedEngine;
use super::reference::ReferenceEngine;
use super::sources::{EngineFileError, Sources};
use super::vm::VmEngine;
use super::{Engine, EngineName};
use crate::fault::Planted;
use crate::language::Unspoken;
use crate::settings::{Reference, Settings};

/// The engines that a case is put before.
pub struct Engines {
    /// The engine under test.
    pub subject: Box<dyn Engine>,
    /// Those that it is compared with.
    pub references: Vec<Box<dyn Engine>>,
}

/// Why an engine cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Its engine file cannot be used.
    #[error(transparent)]
    File(#[from] EngineFileError),
    /// Its sources do not compile.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// It does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is nowhere to keep what was compiled.
    #[error("{}: {error}", path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It does not run.
    #[error("{name} does not run: {reason}")]
    Run {
        /// The engine.
        name: EngineName,
        /// Why.
        reason: String,
    },
    /// Our VM does not speak the language.
    #[error(transparent)]
    Unspoken(#[from] Unspoken),
    /// It speaks another language than the scripts.
    #[error("{name} speaks Lua {}.{}, and scripts are in Lua {lua}", spoken / 100, spoken % 100)]
    Language {
        /// The engine.
        name: EngineName,
        /// Its `LUA_VERSION_NUM`.
        spoken: u32,
        /// What was asked for.
        lua: String,
    },
}

/// The engines that settings ask for.
///
/// # Errors
/// The sources of an engine do not compile, or it does not load.
pub fn open(settings: &Settings) -> Result<Engines, OpenError> {
    let subject: Box<dyn Engine> = match &settings.engine {
        EngineName::Moonphase => {
            settings.lua.version()?;
            Box::new(VmEngine::new(settings.clone()))
        }
        EngineName::Lua51 => stock(Stock::Lua51, settings)?,
        EngineName::Lua54 => stock(Stock::Lua54, settings)?,
        EngineName::Sources(folder) => given(settings, &Sources::in_folder(folder))?,
        EngineName::File(file) => given(settings, &Sources::read(file)?)?,
    };
    Ok(Engines { subject, references: open_references(settings) })
}

/// The references that settings ask for.
pub fn open_references(settings: &Settings) -> Vec<Box<dyn Engine>> {
    match settings.reference {
        Reference::Lua54 => vec![Box::new(ReferenceEngine::with_system(settings.system))],
        Reference::None => Vec::new(),
    }
}

/// What the process of an engine needs from outside.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// What is set in its environment.
    pub environment: Vec<(&'static str, OsString)>,
    /// Whether it takes more addresses than a cap on them could allow.
    pub takes_addresses: bool,
}

/// What the process needs in which an engine is opened. Where that cannot be known, opening it says why.
pub fn surroundings(name: &EngineName) -> Surroundings {
    let Ok(Some(Sources { recipe, .. })) = name.sources() else { return Surroundings::default() };
    Surroundings {
        environment: recipe.environment().unwrap_or_default(),
        takes_addresses: recipe.sanitizers.contains(&Sanitizer::Address),
    }
}

/// The engine of a person's own sources, which are compiled unless that was done before.
fn given(settings: &Settings, sources: &Sources) -> Result<Box<dyn Engine>, OpenError> {
    let recipe = &sources.recipe;
    // Without its runtime a sanitizer brings down the process. Where the compiler has none it says so.
    if !recipe.sanitizers.iter().all(|sanitizer| sanitizer.is_loaded()) {
        recipe.environment()?;
    }
    let object = cached(recipe, &(), |scratch, out| recipe.compile(scratch, out))?;
    probed(settings, sources.name.clone(), ProbedLua::open(&object)?)
}

fn probed(settings: &Settings, called: String, lua: ProbedLua) -> Result<Box<dyn Engine>, OpenError> {
    let (name, language) = (&settings.engine, settings.lua);
    if name.language().map(|spoken| spoken.name()) != Some(language.name()) {
        return Err(OpenError::Language { name: name.clone(), spoken: lua.version(), lua: language.to_string() });
    }
    let engine = ProbedEngine::new(called, lua, language, settings.check);
    engine
        .map(|engine| Box::new(engine) as Box<dyn Engine>)
        .map_err(|reason| OpenError::Run { name: name.clone(), reason })
}

/// A stock engine, with a fault if that is asked for.
fn stock(stock: Stock, settings: &Settings) -> Result<Box<dyn Engine>, OpenError> {
    let fault = settings.fault.and_then(Planted::theirs).filter(|fault| fault.stock == stock);
    let lua = match fault {
        None => ProbedLua::stock(stock)?,
        Some(fault) => {
            let of = (fault.name, fault.words, fault.by);
            ProbedLua::open(&cached(&stock.recipe(), &of, |scratch, out| stock.compile_with(fault, scratch, out))?)?
        }
    };
    probed(settings, stock.name().to_owned(), lua)
}

/// The shared object that `compile` makes by a recipe, and by what else it depends on, unless it was made before.
fn cached(
    recipe: &Recipe,
    of: &impl Hash,
    compile: impl FnOnce(&Path, &Path) -> Result<(), CompileError>,
) -> Result<PathBuf, OpenError> {
    let cache = cache();
    let failed = |error| OpenError::Cache { path: cache.clone(), error };
    let object = cache.join(format!("{:016x}.so", fingerprint(recipe, of)?));
    if object.is_file() {
        return Ok(object);
    }
    fs::create_dir_all(&cache).map_err(failed)?;
    // Others may compile the same at this moment: what is in the cache is whole.
    let work = cache.join(format!("work-{}", process::id()));
    let made = fs::create_dir_all(&work)
        .map_err(failed)
        .and_then(|()| compile(&work, &work.join("engine.so")).map_err(OpenError::from));
    let moved = made.and_then(|()| fs::rename(work.join("engine.so"), &object).map_err(failed));
    let _ = fs::remove_dir_all(&work);
    moved.map(|()| object)
}

/// Where compiled engines are kept.
fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let caches = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
    caches.unwrap_or_else(env::temp_dir).join("moonphase").join("engines")
}

/// A number that is another one where the engine would be: of the recipe, the probe, and all C files and headers that may be read.
fn fingerprint(recipe: &Recipe, of: &impl Hash) -> Result<u64, CompileError> {
    let mut hasher = DefaultHasher::new();
    (recipe, Recipe::PROBE_TEXT, of).hash(&mut hasher);
    for folder in recipe.folders() {
        hash_folder(&folder, 2, &mut hasher).map_err(|error| CompileError::File { path: folder, error })?;
    }
    Ok(hasher.finish())
}

/// Hashes C files and headers, in folders up to so many levels below too.
fn hash_folder(folder: &Path, levels: u32, hasher: &mut DefaultHasher) -> io::Result<()> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if levels > 0 {
                hash_folder(&path, levels - 1, hasher)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "c" || extension == "h") {
            (&path, fs::read(&path)?).hash(hasher);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn our_vm_is_not_opened_for_a_language_that_it_does_not_speak() {
        let settings = Settings { lua: Language::LUA_51, ..Settings::default() };
        let error = open(&settings).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, "Moonphase's own VM does not speak Lua 5.1 (it speaks: 5.4)");
    }

    #[test]
    fn a_stock_engine_is_opened_for_its_own_language_alone() {
        let settings = Settings { engine: EngineName::Lua51, lua: Language::LUA_51, ..Settings::default() };
        assert_eq!(open(&settings).map(|engines| engines.subject.version()).unwrap(), "Lua 5.1.5");
        let wrong = Settings { lua: Language::LUA_54, ..settings };
        let error = open(&wrong).map(|_| ()).unwrap_err().to_string();
        assert_eq!(error, "lua51 speaks Lua 5.1, and scripts are in Lua 5.4");
    }
}
