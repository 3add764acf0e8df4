//! The minimized scripts of all planted faults. All commands show the finding; and nothing can be dropped: each statement and each
//! item of a list is deleted in turn, by the text alone, and none of what is left shows the finding.

#![cfg(feature = "faults")]

mod common;

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use common::Scratch;
use moonphase::engine::reference::ReferenceEngine;
use moonphase::engine::{Case, Engine};
use moonphase::fault::Fault;
use moonphase::header::{Header, body};
use moonphase::limits::Limits;
use moonphase::oracle::{CHUNK_NAME, Oracles, Purpose};
use moonphase::outcome::End;
use moonphase::settings::Settings;

/// The script of a finding with the settings that show it.
struct Minimized {
    fault: Fault,
    settings: Settings,
    signature: String,
    /// With its header.
    text: String,
    code: String,
    /// Whether there was time to minimize it to the end.
    complete: bool,
}

impl Minimized {
    /// What a campaign with a fault finds first.
    fn of(fault: Fault, runs: u32, more: &[&str]) -> Option<Minimized> {
        let scratch = Scratch::new();
        let runs = runs.to_string();
        let words = ["fuzz", "--fault", fault.name(), "--first", "--seed", "1", "--runs", &runs, "--format", "json"];
        let (_, json) = scratch.json(&[&words[..], more].concat());
        let finding = &json["findings"][0];
        let spent = (finding["minimize_seconds"].as_f64(), finding["minimize_calls"].as_u64());
        let complete = matches!(spent, (Some(..55.0), Some(..60_000)));
        let text = scratch.read(finding["minimized"].as_str().or(finding["original"].as_str())?);
        let header = Header::parse(text.as_bytes(), Settings::default()).unwrap().unwrap();
        let [signature] = &header.findings[..] else { panic!("{text}") };
        Some(Minimized {
            fault,
            complete,
            signature: signature.clone(),
            settings: header.settings,
            code: String::from_utf8(body(text.as_bytes())).unwrap(),
            text,
        })
    }

    /// Those of all faults, in the order of the catalogue.
    fn all() -> &'static [Minimized] {
        static ALL: LazyLock<Vec<Minimized>> = LazyLock::new(|| {
            let next = AtomicUsize::new(0);
            let work = || {
                let faults = std::iter::from_fn(|| Fault::ALL.get(next.fetch_add(1, Ordering::Relaxed)));
                faults.filter_map(|&fault| Minimized::of(fault, 1_000, &[])).collect::<Vec<_>>()
            };
            let mut all = thread::scope(|scope| {
                let workers = [scope.spawn(work), scope.spawn(work)];
                workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
            });
            all.sort_by_key(|minimized| Fault::ALL.iter().position(|&fault| fault == minimized.fault));
            all
        });
        &ALL
    }

    /// Whether all commands show the finding.
    fn shows_everywhere(&self) -> Result<(), String> {
        let scratch = Scratch::new();
        scratch.write("case.lua", &self.text);
        for (words, code) in
            [(&["check", "--expect"][..], 0), (&["check"], 1), (&["run", "--check", "barrier"], 1), (&["trace"], 1)]
        {
            let ran = scratch.run(&[words, &["case.lua"]].concat());
            let told = if words == ["run", "--check", "barrier"] { &ran.stderr } else { &ran.stdout };
            let wanted = if code == 0 { "as expected" } else { &self.signature };
            // They run a script once, and compare it with nothing.
            if self.is_by_outputs() && !words.contains(&"check") {
                continue;
            }
            if ran.code != code || !told.contains(wanted) {
                return Err(format!("{}: {words:?} does not show it of\n{}\n{}", self.fault, self.text, ran.stderr));
            }
        }
        Ok(())
    }

    /// Whether it is found by what the script prints, or how it ends.
    fn is_by_outputs(&self) -> bool {
        self.signature.starts_with("differential ") || self.signature.starts_with("schedule ")
    }

    /// Whether a text shows the same finding; one by outputs only if nothing is wrong without the fault.
    fn shows(&self, code: &str, limits: &Limits) -> bool {
        if self.settings.lua.compile(code.as_bytes(), b"=case").is_err() {
            return false;
        }
        let schedules = self.settings.schedules.of_script();
        let judge = |settings: &Settings| {
            let mut oracles = Oracles::new(settings, *limits).unwrap();
            oracles.judge(code.as_bytes(), &schedules, Purpose::Detect, &mut |_| {}).detected
        };
        let same = judge(&self.settings).is_some_and(|detected| detected.as_str() == self.signature);
        same && (!self.is_by_outputs() || judge(&self.settings.sound()).is_none())
    }

    /// What can be dropped and still shows the finding.
    fn droppable(&self) -> Vec<String> {
        // A stack that overflows takes more than the narrow ones.
        let limits = [Limits::default().narrow(), Limits::default()];
        let limits = limits.iter().find(|limits| self.shows(&self.code, limits));
        let limits = limits.unwrap_or_else(|| panic!("{}\n{}", self.settings, self.code));
        let signs = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let returns = returns_on_reference(&self.code);
        let mut smaller = deletions(&self.code);
        smaller.sort();
        smaller.dedup();
        smaller.retain(|smaller| {
            signs(smaller) != signs(&self.code)
                && self.shows(smaller, limits)
                && (!returns || returns_on_reference(smaller))
        });
        smaller
    }
}

