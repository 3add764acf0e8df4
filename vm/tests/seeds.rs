//! What the articles that the project began with observe of the collector: threads, floating garbage, finalizers, weak tables,
//! the life of upvalues and the closure cache, full collections from the middle of marking, and barriers while sweeping.

mod common;

use common::stepper::{Happened, Stepper};
use moonphase_heap::Heap as _;
use moonphase_vm::gc::{Colour, Event, GrayList, Kind, ListName, Phase, Semantics, StepKind};
use std::cell::RefCell;
use std::rc::Rc;

/// The sound collectors of the Luas.
const LUAS: [&str; 4] = ["5.1,setupvalue=upvalue", "5.2", "5.3", "5.4"];

/// Runs a program to its end and gives what it left in the global `out`.
fn output(stepper: &mut Stepper, program: &str) -> String {
    stepper
        .run(&format!("out = {{}} local function print(...) out[#out + 1] = table.concat({{...}}, ' ') end {program}"));
    stepper.run("out = table.concat(out, '; ')");
    let bytes = stepper.at(&["out"]).contents().expect("a string");
    String::from_utf8(bytes).expect("text")
}

fn with_semantics(policy: &str, change: impl FnOnce(&mut Semantics)) -> Stepper {
    Stepper::with(policy, change, |_, _| {})
}

// Marking.

#[test]
fn a_thread_waits_on_the_gray_again_list_and_is_traversed_again_in_the_atomic_phase() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        stepper
            .run("co = coroutine.create(function(v) while true do v = coroutine.yield() end end) coroutine.resume(co)");
        let co = stepper.id(&["co"]);
        stepper.forget();
        stepper.step_until("the thread is traversed", |stepper| stepper.gray_lists_of(co) == [GrayList::GrayAgain]);
        assert_eq!(stepper.colour(&["co"]), Colour::Gray, "{policy}");
        // A stack has no barrier: what is put there now is found by the second traversal alone.
        stepper.run("local new = {} kept = setmetatable({new}, {__mode = 'v'}) coroutine.resume(co, new)");
        let new = stepper.id(&["kept", "[1]"]);
        stepper.step_to(Phase::EnterAtomic);
        assert_eq!(stepper.colour_of(new), Some(Colour::White), "{policy}");
        assert_eq!(stepper.gray_lists_of(co), [GrayList::GrayAgain], "{policy}");
        stepper.step();
        let events = stepper.events();
        let traversals = events.iter().filter(|&&event| event == Happened::Traverse(co)).count();
        assert_eq!(traversals, 2, "{policy}");
        let second = events.iter().rposition(|&event| event == Happened::Traverse(co)).expect("traversed");
        let marked = events.iter().position(|&event| event == Happened::Mark(new)).expect("marked");
        assert!(marked > second, "{policy}");
        stepper.step_to(Phase::Pause);
        assert!(!stepper.freed(new), "{policy}");
    }
}

#[test]
fn an_object_that_becomes_unreachable_when_it_is_black_lives_until_the_next_cycle() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        stepper.run("object = {}");
        let object = stepper.id(&["object"]);
        stepper.step_until("it is black", |stepper| stepper.colour_of(object) == Some(Colour::Black));
        stepper.run("object = nil");
        stepper.step_to(Phase::Pause);
        assert!(!stepper.freed(object), "{policy}");
        assert_eq!(stepper.colour_of(object), Some(Colour::White), "{policy}");
        stepper.step_to(Phase::Propagate);
        stepper.step_to(Phase::Pause);
        assert!(stepper.freed(object), "{policy}");
    }
}

#[test]
fn an_object_that_becomes_unreachable_when_it_is_white_dies_in_the_same_cycle() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        stepper.run("object = {}");
        let object = stepper.id(&["object"]);
        stepper.step_to(Phase::Propagate);
        stepper.run("object = nil");
        stepper.step_to(Phase::Pause);
        assert!(stepper.freed(object), "{policy}");
    }
}

