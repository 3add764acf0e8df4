//! Signatures that somebody has accepted: they are no findings any more.
//!
//! A file of them has one a line; `#` begins a comment. `*` stands for any text, so that `black-to-white setupvalue upvalue->*` is
//! one fault whatever is stored. A line that no signature can be like is an error, since a mistyped line would accept nothing.

use moonphase_heap::{Kind, Site};
use moonphase_invariants::Invariant;

use crate::coverage::Cell;
use crate::engine::sanitizer::Tool;
use crate::finding::{FindingKind, Signature};

/// Any text, in a pattern.
const ANYTHING: char = '*';

/// How scripts end, in the signatures of differences.
const ENDS: [&str; 4] = ["returned", "error", "limit", "died"];

/// Accepted signatures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    patterns: Vec<String>,
}

/// A line that no signature can be like.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: no signature can be '{text}'{hint}")]
pub struct UnknownSignature {
    /// The line, from 1.
    pub line: usize,
    /// What it says.
    pub text: String,
    hint: String,
}

impl Known {
    /// Reads the lines of a file.
    ///
    /// # Errors
    /// A line that no signature can be like.
    pub fn parse(text: &str) -> Result<Known, UnknownSignature> {
        let mut patterns = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            let pattern = line.split_whitespace().collect::<Vec<_>>().join(" ");
            if pattern.is_empty() {
                continue;
            }
            if !is_possible(&pattern) {
                return Err(UnknownSignature { line: index + 1, hint: hint(&pattern), text: pattern });
            }
            patterns.push(pattern);
        }
        Ok(Known { patterns })
    }

    /// Whether a signature is accepted.
    pub fn accepts(&self, signature: &Signature) -> bool {
        self.patterns.iter().any(|pattern| matches(pattern, signature.as_str()))
    }
}

/// What the first word could be, where it is none that there is.
fn hint(pattern: &str) -> String {
    let first = pattern.split(' ').next().unwrap_or_default();
    let kinds: Vec<&str> = kinds().map(FindingKind::name).collect();
    if kinds.iter().any(|kind| matches(first, kind)) {
        return String::new();
    }
    format!(" (signatures begin with: {})", kinds.join(", "))
}

fn kinds() -> impl Iterator<Item = FindingKind> {
    use FindingKind::{Crash, Differential, Sanitizer, Schedule, UnreachableState};
    let invariants = Invariant::ALL.iter().copied().map(FindingKind::Invariant);
    let others = [UnreachableState, Differential, Schedule, Crash];
    invariants.chain(others).chain(Tool::ALL.map(Sanitizer))
}

/// Whether a signature can be like this pattern.
fn is_possible(pattern: &str) -> bool {
    // The kind alone decides of most.
    let mut possible = kinds().filter(|kind| meet(pattern, &format!("{kind}{ANYTHING}")));
    possible.any(|kind| forms(kind).iter().any(|form| meet(pattern, form)))
}

/// What signatures of a kind look like, as patterns.
fn forms(kind: FindingKind) -> Vec<String> {
    match kind {
        FindingKind::Invariant(_) => {
            let sites = Site::ALL.iter().map(|site| format!(" {site}")).chain([String::new()]);
            let objects = Kind::ALL.into_iter().flat_map(|holder| {
                let pairs = Kind::ALL.into_iter().map(move |target| format!(" {holder}->{target}"));
                pairs.chain([format!(" {holder}")])
            });
            let objects: Vec<String> = objects.chain([String::new()]).collect();
            sites.flat_map(|site| objects.iter().map(move |objects| format!("{kind}{site}{objects}"))).collect()
        }
        FindingKind::UnreachableState => Cell::first_words().map(|word| format!("{kind} {word} *")).collect(),
        FindingKind::Differential | FindingKind::Schedule => {
            let both = ENDS.iter().flat_map(|ours| ENDS.iter().map(move |other| format!("{ours}/{other}")));
            let ended = both.flat_map(|ends| [format!("{kind} end {ends}"), format!("{kind} output {ends}")]);
            // A probe may have printed what differs.
            ended.flat_map(|form| [format!("{form} *"), form]).collect()
        }
        FindingKind::Crash => ["vm", "reference", "harness"].iter().map(|who| format!("{kind} {who} *")).collect(),
        // What its report names is its own, or its Lua's.
        FindingKind::Sanitizer(_) => vec![format!("{kind} *")],
    }
}

/// Whether a text is like a pattern.
fn matches(pattern: &str, text: &str) -> bool {
    // A star in a signature, which has none, would be taken for one of a pattern.
    !text.contains(ANYTHING) && meet(pattern, text)
}

/// Whether a text can be like both patterns.
fn meet(left: &str, right: &str) -> bool {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let all_stars = |rest: &[char]| rest.iter().all(|&character| character == ANYTHING);
    // Whether what is left of the one from some character on, and what is left of the other, can be the same: from the back.
    let mut behind: Vec<bool> = (0..=right.len()).map(|at| all_stars(&right[at..])).collect();
    for (at, &character) in left.iter().enumerate().rev() {
        let mut here = vec![false; right.len() + 1];
        here[right.len()] = all_stars(&left[at..]);
        for (other_at, &other) in right.iter().enumerate().rev() {
            here[other_at] = match (character, other) {
                (ANYTHING, _) | (_, ANYTHING) => behind[other_at] || here[other_at + 1],
                _ => character == other && behind[other_at + 1],
            };
        }
        behind = here;
    }
    behind[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepts(known: &str, signature: &str) -> bool {
        let (_, rest) = signature.split_once(' ').unwrap();
        let kind = kinds().find(|kind| signature.starts_with(kind.name())).unwrap();
        Known::parse(known).unwrap().accepts(&Signature::new(kind, rest))
    }

    #[test]
    fn a_star_stands_for_any_text() {
        let table = "black-to-white setupvalue upvalue->table";
        for known in
            [table, "black-to-white setupvalue upvalue->*", "black-to-white *", "*setupvalue*", "*", "# x\n\n*table"]
        {
            assert!(accepts(known, table), "{known}");
        }
        for known in ["black-to-white setupvalue upvalue->string", "black-to-white setupvalue", "", "ages *"] {
            assert!(!accepts(known, table), "{known}");
        }
    }

    #[test]
    fn every_form_of_signature_can_be_accepted() {
        for known in [
            "ages table->closure # why",
            "bytes",
            "gray-lists table-key table",
            "differential output returned/error",
            "differential output returned/returned string.rep",
            "schedule end limit/returned",
            "crash vm SIGSEGV",
            "crash vm panic mark.rs",
            "unreachable-state upvalue-close sweep-all other-white->black unused-open-upvalues-are-freed",
        ] {
            assert!(Known::parse(known).is_ok(), "{known}");
        }
    }

    #[test]
    fn a_line_that_no_signature_can_be_like_is_an_error_that_names_it() {
        let error = |text: &str| Known::parse(text).unwrap_err().to_string();
        assert!(
            error("bytes\nblack-to-whit x")
                .starts_with("line 2: no signature can be 'black-to-whit x' (signatures begin")
        );
        assert_eq!(
            error("black-to-white setupvalue upvalue->tabel"),
            "line 1: no signature can be 'black-to-white setupvalue upvalue->tabel'"
        );
        for wrong in
            ["black-to-white setupval upvalue->table", "differential lines returned/returned", "crash lua SIGSEGV"]
        {
            assert!(Known::parse(wrong).is_err(), "{wrong}");
        }
    }
}
