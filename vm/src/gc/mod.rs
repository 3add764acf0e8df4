//! The collector: the incremental tri-colour collector of Lua, whose heap can be observed.
//!
//! White objects have not been reached, gray ones have been reached and not yet traversed, black ones are done. While
//! marking the collector keeps the *tri-colour invariant*: no black object refers to a white one. The program that runs
//! between steps (the mutator) breaks it by storing; the write barriers of `barrier` mend it.
//!
//! A collection goes through the [`Phase`]s in steps, one `Heap::step` each. `mark` traverses, `atomic` ends marking
//! in one go, `weak` clears weak tables, `sweep` frees, `finalizer` keeps the lists of objects with `__gc`; `pacing` says
//! how much to do and when. In `generational` mode a collection is one step, which looks at young objects only. Every write
//! of a reference is a method in `store` or `upvalue`, which raises the event, and calls the
//! barrier that the [`Policy`] asks for.
//!
//! All of this is about objects and knows no code: finalizers are called by the interpreter.

#[macro_use]
mod fault;

mod allocate;
mod atomic;
mod barrier;
#[cfg(feature = "corrupt")]
mod corrupt;
mod field;
mod finalizer;
mod generational;
mod heap;
mod mark;
mod object;
mod pacing;
mod parts;
mod policy;
mod pool;
mod quarantine;
mod semantics;
mod store;
mod sweep;
mod upvalue;
mod view;
mod weak;

#[cfg(feature = "corrupt")]
pub use corrupt::Corrupt;
#[cfg(feature = "faults")]
pub use fault::{Fault, UnknownFault};
pub(crate) use field::{Field, Held};
pub use heap::{Heap, HeapOptions, Metatables};
pub use moonphase_heap::{
    Age, CaptureOrigin, Clearing, Colour, Direction, Event, GrayList, Interests, Kind, ListName, Loading, Location,
    Mode, Names, Observer, Phase, Rules, ScopeEnd, Site, StepKind, StoreColours, Weakness,
};
pub use object::{AnyGc, Gc, Header, Managed, Object};
pub(crate) use pacing::Turn;
pub(crate) use parts::{Node, copy_value, read_value, write_value};
pub use policy::{
    DirectionRule, FullCollectionRule, Old0Rule, OpenRule, Policy, PolicyError, SetupvalueRule, StringRule, SweepRule,
    Upvalues,
};
pub(crate) use pool::{Pool, PooledSlice};
pub use semantics::Semantics;
pub use view::{HeapView, ObjectView};

/// An observer of a heap of this VM.
pub type VmObserver = dyn for<'h> Observer<HeapView<'h>>;
