//! The expressions of manual §3.4 and the bodies of functions.
//!
//! The functions are small for the sake of builds without optimization, where each value that a function names has its
//! own place on the stack: what stands in a function that recursion goes through is there once for every level.

use std::rc::Rc;

use super::{Parser, Result, take_above};
use crate::syntax::ast::*;
use crate::syntax::number::Number;
use crate::syntax::token::TokenKind;

/// How tightly an operator binds its operands. Where the right side is less than the left, it is right associative.
#[derive(Clone, Copy)]
pub(in crate::syntax) struct Priority {
    pub left: u8,
    pub right: u8,
}

/// How tightly the operators with one operand bind it.
pub(in crate::syntax) const UNARY_PRIORITY: u8 = 12;

/// The order of manual §3.4.8.
pub(in crate::syntax) fn priority(operator: BinaryOperator) -> Priority {
    use BinaryOperator::*;
    let (left, right) = match operator {
        Or => (1, 1),
        And => (2, 2),
        Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual => (3, 3),
        BitOr => (4, 4),
        BitXor => (5, 5),
        BitAnd => (6, 6),
        ShiftLeft | ShiftRight => (7, 7),
        Concat => (9, 8),
        Add | Subtract => (10, 10),
        Multiply | Divide | FloorDivide | Modulo => (11, 11),
        Power => (14, 13),
    };
    Priority { left, right }
}

fn unary_operator(token: TokenKind) -> Option<UnaryOperator> {
    Some(match token {
        TokenKind::Minus => UnaryOperator::Negate,
        TokenKind::Tilde => UnaryOperator::BitNot,
        TokenKind::Not => UnaryOperator::Not,
        TokenKind::Hash => UnaryOperator::Length,
        _ => return None,
    })
}

