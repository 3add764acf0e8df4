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
//! `fails: MESSAGE` says that the script ends with this error. A script that fails without such a line was not tested to its end.
//! A `fault=` is planted into the collector of the first line alone, and lives in its own policy where no `gc=` is given.
//! `system=full` lets the script use the files and processes of the machine, and `reference=none` compares it with no other Lua.
//! A value with blanks or quotes in it is quoted as in a shell: `engine='./a folder'`. The header is a comment to every Lua.
//!
//! The lines stand anywhere before the first line of code: a byte order mark, a line for the shell (`#!`), other comments and
//! blank lines may be before and between them. A first line behind code is an error, since nobody would obey it.

use std::fmt::Write;
use std::ops::Range;

use moonphase_vm::gc::Policy;

use crate::settings::{Given, Setting, Settings};

const MARK: &str = "-- moonphase:";
const FINDING: &str = "-- finding:";
const CLEAN: &str = "-- clean:";
const FAILS: &str = "-- fails:";

/// What some editors put at the beginning of UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What the header of a file says.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Header {
    /// How to run the script.
    pub settings: Settings,
    /// The signatures that must be found, in this order of lines.
    pub findings: Vec<String>,
    /// Policies under which nothing may be found.
    pub clean: Vec<Policy>,
    /// The error with which the script must end, without its place.
    pub fails: Option<String>,
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
    /// Whether a text has a header.
    pub fn is_in(text: &[u8]) -> bool {
        Lines::before_code(text).any(|line| line.text.starts_with(MARK))
    }

    /// Reads the header of a text; `None` where it has none. What the header does not say is as in `usual`.
    ///
    /// # Errors
    /// A line of the header cannot be understood, or stands behind code.
    pub fn parse(text: &[u8], usual: Settings) -> Result<Option<Header>, HeaderError> {
        if !Header::is_in(text) {
            return match late(text) {
                Some(line) => {
                    Err(HeaderError { line, reason: "the header stands behind the first line of code".into() })
                }
                None => Ok(None),
            };
        }
        let mut header = Header { settings: usual, ..Header::default() };
        let mut marks = 0;
        for Line { number, text, .. } in Lines::before_code(text) {
            let error = |reason: String| HeaderError { line: number, reason };
            if let Some(words) = text.strip_prefix(MARK) {
                marks += 1;
                if marks > 1 {
                    return Err(error(format!("a second line that begins with '{MARK}'")));
                }
                let words = shlex::split(words).ok_or_else(|| error("a quote has no end".to_owned()))?;
                let given = words.iter().map(|word| given(word)).collect::<Result<Vec<_>, _>>().map_err(error)?;
                header.settings = header.settings.with(&given).map_err(|reason| error(reason.to_string()))?;
            } else if let Some(signature) = text.strip_prefix(FINDING) {
                match signature.trim() {
                    "" => return Err(error("a finding needs a signature".to_owned())),
                    signature => header.findings.push(signature.to_owned()),
                }
            } else if let Some(words) = text.strip_prefix(CLEAN) {
                let policy = words.trim().strip_prefix("gc=").unwrap_or_default();
                header.clean.push(policy.parse().map_err(|reason| error(format!("{reason}")))?);
            } else if let Some(message) = text.strip_prefix(FAILS) {
                header.fails = match message.trim() {
                    "" => return Err(error("a failure needs the message of its error".to_owned())),
                    message => Some(message.to_owned()),
                };
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
        if let Some(message) = &self.fails {
            let _ = writeln!(text, "{FAILS} {message}");
        }
        text
    }
}

/// What a word of the first line gives, `gc=5.1`.
fn given(word: &str) -> Result<Given, String> {
    let (name, value) = word.split_once('=').ok_or_else(|| format!("'{word}' is not of the form key=value"))?;
    Setting::named(name).and_then(|setting| Given::new(setting, value)).map_err(|error| error.to_string())
}

/// A text without the lines of its header, and without what comes before the text for an editor or a shell.
pub fn body(text: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(text.len());
    let mut from = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    let has_header = Header::is_in(text);
    for line in Lines::before_code(text) {
        let is_header = [MARK, FINDING, CLEAN, FAILS].iter().any(|mark| line.text.starts_with(mark));
        if line.is_for_shell || (has_header && is_header) {
            body.extend_from_slice(&text[from..line.bytes.start.max(from)]);
            from = line.bytes.end;
        }
    }
    body.extend_from_slice(&text[from..]);
    body
}

/// A line before the first one of code.
struct Line {
    /// From 1.
    number: usize,
    /// Where it is, its end included.
    bytes: Range<usize>,
    /// The line without blanks around it; empty in a long comment.
    text: String,
    /// Whether it is the line that names the program for the shell.
    is_for_shell: bool,
}

/// The lines of a text up to its first one of code.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    number: usize,
    /// What ends the long comment that a line before has begun.
    comment_end: Option<Vec<u8>>,
}

