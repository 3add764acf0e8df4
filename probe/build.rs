//! Compiles the stock engines, which are part of the program.
//!
//! Their sources are in the crate `lua-src`, which does not say where it is. So it is asked to compile them with a compiler
//! that writes down what it reads: this program does that in processes of its own, one for each engine.

use std::env;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

#[expect(dead_code, reason = "some of it is for the program alone")]
#[path = "src/compile.rs"]
mod compile;

use compile::Recipe;

/// Says which engine a process is to ask for.
const ASKED: &str = "MOONPHASE_ASKED_ENGINE";

struct Stock {
    name: &'static str,
    /// Macros of the usual binary: the target `linux` of the release's makefile.
    defines: &'static [&'static str],
    ask: fn(&Path),
}

const STOCK: [Stock; 2] = [
    Stock {
        name: "lua51",
        defines: &["LUA_USE_LINUX"],
        ask: |out| {
            lua_src_51::Build::new().out_dir(out).build(lua_src_51::Lua51);
        },
    },
    Stock {
        name: "lua54",
        defines: &["LUA_USE_LINUX", "LUA_COMPAT_5_3"],
        ask: |out| {
            lua_src_54::Build::new().out_dir(out).build(lua_src_54::Lua54);
        },
    },
];

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    if let Some(asked) = env::var_os(ASKED) {
        let stock = STOCK.iter().find(|stock| asked == stock.name).ok_or("no such engine")?;
        (stock.ask)(&out);
        return Ok(());
    }
    for path in ["build.rs", "src/compile.rs", "c", "include"] {
        println!("cargo::rerun-if-changed={path}");
    }
    println!("cargo::rerun-if-env-changed=CC");
    let made: Vec<Result<PathBuf, String>> = thread::scope(|scope| {
        let threads = STOCK.iter().map(|stock| scope.spawn(|| make(stock, &out).map_err(|error| error.to_string())));
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("panicked".into()))).collect()
    });
    for (stock, result) in STOCK.iter().zip(made) {
        // Planted faults are compiled with the rest of the engine, where that is still there.
        let name = stock.name.to_uppercase();
        println!("cargo::rustc-env=MOONPHASE_{name}_SOURCES={}", result?.display());
        println!("cargo::rustc-env=MOONPHASE_{name}_OBJECTS={}", out.join(stock.name).display());
        println!("cargo::rustc-env=MOONPHASE_{name}_DEFINES={}", stock.defines.join(" "));
    }
    Ok(())
}

/// Makes an engine. Gives the folder with its sources.
fn make(stock: &Stock, out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let work = out.join(stock.name);
    let sources = sources_of(stock, &work.join("asked"))?;
    let mut recipe = Recipe::new(&sources);
    recipe.defines = stock.defines.iter().map(ToString::to_string).collect();
    recipe.compile(&work, &out.join(format!("{}.so", stock.name)))?;
    Ok(sources)
}

/// The folder that `lua-src` has an engine's sources in.
fn sources_of(stock: &Stock, out: &Path) -> Result<PathBuf, Box<dyn Error>> {
    std::fs::create_dir_all(out)?;
    // Preprocessing takes a moment, and writes down the names of all files. The crate `cc` asks for this variable first.
    let flags = format!("CFLAGS_{}", env::var("TARGET")?);
    let output =
        Command::new(env::current_exe()?).env(ASKED, stock.name).env("OUT_DIR", out).env(flags, "-E -MD").output()?;
    let found = find_file(out, "lgc.d")?;
    let Some(dependencies) = found else {
        return Err(
            format!("{}: lua-src did not compile: {}", stock.name, String::from_utf8_lossy(&output.stderr)).into()
        );
    };
    let text = std::fs::read_to_string(dependencies)?;
    let source = text.split_whitespace().find(|word| word.ends_with("lgc.c")).ok_or("no lgc.c in the dependencies")?;
    Ok(Path::new(source).parent().ok_or("lgc.c is in no folder")?.to_owned())
}

/// A file whose name ends so, in a folder or those below.
fn find_file(folder: &Path, end: &str) -> Result<Option<PathBuf>, Box<dyn Error>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if let Some(found) = find_file(&path, end)? {
                return Ok(Some(found));
            }
        } else if path.to_string_lossy().ends_with(end) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
