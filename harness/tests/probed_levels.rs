//! The usual check of a C Lua looks at a small part of what `full` looks at, and reports the same: on generated cases, most of them
//! with a planted fault, both see the same first violation at the same tick, or none.
//!
//! `LEVELS_CASES` is for more cases with each fault, `LEVELS_FAULT` for the faults with this word in their names alone.
#![cfg(all(target_os = "linux", feature = "faults"))]

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use moonphase::campaign::job::{CaseReport, Job};
use moonphase::campaign::lane::CaseEnd;
use moonphase::campaign::process::WorkerCommand;
use moonphase::campaign::supervisor::{Control, Numbers, Supervisor};
use moonphase::campaign::triage::isolation;
use moonphase::cases::Scripts;
use moonphase::engine::EngineName;
use moonphase::fault::Planted;
use moonphase::finding::Oracle;
use moonphase::limits::Limits;
use moonphase::oracle::Purpose;
use moonphase::report::Explanation;
use moonphase::schedule::Schedules;
use moonphase::settings::{Check, Settings};
use moonphase_invariants::Level;

/// Cases with each fault. As many as there are faults are run without any.
const CASES: u64 = 3;

/// What is seen first in each case from some number on, or how the process ended.
fn ends(settings: &Settings, first: u64, count: u64) -> BTreeMap<u64, String> {
    // Looking at everything takes long where scripts do.
    let limits = Limits { instructions: 3_000, deadline: Duration::from_secs(2), ..Limits::default() };
    let job = Job {
        scripts: Scripts::Operations,
        seed: 1,
        disabled: BTreeSet::new(),
        alone: Some(Oracle::Invariant),
        ..Job::of_given(settings.clone(), limits, Purpose::Explain)
    };
    let command =
        WorkerCommand { program: env!("CARGO_BIN_EXE_moonphase").into(), args: vec!["worker".into()], env: Vec::new() };
    let supervisor = Supervisor { command, options: isolation(settings, &limits), jobs: 1 };
    let stop = AtomicBool::new(false);
    let control = Control { stop: &stop, until: None };
    let mut ends = BTreeMap::new();
    supervisor
        .run(&job, Numbers::new(first, count), control, |number, end: CaseEnd<CaseReport>| {
            ends.insert(number, told(end));
            ControlFlow::Continue(())
        })
        .unwrap();
    ends
}

/// What is seen: by its signature, when, and in which words.
fn told(end: CaseEnd<CaseReport>) -> String {
    match end {
        CaseEnd::Died(crash) => format!("died: {}", crash.death),
        CaseEnd::Report(CaseReport { detected: None, .. }) => "nothing".to_owned(),
        CaseEnd::Report(CaseReport { detected: Some(signature), explanation, schedule, .. }) => {
            let Some(Explanation::Violation(broken)) = explanation.as_deref() else {
                return format!("{signature}: {explanation:?}");
            };
            let schedule = schedule.map(|schedule| format!(" under {schedule}")).unwrap_or_default();
            format!("{signature}{schedule}, tick {} in {}: {}", broken.seen.event, broken.seen.phase, broken.detail)
        }
    }
}

/// Cases in which the two checks differ, and how many had a violation.
fn compare(engine: &EngineName, fault: Option<Planted>, first: u64, count: u64) -> (Vec<String>, usize) {
    let sound = Settings { engine: engine.clone(), lua: engine.language().unwrap_or_default(), ..Settings::default() };
    let settings = fault.map_or(sound, |fault| Settings::of_fault(fault).unwrap());
    let under = |check| Settings { check, schedules: Schedules::Usual, ..settings.clone() };
    let usual = ends(&under(Check::default()), first, count);
    let full = ends(&under(Check::At(Level::Full)), first, count);
    let mut found = 0;
    let mut different = Vec::new();
    for (number, seen) in &full {
        found += usize::from(seen != "nothing");
        if usual[number] != *seen {
            let name = fault.map_or("no fault", |fault| fault.name());
            different.push(format!("{name}, case {number}:\n  usual {}\n  full  {seen}", usual[number]));
        }
    }
    (different, found)
}

fn both_report_the_same(engine: EngineName) {
    assert_eq!(Check::default(), Check::At(Level::Barrier));
    let cases = env::var("LEVELS_CASES").map_or(CASES, |text| text.parse().unwrap());
    let only = env::var("LEVELS_FAULT").unwrap_or_default();
    let faults: Vec<_> = Planted::of(&engine).into_iter().filter(|fault| fault.name().contains(&only)).collect();
    // Without a fault there is nothing to differ in but false alarms.
    let sound = if only.is_empty() { faults.len() as u64 } else { 0 };
    let (mut different, _) = compare(&engine, None, 0, sound);
    let mut found = 0;
    for (nth, fault) in faults.iter().enumerate() {
        let (more, seen) = compare(&engine, Some(*fault), cases * nth as u64, cases);
        different.extend(more);
        found += seen;
    }
    println!("{engine}: {found} of {} faulty cases show something", cases * faults.len() as u64);
    assert!(different.is_empty(), "{} cases differ\n{}", different.len(), different.join("\n"));
    assert!(found * 2 >= faults.len(), "{found} of the faulty cases show something");
}

#[test]
fn the_usual_check_of_lua_51_reports_what_full_reports() {
    both_report_the_same(EngineName::Lua51);
}

#[test]
fn the_usual_check_of_lua_54_reports_what_full_reports() {
    both_report_the_same(EngineName::Lua54);
}
