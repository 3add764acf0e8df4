//! Reference Lua 5.4, embedded through mlua with its vendored sources.
//!
//! Every run gets a state of its own. The script sees the stock library: mlua must not put itself between a script and what is
//! compared. What captures the output or keeps the machine away are C functions that look and behave as the stock ones do
//! (`library`), and a small Lua prelude that is compiled once loads the script. Output is captured until the state is closed.
//!
//! Limits: instructions by a count hook, in steps of a thousand; it does not fire inside finalizers, library functions
//! and the message handler that the limit's own error runs, and not while a hook of the script is set, so only the
//! deadline of the worker process is sure to end a script. The memory limit is twice the given one: a script that
//! catches Lua's "not enough memory" goes on, and no one can tell from outside, so the engine under test, which does
//! not let its limit be caught, has to hit first.
//!
//! The same hook runs the collector where a case asks for another timing. A hook may, at any instruction: Lua takes all
//! registers of the running function for used there.

mod exit;
mod host;
mod library;
mod stock;

use std::ffi::c_int;

use mlua::chunk::ChunkMode;
use mlua::{FromLua, Function, Lua, LuaOptions, LuaString, StdLib, Value, ffi};
use moonphase_vm::System;

use self::host::{Host, Present};
use super::puc::WORDS;
use super::{Case, Engine, Run};
use crate::circumstance::{Circumstance, Timing};
use crate::language::Language;
use crate::limits::{LimitKind, Limits};
use crate::outcome::{End, Outcome, Output};
use crate::words::Words;

/// The source of the prelude.
const PRELUDE: &str = include_str!("prelude.lua");

/// What the script may use.
const LIBRARIES: [StdLib; 9] = [
    StdLib::COROUTINE,
    StdLib::TABLE,
    StdLib::IO,
    StdLib::OS,
    StdLib::STRING,
    StdLib::UTF8,
    StdLib::MATH,
    StdLib::PACKAGE,
    StdLib::DEBUG,
];

/// The circumstances in which a script can run, in the order in which they are asked for: the order of keys first, since that
/// of some differs from run to run and may seldom do so. The first timings show most; those that follow are for what shows at a
/// few instructions only.
const CIRCUMSTANCES: &[Circumstance] = &[
    Circumstance::Ascending,
    Circumstance::Timing(Timing::Full(100)),
    Circumstance::Timing(Timing::Never),
    Circumstance::Timing(Timing::Step(1)),
    Circumstance::Timing(Timing::Small),
    Circumstance::Timing(Timing::Hasty(1)),
    Circumstance::Timing(Timing::Full(1)),
    Circumstance::Clock,
    Circumstance::Seed,
    Circumstance::Addresses,
    Circumstance::Chunks,
    Circumstance::Instructions,
];

/// Reference Lua 5.4.
pub struct ReferenceEngine {
    /// What scripts may use of the machine.
    system: System,
    /// The prelude as stripped bytecode: loading that is cheaper than parsing, and it has no line numbers that could
    /// get into a script's error messages.
    prelude: Vec<u8>,
    /// The state of the next run. It was made while the one of the last run was there: a state's seeds are made of its address,
    /// and what differs from run to run is to differ between each two.
    next: Option<Lua>,
}

impl ReferenceEngine {
    /// Prepares an engine that keeps scripts from the machine.
    pub fn new() -> ReferenceEngine {
        ReferenceEngine::with_system(System::None)
    }

    /// Prepares an engine that lets scripts use so much of the machine. What processes that they start write to standard output
    /// is not part of the outcome.
    pub fn with_system(system: System) -> ReferenceEngine {
        let prelude = Lua::new()
            .load(PRELUDE)
            .set_name("=prelude")
            .into_function()
            .expect("the prelude is part of this program and valid Lua")
            .dump(true);
        ReferenceEngine { system, prelude, next: None }
    }

    fn run_in(&self, lua: &Lua, host: &Host, case: &Case<'_>, limits: &Limits) -> mlua::Result<End> {
        let prelude = lua.load(&self.prelude[..]).set_mode(ChunkMode::Binary).into_function()?;
        let memory = usize::try_from(limits.memory_bytes.saturating_mul(2)).unwrap_or(usize::MAX);
        lua.set_memory_limit(memory)?;
        prepare(lua, host)?;
        let source = lua.create_string(case.source)?;
        let circumstance = word_for_prelude(case.circumstance);
        let (chunk, describe): (Option<Function>, Value) = prelude.call((source, case.chunk_name, circumstance))?;
        let Some(chunk) = chunk else {
            let message = LuaString::from_lua(describe, lua)?;
            return Ok(End::of_error(&message.as_bytes(), &WORDS));
        };
        let (returned, error) = call_as_host(lua, host, chunk)?;
        if returned {
            return Ok(End::Returned);
        }
        let message: LuaString = Function::from_lua(describe, lua)?.call(error)?;
        Ok(End::of_error(&message.as_bytes(), &WORDS))
    }
}

