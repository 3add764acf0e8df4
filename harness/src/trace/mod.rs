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

use moonphase_vm::{Limit, Schedule, ScriptError, System, Vm};

use crate::engine::Case;
use crate::engine::vm::{self, VmEngine, Watch, with_observer};
use crate::limits::Limits;
use crate::oracle::CHUNK_NAME;
use crate::report::Style;
use crate::settings::Settings;
use names::NameTable;
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
    /// What the chunk is called, as Lua takes it.
    pub chunk_name: &'a [u8],
    /// Whether it is run as the oracles run it, without arguments. What they find is told where it happens then.
    pub is_case: bool,
    /// How it is run. No reference is asked.
    pub settings: Settings,
    /// When the collector turns besides what the script asks for.
    pub schedule: Schedule,
    /// What to show.
    pub filter: Filter,
    /// How to show it.
    pub layout: Layout,
    /// How many lines to write before the last ones; `None` for all.
    pub limit: Option<u64>,
    /// Whether somebody waits for each line.
    pub interactive: bool,
}

/// What came of a trace.
pub struct Traced {
    /// Whether the script ran to its end, and nothing was wrong.
    pub completed: bool,
    /// Lines that were left out.
    pub left_out: u64,
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
    let Request { source, file, chunk_name, settings, .. } = &request;
    let (watch, found) = watch(&request);
    let page = Page::new(out, request.layout, source, file, request.limit, request.interactive);
    let names = NameTable::new(file, chunk_name, request.filter.objects(), settings.is_sound());
    let patience = if found { None } else { request.limit.map(|_| PATIENCE) };
    let tracer = Tracer::new(page, request.filter.clone(), names, watch, patience);
    let mut vm = Vm::observed(vm::options(settings, &request.schedule), Box::new(tracer));
    if !request.is_case {
        vm.set_arguments(&[file.as_bytes()], 0);
    }
    with_observer(&mut vm, |tracer: &mut Tracer, vm| tracer.begin(vm.heap().view()));
    let mut result = vm.run(source, chunk_name, &[]);
    // As the oracles end a case. Where they found nothing, nobody needs a collection that the script does not make.
    if let Err(error) = vm::end::<Tracer>(&mut vm, &result, found) {
        result = Err(error);
    }
    let completed = result.is_ok();
    let end = ending(result);
    let mut outcome = Ok(Traced { completed, left_out: 0, unseen: Vec::new(), seen: Vec::new() });
    with_observer(&mut vm, |tracer: &mut Tracer, vm| outcome = tracer.finish(vm.heap().view(), completed, end));
    outcome
}

/// A script of which so many lines were left out is stopped: it may have no end.
const PATIENCE: u64 = 1_000_000;

/// What looks for something wrong in a script, and whether it is known that there is something. A script that may use the machine
/// runs once only; what is wrong with it may be told some events late.
fn watch(request: &Request<'_>) -> (Watch, bool) {
    let settings = &request.settings;
    if !request.is_case || settings.system != System::None {
        return (Watch::new(settings), false);
    }
    let case = Case { schedule: &request.schedule, ..Case::new(request.source, CHUNK_NAME) };
    VmEngine::new(settings.clone()).watch_at(&case, &Limits::default())
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
