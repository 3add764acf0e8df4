//! `moonphase run`.

use std::fs;
use std::io::{self, BufWriter};

use moonphase::fault;
use moonphase::settings::{Check, Settings};
use moonphase_invariants::Checker;
use moonphase_vm::{Limit, Options, ScriptError, Vm, syntax};

use super::args::RunArgs;
use super::fuzz::{only_schedule, refuse_dangling};
use super::{Done, Failure, complain};

pub fn main(args: &RunArgs) -> Result<Done, Failure> {
    let usual = Settings { check: Check::Off, ..Settings::default() };
    let settings = args.settings.over(usual)?;
    refuse_dangling(&settings)?;
    let shown = args.file.display();
    let source = fs::read(&args.file).map_err(|error| Failure::Usage(format!("cannot read {shown}: {error}")))?;
    let mut options = Options::default();
    options.version = settings.lua;
    options.policy = settings.gc;
    fault::plant(&mut options, settings.fault);
    options.schedule = only_schedule(&settings)?;
    options.real_time = true;
    options.files = true;
    let mut vm = match settings.check.level() {
        Some(level) => Vm::observed(options, Box::new(Checker::new(level))),
        None if settings.is_sound() || settings.allow_dangling => {
            // SAFETY: the collector is sound, or the user accepted undefined behaviour to show it to a sanitizer.
            #[allow(unsafe_code)]
            unsafe {
                Vm::with_unsound_policy(options)
            }
        }
        None => {
            let what = match settings.fault {
                Some(fault) => format!("a collector with fault {fault}"),
                None => format!("policy {}", settings.gc),
            };
            return Err(Failure::Usage(format!(
                "{what} is unsound: run it with --check barrier, or with --check off --allow-dangling"
            )));
        }
    };
    vm.set_output(BufWriter::with_capacity(1 << 16, io::stdout()));
    let name = format!("@{shown}");
    let arguments: Vec<&[u8]> = args.args.iter().map(|arg| arg.as_bytes()).collect();
    vm.set_script_arguments(args.file.as_os_str().as_encoded_bytes(), &arguments);
    let mut result = vm.run_traced(syntax::skip_shebang(&source), name.as_bytes(), &arguments);
    if result.is_ok() {
        result = vm.close();
    }
    let flushed = vm.flush_output();
    match result {
        Ok(()) => flushed.map(|()| Done::Clean).map_err(super::output_failure),
        Err(ScriptError::Limit(Limit::Output)) => Err(Failure::OutputClosed),
        Err(ScriptError::Halted) => {
            let found =
                vm.take_observer().and_then(Checker::from_observer).and_then(|checker| checker.into_violation());
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
