//! `moonphase trace`: what it tells of the experiments in `corpus/seeds`, and how it takes its words.
//!
//! Each experiment has a golden file of its trace for people, and assertions on the facts in its JSON.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{FAULTY, Ran, SETUPVALUE, Scratch};
use serde_json::Value;

fn seed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/seeds").join(name).with_extension("lua")
}

/// The events of a trace.
struct Events(Vec<Value>);

/// The trace of an experiment under the rules of Lua 5.1: compared with its golden file, and as data.
fn experiment(name: &str) -> Events {
    let path = seed(name);
    let path = path.to_str().unwrap();
    let scratch = Scratch::new();
    let human = scratch.run(&["trace", "--gc", "5.1", path]);
    insta::assert_snapshot!(name, human.assert_quiet(0).stdout);
    let json = scratch.run(&["trace", "--gc", "5.1", "--format", "json", path]);
    Events::read(json.assert_quiet(0))
}

/// The trace of a script.
fn events(script: &str, words: &[&str]) -> Events {
    let scratch = Scratch::new();
    scratch.write("test.lua", script);
    let ran = scratch.run(&[&["trace", "test.lua", "--format", "json"][..], words].concat());
    Events::read(&ran)
}

impl Events {
    fn read(ran: &Ran) -> Events {
        Events(ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// The events of these kinds, in order.
    fn of<'a>(&'a self, kinds: &'a [&str]) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |event| kinds.contains(&text(event, "event")))
    }

    /// The events that happened to an object, as `kind cycle`, where kind is `from>to` for changes of colour.
    fn life(&self, object: &str) -> Vec<String> {
        let kinds = ["allocate", "mark", "blacken", "gray-again", "whiten", "free"];
        let own = self.of(&kinds).filter(|event| short(event, "object") == object);
        own.map(|event| match text(event, "event") {
            kind @ ("allocate" | "free") => format!("{kind} {}", event["cycle"]),
            _ => format!("{}>{} {}", text(event, "from"), text(event, "to"), event["cycle"]),
        })
        .collect()
    }

    /// Prototypes with the ones that they are nested in.
    fn nesting(&self) -> Vec<(&str, &str)> {
        let prototypes = self.of(&["allocate"]).filter(|event| text(event, "object").starts_with("prototype"));
        prototypes.map(|event| (text(event, "object"), text(event, "parent"))).collect()
    }

    /// Closures with their prototypes.
    fn closures(&self) -> Vec<(&str, &str)> {
        let closures = self.of(&["allocate"]).filter(|event| text(event, "object").starts_with("closure"));
        closures.map(|event| (short(event, "object"), short(event, "prototype"))).collect()
    }

    /// Captures: closure, variable, where from, upvalue.
    fn captures(&self) -> Vec<[&str; 4]> {
        let fields = ["object", "variable", "from", "upvalue"];
        self.of(&["capture"]).map(|event| fields.map(|field| short(event, field))).collect()
    }

    /// What happened in these kinds of events, in order: `kind object`, or `print text`.
    fn order<'a>(&'a self, kinds: &'a [&str]) -> Vec<String> {
        let what = |event: &&Value| match text(event, "event") {
            "print" => format!("print {}", text(event, "text")),
            "link" if event["found"] == true => format!("found {}", short(event, "object")),
            kind => format!("{kind} {}", short(event, "object")),
        };
        self.of(kinds).map(|event| what(&event)).collect()
    }

    /// The one event of a kind that an object had.
    #[track_caller]
    fn one(&self, kind: &str, object: &str) -> &Value {
        let is_it = |event: &&Value| text(event, "event") == kind && short(event, "object") == object;
        let found: Vec<_> = self.0.iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{kind} {object}: {found:?}");
        found[0]
    }
}

fn text<'a>(event: &'a Value, field: &str) -> &'a str {
    event[field].as_str().unwrap_or("")
}

/// A name without its place.
fn short<'a>(event: &'a Value, field: &str) -> &'a str {
    text(event, field).split(" (").next().unwrap()
}

