//! `moonphase run`.
//!
//! It does what `lua.c` does: the words of the command line, code and script are run one after the other until one fails, and
//! the state is closed in any case, unless the program ended itself and did not ask for that. A case is run as the oracles run
//! it.

use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use moonphase::engine::Case;
use moonphase::engine::vm::{self, VmEngine, VmRun, Watch, options, unobserved};
use moonphase::limits::Limits;
use moonphase::oracle::CHUNK_NAME;
use moonphase::settings::{Check, Settings};
use moonphase_vm::{Limit, ScriptError, System, Vm};

use super::args::RunArgs;
use super::fuzz::{only_schedule, refuse_dangling, refuse_foreign};
use super::input::Input;
use super::output::StandardOutput;
use super::{Done, Failure, complain};

pub fn main(args: &RunArgs) -> Result<Done, Failure> {
    let usual = Settings { check: Check::Off, system: System::Full, ..Settings::stand_alone() };
    let input = args.script.first().map(|file| Input::read(Path::new(file), &args.settings, &usual)).transpose()?;
    let settings = match &input {
        Some(input) => input.settings().clone(),
        None => args.settings.over(usual)?,
    };
    refuse_foreign(&settings, "run")?;
    refuse_dangling(&settings)?;
    let options = options(&settings, &only_schedule(&settings)?);
    let mut vm = match settings.check {
        Check::At(_) => Vm::observed(options, Box::new(Watch::new(&settings))),
        Check::Off => unobserved(&settings, options).ok_or_else(|| unsound(&settings))?,
    };
    vm.set_input(io::stdin());
    vm.set_standard_output(StandardOutput::default(), io::stdout().is_terminal());
    vm.set_error_output(io::stderr());
    let words: Vec<_> = env::args_os().map(OsString::into_encoded_bytes).collect();
    let words: Vec<_> = words.iter().map(Vec::as_slice).collect();
    // Where there is no script it is that of the command itself, as in `lua`.
    let script_at = if args.script.is_empty() { 0 } else { words.len() - args.script.len() };
    // A case has no arguments unless it is given some: their objects would change the collector's pace.
    let case = input.as_ref().filter(|input| input.is_case && args.script.len() == 1 && args.execute.is_empty());
    let result = match (case, &input) {
        (Some(case), _) => vm.run(&case.source, CHUNK_NAME.as_bytes(), &[]),
        (None, input) => {
            vm.set_arguments(&words, script_at);
            let mut code = args.execute.iter().map(|code| code.as_encoded_bytes());
            let code = code.try_for_each(|code| vm.run_traced(code, b"=(command line)"));
            let script = input.as_ref().zip(args.script.first());
            code.and_then(|()| match script {
                Some((input, file)) => vm.run_script(&input.source, &input.chunk_name(Path::new(file))),
                None => Ok(()),
            })
        }
    };
    end(vm, result, &settings, case)
}

/// Reports how the program ended, and closes the state. What is kept back of the output goes out when the VM is dropped, after
/// what is in the files that the program has left open; nobody hears of a failure, as in C.
fn end(
    mut vm: Vm,
    result: Result<(), ScriptError>,
    settings: &Settings,
    case: Option<&Input>,
) -> Result<Done, Failure> {
    let mut failed = false;
    if let Err(ScriptError::Error(message)) = &result {
        failed = true;
        report(message);
    }
    let closed = match settings.check {
        // The oracles collect when a script has ended, so a case does too; for other scripts that would change what their
        // finalizers do.
        Check::At(_) => vm::end::<Watch>(&mut vm, &result, case.is_some()),
        Check::Off if failed || result.is_ok() => vm.close(),
        Check::Off => Ok(()),
    };
    let end = closed.and(if failed { Ok(()) } else { result });
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
            // What the usual check sees may have been wrong for some time. The oracles look for the first event.
            let first = case.filter(|_| settings.system == System::None).map(|input| {
                let schedule = settings.schedules.only().cloned().unwrap_or_default();
                let case = Case { schedule: &schedule, ..Case::new(&input.source, CHUNK_NAME) };
                VmEngine::new(settings.clone()).observe(&case, &Limits::default())
            });
            let watch = vm.take_observer().and_then(|observer| observer.into_any().downcast::<Watch>().ok());
            let seen = first.as_ref().and_then(VmRun::seen);
            match seen.or(watch.as_ref().and_then(|watch| watch.seen())) {
                Some(seen) => complain(&format!("{}\n{seen}", seen.signature())),
                None => complain("ended by the observer"),
            }
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
