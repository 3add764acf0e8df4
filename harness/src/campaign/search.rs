//! The search for a schedule of the collector under which a script goes wrong.
//!
//! A script that a person wrote makes no steps of the collector, or makes them at the wrong moments. So it is run under one
//! schedule after the other: those that turn everywhere first, then random ones, which leap into every phase. The order is the
//! same each time, so the search finds the same again.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use moonphase_vm::Schedule;

use super::job::Ended;
use super::lane::IsolationError;
use super::protocol::CaseInput;
use super::triage::Triage;
use crate::oracle::Purpose;

/// What a search came to.
pub struct Searched {
    /// How many schedules were tried.
    pub tried: u64,
    /// The last of them with what it showed, if it showed something.
    pub found: Option<(Schedule, Ended)>,
}

impl Triage<'_> {
    /// Looks for a schedule under which a script shows something, for so long. The user's wish to stop ends the search.
    ///
    /// # Errors
    /// Workers do not work.
    pub fn search(&self, source: &[u8], time: Duration) -> Result<Searched, IsolationError> {
        let deadline = Instant::now() + time;
        let mut isolated = self.isolated(Purpose::Detect)?;
        let mut tried = 0;
        for schedule in schedules() {
            if Instant::now() >= deadline || self.stop.load(Ordering::Relaxed) {
                break;
            }
            let case = CaseInput::Scheduled { text: source.to_vec(), schedule: schedule.clone() };
            let ended = Ended::from(isolated.run_one(case)?);
            tried += 1;
            if ended.detected.is_some() {
                return Ok(Searched { tried, found: Some((schedule, ended)) });
            }
        }
        Ok(Searched { tried, found: None })
    }
}

/// Every schedule that is tried, in this order. There is no end of random ones.
fn schedules() -> impl Iterator<Item = Schedule> {
    let everywhere = [Schedule::Stress, Schedule::Barriers, Schedule::Generational];
    everywhere.into_iter().chain((1..).map(Schedule::Random))
}
