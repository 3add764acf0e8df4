//! Tree to text: the one layout in which Moonphase shows Lua.
//!
//! One statement a line, two spaces for each block, no blank lines and no comments. What it writes parses to the same
//! tree, places aside, if the tree was parsed; in a tree that was made it adds the parentheses that the tree needs and
//! lacks. The text is UTF-8 whatever bytes the strings hold.

use super::ast::*;
use super::parser::{Priority, UNARY_PRIORITY, priority};
use super::token::is_name;

/// The source text of a chunk.
pub fn print_chunk(chunk: &Chunk) -> String {
    let mut printer = Printer { text: String::new(), depth: 0 };
    printer.statements(&chunk.block);
    printer.text
}

/// How many lines [`print_chunk`] gives: the measure of how small a script is.
pub fn code_lines(chunk: &Chunk) -> usize {
    print_chunk(chunk).lines().count()
}

struct Printer {
    text: String,
    /// How many blocks the line in hand stands in.
    depth: usize,
}

impl Printer {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Begins a line.
    fn indent(&mut self) {
        for _ in 0..self.depth {
            self.push("  ");
        }
    }

    /// Writes a list with commas.
    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Printer, &T)) {
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.push(", ");
            }
            write(self, item);
        }
    }

    fn names(&mut self, names: &[NameAt]) {
        self.list(names, |printer, name| printer.push(&name.name));
    }

    fn expressions(&mut self, expressions: &[Expression]) {
        self.list(expressions, |printer, expression| printer.expression(expression));
    }

    /// Writes a block on lines of its own, each ended.
    fn statements(&mut self, block: &Block) {
        for (position, statement) in block.statements.iter().enumerate() {
            self.indent();
            // Else the statement before could go on as a call.
            if position > 0 && begins_with_parenthesis(&statement.kind) {
                self.push(";");
            }
            self.statement(&statement.kind);
            self.push("\n");
        }
    }

    /// Writes the rest of the line, a block, and the beginning of the line that ends it, which is the same if the block
    /// is empty.
    fn body(&mut self, block: &Block, closer: &str) {
        if block.statements.is_empty() {
            self.push(" ");
        } else {
            self.push("\n");
            self.depth += 1;
            self.statements(block);
            self.depth -= 1;
            self.indent();
        }
        self.push(closer);
    }

    fn statement(&mut self, kind: &StatementKind) {
        match kind {
            StatementKind::Assign { targets, values } => {
                self.list(targets, |printer, target| printer.prefix(target));
                self.push(" = ");
                self.expressions(values);
            }
            StatementKind::Local { names, values } => {
                self.push("local ");
                self.list(names, |printer, local| {
                    printer.push(&local.name.name);
                    printer.push(match local.attribute {
                        Attribute::Regular => "",
                        Attribute::Const => " <const>",
                        Attribute::Close => " <close>",
                    });
                });
                if !values.is_empty() {
                    self.push(" = ");
                    self.expressions(values);
                }
            }
            StatementKind::Call(call) => self.expression(call),
            StatementKind::Do(block) => {
                self.push("do");
                self.body(block, "end");
            }
            StatementKind::While { condition, body, .. } => {
                self.push("while ");
                self.expression(condition);
                self.push(" do");
                self.body(body, "end");
            }
            StatementKind::Repeat { body, condition } => {
                self.push("repeat");
                self.body(body, "until ");
                self.expression(condition);
            }
            StatementKind::If { arms, otherwise } => {
                for (position, Arm { condition, block, .. }) in arms.iter().enumerate() {
                    self.push(if position == 0 { "if " } else { "elseif " });
                    self.expression(condition);
                    self.push(" then");
                    let last = position + 1 == arms.len() && otherwise.is_none();
                    self.body(block, if last { "end" } else { "" });
                }
                if let Some(block) = otherwise {
                    self.push("else");
                    self.body(block, "end");
                }
            }
            StatementKind::NumericFor(node) => {
                let NumericFor { variable, start, limit, step, body, .. } = &**node;
                self.push("for ");
                self.push(&variable.name);
                self.push(" = ");
                self.expression(start);
                self.push(", ");
                self.expression(limit);
                if let Some(step) = step {
                    self.push(", ");
                    self.expression(step);
                }
                self.push(" do");
                self.body(body, "end");
            }
            StatementKind::GenericFor(node) => {
                let GenericFor { variables, iterators, body, .. } = &**node;
                self.push("for ");
                self.names(variables);
                self.push(" in ");
                self.expressions(iterators);
                self.push(" do");
                self.body(body, "end");
            }
            StatementKind::Function(node) => {
                let FunctionStatement { base, fields, method, body } = &**node;
                self.push("function ");
                self.push(&base.name);
                for field in fields {
                    self.push(".");
                    self.push(&field.name);
                }
                if let Some(method) = method {
                    self.push(":");
                    self.push(&method.name);
                }
                self.function(body);
            }
            StatementKind::LocalFunction { name, body } => {
                self.push("local function ");
                self.push(&name.name);
                self.function(body);
            }
            StatementKind::Return(values) => {
                self.push("return");
                if !values.is_empty() {
                    self.push(" ");
                    self.expressions(values);
                }
            }
            StatementKind::Break => self.push("break"),
            StatementKind::Goto(label) => {
                self.push("goto ");
                self.push(&label.name);
            }
            StatementKind::Label(label) => {
                self.push("::");
                self.push(&label.name);
                self.push("::");
            }
        }
    }

    /// Writes a function from its parameters on.
    fn function(&mut self, body: &FunctionBody) {
        self.push("(");
        self.names(&body.parameters);
        if body.variadic {
            self.push(if body.parameters.is_empty() { "..." } else { ", ..." });
        }
        self.push(")");
        self.body(&body.block, "end");
    }

    fn expression(&mut self, expression: &Expression) {
        match &expression.kind {
            ExpressionKind::Nil => self.push("nil"),
            ExpressionKind::True => self.push("true"),
            ExpressionKind::False => self.push("false"),
            ExpressionKind::Vararg => self.push("..."),
            ExpressionKind::Integer(value) => self.integer(*value),
            ExpressionKind::Float(value) => self.float(*value),
            ExpressionKind::String(value) => self.string(value),
            ExpressionKind::Name(name) => self.push(name),
            ExpressionKind::Index(index) => {
                self.prefix(&index.object);
                match &index.key.kind {
                    ExpressionKind::String(name) if is_name(name) => {
                        self.push(".");
                        self.push(&String::from_utf8_lossy(name));
                    }
                    _ => self.bracketed(&index.key),
                }
            }
            ExpressionKind::Call(call) => {
                self.prefix(&call.function);
                self.arguments(&call.arguments);
            }
            ExpressionKind::MethodCall(call) => {
                self.prefix(&call.object);
                self.push(":");
                self.push(&call.method.name);
                self.arguments(&call.arguments);
            }
            ExpressionKind::Function(body) => {
                self.push("function");
                self.function(body);
            }
            ExpressionKind::Unary { operator, operand, .. } => self.unary(*operator, operand),
            ExpressionKind::Binary(binary) => self.binary(binary),
            ExpressionKind::Table(fields) => {
                self.push("{");
                self.list(fields, Printer::field);
                self.push("}");
            }
            ExpressionKind::Parenthesized(inner) => self.parenthesized(inner),
        }
    }

    fn parenthesized(&mut self, inner: &Expression) {
        self.push("(");
        self.expression(inner);
        self.push(")");
    }

    /// Writes an expression with parentheses where the grammar or the order of operators asks for them.
    fn guarded(&mut self, expression: &Expression, parentheses: bool) {
        if parentheses {
            self.parenthesized(expression);
        } else {
            self.expression(expression);
        }
    }

    /// Writes what is indexed, called or assigned to.
    fn prefix(&mut self, expression: &Expression) {
        self.guarded(expression, !is_prefix(&expression.kind));
    }

    fn bracketed(&mut self, key: &Expression) {
        self.push("[");
        self.expression(key);
        self.push("]");
    }

    fn arguments(&mut self, arguments: &[Expression]) {
        self.push("(");
        self.expressions(arguments);
        self.push(")");
    }

    fn field(&mut self, field: &Field) {
        match field {
            Field::Item(value) => self.expression(value),
            Field::Named(name, value) => {
                self.push(&name.name);
                self.push(" = ");
                self.expression(value);
            }
            Field::Keyed(key, value) => {
                self.bracketed(key);
                self.push(" = ");
                self.expression(value);
            }
        }
    }

    fn unary(&mut self, operator: UnaryOperator, operand: &Expression) {
        self.push(match operator {
            UnaryOperator::Negate => "-",
            UnaryOperator::BitNot => "~",
            UnaryOperator::Not => "not ",
            UnaryOperator::Length => "#",
        });
        let loose = match &operand.kind {
            ExpressionKind::Binary(inner) => priority(inner.operator).left <= UNARY_PRIORITY,
            _ => false,
        };
        if operator == UnaryOperator::Negate && begins_with_minus(operand) {
            // Two of them would begin a comment.
            self.push(" ");
        }
        self.guarded(operand, loose);
    }

    fn binary(&mut self, Binary { operator, left, right, .. }: &Binary) {
        let Priority { left: binds_left, right: binds_right } = priority(*operator);
        let left_loose = match &left.kind {
            // The operand of the left side must not be able to take this operator.
            ExpressionKind::Binary(inner) => priority(inner.operator).right < binds_left,
            ExpressionKind::Unary { .. } => UNARY_PRIORITY < binds_left,
            _ => false,
        };
        let right_loose = match &right.kind {
            ExpressionKind::Binary(inner) => priority(inner.operator).left <= binds_right,
            _ => false,
        };
        self.guarded(left, left_loose);
        self.push(" ");
        self.push(symbol(*operator));
        self.push(" ");
        self.guarded(right, right_loose);
    }

    fn integer(&mut self, value: i64) {
        // Only a hexadecimal numeral can say a negative integer, by wrapping around.
        self.push(&if value < 0 { format!("{value:#x}") } else { format!("{value}") });
    }

    fn float(&mut self, value: f64) {
        if value.is_nan() {
            self.push("(0/0)");
            return;
        }
        // No numeral says a negative float; only a made tree has one.
        let negative = value.is_sign_negative();
        if negative {
            self.push("(-");
        }
        let magnitude = value.abs();
        // The shortest text that reads back as the same float, always with a point or an exponent.
        self.push(&if magnitude.is_infinite() { "1e999".to_owned() } else { format!("{magnitude:?}") });
        if negative {
            self.push(")");
        }
    }

    fn string(&mut self, value: &[u8]) {
        self.push("\"");
        for chunk in value.utf8_chunks() {
            let mut rest = chunk.valid().chars();
            while let Some(character) = rest.next() {
                self.character(character, rest.as_str().bytes().next());
            }
            for &byte in chunk.invalid() {
                self.escaped(byte, None);
            }
        }
        self.push("\"");
    }

    /// Writes a character of a string; a byte that cannot be seen as the escape that the byte after it allows.
    fn character(&mut self, character: char, next_byte: Option<u8>) {
        match character {
            '"' => self.push("\\\""),
            '\\' => self.push("\\\\"),
            '\n' => self.push("\\n"),
            '\r' => self.push("\\r"),
            '\t' => self.push("\\t"),
            ' '..='~' => self.text.push(character),
            '\0'..='\x7F' => self.escaped(character as u8, next_byte),
            // The library escapes just what cannot be seen, or changes how its neighbours look.
            _ if character.escape_debug().len() == 1 => self.text.push(character),
            _ => {
                for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
                    self.escaped(byte, None);
                }
            }
        }
    }

    fn escaped(&mut self, byte: u8, next_byte: Option<u8>) {
        let digit_follows = next_byte.is_some_and(|byte| byte.is_ascii_digit());
        self.push(&if digit_follows { format!("\\{byte:03}") } else { format!("\\{byte}") });
    }
}

