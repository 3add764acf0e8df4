//! Loading an engine.

use std::ffi::CStr;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use libloading::Library;
use moonphase_heap::Rules;

use crate::abi;
use crate::compile::{CompileError, Recipe, Sanitizer};
use crate::fault::Fault;
use crate::rules::rules_of;

/// An engine that comes with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stock {
    /// Lua 5.1.5.
    Lua51,
    /// Lua 5.4.8.
    Lua54,
}

impl Stock {
    /// Every stock engine, oldest first.
    pub const ALL: [Stock; 2] = [Stock::Lua51, Stock::Lua54];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Stock::Lua51 => "lua51",
            Stock::Lua54 => "lua54",
        }
    }

    /// Where its sources are, where it was compiled, and by which macros.
    fn place(self) -> [&'static str; 3] {
        match self {
            Stock::Lua51 => {
                [env!("MOONPHASE_LUA51_SOURCES"), env!("MOONPHASE_LUA51_OBJECTS"), env!("MOONPHASE_LUA51_DEFINES")]
            }
            Stock::Lua54 => {
                [env!("MOONPHASE_LUA54_SOURCES"), env!("MOONPHASE_LUA54_OBJECTS"), env!("MOONPHASE_LUA54_DEFINES")]
            }
        }
    }

    /// The folder with its sources, where this program was built.
    pub fn sources(self) -> &'static Path {
        Path::new(self.place()[0])
    }

    /// How it was compiled.
    pub fn recipe(self) -> Recipe {
        let [.., defines] = self.place();
        Recipe { defines: defines.split_whitespace().map(str::to_owned).collect(), ..Recipe::new(self.sources()) }
    }

    /// Makes the shared object `out` with a fault of this engine, in `scratch`.
    ///
    /// # Errors
    /// What this program was built from is not there any more, or the compiler refuses.
    pub fn compile_with(self, fault: &Fault, scratch: &Path, out: &Path) -> Result<(), CompileError> {
        let [_, objects, _] = self.place();
        let gone = || CompileError::Gone { engine: self.name(), folder: self.sources().into() };
        let source = std::fs::read(self.sources().join(fault.file)).map_err(|_| gone())?;
        if !Path::new(objects).is_dir() {
            return Err(gone());
        }
        // The authors' names are not in UTF-8 everywhere.
        let text = fault.plant(&String::from_utf8_lossy(&source)).ok_or(CompileError::Unplantable(fault.name))?;
        self.recipe().compile_again(Path::new(objects), fault.file, &text, scratch, out)
    }

    fn image(self) -> &'static [u8] {
        match self {
            Stock::Lua51 => include_bytes!(concat!(env!("OUT_DIR"), "/lua51.so")),
            Stock::Lua54 => include_bytes!(concat!(env!("OUT_DIR"), "/lua54.so")),
        }
    }
}

impl Sanitizer {
    /// Whether its runtime is in this process.
    pub fn is_loaded(self) -> bool {
        let symbol: &[u8] = match self {
            Sanitizer::Address => b"__asan_init\0",
            Sanitizer::Undefined => b"__ubsan_handle_add_overflow\0",
        };
        // SAFETY: the address is neither called nor read.
        unsafe { libloading::os::unix::Library::this().get::<*const ()>(symbol) }.is_ok()
    }
}

/// Why an engine cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The system refuses.
    #[error("cannot load the engine: {0}")]
    Library(#[from] libloading::Error),
    /// There is nowhere to put it.
    #[error("cannot load the engine: {0}")]
    Memory(#[from] std::io::Error),
    /// It was made by another version of this program.
    #[error("the engine has the probe of another version of this program")]
    Version,
}

/// A C Lua with the probe inside.
pub struct ProbedLua {
    /// Lives as long as the library.
    pub(crate) engine: &'static abi::Engine,
    rules: Rules,
    _library: Library,
    /// Where it was loaded from, if that is memory. The loader knows libraries by their paths: the path of this file must be that of
    /// no other as long as the library is loaded.
    _image: Option<File>,
}

impl ProbedLua {
    /// A stock engine.
    ///
    /// # Errors
    /// The system does not let a program load code from memory.
    pub fn stock(stock: Stock) -> Result<ProbedLua, LoadError> {
        let descriptor =
            rustix::fs::memfd_create(stock.name(), rustix::fs::MemfdFlags::CLOEXEC).map_err(std::io::Error::from)?;
        let mut file = File::from(descriptor);
        file.write_all(stock.image())?;
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
        Ok(ProbedLua { _image: Some(file), ..ProbedLua::open(Path::new(&path))? })
    }

    /// An engine that [`compile`](crate::compile) has made.
    ///
    /// # Errors
    /// The file is no engine, or one of another version.
    pub fn open(path: &Path) -> Result<ProbedLua, LoadError> {
        // SAFETY: loading an engine runs nothing of it but what the C library does for any.
        let library = unsafe { Library::new(path)? };
        // SAFETY: the one symbol that an engine has is a function of this type.
        let engine = unsafe {
            let describe = library.get::<unsafe extern "C" fn() -> *const abi::Engine>(b"moonphase_engine\0")?;
            &*describe()
        };
        if engine.abi != abi::ABI {
            return Err(LoadError::Version);
        }
        Ok(ProbedLua { engine, rules: rules_of(engine.version), _library: library, _image: None })
    }

    /// The release, as the Lua says it: `Lua 5.1.5`.
    pub fn release(&self) -> String {
        // SAFETY: a string constant of the library.
        unsafe { CStr::from_ptr(self.engine.release) }.to_string_lossy().into_owned()
    }

    /// The version of its language: 501 for 5.1.
    pub fn version(&self) -> u32 {
        self.engine.version
    }

    /// Whether it collects and tries again where there is not enough memory: since 5.2 (`luaM_realloc_` in `lmem.c`).
    pub fn has_emergencies(&self) -> bool {
        self.version() >= 502
    }

    /// What a checker may assume of its heap.
    pub fn rules(&self) -> Rules {
        self.rules
    }
}