fn names(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().split(" (").next().unwrap()).collect()
}

const UPVALUES: &[&str] = &["open", "link", "close", "return", "print"];

#[test]
fn closure_creation_one() {
    let events = experiment("closure-creation-one");
    let main = "prototype main#1 (closure-creation-one.lua)";
    let one = "prototype M.one#1 (closure-creation-one.lua:14)";
    let two = "prototype M.two#1 (closure-creation-one.lua:18)";
    assert_eq!(events.nesting(), [(main, ""), (one, main), (two, main)]);
    let closures = [
        ("closure main#1", "prototype main#1"),
        ("closure M.one#1", "prototype M.one#1"),
        ("closure M.two#1", "prototype M.two#1"),
    ];
    assert_eq!(events.closures(), closures);
    // The closure that executes is that of the chunk, and no other.
    assert_eq!(events.order(&["call"]), ["call closure main#1"]);
    let (one, two) = ("closure M.one#1", "closure M.two#1");
    let captures = [
        [one, "first", "stack", "upvalue first#1"],
        [two, "first", "stack", "upvalue first#1"],
        [two, "second", "stack", "upvalue second#1"],
    ];
    assert_eq!(events.captures(), captures);
    let order = [
        "open upvalue first#1",
        "link upvalue first#1",
        "found upvalue first#1",
        "open upvalue second#1",
        "link upvalue second#1",
        "print made both",
        "close upvalue second#1",
        "close upvalue first#1",
        "return closure main#1",
    ];
    assert_eq!(events.order(UPVALUES), order);
    let linked = events.one("link", "upvalue second#1");
    assert_eq!(names(&linked["open"]), ["upvalue second#1", "upvalue first#1"], "innermost first");
}

#[test]
fn closure_creation_two() {
    let events = experiment("closure-creation-two");
    let main = "prototype main#1 (closure-creation-two.lua)";
    let outer = "prototype M.outer#1 (closure-creation-two.lua:13)";
    let inner = "prototype inner#1 (closure-creation-two.lua:16)";
    assert_eq!(events.nesting(), [(main, ""), (outer, main), (inner, outer)]);
    let calls = events.order(&["call", "return", "print"]);
    let order = [
        "call closure main#1",
        "call closure M.outer#1",
        "print in outer",
        "return closure M.outer#1",
        "print back in the chunk",
        "return closure main#1",
    ];
    assert_eq!(calls, order);
    let (outer, inner) = ("closure M.outer#1", "closure inner#1");
    let captures = [
        [outer, "shared", "stack", "upvalue shared#1"],
        [inner, "shared", "enclosing", "upvalue shared#1"],
        [inner, "own", "stack", "upvalue own#1"],
    ];
    assert_eq!(events.captures(), captures);
    let through = events.of(&["capture"]).find(|event| text(event, "from") == "enclosing").unwrap();
    assert_eq!(short(through, "enclosing"), outer);
    // `_ENV`, by which the enclosing function prints, is the first one there.
    assert_eq!(through["enclosing_index"], 2);
    let order = [
        "open upvalue shared#1",
        "link upvalue shared#1",
        "print in outer",
        "open upvalue own#1",
        "link upvalue own#1",
        "close upvalue own#1",
        "return closure M.outer#1",
        "print back in the chunk",
        "close upvalue shared#1",
        "return closure main#1",
    ];
    assert_eq!(events.order(UPVALUES), order);
}

#[test]
fn closure_marking_one() {
    let events = experiment("closure-marking-one");
    assert_eq!(events.life("closure M.dropped#1"), ["allocate 0", "free 1"]);
    assert_eq!(text(events.one("allocate", "closure M.dropped#1"), "colour"), "white");
    assert!(text(events.one("free", "closure M.dropped#1"), "phase").starts_with("sweep"));
    // What made it is still used by the chunk.
    assert_eq!(events.life("prototype M.dropped#1"), ["allocate 0", "white>gray 1", "gray>black 1", "black>white 1"]);
    let order = events.order(&["free", "print"]);
    assert_eq!(order.first().map(String::as_str), Some("free closure M.dropped#1"));
    assert_eq!(order.last().map(String::as_str), Some("print collected"));
}

