//! Whether a heap is sound: what a whole look asks, answered with yes or no in two walks.
//!
//! The questions walk the heap once or more each, in an order that decides what is said of an unsound heap. Nearly every
//! heap is sound, so they are asked here together first. A no may be a mistake, for the questions are asked one after the
//! other then; a yes may not.

use crate::id_set::IdSet;
use crate::lists::{is_dead, references};
use crate::looks::{Scratch, is_marking};
use crate::old::OldPart;
use crate::{ages, bytes, finalizers, gray_lists, intern, lists, pause, reachable, threads, tricolour, upvalues};
use moonphase_vm::gc::{
    Age, Colour, Edge, HeapView, Kind, ListName, Marks, ObjectView, Phase, Strength, SweepRule, Upvalues,
};

/// Whether a look of this extent would find nothing. `settled` is as it is for a whole one.
pub(crate) fn is_sound(view: HeapView<'_>, scratch: &mut Scratch, settled: bool, extent: Extent) -> bool {
    members_are_sound(view, scratch, extent) && references_are_sound(view, scratch, settled, extent)
}

/// How much is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// After a minor collection: what it may have changed, given that the old part is known.
    Young,
    /// The header of each object, by which list it is found. Threads and upvalues are read.
    Headers,
    /// The size of each object as well, and whether the string table has it; whether it is listed twice, and whether what
    /// is referred to is listed.
    Contents,
}

/// All that is said of single objects and their places, and of their number. With their contents, the set is filled with the
/// members of all lists.
pub(crate) fn members_are_sound(view: HeapView<'_>, scratch: &mut Scratch, extent: Extent) -> bool {
    let Scratch { ids: listed, gray, old } = scratch;
    let marking = is_marking(view);
    if marking && gray_lists::check_members(view, gray).is_err() {
        return false;
    }
    listed.clear();
    if extent != Extent::Young {
        old.begin_anew();
    }
    let mut members = Members { view, gray, gray_is_listed: false, old, upvalues: upvalues::Count::default() };
    let mut order = (!ages::Order::is_trivial(view)).then(|| ages::Order::new(view));
    let (mut sum, mut short_strings) = (0, 0);
    // In lists that are circles there are more objects than were ever made.
    let mut most = view.newest();
    for list in ListName::ALL {
        if extent == Extent::Young && list == ListName::Fixed {
            continue;
        }
        let mut order = order.as_mut().filter(|_| ages::Order::LISTS.contains(&list));
        if let Some(order) = &mut order {
            order.begin(view, list);
        }
        members.gray_is_listed = marking && lists::is_marked(view, list);
        // Of two objects of a kind with the same marks, what is true of one is true of the other.
        let mut passed: [Option<Marks>; Kind::COUNT] = [None; Kind::COUNT];
        for object in view.list(list) {
            let Some(left) = most.checked_sub(1) else { return false };
            most = left;
            if let Some(order) = &mut order {
                if order.check(view, object).is_err() {
                    return false;
                }
                if extent == Extent::Young && members.old.begins_with(list, object) {
                    break;
                }
                if order.is_in_old_part() {
                    members.old.join(object);
                }
            }
            if extent == Extent::Contents {
                sum += object.size();
                match intern::check_object(view, object) {
                    Ok(is_short) if listed.insert(object.id()) => short_strings += usize::from(is_short),
                    _ => return false,
                }
            }
            let like = &mut passed[object.kind() as usize];
            if *like != Some(object.marks()) && !members.check(list, object, like) {
                return false;
            }
        }
        if order.is_some_and(|order| order.end_list(view).is_err()) {
            return false;
        }
    }
    (extent != Extent::Young || members.check_touched())
        && members.upvalues.finish(view).is_ok()
        && order.is_none_or(|order| order.finish(view).is_ok())
        && (extent != Extent::Contents
            || intern::check_count(view, short_strings).is_ok() && bytes::check_sum(view, sum).is_ok())
}

/// The state of a walk over the members of lists.
struct Members<'h, 's> {
    view: HeapView<'h>,
    gray: &'s IdSet,
    /// Whether the gray members of the list are on gray lists.
    gray_is_listed: bool,
    old: &'s mut OldPart,
    upvalues: upvalues::Count,
}

