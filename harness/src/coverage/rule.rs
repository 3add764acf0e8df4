//! Why cells cannot occur. A rule is a statement about the collector or about the language, read off the code that its source
//! names; none follows from a cell's not having been seen. Which cell which rule is against is in [`rules`](super::rules).

use serde::{Deserialize, Serialize};

macro_rules! rules {
    ($($rule:ident $name:literal $by:ident: $text:literal, in $source:literal;)*) => {
        /// Why a cell cannot occur.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Rule { $(#[doc = $text] $rule,)* }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Rule] = &[$(Rule::$rule),*];

            /// The name in signatures.
            pub fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name),* }
            }

            /// What it says, a sentence without its full stop.
            pub fn sentence(self) -> &'static str {
                match self { $(Rule::$rule => $text),* }
            }

            /// The code that it follows from.
            pub fn source(self) -> &'static str {
                match self { $(Rule::$rule => $source),* }
            }

            /// Who keeps the rule.
            pub fn kept_by(self) -> KeptBy {
                match self { $(Rule::$rule => KeptBy::$by),* }
            }
        }
    };
}

/// Who keeps a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptBy {
    /// The VM: no program can reach the cell, and one that does has found a fault.
    Vm,
    /// The generator: a program could reach the cell, and those that are generated do not try.
    Generator,
    /// Chance: a generated program could reach the cell, but hardly ever does. A short campaign is not measured by it.
    Chance,
}

