//! `moonphase fuzz`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use moonphase::campaign::folder::{FindingsFolder, Standing};
use moonphase::campaign::fuzz::{Campaign, FindingSummary, Progress, Summary};
use moonphase::campaign::supervisor::StoppedBy;
use moonphase::campaign::triage::{Listener, Triage};
use moonphase::cases::Scripts;
use moonphase::coverage::CoverageSummary;
use moonphase::free::{self, CensusSummary};
use moonphase::known::Known;
use moonphase::language::Language;
use moonphase::limits::Limits;
use moonphase::schedule::Schedules;
use moonphase::settings::{CHECK, ENGINE, FAULT, GC, LUA, REFERENCE, SCHEDULE, Settings};
use moonphase_vm::{Schedule, System};

use super::args::{CasesArgs, Format, FuzzArgs};
use super::progress::Line;
use super::{Done, Failure, print, stop_flag, worker_command};

/// How long a campaign runs if nobody says.
const USUAL_TIME: Duration = Duration::from_secs(60);

pub fn main(args: &FuzzArgs) -> Result<Done, Failure> {
    let system = match args.cases.scripts {
        Scripts::Operations => System::None,
        Scripts::Free => System::Full,
    };
    let settings = args.settings.over(Settings { schedules: Schedules::Usual, system, ..Settings::default() })?;
    args.cases.refuse_what_free_scripts_lack(settings.lua)?;
    refuse_dangling(&settings)?;
    if args.runs == Some(0) || args.time == Some(Duration::ZERO) {
        return Err(Failure::Usage("nothing to do: --runs and --time must be more than 0".to_owned()));
    }
    // Whether the engine is to be had is known before anything runs; and what it adds to its language.
    let (command, stop) = (worker_command()?, stop_flag()?);
    let asking =
        Triage { command: command.clone(), settings, limits: Limits::default(), stop, listener: Listener::default() };
    let lua = asking.language()?;
    let settings = Settings { lua, ..asking.settings };
    let campaign = Campaign {
        command,
        settings,
        limits: Limits::default(),
        scripts: args.cases.scripts,
        seed: args.cases.seed.unwrap_or_else(chosen_seed),
        start: args.cases.start,
        runs: args.runs,
        time: args.time.or(if args.runs.is_none() { Some(USUAL_TIME) } else { None }),
        jobs: jobs(args.jobs),
        first: args.first,
        known: args.known.as_deref().map(read_known).transpose()?.unwrap_or_default(),
        findings: args.findings.clone(),
        disabled: args.cases.without.iter().copied().collect(),
    };
    // Known before anything is printed.
    FindingsFolder::open(&campaign.findings)?;
    let human = args.format == Format::Human;
    if human {
        print(&heading(&campaign))?;
    }
    let mut line = Line::new();
    let mut failure = None;
    let summary = campaign.run(stop, &mut |progress| {
        let printed = match progress {
            Progress::Counts(counts) => {
                line.show(counts);
                Ok(())
            }
            Progress::Shrinking(_, shrinking) => {
                line.shrinking(shrinking);
                Ok(())
            }
            Progress::Found(finding) if human => line.suspend(|| {
                print(&format!("found: {} (case {}, {:.1} s)\n", finding.signature, finding.run, finding.seconds))
            }),
            Progress::Explained(finding, report) if human => line.suspend(|| {
                let what = match (&finding.minimized, finding.minimized_lines) {
                    _ if finding.saved == Standing::Before => {
                        format!("found before, and left as it is: {}\n", finding.folder.display())
                    }
                    _ if finding.saved == Standing::Busy => {
                        format!("left to another campaign, which has found it too: {}\n", finding.folder.display())
                    }
                    (Some(path), Some(lines)) => format!(
                        "minimized to {lines} code lines in {:.1} s ({} scripts judged): {}\n",
                        finding.minimize_seconds.unwrap_or_default(),
                        finding.minimize_calls.unwrap_or_default(),
                        path.display()
                    ),
                    _ => format!("could not be minimized: {}\n", finding.script.display()),
                };
                print(&format!("{what}\n{report}\n"))
            }),
            _ => Ok(()),
        };
        if let Err(error) = printed {
            failure.get_or_insert(error);
            // A campaign that cannot tell what it finds has no use.
            stop.store(true, Ordering::Relaxed);
        }
    })?;
    line.clear();
    if let Some(failure) = failure {
        return Err(failure);
    }
    match args.format {
        Format::Human => print(&closing(&summary))?,
        Format::Json => print(&json(&summary)?)?,
    }
    Ok(done(&summary))
}

