//! A campaign: generate, run, compare, check; save and shrink what is found.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use moonphase_vm::Schedule;
use moonphase_vm::syntax::code_lines;
use serde::{Serialize, Serializer};

use super::folder::{FindingFolder, FindingsFolder, FolderError, Standing};
use super::job::{Ended, Job};
use super::process::{Death, WorkerCommand};
use super::supervisor::{Control, Numbers, StoppedBy, Supervisor};
use super::triage::{Listener, Shrinking, Triage, TriageError, isolation};
use crate::cases::{Generated, Generator, Scripts};
use crate::coverage::{Coverage, CoverageSummary};
use crate::engine;
use crate::finding::{FindingKind, Oracle, Signature};
use crate::free::{Census, CensusSummary};
use crate::known::Known;
use crate::limits::Limits;
use crate::minimize::Shrinkable;
use crate::oracle::{Purpose, Times};
use crate::outcome::End;
use crate::report::Style;
use crate::script::OpKind;
use crate::settings::{self, Settings};

/// What a campaign is to do.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// How to start a worker.
    pub command: WorkerCommand,
    /// How cases are run.
    pub settings: Settings,
    /// What they may use.
    pub limits: Limits,
    /// What the generator makes.
    pub scripts: Scripts,
    /// Its seed.
    pub seed: u64,
    /// Number of the first case.
    pub start: u64,
    /// How many cases at most.
    pub runs: Option<u64>,
    /// For how long at most.
    pub time: Option<Duration>,
    /// Worker processes.
    pub jobs: usize,
    /// Whether to stop at the first finding.
    pub first: bool,
    /// Signatures that are accepted.
    pub known: Known,
    /// Where findings go.
    pub findings: PathBuf,
    /// Operations that the generator must not use.
    pub disabled: BTreeSet<OpKind>,
}

/// What is told while a campaign runs.
pub enum Progress<'a> {
    /// So far.
    Counts(&'a Counts),
    /// Something new was found, and its script is saved.
    Found(&'a FindingSummary),
    /// A finding is being shrunk.
    Shrinking(&'a FindingSummary, Shrinking),
    /// A finding has been shrunk and explained; the report in colour.
    Explained(&'a FindingSummary, &'a str),
}

/// Figures of a campaign.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Cases run.
    pub runs: u64,
    /// Engine runs.
    pub executions: u64,
    /// Cases whose outcomes could not be compared.
    pub inconclusive: u64,
    /// Cases whose script ended with an error: nothing behind that was tested.
    pub failed: u64,
    /// Cases that showed an accepted signature: nothing behind that was tested.
    pub known: u64,
    /// Distinct findings.
    pub findings: usize,
    /// States of the collector that stores have met.
    pub covered: usize,
    /// Those that they can meet.
    pub reachable: usize,
}

/// How a campaign went; what `--format json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Version of this format.
    pub schema: u32,
    /// Version of Moonphase.
    pub version: &'static str,
    /// What was generated.
    pub scripts: Scripts,
    /// Seed of the generator.
    pub seed: u64,
    /// Number of the first case.
    pub start: u64,
    /// Language, collector's rules and what was wrong with the collector on purpose: `lua`, `gc`, `fault`.
    #[serde(flatten, serialize_with = "campaign_fields")]
    pub settings: Settings,
    /// Whom the VM was compared with.
    pub reference: ReferenceSummary,
    /// Cases run.
    pub runs: u64,
    /// Engine runs.
    pub executions: u64,
    /// Cases whose outcomes could not be compared.
    pub inconclusive: u64,
    /// Cases whose script ended with an error: nothing behind that was tested.
    pub failed: u64,
    /// Cases that showed an accepted signature: nothing behind that was tested.
    pub known: u64,
    /// The case with which another campaign goes on: the first one that was not run.
    pub next: u64,
    /// Which states of the collector stores have met, of those that they can meet under the policy; null for free programs.
    pub coverage: Option<CoverageSummary>,
    /// What free programs were sure to do; null for operations.
    pub census: Option<CensusSummary>,
    /// `runs`, `time`, `first` or `interrupt`.
    #[serde(serialize_with = "reason")]
    pub stopped_by: StoppedBy,
    /// From the start to the end, seconds.
    pub seconds: f64,
    /// Cases a second, while cases ran.
    pub runs_per_second: f64,
    /// Where the time went, summed over workers.
    pub seconds_in: SecondsIn,
    /// What was found.
    pub findings: Vec<FindingSummary>,
}

/// A reference, for the summary.
#[derive(Clone, Debug, Serialize)]
pub struct ReferenceSummary {
    /// As on the command line.
    pub name: String,
    /// Its exact version; null without a reference.
    pub version: Option<String>,
}

