//! Binary chunks: `string.dump`, and `load` of what it made and of what it did not.

use moonphase_vm::bytecode::{Instruction, Opcode, Template};
use moonphase_vm::{Limit, LuaVersion, Options, ScriptError, Vm, compiler, syntax};
use proptest::prelude::*;
use std::rc::Rc;

/// Runs a script that checks itself.
#[track_caller]
fn holds(script: &str) {
    let mut vm = Vm::new(Options::default()).expect("the default policy is sound");
    assert_eq!(vm.run(script.as_bytes(), b"=test", &[]), Ok(()), "{script}");
}

/// What loading and calling a chunk does to a host that allows little.
fn run_hostile(chunk: &[u8]) -> Result<(), ScriptError> {
    let mut options = Options::default();
    options.memory_limit = 16 << 20;
    options.instruction_limit = Some(100_000);
    Vm::new(options).expect("the default policy is sound").run(chunk, b"=chunk", &[])
}

fn template(source: &[u8]) -> Template {
    let chunk = syntax::parse(source, b"=t", LuaVersion::Lua54).expect("valid Lua");
    compiler::compile(&chunk, b"=t", LuaVersion::Lua54).expect("valid Lua")
}

/// A program with every kind of instruction.
const PROGRAM: &str = include_str!("instructions.lua");

#[test]
fn what_is_dumped_and_loaded_does_the_same() {
    holds(&format!(
        "local program = [==[{PROGRAM}]==]
         local function results(strip)
             local f = assert(load(program))
             if strip ~= nil then f = assert(load(string.dump(f, strip), 'other', 'b')) end
             return table.concat({{f()}}, ' ')
         end
         local expected = results()
         assert(#expected > 20, expected)
         assert(results(false) == expected and results(true) == expected)"
    ));
}

#[test]
fn dumps_are_the_same_again_after_loading() {
    let main = template(PROGRAM.as_bytes());
    for strip in [false, true] {
        let dumped = main.dump(strip);
        let again = Template::undump(&dumped).expect("what the compiler makes passes");
        assert_eq!(again.dump(false), Template::undump(&again.dump(false)).expect("passes").dump(false));
        assert_eq!(again.dump(strip), dumped);
    }
    holds(
        "local f = load('local a = ...; return function() return a, x end')
         local d = string.dump(f)
         assert(string.dump(load(d)) == d and #string.dump(f, true) < #d)",
    );
}

#[test]
fn scripts_of_the_corpus_pass_verification() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../corpus");
    let scripts: Vec<_> = std::fs::read_dir(folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "lua"))
        .collect();
    assert!(scripts.len() > 10);
    for path in scripts {
        let main = template(&std::fs::read(&path).expect("readable"));
        let dumped = main.dump(false);
        let again = Template::undump(&dumped).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(again.code, main.code);
    }
}

#[test]
fn upvalues_are_fresh_and_the_first_one_is_the_environment() {
    holds(
        "local a, b = 1, 2
         local function f() return b, a end
         local g = load(string.dump(f))
         assert(debug.getinfo(g, 'u').nups == 2)
         assert(debug.getupvalue(g, 1) == 'b' and select(2, debug.getupvalue(g, 1)) == _G)
         assert(select(2, debug.getupvalue(g, 2)) == nil)
         assert(debug.upvalueid(f, 1) ~= debug.upvalueid(g, 1))
         assert(load(string.dump(f), 'x', 'b', 'mine')() == 'mine')
         debug.setupvalue(g, 1, 5)
         assert(g() == 5 and f() == 2)
         assert(load(string.dump(function() return 3 end), nil, nil, {})() == 3)",
    );
}

