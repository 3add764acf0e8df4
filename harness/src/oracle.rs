//! The oracles: puts one script before all of them.
//!
//! The invariant and dangling oracles listen while our VM runs the script; the differential oracle compares its outcome with
//! the reference's, and the schedule oracle with its own under schedules of the collector. The crash oracle is not here but in the supervisor, since an engine that dies takes this process with
//! it.

use std::time::{Duration, Instant};

use moonphase_invariants::Invariant;
use moonphase_vm::Schedule;
use serde::{Deserialize, Serialize};

use crate::campaign::protocol::Stage;
use crate::engine::Engine;
use crate::engine::reference::ReferenceEngine;
use crate::engine::vm::{Look, VmEngine, VmRun};
use crate::finding::{Detected, Oracle};
use crate::limits::Limits;
use crate::outcome::{Comparison, Difference, Inconclusive, Outcome, compare};
use crate::settings::{Check, Reference, Settings};

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
    /// The schedule under which it went wrong.
    pub schedule: Schedule,
    /// What differs from the reference, or under the schedule.
    pub difference: Option<Difference>,
    /// What our VM made of it under that schedule.
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
    /// Whether it still shows what this oracle has found, and whether it runs on plain Lua, for the minimizer.
    Minimize(Oracle),
    /// As well all that explains a finding.
    Explain,
}

/// All oracles with their engines.
pub struct Oracles {
    settings: Settings,
    limits: Limits,
    vm: VmEngine,
    reference: Option<ReferenceEngine>,
    /// The only oracle that may speak, `None` for all.
    alone: Option<Oracle>,
    /// The checker's part of the time of runs without and with a schedule.
    shares: [CheckerShare; 2],
}

/// Part of a run's time that the checker takes, as last measured.
#[derive(Clone, Copy, Debug, Default)]
struct CheckerShare {
    share: f64,
    runs: u64,
}

/// One case in so many is measured inside.
const MEASURED: u64 = 32;

impl Oracles {
    /// Oracles with these settings and limits.
    pub fn new(settings: Settings, limits: Limits) -> Oracles {
        let reference = match settings.reference {
            Reference::Lua54 => Some(ReferenceEngine::with_system(settings.system)),
            Reference::None => None,
        };
        Oracles {
            vm: VmEngine::new(settings.clone()),
            settings,
            limits,
            reference,
            alone: None,
            shares: Default::default(),
        }
    }

    /// One oracle without the help of the others: only for it are the invariants checked, the reference asked, and outcomes
    /// under schedules compared. Freed objects are in quarantine for each of them; a script that makes the collector touch
    /// one is not run further.
    pub fn alone(oracle: Oracle, settings: Settings, limits: Limits) -> Oracles {
        let check = if oracle == Oracle::Invariant { settings.check } else { Check::Off };
        let reference = if oracle == Oracle::Differential { settings.reference } else { Reference::None };
        Oracles { alone: Some(oracle), ..Oracles::new(Settings { check, reference, ..settings }, limits) }
    }

    /// The numbers of the cells that were covered for the first time since the last call.
    pub fn take_new_cells(&mut self) -> Vec<u16> {
        self.vm.take_new_cells()
    }

    /// The numbers of all cells that were covered since the last call.
    pub fn take_cells(&mut self) -> Vec<u16> {
        self.vm.take_cells()
    }

    /// Puts a script before the oracles: without a schedule and then under each of these, until something is found. `stage`
    /// is told which engine runs, in case that it never returns.
    ///
    /// The reference runs at most once: first to compare a script in which the checker has found nothing, or last for the
    /// minimizer, which wants to know whether what shows a finding of our VM alone runs there.
    pub fn judge(
        &mut self,
        source: &[u8],
        schedules: &[Schedule],
        purpose: Purpose,
        stage: &mut dyn FnMut(Stage),
    ) -> Judgement {
        let mut times = Times::default();
        stage(Stage::Vm);
        let ours = self.run(source, &Schedule::None, purpose, &mut times);
        let alone = self.alone;
        let mut judgement = Judgement {
            detected: heard(&ours, alone),
            inconclusive: None,
            schedule: Schedule::None,
            difference: None,
            ours,
            reference: None,
            executions: 1,
            times,
        };
        let compares = !matches!(purpose, Purpose::Minimize(Oracle::Invariant | Oracle::Dangling | Oracle::Schedule));
        if compares && judgement.detected.is_none() {
            self.ask_reference(source, &mut judgement, stage);
        }
        // The reference runs without a schedule, and is compared with such a run.
        let schedules = if alone == Some(Oracle::Differential) { &[] } else { schedules };
        for schedule in schedules {
            if judgement.detected.is_some() {
                break;
            }
            stage(Stage::Vm);
            let run = self.run(source, schedule, purpose, &mut judgement.times);
            judgement.executions += 1;
            stage(Stage::Compare);
            judgement.add_scheduled(run, schedule, alone);
        }
        if matches!(purpose, Purpose::Minimize(_)) && judgement.detected.is_some() && judgement.reference.is_none() {
            self.ask_reference(source, &mut judgement, stage);
        }
        judgement
    }

