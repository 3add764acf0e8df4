//! Where the time of the default campaign goes: every part of it on the same cases, in turns, in one process.
//!
//! `cargo bench -p moonphase --bench campaign`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use moonphase::cases::{Generator, Scripts};
use moonphase::engine::reference::ReferenceEngine;
use moonphase::engine::vm::VmEngine;
use moonphase::engine::{Case, Engine, puc};
use moonphase::language::Language;
use moonphase::limits::Limits;
use moonphase::oracle::CHUNK_NAME;
use moonphase::outcome::{Comparison, compare};
use moonphase::schedule::Schedules;
use moonphase::settings::{Check, Settings};
use moonphase_vm::Schedule;

const SEED: u64 = 1;
const CASES: u64 = 400;

/// A part of the work.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Generate,
    Reference,
    /// A run of our VM: whether there is a schedule, and whether it is checked.
    Run {
        scheduled: bool,
        checked: bool,
    },
    Compare,
}

impl Part {
    const ALL: [Part; 7] = [
        Part::Generate,
        Part::Reference,
        Part::Run { scheduled: false, checked: false },
        Part::Run { scheduled: true, checked: false },
        Part::Run { scheduled: false, checked: true },
        Part::Run { scheduled: true, checked: true },
        Part::Compare,
    ];

    fn name(self) -> &'static str {
        match self {
            Part::Generate => "generate and render",
            Part::Reference => "reference Lua",
            Part::Run { scheduled: false, checked: false } => "VM, no schedule, no check",
            Part::Run { scheduled: true, checked: false } => "VM, scheduled, no check",
            Part::Run { scheduled: false, checked: true } => "VM, no schedule, usual check",
            Part::Run { scheduled: true, checked: true } => "VM, scheduled, usual check",
            Part::Compare => "compare",
        }
    }
}

/// The time that each part has taken.
#[derive(Default)]
struct Times([Duration; Part::ALL.len()]);

impl Times {
    fn measure<T>(&mut self, part: Part, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        for (time, of) in self.0.iter_mut().zip(Part::ALL) {
            if of == part {
                *time += start.elapsed();
            }
        }
        result
    }

    /// Of all parts that are so, seconds.
    fn seconds(&self, is_so: impl Fn(Part) -> bool) -> f64 {
        self.0.iter().zip(Part::ALL).filter(|&(_, part)| is_so(part)).map(|(time, _)| time.as_secs_f64()).sum()
    }
}

fn main() {
    let limits = Limits::default();
    let generator = Generator::new(Scripts::Operations, SEED, Language::default(), BTreeSet::new());
    let engine = |check| VmEngine::new(Settings { check, ..Settings::default() });
    let mut engines = [(false, engine(Check::Off)), (true, engine(Check::default()))];
    let mut reference = ReferenceEngine::with_system(Settings::default().system);
    let mut times = Times::default();
    let mut runs = 0;
    // Each is measured once and not for the first time.
    for case in (0..CASES / 10).chain(0..CASES) {
        if case == 0 {
            (times, runs) = (Times::default(), 0);
        }
        let text = times.measure(Part::Generate, || generator.case(case).text);
        let script = Case::new(text.as_bytes(), CHUNK_NAME);
        let expected = times.measure(Part::Reference, || reference.run(&script, &limits).outcome);
        for schedule in [vec![Schedule::None], Schedules::Usual.of_case(SEED, case)].concat() {
            let scheduled = schedule != Schedule::None;
            for (checked, engine) in &mut engines {
                let run = || engine.observe(&Case { schedule: &schedule, ..script }, &limits);
                let run = times.measure(Part::Run { scheduled, checked: *checked }, run);
                assert!(run.violation.is_none(), "case {case}: {:?}", run.violation);
                let comparison = times.measure(Part::Compare, || {
                    compare(run.outcome.in_words_of(&puc::WORDS), expected.in_words_of(&puc::WORDS))
                });
                assert!(!matches!(comparison, Comparison::Differ(_)), "case {case}: {comparison:?}");
            }
            runs += 1;
        }
    }

    println!("{CASES} cases, {runs} runs of the VM of each kind");
    println!("{:<40}{:>8}   by reference", "", "seconds");
    let reference = times.seconds(|part| part == Part::Reference);
    let print = |name: &str, seconds: f64| println!("{name:<40}{seconds:>8.3}   {:>6.2}", seconds / reference);
    for part in Part::ALL {
        print(part.name(), times.seconds(|of| of == part));
    }
    let usual = Part::Run { scheduled: false, checked: true };
    let others = |part| part == Part::Generate || part == usual || part == Part::Compare;
    print("all but the reference, without schedule", times.seconds(others));
    let runs = |with| times.seconds(|part| matches!(part, Part::Run { checked, .. } if checked == with));
    println!("VM with the usual check by VM without: {:.2}", runs(true) / runs(false));
}
