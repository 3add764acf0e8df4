//! `moonphase minimize`.

use std::io::Write;
use std::sync::atomic::Ordering;

use moonphase::campaign::folder::{try_to_write, write_atomically};
use moonphase::campaign::triage::{Listener, Triage};
use moonphase::limits::Limits;
use moonphase::oracle::Purpose;
use moonphase::settings::Settings;

use super::args::MinimizeArgs;
use super::fuzz::refuse_dangling;
use super::input::Input;
use super::progress::Line;
use super::{Done, Failure, print, stop_flag, worker_command};

pub fn main(args: &MinimizeArgs) -> Result<Done, Failure> {
    let input = Input::read(&args.file, &args.settings, &Settings::default())?;
    let settings = input.header.settings.clone();
    refuse_dangling(&settings)?;
    input.check_syntax()?;
    if let Some(path) = &args.output {
        try_to_write(path)?;
    }
    let schedules = settings.schedules.of_script();
    let stop = stop_flag()?;
    let mut line = Line::new();
    let tell = |shrinking| line.shrinking(shrinking);
    let listener = Listener(Some(&tell));
    let triage = Triage { command: worker_command()?, settings, limits: Limits::default(), stop, listener };
    let shown = &input.file;
    let ended = triage.examine(&input.source, Purpose::Detect)?;
    let Some(detected) = &ended.detected else {
        let untested = ended.untested(None).map(|untested| format!("; {untested}")).unwrap_or_default();
        note(&format!("{shown}: nothing found ({}), so there is nothing to shrink{untested}", triage.settings));
        return Ok(Done::Found);
    };
    if let Some(wanted) = input.header.findings.first()
        && wanted != detected.as_str()
    {
        note(&format!("{shown}: its header says '{wanted}', but it shows '{detected}'"));
        return Ok(Done::Found);
    }
    let triage = triage.with_schedule_of(&ended, &input.source, &schedules)?;
    let Some(shrunk) = triage.shrink(&input.shrinkable(), detected)? else {
        note(&format!("{shown}: '{detected}' does not show a second time"));
        return Ok(Done::Found);
    };
    line.clear();
    match &args.output {
        Some(path) => write_atomically(path, &shrunk.text)?,
        None => print(&shrunk.text)?,
    }
    note(&format!(
        "{detected}: {} code lines after {:.1} s and {} scripts judged{}",
        shrunk.lines,
        shrunk.time.as_secs_f64(),
        shrunk.calls,
        if stop.load(Ordering::Relaxed) { "; stopped before it was as small as it gets" } else { "" }
    ));
    Ok(Done::Clean)
}

/// Standard output may be the result, so remarks go elsewhere.
fn note(text: &str) {
    // A remark that cannot be printed is no failure.
    let _ = writeln!(anstream::stderr(), "moonphase: {text}");
}
