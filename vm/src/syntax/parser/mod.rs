//! Tokens to tree: a recursive-descent parser of manual §9, here its statements and what both halves share.
//!
//! It reads the source once, with one token of lookahead inside table constructors, and stops at the first error. The
//! lines that it notes are those which PUC Lua would give to the same code, so that errors at run time name the same
//! line.
//!
//! Two bounds keep every later walk over the tree, dropping it included, within the Rust stack:
//! - [`MAX_LEVELS`] is PUC Lua's own bound on nested statements and operands, and the parser's on its own recursion.
//! - [`MAX_HEIGHT`] bounds the height of the tree. PUC Lua builds none, so it takes chains such as `1+1+1+…` or
//!   `a.b.c.…` at any length; such a chain makes a tree as high as it is long. Only absurd sources come near.

mod expressions;
mod names;

pub(super) use self::expressions::{Priority, UNARY_PRIORITY, priority};
use self::names::Names;
use super::ast::*;
use super::error::{SyntaxError, limit_message};
use super::features::Syntax;
use super::lexer::Lexer;
use super::token::{Token, TokenKind};
use crate::bytecode::MAX_LOCALS;

/// Most statements, operands and function bodies that can be nested in each other: what PUC Lua's 200 levels of C calls
/// leave to a chunk that a script loads.
pub const MAX_LEVELS: u32 = 197;

/// The greatest height of a syntax tree, in statements and expressions from the chunk down to any leaf.
pub const MAX_HEIGHT: u32 = 1000;

/// Parses a chunk. Errors name it by [`chunk_id`](super::chunk_id) of `chunk_name`.
///
/// # Errors
///
/// The first error in the source, with the message that PUC Lua gives. Beyond [`MAX_LEVELS`] it is `C stack overflow`
/// alone, as there; beyond [`MAX_HEIGHT`], which PUC Lua doesn't have, `chunk has too many syntax levels`.
pub fn parse(source: &[u8], chunk_name: &[u8], syntax: impl Into<Syntax>) -> Result<Chunk, SyntaxError> {
    let mut parser = Parser::new(source, chunk_name, syntax.into());
    let block = parser.main_block().map_err(|error| *error)?;
    Ok(Chunk { block, last_line: parser.line() })
}

/// The statements before the error in a source that is not Lua, each block that is still open as one that ends there. PUC
/// Lua compiles while it parses, so what is wrong with these comes first.
pub(crate) fn parse_prefix(source: &[u8], chunk_name: &[u8], syntax: impl Into<Syntax>) -> Chunk {
    let mut parser = Parser { keeps: true, ..Parser::new(source, chunk_name, syntax.into()) };
    let _ = parser.main_block();
    Chunk { block: Block { statements: std::mem::take(&mut parser.open) }, last_line: parser.line() }
}

/// The statements of a chunk, parsed one after the other.
pub(crate) struct Statements<'s> {
    parser: Parser<'s>,
    /// Whether the first token has been read.
    begun: bool,
    /// Whether the statement in hand is the last, whatever follows.
    returned: bool,
}

impl<'s> Statements<'s> {
    pub fn new(source: &'s [u8], chunk_name: &'s [u8], syntax: impl Into<Syntax>) -> Statements<'s> {
        Statements { parser: Parser::new(source, chunk_name, syntax.into()), begun: false, returned: false }
    }

    /// Parses the next statement with the labels in front of it, or those at the end. What was parsed before is gone.
    pub fn step(&mut self) -> Result<()> {
        let parser = &mut self.parser;
        parser.statements.clear();
        if !std::mem::replace(&mut self.begun, true) {
            parser.begin()?;
        }
        while !self.returned && !parser.at_block_end() {
            self.returned = parser.at_last_statement();
            parser.statement()?;
            if !matches!(parser.statements.last(), None | Some(Statement { kind: StatementKind::Label(_), .. })) {
                return Ok(());
            }
        }
        parser.expect_here(TokenKind::EndOfSource)
    }

    /// What the last step has parsed: nothing if the chunk had ended.
    pub fn parsed(&self) -> &[Statement] {
        &self.parser.statements
    }

    /// The line to which the source has been read.
    pub fn line(&self) -> u32 {
        self.parser.line()
    }
}

