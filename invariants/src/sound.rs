//! Whether a heap is sound: what a whole look asks, answered with yes or no in one walk or two.
//!
//! The questions walk the heap once or more each, in an order that decides what is said of an unsound heap. Nearly every
//! heap is sound, so they are asked here together first. A no may be a mistake, for the questions are asked one after the
//! other then; a yes may not.

use crate::id_set::IdSet;
use crate::known::Known;
use crate::lists::{is_dead, references};
use crate::looks::{Scratch, is_marking};
use crate::old::OldPart;
use crate::{ages, bytes, finalizers, gray_lists, intern, lists, pause, reachable, threads, tricolour, upvalues};
use moonphase_vm::gc::{
    Age, Colour, Edge, HeapView, Kind, ListName, Marks, ObjectView, Phase, Strength, SweepRule, Upvalues,
};

/// Whether a look of this extent would find nothing. `settled` is as it is for a whole one.
pub(crate) fn is_sound(view: HeapView<'_>, scratch: &mut Scratch, settled: bool, extent: Extent) -> bool {
    let (sound, closed) = match extent {
        Extent::Young => {
            if !members_are_sound(view, scratch, extent, |_, _| {}) {
                return false;
            }
            References::new(view, settled, |_| true).of_young(&scratch.old)
        }
        Extent::Headers => {
            // An object that fell out of its list stays outside: that is for a look at the contents.
            let mut walk = References::new(view, settled, |_| true).of_roots();
            scratch.known.renew(view);
            let known = std::mem::take(&mut scratch.known);
            let members = match known.is_enough(view) {
                true => members_are_sound(view, scratch, extent, |list, object| {
                    if !known.contains(object) {
                        walk.follow(list, object);
                    }
                }),
                false => members_are_sound(view, scratch, extent, |list, object| walk.follow(list, object)),
            };
            scratch.known = known;
            (members && walk.sound, walk.closed)
        }
        Extent::Contents => {
            if !members_are_sound(view, scratch, extent, |_, _| {}) {
                return false;
            }
            let listed = &scratch.ids;
            References::new(view, settled, |object| listed.contains(object.id())).of_all()
        }
    };
    sound && (closed || reachable::check(view, &mut scratch.ids).is_ok())
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
/// members of all lists. Gives each object on, aside from strings.
pub(crate) fn members_are_sound<'h>(
    view: HeapView<'h>,
    scratch: &mut Scratch,
    extent: Extent,
    mut each: impl FnMut(ListName, ObjectView<'h>),
) -> bool {
    let Scratch { ids: listed, gray, old, .. } = scratch;
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
            if object.kind() != Kind::String {
                each(list, object);
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
        let Members { view, gray, old, upvalues, .. } = self;
        let mut touched = old.touched(*view);
        !old.has_lost_any(*view)
            && touched.all(|object| {
                is_in_order(*view, list_of(object), object)
                    && gray_lists::check_object(*view, gray, object).is_ok()
                    && upvalues.check_object(*view, object, |upvalue| !old.contains(upvalue)).is_ok()
            })
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
pub(crate) fn is_closed(view: HeapView<'_>, known: &mut Known) -> bool {
    known.renew(view);
    let known = known.is_enough(view).then_some(&*known);
    // Counted upvalues are in no walk over the holders, and their values may be on dead stacks.
    let mut closed = view.policy().upvalues != Upvalues::Counted;
    view.roots(|edge| closed &= !is_dead(view, edge.target));
    // In a list that is a circle there are more objects than were ever made.
    let mut most = view.newest();
    for list in ListName::COLLECTED.into_iter().chain([ListName::Fixed]) {
        for object in view.list(list) {
            let Some(left) = most.checked_sub(1) else { return false };
            most = left;
            if is_dead(view, object) {
                closed &= !known.is_some_and(|known| known.refers_to(object));
            } else if object.kind() != Kind::String && !known.is_some_and(|known| known.contains(object)) {
                view.references(object, |edge| closed &= !is_dead(view, edge.target));
            }
        }
        if !closed {
            return false;
        }
    }
    closed
}

/// All that is said of references.
struct References<'h, F> {
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

impl<'h, F: Fn(ObjectView<'h>) -> bool> References<'h, F> {
    fn new(view: HeapView<'h>, settled: bool, is_listed: F) -> References<'h, F> {
        References {
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

    /// Those of the roots and of all objects. Says whether all is sound, and whether nothing living refers to anything dead.
    fn of_all(self) -> (bool, bool) {
        let mut walk = self.of_roots();
        for list in ListName::COLLECTED.into_iter().chain([ListName::Fixed]) {
            for object in walk.view.list(list) {
                walk.follow(list, object);
            }
        }
        (walk.sound, walk.closed)
    }

    /// Those of the roots and of what a minor collection may have changed.
    fn of_young(self, old: &OldPart) -> (bool, bool) {
        let mut walk = self.of_roots();
        for list in ListName::COLLECTED {
            for object in old.before(walk.view, list) {
                walk.follow(list, object);
            }
        }
        for object in old.touched(walk.view) {
            walk.follow(ListName::All, object);
        }
        (walk.sound, walk.closed)
    }

    fn of_roots(mut self) -> References<'h, F> {
        self.view.roots(|edge| {
            self.sound &= !edge.target.is_freed() && (self.is_listed)(edge.target);
            self.closed &= !is_dead(self.view, edge.target);
        });
        self
    }

    /// Those of one object of a list.
    fn follow(&mut self, list: ListName, object: ObjectView<'h>) {
        let view = self.view;
        // What a dead object refers to may be gone. Counted upvalues are followed from their closures.
        if object.kind() == Kind::String || is_dead(view, object) || list == ListName::CountedUpvalues {
            return;
        }
        let colours_count = lists::is_marked(view, list);
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
