//! Ordinary programs that run for long: under a correct policy the checker has nothing to say about them, and they do
//! what they do on the reference.

use moonphase::engine::reference::ReferenceEngine;
use moonphase::engine::vm::VmEngine;
use moonphase::engine::{Case, Engine, puc};
use moonphase::fuzzing::correct_policies;
use moonphase::limits::Limits;
use moonphase::outcome::{Comparison, End, compare};
use moonphase::settings::{Check, Settings};
use moonphase_invariants::Level;

/// A program, how large its work is where every barrier is checked, and where all of the heap is looked at each time.
struct Program {
    name: &'static str,
    source: &'static str,
    barrier: u32,
    full: u32,
}

macro_rules! programs {
    ($($name:ident $barrier:literal $full:literal),* $(,)?) => {
        &[$(Program {
            name: concat!("@", stringify!($name), ".lua"),
            source: include_str!(concat!("programs/", stringify!($name), ".lua")),
            barrier: $barrier,
            full: $full,
        }),*]
    };
}

const PROGRAMS: &[Program] = programs! {
    caches 1500 30,
    finalizers 1500 30,
    json 400 2,
    objects 2000 20,
    pipelines 500 14,
    queens 8 5,
    server 300 12,
    strings 1000 6,
};

/// More than any of them needs.
fn limits() -> Limits {
    Limits { instructions: 1 << 32, memory_bytes: 1 << 30, ..Limits::default() }
}

fn assert_no_alarm(program: &Program, size: u32, level: Level) {
    let Program { name, source, .. } = *program;
    let source = format!("SIZE = {size} {source}");
    let case = Case::new(source.as_bytes(), name);
    let reference = ReferenceEngine::new().run(&case, &limits()).outcome;
    assert_eq!(reference.end, End::Returned, "{name} on the reference");
    assert!(!reference.lines.is_empty(), "{name} prints nothing");
    for gc in correct_policies() {
        let settings = Settings { gc, check: Check::At(level), ..Settings::default() };
        let run = VmEngine::new(settings).observe(&case, &limits());
        if let Some(violation) = run.violation {
            panic!("{name} under {gc}, check {level}: {violation}");
        }
        let comparison = compare(run.outcome.in_words_of(&puc::WORDS), reference.in_words_of(&puc::WORDS));
        assert_eq!(comparison, Comparison::Agree, "{name} under {gc}, check {level}");
    }
}

#[test]
fn nothing_is_found_in_ordinary_programs() {
    for program in PROGRAMS {
        assert_no_alarm(program, program.barrier, Level::Barrier);
    }
}

#[test]
fn nothing_is_found_in_ordinary_programs_when_all_is_looked_at_each_time() {
    for program in PROGRAMS {
        assert_no_alarm(program, program.full, Level::Full);
    }
}
