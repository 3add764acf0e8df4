//! What a script calls the objects of a heap, read off the code and the frames.

use super::names::{self, CodeView};
use crate::gc::{AnyGc, Gc, HeapView, Location, Names, Object, ObjectView};
use crate::value::{Closure, FrameKind, Prototype, Thread, Value};

impl<'h> HeapView<'h> {
    /// The innermost Lua function of the running thread, with the address of its running instruction.
    fn innermost(self) -> Option<(Gc<Closure>, usize)> {
        let thread = self.heap().current_thread?;
        let frame = thread.frames.iter().rev().find(|frame| frame.kind == FrameKind::Lua)?;
        let Value::Closure(closure) = *thread.stack.get(frame.func as usize)? else { return None };
        Some((closure, (frame.pc as usize).saturating_sub(1)))
    }
}

impl<'h> Names for HeapView<'h> {
    fn location(self) -> Option<Location> {
        let (closure, address) = self.innermost()?;
        let prototype = closure.prototype.get();
        Some(Location { source: prototype.source_bytes(), line: prototype.line_at(address)? })
    }

    fn destination(self) -> Option<Vec<u8>> {
        let (closure, address) = self.innermost()?;
        names::result_name(&*closure.prototype.get(), address)
    }

    fn depth(self) -> usize {
        let threads = std::iter::successors(self.heap().current_thread, |thread| *thread.resumer);
        // Every stack has a bottom frame. The script is called by a function of the host's, and both are entered across a
        // boundary.
        threads.map(|thread| thread.frames.len().saturating_sub(1)).sum::<usize>().saturating_sub(3)
    }

    fn definition(self, object: ObjectView<'h>) -> Option<Location> {
        let prototype = match object.erased().unpack() {
            Object::Prototype(prototype) => prototype,
            Object::Closure(closure) => closure.prototype.get(),
            _ => return None,
        };
        Some(Location { source: prototype.source_bytes(), line: prototype.line_defined })
    }

    fn nested_name(self, prototype: ObjectView<'h>, index: usize) -> Option<Vec<u8>> {
        names::nested_name(&*prototype_of(prototype)?, index)
    }

    fn is_method(self, prototype: ObjectView<'h>) -> bool {
        prototype_of(prototype).is_some_and(|prototype| {
            let first = prototype.locals.first().and_then(|local| local.name.get());
            prototype.parameters > 0 && first.is_some_and(|name| name.as_bytes() == b"self")
        })
    }

    fn prototype(self, closure: ObjectView<'h>) -> Option<ObjectView<'h>> {
        match closure.erased().unpack() {
            Object::Closure(closure) => Some(ObjectView::new(closure.prototype.get().erase())),
            _ => None,
        }
    }

    fn upvalue_name(self, closure: ObjectView<'h>, index: u32) -> Option<Vec<u8>> {
        match closure.erased().unpack() {
            // A prototype that was freed must not be read for names.
            Object::Closure(closure) if !is_freed(closure.prototype.get().erase()) => {
                CodeView::upvalue_name(&*closure.prototype.get(), index as usize).map(<[u8]>::to_vec)
            }
            _ => None,
        }
    }

    fn slot_name(self, thread: ObjectView<'h>, slot: u32) -> Option<Vec<u8>> {
        match thread.erased().unpack() {
            Object::Thread(thread) => slot_name(&thread, slot as usize),
            _ => None,
        }
    }

    fn native_name(self, closure: ObjectView<'h>) -> Option<Vec<u8>> {
        match closure.erased().unpack() {
            Object::NativeClosure(closure) => Some(closure.builtin.name.as_bytes().to_vec()),
            _ => None,
        }
    }
}

fn prototype_of(object: ObjectView<'_>) -> Option<Gc<Prototype>> {
    match object.erased().unpack() {
        Object::Prototype(prototype) => Some(prototype),
        _ => None,
    }
}

fn is_freed(object: AnyGc) -> bool {
    ObjectView::new(object).is_freed()
}

/// The name of the local variable in a stack slot.
fn slot_name(thread: &Thread, slot: usize) -> Option<Vec<u8>> {
    // A search from the top would make a look at a deep stack take the square of its depth.
    let reached = thread.frames.partition_point(|frame| frame.base as usize <= slot);
    let frame = thread.frames[..reached].iter().rev().find(|frame| frame.kind == FrameKind::Lua)?;
    let Value::Closure(closure) = *thread.stack.get(frame.func as usize)? else { return None };
    if is_freed(closure.erase()) || is_freed(closure.prototype.get().erase()) {
        return None;
    }
    let name = closure.prototype.get().local_name(slot - frame.base as usize, frame.pc as usize)?;
    Some(name.as_bytes().to_vec())
}
