//! Generational mode, seen through the heap view: how objects age, what minor and major collections free, and changes of
//! the mode at any moment.

mod common;

use common::{check, run, run_with};
use moonphase_heap::{Heap, Label, NamedLabel, Root};
use moonphase_vm::gc::{Age, Event, GrayList, Interests, Mode, ObjectView, Observer, Phase, Policy, StepKind};
use moonphase_vm::{Options, Vm};
use std::any::Any;
use std::ops::ControlFlow;

/// A VM in generational mode whose collector moves by explicit steps only, so that each is a minor collection.
fn generational(program: &str) -> Vm {
    let mut options = Options::default();
    options.policy = Policy::GENERATIONAL;
    let mut vm = Vm::new(options).expect("a sound policy");
    go_on(&mut vm, "collectgarbage('stop')");
    go_on(&mut vm, program);
    vm
}

fn go_on(vm: &mut Vm, program: &str) {
    assert_eq!(vm.run(program.as_bytes(), b"=t", &[]), Ok(()), "{program}");
}

fn minor(vm: &mut Vm) {
    go_on(vm, "collectgarbage('step', 0)");
}

/// The object to which these references lead from the table of globals, each named as the view labels it.
fn find<'h>(vm: &'h Vm, path: &[&str]) -> ObjectView<'h> {
    let view = vm.heap().view();
    let mut at = None;
    view.roots(|edge| {
        if edge.label == Label::Root(Root::Registry) {
            at = Some(edge.target);
        }
    });
    for step in ["[2]"].iter().chain(path) {
        let from = at.take().expect("an object before");
        view.references(from, |edge| {
            if NamedLabel::of(view, Some(from), edge.label).to_string() == *step {
                at = Some(edge.target);
            }
        });
        assert!(at.is_some(), "{from:?} has no {step}");
    }
    at.expect("a path")
}

/// The ages of an object, now and after each of so many minor collections.
fn ages(vm: &mut Vm, path: &[&str], collections: usize) -> Vec<&'static str> {
    let mut ages = vec![find(vm, path).age().name()];
    for _ in 0..collections {
        minor(vm);
        ages.push(find(vm, path).age().name());
    }
    ages
}

fn is_listed(vm: &Vm, object: ObjectView<'_>) -> bool {
    vm.heap().view().gray_list(GrayList::GrayAgain).any(|member| member == object)
}

#[test]
fn an_object_is_new_then_a_survival_then_old1_and_old_after_three_collections() {
    let mut vm = generational("x = {}");
    assert_eq!(ages(&mut vm, &["[\"x\"]"], 4), ["new", "survival", "old1", "old", "old"]);
    // So is one with a finalizer, in a list of its own, and a string.
    let mut vm = generational("x = setmetatable({}, {__gc = print}) y = ('long'):rep(20)");
    assert_eq!(ages(&mut vm, &["[\"x\"]"], 3), ["new", "survival", "old1", "old"]);
    let mut vm = generational("y = ('long'):rep(20)");
    assert_eq!(ages(&mut vm, &["[\"y\"]"], 3), ["new", "survival", "old1", "old"]);
    // A survival that gets a finalizer goes on in the other list.
    let mut vm = generational("x = {}");
    minor(&mut vm);
    go_on(&mut vm, "setmetatable(x, {__gc = print})");
    assert_eq!(ages(&mut vm, &["[\"x\"]"], 2), ["survival", "old1", "old"]);
}

#[test]
fn a_young_object_is_white_between_collections_and_an_old_one_black() {
    let mut vm = generational("x = {}");
    for white in [true, true, false, false] {
        assert_eq!(find(&vm, &["[\"x\"]"]).is_white(), white);
        assert_eq!(find(&vm, &["[\"x\"]"]).is_black(), !white);
        minor(&mut vm);
    }
    assert_eq!(vm.heap().phase(), Phase::Propagate);
}

#[test]
fn an_old_table_that_is_given_a_young_value_is_touched1_then_touched2_then_old() {
    let mut vm = generational("t = {} collectgarbage()");
    assert_eq!(find(&vm, &["[\"t\"]"]).age(), Age::Old);
    go_on(&mut vm, "t[1] = {}");
    let table = find(&vm, &["[\"t\"]"]);
    assert!(table.is_gray() && is_listed(&vm, table));
    assert_eq!(find(&vm, &["[\"t\"]", "[1]"]).age(), Age::New);
    minor(&mut vm);
    let table = find(&vm, &["[\"t\"]"]);
    assert_eq!(table.age(), Age::Touched2);
    assert!(table.is_black() && is_listed(&vm, table));
    assert_eq!(find(&vm, &["[\"t\"]", "[1]"]).age(), Age::Survival);
    minor(&mut vm);
    let table = find(&vm, &["[\"t\"]"]);
    assert_eq!(table.age(), Age::Old);
    assert!(table.is_black() && !is_listed(&vm, table));
    assert_eq!(find(&vm, &["[\"t\"]", "[1]"]).age(), Age::Old1);
}

