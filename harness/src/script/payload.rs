//! What operations consist of, as plain data; the text of each in Lua stands at its type.

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::encode::nested_block;
use super::{
    Block, Body, CoroutineId, FactoryId, FunctionId, Key, ModuleId, NewFunction, Object, Place, TableId, Value, several,
};

/// The longest burst of steps: longer than the generator makes them, since reductions merge bursts.
pub(super) const MAX_STEPS: u8 = 250;

/// The most rounds of a [`Mix`], each of which stores some hundred times.
pub(super) const MAX_MIX: u8 = 6;

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
pub(super) use payloads;

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
        /// Whether that may change.
        changes: bool,
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

    /// Locals and the functions that capture them, like a scope; steps and a last assignment follow while the upvalues
    /// are open, then they are closed in one of many ways.
    ClosedScope {
        /// How the upvalues are closed.
        closing: Closing,
        /// The initial values of the locals.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 2))]
        locals: Vec<Value>,
        /// The functions.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 3))]
        functions: Vec<NewFunction>,
        /// How many steps there are while the upvalues are open.
        #[arbitrary(with = burst)]
        steps: u8,
        /// What the first local gets last, on the stack.
        value: Value,
        /// A function, and an upvalue of it, that is joined to the first local while that is open.
        #[arbitrary(with = |u: &mut Unstructured<'_>| {
            Ok(if u.arbitrary::<u8>()?.is_multiple_of(3) { Some(u.arbitrary()?) } else { None })
        })]
        joined: Option<(FunctionId, u8)>,
    }

    /// Locals of a coroutine and the functions that capture them. The coroutine is suspended while the upvalues are open,
    /// and gives its first local another value each time it is resumed.
    CoroutineScope {
        /// The variable of the coroutine.
        id: CoroutineId,
        /// Where it lives.
        place: Place,
        /// Whether it is wrapped.
        wrapped: bool,
        /// The initial values of the locals.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 2))]
        locals: Vec<Value>,
        /// The functions.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 3))]
        functions: Vec<NewFunction>,
        /// How often it yields.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=4))]
        yields: u8,
        /// Whether it ends by an error.
        fails: bool,
    }

    /// A function from text that is loaded piece by piece, with steps between the pieces.
    LoadFunction {
        /// The variable.
        id: FunctionId,
        /// Where it lives.
        place: Place,
        /// The initial values of the locals that it may capture.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 2))]
        locals: Vec<Value>,
        /// What it does.
        body: Body,
        /// How many more functions, each with constants and an upvalue, the text has.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(0..=6))]
        parts: u8,
        /// How many steps there are at each piece.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(0..=12))]
        steps: u8,
        /// The environment; without one it is that of the script.
        environment: Option<TableId>,
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

    /// `t1.a = setmetatable({ {} }, { __gc = … })`: an object for the finalizer, without a variable of its own.
    NewFinalizable {
        /// The table that holds it; without one it is garbage at once.
        table: Option<TableId>,
        /// The field that holds it.
        key: Key,
        /// Whether it is a key of the table, rather than in a field.
        as_key: bool,
        /// What the object itself holds.
        content: Value,
        /// What its finalizer does.
        finalizer: Finalizer,
    }

    /// Makes many objects, then gives all of them a finalizer at one moment of a cycle.
    FinalizeMany {
        /// How many. A step sweeps 100 objects.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=200))]
        count: u8,
        /// How many steps there are in between.
        #[arbitrary(with = burst)]
        steps: u8,
        /// If given, marking goes on to its end after that, and so many steps of the sweep follow.
        #[arbitrary(with = |u: &mut Unstructured<'_>| {
            u.arbitrary::<bool>()?.then(|| u.int_in_range(0..=3)).transpose()
        })]
        swept: Option<u8>,
    }

    /// `t1[keys[i]] = keys[i + 1]`: a chain from key to value through tables with weak keys.
    EphemeronChain {
        /// The tables, by turns.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 3))]
        tables: Vec<TableId>,
        /// How many entries there are.
        #[arbitrary(with = |u: &mut Unstructured<'_>| {
            let long = u.arbitrary::<u8>()?.is_multiple_of(4);
            u.int_in_range(if long { 9..=50 } else { 1..=8 })
        })]
        links: u8,
        /// Whether the last link is made first.
        backward: bool,
        /// Who holds the first key.
        holder: Holder,
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

    /// `t1.a = select(2, debug.getupvalue(f1, 1))`: what an upvalue holds gets another holder.
    CopyUpvalue {
        /// The function.
        function: FunctionId,
        /// The upvalue's number.
        upvalue: u8,
        /// The table.
        table: TableId,
        /// The field.
        key: Key,
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

    /// Prints the content of an upvalue.
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

    /// `collectgarbage("generational", 5, 100)`
    SetGenerational {
        /// How much the heap may grow before a young collection, in percent.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[1, 1, 5, 20]).copied())]
        minor: u8,
        /// How much it may grow before a major one, in percent.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[4, 20, 100, 100]).copied())]
        major: u16,
    }

    /// Prints how many entries of a weak table survive full collections.
    CountWeak {
        /// The table.
        table: TableId,
    }

    /// Prints how many finalizers ran and what they left behind, after full collections.
    CountFinalized {}

    /// Drops the objects that finalizers made reachable again, after full collections.
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
        /// Whether the block is a function that returns objects.
        returned: bool,
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

    /// `local t1 = { {}, {}, steps(9), {} }`: a constructor with many items, and steps between them.
    NewList {
        /// The variable.
        id: TableId,
        /// Where it lives.
        place: Place,
        /// How many tables come before the steps. A constructor stores 50 items at a time.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[0, 0, 1, 3, 48, 49, 50, 51]).copied())]
        before: u8,
        /// How many steps.
        #[arbitrary(with = burst)]
        steps: u8,
        /// How many tables come after them.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[1, 2, 8, 50, 60]).copied())]
        after: u8,
    }

    /// `t1.a = "k" .. i % 3` again and again, a step each time: strings die and are built again in mid-cycle.
    RebuildStrings {
        /// The table.
        table: TableId,
        /// The field.
        key: Key,
        /// Whether the strings are keys that come and go, rather than values of the field.
        as_key: bool,
        /// How often.
        #[arbitrary(with = burst)]
        count: u8,
    }

    /// Calls a variadic function that calls itself, with steps at the bottom.
    DeepCall {
        /// How deep.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=40))]
        depth: u8,
        /// How many steps.
        #[arbitrary(with = burst)]
        steps: u8,
    }

    /// `debug.setmetatable(0, { a = {}, __call = f1 })`: a metatable for all values of a basic type.
    SetTypeMetatable {
        /// The type.
        of: BasicType,
        /// The field `a`.
        value: Value,
        /// `__index`; that of strings stays.
        index: Index,
        /// `__call`
        call: Option<FunctionId>,
        /// Whether the metatable is taken away instead; that of strings stays.
        #[arbitrary(with = |u: &mut Unstructured<'_>| Ok(u.arbitrary::<u8>()?.is_multiple_of(4)))]
        clear: bool,
    }

    /// Prints what the metatable of a basic type does.
    ShowType {
        /// The type.
        of: BasicType,
        /// How it is used.
        usage: TypeUsage,
    }

    /// Stores values of every kind at every site, into holders of every kind, and shows nothing of it: what it is for are
    /// the colours that stores meet.
    Mix {
        /// How often.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=MAX_MIX))]
        rounds: u8,
        /// Which pairs of holders and values come first.
        start: u8,
    }
}

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