    /// Runs the reference, if there is one.
    fn ask_reference(&mut self, source: &[u8], judgement: &mut Judgement, stage: &mut dyn FnMut(Stage)) {
        let Some(reference) = &mut self.reference else { return };
        stage(Stage::Reference);
        let (outcome, time) = measure(|| reference.run(source, CHUNK_NAME, &self.limits));
        judgement.executions += 1;
        judgement.times.reference = time.as_secs_f64();
        stage(Stage::Compare);
        judgement.add_reference(outcome);
    }

    /// Runs our VM, and adds the time that it takes.
    fn run(&mut self, source: &[u8], schedule: &Schedule, purpose: Purpose, times: &mut Times) -> VmRun {
        let measured = &mut self.shares[usize::from(*schedule != Schedule::None)];
        measured.runs += 1;
        let look = Look {
            history: purpose == Purpose::Explain,
            timed: self.settings.check.level().is_some() && measured.runs % MEASURED == 1,
        };
        let (run, whole) = measure(|| self.vm.run_observed(source, CHUNK_NAME, &self.limits, schedule, look));
        if look.timed && !whole.is_zero() {
            measured.share = run.checking.as_secs_f64() / whole.as_secs_f64();
        }
        let whole = whole.as_secs_f64();
        times.vm += whole * (1.0 - measured.share);
        times.check += whole * measured.share;
        run
    }
}

impl Judgement {
    /// Takes in what the reference made of the script.
    fn add_reference(&mut self, outcome: Outcome) {
        if self.detected.is_none() {
            let contrast = contrast(Oracle::Differential, &self.ours.outcome, &outcome);
            self.add_contrast(contrast);
        }
        self.reference = Some(outcome);
    }

    /// Takes in what our VM made of the script under a schedule, where nothing had been found before. What is kept is the
    /// run that shows something.
    fn add_scheduled(&mut self, run: VmRun, schedule: &Schedule, alone: Option<Oracle>) {
        self.detected = heard(&run, alone);
        if self.detected.is_none() && alone.is_none_or(|oracle| oracle == Oracle::Schedule) {
            let contrast = contrast(Oracle::Schedule, &run.outcome, &self.ours.outcome);
            self.add_contrast(contrast);
        }
        if self.detected.is_some() {
            self.schedule = schedule.clone();
            self.ours = run;
        }
    }

    fn add_contrast(&mut self, contrast: Contrast) {
        self.times.compare += contrast.seconds;
        self.detected = contrast.detected;
        match contrast.comparison {
            Comparison::Agree => {}
            Comparison::Inconclusive(reason) => self.inconclusive = Some(reason),
            Comparison::Differ(difference) => self.difference = Some(difference),
        }
    }
}

/// Two outcomes, compared.
struct Contrast {
    comparison: Comparison,
    detected: Option<Detected>,
    seconds: f64,
}

fn contrast(oracle: Oracle, ours: &Outcome, other: &Outcome) -> Contrast {
    let (comparison, time) = measure(|| compare(ours, other));
    let detected = match &comparison {
        Comparison::Differ(difference) => Some(differing(oracle, difference, ours, other)),
        Comparison::Agree | Comparison::Inconclusive(_) => None,
    };
    Contrast { comparison, detected, seconds: time.as_secs_f64() }
}

fn measure<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// What was found while our VM ran, if all oracles are asked or the one alone that speaks of it. What the checker says of
/// freed objects is its own.
fn heard(run: &VmRun, alone: Option<Oracle>) -> Option<Detected> {
    if matches!(alone, None | Some(Oracle::Invariant | Oracle::Dangling)) { found(run) } else { None }
}

/// What was found while our VM ran.
pub fn found(run: &VmRun) -> Option<Detected> {
    if let Some(violation) = &run.violation {
        let oracle = if violation.invariant == Invariant::Dangling { Oracle::Dangling } else { Oracle::Invariant };
        return Some(Detected::new(oracle, violation.signature()));
    }
    run.unreachable.map(|unreachable| Detected::new(Oracle::Invariant, unreachable.signature()))
}

/// The finding that a difference is: `differential output returned/error`. Its signature says how the scripts ended and
/// whether a line differs. What was printed is the script's own, but for the name of a probe in brackets with which both
/// lines begin.
fn differing(oracle: Oracle, difference: &Difference, ours: &Outcome, other: &Outcome) -> Detected {
    use crate::outcome::End;
    let word = |outcome: &Outcome| match outcome.end {
        End::Returned => "returned",
        End::Error(_) => "error",
        End::Limit(_) => "limit",
        End::Died(_) => "died",
    };
    let what = if difference.line.is_some() { "output" } else { "end" };
    let probe = match (probe(&difference.ours), probe(&difference.reference)) {
        (Some(ours), Some(other)) if ours == other => format!(" {ours}"),
        _ => String::new(),
    };
    Detected::new(oracle, format!("{oracle} {what} {}/{}{probe}", word(ours), word(other)))
}

/// The name of the probe that printed a line: `string.rep` in `[string.rep] true ""`.
fn probe(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    (!name.is_empty() && name.is_ascii()).then_some(name)
}
