//! The syntax tree of a Lua chunk.
//!
//! The parser makes it, the compiler turns it into bytecode, and the minimizer edits and prints it; so a node keeps
//! everything that the source says and the compiler or a reader needs, and nothing that only the compiler knows.
//! Every name, string and statement carries the [`Span`] of bytes that it came from; nodes that are made rather than
//! parsed have [`Span::NONE`].

use std::rc::Rc;

/// A piece of source text: byte offsets, half open, and the lines where it begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte.
    pub end: u32,
    /// Line of the first byte, from 1; 0 where there is no source.
    pub line: u32,
    /// Line of the last byte, likewise.
    pub end_line: u32,
}

impl Span {
    /// The span of what was made and not parsed.
    pub const NONE: Span = Span { start: 0, end: 0, line: 0, end_line: 0 };
}

/// An identifier. Shared, since the same few names occur all over a chunk.
pub type Name = Rc<str>;

/// A whole chunk: the body of a variadic function (manual §3.3.2).
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Its statements.
    pub block: Block,
    /// The last line of the source.
    pub last_line: u32,
}

/// A list of statements with a scope of its own.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Block {
    /// The statements in order. A `return` can only be the last one.
    pub statements: Vec<Statement>,
}

/// A condition of an `if` statement and the block that runs where it is true.
#[derive(Clone, Debug, PartialEq)]
pub struct Arm {
    /// Tested where those before it are false.
    pub condition: Expression,
    /// Line of the `then`; 0 where there is no source.
    pub then_line: u32,
    /// What runs.
    pub block: Block,
}

/// A statement and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// What it does.
    pub kind: StatementKind,
    /// From its first token to its last.
    pub span: Span,
}

/// The statements of manual §3.3. Empty statements are not kept.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// `targets = values`. Targets are [`ExpressionKind::Name`] or [`ExpressionKind::Index`].
    Assign {
        /// Left sides, at least one.
        targets: Vec<Expression>,
        /// Right sides, at least one.
        values: Vec<Expression>,
    },
    /// `local names = values`.
    Local {
        /// The new variables, at least one.
        names: Vec<LocalName>,
        /// May be fewer or more than the names, or none at all.
        values: Vec<Expression>,
    },
    /// A call whose results are dropped. Always [`ExpressionKind::Call`] or [`ExpressionKind::MethodCall`].
    Call(Expression),
    /// `do block end`.
    Do(Block),
    /// `while condition do body end`.
    While {
        /// Tested before each turn.
        condition: Box<Expression>,
        /// The loop's body.
        body: Block,
        /// Line of its `end`.
        end_line: u32,
    },
    /// `repeat body until condition`; the condition sees the locals of the body.
    Repeat {
        /// The loop's body.
        body: Block,
        /// Tested after each turn.
        condition: Box<Expression>,
    },
    /// `if c1 then b1 elseif c2 then b2 else b3 end`.
    If {
        /// Conditions with their blocks, at least one.
        arms: Vec<Arm>,
        /// The `else` block.
        otherwise: Option<Block>,
    },
    /// `for variable = start, limit, step do body end`.
    NumericFor(Box<NumericFor>),
    /// `for variables in iterators do body end`.
    GenericFor(Box<GenericFor>),
    /// `function a.b.c:m() … end`.
    Function(Box<FunctionStatement>),
    /// `local function name() … end`.
    LocalFunction {
        /// The new variable, visible in the body.
        name: NameAt,
        /// Parameters and block.
        body: Box<FunctionBody>,
    },
    /// `return values`.
    Return(Vec<Expression>),
    /// `break`.
    Break,
    /// `goto label`.
    Goto(NameAt),
    /// `::label::`.
    Label(NameAt),
}

/// `for variable = start, limit, step do body end`.
#[derive(Clone, Debug, PartialEq)]
pub struct NumericFor {
    /// The control variable.
    pub variable: NameAt,
    /// First value.
    pub start: Expression,
    /// Last value.
    pub limit: Expression,
    /// Increment; 1 if absent.
    pub step: Option<Expression>,
    /// The loop's body.
    pub body: Block,
    /// Line of its `end`.
    pub end_line: u32,
}

/// `for variables in iterators do body end`.
#[derive(Clone, Debug, PartialEq)]
pub struct GenericFor {
    /// At least one.
    pub variables: Vec<NameAt>,
    /// At least one.
    pub iterators: Vec<Expression>,
    /// The loop's body.
    pub body: Block,
    /// Line of its `end`.
    pub end_line: u32,
}