#[test]
fn closure_marking_two() {
    let events = experiment("closure-marking-two");
    assert_eq!(events.life("closure kept#1"), ["allocate 0", "white>gray 1", "gray>black 1", "black>white 1"]);
    assert_eq!(text(events.one("allocate", "closure kept#1"), "colour"), "white");
    assert_eq!(text(events.one("mark", "closure kept#1"), "by"), "thread main#1");
    assert!(text(events.one("whiten", "closure kept#1"), "phase").starts_with("sweep"));
    let cycles: Vec<_> = events.of(&["cycle"]).map(|event| (text(event, "edge"), event["cycle"].as_u64())).collect();
    assert_eq!(cycles, [("begin", Some(1)), ("end", Some(1))]);
}

#[test]
fn closure_marking_three() {
    let events = experiment("closure-marking-three");
    let life = ["allocate 0", "white>gray 1", "gray>black 1", "black>white 1", "free 2"];
    assert_eq!(events.life("closure M.dropped#1"), life);
    assert_eq!(short(events.one("mark", "closure M.dropped#1"), "by"), "table M#1");
}

#[test]
fn upvalue_one() {
    let events = experiment("upvalue-one");
    let upvalue = "upvalue held#1";
    let kinds = ["allocate", "open", "link", "close"];
    let own: Vec<_> = events.of(&kinds).filter(|event| text(event, "object") == upvalue).collect();
    assert_eq!(own.iter().map(|event| text(event, "event")).collect::<Vec<_>>(), kinds);
    let [allocate, open, link, close] = own[..] else { unreachable!() };
    assert_eq!(text(allocate, "colour"), "white");
    assert_eq!(text(open, "thread"), "thread main#1");
    assert_eq!((&link["found"], names(&link["open"])), (&Value::Bool(false), vec![upvalue]));
    assert_eq!(short(close, "value"), "table held#1");
    let order = events.order(&["print", "close", "return"]);
    assert_eq!(order, ["print made the reader", "close upvalue held#1", "return closure main#1"]);
}

#[test]
fn upvalue_two() {
    let events = experiment("upvalue-two");
    // Closure to upvalue: the traversal of the closure meets both.
    let reader = events.one("blacken", "closure M.reader#1");
    assert_eq!(names(&reader["refers"]), ["prototype M.reader#1", "upvalue open#1", "upvalue closed#1"]);
    // Upvalue to object.
    let closed = events.one("mark", "upvalue closed#1");
    assert_eq!((short(closed, "by"), text(closed, "to")), ("closure M.reader#1", "black"));
    assert_eq!(names(&closed["refers"]), ["table closed#1"]);
    let open = events.one("mark", "upvalue open#1");
    assert_eq!(text(open, "to"), "gray", "an open upvalue is never black");
    assert_eq!(names(&open["refers"]), ["table open#1"]);
    assert_eq!(text(events.one("mark", "table closed#1"), "by"), "upvalue closed#1");
    assert_eq!(short(events.one("mark", "table open#1"), "by"), "thread main#1", "it is on the stack as well");
    for table in ["table open#1", "table closed#1"] {
        assert_eq!(events.life(table), ["allocate 0", "white>gray 1", "gray>black 1", "black>white 1"]);
    }
    let closes = events.order(&["close", "print"]);
    assert_eq!(closes, ["close upvalue closed#1", "print collected", "close upvalue open#1"]);
}

