//! What the parts of this module promise together, checked on many generated scripts and on reference Lua.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use mlua::Lua;
use mutatis::Session;

use super::*;
use crate::language::Language;

const LANGUAGE: Language = Language::LUA_54;

fn script(seed: u64, case: u64) -> Script {
    generate(seed, case, &GeneratorOptions::default())
}

fn text(script: &Script) -> String {
    script.render(&LANGUAGE).text
}

/// A state of reference Lua in which scripts are compiled, but not run.
struct Compiler(Lua);

impl Compiler {
    #[allow(unsafe_code)]
    fn new() -> Self {
        // SAFETY: only trusted text is compiled, and none of it runs.
        Compiler(unsafe { Lua::unsafe_new() })
    }

    fn assert_loads(&self, script: &Script) {
        let text = text(script);
        if let Err(error) = self.0.load(&text).into_function() {
            panic!("{error}\n{text}");
        }
    }
}

/// Runs a script on a fresh reference Lua and returns what it printed, and the error that ended it.
fn run(text: &str) -> (String, Option<String>) {
    // SAFETY: scripts do nothing that `debug` makes unsafe. Of native functions they set the text of an iterator that is not called
    // again, and the coroutine of `coroutine.wrap`, which stays a coroutine.
    #[allow(unsafe_code)]
    let lua = unsafe { Lua::unsafe_new() };
    let printed = Rc::new(RefCell::new(String::new()));
    let sink = Rc::clone(&printed);
    let print = lua
        .create_function(move |lua, values: mlua::Variadic<mlua::Value>| {
            for value in values {
                let value = lua.coerce_string(value.clone())?.map_or(format!("{value:?}"), |s| s.to_string_lossy());
                sink.borrow_mut().push_str(&value);
                sink.borrow_mut().push(' ');
            }
            sink.borrow_mut().push('\n');
            Ok(())
        })
        .unwrap();
    lua.globals().set("print", print).unwrap();
    // The end of a script, and not of the process; and no mode in which this Lua uses what it has freed.
    let prelude = "os.exit = function() error('EXIT', 0) end
        local collect = collectgarbage
        function collectgarbage(option, ...) if option ~= 'generational' then return collect(option, ...) end end";
    lua.load(prelude).exec().unwrap();
    let error = lua.load(text).set_name("=script").exec().err().map(|error| error.to_string());
    let error = error.filter(|error| !error.contains("EXIT"));
    let printed = printed.borrow().clone();
    (printed, error)
}

#[test]
fn ten_thousand_scripts_load_and_contain_every_kind_of_operation() {
    let compiler = Compiler::new();
    let mut statistics = Statistics::default();
    for case in 0..10_000 {
        let script = script(1, case);
        compiler.assert_loads(&script);
        statistics.add(&script);
    }
    for &kind in OpKind::ALL {
        let share = statistics.scripts_with(kind) as f64 / statistics.scripts as f64;
        assert!(share >= 0.01, "{kind} is in {share} of the scripts");
    }
    let average = statistics.operations as f64 / statistics.scripts as f64;
    assert!((20.0..=80.0).contains(&average), "{average} operations a script");
}

