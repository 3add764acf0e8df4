//! What each rule of a policy changes, seen in the heap and in the events; and which Lua has which rules.

mod common;

use common::stepper::{Happened, QUARANTINE, Stepper};
use moonphase_heap::Heap as _;
use moonphase_vm::gc::{
    Age, Colour, Direction, Event, GrayList, Heap, HeapOptions, Kind, ListName, Phase, Policy, Site, StepKind,
};
use moonphase_vm::value::Value;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// The sound collectors of the Luas.
const LUAS: [&str; 4] = ["5.1,setupvalue=upvalue", "5.2", "5.3", "5.4"];

/// The three ways to keep upvalues, alone: all else is as in 5.2, whose sweep begins with the strings, so that a test can
/// run between the atomic phase and the sweep of a thread.
const GLOBAL: &str = "5.2";
const BY_THREAD: &str = "5.2,upvalues=by-thread";
const COUNTED: &str = "5.2,upvalues=counted";
const UPVALUES: [&str; 3] = [GLOBAL, BY_THREAD, COUNTED];

/// A coroutine `co` that waits with a variable `v`, which the function `hand` has captured; resumed, it makes another such
/// function, `again`.
const CAPTURE: &str = "
    co = coroutine.create(function()
        local v = {1}
        hand = function() return v end
        coroutine.yield()
        again = function() return v end
        coroutine.yield()
    end)
    coroutine.resume(co)";

/// A stepper with [`CAPTURE`], and the number of the open upvalue.
fn capture(policy: &str) -> (Stepper, u32) {
    let mut stepper = Stepper::new(policy);
    stepper.run(CAPTURE);
    stepper.collect();
    let upvalue = stepper.open_upvalue("co");
    stepper.forget();
    (stepper, upvalue)
}

const VALUE: [&str; 3] = ["hand", "upvalue #1 'v'", "value"];

/// The collector's phase after the atomic phase of the cycle.
fn first_sweep(stepper: &Stepper) -> Phase {
    match stepper.view().policy().sweep {
        moonphase_vm::gc::SweepRule::Lists => Phase::SweepAll,
        _ => Phase::SweepStrings,
    }
}

fn marks_and_sweeps(stepper: &mut Stepper) {
    stepper.step_to(Phase::Propagate);
    stepper.step_to(first_sweep(stepper));
}

// Presets.

#[test]
fn each_preset_has_its_column_of_the_table_in_the_manual() {
    let text = include_str!("../../docs/policies.md");
    let mut rows = text.lines().filter(|line| line.starts_with('|')).map(|line| {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
    });
    let presets = rows.next().expect("a header").split_off(1);
    let rows: Vec<_> = rows.skip(1).collect();
    assert_eq!(
        rows.iter().map(|row| &row[0]).collect::<Vec<_>>(),
        Policy::RULES.iter().map(|r| r.0).collect::<Vec<_>>()
    );
    for (column, name) in presets.iter().enumerate() {
        let preset: Policy = name.parse().expect("a preset");
        for (row, (rule, values)) in rows.iter().zip(Policy::RULES) {
            for value in *values {
                let changed = format!("{name},{rule}={value}").parse::<Policy>();
                match row[column + 1].as_str() {
                    // Accepted everywhere, and without effect where there is no generational mode.
                    "none" if *rule == "old0" => {
                        assert_eq!(changed.map(|policy| policy.is_sound()), Ok(preset.is_sound()), "{name}");
                    }
                    "none" => assert!(changed.is_err(), "{name} has no rule {rule}"),
                    cell => assert_eq!(changed == Ok(preset), *value == cell, "{name}: {rule}={value}"),
                }
            }
        }
    }
}

// Upvalues.

#[test]
fn open_upvalues_are_in_one_list_or_among_all_objects_or_counted() {
    let lists = [ListName::OpenUpvalues, ListName::All, ListName::CountedUpvalues];
    let closed = [ListName::All, ListName::All, ListName::CountedUpvalues];
    for ((policy, open), closed) in UPVALUES.into_iter().zip(lists).zip(closed) {
        let (mut stepper, upvalue) = capture(policy);
        assert_eq!(stepper.lists_of(upvalue), [open], "{policy}");
        stepper.run("coroutine.close(co)");
        assert_eq!(stepper.lists_of(upvalue), [closed], "{policy}");
    }
}

#[test]
fn a_dead_open_upvalue_of_the_one_list_is_revived_when_its_slot_is_captured_again() {
    let (mut stepper, upvalue) = capture(GLOBAL);
    stepper.run("hand = nil");
    marks_and_sweeps(&mut stepper);
    assert_eq!(stepper.colour_of(upvalue), Some(Colour::OtherWhite));
    stepper.run("coroutine.resume(co)");
    assert_eq!(stepper.id(&["again", "upvalue #1 'v'"]), upvalue);
    assert_eq!(stepper.colour_of(upvalue), Some(Colour::White));
    stepper.step_to(Phase::Pause);
    assert!(!stepper.freed(upvalue));
}

