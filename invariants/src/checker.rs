//! The observer that asks the invariants while a program runs.

use crate::lists::{holders, is_dead};
use crate::looks::{self, Scratch, is_marking};
use crate::{
    History, ObjectInfo, Verdict, Violation, ages, complete, dangling, finalizers, gray_lists, pause, signs, tricolour,
};
use moonphase_vm::gc::{
    Direction, Event, HeapView, Interests, ListName, Mode, ObjectView, Observer, Phase, Site, StepKind,
};
use std::any::Any;
use std::fmt;
use std::ops::ControlFlow;
use std::str::FromStr;

/// How often the checker looks at how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// A whole look before and after all that the collector does at a time: before a run of steps, between which the program
    /// does nothing, and after it. After a step inside a run a look at what it did, as with [`Level::Barrier`]. Stores cost
    /// nothing, and a wrong one is seen at the next step.
    Step,
    /// After a store or barrier a look at that reference; after a step a look at what it did; at all objects before the
    /// atomic phase, and again when sweeping is done, together with the references of those whose references may have
    /// changed; after a minor collection at the young objects and those that it traversed; a whole look, which also asks for
    /// the count of bytes and the string table, at the end of every sixty-fourth cycle and of the run.
    ///
    /// What stores, barriers and single traversals break is found at the same event as with [`Level::Full`], and so is
    /// what the program or the collector may cover up before the next look: dead objects near the top of the stack that
    /// runs (at steps and while sweeping, and at stores too where the last sweep left any), wrong colours of upvalues.
    /// Of the traversals of an object that refers to the same again and again one is looked at; if a later one leaves
    /// something unmarked, the look when sweeping is done sees it gone.
    /// What can only be seen by looking everywhere and stays (an object that fell out of its list, a byte too many, a
    /// write that no event told of) is found at a later whole look; [`Violation::sound_until`] then says from where on
    /// a second run with [`Checker::starting_at`] and [`Level::Full`] has to look to find the first event.
    #[default]
    Barrier,
    /// A whole look each time, that asks one question after the other. This is what the other levels are measured by.
    Full,
}

impl Level {
    /// Every level, the cheapest for programs that store much first.
    pub const ALL: &'static [Level] = &[Level::Step, Level::Barrier, Level::Full];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Level::Step => "step",
            Level::Barrier => "barrier",
            Level::Full => "full",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no level has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel(pub String);

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown check level '{}' (known: step, barrier, full)", self.0)
    }
}

impl std::error::Error for UnknownLevel {}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Level::ALL.iter().find(|level| level.name() == text);
        found.copied().ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}

/// With [`Level::Barrier`] one cycle in so many ends with a whole look. Minor collections count as cycles.
const CYCLES_PER_WHOLE_LOOK: u64 = 64;

/// The threads that had nothing freed anywhere in their stacks when sweeping had ended, while nothing living referred to
/// anything freed: until more is freed, their stores need no look at the stack.
enum Clean {
    /// All, since nothing was swept yet.
    All,
    /// The one that ran, by its number.
    Thread(u32),
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
    /// The newest object when the last cycle began: one that is younger need not have been collected in it.
    newest_at_start: u32,
    /// The objects whose finalizers the last cycle was to call, which only the next one can collect.
    finalized: Vec<u32>,
    finalizers: finalizers::Order,
    /// The step that is under way.
    step: Option<StepKind>,
    /// Whether a run of steps is under way. What was looked at before it, because the program may change it, is looked at
    /// again after it.
    in_run: bool,
    /// Whether nothing was looked at yet since marking ended.
    sweeping_unseen: bool,
    clean: Clean,
    /// Whether objects may have moved between lists since the last look at their members, as those with finalizers do.
    moved: bool,
    /// Cycles that have been swept, and the event at which the last one was.
    cycles: u64,
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
            newest_at_start: u32::MAX,
            finalized: Vec::new(),
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

