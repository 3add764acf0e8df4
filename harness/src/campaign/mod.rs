//! Campaigns: many cases, in worker processes.

pub mod lane;
pub mod process;
pub mod protocol;
pub mod supervisor;
pub mod worker;