#[test]
fn a_new_object_has_the_current_white_and_the_white_is_flipped_in_the_atomic_phase() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        stepper.step_to(Phase::EnterAtomic);
        stepper.run("before = setmetatable({{}}, {__mode = 'v'})");
        let garbage = stepper.id(&["before", "[1]"]);
        assert_eq!(stepper.colour_of(garbage), Some(Colour::White), "{policy}");
        stepper.step();
        assert_eq!(stepper.colour_of(garbage), Some(Colour::OtherWhite), "{policy}");
        stepper.run("after = {}");
        assert_eq!(stepper.colour(&["after"]), Colour::White, "{policy}");
    }
}

// Finalizers.

#[test]
fn a_finalizer_must_be_there_when_the_metatable_is_set() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        let printed = output(
            &mut stepper,
            "local late, early = {}, {__gc = function() print('early') end}
            setmetatable({}, late) setmetatable({}, early)
            late.__gc = function() print('late') end
            collectgarbage() print('again')
            local object = setmetatable({}, late)
            setmetatable(object, late) object = nil
            collectgarbage()",
        );
        assert_eq!(printed, "early; again; late", "{policy}");
    }
}

#[test]
fn a_mark_for_finalization_calls_what_the_metatable_has_then() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        let printed = output(
            &mut stepper,
            "local meta = {__gc = true}
            setmetatable({}, meta)
            meta.__gc = function() print('set later') end
            collectgarbage()",
        );
        assert_eq!(printed, "set later", "{policy}");
    }
}

#[test]
fn finalizers_of_a_cycle_run_in_the_reverse_order_of_marking_their_objects() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        let printed = output(
            &mut stepper,
            "local objects = {}
            for i = 1, 5 do objects[i] = {} end
            -- Neither the order of creation nor that of the table.
            for _, i in ipairs {3, 1, 5, 2, 4} do
                setmetatable(objects[i], {__gc = function() print(i) end})
            end
            objects = nil
            collectgarbage()",
        );
        assert_eq!(printed, "4; 2; 5; 1; 3", "{policy}");
    }
}

#[test]
fn finalizable_objects_wait_in_their_list_and_are_ordinary_ones_once_their_finalizer_is_called() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        stepper.run("object = setmetatable({}, {__gc = function(o) revived = o end})");
        let object = stepper.id(&["object"]);
        assert_eq!(stepper.lists_of(object), [ListName::Finalizable], "{policy}");
        stepper.run("object = nil");
        stepper.step_to(Phase::EnterAtomic);
        assert_eq!(stepper.colour_of(object), Some(Colour::White), "{policy}");
        stepper.forget();
        stepper.step_until("it is finalized", |stepper| stepper.lists_of(object) == [ListName::All]);
        let events = stepper.events();
        assert!(events.iter().any(|event| matches!(event, Happened::Finalize(id, _) if *id == object)), "{policy}");
        assert!(events.contains(&Happened::Mark(object)), "{policy}: it is marked when it is picked out");
        stepper.step_to(Phase::Pause);
        assert_eq!(stepper.id(&["revived"]), object, "{policy}");
        assert!(!stepper.freed(object), "{policy}");
    }
}

#[test]
fn a_finalizer_sees_all_that_its_object_refers_to_and_a_revived_object_dies_later_without_it() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        let printed = output(
            &mut stepper,
            "local object = {inner = {text = 'inner' .. 'most'}}
            setmetatable(object, {__gc = function(o) print(o.inner.text) revived = o end})
            object = nil
            collectgarbage()
            print(revived.inner.text)
            local gone = setmetatable({revived}, {__mode = 'v'})
            revived = nil
            collectgarbage()
            print(tostring(gone[1]))",
        );
        assert_eq!(printed, "innermost; innermost; nil", "{policy}");
    }
}

