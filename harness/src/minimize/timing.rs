//! When the collector's steps are made.
//!
//! What a script shows may depend on how far the collector is when a statement runs, and that changes with every object
//! that is taken away. So reductions are also tried with slightly more or fewer steps ([`retimed`]); and with the last
//! statements run again after each single step ([`stagings`]), which stays true whenever the right moment comes, until
//! nothing more can be taken away and [`narrow`] finds the number of steps.

use moonphase_vm::syntax::ast::*;
use moonphase_vm::syntax::code_lines;

use super::expressions::{call_of, string_of};
use super::statements::repetition;
use super::tree::{
    call_of_global, collect_garbage, edit_block, edit_statement, for_each_expression, made, repeated, replacements,
    splices, statement,
};
use crate::language::{Feature, Language};

/// As many steps as a small heap needs for a whole cycle, and some more.
pub(super) const CYCLE: i64 = 120;

/// The same where a step is as small as `setstepmul` can make it: an object, or some strings.
const CYCLE_OF_OBJECTS: i64 = 800;

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

/// Whether the main chunk itself makes a burst of steps.
pub(super) fn has_burst(chunk: &Chunk) -> bool {
    chunk.block.statements.iter().any(|statement| burst(statement).is_some())
}

/// Whether nothing but one statement follows the last burst of steps.
pub(super) fn ends_with_burst(chunk: &Chunk) -> bool {
    matches!(&chunk.block.statements[..], [.., steps, _] if burst(steps).is_some())
}

/// The chunk with its last burst of steps a little longer or shorter, small changes first.
pub(super) fn retimed(chunk: &Chunk) -> impl Iterator<Item = Chunk> {
    with_other_counts(chunk, REACH, 1)
}

/// The chunk with its last burst of steps of the lengths that its heap may need: all of them where it is small.
pub(super) fn at_any_time(chunk: &Chunk) -> impl Iterator<Item = Chunk> {
    /// How often the moment is looked for in a cycle.
    const MOMENTS: i64 = 30;
    let cycle = cycle_of(chunk, counts_objects(chunk));
    let stride = if cycle > 2 * CYCLE { cycle / 2 / MOMENTS } else { 1 };
    with_other_counts(chunk, cycle / 2, stride as usize)
}

/// As many steps as the heap of a chunk needs for a whole cycle, and some more: what a line makes is seldom more than two
/// objects.
fn cycle_of(chunk: &Chunk, counts_objects: bool) -> i64 {
    let library = if counts_objects { CYCLE_OF_OBJECTS } else { CYCLE };
    library.saturating_add(2 * code_lines(chunk) as i64)
}

/// Whether the chunk chooses the size of steps by `setstepmul`.
fn counts_objects(chunk: &Chunk) -> bool {
    chunk.block.statements.iter().any(|statement| is_option(statement, "setstepmul"))
}

fn with_other_counts(chunk: &Chunk, reach: i64, stride: usize) -> impl Iterator<Item = Chunk> {
    let last = bursts(chunk).pop();
    last.into_iter().flat_map(move |(number, count)| {
        let counts = (1..=reach)
            .step_by(stride)
            .flat_map(move |change| [count.saturating_sub(change), count.saturating_add(change)]);
        counts.filter(|count| *count > 0).map(move |count| {
            let mut candidate = chunk.clone();
            edit_statement(&mut candidate, number, |statements, at| set_count(&mut statements[at], count));
            candidate
        })
    })
}

fn set_count(statement: &mut Statement, count: i64) {
    if let StatementKind::NumericFor(node) = &mut statement.kind {
        node.limit.kind = ExpressionKind::Integer(count);
    }
}

/// The chunk up to the statement of that number, which is the first one that it does not run. What is not run is
/// compiled still, so that the collector does the same up to there.
pub(super) fn stopped_before(chunk: &Chunk, at: usize) -> Chunk {
    let mut stopped = chunk.clone();
    let end = Block { statements: vec![statement(StatementKind::Return(Vec::new()))] };
    stopped.block.statements.insert(at, statement(StatementKind::Do(end)));
    stopped
}

