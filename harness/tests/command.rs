//! The command as its users meet it: `run`, `check` and `minimize`, and what becomes of bad input. Campaigns have a file
//! of their own.
#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::fs;

use common::{FAULTY, SETUPVALUE, Scratch, code_lines, fields};
use moonphase::cases::{Generator, Scripts};
use moonphase::language::Language;
use moonphase::script::{GeneratorOptions, generate};

fn corpus(name: &str) -> String {
    fs::read_to_string(format!("{}/../corpus/{name}.lua", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

// --- run ---

#[test]
fn run_prints_what_the_script_prints_and_hands_over_its_arguments() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "#!/usr/bin/env lua\nprint(arg[0], arg[1], ...) io.write('no end of line')");
    let ran = scratch.run(&["run", "a.lua", "x", "--y"]);
    assert_eq!(ran.assert_quiet(0).stdout, "a.lua\tx\tx\t--y\nno end of line");
}

#[test]
fn run_has_a_native_function_as_the_outermost_level_as_lua_does() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print(debug.traceback('at', 1)) print(debug.getinfo(2, 'S').what, debug.getinfo(3))\nf()");
    let ran = scratch.run(&["run", "a.lua"]);
    assert_eq!(ran.stdout, "at\nstack traceback:\n\ta.lua:1: in main chunk\n\t[C]: in ?\nC\tnil\n");
    let message = "moonphase: a.lua:2: attempt to call a nil value (global 'f')";
    assert_eq!(ran.stderr, format!("{message}\nstack traceback:\n\ta.lua:2: in main chunk\n\t[C]: in ?\n"));
}

