//! Running scripts and reading what they print.

#![allow(dead_code, reason = "each test program uses a part")]

pub mod stepper;

use moonphase_vm::{Options, ScriptError, System, Vm};
use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;

/// A sink whose content can be read while the VM owns it.
#[derive(Clone, Default)]
struct Output {
    bytes: Rc<RefCell<Vec<u8>>>,
    flushes: Rc<Cell<usize>>,
}

impl Output {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.borrow()).into_owned()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.flushes.set(self.flushes.get() + 1);
        Ok(())
    }
}

/// Runs a script; what it printed and how it ended.
pub fn run_with(options: Options, source: &str) -> (String, Result<(), ScriptError>) {
    let output = Output::default();
    let mut vm = Vm::new(options).expect("a sound policy");
    vm.set_output(output.clone());
    let result = vm.run(source.as_bytes(), b"@t", &[]);
    drop(vm);
    (output.text(), result)
}

/// What came out of a script.
pub struct Streams {
    pub output: String,
    /// How often the output was flushed.
    pub flushes: usize,
    pub error: String,
}

/// Runs a script that may use the system and reads an input. The global `dir` is a folder for its files, which goes away.
pub fn run_on_system(mut options: Options, source: &str, input: &str) -> (Streams, Result<(), ScriptError>) {
    let folder = tempfile::tempdir().expect("a folder");
    options.system = System::Full;
    let (output, error) = (Output::default(), Output::default());
    let mut vm = Vm::new(options).expect("a sound policy");
    vm.set_input(std::io::Cursor::new(input.to_owned()));
    vm.set_output(output.clone());
    vm.set_error_output(error.clone());
    let prelude = format!("dir = '{}/'", folder.path().display());
    let result = vm.run(prelude.as_bytes(), b"=prelude", &[]).and_then(|()| vm.run(source.as_bytes(), b"@t", &[]));
    drop(vm);
    (Streams { output: output.text(), flushes: output.flushes.get(), error: error.text() }, result)
}

/// One schedule of each kind that turns, and more of those that differ by a seed.
pub const SCHEDULES: &[&str] =
    &["stress", "barriers", "generational", "shuffled:1", "random:1", "random:2", "random:3", "steps:1x500,20x7,300"];

/// What a script prints that ends without error.
pub fn run(source: &str) -> String {
    let (printed, result) = run_with(Options::default(), source);
    assert_eq!(result, Ok(()), "{source}");
    printed
}

/// The message of the error that ends a script.
pub fn error_of(source: &str) -> String {
    match run_with(Options::default(), source).1 {
        Err(error) => error.to_string(),
        Ok(()) => panic!("no error: {source}"),
    }
}

/// Checks what a script prints, also when the collector takes a step after every few instructions, is asked for its smallest
/// steps, or turns as a schedule says.
pub fn check(source: &str, expected: &str) {
    let plain = run(source);
    assert_eq!(plain, expected, "{source}");
    for eager in [
        "collectgarbage('incremental', 100, 100, 1) ",
        "debug.sethook(function() collectgarbage('step', 0) end, '', 3) ",
        "debug.sethook(function() collectgarbage() end, '', 100) ",
        "collectgarbage('generational', 1) ",
        "collectgarbage('generational') debug.sethook(function() collectgarbage('step', 0) end, '', 3) ",
    ] {
        let printed = run(&format!("{eager}{source}"));
        assert_eq!(printed, expected, "{eager}{source}");
    }
    for schedule in SCHEDULES {
        let mut options = Options::default();
        options.schedule = schedule.parse().expect("a schedule");
        let (printed, result) = run_with(options, source);
        assert_eq!((printed.as_str(), result), (expected, Ok(())), "{schedule}: {source}");
    }
}