/// The chunk with a collector that does nothing before the end.
pub(super) fn without_turns(chunk: &Chunk) -> Chunk {
    let mut still = chunk.clone();
    remove_collector_calls(&mut still);
    still.block.statements.insert(0, collect_garbage("stop", &[]));
    still
}

/// The chunk with its last statements run after every single step of a whole cycle, and no other steps, with new strings and tables
/// where a call of them is given some; then with a burst of steps before its last statements, for those that can be run only once.
pub(super) fn stagings(chunk: &Chunk, language: &Language) -> Vec<Chunk> {
    let mut plain: Vec<Statement> = Vec::new();
    for statement in &chunk.block.statements {
        match repetition(statement) {
            // A staging that was made before.
            Some((body, _)) if body.first().is_some_and(is_step) => plain.extend_from_slice(&body[1..]),
            _ => plain.push(statement.clone()),
        }
    }
    let mut plain = Chunk { block: Block { statements: plain }, last_line: 0 };
    let mode = mode_of(remove_collector_calls(&mut plain), language);
    let plain = plain.block.statements;
    if matches!(plain.last().map(|last| &last.kind), Some(StatementKind::Return(_))) {
        return Vec::new();
    }
    let cycle = cycle_of(chunk, !language.has(Feature::Modes));
    let staging = |tail: usize, after: &[Statement], repeats: bool| {
        let before = &plain[..plain.len() - tail];
        let mut statements = vec![mode.clone(), collect_garbage("stop", &[])];
        statements.extend_from_slice(before);
        let step = collect_garbage("step", &[]);
        if repeats {
            statements.push(repeated(cycle, std::iter::once(step).chain(after.iter().cloned()).collect()));
        } else {
            statements.push(repeated(cycle / 6, vec![step]));
            statements.extend_from_slice(after);
        }
        Chunk { block: Block { statements }, last_line: 0 }
    };
    let tails = |longest: usize| 1..=longest.min(plain.len());
    let last = |tail: usize| &plain[plain.len() - tail..];
    let again = tails(4).flat_map(|tail| {
        let mut repeated = with_new_values(last(tail));
        repeated.push(last(tail).to_vec());
        repeated.into_iter().map(move |after| staging(tail, &after, true))
    });
    again.chain(tails(2).map(|tail| staging(tail, last(tail), false))).collect()
}

/// Statements with values that were never there before where calls are given others: a string in the place of a string, since equal
/// strings are one object, which is not new when it is made again; and a table in the place of a variable that comes last.
fn with_new_values(statements: &[Statement]) -> Vec<Vec<Statement>> {
    let table = || ExpressionKind::Table(Vec::new());
    let changed = |change: &dyn Fn(&mut Vec<Expression>)| {
        let mut changed = statements.to_vec();
        for statement in &mut changed {
            if let StatementKind::Call(call) = &mut statement.kind
                && let Some(arguments) = call.kind.arguments_mut()
            {
                change(arguments);
            }
        }
        changed
    };
    let strings = changed(&|arguments| {
        for argument in arguments.iter_mut().filter(|argument| makes_string(argument)) {
            argument.kind = call_of_global("tostring", vec![made(table())]);
        }
    });
    let tables = changed(&|arguments| {
        if let Some(last @ Expression { kind: ExpressionKind::Name(_), .. }) = arguments.last_mut() {
            last.kind = table();
        }
    });
    [strings, tables].into_iter().filter(|changed| changed != statements).collect()
}

