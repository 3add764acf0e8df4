//! The operations that a script is made of, as plain data.
//!
//! One table, [`operations!`], lists their kinds; the generator, the mutator, the statistics and the tests all go
//! through it. What an operation looks like in Lua is shown at its type.

use std::fmt;
use std::str::FromStr;

use arbitrary::{Arbitrary, Unstructured};
use mutatis::{Candidates, Mutate, mutators};
use serde::{Deserialize, Serialize};

use super::encode::nested_block;
use super::{
    Block, Body, CoroutineId, FactoryId, FunctionId, Key, ModuleId, NewFunction, Object, Place, TableId, Value, several,
};

macro_rules! operations {
    ($($kind:ident $name:literal $weight:literal),* $(,)?) => {
        /// One operation of a script.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each variant is documented at the type of the same name")]
        pub enum Operation {
            $($kind($kind)),*
        }

        /// The kind of an operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    NewWeakTable "weak-table" 6,
    NewScope "scope" 34,
    NewFactory "factory" 8,
    Instantiate "instantiate" 14,
    CallMaker "call-maker" 12,
    PickFunction "pick-function" 6,
    NewModule "module" 12,
    Reload "reload" 26,
    HotFix "hot-fix" 14,
    NewCoroutine "coroutine" 12,
    Resume "resume" 14,
    CloseCoroutine "close-coroutine" 4,
    Yield "yield" 14,
    SetField "set-field" 22,
    SetKey "set-key" 8,
    Append "append" 12,
    TableCall "table-call" 8,
    SetMetatable "set-metatable" 12,
    ShareMetatable "share-metatable" 5,
    NewFinalizable "finalizable" 6,
    MoveObject "move" 10,
    Release "release" 5,
    SetUpvalue "set-upvalue" 60,
    UpvalueJoin "upvalue-join" 40,
    Call "call" 24,
    Show "show" 12,
    ShowCall "show-call" 14,
    ShowUpvalue "show-upvalue" 10,
    ShowField "show-field" 8,
    CompareUpvalues "compare-upvalues" 8,
    Step "step" 90,
    FullCollection "full-collection" 6,
    StopCollector "stop" 4,
    RestartCollector "restart" 4,
    ShowRunning "is-running" 4,
    SetPace "set-pace" 3,
    CountWeak "count-weak" 4,
    CountFinalized "count-finalized" 4,
    ForgetSaved "forget-saved" 3,
    Loop "loop" 6,
    Protected "protected" 6,
    Throw "throw" 5,
    Garbage "garbage" 8,
    Strings "strings" 4,
    CloseVariable "close-variable" 4,
    LoadChunk "load-chunk" 5,
    CallTable "call-table" 4,
}

impl Operation {
    /// The block inside the operation, if it has one.
    pub fn block(&self) -> Option<&Block> {
        match self {
            Operation::NewCoroutine(operation) => Some(&operation.body),
            Operation::Loop(operation) => Some(&operation.body),
            Operation::Protected(operation) => Some(&operation.body),
            _ => None,
        }
    }

    /// The block inside the operation, if it has one.
    pub fn block_mut(&mut self) -> Option<&mut Block> {
        match self {
            Operation::NewCoroutine(operation) => Some(&mut operation.body),
            Operation::Loop(operation) => Some(&mut operation.body),
            Operation::Protected(operation) => Some(&mut operation.body),
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

macro_rules! payloads {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
        #[mutatis(generate = false)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type),*
        }
    )*};
}

payloads! {
    /// `local t1 = { {}, "s1" }`
    NewTable {
        /// The variable.
        id: TableId,
        /// Where it lives.
        place: Place,
        /// The list items.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 0, 2))]
        items: Vec<Value>,
    }

    /// `local t1 = setmetatable({}, { __mode = "k" })`
    NewWeakTable {
        /// The variable.
        id: TableId,
        /// Where it lives.
        place: Place,
        /// What is weak.
        weakness: Weakness,
    }

    /// Locals and the functions that capture them: functions of one scope share its upvalues.
    NewScope {
        /// Whether the locals stay in scope, so that their upvalues stay open, or are closed by an `end` at once.
        #[arbitrary(with = |u: &mut Unstructured<'_>| Ok(u.arbitrary::<u8>()?.is_multiple_of(4)))]
        open: bool,
        /// The initial values of the locals.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 2))]
        locals: Vec<Value>,
        /// The functions.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 3))]
        functions: Vec<NewFunction>,
    }

    /// `local function make1(a, b) return function() return a end, function(v) b = v end end`
    NewFactory {
        /// The variable, always local.
        id: FactoryId,
        /// The number of parameters, which the functions capture.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=2))]
        parameters: u8,
        /// The functions.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 2))]
        functions: Vec<Body>,
    }

    /// `f1, f2 = make1({}, 5)`: closures of the same prototypes with other upvalues.
    Instantiate {
        /// The factory.
        factory: FactoryId,
        /// What its parameters get.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 3))]
        arguments: Vec<Value>,
        /// The variables of the functions.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 3))]
        functions: Vec<Target>,
    }

    /// `local f2 = f1()`, where `f1` returns a new closure.
    CallMaker {
        /// The variable of the new closure.
        id: FunctionId,
        /// Where it lives.
        place: Place,
        /// The function that makes it.
        maker: FunctionId,
        /// The argument.
        argument: Value,
    }

    /// `local f2 = pick(t1.a, f1)`: whatever Lua function is found in a field, or else `f1`.
    PickFunction {
        /// The variable.
        id: FunctionId,
        /// Where it lives.
        place: Place,
        /// The table.
        table: TableId,
        /// The field.
        key: Key,
        /// What to take when the field holds no function with upvalues.
        otherwise: FunctionId,
    }

    /// A module: a chunk in `package.preload` with state and functions, and the first `require` of it.
    NewModule {
        /// The variable, always local.
        id: ModuleId,
        /// Whether the chunk is text that is compiled anew by `load`, or a function.
        text: bool,
        /// The initial values of its locals.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 2))]
        locals: Vec<Value>,
        /// Its functions.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 3))]
        functions: Vec<NewFunction>,
    }

    /// One reload: runs the chunk of a module again and carries over the state as `keep` says.
    Reload {
        /// The module.
        module: ModuleId,
        /// What happens with the state.
        keep: Keep,
        /// Whether the new functions are put into the old table of the module.
        in_place: bool,
    }

    /// A new function that gets upvalues of an old one, and may want more than the old one has.
    HotFix {
        /// The variable of the new function.
        id: FunctionId,
        /// Where it lives.
        place: Place,
        /// The function that it fixes.
        old: FunctionId,
        /// The locals that the new function may capture, and where their state comes from.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 3))]
        locals: Vec<FixLocal>,
        /// What it does.
        body: Body,
        /// Whether kept upvalues are shared with the old function, or only their values are taken over.
        share: bool,
        /// Whether the new function takes the place of the old one.
        replace: bool,
    }

    /// `local co1 = coroutine.create(function(v) … end)`
    NewCoroutine {
        /// The variable.
        id: CoroutineId,
        /// Where it lives.
        place: Place,
        /// Whether it is wrapped.
        wrapped: bool,
        /// What it does.
        #[arbitrary(default)]
        #[mutatis(ignore)]
        #[serde(deserialize_with = "nested_block")]
        body: Block,
    }

    /// Resumes a coroutine and prints what it yields or returns.
    Resume {
        /// The coroutine.
        coroutine: CoroutineId,
        /// What it gets.
        argument: Value,
    }

    /// `coroutine.close(co1)`
    CloseCoroutine {
        /// The coroutine.
        coroutine: CoroutineId,
    }

    /// `coroutine.yield({})`
    Yield {
        /// What is yielded.
        value: Value,
    }

    /// `t1.a = {}`, or the same with `rawset`
    SetField {
        /// The table.
        table: TableId,
        /// The field.
        key: Key,
        /// The new value.
        value: Value,
        /// Whether to bypass metamethods.
        raw: bool,
    }

    /// `t1[{}] = "s1"`: an object as key.
    SetKey {
        /// The table.
        table: TableId,
        /// The key.
        key: Value,
        /// The new value.
        value: Value,
    }

    /// `t1[#t1 + 1] = {}`
    Append {
        /// The table.
        table: TableId,
        /// The item.
        value: Value,
    }

    /// A call of the table library.
    TableCall {
        /// The table.
        table: TableId,
        /// Which function.
        call: TableFunction,
    }

    /// `setmetatable(t1, { __index = t2 })`
    SetMetatable {
        /// The table.
        table: TableId,
        /// `__index`
        index: Index,
        /// `__newindex`: a function that stores by `rawset`.
        newindex: bool,
        /// `__call`
        call: Option<FunctionId>,
        /// `__gc`: counts itself, and raises an error if this is `Some(true)`.
        gc: Option<bool>,
    }

    /// `setmetatable(t2, getmetatable(t1))`
    ShareMetatable {
        /// The table.
        table: TableId,
        /// Whose metatable it gets.
        from: TableId,
    }

    /// `t1.a = setmetatable({ id = 1 }, { __gc = … })`: an object for the finalizer, without a variable of its own.
    NewFinalizable {
        /// The table that holds it; without one it is garbage at once.
        table: Option<TableId>,
        /// The field that holds it.
        key: Key,
        /// Whether the finalizer makes it reachable again.
        resurrect: bool,
    }

    /// `t1.f1, f1 = f1, nil`: changes where a variable lives.
    MoveObject {
        /// The variable.
        object: Object,
        /// Where it goes.
        place: Place,
    }

    /// `f1 = nil`: the script does not use the variable any more.
    Release {
        /// The variable.
        object: Object,
    }

    /// `debug.setupvalue(f1, 1, {})`
    SetUpvalue {
        /// The function.
        function: FunctionId,
        /// The upvalue's number.
        upvalue: u8,
        /// The new value.
        value: Value,
    }

    /// `debug.upvaluejoin(f1, 1, f2, 1)`
    UpvalueJoin {
        /// The function that changes.
        function: FunctionId,
        /// Its upvalue's number.
        upvalue: u8,
        /// The function whose upvalue it gets.
        from: FunctionId,
        /// The number of that upvalue.
        from_upvalue: u8,
    }

    /// `f1({})`, or `t1.a = f1({})`
    Call {
        /// The function.
        function: FunctionId,
        /// The argument.
        argument: Value,
        /// Where the result goes.
        result: Option<(TableId, Key)>,
    }

    /// Prints the deep content of a table, or of the upvalues of a function.
    Show {
        /// What to print.
        object: Object,
    }

    /// Prints what a call returns.
    ShowCall {
        /// The function.
        function: FunctionId,
        /// The argument.
        argument: Value,
    }

    /// Prints name and content of an upvalue.
    ShowUpvalue {
        /// The function.
        function: FunctionId,
        /// The upvalue's number.
        upvalue: u8,
    }

    /// Prints a field of a table.
    ShowField {
        /// The table.
        table: TableId,
        /// The field.
        key: Key,
    }

    /// `print(debug.upvalueid(f1, 1) == debug.upvalueid(f2, 1))`
    CompareUpvalues {
        /// A function.
        function: FunctionId,
        /// Its upvalue's number.
        upvalue: u8,
        /// Another function.
        other: FunctionId,
        /// Its upvalue's number.
        other_upvalue: u8,
    }

    /// `collectgarbage("step", 0)`, as often as given.
    Step {
        /// The size: 0 for one turn of the collector at the smallest step size, else kilobytes.
        #[arbitrary(with = |u: &mut Unstructured<'_>| Ok(u.arbitrary::<u8>()?.saturating_sub(230) / 4))]
        size: u8,
        /// How many such steps, one after the other.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=40))]
        times: u8,
    }

    /// `collectgarbage()`
    FullCollection {}

    /// `collectgarbage("stop")`: the collector then moves by explicit steps only.
    StopCollector {}

    /// `collectgarbage("restart")`
    RestartCollector {}

    /// `print(collectgarbage("isrunning"))`
    ShowRunning {}

    /// `collectgarbage("incremental", 100, 100, 1)`
    SetPace {
        /// How long to wait between cycles, in percent.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[50, 100, 100, 200]).copied())]
        pause: u16,
        /// How fast to mark, in percent of allocation.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[4, 40, 100, 100, 100, 400]).copied())]
        multiplier: u16,
        /// The size of a step, as the logarithm of bytes.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[1, 1, 1, 4, 7]).copied())]
        size: u8,
    }

    /// Prints how many entries of a weak table survive full collections.
    CountWeak {
        /// The table.
        table: TableId,
    }

    /// Prints how many finalizers ran, after full collections.
    CountFinalized {}

    /// Drops the objects that finalizers made reachable again.
    ForgetSaved {}

    /// `for _ = 1, 3 do … end`
    Loop {
        /// How often.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(2..=4))]
        times: u8,
        /// What is repeated.
        #[arbitrary(default)]
        #[mutatis(ignore)]
        #[serde(deserialize_with = "nested_block")]
        body: Block,
    }

    /// `report(pcall(function() … end))`
    Protected {
        /// Whether it is `xpcall` with a message handler.
        handler: bool,
        /// What is protected.
        #[arbitrary(default)]
        #[mutatis(ignore)]
        #[serde(deserialize_with = "nested_block")]
        body: Block,
    }

    /// Raises an error; only where something catches it.
    Throw {
        /// Which error.
        error: Error,
    }

    /// Makes garbage.
    Garbage {
        /// What kind of object.
        kind: GarbageKind,
        /// How many.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=8))]
        count: u8,
    }

    /// Builds strings and prints the result.
    Strings {
        /// How they are built.
        build: StringBuild,
        /// How many parts.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=8))]
        count: u8,
    }

    /// A block with a to-be-closed variable, whose `__close` stores into a table.
    CloseVariable {
        /// The table.
        table: TableId,
        /// The field.
        key: Key,
        /// What is stored.
        value: Value,
    }

    /// Runs a chunk of text with a table as its environment, or sets that environment afterwards.
    LoadChunk {
        /// The environment.
        table: TableId,
        /// The field that the chunk writes.
        key: Key,
        /// The field that the chunk reads.
        other: Key,
        /// Whether the environment is given by `setupvalue` instead of by `load`.
        set: bool,
    }

    /// Calls a table, which may have `__call`.
    CallTable {
        /// The table.
        table: TableId,
        /// The argument.
        argument: Value,
    }
}

/// The longest burst of steps: longer than the generator makes them, since reductions merge bursts.
pub(super) const MAX_STEPS: u8 = 250;

/// Which references of a weak table are weak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Weakness {
    /// `"k"`: an ephemeron table.
    Keys,
    /// `"v"`
    #[default]
    Values,
    /// `"kv"`
    Both,
}

