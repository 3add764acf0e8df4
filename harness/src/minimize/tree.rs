//! Walks over syntax trees, and the small questions and edits that the reductions are made of.
//!
//! Reductions treat names as if each meant one variable in the whole script. Where that is wrong the candidate means
//! something else, which is for the judge to see.

use std::rc::Rc;

use moonphase_vm::syntax::ast::*;
use moonphase_vm::syntax::print_chunk;

use crate::language::Language;

/// What a walk calls. Each method is called before the walk goes into what it was given.
pub(super) trait Visitor {
    /// A block.
    fn block(&mut self, _block: &mut Block) {}
    /// An expression.
    fn expression(&mut self, _expression: &mut Expression) {}
    /// The parameters and the block of a function.
    fn function(&mut self, _body: &mut FunctionBody) {}
    /// A variable where it is declared or is the base of a `function` statement.
    fn declaration(&mut self, _name: &mut Name) {}
}

/// Walks over a block and everything in it, in the order of the text.
pub(super) fn walk_block(visitor: &mut dyn Visitor, block: &mut Block) {
    visitor.block(block);
    for statement in &mut block.statements {
        walk_statement(visitor, &mut statement.kind);
    }
}

fn walk_statement(visitor: &mut dyn Visitor, statement: &mut StatementKind) {
    match statement {
        StatementKind::Assign { targets, values } => {
            targets.iter_mut().chain(values).for_each(|expression| walk_expression(visitor, expression));
        }
        StatementKind::Local { names, values } => {
            names.iter_mut().for_each(|local| visitor.declaration(&mut local.name.name));
            values.iter_mut().for_each(|expression| walk_expression(visitor, expression));
        }
        StatementKind::Call(call) => walk_expression(visitor, call),
        StatementKind::Do(block) => walk_block(visitor, block),
        StatementKind::While { condition, body, .. } => {
            walk_expression(visitor, condition);
            walk_block(visitor, body);
        }
        StatementKind::Repeat { body, condition } => {
            walk_block(visitor, body);
            walk_expression(visitor, condition);
        }
        StatementKind::If { arms, otherwise } => {
            for Arm { condition, block, .. } in arms {
                walk_expression(visitor, condition);
                walk_block(visitor, block);
            }
            if let Some(block) = otherwise {
                walk_block(visitor, block);
            }
        }
        StatementKind::NumericFor(node) => {
            let NumericFor { variable, start, limit, step, body, .. } = &mut **node;
            visitor.declaration(&mut variable.name);
            walk_expression(visitor, start);
            walk_expression(visitor, limit);
            if let Some(step) = step {
                walk_expression(visitor, step);
            }
            walk_block(visitor, body);
        }
        StatementKind::GenericFor(node) => {
            node.variables.iter_mut().for_each(|variable| visitor.declaration(&mut variable.name));
            node.iterators.iter_mut().for_each(|expression| walk_expression(visitor, expression));
            walk_block(visitor, &mut node.body);
        }
        StatementKind::Function(node) => {
            visitor.declaration(&mut node.base.name);
            walk_function(visitor, &mut node.body);
        }
        StatementKind::LocalFunction { name, body } => {
            visitor.declaration(&mut name.name);
            walk_function(visitor, body);
        }
        StatementKind::Return(values) => {
            values.iter_mut().for_each(|expression| walk_expression(visitor, expression));
        }
        StatementKind::Break | StatementKind::Goto(_) | StatementKind::Label(_) => {}
    }
}

fn walk_function(visitor: &mut dyn Visitor, body: &mut FunctionBody) {
    visitor.function(body);
    body.parameters.iter_mut().for_each(|parameter| visitor.declaration(&mut parameter.name));
    walk_block(visitor, &mut body.block);
}

