//! The operations that a script is made of, as plain data.
//!
//! One table, [`operations!`], lists their kinds; the generator, the mutator, the statistics and the tests all go
//! through it, and it says what a kind needs of a language. What the operations consist of, and what they look like in Lua, is in [`payload`](super::payload).

use std::fmt;
use std::str::FromStr;

use arbitrary::Unstructured;
use mutatis::{Candidates, Mutate, mutators};
use serde::{Deserialize, Serialize};

use super::*;
use crate::language::{Feature, Language};

macro_rules! operations {
    ($($kind:ident $name:literal $weight:literal $([$($need:ident),*])?),* $(,)?) => {
        /// One operation of a script.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each variant is documented at the type of the same name")]
        pub enum Operation {
            $($kind($kind)),*
        }

        /// The kind of an operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each variant is documented at the operation of the same name")]
        pub enum OpKind {
            $($kind),*
        }

        impl OpKind {
            /// Every kind.
            pub const ALL: &'static [OpKind] = &[$(OpKind::$kind),*];

            /// The name of the kind, as options and statistics write it.
            pub fn name(self) -> &'static str {
                match self {
                    $(OpKind::$kind => $name),*
                }
            }

            /// How often the generator draws this kind, compared with the others, once it has objects to work on.
            pub(super) fn weight(self) -> u32 {
                match self {
                    $(OpKind::$kind => $weight),*
                }
            }

            /// What a language must have to say operations of this kind. What only some operations of a kind need, fixup
            /// replaces.
            fn needs(self) -> &'static [Feature] {
                match self {
                    $(OpKind::$kind => &[$($(Feature::$need),*)?]),*
                }
            }

            /// An operation of this kind from entropy; its block is empty, and it needs fixup.
            pub(super) fn draw(self, u: &mut Unstructured<'_>) -> arbitrary::Result<Operation> {
                Ok(match self {
                    $(OpKind::$kind => Operation::$kind(u.arbitrary()?)),*
                })
            }
        }

        impl Operation {
            /// The kind of the operation.
            pub fn kind(&self) -> OpKind {
                match self {
                    $(Operation::$kind(_) => OpKind::$kind),*
                }
            }
        }

        /// Mutates the fields of an operation; its kind and its block stay.
        #[derive(Clone, Copy, Debug, Default)]
        pub struct OperationMutator;

        impl Mutate<Operation> for OperationMutator {
            fn mutate(&mut self, candidates: &mut Candidates<'_>, operation: &mut Operation) -> mutatis::Result<()> {
                match operation {
                    $(Operation::$kind(fields) => mutators::default::<$kind>().mutate(candidates, fields)),*
                }
            }
        }
    };
}

operations! {
    NewTable "table" 20,
    NewWeakTable "weak-table" 12,
    NewList "list" 6,
    NewScope "scope" 34,
    ClosedScope "closed-scope" 24,
    CoroutineScope "coroutine-scope" 12,
    LoadFunction "load-function" 6,
    NewFactory "factory" 8,
    Instantiate "instantiate" 14,
    CallMaker "call-maker" 12,
    PickFunction "pick-function" 6,
    NewModule "module" 12,
    Reload "reload" 26,
    HotFix "hot-fix" 14,
    NewCoroutine "coroutine" 12,
    Resume "resume" 14,
    CloseCoroutine "close-coroutine" 4 [CoroutineClose],
    Yield "yield" 14,
    SetField "set-field" 22,
    SetKey "set-key" 8,
    Append "append" 12,
    TableCall "table-call" 8,
    SetMetatable "set-metatable" 12,
    ShareMetatable "share-metatable" 5,
    NewFinalizable "finalizable" 14,
    FinalizeMany "finalize-many" 4,
    EphemeronChain "ephemeron-chain" 8,
    MoveObject "move" 10,
    Release "release" 5,
    SetUpvalue "set-upvalue" 60,
    UpvalueJoin "upvalue-join" 40 [UpvalueJoin],
    CopyUpvalue "copy-upvalue" 14,
    Call "call" 24,
    Show "show" 12,
    ShowCall "show-call" 14,
    ShowUpvalue "show-upvalue" 10,
    ShowField "show-field" 8,
    CompareUpvalues "compare-upvalues" 8 [UpvalueJoin],
    Step "step" 90,
    FullCollection "full-collection" 6,
    StopCollector "stop" 4,
    RestartCollector "restart" 4,
    ShowRunning "is-running" 4 [IsRunning],
    SetPace "set-pace" 6,
    SetGenerational "generational" 4 [Modes],
    CountWeak "count-weak" 4,
    CountFinalized "count-finalized" 4,
    ForgetSaved "forget-saved" 2,
    Loop "loop" 6,
    Protected "protected" 6,
    Throw "throw" 5,
    Garbage "garbage" 8,
    Strings "strings" 4,
    RebuildStrings "rebuild-strings" 5,
    DeepCall "deep-call" 3,
    CloseVariable "close-variable" 4 [Attributes],
    LoadChunk "load-chunk" 5,
    CallTable "call-table" 4,
    SetTypeMetatable "type-metatable" 4,
    ShowType "show-type" 4,
    Mix "mix" 13,
    SuspendedScope "suspended-scope" 14,
    MisplacedResume "misplaced-resume" 4,
    Callback "callback" 14,
    HookedCall "hooked-call" 5,
    Tower "tower" 6,
    PendingClose "pending-close" 3 [Attributes],
    EndObject "end-object" 4,
    Exit "exit" 1,
    DebugProbe "debug-probe" 5,
    ReadFunction "read-function" 3,
    CopyFunction "copy-function" 5,
    ChangeWeakness "change-weakness" 10,
    SetLongKey "set-long-key" 5,
    EmptyTable "empty-table" 4,
    GrowTable "grow-table" 5,
    InternStrings "intern-strings" 2,
    SwitchMode "switch-mode" 5 [Modes],
    LateField "late-field" 5,
    SetNativeUpvalue "set-native-upvalue" 3 [NativeUpvalues],
    DropCoroutine "drop-coroutine" 6,
    RuntimeErrors "runtime-errors" 2,
    FinalizeNested "finalize-nested" 4,
    ReuseFailed "reuse-failed" 6,
    AttributedLocal "attributed-local" 6 [Attributes, Load],
}

