//! Trees, lines, limits and messages of the parser and the lexer.

use super::*;
use crate::syntax::{print_chunk, skip_shebang};
use crate::version::LuaVersion;

fn parse_text(source: &str) -> Result<Chunk, SyntaxError> {
    parse(source.as_bytes(), b"=t", LuaVersion::Lua54)
}

fn chunk(source: &str) -> Chunk {
    parse_text(source).unwrap_or_else(|error| panic!("{source:?}: {error}"))
}

fn message(source: impl AsRef<[u8]>) -> String {
    match parse(source.as_ref(), b"=t", LuaVersion::Lua54) {
        Ok(_) => panic!("{:?} has no error", String::from_utf8_lossy(source.as_ref())),
        Err(error) => error.to_string(),
    }
}

/// The value of the first expression of a `return`.
fn returned(source: &str) -> ExpressionKind {
    match chunk(source).block.statements.pop().map(|statement| statement.kind) {
        Some(StatementKind::Return(mut values)) => values.swap_remove(0).kind,
        other => panic!("{source}: {other:?}"),
    }
}

fn string(source: &str) -> Vec<u8> {
    match returned(source) {
        ExpressionKind::String(value) => value.to_vec(),
        other => panic!("{source}: {other:?}"),
    }
}

/// An expression with every operation in parentheses.
fn grouped(expression: &Expression) -> String {
    match &expression.kind {
        ExpressionKind::Unary { operator, operand, .. } => format!("({operator:?} {})", grouped(operand)),
        ExpressionKind::Binary(binary) => {
            format!("({} {:?} {})", grouped(&binary.left), binary.operator, grouped(&binary.right))
        }
        ExpressionKind::Name(name) => name.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn operators_bind_as_the_manual_says() {
    let cases = [
        ("a + b * c - d", "((a Add (b Multiply c)) Subtract d)"),
        ("a .. b .. c", "(a Concat (b Concat c))"),
        ("a ^ b ^ c", "(a Power (b Power c))"),
        ("-a ^ b", "(Negate (a Power b))"),
        ("a ^ -b * c", "((a Power (Negate b)) Multiply c)"),
        ("not a == b", "((Not a) Equal b)"),
        (
            "a or b and c < d | e ~ f & g << h .. i + j",
            "(a Or (b And (c Less (d BitOr (e BitXor (f BitAnd \
            (g ShiftLeft (h Concat (i Add j)))))))))",
        ),
        ("a < b == c ~= d", "(((a Less b) Equal c) NotEqual d)"),
        ("a // b % c / d", "(((a FloorDivide b) Modulo c) Divide d)"),
        ("# - ~ a", "(Length (Negate (BitNot a)))"),
        ("a >> b >= c", "((a ShiftRight b) GreaterEqual c)"),
    ];
    for (source, expected) in cases {
        match chunk(&format!("return {source}")).block.statements[0].kind {
            StatementKind::Return(ref values) => assert_eq!(grouped(&values[0]), expected, "{source}"),
            ref other => panic!("{other:?}"),
        }
    }
}

#[test]
fn escapes_in_strings_are_decoded() {
    assert_eq!(string(r#"return "\a\b\f\n\r\t\v\\\"\'""#), b"\x07\x08\x0c\n\r\t\x0b\\\"'");
    assert_eq!(
        string(
            r#"return "\65\0661\x41\z   B\
c\u{7A}\u{e9}\u{20ac}\u{10FFFF}""#
        ),
        b"AB1AB\ncz\xc3\xa9\xe2\x82\xac\xf4\x8f\xbf\xbf"
    );
    assert_eq!(
        string(r"return '\u{7FFFFFFF}\u{3FFFFFF}\u{1FFFFF}'"),
        b"\xfd\xbf\xbf\xbf\xbf\xbf\
        \xfb\xbf\xbf\xbf\xbf\xf7\xbf\xbf\xbf"
    );
    assert_eq!(string("return '\\\r\n\\\n\r\\\r'"), b"\n\n\n");
}

#[test]
fn long_strings_lose_their_first_line_break_and_unify_the_others() {
    assert_eq!(string("return [[\r\na\rb\n\rc\n\nd]]"), b"a\nb\nc\n\nd");
    assert_eq!(string("return [==[]]]=]]==]"), b"]]]=]");
    assert_eq!(string("return [[\\n]]"), b"\\n");
    assert_eq!(string("--[=[ ]] \n]=] --[==\nreturn [=[]]=]"), b"]");
}

#[test]
fn only_files_have_a_first_line_with_a_hash() {
    assert_eq!(skip_shebang(b"#!lua\nx"), b"\nx");
    assert_eq!(skip_shebang(b"\xEF\xBB\xBF#"), b"");
    assert_eq!(skip_shebang(b"\xEF\xBB\xBFx"), b"x");
    assert_eq!(message("#!lua\n"), "t:1: unexpected symbol near '#'");
}

#[test]
fn nodes_have_the_lines_that_errors_at_run_time_name() {
    let chunk = chunk("local x = a\n+\nb\nlocal g = function\n(\n) end\nlocal function h\n() end\n\n");
    let statements = &chunk.block.statements;
    assert_eq!(chunk.last_line, 10);
    assert_eq!(statements.iter().map(|statement| statement.span.line).collect::<Vec<_>>(), [1, 4, 7]);
    match &statements[0].kind {
        StatementKind::Local { values, .. } => match &values[0].kind {
            ExpressionKind::Binary(binary) => {
                assert_eq!((values[0].span.line, binary.line), (1, 2));
                assert_eq!(binary.right.span.line, 3);
            }
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
    for (statement, expected) in [(1, (5, 6)), (2, (8, 8))] {
        let body = match &statements[statement].kind {
            StatementKind::Local { values, .. } => match &values[0].kind {
                ExpressionKind::Function(body) => body,
                other => panic!("{other:?}"),
            },
            StatementKind::LocalFunction { body, .. } => body,
            other => panic!("{other:?}"),
        };
        assert_eq!((body.line, body.end_line), expected);
    }
}

#[test]
fn a_call_has_the_line_where_the_first_token_of_its_arguments_ends() {
    for (source, expected) in [("f(\n)", 1), ("f\n(\n1)", 2), ("f\n{\n}", 2), ("f [[\n]]", 2), ("o:\nm\n(\n)", 3)] {
        match &chunk(source).block.statements[0].kind {
            StatementKind::Call(call) => match &call.kind {
                ExpressionKind::Call(call) => assert_eq!(call.line, expected, "{source:?}"),
                ExpressionKind::MethodCall(call) => assert_eq!(call.line, expected, "{source:?}"),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn spans_cut_their_text_out_of_the_source() {
    let source = " local a <const> , b = f ( x ) [ 1 ] , - ( y ) ; return a . b ; ";
    let chunk = chunk(source);
    let text = |span: Span| &source[span.start as usize..span.end as usize];
    let texts: Vec<_> = chunk.block.statements.iter().map(|statement| text(statement.span)).collect();
    assert_eq!(texts, ["local a <const> , b = f ( x ) [ 1 ] , - ( y )", "return a . b"]);
    match &chunk.block.statements[0].kind {
        StatementKind::Local { names, values } => {
            assert_eq!(text(names[1].name.span), "b");
            assert_eq!(text(values[0].span), "f ( x ) [ 1 ]");
            assert_eq!(text(values[1].span), "- ( y )");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn equal_names_share_one_allocation() {
    let chunk = chunk("local name; goto name");
    match (&chunk.block.statements[0].kind, &chunk.block.statements[1].kind) {
        (StatementKind::Local { names, .. }, StatementKind::Goto(label)) => {
            assert!(std::rc::Rc::ptr_eq(&names[0].name.name, &label.name));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_of_the_parser_read_as_those_of_lua() {
    let cases = [
        ("x =", "t:1: unexpected symbol near <eof>"),
        ("x = }", "t:1: unexpected symbol near '}'"),
        ("x = \x01", "t:1: unexpected symbol near '<\\1>'"),
        ("x = \0", "t:1: unexpected symbol"),
        ("x = $", "t:1: unexpected symbol near '$'"),
        ("x", "t:1: syntax error near <eof>"),
        ("f() = 1", "t:1: syntax error near '='"),
        ("(a) = 1", "t:1: syntax error near '='"),
        ("a, f() = 1", "t:1: syntax error near '='"),
        ("(f())", "t:1: syntax error near <eof>"),
        ("a.b:c = 1", "t:1: function arguments expected near '='"),
        ("if x then", "t:1: 'end' expected near <eof>"),
        ("\nif x then\n\n", "t:4: 'end' expected (to close 'if' at line 2) near <eof>"),
        ("if x", "t:1: 'then' expected near <eof>"),
        ("repeat\nend", "t:2: 'until' expected (to close 'repeat' at line 1) near 'end'"),
        ("end", "t:1: <eof> expected near 'end'"),
        ("return 1 x", "t:1: <eof> expected near 'x'"),
        ("do return 1 'x\\65' end", "t:1: 'end' expected near ''xA''"),
        ("for 1", "t:1: <name> expected near '1'"),
        ("for x do", "t:1: '=' or 'in' expected near 'do'"),
        ("for x = 1 do", "t:1: ',' expected near 'do'"),
        ("f(\n1", "t:2: ')' expected (to close '(' at line 1) near <eof>"),
        ("x = {1 2}", "t:1: '}' expected near '2'"),
        ("x = {a = }", "t:1: unexpected symbol near '}'"),
        ("x = a.1", "t:1: unexpected symbol near '.1'"),
        ("function f(a b) end", "t:1: ')' expected near 'b'"),
        ("function f(1) end", "t:1: <name> or '...' expected near '1'"),
        ("function f(a,) end", "t:1: <name> or '...' expected near ')'"),
        ("function f(..., a) end", "t:1: ')' expected near ','"),
        ("function f() return ... end", "t:1: cannot use '...' outside a vararg function near '...'"),
        ("local x <foo> = 1", "t:1: unknown attribute 'foo'"),
        ("local x <close>, y <close>", "t:1: multiple to-be-closed variables in local list"),
        ("goto 1", "t:1: <name> expected near '1'"),
        ("::a", "t:1: '::' expected near <eof>"),
        ("goto = 1", "t:1: <name> expected near '='"),
        ("x = 1.5 2.50", "t:1: unexpected symbol near '2.50'"),
        ("x = 1 'a\0b'", "t:1: unexpected symbol near ''a'"),
        ("x = 1 [==[a]==]", "t:1: unexpected symbol near '[==[a]==]'"),
        ("x = 1 // // 2", "t:1: unexpected symbol near '//'"),
        ("local function f.a() end", "t:1: '(' expected near '.'"),
    ];
    for (source, expected) in cases {
        assert_eq!(message(source), expected, "{source:?}");
    }
}

#[test]
fn messages_of_the_lexer_read_as_those_of_lua() {
    let cases: &[(&[u8], &str)] = &[
        (b"x = 'abc", "t:1: unfinished string near <eof>"),
        (b"x = 'abc\\", "t:1: unfinished string near <eof>"),
        (b"x = 'abc\n'", "t:1: unfinished string near ''abc'"),
        (b"x = \"a\\65b\n\"", "t:1: unfinished string near '\"aAb'"),
        (b"x = 'a\\q'", "t:1: invalid escape sequence near ''a\\q'"),
        (b"x = '\\300'", "t:1: decimal escape too large near ''\\300''"),
        (b"x = '\\2567'", "t:1: decimal escape too large near ''\\2567'"),
        (b"x = '\\xg'", "t:1: hexadecimal digit expected near ''\\xg'"),
        (b"x = '\\x1", "t:1: hexadecimal digit expected near ''\\x1'"),
        (b"x = '\\u1'", "t:1: missing '{' near ''\\u1'"),
        (b"x = '\\u{}'", "t:1: hexadecimal digit expected near ''\\u{}'"),
        (b"x = '\\u{1'", "t:1: missing '}' near ''\\u{1''"),
        (b"x = '\\u{80000000}'", "t:1: UTF-8 value too large near ''\\u{80000000'"),
        (b"x = [[\n\n", "t:3: unfinished long string (starting at line 1) near <eof>"),
        (b"\n--[=[\n]]", "t:3: unfinished long comment (starting at line 2) near <eof>"),
        (b"x = [=a", "t:1: invalid long string delimiter near '[='"),
        (b"x = 3in", "t:1: malformed number near '3i'"),
        (b"x = 0x", "t:1: malformed number near '0x'"),
        (b"x = 1..2", "t:1: malformed number near '1..2'"),
        (b"x = 0xep1p", "t:1: malformed number near '0xep1p'"),
        (b"x = .0xfg", "t:1: malformed number near '.0xfg'"),
        (b"x = 1e+", "t:1: malformed number near '1e+'"),
        (b"x = \xc3\xa9", "t:1: unexpected symbol near '<\\195>'"),
    ];
    for (source, expected) in cases {
        assert_eq!(message(source), *expected, "{:?}", String::from_utf8_lossy(source));
    }
}

#[test]
fn a_source_that_only_ends_too_early_is_incomplete() {
    for (source, incomplete) in [("if x then", true), ("x = 'a", true), ("x = [[", true), ("x = )", false)] {
        let error = parse_text(source).expect_err(source);
        assert_eq!((error.incomplete, error.line), (incomplete, 1), "{source}");
    }
}

#[test]
fn nesting_is_limited_as_in_lua() {
    // What is nested, and how many levels there are beside one for each repetition.
    let cases = [
        ("", "do ", "", " end", 0),
        ("", "::x::", "", "", 0),
        ("", "function f() ", "", " end", 0),
        ("", "if x then ", "y()", " end", 1),
        ("x = ", "(", "1", ")", 2),
        ("x = ", "{", "", "}", 1),
        ("x = ", "- ", "1", "", 2),
        ("x = ", "a..", "a", "", 2),
        ("x = ", "2^", "a", "", 2),
        ("x = ", "f(", "1", ")", 2),
        ("x = ", "a[", "1", "]", 2),
        ("a", ", a", " = 1", "", 2),
    ];
    for (start, open, middle, close, others) in cases {
        let nested = |count| parse_text(&format!("{start}{}{middle}{}", open.repeat(count), close.repeat(count)));
        let count = MAX_LEVELS as usize - others;
        assert!(nested(count).is_ok(), "{open:?}");
        assert_eq!(nested(count + 1).expect_err(open).to_string(), "C stack overflow");
    }
}

#[test]
fn levels_end_with_what_they_count() {
    let many = "x, y = ((1)), {{}} do local z = - - -1 end ;; ".repeat(1000);
    assert!(parse_text(&many).is_ok());
}

#[test]
fn chains_are_limited_by_the_height_of_the_tree() {
    let count = MAX_HEIGHT as usize - 10;
    for (start, link) in
        [("1", " + 1"), ("a", ".b"), ("a", "()"), ("a", ":b()"), ("a", "[1]"), ("a", "''"), ("a", " or a")]
    {
        let source = |count: usize| format!("x = {start}{}", link.repeat(count));
        assert!(parse_text(&source(count)).is_ok(), "{link}");
        let error = parse_text(&source(100_000)).expect_err(link).to_string();
        assert!(error.starts_with("t:1: chunk has too many syntax levels near"), "{error}");
    }
    // The bound is on the whole: nesting within chains does not multiply it.
    let nested = (0..50).fold("1".to_owned(), |inner, _| format!("({inner}{})", " + 1".repeat(100)));
    assert!(parse_text(&format!("x = {nested}")).is_err());
}

#[test]
fn the_highest_trees_fit_the_stack_of_a_thread() {
    let thread = std::thread::Builder::new().stack_size(2 << 20);
    let work = || {
        let chain = " + 1".repeat(MAX_HEIGHT as usize - 620);
        let functions = "f(function() do ".repeat(60);
        let ends = " end end)".repeat(60);
        for source in
            [format!("x = 1{}", " + 1".repeat(MAX_HEIGHT as usize - 2)), { format!("{functions} x = 1{chain} {ends}") }]
        {
            let tree = chunk(&source);
            let copy = tree.clone();
            assert!(copy == tree);
            assert!(!print_chunk(&copy).is_empty());
            assert!(!format!("{copy:?}").is_empty());
        }
        for nested in ["do ", "x = {{", "f(function() ", "if x then ", "x = - -"] {
            assert!(parse_text(&nested.repeat(1000)).is_err());
        }
    };
    thread.spawn(work).expect("a thread can be made").join().expect("the stack suffices");
}