impl Default for ReferenceEngine {
    fn default() -> Self {
        ReferenceEngine::new()
    }
}

/// What the prelude calls the circumstances that it makes.
fn word_for_prelude(circumstance: Circumstance) -> Option<&'static str> {
    match circumstance {
        Circumstance::Usual | Circumstance::Timing(_) => None,
        Circumstance::Clock => Some("clock"),
        Circumstance::Ascending => Some("ascending"),
        Circumstance::Descending => Some("descending"),
        Circumstance::Seed => Some("seed"),
        Circumstance::Addresses => Some("addresses"),
        Circumstance::Chunks => Some("chunks"),
        Circumstance::Instructions => Some("instructions"),
    }
}

/// Puts our functions into a fresh state.
#[allow(unsafe_code)]
fn prepare(lua: &Lua, host: &Host) -> mlua::Result<()> {
    // SAFETY: the state has the whole library, and nothing is left on its stack.
    unsafe { lua.exec_raw((), |state| library::install(state, host)) }
}

/// Calls a chunk in protected mode from a C function, as the stand-alone interpreter does, so that levels and tracebacks
/// end as they do there. Gives whether it returned, and its error.
#[allow(unsafe_code)]
fn call_as_host(lua: &Lua, host: &Host, chunk: Function) -> mlua::Result<(bool, Value)> {
    // SAFETY: the stack holds the function alone, and one value takes its place; `lua_pcall` raises no error.
    unsafe {
        lua.exec_raw(chunk, |state| {
            host.start(state);
            let status = ffi::lua_pcall(state, 0, 0, 0);
            ffi::lua_pushboolean(state, c_int::from(status == ffi::LUA_OK));
            ffi::lua_insert(state, 1);
        })
    }
}

/// Closes the state of a script that has come to its end, after full collections, as our VM does: so what was unreachable in the
/// end is finalized first. What is printed meanwhile is part of the outcome; not so where something else has ended the script.
#[allow(unsafe_code)]
fn close(lua: Lua, host: &Host, end: Option<&End>) {
    /// As many as our VM makes where finalizers were called. Where none were, the last one does nothing.
    const COLLECTIONS: usize = 3;
    match end {
        _ if host.raises() => host.mute(),
        Some(End::Returned | End::Error(_)) => {
            // SAFETY: nothing is put onto the stack, and `lua_gc` raises no error. That of a host for which there is no room is
            // no part of the outcome.
            let _ = unsafe {
                lua.exec_raw::<()>((), |state| {
                    for _ in 0..COLLECTIONS {
                        ffi::lua_gc(state, ffi::LUA_GCCOLLECT);
                    }
                })
            };
        }
        _ => host.mute(),
    }
    drop(lua);
}

#[allow(unsafe_code)]
fn new_state() -> Lua {
    let libraries = LIBRARIES.into_iter().fold(StdLib::NONE, |all, one| all | one);
    // `catch_rust_panics` is mlua's word for leaving `pcall` and `xpcall` as they are.
    let options = LuaOptions::new().catch_rust_panics(true);
    // SAFETY: mlua asks for `unsafe` because a script that has the `debug` library can break mlua's own guarantees. Scripts
    // that are kept from the machine see neither the registry nor native modules; where a script breaks reference Lua all the
    // same, the worker process is what contains it.
    unsafe { Lua::unsafe_new_with(libraries, options) }
}

// SAFETY: `lua_ident` (lua.h) is a constant of the linked Lua, "$LuaVersion: " and then a name, a release and a
// copyright notice, which make it longer than the bytes declared here.
#[allow(unsafe_code)]
unsafe extern "C" {
    safe static lua_ident: [u8; 32];
}

impl Engine for ReferenceEngine {
    fn name(&self) -> String {
        "lua54".to_owned()
    }

    fn version(&self) -> String {
        let ident = String::from_utf8_lossy(&lua_ident);
        let words: Vec<&str> = ident.split_ascii_whitespace().skip(1).take(2).collect();
        words.join(" ")
    }

    fn language(&self) -> &Language {
        &Language::LUA_54
    }

