//! Campaigns as their users meet them: what `fuzz` prints and saves, that it is the same however it is run, and how it
//! ends before its time.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::{SETUPVALUE, Scratch, code_lines, fields, wait_until_gone, without_times};
use serde_json::Value;

/// Enough cases for a few findings under the faulty policy.
const CASES: &str = "120";

fn slug(signature: &str) -> String {
    signature.replace([' ', '-', '>'], "-").replace("--", "-")
}

/// A campaign under the faulty policy with JSON output.
fn faulty(scratch: &Scratch, words: &[&str]) -> Value {
    let usual = ["fuzz", "--gc", "5.1", "--seed", "2", "--format", "json"];
    let (code, json) = scratch.json(&[&usual[..], words].concat());
    assert_eq!(code, 1);
    json
}

fn signatures(json: &Value) -> Vec<String> {
    let findings = json["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["signature"].as_str().unwrap().to_owned()).collect()
}

/// Every file below a folder, with its text, but the times of `finding.json`.
fn files(folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(folder).unwrap().display().to_string();
        if path.is_dir() {
            files.extend(self::files(&path).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
            continue;
        }
        let mut text = fs::read_to_string(&path).unwrap();
        if name.ends_with(".json") {
            text = without_times(serde_json::from_str(&text).unwrap()).to_string();
        }
        files.push((name, text));
    }
    files.sort();
    files
}

#[test]
fn a_correct_policy_is_not_accused_and_a_pipe_gets_no_progress_line() {
    let scratch = Scratch::new();
    let ran = scratch.run(&["fuzz", "--seed", "2", "--runs", "100"]);
    // Standard error, where the line would be, is empty.
    ran.assert_quiet(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(
        lines[0].contains("lua 5.4, gc 5.4, check barrier, schedule usual, reference lua54, seed 2"),
        "{}",
        lines[0]
    );
    assert!(lines[1].starts_with("100 cases in "), "{}", lines[1]);
    assert!(lines[2].contains(" states covered; missing: "), "{}", lines[2]);
    assert_eq!(lines[3..], ["nothing found"]);
    assert_eq!(scratch.list("findings"), Vec::<String>::new());
}

#[test]
fn a_campaign_of_free_programs_counts_what_they_did_instead_of_states() {
    let scratch = Scratch::new();
    let ran = scratch.run(&["fuzz", "--scripts", "free", "--runs", "150", "--seed", "3", "--jobs", "2"]);
    ran.assert_quiet(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[1].starts_with("150 cases in "), "{}", lines[1]);
    assert!(lines[2].contains(" of 139 library functions called, "), "{}", lines[2]);
    assert!(lines[3].contains(" of 1737 operators on types applied, "), "{}", lines[3]);
    assert_eq!(lines[4..], ["nothing found"]);
    let (_, json) = scratch.json(&["fuzz", "--scripts", "free", "--runs", "50", "--seed", "3", "--format", "json"]);
    assert_eq!((&json["scripts"], &json["coverage"]), (&"free".into(), &serde_json::Value::Null));
    assert_eq!(fields(&json["census"]), ["functions", "operators"]);
    assert!(json["census"]["functions"]["string.format"].is_u64(), "{}", json["census"]);
    scratch.run(&["fuzz", "--scripts", "free", "--without", "reload"]).assert_refused(&["--without"]);
    scratch.run(&["fuzz", "--scripts", "none"]).assert_refused(&["unknown scripts 'none'"]);
}

#[test]
fn a_seed_is_chosen_and_said_where_none_is_given() {
    let scratch = Scratch::new();
    let (_, json) = scratch.json(&["fuzz", "--runs", "1", "--format", "json"]);
    let seed = json["seed"].as_u64().unwrap().to_string();
    let ran = scratch.run(&["fuzz", "--runs", "1", "--seed", &seed]);
    assert!(ran.assert_quiet(0).stdout.contains(&format!("seed {seed}")), "{}", ran.stdout);
}

#[test]
fn the_summary_has_all_the_fields_of_the_contract() {
    let scratch = Scratch::new();
    let json = faulty(&scratch, &["--first", "--runs", "1000", "--jobs", "1"]);
    let expected = "census coverage executions failed fault findings gc inconclusive known lua next reference runs runs_per_second schema \
                    scripts seconds seconds_in seed start stopped_by version";
    assert_eq!(fields(&json), expected.split(' ').collect::<Vec<_>>());
    assert_eq!(fields(&json["seconds_in"]), ["check", "compare", "generate", "minimize", "reference", "vm"]);
    assert_eq!(fields(&json["reference"]), ["name", "version"]);
    let coverage = &json["coverage"];
    assert_eq!(fields(coverage), ["covered", "missing", "reachable"]);
    let missing = coverage["missing"].as_array().unwrap().len() as u64;
    assert_eq!(coverage["covered"].as_u64().unwrap() + missing, coverage["reachable"].as_u64().unwrap());
    assert_eq!((&json["lua"], &json["gc"], &json["seed"]), (&"5.4".into(), &"5.1".into(), &2.into()));
    assert!(json["reference"]["version"].as_str().unwrap().starts_with("Lua 5.4."), "{}", json["reference"]);
    assert_eq!(json["stopped_by"], "first");
    let finding = &json["findings"][0];
    let expected = "cause folder kind minimize_calls minimize_seconds minimized minimized_lines oracle run saved schedule script \
                    seconds signature";
    assert_eq!(fields(finding), expected.split(' ').collect::<Vec<_>>());
    assert_eq!((&finding["oracle"], &finding["kind"]), (&"invariant".into(), &"black-to-white".into()));
    // Cases are counted from 0, and nothing runs beside the case that ends the campaign.
    assert_eq!(json["runs"].as_u64(), finding["run"].as_u64().map(|run| run + 1));
    // Each case runs on our VM, on the reference and on our VM under a schedule; but for the last one, where it showed
    // something at once.
    let last = if finding["schedule"].is_null() { 1 } else { 3 };
    assert_eq!(json["executions"].as_u64(), json["runs"].as_u64().map(|runs| 3 * (runs - 1) + last));

    let words = ["fuzz", "--reference", "none", "--schedule", "none", "--runs", "5", "--format", "json"];
    let (code, json) = scratch.json(&words);
    assert_eq!((code, &json["executions"], &json["stopped_by"]), (0, &5.into(), &"runs".into()));
    assert_eq!((&json["reference"]["name"], json["reference"]["version"].is_null()), (&"none".into(), true));
}

#[test]
fn a_finding_is_a_folder_that_replays_by_itself() {
    let scratch = Scratch::new();
    let ran = scratch.run(&["fuzz", "--gc", "5.1", "--seed", "2", "--first", "--findings", "a/b"]);
    ran.assert_quiet(1);
    assert!(ran.stdout.contains(&format!("\nfound: {SETUPVALUE} (case ")), "{}", ran.stdout);
    let folder = format!("a/b/{}", slug(SETUPVALUE));
    assert_eq!(scratch.list("a/b"), [slug(SETUPVALUE)]);
    assert_eq!(scratch.list(&folder), ["finding.json", "minimized.lua", "original.lua", "report.txt"]);

    let finding: Value = serde_json::from_str(&scratch.read(&format!("{folder}/finding.json"))).unwrap();
    assert_eq!(finding["signature"], SETUPVALUE);
    assert_eq!((&finding["seed"], &finding["gc"], &finding["lua"]), (&2.into(), &"5.1".into(), &"5.4".into()));
    let schedule = finding["schedule"].as_str().map_or(String::new(), |schedule| format!(" schedule={schedule}"));
    for (name, schedule) in [("original.lua", schedule.as_str()), ("minimized.lua", "")] {
        let path = format!("{folder}/{name}");
        let header = format!("-- moonphase: lua=5.4 gc=5.1 check=barrier{schedule}\n-- finding: {SETUPVALUE}\n");
        assert!(scratch.read(&path).starts_with(&header), "{name}");
        scratch.run(&["check", "--expect", &path]).assert_quiet(0);
    }
    let minimized = scratch.read(&format!("{folder}/minimized.lua"));
    assert_eq!(finding["minimized_lines"].as_u64(), Some(code_lines(&minimized) as u64));

    let report = scratch.read(&format!("{folder}/report.txt"));
    assert!(!report.contains('\u{1b}'), "a file has no colours");
    assert!(report.contains(&format!("moonphase check {folder}/minimized.lua")), "{report}");
    assert!(ran.stdout.contains(report.trim()), "the report is printed as well");
}

#[test]
fn a_campaign_finds_the_same_with_any_number_of_jobs_and_every_time() {
    let run = |jobs| {
        let scratch = Scratch::new();
        let json = faulty(&scratch, &["--runs", CASES, "--jobs", jobs]);
        assert_eq!((&json["stopped_by"], json["runs"].to_string().as_str()), (&"runs".into(), CASES));
        (without_times(json), files(&scratch.path("findings")))
    };
    let (one, its_files) = run("1");
    assert!(signatures(&one).len() > 1, "{one}");
    for jobs in ["2", "1", "5"] {
        let (other, other_files) = run(jobs);
        assert_eq!(one, other, "{jobs} jobs");
        assert_eq!(its_files, other_files, "{jobs} jobs");
    }
}

#[test]
fn the_first_finding_is_that_of_the_lowest_case_and_a_case_can_be_run_alone() {
    let all = Scratch::new();
    let findings = faulty(&all, &["--runs", CASES, "--jobs", "2"])["findings"].as_array().unwrap().clone();
    let lowest = findings.iter().map(|finding| finding["run"].as_u64().unwrap()).min().unwrap();
    for jobs in ["1", "3"] {
        let first = faulty(&Scratch::new(), &["--first", "--runs", CASES, "--jobs", jobs]);
        assert_eq!(signatures(&first).len(), 1);
        assert_eq!(first["findings"][0]["run"].as_u64(), Some(lowest));
    }
    for finding in &findings {
        let alone = Scratch::new();
        let json = faulty(&alone, &["--start", &finding["run"].to_string(), "--runs", "1"]);
        assert_eq!(without_times(json["findings"][0].clone()), without_times(finding.clone()));
        for file in ["script", "minimized"] {
            let path = finding[file].as_str().unwrap();
            assert_eq!(alone.read(path), all.read(path));
        }
    }
}

#[test]
fn accepted_signatures_are_not_findings() {
    let scratch = Scratch::new();
    let found = signatures(&faulty(&scratch, &["--runs", CASES, "--findings", "first"]));
    scratch.write("all", format!("# accepted\n\n{}\n", found.join("\n")));
    let known = ["fuzz", "--gc", "5.1", "--seed", "2", "--runs", CASES, "--format", "json", "--known"];
    let (code, json) = scratch.json(&[&known[..], &["all"]].concat());
    assert_eq!((code, signatures(&json).len(), scratch.list("findings").len()), (0, 0, 0));
    assert!(json["known"].as_u64().unwrap() >= found.len() as u64, "{}", json["known"]);
    scratch.write("one", &found[0]);
    let (code, json) = scratch.json(&[&known[..], &["one"]].concat());
    assert_eq!((code, signatures(&json)), (1, found[1..].to_vec()));
}

#[test]
fn what_is_in_the_findings_folder_is_never_overwritten_and_still_counts() {
    let scratch = Scratch::new();
    let folder = format!("findings/{}", slug(SETUPVALUE));
    fs::create_dir_all(scratch.path(&folder)).unwrap();
    for name in ["original.lua", "report.txt", "notes"] {
        scratch.write(&format!("{folder}/{name}"), "mine");
    }
    let json = faulty(&scratch, &["--first"]);
    assert_eq!(signatures(&json), [SETUPVALUE]);
    // The folder is another one's. The finding has one of its own.
    let own = format!("{folder}-2");
    assert_eq!((&json["findings"][0]["folder"], &json["findings"][0]["saved"]), (&own.clone().into(), &"new".into()));
    assert_eq!(scratch.list(&own), ["finding.json", "minimized.lua", "original.lua", "report.txt"]);
    assert_eq!(scratch.list(&folder), ["notes", "original.lua", "report.txt"]);
    for name in ["original.lua", "report.txt", "notes"] {
        assert_eq!(scratch.read(&format!("{folder}/{name}")), "mine");
    }
}

#[test]
fn the_same_finding_under_other_settings_has_a_folder_of_its_own() {
    let scratch = Scratch::new();
    let first = faulty(&scratch, &["--first"])["findings"][0].clone();
    let script = scratch.read(first["script"].as_str().unwrap());
    // The same settings: what is there is shown as what it is.
    let again = faulty(&scratch, &["--first"])["findings"][0].clone();
    assert_eq!((&again["saved"], &again["folder"]), (&"before".into(), &first["folder"]));
    assert_eq!((&again["minimized"], &again["minimized_lines"]), (&first["minimized"], &first["minimized_lines"]));
    // Other settings.
    let words = ["fuzz", "--gc", "5.4,setupvalue=closure", "--seed", "2", "--first", "--format", "json"];
    let (_, json) = scratch.json(&words);
    let other = &json["findings"][0];
    assert_eq!((&other["signature"], &other["saved"]), (&first["signature"], &"new".into()));
    assert_eq!(other["folder"], format!("findings/{}-2", slug(SETUPVALUE)));
    let minimized = scratch.read(other["minimized"].as_str().unwrap());
    assert!(minimized.contains("gc=5.4,setupvalue=closure"), "{minimized}");
    assert_eq!(scratch.read(first["script"].as_str().unwrap()), script);
}

#[test]
fn a_finding_that_was_half_written_is_completed() {
    let scratch = Scratch::new();
    let first = faulty(&scratch, &["--first"])["findings"][0].clone();
    let folder = first["folder"].as_str().unwrap().to_owned();
    let whole = files(&scratch.path(&folder));
    for name in ["finding.json", "minimized.lua", "report.txt"] {
        fs::remove_file(scratch.path(&format!("{folder}/{name}"))).unwrap();
    }
    let again = faulty(&scratch, &["--first"])["findings"][0].clone();
    assert_eq!((&again["saved"], &again["folder"]), (&"completed".into(), &first["folder"]));
    let names = |files: &[(String, String)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let completed = files(&scratch.path(&folder));
    assert_eq!(names(&completed), names(&whole));
    // All but the word for what became of the folder.
    assert_eq!(completed[1..], whole[1..]);
}

#[test]
fn a_finding_that_cannot_be_saved_is_named() {
    let scratch = Scratch::new();
    let mut running = scratch.start(&["fuzz", "--gc", "5.1", "--seed", "1", "--time", "1h", "--jobs", "1"]);
    running.line_beginning("found: ");
    fs::remove_dir_all(scratch.path("findings")).unwrap();
    scratch.write("findings", "a file");
    let ran = running.finish();
    assert_eq!(ran.code, 2);
    let told = ran.stderr.strip_prefix("moonphase: found 'black-to-white ").unwrap_or_default();
    assert!(told.contains("' (case ") && told.contains("), but cannot write findings/"), "{}", ran.stderr);
}

#[test]
fn the_end_of_a_campaign_names_what_it_found() {
    let scratch = Scratch::new();
    let ran = scratch.run(&["fuzz", "--gc", "5.1", "--seed", "2", "--runs", CASES]);
    let (_, end) = ran.assert_quiet(1).stdout.rsplit_once(" findings:\n").unwrap();
    let (_, json) = scratch.json(&["fuzz", "--gc", "5.1", "--seed", "2", "--runs", CASES, "--format", "json"]);
    let found = signatures(&json);
    assert!(found.len() > 1);
    for finding in json["findings"].as_array().unwrap() {
        let [signature, minimized] = ["signature", "minimized"].map(|field| finding[field].as_str().unwrap());
        assert!(end.contains(&format!("  {signature} (case {}): {minimized}\n", finding["run"])), "{end}");
        assert!(signature.starts_with(finding["cause"].as_str().unwrap()), "{finding}");
    }
    // What is stored says nothing of the barrier that is wrong.
    let setupvalue =
        found.iter().filter(|signature| signature.starts_with("black-to-white setupvalue upvalue->")).count();
    let together = end.contains(&format!("  {setupvalue} of one cause:\n    black-to-white setupvalue upvalue->"));
    assert!(together || setupvalue == 1, "{end}");
    // Cases take their time while findings are looked into.
    assert!(json["runs_per_second"].as_f64().unwrap() < 5000.0, "{}", json["runs_per_second"]);
}

#[test]
fn a_worker_that_somebody_kills_is_no_finding() {
    let scratch = Scratch::new();
    let running = scratch.start(&["fuzz", "--seed", "1", "--runs", "3000", "--jobs", "1"]);
    for signal in ["KILL", "TERM", "KILL"] {
        thread::sleep(Duration::from_millis(400));
        for worker in running.children() {
            // It may have ended by itself.
            let _ = std::process::Command::new("kill").args(["-s", signal, &worker.to_string()]).status();
        }
    }
    let ran = running.finish();
    assert_eq!((ran.code, ran.stdout.lines().last()), (0, Some("nothing found")), "{ran:?}");
    assert!(ran.stdout.contains("\n3000 cases in "), "{}", ran.stdout);
}

#[test]
fn time_ends_a_campaign_and_another_one_goes_on() {
    let scratch = Scratch::new();
    let (code, json) = scratch.json(&["fuzz", "--seed", "1", "--time", "1s", "--format", "json"]);
    assert_eq!((code, &json["stopped_by"]), (0, &"time".into()));
    assert!(json["seconds"].as_f64().unwrap() >= 1.0);
    assert!(json["next"].as_u64().unwrap() > 0 && json["next"].as_u64() <= json["runs"].as_u64(), "{}", json["next"]);
    let ran = scratch.run(&["fuzz", "--seed=3", "--start", "5", "--time", "1s", "--runs", "1000000", "--gc", "5.4"]);
    let line = ran.assert_quiet(0).stdout.lines().find(|line| line.starts_with("to go on: ")).unwrap();
    let words: Vec<&str> = line.trim_start_matches("to go on: ").split(' ').collect();
    let [.., "--runs", left, "--seed", "3", "--start", next] = words[..] else { panic!("{line}") };
    assert_eq!(words[..6], ["moonphase", "fuzz", "--time", "1s", "--gc", "5.4"]);
    let [left, next]: [u64; 2] = [left, next].map(|number| number.parse().unwrap());
    assert_eq!(left + next, 1_000_005);
    // A campaign in which no case came to its end has tested nothing.
    let (code, json) = scratch.json(&["fuzz", "--seed", "1", "--time", "1ms", "--jobs", "1", "--format", "json"]);
    assert_eq!(code, if json["runs"] == 0 { 2 } else { 0 }, "{json}");
}

#[test]
fn ctrl_c_ends_a_campaign_in_order() {
    let scratch = Scratch::new();
    let mut running = scratch.start(&["fuzz", "--seed", "1", "--time", "1h", "--jobs", "2"]);
    running.line_beginning("moonphase ");
    thread::sleep(Duration::from_millis(700));
    let workers = running.children();
    running.signal("INT");
    let ran = running.finish();
    ran.assert_quiet(130);
    assert!(ran.stdout.contains(" cases in ") && ran.stdout.contains("stopped before its end"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("nothing found\n"), "{}", ran.stdout);
    wait_until_gone(&workers);

    // With a finding, in the midst of looking into it.
    let mut running = scratch.start(&["fuzz", "--gc", "5.1", "--seed", "1", "--time", "1h", "--jobs", "2"]);
    running.line_beginning(&format!("found: {SETUPVALUE}"));
    let workers = running.children();
    running.signal("INT");
    let ran = running.finish();
    ran.assert_quiet(1);
    assert!(ran.stdout.contains("stopped before its end") && ran.stdout.contains(" finding"), "{}", ran.stdout);
    wait_until_gone(&workers);
    let folder = format!("findings/{}", slug(SETUPVALUE));
    let files = scratch.list(&folder);
    assert!(["finding.json", "original.lua", "report.txt"].iter().all(|name| files.iter().any(|file| file == name)));
    scratch.run(&["check", "--expect", &format!("{folder}/original.lua")]).assert_quiet(0);
}

#[test]
fn a_campaign_killed_outright_loses_no_finding_it_spoke_of_and_leaves_no_worker_behind() {
    let scratch = Scratch::new();
    let mut running = scratch.start(&["fuzz", "--gc", "5.1", "--seed", "1", "--time", "1h", "--jobs", "2"]);
    let mut announced = Vec::new();
    while announced.len() < 2 {
        let line = running.line_beginning("found: ");
        let signature = line.trim_start_matches("found: ").split(" (case ").next().unwrap().to_owned();
        announced.push(signature);
    }
    let workers = running.children();
    assert!(!workers.is_empty());
    running.signal("KILL");
    assert_eq!(running.finish().code, -9);
    wait_until_gone(&workers);
    for signature in announced {
        let original = format!("findings/{}/original.lua", slug(&signature));
        let ran = scratch.run(&["check", "--expect", &original]);
        assert_eq!(ran.assert_quiet(0).stdout, format!("{original}: as expected\n"));
        assert!(scratch.read(&original).contains(&format!("-- finding: {signature}\n")));
    }
}