#[test]
fn an_object_that_gets_a_finalizer_while_sweeping_is_white_and_the_sweep_goes_on_behind_it() {
    for policy in LUAS {
        for later in [0, 1, 5] {
            let mut stepper = Stepper::new(policy);
            let files = stepper.view().list(ListName::Finalizable).count();
            stepper.run("objects = {} for i = 1, 150 do objects[i] = {} end");
            stepper.collect();
            stepper.step_to(Phase::Propagate);
            stepper.step_to(Phase::SweepAll);
            for _ in 0..later {
                stepper.step();
            }
            stepper.forget();
            stepper.run("local meta = {__gc = function() end} for i = 1, 150 do setmetatable(objects[i], meta) end");
            for item in ["[1]", "[75]", "[150]"] {
                assert_eq!(stepper.colour(&["objects", item]), Colour::White, "{policy} {item}");
                assert_eq!(stepper.lists_of(stepper.id(&["objects", item])), [ListName::Finalizable], "{policy}");
            }
            stepper.step_to(Phase::Pause);
            let view = stepper.view();
            assert_eq!(view.list(ListName::Finalizable).count(), files + 150, "{policy}");
            let objects = ListName::COLLECTED.into_iter().flat_map(|list| view.list(list));
            assert!(objects.into_iter().all(|object| view.colour(object) == Colour::White), "{policy}");
        }
    }
}

const SET_AGAIN: &str = "
    local meta = {} meta.__gc = function(o) print('finalized') revived = o end
    setmetatable({}, meta)
    collectgarbage()
    setmetatable(revived, meta) revived = nil
    collectgarbage()
    print(revived and 'revived again' or 'gone')";

#[test]
fn a_revived_object_whose_metatable_is_set_again_is_finalized_again_but_not_in_5_2() {
    for policy in LUAS {
        let again = output(&mut with_semantics(policy, |semantics| semantics.finalize_again = true), SET_AGAIN);
        assert_eq!(again, "finalized; finalized; revived again", "{policy}");
        let once = output(&mut with_semantics(policy, |semantics| semantics.finalize_again = false), SET_AGAIN);
        assert_eq!(once, "finalized; gone", "{policy}");
    }
}

#[test]
fn tables_have_no_finalizers_in_5_1() {
    for policy in LUAS {
        let mut stepper = with_semantics(policy, |semantics| semantics.table_finalizers = false);
        let printed =
            output(&mut stepper, "setmetatable({}, {__gc = function() print('called') end}) collectgarbage()");
        assert_eq!(printed, "", "{policy}");
    }
}

#[test]
fn closing_the_state_calls_all_finalizers_in_each_phase() {
    let mut phases = vec![Phase::Propagate, Phase::EnterAtomic, Phase::CallFinalizers, Phase::Pause];
    phases.extend([Phase::SweepStrings, Phase::SweepAll, Phase::SweepFinalizable, Phase::SweepToBeFinalized]);
    for policy in LUAS {
        let mut closed = 0;
        for &phase in &phases {
            let mut stepper = Stepper::new(policy);
            let files = stepper.view().list(ListName::Finalizable).count();
            // Some are dead when the state is closed, some wait already, some are in use.
            stepper.run(
                "local meta = {__gc = function() setmetatable({}, {}) end}
                for i = 1, 8 do setmetatable({}, meta) end
                kept = {} for i = 1, 8 do kept[i] = setmetatable({}, meta) end",
            );
            stepper.forget();
            stepper.step_to(Phase::Propagate);
            for _ in 0..2000 {
                if stepper.phase() == phase || stepper.phase() == Phase::Pause {
                    break;
                }
                stepper.step();
            }
            if stepper.phase() != phase {
                continue;
            }
            closed += 1;
            assert_eq!(stepper.vm.close(), Ok(()), "{policy}");
            let finalized = stepper.events().iter().filter(|event| matches!(event, Happened::Finalize(..))).count();
            assert_eq!(finalized, files + 16, "{policy} in {}", phase.name());
        }
        assert!(closed >= 5, "{policy}: {closed} phases");
    }
}

// Weak tables.

#[test]
fn an_ephemeron_holds_its_value_as_long_as_its_key_lives_and_a_weak_key_of_5_1_for_ever() {
    let program = "
        local weak = setmetatable({}, {__mode = 'k'})
        do local key = {} weak[key] = {key} end
        local function count() collectgarbage() local n = 0 for _ in pairs(weak) do n = n + 1 end return n end
        print(count())
        do local first = {} kept = first for i = 1, 20 do local next = {} weak[first] = {next} first = next end end
        print(count())
        kept = nil
        print(count())";
    for policy in LUAS {
        let ephemerons = output(&mut with_semantics(policy, |semantics| semantics.ephemerons = true), program);
        assert_eq!(ephemerons, "0; 20; 0", "{policy}");
        let strong = output(&mut with_semantics(policy, |semantics| semantics.ephemerons = false), program);
        assert_eq!(
            strong, "1; 21; 20",
            "{policy}: values hold their own and the next key, but for the first of the chain"
        );
    }
}

