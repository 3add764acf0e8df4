//! The usual check does less work than a look at everything after each event, and reports the same: on random cases, half
//! of them with a planted fault, both see the same first violation at the same event, or none.
#![cfg(feature = "faults")]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use moonphase::engine;
use moonphase::engine::vm::{VmEngine, VmRun};
use moonphase::fault::Fault;
use moonphase::fuzzing::correct_policies;
use moonphase::header::Header;
use moonphase::limits::Limits;
use moonphase::oracle::CHUNK_NAME;
use moonphase::outcome::Outcome;
use moonphase::schedule::Schedules;
use moonphase::script::{GeneratorOptions, Script};
use moonphase::settings::{Check, Settings};
use moonphase_invariants::{Level, Violation};
use moonphase_vm::Schedule;
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CASES: u64 = 10_000;

/// A short script and how it is run.
struct Case {
    settings: Settings,
    schedule: Schedule,
    text: String,
}

impl Case {
    /// The case of this number; those with an even one have a fault.
    fn new(number: u64) -> Case {
        let mut rng = ChaCha8Rng::seed_from_u64(number);
        let nth = (number / 2) as usize;
        let mut settings = if number.is_multiple_of(2) {
            Settings::of_fault(Fault::ALL[nth % Fault::ALL.len()]).unwrap()
        } else {
            let policies = correct_policies();
            Settings { gc: policies[nth % policies.len()], ..Settings::default() }
        };
        let mut schedules = Schedules::All.of_case(1, number);
        schedules.push(Schedule::None);
        let schedule = schedules.choose(&mut rng).unwrap().clone();
        settings.schedules = Schedules::Only(schedule.clone());
        let mut entropy = vec![0; rng.random_range(40..=900)];
        rng.fill_bytes(&mut entropy);
        let mut entropy = arbitrary::Unstructured::new(&entropy);
        let script = Script::from_entropy(&mut entropy, &GeneratorOptions::default());
        Case { settings, schedule, text: script.render(&GeneratorOptions::default().language).text }
    }

    /// What a check says of the case, and what the script did up to then.
    fn run(&self, check: Check) -> (Option<Violation>, Outcome) {
        let mut engine = VmEngine::new(Settings { check, ..self.settings.clone() });
        // Looking at everything takes long where scripts do.
        let limits = Limits { instructions: 5_000, ..Limits::default() };
        let source = self.text.as_bytes();
        let case = engine::Case { schedule: &self.schedule, ..engine::Case::new(source, CHUNK_NAME) };
        let VmRun { outcome, violation, .. } = engine.observe(&case, &limits);
        // Not a part of what is found.
        (violation.map(|violation| Violation { sound_until: 0, ..*violation }), outcome)
    }

    /// The case as a file to be looked into.
    fn file(&self) -> String {
        Header { settings: self.settings.clone(), ..Header::default() }.to_text() + &self.text
    }
}

/// What the cases showed.
#[derive(Default)]
struct Tally {
    faulty: u64,
    found: u64,
    faults: BTreeSet<&'static str>,
    false_alarms: Vec<String>,
    disagreements: Vec<String>,
}

impl Tally {
    fn add(&mut self, number: u64) {
        let case = Case::new(number);
        let (usual, full) = (case.run(Check::default()), case.run(Check::At(Level::Full)));
        if let Some(fault) = case.settings.fault {
            self.faulty += 1;
            if full.0.is_some() {
                self.found += 1;
                self.faults.insert(fault.name());
            }
        } else if let Some(violation) = &full.0 {
            self.false_alarms.push(format!("case {number}: {violation}\n{}", case.file()));
        }
        if usual != full {
            let told = |told: &(Option<Violation>, Outcome)| match &told.0 {
                Some(violation) => format!("event {}: {} ({violation})", violation.event, violation.signature()),
                None => format!("nothing ({})", told.1.end),
            };
            let (usual, full) = (told(&usual), told(&full));
            self.disagreements.push(format!("case {number}:\n  usual: {usual}\n  full: {full}\n{}", case.file()));
        }
    }
}

#[test]
fn the_usual_check_reports_the_same_first_violation_as_a_look_at_everything_after_each_event() {
    assert_eq!(Check::default().level(), Some(Level::Barrier));
    let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut mine = Tally::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= CASES {
                        break;
                    }
                    mine.add(number);
                }
                let mut all = tally.lock().unwrap();
                all.faulty += mine.faulty;
                all.found += mine.found;
                all.faults.append(&mut mine.faults);
                all.false_alarms.append(&mut mine.false_alarms);
                all.disagreements.append(&mut mine.disagreements);
            });
        }
    });
    let Tally { faulty, found, faults, false_alarms, disagreements } = tally.into_inner().unwrap();
    println!("{found} of {faulty} faulty cases end in a violation, of {} faults", faults.len());
    let (alarms, differ) = (false_alarms.len(), disagreements.len());
    let few = |texts: &[String]| texts.iter().take(3).cloned().collect::<Vec<_>>().join("\n");
    assert_eq!(alarms, 0, "violations without a fault:\n{}", few(&false_alarms));
    assert_eq!(differ, 0, "levels that disagree:\n{}", few(&disagreements));
    assert_eq!(faulty, CASES / 2);
    assert!(found >= faulty / 10, "only {found} of {faulty} faulty cases end in a violation");
    assert!(faults.len() >= Fault::ALL.len() / 2, "only {} faults show", faults.len());
}
