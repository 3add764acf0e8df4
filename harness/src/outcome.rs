//! What a script was seen to do, and whether two engines saw the same.
//!
//! An [`Outcome`] holds only what every correct Lua must agree about: the printed bytes, cut into lines, and how the
//! script ended. Addresses in error messages are normalized away. [`compare`] says *differ* only where a limit cannot
//! be the reason, so that a limit costs an answer and never makes a false one. How an engine words what is compared is the
//! engine's to know: see [`Words`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::circumstance::Dependence;
pub use crate::limits::LimitKind;
use crate::words::Words;

/// What one engine made of one script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The printed lines, without their line ends. A last line without a line end counts as a line.
    pub lines: Vec<Vec<u8>>,
    /// How the script ended.
    pub end: End,
}

impl Outcome {
    /// The outcome as it is compared: with the words of the engine that had it.
    pub fn in_words_of(&self, words: &'static Words) -> Told<'_> {
        Told { outcome: self, words }
    }
}

/// An outcome with the words of the engine that had it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The outcome.
    pub outcome: &'a Outcome,
    /// The words.
    pub words: &'static Words,
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
    /// The script ended itself, with this status.
    Exit(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Returned => f.write_str("returned"),
            End::Error(message) => write!(f, "error: {message}"),
            End::Limit(kind) => write!(f, "stopped at the {kind}"),
            End::Died(how) => write!(f, "died: {how}"),
            End::Exit(status) => write!(f, "exited with status {status}"),
        }
    }
}

impl End {
    /// The end of a script that raised `message` in an engine with these words. Messages by which the engine reports a limit
    /// become that limit.
    pub fn of_error(message: &[u8], words: &Words) -> End {
        match words.limit_in_error(message) {
            Some(kind) => End::Limit(kind),
            None => End::Error(words.normalized(&String::from_utf8_lossy(message))),
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

    /// The bytes printed so far; leaves the output empty.
    pub fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
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

impl Difference {
    /// Where it is: differences in a line come before those in how a script ended.
    pub fn place(&self) -> usize {
        self.line.unwrap_or(usize::MAX)
    }
}

/// Why two outcomes could not be compared to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Inconclusive {
    /// Only the subject hit a limit.
    SubjectLimit(LimitKind),
    /// Only the reference hit a limit.
    ReferenceLimit(LimitKind),
    /// The script caught the error of a limit and printed it; engines word and place it differently.
    LimitCaught(LimitKind),
    /// The subject died, which is a finding of its own.
    SubjectDied,
    /// The reference died, which is a finding too.
    ReferenceDied,
    /// They differ where the reference differs from itself: the script depends on what correct Luas do each in their own way.
    DependsOn(Dependence),
}

impl fmt::Display for Inconclusive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Inconclusive::SubjectLimit(kind) => write!(f, "only the engine under test hit the {kind}"),
            Inconclusive::ReferenceLimit(kind) => write!(f, "only the reference hit the {kind}"),
            Inconclusive::LimitCaught(kind) => write!(f, "the script caught the error of the {kind}"),
            Inconclusive::SubjectDied => f.write_str("the engine under test died"),
            Inconclusive::ReferenceDied => f.write_str("the reference died"),
            Inconclusive::DependsOn(what) => write!(f, "what the script does depends on {what}"),
        }
    }
}

/// Compares what two engines made of one script: the subject, and a reference or the subject again, without a schedule.
///
/// What was printed before a limit is compared. A limit on one side alone is inconclusive, unless that side had by then
/// printed something that the other never did. With limits on both sides the common prefix decides.
pub fn compare(subject: Told<'_>, other: Told<'_>) -> Comparison {
    let (ours, reference) = (subject.outcome, other.outcome);
    if matches!(ours.end, End::Died(_)) {
        return Comparison::Inconclusive(Inconclusive::SubjectDied);
    }
    if matches!(reference.end, End::Died(_)) {
        return Comparison::Inconclusive(Inconclusive::ReferenceDied);
    }
    let limits = (ours.end.limit(), reference.end.limit());
    let limited = match limits {
        (None, None) | (Some(_), Some(_)) => None,
        (Some(kind), None) => Some(Inconclusive::SubjectLimit(kind)),
        (None, Some(kind)) => Some(Inconclusive::ReferenceLimit(kind)),
    };

    let common = ours.lines.len().min(reference.lines.len());
    for at in 0..common {
        let (left, right) = (&ours.lines[at], &reference.lines[at]);
        if same_line((left, subject.words), (right, other.words)) {
            continue;
        }
        // A limit may have cut the last line short.
        let cut_short = |outcome: &Outcome, cut: &[u8], whole: &[u8]| {
            outcome.end.limit().is_some() && at + 1 == outcome.lines.len() && whole.starts_with(cut)
        };
        if cut_short(ours, left, right) || cut_short(reference, right, left) {
            return limited.map_or(Comparison::Agree, Comparison::Inconclusive);
        }
        return differ(Some(at), Some(left), Some(right), subject, other);
    }

    let (left, right) = (ours.lines.get(common), reference.lines.get(common));
    match (left, right, limits) {
        // One side went on where the other had ended by itself.
        (Some(_), None, (_, None)) | (None, Some(_), (None, _)) => differ(Some(common), left, right, subject, other),
        (None, None, (None, None)) if ours.end != reference.end => differ(None, None, None, subject, other),
        _ => limited.map_or(Comparison::Agree, Comparison::Inconclusive),
    }
}

