//! Values that the tree gives: what constant expressions and the constants of a function are made of.

use crate::bytecode::Constant;
use crate::syntax::ast::Name;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// A text of the tree, as a string or as a name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'t> {
    String(&'t Rc<[u8]>),
    Name(&'t Name),
}

impl<'t> Text<'t> {
    fn bytes(self) -> &'t [u8] {
        match self {
            Text::String(string) => string,
            Text::Name(name) => name.as_bytes(),
        }
    }
}

impl From<Text<'_>> for Rc<[u8]> {
    fn from(text: Text) -> Self {
        match text {
            Text::String(string) => Rc::clone(string),
            Text::Name(name) => Rc::from(Rc::clone(name)),
        }
    }
}

/// A value that is known while compiling. As in the table of constants, floats with different bits are different values, and
/// none is an integer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Literal<'t> {
    Nil,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(Text<'t>),
}

impl PartialEq for Literal<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (*self, *other) {
            (Literal::Nil, Literal::Nil) => true,
            (Literal::Boolean(one), Literal::Boolean(other)) => one == other,
            (Literal::Integer(one), Literal::Integer(other)) => one == other,
            (Literal::Float(one), Literal::Float(other)) => one.to_bits() == other.to_bits(),
            (Literal::String(one), Literal::String(other)) => one.bytes() == other.bytes(),
            _ => false,
        }
    }
}

impl Eq for Literal<'_> {}

impl Hash for Literal<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match *self {
            Literal::Nil => state.write_u64(0),
            Literal::Boolean(value) => state.write_u64(1 + u64::from(value)),
            Literal::Integer(value) => state.write_u64(value as u64),
            Literal::Float(value) => state.write_u64(value.to_bits()),
            Literal::String(text) => state.write(text.bytes()),
        }
    }
}

impl From<Literal<'_>> for Constant {
    fn from(literal: Literal) -> Self {
        match literal {
            Literal::Nil => Constant::Nil,
            Literal::Boolean(value) => Constant::Boolean(value),
            Literal::Integer(value) => Constant::Integer(value),
            Literal::Float(value) => Constant::Float(value),
            Literal::String(text) => Constant::String(text.into()),
        }
    }
}
