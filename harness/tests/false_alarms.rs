//! Ordinary programs: under a correct policy the checker has nothing to say about them, and they do what they do on the
//! reference. Those that ask for what each Lua does in its own way are told so.

mod common;

use common::Scratch;
use moonphase::engine::reference::ReferenceEngine;
use moonphase::engine::vm::VmEngine;
use moonphase::engine::{Case, Engine, puc};
use moonphase::fuzzing::correct_policies;
use moonphase::limits::Limits;
use moonphase::outcome::{Comparison, End, compare};
use moonphase::settings::{Check, Settings};
use moonphase_invariants::Level;

/// A program, how large its work is where every barrier is checked, and where all of the heap is looked at each time.
struct Program {
    name: &'static str,
    source: &'static str,
    barrier: u32,
    full: u32,
}

macro_rules! programs {
    ($($name:ident $barrier:literal $full:literal),* $(,)?) => {
        &[$(Program {
            name: concat!("@", stringify!($name), ".lua"),
            source: include_str!(concat!("programs/", stringify!($name), ".lua")),
            barrier: $barrier,
            full: $full,
        }),*]
    };
}

const PROGRAMS: &[Program] = programs! {
    caches 1500 30,
    finalizers 1500 30,
    json 400 2,
    objects 2000 20,
    pipelines 500 14,
    queens 8 5,
    server 300 12,
    strings 1000 6,
};

/// More than any of them needs.
fn limits() -> Limits {
    Limits { instructions: 1 << 32, memory_bytes: 1 << 30, ..Limits::default() }
}

fn assert_no_alarm(program: &Program, size: u32, level: Level) {
    let Program { name, source, .. } = *program;
    let source = format!("SIZE = {size} {source}");
    let case = Case::new(source.as_bytes(), name);
    let reference = ReferenceEngine::new().run(&case, &limits()).outcome;
    assert_eq!(reference.end, End::Returned, "{name} on the reference");
    assert!(!reference.lines.is_empty(), "{name} prints nothing");
    for gc in correct_policies() {
        let settings = Settings { gc, check: Check::At(level), ..Settings::default() };
        let run = VmEngine::new(settings).observe(&case, &limits());
        if let Some(violation) = run.violation {
            panic!("{name} under {gc}, check {level}: {violation}");
        }
        let comparison = compare(run.outcome.in_words_of(&puc::WORDS), reference.in_words_of(&puc::WORDS));
        assert_eq!(comparison, Comparison::Agree, "{name} under {gc}, check {level}");
    }
}

#[test]
fn nothing_is_found_in_ordinary_programs() {
    for program in PROGRAMS {
        assert_no_alarm(program, program.barrier, Level::Barrier);
    }
}

#[test]
fn nothing_is_found_in_ordinary_programs_when_all_is_looked_at_each_time() {
    for program in PROGRAMS {
        assert_no_alarm(program, program.full, Level::Full);
    }
}

