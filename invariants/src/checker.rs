//! The observer that asks the checks while a program runs.
//!
//! The heap tells of events; the checker looks. How much it looks at is its [`Level`]; which looks there are is in `looks`.
//! With [`Level::Barrier`] the usual life of a cycle is this:
//!
//! - at each store and barrier: the one reference (`store`, `barrier`), and the top of the stack (`signs`);
//! - at each traversal: the object's references (`traversed`);
//! - before the atomic phase: all objects, by their headers (`step_begins`);
//! - when marking has ended: whether anything living refers to anything dead, unless sweeping ends before the program goes
//!   on (`marked`);
//! - when sweeping has ended: all objects by their headers, and their references (`swept`).

use crate::breach::{Breach, Verdict};
use crate::checks::{ages, complete, dangling, finalizers, gray_lists, tricolour};
use crate::last_cycle::LastCycle;
use crate::scratch::Scratch;
use crate::walk::{any_in_whole_stack, holders, is_dead};
use crate::{History, Level, Violation, looks, signs};
use moonphase_heap::{Direction, Event, Heap, Interests, ListName, Mode, Names, Observer, Phase, Site, StepKind};
use std::any::Any;
use std::ops::ControlFlow;

/// With [`Level::Barrier`] one cycle in so many ends with a whole look. Minor collections count as cycles.
const CYCLES_PER_WHOLE_LOOK: u64 = 64;

/// The threads whose stacks were clean when sweeping had ended: nothing freed was anywhere in them, and nothing living referred
/// to anything freed. Until more is freed, their stores need no look at the stack.
enum Clean {
    /// All threads, since nothing was swept yet.
    All,
    /// The thread that ran, by its number.
    Thread(u32),
    /// None.
    None,
}

/// Checks a heap while a program runs, and ends the program at the first violation.
///
/// Events are numbered: stores, barriers, and both ends of each step count, so a number means the same in two runs of
/// one script with the same levels of interest ([`Level::Step`] hears of no stores and has numbers of its own).
pub struct Checker {
    level: Level,
    recording: bool,
    history: History,
    /// Events so far.
    events: u64,
    /// The first event that is looked at.
    first: u64,
    /// The last event at which a whole look found nothing.
    sound: u64,
    last_cycle: LastCycle,
    finalizers: finalizers::Order,
    /// The step that is under way.
    step: Option<StepKind>,
    /// Whether a run of steps is under way, between which the program does nothing. So what only the program can change is
    /// looked at before and after a run.
    in_run: bool,
    /// Whether nothing was looked at yet since marking ended.
    sweeping_unseen: bool,
    clean: Clean,
    /// Whether objects may have moved between lists since the last look at the members of lists. An object that gets a
    /// finalizer moves.
    moved: bool,
    /// Cycles that have been swept.
    cycles: u64,
    /// The event at which the last one was.
    swept_at: u64,
    /// Whether there was a sign, since the last whole look, that something is wrong.
    suspicious: bool,
    /// What was found in the middle of a step; it is told when the step ends.
    found_in_step: Option<Box<Violation>>,
    violation: Option<Box<Violation>>,
    scratch: Scratch,
}

impl Checker {
    /// A checker that has seen nothing yet. The VM may have run before, but must not be in the middle of a step.
    pub fn new(level: Level) -> Checker {
        Checker {
            level,
            recording: false,
            history: History::default(),
            events: 0,
            first: 0,
            sound: 0,
            last_cycle: LastCycle::default(),
            finalizers: finalizers::Order::default(),
            step: None,
            in_run: false,
            sweeping_unseen: false,
            clean: Clean::All,
            moved: true,
            cycles: 0,
            swept_at: 0,
            suspicious: false,
            found_in_step: None,
            violation: None,
            scratch: Scratch::default(),
        }
    }

    /// Records what happens to each object, to explain a violation.
    pub fn with_history(mut self) -> Checker {
        self.recording = true;
        self
    }

    /// The last event at which the whole heap was found sound, 0 if none.
    pub fn sound_until(&self) -> u64 {
        self.sound
    }