#[test]
fn a_closure_made_after_its_outer_function_returned_gets_its_upvalue_through_the_enclosing_closure() {
    let events = experiment("late-closure");
    let late = events.of(&["capture"]).find(|event| short(event, "object") == "closure late#1").unwrap();
    assert_eq!(text(late, "from"), "enclosing");
    assert_eq!(short(late, "enclosing"), "closure make#1");
    assert_eq!(text(late, "upvalue"), "upvalue data#1");
    let make = events.of(&["capture"]).find(|event| short(event, "object") == "closure make#1").unwrap();
    assert_eq!((text(make, "from"), text(make, "upvalue")), ("stack", "upvalue data#1"));
    // By then it has long been closed, and it is not opened again.
    let order = events.order(&["open", "close", "return", "capture", "print"]);
    let expected = [
        "open upvalue data#1",
        "capture closure make#1",
        "close upvalue data#1",
        "return closure outer#1",
        "print outer has returned",
        "capture closure late#1",
        "return closure make#1",
        "return closure late#1",
        "print table",
        "return closure main#1",
    ];
    assert_eq!(order, expected);
}

#[test]
fn the_experiments_do_what_their_headers_say() {
    let folder = seed("x").parent().unwrap().to_owned();
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let paths: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    assert_eq!(paths.len(), 8);
    let ran = Scratch::new().run(&[&["check", "--expect"][..], &paths].concat());
    let expected: String = paths.iter().map(|path| format!("{path}: as expected\n")).collect();
    assert_eq!(ran.assert_quiet(0).stdout, expected);
}

#[test]
fn objects_are_named_as_the_script_names_them() {
    let script = "collectgarbage('stop')
        local Account = { list = {} }
        function Account:new() return setmetatable({}, self) end
        function Account.close() end
        local a, b = Account:new(), Account:new()
        local co = coroutine.create(print)
        print(function() end)
        local s = 'two' .. tostring(Account.nothing)";
    let events = events(script, &["--events", "allocate"]);
    let objects: Vec<&str> = events.0.iter().map(|event| text(event, "object")).collect();
    for name in [
        "table Account#1 (test.lua:2)",
        "table Account.list#1 (test.lua:2)",
        "closure Account:new#1 (test.lua:3)",
        "closure Account.close#1 (test.lua:4)",
        "table#1 (test.lua:3)",
        "table#2 (test.lua:3)",
        "thread co#1 (test.lua:6)",
        "closure anonymous#1 (test.lua:7)",
    ] {
        assert!(objects.contains(&name), "{name} is not in {objects:#?}");
    }
    assert!(objects.iter().any(|name| name.starts_with("string \"twonil\"#")));
    assert!(!objects.iter().any(|name| name.contains("\"list\"")), "a constant of the compiler");
}

#[test]
fn joining_finalizing_and_barriers_are_told() {
    let script = "collectgarbage('incremental', 100, 100, 1) collectgarbage('stop')
        local x, y = {}, {}
        local f, g = function() return x end, function() return y end
        debug.upvaluejoin(f, 1, g, 1)
        setmetatable({}, { __gc = function() print('gone') end })
        collectgarbage()
        for _ = 1, 100 do collectgarbage('step') x[1] = {} end";
    let events = events(script, &[]);
    let join = events.one("join", "closure f#1");
    assert_eq!((text(join, "old"), text(join, "new")), ("upvalue x#1", "upvalue y#1"));
    let finalize = events.of(&["finalize"]).next().unwrap();
    assert!(finalize["cycle"].as_u64() >= Some(1), "{finalize}");
    let order = events.order(&["finalize", "print"]);
    assert_eq!(order, [format!("finalize {}", short(finalize, "object")), "print gone".to_owned()]);
    let barrier = events.of(&["barrier"]).find(|event| short(event, "object") == "table x#1").unwrap();
    assert_eq!((text(barrier, "direction"), text(barrier, "colour")), ("backward", "gray"));
}

