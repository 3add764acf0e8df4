//! Planted faults: collectors that are wrong in one known way, to measure what finds them and how soon. Only built with
//! the feature `faults`; without it [`planted!`] is `false` and nothing of this is in the VM.
//!
//! Each fault is a `planted!` in the place where a collector could have it, rarely in two places. A heap has one fault at most.
//!
//! A missing barrier of an upvalue that a closure captures is none of them, since it breaks nothing: the collector does
//! not run while an instruction makes a closure, which so is white until it is complete.

/// Whether the heap has this fault.
#[cfg(feature = "faults")]
macro_rules! planted {
    ($heap:expr, $fault:ident) => {
        $heap.fault.is_some_and(|fault| fault.is(crate::gc::Fault::$fault))
    };
}

#[cfg(not(feature = "faults"))]
macro_rules! planted {
    ($heap:expr, $fault:ident) => {
        false
    };
}

#[cfg(feature = "faults")]
pub use catalogue::{Fault, UnknownFault};

#[cfg(feature = "faults")]
mod catalogue {
    use crate::gc::Site;
    use std::fmt;
    use std::str::FromStr;

    macro_rules! faults {
        ($($fault:ident $name:literal in $gc:literal: $breaks:literal $(, had by $origin:literal)?;)*) => {
            /// A fault that can be planted into a collector.
            #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
            #[non_exhaustive]
            pub enum Fault { $(#[doc = $breaks] $fault,)* }

            impl Fault {
                /// Every fault, barriers first.
                pub const ALL: &'static [Fault] = &[$(Fault::$fault),*];

                /// The name in options and tables.
                pub fn name(self) -> &'static str {
                    match self { $(Fault::$fault => $name),* }
                }

                /// What it breaks, in a sentence.
                pub fn breaks(self) -> &'static str {
                    match self { $(Fault::$fault => $breaks),* }
                }

                /// The policy that it lives in, as `--gc` takes it.
                pub fn policy(self) -> &'static str {
                    match self { $(Fault::$fault => $gc),* }
                }

                /// Which real Lua had it, where one did.
                pub fn origin(self) -> Option<&'static str> {
                    match self { $(Fault::$fault => [$($origin,)? ""].first().copied().filter(|text| !text.is_empty())),* }
                }
            }
        };
    }

    faults! {
        // Barriers that are missing.
        NoBarrierTableStore "no-barrier-table-store" in "5.4":
            "a value stored into a table has no barrier";
        NoBarrierTableKey "no-barrier-table-key" in "5.4":
            "a key added to a table has no barrier";
        NoBarrierTableList "no-barrier-table-list" in "5.4":
            "the items of a table constructor have no barrier";
        NoBarrierTableMetatable "no-barrier-table-metatable" in "5.4":
            "the metatable of a table has no barrier";
        NoBarrierUpvalueStore "no-barrier-upvalue-store" in "5.4":
            "the assignment of an upvalue has no barrier";
        NoBarrierSetupvalue "no-barrier-setupvalue" in "5.4":
            "debug.setupvalue has no barrier";
        NoBarrierUpvaluejoin "no-barrier-upvaluejoin" in "5.4":
            "debug.upvaluejoin has no barrier";
        NoBarrierUpvalueClose "no-barrier-upvalue-close" in "5.4":
            "an upvalue that is closed and black has no barrier for its value";
        NoBarrierClosureFresh "no-barrier-closure-fresh" in "5.4":
            "a fresh upvalue of a loaded chunk has no barrier";
        NoBarrierChunkEnvironment "no-barrier-chunk-environment" in "5.4":
            "the environment of a loaded chunk has no barrier";
        NoBarrierPrototypeSource "no-barrier-prototype-source" in "5.4":
            "the source name of a function that is being loaded has no barrier";
        NoBarrierPrototypeConstant "no-barrier-prototype-constant" in "5.4":
            "a constant of a function that is being loaded has no barrier";
        NoBarrierPrototypeNested "no-barrier-prototype-nested" in "5.4":
            "a nested function of one that is being loaded has no barrier";
        NoBarrierPrototypeUpvalueName "no-barrier-prototype-upvalue-name" in "5.4":
            "the name of an upvalue in a function that is being loaded has no barrier";
        NoBarrierPrototypeLocalName "no-barrier-prototype-local-name" in "5.4":
            "the name of a local variable in a function that is being loaded has no barrier";
        NoBarrierJoinedValue "no-barrier-joined-value" in "5.3":
            "debug.upvaluejoin does not mark the value of the upvalue that is joined";
        NoBarrierCountedStore "no-barrier-counted-store" in "5.3":
            "what is stored into a counted upvalue is not marked";
        NoBarrierCountedClose "no-barrier-counted-close" in "5.3":
            "the value of a counted upvalue that is closed is not marked";
        NoBarrierNativeUpvalue "no-barrier-native-upvalue" in "5.4":
            "debug.setupvalue of a native function has no barrier";
        NoBarrierUserdataMetatable "no-barrier-userdata-metatable" in "5.4":
            "the metatable of a userdata has no barrier";
        GrowthWithoutBarrier "growth-without-barrier" in "5.4":
            "a store that makes a table grow has no barrier";

        // Barriers that look at the wrong object, or do the wrong thing.
        SetupvalueParentClosure "setupvalue-parent-closure" in "5.2":
            "the barrier of debug.setupvalue takes the closure for the holder", had by "Lua 5.1.5, LuaJIT before 2.0.0";
        JoinParentUpvalue "join-parent-upvalue" in "5.4":
            "the barrier of debug.upvaluejoin goes from the joined upvalue to its value";
        JoinChildOldUpvalue "join-child-old-upvalue" in "5.4":
            "the barrier of debug.upvaluejoin marks the upvalue that the closure loses";
        UpvalueStoreParentClosure "upvalue-store-parent-closure" in "5.4":
            "the barrier of an upvalue's assignment takes the running closure for the holder";
        MetatableParentMetatable "metatable-parent-metatable" in "5.4":
            "the barrier of setmetatable takes the metatable for the holder";
        BackwardWithoutList "backward-without-list" in "5.4":
            "a backward barrier makes the table gray and puts it on no list";
        BackwardStaysBlack "backward-stays-black" in "5.4":
            "a backward barrier puts the table on the gray-again list and leaves it black";
        ForwardBlackens "forward-blackens" in "5.4":
            "a forward barrier makes the child black without traversing it";
        UpvalueStoreBackward "upvalue-store-backward" in "5.4":
            "the assignment of an upvalue calls a backward barrier, which makes a closed upvalue gray";

        // Marking.
        GrayAgainDropped "gray-again-dropped" in "5.4":
            "the atomic phase does not traverse the gray-again list";
        ThreadsBlackened "threads-blackened" in "5.4":
            "a thread is black once it is traversed, and not looked at again";
        OpenUpvaluesNotRemarked "open-upvalues-not-remarked" in "5.1,setupvalue=upvalue":
            "the atomic phase does not mark the values of open upvalues again";
        DeadUpvalueNotRevived "dead-upvalue-not-revived" in "5.1,setupvalue=upvalue":
            "a dead open upvalue whose variable is captured again stays dead";
        ThreadForgotten "thread-forgotten" in "5.4":
            "a thread with open upvalues is not in the list that the atomic phase goes through";
        TouchedForgotten "touched-forgotten" in "5.3":
            "a closure does not touch the open upvalues that it has when it is traversed";
        ClosingLeavesGray "closing-leaves-gray" in "5.4":
            "an upvalue that is closed stays gray";
        ClosingDeadKept "closing-dead-kept" in "5.1,setupvalue=upvalue":
            "a dead open upvalue that is closed joins the list of all objects instead of being freed";
        ClosureUpvaluesNotMarked "closure-upvalues-not-marked" in "5.4":
            "the traversal of a closure forgets its last upvalue";
        MetatableNotMarked "metatable-not-marked" in "5.4":
            "the traversal of a table forgets its metatable";
        ArrayEndNotMarked "array-end-not-marked" in "5.4":
            "the traversal of a table forgets the last item of its array part";
        DeadStackKept "dead-stack-kept" in "5.4":
            "what is above the top of a stack is not cleared, and found again later";
        MetatablesNotRemarked "metatables-not-remarked" in "5.4":
            "the atomic phase does not mark the registry and the metatables of basic types again";
        ExtraArgumentsNotMarked "extra-arguments-not-marked" in "5.4":
            "the traversal of a stack leaves out the extra arguments of variadic functions";
        RevivedThreadForgotten "revived-thread-forgotten" in "5.4":
            "a thread that only an object with a finalizer leads to leaves the list that the atomic phase goes through";
        AbandonedGrayKept "abandoned-gray-kept" in "5.4":
            "a cycle begins with what is left on the gray lists of the cycle before";

        // Loading.
        LoadedMainNotKept "loaded-main-not-kept" in "5.4":
            "a main function that is being loaded is not kept while the collector works";
        LoadedPartsNotKept "loaded-parts-not-kept" in "5.4":
            "what is made for a function that is being loaded is not kept until it is stored",
            had by "Lua 5.2.0 to 5.2.2 and 5.4.0";

        // The white.
        WhiteNotFlipped "white-not-flipped" in "5.4":
            "the atomic phase does not exchange the whites";
        BornOtherWhite "born-other-white" in "5.4":
            "objects made while sweeping are of the white that is being swept";
        FullCollectionFlips "full-collection-flips" in "5.4":
            "a full collection from the middle of marking exchanges the whites before it sweeps";

        // Weak tables and finalizers.
        WeakValuesNotCleared "weak-values-not-cleared" in "5.4":
            "entries with dead weak values are not removed";
        WeakKeysNotCleared "weak-keys-not-cleared" in "5.4":
            "entries with dead weak keys are not removed";
        WeakValuesClearedLate "weak-values-cleared-late" in "5.4":
            "weak values are cleared only after the objects with finalizers are revived";
        WeakKeysClearedEarly "weak-keys-cleared-early" in "5.4":
            "weak keys are cleared before the objects with finalizers are revived";
        EphemeronsCutShort "ephemerons-cut-short" in "5.4":
            "ephemeron tables are traversed once, however much that marks";
        EphemeronsOnce "ephemerons-once" in "5.4":
            "ephemeron tables are not traversed again after objects with finalizers are revived";
        EphemeronEntryDropped "ephemeron-entry-dropped" in "5.4":
            "the atomic phase removes an ephemeron entry whose key is marked instead of marking its value";
        WeakValuesClearedEarly "weak-values-cleared-early" in "5.4":
            "a table with weak values is cleared when the atomic phase traverses it, though what comes after may mark them";
        DeadKeysKept "dead-keys-kept" in "5.4":
            "the key of an entry without a value is not marked dead, and is freed while the entry still has it";
        DeadKeyLost "dead-key-lost" in "5.4":
            "a key that is marked dead is not found by next any more", had by "Lua 5.4.0 and 5.4.1";
        WeakValuesMarkedOnce "weak-values-marked-once" in "5.4":
            "a table with weak values is not traversed again in the atomic phase, though it may have got new keys";
        AllWeakMarkedOnce "all-weak-marked-once" in "5.4":
            "a table with weak keys and values is not traversed again in the atomic phase, though it may have got a metatable",
            had by "Lua 5.4.8";
        EphemeronMarkedOnce "ephemeron-marked-once" in "5.4":
            "an ephemeron table is not traversed again in the atomic phase if the values of its white keys are marked",
            had by "Lua 5.2.0 to 5.2.3";
        EphemeronKeysForgotten "ephemeron-keys-forgotten" in "5.4":
            "an ephemeron table whose dead keys have living values is not cleared";
        RevivedValuesKept "revived-values-kept" in "5.4":
            "weak values are not cleared in tables that only objects with finalizers lead to";
        LongStringsWeak "long-strings-weak" in "5.4":
            "a long string in a weak table does not count as a value, and its entry is removed";
        WeakStringsNotMarked "weak-strings-not-marked" in "5.4":
            "a string in a weak table is not marked, and is freed while the entry still has it";
        AbsentFlagWrong "absent-flag-wrong" in "5.4":
            "a metatable without __gc is remembered as one without __mode";
        AbsentFlagKept "absent-flag-kept" in "5.4":
            "a metatable that gets a new field is still remembered as one without it";
        FinalizersNotMarked "finalizers-not-marked" in "5.4":
            "objects that wait for their finalizer are not marked";
        FinalizersForward "finalizers-forward" in "5.4":
            "finalizers run in the order of marking";
        ResurrectedSwept "resurrected-swept" in "5.4":
            "an object whose finalizer is called joins the others with the white that the next sweep frees";
        FinalizerReentered "finalizer-reentered" in "5.4":
            "the collector goes on working while a finalizer runs";
        ClosingDropsFinalizers "closing-drops-finalizers" in "5.4":
            "closing the state calls the finalizers that are due, and drops those of objects that are still reachable";
        ClosingFinalizesNew "closing-finalizes-new" in "5.4":
            "an object that gets a finalizer while the state is closed is finalized too, and so on for ever";
        SweepPointerLost "sweep-pointer-lost" in "5.4":
            "an object that gets a finalizer leaves its list while the sweep stands at it";
        FinalizableStaysBlack "finalizable-stays-black" in "5.2":
            "an object that gets a finalizer while sweeping keeps its colour, though the sweep may not come to it any more";
        FinalizerSetLater "finalizer-set-later" in "5.4":
            "an object gets a finalizer though its metatable has no __gc yet";
        FinalizerKept "finalizer-kept" in "5.4":
            "an object keeps its finalizer when that is called, and is finalized again";
        FailedFinalizerStops "failed-finalizer-stops" in "5.4":
            "a finalizer that fails leaves the collector stopped";
        FailedFinalizerDrops "failed-finalizer-drops" in "5.4":
            "a finalizer that fails drops those of the other objects that wait";

        // Stacks and scopes.
        ConcatAboveTop "concat-above-top" in "5.4":
            "the result of a concatenation is above the top in the step that follows";
        MovedStackLeft "moved-stack-left" in "5.4":
            "an open upvalue does not follow its stack when that moves, and keeps the value that its variable had";
        OverflowKept "overflow-kept" in "5.4":
            "a stack keeps the room that its overflow was handled in, and has none for the next one";
        DeadThreadLeftOpen "dead-thread-left-open" in "5.4":
            "a coroutine that is freed leaves its upvalues open";
        ClosedThreadLeftOpen "closed-thread-left-open" in "5.4":
            "coroutine.close leaves the upvalues of the coroutine open";
        CaughtLeftOpen "caught-left-open" in "5.4":
            "an error that is caught leaves the upvalues of the functions open that it has ended";
        BlockLeftOpen "block-left-open" in "5.4":
            "the end of a block, or a jump out of it, leaves the upvalues of its variables open";
        BlockNotClosed "block-not-closed" in "5.4":
            "the end of a block, or a jump out of it, does not close the variables that are to be closed";
        ReturnedNotKept "returned-not-kept" in "5.4":
            "what a function returns is above the top while its to-be-closed variables are closed";

        // Sweeping.
        DeadStringNotRevived "dead-string-not-revived" in "5.4":
            "an interned string that is dead and not swept is used again and stays dead";
        StringTableEntryKept "string-table-entry-kept" in "5.4":
            "a string that is freed stays in the string table";
        GrowthDropsStrings "growth-drops-strings" in "5.4":
            "strings that wait to be swept are lost when the string table grows";
        SweepStopsEarly "sweep-stops-early" in "5.4":
            "the last object of a list is not swept";
        BytesOff "bytes-off" in "5.4":
            "a change of the size of a table or a stack is not counted";
        SelfJoin "self-join" in "5.3":
            "an upvalue that is joined with itself is let go before it is held again", had by "Lua 5.3.5";
        CountKept "count-kept" in "5.3":
            "a closure that dies does not let its upvalues go";

        // Hooks.
        HooksWeak "hooks-weak" in "5.4":
            "the hook function of a thread is kept weakly";
        HooksHoarded "hooks-hoarded" in "5.4":
            "a thread that has a hook is never collected", had by "Lua 5.1 to 5.2.0";

        // Pacing.
        StringsUnpaid "strings-unpaid" in "5.4":
            "strings make no debt, so that a program which makes nothing else is never collected";
        ErrorsUnpaid "errors-unpaid" in "5.4":
            "an error makes its message without a safe point, so that a program which makes nothing else is never collected",
            had by "Lua 5.3.2 to 5.3.4";
        StepRestarts "step-restarts" in "5.4":
            "a step that the program asks for lets a stopped collector run on";
        EstimateKept "estimate-kept" in "5.4":
            "the estimate of what lives counts what the sweep has freed, so that each pause is longer than the one before";

        // Generational mode.
        Old1NotMarked "old1-not-marked" in "generational":
            "what became old in the last collection is not traversed once more";
        SurvivalsOld "survivals-old" in "generational":
            "a survival becomes old at once, without having been old1";
        Old0Skipped "old0-skipped" in "generational":
            "a forward barrier leaves the child of an old object young";
        Old0Old "old0-old" in "generational":
            "a forward barrier makes the child of an old object old at once";
        NotTouched "not-touched" in "generational":
            "a backward barrier leaves the age of an old table as it is";
        Touched1Dropped "touched1-dropped" in "generational":
            "a touched object becomes old in the next collection, while what it refers to is still young";
        Touched2Kept "touched2-kept" in "generational":
            "an object stays touched2 when it leaves the gray-again list, so that a barrier does not put it there again";
        WeakNotRelisted "weak-not-relisted" in "generational":
            "a touched weak table is on no list after a minor collection has cleared it";
        WeakTouchedBlack "weak-touched-black" in "generational":
            "a touched table with weak values is on no list after a minor collection that has nothing to clear in it";
        OldThreadDropped "old-thread-dropped" in "generational":
            "an old thread is traversed once and not in every collection";
        BoundariesLost "boundaries-lost" in "generational":
            "where the ages begin in a list is not corrected when an object leaves it";
        OldOpenUpvalueBlack "old-open-upvalue-black" in "generational":
            "a major collection makes open upvalues black";
        FinalizableStaysOld "finalizable-stays-old" in "generational":
            "objects with finalizers stay old and black when generational mode is left";
        SwitchInMidCycle "switch-in-mid-cycle" in "5.4":
            "generational mode begins in the middle of a cycle, whose black objects it takes for traversed";
        ClosingDropsOld "closing-drops-old" in "generational":
            "closing the state drops the finalizers of old objects";
        OldMarkedShort "old-marked-short" in "generational":
            "what became old is traversed once more only where survivals stand, not where finalized objects come in",
            had by "Lua 5.4.0";
        SweepBarrierWhitens "sweep-barrier-whitens" in "generational":
            "a forward barrier in a minor sweep makes its parent white, which the same sweep frees", had by "Lua 5.4.0";
        Old0Child "old0-child" in "generational":
            "a forward barrier makes only the child old, and not what it marks with it", had by "Lua 5.4.0 to 5.4.9 and 5.5.1";
        DeadThreadValueYoung "dead-thread-value-young" in "generational":
            "the value of an old open upvalue stays young when a dead thread is freed", had by "Lua 5.4.2 to 5.4.9 and 5.5.1";
        GenerationalLate "generational-late" in "5.4":
            "generational mode begins with the pause of incremental mode", had by "Lua 5.4.0 to 5.4.4";
        MinorLate "minor-late" in "generational":
            "the next minor collection waits for a hundred times the growth that it should";
        MajorNeverDue "major-never-due" in "generational":
            "growth is measured against what there is by then, so that no major collection is ever due";
    }

    impl Fault {
        /// Whether it is that one. What comes after this call is rare, so that a heap without a fault loses no time.
        #[cold]
        pub(crate) fn is(self, fault: Fault) -> bool {
            self == fault
        }

        /// The site whose barrier is not called.
        pub(in crate::gc) fn skipped_site(self) -> Option<Site> {
            Some(match self {
                Fault::NoBarrierTableStore => Site::TableStore,
                Fault::NoBarrierTableKey => Site::TableKey,
                Fault::NoBarrierTableList => Site::TableList,
                Fault::NoBarrierTableMetatable => Site::TableMetatable,
                Fault::NoBarrierUpvalueStore | Fault::NoBarrierCountedStore => Site::UpvalueStore,
                Fault::NoBarrierSetupvalue => Site::Setupvalue,
                Fault::NoBarrierUpvaluejoin | Fault::NoBarrierJoinedValue => Site::Upvaluejoin,
                Fault::NoBarrierUpvalueClose | Fault::NoBarrierCountedClose => Site::UpvalueClose,
                Fault::NoBarrierClosureFresh => Site::ClosureFresh,
                Fault::NoBarrierChunkEnvironment => Site::ChunkEnvironment,
                Fault::NoBarrierPrototypeSource => Site::PrototypeSource,
                Fault::NoBarrierPrototypeConstant => Site::PrototypeConstant,
                Fault::NoBarrierPrototypeNested => Site::PrototypeNested,
                Fault::NoBarrierPrototypeUpvalueName => Site::PrototypeUpvalueName,
                Fault::NoBarrierPrototypeLocalName => Site::PrototypeLocalName,
                Fault::NoBarrierNativeUpvalue => Site::NativeUpvalue,
                Fault::NoBarrierUserdataMetatable => Site::UserdataMetatable,
                _ => return None,
            })
        }
    }

    impl fmt::Display for Fault {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.name())
        }
    }

    /// A name that no fault has.
    #[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
    #[error("unknown fault '{0}' (moonphase faults --list names them)")]
    pub struct UnknownFault(pub String);

    impl FromStr for Fault {
        type Err = UnknownFault;

        fn from_str(text: &str) -> Result<Self, Self::Err> {
            let found = Fault::ALL.iter().find(|fault| fault.name() == text);
            found.copied().ok_or_else(|| UnknownFault(text.to_owned()))
        }
    }
}
