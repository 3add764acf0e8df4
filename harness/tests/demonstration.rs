//! The main job: from nothing but a seed to the fault of Lua 5.1's `setupvalue`, as a few lines that replay.
#![cfg(unix)]

mod common;

use common::{Scratch, code_lines};
use moonphase::engine::reference::ReferenceEngine;
use moonphase::engine::{Case, Engine};
use moonphase::limits::Limits;
use moonphase::outcome::End;

/// The longest that a minimized script may be.
const MOST_LINES: usize = 12;

/// Finds the fault with a seed, and puts the minimized script to every proof. Returns the generated and the minimized
/// script.
fn demonstrate(seed: u64, without: &[&str]) -> (String, String) {
    let scratch = Scratch::new();
    let seed_text = seed.to_string();
    let mut words = vec!["fuzz", "--gc", "5.1", "--first", "--jobs", "1", "--seed", &seed_text, "--format", "json"];
    words.extend(without.iter().flat_map(|kind| ["--without", kind]));
    let (code, json) = scratch.json(&words);
    assert_eq!((code, &json["stopped_by"]), (1, &"first".into()), "seed {seed}: {json}");

    let finding = &json["findings"][0];
    let signature = finding["signature"].as_str().unwrap();
    assert!(signature.starts_with("black-to-white setupvalue "), "seed {seed}: {signature}");
    let path = finding["minimized"].as_str().unwrap();
    let minimized = scratch.read(path);
    let lines = code_lines(&minimized);
    assert!(lines <= MOST_LINES, "seed {seed}: {lines} lines\n{minimized}");
    assert_eq!(finding["minimized_lines"].as_u64(), Some(lines as u64));

    // Its header is the whole replay.
    let again = scratch.run(&["check", path]);
    assert!(again.assert_quiet(1).stdout.starts_with(&format!("{path}: {signature}\n")), "{}", again.stdout);
    scratch.run(&["check", "--expect", path]).assert_quiet(0);
    for gc in ["5.4", "5.2", "5.1,setupvalue=upvalue"] {
        let clean = scratch.run(&["check", "--gc", gc, path]);
        assert_eq!(clean.assert_quiet(0).stdout, format!("{path}: nothing found\n"), "seed {seed}");
    }
    let case = Case::new(minimized.as_bytes(), "@minimized.lua");
    let on_reference = ReferenceEngine::new().run(&case, &Limits::default()).outcome;
    assert_eq!(on_reference.end, End::Returned, "seed {seed}\n{minimized}");
    (scratch.read(finding["script"].as_str().unwrap()), minimized)
}

#[test]
fn the_fault_of_setupvalue_is_found_and_minimized() {
    for seed in [1, 2, 3, 5] {
        demonstrate(seed, &[]);
    }
}

#[test]
fn it_is_found_without_reload() {
    for seed in 1..=3 {
        let (original, _) = demonstrate(seed, &["reload"]);
        assert!(!original.contains("reload("), "{original}");
    }
}

#[test]
fn it_is_found_without_upvaluejoin_by_sharing_alone() {
    for seed in 1..=3 {
        let (original, minimized) = demonstrate(seed, &["upvalue-join"]);
        assert!(!original.contains("upvaluejoin") && !minimized.contains("upvaluejoin"), "{original}\n{minimized}");
    }
}
