//! What worker processes do: make scripts or take given ones, and put them before the oracles.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use moonphase_vm::Schedule;
use serde::{Deserialize, Serialize};

use super::lane::{CaseEnd, Crash};
use super::process::Death;
use super::protocol::CaseInput;
use super::worker::CaseRunner;
use crate::cases::{Generator, Scripts};
use crate::circumstance::Dependence;
use crate::engine::{Activity, Role, puc};
use crate::finding::{FindingKind, Oracle, Signature};
use crate::free::Use;
use crate::language::Language;
use crate::limits::Limits;
use crate::oracle::{CHUNK_NAME, Judgement, Oracles, Purpose, Times};
use crate::outcome::{End, Inconclusive, LimitKind};
use crate::report::Explanation;
use crate::schedule::{Schedules, TurnsAt};
use crate::script::OpKind;
use crate::settings::Settings;

/// What a campaign's workers have to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// How cases are run.
    pub settings: Settings,
    /// What they may use.
    pub limits: Limits,
    /// What the generator makes.
    pub scripts: Scripts,
    /// Its seed.
    pub seed: u64,
    /// The operations that the generator must not use.
    pub disabled: BTreeSet<OpKind>,
    /// What is asked.
    pub purpose: Purpose,
    /// The only oracle that is asked, `None` for all.
    pub alone: Option<Oracle>,
    /// Whether a finding counts only where the collector without its fault, and with sound rules, does not show it.
    pub controlled: bool,
}

impl Job {
    /// A job about given scripts. What the minimizer looks for by outputs must not be there when nothing is wrong with the
    /// collector: a candidate may differ for another reason than the finding does.
    pub fn of_given(settings: Settings, limits: Limits, purpose: Purpose) -> Job {
        let by_outputs = matches!(purpose, Purpose::Minimize(Oracle::Differential | Oracle::Schedule));
        Job {
            controlled: by_outputs && !settings.is_sound(),
            settings,
            limits,
            scripts: Scripts::default(),
            seed: 0,
            disabled: BTreeSet::new(),
            purpose,
            alone: None,
        }
    }
}

/// What is to be known of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CaseReport {
    /// What is wrong, if something is.
    pub detected: Option<Signature>,
    /// Why the outcomes could not be compared.
    pub inconclusive: Option<Inconclusive>,
    /// How the script ended on the subject: under the schedule that shows a finding, or else without one.
    pub subject_end: End,
    /// How the script ended on each reference that was asked.
    pub reference_ends: Vec<End>,
    /// The schedule under which something is wrong; `None` where none was needed.
    #[serde(with = "crate::text::option")]
    pub schedule: Option<Schedule>,
    /// What the schedule did, if an explanation was asked.
    pub turned: Vec<TurnsAt>,
    /// What explains a finding: a death in any case, others if that was asked.
    pub explanation: Option<Box<Explanation>>,
    /// The numbers of cells that this worker had not covered before.
    pub cells: Vec<u16>,
    /// What the script did, where that is counted and it came to its end.
    pub uses: Vec<Use>,
    /// Engine runs.
    pub executions: u32,
    /// Where the time went.
    pub times: Times,
}

/// Runs the cases of a [`Job`].
pub struct Runner {
    oracles: Oracles,
    /// The same with a sound collector.
    control: Option<Oracles>,
    schedules: Schedules,
    generator: Generator,
    purpose: Purpose,
}

impl CaseRunner for Runner {
    type Job = Job;
    /// The language of the subject, with what that adds to it.
    type Greeting = Language;
    type Report = CaseReport;

    fn new(job: Job) -> Result<Runner, String> {
        let settings = job.settings.consistent().map_err(|error| error.to_string())?;
        let oracles = |settings: &Settings| {
            let opened = match job.alone {
                None => Oracles::new(settings, job.limits),
                Some(oracle) => Oracles::alone(oracle, settings, job.limits),
            };
            opened.map_err(|error| error.to_string())
        };
        let control = job.controlled.then(|| oracles(&settings.sound())).transpose()?;
        let oracles = oracles(&settings)?;
        Ok(Runner {
            generator: Generator::new(job.scripts, job.seed, *oracles.language(), job.disabled),
            schedules: settings.schedules,
            control,
            oracles,
            purpose: job.purpose,
        })
    }

    fn greeting(&self) -> Language {
        *self.oracles.language()
    }