/// A variable that a function is assigned to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub struct Target {
    /// The variable.
    pub id: FunctionId,
    /// Where it lives.
    pub place: Place,
}

/// What a reload does with the state of the old module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Keep {
    /// The new functions get the upvalues of the old ones, by `upvaluejoin`.
    #[default]
    Join,
    /// The new functions get the values of the old upvalues, by `setupvalue`.
    Copy,
    /// The old functions get the upvalues of the new ones, by `upvaluejoin`.
    JoinOld,
    /// The old state is lost to the new functions.
    Nothing,
}

/// A local that a hot fix may capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum FixLocal {
    /// The state of the old function's upvalue with this number.
    Old(u8),
    /// State that the old function lacks.
    Own(Value),
}

/// A call of the table library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum TableFunction {
    /// `table.insert(t, 1, v)`
    Insert(Value),
    /// `table.remove(t)`
    Remove,
    /// `table.move(other, 1, #other, #t + 1, t)`
    Move(TableId),
    /// `t.a = table.pack(table.unpack(t))`
    Repack(Key),
}

/// `__index` of a metatable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Index {
    /// None.
    #[default]
    None,
    /// A table that is older than the one it serves, so that chains end.
    Table(TableId),
    /// A function that returns a fresh table.
    Function,
}

/// An error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Error {
    /// `error(v, 0)`
    Value(Value),
    /// `error("…")`, with the position in front.
    Positioned(u8),
    /// Indexing `nil`.
    Index,
    /// Arithmetic on a table.
    Arithmetic,
    /// Calling `nil`.
    Call,
}

/// A kind of garbage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum GarbageKind {
    /// Tables that refer to each other.
    Tables,
    /// Strings.
    Strings,
    /// Closures with upvalues.
    Closures,
    /// Coroutines that are never resumed.
    Coroutines,
}

/// A way to build strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum StringBuild {
    /// Repeated concatenation.
    Concatenate,
    /// `table.concat`
    Join,
    /// `string.format` and `gsub`
    Format,
    /// `gmatch`, whose iterator is a native closure.
    Split,
}
