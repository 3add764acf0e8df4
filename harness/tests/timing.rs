//! What a generated script prints does not depend on when the collector runs: reference Lua prints the same at any timing.
//!
//! The usual test tries some thousand scripts. For more, with a thread for each core:
//!
//! ```text
//! TIMING_SCRIPTS=100000 TIMING_SEEDS=1,2,3,7,2029 cargo test --release -p moonphase --test timing -- --nocapture
//! ```
//!
//! `TIMING_SCRIPTS` are shared out among the seeds. `TIMING_KIND` is `operations` (the usual one) or `free`.

use std::env;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use moonphase::cases::{Generator, Scripts};
use moonphase::circumstance::{Circumstance, Timing};
use moonphase::engine::reference::ReferenceEngine;
use moonphase::engine::{Case, Engine, puc};
use moonphase::language::Language;
use moonphase::limits::Limits;
use moonphase::oracle::CHUNK_NAME;
use moonphase::outcome::{Comparison, Outcome, compare};

/// All kinds of timings; those that collect are tried at each instruction only now and then.
const TIMINGS: &[Timing] =
    &[Timing::Never, Timing::Full(47), Timing::Full(997), Timing::Step(3), Timing::Small, Timing::Hasty(1)];
const DENSE: &[Timing] = &[Timing::Full(1), Timing::Step(1)];

/// One script in so many is tried at the dense timings as well.
const DENSE_SHARE: u64 = 32;

fn run(engine: &mut ReferenceEngine, text: &str, circumstance: Circumstance) -> Outcome {
    let case = Case { circumstance, ..Case::new(text.as_bytes(), CHUNK_NAME) };
    engine.run(&case, &Limits::default()).outcome
}

/// What differs at which timing.
fn differing(engine: &mut ReferenceEngine, text: &str, timings: impl Iterator<Item = Timing>) -> Option<String> {
    let usual = run(engine, text, Circumstance::Usual);
    for timing in timings {
        let other = run(engine, text, Circumstance::Timing(timing));
        let [other, usual] = [&other, &usual].map(|outcome| outcome.in_words_of(&puc::WORDS));
        if let Comparison::Differ(difference) = compare(other, usual) {
            return Some(format!("{timing:?}: {difference:?}"));
        }
    }
    None
}

/// Tries scripts of these seeds, and gives how many depend on the timing, with the first few of them.
fn dependent(scripts: Scripts, seeds: &[u64], count: u64, threads: usize) -> (u64, Vec<String>) {
    let each = count.div_ceil(seeds.len() as u64);
    let (next, found) = (AtomicU64::new(0), Mutex::new((0, Vec::new())));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut engine = ReferenceEngine::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&seed) = seeds.get((number / each) as usize) else { break };
                    let case = number % each;
                    let text = Generator::new(scripts, seed, Language::LUA_54, Default::default()).case(case).text;
                    let dense = if case.is_multiple_of(DENSE_SHARE) { DENSE } else { &[] };
                    if let Some(what) = differing(&mut engine, &text, TIMINGS.iter().chain(dense).copied()) {
                        let mut found = found.lock().unwrap();
                        found.0 += 1;
                        if found.1.len() < 20 {
                            found.1.push(format!("seed {seed}, case {case}: {what}"));
                        }
                    }
                    if number % 10_000 == 9_999 {
                        println!("{} of {count} scripts, {} depend", number + 1, found.lock().unwrap().0);
                    }
                }
            });
        }
    });
    found.into_inner().unwrap()
}

#[test]
fn what_a_generated_script_prints_does_not_depend_on_when_the_collector_runs() {
    let number = |name, usual| env::var(name).map_or(usual, |text| text.parse().unwrap());
    let count: u64 = number("TIMING_SCRIPTS", 3000);
    let seeds: Vec<u64> = env::var("TIMING_SEEDS")
        .map_or(vec![1, 21], |seeds| seeds.split(',').map(|seed| seed.parse().unwrap()).collect());
    let scripts: Scripts = env::var("TIMING_KIND").map_or(Scripts::Operations, |kind| kind.parse().unwrap());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let (found, first) = dependent(scripts, &seeds, count, threads);
    assert!(found == 0, "{found} of {count} scripts depend on the timing:\n{}", first.join("\n"));
}

#[test]
fn free_programs_do_not_depend_on_it_either() {
    let (found, first) = dependent(Scripts::Free, &[1], 300, 2);
    assert!(found == 0, "{}", first.join("\n"));
}

/// The script of seed 21 that printed another number of finalizers when it was collected at another time: an object that its
/// finalizer kept alive held a table with a finalizer.
#[test]
fn a_table_that_a_kept_object_held_is_told_from_one_that_it_holds() {
    let text = "local finalized, kept = 0, {}
        local t = setmetatable({}, { __gc = function() finalized = finalized + 1 end })
        setmetatable({ t }, { __gc = function(object) kept[#kept + 1] = object end })
        for i = 1, 300 do local garbage = { i } end
        t = nil
        collectgarbage() collectgarbage()
        print(finalized)";
    let mut engine = ReferenceEngine::new();
    assert!(differing(&mut engine, text, TIMINGS.iter().copied()).is_some(), "the timings show nothing");
    let generator = Generator::new(Scripts::Operations, 21, Language::LUA_54, Default::default());
    assert_eq!(differing(&mut engine, &generator.case(3170).text, TIMINGS.iter().chain(DENSE).copied()), None);
}
