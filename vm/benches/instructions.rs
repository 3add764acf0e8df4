//! How many instructions of the processor our VM takes for the programs of `versus_lua`, as Callgrind counts them. The numbers
//! hardly differ from run to run, so a limit for each is a check that a change has made nothing slow.
//!
//! `ci/instructions`, or `cargo bench -p moonphase-vm --bench instructions` where Valgrind and `gungraun-runner` are there.

// Of what the attributes make.
#![allow(missing_docs)]

#[path = "common/engines.rs"]
#[allow(dead_code)]
mod engines;
#[path = "common/programs.rs"]
mod programs;

use engines::{Engine, Ours};
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};
use programs::PROGRAMS;

/// At most so many millions of instructions.
fn at_most(millions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, millions * 1_000_000)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

fn load(name: &str) -> Ours {
    let program = PROGRAMS.iter().find(|program| program.name == name).expect("a program of this name");
    let mut engine = Ours::new(program, "");
    engine.run();
    engine
}

// A tenth more than each took with Rust 1.95.
#[library_benchmark(setup = load)]
#[bench::fib(args = ("fib"), config = at_most(222))]
#[bench::loops(args = ("loops"), config = at_most(436))]
#[bench::sieve(args = ("sieve"), config = at_most(186))]
#[bench::matrix(args = ("matrix"), config = at_most(369))]
#[bench::nbody(args = ("nbody"), config = at_most(459))]
#[bench::binary_trees(args = ("binary_trees"), config = at_most(101))]
#[bench::closures(args = ("closures"), config = at_most(363))]
#[bench::methods(args = ("methods"), config = at_most(204))]
#[bench::string_building(args = ("string_building"), config = at_most(424))]
#[bench::patterns(args = ("patterns"), config = at_most(121))]
#[bench::tables(args = ("tables"), config = at_most(276))]
#[bench::sort(args = ("sort"), config = at_most(147))]
#[bench::sort_comparator(args = ("sort_comparator"), config = at_most(348))]
#[bench::string_keys(args = ("string_keys"), config = at_most(178))]
#[bench::coroutines(args = ("coroutines"), config = at_most(281))]
#[bench::json(args = ("json"), config = at_most(251))]
#[bench::queens(args = ("queens"), config = at_most(15))]
fn run(mut engine: Ours) -> Ours {
    engine.run();
    engine
}

library_benchmark_group!(name = group, benchmarks = run);

main!(library_benchmark_groups = group);
