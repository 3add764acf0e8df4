//! The Lua implementations that a script is run on, behind one trait.
//!
//! An engine gets Lua text and limits and returns an [`Outcome`]. It knows nothing of scripts as models, of oracles or
//! of worker processes. Every engine offers a script the same library: no files, no processes, nothing that could
//! harm the machine or leave the engine's control, and every run starts from a fresh state.
//!
//! An engine may hang or die all the same (that is what is looked for); isolation is the business of `campaign`.

pub mod reference;
pub mod vm;

use crate::limits::Limits;
use crate::outcome::Outcome;

/// A Lua implementation.
pub trait Engine {
    /// Its short name, as the command line knows it.
    fn name(&self) -> String;

    /// Its exact version.
    fn version(&self) -> String;

    /// Runs `source` from a fresh state.
    ///
    /// `chunk_name` is a chunk name as Lua takes it, with its prefix (`@case.lua` shows as `case.lua` in messages); it
    /// must be the same for all engines, since messages contain it.
    fn run(&mut self, source: &[u8], chunk_name: &str, limits: &Limits) -> Outcome;
}
