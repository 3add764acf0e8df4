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
const WRAPPED: [&str; 31] = [
    "luaD_callhook",
    "luaD_hook",
    "luaD_call",
    "luaD_callnoyield",
    "lua_sethook",
    "lua_gethookmask",
    "lua_newthread",
    "luaF_close",
    "luaF_closeupval",
    "luaF_findupval",
    "luaS_new",
    "luaS_newlstr",
    "luaC_checkfinalizer",
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
    "luaC_changemode",
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

/// What watches a Lua while it runs. Its sources are compiled with it, the probe is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sanitizer {
    /// AddressSanitizer. It knows what is freed: the probe's allocator tells it.
    Address,
    /// UndefinedBehaviorSanitizer.
    Undefined,
}

/// Options of all sanitizers.
const SANITIZER_OPTIONS: &str = "symbolize=1:color=never:print_legend=0:allocator_may_return_null=1";

/// Options of AddressSanitizer: the stack of an engine is at a fixed address, and blocks are kept by the probe's allocator.
const ADDRESS_OPTIONS: &str = ":detect_leaks=0:detect_stack_use_after_return=0:quarantine_size_mb=8";

/// How a Lua is compiled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    /// Folders with its sources, of which each C file is compiled that is of the library, and C files.
    pub sources: Vec<PathBuf>,
    /// Folders with headers, besides those with sources.
    pub include: Vec<PathBuf>,
    /// The C compiler.
    pub compiler: OsString,
    /// Macros, as `NAME` or `NAME=VALUE`.
    pub defines: Vec<String>,
    /// Further flags for the compiler and the linker.
    pub flags: Vec<String>,
    /// What it is compiled with.
    pub sanitizers: Vec<Sanitizer>,
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
    /// There is no Lua in the folders.
    #[error("{}: no sources of a Lua: there is no {missing}", listed(.folders))]
    NoLua {
        /// Where it was looked for.
        folders: Vec<PathBuf>,
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
    /// The compiler has not what the program of a sanitizer needs.
    #[error("the C compiler '{}' has no {library}, which the process needs that runs an engine with a sanitizer", compiler.display())]
    NoRuntime {
        /// The command.
        compiler: OsString,
        /// What is missing.
        library: String,
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
            sources: vec![sources.into()],
            include: Vec::new(),
            compiler: std::env::var_os("CC").unwrap_or_else(|| "cc".into()),
            defines: Vec::new(),
            flags: Vec::new(),
            sanitizers: Vec::new(),
        }
    }

    /// Where headers are: the folders with sources, those of single files, and the further ones.
    pub fn folders(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for path in self.sources.iter().chain(&self.include) {
            let folder = if is_c_file(path) { path.parent().unwrap_or(Path::new(".")) } else { path };
            if !folders.iter().any(|known| known == folder) {
                folders.push(folder.to_owned());
            }
        }
        folders
    }

    /// What is to be set in the environment of a process that loads the engine: `LD_PRELOAD`, and the options of sanitizers.
    ///
    /// # Errors
    /// The compiler does not run, or has no runtime of a sanitizer.
    pub fn environment(&self) -> Result<Vec<(&'static str, OsString)>, CompileError> {
        if self.sanitizers.is_empty() {
            return Ok(Vec::new());
        }
        let is_clang = self.is_clang()?;
        let mut options = OsString::from(SANITIZER_OPTIONS);
        if is_clang {
            // That of gcc reads debug information by itself.
            let symbolizer = self.said("-print-prog-name=llvm-symbolizer")?;
            if Path::new(&symbolizer).is_absolute() {
                options.push(":external_symbolizer_path=");
                options.push(&symbolizer);
            }
        }
        let mut preload = self.runtime(is_clang)?.into_os_string();
        if let Some(before) = std::env::var_os("LD_PRELOAD").filter(|before| !before.is_empty()) {
            preload.push(":");
            preload.push(before);
        }
        let with = |name, more: &str| {
            let mut value = options.clone();
            value.push(more);
            if let Some(own) = std::env::var_os(name) {
                value.push(":");
                value.push(own);
            }
            (name, value)
        };
        Ok(vec![
            ("LD_PRELOAD", preload),
            with("ASAN_OPTIONS", ADDRESS_OPTIONS),
            with("UBSAN_OPTIONS", ":print_stacktrace=1"),
        ])
    }

    /// The library that has to be in the process before everything else.
    fn runtime(&self, is_clang: bool) -> Result<PathBuf, CompileError> {
        let arch = std::env::consts::ARCH;
        let library = match (is_clang, self.sanitizers.contains(&Sanitizer::Address)) {
            (false, true) => "libasan",
            (false, false) => "libubsan",
            (true, true) => "libclang_rt.asan",
            (true, false) => "libclang_rt.ubsan_standalone",
        };
        // The second way to call them is for some builds of clang.
        for name in [format!("{library}.so"), format!("{library}-{arch}.so")] {
            // Without such a library the compiler says the name alone.
            let path = PathBuf::from(self.said(&format!("-print-file-name={name}"))?);
            if path.is_absolute() {
                return Ok(path);
            }
        }
        Err(CompileError::NoRuntime { compiler: self.compiler.clone(), library: format!("{library}.so") })
    }

    fn is_clang(&self) -> Result<bool, CompileError> {
        Ok(self.said("--version")?.contains("clang"))
    }

    /// What the compiler answers to a question.
    fn said(&self, question: &str) -> Result<String, CompileError> {
        let output = Command::new(&self.compiler).arg(question).output();
        let output = output.map_err(|error| CompileError::NoCompiler { compiler: self.compiler.clone(), error })?;
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Flags with which the Lua is compiled and linked.
    fn sanitizing(&self) -> Vec<&'static str> {
        let flags = self.sanitizers.iter().flat_map(|sanitizer| match sanitizer {
            Sanitizer::Address => ["-fsanitize=address", "-fno-omit-frame-pointer"],
            // The first report ends the process, as with the other.
            Sanitizer::Undefined => ["-fsanitize=undefined", "-fno-sanitize-recover=undefined"],
        });
        flags.collect()
    }

    /// Makes the shared object `out`, with the help of a folder that is this engine's own.
    ///
    /// # Errors
    /// A file is missing, or the compiler refuses; its words are given as they are.
    pub fn compile(&self, work: &Path, out: &Path) -> Result<(), CompileError> {
        let folders = self.folders();
        for missing in ["lua.h", "lstate.h", "lgc.c"] {
            if !folders.iter().any(|folder| folder.join(missing).is_file()) {
                return Err(CompileError::NoLua { folders, missing });
            }
        }
        fs::create_dir_all(work).map_err(file_error(work))?;
        for (name, text) in PROBE {
            let path = work.join(name);
            fs::write(&path, text).map_err(file_error(&path))?;
        }
        let sources = self.library_sources()?;
        let mut units: Vec<Unit> = Vec::new();
        let own = ["puc.c", "arena.c"].map(|name| (work.join(name), true));
        for (source, is_probe) in own.into_iter().chain(sources.into_iter().map(|source| (source, false))) {
            let stem = source.file_stem().unwrap_or_default();
            let mut object = work.join(stem).with_extension("o");
            if units.iter().any(|unit| unit.object == object) {
                // Files of different folders may have one name.
                object.set_extension(format!("{}.o", units.len()));
            }
            units.push(Unit { source, is_probe, object });
        }
        self.compile_all(&units, work)?;
        let objects: Vec<PathBuf> = units.into_iter().map(|unit| unit.object).collect();
        self.link(&objects, out)
    }

    fn link(&self, objects: &[PathBuf], out: &Path) -> Result<(), CompileError> {
        let mut link = Command::new(&self.compiler);
        link.arg("-shared").arg("-o").arg(out).args(objects).args(&self.flags).args(self.sanitizing());
        if !self.sanitizers.is_empty() && self.is_clang()? {
            link.arg("-shared-libsan");
        }
        // What is missing is known now, and not when the engine is loaded.
        link.arg("-Wl,--no-undefined").arg(format!("-Wl,-Ttext-segment={TEXT_ADDRESS}"));
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
        self.compile_one(&Unit { source, is_probe: false, object: object.clone() }, work)?;
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
        let mut sources = Vec::new();
        for given in &self.sources {
            if is_c_file(given) {
                sources.push(given.clone());
                continue;
            }
            let mut files = Vec::new();
            for entry in fs::read_dir(given).map_err(file_error(given))? {
                let path = entry.map_err(file_error(given))?.path();
                let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
                if is_c_file(&path) && !NO_LIBRARY.contains(&name) {
                    files.push(path);
                }
            }
            files.sort();
            sources.extend(files);
        }
        Ok(sources)
    }

    /// Compiles files side by side.
    fn compile_all(&self, units: &[Unit], work: &Path) -> Result<(), CompileError> {
        let next = AtomicUsize::new(0);
        let failed = Mutex::new(None);
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(|| {
                    while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if let Err(error) = self.compile_one(unit, work) {
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            return;
                        }
                    }
                });
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn compile_one(&self, unit: &Unit, work: &Path) -> Result<(), CompileError> {
        let mut command = Command::new(&self.compiler);
        command.args(["-std=gnu99", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", "-w"]);
        command.args(self.defines.iter().map(|define| format!("-D{define}"))).args(&self.flags);
        if unit.is_probe {
            // It looks at freed memory too, and tells the sanitizer what is freed.
            let tells = self.sanitizers.contains(&Sanitizer::Address).then_some("-DMOONPHASE_ADDRESS_SANITIZER");
            command.args(["-D_GNU_SOURCE", "-I"]).arg(work).args(tells);
        } else {
            command.arg("-include").arg(work.join("moonphase_config.h")).args(self.sanitizing());
        }
        for folder in self.folders() {
            command.arg("-I").arg(folder);
        }
        command.arg("-c").arg(&unit.source).arg("-o").arg(&unit.object);
        self.execute(command, &unit.source)
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

/// A file that is compiled.
struct Unit {
    source: PathBuf,
    is_probe: bool,
    object: PathBuf,
}

fn is_c_file(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("c")) && !path.is_dir()
}

fn listed(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn file_error(path: &Path) -> impl FnOnce(io::Error) -> CompileError + '_ {
    |error| CompileError::File { path: path.to_owned(), error }
}
