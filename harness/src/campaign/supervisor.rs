//! Runs many cases in worker processes, or one at a time, and survives whatever a case does to its worker.
//!
//! [`Supervisor::run`] spreads cases over lanes, one thread and one worker process each, and hands the ends to its
//! caller in the order of the cases, so that what a campaign finds does not depend on the number of lanes. A window
//! bounds how far the lanes run ahead of the caller. Only where a campaign is stopped by the clock or by the user may
//! cases be missing in between.
//!
//! [`Isolated`] is the same protection for one case at a time, for the minimizer.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::lane::{CaseEnd, IsolationError, IsolationOptions, Lane};
use super::process::WorkerCommand;
use super::protocol::CaseInput;

/// Cases sent to a worker at a time. More cost less overhead; fewer spread better.
const BATCH: usize = 32;

/// How many cases the lanes may be ahead of the caller.
const WINDOW: u64 = 8192;

/// How long a thread sleeps before it looks whether it is to stop.
const PATIENCE: Duration = Duration::from_millis(50);

/// Where cases come from, in order.
pub trait CaseSource: Send {
    /// The key of the first case. Keys count up by one.
    fn first_key(&self) -> u64;

    /// The next case, if there is one.
    fn next_case(&mut self) -> Option<CaseInput>;

    /// How many cases may go to a worker at a time.
    fn batch(&self) -> usize {
        BATCH
    }
}

/// Generated cases by number; the number is the key.
#[derive(Clone, Debug)]
pub struct Numbers {
    first: u64,
    next: u64,
    left: u64,
}

impl Numbers {
    /// `count` cases from number `first`, or as many as there are up to the largest number.
    pub fn new(first: u64, count: u64) -> Numbers {
        Numbers { first, next: first, left: count.min(u64::MAX - first) }
    }
}

impl CaseSource for Numbers {
    fn first_key(&self) -> u64 {
        self.first
    }

    fn next_case(&mut self) -> Option<CaseInput> {
        self.left = self.left.checked_sub(1)?;
        let number = self.next;
        self.next += 1;
        Some(CaseInput::Number(number))
    }
}

/// Given inputs; the key is the index.
#[derive(Debug)]
pub struct Inputs(std::vec::IntoIter<Vec<u8>>);

impl Inputs {
    /// These inputs.
    pub fn new(inputs: Vec<Vec<u8>>) -> Inputs {
        Inputs(inputs.into_iter())
    }
}

impl CaseSource for Inputs {
    fn first_key(&self) -> u64 {
        0
    }

    fn next_case(&mut self) -> Option<CaseInput> {
        self.0.next().map(CaseInput::Bytes)
    }

    fn batch(&self) -> usize {
        1
    }
}

/// What can stop a run before its cases are used up.
#[derive(Clone, Copy, Debug)]
pub struct Control<'a> {
    /// The user's wish to stop.
    pub stop: &'a AtomicBool,
    /// When time is up.
    pub until: Option<Instant>,
}

/// Why a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedBy {
    /// All cases were run.
    Exhausted,
    /// The caller had enough.
    Caller,
    /// Time was up.
    Time,
    /// The user's wish.
    Request,
}

/// Runs cases in worker processes.
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// How to start a worker.
    pub command: WorkerCommand,
    /// How to treat it.
    pub options: IsolationOptions,
    /// Number of worker processes; at least one is used.
    pub jobs: usize,
}

