//! The words of a collected Lua heap, and the traits through which one is read.
//!
//! A VM, or a probe that looks into somebody else's, *binds* its heap: it implements [`Heap`], which gives objects, lists,
//! colours and references, and [`Names`], which gives what a script calls them. Whoever checks or explains a heap asks
//! these traits and knows no VM. Collectors differ in ways that are all right: [`Rules`], plain data that a heap hands out, say
//! how its collector does it. What happens in a heap is an [`Event`], told to an [`Observer`]; its [`Abilities`] say which
//! events a heap tells of. A [`Snapshot`] is a heap that stands still, and can be saved and sent.
//!
//! ```
//! use moonphase_heap::{Colour, Heap};
//!
//! /// How many objects a heap has of each colour.
//! fn census<H: Heap>(heap: H) -> [usize; 4] {
//!     let mut counts = [0; 4];
//!     for object in heap.objects() {
//!         counts[heap.colour(object) as usize] += 1;
//!     }
//!     counts
//! }
//! # let _ = (census::<&moonphase_heap::Snapshot>, Colour::White);
//! ```

#![forbid(unsafe_code)]

mod abilities;
mod edge;
mod event;
mod heap;
mod location;
mod names;
mod observer;
mod pacing;
mod rules;
mod site;
mod snapshot;
mod words;

pub use abilities::Abilities;
pub use edge::{Edge, Key, Label, NamedLabel, Root, Strength};
pub use event::{CaptureOrigin, Direction, Event, Interests, StepKind, StoreColours};
pub use heap::{Heap, Loading, Marks, Weakness};
pub use location::{Location, chunk_id};
pub use names::Names;
pub use observer::Observer;
pub use pacing::{Pacing, Stopped};
pub use rules::{MarkedStrings, Rules, ShortStrings, UpvalueStorage, Waiting};
pub use site::Site;
pub use snapshot::Snapshot;
pub use words::{Age, Clearing, Colour, GrayList, Kind, ListName, Mode, Phase, ScopeEnd};
