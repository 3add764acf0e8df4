//! The invariants of ARCHITECTURE.md that can be seen in the sources of the VM, or from outside of it.

mod common;

use moonphase_vm::Options;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The sources of the VM: the path in `src/`, and the text without its tests and comments.
fn sources() -> Vec<(String, String)> {
    fn read(folder: &Path, root: &Path, into: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                read(&path, root, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).expect("inside").to_string_lossy().replace('\\', "/");
                let text = fs::read_to_string(&path).expect("a text");
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                into.push((name, lines.fold(String::new(), |code, line| code + line + "\n")));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    read(&root, &root, &mut sources);
    assert!(sources.len() > 100, "{} sources", sources.len());
    sources.retain(|(name, _)| !name.ends_with("tests.rs"));
    sources
}

/// The files, apart from some folders, in which one of these words stands.
fn files_with(words: &[&str], except: &[&str]) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    for (name, code) in sources() {
        if !except.iter().any(|folder| name.starts_with(folder)) && words.iter().any(|word| code.contains(word)) {
            files.insert(name);
        }
    }
    files
}

fn named<const N: usize>(files: [&str; N]) -> BTreeSet<String> {
    files.into_iter().map(str::to_owned).collect()
}

#[test]
fn the_collector_turns_in_one_file_and_debts_are_paid_at_safe_points() {
    let turns = ["heap.step(", "heap.collect_m", "heap.enter_incremental("];
    assert_eq!(files_with(&turns, &["gc/"]), named(["interpreter/collect.rs", "interpreter/generational.rs"]));
    // The loop after instructions that allocate, what is behind calls of native functions, loading, errors that were caught, and the
    // host after it has made objects.
    let payers = [
        "host/mod.rs",
        "interpreter/collect.rs",
        "interpreter/dispatch.rs",
        "interpreter/instructions.rs",
        "interpreter/load.rs",
        "interpreter/unwind.rs",
    ];
    assert_eq!(files_with(&["pay_debt(", "pay_debt_inside("], &[]), named(payers));
}

#[test]
fn only_the_libraries_of_the_system_use_the_machine() {
    let machine = [
        "std::fs",
        "std::process",
        "std::env",
        "std::net",
        "std::os::",
        "SystemTime",
        "Instant",
        "tempfile::",
        "rustix::",
        "jiff::",
        "io::stdin",
        "io::stdout",
        "io::stderr",
        "print!(",
        "println!(",
    ];
    let libraries = [
        "library/base.rs",
        "library/io/file.rs",
        "library/os/mod.rs",
        "library/os/zone.rs",
        "library/package.rs",
        "library/system.rs",
    ];
    assert_eq!(files_with(&machine, &[]), named(libraries));
}

#[test]
fn the_host_is_given_handles_and_no_references() {
    let mut functions = 0;
    for (name, code) in sources().into_iter().filter(|(name, _)| name.starts_with("host/")) {
        for public in code.split("pub fn ").skip(1) {
            let signature = public.split_once('{').map_or(public, |(signature, _)| signature);
            let words: BTreeSet<&str> = signature.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
            for reference in ["Gc", "AnyGc", "Value", "Object"] {
                assert!(!words.contains(reference), "{name}: {signature}");
            }
            functions += 1;
        }
        for line in code.lines().filter(|line| line.trim_start().starts_with("pub ") && !line.contains('(')) {
            assert!(!line.contains("Gc<") && !line.contains(": Value"), "{name}: {line}");
        }
    }
    assert!(functions > 20, "{functions} public functions");
}