#[test]
fn stripped_functions_have_no_names_and_no_lines() {
    holds(
        "local function stripped(text) return load(string.dump(load(text, '=name'), true), '=other') end
         local function message(text, ...) return select(2, pcall(stripped(text), ...)) end
         assert(message('error(\"x\")') == 'x')
         assert(message('local a = ...; return a.b') == '?:-1: attempt to index a nil value')
         assert(message('return g.x.y') == \"?:-1: attempt to index a nil value (field 'g')\")
         assert(message('local a; return (function() return a.b end)()')
             == \"?:-1: attempt to index a nil value (upvalue '?')\")
         assert(message('local a <close> = 4') == \"?:-1: variable '(temporary)' got a non-closable value\")
         local f = stripped('return debug.getlocal(1, 1)')
         assert(debug.getupvalue(f, 1) == '(no name)')
         local info = debug.getinfo(f, 'SL')
         assert(info.source == '=?' and info.short_src == '?' and next(info.activelines) == nil)
         local kept = load(string.dump(load('return g.x', '=name')), '=other')
         assert(select(2, pcall(kept)) == \"name:1: attempt to index a nil value (global 'g')\")",
    );
}

#[test]
fn chunks_are_refused_with_the_words_of_lua() {
    holds(
        "local function refused(chunk, expected, ...)
             local f, message = load(chunk, ...)
             assert(f == nil and message == expected, message)
         end
         local dump = string.dump(function() end)
         refused(dump, \"attempt to load a binary chunk (mode is 't')\", 'n', 't')
         refused('return 1', \"attempt to load a text chunk (mode is 'b')\", 'n', 'b')
         refused('\\27', 'n: bad binary format (truncated chunk)', '@n')
         refused('\\27Lub', 'n: bad binary format (not a binary chunk)', '=n')
         refused('\\27Lua\\x53', 'binary string: bad binary format (version mismatch)')
         refused('\\27Lua\\x54\\1', 'n: bad binary format (format mismatch)', 'n')
         for i = 1, #dump - 1 do
             refused(dump:sub(1, i), 'n: bad binary format (truncated chunk)', 'n')
         end
         for i = 1, 31 do
             assert(not load(dump:sub(1, i - 1) .. string.char((dump:byte(i) + 1) % 256) .. dump:sub(i + 1)), i)
         end
         assert(load(dump .. 'whatever follows'))
         assert(load(coroutine.wrap(function() for c in dump:gmatch('.') do coroutine.yield(c) end end)))
         assert(select(2, pcall(string.dump, print)) == 'unable to dump given function')
         assert(select(2, pcall(string.dump, 1)):find('function expected, got number', 1, true))",
    );
}

#[test]
fn files_can_hold_binary_chunks_even_below_a_comment() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
    let chunk = template(b"return 'from a file'").dump(true);
    let mut options = Options::default();
    options.system = moonphase_vm::System::Full;
    for (name, start) in [("plain.luac", &b""[..]), ("commented.luac", b"#!lua\n")] {
        let path = folder.join(name);
        std::fs::write(&path, [start, &chunk].concat()).expect("writable");
        let script = format!(
            "local path = [[{}]]
             assert(dofile(path) == 'from a file' and loadfile(path, 'b')() == 'from a file')
             assert(select(2, loadfile(path, 't')) == \"attempt to load a binary chunk (mode is 't')\")",
            path.display()
        );
        let mut vm = Vm::new(options.clone()).expect("the default policy is sound");
        assert_eq!(vm.run(script.as_bytes(), b"=test", &[]), Ok(()), "{name}");
    }
}

#[test]
fn a_function_cannot_replace_itself_through_an_upvalue() {
    let mut main = template(b"local a, b, c = 1, 2; local function f() b = 7; return b end; f(); return f");
    // The call is made from the variable that the function captures.
    let move_to_call = main.code.iter().position(|i| i.opcode() == Opcode::Call).expect("a call");
    let function = main.code[move_to_call - 1].b();
    let code = Rc::make_mut(&mut main.code);
    code[move_to_call - 1] = Instruction::abc(Opcode::Move, 1, function, 0);
    code[move_to_call] = Instruction::abc(Opcode::Call, 1, 1, 1);
    assert_eq!(run_hostile(&main.dump(false)), Ok(()));
}

#[test]
fn counts_that_promise_too_much_cost_nothing() {
    let header = template(b"").dump(true);
    // Everything up to the layout, and then a source that is said to be enormous.
    for promise in [&[0xFF; 9][..], &[0xFF, 0xFF, 0xFF, 0xFF, 0x7F], &[0xFF; 40]] {
        let chunk = [&header[..35], promise].concat();
        assert!(matches!(run_hostile(&chunk), Err(ScriptError::Error(_) | ScriptError::Limit(Limit::Memory))));
    }
}

#[test]
fn functions_are_nested_only_so_deep() {
    let mut main = template(b"local function f() end");
    for _ in 0..300 {
        let mut outer = template(b"local function f() end");
        outer.prototypes[0] = main;
        main = outer;
    }
    let message = Template::undump(&main.dump(true)).expect_err("refused").to_string();
    assert_eq!(message, "functions are nested too deeply");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A few bytes of a chunk are changed. Whatever that makes of it ends by itself or by a limit.
    #[test]
    fn no_change_of_a_chunk_does_harm(
        strip in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut chunk = DUMPS.with(|dumps| dumps[usize::from(strip)].clone());
        for (at, byte) in changes {
            let at = 35 + at.index(chunk.len() - 35);
            chunk[at] = byte;
        }
        let _ = run_hostile(&chunk);
    }
}

thread_local! {
    static DUMPS: [Vec<u8>; 2] = {
        let main = template(PROGRAM.as_bytes());
        [main.dump(false), main.dump(true)]
    };
}