fn binary_operator(token: TokenKind) -> Option<BinaryOperator> {
    Some(match token {
        TokenKind::Plus => BinaryOperator::Add,
        TokenKind::Minus => BinaryOperator::Subtract,
        TokenKind::Star => BinaryOperator::Multiply,
        TokenKind::Slash => BinaryOperator::Divide,
        TokenKind::DoubleSlash => BinaryOperator::FloorDivide,
        TokenKind::Percent => BinaryOperator::Modulo,
        TokenKind::Caret => BinaryOperator::Power,
        TokenKind::Concat => BinaryOperator::Concat,
        TokenKind::Ampersand => BinaryOperator::BitAnd,
        TokenKind::Bar => BinaryOperator::BitOr,
        TokenKind::Tilde => BinaryOperator::BitXor,
        TokenKind::ShiftLeft => BinaryOperator::ShiftLeft,
        TokenKind::ShiftRight => BinaryOperator::ShiftRight,
        TokenKind::Equal => BinaryOperator::Equal,
        TokenKind::NotEqual => BinaryOperator::NotEqual,
        TokenKind::Less => BinaryOperator::Less,
        TokenKind::LessEqual => BinaryOperator::LessEqual,
        TokenKind::Greater => BinaryOperator::Greater,
        TokenKind::GreaterEqual => BinaryOperator::GreaterEqual,
        TokenKind::And => BinaryOperator::And,
        TokenKind::Or => BinaryOperator::Or,
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expression> {
        self.operand(0)
    }

    pub(super) fn expression_list(&mut self) -> Result<Vec<Expression>> {
        let first = self.expression()?;
        if !self.at(TokenKind::Comma) {
            return Ok(vec![first]);
        }
        let base = self.expressions.len();
        self.expressions.push(first);
        while self.accept(TokenKind::Comma)? {
            let next = self.expression()?;
            self.expressions.push(next);
        }
        Ok(take_above(base, &mut self.expressions))
    }

    /// An expression of operators that bind tighter than `limit`. Chains to the left are a loop; operands to the right
    /// are recursion.
    fn operand(&mut self, limit: u8) -> Result<Expression> {
        self.enter_level()?;
        let siblings = self.fresh_height();
        let mut expression = self.first_operand()?;
        while let Some(operator) = binary_operator(self.token.kind)
            && priority(operator).left > limit
        {
            expression = self.binary(operator, expression)?;
        }
        self.join_height(siblings);
        self.leave_level();
        Ok(expression)
    }

    fn first_operand(&mut self) -> Result<Expression> {
        match unary_operator(self.token.kind) {
            Some(operator) => self.unary(operator),
            None => self.simple_expression(),
        }
    }

    fn unary(&mut self, operator: UnaryOperator) -> Result<Expression> {
        let first = self.token_span();
        let line = self.line();
        self.advance()?;
        let operand = self.operand(UNARY_PRIORITY).map(Box::new)?;
        self.node(first, ExpressionKind::Unary { operator, operand, line })
    }

    fn binary(&mut self, operator: BinaryOperator, left: Expression) -> Result<Expression> {
        let first = left.span;
        let line = self.line();
        self.advance()?;
        let right = self.operand(priority(operator).right)?;
        self.node(first, ExpressionKind::Binary(Box::new(Binary { operator, left, right, line })))
    }

    /// Makes the node on top of all that was parsed since the height was fresh.
    fn node(&mut self, first: Span, kind: ExpressionKind) -> Result<Expression> {
        self.grow()?;
        Ok(Expression { kind, span: self.span_from(first) })
    }

    fn simple_expression(&mut self) -> Result<Expression> {
        match self.token.kind {
            TokenKind::LeftBrace => self.table(),
            TokenKind::Function => self.function_expression(),
            TokenKind::Name | TokenKind::LeftParen => self.suffixed_expression(),
            _ => self.literal(),
        }
    }

    fn literal(&mut self) -> Result<Expression> {
        let first = self.token_span();
        let kind = match self.token.kind {
            TokenKind::Nil => ExpressionKind::Nil,
            TokenKind::True => ExpressionKind::True,
            TokenKind::False => ExpressionKind::False,
            TokenKind::Number => match self.lexer.number() {
                Number::Integer(value) => ExpressionKind::Integer(value),
                Number::Float(value) => ExpressionKind::Float(value),
            },
            TokenKind::String => ExpressionKind::String(Rc::from(self.lexer.string())),
            TokenKind::Dots if self.variadic => ExpressionKind::Vararg,
            TokenKind::Dots => return Err(self.error("cannot use '...' outside a vararg function")),
            _ => return Err(self.error("unexpected symbol")),
        };
        self.advance()?;
        self.node(first, kind)
    }

    fn function_expression(&mut self) -> Result<Expression> {
        let first = self.token_span();
        self.advance()?;
        let body = self.function_body(self.line(), false).map(Box::new)?;
        self.node(first, ExpressionKind::Function(body))
    }

    fn primary_expression(&mut self) -> Result<Expression> {
        match self.token.kind {
            TokenKind::Name => self.variable(),
            TokenKind::LeftParen => self.parenthesized(),
            _ => Err(self.error("unexpected symbol")),
        }
    }

    fn variable(&mut self) -> Result<Expression> {
        let NameAt { name, span } = self.name()?;
        self.node(span, ExpressionKind::Name(name))
    }

    fn parenthesized(&mut self) -> Result<Expression> {
        let first = self.token_span();
        let line = self.line();
        self.advance()?;
        let inner = self.expression().map(Box::new)?;
        self.expect_closing(TokenKind::RightParen, TokenKind::LeftParen, line)?;
        self.node(first, ExpressionKind::Parenthesized(inner))
    }

    /// A name or an expression in parentheses, with the indices and calls that follow it.
    pub(super) fn suffixed_expression(&mut self) -> Result<Expression> {
        let mut expression = self.primary_expression()?;
        while self.at_suffix() {
            expression = self.suffix(expression)?;
        }
        Ok(expression)
    }

    /// Whether an index or a call comes next.
    fn at_suffix(&self) -> bool {
        use TokenKind::{Colon, Dot, LeftBrace, LeftBracket, LeftParen, String};
        matches!(self.token.kind, Dot | LeftBracket | Colon | LeftParen | LeftBrace | String)
    }

    fn suffix(&mut self, object: Expression) -> Result<Expression> {
        let first = object.span;
        let kind = match self.token.kind {
            TokenKind::Dot => self.field_of(object),
            TokenKind::LeftBracket => self.element_of(object),
            TokenKind::Colon => self.method_of(object),
            _ => self.call_of(object),
        };
        self.node(first, kind?)
    }

    fn field_of(&mut self, object: Expression) -> Result<ExpressionKind> {
        self.advance()?;
        let NameAt { name, span } = self.name()?;
        let key = Expression { kind: ExpressionKind::String(Rc::from(name)), span };
        Ok(ExpressionKind::Index(Box::new(Index { object, key })))
    }

    fn element_of(&mut self, object: Expression) -> Result<ExpressionKind> {
        let key = self.bracketed_key()?;
        Ok(ExpressionKind::Index(Box::new(Index { object, key })))
    }

    fn method_of(&mut self, object: Expression) -> Result<ExpressionKind> {
        self.advance()?;
        let method = self.name()?;
        let line = self.line();
        let arguments = self.arguments()?;
        Ok(ExpressionKind::MethodCall(Box::new(MethodCall { object, method, arguments, line })))
    }

    fn call_of(&mut self, function: Expression) -> Result<ExpressionKind> {
        let line = self.line();
        let arguments = self.arguments()?;
        Ok(ExpressionKind::Call(Box::new(Call { function, arguments, line })))
    }

    fn bracketed_key(&mut self) -> Result<Expression> {
        self.expect(TokenKind::LeftBracket)?;
        let key = self.expression()?;
        self.expect(TokenKind::RightBracket)?;
        Ok(key)
    }

    fn arguments(&mut self) -> Result<Vec<Expression>> {
        match self.token.kind {
            TokenKind::LeftParen => self.parenthesized_arguments(),
            TokenKind::LeftBrace | TokenKind::String => self.single_argument(),
            _ => Err(self.error("function arguments expected")),
        }
    }

    fn parenthesized_arguments(&mut self) -> Result<Vec<Expression>> {
        let line = self.line();
        if !self.syntax.calls_across_lines && line != self.previous_line {
            return Err(self.error("ambiguous syntax (function call x new statement)"));
        }
        self.advance()?;
        let arguments = if self.at(TokenKind::RightParen) { Vec::new() } else { self.expression_list()? };
        self.expect_closing(TokenKind::RightParen, TokenKind::LeftParen, line)?;
        Ok(arguments)
    }

    fn single_argument(&mut self) -> Result<Vec<Expression>> {
        let siblings = self.fresh_height();
        let argument = self.simple_expression()?;
        self.join_height(siblings);
        Ok(vec![argument])
    }

    fn table(&mut self) -> Result<Expression> {
        let first = self.token_span();
        let line = self.line();
        self.expect(TokenKind::LeftBrace)?;
        let base = self.fields.len();
        while !self.at(TokenKind::RightBrace) {
            let field = self.field()?;
            self.fields.push(field);
            if !self.accept(TokenKind::Comma)? && !self.accept(TokenKind::Semicolon)? {
                break;
            }
        }
        self.expect_closing(TokenKind::RightBrace, TokenKind::LeftBrace, line)?;
        let fields = take_above(base, &mut self.fields);
        self.node(first, ExpressionKind::Table(fields))
    }

    fn field(&mut self) -> Result<Field> {
        if self.at(TokenKind::LeftBracket) {
            self.keyed_field()
        } else if self.at(TokenKind::Name) && self.peek_second()? == TokenKind::Assign {
            self.named_field()
        } else {
            self.expression().map(Field::Item)
        }
    }

    fn keyed_field(&mut self) -> Result<Field> {
        let key = self.bracketed_key()?;
        self.expect(TokenKind::Assign)?;
        let value = self.expression()?;
        Ok(Field::Keyed(key, value))
    }

    fn named_field(&mut self) -> Result<Field> {
        let name = self.name()?;
        self.advance()?;
        let value = self.expression()?;
        Ok(Field::Named(name, value))
    }

    /// A function from its parameters to its `end`; `line` is where it is said to begin.
    pub(super) fn function_body(&mut self, line: u32, is_method: bool) -> Result<FunctionBody> {
        let outer_variadic = std::mem::replace(&mut self.variadic, false);
        let outer_locals = std::mem::replace(&mut self.locals, usize::from(is_method));
        let outer_line = std::mem::replace(&mut self.function_line, line);
        let finished = self.finished.len();
        let parameters = self.parameters()?;
        let block = self.block()?;
        let end_line = self.line();
        let ended = self.expect_closing(TokenKind::End, TokenKind::Function, line);
        let (block, ()) = self.complete(block, ended)?;
        let variadic = std::mem::replace(&mut self.variadic, outer_variadic);
        (self.locals, self.function_line) = (outer_locals, outer_line);
        let body = FunctionBody { parameters, variadic, block, line, end_line, next_line: self.line() };
        if self.keeps {
            // Those inside of it are part of it.
            self.finished.truncate(finished);
            let name = NameAt { name: self.names.intern(b"?"), span: self.token_span() };
            let kind = StatementKind::LocalFunction { name, body: Box::new(body.clone()) };
            self.finished.push(Statement { kind, span: self.token_span() });
        }
        Ok(body)
    }

    /// A list of parameters in its parentheses; tells by [`variadic`](Parser::variadic) whether it ends with `...`.
    fn parameters(&mut self) -> Result<Vec<NameAt>> {
        self.expect(TokenKind::LeftParen)?;
        let mut parameters = Vec::new();
        if !self.at(TokenKind::RightParen) {
            loop {
                match self.token.kind {
                    TokenKind::Name => {
                        parameters.push(self.name()?);
                        self.declare(1)?;
                    }
                    TokenKind::Dots => {
                        self.advance()?;
                        self.variadic = true;
                    }
                    _ => return Err(self.error("<name> or '...' expected")),
                }
                if self.variadic || !self.accept(TokenKind::Comma)? {
                    break;
                }
            }
        }
        self.expect(TokenKind::RightParen)?;
        Ok(parameters)
    }
}