/// Texts that stand for one way of an operation that has several.
const WAYS: &[&str] = &[
    // Ways to close upvalues.
    "f = collectgarbage(\"step\", 0)",
    "for i = 1, 2 do\n",
    "goto continue",
    "local guard <close> = setmetatable({}, { __close = function() c",
    "pcall(function(...)",
    "error(\"closed\")\nend)",
    "coroutine.wrap(function()\n  local cfg",
    "coroutine.resume(coroutine.create(function()",
    "pcall(coroutine.wrap(function()",
    "local co = coroutine.create(function()\n",
    "goto again",
    "break\nend",
    "end })\n  return cfg",
    "nil, nil, guard do\n",
    "    break\n  end\n",
    "goto out",
    "pcall(function()\n    for _, cfg",
    "      error(cfg",
    "coroutine.wrap(function()\n    for _, cfg",
    "coroutine.create(function()\n    for _, cfg",
    "  local last <close> = guard",
    "  local last = { guard }",
    // What finalizers do.
    "saved[#saved + 1] = object",
    "object.again = setmetatable(object, getmetatable(object))",
    "if not object.again then saved",
    "state = { object }",
    "debug.setupvalue(get, 1, { object })",
    "debug.upvaluejoin(get, 1, from, 1)",
    "debug.upvaluejoin(new_get, 1, get, 1)",
    "object[i] = { \"a\" .. i }",
    "__gc = function() finalized = finalized + 1 setmetatable({}, {",
    "finalized = finalized + 1 collectgarbage(\"step\", 0) collectgarbage()",
    "error(\"in a finalizer\")",
    "error({ object })",
    "__gc = function() finalized = finalized + 1 error() end",
    "#debug.traceback",
    "pcall(collectgarbage, option)",
    "debug.upvaluejoin(get, 1, get, 2)",
    "__gc = function()\n      for i = 1, 20 do local made = { i } end",
    "__gc = function()\n      collectgarbage(\"generational\")",
    "__gc = function()\n      collectgarbage(\"incremental\")",
    "__gc = function()\n      collectgarbage(\"step\")",
    "__gc = function()\n      collectgarbage()",
    "__gc = function() for i = 1, 20 do local made = { i } end end })\n",
    "__gc = function() collectgarbage(\"generational\") end })\n",
    "__gc = function() collectgarbage(\"incremental\") end })\n",
    "__gc = function() collectgarbage(\"step\") end })\n",
    "__gc = function() collectgarbage() end })\n",
    "__gc = function()\n        ",
    // What coroutines are suspended in, and what becomes of them.
    "= coroutine.create(function()\n  local cfg",
    "  xpcall(function()",
    "(function()\n    local guard <close> = setmetatable({}, { __close = function() c",
    "(function()\n    local guard <close> = setmetatable({}, { __close = function()\n",
    "if done then return end\n      coroutine.yield",
    "coroutine.resume(coroutine.create(function()\n      ",
    "(function()\n    for key in next, { 1 }, nil, setmetatable",
    "co1 = nil",
    "    coroutine.yield()\n    cfg",
    "function() return cfg1 end, 1)",
    "report(coroutine.close(co1))",
    // Calls of coroutines that are not suspended.
    "report(pcall(coroutine.resume, co))",
    "report(pcall(co))",
    "report(pcall(coroutine.close, co))",
    "= coroutine.create(function()  end)\n",
    "= coroutine.create(function() call() end)",
    "= coroutine.create(function() coroutine.wrap(call)() end)",
    // Callbacks.
    "__index = function()\n",
    "__newindex = function()\n",
    "__add = function()\n",
    "__concat = function()\n",
    "__len = function()\n",
    "__eq = function()\n",
    "__lt = function()\n",
    "__call = function()\n",
    "__tostring = function()\n",
    "do local guard <close> = setmetatable({}, { __close = function()\n",
    "table.sort({ 2, 1 }, function(a, b)\n",
    "string.gsub(\"a\", \"a\", function()\n",
    "xpcall(error, function() pcall(function()\n",
    "for _ in function(_, done) if done then return end\n",
    "debug.sethook(function() debug.sethook()\n",
    // Hooks.
    "\"cr\", 0)",
    "\"l\", 0)",
    "\"crl\", 2)",
    "pcall(load(string.dump(",
    // Towers.
    "return 1 + f(n - 1)",
    "f(table.unpack({}, 1, ",
    ":byte(1, -1)",
    "{ __call = f }) end",
    "local large\n",
    "(pcall(f)))",
    "(xpcall(error, function(e)",
    "then watch() end return 1 + f",
    "local kept = { ... } watch()",
    "watch() print(#string.char(",
    "watch() print(f(1))",
    "then watch() end return large",
    // Ends.
    "report(\"closed\", object[1])",
    "report(\"end\", object[1])",
    "os.exit(",
    // Functions of the debug library.
    "pcall(debug.getinfo, ",
    "pcall(debug.getlocal, ",
    "pcall(debug.setlocal, ",
    "pcall(debug.getupvalue, ",
    "pcall(debug.setupvalue, ",
    "pcall(debug.upvalueid, ",
    "pcall(debug.upvaluejoin, ",
    // What fails and is used again.
    "gmatch(\"a\", \"[a\")",
    "(\"a?\"):rep(300)",
    "function()\n    local guard <close> = setmetatable({}, { __close = function() ",
    "(string.gsub(\"abc\"",
    "table.sort(list, f)",
    "utf8.codes(",
    "require, \"broken\"",
    // Chains of ephemerons.
    "setmetatable({ keys[1] }",
    "] = keys[i + 1] end\n  t",
    ", 1, -1 do",
    // Metatables of basic types.
    "debug.setmetatable(nil, {",
    "debug.setmetatable(true, {",
    "debug.setmetatable(0, {",
    "getmetatable(\"\").a, getmetatable(\"\").__call",
    "debug.setmetatable(type, {",
    "debug.setmetatable(coroutine.running(), {",
    "debug.setmetatable(io.stderr, {",
    // What comes late.
    "meta.__index = { a",
    "meta.__newindex = ",
    "meta.__len = ",
    "meta.__eq = ",
    "meta.__mode = ",
    "meta.__gc = ",
    "local native = (\"a\")",
    "local native = coroutine",
    "\"returned\" .. 1",
    "debug.sethook(co, ",
    "00 do pcall(fail) end",
    // Variables with attributes.
    "(function()\n  local kept <const>",
    "(function()\n  local kept <close>",
    "(function()\n  local collectgarbage <const>",
    "load([[\n  local kept <const>",
    "load([[\n  local kept <close>",
    "load([[\n  local collectgarbage <const>",
    // The rest.
    "error(cfg",
    "return cfg1",
    "pieces([[",
    "\"=chunk\", \"t\", t",
    "i % 2 == 0 and i or nil",
    "steps(",
    "finish_marking()\n",
    "collectgarbage(\"generational\"",
    // Readers of chunks.
    "chunk = string.dump(load(chunk))",
    "chunk = string.dump(load(chunk), true)",
    "gsub(\"WIDE\", wide)",
    "reader(chunk, 1",
    ", collectgarbage)",
    "load(reader(chunk, 50)) end",
    ", error)) == nil)",
    "function() return \"\" end)) == nil)",
    "function() end)) == nil)",
    "\"=chunk\", nil, t",
    // Weakness, entries and growth.
    ", { __mode = \"\" })",
    "}, { __mode = \"kv\" }))",
    ").__mode = ",
    ", nil)\nfor _ = 1, ",
    "__mode = \"kv\" })\n",
    "keys[i] = {} end",
    ", true)\n",
    "function(last, i) return last + i end",
    "function(_, i) return \"grown\"",
    "function() return {} end)",
    "collectgarbage(\"generational\")\nfor",
    "collectgarbage(\"incremental\")\nfor",
];

