//! Campaigns: many cases, in worker processes.

pub mod faults;
pub mod folder;
pub mod fuzz;
pub mod job;
pub mod lane;
pub mod process;
pub mod protocol;
pub mod search;
mod shrink;
mod side_by_side;
pub mod supervisor;
pub mod triage;
pub mod worker;

pub use side_by_side::in_order;
