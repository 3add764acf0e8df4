//! The oracles: puts one script before all of them.
//!
//! The invariant and dangling oracles listen while our VM runs the script; the differential oracle compares its outcome with
//! the reference's. The crash oracle is not here but in the supervisor, since an engine that dies takes this process with
//! it.

use std::time::{Duration, Instant};

use moonphase_invariants::{Invariant, Violation};
use serde::{Deserialize, Serialize};

use crate::campaign::protocol::Stage;
use crate::engine::Engine;
use crate::engine::reference::ReferenceEngine;
use crate::engine::vm::{Look, VmEngine, VmRun};
use crate::finding::{Detected, Oracle};
use crate::limits::Limits;
use crate::outcome::{Comparison, Difference, Inconclusive, Outcome, compare};
use crate::settings::{Reference, Settings};

/// The name under which every engine sees the script.
pub const CHUNK_NAME: &str = "@case.lua";

/// Where the time of a case went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// Making the script, seconds.
    pub generate: f64,
    /// Our VM without the checker, seconds.
    pub vm: f64,
    /// The checker, seconds. Measured in some of the cases and extrapolated.
    pub check: f64,
    /// The reference, seconds.
    pub reference: f64,
    /// Comparing outcomes, seconds.
    pub compare: f64,
}

impl Times {
    /// Adds the times of another case.
    pub fn add(&mut self, other: &Times) {
        self.generate += other.generate;
        self.vm += other.vm;
        self.check += other.check;
        self.reference += other.reference;
        self.compare += other.compare;
    }
}

/// What the oracles say of a script.
pub struct Judgement {
    /// What is wrong, if something is.
    pub detected: Option<Detected>,
    /// Why the outcomes could not be compared.
    pub inconclusive: Option<Inconclusive>,
    /// What differs from the reference.
    pub difference: Option<Difference>,
    /// What our VM made of it.
    pub ours: VmRun,
    /// What the reference made of it, if it was asked.
    pub reference: Option<Outcome>,
    /// Engine runs.
    pub executions: u32,
    /// Where the time went.
    pub times: Times,
}

/// What is asked about a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Whether it shows something.
    Detect,
    /// As well whether it runs on plain Lua, for the minimizer.
    Minimize,
    /// As well all that explains a finding.
    Explain,
}

/// All oracles with their engines.
pub struct Oracles {
    settings: Settings,
    limits: Limits,
    vm: VmEngine,
    reference: Option<ReferenceEngine>,
    /// Part of a run's time that the checker takes, as last measured.
    checker_share: f64,
    runs: u64,
}

/// One case in so many is measured inside.
const MEASURED: u64 = 32;

impl Oracles {
    /// Oracles with these settings and limits.
    pub fn new(settings: Settings, limits: Limits) -> Oracles {
        let reference = match settings.reference {
            Reference::Lua54 => Some(ReferenceEngine::new()),
            Reference::None => None,
        };
        Oracles { settings, limits, vm: VmEngine::new(settings), reference, checker_share: 0.0, runs: 0 }
    }

    /// States of the collector seen for the first time since the last call.
    pub fn take_new_states(&mut self) -> Vec<u16> {
        self.vm.take_new_states()
    }

    /// Puts a script before the oracles. `stage` is told which engine runs, in case that it never returns.
    ///
    /// The reference is not asked about a script in which the checker found something, unless the minimizer wants to know
    /// whether it runs there.
    pub fn judge(&mut self, source: &[u8], purpose: Purpose, stage: &mut dyn FnMut(Stage)) -> Judgement {
        self.runs += 1;
        let look = Look {
            history: purpose == Purpose::Explain,
            timed: self.settings.check.level().is_some() && self.runs % MEASURED == 1,
        };
        stage(Stage::Vm);
        let (ours, whole) = measure(|| self.vm.run_observed(source, CHUNK_NAME, &self.limits, look));
        if look.timed && !whole.is_zero() {
            self.checker_share = ours.checking.as_secs_f64() / whole.as_secs_f64();
        }
        let whole = whole.as_secs_f64();
        let mut judgement = Judgement {
            detected: ours.violation.as_deref().map(detected),
            inconclusive: None,
            difference: None,
            ours,
            reference: None,
            executions: 1,
            times: Times {
                vm: whole * (1.0 - self.checker_share),
                check: whole * self.checker_share,
                ..Times::default()
            },
        };
        let Some(reference) = &mut self.reference else { return judgement };
        if judgement.detected.is_some() && purpose != Purpose::Minimize {
            return judgement;
        }
        stage(Stage::Reference);
        let (outcome, time) = measure(|| reference.run(source, CHUNK_NAME, &self.limits));
        judgement.executions += 1;
        judgement.times.reference = time.as_secs_f64();
        if judgement.detected.is_none() {
            stage(Stage::Compare);
            let (comparison, time) = measure(|| compare(&judgement.ours.outcome, &outcome));
            judgement.times.compare = time.as_secs_f64();
            match comparison {
                Comparison::Agree => {}
                Comparison::Inconclusive(reason) => judgement.inconclusive = Some(reason),
                Comparison::Differ(difference) => {
                    judgement.detected = Some(differential(&difference, &judgement.ours.outcome, &outcome));
                    judgement.difference = Some(difference);
                }
            }
        }
        judgement.reference = Some(outcome);
        judgement
    }
}

fn measure<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// The finding that a violation is.
fn detected(violation: &Violation) -> Detected {
    let oracle = if violation.invariant == Invariant::Dangling { Oracle::Dangling } else { Oracle::Invariant };
    Detected::new(oracle, violation.signature())
}

/// The finding that a difference is. Its signature says how the scripts ended and whether a line differs; what was printed
/// is the script's own.
fn differential(difference: &Difference, ours: &Outcome, reference: &Outcome) -> Detected {
    use crate::outcome::End;
    let word = |outcome: &Outcome| match outcome.end {
        End::Returned => "returned",
        End::Error(_) => "error",
        End::Limit(_) => "limit",
        End::Died(_) => "died",
    };
    let what = if difference.line.is_some() { "output" } else { "end" };
    Detected::new(Oracle::Differential, format!("differential {what} {}/{}", word(ours), word(reference)))
}
