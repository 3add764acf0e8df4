//! What a case does to its worker process costs that case and nothing else.
//!
//! The workers of these tests are this test program again: it is run with the one test `worker_process` and an
//! environment variable that makes that test serve as a worker.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use moonphase::campaign::lane::{CaseEnd, Crash, IsolationError, IsolationOptions};
use moonphase::campaign::process::{Death, WorkerCommand};
use moonphase::campaign::protocol::CaseInput;
use moonphase::campaign::supervisor::{CaseSource, Control, Inputs, Isolated, Numbers, StoppedBy, Supervisor};
use moonphase::campaign::worker::{CaseRunner, serve};
use moonphase::engine::reference::ReferenceEngine;
use moonphase::engine::{Activity, Case, Engine, Role};
use moonphase::limits::Limits;
use moonphase::outcome::{End, LimitKind, Outcome};
use serde::{Deserialize, Serialize};

const ROLE: &str = "MOONPHASE_TEST_ROLE";

const SUBJECT: Activity = Activity::Run(Role::Subject);
const REFERENCE: Activity = Activity::Run(Role::Reference(0));

/// What the test's workers are told.
#[derive(Clone, Serialize, Deserialize)]
struct TestJob {
    limits: Limits,
    refuse: Option<String>,
    die_at_start: bool,
    /// A file that is not there before a worker was killed.
    marker: std::path::PathBuf,
}

