//! Calls are replaced by what they do: functions that are called once, modules, and chunks loaded from text.

use std::rc::Rc;

use moonphase_vm::syntax::ast::*;

use super::expressions::{call_of, callable, string_of};
use super::statements::without_return;
use super::tree::{
    edit_block, edit_expression, edit_statement, for_each_expression, is_name, local, made, statement, uses_of,
};
use crate::language::Language;

/// How many calls [`everywhere`] replaces at most, since functions may call themselves.
const MOST_CALLS: usize = 24;

/// What a called function is known by.
#[derive(Clone, Debug, PartialEq)]
enum Callee {
    /// It stands where it is called.
    Here,
    /// The variable that holds it.
    Variable(Name),
    /// The module that it makes.
    Module(Box<[u8]>),
}

/// Replaces a statement that calls a function by the function's body, if nothing else uses the function.
pub(super) fn calls(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    let mut scratch = chunk.clone();
    let call = edit_statement(&mut scratch, site, |statements, at| called(&statements[at]))?;
    let Some((callee, body, inlined)) = call.and_then(|call| resolve(chunk, call)) else { return Some(Vec::new()) };
    let mentions = match &callee {
        Callee::Here => 1,
        Callee::Variable(name) => uses_of(&chunk.block, name) - definitions(chunk, &callee),
        Callee::Module(name) => requires(chunk, name),
    };
    // A function that mentions itself would lose that.
    if mentions > 1 || matches!(&callee, Callee::Variable(name) if uses_of(&body.block, name) > 0) {
        return Some(Vec::new());
    }
    let candidates = [inlined.clone(), in_scope(inlined)].into_iter().map(|replacement| {
        let mut candidate = chunk.clone();
        edit_statement(&mut candidate, site, |statements, at| statements.splice(at..=at, replacement).for_each(drop));
        remove_definition(&mut candidate, &callee);
        candidate
    });
    Some(candidates.collect())
}

/// The statements in a block of their own, which closes the upvalues made in it as a return would have; what the last
/// one declares becomes global.
fn in_scope(mut statements: Vec<Statement>) -> Vec<Statement> {
    if let Some(last) = statements.last_mut()
        && let StatementKind::Local { names, values } = &mut last.kind
    {
        let target = |local: &LocalName| made(ExpressionKind::Name(local.name.name.clone()));
        last.kind =
            StatementKind::Assign { targets: names.iter().map(target).collect(), values: std::mem::take(values) };
    }
    vec![statement(StatementKind::Do(Block { statements }))]
}

/// The chunk with every load of a text and every call replaced, where that can be done.
pub(super) fn everywhere(chunk: &Chunk, language: &Language) -> Vec<Chunk> {
    let mut loaded = chunk.clone();
    for_each_expression(&mut loaded.block, &mut |expression| {
        if let Some(body) = loaded_body(expression, language) {
            expression.kind = ExpressionKind::Function(Box::new(body));
        }
    });
    let mut inlined = loaded.clone();
    let mut site = 0;
    let mut left = MOST_CALLS;
    while let Some(call) = edit_statement(&mut inlined, site, |statements, at| called(&statements[at])) {
        match call.and_then(|call| resolve(&loaded, call)) {
            Some((_, _, body)) if left > 0 => {
                left -= 1;
                let block = statement(StatementKind::Do(Block { statements: body }));
                edit_statement(&mut inlined, site, |statements, at| statements[at] = block);
            }
            _ => {}
        }
        site += 1;
    }
    let mut detours = vec![inlined, loaded];
    detours.retain(|detour| detour != chunk);
    detours.dedup();
    detours
}

