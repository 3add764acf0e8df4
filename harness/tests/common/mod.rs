//! What the whole-program tests share: the real command, started in a scratch folder of its own.

// Each test program uses a part of this.
#![allow(dead_code)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// The signature of the fault of `setupvalue` that seed 1 shows first.
pub const SETUPVALUE: &str = "black-to-white setupvalue upvalue->table";

/// The sharing-only variant of the fault of Lua 5.1: 18 code lines, found at once.
pub const FAULTY: &str = include_str!("../../../corpus/sharing-only.lua");

/// A folder in which the command runs, and which goes away with its value.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Scratch {
        Scratch(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of what is in a folder, sorted; nothing where there is no folder.
    pub fn list(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(folder)) else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The command with these words, ready to be started here.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_moonphase"));
        command.args(words).current_dir(self.0.path()).stdin(Stdio::null());
        for variable in ["CLICOLOR_FORCE", "FORCE_COLOR"] {
            command.env_remove(variable);
        }
        command
    }

    /// Runs the command to its end.
    pub fn run(&self, words: &[&str]) -> Ran {
        Ran::from(self.command(words).output().unwrap())
    }

    /// The same with something on standard input.
    pub fn run_with_input(&self, words: &[&str], input: &str) -> Ran {
        self.write("input", input);
        let input = fs::File::open(self.path("input")).unwrap();
        Ran::from(self.command(words).stdin(input).output().unwrap())
    }

    /// Runs the command and reads the JSON that it prints.
    pub fn json(&self, words: &[&str]) -> (i32, Value) {
        let ran = self.run(words);
        assert_eq!(ran.stderr, "");
        let value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", ran.stdout));
        (ran.code, value)
    }

    /// Starts the command with its output in pipes.
    pub fn start(&self, words: &[&str]) -> Running {
        let mut child = self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        Running { child, stdout }
    }
}

/// What a run of the command came to.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; minus the signal that ended it.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Ran {
        use std::os::unix::process::ExitStatusExt;
        let signal = output.status.signal().unwrap_or_default();
        Ran {
            code: output.status.code().unwrap_or(-signal),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Asserts the exit code and that nothing went to standard error.
    #[track_caller]
    pub fn assert_quiet(&self, code: i32) -> &Ran {
        assert_eq!((self.code, self.stderr.as_str()), (code, ""), "{}", self.stdout);
        self
    }

    /// Asserts that the command complained of wrong use or a bad file: exit code 2, and one line that says all of this.
    #[track_caller]
    pub fn assert_refused(&self, words: &[&str]) {
        assert_eq!(self.code, 2, "{self:?}");
        let line = self.stderr.strip_suffix('\n').unwrap_or_default();
        assert!(line.starts_with("moonphase: ") && !line.contains('\n'), "not one line: {self:?}");
        for word in words {
            assert!(line.contains(word), "'{word}' is not in: {line}");
        }
    }
}

/// The command on its way.
pub struct Running {
    pub child: Child,
    pub stdout: Option<BufReader<ChildStdout>>,
}

impl Running {
    /// The next line that it prints, without its end; `None` at the end of its output.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        line.strip_suffix('\n').map(str::to_owned)
    }

    /// Reads up to a line that begins with this.
    #[track_caller]
    pub fn line_beginning(&mut self, start: &str) -> String {
        loop {
            let line = self.line().unwrap_or_else(|| panic!("no line begins with '{start}'"));
            if line.starts_with(start) {
                return line;
            }
        }
    }

    /// Sends a signal, by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Closes the reading end of its standard output.
    pub fn close_output(&mut self) {
        self.stdout = None;
    }

    /// Waits for its end; what it printed is what has not been read before.
    pub fn finish(mut self) -> Ran {
        let mut stdout = Vec::new();
        if let Some(mut pipe) = self.stdout.take() {
            pipe.read_to_end(&mut stdout).unwrap();
        }
        let output = self.child.wait_with_output().unwrap();
        Ran::from(Output { stdout, ..output })
    }

    /// The processes that it has started and that run now.
    pub fn children(&self) -> Vec<u32> {
        let parent = self.child.id().to_string();
        processes().into_iter().filter(|process| process.parent == parent && process.runs).map(|p| p.id).collect()
    }
}

struct Process {
    id: u32,
    parent: String,
    /// Whether it is more than an entry that waits to be reaped.
    runs: bool,
}

fn processes() -> Vec<Process> {
    if !Path::new("/proc/self/stat").exists() {
        let ps = Command::new("ps").args(["-A", "-o", "pid=", "-o", "ppid=", "-o", "stat="]).output().unwrap();
        let text = String::from_utf8_lossy(&ps.stdout).into_owned();
        return text.lines().filter_map(|line| process(&line.split_whitespace().collect::<Vec<_>>())).collect();
    }
    let stats = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let id = entry.ok()?.file_name().into_string().ok()?;
        // The name of the program is in parentheses; state and parent follow it.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut words = rest.split(' ');
        let (state, parent) = (words.next()?, words.next()?);
        process(&[&id, parent, state])
    });
    stats.collect()
}

fn process(words: &[&str]) -> Option<Process> {
    let [id, parent, state] = *words else { return None };
    Some(Process { id: id.parse().ok()?, parent: parent.to_owned(), runs: !state.starts_with('Z') })
}

/// Waits until none of the processes runs.
#[track_caller]
pub fn wait_until_gone(ids: &[u32]) {
    let start = Instant::now();
    while processes().iter().any(|process| process.runs && ids.contains(&process.id)) {
        assert!(start.elapsed() < Duration::from_secs(20), "of {ids:?} some still run");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A summary without what is measured, so that two of them can be compared.
pub fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            fields.retain(|name, _| !name.contains("seconds") && name != "runs_per_second");
            for field in fields.values_mut() {
                *field = without_times(field.take());
            }
        }
        Value::Array(items) => {
            for item in items {
                *item = without_times(item.take());
            }
        }
        _ => {}
    }
    value
}

/// The names of an object's fields, sorted.
pub fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// The code lines of a script, as the minimizer counts them.
pub fn code_lines(text: &str) -> usize {
    moonphase_vm::syntax::code_lines(&moonphase::language::Language::LUA_54.parse(text.as_bytes(), b"=test").unwrap())
}
