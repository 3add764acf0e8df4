//! From the VM's events to facts.
//!
//! The names of upvalues and prototypes are known only some events after they were made; their allocation is told then.

use std::any::Any;
use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;

use moonphase_vm::gc::{
    CaptureOrigin, Direction, Event, HeapView, Interests, Kind, Label, ObjectView, Observer, Phase, StepKind, Strength,
};

use super::Traced;
use super::fact::{Edge, EventKind, Fact, Few, Origin, Record};
use super::filter::Filter;
use super::names::Names;
use super::page::Page;

/// Objects of a list that are named; of more there is the number.
const LISTED: usize = 8;
/// The upvalue through which functions reach the globals. Nearly all have it, so it says little.
const ENVIRONMENT: &str = "_ENV";
/// The word for the current white.
const WHITE: &str = "white";
/// The word for gray.
const GRAY: &str = "gray";
/// The word for black.
const BLACK: &str = "black";

/// How far a cycle of the collector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is none.
    Idle,
    /// Not swept yet.
    Marking,
    /// The sweep has begun: what is marked from now on belongs to the next cycle.
    Sweeping,
}

/// An object whose references are being marked.
struct Traversal {
    id: u32,
    /// What it refers to, where what is marked next may be found in another way.
    targets: Option<HashSet<u32>>,
}

/// The observer that writes a trace.
pub struct Tracer {
    names: Names,
    filter: Filter,
    page: Page,
    /// Whether the script's run has begun: all before it is the library.
    running: bool,
    /// Events of the VM so far.
    number: u64,
    /// Cycles that have begun.
    cycle: u64,
    stage: Stage,
    freed: u64,
    steps: u64,
    in_step: bool,
    /// Whether a prototype gets its constants and names: the strings of the compiler.
    loading: bool,
    traversing: Option<Traversal>,
    /// The object that was marked by the event before, which has no turn of its own.
    marked: Option<Traversal>,
    /// What the script has written of a line.
    line: Vec<u8>,
    dangling: bool,
    failure: Option<io::Error>,
}

impl Tracer {
    /// A tracer of a script in this file. `sound` says that no freed object will be met.
    pub fn new(page: Page, filter: Filter, file: &str, sound: bool) -> Tracer {
        Tracer {
            names: Names::new(file, filter.objects(), sound),
            filter,
            page,
            running: false,
            number: 0,
            cycle: 0,
            stage: Stage::Idle,
            freed: 0,
            steps: 0,
            in_step: false,
            loading: false,
            traversing: None,
            marked: None,
            line: Vec::new(),
            dangling: false,
            failure: None,
        }
    }

    /// The script's run begins.
    pub fn begin(&mut self, view: HeapView<'_>) {
        self.names.begin(view);
        self.running = true;
    }

