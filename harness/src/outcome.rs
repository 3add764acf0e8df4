//! What a script was seen to do, and whether two engines saw the same.
//!
//! An [`Outcome`] holds only what every correct Lua must agree about: the printed bytes, cut into lines, and how the
//! script ended. Addresses in error messages are normalized away. [`compare`] says *differ* only where a limit cannot
//! be the reason, so that a limit costs a verdict and never makes a false one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What one engine made of one script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The printed lines, without their line ends. A last line without a line end counts as a line.
    pub lines: Vec<Vec<u8>>,
    /// How the script ended.
    pub end: End,
}

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The main chunk returned.
    Returned,
    /// An error reached the host; the message is normalized.
    Error(String),
    /// The engine stopped the script at a limit.
    Limit(LimitKind),
    /// The engine's process died, for example "SIGSEGV".
    Died(String),
}

/// The limits that can end a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LimitKind {
    /// Too many VM instructions.
    Instructions,
    /// The heap grew too large.
    Memory,
    /// Calls were nested too deeply.
    Depth,
    /// Too much was printed.
    Output,
    /// The deadline passed.
    Time,
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LimitKind::Instructions => "instruction limit",
            LimitKind::Memory => "memory limit",
            LimitKind::Depth => "nesting limit",
            LimitKind::Output => "output limit",
            LimitKind::Time => "deadline",
        })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Returned => f.write_str("returned"),
            End::Error(message) => write!(f, "error: {message}"),
            End::Limit(kind) => write!(f, "stopped at the {kind}"),
            End::Died(how) => write!(f, "died: {how}"),
        }
    }
}

impl End {
    /// The end of a script that raised `message`. Messages by which Lua itself reports a limit become that limit.
    pub fn from_error_message(message: &[u8]) -> End {
        match limit_in_message(message) {
            Some(kind) => End::Limit(kind),
            None => End::Error(normalize(&String::from_utf8_lossy(message))),
        }
    }

    /// The limit that ended the script, if one did.
    pub fn limit(&self) -> Option<LimitKind> {
        match self {
            End::Limit(kind) => Some(*kind),
            _ => None,
        }
    }
}

/// The limit that an error message of Lua reports.
fn limit_in_message(message: &[u8]) -> Option<LimitKind> {
    if message.ends_with(b"not enough memory") {
        Some(LimitKind::Memory)
    } else if contains(message, b"stack overflow") || message.ends_with(b"error in error handling") {
        Some(LimitKind::Depth)
    } else {
        None
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

/// Replaces every hexadecimal number `0x…` by `0x?`: in error messages these are addresses of objects.
pub fn normalize(message: &str) -> String {
    let mut out = String::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.find("0x") {
        let digits = rest[at + 2..].bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str(&rest[..at]);
        out.push_str(if digits > 0 { "0x?" } else { "0x" });
        rest = &rest[at + 2 + digits..];
    }
    out.push_str(rest);
    out
}

/// Collects what a script prints, up to a number of bytes, and cuts it into lines.
#[derive(Debug)]
pub struct Output {
    bytes: Vec<u8>,
    limit: usize,
}

/// The script printed more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much output")]
pub struct OutputFull;

impl Output {
    /// An empty output that takes at most `limit` bytes.
    pub fn new(limit: usize) -> Output {
        Output { bytes: Vec::new(), limit }
    }

    /// Appends bytes. Where they pass the limit, those that fit are kept, so that the kept output is the same however
    /// an engine splits its writes.
    ///
    /// # Errors
    /// [`OutputFull`] if not all of them fit.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), OutputFull> {
        let room = self.limit - self.bytes.len();
        if bytes.len() > room {
            self.bytes.extend_from_slice(&bytes[..room]);
            return Err(OutputFull);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The lines printed so far; leaves the output empty.
    pub fn take_lines(&mut self) -> Vec<Vec<u8>> {
        let bytes = std::mem::take(&mut self.bytes);
        let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        if lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        lines
    }
}

/// What comparing two outcomes of one script says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    /// Both did the same as far as both went.
    Agree,
    /// They did different things; no limit explains it.
    Differ(Difference),
    /// There is no telling.
    Inconclusive(Inconclusive),
}

/// The first thing in which two outcomes differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Index of the printed line, from 0; `None` if they differ only in how the script ended.
    pub line: Option<usize>,
    /// What our engine did there: the line, or how the script ended before it.
    pub ours: String,
    /// What the reference did there.
    pub reference: String,
}

/// Why two outcomes could not be compared to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Inconclusive {
    /// Only our engine hit a limit.
    OurLimit(LimitKind),
    /// Only the reference hit a limit.
    ReferenceLimit(LimitKind),
    /// The script caught the error of a limit and printed it; engines word and place it differently.
    LimitCaught(LimitKind),
    /// Our engine died, which is a finding of its own.
    WeDied,
    /// The reference died.
    ReferenceDied,
}