/// The chunk with a fresh closure in the place of an argument, the last statements first: with the definition of the
/// function that the argument is, or with a function that captures nothing but `_ENV`. The collector has not come to a
/// fresh closure, whatever it did before.
pub(super) fn copies(chunk: &Chunk) -> Vec<Chunk> {
    let mut scratch = chunk.clone();
    let mut copies = Vec::new();
    for number in 0.. {
        let call = edit_statement(&mut scratch, number, |statements, at| called(&statements[at]));
        let Some(call) = call else { break };
        let Some(Called { arguments, around: StatementKind::Call(_), .. }) = call else { continue };
        for (position, argument) in arguments.iter().enumerate() {
            let mut bodies = Vec::new();
            match &argument.kind {
                ExpressionKind::Name(name) => bodies.extend(definition(chunk, &Callee::Variable(name.clone()))),
                ExpressionKind::Index(_) | ExpressionKind::Call(_) | ExpressionKind::Function(_) => {}
                _ => continue,
            }
            bodies.push(environment_reader());
            let last = bodies.len() - 1;
            for (which, body) in bodies.into_iter().enumerate() {
                let mut copy = chunk.clone();
                edit_statement(&mut copy, number, |statements, at| {
                    if let StatementKind::Call(call) = &mut statements[at].kind
                        && let ExpressionKind::Call(call) = &mut call.kind
                    {
                        let arguments = &mut call.arguments;
                        arguments[position].kind = ExpressionKind::Function(Box::new(body));
                        // It has one upvalue only.
                        let numbers = arguments.iter_mut().filter(|_| which == last);
                        for number in numbers.filter(|number| matches!(number.kind, ExpressionKind::Integer(_))) {
                            number.kind = ExpressionKind::Integer(1);
                        }
                    }
                });
                if let Some(fresh) = with_fresh_strings(&copy, number) {
                    copies.push(fresh);
                }
                if copy != *chunk {
                    copies.push(copy);
                }
            }
        }
    }
    copies.reverse();
    copies
}

/// The chunk with strings made at run time in the place of the constants that a statement calls with, if it does. The
/// collector comes to a constant when it comes to the function that has it.
fn with_fresh_strings(chunk: &Chunk, number: usize) -> Option<Chunk> {
    let mut fresh = chunk.clone();
    edit_statement(&mut fresh, number, |statements, at| {
        let StatementKind::Call(call) = &mut statements[at].kind else { return };
        let ExpressionKind::Call(call) = &mut call.kind else { return };
        for argument in call.arguments.iter_mut().filter(|argument| string_of(argument).is_some()) {
            argument.kind = ExpressionKind::Binary(Box::new(Binary {
                operator: BinaryOperator::Concat,
                left: made(ExpressionKind::String(Rc::from(&b"s"[..]))),
                right: made(ExpressionKind::Integer(1)),
                line: 0,
            }));
        }
    })?;
    (fresh != *chunk).then_some(fresh)
}

/// `function() return x end`
fn environment_reader() -> FunctionBody {
    reader_of("x".into())
}

/// `function() return name end`
fn reader_of(name: Name) -> FunctionBody {
    let result = statement(StatementKind::Return(vec![made(ExpressionKind::Name(name))]));
    let block = Block { statements: vec![result] };
    FunctionBody { parameters: Vec::new(), variadic: false, block, line: 0, end_line: 0, next_line: 0 }
}

/// The function that `load`, or `loadstring`, makes of a constant text, or of the pieces that a function hands it: then the text is taken to
/// be the longest one in there.
fn loaded_body(expression: &Expression, language: &Language) -> Option<FunctionBody> {
    let source = call_of(expression, "load").or_else(|| call_of(expression, "loadstring"))?.first()?;
    let mut longest: Option<Rc<[u8]>> = None;
    let mut holder = Block { statements: vec![statement(StatementKind::Call(source.clone()))] };
    for_each_expression(&mut holder, &mut |part| {
        if let ExpressionKind::String(text) = &part.kind
            && longest.as_ref().is_none_or(|longest| longest.len() < text.len())
        {
            longest = Some(Rc::clone(text));
        }
    });
    let chunk = language.parse(&longest?, b"=load").ok()?;
    Some(FunctionBody {
        parameters: Vec::new(),
        variadic: true,
        block: chunk.block,
        line: 0,
        end_line: 0,
        next_line: 0,
    })
}

/// A call that is a whole statement, or the only value of one.
struct Called {
    function: Expression,
    arguments: Vec<Expression>,
    /// The statement, whose value is to be replaced by what the function returns.
    around: StatementKind,
}

fn called(statement: &Statement) -> Option<Called> {
    let value = match &statement.kind {
        StatementKind::Call(call) => call,
        StatementKind::Local { values, .. } | StatementKind::Assign { values, .. } | StatementKind::Return(values) => {
            match &values[..] {
                [only] => only,
                _ => return None,
            }
        }
        _ => return None,
    };
    match &value.kind {
        ExpressionKind::Call(call) => Some(Called {
            function: call.function.clone(),
            arguments: call.arguments.clone(),
            around: statement.kind.clone(),
        }),
        _ => None,
    }
}