impl Supervisor {
    /// Runs the cases of `source`, and gives the end of each with its key to `on_end`, in the order of the keys, until
    /// it breaks off. All workers are gone when this returns.
    ///
    /// When the run is stopped by `control`, cases under way are given up; those that were done are still delivered, in
    /// order, with gaps.
    ///
    /// # Errors
    /// Where workers cannot be started or cannot do the job.
    pub fn run<J, R>(
        &self,
        job: &J,
        source: impl CaseSource,
        control: Control<'_>,
        on_end: impl FnMut(u64, CaseEnd<R>) -> ControlFlow<()>,
    ) -> Result<StoppedBy, IsolationError>
    where
        J: Serialize,
        R: DeserializeOwned + Send,
    {
        let first = source.first_key();
        let lanes = (0..self.jobs.max(1))
            .map(|_| Lane::<R>::new(self.command.clone(), self.options.clone(), job))
            .collect::<Result<Vec<_>, _>>()?;
        let dispatch = Dispatch {
            cases: Mutex::new(Cases { source, next: first, delivered: first, exhausted: false }),
            delivered: Condvar::new(),
            quit: AtomicBool::new(false),
        };
        thread::scope(|scope| {
            // Also when the caller's closure panics: the scope waits for the lanes.
            let _quit = QuitOnDrop(&dispatch.quit);
            let (sender, receiver) = channel();
            for lane in lanes {
                let (dispatch, sender) = (&dispatch, sender.clone());
                scope.spawn(move || {
                    if let Err(error) = drive(lane, dispatch, &sender) {
                        // Nobody listens any more where the run is over anyway.
                        let _ = sender.send(Err(error));
                    }
                });
            }
            drop(sender);
            Delivery { ready: BTreeMap::new(), next: first, on_end }.collect(&receiver, &dispatch, control)
        })
    }
}

/// What the lanes and the caller's thread share.
struct Dispatch<S> {
    cases: Mutex<Cases<S>>,
    /// Notified when cases have been delivered, which moves the window.
    delivered: Condvar,
    quit: AtomicBool,
}

struct Cases<S> {
    source: S,
    next: u64,
    delivered: u64,
    exhausted: bool,
}

/// What a lane is given to do.
enum Work {
    Cases(Vec<(u64, CaseInput)>),
    /// Nothing now, because the window is full.
    Later,
    /// Nothing any more.
    Nothing,
}

impl<S: CaseSource> Dispatch<S> {
    fn lock(&self) -> MutexGuard<'_, Cases<S>> {
        // The numbers are right after every statement, so a panic of another thread does not spoil them.
        self.cases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn quits(&self) -> bool {
        self.quit.load(Ordering::Relaxed)
    }

    /// The next cases; where the window is full, waits a little if the lane has nothing else to do.
    fn take(&self, idle: bool) -> Work {
        let mut cases = self.lock();
        if cases.next - cases.delivered >= WINDOW && idle && !cases.exhausted {
            cases = self.delivered.wait_timeout(cases, PATIENCE).unwrap_or_else(PoisonError::into_inner).0;
        }
        if cases.exhausted {
            return Work::Nothing;
        }
        if cases.next - cases.delivered >= WINDOW {
            return Work::Later;
        }
        let mut batch = Vec::new();
        while batch.len() < cases.source.batch() {
            let Some(case) = cases.source.next_case() else {
                cases.exhausted = true;
                break;
            };
            batch.push((cases.next, case));
            cases.next += 1;
        }
        if batch.is_empty() { Work::Nothing } else { Work::Cases(batch) }
    }
}

struct QuitOnDrop<'a>(&'a AtomicBool);

impl Drop for QuitOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The ends of some cases, with their keys.
type Ends<R> = Vec<(u64, CaseEnd<R>)>;

/// Keeps a lane supplied until there are no more cases or the run quits.
fn drive<S: CaseSource, R: DeserializeOwned + Send>(
    mut lane: Lane<R>,
    dispatch: &Dispatch<S>,
    sender: &Sender<Result<Ends<R>, IsolationError>>,
) -> Result<(), IsolationError> {
    let mut more = true;
    while !dispatch.quits() && (more || lane.pending() > 0) {
        // New cases go out before the last ones are done, so that the worker never waits.
        if more && lane.pending() <= BATCH / 2 {
            match dispatch.take(lane.pending() == 0) {
                Work::Cases(cases) => lane.submit(cases)?,
                Work::Later if lane.pending() == 0 => continue,
                Work::Later => {}
                Work::Nothing => more = false,
            }
        }
        let ends = lane.poll()?;
        if !ends.is_empty() && sender.send(Ok(ends)).is_err() {
            break;
        }
    }
    Ok(())
}