#[test]
fn a_dead_open_upvalue_of_the_one_list_is_freed_when_it_is_closed() {
    let (mut stepper, upvalue) = capture(GLOBAL);
    stepper.run("hand = nil");
    marks_and_sweeps(&mut stepper);
    stepper.run("coroutine.close(co)");
    let events = stepper.events();
    assert!(events.contains(&Happened::Free(upvalue)) && !events.contains(&Happened::Close(upvalue)));
    assert!(stepper.at(&["co"]).open_upvalues().is_empty());
}

#[test]
fn a_dead_open_upvalue_of_the_one_list_is_freed_by_the_sweep_of_its_living_thread() {
    let (mut stepper, upvalue) = capture(GLOBAL);
    let co = stepper.id(&["co"]);
    stepper.run("hand = nil");
    marks_and_sweeps(&mut stepper);
    stepper.forget();
    stepper.step_to(Phase::Pause);
    let events = stepper.events();
    let thread = events.iter().position(|&event| event == Happened::SweepAlive(co)).expect("swept");
    assert_eq!(events[thread + 1], Happened::Free(upvalue));
    // The next capture opens another one.
    stepper.run("coroutine.resume(co)");
    assert_ne!(stepper.id(&["again", "upvalue #1 'v'"]), upvalue);
}

#[test]
fn a_thread_that_keeps_its_open_upvalues_keeps_one_that_no_closure_has() {
    let (mut stepper, upvalue) = capture(BY_THREAD);
    stepper.run("hand = nil");
    marks_and_sweeps(&mut stepper);
    assert_eq!(stepper.colour_of(upvalue), Some(Colour::Gray));
    stepper.collect();
    assert_eq!(stepper.colour_of(upvalue), Some(Colour::White));
    stepper.run("coroutine.resume(co)");
    assert_eq!(stepper.id(&["again", "upvalue #1 'v'"]), upvalue);
    // Closed, it is the closures' again.
    stepper.run("coroutine.close(co) again = nil");
    assert!(!stepper.freed(upvalue));
    stepper.collect();
    assert!(stepper.freed(upvalue));
}

#[test]
fn a_counted_upvalue_lives_open_without_closures_and_is_freed_with_its_last_one_when_closed() {
    let (mut stepper, upvalue) = capture(COUNTED);
    let holders = |stepper: &Stepper| stepper.object(upvalue).and_then(|object| stepper.view().holders(object));
    assert_eq!(holders(&stepper), Some(1));
    stepper.run("hand = nil");
    stepper.collect();
    assert_eq!(holders(&stepper), Some(0));
    stepper.run("coroutine.resume(co)");
    assert_eq!(stepper.id(&["again", "upvalue #1 'v'"]), upvalue);
    stepper.run("function other() end local x function other() return x end debug.upvaluejoin(other, 1, again, 1)");
    assert_eq!(holders(&stepper), Some(2));
    stepper.run("coroutine.close(co)");
    assert_eq!(holders(&stepper), Some(2));
    let last = stepper.id(&["again"]);
    stepper.run("other = nil");
    stepper.collect();
    assert_eq!(holders(&stepper), Some(1));
    stepper.run("again = nil");
    stepper.forget();
    stepper.collect();
    let events = stepper.events();
    let closure = events.iter().position(|&event| event == Happened::Free(last)).expect("the closure is freed");
    assert_eq!(events[closure + 1], Happened::Free(upvalue));
}

#[test]
fn a_counted_upvalue_without_closures_is_freed_when_it_is_closed_and_when_another_is_joined_in_its_place() {
    let (mut stepper, upvalue) = capture(COUNTED);
    stepper.run("hand = nil");
    stepper.collect();
    stepper.forget();
    stepper.run("coroutine.close(co)");
    assert!(stepper.freed(upvalue));

    let (mut stepper, upvalue) = capture(COUNTED);
    stepper.run("coroutine.close(co)");
    stepper.run("local x debug.upvaluejoin(hand, 1, function() return x end, 1)");
    assert!(stepper.freed(upvalue));
}

#[test]
fn joining_an_upvalue_to_where_it_is_already_frees_nothing() {
    for policy in LUAS {
        let (mut stepper, upvalue) = capture(policy);
        stepper.run("coroutine.close(co) debug.upvaluejoin(hand, 1, hand, 1)");
        stepper.collect();
        assert!(!stepper.freed(upvalue), "{policy}");
        assert_eq!(stepper.id(&VALUE[..2]), upvalue, "{policy}");
    }
}

