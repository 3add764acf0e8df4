//! The minimizer with judges that know what they want, and with one that runs the VM under the checker.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use moonphase_invariants::{Checker, Level};
use moonphase_vm::gc::Policy;
use moonphase_vm::syntax::print_chunk;
use moonphase_vm::{Options, Vm};
use proptest::prelude::*;

use super::*;
use crate::script::{GeneratorOptions, Operation, Script, generate};

const LANGUAGE: Language = Language::LUA_54;

/// A judge that wants Lua text with some words in this order.
fn wants<'w>(words: &'w [&'w str]) -> impl FnMut(&str) -> Answer + 'w {
    move |text| {
        let mut rest = text;
        let found = words.iter().all(|word| match rest.split_once(word) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        });
        let lua = LANGUAGE.parse(text.as_bytes(), b"=test").is_ok();
        if found && lua { Answer::Keeps } else { Answer::Loses }
    }
}

fn minimize_text(text: &str, words: &[&str]) -> String {
    let minimized = minimize(Shrinkable::Text(text.to_owned()), &LANGUAGE, &mut wants(words), Budget::default());
    assert!(minimized.reproduced, "the judge keeps the shrinkable");
    minimized.text
}

/// What the checker says about a text under the collector of Lua 5.1 with `upvaluejoin` ported to it.
fn signature(text: &str) -> Option<String> {
    let mut options = Options::default();
    options.policy = Policy::LUA_51;
    options.instruction_limit = Some(2_000_000);
    options.memory_limit = 64 << 20;
    let mut vm = Vm::observed(options, Box::new(Checker::new(Level::Barrier)));
    let _ = vm.run(text.as_bytes(), b"=script", &[]);
    let checker: Box<Checker> = vm.take_observer()?.into_any().downcast().ok()?;
    checker.into_violation().map(|violation| violation.signature())
}

/// A judge that wants this signature.
fn shows(wanted: &str) -> impl FnMut(&str) -> Answer + '_ {
    move |text| if signature(text).as_deref() == Some(wanted) { Answer::Keeps } else { Answer::Loses }
}

const SETUPVALUE: &str = "black-to-white setupvalue upvalue->table";

#[test]
fn a_number_of_steps_becomes_a_range_of_sizes_where_that_is_as_short() {
    // It shows after twenty small steps, or after a large one, and not by one step of a size that is tried alone.
    let shows = |text: &str| {
        let steps = text.contains("for _ = 1, 20 do\n  collectgarbage(\"step\")\nend\nwanted()");
        let range = text.contains("for n = 1, 100 do\n  collectgarbage(\"step\", n)\n  wanted()\nend");
        if steps || range { Answer::Keeps } else { Answer::Loses }
    };
    let text = "collectgarbage(\"stop\")\nfor _ = 1, 20 do\n  collectgarbage(\"step\")\nend\nwanted()\nprint(1)\n";
    let mut judge = shows;
    let minimized = minimize(Shrinkable::Text(text.to_owned()), &LANGUAGE, &mut judge, Budget::default());
    assert_eq!(minimized.text, "for n = 1, 100 do\n  collectgarbage(\"step\", n)\n  wanted()\nend\n");
    // Where that shows nothing, the steps stay.
    let minimized = minimize_text(text, &["for _ = 1, 20 do\n  collectgarbage(\"step\")\nend\n", "wanted()"]);
    assert_eq!(minimized, "for _ = 1, 20 do\n  collectgarbage(\"step\")\nend\nwanted()\n");
}

#[test]
fn statements_that_the_judge_does_not_want_go() {
    let text = "local a = 1\nprint(a)\nlocal b = {}\nwanted(b)\nfor i = 1, 9 do print(i) end\n";
    assert_eq!(minimize_text(text, &["wanted("]), "wanted()\n");
}

#[test]
fn wanted_statements_leave_the_blocks_around_them() {
    let text = "do if x then for i = 1, 3 do pcall(function() while true do wanted() end end) end end end";
    assert_eq!(minimize_text(text, &["wanted()"]), "wanted()\n");
}

