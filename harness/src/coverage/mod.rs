//! State coverage: in which states of the collector things have happened, of those in which they can happen.
//!
//! A [`Cell`] is something that happened, with what the collector saw of it:
//! - a store: the site, the part of the cycle and the colours before the barrier;
//! - an entry of a weak table that was cleared: what is weak, what was dead and how old, in which pass of which collection;
//! - a variable that was closed: why, and what the collector was doing;
//! - the end of the state: which objects had finalizers, and what the collector was doing;
//! - a step while a chunk was loaded: which kind of chunk, what had just been made, and the part of the cycle.
//!
//! [`rule_against`] says which cells cannot occur under a policy, and why; the others are *reachable*, and a campaign counts how
//! many of them it has covered. Reaching one that cannot occur is a finding: the collector is in a state that it must not be in, or a
//! rule is wrong.
//!
//! It is a measure of scripts and schedules; nothing is steered by it, but for libFuzzer, which gets the cells as
//! counters.

mod cell;
mod closing;
mod loading;
mod rule;
mod rules;
mod stage;
mod store;
mod store_rules;
mod weak;

use moonphase_heap::{Event, Heap, StepKind};
use moonphase_vm::gc::Policy;
use serde::{Deserialize, Serialize};

pub use cell::{CELLS, Cell};
pub use closing::{EndCell, ScopeCell, VariableEnd};
pub use loading::{LoadCell, Made};
pub use rule::{KeptBy, Rule};
pub use rules::rule_against;
pub use stage::{CyclePart, Doing};
pub use store::{StoreCell, UpvalueState};
pub use weak::{Collection, Lived, Other, Side, WeakCell, WeakKind};

/// Something that should not have been possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreachable {
    /// What it looked like.
    pub cell: Cell,
    /// Why it cannot be.
    pub rule: Rule,
}

impl Unreachable {
    /// The signature of the finding: `unreachable-state upvalue-close sweep-all white->other-white RULE`.
    pub fn signature(&self) -> String {
        format!("unreachable-state {} {}", self.cell, self.rule.name())
    }
}

/// What is known of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It can occur, and has not been seen.
    Missing,
    /// It has been seen. One that is beyond the generator counts for nothing.
    Covered,
    /// No rule of the VM is against it, but generated programs do not go there, or hardly ever.
    Beyond,
    /// It cannot occur.
    Excluded(Rule),
}

/// The cells covered so far, under one policy.
#[derive(Clone, Debug)]
pub struct Coverage {
    states: Vec<State>,
    reachable: usize,
    covered: usize,
    /// Cells that were covered since they were last taken.
    new: Vec<u16>,
    /// The step that is under way.
    step: Option<StepKind>,
}

impl Coverage {
    /// Nothing is covered yet.
    pub fn new(policy: &Policy) -> Coverage {
        let state = |index| {
            let rule = match Cell::at(index) {
                Some(cell) => rule_against(policy, cell),
                // The number of no cell.
                None => return State::Beyond,
            };
            match rule {
                None => State::Missing,
                Some(rule) if rule.kept_by() == KeptBy::Vm => State::Excluded(rule),
                Some(_) => State::Beyond,
            }
        };
        let states: Vec<State> = (0..CELLS).map(state).collect();
        let reachable = states.iter().filter(|&&state| state == State::Missing).count();
        Coverage { states, reachable, covered: 0, new: Vec::new(), step: None }
    }

    /// Notes an event.
    ///
    /// # Errors
    /// One of its cells cannot occur.
    pub fn note<H: Heap>(&mut self, heap: H, event: &Event<'_, H::Object>) -> Result<(), Unreachable> {
        match *event {
            Event::StepBegin(kind) => self.step = Some(kind),
            Event::StepEnd(..) => self.step = None,
            _ => {}
        }
        let mut noted = Ok(());
        Cell::each_of(heap, self.step, event, |cell| {
            let index = cell.index();
            if self.cover(index) {
                // There are fewer cells than 2^16.
                self.new.push(index as u16);
            }
            if let State::Excluded(rule) = self.states[index] {
                noted = noted.and(Err(Unreachable { cell, rule }));
            }
        });
        noted
    }

    /// Notes that a cell was seen. Says whether it is new.
    fn cover(&mut self, index: usize) -> bool {
        match self.states.get_mut(index) {
            Some(state @ State::Missing) => {
                *state = State::Covered;
                self.covered += 1;
                true
            }
            _ => false,
        }
    }