    /// Looks at nothing before this event. To see what a step breaks, begin no later than with the step.
    pub fn starting_at(mut self, event: u64) -> Checker {
        self.first = event;
        self
    }

    /// What was recorded; empty unless asked for with [`Checker::with_history`].
    pub fn history(&self) -> &History {
        &self.history
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What was found.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_deref()
    }

    /// What was found, for keeps.
    pub fn into_violation(self) -> Option<Violation> {
        self.violation.map(|violation| *violation)
    }

    /// What was found and what was recorded, for keeps.
    pub fn into_parts(self) -> (Option<Box<Violation>>, History) {
        (self.violation, self.history)
    }

    /// A whole look now, for the end of a run. Gives what was found, now or before.
    pub fn look<H: Names>(&mut self, heap: H) -> Option<&Violation> {
        if self.violation.is_none() && self.step.is_none() {
            let verdict = self.whole(heap, true);
            self.conclude(heap, verdict);
        }
        self.violation()
    }

    /// Looks for what full collections left behind, see [`Invariant::Complete`](crate::Invariant::Complete). Gives what was
    /// found, now or before.
    pub fn look_complete<H: Names>(&mut self, heap: H) -> Option<&Violation> {
        if self.violation.is_none() && self.step.is_none() {
            let verdict = complete::check(heap, |id| self.last_cycle.excepts(id));
            self.conclude(heap, verdict);
        }
        self.violation()
    }

    fn whole<H: Heap>(&mut self, heap: H, settled: bool) -> Verdict<H::Object> {
        self.suspicious = false;
        match self.level {
            Level::Full => looks::one_by_one(heap, &mut self.scratch, settled)?,
            Level::Step | Level::Barrier => looks::whole(heap, &mut self.scratch, settled)?,
        }
        if settled {
            self.sound = self.events;
        }
        Ok(())
    }

    fn conclude<H: Names>(&mut self, heap: H, verdict: Verdict<H::Object>) {
        if let Err(breach) = verdict {
            self.keep(Violation::of(heap, &breach));
        }
    }

    /// Keeps a violation, with what only the checker knows.
    fn keep(&mut self, mut violation: Box<Violation>) {
        violation.event = self.events;
        violation.sound_until = self.sound;
        if self.recording {
            for object in violation.objects_mut() {
                object.made_at = self.history.made(object.id).and_then(|made| made.location.clone());
            }
        }
        self.violation = Some(violation);
    }

    fn store<H: Heap>(&mut self, heap: H, site: Site, holder: H::Object, new: H::Object) -> Verdict<H::Object> {
        self.scratch.known.touch(heap, holder);
        let itself = dangling::check_store(heap, holder, new);
        // A dead thread that a sweep frees closes its upvalues; colours are in flux then.
        let itself =
            if self.step.is_some() { itself } else { itself.and_then(|()| check_reference(heap, holder, new)) };
        at_site(site, itself)?;
        if self.level == Level::Barrier && !self.suspicious && self.has_clean_stack(heap) {
            return Ok(());
        }
        self.look_around(heap, true)
    }

    /// Whether the running thread cannot have come to anything dead since sweeping ended, since nothing living led to it. At
    /// steps the stack is looked at all the same: a native function may hold what is dead.
    fn has_clean_stack<H: Heap>(&self, heap: H) -> bool {
        let is_clean = match self.clean {
            Clean::All => true,
            Clean::Thread(thread) => heap.running_thread().is_some_and(|running| heap.id(running) == thread),
            Clean::None => false,
        };
        is_clean && (heap.phase().is_marking() || heap.phase().is_between_cycles())
    }

