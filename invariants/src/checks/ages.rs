//! `ages`: in generational mode no old object refers to one that is too young; old objects are not white; objects stand in
//! their lists in the order of ages.
//!
//! A minor collection does not traverse a really old object, so it would free a young one that only the old one refers to. A
//! target must therefore be old as well. Objects of age old1 and touched2 are traversed once more by the next minor
//! collection: they may refer to survivals, which become old in that collection. For example, a black table of age `old` must
//! not refer to a string of age `survival`; a black table of age `old1` may.
//!
//! The rule is about black objects: gray ones are on a gray list and will be traversed. It is not about old0 objects, which
//! `black-to-white` covers, nor about threads, which have no barrier: `threads` asks that these are traversed again. Weak
//! references count too, since weak tables are cleared only when they are traversed.
//!
//! In incremental mode every object is new, fixed ones aside.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::walk::collected;
use moonphase_heap::{Age, Edge, Heap, Kind, ListName, Mode};

/// Looks at the order of the lists, at each object and, if the heap is settled, at the references.
pub(crate) fn check<H: Heap>(heap: H, settled: bool) -> Verdict<H::Object> {
    check_order(heap)?;
    for object in collected(heap) {
        check_object(heap, object)?;
        if settled && heap.phase().is_marking() {
            check_references(heap, object)?;
        }
    }
    Ok(())
}

/// Whether `black-to-white` does not apply to the references of an object, because it is old. To those of an old thread neither
/// rule applies.
#[inline]
pub(crate) fn covers<H: Heap>(heap: H, object: H::Object) -> bool {
    let age = heap.age(object);
    age.is_old() && (age != Age::Old0 || heap.kind(object) == Kind::Thread)
}

/// Looks at the age of one object that is not fixed.
#[inline]
pub(crate) fn check_object<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    let age = heap.age(object);
    let wrong = |what: &str| Err(Breach::of_object(Invariant::Ages, object, format!("is {age}, {what}")));
    if heap.mode() == Mode::Incremental {
        return if age == Age::New { Ok(()) } else { wrong("though the collector works incrementally") };
    }
    if age.is_old() && heap.is_white(object) {
        return wrong("and white");
    }
    if age == Age::Touched1 && heap.is_black(object) {
        return wrong("and black: the next collection will not traverse it");
    }
    Ok(())
}

/// Looks at the references of an object into which a young one was just stored.
pub(crate) fn check_store<H: Heap>(heap: H, holder: H::Object, new: H::Object) -> Verdict<H::Object> {
    if !heap.phase().is_marking() || heap.is_freed(new) || !is_too_young(heap, holder, new) {
        return Ok(());
    }
    check_references(heap, holder)
}

fn check_references<H: Heap>(heap: H, object: H::Object) -> Verdict<H::Object> {
    if !covers(heap, object) || !heap.is_black(object) {
        return Ok(());
    }
    let mut young: Option<Edge<H::Object>> = None;
    heap.references(object, |edge| {
        if young.is_none() && is_too_young(heap, object, edge.target) && !heap.is_freed(edge.target) {
            young = Some(edge);
        }
    });
    match young {
        Some(edge) => {
            let mut breach = Breach::of_edge(Invariant::Ages, object, edge);
            breach.what = format!("; they are {} and {}", heap.age(object), heap.age(edge.target));
            Err(breach)
        }
        None => Ok(()),
    }
}

/// Whether a reference from one object to the other breaks the rule.
#[inline]
fn is_too_young<H: Heap>(heap: H, holder: H::Object, target: H::Object) -> bool {
    heap.age(target) < least_age(heap, holder)
}

/// The least age that a target of an object may have; [`Age::New`] is no demand.
#[inline]
pub(crate) fn least_age<H: Heap>(heap: H, holder: H::Object) -> Age {
    match heap.age(holder) {
        _ if !heap.is_black(holder) || heap.kind(holder) == Kind::Thread => Age::New,
        Age::Old => Age::Old0,
        Age::Old1 | Age::Touched2 => Age::Survival,
        _ => Age::New,
    }
}