#[test]
fn an_ephemeron_table_waits_until_its_keys_are_known_and_marks_values_in_the_atomic_phase_only_for_living_ones() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        stepper.run(
            "weak = setmetatable({}, {__mode = 'k'})
            values = setmetatable({}, {__mode = 'v'})
            do local key = {} values.dead = {} weak[key] = values.dead end
            values.alive = {} weak[weak] = values.alive",
        );
        let (weak, dead) = (stepper.id(&["weak"]), stepper.id(&["values", "[\"dead\"]"]));
        stepper.step_until("the table is traversed", |stepper| !stepper.gray_lists_of(weak).is_empty());
        stepper.step_to(Phase::EnterAtomic);
        assert_eq!(stepper.gray_lists_of(weak), [GrayList::GrayAgain], "{policy}");
        stepper.step();
        assert_eq!(
            stepper.gray_lists_of(weak),
            [GrayList::Ephemerons],
            "{policy}: it had a dead key with a dead value"
        );
        assert_eq!(stepper.colour_of(dead), Some(Colour::OtherWhite), "{policy}");
        stepper.run("assert(values.alive and not values.dead and weak[weak] == values.alive)");
    }
}

#[test]
fn weak_tables_of_the_three_kinds_wait_for_clearing_in_a_list_of_their_own() {
    let cases = [("v", GrayList::WeakValues), ("k", GrayList::Ephemerons), ("kv", GrayList::AllWeak)];
    for policy in LUAS {
        for (mode, list) in cases {
            let mut stepper = Stepper::new(policy);
            stepper.run(&format!(
                "weak = setmetatable({{}}, {{__mode = '{mode}'}}) weak[{{}}] = {{}} kept = {{}} weak[kept] = kept"
            ));
            if mode == "v" {
                stepper.run("weak[1] = {} weak[2] = kept");
            }
            let weak = stepper.id(&["weak"]);
            stepper.step_to(Phase::Propagate);
            stepper.step_to(Phase::EnterAtomic);
            stepper.step();
            assert_eq!(stepper.gray_lists_of(weak), [list], "{policy}, mode {mode}");
            stepper.step_to(Phase::Pause);
            stepper.run("local n = 0 for k, v in pairs(weak) do assert(v == kept) n = n + 1 end left = 'left ' .. n");
            let left = stepper.at(&["left"]).contents();
            assert_eq!(
                left.as_deref(),
                Some(if mode == "v" { b"left 2" } else { b"left 1" }.as_slice()),
                "{policy}, {mode}"
            );
        }
    }
}

#[test]
fn weak_keys_of_5_1_are_cleared_though_they_are_no_ephemerons() {
    for policy in LUAS {
        let mut stepper = with_semantics(policy, |semantics| semantics.ephemerons = false);
        stepper.run("weak = setmetatable({}, {__mode = 'k'}) weak[{}] = 'text' weak[weak] = 'kept'");
        let weak = stepper.id(&["weak"]);
        stepper.step_to(Phase::Propagate);
        stepper.step_to(Phase::EnterAtomic);
        stepper.step();
        assert_eq!(stepper.gray_lists_of(weak), [GrayList::AllWeak], "{policy}");
        stepper.run("local n = 0 for k, v in pairs(weak) do assert(v == 'kept') n = n + 1 end assert(n == 1)");
    }
}

#[test]
fn strings_are_never_removed_from_weak_tables() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        let printed = output(
            &mut stepper,
            "weak = setmetatable({}, {__mode = 'kv'})
            weak['key' .. 1] = 'value' .. 1 weak[1] = ('long'):rep(20) weak[{}] = 'gone with its key'
            collectgarbage() collectgarbage()
            local n = 0 for _ in pairs(weak) do n = n + 1 end
            print(n, weak.key1, #weak[1])",
        );
        assert_eq!(printed, "2 value1 80", "{policy}");
        for label in ["[\"key1\"]", "[1]", "key"] {
            assert_eq!(stepper.at(&["weak", label]).kind(), Kind::String, "{policy}");
        }
    }
}

