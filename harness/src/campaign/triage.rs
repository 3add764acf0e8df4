//! From a finding to its files: shrink it, explain it, write it down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::folder::FolderError;
use super::job::{CaseReport, Ended, Job};
use super::lane::{IsolationError, IsolationOptions};
use super::process::WorkerCommand;
use super::protocol::CaseInput;
use super::supervisor::Isolated;
use crate::finding::{Detected, Oracle};
use crate::header::{Header, body};
use crate::limits::Limits;
use crate::minimize::{Budget, Judge, Subject, Verdict, minimize};
use crate::oracle::Purpose;
use crate::outcome::End;
use crate::report::{Context, Explanation, Style, render};
use crate::settings::{Reference, Settings};

/// How long minimizing one finding may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many scripts may be judged for it.
const MAX_CALLS: u64 = 20_000;

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
}

/// A finding that was shrunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The file's text, header included.
    pub text: String,
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
}

impl Triage<'_> {
    fn isolated(&self, purpose: Purpose) -> Result<Isolated<CaseReport>, IsolationError> {
        let job = Job::of_given(self.settings, self.limits, purpose);
        Isolated::new(self.command.clone(), isolation(&self.limits), &job)
    }

    /// Puts a script before the oracles, in a process of its own.
    ///
    /// # Errors
    /// Workers do not work.
    pub fn examine(&self, text: &[u8], purpose: Purpose) -> Result<Ended, IsolationError> {
        Ok(self.isolated(purpose)?.run_one(CaseInput::Bytes(text.to_vec()))?.into())
    }

    /// Shrinks a script that shows `detected`. `None` where it does not show it.
    ///
    /// # Errors
    /// Workers do not work.
    pub fn shrink(&self, subject: Subject, detected: &Detected) -> Result<Option<Shrunk>, IsolationError> {
        let start = Instant::now();
        let mut judge = IsolatedJudge {
            isolated: self.isolated(Purpose::Minimize)?,
            wanted: &detected.signature,
            compares: self.settings.reference != Reference::None,
            may_fail: None,
            stop: self.stop,
            failure: None,
        };
        let budget = Budget { max_calls: MAX_CALLS, deadline: Some(start + PATIENCE) };
        let minimized = minimize(subject, &mut judge, budget);
        if let Some(failure) = judge.failure {
            return Err(failure);
        }
        if !minimized.reproduced {
            return Ok(None);
        }
        let text = self.with_header(&minimized.text, detected);
        let lines = minimized.code_lines;
        Ok(Some(Shrunk { text, lines, time: start.elapsed(), calls: minimized.calls }))
    }

    /// A script as a file that says how to run it and what it shows.
    pub fn with_header(&self, text: &str, detected: &Detected) -> String {
        let header = Header { settings: self.settings, findings: vec![detected.signature.clone()], clean: Vec::new() };
        header.to_text() + body(text)
    }

    /// What explains a script that shows something: it is run once more, with its history recorded.
    ///
    /// # Errors
    /// Workers do not work.
    pub fn explain(&self, text: &str) -> Result<Explanation, IsolationError> {
        let ended = self.examine(text.as_bytes(), Purpose::Explain)?;
        Ok(match (ended.report, &ended.crash) {
            (Some(CaseReport { explanation: Some(explanation), .. }), _) => *explanation,
            (Some(CaseReport { difference: Some(difference), .. }), _) => {
                Explanation::of_difference(&difference, "moonphase", &self.settings.reference.to_string())
            }
            (_, Some(crash)) => Explanation::of_crash(crash.stage.name(), &crash.death.to_string(), &crash.stderr),
            // It was found, and a deterministic run does not find it again: only a defect of ours does that.
            _ => Explanation::NotRepeated,
        })
    }

    /// The report of a script, which is in `file`.
    pub fn page(&self, explanation: &Explanation, text: &str, file: &str, detected: &Detected, style: Style) -> String {
        let context = Context {
            script: text,
            file,
            command: &format!("moonphase check {file}"),
            signature: &detected.signature,
            lua: &self.settings.lua.to_string(),
            gc: &self.settings.gc.to_string(),
            check: &self.settings.check.to_string(),
        };
        render(explanation, &context, style)
    }
}

/// How workers are treated under these limits.
pub fn isolation(limits: &Limits) -> IsolationOptions {
    IsolationOptions { deadline: limits.deadline, ..IsolationOptions::default() }
}

/// Judges candidates in a worker process.
struct IsolatedJudge<'a> {
    isolated: Isolated<CaseReport>,
    wanted: &'a str,
    /// Whether there is a plain Lua to run candidates on.
    compares: bool,
    /// Whether a candidate may end with an error on plain Lua: only if the first one does, which is the original.
    may_fail: Option<bool>,
    stop: &'a AtomicBool,
    failure: Option<IsolationError>,
}

impl Judge for IsolatedJudge<'_> {
    fn judge(&mut self, text: &str) -> Verdict {
        if self.stop.load(Ordering::Relaxed) || self.failure.is_some() {
            return Verdict::Enough;
        }
        let ended = match self.isolated.run_one(CaseInput::Bytes(text.as_bytes().to_vec())) {
            Ok(end) => Ended::from(end),
            Err(error) => {
                self.failure = Some(error);
                return Verdict::Enough;
            }
        };
        let Some(detected) = &ended.detected else { return Verdict::Loses };
        if detected.signature != self.wanted {
            return Verdict::Loses;
        }
        if !self.compares || detected.oracle == Oracle::Crash {
            return Verdict::Keeps;
        }
        let plain = ended.report.and_then(|report| report.plain);
        let may_fail = *self.may_fail.get_or_insert(matches!(plain, Some(End::Error(_))));
        match plain {
            Some(End::Returned) => Verdict::Keeps,
            Some(End::Error(_)) if may_fail => Verdict::Keeps,
            _ => Verdict::Loses,
        }
    }
}