impl<'h> Members<'h, '_> {
    /// Looks at one member. Keeps its marks if all that have the same need not be looked at.
    #[inline(never)]
    fn check(&mut self, list: ListName, object: ObjectView<'h>, passed: &mut Option<Marks>) -> bool {
        let view = self.view;
        let in_order =
            is_in_order(view, list, object) && (!ListName::COLLECTED.contains(&list) || self.check_upvalues(object));
        if in_order && self.gray_is_listed && gray_lists::is_listed(object) {
            return gray_lists::check_object(view, self.gray, object).is_ok();
        }
        if in_order && is_told_by_marks(view, object.kind()) {
            *passed = Some(object.marks());
        }
        in_order
    }

    fn check_upvalues(&mut self, object: ObjectView<'h>) -> bool {
        self.upvalues.check_object(self.view, object, |upvalue| !self.old.contains(upvalue)).is_ok()
    }

    /// Looks at the old objects that the last minor collection may have changed.
    fn check_touched(&mut self) -> bool {
        let touched: Vec<ObjectView<'h>> = self.old.touched(self.view).collect();
        let mut in_order = !self.old.has_lost_any(self.view);
        for object in touched {
            in_order &= is_in_order(self.view, list_of(object), object)
                && gray_lists::check_object(self.view, self.gray, object).is_ok()
                && self.check_upvalues(object);
        }
        in_order
    }
}

/// The list that an old object must be in.
fn list_of(object: ObjectView<'_>) -> ListName {
    if object.has_finalizer() { ListName::Finalizable } else { ListName::All }
}

/// Whether `is_in_order` needs no more of an object of this kind than its marks.
fn is_told_by_marks(view: HeapView<'_>, kind: Kind) -> bool {
    match kind {
        Kind::Thread | Kind::Upvalue => false,
        // Closures hold counted upvalues; short strings may have a list of their own.
        Kind::Closure => view.policy().upvalues != Upvalues::Counted,
        Kind::String => view.policy().sweep == SweepRule::Lists,
        _ => true,
    }
}

/// What is said of a single member of a list.
fn is_in_order<'h>(view: HeapView<'h>, list: ListName, object: ObjectView<'h>) -> bool {
    let fits = !object.is_freed()
        && lists::has_place(view, list, object)
        && finalizers::check_member(view, list, object).is_ok();
    let collected = || {
        threads::check_string(view, object).is_ok()
            && ages::check_object(view, object).is_ok()
            && (!is_marking(view) || threads::check_thread(view, object).is_ok())
            && (!pause::applies(view) || pause::check_member(view, list, object).is_ok())
    };
    fits && (!ListName::COLLECTED.contains(&list) || collected())
}

/// Whether nothing that lives refers to anything dead. A set that has the roots, and all that its members refer to, has all
/// that is reachable, so it takes no trace to know that nothing reachable is dead. A no may be a mistake.
pub(crate) fn is_closed(view: HeapView<'_>) -> bool {
    // Counted upvalues are in no walk over the holders, and their values may be on dead stacks.
    let mut closed = view.policy().upvalues != Upvalues::Counted;
    view.roots(|edge| closed &= !is_dead(view, edge.target));
    // In a list that is a circle there are more objects than were ever made.
    let mut most = view.newest();
    for list in ListName::COLLECTED.into_iter().chain([ListName::Fixed]) {
        for object in view.list(list) {
            let Some(left) = most.checked_sub(1) else { return false };
            most = left;
            if object.kind() != Kind::String && !is_dead(view, object) {
                view.references(object, |edge| closed &= !is_dead(view, edge.target));
            }
        }
        if !closed {
            return false;
        }
    }
    closed
}

