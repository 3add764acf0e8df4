//! What becomes of folders that are no Lua, or one that does not compile.
#![cfg(target_os = "linux")]

use std::fs;

use moonphase_probe::compile::Recipe;

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