    /// Takes back a checker that was installed as an observer. `None` if it is another observer.
    pub fn from_observer(observer: Box<dyn Observer>) -> Option<Box<Checker>> {
        observer.into_any().downcast().ok()
    }

    /// A whole look now, for the end of a run. Gives what was found, now or before.
    pub fn look(&mut self, view: HeapView<'_>) -> Option<&Violation> {
        if self.violation.is_none() && self.step.is_none() {
            let verdict = self.whole(view, true);
            self.conclude(verdict);
        }
        self.violation()
    }

    /// Looks for what full collections left behind, see [`check_complete`](crate::check_complete()). Gives what was
    /// found, now or before.
    pub fn look_complete(&mut self, view: HeapView<'_>) -> Option<&Violation> {
        if self.violation.is_none() && self.step.is_none() {
            let excepted = |id| id > self.newest_at_start || self.finalized.contains(&id);
            let verdict = complete::check_but(view, excepted);
            self.conclude(verdict);
        }
        self.violation()
    }

    fn whole(&mut self, view: HeapView<'_>, settled: bool) -> Verdict {
        self.suspicious = false;
        match self.level {
            Level::Full => looks::one_by_one(view, &mut self.scratch, settled)?,
            Level::Step | Level::Barrier => looks::whole(view, &mut self.scratch, settled)?,
        }
        if settled {
            self.sound = self.events;
        }
        Ok(())
    }

    /// Keeps a violation, with what only the checker knows.
    fn conclude(&mut self, verdict: Verdict) {
        let Err(mut violation) = verdict else { return };
        violation.event = self.events;
        violation.sound_until = self.sound;
        if self.recording {
            let Violation { parent, child, path, .. } = &mut *violation;
            let objects = path.iter_mut().map(|step| &mut step.object).chain(parent).chain(child);
            for object in objects {
                add_origin(object, &self.history);
            }
        }
        self.violation = Some(violation);
    }