    /// The script has ended.
    ///
    /// # Errors
    /// The trace could not be written.
    pub fn finish(
        &mut self,
        view: HeapView<'_>,
        completed: bool,
        (how, message): (&'static str, Option<String>),
    ) -> io::Result<Traced> {
        if !self.line.is_empty() && self.wants(EventKind::Print, &[]) {
            let text = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            self.write(view, Fact::Print { text });
        }
        let how = if self.dangling { "dangling" } else { how };
        let message = match how {
            "dangling" => Some("a freed object is in use".to_owned()),
            "halted" => Some("too many freed objects are kept for an unsound policy".to_owned()),
            _ => message,
        };
        self.write(view, Fact::End { how, message });
        match self.failure.take() {
            Some(error) => return Err(error),
            None => self.page.flush()?,
        }
        Ok(Traced { completed, unseen: self.names.unseen(), seen: self.names.first() })
    }

    fn wants(&self, event: EventKind, objects: &[ObjectView<'_>]) -> bool {
        let mut subjects = [None; 2];
        for (subject, object) in subjects.iter_mut().zip(objects) {
            *subject = Some(self.names.subject(*object));
        }
        match subjects {
            [Some(first), Some(second)] => self.filter.shows(event, &[first, second]),
            [Some(first), _] => self.filter.shows(event, &[first]),
            _ => self.filter.shows(event, &[]),
        }
    }

    fn write(&mut self, view: HeapView<'_>, fact: Fact) {
        let place = view.location();
        let record = Record {
            number: self.number,
            event: fact.kind(),
            cycle: self.cycle,
            phase: view.phase().name(),
            line: place.as_ref().map(|place| place.line),
            chunk: place.map(|place| self.names.place(&moonphase_vm::gc::Location { line: 0, ..place })),
            depth: view.depth(),
            in_step: self.in_step,
            fact,
        };
        if self.failure.is_none()
            && let Err(error) = self.page.write(&record)
        {
            self.failure = Some(error);
        }
    }

    fn cycle(&mut self, view: HeapView<'_>, edge: Edge) {
        match edge {
            Edge::Begin => {
                self.stage = Stage::Marking;
                self.cycle += 1;
                self.freed = 0;
            }
            Edge::End => self.stage = Stage::Idle,
        }
        if self.wants(EventKind::Cycle, &[]) {
            self.write(view, Fact::Cycle { edge, freed: self.freed, bytes: view.bytes() });
        }
    }

    fn allocated(&mut self, view: HeapView<'_>, object: ObjectView<'_>) {
        let lossy = |name: Vec<u8>| String::from_utf8_lossy(&name).into_owned();
        match object.kind() {
            Kind::Prototype => self.loading = true,
            Kind::Upvalue => {}
            Kind::String => {
                self.names.admit(view, object, None, None, self.loading);
                self.tell_allocation(view, object, None, None);
            }
            Kind::Closure => {
                let prototype = object.prototype();
                let base = prototype.and_then(|prototype| self.names.base(prototype));
                self.names.admit(view, object, base, object.definition(), false);
                self.tell_allocation(view, object, prototype, None);
            }
            _ => {
                let base = view.destination().map(lossy);
                self.names.admit(view, object, base, view.location(), false);
                self.tell_allocation(view, object, None, None);
            }
        }
    }

    fn tell_allocation(
        &mut self,
        view: HeapView<'_>,
        object: ObjectView<'_>,
        prototype: Option<ObjectView<'_>>,
        parent: Option<ObjectView<'_>>,
    ) {
        if self.wants(EventKind::Allocate, &[object]) {
            let fact = Fact::Allocate {
                object: self.names.name(object),
                colour: view.colour(object).name(),
                prototype: prototype.map(|prototype| self.names.name(prototype)),
                parent: parent.map(|parent| self.names.name(parent)),
            };
            self.write(view, fact);
        }
    }

    fn prototype_loaded(
        &mut self,
        view: HeapView<'_>,
        prototype: ObjectView<'_>,
        parent: Option<(ObjectView<'_>, usize)>,
    ) {
        self.loading = false;
        let base = Names::of_function(prototype, parent);
        self.names.admit(view, prototype, Some(base), prototype.definition(), false);
        self.tell_allocation(view, prototype, None, parent.map(|(parent, _)| parent));
    }

    fn new_upvalue(&mut self, view: HeapView<'_>, upvalue: ObjectView<'_>, variable: Option<Vec<u8>>) {
        let variable = variable.map(|name| String::from_utf8_lossy(&name).into_owned());
        let foreign = variable.as_deref() == Some(ENVIRONMENT);
        self.names.admit(view, upvalue, variable, None, foreign);
        self.tell_allocation(view, upvalue, None, None);
    }

    fn opened(&mut self, view: HeapView<'_>, upvalue: ObjectView<'_>) {
        let place = upvalue.upvalue_slot();
        self.new_upvalue(view, upvalue, place.and_then(|(thread, slot)| thread.slot_name(slot)));
        if self.wants(EventKind::Open, &[upvalue]) {
            let fact = Fact::Open {
                object: self.names.name(upvalue),
                thread: place.map(|(thread, _)| self.names.name(thread)),
                slot: place.map(|(_, slot)| slot),
            };
            self.write(view, fact);
        }
        self.linked(view, upvalue, false);
    }

    fn linked(&mut self, view: HeapView<'_>, upvalue: ObjectView<'_>, found: bool) {
        if self.wants(EventKind::Link, &[upvalue]) {
            let thread = upvalue.upvalue_slot().map(|(thread, _)| thread);
            let list = thread.map(ObjectView::open_upvalues).unwrap_or_default();
            let open = list.into_iter().rev().take(LISTED).map(|upvalue| self.names.name(upvalue)).collect();
            let thread = thread.map(|thread| self.names.name(thread));
            let fact = Fact::Link { object: self.names.name(upvalue), thread, found, open };
            self.write(view, fact);
        }
    }

    fn captured(
        &mut self,
        view: HeapView<'_>,
        closure: ObjectView<'_>,
        index: usize,
        upvalue: ObjectView<'_>,
        origin: CaptureOrigin<'_>,
    ) {
        if matches!(origin, CaptureOrigin::Fresh) {
            self.new_upvalue(view, upvalue, closure.upvalue_name(index));
        }
        if !self.wants(EventKind::Capture, &[upvalue, closure]) {
            return;
        }
        let (from, register, enclosing, enclosing_index) = match origin {
            CaptureOrigin::Stack(register) => (Origin::Stack, Some(register), None, None),
            CaptureOrigin::Enclosing(enclosing, index) => (Origin::Enclosing, None, Some(enclosing), Some(index + 1)),
            CaptureOrigin::Fresh => (Origin::New, None, None, None),
        };
        let fact = Fact::Capture {
            object: self.names.name(closure),
            index: index + 1,
            variable: variable(closure, index),
            upvalue: self.names.name(upvalue),
            from,
            register,
            enclosing: enclosing.map(|enclosing| self.names.name(enclosing)),
            enclosing_index,
        };
        self.write(view, fact);
    }

    fn closed(&mut self, view: HeapView<'_>, upvalue: ObjectView<'_>) {
        let colour = view.colour(upvalue).name();
        self.names.recolour(upvalue, colour);
        if self.wants(EventKind::Close, &[upvalue]) {
            let mut value = None;
            view.references(upvalue, |edge| value = Some(edge.target));
            let value = value.map(|value| self.names.name(value));
            let fact = Fact::Close { object: self.names.name(upvalue), colour, value };
            self.write(view, fact);
        }
    }

    /// The objects that this one keeps alive, those of the library aside unless they are shown too.
    fn few(&self, view: HeapView<'_>, object: ObjectView<'_>) -> Few {
        let mut few = Few::default();
        view.references(object, |edge| {
            if edge.strength == Strength::Strong && self.filter.admits(self.names.subject(edge.target)) {
                if few.refers.len() < LISTED {
                    few.refers.push(self.names.name(edge.target));
                } else {
                    few.refers_more += 1;
                }
            }
        });
        few
    }

    fn marked(&mut self, view: HeapView<'_>, object: ObjectView<'_>) {
        if self.in_step && self.stage != Stage::Marking {
            if self.stage == Stage::Sweeping {
                self.cycle(view, Edge::End);
            }
            self.cycle(view, Edge::Begin);
        }
        // Told before the colour changes. These have no turn of their own: what they refer to is marked at once.
        let at_once = match object.kind() {
            Kind::String | Kind::Upvalue => true,
            Kind::Userdata => !has_user_values(view, object),
            _ => false,
        };
        let to = if at_once && !object.is_open_upvalue() { BLACK } else { GRAY };
        let from = self.names.recolour(object, to);
        let through =
            |traversal: &&Traversal| traversal.targets.as_ref().is_none_or(|targets| targets.contains(&object.id()));
        let by = self.marked.as_ref().filter(through).or(self.traversing.as_ref().filter(through)).map(|it| it.id);
        if self.wants(EventKind::Mark, &[object]) {
            // What has a turn of its own tells then what it refers to.
            let few = if at_once { self.few(view, object) } else { Few::default() };
            let by = by.and_then(|id| self.names.known(id));
            let fact = Fact::Mark { object: self.names.name(object), from, to, by, few };
            self.write(view, fact);
        }
        self.marked = at_once.then(|| Traversal::with_targets(view, object));
    }

    fn traversed_now(&mut self, view: HeapView<'_>, object: ObjectView<'_>) {
        self.traversing = Some(match view.phase() {
            Phase::Propagate => Traversal { id: object.id(), targets: None },
            _ => Traversal::with_targets(view, object),
        });
        let from = self.names.recolour(object, BLACK);
        if self.wants(EventKind::Blacken, &[object]) {
            let few = self.few(view, object);
            let fact = Fact::Blacken { object: self.names.name(object), from, to: BLACK, few };
            self.write(view, fact);
        }
    }

    fn phase_changed(&mut self, view: HeapView<'_>, before: Phase) {
        let now = view.phase();
        if before == Phase::Pause && now <= Phase::Atomic && self.stage == Stage::Idle {
            self.cycle(view, Edge::Begin);
        }
        if self.wants(EventKind::Phase, &[]) {
            self.write(view, Fact::Phase { from: before.name(), to: now.name() });
        }
        match (self.stage, now) {
            (Stage::Marking | Stage::Sweeping, Phase::Pause) | (Stage::Sweeping, Phase::Propagate) => {
                self.cycle(view, Edge::End);
            }
            (Stage::Marking, now) if now > Phase::Atomic => self.stage = Stage::Sweeping,
            _ => {}
        }
    }

    fn printed(&mut self, view: HeapView<'_>, bytes: &[u8]) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part.strip_suffix(b"\n").unwrap_or(part));
            if part.ends_with(b"\n") {
                let text = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                if self.wants(EventKind::Print, &[]) {
                    self.write(view, Fact::Print { text });
                }
            }
        }
    }

    fn step(&mut self, view: HeapView<'_>, edge: Edge, kind: StepKind) {
        self.traversing = None;
        self.in_step = edge == Edge::Begin;
        self.steps += u64::from(self.in_step);
        if self.wants(EventKind::Step, &[]) {
            self.write(view, Fact::Step { edge, step: self.steps, kind: kind.name() });
        }
    }

    fn tell(&mut self, view: HeapView<'_>, event: &Event<'_>) {
        let marked = self.marked.take();
        match *event {
            Event::Allocate(object) => self.allocated(view, object),
            Event::LoadPrototype { prototype, parent } => self.prototype_loaded(view, prototype, parent),
            Event::Call(object) if self.wants(EventKind::Call, &[object]) => {
                let object = self.names.name(object);
                self.write(view, Fact::Call { object });
            }
            Event::Return(object) if self.wants(EventKind::Return, &[object]) => {
                let object = self.names.name(object);
                self.write(view, Fact::Return { object });
            }
            Event::ReuseClosure(object) if self.wants(EventKind::Reuse, &[object]) => {
                let object = self.names.name(object);
                self.write(view, Fact::Reuse { object });
            }
            Event::Capture { closure, index, upvalue, origin } => self.captured(view, closure, index, upvalue, origin),
            Event::OpenUpvalue(upvalue) => self.opened(view, upvalue),
            Event::FindUpvalue(upvalue) => self.linked(view, upvalue, true),
            Event::CloseUpvalue(upvalue) => self.closed(view, upvalue),
            Event::JoinUpvalue { closure, index, old, new } if self.wants(EventKind::Join, &[new, closure]) => {
                let fact = Fact::Join {
                    object: self.names.name(closure),
                    index: index + 1,
                    variable: variable(closure, index),
                    old: old.map(|old| self.names.name(old)),
                    new: self.names.name(new),
                };
                self.write(view, fact);
            }
            Event::Store { site, holder, old, new, .. } if self.wants(EventKind::Store, &[new, holder]) => {
                let fact = Fact::Store {
                    object: self.names.name(holder),
                    site: site.name(),
                    old: old.map(|old| self.names.name(old)),
                    new: self.names.name(new),
                };
                self.write(view, fact);
            }
            Event::Barrier { site, direction, parent, child, acted } => {
                let colours = [parent, child].map(|object| view.colour(object).name());
                self.names.recolour(parent, colours[0]);
                self.names.recolour(child, colours[1]);
                let kind = if acted { EventKind::Barrier } else { EventKind::IdleBarrier };
                if self.wants(kind, &[child, parent]) {
                    let fact = Fact::Barrier {
                        object: self.names.name(parent),
                        site: site.name(),
                        direction: match direction {
                            Direction::Forward => "forward",
                            Direction::Backward => "backward",
                        },
                        child: self.names.name(child),
                        acted,
                        colour: colours[0],
                        child_colour: colours[1],
                    };
                    self.write(view, fact);
                }
            }
            Event::Mark(object) => {
                self.marked = marked;
                self.marked(view, object);
            }
            Event::Traverse(object) => self.traversed_now(view, object),
            Event::Traversed(object) => {
                self.traversing = None;
                if object.is_gray() {
                    let from = self.names.recolour(object, GRAY);
                    if self.wants(EventKind::GrayAgain, &[object]) {
                        let fact = Fact::GrayAgain { object: self.names.name(object), from, to: GRAY };
                        self.write(view, fact);
                    }
                }
            }
            Event::SweepAlive(object) => {
                let to = view.colour(object).name();
                let from = self.names.recolour(object, to);
                if from != WHITE && from != to && self.wants(EventKind::Whiten, &[object]) {
                    let fact = Fact::Whiten { object: self.names.name(object), from, to };
                    self.write(view, fact);
                }
            }
            Event::Free(object) => {
                self.freed += 1;
                if self.wants(EventKind::Free, &[object]) {
                    let fact = Fact::Free { object: self.names.name(object) };
                    self.write(view, fact);
                }
                self.names.forget(object);
            }
            Event::Finalize(object) if self.wants(EventKind::Finalize, &[object]) => {
                let fact = Fact::Finalize { object: self.names.name(object) };
                self.write(view, fact);
            }
            Event::PhaseChange(before) => self.phase_changed(view, before),
            Event::StepBegin(kind) => self.step(view, Edge::Begin, kind),
            Event::StepEnd(kind, _) => self.step(view, Edge::End, kind),
            Event::Output(bytes) => self.printed(view, bytes),
            Event::Dangling(object) => {
                self.dangling = true;
                let object = self.names.name(object);
                self.write(view, Fact::Dangling { object });
            }
            _ => {}
        }
    }
}

impl Traversal {
    fn with_targets(view: HeapView<'_>, object: ObjectView<'_>) -> Traversal {
        let mut targets = HashSet::new();
        view.references(object, |edge| {
            targets.insert(edge.target.id());
        });
        Traversal { id: object.id(), targets: Some(targets) }
    }
}

fn has_user_values(view: HeapView<'_>, userdata: ObjectView<'_>) -> bool {
    let mut found = false;
    view.references(userdata, |edge| found |= matches!(edge.label, Label::UserValue(_)));
    found
}

fn variable(closure: ObjectView<'_>, index: usize) -> String {
    String::from_utf8_lossy(&closure.upvalue_name(index).unwrap_or_default()).into_owned()
}

impl Observer for Tracer {
    fn interests(&self) -> Interests {
        Interests { stores: true, steps: true, idle: true, fine: true }
    }

    fn event(&mut self, view: HeapView<'_>, event: &Event<'_>) -> ControlFlow<()> {
        if self.running {
            self.number += 1;
            self.tell(view, event);
        }
        if self.failure.is_some() || self.dangling { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