#[test]
fn values_are_cleared_before_finalizers_run_and_keys_only_when_they_are_dead() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        let printed = output(
            &mut stepper,
            "local keys, values = setmetatable({}, {__mode = 'k'}), setmetatable({}, {__mode = 'v'})
            do
                local object = setmetatable({}, {__gc = function(o) print(keys[o] or 'no key', values[1] and 'value' or 'no value') end})
                keys[object], values[1] = 'key', object
            end
            collectgarbage()
            collectgarbage()
            print(next(keys) and 'left' or 'empty')",
        );
        assert_eq!(printed, "key no value; empty", "{policy}");
    }
}

// Upvalues.

#[test]
fn an_open_upvalue_is_gray_and_never_black_while_its_closed_sibling_is_black() {
    for policy in ["5.1,setupvalue=upvalue", "5.2", "5.4"] {
        let mut stepper = Stepper::new(policy);
        stepper.run(
            "co = coroutine.create(function()
                local open = {}
                do local closed = {} function hand() return open, closed end end
                coroutine.yield()
            end)
            coroutine.resume(co)",
        );
        stepper.step_to(Phase::EnterAtomic);
        assert_eq!(stepper.colour(&["hand"]), Colour::Black, "{policy}");
        let open = stepper.at(&["hand", "upvalue #1 'open'"]);
        assert_eq!((open.is_open_upvalue(), stepper.view().colour(open)), (true, Colour::Gray), "{policy}");
        assert_eq!(stepper.gray_lists_of(open.id()), [], "{policy}");
        assert_eq!(stepper.colour(&["hand", "upvalue #2 'closed'"]), Colour::Black, "{policy}");
        stepper.step();
        assert_eq!(stepper.colour(&["hand", "upvalue #1 'open'"]), Colour::Gray, "{policy}: atomic leaves it so");
    }
}

#[test]
fn closures_of_one_scope_share_an_upvalue_and_those_of_two_scopes_do_not() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        stepper.run("function make() local v = 0 return function() return v end, function(x) v = x end end");
        stepper.run("get, set = make() get2 = make()");
        assert_eq!(stepper.id(&["get", "upvalue #1 'v'"]), stepper.id(&["set", "upvalue #1 'v'"]), "{policy}");
        assert_ne!(stepper.id(&["get", "upvalue #1 'v'"]), stepper.id(&["get2", "upvalue #1 'v'"]), "{policy}");
    }
}

#[test]
fn upvalues_are_closed_from_the_top_of_the_stack_down() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        stepper.run("do local a, b, c = 1, 2, 3 function f() return c, a, b end end");
        let events = stepper.events();
        let of = |name: &str| stepper.id(&["f", name]);
        let (a, b, c) = (of("upvalue #2 'a'"), of("upvalue #3 'b'"), of("upvalue #1 'c'"));
        let opened: Vec<u32> =
            events.iter().filter_map(|e| if let Happened::Open(id) = e { Some(*id) } else { None }).collect();
        let closed: Vec<u32> =
            events.iter().filter_map(|e| if let Happened::Close(id) = e { Some(*id) } else { None }).collect();
        assert_eq!(opened[opened.len() - 3..], [c, a, b], "{policy}: as they are captured");
        assert_eq!(closed[closed.len() - 3..], [c, b, a], "{policy}");
    }
}

// The closure cache of 5.2 and 5.3.

fn caching(policy: &str) -> Stepper {
    with_semantics(policy, |semantics| semantics.closure_cache = true)
}

#[test]
fn the_closure_cache_makes_closures_identical_that_have_the_same_upvalues() {
    let program = "
        local shared = {}
        local function plain() return function() return 1 end end
        local function sharing() return function() return shared end end
        local function own() local v = {} return function() return v end end
        local function loop() local last, same for i = 1, 2 do local f = function() return i end same = f == last last = f end return same end
        print(tostring(plain() == plain()), tostring(sharing() == sharing()), tostring(own() == own()), tostring(loop()))";
    for policy in LUAS {
        assert_eq!(output(&mut caching(policy), program), "true true false false", "{policy}");
        assert_eq!(output(&mut Stepper::new(policy), program), "false false false false", "{policy}");
    }
}