#[test]
fn branches_that_the_judge_does_not_want_go() {
    let text = "return function() if a then x() elseif b then y() elseif c then wanted() return 1 else z() end end";
    assert_eq!(
        minimize_text(text, &["if", "wanted()", "return", "end", "end"]),
        "return function()\n  if c then\n    wanted()\n    return\n  end\nend\n"
    );
}

#[test]
fn a_function_that_is_called_once_becomes_its_body() {
    let text = "local function f(v) first(v) second() end\nf(1)\n";
    assert_eq!(minimize_text(text, &["first", "second"]), "first()\nsecond()\n");
}

#[test]
fn a_module_that_is_required_once_becomes_its_body() {
    let text = "package.preload.m = function() first() local M = {} return M end\nlocal m = require(\"m\")\nsecond(m)";
    assert_eq!(minimize_text(text, &["first", "second"]), "first()\nsecond()\n");
}

#[test]
fn a_variable_used_once_gives_way_to_its_value() {
    let text = "local v = {}\nwanted(v)\n";
    let mut judge = |candidate: &str| {
        if candidate == text || candidate == "wanted({})\n" { Answer::Keeps } else { Answer::Loses }
    };
    let minimized = minimize(Shrinkable::Text(text.to_owned()), &LANGUAGE, &mut judge, Budget::default());
    assert_eq!(minimized.text, "wanted({})\n");
}

#[test]
fn a_run_of_equal_statements_becomes_a_loop() {
    let text = "collectgarbage(\"step\")\n".repeat(17);
    let mut judge = |text: &str| {
        let steps = text.matches("step").count() * if text.contains("1, 17 do") { 17 } else { 1 };
        if steps == 17 && LANGUAGE.parse(text.as_bytes(), b"=test").is_ok() { Answer::Keeps } else { Answer::Loses }
    };
    let minimized = minimize(Shrinkable::Text(text), &LANGUAGE, &mut judge, Budget::default());
    assert_eq!(minimized.text, "for _ = 1, 17 do\n  collectgarbage(\"step\")\nend\n");
    assert_eq!(minimized.code_lines, 3);
}

#[test]
fn a_staged_text_has_no_steps_but_those_before_its_last_statements() {
    let text = "f = function()\n  for _ = 1, n do\n    collectgarbage(\"step\")\n  end\n  return 1\nend\n\
                collectgarbage(\"step\", 3)\nwanted()\n";
    let chunk = LANGUAGE.parse(text.as_bytes(), b"=test").expect("it is Lua");
    let staged = timing::stagings(&chunk, &LANGUAGE).iter().map(print_chunk).next();
    let expected = "collectgarbage(\"incremental\", 100, 100, 1)\ncollectgarbage(\"stop\")\n\
                    f = function()\n  return 1\nend\n\
                    for _ = 1, 136 do\n  collectgarbage(\"step\")\n  wanted()\nend\n";
    assert_eq!(staged.as_deref(), Some(expected));
}

#[test]
fn a_text_that_is_loaded_in_pieces_may_stand_as_a_function() {
    let text = r#"f = load((function(text, n) return text:gmatch("[^\n]+") end)("first()\nsecond()", 3))"#;
    let chunk = LANGUAGE.parse(text.as_bytes(), b"=test").expect("it is Lua");
    let detours: Vec<String> = inline::everywhere(&chunk, &LANGUAGE).iter().map(print_chunk).collect();
    assert_eq!(detours, ["f = function(...)\n  first()\n  second()\nend\n"]);
}

#[test]
fn declarations_that_follow_each_other_are_joined() {
    let text = "local a = {}\nlocal b\nwanted(a, b, a, b)";
    let minimized = minimize_text(text, &["local", "a", "b", "wanted(a, b, a, b)"]);
    assert_eq!(minimized, "local a, b\nwanted(a, b, a, b)\n");
}