impl Default for TestJob {
    fn default() -> Self {
        TestJob {
            limits: Limits { memory_bytes: 8 << 20, ..Limits::default() },
            refuse: None,
            die_at_start: false,
            marker: "/nonexistent/marker".into(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct TestReport {
    worker: u32,
    outcome: Outcome,
}

struct TestRunner {
    job: TestJob,
    engine: ReferenceEngine,
}

impl CaseRunner for TestRunner {
    type Job = TestJob;
    type Greeting = u32;
    type Report = TestReport;

    fn new(job: TestJob) -> Result<Self, String> {
        if job.die_at_start {
            panic!("no good start");
        }
        match job.refuse {
            Some(reason) => Err(reason),
            None => Ok(TestRunner { job, engine: ReferenceEngine::new() }),
        }
    }

    fn greeting(&self) -> u32 {
        std::process::id()
    }

    fn run(&mut self, case: &CaseInput, announce: &mut dyn FnMut(Activity)) -> TestReport {
        let source = match case {
            CaseInput::Number(number) => numbered_script(*number),
            CaseInput::Bytes(bytes) | CaseInput::Scheduled { text: bytes, .. } => {
                String::from_utf8_lossy(bytes).into_owned()
            }
        };
        announce(SUBJECT);
        match source.as_str() {
            "!abort" => std::process::abort(),
            "!panic" => panic!("the engine\nfell over"),
            "!exit" => std::process::exit(7),
            "!memory" => drop(std::hint::black_box(vec![1_u8; 3 << 30])),
            "!killed" => {
                let this = std::process::id().to_string();
                Command::new("kill").args(["-s", "KILL", &this]).status().unwrap();
            }
            "!killed once" if !self.job.marker.exists() => {
                fs::write(&self.job.marker, "").unwrap();
                std::process::Command::new("kill")
                    .args(["-s", "TERM", &std::process::id().to_string()])
                    .status()
                    .unwrap();
                thread::sleep(Duration::from_secs(10));
            }
            "!hang" => loop {
                thread::sleep(Duration::from_secs(1));
            },
            "!stray" => {
                println!("stray output");
                eprintln!("stray error");
                std::io::stdout().write_all(&[0; 100_000]).unwrap();
            }
            _ => {}
        }
        announce(REFERENCE);
        let source = if source == "!killed once" {
            "print('again')"
        } else if source.starts_with('!') {
            ""
        } else {
            &source
        };
        let outcome = self.engine.run(&Case::new(source.as_bytes(), "@case.lua"), &self.job.limits).outcome;
        TestReport { worker: std::process::id(), outcome }
    }
}

/// A few numbers are trouble, the others print themselves.
fn numbered_script(number: u64) -> String {
    match number % 1000 {
        77 => "!abort".to_owned(),
        500 => "!panic".to_owned(),
        501 => "!exit".to_owned(),
        _ => format!("print({number} * 2)"),
    }
}

/// Not a test of its own: what the processes run that the tests start.
#[test]
fn worker_process() {
    match std::env::var(ROLE).as_deref() {
        Ok("worker") => serve::<TestRunner>().unwrap(),
        Ok(path) => supervise_for_ever(Path::new(path)),
        Err(_) => {}
    }
}

fn command(role: &str) -> WorkerCommand {
    let mut command = WorkerCommand::current_executable(["--exact", "worker_process", "--nocapture"]).unwrap();
    command.env.push((ROLE.into(), role.into()));
    command
}

/// A supervisor whose workers may hang.
fn supervisor(jobs: usize) -> Supervisor {
    let options = IsolationOptions { deadline: Duration::from_secs(2), ..IsolationOptions::default() };
    Supervisor { command: command("worker"), options, jobs }
}

fn run(jobs: usize, source: impl CaseSource) -> Vec<(u64, CaseEnd<TestReport>)> {
    run_under(supervisor(jobs), source)
}

fn run_under(supervisor: Supervisor, source: impl CaseSource) -> Vec<(u64, CaseEnd<TestReport>)> {
    let mut ends = Vec::new();
    let stop = AtomicBool::new(false);
    let control = Control { stop: &stop, until: None };
    let stopped = supervisor.run(&TestJob::default(), source, control, |key, end| {
        ends.push((key, end));
        ControlFlow::Continue(())
    });
    assert_eq!(stopped.unwrap(), StoppedBy::Exhausted);
    ends
}

fn run_scripts(scripts: &[&str]) -> Vec<CaseEnd<TestReport>> {
    let inputs = scripts.iter().map(|script| script.as_bytes().to_vec()).collect();
    let ends = run(1, Inputs::new(inputs));
    let keys: Vec<u64> = ends.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, (0..scripts.len() as u64).collect::<Vec<_>>());
    ends.into_iter().map(|(_, end)| end).collect()
}

fn printed(end: &CaseEnd<TestReport>) -> String {
    match end {
        CaseEnd::Report(report) => {
            assert_eq!(report.outcome.end, End::Returned);
            String::from_utf8(report.outcome.lines.join(&b'\n')).unwrap()
        }
        CaseEnd::Died(crash) => panic!("died: {crash:?}"),
    }
}

fn crash(end: &CaseEnd<TestReport>) -> &Crash {
    match end {
        CaseEnd::Died(crash) => crash,
        CaseEnd::Report(report) => panic!("did not die: {report:?}"),
    }
}

#[test]
fn a_reference_that_loops_in_a_finalizer_costs_one_case() {
    let ends = run_scripts(&[
        "print(1)",
        "setmetatable({}, {__gc = function() while true do end end}) collectgarbage()",
        "print(2)",
    ]);
    assert_eq!((printed(&ends[0]), printed(&ends[2])), ("1".into(), "2".into()));
    assert_eq!(crash(&ends[1]).activity, REFERENCE);
    assert_eq!(crash(&ends[1]).end(), End::Limit(LimitKind::Time));
}

#[test]
fn a_reference_that_explodes_in_a_pattern_costs_one_case() {
    let ends =
        run_scripts(&["print(1)", "return string.find(string.rep('a', 200), string.rep('a-', 60) .. 'b')", "print(2)"]);
    assert_eq!((printed(&ends[0]), printed(&ends[2])), ("1".into(), "2".into()));
    assert_eq!(crash(&ends[1]).activity, REFERENCE);
    assert_eq!(crash(&ends[1]).end(), End::Limit(LimitKind::Time));
}

#[test]
fn a_reference_that_eats_memory_ends_at_its_limit() {
    let ends = run_scripts(&["local t = {} while true do t[#t + 1] = {} end", "return ('x'):rep(1 << 30)", "print(2)"]);
    for end in &ends[..2] {
        let CaseEnd::Report(report) = end else { panic!("{end:?}") };
        assert_eq!(report.outcome.end, End::Limit(LimitKind::Memory));
    }
    assert_eq!(printed(&ends[2]), "2");
}

#[test]
fn a_reference_that_dies_by_a_signal_costs_one_case() {
    // The third upvalue of this native function is its state, which it does not check.
    let crashes = "local next = string.gmatch('a', 'a') debug.setupvalue(next, 3, 1) next()";
    let ends = run_scripts(&["print(1)", crashes, "print(2)"]);
    assert_eq!((printed(&ends[0]), printed(&ends[2])), ("1".into(), "2".into()));
    assert_eq!(crash(&ends[1]).death, Death::Signal("SIGSEGV".into()));
    assert_eq!(crash(&ends[1]).end(), End::Died("SIGSEGV".into()));
    assert_eq!(crash(&ends[1]).activity, REFERENCE);
}

#[test]
fn a_panic_costs_one_case_and_its_message_is_known() {
    let ends = run_scripts(&["!panic", "print(1)"]);
    let crash = crash(&ends[0]);
    assert_eq!((crash.activity, &crash.death), (SUBJECT, &Death::Exit(101)));
    let (place, message) = crash.panic().unwrap();
    assert!(place.contains("isolation.rs:"), "{place}");
    assert_eq!(message, "the engine");
    assert!(crash.end().to_string().contains("the engine"), "{}", crash.end());
    assert_eq!(printed(&ends[1]), "1");
}

#[test]
fn an_engine_that_exits_or_passes_the_memory_cap_costs_one_case() {
    let ends = run_scripts(&["!exit", "!memory", "print(1)"]);
    assert_eq!(crash(&ends[0]).death, Death::Exit(7));
    assert_eq!(crash(&ends[1]).death, Death::Signal("SIGABRT".into()));
    assert!(crash(&ends[1]).stderr.contains("memory allocation"), "{}", crash(&ends[1]).stderr);
    assert_eq!(printed(&ends[2]), "1");
}

#[test]
fn a_case_whose_worker_is_killed_from_outside_is_run_again_a_few_times() {
    let ends = run_scripts(&["print(1)", "!killed", "print(2)"]);
    assert_eq!((printed(&ends[0]), printed(&ends[2])), ("1".into(), "2".into()));
    assert_eq!(crash(&ends[1]).death, Death::Signal("SIGKILL".into()));
    assert!(crash(&ends[1]).death.is_from_outside());

    let folder = tempfile::tempdir().unwrap();
    let job = TestJob { marker: folder.path().join("killed"), ..TestJob::default() };
    let Supervisor { command, options, .. } = supervisor(1);
    let mut isolated = Isolated::<TestReport>::new(command, options, &job).unwrap();
    let end = isolated.run_one(CaseInput::Bytes(b"!killed once".to_vec())).unwrap();
    assert_eq!(printed(&end), "again");
}

#[test]
fn stray_output_of_a_worker_does_no_harm() {
    let ends = run_scripts(&["!stray", "!abort", "print(1)"]);
    assert_eq!(printed(&ends[0]), "");
    assert_eq!(crash(&ends[1]).death, Death::Signal("SIGABRT".into()));
    assert_eq!(printed(&ends[2]), "1");
}

/// The part of an end that does not depend on which process ran the case.
type Comparable = (u64, Result<Outcome, (Activity, Death)>);

fn comparable(ends: Vec<(u64, CaseEnd<TestReport>)>) -> Vec<Comparable> {
    let part = |end: CaseEnd<TestReport>| match end {
        CaseEnd::Report(report) => Ok(report.outcome),
        CaseEnd::Died(crash) => Err((crash.activity, crash.death)),
    };
    ends.into_iter().map(|(key, end)| (key, part(end))).collect()
}

#[test]
fn ends_come_in_order_and_are_the_same_with_any_number_of_jobs() {
    // None of them hangs, however busy the machine is.
    let run = |jobs| {
        let supervisor = Supervisor { options: IsolationOptions::default(), ..supervisor(jobs) };
        comparable(run_under(supervisor, Numbers::new(400, 3000)))
    };
    let one = run(1);
    assert_eq!(one.iter().map(|(key, _)| *key).collect::<Vec<_>>(), (400..3400).collect::<Vec<_>>());
    assert_eq!(one.iter().filter(|(_, end)| end.is_err()).count(), 9);
    for jobs in [2, 3] {
        assert!(one == run(jobs), "{jobs} jobs");
    }
}

#[test]
fn a_hang_holds_up_the_order_but_not_the_other_lanes() {
    let mut scripts = vec![b"!hang".to_vec()];
    scripts.extend((0..50).map(|i| format!("print({i})").into_bytes()));
    let ends = run(2, Inputs::new(scripts));
    assert_eq!(crash(&ends[0].1).death, Death::Deadline);
    assert_eq!(crash(&ends[0].1).activity, SUBJECT);
    for (key, end) in &ends[1..] {
        assert_eq!(printed(end), (key - 1).to_string());
    }
}

#[test]
fn the_caller_can_break_off_at_a_case() {
    let stop = AtomicBool::new(false);
    let mut last = 0;
    let control = Control { stop: &stop, until: None };
    let stopped =
        supervisor(2).run(&TestJob::default(), Numbers::new(0, u64::MAX), control, |key, _: CaseEnd<TestReport>| {
            last = key;
            if key == 300 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
    assert_eq!((stopped.unwrap(), last), (StoppedBy::Caller, 300));
}

#[test]
fn time_and_the_stop_flag_end_a_run_and_what_was_done_is_delivered() {
    let stop = AtomicBool::new(false);
    for reason in [StoppedBy::Time, StoppedBy::Request] {
        let start = Instant::now();
        let until = (reason == StoppedBy::Time).then(|| start + Duration::from_millis(600));
        let mut keys = Vec::new();
        let control = Control { stop: &stop, until };
        let stopped = supervisor(2).run(
            &TestJob::default(),
            Numbers::new(0, u64::MAX),
            control,
            |key, _: CaseEnd<TestReport>| {
                keys.push(key);
                if reason == StoppedBy::Request && key == 200 {
                    stop.store(true, Ordering::Relaxed);
                }
                ControlFlow::Continue(())
            },
        );
        assert_eq!(stopped.unwrap(), reason);
        assert!(keys.len() > 100 && keys.is_sorted(), "{reason:?}: {}", keys.len());
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_job_that_is_refused_and_a_worker_that_cannot_start_are_errors() {
    let stop = AtomicBool::new(false);
    let control = Control { stop: &stop, until: None };
    let run = |supervisor: Supervisor, job: TestJob| {
        supervisor
            .run(&job, Numbers::new(0, 10), control, |_, _: CaseEnd<TestReport>| ControlFlow::Continue(()))
            .unwrap_err()
    };
    let refused = run(supervisor(2), TestJob { refuse: Some("no such engine".into()), ..TestJob::default() });
    assert_eq!(refused.to_string(), "no such engine");
    // Whoever does not understand its job says so.
    let error = Isolated::<TestReport>::new(command("worker"), supervisor(1).options, &"no job")
        .and_then(|mut isolated| isolated.run_one(CaseInput::Number(1)))
        .unwrap_err();
    assert!(error.to_string().starts_with("the worker does not understand its job: "), "{error}");
    let start = run(supervisor(1), TestJob { die_at_start: true, ..TestJob::default() });
    assert!(matches!(&start, IsolationError::Start { death: Death::Exit(101), .. }), "{start:?}");
    assert!(start.to_string().contains("no good start"), "{start}");
    let missing = WorkerCommand { program: "/nonexistent/moonphase".into(), args: Vec::new(), env: Vec::new() };
    let spawn = run(Supervisor { command: missing, ..supervisor(1) }, TestJob::default());
    assert!(matches!(spawn, IsolationError::Spawn(_)), "{spawn:?}");
}

#[test]
fn one_case_at_a_time_keeps_its_worker_until_it_dies() {
    let Supervisor { command, options, .. } = supervisor(1);
    let mut isolated = Isolated::<TestReport>::new(command, options, &TestJob::default()).unwrap();
    let mut run = |script: &str| isolated.run_one(CaseInput::Bytes(script.as_bytes().to_vec())).unwrap();
    let worker = |end: &CaseEnd<TestReport>| match end {
        CaseEnd::Report(report) => report.worker,
        CaseEnd::Died(crash) => panic!("{crash:?}"),
    };
    let first = run("print(1)");
    // An idle worker is not late.
    thread::sleep(Duration::from_millis(2200));
    assert_eq!(worker(&run("print(2)")), worker(&first));
    assert_eq!(crash(&run("!abort")).death, Death::Signal("SIGABRT".into()));
    assert_eq!(crash(&run("!hang")).death, Death::Deadline);
    let last = run("print(3)");
    assert_eq!(printed(&last), "3");
    assert_ne!(worker(&last), worker(&first));
    drop(isolated);
    assert!(!is_running(worker(&last)));
}

/// Supervises cases until killed, of which some hang, and writes the ids of its workers to a file.
fn supervise_for_ever(path: &Path) {
    let mut workers = BTreeMap::new();
    let supervisor = Supervisor { options: IsolationOptions::default(), ..supervisor(2) };
    let stop = AtomicBool::new(false);
    let mut scripts = vec![b"print(1)".to_vec(); 40];
    scripts.extend(vec![b"while true do string.find(('a'):rep(500), ('a-'):rep(90) .. 'b') end".to_vec(); 2]);
    let control = Control { stop: &stop, until: None };
    let _ = supervisor.run(&TestJob::default(), Inputs::new(scripts), control, |_, end: CaseEnd<TestReport>| {
        if let CaseEnd::Report(report) = end {
            workers.insert(report.worker, ());
            let text: String = workers.keys().map(|worker| format!("{worker}\n")).collect();
            fs::write(path.with_extension("new"), text).unwrap();
            fs::rename(path.with_extension("new"), path).unwrap();
        }
        ControlFlow::Continue(())
    });
}

/// Whether a process exists and is not just waiting to be reaped.
fn is_running(process: u32) -> bool {
    if Path::new("/proc/self/stat").exists() {
        // The state follows the name, which is in parentheses.
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        return stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'));
    }
    let ps = Command::new("ps").args(["-o", "stat=", "-p", &process.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&ps.stdout);
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_supervisor_killed_outright_leaves_no_worker_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("workers");
    let WorkerCommand { program, args, env } = command(path.to_str().unwrap());
    let mut supervisor =
        Command::new(program).args(args).envs(env).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let workers = || -> Vec<u32> {
        fs::read_to_string(&path).unwrap_or_default().lines().map(|line| line.parse().unwrap()).collect()
    };
    wait_until("two workers report", || workers().len() == 2);
    let workers = workers();
    assert!(workers.iter().all(|worker| is_running(*worker)));
    // Both are in a case that does not end by itself.
    thread::sleep(Duration::from_millis(300));
    supervisor.kill().unwrap();
    supervisor.wait().unwrap();
    wait_until("the workers are gone", || !workers.iter().any(|worker| is_running(*worker)));
}
