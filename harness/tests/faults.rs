//! Planted faults as users of the command meet them.
#![cfg(all(unix, feature = "faults"))]

mod common;

use std::any::Any;
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use common::{Scratch, fields, wait_until_gone};
use moonphase_heap::{Event, Heap, Interests, Observer, Site};
use moonphase_vm::gc::Fault;
use moonphase_vm::{Options, Vm};
use serde_json::Value;

/// Faults of different kinds that are found at once.
const FEW: &str = "no-barrier-table-store,white-not-flipped,setupvalue-parent-closure,weak-values-not-cleared";

fn faults(words: &[&str]) -> (i32, Value) {
    Scratch::new().json(&[&["faults", "--seed", "1", "--format", "json"][..], words].concat())
}

/// The results without their times.
fn results(json: &Value) -> Vec<Value> {
    let mut results = json["faults"].as_array().unwrap().clone();
    for result in &mut results {
        result.as_object_mut().unwrap().remove("seconds");
    }
    results
}

#[test]
fn faults_are_found_after_the_same_cases_however_many_are_measured_side_by_side() {
    let few = ["--only", FEW, "--oracle-cap", "20"];
    let (code, json) = faults(&[&few[..], &["--jobs", "1"]].concat());
    assert_eq!(code, 0);
    let alone = results(&json);
    // In the order of the catalogue.
    let names: Vec<_> = alone.iter().map(|result| result["fault"].as_str().unwrap()).collect();
    let expected =
        ["no-barrier-table-store", "setupvalue-parent-closure", "white-not-flipped", "weak-values-not-cleared"];
    assert_eq!(names, expected);
    for result in &alone {
        assert!(result["found"] == true && result["runs"].as_u64().unwrap() > 0, "{result}");
        assert!(!result["signature"].as_str().unwrap().is_empty(), "{result}");
    }
    let (_, json) = faults(&[&few[..], &["--jobs", "3"]].concat());
    assert_eq!(results(&json), alone);
}

#[test]
fn the_result_has_all_its_fields() {
    let (code, json) = faults(&["--only", "no-barrier-table-store", "--oracle-cap", "3"]);
    assert_eq!(code, 0);
    assert_eq!(fields(&json), ["faults", "oracle_cap", "runs", "schema", "seconds", "seed", "stopped_by", "version"]);
    assert_eq!((&json["seed"], &json["runs"], &json["oracle_cap"]), (&1.into(), &20_000.into(), &3.into()));
    assert_eq!(json["stopped_by"], "runs");
    let fault = &json["faults"][0];
    assert_eq!(fields(fault), ["by", "engine", "fault", "found", "gc", "oracle", "runs", "seconds", "signature"]);
    assert_eq!(fields(&fault["by"]), ["dangling", "differential", "invariant", "schedule"]);
    assert_eq!(fault["engine"], "moonphase");
    assert_eq!((&fault["gc"], &fault["oracle"]), (&"5.4".into(), &"invariant".into()));
    // The checker needs no other oracle, so it finds the same alone.
    assert_eq!(fault["by"]["invariant"], fault["runs"]);
}

#[cfg(target_os = "linux")]
#[test]
fn faults_of_the_stock_engines_are_found() {
    for (engine, only, signatures) in [
        ("lua51", "lua51-close,lua51-bytes,lua51-weak-uncleared", ["black-to-white upvalue->", "bytes", ""]),
        ("lua54", "lua54-close,lua54-touched2,lua54-bytes", ["black-to-white upvalue->", "ages ", "bytes"]),
    ] {
        let (code, json) = faults(&["--engine", engine, "--only", only, "--oracle-cap", "1"]);
        assert_eq!(code, 0);
        let found = results(&json);
        let names: Vec<_> = found.iter().map(|result| result["fault"].as_str().unwrap()).collect();
        let mut expected: Vec<_> = only.split(',').collect();
        expected.sort_by_key(|name| names.iter().position(|other| other == name));
        assert_eq!(names, expected);
        for result in &found {
            let which = only.split(',').position(|name| name == result["fault"]).unwrap();
            assert!(result["signature"].as_str().unwrap().starts_with(signatures[which]), "{result}");
            assert_eq!((&result["engine"], &result["gc"]), (&engine.into(), &Value::Null));
        }
    }
}

#[test]
fn a_check_does_not_go_by_what_the_collector_remembers_of_a_metatable() {
    let (code, json) = faults(&["--only", "absent-flag-wrong", "--oracle-cap", "50"]);
    assert_eq!(code, 0);
    let fault = &json["faults"][0];
    assert_eq!(fault["oracle"], "invariant");
    assert!(fault["signature"].as_str().unwrap().starts_with("complete "), "{fault}");
    assert_eq!(fault["by"]["invariant"], fault["runs"]);
}

