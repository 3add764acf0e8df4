//! What is known of a finding, as plain data.
//!
//! It is gathered where the heap is, in a worker process, and rendered elsewhere, so it borrows nothing and refers to
//! objects by the words that stood for them at that moment. It holds facts only; the sentences are made in `prose`.

use moonphase_heap::{self as heap, Kind, Location, Site};
use moonphase_invariants::{BarrierRecord, History, Moment, ObjectInfo, StoreRecord, Violation};
use serde::{Deserialize, Serialize};

use crate::coverage::Unreachable;
use crate::outcome;

/// What is known of a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Explanation {
    /// An invariant does not hold.
    Violation(Box<Broken>),
    /// A store met a state of the collector that it cannot meet.
    Unreachable(State),
    /// The outcome differs from the reference's.
    Difference(Difference),
    /// An engine died, hung or panicked.
    Crash(Crash),
    /// A second run, made to explain it, did not show the finding.
    NotRepeated,
}

/// An invariant that does not hold, and how that came about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The name of the invariant.
    pub invariant: String,
    /// What is wrong, in the checker's words.
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
    pub edge: Option<String>,
    /// How a root leads to the target.
    pub path: Vec<Step>,
    /// How the holder became black, if it is.
    pub blackened: Option<Blackened>,
    /// When the target was freed, if it was.
    pub freed: Option<When>,
    /// Who wrote the reference.
    pub store: Option<Store>,
}

/// An object in the words of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thing {
    /// Its number.
    pub id: u32,
    /// What it is.
    pub kind: String,
    /// Enough to tell it from others: `upvalue 'cfg'#8`.
    pub name: String,
    /// What else tells a person which one it is: `of closure 'f'#20 (case.lua:3)`. May be empty.
    pub particulars: String,
    /// Its colour then. `None` where it is not known.
    pub shade: Option<Shade>,
    /// Where it was made.
    pub made: Option<Place>,
}

/// The colour of an object, or that it has none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Shade {
    White,
    OtherWhite,
    Gray,
    Black,
    Freed,
}

/// A place in a program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The chunk, as Lua's messages name it; `None` for the script that was run.
    pub chunk: Option<String>,
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
    pub phase: String,
    /// The line that the script was at.
    pub place: Option<Place>,
}

/// One reference on the way from a root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Why the object before refers to this one; the name of the root in the first step.
    pub label: String,
    /// The object that is referred to.
    pub object: Thing,
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
    /// The name of the site that wrote the reference.
    pub site: String,
    /// The line that the script was at.
    pub place: Option<Place>,
}

/// The write of a reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Store {
    /// The name of the site.
    pub site: String,
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

/// Which side of a reference a barrier changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// Marks the child.
    Forward,
    /// Makes the parent gray again.
    Backward,
}

/// The first difference between what two engines did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The name of our engine.
    pub our_name: String,
    /// The name of the reference.
    pub reference_name: String,
    /// Where, and what each did there.
    pub difference: outcome::Difference,
}

/// A state of the collector that a store cannot meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Its name.
    pub cell: String,
    /// The rule against it.
    pub rule: String,
    /// What the rule says.
    pub sentence: String,
    /// The code that it follows from.
    pub source: String,
}

/// The death of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crash {
    /// What was running, such as `reference`.
    pub stage: String,
    /// How it died, such as `SIGSEGV`.
    pub death: String,
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

    /// A store that cannot be.
    pub fn of_unreachable(Unreachable { cell, rule }: Unreachable) -> Explanation {
        Explanation::Unreachable(State {
            cell: cell.to_string(),
            rule: rule.name().to_owned(),
            sentence: rule.sentence().to_owned(),
            source: rule.source().to_owned(),
        })
    }

    /// A difference between what the named engines did.
    pub fn of_difference(difference: &outcome::Difference, our_name: &str, reference_name: &str) -> Explanation {
        Explanation::Difference(Difference {
            our_name: our_name.to_owned(),
            reference_name: reference_name.to_owned(),
            difference: difference.clone(),
        })
    }

    /// The death of whatever was running.
    pub fn of_crash(stage: &str, death: &str, stderr: &str) -> Explanation {
        Explanation::Crash(Crash { stage: stage.to_owned(), death: death.to_owned(), stderr: stderr.to_owned() })
    }
}