/// Seconds of all workers together.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[allow(missing_docs)]
pub struct SecondsIn {
    pub generate: f64,
    pub vm: f64,
    pub check: f64,
    pub reference: f64,
    pub compare: f64,
    pub minimize: f64,
}

/// A finding, for the summary and its own file.
#[derive(Clone, Debug, Serialize)]
pub struct FindingSummary {
    /// Who spoke.
    pub oracle: Oracle,
    /// The first word of the signature.
    #[serde(serialize_with = "crate::text::serialize")]
    pub kind: FindingKind,
    /// The signature.
    pub signature: String,
    /// What findings with one cause have in common: the site and the holder, whatever is stored.
    pub cause: String,
    /// Number of the first case that showed it.
    pub run: u64,
    /// The collector's schedule that was needed; null where the script alone was enough.
    #[serde(with = "crate::text::option")]
    pub schedule: Option<Schedule>,
    /// From the start to the detection.
    pub seconds: f64,
    /// Its folder.
    pub folder: PathBuf,
    /// What became of the folder: it is `new`, was `completed`, was there `before`, or another campaign is `busy` with it.
    pub saved: Standing,
    /// The script as generated.
    pub script: PathBuf,
    /// The script as shrunk; null where that failed.
    pub minimized: Option<PathBuf>,
    /// Its code lines.
    pub minimized_lines: Option<usize>,
    /// How long shrinking took.
    pub minimize_seconds: Option<f64>,
    /// How many scripts were judged for it.
    pub minimize_calls: Option<u64>,
}

/// `finding.json`: the finding with what is needed to repeat it.
#[derive(Serialize)]
struct FindingFile<'a> {
    schema: u32,
    version: &'static str,
    #[serde(flatten, serialize_with = "finding_fields")]
    settings: &'a Settings,
    seed: u64,
    #[serde(flatten)]
    finding: &'a FindingSummary,
}

fn reason<S: Serializer>(stopped: &StoppedBy, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match stopped {
        StoppedBy::Exhausted => "runs",
        StoppedBy::Time => "time",
        StoppedBy::Caller => "first",
        StoppedBy::Request => "interrupt",
    })
}

fn campaign_fields<S: Serializer>(settings: &Settings, serializer: S) -> Result<S::Ok, S::Error> {
    settings.fields(&[&settings::LUA, &settings::GC, &settings::FAULT]).serialize(serializer)
}

fn finding_fields<S: Serializer>(settings: &Settings, serializer: S) -> Result<S::Ok, S::Error> {
    settings.fields(&[&settings::LUA, &settings::GC, &settings::CHECK, &settings::FAULT]).serialize(serializer)
}