/// All that is said of references, given the objects that are in lists.
fn references_are_sound(view: HeapView<'_>, scratch: &mut Scratch, settled: bool, extent: Extent) -> bool {
    let Scratch { ids: listed, old, .. } = scratch;
    let (sound, closed) = match extent {
        Extent::Young => Walk::new(view, settled, |_| true).over_young(old),
        // An object that fell out of its list stays outside.
        Extent::Headers => Walk::new(view, settled, |_| true).over_all(),
        Extent::Contents => Walk::new(view, settled, |object| listed.contains(object.id())).over_all(),
    };
    sound && (closed || reachable::check(view, listed).is_ok())
}

/// The state of a walk over references.
struct Walk<'h, F> {
    view: HeapView<'h>,
    is_listed: F,
    marking: bool,
    sweeping: bool,
    /// Whether nothing was found.
    sound: bool,
    /// Whether nothing that lives refers to anything dead.
    closed: bool,
    /// Of two objects with the same marks, what is asked of one as a target is true of the other.
    passed: Option<Marks>,
    /// What is asked of targets, by the object that refers to them: whether they must not be white, and their least age.
    asked: (bool, Age),
}

impl<'h, F: Fn(ObjectView<'h>) -> bool> Walk<'h, F> {
    fn new(view: HeapView<'h>, settled: bool, is_listed: F) -> Walk<'h, F> {
        Walk {
            view,
            is_listed,
            marking: settled && is_marking(view),
            sweeping: (Phase::SweepStrings..=Phase::SweepEnd).contains(&view.phase()),
            sound: true,
            // Counted upvalues are in no walk over the holders, and their values may be on dead stacks.
            closed: view.policy().upvalues != Upvalues::Counted,
            passed: None,
            asked: (false, Age::New),
        }
    }

    /// From the roots and all objects. Says whether all is sound, and whether nothing living refers to anything dead.
    fn over_all(mut self) -> (bool, bool) {
        self.follow_roots();
        for list in ListName::COLLECTED.into_iter().chain([ListName::Fixed]) {
            self.follow_all(self.view.list(list), lists::is_marked(self.view, list));
        }
        (self.sound, self.closed)
    }

    /// From the roots and what a minor collection may have changed.
    fn over_young(mut self, old: &OldPart) -> (bool, bool) {
        self.follow_roots();
        for list in ListName::COLLECTED {
            self.follow_all(old.before(self.view, list), true);
        }
        self.follow_all(old.touched(self.view), true);
        (self.sound, self.closed)
    }

    fn follow_roots(&mut self) {
        self.view.roots(|edge| {
            self.sound &= !edge.target.is_freed() && (self.is_listed)(edge.target);
            self.closed &= !is_dead(self.view, edge.target);
        });
    }

    #[inline]
    fn follow_all(&mut self, mut objects: impl Iterator<Item = ObjectView<'h>>, colours_count: bool) {
        while self.sound
            && let Some(object) = objects.next()
        {
            // What a dead object refers to may be gone.
            if object.kind() != Kind::String && !is_dead(self.view, object) {
                self.follow(object, colours_count);
            }
        }
    }

    /// Looks at the references of one object.
    fn follow(&mut self, object: ObjectView<'h>, colours_count: bool) {
        let view = self.view;
        let covered = ages::covers(object);
        let blackens = self.marking && colours_count && !covered && object.is_black();
        let least_age = if self.marking && covered { ages::least_age(object) } else { Age::New };
        if (blackens, least_age) != self.asked {
            (self.asked, self.passed) = ((blackens, least_age), None);
        }
        references(view, object, |edge| {
            self.sound &= (self.is_listed)(edge.target);
            if self.passed != Some(edge.target.marks()) {
                self.check_target(&edge);
            }
        });
    }

    #[inline(never)]
    fn check_target(&mut self, edge: &Edge<'h>) {
        let target = edge.target;
        let (blackens, least_age) = self.asked;
        self.sound &= !target.is_freed() && target.age() >= least_age;
        self.sound &= !(blackens && tricolour::is_strong_to_white(edge));
        if self.view.colour(target) == Colour::OtherWhite {
            match edge.strength {
                Strength::Weak if target.kind() != Kind::String => self.sound &= !self.sweeping,
                _ => self.closed = false,
            }
        } else if edge.strength == Strength::Strong {
            self.passed = Some(target.marks());
        }
    }
}