/// The numbers of an operation that say how much of something there is.
macro_rules! counts {
    ($operation:expr) => {
        match $operation {
            Operation::Step(Step { times: count, .. })
            | Operation::Loop(Loop { times: count, .. })
            | Operation::Garbage(Garbage { count, .. })
            | Operation::Strings(Strings { count, .. })
            | Operation::RebuildStrings(RebuildStrings { count, .. })
            | Operation::Mix(Mix { rounds: count, .. })
            | Operation::ReadFunction(ReadFunction { reader: Reader { steps: count, .. }, .. })
            | Operation::ChangeWeakness(ChangeWeakness { change: WeaknessChange::Bare(count), .. })
            | Operation::EmptyTable(EmptyTable { steps: count, .. })
            | Operation::SwitchMode(SwitchMode { steps: count, .. })
            | Operation::LateField(LateField { steps: count, .. })
            | Operation::SetNativeUpvalue(SetNativeUpvalue { times: count, .. })
            | Operation::RuntimeErrors(RuntimeErrors { hundreds: count })
            | Operation::EphemeronChain(EphemeronChain { links: count, .. })
            | Operation::ClosedScope(ClosedScope { steps: count, .. })
            | Operation::CoroutineScope(CoroutineScope { yields: count, .. })
            | Operation::SuspendedScope(SuspendedScope { steps: count, .. })
            | Operation::MisplacedResume(MisplacedResume { steps: count, .. })
            | Operation::HookedCall(HookedCall { steps: count, .. })
            | Operation::ReuseFailed(ReuseFailed { steps: count, .. })
            | Operation::AttributedLocal(AttributedLocal { steps: count, .. }) => vec![count],
            Operation::NewList(NewList { before, steps, after, .. }) => vec![before, steps, after],
            Operation::FinalizeMany(FinalizeMany { count, steps, swept }) => {
                [count, steps].into_iter().chain(swept).collect()
            }
            Operation::DeepCall(DeepCall { depth: height, steps })
            | Operation::Tower(Tower { of: _, height, steps, watched: _ }) => vec![height, steps],
            Operation::GrowTable(GrowTable { count, steps, .. })
            | Operation::InternStrings(InternStrings { hundreds: count, steps })
            | Operation::FinalizeNested(FinalizeNested { rounds: count, steps, .. }) => vec![count, steps],
            Operation::LoadFunction(LoadFunction { parts, steps, .. }) => vec![parts, steps],
            _ => Vec::new(),
        }
    };
}

impl OpKind {
    /// Whether a language can say operations of this kind.
    pub fn is_in(self, language: &Language) -> bool {
        self.needs().iter().all(|&feature| language.has(feature))
    }
}

impl Operation {
    /// The block inside the operation, if it has one.
    pub fn block(&self) -> Option<&Block> {
        match self {
            Operation::NewCoroutine(operation) => Some(&operation.body),
            Operation::Loop(operation) => Some(&operation.body),
            Operation::Protected(operation) => Some(&operation.body),
            Operation::Callback(operation) => Some(&operation.body),
            _ => None,
        }
    }

    /// The block inside the operation, if it has one.
    pub fn block_mut(&mut self) -> Option<&mut Block> {
        match self {
            Operation::NewCoroutine(operation) => Some(&mut operation.body),
            Operation::Loop(operation) => Some(&mut operation.body),
            Operation::Protected(operation) => Some(&mut operation.body),
            Operation::Callback(operation) => Some(&mut operation.body),
            _ => None,
        }
    }
}

impl Operation {
    /// How much there is of what the operation makes or repeats.
    pub(super) fn counts(&self) -> Vec<&u8> {
        counts!(self)
    }

    /// The numbers that [`counts`](Self::counts) gives.
    pub(super) fn counts_mut(&mut self) -> Vec<&mut u8> {
        counts!(self)
    }

    /// The locals and the functions that capture them, if the operation is a scope of some kind.
    pub(super) fn scope_mut(&mut self) -> Option<(&mut Vec<Value>, &mut Vec<NewFunction>)> {
        match self {
            Operation::NewScope(NewScope { locals, functions, .. })
            | Operation::ClosedScope(ClosedScope { locals, functions, .. })
            | Operation::CoroutineScope(CoroutineScope { locals, functions, .. })
            | Operation::SuspendedScope(SuspendedScope { locals, functions, .. })
            | Operation::NewModule(NewModule { locals, functions, .. }) => Some((locals, functions)),
            _ => None,
        }
    }
}

impl fmt::Display for OpKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is not one of [`OpKind::ALL`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of operation '{0}'")]
pub struct UnknownKind(String);

impl FromStr for OpKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        OpKind::ALL.iter().copied().find(|kind| kind.name() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}
