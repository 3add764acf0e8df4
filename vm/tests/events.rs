//! What an observer of the heap is told: the same in every run, and of every site that a script can reach.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use moonphase_vm::gc::{Direction, Event, Interests, Names, Observer, Phase, Policy, Site};
use moonphase_vm::{Options, ScriptError, Vm};

/// Writes down every event.
#[derive(Default)]
struct Log {
    lines: Vec<String>,
    stores: BTreeSet<Site>,
    barriers: BTreeMap<Site, Direction>,
    phases: Vec<Phase>,
    /// The numbers that events had.
    numbers: Vec<u64>,
    /// Ends the script at this event.
    end_at: Option<usize>,
    /// Does without the turns that go on with marking, and without fine events.
    coarse: bool,
}

impl<H: Names> Observer<H> for Log {
    fn interests(&self) -> Interests {
        Interests { stores: true, steps: true, idle: !self.coarse, fine: !self.coarse }
    }

    fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        if event.is_numbered() {
            self.numbers.push(heap.events());
        }
        self.lines.push(format!("{event:?} in {:?} at {:?}", heap.phase(), heap.location()));
        match *event {
            Event::Store { site, .. } => {
                self.stores.insert(site);
            }
            Event::Barrier { site, direction, .. } => {
                self.barriers.insert(site, direction);
            }
            Event::PhaseChange(_) => self.phases.push(heap.phase()),
            _ => {}
        }
        if self.end_at == Some(self.lines.len()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn observe(log: Log, policy: Policy, script: &str) -> (Result<(), ScriptError>, Log) {
    let mut options = Options::default();
    options.policy = policy;
    let mut vm = Vm::observed(options, Box::new(log));
    let result = vm.run(script.as_bytes(), b"=script", &[]);
    let log = vm.take_observer().and_then(|observer| observer.into_any().downcast().ok());
    (result, *log.expect("the log that was installed"))
}

const MIXED: &str = r#"
collectgarbage("incremental", 100, 100, 1)
collectgarbage("stop")
local weak = setmetatable({}, { __mode = "k" })
local function counter()
  local n, data = 0, {}
  return function() n = n + 1 data = { n } weak[data] = n return data end
end
local a, b = counter(), counter()
debug.upvaluejoin(a, 1, b, 1)
for i = 1, 150 do
  a() b()
  debug.setupvalue(b, 2, { "set", i })
  collectgarbage("step")
end
local co = coroutine.wrap(function() for i = 1, 10 do setmetatable({}, { __gc = function() x = i end }) coroutine.yield(i) end end)
for _ = 1, 10 do co() collectgarbage("step") end
collectgarbage()
"#;

#[test]
fn two_runs_of_a_script_tell_the_same_events() {
    for &policy in [Policy::LUA_52, Policy::LUA_54].iter() {
        let (first, log) = observe(Log::default(), policy, MIXED);
        let (second, again) = observe(Log::default(), policy, MIXED);
        assert_eq!((&first, &second), (&Ok(()), &Ok(())));
        assert!(log.lines.len() > 5000, "{} events", log.lines.len());
        assert_eq!(log.lines, again.lines);
    }
}

#[test]
fn a_cycle_goes_through_its_phases_in_order() {
    let (result, log) = observe(Log::default(), Policy::LUA_54, "collectgarbage() collectgarbage()");
    assert_eq!(result, Ok(()));
    let cycle = [
        Phase::Propagate,
        Phase::EnterAtomic,
        Phase::Atomic,
        Phase::SweepAll,
        Phase::SweepFinalizable,
        Phase::SweepToBeFinalized,
        Phase::SweepEnd,
        Phase::CallFinalizers,
        Phase::Pause,
    ];
    // The first collection leaps into sweeping, to end what may be under way.
    let last_two = &log.phases[log.phases.len() - cycle.len()..];
    assert_eq!(last_two, cycle);
}

#[test]
fn every_site_that_scripts_reach_tells_of_its_stores_and_calls_its_barrier() {
    // Table keys and values, metatables, lists; upvalues assigned, set, joined, captured and closed; loading.
    let script = r#"
        local t = { {}, {}, key = {} }
        t[{}] = "value" .. 1
        setmetatable(t, { __index = {} })
        local shared = {}
        local f = function() shared = {} return shared end
        local g
        do local other = {} g = function() return other end end
        f()
        do local closed = {} h = function() return closed end end
        debug.setupvalue(g, 1, {})
        debug.upvaluejoin(f, 1, g, 1);
        (function() f() end)()
        local chunk = load("local a = 'constant' return function() return a, _ENV, 'nested' end")
        chunk()
        for word in ("one two"):gmatch("%a+") do w = word end
    "#;
    let (result, log) = observe(Log::default(), Policy::LUA_54, script);
    assert_eq!(result, Ok(()));
    // Userdata are the host's; no library function of a script makes one. Lua 5.4 has no closure cache.
    let others = [Site::UserdataMetatable, Site::UserValue, Site::ClosureCache];
    let expected: BTreeSet<Site> = Site::ALL.iter().copied().filter(|site| !others.contains(site)).collect();
    assert_eq!(log.stores, expected);
    // The directions of Lua 5.4. A new closure needs no barrier for its prototype: it is white.
    let backward = [Site::TableStore, Site::TableKey, Site::TableList];
    for (site, direction) in log.barriers {
        let wanted = if backward.contains(&site) { Direction::Backward } else { Direction::Forward };
        assert_eq!(direction, wanted, "{site}");
    }
}

#[test]
fn an_observer_ends_the_script_at_once_and_no_pcall_hides_it() {
    let script = "local i = 0 while true do pcall(function() i = i + 1 t = {} print(i) end) end";
    let (result, log) = observe(Log { end_at: Some(2000), ..Log::default() }, Policy::LUA_54, script);
    assert_eq!(result, Err(ScriptError::Halted));
    assert_eq!(log.lines.len(), 2000);
}

#[test]
fn barriers_work_only_where_a_black_object_gets_a_white_one() {
    let (result, log) = observe(Log::default(), Policy::LUA_54, MIXED);
    assert_eq!(result, Ok(()));
    let acted = log.lines.iter().filter(|line| line.starts_with("Barrier") && line.contains("acted: true")).count();
    let idle = log.lines.iter().filter(|line| line.starts_with("Barrier") && line.contains("acted: false")).count();
    assert!(acted > 0 && idle > acted, "{acted} acted, {idle} idle");
}

#[test]
fn calls_captures_and_joins_are_told_in_their_order() {
    let script = "local shared = {}
        local function outer() return function() return shared end end
        local again = function() return shared end
        local inner = outer()
        debug.upvaluejoin(inner, 1, again, 1)";
    let (result, log) = observe(Log::default(), Policy::LUA_54, script);
    assert_eq!(result, Ok(()));
    let told = ["LoadPrototype", "Call(", "Return(", "Capture", "JoinUpvalue", "OpenUpvalue", "FindUpvalue"];
    let heads = log.lines.iter().filter_map(|line| told.iter().find(|head| line.starts_with(**head)).copied());
    let expected = [
        // The chunk, the two functions in it, and the one inside of the first.
        ["LoadPrototype"; 4].as_slice(),
        // `_ENV` of the chunk.
        &["Capture", "Call("],
        &["OpenUpvalue", "Capture", "FindUpvalue", "Capture"],
        // `inner` has its upvalue from the closure of `outer`.
        &["Call(", "Capture", "Return(", "JoinUpvalue", "Return("],
    ];
    assert_eq!(heads.collect::<Vec<_>>(), expected.concat());
    let through = log.lines.iter().filter(|line| line.starts_with("Capture") && line.contains("Enclosing"));
    assert_eq!(through.count(), 1);
}

#[test]
fn events_have_the_same_numbers_whether_each_turn_is_told_or_not() {
    let (_, all) = observe(Log::default(), Policy::default(), MIXED);
    let (_, some) = observe(Log { coarse: true, ..Log::default() }, Policy::default(), MIXED);
    assert!(all.numbers.iter().copied().eq(1..=all.numbers.len() as u64));
    assert!(some.numbers.len() < all.numbers.len());
    assert!(some.numbers.is_sorted_by(|a, b| a < b));
    assert_eq!(some.numbers.last(), all.numbers.last());
    let stores = |log: &Log| log.lines.iter().filter(|line| line.starts_with("Store")).cloned().collect::<Vec<_>>();
    assert_eq!(stores(&some), stores(&all));
    let is_acting = |line: &String| line.starts_with("Barrier") && line.contains("acted: true");
    assert!(all.lines.iter().any(|line| line.starts_with("Barrier") && !is_acting(line)));
    assert!(some.lines.iter().all(|line| !line.starts_with("Barrier") || is_acting(line)));
    assert_eq!(
        some.lines.iter().filter(|line| is_acting(line)).count(),
        all.lines.iter().filter(|line| is_acting(line)).count()
    );
}

#[test]
fn closing_tells_of_each_finalizer_between_steps_and_calls_none_that_is_new() {
    let program = "local meta = {} meta.__gc = function() setmetatable({}, meta) end
        kept = { setmetatable({}, meta), setmetatable({}, meta) }";
    for policy in ["5.1,setupvalue=upvalue", "5.2", "5.3", "5.4", "generational"] {
        let mut options = Options::default();
        options.policy = policy.parse().expect("a policy");
        let mut vm = Vm::observed(options, Box::new(Log { coarse: true, ..Log::default() }));
        vm.run(program.as_bytes(), b"=script", &[]).expect("it runs");
        // An observer that was out for a look goes on counting.
        let observer = vm.take_observer().expect("installed");
        vm.put_back_observer(observer);
        vm.close().expect("finalizers run");
        let observer = vm.take_observer().expect("installed").into_any();
        let log: Box<Log> = observer.downcast().expect("the log that was installed");
        assert!(log.numbers.is_sorted(), "{policy}: {:?}", log.numbers);
        let words = ["StepBegin(Close)", "StepBegin(CloseNext)", "Finalize(", "Finalized", "Finalizable("];
        let word_of = |line: &String| words.iter().copied().find(|word| line.starts_with(word));
        let told: Vec<&str> = log.lines.iter().filter_map(word_of).collect();
        let closing = told.iter().position(|word| *word == words[0]).expect("closing begins");
        // Two tables of the script, whose finalizers make one more each, and the three standard streams.
        let (begin, next, finalize, finalized, finalizable) = (words[0], words[1], words[2], words[3], words[4]);
        let table = [next, finalize, finalizable, finalized];
        let stream = [next, finalize, finalized];
        let expected = [&[begin][..], &table, &table, &stream, &stream, &stream, &[next]].concat();
        assert_eq!(told[closing..], expected, "{policy}");
    }
}

#[test]
fn what_is_closed_and_what_is_cleared_is_told_with_the_reason() {
    let open = "local x local function f() return x end";
    let guard = "local g <close> = setmetatable({}, { __close = function() end })";
    let told = |script: &str, event: &str| {
        let (result, log) = observe(Log { coarse: true, ..Log::default() }, Policy::LUA_54, script);
        assert!(matches!(result, Ok(()) | Err(ScriptError::Exit(_))), "{script}: {result:?}");
        assert!(log.lines.iter().any(|line| line.contains(event)), "{script}: no {event}");
    };
    for (script, end) in [
        (format!("do {open} end"), "Block"),
        (format!("local function g() {open} return 1 end g()"), "Return"),
        (format!("local function g() {open} return print() end g()"), "TailCall"),
        (format!("pcall(function() {open} error() end)"), "Error"),
        (format!("load(function() {open} error() end)"), "NestedError"),
        (
            format!(
                "local c = coroutine.create(function() {open} coroutine.yield() end) coroutine.resume(c) coroutine.close(c)"
            ),
            "CoroutineClose",
        ),
        (format!("pcall(coroutine.wrap(function() {open} error() end))"), "WrapError"),
        (format!("{open} os.exit(true, true)"), "StateClose"),
        (
            format!(
                "do local c = coroutine.wrap(function() {open} u = f coroutine.yield() end) c() end collectgarbage()"
            ),
            "ThreadFreed",
        ),
    ] {
        told(&script, &format!("end: {end} }}"));
    }
    told(&format!("do {guard} end"), "CloseVariable(Block)");
    told(&format!("pcall(function() {guard} error() end)"), "CloseVariable(Error)");
    told("os.exit(true, true)", "CloseState");
    let weak = |mode: &str, content: &str| {
        format!("local t = setmetatable({{}}, {{ __mode = '{mode}' }}) {content} collectgarbage()")
    };
    told(&weak("v", "t[1] = {}"), "ClearWeak { pass: Values");
    told(&weak("k", "t[{}] = 1"), "ClearWeak { pass: Keys");
    let late = "t[1] = {} setmetatable({ t }, { __gc = function() end }) t = nil";
    told(&weak("v", late), "ClearWeak { pass: RevivedValues");
}

/// Writes down which chunks the collector worked at while a program loaded them.
#[derive(Default)]
struct Loads(BTreeSet<(bool, bool)>);

impl<H: Names> Observer<H> for Loads {
    fn interests(&self) -> Interests {
        Interests { stores: false, steps: true, idle: true, fine: false }
    }

    fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        if let (Event::StepBegin(_), Some(loading)) = (event, heap.loading()) {
            self.0.insert((loading.binary, loading.reader));
        }
        ControlFlow::Continue(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[test]
fn a_heap_says_what_is_loaded_while_the_collector_works() {
    let program = |chunk: &str| {
        format!(
            "collectgarbage('stop') local text = 'return function() return 1.5, {{ y = \"x\" }} end' local dumped = string.dump(load(text))
             local function read(chunk) return coroutine.wrap(function() coroutine.yield(chunk) end) end
             collectgarbage('incremental', 100, 100, 1) collectgarbage('restart')
             for i = 1, 200 do load({chunk}) end"
        )
    };
    for (chunk, expected) in [
        ("text", (false, false)),
        ("read(text)", (false, true)),
        ("dumped", (true, false)),
        ("read(dumped)", (true, true)),
    ] {
        let mut vm = Vm::observed(Options::default(), Box::new(Loads::default()));
        vm.run(program(chunk).as_bytes(), b"=script", &[]).expect("it runs");
        let loads = vm.take_observer().and_then(|observer| observer.into_any().downcast::<Loads>().ok());
        assert_eq!(loads.expect("the observer that was installed").0, BTreeSet::from([expected]), "{chunk}");
    }
}