    /// The cells that were new since the last call.
    pub fn take_new(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.new)
    }

    /// The cells that were covered since the last call of this method, which are forgotten.
    pub fn take_all(&mut self) -> Vec<u16> {
        let all = self.take_new();
        for &index in &all {
            self.states[usize::from(index)] = State::Missing;
        }
        self.covered -= all.len();
        all
    }

    /// Adds cells that another process saw.
    pub fn add(&mut self, cells: &[u16]) {
        for &index in cells {
            self.cover(usize::from(index));
        }
    }

    /// How many cells were covered.
    pub fn covered(&self) -> usize {
        self.covered
    }

    /// How many can be.
    pub fn reachable(&self) -> usize {
        self.reachable
    }

    /// What a campaign says of it at its end.
    pub fn summary(&self) -> CoverageSummary {
        let missing = Cell::all().filter(|cell| self.states[cell.index()] == State::Missing);
        CoverageSummary {
            covered: self.covered,
            reachable: self.reachable,
            missing: missing.map(|cell| cell.to_string()).collect(),
        }
    }
}

/// How much was covered, under the policy of the campaign.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CoverageSummary {
    /// Cells covered.
    pub covered: usize,
    /// Cells that can be.
    pub reachable: usize,
    /// The names of the others.
    pub missing: Vec<String>,
}

#[cfg(test)]
mod tests {
    use std::any::Any;
    use std::ops::ControlFlow;

    use moonphase_heap::{Colour, Interests, Observer};
    use moonphase_vm::Vm;
    use moonphase_vm::gc::HeapOptions;
    use moonphase_vm::value::Value;

    use super::*;

    /// Notes stores until one cannot be.
    struct Watch {
        coverage: Coverage,
        found: Option<Unreachable>,
    }

    impl<H: Heap> Observer<H> for Watch {
        fn interests(&self) -> Interests {
            Interests { stores: true, steps: true, idle: false, fine: false }
        }

        fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
            self.found = self.found.or(self.coverage.note(heap, event).err());
            ControlFlow::Continue(())
        }