/// `function a.b.c:m() … end`. The `self` of a method is not among the body's parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionStatement {
    /// The first name.
    pub base: NameAt,
    /// The names after dots.
    pub fields: Vec<NameAt>,
    /// The name after the colon.
    pub method: Option<NameAt>,
    /// Parameters and block.
    pub body: FunctionBody,
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct NameAt {
    /// The identifier.
    pub name: Name,
    /// Where it stands.
    pub span: Span,
}

/// A variable of a `local` statement with its attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalName {
    /// The variable.
    pub name: NameAt,
    /// `<const>` or `<close>`.
    pub attribute: Attribute,
}

/// The attribute of a local variable (manual §3.3.7, §3.3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// None.
    Regular,
    /// `<const>`.
    Const,
    /// `<close>`.
    Close,
}

/// Parameters and block of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionBody {
    /// Named parameters, without the `self` of a method.
    pub parameters: Vec<NameAt>,
    /// Whether the list ends with `...`.
    pub variadic: bool,
    /// The statements.
    pub block: Block,
    /// Line of the word `function`.
    pub line: u32,
    /// Line of its `end`.
    pub end_line: u32,
    /// The line of the token behind that, which errors about the function's jumps name.
    pub next_line: u32,
}

/// An expression and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// What it computes.
    pub kind: ExpressionKind,
    /// From its first token to its last; for a binary operation, `line` is that of the operator's left operand.
    pub span: Span,
}

/// The expressions of manual §3.4.
#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    /// `nil`
    Nil,
    /// `true`
    True,
    /// `false`
    False,
    /// `...`
    Vararg,
    /// An integer literal.
    Integer(i64),
    /// A float literal.
    Float(f64),
    /// A string literal, unescaped.
    String(Rc<[u8]>),
    /// A local variable, an upvalue or a global: which one, the compiler finds.
    Name(Name),
    /// `object[key]`; `object.name` has a string as its key.
    Index(Box<Index>),
    /// `function(arguments)`.
    Call(Box<Call>),
    /// `object:method(arguments)`.
    MethodCall(Box<MethodCall>),
    /// `function (…) … end`.
    Function(Box<FunctionBody>),
    /// An operator with one operand.
    Unary {
        /// The operator.
        operator: UnaryOperator,
        /// Its operand.
        operand: Box<Expression>,
        /// Line of the operator.
        line: u32,
    },
    /// An operator with two operands.
    Binary(Box<Binary>),
    /// `{ … }`.
    Table(Vec<Field>),
    /// `(e)`: one value where the call or vararg inside would give many. Kept, since it also tells `(f)()` and `f()` apart.
    Parenthesized(Box<Expression>),
}

impl ExpressionKind {
    /// The arguments, if it is a call.
    pub fn arguments(&self) -> Option<&Vec<Expression>> {
        match self {
            ExpressionKind::Call(call) => Some(&call.arguments),
            ExpressionKind::MethodCall(call) => Some(&call.arguments),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn arguments_mut(&mut self) -> Option<&mut Vec<Expression>> {
        match self {
            ExpressionKind::Call(call) => Some(&mut call.arguments),
            ExpressionKind::MethodCall(call) => Some(&mut call.arguments),
            _ => None,
        }
    }
}

/// `object[key]`
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    /// The indexed value.
    pub object: Expression,
    /// The key.
    pub key: Expression,
}

/// `function(arguments)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The called value.
    pub function: Expression,
    /// Its arguments.
    pub arguments: Vec<Expression>,
    /// Line that errors in the call name: that of the function expression's last token.
    pub line: u32,
}

/// `object:method(arguments)`.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodCall {
    /// The value before the colon.
    pub object: Expression,
    /// The name after it.
    pub method: NameAt,
    /// Its arguments.
    pub arguments: Vec<Expression>,
    /// As in [`Call`].
    pub line: u32,
}

/// An operator with two operands.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    /// The operator.
    pub operator: BinaryOperator,
    /// Left operand.
    pub left: Expression,
    /// Right operand.
    pub right: Expression,
    /// Line of the operator.
    pub line: u32,
}

/// An entry of a table constructor.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// `value`, at the next list index.
    Item(Expression),
    /// `name = value`.
    Named(NameAt, Expression),
    /// `[key] = value`.
    Keyed(Expression, Expression),
}

/// Operators with one operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum UnaryOperator {
    Negate,
    BitNot,
    Not,
    Length,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum BinaryOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    Concat,
    BitAnd,
    BitOr,
    BitXor,
    ShiftLeft,
    ShiftRight,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
}
