//! Scripts in the language of Lua 5.1, on the `lua5.1` of the machine. Where there is none, the tests say so and are left out.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use std::thread;

use moonphase::header::Header;
use moonphase::language::{Feature, Language};
use moonphase::script::{GeneratorOptions, OpKind, Repair, Script, Statistics, crossover, generate};
use moonphase::settings::Settings;
use mutatis::Session;

const LANGUAGE: Language = Language::LUA_51;

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// By its end, or by `os.exit`.
    Ended,
    Error(String),
    /// The Lua died.
    Signal(i32),
}

/// Runs a script on a fresh Lua 5.1; gives what it printed and how it ended, or `None` where there is no such Lua.
fn run(text: &str) -> Option<(Vec<u8>, End)> {
    let output = output_of("ulimit -t 5 && exec lua5.1 -", text);
    match output.status.code() {
        Some(127) => None,
        _ => {
            let message = String::from_utf8_lossy(&output.stderr).into_owned();
            let end = match output.status.signal() {
                Some(signal) => End::Signal(signal),
                None if message.is_empty() => End::Ended,
                None => End::Error(message),
            };
            Some((output.stdout, end))
        }
    }
}

fn output_of(command: &str, input: &str) -> Output {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Lua reads all of it before it runs any of it; a shell without Lua reads nothing.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

/// Whether there is a Lua 5.1 to run scripts on.
fn is_there(test: &str) -> bool {
    let there = run("").is_some();
    if !there {
        eprintln!("left out: there is no lua5.1 on PATH, so `{test}` has tested nothing");
    }
    there
}

/// Fails unless all scripts compile, in few processes.
fn assert_load(texts: &[String]) {
    for texts in texts.chunks(1_000) {
        let mut input = String::from("local text = ...\n");
        for (number, text) in texts.iter().enumerate() {
            // Scripts have no long brackets of this level.
            input += &format!("assert(loadstring([=====[\n{text}]=====], \"={number}\"))\n");
        }
        let output = output_of("exec lua5.1 -", &input);
        let message = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let number = message.split(':').nth(2).and_then(|number| number.trim().parse::<usize>().ok());
            panic!("{message}\n{}", number.and_then(|number| texts.get(number)).map_or("", String::as_str));
        }
    }
}

fn options() -> GeneratorOptions {
    GeneratorOptions { language: LANGUAGE, ..GeneratorOptions::default() }
}

fn text(script: &Script) -> String {
    script.render(&LANGUAGE).text
}

/// What `work` gives for each case, by two threads.
fn of_each_case<T: Send>(cases: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let (even, odd) = thread::scope(|scope| {
        let half = |first| (first..cases).step_by(2).map(&work).collect::<Vec<_>>();
        let odd = scope.spawn(move || half(1));
        (half(0), odd.join().unwrap())
    });
    let mut odd = odd.into_iter();
    even.into_iter().flat_map(|even| [Some(even), odd.next()]).flatten().collect()
}

#[test]
fn every_kind_of_operation_that_lua_5_1_has_is_in_one_script_of_a_hundred() {
    let mut statistics = Statistics::default();
    let mut texts = Vec::new();
    for case in 0..10_000 {
        let script = generate(1, case, &options());
        statistics.add(&script);
        let text = text(&script);
        LANGUAGE.parse(text.as_bytes(), b"=script").unwrap_or_else(|error| panic!("{error}\n{text}"));
        texts.push(text);
    }
    for &kind in OpKind::ALL {
        let share = statistics.scripts_with(kind) as f64 / statistics.scripts as f64;
        if kind.is_in(&LANGUAGE) {
            assert!(share >= 0.01, "{kind} is in {share} of the scripts");
        } else {
            assert!(share == 0.0, "Lua 5.1 cannot say {kind}");
        }
    }
    for way in WAYS {
        let count = texts.iter().filter(|text| text.contains(way)).count();
        assert!(count >= 100, "{count} of 10000 scripts have {way:?}");
    }
    if is_there("10,000 scripts load") {
        assert_load(&texts);
    }
}

