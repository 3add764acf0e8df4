//! Modules: where they are looked for, how they are loaded, and what is said where that fails.

mod common;

use common::{check, run_with};
use moonphase_vm::{Options, System};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of its own for a test, with these files.
fn folder(test: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).expect("a folder for the test");
    for (name, text) in files {
        let file = folder.join(name);
        fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder for the module");
        fs::write(file, text).expect("a file for the test");
    }
    folder
}

/// What a script prints that may read files, with the folder's name left out. The script has it as `folder`.
fn run_in(folder: &Path, source: &str) -> String {
    let folder = folder.display().to_string();
    let mut options = Options::default();
    options.system = System::Full;
    let (printed, result) = run_with(options, &format!("local folder = [[{folder}]] {source}"));
    assert_eq!(result, Ok(()), "{source}");
    printed.replace(&folder, "FOLDER")
}

#[test]
fn a_module_is_loaded_once_and_told_its_name_and_file() {
    let folder = folder("loaded_once", &[("a/b.lua", "print(...) return {}"), ("c/init.lua", "print(...)")]);
    let printed = run_in(
        &folder,
        "package.path = folder .. '/?.lua;' .. folder .. '/?/init.lua'
        local module, data = require('a.b')
        print(module == package.loaded['a.b'], data)
        print(require('a.b') == module, select('#', require('a.b')))
        print(require('c'))
        package.loaded.c = nil
        print(require('c') == true)",
    );
    assert_eq!(
        printed,
        "a.b\tFOLDER/a/b.lua\ntrue\tFOLDER/a/b.lua\ntrue\t1\nc\tFOLDER/c/init.lua\ntrue\tFOLDER/c/init.lua\n\
        c\tFOLDER/c/init.lua\ntrue\n"
    );
}

#[test]
fn preloaded_modules_come_first() {
    check(
        "package.preload.m = function(...) print(...) return 'module' end
        print(require('m'))
        print(require('m'))",
        "m\t:preload:\nmodule\t:preload:\nmodule\n",
    );
}

#[test]
fn a_module_that_is_nowhere_is_an_error_that_lists_all_places() {
    check(
        "package.path = '?.lua;?/?'
        package.cpath = '?.so;?/init'
        print(pcall(require, 'XXX'))
        print(pcall(require, 'a.b'))",
        "false\tmodule 'XXX' not found:\n\tno field package.preload['XXX']\n\tno file 'XXX.lua'\n\tno file 'XXX/XXX'\n\
        \tno file 'XXX.so'\n\tno file 'XXX/init'\n\
        false\tmodule 'a.b' not found:\n\tno field package.preload['a.b']\n\tno file 'a/b.lua'\n\tno file 'a/b/a/b'\n\
        \tno file 'a/b.so'\n\tno file 'a/b/init'\n\tno file 'a.so'\n\tno file 'a/init'\n",
    );
}

#[test]
fn paths_must_be_strings_and_searchers_a_table() {
    check(
        "for _, name in ipairs { 'path', 'cpath', 'searchers' } do
            local old = package[name]
            package[name] = name == 'searchers' and 1 or {}
            print(pcall(require, 'XXX'))
            package[name] = old
        end",
        "false\t'package.path' must be a string\nfalse\t'package.cpath' must be a string\n\
        false\t'package.searchers' must be a table\n",
    );
}

#[test]
fn no_library_of_c_is_loaded() {
    check(
        "print(package.loadlib('x.so', '*'))",
        "nil\tdynamic libraries not enabled; check your Lua installation\tabsent\n",
    );
    let folder = folder("c_library", &[("a.so", "")]);
    let printed = run_in(
        &folder,
        "package.path, package.cpath = '', folder .. '/?.so'
        print(pcall(require, 'a'))
        print(pcall(require, 'a.b'))",
    );
    let error = |name| {
        format!(
            "false\terror loading module '{name}' from file 'FOLDER/a.so':\n\
            \tdynamic libraries not enabled; check your Lua installation\n"
        )
    };
    assert_eq!(printed, error("a") + &error("a.b"));
}

#[test]
fn a_module_that_is_no_lua_is_an_error_that_names_it() {
    let folder = folder("bad_module", &[("bad.lua", "x =")]);
    let printed = run_in(&folder, "package.path = folder .. '/?.lua' print(pcall(require, 'bad'))");
    assert_eq!(
        printed,
        "false\terror loading module 'bad' from file 'FOLDER/bad.lua':\n\
        \tFOLDER/bad.lua:1: unexpected symbol near <eof>\n"
    );
}

#[test]
fn searchpath_replaces_separators_and_says_what_it_tried() {
    let folder = folder("searchpath", &[("x-y.txt", "")]);
    let printed = run_in(
        &folder,
        "print(package.searchpath('x.y', folder .. '/?.lua;' .. folder .. '/?.txt', '.', '-'))
        print(package.searchpath('x.y', 'a?;?b', ''))
        print(package.searchpath('x.y', ''))",
    );
    assert_eq!(printed, "FOLDER/x-y.txt\nnil\tno file 'ax.y'\n\tno file 'x.yb'\nnil\tno file ''\n");
}

#[test]
fn the_table_package_has_what_the_manual_says() {
    check(
        "print(#package.searchers, package.config == '/\\n;\\n?\\n!\\n-\\n')
        print(package.path:match('%./%?%.lua;%./%?/init%.lua$'), package.cpath:match('[^;]*$'))
        print(package.loaded._G == _G, package.loaded.package == package)",
        "4\ttrue\n./?.lua;./?/init.lua\t./?.so\ntrue\ttrue\n",
    );
}
