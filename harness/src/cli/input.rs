//! Files that are given to the command: Lua scripts with or without a header, and libFuzzer artifacts.

use std::fs;
use std::path::Path;

use moonphase::header::{Header, body};
use moonphase::minimize::Shrinkable;
use moonphase::script::{Repair, Script};
use moonphase::settings::Settings;
use moonphase_vm::syntax;

use super::Failure;
use super::options::SettingsArgs;

/// A file that was read and understood.
pub struct Input {
    /// The text, header included.
    pub text: String,
    /// The model, where the file is an artifact.
    pub script: Option<Script>,
    /// What the header says; the settings are those to be used, flags included.
    pub header: Header,
}

impl Input {
    /// Reads a file. Its header decides where the flags say nothing.
    pub fn read(path: &Path, flags: &SettingsArgs) -> Result<Input, Failure> {
        let shown = path.display();
        let bytes = fs::read(path).map_err(|error| Failure::Usage(format!("cannot read {shown}: {error}")))?;
        let usual = Settings::default();
        if !is_text(path, &bytes) {
            let mut script = Script::decode(&bytes)
                .map_err(|error| Failure::Usage(format!("{shown}: neither Lua text nor a fuzz input: {error}")))?;
            // As the fuzz targets read it.
            script.fixup(Repair::Replace);
            let settings = flags.over(usual)?;
            let text = script.render(&settings.lua).text;
            let header = Header { settings, ..Header::default() };
            return Ok(Input { text, script: Some(script), header });
        }
        let header = Header::parse(&bytes, usual)
            .map_err(|error| Failure::Usage(format!("{shown}: damaged header: {error}")))?
            .unwrap_or_default();
        let header = Header { settings: flags.over(header.settings.clone())?, ..header };
        let text =
            String::from_utf8(bytes).map_err(|_| Failure::Usage(format!("{shown}: the script is not UTF-8 text")))?;
        check_syntax(path, &text, &header)?;
        Ok(Input { text, script: None, header })
    }

    /// What to shrink.
    pub fn shrinkable(&self) -> Shrinkable {
        match &self.script {
            Some(script) => Shrinkable::Script(script.clone()),
            None => Shrinkable::Text(body(&self.text).to_owned()),
        }
    }
}

/// Artifacts begin with a control byte, which no Lua text does.
fn is_text(path: &Path, bytes: &[u8]) -> bool {
    Header::is_in(bytes)
        || path.extension().is_some_and(|extension| extension == "lua")
        || bytes.first().is_none_or(|&byte| byte >= b' ' || byte.is_ascii_whitespace())
}

fn check_syntax(path: &Path, text: &str, header: &Header) -> Result<(), Failure> {
    let name = format!("@{}", path.display());
    let source = syntax::skip_shebang(text.as_bytes());
    let compiled = header.settings.lua.compile(source, name.as_bytes());
    compiled.map(drop).map_err(|error| Failure::Usage(error.to_string()))
}
