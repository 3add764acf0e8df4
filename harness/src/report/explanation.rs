//! What is known of a finding, as plain data.
//!
//! It is gathered where the heap is, in a worker process, and rendered elsewhere, so it borrows nothing: objects are what
//! was known of them at that moment. It holds facts only, each as what it is and not as a word for it; the sentences are
//! made in `prose`, and nothing is read back out of them.

use moonphase_heap::{Colour, Direction, Kind, Location, NamedLabel, Phase, Site};
use moonphase_invariants::{BarrierRecord, History, Invariant, Moment, ObjectInfo, PathStep, StoreRecord, Violation};
use serde::{Deserialize, Serialize};

use crate::coverage::Unreachable;
use crate::engine::Activity;
use crate::engine::sanitizer::ToolReport;
use crate::outcome::Difference;

/// What is known of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Explanation {
    /// An invariant does not hold.
    Violation(Box<Broken>),
    /// A store met a state of the collector that it cannot meet.
    Unreachable(Unreachable),
    /// The outcomes of two runs differ.
    Disagreement(Disagreement),
    /// An engine died, hung or panicked.
    Crash(Crash),
    /// A second run, made to explain it, did not show the finding.
    NotRepeated,
}

/// An invariant that does not hold, and how that came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Which one.
    pub invariant: Invariant,
    /// What is wrong, in a sentence of the checker's for people.
    pub detail: String,
    /// When it was seen.
    pub seen: When,
    /// The last event at which the whole heap was found sound.
    pub sound_until: u64,
    /// The object that refers to the target.
    pub holder: Option<Thing>,
    /// The object that is wrong, or that must not be referred to.
    pub target: Option<Thing>,
    /// Why the holder refers to the target.
    pub edge: Option<NamedLabel>,
    /// How a root leads to the target.
    pub path: Vec<PathStep>,
    /// How the holder became black, if it is.
    pub blackened: Option<Blackened>,
    /// When the target was freed, if it was.
    pub freed: Option<When>,
    /// Who wrote the reference.
    pub store: Option<Store>,
    /// What was done right before, where the heap is looked at between instructions.
    pub deed: Option<Deed>,
}

/// What a Lua did between two neighbouring looks at its heap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// Whether a native function did it; else one instruction.
    pub native: bool,
    /// The native function, as `debug.setupvalue`, or the instruction, as `SETUPVAL`; `None` where it has no name.
    pub name: Option<String>,
    /// The function of the API that was called last meanwhile, of those that may write.
    pub api: Option<String>,
    /// The line.
    pub place: Option<Place>,
    /// The Lua function that the native function was given, or that executed the instruction.
    pub closure: Option<Thing>,
    /// Whether the closure has the holder as an upvalue.
    pub closure_has_holder: bool,
    /// Whether the reference was written: it was not there before.
    pub wrote: bool,
    /// Whether the collector worked meanwhile.
    pub worked: bool,
    /// How many barriers acted meanwhile.
    pub barriers: u32,
}

/// An object that a report speaks of, as it was at the moment that the report speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Which object it is.
    pub identity: Identity,
    /// Its colour then. `None` where it is not known.
    pub shade: Option<Shade>,
    /// Where it was made.
    pub made: Option<Place>,
}

/// Which object it is: as much as is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Identity {
    /// What was seen of it while there was a heap. Its colour and age are those of that moment.
    Met(ObjectInfo),
    /// Only the history tells of it.
    Told {
        /// Its number.
        id: u32,
        /// What it is.
        kind: Kind,
    },
}

/// The colour of an object, or that it has none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shade {
    /// It has a colour.
    Of(Colour),
    /// It was freed.
    Freed,
}

/// A place in a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The chunk's name as given to `load`; `None` for the script that was run.
    pub chunk: Option<Vec<u8>>,
    /// The line, from 1; 0 for the chunk as a whole.
    pub line: u32,
}

/// A moment of a run. The same run of the same script has it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct When {
    /// The number of the event.
    pub event: u64,
    /// Steps of the collector that had begun; `None` where they were not counted.
    pub step: Option<u64>,
    /// Where the collector was.
    pub phase: Phase,
    /// The line that the script was at.
    pub place: Option<Place>,
}

/// How an object became black.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blackened {
    /// When.
    pub when: When,
    /// The object whose traversal led to it.
    pub through: Option<Thing>,
    /// How that object came to refer to it.
    pub link: Option<Link>,
}

/// How one object came to refer to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The site that wrote the reference.
    pub site: Site,
    /// The line that the script was at.
    pub place: Option<Place>,
}

/// The write of a reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// Where in the VM.
    pub site: Site,
    /// When.
    pub when: When,
    /// The barriers that the site called for it.
    pub barriers: Vec<Barrier>,
}

