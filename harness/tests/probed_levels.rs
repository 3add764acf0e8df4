//! The usual check of a C Lua looks at a small part of what `full` looks at, and reports the same: on generated cases, half of them
//! with a planted fault, both see the same first violation at the same tick and explain it by the same words, or see none.
#![cfg(all(target_os = "linux", feature = "faults"))]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicBool;

use moonphase::campaign::job::{CaseReport, Job};
use moonphase::campaign::lane::CaseEnd;
use moonphase::campaign::process::WorkerCommand;
use moonphase::campaign::supervisor::{Control, Numbers, Supervisor};
use moonphase::campaign::triage::isolation;
use moonphase::cases::Scripts;
use moonphase::engine::EngineName;
use moonphase::fault::Planted;
use moonphase::limits::Limits;
use moonphase::oracle::Purpose;
use moonphase::schedule::Schedules;
use moonphase::settings::{CHECK, ENGINE, FAULT, Given, SCHEDULE, Settings};

/// Cases with each fault. As many are run without any.
const CASES: u64 = 2;

/// How the cases from some number on end, by what explains what is seen; or how the process ended.
fn ends(settings: &Settings, first: u64, count: u64) -> BTreeMap<u64, String> {
    // Looking at everything takes long where scripts do.
    let limits = Limits { instructions: 5_000, ..Limits::default() };
    let job = Job {
        scripts: Scripts::Operations,
        seed: 1,
        disabled: BTreeSet::new(),
        ..Job::of_given(settings.clone(), limits, Purpose::Explain)
    };
    let command =
        WorkerCommand { program: env!("CARGO_BIN_EXE_moonphase").into(), args: vec!["worker".into()], env: Vec::new() };
    let supervisor = Supervisor { command, options: isolation(settings, &limits), jobs: 2 };
    let stop = AtomicBool::new(false);
    let mut ends = BTreeMap::new();
    let control = Control { stop: &stop, until: None };
    supervisor
        .run(&job, Numbers::new(first, count), control, |number, end: CaseEnd<CaseReport>| {
            let text = match end {
                CaseEnd::Report(report) => match report.detected {
                    Some(signature) => format!("{signature}: {:?}", report.explanation),
                    None => String::new(),
                },
                CaseEnd::Died(crash) => format!("died: {}", crash.death),
            };
            ends.insert(number, text);
            ControlFlow::Continue(())
        })
        .unwrap();
    ends
}

/// Cases in which the two checks differ, and how many had a violation.
fn compare(engine: &EngineName, fault: Option<Planted>, first: u64, count: u64) -> (Vec<String>, usize) {
    let under = |check: &str| {
        let mut given = vec![
            Given::new(&ENGINE, &engine.to_string()).unwrap(),
            Given::new(&CHECK, check).unwrap(),
            Given::new(&SCHEDULE, "usual").unwrap(),
        ];
        given.extend(fault.map(|fault| Given::new(&FAULT, fault.name()).unwrap()));
        Settings { schedules: Schedules::Usual, ..Settings::default().with(&given).unwrap() }
    };
    let (usual, full) = (ends(&under("barrier"), first, count), ends(&under("full"), first, count));
    let mut found = 0;
    let mut different = Vec::new();
    for (number, seen) in &full {
        found += usize::from(!seen.is_empty());
        if usual[number] != *seen {
            let name = fault.map_or("no fault", |fault| fault.name());
            different.push(format!("{engine}, {name}, case {number}:\n  usual {}\n  full  {seen}", usual[number]));
        }
    }
    (different, found)
}

fn both_report_the_same(engine: EngineName) {
    let faults = Planted::of(&engine);
    let (mut different, _) = compare(&engine, None, 0, CASES * faults.len() as u64);
    let mut found = 0;
    for (nth, fault) in faults.iter().enumerate() {
        let (more, seen) = compare(&engine, Some(*fault), CASES * nth as u64, CASES);
        different.extend(more);
        found += seen;
    }
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