const SCHEMA: u32 = 1;
const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Campaign {
    /// Runs the campaign. What happens on the way goes to `progress`; `stop` ends it in order.
    ///
    /// # Errors
    /// Workers do not work, or a finding cannot be written down.
    pub fn run(&self, stop: &AtomicBool, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Summary, TriageError> {
        let start = Instant::now();
        let folder = FindingsFolder::open(&self.findings)?;
        let job = Job {
            settings: self.settings.clone(),
            limits: self.limits,
            scripts: self.scripts,
            seed: self.seed,
            disabled: self.disabled.clone(),
            purpose: Purpose::Detect,
            alone: None,
            controlled: false,
        };
        let supervisor = Supervisor {
            command: self.command.clone(),
            options: isolation(&self.settings, &self.limits),
            jobs: self.jobs,
        };
        let source = Numbers::new(self.start, self.runs.unwrap_or(u64::MAX));
        let control = Control { stop, until: self.time.map(|time| start + time) };
        let mut state = State {
            campaign: self,
            start,
            folder,
            stop,
            progress,
            counts: Counts::default(),
            coverage: Coverage::new(&self.settings.gc),
            census: Census::default(),
            times: Times::default(),
            minimizing: Duration::ZERO,
            seen: BTreeSet::new(),
            findings: Vec::new(),
            next: self.start,
            unreported: Duration::ZERO,
            waiting: Vec::new(),
            failure: None,
        };
        let stopped = supervisor.run(&job, source, control, |case, end| state.case_ended(case, end.into()))?;
        let running = start.elapsed();
        if let Some(failure) = state.failure {
            return Err(failure);
        }
        // With `--first` a finding is looked into when nothing runs beside it.
        for waiting in std::mem::take(&mut state.waiting) {
            state.look_into(waiting)?;
        }
        let counts = state.counts;
        let times = state.times;
        // Workers go on while a finding is looked into, but not for ever: what they did then took its time, too.
        let Times { generate, vm, check, reference, compare } = times;
        let busy = generate + vm + check + reference + compare + state.unreported.as_secs_f64();
        let minimizing = if self.first { Duration::ZERO } else { state.minimizing };
        let running = running.saturating_sub(minimizing).as_secs_f64().max(busy / self.jobs.max(1) as f64);
        Ok(Summary {
            schema: SCHEMA,
            version: VERSION,
            scripts: self.scripts,
            seed: self.seed,
            start: self.start,
            settings: self.settings.clone(),
            reference: ReferenceSummary {
                name: self.settings.reference.to_string(),
                version: engine::open_references(&self.settings).first().map(|reference| reference.version()),
            },
            runs: counts.runs,
            executions: counts.executions,
            inconclusive: counts.inconclusive,
            failed: counts.failed,
            known: counts.known,
            next: state.next,
            coverage: (self.scripts == Scripts::Operations && self.settings.engine.is_ours())
                .then(|| state.coverage.summary()),
            census: (self.scripts == Scripts::Free).then(|| state.census.summary()),
            stopped_by: stopped,
            seconds: start.elapsed().as_secs_f64(),
            runs_per_second: counts.runs as f64 / running.max(1e-9),
            seconds_in: SecondsIn {
                generate: times.generate,
                vm: times.vm,
                check: times.check,
                reference: times.reference,
                compare: times.compare,
                minimize: state.minimizing.as_secs_f64(),
            },
            findings: state.findings,
        })
    }

    fn generator(&self) -> Generator {
        Generator::new(self.scripts, self.seed, self.settings.lua, self.disabled.clone())
    }
}

/// A campaign on its way.
struct State<'a> {
    campaign: &'a Campaign,
    start: Instant,
    folder: FindingsFolder,
    stop: &'a AtomicBool,
    progress: &'a mut dyn FnMut(Progress<'_>),
    counts: Counts,
    coverage: Coverage,
    census: Census,
    times: Times,
    minimizing: Duration,
    seen: BTreeSet<String>,
    findings: Vec<FindingSummary>,
    /// The first case that has not ended.
    next: u64,
    /// What cases took that no worker has reported.
    unreported: Duration,
    waiting: Vec<Waiting>,
    failure: Option<TriageError>,
}

/// A finding that is saved and not looked into yet.
struct Waiting {
    detected: Signature,
    /// How it was found, with the schedule that it took.
    settings: Settings,
    shrinkable: Shrinkable,
    /// The text of `original.lua`.
    original: Vec<u8>,
    folder: FindingFolder,
    summary: FindingSummary,
}

