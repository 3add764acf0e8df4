//! From the VM's events to facts.
//!
//! The names of upvalues and prototypes are known only some events after they were made; their allocation is told then.

use std::any::Any;
use std::collections::HashSet;
use std::io;
use std::ops::ControlFlow;

use moonphase_heap::{
    CaptureOrigin, Colour, Event, Heap, Interests, Kind, Label, Names, Observer, Phase, StepKind, Strength,
};

use super::Traced;
use super::event_kind::EventKind;
use super::fact::{Boundary, Fact, Few, Origin, Record};
use super::filter::Filter;
use super::names::{Name, NameTable};
use super::page::Page;
use crate::engine::vm::{Seen, Watch, Watching};

/// Objects of a list that are named; of more there is the number.
const LISTED: usize = 8;
/// The upvalue through which functions reach the globals. Nearly all have it, so it says little.
const ENVIRONMENT: &str = "_ENV";

/// How far a cycle of the collector is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CycleState {
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
    names: NameTable,
    filter: Filter,
    page: Page,
    /// Whether the script's run has begun: all before it is the library.
    running: bool,
    /// Events of the VM so far.
    number: u64,
    /// Cycles that have begun.
    cycle: u64,
    stage: CycleState,
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
    watch: Watch,
    /// Whether the trace has told what the watch saw.
    told: bool,
    /// Lines that may be left out before the script is stopped; `None` where its end is known to be near.
    patience: Option<u64>,
    failure: Option<io::Error>,
}

impl Tracer {
    /// A tracer that calls objects by these names. `watch` looks for what is wrong. A script of which more than `patience` lines
    /// were left out is stopped.
    pub fn new(page: Page, filter: Filter, names: NameTable, watch: Watch, patience: Option<u64>) -> Tracer {
        Tracer {
            names,
            filter,
            page,
            running: false,
            number: 0,
            cycle: 0,
            stage: CycleState::Idle,
            freed: 0,
            steps: 0,
            in_step: false,
            loading: false,
            traversing: None,
            marked: None,
            line: Vec::new(),
            dangling: false,
            watch,
            told: false,
            patience,
            failure: None,
        }
    }

    /// Whether something was seen to be wrong.
    pub fn has_seen(&self) -> bool {
        self.dangling || self.watch.seen().is_some()
    }

    /// Tells what was seen, once.
    fn tell_violation<H: Names>(&mut self, heap: H) {
        let Some(seen) = self.watch.seen().filter(|_| !self.told) else { return };
        self.told = true;
        let signature = seen.signature().to_string();
        let name = |id: Option<u32>| id.and_then(|id| self.names.known(id));
        let (object, holder) = match seen {
            Seen::Broken(violation) => {
                (violation.child.as_ref().map(|child| child.id), violation.parent.as_ref().map(|parent| parent.id))
            }
            Seen::Unreachable(_) => (None, None),
        };
        let fact = Fact::Violation { signature, detail: seen.detail(), object: name(object), holder: name(holder) };
        self.write(heap, fact);
    }

    /// The script's run begins.
    pub fn begin<H: Names>(&mut self, heap: H) {
        self.names.begin(heap);
        self.running = true;
    }

