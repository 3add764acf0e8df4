//! `moonphase run`.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, BufWriter, Read};

use moonphase::engine::vm::{options, unobserved};
use moonphase::settings::{Check, Settings};
use moonphase_invariants::Checker;
use moonphase_vm::{Limit, ScriptError, System, Vm, syntax};

use super::args::RunArgs;
use super::fuzz::{only_schedule, refuse_dangling};
use super::{Done, Failure, complain};

pub fn main(args: &RunArgs) -> Result<Done, Failure> {
    let usual = Settings { check: Check::Off, system: System::Full, ..Settings::default() };
    let settings = args.settings.over(usual)?;
    refuse_dangling(&settings)?;
    let script = args.script.first().map(|file| read(file)).transpose()?;
    let options = options(&settings, &only_schedule(&settings)?);
    let mut vm = match settings.check.level() {
        Some(level) => Vm::observed(options, Box::new(Checker::new(level))),
        None => unobserved(&settings, options).ok_or_else(|| unsound(&settings))?,
    };
    vm.set_input(io::stdin());
    vm.set_output(BufWriter::with_capacity(1 << 16, io::stdout()));
    vm.set_error_output(io::stderr());
    let words: Vec<_> = env::args_os().map(OsString::into_encoded_bytes).collect();
    let words: Vec<_> = words.iter().map(Vec::as_slice).collect();
    // Where there is no script it is that of the command itself, as in `lua`.
    let script_at = if args.script.is_empty() { 0 } else { words.len() - args.script.len() };
    vm.set_arguments(&words, script_at);
    let mut result = Ok(());
    let pieces = args.execute.iter().map(|code| (b"=(command line)".to_vec(), code.as_encoded_bytes(), &[][..]));
    let script =
        script.as_ref().map(|(name, source)| (name.clone(), syntax::skip_shebang(source), &words[script_at + 1..]));
    for (name, source, arguments) in pieces.chain(script) {
        result = result.and_then(|()| vm.run_traced(source, &name, arguments));
    }
    if result.is_ok() {
        result = vm.close();
    }
    let flushed = vm.flush_output();
    match result {
        Ok(()) => flushed.map(|()| Done::Clean).map_err(super::output_failure),
        // As the system does with what `exit` is given.
        Err(ScriptError::Exit(status)) => flushed.map(|()| Done::Exit(status as u8)).map_err(super::output_failure),
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