#[test]
fn counted_upvalues_have_no_colour() {
    let (mut stepper, upvalue) = capture(COUNTED);
    for _ in 0..2000 {
        assert_eq!(stepper.colour_of(upvalue), Some(Colour::Gray));
        assert_eq!(stepper.gray_lists_of(upvalue), []);
        stepper.step();
    }
    assert!(!stepper.events().contains(&Happened::Mark(upvalue)));
}

#[test]
fn atomic_marks_open_upvalues_before_the_stacks_where_they_are_in_one_list() {
    for (policy, before_the_stacks) in [(GLOBAL, true), (BY_THREAD, false), (COUNTED, false)] {
        let (mut stepper, _) = capture(policy);
        let co = stepper.id(&["co"]);
        stepper.step_until("function and thread are traversed", |stepper| {
            stepper.colour(&["hand"]) == Colour::Black && stepper.gray_lists_of(co) == [GrayList::GrayAgain]
        });
        // No barrier marks the new value: an open upvalue is never black.
        stepper.run("debug.setupvalue(hand, 1, {2})");
        let value = stepper.id(&VALUE);
        assert_eq!(stepper.colour_of(value), Some(Colour::White), "{policy}");
        stepper.step_to(Phase::EnterAtomic);
        stepper.forget();
        stepper.step();
        let events = stepper.events();
        let at = |wanted: Happened| events.iter().position(|&event| event == wanted).expect("happened in atomic");
        assert_eq!(at(Happened::Mark(value)) < at(Happened::Traverse(co)), before_the_stacks, "{policy}");
    }
}

#[test]
fn the_value_of_an_open_upvalue_outlives_its_thread() {
    for policy in UPVALUES.into_iter().chain(LUAS) {
        let (mut stepper, upvalue) = capture(policy);
        let co = stepper.id(&["co"]);
        stepper.run("co = nil");
        stepper.step_until("the function is traversed", |stepper| stepper.colour(&["hand"]) == Colour::Black);
        stepper.run("debug.setupvalue(hand, 1, {2})");
        let value = stepper.id(&VALUE);
        assert_eq!(stepper.colour_of(value), Some(Colour::White), "{policy}");
        stepper.step_to(Phase::Pause);
        let events = stepper.events();
        assert!(events.contains(&Happened::Free(co)) && events.contains(&Happened::Close(upvalue)), "{policy}");
        assert_eq!(stepper.id(&VALUE), value, "{policy}");
    }
}

#[test]
fn an_open_upvalue_joined_to_a_black_closure_keeps_its_value_when_its_thread_dies() {
    for policy in UPVALUES.into_iter().chain(LUAS) {
        let mut stepper = Stepper::new(policy);
        stepper.run("local own function hand() return own end");
        stepper.run(
            "local resume = coroutine.wrap(function()
                local v = {1}
                local get = function() return v end
                coroutine.yield(get)
            end)
            dying = setmetatable({resume()}, {__mode = 'v'})",
        );
        stepper.step_until("the function is traversed", |stepper| stepper.colour(&["hand"]) == Colour::Black);
        stepper.run("debug.upvaluejoin(hand, 1, dying[1], 1)");
        let value = stepper.id(&["hand", "upvalue #1 'own'", "value"]);
        stepper.step_to(Phase::Pause);
        assert_eq!(stepper.id(&["hand", "upvalue #1 'own'", "value"]), value, "{policy}");
    }
}

/// Closes the upvalue of [`CAPTURE`], whose variable has just got a white value. Gives the upvalue's colour before and after,
/// and whether the value got marked.
fn close_now(stepper: &mut Stepper, upvalue: u32) -> (Colour, Colour, bool) {
    let before = stepper.colour_of(upvalue).expect("open");
    stepper.run("debug.setupvalue(hand, 1, {2})");
    let value = stepper.id(&VALUE);
    assert_eq!(stepper.colour_of(value), Some(Colour::White));
    stepper.run("coroutine.close(co)");
    let after = stepper.colour_of(upvalue).expect("closed");
    (before, after, stepper.colour_of(value) != Some(Colour::White))
}

#[test]
fn closing_while_marking_blackens_a_reached_upvalue_and_marks_its_value() {
    let table = [
        (GLOBAL, (Colour::Gray, Colour::Black, true)),
        (BY_THREAD, (Colour::Gray, Colour::Black, true)),
        (COUNTED, (Colour::Gray, Colour::Gray, true)),
    ];
    for (policy, expected) in table {
        let (mut stepper, upvalue) = capture(policy);
        stepper.step_until("the function is traversed", |stepper| stepper.colour(&["hand"]) == Colour::Black);
        assert_eq!(close_now(&mut stepper, upvalue), expected, "{policy}");
    }
}

