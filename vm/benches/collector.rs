//! The collector against reference Lua's, in incremental and in generational mode: the time of programs that allocate, the
//! memory of a process that runs one, and the longest single step over a big heap.
//!
//! `cargo bench -p moonphase-vm --bench collector -- [NAME…]`

#[path = "common/engines.rs"]
mod engines;
#[path = "common/measure.rs"]
mod measure;

use engines::{Engine, Ours, Program, Reference, programs};
use measure::{COLUMNS, measure};
use std::process::Command;
use std::time::Duration;

const PROGRAMS: &[Program] = programs!["gc_trees", "gc_closures", "gc_strings", "gc_weak", "gc_live"];

/// What a process takes that runs nothing.
const NOTHING: Program = Program { name: "nothing", source: "return function() return 0 end" };

/// Steps over a big heap that lives, with some garbage before each: gives the longest of them, in seconds.
const STEPS: Program = Program {
    name: "steps",
    source: r#"
        local heap = {}
        for i = 1, 100000 do
          heap[i] = { id = i, next = heap[i - 1] }
        end
        collectgarbage()
        collectgarbage("stop")
        return function()
          local longest = 0
          for i = 1, 3000 do
            for j = 1, 50 do
              heap[(i * 31 + j) % 100000 + 1] = { id = j, next = heap[i] }
            end
            local start = now()
            collectgarbage("step", 0)
            longest = math.max(longest, now() - start)
          end
          return longest
        end
    "#,
};

/// For the times of each program in each mode.
const TIME: Duration = Duration::from_secs(3);

/// Processes whose peak memory is taken.
const PEAKS: usize = 9;

/// Asks for a run in a process of its own, which prints its peak memory: then come engine, mode and program.
const CHILD: &str = "--peak-of";

fn engine(name: &str, program: &Program, mode: &str) -> Box<dyn Engine> {
    let prepare = format!("collectgarbage('{mode}')");
    match name {
        "ours" => Box::new(Ours::new(program, &prepare)),
        _ => Box::new(Reference::new(program, &prepare)),
    }
}

/// The largest resident memory of this process so far, in bytes, as Linux tells it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// The peak memory of a process that runs a program, beyond that of one that runs nothing: the median of several, since heaps
/// of a few megabytes differ from run to run by what the system maps at a time.
fn peak_of(engine: &str, program: &Program, mode: &str) -> f64 {
    let of = |name: &str| {
        let exe = std::env::current_exe().expect("the path of this program");
        let output = Command::new(exe).args([CHILD, engine, mode, name]).output().expect("this program runs again");
        String::from_utf8_lossy(&output.stdout).trim().parse::<f64>().expect("the peak is a number")
    };
    let mut peaks: Vec<f64> = (0..PEAKS).map(|_| of(program.name) - of(NOTHING.name)).collect();
    peaks.sort_by(f64::total_cmp);
    peaks[PEAKS / 2]
}

/// The longest step, the shortest of some tries: what else the machine does makes steps longer.
fn longest_step(name: &str, mode: &str) -> f64 {
    let mut engine = engine(name, &STEPS, mode);
    let seconds = (0..5).map(|_| engine.run().parse::<f64>().expect("the longest step is a number"));
    seconds.fold(f64::INFINITY, f64::min)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, mode, program] = &arguments[..]
        && flag == CHILD
    {
        let all = PROGRAMS.iter().chain([&NOTHING]);
        let program = all.into_iter().find(|one| one.name == program).expect("a program");
        let mut engine = engine(name, program, mode);
        for _ in 0..3 {
            engine.run();
        }
        println!("{}", peak().expect("Linux tells the peak"));
        return;
    }
    println!("{:<12} {:<13}memory {COLUMNS}", "program", "mode");
    for program in Program::chosen(PROGRAMS) {
        for mode in ["incremental", "generational"] {
            let (mut ours, mut reference) = (engine("ours", program, mode), engine("reference", program, mode));
            assert_eq!(ours.run(), reference.run(), "{} gives the same on both", program.name);
            let measured = measure(TIME, || drop(ours.run()), || drop(reference.run()));
            let memory = peak_of("ours", program, mode) / peak_of("reference", program, mode);
            println!("{:<12} {mode:<13}{memory:>6.3} {measured}", program.name);
        }
    }
    for mode in ["incremental", "generational"] {
        let (ours, reference) = (longest_step("ours", mode) * 1e3, longest_step("reference", mode) * 1e3);
        println!("longest {mode} step over 100,000 tables: ours {ours:.3} ms, reference {reference:.3} ms");
    }
}