/// Walks over an expression and everything in it.
pub(super) fn walk_expression(visitor: &mut dyn Visitor, expression: &mut Expression) {
    visitor.expression(expression);
    match &mut expression.kind {
        ExpressionKind::Index(index) => {
            walk_expression(visitor, &mut index.object);
            walk_expression(visitor, &mut index.key);
        }
        ExpressionKind::Call(call) => {
            walk_expression(visitor, &mut call.function);
            call.arguments.iter_mut().for_each(|argument| walk_expression(visitor, argument));
        }
        ExpressionKind::MethodCall(call) => {
            walk_expression(visitor, &mut call.object);
            call.arguments.iter_mut().for_each(|argument| walk_expression(visitor, argument));
        }
        ExpressionKind::Function(body) => walk_function(visitor, body),
        ExpressionKind::Unary { operand, .. } => walk_expression(visitor, operand),
        ExpressionKind::Binary(binary) => {
            walk_expression(visitor, &mut binary.left);
            walk_expression(visitor, &mut binary.right);
        }
        ExpressionKind::Table(fields) => {
            for field in fields {
                match field {
                    Field::Item(value) | Field::Named(_, value) => walk_expression(visitor, value),
                    Field::Keyed(key, value) => {
                        walk_expression(visitor, key);
                        walk_expression(visitor, value);
                    }
                }
            }
        }
        ExpressionKind::Parenthesized(inner) => walk_expression(visitor, inner),
        _ => {}
    }
}

struct Blocks<'f>(&'f mut dyn FnMut(&mut Block));

impl Visitor for Blocks<'_> {
    fn block(&mut self, block: &mut Block) {
        (self.0)(block);
    }
}

struct Expressions<'f>(&'f mut dyn FnMut(&mut Expression));

impl Visitor for Expressions<'_> {
    fn expression(&mut self, expression: &mut Expression) {
        (self.0)(expression);
    }
}

struct Functions<'f>(&'f mut dyn FnMut(&mut FunctionBody));

impl Visitor for Functions<'_> {
    fn function(&mut self, body: &mut FunctionBody) {
        (self.0)(body);
    }
}

/// Gives `edit` the node that is number `number` in the order of a walk; `None` if there are fewer.
fn nth<N, T>(number: usize, edit: impl FnOnce(&mut N) -> T, walk: impl FnOnce(&mut dyn FnMut(&mut N))) -> Option<T> {
    let (mut left, mut edit, mut result) = (number, Some(edit), None);
    walk(&mut |node| match left.checked_sub(1) {
        Some(fewer) => left = fewer,
        None => {
            if let Some(edit) = edit.take() {
                result = Some(edit(node));
            }
        }
    });
    result
}

/// Edits the block of that number, outer blocks first.
pub(crate) fn edit_block<T>(chunk: &mut Chunk, number: usize, edit: impl FnOnce(&mut Block) -> T) -> Option<T> {
    nth(number, edit, |visit| walk_block(&mut Blocks(visit), &mut chunk.block))
}

/// Edits the expression of that number, outer ones first.
pub(crate) fn edit_expression<T>(
    chunk: &mut Chunk,
    number: usize,
    edit: impl FnOnce(&mut Expression) -> T,
) -> Option<T> {
    nth(number, edit, |visit| walk_block(&mut Expressions(visit), &mut chunk.block))
}

/// Edits the function of that number, outer ones first.
pub(super) fn edit_function<T>(
    chunk: &mut Chunk,
    number: usize,
    edit: impl FnOnce(&mut FunctionBody) -> T,
) -> Option<T> {
    nth(number, edit, |visit| walk_block(&mut Functions(visit), &mut chunk.block))
}

/// Edits the block that holds the statement of that number, given with the statement's place in it.
pub(crate) fn edit_statement<T>(
    chunk: &mut Chunk,
    number: usize,
    edit: impl FnOnce(&mut Vec<Statement>, usize) -> T,
) -> Option<T> {
    let (mut left, mut edit, mut result) = (number, Some(edit), None);
    let mut visit = |block: &mut Block| match left.checked_sub(block.statements.len()) {
        Some(fewer) => left = fewer,
        None => {
            if let Some(edit) = edit.take() {
                result = Some(edit(&mut block.statements, left));
            }
        }
    };
    walk_block(&mut Blocks(&mut visit), &mut chunk.block);
    result
}

