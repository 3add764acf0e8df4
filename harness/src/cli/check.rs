//! `moonphase check`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use moonphase::campaign::in_order;
use moonphase::campaign::job::{Ended, Untested};
use moonphase::campaign::triage::{Listener, Triage};
use moonphase::circumstance::Dependence;
use moonphase::engine::puc;
use moonphase::finding::Oracle;
use moonphase::known::Known;
use moonphase::limits::{LimitKind, Limits};
use moonphase::oracle::{CHUNK_NAME, Purpose};
use moonphase::outcome::End;
use moonphase::report::Style;
use moonphase::schedule::Schedules;
use moonphase::settings::{self, Settings};
use moonphase_vm::Schedule;
use serde::{Serialize, Serializer};

use super::args::{CheckArgs, Format};
use super::fuzz::{jobs, json, read_known, refuse_dangling, refuse_foreign};
use super::input::Input;
use super::options::SettingsArgs;
use super::{Done, Failure, complain, print, stop_flag, worker_command};

/// What `--format json` prints.
#[derive(Serialize)]
struct Checked {
    schema: u32,
    version: &'static str,
    files: Vec<FileResult>,
}

#[derive(Serialize)]
struct FileResult {
    file: String,
    /// Whether the file does what its header says; null where that was not asked.
    expected: Option<bool>,
    findings: Vec<Found>,
    /// How the script ended under the settings of its header; null where nobody knows.
    end: Option<Ending>,
    /// How many schedules were tried to find one that shows something; null where none was searched for.
    searched: Option<u64>,
    /// Whether the script was tested to its end, or shows something.
    complete: bool,
    /// What the output depends on, where correct Luas differ in it: from there on nothing was compared.
    depends: Option<Dependence>,
    /// Why it was not tested to its end.
    reason: Option<String>,
    /// Why the file was not run at all.
    error: Option<String>,
}

/// How a script ended.
#[derive(Serialize)]
struct Ending {
    /// `returned`, `exit`, `error`, `limit` or `died`.
    how: &'static str,
    /// The line of the error, where its message begins with one.
    line: Option<u32>,
    /// The message of the error, the status of the exit, the limit, or how the engine died.
    message: Option<String>,
}

#[derive(Serialize)]
struct Found {
    oracle: Oracle,
    kind: &'static str,
    signature: String,
    /// The policy that showed it, as `gc`.
    #[serde(flatten, serialize_with = "policy_field")]
    settings: Settings,
    /// The collector's schedule that was needed; null where the script alone was enough.
    schedule: Option<String>,
    /// Whether `--known` accepts it: then it counts for nothing.
    known: bool,
}

fn policy_field<S: Serializer>(settings: &Settings, serializer: S) -> Result<S::Ok, S::Error> {
    settings.fields(&[&settings::GC]).serialize(serializer)
}

/// What came of a file: the text for people, and the rest.
struct Report {
    text: String,
    result: FileResult,
    /// What could not be done with the file, for standard error.
    complaint: Option<String>,
    interrupted: bool,
}

pub fn main(args: &CheckArgs) -> Result<Done, Failure> {
    let known = args.known.as_deref().map(read_known).transpose()?.unwrap_or_default();
    // Flags that do not fit are known before anything runs.
    refuse_dangling(&args.settings.over(Settings::default())?)?;
    let stop = stop_flag()?;
    let mut reports = Vec::new();
    in_order(
        &args.files,
        jobs(args.jobs),
        |path| look(path, args, &known, stop),
        |report| {
            if let Some(complaint) = &report.complaint {
                complain(complaint);
            }
            let printed = if args.format == Format::Human { print(&report.text) } else { Ok(()) };
            reports.push(report);
            printed
        },
    )?;
    let done = done(&reports);
    if args.format == Format::Json {
        let files = reports.into_iter().map(|report| report.result).collect();
        print(&json(&Checked { schema: 1, version: env!("CARGO_PKG_VERSION"), files })?)?;
    }
    Ok(done)
}

/// What all files together come to. What was found has the first word, and then what was not tested.
fn done(reports: &[Report]) -> Done {
    let any = |of: fn(&Report) -> bool| reports.iter().any(of);
    let found = |report: &Report| match report.result.expected {
        Some(expected) => !expected,
        None => report.result.findings.iter().any(|found| !found.known),
    };
    let untested = |report: &Report| {
        let FileResult { error, expected, complete, .. } = &report.result;
        !report.interrupted && (error.is_some() || expected.is_none() && !complete)
    };
    if any(found) {
        Done::Found
    } else if any(untested) {
        Done::Untested
    } else if any(|report| report.interrupted) {
        Done::Interrupted
    } else {
        Done::Clean
    }
}

