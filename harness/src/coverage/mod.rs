//! State coverage: which combinations of site, phase and colours stores have met, of those that they can meet.
//!
//! A [`Cell`] is such a combination, as it was before the barrier. [`rule_against`] says which ones cannot occur under a
//! policy, and why; the others are *reachable*, and a campaign counts how many of them it has covered. Reaching one that
//! cannot occur is a finding: the collector is in a state that it must not be in, or a rule is wrong.
//!
//! It is a measure of scripts and schedules; nothing is steered by it, but for libFuzzer, which gets the cells as
//! counters.

mod cell;
mod rules;

use moonphase_heap::{Event, Heap};
use moonphase_vm::gc::Policy;
use serde::{Deserialize, Serialize};

pub use cell::{CELLS, Cell, CyclePart, UpvalueState};
pub use rules::{KeptBy, Rule, rule_against};

/// A store that should not have been possible.
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
    /// No rule of the VM is against it, but the generator does not go there.
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
}

impl Coverage {
    /// Nothing is covered yet.
    pub fn new(policy: &Policy) -> Coverage {
        let state = |index| {
            let rule = match Cell::at(index) {
                Some(cell) => rule_against(policy, cell),
                // The number of no cell, which no store has.
                None => return State::Beyond,
            };
            match rule {
                None => State::Missing,
                Some(rule) if rule.kept_by() == KeptBy::Generator => State::Beyond,
                Some(rule) => State::Excluded(rule),
            }
        };
        let states: Vec<State> = (0..CELLS).map(state).collect();
        let reachable = states.iter().filter(|&&state| state == State::Missing).count();
        Coverage { states, reachable, covered: 0, new: Vec::new() }
    }

    /// Notes a store.
    ///
    /// # Errors
    /// Its cell cannot occur.
    pub fn note<H: Heap>(&mut self, heap: H, event: &Event<'_, H::Object>) -> Result<(), Unreachable> {
        let Some(cell) = Cell::of(heap, event) else { return Ok(()) };
        let index = cell.index();
        if self.cover(index) {
            // There are fewer cells than 2^16.
            self.new.push(index as u16);
        }
        match self.states[index] {
            State::Excluded(rule) => Err(Unreachable { cell, rule }),
            State::Missing | State::Covered | State::Beyond => Ok(()),
        }
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
            Interests { stores: true, steps: false, idle: false, fine: false }
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
