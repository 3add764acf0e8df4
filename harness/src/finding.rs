//! What the harness finds: which oracle spoke, and the signature that tells one fault from another.

use std::fmt;

use moonphase_invariants::{Invariant, Violation};
use serde::{Deserialize, Serialize};

use crate::coverage::Unreachable;
use crate::engine::sanitizer::{Tool, ToolReport};

/// Who says that something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Oracle {
    /// The invariant checker, looking at the heap.
    Invariant,
    /// The quarantine: a freed object was touched, or is still referred to.
    Dangling,
    /// The outcome differs from the reference's.
    Differential,
    /// Under a schedule of the collector the outcome is another one than without.
    Schedule,
    /// An engine died, hung or panicked.
    Crash,
}

impl fmt::Display for Oracle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Oracle::Invariant => "invariant",
            Oracle::Dangling => "dangling",
            Oracle::Differential => "differential",
            Oracle::Schedule => "schedule",
            Oracle::Crash => "crash",
        })
    }
}

/// The kind of a finding. Its name is the first word of the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FindingKind {
    /// An invariant of the heap does not hold.
    Invariant(Invariant),
    /// A store met a state of the collector that it cannot meet.
    UnreachableState,
    /// The outcome differs from the reference's.
    Differential,
    /// The outcome depends on the schedule of the collector.
    Schedule,
    /// An engine died, hung or panicked.
    Crash,
    /// A sanitizer has ended an engine.
    Sanitizer(Tool),
}

impl FindingKind {
    /// The first word of signatures.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Invariant(invariant) => invariant.name(),
            FindingKind::UnreachableState => "unreachable-state",
            FindingKind::Differential => "differential",
            FindingKind::Schedule => "schedule",
            FindingKind::Crash => "crash",
            FindingKind::Sanitizer(tool) => tool.word(),
        }
    }

    /// The oracle that speaks of it.
    pub fn oracle(self) -> Oracle {
        match self {
            FindingKind::Invariant(Invariant::Dangling) => Oracle::Dangling,
            FindingKind::Invariant(_) | FindingKind::UnreachableState => Oracle::Invariant,
            FindingKind::Differential => Oracle::Differential,
            FindingKind::Schedule => Oracle::Schedule,
            FindingKind::Crash | FindingKind::Sanitizer(_) => Oracle::Crash,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What tells one finding from another: `black-to-white setupvalue upvalue->table`.
///
/// Two findings with one signature are one finding. Its text is ASCII, says nothing of names and numbers in the script, and
/// so survives minimizing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Signature {
    kind: FindingKind,
    text: String,
    /// How much of the text says what caused it.
    cause: usize,
}

impl Signature {
    /// A finding of some kind, with what tells it from others of that kind.
    pub fn new(kind: FindingKind, particulars: &str) -> Signature {
        let text = format!("{kind} {particulars}");
        Signature { kind, cause: text.len(), text }
    }

    /// The finding that a broken invariant is.
    pub fn of_violation(violation: &Violation) -> Signature {
        let text = violation.signature();
        // The barrier of a site is wrong whatever is stored there.
        let child = match (violation.site, &violation.parent, &violation.child) {
            (Some(_), Some(_), Some(child)) => child.kind.name().len(),
            _ => 0,
        };
        Signature { kind: FindingKind::Invariant(violation.invariant), cause: text.len() - child, text }
    }

    /// The finding that a store is which cannot be.
    pub fn of_unreachable(unreachable: &Unreachable) -> Signature {
        let text = unreachable.signature();
        Signature { kind: FindingKind::UnreachableState, cause: text.len(), text }
    }

    /// The finding that the death of an engine is. `who` is the word for what ran, and `how` says how it died, in a few words.
    pub fn of_crash(who: &str, how: &str) -> Signature {
        Signature::new(FindingKind::Crash, &format!("{who} {}", how.replace(' ', "-")))
    }

    /// The finding that the report of a sanitizer is: `asan use-after-poison reallymarkobject traverseclosure`.
    pub fn of_report(report: &ToolReport) -> Signature {
        let words: Vec<&str> =
            std::iter::once(&report.kind).chain(report.functions.iter().take(2)).map(String::as_str).collect();
        Signature::new(FindingKind::Sanitizer(report.tool), &words.join(" "))
    }

    /// The kind of the finding.
    pub fn kind(&self) -> FindingKind {
        self.kind
    }

    /// The oracle that speaks of it.
    pub fn oracle(&self) -> Oracle {
        self.kind.oracle()
    }

    /// What findings of one cause have in common: the text, without the kind of the object that was stored where a site is wrong.
    pub fn cause(&self) -> &str {
        &self.text[..self.cause]
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The name of a finding's folder: the text of its signature in lower case, with dashes.
pub fn slug(signature: &str) -> String {
    let mut slug = String::with_capacity(signature.len());
    for character in signature.chars() {
        match character {
            'a'..='z' | '0'..='9' => slug.push(character),
            'A'..='Z' => slug.push(character.to_ascii_lowercase()),
            // A run of anything else is one dash.
            _ if !slug.ends_with('-') && !slug.is_empty() => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(100);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_is_a_plain_file_name() {
        assert_eq!(slug("black-to-white setupvalue upvalue->table"), "black-to-white-setupvalue-upvalue-table");
        assert_eq!(slug("crash vm SIGSEGV../x"), "crash-vm-sigsegv-x");
        assert_eq!(slug(&"é/".repeat(300)), "");
    }

    #[test]
    fn the_kind_is_the_first_word_of_the_signature() {
        let crash = Signature::of_crash("vm", "SIGSEGV");
        assert_eq!((crash.kind().name(), crash.as_str()), ("crash", "crash vm SIGSEGV"));
        assert_eq!(crash.oracle(), Oracle::Crash);
    }

    #[test]
    fn a_signature_survives_the_way_between_processes() {
        for kind in [FindingKind::Crash, FindingKind::Invariant(Invariant::BlackToWhite)] {
            let signature = Signature::new(kind, "what else");
            let bytes = postcard::to_stdvec(&signature).unwrap();
            assert_eq!(postcard::from_bytes::<Signature>(&bytes), Ok(signature));
        }
    }
}
