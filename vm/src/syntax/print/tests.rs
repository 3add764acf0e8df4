//! Layout, and round trips of given and of generated trees.

use std::rc::Rc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::syntax::{parse, strip_spans};
use crate::version::LuaVersion;

fn reparse(text: &str) -> Chunk {
    parse(text.as_bytes(), b"=t", LuaVersion::Lua54).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn stripped(mut chunk: Chunk) -> Chunk {
    strip_spans(&mut chunk);
    chunk
}

/// Prints a source, after checking that nothing of it gets lost.
fn print(source: &str) -> String {
    let chunk = stripped(reparse(source));
    let text = print_chunk(&chunk);
    assert_eq!(stripped(reparse(&text)), chunk, "{text}");
    assert_eq!(text.lines().count(), code_lines(&chunk));
    text
}

#[test]
fn every_statement_has_a_line_and_blocks_are_indented() {
    let source = "local a<const>,b<close>,c=1,f'x' if a then b() elseif c then else d() end while x do y=1 break end \
        for i=1,2 do p(i) end for i=1,2,3 do end for k,v in pairs(t) do end repeat local z until z; ;; goto l ::l:: \
        function m.n:o(a,...) return ... end local function g() end do end do local x end return a,b;";
    let expected = "\
local a <const>, b <close>, c = 1, f(\"x\")
if a then
  b()
elseif c then else
  d()
end
while x do
  y = 1
  break
end
for i = 1, 2 do
  p(i)
end
for i = 1, 2, 3 do end
for k, v in pairs(t) do end
repeat
  local z
until z
goto l
::l::
function m.n:o(a, ...)
  return ...
end
local function g() end
do end
do
  local x
end
return a, b
";
    assert_eq!(print(source), expected);
}

#[test]
fn functions_inside_expressions_are_broken_over_lines() {
    let expected = "f(function() end, {\n}, function(a)\n  return a\nend)\n".replace("{\n}", "{}");
    assert_eq!(print("f(function()end,{},function(a)return a end)"), expected);
}

#[test]
fn expressions_have_one_form() {
    let cases = [
        ("x = t['name']['end']['1a'][1]", "x = t.name[\"end\"][\"1a\"][1]"),
        ("x = {1; 2, a = 3, ['b'] = 4, [c] = d,}", "x = {1, 2, a = 3, [\"b\"] = 4, [c] = d}"),
        ("x = - - -a - -b + ~ ~c", "x = - - -a - -b + ~~c"),
        ("x = ((a)) + (b * c) ^ d", "x = ((a)) + (b * c) ^ d"),
        ("x = not(not a)", "x = not (not a)"),
        ("x = ('a'):rep(3) f{} f'' o:m[[x]]", "x = (\"a\"):rep(3)\nf({})\nf(\"\")\no:m(\"x\")"),
        ("x = 0xff 	y = 1e3 z = 0x7p-1 w = .5", "x = 255\ny = 1000.0\nz = 3.5\nw = 0.5"),
        ("x = 0xffffffffffffffff y = 1e400 z = 3e300", "x = 0xffffffffffffffff\ny = 1e999\nz = 3e300"),
        ("x = 9223372036854775808", "x = 9.223372036854776e18"),
    ];
    for (source, expected) in cases {
        assert_eq!(print(source).trim_end(), expected);
    }
}

#[test]
fn strings_show_what_can_be_seen_and_escape_the_rest() {
    let source = "x = '\\0\\0001\\t\\n\\r\\\\\\\"\\'\\127é月\\xff\\x80\\u{200b}\\u{202e}7\\x1b[0m'";
    let expected = r#"x = "\0\0001\t\n\r\\\"'\127é月\255\128\226\128\139\226\128\1747\27[0m""#;
    assert_eq!(print(source).trim_end(), expected);
}

#[test]
fn a_statement_that_begins_with_a_parenthesis_is_kept_apart_from_the_one_before() {
    let expected = "f()\n;(g)()\n;(a).b, c = 1\n;(\"x\"):y()\ndo\n  (h)()\nend\n";
    assert_eq!(print("f();(g)();(a).b, c = 1;('x'):y()do(h)()end"), expected);
}

#[test]
fn made_trees_get_the_parentheses_that_they_lack() {
    let made = |kind| Expression { kind, span: Span::NONE };
    let name = |name: &str| made(ExpressionKind::Name(name.into()));
    let binary =
        |operator, left, right| made(ExpressionKind::Binary(Box::new(Binary { operator, left, right, line: 0 })));
    let negate = |operand| {
        let operand = Box::new(operand);
        made(ExpressionKind::Unary { operator: UnaryOperator::Negate, operand, line: 0 })
    };
    let index = |object| {
        let key = made(ExpressionKind::String(b"k".as_slice().into()));
        made(ExpressionKind::Index(Box::new(Index { object, key })))
    };
    use BinaryOperator::{Add, Concat, Multiply, Power, Subtract};
    let cases = [
        (binary(Multiply, binary(Add, name("a"), name("b")), name("c")), "(a + b) * c"),
        (binary(Subtract, name("a"), binary(Subtract, name("b"), name("c"))), "a - (b - c)"),
        (binary(Concat, binary(Concat, name("a"), name("b")), name("c")), "(a .. b) .. c"),
        (binary(Power, negate(name("a")), negate(name("b"))), "(-a) ^ -b"),
        (negate(binary(Power, name("a"), name("b"))), "-a ^ b"),
        (negate(binary(Add, name("a"), name("b"))), "-(a + b)"),
        (index(binary(Add, name("a"), name("b"))), "(a + b).k"),
        (index(made(ExpressionKind::Table(Vec::new()))), "({}).k"),
        (negate(made(ExpressionKind::Float(-1.5))), "-(-1.5)"),
        (made(ExpressionKind::Float(f64::NEG_INFINITY)), "(-1e999)"),
        (made(ExpressionKind::Float(f64::NAN)), "(0/0)"),
    ];
    for (expression, expected) in cases {
        let statements = vec![Statement { kind: StatementKind::Return(vec![expression]), span: Span::NONE }];
        let text = print_chunk(&Chunk { block: Block { statements }, last_line: 0 });
        assert_eq!(text, format!("return {expected}\n"));
    }
}

fn name() -> impl Strategy<Value = Name> {
    prop::sample::select(vec!["a", "b", "_x1", "self", "print", "End"]).prop_map(Name::from)
}

fn name_at() -> impl Strategy<Value = NameAt> {
    name().prop_map(|name| NameAt { name, span: Span::NONE })
}

fn made(kind: ExpressionKind) -> Expression {
    Expression { kind, span: Span::NONE }
}

fn string_value() -> impl Strategy<Value = Rc<[u8]>> {
    prop_oneof![
        vec(any::<u8>(), 0..8).prop_map(Rc::from),
        "\\PC{0,6}".prop_map(|text| Rc::from(text.into_bytes())),
        "[\\x00-\\x1f0-9\"'\\\\]{0,6}".prop_map(|text| Rc::from(text.into_bytes())),
        name().prop_map(Rc::from),
        Just(Rc::from(b"end".as_slice())),
    ]
}

fn leaf() -> impl Strategy<Value = Expression> {
    let float = any::<f64>().prop_map(|value| if value.is_nan() { 1.5 } else { value.abs() });
    prop_oneof![
        Just(ExpressionKind::Nil),
        Just(ExpressionKind::True),
        Just(ExpressionKind::False),
        Just(ExpressionKind::Vararg),
        any::<i64>().prop_map(ExpressionKind::Integer),
        (0..9i64).prop_map(ExpressionKind::Integer),
        float.prop_map(ExpressionKind::Float),
        string_value().prop_map(ExpressionKind::String),
        name().prop_map(ExpressionKind::Name),
        name().prop_map(ExpressionKind::Name),
    ]
    .prop_map(made)
}

fn unary_operator() -> impl Strategy<Value = UnaryOperator> {
    use UnaryOperator::*;
    prop::sample::select(vec![Negate, BitNot, Not, Length])
}

fn binary_operator() -> impl Strategy<Value = BinaryOperator> {
    use BinaryOperator::*;
    prop::sample::select(vec![
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
    ])
}

/// Expressions without functions, so without statements.
fn plain_expression() -> BoxedStrategy<Expression> {
    leaf()
        .prop_recursive(6, 40, 4, |inner| {
            let boxed = inner.clone().prop_map(Box::new);
            let field = prop_oneof![
                inner.clone().prop_map(Field::Item),
                (name_at(), inner.clone()).prop_map(|(name, value)| Field::Named(name, value)),
                (inner.clone(), inner.clone()).prop_map(|(key, value)| Field::Keyed(key, value)),
            ];
            let unary = (unary_operator(), boxed.clone());
            let binary = (binary_operator(), inner.clone(), inner.clone());
            let method = (inner.clone(), name_at(), vec(inner.clone(), 0..3));
            prop_oneof![
                unary.prop_map(|(operator, operand)| ExpressionKind::Unary { operator, operand, line: 0 }),
                binary.prop_map(|(operator, left, right)| {
                    ExpressionKind::Binary(Box::new(Binary { operator, left, right, line: 0 }))
                }),
                (inner.clone(), inner.clone())
                    .prop_map(|(object, key)| ExpressionKind::Index(Box::new(Index { object, key }))),
                (inner.clone(), vec(inner, 0..3)).prop_map(|(function, arguments)| {
                    ExpressionKind::Call(Box::new(Call { function, arguments, line: 0 }))
                }),
                method.prop_map(|(object, method, arguments)| {
                    ExpressionKind::MethodCall(Box::new(MethodCall { object, method, arguments, line: 0 }))
                }),
                vec(field, 0..4).prop_map(ExpressionKind::Table),
                boxed.prop_map(ExpressionKind::Parenthesized),
            ]
            .prop_map(made)
        })
        .boxed()
}

fn function_body(block: impl Strategy<Value = Block>) -> impl Strategy<Value = FunctionBody> {
    // Always variadic, since any expression may be a vararg.
    (vec(name_at(), 0..3), block).prop_map(|(parameters, block)| FunctionBody {
        parameters,
        variadic: true,
        block,
        line: 0,
        end_line: 0,
        next_line: 0,
    })
}

/// Expressions of which some are functions with such a block.
fn expression(block: BoxedStrategy<Block>) -> BoxedStrategy<Expression> {
    let function = function_body(block).prop_map(|body| made(ExpressionKind::Function(Box::new(body))));
    let with_function = (plain_expression(), function).prop_map(|(callee, argument)| {
        made(ExpressionKind::Call(Box::new(Call { function: callee, arguments: vec![argument], line: 0 })))
    });
    prop_oneof![4 => plain_expression(), 1 => with_function].boxed()
}

fn target() -> impl Strategy<Value = Expression> {
    let index = (plain_expression(), plain_expression())
        .prop_map(|(object, key)| made(ExpressionKind::Index(Box::new(Index { object, key }))));
    prop_oneof![name().prop_map(|name| made(ExpressionKind::Name(name))), index]
}

fn call() -> impl Strategy<Value = Expression> {
    (plain_expression(), vec(plain_expression(), 0..3))
        .prop_map(|(function, arguments)| made(ExpressionKind::Call(Box::new(Call { function, arguments, line: 0 }))))
}

fn statement(block: BoxedStrategy<Block>) -> BoxedStrategy<StatementKind> {
    let value = expression(block.clone());
    let attribute = prop::sample::select(vec![Attribute::Regular, Attribute::Const, Attribute::Close]);
    let local_names = (name_at(), attribute, vec(name_at(), 0..2)).prop_map(|(first, attribute, others)| {
        let others = others.into_iter().map(|name| LocalName { name, attribute: Attribute::Regular });
        std::iter::once(LocalName { name: first, attribute }).chain(others).collect::<Vec<_>>()
    });
    let arm = (plain_expression(), block.clone()).prop_map(|(condition, block)| Arm { condition, then_line: 0, block });
    let numeric = (name_at(), plain_expression(), plain_expression(), option::of(plain_expression()), block.clone());
    let generic = (vec(name_at(), 1..3), vec(value.clone(), 1..3), block.clone());
    let function = (name_at(), vec(name_at(), 0..3), option::of(name_at()), function_body(block.clone()));
    prop_oneof![
        (vec(target(), 1..3), vec(value.clone(), 1..3))
            .prop_map(|(targets, values)| StatementKind::Assign { targets, values }),
        (local_names, vec(value, 0..3)).prop_map(|(names, values)| StatementKind::Local { names, values }),
        call().prop_map(StatementKind::Call),
        block.clone().prop_map(StatementKind::Do),
        (plain_expression(), block.clone()).prop_map(|(condition, body)| StatementKind::While {
            condition: Box::new(condition),
            body,
            end_line: 0
        }),
        (block.clone(), plain_expression().prop_map(Box::new))
            .prop_map(|(body, condition)| StatementKind::Repeat { body, condition }),
        (vec(arm, 1..3), option::of(block.clone())).prop_map(|(arms, otherwise)| StatementKind::If { arms, otherwise }),
        numeric.prop_map(|(variable, start, limit, step, body)| {
            StatementKind::NumericFor(Box::new(NumericFor { variable, start, limit, step, body, end_line: 0 }))
        }),
        generic.prop_map(|(variables, iterators, body)| {
            StatementKind::GenericFor(Box::new(GenericFor { variables, iterators, body, end_line: 0 }))
        }),
        function.prop_map(|(base, fields, method, body)| {
            StatementKind::Function(Box::new(FunctionStatement { base, fields, method, body }))
        }),
        (name_at(), function_body(block).prop_map(Box::new))
            .prop_map(|(name, body)| StatementKind::LocalFunction { name, body }),
        Just(StatementKind::Break),
        name_at().prop_map(StatementKind::Goto),
        name_at().prop_map(StatementKind::Label),
    ]
    .boxed()
}

fn block_of(statement: BoxedStrategy<StatementKind>) -> BoxedStrategy<Block> {
    (vec(statement, 0..4), option::of(vec(plain_expression(), 0..3)))
        .prop_map(|(kinds, returned)| {
            let kinds = kinds.into_iter().chain(returned.map(StatementKind::Return));
            Block { statements: kinds.map(|kind| Statement { kind, span: Span::NONE }).collect() }
        })
        .boxed()
}

fn any_chunk() -> impl Strategy<Value = Chunk> {
    let innermost = block_of(statement(Just(Block::default()).boxed()));
    let inner = block_of(statement(innermost));
    block_of(statement(inner)).prop_map(|block| Chunk { block, last_line: 0 })
}

/// An expression without its parentheses, as a text in which they cannot be missed.
fn structure(expression: &Expression) -> String {
    let list = |list: &[Expression]| list.iter().map(structure).collect::<Vec<_>>().join(", ");
    match &expression.kind {
        ExpressionKind::Parenthesized(inner) => structure(inner),
        ExpressionKind::Unary { operator, operand, .. } => format!("{operator:?}<{}>", structure(operand)),
        ExpressionKind::Binary(binary) => {
            format!("{:?}<{}, {}>", binary.operator, structure(&binary.left), structure(&binary.right))
        }
        ExpressionKind::Index(index) => format!("Index<{}, {}>", structure(&index.object), structure(&index.key)),
        ExpressionKind::Call(call) => format!("Call<{}: {}>", structure(&call.function), list(&call.arguments)),
        ExpressionKind::MethodCall(call) => {
            format!("Method<{}, {}: {}>", structure(&call.object), call.method.name, list(&call.arguments))
        }
        ExpressionKind::Table(fields) => {
            let fields = fields.iter().map(|field| match field {
                Field::Item(value) => structure(value),
                Field::Named(name, value) => format!("{} = {}", name.name, structure(value)),
                Field::Keyed(key, value) => format!("[{}] = {}", structure(key), structure(value)),
            });
            format!("Table<{}>", fields.collect::<Vec<_>>().join(", "))
        }
        other => format!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_what_was_meant(expression in plain_expression()) {
        let meant = structure(&expression);
        let kind = StatementKind::Return(vec![expression]);
        let block = Block { statements: vec![Statement { kind, span: Span::NONE }] };
        let parsed = stripped(reparse(&print_chunk(&Chunk { block, last_line: 0 })));
        match &parsed.block.statements[0].kind {
            StatementKind::Return(values) => prop_assert_eq!(structure(&values[0]), meant),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn printed_trees_parse_and_print_the_same_again(chunk in any_chunk()) {
        let text = print_chunk(&chunk);
        let parsed = stripped(reparse(&text));
        prop_assert_eq!(parsed.block.statements.len(), chunk.block.statements.len());
        let again = print_chunk(&parsed);
        prop_assert_eq!(&again, &text);
        prop_assert_eq!(stripped(reparse(&again)), parsed);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_spans_stay_inside(source in vec(any::<u8>(), 0..200)) {
        if let Ok(chunk) = parse(&source, b"=t", LuaVersion::Lua54) {
            for statement in &chunk.block.statements {
                prop_assert!(source.get(statement.span.start as usize..statement.span.end as usize).is_some());
            }
        }
    }

    #[test]
    fn arbitrary_tokens_never_panic(tokens in vec(prop::sample::select(vec![
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
        "not", "or", "repeat", "return", "then", "true", "until", "while", "+", "-", "//", "^", "#", "~", "..", "...",
        "==", "=", "<", "(", ")", "{", "}", "[", "]", "::", ";", ":", ",", ".", "x", "'s'", "[[l]]", "1", "2.5",
        "\n", "--c\n",
    ]), 0..40)) {
        let source = tokens.join(" ");
        if let Ok(chunk) = parse(source.as_bytes(), b"=t", LuaVersion::Lua54) {
            prop_assert_eq!(stripped(reparse(&print_chunk(&chunk))), stripped(chunk));
        }
    }
}