/// Whether the value is a string, by the look of it.
fn makes_string(expression: &Expression) -> bool {
    match &expression.kind {
        ExpressionKind::String(_) => true,
        ExpressionKind::Binary(binary) => binary.operator == BinaryOperator::Concat,
        ExpressionKind::MethodCall(call) => {
            let object = match &call.object.kind {
                ExpressionKind::Parenthesized(inner) => inner,
                _ => &call.object,
            };
            string_of(object).is_some()
        }
        _ => false,
    }
}

/// The chunk with ever more of its last statements run again and again, with steps before each of them: for what shows only
/// if objects are made at one moment of a cycle and used at another.
pub(super) fn stressed(chunk: &Chunk, language: &Language) -> Vec<Chunk> {
    let mut plain = chunk.clone();
    let mode = mode_of(remove_collector_calls(&mut plain), language);
    let plain = plain.block.statements;
    if matches!(plain.last().map(|last| &last.kind), Some(StatementKind::Return(_))) {
        return Vec::new();
    }
    let step = || collect_garbage("step", &[]);
    let mut candidates = Vec::new();
    for tail in [2, 4, 8, 16, 32].into_iter().filter(|&tail| tail <= plain.len()) {
        for steps in [1, 4, 16] {
            let (before, after) = plain.split_at(plain.len() - tail);
            let mut body = vec![step()];
            for (number, statement) in after.iter().enumerate() {
                match steps {
                    _ if number == 0 => {}
                    1 => body.push(step()),
                    _ => body.push(repeated(steps, vec![step()])),
                }
                body.push(statement.clone());
            }
            let rounds = (4 * cycle_of(chunk, !language.has(Feature::Modes)) / (tail as i64 * steps)).clamp(4, CYCLE);
            let mut statements = vec![mode.clone(), collect_garbage("stop", &[])];
            statements.extend_from_slice(before);
            statements.push(repeated(rounds, body));
            candidates.push(Chunk { block: Block { statements }, last_line: 0 });
        }
    }
    candidates
}

/// The call that chooses the collector's mode, with steps as small as they can be; where there are no modes, the size of steps
/// alone.
pub(super) fn mode_of(generational: bool, language: &Language) -> Statement {
    match generational {
        _ if !language.has(Feature::Modes) => collect_garbage("setstepmul", &[1]),
        true => collect_garbage("generational", &[]),
        false => collect_garbage("incremental", &[100, 100, 1]),
    }
}

/// Removes all statements that call the collector, in functions too, and the loops that did nothing else. Says whether one
/// of them chose the generational mode.
fn remove_collector_calls(chunk: &mut Chunk) -> bool {
    let count = (0..).take_while(|&number| edit_block(chunk, number, |_| ()).is_some()).count();
    let mut generational = false;
    let nothing = |statement: &Statement| matches!(&statement.kind, StatementKind::NumericFor(node) if node.body.statements.is_empty());
    // Inner blocks have the higher numbers.
    for number in (0..count).rev() {
        edit_block(chunk, number, |block| {
            generational |= block.statements.iter().any(|statement| is_option(statement, "generational"));
            block.statements.retain(|statement| collector_call(statement).is_none() && !nothing(statement));
        });
    }
    generational
}

/// Takes what follows a step in a loop out of the loop, which then makes just as many steps as are needed: about as many as before,
/// where the loop had no turn too many.
pub(super) fn narrow(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    const NEAR: i64 = 12;
    const MOST: i64 = CYCLE;
    replacements(chunk, site, |statements, at| {
        let Some((body, count)) = repetition(&statements[at]) else { return Vec::new() };
        let Some((step, rest)) = body.split_first() else { return Vec::new() };
        if !is_step(step) || rest.is_empty() {
            return Vec::new();
        }
        let narrowed = |count| {
            let mut statements = vec![repeated(count, vec![step.clone()])];
            statements.extend_from_slice(rest);
            statements
        };
        let nearby = (0..=NEAR).flat_map(|change| [count.saturating_sub(change), count.saturating_add(change)]);
        let all = nearby.chain((1..count.min(MOST)).rev());
        all.filter(|&count| count > 0).map(narrowed).collect()
    })
}

