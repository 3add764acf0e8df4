//! What a coverage-guided fuzzer needs of the harness: bytes in, an answer out.
//!
//! No fuzzing engine appears here; the targets in `fuzz/` connect these functions to libFuzzer. An input is an encoded
//! [`Script`] (see [`Script::encode`]) or Lua text that begins with a header, so whatever the fuzzer saves can be given
//! to `moonphase check` and `moonphase minimize`. A model that the mutator made went through [`Script::fixup`] before
//! it was encoded; decoding does it again, so that damaged inputs are either rejected or as good as any other.
//!
//! [`Differential`], [`Invariants`], [`compare_parsers`], [`run_chunk`] and [`run_library`], which have inputs of their own,
//! each put one input before their oracles. They panic where an oracle speaks, with the signature in the message: that is how a fuzzing
//! engine in the same process learns of it.

mod chunks;
mod library;

pub use chunks::{mutate_chunk, run_chunk};
pub use library::{crossover_library, mutate_library, run_library};

use std::env::{self, VarError};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use mlua::chunk::ChunkMode;
use mlua::{Lua, LuaOptions, StdLib};
use moonphase_vm::gc::Policy;
use moonphase_vm::{Schedule, ScriptError, Vm};
use mutatis::Session;
use rand::Rng;

use crate::coverage::CELLS;
use crate::engine::vm::{self, VmEngine};
use crate::engine::{Case, Engine, Engines, open_references, puc};
use crate::header::{Header, HeaderError};
use crate::language::Language;
use crate::limits::Limits;
use crate::oracle::{CHUNK_NAME, Oracles, Purpose};
use crate::outcome::{Comparison, Outcome, compare};
use crate::script::{self, DecodeError, GeneratorOptions, Repair, Script, ScriptMutator, generate};
use crate::settings::{Check, Reference, SettingError, Settings};

/// A fuzz input that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The Lua text.
    pub source: String,
    /// The model, where the input is not text.
    pub script: Option<Script>,
}

/// Why an input is not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum Rejected {
    #[error(transparent)]
    Decode(#[from] DecodeError),
    #[error("damaged header: {0}")]
    Header(#[from] HeaderError),
    #[error("the script is not UTF-8 text")]
    Encoding,
    #[error("not Lua: {0}")]
    Syntax(String),
}

/// Reads a fuzz input: an encoded script, or text that begins with `-- moonphase:`.
///
/// # Errors
/// The bytes are neither, or the text is not Lua.
pub fn decode_input(bytes: &[u8]) -> Result<Input, Rejected> {
    let mut language = LANGUAGE;
    let input = if let Some(header) = Header::parse(bytes, Settings::default())? {
        language = header.settings.lua;
        Input { source: String::from_utf8(bytes.to_vec()).map_err(|_| Rejected::Encoding)?, script: None }
    } else {
        let mut script = Script::decode(bytes)?;
        script.fixup(Repair::Replace, &LANGUAGE);
        Input { source: script.render(&language).text, script: Some(script) }
    };
    load(input.source.as_bytes(), &language).map_err(Rejected::Syntax)?;
    Ok(input)
}

/// The language of inputs that name none: that of the embedded reference.
const LANGUAGE: Language = Language::LUA_54;

/// Compiles a chunk and throws the code away.
fn load(source: &[u8], language: &Language) -> Result<(), String> {
    language.compile(source, CHUNK_NAME.as_bytes()).map(drop).map_err(|error| error.to_string())
}

/// What a program of [`run_limited`] finds in its standard input.
const INPUT: &[u8] = b"12 some input\n0x1p4 -3e2\n\nthe last line";

/// Runs a text or binary chunk under small limits, with and without a collector that turns at every point, and then closes
/// the VM, which calls the finalizers that are left. It may fail as it likes; what it must not do, a sanitizer sees.
fn run_limited(chunk: &[u8]) -> Fate {
    let settings = Settings { lua: LANGUAGE, ..Settings::default() };
    let limits = Limits { memory_bytes: 8 << 20, instructions: 8_000, stack_slots: 20_000, ..Limits::default() };
    let mut fate = Fate::Executed;
    for schedule in [Schedule::None, Schedule::Stress] {
        let options = vm::options(&settings, &schedule);
        let mut vm = Vm::new(vm::limited(options, &limits)).expect("the default policy is sound");
        vm.set_input(INPUT);
        let ended = vm.run_traced(chunk, CHUNK_NAME.as_bytes());
        let closed = vm.close();
        if [ended, closed].iter().any(|end| matches!(end, Err(ScriptError::Limit(_)))) {
            fate = Fate::Inconclusive;
        }
    }
    fate
}

/// A number below `end`, or 0.
fn below(rng: &mut impl Rng, end: usize) -> usize {
    (rng.next_u64() % end.max(1) as u64) as usize
}

/// One input in so many is replaced by a new script, or small corpora would only ever be varied.
const FRESH: u32 = 32;

/// As often as mutating is tried before an unchanged input is accepted: fixup may undo a mutation.
const TRIES: u64 = 4;

/// Mutates the input in the first `size` bytes of `data` in place, and returns its new size, at most `max_size`.
///
/// Text, and bytes that are no script, are replaced by a generated script.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let original = &data[..size.min(data.len())];
    let script = match Script::decode(original) {
        Ok(script) if !seed.is_multiple_of(FRESH) => mutated(script, original, seed),
        _ => fresh(seed),
    };
    write(script, &mut data[..max_size])
}

