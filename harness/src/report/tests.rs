//! Reports of real findings: scripts are run under the rules of Lua 5.1, whose `setupvalue` is wrong.

use std::collections::HashMap;

use moonphase_heap::{Clearing, Colour, Kind, Phase, Site};
use moonphase_invariants::{Checker, Invariant, Level, ObjectInfo, Violation};
use moonphase_vm::gc::Policy;
use moonphase_vm::{Options, Vm};

use super::{Broken, Context, Explanation, Identity, Style, Thing, render};
use crate::coverage::{Cell, Collection, CyclePart, Rule, StoreCell, Unreachable, WeakCell};
use crate::engine::sanitizer::ToolReport;
use crate::engine::{Activity, Role};
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
    Found { explanation: steady(found.explanation), ..found }
}

/// Puts small numbers for those of objects, steps and events, which depend on the size of the library.
fn steady(mut explanation: Explanation) -> Explanation {
    let Explanation::Violation(broken) = &mut explanation else { panic!("no violation") };
    let Broken { seen, sound_until, holder, target, path, blackened, freed, store, .. } = &mut **broken;
    let mut numbers = HashMap::new();
    let through = blackened.iter_mut().filter_map(|blackened| blackened.through.as_mut());
    let barriers = store.iter_mut().flat_map(|store| &mut store.barriers);
    let parties = barriers.flat_map(|barrier| [&mut barrier.child, &mut barrier.parent]);
    through.chain(holder).chain(target).for_each(|thing| renumber(&mut thing.identity, &mut numbers));
    path.iter_mut().for_each(|step| renumber_info(&mut step.object, &mut numbers));
    parties.for_each(|thing| renumber(&mut thing.identity, &mut numbers));
    let store = store.iter_mut().map(|store| &mut store.when);
    let blackened = blackened.iter_mut().map(|blackened| &mut blackened.when);
    for when in store.chain(blackened).chain(freed).chain([seen]) {
        when.event = 100;
        when.step = when.step.map(|_| 100);
    }
    *sound_until = 100;
    explanation
}

fn renumber(identity: &mut Identity, numbers: &mut HashMap<u32, u32>) {
    match identity {
        Identity::Met(info) => renumber_info(info, numbers),
        Identity::Told { id, .. } => *id = number(*id, numbers),
    }
}

fn renumber_info(info: &mut ObjectInfo, numbers: &mut HashMap<u32, u32>) {
    info.id = number(info.id, numbers);
    if let Some(closure) = &mut info.held_by {
        renumber_info(closure, numbers);
    }
}

fn number(id: u32, numbers: &mut HashMap<u32, u32>) -> u32 {
    let next = u32::try_from(numbers.len()).unwrap() + 1;
    *numbers.entry(id).or_insert(next)
}

