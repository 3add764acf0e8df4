//! Reductions of expressions: simpler values, fewer arguments, parameters and fields.

use std::ops::Range;
use std::rc::Rc;

use moonphase_vm::syntax::ast::*;

use super::tree::{edit_expression, edit_function, is_name, made};

/// Puts something simpler in the place of an expression.
pub(super) fn simplify(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    let mut scratch = chunk.clone();
    let simpler = edit_expression(&mut scratch, site, |expression| simpler(&expression.kind))?;
    Some(
        simpler
            .into_iter()
            .map(|kind| {
                let mut candidate = chunk.clone();
                edit_expression(&mut candidate, site, |expression| expression.kind = kind);
                candidate
            })
            .collect(),
    )
}

fn simpler(kind: &ExpressionKind) -> Vec<ExpressionKind> {
    let parts: Vec<&Expression> = match kind {
        ExpressionKind::String(text) if text.len() > 1 && !text.is_empty() => {
            return vec![ExpressionKind::String(Rc::from(&b""[..])), ExpressionKind::String(Rc::from(&text[..1]))];
        }
        ExpressionKind::Float(_) => return vec![ExpressionKind::Integer(1)],
        ExpressionKind::Nil
        | ExpressionKind::True
        | ExpressionKind::False
        | ExpressionKind::Vararg
        | ExpressionKind::Integer(_)
        | ExpressionKind::String(_)
        | ExpressionKind::Name(_) => return Vec::new(),
        ExpressionKind::Index(index) => vec![&index.object],
        // An argument first: a call is mostly made for what it does with them.
        ExpressionKind::Call(call) => call.arguments.iter().chain([&call.function]).collect(),
        ExpressionKind::MethodCall(call) => call.arguments.iter().chain([&call.object]).collect(),
        ExpressionKind::Function(_) => Vec::new(),
        ExpressionKind::Unary { operand, .. } => vec![operand],
        ExpressionKind::Binary(binary) => vec![&binary.left, &binary.right],
        ExpressionKind::Table(fields) => fields
            .iter()
            .map(|field| match field {
                Field::Item(value) | Field::Named(_, value) | Field::Keyed(_, value) => value,
            })
            .collect(),
        ExpressionKind::Parenthesized(inner) => vec![inner],
    };
    let mut simpler = vec![ExpressionKind::Nil, ExpressionKind::Table(Vec::new())];
    simpler.extend(parts.into_iter().map(|part| part.kind.clone()));
    simpler.extend([ExpressionKind::Integer(1), ExpressionKind::String(Rc::from(&b""[..]))]);
    if matches!(kind, ExpressionKind::Binary(_) | ExpressionKind::MethodCall(_)) {
        // A string made at run time is white. A constant is not once the collector has come to its function, which
        // would tie the text to one moment.
        simpler.retain(|simpler| !matches!(simpler, ExpressionKind::String(_)));
    }
    simpler
}

/// Drops an argument of a call or a field of a table constructor, the last ones first.
pub(super) fn drop_parts(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    drop_each(chunk, site, droppable)
}

/// Drops an argument of a call that chooses the collector's mode or numbers, where no number is needed.
pub(super) fn drop_numbers_of_the_collector(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    drop_each(chunk, site, |expression| match call_of(expression, "collectgarbage") {
        Some(arguments) => 0..arguments.len(),
        None => 0..0,
    })
}

fn drop_each(chunk: &Chunk, site: usize, droppable: fn(&Expression) -> Range<usize>) -> Option<Vec<Chunk>> {
    let mut scratch = chunk.clone();
    let parts = edit_expression(&mut scratch, site, |expression| droppable(expression))?;
    Some(
        parts
            .rev()
            .map(|at| {
                let mut candidate = chunk.clone();
                edit_expression(&mut candidate, site, |expression| remove_part(&mut expression.kind, at));
                candidate
            })
            .collect(),
    )
}

/// The places of the arguments or fields that may be dropped. Without its numbers a call of the collector would not say
/// any more what it does.
fn droppable(expression: &Expression) -> Range<usize> {
    match &expression.kind {
        ExpressionKind::Call(call) if is_name(&call.function, "collectgarbage") => {
            let step = call.arguments.first().and_then(string_of) == Some(b"step");
            if step { 1..call.arguments.len() } else { 0..0 }
        }
        ExpressionKind::Table(fields) => 0..fields.len(),
        kind => 0..kind.arguments().map_or(0, Vec::len),
    }
}

