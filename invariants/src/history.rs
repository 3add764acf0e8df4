//! What happened to each object, recorded to explain a finding.
//!
//! It costs an entry for each object and each store, so it is not for finding but for a second run of the same script,
//! which is the same to the collector step.

use crate::{ObjectInfo, Violation};
use moonphase_heap::{Colour, Direction, Event, Kind, Location, Names, Phase, Site};
use std::collections::HashMap;

/// When and where something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The number of the last event before it.
    pub event: u64,
    /// Steps of the collector that had begun, over the whole run.
    pub step: u64,
    /// Where the collector was.
    pub phase: Phase,
    /// The line that the script was at.
    pub location: Option<Location>,
}

/// A barrier that was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarrierRecord {
    /// Where.
    pub site: Site,
    /// Which way it works.
    pub direction: Direction,
    /// The number and kind of the object that it took for the holder.
    pub parent: (u32, Kind),
    /// The number and kind of what was stored.
    pub child: (u32, Kind),
    /// The colours of parent and child after it.
    pub colours: (Colour, Colour),
    /// Whether it changed a colour.
    pub acted: bool,
}

/// A reference that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRecord {
    /// Where.
    pub site: Site,
    /// When.
    pub moment: Moment,
    /// The number and kind of what was stored.
    pub new: (u32, Kind),
    /// The number and kind of what was there before, where that is known and was an object.
    pub old: Option<(u32, Kind)>,
    /// The barriers that the site called for it; none if it forgot to.
    pub barriers: Vec<BarrierRecord>,
}

/// What is known of every object, by its number.
#[derive(Default)]
pub struct History {
    made: HashMap<u32, Moment>,
    marked: HashMap<u32, Moment>,
    marked_through: HashMap<u32, (u32, Kind)>,
    blackened: HashMap<u32, Moment>,
    freed: HashMap<u32, Moment>,
    last_store: HashMap<u32, StoreRecord>,
    stores: HashMap<(u32, u32), StoreRecord>,
    /// Barriers of the store that is under way.
    pending: Vec<BarrierRecord>,
    /// Whether a store was told since the last barrier: the barriers before it are done with.
    stored: bool,
    steps: u64,
    /// The object that this step of propagation traverses.
    traversing: Option<(u32, Kind)>,
    parties: HashMap<u32, ObjectInfo>,
}

impl History {
    /// When the object was made. `None` for those made before recording began, such as the library.
    pub fn made(&self, id: u32) -> Option<&Moment> {
        self.made.get(&id)
    }

    /// When the collector last found the object.
    pub fn marked(&self, id: u32) -> Option<&Moment> {
        self.marked.get(&id)
    }

    /// The object whose traversal last found this one. `None` for those found as roots or by a barrier.
    pub fn marked_through(&self, id: u32) -> Option<(u32, Kind)> {
        self.marked_through.get(&id).copied()
    }

    /// When the object last became black.
    pub fn blackened(&self, id: u32) -> Option<&Moment> {
        self.blackened.get(&id)
    }

    /// When the object was freed.
    pub fn freed(&self, id: u32) -> Option<&Moment> {
        self.freed.get(&id)
    }

    /// The last store into an object.
    pub fn last_store(&self, holder: u32) -> Option<&StoreRecord> {
        self.last_store.get(&holder)
    }

    /// The last store of one object into another.
    pub fn store_of(&self, holder: u32, child: u32) -> Option<&StoreRecord> {
        self.stores.get(&(holder, child))
    }

    /// The last barrier that was called since the last step began.
    pub fn last_barrier(&self) -> Option<&BarrierRecord> {
        self.pending.last()
    }

    /// How many steps of the collector have begun.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What was known of an object that takes part in a violation without being named in it: the parents of the barriers
    /// of the store, and the objects by which these and the holder were found.
    pub fn party(&self, id: u32) -> Option<&ObjectInfo> {
        self.parties.get(&id)
    }

    /// Looks at the objects for [`History::party`] while there is a heap.
    pub(crate) fn meet_parties<H: Names>(&mut self, heap: H, violation: &Violation) {
        let (Some(parent), Some(child)) = (&violation.parent, &violation.child) else { return };
        let barriers = self.store_of(parent.id, child.id).map(|store| &store.barriers[..]).unwrap_or_default();
        let mut parties: Vec<u32> = barriers.iter().map(|barrier| barrier.parent.0).chain([parent.id]).collect();
        let found_through: Vec<u32> = parties.iter().filter_map(|&id| self.marked_through(id)).map(|it| it.0).collect();
        parties.extend(found_through);
        for object in heap.objects().filter(|&object| parties.contains(&heap.id(object))) {
            self.parties.insert(heap.id(object), ObjectInfo::of(heap, object));
        }
    }

    /// Notes an event. `number` is its own if it counts, else that of the last one that did.
    pub(crate) fn record<H: Names>(&mut self, number: u64, heap: H, event: &Event<'_, H::Object>) {
        if let Event::StepBegin(_) = event {
            self.steps += 1;
            self.traversing = None;
        }
        let step = self.steps;
        let moment = || Moment { event: number, step, phase: heap.phase(), location: heap.location() };
        let name = |object: H::Object| (heap.id(object), heap.kind(object));
        match *event {
            Event::Allocate(object) => {
                self.made.insert(heap.id(object), moment());
            }
            Event::Mark(object) => {
                self.marked.insert(heap.id(object), moment());
                match self.traversing {
                    Some(through) => self.marked_through.insert(heap.id(object), through),
                    None => self.marked_through.remove(&heap.id(object)),
                };
                // Told before the colour changes. These kinds become black at once.
                if heap.kind(object) == Kind::String
                    || heap.kind(object) == Kind::Upvalue && !heap.is_open_upvalue(object)
                {
                    self.blackened.insert(heap.id(object), moment());
                }
            }
            Event::Traverse(object) => {
                self.blackened.insert(heap.id(object), moment());
                self.traversing = Some(name(object));
            }
            Event::Traversed(_) | Event::StepEnd(..) => self.traversing = None,
            Event::CloseUpvalue { upvalue, .. } if heap.is_black(upvalue) => {
                self.blackened.insert(heap.id(upvalue), moment());
            }
            Event::Free(object) => {
                self.freed.insert(heap.id(object), moment());
            }
            Event::Barrier { site, direction, parent, child, acted } => {
                if std::mem::take(&mut self.stored) {
                    self.pending.clear();
                }
                let colours = (heap.colour(parent), heap.colour(child));
                let (parent, child) = (name(parent), name(child));
                self.pending.push(BarrierRecord { site, direction, parent, child, colours, acted });
            }
            Event::Store { site, holder, old, new, .. } => {
                self.stored = true;
                let belongs = |barrier: &&BarrierRecord| barrier.site == site && barrier.child.0 == heap.id(new);
                let barriers = self.pending.iter().filter(belongs).cloned().collect();
                let record = StoreRecord { site, moment: moment(), new: name(new), old: old.map(name), barriers };
                self.stores.insert((heap.id(holder), heap.id(new)), record.clone());
                self.last_store.insert(heap.id(holder), record);
            }
            Event::StepBegin(_) => self.pending.clear(),
            _ => {}
        }
    }
}
