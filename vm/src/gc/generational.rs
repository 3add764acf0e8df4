//! Generational mode: most objects die young, so most collections look at young objects only (manual §2.5.2).
//!
//! An object is *new* until the next collection, then a *survival*, and from the second collection on it is old. A
//! *minor* collection frees no old object and traverses only those that may refer to young ones. A *major* collection
//! marks everything and makes all that lives old. Each is one step: no program runs inside, so whatever is white when a
//! minor collection sweeps is dead.
//!
//! Between collections the phase is `Propagate` and the barriers are at work: marking goes on, as it were, all the time.
//! Old objects are black and young ones white, aside from what a barrier has touched. What this mode keeps true is the
//! *generational invariant*: a black object that is really old refers to old objects only, and a black one that is old1
//! or touched2, which the next minor collection traverses, to no new one.
//!
//! - A forward barrier makes the child *old0*, and what it marks together with the child: old, but what it refers to may be young. It becomes old1 in the next
//!   collection and old in the one after, when all that it refers to is old as well.
//! - A backward barrier makes the parent *touched1*, gray and on the gray-again list. The next collection makes it touched2:
//!   black and still on the list, since its survivals become old only in the collection after that.
//! - Stacks have no barrier. An old thread is gray and on the gray-again list for ever; an old1 one may be black, as the
//!   next collection traverses all that is old1.
//! - Open upvalues are gray, whatever their age: their values are in stacks.
//!
//! In each list objects stand in the order of their ages, the young ones first, so that a minor collection sweeps the
//! beginning of the lists only: [`Boundaries`] are where the ages begin.

use crate::gc::StepKind;
use crate::gc::mark::Work;
use crate::gc::object::bits;
use crate::gc::sweep::{Link, link_after};
use crate::gc::{Age, AnyGc, Gc, Heap, Kind, ListName, Mode, Object, ObjectView, Old0Rule, Phase};

/// Where the ages begin in a list. The objects before `survival` are new, or younger than they could be: an old object that
/// came into the list late stands there too. `None` is the end of the list.
#[derive(Clone, Copy, Default)]
pub(super) struct Boundaries {
    survival: Option<AnyGc>,
    old1: Option<AnyGc>,
    really_old: Option<AnyGc>,
}

impl Boundaries {
    /// All objects of the list are really old.
    fn all_old(first: Option<AnyGc>) -> Boundaries {
        Boundaries { survival: first, old1: first, really_old: first }
    }

    pub(super) fn places(&self) -> [Option<AnyGc>; 3] {
        [self.survival, self.old1, self.really_old]
    }

    /// No object from here on can be white when marking ends.
    pub(super) fn first_old1(&self) -> Option<AnyGc> {
        self.old1
    }

    /// Moves the boundaries on from an object that leaves the list.
    pub(super) fn leave(&mut self, object: AnyGc) {
        for place in [&mut self.survival, &mut self.old1, &mut self.really_old] {
            move_on(place, object);
        }
    }
}

fn move_on(place: &mut Option<AnyGc>, object: AnyGc) {
    if *place == Some(object) {
        *place = object.next.get();
    }
}

/// The state of generational mode.
pub(super) struct Generations {
    /// How the collector works now.
    mode: Mode,
    /// What the program asked for.
    declared: Mode,
    /// Of the list of all ordinary objects.
    all: Boundaries,
    /// Of the objects with finalizers.
    pub(super) finalizable: Boundaries,
    /// No object before this one in the list of all ordinary objects is old1.
    pub(super) first_old1: Option<AnyGc>,
    /// The work of the last major collection, if it was a bad one: it freed too little to be worth its time. The
    /// collector then works incrementally until one traverses not much more than the one before.
    bad: Option<Work>,
    /// Percent by which memory grows until the next minor collection.
    minor_multiplier: usize,
    /// Percent by which memory grows after a major collection until the next one.
    major_multiplier: usize,
}

impl Generations {
    /// Of a heap that is collected incrementally.
    pub(super) fn new() -> Generations {
        Generations {
            mode: Mode::Incremental,
            declared: Mode::Incremental,
            all: Boundaries::default(),
            finalizable: Boundaries::default(),
            first_old1: None,
            bad: None,
            minor_multiplier: 20,
            major_multiplier: 100,
        }
    }

    /// The boundaries of a list. Those of lists that have none are at their end.
    pub(super) fn of(&self, list: ListName) -> Boundaries {
        match list {
            ListName::All => self.all,
            ListName::Finalizable => self.finalizable,
            _ => Boundaries::default(),
        }
    }

