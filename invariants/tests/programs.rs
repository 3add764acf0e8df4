//! Programs under the checker: a sound collector is never accused, a faulty one is at once, and the levels agree.

use moonphase_heap::{Heap as _, Kind, Label};
use moonphase_invariants::{Checker, Level, Violation};
use moonphase_vm::gc::{Mode, Phase, Policy, Semantics};
use moonphase_vm::{Options, Vm};
use std::cell::RefCell;
use std::io::Write;
use std::rc::Rc;

/// Two closures share an upvalue; one is given a new value after the upvalue became black and before that closure did.
const SHARED_UPVALUE: &str = r#"
collectgarbage("stop")
collectgarbage("incremental", 100, 100, 1)
local function make()
  local cfg = {1}
  return function() return cfg end, function() return cfg end
end
local f1, f2 = make()
collectgarbage() collectgarbage()
for i = 1, 400 do
  collectgarbage("step", 0)
  debug.setupvalue(f1, 1, {i})
  assert(f2()[1] == i)
end
"#;

/// Something of everything that has references, with steps in between.
const MIXTURE: &str = r#"
collectgarbage("incremental", 100, 100, 1)
local weak_values = setmetatable({}, {__mode = "v"})
local weak_keys = setmetatable({}, {__mode = "k"})
local weak_both = setmetatable({}, {__mode = "kv"})
local kept, coroutines, log = {}, {}, {}
local function finalize(object) kept[#kept + 1] = object; if #kept > 5 then kept = {} end end
local function generator(n)
  return coroutine.wrap(function()
    local up = {n}
    local function get() return up end
    for i = 1, 5 do up = {i}; coroutine.yield(get) end
  end)
end
for i = 1, 16 do
  local object = setmetatable({i}, {__gc = finalize})
  weak_values[i] = {i}; weak_values["s" .. i] = "str" .. i
  weak_keys[{i}] = {object}; weak_keys[object] = {i}
  local a, b = {}, {}
  weak_keys[a] = b; weak_keys[b] = a
  weak_both[a] = b; weak_both[i] = b; weak_both["k" .. i] = "v" .. i
  coroutines[i % 4 + 1] = generator(i)
  for j = 1, 4 do
    local next_value = coroutines[j]
    if next_value then local ok, get = pcall(next_value); if ok and get then get() end end
  end
  collectgarbage("step", 0)
  if i % 11 == 0 then collectgarbage() end
  local f = function() return object end
  local g = function() return a end
  debug.upvaluejoin(f, 1, g, 1)
  debug.setupvalue(f, 1, {i})
  log[#log + 1] = tostring(i) .. ("x"):rep(50)
  if i % 5 == 0 then load("local a = {...}; X = function() return a, " .. i .. " end")(i); X() end
  pcall(function() local kept <close> = setmetatable({}, {__close = function() end}); error({i}) end)
end
"#;

/// The checker that was installed.
fn checker_of(vm: &mut Vm) -> Box<Checker> {
    let observer = vm.take_observer().expect("installed");
    observer.into_any().downcast().expect("a checker")
}

struct Run {
    violation: Option<Violation>,
    events: u64,
}

/// Runs a program under a checker; if it ends, also looks for what two full collections leave.
fn run(program: &str, policy: &str, checker: Checker) -> Run {
    let mut options = Options::default();
    options.policy = policy.parse::<Policy>().expect("a policy");
    options.instruction_limit = Some(10_000_000);
    let mut vm = Vm::observed(options, Box::new(checker));
    let ended = vm.run(program.as_bytes(), b"=program", &[]);
    let collected = vm.collect();
    let mut checker = checker_of(&mut vm);
    if collected.is_ok() {
        let mode = vm.heap().view().mode();
        checker.look(vm.heap().view());
        checker.look_complete(vm.heap().view());
        // Generational mode has no pause: its barriers are always at work.
        let between = if mode == Mode::Generational { Phase::Propagate } else { Phase::Pause };
        assert_eq!(vm.heap().phase(), between);
    }
    let events = checker.events();
    let violation = checker.into_violation();
    assert!(ended.is_ok() || violation.is_some(), "the program fails: {ended:?}");
    Run { violation, events }
}

fn signature(program: &str, policy: &str, level: Level) -> Option<String> {
    run(program, policy, Checker::new(level)).violation.map(|violation| violation.signature())
}

#[test]
fn sound_policies_are_not_accused() {
    for policy in ["5.4", "5.3", "5.2", "5.1,setupvalue=upvalue"] {
        for level in [Level::Step, Level::Barrier, Level::Full] {
            for program in [SHARED_UPVALUE, MIXTURE] {
                assert_eq!(signature(program, policy, level), None, "{policy} {level}");
            }
        }
    }
    for level in [Level::Step, Level::Barrier, Level::Full] {
        for program in [SHARED_UPVALUE, MIXTURE] {
            let program = program.replace("\"incremental\", 100, 100, 1", "\"generational\", 5, 20");
            assert_eq!(signature(&program, "generational", level), None, "generational {level}");
        }
    }
}

#[test]
fn a_value_that_a_barrier_marks_and_leaves_young_is_found_when_it_is_stored_into_an_old_object() {
    let program = "value = 'none'\n\
                   local function make() local kept = {} return function() return kept end end\n\
                   local old = make()\n\
                   collectgarbage()\n\
                   local get = make()\n\
                   debug.upvaluejoin(old, 1, get, 1)\n\
                   value = get()";
    for level in [Level::Barrier, Level::Full] {
        let found = signature(program, "generational,old0=child", level);
        assert_eq!(found.as_deref(), Some("ages table-store table->table"), "{level}");
        assert_eq!(signature(program, "generational", level), None, "{level}");
    }
}

#[test]
fn garbage_that_finalizers_make_while_the_last_collection_ends_is_no_leak() {
    let program = "local meta = {} meta.__gc = function() local x = setmetatable({}, meta); x[1] = {} end\n\
                   setmetatable({}, meta)";
    assert_eq!(signature(program, "5.4", Level::Barrier), None);
}

#[test]
fn an_error_in_a_finalizer_leaves_no_upvalue_open() {
    let program = "setmetatable({}, {__gc = function() local x; local f = function() return x end; error(f) end})\n\
                   collectgarbage() collectgarbage()";
    assert_eq!(signature(program, "5.4", Level::Full), None);
}

#[test]
fn the_closure_as_parent_of_setupvalue_is_found_by_sharing_alone() {
    for level in [Level::Barrier, Level::Full] {
        let found = signature(SHARED_UPVALUE, "5.1", level);
        assert_eq!(found.as_deref(), Some("black-to-white setupvalue upvalue->table"), "{level}");
    }
    assert_eq!(
        signature(SHARED_UPVALUE, "5.1", Level::Step).as_deref(),
        Some("black-to-white upvalue->table"),
        "a step later, when nobody knows who wrote it"
    );
}

#[test]
fn a_violation_says_how_the_object_is_reached_and_in_words_which_it_is() {
    let violation = run(SHARED_UPVALUE, "5.1", Checker::new(Level::Barrier)).violation.expect("the fault of 5.1");
    let labels: Vec<String> = violation.path.iter().map(|step| step.label.to_string()).collect();
    assert_eq!(labels, ["main thread", "local 'f1' (stack slot 5)", "upvalue #1 'cfg'", "value"]);
    let parent = violation.parent.expect("the upvalue");
    let closure = parent.held_by.as_ref().expect("an upvalue of a closure");
    assert_eq!((parent.kind, parent.name.as_deref()), (Kind::Upvalue, Some("cfg")));
    assert_eq!((closure.kind, closure.name.as_deref()), (Kind::Closure, Some("f1")));
    assert_eq!(closure.defined_at.as_ref().map(|place| place.line), Some(6));
    let (upvalue, holder) = (parent.id, closure.id);
    assert_eq!(parent.to_string(), format!("upvalue 'cfg'#{upvalue} of closure 'f1'#{holder} (program:6)"));
    assert_eq!(violation.edge.map(|edge| edge.label), Some(Label::Value));
    assert_eq!(violation.location.map(|location| location.line), Some(12));
}

#[test]
fn a_history_tells_who_made_blackened_and_wrote_and_what_the_barrier_looked_at() {
    let mut options = Options::default();
    options.policy = Policy::LUA_51;
    let mut vm = Vm::observed(options, Box::new(Checker::new(Level::Barrier).with_history()));
    assert!(vm.run(SHARED_UPVALUE.as_bytes(), b"=program", &[]).is_err());
    let checker = checker_of(&mut vm);
    let violation = checker.violation().expect("the fault of 5.1");
    let (parent, child) = (violation.parent.as_ref().expect("parent"), violation.child.as_ref().expect("child"));
    let line = |moment: &moonphase_invariants::Moment| moment.location.as_ref().map(|location| location.line);
    let history = checker.history();
    assert_eq!(history.made(child.id).and_then(line), Some(12));
    assert_eq!(child.made_at.as_ref().map(|place| place.line), Some(12));
    assert_eq!(history.blackened(parent.id).and_then(line), Some(11));
    assert!(history.blackened(parent.id).is_some_and(|moment| moment.event < violation.event));
    let store = history.store_of(parent.id, child.id).expect("the store");
    assert_eq!(Some(store), history.last_store(parent.id));
    let [barrier] = &store.barriers[..] else { panic!("one barrier, not {:?}", store.barriers) };
    assert_eq!((barrier.parent.1.name(), barrier.acted), ("closure", false));
    assert_ne!(barrier.parent.0, parent.id);
}

#[test]
fn recording_changes_neither_events_nor_findings() {
    let plain = run(SHARED_UPVALUE, "5.1", Checker::new(Level::Barrier));
    let recorded = run(SHARED_UPVALUE, "5.1", Checker::new(Level::Barrier).with_history());
    assert_eq!(plain.events, recorded.events);
    let (plain, recorded) = (plain.violation.expect("found"), recorded.violation.expect("found"));
    assert_eq!((plain.event, plain.signature()), (recorded.event, recorded.signature()));
}

/// Random programs about closures that share upvalues, tables, weak tables and steps, from a small generator of its
/// own.
mod random {
    use moonphase_vm::gc::Policy;

    struct Numbers(u64);

    impl Numbers {
        fn below(&mut self, limit: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 33) % limit
        }
    }

    pub fn program(seed: u64, mode_changes: bool) -> String {
        let mut numbers = Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut text = String::from(
            "collectgarbage('stop') collectgarbage('incremental', 100, 100, 1)\n\
             local f, t, co = {}, {}, {}\n\
             local weak = setmetatable({}, {__mode = 'k'})\n\
             local names = {'k', 'v', 'kv'}\n\
             local meta = {__gc = function(o) t[5] = o end}\n\
             local function pair(v) local a, b = v, {v}; \
             return function() return a, b end, function(x) a = x; return a end end\n\
             for i = 1, 8 do f[2 * i - 1], f[2 * i] = pair({i}); t[i] = {i} end\n",
        );
        if numbers.below(2) == 0 {
            text.push_str("collectgarbage() collectgarbage()\n");
        }
        for _ in 0..20 + numbers.below(60) {
            let (a, b) = (1 + numbers.below(16), 1 + numbers.below(16));
            let (x, y) = (1 + numbers.below(8), 1 + numbers.below(8));
            let upvalue = 1 + (a % 2) * numbers.below(2);
            let line = match numbers.below(if mode_changes { 28 } else { 24 }) {
                24 => "collectgarbage('generational', X * 10, Y * 20)",
                25 => "collectgarbage('incremental', 100, 100, 1)",
                26 => "for i = 1, N do t[X] = {t[Y], i} t[Y][X] = {} end",
                27 => "collectgarbage('restart')",
                20..24 => "for _ = 1, N do collectgarbage('step', 0); debug.setupvalue(f[A], 1, {X}) end",
                0..6 => "for _ = 1, N do collectgarbage('step', 0) end",
                6 => "debug.setupvalue(f[A], 1, {X})",
                7 => "debug.setupvalue(f[A], U, t[X])",
                8 => "debug.upvaluejoin(f[A], 1, f[B], 1)",
                9 => "f[A], f[A % 16 + 1] = pair(t[X])",
                10 => "t[X] = {t[Y], f[A]}",
                11 => "t[X][Y] = {t[Y]}",
                12 => "if A % 2 == 0 then f[A]({X}) end",
                13 => "weak[t[X]] = t[Y]; weak[{A}] = f[B]",
                14 => "setmetatable(t[X], meta)",
                15 => "t[X] = setmetatable({t[Y]}, {__mode = names[A % 3 + 1]}); t[X].y = {A}",
                16 => {
                    "co[X] = coroutine.wrap(function() local u = {X}; f[A] = function() return u end; \
                       while true do u = {coroutine.yield(u)} end end); co[X]()"
                }
                17 => "if co[X] then co[X](t[Y]) end",
                18 => "load('local t = ... t[X] = \"sA\" .. \"B\"')(t[X])",
                _ if numbers.below(4) == 0 => "collectgarbage()",
                _ => "co[X] = nil",
            };
            let line = line
                .replace('N', &(1 + numbers.below(40)).to_string())
                .replace('A', &a.to_string())
                .replace('B', &b.to_string())
                .replace('U', &upvalue.to_string())
                .replace('X', &x.to_string())
                .replace('Y', &y.to_string());
            text.push_str(&format!("pcall(function() {line} end)\n"));
        }
        text
    }

    /// Any preset with any sound value of each rule.
    pub fn policy(seed: u64) -> String {
        let mut numbers = Numbers(seed.wrapping_mul(0xD134_2543_DE82_EF95) | 1);
        let mut pick = |count: usize| numbers.below(count as u64) as usize;
        let mut text = Policy::PRESETS[pick(Policy::PRESETS.len())].preset.to_owned();
        for (rule, values) in Policy::RULES {
            let value = values[pick(values.len())];
            let changed = format!("{text},{rule}={value}");
            // Counted upvalues have no rule `setupvalue`.
            if changed.parse::<Policy>().is_ok() {
                text = changed;
            }
        }
        let policy: Policy = text.parse().expect("rules that were accepted one by one");
        policy.corrected().to_string()
    }
}

#[test]
fn the_default_level_finds_the_same_first_violation_at_the_same_event_as_a_whole_look_each_time() {
    let mut found = 0;
    for seed in 0..24 {
        let program = random::program(seed, false);
        for policy in ["5.1", "5.4"] {
            let full = run(&program, policy, Checker::new(Level::Full));
            let cheap = run(&program, policy, Checker::new(Level::Barrier));
            let essence = |run: &Run| {
                run.violation.as_ref().map(|v| {
                    (
                        v.event,
                        v.signature(),
                        v.detail.clone(),
                        v.parent.as_ref().map(|parent| parent.id),
                        v.path.clone(),
                    )
                })
            };
            assert_eq!(essence(&full), essence(&cheap), "seed {seed} under {policy}\n{program}");
            found += usize::from(full.violation.is_some());
            assert!(policy == "5.1" || full.violation.is_none(), "seed {seed}: {:?}\n{program}", full.violation);
        }
    }
    assert!(found > 3, "only {found} of the programs show the fault of 5.1");
}

#[test]
fn random_programs_in_changing_modes_break_nothing_and_both_levels_find_the_same_in_a_faulty_one() {
    let mut found = 0;
    for seed in 0..16 {
        let program = random::program(seed, true);
        let sound = run(&program, "generational", Checker::new(Level::Full));
        assert_eq!(sound.violation, None, "seed {seed}\n{program}");
        assert!(sound.events > 0);
        let essence = |run: Run| run.violation.map(|violation| (violation.event, violation.signature()));
        let full = essence(run(&program, "generational,setupvalue=closure", Checker::new(Level::Full)));
        let cheap = essence(run(&program, "generational,setupvalue=closure", Checker::new(Level::Barrier)));
        assert_eq!(full, cheap, "seed {seed}\n{program}");
        found += usize::from(full.is_some());
    }
    assert!(found > 3, "only {found} of the programs show the closure as the wrong parent");
}

/// What a program's tables, variables and weak entries are at its end, however its collections went.
const SUMMARY: &str = r#"
for _ = 1, 3 do collectgarbage() end
local function show(value, depth)
  if type(value) ~= "table" or depth == 0 then return type(value) end
  local parts = {}
  for key, item in pairs(value) do
    parts[#parts + 1] = (type(key) == "table" and "table" or tostring(key)) .. "=" .. show(item, depth - 1)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, " ") .. "}"
end
for i = 1, 8 do print(i, show(t[i], 3), co[i] and show(co[i](i), 2)) end
for i = 1, 16 do print(i, select('#', f[i]()), show(f[i](), 3)) end
print(show(weak, 2))
"#;

#[derive(Clone, Default)]
struct Output(Rc<RefCell<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a program under a check; what it printed.
fn print_under(program: &str, policy: &str, semantics: Semantics, level: Level) -> String {
    let mut options = Options::default();
    options.policy = policy.parse().expect("a policy");
    options.semantics = Some(semantics);
    let output = Output::default();
    let mut vm = Vm::observed(options, Box::new(Checker::new(level)));
    vm.set_output(output.clone());
    let ended = vm.run(program.as_bytes(), b"=program", &[]);
    let collected = vm.collect();
    let closed = vm.close();
    let mut checker = checker_of(&mut vm);
    checker.look(vm.heap().view());
    let violation = checker.into_violation();
    assert!(violation.is_none(), "{policy}: {violation:?}\n{program}");
    assert_eq!((ended, collected, closed), (Ok(()), Ok(()), Ok(())), "{policy}\n{program}");
    String::from_utf8_lossy(&output.0.borrow()).into_owned()
}

#[test]
fn under_every_sound_combination_of_rules_a_program_prints_the_same_and_nothing_is_found() {
    for seed in 1000..1008 {
        // When a finalizer runs is the collector's choice; so these have no effect that a program could see.
        let program = random::program(seed, false).replace("t[5] = o", "o.f = function() return o end") + SUMMARY;
        let mut semantics = Semantics::default();
        let expected = print_under(&program, "5.4", semantics, Level::Step);
        assert!(expected.lines().count() >= 25, "{expected}");
        for variant in 0..2 {
            let policy = random::policy(2 * seed + variant);
            semantics.closure_cache = variant == 1;
            assert_eq!(print_under(&program, &policy, semantics, Level::Full), expected, "{policy}\n{program}");
        }
    }
}

#[test]
fn looks_at_a_deep_stack_take_no_longer_than_it_is_deep() {
    let recursion = "local function f(n) local t = {} if n == 0 then return 0 end return 1 + f(n - 1) end assert(f(DEPTH) == DEPTH)";
    let seconds = |depth: u32| {
        let start = std::time::Instant::now();
        assert_eq!(signature(&recursion.replace("DEPTH", &depth.to_string()), "5.4", Level::Barrier), None);
        start.elapsed().as_secs_f64()
    };
    seconds(1000);
    let (short, long) = (seconds(2_000), seconds(40_000));
    // Twenty times as deep: with the square of the depth it would be some 400 times as long.
    assert!(long < 120.0 * short.max(0.002), "{short} and {long} seconds");
}