#[test]
fn run_takes_code_and_standard_input_as_lua_does() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print(x, y, arg[-1], arg[0], arg[1], arg[2], ...)");
    let ran = scratch.run(&["run", "-e", "x = 1", "-e", "y = x + 1 print(...)", "a.lua", "b", "-e"]);
    assert_eq!(ran.assert_quiet(0).stdout, "\n1\t2\ty = x + 1 print(...)\ta.lua\tb\t-e\tb\t-e\n");
    // Without a script the command is what stands at 0.
    let ran = scratch.run(&["run", "-e", "print(arg[1], arg[2], #arg, arg[-1])"]);
    assert_eq!(ran.assert_quiet(0).stdout, "run\t-e\t3\tnil\n");
    let ran = scratch.run_with_input(&["run", "-", "x"], "#!shebang\nprint(arg[0], ...) error('at the end')");
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "-\tx\n"));
    assert!(ran.stderr.starts_with("moonphase: stdin:2: at the end\nstack traceback:\n"), "{}", ran.stderr);
    // What fails ends it: nothing after it runs.
    scratch.write("never.lua", "print('ran')");
    let ran = scratch.run(&["run", "-e", "io.write('kept') error({})", "never.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "kept"));
    assert!(ran.stderr.starts_with("moonphase: (error object is a table value)\n"), "{}", ran.stderr);
    scratch.run(&["run"]).assert_refused(&["FILE"]);
}

#[test]
fn run_ends_with_one_where_the_script_fails() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print('before')\nlocal t\nt.x = 1\n");
    let ran = scratch.run(&["run", "a.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "before\n"));
    assert!(ran.stderr.contains("a.lua:3: attempt to index a nil value (local 't')"), "{}", ran.stderr);
    scratch.write("b.lua", "print(");
    let ran = scratch.run(&["run", "b.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("b.lua:1: unexpected symbol near <eof>"), "{}", ran.stderr);
}

#[test]
fn run_gives_the_script_the_system_and_ends_as_it_says() {
    let scratch = Scratch::new();
    scratch.write(
        "a.lua",
        "io.open('out', 'w'):write('text') io.write(os.getenv('PATH') and 'partial') io.stderr:write('told') os.exit(258)",
    );
    let ran = scratch.run(&["run", "a.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (2, "partial", "told"));
    assert_eq!(scratch.read("out"), "text");
}

#[test]
fn run_starts_in_generational_mode_as_lua_does_unless_a_policy_is_given() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print(collectgarbage('incremental'))");
    assert_eq!(scratch.run(&["run", "a.lua"]).assert_quiet(0).stdout, "generational\n");
    assert_eq!(scratch.run(&["run", "--gc", "5.4", "a.lua"]).assert_quiet(0).stdout, "incremental\n");
}

#[test]
fn run_checks_where_it_is_asked_to() {
    let scratch = Scratch::new();
    scratch.write("a.lua", FAULTY);
    let ran = scratch.run(&["run", "--gc", "5.4", "a.lua"]);
    assert_eq!(ran.assert_quiet(0).stdout, "kept\tkept\n");
    // The header says under which rules, and that they are checked.
    for words in [&["run", "a.lua"][..], &["run", "--check", "barrier", "a.lua"], &["run", "--check", "full", "a.lua"]]
    {
        let ran = scratch.run(words);
        assert_eq!(ran.code, 1);
        assert!(ran.stderr.starts_with(&format!("moonphase: {SETUPVALUE}\n")), "{}", ran.stderr);
    }
    scratch.write("b.lua", FAULTY.split_once("collectgarbage").unwrap().1.replacen("", "collectgarbage", 1));
    assert_eq!(scratch.run(&["run", "b.lua"]).assert_quiet(0).stdout, "kept\tkept\n");
    let ran = scratch.run(&["run", "--gc", "5.1", "--check", "barrier", "b.lua"]);
    assert!(ran.code == 1 && ran.stderr.contains(SETUPVALUE), "{}", ran.stderr);
}

#[test]
fn an_unsound_policy_runs_unchecked_only_where_dangling_is_allowed() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print(1)");
    scratch.run(&["run", "--gc", "5.1", "a.lua"]).assert_refused(&["5.1", "unsound", "--allow-dangling"]);
    assert_eq!(scratch.run(&["run", "--gc", "5.1", "--allow-dangling", "a.lua"]).assert_quiet(0).stdout, "1\n");
    scratch.run(&["check", "--allow-dangling", "a.lua"]).assert_refused(&["--allow-dangling", "--check off"]);
}

#[test]
fn help_and_version_are_no_errors() {
    let scratch = Scratch::new();
    let help = scratch.run(&["--help"]);
    for word in ["run", "fuzz", "check", "minimize"] {
        assert!(help.assert_quiet(0).stdout.contains(&format!("\n  {word} ")), "{}", help.stdout);
    }
    let version = scratch.run(&["--version"]);
    assert_eq!(version.assert_quiet(0).stdout, format!("moonphase {}\n", env!("CARGO_PKG_VERSION")));
}

// --- check ---

#[test]
fn check_obeys_the_header_unless_a_flag_says_otherwise() {
    let scratch = Scratch::new();
    scratch.write("a.lua", FAULTY);
    let found = scratch.run(&["check", "a.lua"]);
    let first = found.assert_quiet(1).stdout.lines().next().unwrap_or_default().to_owned();
    assert_eq!(first, format!("a.lua: {SETUPVALUE}"));
    // The report says how it came to this.
    for word in ["setupvalue", "black", "white", "moonphase check a.lua"] {
        assert!(found.stdout.contains(word), "'{word}' is not in\n{}", found.stdout);
    }
    assert!(!found.stdout.contains('\u{1b}'), "no colours in a pipe");
    for gc in ["5.4", "5.2", "5.1,setupvalue=upvalue"] {
        let clean = scratch.run(&["check", "--gc", gc, "a.lua"]);
        assert_eq!(clean.assert_quiet(0).stdout, "a.lua: nothing found\n");
    }
    scratch.write("b.lua", "print('no header')");
    assert_eq!(scratch.run(&["check", "b.lua"]).assert_quiet(0).stdout, "b.lua: nothing found\n");
    assert_eq!(scratch.run(&["check", "b.lua", "a.lua"]).code, 1);
}

#[test]
fn check_prints_json_with_all_the_fields_of_the_contract() {
    let scratch = Scratch::new();
    scratch.write("a.lua", FAULTY);
    scratch.write("b.lua", "print(1)");
    let (code, json) = scratch.json(&["check", "--format", "json", "a.lua", "b.lua"]);
    assert_eq!((code, fields(&json)), (1, vec!["files", "schema", "version"]));
    let files = json["files"].as_array().unwrap();
    for (file, name, findings) in [(&files[0], "a.lua", 1), (&files[1], "b.lua", 0)] {
        assert_eq!(
            fields(file),
            ["complete", "depends", "end", "error", "expected", "file", "findings", "reason", "searched"]
        );
        assert_eq!((file["file"].as_str(), file["expected"].is_null()), (Some(name), true));
        assert_eq!(file["findings"].as_array().unwrap().len(), findings);
    }
    let finding = &files[0]["findings"][0];
    assert_eq!(finding["oracle"], "invariant");
    assert_eq!(finding["kind"], "black-to-white");
    assert_eq!(finding["signature"], SETUPVALUE);

    let (code, json) = scratch.json(&["check", "--expect", "--format", "json", "a.lua"]);
    assert_eq!((code, &json["files"][0]["expected"]), (0, &true.into()));
}

#[test]
fn check_expect_holds_a_file_to_its_header() {
    let scratch = Scratch::new();
    scratch.write("right.lua", FAULTY);
    let ran = scratch.run(&["check", "--expect", "right.lua"]);
    assert_eq!(ran.assert_quiet(0).stdout, "right.lua: as expected\n");
    scratch.write("other.lua", FAULTY.replace("upvalue->table", "upvalue->closure"));
    let ran = scratch.run(&["check", "--expect", "other.lua"]);
    assert!(ran.assert_quiet(1).stdout.contains("expected black-to-white setupvalue upvalue->closure, found"));
    scratch.write("none.lua", "-- moonphase: gc=5.1\n-- finding: black-to-white x\nprint(1)\n");
    let ran = scratch.run(&["check", "--expect", "none.lua"]);
    assert!(ran.assert_quiet(1).stdout.contains("expected black-to-white x, found nothing"), "{}", ran.stdout);
    scratch.write("unclean.lua", FAULTY.replace("-- clean: gc=5.4", "-- clean: gc=5.4,setupvalue=closure"));
    let ran = scratch.run(&["check", "--expect", "unclean.lua"]);
    assert!(ran.assert_quiet(1).stdout.contains("gc 5.4,setupvalue=closure: expected nothing"), "{}", ran.stdout);
    assert_eq!(scratch.run(&["check", "--expect", "right.lua", "none.lua"]).code, 1);
}

#[test]
fn a_script_on_which_the_reference_does_something_else_is_a_finding() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print(collectgarbage('count') * 0 + (_VERSION == 'Lua 5.4' and 1 or 2))");
    scratch.run(&["check", "a.lua"]).assert_quiet(0);
    // One of the differences that there are on purpose: the line of the name, or that of the token behind it.
    scratch.write("b.lua", "print(load('local x <const> = 1; x\\n= 2'))");
    let ran = scratch.run(&["check", "b.lua"]);
    assert!(ran.assert_quiet(1).stdout.starts_with("b.lua: differential output returned/returned\n"));
    scratch.run(&["check", "--reference", "none", "b.lua"]).assert_quiet(0);
}

#[test]
fn fuzz_inputs_are_checked_and_minimized_like_scripts() {
    let scratch = Scratch::new();
    let options = GeneratorOptions::default();
    let mut faulty = 0;
    for case in 0..400 {
        scratch.write("input", generate(1, case, &options).encode());
        if scratch.run(&["check", "--gc", "5.1", "input"]).code == 1 {
            faulty += 1;
            let ran = scratch.run(&["minimize", "--gc", "5.1", "input"]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert!(ran.stdout.starts_with("-- moonphase: lua=5.4 gc=5.1 check=barrier\n-- finding: "));
            scratch.run(&["check", "input"]).assert_quiet(0);
            break;
        }
    }
    assert_eq!(faulty, 1, "none of the inputs shows the fault");
}

#[test]
fn check_says_of_a_script_that_fails_where_it_did_and_that_nothing_behind_was_tested() {
    let scratch = Scratch::new();
    scratch.write("a.lua", format!("print(1)\nlocal t\nt.x = 1\n{}", FAULTY.replace("-- moonphase: ", "-- ")));
    let ran = scratch.run(&["check", "--gc", "5.1", "a.lua"]);
    let why = "the script failed at line 3: attempt to index a nil value (local 't')";
    let line = format!("a.lua: nothing found, but not tested to its end: {why}; nothing behind that was tested\n");
    assert_eq!(ran.assert_quiet(2).stdout, line);
    let (code, json) = scratch.json(&["check", "--format", "json", "a.lua"]);
    let file = &json["files"][0];
    assert_eq!((code, &file["complete"], &file["reason"]), (2, &false.into(), &why.into()));
    assert_eq!((&file["end"]["how"], &file["end"]["line"]), (&"error".into(), &3.into()));
    assert_eq!(file["end"]["message"], "attempt to index a nil value (local 't')");
    // What was found elsewhere has the first word.
    scratch.write("b.lua", FAULTY);
    assert_eq!(scratch.run(&["check", "a.lua", "b.lua"]).code, 1);
}

#[test]
fn check_says_of_a_script_that_never_ends_which_limit_it_hit() {
    let scratch = Scratch::new();
    scratch.write("endless.lua", "while true do end");
    scratch.write("late.lua", FAULTY.replace("clean: gc=5.4\n", "clean: gc=5.4\nfor _ = 1, 1e7 do end\n"));
    for file in ["endless.lua", "late.lua"] {
        let ran = scratch.run(&["check", file]);
        let why = "not tested to its end: the script was stopped at the instruction limit (5000000)";
        assert!(ran.assert_quiet(2).stdout.starts_with(&format!("{file}: nothing found, but {why}")), "{}", ran.stdout);
        let (code, json) = scratch.json(&["check", "--format", "json", file]);
        assert_eq!((code, &json["files"][0]["end"]["how"]), (2, &"limit".into()));
    }
    // The reference alone has no end: the VM counts what a pattern takes.
    scratch.write("pattern.lua", "string.find(('a'):rep(200), ('a-'):rep(60) .. 'b')");
    let ran = scratch.run(&["check", "--reference", "none", "pattern.lua"]);
    assert!(ran.assert_quiet(2).stdout.contains("stopped at the instruction limit"), "{}", ran.stdout);
    let ran = scratch.run(&["check", "--expect", "late.lua"]);
    assert!(ran.assert_quiet(1).stdout.contains("stopped at the instruction limit"), "{}", ran.stdout);
    let ran = scratch.run(&["minimize", "endless.lua"]);
    assert!(ran.code == 1 && ran.stderr.contains("stopped at the instruction limit"), "{ran:?}");
}

#[test]
fn an_error_that_the_header_expects_is_no_reason_to_complain() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "-- moonphase: gc=5.4\n-- fails: oh no\nprint(1)\nerror('oh no')\n");
    assert_eq!(scratch.run(&["check", "a.lua"]).assert_quiet(0).stdout, "a.lua: nothing found\n");
    scratch.run(&["check", "--expect", "a.lua"]).assert_quiet(0);
    scratch.write("b.lua", "-- moonphase: gc=5.4\nerror('oh no')\n");
    let ran = scratch.run(&["check", "--expect", "b.lua"]);
    assert!(ran.assert_quiet(1).stdout.contains("the script failed at line 2: oh no"), "{}", ran.stdout);
    scratch.write("c.lua", "-- moonphase: gc=5.4\n-- fails: oh no\nprint(1)\n");
    let ran = scratch.run(&["check", "--expect", "c.lua"]);
    assert!(ran.assert_quiet(1).stdout.contains("expected the error 'oh no'"), "{}", ran.stdout);
}

#[test]
fn a_header_is_obeyed_behind_whatever_comes_before_code() {
    let scratch = Scratch::new();
    for before in ["\u{feff}", "#!/usr/bin/env lua\n", "-- Copyright\n\n", "\n \n", "--[[\nLicence\n]]\n"] {
        scratch.write("a.lua", format!("{before}{FAULTY}"));
        scratch.run(&["check", "--expect", "a.lua"]).assert_quiet(0);
        let ran = scratch.run(&["minimize", "a.lua"]);
        assert!(ran.code == 0 && ran.stdout.matches("moonphase").count() == 1, "{before:?}: {ran:?}");
        let ran = scratch.run(&["run", "a.lua"]);
        assert!(ran.code == 1 && ran.stderr.contains(SETUPVALUE), "{before:?}: {ran:?}");
        let ran = scratch.run(&["trace", "--events", "violation", "a.lua"]);
        assert!(ran.code == 1 && ran.stdout.contains(SETUPVALUE), "{before:?}: {ran:?}");
    }
    scratch.write("a.lua", "print(1)\n-- moonphase: gc=5.1\n");
    for command in ["check", "minimize", "run", "trace"] {
        scratch.run(&[command, "a.lua"]).assert_refused(&["a.lua: damaged header: line 2: ", "behind the first line"]);
    }
}

#[test]
fn check_checks_the_other_files_where_one_cannot_be_read() {
    let scratch = Scratch::new();
    scratch.write("good.lua", "print(1)");
    scratch.write("bad.lua", "print(");
    scratch.write("faulty.lua", FAULTY);
    let ran = scratch.run(&["check", "good.lua", "missing.lua", "bad.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (2, "good.lua: nothing found\n"));
    let complaints: Vec<&str> = ran.stderr.lines().collect();
    assert!(complaints[0].starts_with("moonphase: cannot read missing.lua: "), "{complaints:?}");
    assert!(complaints[1].starts_with("moonphase: bad.lua:1: "), "{complaints:?}");
    let ran = scratch.run(&["check", "--format", "json", "missing.lua", "faulty.lua"]);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((ran.code, json["files"][1]["findings"].as_array().map(Vec::len)), (1, Some(1)));
    assert!(json["files"][0]["error"].as_str().unwrap().starts_with("cannot read missing.lua: "), "{json}");
    assert_eq!(scratch.run(&["check", "--expect", "missing.lua", "faulty.lua"]).code, 2);
}

#[test]
fn a_script_that_is_no_utf_8_is_a_script() {
    let scratch = Scratch::new();
    // GBK for "moon", in a comment and in a string.
    let text = [b"-- \xd4\xc2\n".as_slice(), FAULTY.as_bytes(), b"\nprint('\xd4\xc2', #'\xd4\xc2')\n"].concat();
    scratch.write("a.lua", text);
    scratch.run(&["check", "--expect", "a.lua"]).assert_quiet(0);
    let ran = scratch.run(&["check", "a.lua"]);
    assert!(ran.assert_quiet(1).stdout.contains("What would mend it"), "{}", ran.stdout);
    let ran = scratch.run(&["minimize", "a.lua", "-o", "small.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    scratch.run(&["check", "--expect", "small.lua"]).assert_quiet(0);
    scratch.write("b.lua", b"print('\xd4\xc2')");
    scratch.run(&["check", "b.lua"]).assert_quiet(0);
}

#[test]
fn a_check_that_is_interrupted_names_what_it_did_not_check() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "for _ = 1, 2e6 do end");
    let files = vec!["a.lua"; 200];
    let mut running = scratch.start(&[&["check", "--jobs", "1"][..], &files].concat());
    assert_eq!(running.line().as_deref(), Some("a.lua: nothing found"));
    running.signal("INT");
    let ran = running.finish();
    assert_eq!(ran.assert_quiet(130).stdout.lines().last(), Some("a.lua: not checked: stopped before its turn"));
}

#[test]
fn check_takes_accepted_signatures_and_standard_input() {
    let scratch = Scratch::new();
    scratch.write("a.lua", FAULTY);
    scratch.write("known", "black-to-white setupvalue upvalue->*\n");
    let ran = scratch.run(&["check", "--known", "known", "a.lua"]);
    assert_eq!(ran.assert_quiet(0).stdout, format!("a.lua: {SETUPVALUE} (known; nothing behind it was tested)\n"));
    let (code, json) = scratch.json(&["check", "--known", "known", "--format", "json", "a.lua"]);
    assert_eq!((code, &json["files"][0]["findings"][0]["known"]), (0, &true.into()));
    scratch.write("typo", "# accepted\nblack-to-white setupvalue upvalue->tabel\n");
    for words in [&["check", "--known", "typo", "a.lua"][..], &["fuzz", "--known", "typo", "--runs", "1"]] {
        scratch.run(words).assert_refused(&["typo: line 2: no signature can be ", "upvalue->tabel"]);
    }
    let ran = scratch.run_with_input(&["check", "-"], FAULTY);
    assert!(ran.assert_quiet(1).stdout.starts_with(&format!("stdin: {SETUPVALUE}\n")), "{}", ran.stdout);
}

// --- minimize ---

#[test]
fn minimize_writes_a_file_that_shows_the_same_and_runs_on_plain_lua() {
    let scratch = Scratch::new();
    scratch.write("a.lua", corpus("double-reload"));
    let ran = scratch.run(&["minimize", "a.lua", "-o", "small.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(SETUPVALUE), "{}", ran.stderr);
    let small = scratch.read("small.lua");
    let header = format!("-- moonphase: lua=5.4 gc=5.1 check=barrier\n-- finding: {SETUPVALUE}\n");
    assert!(small.starts_with(&header), "{small}");
    assert!(code_lines(&small) <= 12, "{small}");
    scratch.run(&["check", "--expect", "small.lua"]).assert_quiet(0);
    scratch.run(&["check", "--gc", "5.4", "small.lua"]).assert_quiet(0);
    // A minimized script is as small as it gets, and standard output says the same as a file.
    let again = scratch.run(&["minimize", "small.lua"]);
    assert_eq!((again.code, again.stdout), (0, small));
}

#[test]
fn a_finding_is_minimized_however_its_script_ends() {
    let scratch = Scratch::new();
    for end in ["os.exit(2, true)", "error('end')", "while true do end"] {
        scratch.write("a.lua", format!("{FAULTY}\n{end}\n"));
        let ran = scratch.run(&["minimize", "a.lua", "-o", "small.lua"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{end}: {}", ran.stderr);
        let small = scratch.read("small.lua");
        assert!(!small.contains(end), "{small}");
        scratch.run(&["check", "--expect", "small.lua"]).assert_quiet(0);
    }
}

#[test]
fn a_minimized_script_says_with_whom_it_was_compared_where_that_is_not_usual() {
    let scratch = Scratch::new();
    scratch.write("a.lua", FAULTY);
    let ran = scratch.run(&["minimize", "--reference", "none", "a.lua", "-o", "small.lua"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let small = scratch.read("small.lua");
    assert!(small.starts_with("-- moonphase: lua=5.4 gc=5.1 check=barrier reference=none\n-- finding: "), "{small}");
    scratch.run(&["check", "--expect", "small.lua"]).assert_quiet(0);
}

#[test]
fn minimize_ends_with_one_where_there_is_nothing_to_shrink() {
    let scratch = Scratch::new();
    scratch.write("clean.lua", "print(1)");
    let ran = scratch.run(&["minimize", "clean.lua", "-o", "small.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("clean.lua: nothing found"), "{}", ran.stderr);
    scratch.write("other.lua", FAULTY.replace("upvalue->table", "upvalue->closure"));
    let ran = scratch.run(&["minimize", "other.lua", "-o", "small.lua"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("upvalue->closure") && ran.stderr.contains(SETUPVALUE), "{}", ran.stderr);
    assert_eq!(scratch.list("."), ["clean.lua", "other.lua"]);
}

// --- bad input ---

#[test]
fn a_file_that_cannot_be_read_is_named_in_one_line() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("folder.lua")).unwrap();
    scratch.write("good.lua", "print(1)");
    for command in ["run", "check", "minimize"] {
        scratch.run(&[command, "missing.lua"]).assert_refused(&["cannot read missing.lua: ", "No such file"]);
        scratch.run(&[command, "folder.lua"]).assert_refused(&["cannot read folder.lua: "]);
    }
    scratch.run(&["fuzz", "--runs", "1", "--known", "missing"]).assert_refused(&["cannot read missing: "]);
}

#[test]
fn invalid_lua_is_refused_with_its_line() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print(1)\nx = = 2\n");
    scratch.write("b.lua", "-- moonphase: gc=5.1\ngoto nowhere\n");
    scratch.write("c.lua", "local s = 'caf\u{e9}'".replace('\u{e9}', "\\xZZ"));
    for command in ["check", "minimize"] {
        scratch.run(&[command, "a.lua"]).assert_refused(&["a.lua:2: unexpected symbol near '='"]);
        scratch.run(&[command, "b.lua"]).assert_refused(&["b.lua:", "no visible label 'nowhere'", "line 2"]);
        scratch.run(&[command, "c.lua"]).assert_refused(&["c.lua:1: hexadecimal digit expected"]);
    }
}

#[test]
fn a_damaged_header_is_refused_with_its_line() {
    let scratch = Scratch::new();
    for (header, words) in [
        ("-- moonphase: gc=9", ["line 1", "unknown collector policy '9'"]),
        ("-- moonphase: gc=5.1,strings=red", ["line 1", "rule 'strings' cannot be 'red'"]),
        ("-- moonphase: lua=5.0", ["line 1", "unknown Lua version '5.0'"]),
        ("-- moonphase: check=often", ["line 1", "unknown check 'often'"]),
        ("-- moonphase: 5.4", ["line 1", "'5.4' is not of the form key=value"]),
        ("-- moonphase: colour=gray", ["line 1", "unknown setting 'colour'"]),
        ("-- moonphase: lua=5.4\n-- finding:", ["line 2", "a finding needs a signature"]),
        ("-- moonphase: lua=5.4\n-- clean: all", ["line 2", "unknown collector policy"]),
    ] {
        scratch.write("a.lua", format!("{header}\nprint(1)\n"));
        for command in ["check", "minimize"] {
            let ran = scratch.run(&[command, "a.lua"]);
            ran.assert_refused(&["a.lua: damaged header: ", words[0], words[1]]);
            assert_eq!(ran.stdout, "");
        }
    }
}

#[test]
fn a_damaged_fuzz_input_is_refused() {
    let scratch = Scratch::new();
    let input = generate(1, 21, &GeneratorOptions::default()).encode();
    scratch.write("truncated", &input[..input.len() / 2]);
    scratch.write("followed", [&input[..], b"more"].concat());
    scratch.write("version", [b"\x07", &input[1..]].concat());
    for command in ["check", "minimize"] {
        scratch.run(&[command, "truncated"]).assert_refused(&["truncated: neither Lua text nor a fuzz input: "]);
        scratch.run(&[command, "followed"]).assert_refused(&["followed: ", "4 bytes after its end"]);
        scratch.run(&[command, "version"]).assert_refused(&["version: ", "format version 7"]);
    }
}

#[test]
fn a_language_that_the_vm_does_not_speak_is_refused_and_can_be_generated() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print(1)\n");
    scratch.write("b.lua", "-- moonphase: lua=5.1\nprint(1)\n");
    let refused = ["does not speak Lua 5.1 (it speaks: 5.4)"];
    for command in ["run", "check", "minimize", "trace"] {
        scratch.run(&[command, "--lua", "5.1", "a.lua"]).assert_refused(&refused);
        scratch.run(&[command, "b.lua"]).assert_refused(&refused);
    }
    scratch.run(&["fuzz", "--lua", "5.1", "--runs", "1"]).assert_refused(&refused);
    let generate = ["generate", "--lua", "5.1", "--seed", "7", "--runs", "1", "--out", "cases"];
    assert_eq!(scratch.run(&generate).code, 0);
    let generator = Generator::new(Scripts::Operations, 7, Language::LUA_51, BTreeSet::new());
    assert_eq!(scratch.read("cases/7-0.lua"), generator.case(0).text);
    let free = [&generate[..], &["--scripts", "free"]].concat();
    scratch.run(&free).assert_refused(&["free scripts are not written in Lua 5.1 (they are in 5.4)"]);
}

#[test]
fn generated_cases_are_those_of_a_campaign_and_overwrite_nothing() {
    let scratch = Scratch::new();
    let words = ["generate", "--seed", "7", "--start", "8", "--runs", "3", "--out", "new/cases"];
    let ran = scratch.run(&words);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "3 cases: new/cases/7-08.lua to new/cases/7-10.lua\n"));
    assert_eq!(scratch.list("new/cases"), ["7-08.lua", "7-09.lua", "7-10.lua"]);
    let generator = Generator::new(Scripts::Operations, 7, Language::LUA_54, BTreeSet::new());
    assert_eq!(scratch.read("new/cases/7-09.lua"), generator.case(9).text);
    let again = scratch.run(&words);
    assert_eq!(again.code, 2);
    assert!(again.stderr.starts_with("moonphase: cannot write new/cases/7-08.lua: "), "{}", again.stderr);
    assert_eq!(scratch.run(&["generate", "--runs", "0", "--out", "x"]).code, 2);
}

#[test]
fn wrong_words_are_refused_in_one_line() {
    let scratch = Scratch::new();
    scratch.write("a.lua", "print(1)");
    for (words, reason) in [
        ("--bogus", &["unexpected argument '--bogus'"][..]),
        ("frobnicate", &["unrecognized subcommand 'frobnicate'"]),
        ("check", &["required arguments", "<FILES>"]),
        ("check --bogus a.lua", &["unexpected argument '--bogus'"]),
        ("fuzz --finding x", &["unexpected argument '--finding'", "tip: a similar argument exists: '--findings'"]),
        ("check --gc 6.0 a.lua", &["unknown collector policy '6.0' (known: 5.1, 5.2, 5.3, 5.4"]),
        ("run --gc 5.4,colour=red a.lua", &["unknown collector rule 'colour'"]),
        ("check --check often a.lua", &["unknown check 'often' (known: off, step, barrier, full)"]),
        ("check --reference lua99 a.lua", &["unknown reference 'lua99' (known: lua54, none)"]),
        ("run --lua 4.0 a.lua", &["unknown Lua version '4.0'"]),
        ("check --format xml a.lua", &["invalid value 'xml'", "human, json"]),
        ("fuzz --without magic", &["unknown kind of operation 'magic'"]),
        ("fuzz --time soon", &["'soon' is not a time such as 30s"]),
        ("fuzz --runs many", &["invalid value 'many' for '--runs"]),
        ("fuzz --jobs 0", &["invalid value '0' for '--jobs"]),
        ("fuzz --runs 0", &["nothing to do: --runs and --time must be more than 0"]),
        ("fuzz --time 0", &["nothing to do: --runs and --time must be more than 0"]),
        ("faults --runs 0", &["nothing to do: --runs must be more than 0"]),
    ] {
        let ran = scratch.run(&words.split(' ').collect::<Vec<_>>());
        ran.assert_refused(reason);
        assert_eq!(ran.stdout, "", "{words}");
    }
    // No words at all: nobody asked for anything, so help is what is wanted.
    let ran = scratch.run(&[]);
    assert!(ran.code == 2 && ran.stderr.contains("Usage: moonphase <COMMAND>"), "{ran:?}");
    assert_eq!(scratch.list("."), ["a.lua"]);
}

#[test]
fn a_place_that_cannot_be_written_is_named_in_one_line_and_left_as_it_was() {
    let scratch = Scratch::new();
    scratch.write("a.lua", FAULTY);
    scratch.write("wall", "stone");
    fs::create_dir(scratch.path("folder")).unwrap();
    for findings in ["wall", "wall/findings"] {
        let words = ["fuzz", "--gc", "5.1", "--seed", "1", "--runs", "30", "--findings", findings];
        scratch.run(&words).assert_refused(&["cannot write ", findings]);
    }
    for out in ["wall/small.lua", "missing/small.lua", "folder"] {
        let ran = scratch.run(&["minimize", "a.lua", "-o", out]);
        ran.assert_refused(&["cannot write ", out]);
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(scratch.list("."), ["a.lua", "folder", "wall"]);
    assert_eq!((scratch.read("wall").as_str(), scratch.list("folder").len()), ("stone", 0));
}

#[test]
fn a_reader_that_has_had_enough_is_no_reason_to_panic() {
    let scratch = Scratch::new();
    scratch.write("a.lua", FAULTY);
    scratch.write("endless.lua", "while true do print(('x'):rep(1000)) end");
    for words in [
        &["run", "endless.lua"][..],
        &["check", "a.lua"],
        &["check", "--format", "json", "a.lua"],
        &["minimize", "a.lua"],
        &["fuzz", "--seed", "1", "--runs", "10"],
        &["fuzz", "--seed", "1", "--runs", "10", "--format", "json"],
        &["--help"],
    ] {
        let mut running = scratch.start(words);
        if words == ["run", "endless.lua"] {
            assert_eq!(running.line().map(|line| line.len()), Some(1000));
        }
        running.close_output();
        let ran = running.finish();
        assert!([0, 1].contains(&ran.code) && !ran.stderr.contains("panicked"), "{words:?}: {ran:?}");
    }
}
