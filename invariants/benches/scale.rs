//! What the usual check costs as the heap grows: one store whose barrier works, and a whole cycle of the collector.
//!
//! `cargo bench -p moonphase-invariants --bench scale`
//!
//! Both runs are of the same VM and script, in turns, in one process: one with the checker, one without anything that
//! looks on. The cost of a store should stay what it is, and the cost of a cycle the same multiple of the collector's.

use moonphase_invariants::{Checker, Level};
use moonphase_vm::{Options, Vm};
use std::time::{Duration, Instant};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Stores that are timed together.
const STORES: u32 = 20_000;
const ROUNDS: usize = 5;

/// A VM with so many tables, each of them referring to the one made before.
fn vm(objects: usize, checked: bool) -> Vm {
    let options = Options::default();
    let mut vm = match checked {
        true => Vm::observed(options, Box::new(Checker::new(Level::Barrier))),
        false => Vm::new(options).expect("the default policy is sound"),
    };
    run(
        &mut vm,
        &format!("collectgarbage('stop') tables = {{}} for i = 1, {objects} do tables[i] = {{tables[i - 1]}} end"),
    );
    run(&mut vm, "collectgarbage()");
    vm
}

fn run(vm: &mut Vm, text: &str) -> Duration {
    let start = Instant::now();
    vm.run(text.as_bytes(), b"@scale.lua", &[]).expect("the script runs");
    start.elapsed()
}

/// Stores new tables into old ones, so that each store has a barrier that works.
fn stores(vm: &mut Vm) -> Duration {
    run(vm, "collectgarbage('generational')");
    let text = "local tables, count = tables, #tables
        for i = 1, STORES do tables[i * 7919 % count + 1].field = {} end";
    let time = run(vm, &text.replace("STORES", &STORES.to_string()));
    run(vm, "for i = 1, #tables do tables[i].field = nil end collectgarbage('incremental') collectgarbage()");
    time
}

fn cycle(vm: &mut Vm) -> Duration {
    run(vm, "collectgarbage()")
}

/// The shortest of several times each, without and with the check.
fn measure(unchecked: &mut Vm, checked: &mut Vm, work: fn(&mut Vm) -> Duration) -> (Duration, Duration) {
    let mut best = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        best = (best.0.min(work(unchecked)), best.1.min(work(checked)));
    }
    best
}

fn main() {
    println!(
        "{:>9} {:>14} {:>14} {:>12} {:>14} {:>14} {:>7}",
        "objects", "ns/store", "checked", "check", "ms/cycle", "checked", "ratio"
    );
    for objects in SIZES {
        let (mut unchecked, mut checked) = (vm(objects, false), vm(objects, true));
        let stores = measure(&mut unchecked, &mut checked, stores);
        let cycle = measure(&mut unchecked, &mut checked, cycle);
        let nanoseconds = |time: Duration| time.as_secs_f64() * 1e9 / f64::from(STORES);
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        println!(
            "{objects:>9} {:>14.0} {:>14.0} {:>12.0} {:>14.3} {:>14.3} {:>7.1}",
            nanoseconds(stores.0),
            nanoseconds(stores.1),
            nanoseconds(stores.1) - nanoseconds(stores.0),
            milliseconds(cycle.0),
            milliseconds(cycle.1),
            cycle.1.as_secs_f64() / cycle.0.as_secs_f64(),
        );
    }
}