impl<'a> Lines<'a> {
    fn before_code(text: &'a [u8]) -> Lines<'a> {
        let at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Lines { text, at, number: 0, comment_end: None }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
        let line = rest[..length].trim_ascii();
        let bytes = self.at..self.at + length;
        let is_for_shell = self.number == 0 && rest.starts_with(b"#");
        let in_comment = self.comment_end.is_some();
        if self.comment_end.is_none() && !is_for_shell && !line.is_empty() {
            let comment = line.strip_prefix(b"--")?;
            self.comment_end = long_comment_end(comment);
        }
        if let Some(end) = &self.comment_end
            && let Some(at) = line.windows(end.len()).position(|part| part == end)
        {
            if at + end.len() < line.len() {
                // Something follows the comment, which may be code.
                return None;
            }
            self.comment_end = None;
        }
        self.at = bytes.end;
        self.number += 1;
        let text = if in_comment { String::new() } else { String::from_utf8_lossy(line).into_owned() };
        Some(Line { number: self.number, bytes, text, is_for_shell })
    }
}

/// What ends a long comment whose text after the dashes begins like this (manual §3.1); `None` where it is a short one.
fn long_comment_end(comment: &[u8]) -> Option<Vec<u8>> {
    let rest = comment.strip_prefix(b"[")?;
    let level = rest.iter().take_while(|&&byte| byte == b'=').count();
    (rest.get(level) == Some(&b'[')).then(|| [&b"]"[..], &rest[..level], b"]"].concat())
}

/// The number of the first line behind code that looks like the first one of a header.
fn late(text: &[u8]) -> Option<usize> {
    text.split(|&byte| byte == b'\n').position(|line| line.starts_with(MARK.as_bytes())).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use moonphase_vm::{Schedule, System, Turns};
    use proptest::prelude::*;

    use super::*;
    use crate::engine::EngineName;
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
        assert_eq!(body(TEXT.as_bytes()), b"print(1)\n");
        assert_eq!(header.to_text() + "print(1)\n", TEXT);
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
            any::<u64>().prop_map(Schedule::Shuffled),
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
                engine: EngineName::default(),
                lua,
                gc,
                reference,
                check,
                schedules,
                system,
                fault: fault.and_then(|at| Fault::ALL.get(at).copied().map(Into::into)),
                allow_dangling: false,
            })
    }

    proptest! {
        #[test]
        fn every_header_that_is_written_reads_back(
            settings in settings(),
            findings in prop::collection::vec("[!-~][ -~]{0,40}[!-~]", 0..3),
            clean in prop::collection::vec(policy(), 0..3),
            fails in prop::option::of("[!-~][ -~]{0,40}[!-~]"),
        ) {
            let header = Header { settings, findings, clean, fails };
            let text = header.to_text() + "print(1)\n";
            prop_assert_eq!(parse(&text), Ok(Some(header)), "{}", text);
            prop_assert_eq!(body(text.as_bytes()), b"print(1)\n");
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
        assert_eq!(body(b"print(1)"), b"print(1)");
    }

    #[test]
    fn a_header_stands_anywhere_before_the_first_line_of_code() {
        for (before, after) in [
            ("\u{feff}", "print(1)\n"),
            ("#!/usr/bin/env lua\n", "print(1)\n"),
            ("\u{feff}#!/usr/bin/env lua\n", "print(1)\n"),
            ("\n\n  \n", "print(1)\n"),
            ("-- Copyright\n-- All rights reserved\n\n", "-- more\nprint(1)\n"),
            ("--[[ Copyright\n-- moonphase: gc=9\n]]\n", "print(1)\n"),
            ("--[==[ one ]] line ]==]\n\t", "--[[ open\n"),
        ] {
            let text = format!("{before}-- moonphase: gc=5.1\r\n-- finding: a b\r\n{after}");
            let header = parse(&text).unwrap().unwrap();
            assert_eq!((header.settings.gc.to_string().as_str(), &header.findings[..]), ("5.1", &["a b".into()][..]));
            let kept = before.trim_start_matches('\u{feff}').trim_start_matches("#!/usr/bin/env lua\n");
            assert_eq!(body(text.as_bytes()), format!("{}{after}", kept.trim_end_matches('\t')).as_bytes(), "{text}");
        }
        let scattered = parse("-- moonphase: gc=5.1\n\n-- words\n-- finding: a b\n-- fails: oh\n").unwrap().unwrap();
        assert_eq!((&scattered.findings[..], scattered.fails.as_deref()), (&["a b".into()][..], Some("oh")));
    }

    #[test]
    fn a_header_that_nobody_would_obey_is_an_error() {
        let reason = |text| parse(text).unwrap_err().to_string();
        assert_eq!(reason("print(1)\n-- moonphase: gc=5.1"), "line 2: the header stands behind the first line of code");
        assert_eq!(
            reason("--[[ x ]] print(1)\n-- moonphase:"),
            "line 2: the header stands behind the first line of code"
        );
        let twice = reason("-- moonphase: gc=5.1\n\n-- moonphase: gc=5.2\n");
        assert_eq!(twice, "line 3: a second line that begins with '-- moonphase:'");
    }

    #[test]
    fn a_damaged_header_names_its_line() {
        let reason = |text| parse(text).unwrap_err().to_string();
        assert!(reason("-- moonphase: gc=9").starts_with("line 1: unknown collector policy '9' (known: 5.1, "));
        assert_eq!(reason("-- moonphase: lua"), "line 1: 'lua' is not of the form key=value");
        assert_eq!(
            reason("-- moonphase: lua=5.4 x=1"),
            "line 1: unknown setting 'x' (known: engine, lua, gc, check, schedule, system, fault, reference)"
        );
        assert_eq!(reason("-- moonphase: lua=5.4\n-- finding:  "), "line 2: a finding needs a signature");
        assert!(reason("-- moonphase: lua=5.4\n-- clean: 5.4").starts_with("line 2: "));
    }
}
