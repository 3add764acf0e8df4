//! The grammar of Lua 5.1: programs of every construct are read, printed and read again, and its compiler says that nothing of
//! them got lost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use moonphase_vm::syntax::ast::Chunk;
use moonphase_vm::syntax::{Syntax, SyntaxError, parse, print_chunk, skip_shebang, strip_spans};

fn read(source: &[u8]) -> Result<Chunk, SyntaxError> {
    let mut chunk = parse(skip_shebang(source), b"=t", Syntax::LUA_51)?;
    strip_spans(&mut chunk);
    Ok(Chunk { last_line: 0, ..chunk })
}

fn programs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lua51");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// The instructions that the compiler of Lua 5.1 makes of a file, without lines and addresses; `None` where there is no such
/// compiler.
fn instructions(path: &Path) -> Option<String> {
    let listed = match Command::new("luac5.1").args(["-l", "-p"]).arg(path).output() {
        Ok(listed) => listed,
        Err(_) => {
            eprintln!("left out: there is no luac5.1 on PATH to compile {}", path.display());
            return None;
        }
    };
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let text = String::from_utf8_lossy(&listed.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.contains('<')).map(|line| {
        let words = line.split_whitespace().filter(|word| !word.starts_with('[') && !word.starts_with("0x"));
        words.collect::<Vec<_>>().join(" ")
    });
    Some(lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn programs_are_read_and_printed_without_a_loss() {
    let folder = tempfile::tempdir().unwrap();
    for path in programs() {
        let source = fs::read(&path).unwrap();
        let chunk = read(&source).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = print_chunk(&chunk);
        assert_eq!(read(text.as_bytes()), Ok(chunk), "{text}");
        let printed = folder.path().join("printed.lua");
        fs::write(&printed, &text).unwrap();
        assert_eq!(instructions(&printed), instructions(&path), "{text}");
    }
}

/// What is wrong with a source in Lua 5.1.
fn refused(source: &str) -> String {
    match read(source.as_bytes()) {
        Ok(_) => panic!("{source:?} is accepted"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn syntax_of_later_versions_is_refused() {
    let sources = [
        "goto out",
        "::out::",
        "local x <const> = 1",
        "local x <close> = nil",
        "x = 1 // 2",
        "x = 1 & 2",
        "x = 1 | 2",
        "x = 1 ~ 2",
        "x = ~1",
        "x = 1 << 2",
        "x = 1 >> 2",
        "x = 0x1p4",
        "x = 0xA.8",
        ";",
        "f();; g()",
        "do ; end",
        "while true do break print() end",
        "f()\n(g)()",
        "x = [[ [[ ]]",
        "--[[ [[ ]]",
        "x = '\\300'",
    ];
    for source in sources {
        refused(source);
        let path = tempfile::NamedTempFile::new().unwrap();
        fs::write(&path, source).unwrap();
        match Command::new("luac5.1").arg("-p").arg(path.path()).output() {
            // The numerals of the compiler are those of the machine's C library, which may know hexadecimal floats.
            Ok(compiled) => assert!(!compiled.status.success() || source.contains("0x1p4"), "{source}"),
            Err(_) => eprintln!("left out: there is no luac5.1 on PATH to refuse {source:?}"),
        }
    }
}

#[test]
fn messages_of_lua_5_1_name_what_is_ambiguous_or_deprecated() {
    assert_eq!(refused("f()\n(g)()"), "t:2: ambiguous syntax (function call x new statement) near '('");
    assert_eq!(refused("x = [[ [[ ]]"), "t:1: nesting of [[...]] is deprecated near '['");
}

#[test]
fn a_backslash_before_other_characters_stands_for_them() {
    let text = print_chunk(&read(br#"return "\q\x41\z""#).unwrap());
    assert_eq!(text, "return \"qx41z\"\n");
}
