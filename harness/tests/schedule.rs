//! Schedules of the collector: what only they show is found, and then shown without them.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{SETUPVALUE, Scratch, code_lines};
use moonphase::header::Header;
use moonphase::settings::Settings;

/// The fault of `setupvalue` in a script that makes no steps.
const WITHOUT_STEPS: &str = include_str!("../../corpus/setupvalue-without-steps.lua");

/// A script that lets the collector show: it tells when a finalizer has run.
const TELLTALE: &str = "\
collectgarbage('stop')
local log = 'not finalized'
setmetatable({}, { __gc = function() log = 'finalized' end })
for i = 1, 2000 do
  local t = { i }
end
print(log)
";

const SCHEDULES: &[&str] = &["none", "stress", "barriers", "generational", "random:1", "random:2", "all", "usual"];

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "lua")).collect()
}

#[test]
fn the_corpus_is_clean_under_every_schedule_where_the_policy_is_right() {
    let scratch = Scratch::new();
    for path in corpus() {
        let header = Header::parse(&fs::read(&path).unwrap(), Settings::default()).unwrap().unwrap();
        let file = path.to_str().unwrap();
        for gc in header.clean {
            for schedule in SCHEDULES {
                let ran = scratch.run(&["check", "--gc", &gc.to_string(), "--schedule", schedule, file]);
                assert_eq!(ran.assert_quiet(0).stdout, format!("{file}: nothing found\n"), "{gc} {schedule}");
            }
        }
    }
}

#[test]
fn a_fault_that_only_a_schedule_shows_is_found_under_it() {
    let scratch = Scratch::new();
    scratch.write("silent.lua", WITHOUT_STEPS);
    scratch.run(&["check", "--expect", "silent.lua"]).assert_quiet(0);
    let without = scratch.run(&["check", "--schedule", "none", "silent.lua"]);
    assert_eq!(without.assert_quiet(0).stdout, "silent.lua: nothing found\n");
    let (code, json) = scratch.json(&["check", "--format", "json", "silent.lua"]);
    let finding = &json["files"][0]["findings"][0];
    assert_eq!((code, &finding["signature"], &finding["schedule"]), (1, &SETUPVALUE.into(), &"stress".into()));
}

#[test]
fn a_minimized_script_makes_the_steps_of_its_schedule_itself() {
    let scratch = Scratch::new();
    scratch.write("silent.lua", WITHOUT_STEPS);
    for schedule in ["stress", "barriers", "all"] {
        scratch.run(&["minimize", "--schedule", schedule, "silent.lua", "-o", "small.lua"]);
        let small = scratch.read("small.lua");
        let header = format!("-- moonphase: lua=5.4 gc=5.1 check=barrier\n-- finding: {SETUPVALUE}\n");
        assert!(small.starts_with(&header), "{schedule}: {small}");
        assert!(small.contains("collectgarbage(\"step\""), "{schedule}: {small}");
        assert!(code_lines(&small) <= 14, "{schedule}: {small}");
        scratch.run(&["check", "--expect", "small.lua"]).assert_quiet(0);
    }
}

#[test]
fn an_outcome_that_depends_on_the_schedule_is_a_finding_where_no_reference_can_be_asked() {
    let scratch = Scratch::new();
    scratch.write("telltale.lua", TELLTALE);
    scratch.run(&["check", "telltale.lua"]).assert_quiet(0);
    let (code, json) =
        scratch.json(&["check", "--reference", "none", "--schedule", "all", "--format", "json", "telltale.lua"]);
    let finding = &json["files"][0]["findings"][0];
    assert_eq!((code, &finding["oracle"], &finding["kind"]), (1, &"schedule".into(), &"schedule".into()));
    assert_eq!(
        (&finding["schedule"], finding["signature"].as_str()),
        (&"stress".into(), Some("schedule output returned/returned"))
    );
    let report = ["check", "--reference", "none", "--schedule", "stress", "telltale.lua"];
    let report = scratch.run(&report).assert_quiet(1).stdout.clone();
    for words in ["schedule=stress", "moonphase with schedule stress", "not finalized"] {
        assert!(report.contains(words), "{words}: {report}");
    }
}

#[test]
fn a_script_that_asks_when_it_is_collected_is_told_so() {
    let scratch = Scratch::new();
    scratch.write("finalizer.lua", TELLTALE);
    scratch.write("step.lua", "for i = 1, 30 do print(collectgarbage('step')) end");
    scratch.write("mode.lua", "print(collectgarbage('incremental'))");
    scratch.write(
        "weak.lua",
        "local w = setmetatable({ {} }, { __mode = 'v' }) for i = 1, 200 do local t = {} end print(#w)",
    );
    for (file, schedule) in
        [("finalizer.lua", "all"), ("step.lua", "all"), ("mode.lua", "generational"), ("weak.lua", "stress")]
    {
        let words = ["check", "--schedule", schedule, "--format", "json", file];
        let (code, json) = scratch.json(&words);
        let what = &json["files"][0]["depends"];
        assert_eq!((code, what), (0, &"timing".into()), "{file}: {json}");
        let said = scratch.run(&["check", "--schedule", schedule, file]).assert_quiet(0).stdout.clone();
        assert!(said.contains("depends on when the collector runs"), "{said}");
    }
}