    /// An object leaves the list of all ordinary objects.
    pub(super) fn leave_all(&mut self, object: AnyGc) {
        self.all.leave(object);
        move_on(&mut self.first_old1, object);
    }
}

/// How much memory may grow between two major collections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growth {
    base: usize,
    increase: usize,
}

impl Growth {
    /// Whether memory has grown so much that a major collection is due.
    pub(crate) fn is_used_up(self, bytes: usize) -> bool {
        bytes > self.base.saturating_add(self.increase)
    }

    /// Whether a collection that leaves so many bytes has freed less than half of the growth.
    pub(crate) fn makes_bad(self, bytes: usize) -> bool {
        bytes >= self.base.saturating_add(self.increase / 2)
    }
}

impl Heap {
    /// How the collector works now.
    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        self.generations.mode
    }

    /// Whether automatic steps are those of generational mode, which after a bad collection works incrementally.
    pub(crate) fn steps_are_generational(&self) -> bool {
        self.generations.mode == Mode::Generational || self.generations.bad.is_some()
    }

    /// Remembers which mode the program asks for; gives the one before.
    pub(crate) fn declare_mode(&mut self, mode: Mode) -> Mode {
        std::mem::replace(&mut self.generations.declared, mode)
    }

    /// The work of the last major collection, if it was a bad one.
    pub(crate) fn bad_collection(&self) -> Option<usize> {
        self.generations.bad
    }

    pub(crate) fn set_bad_collection(&mut self, work: Option<usize>) {
        self.generations.bad = work;
    }

    /// Sets the multipliers that are given, in percent.
    pub(crate) fn set_generational_parameters(&mut self, minor: Option<usize>, major: Option<usize>) {
        let generations = &mut self.generations;
        generations.minor_multiplier = minor.unwrap_or(generations.minor_multiplier);
        generations.major_multiplier = major.unwrap_or(generations.major_multiplier);
    }

    /// The growth that is allowed since the last major collection.
    pub(crate) fn growth(&self) -> Growth {
        let base = if planted!(self, MajorNeverDue) { self.pacing.bytes } else { self.pacing.estimate };
        Growth { base, increase: (base / 100).saturating_mul(self.generations.major_multiplier) }
    }

    /// Sets the debt so that the next minor collection begins when memory has grown by its multiplier.
    pub(crate) fn rest_until_minor(&mut self) {
        let percent = if planted!(self, MinorLate) { 1 } else { 100 };
        let growth = (self.pacing.bytes / percent).saturating_mul(self.generations.minor_multiplier);
        self.rest_for(isize::try_from(growth).map_or(isize::MIN, |growth| -growth));
    }

    pub(super) fn major_multiplier(&self) -> usize {
        self.generations.major_multiplier
    }

    pub(super) fn minor_multiplier(&self) -> usize {
        self.generations.minor_multiplier
    }

    /// Leaves generational mode: every object becomes new and white, and the collector pauses.
    pub(crate) fn enter_incremental(&mut self) {
        self.in_step(StepKind::EnterIncremental, Heap::rejuvenate);
    }

    /// A minor collection. Finalizers that are due are left to the interpreter.
    pub(crate) fn collect_minor(&mut self) -> Work {
        self.in_step(StepKind::Minor, |heap| {
            debug_assert!(heap.mode() == Mode::Generational && heap.phase == Phase::Propagate);
            heap.trim_quarantine();
            if heap.is_observed() {
                heap.waited.extend_from_slice(&heap.gray_again);
            }
            heap.mark_all_old1();
            let work = heap.atomic();
            heap.sweep_young();
            heap.end_generational();
            work
        })
    }

    /// A major collection, from pause or from generational mode; all that lives is old after it. Finalizers that are due
    /// are left to the interpreter.
    pub(crate) fn collect_major(&mut self) -> Work {
        self.in_step(StepKind::Major, |heap| {
            let work = heap.mark_everything();
            heap.sweep_to_old();
            work
        })
    }

    /// A major collection after a bad one. If it was bad again (it traversed an eighth more than the one before), the
    /// sweep is left to incremental steps. Whether memory was freed is not known before a sweep, so this is decided by the
    /// work of marking.
    pub(crate) fn collect_major_after_bad(&mut self, last: Work) {
        self.in_step(StepKind::Major, |heap| {
            let work = heap.mark_everything();
            if work < last.saturating_add(last / 8) {
                heap.sweep_to_old();
            } else {
                heap.generations.bad = Some(work);
                heap.pacing.estimate = heap.pacing.bytes;
                heap.enter_sweep();
            }
        });
    }

    /// After a forward barrier with an old parent: the child that it has marked is old now. What marking the child has
    /// marked at once must not stay young, for it is not white any more and no barrier would see it.
    pub(super) fn make_old0(&mut self, marked: AnyGc) {
        // A freed object was met and not marked: what it leads to is not to be touched.
        if marked.has(bits::FREED) || marked.is_old() {
            return;
        }
        marked.set_age(if planted!(self, Old0Old) { Age::Old } else { Age::Old0 });
        if self.policy.old0 == Old0Rule::Child || planted!(self, Old0Child) {
            return;
        }
        let next = match marked.unpack() {
            Object::Upvalue(upvalue) => upvalue.get().object(),
            Object::Userdata(userdata) if userdata.user_values.is_empty() => userdata.metatable.get().map(Gc::erase),
            _ => None,
        };
        if let Some(next) = next {
            self.make_old0(next);
        }
    }

    /// To be called for a black object whose barriers are backward ones, after it was traversed. One that was touched
    /// since the last collection waits to become touched2; one that was touched before refers to old objects by the end of
    /// this collection.
    #[inline]
    pub(super) fn link_if_touched(&mut self, object: AnyGc) {
        match object.age() {
            Age::Touched1 => {
                object.set_colour(0);
                self.gray_again.push(object);
            }
            Age::Touched2 if !planted!(self, Touched2Kept) => object.set_age(Age::Old),
            _ => {}
        }
    }

    fn mark_everything(&mut self) -> Work {
        if self.mode() == Mode::Generational {
            self.rejuvenate();
        }
        debug_assert!(self.phase == Phase::Pause || planted!(self, SwitchInMidCycle));
        self.restart();
        self.enter(Phase::Propagate);
        self.atomic()
    }

    fn rejuvenate(&mut self) {
        let leaves_finalizable = planted!(self, FinalizableStaysOld);
        for list in [&self.all, &self.finalizable, &self.to_be_finalized] {
            if leaves_finalizable && std::ptr::eq(list, &self.finalizable) {
                continue;
            }
            for object in std::iter::successors(list.get(), |object| object.next.get()) {
                object.set_colour(self.current_white);
                object.set_age(Age::New);
            }
        }
        self.generations.all = Boundaries::default();
        self.generations.finalizable = Boundaries::default();
        self.generations.first_old1 = None;
        self.generations.mode = Mode::Incremental;
        self.enter(Phase::Pause);
    }

    /// Begins a minor collection: what became old in the last one may refer to survivals, and is traversed once more.
    fn mark_all_old1(&mut self) {
        if planted!(self, Old1NotMarked) {
            return;
        }
        if planted!(self, OldMarkedShort) {
            self.generations.first_old1 = self.generations.all.survival;
        }
        if let Some(first) = self.generations.first_old1.take() {
            self.mark_old1(Some(first), self.generations.all.really_old);
        }
        self.mark_old1(self.finalizable.get(), self.generations.finalizable.really_old);
        self.mark_old1(self.to_be_finalized.get(), None);
    }

    /// Marks the black old1 objects in a part of a list. Gray ones are on a list already.
    fn mark_old1(&mut self, from: Option<AnyGc>, to: Option<AnyGc>) {
        let mut at = from;
        while at != to
            && let Some(object) = at
        {
            at = object.next.get();
            if object.age() == Age::Old1 {
                object.set_age(Age::Old);
                if object.is_black() {
                    self.mark_object(object);
                }
            }
        }
    }

    /// Sweeps what is young and moves the boundaries on.
    fn sweep_young(&mut self) {
        self.enter(Phase::SweepAll);
        let mut first_old1 = None;
        self.generations.all = self.sweep_generations(self.all_link(), self.generations.all, &mut first_old1);
        self.generations.first_old1 = first_old1;
        self.enter(Phase::SweepFinalizable);
        self.generations.finalizable =
            self.sweep_generations(self.finalizable_link(), self.generations.finalizable, &mut None);
        self.enter(Phase::SweepToBeFinalized);
        self.sweep_part(self.to_be_finalized_link(), None, &mut None);
    }

    fn sweep_generations(&mut self, head: Link, before: Boundaries, first_old1: &mut Option<AnyGc>) -> Boundaries {
        let survivals = self.sweep_part(head, before.survival, first_old1);
        self.sweep_part(survivals, before.old1, first_old1);
        // SAFETY: the list's head is in this boxed heap, and the other link in it or in a living object of the list: the
        // sweep of the second part frees only objects behind that link.
        let (first, first_survival) = unsafe { (head.as_ref().get(), survivals.as_ref().get()) };
        Boundaries { survival: first, old1: first_survival, really_old: before.old1 }
    }

    /// Sweeps a list from a link to an object: frees what is white and makes the others older. Old objects keep their
    /// colour, new ones become white survivals. Touched ones are seen to by `correct_gray_lists`, since most of them are
    /// not swept. Gives the link that leads to the end.
    fn sweep_part(&mut self, mut link: Link, end: Option<AnyGc>, first_old1: &mut Option<AnyGc>) -> Link {
        loop {
            // SAFETY: a list's head in this boxed heap, or the `next` of an object that was found alive and is in the list.
            let current = unsafe { link.as_ref() };
            let Some(object) = current.get().filter(|&object| Some(object) != end) else { return link };
            if object.is_white() {
                current.set(object.next.get());
                self.free(object);
                continue;
            }
            match object.age() {
                Age::New => {
                    object.set_age(Age::Survival);
                    self.turn_white(object);
                }
                Age::Survival if planted!(self, SurvivalsOld) => object.set_age(Age::Old),
                Age::Survival | Age::Old0 => {
                    object.set_age(Age::Old1);
                    first_old1.get_or_insert(object);
                }
                Age::Old1 => object.set_age(Age::Old),
                Age::Old | Age::Touched1 | Age::Touched2 => {}
            }
            link = link_after(object);
        }
    }

    /// The end of a major collection: frees what is white, makes all else old, and enters generational mode.
    fn sweep_to_old(&mut self) {
        self.clear_gray_lists();
        self.enter(Phase::SweepAll);
        self.sweep_list_to_old(self.all_link());
        self.generations.all = Boundaries::all_old(self.all.get());
        self.generations.first_old1 = None;
        self.enter(Phase::SweepFinalizable);
        self.sweep_list_to_old(self.finalizable_link());
        self.generations.finalizable = Boundaries::all_old(self.finalizable.get());
        self.enter(Phase::SweepToBeFinalized);
        self.sweep_list_to_old(self.to_be_finalized_link());
        self.generations.mode = Mode::Generational;
        self.generations.bad = None;
        self.pacing.estimate = self.pacing.bytes;
        self.end_generational();
    }

    fn sweep_list_to_old(&mut self, mut link: Link) {
        // SAFETY: as in `sweep_part`.
        while let Some(object) = unsafe { link.as_ref() }.get() {
            if object.is_white() {
                // SAFETY: as above.
                unsafe { link.as_ref() }.set(object.next.get());
                self.free(object);
                continue;
            }
            object.set_age(Age::Old);
            match object.kind() {
                Kind::Thread => {
                    object.set_colour(0);
                    self.gray_again.push(object);
                }
                Kind::Upvalue if ObjectView::new(object).is_open_upvalue() && !planted!(self, OldOpenUpvalueBlack) => {
                    object.set_colour(0)
                }
                _ => object.set_colour(bits::BLACK),
            }
            link = link_after(object);
        }
    }

    /// The end of a minor or major collection.
    fn end_generational(&mut self) {
        self.correct_gray_lists();
        self.enter(Phase::Propagate);
    }

    /// Brings what is left on the gray lists to the gray-again list, for the next collection: touched objects, and threads
    /// that are not young. All others are done with.
    fn correct_gray_lists(&mut self) {
        let (drops_touched, drops_threads) = (planted!(self, Touched1Dropped), planted!(self, OldThreadDropped));
        let (keeps_touched2, drops_weak) = (planted!(self, Touched2Kept), planted!(self, WeakNotRelisted));
        let mut listed = std::mem::take(&mut self.gray_again);
        for tables in [&mut self.weak_values, &mut self.all_weak, &mut self.ephemerons] {
            listed.extend(tables.drain(..).map(Gc::erase).filter(|_| !drops_weak));
        }
        listed.retain(|object| {
            // Young objects are white by now.
            if object.is_white() {
                return false;
            }
            match object.age() {
                Age::Touched1 if !drops_touched => {
                    object.set_colour(bits::BLACK);
                    object.set_age(Age::Touched2);
                    true
                }
                _ if object.kind() == Kind::Thread && !drops_threads => true,
                age => {
                    if matches!(age, Age::Touched1 | Age::Touched2) && !keeps_touched2 {
                        object.set_age(Age::Old);
                    }
                    object.set_colour(bits::BLACK);
                    false
                }
            }
        });
        self.gray_again = listed;
    }
}