/// Runs a file, if it can be read and nobody wishes to stop.
fn look(path: &Path, args: &CheckArgs, known: &Known, stop: &'static AtomicBool) -> Result<Report, Failure> {
    if stop.load(Ordering::Relaxed) {
        let why = "not checked: stopped before its turn".to_owned();
        let file = path.display().to_string();
        let text = format!("{file}: {why}\n");
        return Ok(Report { text, result: FileResult::unread(file, why), complaint: None, interrupted: true });
    }
    let input = Input::read(path, &args.settings, &Settings::default());
    match input.and_then(|input| input.check_syntax().map(|()| input)) {
        Ok(input) if args.expect => expect(&input),
        Ok(input) => check(&input, &args.settings, known, args.time),
        Err(Failure::Usage(error)) => Ok(Report {
            text: String::new(),
            result: FileResult::unread(path.display().to_string(), error.clone()),
            complaint: Some(error),
            interrupted: false,
        }),
        Err(failure) => Err(failure),
    }
}

impl FileResult {
    fn unread(file: String, error: String) -> FileResult {
        FileResult {
            file,
            expected: None,
            findings: Vec::new(),
            end: None,
            searched: None,
            complete: false,
            depends: None,
            reason: None,
            error: Some(error),
        }
    }
}

fn triage(settings: Settings) -> Result<Triage<'static>, Failure> {
    Ok(Triage {
        command: worker_command()?,
        settings,
        limits: Limits::default(),
        stop: stop_flag()?,
        listener: Listener::default(),
    })
}

/// What a run under these settings showed.
fn found(ended: &Ended, settings: &Settings, known: &Known) -> Option<Found> {
    let detected = ended.detected.as_ref()?;
    Some(Found {
        oracle: detected.oracle(),
        kind: detected.kind().name(),
        signature: detected.to_string(),
        settings: settings.clone(),
        schedule: ended.report.as_ref().and_then(|report| report.schedule.as_ref()).map(Schedule::to_string),
        known: known.accepts(detected),
    })
}

fn ending(ended: &Ended) -> Option<Ending> {
    let report = ended.report.as_ref()?;
    let (how, line, message) = match &report.subject_end {
        End::Returned => ("returned", None, None),
        End::Error(message) => match puc::place(message, CHUNK_NAME) {
            Some((line, rest)) => ("error", Some(line), Some(rest.to_owned())),
            None => ("error", None, Some(message.clone())),
        },
        End::Exit(status) => ("exit", None, Some(status.to_string())),
        End::Limit(kind) => ("limit", None, Some(kind.to_string())),
        End::Died(how) => ("died", None, Some(how.clone())),
    };
    Some(Ending { how, line, message })
}

/// Runs a file: what it shows, if need be under a schedule that is searched for so long.
fn check(input: &Input, options: &SettingsArgs, known: &Known, time: Option<Duration>) -> Result<Report, Failure> {
    let file = &input.file;
    let mut triage = triage(input.settings().clone())?;
    let mut ended = triage.examine(&input.source, Purpose::Detect)?;
    let mut searched = None;
    if let (Some(time), None) = (time, &ended.detected) {
        refuse_foreign(&triage.settings, "check --time")?;
        let search = triage.search(&input.source, time)?;
        searched = Some(search.tried);
        if let Some((schedule, shown)) = search.found {
            triage.settings.schedules = Schedules::Only(schedule);
            ended = shown;
        }
    }
    let settings = &triage.settings;
    let tried = match (searched, settings.schedules.only()) {
        (None, _) => String::new(),
        (Some(tried), Some(schedule)) if ended.detected.is_some() => format!(
            " (under the schedule {schedule}, number {tried} of those that were tried; \
             `moonphase check --schedule {schedule} {file}` shows it again)"
        ),
        (Some(tried), _) => format!(" (nor under {tried} schedules)"),
    };
    let untested = ended.untested(input.header.fails.as_deref());
    let text = match (&ended.detected, &untested) {
        (Some(detected), _) if known.accepts(detected) => {
            format!("{file}: {detected} (known; nothing behind it was tested)\n")
        }
        (Some(detected), _) => {
            let schedules = settings.schedules.of_script();
            let triage = triage.with_schedule_of(&ended, &input.source, &schedules)?;
            let explanation = triage.explain(&input.source)?;
            let options = options.to_string();
            let report = triage.page(&explanation, &input.source, file, &options, detected, Style::Colour);
            format!("{file}: {detected}{tried}\n\n{report}\n")
        }
        (None, Some(untested)) => format!("{file}: {}{tried}\n", incomplete(untested, file, settings)),
        (None, None) => match ended.dependence() {
            None => format!("{file}: nothing found{tried}\n"),
            Some(what) => {
                format!("{file}: nothing found{tried}; output was compared in part, since it depends on {what}\n")
            }
        },
    };
    let result = FileResult {
        file: file.clone(),
        expected: None,
        findings: found(&ended, settings, known).into_iter().collect(),
        end: ending(&ended),
        searched,
        complete: untested.is_none(),
        depends: ended.dependence(),
        reason: untested.as_ref().map(Untested::to_string),
        error: None,
    };
    Ok(Report { text, result, complaint: None, interrupted: false })
}

