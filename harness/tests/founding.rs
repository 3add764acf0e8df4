//! The founding bug, where it happened: Lua 5.1.5 with `upvaluejoin` ported to it, given as a folder with its C sources.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::Scratch;
use moonphase_probe::Stock;
use serde_json::Value;

/// What the port adds to the C API.
const API: &str = "
static UpVal **upvalue_at (lua_State *L, int function, int n) {
  return &clvalue(index2adr(L, function))->l.upvals[n - 1];
}

LUA_API void *lua_upvalueid (lua_State *L, int function, int n) {
  return *upvalue_at(L, function, n);
}

LUA_API void lua_upvaluejoin (lua_State *L, int to, int n, int from, int m) {
  UpVal **place = upvalue_at(L, to, n);
  *place = *upvalue_at(L, from, m);
  luaC_objbarrier(L, clvalue(index2adr(L, to)), *place);
}
";

/// And to the debug library.
const LIBRARY: &str = "
LUA_API void *lua_upvalueid (lua_State *L, int function, int n);
LUA_API void lua_upvaluejoin (lua_State *L, int to, int n, int from, int m);

static int upvalue_number (lua_State *L, int function, int number) {
  int n = luaL_checkint(L, number);
  luaL_checktype(L, function, LUA_TFUNCTION);
  luaL_argcheck(L, !lua_iscfunction(L, function), function, \"Lua function expected\");
  luaL_argcheck(L, lua_getupvalue(L, function, n) != NULL, number, \"invalid upvalue index\");
  lua_pop(L, 1);
  return n;
}

static int db_upvalueid (lua_State *L) {
  lua_pushlightuserdata(L, lua_upvalueid(L, 1, upvalue_number(L, 1, 2)));
  return 1;
}

static int db_upvaluejoin (lua_State *L) {
  int n = upvalue_number(L, 1, 2), m = upvalue_number(L, 3, 4);
  lua_upvaluejoin(L, 1, n, 3, m);
  return 0;
}

";

/// A text with something before some words, which it has once.
fn before(text: Vec<u8>, words: &str, added: &str) -> Vec<u8> {
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.matches(words).count(), 1, "{words}");
    text.replace(words, &format!("{added}{words}")).into_bytes()
}

/// Copies the sources of stock 5.1.5 with the port in them.
fn port(folder: &Path) {
    fs::create_dir(folder).unwrap();
    for entry in fs::read_dir(Stock::Lua51.sources()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read(&path).unwrap();
        let text = match name {
            "lapi.c" => [&text, API.as_bytes()].concat(),
            "ldblib.c" => {
                let text = before(text, "static const luaL_Reg dblib", LIBRARY);
                before(text, "{\"traceback\",", "{\"upvalueid\", db_upvalueid}, {\"upvaluejoin\", db_upvaluejoin},\n  ")
            }
            _ => text,
        };
        fs::write(folder.join(name), text).unwrap();
    }
}

#[test]
fn the_founding_bug_is_found_in_the_lua_that_had_it() {
    let scratch = Scratch::new();
    port(&scratch.path("src"));
    // A bug of 5.1.5 that is not this one: chunks that are loaded have no barriers.
    scratch.write("known", "black-to-white prototype->*  # luaU_undump has no barriers\n");
    let mut lines = Vec::new();
    for seed in ["1", "2", "3", "4", "5"] {
        let folder = format!("findings-{seed}");
        let words = [
            "fuzz", "--engine", "./src", "--first", "--jobs", "1", "--known", "known", "--format", "json", "--seed",
            seed,
        ];
        let mut command = scratch.command(&[&words[..], &["--findings", &folder]].concat());
        let output = command.env("XDG_CACHE_HOME", scratch.path("cache")).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_str(&text).unwrap();
        let finding = &found["findings"][0];
        let signature = finding["signature"].as_str().unwrap();
        assert!(signature.starts_with("black-to-white upvalue->"), "seed {seed}: {signature}");
        lines.push(finding["minimized_lines"].as_u64().unwrap());

        let slug = &scratch.list(&folder)[0];
        let report = scratch.read(&format!("{folder}/{slug}/report.txt"));
        let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
        for fact in [
            "What was done right before `debug.setupvalue`, called in line ",
            "wrote the reference to",
            "it called `lua_setupvalue`.",
            "It was written by way of closure",
            "No write barrier acted.",
            "`lua_setupvalue` needs a write barrier with the upvalue as the parent",
        ] {
            assert!(report.contains(fact), "seed {seed}: {fact}\n{report}");
        }
        let minimized = scratch.read(&format!("{folder}/{slug}/minimized.lua"));
        assert!(minimized.contains("debug.setupvalue("), "{minimized}");
    }
    // The reload of the server, as its header says: the folder is the header's.
    scratch.write("double-reload.lua", include_str!("../../corpus/ported/double-reload.lua"));
    let mut command = scratch.command(&["check", "--expect", "double-reload.lua"]);
    let output = command.env("XDG_CACHE_HOME", scratch.path("cache")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!((output.status.code(), said.as_str()), (Some(0), "double-reload.lua: as expected\n"));

    lines.sort_unstable();
    assert!(lines[lines.len() / 2] <= 12 && lines[lines.len() - 1] <= 20, "{lines:?}");
}

/// Runs the command. Gives how it ended, and what it printed.
fn run(scratch: &Scratch, words: &[&str]) -> (Option<i32>, String) {
    let output = scratch.command(words).env("XDG_CACHE_HOME", scratch.path("cache")).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn sanitizers_are_witnesses_of_their_own() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("a game")).unwrap();
    port(&scratch.path("a game/src"));
    scratch.write("double-reload.lua", include_str!("../../corpus/ported/double-reload.lua"));
    // 5.1 subtracts one from every key that is a number, the smallest one too.
    scratch.write("smallest.lua", "local t = {}\nt[-2147483648] = 1\n");
    for compiler in ["gcc", "clang"] {
        if Command::new(compiler).arg("--version").output().is_err() {
            eprintln!("LEFT OUT: there is no {compiler} here");
            continue;
        }
        let file = format!("a game/{compiler}.toml");
        scratch.write(
            &file,
            format!("sources = \"src\"\ncompiler = \"{compiler}\"\nsanitizers = [\"address\", \"undefined\"]\n"),
        );
        // Where the probe looks it sees the fault first; where it does not, the freed table is read at last.
        let (status, said) = run(&scratch, &["check", "--engine", &file, "double-reload.lua"]);
        assert!(said.starts_with("double-reload.lua: black-to-white upvalue->table\n"), "{compiler}: {said}");
        assert_eq!(status, Some(1));
        let (status, said) = run(&scratch, &["check", "--engine", &file, "--check", "off", "double-reload.lua"]);
        assert!(said.starts_with("double-reload.lua: asan use-after-poison luaH_getstr "), "{compiler}: {said}");
        assert!(said.contains("\nAddressSanitizer ended the vm: use-after-poison in `luaH_getstr`.\n"), "{said}");
        assert!(
            said.contains(&format!("moonphase check --engine 'a game/{compiler}.toml' --check off double-")),
            "{said}"
        );
        assert_eq!(status, Some(1));
        let (_, said) = run(&scratch, &["check", "--engine", &file, "smallest.lua"]);
        assert!(said.starts_with("smallest.lua: ubsan signed-integer-overflow luaH_getnum "), "{compiler}: {said}");

        // A finding is minimized with the engine dying each time, and its header names the file.
        let words = ["fuzz", "--engine", &file, "--first", "--runs", "200", "--seed", "1", "--check", "off"];
        let (status, said) = run(&scratch, &[&words[..], &["--findings", compiler]].concat());
        assert_eq!(status, Some(1), "{compiler}: {said}");
        let slug = &scratch.list(compiler)[0];
        let minimized = format!("{compiler}/{slug}/minimized.lua");
        assert!(scratch.read(&minimized).contains(&format!("engine='a game/{compiler}.toml'")), "{said}");
        let (status, said) = run(&scratch, &["check", "--expect", &minimized]);
        assert_eq!((status, said), (Some(0), format!("{minimized}: as expected\n")), "{compiler}");
    }
}

#[test]
fn an_engine_that_is_not_to_be_had_is_one_clear_error() {
    let scratch = Scratch::new();
    scratch.write("unknown.toml", "sources = \"src\"\n\nsanitizer = [\"address\"]\n");
    scratch.write("nowhere.toml", "sources = \"src\"\n");
    scratch.write("a.lua", "print(1)\n");
    for (engine, error) in [
        ("unknown.toml", "unknown.toml: line 3: unknown field `sanitizer`, expected one of `name`, `sources`, "),
        ("nowhere.toml", "src: No such file or directory"),
        ("none.toml", "none.toml: No such file or directory"),
        ("./none", "./none: No such file or directory"),
    ] {
        for words in [&["fuzz", "--runs", "1", "--engine", engine][..], &["check", "a.lua", "--engine", engine]] {
            let (status, said) = run(&scratch, words);
            assert_eq!((status, said.lines().count()), (Some(2), 1), "{said}");
            assert!(said.contains(error), "{words:?}: {said}");
        }
    }
}
