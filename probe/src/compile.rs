//! From the folder of a Lua's C sources to a shared object with the probe inside.
//!
//! The same for the stock engines, which the build script makes, and for a person's own Lua.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The files of the probe, by name.
const PROBE: [(&str, &str); 5] = [
    ("puc.c", include_str!("../c/puc.c")),
    ("arena.c", include_str!("../c/arena.c")),
    ("arena.h", include_str!("../c/arena.h")),
    ("moonphase_probe.h", include_str!("../include/moonphase_probe.h")),
    ("moonphase_config.h", include_str!("../include/moonphase_config.h")),
];

/// Files of a Lua's folder that are no part of the library: its programs, and its authors' tests.
const NO_LIBRARY: [&str; 5] = ["lua.c", "luac.c", "print.c", "ltests.c", "onelua.c"];

/// The functions that the probe takes for its own (`--wrap` of the linker). Those that a Lua does not have harm nothing.
const WRAPPED: [&str; 24] = [
    "luaD_callhook",
    "luaD_hook",
    "lua_sethook",
    "lua_gethookmask",
    "lua_newthread",
    "luaF_close",
    "luaF_closeupval",
    "lua_rawset",
    "lua_rawseti",
    "lua_settable",
    "lua_setfield",
    "lua_setmetatable",
    "lua_setupvalue",
    "lua_upvaluejoin",
    "lua_getallocf",
    "luaC_step",
    "luaC_fullgc",
    "luaC_barrierf",
    "luaC_barrierback",
    "luaC_barrier_",
    "luaC_barrierback_",
    "exit",
    "time",
    "clock",
];

/// Where the shared object is loaded: at the same address in every process, since some Luas hash addresses of functions.
const TEXT_ADDRESS: &str = "0x510000000000";

/// How a Lua is compiled.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The folder with its sources.
    pub sources: PathBuf,
    /// The C compiler.
    pub compiler: OsString,
    /// Macros, as `NAME` or `NAME=VALUE`.
    pub defines: Vec<String>,
    /// Further flags for the compiler and the linker.
    pub flags: Vec<String>,
}

/// Why a Lua could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A file or folder cannot be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is no C source in the folder.
    #[error("{}: no sources of a Lua: there is no {missing}", folder.display())]
    NoLua {
        /// The folder.
        folder: PathBuf,
        /// A file that every Lua has.
        missing: &'static str,
    },
    /// A fault is to be planted into a stock engine, and its sources or object files are gone.
    #[error("planted faults of {engine} need the sources that this program was built from, and {} is not there: build it again", folder.display())]
    Gone {
        /// The engine.
        engine: &'static str,
        /// Where its sources were.
        folder: PathBuf,
    },
    /// The words of a fault are not in the sources.
    #[error("the fault '{0}' does not fit the sources that this program was built from")]
    Unplantable(&'static str),
    /// The compiler cannot be started.
    #[error("cannot run the C compiler '{}': {error}", compiler.display())]
    NoCompiler {
        /// The command.
        compiler: OsString,
        /// Why.
        error: io::Error,
    },
    /// The compiler, or the linker, refuses.
    #[error("{} {}:\n{message}", compiler.display(), file.display())]
    Refused {
        /// The command.
        compiler: OsString,
        /// What it was to make or to compile.
        file: PathBuf,
        /// What it said.
        message: String,
    },
}

impl Recipe {
    /// What is compiled with every Lua. An engine of another text is another one.
    pub const PROBE_TEXT: [(&str, &str); 5] = PROBE;

    /// How the Lua in a folder is compiled where nobody says otherwise: by the compiler that `CC` names, or `cc`.
    pub fn new(sources: impl Into<PathBuf>) -> Recipe {
        Recipe {
            sources: sources.into(),
            compiler: std::env::var_os("CC").unwrap_or_else(|| "cc".into()),
            defines: Vec::new(),
            flags: Vec::new(),
        }
    }

