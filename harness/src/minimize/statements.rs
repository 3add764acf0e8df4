//! Reductions of statements: blocks are unwrapped, repetitions joined.

use moonphase_vm::syntax::ast::*;

use super::tree::{functions_in, local, repeated, replacements, splices, statement, text_of};

/// Runs of equal statements at least this long may become a loop.
const SHORTEST_RUN: usize = 4;

/// Puts the inside of a statement in its place: of a block, a loop, a branch, or a function that it makes.
pub(super) fn unwrap(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    replacements(chunk, site, |statements, at| {
        let blocks: Vec<Block> = match &statements[at].kind {
            StatementKind::Do(body) | StatementKind::While { body, .. } | StatementKind::Repeat { body, .. } => {
                vec![body.clone()]
            }
            StatementKind::NumericFor(node) => {
                vec![node.body.clone(), scope(std::slice::from_ref(&node.variable), &node.body)]
            }
            StatementKind::GenericFor(node) => vec![node.body.clone(), scope(&node.variables, &node.body)],
            StatementKind::If { arms, otherwise } => {
                arms.iter().map(|arm| &arm.block).chain(otherwise).cloned().collect()
            }
            _ => functions_in(&statements[at]).into_iter().map(|function| function.block).collect(),
        };
        blocks.into_iter().map(without_return).collect()
    })
}

/// The body of a loop with its variables in a block of their own, which closes them as the loop does.
fn scope(variables: &[NameAt], body: &Block) -> Block {
    let mut statements = vec![local(variables.to_vec(), Vec::new())];
    statements.extend(without_return(body.clone()));
    Block { statements: vec![statement(StatementKind::Do(Block { statements }))] }
}

/// Drops a branch of an `if`, which keeps at least one with a condition.
pub(super) fn drop_branches(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    replacements(chunk, site, |statements, at| {
        let StatementKind::If { arms, otherwise } = &statements[at].kind else { return Vec::new() };
        let with = |arms: Vec<Arm>, otherwise: Option<Block>| {
            let mut smaller = statements[at].clone();
            smaller.kind = StatementKind::If { arms, otherwise };
            vec![smaller]
        };
        let without_arm = (0..arms.len()).filter(|_| arms.len() > 1).map(|index| {
            let mut fewer = arms.clone();
            fewer.remove(index);
            with(fewer, otherwise.clone())
        });
        let without_else = otherwise.iter().map(|_| with(arms.clone(), None));
        without_arm.chain(without_else).collect()
    })
}

/// The statements of a block without a `return` or `break` at the end, which may not stand where they go.
pub(super) fn without_return(block: Block) -> Vec<Statement> {
    let mut statements = block.statements;
    if matches!(statements.last().map(|last| &last.kind), Some(StatementKind::Return(_) | StatementKind::Break)) {
        statements.pop();
    }
    statements
}

/// The body and the count of a loop that only repeats.
pub(super) fn repetition(statement: &Statement) -> Option<(&[Statement], i64)> {
    match &statement.kind {
        StatementKind::NumericFor(node) if *node.variable.name == *"_" && node.step.is_none() => {
            match (&node.start.kind, &node.limit.kind) {
                (ExpressionKind::Integer(1), ExpressionKind::Integer(count)) => Some((&node.body.statements, *count)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Joins a loop with an equal one, or with one more turn of it, that stands beside it.
pub(super) fn join_repetitions(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    splices(chunk, site, |statements, at| {
        let rest = &statements[at..];
        let mut joined = Vec::new();
        for (first, second) in [(0, 1), (1, 0)] {
            let (Some(first), Some(second)) = (rest.get(first), rest.get(second)) else { continue };
            let Some((body, count)) = repetition(first) else { continue };
            let more = match repetition(second) {
                Some((other, more)) if text_of(other) == text_of(body) => more,
                None if body.len() == 1 && text_of(std::slice::from_ref(second)) == text_of(body) => 1,
                _ => continue,
            };
            joined.push((2, vec![repeated(count.saturating_add(more), body.to_vec())]));
        }
        joined
    })
}

/// Makes a loop of a run of equal statements.
pub(super) fn fold_runs(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    splices(chunk, site, |statements, at| {
        let text = |statement: &Statement| text_of(std::slice::from_ref(statement));
        let first = text(&statements[at]);
        let length = statements[at..].iter().take_while(|statement| text(statement) == first).count();
        if length < SHORTEST_RUN {
            return Vec::new();
        }
        vec![(length, vec![repeated(length as i64, vec![statements[at].clone()])])]
    })
}

/// Makes a loop run fewer times.
pub(super) fn fewer_turns(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    replacements(chunk, site, |statements, at| {
        let StatementKind::NumericFor(node) = &statements[at].kind else { return Vec::new() };
        let ExpressionKind::Integer(turns) = node.limit.kind else { return Vec::new() };
        let fewer = [1, 2, turns / 2, turns - 1].into_iter().filter(|fewer| (1..turns).contains(fewer));
        fewer
            .map(|fewer| {
                let mut shorter = statements[at].clone();
                if let StatementKind::NumericFor(node) = &mut shorter.kind {
                    node.limit.kind = ExpressionKind::Integer(fewer);
                }
                vec![shorter]
            })
            .collect()
    })
}
