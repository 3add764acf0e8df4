//! The command line: what the words mean, and what comes back.
//!
//! Exit codes: 0 nothing found (or done), 1 something found (or not reproduced), 2 wrong use, a file that cannot be read or
//! written, nothing to do, or a script that was not tested to its end, 3 an internal failure, 130 interrupted with nothing found.
//! Where several would fit, 1 comes before 2, and 2 before 130.

mod args;
mod check;
mod faults;
mod fuzz;
mod generate;
mod input;
mod minimize;
mod options;
mod output;
mod progress;
mod run;
mod trace;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use clap::error::ErrorKind;
use moonphase::campaign::folder::FolderError;
use moonphase::campaign::job::Runner;
use moonphase::campaign::lane::IsolationError;
use moonphase::campaign::process::WorkerCommand;
use moonphase::campaign::triage::TriageError;
use moonphase::campaign::worker;
use moonphase::settings::SettingError;

use args::{Cli, Command};

/// The exit code of what a person has stopped, as shells have it.
const INTERRUPTED: u8 = 130;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Wrong use, or a file that cannot be read, written or understood: exit 2.
    #[error("{0}")]
    Usage(String),
    /// A defect of ours or of the machine: exit 3.
    #[error("{0}")]
    Internal(String),
    /// Nobody reads what is printed any more. Not worth a word.
    #[error("standard output is closed")]
    OutputClosed,
}

impl From<TriageError> for Failure {
    fn from(error: TriageError) -> Self {
        match error {
            TriageError::Folder(error) => error.into(),
            unsaved @ TriageError::Unsaved { .. } => Failure::Usage(unsaved.to_string()),
            TriageError::Isolation(error) => error.into(),
            other => Failure::Internal(other.to_string()),
        }
    }
}

impl From<FolderError> for Failure {
    fn from(error: FolderError) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<SettingError> for Failure {
    fn from(error: SettingError) -> Self {
        Failure::Usage(error.to_string())
    }
}

impl From<IsolationError> for Failure {
    fn from(error: IsolationError) -> Self {
        match error {
            // An engine that is not to be had, or settings that do not go together.
            IsolationError::Refused(reason) => Failure::Usage(reason),
            error => Failure::Internal(error.to_string()),
        }
    }
}

/// How a command that did its work ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// Exit 0.
    Clean,
    /// Exit 1: something was found, or a finding was not reproduced, or a script failed.
    Found,
    /// Exit 2: nothing was found, and not all was tested. What was not is said before.
    Untested,
    /// Exit 130: interrupted before anything was found.
    Interrupted,
    /// The script chose its exit code.
    Exit(u8),
}

/// Runs the command.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return answer(&error),
    };
    let result = match cli.command {
        Command::Run(args) => run::main(&args),
        Command::Fuzz(args) => fuzz::main(&args),
        Command::Check(args) => check::main(&args),
        Command::Minimize(args) => minimize::main(&args),
        Command::Trace(args) => trace::main(&args),
        Command::Faults(args) => faults::main(&args),
        Command::Generate(args) => generate::main(&args),
        Command::Worker => worker::serve::<Runner>()
            .map(|()| Done::Clean)
            .map_err(|error| Failure::Internal(format!("the worker lost its supervisor: {error}"))),
    };
    match result {
        Ok(Done::Clean) => ExitCode::SUCCESS,
        Ok(Done::Found) => ExitCode::from(1),
        Ok(Done::Untested) => ExitCode::from(2),
        Ok(Done::Interrupted) => ExitCode::from(INTERRUPTED),
        Ok(Done::Exit(code)) => ExitCode::from(code),
        Err(Failure::OutputClosed) => ExitCode::from(1),
        Err(failure) => {
            let code = if matches!(failure, Failure::Usage(_)) { 2 } else { 3 };
            complain(&failure.to_string());
            ExitCode::from(code)
        }
    }
}

/// What becomes of words that are no command: help where it was asked for, or else one line that says what is wrong.
fn answer(error: &clap::Error) -> ExitCode {
    // Where any of this cannot be printed nobody wants it, and the exit code tells.
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
    } else {
        let _ = writeln!(io::stderr(), "moonphase: {} (see --help)", one_line(&error.render().to_string()));
    }
    ExitCode::from(2)
}

/// The complaint and the tips of an error as clap writes it: paragraphs, of which the first is the complaint.
fn one_line(text: &str) -> String {
    let mut paragraphs = text.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "));
    let complaint = paragraphs.next().unwrap_or_default();
    let mut line = complaint.strip_prefix("error: ").unwrap_or(&complaint).to_owned();
    for tip in paragraphs.filter(|paragraph| paragraph.starts_with("tip: ")) {
        line.push_str("; ");
        line.push_str(&tip);
    }
    line
}

/// How to start a worker: this program again.
pub fn worker_command() -> Result<WorkerCommand, Failure> {
    WorkerCommand::current_executable(["worker"])
        .map_err(|error| Failure::Internal(format!("cannot find this program to start workers: {error}")))
}

/// Prints to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(output_failure)
}

/// Prints a line to standard error.
pub fn complain(text: &str) {
    // Where errors cannot be printed the exit code tells.
    let _ = writeln!(io::stderr(), "moonphase: {text}");
}

/// What a failure to write to standard output means.
pub fn output_failure(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::Usage(format!("cannot write to standard output: {error}")),
    }
}

/// The wish to stop: Ctrl-C sets it. A second one ends the program at once.
pub fn stop_flag() -> Result<&'static AtomicBool, Failure> {
    static STOP: AtomicBool = AtomicBool::new(false);
    static INSTALLED: OnceLock<Result<(), String>> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        ctrlc::set_handler(|| {
            if STOP.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED.into());
            }
        })
        .map_err(|error| error.to_string())
    });
    match installed {
        Ok(()) => Ok(&STOP),
        Err(error) => Err(Failure::Internal(format!("cannot listen to Ctrl-C: {error}"))),
    }
}