    fn words(&self) -> &'static Words {
        &WORDS
    }

    fn circumstances(&self) -> &'static [Circumstance] {
        CIRCUMSTANCES
    }

    fn run(&mut self, case: &Case<'_>, limits: &Limits) -> Run {
        let timing = match case.circumstance {
            Circumstance::Timing(timing) => Some(timing),
            _ => None,
        };
        let instructions = (limits.instructions < u64::MAX).then_some(limits.instructions);
        let host = Host::new(self.system, Output::new(limits.output_bytes), instructions, timing);
        let _present = Present::new(&host);
        let lua = self.next.take().unwrap_or_else(new_state);
        self.next = Some(new_state());
        let result = self.run_in(&lua, &host, case, limits);
        close(lua, &host, result.as_ref().ok());
        let (lines, stopped) = host.outcome();
        let end = match (stopped, result) {
            (Some(end), _) => end,
            (None, Ok(end)) => end,
            (None, Err(mlua::Error::MemoryError(_))) => End::Limit(LimitKind::Memory),
            (None, Err(error)) => End::of_error(error.to_string().as_bytes(), &WORDS),
        };
        Run::of_outcome(Outcome { lines, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::vm::VmEngine;
    use crate::settings::Settings;

    fn run_limited(source: &str, limits: &Limits) -> (Vec<String>, End) {
        let outcome = ReferenceEngine::new().run(&Case::new(source.as_bytes(), "@case.lua"), limits).outcome;
        let lines = outcome.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        (lines, outcome.end)
    }

    fn run(source: &str) -> (Vec<String>, End) {
        run_limited(source, &Limits::default())
    }

    fn error(message: &str) -> End {
        End::Error(message.to_owned())
    }

    #[test]
    fn printed_text_is_captured_in_order() {
        let (lines, end) =
            run("print('a', 1, 2.0, nil, true) io.write('b', 3, 4.5, 1.0):write('c') print() print('d')");
        assert_eq!(lines, ["a\t1\t2.0\tnil\ttrue", "b34.51c", "d"]);
        assert_eq!(end, End::Returned);
    }

    #[test]
    fn print_uses_tostring_metamethods_and_names() {
        let (lines, end) = run("print(setmetatable({}, {__tostring = function() return 'T' end}), 1)
            print((tostring(setmetatable({}, {__name = 'N'})):gsub('0x.*', '')))");
        assert_eq!(lines, ["T\t1", "N: "]);
        assert_eq!(end, End::Returned);
    }

    #[test]
    fn errors_in_print_and_write_are_those_of_the_native_functions() {
        let bad = "local bad = setmetatable({}, {__tostring = function() return {} end})\n";
        let (lines, end) = run(&format!("{bad}print('a', bad)"));
        assert_eq!((lines, end), (vec!["a".to_owned()], error("case.lua:2: '__tostring' must return a string")));
        let (_, end) = run("local e = setmetatable({}, {__tostring = function() error('x') end}) print(e)");
        assert_eq!(end, error("case.lua:1: x"));
        let (_, end) = run("io.write('a', nil)");
        assert_eq!(end, error("case.lua:1: bad argument #2 to 'write' (string expected, got nil)"));
    }

    #[test]
    fn error_messages_come_as_plain_text_without_traceback() {
        assert_eq!(run("local x\nreturn x.y").1, error("case.lua:2: attempt to index a nil value (local 'x')"));
        assert_eq!(run("error('boom', 0)").1, error("boom"));
        assert_eq!(run("error(42)").1, error("42"));
        assert_eq!(run("error({})").1, error("(error object is a table value)"));
        assert_eq!(run("error()").1, error("(error object is a nil value)"));
        assert_eq!(run("error(tostring(print), 0)").1, error("function: 0x?"));
        assert_eq!(run("x = = 1").1, error("case.lua:1: unexpected symbol near '='"));
    }

    #[test]
    fn scripts_see_the_stock_protected_calls() {
        let (lines, end) = run("for _, f in ipairs{pcall, xpcall, load, debug.setupvalue, collectgarbage} do
            print(debug.getinfo(f, 'S').what, debug.getupvalue(f, 1)) end
            print(pcall(error, {}) == false, select('#', pcall(error)))
            print(coroutine.wrap(function() return pcall(function() return coroutine.yield(1) end) end)())");
        assert_eq!(lines, ["C", "C", "C", "C", "C", "true\t2", "1"]);
        assert_eq!(end, End::Returned);
    }

    #[test]
    fn what_reaches_the_machine_is_refused_as_by_our_vm() {
        let source = "print(io.open('x', 'r+')) print(pcall(io.open, 'x', 'rw')) print(io.popen('true')) print(io.tmpfile())
            print(pcall(io.popen, 'true', 'r+')) print(pcall(io.open, 'x', 'ab+x')) print(pcall(io.open))
            print(pcall(io.lines, 'x')) print(pcall(io.input, 'x')) print(pcall(io.output, 'x')) print(io.input() == io.stdin)
            print(os.execute(), os.execute('true')) print(os.remove('x')) print(os.rename('x', 'y')) print(pcall(os.tmpname))
            print(os.getenv('PATH'), os.time(), os.date('!%c')) print(os.setlocale('de_DE'), pcall(os.setlocale, 'C', 'x'))
            print(loadfile('x')) print(pcall(dofile, 'x')) print(pcall(dofile)) print(package.loadlib('x', 'y'))
            print(package.searchpath('a.b', './?;?/?')) print(package.searchpath('a-b', '?', '-', '+')) print(package.searchpath('a.b', '?', ''))
            print(pcall(require, 'x.y')) print(package.path, package.cpath) print(debug.getregistry()[2] == _G, debug.debug())
            package.path = nil print(pcall(require, 'x'))";
        let case = Case::new(source.as_bytes(), "@case.lua");
        let ours = VmEngine::new(Settings::default()).run(&case, &Limits::default()).outcome;
        let reference = ReferenceEngine::new().run(&case, &Limits::default()).outcome;
        assert_eq!(reference.end, End::Returned);
        let text = |outcome: &Outcome| String::from_utf8(outcome.lines.join(&b'\n')).unwrap();
        assert_eq!(text(&reference), text(&ours));
        assert!(text(&ours).starts_with("nil\tx: Operation not permitted\t1\n"), "{}", text(&ours));
    }

    #[test]
    fn every_run_starts_from_a_fresh_state() {
        let mut engine = ReferenceEngine::new();
        let limits = Limits::default();
        engine.run(&Case::new(b"x = 1 package.loaded.m = 1 string.format = nil", "@a"), &limits);
        let source = b"print(x, package.loaded.m, type(string.format))";
        let outcome = engine.run(&Case::new(source, "@a"), &limits).outcome;
        assert_eq!(outcome.lines, [b"nil\tnil\tfunction"]);
    }

    #[test]
    fn an_endless_loop_ends_at_the_instruction_limit() {
        let limits = Limits { instructions: 100_000, ..Limits::default() };
        let (lines, end) = run_limited("print('a') while true do end", &limits);
        assert_eq!((lines, end), (vec!["a".to_owned()], End::Limit(LimitKind::Instructions)));
    }

    #[test]
    fn protected_calls_and_coroutines_cannot_hide_the_instruction_limit() {
        let limits = Limits { instructions: 100_000, ..Limits::default() };
        for source in [
            "while true do pcall(function() while true do end end) end",
            "while true do xpcall(function() while true do end end, function(e) return e end) end",
            "while true do local co = coroutine.wrap(function() while true do end end) pcall(co) end",
            "pcall(function() while true do end end) print('after')",
            "local function f() return pcall(f) end f() while true do end",
        ] {
            let (lines, end) = run_limited(source, &limits);
            assert_eq!(end, End::Limit(LimitKind::Instructions), "{source}");
            assert_eq!(lines, Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn without_an_instruction_limit_a_script_runs_to_its_end() {
        let limits = Limits { instructions: u64::MAX, ..Limits::default() };
        let (lines, end) = run_limited("for i = 1, 1e6 do end print(debug.gethook())", &limits);
        assert_eq!((lines, end), (vec!["nil".to_owned()], End::Returned));
    }

    #[test]
    fn eating_memory_ends_at_the_memory_limit() {
        let limits = Limits { memory_bytes: 8 << 20, ..Limits::default() };
        for source in [
            "local t = {} for i = 1, 1e9 do t[i] = {i} end",
            "local s = 'x' while true do s = s .. s end",
            "return string.rep('x', 1 << 30)",
        ] {
            assert_eq!(run_limited(source, &limits).1, End::Limit(LimitKind::Memory), "{source}");
        }
    }

    #[test]
    fn printing_without_end_ends_at_the_output_limit() {
        let limits = Limits { output_bytes: 10, ..Limits::default() };
        let (lines, end) = run_limited("while true do pcall(print, 'abc') end", &limits);
        assert_eq!((lines, end), (["abc", "abc", "ab"].map(str::to_owned).to_vec(), End::Limit(LimitKind::Output)));
    }

    #[test]
    fn endless_recursion_ends_at_the_depth_limit() {
        let limits = Limits { instructions: u64::MAX, ..Limits::default() };
        assert_eq!(run_limited("local function f() return 1 + f() end f()", &limits).1, End::Limit(LimitKind::Depth));
        let deep = "(".repeat(1000);
        assert_eq!(run(&format!("return {deep}")).1, End::Limit(LimitKind::Depth));
    }

    /// What both engines print, and how the script ends.
    fn run_both(source: &str) -> (Vec<String>, End) {
        let reference = run(source);
        let case = Case::new(source.as_bytes(), "@case.lua");
        let ours = VmEngine::new(Settings::default()).run(&case, &Limits::default()).outcome;
        let lines: Vec<_> = ours.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
        assert_eq!(reference, (lines, ours.end), "{source}");
        reference
    }

    #[test]
    fn what_finalizers_print_at_the_end_of_the_state_is_output() {
        let source = "keep = setmetatable({}, {__gc = function() print('closing') end}) print('a')";
        assert_eq!(run_both(source), (vec!["a".to_owned(), "closing".to_owned()], End::Returned));
        let source = "setmetatable({}, {__gc = function() print('finalized') end}) collectgarbage() print('a')";
        assert_eq!(run_both(source).0, ["finalized", "a"]);
        let source = "local function later(x) return setmetatable({}, {__gc = function() print(x) end}) end
            keep = later(1) later(2) keep2 = later(3) error('x')";
        assert_eq!(run_both(source), (["2", "3", "1"].map(str::to_owned).to_vec(), error("case.lua:2: x")));
        let source = "keep = setmetatable({}, {__gc = function() print('a') os.exit(3) end})
            keep2 = setmetatable({}, {__gc = function() print('b') end})";
        assert_eq!(run_both(source), (["b", "a"].map(str::to_owned).to_vec(), End::Exit(3)));
    }

    #[test]
    fn an_exit_closes_the_state_if_it_is_asked_to() {
        let objects = "local function close(x) return setmetatable({}, {__close = function(...) print(x, select('#', ...), select(2, ...)) end}) end
            keep = setmetatable({}, {__gc = function() print('gone') end})
            local a <close>, text = close('a'), 'before'
            print(text)\n";
        let rest = [
            ("os.exit(3, true)", vec!["a\t2\tnil", "gone"], 3),
            ("os.exit(3)", vec![], 3),
            ("pcall(os.exit, false, true)", vec!["a\t2\tnil", "gone"], 1),
            (
                "local b <close> = close('b') xpcall(os.exit, print, true, true)",
                vec!["b\t2\tnil", "a\t2\tnil", "gone"],
                0,
            ),
            (
                "coroutine.wrap(function() local b <close> = close('b') os.exit(2, true) end)()",
                vec!["a\t2\tnil", "gone"],
                2,
            ),
            (
                "local b <close> = setmetatable({}, {__close = function() print('b') os.exit(4, true) end}) os.exit(5, true)",
                vec!["b", "a\t2\tnil", "gone"],
                4,
            ),
            (
                "local b <close> = setmetatable({}, {__close = function() print('b') os.exit(4) end}) os.exit(5, true)",
                vec!["b"],
                4,
            ),
            (
                "local b <close> = setmetatable({}, {__close = function() error('x') end}) os.exit(5, true)",
                vec!["a\t2\tcase.lua:5: x", "gone"],
                5,
            ),
        ];
        for (exit, lines, status) in rest {
            let expected: Vec<_> = [&["before"], &lines[..]].concat().into_iter().map(str::to_owned).collect();
            assert_eq!(run_both(&format!("{objects}{exit}")), (expected, End::Exit(status)), "{exit}");
        }
    }

    #[test]
    fn any_bytes_are_a_source() {
        let mut engine = ReferenceEngine::new();
        for source in [&b"\x1bLua"[..], b"\xff\xfe", b"", b"\0", b"return '\xff'"] {
            let end = engine.run(&Case::new(source, "@case.lua"), &Limits::default()).outcome.end;
            assert!(matches!(end, End::Returned | End::Error(_)), "{source:?}: {end}");
        }
    }

    #[test]
    fn the_version_is_exact() {
        let version = ReferenceEngine::new().version();
        assert!(version.starts_with("Lua 5.4.") && version.len() <= 10, "{version}");
    }
}