    /// The script has ended.
    ///
    /// # Errors
    /// The trace could not be written.
    pub fn finish<H: Names>(
        &mut self,
        heap: H,
        completed: bool,
        (how, message): (&'static str, Option<String>),
    ) -> io::Result<Traced> {
        if !self.line.is_empty() && self.wants(heap, EventKind::Print, &[]) {
            let text = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
            self.write(heap, Fact::Print { text });
        }
        // Not so where it was seen after the last event.
        self.tell_violation(heap);
        let seen = self.watch.seen().map(|seen| seen.signature().to_string());
        let impatient = self.is_impatient();
        let (how, message) = match seen {
            _ if self.dangling => ("dangling", None),
            Some(signature) => ("violation", Some(signature)),
            None if impatient => ("limit", Some("too many lines are left out; --limit all goes on".to_owned())),
            None => (how, message),
        };
        let message = match how {
            "dangling" => Some("a freed object is in use".to_owned()),
            "halted" => Some("too many freed objects are kept for an unsound policy".to_owned()),
            _ => message,
        };
        self.write(heap, Fact::End { how, message });
        match self.failure.take() {
            Some(error) => return Err(error),
            None => self.page.finish()?,
        }
        let completed = completed && !self.has_seen();
        let left_out = self.page.left_out();
        Ok(Traced { completed, left_out, unseen: self.names.unseen(), seen: self.names.first() })
    }

    fn is_impatient(&self) -> bool {
        self.patience.is_some_and(|patience| self.page.left_out() > patience)
    }

    fn wants<H: Heap>(&self, heap: H, event: EventKind, objects: &[H::Object]) -> bool {
        let mut candidates = [None; 2];
        for (candidate, object) in candidates.iter_mut().zip(objects) {
            *candidate = Some(self.names.candidate(heap, *object));
        }
        match candidates {
            [Some(first), Some(second)] => self.filter.shows(event, &[first, second]),
            [Some(first), _] => self.filter.shows(event, &[first]),
            _ => self.filter.shows(event, &[]),
        }
    }

    fn write<H: Names>(&mut self, heap: H, fact: Fact) {
        let place = heap.location();
        let record = Record {
            number: self.number,
            event: fact.kind(),
            cycle: self.cycle,
            phase: heap.phase(),
            line: place.as_ref().map(|place| place.line),
            chunk: place.map(|place| self.names.place(&moonphase_heap::Location { line: 0, ..place })),
            depth: heap.depth(),
            in_step: self.in_step,
            fact,
        };
        if self.failure.is_none()
            && let Err(error) = self.page.write(record)
        {
            self.failure = Some(error);
        }
    }

    fn cycle<H: Names>(&mut self, heap: H, edge: Boundary) {
        match edge {
            Boundary::Begin => {
                self.stage = CycleState::Marking;
                self.cycle += 1;
                self.freed = 0;
            }
            Boundary::End => self.stage = CycleState::Idle,
        }
        if self.wants(heap, EventKind::Cycle, &[]) {
            self.write(heap, Fact::Cycle { edge, freed: self.freed, bytes: heap.bytes() });
        }
    }

    fn allocated<H: Names>(&mut self, heap: H, object: H::Object) {
        let lossy = |name: Vec<u8>| String::from_utf8_lossy(&name).into_owned();
        match heap.kind(object) {
            Kind::Prototype => self.loading = true,
            Kind::Upvalue => {}
            Kind::String => {
                self.names.admit(heap, object, None, None, self.loading);
                self.tell_allocation(heap, object, None, None);
            }
            Kind::Closure => {
                let prototype = heap.prototype(object);
                let base = prototype.and_then(|prototype| self.names.base(heap, prototype));
                self.names.admit(heap, object, base, heap.definition(object), false);
                self.tell_allocation(heap, object, prototype, None);
            }
            _ => {
                let base = heap.destination().map(lossy);
                self.names.admit(heap, object, base, heap.location(), false);
                self.tell_allocation(heap, object, None, None);
            }
        }
    }

    fn tell_allocation<H: Names>(
        &mut self,
        heap: H,
        object: H::Object,
        prototype: Option<H::Object>,
        parent: Option<H::Object>,
    ) {
        if self.wants(heap, EventKind::Allocate, &[object]) {
            let fact = Fact::Allocate {
                object: self.names.name(heap, object),
                colour: heap.colour(object),
                prototype: prototype.map(|prototype| self.names.name(heap, prototype)),
                parent: parent.map(|parent| self.names.name(heap, parent)),
            };
            self.write(heap, fact);
        }
    }

    fn prototype_loaded<H: Names>(&mut self, heap: H, prototype: H::Object, parent: Option<(H::Object, usize)>) {
        self.loading = false;
        let base = NameTable::of_function(heap, prototype, parent);
        self.names.admit(heap, prototype, Some(base), heap.definition(prototype), false);
        self.tell_allocation(heap, prototype, None, parent.map(|(parent, _)| parent));
    }

    fn new_upvalue<H: Names>(&mut self, heap: H, upvalue: H::Object, variable: Option<Vec<u8>>) {
        let variable = variable.map(|name| String::from_utf8_lossy(&name).into_owned());
        let foreign = variable.as_deref() == Some(ENVIRONMENT);
        self.names.admit(heap, upvalue, variable, None, foreign);
        self.tell_allocation(heap, upvalue, None, None);
    }

    fn opened<H: Names>(&mut self, heap: H, upvalue: H::Object) {
        let place = heap.upvalue_slot(upvalue);
        self.new_upvalue(heap, upvalue, place.and_then(|(thread, slot)| heap.slot_name(thread, slot)));
        if self.wants(heap, EventKind::Open, &[upvalue]) {
            let fact = Fact::Open {
                object: self.names.name(heap, upvalue),
                thread: place.map(|(thread, _)| self.names.name(heap, thread)),
                slot: place.map(|(_, slot)| slot),
            };
            self.write(heap, fact);
        }
        self.linked(heap, upvalue, false);
    }

    fn linked<H: Names>(&mut self, heap: H, upvalue: H::Object, found: bool) {
        if self.wants(heap, EventKind::Link, &[upvalue]) {
            let thread = heap.upvalue_slot(upvalue).map(|(thread, _)| thread);
            let list = thread.map(|thread| heap.open_upvalues(thread)).unwrap_or_default();
            let open = list.into_iter().rev().take(LISTED).map(|upvalue| self.names.name(heap, upvalue)).collect();
            let thread = thread.map(|thread| self.names.name(heap, thread));
            let fact = Fact::Link { object: self.names.name(heap, upvalue), thread, found, open };
            self.write(heap, fact);
        }
    }

    fn captured<H: Names>(
        &mut self,
        heap: H,
        closure: H::Object,
        index: usize,
        upvalue: H::Object,
        origin: CaptureOrigin<H::Object>,
    ) {
        if matches!(origin, CaptureOrigin::Fresh) {
            self.new_upvalue(heap, upvalue, heap.upvalue_name(closure, index as u32));
        }
        if !self.wants(heap, EventKind::Capture, &[upvalue, closure]) {
            return;
        }
        let (from, register, enclosing, enclosing_index) = match origin {
            CaptureOrigin::Stack(register) => (Origin::Stack, Some(register), None, None),
            CaptureOrigin::Enclosing(enclosing, index) => (Origin::Enclosing, None, Some(enclosing), Some(index + 1)),
            CaptureOrigin::Fresh => (Origin::New, None, None, None),
        };
        let fact = Fact::Capture {
            object: self.names.name(heap, closure),
            index: index + 1,
            variable: variable(heap, closure, index),
            upvalue: self.names.name(heap, upvalue),
            from,
            register,
            enclosing: enclosing.map(|enclosing| self.names.name(heap, enclosing)),
            enclosing_index,
        };
        self.write(heap, fact);
    }

    fn closed<H: Names>(&mut self, heap: H, upvalue: H::Object) {
        let colour = heap.colour(upvalue);
        self.names.recolour(heap, upvalue, colour);
        if self.wants(heap, EventKind::Close, &[upvalue]) {
            let mut value = None;
            heap.references(upvalue, |edge| value = Some(edge.target));
            let value = value.map(|value| self.names.name(heap, value));
            let fact = Fact::Close { object: self.names.name(heap, upvalue), colour, value };
            self.write(heap, fact);
        }
    }

    /// The objects that this one keeps alive, those of the library aside unless they are shown too.
    fn few<H: Names>(&self, heap: H, object: H::Object) -> Few {
        let mut few = Few::default();
        heap.references(object, |edge| {
            if edge.strength == Strength::Strong && self.filter.admits(self.names.candidate(heap, edge.target)) {
                if few.refers.len() < LISTED {
                    few.refers.push(self.names.name(heap, edge.target));
                } else {
                    few.refers_more += 1;
                }
            }
        });
        few
    }

    /// The first few of the objects that this one refers to without keeping them alive.
    fn weakly<H: Names>(&self, heap: H, object: H::Object) -> Vec<Name> {
        let mut names = Vec::new();
        heap.references(object, |edge| {
            if edge.strength != Strength::Strong && names.len() < LISTED {
                names.push(self.names.name(heap, edge.target));
            }
        });
        names
    }

    /// Tells the objects whose ages have changed.
    fn ages<H: Names>(&mut self, heap: H) {
        for object in heap.objects() {
            self.age(heap, object);
        }
    }

    fn age<H: Names>(&mut self, heap: H, object: H::Object) {
        let (from, to) = (self.names.grow(heap, object), heap.age(object));
        if from != to && self.wants(heap, EventKind::Age, &[object]) {
            let object = self.names.name(heap, object);
            self.write(heap, Fact::Age { object, from, to });
        }
    }

    fn marked<H: Names>(&mut self, heap: H, object: H::Object) {
        if self.in_step && self.stage != CycleState::Marking {
            if self.stage == CycleState::Sweeping {
                self.cycle(heap, Boundary::End);
            }
            self.cycle(heap, Boundary::Begin);
        }
        // Told before the colour changes. These have no turn of their own: what they refer to is marked at once.
        let at_once = match heap.kind(object) {
            Kind::String | Kind::Upvalue => true,
            Kind::Userdata => !has_user_values(heap, object),
            _ => false,
        };
        let to = if at_once && !heap.is_open_upvalue(object) { Colour::Black } else { Colour::Gray };
        let from = self.names.recolour(heap, object, to);
        let through = |traversal: &&Traversal| {
            traversal.targets.as_ref().is_none_or(|targets| targets.contains(&heap.id(object)))
        };
        let by = self.marked.as_ref().filter(through).or(self.traversing.as_ref().filter(through)).map(|it| it.id);
        if self.wants(heap, EventKind::Mark, &[object]) {
            // What has a turn of its own tells then what it refers to.
            let few = if at_once { self.few(heap, object) } else { Few::default() };
            let by = by.and_then(|id| self.names.known(id));
            let fact = Fact::Mark { object: self.names.name(heap, object), from, to, by, few };
            self.write(heap, fact);
        }
        self.marked = at_once.then(|| Traversal::with_targets(heap, object));
    }

    fn traversed_now<H: Names>(&mut self, heap: H, object: H::Object) {
        self.traversing = Some(match heap.phase() {
            Phase::Propagate => Traversal { id: heap.id(object), targets: None },
            _ => Traversal::with_targets(heap, object),
        });
        let from = self.names.recolour(heap, object, Colour::Black);
        if self.wants(heap, EventKind::Blacken, &[object]) {
            let (few, weakly) = (self.few(heap, object), self.weakly(heap, object));
            let fact = Fact::Blacken { object: self.names.name(heap, object), from, to: Colour::Black, few, weakly };
            self.write(heap, fact);
        }
    }

    fn phase_changed<H: Names>(&mut self, heap: H, before: Phase) {
        let now = heap.phase();
        if before == Phase::Pause && now <= Phase::Atomic && self.stage == CycleState::Idle {
            self.cycle(heap, Boundary::Begin);
        }
        if self.wants(heap, EventKind::Phase, &[]) {
            self.write(heap, Fact::Phase { from: before, to: now });
        }
        match (self.stage, now) {
            (CycleState::Marking | CycleState::Sweeping, Phase::Pause) | (CycleState::Sweeping, Phase::Propagate) => {
                self.cycle(heap, Boundary::End);
            }
            (CycleState::Marking, now) if now > Phase::Atomic => self.stage = CycleState::Sweeping,
            _ => {}
        }
    }

    fn printed<H: Names>(&mut self, heap: H, bytes: &[u8]) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part.strip_suffix(b"\n").unwrap_or(part));
            if part.ends_with(b"\n") {
                let text = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                if self.wants(heap, EventKind::Print, &[]) {
                    self.write(heap, Fact::Print { text });
                }
            }
        }
    }

    fn step<H: Names>(&mut self, heap: H, edge: Boundary, kind: StepKind) {
        self.traversing = None;
        self.in_step = edge == Boundary::Begin;
        self.steps += u64::from(self.in_step);
        if self.wants(heap, EventKind::Step, &[]) {
            self.write(heap, Fact::Step { edge, step: self.steps, kind });
        }
    }

    fn tell<H: Names>(&mut self, heap: H, event: &Event<'_, H::Object>) {
        let marked = self.marked.take();
        match *event {
            Event::Allocate(object) => self.allocated(heap, object),
            Event::LoadPrototype { prototype, parent } => self.prototype_loaded(heap, prototype, parent),
            Event::Call(object) if self.wants(heap, EventKind::Call, &[object]) => {
                let object = self.names.name(heap, object);
                self.write(heap, Fact::Call { object });
            }
            Event::Return(object) if self.wants(heap, EventKind::Return, &[object]) => {
                let object = self.names.name(heap, object);
                self.write(heap, Fact::Return { object });
            }
            Event::ReuseClosure(object) if self.wants(heap, EventKind::Reuse, &[object]) => {
                let object = self.names.name(heap, object);
                self.write(heap, Fact::Reuse { object });
            }
            Event::Capture { closure, index, upvalue, origin } => self.captured(heap, closure, index, upvalue, origin),
            Event::OpenUpvalue(upvalue) => self.opened(heap, upvalue),
            Event::FindUpvalue(upvalue) => self.linked(heap, upvalue, true),
            Event::CloseUpvalue { upvalue, .. } => self.closed(heap, upvalue),
            Event::JoinUpvalue { closure, index, old, new } if self.wants(heap, EventKind::Join, &[new, closure]) => {
                let fact = Fact::Join {
                    object: self.names.name(heap, closure),
                    index: index + 1,
                    variable: variable(heap, closure, index),
                    old: old.map(|old| self.names.name(heap, old)),
                    new: self.names.name(heap, new),
                };
                self.write(heap, fact);
            }
            Event::Store { site, holder, old, new, .. } if self.wants(heap, EventKind::Store, &[new, holder]) => {
                let fact = Fact::Store {
                    object: self.names.name(heap, holder),
                    site,
                    old: old.map(|old| self.names.name(heap, old)),
                    new: self.names.name(heap, new),
                };
                self.write(heap, fact);
            }
            Event::Barrier { site, direction, parent, child, acted } => {
                let colours = [parent, child].map(|object| heap.colour(object));
                if acted {
                    self.age(heap, parent);
                    self.age(heap, child);
                }
                self.names.recolour(heap, parent, colours[0]);
                self.names.recolour(heap, child, colours[1]);
                let kind = if acted { EventKind::Barrier } else { EventKind::IdleBarrier };
                if self.wants(heap, kind, &[child, parent]) {
                    let fact = Fact::Barrier {
                        object: self.names.name(heap, parent),
                        site,
                        direction,
                        child: self.names.name(heap, child),
                        acted,
                        colour: colours[0],
                        child_colour: colours[1],
                    };
                    self.write(heap, fact);
                }
            }
            Event::ClearWeak { table, key, value, .. } if self.wants(heap, EventKind::Clear, &[table]) => {
                let name = |object: Option<H::Object>| object.map(|object| self.names.name(heap, object));
                let fact = Fact::Clear { object: self.names.name(heap, table), key: name(key), value: name(value) };
                self.write(heap, fact);
            }
            Event::Mark(object) => {
                self.marked = marked;
                self.marked(heap, object);
            }
            Event::Traverse(object) => self.traversed_now(heap, object),
            Event::Traversed(object) => {
                self.traversing = None;
                if heap.is_gray(object) {
                    let from = self.names.recolour(heap, object, Colour::Gray);
                    if self.wants(heap, EventKind::GrayAgain, &[object]) {
                        let fact = Fact::GrayAgain { object: self.names.name(heap, object), from, to: Colour::Gray };
                        self.write(heap, fact);
                    }
                }
            }
            Event::SweepAlive(object) => {
                let to = heap.colour(object);
                let from = self.names.recolour(heap, object, to);
                if from != Colour::White && from != to && self.wants(heap, EventKind::Whiten, &[object]) {
                    let fact = Fact::Whiten { object: self.names.name(heap, object), from, to };
                    self.write(heap, fact);
                }
            }
            Event::Free(object) => {
                self.freed += 1;
                if self.wants(heap, EventKind::Free, &[object]) {
                    let fact = Fact::Free { object: self.names.name(heap, object) };
                    self.write(heap, fact);
                }
                self.names.forget(heap, object);
            }
            Event::Finalize(object) if self.wants(heap, EventKind::Finalize, &[object]) => {
                let fact = Fact::Finalize { object: self.names.name(heap, object) };
                self.write(heap, fact);
            }
            Event::PhaseChange(before) => self.phase_changed(heap, before),
            Event::StepBegin(kind) => self.step(heap, Boundary::Begin, kind),
            Event::StepEnd(kind, _) => {
                if matches!(kind, StepKind::Minor | StepKind::Major | StepKind::EnterIncremental) {
                    self.ages(heap);
                }
                self.step(heap, Boundary::End, kind);
            }
            Event::Output(bytes) => self.printed(heap, bytes),
            Event::Dangling(object) => {
                self.dangling = true;
                let object = self.names.name(heap, object);
                self.write(heap, Fact::Dangling { object });
            }
            _ => {}
        }
    }
}

impl Traversal {
    fn with_targets<H: Heap>(heap: H, object: H::Object) -> Traversal {
        let mut targets = HashSet::new();
        heap.references(object, |edge| {
            targets.insert(heap.id(edge.target));
        });
        Traversal { id: heap.id(object), targets: Some(targets) }
    }
}

fn has_user_values<H: Heap>(heap: H, userdata: H::Object) -> bool {
    let mut found = false;
    heap.references(userdata, |edge| found |= matches!(edge.label, Label::UserValue(_)));
    found
}

fn variable<H: Names>(heap: H, closure: H::Object, index: usize) -> String {
    String::from_utf8_lossy(&heap.upvalue_name(closure, index as u32).unwrap_or_default()).into_owned()
}

impl Watching for Tracer {
    fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }
}

impl<H: Names> Observer<H> for Tracer {
    fn interests(&self) -> Interests {
        Interests { stores: true, steps: true, idle: true, fine: true }
    }

    fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        if self.running {
            self.number += 1;
            self.tell(heap, event);
        }
        if self.watch.event(heap, event).is_break() {
            self.tell_violation(heap);
            return ControlFlow::Break(());
        }
        let ends = self.failure.is_some() || self.dangling || self.is_impatient();
        if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
