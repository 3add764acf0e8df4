//! Scripts written by hand, each of which shows a planted fault.
#![cfg(feature = "faults")]

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use moonphase_invariants::{Checker, Invariant, Level};
use moonphase_vm::gc::Fault;
use moonphase_vm::{Options, Vm};

/// What a sound collector makes of each script.
const RIGHT: &str = "right\n";

/// How a script shows a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// The checker finds this broken.
    Broken(Invariant),
    /// The checker finds nothing, and the script prints something else, or nothing.
    Printed,
}

use Invariant::{Ages, BlackToWhite, Dangling, Finalizers, GrayLists, Intern, Pacing, PauseWhite, Upvalues, Weak};
use Shown::{Broken, Printed};

/// A chunk of many strings, which are made while the collector goes through a cycle for almost each.
const LOADS: &str = r#"
    collectgarbage("incremental", 100, 1000, 1)
    local lines = {}
    for i = 1, 50 do
        lines[i] = ("x%d = function() return 'a constant of more than forty characters, number %d' end"):format(i, i)
    end
    local chunk = load(table.concat(lines, "\n"))
    chunk()
    print(x1():find("number 1$") and x50():find("number 50$") and "right")
"#;

/// In incremental mode `collectgarbage("step", 0)` is one turn of the collector after `collectgarbage("stop")` and
/// `collectgarbage("incremental", 1000, 100, 1)`; a cycle has some 30 to 40. In generational mode it is a minor collection.
const SCRIPTS: &[(&str, Shown, &str)] = &[
    // Barriers.
    (
        "no-barrier-native-upvalue",
        Broken(BlackToWhite),
        r#"
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        local wrapped = coroutine.wrap(print)
        for _ = 1, 100 do
            collectgarbage("step", 0)
            debug.setupvalue(wrapped, 1, coroutine.create(print))
        end
        print("right")
        "#,
    ),
    (
        "no-barrier-userdata-metatable",
        Broken(BlackToWhite),
        r#"
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        for _ = 1, 100 do
            collectgarbage("step", 0)
            debug.setmetatable(io.stdout, {})
        end
        print("right")
        "#,
    ),
    (
        "growth-without-barrier",
        Broken(BlackToWhite),
        r#"
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        local tables = {}
        for i = 1, 300 do tables[i] = {} end
        for i = 1, 300 do
            collectgarbage("step", 0)
            tables[i].field = {}
        end
        print("right")
        "#,
    ),
    // Marking.
    (
        "extra-arguments-not-marked",
        Broken(Dangling),
        r#"
        local function first(...)
            collectgarbage()
            return ...
        end
        print(first({ "right" })[1])
        "#,
    ),
    (
        "revived-thread-forgotten",
        Broken(Dangling),
        r#"
        local get, set, revived
        local function body()
            local variable
            function get() return variable end
            function set(value) variable = value end
            coroutine.yield()
        end
        do
            local thread = coroutine.create(body)
            coroutine.resume(thread)
            setmetatable({ thread }, { __gc = function(object) revived = object[1] end })
        end
        collectgarbage()
        -- Now the thread dies, and its variable lives on.
        revived = nil
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        for i = 1, 300 do
            collectgarbage("step", 0)
            set({ i })
        end
        print(get()[1] == 300 and "right")
        "#,
    ),
    (
        "abandoned-gray-kept",
        Broken(GrayLists),
        r#"
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        for _ = 1, 20 do collectgarbage("step", 0) end
        collectgarbage()
        print("right")
        "#,
    ),
    // Loading.
    ("loaded-main-not-kept", Broken(Dangling), LOADS),
    ("loaded-parts-not-kept", Broken(Dangling), LOADS),
    // Weak tables.
    (
        "dead-key-lost",
        Printed,
        r#"
        local entries = {}
        for i = 1, 8 do entries[{}] = i end
        for key in pairs(entries) do
            entries[key] = nil
            collectgarbage()
        end
        print(next(entries) == nil and "right")
        "#,
    ),
    (
        "weak-values-marked-once",
        Broken(Weak),
        r#"
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        local weak, value = setmetatable({}, { __mode = "v" }), {}
        for _ = 1, 300 do
            collectgarbage("step", 0)
            weak[{}] = value
        end
        local count = 0
        for _ in pairs(weak) do count = count + 1 end
        print(count == 300 and "right")
        "#,
    ),
    (
        "all-weak-marked-once",
        Broken(Dangling),
        r#"
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        local weak = setmetatable({}, { __mode = "kv" })
        for i = 1, 300 do
            collectgarbage("step", 0)
            setmetatable(weak, { __mode = "kv", number = i })
        end
        print(getmetatable(weak).number == 300 and "right")
        "#,
    ),
    (
        "ephemeron-marked-once",
        Broken(Weak),
        r#"
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        local weak = setmetatable({}, { __mode = "k" })
        for i = 1, 300 do
            collectgarbage("step", 0)
            weak[{}] = true
            weak["name" .. i] = { i }
        end
        local count = 0
        for i = 1, 300 do count = count + weak["name" .. i][1] end
        print(count == 45150 and "right")
        "#,
    ),
    (
        "ephemeron-keys-forgotten",
        Broken(Dangling),
        r#"
        local weak = setmetatable({}, { __mode = "k" })
        weak[{}] = true
        collectgarbage()
        print(next(weak) == nil and "right")
        "#,
    ),
    (
        "revived-values-kept",
        Broken(Weak),
        r#"
        local function finalize(object) print(next(object.weak) == nil and "right") end
        setmetatable({ weak = setmetatable({ value = {} }, { __mode = "v" }) }, { __gc = finalize })
        collectgarbage()
        "#,
    ),
    (
        "long-strings-weak",
        Broken(Weak),
        r#"
        local weak = setmetatable({}, { __mode = "k" })
        weak[("long"):rep(20)] = true
        collectgarbage()
        print(weak[("long"):rep(20)] and "right")
        "#,
    ),
    (
        "weak-strings-not-marked",
        Broken(Dangling),
        r#"
        local weak = setmetatable({}, { __mode = "k" })
        for i = 1, 3 do weak["name" .. i] = true end
        collectgarbage()
        print(weak["name" .. 2] and "right")
        "#,
    ),
    (
        "absent-flag-kept",
        Printed,
        r#"
        local metatable = {}
        local weak = setmetatable({}, metatable)
        collectgarbage()
        metatable.__mode = "k"
        weak[{}] = true
        collectgarbage()
        print(next(weak) == nil and "right")
        "#,
    ),
    // Finalizers.
    (
        "finalizable-stays-black",
        Broken(PauseWhite),
        r#"
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        local objects, metatable = {}, { __gc = function() end }
        for i = 1, 50 do objects[i] = {} end
        local weak = setmetatable({ {} }, { __mode = "v" })
        repeat collectgarbage("step", 0) until not weak[1]
        -- Sweeping has begun.
        for i = 1, 50 do
            setmetatable(objects[i], metatable)
            collectgarbage("step", 0)
        end
        print("right")
        "#,
    ),
    (
        "finalizer-set-later",
        Printed,
        r#"
        local metatable = {}
        setmetatable({}, metatable)
        metatable.__gc = function() print("wrong") end
        collectgarbage()
        print("right")
        "#,
    ),
    (
        "finalizer-kept",
        Printed,
        r#"
        local count = 0
        setmetatable({}, { __gc = function() count = count + 1 end })
        for _ = 1, 3 do collectgarbage() end
        print(count == 1 and "right")
        "#,
    ),
    (
        "failed-finalizer-stops",
        Broken(Pacing),
        r#"
        setmetatable({}, { __gc = function() error("failed") end })
        collectgarbage()
        print(collectgarbage("isrunning") and "right")
        "#,
    ),
    (
        "failed-finalizer-drops",
        Printed,
        r#"
        local called
        setmetatable({}, { __gc = function() called = true end })
        setmetatable({}, { __gc = function() error("failed") end })
        collectgarbage()
        print(called and "right")
        "#,
    ),
    (
        "closing-drops-old",
        Broken(Finalizers),
        r#"
        kept = setmetatable({}, { __gc = function() print("right") end })
        collectgarbage()
        "#,
    ),
    // Stacks and scopes.
    (
        "concat-above-top",
        Printed,
        r#"
        collectgarbage("incremental", 100, 1000, 1)
        local length = 0
        for i = 1, 100 do
            local text = "a text of more than forty characters, number " .. i
            length = length + #text
        end
        print(length == 4692 and "right")
        "#,
    ),
    (
        "moved-stack-left",
        Printed,
        r#"
        local variable = 1
        local function get() return variable end
        local function deep(n) return n > 0 and 1 + deep(n - 1) or 0 end
        deep(100)
        variable = 2
        print(get() == 2 and "right")
        "#,
    ),
    (
        "overflow-kept",
        Printed,
        r#"
        local function overflow() return 1 + overflow() end
        pcall(overflow)
        local _, message = pcall(overflow)
        print(message:find("stack overflow") and "right")
        "#,
    ),
    (
        "dead-thread-left-open",
        Broken(Upvalues),
        r#"
        local get
        coroutine.wrap(function()
            local variable = { "right" }
            function get() return variable end
            coroutine.yield()
        end)()
        collectgarbage()
        print(get()[1])
        "#,
    ),
    (
        "closed-thread-left-open",
        Broken(Upvalues),
        r#"
        local get
        local thread = coroutine.create(function()
            local variable = { "right" }
            function get() return variable end
            coroutine.yield()
        end)
        coroutine.resume(thread)
        coroutine.close(thread)
        collectgarbage()
        print(get()[1])
        "#,
    ),
    (
        "caught-left-open",
        Printed,
        r#"
        local get
        pcall(function()
            local variable = "right"
            function get() return variable end
            error("failed")
        end)
        local a, b, c, d = 1, 2, 3, 4
        print(get())
        "#,
    ),
    (
        "block-left-open",
        Printed,
        r#"
        local functions = {}
        for i = 1, 3 do
            local variable = i
            functions[i] = function() return variable end
        end
        print(functions[1]() == 1 and "right")
        "#,
    ),
    (
        "block-not-closed",
        Printed,
        r#"
        local text
        do
            local closed <close> = setmetatable({}, { __close = function() text = "right" end })
        end
        print(text)
        "#,
    ),
    (
        "returned-not-kept",
        Printed,
        r#"
        local function make()
            local closed <close> = setmetatable({}, { __close = function() local a, b, c = 1, 2, 3 end })
            return "one", "right"
        end
        local _, text = make()
        print(text)
        "#,
    ),
    // Strings.
    (
        "growth-drops-strings",
        Broken(Intern),
        r#"
        collectgarbage("stop")
        collectgarbage("incremental", 1000, 100, 1)
        local fields = { ["name" .. 1] = "right" }
        local weak = setmetatable({ {} }, { __mode = "v" })
        repeat collectgarbage("step", 0) until not weak[1]
        -- Sweeping has begun.
        local names = {}
        for i = 1, 3000 do names[i] = "other" .. i end
        print(fields["name" .. 1])
        "#,
    ),
    // Hooks.
    (
        "hooks-weak",
        Printed,
        r#"
        local count = 0
        debug.sethook(function() count = count + 1 end, "", 1)
        collectgarbage()
        count = 0
        debug.sethook()
        print(count > 0 and "right")
        "#,
    ),
    (
        "hooks-hoarded",
        Printed,
        r#"
        local weak = setmetatable({}, { __mode = "k" })
        do
            local thread = coroutine.create(print)
            debug.sethook(thread, print, "l")
            weak[thread] = true
        end
        collectgarbage()
        print(next(weak) == nil and "right")
        "#,
    ),
    // Pacing. What is dead is gone after a while.
    (
        "strings-unpaid",
        Broken(Pacing),
        r#"
        local weak = setmetatable({ {} }, { __mode = "v" })
        for i = 1, 1000 do local text = ("long"):rep(250) .. i end
        print(not weak[1] and "right")
        "#,
    ),
    (
        "errors-unpaid",
        Printed,
        r#"
        local function fail() return nil + 1 end
        local weak = setmetatable({ {} }, { __mode = "v" })
        for i = 1, 10000 do pcall(fail) end
        print(not weak[1] and "right")
        "#,
    ),
    (
        "step-restarts",
        Printed,
        r#"
        collectgarbage("stop")
        collectgarbage("step")
        print(not collectgarbage("isrunning") and "right")
        "#,
    ),
    (
        "estimate-kept",
        Broken(Pacing),
        r#"
        local weak, cycles = setmetatable({}, { __mode = "v" }), 0
        for i = 1, 100000 do
            local new = { i }
            if not weak[1] then
                weak[1] = new
                cycles = cycles + 1
            end
        end
        print(cycles > 20 and "right")
        "#,
    ),
    (
        "generational-late",
        Broken(Pacing),
        r#"
        collectgarbage()
        collectgarbage("generational")
        local weak = setmetatable({ {} }, { __mode = "v" })
        for i = 1, 100 do local new = { i } end
        print(not weak[1] and "right")
        "#,
    ),
    (
        "minor-late",
        Broken(Pacing),
        r#"
        local weak = setmetatable({ {} }, { __mode = "v" })
        for i = 1, 3000 do local new = { i } end
        print(not weak[1] and "right")
        "#,
    ),
    (
        "major-never-due",
        Broken(Pacing),
        r#"
        local weak = setmetatable({ {} }, { __mode = "v" })
        do
            local old = weak[1]
            collectgarbage()
        end
        local kept = {}
        for i = 1, 3000 do kept[i] = { i } end
        print(not weak[1] and "right")
        "#,
    ),
    // Generational mode.
    (
        "touched2-kept",
        Broken(GrayLists),
        r#"
        local old = {}
        collectgarbage()
        old[1] = {}
        collectgarbage("step", 0)
        collectgarbage("step", 0)
        old[1] = { "right" }
        collectgarbage("step", 0)
        print(old[1][1])
        "#,
    ),
    (
        "weak-not-relisted",
        Broken(GrayLists),
        r#"
        local old = setmetatable({}, { __mode = "v" })
        collectgarbage()
        old[1] = {}
        collectgarbage("step", 0)
        print(not old[1] and "right")
        "#,
    ),
    (
        "weak-touched-black",
        Broken(Ages),
        r#"
        local old, other = setmetatable({}, { __mode = "v" }), {}
        collectgarbage()
        local value = { "right" }
        old.field = value
        -- So the value is marked before the weak table is traversed.
        other.field = value
        collectgarbage("step", 0)
        print(old.field[1])
        "#,
    ),
    (
        "old-open-upvalue-black",
        Broken(Upvalues),
        r#"
        local variable = { "right" }
        local function get() return variable end
        collectgarbage()
        print(get()[1])
        "#,
    ),
    (
        "finalizable-stays-old",
        Broken(PauseWhite),
        r#"
        local object = setmetatable({}, { __gc = function() end })
        collectgarbage()
        collectgarbage("incremental")
        print("right")
        "#,
    ),
    (
        "dead-thread-value-young",
        Broken(Ages),
        r#"
        local function get() return _ENV end
        collectgarbage()
        local co = coroutine.wrap(function()
            local variable = {}
            debug.upvaluejoin(get, 1, function() return variable end, 1)
            coroutine.yield()
            variable = { "right" }
            coroutine.yield()
        end)
        co()
        collectgarbage("step", 0)
        co()
        co = nil
        collectgarbage("step", 0)
        print(get()[1])
        "#,
    ),
    (
        "switch-in-mid-cycle",
        Broken(Dangling),
        r#"
        local kept = { { { {} } } }
        for turns = 1, 50 do
            collectgarbage("incremental", 1000, 100, 1)
            for _ = 1, turns do collectgarbage("step", 0) end
            collectgarbage("generational")
        end
        print("right")
        "#,
    ),
];