    fn run(&mut self, case: &CaseInput, announce: &mut dyn FnMut(Activity)) -> CaseReport {
        announce(Activity::Prepare);
        let start = Instant::now();
        let mut uses = Vec::new();
        let (source, schedules) = match case {
            CaseInput::Number(number) => {
                let case = self.generator.case(*number);
                uses = case.uses;
                (case.text.into_bytes(), self.schedules.of_case(self.generator.seed, *number))
            }
            CaseInput::Bytes(bytes) => (bytes.clone(), self.schedules.of_script()),
            CaseInput::Scheduled { text, schedule } => (text.clone(), Schedules::Only(schedule.clone()).of_script()),
        };
        let generating = start.elapsed();
        let mut judgement = self.oracles.judge(&source, &schedules, self.purpose, announce);
        if judgement.detected.is_some()
            && let Some(control) = &mut self.control
            && control.judge(&source, &schedules, self.purpose, announce).detected.is_some()
        {
            judgement.detected = None;
        }
        let mut report = self.report(judgement);
        report.times.generate = generating.as_secs_f64();
        let by_itself = |end: &End| matches!(end, End::Returned | End::Error(_));
        let ended = !report.reference_ends.is_empty() && report.reference_ends.iter().all(by_itself);
        if report.inconclusive.is_none() && ended {
            report.uses = uses;
        }
        report
    }
}

impl Runner {
    fn report(&mut self, judgement: Judgement) -> CaseReport {
        CaseReport {
            detected: judgement.detected,
            inconclusive: judgement.inconclusive,
            subject_end: judgement.subject.outcome.end,
            reference_ends: judgement.references.into_iter().map(|outcome| outcome.end).collect(),
            schedule: Some(judgement.schedule).filter(|schedule| *schedule != Schedule::None),
            turned: judgement.subject.turned,
            explanation: judgement.explanation,
            cells: self.oracles.take_new_cells(),
            uses: Vec::new(),
            executions: judgement.executions,
            times: judgement.times,
        }
    }
}

/// Why a script that shows nothing was not tested to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untested {
    /// It ended with an error: nothing behind that ran.
    Failed(String),
    /// The subject stopped it at a limit.
    Stopped(LimitKind),
    /// Outcomes could not be compared to their ends.
    Compared(Inconclusive),
    /// A reference had not come to an end when time was up; what the other engines saw is lost with it.
    Unended,
    /// Its worker processes were killed from outside, again and again.
    Killed(Death),
}

impl fmt::Display for Untested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Untested::Failed(message) => match puc::place(message, CHUNK_NAME) {
                Some((line, message)) => write!(f, "the script failed at line {line}: {message}"),
                None => write!(f, "the script failed: {message}"),
            },
            Untested::Stopped(kind) => write!(f, "the script was stopped at the {kind}"),
            Untested::Compared(reason) => reason.fmt(f),
            Untested::Killed(death) => {
                write!(f, "its worker processes were killed from outside ({death}): by somebody, or for lack of memory")
            }
            Untested::Unended => f.write_str("the reference did not come to an end before the deadline"),
        }
    }
}

/// What a case that ended with or without its worker showed.
pub struct Ended {
    /// What is wrong, if something is.
    pub detected: Option<Signature>,
    /// Whether outcomes could not be compared.
    pub inconclusive: bool,
    /// The death of the worker, if it died.
    pub crash: Option<Crash>,
    /// What the worker reported, if it lived.
    pub report: Option<CaseReport>,
}

impl Ended {
    /// Why the script was not tested to its end; `None` where it was, or where it shows something. `fails` is the error that it is
    /// meant to end with, without its place.
    pub fn untested(&self, fails: Option<&str>) -> Option<Untested> {
        if self.detected.is_some() {
            return None;
        }
        let Some(report) = &self.report else {
            let killed = self.crash.as_ref().map(|crash| &crash.death).filter(|death| death.is_from_outside());
            return Some(killed.map_or(Untested::Unended, |death| Untested::Killed(death.clone())));
        };
        match (&report.subject_end, report.inconclusive) {
            (End::Limit(kind), _) => Some(Untested::Stopped(*kind)),
            (End::Error(message), None | Some(Inconclusive::DependsOn(_))) if !is_error(message, fails) => {
                Some(Untested::Failed(message.clone()))
            }
            (_, None | Some(Inconclusive::DependsOn(_))) => None,
            (_, Some(reason)) => Some(Untested::Compared(reason)),
        }
    }