    /// Makes the shared object `out`, with the help of a folder that is this engine's own.
    ///
    /// # Errors
    /// A file is missing, or the compiler refuses; its words are given as they are.
    pub fn compile(&self, work: &Path, out: &Path) -> Result<(), CompileError> {
        for missing in ["lua.h", "lstate.h", "lgc.c"] {
            if !self.sources.join(missing).is_file() {
                return Err(CompileError::NoLua { folder: self.sources.clone(), missing });
            }
        }
        fs::create_dir_all(work).map_err(file_error(work))?;
        for (name, text) in PROBE {
            let path = work.join(name);
            fs::write(&path, text).map_err(file_error(&path))?;
        }
        let sources = self.library_sources()?;
        let own = ["puc.c", "arena.c"].map(|name| work.join(name));
        let all: Vec<(&PathBuf, bool)> =
            own.iter().map(|source| (source, true)).chain(sources.iter().map(|source| (source, false))).collect();
        let objects = self.compile_all(&all, work)?;
        self.link(&objects, out)
    }

    fn link(&self, objects: &[PathBuf], out: &Path) -> Result<(), CompileError> {
        let mut link = Command::new(&self.compiler);
        link.arg("-shared").arg("-o").arg(out).args(objects).args(&self.flags);
        link.arg(format!("-Wl,-Ttext-segment={TEXT_ADDRESS}"));
        link.args(WRAPPED.map(|name| format!("-Wl,--wrap={name}"))).args(["-lm", "-ldl", "-lpthread"]);
        self.execute(link, out)
    }

    /// Makes the shared object `out` of a Lua that was compiled in `work` before, with another text for one of its files. What is
    /// written goes into `scratch`.
    ///
    /// # Errors
    /// As for [`Recipe::compile`].
    pub fn compile_again(
        &self,
        work: &Path,
        file: &str,
        text: &str,
        scratch: &Path,
        out: &Path,
    ) -> Result<(), CompileError> {
        fs::create_dir_all(scratch).map_err(file_error(scratch))?;
        let source = scratch.join(file);
        fs::write(&source, text).map_err(file_error(&source))?;
        let object = source.with_extension("o");
        self.compile_one(&source, false, work, &object)?;
        let mut objects = Vec::new();
        for entry in fs::read_dir(work).map_err(file_error(work))? {
            let path = entry.map_err(file_error(work))?.path();
            if path.extension() == Some(OsStr::new("o")) {
                objects.push(if path.file_name() == object.file_name() { object.clone() } else { path });
            }
        }
        // The order decides the addresses.
        objects.sort_by(|one, other| one.file_name().cmp(&other.file_name()));
        self.link(&objects, out)
    }

    /// The C files of the library.
    fn library_sources(&self) -> Result<Vec<PathBuf>, CompileError> {
        let entries = fs::read_dir(&self.sources).map_err(file_error(&self.sources))?;
        let mut sources = Vec::new();
        for entry in entries {
            let path = entry.map_err(file_error(&self.sources))?.path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            if path.extension() == Some(OsStr::new("c")) && !NO_LIBRARY.contains(&name) {
                sources.push(path);
            }
        }
        sources.sort();
        Ok(sources)
    }

    /// Compiles files side by side. Gives their object files.
    fn compile_all(&self, sources: &[(&PathBuf, bool)], work: &Path) -> Result<Vec<PathBuf>, CompileError> {
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        let objects: Vec<PathBuf> = sources
            .iter()
            .map(|(source, _)| work.join(source.file_name().unwrap_or_default()).with_extension("o"))
            .collect();
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&at| at < sources.len())
                    {
                        let (source, is_probe) = sources[index];
                        if let Err(error) = self.compile_one(source, is_probe, work, &objects[index]) {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            return;
                        }
                    }
                });
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(objects),
        }
    }

    fn compile_one(&self, source: &Path, is_probe: bool, work: &Path, object: &Path) -> Result<(), CompileError> {
        let mut command = Command::new(&self.compiler);
        command.args(["-std=gnu99", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", "-w"]);
        if is_probe {
            command.args(["-D_GNU_SOURCE", "-I"]).arg(work);
        } else {
            command.arg("-include").arg(work.join("moonphase_config.h"));
        }
        command.args(self.defines.iter().map(|define| format!("-D{define}"))).args(&self.flags);
        command.arg("-I").arg(&self.sources).arg("-c").arg(source).arg("-o").arg(object);
        self.execute(command, source)
    }

    fn execute(&self, mut command: Command, file: &Path) -> Result<(), CompileError> {
        let output =
            command.output().map_err(|error| CompileError::NoCompiler { compiler: self.compiler.clone(), error })?;
        if output.status.success() {
            return Ok(());
        }
        Err(CompileError::Refused {
            compiler: self.compiler.clone(),
            file: file.to_owned(),
            message: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> CompileError + '_ {
    |error| CompileError::File { path: path.to_owned(), error }
}