    fn barrier<H: Heap>(
        &mut self,
        heap: H,
        site: Site,
        (direction, acted): (Direction, bool),
        parent: H::Object,
        child: H::Object,
    ) -> Verdict<H::Object> {
        if self.step.is_some() {
            return Ok(());
        }
        let itself = || {
            check_reference(heap, parent, child)?;
            match direction {
                _ if !acted => Ok(()),
                Direction::Backward => gray_lists::check_newest(heap, parent),
                Direction::Forward => {
                    tricolour::check_traversed(heap, child)?;
                    gray_lists::check_newest(heap, child)
                }
            }
        };
        at_site(site, itself())?;
        self.suspicious |= acted && (signs::in_object(heap, parent) || signs::in_object(heap, child));
        // What is on the stack is looked at when the store that it is part of is told.
        if self.suspicious || self.level == Level::Full { self.look_around(heap, false) } else { Ok(()) }
    }

    /// Looks at more than the event is about, where there is reason to: everywhere, if there was a sign that something is
    /// wrong. Not inside of a step.
    fn look_around<H: Heap>(&mut self, heap: H, settled: bool) -> Verdict<H::Object> {
        let looks = match self.level {
            Level::Step => false,
            // In a run nothing is put on a stack.
            Level::Barrier => {
                self.step.is_none()
                    && (self.suspicious || !self.in_run && signs::on_stack(heap, self.has_clean_stack(heap)))
            }
            Level::Full => self.step.is_none(),
        };
        if looks { self.whole(heap, settled) } else { Ok(()) }
    }

    /// Keeps what later looks need to know of a step that begins.
    fn enter_step<H: Heap>(&mut self, heap: H, kind: StepKind) {
        self.step = Some(kind);
        if kind == StepKind::Turn && heap.phase() == Phase::EnterAtomic && self.finalizers.before_atomic(heap) {
            holders(heap).for_each(|object| self.finalizers.remember_keys(heap, object));
        }
    }

    fn step_begins<H: Heap>(&mut self, heap: H, kind: StepKind) -> Verdict<H::Object> {
        self.look_around(heap, true)?;
        let goes_on = std::mem::replace(&mut self.in_run, heap.is_in_run());
        if self.level != Level::Barrier {
            self.enter_step(heap, kind);
            return if self.level == Level::Step && !goes_on { self.whole(heap, true) } else { Ok(()) };
        }
        self.step = Some(kind);
        let Checker { scratch, finalizers, .. } = self;
        match (kind, heap.phase()) {
            // The last look at the marks before they are settled or undone.
            (StepKind::Turn, Phase::EnterAtomic) if finalizers.before_atomic(heap) => {
                looks::members(heap, scratch, |object| finalizers.remember_keys(heap, object))
            }
            (StepKind::Turn, Phase::EnterAtomic)
            | (StepKind::AbandonMarking, Phase::EnterAtomic | Phase::Propagate) => {
                looks::members(heap, scratch, |_| {})
            }
            // What the program may have moved between lists since the collection before. The rest was looked at after that.
            _ if heap.mode() == Mode::Generational && std::mem::take(&mut self.moved) => {
                looks::young_members(heap, scratch)
            }
            _ => Ok(()),
        }
    }

