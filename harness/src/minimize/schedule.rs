//! From a schedule to steps that a script makes itself, so that it needs no schedule any more.
//!
//! A turn of a schedule may fall inside of an expression, where no statement can stand, and changing the text changes
//! which points there are: so these are proposals, and the judge has to see whether one of them shows the same.

use moonphase_vm::syntax::ast::*;
use moonphase_vm::syntax::print_chunk;

use super::CHUNK_NAME;
use super::timing::{CYCLE, mode_of};
use super::tree::{collect_garbage, count_hook, edit_block, load, repeated};
use crate::language::{Feature, Language};
use crate::schedule::TurnsAt;

/// Numbers of steps that are tried before every statement.
const EVERYWHERE: &[i64] = &[1, 2, 3, 5, 8, 13, 20];

/// How many places at the end of the main chunk are tried with every number of steps.
const PLACES: usize = 3;

/// How many are tried with a number of steps in so many.
const MORE_PLACES: usize = 30;
const COARSE: usize = 4;

/// After how many instructions a hook may make steps, and how many: up to so much of a cycle.
const INSTRUCTIONS: i64 = 24;
const HOOKED: i64 = 3;

/// The text as it is printed, one statement a line; `None` where it isn't Lua.
pub(crate) fn one_statement_a_line(text: &str, language: &Language) -> Option<String> {
    parsed(text, language).map(|chunk| print_chunk(&chunk))
}

/// Texts that make steps themselves, where `text` shows something by the turns of a schedule: at the statements where those
/// turns fell, and before every statement. The lines of `turned` are those of `text`.
pub(crate) fn with_steps(text: &str, language: &Language, turned: &[TurnsAt]) -> Vec<String> {
    let Some(chunk) = parsed(text, language) else { return Vec::new() };
    let turns_in = |first: u32, next: u32| {
        let fell = turned.iter().filter(|turned| (first..next).contains(&turned.line));
        fell.map(|turned| i64::from(turned.turns)).sum::<i64>()
    };
    let mut candidates = vec![
        stepping(&chunk, &|line, next, _| turns_in(line, next)),
        stepping(&chunk, &|line, _, previous| turns_in(previous, line)),
    ];
    candidates.extend(EVERYWHERE.iter().map(|&count| stepping(&chunk, &|_, _, _| count)));
    candidates.into_iter().map(|chunk| by_single_turns(chunk, language)).collect()
}

/// Texts with a burst of steps before one of the last statements of `text`.
pub(crate) fn with_bursts(text: &str, language: &Language) -> impl Iterator<Item = String> + use<> {
    let language = *language;
    parsed(text, &language).into_iter().flat_map(move |chunk| {
        let count = chunk.block.statements.len();
        let last = move |places: usize| (count.saturating_sub(places)..count).rev();
        let finely = last(PLACES).flat_map(|place| (1..=CYCLE).map(move |turns| (place, turns)));
        // What follows the statement that shows it may still be there, since taking it away shifts a schedule's turns.
        let coarsely = last(MORE_PLACES).flat_map(|place| (1..=CYCLE).step_by(COARSE).map(move |turns| (place, turns)));
        finely.chain(coarsely).map(move |(place, turns)| {
            let mut candidate = chunk.clone();
            candidate.block.statements.insert(place, repeated(turns, vec![collect_garbage("step", &[])]));
            by_single_turns(candidate, &language)
        })
    })
}

/// Texts that load `text`, with a collector that works whenever something is allocated: for turns that fell while it was loaded.
pub(crate) fn while_loading(text: &str, language: &Language) -> impl Iterator<Item = String> + use<> {
    let modes: &'static [(&str, &[i64])] = if language.has(Feature::Modes) {
        &[
            ("incremental", &[100, 1, 1]),
            ("incremental", &[100, 20, 1]),
            ("incremental", &[100, 100, 1]),
            ("generational", &[1, 100]),
        ]
    } else {
        &[("setstepmul", &[1]), ("setstepmul", &[20]), ("setstepmul", &[100])]
    };
    let load = load(text.trim_end(), language);
    let moments = (0..=CYCLE).flat_map(move |turns| modes.iter().map(move |&mode| (turns, mode)));
    moments.map(move |(turns, (mode, parameters))| {
        let burst = repeated(turns, vec![collect_garbage("step", &[])]);
        let statements = vec![collect_garbage(mode, parameters), burst, load.clone()];
        print_chunk(&Chunk { block: Block { statements }, last_line: 0 })
    })
}

