//! State coverage as coverage for libFuzzer: an input that drives a store into a new state of the collector is kept.
//!
//! libFuzzer takes every byte of the section `__libfuzzer_extra_counters` for a counter. It sets them all to 0 before
//! each input, in whole words, and afterwards an input has a feature for each that is not 0. A cell is 0 or 1: how often
//! a state occurs says nothing.

use std::sync::atomic::{AtomicU8, Ordering};

use moonphase::coverage::CELLS;

/// Policies whose cells have counters: at least as many as a target runs inputs under.
const POLICIES: usize = 8;

/// Set to anything, this variable leaves the counters alone, to measure what they are good for.
pub const OFF_VARIABLE: &str = "MOONPHASE_NO_CELLS";

#[repr(C, align(8))]
struct Counters([AtomicU8; CELLS * POLICIES]);

// Words are cleared, so the section must be made of them.
const _: () = assert!(size_of::<Counters>().is_multiple_of(size_of::<usize>()));

// SAFETY: `link_section` is unsafe since a wrong section may hold what its data is not. This one is plain writable data on
// every system that libFuzzer has it on, and made of counters, each a byte for which every value is valid. Atomics are
// what may change without Rust's knowledge: libFuzzer clears and reads them between two inputs, on the thread that runs
// these.
#[cfg_attr(target_os = "linux", unsafe(link_section = "__libfuzzer_extra_counters"))]
static COUNTERS: Counters = Counters([const { AtomicU8::new(0) }; CELLS * POLICIES]);

/// Tells libFuzzer which cells an input covered.
pub fn count(cells: &[usize]) {
    for &cell in cells {
        if let Some(counter) = COUNTERS.0.get(cell) {
            counter.store(1, Ordering::Relaxed);
        }
    }
}