#[test]
fn a_function_that_mentions_itself_ends_nowhere_in_a_circle() {
    let text = "local function f() return f end\nwanted(f)";
    assert_eq!(minimize_text(text, &["wanted"]), "wanted()\n");
}

#[test]
fn what_does_not_reproduce_is_given_back_as_it_was() {
    let text = "-- a comment\nprint ( 1 )\n";
    let minimized =
        minimize(Shrinkable::Text(text.to_owned()), &LANGUAGE, &mut |_: &str| Answer::Loses, Budget::default());
    assert_eq!(minimized, Minimized { text: text.to_owned(), code_lines: 1, calls: 1, reproduced: false });
}

#[test]
fn text_that_is_not_lua_can_be_kept_but_not_reduced() {
    let text = "print(";
    let minimized =
        minimize(Shrinkable::Text(text.to_owned()), &LANGUAGE, &mut |_: &str| Answer::Keeps, Budget::default());
    assert_eq!((minimized.text.as_str(), minimized.reproduced), (text, true));
}

#[test]
fn the_budget_is_kept_and_the_best_so_far_is_given() {
    let text = "print(1)\n".repeat(50) + "wanted()\n";
    let budget = Budget { max_calls: 5, deadline: None };
    let minimized = minimize(Shrinkable::Text(text.clone()), &LANGUAGE, &mut wants(&["wanted"]), budget);
    assert!(minimized.calls <= 5 && minimized.code_lines < 51, "{minimized:?}");
    let over = Budget { max_calls: 1000, deadline: Some(Instant::now()) };
    let minimized = minimize(Shrinkable::Text(text), &LANGUAGE, &mut wants(&["wanted"]), over);
    assert_eq!((minimized.calls, minimized.reproduced), (0, false));
}

/// The double reload as a person would write it: a module, reloaded twice while the collector works.
const DOUBLE_RELOAD: &str = r#"
collectgarbage("incremental", 100, 100, 1)
collectgarbage("stop")
package.preload.game = function()
  local cfg = { level = 1 }
  local M = {}
  function M.get() return cfg end
  function M.log(text) print(text) end
  return M
end
local function reload(name)
  local old = package.loaded[name]
  package.loaded[name] = nil
  local new = require(name)
  debug.upvaluejoin(new.get, 1, old.get, 1)
  debug.setupvalue(new.get, 1, { level = 2 })
end
require("game").log("start")
for _ = 1, 40 do
  collectgarbage("step", 0)
  reload("game")
end
"#;

#[test]
fn the_double_reload_becomes_a_few_lines() {
    let wanted = signature(DOUBLE_RELOAD).expect("the fault shows");
    assert_eq!(wanted, SETUPVALUE);
    let minimized =
        minimize(Shrinkable::Text(DOUBLE_RELOAD.to_owned()), &LANGUAGE, &mut shows(&wanted), Budget::default());
    assert!(minimized.code_lines <= 10, "{} lines:\n{}", minimized.code_lines, minimized.text);
    assert!(minimized.calls < 4000, "{} calls", minimized.calls);
    assert_eq!(signature(&minimized.text), Some(wanted));
}

#[test]
fn generated_scripts_become_a_few_lines_in_few_calls() {
    let options = GeneratorOptions::default();
    let cases = (0..400).filter_map(|case| {
        let script = generate(1, case, &options);
        let signature = signature(&script.render(&LANGUAGE).text)?;
        signature.starts_with("black-to-white setupvalue").then_some((script, signature))
    });
    let mut found = 0;
    for (script, wanted) in cases.take(4) {
        found += 1;
        let minimized = minimize(Shrinkable::Script(script), &LANGUAGE, &mut shows(&wanted), Budget::default());
        assert!(minimized.code_lines <= 12, "{} lines:\n{}", minimized.code_lines, minimized.text);
        assert_eq!(signature(&minimized.text), Some(wanted));
    }
    assert!(found > 0, "no generated script showed the fault");
}