/// A call of a write barrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// Which way it works.
    pub direction: Direction,
    /// What it took for the holder, with its colour after the barrier.
    pub parent: Thing,
    /// What was stored, with its colour after the barrier.
    pub child: Thing,
    /// Whether it changed a colour.
    pub acted: bool,
    /// How the parent came to refer to the true holder, if it is another object and does.
    pub link: Option<Link>,
}

/// What is different about two runs that should do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Between {
    /// The engine.
    Engines,
    /// The schedule of the collector.
    Schedules,
    /// Whether hooks look on.
    Hooks,
}

/// Two runs that did not do the same: of two engines, or of one under two schedules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// What is different about the runs.
    pub between: Between,
    /// The name of our run.
    pub our_name: String,
    /// The name of the run that it was compared with.
    pub reference_name: String,
    /// Where they differ first, and what each did there.
    pub difference: Difference,
}

/// The death of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// What was running.
    pub activity: Activity,
    /// How it died, such as `SIGSEGV`; `None` where it was killed at the deadline.
    pub death: Option<String>,
    /// What a sanitizer has reported before it ended it.
    pub sanitized: Option<ToolReport>,
    /// The end of what it wrote to standard error.
    pub stderr: String,
}

impl Explanation {
    /// What is known of a violation. `history` is what the checker recorded, and `chunk` the name of the script's
    /// chunk: places in it can be shown in the script's text.
    pub fn of_violation(violation: &Violation, history: &History, chunk: &[u8]) -> Explanation {
        let source = Source { violation, history, chunk };
        Explanation::Violation(Box::new(source.broken()))
    }

    /// The same with what was done right before.
    pub fn with_deed(mut self, deed: Option<Deed>) -> Explanation {
        if let Explanation::Violation(broken) = &mut self {
            broken.deed = deed;
        }
        self
    }

    /// A difference between what the named runs did.
    pub fn of_difference(
        difference: &Difference,
        between: Between,
        our_name: &str,
        reference_name: &str,
    ) -> Explanation {
        Explanation::Disagreement(Disagreement {
            between,
            our_name: our_name.to_owned(),
            reference_name: reference_name.to_owned(),
            difference: difference.clone(),
        })
    }

    /// The death of whatever was running, which the deadline ended where there is no other `death`.
    pub fn of_crash(
        activity: Activity,
        death: Option<&str>,
        sanitized: Option<ToolReport>,
        stderr: &str,
    ) -> Explanation {
        Explanation::Crash(Crash { activity, death: death.map(str::to_owned), sanitized, stderr: stderr.to_owned() })
    }
}

impl Thing {
    /// An object as it was seen.
    pub(crate) fn of(info: ObjectInfo) -> Thing {
        Thing { shade: Some(Shade::of(&info)), identity: Identity::Met(info), made: None }
    }

    /// The number of the object.
    pub fn id(&self) -> u32 {
        match &self.identity {
            Identity::Met(info) => info.id,
            Identity::Told { id, .. } => *id,
        }
    }

    /// What the object is.
    pub fn kind(&self) -> Kind {
        match &self.identity {
            Identity::Met(info) => info.kind,
            Identity::Told { kind, .. } => *kind,
        }
    }

    /// Enough to tell it from others: `upvalue 'cfg'#8`.
    pub fn name(&self) -> String {
        match &self.identity {
            Identity::Met(info) => info.short_name().to_string(),
            Identity::Told { id, kind } => format!("{kind}#{id}"),
        }
    }

    /// The name with what else tells a person which one it is: `upvalue 'cfg'#8 of closure 'f'#20 (case.lua:3)`.
    pub fn full_name(&self) -> String {
        let particulars = match &self.identity {
            Identity::Met(info) => info.particulars().to_string(),
            Identity::Told { .. } => String::new(),
        };
        if particulars.is_empty() { self.name() } else { format!("{} {particulars}", self.name()) }
    }
}

impl Shade {
    /// The shade that an object was seen in.
    pub fn of(info: &ObjectInfo) -> Shade {
        if info.freed { Shade::Freed } else { Shade::Of(info.colour) }
    }
}

impl Place {
    /// A place, which is in the script if its chunk is `chunk`.
    pub(crate) fn of(location: &Location, chunk: &[u8]) -> Place {
        let own = location.source == chunk;
        Place { chunk: (!own).then(|| location.source.clone()), line: location.line }
    }

    /// The line, if it is one of the script.
    pub fn line_of_script(&self) -> Option<u32> {
        (self.chunk.is_none() && self.line > 0).then_some(self.line)
    }
}

/// Where the facts come from.
struct Source<'a> {
    violation: &'a Violation,
    history: &'a History,
    chunk: &'a [u8],
}

