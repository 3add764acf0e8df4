//! Campaigns: many cases, in worker processes.

pub mod folder;
pub mod fuzz;
pub mod job;
pub mod lane;
pub mod process;
pub mod protocol;
mod shrink;
pub mod supervisor;
pub mod triage;
pub mod worker;
