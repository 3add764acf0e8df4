//! Runs scripts on a stock engine, with a whole look at each tick: `look lua54 FILE…`.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use moonphase_heap::Phase;
use moonphase_invariants::{Checker, Level};
use moonphase_probe::{MomentKind, ProbedLua, Script, Stock};

fn main() {
    let mut args = std::env::args().skip(1);
    let engine = args.next().unwrap_or_default();
    let level = args.next().unwrap_or_default();
    let stock = Stock::ALL.into_iter().find(|stock| stock.name() == engine);
    let lua = match stock {
        Some(stock) => ProbedLua::stock(stock),
        None => ProbedLua::open(engine.as_ref()),
    }
    .unwrap();
    println!("{}", lua.release());
    let (mut ticks, mut glances, mut looks, mut plain, mut checked) = (0, 0, 0, Duration::ZERO, Duration::ZERO);
    for path in args {
        let source = std::fs::read(&path).unwrap();
        let script = Script {
            source: &source,
            chunk_name: "@case.lua",
            prelude: "",
            memory_limit: 64 << 20,
            output_limit: 1 << 20,
            now: 0,
            ticks: false,
            collects: true,
        };
        let start = Instant::now();
        let bare = lua.run(&script, &mut |_| ControlFlow::Continue(())).unwrap();
        plain += start.elapsed();
        let start = Instant::now();
        let mut checker = Checker::new(if level == "full" { Level::Full } else { Level::Barrier });
        let script = Script { ticks: true, ..script };
        let (mut step, mut last) = (false, (0, 0));
        let ran = lua
            .run(&script, &mut |moment| {
                if let MomentKind::StepEnd { .. } = moment.kind {
                    step = true;
                }
                if moment.kind != MomentKind::Tick && moment.kind != MomentKind::Ended {
                    return ControlFlow::Continue(());
                }
                ticks += 1;
                if ticks > 100_000_000 {
                    return ControlFlow::Break(());
                }
                if level == "off" {
                    return ControlFlow::Continue(());
                }
                let changed = (moment.frees(), moment.wrote());
                let stepped = std::mem::take(&mut step);
                if level != "full" {
                    if !stepped && changed.0 == last.0 && (changed.1 == last.1 || moment.phase() == Phase::Pause) {
                        return ControlFlow::Continue(());
                    }
                    last = changed;
                    glances += 1;
                    if !stepped && !moment.is_suspicious(false) {
                        return ControlFlow::Continue(());
                    }
                }
                looks += 1;
                let heap = moment.look();
                match checker.look(heap) {
                    None => ControlFlow::Continue(()),
                    Some(violation) => {
                        println!(
                            "{path}: tick {}: {} ({}) {:?} at {:?}",
                            moment.number(),
                            violation,
                            violation.signature(),
                            moment.function(),
                            violation.location
                        );
                        ControlFlow::Break(())
                    }
                }
            })
            .unwrap();
        checked += start.elapsed();
        if checker.violation().is_none() && (bare.end != ran.end || bare.output != ran.output) {
            println!("{path}: differs: {:?} {:?}", bare.end, ran.end);
        }
        if !matches!(
            ran.end,
            moonphase_probe::End::Returned | moonphase_probe::End::Stopped | moonphase_probe::End::Exit(_)
        ) {
            println!(
                "{path}: {:?}",
                String::from_utf8_lossy(match &ran.end {
                    moonphase_probe::End::Error(m) | moonphase_probe::End::NoState(m) => m,
                    _ => &[],
                })
            );
        }
    }
    println!("{ticks} ticks, {glances} glances, {looks} looks, {plain:?} without hooks, {checked:?} with");
}
