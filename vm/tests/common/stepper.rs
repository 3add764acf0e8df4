//! A VM whose collector takes one turn at a time, between chunks, so that tests can look at the heap in each state.

use moonphase_heap::{Heap as _, Label, NamedLabel, Root};
use moonphase_vm::gc::{
    Colour, Direction, Event, GrayList, HeapView, Interests, Kind, ListName, ObjectView, Observer, Phase, Policy,
    Semantics, Site, StepKind,
};
use moonphase_vm::{Options, Vm};
use std::any::Any;
use std::cell::RefCell;
use std::ops::ControlFlow;
use std::rc::Rc;

/// An event, with the numbers of its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happened {
    Phase(Phase),
    Leap(StepKind),
    StepEnd,
    Barrier {
        site: Site,
        direction: Direction,
        parent: u32,
        child: u32,
        acted: bool,
    },
    Mark(u32),
    Traverse(u32),
    SweepAlive(u32),
    Open(u32),
    Close(u32),
    Free(u32),
    /// The finalizer of the object, in this phase.
    Finalize(u32, Phase),
}

/// Bytes of freed objects that are kept: little, so that tests pass the limit.
pub const QUARANTINE: usize = 1 << 16;

/// Looks at the heap at each event.
type Watch = Box<dyn for<'h> FnMut(HeapView<'h>, &Event<'_, ObjectView<'h>>)>;

struct Log {
    events: Rc<RefCell<Vec<Happened>>>,
    watch: Watch,
}

impl<'h> Observer<HeapView<'h>> for Log {
    fn interests(&self) -> Interests {
        Interests { stores: true, steps: true, idle: true, fine: true }
    }

    fn event(&mut self, heap: HeapView<'h>, event: &Event<'_, ObjectView<'h>>) -> ControlFlow<()> {
        (self.watch)(heap, event);
        let happened = match *event {
            Event::PhaseChange(_) => Happened::Phase(heap.phase()),
            Event::StepBegin(kind) if kind != StepKind::Turn => Happened::Leap(kind),
            Event::StepEnd(..) => Happened::StepEnd,
            Event::Barrier { site, direction, parent, child, acted } => {
                Happened::Barrier { site, direction, parent: parent.id(), child: child.id(), acted }
            }
            Event::Mark(object) => Happened::Mark(object.id()),
            Event::Traverse(object) => Happened::Traverse(object.id()),
            Event::SweepAlive(object) => Happened::SweepAlive(object.id()),
            Event::OpenUpvalue(object) => Happened::Open(object.id()),
            Event::CloseUpvalue { upvalue, .. } => Happened::Close(upvalue.id()),
            Event::Free(object) => Happened::Free(object.id()),
            Event::Finalize(object) => Happened::Finalize(object.id(), heap.phase()),
            Event::Dangling(object) => {
                panic!("the collector meets {object:?}, which is freed, under {}", heap.policy())
            }
            _ => return ControlFlow::Continue(()),
        };
        self.events.borrow_mut().push(happened);
        ControlFlow::Continue(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// A VM with a stopped collector of the smallest steps, under observation. Its globals are what tests name objects by.
pub struct Stepper {
    pub vm: Vm,
    events: Rc<RefCell<Vec<Happened>>>,
}

impl Stepper {
    /// Under a policy as options name it.
    pub fn new(policy: &str) -> Stepper {
        Stepper::with(policy, |_| {}, |_, _| {})
    }

    /// With changed semantics, and a function that sees the heap at each event.
    pub fn with(
        policy: &str,
        change: impl FnOnce(&mut Semantics),
        watch: impl for<'h> FnMut(HeapView<'h>, &Event<'_, ObjectView<'h>>) + 'static,
    ) -> Stepper {
        let mut options = Options::default();
        options.policy = policy.parse::<Policy>().expect("a policy");
        options.quarantine_limit = QUARANTINE;
        let mut semantics = Semantics::default();
        change(&mut semantics);
        options.semantics = Some(semantics);
        let events = Rc::default();
        let log = Log { events: Rc::clone(&events), watch: Box::new(watch) };
        let vm = Vm::observed(options, Box::new(log));
        let mut stepper = Stepper { vm, events };
        stepper.run("collectgarbage('stop') collectgarbage('incremental', 100, 100, 1)");
        stepper.collect();
        stepper
    }

    /// Runs a chunk. No step runs meanwhile but those that it asks for.
    pub fn run(&mut self, chunk: &str) {
        assert_eq!(self.vm.run(chunk.as_bytes(), b"=t", &[]), Ok(()), "{chunk}");
    }

    /// One turn.
    pub fn step(&mut self) {
        self.run("collectgarbage('step')");
    }

    /// Full collections until nothing unreachable is left, so that what comes is alone in its cycle.
    pub fn collect(&mut self) {
        for _ in 0..3 {
            self.run("collectgarbage()");
        }
        assert_eq!(self.phase(), Phase::Pause);
    }

    /// Turns until something holds, at most one cycle.
    pub fn step_until(&mut self, what: &str, holds: impl Fn(&Stepper) -> bool) {
        for _ in 0..5000 {
            if holds(self) {
                return;
            }
            self.step();
        }
        panic!("never under {}: {what}", self.view().policy());
    }

    /// Turns until a phase is entered.
    pub fn step_to(&mut self, phase: Phase) {
        self.step_until(phase.name(), |stepper| stepper.phase() == phase);
    }

    pub fn phase(&self) -> Phase {
        self.vm.heap().phase()
    }

    pub fn view(&self) -> HeapView<'_> {
        self.vm.heap().view()
    }

    /// A living object by its number.
    pub fn object(&self, id: u32) -> Option<ObjectView<'_>> {
        self.view().objects().find(|object| object.id() == id)
    }