/// The end of a list that begins at a place, as a list of just its length.
fn take_above<T>(place: usize, list: &mut Vec<T>) -> Vec<T> {
    if place == list.len() { Vec::new() } else { list.drain(place..).collect() }
}

/// Errors are rare, and boxed they make no result larger than what it is about.
type Result<T, E = Box<SyntaxError>> = std::result::Result<T, E>;

struct Parser<'s> {
    lexer: Lexer<'s>,
    syntax: Syntax,
    /// The token to be parsed next.
    token: Token,
    /// The token after it, where that had to be known.
    lookahead: Option<Token>,
    /// End of the token before [`token`](Parser::token).
    previous_end: u32,
    /// The line of that end.
    previous_line: u32,
    names: Names<'s>,
    /// How many statements and operands are being parsed within each other.
    levels: u32,
    /// Height of what has been parsed of the node in hand; [`fresh_height`](Parser::fresh_height) starts another node.
    height: u32,
    /// Whether the function in hand has a `...`.
    variadic: bool,
    /// How many variables are in scope in it.
    locals: usize,
    /// The line where it is defined; 0 for a chunk.
    function_line: u32,
    /// The parts of the lists that are being parsed, the innermost last: each becomes a list of just its length.
    statements: Vec<Statement>,
    expressions: Vec<Expression>,
    fields: Vec<Field>,
    /// Whether what an error would lose is kept.
    keeps: bool,
    /// The functions in the statement in hand that are complete.
    finished: Vec<Statement>,
    /// After an error: the statements of the blocks that it leaves open.
    open: Vec<Statement>,
}

