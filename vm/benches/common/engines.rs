//! The two engines that benchmarks compare, and the programs for them.

use moonphase_vm::{Options, Vm};
use std::time::Instant;

/// Lua programs: each is a chunk that returns a function, which does the work and returns what came of it.
macro_rules! programs {
    ($($name:literal),* $(,)?) => {
        &[$(Program { name: $name, source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/programs/", $name, ".lua")) }),*]
    };
}
pub(crate) use programs;

/// A program to measure. It may ask the global function `now` for the time, in seconds.
pub struct Program {
    pub name: &'static str,
    pub source: &'static str,
}

impl Program {
    /// The programs whose names contain one of the words that the command line has; all if it has none.
    pub fn chosen(programs: &'static [Program]) -> Vec<&'static Program> {
        let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
        let is_chosen = |program: &&Program| words.is_empty() || words.iter().any(|word| program.name.contains(word));
        programs.iter().filter(is_chosen).collect()
    }

    /// The program as a function that gives a text.
    fn wrapped(&self) -> String {
        format!("local run = (function(...) {}\nend)() return function() return tostring(run()) end", self.source)
    }
}

/// A program that is loaded and can be run again and again.
pub trait Engine {
    /// Runs it once; gives what it returned.
    fn run(&mut self) -> String;
}

/// Our VM, without an observer.
pub struct Ours {
    vm: Vm,
    run: moonphase_vm::Function,
}

impl Ours {
    /// With this source run before the program.
    pub fn new(program: &Program, prepare: &str) -> Ours {
        let mut vm = Vm::new(Options::default()).expect("the default policy is sound");
        let start = Instant::now();
        let now = vm.create_function(move |_, ()| Ok(start.elapsed().as_secs_f64())).expect("a function");
        vm.set_global("now", now).expect("a global variable");
        vm.eval::<()>(prepare).expect("the preparation runs");
        let run = vm.eval(&program.wrapped()).expect("the program loads");
        Ours { vm, run }
    }
}

impl Engine for Ours {
    fn run(&mut self) -> String {
        self.run.call(&mut self.vm, ()).expect("the program runs")
    }
}

/// Reference Lua, as mlua builds it.
pub struct Reference {
    run: mlua::Function,
    _lua: mlua::Lua,
}

impl Reference {
    /// With this source run before the program.
    pub fn new(program: &Program, prepare: &str) -> Reference {
        let lua = mlua::Lua::new();
        let start = Instant::now();
        let now = lua.create_function(move |_, ()| Ok(start.elapsed().as_secs_f64())).expect("a function");
        lua.globals().set("now", now).expect("a global variable");
        lua.load(prepare).exec().expect("the preparation runs");
        let run = lua.load(program.wrapped()).eval().expect("the program loads");
        Reference { run, _lua: lua }
    }
}

impl Engine for Reference {
    fn run(&mut self) -> String {
        self.run.call(()).expect("the program runs")
    }
}
