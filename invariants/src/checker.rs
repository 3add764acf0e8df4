//! The observer that asks the checks while a program runs.
//!
//! The heap tells of events; the checker looks. What it looks at is said by its [`Level`]; which looks there are is in `looks`.
//! With [`Level::Barrier`] this is what happens in a cycle of incremental mode:
//!
//! - at each store and barrier: the one reference (`store`, `barrier`), and the top of the stack (`signs`);
//! - at each traversal: the object's references (`traversed`);
//! - before the atomic phase: all objects, by their headers; the entries of weak tables are remembered (`step_begins`);
//! - after the atomic phase: whether an entry of a weak table is gone that had to stay (`step_ended`);
//! - when marking has ended: whether anything reachable is dead, unless sweeping ends before the program goes on
//!   (`marking_ended`);
//! - when sweeping has ended: all objects by their headers, and their references (`sweeping_ended`).
//!
//! At each finalizer the checker asks whether it is the turn of its object, and at each step whether a finalizer runs. When a state is
//! closed, finalizers are called between steps of their own, and whoever closes it calls [`Checker::look_closed`].

use crate::breach::{Breach, Verdict};
use crate::checks::{ages, complete, dangling, finalizers, gray_lists, kept_entries, pacing, tricolour};
use crate::last_cycle::LastCycle;
use crate::scratch::Scratch;
use crate::walk::{any_in_whole_stack, is_dead};
use crate::{History, Level, Violation, looks, signs};
use moonphase_heap::{Direction, Event, Heap, Interests, ListName, Mode, Names, Observer, Phase, Site, StepKind};
use std::any::Any;
use std::ops::ControlFlow;

/// With [`Level::Barrier`] one cycle in so many ends with a whole look. Minor collections count as cycles.
const CYCLES_PER_WHOLE_LOOK: u64 = 64;

/// A step has two numbered events: its beginning and its end.
const EVENTS_OF_A_STEP: u64 = 2;

/// The threads whose stacks had no freed object in them when sweeping had ended, while nothing living referred to a freed object.
/// Until more is freed, a store of such a thread needs no look at the stack.
enum Clean {
    /// All threads, for as long as no freed object is kept.
    All,
    /// The thread that ran, by its number.
    Thread(u32),
    /// None.
    None,
}

