//! One place where cases run: a worker process, and another one when that dies.
//!
//! A lane takes cases in order and gives back an end for each, whatever happens to its workers. A death belongs to the
//! case that the worker had announced; cases that it had not begun, or whose reports were lost with it, are run again. So is,
//! a few times, a case whose worker was killed from outside.
//! A worker that dies before any case is a failure to start, and ends the campaign after a few attempts.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::marker::PhantomData;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::process::{Death, Received, WorkerCommand, WorkerProcess};
use super::protocol::{Announcement, CaseInput, Request, Response, append_frame, decode};
use crate::engine::Activity;
use crate::engine::sanitizer::ToolReport;
use crate::outcome::{End, LimitKind};

/// How often in a row a worker may die before it begins a case.
const START_ATTEMPTS: u32 = 3;

/// How often a case is run whose workers are killed from outside.
const KILLED_ATTEMPTS: u32 = 3;

/// How a case ended for the supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseEnd<R> {
    /// The worker reports.
    Report(R),
    /// The worker died of the case.
    Died(Crash),
}

/// The death of a worker in a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// What the worker was doing.
    pub activity: Activity,
    /// How it died.
    pub death: Death,
    /// The end of what it wrote to standard error.
    pub stderr: String,
}

impl Crash {
    /// The crash as the end of the engine that was running.
    pub fn end(&self) -> End {
        match &self.death {
            Death::Deadline => End::Limit(LimitKind::Time),
            death => End::Died(match (self.panic(), self.sanitized()) {
                (_, Some(report)) => format!("{death}: {}: {}", report.tool.name(), report.kind),
                (Some((place, message)), None) => format!("{death}: panicked at {place}: {message}"),
                (None, None) => death.to_string(),
            }),
        }
    }

    /// What a sanitizer has reported before it ended the worker.
    pub fn sanitized(&self) -> Option<ToolReport> {
        // Whoever was killed had got on after whatever it wrote.
        let by_itself = matches!(&self.death, Death::Exit(_)) || self.death == Death::Signal("SIGABRT".to_owned());
        by_itself.then(|| ToolReport::read(&self.stderr)).flatten()
    }

    /// Place and first line of the message of the last Rust panic that the worker wrote about, if it wrote of one.
    pub fn panic(&self) -> Option<(&str, &str)> {
        let (_, rest) = self.stderr.rsplit_once(" panicked at ")?;
        let mut lines = rest.lines();
        let place = lines.next()?.trim_end_matches(':');
        Some((place, lines.next().unwrap_or_default()))
    }
}

