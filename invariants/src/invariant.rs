//! The names of the invariants, and what each says.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Something that must hold in a heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Invariant {
    /// While marking, no black object refers strongly to a white one.
    BlackToWhite,
    /// Nothing live refers to a freed object.
    Dangling,
    /// At pause every object is of the current white.
    PauseWhite,
    /// While marking, gray objects and members of gray lists are the same set, each in one list.
    GrayLists,
    /// Open upvalues are never black and belong to one slot of a living stack; closed ones are never gray.
    Upvalues,
    /// Threads are never black while marking.
    Threads,
    /// Strings are never gray.
    Strings,
    /// Objects with finalizers are listed as such, and finalized in the reverse of the order of marking, one after the other; when
    /// the state is closed, all of them.
    Finalizers,
    /// After atomic no weak entry refers to a dead object, and no other entry of a weak table is gone.
    Weak,
    /// After atomic nothing reachable is dead, and nothing reachable is ever freed.
    Reachable,
    /// Every object is in one list, the one that its header says, and the lists end.
    Lists,
    /// The byte count is the sum of the objects.
    Bytes,
    /// The string table has every short string and nothing else.
    Intern,
    /// After full collections nothing unreachable is left.
    Complete,
    /// In generational mode no old object refers to a young one that a minor collection would miss.
    Ages,
    /// A collector that nobody has stopped works before the program has allocated more than the parameters say.
    Pacing,
}

impl Invariant {
    /// Every invariant.
    pub const ALL: &'static [Invariant] = &[
        Invariant::BlackToWhite,
        Invariant::Dangling,
        Invariant::PauseWhite,
        Invariant::GrayLists,
        Invariant::Upvalues,
        Invariant::Threads,
        Invariant::Strings,
        Invariant::Finalizers,
        Invariant::Weak,
        Invariant::Reachable,
        Invariant::Lists,
        Invariant::Bytes,
        Invariant::Intern,
        Invariant::Complete,
        Invariant::Ages,
        Invariant::Pacing,
    ];

    /// The name in signatures and reports.
    pub fn name(self) -> &'static str {
        match self {
            Invariant::BlackToWhite => "black-to-white",
            Invariant::Dangling => "dangling",
            Invariant::PauseWhite => "pause-white",
            Invariant::GrayLists => "gray-lists",
            Invariant::Upvalues => "upvalues",
            Invariant::Threads => "threads",
            Invariant::Strings => "strings",
            Invariant::Finalizers => "finalizers",
            Invariant::Weak => "weak",
            Invariant::Reachable => "reachable",
            Invariant::Lists => "lists",
            Invariant::Bytes => "bytes",
            Invariant::Intern => "intern",
            Invariant::Complete => "complete",
            Invariant::Ages => "ages",
            Invariant::Pacing => "pacing",
        }
    }

    /// One sentence for a reader who doesn't know the invariant.
    pub fn explanation(self) -> &'static str {
        match self {
            Invariant::BlackToWhite => {
                "while the collector marks, a black object (done with) must not refer to a white one (not reached): \
                 nobody will visit the white one, and it is freed although it is in use"
            }
            Invariant::Dangling => "nothing that lives may refer to an object that was freed",
            Invariant::PauseWhite => "between two cycles every object must be of the current white",
            Invariant::GrayLists => {
                "while the collector marks, the gray objects must be those on its gray lists, each on one: a gray \
                 object on no list is never traversed"
            }
            Invariant::Upvalues => {
                "an open upvalue must not be black and belongs to one slot of a living stack; a closed one must not be \
                 gray"
            }
            Invariant::Threads => "a thread must not be black while the collector marks, for its stack has no barrier",
            Invariant::Strings => "a string refers to nothing and so is never gray",
            Invariant::Finalizers => {
                "objects with finalizers must be in the collector's lists of such objects and nowhere else, and be \
                 finalized in the reverse of the order in which they were marked for it, while the collector does nothing \
                 else; when the state is closed, all that have a finalizer by then"
            }
            Invariant::Weak => {
                "an entry of a weak table must be removed before what it refers to is freed; a value that is about to be \
                 finalized before its finalizer runs, a key only when it is dead; all other entries must stay"
            }
            Invariant::Reachable => "what the program can reach must not be freed, nor be about to be",
            Invariant::Lists => "every object must be in one of the collector's lists, once",
            Invariant::Bytes => "the collector's count of bytes must be the sum of the objects' sizes",
            Invariant::Intern => "the string table must find every short string, and hold no freed one",
            Invariant::Complete => "after full collections nothing may be left that the program cannot reach",
            Invariant::Ages => {
                "in generational mode an old object that the next minor collection does not traverse must not refer to \
                 a young one: nobody will visit the young one, and it is freed although it is in use"
            }
            Invariant::Pacing => {
                "a collector that the program has not stopped must work before the program has allocated more than its \
                 parameters say, or memory grows without bound"
            }
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no invariant has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownInvariant(pub String);

impl fmt::Display for UnknownInvariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown invariant '{}'", self.0)
    }
}

impl std::error::Error for UnknownInvariant {}

impl FromStr for Invariant {
    type Err = UnknownInvariant;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Invariant::ALL.iter().find(|invariant| invariant.name() == text);
        found.copied().ok_or_else(|| UnknownInvariant(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for &invariant in Invariant::ALL {
            assert_eq!(invariant.name().parse(), Ok(invariant));
        }
        assert_eq!("greenness".parse::<Invariant>(), Err(UnknownInvariant("greenness".into())));
    }
}
