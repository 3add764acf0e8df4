//! What a script calls the objects of a heap, and where it is.

use crate::{Heap, Location};

/// A heap that knows the code of its program. No check asks for names; reports, histories and traces do.
pub trait Names: Heap {
    /// The innermost Lua function that runs, and its line.
    fn location(self) -> Option<Location>;

    /// What the running script calls the object that its running instruction makes: the variable or the field that will
    /// hold it.
    fn destination(self) -> Option<Vec<u8>>;

    /// How deep the calls are nested that are running: the frames of the running thread and of those that wait for it.
    /// The frame of a native function counts too.
    fn depth(self) -> usize;

    /// Where the function of a prototype or closure is defined.
    fn definition(self, object: Self::Object) -> Option<Location>;

    /// What the code of a prototype calls its nested prototype of this index: the variable or the field that the function
    /// is put into, such as `f`, `M.f` or `M:f`. `None` for a function without a name.
    fn nested_name(self, prototype: Self::Object, index: usize) -> Option<Vec<u8>>;

    /// Whether a prototype is that of a method: its first parameter is `self`.
    fn is_method(self, prototype: Self::Object) -> bool;

    /// The prototype of a closure.
    fn prototype(self, closure: Self::Object) -> Option<Self::Object>;

    /// The name that a closure's code has for its upvalue of this index.
    fn upvalue_name(self, closure: Self::Object, index: u32) -> Option<Vec<u8>>;

    /// The name of the local variable in a slot of a thread's stack.
    fn slot_name(self, thread: Self::Object, slot: u32) -> Option<Vec<u8>>;

    /// The name of a native closure's function.
    fn native_name(self, closure: Self::Object) -> Option<Vec<u8>>;
}
