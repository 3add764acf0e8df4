//! What programs were sure to do, counted: calls of each library function, and each operator on each type or pair of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalog::{BINARY, LIBRARY, UNARY};
use super::literal::Type;

/// One thing that a program is sure to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Use(u16);

const TYPES: usize = Type::ALL.len();
const UNARY_BEGIN: usize = LIBRARY.len();
const BINARY_BEGIN: usize = UNARY_BEGIN + UNARY.len() * TYPES;
const END: usize = BINARY_BEGIN + BINARY.len() * TYPES * TYPES;

impl Use {
    /// A call of a library function, by its place in the catalog.
    pub(super) fn function(index: usize) -> Use {
        Use::at(index)
    }

    /// A unary operator, by its place in the catalog, on a type.
    pub(super) fn unary(operator: usize, operand: Type) -> Use {
        Use::at(UNARY_BEGIN + operator * TYPES + operand as usize)
    }

    /// A binary operator, by its place in the catalog, on a pair of types.
    pub(super) fn binary(operator: usize, left: Type, right: Type) -> Use {
        Use::at(BINARY_BEGIN + (operator * TYPES + left as usize) * TYPES + right as usize)
    }

    fn at(index: usize) -> Use {
        // There are some two thousand.
        Use(index as u16)
    }

    /// All that there are.
    pub fn all() -> impl Iterator<Item = Use> {
        (0..END).map(Use::at)
    }

    /// The name of the function, if it is one.
    pub fn function_name(self) -> Option<&'static str> {
        LIBRARY.get(usize::from(self.0)).map(|function| function.name)
    }

    /// `string.rep`, `not float`, or `integer + string`.
    pub fn name(self) -> String {
        let index = usize::from(self.0);
        if let Some(name) = self.function_name() {
            return name.to_owned();
        }
        if index < BINARY_BEGIN {
            let index = index - UNARY_BEGIN;
            return format!("{} {}", UNARY[index / TYPES], Type::ALL[index % TYPES].name());
        }
        let index = index - BINARY_BEGIN;
        let operator = BINARY[index / TYPES / TYPES];
        format!("{} {operator} {}", Type::ALL[index / TYPES % TYPES].name(), Type::ALL[index % TYPES].name())
    }
}

/// How often each thing was done.
#[derive(Clone, Debug)]
pub struct Census {
    counts: Vec<u64>,
}

impl Default for Census {
    fn default() -> Self {
        Census { counts: vec![0; END] }
    }
}

/// A [`Census`] as `--format json` prints it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CensusSummary {
    /// Calls of each library function.
    pub functions: BTreeMap<String, u64>,
    /// Each operator on each type or pair of types.
    pub operators: BTreeMap<String, u64>,
}

impl Census {
    /// Adds what a program did.
    pub fn add(&mut self, uses: &[Use]) {
        for one in uses {
            if let Some(count) = self.counts.get_mut(usize::from(one.0)) {
                *count += 1;
            }
        }
    }

    /// The counts with names.
    pub fn summary(&self) -> CensusSummary {
        let mut summary = CensusSummary::default();
        for (one, &count) in Use::all().zip(&self.counts) {
            let part = match one.function_name() {
                Some(_) => &mut summary.functions,
                None => &mut summary.operators,
            };
            part.insert(one.name(), count);
        }
        summary
    }
}
