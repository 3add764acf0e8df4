//! What the fuzz targets share: how they start, and what they say when they end.
//!
//! All that does not know libFuzzer is in [`moonphase::fuzzing`].

mod cells;

use std::collections::BTreeSet;
use std::ffi::c_int;
use std::sync::{Mutex, OnceLock};
use std::{env, process};

use libfuzzer_sys::Corpus;
use moonphase::fuzzing::{Fate, Tally, Wishes};

static WISHES: OnceLock<Wishes> = OnceLock::new();
static TALLY: Tally = Tally::new();
static CELLS: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

// libFuzzer ends the process by `exit`, and leaves no other place where the end can be noticed.
//
// SAFETY: `atexit` (C11, 7.22.4.2) may be called at any time from any thread, and keeps nothing but the function.
unsafe extern "C" {
    safe fn atexit(function: extern "C" fn()) -> c_int;
}

extern "C" fn print_tally() {
    let cells = CELLS.lock().map_or(0, |cells| cells.len());
    eprintln!("moonphase: {TALLY}, {cells} states covered");
}

/// Prepares a target, before libFuzzer looks at its arguments. A wrong environment ends the process with code 2.
pub fn start() {
    match Wishes::from_env() {
        Ok(wishes) => {
            WISHES.get_or_init(|| wishes);
            // If this fails the tally is not printed, and that is all.
            atexit(print_tally);
        }
        Err(error) => {
            eprintln!("moonphase: {error}");
            process::exit(2);
        }
    }
}

/// What the environment asked for.
pub fn wishes() -> Wishes {
    WISHES.get().copied().unwrap_or_default()
}

/// Counts an input that covered these cells, and says whether the corpus may keep it.
pub fn finish(fate: Fate, covered: &[usize]) -> Corpus {
    TALLY.count(fate);
    if let Ok(mut cells) = CELLS.lock() {
        cells.extend(covered);
    }
    if env::var_os(cells::OFF_VARIABLE).is_none() {
        cells::count(covered);
    }
    match fate {
        Fate::Executed | Fate::Inconclusive => Corpus::Keep,
        Fate::Rejected => Corpus::Reject,
    }
}
