//! Schedules: where the collector turns without having been asked by the program.

mod common;

use common::SCHEDULES;
use moonphase_heap::Heap;
use moonphase_vm::gc::{Event, Interests, Observer, Site};
use moonphase_vm::{Options, Schedule, ScriptError, Turned, Vm};
use std::any::Any;
use std::ops::ControlFlow;

/// What a run told.
#[derive(Default)]
struct Log {
    events: Vec<String>,
    /// Sites whose barrier changed a colour.
    acted: Vec<Site>,
    turns: usize,
}

impl<H: Heap> Observer<H> for Log {
    fn interests(&self) -> Interests {
        Interests { stores: true, steps: true, idle: true, fine: true }
    }

    fn event(&mut self, _heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        match event {
            Event::Barrier { site, acted: true, .. } => self.acted.push(*site),
            Event::StepBegin(_) => self.turns += 1,
            _ => {}
        }
        self.events.push(format!("{event:?}"));
        ControlFlow::Continue(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

fn observe(schedule: &str, script: &str) -> (Log, Vec<Turned>) {
    let mut options = Options::default();
    options.schedule = schedule.parse().expect("a schedule");
    let mut vm = Vm::observed(options, Box::new(Log::default()));
    vm.record_schedule();
    let result: Result<(), ScriptError> = vm.run(script.as_bytes(), b"=script", &[]);
    assert_eq!(result, Ok(()), "{schedule}");
    let turned = vm.take_scheduled_turns();
    let log = vm.take_observer().and_then(|observer| observer.into_any().downcast().ok());
    (*log.expect("the log that was installed"), turned)
}

const MIXED: &str = r#"
collectgarbage("stop")
local kept = {}
local function counter()
  local n, data = 0, {}
  return function() n = n + 1 data = { n } return data end
end
for i = 1, 30 do
  local a, b = counter(), counter()
  debug.upvaluejoin(a, 1, b, 1)
  debug.setupvalue(b, 2, table.pack(a(), b(), "text" .. i, tostring(i)))
  kept[i % 7] = load("local t = { 'constant" .. i .. "' } return function() return t end")()
  setmetatable({}, { __gc = function() kept.last = { i } end })
end
local co = coroutine.wrap(function() for i = 1, 10 do coroutine.yield({ i }) end end)
for _ = 1, 10 do co() end
"#;

#[test]
fn a_run_under_a_schedule_is_the_same_each_time() {
    for schedule in SCHEDULES {
        let (first, turned) = observe(schedule, MIXED);
        let (second, again) = observe(schedule, MIXED);
        assert_eq!(first.events, second.events, "{schedule}");
        assert_eq!(turned, again, "{schedule}");
        // In generational mode a turn is a whole collection, and comes at every eighth allocation only.
        let least = if *schedule == "generational" { 50 } else { 100 };
        assert!(first.turns > least, "{schedule} made {} turns only", first.turns);
    }
}

#[test]
fn what_is_recorded_makes_the_same_run_when_it_is_the_schedule() {
    // The steps of the generational schedule are not turns at points, and turns do not shuffle.
    for schedule in
        SCHEDULES.iter().filter(|&&schedule| schedule != "generational" && !schedule.starts_with("shuffled"))
    {
        let (log, turned) = observe(schedule, MIXED);
        let steps = Schedule::Steps(turned.iter().map(|turned| turned.turns).collect());
        assert_eq!(observe(&steps.to_string(), MIXED).0.events, log.events, "{schedule}");
    }
}

#[test]
fn a_script_that_does_not_ask_has_no_turns_without_a_schedule() {
    assert_eq!(observe("none", MIXED).0.turns, 0);
}

#[test]
fn the_generational_schedule_sets_the_mode_and_collects_now_and_then() {
    let script = format!("print(collectgarbage('generational')) {MIXED}");
    assert!(observe("generational", &script).0.turns > 0);
    common::check("local mode = collectgarbage('incremental') collectgarbage(mode)", "");
    let mut options = Options::default();
    options.schedule = Schedule::Generational;
    assert_eq!(common::run_with(options, "print(collectgarbage('incremental'))").0, "generational\n");
}

#[test]
fn turns_fall_between_the_parts_of_a_prototype_and_their_barriers_act() {
    let functions = (0..200).map(|i| format!("print('constant{i}') function f{i}() return x{i} end "));
    let chunk: String = functions.collect();
    let script = format!("local chunk = [[{chunk}]] for _ = 1, 3 do load(chunk) end");
    for schedule in ["stress", "random:3"] {
        let (log, _) = observe(schedule, &script);
        for site in [Site::PrototypeConstant, Site::PrototypeNested] {
            assert!(log.acted.contains(&site), "{schedule}: no barrier of {site} acted");
        }
    }
}

#[test]
fn the_barrier_of_a_capture_never_acts_for_the_closure_is_complete_before_a_turn() {
    for schedule in SCHEDULES {
        let (log, _) = observe(schedule, MIXED);
        assert!(log.events.iter().any(|event| event.contains("Barrier") && event.contains("ClosureCapture")));
        assert!(!log.acted.contains(&Site::ClosureCapture), "{schedule}");
    }
}

#[test]
fn turns_fall_inside_native_functions() {
    let (_, turned) = observe("stress", "local t = 1\nt = debug.getinfo(1, 'nSlutf')\nprint(t)");
    let inside: u32 = turned.iter().filter(|turned| turned.line == 2).map(|turned| turned.turns.turns).sum();
    assert!(inside > 10, "{turned:?}");
}

#[test]
fn turns_of_the_barriers_schedule_stand_beside_stores() {
    let (_, turned) = observe("barriers", "local a = 1\nlocal t = {}\nt.x = a\nlocal b = a + 1\na = b");
    let lines: Vec<u32> = turned.iter().map(|turned| turned.line).collect();
    // Before the store, and before the instruction that follows it.
    assert_eq!(lines, [3, 4]);
}

#[test]
fn waiting_for_the_end_of_a_cycle_ends() {
    let script = "collectgarbage('incremental', 100, 100, 1) collectgarbage('stop')
        for _ = 1, 3 do repeat local t = {} t.x = t until collectgarbage('step', 0) end";
    for schedule in SCHEDULES {
        observe(schedule, script);
    }
}

#[test]
fn no_turn_is_made_while_a_finalizer_runs() {
    let script = "setmetatable({}, { __gc = function()\nlocal t = {}\nt = { t }\nend }) collectgarbage()\nlocal t = {}";
    let (_, turned) = observe("stress", script);
    assert!(turned.iter().all(|turned| ![2, 3].contains(&turned.line)), "{turned:?}");
    assert!(turned.iter().any(|turned| turned.line == 5));
}