#[test]
fn a_table_that_is_touched_again_begins_anew() {
    let mut vm = generational("t = {} collectgarbage() t[1] = {}");
    minor(&mut vm);
    go_on(&mut vm, "t[2] = {}");
    assert_eq!(ages(&mut vm, &["[\"t\"]"], 2), ["touched1", "touched2", "old"]);
    assert_eq!(find(&vm, &["[\"t\"]", "[2]"]).age(), Age::Old1);
}

#[test]
fn weak_tables_are_touched_like_others() {
    for mode in ["k", "v", "kv"] {
        let mut vm = generational(&format!(
            "t = setmetatable({{}}, {{__mode = '{mode}'}}) collectgarbage() kept = {{}} t[kept] = kept t[1] = kept t[{{}}] = {{}}"
        ));
        assert_eq!(ages(&mut vm, &["[\"t\"]"], 2), ["touched1", "touched2", "old"], "{mode}");
        assert_eq!(find(&vm, &["[\"t\"]", "[1]"]).age(), Age::Old1, "{mode}");
        let table = find(&vm, &["[\"t\"]"]);
        let mut references = 0;
        vm.heap().view().references(table, |edge| references += usize::from(edge.label != Label::Metatable));
        assert_eq!(references, 3, "{mode}: the entry that nothing else refers to is gone");
    }
}

#[test]
fn a_forward_barrier_makes_the_child_old0_and_leaves_what_it_refers_to_young() {
    let program = "local up function get() return up end function set(v) up = v end collectgarbage() set({{}})";
    let mut vm = generational(program);
    let child = ["[\"get\"]", "upvalue #1 'up'", "value"];
    let inner = [&child[..], &["[1]"]].concat();
    assert_eq!(find(&vm, &inner).age(), Age::New);
    assert_eq!(ages(&mut vm, &child, 2), ["old0", "old1", "old"]);
    assert_eq!(find(&vm, &inner).age(), Age::Old1);
    minor(&mut vm);
    assert_eq!(find(&vm, &inner).age(), Age::Old);
    // The same for a metatable.
    let mut vm = generational("t = {} collectgarbage() setmetatable(t, {})");
    assert_eq!(ages(&mut vm, &["[\"t\"]", "metatable"], 2), ["old0", "old1", "old"]);
}

#[test]
fn an_upvalue_that_a_barrier_makes_old_takes_its_value_along() {
    let program = "local function make() local v = {} return function() return v end end
        f = make() collectgarbage() local g = make() debug.upvaluejoin(f, 1, g, 1)";
    let vm = generational(program);
    assert_eq!(find(&vm, &["[\"f\"]", "upvalue #1 'v'"]).age(), Age::Old0);
    let value = find(&vm, &["[\"f\"]", "upvalue #1 'v'", "value"]);
    assert!(value.age() == Age::Old0 && value.is_gray());
    // By the rule of Lua 5.4 the value is left behind, young and not white.
    let mut options = Options::default();
    options.policy = "generational,old0=child".parse().expect("a policy");
    let mut vm = Vm::observed(options, Box::new(Steps::default()));
    go_on(&mut vm, program);
    let value = find(&vm, &["[\"f\"]", "upvalue #1 'v'", "value"]);
    assert!(value.age() == Age::New && value.is_gray());
}

#[test]
fn an_old_thread_waits_on_the_gray_again_list_for_ever() {
    let mut vm = generational("co = coroutine.create(function(v) while true do v = coroutine.yield(v) end end)");
    let path = ["[\"co\"]"];
    assert_eq!(ages(&mut vm, &path, 2), ["new", "survival", "old1"]);
    assert!(find(&vm, &path).is_black(), "the next collection traverses what is old1");
    for _ in 0..3 {
        minor(&mut vm);
        let thread = find(&vm, &path);
        assert!(thread.age() == Age::Old && thread.is_gray() && is_listed(&vm, thread));
    }
    go_on(&mut vm, "coroutine.resume(co, {'young'}) coroutine.resume(co, {'young'})");
    minor(&mut vm);
    minor(&mut vm);
    go_on(&mut vm, "local _, value = coroutine.resume(co) assert(value == nil)");
}

