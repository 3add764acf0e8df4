//! Reports of real findings: scripts are run under the rules of Lua 5.1, whose `setupvalue` is wrong.

use std::collections::HashMap;

use moonphase_invariants::{Checker, Invariant, Level, Violation};
use moonphase_vm::gc::Policy;
use moonphase_vm::{Options, Vm};
use serde_json::Value;

use super::{Context, Explanation, Style, render};
use crate::outcome;

const CHUNK: &[u8] = b"@case.lua";

/// A module that is reloaded: the function of each load gets the upvalue of the first one by `upvaluejoin`, and new
/// data is stored into it by `setupvalue` while the first function is black and the last one white. `STEPS` takes a
/// number.
const DOUBLE_RELOAD: &str = "\
local function load_module(cfg)
  return function() return cfg.level end
end

level = load_module({level = 1})
local second = load_module({level = 2})
debug.upvaluejoin(second, 1, level, 1)
local third = load_module({level = 3})
local fresh = {level = 4}

collectgarbage(\"incremental\", 100, 100, 1)
collectgarbage()
for _ = 1, STEPS do collectgarbage(\"step\", 0) end
debug.upvaluejoin(third, 1, level, 1)
debug.setupvalue(third, 1, fresh)
fresh = nil
repeat until collectgarbage(\"step\", 0)
print(level().level)
";

/// Two closures of one scope: the fault without `upvaluejoin`.
const SHARED: &str = "\
local function pair()
  local state = {}
  return function() return state end, function() state = nil end
end
local set, fresh
get, set = pair()
fresh = {}
collectgarbage(\"incremental\", 100, 100, 1)
collectgarbage()
for _ = 1, STEPS do collectgarbage(\"step\", 0) end
debug.setupvalue(set, 1, fresh)
fresh, set = nil, nil
repeat until collectgarbage(\"step\", 0)
";

struct Found {
    script: String,
    violation: Violation,
    explanation: Explanation,
}

fn run(source: &str, checker: Checker) -> Option<Found> {
    let mut options = Options::default();
    options.policy = Policy::LUA_51;
    options.instruction_limit = Some(1_000_000);
    let mut vm = Vm::observed(options, Box::new(checker.with_history()));
    // How the script ends does not matter.
    let _ = vm.run(source.as_bytes(), CHUNK, &[]);
    let checker: Box<Checker> = vm.take_observer()?.into_any().downcast().ok()?;
    let violation = checker.violation()?.clone();
    let explanation = Explanation::of_violation(&violation, checker.history(), CHUNK);
    Some(Found { script: source.to_owned(), violation, explanation })
}

/// Runs a script with as many steps as it takes to find something.
fn find(source: &str) -> Found {
    // As wide as the placeholder, so that reports can have it back.
    let with_steps = |steps: i32| source.replace("STEPS", &format!("{steps:<5}"));
    let found = (1..400).find_map(|steps| run(&with_steps(steps), Checker::new(Level::Barrier)));
    let found = found.expect("some step of a cycle lies between the two closures");
    Found { explanation: steady(&found.explanation), ..found }
}

/// Puts small numbers for those of objects, steps and events, which depend on the size of the library.
fn steady(explanation: &Explanation) -> Explanation {
    let mut value = serde_json::to_value(explanation).unwrap();
    let mut numbers = HashMap::new();
    renumber(&mut value, "", &mut numbers);
    serde_json::from_value(value).unwrap()
}

fn renumber(value: &mut Value, key: &str, numbers: &mut HashMap<u64, u64>) {
    let next = numbers.len() as u64 + 1;
    match value {
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| renumber(value, key, numbers)),
        Value::Array(items) => items.iter_mut().for_each(|item| renumber(item, key, numbers)),
        Value::Number(number) => match key {
            "id" => *value = (*numbers.entry(number.as_u64().unwrap()).or_insert(next)).into(),
            "event" | "step" | "sound_until" => *value = 100.into(),
            _ => {}
        },
        Value::String(text) => {
            let mut parts = text.split('#');
            let mut out = parts.next().unwrap().to_owned();
            for part in parts {
                let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
                let (number, rest) = part.split_at(digits);
                // In `upvalue #1` it is not the number of an object.
                match number.parse() {
                    Ok(number) if !out.ends_with(' ') => {
                        let next = numbers.len() as u64 + 1;
                        out.push_str(&format!("#{}{rest}", numbers.entry(number).or_insert(next)));
                    }
                    _ => out.push_str(&format!("#{part}")),
                }
            }
            *text = out;
        }
        _ => {}
    }
}

fn context<'a>(script: &'a str, signature: &'a str) -> Context<'a> {
    Context {
        script,
        file: "case.lua",
        command: "moonphase check case.lua",
        signature,
        gc: "5.1",
        settings: "lua=5.4 gc=5.1 check=barrier",
    }
}

fn report(found: &Found, source: &str, style: Style) -> String {
    assert_eq!(found.script.len(), source.len());
    render(&found.explanation, &context(source, &found.violation.signature()), style)
}

#[test]
fn the_report_of_a_double_reload_says_what_is_wrong_with_setupvalue() {
    let text = report(&find(DOUBLE_RELOAD), DOUBLE_RELOAD, Style::Plain);
    insta::assert_snapshot!("double_reload", text);
}

#[test]
fn the_report_of_a_shared_upvalue_needs_no_upvaluejoin() {
    let text = report(&find(SHARED), SHARED, Style::Plain);
    insta::assert_snapshot!("shared", text);
}

#[test]
fn colours_change_nothing_but_colours() {
    let found = find(SHARED);
    let coloured = report(&found, SHARED, Style::Colour);
    assert!(coloured.contains("\x1b["));
    assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), report(&found, SHARED, Style::Plain));
}

#[test]
fn what_is_found_only_at_the_next_step_still_names_who_wrote_it() {
    let at_store = find(DOUBLE_RELOAD);
    let found = run(&at_store.script, Checker::new(Level::Step)).unwrap();
    assert_eq!(found.violation.site, None);
    let text = render(&found.explanation, &context(&found.script, "black-to-white"), Style::Plain);
    assert!(text.contains("`debug.setupvalue` stored table#"), "{text}");
    assert!(text.contains("(phase propagate, line 15)"), "{text}");
}

#[test]
fn the_report_of_a_freed_table_says_when_it_was_freed_and_who_stored_it() {
    let at_store = find(DOUBLE_RELOAD);
    let later = |event| run(&at_store.script, Checker::new(Level::Barrier).starting_at(event));
    let mut after = (at_store.violation.event..).map_while(later);
    let found = after.find(|found| found.violation.invariant == Invariant::Dangling).unwrap();
    let found = Found { explanation: steady(&found.explanation), ..found };
    insta::assert_snapshot!("freed", report(&found, DOUBLE_RELOAD, Style::Plain));
}

#[test]
fn the_report_of_a_difference_shows_both_sides() {
    let difference = outcome::Difference { line: Some(2), ours: "a\x1b[2Jb".into(), reference: "c".into() };
    let explanation = Explanation::of_difference(&difference, "moonphase", "lua54");
    let text = render(&explanation, &context("print('a')\nprint('b')\n", "differential output"), Style::Plain);
    insta::assert_snapshot!("difference", text);
}

#[test]
fn the_report_of_a_crash_shows_the_last_words() {
    let explanation = Explanation::of_crash("reference", "SIGSEGV", "one\ntwo\n");
    let text = render(&explanation, &context("print('a')", "crash reference SIGSEGV"), Style::Plain);
    insta::assert_snapshot!("crash", text);
}

#[test]
fn a_finding_that_does_not_show_again_is_not_explained_away() {
    let text = render(&Explanation::NotRepeated, &context("print('a')", "signature"), Style::Plain);
    assert!(text.contains("did not show in a second run"));
}

#[test]
fn an_explanation_survives_the_way_between_processes() {
    let explanation = find(SHARED).explanation;
    let bytes = postcard::to_stdvec(&explanation).unwrap();
    assert_eq!(postcard::from_bytes::<Explanation>(&bytes).unwrap(), explanation);
}

#[test]
fn any_script_text_can_be_rendered() {
    let found = find(SHARED);
    for script in ["", "\n", "x", "é\t\r\n\u{1b}\0", &"\n".repeat(500), &"é ".repeat(5000), &" \t\n".repeat(20)] {
        for style in [Style::Plain, Style::Colour] {
            let text = render(&found.explanation, &context(script, "signature"), style);
            assert!(text.ends_with("moonphase check case.lua\n"));
        }
    }
}
