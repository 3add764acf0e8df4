//! What must be true of every script, tried on generated ones.
//!
//! Entropy comes from proptest, scripts from the one generator; a script that shows a failure shrinks by the reductions
//! of the model, the same that the minimizer takes. Both the entropy and the shrunk script are kept in
//! `proptest-regressions/`: `properties.txt` has the seeds, which proptest tries first and which mean something else
//! after the generator has changed; the `.lua` files outlive that, and every property is tried on each of them first.
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` are obeyed; the usual seed is fixed, so that a change is judged by what it
//! does.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use moonphase::engine::reference::ReferenceEngine;
use moonphase::engine::vm::VmEngine;
use moonphase::engine::{Case, Engine, puc};
use moonphase::fuzzing::correct_policies;
use moonphase::header::Header;
use moonphase::language::Language;
use moonphase::limits::Limits;
use moonphase::minimize::{Answer, Budget, Minimized, Shrinkable, minimize};
use moonphase::oracle::CHUNK_NAME;
use moonphase::outcome::{Comparison, End, Outcome, compare};
use moonphase::schedule::Schedules;
use moonphase::script::{GeneratorOptions, Script};
use moonphase::settings::{Check, Settings};
use moonphase_invariants::Level;
use moonphase_vm::Schedule;
use moonphase_vm::gc::Policy;
use moonphase_vm::syntax::{code_lines, print_chunk, strip_spans};
use proptest::strategy::{NewTree, Strategy, ValueTree};
use proptest::test_runner::{Config, FileFailurePersistence, RngSeed, TestCaseError, TestError, TestRunner};
use rand::Rng;

/// Where failures are kept.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions");

/// The language of the scripts.
const LANGUAGE: Language = Language::LUA_54;

/// Enough for every script but the very longest.
const ENTROPY: usize = 2048;

/// Generated scripts; only those that are wanted.
#[derive(Clone, Copy, Debug)]
struct Scripts {
    wanted: fn(&Script) -> bool,
}

impl Strategy for Scripts {
    type Tree = Reducing;
    type Value = Script;

    fn new_tree(&self, runner: &mut TestRunner) -> NewTree<Self> {
        let mut entropy = [0; ENTROPY];
        loop {
            runner.rng().fill_bytes(&mut entropy);
            let script =
                Script::from_entropy(&mut arbitrary::Unstructured::new(&entropy), &GeneratorOptions::default());
            if (self.wanted)(&script) {
                return Ok(Reducing::new(script));
            }
            runner.reject_local("the script is not wanted")?;
        }
    }
}

/// A script that shrinks by the reductions of its model, big ones first.
#[derive(Debug)]
struct Reducing {
    /// The smallest script that failed.
    failed: Script,
    /// The one to try.
    current: Script,
    /// What else there is to try in its place.
    others: std::vec::IntoIter<Script>,
}

impl Reducing {
    fn new(script: Script) -> Reducing {
        Reducing { failed: script.clone(), current: script, others: Vec::new().into_iter() }
    }
}

impl ValueTree for Reducing {
    type Value = Script;

    fn current(&self) -> Script {
        self.current.clone()
    }

    /// The current script failed: on to the first of its reductions.
    fn simplify(&mut self) -> bool {
        self.failed = self.current.clone();
        self.others = self.failed.reductions(&LANGUAGE).collect::<Vec<_>>().into_iter();
        self.complicate()
    }

    /// The current script did not fail: on to the next reduction of the one that did.
    fn complicate(&mut self) -> bool {
        let next = self.others.next();
        let more = next.is_some();
        self.current = next.unwrap_or_else(|| self.failed.clone());
        more
    }
}

/// What must be true of every script.
struct Property {
    /// A file name as well.
    name: &'static str,
    /// How many scripts it is tried on.
    cases: u32,
    wanted: fn(&Script) -> bool,
    /// What is wrong, if it is not true.
    holds: fn(&Shrinkable) -> Result<(), String>,
}

impl Property {
    /// Tries the property on the scripts that have failed before, then on new ones.
    fn check(&self) {
        self.check_in(Path::new(REGRESSIONS)).unwrap_or_else(|failure| panic!("{failure}"));
    }

    fn check_in(&self, folder: &Path) -> Result<(), String> {
        for path in saved(folder) {
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            (self.holds)(&Shrinkable::Text(text))
                .map_err(|wrong| format!("{}: {}: {wrong}", self.name, path.display()))?;
        }
        let mut config = Config::default();
        if env::var_os("PROPTEST_CASES").is_none() {
            config.cases = self.cases;
        }
        if matches!(config.rng_seed, RngSeed::Random) {
            config.rng_seed = RngSeed::Fixed(1);
        }
        config.max_shrink_iters = 20_000;
        config.max_shrink_time = 120_000;
        if folder == Path::new(REGRESSIONS) {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/properties.txt");
            config.failure_persistence = Some(Box::new(FileFailurePersistence::Direct(file)));
        } else {
            config.failure_persistence = None;
        }
        let holds = |script: Script| (self.holds)(&Shrinkable::Script(script)).map_err(TestCaseError::fail);
        match TestRunner::new(config).run(&Scripts { wanted: self.wanted }, holds) {
            Ok(()) => Ok(()),
            Err(TestError::Fail(reason, script)) => {
                let text = text(&Shrinkable::Script(script));
                let path = save(folder, self.name, &text);
                Err(format!("{}: {reason}\nsaved as {}\n{text}", self.name, path.display()))
            }
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

/// The scripts that have failed before.
fn saved(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "lua"));
    paths.sort();
    paths
}

/// Keeps a script that failed, under a name that does not meet that of another one.
fn save(folder: &Path, property: &str, text: &str) -> PathBuf {
    let text = Header::default().to_text() + text;
    let path = (0..)
        .map(|number| folder.join(format!("{property}-{number}.lua")))
        .find(|path| !path.exists() || fs::read_to_string(path).is_ok_and(|there| there == text))
        .unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(&path, text).unwrap();
    path
}

fn text(shrinkable: &Shrinkable) -> String {
    match shrinkable {
        Shrinkable::Script(script) => script.render(&LANGUAGE).text,
        Shrinkable::Text(text) => text.clone(),
    }
}

fn any(_: &Script) -> bool {
    true
}

fn engine(gc: Policy, check: Check) -> VmEngine {
    VmEngine::new(Settings { gc, check, ..Settings::default() })
}

fn case(text: &str) -> Case<'_> {
    Case::new(text.as_bytes(), CHUNK_NAME)
}

/// Two outcomes, compared in the words that both engines have.
fn compared(ours: &Outcome, other: &Outcome) -> Comparison {
    compare(ours.in_words_of(&puc::WORDS), other.in_words_of(&puc::WORDS))
}

fn on_reference(text: &str) -> Outcome {
    ReferenceEngine::new().run(&case(text), &Limits::default()).outcome
}

// --- the VM and the reference agree ---

fn the_vm_does_what_the_reference_does(shrinkable: &Shrinkable) -> Result<(), String> {
    let text = text(shrinkable);
    let ours = engine(Policy::default(), Check::Off).run(&case(&text), &Limits::default()).outcome;
    match compared(&ours, &on_reference(&text)) {
        Comparison::Differ(difference) => Err(format!("{difference:?}")),
        Comparison::Agree | Comparison::Inconclusive(_) => Ok(()),
    }
}

#[test]
fn the_vm_and_the_reference_agree() {
    Property { name: "agreement", cases: 600, wanted: any, holds: the_vm_does_what_the_reference_does }.check();
}

// --- all invariants hold under every correct policy ---

/// The schedules that a text is run under: for each correct policy another one, and for each text others.
fn schedules_for(text: &str) -> impl Iterator<Item = (Policy, Schedule)> + use<> {
    let seed = text.len() as u64;
    let mut schedules = Schedules::All.of_case(seed, seed);
    schedules.push(Schedule::None);
    correct_policies().into_iter().zip(schedules.into_iter().cycle().skip(text.len() % 5))
}

fn nothing_is_found(shrinkable: &Shrinkable, level: Level) -> Result<(), String> {
    let text = text(shrinkable);
    for (gc, schedule) in schedules_for(&text) {
        let mut engine = engine(gc, Check::At(level));
        let run = engine.observe(&Case { schedule: &schedule, ..case(&text) }, &Limits::default());
        if let Some(violation) = run.violation {
            return Err(format!("gc {gc}, check {level}, schedule {schedule}: {violation}"));
        }
    }
    Ok(())
}

fn no_schedule_shows(shrinkable: &Shrinkable) -> Result<(), String> {
    let text = text(shrinkable);
    let mut engine = engine(Policy::default(), Check::Off);
    let mut run = |schedule: &Schedule| engine.run(&Case { schedule, ..case(&text) }, &Limits::default()).outcome;
    let unscheduled = run(&Schedule::None);
    for schedule in Schedules::All.of_case(text.len() as u64, 0) {
        if let Comparison::Differ(difference) = compared(&run(&schedule), &unscheduled) {
            return Err(format!("schedule {schedule}: {difference:?}"));
        }
    }
    Ok(())
}

#[test]
fn what_a_script_does_depends_on_no_schedule() {
    Property { name: "schedules", cases: 300, wanted: any, holds: no_schedule_shows }.check();
}

#[test]
fn all_invariants_hold_under_every_correct_policy() {
    let holds = |shrinkable: &Shrinkable| nothing_is_found(shrinkable, Level::Barrier);
    Property { name: "invariants", cases: 150, wanted: any, holds }.check();
}

#[test]
fn all_invariants_hold_at_every_moment_under_every_correct_policy() {
    let holds = |shrinkable: &Shrinkable| nothing_is_found(shrinkable, Level::Full);
    Property { name: "invariants-full", cases: 12, wanted: any, holds }.check();
}

// --- the minimizer keeps the signature and never grows a script ---

/// What is found in a script under the faulty policy, if it runs on the reference.
fn signature(text: &str) -> Option<String> {
    let mut engine = engine(Policy::LUA_51, Check::default());
    let run = engine.observe(&case(text), &Limits::default());
    let signature = run.violation?.signature();
    (on_reference(text).end == End::Returned).then_some(signature)
}

/// The printed form is what is measured: in it, a statement is a line.
fn size(text: &str) -> Option<(usize, usize)> {
    let chunk = LANGUAGE.parse(text.as_bytes(), b"=test").ok()?;
    Some((code_lines(&chunk), print_chunk(&chunk).len()))
}

fn minimizing_keeps_the_signature_and_does_not_grow(shrinkable: &Shrinkable) -> Result<(), String> {
    let original = text(shrinkable);
    let Some(wanted) = signature(&original) else { return Ok(()) };
    let mut judge = |text: &str| if signature(text).as_ref() == Some(&wanted) { Answer::Keeps } else { Answer::Loses };
    let Minimized { text, code_lines, reproduced, .. } =
        minimize(shrinkable.clone(), &LANGUAGE, &mut judge, Budget::default());
    if !reproduced {
        return Err(format!("'{wanted}' does not show a second time"));
    }
    match signature(&text) {
        Some(shown) if shown == wanted => {}
        shown => return Err(format!("minimizing made {shown:?} of '{wanted}':\n{text}")),
    }
    let (before, after) = (size(&original), size(&text));
    if after > before || after.is_none_or(|(lines, _)| lines != code_lines) {
        return Err(format!("from {before:?} lines and bytes to {after:?} ({code_lines} lines said):\n{text}"));
    }
    Ok(())
}

#[test]
fn the_minimizer_keeps_the_signature_and_never_grows_a_script() {
    let wanted = |script: &Script| signature(&script.render(&LANGUAGE).text).is_some();
    let holds = minimizing_keeps_the_signature_and_does_not_grow;
    Property { name: "minimizer", cases: 4, wanted, holds }.check();
}

// --- text → tree → text is stable ---

/// Printed messages name lines, which another layout changes.
fn without_lines(outcome: &Outcome) -> Outcome {
    let mark = &CHUNK_NAME[1..];
    let strip = |text: &str| {
        let mut parts = text.split(mark);
        let mut stripped = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            stripped.push_str(mark);
            stripped.push_str(part.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit()));
        }
        stripped
    };
    let end = match &outcome.end {
        End::Error(message) => End::Error(strip(message)),
        end => end.clone(),
    };
    let lines = outcome.lines.iter().map(|line| strip(&String::from_utf8_lossy(line)).into_bytes()).collect();
    Outcome { lines, end }
}

fn printing_is_stable_and_keeps_the_meaning(shrinkable: &Shrinkable) -> Result<(), String> {
    let original = text(shrinkable);
    let read = |text: &str| LANGUAGE.parse(text.as_bytes(), b"=test").map_err(|error| error.to_string());
    let mut first = read(&original)?;
    let printed = print_chunk(&first);
    let mut second = read(&printed)?;
    if print_chunk(&second) != printed {
        return Err(format!("printed once:\n{printed}\nand again:\n{}", print_chunk(&second)));
    }
    strip_spans(&mut first);
    strip_spans(&mut second);
    if first != second {
        return Err(format!("printing makes another tree:\n{printed}"));
    }
    let (before, after) = (without_lines(&on_reference(&original)), without_lines(&on_reference(&printed)));
    if before == after { Ok(()) } else { Err(format!("{before:?}\nbecame\n{after:?}\n{printed}")) }
}

#[test]
fn text_to_tree_to_text_is_stable() {
    Property { name: "printing", cases: 300, wanted: any, holds: printing_is_stable_and_keeps_the_meaning }.check();
}

// --- the properties themselves ---

#[test]
fn a_failure_shrinks_by_the_models_reductions_and_is_tried_first_from_then_on() {
    // Functions of the script are joined. Operations that make their own ones have more lines.
    const JOIN: &str = "debug.upvaluejoin(f";
    fn no_join(shrinkable: &Shrinkable) -> Result<(), String> {
        if text(shrinkable).contains(JOIN) { Err("it joins".to_owned()) } else { Ok(()) }
    }
    let folder = tempfile::tempdir().unwrap();
    let property = Property { name: "no-join", cases: 100, wanted: any, holds: no_join };
    let failure = property.check_in(folder.path()).unwrap_err();
    assert!(failure.starts_with("no-join: ") && failure.contains("it joins"), "{failure}");

    let path = folder.path().join("no-join-0.lua");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("-- moonphase: ") && text.contains(JOIN), "{text}");
    let lines = size(&text).unwrap().0;
    // A function of a factory, one of a scope, the call and the header.
    assert!(lines <= 13, "{lines} lines:\n{text}");

    // Without a new case: what is saved fails by itself.
    let again = Property { cases: 0, ..property }.check_in(folder.path()).unwrap_err();
    assert!(again.contains(&path.display().to_string()), "{again}");
    assert_eq!(saved(folder.path()).len(), 1);
}