/// What a campaign comes to.
fn done(summary: &Summary) -> Done {
    if !summary.findings.is_empty() {
        Done::Found
    } else if summary.stopped_by == StoppedBy::Request {
        Done::Interrupted
    } else if summary.inconclusive == summary.runs {
        Done::Untested
    } else {
        Done::Clean
    }
}

/// Dangling references can only be allowed where nothing looks at them.
pub fn refuse_dangling(settings: &Settings) -> Result<(), Failure> {
    if settings.allow_dangling && settings.check.level().is_some() {
        return Err(Failure::Usage("--allow-dangling needs --check off".to_owned()));
    }
    Ok(())
}

/// The schedule for what runs a script once.
pub fn only_schedule(settings: &Settings) -> Result<Schedule, Failure> {
    let several = || Failure::Usage(format!("a script runs under one schedule, not '{}'", settings.schedules));
    settings.schedules.only().cloned().ok_or_else(several)
}

pub fn jobs(given: Option<u16>) -> usize {
    match given {
        Some(jobs) => jobs as usize,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

pub fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|error| Failure::Internal(format!("cannot write JSON: {error}")))
}

impl CasesArgs {
    /// Free scripts have no operations that could be left out, and one language.
    pub fn refuse_what_free_scripts_lack(&self, language: Language) -> Result<(), Failure> {
        if self.scripts != Scripts::Free {
            return Ok(());
        }
        if !self.without.is_empty() {
            return Err(Failure::Usage("--without names operations, which free scripts do not have".to_owned()));
        }
        if language != free::LANGUAGE {
            let known = free::LANGUAGE;
            return Err(Failure::Usage(format!(
                "free scripts are not written in Lua {language} (they are in {known})"
            )));
        }
        Ok(())
    }
}

/// A seed that is not that of the campaign before.
pub fn chosen_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Short enough to be typed again.
    (now.as_nanos() as u64 ^ u64::from(std::process::id())).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

/// Reads a file of accepted signatures.
pub fn read_known(path: &Path) -> Result<Known, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| Failure::Usage(format!("cannot read {shown}: {error}")))?;
    Known::parse(&text).map_err(|error| Failure::Usage(format!("{shown}: {error}")))
}

fn heading(campaign: &Campaign) -> String {
    let settings = [&ENGINE, &LUA, &GC, &CHECK, &SCHEDULE, &REFERENCE, &FAULT].into_iter().filter_map(|setting| {
        let text = setting.text(&campaign.settings)?;
        Some(format!("{} {text}", setting.name))
    });
    format!(
        "moonphase {}: {}, seed {}, {} job{}\n",
        env!("CARGO_PKG_VERSION"),
        settings.collect::<Vec<_>>().join(", "),
        campaign.seed,
        campaign.jobs,
        if campaign.jobs == 1 { "" } else { "s" }
    )
}

/// Refuses what a command does with our own VM alone.
pub fn refuse_foreign(settings: &Settings, command: &str) -> Result<(), Failure> {
    if settings.engine.is_ours() {
        return Ok(());
    }
    Err(Failure::Usage(format!("{command} knows our own VM alone, and no engine '{}'", settings.engine)))
}

/// How many missing states are named; JSON has them all.
const NAMED: usize = 8;

/// `1200 of 1210 states covered; missing: table-list sweep-all gray->black, and 9 more`
fn states(coverage: &CoverageSummary) -> String {
    let CoverageSummary { covered, reachable, missing } = coverage;
    let mut text = format!("{covered} of {reachable} states covered");
    let (named, others) = missing.split_at(missing.len().min(NAMED));
    if !named.is_empty() {
        text.push_str(&format!("; missing: {}", named.join(", ")));
    }
    if !others.is_empty() {
        text.push_str(&format!(", and {} more", others.len()));
    }
    text + "\n"
}