#[test]
fn every_way_of_an_operation_is_in_one_script_of_a_hundred() {
    let mut counts = vec![0; WAYS.len()];
    for case in 0..3_000 {
        let text = text(&script(1, case));
        for (count, way) in counts.iter_mut().zip(WAYS) {
            *count += u32::from(text.contains(way));
        }
    }
    let rare: Vec<_> = WAYS.iter().zip(&counts).filter(|&(_, &count)| count < 30).collect();
    assert!(rare.is_empty(), "of 3000 scripts: {rare:#?}");
}

#[test]
fn scripts_end_without_error_and_print_the_same_every_time() {
    let mut failed = Vec::new();
    let mut silent = 0;
    for case in 0..10_000 {
        let text = text(&script(2, case));
        let (printed, error) = run(&text);
        assert_eq!(run(&text), (printed.clone(), error.clone()), "case {case}");
        assert!(!printed.contains("0x"), "case {case} prints an address:\n{printed}");
        silent += u32::from(printed.is_empty());
        failed.extend(error.map(|error| (case, error)));
    }
    assert!(failed.len() < 10_000 / 20, "{} failed: {failed:#?}", failed.len());
    assert!(silent < 10_000 / 20, "{silent} scripts print nothing");
}

#[test]
fn what_a_script_prints_does_not_depend_on_the_schedule_of_the_collector() {
    const SCHEDULES: [&str; 3] = [
        "collectgarbage = function(o, ...) if o == 'isrunning' or o == nil then return GC(o, ...) end return 0 end",
        "collectgarbage = function(o, ...) if o == 'isrunning' then return true end GC() return GC() end",
        "collectgarbage = function(o, ...) local r = GC(o, ...) for _ = 1, 9 do GC('step', 0) end return r end",
    ];
    for case in 0..500 {
        let options = GeneratorOptions {
            disabled: BTreeSet::from([OpKind::ShowRunning, OpKind::StopCollector]),
            ..GeneratorOptions::default()
        };
        let text = text(&generate(3, case, &options));
        let (expected, _) = run(&format!("local GC = collectgarbage do end\n{text}"));
        for schedule in SCHEDULES {
            let (printed, _) = run(&format!("local GC = collectgarbage {schedule}\n{text}"));
            assert_eq!(printed, expected, "case {case} under {schedule}\n{text}");
        }
    }
}

/// The script with these operations after two tables, of which the second has a weakness that changes.
fn with_a_changing_table(operations: Vec<Operation>) -> String {
    let place = Place::Local;
    let mut body = vec![
        Operation::NewTable(NewTable { id: TableId(1), place, items: Vec::new() }),
        Operation::NewWeakTable(NewWeakTable { id: TableId(2), place, weakness: Weakness::Keys, changes: true }),
    ];
    body.extend(operations);
    let mut script = Script { body };
    script.fixup(Repair::Remove, &LANGUAGE);
    text(&script)
}

