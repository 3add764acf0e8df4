//! Free programs: Lua text over the whole language and its library, for comparing the VM itself.
//!
//! The operations of [`crate::script`] are chosen for a collector. Free programs are chosen for everything else:
//! arithmetic at the edges, conversions, patterns, formats, errors and their tracebacks, coroutines, `goto`, `<close>`,
//! metamethods, fields of tables with every kind of key, every function of the library with right and with wrong arguments, every operator on every pair of types.
//!
//! A program keeps these promises:
//!
//! - it is a function of seed and case number, and valid Lua 5.4;
//! - it ends by itself, and soon: loops and recursions are bounded, strings that grow are cut;
//! - it prints only what the manual and reference Lua 5.4 determine: no order of `pairs` (tables are shown sorted), no
//!   memory count, no time of day. Addresses it may print; comparing leaves them out;
//! - what it does to the machine is to make and remove files under names from `os.tmpname`, to run `echo`, `true` and
//!   `exit`, and to read what does not exist;
//! - each line that a probe prints begins with the probe's name in brackets, which becomes part of a finding's signature.
//!
//! What a program is sure to do, whatever becomes of the rest of it, is in [`Program::uses`]: the probes stand one after
//! the other, each in a protected call of its own, and their operands cannot fail. [`Census`] counts that.

mod catalog;
mod census;
mod indexing;
mod language;
mod library;
mod literal;
mod maker;
mod operators;
mod statement;
mod text;

#[cfg(test)]
mod tests;

pub use census::{Census, CensusSummary, Use};

use crate::language::Language;
use maker::Maker;

/// The language of the programs.
pub const LANGUAGE: Language = Language::LUA_54;

/// What every program begins with: `show`, `try` and `traced`.
const PRELUDE: &str = include_str!("prelude.lua");

/// A program with what it is sure to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Lua text.
    pub text: String,
    /// Calls of library functions and operators on pairs of types that run if the program runs to its end.
    pub uses: Vec<Use>,
}

/// The program of one case, which is a function of these arguments and of nothing else.
pub fn generate(seed: u64, case: u64) -> Program {
    let mut maker = Maker::new(seed, case);
    maker.out.push_str(PRELUDE);
    let parts = maker.between(3, 7);
    for _ in 0..parts {
        match maker.below(16) {
            0..=3 => maker.library_probes(),
            4..=6 => maker.operator_probes(),
            7 | 8 => maker.statements(),
            9 => maker.objects(),
            10 => maker.damaged_text(),
            11 | 12 => maker.language_probe(),
            13 => maker.coroutines(),
            _ => maker.indexing(),
        }
    }
    if maker.one_in(12) {
        maker.failing_end();
    }
    Program { text: maker.out, uses: maker.uses }
}