/// The candidates that come from replacing a statement by each of some lists of statements; `None` if there is no
/// statement of that number.
pub(super) fn replacements(
    chunk: &Chunk,
    number: usize,
    propose: impl FnOnce(&[Statement], usize) -> Vec<Vec<Statement>>,
) -> Option<Vec<Chunk>> {
    splices(chunk, number, |statements, at| {
        propose(statements, at).into_iter().map(|replacement| (1, replacement)).collect()
    })
}

/// As [`replacements`], where each list says how many statements it replaces.
pub(super) fn splices(
    chunk: &Chunk,
    number: usize,
    propose: impl FnOnce(&[Statement], usize) -> Vec<(usize, Vec<Statement>)>,
) -> Option<Vec<Chunk>> {
    let mut scratch = chunk.clone();
    let proposals = edit_statement(&mut scratch, number, |statements, at| propose(statements, at))?;
    let candidate = |(count, replacement): (usize, Vec<Statement>)| {
        let mut candidate = chunk.clone();
        edit_statement(&mut candidate, number, |statements, at| {
            statements.splice(at..at + count, replacement);
        })?;
        Some(candidate)
    };
    Some(proposals.into_iter().filter_map(candidate).collect())
}

/// The functions in a statement, outer ones only, those of its blocks aside.
pub(super) fn functions_in(statement: &Statement) -> Vec<FunctionBody> {
    struct Collect(Vec<FunctionBody>);
    impl Visitor for Collect {
        fn function(&mut self, body: &mut FunctionBody) {
            self.0.push(body.clone());
        }
    }
    let mut collect = Collect(Vec::new());
    walk_statement(&mut collect, &mut statement.kind.clone());
    collect.0
}

struct Count<'n> {
    name: &'n str,
    uses: usize,
}

impl Visitor for Count<'_> {
    fn expression(&mut self, expression: &mut Expression) {
        self.uses += usize::from(is_name(expression, self.name));
    }
}

/// How often a variable is mentioned, its declarations aside.
pub(super) fn uses_of(block: &Block, name: &str) -> usize {
    let mut count = Count { name, uses: 0 };
    walk_block(&mut count, &mut block.clone());
    count.uses
}

/// Puts a value in the place of every mention of a variable, declarations aside.
pub(super) fn substitute(block: &mut Block, name: &str, value: &ExpressionKind) {
    walk_block(
        &mut Expressions(&mut |expression| {
            if is_name(expression, name) {
                expression.kind = value.clone();
            }
        }),
        block,
    );
}

/// Gives every variable the name that `rename` gives for it.
pub(super) fn rename_all(chunk: &mut Chunk, rename: &dyn Fn(&str) -> Option<String>) {
    struct Rename<'r>(&'r dyn Fn(&str) -> Option<String>);
    impl Visitor for Rename<'_> {
        fn expression(&mut self, expression: &mut Expression) {
            if let ExpressionKind::Name(name) = &mut expression.kind {
                self.declaration(name);
            }
        }
        fn declaration(&mut self, name: &mut Name) {
            if let Some(new) = (self.0)(name) {
                *name = new.into();
            }
        }
    }
    walk_block(&mut Rename(rename), &mut chunk.block);
}

/// The names of all variables, in the order of their first mention.
pub(super) fn names_in(chunk: &Chunk) -> Vec<Name> {
    struct Names(Vec<Name>);
    impl Visitor for Names {
        fn expression(&mut self, expression: &mut Expression) {
            if let ExpressionKind::Name(name) = &mut expression.kind {
                self.declaration(name);
            }
        }
        fn declaration(&mut self, name: &mut Name) {
            if !self.0.contains(name) {
                self.0.push(name.clone());
            }
        }
    }
    let mut names = Names(Vec::new());
    walk_block(&mut names, &mut chunk.block.clone());
    names.0
}