fn printed(text: &str) -> String {
    let chunk = LANGUAGE.parse(text.as_bytes(), b"=test").expect("generated scripts are Lua");
    print_chunk(&chunk)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The judge wants one operation of the script, so each part of the language becomes what the minimizer must keep.
    #[test]
    fn minimizing_keeps_the_verdict_and_never_grows_nor_asks_twice(seed: u64, case in 0..1000_u64, wanted: usize) {
        let script = generate(seed, case, &GeneratorOptions::default());
        let mut kinds = Vec::new();
        script.for_each(&mut |operation: &Operation| kinds.push(operation.kind()));
        let text = printed(&script.render(&LANGUAGE).text);
        let lines: Vec<&str> = text.lines().collect();
        let word = lines[wanted % lines.len()].trim();

        for shrinkable in [Shrinkable::Script(script.clone()), Shrinkable::Text(text.clone())] {
            let run = || {
                let mut asked = HashSet::new();
                let mut kept = HashSet::new();
                let mut inner = wants(std::slice::from_ref(&word));
                let mut judge = |text: &str| {
                    assert!(asked.insert(text.to_owned()), "asked twice");
                    let answer = inner(text);
                    if answer == Answer::Keeps {
                        kept.insert(text.to_owned());
                    }
                    answer
                };
                let budget = Budget { max_calls: 400, ..Budget::default() };
                let minimized = minimize(shrinkable.clone(), &LANGUAGE, &mut judge, budget);
                assert_eq!(minimized.calls, asked.len() as u64);
                assert!(!minimized.reproduced || kept.contains(&minimized.text), "the judge never kept the result");
                minimized
            };
            let minimized = run();
            let size = (minimized.code_lines, printed(&minimized.text).len());
            let ranges = minimized.text.contains("for n = 1, ");
            let allowed = (lines.len(), if ranges { usize::MAX } else { text.len() });
            prop_assert!(size <= allowed, "{size:?} is larger");
            prop_assert_eq!(run(), minimized);
        }
    }
}

#[test]
fn minimizing_takes_well_under_a_second_where_judging_is_quick() {
    let script: Script = generate(3, 7, &GeneratorOptions::default());
    let start = Instant::now();
    let minimized = minimize(Shrinkable::Script(script), &LANGUAGE, &mut wants(&["debug."]), Budget::default());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?} for {} calls", start.elapsed(), minimized.calls);
}

#[test]
fn every_candidate_of_a_script_in_lua_5_1_is_lua_5_1() {
    const LANGUAGE: Language = Language::LUA_51;
    let options = GeneratorOptions { language: LANGUAGE, ..GeneratorOptions::default() };
    for (case, word) in
        ["loadstring(", "proxy(", "debug.setupvalue(", "collectgarbage(\"step\"", "break"].iter().enumerate()
    {
        let wanted = (0..).map(|number| generate(case as u64, number, &options));
        let script = wanted.into_iter().find(|script| script.render(&LANGUAGE).text.contains(word)).unwrap();
        for shrinkable in [Shrinkable::Text(script.render(&LANGUAGE).text), Shrinkable::Script(script)] {
            let mut judge = |text: &str| {
                LANGUAGE.parse(text.as_bytes(), b"=test").unwrap_or_else(|error| panic!("{error}\n{text}"));
                assert!(!text.contains("incremental") && !text.contains("generational"), "{text}");
                if text.contains(word) { Answer::Keeps } else { Answer::Loses }
            };
            let budget = Budget { max_calls: 2_000, ..Budget::default() };
            let minimized = minimize(shrinkable, &LANGUAGE, &mut judge, budget);
            assert!(minimized.code_lines <= 4, "{}", minimized.text);
        }
    }
}

/// What a script becomes that has to keep what `keeps` asks for.
fn reduced(text: &str, keeps: impl Fn(&str) -> bool) -> String {
    let mut judge = |text: &str| if keeps(text) { Answer::Keeps } else { Answer::Loses };
    minimize(Shrinkable::Text(text.to_owned()), &Language::LUA_51, &mut judge, Budget::default()).text
}

