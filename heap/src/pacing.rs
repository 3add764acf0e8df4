//! How far the program and its collector are from each other.

use serde::{Deserialize, Serialize};

/// When the collector is to work again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pacing {
    /// Bytes that the program may allocate before the collector works again: the debt (`GCdebt` in Lua 5.2 and later) with the other
    /// sign. Not above zero where it is due.
    pub credit: i64,
    /// Who has stopped the collector.
    pub stopped: Option<Stopped>,
    /// Percent of what lives at the end of a cycle at which the next one begins.
    pub pause: u64,
    /// By how many percent the heap may grow before the next minor collection; 0 where there are none.
    pub minor_growth: u64,
    /// By how many percent the heap may grow between two major collections; 0 where there are none.
    pub major_growth: u64,
    /// Bytes that the program may allocate between two steps of a cycle.
    pub step: u64,
}

/// Who has stopped a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stopped {
    /// The program, by `collectgarbage("stop")`.
    Program,
    /// The collector, while a finalizer runs or the state is closed; or whoever makes the state.
    Inside,
}
