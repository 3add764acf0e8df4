//! The limits under which every engine runs a script.
//!
//! One struct for all engines, so that two engines are compared under the same conditions. An engine enforces what it
//! can by itself; `deadline` is enforced from outside, by the supervisor of the worker process, because no engine can
//! be trusted to interrupt itself everywhere.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one run of a script may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// VM instructions. `u64::MAX` means no limit, and spares an engine the counting.
    pub instructions: u64,
    /// Bytes of the Lua heap.
    pub memory_bytes: u64,
    /// Values on one Lua stack, which bounds nested calls. Reference Lua has its own limit (`LUAI_MAXSTACK`) and ignores
    /// this.
    pub stack_slots: usize,
    /// Bytes that a script may print.
    pub output_bytes: usize,
    /// Wall-clock time of a case in all engines together.
    pub deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            instructions: 5_000_000,
            memory_bytes: 64 << 20,
            // That of reference Lua: a recursion overflows there and here, or in neither.
            stack_slots: 1_000_000,
            output_bytes: 1 << 20,
            deadline: Duration::from_secs(10),
        }
    }
}

/// The limits that can end a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LimitKind {
    /// Too many VM instructions.
    Instructions,
    /// The heap grew too large.
    Memory,
    /// Calls were nested too deeply.
    Depth,
    /// Too much was printed.
    Output,
    /// The deadline passed.
    Time,
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LimitKind::Instructions => "instruction limit",
            LimitKind::Memory => "memory limit",
            LimitKind::Depth => "nesting limit",
            LimitKind::Output => "output limit",
            LimitKind::Time => "deadline",
        })
    }
}

impl Limits {
    /// A fiftieth of the instructions and the memory, which is plenty for most scripts, and less than a tenth of the time
    /// for one that uses up what it has.
    pub fn narrow(self) -> Limits {
        const PART: u64 = 50;
        Limits { instructions: self.instructions / PART, memory_bytes: self.memory_bytes / PART, ..self }
    }

    /// A part of the instructions.
    pub fn with_fewer_instructions(self, part: u64) -> Limits {
        Limits { instructions: self.instructions / part, ..self }
    }
}
