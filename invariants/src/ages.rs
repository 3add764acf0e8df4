//! `ages`: in generational mode no old object refers to one that is too young for a minor collection to find it by that
//! reference; old objects are not white; objects stand in the lists where their age is looked for.
//!
//! A minor collection does not traverse what is really old, so what it refers to must be old as well. What is old1 or
//! touched2 is traversed once more by the next one, and may refer to survivals. All this is said of black objects: gray
//! ones are on a gray list, and will be traversed. Aside: threads, whose stacks have no barrier (`threads` sees to it that
//! they are traversed), and old0 objects, which become old1 before anything that they refer to may be freed. Weak
//! references count too, since weak tables are cleared only when they are traversed.
//!
//! In incremental mode every object is new, fixed ones aside.

use crate::lists::collected;
use crate::looks::is_marking;
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{Age, Edge, HeapView, Kind, ListName, Mode, ObjectView};

/// Everything. `settled` says that no store is half done, so that references may be looked at.
pub(crate) fn check(view: HeapView<'_>, settled: bool) -> Verdict {
    check_order(view)?;
    for object in collected(view) {
        check_object(view, object)?;
        if settled && is_marking(view) {
            check_references(view, object)?;
        }
    }
    Ok(())
}

/// Whether the references of an object are the subject of this invariant rather than of `black-to-white`.
#[inline]
pub(crate) fn covers(object: ObjectView<'_>) -> bool {
    object.age().is_old() && (object.age() != Age::Old0 || object.kind() == Kind::Thread)
}

/// Looks at the age of one object that is not fixed.
#[inline]
pub(crate) fn check_object<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    let wrong = |what: &str| {
        let what = format!("is {}, {what}", object.age());
        Err(Violation::of_object(Invariant::Ages, view, object, &what))
    };
    if view.mode() == Mode::Incremental {
        return if object.age() == Age::New { Ok(()) } else { wrong("though the collector works incrementally") };
    }
    if object.age().is_old() && object.is_white() {
        return wrong("and white");
    }
    if object.age() == Age::Touched1 && object.is_black() {
        return wrong("and black: the next collection will not traverse it");
    }
    Ok(())
}

/// Looks at one reference, which was just written.
pub(crate) fn check_store<'h>(view: HeapView<'h>, holder: ObjectView<'h>, new: ObjectView<'h>) -> Verdict {
    if !is_marking(view) || new.is_freed() || !is_too_young(holder, new) {
        return Ok(());
    }
    check_references(view, holder)
}

fn check_references<'h>(view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
    if !covers(object) || !object.is_black() {
        return Ok(());
    }
    let mut young: Option<Edge<'h>> = None;
    view.references(object, |edge| {
        if young.is_none() && is_too_young(object, edge.target) && !edge.target.is_freed() {
            young = Some(edge);
        }
    });
    match young {
        Some(edge) => {
            let mut violation = Violation::of_edge(Invariant::Ages, view, object, edge);
            violation.detail.push_str(&format!("; they are {} and {}", object.age(), edge.target.age()));
            Err(violation)
        }
        None => Ok(()),
    }
}

/// Whether a reference from one object to the other breaks the rule.
#[inline]
pub(crate) fn is_too_young(holder: ObjectView<'_>, target: ObjectView<'_>) -> bool {
    target.age() < least_age(holder)
}

/// The least age that the rule asks for in what an object refers to.
#[inline]
pub(crate) fn least_age(holder: ObjectView<'_>) -> Age {
    match holder.age() {
        _ if !holder.is_black() || holder.kind() == Kind::Thread => Age::New,
        Age::Old => Age::Old0,
        Age::Old1 | Age::Touched2 => Age::Survival,
        _ => Age::New,
    }
}

/// The lists: behind each boundary there are only objects of its age or older, and the boundaries are in their lists. In
/// incremental mode there are none.
pub(crate) fn check_order(view: HeapView<'_>) -> Verdict {
    let mut order = Order::new(view);
    for list in Order::LISTS {
        order.begin(view, list);
        view.list(list).try_for_each(|object| order.check(view, object))?;
        order.end_list(view)?;
    }
    order.finish(view)
}

/// The order of ages, on a walk over the lists that have one.
pub(crate) struct Order<'h> {
    old1: Option<ObjectView<'h>>,
    /// The first old1 object, until the walk has come to it.
    waiting: Option<ObjectView<'h>>,
    list: ListName,
    boundaries: [Option<ObjectView<'h>>; 3],
    /// How many boundaries the walk has passed.
    passed: usize,
}

impl<'h> Order<'h> {
    /// The lists that are in the order of ages.
    pub(crate) const LISTS: [ListName; 2] = [ListName::All, ListName::Finalizable];

    pub(crate) fn new(view: HeapView<'h>) -> Order<'h> {
        let old1 = view.first_old1();
        Order { old1, waiting: old1, list: ListName::All, boundaries: [None; 3], passed: 0 }
    }

    /// Whether no age begins anywhere, and so all lists are in order where all objects are new.
    pub(crate) fn is_trivial(view: HeapView<'h>) -> bool {
        view.mode() == Mode::Incremental
            && view.first_old1().is_none()
            && Order::LISTS.into_iter().all(|list| view.generations(list) == [None; 3])
    }

    /// The walk comes to a list.
    pub(crate) fn begin(&mut self, view: HeapView<'h>, list: ListName) {
        (self.list, self.boundaries, self.passed) = (list, view.generations(list), 0);
    }

    /// The walk comes to an object of the list.
    #[inline]
    pub(crate) fn check(&mut self, view: HeapView<'h>, object: ObjectView<'h>) -> Verdict {
        let is_it = |place: Option<ObjectView<'h>>| place.is_some_and(|place| place == object);
        while self.boundaries.get(self.passed).is_some_and(|&next| is_it(next)) {
            self.passed += 1;
        }
        if is_it(self.waiting) && self.list == ListName::All {
            self.waiting = None;
        }
        let least = [Age::New, Age::Survival, Age::Old1, Age::Old][self.passed];
        let too_early =
            object.age() == Age::Old1 && self.list == ListName::All && (self.old1.is_none() || self.waiting.is_some());
        if object.age() >= least && !too_early { Ok(()) } else { Err(self.out_of_order(view, object, least)) }
    }

    #[cold]
    fn out_of_order(&self, view: HeapView<'h>, object: ObjectView<'h>, least: Age) -> Box<Violation> {
        if object.age() < least {
            let what = format!("is {} and stands where all is at least {least}", object.age());
            return Violation::of_object(Invariant::Ages, view, object, &what);
        }
        let what = "is old1 and stands before the first object of that age";
        Violation::of_object(Invariant::Ages, view, object, what)
    }

    /// Whether the walk has come to where all objects are really old.
    #[inline]
    pub(crate) fn is_in_old_part(&self) -> bool {
        self.passed == self.boundaries.len()
    }

    /// The walk comes to the end of the list.
    pub(crate) fn end_list(&self, view: HeapView<'h>) -> Verdict {
        match self.boundaries[self.passed..].iter().flatten().next() {
            Some(lost) => Err(Violation::of_object(Invariant::Ages, view, *lost, "is where an age begins, in no list")),
            None => Ok(()),
        }
    }

    /// The walk is over.
    pub(crate) fn finish(self, view: HeapView<'h>) -> Verdict {
        match self.waiting {
            Some(lost) => {
                Err(Violation::of_object(Invariant::Ages, view, lost, "is the first old1 object, in no list"))
            }
            None => Ok(()),
        }
    }
}