/// Whether reference Lua runs a text without an error, as it has to run a smaller one if it runs the original.
fn returns_on_reference(code: &str) -> bool {
    let case = Case::new(code.as_bytes(), CHUNK_NAME);
    ReferenceEngine::new().run(&case, &Limits::default()).outcome.end == End::Returned
}

/// The texts without one statement, one item of a list, or one variable with its value. A statement has lines of its own, so
/// it goes with the lines that are indented further, and the one that ends it.
fn deletions(code: &str) -> Vec<String> {
    let lines: Vec<&str> = code.lines().collect();
    let mut texts = Vec::new();
    let indent = |line: &str| line.len() - line.trim_start().len();
    for (first, line) in lines.iter().enumerate() {
        let inner = lines[first + 1..].iter().take_while(|inner| indent(inner) > indent(line)).count();
        // With the line that ends it, and without it.
        for last in [first + inner, first + inner + usize::from(inner > 0)] {
            if last < lines.len() {
                texts.push([&lines[..first], &lines[last + 1..]].concat().join("\n"));
            }
        }
    }
    let mut starts = vec![0];
    // The places of commas, and of what begins and ends a list, by the depth of brackets.
    let bytes = code.as_bytes();
    let (mut at, mut cuts) = (0, Vec::new());
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => {
                at += 1;
                while bytes[at] != quote {
                    at += 1 + usize::from(bytes[at] == b'\\');
                }
            }
            b'(' | b'{' | b'[' => starts.push(at + 1),
            b')' | b'}' | b']' => {
                let start = starts.pop().unwrap_or(0);
                cuts.push(start..at);
            }
            b',' => {
                let start = *starts.last().unwrap();
                let item = code[start..at].trim_start();
                let start = at - item.strip_prefix("local ").unwrap_or(item).len();
                // The item before the comma with it, and the one after it.
                cuts.push(start..at + 1);
                *starts.last_mut().unwrap() = at + 1;
                let end = item_end(bytes, at + 1);
                cuts.push(at..end);
            }
            b'\n' | b'=' => *starts.last_mut().unwrap() = at + 1,
            _ => {}
        }
        at += 1;
    }
    texts.extend(cuts.into_iter().map(|cut| format!("{}{}", &code[..cut.start], &code[cut.end..])));
    for (at, line) in lines.iter().enumerate() {
        let Some((names, values)) = line.split_once(" = ") else { continue };
        let (local, names) = names.split_once("local ").map_or(("", names), |(before, names)| (before, names));
        let word = if line.contains("local ") { "local " } else { "" };
        let (names, values) = (items(names), items(values));
        for gone in (0..names.len()).filter(|_| names.len() == values.len() && names.len() > 1) {
            let without = |list: &[&str]| [&list[..gone], &list[gone + 1..]].concat().join(", ");
            let shorter = format!("{local}{word}{} = {}", without(&names), without(&values));
            texts.push([&lines[..at], &[shorter.as_str()], &lines[at + 1..]].concat().join("\n"));
        }
    }
    texts
}

