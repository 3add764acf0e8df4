//! How often the checker looks at how much.

use std::fmt;
use std::str::FromStr;

/// How often the checker looks at how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// A whole look before and after all that the collector does at a time.
    ///
    /// Steps that follow one another, with nothing done by the program in between, are one *run*: the looks are before and
    /// after the run, and after each step inside it there is a look at what the step did, as with [`Level::Barrier`]. Stores
    /// cost nothing; a wrong one is seen at the next step.
    Step,
    /// A look at what an event may have changed:
    ///
    /// - after a store or barrier, at the one reference;
    /// - after a traversal, at the object's references;
    /// - before the atomic phase, at all objects by their headers, and again when sweeping is done, then with the references
    ///   of all objects whose references may have changed;
    /// - after a minor collection, at the young objects and at the old ones that the collection traversed;
    /// - at the end of every sixty-fourth cycle and of the run, at everything, the count of bytes and the string table
    ///   included.
    ///
    /// What a store, a barrier or a traversal breaks is found at the same event as with [`Level::Full`]. So is what may be
    /// covered up before the next look: dead objects near the top of the running stack, and wrong colours of upvalues.
    ///
    /// Other damage stays, and is found at a later look: an object that fell out of its list, a byte too many, a write that no
    /// event told of. [`Violation::sound_until`](crate::Violation::sound_until) says from where on a second run has to look,
    /// with [`Checker::starting_at`](crate::Checker::starting_at) and [`Level::Full`], to find the first event.
    #[default]
    Barrier,
    /// A whole look at each event, one check after the other. The other levels are measured by this one.
    Full,
}

impl Level {
    /// Every level, the cheapest for programs that store much first.
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
