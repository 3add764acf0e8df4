//! Kinds, colours, ages, phases and lists, as plain values with the words that reports use for them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An enum whose values have a word each, and a list of all values in the order of their declaration.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $value:ident = $word:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u8)]
        pub enum $name { $($(#[$about])* $value,)* }

        impl $name {
            /// How many values there are; each is a number below that.
            pub const COUNT: usize = [$($word),*].len();

            /// Every value, in the order of their declaration.
            pub const ALL: [$name; $name::COUNT] = [$($name::$value),*];

            /// The word in events, reports and signatures.
            pub fn name(self) -> &'static str {
                match self { $($name::$value => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    )*};
}

words! {
    /// What an object is.
    Kind {
        /// A string.
        String = "string",
        /// A table.
        Table = "table",
        /// A closure of a Lua function.
        Closure = "closure",
        /// A closure of a native function.
        NativeClosure = "native-closure",
        /// A full userdata.
        Userdata = "userdata",
        /// A coroutine, or the main thread.
        Thread = "thread",
        /// A variable shared by closures.
        Upvalue = "upvalue",
        /// The code of a Lua function.
        Prototype = "prototype",
    }

    /// The colour of an object, as the collector sees it now.
    Colour {
        /// The current white: not reached yet, or new.
        White = "white",
        /// The white of the cycle before: dead, while sweeping.
        OtherWhite = "other white",
        /// Reached; waits to be traversed.
        Gray = "gray",
        /// Reached and traversed.
        Black = "black",
    }

    /// The age of an object, by which generational mode tells what a minor collection has to look at (`lgc.h` of Lua 5.4).
    ///
    /// In incremental mode all objects are new, aside from fixed ones, which are old for ever.
    Age {
        /// Made since the last collection.
        New = "new",
        /// Made before the last collection, which it survived.
        Survival = "survival",
        /// Made old by a forward barrier since the last collection, though it may refer to young objects.
        Old0 = "old0",
        /// Old for one collection: the next one traverses it for the last time.
        Old1 = "old1",
        /// Really old: it refers to old objects alone, and minor collections leave it aside.
        Old = "old",
        /// An old object that was given a reference to a young one since the last collection.
        Touched1 = "touched1",
        /// An old object that was touched before the last collection.
        Touched2 = "touched2",
    }

    /// Where the collector is in its cycle. No Lua has all phases; those that one has follow one another in this order.
    Phase {
        /// Traversing gray objects, one a step.
        Propagate = "propagate",
        /// All gray objects are traversed; the next step is the atomic phase.
        EnterAtomic = "enter-atomic",
        /// The end of marking. No program runs in it.
        Atomic = "atomic",
        /// Sweeping the string table, where strings are swept on their own.
        SweepStrings = "sweep-strings",
        /// Sweeping the list of all objects.
        SweepAll = "sweep-all",
        /// Sweeping the objects with finalizers.
        SweepFinalizable = "sweep-finalizable",
        /// Sweeping the objects that wait for their finalizers.
        SweepToBeFinalized = "sweep-to-be-finalized",
        /// Sweeping is done.
        SweepEnd = "sweep-end",
        /// Calling finalizers.
        CallFinalizers = "call-finalizers",
        /// Between two cycles.
        Pause = "pause",
    }

    /// How a collector works, by the names that `collectgarbage` has for it (manual of Lua 5.4, §2.5).
    Mode {
        /// By steps, of which many make a cycle.
        Incremental = "incremental",
        /// By minor collections of young objects, and now and then a major one of all.
        Generational = "generational",
    }

    /// A list of objects that belong to the collector. Every object is in one of them. Which lists there are differs
    /// ([`Rules`](crate::Rules)); one that a collector does not have is empty.
    ListName {
        /// All ordinary objects.
        All = "all",
        /// Objects with a finalizer.
        Finalizable = "finalizable",
        /// Unreachable objects whose finalizer is to be called.
        ToBeFinalized = "to-be-finalized",
        /// Interned strings, where they are swept on their own.
        Strings = "strings",
        /// Open upvalues, where they are in one list.
        OpenUpvalues = "open upvalues",
        /// Upvalues that are counted and not collected. They have no colour, and are gray.
        CountedUpvalues = "counted upvalues",
        /// Objects that are never collected.
        Fixed = "fixed",
    }

    /// Why variables are closed: the ways out of their scope (manual of Lua 5.4, §3.3.8), and others.
    ScopeEnd {
        /// A block ends, by itself, by `break` or by `goto`.
        Block = "block",
        /// The function returns.
        Return = "return",
        /// The function's frame is used again by a tail call.
        TailCall = "tail-call",
        /// `pcall` or `xpcall` has caught an error.
        Error = "error",
        /// A protected call that native code makes has failed: a finalizer, a function that reads a chunk.
        NestedError = "nested-error",
        /// `coroutine.close`.
        CoroutineClose = "coroutine-close",
        /// An error leaves a coroutine by the function of `coroutine.wrap`.
        WrapError = "wrap-error",
        /// The state is closed.
        StateClose = "state-close",
        /// The thread is dead and is freed.
        ThreadFreed = "thread-freed",
        /// Another frame begins below the variable. No compiler leaves one open there.
        NewFrame = "new-frame",
    }

    /// Which pass of the atomic phase clears an entry of a weak table (`atomic` in `lgc.c` of Lua 5.4).
    Clearing {
        /// The entry's value is dead, or waits for its finalizer from now on: the first pass.
        Values = "values",
        /// The key is dead, and nothing that waits for a finalizer refers to the key.
        Keys = "keys",
        /// The value is dead, and nothing but what waits for a finalizer refers to the table.
        RevivedValues = "revived-values",
    }

    /// A list of gray objects.
    GrayList {
        /// To be traversed.
        Gray = "gray",
        /// To be traversed again in the atomic phase.
        GrayAgain = "gray-again",
        /// Tables with weak values, to be cleared.
        WeakValues = "weak-values",
        /// Ephemeron tables that are not settled.
        Ephemerons = "ephemerons",
        /// Tables with weak keys, to be cleared.
        AllWeak = "all-weak",
    }
}

impl Age {
    /// Whether a minor collection keeps such an object, reachable or not.
    #[inline]
    pub fn is_old(self) -> bool {
        self > Age::Survival
    }
}

impl Phase {
    /// Whether the tri-colour invariant holds between two steps: from the roots on up to the atomic phase, inside of which
    /// it does not have to.
    #[inline]
    pub fn is_marking(self) -> bool {
        matches!(self, Phase::Propagate | Phase::EnterAtomic)
    }

    /// Whether sweeping is done and marking has not begun.
    #[inline]
    pub fn is_between_cycles(self) -> bool {
        matches!(self, Phase::SweepEnd | Phase::CallFinalizers | Phase::Pause)
    }

    /// Whether dead objects wait to be freed.
    #[inline]
    pub fn is_sweeping(self) -> bool {
        (Phase::SweepStrings..=Phase::SweepEnd).contains(&self)
    }
}

impl ListName {
    /// The lists whose objects are collected, and so have colours.
    pub const COLLECTED: [ListName; 5] =
        [ListName::All, ListName::Finalizable, ListName::ToBeFinalized, ListName::Strings, ListName::OpenUpvalues];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_phase_is_of_one_part_of_the_cycle() {
        for phase in Phase::ALL {
            let parts = [phase.is_marking(), phase == Phase::Atomic, phase.is_sweeping(), phase.is_between_cycles()];
            let expected = if phase == Phase::SweepEnd { 2 } else { 1 };
            // When all lists are swept, dead objects are gone and marking has not begun.
            assert_eq!(parts.into_iter().filter(|&is| is).count(), expected, "{phase}");
        }
    }

    #[test]
    fn ages_from_old0_on_are_old_and_only_ordinary_lists_are_collected() {
        let old: Vec<Age> = Age::ALL.into_iter().filter(|age| age.is_old()).collect();
        assert_eq!(old, [Age::Old0, Age::Old1, Age::Old, Age::Touched1, Age::Touched2]);
        let left: Vec<ListName> =
            ListName::ALL.into_iter().filter(|list| !ListName::COLLECTED.contains(list)).collect();
        assert_eq!(left, [ListName::CountedUpvalues, ListName::Fixed]);
    }
}