#[test]
fn words_narrow_what_is_shown() {
    let script = "local t = {} local f = function() return t end collectgarbage() print(f() == t)";
    let kinds = |words: &[&str]| {
        let mut kinds: Vec<String> =
            events(script, words).0.iter().map(|event| text(event, "event").to_owned()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds(&["--events", "open,close"]), ["close", "end", "open"]);
    let all = kinds(&["--only", "all", "--events", "all"]);
    for kind in ["step", "store", "idle-barrier", "gray-again"] {
        assert!(all.iter().any(|it| it == kind), "no {kind}");
        assert!(!kinds(&[]).iter().any(|it| it == kind), "{kind} is not usual");
    }
    let closures = events(script, &["--only", "closure", "--events", "mark"]);
    assert!(closures.0.iter().rev().skip(1).all(|event| text(event, "object").starts_with("closure ")));
    for name in ["f", "closure f", "f#1", "closure f#1", "closure f#1 (test.lua:1)"] {
        let own = events(script, &["--object", name]);
        let others = own.0.iter().filter(|event| text(event, "event") != "end" && !event.to_string().contains(" f#1"));
        assert_eq!((others.count(), own.0.len() > 5), (0, true), "{name}");
    }
}

#[test]
fn a_word_that_names_nothing_is_refused_and_an_object_that_never_was_is_noted() {
    let scratch = Scratch::new();
    scratch.write("test.lua", "local table = {}");
    scratch.run(&["trace", "test.lua", "--only", "closures"]).assert_refused(&["'closures'", "known: all, closure"]);
    scratch.run(&["trace", "test.lua", "--events", "mark,died"]).assert_refused(&["'died'", "allocate", "free"]);
    scratch.run(&["trace", "missing.lua"]).assert_refused(&["missing.lua"]);
    let ran = scratch.run(&["trace", "test.lua", "--object", "tabel"]);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("'tabel'") && ran.stderr.contains("table table"), "{}", ran.stderr);
    assert_eq!(ran.stderr.lines().count(), 1);
}

#[test]
fn the_last_line_says_how_the_script_ended() {
    let last = |script: &str| {
        let scratch = Scratch::new();
        scratch.write("test.lua", script);
        let ran = scratch.run(&["trace", "test.lua"]);
        assert_eq!(ran.stderr, "");
        let words = ran.stdout.lines().last().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        (ran.code, words)
    };
    assert_eq!(last("print(1)"), (0, "end the script ran to its end".to_owned()));
    assert_eq!(last("error('no')"), (1, "end error: test.lua:1: no".to_owned()));
    assert_eq!(last("x ="), (1, "end error: test.lua:1: unexpected symbol near <eof>".to_owned()));
    // The fault of Lua 5.1; where nothing is checked the collector meets a freed table.
    let double = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus/double-reload.lua")).unwrap();
    let violation = "end violation: black-to-white setupvalue upvalue->table";
    assert_eq!(last(&double), (1, violation.to_owned()));
    let dangling = double.replacen("check=barrier", "check=off", 1);
    assert_eq!(last(&dangling), (1, "end dangling: a freed object is in use".to_owned()));
}

#[test]
fn what_the_script_prints_is_told_apart_from_the_trace() {
    let script = "io.write('one ', 'line\\n') print('end\\27[31m') io.write('rest')";
    let lines = |events: Events| events.of(&["print"]).map(|event| text(event, "text").to_owned()).collect::<Vec<_>>();
    assert_eq!(lines(events(script, &[])), ["one line", "end\u{1b}[31m", "rest"]);
    let scratch = Scratch::new();
    scratch.write("test.lua", script);
    let ran = scratch.run(&["trace", "test.lua"]);
    let printed: Vec<_> = ran.stdout.lines().filter(|line| line.contains(" print ")).collect();
    assert!(printed[0].contains("> one line"), "{printed:?}");
    assert!(printed[1].contains("> end\\u{1b}[31m"), "no escape reaches a terminal: {printed:?}");
    assert!(printed[2].contains("> rest"), "{printed:?}");
}

#[test]
fn a_reader_that_goes_away_ends_an_endless_trace_quietly() {
    let scratch = Scratch::new();
    scratch.write("test.lua", "while true do local t = {} end");
    let mut running = scratch.start(&["trace", "test.lua"]);
    for _ in 0..1000 {
        running.line().unwrap();
    }
    running.close_output();
    let ran = running.finish();
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
}

