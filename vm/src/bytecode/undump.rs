//! From bytes to a template: the reverse of `dump`, where the layout is described.
//!
//! The bytes may be anything. Nothing is allocated on the word of a count: what is read is never much larger than what
//! it was read from. What comes out has been verified.

use super::dump::{DATA, FLOAT, FORMAT, INTEGER, LAYOUT, SIGNATURE, SIZES, VERSION, tag};
use super::{Constant, Instruction, LocalVariable, Template, UpvalueDescription, VerifyError};
use std::rc::Rc;

/// Functions inside each other; the parser allows fewer.
const MAX_DEPTH: usize = 200;

/// Why bytes are no binary chunk, in the words of PUC Lua where it knows the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum UndumpError {
    #[error("truncated chunk")]
    Truncated,
    #[error("not a binary chunk")]
    Signature,
    #[error("version mismatch")]
    Version,
    #[error("format mismatch")]
    Format,
    #[error("corrupted chunk")]
    Corrupted,
    #[error("{0} size mismatch")]
    Size(&'static str),
    #[error("integer format mismatch")]
    IntegerFormat,
    #[error("float format mismatch")]
    FloatFormat,
    /// A count that does not fit into the number that it is.
    #[error("integer overflow")]
    Overflow,
    /// A text that must be there.
    #[error("bad format for constant string")]
    MissingText,
    #[error("bad format for constant")]
    Constant,
    #[error("functions are nested too deeply")]
    Depth,
    /// It is well formed, but does not obey the rules of code.
    #[error(transparent)]
    Code(#[from] VerifyError),
}

type Result<T, E = UndumpError> = std::result::Result<T, E>;

impl Template {
    /// The function that a binary chunk holds, with its code verified. Bytes behind the chunk are ignored, as in Lua.
    ///
    /// # Errors
    /// The bytes are no chunk that [`Template::dump`] can have made, or its code could do harm.
    pub fn undump(bytes: &[u8]) -> Result<Template> {
        let mut reader = Reader { rest: bytes };
        reader.header()?;
        // The source of a chunk that does not tell it.
        let template = reader.function(&Rc::from(b"=?".as_slice()), 0)?;
        template.verify()?;
        Ok(template)
    }
}

/// Bytes that are being read.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn header(&mut self) -> Result<()> {
        self.literal(SIGNATURE, UndumpError::Signature)?;
        self.literal(&[VERSION], UndumpError::Version)?;
        self.literal(&[FORMAT], UndumpError::Format)?;
        self.literal(DATA, UndumpError::Corrupted)?;
        for (size, name) in SIZES {
            self.literal(&[size], UndumpError::Size(name))?;
        }
        self.literal(&INTEGER.to_le_bytes(), UndumpError::IntegerFormat)?;
        self.literal(&FLOAT.to_le_bytes(), UndumpError::FloatFormat)?;
        self.literal(&LAYOUT.to_le_bytes(), UndumpError::Format)
    }

    fn literal(&mut self, expected: &[u8], otherwise: UndumpError) -> Result<()> {
        if self.bytes(expected.len())? == expected { Ok(()) } else { Err(otherwise) }
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(UndumpError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (&bytes, rest) = self.rest.split_first_chunk().ok_or(UndumpError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    fn count(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift >= u64::BITS || bits << shift >> shift != bits {
                return Err(UndumpError::Overflow);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        Ok(value)
    }

    fn small_count(&mut self) -> Result<u32> {
        self.count()?.try_into().map_err(|_| UndumpError::Overflow)
    }

    /// A count, and so many items.
    fn items<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = Vec::new();
        for _ in 0..self.count()? {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn optional_text(&mut self) -> Result<Option<Rc<[u8]>>> {
        match self.count()?.checked_sub(1) {
            Some(length) => {
                let length = usize::try_from(length).map_err(|_| UndumpError::Overflow)?;
                Ok(Some(Rc::from(self.bytes(length)?)))
            }
            None => Ok(None),
        }
    }

    fn text(&mut self) -> Result<Rc<[u8]>> {
        self.optional_text()?.ok_or(UndumpError::MissingText)
    }

    /// A function inside of so many others.
    fn function(&mut self, enclosing_source: &Rc<[u8]>, depth: usize) -> Result<Template> {
        if depth == MAX_DEPTH {
            return Err(UndumpError::Depth);
        }
        let source = self.optional_text()?.unwrap_or_else(|| enclosing_source.clone());
        let line_defined = self.small_count()?;
        let last_line_defined = self.small_count()?;
        let [parameters, variadic, max_stack] = self.array()?;
        let code = self.items(|reader| Ok(Instruction::from_bits(u32::from_le_bytes(reader.array()?))))?;
        let constants = self.items(Self::constant)?;
        let no_name: Rc<[u8]> = Rc::from([]);
        let mut upvalues = self.items(|reader| {
            let [in_stack, index] = reader.array()?;
            Ok(UpvalueDescription { name: no_name.clone(), in_stack: in_stack != 0, index, read_only: false })
        })?;
        let prototypes = self.items(|reader| reader.function(&source, depth + 1))?;
        let mut line = 0_i64;
        let lines = self.items(|reader| {
            let difference = reader.count()?;
            line = line.wrapping_add((difference >> 1) as i64 ^ -((difference & 1) as i64));
            u32::try_from(line).map_err(|_| UndumpError::Overflow)
        })?;
        let locals = self.items(|reader| {
            Ok(LocalVariable { name: reader.text()?, start: reader.small_count()?, end: reader.small_count()? })
        })?;
        // Names that are there are those of all.
        if self.count()? != 0 {
            for upvalue in &mut upvalues {
                upvalue.name = self.text()?;
            }
        }
        Ok(Template {
            source,
            line_defined,
            last_line_defined,
            parameters,
            variadic: variadic != 0,
            max_stack,
            code: code.into(),
            constants,
            upvalues,
            prototypes,
            lines: lines.into(),
            locals,
        })
    }

    fn constant(&mut self) -> Result<Constant> {
        Ok(match self.byte()? {
            tag::NIL => Constant::Nil,
            tag::FALSE => Constant::Boolean(false),
            tag::TRUE => Constant::Boolean(true),
            tag::INTEGER => Constant::Integer(i64::from_le_bytes(self.array()?)),
            tag::FLOAT => Constant::Float(f64::from_le_bytes(self.array()?)),
            tag::STRING => Constant::String(self.text()?),
            _ => return Err(UndumpError::Constant),
        })
    }
}
