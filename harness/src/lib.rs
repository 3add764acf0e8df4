//! Differential fuzzing of Lua garbage collectors.

pub mod campaign;
pub mod engine;
pub mod limits;
pub mod outcome;
