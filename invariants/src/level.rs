//! When the checker looks, and at how much.

use std::fmt;
use std::str::FromStr;

/// When the checker looks, and at how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// A whole look before and after each run of steps. Inside a run there are looks when marking has ended and when sweeping
    /// has ended, as with [`Level::Barrier`]. Stores cost nothing; a wrong one is seen at the next step.
    Step,
    /// A look at what an event may have changed:
    ///
    /// - after a store or barrier, at the one reference;
    /// - after a traversal, at the object's references;
    /// - before the atomic phase, before marking is abandoned, and after finalizers were called, at all objects by their
    ///   headers;
    /// - after the atomic phase and after a collection of generational mode, at the entries that weak tables have lost; in a minor
    ///   collection, of the tables that it may change;
    /// - when marking has ended and the program goes on before sweeping ends, at the references to dead objects;
    /// - when sweeping has ended, at all objects by their headers, and at the references of all objects whose references may
    ///   have changed;
    /// - after a minor collection, at the young objects and at the old ones that the collection traversed;
    /// - at the end of every sixty-fourth cycle, at everything, the count of bytes and the string table included. Whoever runs
    ///   the program calls [`Checker::look`](crate::Checker::look) for such a look when the program has ended.
    ///
    /// What a store or a barrier breaks is found at the same event as with [`Level::Full`]. So is what the first traversal of an
    /// object breaks; a later traversal of an object that no store has written to is not looked at, and what it leaves unmarked
    /// is found when it has been freed. Two kinds of damage that may be gone before the next look are looked for at the events
    /// themselves: dead objects near the top of the running stack, and wrong colours of upvalues.
    ///
    /// Other damage stays, and is found at a later look: an object that fell out of its list, a byte too many, a write that no
    /// event told of. To find the first event of such damage, run the program again with [`Level::Full`] and
    /// [`Checker::starting_at`](crate::Checker::starting_at) the event in
    /// [`Violation::sound_until`](crate::Violation::sound_until).
    #[default]
    Barrier,
    /// A whole look, one check after the other, at each store and barrier, at both ends of each step, and after each run of
    /// steps. Tests compare the other levels with this one.
    Full,
}

impl Level {
    /// Every level, by the time that it takes of a program with many stores, the shortest first.
    pub const ALL: &'static [Level] = &[Level::Step, Level::Barrier, Level::Full];

    /// The name in options.
    pub fn name(self) -> &'static str {
        match self {
            Level::Step => "step",
            Level::Barrier => "barrier",
            Level::Full => "full",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that no level has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownLevel(pub String);

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown check level '{}' (known: step, barrier, full)", self.0)
    }
}

impl std::error::Error for UnknownLevel {}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Level::ALL.iter().find(|level| level.name() == text);
        found.copied().ok_or_else(|| UnknownLevel(text.to_owned()))
    }
}