/// A burst of steps: none, a few, or as many as a phase of a cycle may take.
pub(super) fn burst(u: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    Ok(match u.arbitrary::<u8>()? {
        byte @ 0..128 => byte / 16,
        byte => (byte - 128) / 3,
    })
}

/// How the upvalues of a scope are closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Mutate)]
pub enum Closing {
    /// The end of a block, at which a local was captured again and again by closures that died.
    #[default]
    Recaptured,
    /// Each turn of a loop.
    Loop,
    /// A `goto continue` in the first turn of a loop.
    Goto,
    /// A `goto` backward, out of the block, twice.
    Backward,
    /// A `break` out of a loop, through a to-be-closed variable.
    Break,
    /// A `return` through a to-be-closed variable.
    ReturnGuard,
    /// The end of a block with a to-be-closed variable, whose `__close` assigns the local.
    Guard,
    /// The return of the function, whose locals come from its variable arguments.
    Return,
    /// An error that a `pcall` catches.
    Error,
    /// Nothing: the coroutine is suspended and never resumed, so that closing is the collector's work.
    Dropped,
    /// Nothing: the coroutine assigns the local after it was resumed, and then is garbage.
    Abandoned,
    /// Nothing: the coroutine ends by an error and stays as it is.
    Failed,
    /// An error that ends the coroutine of a `coroutine.wrap`.
    Wrapped,
    /// `coroutine.close`
    Killed,
    /// The body of a generic `for` with a to-be-closed value is left. What comes after the loop uses its registers again.
    For(Leave, After),
}

