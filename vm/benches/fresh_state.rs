//! What a state with its whole library costs to make and to drop: ours against reference Lua's as mlua makes it.
//!
//! `cargo bench -p moonphase-vm --bench fresh_state`

#[path = "common/measure.rs"]
mod measure;

use measure::{COLUMNS, measure};
use moonphase_vm::{Options, Vm};
use std::time::Duration;

/// States in a row: one alone is too short to be timed.
const STATES: u32 = 50;

fn main() {
    let ours = || {
        for _ in 0..STATES {
            drop(Vm::new(Options::default()).expect("the default policy is sound"));
        }
    };
    let reference = || {
        for _ in 0..STATES {
            // SAFETY: nothing is run in it.
            #[allow(unsafe_code)]
            drop(unsafe { mlua::Lua::unsafe_new() });
        }
    };
    let measured = measure(Duration::from_secs(3), ours, reference);
    println!("{:<16}{COLUMNS}", "");
    println!("{:<16}{measured}", format!("{STATES} states"));
}
