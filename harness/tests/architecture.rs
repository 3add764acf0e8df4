//! The invariants of ARCHITECTURE.md that are about crates, and the names of tests in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of the packages of a lock file.
fn locked(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let names = text.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'));
    names.map(str::to_owned).collect()
}

/// The packages that a package depends on, as its manifest has them in this section and those of single systems.
fn dependencies(package: &str, section: &str) -> BTreeSet<String> {
    let manifest = read(Path::new(package).join("Cargo.toml"));
    let mut names = BTreeSet::new();
    let mut inside = false;
    for line in manifest.lines() {
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header == section || header.ends_with(&format!(".{section}"));
        } else if let Some((name, _)) = line.split_once(['.', ' ', '=']).filter(|_| inside && !line.starts_with('#')) {
            names.insert(name.to_owned());
        }
    }
    assert!(!names.is_empty(), "{package} has no {section}");
    names
}

/// The packages of this project among these.
fn ours(names: BTreeSet<String>) -> Vec<String> {
    names.into_iter().filter(|name| name.starts_with("moonphase")).collect()
}

#[test]
fn the_crates_know_each_other_as_the_architecture_says() {
    assert!(ours(dependencies("heap", "dependencies")).is_empty());
    assert_eq!(ours(dependencies("vm", "dependencies")), ["moonphase-heap"]);
    assert!(ours(dependencies("vm", "dev-dependencies")).is_empty());
    assert_eq!(ours(dependencies("invariants", "dependencies")), ["moonphase-heap"]);
    // Its tests break the heap of a VM.
    assert_eq!(ours(dependencies("invariants", "dev-dependencies")), ["moonphase-vm"]);
    assert_eq!(ours(dependencies("probe", "dependencies")), ["moonphase-heap"]);
    // Its tests check the heaps of C Luas.
    assert_eq!(ours(dependencies("probe", "dev-dependencies")), ["moonphase-invariants"]);
    let four = ["moonphase-heap", "moonphase-invariants", "moonphase-probe", "moonphase-vm"];
    assert_eq!(ours(dependencies("harness", "dependencies")), four);
    assert_eq!(ours(dependencies("fuzz", "dependencies")), ["moonphase"]);
}

#[test]
fn no_fuzzing_engine_is_in_the_harness() {
    let is_engine = |name: &String| {
        ["libfuzzer", "libafl", "afl", "honggfuzz", "bolero", "cargo-fuzz", "ziggy"]
            .iter()
            .any(|engine| name == engine || name.strip_prefix(engine).is_some_and(|rest| rest.starts_with(['-', '_'])))
    };
    let engines = |path| locked(path).into_iter().filter(is_engine).collect::<Vec<_>>();
    assert!(engines("Cargo.lock").is_empty());
    assert_eq!(engines("fuzz/Cargo.lock"), ["libfuzzer-sys"]);
}

/// The names of all functions in the sources of the workspace.
fn functions(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let starts = text.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
            into.extend(starts.filter_map(|line| Some(line.split_once('(')?.0.to_owned())));
        }
    }
}

#[test]
fn the_tests_that_the_architecture_names_exist() {
    let mut all = BTreeSet::new();
    for folder in [
        "heap/src",
        "vm/src",
        "vm/tests",
        "probe/src",
        "probe/tests",
        "invariants/src",
        "invariants/tests",
        "harness/src",
        "harness/tests",
    ] {
        functions(&root().join(folder), &mut all);
    }
    let text = read("ARCHITECTURE.md");
    // A test's name is a sentence, so it has more words than what else stands in backquotes.
    let names = text.split('`').skip(1).step_by(2).filter(|code| code.matches('_').count() >= 4);
    let names: Vec<_> = names.map(|code| code.rsplit("::").next().unwrap_or(code)).collect();
    assert!(names.len() >= 10, "{names:?}");
    for name in names {
        assert!(all.contains(name), "ARCHITECTURE.md names {name}, which is no test");
    }
}

/// The files of a crate, by their module paths: `checks::lists`.
fn modules(folder: &Path, path: &str, into: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = if path.is_empty() { stem.clone() } else { format!("{path}::{stem}") };
        if file.is_dir() {
            modules(&file, &inner, into);
        } else {
            let module = if ["mod", "lib"].contains(&stem.as_str()) { path.to_owned() } else { inner };
            into.insert(module, fs::read_to_string(&file).unwrap());
        }
    }
}

/// The paths that a `use` declaration brings: `a::{b, c::d}` brings `a::b` and `a::c::d`.
fn used(tree: &str, before: &str, into: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, rest)) = tree.split_once('{') else {
        into.push(format!("{before}{tree}"));
        return;
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let (mut depth, mut start) = (0, 0);
    for (at, character) in inner.char_indices().chain([(inner.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    used(&inner[start..at], &format!("{before}{head}"), into);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// The modules of a crate that a file of it imports. A crate's root stands for what it re-exports, and is not one of them.
fn imports(module: &str, text: &str, all: &BTreeMap<String, String>) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or(text);
    let mut paths = Vec::new();
    for declaration in text.split("\nuse ").skip(1) {
        used(declaration.split(';').next().unwrap_or(declaration), "", &mut paths);
    }
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let absolute = paths.iter().filter_map(|path| match path.split_once("::")? {
        ("crate", rest) => Some(rest.to_owned()),
        ("super", rest) => Some(format!("{parent}::{rest}").trim_start_matches("::").to_owned()),
        _ => None,
    });
    let module_of = |path: String| {
        let mut at = path.as_str();
        while !all.contains_key(at) {
            at = at.rsplit_once("::")?.0;
        }
        Some(at.to_owned())
    };
    // A folder's own file hands out what the folder has: it may import the files of the folder, and they import it.
    let inside = |found: &str| found == module || found.starts_with(&format!("{module}::"));
    absolute.filter_map(module_of).filter(|found| !found.is_empty() && !inside(found)).collect()
}

/// A file of a crate that leads back to itself, with the files on the way.
fn circle(all: &BTreeMap<String, String>) -> Option<Vec<String>> {
    let edges: BTreeMap<&String, BTreeSet<String>> =
        all.iter().map(|(module, text)| (module, imports(module, text, all))).collect();
    all.keys().find_map(|start| {
        let mut ways = vec![vec![start.clone()]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            for next in &edges[way.last().unwrap_or(start)] {
                if next == start {
                    return Some(way);
                }
                if seen.insert(next) {
                    ways.push([&way[..], std::slice::from_ref(next)].concat());
                }
            }
        }
        None
    })
}

#[test]
fn the_files_of_a_crate_form_no_circles() {
    for (folder, files) in [("heap/src", 10), ("invariants/src", 30), ("harness/src", 90)] {
        let mut all = BTreeMap::new();
        modules(&root().join(folder), "", &mut all);
        assert!(all.len() > files, "{folder} has {} files", all.len());
        assert_eq!(circle(&all), None, "{folder}");
    }
    let text = |text: &str| text.to_owned();
    let round = [
        ("a", "//!\nuse crate::{b::{c, D}, e};\n"),
        ("b", "//!\nmod c;\nuse c::F;\n"),
        ("b::c", "//!\nuse super::E;\nuse crate::a::G;\n"),
    ];
    let round: BTreeMap<String, String> = round.iter().map(|&(module, code)| (text(module), text(code))).collect();
    assert_eq!(circle(&round), Some(vec![text("a"), text("b::c")]));
}
