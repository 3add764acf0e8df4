//! The invariants of ARCHITECTURE.md that are about crates, and the names of tests in it.

use std::collections::BTreeSet;
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
fn the_vm_knows_nothing_of_the_rest_and_the_checks_know_the_vm_alone() {
    for section in ["dependencies", "dev-dependencies"] {
        assert!(ours(dependencies("vm", section)).is_empty(), "{section}");
        assert_eq!(ours(dependencies("invariants", section)), ["moonphase-vm"], "{section}");
    }
    assert_eq!(ours(dependencies("harness", "dependencies")), ["moonphase-invariants", "moonphase-vm"]);
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
    for folder in ["vm/src", "vm/tests", "invariants/src", "invariants/tests", "harness/src", "harness/tests"] {
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