impl<'a> Arbitrary<'a> for Closing {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(match u.arbitrary::<u8>()? % 20 {
            0 => Closing::Recaptured,
            1 => Closing::Loop,
            2 => Closing::Goto,
            3 => Closing::Backward,
            4 => Closing::Break,
            5 => Closing::ReturnGuard,
            6 => Closing::Guard,
            7 => Closing::Return,
            8 => Closing::Error,
            9 => Closing::Dropped,
            10 => Closing::Failed,
            11 => Closing::Wrapped,
            12 => Closing::Killed,
            13 | 14 => Closing::Abandoned,
            _ => Closing::For(u.arbitrary()?, u.arbitrary()?),
        })
    }
}

/// How the body of a loop is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Leave {
    /// By its end.
    #[default]
    End,
    /// By `break`.
    Break,
    /// By a `goto` to the end of the block around the loop.
    Goto,
    /// By a `return`.
    Return,
    /// By an error that a `pcall` catches.
    Error,
    /// Not at all: its coroutine is suspended and never resumed.
    Dropped,
    /// By `coroutine.close`.
    Killed,
}

/// What comes after a loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum After {
    /// Nothing.
    #[default]
    Nothing,
    /// A to-be-closed variable.
    Guard,
    /// A local that a closure captures.
    Captured,
}

/// What a finalizer does, besides counting.
///
/// What it changes belongs to it alone, and is looked at only after full collections, which give each object the time
/// to be finalized twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Finalizer {
    /// Nothing.
    #[default]
    Count,
    /// Makes the object reachable again.
    Save,
    /// Sets up the object for its finalizer again, once.
    Again,
    /// Both.
    SaveAgain,
    /// Makes the object reachable again through an upvalue.
    Assign,
    /// The same, by `setupvalue`.
    SetUpvalue,
    /// Gives a function another upvalue, by `upvaluejoin`.
    UpvalueJoin,
    /// Reloads: makes functions anew and joins them to the state of the old ones.
    Reload,
    /// Allocates.
    Allocate,
    /// Makes another object with a finalizer.
    Create,
    /// Calls the collector, which does nothing inside a finalizer.
    Collect,
    /// Raises an error.
    Throw,
    /// Raises an error that is no string.
    ThrowTable,
    /// Raises nil.
    ThrowNil,
    /// Looks at every level of the stack.
    Inspect,
    /// Calls the collector with every option, which does nothing inside a finalizer.
    Options,
    /// Loads a function, and gives it another environment and another upvalue.
    Load,
}

impl Finalizer {
    /// Whether the object, with all that it holds, is reachable again after the finalizer, or at least until it is finalized
    /// once more.
    pub(super) fn keeps_alive(self) -> bool {
        match self {
            Finalizer::Save
            | Finalizer::Again
            | Finalizer::SaveAgain
            | Finalizer::Assign
            | Finalizer::SetUpvalue
            | Finalizer::UpvalueJoin
            | Finalizer::Reload => true,
            Finalizer::Count
            | Finalizer::Allocate
            | Finalizer::Create
            | Finalizer::Collect
            | Finalizer::Throw
            | Finalizer::ThrowTable
            | Finalizer::ThrowNil
            | Finalizer::Inspect
            | Finalizer::Options
            | Finalizer::Load => false,
        }
    }
}

/// Who holds the first key of a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum Holder {
    /// No one.
    #[default]
    Nobody,
    /// A field.
    Field(TableId, Key),
    /// An object that only its finalizer makes reachable again.
    Finalizable,
}

/// A type whose values share a metatable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
#[expect(missing_docs, reason = "the types of Lua")]
pub enum BasicType {
    Nil,
    Boolean,
    Number,
    String,
    Function,
    Thread,
    Userdata,
}

/// A use of the metatable of a basic type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum TypeUsage {
    /// The field `a` of the metatable.
    Field,
    /// Indexing a value of the type.
    Index(Key),
    /// Calling a value of the type.
    Call(Value),
}
