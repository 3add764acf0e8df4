//! How often the checker looks at how much.

use std::fmt;
use std::str::FromStr;

/// How often the checker looks at how much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// A whole look before and after all that the collector does at a time: before a run of steps, between which the program
    /// does nothing, and after it. After a step inside a run a look at what it did, as with [`Level::Barrier`]. Stores cost
    /// nothing, and a wrong one is seen at the next step.
    Step,
    /// After a store or barrier a look at that reference; after a step a look at what it did; at all objects before the
    /// atomic phase, and again when sweeping is done, together with the references of those whose references may have
    /// changed; after a minor collection at the young objects and those that it traversed; a whole look, which also asks for
    /// the count of bytes and the string table, at the end of every sixty-fourth cycle and of the run.
    ///
    /// What stores, barriers and single traversals break is found at the same event as with [`Level::Full`], and so is
    /// what the program or the collector may cover up before the next look: dead objects near the top of the stack that
    /// runs (at steps and while sweeping, and at stores too where the last sweep left any), wrong colours of upvalues.
    /// Of the traversals of an object that refers to the same again and again one is looked at; if a later one leaves
    /// something unmarked, the look when sweeping is done sees it gone.
    /// What can only be seen by looking everywhere and stays (an object that fell out of its list, a byte too many, a
    /// write that no event told of) is found at a later whole look; [`Violation::sound_until`] then says from where on
    /// a second run with [`Checker::starting_at`] and [`Level::Full`] has to look to find the first event.
    #[default]
    Barrier,
    /// A whole look each time, that asks one question after the other. This is what the other levels are measured by.
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
