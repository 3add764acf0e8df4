//! `upvalues`: an open upvalue is never black, points into its thread's live stack, alone at its slot, and its thread's
//! list is sorted; a closed one is never gray. A counted one (Lua 5.3) has no colour; its count is the number of the
//! closures that have it.
//!
//! Counting shows that the threads' lists and the open upvalues are the same: each list ascends strictly and has only
//! open upvalues of its own thread, so no upvalue is listed twice.

use crate::lists::collected;
use crate::{Invariant, Verdict, Violation};
use moonphase_vm::gc::{HeapView, Kind, ListName, ObjectView, Upvalues};
use std::collections::BTreeMap;

pub(crate) fn check(view: HeapView<'_>) -> Verdict {
    let mut count = Count::default();
    collected(view).try_for_each(|object| count.check_object(view, object, |_| true))?;
    count.finish(view)
}

/// Looks at the upvalues that are counted, given how many closures have each.
fn check_counted(view: HeapView<'_>, held: &BTreeMap<u32, u32>) -> Result<usize, Box<Violation>> {
    let mut open = 0;
    for upvalue in view.list(ListName::CountedUpvalues) {
        open += usize::from(check_upvalue(view, upvalue)?);
        let (counted, held) = (view.holders(upvalue).unwrap_or(0), held.get(&upvalue.id()).copied().unwrap_or(0));
        if counted != held {
            let what = format!("counts {counted} closures, and {held} have it");
            return Err(Violation::of_object(Invariant::Upvalues, view, upvalue, &what));
        }
        if held == 0 && !upvalue.is_open_upvalue() {
            let what = "is closed, held by no closure, and not freed";
            return Err(Violation::of_object(Invariant::Upvalues, view, upvalue, what));
        }
    }
    Ok(open)
}

/// The upvalues seen on a walk over all objects.
#[derive(Default)]
pub(crate) struct Count {
    open: usize,
    listed: usize,
    /// Of counted upvalues: how many closures have each.
    held: BTreeMap<u32, u32>,
}

impl Count {
    /// Looks at one object, on a walk that comes to some upvalues only.
    #[inline]
    pub(crate) fn check_object<'h>(
        &mut self,
        view: HeapView<'h>,
        object: ObjectView<'h>,
        is_walked: impl Fn(ObjectView<'h>) -> bool,
    ) -> Verdict {
        match object.kind() {
            Kind::Upvalue => self.open += usize::from(check_upvalue(view, object)?),
            Kind::Thread => self.listed += check_thread(view, object, is_walked)?,
            Kind::Closure if view.policy().upvalues == Upvalues::Counted => view.references(object, |edge| {
                if edge.target.kind() == Kind::Upvalue {
                    *self.held.entry(edge.target.id()).or_default() += 1;
                }
            }),
            _ => {}
        }
        Ok(())
    }

    /// Compares, after the last object.
    pub(crate) fn finish(mut self, view: HeapView<'_>) -> Verdict {
        self.open += check_counted(view, &self.held)?;
        if self.open == self.listed { Ok(()) } else { Err(unlisted(view)) }
    }
}

/// Looks at one upvalue. Says whether it is open.
pub(crate) fn check_upvalue<'h>(view: HeapView<'h>, upvalue: ObjectView<'h>) -> Result<bool, Box<Violation>> {
    let wrong = |what: &str| Err(Violation::of_object(Invariant::Upvalues, view, upvalue, what));
    if !upvalue.is_open_upvalue() {
        let counted = view.holders(upvalue).is_some();
        return if upvalue.is_gray() && !counted { wrong("is closed and gray") } else { Ok(false) };
    }
    if upvalue.is_black() {
        return wrong("is black");
    }
    match upvalue.upvalue_slot() {
        None => wrong("points to no slot of a stack"),
        Some((thread, _)) if thread.is_freed() => wrong("points into the stack of a freed thread"),
        Some((thread, slot)) if slot >= thread.live_stack() => {
            wrong(&format!("points above its stack, to slot {slot}"))
        }
        Some(_) => Ok(true),
    }
}

/// Looks at one thread. Says how many open upvalues it has that are walked.
fn check_thread<'h>(
    view: HeapView<'h>,
    thread: ObjectView<'h>,
    is_walked: impl Fn(ObjectView<'h>) -> bool,
) -> Result<usize, Box<Violation>> {
    let mut walked = 0;
    let mut above = None;
    for upvalue in thread.open_upvalues() {
        let wrong = |what: &str| Err(Violation::of_object(Invariant::Upvalues, view, upvalue, what));
        if upvalue.is_freed() {
            return wrong("is in a thread's list of open upvalues");
        }
        let Some((owner, slot)) = upvalue.upvalue_slot() else {
            return wrong("is closed and in a thread's list of open upvalues");
        };
        if owner != thread {
            return wrong("is in the list of another thread than its own");
        }
        if above.is_some_and(|above| slot <= above) {
            return wrong("is out of order in its thread's list of open upvalues");
        }
        above = Some(slot);
        walked += usize::from(is_walked(upvalue));
    }
    Ok(walked)
}

fn unlisted(view: HeapView<'_>) -> Box<Violation> {
    let counted = view.list(ListName::CountedUpvalues);
    for upvalue in collected(view).chain(counted).filter(|object| object.is_open_upvalue()) {
        let listed = upvalue.upvalue_slot().is_some_and(|(thread, _)| thread.open_upvalues().contains(&upvalue));
        if !listed {
            let what = "is open and not in its thread's list of open upvalues";
            return Violation::of_object(Invariant::Upvalues, view, upvalue, what);
        }
    }
    let detail = "a thread lists an open upvalue that the collector does not know".to_owned();
    Violation::of_heap(Invariant::Upvalues, view, detail)
}
