//! In what the grammars of the Luas differ. Lexer and parser ask for features by name; nobody compares versions.

use crate::version::LuaVersion;

/// The features of a grammar. Manuals §2.1 to §2.5 of 5.1, §3 of later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Syntax {
    /// `goto` and labels. Without them `goto` is an ordinary name, and `::` is two colons.
    pub goto: bool,
    /// Integers, and the operators `//`, `&`, `|`, `~`, `<<` and `>>`. Without them all numerals are floats; the tree still has
    /// [`Integer`](super::ast::ExpressionKind::Integer) where a float is a whole number below 2^53 that is written without a
    /// point or an exponent.
    pub integers: bool,
    /// Hexadecimal numerals with a point or an exponent.
    pub hexadecimal_floats: bool,
    /// The attributes `<const>` and `<close>`.
    pub attributes: bool,
    /// A semicolon that follows no statement.
    pub empty_statements: bool,
    /// A `break` that is not the last statement of its block.
    pub break_anywhere: bool,
    /// A call whose opening parenthesis is on another line than the end of what is called. Without it that is an error, since
    /// the parenthesis could begin a statement as well.
    pub calls_across_lines: bool,
    /// The escapes `\x`, `\z` and `\u`; a backslash before anything that has no meaning is an error. Without them it stands for
    /// the character behind it.
    pub strict_escapes: bool,
    /// `[[` inside of a long string or comment that begins with `[[`. Without it that is an error, since such strings nested in
    /// versions before 5.1.
    pub nested_brackets: bool,
}

impl Syntax {
    /// That of Lua 5.1.
    pub const LUA_51: Syntax = Syntax {
        goto: false,
        integers: false,
        hexadecimal_floats: false,
        attributes: false,
        empty_statements: false,
        break_anywhere: false,
        calls_across_lines: false,
        strict_escapes: false,
        nested_brackets: false,
    };

    /// That of Lua 5.4.
    pub const LUA_54: Syntax = Syntax {
        goto: true,
        integers: true,
        hexadecimal_floats: true,
        attributes: true,
        empty_statements: true,
        break_anywhere: true,
        calls_across_lines: true,
        strict_escapes: true,
        nested_brackets: true,
    };
}

impl From<LuaVersion> for Syntax {
    fn from(version: LuaVersion) -> Syntax {
        match version {
            LuaVersion::Lua54 => Syntax::LUA_54,
        }
    }
}
