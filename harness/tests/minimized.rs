//! Nothing in a minimized script can be dropped: each statement and each item of a list is deleted in turn from the minimized
//! scripts of all planted faults, by the text alone, and none of what is left shows the finding.

#![cfg(feature = "faults")]

mod common;

use common::Scratch;
use moonphase::fault::Fault;
use moonphase::finding::Oracle;
use moonphase::header::{Header, body};
use moonphase::limits::Limits;
use moonphase::oracle::{Oracles, Purpose};
use moonphase::settings::Settings;

/// A minimized script with the settings that show it.
struct Minimized {
    settings: Settings,
    signature: String,
    code: String,
}

impl Minimized {
    /// What a campaign with a fault finds first.
    fn of(fault: Fault, more: &[&str]) -> Option<Minimized> {
        let scratch = Scratch::new();
        let words = ["fuzz", "--fault", fault.name(), "--first", "--seed", "1", "--runs", "2000", "--format", "json"];
        let (_, json) = scratch.json(&[&words[..], more].concat());
        let path = json["findings"][0]["minimized"].as_str()?.to_owned();
        let text = scratch.read(&path);
        let header = Header::parse(text.as_bytes(), Settings::default()).unwrap().unwrap();
        let [signature] = &header.findings[..] else { panic!("{text}") };
        Some(Minimized {
            signature: signature.clone(),
            settings: header.settings,
            code: String::from_utf8(body(text.as_bytes())).unwrap(),
        })
    }

    /// Whether a text shows the same finding; one by outputs only if nothing is wrong without the fault.
    fn shows(&self, code: &str) -> bool {
        if self.settings.lua.compile(code.as_bytes(), b"=case").is_err() {
            return false;
        }
        let schedules = self.settings.schedules.of_script();
        let judge = |settings: &Settings| {
            let mut oracles = Oracles::new(settings, Limits::default().narrow());
            oracles.judge(code.as_bytes(), &schedules, Purpose::Detect, &mut |_| {}).detected
        };
        let Some(detected) = judge(&self.settings).filter(|detected| detected.as_str() == self.signature) else {
            return false;
        };
        let by_outputs = matches!(detected.oracle(), Oracle::Differential | Oracle::Schedule);
        !by_outputs || judge(&self.settings.sound()).is_none()
    }

    /// What can be dropped and still shows the finding.
    fn droppable(&self) -> Vec<String> {
        assert!(self.shows(&self.code), "{}\n{}", self.settings, self.code);
        let signs = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut smaller = deletions(&self.code);
        smaller.sort();
        smaller.dedup();
        smaller.retain(|smaller| signs(smaller) != signs(&self.code) && self.shows(smaller));
        smaller
    }
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
fn nothing_in_the_minimized_script_of_a_planted_fault_can_be_dropped() {
    /// Lines.
    const LONG: usize = 15;
    let (mut found, mut short, mut scheduled) = (0, 0, Vec::new());
    let mut complaints = Vec::new();
    for &fault in Fault::ALL {
        let Some(minimized) = Minimized::of(fault, &[]) else { continue };
        found += 1;
        if !minimized.settings.schedules.of_script().is_empty() {
            scheduled.push(fault.name());
        }
        // A long one is what was left when the time for minimizing was over.
        if minimized.code.lines().count() > LONG {
            continue;
        }
        short += 1;
        for smaller in minimized.droppable() {
            complaints
                .push(format!("{fault}: {}\n{}\n-- is more than\n{smaller}\n", minimized.settings, minimized.code));
        }
    }
    println!("{found} minimized, {} with a schedule: {scheduled:?}", scheduled.len());
    assert!(complaints.is_empty(), "{} scripts:\n{}", complaints.len(), complaints.join("\n"));
    assert!(found >= 70 && short >= 60, "{found} found, {short} of them short");
}

#[test]
fn a_finding_by_outputs_is_minimized_to_a_script_that_needs_the_fault() {
    for name in ["weak-keys-cleared-early", "finalizers-not-marked", "thread-forgotten", "sweep-stops-early"] {
        let fault: Fault = name.parse().unwrap();
        let Some(minimized) = Minimized::of(fault, &["--check", "off"]) else { panic!("{name} is found by outputs") };
        assert!(minimized.shows(&minimized.code), "{name}: {}\n{}", minimized.settings, minimized.code);
    }
}