        fn into_any(self: Box<Self>) -> Box<dyn Any> {
            self
        }
    }

    /// What is covered, and found, by storing a table of this colour into a white one at pause.
    fn stored(colour: Colour) -> (usize, Option<String>) {
        let mut heap = moonphase_vm::gc::Heap::new(HeapOptions::default());
        heap.set_observer(Box::new(Watch { coverage: Coverage::new(&Policy::LUA_54), found: None }));
        let (parent, child) = (heap.new_table(), heap.new_table());
        heap.corrupt().set_colour(child.erase().id(), colour);
        heap.corrupt().set(parent, Value::Integer(1), Value::Table(child));
        let watch = heap.take_observer().and_then(|observer| observer.into_any().downcast::<Watch>().ok());
        let watch = watch.expect("the observer that was installed");
        (watch.coverage.covered(), watch.found.map(|found| found.signature()))
    }

    #[test]
    fn a_store_that_cannot_be_is_found_with_the_rule_against_it() {
        assert_eq!(stored(Colour::White), (1, None));
        let found = |colour| stored(colour).1.expect("a finding");
        assert_eq!(
            found(Colour::OtherWhite),
            "unreachable-state table-store pause white->other-white one-white-outside-sweeping"
        );
        assert_eq!(found(Colour::Black), "unreachable-state table-store pause white->black swept-objects-are-white");
        assert_eq!(stored(Colour::Black).0, 0);
    }

    /// The names of the cells that a program covers, but for those of stores.
    fn covered_by(program: &str) -> Vec<String> {
        let mut vm = Vm::observed(
            moonphase_vm::Options::default(),
            Box::new(Watch { coverage: Coverage::new(&Policy::LUA_54), found: None }),
        );
        let ended = vm.run(program.as_bytes(), b"=program", &[]);
        assert!(matches!(ended, Ok(()) | Err(moonphase_vm::ScriptError::Exit(_))), "{ended:?}");
        let watch = vm.take_observer().and_then(|observer| observer.into_any().downcast::<Watch>().ok());
        let watch = watch.expect("the observer that was installed");
        assert_eq!(watch.found, None);
        let covered = Cell::all().filter(|cell| !matches!(cell, Cell::Store(_)));
        let covered = covered.filter(|cell| watch.coverage.states[cell.index()] == State::Covered);
        covered.map(|cell| cell.to_string()).collect()
    }

    #[test]
    fn entries_are_told_by_what_was_dead_and_by_the_collection() {
        let weak = "local values, keys = setmetatable({}, { __mode = 'v' }), setmetatable({}, { __mode = 'k' }) ";
        let cleared = covered_by(&format!("{weak} values[1] = {{}}; keys[{{}}] = {{}}; collectgarbage()"));
        let expected = [
            "weak-entry weak-values value incremental",
            "weak-pair weak-values value plain",
            "weak-entry weak-keys key incremental",
            "weak-pair weak-keys key dead",
        ];
        assert_eq!(cleared, expected);
        let minor = "collectgarbage('generational'); keys[{}] = keep; collectgarbage('step')";
        let cleared = covered_by(&format!("keep = {{}} {weak} {minor}"));
        assert_eq!(cleared, ["weak-entry weak-keys key minor", "weak-pair weak-keys key living", "weak-age keys new"]);
        let finalized = "values.x = setmetatable({}, { __gc = print }); collectgarbage()";
        let cleared = covered_by(&format!("{weak} {finalized}"));
        let expected = [
            "weak-entry weak-values value incremental",
            "weak-pair weak-values value living",
            "weak-finalized values incremental",
        ];
        assert_eq!(cleared, expected);
        // The table is found to be alive when its values were looked at.
        let late =
            "values[1] = {}; setmetatable({ values }, { __gc = function() end }); values = nil; collectgarbage()";
        assert_eq!(covered_by(&format!("{weak} {late}")), ["weak-late incremental"]);
    }

    #[test]
    fn variables_are_told_by_why_they_are_closed() {
        let guard = "local guard <close> = setmetatable({}, { __close = function() end }) ";
        let open = "local x local function f() return x end ";
        let cases = [
            (format!("do {open} end"), "close-upvalue block resting"),
            (format!("for _ = 1, 1 do {open} break end"), "close-upvalue block resting"),
            (format!("(function() {open} return 1, f end)()"), "close-upvalue return resting"),
            (format!("pcall(function() {open} error('e') end)"), "close-upvalue error resting"),
            (format!("load(function() {open} error('e') end)"), "close-upvalue nested-error resting"),
            (
                format!(
                    "local c = coroutine.create(function() {open} coroutine.yield() end) coroutine.resume(c) coroutine.close(c)"
                ),
                "close-upvalue coroutine-close resting",
            ),
            (format!("pcall(coroutine.wrap(function() {open} error('e') end))"), "close-upvalue wrap-error resting"),
            (format!("collectgarbage('generational') do {open} end"), "close-upvalue block generational"),
            (format!("do {guard} end"), "close-variable block no-barriers"),
            (format!("pcall(function() {guard} error('e') end)"), "close-variable error"),
            (format!("{guard} os.exit(true, true)"), "close-variable state-close"),
        ];
        for (program, expected) in cases {
            let covered = covered_by(&program);
            assert!(covered.iter().any(|cell| cell == expected), "{program}: {covered:?}");
        }
    }

    #[test]
    fn the_end_of_a_state_is_told_by_its_objects_and_the_collector() {
        let ended = |mode: &str| {
            let program =
                format!("collectgarbage('{mode}') x = setmetatable({{}}, {{ __gc = print }}) os.exit(true, true)");
            covered_by(&program).into_iter().filter(|cell| cell.starts_with("close-state")).collect::<Vec<_>>()
        };
        assert_eq!(ended("incremental"), ["close-state table resting", "close-state userdata resting"]);
        assert_eq!(ended("generational"), ["close-state table generational", "close-state userdata generational"]);
    }

    #[test]
    fn steps_while_a_chunk_is_loaded_are_told_by_the_chunk() {
        let text = "local text = 'x = 1.5; return function() return \"' .. ('y'):rep(100) .. '\" end'";
        let small = "collectgarbage('incremental', 100, 100, 1) for i = 1, 200 do load(";
        for (chunk, begin) in [
            ("text", "load text string "),
            ("coroutine.wrap(function() coroutine.yield(text) end)", "load text reader "),
            ("dumped", "load binary string "),
        ] {
            let covered = covered_by(&format!("{text} local dumped = string.dump(load(text)) {small}{chunk}) end"));
            assert!(covered.iter().any(|cell| cell.starts_with(begin)), "{chunk}: {covered:?}");
            let others = covered.iter().filter(|cell| cell.starts_with("load") && !cell.starts_with(begin));
            // The one load that was dumped may have steps too.
            assert!(others.clone().all(|cell| cell.starts_with("load text string")), "{chunk}: {covered:?}");
        }
    }

    #[test]
    fn only_reachable_cells_count_and_each_once() {
        let mut coverage = Coverage::new(&Policy::LUA_54);
        let reachable: Vec<u16> =
            (0..CELLS).filter(|&index| coverage.states[index] == State::Missing).map(|index| index as u16).collect();
        assert_eq!(coverage.reachable(), reachable.len());
        let every: Vec<u16> = (0..CELLS).map(|index| index as u16).collect();
        coverage.add(&reachable[..7]);
        assert_eq!((coverage.covered(), coverage.summary().missing.len()), (7, reachable.len() - 7));
        coverage.add(&every);
        coverage.add(&every);
        assert_eq!((coverage.covered(), coverage.summary().missing.len()), (reachable.len(), 0));
    }
}