#[test]
fn closing_an_upvalue_that_is_not_reached_leaves_it_white_and_a_counted_one_marks_its_value_nevertheless() {
    let table = [
        (GLOBAL, (Colour::White, Colour::White, false)),
        (BY_THREAD, (Colour::White, Colour::White, false)),
        (COUNTED, (Colour::Gray, Colour::Gray, true)),
    ];
    for (policy, expected) in table {
        let (mut stepper, upvalue) = capture(policy);
        stepper.step_to(Phase::Propagate);
        assert_eq!(close_now(&mut stepper, upvalue), expected, "{policy}");
    }
}

#[test]
fn closing_marks_nothing_in_any_stage_of_the_sweep_nor_between_cycles() {
    // What the upvalue is before its turn in the sweep, and after it.
    let table = [
        (GLOBAL, (Colour::Gray, Colour::White), Colour::White),
        // Black until the sweep comes to it; a barrier that meets a white value makes it white at once.
        (BY_THREAD, (Colour::Gray, Colour::White), Colour::White),
        (COUNTED, (Colour::Gray, Colour::Gray), Colour::Gray),
    ];
    for (upvalues, unswept, swept) in table {
        for sweep in ["strings+all", "strings+finalizable+all", "all+finalizable+to-be-finalized"] {
            let policy = format!("{upvalues},sweep={sweep}");
            for phase in Phase::ALL.into_iter().filter(|&phase| phase > Phase::Atomic) {
                let passed = stages(sweep);
                let Some(place) = passed.iter().position(|&other| other == phase) else { continue };
                let (mut stepper, upvalue) = capture(&policy);
                stepper.step_to(Phase::Propagate);
                stepper.step_to(phase);
                let all = passed.iter().position(|&other| other == Phase::SweepAll).expect("a stage of all");
                let expected = if place <= all { unswept } else { (swept, swept) };
                let (before, after, marked) = close_now(&mut stepper, upvalue);
                assert_eq!(((before, after), marked), (expected, false), "{policy} in {}", phase.name());
                stepper.collect();
                assert_eq!(stepper.at(&VALUE).kind(), Kind::Table, "{policy}");
            }
        }
    }
}

#[test]
fn closing_by_thread_while_sweeping_blackens_an_unswept_upvalue_with_an_unswept_value() {
    let (mut stepper, upvalue) = capture(BY_THREAD);
    marks_and_sweeps(&mut stepper);
    stepper.run("coroutine.close(co)");
    assert_eq!(stepper.colour_of(upvalue), Some(Colour::Black));
    stepper.step_to(Phase::Pause);
    assert_eq!(stepper.colour_of(upvalue), Some(Colour::White));
}

#[test]
fn an_upvalue_of_a_dead_thread_is_closed_by_the_sweep_under_each_rule() {
    for policy in UPVALUES.into_iter().chain(LUAS) {
        let (mut stepper, upvalue) = capture(policy);
        stepper.run("co = nil");
        stepper.collect();
        assert!(stepper.events().contains(&Happened::Close(upvalue)), "{policy}");
        let living = if policy == "5.3" || policy == COUNTED { Colour::Gray } else { Colour::White };
        assert_eq!(stepper.colour_of(upvalue), Some(living), "{policy}");
        assert_eq!(stepper.at(&VALUE).kind(), Kind::Table, "{policy}");
    }
}

// Barriers.

/// Two closures of one closed upvalue: the upvalue and the closure `first` are black, the closure `late` is white. Then
/// `debug.setupvalue` stores a white value through `late`. Gives the kind of the barrier's parent and the value's colour.
fn setupvalue_through_a_white_closure(policy: &str) -> (Stepper, String, Colour) {
    let mut stepper = Stepper::new(policy);
    stepper.run(
        "do
            local v = {1}
            function first() return v end
            function more() return function() return v end end
        end",
    );
    stepper.step_until("the functions are traversed", |stepper| {
        stepper.colour(&["first"]) == Colour::Black && stepper.colour(&["more"]) == Colour::Black
    });
    stepper.run("late = more()");
    assert_eq!(stepper.colour(&["late"]), Colour::White);
    stepper.forget();
    stepper.run("debug.setupvalue(late, 1, {2})");
    let events = stepper.events();
    let mut parents = events.iter().filter_map(|event| match *event {
        Happened::Barrier { site: Site::Setupvalue, direction, parent, .. } => Some((direction, parent)),
        _ => None,
    });
    let (direction, parent) = parents.next().expect("a barrier");
    assert_eq!((direction, parents.next()), (Direction::Forward, None));
    let kind = stepper.object(parent).expect("the parent").kind().name().to_owned();
    let colour = stepper.colour(&["late", "upvalue #1 'v'", "value"]);
    (stepper, kind, colour)
}