/// Texts that stand for one way of an operation, where Lua 5.1 says it in words of its own.
const WAYS: &[&str] = &[
    "collectgarbage(\"setpause\", ",
    "collectgarbage(\"setstepmul\", ",
    "= proxy({",
    "[proxy({",
    "\nproxy({",
    "function(object) finalized = finalized + 1 saved[#saved + 1] = object end",
    "state = { object }",
    "debug.setupvalue(get, 1, { object })",
    "object[i] = { \"a\" .. i }",
    "finalized = finalized + 1 proxy({}, function()",
    "finalized = finalized + 1 collect() end",
    "#debug.traceback",
    "collect(\"step\")",
    "getmetatable(objects[i]).__gc = gc",
    "report(\"end\", object[1])",
    "local function watch() proxy({}, gc) end",
    "= loadstring([[",
    "report(setfenv(loadstring(",
    "debug.setfenv(chunk, ",
    "setfenv(load(pieces([[",
    "setfenv(load(reader(",
    "string.dump(loadstring(chunk))",
    "loadstring(string.dump(",
    "= copy(f",
    "= { n = #",
    "do t1[#t1 + 1] = ",
    "for i = 1, 2 do\n",
    "    for _, cfg",
    "break\nend",
    "coroutine.resume(coroutine.create(function()\n    coroutine.yield(cfg",
    "local meta = { __eq = function()",
    "local meta = { __lt = function()",
    "unpack({}, 1, ",
    "\"nSlufL\"",
    "os.exit(0)",
    "keys[i]] = keys[i + 1]",
    "debug.setmetatable(coroutine.create(",
    "mix(",
];

#[test]
fn scripts_in_lua_5_1_end_without_error() {
    const CASES: u64 = 10_000;
    if !is_there("scripts_in_lua_5_1_end_without_error") {
        return;
    }
    let ends = of_each_case(CASES, |case| {
        let (printed, end) = run(&text(&generate(1, case, &options()))).unwrap();
        assert!(!printed.windows(2).any(|pair| pair == b"0x"), "case {case} prints an address");
        (end, printed.is_empty())
    });
    let mut failed = BTreeMap::new();
    for (case, (end, _)) in ends.iter().enumerate().filter(|(_, (end, _))| *end != End::Ended) {
        failed.entry(format!("{end:?}")).or_insert(case);
    }
    let silent = ends.iter().filter(|(_, silent)| *silent).count();
    let ended = ends.iter().filter(|(end, _)| *end == End::Ended).count();
    eprintln!("{ended} of {CASES} scripts end without error; {silent} print nothing; others: {failed:#?}");
    assert!(ended * 100 >= CASES as usize * 95, "{ended} of {CASES}: {failed:#?}");
    assert!(silent * 20 < CASES as usize, "{silent} scripts print nothing");
}

/// Two faults of Lua 5.1.5 put right, which free what lives. `lua_setupvalue` looks at the closure instead of the upvalue: here
/// what is stored is kept. `luaU_undump` stores constants without a barrier, and a reader that it calls may let the collector
/// mark the function before: here the reader has given everything when the chunk is loaded.
const MENDED: &str = "local set, stored = debug.setupvalue, {} \
    function debug.setupvalue(f, n, value) stored[#stored + 1] = value return set(f, n, value) end \
    function load(reader, name) \
      local parts = {} \
      local ok, message = pcall(function() \
        repeat local part = reader() parts[#parts + 1] = part until not part or part == '' \
      end) \
      if not ok then return nil, message end \
      return loadstring(table.concat(parts), name) \
    end ";

/// Other times at which the collector works.
const TIMINGS: &[&str] = &[
    "local GC = collectgarbage function collectgarbage(o, ...) if o == 'step' then return false end return GC(o, ...) end ",
    "local GC = collectgarbage function collectgarbage(o, ...) GC() return GC(o, ...) end ",
    "local GC = collectgarbage function collectgarbage(o, ...) local r = GC(o, ...) for _ = 1, 9 do GC('step', 0) end return r end ",
    "local GC = collectgarbage GC('setpause', 0) GC('setstepmul', 1000) \
     function collectgarbage(o, ...) if o == nil or o == 'step' then return GC(o, ...) end return 0 end ",
    "local GC = collectgarbage GC('setpause', 50) GC('setstepmul', 1) \
     function collectgarbage(o, ...) if o == nil or o == 'step' then return GC(o, ...) end return 0 end ",
    "local GC = collectgarbage debug.sethook(function() GC('step', 0) end, '', 7) ",
];