/// Puts ends in order and gives them to the caller.
struct Delivery<R, F> {
    ready: BTreeMap<u64, CaseEnd<R>>,
    next: u64,
    on_end: F,
}

impl<R, F: FnMut(u64, CaseEnd<R>) -> ControlFlow<()>> Delivery<R, F> {
    fn collect<S: CaseSource>(
        &mut self,
        receiver: &Receiver<Result<Ends<R>, IsolationError>>,
        dispatch: &Dispatch<S>,
        control: Control<'_>,
    ) -> Result<StoppedBy, IsolationError> {
        loop {
            let stopped = if control.stop.load(Ordering::Relaxed) {
                Some(StoppedBy::Request)
            } else if control.until.is_some_and(|until| Instant::now() >= until) {
                Some(StoppedBy::Time)
            } else {
                None
            };
            if let Some(reason) = stopped {
                dispatch.quit.store(true, Ordering::Relaxed);
                // Ends when the last lane is gone.
                for ends in receiver {
                    self.ready.extend(ends?);
                }
                return Ok(if self.deliver_all().is_break() { StoppedBy::Caller } else { reason });
            }
            let left = control.until.map_or(PATIENCE, |until| until.saturating_duration_since(Instant::now()));
            match receiver.recv_timeout(left.min(PATIENCE)) {
                Ok(ends) => self.ready.extend(ends?),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    return Ok(if self.deliver_all().is_break() { StoppedBy::Caller } else { StoppedBy::Exhausted });
                }
            }
            if self.deliver_due(control).is_break() {
                return Ok(StoppedBy::Caller);
            }
            dispatch.lock().delivered = self.next;
            dispatch.delivered.notify_all();
        }
    }

    /// Delivers what is next in order, as far as it is there and nobody wishes to stop.
    fn deliver_due(&mut self, control: Control<'_>) -> ControlFlow<()> {
        while let Some(end) = self.ready.remove(&self.next) {
            let key = self.next;
            self.next += 1;
            (self.on_end)(key, end)?;
            if control.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        ControlFlow::Continue(())
    }

    /// Delivers all that is left, in order.
    fn deliver_all(&mut self) -> ControlFlow<()> {
        while let Some((key, end)) = self.ready.pop_first() {
            (self.on_end)(key, end)?;
        }
        ControlFlow::Continue(())
    }
}

/// Runs one case at a time in a worker process of its own, which lives from case to case.
pub struct Isolated<R> {
    lane: Lane<R>,
    next: u64,
}

impl<R: DeserializeOwned> Isolated<R> {
    /// Prepares for cases of a job; the worker is started with the first case.
    ///
    /// # Errors
    /// Where the job cannot be encoded.
    pub fn new<J: Serialize>(
        command: WorkerCommand,
        options: IsolationOptions,
        job: &J,
    ) -> Result<Isolated<R>, IsolationError> {
        Ok(Isolated { lane: Lane::new(command, options, job)?, next: 0 })
    }

    /// What the worker says when it is set up. It must be asked before any case is run.
    ///
    /// # Errors
    /// Where a worker cannot be started or cannot do the job.
    pub fn greeting<G: DeserializeOwned>(&mut self) -> Result<G, IsolationError> {
        self.lane.greeting()
    }

    /// Runs a case and waits for its end.
    ///
    /// # Errors
    /// Where a worker cannot be started or cannot do the job.
    pub fn run_one(&mut self, input: CaseInput) -> Result<CaseEnd<R>, IsolationError> {
        let key = self.next;
        self.next += 1;
        self.lane.submit(vec![(key, input)])?;
        loop {
            if let Some((_, end)) = self.lane.poll()?.into_iter().find(|(done, _)| *done == key) {
                return Ok(end);
            }
        }
    }
}
