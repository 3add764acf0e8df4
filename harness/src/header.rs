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
//! `system=full` lets the script use the files and processes of the machine, and `reference=none` compares it with no other Lua.
//! The header is a comment to every Lua.

use std::fmt::Write;

use moonphase_vm::gc::Policy;

use crate::settings::{Given, Setting, Settings};

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
                let given = words.split_whitespace().map(given).collect::<Result<Vec<_>, _>>().map_err(error)?;
                header.settings = header.settings.with(&given).map_err(|reason| error(reason.to_string()))?;
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

/// What a word of the first line gives, `gc=5.1`.
fn given(word: &str) -> Result<Given, String> {
    let (name, value) = word.split_once('=').ok_or_else(|| format!("'{word}' is not of the form key=value"))?;
    Setting::named(name).and_then(|setting| Given::new(setting, value)).map_err(|error| error.to_string())
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
    use moonphase_vm::{Schedule, System, Turns};
    use proptest::prelude::*;

    use super::*;
    use crate::fault::Fault;
    use crate::language::Language;
    use crate::schedule::Schedules;
    use crate::settings::{Check, Reference};

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

    fn schedules() -> impl Strategy<Value = Schedules> {
        // In the order of their points.
        let steps = prop::collection::btree_map(1..1_000_000_u64, 1..1000_u32, 1..5);
        let steps = steps.prop_map(|steps| steps.into_iter().map(|(point, turns)| Turns { point, turns }).collect());
        let only = prop_oneof![
            Just(Schedule::None),
            Just(Schedule::Stress),
            Just(Schedule::Barriers),
            Just(Schedule::Generational),
            any::<u64>().prop_map(Schedule::Random),
            steps.prop_map(Schedule::Steps),
        ];
        prop_oneof![Just(Schedules::Usual), Just(Schedules::All), only.prop_map(Schedules::Only)]
    }

    /// A preset with some rules changed, in whatever order.
    fn policy() -> impl Strategy<Value = Policy> {
        let change = prop::sample::select(Policy::RULES)
            .prop_flat_map(|(rule, values)| prop::sample::select(values).prop_map(move |value| (rule, value)));
        (prop::sample::select(Policy::PRESETS), prop::collection::vec(change, 0..4)).prop_map(|(preset, changes)| {
            changes.into_iter().fold(preset, |policy, (rule, value)| {
                // Not every policy has every rule.
                format!("{policy},{rule}={value}").parse().unwrap_or(policy)
            })
        })
    }

    fn settings() -> impl Strategy<Value = Settings> {
        (
            prop::sample::select(Language::ALL),
            policy(),
            prop::sample::select(Reference::ALL),
            prop::sample::select(Check::all().collect::<Vec<_>>()),
            schedules(),
            prop::sample::select(&[System::None, System::Full][..]),
            prop::option::of(0..Fault::ALL.len().max(1)),
        )
            .prop_map(|(lua, gc, reference, check, schedules, system, fault)| Settings {
                lua,
                gc,
                reference,
                check,
                schedules,
                system,
                fault: fault.and_then(|at| Fault::ALL.get(at).copied()),
                allow_dangling: false,
            })
    }

    proptest! {
        #[test]
        fn every_header_that_is_written_reads_back(
            settings in settings(),
            findings in prop::collection::vec("[!-~][ -~]{0,40}[!-~]", 0..3),
            clean in prop::collection::vec(policy(), 0..3),
        ) {
            let header = Header { settings, findings, clean };
            let text = header.to_text() + "print(1)\n";
            prop_assert_eq!(parse(&text), Ok(Some(header)), "{}", text);
            prop_assert_eq!(body(&text), "print(1)\n");
        }
    }

    #[test]
    fn what_is_as_usual_is_written_only_where_a_reader_wants_it() {
        assert_eq!(Header::default().to_text(), "-- moonphase: lua=5.4 gc=5.4 check=barrier\n");
        let settings = Settings { reference: Reference::None, system: System::Full, ..Settings::default() };
        let text = Header { settings, ..Header::default() }.to_text();
        assert_eq!(text, "-- moonphase: lua=5.4 gc=5.4 check=barrier system=full reference=none\n");
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