/// Whether two printed lines are the same but for the addresses of printed objects (`table: 0x…`, `file (0x…)`).
fn same_line((left, its): (&[u8], &Words), (right, other): (&[u8], &Words)) -> bool {
    left == right
        || (its.has_address(left)
            && other.has_address(right)
            && its.without_addresses(left) == other.without_addresses(right))
}

fn differ(
    line: Option<usize>,
    left: Option<&Vec<u8>>,
    right: Option<&Vec<u8>>,
    subject: Told<'_>,
    other: Told<'_>,
) -> Comparison {
    let caught = |line: Option<&Vec<u8>>, told: Told<'_>| told.words.limit_in_line(line?);
    if let Some(kind) = caught(left, subject).or_else(|| caught(right, other)) {
        return Comparison::Inconclusive(Inconclusive::LimitCaught(kind));
    }
    let describe = |text: Option<&Vec<u8>>, outcome: &Outcome| match text {
        Some(text) => String::from_utf8_lossy(text).into_owned(),
        None => format!("({})", outcome.end),
    };
    Comparison::Differ(Difference {
        line,
        ours: describe(left, subject.outcome),
        reference: describe(right, other.outcome),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::puc;
    use crate::words::{At, LimitMessage};

    /// What engines of one family say of a script.
    fn compare(ours: &Outcome, reference: &Outcome) -> Comparison {
        super::compare(ours.in_words_of(&puc::WORDS), reference.in_words_of(&puc::WORDS))
    }

    /// Words that no Lua has.
    static OTHER: Words = Words {
        limits: &[LimitMessage { kind: LimitKind::Memory, text: "no room", in_error: At::End, in_line: At::Anywhere }],
        large_source: &[],
        before_quote: ":",
        address: "@",
        before_address: &["#"],
    };

    #[test]
    fn each_side_is_read_in_the_words_of_its_engine() {
        let [left, right] =
            ["false\tnot enough memory\n", "false\tno room at all\n"].map(|text| outcome(text, End::Returned));
        let caught = Comparison::Inconclusive(Inconclusive::LimitCaught(LimitKind::Memory));
        let whole = outcome("true\n", End::Returned);
        let told = |outcome, words| Outcome::in_words_of(outcome, words);
        assert_eq!(super::compare(told(&left, &puc::WORDS), told(&whole, &OTHER)), caught);
        assert_eq!(super::compare(told(&whole, &puc::WORDS), told(&right, &OTHER)), caught);
        // In the words of the other engine it is a line like any other.
        assert!(matches!(super::compare(told(&left, &OTHER), told(&whole, &OTHER)), Comparison::Differ(_)));

        let [left, right] = ["table: 0x12\n", "table: 0x@ff\n"].map(|text| outcome(text, End::Returned));
        assert!(matches!(super::compare(told(&left, &puc::WORDS), told(&right, &OTHER)), Comparison::Differ(_)));
        assert_eq!(End::of_error(b"no room", &OTHER), End::Limit(LimitKind::Memory));
        assert_eq!(End::of_error(b"at @12af", &OTHER), End::Error("at @?".into()));
    }

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
        let ours = Inconclusive::SubjectLimit(LimitKind::Instructions);
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
        assert_eq!(compare(&dead, &alive), Comparison::Inconclusive(Inconclusive::SubjectDied));
        assert_eq!(compare(&alive, &dead), Comparison::Inconclusive(Inconclusive::ReferenceDied));
    }
}