impl State<'_> {
    fn case_ended(&mut self, case: u64, ended: Ended) -> ControlFlow<()> {
        self.counts.runs += 1;
        self.next += u64::from(case == self.next);
        self.counts.inconclusive += u64::from(ended.inconclusive);
        if let Some(report) = &ended.report {
            self.counts.executions += u64::from(report.executions);
            self.counts.failed += u64::from(matches!(report.subject_end, End::Error(_)));
            self.times.add(&report.times);
            self.coverage.add(&report.cells);
            self.census.add(&report.uses);
        } else {
            self.counts.executions += 1;
            if ended.crash.as_ref().is_some_and(|crash| crash.death == Death::Deadline) {
                self.unreported += isolation(&self.campaign.settings, &self.campaign.limits).deadline;
            }
        }
        self.counts.covered = self.coverage.covered();
        self.counts.reachable = self.coverage.reachable();
        let mut flow = ControlFlow::Continue(());
        if let Some(detected) = &ended.detected {
            let accepted = self.campaign.known.accepts(detected);
            self.counts.known += u64::from(accepted);
            if !accepted && self.seen.insert(detected.to_string()) {
                flow = self.found(case, detected, &ended);
            }
        }
        (self.progress)(Progress::Counts(&self.counts));
        flow
    }

    fn found(&mut self, case: u64, detected: &Signature, ended: &Ended) -> ControlFlow<()> {
        self.counts.findings += 1;
        let seconds = self.start.elapsed().as_secs_f64();
        let waiting = match self.save(case, detected, ended, seconds) {
            Ok(waiting) => waiting,
            Err(failure) => {
                self.failure = Some(failure);
                return ControlFlow::Break(());
            }
        };
        (self.progress)(Progress::Found(&waiting.summary));
        if self.campaign.first {
            self.waiting.push(waiting);
            return ControlFlow::Break(());
        }
        match self.look_into(waiting) {
            Ok(()) => ControlFlow::Continue(()),
            Err(failure) => {
                self.failure = Some(failure);
                ControlFlow::Break(())
            }
        }
    }

    fn save(&mut self, case: u64, detected: &Signature, ended: &Ended, seconds: f64) -> Result<Waiting, TriageError> {
        let Generated { text, shrinkable, .. } = self.campaign.generator().case(case);
        let schedules = self.campaign.settings.schedules.of_case(self.campaign.seed, case);
        let triage = self.triage();
        let triage = triage.with_schedule_of(ended, text.as_bytes(), &schedules)?;
        let settings = triage.settings.clone();
        let original = triage.with_header(text.as_bytes(), detected);
        let folder = self.folder.add(detected, &settings, &original).map_err(unsaved(detected, case))?;
        let summary = FindingSummary {
            oracle: detected.oracle(),
            kind: detected.kind(),
            signature: detected.to_string(),
            cause: detected.cause().to_owned(),
            run: case,
            schedule: settings.schedules.one().cloned(),
            seconds,
            folder: folder.path().to_owned(),
            saved: folder.standing(),
            script: folder.path_of("original.lua"),
            minimized: None,
            minimized_lines: None,
            minimize_seconds: None,
            minimize_calls: None,
        };
        Ok(Waiting { detected: detected.clone(), settings, shrinkable, original, folder, summary })
    }

    fn look_into(&mut self, waiting: Waiting) -> Result<(), TriageError> {
        let Waiting { detected, settings, shrinkable, original, folder, mut summary } = waiting;
        if folder.is_of_another() {
            self.tell_of_another(&folder, summary);
            return Ok(());
        }
        let start = Instant::now();
        let mut triage = Triage { settings, ..self.triage() };
        let shrunk = {
            let progress = RefCell::new(&mut self.progress);
            let tell = |shrinking| (progress.borrow_mut())(Progress::Shrinking(&summary, shrinking));
            Triage { listener: Listener(Some(&tell)), ..triage.clone() }.shrink(&shrinkable, &detected)?
        };
        let unsaved = || unsaved(&detected, summary.run);
        let (text, path) = match &shrunk {
            Some(shrunk) => {
                folder.write("minimized.lua", &shrunk.text).map_err(unsaved())?;
                let path = folder.path_of("minimized.lua");
                summary.minimized = Some(path.clone());
                summary.minimized_lines = Some(shrunk.lines);
                summary.minimize_seconds = Some(shrunk.time.as_secs_f64());
                summary.minimize_calls = Some(shrunk.calls);
                triage.settings = shrunk.settings.clone();
                (shrunk.text.clone().into_bytes(), path)
            }
            None => (original, folder.path_of("original.lua")),
        };
        let file = shown(&path);
        let explanation = triage.explain(&text)?;
        let page = |style| triage.page(&explanation, &text, &file, "", &detected, style);
        folder.write("report.txt", page(Style::Plain)).map_err(unsaved())?;
        let colourful = page(Style::Colour);
        let json = serde_json::to_string_pretty(&FindingFile {
            schema: SCHEMA,
            version: VERSION,
            settings: &self.campaign.settings,
            seed: self.campaign.seed,
            finding: &summary,
        });
        // Paths are the only thing that JSON may refuse, where they are not Unicode.
        if let Ok(json) = json {
            folder.write("finding.json", json + "\n").map_err(unsaved())?;
        }
        self.minimizing += start.elapsed();
        (self.progress)(Progress::Explained(&summary, &colourful));
        self.findings.push(summary);
        Ok(())
    }
}

impl<'a> State<'a> {
    fn triage(&self) -> Triage<'a> {
        Triage {
            command: self.campaign.command.clone(),
            settings: self.campaign.settings.clone(),
            limits: self.campaign.limits,
            stop: self.stop,
            listener: Listener::default(),
        }
    }
}

impl State<'_> {
    /// A finding whose folder another campaign has written, or writes now: what is there is told.
    fn tell_of_another(&mut self, folder: &FindingFolder, mut summary: FindingSummary) {
        let minimized = folder.path_of("minimized.lua");
        if let Ok(text) = fs::read(&minimized) {
            let chunk = self.campaign.settings.lua.parse(&text, b"=minimized");
            summary.minimized_lines = chunk.ok().map(|chunk| code_lines(&chunk));
            summary.minimized = Some(minimized);
        }
        let report = fs::read(folder.path_of("report.txt")).unwrap_or_default();
        (self.progress)(Progress::Explained(&summary, &String::from_utf8_lossy(&report)));
        self.findings.push(summary);
    }
}

/// What a finding that cannot be saved makes of the reason.
fn unsaved(detected: &Signature, case: u64) -> impl FnOnce(FolderError) -> TriageError + use<> {
    let signature = detected.to_string();
    move |source| TriageError::Unsaved { signature, case, source }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