impl<'s> Parser<'s> {
    fn new(source: &'s [u8], chunk_name: &'s [u8], syntax: Syntax) -> Parser<'s> {
        Parser {
            lexer: Lexer::new(source, chunk_name, syntax),
            syntax,
            token: Token { kind: TokenKind::EndOfSource, start: 0, end: 0, line: 1 },
            lookahead: None,
            previous_end: 0,
            previous_line: 1,
            names: Names::of(source),
            levels: 0,
            height: 0,
            variadic: true,
            locals: 0,
            function_line: 0,
            statements: Vec::new(),
            expressions: Vec::new(),
            fields: Vec::new(),
            keeps: false,
            finished: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Reads the first token.
    fn begin(&mut self) -> Result<()> {
        if !self.lexer.can_count() {
            return Err(self.lexer.error_here("chunk is too long"));
        }
        self.advance()
    }

    fn main_block(&mut self) -> Result<Block> {
        self.begin()?;
        let block = self.block()?;
        let ended = self.expect_here(TokenKind::EndOfSource);
        Ok(self.complete(block, ended)?.0)
    }

    /// A block with what comes right behind it, unless that is an error.
    fn complete<T>(&mut self, block: Block, behind: Result<T>) -> Result<(Block, T)> {
        match behind {
            Ok(behind) => Ok((block, behind)),
            Err(error) => {
                self.leave_open(block.statements);
                Err(error)
            }
        }
    }

    /// A block with the word that closes it.
    fn closed_block(&mut self, closer: TokenKind, opener: TokenKind, line: u32) -> Result<Block> {
        let block = self.block()?;
        let ended = self.expect_closing(closer, opener, line);
        Ok(self.complete(block, ended)?.0)
    }

    /// Keeps the statements of a block that an error leaves open, around those of the block inside of it.
    fn leave_open(&mut self, mut statements: Vec<Statement>) {
        let inner = std::mem::take(&mut self.open);
        if !inner.is_empty() {
            statements.push(self.as_statement(Block { statements: inner }));
        }
        self.open = statements;
    }

    fn as_statement(&self, block: Block) -> Statement {
        Statement { kind: StatementKind::Do(block), span: self.token_span() }
    }

    /// Steps to the next token.
    fn advance(&mut self) -> Result<()> {
        self.previous_end = self.token.end;
        self.previous_line = self.line();
        self.token = match self.lookahead.take() {
            Some(token) => token,
            None => self.lexer.next_token()?,
        };
        Ok(())
    }

    /// The kind of the token after the next.
    fn peek_second(&mut self) -> Result<TokenKind> {
        let token = match self.lookahead {
            Some(token) => token,
            None => self.lexer.next_token()?,
        };
        self.lookahead = Some(token);
        Ok(token.kind)
    }

    /// The line that counts for code: where the token to be parsed ends.
    fn line(&self) -> u32 {
        self.lexer.line()
    }

    fn at(&self, kind: TokenKind) -> bool {
        self.token.kind == kind
    }

    /// Steps over a token if it is next.
    fn accept(&mut self, kind: TokenKind) -> Result<bool> {
        let found = self.at(kind);
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Fails unless this token is next.
    fn expect_here(&self, kind: TokenKind) -> Result<()> {
        if self.at(kind) { Ok(()) } else { Err(self.error(&format!("{} expected", kind.describe()))) }
    }

    /// Steps over a token that must be next.
    fn expect(&mut self, kind: TokenKind) -> Result<()> {
        self.expect_here(kind)?;
        self.advance()
    }

    /// Steps over the token that closes what `opener` opened at a line.
    fn expect_closing(&mut self, closer: TokenKind, opener: TokenKind, line: u32) -> Result<()> {
        if self.at(closer) || line == self.line() {
            return self.expect(closer);
        }
        let (closer, opener) = (closer.describe(), opener.describe());
        Err(self.error(&format!("{closer} expected (to close {opener} at line {line})")))
    }

    fn name(&mut self) -> Result<NameAt> {
        self.expect_here(TokenKind::Name)?;
        let name = NameAt { name: self.names.intern(self.lexer.text(self.token)), span: self.token_span() };
        self.advance()?;
        Ok(name)
    }

    /// Brings variables into scope whose names have just been parsed.
    fn declare(&mut self, count: usize) -> Result<()> {
        self.locals += count;
        if self.locals <= MAX_LOCALS {
            return Ok(());
        }
        Err(self.error(&limit_message("local variables", MAX_LOCALS, self.function_line)))
    }

    /// An error near the next token.
    #[cold]
    fn error(&self, what: &str) -> Box<SyntaxError> {
        self.lexer.error_near(what, self.token)
    }

    fn token_span(&self) -> Span {
        Span { start: self.token.start, end: self.token.end, line: self.token.line, end_line: self.line() }
    }

    /// The span from a token to the last one that was parsed.
    fn span_from(&self, first: Span) -> Span {
        Span { end: self.previous_end, end_line: self.previous_line, ..first }
    }

    fn enter_level(&mut self) -> Result<()> {
        if self.levels == MAX_LEVELS {
            let message = b"C stack overflow".to_vec();
            return Err(Box::new(SyntaxError { message, line: self.line(), incomplete: false, too_deep: true }));
        }
        self.levels += 1;
        Ok(())
    }

    fn leave_level(&mut self) {
        self.levels -= 1;
    }

    /// Begins a node; gives the height that [`join_height`](Parser::join_height) wants when it is complete.
    fn fresh_height(&mut self) -> u32 {
        std::mem::take(&mut self.height)
    }

    /// Ends a node beside others of the same parent, whose height so far is `siblings`.
    fn join_height(&mut self, siblings: u32) {
        self.height = self.height.max(siblings);
    }

    /// Puts a node on top of those that were parsed.
    fn grow(&mut self) -> Result<()> {
        if self.height == MAX_HEIGHT {
            return Err(self.error("chunk has too many syntax levels"));
        }
        self.height += 1;
        Ok(())
    }

    /// Whether a block ends before the next token.
    fn at_block_end(&self) -> bool {
        use TokenKind::{Else, ElseIf, End, EndOfSource, Until};
        matches!(self.token.kind, Else | ElseIf | End | EndOfSource | Until)
    }

    /// Whether the next statement must be the last one of its block.
    fn at_last_statement(&self) -> bool {
        self.at(TokenKind::Return) || (self.at(TokenKind::Break) && !self.syntax.break_anywhere)
    }

    fn block(&mut self) -> Result<Block> {
        let outer_locals = self.locals;
        let base = self.statements.len();
        while !self.at_block_end() {
            let last = self.at_last_statement();
            let finished = self.finished.len();
            if let Err(error) = self.statement() {
                let mut statements = take_above(base, &mut self.statements);
                statements.extend(self.finished.drain(finished..));
                self.leave_open(statements);
                return Err(error);
            }
            self.finished.truncate(finished);
            if last {
                break;
            }
        }
        self.locals = outer_locals;
        Ok(Block { statements: take_above(base, &mut self.statements) })
    }

    /// Parses a statement onto the end of the block: none at all for `;`, and several where labels follow each other.
    fn statement(&mut self) -> Result<()> {
        self.enter_level()?;
        let siblings = self.fresh_height();
        match self.token.kind {
            TokenKind::Semicolon if self.syntax.empty_statements => self.advance()?,
            TokenKind::DoubleColon => self.label_statement()?,
            _ => {
                let first = self.token_span();
                let kind = self.statement_kind()?;
                self.grow()?;
                let takes_semicolon = matches!(kind, StatementKind::Return(_)) || !self.syntax.empty_statements;
                let span = self.span_from(first);
                self.statements.push(Statement { kind, span });
                if takes_semicolon {
                    self.accept(TokenKind::Semicolon)?;
                }
            }
        }
        self.join_height(siblings);
        self.leave_level();
        Ok(())
    }

    // Each kind has a function of its own, whose result is handed on as it is: in a build without optimization each
    // value that a function names has its own place on the stack, and this one is on it once for every nested block.
    fn statement_kind(&mut self) -> Result<StatementKind> {
        let line = self.line();
        match self.token.kind {
            TokenKind::If => self.if_statement(line),
            TokenKind::While => self.while_statement(line),
            TokenKind::Do => self.do_statement(line),
            TokenKind::For => self.for_statement(line),
            TokenKind::Repeat => self.repeat_statement(line),
            TokenKind::Function => self.function_statement(line),
            TokenKind::Local => self.local_statement(),
            TokenKind::Return => self.return_statement(),
            TokenKind::Break => self.advance().map(|()| StatementKind::Break),
            TokenKind::Goto => self.goto_statement(),
            _ => self.expression_statement(),
        }
    }

    /// A label takes the empty statements and labels after it along, one level deeper each: PUC Lua's way, and
    /// so its limit.
    fn label_statement(&mut self) -> Result<()> {
        let first = self.token_span();
        self.advance()?;
        let label = self.name()?;
        self.expect(TokenKind::DoubleColon)?;
        self.grow()?;
        let span = self.span_from(first);
        self.statements.push(Statement { kind: StatementKind::Label(label), span });
        while self.at(TokenKind::Semicolon) || self.at(TokenKind::DoubleColon) {
            self.statement()?;
        }
        Ok(())
    }

    fn if_statement(&mut self, line: u32) -> Result<StatementKind> {
        let mut arms = Vec::with_capacity(1);
        match self.arms(&mut arms, line) {
            Ok(otherwise) => Ok(StatementKind::If { arms, otherwise }),
            Err(error) => {
                let finished = arms.into_iter().map(|arm| self.as_statement(arm.block)).collect();
                self.leave_open(finished);
                Err(error)
            }
        }
    }

    /// The arms of an `if`, the one behind `else` as the result.
    fn arms(&mut self, arms: &mut Vec<Arm>, line: u32) -> Result<Option<Block>> {
        loop {
            self.advance()?;
            let condition = self.expression()?;
            let then_line = self.line();
            self.expect(TokenKind::Then)?;
            arms.push(Arm { condition, then_line, block: self.block()? });
            if !self.at(TokenKind::ElseIf) {
                break;
            }
        }
        if self.accept(TokenKind::Else)? {
            return self.closed_block(TokenKind::End, TokenKind::If, line).map(Some);
        }
        self.expect_closing(TokenKind::End, TokenKind::If, line)?;
        Ok(None)
    }

    fn do_statement(&mut self, line: u32) -> Result<StatementKind> {
        self.advance()?;
        self.closed_block(TokenKind::End, TokenKind::Do, line).map(StatementKind::Do)
    }

    fn while_statement(&mut self, line: u32) -> Result<StatementKind> {
        self.advance()?;
        let condition = self.expression().map(Box::new)?;
        self.expect(TokenKind::Do)?;
        let (body, end_line) = self.loop_body(TokenKind::While, line)?;
        Ok(StatementKind::While { condition, body, end_line })
    }

    fn repeat_statement(&mut self, line: u32) -> Result<StatementKind> {
        self.advance()?;
        let body = self.closed_block(TokenKind::Until, TokenKind::Repeat, line)?;
        let condition = self.expression().map(Box::new);
        let (body, condition) = self.complete(body, condition)?;
        Ok(StatementKind::Repeat { body, condition })
    }

    fn for_statement(&mut self, line: u32) -> Result<StatementKind> {
        self.advance()?;
        let variable = self.name()?;
        let outer_locals = self.locals;
        let statement = match self.token.kind {
            TokenKind::Assign => self.numeric_for(variable, line)?,
            TokenKind::Comma | TokenKind::In => self.generic_for(variable, line)?,
            _ => return Err(self.error("'=' or 'in' expected")),
        };
        self.locals = outer_locals;
        Ok(statement)
    }

    fn numeric_for(&mut self, variable: NameAt, line: u32) -> Result<StatementKind> {
        // Three more hold the state of the loop.
        self.declare(4)?;
        self.advance()?;
        let start = self.expression()?;
        self.expect(TokenKind::Comma)?;
        let limit = self.expression()?;
        let step = if self.accept(TokenKind::Comma)? { Some(self.expression()?) } else { None };
        self.expect(TokenKind::Do)?;
        let (body, end_line) = self.loop_body(TokenKind::For, line)?;
        Ok(StatementKind::NumericFor(Box::new(NumericFor { variable, start, limit, step, body, end_line })))
    }

    fn generic_for(&mut self, first: NameAt, line: u32) -> Result<StatementKind> {
        // Four more hold the state of the loop.
        self.declare(5)?;
        let mut variables = vec![first];
        while self.accept(TokenKind::Comma)? {
            variables.push(self.name()?);
            self.declare(1)?;
        }
        self.expect(TokenKind::In)?;
        let iterators = self.expression_list()?;
        self.expect(TokenKind::Do)?;
        let (body, end_line) = self.loop_body(TokenKind::For, line)?;
        Ok(StatementKind::GenericFor(Box::new(GenericFor { variables, iterators, body, end_line })))
    }

    /// The body of a loop that began at `line`, to its `end`, with the line of that.
    fn loop_body(&mut self, opener: TokenKind, line: u32) -> Result<(Block, u32)> {
        let body = self.block()?;
        let end_line = self.line();
        let ended = self.expect_closing(TokenKind::End, opener, line);
        Ok((self.complete(body, ended)?.0, end_line))
    }

    fn function_statement(&mut self, line: u32) -> Result<StatementKind> {
        self.advance()?;
        let base = self.name()?;
        let mut fields = Vec::new();
        while self.accept(TokenKind::Dot)? {
            fields.push(self.name()?);
            self.grow()?;
        }
        let method = if self.accept(TokenKind::Colon)? { Some(self.name()?) } else { None };
        let body = self.function_body(line, method.is_some())?;
        Ok(StatementKind::Function(Box::new(FunctionStatement { base, fields, method, body })))
    }

    fn local_statement(&mut self) -> Result<StatementKind> {
        self.advance()?;
        if self.accept(TokenKind::Function)? { self.local_function() } else { self.local_variables() }
    }

    fn local_function(&mut self) -> Result<StatementKind> {
        let name = self.name()?;
        self.declare(1)?;
        let body = self.function_body(self.line(), false).map(Box::new)?;
        Ok(StatementKind::LocalFunction { name, body })
    }

    fn local_variables(&mut self) -> Result<StatementKind> {
        let mut names = Vec::with_capacity(1);
        let mut has_close = false;
        loop {
            let name = self.name()?;
            self.declare(1)?;
            let attribute = self.attribute()?;
            if attribute == Attribute::Close && std::mem::replace(&mut has_close, true) {
                return Err(self.lexer.error_here("multiple to-be-closed variables in local list"));
            }
            names.push(LocalName { name, attribute });
            if !self.accept(TokenKind::Comma)? {
                break;
            }
        }
        let values = if self.accept(TokenKind::Assign)? { self.expression_list()? } else { Vec::new() };
        Ok(StatementKind::Local { names, values })
    }

    fn return_statement(&mut self) -> Result<StatementKind> {
        self.advance()?;
        let empty = self.at_block_end() || self.at(TokenKind::Semicolon);
        Ok(StatementKind::Return(if empty { Vec::new() } else { self.expression_list()? }))
    }

    fn goto_statement(&mut self) -> Result<StatementKind> {
        self.advance()?;
        Ok(StatementKind::Goto(self.name()?))
    }

    fn attribute(&mut self) -> Result<Attribute> {
        if !self.syntax.attributes || !self.accept(TokenKind::Less)? {
            return Ok(Attribute::Regular);
        }
        let attribute = self.name()?;
        self.expect(TokenKind::Greater)?;
        match &*attribute.name {
            "const" => Ok(Attribute::Const),
            "close" => Ok(Attribute::Close),
            other => Err(self.lexer.error_here(&format!("unknown attribute '{other}'"))),
        }
    }

    fn expression_statement(&mut self) -> Result<StatementKind> {
        let first = self.suffixed_expression()?;
        if !self.at(TokenKind::Assign) && !self.at(TokenKind::Comma) {
            let is_call = matches!(first.kind, ExpressionKind::Call(_) | ExpressionKind::MethodCall(_));
            return if is_call { Ok(StatementKind::Call(first)) } else { Err(self.error("syntax error")) };
        }
        let outer_levels = self.levels;
        let finished = self.finished.len();
        let mut targets = Vec::with_capacity(1);
        let mut target = first;
        loop {
            if !matches!(target.kind, ExpressionKind::Name(_) | ExpressionKind::Index(_)) {
                return Err(self.error("syntax error"));
            }
            targets.push(target);
            if self.keeps {
                // What may not be assigned to is wrong whatever comes behind it.
                let span = self.token_span();
                let values = vec![Expression { kind: ExpressionKind::Nil, span }];
                let kind = StatementKind::Assign { targets: targets.clone(), values };
                self.finished.truncate(finished);
                self.finished.push(Statement { kind, span });
            }
            if !self.accept(TokenKind::Comma)? {
                break;
            }
            let siblings = self.fresh_height();
            target = self.suffixed_expression()?;
            self.join_height(siblings);
            // PUC Lua recurses for each target, so its limit counts them.
            self.enter_level()?;
        }
        self.expect(TokenKind::Assign)?;
        let values = self.expression_list()?;
        self.levels = outer_levels;
        Ok(StatementKind::Assign { targets, values })
    }
}

#[cfg(test)]
mod tests;