impl Place {
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
        let holder = parent.as_ref().filter(|holder| !holder.freed && holder.colour == heap::Colour::Black);
        Broken {
            invariant: self.violation.invariant.name().to_owned(),
            detail: self.violation.detail.clone(),
            seen: self.seen(),
            sound_until: self.violation.sound_until,
            holder: thing(parent),
            target: thing(child),
            edge: self.violation.edge.as_ref().map(ToString::to_string),
            path: self.path(),
            blackened: holder.and_then(|holder| self.blackened(holder.id)),
            freed: child.as_ref().and_then(|child| self.history.freed(child.id)).map(|moment| self.when(moment)),
            store: parent.as_ref().zip(child.as_ref()).and_then(|(parent, child)| self.store(parent.id, child.id)),
        }
    }

    fn seen(&self) -> When {
        When {
            event: self.violation.event,
            step: Some(self.history.steps()).filter(|&steps| steps > 0),
            phase: self.violation.phase.name().to_owned(),
            place: self.violation.location.as_ref().map(|location| self.place(location)),
        }
    }

    fn path(&self) -> Vec<Step> {
        let step = |step: &moonphase_invariants::PathStep| Step {
            label: step.label.to_string(),
            object: self.thing(&step.object),
        };
        self.violation.path.iter().map(step).collect()
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
            site: record.site.name().to_owned(),
            when: self.when(&record.moment),
            barriers: record.barriers.iter().map(|barrier| self.barrier(barrier, holder)).collect(),
        }
    }

    fn store_under_way(&self, site: Site, holder: u32, target: u32) -> Option<Store> {
        let last = self.history.last_barrier()?;
        let concerned = last.site == site && last.parent.0 == holder && last.child.0 == target;
        concerned.then(|| Store {
            site: site.name().to_owned(),
            when: self.seen(),
            barriers: vec![self.barrier(last, holder)],
        })
    }

    fn barrier(&self, record: &BarrierRecord, holder: u32) -> Barrier {
        let (parent, child) = (record.parent, record.child);
        Barrier {
            direction: match record.direction {
                heap::Direction::Forward => Direction::Forward,
                heap::Direction::Backward => Direction::Backward,
            },
            parent: self.thing_of_history(parent.0, parent.1, Some(record.colours.0.into())),
            child: self.thing_of_history(child.0, child.1, Some(record.colours.1.into())),
            acted: record.acted,
            link: if parent.0 == holder { None } else { self.link(parent.0, holder) },
        }
    }

    /// How one object came to refer to another one.
    fn link(&self, from: u32, to: u32) -> Option<Link> {
        let record = self.history.store_of(from, to)?;
        let place = record.moment.location.as_ref().map(|location| self.place(location));
        Some(Link { site: record.site.name().to_owned(), place })
    }

    fn thing(&self, info: &ObjectInfo) -> Thing {
        let made = info.made_at.as_ref();
        Thing {
            id: info.id,
            kind: info.kind.name().to_owned(),
            name: info.short_name().to_string(),
            particulars: info.particulars().to_string(),
            shade: Some(if info.freed { Shade::Freed } else { info.colour.into() }),
            made: made.map(|place| self.place(place)),
        }
    }

    /// An object of which there may be no more than its number.
    fn thing_of_history(&self, id: u32, kind: Kind, shade: Option<Shade>) -> Thing {
        let Violation { parent, child, path, .. } = self.violation;
        let named = parent.iter().chain(child).chain(path.iter().map(|step| &step.object)).find(|info| info.id == id);
        if let Some(info) = named {
            let thing = self.thing(info);
            return Thing { shade: shade.or(thing.shade), ..thing };
        }
        let (name, particulars) = match self.history.party(id) {
            Some(info) => (info.short_name().to_string(), info.particulars().to_string()),
            None => (format!("{kind}#{id}"), String::new()),
        };
        let made = self.history.made(id).and_then(|moment| moment.location.as_ref());
        Thing { id, kind: kind.name().to_owned(), name, particulars, shade, made: made.map(|place| self.place(place)) }
    }

    fn when(&self, moment: &Moment) -> When {
        When {
            event: moment.event,
            step: Some(moment.step),
            phase: moment.phase.name().to_owned(),
            place: moment.location.as_ref().map(|location| self.place(location)),
        }
    }

    fn place(&self, location: &Location) -> Place {
        let chunk = if location.source == self.chunk {
            None
        } else {
            Some(Location { line: 0, ..location.clone() }.to_string())
        };
        Place { chunk, line: location.line }
    }
}

impl From<heap::Colour> for Shade {
    fn from(colour: heap::Colour) -> Shade {
        match colour {
            heap::Colour::White => Shade::White,
            heap::Colour::OtherWhite => Shade::OtherWhite,
            heap::Colour::Gray => Shade::Gray,
            heap::Colour::Black => Shade::Black,
        }
    }
}

impl std::fmt::Display for Shade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Shade::White => heap::Colour::White.name(),
            Shade::OtherWhite => heap::Colour::OtherWhite.name(),
            Shade::Gray => heap::Colour::Gray.name(),
            Shade::Black => heap::Colour::Black.name(),
            Shade::Freed => "freed",
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.chunk, self.line) {
            (None, 0) => f.write_str("the script"),
            (None, line) => write!(f, "line {line}"),
            (Some(chunk), 0) => f.write_str(chunk),
            (Some(chunk), line) => write!(f, "{chunk}:{line}"),
        }
    }
}
