//! Scripts as typed models: generated, mutated, reduced and rendered to Lua text.
//!
//! A [`Script`] is a list of [`Operation`]s as plain data. Entropy, mutators and reductions may be careless about it:
//! [`Script::fixup`] makes any model valid again. A script that went through fixup keeps these promises, and every
//! other part of the harness leans on them:
//!
//! - its text is valid Lua in each version that it claims, and stays below Lua's limits of locals and registers;
//! - it ends by itself: loops are bounded, and no function calls what an upvalue happens to hold;
//! - it prints only what every correct Lua must print, whenever its collector runs. Finalizers count instead of printing
//!   (those of objects that are reachable until the state ends print),
//!   weak tables and that count are looked at only after two full collections, and no address, order of `pairs`, byte
//!   count or step result is printed;
//! - a table says from the beginning whether its weakness may change; what such a table holds is never looked at;
//! - no native function gets its upvalues set or joined.
//!
//! The model has no operation that is a recipe for a bug: reload is one reload and a step is one step; what makes a
//! barrier fail has to come from their combination.

mod attributes;
mod callbacks;
mod coroutines;
mod encode;
mod ends;
mod finalizers;
mod fixup;
mod function;
mod generate;
mod growth;
mod late;
mod loading;
mod mutate;
mod operation;
mod payload;
mod prelude;
mod probes;
mod reduce;
mod render;
mod reuse;
mod simplify;
mod stacks;
mod statistics;
mod weak;

#[cfg(test)]
mod tests;

use std::fmt;

use arbitrary::{Arbitrary, Unstructured};
use mutatis::{Generate, Mutate};
use serde::{Deserialize, Serialize};

pub use attributes::*;
pub use callbacks::*;
pub use coroutines::*;
pub use encode::{DecodeError, FORMAT_VERSION};
pub use ends::*;
pub use finalizers::*;
pub use fixup::Repair;
pub use function::{Action, Body, FunctionResult, Inner, NewFunction, Shape};
pub use generate::{GeneratorOptions, generate};
pub use growth::*;
pub use late::*;
pub use loading::*;
pub use mutate::{ScriptMutator, crossover};
pub use operation::*;
pub use payload::*;
pub use probes::*;
pub use reduce::{Cost, Reductions};
pub use render::{OperationPath, Rendered, Span};
pub use reuse::*;
pub use stacks::*;
pub use statistics::Statistics;
pub use weak::*;

/// A list of operations that run one after the other.
pub type Block = Vec<Operation>;

/// A test script: what the generator makes and the minimizer shrinks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Script {
    /// The main chunk.
    pub body: Block,
}

impl Script {
    /// The number of operations, those in nested blocks included.
    pub fn len(&self) -> usize {
        fn count(block: &[Operation]) -> usize {
            block.iter().map(|operation| 1 + operation.block().map_or(0, |inner| count(inner))).sum()
        }
        count(&self.body)
    }

    /// Whether the script does nothing.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Calls `visit` for every operation, outer ones before those in their blocks.
    pub fn for_each<'a>(&'a self, visit: &mut dyn FnMut(&'a Operation)) {
        fn walk<'a>(block: &'a [Operation], visit: &mut dyn FnMut(&'a Operation)) {
            for operation in block {
                visit(operation);
                if let Some(inner) = operation.block() {
                    walk(inner, visit);
                }
            }
        }
        walk(&self.body, visit);
    }
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident $prefix:literal),* $(,)?) => {$(
        $(#[$doc])*
        ///
        /// Its text is the name that the variable has in the script.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize, Arbitrary, Mutate)]
        pub struct $name(pub u16);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    )*};
}

identifiers! {
    /// A variable that holds a table.
    TableId "t",
    /// A variable that holds a Lua function.
    FunctionId "f",
    /// A variable that holds a function which makes closures.
    FactoryId "make",
    /// A variable that holds a module.
    ModuleId "m",
    /// A variable that holds a coroutine, or the function that `coroutine.wrap` returned.
    CoroutineId "co",
}

/// Where a variable lives, which decides when the collector comes across its value: the registry and the globals are
/// marked before the stack, and what a table holds is marked after the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Mutate)]
pub enum Place {
    /// A local of the enclosing function: a stack slot.
    #[default]
    Local,
    /// A global.
    Global,
    /// The field of the variable's own name in a table that is not weak.
    Field(TableId),
}

impl<'a> Arbitrary<'a> for Place {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.arbitrary::<u8>()? % 8 {
            0..=3 => Place::Local,
            4 | 5 => Place::Global,
            _ => Place::Field(u.arbitrary()?),
        })
    }
}

/// A variable whose value other places may hold too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Object {
    /// A table.
    Table(TableId),
    /// A function.
    Function(FunctionId),
}

/// An expression without effects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Mutate)]
pub enum Value {
    /// `nil`
    #[default]
    Nil,
    /// `true` or `false`
    Boolean(#[mutatis(default_mutate)] bool),
    /// A small integer.
    Integer(#[mutatis(default_mutate)] u8),
    /// A string constant, which the prototype keeps alive.
    String(#[mutatis(default_mutate)] u8),
    /// A short string made at run time.
    FreshString(u8),
    /// A long string (not interned) made at run time.
    LongString(#[mutatis(default_mutate)] u8),
    /// `{}`
    NewTable,
    /// A fresh table that can be told from others by its `id`.
    Record(u8),
    /// A fresh closure without upvalues.
    NewClosure(u8),
    /// A table variable.
    Table(TableId),
    /// A function variable.
    Function(FunctionId),
}

impl<'a> Arbitrary<'a> for Value {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let number = u.arbitrary::<u8>()? % 100;
        // Fresh objects are white: they are what a missing barrier loses.
        Ok(match u.arbitrary::<u8>()? % 20 {
            0 => Value::Nil,
            1 => Value::Boolean(number.is_multiple_of(2)),
            2 => Value::Integer(number),
            3 => Value::String(number),
            4 | 5 => Value::FreshString(number),
            6 => Value::LongString(number),
            7..=9 => Value::NewTable,
            10..=14 => Value::Record(number),
            15 => Value::NewClosure(number),
            16 | 17 => Value::Table(u.arbitrary()?),
            _ => Value::Function(u.arbitrary()?),
        })
    }
}

/// A named field of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Key {
    /// `.a`
    #[default]
    A,
    /// `.b`
    B,
    /// `.c`
    C,
    /// `.d`
    D,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Key::A => "a",
            Key::B => "b",
            Key::C => "c",
            Key::D => "d",
        })
    }
}

/// Between `least` and `most` values, as entropy decides; for `#[arbitrary(with = …)]`.
fn several<'a, T: Arbitrary<'a>>(u: &mut Unstructured<'a>, least: usize, most: usize) -> arbitrary::Result<Vec<T>> {
    let count = u.int_in_range(least..=most)?;
    (0..count).map(|_| u.arbitrary()).collect()
}