/// How workers are treated.
#[derive(Clone, Debug)]
pub struct IsolationOptions {
    /// A case that runs longer than this is killed, soon after.
    pub deadline: Duration,
    /// Cap on the address space of a worker in bytes.
    pub memory: Option<u64>,
    /// What its engines need in its environment.
    pub environment: Vec<(&'static str, OsString)>,
}

impl Default for IsolationOptions {
    fn default() -> Self {
        IsolationOptions { deadline: Duration::from_secs(10), memory: Some(2 << 30), environment: Vec::new() }
    }
}

/// Why cases could not be run at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IsolationError {
    /// A worker process could not be started.
    #[error("cannot start a worker process: {0}")]
    Spawn(#[source] io::Error),
    /// The job could not be sent.
    #[error("cannot encode the job: {0}")]
    Job(#[source] io::Error),
    /// Workers die before they run a case.
    #[error("worker processes die before they run a case ({death}){}", indented(.stderr))]
    Start {
        /// How the last one died.
        death: Death,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
    /// The worker cannot do the job.
    #[error("{0}")]
    Refused(String),
}

fn indented(text: &str) -> String {
    text.trim().lines().map(|line| format!("\n  {line}")).collect()
}

/// A worker process with successors.
pub(super) struct Lane<R> {
    command: WorkerCommand,
    options: IsolationOptions,
    /// The encoded first message to every worker.
    start: Vec<u8>,
    worker: Option<WorkerProcess>,
    /// Cases without an end, in the order in which the worker runs them.
    pending: VecDeque<(u64, CaseInput)>,
    /// The last change that was seen in what the worker does, and when.
    progress: (Option<Progress>, Instant),
    failed_starts: u32,
    /// What the last worker that was set up has said of it.
    greeting: Option<Vec<u8>>,
    /// The case whose worker was killed from outside last, and how often in a row.
    killed: (u64, u32),
    report: PhantomData<fn() -> R>,
}

/// What tells whether a worker gets on: the first case it owes, and the case it is at.
type Progress = (u64, Option<u64>);

impl<R: DeserializeOwned> Lane<R> {
    pub(super) fn new<J: Serialize>(
        command: WorkerCommand,
        options: IsolationOptions,
        job: &J,
    ) -> Result<Lane<R>, IsolationError> {
        let job = postcard::to_allocvec(job).map_err(|error| IsolationError::Job(io::Error::other(error)))?;
        let mut start = Vec::new();
        append_frame(&mut start, &Request::Start { job, memory: options.memory }).map_err(IsolationError::Job)?;
        Ok(Lane {
            command,
            options,
            start,
            worker: None,
            pending: VecDeque::new(),
            progress: (None, Instant::now()),
            failed_starts: 0,
            greeting: None,
            killed: (0, 0),
            report: PhantomData,
        })
    }

    /// Number of cases without an end.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// How long a look at the worker may take.
    pub(super) fn tick(&self) -> Duration {
        (self.options.deadline / 4).clamp(Duration::from_millis(1), Duration::from_millis(50))
    }

    /// Adds cases.
    pub(super) fn submit(&mut self, cases: Vec<(u64, CaseInput)>) -> Result<(), IsolationError> {
        let request = Request::Cases(cases);
        let frame = encode_cases(&request)?;
        if let Request::Cases(cases) = request {
            self.pending.extend(cases);
        }
        match &mut self.worker {
            // A worker that cannot be sent to is dying; its successor gets all that is pending.
            Some(worker) => drop(worker.send(&frame)),
            None => self.restart()?,
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), IsolationError> {
        let mut worker = WorkerProcess::spawn(&self.command, &self.options.environment, self.tick())
            .map_err(IsolationError::Spawn)?;
        let mut frames = self.start.clone();
        frames.extend(encode_cases(&Request::Cases(self.pending.iter().cloned().collect()))?);
        drop(worker.send(&frames));
        self.worker = Some(worker);
        self.progress = (None, Instant::now());
        Ok(())
    }

    /// Waits a tick at most for ends of cases, and sees to it that the worker lives and gets on.
    pub(super) fn poll(&mut self) -> Result<Vec<(u64, CaseEnd<R>)>, IsolationError> {
        let mut ends = Vec::new();
        if self.worker.is_none() && self.pending.is_empty() {
            return Ok(ends);
        }
        if self.worker.is_none() {
            self.restart()?;
        }
        let mut killed = None;
        loop {
            let Some(worker) = &mut self.worker else { return Ok(ends) };
            match worker.receive() {
                Received::Messages(messages) => {
                    for message in messages {
                        if let Err(what) = self.take(message, &mut ends)? {
                            killed = self.kill(Death::Garbled(what.to_owned()));
                        }
                    }
                    if killed.is_none() && self.is_late() {
                        killed = self.kill(Death::Deadline);
                    }
                    // Of a killed worker everything is read that it had sent.
                    if killed.is_none() {
                        return Ok(ends);
                    }
                }
                Received::Garbled(error) => {
                    killed = self.kill(Death::Garbled(error.to_string()));
                    break;
                }
                Received::Closed => break,
            }
        }
        self.bury(killed, &mut ends)?;
        Ok(ends)
    }

    /// What a worker says when it is set up.
    pub(super) fn greeting<G: DeserializeOwned>(&mut self) -> Result<G, IsolationError> {
        loop {
            if let Some(greeting) = &self.greeting {
                return decode(greeting).map_err(IsolationError::Job);
            }
            if self.worker.is_none() {
                self.restart()?;
            }
            // Without cases there are no ends.
            self.poll()?;
        }
    }

    fn kill(&mut self, reason: Death) -> Option<Death> {
        if let Some(worker) = &mut self.worker {
            worker.kill();
        }
        Some(reason)
    }

    /// Takes a message; an inner error says why it does not fit the protocol.
    fn take(
        &mut self,
        message: Response<R>,
        ends: &mut Vec<(u64, CaseEnd<R>)>,
    ) -> Result<Result<(), &'static str>, IsolationError> {
        match message {
            Response::Ready { greeting } => {
                self.greeting = Some(greeting);
                Ok(Ok(()))
            }
            Response::Refused(reason) => Err(IsolationError::Refused(reason)),
            Response::Done { key, report } => {
                if self.pending.front().is_none_or(|(expected, _)| *expected != key) {
                    return Ok(Err("a report came for a case that was not due"));
                }
                self.pending.pop_front();
                self.failed_starts = 0;
                ends.push((key, CaseEnd::Report(report)));
                Ok(Ok(()))
            }
        }
    }

    /// Whether the worker has been at the same case for longer than the deadline.
    fn is_late(&mut self) -> bool {
        let now = Instant::now();
        let Some((due, _)) = self.pending.front() else {
            self.progress = (None, now);
            return false;
        };
        let at = self.worker.as_ref().and_then(WorkerProcess::announcement).map(|announced| announced.key);
        let progress = Some((*due, at));
        if self.progress.0 != progress {
            self.progress = (progress, now);
        }
        now.duration_since(self.progress.1) >= self.options.deadline
    }

    /// Ends a worker that was killed for a reason or has closed the line, and gives its death to the case it was at.
    fn bury(&mut self, killed: Option<Death>, ends: &mut Vec<(u64, CaseEnd<R>)>) -> Result<(), IsolationError> {
        let Some(mut worker) = self.worker.take() else { return Ok(()) };
        if killed.is_some() {
            worker.kill();
        }
        let announcement = worker.announcement();
        let (death, stderr) = worker.wait();
        let death = killed.unwrap_or(death);
        let guilty = announcement.and_then(|Announcement { key, activity }| {
            let at = self.pending.iter().position(|(pending, _)| *pending == key)?;
            Some((at, key, activity))
        });
        match guilty {
            Some((_, key, _)) if death.is_from_outside() && self.is_tried_again(key) => Ok(()),
            Some((at, key, activity)) => {
                self.pending.remove(at);
                self.failed_starts = 0;
                ends.push((key, CaseEnd::Died(Crash { activity, death, stderr })));
                Ok(())
            }
            // It died between cases and owes nothing.
            None if self.pending.is_empty() && self.greeting.is_some() => Ok(()),
            None => {
                self.failed_starts += 1;
                if self.failed_starts < START_ATTEMPTS {
                    return Ok(());
                }
                Err(IsolationError::Start { death, stderr })
            }
        }
    }
}

impl<R> Lane<R> {
    /// Whether a case whose worker was killed from outside has another attempt.
    fn is_tried_again(&mut self, key: u64) -> bool {
        let attempts = if self.killed.0 == key { self.killed.1 + 1 } else { 1 };
        self.killed = (key, attempts);
        attempts < KILLED_ATTEMPTS
    }
}

/// Cases that cannot be encoded are too large for a message; that is the fault of whoever made them.
fn encode_cases(request: &Request) -> Result<Vec<u8>, IsolationError> {
    let mut frame = Vec::new();
    append_frame(&mut frame, request).map_err(IsolationError::Job)?;
    Ok(frame)
}
