//! `moonphase run`.
//!
//! It does what `lua.c` does: the words of the command line, code and script are run one after the other until one fails, and
//! the state is closed in any case, unless the program ended itself and did not ask for that.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal, Read, Write};

use moonphase::engine::vm::{options, unobserved};
use moonphase::settings::{Check, Settings};
use moonphase_invariants::Checker;
use moonphase_vm::{Limit, ScriptError, System, Vm, syntax};

use super::args::RunArgs;
use super::fuzz::{only_schedule, refuse_dangling};
use super::output::StandardOutput;
use super::{Done, Failure, complain};

pub fn main(args: &RunArgs) -> Result<Done, Failure> {
    let usual = Settings { check: Check::Off, system: System::Full, ..Settings::stand_alone() };
    let settings = args.settings.over(usual)?;
    refuse_dangling(&settings)?;
    let script = args.script.first().map(|file| read(file)).transpose()?;
    let options = options(&settings, &only_schedule(&settings)?);
    let mut vm = match settings.check.level() {
        Some(level) => Vm::observed(options, Box::new(Checker::new(level))),
        None => unobserved(&settings, options).ok_or_else(|| unsound(&settings))?,
    };
    vm.set_input(io::stdin());
    vm.set_standard_output(StandardOutput::default(), io::stdout().is_terminal());
    vm.set_error_output(io::stderr());
    let words: Vec<_> = env::args_os().map(OsString::into_encoded_bytes).collect();
    let words: Vec<_> = words.iter().map(Vec::as_slice).collect();
    // Where there is no script it is that of the command itself, as in `lua`.
    let script_at = if args.script.is_empty() { 0 } else { words.len() - args.script.len() };
    vm.set_arguments(&words, script_at);
    let mut code = args.execute.iter().map(|code| code.as_encoded_bytes());
    let mut result = code.try_for_each(|code| vm.run_traced(code, b"=(command line)"));
    if let Some((name, source)) = &script {
        result = result.and_then(|()| vm.run_script(syntax::skip_shebang(source), name));
    }
    end(vm, result)
}

/// Reports how the program ended, and closes the state. What is kept back of the output goes out when the VM is dropped, after
/// what is in the files that the program has left open; nobody hears of a failure, as in C.
fn end(mut vm: Vm, result: Result<(), ScriptError>) -> Result<Done, Failure> {
    let mut failed = false;
    let mut end = result;
    if let Err(ScriptError::Error(message)) = &end {
        failed = true;
        report(message);
        end = Ok(());
    }
    if end.is_ok() {
        end = vm.close();
    }
    if !matches!(end, Ok(()) | Err(ScriptError::Exit(_))) {
        // Whoever ended it is heard after it; what cannot be written any more is lost.
        let _ = vm.flush_output();
    }
    match end {
        Ok(()) => Ok(if failed { Done::Found } else { Done::Clean }),
        // As the system does with what `exit` is given.
        Err(ScriptError::Exit(status)) => Ok(Done::Exit(status as u8)),
        Err(ScriptError::Limit(Limit::Output)) => Err(Failure::OutputClosed),
        Err(ScriptError::Halted) => {
            let found = vm
                .take_observer()
                .and_then(|observer| observer.into_any().downcast::<Checker>().ok())
                .and_then(|checker| checker.into_violation());
            let text = found.map_or_else(|| "ended by the observer".to_owned(), |violation| violation.to_string());
            complain(&text);
            Ok(Done::Found)
        }
        Err(error) => {
            complain(&error.to_string());
            Ok(Done::Found)
        }
    }
}

/// Prints the message of an error, byte by byte up to the first zero, as C does.
fn report(message: &[u8]) {
    let message = message.split(|&byte| byte == 0).next().unwrap_or_default();
    // Where errors cannot be printed the exit code tells.
    let _ = io::stderr().write_all(&[b"moonphase: ", message, b"\n"].concat());
}

fn unsound(settings: &Settings) -> Failure {
    let what = match settings.fault {
        Some(fault) => format!("a collector with fault {fault}"),
        None => format!("policy {}", settings.gc),
    };
    Failure::Usage(format!("{what} is unsound: run it with --check barrier, or with --check off --allow-dangling"))
}

/// The name of a script for messages, and its text.
fn read(file: &OsStr) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let shown = file.display();
    let (name, source) = if file == "-" {
        let mut source = Vec::new();
        (b"=stdin".to_vec(), io::stdin().read_to_end(&mut source).map(|_| source))
    } else {
        ([b"@", file.as_encoded_bytes()].concat(), fs::read(file))
    };
    let source = source.map_err(|error| Failure::Usage(format!("cannot read {shown}: {error}")))?;
    Ok((name, source))
}
