//! What engines say in words of their own: how they report limits, and what the addresses look like that they print.
//!
//! Comparing outcomes needs to know both, and each engine has its words.

use crate::limits::LimitKind;

/// The words of an engine.
#[derive(Debug)]
pub struct Words {
    /// Messages by which it reports that a limit was hit.
    pub limits: &'static [LimitMessage],
    /// What its compiler says of a source that is too large in some respect, rather than wrong.
    pub large_source: &'static [&'static str],
    /// What stands between such a reason and what is quoted from the source.
    pub before_quote: &'static str,
    /// What addresses begin with; hexadecimal digits follow.
    pub address: &'static str,
    /// What stands before the address of a printed object. Elsewhere such a number is the script's own.
    pub before_address: &'static [&'static str],
}

/// A message by which an engine reports that a limit was hit.
#[derive(Debug)]
pub struct LimitMessage {
    /// Which limit.
    pub kind: LimitKind,
    /// The words.
    pub text: &'static str,
    /// Where they stand in the message of the error that ended a script.
    pub in_error: At,
    /// Where they stand in a line that the script printed after it had caught the error.
    pub in_line: At,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// At its end.
    End,
    /// Anywhere.
    Anywhere,
}

impl At {
    fn has(self, text: &[u8], word: &str) -> bool {
        match self {
            At::End => text.ends_with(word.as_bytes()),
            At::Anywhere => contains(text, word.as_bytes()),
        }
    }
}

impl Words {
    /// The limit that the message of an error reports.
    pub fn limit_in_error(&self, message: &[u8]) -> Option<LimitKind> {
        self.limits.iter().find(|limit| limit.in_error.has(message, limit.text)).map(|limit| limit.kind)
    }

    /// The limit whose error a script caught and printed.
    pub fn limit_in_line(&self, line: &[u8]) -> Option<LimitKind> {
        self.limits.iter().find(|limit| limit.in_line.has(line, limit.text)).map(|limit| limit.kind)
    }

    /// Whether the compiler refuses a source with this message because it is too large in some respect.
    pub fn is_large_source(&self, message: &str) -> bool {
        let reason = message.split(self.before_quote).next().unwrap_or_default();
        self.large_source.iter().any(|word| reason.contains(word))
    }

    /// The message of an error with a mark in the place of every address.
    pub fn normalized(&self, message: &str) -> String {
        let mut out = String::with_capacity(message.len());
        let mut rest = message;
        while let Some(at) = rest.find(self.address) {
            let (before, from) = rest.split_at(at + self.address.len());
            let digits = from.bytes().take_while(u8::is_ascii_hexdigit).count();
            out.push_str(before);
            if digits > 0 {
                out.push('?');
            }
            rest = &from[digits..];
        }
        out.push_str(rest);
        out
    }

    /// Whether a printed line has the address of an object.
    pub fn has_address(&self, line: &[u8]) -> bool {
        self.before_address.iter().any(|before| {
            line.windows(before.len() + self.address.len())
                .any(|part| part.starts_with(before.as_bytes()) && part.ends_with(self.address.as_bytes()))
        })
    }

    /// A printed line without the digits of addresses.
    pub fn without_addresses(&self, line: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(line.len());
        let mut at = 0;
        while at < line.len() {
            out.push(line[at]);
            at += 1;
            if self.ends_before_digits(&out) {
                at += line[at..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            }
        }
        out
    }

    fn ends_before_digits(&self, text: &[u8]) -> bool {
        let Some(before) = text.strip_suffix(self.address.as_bytes()) else { return false };
        self.before_address.iter().any(|word| before.ends_with(word.as_bytes()))
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}