#[test]
fn what_nothing_in_the_heap_shows_afterwards_is_found_where_it_happens() {
    // Entries that are gone, keys that are no references, and what is done after the last line of the script.
    let only = "ephemeron-entry-dropped,weak-values-cleared-early,dead-keys-kept,finalizer-reentered,\
                closing-drops-finalizers,closing-finalizes-new";
    let (code, json) = faults(&["--only", only, "--oracle-cap", "1"]);
    assert_eq!(code, 0);
    let signatures: Vec<_> =
        results(&json).iter().map(|fault| fault["signature"].as_str().unwrap().to_owned()).collect();
    let beginnings =
        ["weak table", "weak table", "dangling table->", "finalizers", "finalizers userdata", "finalizers table"];
    let begin_so = signatures.iter().zip(beginnings).all(|(signature, beginning)| signature.starts_with(beginning));
    assert!(signatures.len() == beginnings.len() && begin_so, "{signatures:?}");
}

/// Stores of most kinds, the collector standing still in the middle of marking.
const STORES: &str = r#"
    collectgarbage("incremental", 1000, 100, 1)
    local kept, t = {}, {}
    for i = 1, 50 do kept[i] = { {} } end
    local shared, other = {}, {}
    local function f(value) shared = value end
    local function g() return other end
    for _ = 1, 12 do
        collectgarbage("step", 0)
        t[{}], t.key = {}, {}
        setmetatable(t, { __index = {} })
        t.list = { {}, {} }
        f({})
        debug.setupvalue(f, 1, {})
        debug.upvaluejoin(f, 1, g, 1)
        do local closed = {} function h() return closed end end
        load("local a = 'constant' return function() return a, _ENV end", "=chunk", "t", {})()
    end
"#;

/// Who wrote what into what.
#[derive(Default)]
struct Stores(Vec<(Site, u32, u32)>);

impl<H: Heap> Observer<H> for Stores {
    fn interests(&self) -> Interests {
        Interests { stores: true, steps: false, idle: false, fine: false }
    }

