//! Places in scripts, and how messages name the chunk that a place is in.
//!
//! The host gives a chunk a name: `=name` is shown as it is, `@file` is a file, and anything else is the source text
//! itself (manual, `lua_Debug`: `source` and `short_src`).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A place in a script. It is shown as Lua's messages write it: `script.lua:3`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location {
    /// The chunk's name as given to `load`.
    pub source: Vec<u8>,
    /// Line, from 1; 0 for the chunk as a whole.
    pub line: u32,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunk = chunk_id(&self.source);
        f.write_str(&String::from_utf8_lossy(&chunk))?;
        if self.line == 0 { Ok(()) } else { write!(f, ":{}", self.line) }
    }
}

/// Most bytes that a name takes in a message.
const LIMIT: usize = 59;

/// The name of a chunk for messages, the `short_src` of `debug.getinfo`.
///
/// It has at most 59 bytes. A file name that is too long loses its beginning; a source text is shown as
/// `[string "first line..."]`. A zero byte ends the name, as everywhere in Lua's messages.
pub fn chunk_id(name: &[u8]) -> Vec<u8> {
    let mut id = Vec::with_capacity(LIMIT);
    match name.split_first() {
        Some((b'=', rest)) => id.extend_from_slice(&rest[..rest.len().min(LIMIT)]),
        Some((b'@', file)) if file.len() <= LIMIT => id.extend_from_slice(file),
        Some((b'@', file)) => {
            const DOTS: &[u8] = b"...";
            id.extend_from_slice(DOTS);
            id.extend_from_slice(&file[file.len() - (LIMIT - DOTS.len())..]);
        }
        _ => {
            const BEFORE: &[u8] = b"[string \"";
            const AFTER: &[u8] = b"...\"]";
            let room = LIMIT - BEFORE.len() - AFTER.len();
            id.extend_from_slice(BEFORE);
            let line_end = name.iter().position(|&byte| byte == b'\n');
            if line_end.is_none() && name.len() < room {
                id.extend_from_slice(name);
                id.extend_from_slice(&AFTER[3..]);
            } else {
                id.extend_from_slice(&name[..line_end.unwrap_or(name.len()).min(room)]);
                id.extend_from_slice(AFTER);
            }
        }
    }
    id.truncate(c_string(&id).len());
    id
}

/// The bytes before the first zero.
fn c_string(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == 0).next().unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> String {
        String::from_utf8(chunk_id(name.as_bytes())).expect("ASCII")
    }

    #[test]
    fn a_literal_name_is_shown_as_it_is_and_cut_at_its_end() {
        assert_eq!(id("=stdin"), "stdin");
        assert_eq!(id("="), "");
        assert_eq!(id(&format!("={}", "a".repeat(59))), "a".repeat(59));
        assert_eq!(id(&format!("={}", "a".repeat(60))), "a".repeat(59));
    }

    #[test]
    fn a_long_file_name_loses_its_beginning() {
        assert_eq!(id("@dir/file.lua"), "dir/file.lua");
        assert_eq!(id(&format!("@{}", "b".repeat(59))), "b".repeat(59));
        assert_eq!(id(&format!("@x{}y", "b".repeat(58))), format!("...{}y", "b".repeat(55)));
    }

    #[test]
    fn a_source_text_is_shown_by_its_first_line() {
        assert_eq!(id("x = 1"), "[string \"x = 1\"]");
        assert_eq!(id("x = 1\ny = 2"), "[string \"x = 1...\"]");
        assert_eq!(id("\n"), "[string \"...\"]");
        assert_eq!(id(""), "[string \"\"]");
        assert_eq!(id(&"c".repeat(44)), format!("[string \"{}\"]", "c".repeat(44)));
        assert_eq!(id(&"c".repeat(45)), format!("[string \"{}...\"]", "c".repeat(45)));
        assert_eq!(id(&"c".repeat(99)), format!("[string \"{}...\"]", "c".repeat(45)));
    }

    #[test]
    fn a_zero_byte_ends_the_name() {
        assert_eq!(id("ab\0cd"), "[string \"ab");
        assert_eq!(id("=ab\0cd"), "ab");
    }
}
