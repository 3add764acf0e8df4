//! When the collector's steps are made.
//!
//! What a script shows may depend on how far the collector is when a statement runs, and that changes with every object
//! that is taken away. So reductions are also tried with slightly more or fewer steps ([`retimed`]); and with the last
//! statements run again after each single step ([`stagings`]), which stays true whenever the right moment comes, until
//! nothing more can be taken away and [`narrow`] finds the number of steps.

use moonphase_vm::syntax::ast::*;

use super::expressions::{call_of, string_of};
use super::statements::repetition;
use super::tree::{collect_garbage, edit_statement, for_each_expression, repeated, replacements};

/// As many steps as a small heap needs for a whole cycle, and some more.
pub(super) const CYCLE: i64 = 120;

/// By how much the number of steps is changed for a candidate.
const REACH: i64 = 12;

/// The arguments of a statement that is a call of `collectgarbage`.
fn collector_call(statement: &Statement) -> Option<&[Expression]> {
    match &statement.kind {
        StatementKind::Call(call) => call_of(call, "collectgarbage"),
        _ => None,
    }
}

fn is_option(statement: &Statement, option: &str) -> bool {
    collector_call(statement)
        .and_then(|arguments| arguments.first())
        .and_then(string_of)
        .is_some_and(|text| text == option.as_bytes())
}

fn is_step(statement: &Statement) -> bool {
    is_option(statement, "step")
}

/// The number of turns of a loop that does nothing but collector steps.
fn burst(statement: &Statement) -> Option<i64> {
    let (body, count) = repetition(statement)?;
    (!body.is_empty() && body.iter().all(is_step)).then_some(count)
}

/// The numbers of the statements that are bursts of steps.
fn bursts(chunk: &Chunk) -> Vec<(usize, i64)> {
    let mut scratch = chunk.clone();
    (0..)
        .map_while(|number| edit_statement(&mut scratch, number, |statements, at| (number, burst(&statements[at]))))
        .filter_map(|(number, count)| Some((number, count?)))
        .collect()
}

/// Whether nothing but one statement follows the last burst of steps.
pub(super) fn ends_with_burst(chunk: &Chunk) -> bool {
    matches!(&chunk.block.statements[..], [.., steps, _] if burst(steps).is_some())
}

/// The chunk with its last burst of steps a little longer or shorter, small changes first.
pub(super) fn retimed(chunk: &Chunk) -> impl Iterator<Item = Chunk> {
    with_other_counts(chunk, REACH)
}

/// The chunk with its last burst of steps of every length that a small heap may need.
pub(super) fn at_any_time(chunk: &Chunk) -> impl Iterator<Item = Chunk> {
    with_other_counts(chunk, CYCLE / 2)
}

fn with_other_counts(chunk: &Chunk, reach: i64) -> impl Iterator<Item = Chunk> {
    let last = bursts(chunk).pop();
    last.into_iter().flat_map(move |(number, count)| {
        let counts = (1..=reach).flat_map(move |change| [count.saturating_sub(change), count.saturating_add(change)]);
        counts.filter(|count| *count > 0).map(move |count| {
            let mut candidate = chunk.clone();
            edit_statement(&mut candidate, number, |statements, at| set_count(&mut statements[at], count));
            candidate
        })
    })
}

fn set_count(statement: &mut Statement, count: i64) {
    if let StatementKind::NumericFor { limit, .. } = &mut statement.kind {
        limit.kind = ExpressionKind::Integer(count);
    }
}

/// The chunk with its last statements run after every single step of a whole cycle, and no other steps; then with a
/// burst of steps before its last statements, for those that can be run only once.
pub(super) fn stagings(chunk: &Chunk) -> Vec<Chunk> {
    let mut plain: Vec<Statement> = Vec::new();
    for statement in &chunk.block.statements {
        match repetition(statement) {
            // A staging that was made before.
            Some((body, _)) if body.first().is_some_and(is_step) => plain.extend_from_slice(&body[1..]),
            _ => plain.push(statement.clone()),
        }
    }
    plain.retain(|statement| collector_call(statement).is_none());
    if matches!(plain.last().map(|last| &last.kind), Some(StatementKind::Return(_))) {
        return Vec::new();
    }
    let staging = |tail: usize, repeats: bool| {
        let (before, after) = plain.split_at(plain.len() - tail);
        let mut statements = vec![collect_garbage("incremental", &[100, 100, 1]), collect_garbage("stop", &[])];
        statements.extend_from_slice(before);
        let step = collect_garbage("step", &[0]);
        if repeats {
            statements.push(repeated(CYCLE, std::iter::once(step).chain(after.iter().cloned()).collect()));
        } else {
            statements.push(repeated(CYCLE / 6, vec![step]));
            statements.extend_from_slice(after);
        }
        Chunk { block: Block { statements }, last_line: 0 }
    };
    let tails = |longest: usize| 1..=longest.min(plain.len());
    let again = tails(4).map(|tail| staging(tail, true));
    again.chain(tails(2).map(|tail| staging(tail, false))).collect()
}

/// Takes what follows a step in a loop out of the loop, which then makes just as many steps as are needed.
pub(super) fn narrow(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    replacements(chunk, site, |statements, at| {
        let Some((body, count)) = repetition(&statements[at]) else { return Vec::new() };
        let Some(((step, rest), count)) = body.split_first().zip(Some(count.min(CYCLE))) else { return Vec::new() };
        if !is_step(step) || rest.is_empty() {
            return Vec::new();
        }
        let narrowed = |count| {
            let mut statements = vec![repeated(count, vec![step.clone()])];
            statements.extend_from_slice(rest);
            statements
        };
        (1..=count).map(narrowed).collect()
    })
}

/// One large step in the place of a burst of small ones.
pub(super) fn one_step(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    const LARGEST: i64 = 10;
    let by_default = replacements(chunk, site, |statements, at| match burst(&statements[at]) {
        Some(_) => (0..=LARGEST).map(|size| vec![collect_garbage("step", &[size])]).collect(),
        None => Vec::new(),
    })?;
    let mut candidates: Vec<_> = by_default.iter().map(without_pace).collect();
    candidates.extend(by_default.iter().cloned());
    for multiplier in (4..=100).step_by(4) {
        candidates.extend(by_default.iter().skip(1).take(2).map(|candidate| with_multiplier(candidate, multiplier)));
    }
    Some(candidates)
}

fn without_pace(chunk: &Chunk) -> Chunk {
    let mut candidate = chunk.clone();
    candidate.block.statements.retain(|statement| !is_option(statement, "incremental"));
    candidate
}

fn with_multiplier(chunk: &Chunk, multiplier: i64) -> Chunk {
    let mut candidate = chunk.clone();
    for_each_expression(&mut candidate.block, &mut |expression| {
        if call_of(expression, "collectgarbage").and_then(|arguments| string_of(arguments.first()?))
            == Some(&b"incremental"[..])
            && let ExpressionKind::Call { arguments, .. } = &mut expression.kind
            && let Some(argument) = arguments.get_mut(2)
        {
            argument.kind = ExpressionKind::Integer(multiplier);
        }
    });
    candidate
}
