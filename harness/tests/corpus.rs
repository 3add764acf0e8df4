//! The corpus does what its headers say.
#![cfg(unix)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::Scratch;
use moonphase::header::Header;
use moonphase::settings::Settings;

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "lua"));
    files.sort();
    files
}

fn header(path: &Path) -> Header {
    let shown = path.display();
    Header::parse(&fs::read(path).unwrap(), Settings::default())
        .unwrap_or_else(|error| panic!("{shown}: {error}"))
        .unwrap_or_else(|| panic!("{shown} has no header"))
}

#[test]
fn every_script_says_what_must_happen_under_a_faulty_and_under_a_correct_policy() {
    let mut found = 0;
    for path in corpus() {
        let header = header(&path);
        assert!(header.clean.iter().all(|policy| policy.is_sound()), "{}", path.display());
        let sound = header.settings.gc.is_sound();
        assert!(sound || !header.clean.is_empty(), "{} names no policy that is clean", path.display());
        found += usize::from(!header.findings.is_empty());
    }
    assert!(found >= 3, "only {found} scripts show a finding");
}

#[test]
fn every_script_does_what_its_header_says() {
    let files = corpus();
    assert!(!files.is_empty());
    let paths: Vec<&str> = files.iter().map(|path| path.to_str().unwrap()).collect();
    let ran = Scratch::new().run(&[&["check", "--expect"][..], &paths].concat());
    let expected: String = paths.iter().map(|path| format!("{path}: as expected\n")).collect();
    assert_eq!(ran.assert_quiet(0).stdout, expected);
}