    /// What a global variable refers to, and on from there along references with these labels. A freed object there is a
    /// failure: quarantine would let a program read it.
    pub fn at(&self, path: &[&str]) -> ObjectView<'_> {
        let mut registry = None;
        self.view().roots(|edge| {
            if edge.label == Label::Root(Root::Registry) {
                registry = Some(edge.target);
            }
        });
        // Where the registry has the globals (`LUA_RIDX_GLOBALS`).
        let globals = self.follow(registry.expect("the registry"), "[2]");
        let (global, rest) = path.split_first().expect("a path");
        let first = self.follow(globals, &format!("[\"{global}\"]"));
        rest.iter().fold(first, |object, label| self.follow(object, label))
    }

    fn follow<'s>(&'s self, from: ObjectView<'s>, label: &str) -> ObjectView<'s> {
        let mut found = None;
        let mut known = Vec::new();
        self.view().references(from, |edge| {
            known.push(NamedLabel::of(self.view(), Some(from), edge.label).to_string());
            if known.last().is_some_and(|known| known == label) {
                found = Some(edge.target);
            }
        });
        let found = found.unwrap_or_else(|| panic!("{from:?} has no {label}, but {known:?}"));
        assert!(!found.is_freed(), "{label} of {from:?} is freed, under {}", self.view().policy());
        found
    }

    pub fn id(&self, path: &[&str]) -> u32 {
        self.at(path).id()
    }

    pub fn colour(&self, path: &[&str]) -> Colour {
        self.view().colour(self.at(path))
    }

    /// The colour of an object that is not freed.
    pub fn colour_of(&self, id: u32) -> Option<Colour> {
        self.object(id).map(|object| self.view().colour(object))
    }

    /// The lists that an object is in.
    pub fn lists_of(&self, id: u32) -> Vec<ListName> {
        ListName::ALL.into_iter().filter(|&list| self.view().list(list).any(|object| object.id() == id)).collect()
    }

    /// The gray lists that an object is in.
    pub fn gray_lists_of(&self, id: u32) -> Vec<GrayList> {
        GrayList::ALL.into_iter().filter(|&list| self.view().gray_list(list).any(|object| object.id() == id)).collect()
    }

    /// The only open upvalue of the thread in a global variable.
    pub fn open_upvalue(&self, thread: &str) -> u32 {
        let thread = self.at(&[thread]);
        assert_eq!(thread.kind(), Kind::Thread);
        let [upvalue] = thread.open_upvalues()[..] else { panic!("{:?}", thread.open_upvalues()) };
        upvalue.id()
    }

    /// What has happened since the last call.
    pub fn events(&self) -> Vec<Happened> {
        std::mem::take(&mut *self.events.borrow_mut())
    }

    /// Forgets what has happened.
    pub fn forget(&self) {
        self.events();
    }

    /// Whether an object was freed since events were last taken.
    pub fn freed(&self, id: u32) -> bool {
        self.events.borrow().contains(&Happened::Free(id))
    }
}
