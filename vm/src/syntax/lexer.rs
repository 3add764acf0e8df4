//! Source bytes to tokens (manual §3.1).
//!
//! A token allocates nothing: names and numerals are read off the source, and a string is decoded into one buffer that
//! the next string overwrites. The buffer holds the delimiters too and fills exactly as PUC Lua's does, since messages
//! about a string quote what had been decoded of it.

use super::error::{SyntaxError, quoted};
use super::features::Syntax;
use super::number::{Number, hex_value, parse_number, parse_numeral_of_floats};
use super::token::{Token, TokenKind, is_name_part, is_name_start};

/// The source of a file without what only files may begin with: a UTF-8 byte order mark, and a first line that begins
/// with `#`. The line break of that line stays, so that lines keep their numbers.
pub fn skip_shebang(source: &[u8]) -> &[u8] {
    let source = source.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(source);
    if source.first() != Some(&b'#') {
        return source;
    }
    let line_end = source.iter().position(|&byte| byte == b'\n').unwrap_or(source.len());
    &source[line_end..]
}

/// White space as the C library knows it in its own locale.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// What a byte tells of the token that it begins.
#[derive(Clone, Copy)]
enum Start {
    Blank,
    LineBreak,
    /// That of a name or a reserved word.
    Name,
    Digit,
    /// A token of its own, or two for a comment.
    Minus,
    /// This token, whatever follows.
    Single(TokenKind),
    Other,
}

static STARTS: [Start; 256] = {
    let mut starts = [Start::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        starts[byte] = match byte as u8 {
            b' ' | b'\t' | b'\x0b' | b'\x0c' => Start::Blank,
            b'\n' | b'\r' => Start::LineBreak,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Start::Name,
            b'0'..=b'9' => Start::Digit,
            b'-' => Start::Minus,
            b'+' => Start::Single(TokenKind::Plus),
            b'*' => Start::Single(TokenKind::Star),
            b'%' => Start::Single(TokenKind::Percent),
            b'^' => Start::Single(TokenKind::Caret),
            b'#' => Start::Single(TokenKind::Hash),
            b'(' => Start::Single(TokenKind::LeftParen),
            b')' => Start::Single(TokenKind::RightParen),
            b'{' => Start::Single(TokenKind::LeftBrace),
            b'}' => Start::Single(TokenKind::RightBrace),
            b']' => Start::Single(TokenKind::RightBracket),
            b';' => Start::Single(TokenKind::Semicolon),
            b',' => Start::Single(TokenKind::Comma),
            _ => Start::Other,
        };
        byte += 1;
    }
    starts
};

/// The greatest value that an escape `\u{…}` can have.
const MAX_UTF8: u64 = 0x7FFF_FFFF;

/// What a message is near.
enum Near {
    /// Nothing worth a mention.
    Nothing,
    /// The string that is being read: the buffer.
    Buffer,
    /// The source from an offset up to the lexer's position.
    SourceFrom(usize),
    /// The end of the source.
    End,
}

type Result<T> = std::result::Result<T, Box<SyntaxError>>;

pub(super) struct Lexer<'s> {
    source: &'s [u8],
    chunk_name: &'s [u8],
    syntax: Syntax,
    position: usize,
    line: u32,
    /// The last string, decoded, between its delimiters.
    buffer: Vec<u8>,
    /// Length of either delimiter of the last string.
    delimiter: usize,
    /// The last number.
    number: Number,
}

