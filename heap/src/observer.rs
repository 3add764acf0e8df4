//! Who is told what happens in a heap.

use crate::{Event, Heap, Interests};
use std::any::Any;
use std::ops::ControlFlow;

/// Reads a heap while a program runs.
///
/// A heap is lent for the time of one event only. What an observer keeps of an object is its number.
pub trait Observer<H: Heap> {
    /// What to tell it. Asked once, when the observer is installed.
    fn interests(&self) -> Interests;

    /// Something happened. `Break` ends the script at once: no further instruction runs, and `pcall` cannot catch it.
    fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()>;

    /// Gives the observer back to whoever installed it.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}