    fn event(&mut self, heap: H, event: &Event<'_, H::Object>) -> ControlFlow<()> {
        if let Event::Store { site, holder, new, .. } = event {
            self.0.push((*site, heap.id(*holder), heap.id(*new)));
        }
        ControlFlow::Continue(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// The stores of a script, under a policy and with a fault.
fn stores(policy: &str, fault: Option<Fault>) -> Vec<(Site, u32, u32)> {
    let mut options = Options::default();
    options.policy = policy.parse().unwrap();
    options.fault = fault;
    let mut vm = Vm::observed(options, Box::new(Stores::default()));
    vm.run(STORES.as_bytes(), b"=stores", &[]).unwrap();
    vm.take_observer().unwrap().into_any().downcast::<Stores>().unwrap().0
}

#[test]
fn a_barrier_that_is_missing_or_wrong_hides_no_store() {
    let barriers = Fault::ALL.iter().filter(|fault| {
        let name = fault.name();
        name.starts_with("no-barrier-") || name.contains("-parent-") || name.contains("-child-")
    });
    let mut count = 0;
    for fault in barriers {
        let (sound, faulty) = (stores(fault.policy(), None), stores(fault.policy(), Some(*fault)));
        assert!(sound.len() > 300, "{fault}: {} stores", sound.len());
        assert!(sound == faulty, "{fault}");
        count += 1;
    }
    assert!(count > 20, "{count} faults of barriers");
}

#[test]
fn a_fault_that_is_missed_ends_the_command_with_one() {
    // It takes more cases.
    let few = ["--only", "sweep-barrier-whitens", "--runs", "3", "--oracle-cap", "1"];
    let (code, json) = faults(&few);
    assert_eq!(code, 1);
    let missed = &json["faults"][0];
    assert_eq!((&missed["found"], &missed["runs"], &missed["signature"]), (&false.into(), &3.into(), &Value::Null));
    assert!(missed["by"].as_object().unwrap().values().all(Value::is_null));
    let scratch = Scratch::new();
    let human = scratch.run(&[&["faults", "--seed", "1"][..], &few].concat());
    assert!(human.assert_quiet(1).stdout.contains("| `sweep-barrier-whitens` "), "{}", human.stdout);
    assert!(human.stdout.contains("\n0 of 1 found, "), "{}", human.stdout);
}

#[test]
fn a_name_that_no_fault_has_is_refused() {
    let scratch = Scratch::new();
    let wrong = "unknown fault 'none-such'";
    scratch.run(&["faults", "--only", "bytes-off,none-such"]).assert_refused(&[wrong, "faults --list"]);
    scratch.run(&["fuzz", "--fault", "none-such"]).assert_refused(&[wrong]);
    scratch.write("a.lua", "-- moonphase: lua=5.4 fault=none-such\n");
    scratch.run(&["check", "a.lua"]).assert_refused(&["a.lua", "line 1", wrong]);
}

#[test]
fn ctrl_c_ends_it_in_order_with_what_is_there() {
    let scratch = Scratch::new();
    // Cases without end for the second.
    let mut running = scratch.start(&[
        "faults",
        "--seed",
        "1",
        "--jobs",
        "1",
        "--only",
        "no-barrier-table-store,count-kept",
        "--oracle-cap",
        "18446744073709551615",
    ]);
    running.line_beginning("moonphase ");
    thread::sleep(Duration::from_millis(300));
    let workers = running.children();
    running.signal("INT");
    let ran = running.finish();
    // What was measured was found.
    ran.assert_quiet(130);
    assert!(ran.stdout.ends_with("stopped before its end\n"), "{}", ran.stdout);
    wait_until_gone(&workers);
}

#[test]
fn a_script_that_shows_a_planted_fault_is_checked_by_its_header() {
    let scratch = Scratch::new();
    let fuzz = ["fuzz", "--fault", "count-kept", "--seed", "1", "--runs", "200", "--first", "--format", "json"];
    let (code, json) = scratch.json(&fuzz);
    assert_eq!((code, &json["fault"], &json["gc"]), (1, &"count-kept".into(), &"5.3".into()));
    let finding = &json["findings"][0];
    let path = finding["minimized"].as_str().unwrap();
    let text = scratch.read(path);
    assert!(text.lines().next().unwrap().ends_with(" fault=count-kept"), "{text}");
    scratch.run(&["check", "--expect", path]).assert_quiet(0);
    let folder = path.trim_end_matches("minimized.lua");
    assert!(scratch.read(&format!("{folder}finding.json")).contains("\"fault\": \"count-kept\""));
    assert!(scratch.read(&format!("{folder}report.txt")).contains("fault=count-kept"));

    // Without the fault there is nothing, and shrunk it shows the same.
    scratch.write("sound.lua", text.replace(" fault=count-kept", ""));
    assert_eq!(scratch.run(&["check", "sound.lua"]).assert_quiet(0).stdout, "sound.lua: nothing found\n");
    let again = scratch.run(&["minimize", "--fault", "count-kept", path]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(again.stdout, text);
}

#[test]
fn a_faulty_collector_runs_unchecked_only_where_dangling_is_allowed() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print(1)");
    let run = ["run", "--fault", "bytes-off"];
    scratch.run(&[&run[..], &["a.lua"]].concat()).assert_refused(&["bytes-off", "unsound", "--allow-dangling"]);
    for words in [["--check", "barrier"].as_slice(), &["--allow-dangling"]] {
        assert_eq!(scratch.run(&[&run[..], words, &["a.lua"]].concat()).stdout, "1\n");
    }
}

/// The sweep frees a coroutine and the closure that had its variable. The open upvalue is to be freed with them, and is closed
/// instead.
const DEAD_CLOSED: &str = r#"-- moonphase: lua=5.4 gc=5.1,setupvalue=upvalue check=barrier fault=closing-dead-kept
-- finding: unreachable-state upvalue-close sweep-all other-white->white unused-open-upvalues-are-freed
local f1
pcall(coroutine.wrap(function()
  local cfg
  function f1()
    return cfg
  end
  cfg = coroutine.yield()
end))
f2 = {}
debug.setupvalue(f1, 1, f2)
"#;

#[test]
fn a_fault_that_brings_a_store_into_a_state_that_no_store_can_meet_is_found_by_that() {
    let scratch = Scratch::new();
    scratch.write("closed.lua", DEAD_CLOSED);
    scratch.run(&["check", "--expect", "closed.lua"]).assert_quiet(0);
    let (code, json) = scratch.json(&["check", "--format", "json", "closed.lua"]);
    let finding = &json["files"][0]["findings"][0];
    assert_eq!(code, 1);
    assert_eq!((&finding["oracle"], &finding["kind"]), (&"invariant".into(), &"unreachable-state".into()));
    let report = scratch.run(&["check", "closed.lua"]).stdout;
    assert!(report.contains("unused-open-upvalues-are-freed: an open upvalue"), "{report}");
}