/// Finds the called function, and the statements that do what the call does.
fn resolve(chunk: &Chunk, call: Called) -> Option<(Callee, FunctionBody, Vec<Statement>)> {
    let (callee, body) = match &call.function.kind {
        ExpressionKind::Parenthesized(inner) => match &inner.kind {
            ExpressionKind::Function(body) => (Callee::Here, (**body).clone()),
            _ => return None,
        },
        ExpressionKind::Name(name) if **name == *"require" => {
            let module = Callee::Module(string_of(call.arguments.first()?)?.into());
            let body = definition(chunk, &module)?;
            (module, body)
        }
        ExpressionKind::Name(name) => {
            let variable = Callee::Variable(name.clone());
            let body = definition(chunk, &variable)?;
            (variable, body)
        }
        _ => return None,
    };
    let mut statements = Vec::new();
    if !body.parameters.is_empty() {
        statements.push(local(body.parameters.clone(), call.arguments));
    }
    let results = match body.block.statements.last() {
        Some(Statement { kind: StatementKind::Return(values), .. }) => values.clone(),
        _ => Vec::new(),
    };
    statements.extend(without_return(body.block.clone()));
    let mut around = call.around;
    match &mut around {
        StatementKind::Local { values, .. } => *values = results,
        StatementKind::Assign { values, .. } if results.is_empty() => {
            values.clear();
            values.push(made(ExpressionKind::Nil));
        }
        StatementKind::Assign { values, .. } | StatementKind::Return(values) => *values = results,
        _ => return Some((callee, body, statements)),
    }
    statements.push(statement(around));
    Some((callee, body, statements))
}

/// The function that a statement gives to the callee's variable or module.
fn defined(statement: &Statement, callee: &Callee) -> Option<FunctionBody> {
    let function = |values: &[Expression]| match values {
        [Expression { kind: ExpressionKind::Function(body), .. }] => Some((**body).clone()),
        _ => None,
    };
    match (&statement.kind, callee) {
        (StatementKind::LocalFunction { name, body }, Callee::Variable(variable)) if name.name == *variable => {
            Some((**body).clone())
        }
        (StatementKind::Function(function), Callee::Variable(variable))
            if function.fields.is_empty() && function.method.is_none() && function.base.name == *variable =>
        {
            Some(function.body.clone())
        }
        (StatementKind::Local { names, values }, Callee::Variable(variable)) => {
            matches!(&names[..], [only] if only.name.name == *variable).then(|| function(values)).flatten()
        }
        (StatementKind::Assign { targets, values }, _) => match (&targets[..], callee) {
            ([target], Callee::Variable(variable)) if is_name(target, variable) => function(values),
            ([Expression { kind: ExpressionKind::Index(index), .. }], Callee::Module(module)) => {
                let preload = matches!(&index.object.kind, ExpressionKind::Index(outer)
                    if is_name(&outer.object, "package") && string_of(&outer.key) == Some(b"preload"));
                (preload && string_of(&index.key) == Some(module)).then(|| function(values)).flatten()
            }
            _ => None,
        },
        _ => None,
    }
}

fn definition(chunk: &Chunk, callee: &Callee) -> Option<FunctionBody> {
    let mut scratch = chunk.clone();
    let mut number = 0;
    while let Some(found) = edit_block(&mut scratch, number, |block| {
        block.statements.iter().find_map(|statement| defined(statement, callee))
    }) {
        if found.is_some() {
            return found;
        }
        number += 1;
    }
    None
}

/// How often the variable is the target of an assignment that defines the function.
fn definitions(chunk: &Chunk, callee: &Callee) -> usize {
    let mut scratch = chunk.clone();
    let mut count = 0;
    let mut number = 0;
    while let Some(here) = edit_block(&mut scratch, number, |block| {
        let assigns = |statement: &&Statement| matches!(statement.kind, StatementKind::Assign { .. });
        block.statements.iter().filter(assigns).filter(|statement| defined(statement, callee).is_some()).count()
    }) {
        count += here;
        number += 1;
    }
    count
}