    fn run_ended<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
        if std::mem::take(&mut self.in_run) && self.level == Level::Step {
            return self.whole(heap, true);
        }
        self.look_around(heap, true)?;
        self.see_sweeping(heap)
    }

    fn step_ended<H: Heap>(&mut self, heap: H, kind: StepKind, before: Phase) -> Verdict<H::Object> {
        self.step = None;
        self.look_after_step(heap, kind, before)?;
        // Objects are found to be finalizable at the end of marking.
        if self.level == Level::Barrier && kind == StepKind::Turn && before == heap.phase() {
            self.finalizers.after_usual_step(heap);
            return Ok(());
        }
        self.finalizers.after_step(heap)
    }

    fn look_after_step<H: Heap>(&mut self, heap: H, kind: StepKind, before: Phase) -> Verdict<H::Object> {
        let looks = match self.level {
            Level::Step => !heap.is_in_run(),
            Level::Barrier => false,
            Level::Full => true,
        };
        if looks {
            return self.whole(heap, true);
        }
        if is_of_generational_mode(kind) {
            return self.swept(heap, kind);
        }
        // Marking changes nothing of what is asked of the stack.
        if self.suspicious || before != Phase::Propagate {
            self.look_around(heap, true)?;
        }
        match (before, heap.phase()) {
            (Phase::EnterAtomic, Phase::SweepAll | Phase::SweepStrings) => self.marked(heap),
            (Phase::SweepAll | Phase::SweepEnd, Phase::CallFinalizers) | (Phase::SweepAll, Phase::Pause) => {
                self.swept(heap, kind)
            }
            // Where finalizers were called, these are the colours that they left.
            (Phase::CallFinalizers, Phase::Pause) if self.events > self.swept_at + 2 => {
                looks::members(heap, &mut self.scratch, |_| {})
            }
            _ => Ok(()),
        }
    }

    /// Marking has ended: what is dead now is dead for good, so nothing living may refer to it.
    ///
    /// Where sweeping ends before the program goes on, the look at that end is enough, since it knows what was freed. It is not
    /// enough where a dead object waits for its finalizer: such an object is kept by its list and not freed.
    fn marked<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
        self.sweeping_unseen = true;
        self.clean = Clean::None;
        let goes_on = heap.is_in_run() || self.step.is_some();
        if goes_on && !heap.list(ListName::ToBeFinalized).any(|object| is_dead(heap, object)) {
            return Ok(());
        }
        self.see_sweeping(heap)
    }

    /// The program goes on. If nothing was looked at since marking ended, a look is due.
    fn see_sweeping<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
        if std::mem::take(&mut self.sweeping_unseen) { looks::after_atomic(heap, &mut self.scratch) } else { Ok(()) }
    }

    /// Sweeping has ended, or a collection of generational mode.
    fn swept<H: Heap>(&mut self, heap: H, kind: StepKind) -> Verdict<H::Object> {
        self.sweeping_unseen = false;
        self.swept_at = self.events;
        self.moved = heap.list(ListName::ToBeFinalized).next().is_some();
        self.cycles += 1;
        match kind {
            _ if self.cycles.is_multiple_of(CYCLES_PER_WHOLE_LOOK) => self.whole(heap, true)?,
            StepKind::Minor => looks::after_minor(heap, &mut self.scratch)?,
            _ => looks::swept(heap, &mut self.scratch)?,
        }
        self.clean = match heap.running_thread() {
            Some(running) if !any_in_whole_stack(heap, |object| heap.is_freed(object)) => {
                Clean::Thread(heap.id(running))
            }
            _ => Clean::None,
        };
        Ok(())
    }

    /// Keeps what later looks need to know of an event before the first that is looked at.
    fn follow<H: Heap>(&mut self, heap: H, event: &Event<'_, H::Object>) {
        match *event {
            Event::StepBegin(kind) => self.enter_step(heap, kind),
            Event::StepEnd(..) => {
                self.step = None;
                // What is wrong is not to be told yet.
                let _ = self.finalizers.after_step(heap);
            }
            Event::Finalizable(object) => self.finalizers.mark(heap, object),
            _ => {}
        }
    }

    /// Counts the events up to this one, and records it. Says whether it is to be looked at.
    fn hear<H: Names>(&mut self, heap: H, event: &Event<'_, H::Object>) -> bool {
        match self.level {
            Level::Step => self.events += u64::from(matches!(event, Event::StepBegin(_) | Event::StepEnd(..))),
            Level::Barrier | Level::Full => self.events = heap.events(),
        }
        if self.recording {
            self.history.record(self.events, heap, event);
        }
        self.events >= self.first
    }

    /// Ends the program.
    fn end<H: Names>(&mut self, heap: H, violation: Box<Violation>) -> ControlFlow<()> {
        if self.recording {
            self.history.meet_parties(heap, &violation);
        }
        self.keep(violation);
        ControlFlow::Break(())
    }

    /// An object was traversed. That is the most frequent of events, and not numbered.
    fn traversed<H: Names>(&mut self, heap: H, object: H::Object) -> ControlFlow<()> {
        if !self.hear(heap, &Event::Traversed(object)) {
            return ControlFlow::Continue(());
        }
        if self.level == Level::Barrier && self.scratch.known.repeats_traversal(heap, object) {
            return ControlFlow::Continue(());
        }
        let verdict = tricolour::check_traversed(heap, object).and_then(|()| gray_lists::check_newest(heap, object));
        match verdict {
            Ok(()) => ControlFlow::Continue(()),
            Err(breach) if self.step.is_some() => self.keep_for_end(heap, &breach),
            Err(breach) => self.end(heap, Violation::of(heap, &breach)),
        }
    }

    /// Any other event.
    #[inline(never)]
    fn rarer_event<H: Names>(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        self.last_cycle.follow(heap, event);
        if !self.hear(heap, event) {
            self.follow(heap, event);
            return ControlFlow::Continue(());
        }
        let sound = self.sound;
        let verdict = match *event {
            Event::Store { .. } | Event::Barrier { .. } if self.level == Level::Step => Ok(()),
            Event::Store { site, holder, new, .. } => self.store(heap, site, holder, new),
            Event::Barrier { site, direction, parent, child, acted } => {
                self.barrier(heap, site, (direction, acted), parent, child)
            }
            Event::StepBegin(kind) => self.step_begins(heap, kind),
            Event::StepEnd(kind, before) => match self.found_in_step.take() {
                Some(violation) => {
                    self.step = None;
                    return self.end(heap, violation);
                }
                None => self.step_ended(heap, kind, before),
            },
            Event::RunEnd => self.run_ended(heap),
            // In the middle of a collection of generational mode: what is wrong is kept until its end.
            Event::PhaseChange(Phase::Atomic) if self.step.is_some_and(is_of_generational_mode) => {
                return match self.marked(heap) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(breach) => self.keep_for_end(heap, &breach),
                };
            }
            Event::Finalizable(object) => {
                self.moved = true;
                self.finalizers.mark(heap, object);
                Ok(())
            }
            Event::CloseUpvalue(upvalue) => {
                self.suspicious |= signs::in_object(heap, upvalue);
                Ok(())
            }
            Event::Dangling(object) => Err(dangling::met(heap, object)),
            _ => Ok(()),
        };
        let Err(breach) = verdict else { return ControlFlow::Continue(()) };
        // A whole look may have found nothing, and what came after it at the same event something.
        self.sound = sound;
        self.end(heap, Violation::of(heap, &breach))
    }

    /// Keeps what was found in the middle of a step, if it is the first.
    fn keep_for_end<H: Names>(&mut self, heap: H, breach: &Breach<H::Object>) -> ControlFlow<()> {
        self.found_in_step.get_or_insert_with(|| Violation::of(heap, breach));
        ControlFlow::Continue(())
    }
}

