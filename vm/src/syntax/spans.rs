//! Trees without their places, so that two of them can be compared by what they say.

use super::ast::*;

/// Removes every span and line of a chunk, as if it had been made and not parsed.
pub fn strip_spans(chunk: &mut Chunk) {
    chunk.last_line = 0;
    block(&mut chunk.block);
}

fn block(block: &mut Block) {
    for statement in &mut block.statements {
        statement.span = Span::NONE;
        statement_kind(&mut statement.kind);
    }
}

fn statement_kind(kind: &mut StatementKind) {
    match kind {
        StatementKind::Assign { targets, values } => {
            expressions(targets);
            expressions(values);
        }
        StatementKind::Local { names, values } => {
            for local in names {
                local.name.span = Span::NONE;
            }
            expressions(values);
        }
        StatementKind::Call(call) => expression(call),
        StatementKind::Do(body) => block(body),
        StatementKind::While { condition, body, end_line } => {
            expression(condition);
            block(body);
            *end_line = 0;
        }
        StatementKind::Repeat { body, condition } => {
            block(body);
            expression(condition);
        }
        StatementKind::If { arms, otherwise } => {
            for arm in arms {
                expression(&mut arm.condition);
                arm.then_line = 0;
                block(&mut arm.block);
            }
            if let Some(body) = otherwise {
                block(body);
            }
        }
        StatementKind::NumericFor(node) => {
            node.variable.span = Span::NONE;
            expression(&mut node.start);
            expression(&mut node.limit);
            if let Some(step) = &mut node.step {
                expression(step);
            }
            block(&mut node.body);
            node.end_line = 0;
        }
        StatementKind::GenericFor(node) => {
            names(&mut node.variables);
            expressions(&mut node.iterators);
            block(&mut node.body);
            node.end_line = 0;
        }
        StatementKind::Function(node) => {
            node.base.span = Span::NONE;
            names(&mut node.fields);
            if let Some(method) = &mut node.method {
                method.span = Span::NONE;
            }
            function(&mut node.body);
        }
        StatementKind::LocalFunction { name, body } => {
            name.span = Span::NONE;
            function(body);
        }
        StatementKind::Return(values) => expressions(values),
        StatementKind::Break => {}
        StatementKind::Goto(label) | StatementKind::Label(label) => label.span = Span::NONE,
    }
}

fn names(list: &mut [NameAt]) {
    for name in list {
        name.span = Span::NONE;
    }
}

fn function(body: &mut FunctionBody) {
    names(&mut body.parameters);
    block(&mut body.block);
    body.line = 0;
    body.end_line = 0;
    body.next_line = 0;
}

fn expressions(list: &mut [Expression]) {
    list.iter_mut().for_each(expression);
}

fn expression(node: &mut Expression) {
    node.span = Span::NONE;
    match &mut node.kind {
        ExpressionKind::Nil
        | ExpressionKind::True
        | ExpressionKind::False
        | ExpressionKind::Vararg
        | ExpressionKind::Integer(_)
        | ExpressionKind::Float(_)
        | ExpressionKind::String(_)
        | ExpressionKind::Name(_) => {}
        ExpressionKind::Index(index) => {
            expression(&mut index.object);
            expression(&mut index.key);
        }
        ExpressionKind::Call(call) => {
            expression(&mut call.function);
            expressions(&mut call.arguments);
            call.line = 0;
        }
        ExpressionKind::MethodCall(call) => {
            expression(&mut call.object);
            call.method.span = Span::NONE;
            expressions(&mut call.arguments);
            call.line = 0;
        }
        ExpressionKind::Function(body) => function(body),
        ExpressionKind::Unary { operand, line, .. } => {
            expression(operand);
            *line = 0;
        }
        ExpressionKind::Binary(binary) => {
            expression(&mut binary.left);
            expression(&mut binary.right);
            binary.line = 0;
        }
        ExpressionKind::Table(fields) => {
            for field in fields {
                match field {
                    Field::Item(value) => expression(value),
                    Field::Named(name, value) => {
                        name.span = Span::NONE;
                        expression(value);
                    }
                    Field::Keyed(key, value) => {
                        expression(key);
                        expression(value);
                    }
                }
            }
        }
        ExpressionKind::Parenthesized(inner) => expression(inner),
    }
}