fn symbol(operator: BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Add => "+",
        BinaryOperator::Subtract => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::FloorDivide => "//",
        BinaryOperator::Modulo => "%",
        BinaryOperator::Power => "^",
        BinaryOperator::Concat => "..",
        BinaryOperator::BitAnd => "&",
        BinaryOperator::BitOr => "|",
        BinaryOperator::BitXor => "~",
        BinaryOperator::ShiftLeft => "<<",
        BinaryOperator::ShiftRight => ">>",
        BinaryOperator::Equal => "==",
        BinaryOperator::NotEqual => "~=",
        BinaryOperator::Less => "<",
        BinaryOperator::LessEqual => "<=",
        BinaryOperator::Greater => ">",
        BinaryOperator::GreaterEqual => ">=",
        BinaryOperator::And => "and",
        BinaryOperator::Or => "or",
    }
}

/// Whether an index or a call can follow without parentheses.
fn is_prefix(kind: &ExpressionKind) -> bool {
    use ExpressionKind::{Call, Index, MethodCall, Name, Parenthesized};
    matches!(kind, Name(_) | Index(_) | Call(_) | MethodCall(_) | Parenthesized(_))
}

/// Whether the text of an operand begins with a minus.
fn begins_with_minus(operand: &Expression) -> bool {
    match &operand.kind {
        ExpressionKind::Unary { operator, .. } => *operator == UnaryOperator::Negate,
        _ => false,
    }
}

/// Whether the text of a statement begins with `(`.
fn begins_with_parenthesis(kind: &StatementKind) -> bool {
    let mut expression = match kind {
        StatementKind::Call(call) => call,
        StatementKind::Assign { targets, .. } => match targets.first() {
            Some(target) => target,
            None => return false,
        },
        _ => return false,
    };
    loop {
        expression = match &expression.kind {
            ExpressionKind::Index(index) => &index.object,
            ExpressionKind::MethodCall(call) => &call.object,
            ExpressionKind::Call(call) => &call.function,
            ExpressionKind::Name(_) => return false,
            // Whatever else is called or indexed has parentheses or is given them.
            _ => return true,
        };
    }
}

#[cfg(test)]
mod tests;