/// The output of a program.
#[derive(Clone, Default)]
struct Printer(Rc<RefCell<Vec<u8>>>);

impl io::Write for Printer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a script, collects what it leaves and closes the state, under the checker: what it breaks, and what it prints.
fn run(script: &str, policy: &str, fault: Option<Fault>) -> (Option<Invariant>, String) {
    let mut options = Options::default();
    options.policy = policy.parse().unwrap();
    options.fault = fault;
    options.instruction_limit = Some(50_000_000);
    options.stack_limit = 10_000;
    let printer = Printer::default();
    let mut vm = Vm::observed(options, Box::new(Checker::new(Level::Full)));
    vm.set_output(printer.clone());
    // What the program prints says whether it fails.
    let _ = vm.run(script.as_bytes(), b"=script", &[]);
    let collected = vm.collect();
    let mut checker = take_checker(&mut vm);
    if collected.is_ok() {
        checker.look_complete(vm.heap().view());
    }
    vm.put_back_observer(checker);
    let closed = vm.close();
    let mut checker = take_checker(&mut vm);
    if closed.is_ok() {
        checker.look_closed(vm.heap().view());
    }
    let printed = String::from_utf8(printer.0.take()).unwrap();
    (checker.violation().map(|violation| violation.invariant), printed)
}

fn take_checker(vm: &mut Vm) -> Box<Checker> {
    vm.take_observer().unwrap().into_any().downcast().unwrap()
}

#[test]
fn each_script_shows_its_fault_and_is_right_without_it() {
    let mut wrong = Vec::new();
    for &(name, shown, script) in SCRIPTS {
        let fault: Fault = name.parse().unwrap();
        let sound = run(script, fault.policy(), None);
        let (broken, printed) = run(script, fault.policy(), Some(fault));
        let is_shown = match shown {
            Broken(invariant) => broken == Some(invariant),
            Printed => broken.is_none() && printed != RIGHT,
        };
        if sound != (None, RIGHT.to_owned()) || !is_shown {
            wrong.push(format!("{name}: {sound:?} without it; {broken:?}, {printed:?} with it"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
