//! What `read` and `lines` take from a file, format by format (manual §6.8, `file:read`).
//!
//! Text is read in the pieces that the file's buffer has, each of which counts against the limits of memory and of work: a
//! file may be larger than any memory. No piece is ever read beyond what a format needs to see.

use crate::interpreter::{Call, Throw, to_integer};
use crate::library::before_zero;
use crate::library::string::Buffer;
use crate::value::{Value, str_to_number};
use std::io::{self, BufRead};

/// The longest numeral that is read (PUC Lua's `L_MAXLENNUM`).
const LONGEST_NUMERAL: usize = 200;

/// What to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A numeral, as a number.
    Number,
    /// A line, perhaps with its end.
    Line { keep_end: bool },
    /// All that is left.
    All,
    /// At most so many bytes.
    Count(u64),
}

/// What was read.
pub(super) enum Item {
    Bytes(Vec<u8>),
    Number(Value),
    /// Nothing: the end of the file, or no numeral.
    Nothing,
}

/// Why reading stopped: a throw, or an error of the file, which is a result for the program.
pub(super) enum Failure {
    Throw(Throw),
    File(io::Error),
}

impl From<Throw> for Failure {
    fn from(throw: Throw) -> Self {
        Failure::Throw(throw)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::File(error)
    }
}

impl Format {
    /// The format that a value stands for, which is argument number `index`, counted from 0, of the running function.
    pub(super) fn of(call: &mut Call<'_>, value: Value, index: usize) -> Result<Format, Throw> {
        let text = match value {
            Value::Integer(_) | Value::Float(_) => {
                let Some(count) = to_integer(value) else {
                    return Err(call.arg_error(index, "number has no integer representation"));
                };
                // A negative count is a huge one in C, which has no buffer for it.
                return u64::try_from(count).map(Format::Count).map_err(|_| call.vm.string_error(b"not enough memory"));
            }
            Value::String(text) => text,
            other => {
                let got = call.vm.type_name_for_messages(other);
                return Err(call.arg_error(index, [b"string expected, got ".as_slice(), &got].concat()));
            }
        };
        // Older versions wanted a `*` before the letter; what follows the letter says nothing.
        let text = before_zero(text.as_bytes());
        match text.strip_prefix(b"*").unwrap_or(text).first() {
            Some(b'n') => Ok(Format::Number),
            Some(b'l') => Ok(Format::Line { keep_end: false }),
            Some(b'L') => Ok(Format::Line { keep_end: true }),
            Some(b'a') => Ok(Format::All),
            _ => Err(call.arg_error(index, "invalid format")),
        }
    }

    /// Reads it.
    pub(super) fn read(self, call: &mut Call<'_>, reader: &mut dyn BufRead) -> Result<Item, Failure> {
        match self {
            Format::Number => Ok(read_number(reader)?),
            Format::Line { keep_end } => read_line(call, reader, keep_end),
            Format::All => read_bytes(call, reader, u64::MAX).map(Item::Bytes),
            Format::Count(0) => Ok(if reader.fill_buf()?.is_empty() { Item::Nothing } else { Item::Bytes(Vec::new()) }),
            Format::Count(count) => {
                let bytes = read_bytes(call, reader, count)?;
                Ok(if bytes.is_empty() { Item::Nothing } else { Item::Bytes(bytes) })
            }
        }
    }
}

fn read_bytes(call: &mut Call<'_>, reader: &mut dyn BufRead, count: u64) -> Result<Vec<u8>, Failure> {
    let mut buffer = Buffer::default();
    let mut left = count;
    while left > 0 {
        let piece = reader.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        let length = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        buffer.append(call, &piece[..length])?;
        reader.consume(length);
        left -= length as u64;
    }
    Ok(buffer.into_bytes())
}

fn read_line(call: &mut Call<'_>, reader: &mut dyn BufRead, keep_end: bool) -> Result<Item, Failure> {
    let mut buffer = Buffer::default();
    loop {
        let piece = reader.fill_buf()?;
        let end = piece.iter().position(|&byte| byte == b'\n');
        let length = end.map_or(piece.len(), |end| end + usize::from(keep_end));
        let is_last = end.is_some() || piece.is_empty();
        buffer.append(call, &piece[..length])?;
        reader.consume(end.map_or(length, |end| end + 1));
        if is_last {
            let line = buffer.into_bytes();
            return Ok(if line.is_empty() && end.is_none() { Item::Nothing } else { Item::Bytes(line) });
        }
    }
}

/// A numeral that is being read: what it consists of so far, and the byte after that, which is not taken from the file.
struct Numeral<'r> {
    reader: &'r mut dyn BufRead,
    text: Vec<u8>,
    next: Option<u8>,
    too_long: bool,
}

impl Numeral<'_> {
    fn look(&mut self) -> io::Result<()> {
        self.next = self.reader.fill_buf()?.first().copied();
        Ok(())
    }

    /// Takes the next byte, if it is one of these and not too many came before.
    fn accept(&mut self, wanted: impl Fn(u8) -> bool) -> io::Result<bool> {
        let Some(byte) = self.next.filter(|&byte| wanted(byte)) else { return Ok(false) };
        if self.text.len() >= LONGEST_NUMERAL {
            self.too_long = true;
            return Ok(false);
        }
        self.text.push(byte);
        self.reader.consume(1);
        self.look()?;
        Ok(true)
    }

    fn accept_either(&mut self, wanted: &[u8; 2]) -> io::Result<bool> {
        self.accept(|byte| wanted.contains(&byte))
    }

    fn digits(&mut self, hexadecimal: bool) -> io::Result<usize> {
        let mut count = 0;
        while self.accept(|byte| if hexadecimal { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() })? {
            count += 1;
        }
        Ok(count)
    }
}

/// Reads the longest text that a numeral may begin with, up to a limit; it is gone from the file even if it is none.
fn read_number(reader: &mut dyn BufRead) -> io::Result<Item> {
    let mut numeral = Numeral { reader, text: Vec::new(), next: None, too_long: false };
    numeral.look()?;
    while numeral.next.is_some_and(|byte| byte.is_ascii_whitespace() || byte == b'\x0B') {
        numeral.reader.consume(1);
        numeral.look()?;
    }
    numeral.accept_either(b"+-")?;
    let mut hexadecimal = false;
    let mut digits = 0;
    if numeral.accept_either(b"00")? {
        hexadecimal = numeral.accept_either(b"xX")?;
        digits = usize::from(!hexadecimal);
    }
    digits += numeral.digits(hexadecimal)?;
    if numeral.accept_either(b"..")? {
        digits += numeral.digits(hexadecimal)?;
    }
    if digits > 0 && numeral.accept_either(if hexadecimal { b"pP" } else { b"eE" })? {
        numeral.accept_either(b"+-")?;
        numeral.digits(false)?;
    }
    if numeral.too_long {
        return Ok(Item::Nothing);
    }
    Ok(str_to_number(&numeral.text).map_or(Item::Nothing, Item::Number))
}