impl Checker {
    /// What it wants to be told.
    pub fn interests(&self) -> Interests {
        let (level, fine) = (self.level, self.recording);
        Interests {
            stores: level != Level::Step || fine,
            steps: true,
            // A turn that goes on with marking is looked at when it has traversed its object, and what a barrier that did
            // nothing leaves wrong at the store.
            idle: level != Level::Barrier || fine,
            fine,
        }
    }
}

impl<H: Names> Observer<H> for Checker {
    fn interests(&self) -> Interests {
        self.interests()
    }

    fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        if self.violation.is_some() {
            return ControlFlow::Break(());
        }
        match *event {
            Event::Traversed(object) => self.traversed(heap, object),
            _ => self.rarer_event(heap, event),
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Whether a step does what in incremental mode a whole cycle does.
fn is_of_generational_mode(kind: StepKind) -> bool {
    matches!(kind, StepKind::Minor | StepKind::Major | StepKind::EnterIncremental)
}

/// Looks at one reference, by the rule that its holder's age calls for.
fn check_reference<H: Heap>(heap: H, holder: H::Object, new: H::Object) -> Verdict<H::Object> {
    tricolour::check_store(heap, holder, new)?;
    ages::check_store(heap, holder, new)
}

/// What is wrong with a reference itself is the doing of the site that wrote it.
fn at_site<O>(site: Site, verdict: Verdict<O>) -> Verdict<O> {
    verdict.map_err(|mut breach| {
        breach.site = Some(site);
        breach
    })
}