#[test]
fn open_upvalues_stay_gray_at_any_age_and_closing_keeps_their_values() {
    let mut vm = generational(
        "co = coroutine.wrap(function() local v = {} f = function() return v end
        while true do coroutine.yield() v = {v} end end) co() collectgarbage()",
    );
    let path = ["[\"f\"]", "upvalue #1 'v'"];
    assert!(find(&vm, &path).age() == Age::Old && find(&vm, &path).is_gray());
    // A new value on the stack of an old thread needs no barrier; it ages with the collections.
    go_on(&mut vm, "co()");
    let value = [&path[..], &["value"]].concat();
    assert_eq!(ages(&mut vm, &value, 3), ["new", "survival", "old1", "old"]);
    go_on(&mut vm, "co() co = nil collectgarbage('step') collectgarbage() assert(type(f()[1][1]) == 'table')");
    assert!(find(&vm, &path).is_black(), "its thread is gone");
}

#[test]
fn a_minor_collection_frees_young_garbage_and_a_major_one_old_garbage_too() {
    let printed = run("collectgarbage('generational') collectgarbage('stop')
        local weak = setmetatable({}, {__mode = 'v'})
        weak.old = {}
        local keep = weak.old
        collectgarbage()
        keep = nil
        local function make() weak.young = {} end
        make()
        collectgarbage('step', 0)
        print(weak.young, type(weak.old))
        for _ = 1, 5 do collectgarbage('step', 0) end
        print(type(weak.old))
        collectgarbage()
        print(weak.old)");
    assert_eq!(printed, "nil\ttable\ntable\nnil\n");
}

#[test]
fn finalizers_run_after_minor_collections_and_may_revive() {
    let printed = run("collectgarbage('generational') collectgarbage('stop')
        local revived
        local meta = {__gc = function(o) io.write(o.name, ' ') revived = o end}
        local function make(name) setmetatable({name = name}, meta) end
        make('a') make('b')
        collectgarbage('step', 0)
        print(revived.name)
        for i = 1, 4 do collectgarbage('step', 0) end
        setmetatable(revived, meta)
        revived = nil
        collectgarbage('step', 0)
        print('old')
        collectgarbage()
        print(revived.name)");
    assert_eq!(printed, "b a a\nold\na a\n");
}

#[test]
fn ephemerons_are_settled_in_minor_collections() {
    let printed = run("collectgarbage('generational') collectgarbage('stop')
        local links = setmetatable({}, {__mode = 'k'})
        collectgarbage()
        local first = {}
        local function chain()
            local last = first
            for i = 1, 50 do local next = {} links[last] = next last = next end
            for i = 1, 50 do links[{}] = {} end
        end
        chain()
        local function count() local n = 0 for _ in pairs(links) do n = n + 1 end return n end
        collectgarbage('step', 0)
        print(count())
        collectgarbage('step', 0)
        first = nil
        collectgarbage('step', 0)
        print(count())
        collectgarbage()
        print(count())");
    assert_eq!(printed, "50\n50\n0\n");
}

#[test]
fn the_mode_changes_in_the_middle_of_any_phase() {
    // After so many smallest steps the collector is somewhere in its cycle.
    for steps in (0..700).step_by(7) {
        let mut vm = Vm::new(Options::default()).expect("a sound policy");
        go_on(
            &mut vm,
            &format!(
                "collectgarbage('incremental', 100, 100, 1) collectgarbage('stop')
                kept = {{}}
                local weak = setmetatable({{}}, {{__mode = 'k'}})
                for i = 1, 50 do kept[i] = setmetatable({{i}}, {{__gc = function() end}}) weak[kept[i]] = {{i}} end
                for i = 1, 50 do setmetatable({{i}}, {{__gc = function(o) kept[o] = o end}}) end
                for i = 1, {steps} do collectgarbage('step', 0) end
                assert(collectgarbage('generational') == 'incremental')
                for i = 1, 50 do kept[i] = {{kept[i]}} end
                collectgarbage('step', 0)
                assert(collectgarbage('generational') == 'generational')
                for i = 1, 50 do assert(kept[i][1][1] == i and weak[kept[i][1]][1] == i) end
                assert(collectgarbage('incremental') == 'generational')"
            ),
        );
        assert_eq!((vm.heap().view().mode(), vm.heap().phase()), (Mode::Incremental, Phase::Pause));
        assert!(vm.heap().view().objects().all(|object| object.age() == Age::New || object.age() == Age::Old));
        let fixed = vm.heap().view().list(moonphase_vm::gc::ListName::Fixed).count();
        let old = vm.heap().view().objects().filter(|object| object.age() == Age::Old).count();
        assert_eq!(old, fixed, "only fixed objects are old in incremental mode");
    }
}

#[test]
fn the_mode_changes_inside_coroutines_and_hooks_and_not_inside_finalizers() {
    check(
        "local co = coroutine.wrap(function()
            local v = {}
            local function get() return v end
            for i = 1, 20 do
                collectgarbage(i % 2 == 0 and 'incremental' or 'generational')
                v = {i}
                coroutine.yield(get)
                collectgarbage('step', 0)
                assert(get()[1] == i)
            end
        end)
        for i = 1, 20 do assert(co()()[1] == i) end
        setmetatable({}, {__gc = function() print(collectgarbage('generational'), collectgarbage('step')) end})
        collectgarbage('incremental')
        collectgarbage()
        print(collectgarbage('incremental'))",
        "nil\tnil\nincremental\n",
    );
}

#[test]
fn memory_stays_bounded_while_young_garbage_is_made() {
    let printed = run("collectgarbage('generational')
        local t = {}
        local most = 0
        for i = 1, 300000 do
            t[i % 100] = {i}
            if i % 1000 == 0 then most = math.max(most, collectgarbage('count')) end
        end
        print(most < 2000)");
    assert_eq!(printed, "true\n");
}

#[test]
fn under_a_memory_limit_old_garbage_makes_room_without_finalizers() {
    let mut options = Options::default();
    options.policy = Policy::GENERATIONAL;
    options.memory_limit = 1 << 20;
    // Majors are put off, so that only the limit can bring one about.
    let (printed, result) = run_with(
        options,
        "collectgarbage('generational', 20, 1000)
        local queue = {}
        for i = 1, 20000 do
            queue[i % 500] = ('x'):rep(200) .. i
            if i % 100 == 0 then setmetatable({}, {__gc = function() assert(#queue[1] > 200) end}) end
        end
        print(#queue)",
    );
    assert_eq!((printed.as_str(), result), ("499\n", Ok(())));
}

/// Counts collections and notes how the collector works after each major one.
#[derive(Default)]
struct Steps {
    minors: usize,
    majors: Vec<Mode>,
}

impl<H: Heap> Observer<H> for Steps {
    fn interests(&self) -> Interests {
        Interests { stores: false, steps: true, idle: true, fine: false }
    }

    fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        match event {
            Event::StepEnd(StepKind::Minor, _) => self.minors += 1,
            Event::StepEnd(StepKind::Major, _) => self.majors.push(heap.mode()),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn steps_of(program: &str) -> Steps {
    let mut options = Options::default();
    options.policy = Policy::GENERATIONAL;
    let mut vm = Vm::observed(options, Box::new(Steps::default()));
    go_on(&mut vm, program);
    let steps = vm.take_observer().and_then(|observer| observer.into_any().downcast().ok());
    *steps.expect("the observer that was installed")
}

#[test]
fn after_a_bad_collection_the_collector_works_incrementally_until_a_good_one() {
    let steps = steps_of(
        "local big = {}
        for i = 1, 100000 do big[i] = {i} end
        for i = 1, 400000 do local garbage = {i} end",
    );
    assert!(steps.majors.contains(&Mode::Incremental), "{:?}", steps.majors);
    assert_eq!(steps.majors.last(), Some(&Mode::Generational), "{:?}", steps.majors);
    assert!(steps.minors > 10, "{} minor collections", steps.minors);
}

#[test]
fn the_multipliers_say_how_often_there_are_minor_and_major_collections() {
    let program = |parameters: &str| {
        steps_of(&format!(
            "collectgarbage('generational', {parameters})
            local queue = {{}}
            for i = 1, 50000 do queue[i % 1000] = {{i}} end"
        ))
    };
    let (often, usual, seldom) = (program("5, 400"), program("20, 400"), program("100, 400"));
    assert!(often.minors > 2 * usual.minors, "{} and {}", often.minors, usual.minors);
    assert!(usual.minors > 2 * seldom.minors, "{} and {}", usual.minors, seldom.minors);
    let eager = program("20, 20");
    assert!(eager.majors.len() > usual.majors.len(), "{} and {}", eager.majors.len(), usual.majors.len());
}

#[test]
fn a_step_is_a_minor_collection_and_ends_no_cycle() {
    let steps = steps_of("for i = 1, 10 do assert(not collectgarbage('step', 0)) end");
    assert_eq!((steps.minors, steps.majors.len()), (10, 0));
}

#[test]
fn the_preset_starts_in_the_mode_and_a_collector_without_one_goes_on_incrementally() {
    let program = "print(collectgarbage('generational')) x = {} collectgarbage('step', 0)
        print(collectgarbage('generational'), collectgarbage('incremental'), collectgarbage('incremental'))";
    for (policy, first) in [("generational", "generational"), ("5.4", "incremental"), ("5.2", "incremental")] {
        let mut options = Options::default();
        options.policy = policy.parse().expect("a policy");
        let (printed, result) = run_with(options.clone(), program);
        assert_eq!(
            (printed, result),
            (format!("{first}\ngenerational\tgenerational\tincremental\n"), Ok(())),
            "{policy}"
        );
        let mut vm = Vm::new(options).expect("a sound policy");
        go_on(&mut vm, "collectgarbage('generational')");
        let expected = if policy == "5.2" { Mode::Incremental } else { Mode::Generational };
        assert_eq!(vm.heap().view().mode(), expected, "{policy}");
    }
}
