//! Prototypes: the code of Lua functions, as objects.

use crate::bytecode::Instruction;
use crate::gc::{Field, Gc, Header};
use crate::value::{Closure, Str, Value};
use std::rc::Rc;

/// The code of a function and what it refers to.
///
/// It is made empty and filled in by loading; a reference is written with a barrier, since a step may run in between.
#[repr(C)]
pub struct Prototype {
    pub(crate) header: Header,
    pub(crate) source: Field<Option<Gc<Str>>>,
    pub(crate) line_defined: u32,
    pub(crate) last_line_defined: u32,
    pub(crate) parameters: u8,
    pub(crate) variadic: bool,
    pub(crate) max_stack: u8,
    pub(crate) code: Rc<[Instruction]>,
    pub(crate) lines: Rc<[u32]>,
    pub(crate) constants: Box<[Field<Value>]>,
    pub(crate) prototypes: Box<[Field<Option<Gc<Prototype>>>]>,
    pub(crate) upvalues: Box<[UpvalueName]>,
    pub(crate) locals: Box<[LocalName]>,
    /// The closure made last, where equal closures may be one.
    pub(crate) cache: Field<Option<Gc<Closure>>>,
}

/// Where a closure captures an upvalue from, and its name.
pub struct UpvalueName {
    pub(crate) name: Field<Option<Gc<Str>>>,
    pub(crate) in_stack: bool,
    pub(crate) index: u8,
}

/// The scope and name of a local variable.
pub struct LocalName {
    pub(crate) name: Field<Option<Gc<Str>>>,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Prototype {
    /// The source line of the instruction at `pc`.
    pub(crate) fn line_at(&self, pc: usize) -> Option<u32> {
        self.lines.get(pc).copied()
    }

    /// The name of the chunk that the function came from.
    pub(crate) fn source_bytes(&self) -> Vec<u8> {
        self.source.get().map_or_else(|| b"=?".to_vec(), |source| source.as_bytes().to_vec())
    }

    /// The `number`-th active local variable (from 0) at `pc`: the name of that register.
    pub(crate) fn local_name(&self, number: usize, pc: usize) -> Option<Gc<Str>> {
        self.locals
            .iter()
            .take_while(|local| local.start as usize <= pc)
            .filter(|local| pc < local.end as usize)
            .nth(number)
            .and_then(|local| local.name.get())
    }
}
