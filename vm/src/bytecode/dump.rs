//! Templates as bytes: binary chunks, as `string.dump` makes and `load` takes them.
//!
//! The header is that of PUC Lua 5.4, since scripts look at it; what follows is our own, and [`LAYOUT`] says so. Numbers
//! of fixed size are little-endian; a *count* is a number of any size in groups of 7 bits, lowest first, where the high bit
//! of a byte says that another one follows; a *text* is a count and so many bytes, where the count is one more than the
//! length and 0 stands for no text.
//!
//! | part | bytes |
//! |---|---|
//! | header | [`SIGNATURE`], [`VERSION`], [`FORMAT`], [`DATA`], [`SIZES`] of an instruction, an integer and a float, [`INTEGER`] and [`FLOAT`] as one each |
//! | layout | [`LAYOUT`], 4 bytes |
//! | main function | as every function: |
//! | – source | text; none: that of the function around it |
//! | – lines | where it is defined and where it ends: counts |
//! | – shape | named parameters, whether it takes more (0 or 1), registers: a byte each |
//! | – code | how many instructions, and 4 bytes each |
//! | – constants | how many, and for each a byte of [`tag`] and its value |
//! | – upvalues | how many, and for each whether it is a register of the function around (0 or 1) and its index there |
//! | – functions | how many, and each |
//! | – lines | how many (none, or one for each instruction), and for each the difference to the one before as a count, zigzag-encoded |
//! | – variables | how many, and for each its name, and where its scope begins and ends |
//! | – upvalue names | how many (none or all), and the texts |
//!
//! Stripping leaves out the last three and the source.

use super::{Constant, Opcode, Template};
use std::rc::Rc;

pub(super) const SIGNATURE: &[u8] = b"\x1bLua";
/// Lua 5.4.
pub(super) const VERSION: u8 = 0x54;
pub(super) const FORMAT: u8 = 0;
/// Bytes that a transfer as text would change.
pub(super) const DATA: &[u8] = b"\x19\x93\r\n\x1a\n";
/// The sizes that the header gives, with the names that messages give them.
pub(super) const SIZES: [(u8, &str); 3] = [(4, "Instruction"), (8, "lua_Integer"), (8, "lua_Number")];
pub(super) const INTEGER: i64 = 0x5678;
pub(super) const FLOAT: f64 = 370.5;
/// Says that the rest is laid out as here, for the opcodes that there are. To be changed with the layout.
pub(super) const LAYOUT: u32 = Opcode::FINGERPRINT ^ 1;

/// Bytes before the main function.
pub const HEADER_LENGTH: usize = SIGNATURE.len() + 2 + DATA.len() + SIZES.len() + 8 + 8 + 4;

/// Whether bytes claim to be a binary chunk: the first one is such as no text begins with.
pub fn is_binary(chunk: &[u8]) -> bool {
    chunk.first() == SIGNATURE.first()
}

/// What a constant is.
pub(super) mod tag {
    pub const NIL: u8 = 0;
    pub const FALSE: u8 = 1;
    pub const TRUE: u8 = 2;
    pub const INTEGER: u8 = 3;
    pub const FLOAT: u8 = 4;
    pub const STRING: u8 = 5;
}

impl Template {
    /// A binary chunk of the function; with `strip` without debug information.
    pub fn dump(&self, strip: bool) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(SIGNATURE);
        out.extend_from_slice(&[VERSION, FORMAT]);
        out.extend_from_slice(DATA);
        out.extend(SIZES.map(|(size, _)| size));
        out.extend_from_slice(&INTEGER.to_le_bytes());
        out.extend_from_slice(&FLOAT.to_le_bytes());
        out.extend_from_slice(&LAYOUT.to_le_bytes());
        self.dump_function(strip, None, &mut out);
        out
    }

    fn dump_function(&self, strip: bool, enclosing: Option<&Rc<[u8]>>, out: &mut Vec<u8>) {
        text((!strip && enclosing != Some(&self.source)).then_some(&self.source), out);
        count(self.line_defined as usize, out);
        count(self.last_line_defined as usize, out);
        out.extend_from_slice(&[self.parameters, self.variadic.into(), self.max_stack]);
        count(self.code.len(), out);
        for instruction in self.code.iter() {
            out.extend_from_slice(&instruction.bits().to_le_bytes());
        }
        count(self.constants.len(), out);
        for value in &self.constants {
            constant(value, out);
        }
        count(self.upvalues.len(), out);
        for upvalue in &self.upvalues {
            out.extend_from_slice(&[upvalue.in_stack.into(), upvalue.index]);
        }
        count(self.prototypes.len(), out);
        for function in &self.prototypes {
            function.dump_function(strip, Some(&self.source), out);
        }
        if strip {
            out.extend_from_slice(&[0; 3]);
            return;
        }
        count(self.lines.len(), out);
        let mut previous = 0;
        for &line in self.lines.iter() {
            let difference = i64::from(line) - previous;
            count((difference << 1 ^ difference >> 63) as usize, out);
            previous = i64::from(line);
        }
        count(self.locals.len(), out);
        for local in &self.locals {
            text(Some(&local.name), out);
            count(local.start as usize, out);
            count(local.end as usize, out);
        }
        count(self.upvalues.len(), out);
        for upvalue in &self.upvalues {
            text(Some(&upvalue.name), out);
        }
    }
}

fn count(mut value: usize, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn text(text: Option<&Rc<[u8]>>, out: &mut Vec<u8>) {
    match text {
        Some(text) => {
            count(text.len() + 1, out);
            out.extend_from_slice(text);
        }
        None => out.push(0),
    }
}

fn constant(value: &Constant, out: &mut Vec<u8>) {
    match value {
        Constant::Nil => out.push(tag::NIL),
        Constant::Boolean(false) => out.push(tag::FALSE),
        Constant::Boolean(true) => out.push(tag::TRUE),
        Constant::Integer(value) => {
            out.push(tag::INTEGER);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Constant::Float(value) => {
            out.push(tag::FLOAT);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Constant::String(bytes) => {
            out.push(tag::STRING);
            text(Some(bytes), out);
        }
    }
}