/// Looks at the lists: from each boundary on there are only objects of its age or older, and each boundary is in its list. In
/// incremental mode there are no boundaries.
fn check_order<H: Heap>(heap: H) -> Verdict<H::Object> {
    let mut order = Order::new(heap);
    for list in AGED_LISTS {
        order.begin(list);
        heap.list(list).try_for_each(|object| order.check(object))?;
        order.end_list()?;
    }
    order.finish()
}

/// The lists that are in the order of ages.
pub(crate) const AGED_LISTS: [ListName; 2] = [ListName::All, ListName::Finalizable];

/// The order of ages, on a walk over the lists that have one.
pub(crate) struct Order<H: Heap> {
    heap: H,
    old1: Option<H::Object>,
    /// The first old1 object, until the walk has come to it.
    waiting: Option<H::Object>,
    list: ListName,
    boundaries: [Option<H::Object>; 3],
    /// How many boundaries the walk has passed.
    passed: usize,
}

impl<H: Heap> Order<H> {
    pub(crate) fn new(heap: H) -> Order<H> {
        let old1 = heap.first_old1();
        Order { heap, old1, waiting: old1, list: ListName::All, boundaries: [None; 3], passed: 0 }
    }

    /// Whether there are no boundaries, so that the order need not be looked at.
    pub(crate) fn is_trivial(heap: H) -> bool {
        heap.mode() == Mode::Incremental
            && heap.first_old1().is_none()
            && AGED_LISTS.into_iter().all(|list| heap.generations(list) == [None; 3])
    }

    /// The walk comes to a list.
    pub(crate) fn begin(&mut self, list: ListName) {
        (self.list, self.boundaries, self.passed) = (list, self.heap.generations(list), 0);
    }

    /// The walk comes to an object of the list.
    #[inline]
    pub(crate) fn check(&mut self, object: H::Object) -> Verdict<H::Object> {
        let is_it = |place: Option<H::Object>| place.is_some_and(|place| place == object);
        while self.boundaries.get(self.passed).is_some_and(|&next| is_it(next)) {
            self.passed += 1;
        }
        if is_it(self.waiting) && self.list == ListName::All {
            self.waiting = None;
        }
        let age = self.heap.age(object);
        let least = [Age::New, Age::Survival, Age::Old1, Age::Old][self.passed];
        let too_early =
            age == Age::Old1 && self.list == ListName::All && (self.old1.is_none() || self.waiting.is_some());
        if age >= least && !too_early { Ok(()) } else { Err(out_of_order(object, age, least)) }
    }

    /// Whether the walk has come to the part of the list in which all objects are really old.
    #[inline]
    pub(crate) fn is_in_old_part(&self) -> bool {
        self.passed == self.boundaries.len()
    }

    /// The walk comes to the end of the list.
    pub(crate) fn end_list(&self) -> Verdict<H::Object> {
        match self.boundaries[self.passed..].iter().flatten().next() {
            Some(lost) => Err(Breach::of_object(
                Invariant::Ages,
                *lost,
                "is where an age begins, and the walk did not meet it in its place",
            )),
            None => Ok(()),
        }
    }

    /// The walk is over.
    pub(crate) fn finish(self) -> Verdict<H::Object> {
        match self.waiting {
            Some(lost) => Err(Breach::of_object(Invariant::Ages, lost, "is the first old1 object, in no list")),
            None => Ok(()),
        }
    }
}

#[cold]
fn out_of_order<O>(object: O, age: Age, least: Age) -> Box<Breach<O>> {
    let what = if age < least {
        format!("is {age} and stands where all is at least {least}")
    } else {
        "is old1 and stands before the place where the next collection looks for objects of that age".to_owned()
    };
    Breach::of_object(Invariant::Ages, object, what)
}
