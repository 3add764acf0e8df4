//! From settings to engines.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::{env, fs, io, process};

use moonphase_probe::compile::{CompileError, Recipe};
use moonphase_probe::{LoadError, ProbedLua, Stock};

use super::probed::ProbedEngine;
use super::reference::ReferenceEngine;
use super::vm::VmEngine;
use super::{Engine, EngineName};
use crate::fault::Planted;
use crate::language::{Language, Unspoken};
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
        EngineName::Lua51 => probed(settings, stock(Stock::Lua51, settings)?)?,
        EngineName::Lua54 => probed(settings, stock(Stock::Lua54, settings)?)?,
        EngineName::Sources(folder) => probed(settings, ProbedLua::open(&compiled(folder)?)?)?,
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

/// The language of scripts for the engine that settings name, with what the engine adds to it.
///
/// # Errors
/// The engine cannot be had.
pub fn language(settings: &Settings) -> Result<Language, OpenError> {
    if settings.engine.is_ours() { Ok(settings.lua) } else { Ok(*open(settings)?.subject.language()) }
}

fn probed(settings: &Settings, lua: ProbedLua) -> Result<Box<dyn Engine>, OpenError> {
    let spoken = lua.version();
    let (name, language) = (&settings.engine, settings.lua);
    if language.name() != format!("{}.{}", spoken / 100, spoken % 100) {
        return Err(OpenError::Language { name: name.clone(), spoken, lua: language.to_string() });
    }
    let engine = ProbedEngine::new(name.to_string(), lua, language, settings.check);
    engine
        .map(|engine| Box::new(engine) as Box<dyn Engine>)
        .map_err(|reason| OpenError::Run { name: name.clone(), reason })
}

/// A stock engine, with a fault if that is asked for.
fn stock(stock: Stock, settings: &Settings) -> Result<ProbedLua, OpenError> {
    let fault = settings.fault.and_then(Planted::theirs).filter(|fault| fault.stock == stock);
    let Some(fault) = fault else { return Ok(ProbedLua::stock(stock)?) };
    let made = cached(&stock.recipe(), &(fault.name, fault.words, fault.by), |scratch, out| {
        stock.compile_with(fault, scratch, out)
    });
    Ok(ProbedLua::open(&made?)?)
}

/// The shared object of a Lua, which is compiled unless that was done before with the same sources.
fn compiled(folder: &Path) -> Result<PathBuf, OpenError> {
    let recipe = Recipe::new(folder);
    cached(&recipe, &(), |scratch, out| recipe.compile(scratch, out))
}

/// The shared object that `compile` makes by a recipe, and by what else it depends on, unless it was made before.
fn cached(
    recipe: &Recipe,
    of: &impl Hash,
    compile: impl FnOnce(&Path, &Path) -> Result<(), CompileError>,
) -> Result<PathBuf, OpenError> {
    let cache = cache();
    let failed = |error| OpenError::Cache { path: cache.clone(), error };
    let object = cache.join(format!("{:016x}.so", fingerprint(recipe, of).map_err(failed)?));
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

/// A number that is another one where the engine would be.
fn fingerprint(recipe: &Recipe, of: &impl Hash) -> io::Result<u64> {
    let mut hasher = DefaultHasher::new();
    (&recipe.compiler, &recipe.defines, &recipe.flags, Recipe::PROBE_TEXT, of).hash(&mut hasher);
    let mut files: Vec<PathBuf> =
        fs::read_dir(&recipe.sources)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    for file in
        files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "c" || extension == "h"))
    {
        (file.file_name(), fs::read(file)?).hash(&mut hasher);
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

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
