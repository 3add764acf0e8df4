//! Reductions of variables: their values take their place, their declarations are joined, their names get short.

use std::collections::HashMap;

use moonphase_vm::syntax::ast::*;

use super::expressions::{callable, string_of};
use super::tree::{
    edit_statement, for_each_expression, is_name, local, made, name_at, names_in, rename_all, replacements, splices,
    statement, substitute, text_of, uses_of,
};

/// Tables whose fields are the standard library.
const LIBRARIES: &[&str] = &["_G", "coroutine", "debug", "io", "math", "os", "package", "string", "table", "utf8"];

/// Puts the value of a variable in the place of its uses, and drops the statement that gave it the value.
pub(super) fn inline_values(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    let mut scratch = chunk.clone();
    let given = edit_statement(&mut scratch, site, |statements, at| given(&statements[at]))?;
    let candidate = |(name, value, rest): (Name, ExpressionKind, Option<StatementKind>)| {
        let mut candidate = chunk.clone();
        edit_statement(&mut candidate, site, |statements, at| match rest {
            Some(rest) => statements[at].kind = rest,
            None => drop(statements.remove(at)),
        });
        // What is made anew each time is written at several places only if that is short.
        let uses = uses_of(&candidate.block, &name);
        let alone = Block { statements: vec![local(vec![name_at("x")], vec![made(value.clone())])] };
        let short = text_of(&alone.statements).len() < 40;
        // A value that mentions its own variable cannot do without it.
        if uses == 0 || (uses > 1 && !short) || uses_of(&alone, &name) > 0 {
            return None;
        }
        substitute(&mut candidate.block, &name, &callable(value).kind);
        Some(candidate)
    };
    Some(given.into_iter().filter_map(candidate).collect())
}

/// The variables that a statement gives values to, with what is left of the statement without them.
fn given(statement: &Statement) -> Vec<(Name, ExpressionKind, Option<StatementKind>)> {
    match &statement.kind {
        StatementKind::Local { names, values } if names.len() == values.len() => (0..names.len())
            .map(|at| {
                let (mut rest_names, mut rest_values) = (names.clone(), values.clone());
                let name = rest_names.remove(at).name.name;
                let value = rest_values.remove(at).kind;
                let rest = StatementKind::Local { names: rest_names, values: rest_values };
                (name, value, (names.len() > 1).then_some(rest))
            })
            .collect(),
        StatementKind::Assign { targets, values } if targets.len() == values.len() => (0..targets.len())
            .filter_map(|at| {
                let (mut rest_targets, mut rest_values) = (targets.clone(), values.clone());
                let ExpressionKind::Name(name) = rest_targets.remove(at).kind else { return None };
                let value = rest_values.remove(at).kind;
                let rest = StatementKind::Assign { targets: rest_targets, values: rest_values };
                Some((name, value, (targets.len() > 1).then_some(rest)))
            })
            .collect(),
        StatementKind::LocalFunction { name, body } => {
            vec![(name.name.clone(), ExpressionKind::Function(body.clone()), None)]
        }
        StatementKind::Function(function) if function.fields.is_empty() && function.method.is_none() => {
            let body = Box::new(function.body.clone());
            vec![(function.base.name.clone(), ExpressionKind::Function(body), None)]
        }
        _ => Vec::new(),
    }
}

/// Joins `local` statements that follow each other, and a `local` with the assignment that follows it.
pub(super) fn merge_declarations(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    /// More on a line would not be read easily.
    const MOST_NAMES: usize = 4;
    splices(chunk, site, |statements, at| {
        let (Some(first), Some(second)) = (statements.get(at), statements.get(at + 1)) else { return Vec::new() };
        let StatementKind::Local { names, values } = &first.kind else { return Vec::new() };
        if values.len() > names.len() || text_of(&statements[at..at + 2]).lines().count() > 2 {
            return Vec::new();
        }
        let joined = match &second.kind {
            StatementKind::Local { names: more, values: other }
                if names.len() + more.len() <= MOST_NAMES && other.len() <= more.len() =>
            {
                let mut joined = values.clone();
                if !other.is_empty() {
                    joined.resize(names.len(), made(ExpressionKind::Nil));
                    joined.extend_from_slice(other);
                }
                let names = names.iter().chain(more).cloned().collect();
                StatementKind::Local { names, values: joined }
            }
            StatementKind::Assign { targets, values: other }
                if values.is_empty()
                    && targets.len() == names.len()
                    && targets.iter().zip(names).all(|(target, name)| is_name(target, &name.name.name)) =>
            {
                StatementKind::Local { names: names.clone(), values: other.clone() }
            }
            _ => return Vec::new(),
        };
        vec![(2, vec![statement(joined)])]
    })
}