/// `154 of 154 library functions called, string.rep least (12 times)`, and the same of operators.
fn uses(census: &CensusSummary) -> String {
    let line = |counts: &BTreeMap<String, u64>, what: &str| {
        let used = counts.values().filter(|&&count| count > 0).count();
        let least = counts.iter().min_by_key(|(_, count)| **count);
        let least = least.map(|(name, count)| format!("{name} least ({count} times)")).unwrap_or_default();
        format!("{used} of {} {what}, {least}\n", counts.len())
    };
    line(&census.functions, "library functions called") + &line(&census.operators, "operators on types applied")
}

fn closing(summary: &Summary) -> String {
    let runs = summary.runs.max(1) as f64;
    let mut text = format!(
        "{} cases in {:.1} s ({:.0} a second), {} engine runs, {} inconclusive ({:.2}%), {} ended with an error{}\n{}",
        summary.runs,
        summary.seconds,
        summary.runs_per_second,
        summary.executions,
        summary.inconclusive,
        summary.inconclusive as f64 * 100.0 / runs,
        summary.failed,
        if summary.known > 0 { format!(", {} known", summary.known) } else { String::new() },
        summary.coverage.as_ref().map(states).unwrap_or_default()
            + &summary.census.as_ref().map(uses).unwrap_or_default()
    );
    if summary.stopped_by == StoppedBy::Request {
        text.push_str("stopped before its end\n");
    }
    if [StoppedBy::Request, StoppedBy::Time].contains(&summary.stopped_by) {
        let words: Vec<OsString> = std::env::args_os().skip(2).collect();
        text.push_str(&format!("to go on: {}\n", continuation(&words, summary)));
    }
    match summary.findings.len() {
        0 if summary.runs == 0 => text.push_str("nothing tested: no case came to its end\n"),
        0 if summary.inconclusive == summary.runs => text.push_str("nothing tested: no case could be compared\n"),
        0 => text.push_str("nothing found\n"),
        1 => text.push_str("1 finding:\n"),
        count => text.push_str(&format!("{count} findings:\n")),
    }
    text + &listed(&summary.findings)
}

/// The findings, those with one cause together: one a line, with the file to look at.
fn listed(findings: &[FindingSummary]) -> String {
    let mut text = String::new();
    let mut causes: Vec<&str> = Vec::new();
    for finding in findings {
        if !causes.contains(&finding.cause.as_str()) {
            causes.push(&finding.cause);
        }
    }
    for cause in causes {
        let of_cause: Vec<_> = findings.iter().filter(|finding| finding.cause == cause).collect();
        let indent = if of_cause.len() > 1 { "    " } else { "  " };
        if of_cause.len() > 1 {
            text.push_str(&format!("  {} of one cause:\n", of_cause.len()));
        }
        for FindingSummary { signature, run, minimized, script, .. } in of_cause {
            let path = minimized.as_ref().unwrap_or(script).display();
            text.push_str(&format!("{indent}{signature} (case {run}): {path}\n"));
        }
    }
    text
}

/// The command that goes on where a campaign was stopped. `words` are those of its own, behind `fuzz`.
fn continuation(words: &[OsString], summary: &Summary) -> String {
    let mut text = "moonphase fuzz".to_owned();
    let mut words = words.iter().map(|word| word.to_string_lossy());
    let mut left = None;
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word.clone().into_owned(), None),
        };
        match name.as_str() {
            "--start" | "--seed" if value.is_none() => drop(words.next()),
            "--start" | "--seed" => {}
            "--runs" => {
                let runs = value.or_else(|| words.next().map(Cow::into_owned)).and_then(|runs| runs.parse().ok());
                left = runs.map(|runs: u64| runs.saturating_sub(summary.next - summary.start));
            }
            _ => text.push_str(&format!(" {}", quoted(&word))),
        }
    }
    if let Some(left) = left {
        text.push_str(&format!(" --runs {left}"));
    }
    text + &format!(" --seed {} --start {}", summary.seed, summary.next)
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./=,:+@%".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