fn remove_part(kind: &mut ExpressionKind, at: usize) {
    if let ExpressionKind::Table(fields) = kind {
        fields.remove(at);
    } else if let Some(arguments) = kind.arguments_mut() {
        arguments.remove(at);
    }
}

/// Puts a function that another one returns in its place.
pub(super) fn returned_functions(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    let mut scratch = chunk.clone();
    let returned = edit_function(&mut scratch, site, |body| match body.block.statements.last() {
        Some(Statement { kind: StatementKind::Return(values), .. }) => match values.as_slice() {
            [Expression { kind: ExpressionKind::Function(inner), .. }] => Some(inner.clone()),
            _ => None,
        },
        _ => None,
    })?;
    let candidate = |inner: Box<FunctionBody>| {
        let mut candidate = chunk.clone();
        edit_function(&mut candidate, site, |body| *body = *inner);
        candidate
    };
    Some(returned.map(candidate).into_iter().collect())
}

/// Drops a parameter of a function, or the values of a `return` in it.
pub(super) fn drop_parameters(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    let mut scratch = chunk.clone();
    let (count, variadic) = edit_function(&mut scratch, site, |body| (body.parameters.len(), body.variadic))?;
    let mut candidates = Vec::new();
    if variadic {
        let mut candidate = chunk.clone();
        edit_function(&mut candidate, site, |body| body.variadic = false);
        candidates.push(candidate);
    }
    for at in (0..count).rev() {
        let mut candidate = chunk.clone();
        edit_function(&mut candidate, site, |body| drop(body.parameters.remove(at)));
        candidates.push(candidate);
    }
    let mut candidate = chunk.clone();
    edit_function(&mut candidate, site, |body| {
        if let Some(Statement { kind: StatementKind::Return(values), .. }) = body.block.statements.last_mut() {
            values.pop();
        }
    });
    candidates.push(candidate);
    Some(candidates)
}

/// Makes an integer in a table or in arithmetic smaller.
pub(super) fn smaller_numbers(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    let mut scratch = chunk.clone();
    let smaller = edit_expression(&mut scratch, site, |expression| {
        let mut smaller = Vec::new();
        for (at, number) in numbers(expression).into_iter().enumerate() {
            let lower = [0, 1, *number / 2].into_iter().filter(|lower| (0..*number).contains(lower));
            smaller.extend(lower.map(|lower| (at, lower)));
        }
        smaller
    })?;
    let candidate = |(at, lower): (usize, i64)| {
        let mut candidate = chunk.clone();
        edit_expression(&mut candidate, site, |expression| {
            if let Some(number) = numbers(expression).into_iter().nth(at) {
                *number = lower;
            }
        });
        candidate
    };
    Some(smaller.into_iter().map(candidate).collect())
}

/// The integers that are fields or operands of an expression.
fn numbers(expression: &mut Expression) -> Vec<&mut i64> {
    let parts: Vec<&mut Expression> = match &mut expression.kind {
        ExpressionKind::Table(fields) => fields
            .iter_mut()
            .map(|field| match field {
                Field::Item(value) | Field::Named(_, value) | Field::Keyed(_, value) => value,
            })
            .collect(),
        ExpressionKind::Binary(binary) => {
            let Binary { left, right, .. } = &mut **binary;
            vec![left, right]
        }
        _ => Vec::new(),
    };
    let number = |part| match part {
        &mut Expression { kind: ExpressionKind::Integer(ref mut number), .. } => Some(number),
        _ => None,
    };
    parts.into_iter().filter_map(number).collect()
}

/// Whether the expression is a call of a global function of that name.
pub(super) fn call_of<'e>(expression: &'e Expression, name: &str) -> Option<&'e [Expression]> {
    match &expression.kind {
        ExpressionKind::Call(call) if is_name(&call.function, name) => Some(&call.arguments),
        _ => None,
    }
}

/// A string without effects as a name or key of the language.
pub(super) fn string_of(expression: &Expression) -> Option<&[u8]> {
    match &expression.kind {
        ExpressionKind::String(text) => Some(text),
        _ => None,
    }
}

/// The expression in parentheses, if it needs them to be called.
pub(super) fn callable(kind: ExpressionKind) -> Expression {
    match kind {
        ExpressionKind::Function(_) => made(ExpressionKind::Parenthesized(Box::new(made(kind)))),
        kind => made(kind),
    }
}
