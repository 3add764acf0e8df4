//! The tokens of Lua (manual §3.1), each listed once with its spelling.

use super::features::Syntax;

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub kind: TokenKind,
    /// Offset of its first byte.
    pub start: u32,
    /// Offset after its last byte.
    pub end: u32,
    /// Line of its first byte.
    pub line: u32,
}

macro_rules! tokens {
    (reserved { $($word:ident $word_text:literal,)* } symbols { $($symbol:ident $symbol_text:literal,)* }) => {
        /// What a token is. Names are looked up in the source, strings and numbers in the lexer.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum TokenKind {
            $($word,)*
            $($symbol,)*
            Name,
            String,
            Number,
            EndOfSource,
            /// A byte that begins no token.
            Other,
        }

        impl TokenKind {
            /// The reserved word with this spelling.
            pub fn reserved(text: &[u8], syntax: &Syntax) -> Option<TokenKind> {
                let kind = match text {
                    $($word_text => TokenKind::$word,)*
                    _ => return None,
                };
                (syntax.goto || kind != TokenKind::Goto).then_some(kind)
            }

            /// The text of a token that is always written alike.
            fn spelling(self) -> Option<&'static [u8]> {
                match self {
                    $(TokenKind::$word => Some($word_text),)*
                    $(TokenKind::$symbol => Some($symbol_text),)*
                    _ => None,
                }
            }
        }
    };
}

tokens! {
    reserved {
        And b"and",
        Break b"break",
        Do b"do",
        Else b"else",
        ElseIf b"elseif",
        End b"end",
        False b"false",
        For b"for",
        Function b"function",
        Goto b"goto",
        If b"if",
        In b"in",
        Local b"local",
        Nil b"nil",
        Not b"not",
        Or b"or",
        Repeat b"repeat",
        Return b"return",
        Then b"then",
        True b"true",
        Until b"until",
        While b"while",
    }
    symbols {
        Plus b"+",
        Minus b"-",
        Star b"*",
        Slash b"/",
        DoubleSlash b"//",
        Percent b"%",
        Caret b"^",
        Hash b"#",
        Ampersand b"&",
        Tilde b"~",
        Bar b"|",
        ShiftLeft b"<<",
        ShiftRight b">>",
        Equal b"==",
        NotEqual b"~=",
        Less b"<",
        LessEqual b"<=",
        Greater b">",
        GreaterEqual b">=",
        Assign b"=",
        LeftParen b"(",
        RightParen b")",
        LeftBrace b"{",
        RightBrace b"}",
        LeftBracket b"[",
        RightBracket b"]",
        Semicolon b";",
        Colon b":",
        DoubleColon b"::",
        Comma b",",
        Dot b".",
        Concat b"..",
        Dots b"...",
    }
}

impl TokenKind {
    /// The token for messages that say it was expected.
    pub fn describe(self) -> String {
        if let Some(text) = self.spelling() {
            return format!("'{}'", String::from_utf8_lossy(text));
        }
        match self {
            TokenKind::Name => "<name>".to_owned(),
            TokenKind::String => "<string>".to_owned(),
            TokenKind::Number => "<number>".to_owned(),
            _ => "<eof>".to_owned(),
        }
    }
}

/// Whether a text can be written as a name in every Lua.
pub(super) fn is_name(text: &[u8]) -> bool {
    text.first().is_some_and(|&byte| is_name_start(byte))
        && text.iter().all(|&byte| is_name_part(byte))
        && TokenKind::reserved(text, &Syntax::LUA_54).is_none()
}

/// Whether a name can begin with this byte. Only ASCII letters can, whatever the locale.
pub(super) fn is_name_start(byte: u8) -> bool {
    is_name_part(byte) && !byte.is_ascii_digit()
}

/// Whether a name can go on with this byte.
pub(super) fn is_name_part(byte: u8) -> bool {
    NAME_PARTS[usize::from(byte)]
}

static NAME_PARTS: [bool; 256] = {
    let mut parts = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        parts[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'_';
        byte += 1;
    }
    parts
};
