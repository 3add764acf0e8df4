//! Taking a snapshot of a heap.

use super::{Chain, Details, Place, Record, Snapshot};
use crate::{GrayList, Key, Kind, Label, ListName, Names};
use std::collections::{HashMap, HashSet};

pub(super) fn capture<H: Names>(heap: H) -> Snapshot {
    let mut places = Places { heap, known: HashMap::new(), order: Vec::new() };
    let mut roots = Vec::new();
    heap.single_roots(|root, object| roots.push((root, places.of(object))));
    let running_thread = heap.running_thread();
    let stack = running_thread.map(|thread| heap.stack(thread, 0..u32::MAX).collect::<Vec<_>>()).unwrap_or_default();
    let mut snapshot = Snapshot {
        rules: heap.rules(),
        phase: heap.phase(),
        mode: heap.mode(),
        bytes: heap.bytes() as u64,
        pacing: heap.pacing(),
        newest: heap.newest(),
        location: heap.location(),
        destination: heap.destination(),
        depth: u32::try_from(heap.depth()).unwrap_or(u32::MAX),
        objects: Vec::new(),
        lists: ListName::ALL.map(|list| places.chain(heap.list(list))),
        gray_lists: GrayList::ALL.map(|list| places.all(heap.gray_list(list))),
        waited: places.all(heap.waited()),
        interned: places.chain(heap.interned()),
        quarantined: places.all(heap.quarantined()),
        generations: ListName::ALL.map(|list| heap.generations(list).map(|start| start.map(|first| places.of(first)))),
        first_old1: heap.first_old1().map(|object| places.of(object)),
        running_thread: running_thread.map(|thread| places.of(thread)),
        stack: stack.into_iter().map(|object| object.map(|object| places.of(object))).collect(),
        roots,
    };
    // Each record may lead to objects that come after it.
    while let Some(&object) = places.order.get(snapshot.objects.len()) {
        snapshot.objects.push(places.record(object));
    }
    snapshot
}

/// The objects that were met, in the order of their places.
struct Places<H: Names> {
    heap: H,
    known: HashMap<H::Object, Place>,
    order: Vec<H::Object>,
}

impl<H: Names> Places<H> {
    /// The place of an object, a new one if it was not met before.
    fn of(&mut self, object: H::Object) -> Place {
        *self.known.entry(object).or_insert_with(|| {
            self.order.push(object);
            // Objects have numbers of 32 bits.
            Place(self.order.len() as u32 - 1)
        })
    }

    fn all(&mut self, objects: impl Iterator<Item = H::Object>) -> Vec<Place> {
        objects.map(|object| self.of(object)).collect()
    }

    /// A list, up to the first object that comes a second time.
    fn chain(&mut self, objects: impl Iterator<Item = H::Object>) -> Chain {
        let mut chain = Chain::default();
        let mut seen = HashSet::new();
        for object in objects {
            let place = self.of(object);
            if !seen.insert(place) {
                chain.circle = chain.members.iter().position(|&member| member == place).map(|at| at as u32);
                break;
            }
            chain.members.push(place);
        }
        chain
    }

    fn record(&mut self, object: H::Object) -> Record {
        let heap = self.heap;
        let (kind, freed) = (heap.kind(object), heap.is_freed(object));
        let mut references = Vec::new();
        heap.references(object, |edge| references.push(edge));
        let mut empty_keys = Vec::new();
        heap.empty_keys(object, |edge| {
            if let Label::EmptyKey(entry) = edge.label {
                empty_keys.push((entry, edge.target));
            }
        });
        let keys = references.iter().filter_map(|edge| match edge.label {
            Label::Entry(entry) | Label::Key(entry) => Some((entry, heap.key(object, entry)?)),
            _ => None,
        });
        let mut keys: Vec<(u32, Key)> = keys.collect();
        keys.dedup();
        Record {
            id: heap.id(object),
            kind,
            colour: heap.colour(object),
            age: heap.age(object),
            freed,
            fixed: heap.is_fixed(object),
            finalizer: heap.has_finalizer(object),
            // The parts of a freed object may be gone.
            size: if freed { 0 } else { heap.size(object) as u64 },
            weakness: if freed { crate::Weakness::None } else { heap.weakness(object) },
            definition: if freed { None } else { heap.definition(object) },
            details: if freed { Details::None } else { self.details(object, kind) },
            references: references.into_iter().map(|edge| edge.map(|target| self.of(target))).collect(),
            keys,
            empty_keys: empty_keys.into_iter().map(|(entry, target)| (entry, self.of(target))).collect(),
        }
    }

    fn details(&mut self, object: H::Object, kind: Kind) -> Details {
        let heap = self.heap;
        // How many references an object has whose labels count on from 0.
        let count = |place_in: fn(Label) -> Option<u32>| {
            let mut count = 0;
            heap.references(object, |edge| {
                count = place_in(edge.label).map_or(count, |place| count.max(place + 1));
            });
            count
        };
        match kind {
            Kind::String => Details::String {
                contents: heap.contents(object).unwrap_or_default(),
                short: heap.is_short_string(object),
                interned: heap.is_interned(object),
            },
            Kind::Closure => {
                let upvalues = count(|label| if let Label::Upvalue(index) = label { Some(index) } else { None });
                Details::Closure {
                    prototype: heap.prototype(object).map(|prototype| self.of(prototype)),
                    upvalue_names: (0..upvalues).map(|index| heap.upvalue_name(object, index)).collect(),
                }
            }
            Kind::NativeClosure => Details::NativeClosure { name: heap.native_name(object) },
            Kind::Prototype => {
                let nested = count(|label| if let Label::Nested(index) = label { Some(index) } else { None });
                Details::Prototype {
                    nested_names: (0..nested).map(|index| heap.nested_name(object, index as usize)).collect(),
                    method: heap.is_method(object),
                }
            }
            Kind::Thread => {
                let live = heap.live_stack(object);
                Details::Thread {
                    live,
                    open_upvalues: self.all(heap.open_upvalues(object).into_iter()),
                    slot_names: (0..live).map(|slot| heap.slot_name(object, slot)).collect(),
                }
            }
            Kind::Upvalue => Details::Upvalue {
                open: heap.is_open_upvalue(object),
                slot: heap.upvalue_slot(object).map(|(thread, slot)| (self.of(thread), slot)),
                holders: heap.holders(object),
            },
            Kind::Table | Kind::Userdata => Details::None,
        }
    }
}
