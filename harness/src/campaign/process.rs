//! One worker process as its supervisor sees it: started, talked to, killed, and asked what it died of.
//!
//! A `WorkerProcess` never outlives its value: dropping it kills and reaps the child. The child is in a process group
//! of its own, so that Ctrl-C reaches the supervisor alone, which then ends its workers in order.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use super::protocol::Announcement;

/// How to start a worker process.
#[derive(Clone, Debug)]
pub struct WorkerCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// What is set in its environment besides what it inherits.
    pub env: Vec<(OsString, OsString)>,
}

impl WorkerCommand {
    /// This program again, with other arguments.
    ///
    /// # Errors
    /// Where the system cannot say what the program is.
    pub fn current_executable(args: impl IntoIterator<Item = impl Into<OsString>>) -> io::Result<WorkerCommand> {
        // On Linux this is the running program itself, even after its file has been replaced by a newer build.
        let running = PathBuf::from("/proc/self/exe");
        let program = if running.exists() { running } else { std::env::current_exe()? };
        Ok(WorkerCommand { program, args: args.into_iter().map(Into::into).collect(), env: Vec::new() })
    }
}

/// What happened to a worker process that did not finish its case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Death {
    /// It was killed because the case took longer than the deadline.
    Deadline,
    /// A signal ended it, by name.
    Signal(String),
    /// It exited with this code; 101 is a Rust panic.
    Exit(i32),
    /// It said something that is not the protocol.
    Garbled(String),
}

/// Signals that no defect of a program sends: a person does, or the system where memory is short.
const FROM_OUTSIDE: [&str; 5] = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"];

impl Death {
    /// Whether somebody else has killed it. What it was doing has no part in that.
    pub fn is_from_outside(&self) -> bool {
        matches!(self, Death::Signal(name) if FROM_OUTSIDE.contains(&name.as_str()))
    }
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Death::Deadline => f.write_str("deadline"),
            Death::Signal(name) => f.write_str(name),
            Death::Exit(code) => write!(f, "exit code {code}"),
            Death::Garbled(what) => write!(f, "protocol error: {what}"),
        }
    }
}

/// What came from a worker within a tick.
pub(super) enum Received<M> {
    /// Messages, in order; possibly none.
    Messages(Vec<M>),
    /// The worker has closed the line; it is dead or dying. Everything it had sent has been received before.
    Closed,
    /// What came is not a message.
    Garbled(io::Error),
}

#[cfg(unix)]
pub(super) use unix::WorkerProcess;

