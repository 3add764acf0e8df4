//! How programs end: `moonphase run` does what `lua` 5.4.8 does.
//!
//! Each script in `ends/` has a file beside it with the exit code and the lines that a real `lua` gave, which `ci/ends LUA`
//! writes. A script is run as `lua SCRIPT`, or by the command of the shell in its first line. All is compared, except that
//! lines beginning with `moonphase: ` are taken for lines that begin with `lua: `.
#![cfg(unix)]

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Ran, Scratch};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ends")
}

/// The names of the scripts that can run here, sorted.
fn scripts() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let scripts = files.filter(|file| file.extension().is_some_and(|extension| extension == "lua"));
    let mut names: Vec<_> = scripts.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    if !Path::new("/dev/full").exists() {
        names.retain(|name| name != "output_to_a_full_device");
    }
    names
}

/// A folder with all scripts, and with a command `lua`.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    for name in scripts() {
        let file = format!("{name}.lua");
        fs::copy(folder().join(&file), scratch.path(&file)).unwrap();
    }
    fs::create_dir(scratch.path("bin")).unwrap();
    scratch.write("bin/lua", format!("#!/bin/sh\nexec '{}' run \"$@\"\n", env!("CARGO_BIN_EXE_moonphase")));
    fs::set_permissions(scratch.path("bin/lua"), fs::Permissions::from_mode(0o755)).unwrap();
    scratch
}

fn end_of(scratch: &Scratch, name: &str) -> Ran {
    let script = fs::read_to_string(scratch.path(&format!("{name}.lua"))).unwrap();
    let first = script.lines().next().unwrap_or_default();
    let command = first.strip_prefix("-- command: ").map_or_else(|| format!("lua {name}.lua"), str::to_owned);
    let path = format!("{}:{}", scratch.path("bin").display(), std::env::var("PATH").unwrap());
    let ran = Command::new("sh")
        .args(["-c", &command])
        .current_dir(scratch.path("."))
        .env("PATH", path)
        .env_remove("LUA_PATH")
        .env_remove("LUA_PATH_5_4")
        .stdin(Stdio::null())
        .output();
    Ran::from(ran.unwrap())
}

/// What `ci/ends` writes down.
fn written_down(ran: &Ran) -> String {
    let mut text = format!("exit {}\n", ran.code);
    for (stream, lines) in [("out", &ran.stdout), ("err", &ran.stderr)] {
        for line in lines.lines() {
            let line = line.strip_prefix("moonphase: ").map_or_else(|| line.to_owned(), |line| format!("lua: {line}"));
            text.push_str(&format!("{stream}| {line}\n"));
        }
        if !lines.is_empty() && !lines.ends_with('\n') {
            text.push_str(&format!("({stream} has no newline at its end)\n"));
        }
    }
    text
}

#[test]
fn every_program_ends_as_under_lua() {
    let scratch = scratch();
    let mut wrong = Vec::new();
    for name in scripts() {
        let expected = fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
        let found = written_down(&end_of(&scratch, &name));
        if found != expected {
            wrong.push(format!("--- {name}\nexpected:\n{expected}found:\n{found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Starts `moonphase run -e CODE` with both outputs on a terminal. Gives the process and the other end of the terminal.
fn on_a_terminal(code: &str) -> (Child, File) {
    use rustix::fs::{Mode, OFlags};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let side = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_moonphase"))
        .args(["run", "-e", code])
        .stdin(Stdio::null())
        .stdout(side.try_clone().unwrap())
        .stderr(side)
        .spawn();
    (child.unwrap(), File::from(terminal))
}

/// Reads from a terminal until a text ends with this, or to the end.
fn read_until(terminal: &mut File, end: &str) -> String {
    let mut text = Vec::new();
    let mut byte = [0];
    // A terminal that nobody has open any more is an error to read from.
    while !text.ends_with(end.as_bytes()) && matches!(terminal.read(&mut byte), Ok(1)) {
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

#[test]
fn lines_go_out_at_once_on_a_terminal_and_survive_whoever_ends_the_program() {
    let code = "io.write('one\\ntwo') io.stderr:write('three\\n') io.write(' four\\n') io.stderr:write('five\\n') while 1 do end";
    let (mut child, mut terminal) = on_a_terminal(code);
    let text = read_until(&mut terminal, "five\r\n");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(text, "one\nthree\ntwo four\nfive\n");
}

#[test]
fn a_question_is_shown_before_the_answer_is_waited_for_on_a_terminal() {
    let (mut child, mut terminal) = on_a_terminal("io.write('question ') print(io.read()) io.write('end')");
    // The script comes to its end, since nothing is on its standard input.
    child.wait().unwrap();
    assert_eq!(read_until(&mut terminal, "end"), "question nil\nend");
}
