//! `moonphase faults`.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use moonphase::campaign::faults::{ByOracle, FaultCampaign, FaultResult, FaultsError};
use moonphase::fault::{self, Planted, UnknownFault};
use moonphase::limits::Limits;
use serde::Serialize;

use super::args::{FaultsArgs, Format};
use super::fuzz::{chosen_seed, jobs, json};
use super::progress::Line;
use super::{Done, Failure, print, stop_flag, worker_command};

/// What `--format json` prints.
#[derive(Serialize)]
struct Measured {
    schema: u32,
    version: &'static str,
    seed: u64,
    /// Cases at most for a fault.
    runs: u64,
    /// Cases at most for a fault and an oracle that works alone.
    oracle_cap: u64,
    /// `runs` or `interrupt`.
    stopped_by: &'static str,
    seconds: f64,
    faults: Vec<FaultResult>,
}

impl From<FaultsError<Failure>> for Failure {
    fn from(error: FaultsError<Failure>) -> Self {
        match error {
            FaultsError::Isolation(error) => error.into(),
            FaultsError::Setting(error) => error.into(),
            FaultsError::Refused(failure) => failure,
            other => Failure::Internal(other.to_string()),
        }
    }
}

pub fn main(args: &FaultsArgs) -> Result<Done, Failure> {
    if args.list {
        print(&fault::catalogue())?;
        return Ok(Done::Clean);
    }
    let all = Planted::of(&args.engine);
    if all.is_empty() {
        // Any name is answered by why our VM has none.
        let why = "".parse::<Planted>().err().as_ref().map(UnknownFault::to_string);
        let why = why.filter(|_| args.engine.is_ours());
        return Err(Failure::Usage(why.unwrap_or_else(|| format!("engine {} has no planted faults", args.engine))));
    }
    if let Some(other) = args.only.iter().find(|fault| !all.contains(fault)) {
        return Err(Failure::Usage(format!(
            "engine {} has no fault '{other}': try --engine {}",
            args.engine,
            other.engine()
        )));
    }
    if args.runs == 0 {
        return Err(Failure::Usage("nothing to do: --runs must be more than 0".to_owned()));
    }
    let chosen = |fault: &Planted| args.only.is_empty() || args.only.contains(fault);
    let faults: Vec<Planted> = all.into_iter().filter(chosen).collect();
    let campaign = FaultCampaign {
        command: worker_command()?,
        limits: Limits::default(),
        seed: args.seed.unwrap_or_else(chosen_seed),
        runs: args.runs,
        oracle_cap: args.oracle_cap,
        jobs: jobs(args.jobs),
    };
    let stop = stop_flag()?;
    let human = args.format == Format::Human;
    if human {
        print(&heading(&campaign))?;
    }
    let start = Instant::now();
    let mut line = Line::new();
    let (cases, measured) = (AtomicU64::new(0), AtomicU64::new(0));
    let ran = || {
        let cases = cases.fetch_add(1, Ordering::Relaxed) + 1;
        let measured = measured.load(Ordering::Relaxed);
        line.say(cases, |rate| format!("{measured} of {} faults, {cases} runs, {rate:.0} runs/s", faults.len()));
    };
    let mut results: Vec<FaultResult> = Vec::new();
    campaign.run(&faults, stop, &ran, |result| {
        let printed = if human { line.suspend(|| print(&row(&result))) } else { Ok(()) };
        measured.fetch_add(1, Ordering::Relaxed);
        results.push(result);
        printed
    })?;
    line.clear();
    let seconds = start.elapsed().as_secs_f64();
    let all_found = results.len() == faults.len() && results.iter().all(|result| result.found);
    let missed = results.iter().any(|result| !result.found);
    let interrupted = results.len() < faults.len();
    if human {
        print(&closing(&results, seconds, interrupted))?;
    } else {
        print(&json(&Measured {
            schema: 1,
            version: env!("CARGO_PKG_VERSION"),
            seed: campaign.seed,
            runs: campaign.runs,
            oracle_cap: campaign.oracle_cap,
            stopped_by: if interrupted { "interrupt" } else { "runs" },
            seconds,
            faults: results,
        })?)?;
    }
    Ok(if all_found {
        Done::Clean
    } else if missed {
        Done::Found
    } else {
        Done::Interrupted
    })
}

/// The head of the table, which is Markdown.
fn heading(campaign: &FaultCampaign) -> String {
    format!(
        "moonphase {}: planted faults, seed {}, at most {} cases, {} for an oracle alone, {} side by side\n\n\
         {}|{}\n",
        env!("CARGO_PKG_VERSION"),
        campaign.seed,
        campaign.runs,
        campaign.oracle_cap,
        campaign.jobs,
        cells("fault", "signature", ["cases", "seconds", "invariant", "dangling", "differential", "schedule"]),
        "---|".repeat(8),
    )
}

fn row(result: &FaultResult) -> String {
    let ByOracle { invariant, dangling, differential, schedule } = result.by;
    let count = |runs: Option<u64>| runs.map_or("-".to_owned(), |runs| runs.to_string());
    let signature = match &result.signature {
        Some(signature) => format!("`{signature}`"),
        None => "not found".to_owned(),
    };
    let seconds = format!("{:.2}", result.seconds);
    let numbers = [
        &result.runs.to_string(),
        &seconds,
        &count(invariant),
        &count(dangling),
        &count(differential),
        &count(schedule),
    ];
    cells(&format!("`{}`", result.fault), &signature, numbers.map(String::as_str))
}

fn cells(fault: &str, signature: &str, numbers: [&str; 6]) -> String {
    let mut row = format!("| {fault:<36} | {signature:<52} |");
    for (number, width) in numbers.into_iter().zip([5, 7, 9, 8, 12, 8]) {
        // Writing to a string cannot fail.
        let _ = write!(row, " {number:>width$} |");
    }
    row.push('\n');
    row
}

fn closing(results: &[FaultResult], seconds: f64, interrupted: bool) -> String {
    let mut runs: Vec<u64> = results.iter().filter(|result| result.found).map(|result| result.runs).collect();
    runs.sort_unstable();
    let mut text = format!("\n{} of {} found", runs.len(), results.len());
    if let (Some(median), Some(most)) = (runs.get(runs.len() / 2), runs.last()) {
        let _ = write!(text, ", after {median} cases in the median and {most} at most");
    }
    let alone = |of: fn(&ByOracle) -> Option<u64>| results.iter().filter(|result| of(&result.by).is_some()).count();
    let _ = writeln!(
        text,
        ", in {seconds:.0} s; by an oracle alone: invariant {}, dangling {}, differential {}, schedule {}",
        alone(|by| by.invariant),
        alone(|by| by.dangling),
        alone(|by| by.differential),
        alone(|by| by.schedule)
    );
    if interrupted {
        text.push_str("stopped before its end\n");
    }
    text
}