/// The items of a list.
fn items(list: &str) -> Vec<&str> {
    let (mut items, mut start) = (Vec::new(), 0);
    while start <= list.len() {
        let end = item_end(list.as_bytes(), start);
        items.push(list[start..end].trim());
        start = end + 1;
    }
    items
}

/// Where the item of a list that begins here ends.
fn item_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0;
    for (offset, byte) in bytes[start..].iter().enumerate() {
        match byte {
            b'(' | b'{' | b'[' => depth += 1,
            b')' | b'}' | b']' if depth == 0 => return start + offset,
            b')' | b'}' | b']' => depth -= 1,
            b',' | b'\n' if depth == 0 => return start + offset,
            _ => {}
        }
    }
    bytes.len()
}

#[test]
fn deletions_take_statements_items_and_variables() {
    let all = deletions("local a, b = nil, f(1, {2})\nfor _ = 1, 3 do\n  g(\"a,b\", a)\nend");
    for expected in [
        "for _ = 1, 3 do\n  g(\"a,b\", a)\nend",
        "local a, b = nil, f(1, {2})",
        "local b = f(1, {2})\nfor _ = 1, 3 do\n  g(\"a,b\", a)\nend",
        "local a, b = nil, f(1)\nfor _ = 1, 3 do\n  g(\"a,b\", a)\nend",
        "local a, b = nil, f(1, {})\nfor _ = 1, 3 do\n  g(\"a,b\", a)\nend",
        "local a, b = nil, f(1, {2})\nfor _ = 1, 3 do\nend",
        "local a, b = nil, f(1, {2})\nfor _ = 1, 3 do\n  g(\"a,b\")\nend",
    ] {
        assert!(all.iter().any(|text| text == expected), "{expected}\n{all:#?}");
    }
}

#[test]
fn every_command_shows_what_a_minimized_script_shows() {
    let complaints: Vec<_> =
        Minimized::all().iter().filter_map(|minimized| minimized.shows_everywhere().err()).collect();
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), Fault::ALL.len(), complaints.join("\n"));
    // Some are found later, or not yet.
    assert!(Minimized::all().len() * 10 >= Fault::ALL.len() * 8, "{} found", Minimized::all().len());
}

#[test]
fn nothing_in_the_minimized_script_of_a_planted_fault_can_be_dropped() {
    let complete: Vec<_> = Minimized::all().iter().filter(|minimized| minimized.complete).collect();
    let mut scheduled = Vec::new();
    let mut complaints = Vec::new();
    for minimized in &complete {
        let Minimized { fault, settings, code, .. } = minimized;
        if !settings.schedules.of_script().is_empty() {
            scheduled.push(fault.name());
        }
        for smaller in minimized.droppable() {
            complaints.push(format!("{fault}: {settings}\n{code}\n-- is more than\n{smaller}\n"));
        }
    }
    println!("{} minimized, {} with a schedule: {scheduled:?}", complete.len(), scheduled.len());
    assert!(scheduled.len() * 10 <= complete.len(), "{scheduled:?}");
    assert!(complaints.is_empty(), "{} scripts:\n{}", complaints.len(), complaints.join("\n"));
    assert!(complete.len() * 20 >= Minimized::all().len() * 19, "{} minimized", complete.len());
}

#[test]
fn a_finding_by_outputs_is_minimized_to_a_script_that_needs_the_fault() {
    for name in ["weak-keys-cleared-early", "hooks-weak", "thread-forgotten", "sweep-stops-early"] {
        let fault: Fault = name.parse().unwrap();
        let Some(minimized) = Minimized::of(fault, 10_000, &["--check", "off"]) else {
            panic!("{name} is found by outputs")
        };
        assert!(
            minimized.shows(&minimized.code, &Limits::default()),
            "{name}: {}\n{}",
            minimized.settings,
            minimized.code
        );
    }
}
