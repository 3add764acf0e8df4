//! How benchmarks compare: the same work on both sides, in turns, in one process, so that what slows the machine down slows
//! both. Times are never compared across runs; what counts are ratios of our time to that of reference Lua.

use std::fmt;
use std::time::{Duration, Instant};

/// Both sides' times.
pub struct Measured {
    /// Our time by the reference's, pair by pair, in ascending order.
    ratios: Vec<f64>,
    /// The shortest times, ours and the reference's.
    best: (Duration, Duration),
}

/// Measures pairs for as long as that, but at least five. Which comes first changes from pair to pair.
pub fn measure(time: Duration, mut ours: impl FnMut(), mut reference: impl FnMut()) -> Measured {
    let timed = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    let mut ratios = Vec::new();
    let mut best = (Duration::MAX, Duration::MAX);
    let start = Instant::now();
    while ratios.len() < 5 || start.elapsed() < time {
        let pair = if ratios.len() % 2 == 0 {
            let first = timed(&mut ours);
            (first, timed(&mut reference))
        } else {
            let first = timed(&mut reference);
            (timed(&mut ours), first)
        };
        best = (best.0.min(pair.0), best.1.min(pair.1));
        ratios.push(pair.0.as_secs_f64() / pair.1.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    Measured { ratios, best }
}

impl Measured {
    fn quantile(&self, part: f64) -> f64 {
        self.ratios[((self.ratios.len() - 1) as f64 * part).round() as usize]
    }

    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

/// The names of the columns that a measurement is printed in.
pub const COLUMNS: &str = "  ratio     (quartiles)     ours / reference";

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        write!(
            f,
            "{:>7.3} ({:.3}–{:.3}) {:>8.2} / {:.2} ms",
            self.median(),
            self.quantile(0.25),
            self.quantile(0.75),
            milliseconds(self.best.0),
            milliseconds(self.best.1)
        )
    }
}