rules! {
    NoUserdata "no-userdata" Vm:
        "no library of the language makes a userdata that has user values; hosts do", in "vm/src/library";
    CacheIsNoReference "cache-is-no-reference" Vm:
        "the closure that a prototype keeps to use again is no reference, and its store is not told", in "cache_closure";
    PhaseOfOtherPolicy "phase-of-other-policy" Vm:
        "the policy's cycle does not have this phase", in "enter_next_stage, Policy::has_generational";
    NoProgramInAtomic "no-program-in-atomic" Vm:
        "no program runs in the atomic phase, and nothing is freed in it", in "turn, collect_minor";
    MinorCollectionIsOneStep "minor-collection-is-one-step" Vm:
        "a minor collection is one step: inside of it only upvalues of dead threads are closed", in "collect_minor";
    CountedUpvaluesHaveNoColour "counted-upvalues-have-no-colour" Vm:
        "upvalues that are counted are not collected, and gray for ever", in "new_upvalue, new_closed_upvalue";
    OneWhiteOutsideSweeping "one-white-outside-sweeping" Vm:
        "all objects of the other white are freed or turned by the end of sweeping, and the white changes in the atomic \
         phase", in "atomic, enter_next_stage";
    ProgramsHoldNothingDead "programs-hold-nothing-dead" Vm:
        "what a program can reach was marked by the end of the atomic phase, and what it makes or finds again later is of \
         the current white", in "atomic, new_string, find_upvalue";
    UnusedOpenUpvaluesAreFreed "unused-open-upvalues-are-freed" Vm:
        "an open upvalue that no closure has is freed and not closed", in "close_upvalue";
    LiveUpvaluesHoldLiveValues "live-upvalues-hold-live-values" Vm:
        "the atomic phase marks the values of marked open upvalues whose thread is dead", in "remark_upvalues";
    NewerObjectsAreSweptFirst "newer-objects-are-swept-first" Vm:
        "a list is swept from its newest object on, so where the older one of two has been met, the newer one has too",
        in "adopt, sweep_list";
    NewestIsSweptAtOnce "newest-is-swept-at-once" Vm:
        "sweeping of the list of all objects begins with the newest one that lives, which is one of these two: no other is \
         made before the store", in "enter_sweep, sweep_to_living, instantiate, fill_prototype";
    SweptObjectsAreWhite "swept-objects-are-white" Vm:
        "what has been swept, or was made since the white changed, is white until the next cycle", in "turn_white, enter_next_stage";
    AtomicTraversesWhatIsGray "atomic-traverses-what-is-gray" Vm:
        "after the atomic phase only weak tables and open upvalues are gray, and tables that a backward barrier has touched",
        in "atomic, barrier_back";
    OpenUpvaluesAreNotBlack "open-upvalues-are-not-black" Vm:
        "the value of an open upvalue is a stack slot, which has no barrier, so it is gray once marked", in "mark_object, sweep_list_to_old";
    ClosedUpvaluesAreNotGray "closed-upvalues-are-not-gray" Vm:
        "a closed upvalue becomes black when it is marked or, having been gray, closed", in "mark_object, close_upvalue";
    StringsAreMarkedBlack "strings-are-marked-black" Vm:
        "a string refers to nothing, so it is black once marked", in "mark_object";
    StringsAreMarkedGray "strings-are-marked-gray" Vm:
        "a marked string is gray and on no list", in "mark_object";
    NewObjectsAreWhite "new-objects-are-white" Vm:
        "between the making of the object and this store the collector does not turn, and new objects are white",
        in "new_header, Vm::made, Vm::instantiate";
    NothingRefersToItYet "nothing-refers-to-it-yet" Vm:
        "what is kept as a root while a chunk is loaded is gray only between the beginning of a cycle and its traversal, \
         unless something refers to it already", in "mark_registry_and_metatables, Vm::made";
    AnchorsAreMarkedTogether "anchors-are-marked-together" Vm:
        "the functions of a chunk that is loaded stay roots until all is made, so the older one is marked whenever the newer \
         one is, and no gray object is left when marking ends", in "mark_registry_and_metatables, propagate, fill_prototype";
    SourceOfTheEnclosingFunction "source-of-the-enclosing-function" Generator:
        "a nested function shares the source of the one around it, and no binary chunk is loaded that says otherwise",
        in "fill_prototype";
    NamesOfTheEnclosingFunction "names-of-the-enclosing-function" Vm:
        "the name of a nested function's upvalue belongs to the enclosing function too, which is black where a barrier has \
         made the nested one gray", in "fill_prototype";
    EnvironmentIsMarkedWithTheClosure "environment-is-marked-with-the-closure" Vm:
        "the environment of a chunk is on the stack of whoever loads it, so a collector that has been through all since the \
         closure was made has marked it too", in "load_text, instantiate, traverse_thread";
    EnvironmentNameIsOlder "environment-name-is-older" Vm:
        "`_ENV` is a name in the function that has switched to generational mode, so no younger one meets it white",
        in "fill_prototype, collector_mode";

    WeakSidesAreCleared "weak-sides-are-cleared" Vm:
        "an entry is cleared for its value where values are weak, and for its key where keys are", in "clear_by_values, clear_by_keys";
    StrongKeysAreMarked "strong-keys-are-marked" Vm:
        "a table with weak values marks its keys before values are looked at", in "traverse_weak_values";
    FinalizedKeysStay "finalized-keys-stay" Vm:
        "what waits for its finalizer is marked before keys are looked at, and values for the last time", in "atomic";
    ThreadsAreFreedBySweeps "threads-are-freed-by-sweeps" Vm:
        "a thread is freed by a sweep and by nothing else", in "sweep_list, sweep_part, sweep_list_to_old";

    FilesAreMarkedBlack "files-are-marked-black" Vm:
        "a userdata without user values is black once it is marked, and its metatable marked with it", in "mark_object";
    FilesGetFreshMetatables "files-get-fresh-metatables" Generator:
        "generated scripts give files no metatables but fresh ones", in "harness/src/script";
    NativesStayLocal "natives-stay-local" Generator:
        "generated scripts keep a native function whose upvalues they set in a local variable, so that no barrier marks it",
        in "harness/src/script";
    TemporariesStayHidden "temporaries-stay-hidden" Generator:
        "no generated script takes a table out of a running constructor by debug.getlocal to give it a finalizer",
        in "harness/src/script";
    NamesAreShort "names-are-short" Generator:
        "names of variables in generated scripts are short strings, which are swept with the string table",
        in "harness/src/script";
    NothingOpenBelowFrames "nothing-open-below-frames" Generator:
        "the compiler leaves no upvalue open where another frame will be, and no binary chunk is loaded that it has not made",
        in "close_above";
    TailCallsCloseNothing "tail-calls-close-nothing" Generator:
        "no generated function that ends in a tail call has variables that closures captured", in "harness/src/script";
    FilesAreThereFromTheStart "files-are-there-from-the-start" Generator:
        "generated scripts use the files of the library, which are reachable all the time: white from their sweep to their mark",
        in "harness/src/script";
    NativesMeetFewObjects "natives-meet-few-objects" Chance:
        "few upvalues of native functions are set while sweeping, and few of them to what is not new", in "harness/src/script";
    LastAnchorIsTraversedFirst "last-anchor-is-traversed-first" Chance:
        "of two roots that a cycle begins with the newer one is traversed first, unless a schedule begins the cycle and shuffles \
         its gray objects right before a step that pays a debt", in "mark_registry_and_metatables, propagate, pay_debt_inside";
    LateTablesAreRare "late-tables-are-rare" Chance:
        "where keys are looked at only tables that nothing but objects with finalizers keep have dead values left, few of which \
         have keys and values that are weak", in "atomic";
}