/// Texts with a hook that makes steps between the instructions of one of the last statements of `text`: for turns that fell inside
/// of an expression. In incremental mode, and in generational mode, where a step is a whole collection.
pub(crate) fn with_hooks(text: &str, language: &Language) -> impl Iterator<Item = String> + use<> {
    let language = *language;
    parsed(text, &language).into_iter().flat_map(move |chunk| {
        let count = chunk.block.statements.len();
        let places = (count.saturating_sub(PLACES)..count).rev();
        let turns = places.flat_map(|place| (1..=CYCLE / HOOKED).map(move |turns| (false, place, turns)));
        let generational =
            (0..=count).rev().filter(move |_| language.has(Feature::Modes)).map(|place| (true, place, 1));
        let all = generational.chain(turns);
        let all =
            all.flat_map(|(mode, place, turns)| (1..=INSTRUCTIONS).map(move |period| (mode, place, turns, period)));
        all.map(move |(generational, place, turns, period)| {
            let mut candidate = chunk.clone();
            let step = collect_garbage("step", &[]);
            let steps = if turns == 1 { step } else { repeated(turns, vec![step]) };
            candidate.block.statements.insert(place, count_hook(steps, period));
            in_mode(generational, candidate, &language)
        })
    })
}

/// The text in the collector's generational mode, as it is and with a step before every statement.
pub(crate) fn generational(text: &str, language: &Language) -> Vec<String> {
    let chunk = parsed(text, language).filter(|_| language.has(Feature::Modes));
    let Some(chunk) = chunk else { return Vec::new() };
    let mut candidates = vec![chunk.clone(), stepping(&chunk, &|_, _, _| 1)];
    for candidate in &mut candidates {
        candidate.block.statements.insert(0, collect_garbage("generational", &[]));
    }
    candidates.iter().map(print_chunk).collect()
}

fn parsed(text: &str, language: &Language) -> Option<Chunk> {
    language.parse(text.as_bytes(), CHUNK_NAME).ok()
}

/// The chunk with steps before each statement, as many as `count` says for its line, the line of what follows it and that of
/// what comes before it in its block.
fn stepping(chunk: &Chunk, count: &dyn Fn(u32, u32, u32) -> i64) -> Chunk {
    let mut chunk = chunk.clone();
    // What is inserted makes blocks too, the loops of bursts, which come after the one that they are inserted into.
    let mut number = 0;
    while edit_block(&mut chunk, number, |block| step_in(block, count)).is_some() {
        number += 1;
    }
    chunk
}

fn step_in(block: &mut Block, count: &dyn Fn(u32, u32, u32) -> i64) {
    let lines: Vec<u32> = block.statements.iter().map(|statement| statement.span.line).collect();
    // What was made here has no line.
    if lines.contains(&0) {
        return;
    }
    let mut stepped = Vec::with_capacity(2 * lines.len());
    for (index, statement) in std::mem::take(&mut block.statements).into_iter().enumerate() {
        let line = lines[index];
        let next = lines.get(index + 1).copied().unwrap_or(line + 1);
        let previous = index.checked_sub(1).map_or(line, |previous| lines[previous]);
        let step = || collect_garbage("step", &[]);
        match count(line, next, previous) {
            ..=0 => {}
            1 => stepped.push(step()),
            count => stepped.push(repeated(count, vec![step()])),
        }
        stepped.push(statement);
    }
    block.statements = stepped;
}

/// The text of the chunk, with steps that are single turns, and the only ones.
fn by_single_turns(chunk: Chunk, language: &Language) -> String {
    in_mode(false, chunk, language)
}

/// The text of the chunk in a mode of the collector, with steps as small as they can be, and the only ones.
fn in_mode(generational: bool, mut chunk: Chunk, language: &Language) -> String {
    chunk.block.statements.splice(0..0, [mode_of(generational, language), collect_garbage("stop", &[])]);
    print_chunk(&chunk)
}
