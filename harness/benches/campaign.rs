//! Where the time of the default campaign goes: every part of it on the same cases, in turns, in one process.
//!
//! `cargo bench -p moonphase --bench campaign`

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use moonphase::cases::{Generator, Scripts};
use moonphase::engine::Engine;
use moonphase::engine::reference::ReferenceEngine;
use moonphase::engine::vm::{Look, VmEngine};
use moonphase::limits::Limits;
use moonphase::oracle::CHUNK_NAME;
use moonphase::outcome::{Comparison, compare};
use moonphase::schedule::Schedules;
use moonphase::settings::{Check, Settings};
use moonphase_vm::{LuaVersion, Schedule};

const SEED: u64 = 1;
const CASES: u64 = 400;

/// A part of the work, and the time that it has taken.
struct Part {
    name: &'static str,
    time: Duration,
}

impl Part {
    fn new(name: &'static str) -> Part {
        Part { name, time: Duration::ZERO }
    }

    fn measure<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.time += start.elapsed();
        result
    }

    fn seconds(&self) -> f64 {
        self.time.as_secs_f64()
    }
}

fn main() {
    let limits = Limits::default();
    let generator = Generator::new(Scripts::Operations, SEED, LuaVersion::default(), BTreeSet::new());
    let engine = |check| VmEngine::new(Settings { check, ..Settings::default() });
    let (mut unchecked, mut checked) = (engine(Check::Off), engine(Check::Usual));
    let mut reference_engine = ReferenceEngine::with_system(Settings::default().system);

    let mut generate = Part::new("generate and render");
    let mut reference = Part::new("reference Lua");
    let mut plain = Part::new("VM, no schedule, no check");
    let mut scheduled = Part::new("VM, scheduled, no check");
    let mut plain_checked = Part::new("VM, no schedule, usual check");
    let mut scheduled_checked = Part::new("VM, scheduled, usual check");
    let mut comparing = Part::new("compare");
    let mut runs = 0;
    // Each is measured once and not for the first time.
    for case in (0..CASES / 10).chain(0..CASES) {
        if case == 0 {
            runs = 0;
            for part in [
                &mut generate,
                &mut reference,
                &mut plain,
                &mut scheduled,
                &mut plain_checked,
                &mut scheduled_checked,
                &mut comparing,
            ] {
                part.time = Duration::ZERO;
            }
        }
        let text = generate.measure(|| generator.case(case).text);
        let source = text.as_bytes();
        let expected = reference.measure(|| reference_engine.run(source, CHUNK_NAME, &limits));
        let schedules = [vec![Schedule::None], Schedules::Usual.of_case(SEED, case)].concat();
        for schedule in schedules {
            let (part, part_checked) = match schedule {
                Schedule::None => (&mut plain, &mut plain_checked),
                _ => (&mut scheduled, &mut scheduled_checked),
            };
            let run = |part: &mut Part, engine: &mut VmEngine| {
                part.measure(|| engine.run_observed(source, CHUNK_NAME, &limits, &schedule, Look::default()))
            };
            let ours = run(part, &mut unchecked);
            let watched = run(part_checked, &mut checked);
            assert!(watched.violation.is_none(), "case {case}: {:?}", watched.violation);
            for outcome in [&ours.outcome, &watched.outcome] {
                let comparison = comparing.measure(|| compare(outcome, &expected));
                assert!(!matches!(comparison, Comparison::Differ(_)), "case {case}: {comparison:?}");
            }
            runs += 1;
        }
    }

    println!("{CASES} cases, {runs} runs of the VM of each kind");
    println!("{:<30}{:>8}   by reference", "", "seconds");
    for part in [&generate, &reference, &plain, &scheduled, &plain_checked, &scheduled_checked, &comparing] {
        println!("{:<30}{:>8.3}   {:>6.2}", part.name, part.seconds(), part.seconds() / reference.seconds());
    }
    let without = plain.seconds() + scheduled.seconds();
    let with = plain_checked.seconds() + scheduled_checked.seconds();
    println!("VM with the usual check by VM without: {:.2}", with / without);
}