#[test]
fn a_loop_becomes_a_block_where_its_variable_has_to_be_closed() {
    let closes =
        |text: &str| text.contains("do\n  local x") && text.contains("return x") && !text.contains("\nlocal x");
    let text = "for x in pairs(t) do\n  function f() return x end\n  break\nend\n";
    let reduced = reduced(text, |candidate| {
        candidate == "for x in pairs(t) do\n  function f()\n    return x\n  end\n  break\nend\n"
            || candidate == text
            || closes(candidate)
    });
    assert_eq!(reduced, "do\n  local x\n  function f()\n    return x\n  end\nend\n");
}

#[test]
fn a_function_takes_the_place_of_one_that_returns_it() {
    let text = "function f()\n  return function()\n    return x\n  end\nend\n";
    assert_eq!(reduced(text, |candidate| candidate.contains("return x")), "function f()\n  return x\nend\n");
}

#[test]
fn a_function_that_is_joined_to_a_variable_stands_in_its_scope_instead() {
    let keeps = |text: &str| {
        let joins = text.contains("upvaluejoin(f, 1, ") && text.contains("return y") && text.contains("return x");
        let shares = text.matches("return x").count() == 2 && text.contains("f(");
        text.contains("local x") && text.contains("g(") && (joins || shares)
    };
    for from in ["g", "function() return x end"] {
        let text = format!(
            "local y\nfunction f() return y end\nlocal x\nfunction g() return x end\ndebug.upvaluejoin(f, 1, {from}, 1)\n"
        );
        let left = reduced(&text, keeps);
        assert!(!left.contains("upvaluejoin") && left.lines().count() <= 7, "{left}");
    }
}

#[test]
fn several_steps_become_one() {
    let text = "collectgarbage(\"step\", 2)\ncollectgarbage(\"step\", 3)\ng()\n";
    let sizes = |text: &str| -> i64 {
        let after = text.split("\"step\"").skip(1);
        after.map(|rest| rest.trim_start_matches(", ").split(')').next().unwrap().parse().unwrap_or(0)).sum()
    };
    assert_eq!(
        reduced(text, |candidate| sizes(candidate) >= 5 && candidate.contains("g()")),
        "collectgarbage(\"step\", 5)\ng()\n"
    );
}

#[test]
fn the_mode_of_lua_5_1_is_the_size_of_its_steps() {
    const LANGUAGE: Language = Language::LUA_51;
    let text = "local t = {}\nf(t)\ng(t)\n";
    let chunk = LANGUAGE.parse(text.as_bytes(), b"=test").unwrap();
    let staged: Vec<_> = timing::stagings(&chunk, &LANGUAGE).iter().map(print_chunk).collect();
    for staged in &staged {
        assert!(staged.starts_with("collectgarbage(\"setstepmul\", 1)\ncollectgarbage(\"stop\")\n"), "{staged}");
    }
    // A variable is no new table, so one takes its place first.
    assert!(staged[0].ends_with("collectgarbage(\"step\")\n  g({})\nend\n"), "{}", staged[0]);
    assert!(staged[1].ends_with("collectgarbage(\"step\")\n  g(t)\nend\n"), "{}", staged[1]);
    assert_eq!(generational(text, &LANGUAGE), Vec::<String>::new());
    let loading = while_loading(text, &LANGUAGE).next().unwrap();
    assert!(loading.starts_with("collectgarbage(\"setstepmul\", 1)") && loading.contains("loadstring(\""), "{loading}");
    let mut hooked = with_hooks(text, &LANGUAGE);
    assert!(hooked.all(|text| text.starts_with("collectgarbage(\"setstepmul\"")));
    let inlined = LANGUAGE.parse(b"local f = loadstring('return 1')\nf()", b"=test").unwrap();
    let detours: Vec<_> = inline::everywhere(&inlined, &LANGUAGE).iter().map(print_chunk).collect();
    assert!(detours.iter().any(|text| text.starts_with("local f = function(...)\n  return 1\nend")), "{detours:?}");
}