impl Source<'_> {
    fn broken(&self) -> Broken {
        let Violation { parent, child, .. } = self.violation;
        let thing = |info: &Option<ObjectInfo>| info.as_ref().map(|info| self.thing(info));
        let holder = parent.as_ref().filter(|holder| !holder.freed && holder.colour == Colour::Black);
        Broken {
            invariant: self.violation.invariant,
            detail: self.violation.detail.clone(),
            seen: self.seen(),
            sound_until: self.violation.sound_until,
            holder: thing(parent),
            target: thing(child),
            edge: self.violation.edge.clone(),
            path: self.violation.path.clone(),
            blackened: holder.and_then(|holder| self.blackened(holder.id)),
            freed: child.as_ref().and_then(|child| self.history.freed(child.id)).map(|moment| self.when(moment)),
            store: parent.as_ref().zip(child.as_ref()).and_then(|(parent, child)| self.store(parent.id, child.id)),
            deed: None,
        }
    }

    fn seen(&self) -> When {
        When {
            event: self.violation.event,
            step: Some(self.history.steps()).filter(|&steps| steps > 0),
            phase: self.violation.phase,
            place: self.violation.location.as_ref().map(|location| self.place(location)),
        }
    }

    fn blackened(&self, id: u32) -> Option<Blackened> {
        // Some kinds of objects become black when they are marked, without a turn of their own.
        let moment = self.history.blackened(id).or_else(|| self.history.marked(id))?;
        let through = self.history.marked_through(id);
        Some(Blackened {
            when: self.when(moment),
            through: through.map(|(through, kind)| self.thing_of_history(through, kind, None)),
            link: through.and_then(|(through, _)| self.link(through, id)),
        })
    }

    /// The store of the reference that is wrong.
    fn store(&self, holder: u32, target: u32) -> Option<Store> {
        let record = self.history.store_of(holder, target);
        match (self.violation.site, record) {
            // A barrier broke it, and the store itself is not told yet; what is recorded is an older one.
            (Some(site), record) if record.is_none_or(|record| record.moment.event != self.violation.event) => {
                self.store_under_way(site, holder, target)
            }
            (_, record) => record.map(|record| self.stored(record, holder)),
        }
    }

    fn stored(&self, record: &StoreRecord, holder: u32) -> Store {
        Store {
            site: record.site,
            when: self.when(&record.moment),
            barriers: record.barriers.iter().map(|barrier| self.barrier(barrier, holder)).collect(),
        }
    }

    fn store_under_way(&self, site: Site, holder: u32, target: u32) -> Option<Store> {
        let last = self.history.last_barrier()?;
        let concerned = last.site == site && last.parent.0 == holder && last.child.0 == target;
        concerned.then(|| Store { site, when: self.seen(), barriers: vec![self.barrier(last, holder)] })
    }

    fn barrier(&self, record: &BarrierRecord, holder: u32) -> Barrier {
        let (parent, child) = (record.parent, record.child);
        Barrier {
            direction: record.direction,
            parent: self.thing_of_history(parent.0, parent.1, Some(record.colours.0)),
            child: self.thing_of_history(child.0, child.1, Some(record.colours.1)),
            acted: record.acted,
            link: if parent.0 == holder { None } else { self.link(parent.0, holder) },
        }
    }

    /// How one object came to refer to another one.
    fn link(&self, from: u32, to: u32) -> Option<Link> {
        let record = self.history.store_of(from, to)?;
        let place = record.moment.location.as_ref().map(|location| self.place(location));
        Some(Link { site: record.site, place })
    }

    fn thing(&self, info: &ObjectInfo) -> Thing {
        Thing {
            identity: Identity::Met(info.clone()),
            shade: Some(Shade::of(info)),
            made: info.made_at.as_ref().map(|place| self.place(place)),
        }
    }

    /// An object of which there may be no more than its number. `colour` is what it had at the moment in question.
    fn thing_of_history(&self, id: u32, kind: Kind, colour: Option<Colour>) -> Thing {
        let shade = colour.map(Shade::Of);
        let Violation { parent, child, path, .. } = self.violation;
        let named = parent.iter().chain(child).chain(path.iter().map(|step| &step.object)).find(|info| info.id == id);
        if let Some(info) = named {
            let thing = self.thing(info);
            return Thing { shade: shade.or(thing.shade), ..thing };
        }
        let identity = match self.history.party(id) {
            Some(info) => Identity::Met(info.clone()),
            None => Identity::Told { id, kind },
        };
        let made = self.history.made(id).and_then(|moment| moment.location.as_ref());
        Thing { identity, shade, made: made.map(|place| self.place(place)) }
    }

    fn when(&self, moment: &Moment) -> When {
        When {
            event: moment.event,
            step: Some(moment.step),
            phase: moment.phase,
            place: moment.location.as_ref().map(|location| self.place(location)),
        }
    }

    fn place(&self, location: &Location) -> Place {
        Place::of(location, self.chunk)
    }
}

impl std::fmt::Display for Shade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Shade::Of(colour) => colour.name(),
            Shade::Freed => "freed",
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.chunk, self.line) {
            (None, 0) => f.write_str("the script"),
            (None, line) => write!(f, "line {line}"),
            (Some(chunk), line) => Location { source: chunk.clone(), line }.fmt(f),
        }
    }
}