    /// What correct Luas each do in their own way in a script that shows nothing: from there on its output was not compared.
    pub fn dependence(&self) -> Option<Dependence> {
        match self.report.as_ref()?.inconclusive {
            Some(Inconclusive::DependsOn(what)) if self.detected.is_none() => Some(what),
            _ => None,
        }
    }

    /// Whether the script ended with this error, whose place is not given.
    pub fn fails_with(&self, message: &str) -> bool {
        let end = self.report.as_ref().map(|report| &report.subject_end);
        matches!(end, Some(End::Error(error)) if is_error(error, Some(message)))
    }
}

/// Whether the message of an error is this one, aside from its place.
fn is_error(message: &str, wanted: Option<&str>) -> bool {
    let bare = puc::place(message, CHUNK_NAME).map_or(message, |(_, bare)| bare);
    // A header has one line for it.
    wanted.is_some_and(|wanted| bare.lines().next().unwrap_or_default().trim() == wanted)
}

impl From<CaseEnd<CaseReport>> for Ended {
    fn from(end: CaseEnd<CaseReport>) -> Self {
        match end {
            CaseEnd::Report(report) => Ended {
                detected: report.detected.clone(),
                // Where nobody is asked, nobody says that the script did not come to its end.
                inconclusive: report.inconclusive.is_some()
                    || report.reference_ends.is_empty() && matches!(report.subject_end, End::Limit(_)),
                crash: None,
                report: Some(report),
            },
            CaseEnd::Died(crash) => {
                let detected = detected_in(&crash);
                Ended { inconclusive: detected.is_none(), detected, crash: Some(crash), report: None }
            }
        }
    }
}

/// What the death of a worker means. A reference that is too slow for a script says nothing of the subject, and nobody's
/// fault is found by it.
fn detected_in(crash: &Crash) -> Option<Signature> {
    let how = match (&crash.death, crash.panic()) {
        (Death::Deadline, _) if matches!(crash.activity, Activity::Run(Role::Reference(_))) => return None,
        (Death::Deadline, _) => "hang".to_owned(),
        (death, _) if death.is_from_outside() => return None,
        _ if let Some(report) = crash.sanitized() => return Some(Signature::of_report(&report)),
        // The place without its column and the machine's folders.
        (_, Some((place, _))) => {
            let file = place.split(':').next().unwrap_or(place);
            let file = file.rsplit('/').next().unwrap_or(file);
            // A panic and its file are two words.
            return Some(Signature::new(FindingKind::Crash, &format!("{} panic {file}", crash.activity.name())));
        }
        (death, None) => death.to_string(),
    };
    Some(Signature::of_crash(crash.activity.name(), &how))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(activity: Activity, death: Death, stderr: &str) -> Option<String> {
        detected_in(&Crash { activity, death, stderr: stderr.to_owned() }).map(|signature| signature.to_string())
    }

    #[test]
    fn a_worker_that_dies_is_a_finding_of_the_engine_that_ran() {
        let signal = || Death::Signal("SIGSEGV".to_owned());
        for (activity, signature) in [
            (Activity::Run(Role::Subject), "crash vm SIGSEGV"),
            (Activity::Run(Role::Reference(0)), "crash reference SIGSEGV"),
            (Activity::Run(Role::Reference(1)), "crash reference SIGSEGV"),
            (Activity::Compare, "crash harness SIGSEGV"),
        ] {
            assert_eq!(text(activity, signal(), "").as_deref(), Some(signature));
        }
        let subject = Activity::Run(Role::Subject);
        assert_eq!(text(subject, Death::Exit(7), "").as_deref(), Some("crash vm exit-code-7"));
        let panic = "thread 'main' panicked at vm/src/gc/mark.rs:3:5:\nnot so\n";
        assert_eq!(text(subject, Death::Exit(101), panic).as_deref(), Some("crash vm panic mark.rs"));
    }

    #[test]
    fn a_worker_that_somebody_kills_is_no_finding() {
        for name in ["SIGKILL", "SIGTERM"] {
            assert_eq!(text(Activity::Run(Role::Subject), Death::Signal(name.to_owned()), ""), None);
        }
    }

    #[test]
    fn only_a_subject_is_found_to_hang() {
        assert_eq!(text(Activity::Run(Role::Subject), Death::Deadline, "").as_deref(), Some("crash vm hang"));
        assert_eq!(text(Activity::Run(Role::Reference(0)), Death::Deadline, ""), None);
    }
}