fn context<'a>(script: &'a str, signature: &'a str) -> Context<'a> {
    Context {
        script,
        file: "case.lua",
        command: "moonphase check case.lua",
        signature,
        gc: Policy::LUA_51,
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
    let found = Found { explanation: steady(found.explanation), ..found };
    insta::assert_snapshot!("freed", report(&found, DOUBLE_RELOAD, Style::Plain));
}

#[test]
fn the_report_of_a_difference_shows_both_sides() {
    let difference = outcome::Difference { line: Some(2), ours: "a\x1b[2Jb".into(), reference: "c".into() };
    let explanation = Explanation::of_difference(&difference, super::Between::Engines, "moonphase", "lua54");
    let text = render(&explanation, &context("print('a')\nprint('b')\n", "differential output"), Style::Plain);
    insta::assert_snapshot!("difference", text);
}

#[test]
fn the_report_of_a_crash_shows_the_last_words() {
    let reference = Activity::Run(Role::Reference(0));
    let explanation = Explanation::of_crash(reference, Some("SIGSEGV"), None, "one\ntwo\n");
    let text = render(&explanation, &context("print('a')", "crash reference SIGSEGV"), Style::Plain);
    insta::assert_snapshot!("crash", text);
}

#[test]
fn the_report_of_a_sanitizer_says_what_it_means() {
    let stderr =
        "==7==ERROR: AddressSanitizer: use-after-poison on address 0x52\n    #0 0x51 in luaH_get ltable.c:472\n";
    let report = ToolReport::read(stderr);
    let explanation = Explanation::of_crash(Activity::Run(Role::Subject), Some("exit code 1"), report, stderr);
    let text = render(&explanation, &context("print('a')", "asan use-after-poison luaH_get"), Style::Plain);
    insta::assert_snapshot!("sanitizer", text);
}

#[test]
fn the_report_of_a_crash_without_a_death_of_its_own_speaks_of_the_deadline() {
    let explanation = Explanation::of_crash(Activity::Run(Role::Subject), None, None, "");
    let text = render(&explanation, &context("print('a')", "crash vm hang"), Style::Plain);
    assert!(text.contains("\nThe vm was still running at the deadline.\n"), "{text}");
}

fn unreachable() -> Unreachable {
    let cell = Cell::Store(StoreCell {
        site: Site::UpvalueClose,
        stage: CyclePart::Incremental(Phase::SweepAll),
        parent: Colour::White,
        child: Colour::OtherWhite,
        upvalue: None,
    });
    Unreachable { cell, rule: Rule::LiveUpvaluesHoldLiveValues }
}

#[test]
fn the_report_of_a_store_that_cannot_be_shows_the_store_and_the_rule_against_it() {
    let explanation = Explanation::Unreachable(unreachable());
    let text = render(&explanation, &context("print('a')", &unreachable().signature()), Style::Plain);
    assert!(text.contains("\n  upvalue-close sweep-all white->other-white\n"), "{text}");
    let rule =
        "\n  live-upvalues-hold-live-values: the atomic phase marks the values of marked open upvalues whose thread";
    assert!(text.contains(rule), "{text}");
    assert!(text.contains(" This follows from remark_upvalues.\n"), "{text}");
}

#[test]
fn the_report_of_another_state_that_cannot_be_names_what_happened() {
    let cell = Cell::Weak(WeakCell::Finalized { pass: Clearing::Keys, collection: Collection::Minor });
    let explanation = Explanation::Unreachable(Unreachable { cell, rule: Rule::FinalizedKeysStay });
    let text = render(&explanation, &context("print('a')", "signature"), Style::Plain);
    assert!(
        text.contains("The clearing of a weak entry met the collector in a state that it must not be in."),
        "{text}"
    );
    assert!(text.contains("\nThe state\n  weak-finalized keys minor\n"), "{text}");
}

#[test]
fn an_object_that_only_the_history_knows_is_called_by_kind_and_number() {
    let thing = Thing { identity: Identity::Told { id: 7, kind: Kind::Closure }, shade: None, made: None };
    assert_eq!((thing.name(), thing.full_name()), ("closure#7".to_owned(), "closure#7".to_owned()));
}

#[test]
fn a_finding_that_does_not_show_again_is_not_explained_away() {
    let text = render(&Explanation::NotRepeated, &context("print('a')", "signature"), Style::Plain);
    assert!(text.contains("did not show in a second run"));
}

#[test]
fn an_explanation_survives_the_way_between_processes() {
    let difference = outcome::Difference { line: None, ours: "a".into(), reference: "b".into() };
    for explanation in [
        find(SHARED).explanation,
        Explanation::Unreachable(unreachable()),
        Explanation::of_difference(&difference, super::Between::Engines, "moonphase", "lua54"),
        Explanation::of_crash(Activity::Compare, None, None, "its last words"),
        Explanation::NotRepeated,
    ] {
        let bytes = postcard::to_stdvec(&explanation).unwrap();
        assert_eq!(postcard::from_bytes::<Explanation>(&bytes).unwrap(), explanation);
    }
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
