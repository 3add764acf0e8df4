//! What the engines of the family of PUC Lua have in common. Our VM belongs to it: it says what Lua 5.4 says.

use crate::limits::LimitKind;
use crate::words::{At, LimitMessage, Words};

/// The words of PUC Lua: `ldo.c`, `lgc.c` and `llimits.h` have the limits, `lauxlib.c` and `liolib.c` print addresses.
pub static WORDS: Words = Words {
    limits: &[
        LimitMessage { kind: LimitKind::Memory, text: "not enough memory", in_error: At::End, in_line: At::Anywhere },
        LimitMessage { kind: LimitKind::Depth, text: "stack overflow", in_error: At::Anywhere, in_line: At::Anywhere },
        LimitMessage { kind: LimitKind::Depth, text: "error in error handling", in_error: At::End, in_line: At::End },
    ],
    large_source: &["limit is", "overflow", "too many", "too long", "not enough memory"],
    before_quote: " near ",
    address: "0x",
    before_address: &[": ", "("],
};

/// The line of a chunk that the message of an error begins with, and the rest of the message (`luaL_where` in `lauxlib.c`). The
/// chunk is called as in [`Case::chunk_name`](super::Case::chunk_name).
pub fn place<'m>(message: &'m str, chunk_name: &str) -> Option<(u32, &'m str)> {
    let shown = chunk_name.strip_prefix(['@', '=']).unwrap_or(chunk_name);
    let (line, rest) = message.strip_prefix(shown)?.strip_prefix(':')?.split_once(':')?;
    Some((line.parse().ok()?, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::End;

    #[test]
    fn a_message_begins_with_its_place() {
        assert_eq!(place("case.lua:3: oh: no", "@case.lua"), Some((3, "oh: no")));
        assert_eq!(place("other.lua:3: oh", "@case.lua"), None);
        assert_eq!(place("case.lua: oh", "@case.lua"), None);
    }

    #[test]
    fn addresses_are_normalized_in_messages() {
        assert_eq!(WORDS.normalized("table: 0x55aF00 and 0x7f, 0xyz, 0x"), "table: 0x? and 0x?, 0xyz, 0x");
        assert_eq!(WORDS.normalized("é0x1é"), "é0x?é");
        assert_eq!(End::of_error(b"x:1: table: 0x12", &WORDS), End::Error("x:1: table: 0x?".into()));
    }

    #[test]
    fn addresses_of_printed_objects_are_told_from_numbers_of_the_script() {
        for (line, without) in [
            (&b"table: 0x12ab"[..], &b"table: 0x"[..]),
            (b"a\tfile (0x7f)\tb", b"a\tfile (0x)\tb"),
            (b"0x12", b"0x12"),
            (b"x: 0", b"x: 0"),
        ] {
            assert_eq!(WORDS.without_addresses(line), without);
            assert_eq!(WORDS.has_address(line), line != without);
        }
    }

    #[test]
    fn lua_messages_about_limits_are_limits() {
        assert_eq!(End::of_error(b"not enough memory", &WORDS), End::Limit(LimitKind::Memory));
        assert_eq!(End::of_error(b"case:3: stack overflow", &WORDS), End::Limit(LimitKind::Depth));
        assert_eq!(End::of_error(b"error in error handling", &WORDS), End::Limit(LimitKind::Depth));
    }

    #[test]
    fn limits_of_a_compiler_are_told_from_errors() {
        let large = "case.lua:1: too many local variables (limit is 200) in main function near '='";
        assert!(WORDS.is_large_source(large));
        assert!(WORDS.is_large_source("C stack overflow"));
        assert!(!WORDS.is_large_source("case.lua:1: unexpected symbol near 'overflow'"));
    }
}
