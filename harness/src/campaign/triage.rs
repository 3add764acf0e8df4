//! From a finding to its files: shrink it, explain it, write it down.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use moonphase_invariants::Level;
use moonphase_vm::Schedule;

use super::folder::FolderError;
use super::job::{CaseReport, Ended, Job};
use super::lane::{Crash, IsolationError, IsolationOptions};
use super::process::{Death, WorkerCommand};
use super::protocol::CaseInput;
use super::supervisor::Isolated;
use crate::engine;
use crate::finding::Signature;
use crate::header::{Header, body};
use crate::language::Language;
use crate::limits::Limits;
use crate::oracle::Purpose;
use crate::report::{Context, Explanation, Style, render};
use crate::schedule::Schedules;
use crate::settings::Settings;
use crate::text::quoted;

/// What is needed to look into findings.
#[derive(Clone, Debug)]
pub struct Triage<'a> {
    /// How to start a worker.
    pub command: WorkerCommand,
    /// How the finding was made.
    pub settings: Settings,
    /// What cases may use.
    pub limits: Limits,
    /// The user's wish to stop.
    pub stop: &'a AtomicBool,
    /// Who is told how shrinking gets on.
    pub listener: Listener<'a>,
}

/// How shrinking gets on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shrinking {
    /// Scripts judged so far.
    pub judged: u64,
    /// Lines of the smallest one that was kept.
    pub lines: usize,
}

/// Somebody who is told how shrinking gets on, or nobody.
#[derive(Clone, Copy, Default)]
pub struct Listener<'a>(pub Option<&'a dyn Fn(Shrinking)>);

impl std::fmt::Debug for Listener<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Listener" } else { "Nobody" })
    }
}

/// A finding that was shrunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The file's text, header included.
    pub text: String,
    /// How it is to be run: the schedule may be another one.
    pub settings: Settings,
    /// Code lines, header aside.
    pub lines: usize,
    /// How long it took.
    pub time: Duration,
    /// How many scripts were judged.
    pub calls: u64,
}

/// Why a finding could not be looked into.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TriageError {
    /// Workers do not work.
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    /// A file cannot be written.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// Something was found and cannot be written down.
    #[error("found '{signature}' (case {case}), but {source}")]
    Unsaved {
        /// What was found.
        signature: String,
        /// The case that shows it.
        case: u64,
        /// Why it is not saved.
        source: FolderError,
    },
}

impl Triage<'_> {
    pub(super) fn isolated(&self, purpose: Purpose) -> Result<Isolated<CaseReport>, IsolationError> {
        let job = Job::of_given(self.settings.clone(), self.limits, purpose);
        Isolated::new(self.command.clone(), isolation(&self.settings, &self.limits), &job)
    }

    /// The language of the subject, with what that adds to it. The subject is opened in a process of its own.
    ///
    /// # Errors
    /// The subject is not to be had, or workers do not work.
    pub fn language(&self) -> Result<Language, IsolationError> {
        self.isolated(Purpose::Detect)?.greeting()
    }

    /// Puts a script before the oracles, in a process of its own.
    ///
    /// # Errors
    /// Workers do not work.
    pub fn examine(&self, text: &[u8], purpose: Purpose) -> Result<Ended, IsolationError> {
        Ok(self.isolated(purpose)?.run_one(CaseInput::Bytes(text.to_vec()))?.into())
    }

    /// The same with the one schedule out of some under which a script has shown what it did: the worker says so, or, where
    /// that died, another one does it again.
    ///
    /// # Errors
    /// Workers do not work.
    pub fn with_schedule_of(
        &self,
        ended: &Ended,
        text: &[u8],
        tried: &[Schedule],
    ) -> Result<Triage<'_>, IsolationError> {
        let under = |schedule| {
            let settings = Settings { schedules: Schedules::Only(schedule), ..self.settings.clone() };
            Triage { settings, ..self.clone() }
        };
        if let Some(report) = &ended.report {
            return Ok(under(report.schedule.clone().unwrap_or_default()));
        }
        for schedule in std::iter::once(&Schedule::None).chain(tried) {
            let triage = under(schedule.clone());
            if triage.examine(text, Purpose::Detect)?.detected == ended.detected {
                return Ok(triage);
            }
        }
        Ok(self.clone())
    }

    /// A script as a file that says how to run it and what it shows.
    pub fn with_header(&self, text: &[u8], detected: &Signature) -> Vec<u8> {
        let findings = vec![detected.to_string()];
        let header = Header { settings: self.settings.clone(), findings, ..Header::default() };
        [header.to_text().into_bytes(), body(text)].concat()
    }

    /// What explains a script that shows something: it is run once more, with its history recorded.
    ///
    /// # Errors
    /// Workers do not work.
    pub fn explain(&self, text: &[u8]) -> Result<Explanation, IsolationError> {
        let ended = self.examine(text, Purpose::Explain)?;
        Ok(match (ended.report, &ended.crash) {
            (Some(CaseReport { explanation: Some(explanation), .. }), _) => *explanation,
            (_, Some(crash)) => explain_crash(crash),
            // It was found, and is not found again. Where an engine reads memory that is not its own, what comes of that
            // depends on what else is in memory: history, for instance. If it is not that, only a defect of ours does it.
            _ => {
                let ended = self.examine(text, Purpose::Detect)?;
                match (ended.report.and_then(|report| report.explanation), &ended.crash) {
                    (Some(death), _) => *death,
                    (None, Some(crash)) => explain_crash(crash),
                    (None, None) => Explanation::NotRepeated,
                }
            }
        })
    }

    /// The report of a script, which is in `file`. `options` are those that `check` needs to show it again, each with a blank behind.
    pub fn page(
        &self,
        explanation: &Explanation,
        text: &[u8],
        file: &str,
        options: &str,
        detected: &Signature,
        style: Style,
    ) -> String {
        let context = Context {
            script: &String::from_utf8_lossy(text),
            file,
            command: &format!("moonphase check {options}{}", quoted(file)),
            signature: detected.as_str(),
            gc: self.settings.gc,
            settings: &self.settings.to_string(),
        };
        render(explanation, &context, style)
    }
}

fn explain_crash(crash: &Crash) -> Explanation {
    let death = match &crash.death {
        Death::Deadline => None,
        death => Some(death.to_string()),
    };
    Explanation::of_crash(crash.activity, death.as_deref(), crash.sanitized(), &crash.stderr)
}

/// How workers are treated under these settings and limits. Whole looks at the heap in every step take a hundred times
/// what the usual check takes, and looks into a C Lua as much; no script can do anything about that: it gets more time for them.
pub fn isolation(settings: &Settings, limits: &Limits) -> IsolationOptions {
    const PATIENCE: u32 = 12;
    let deadline = match settings.check.level() {
        Some(Level::Step | Level::Full) => limits.deadline * PATIENCE,
        Some(Level::Barrier) if !settings.engine.is_ours() => limits.deadline * PATIENCE,
        _ => limits.deadline,
    };
    let usual = IsolationOptions::default();
    // What a C Lua has addresses for is not what it uses: that has a limit of its own.
    let reserved = if settings.engine.is_ours() { 0 } else { moonphase_probe::RESERVED_BYTES };
    let surroundings = engine::surroundings(&settings.engine);
    let memory = usual.memory.map(|bytes| bytes + reserved).filter(|_| !surroundings.takes_addresses);
    IsolationOptions { deadline, memory, environment: surroundings.environment }
}
