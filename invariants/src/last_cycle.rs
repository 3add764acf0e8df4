//! What the last cycle that looked at all objects may have left behind by right.

use moonphase_heap::{Event, Heap, ListName, Phase, StepKind};

/// See the module.
pub(crate) struct LastCycle {
    /// The newest object when the cycle began: a younger one need not have been collected in it.
    newest_at_start: u32,
    /// The objects whose finalizers the cycle was to call, which only the next cycle can collect.
    finalized: Vec<u32>,
}

impl Default for LastCycle {
    fn default() -> LastCycle {
        LastCycle { newest_at_start: u32::MAX, finalized: Vec::new() }
    }
}

impl LastCycle {
    /// Whether an object, and what it leads to, may be left though nothing leads to it.
    pub(crate) fn excepts(&self, id: u32) -> bool {
        id > self.newest_at_start || self.finalized.contains(&id)
    }

    /// Something happened.
    pub(crate) fn follow<H: Heap>(&mut self, heap: H, event: &Event<'_, H::Object>) {
        match event {
            Event::StepBegin(StepKind::Turn) if heap.phase() == Phase::Pause => self.newest_at_start = heap.newest(),
            Event::StepBegin(StepKind::BeginMarking | StepKind::Major) => self.newest_at_start = heap.newest(),
            Event::StepEnd(StepKind::Turn, Phase::EnterAtomic) | Event::StepEnd(StepKind::Major, _) => {
                self.finalized.clear();
                // A list that is a circle is for the checks to find.
                let waiting = heap.list(ListName::ToBeFinalized).take(heap.newest() as usize);
                self.finalized.extend(waiting.map(|object| heap.id(object)));
            }
            _ => {}
        }
    }
}
