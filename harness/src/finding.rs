//! What the harness finds: which oracle spoke, and the signature that tells one fault from another.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Who says that something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Oracle {
    /// The invariant checker, looking at our heap.
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

/// What a case showed.
///
/// Two findings with one signature are one finding. The signature is ASCII, says nothing of names and numbers in the
/// script, and so survives minimizing: `black-to-white setupvalue upvalue->table`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detected {
    /// Who spoke.
    pub oracle: Oracle,
    /// The first word of the signature.
    pub kind: String,
    /// The signature.
    pub signature: String,
}

impl Detected {
    /// A finding with this signature. The kind is its first word.
    pub fn new(oracle: Oracle, signature: impl Into<String>) -> Detected {
        let signature: String = signature.into();
        let kind = signature.split(' ').next().unwrap_or_default().to_owned();
        Detected { oracle, kind, signature }
    }

    /// A name for files that a signature makes: lower case, with dashes.
    pub fn slug(&self) -> String {
        slug(&self.signature)
    }
}

/// The name of a finding's folder.
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
        assert_eq!(Detected::new(Oracle::Crash, "crash vm SIGSEGV").kind, "crash");
    }
}