#[test]
fn setupvalue_calls_its_barrier_on_the_upvalue_or_by_the_fault_of_5_1_on_the_closure() {
    for policy in LUAS {
        let (mut stepper, parent, colour) = setupvalue_through_a_white_closure(policy);
        assert_eq!((parent.as_str(), colour == Colour::White), ("upvalue", false), "{policy}");
        stepper.collect();
        assert_eq!(stepper.at(&["first", "upvalue #1 'v'", "value"]).kind(), Kind::Table, "{policy}");
    }
    let (stepper, parent, colour) = setupvalue_through_a_white_closure("5.1");
    assert_eq!((parent.as_str(), colour), ("closure", Colour::White));
    assert!(stepper.at(&["first", "upvalue #1 'v'"]).is_black());
}

#[test]
fn joining_calls_a_forward_barrier_on_the_closure_or_marks_the_counted_upvalues_value() {
    for (policy, parent, child) in
        [(GLOBAL, "closure", "upvalue"), (BY_THREAD, "closure", "upvalue"), (COUNTED, "upvalue", "table")]
    {
        let mut stepper = Stepper::new(policy);
        stepper.run(
            "local a, b = {1}, {2}
            function first() return a end
            weak = setmetatable({function() return b end}, {__mode = 'v'})",
        );
        stepper.step_until("the function is traversed", |stepper| stepper.colour(&["first"]) == Colour::Black);
        assert_eq!(stepper.colour(&["weak", "[1]", "upvalue #1 'b'", "value"]), Colour::White);
        stepper.forget();
        stepper.run("debug.upvaluejoin(first, 1, weak[1], 1)");
        let barrier = stepper.events().into_iter().find_map(|event| match event {
            Happened::Barrier { site: Site::Upvaluejoin, direction, parent, child, acted } => {
                Some((direction, parent, child, acted))
            }
            _ => None,
        });
        let (direction, by, to, acted) = barrier.expect("a barrier");
        let kind = |id| stepper.object(id).expect("living").kind().name();
        assert_eq!((kind(by), kind(to), direction, acted), (parent, child, Direction::Forward, true), "{policy}");
        assert_ne!(stepper.colour(&["first", "upvalue #1 'a'", "value"]), Colour::White, "{policy}");
    }
}

#[test]
fn the_barrier_of_a_tables_metatable_marks_the_metatable_or_makes_the_table_gray_again() {
    for direction in ["forward", "backward"] {
        let mut stepper = Stepper::new(&format!("5.4,table-metatable={direction}"));
        stepper.run("object = {}");
        stepper.step_until("the table is traversed", |stepper| stepper.colour(&["object"]) == Colour::Black);
        stepper.run("setmetatable(object, {})");
        let table = stepper.id(&["object"]);
        let metatable = stepper.colour(&["object", "metatable"]);
        let (colour, lists) = (stepper.colour(&["object"]), stepper.gray_lists_of(table));
        if direction == "forward" {
            assert_eq!((colour, lists, metatable), (Colour::Black, vec![], Colour::Gray));
        } else {
            assert_eq!((colour, lists, metatable), (Colour::Gray, vec![GrayList::GrayAgain], Colour::White));
        }
    }
}

#[test]
fn the_barrier_of_a_user_value_has_the_direction_of_the_rule() {
    for (value, expected) in [("forward", Direction::Forward), ("backward", Direction::Backward)] {
        let policy: Policy = format!("5.4,user-value={value}").parse().expect("a policy");
        let mut heap = Heap::new(HeapOptions { policy, ..HeapOptions::default() });
        let log = Rc::new(RefCell::new(Vec::new()));
        heap.set_observer(Box::new(Barriers(Rc::clone(&log))));
        let userdata = heap.new_userdata(None, 1);
        let table = heap.new_table();
        assert!(heap.set_user_value(userdata, 0, Value::Table(table)));
        assert_eq!(*log.borrow(), [(Site::UserValue, expected)]);
    }
}

struct Barriers(Rc<RefCell<Vec<(Site, Direction)>>>);

impl<H: moonphase_heap::Heap> moonphase_heap::Observer<H> for Barriers {
    fn interests(&self) -> moonphase_vm::gc::Interests {
        moonphase_vm::gc::Interests { stores: true, steps: false, idle: true, fine: false }
    }