impl fmt::Display for Inconclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Inconclusive::OurLimit(kind) => write!(f, "only the VM hit the {kind}"),
            Inconclusive::ReferenceLimit(kind) => write!(f, "only the reference hit the {kind}"),
            Inconclusive::LimitCaught(kind) => write!(f, "the script caught the error of the {kind}"),
            Inconclusive::WeDied => f.write_str("the VM died"),
            Inconclusive::ReferenceDied => f.write_str("the reference died"),
        }
    }
}

/// Compares what two engines made of one script.
///
/// What was printed before a limit is compared. A limit on one side alone is inconclusive, unless that side had by then
/// printed something that the other never did. With limits on both sides the common prefix decides.
pub fn compare(ours: &Outcome, reference: &Outcome) -> Comparison {
    if matches!(ours.end, End::Died(_)) {
        return Comparison::Inconclusive(Inconclusive::WeDied);
    }
    if matches!(reference.end, End::Died(_)) {
        return Comparison::Inconclusive(Inconclusive::ReferenceDied);
    }
    let limits = (ours.end.limit(), reference.end.limit());
    let limited = match limits {
        (None, None) | (Some(_), Some(_)) => None,
        (Some(kind), None) => Some(Inconclusive::OurLimit(kind)),
        (None, Some(kind)) => Some(Inconclusive::ReferenceLimit(kind)),
    };

    let common = ours.lines.len().min(reference.lines.len());
    for at in 0..common {
        let (left, right) = (&ours.lines[at], &reference.lines[at]);
        if same_line(left, right) {
            continue;
        }
        // A limit may have cut the last line short.
        let cut_short = |outcome: &Outcome, cut: &[u8], whole: &[u8]| {
            outcome.end.limit().is_some() && at + 1 == outcome.lines.len() && whole.starts_with(cut)
        };
        if cut_short(ours, left, right) || cut_short(reference, right, left) {
            return limited.map_or(Comparison::Agree, Comparison::Inconclusive);
        }
        return differ(Some(at), Some(left), Some(right), ours, reference);
    }

    let (left, right) = (ours.lines.get(common), reference.lines.get(common));
    match (left, right, limits) {
        // One side went on where the other had ended by itself.
        (Some(_), None, (_, None)) | (None, Some(_), (None, _)) => differ(Some(common), left, right, ours, reference),
        (None, None, (None, None)) if ours.end != reference.end => differ(None, None, None, ours, reference),
        _ => limited.map_or(Comparison::Agree, Comparison::Inconclusive),
    }
}

/// Whether two printed lines are the same but for the addresses of printed objects (`table: 0x…`, `file (0x…)`).
fn same_line(left: &[u8], right: &[u8]) -> bool {
    left == right || (has_address(left) && has_address(right) && without_addresses(left) == without_addresses(right))
}

/// What stands before an address.
const BEFORE_ADDRESS: [&[u8]; 2] = [b": 0x", b"(0x"];

fn has_address(line: &[u8]) -> bool {
    BEFORE_ADDRESS.iter().any(|before| contains(line, before))
}

