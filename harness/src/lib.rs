//! Differential fuzzing of Lua garbage collectors.
//!
//! The road of one case, and of this crate: random numbers or bytes become a [`script`] (a model, then Lua text); each
//! [`engine`] runs it and gives an [`outcome`]; the [`oracle`]s say whether something is wrong; what is wrong is a
//! [`finding`], which [`minimize`] shrinks and [`report`] explains. A [`campaign`] does this for many cases, in worker
//! processes. No fuzzing engine appears here; the targets in `fuzz/` are glue.

pub mod campaign;
pub mod cases;
pub mod circumstance;
pub mod coverage;
pub mod engine;
pub mod fault;
pub mod finding;
pub mod free;
pub mod fuzzing;
pub mod header;
pub mod known;
pub mod language;
pub mod limits;
pub mod minimize;
pub mod oracle;
pub mod outcome;
pub mod report;
pub mod schedule;
pub mod script;
pub mod settings;
mod text;
pub mod trace;
pub mod words;
