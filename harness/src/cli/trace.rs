//! `moonphase trace`.

use std::io::{self, IsTerminal};

use moonphase::report::Style;
use moonphase::settings::Settings;
use moonphase::trace::{Filter, Layout, Request, trace};
use moonphase_vm::System;

use super::args::{Format, TraceArgs};
use super::fuzz::{only_schedule, refuse_foreign};
use super::input::Input;
use super::{Done, Failure, complain, output_failure};

pub fn main(args: &TraceArgs) -> Result<Done, Failure> {
    let filter =
        Filter::new(&args.only, &args.events, &args.object).map_err(|error| Failure::Usage(error.to_string()))?;
    let usual = Settings { system: System::Full, ..Settings::default() };
    let input = Input::read(&args.file, &args.settings, &usual)?;
    let settings = input.settings().clone();
    refuse_foreign(&settings, "trace")?;
    let chunk_name = input.chunk_name(&args.file);
    let layout = match args.format {
        Format::Human => Layout::Human(Style::Colour),
        Format::Json => Layout::Json,
    };
    let interactive = io::stdout().is_terminal();
    let schedule = only_schedule(&settings)?;
    let request = Request {
        source: &input.source,
        file: &input.file,
        chunk_name: &chunk_name,
        is_case: input.is_case,
        settings,
        schedule,
        filter,
        layout,
        limit: args.limit.0,
        interactive,
    };
    let traced = trace(request, Box::new(anstream::stdout())).map_err(output_failure)?;
    if traced.left_out > 0 {
        complain(&format!("{} lines were left out (--limit all shows them)", traced.left_out));
    }
    if !traced.unseen.is_empty() {
        let wanted = traced.unseen.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        complain(&format!("no object was called {wanted} (there were: {})", traced.seen.join(", ")));
    }
    Ok(if traced.completed { Done::Clean } else { Done::Found })
}