#[test]
fn a_violation_is_told_where_it_happens() {
    let scratch = Scratch::new();
    scratch.write("test.lua", FAULTY);
    let ran = scratch.run(&["trace", "--events", "store", "--format", "json", "test.lua"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (1, ""));
    let events = Events::read(&ran);
    let [.., store, violation, end] = &events.0[..] else { panic!("{events:?}", events = events.0) };
    assert_eq!((text(store, "event"), text(store, "site")), ("store", "setupvalue"));
    assert_eq!((text(violation, "event"), text(violation, "signature")), ("violation", SETUPVALUE));
    assert_eq!((&violation["number"], &violation["line"]), (&store["number"], &store["line"]));
    assert_eq!((&violation["holder"], &violation["object"]), (&store["object"], &store["new"]));
    assert_eq!((text(end, "how"), text(end, "message")), ("violation", SETUPVALUE));
    // The script comes from a pipe as well.
    let ran = scratch.run_with_input(&["trace", "-"], FAULTY);
    let told = ran.stdout.lines().any(|line| line.contains(" violation ") && line.contains(SETUPVALUE));
    assert!(ran.code == 1 && told, "{}", ran.stdout);
}

#[test]
fn weak_references_and_ages_are_told() {
    let script = "collectgarbage('incremental') collectgarbage('stop')
        local kept = {}
        local weak = setmetatable({ {}, x = kept }, { __mode = 'v' })
        collectgarbage()
        collectgarbage('generational')
        local young = {}
        collectgarbage('step')
        collectgarbage('step')";
    let events = events(script, &[]);
    let weak = events.of(&["blacken"]).find(|event| short(event, "object") == "table weak#1").unwrap();
    assert!(names(&weak["weakly"]).contains(&"table kept#1"), "{weak}");
    let clear = events.of(&["clear"]).next().unwrap();
    assert!(short(clear, "object") == "table weak#1" && text(clear, "value").starts_with("table"), "{clear}");
    let ages: Vec<String> = events
        .of(&["age"])
        .filter(|event| short(event, "object") == "table young#1")
        .map(|event| format!("{}>{}", text(event, "from"), text(event, "to")))
        .collect();
    // The end of the program ends generational mode, too.
    assert_eq!(ages, ["new>survival", "survival>old1", "old1>new"]);
}

#[test]
fn a_long_trace_is_cut_in_its_middle_and_says_so() {
    let scratch = Scratch::new();
    scratch.write("test.lua", "local t = {} for i = 1, 2000 do t[i] = {} end print('here')");
    let ran = scratch.run(&["trace", "--limit", "50", "test.lua"]);
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 50 + 1 + 200));
    assert!(ran.stdout.lines().nth(50).unwrap().contains(" lines are left out here; --limit all"), "{}", ran.stdout);
    assert!(ran.stdout.contains("> here") && ran.stderr.contains(" lines were left out (--limit all "), "{ran:?}");
    let all = scratch.run(&["trace", "--limit", "all", "test.lua"]);
    let left_out: usize = ran.stderr.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(all.assert_quiet(0).stdout.lines().count(), 250 + left_out);
    scratch.run(&["trace", "--limit", "some", "test.lua"]).assert_refused(&["'some' is neither a number of lines"]);
    // A script without an end is stopped some time.
    scratch.write("endless.lua", "while true do local t = {} end");
    let ran = scratch.run(&["trace", "--limit", "50", "endless.lua"]);
    assert!(
        ran.code == 1 && ran.stdout.ends_with("limit: too many lines are left out; --limit all goes on\n"),
        "{ran:?}"
    );
}

#[test]
fn two_traces_of_a_script_are_equal() {
    let scratch = Scratch::new();
    let path = seed("upvalue-two");
    let words = ["trace", "--only", "all", "--events", "all", path.to_str().unwrap()];
    assert_eq!(scratch.run(&words).assert_quiet(0).stdout, scratch.run(&words).assert_quiet(0).stdout);
}
