//! Files that are given to the command: Lua scripts with or without a header, and libFuzzer artifacts.
//!
//! `check`, `run`, `trace` and `minimize` read a file here and nowhere else, so that all of them run the same script under the same
//! settings. A file with a header, or an artifact, is run as the oracles run it: under their name of the chunk, since an object for
//! the name is in the heap, and the collector's pace depends on what is.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use moonphase::header::{Header, body};
use moonphase::language::CompileError;
use moonphase::minimize::Shrinkable;
use moonphase::oracle::CHUNK_NAME;
use moonphase::script::{Repair, Script};
use moonphase::settings::{SettingError, Settings};
use moonphase_vm::syntax::{self, print_chunk};

use super::Failure;
use super::options::{CollectorArgs, SettingsArgs};

/// The flags of a command that are settings.
pub trait Flags {
    /// These settings, with what they don't say as in `usual`.
    ///
    /// # Errors
    /// The fault lives in a policy that this VM does not know, or it does not speak the language.
    fn over(&self, usual: Settings) -> Result<Settings, SettingError>;
}

impl Flags for SettingsArgs {
    fn over(&self, usual: Settings) -> Result<Settings, SettingError> {
        SettingsArgs::over(self, usual)
    }
}

impl Flags for CollectorArgs {
    fn over(&self, usual: Settings) -> Result<Settings, SettingError> {
        CollectorArgs::over(self, usual)
    }
}

/// A file that was read and understood.
pub struct Input {
    /// The file, as it is shown.
    pub file: String,
    /// The script that runs: the file without what comes before it for an editor or a shell.
    pub source: Vec<u8>,
    /// The model, where the file is an artifact.
    pub script: Option<Script>,
    /// What the header says; the settings are those to be used, flags included.
    pub header: Header,
    /// Whether it is to be run as the oracles run it.
    pub is_case: bool,
}

impl Input {
    /// Reads a file, or standard input where its name is `-`. Flags come first, then the header; what neither says is as in `usual`
    /// where there is no header.
    pub fn read(path: &Path, flags: &dyn Flags, usual: &Settings) -> Result<Input, Failure> {
        let file = if is_standard_input(path) { "stdin".to_owned() } else { path.display().to_string() };
        let bytes = contents(path).map_err(|error| Failure::Usage(format!("cannot read {file}: {error}")))?;
        if !is_text(path, &bytes) {
            let mut script = Script::decode(&bytes)
                .map_err(|error| Failure::Usage(format!("{file}: neither Lua text nor a fuzz input: {error}")))?;
            let settings = flags.over(Settings::default())?;
            // As the fuzz targets read it.
            script.fixup(Repair::Replace, &settings.lua);
            let source = script.render(&settings.lua).text.into_bytes();
            let header = Header { settings, ..Header::default() };
            return Ok(Input { file, source, script: Some(script), header, is_case: true });
        }
        let header = Header::parse(&bytes, Settings::default())
            .map_err(|error| Failure::Usage(format!("{file}: damaged header: {error}")))?;
        let is_case = header.is_some();
        let header = header.unwrap_or_else(|| Header { settings: usual.clone(), ..Header::default() });
        let header = Header { settings: flags.over(header.settings.clone())?, ..header };
        Ok(Input { file, source: syntax::skip_shebang(&bytes).to_vec(), script: None, header, is_case })
    }

    /// How it is run.
    pub fn settings(&self) -> &Settings {
        &self.header.settings
    }

    /// The name of the chunk: that of all cases, or the file.
    pub fn chunk_name(&self, path: &Path) -> Vec<u8> {
        if self.is_case {
            CHUNK_NAME.as_bytes().to_vec()
        } else if is_standard_input(path) {
            b"=stdin".to_vec()
        } else {
            [b"@", path.as_os_str().as_encoded_bytes()].concat()
        }
    }

    /// Refuses what is no Lua.
    pub fn check_syntax(&self) -> Result<(), Failure> {
        let (language, name) = (self.settings().lua, format!("@{}", self.file));
        let checked = match language.version() {
            Ok(_) => language.compile(&self.source, name.as_bytes()).map(drop),
            // Limits of its compiler are the engine's to tell.
            Err(_) => language.parse(&self.source, name.as_bytes()).map(drop).map_err(CompileError::from),
        };
        checked.map_err(|error| Failure::Usage(error.to_string()))
    }

    /// What to shrink. Texts are UTF-8 from there on: other bytes in a script's strings are written as escapes.
    pub fn shrinkable(&self) -> Shrinkable {
        if let Some(script) = &self.script {
            return Shrinkable::Script(script.clone());
        }
        let text = body(&self.source);
        Shrinkable::Text(String::from_utf8(text).unwrap_or_else(|error| {
            let text = error.into_bytes();
            match self.settings().lua.parse(&text, b"=minimize") {
                Ok(chunk) => print_chunk(&chunk),
                Err(_) => String::from_utf8_lossy(&text).into_owned(),
            }
        }))
    }
}

fn is_standard_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn contents(path: &Path) -> io::Result<Vec<u8>> {
    if !is_standard_input(path) {
        return fs::read(path);
    }
    let mut bytes = Vec::new();
    io::stdin().read_to_end(&mut bytes).map(|_| bytes)
}

/// What binary chunks begin with.
const CHUNK_MARK: u8 = 0x1b;

/// Artifacts begin with a control byte, which no Lua text does, nor any binary chunk.
fn is_text(path: &Path, bytes: &[u8]) -> bool {
    Header::is_in(bytes)
        || path.extension().is_some_and(|extension| extension == "lua")
        || bytes.first().is_none_or(|&byte| byte >= b' ' || byte.is_ascii_whitespace() || byte == CHUNK_MARK)
}
