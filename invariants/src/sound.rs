//! Whether a heap is sound, answered with yes or no.
//!
//! The checks walk the heap once or more each, one after the other, and say what is wrong with an unsound heap. Nearly every
//! heap is sound. So what the checks ask is first asked here, all together: in one walk over the members of the lists, and one
//! over their references.
//!
//! A *yes* is certain, as far as the look covers the heap: no check would find anything there. Objects that are skipped, since
//! an earlier look has seen them ([`Known`], [`OldPart`]), count as covered if every store to them was heard; whole looks skip
//! nothing. A *no* may be mistaken, and then the checks find nothing. For example, [`is_closed`] says no where an unreachable
//! object that is not dead refers to a dead one; the trace of `reachable` then shows that this is no fault.

use crate::checks::{
    ages, bytes, dangling, finalizers, gray_lists, intern, lists, pause, reachable, threads, upvalues,
};
use crate::id_set::IdSet;
use crate::known::Known;
use crate::old::OldPart;
use crate::scratch::Scratch;
use crate::walk::{self, Extent, is_dead, is_strong_to_white, references};
use moonphase_heap::{Age, Colour, Edge, Heap, Kind, ListName, Marks, ShortStrings, Strength, UpvalueStorage};

/// Whether the checks would find nothing in this extent. `settled` says that no store is half done.
pub(crate) fn is_sound<H: Heap>(heap: H, scratch: &mut Scratch, settled: bool, extent: Extent) -> bool {
    let found = match extent {
        Extent::Young => {
            if !members_are_sound(heap, scratch, extent, |_, _| {}) {
                return false;
            }
            References::new(heap, settled, |_| true).of_young(&scratch.old)
        }
        Extent::Headers => {
            // One walk does both. It cannot ask whether targets are listed: the set of all members is not filled.
            let mut walk = References::new(heap, settled, |_| true).of_single_roots();
            scratch.known.renew(heap);
            let known = std::mem::take(&mut scratch.known);
            let members = if known.is_enough(heap) {
                members_are_sound(heap, scratch, extent, |list, object| {
                    if !known.contains(heap, object) {
                        walk.follow(list, object);
                    }
                })
            } else {
                members_are_sound(heap, scratch, extent, |list, object| walk.follow(list, object))
            };
            scratch.known = known;
            if !members {
                return false;
            }
            walk.found
        }
        Extent::Contents => {
            if !members_are_sound(heap, scratch, extent, |_, _| {}) {
                return false;
            }
            let listed = &scratch.ids;
            References::new(heap, settled, |object| listed.contains(heap.id(object))).of_all()
        }
    };
    found.sound && (found.closed || reachable::check(heap, &mut scratch.ids).is_ok())
}

/// Whether nothing is wrong with single objects, with their places in the lists, and with their counts (upvalues, strings,
/// bytes).
///
/// With [`Extent::Contents`] and after a yes, `scratch.ids` holds all members. Each member but strings is given to `each`.
pub(crate) fn members_are_sound<H: Heap>(
    heap: H,
    scratch: &mut Scratch,
    extent: Extent,
    mut each: impl FnMut(ListName, H::Object),
) -> bool {
    let Scratch { ids: listed, gray, old, .. } = scratch;
    let marking = heap.phase().is_marking();
    if marking && gray_lists::check_members(heap, gray).is_err() {
        return false;
    }
    listed.clear();
    if extent != Extent::Young {
        old.begin_anew();
    }
    let mut members = Members { heap, gray, gray_is_listed: false, old, upvalues: upvalues::Count::default() };
    let mut order = (!ages::Order::is_trivial(heap)).then(|| ages::Order::new(heap));
    let (mut sum, mut short_strings) = (0, 0);
    // A walk that meets more objects than were ever made is in a circle.
    let mut most = heap.newest();
    for list in ListName::ALL {
        if extent == Extent::Young && list == ListName::Fixed {
            continue;
        }
        let mut order = order.as_mut().filter(|_| ages::AGED_LISTS.contains(&list));
        if let Some(order) = &mut order {
            order.begin(list);
        }
        members.gray_is_listed = marking && walk::is_marked(heap, list);
        // Objects of one kind with equal marks get equal answers: by kind, the marks of an object that passed.
        let mut passed: [Option<Marks>; Kind::COUNT] = [None; Kind::COUNT];
        for object in heap.list(list) {
            let Some(left) = most.checked_sub(1) else { return false };
            most = left;
            if let Some(order) = &mut order {
                if order.check(object).is_err() {
                    return false;
                }
                if extent == Extent::Young && members.old.begins_with(heap, list, object) {
                    break;
                }
                if order.is_in_old_part() {
                    members.old.join(heap, object);
                }
            }
            if extent == Extent::Contents {
                sum += heap.size(object);
                match intern::check_object(heap, object) {
                    Ok(is_short) if listed.insert(heap.id(object)) => short_strings += usize::from(is_short),
                    _ => return false,
                }
            }
            let passed = &mut passed[heap.kind(object) as usize];
            if *passed != Some(heap.marks(object)) && !members.check(list, object, passed) {
                return false;
            }
            if heap.kind(object) != Kind::String {
                each(list, object);
            }
        }
        if order.is_some_and(|order| order.end_list().is_err()) {
            return false;
        }
    }
    (extent != Extent::Young || members.touched_are_sound(marking))
        && members.upvalues.finish(heap).is_ok()
        && order.is_none_or(|order| order.finish().is_ok())
        && (extent != Extent::Contents
            || intern::check_count(heap, short_strings).is_ok() && bytes::check_sum(heap, sum).is_ok())
}