fn fresh(seed: u32) -> Script {
    generate(u64::from(seed), 0, &GeneratorOptions::default())
}

fn mutated(script: Script, original: &[u8], seed: u32) -> Script {
    for attempt in 0..TRIES {
        let mut changed = script.clone();
        let mut session = Session::new().seed(u64::from(seed) | attempt << 32);
        if session.mutate_with(&mut ScriptMutator, &mut changed).is_err() {
            continue;
        }
        changed.fixup(Repair::Replace, &LANGUAGE);
        if changed.encode() != original {
            return changed;
        }
    }
    script
}

/// Writes a child of two inputs to `out`, and returns its size.
///
/// Parents that are no scripts are replaced by generated ones.
pub fn crossover(first: &[u8], second: &[u8], out: &mut [u8], seed: u32) -> usize {
    let [first, second] = [first, second].map(|bytes| Script::decode(bytes).unwrap_or_else(|_| fresh(seed)));
    // The choice takes 38 bits, of which the seed has 32: spread it.
    let entropy = u64::from(seed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    write(script::crossover(&first, &second, entropy ^ entropy >> 32, &LANGUAGE), out)
}

/// Encodes a script into `out`, dropping its last operations until it fits.
fn write(mut script: Script, out: &mut [u8]) -> usize {
    loop {
        let bytes = script.encode();
        if let Some(room) = out.get_mut(..bytes.len()) {
            room.copy_from_slice(&bytes);
            return bytes.len();
        }
        if script.is_empty() {
            return 0;
        }
        script.body.truncate(script.body.len() * 3 / 4);
        script.fixup(Repair::Replace, &LANGUAGE);
    }
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It ran, and no oracle spoke.
    Executed,
    /// It ran, but a limit kept its outcome from being compared.
    Inconclusive,
    /// It was not run.
    Rejected,
}

/// Counts inputs by what became of them.
#[derive(Debug, Default)]
pub struct Tally {
    executed: AtomicU64,
    inconclusive: AtomicU64,
    rejected: AtomicU64,
}

impl Tally {
    /// A tally of nothing.
    pub const fn new() -> Tally {
        Tally { executed: AtomicU64::new(0), inconclusive: AtomicU64::new(0), rejected: AtomicU64::new(0) }
    }

    /// Counts an input.
    pub fn count(&self, fate: Fate) {
        let counter = match fate {
            Fate::Executed => &self.executed,
            Fate::Inconclusive => &self.inconclusive,
            Fate::Rejected => &self.rejected,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Display for Tally {
    /// `executed 990 of 1000 inputs (99.0%), 3 inconclusive`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [executed, inconclusive, rejected] =
            [&self.executed, &self.inconclusive, &self.rejected].map(|counter| counter.load(Ordering::Relaxed));
        let executed = executed + inconclusive;
        let inputs = executed + rejected;
        let percent = 100.0 * executed as f64 / inputs.max(1) as f64;
        write!(f, "executed {executed} of {inputs} inputs ({percent:.1}%), {inconclusive} inconclusive")
    }
}

/// The environment variable with the policy.
pub const GC_VARIABLE: &str = "MOONPHASE_GC";
/// The environment variable with the level of checks.
pub const CHECK_VARIABLE: &str = "MOONPHASE_CHECK";

/// How the targets run inputs, as far as someone asked for something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The collector's rules.
    pub gc: Option<Policy>,
    /// When to check the invariants.
    pub check: Option<Check>,
}

/// An environment variable that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {reason}")]
pub struct WishError {
    variable: &'static str,
    reason: String,
}

impl Wishes {
    /// What the environment asks for.
    ///
    /// # Errors
    /// A variable is set to what no policy or level is called.
    pub fn from_env() -> Result<Wishes, WishError> {
        Wishes::read(|name| env::var(name))
    }

    fn read(variable: impl Fn(&str) -> Result<String, VarError>) -> Result<Wishes, WishError> {
        let get = |name: &'static str| match variable(name) {
            Ok(text) if !text.is_empty() => Ok(Some(text)),
            Ok(_) | Err(VarError::NotPresent) => Ok(None),
            Err(error) => Err(WishError { variable: name, reason: error.to_string() }),
        };
        let wrong = |variable, error: SettingError| WishError { variable, reason: error.to_string() };
        let gc = get(GC_VARIABLE)?.map(|text| text.parse().map_err(SettingError::from)).transpose();
        let check = get(CHECK_VARIABLE)?.map(|text| text.parse()).transpose();
        Ok(Wishes {
            gc: gc.map_err(|error| wrong(GC_VARIABLE, error))?,
            check: check.map_err(|error| wrong(CHECK_VARIABLE, error))?,
        })
    }

    /// The settings for one policy. Without checks even an unsound policy returns memory at once: whoever switches the
    /// checker off in a fuzz target wants the sanitizer to speak.
    fn settings(&self, gc: Policy, reference: Reference) -> Settings {
        let check = self.check.unwrap_or_default();
        Settings { gc, reference, check, allow_dangling: check == Check::Off, ..Settings::default() }
    }
}

/// A finding, in the words that the fuzzer's log shall contain.
fn report(signature: &str, gc: Policy) -> ! {
    panic!(
        "moonphase found: {signature}\nfor a report: moonphase check --gc {gc} FILE, with the file that is saved now"
    )
}

/// All oracles of the command, in one process.
pub struct Differential {
    oracles: Oracles,
    gc: Policy,
}

impl Differential {
    /// The oracles under the policy that is wished for, or the usual one.
    pub fn new(wishes: &Wishes) -> Differential {
        let gc = wishes.gc.unwrap_or_default();
        let settings = wishes.settings(gc, Reference::default());
        let subject = Box::new(VmEngine::new(settings.clone()));
        let engines = Engines { subject, references: open_references(&settings) };
        Differential { oracles: Oracles::with(engines, Limits::default()), gc }
    }

    /// Puts an input before the oracles.
    ///
    /// # Panics
    /// An oracle has spoken.
    pub fn run(&mut self, bytes: &[u8]) -> Fate {
        let Ok(input) = decode_input(bytes) else { return Fate::Rejected };
        let judgement = self.oracles.judge(input.source.as_bytes(), &[], Purpose::Detect, &mut |_| {});
        if let Some(detected) = judgement.detected {
            report(detected.as_str(), self.gc);
        }
        if judgement.inconclusive.is_some() { Fate::Inconclusive } else { Fate::Executed }
    }

    /// The numbers of the cells that the inputs covered since the last call, below [`CELLS`].
    pub fn take_cells(&mut self) -> Vec<usize> {
        self.oracles.take_cells().into_iter().map(usize::from).collect()
    }
}

/// Our VM alone, under every correct policy. What a script does may not depend on the policy either.
pub struct Invariants {
    engines: Vec<(Policy, Box<dyn Engine>)>,
}

/// Every preset, put right where it is faulty.
pub fn correct_policies() -> Vec<Policy> {
    Policy::PRESETS.iter().map(|policy| policy.corrected()).collect()
}

impl Invariants {
    /// Our VM under the policy that is wished for, or every correct one.
    pub fn new(wishes: &Wishes) -> Invariants {
        let policies = wishes.gc.map_or_else(correct_policies, |gc| vec![gc]);
        let engine =
            |gc| -> (Policy, Box<dyn Engine>) { (gc, Box::new(VmEngine::new(wishes.settings(gc, Reference::None)))) };
        Invariants { engines: policies.into_iter().map(engine).collect() }
    }

    /// The numbers of the cells that the inputs covered since the last call, each policy with its own; below [`CELLS`]
    /// for each.
    pub fn take_cells(&mut self) -> Vec<usize> {
        let engines = self.engines.iter_mut().enumerate();
        engines
            .flat_map(|(at, (_, engine))| {
                engine.take_cells().into_iter().map(move |cell| at * CELLS + usize::from(cell))
            })
            .collect()
    }

    /// Runs an input under each policy.
    ///
    /// # Panics
    /// The checker has spoken, or two policies made a script do different things.
    pub fn run(&mut self, bytes: &[u8]) -> Fate {
        let Ok(input) = decode_input(bytes) else { return Fate::Rejected };
        let mut fate = Fate::Executed;
        let mut first: Option<Outcome> = None;
        let case = Case::new(input.source.as_bytes(), CHUNK_NAME);
        for (gc, engine) in &mut self.engines {
            let run = engine.run(&case, &Limits::default());
            if let Some(sighting) = run.sightings.first() {
                report(sighting.signature.as_str(), *gc);
            }
            let told = |outcome| Outcome::in_words_of(outcome, engine.words());
            match first.as_ref().map(|first| compare(told(&run.outcome), told(first))) {
                Some(Comparison::Differ(difference)) => report(&format!("policies differ: {difference:?}"), *gc),
                Some(Comparison::Inconclusive(_)) => fate = Fate::Inconclusive,
                Some(Comparison::Agree) | None => {}
            }
            first.get_or_insert(run.outcome);
        }
        fate
    }
}

/// Offers any bytes as a source to our compiler and the reference's, which must accept the same ones. Nothing is run.
///
/// # Panics
/// One accepts the source and the other refuses it, and not because of a limit.
pub fn compare_parsers(source: &[u8]) -> Fate {
    let ours = load(source, &LANGUAGE);
    // A state for each input: one that lives on has garbage of its own, which looks like a leak from outside.
    let lua =
        Lua::new_with(StdLib::NONE, LuaOptions::default()).expect("a state without libraries has nothing to refuse");
    let reference = lua.load(source).set_name(CHUNK_NAME).set_mode(ChunkMode::Text).into_function();
    let reference = reference.map(drop).map_err(|error| match error {
        mlua::Error::SyntaxError { message, .. } => message,
        error => error.to_string(),
    });
    match (ours, reference) {
        (Ok(()), Ok(())) | (Err(_), Err(_)) => Fate::Executed,
        (Err(message), Ok(())) | (Ok(()), Err(message)) if puc::WORDS.is_large_source(&message) => Fate::Inconclusive,
        (Ok(()), Err(message)) => panic!("moonphase found: parser only the reference refuses: {message}"),
        (Err(message), Ok(())) => panic!("moonphase found: parser only we refuse: {message}"),
    }
}

/// Mutates source text: the counterpart of [`mutate`]. `bytewise` is the fuzzing engine's own mutator.
///
/// Bytes alone hardly ever become Lua, so that now and then the text is taken from a generated script.
pub fn mutate_source(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    bytewise: impl FnOnce(&mut [u8], usize, usize) -> usize,
) -> usize {
    if size > 1 && !seed.is_multiple_of(FRESH) {
        return bytewise(data, size, max_size);
    }
    let text = fresh(seed).render(&LANGUAGE).text;
    // Any part of it will do; a short one is soon varied into something new.
    let part = &text.as_bytes()[..text.len().min(max_size)];
    data[..part.len()].copy_from_slice(part);
    part.len()
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    const SIZE: usize = 4096;

    /// A few hundred inputs as a fuzzer makes them: mutants of mutants, and children of two.
    fn inputs() -> Vec<Vec<u8>> {
        let mut made: Vec<Vec<u8>> = Vec::new();
        let mut data = vec![0; SIZE];
        let mut size = 0;
        for seed in 0..400 {
            size = mutate(&mut data, size, SIZE, seed);
            made.push(data[..size].to_vec());
            if seed % 10 == 9 {
                let mut child = vec![0; SIZE];
                let size = crossover(&made[seed as usize / 3], &made[seed as usize], &mut child, seed);
                made.push(child[..size].to_vec());
            }
        }
        made
    }

    #[test]
    fn what_the_mutator_makes_can_be_decoded_and_runs() {
        let mut target = Invariants::new(&Wishes { gc: Some(Policy::LUA_54), check: Some(Check::Off) });
        let tally = Tally::new();
        for bytes in inputs() {
            tally.count(target.run(&bytes));
        }
        assert_eq!(tally.rejected.into_inner(), 0);
    }

    #[test]
    fn what_the_mutator_makes_is_what_decoding_gives_back() {
        for bytes in inputs() {
            let input = decode_input(&bytes).unwrap();
            assert_eq!(input.script.unwrap().encode(), bytes);
        }
    }

    #[test]
    fn mutation_changes_the_input_and_depends_on_the_seed_alone() {
        let original = fresh(7).encode();
        let mutant = |seed| {
            let mut data = original.clone();
            data.resize(SIZE, 0);
            let size = mutate(&mut data, original.len(), SIZE, seed);
            data[..size].to_vec()
        };
        let changed = (1..100).filter(|&seed| mutant(seed) != original).count();
        assert!(changed >= 95, "{changed}");
        assert!((1..100).all(|seed| mutant(seed) == mutant(seed)));
    }

    #[test]
    fn no_input_is_larger_than_asked_for() {
        let large = fresh(7).encode();
        assert!(large.len() > 64);
        for max_size in [0, 1, 2, 16, 64] {
            let mut data = large.clone();
            assert!(mutate(&mut data, large.len(), max_size, 1) <= max_size);
            assert!(mutate(&mut data, 0, max_size, 32) <= max_size);
            let mut out = vec![0; max_size];
            assert!(crossover(&large, &large, &mut out, 3) <= max_size);
            assert!(mutate_source(&mut data, 1, max_size, 0, |_, _, _| 0) <= max_size);
        }
    }

    #[test]
    fn text_with_a_header_is_an_input_and_mutates_into_a_script() {
        let text = b"-- moonphase: lua=5.4 gc=5.1\nprint(1)\n";
        assert_eq!(decode_input(text), Ok(Input { source: String::from_utf8_lossy(text).into(), script: None }));
        let mut data = text.to_vec();
        data.resize(SIZE, 0);
        let size = mutate(&mut data, text.len(), SIZE, 1);
        assert!(decode_input(&data[..size]).unwrap().script.is_some());
    }

    #[test]
    fn other_bytes_are_rejected_with_a_reason() {
        let reason = |bytes: &[u8]| decode_input(bytes).unwrap_err().to_string();
        assert_eq!(reason(b""), "the input is empty");
        assert!(reason(b"print(1)").contains("format version"));
        assert!(reason(b"-- moonphase: gc=9\n").starts_with("damaged header: line 1"));
        assert!(reason(b"-- moonphase: gc=5.1\nx = = 1").starts_with("not Lua: case.lua:2:"));
        assert_eq!(reason(b"-- moonphase: gc=5.1\n--\xff"), "the script is not UTF-8 text");
    }

    #[test]
    fn a_finding_panics_with_its_signature() {
        let text = include_bytes!("../../corpus/double-reload.lua");
        let found = catch_unwind(|| {
            Differential::new(&Wishes { gc: Some(Policy::LUA_51), check: None }).run(text);
        });
        let message = *found.unwrap_err().downcast::<String>().unwrap();
        assert!(message.starts_with("moonphase found: black-to-white setupvalue upvalue->table"), "{message}");
        assert_eq!(Differential::new(&Wishes::default()).run(text), Fate::Executed);
        assert_eq!(Invariants::new(&Wishes::default()).run(text), Fate::Executed);
    }

    #[test]
    fn every_correct_policy_is_sound() {
        let policies = correct_policies();
        assert_eq!(policies.len(), Policy::PRESETS.len());
        assert!(policies.iter().all(Policy::is_sound));
        assert!(policies.contains(&"5.1,setupvalue=upvalue".parse().unwrap()));
    }

    #[test]
    fn wishes_come_from_the_environment() {
        let read = |gc: &str, check: &str| {
            Wishes::read(|name| match name {
                GC_VARIABLE if !gc.is_empty() => Ok(gc.to_owned()),
                CHECK_VARIABLE => Ok(check.to_owned()),
                _ => Err(VarError::NotPresent),
            })
        };
        assert_eq!(read("", ""), Ok(Wishes::default()));
        let wishes = read("5.1", "off").unwrap();
        assert_eq!(wishes, Wishes { gc: Some(Policy::LUA_51), check: Some(Check::Off) });
        assert!(wishes.settings(Policy::LUA_51, Reference::None).allow_dangling);
        assert_eq!(read("9", "").unwrap_err().variable, GC_VARIABLE);
        assert!(read("", "maybe").unwrap_err().to_string().starts_with("MOONPHASE_CHECK: unknown check 'maybe'"));
    }

    #[test]
    fn both_compilers_agree_about_right_and_wrong_sources() {
        let sources: [&[u8]; 8] =
            [b"", b"#!lua\nx = 1", b"\x1bLua", b"\xef\xbb\xbfx = 1", b"x = 1", b"x = = 1", b"\xff", b"goto done"];
        for source in sources {
            assert_eq!(compare_parsers(source), Fate::Executed, "{source:?}");
        }
    }

    #[test]
    fn a_tally_says_how_much_was_executed() {
        let tally = Tally::new();
        assert_eq!(tally.to_string(), "executed 0 of 0 inputs (0.0%), 0 inconclusive");
        for fate in [Fate::Executed, Fate::Executed, Fate::Inconclusive, Fate::Rejected] {
            tally.count(fate);
        }
        assert_eq!(tally.to_string(), "executed 3 of 4 inputs (75.0%), 1 inconclusive");
    }
}