/// Short scripts of every day: what their output depends on, in both systems or in one.
struct Everyday {
    source: &'static str,
    /// What it depends on: without the machine, and with it.
    depends: [Option<&'static str>; 2],
}

const fn everyday(source: &'static str) -> Everyday {
    Everyday { source, depends: [None; 2] }
}

const fn depends(source: &'static str, what: &'static str) -> Everyday {
    Everyday { source, depends: [Some(what); 2] }
}

const EVERYDAY: &[Everyday] = &[
    // Output.
    everyday("io.stdout:write('a', 1, 2.5, 1.0, '\\n'):write('b\\n') io.output():write('c\\n') io.stderr:write('no output\\n')"),
    everyday("print(io.type(io.stdout), io.output() == io.stdout, io.stdout:seek()) print(pcall(io.stdout.write, io.stdout, {}))"),
    everyday("io.stdout:setvbuf('no') io.stdout:flush() io.flush() print(io.stdout:close()) print(io.read('l'), io.read('n'))"),
    everyday("print(pcall(io.write, {})) print(xpcall(io.write, debug.traceback, {})) io.write(nil)"),
    // The end.
    everyday("print('a') os.exit(3)"),
    everyday("pcall(os.exit, false) print('after')"),
    everyday("coroutine.wrap(function() os.exit(true, true) end)() print('after')"),
    everyday("print(pcall(os.exit, {})) os.exit()"),
    // Functions and tracebacks.
    everyday("local i = debug.getinfo(print) print(i.what, i.short_src, i.nups, i.nparams, i.isvararg, i.linedefined)"),
    everyday("for _, l in ipairs { _G, io, os, debug, package, string, getmetatable(io.stdout).__index } do
        local n = {} for k, v in pairs(l) do n[#n + 1] = k .. type(v) end table.sort(n) print(table.concat(n, ' ')) end"),
    everyday("print(tostring(2), debug.traceback('x'))
        print(setmetatable({}, { __tostring = function() return debug.traceback('in') end }))
        local bad = setmetatable({}, { __tostring = function() error('oops') end })
        print(xpcall(print, debug.traceback, bad)) print(bad)"),
    everyday("local calls, lines = 0, 0
        debug.sethook(function(e) if e == 'line' then lines = lines + 1 else calls = calls + 1 end end, 'crl')
        for i = 1, 5 do print(i) io.write(i, '\\n') end debug.sethook() print(calls, lines, debug.gethook())"),
    depends("local n = 0
        debug.sethook(function() n = n + 1 end, '', 1)
        local x = 300000 local y = x + 1 local z = 5 - x local w = x == 'a'
        local f = function(...) return ... end f(1, 2, 3)
        for k, v in pairs({ 1, 2, 3 }) do local x <close> = nil end
        debug.sethook() print(n)",
        "instructions"),
    // Files and modules.
    everyday("print(pcall(require, 'beside'))"),
    everyday("print(pcall(require, 'nowhere.at.all'))"),
    everyday("print(io.open('nothing-here')) print(pcall(io.lines, 'nothing-here')) print(os.rename('no', 'nothing'), os.remove('nothing'))
        print(pcall(dofile, 'nothing-here') == false, (loadfile('nothing-here')))"),
    everyday("print(os.getenv('NO_SUCH_VARIABLE'), os.difftime(5, 2), os.setlocale())"),
    everyday("print(type(debug.getregistry()), package.config, #package.searchers)"),
    // The clock.
    depends("print(os.clock())", "clock"),
    depends("local start = os.clock() for i = 1, 1000 do end print(string.format('%.9f', os.clock() - start))", "clock"),
    everyday("print(os.time { year = 2020, month = 1, day = 1, hour = 12 } > 0, os.date('!%Y', 0))"),
    everyday("print(os.clock() >= 0, os.time() >= 0, #os.date('%Y'))"),
    // Chunks, orders, seeds, addresses.
    everyday("print(load(string.dump(function(a) return a + 1 end))(1))"),
    depends("print(#string.dump(function() return 1 end))", "chunks"),
    depends("for k, v in pairs { [10] = 1, [20] = 2, [100] = 3, [1000] = 4, [77] = 5 } do print(k, v) end", "order"),
    depends("local t = {} for i = 1, 40 do t['k' .. i] = i end for k in pairs(t) do print(k) end", "order"),
    depends("local t, k = {} for i = 1, 40 do t['k' .. i] = i end repeat k = next(t, k) print(k) until not k",
        "order"),
    depends("print(math.random(1 << 40))", "seed"),
    everyday("math.randomseed(7) print(math.random(1 << 40))"),
    everyday("print({}, print, coroutine.create(print), io.stdout)"),
    depends("print(string.format('%p', {}))", "addresses"),
    // The collector.
    depends("print(collectgarbage('count'))", "timing"),
    depends("for i = 1, 50 do io.write(tostring(collectgarbage('step', 1)), ' ') end print()", "timing"),
    everyday("print(collectgarbage('generational'), collectgarbage('incremental'), collectgarbage('isrunning'))"),
];

#[test]
fn scripts_of_every_day_are_the_same_on_both_engines_or_are_told_why_not() {
    let scratch = Scratch::new();
    scratch.write("beside.lua", "return { answer = 42 }");
    let mut wrong = Vec::new();
    for (system, name) in ["none", "full"].into_iter().enumerate() {
        for (number, Everyday { source, depends }) in EVERYDAY.iter().enumerate() {
            let file = format!("{name}-{number}.lua");
            scratch.write(&file, format!("-- moonphase: lua=5.4 system={name}\n{source}"));
            let (code, json) = scratch.json(&["check", "--format", "json", &file]);
            let expected = depends[system].map_or(serde_json::Value::Null, Into::into);
            let said = &json["files"][0]["depends"];
            // What is behind an error that nobody catches was not tested.
            let right = if json["files"][0]["end"]["how"] == "error" { 2 } else { 0 };
            if code != right || *said != expected {
                wrong.push(format!("{name}: {source}\n  {said}, not {expected}; {}", json["files"][0]["findings"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
