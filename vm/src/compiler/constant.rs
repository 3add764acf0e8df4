//! Values that are known while compiling.

use super::function_state::FunctionState;
use super::operand::{Operand, Place};
use crate::bytecode::Constant;
use crate::syntax::ast::Name;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

/// The text of a string that is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'t> {
    /// A string of the tree.
    String(&'t Rc<[u8]>),
    /// A name of the tree.
    Name(&'t Name),
    /// The value of a variable, by its place among [`FunctionState::texts`].
    Known(usize),
}

/// A value that is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Literal<'t> {
    Nil,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(Text<'t>),
}

/// A constant as the key under which its index is found; floats by their bits, so that `0.0`, `-0.0` and `0` differ.
pub(super) struct ConstantKey(pub(super) Constant);

impl PartialEq for ConstantKey {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Constant::Float(one), Constant::Float(other)) => one.to_bits() == other.to_bits(),
            (one, other) => one == other,
        }
    }
}

impl Eq for ConstantKey {}

impl Hash for ConstantKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Constant::Nil => state.write_u64(0),
            Constant::Boolean(value) => state.write_u64(1 + u64::from(*value)),
            Constant::Integer(value) => state.write_u64(*value as u64),
            Constant::Float(value) => state.write_u64(value.to_bits()),
            Constant::String(value) => state.write(value),
        }
    }
}

impl FunctionState {
    /// A value that does not need the tree any more.
    pub(super) fn owned(&self, literal: Literal) -> Constant {
        match literal {
            Literal::Nil => Constant::Nil,
            Literal::Boolean(value) => Constant::Boolean(value),
            Literal::Integer(value) => Constant::Integer(value),
            Literal::Float(value) => Constant::Float(value),
            Literal::String(Text::String(string)) => Constant::String(Rc::clone(string)),
            Literal::String(Text::Name(name)) => Constant::String(Rc::from(Rc::clone(name))),
            Literal::String(Text::Known(place)) => Constant::String(Rc::clone(&self.texts[place])),
        }
    }

    /// The value of a variable that is a constant.
    pub(super) fn known(&mut self, value: &Constant) -> Operand<'static> {
        Operand::from(match value {
            Constant::Nil => Place::Nil,
            Constant::Boolean(true) => Place::True,
            Constant::Boolean(false) => Place::False,
            Constant::Integer(value) => Place::Integer(*value),
            Constant::Float(value) => Place::Float(*value),
            Constant::String(text) => {
                self.texts.push(Rc::clone(text));
                Place::String(Text::Known(self.texts.len() - 1))
            }
        })
    }
}