#[test]
fn the_closure_cache_keeps_no_closure_alive() {
    for policy in LUAS {
        let mut stepper = caching(policy);
        stepper.run("function make() return function() return 1 end end kept = make()");
        let cached = stepper.id(&["kept"]);
        // A reference to the closure keeps the cache.
        stepper.collect();
        stepper.run("assert(make() == kept)");
        stepper.run("kept = nil");
        stepper.collect();
        assert!(stepper.freed(cached), "{policy}");
        stepper.run("kept = make()");
        assert_ne!(stepper.id(&["kept"]), cached, "{policy}");
    }
}

#[test]
fn the_closure_cache_is_used_in_each_phase_without_reviving_the_dead() {
    for policy in LUAS {
        let mut stepper = caching(policy);
        stepper.run("function make() return function() return 1 end end");
        for _ in 0..3 {
            stepper.step_to(Phase::Propagate);
            for _ in 0..5000 {
                if stepper.phase() == Phase::Pause {
                    break;
                }
                // Dropped and wanted again around each step: a dead one must not come back from the cache.
                stepper.run("kept = make() assert(make() == kept) kept = nil");
                stepper.step();
                stepper.run("kept = make() assert(kept() == 1)");
                let kept = stepper.at(&["kept"]);
                assert!(!kept.is_freed(), "{policy}");
                assert_ne!(stepper.view().colour(kept), Colour::OtherWhite, "{policy}");
                stepper.run("kept = nil");
            }
        }
    }
}

#[test]
fn a_closure_put_into_the_cache_of_a_black_prototype_has_it_traversed_again() {
    for policy in LUAS {
        let mut stepper = caching(policy);
        stepper.run("function make() return function() return 1 end end");
        let prototype = stepper.at(&["make", "prototype", "nested prototype 0"]);
        assert_eq!(prototype.kind(), Kind::Prototype);
        let prototype = prototype.id();
        stepper.step_until("the prototype is black", |stepper| stepper.colour_of(prototype) == Some(Colour::Black));
        stepper.run("made = setmetatable({make()}, {__mode = 'v'})");
        assert_eq!(stepper.gray_lists_of(prototype), [GrayList::GrayAgain], "{policy}");
        let closure = stepper.id(&["made", "[1]"]);
        stepper.step_to(Phase::Pause);
        assert!(stepper.freed(closure), "{policy}: the cache is emptied, for the closure is white");
        stepper.run("assert(make() == make())");
    }
}

// Full collections from the middle of marking.

#[test]
fn a_full_collection_from_mid_mark_sweeps_without_flipping_the_white_frees_nothing_and_undoes_the_marks() {
    for policy in LUAS {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let record = Rc::clone(&seen);
        // Objects of another colour than the current white when the abandoned cycle is swept.
        let mut abandoned = false;
        let watch = move |view: moonphase_vm::gc::HeapView<'_>, event: &Event<'_, moonphase_vm::gc::ObjectView<'_>>| {
            let phase = view.phase();
            match event {
                Event::StepBegin(kind) => abandoned |= *kind == StepKind::AbandonMarking,
                Event::PhaseChange(_) if abandoned && matches!(phase, Phase::CallFinalizers | Phase::Pause) => {
                    abandoned = false;
                    let waiting: Vec<_> = view.list(ListName::ToBeFinalized).collect();
                    let collected = ListName::COLLECTED.into_iter().flat_map(|list| view.list(list));
                    let odd = collected
                        .filter(|&object| view.colour(object) != Colour::White && !waiting.contains(&object))
                        .count();
                    record.borrow_mut().push(odd);
                }
                _ => {}
            }
        };
        let mut stepper = Stepper::with(policy, |_| {}, watch);
        stepper.run("kept = {{}, {}} garbage = setmetatable({{}}, {__mode = 'v'})");
        let garbage = stepper.id(&["garbage", "[1]"]);
        stepper.step_until("some are black", |stepper| stepper.colour(&["kept"]) == Colour::Black);
        seen.borrow_mut().clear();
        stepper.forget();
        stepper.run("collectgarbage()");
        assert_eq!(*seen.borrow(), [0], "{policy}: every object is of the current white again");
        let events = stepper.events();
        let of = |wanted: Happened| events.iter().position(|&event| event == wanted);
        let leap = of(Happened::Leap(StepKind::AbandonMarking)).expect("marking is abandoned");
        let flip = of(Happened::Phase(Phase::Atomic)).expect("a whole cycle follows");
        assert!(leap < flip, "{policy}");
        let freed = events.iter().position(|event| matches!(event, Happened::Free(_))).expect("garbage is freed");
        assert!(freed > flip, "{policy}: the abandoned cycle frees nothing");
        assert!(events.contains(&Happened::Free(garbage)), "{policy}");
        stepper.run("assert(#kept == 2)");
    }
}

