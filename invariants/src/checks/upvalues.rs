//! `upvalues`: what open, closed and counted upvalues must be.
//!
//! - An open upvalue is never black. It points into the live stack of its thread, and no other upvalue points to that slot.
//! - The list of a thread has its open upvalues, the lowest slot first.
//! - A closed upvalue is never gray.
//! - A counted upvalue (Lua 5.3) has no colour; its count is the number of the closures that have it.
//!
//! Each list ascends strictly and has only open upvalues of its own thread, so no upvalue is listed twice. So if there are as
//! many open upvalues as list members, the two sets are equal.

use crate::Invariant;
use crate::breach::{Breach, Verdict};
use crate::walk::collected;
use moonphase_heap::{Heap, Kind, ListName, UpvalueStorage};
use std::collections::BTreeMap;

pub(crate) fn check<H: Heap>(heap: H) -> Verdict<H::Object> {
    let mut count = Count::default();
    collected(heap).try_for_each(|object| count.check_object(heap, object, |_| true))?;
    count.finish(heap)
}

/// The upvalues seen on a walk over all objects.
#[derive(Default)]
pub(crate) struct Count {
    /// Open upvalues.
    open: usize,
    /// Open upvalues in the lists of threads.
    listed: usize,
    /// Of counted upvalues: how many closures have each.
    held: BTreeMap<u32, u32>,
}

impl Count {
    /// Looks at one object. The walk need not come to all upvalues: `is_walked` says to which.
    #[inline]
    pub(crate) fn check_object<H: Heap>(
        &mut self,
        heap: H,
        object: H::Object,
        is_walked: impl Fn(H::Object) -> bool,
    ) -> Verdict<H::Object> {
        match heap.kind(object) {
            Kind::Upvalue => self.open += usize::from(check_upvalue(heap, object)?),
            Kind::Thread => self.listed += check_thread(heap, object, is_walked)?,
            Kind::Closure if heap.rules().upvalues == UpvalueStorage::Counted => heap.references(object, |edge| {
                if heap.kind(edge.target) == Kind::Upvalue {
                    *self.held.entry(heap.id(edge.target)).or_default() += 1;
                }
            }),
            _ => {}
        }
        Ok(())
    }

    /// Compares the counts, after the last object.
    pub(crate) fn finish<H: Heap>(mut self, heap: H) -> Verdict<H::Object> {
        self.open += check_counted(heap, &self.held)?;
        if self.open == self.listed { Ok(()) } else { Err(unlisted(heap)) }
    }
}

/// Looks at the counted upvalues, given how many closures have each. Says how many are open.
fn check_counted<H: Heap>(heap: H, held: &BTreeMap<u32, u32>) -> Result<usize, Box<Breach<H::Object>>> {
    let mut open = 0;
    for upvalue in heap.list(ListName::CountedUpvalues) {
        open += usize::from(check_upvalue(heap, upvalue)?);
        let (counted, held) = (heap.holders(upvalue).unwrap_or(0), held.get(&heap.id(upvalue)).copied().unwrap_or(0));
        if counted != held {
            let what = format!("counts {counted} closures, and {held} have it");
            return Err(Breach::of_object(Invariant::Upvalues, upvalue, what));
        }
        if held == 0 && !heap.is_open_upvalue(upvalue) {
            let what = "is closed, held by no closure, and not freed";
            return Err(Breach::of_object(Invariant::Upvalues, upvalue, what));
        }
    }
    Ok(open)
}

/// Looks at one upvalue. Says whether it is open.
pub(crate) fn check_upvalue<H: Heap>(heap: H, upvalue: H::Object) -> Result<bool, Box<Breach<H::Object>>> {
    let wrong = |what: &str| Err(Breach::of_object(Invariant::Upvalues, upvalue, what));
    if !heap.is_open_upvalue(upvalue) {
        let counted = heap.holders(upvalue).is_some();
        return if heap.is_gray(upvalue) && !counted { wrong("is closed and gray") } else { Ok(false) };
    }
    if heap.is_black(upvalue) {
        return wrong("is black");
    }
    match heap.upvalue_slot(upvalue) {
        None => wrong("points to no slot of a stack"),
        Some((thread, _)) if heap.is_freed(thread) => wrong("points into the stack of a freed thread"),
        Some((thread, slot)) if slot >= heap.live_stack(thread) => {
            wrong(&format!("points above its stack, to slot {slot}"))
        }
        Some(_) => Ok(true),
    }
}

/// Looks at the list of one thread. Says how many of its upvalues the walk comes to.
fn check_thread<H: Heap>(
    heap: H,
    thread: H::Object,
    is_walked: impl Fn(H::Object) -> bool,
) -> Result<usize, Box<Breach<H::Object>>> {
    let mut walked = 0;
    let mut before = None;
    for upvalue in heap.open_upvalues(thread) {
        let wrong = |what: &str| Err(Breach::of_object(Invariant::Upvalues, upvalue, what));
        if heap.is_freed(upvalue) {
            return wrong("is still in a thread's list of open upvalues");
        }
        let Some((owner, slot)) = heap.upvalue_slot(upvalue) else {
            let what = if heap.is_open_upvalue(upvalue) { "points to no slot of a stack" } else { "is closed" };
            return wrong(&format!("{what} and is in a thread's list of open upvalues"));
        };
        if owner != thread {
            return wrong("is in the list of another thread than its own");
        }
        if before.is_some_and(|before| slot <= before) {
            return wrong("is out of order in its thread's list of open upvalues");
        }
        before = Some(slot);
        walked += usize::from(is_walked(upvalue));
    }
    Ok(walked)
}

fn unlisted<H: Heap>(heap: H) -> Box<Breach<H::Object>> {
    let counted = heap.list(ListName::CountedUpvalues);
    for upvalue in collected(heap).chain(counted).filter(|&object| heap.is_open_upvalue(object)) {
        let thread = heap.upvalue_slot(upvalue).map(|(thread, _)| thread);
        if !thread.is_some_and(|thread| heap.open_upvalues(thread).contains(&upvalue)) {
            let what = "is open and not in its thread's list of open upvalues";
            return Breach::of_object(Invariant::Upvalues, upvalue, what);
        }
    }
    Breach::of_heap(Invariant::Upvalues, "a thread lists an open upvalue that the collector does not know")
}