#[test]
fn what_a_table_of_changing_weakness_holds_is_fresh_or_stays_to_the_end() {
    let set = |value| Operation::SetField(SetField { table: TableId(2), key: Key::A, value, raw: false });
    let release = Operation::Release(Release { object: Object::Table(TableId(1)) });
    let text = with_a_changing_table(vec![set(Value::Table(TableId(1))), release.clone()]);
    assert!(text.contains("t2.a = t1\n") && !text.contains("t1 = nil"), "{text}");
    let text = with_a_changing_table(vec![set(Value::Record(1)), release]);
    assert!(text.contains("t1 = nil"), "{text}");
    let inner = Operation::NewTable(NewTable { id: TableId(3), place: Place::Local, items: Vec::new() });
    let body = vec![inner, set(Value::Table(TableId(3)))];
    let text = with_a_changing_table(vec![Operation::Loop(Loop { times: 2, body })]);
    assert!(text.contains("t2.a = {}\n"), "{text}");
    let finalizable = NewFinalizable {
        table: Some(TableId(2)),
        key: Key::A,
        as_key: false,
        content: Value::Nil,
        finalizer: Finalizer::Count,
    };
    let text = with_a_changing_table(vec![Operation::NewFinalizable(finalizable)]);
    assert!(!text.contains("t2.a"), "{text}");
}

#[test]
fn a_table_of_changing_weakness_is_neither_counted_nor_linked_by_values() {
    let count = Operation::CountWeak(CountWeak { table: TableId(2) });
    let change = |weakness| {
        Operation::ChangeWeakness(ChangeWeakness { table: TableId(2), weakness, change: WeaknessChange::Fresh })
    };
    let text = with_a_changing_table(vec![change(Some(Weakness::Values)), change(None), count]);
    assert!(!text.contains("survivors") && !text.contains("\"v\"") && text.contains("__mode = \"\""), "{text}");
}

#[test]
fn a_table_that_is_not_weak_gets_its_entries_back() {
    let empty = Operation::EmptyTable(EmptyTable { table: TableId(1), steps: 1, again: false });
    assert!(with_a_changing_table(vec![empty]).contains("empty(t1, 1, true)"));
}

#[test]
fn copies_of_functions_get_globals_and_a_value() {
    let (place, locals) = (Place::Local, vec![Value::Integer(1)]);
    let count = Body { actions: Vec::new(), result: FunctionResult::Count(0) };
    let functions = vec![NewFunction { id: FunctionId(1), place, body: count }];
    let call = |id| Operation::ShowCall(ShowCall { function: FunctionId(id), argument: Value::Nil });
    for strip in [false, true] {
        let (function, value) = (FunctionId(1), Value::Integer(5));
        let mut script = Script {
            body: vec![
                Operation::NewScope(NewScope { open: false, locals: locals.clone(), functions: functions.clone() }),
                Operation::CopyFunction(CopyFunction { id: FunctionId(2), place, function, strip, value }),
                call(2),
                call(1),
                Operation::Show(Show { object: Object::Function(FunctionId(2)) }),
            ],
        };
        script.fixup(Repair::Remove, &LANGUAGE);
        let shown = if strip { "function(no=6)" } else { "function(cfg1=6)" };
        assert_eq!(run(&text(&script)), (format!("6 \n2 \n{shown} \n"), None));
    }
}

#[test]
fn the_same_seed_and_case_give_the_same_script() {
    for case in 0..200 {
        assert_eq!(script(7, case), script(7, case));
    }
    assert_ne!(script(7, 0), script(7, 1));
    assert_ne!(script(7, 0), script(8, 0));
}

#[test]
fn fixup_is_idempotent() {
    for case in 0..3_000 {
        let fixed = script(4, case);
        for repair in [Repair::Replace, Repair::Remove] {
            let mut again = fixed.clone();
            again.fixup(repair, &LANGUAGE);
            assert_eq!(again, fixed, "case {case}, {repair:?}\n{}", text(&fixed));
        }
    }
}

#[test]
fn encoding_round_trips() {
    for case in 0..1_000 {
        let script = script(5, case);
        assert_eq!(Script::decode(&script.encode()), Ok(script));
    }
}