/// A walk over the members of lists.
struct Members<'s, H: Heap> {
    heap: H,
    /// The members of gray lists.
    gray: &'s IdSet,
    /// Whether the gray members of the list that is walked must be on gray lists.
    gray_is_listed: bool,
    old: &'s mut OldPart,
    upvalues: upvalues::Count,
}

impl<H: Heap> Members<'_, H> {
    /// Looks at one member. Puts its marks into `passed` if a member of its kind with these marks need not be looked at.
    #[inline(never)]
    fn check(&mut self, list: ListName, object: H::Object, passed: &mut Option<Marks>) -> bool {
        let heap = self.heap;
        let in_order =
            is_in_order(heap, list, object) && (!ListName::COLLECTED.contains(&list) || self.check_upvalues(object));
        if in_order && self.gray_is_listed && gray_lists::is_listed(heap, object) {
            return gray_lists::check_object(heap, self.gray, object).is_ok();
        }
        if in_order && is_told_by_marks(heap, heap.kind(object)) {
            *passed = Some(heap.marks(object));
        }
        in_order
    }

    fn check_upvalues(&mut self, object: H::Object) -> bool {
        let Members { heap, old, upvalues, .. } = self;
        upvalues.check_object(*heap, object, |upvalue| !old.contains(*heap, upvalue)).is_ok()
    }

    /// Whether nothing is wrong with the old objects that the last minor collection may have changed.
    fn touched_are_sound(&mut self, marking: bool) -> bool {
        let Members { heap, gray, old, upvalues, .. } = self;
        let heap = *heap;
        let mut touched = old.touched(heap);
        !old.has_lost_any(heap)
            && touched.all(|object| {
                let list = if heap.has_finalizer(object) { ListName::Finalizable } else { ListName::All };
                is_in_order(heap, list, object)
                    && (!marking || gray_lists::check_object(heap, gray, object).is_ok())
                    && upvalues.check_object(heap, object, |upvalue| !old.contains(heap, upvalue)).is_ok()
            })
    }
}

/// Whether [`is_in_order`] reads no more of an object of this kind than its marks.
fn is_told_by_marks<H: Heap>(heap: H, kind: Kind) -> bool {
    match kind {
        Kind::Thread | Kind::Upvalue => false,
        // Each closure adds to the counts of its upvalues.
        Kind::Closure => heap.rules().upvalues != UpvalueStorage::Counted,
        // Elsewhere the length of a string decides which list it belongs to.
        Kind::String => heap.rules().short_strings == ShortStrings::InAll,
        _ => true,
    }
}

/// Whether nothing is wrong with a single member of a list.
fn is_in_order<H: Heap>(heap: H, list: ListName, object: H::Object) -> bool {
    let fits = !heap.is_freed(object)
        && lists::has_place(heap, list, object)
        && finalizers::check_member(heap, list, object).is_ok();
    let collected = || {
        threads::check_string(heap, object).is_ok()
            && ages::check_object(heap, object).is_ok()
            && (!heap.phase().is_marking() || threads::check_thread(heap, object).is_ok())
            && (!heap.phase().is_between_cycles() || pause::check_member(heap, list, object).is_ok())
    };
    fits && (!ListName::COLLECTED.contains(&list) || collected())
}

/// Whether the living objects are *closed*: whether no root is dead, and nothing that lives refers to anything dead, or has a dead
/// key in an empty entry.
///
/// A set that has the roots, and all that its members refer to, has all that is reachable. So where the living objects are
/// closed, nothing reachable is dead, and no trace is needed. A no may be mistaken, see the module. An object that is in no list
/// is not met: a look at the contents finds it.
pub(crate) fn is_closed<H: Heap>(heap: H, known: &mut Known) -> bool {
    known.renew(heap);
    let known = known.is_enough(heap).then_some(&*known);
    if !may_be_closed(heap) {
        return false;
    }
    let mut closed = true;
    heap.single_roots(|_, object| closed &= !is_dead(heap, object));
    // A walk that meets more objects than were ever made is in a circle.
    let mut most = heap.newest();
    for list in ListName::COLLECTED.into_iter().chain([ListName::Fixed]) {
        for object in heap.list(list) {
            let Some(left) = most.checked_sub(1) else { return false };
            most = left;
            if is_dead(heap, object) {
                closed &= !has_roots(list) && !known.is_some_and(|known| known.refers_to(heap, object));
            } else if heap.kind(object) != Kind::String && !known.is_some_and(|known| known.contains(heap, object)) {
                heap.references(object, |edge| closed &= !is_dead(heap, edge.target));
                heap.empty_keys(object, |edge| closed &= !dangling::is_dead_key(heap, edge.target));
            }
        }
        if !closed {
            return false;
        }
    }
    closed
}