/// Makes fewer turns of a loop of steps and other statements.
pub(super) fn fewer_turns(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    replacements(chunk, site, |statements, at| {
        let Some((body, count)) = repetition(&statements[at]) else { return Vec::new() };
        if !body.first().is_some_and(is_step) || body.len() == 1 {
            return Vec::new();
        }
        let fewer = [count / 2, count * 3 / 4, count * 7 / 8, count - 4, count - 1];
        let fewer = fewer.into_iter().filter(|fewer| (1..count).contains(fewer));
        fewer.map(|fewer| vec![repeated(fewer, body.to_vec())]).collect()
    })
}

/// One large step in the place of a burst of small ones, or of several steps.
pub(super) fn one_step(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    const LARGEST: i64 = 10;
    let by_default = splices(chunk, site, |statements, at| {
        let steps = statements[at..].iter().take_while(|&statement| is_step(statement) || burst(statement).is_some());
        let count = steps.count();
        if count > 1 || burst(&statements[at]).is_some() {
            (0..=LARGEST).map(|size| (count, vec![collect_garbage("step", &[size])])).collect()
        } else {
            Vec::new()
        }
    })?;
    let mut candidates: Vec<_> = by_default.iter().map(without_pace).collect();
    candidates.extend(by_default.iter().cloned());
    let (most, sizes) = if counts_objects(chunk) { (400, by_default.len()) } else { (100, 2) };
    for multiplier in (4..=most).step_by(4) {
        candidates
            .extend(by_default.iter().skip(1).take(sizes).map(|candidate| with_multiplier(candidate, multiplier)));
    }
    Some(candidates)
}

/// The chunk in a loop over sizes of one step, which stands where its last burst of steps stood: as many lines, and true in every Lua
/// whose collector comes to the moment with one of the sizes. What sets up the collector stays before it.
pub(super) fn over_a_range(chunk: &Chunk) -> Option<Chunk> {
    const LARGEST: i64 = 100;
    let statements = &chunk.block.statements;
    let at = statements.iter().rposition(|statement| burst(statement).is_some())?;
    if repetition(&statements[at]).is_none_or(|(body, _)| body.len() != 1) {
        return None;
    }
    let first = statements.iter().position(|statement| collector_call(statement).is_none())?.min(at);
    let mut step = collect_garbage("step", &[0]);
    if let StatementKind::Call(call) = &mut step.kind
        && let Some(size) = call.kind.arguments_mut().and_then(|arguments| arguments.last_mut())
    {
        size.kind = ExpressionKind::Name("n".into());
    }
    let mut body = statements[first..].to_vec();
    body[at - first] = step;
    let mut around = repeated(LARGEST, body);
    if let StatementKind::NumericFor(node) = &mut around.kind {
        node.variable.name = "n".into();
    }
    let statements = statements[..first].iter().cloned().chain([around]).collect();
    Some(Chunk { block: Block { statements }, last_line: 0 })
}

fn without_pace(chunk: &Chunk) -> Chunk {
    let mut candidate = chunk.clone();
    candidate
        .block
        .statements
        .retain(|statement| !is_option(statement, "incremental") && !is_option(statement, "setstepmul"));
    candidate
}

fn with_multiplier(chunk: &Chunk, multiplier: i64) -> Chunk {
    let mut candidate = chunk.clone();
    for_each_expression(&mut candidate.block, &mut |expression| {
        let option = call_of(expression, "collectgarbage").and_then(|arguments| string_of(arguments.first()?));
        let place = match option {
            Some(b"incremental") => 2,
            Some(b"setstepmul") => 1,
            _ => return,
        };
        if let Some(argument) = expression.kind.arguments_mut().and_then(|arguments| arguments.get_mut(place)) {
            argument.kind = ExpressionKind::Integer(multiplier);
        }
    });
    candidate
}