/// What Lua code can nest by itself, each as deep as a number says. The nesting of what is not a call expression is limited,
/// and the limit is set high here.
const NESTED: [&str; 12] = [
    "local function f(n) if n > 0 then return 1 + f(n - 1) end return 0 end return f(depth) == depth",
    "local function f(n) if n > 0 then return f(n - 1) end return true end return f(depth)",
    "local t = {} for _ = 1, depth do t = setmetatable({}, {__index = t}) end return pcall(function() return t.x end) ~= nil",
    "local meta = {} meta.__index = function(t, k) if k > 0 then return 1 + t[k - 1] end return 0 end
     return setmetatable({}, meta)[-1] == 0 and setmetatable({}, meta)[depth] == depth",
    "local meta = {} local n = 0
     meta.__add = function(a, b) n = n + 1 if n < depth then return a + b end return n end
     local a = setmetatable({}, meta) return a + a == depth",
    "local meta = {} local n = 0
     meta.__lt = function(a, b) n = n + 1 if n < depth then return a < b end return true end
     local a = setmetatable({}, meta) return a < a",
    "local meta = {} local n = 0
     meta.__concat = function(a, b) n = n + 1 if n < depth then return a .. b end return 'end' end
     local a = setmetatable({}, meta) return a .. a == 'end'",
    "local meta = {} local n = 0
     meta.__newindex = function(t, k, v) n = n + 1 if n < depth then t[k] = v end end
     setmetatable({}, meta).x = 1 return n == depth",
    "local function f(n) if n > 0 then return select(2, pcall(f, n - 1)) end return true end return f(depth)",
    "local function f(n) if n > 0 then return select(2, xpcall(f, print, n - 1)) end return true end return f(depth)",
    "local function f(n) if n > 0 then return coroutine.wrap(f)(n - 1) end return true end return f(depth)",
    "local n = 0
     local function f() n = n + 1 if n < depth then for x in f do return x end end return n end
     return f() == depth",
];

#[test]
fn no_construct_of_lua_takes_the_rust_stack() {
    // A frame of this program's dispatch loop has hundreds of bytes: ten thousand would not fit.
    const DEPTH: usize = 20_000;
    let work = || {
        for construct in NESTED {
            let mut options = Options::default();
            options.nesting_limit = 60_000;
            let source = format!("local depth = {DEPTH} print((function() {construct} end)())");
            let (printed, result) = common::run_with(options, &source);
            assert_eq!((printed.as_str(), result), ("true\n", Ok(())), "{construct}");
        }
    };
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(work).expect("a thread");
    thread.join().expect("nothing is wrong on the thread");
}

/// Prints all that a value can look like, and what depends on the order of keys.
const FACES: &str = r#"
    local function f() return f end
    local co = coroutine.create(f)
    local values = { {}, f, print, co, io.stdout, string.gmatch("a", "a"), coroutine.wrap(f), debug.upvalueid(f, 1) }
    local keys = {}
    for i, value in ipairs(values) do
        keys[value] = i
        print(value, string.format("%p %s", value, value), tostring(value))
    end
    for key, value in pairs(keys) do print(key, value) end
    for name, value in pairs(_G) do print(name, value) end
    for name, value in pairs(debug.getregistry()) do print(name, value) end
    print(pcall(error, {}))
    print(pcall(function() return {} < f end), pcall(function() return #co end))
    print(debug.traceback(co), debug.traceback("m"))
    print(setmetatable({}, { __name = "named" }), string.format("%p", "a string that is long enough not to be interned here"))
    print(math.random(1 << 40) > 0, os.time(), os.clock(), string.dump(f) == string.dump(f), collectgarbage("count"))
"#;

#[test]
fn no_address_reaches_a_script() {
    let run = || {
        let (printed, result) = common::run_with(Options::default(), FACES);
        assert_eq!(result, Ok(()));
        assert!(printed.contains("table: ") && printed.contains("function: "), "{printed}");
        printed
    };
    let first = run();
    // So that the next heaps stand elsewhere.
    let mut kept = Vec::new();
    for size in [1, 24, 4_000, 40_000, 1 << 20] {
        kept.push(vec![0_u8; size]);
        let other = moonphase_vm::Vm::new(Options::default()).expect("a sound policy");
        assert_eq!(run(), first, "after {} blocks", kept.len());
        drop(other);
    }
    let elsewhere = std::thread::spawn(run).join().expect("nothing is wrong on the thread");
    assert_eq!(elsewhere, first);
}