/// Whether a walk over the members of lists can tell that the living objects are closed. It cannot where upvalues are counted:
/// they are followed from their closures only, and their values may be on dead stacks.
fn may_be_closed<H: Heap>(heap: H) -> bool {
    heap.rules().upvalues != UpvalueStorage::Counted
}

/// Whether the members of a list are roots.
fn has_roots(list: ListName) -> bool {
    matches!(list, ListName::Fixed | ListName::ToBeFinalized)
}

/// What a walk over references found.
#[derive(Clone, Copy)]
struct Found {
    /// Whether nothing is wrong.
    sound: bool,
    /// Whether no root is dead, and no living object refers to a dead one.
    closed: bool,
}

/// A walk over references.
struct References<H: Heap, F> {
    heap: H,
    is_listed: F,
    marking: bool,
    sweeping: bool,
    found: Found,
    /// What is asked of the targets of the object that was followed last.
    asked: Asked,
    /// The marks of a target that met all demands.
    passed: Option<Marks>,
}

/// What is asked of a target, because of the object that refers to it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Asked {
    /// Not to be white: the object is black, and the tri-colour invariant applies to it.
    colour: bool,
    /// To be at least so old.
    age: Age,
}

impl<H: Heap, F: Fn(H::Object) -> bool> References<H, F> {
    fn new(heap: H, settled: bool, is_listed: F) -> References<H, F> {
        References {
            heap,
            is_listed,
            marking: settled && heap.phase().is_marking(),
            sweeping: heap.phase().is_sweeping(),
            found: Found { sound: true, closed: may_be_closed(heap) },
            asked: Asked { colour: false, age: Age::New },
            passed: None,
        }
    }

    /// Follows the roots and all objects.
    fn of_all(self) -> Found {
        let mut walk = self.of_single_roots();
        for list in ListName::COLLECTED.into_iter().chain([ListName::Fixed]) {
            for object in walk.heap.list(list) {
                walk.follow(list, object);
            }
        }
        walk.found
    }

    /// Follows the roots and the objects that a minor collection may have changed.
    fn of_young(self, old: &OldPart) -> Found {
        let mut walk = self.of_single_roots();
        for list in ListName::COLLECTED {
            for object in old.before(walk.heap, list) {
                walk.follow(list, object);
            }
        }
        for object in old.touched(walk.heap) {
            walk.follow(ListName::All, object);
        }
        walk.found
    }

    fn of_single_roots(mut self) -> References<H, F> {
        let heap = self.heap;
        heap.single_roots(|_, object| {
            self.found.sound &= !heap.is_freed(object) && (self.is_listed)(object);
            self.found.closed &= !is_dead(heap, object);
        });
        self
    }

    /// Follows one member of a list.
    fn follow(&mut self, list: ListName, object: H::Object) {
        let heap = self.heap;
        // Counted upvalues are followed from their closures.
        if heap.kind(object) == Kind::String || list == ListName::CountedUpvalues {
            return;
        }
        // What a dead object refers to may be gone.
        if is_dead(heap, object) {
            self.found.closed &= !has_roots(list);
            return;
        }
        let covered = ages::covers(heap, object);
        let asked = Asked {
            colour: self.marking && walk::is_marked(heap, list) && !covered && heap.is_black(object),
            age: if self.marking && covered { ages::least_age(heap, object) } else { Age::New },
        };
        if asked != self.asked {
            (self.asked, self.passed) = (asked, None);
        }
        references(heap, object, |edge| {
            self.found.sound &= (self.is_listed)(edge.target);
            if self.passed != Some(heap.marks(edge.target)) {
                self.check_target(&edge);
            }
        });
        heap.empty_keys(object, |edge| self.found.sound &= !dangling::is_dead_key(heap, edge.target));
    }

    #[inline(never)]
    fn check_target(&mut self, edge: &Edge<H::Object>) {
        let (heap, target) = (self.heap, edge.target);
        self.found.sound &= !heap.is_freed(target) && heap.age(target) >= self.asked.age;
        self.found.sound &= !(self.asked.colour && is_strong_to_white(heap, edge));
        if heap.colour(target) == Colour::OtherWhite {
            match edge.strength {
                Strength::Weak if heap.kind(target) != Kind::String => self.found.sound &= !self.sweeping,
                _ => self.found.closed = false,
            }
        } else if edge.strength == Strength::Strong {
            self.passed = Some(heap.marks(target));
        }
    }
}
