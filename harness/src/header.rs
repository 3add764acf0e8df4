//! The header of a script file: how to run it, and what must happen.
//!
//! ```lua
//! -- moonphase: lua=5.4 gc=5.1 check=barrier
//! -- finding: black-to-white setupvalue upvalue->table
//! -- clean: gc=5.4
//! -- clean: gc=5.1,setupvalue=upvalue
//! ```
//!
//! The first line makes it a header; the others are optional. `finding` says what must be found under the settings of the
//! first line (nothing, where there is no such line), and each `clean` names a policy under which nothing may be found.
//! A `fault=` is planted into the collector of the first line alone, and lives in its own policy where no `gc=` is given.
//! `system=full` lets the script use the files and processes of the machine.
//! The header is a comment to every Lua.

use std::fmt::Write;

use moonphase_vm::gc::Policy;

use crate::settings::{SettingError, Settings, system_named};

const MARK: &str = "-- moonphase:";
const FINDING: &str = "-- finding:";
const CLEAN: &str = "-- clean:";

/// What the header of a file says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Header {
    /// How to run the script.
    pub settings: Settings,
    /// The signatures that must be found, in this order of lines.
    pub findings: Vec<String>,
    /// Policies under which nothing may be found.
    pub clean: Vec<Policy>,
}

/// A header that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct HeaderError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

impl Header {
    /// Whether a text begins with a header.
    pub fn is_in(text: &[u8]) -> bool {
        text.starts_with(MARK.as_bytes())
    }

    /// Reads the header of a text; `None` where it has none. What the header does not say is as in `usual`.
    ///
    /// # Errors
    /// A line of the header cannot be understood.
    pub fn parse(text: &[u8], usual: Settings) -> Result<Option<Header>, HeaderError> {
        if !Header::is_in(text) {
            return Ok(None);
        }
        let mut header = Header { settings: usual, ..Header::default() };
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let line = String::from_utf8_lossy(line);
            let line = line.trim_end();
            let error = |reason: String| HeaderError { line: index + 1, reason };
            if let (0, Some(words)) = (index, line.strip_prefix(MARK)) {
                let mut names_policy = false;
                for word in words.split_whitespace() {
                    let (key, value) =
                        word.split_once('=').ok_or_else(|| error(format!("'{word}' is not of the form key=value")))?;
                    header.set(key, value).map_err(error)?;
                    names_policy |= key == "gc";
                }
                if let (Some(fault), false) = (header.settings.fault, names_policy) {
                    header.set("gc", fault.policy()).map_err(error)?;
                }
            } else if let Some(signature) = line.strip_prefix(FINDING) {
                match signature.trim() {
                    "" => return Err(error("a finding needs a signature".to_owned())),
                    signature => header.findings.push(signature.to_owned()),
                }
            } else if let Some(words) = line.strip_prefix(CLEAN) {
                let policy = words.trim().strip_prefix("gc=").unwrap_or_default();
                header.clean.push(policy.parse().map_err(|reason| error(format!("{reason}")))?);
            } else {
                break;
            }
        }
        Ok(Some(header))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let text = |error: SettingError| error.to_string();
        let settings = &mut self.settings;
        match key {
            "lua" => settings.lua = value.parse().map_err(|error| text(SettingError::Language(error)))?,
            "gc" => settings.gc = value.parse().map_err(|error| text(SettingError::Policy(error)))?,
            "check" => settings.check = value.parse().map_err(text)?,
            "schedule" => settings.schedules = value.parse().map_err(|error| text(SettingError::Schedule(error)))?,
            "fault" => settings.fault = Some(value.parse().map_err(|error| text(SettingError::Fault(error)))?),
            "system" => settings.system = system_named(value).map_err(text)?,
            "reference" => settings.reference = value.parse().map_err(text)?,
            _ => {
                return Err(format!(
                    "unknown setting '{key}' (known: lua, gc, check, schedule, system, fault, reference)"
                ));
            }
        }
        Ok(())
    }

    /// The header's lines.
    pub fn to_text(&self) -> String {
        let mut text = format!("{MARK} {}\n", self.settings);
        for signature in &self.findings {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{FINDING} {signature}");
        }
        for policy in &self.clean {
            let _ = writeln!(text, "{CLEAN} gc={policy}");
        }
        text
    }
}

/// A text without the lines of its header.
pub fn body(text: &str) -> &str {
    let mut rest = text;
    while [MARK, FINDING, CLEAN].iter().any(|mark| rest.starts_with(mark)) {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "-- moonphase: lua=5.4 gc=5.1 check=full schedule=steps:3,5x20\n-- finding: black-to-white setupvalue upvalue->table\n\
                        -- clean: gc=5.4\n-- clean: gc=5.1,setupvalue=upvalue\nprint(1)\n";

    fn parse(text: &str) -> Result<Option<Header>, HeaderError> {
        Header::parse(text.as_bytes(), Settings::default())
    }

    #[test]
    fn a_header_reads_back_from_its_text() {
        let header = parse(TEXT).unwrap().unwrap();
        assert_eq!(header.findings, ["black-to-white setupvalue upvalue->table"]);
        assert_eq!(header.clean.len(), 2);
        assert_eq!(header.to_text() + body(TEXT), TEXT);
        assert_eq!(body(TEXT), "print(1)\n");
    }

    #[cfg(feature = "faults")]
    #[test]
    fn a_fault_lives_in_its_own_policy_unless_the_header_names_one() {
        let gc = |words: &str| {
            let settings = parse(&format!("-- moonphase: {words}\n")).unwrap().unwrap().settings;
            assert!(settings.fault.is_some_and(|fault| fault.name() == "count-kept") && !settings.is_sound());
            settings.gc.to_string()
        };
        assert_eq!(gc("lua=5.4 fault=count-kept"), "5.3");
        assert_eq!(gc("fault=count-kept gc=5.4 check=full"), "5.4");
        let wrong = parse("-- moonphase: fault=none-such\n").unwrap_err().to_string();
        assert!(wrong.starts_with("line 1: unknown fault 'none-such'"), "{wrong}");
    }

    #[test]
    fn text_without_a_header_is_no_error() {
        assert_eq!(parse("print(1)"), Ok(None));
        assert_eq!(parse(""), Ok(None));
        assert_eq!(body("print(1)"), "print(1)");
    }

    #[test]
    fn a_damaged_header_names_its_line() {
        let reason = |text| parse(text).unwrap_err().to_string();
        assert!(reason("-- moonphase: gc=9").starts_with("line 1: unknown collector policy '9' (known: 5.1, "));
        assert_eq!(reason("-- moonphase: lua"), "line 1: 'lua' is not of the form key=value");
        assert_eq!(
            reason("-- moonphase: lua=5.4 x=1"),
            "line 1: unknown setting 'x' (known: lua, gc, check, schedule, system, fault, reference)"
        );
        assert_eq!(reason("-- moonphase: lua=5.4\n-- finding:  "), "line 2: a finding needs a signature");
        assert!(reason("-- moonphase: lua=5.4\n-- clean: 5.4").starts_with("line 2: "));
    }
}
