//! The stock engines: what they run, what is told of it, and that their heaps are sound.
#![cfg(target_os = "linux")]

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::process::Command;

use moonphase_heap::{Heap, Kind, ListName, Names, Phase};
use moonphase_invariants::{Checker, Level};
use moonphase_probe::{End, Moment, MomentKind, ProbedHeap, ProbedLua, ProbedObject, Script, Stock};

fn script(source: &str) -> Script<'_> {
    Script {
        source: source.as_bytes(),
        chunk_name: "@case.lua",
        prelude: "",
        memory_limit: 64 << 20,
        output_limit: 1 << 20,
        now: 0,
        ticks: true,
        collects: true,
    }
}

/// What a script prints where nobody interferes.
fn printed(lua: &ProbedLua, source: &str, ticks: bool) -> String {
    let ran = lua.run(&Script { ticks, ..script(source) }, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(ran.end, End::Returned, "{source}");
    String::from_utf8(ran.output).unwrap()
}

fn engines() -> Vec<ProbedLua> {
    Stock::ALL.into_iter().map(|stock| ProbedLua::stock(stock).unwrap()).collect()
}

/// Does some of all that scripts do to a collector, in the language that both versions have.
const BUSY: &str = r#"
    collectgarbage("setpause", 100)
    collectgarbage("setstepmul", 100)
    local unpack = unpack or table.unpack
    local weak = setmetatable({}, { __mode = "k" })
    local held = {}
    for i = 1, 60 do
      local x = { i }
      held[i % 7 + 1] = function(v) x = { v, x } return x end
      weak[{}] = { held[i % 7 + 1] }
      weak[x] = tostring(i) .. "value"
      if i % 9 == 0 then collectgarbage("step", 0) end
    end
    local co = coroutine.wrap(function(...)
      local y = { ... }
      local function f() return y end
      while true do y = { coroutine.yield(f), y } end
    end)
    for i = 1, 20 do held[i % 7 + 1](co(i)) end
    local chunks = { (loadstring or load)("local a, b = {}, 'text' return function() return a, b, c end") }
    for i = 1, 10 do held[1 + i % 7] = chunks[1]() end
    local proxy = newproxy and newproxy(true) or setmetatable({}, {})
    getmetatable(proxy).__gc = function(object) held.last = { object } end
    if not newproxy then setmetatable(proxy, getmetatable(proxy)) end
    proxy = nil
    collectgarbage()
    for i = 1, 30 do held[i] = { unpack(held, 1, 3) } end
    print(#held, held.last ~= nil, pcall(error, "x"))
"#;

#[test]
fn they_run_scripts_of_their_language_and_say_who_they_are() {
    let told: Vec<_> =
        engines().iter().map(|lua| (lua.release(), printed(lua, "print(_VERSION, ...)", true))).collect();
    let expected = [("Lua 5.1.5", "Lua 5.1\n"), ("Lua 5.4.8", "Lua 5.4\n")];
    assert_eq!(told, expected.map(|(release, printed)| (release.to_owned(), printed.to_owned())));
    for lua in engines() {
        let ran = |source| lua.run(&script(source), &mut |_| ControlFlow::Continue(())).unwrap().end;
        assert_eq!(ran("error('oh', 0)"), End::Error(b"oh".to_vec()));
        assert_eq!(ran("x = = 1"), End::Error(b"case.lua:1: unexpected symbol near '='".to_vec()));
        assert_eq!(ran("os.exit(3)"), End::Exit(3));
        assert_eq!(ran("while true do io.write('text') end"), End::OutputFull);
        assert_eq!(ran("local t = {} for i = 1, 1e9 do t[i] = {} end"), End::Error(b"not enough memory".to_vec()));
    }
}

#[test]
fn the_heap_of_a_script_is_sound_before_every_instruction() {
    for lua in engines() {
        let mut checker = Checker::new(Level::Full);
        let mut looks = 0;
        let ran = lua.run(&script(BUSY), &mut |moment| {
            if !matches!(moment.kind, MomentKind::Tick | MomentKind::Ended) {
                return ControlFlow::Continue(());
            }
            looks += 1;
            assert!(!moment.is_suspicious(false));
            if checker.look(moment.look()).is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(checker.violation().map(ToString::to_string), None, "{}", lua.release());
        assert_eq!((ran.unwrap().end, looks > 1000), (End::Returned, true));
    }
}

#[test]
fn what_a_script_prints_does_not_depend_on_the_ticks() {
    for lua in engines() {
        assert_eq!(printed(&lua, BUSY, true), printed(&lua, BUSY, false));
    }
}

#[test]
fn ticks_come_inside_finalizers_hooks_and_coroutines() {
    const SOURCE: &str = "local function mark()
        local a = 1 -- line 2
      end
      local proxy = newproxy and newproxy(true) or setmetatable({}, {})
      getmetatable(proxy).__gc = function()
        local b = 1 -- line 6
      end
      if not newproxy then setmetatable(proxy, getmetatable(proxy)) end
      proxy = nil
      collectgarbage()
      debug.sethook(function()
        local c = 1 -- line 12
      end, 'c')
      mark()
      debug.sethook()
      coroutine.wrap(function()
        local d = 1 -- line 17
      end)()";
    for lua in engines() {
        let mut lines = Vec::new();
        let end = lua.run(&script(SOURCE), &mut |moment| {
            lines.extend(moment.look().location().map(|location| location.line));
            ControlFlow::Continue(())
        });
        assert_eq!(end.unwrap().end, End::Returned);
        for line in [2, 6, 12, 17] {
            assert!(lines.contains(&line), "{}: line {line}", lua.release());
        }
    }
}

#[test]
fn a_scripts_own_hooks_are_called_and_seen_as_without_ticks() {
    const SOURCE: &str = "local counts, lines = 0, {}
      print(debug.gethook())
      debug.sethook(function() counts = counts + 1 end, '', 10)
      for i = 1, 100 do local x = i * 2 end
      print(select(2, debug.gethook()), select(3, debug.gethook()))
      local co = coroutine.create(function() for i = 1, 100 do local x = i * 2 end end)
      coroutine.resume(co)
      debug.sethook()
      print(counts, debug.gethook())
      debug.sethook(function(event, line) lines[#lines + 1] = line end, 'l')
      local a = 1
      local b = 2
      debug.sethook()
      print(table.concat(lines, ' '))";
    for lua in engines() {
        assert_eq!(printed(&lua, SOURCE, true), printed(&lua, SOURCE, false), "{}", lua.release());
    }
}

/// What a checker says of the heap when it was damaged at a tick after which `damage` has found something to damage.
fn damaged(lua: &ProbedLua, source: &str, damage: impl Fn(&Moment<'_>, ProbedHeap<'_>) -> bool) -> String {
    let mut said = None;
    let _ = lua.run(&script(source), &mut |moment| {
        let mut checker = Checker::new(Level::Full);
        if moment.kind != MomentKind::Tick || !damage(moment, moment.look()) {
            return ControlFlow::Continue(());
        }
        said = Some(checker.look(moment.look()).map(|violation| violation.invariant.name().to_owned()));
        ControlFlow::Break(())
    });
    said.expect("something to damage").unwrap_or_else(|| "nothing".to_owned())
}

/// The first object of a list that `is_it`.
fn find(heap: ProbedHeap<'_>, is_it: impl Fn(ProbedObject) -> bool) -> Option<ProbedObject> {
    heap.list(ListName::All).find(|&object| is_it(object))
}

/// Sets the marks of an object to what `colour` gives for those of a version.
fn paint(lua: &ProbedLua, heap: ProbedHeap<'_>, object: ProbedObject, black: bool) {
    let (whites, bit) = if lua.version() == 501 { (0b11, 1 << 2) } else { (0b11 << 3, 1 << 5) };
    let marks = heap.raw_marks(object) & !(whites | bit) | if black { bit } else { 0 };
    heap.set_marks(object, marks);
}

/// Steps, so that the collector comes to rest in the middle of marking.
const STEPS: &str = "collectgarbage('setstepmul', 1) collectgarbage('setpause', 1000)
    local t = {} for i = 1, 300 do t[i] = { {} } end
    for i = 1, 400 do collectgarbage('step', 0) local x = { t } end";

#[test]
fn a_black_table_that_refers_to_a_white_one_is_seen() {
    for lua in engines() {
        let said = damaged(&lua, STEPS, |moment, heap| {
            let white_child = |object| {
                let mut found = false;
                heap.references(object, |edge| {
                    found |= heap.is_white(edge.target) && heap.kind(edge.target) == Kind::Table
                });
                found
            };
            let holder =
                find(heap, |object| heap.kind(object) == Kind::Table && heap.is_white(object) && white_child(object));
            let Some(holder) = holder.filter(|_| moment.phase() == Phase::Propagate) else { return false };
            paint(&lua, heap, holder, true);
            assert!(moment.is_suspicious(true));
            true
        });
        assert_eq!(said, "black-to-white", "{}", lua.release());
    }
}

#[test]
fn a_gray_table_on_no_list_is_seen() {
    for lua in engines() {
        let said = damaged(&lua, STEPS, |moment, heap| {
            let table = find(heap, |object| heap.kind(object) == Kind::Table && heap.is_white(object));
            let Some(table) = table.filter(|_| moment.phase() == Phase::Propagate) else { return false };
            paint(&lua, heap, table, false);
            true
        });
        assert_eq!(said, "gray-lists", "{}", lua.release());
    }
}

#[test]
fn a_black_table_between_two_cycles_is_seen() {
    for lua in engines() {
        let said = damaged(&lua, "collectgarbage() local t = {} local u = t", |moment, heap| {
            let table = find(heap, |object| heap.kind(object) == Kind::Table);
            let Some(table) = table.filter(|_| moment.phase() == Phase::Pause && moment.number() >= 3) else {
                return false;
            };
            paint(&lua, heap, table, true);
            true
        });
        assert_eq!(said, "pause-white", "{}", lua.release());
    }
}

#[test]
fn the_founding_bug_is_in_stock_51_and_in_no_other() {
    // Two closures share an upvalue that is black; `setupvalue` of 5.1 gives its barrier the closure, which is white.
    const SOURCE: &str = "local f, g
        do local x f = function() return x end g = function() return x end end
        collectgarbage('setstepmul', 1)
        for _ = 1, 400 do collectgarbage('step', 0) debug.setupvalue(f, 1, {}) debug.setupvalue(g, 1, {}) end";
    let engines = engines();
    let found = engines.iter().map(|lua| {
        let mut checker = Checker::new(Level::Barrier);
        let _ = lua.run(&script(SOURCE), &mut |moment| {
            if moment.kind == MomentKind::Tick && checker.look(moment.look()).is_some() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        checker.into_violation().map(|violation| violation.signature())
    });
    assert_eq!(found.collect::<Vec<_>>(), [Some("black-to-white upvalue->table".to_owned()), None]);
}

/// Says to a process of this test that it is to print what its runs come to.
const CHILD: &str = "MOONPHASE_PRINTS_RUNS";

#[test]
fn runs_are_the_same_to_the_address_in_every_process() {
    if std::env::var_os(CHILD).is_some() {
        for lua in engines() {
            let mut hasher = DefaultHasher::new();
            let mut told = 0_u64;
            let ran = lua.run(&script(BUSY), &mut |moment| {
                told += 1;
                if told.is_multiple_of(100) {
                    moment.look().fingerprint().hash(&mut hasher);
                }
                ControlFlow::Continue(())
            });
            ran.unwrap().output.hash(&mut hasher);
            println!("run {told} {:016x}", hasher.finish());
        }
        return;
    }
    let runs = |padding: usize| {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "runs_are_the_same_to_the_address_in_every_process", "--nocapture"])
            .env(CHILD, "x".repeat(padding))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().filter(|line| line.starts_with("run ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let first = runs(1);
    assert_eq!(first.len(), Stock::ALL.len());
    for padding in [100, 1000, 5000, 10_000, 20_000, 30_000, 40_000] {
        assert_eq!(runs(padding), first);
    }
}
