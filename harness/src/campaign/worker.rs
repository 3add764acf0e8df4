//! The worker's side of isolation: a process that runs cases until its supervisor closes the line.
//!
//! A worker may be killed at any moment, so it keeps nothing that matters. It announces every activity of every case
//! before it begins, and collects reports for a few milliseconds before it sends them, so that messages cost little per
//! case; reports lost with a dying worker are made again by its successor. A thread of its own watches the line and
//! ends the process at once when the supervisor is gone, whatever the case is doing.
//!
//! The standard streams of a worker: it begins with the socket to the supervisor as input and the board file (see
//! `protocol`) as output, and puts nothing in their place, since scripts have them too. Errors are read by the supervisor.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::CaseInput;
use crate::engine::Activity;

/// What a worker process does with cases.
pub trait CaseRunner: Sized {
    /// What a campaign is about; the same for all its workers.
    type Job: Serialize + DeserializeOwned;
    /// What a worker that is set up has to say before it runs anything.
    type Greeting: Serialize + DeserializeOwned;
    /// What is to be known of a case that was run.
    type Report: Serialize + DeserializeOwned + Send;

    /// Sets up a worker.
    ///
    /// # Errors
    /// A sentence that says why the job cannot be done; it ends the campaign.
    fn new(job: Self::Job) -> Result<Self, String>;

    /// What it has to say.
    fn greeting(&self) -> Self::Greeting;

    /// Runs one case. `announce` is to be called before each activity begins.
    fn run(&mut self, case: &CaseInput, announce: &mut dyn FnMut(Activity)) -> Self::Report;
}

/// Serves as a worker process until the supervisor closes the line. Must be the only reader of standard input.
///
/// # Errors
/// Where the process was not started by a supervisor, or the line breaks.
#[cfg(unix)]
pub fn serve<R: CaseRunner>() -> io::Result<()> {
    unix::serve::<R>()
}

/// Serves as a worker process; not possible on this system.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn serve<R: CaseRunner>() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "worker processes need a Unix system"))
}

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, Write};
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileExt;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{Receiver, TryRecvError, channel};
    use std::thread;
    use std::time::{Duration, Instant};

    use rlimit::Resource;

    use super::CaseRunner;
    use crate::campaign::protocol::{Announcement, FrameReader, Request, Response, append_frame, decode};
    use crate::engine::Activity;

    /// How long a report may wait for company.
    const FLUSH_INTERVAL: Duration = Duration::from_millis(5);

    /// What a worker may write to files: its announcements and stray output.
    const MAX_FILE_BYTES: u64 = 16 << 20;

    pub(super) fn serve<R: CaseRunner>() -> io::Result<()> {
        let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        let board = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        keep_streams()?;
        let requests = watch(socket.try_clone()?)?;
        let mut line = Line { socket, unsent: Vec::new(), sent: Instant::now() };

        let Ok(Request::Start { job, memory }) = requests.recv() else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a worker is started by a supervisor only"));
        };
        limit_resources(memory);
        let job = decode(&job).map_err(|error| format!("the worker does not understand its job: {error}"));
        let mut runner = match job.and_then(R::new) {
            Ok(runner) => runner,
            Err(reason) => return line.send_now(&Response::<R::Report>::Refused(reason)),
        };
        let greeting = postcard::to_allocvec(&runner.greeting()).map_err(io::Error::other)?;
        line.send_now(&Response::<R::Report>::Ready { greeting })?;

        loop {
            let request = match requests.try_recv() {
                Ok(request) => request,
                Err(TryRecvError::Disconnected) => return Ok(()),
                Err(TryRecvError::Empty) => {
                    line.flush()?;
                    match requests.recv() {
                        Ok(request) => request,
                        Err(_) => return Ok(()),
                    }
                }
            };
            let Request::Cases(cases) = request else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a worker is started once"));
            };
            for (key, input) in cases {
                let mut announce = |activity| {
                    // A board that cannot be written costs the attribution of a death and nothing else.
                    let _ = board.write_all_at(&Announcement { key, activity }.encode(), 0);
                };
                announce(Activity::Prepare);
                let report = runner.run(&input, &mut announce);
                line.send(&Response::Done { key, report })?;
            }
        }
    }

    /// Leaves nothing on the standard streams that a script could read or overwrite.
    fn keep_streams() -> io::Result<()> {
        let nothing = File::options().read(true).write(true).open("/dev/null")?;
        rustix::stdio::dup2_stdin(&nothing)?;
        rustix::stdio::dup2_stdout(&nothing)?;
        Ok(())
    }

    /// Reads requests in a thread, which ends the process when the line is closed or broken.
    fn watch(mut socket: UnixStream) -> io::Result<Receiver<Request>> {
        let (sender, receiver) = channel();
        thread::Builder::new().name("watchdog".into()).spawn(move || {
            let mut frames = FrameReader::default();
            loop {
                match frames.fill(&mut socket) {
                    Ok(0) => std::process::exit(0),
                    Ok(_) => {}
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => std::process::exit(1),
                }
                loop {
                    match frames.next() {
                        Ok(None) => break,
                        Ok(Some(request)) => match sender.send(request) {
                            Ok(()) => {}
                            // The main thread is done.
                            Err(_) => return,
                        },
                        Err(error) => {
                            // The supervisor shows what its worker has said last.
                            eprintln!("moonphase: the worker does not understand a request: {error}");
                            std::process::exit(1);
                        }
                    }
                }
            }
        })?;
        Ok(receiver)
    }

    /// Caps what the process may take. A system that refuses a cap still has the deadline and the engines' own limits.
    fn limit_resources(memory: Option<u64>) {
        let mut caps = vec![(Resource::CORE, 0), (Resource::FSIZE, MAX_FILE_BYTES)];
        caps.extend(memory.map(|bytes| (Resource::AS, bytes)));
        for (resource, cap) in caps {
            let cap = resource.get_hard().map_or(cap, |hard| cap.min(hard));
            let _ = resource.set(cap, cap);
        }
    }

    /// The way back to the supervisor.
    struct Line {
        socket: UnixStream,
        unsent: Vec<u8>,
        sent: Instant,
    }

    impl Line {
        fn send<T: serde::Serialize>(&mut self, message: &T) -> io::Result<()> {
            append_frame(&mut self.unsent, message)?;
            if self.sent.elapsed() >= FLUSH_INTERVAL { self.flush() } else { Ok(()) }
        }

        fn send_now<T: serde::Serialize>(&mut self, message: &T) -> io::Result<()> {
            append_frame(&mut self.unsent, message)?;
            self.flush()
        }

        fn flush(&mut self) -> io::Result<()> {
            self.socket.write_all(&self.unsent)?;
            self.unsent.clear();
            self.sent = Instant::now();
            Ok(())
        }
    }
}
