//! `moonphase check`.

use std::path::Path;

use moonphase::campaign::in_order;
use moonphase::campaign::job::Ended;
use moonphase::campaign::triage::Triage;
use moonphase::finding::Oracle;
use moonphase::limits::Limits;
use moonphase::oracle::Purpose;
use moonphase::report::Style;
use moonphase::settings::{self, Settings};
use moonphase_vm::Schedule;
use serde::{Serialize, Serializer};

use super::args::{CheckArgs, Format};
use super::fuzz::{jobs, json, refuse_dangling};
use super::input::Input;
use super::{Done, Failure, print, stop_flag, worker_command};

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
}

fn policy_field<S: Serializer>(settings: &Settings, serializer: S) -> Result<S::Ok, S::Error> {
    settings.fields(&[&settings::GC]).serialize(serializer)
}

pub fn main(args: &CheckArgs) -> Result<Done, Failure> {
    // Every file is read before one is run: a wrong name is known at once.
    let inputs = args
        .files
        .iter()
        .map(|path| Input::read(path, &args.settings).map(|input| (path.as_path(), input)))
        .collect::<Result<Vec<_>, _>>()?;
    for (_, input) in &inputs {
        refuse_dangling(&input.header.settings)?;
    }
    let look = if args.expect { expect } else { check };
    let mut results = Vec::new();
    in_order(
        &inputs,
        jobs(args.jobs),
        |(path, input)| look(path, input),
        |(text, result)| {
            results.push(result);
            if args.format == Format::Human { print(&text) } else { Ok(()) }
        },
    )?;
    let done = if args.expect {
        results.iter().all(|result| result.expected == Some(true))
    } else {
        results.iter().all(|result| result.findings.is_empty())
    };
    if args.format == Format::Json {
        print(&json(&Checked { schema: 1, version: env!("CARGO_PKG_VERSION"), files: results })?)?;
    }
    Ok(if done { Done::Clean } else { Done::Found })
}

fn triage(settings: Settings) -> Result<Triage<'static>, Failure> {
    Ok(Triage { command: worker_command()?, settings, limits: Limits::default(), stop: stop_flag()? })
}

/// What a run under these settings showed.
fn found(ended: &Ended, settings: &Settings) -> Option<Found> {
    let detected = ended.detected.as_ref()?;
    Some(Found {
        oracle: detected.oracle(),
        kind: detected.kind().name(),
        signature: detected.to_string(),
        settings: settings.clone(),
        schedule: ended.report.as_ref().and_then(|report| report.schedule.as_ref()).map(Schedule::to_string),
    })
}

/// Runs a file: what it shows, for people and as a result.
fn check(path: &Path, input: &Input) -> Result<(String, FileResult), Failure> {
    let file = path.display().to_string();
    let settings = &input.header.settings;
    let triage = triage(settings.clone())?;
    let ended = triage.examine(input.text.as_bytes(), Purpose::Detect)?;
    let text = match &ended.detected {
        None => format!("{file}: {}\n", quiet(&ended)),
        Some(detected) => {
            let schedules = settings.schedules.of_script();
            let triage = triage.with_schedule_of(&ended, input.text.as_bytes(), &schedules)?;
            let explanation = triage.explain(&input.text)?;
            let report = triage.page(&explanation, &input.text, &file, detected, Style::Colour);
            format!("{file}: {detected}\n\n{report}\n")
        }
    };
    let findings = found(&ended, settings).into_iter().collect();
    Ok((text, FileResult { file, expected: None, findings }))
}

fn quiet(ended: &Ended) -> String {
    match ended.report.as_ref().and_then(|report| report.inconclusive) {
        Some(reason) => format!("nothing found (inconclusive: {reason})"),
        None if ended.inconclusive => "nothing found (inconclusive: the reference did not come to an end)".to_owned(),
        None => "nothing found".to_owned(),
    }
}

/// Runs a file under its settings and under each policy that its header calls clean.
fn expect(path: &Path, input: &Input) -> Result<(String, FileResult), Failure> {
    let file = path.display().to_string();
    let header = &input.header;
    let mut findings = Vec::new();
    let mut complaints = Vec::new();
    let settings = &header.settings;
    let ended = triage(settings.clone())?.examine(input.text.as_bytes(), Purpose::Detect)?;
    let seen: Vec<&str> = ended.detected.iter().map(|detected| detected.as_str()).collect();
    if seen != header.findings {
        complaints.push(format!("gc {}: expected {}, found {}", settings.gc, list(&header.findings), list(&seen)));
    }
    findings.extend(found(&ended, settings));
    for &gc in &header.clean {
        let clean = Settings { gc, fault: None, ..settings.clone() };
        let ended = triage(clean.clone())?.examine(input.text.as_bytes(), Purpose::Detect)?;
        if let Some(detected) = &ended.detected {
            complaints.push(format!("gc {gc}: expected nothing, found {detected}"));
            findings.extend(found(&ended, &clean));
        } else if ended.inconclusive {
            complaints.push(format!("gc {gc}: {}", quiet(&ended)));
        }
    }
    let text = match complaints.as_slice() {
        [] => format!("{file}: as expected\n"),
        complaints => format!("{file}: {}\n", complaints.join("; ")),
    };
    Ok((text, FileResult { file, expected: Some(complaints.is_empty()), findings }))
}

fn list(signatures: &[impl AsRef<str>]) -> String {
    match signatures {
        [] => "nothing".to_owned(),
        _ => signatures.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "),
    }
}