impl<'s> Lexer<'s> {
    pub fn new(source: &'s [u8], chunk_name: &'s [u8], syntax: Syntax) -> Lexer<'s> {
        Lexer {
            source,
            chunk_name,
            syntax,
            position: 0,
            line: 1,
            buffer: Vec::new(),
            delimiter: 0,
            number: Number::Integer(0),
        }
    }

    /// Whether the source is short enough for the offsets of tokens.
    pub fn can_count(&self) -> bool {
        u32::try_from(self.source.len()).is_ok()
    }

    /// The line that the lexer has come to: the last line of the token that it read last.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The bytes of a token as they stand in the source.
    pub fn text(&self, token: Token) -> &'s [u8] {
        &self.source[token.start as usize..token.end as usize]
    }

    /// The value of the last string token.
    pub fn string(&self) -> &[u8] {
        &self.buffer[self.delimiter..self.buffer.len() - self.delimiter]
    }

    /// The value of the last number token.
    pub fn number(&self) -> Number {
        self.number
    }

    /// An error at the current line near a token, which must be the last one that was read.
    pub fn error_near(&self, what: &str, token: Token) -> Box<SyntaxError> {
        let near = match token.kind {
            TokenKind::Name | TokenKind::Number => quoted(self.text(token)),
            TokenKind::String => quoted(&self.buffer),
            TokenKind::Other => match self.text(token) {
                // PUC Lua's number for this byte is the one that it has for "no token".
                [0] => return self.error(what, Near::Nothing),
                text @ [b' '..=b'~'] => quoted(text),
                text => format!("'<\\{}>'", text[0]).into_bytes(),
            },
            kind => kind.describe().into_bytes(),
        };
        Box::new(SyntaxError::new(self.chunk_name, self.line, what, Some(&near)))
    }

    /// An error at the current line that names no token.
    pub fn error_here(&self, what: &str) -> Box<SyntaxError> {
        self.error(what, Near::Nothing)
    }

    #[cold]
    fn error(&self, what: &str, near: Near) -> Box<SyntaxError> {
        let near = match near {
            Near::Nothing => None,
            Near::Buffer => Some(quoted(&self.buffer)),
            Near::SourceFrom(start) => Some(quoted(&self.source[start..self.position])),
            Near::End => Some(b"<eof>".to_vec()),
        };
        Box::new(SyntaxError::new(self.chunk_name, self.line, what, near.as_deref()))
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.position).copied()
    }

    fn peek_second(&self) -> Option<u8> {
        self.source.get(self.position + 1).copied()
    }

    /// Steps over a byte if it comes next.
    fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.position += usize::from(found);
        found
    }

    /// Steps over a line break: `\n`, `\r`, `\r\n` or `\n\r`.
    fn skip_line_break(&mut self) {
        let first = self.peek();
        self.position += 1;
        if let Some(second @ (b'\n' | b'\r')) = self.peek()
            && Some(second) != first
        {
            self.position += 1;
        }
        // Cannot overflow: there are at most as many lines as offsets.
        self.line += 1;
    }

    /// Reads the next token.
    pub fn next_token(&mut self) -> Result<Token> {
        loop {
            let start = self.position;
            let line = self.line;
            let kind = match self.peek().map(|byte| STARTS[usize::from(byte)]) {
                Some(Start::Blank) => {
                    let rest = &self.source[start + 1..];
                    // More of them are mostly spaces.
                    self.position += 1 + rest.iter().position(|&byte| byte != b' ').unwrap_or(rest.len());
                    continue;
                }
                Some(Start::LineBreak) => {
                    self.skip_line_break();
                    continue;
                }
                Some(Start::Minus) if self.peek_second() == Some(b'-') => {
                    self.skip_comment()?;
                    continue;
                }
                Some(Start::Name) => self.read_word(),
                Some(Start::Single(kind)) => {
                    self.position += 1;
                    kind
                }
                Some(Start::Digit) => self.read_numeral(start)?,
                Some(Start::Minus | Start::Other) => self.read_other()?,
                None => TokenKind::EndOfSource,
            };
            // The parser lets no source in whose offsets would not fit.
            return Ok(Token { kind, start: start as u32, end: self.position as u32, line });
        }
    }

    #[inline(never)]
    fn skip_comment(&mut self) -> Result<()> {
        self.position += 2;
        match self.long_bracket() {
            Some(level) => self.skip_long_comment(level)?,
            None => self.skip_to_line_end(),
        }
        Ok(())
    }

    fn skip_to_line_end(&mut self) {
        let rest = &self.source[self.position..];
        self.position += rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
    }

    fn read_word(&mut self) -> TokenKind {
        let rest = &self.source[self.position..];
        let length = rest.iter().position(|&byte| !is_name_part(byte)).unwrap_or(rest.len());
        self.position += length;
        TokenKind::reserved(&rest[..length], &self.syntax).unwrap_or(TokenKind::Name)
    }

    /// Reads a token that its first byte does not decide.
    #[inline(never)]
    fn read_other(&mut self) -> Result<TokenKind> {
        let start = self.position;
        let byte = self.source[start];
        self.position += 1;
        let kind = match byte {
            b'-' => TokenKind::Minus,
            b'/' if self.syntax.integers && self.accept(b'/') => TokenKind::DoubleSlash,
            b'/' => TokenKind::Slash,
            b'~' if self.accept(b'=') => TokenKind::NotEqual,
            b'~' if self.syntax.integers => TokenKind::Tilde,
            b'&' if self.syntax.integers => TokenKind::Ampersand,
            b'|' if self.syntax.integers => TokenKind::Bar,
            b'<' if self.accept(b'=') => TokenKind::LessEqual,
            b'<' if self.syntax.integers && self.accept(b'<') => TokenKind::ShiftLeft,
            b'<' => TokenKind::Less,
            b'>' if self.accept(b'=') => TokenKind::GreaterEqual,
            b'>' if self.syntax.integers && self.accept(b'>') => TokenKind::ShiftRight,
            b'>' => TokenKind::Greater,
            b'=' if self.accept(b'=') => TokenKind::Equal,
            b'=' => TokenKind::Assign,
            b':' if self.syntax.goto && self.accept(b':') => TokenKind::DoubleColon,
            b':' => TokenKind::Colon,
            b'.' if self.accept(b'.') => {
                if self.accept(b'.') {
                    TokenKind::Dots
                } else {
                    TokenKind::Concat
                }
            }
            b'.' if self.peek().is_some_and(|byte| byte.is_ascii_digit()) => return self.read_numeral(start),
            b'.' => TokenKind::Dot,
            b'"' | b'\'' => return self.read_string(byte),
            b'[' => {
                self.position = start;
                if let Some(level) = self.long_bracket() {
                    return self.read_long_string(level);
                }
                self.position += 1;
                if self.peek() == Some(b'=') {
                    while self.accept(b'=') {}
                    return Err(self.error("invalid long string delimiter", Near::SourceFrom(start)));
                }
                TokenKind::LeftBracket
            }
            _ => TokenKind::Other,
        };
        Ok(kind)
    }

    /// Reads a numeral that begins at `start`: as much as could belong to one, so that `3in` is an error of its own.
    #[inline(never)]
    fn read_numeral(&mut self, start: usize) -> Result<TokenKind> {
        self.position = start;
        if self.syntax.hexadecimal_floats {
            self.skip_numeral()
        } else {
            self.skip_plain_numeral()
        }
        let text = &self.source[start..self.position];
        let number = if self.syntax.integers { parse_number(text) } else { parse_numeral_of_floats(text) };
        match number {
            Some(number) => self.number = number,
            None => return Err(self.error("malformed number", Near::SourceFrom(start))),
        }
        Ok(TokenKind::Number)
    }

    /// Steps over what 5.1 takes for a numeral (`read_numeral` of its `llex.c`): a sign belongs to it behind the `e` of a decimal
    /// exponent only, and no point behind a letter, so that `0xA..b` is a concatenation.
    fn skip_plain_numeral(&mut self) {
        let rest = |lexer: &Self| lexer.source[lexer.position..].iter().copied();
        self.position += rest(self).take_while(|&byte| byte.is_ascii_digit() || byte == b'.').count();
        if (self.accept(b'e') || self.accept(b'E')) && !self.accept(b'+') {
            self.accept(b'-');
        }
        self.position += rest(self).take_while(|&byte| is_name_part(byte)).count();
    }

    fn skip_numeral(&mut self) {
        self.accept(b'.');
        let hexadecimal = self.peek() == Some(b'0') && matches!(self.peek_second(), Some(b'x' | b'X'));
        self.position += if hexadecimal { 2 } else { 0 };
        let exponent_mark = if hexadecimal { b'p' } else { b'e' };
        while let Some(byte) = self.peek() {
            if byte.to_ascii_lowercase() == exponent_mark {
                self.position += 1;
                if let Some(b'+' | b'-') = self.peek() {
                    self.position += 1;
                }
            } else if byte.is_ascii_hexdigit() || byte == b'.' {
                self.position += 1;
            } else {
                // A letter that touches a numeral spoils it.
                self.position += usize::from(is_name_start(byte));
                break;
            }
        }
    }

    /// The level of a long bracket that opens here, as the number of its `=`.
    fn long_bracket(&self) -> Option<usize> {
        let rest = self.source[self.position..].strip_prefix(b"[")?;
        let level = rest.iter().take_while(|&&byte| byte == b'=').count();
        (rest.get(level) == Some(&b'[')).then_some(level)
    }

    /// The length of the closing bracket of this level, if it stands here.
    fn closes_long_bracket(&self, level: usize) -> Option<usize> {
        let rest = self.source[self.position..].strip_prefix(b"]")?;
        let closes = rest.len() > level && rest[..level].iter().all(|&byte| byte == b'=') && rest[level] == b']';
        closes.then_some(level + 2)
    }

    fn skip_long_comment(&mut self, level: usize) -> Result<()> {
        let line = self.line;
        self.position += level + 2;
        loop {
            match self.peek() {
                None => return Err(self.unfinished_long("comment", line)),
                Some(b'\n' | b'\r') => self.skip_line_break(),
                Some(b']') => match self.closes_long_bracket(level) {
                    Some(length) => {
                        self.position += length;
                        return Ok(());
                    }
                    None => self.position += 1,
                },
                Some(b'[') => {
                    self.refuse_nesting(level)?;
                    self.position += 1;
                }
                Some(_) => self.position += 1,
            }
        }
    }

    fn read_long_string(&mut self, level: usize) -> Result<TokenKind> {
        let line = self.line;
        self.buffer.clear();
        self.delimiter = level + 2;
        self.buffer.extend_from_slice(&self.source[self.position..self.position + self.delimiter]);
        self.position += self.delimiter;
        if let Some(b'\n' | b'\r') = self.peek() {
            self.skip_line_break();
        }
        loop {
            match self.peek() {
                None => return Err(self.unfinished_long("string", line)),
                Some(b'\n' | b'\r') => {
                    self.buffer.push(b'\n');
                    self.skip_line_break();
                }
                Some(b']') => {
                    let closing = self.closes_long_bracket(level);
                    let length = closing.unwrap_or(1);
                    self.buffer.extend_from_slice(&self.source[self.position..self.position + length]);
                    self.position += length;
                    if closing.is_some() {
                        return Ok(TokenKind::String);
                    }
                }
                Some(b'[') if !self.syntax.nested_brackets => {
                    self.refuse_nesting(level)?;
                    self.buffer.push(b'[');
                    self.position += 1;
                }
                Some(_) => {
                    let stops_at_opening = !self.syntax.nested_brackets;
                    self.copy_until(|byte| matches!(byte, b'\n' | b'\r' | b']') || stops_at_opening && byte == b'[');
                }
            }
        }
    }

    /// Refuses a long bracket that opens here inside of another one, where both have the level 0 and that has no meaning.
    fn refuse_nesting(&mut self, level: usize) -> Result<()> {
        if self.syntax.nested_brackets || level > 0 || self.long_bracket() != Some(0) {
            return Ok(());
        }
        self.position += 1;
        Err(self.error("nesting of [[...]] is deprecated", Near::SourceFrom(self.position - 1)))
    }

    fn unfinished_long(&self, what: &str, line: u32) -> Box<SyntaxError> {
        self.error(&format!("unfinished long {what} (starting at line {line})"), Near::End)
    }

    /// Copies source into the buffer up to the first byte that stops it.
    fn copy_until(&mut self, stops: impl Fn(u8) -> bool) {
        let rest = &self.source[self.position..];
        let length = rest.iter().position(|&byte| stops(byte)).unwrap_or(rest.len());
        self.buffer.extend_from_slice(&rest[..length]);
        self.position += length;
    }

    /// Reads a short string; its opening quote has been stepped over.
    fn read_string(&mut self, quote: u8) -> Result<TokenKind> {
        self.buffer.clear();
        self.buffer.push(quote);
        self.delimiter = 1;
        loop {
            match self.peek() {
                None => return Err(self.error("unfinished string", Near::End)),
                Some(b'\n' | b'\r') => return Err(self.error("unfinished string", Near::Buffer)),
                Some(b'\\') => self.read_escape()?,
                Some(byte) if byte == quote => {
                    self.buffer.push(quote);
                    self.position += 1;
                    return Ok(TokenKind::String);
                }
                Some(_) => self.copy_until(|byte| byte == quote || matches!(byte, b'\n' | b'\r' | b'\\')),
            }
        }
    }

    /// Decodes an escape sequence. Its source is in the buffer until it is known to be good, for the messages' sake.
    fn read_escape(&mut self) -> Result<()> {
        let escape = self.buffer.len();
        self.save();
        let value = match self.peek() {
            // The reader of the string reports its missing end.
            None => return Ok(()),
            Some(b'a') => b'\x07',
            Some(b'b') => b'\x08',
            Some(b'f') => b'\x0c',
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => b'\x0b',
            Some(byte @ (b'\\' | b'"' | b'\'')) => byte,
            Some(b'\n' | b'\r') => {
                self.skip_line_break();
                self.buffer.truncate(escape);
                self.buffer.push(b'\n');
                return Ok(());
            }
            Some(b'x') if self.syntax.strict_escapes => {
                let high = self.read_hex_digit()?;
                let low = self.read_hex_digit()?;
                (high << 4 | low) as u8
            }
            Some(b'z') if self.syntax.strict_escapes => {
                self.position += 1;
                self.buffer.truncate(escape);
                while let Some(byte) = self.peek().filter(|&byte| is_space(byte)) {
                    match byte {
                        b'\n' | b'\r' => self.skip_line_break(),
                        _ => self.position += 1,
                    }
                }
                return Ok(());
            }
            Some(b'u') if self.syntax.strict_escapes => {
                let value = self.read_utf8_escape()?;
                self.buffer.truncate(escape);
                push_utf8(&mut self.buffer, value);
                return Ok(());
            }
            Some(b'0'..=b'9') => {
                let value = self.read_decimal_escape()?;
                self.buffer.truncate(escape);
                self.buffer.push(value);
                return Ok(());
            }
            Some(_) if self.syntax.strict_escapes => return Err(self.escape_error("invalid escape sequence")),
            Some(byte) => byte,
        };
        self.position += 1;
        self.buffer.truncate(escape);
        self.buffer.push(value);
        Ok(())
    }

    /// Moves a byte of the source into the buffer.
    fn save(&mut self) {
        self.buffer.extend(self.peek());
        self.position += 1;
    }

    /// An error in an escape sequence, which shows the string up to the byte that is wrong.
    fn escape_error(&mut self, what: &str) -> Box<SyntaxError> {
        self.buffer.extend(self.peek());
        self.error(what, Near::Buffer)
    }

    /// Steps over a byte of an escape sequence to a hexadecimal digit, and gives its value.
    fn read_hex_digit(&mut self) -> Result<u64> {
        self.save();
        match self.peek() {
            Some(digit) if digit.is_ascii_hexdigit() => Ok(hex_value(digit)),
            _ => Err(self.escape_error("hexadecimal digit expected")),
        }
    }

    /// Reads the `u{XXX}` of an escape sequence.
    fn read_utf8_escape(&mut self) -> Result<u64> {
        self.save();
        if self.peek() != Some(b'{') {
            return Err(self.escape_error("missing '{'"));
        }
        let mut value = self.read_hex_digit()?;
        self.save();
        while let Some(digit) = self.peek().filter(u8::is_ascii_hexdigit) {
            if value > MAX_UTF8 >> 4 {
                return Err(self.escape_error("UTF-8 value too large"));
            }
            value = value << 4 | hex_value(digit);
            self.save();
        }
        if !self.accept(b'}') {
            return Err(self.escape_error("missing '}'"));
        }
        Ok(value)
    }

    /// Reads the digits of an escape sequence `\ddd`: three at most.
    fn read_decimal_escape(&mut self) -> Result<u8> {
        let mut value = 0u32;
        for _ in 0..3 {
            let Some(digit) = self.peek().filter(u8::is_ascii_digit) else {
                break;
            };
            value = value * 10 + u32::from(digit - b'0');
            self.save();
        }
        u8::try_from(value).map_err(|_| self.escape_error("decimal escape too large"))
    }
}

/// Appends UTF-8 as it was first defined: up to six bytes, for values below 2^31.
fn push_utf8(buffer: &mut Vec<u8>, value: u64) {
    if value < 0x80 {
        buffer.push(value as u8);
        return;
    }
    // With n continuation bytes the first one has room for 6 - n bits, and all of them for 5n + 6.
    let continuations = (1..6).find(|n| value < 1 << (5 * n + 6)).unwrap_or(5);
    // As many leading ones as there are bytes.
    let marker = !(0xFF_u8 >> (continuations + 1));
    buffer.push(marker | (value >> (6 * continuations)) as u8);
    for n in (0..continuations).rev() {
        buffer.push(0x80 | (value >> (6 * n)) as u8 & 0x3F);
    }
}
