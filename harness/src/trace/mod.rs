//! `moonphase trace`: what the collector does, event by event, for a person who does not know its code.
//!
//! The VM raises events; `observer` turns each that the `filter` lets through into a [`fact`](Fact) with names from `names`;
//! `prose` says it in words and `page` puts it onto a line, or it is written as a JSON object.
//!
//! It streams: what it keeps grows with the objects that live, and not with the events.

mod event_kind;
mod fact;
mod filter;
mod names;
mod observer;
mod page;
mod prose;

pub use event_kind::EventKind;
pub use fact::{Fact, Origin};
pub use filter::{Filter, FilterError};
pub use names::Name;

use std::io::{self, Write};

use moonphase_vm::{Limit, Schedule, ScriptError, System, Vm, syntax};

use crate::engine::vm;
use crate::report::Style;
use crate::settings::Settings;
use observer::Tracer;
use page::Page;

/// How a trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// One line an event, for people.
    Human(Style),
    /// One JSON object a line.
    Json,
}

/// What to trace.
pub struct Request<'a> {
    /// The script.
    pub source: &'a [u8],
    /// Its file, as the user named it.
    pub file: &'a str,
    /// The language and the collector's rules; the rest is of no concern.
    pub settings: Settings,
    /// When the collector turns besides what the script asks for.
    pub schedule: Schedule,
    /// What to show.
    pub filter: Filter,
    /// How to show it.
    pub layout: Layout,
    /// Whether somebody waits for each line.
    pub interactive: bool,
}

/// What came of a trace.
pub struct Traced {
    /// Whether the script ran to its end.
    pub completed: bool,
    /// Object names that were asked for and that no object had.
    pub unseen: Vec<String>,
    /// Names that objects had, for those who asked for a wrong one: the first few.
    pub seen: Vec<String>,
}

/// Runs a script and writes its trace.
///
/// # Errors
/// The trace could not be written.
pub fn trace(request: Request<'_>, out: Box<dyn Write>) -> io::Result<Traced> {
    let settings = Settings { system: System::Full, ..request.settings };
    let options = vm::options(&settings, &request.schedule);
    let chunk = format!("@{}", request.file);
    let page = Page::new(out, request.layout, request.source, chunk.as_bytes(), request.interactive);
    let tracer = Tracer::new(page, request.filter, request.file, settings.is_sound());
    let mut vm = Vm::observed(options, Box::new(tracer));
    vm.set_arguments(&[request.file.as_bytes()], 0);
    change(&mut vm, |tracer, vm| tracer.begin(vm.heap().view()));
    let mut result = vm.run(syntax::skip_shebang(request.source), chunk.as_bytes(), &[]);
    if result.is_ok() {
        result = vm.close();
    }
    let completed = result.is_ok();
    let end = ending(result);
    let mut outcome = Ok(Traced { completed, unseen: Vec::new(), seen: Vec::new() });
    change(&mut vm, |tracer, vm| outcome = tracer.finish(vm.heap().view(), completed, end));
    outcome
}

/// Takes the tracer out of its VM, and puts it back. No step of the collector runs meanwhile.
fn change(vm: &mut Vm, with: impl FnOnce(&mut Tracer, &Vm)) {
    let Some(observer) = vm.take_observer() else { return };
    let Ok(mut tracer) = observer.into_any().downcast::<Tracer>() else { return };
    with(&mut tracer, vm);
    vm.set_observer(tracer);
}

/// How the script ended, and the words for it where it did not come to its end.
fn ending(result: Result<(), ScriptError>) -> (&'static str, Option<String>) {
    match result {
        Ok(()) => ("returned", None),
        Err(ScriptError::Limit(Limit::Output)) => ("output", None),
        Err(ScriptError::Limit(limit)) => ("limit", Some(limit.to_string())),
        Err(ScriptError::Halted) => ("halted", None),
        Err(ScriptError::Exit(status)) => ("exit", Some(status.to_string())),
        Err(error) => ("error", Some(error.to_string())),
    }
}