    fn store<'h>(&mut self, view: HeapView<'h>, site: Site, holder: ObjectView<'h>, new: ObjectView<'h>) -> Verdict {
        self.scratch.known.touch(holder);
        let itself = dangling::check_store(view, holder, new);
        // A dead thread that a sweep frees closes its upvalues; colours are in flux then.
        let itself =
            if self.step.is_some() { itself } else { itself.and_then(|()| check_reference(view, holder, new)) };
        at_site(site, itself)?;
        if self.level == Level::Barrier && !self.suspicious && self.has_clean_stack(view) {
            return Ok(());
        }
        self.look_around(view, true)
    }

    /// Whether nothing living leads the running thread to anything dead. At steps there is a look in any case, for native
    /// functions that hold what is dead.
    fn has_clean_stack(&self, view: HeapView<'_>) -> bool {
        let is_clean = match self.clean {
            Clean::All => true,
            Clean::Thread(thread) => view.running_thread().is_some_and(|running| running.id() == thread),
            Clean::None => false,
        };
        is_clean && (is_marking(view) || pause::applies(view))
    }

    fn barrier<'h>(
        &mut self,
        view: HeapView<'h>,
        site: Site,
        (direction, acted): (Direction, bool),
        parent: ObjectView<'h>,
        child: ObjectView<'h>,
    ) -> Verdict {
        if self.step.is_some() {
            return Ok(());
        }
        let itself = || {
            check_reference(view, parent, child)?;
            match direction {
                _ if !acted => Ok(()),
                Direction::Backward => gray_lists::check_newest(view, parent),
                Direction::Forward => {
                    tricolour::check_traversed(view, child)?;
                    gray_lists::check_newest(view, child)
                }
            }
        };
        at_site(site, itself())?;
        self.suspicious |= acted && (signs::in_object(view, parent) || signs::in_object(view, child));
        // What is on the stack is looked at when the store that it is part of is told.
        if self.suspicious || self.level == Level::Full { self.look_around(view, false) } else { Ok(()) }
    }

    /// Outside of steps: what is asked of the rest of the heap.
    fn look_around(&mut self, view: HeapView<'_>, settled: bool) -> Verdict {
        let looks = match self.level {
            Level::Step => false,
            // In a run nothing is put on a stack.
            Level::Barrier => {
                self.step.is_none()
                    && (self.suspicious || !self.in_run && signs::on_stack(view, self.has_clean_stack(view)))
            }
            Level::Full => self.step.is_none(),
        };
        if looks { self.whole(view, settled) } else { Ok(()) }
    }

    /// A step begins that is not looked at, or has been.
    fn enter_step(&mut self, view: HeapView<'_>, kind: StepKind) {
        self.step = Some(kind);
        if kind == StepKind::Turn && view.phase() == Phase::EnterAtomic && self.finalizers.before_atomic(view) {
            holders(view).for_each(|object| self.finalizers.remember_keys(view, object));
        }
    }

    fn step_begins(&mut self, view: HeapView<'_>, kind: StepKind) -> Verdict {
        self.look_around(view, true)?;
        let goes_on = std::mem::replace(&mut self.in_run, view.is_in_run());
        if self.level != Level::Barrier {
            self.enter_step(view, kind);
            return if self.level == Level::Step && !goes_on { self.whole(view, true) } else { Ok(()) };
        }
        self.step = Some(kind);
        let Checker { scratch, finalizers, .. } = self;
        match (kind, view.phase()) {
            // The last look at the marks before they are settled or undone.
            (StepKind::Turn, Phase::EnterAtomic) if finalizers.before_atomic(view) => {
                looks::members(view, scratch, |object| finalizers.remember_keys(view, object))
            }
            (StepKind::Turn, Phase::EnterAtomic)
            | (StepKind::AbandonMarking, Phase::EnterAtomic | Phase::Propagate) => {
                looks::members(view, scratch, |_| {})
            }
            // What the program may have moved between lists since the collection before. The rest was looked at after that.
            _ if view.mode() == Mode::Generational && std::mem::take(&mut self.moved) => {
                looks::young_members(view, scratch)
            }
            _ => Ok(()),
        }
    }

    fn run_ended(&mut self, view: HeapView<'_>) -> Verdict {
        if std::mem::take(&mut self.in_run) && self.level == Level::Step {
            return self.whole(view, true);
        }
        self.look_around(view, true)?;
        self.see_sweeping(view)
    }

    fn step_ended(&mut self, view: HeapView<'_>, kind: StepKind, before: Phase) -> Verdict {
        self.step = None;
        if let Some(violation) = self.found_in_step.take() {
            return Err(violation);
        }
        self.look_after_step(view, kind, before)?;
        // Objects are found to be finalizable at the end of marking.
        if self.level == Level::Barrier && kind == StepKind::Turn && before == view.phase() {
            self.finalizers.after_usual_step(view);
            return Ok(());
        }
        self.finalizers.after_step(view)
    }

    fn look_after_step(&mut self, view: HeapView<'_>, kind: StepKind, before: Phase) -> Verdict {
        let looks = match self.level {
            Level::Step => !view.is_in_run(),
            Level::Barrier => false,
            Level::Full => true,
        };
        if looks {
            return self.whole(view, true);
        }
        if is_of_generational_mode(kind) {
            return self.swept(view, kind);
        }
        // Marking changes nothing of what is asked of the stack.
        if self.suspicious || before != Phase::Propagate {
            self.look_around(view, true)?;
        }
        match (before, view.phase()) {
            (Phase::EnterAtomic, Phase::SweepAll | Phase::SweepStrings) => self.marked(view),
            (Phase::SweepAll | Phase::SweepEnd, Phase::CallFinalizers) | (Phase::SweepAll, Phase::Pause) => {
                self.swept(view, kind)
            }
            // Where finalizers were called, these are the colours that they left.
            (Phase::CallFinalizers, Phase::Pause) if self.events > self.swept_at + 2 => {
                looks::members(view, &mut self.scratch, |_| {})
            }
            _ => Ok(()),
        }
    }

    /// Marking has ended: what is dead now is dead for good. Where sweeping comes to its end before the program goes on, the
    /// look at that end sees what refers to something dead, since what is freed is still known to be. It does not see what
    /// is kept by its list alone.
    fn marked(&mut self, view: HeapView<'_>) -> Verdict {
        self.sweeping_unseen = true;
        self.clean = Clean::None;
        let goes_on = view.is_in_run() || self.step.is_some();
        if goes_on && !view.list(ListName::ToBeFinalized).any(|object| is_dead(view, object)) {
            return Ok(());
        }
        self.see_sweeping(view)
    }

    /// The program goes on. If it does so before sweeping has come to its end, a look is due.
    fn see_sweeping(&mut self, view: HeapView<'_>) -> Verdict {
        if std::mem::take(&mut self.sweeping_unseen) { looks::after_atomic(view, &mut self.scratch) } else { Ok(()) }
    }

    /// A cycle is done with sweeping.
    fn swept(&mut self, view: HeapView<'_>, kind: StepKind) -> Verdict {
        self.sweeping_unseen = false;
        self.swept_at = self.events;
        self.moved = view.list(ListName::ToBeFinalized).next().is_some();
        self.cycles += 1;
        match kind {
            _ if self.cycles.is_multiple_of(CYCLES_PER_WHOLE_LOOK) => self.whole(view, true)?,
            StepKind::Minor => looks::after_minor(view, &mut self.scratch)?,
            _ => looks::swept(view, &mut self.scratch)?,
        }
        self.clean = match view.running_thread() {
            Some(running) if !view.any_in_whole_stack(ObjectView::is_freed) => Clean::Thread(running.id()),
            _ => Clean::None,
        };
        Ok(())
    }

    /// Keeps what later looks need to know of an event that is not looked at.
    fn follow(&mut self, view: HeapView<'_>, event: &Event<'_>) {
        match *event {
            Event::StepBegin(kind) => self.enter_step(view, kind),
            Event::StepEnd(..) => {
                self.step = None;
                // What is wrong is not to be told yet.
                let _ = self.finalizers.after_step(view);
            }
            Event::Finalizable(object) => self.finalizers.mark(object),
            _ => {}
        }
    }

    /// Keeps what [`Checker::look_complete`] needs to know of the last cycle that looked at all objects.
    fn follow_cycle(&mut self, view: HeapView<'_>, event: &Event<'_>) {
        match event {
            Event::StepBegin(StepKind::Turn) if view.phase() == Phase::Pause => self.newest_at_start = view.newest(),
            Event::StepBegin(StepKind::BeginMarking | StepKind::Major) => self.newest_at_start = view.newest(),
            Event::StepEnd(StepKind::Turn, Phase::EnterAtomic) | Event::StepEnd(StepKind::Major, _) => {
                self.finalized.clear();
                // A list that is a circle is for the checks to find.
                let waiting = view.list(ListName::ToBeFinalized).take(view.newest() as usize);
                self.finalized.extend(waiting.map(|object| object.id()));
            }
            _ => {}
        }
    }

    /// Counts the events up to this one, and records it. Says whether it is to be looked at.
    fn hear(&mut self, view: HeapView<'_>, event: &Event<'_>) -> bool {
        match self.level {
            Level::Step => self.events += u64::from(matches!(event, Event::StepBegin(_) | Event::StepEnd(..))),
            Level::Barrier | Level::Full => self.events = view.events(),
        }
        if self.recording {
            self.history.record(self.events, view, event);
        }
        self.events >= self.first
    }

    /// Ends the program.
    fn end(&mut self, view: HeapView<'_>, verdict: Verdict) -> ControlFlow<()> {
        self.conclude(verdict);
        let Some(violation) = &self.violation else { return ControlFlow::Continue(()) };
        if self.recording {
            self.history.name_parties(view, violation);
        }
        ControlFlow::Break(())
    }

    /// An object was traversed. That is the most frequent of events, and not numbered.
    fn traversed(&mut self, view: HeapView<'_>, object: ObjectView<'_>) -> ControlFlow<()> {
        if !self.hear(view, &Event::Traversed(object)) {
            return ControlFlow::Continue(());
        }
        if self.level == Level::Barrier && self.scratch.known.repeats_traversal(object) {
            return ControlFlow::Continue(());
        }
        let verdict = tricolour::check_traversed(view, object).and_then(|()| gray_lists::check_newest(view, object));
        match verdict {
            Ok(()) => ControlFlow::Continue(()),
            verdict if self.step.is_some() => self.keep_for_end(verdict),
            verdict => self.end(view, verdict),
        }
    }

    /// All others.
    #[inline(never)]
    fn rarer_event(&mut self, view: HeapView<'_>, event: &Event<'_>) -> ControlFlow<()> {
        self.follow_cycle(view, event);
        if !self.hear(view, event) {
            self.follow(view, event);
            return ControlFlow::Continue(());
        }
        let sound = self.sound;
        let verdict = match *event {
            Event::Store { .. } | Event::Barrier { .. } if self.level == Level::Step => Ok(()),
            Event::Store { site, holder, new, .. } => self.store(view, site, holder, new),
            Event::Barrier { site, direction, parent, child, acted } => {
                self.barrier(view, site, (direction, acted), parent, child)
            }
            Event::StepBegin(kind) => self.step_begins(view, kind),
            Event::StepEnd(kind, before) => self.step_ended(view, kind, before),
            Event::RunEnd => self.run_ended(view),
            // In the middle of a collection of generational mode: what is wrong is kept until its end.
            Event::PhaseChange(Phase::Atomic) if self.step.is_some_and(is_of_generational_mode) => {
                let verdict = self.marked(view);
                return self.keep_for_end(verdict);
            }
            Event::Finalizable(object) => {
                self.moved = true;
                self.finalizers.mark(object);
                Ok(())
            }
            Event::CloseUpvalue(upvalue) => {
                self.suspicious |= signs::in_object(view, upvalue);
                Ok(())
            }
            Event::Dangling(object) => Err(dangling::met(view, object)),
            _ => Ok(()),
        };
        if verdict.is_ok() {
            return ControlFlow::Continue(());
        }
        // A whole look may have found nothing, and what came after it at the same event something.
        self.sound = sound;
        self.end(view, verdict)
    }

    /// Keeps what was found in the middle of a step, if it is the first.
    fn keep_for_end(&mut self, verdict: Verdict) -> ControlFlow<()> {
        self.found_in_step = self.found_in_step.take().or(verdict.err());
        ControlFlow::Continue(())
    }
}

impl Observer for Checker {
    fn interests(&self) -> Interests {
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

    fn event(&mut self, view: HeapView<'_>, event: &Event<'_>) -> ControlFlow<()> {
        if self.violation.is_some() {
            return ControlFlow::Break(());
        }
        match *event {
            Event::Traversed(object) => self.traversed(view, object),
            _ => self.rarer_event(view, event),
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
fn check_reference<'h>(view: HeapView<'h>, holder: ObjectView<'h>, new: ObjectView<'h>) -> Verdict {
    tricolour::check_store(view, holder, new)?;
    ages::check_store(view, holder, new)
}

/// What is wrong with a reference itself is the doing of the site that wrote it.
fn at_site(site: Site, verdict: Verdict) -> Verdict {
    verdict.map_err(|mut violation| {
        violation.site = Some(site);
        violation
    })
}

/// Adds to an object where it was made.
fn add_origin(object: &mut ObjectInfo, history: &History) {
    object.made_at = history.made(object.id).and_then(|made| made.location.clone());
    if let Some(place) = &object.made_at {
        object.description.push_str(&format!(" (made at {})", crate::describe_location(place)));
    }
}
