//! Which states of the collector a campaign has driven stores into: what the progress line counts as *states covered*.
//!
//! A state is a site together with the collector's phase and the colours of holder and value at the store. It is a
//! measure of the scripts, not a guide: nothing is steered by it.

use moonphase_vm::gc::{Colour, Event, HeapView, Phase, Site};

/// Colours that a state tells apart.
const COLOURS: usize = 4;
/// Phases that a state tells apart.
const PHASES: usize = Phase::Pause as usize + 1;
/// How many states there can be.
pub const STATES: usize = Site::ALL.len() * PHASES * COLOURS * COLOURS;

/// The states seen so far.
#[derive(Clone, Debug)]
pub struct Coverage {
    seen: Vec<bool>,
    /// How many of them are.
    count: usize,
    new: Vec<u16>,
}

impl Default for Coverage {
    fn default() -> Self {
        Coverage { seen: vec![false; STATES], count: 0, new: Vec::new() }
    }
}

fn colour(colour: Colour) -> usize {
    match colour {
        Colour::White => 0,
        Colour::OtherWhite => 1,
        Colour::Gray => 2,
        Colour::Black => 3,
    }
}

impl Coverage {
    /// Notes a store.
    pub fn note(&mut self, heap: HeapView<'_>, event: &Event<'_>) {
        let Event::Store { site, holder, new, .. } = *event else { return };
        let mut state = site as usize;
        state = state * PHASES + heap.phase() as usize;
        state = state * COLOURS + colour(heap.colour(holder));
        state = state * COLOURS + colour(heap.colour(new));
        // There are fewer states than 2^16.
        let state = state as u16;
        if self.cover(state) {
            self.new.push(state);
        }
    }

    /// Notes that a state was seen. Says whether it is new.
    fn cover(&mut self, state: u16) -> bool {
        let new = self.seen.get_mut(state as usize).is_some_and(|seen| !std::mem::replace(seen, true));
        self.count += usize::from(new);
        new
    }

    /// The states that were new since the last call.
    pub fn take_new(&mut self) -> Vec<u16> {
        std::mem::take(&mut self.new)
    }

    /// Adds states that another process saw.
    pub fn add(&mut self, states: &[u16]) {
        for &state in states {
            self.cover(state);
        }
    }

    /// How many states were seen.
    pub fn count(&self) -> usize {
        self.count
    }
}

const _: () = assert!(STATES <= u16::MAX as usize + 1);
