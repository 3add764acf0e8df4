//! What becomes of folders that are no Lua, or one that does not compile.
#![cfg(target_os = "linux")]

use std::fs;

use moonphase_probe::compile::Recipe;
use moonphase_probe::fault::Fault;

#[test]
fn a_folder_without_a_lua_is_said_to_be_one() {
    let scratch = tempfile::tempdir().unwrap();
    let error = Recipe::new(scratch.path()).compile(&scratch.path().join("work"), &scratch.path().join("a.so"));
    let error = error.unwrap_err().to_string();
    assert!(error.ends_with("no sources of a Lua: there is no lua.h"), "{error}");
}

#[test]
fn the_compilers_own_words_are_shown() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("src");
    fs::create_dir(&folder).unwrap();
    for (name, text) in [("lua.h", ""), ("lstate.h", ""), ("lgc.c", "int f(void) { return mistake; }\n")] {
        fs::write(folder.join(name), text).unwrap();
    }
    let error = Recipe::new(&folder).compile(&scratch.path().join("work"), &scratch.path().join("a.so"));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("error"), "{error}");
    let no_compiler = Recipe { compiler: "no-such-compiler".into(), ..Recipe::new(&folder) };
    let error =
        no_compiler.compile(&scratch.path().join("work"), &scratch.path().join("a.so")).unwrap_err().to_string();
    assert!(error.starts_with("cannot run the C compiler 'no-such-compiler'"), "{error}");
}

#[test]
fn every_fault_fits_the_sources_and_has_a_name_of_its_own() {
    let mut names = std::collections::BTreeSet::new();
    for fault in Fault::all() {
        let source = fs::read(fault.stock.sources().join(fault.file)).unwrap();
        let source = String::from_utf8_lossy(&source);
        let planted = fault.plant(&source).unwrap_or_else(|| panic!("{fault} does not fit"));
        assert_ne!(planted, source, "{fault}");
        assert!(fault.name.starts_with(fault.stock.name()) && names.insert(fault.name), "{fault}");
        assert_eq!(fault.name.parse::<&Fault>().ok(), Some(fault));
    }
    assert!(names.len() >= 40, "{}", names.len());
}

#[test]
fn every_fault_compiles() {
    let scratch = tempfile::tempdir().unwrap();
    for fault in Fault::all() {
        let out = scratch.path().join("engine.so");
        fault.stock.compile_with(fault, scratch.path(), &out).unwrap_or_else(|error| panic!("{fault}: {error}"));
        assert!(out.is_file());
    }
}
