//! `moonphase trace`.

use std::fs;
use std::io::{self, IsTerminal};

use moonphase::header::Header;
use moonphase::report::Style;
use moonphase::settings::Settings;
use moonphase::trace::{Filter, Layout, Request, trace};

use super::args::{Format, TraceArgs};
use super::fuzz::only_schedule;
use super::{Done, Failure, complain, output_failure};

pub fn main(args: &TraceArgs) -> Result<Done, Failure> {
    let filter =
        Filter::new(&args.only, &args.events, &args.object).map_err(|error| Failure::Usage(error.to_string()))?;
    let shown = args.file.display().to_string();
    let source = fs::read(&args.file).map_err(|error| Failure::Usage(format!("cannot read {shown}: {error}")))?;
    let header = Header::parse(&source, Settings::default())
        .map_err(|error| Failure::Usage(format!("{shown}: damaged header: {error}")))?
        .unwrap_or_default();
    let settings = args.settings.over(header.settings)?;
    let layout = match args.format {
        Format::Human => Layout::Human(Style::Colour),
        Format::Json => Layout::Json,
    };
    let interactive = io::stdout().is_terminal();
    let schedule = only_schedule(&settings)?;
    let request = Request { source: &source, file: &shown, settings, schedule, filter, layout, interactive };
    let traced = trace(request, Box::new(anstream::stdout())).map_err(output_failure)?;
    if !traced.unseen.is_empty() {
        let wanted = traced.unseen.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        complain(&format!("no object was called {wanted} (there were: {})", traced.seen.join(", ")));
    }
    Ok(if traced.completed { Done::Clean } else { Done::Found })
}