#[test]
fn a_full_collection_from_each_step_of_a_cycle_leaves_the_same_objects() {
    for policy in LUAS {
        let mut counts = Vec::new();
        for steps in (0..420).step_by(30) {
            let mut stepper = Stepper::new(policy);
            stepper.run("kept = {} for i = 1, 50 do kept[i] = {i} end");
            for _ in 0..steps {
                stepper.step();
            }
            stepper.collect();
            counts.push(stepper.view().objects().filter(|object| object.kind() == Kind::Table).count());
        }
        assert!(counts.iter().all(|&count| count == counts[0]), "{policy}: {counts:?}");
    }
}

// Barriers while sweeping.

#[test]
fn a_backward_barrier_while_sweeping_leaves_a_white_table_on_the_gray_again_list_and_that_does_no_harm() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        stepper.run("object = {}");
        let object = stepper.id(&["object"]);
        stepper.collect();
        stepper.step_to(Phase::Propagate);
        stepper.step_until("the sweep begins", |stepper| stepper.phase() > Phase::Atomic);
        assert_eq!(stepper.colour_of(object), Some(Colour::Black), "{policy}: not swept yet");
        stepper.run("object[1] = {}");
        assert_eq!(stepper.colour_of(object), Some(Colour::Gray), "{policy}");
        assert_eq!(stepper.gray_lists_of(object), [GrayList::GrayAgain], "{policy}");
        stepper.step_to(Phase::Pause);
        assert_eq!(stepper.colour_of(object), Some(Colour::White), "{policy}");
        assert_eq!(stepper.gray_lists_of(object), [GrayList::GrayAgain], "{policy}: white, and still there");
        // The next cycle empties the list, and treats the table like any other.
        stepper.step_to(Phase::Propagate);
        assert_eq!(stepper.gray_lists_of(object), [], "{policy}");
        stepper.forget();
        stepper.step_to(Phase::EnterAtomic);
        let traversals = stepper.events().iter().filter(|&&event| event == Happened::Traverse(object)).count();
        assert_eq!(traversals, 1, "{policy}");
        stepper.run("object[2] = {}");
        stepper.step_to(Phase::Pause);
        stepper.collect();
        for item in ["[1]", "[2]"] {
            assert_eq!(stepper.at(&["object", item]).kind(), Kind::Table, "{policy}");
        }
    }
}

#[test]
fn a_forward_barrier_while_sweeping_whitens_the_parent_and_marks_nothing() {
    for policy in ["5.1,setupvalue=upvalue", "5.2", "5.4"] {
        let mut stepper = Stepper::new(policy);
        stepper.run("do local v = {} function get() return v end function set(x) v = x end end");
        stepper.collect();
        stepper.step_to(Phase::Propagate);
        stepper.step_until("the sweep begins", |stepper| stepper.phase() > Phase::Atomic);
        let path = ["get", "upvalue #1 'v'"];
        assert_eq!(stepper.colour(&path), Colour::Black, "{policy}");
        stepper.run("set({})");
        assert_eq!(stepper.colour(&path), Colour::White, "{policy}");
        assert_eq!(stepper.colour(&["get", "upvalue #1 'v'", "value"]), Colour::White, "{policy}");
    }
}
