//! How soon planted faults are found: for each a campaign up to its first finding, and then one for each oracle alone.
//!
//! The cases of a fault are run one after the other and several faults side by side, so the numbers do not depend on how
//! many. What no oracle finds where all are asked, none finds alone: so those begin at the case with the first finding,
//! and do not begin where there is none. What is found in a case where the collector without the fault shows something too
//! does not count.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::Serialize;

use super::in_order;
use super::job::{CaseReport, Ended, Job};
use super::lane::{CaseEnd, IsolationError};
use super::process::WorkerCommand;
use super::supervisor::{Control, Numbers, StoppedBy, Supervisor};
use super::triage::isolation;
use crate::cases::Scripts;
use crate::fault::{Fault, Planted};
use crate::finding::{Oracle, Signature};
use crate::limits::Limits;
use crate::oracle::Purpose;
use crate::schedule::Schedules;
use crate::settings::{SettingError, Settings};

/// An oracle that works alone is stopped after so many cases that killed their worker: each may take as long as the
/// deadline allows.
const MAX_DEATHS: u32 = 3;

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct FaultCampaign {
    /// How to start a worker.
    pub command: WorkerCommand,
    /// What cases may use.
    pub limits: Limits,
    /// Seed of the generator.
    pub seed: u64,
    /// Cases at most for a fault, all oracles together.
    pub runs: u64,
    /// Cases at most for a fault and an oracle that works alone.
    pub oracle_cap: u64,
    /// Faults that are measured side by side.
    pub jobs: usize,
}

/// How soon a fault is found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FaultResult {
    /// Its name.
    pub fault: &'static str,
    /// The engine that it lives in.
    pub engine: String,
    /// The policy that it lives in, of our VM.
    pub gc: Option<&'static str>,
    /// Whether it was found.
    pub found: bool,
    /// The oracle that found it, where all were asked.
    pub oracle: Option<Oracle>,
    /// What was found.
    pub signature: Option<String>,
    /// Cases up to the first finding, that one included; all that were run if there is none.
    pub runs: u64,
    /// The time that this took.
    pub seconds: f64,
    /// The cases that each oracle needs alone.
    pub by: ByOracle,
}

/// Cases up to the first finding of each oracle that works alone; null where it finds nothing within the cap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct ByOracle {
    pub invariant: Option<u64>,
    pub dangling: Option<u64>,
    pub differential: Option<u64>,
    pub schedule: Option<u64>,
}

/// Why faults could not be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FaultsError<E> {
    /// Workers do not work.
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    /// The fault lives in a policy that this VM does not know.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The caller could not take a result.
    #[error("a result was not taken")]
    Refused(E),
}

/// The first finding of a campaign, or that it found nothing.
struct First {
    runs: u64,
    detected: Option<Signature>,
}

impl FaultCampaign {
    /// Measures faults, and gives the results to `deliver` in the order of `faults`; `ran` is called after each case, from
    /// several threads. Faults whose campaign is under way when `stop` is set have no result.
    ///
    /// # Errors
    /// Workers do not work, a fault cannot be planted, or `deliver` fails.
    pub fn run<E: Send>(
        &self,
        faults: &[Planted],
        stop: &AtomicBool,
        ran: &(dyn Fn() + Sync),
        mut deliver: impl FnMut(FaultResult) -> Result<(), E>,
    ) -> Result<(), FaultsError<E>> {
        in_order(
            faults,
            self.jobs,
            |&fault| self.measure(fault, stop, ran),
            |result| result.map_or(Ok(()), &mut deliver).map_err(FaultsError::Refused),
        )
    }

    /// Measures a fault; `None` where it was stopped.
    fn measure<E>(
        &self,
        fault: Planted,
        stop: &AtomicBool,
        ran: &(dyn Fn() + Sync),
    ) -> Result<Option<FaultResult>, FaultsError<E>> {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let start = Instant::now();
        let settings = Settings::of_fault(fault)?;
        let schedules = if settings.engine.is_ours() { Schedules::Usual } else { Schedules::default() };
        let settings = Settings { schedules, ..settings };
        let Some(first) = self.first(&settings, None, Numbers::new(0, self.runs), stop, ran)? else { return Ok(None) };
        let seconds = start.elapsed().as_secs_f64();
        let mut by = ByOracle::default();
        if first.detected.is_some() {
            for (oracle, runs) in [
                (Oracle::Invariant, &mut by.invariant),
                (Oracle::Dangling, &mut by.dangling),
                (Oracle::Differential, &mut by.differential),
                (Oracle::Schedule, &mut by.schedule),
            ] {
                let before = first.runs - 1;
                let cases = Numbers::new(before, self.oracle_cap.saturating_sub(before));
                let Some(alone) = self.first(&settings, Some(oracle), cases, stop, ran)? else { return Ok(None) };
                *runs = alone.detected.map(|_| before + alone.runs);
            }
        }
        Ok(Some(FaultResult {
            fault: fault.name(),
            engine: fault.engine().to_string(),
            gc: fault.ours().map(Fault::policy),
            found: first.detected.is_some(),
            oracle: first.detected.as_ref().map(Signature::oracle),
            signature: first.detected.map(|detected| detected.to_string()),
            runs: first.runs,
            seconds,
            by,
        }))
    }

    /// Runs cases up to the first finding; `None` where it was stopped.
    fn first(
        &self,
        settings: &Settings,
        alone: Option<Oracle>,
        cases: Numbers,
        stop: &AtomicBool,
        ran: &(dyn Fn() + Sync),
    ) -> Result<Option<First>, IsolationError> {
        let job = Job {
            settings: settings.clone(),
            limits: self.limits,
            scripts: Scripts::Operations,
            seed: self.seed,
            disabled: BTreeSet::new(),
            purpose: Purpose::Detect,
            alone,
            controlled: true,
        };
        let supervisor =
            Supervisor { command: self.command.clone(), options: isolation(settings, &self.limits), jobs: 1 };
        let mut first = First { runs: 0, detected: None };
        let mut deaths = 0;
        let control = Control { stop, until: None };
        let stopped = supervisor.run(&job, cases, control, |_, end: CaseEnd<CaseReport>| {
            ran();
            first.runs += 1;
            let ended = Ended::from(end);
            // No oracle that works alone speaks of a crash.
            let dead = ended.crash.is_some() && alone.is_some();
            deaths += u32::from(dead);
            first.detected = ended.detected.filter(|_| !dead);
            if first.detected.is_some() || deaths == MAX_DEATHS {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        let given_up = stopped == StoppedBy::Request || (first.detected.is_none() && stop.load(Ordering::Relaxed));
        Ok((!given_up).then_some(first))
    }
}