fn without_addresses(line: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut at = 0;
    while at < line.len() {
        out.push(line[at]);
        at += 1;
        if BEFORE_ADDRESS.iter().any(|before| out.ends_with(before)) {
            at += line[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        }
    }
    out
}

fn differ(
    line: Option<usize>,
    left: Option<&Vec<u8>>,
    right: Option<&Vec<u8>>,
    ours: &Outcome,
    reference: &Outcome,
) -> Comparison {
    if let Some(kind) = [left, right].into_iter().flatten().find_map(|text| limit_caught(text)) {
        return Comparison::Inconclusive(Inconclusive::LimitCaught(kind));
    }
    let describe = |text: Option<&Vec<u8>>, outcome: &Outcome| match text {
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => format!("({})", outcome.end),
    };
    Comparison::Differ(Difference { line, ours: describe(left, ours), reference: describe(right, reference) })
}

/// The limit whose error a script caught and printed.
fn limit_caught(line: &[u8]) -> Option<LimitKind> {
    if contains(line, b"not enough memory") { Some(LimitKind::Memory) } else { limit_in_message(line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str, end: End) -> Outcome {
        let mut output = Output::new(1000);
        output.write(text.as_bytes()).unwrap();
        Outcome { lines: output.take_lines(), end }
    }

    #[test]
    fn output_is_cut_at_the_limit_and_split_into_lines() {
        let mut output = Output::new(8);
        assert_eq!(output.write(b"a\n\nb"), Ok(()));
        assert_eq!(output.write(b"cdefgh"), Err(OutputFull));
        assert_eq!(output.write(b"x"), Err(OutputFull));
        assert_eq!(output.take_lines(), [&b"a"[..], b"", b"bcdef"]);
        assert_eq!(output.take_lines(), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn addresses_are_normalized_in_messages() {
        assert_eq!(normalize("table: 0x55aF00 and 0x7f, 0xyz, 0x"), "table: 0x? and 0x?, 0xyz, 0x");
        assert_eq!(normalize("é0x1é"), "é0x?é");
        assert_eq!(End::from_error_message(b"x:1: table: 0x12"), End::Error("x:1: table: 0x?".into()));
    }

    #[test]
    fn lua_messages_about_limits_are_limits() {
        assert_eq!(End::from_error_message(b"not enough memory"), End::Limit(LimitKind::Memory));
        assert_eq!(End::from_error_message(b"case:3: stack overflow"), End::Limit(LimitKind::Depth));
        assert_eq!(End::from_error_message(b"error in error handling"), End::Limit(LimitKind::Depth));
    }

    #[test]
    fn equal_outcomes_agree_and_printed_addresses_do_not_matter() {
        let left = outcome("a\ntable: 0x12\n", End::Returned);
        assert_eq!(compare(&left, &left), Comparison::Agree);
        assert_eq!(compare(&left, &outcome("a\ntable: 0xffff00\n", End::Returned)), Comparison::Agree);
    }

    #[test]
    fn the_first_different_line_is_named() {
        let comparison = compare(&outcome("a\nb\nc", End::Returned), &outcome("a\nX\nY", End::Returned));
        let difference = Difference { line: Some(1), ours: "b".into(), reference: "X".into() };
        assert_eq!(comparison, Comparison::Differ(difference));
    }

    #[test]
    fn a_missing_line_and_a_different_end_are_differences() {
        let comparison = compare(&outcome("a\n", End::Returned), &outcome("a\nb\n", End::Error("e".into())));
        let difference = Difference { line: Some(1), ours: "(returned)".into(), reference: "b".into() };
        assert_eq!(comparison, Comparison::Differ(difference));
        let comparison = compare(&outcome("a\n", End::Returned), &outcome("a\n", End::Error("e".into())));
        let difference = Difference { line: None, ours: "(returned)".into(), reference: "(error: e)".into() };
        assert_eq!(comparison, Comparison::Differ(difference));
    }

    #[test]
    fn a_limit_on_one_side_is_inconclusive_after_an_equal_prefix() {
        let limited = outcome("a\nb", End::Limit(LimitKind::Instructions));
        let whole = outcome("a\nbcd\ne\n", End::Returned);
        let ours = Inconclusive::OurLimit(LimitKind::Instructions);
        assert_eq!(compare(&limited, &whole), Comparison::Inconclusive(ours));
        let theirs = Inconclusive::ReferenceLimit(LimitKind::Instructions);
        assert_eq!(compare(&whole, &limited), Comparison::Inconclusive(theirs));
    }

    #[test]
    fn what_was_printed_before_a_limit_is_still_compared() {
        let limited = outcome("a\nb\nc\n", End::Limit(LimitKind::Time));
        assert!(matches!(compare(&limited, &outcome("a\nX\nc\n", End::Returned)), Comparison::Differ(_)));
        // The other side ended by itself and never printed the last line.
        assert!(matches!(compare(&limited, &outcome("a\nb\n", End::Returned)), Comparison::Differ(_)));
    }

    #[test]
    fn with_limits_on_both_sides_the_common_prefix_decides() {
        let short = outcome("a\nb\n", End::Limit(LimitKind::Time));
        let long = outcome("a\nb\nc\n", End::Limit(LimitKind::Instructions));
        assert_eq!(compare(&short, &long), Comparison::Agree);
        let other = outcome("a\nX\nc\n", End::Limit(LimitKind::Memory));
        assert!(matches!(compare(&long, &other), Comparison::Differ(_)));
    }

    #[test]
    fn a_limit_that_the_script_caught_is_inconclusive() {
        let left = outcome("false\tcase:1: stack overflow\n", End::Returned);
        let right = outcome("false\tcase:2: stack overflow (a message)\n", End::Returned);
        let caught = Inconclusive::LimitCaught(LimitKind::Depth);
        assert_eq!(compare(&left, &right), Comparison::Inconclusive(caught));
    }

    #[test]
    fn a_death_is_left_to_the_crash_oracle() {
        let dead = outcome("", End::Died("SIGSEGV".into()));
        let alive = outcome("a\n", End::Returned);
        assert_eq!(compare(&dead, &alive), Comparison::Inconclusive(Inconclusive::WeDied));
        assert_eq!(compare(&alive, &dead), Comparison::Inconclusive(Inconclusive::ReferenceDied));
    }
}