#[test]
fn what_a_script_in_lua_5_1_prints_does_not_depend_on_when_the_collector_runs() {
    const CASES: u64 = 400;
    if !is_there("what_a_script_in_lua_5_1_prints_does_not_depend_on_when_the_collector_runs") {
        return;
    }
    let died = of_each_case(CASES, |case| {
        let text = text(&generate(3, case, &options()));
        let expected = run(&format!("{MENDED}{text}")).unwrap();
        let mut died = matches!(expected.1, End::Signal(_));
        for timing in TIMINGS {
            let ran = run(&format!("{MENDED}{timing}{text}")).unwrap();
            died |= matches!(ran.1, End::Signal(_));
            assert!(died || ran == expected, "case {case} under {timing}: {:?}, {:?}\n{text}", ran.1, expected.1);
        }
        died
    });
    // A finalizer that calls the collector while the state closes seldom lets Lua 5.1.5 sweep a list in circles.
    let died = died.into_iter().filter(|&died| died).count();
    assert!(died * 100 <= CASES as usize, "Lua died of {died} of {CASES} scripts");
}

/// The founding faults in the language of Lua 5.1.
const REPRODUCERS: [&str; 2] =
    [include_str!("../../corpus/sharing-only-51.lua"), include_str!("../../corpus/ported/double-reload.lua")];

#[test]
fn the_founding_faults_are_told_in_lua_5_1() {
    for text in REPRODUCERS {
        let header = Header::parse(text.as_bytes(), Settings::default()).unwrap().unwrap();
        assert_eq!((header.settings.lua, header.findings.len()), (LANGUAGE, 1));
        LANGUAGE.parse(text.as_bytes(), b"=script").unwrap();
    }
    if !is_there("the_founding_faults_are_told_in_lua_5_1") {
        return;
    }
    assert_load(&REPRODUCERS.map(str::to_owned));
    let [sharing, _] = REPRODUCERS;
    // What is freed may be taken by anything, so Lua may die of it as well.
    let (_, end) = run(sharing).unwrap();
    assert_ne!(end, End::Ended, "the variable holds what it got");
    assert_eq!(run(&format!("{MENDED}{sharing}")).unwrap().1, End::Ended);
}

#[test]
fn fixup_for_lua_5_1_is_idempotent_and_speaks_it_whatever_the_model_was() {
    let mut texts = Vec::new();
    let mut session = Session::new().seed(2);
    for case in 0..1_000 {
        // Models of another language, mutated and woven.
        let mut script = generate(9, case, &GeneratorOptions::default());
        for _ in 0..3 {
            session.mutate(&mut script).unwrap();
        }
        script.fixup(Repair::Replace, &LANGUAGE);
        for repair in [Repair::Replace, Repair::Remove] {
            let mut again = script.clone();
            again.fixup(repair, &LANGUAGE);
            assert_eq!(again, script, "case {case}, {repair:?}\n{}", text(&script));
        }
        texts.push(text(&crossover(&script, &generate(10, case, &GeneratorOptions::default()), case, &LANGUAGE)));
        texts.push(text(&script));
    }
    for case in 0..10 {
        texts.extend(generate(11, case, &options()).reductions(&LANGUAGE).map(|script| text(&script)));
    }
    for text in &texts {
        LANGUAGE.parse(text.as_bytes(), b"=script").unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert!(!text.contains("upvaluejoin") && !text.contains("upvalueid"), "{text}");
    }
    if is_there("models of any language load") {
        assert_load(&texts);
    }
}

#[test]
fn an_engine_of_lua_5_1_that_joins_upvalues_gets_scripts_that_do() {
    let language = LANGUAGE.with(Feature::UpvalueJoin);
    let options = GeneratorOptions { language, ..GeneratorOptions::default() };
    let texts: Vec<_> = (0..1_000).map(|case| generate(1, case, &options).render(&language).text).collect();
    let joining = texts.iter().filter(|text| text.contains("debug.upvaluejoin(")).count();
    assert!(joining > 500, "{joining} of 1000 scripts join upvalues");
    if is_there("scripts that join upvalues load") {
        assert_load(&texts);
    }
}