fn remove_definition(chunk: &mut Chunk, callee: &Callee) {
    let mut number = 0;
    while edit_block(chunk, number, |block| {
        block.statements.retain(|statement| defined(statement, callee).is_none());
    })
    .is_some()
    {
        number += 1;
    }
}

fn requires(chunk: &Chunk, module: &[u8]) -> usize {
    let mut count = 0;
    for_each_expression(&mut chunk.block.clone(), &mut |expression| {
        let name = call_of(expression, "require").and_then(|arguments| string_of(arguments.first()?));
        count += usize::from(name == Some(module));
    });
    count
}

/// Lets a function use the variable of another one by standing in its scope, where `debug.upvaluejoin` gives it that variable.
pub(super) fn joins(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    let mut candidate = chunk.clone();
    let joined = edit_statement(&mut candidate, site, |statements, at| joined(&statements[at]))?;
    let Some((to, from)) = joined else { return Some(Vec::new()) };
    let reader = |of: &FunctionBody| Some(assignment(&to, reader_of(variable_of(of)?)));
    match from {
        // It stands where the join stood.
        ExpressionKind::Function(body) => {
            let Some(reader) = reader(&body) else { return Some(Vec::new()) };
            edit_statement(&mut candidate, site, |statements, at| statements[at] = reader)?;
            Some(vec![candidate])
        }
        ExpressionKind::Name(name) => {
            edit_statement(&mut candidate, site, |statements, at| drop(statements.remove(at)))?;
            remove_definition(&mut candidate, &Callee::Variable(to.clone()));
            let callee = Callee::Variable(name);
            let mut number = 0;
            while let Some(placed) = edit_block(&mut candidate, number, |block| {
                let at = block.statements.iter().position(|statement| defined(statement, &callee).is_some())?;
                let reader = reader(&defined(&block.statements[at], &callee)?)?;
                block.statements.insert(at + 1, reader);
                Some(())
            }) {
                if placed.is_some() {
                    return Some(vec![candidate]);
                }
                number += 1;
            }
            Some(Vec::new())
        }
        _ => Some(Vec::new()),
    }
}

/// The variable with the function that gets an upvalue of another one, and that one, if the statement joins them.
fn joined(statement: &Statement) -> Option<(Name, ExpressionKind)> {
    let StatementKind::Call(call) = &statement.kind else { return None };
    let ExpressionKind::Call(call) = &call.kind else { return None };
    let ExpressionKind::Index(index) = &call.function.kind else { return None };
    if !is_name(&index.object, "debug") || string_of(&index.key) != Some(b"upvaluejoin") {
        return None;
    }
    match (&call.arguments.first()?.kind, &call.arguments.get(2)?.kind) {
        (ExpressionKind::Name(to), from) => Some((to.clone(), from.clone())),
        _ => None,
    }
}

/// The variable that a function ends with: that it returns, or assigns to.
fn variable_of(body: &FunctionBody) -> Option<Name> {
    let expression = match &body.block.statements.last()?.kind {
        StatementKind::Return(values) => values.first()?,
        StatementKind::Assign { targets, .. } => targets.first()?,
        _ => return None,
    };
    match &expression.kind {
        ExpressionKind::Name(name) => Some(name.clone()),
        _ => None,
    }
}

/// `name = function`
fn assignment(name: &Name, body: FunctionBody) -> Statement {
    statement(StatementKind::Assign {
        targets: vec![made(ExpressionKind::Name(name.clone()))],
        values: vec![made(ExpressionKind::Function(Box::new(body)))],
    })
}

/// Replaces a call whose function only returns a value by that value; for functions that stand where they are called.
pub(super) fn results(chunk: &Chunk, site: usize) -> Option<Vec<Chunk>> {
    let mut scratch = chunk.clone();
    let result = edit_expression(&mut scratch, site, |expression| {
        let ExpressionKind::Call(call) = &expression.kind else { return None };
        let ExpressionKind::Parenthesized(inner) = &call.function.kind else { return None };
        let ExpressionKind::Function(body) = &inner.kind else { return None };
        match &body.block.statements[..] {
            [Statement { kind: StatementKind::Return(values), .. }] => values.first().cloned(),
            _ => None,
        }
    })?;
    let Some(result) = result else { return Some(Vec::new()) };
    let mut candidate = chunk.clone();
    edit_expression(&mut candidate, site, |expression| *expression = callable(result.kind));
    Some(vec![candidate])
}