#[test]
fn what_cannot_be_said_in_statements_stays_in_the_header_as_a_few_turns() {
    let scratch = Scratch::new();
    scratch.write("telltale.lua", TELLTALE);
    scratch.run(&["minimize", "--reference", "none", "--schedule", "stress", "telltale.lua", "-o", "small.lua"]);
    let small = scratch.read("small.lua");
    let (first, _) = small.split_once('\n').unwrap();
    let (_, steps) = first.split_once(" schedule=steps:").unwrap_or_else(|| panic!("{small}"));
    assert!(steps.split(',').count() <= 3, "{small}");
    scratch.run(&["check", "--expect", "small.lua"]).assert_quiet(0);
}

#[test]
fn a_campaign_reports_the_schedule_that_a_finding_took() {
    let scratch = Scratch::new();
    let words = ["fuzz", "--gc", "5.1", "--runs", "10", "--jobs", "1", "--schedule", "stress", "--first"];
    // Most cases make steps enough of their own.
    let (code, json) = (1..=50)
        .map(|seed| {
            let (seed, folder) = (seed.to_string(), format!("findings-{seed}"));
            scratch.json(&[&words[..], &["--seed", &seed, "--findings", &folder, "--format", "json"]].concat())
        })
        .find(|(_, json)| !json["findings"][0]["schedule"].is_null())
        .expect("a finding that takes the schedule");
    let finding = &json["findings"][0];
    assert_eq!((code, &finding["schedule"]), (1, &"stress".into()), "{json}");
    let original = scratch.read(finding["script"].as_str().unwrap());
    assert!(original.lines().next().unwrap().ends_with("gc=5.1 check=barrier schedule=stress"), "{original}");
    scratch.run(&["check", "--expect", finding["script"].as_str().unwrap()]).assert_quiet(0);
    scratch.run(&["check", "--expect", finding["minimized"].as_str().unwrap()]).assert_quiet(0);
}

#[test]
fn a_script_runs_the_same_under_any_schedule_and_only_under_one() {
    let scratch = Scratch::new();
    scratch
        .write("hello.lua", "local t = {} for i = 1, 100 do t[i] = tostring(i) .. 'x' end print(table.concat(t, ' '))");
    let plain = scratch.run(&["run", "hello.lua"]).assert_quiet(0).stdout.clone();
    for schedule in ["stress", "barriers", "random:3", "generational", "steps:4x100,9"] {
        let ran = scratch.run(&["run", "--schedule", schedule, "hello.lua"]);
        assert_eq!(ran.assert_quiet(0).stdout, plain, "{schedule}");
    }
    let turns = |words: &[&str]| {
        let traced = scratch.run(&[&["trace", "--events", "all"], words, &["hello.lua"]].concat());
        traced.assert_quiet(0).stdout.lines().count()
    };
    assert!(turns(&["--schedule", "stress"]) > turns(&[]), "a trace shows the schedule's turns");
    scratch.run(&["run", "--schedule", "all", "hello.lua"]).assert_refused(&["under one schedule", "'all'"]);
    scratch.run(&["run", "--schedule", "now", "hello.lua"]).assert_refused(&["unknown schedule 'now'"]);
}

/// A script without its calls of the collector, and without its header.
fn without_steps(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.filter(|line| !line.contains("collectgarbage")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_schedule_is_found_for_a_script_that_makes_no_steps() {
    let scratch = Scratch::new();
    for (name, gc) in [
        ("double-reload", "5.1"),
        ("sharing-only", "5.1"),
        ("join-then-set", "5.1"),
        ("setupvalue-without-steps", "5.1"),
        ("joined-value-left-young", "generational,old0=child"),
    ] {
        let text = fs::read_to_string(format!("{}/../corpus/{name}.lua", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let script = without_steps(&text);
        let file = format!("{name}.lua");
        scratch.write(&file, &script);
        let words = ["check", "--gc", gc, "--time", "60s", "--format", "json", &file];
        let (code, json) = scratch.json(&words);
        assert_eq!(code, 1, "{name}: {json}\n{script}");
        let found = &json["files"][0];
        let schedule = found["findings"][0]["schedule"].as_str().unwrap_or("none").to_owned();
        // What was found is shown again by the schedule alone.
        let (code, again) = scratch.json(&["check", "--gc", gc, "--schedule", &schedule, "--format", "json", &file]);
        assert_eq!((code, &again["files"][0]["findings"]), (1, &found["findings"]), "{name}");
        println!("{name}: {} after {} schedules, by {schedule}", found["findings"][0]["signature"], found["searched"]);
    }
    // Where there is nothing to find, the search says so.
    scratch.write("quiet.lua", "print(1)\n");
    let ran = scratch.run(&["check", "--time", "100ms", "quiet.lua"]);
    let text = &ran.assert_quiet(0).stdout;
    assert!(text.starts_with("quiet.lua: nothing found (nor under "), "{text}");
}