/// Makes variables of all fields of one name.
pub(super) fn fields_to_variables(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    let mut keys: Vec<Name> = Vec::new();
    let mut scratch = chunk.clone();
    for_each_expression(&mut scratch.block, &mut |expression| {
        if let Some(key) = own_field(expression)
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    });
    let key = keys.get(site)?;
    for_each_expression(&mut scratch.block, &mut |expression| {
        if own_field(expression).as_ref() == Some(key) {
            expression.kind = ExpressionKind::Name(key.clone());
        }
    });
    for number in 0.. {
        let edited = edit_statement(&mut scratch, number, |statements, at| {
            if let StatementKind::Function(function) = &mut statements[at].kind
                && matches!(&function.fields[..], [only] if only.name == *key)
            {
                function.base.name = key.clone();
                function.fields.clear();
            }
        });
        if edited.is_none() {
            break;
        }
    }
    Some(vec![scratch])
}

/// The key of `variable.key`, where the variable is none of the language.
fn own_field(expression: &Expression) -> Option<Name> {
    let ExpressionKind::Index(index) = &expression.kind else { return None };
    let ExpressionKind::Name(variable) = &index.object.kind else { return None };
    let key = std::str::from_utf8(string_of(&index.key)?).ok()?;
    let word = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (word && !LIBRARIES.contains(&&**variable)).then(|| key.into())
}

/// Writes `function f()` for `f = function()`.
pub(super) fn function_statements(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    replacements(chunk, site, |statements, at| {
        let named = match &statements[at].kind {
            StatementKind::Assign { targets, values } => match (&targets[..], &values[..]) {
                ([target], [Expression { kind: ExpressionKind::Function(body), .. }]) => {
                    function_name(target).map(|(base, fields)| {
                        let body = (**body).clone();
                        StatementKind::Function(Box::new(FunctionStatement { base, fields, method: None, body }))
                    })
                }
                _ => None,
            },
            StatementKind::Local { names, values } => match (&names[..], &values[..]) {
                ([name], [Expression { kind: ExpressionKind::Function(body), .. }]) => {
                    Some(StatementKind::LocalFunction { name: name.name.clone(), body: body.clone() })
                }
                _ => None,
            },
            _ => None,
        };
        named.into_iter().map(|kind| vec![statement(kind)]).collect()
    })
}

fn function_name(target: &Expression) -> Option<(NameAt, Vec<NameAt>)> {
    match &target.kind {
        ExpressionKind::Name(name) => Some((name_at(name), Vec::new())),
        ExpressionKind::Index(index) => {
            let ExpressionKind::Name(base) = &index.object.kind else { return None };
            let key = std::str::from_utf8(string_of(&index.key)?).ok()?;
            Some((name_at(base), vec![name_at(key)]))
        }
        _ => None,
    }
}

/// Gives variables like `f12` and `f34` the names `f1` and `f2`, or `f` where there is only one.
pub(super) fn renumber(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    if site > 0 {
        return None;
    }
    let names = names_in(chunk);
    let stem = |name: &str| name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    let mut groups: HashMap<String, Vec<Name>> = HashMap::new();
    for name in names.iter().filter(|name| stem(name).len() < name.len()) {
        groups.entry(stem(name)).or_default().push(name.clone());
    }
    let renamed = |numbered: bool| {
        let mut candidate = chunk.clone();
        rename_all(&mut candidate, &|name| {
            let stem = stem(name);
            let group = groups.get(&stem)?;
            let at = group.iter().position(|other| **other == *name)?;
            // Words of the language have no numbers at their ends, so the bare stem must only not be taken.
            let free = !names.iter().any(|other| **other == *stem);
            let bare = group.len() == 1 && free && !numbered;
            Some(if bare { stem } else { format!("{stem}{}", at + 1) })
        });
        candidate
    };
    Some(vec![renamed(false), renamed(true)])
}