/// Checks a heap while a program runs, and ends the program at the first violation.
///
/// Events are numbered: stores, barriers, and both ends of each step count. In two runs of one script a number means the same
/// with [`Level::Barrier`] and [`Level::Full`]. [`Level::Step`] counts no stores and barriers, and so has numbers of its own.
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
    weak_entries: kept_entries::WeakEntries,
    due: pacing::Due,
    /// The step that is under way.
    step: Option<StepKind>,
    /// Whether a run of steps is under way. What only the program can change is looked at before and after a run.
    in_run: bool,
    /// Whether the look that is due when marking has ended was put off until the program goes on.
    sweeping_unseen: bool,
    clean: Clean,
    /// Whether objects may have moved between lists since the last look at the members of lists. An object that gets a
    /// finalizer does.
    moved: bool,
    /// Cycles and collections of generational mode that have ended.
    cycles: u64,
    /// The event at which the last of them ended.
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
            weak_entries: kept_entries::WeakEntries::default(),
            due: pacing::Due::default(),
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
            scratch: Scratch::new(level != Level::Step),
        }
    }

    /// Records what happens to each object, to explain a violation.
    pub fn with_history(mut self) -> Checker {
        self.recording = true;
        self
    }

    /// The number of the last event at which a whole look found nothing, 0 if there was none.
    pub fn sound_until(&self) -> u64 {
        self.sound
    }

    /// Looks at nothing before the event of this number. To see what a step breaks, begin no later than at its beginning.
    pub fn starting_at(mut self, event: u64) -> Checker {
        self.first = event;
        self
    }

    /// What was recorded; empty unless asked for with [`Checker::with_history`].
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The number of the last event.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What was found; `None` if nothing was.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_deref()
    }

    /// What was found, once the checker has done its work.
    pub fn into_violation(self) -> Option<Violation> {
        self.violation.map(|violation| *violation)
    }

    /// What was found and what was recorded, once the checker has done its work.
    pub fn into_parts(self) -> (Option<Box<Violation>>, History) {
        (self.violation, self.history)
    }

    /// A whole look now, for when a program has ended. Gives what was found, now or before. In the middle of a step, and after a
    /// violation, there is no look.
    pub fn look<H: Names>(&mut self, heap: H) -> Option<&Violation> {
        if self.violation.is_none() && self.step.is_none() {
            let verdict = self.whole(heap, true).and_then(|()| self.check_pacing(heap));
            self.conclude(heap, verdict);
        }
        self.violation()
    }

    /// Looks for what full collections left behind, see [`Invariant::Complete`](crate::Invariant::Complete). Gives what was
    /// found, now or before. In the middle of a step, and after a violation, there is no look.
    pub fn look_complete<H: Names>(&mut self, heap: H) -> Option<&Violation> {
        if self.violation.is_none() && self.step.is_none() {
            let verdict = complete::check(heap, |id| self.last_cycle.excepts(id));
            self.conclude(heap, verdict);
        }
        self.violation()
    }

    /// A look when the state was closed and all finalizers were called. Gives what was found, now or before. In the middle of a
    /// step, and after a violation, there is no look.
    pub fn look_closed<H: Names>(&mut self, heap: H) -> Option<&Violation> {
        if self.violation.is_none() && self.step.is_none() {
            let mut verdict = self.finalizers.check_closed(heap);
            // Where no finalizer was called, nothing has changed since the last look.
            if verdict.is_ok() && self.finalizers.has_closed_any() {
                verdict = self.whole(heap, true);
            }
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
            self.keep(heap, Violation::of(heap, &breach));
        }
    }

    /// Keeps a violation, with what only the checker knows.
    fn keep<H: Names>(&mut self, heap: H, mut violation: Box<Violation>) {
        violation.event = self.events;
        violation.sound_until = self.sound;
        if self.recording {
            self.history.meet_parties(heap, &violation);
            for object in violation.objects_mut() {
                object.made_at = self.history.made(object.id).and_then(|made| made.location.clone());
            }
        }
        self.violation = Some(violation);
    }

    fn check_pacing<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
        self.due.check(heap, self.finalizers.stop_collector())
    }

    /// The same at a store of the program.
    fn check_pacing_at<H: Heap>(&mut self, heap: H, site: Site) -> Verdict<H::Object> {
        if self.step.is_none() && !site.is_loading() { self.check_pacing(heap) } else { Ok(()) }
    }

    fn store<H: Heap>(&mut self, heap: H, site: Site, holder: H::Object, new: H::Object) -> Verdict<H::Object> {
        self.scratch.known.touch(heap, holder);
        let mut verdict = dangling::check_store(heap, holder, new);
        // A sweep that frees a dead thread closes its upvalues. These stores are in the middle of a step, when not all colours
        // have been changed.
        if verdict.is_ok() && self.step.is_none() {
            verdict = check_reference(heap, holder, new);
        }
        at_site(site, verdict)?;
        self.check_pacing_at(heap, site)?;
        if self.level == Level::Barrier && !self.suspicious && self.has_clean_stack(heap) {
            return Ok(());
        }
        self.look_around(heap, true)
    }

    /// Whether the running thread had a clean stack when sweeping had ended, and no object can have been freed since. At steps
    /// the top of the stack is looked at all the same: a native function may have kept a dead object.
    fn has_clean_stack<H: Heap>(&self, heap: H) -> bool {
        let is_clean = match self.clean {
            Clean::All => heap.quarantined().next_back().is_none(),
            Clean::Thread(thread) => heap.running_thread().is_some_and(|running| heap.id(running) == thread),
            Clean::None => false,
        };
        is_clean && (heap.phase().is_marking() || heap.phase().is_between_cycles())
    }

    fn barrier<H: Heap>(
        &mut self,
        heap: H,
        site: Site,
        parent: H::Object,
        child: H::Object,
        acted: Option<Direction>,
    ) -> Verdict<H::Object> {
        if self.step.is_some() {
            return Ok(());
        }
        let mut verdict = check_reference(heap, parent, child);
        if verdict.is_ok() {
            verdict = match acted {
                None => Ok(()),
                Some(Direction::Backward) => gray_lists::check_newest(heap, parent),
                Some(Direction::Forward) => {
                    tricolour::check_traversed(heap, child).and_then(|()| gray_lists::check_newest(heap, child))
                }
            };
        }
        at_site(site, verdict)?;
        self.suspicious |= acted.is_some() && (signs::in_object(heap, parent) || signs::in_object(heap, child));
        // The stack is looked at when the store of this barrier is told.
        if self.suspicious || self.level == Level::Full { self.look_around(heap, false) } else { Ok(()) }
    }

    /// A whole look, if there is reason for one: with [`Level::Barrier`] a sign that something is wrong, on the stack for
    /// instance; with [`Level::Full`] any event outside of a step.
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
        if kept_entries::clears(kind, heap.phase()) {
            self.weak_entries.remember_all(heap);
        }
    }

    fn step_begins<H: Heap>(&mut self, heap: H, kind: StepKind) -> Verdict<H::Object> {
        self.finalizers.before_step()?;
        if kind != StepKind::Close {
            self.check_pacing(heap)?;
        }
        self.due.step_begins(heap);
        self.suspicious |= self.level == Level::Barrier && signs::is_open_above_top(heap);
        self.look_around(heap, true)?;
        let goes_on = std::mem::replace(&mut self.in_run, heap.is_in_run());
        if self.level != Level::Barrier {
            self.enter_step(heap, kind);
            return if self.level == Level::Step && !goes_on { self.whole(heap, true) } else { Ok(()) };
        }
        self.step = Some(kind);
        let Checker { scratch, weak_entries, .. } = self;
        match (kind, heap.phase()) {
            // The colours of marking: the atomic phase will complete them. Weak entries are remembered in the same walk.
            (StepKind::Turn, Phase::EnterAtomic) => {
                return looks::members(heap, scratch, |object| weak_entries.remember(heap, object));
            }
            // The colours of marking, which will be undone.
            (StepKind::AbandonMarking, Phase::EnterAtomic | Phase::Propagate) => {
                return looks::members(heap, scratch, |_| {});
            }
            _ => {}
        }
        // The program may have moved objects between lists since the last collection. Everything else was looked at then.
        if heap.mode() == Mode::Generational && std::mem::take(&mut self.moved) {
            looks::young_members(heap, &mut self.scratch)?;
        }
        match kind {
            StepKind::Minor => self.scratch.old.changeable(heap, |object| self.weak_entries.remember(heap, object)),
            StepKind::Major => self.weak_entries.remember_all(heap),
            _ => {}
        }
        Ok(())
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
        self.due.step_ended(heap, kind, before);
        self.look_after_step(heap, kind, before)?;
        match kind {
            StepKind::Close => return self.finalizers.begin_closing(heap),
            StepKind::CloseNext => return self.finalizers.after_taking(heap),
            _ => {}
        }
        // Objects are found to be finalizable at the end of marking.
        if self.level == Level::Barrier && kind == StepKind::Turn && before == heap.phase() {
            self.finalizers.after_usual_step(heap);
            return Ok(());
        }
        self.finalizers.after_step(heap)?;
        self.weak_entries.check(heap, &mut self.scratch.ids)
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
            return self.sweeping_ended(heap, kind);
        }
        // A step of marking makes nothing dead, so it cannot make a slot of the stack wrong.
        if self.suspicious || before != Phase::Propagate {
            self.look_around(heap, true)?;
        }
        match (before, heap.phase()) {
            (Phase::EnterAtomic, Phase::SweepAll | Phase::SweepStrings) => self.marking_ended(heap),
            (Phase::SweepAll | Phase::SweepEnd, Phase::CallFinalizers) | (Phase::SweepAll, Phase::Pause) => {
                self.sweeping_ended(heap, kind)
            }
            // More happened since sweeping ended than this step: finalizers were called, and may have left wrong colours.
            (Phase::CallFinalizers, Phase::Pause) if self.events > self.swept_at + EVENTS_OF_A_STEP => {
                looks::members(heap, &mut self.scratch, |_| {})
            }
            _ => Ok(()),
        }
    }

    /// Marking has ended: what is dead now is dead for good, so nothing reachable may be dead.
    ///
    /// Where sweeping ends before the program goes on, the look at that end is enough: it finds references to what was freed. It
    /// is not enough where a dead object waits for its finalizer, since such an object is not freed.
    fn marking_ended<H: Heap>(&mut self, heap: H) -> Verdict<H::Object> {
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
    fn sweeping_ended<H: Heap>(&mut self, heap: H, kind: StepKind) -> Verdict<H::Object> {
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
            Event::StepBegin(kind) => {
                self.due.step_begins(heap);
                self.enter_step(heap, kind);
            }
            Event::StepEnd(kind, before) => {
                self.step = None;
                self.due.step_ended(heap, kind, before);
                // Objects may have been freed, and nobody has looked at stacks.
                self.clean = Clean::None;
                // What is wrong is not to be told yet.
                let _ = match kind {
                    StepKind::Close => self.finalizers.begin_closing(heap),
                    StepKind::CloseNext => Ok(()),
                    _ => self.finalizers.after_step(heap),
                };
                self.weak_entries.forget();
            }
            Event::Store { site, holder, .. } => {
                self.scratch.known.touch(heap, holder);
                drop(self.check_pacing_at(heap, site));
            }
            Event::Finalizable(object) => self.finalizers.mark(heap, object),
            Event::Finalize(object) => {
                let _ = self.finalizers.begin(heap, object);
            }
            Event::Finalized => self.finalizers.end(),
            // What is wrong is not to be told yet.
            Event::Rest => drop(self.due.check_credit(heap)),
            Event::Credit => self.due.credited(heap),
            _ => {}
        }
    }

    /// Counts an event, and records it. Says whether there are looks at it.
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
        self.keep(heap, violation);
        ControlFlow::Break(())
    }

    /// An object was traversed. That is the most frequent of events, and not numbered.
    fn traversed<H: Names>(&mut self, heap: H, object: H::Object) -> ControlFlow<()> {
        if !self.hear(heap, &Event::Traversed(object)) {
            return ControlFlow::Continue(());
        }
        if self.level == Level::Barrier
            && self.step.is_none()
            && matches!(self.clean, Clean::None)
            && signs::on_stack(heap, false)
            && let Err(breach) = self.whole(heap, true)
        {
            // An idle turn, of which nothing else tells. What it found on the stack may be overwritten before the next event.
            return self.end(heap, Violation::of(heap, &breach));
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
                self.barrier(heap, site, parent, child, acted.then_some(direction))
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
            Event::Rest => self.due.check_credit(heap),
            Event::Credit => {
                self.due.credited(heap);
                Ok(())
            }
            // In the middle of a collection of generational mode: what is wrong is kept until its end.
            Event::PhaseChange(Phase::Atomic) if self.step.is_some_and(is_of_generational_mode) => {
                return match self.marking_ended(heap) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(breach) => self.keep_for_end(heap, &breach),
                };
            }
            Event::Finalizable(object) => {
                self.moved = true;
                self.finalizers.mark(heap, object);
                Ok(())
            }
            // Inside of the step that takes the object: what is wrong is kept until the end of the step.
            Event::Finalize(object) => match self.finalizers.begin(heap, object) {
                Err(breach) if self.step.is_some() => return self.keep_for_end(heap, &breach),
                verdict => verdict,
            },
            Event::Finalized => {
                self.finalizers.end();
                Ok(())
            }
            Event::CloseUpvalue { upvalue, .. } => {
                self.suspicious |= signs::in_object(heap, upvalue);
                Ok(())
            }
            Event::Dangling(object) => Err(dangling::met(heap, object)),
            _ => Ok(()),
        };
        let Err(breach) = verdict else { return ControlFlow::Continue(()) };
        // A whole look at this event may have found nothing, and a later look at the same event something.
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
    /// The events that this checker needs.
    pub fn interests(&self) -> Interests {
        let (level, fine) = (self.level, self.recording);
        Interests {
            stores: level != Level::Step || fine,
            steps: true,
            // An idle turn is looked at when it has traversed its object. What an idle barrier left wrong is seen at its store.
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

/// Whether a step is a whole collection.
fn is_of_generational_mode(kind: StepKind) -> bool {
    matches!(kind, StepKind::Minor | StepKind::Major | StepKind::EnterIncremental)
}

/// Looks at one reference, by the rule that applies to the age of its holder.
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