#[test]
fn decoding_damaged_input_gives_an_error_or_a_script_that_fixup_makes_valid() {
    let compiler = Compiler::new();
    let mut session = Session::new().seed(1);
    for case in 0..300 {
        let mut bytes = script(6, case).encode();
        for cut in 0..bytes.len() {
            assert!(Script::decode(&bytes[..cut]).is_err());
        }
        for _ in 0..20 {
            session.mutate(&mut bytes).unwrap();
            bytes.first_mut().into_iter().for_each(|version| *version = FORMAT_VERSION);
            if let Ok(mut script) = Script::decode(&bytes) {
                let _ = text(&script);
                script.fixup(Repair::Replace, &LANGUAGE);
                compiler.assert_loads(&script);
            }
        }
    }
    assert_eq!(Script::decode(&[]), Err(DecodeError::Empty));
    assert_eq!(Script::decode(b"-- text"), Err(DecodeError::Version { found: b'-' }));
    let mut trailing = Script::default().encode();
    trailing.push(0);
    assert_eq!(Script::decode(&trailing), Err(DecodeError::Trailing { extra: 1 }));
}

#[test]
fn decoding_deeply_nested_blocks_is_refused_before_the_stack_is_full() {
    let script = Script { body: vec![Operation::Loop(Loop { times: 1, body: Vec::new() })] };
    let once = script.encode();
    // A loop is its kind, its count and the length of its block; the innermost block has length 0.
    let mut bytes = once[..2].to_vec();
    for _ in 0..100_000 {
        bytes.extend_from_slice(&once[2..4]);
        bytes.push(1);
    }
    assert!(matches!(Script::decode(&bytes), Err(DecodeError::Damaged(_))));
}

#[test]
fn mutated_scripts_are_valid_and_no_kind_of_operation_starves() {
    let compiler = Compiler::new();
    let mut session = Session::new().seed(2);
    let mut statistics = Statistics::default();
    for case in 0..300 {
        let mut script = script(9, case);
        for _ in 0..60 {
            session.mutate(&mut script).unwrap();
            script.fixup(Repair::Replace, &LANGUAGE);
            compiler.assert_loads(&script);
        }
        let (_, error) = run(&text(&script));
        assert_eq!(error, None, "{}", text(&script));
        statistics.add(&script);
    }
    for &kind in OpKind::ALL {
        assert!(statistics.scripts_with(kind) >= 2, "{kind} starves");
    }
}

#[test]
fn children_of_two_scripts_are_valid() {
    let compiler = Compiler::new();
    for case in 0..500 {
        let entropy = u64::wrapping_mul(case, 0x9E37_79B9_7F4A_7C15);
        compiler.assert_loads(&crossover(&script(10, case), &script(11, case), entropy, &LANGUAGE));
    }
}

#[test]
fn reductions_are_valid_and_strictly_cheaper() {
    let compiler = Compiler::new();
    for case in 0..30 {
        let script = script(12, case);
        let cost = script.cost(&LANGUAGE);
        let mut count = 0;
        for reduced in script.reductions(&LANGUAGE) {
            assert!(reduced.cost(&LANGUAGE) < cost);
            compiler.assert_loads(&reduced);
            count += 1;
        }
        assert!(count > 20, "case {case} has {count} reductions");
    }
}

#[test]
fn disabled_kinds_do_not_occur() {
    let options = GeneratorOptions {
        disabled: BTreeSet::from([OpKind::UpvalueJoin, OpKind::NewModule]),
        ..GeneratorOptions::default()
    };
    for case in 0..1_000 {
        let script = generate(14, case, &options);
        script.for_each(&mut |operation| assert!(!options.disabled.contains(&operation.kind())));
        assert!(!text(&script).contains("upvaluejoin"));
    }
}

#[test]
fn every_line_belongs_to_the_operation_that_was_rendered_to_it() {
    for case in 0..200 {
        let rendered = script(15, case).render(&LANGUAGE);
        let lines: Vec<_> = rendered.text.lines().collect();
        for span in &rendered.spans {
            let first = lines[*span.lines.start() as usize - 1];
            match span.kind {
                OpKind::SetUpvalue => assert!(first.contains("debug.setupvalue("), "{first}"),
                OpKind::UpvalueJoin => assert!(first.contains("debug.upvaluejoin("), "{first}"),
                OpKind::FullCollection => assert_eq!(first.trim(), "collectgarbage()"),
                _ => {}
            }
            assert!(rendered.operation_at(*span.lines.start()).is_some());
        }
    }
}

#[test]
fn kinds_are_found_by_their_names() {
    for &kind in OpKind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    assert!("no-such-kind".parse::<OpKind>().is_err());
}