/// What is said of a script that shows nothing and was not tested to its end.
fn incomplete(untested: &Untested, file: &str, settings: &Settings) -> String {
    let text = format!("nothing found, but not tested to its end: {untested}");
    match untested {
        Untested::Failed(_) => text + "; nothing behind that was tested",
        Untested::Stopped(LimitKind::Instructions) if settings.engine.is_ours() => {
            let Limits { instructions, .. } = Limits::default();
            format!("{text} ({instructions}); moonphase run --check barrier {file} has no limit")
        }
        Untested::Unended => format!("{text}; moonphase check --reference none {file} asks the VM alone"),
        _ => text,
    }
}

/// Runs a file under its settings and under each policy that its header calls clean.
fn expect(input: &Input) -> Result<Report, Failure> {
    let (file, header, known) = (&input.file, &input.header, Known::default());
    let mut findings = Vec::new();
    let mut complaints = Vec::new();
    let settings = input.settings();
    let fails = header.fails.as_deref();
    let ended = triage(settings.clone())?.examine(&input.source, Purpose::Detect)?;
    let (end, untested) = (ending(&ended), ended.untested(fails));
    let seen: Vec<&str> = ended.detected.iter().map(|detected| detected.as_str()).collect();
    if seen != header.findings {
        complaints.push(format!("gc {}: expected {}, found {}", settings.gc, list(&header.findings), list(&seen)));
    }
    complaints.extend(
        untested.as_ref().map(|untested| format!("gc {}: {}", settings.gc, incomplete(untested, file, settings))),
    );
    complaints.extend(ended.dependence().map(|what| format!("gc {}: the output depends on {what}", settings.gc)));
    if let (Some(message), None, None) = (fails, &ended.detected, &untested)
        && !ended.fails_with(message)
    {
        complaints.push(format!("gc {}: expected the error '{message}', but the script returned", settings.gc));
    }
    findings.extend(found(&ended, settings, &known));
    for &gc in &header.clean {
        let clean = Settings { gc, fault: None, ..settings.clone() };
        let ended = triage(clean.clone())?.examine(&input.source, Purpose::Detect)?;
        if let Some(detected) = &ended.detected {
            complaints.push(format!("gc {gc}: expected nothing, found {detected}"));
            findings.extend(found(&ended, &clean, &known));
        } else if let Some(untested) = ended.untested(fails) {
            complaints.push(format!("gc {gc}: {}", incomplete(&untested, file, &clean)));
        } else if let Some(what) = ended.dependence() {
            complaints.push(format!("gc {gc}: the output depends on {what}"));
        }
    }
    let text = match complaints.as_slice() {
        [] => format!("{file}: as expected\n"),
        complaints => format!("{file}: {}\n", complaints.join("; ")),
    };
    let result = FileResult {
        file: file.clone(),
        expected: Some(complaints.is_empty()),
        findings,
        end,
        searched: None,
        complete: untested.is_none(),
        depends: ended.dependence(),
        reason: untested.as_ref().map(Untested::to_string),
        error: None,
    };
    Ok(Report { text, result, complaint: None, interrupted: false })
}

fn list(signatures: &[impl AsRef<str>]) -> String {
    match signatures {
        [] => "nothing".to_owned(),
        _ => signatures.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "),
    }
}