    fn event(&mut self, _: H, event: &Event<'_, H::Object>) -> std::ops::ControlFlow<()> {
        if let Event::Barrier { site, direction, .. } = *event {
            self.0.borrow_mut().push((site, direction));
        }
        std::ops::ControlFlow::Continue(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any> {
        self
    }
}

// Full collections.

/// The leaps and phases of a full collection.
fn full_collection(stepper: &mut Stepper) -> Vec<Happened> {
    stepper.forget();
    stepper.run("collectgarbage()");
    let events = stepper.events();
    events.into_iter().filter(|event| matches!(event, Happened::Phase(_) | Happened::Leap(_))).collect()
}

#[test]
fn a_full_collection_from_the_middle_of_marking_leaps_into_the_sweep_under_both_rules() {
    for (rule, begins) in [("restart", true), ("to-sweep", false)] {
        let mut stepper = Stepper::new(&format!("5.4,full-collection={rule}"));
        stepper.step_to(Phase::Propagate);
        let events = full_collection(&mut stepper);
        let leap = Happened::Leap(StepKind::AbandonMarking);
        assert_eq!(events[..2], [leap, Happened::Phase(Phase::SweepAll)], "{rule}");
        assert_eq!(events.contains(&Happened::Leap(StepKind::BeginMarking)), begins, "{rule}");
        // 5.1 marks anew before the finalizers' turn and the pause; later Luas end the cycle first.
        let marking = events.iter().position(|&event| event == Happened::Phase(Phase::Propagate)).expect("marks");
        let pause = events.iter().position(|&event| event == Happened::Phase(Phase::Pause)).expect("ends");
        assert_eq!(marking < pause, begins, "{rule}");
    }
}

#[test]
fn a_full_collection_from_pause_sweeps_first_only_under_the_rule_of_5_1() {
    for (rule, leaps) in [("restart", true), ("to-sweep", false)] {
        let mut stepper = Stepper::new(&format!("5.4,full-collection={rule}"));
        assert_eq!(stepper.phase(), Phase::Pause);
        let events = full_collection(&mut stepper);
        assert_eq!(events[0] == Happened::Leap(StepKind::AbandonMarking), leaps, "{rule}");
    }
}

#[test]
fn a_full_collection_forgets_the_gray_lists_at_once_only_under_the_rule_of_5_1() {
    for (rule, left) in [("restart", false), ("to-sweep", true)] {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let record = Rc::clone(&seen);
        let policy = format!("5.4,full-collection={rule}");
        let mut leaping = false;
        let mut stepper = Stepper::with(
            &policy,
            |_| {},
            move |view, event| match event {
                Event::StepBegin(kind) => leaping = *kind == StepKind::AbandonMarking,
                Event::PhaseChange(Phase::Propagate) if leaping => {
                    record
                        .borrow_mut()
                        .push(GrayList::ALL.into_iter().any(|list| view.gray_list(list).next().is_some()));
                }
                _ => {}
            },
        );
        stepper.step_to(Phase::Propagate);
        stepper.run("collectgarbage()");
        assert_eq!(*seen.borrow(), [left], "{rule}");
    }
}

// Sweeping.

/// The phases after the atomic phase.
fn stages(sweep: &str) -> &'static [Phase] {
    match sweep {
        "strings+all" => &[Phase::SweepStrings, Phase::SweepAll, Phase::CallFinalizers, Phase::Pause],
        "strings+finalizable+all" => &[Phase::SweepStrings, Phase::SweepFinalizable, Phase::SweepAll, Phase::Pause],
        "all+finalizable+to-be-finalized" => &[
            Phase::SweepAll,
            Phase::SweepFinalizable,
            Phase::SweepToBeFinalized,
            Phase::SweepEnd,
            Phase::CallFinalizers,
            Phase::Pause,
        ],
        other => panic!("unknown rule {other}"),
    }
}

const SWEEPS: [&str; 3] = ["strings+all", "strings+finalizable+all", "all+finalizable+to-be-finalized"];

#[test]
fn a_sweep_goes_through_the_stages_of_its_rule() {
    for sweep in SWEEPS {
        let mut stepper = Stepper::new(&format!("5.4,sweep={sweep}"));
        stepper.step_to(Phase::Propagate);
        stepper.forget();
        stepper.step_to(Phase::Pause);
        let phases = stepper.events().into_iter().filter_map(|event| match event {
            Happened::Phase(phase) => Some(phase),
            _ => None,
        });
        let phases: Vec<Phase> = phases.collect();
        assert_eq!(phases[..2], [Phase::EnterAtomic, Phase::Atomic], "{sweep}");
        assert_eq!(phases[2..], *stages(sweep), "{sweep}");
    }
}

#[test]
fn each_stage_of_a_sweep_turns_the_objects_of_its_list_white() {
    let setup = "object, text, ready = {}, 'text' .. 1, setmetatable({}, {__gc = function() end})";
    for (sweep, of_text) in
        [(SWEEPS[0], Phase::SweepStrings), (SWEEPS[1], Phase::SweepStrings), (SWEEPS[2], Phase::SweepAll)]
    {
        let of_ready = if sweep == SWEEPS[0] { Phase::SweepAll } else { Phase::SweepFinalizable };
        let mut stepper = Stepper::new(&format!("5.4,sweep={sweep}"));
        stepper.run(setup);
        stepper.collect();
        let string_list = if sweep == SWEEPS[2] { ListName::All } else { ListName::Strings };
        let expected = [
            ("object", ListName::All, Phase::SweepAll),
            ("text", string_list, of_text),
            ("ready", ListName::Finalizable, of_ready),
        ];
        stepper.step_to(Phase::Propagate);
        stepper.forget();
        stepper.step_to(Phase::Pause);
        let mut phase = Phase::Propagate;
        let mut swept = Vec::new();
        for event in stepper.events() {
            match event {
                Happened::Phase(next) => phase = next,
                Happened::SweepAlive(id) => swept.push((id, phase)),
                _ => {}
            }
        }
        for (name, list, stage) in expected {
            let id = stepper.id(&[name]);
            assert_eq!(stepper.lists_of(id), [list], "{name} under {sweep}");
            let stages: Vec<Phase> = swept.iter().filter(|(other, _)| *other == id).map(|(_, phase)| *phase).collect();
            assert_eq!(stages, [stage], "{name} under {sweep}");
        }
    }
}

#[test]
fn an_object_that_waits_for_its_finalizer_is_swept_only_where_a_stage_is_for_it() {
    for (sweep, swept) in [(SWEEPS[0], false), (SWEEPS[1], false), (SWEEPS[2], true)] {
        let mut stepper = Stepper::new(&format!("5.4,sweep={sweep}"));
        // Enough of them that under the rule of 5.2 the first steps do not call all finalizers.
        stepper.run("for i = 1, 200 do setmetatable({}, {__gc = function() end}) end");
        stepper.step_to(Phase::Propagate);
        stepper.step_to(if sweep == SWEEPS[1] { Phase::SweepAll } else { Phase::CallFinalizers });
        let expected = if swept { Colour::White } else { Colour::Black };
        let view = stepper.view();
        assert!(view.list(ListName::ToBeFinalized).count() > 0, "{sweep}");
        assert!(view.list(ListName::ToBeFinalized).all(|object| view.colour(object) == expected), "{sweep}");
    }
}

#[test]
fn finalizers_are_called_after_any_step_in_5_2_and_in_a_phase_of_their_own_elsewhere() {
    for sweep in SWEEPS {
        let mut stepper = Stepper::new(&format!("5.4,sweep={sweep}"));
        stepper.run("for i = 1, 10 do setmetatable({}, {__gc = function() end}) end");
        stepper.step_to(Phase::Propagate);
        stepper.forget();
        stepper.step_until("the cycle is over", |stepper| stepper.phase() == Phase::Pause);
        let mut phases = BTreeSet::new();
        let (mut after_step, mut most, mut all) = (0, 0, 0);
        for event in stepper.events() {
            match event {
                Happened::StepEnd => after_step = 0,
                Happened::Finalize(_, phase) => {
                    phases.insert(phase);
                    after_step += 1;
                    all += 1;
                    most = most.max(after_step);
                }
                _ => {}
            }
        }
        let expected = if sweep == SWEEPS[1] { (Phase::SweepStrings, 4) } else { (Phase::CallFinalizers, 1) };
        assert_eq!(all, 10, "{sweep}");
        assert_eq!((phases.first(), most), (Some(&expected.0), expected.1), "{sweep}");
    }
}

#[test]
fn a_full_collection_of_5_2_calls_the_finalizers_that_wait_before_and_after_it() {
    let mut stepper = Stepper::new("5.2");
    stepper.run("for i = 1, 10 do setmetatable({}, {__gc = function() end}) end");
    stepper.step_to(Phase::Propagate);
    stepper.step_to(Phase::SweepStrings);
    assert_eq!(stepper.view().list(ListName::ToBeFinalized).count(), 6, "four of them had their turn");
    stepper.run("setmetatable({}, {__gc = function() end})");
    stepper.forget();
    stepper.run("collectgarbage()");
    let events = stepper.events();
    let order: Vec<Phase> = events
        .iter()
        .filter_map(|event| match *event {
            Happened::Finalize(_, phase) => Some(phase),
            _ => None,
        })
        .collect();
    assert_eq!(order[..6], [Phase::SweepStrings; 6]);
    assert_eq!(order[6..], [Phase::Pause]);
}

#[test]
fn what_a_sweep_frees_stays_in_quarantine_until_the_next_cycle() {
    for policy in LUAS {
        let mut stepper = Stepper::new(policy);
        // Coroutines whose variables the sweep closes after it has freed what they refer to.
        stepper.run(
            "for i = 1, 500 do
                coroutine.wrap(function() local v = {{i}} local f = function() return v end coroutine.yield(f) end)()
            end",
        );
        stepper.forget();
        stepper.step_to(Phase::Propagate);
        let before: BTreeSet<u32> = stepper.view().quarantined().map(|object| object.id()).collect();
        stepper.step_to(Phase::Pause);
        let freed = stepper.events().into_iter().filter_map(|event| match event {
            Happened::Free(id) => Some(id),
            _ => None,
        });
        let freed: BTreeSet<u32> = freed.filter(|id| !before.contains(id)).collect();
        let kept: BTreeSet<u32> = stepper.view().quarantined().map(|object| object.id()).collect();
        assert!(freed.len() > 2000 && freed.is_subset(&kept), "{policy}: {} freed", freed.len());
        let bytes = |stepper: &Stepper| stepper.view().quarantined().map(|object| object.size()).sum::<usize>();
        assert!(bytes(&stepper) > QUARANTINE, "{policy}");
        stepper.step_to(Phase::Propagate);
        assert!(bytes(&stepper) <= QUARANTINE, "{policy}");
    }
}

// Strings.

#[test]
fn a_marked_string_is_gray_in_5_1_and_black_later() {
    for (rule, colour) in [("gray", Colour::Gray), ("black", Colour::Black)] {
        for policy in LUAS {
            let policy = format!("{policy},strings={rule}");
            let mut stepper = Stepper::new(&policy);
            stepper.run("text = 'some' .. 'thing'");
            stepper.step_until("the string is marked", |stepper| stepper.colour(&["text"]) != Colour::White);
            assert_eq!(stepper.colour(&["text"]), colour, "{policy}");
            assert_eq!(stepper.gray_lists_of(stepper.id(&["text"])), [], "{policy}");
            stepper.step_to(Phase::Pause);
            assert_eq!(stepper.colour(&["text"]), Colour::White, "{policy}");
        }
    }
}

// What a forward barrier of generational mode makes old.

#[test]
fn the_value_of_a_joined_upvalue_becomes_old_with_it_or_by_the_fault_of_5_4_dies_in_an_old_table() {
    for (rule, ages) in [("marked", &[Age::Old0, Age::Old1, Age::Old][..]), ("child", &[Age::New, Age::Survival])] {
        let mut stepper = Stepper::new(&format!("generational,old0={rule}"));
        stepper.run(
            "collectgarbage('generational')
            function make()
                local v = {}
                return function() return v end, function() v = nil end
            end
            holder, old = {value = 1}, make()
            collectgarbage()
            get, forget = make()
            debug.upvaluejoin(old, 1, get, 1)",
        );
        let (upvalue, value) = (["old", "upvalue #1 'v'"], ["old", "upvalue #1 'v'", "value"]);
        assert_eq!(stepper.at(&["holder"]).age(), Age::Old, "{rule}");
        assert_eq!(stepper.at(&upvalue).age(), Age::Old0, "{rule}");
        // Marked with the upvalue, so that no barrier acts for it.
        assert_eq!((stepper.at(&value).age(), stepper.colour(&value)), (ages[0], Colour::Gray), "{rule}");
        let (holder, id) = (stepper.id(&["holder"]), stepper.id(&value));
        stepper.forget();
        stepper.run("holder.value = get() forget()");
        let acted = stepper.events().into_iter().find_map(|event| match event {
            Happened::Barrier { site: Site::TableStore, parent, child, acted, .. } => {
                (parent == holder && child == id).then_some(acted)
            }
            _ => None,
        });
        assert_eq!(acted, Some(false), "{rule}");
        for &age in &ages[1..] {
            stepper.step();
            assert_eq!(stepper.object(id).map(|object| object.age()), Some(age), "{rule}");
        }
        // By the fault the old table refers to it still, and no minor collection looks at an old table.
        stepper.step();
        assert_eq!(stepper.freed(id), rule == "child", "{rule}");
        assert!(stepper.at(&["holder"]).is_black());
    }
}

#[cfg(feature = "corrupt")]
#[test]
fn the_metatable_of_a_userdata_without_user_values_becomes_old_with_it_or_is_left_young() {
    for (rule, age) in [("marked", Age::Old0), ("child", Age::New)] {
        let mut stepper = Stepper::new(&format!("generational,old0={rule}"));
        stepper.run("collectgarbage('generational') local up function set(v) up = v end collectgarbage()");
        let heap = stepper.vm.heap_mut();
        let (name, userdata, metatable) = (heap.new_string(b"host"), heap.new_userdata(None, 0), heap.new_table());
        heap.set_userdata_metatable(userdata, Some(metatable));
        let registry = heap.corrupt().registry();
        heap.corrupt().set(registry, Value::String(name), Value::Userdata(userdata));
        stepper.run("set(debug.getregistry().host)");
        let held = ["set", "upvalue #1 'up'", "value"];
        assert_eq!(stepper.at(&held).age(), Age::Old0, "{rule}");
        let metatable = [&held[..], &["metatable"]].concat();
        assert_eq!((stepper.at(&metatable).age(), stepper.colour(&metatable)), (age, Colour::Gray), "{rule}");
    }
}