#[cfg(not(unix))]
pub(super) use unsupported::WorkerProcess;

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::fs::File;
    use std::io::{self, Read, Seek, SeekFrom, Write};
    use std::os::fd::OwnedFd;
    use std::os::unix::fs::FileExt;
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
    use std::thread::{self, JoinHandle};
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process_group};
    use serde::de::DeserializeOwned;

    use super::{Announcement, Death, Received, WorkerCommand};
    use crate::campaign::protocol::FrameReader;

    /// How much of what a worker wrote to standard error is kept: the end of it.
    const STDERR_KEPT: usize = 64 << 10;

    /// Where stray output of a worker begins in the board file, well behind the announcement.
    const STRAY_OUTPUT: u64 = 4096;

    /// A worker that does not even take its requests for this long is as good as dead.
    const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

    /// What glibc's `malloc` is told (bytes): to keep freed memory rather than give it back. Stacks that overflow take 16 MB of
    /// it in one piece, again and again.
    const KEEP_FREED_MEMORY: [(&str, &str); 2] =
        [("MALLOC_MMAP_THRESHOLD_", "67108864"), ("MALLOC_TRIM_THRESHOLD_", "134217728")];

    pub(in crate::campaign) struct WorkerProcess {
        child: Child,
        socket: UnixStream,
        frames: FrameReader,
        board: File,
        stderr: Option<JoinHandle<Vec<u8>>>,
    }

    impl WorkerProcess {
        /// Starts a worker, with what its engines need in its environment.
        pub(in crate::campaign) fn spawn(
            command: &WorkerCommand,
            environment: &[(&'static str, OsString)],
            tick: Duration,
        ) -> io::Result<WorkerProcess> {
            let (socket, theirs) = UnixStream::pair()?;
            socket.set_read_timeout(Some(tick))?;
            socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
            // In memory where that can be had; an unnamed file leaves nothing behind in any case.
            let mut board = tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile())?;
            board.seek(SeekFrom::Start(STRAY_OUTPUT))?;
            let mut child = Command::new(&command.program)
                .arg0("moonphase")
                .args(&command.args)
                .envs(KEEP_FREED_MEMORY)
                .envs(command.env.iter().map(|(name, value)| (name, value)))
                .envs(environment.iter().map(|(name, value)| (name, value)))
                .stdin(Stdio::from(OwnedFd::from(theirs)))
                .stdout(Stdio::from(board.try_clone()?))
                .stderr(Stdio::piped())
                .process_group(0)
                .spawn()?;
            let stderr = child.stderr.take().map(|stderr| thread::spawn(move || keep_end(stderr)));
            Ok(WorkerProcess { child, socket, frames: FrameReader::default(), board, stderr })
        }

        /// Sends whole frames.
        pub(in crate::campaign) fn send(&mut self, frames: &[u8]) -> io::Result<()> {
            self.socket.write_all(frames)
        }

        /// Waits for messages, one tick at most.
        pub(in crate::campaign) fn receive<M: DeserializeOwned>(&mut self) -> Received<M> {
            match self.frames.fill(&mut self.socket) {
                Ok(0) => return Received::Closed,
                Ok(_) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted => {}
                    // A worker that died with requests unread resets the connection.
                    _ => return Received::Closed,
                },
            }
            let mut messages = Vec::new();
            loop {
                match self.frames.next() {
                    Ok(Some(message)) => messages.push(message),
                    Ok(None) => return Received::Messages(messages),
                    Err(error) => return Received::Garbled(error),
                }
            }
        }

        /// What the worker announced last, if anything.
        pub(in crate::campaign) fn announcement(&self) -> Option<Announcement> {
            let mut bytes = [0; Announcement::BYTES];
            // Before the first announcement the file is too short, or full of zeros up to stray output.
            self.board.read_exact_at(&mut bytes, 0).ok()?;
            Announcement::decode(bytes)
        }

        /// Kills the worker if it still lives. What it had sent can still be received.
        pub(in crate::campaign) fn kill(&mut self) {
            // Fails only if it is dead already.
            let _ = self.child.kill();
        }

        /// Waits for the end of a worker that has been killed or has closed the line, and returns how it died and the
        /// end of what it wrote to standard error.
        pub(in crate::campaign) fn wait(mut self) -> (Death, String) {
            let death = match self.child.wait() {
                Ok(status) => death(status),
                Err(error) => Death::Garbled(error.to_string()),
            };
            self.kill_company();
            let stderr = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
            (death, String::from_utf8_lossy(&stderr).into_owned())
        }
    }

    impl WorkerProcess {
        /// Kills what the worker has started, which would keep its standard error open: sanitizers ask other programs for the names of
        /// functions, and these may hang.
        fn kill_company(&self) {
            if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
                // Fails where nobody is left.
                let _ = kill_process_group(group, Signal::KILL);
            }
        }
    }

    impl Drop for WorkerProcess {
        fn drop(&mut self) {
            self.kill();
            let _ = self.child.wait();
            self.kill_company();
            if let Some(thread) = self.stderr.take() {
                let _ = thread.join();
            }
        }
    }

    fn keep_end(mut stderr: ChildStderr) -> Vec<u8> {
        let mut kept = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(count) = stderr.read(&mut chunk) {
            if count == 0 {
                break;
            }
            kept.extend_from_slice(&chunk[..count]);
            if kept.len() > 2 * STDERR_KEPT {
                kept.drain(..kept.len() - STDERR_KEPT);
            }
        }
        kept.drain(..kept.len().saturating_sub(STDERR_KEPT));
        kept
    }

    fn death(status: ExitStatus) -> Death {
        match (status.signal(), status.code()) {
            (Some(signal), _) => Death::Signal(signal_name(status, signal)),
            (None, Some(code)) => Death::Exit(code),
            (None, None) => Death::Garbled(status.to_string()),
        }
    }

    /// The name of the signal that ended a process, which the standard library knows for this system ("signal: 6
    /// (SIGABRT)").
    fn signal_name(status: ExitStatus, signal: i32) -> String {
        let text = status.to_string();
        match text.split(['(', ')']).nth(1) {
            Some(name) if name.starts_with("SIG") => name.to_owned(),
            _ => format!("signal {signal}"),
        }
    }
}

#[cfg(not(unix))]
mod unsupported {
    use std::ffi::OsString;
    use std::io;
    use std::time::Duration;

    use super::{Announcement, Death, Received, WorkerCommand};

    pub(in crate::campaign) enum WorkerProcess {}

    impl WorkerProcess {
        pub(in crate::campaign) fn spawn(
            _: &WorkerCommand,
            _: &[(&'static str, OsString)],
            _: Duration,
        ) -> io::Result<WorkerProcess> {
            Err(io::Error::new(io::ErrorKind::Unsupported, "worker processes need a Unix system"))
        }

        pub(in crate::campaign) fn send(&mut self, _: &[u8]) -> io::Result<()> {
            match *self {}
        }

        pub(in crate::campaign) fn receive<M>(&mut self) -> Received<M> {
            match *self {}
        }

        pub(in crate::campaign) fn announcement(&self) -> Option<Announcement> {
            match *self {}
        }

        pub(in crate::campaign) fn kill(&mut self) {
            match *self {}
        }

        pub(in crate::campaign) fn wait(self) -> (Death, String) {
            match self {}
        }
    }
}