/// Calls `visit` for every expression, outer ones first.
pub(crate) fn for_each_expression(block: &mut Block, visit: &mut dyn FnMut(&mut Expression)) {
    walk_block(&mut Expressions(visit), block);
}

/// Calls `visit` for every block, outer ones first.
pub(crate) fn for_each_block(block: &mut Block, visit: &mut dyn FnMut(&mut Block)) {
    walk_block(&mut Blocks(visit), block);
}

/// Whether the expression is that variable.
pub(super) fn is_name(expression: &Expression, name: &str) -> bool {
    matches!(&expression.kind, ExpressionKind::Name(other) if **other == *name)
}

/// An expression that stands nowhere in a source.
pub(crate) fn made(kind: ExpressionKind) -> Expression {
    Expression { kind, span: Span::NONE }
}

/// A statement that stands nowhere in a source.
pub(super) fn statement(kind: StatementKind) -> Statement {
    Statement { kind, span: Span::NONE }
}

/// A name that stands nowhere in a source.
pub(super) fn name_at(name: &str) -> NameAt {
    NameAt { name: name.into(), span: Span::NONE }
}

/// `local names = values`.
pub(super) fn local(names: Vec<NameAt>, values: Vec<Expression>) -> Statement {
    let names = names.into_iter().map(|name| LocalName { name, attribute: Attribute::Regular }).collect();
    statement(StatementKind::Local { names, values })
}

/// A string.
fn string(text: &str) -> Expression {
    made(ExpressionKind::String(Rc::from(text.as_bytes())))
}

/// A call.
fn call_expression(function: ExpressionKind, arguments: Vec<Expression>) -> ExpressionKind {
    ExpressionKind::Call(Box::new(Call { function: made(function), arguments, line: 0 }))
}

/// A call of a global function.
pub(super) fn call_of_global(name: &str, arguments: Vec<Expression>) -> ExpressionKind {
    call_expression(ExpressionKind::Name(name.into()), arguments)
}

/// A statement that is a call.
fn call(function: ExpressionKind, arguments: Vec<Expression>) -> Statement {
    statement(StatementKind::Call(made(call_expression(function, arguments))))
}

/// A call of `collectgarbage`.
pub(super) fn collect_garbage(option: &str, numbers: &[i64]) -> Statement {
    let numbers = numbers.iter().map(|&number| made(ExpressionKind::Integer(number)));
    let arguments = std::iter::once(string(option)).chain(numbers).collect();
    call(ExpressionKind::Name("collectgarbage".into()), arguments)
}

/// A call that loads a text.
pub(super) fn load(text: &str, language: &Language) -> Statement {
    call(ExpressionKind::Name(language.text_loader().into()), vec![string(text)])
}

/// `debug.sethook(function() … end, "", period)`.
pub(super) fn count_hook(body: Statement, period: i64) -> Statement {
    let hook = FunctionBody {
        block: Block { statements: vec![body] },
        parameters: Vec::new(),
        variadic: false,
        line: 0,
        end_line: 0,
        next_line: 0,
    };
    let sethook = Index { object: made(ExpressionKind::Name("debug".into())), key: string("sethook") };
    let hook = made(ExpressionKind::Function(Box::new(hook)));
    let period = made(ExpressionKind::Integer(period));
    call(ExpressionKind::Index(Box::new(sethook)), vec![hook, string(""), period])
}

/// `for _ = 1, count do … end`.
pub(super) fn repeated(count: i64, body: Vec<Statement>) -> Statement {
    statement(StatementKind::NumericFor(Box::new(NumericFor {
        variable: name_at("_"),
        start: made(ExpressionKind::Integer(1)),
        limit: made(ExpressionKind::Integer(count)),
        step: None,
        body: Block { statements: body },
        end_line: 0,
    })))
}

/// Statements as text, which tells whether they say the same.
pub(super) fn text_of(statements: &[Statement]) -> String {
    print_chunk(&Chunk { block: Block { statements: statements.to_vec() }, last_line: 0 })
}
