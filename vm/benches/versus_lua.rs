//! Our VM without an observer against reference Lua 5.4, program by program.
//!
//! `cargo bench -p moonphase-vm --bench versus_lua -- [NAME…]`

#[path = "common/engines.rs"]
mod engines;
#[path = "common/measure.rs"]
mod measure;
#[path = "common/programs.rs"]
mod programs;

use engines::{Engine, Ours, Program, Reference};
use measure::{COLUMNS, measure};
use programs::PROGRAMS;
use std::time::Duration;

/// For each program.
const TIME: Duration = Duration::from_secs(2);

fn main() {
    println!("{:<16}{COLUMNS}", "program");
    let mut medians = Vec::new();
    for program in Program::chosen(PROGRAMS) {
        let (mut ours, mut reference) = (Ours::new(program, ""), Reference::new(program, ""));
        assert_eq!(ours.run(), reference.run(), "{} gives the same on both", program.name);
        let measured = measure(TIME, || drop(ours.run()), || drop(reference.run()));
        println!("{:<16}{measured}", program.name);
        medians.push(measured.median());
    }
    let worst = medians.iter().copied().fold(0.0, f64::max);
    let logarithms = medians.iter().map(|ratio| ratio.ln());
    let mean = (logarithms.sum::<f64>() / medians.len() as f64).exp();
    println!("\ngeometric mean {mean:.3}, worst {worst:.3}");
}
