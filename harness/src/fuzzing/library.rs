//! Lua text before the VM: snippets that use all of the library, and what mutation makes of them.
//!
//! As with binary chunks, there is no oracle but the process: whatever a text does, it ends by itself or at a limit, and a
//! sanitizer sees nothing. Text that does not compile says nothing about the library, so mutation works on the syntax
//! tree, and what it makes is tried on the compiler before it becomes an input.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::OnceLock;

use moonphase_vm::syntax::ast::*;
use moonphase_vm::syntax::print_chunk;
use moonphase_vm::{Options, Vm, compiler};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{CHUNK_NAME, FRESH, Fate, LANGUAGE, TRIES, below, run_limited};
use crate::minimize::tree::{edit_block, edit_expression, edit_statement, for_each_block, for_each_expression, made};

/// The snippets, each under a headline that begins with [`HEADLINE`]. Together they call every function of the library.
const SNIPPETS: &[&str] = &[
    include_str!("library/base.lua"),
    include_str!("library/collector.lua"),
    include_str!("library/control.lua"),
    include_str!("library/coroutines.lua"),
    include_str!("library/debug.lua"),
    include_str!("library/errors.lua"),
    include_str!("library/format.lua"),
    include_str!("library/load.lua"),
    include_str!("library/math.lua"),
    include_str!("library/metamethods.lua"),
    include_str!("library/pack.lua"),
    include_str!("library/patterns.lua"),
    include_str!("library/strings.lua"),
    include_str!("library/system.lua"),
    include_str!("library/tables.lua"),
    include_str!("library/utf8.lua"),
];
const HEADLINE: &str = "---- ";

/// One mutation in so many is one of bytes, which is undone if it gives no Lua.
const BYTEWISE: u32 = 6;
/// Longer texts take longer, and say nothing that short ones could not.
const LONGEST: usize = 1024;
/// Changes that one mutation makes at most.
const CHANGES: usize = 3;

/// Expressions that are put in the place of others: the edges of every type, and what calls back.
const EXPRESSIONS: &str = r"return nil, true, false, 0, 1, -1, 2, 3, 7, 16, 64, 100, 255, 256, 1000, 1 << 31, 1 << 53, 1 << 62,
    math.maxinteger, math.mininteger, math.maxinteger - 1, 0.0, -0.0, 0.5, -1.5, 1e15, 2^53, 2^63, -(2^63), 1e308, 5e-324,
    1 / 0, -1 / 0, 0 / 0, '', 'x', '\0', '10', '0x10', ' 1e1 ', 'nan', '%', '\255', '\u{7FFFFFFF}', '*', 'k', #s, t, s, f,
    ('x'):rep(50), ('x'):rep(5000), ('%s'):rep(40), {}, {1, 2, 3}, {n = 3}, {[0] = 1, [2^53] = 2}, _G, _ENV, string,
    io.stdin, io.stdout, io.stderr, print, error, pcall, next, coroutine.yield, collectgarbage, getmetatable(''),
    debug.getregistry(), debug.getinfo(1), package.loaded, os.date('*t'), table.pack(('x'):rep(100):byte(1, -1)),
    coroutine.running(), coroutine.create(function(...) return coroutine.yield(...) end),
    coroutine.wrap(function(...) while true do coroutine.yield(...) end end), function(...) return ... end,
    function() error({}) end, function() collectgarbage() return 1 end, function(a, b) return a end,
    setmetatable({}, {__index = function(_, k) return k end, __len = function() return 5 end}),
    setmetatable({}, {__newindex = rawset, __call = print, __close = print, __gc = error, __mode = 'kv'}),
    setmetatable({}, {__lt = rawequal, __le = rawequal, __eq = rawequal, __concat = rawequal, __name = 'T'}),
    setmetatable({}, {__tostring = function() return 'T' end, __pairs = next, __metatable = 0}),
    string.dump(function(...) return ... end), load('return ...')";

/// Blocks that are put around statements, which stand in the place of [`BODY`].
const FRAMES: &str = r"
    do pcall(function(...) BODY() end) end
    do xpcall(error, function(e) BODY() end) end
    for i = 1, 3 do BODY() end
    for k, v in pairs({1, x = 2}) do BODY() end
    if not i then BODY() else t = {} end
    while true do BODY() break end
    repeat local x = {} BODY() until true
    do local c <close> = setmetatable({}, {__close = function(_, e) BODY() end}) end
    do local co = coroutine.wrap(function(...) BODY() end) pcall(co, 1, 2) pcall(co) end
    do coroutine.close(coroutine.create(function(...) BODY() end)) end
    do setmetatable({}, {__gc = function(o) BODY() end}) collectgarbage() end
    do pcall(string.gsub, 'abc', '.', function(c) BODY() end) end
    do pcall(table.sort, {3, 1, 2, 5, 4}, function(a, b) BODY() end) end
    do pcall(load, function() BODY() end) end
    do pcall(next, setmetatable({}, {__index = function(t, k) BODY() end}).x) end
    do pcall(tostring, setmetatable({}, {__tostring = function(t) BODY() end})) end
    do debug.sethook(function(event, line) BODY() end, 'crl', 5) print(t) debug.sethook() end
    do debug.sethook(function() debug.sethook() BODY() end, '', 9) end
    do package.preload.x = function(...) BODY() end pcall(require, 'x') end";
const BODY: &str = "BODY";

/// What strings are pieced together from: conversions, pattern items, options of `pack`, and words with a meaning.
const PIECES: &str = r"return '', '%d', '%5.2f', '%q', '%s', '%a', '%g', '%c', '%x', '%i', '%-10s', '%p', '%99d', '%.3', '%+', '%#',
    '%0', '%%', '%', '%1', '%w', '%a+', '%s*', '%b()', '%f[%w]', '%z', '.', '.-', '*', '+', '-', '?', '^', '$', '(', ')', '()',
    '(.)', '[', ']', '[^', '[a-z]', '[%w_]', 'i', 'i4', 'i16', 'I8', 'b', 'B', 'h', 'j', 'J', 'T', 'n', 'f', 'd', 's', 's1',
    'z', 'x', 'X', 'Xi8', 'c5', 'c0', '!', '!8', '!16', '<', '>', '=', ' ', '\0', '\n', 'a', '0', '1', '9', '16', '99', '1e',
    '0x', 'kv', 'k', 'v', 'bt', 'nSltufrL', 'crl', '*t', '!%c', '%E', '%Y', '@', ',', ';', '/', '\x80', '\u{20AC}',
    '\u{10FFFF}', '\u{D800}', 'return ', 'end', 'count', 'step', 'generational', 'incremental', 'set', 'cur', 'full', 'no',
    'all', 'numeric', 'L', 'l'";

/// The names that make a table special (manual §2.4).
const EVENTS: &str = "__index __newindex __call __add __sub __mul __div __mod __pow __unm __idiv __band __bor __bxor __bnot \
    __shl __shr __concat __len __eq __lt __le __close __gc __mode __name __metatable __tostring __pairs";

const BINARY: &[BinaryOperator] = &[
    BinaryOperator::Add,
    BinaryOperator::Subtract,
    BinaryOperator::Multiply,
    BinaryOperator::Divide,
    BinaryOperator::FloorDivide,
    BinaryOperator::Modulo,
    BinaryOperator::Power,
    BinaryOperator::Concat,
    BinaryOperator::BitAnd,
    BinaryOperator::BitOr,
    BinaryOperator::BitXor,
    BinaryOperator::ShiftLeft,
    BinaryOperator::ShiftRight,
    BinaryOperator::Equal,
    BinaryOperator::NotEqual,
    BinaryOperator::Less,
    BinaryOperator::LessEqual,
    BinaryOperator::Greater,
    BinaryOperator::GreaterEqual,
    BinaryOperator::And,
    BinaryOperator::Or,
];
const UNARY: &[UnaryOperator] =
    &[UnaryOperator::Negate, UnaryOperator::BitNot, UnaryOperator::Not, UnaryOperator::Length];

/// Runs a text, as the binary chunk that it becomes, so that it is compiled once.
pub fn run_library(source: &[u8]) -> Fate {
    program(source).map_or(Fate::Rejected, |program| run_limited(&program.chunk))
}

/// Mutates the text in the first `size` bytes of `data` in place, and returns its new size, at most `max_size`.
/// `bytewise` is the fuzzing engine's own mutator, which knows a dictionary.
pub fn mutate_library(
    data: &mut [u8],
    size: usize,
    max_size: usize,
    seed: u32,
    bytewise: impl FnOnce(&mut [u8], usize, usize) -> usize,
) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.into());
    let tree = parsed(&data[..size.min(data.len())]).filter(|_| size > 1 && !seed.is_multiple_of(FRESH));
    if tree.is_some() && rng.next_u32().is_multiple_of(BYTEWISE) {
        let old = data[..size].to_vec();
        let size = bytewise(data, size, max_size);
        if program(&data[..size]).is_some() {
            return size;
        }
        data[..old.len()].copy_from_slice(&old);
    }
    let text = match tree {
        Some(tree) => changed(&tree, &mut rng),
        None => print_chunk(&snippet(&mut rng)),
    };
    write(text, &mut data[..max_size], &mut rng)
}

/// Writes a child of two texts to `out`, and returns its size: statements of the second stand somewhere in the first.
pub fn crossover_library(first: &[u8], second: &[u8], out: &mut [u8], seed: u32) -> usize {
    let mut rng = ChaCha8Rng::seed_from_u64(seed.into());
    let [tree, mut donor] = [first, second].map(|text| parsed(text).unwrap_or_else(|| snippet(&mut rng)));
    let text = varied(&tree, |child| {
        let statements = statements_of(&mut donor, &mut rng);
        insert(child, statements, &mut rng);
    });
    write(text, out, &mut rng)
}

/// Writes a text into `out`, without some of its statements if it is too long.
fn write(mut text: String, out: &mut [u8], rng: &mut ChaCha8Rng) -> usize {
    let room = out.len().min(LONGEST);
    while text.len() > room {
        let Some(mut tree) = parsed(text.as_bytes()).filter(|tree| !tree.block.statements.is_empty()) else { return 0 };
        // Without a label or a variable the rest may be no Lua; then more goes away.
        text = loop {
            tree.block.statements.remove(below(rng, tree.block.statements.len()));
            if let Some(text) = lua(&tree) {
                break text;
            }
        };
    }
    out[..text.len()].copy_from_slice(text.as_bytes());
    text.len()
}

/// A text that compiles, and what it was made into.
struct Program {
    text: Vec<u8>,
    tree: Chunk,
    chunk: Vec<u8>,
}

thread_local! {
    /// The program that was asked for last: what has been mutated is run next, and mutated again after that.
    static LAST: RefCell<Option<Rc<Program>>> = const { RefCell::new(None) };
}

fn last(source: &[u8]) -> Option<Rc<Program>> {
    LAST.with_borrow(|last| last.as_ref().filter(|last| last.text == source).cloned())
}

/// The program with this text, if it compiles.
fn program(source: &[u8]) -> Option<Rc<Program>> {
    if let Some(last) = last(source) {
        return Some(last);
    }
    let tree = parsed(source)?;
    let chunk = compiler::compile(&tree, CHUNK_NAME.as_bytes(), LANGUAGE.version().ok()?).ok()?.dump(false);
    let program = Rc::new(Program { text: source.to_vec(), tree, chunk });
    LAST.set(Some(Rc::clone(&program)));
    Some(program)
}

/// The tree of a text.
fn parsed(source: &[u8]) -> Option<Chunk> {
    match last(source) {
        Some(last) => Some(last.tree.clone()),
        None => LANGUAGE.parse(source, CHUNK_NAME.as_bytes()).ok(),
    }
}

/// The text of a tree, if it compiles. One without statements does.
fn lua(tree: &Chunk) -> Option<String> {
    let text = print_chunk(tree);
    program(text.as_bytes()).map(|_| text)
}

/// What this module has as text.
struct Material {
    snippets: Vec<Chunk>,
    expressions: Vec<Expression>,
    frames: Vec<Statement>,
    pieces: Vec<Rc<[u8]>>,
}

thread_local! {
    static MATERIAL: Material = Material {
        snippets: snippets().map(own).collect(),
        expressions: values(EXPRESSIONS),
        frames: own(FRAMES).block.statements,
        pieces: values(PIECES)
            .into_iter()
            .filter_map(|piece| match piece.kind {
                ExpressionKind::String(text) => Some(text),
                _ => None,
            })
            .collect(),
    };
}

/// A text of this module as a tree.
fn own(text: &str) -> Chunk {
    parsed(text.as_bytes()).unwrap_or_else(|| unreachable!("not Lua: {text}"))
}

/// The expressions of a text of this module that is a `return` statement.
fn values(text: &str) -> Vec<Expression> {
    match own(text).block.statements.pop().map(|statement| statement.kind) {
        Some(StatementKind::Return(values)) => values,
        _ => Vec::new(),
    }
}

/// All snippets, without their headlines.
fn snippets() -> impl Iterator<Item = &'static str> {
    let sections = SNIPPETS.iter().flat_map(|file| file.split(HEADLINE).skip(1));
    sections.map(|section| section.split_once('\n').map_or("", |(_, text)| text))
}

/// One of the list, which is not empty.
fn pick<T: Clone>(list: &[T], rng: &mut ChaCha8Rng) -> T {
    list[below(rng, list.len())].clone()
}

fn snippet(rng: &mut ChaCha8Rng) -> Chunk {
    MATERIAL.with(|material| pick(&material.snippets, rng))
}

fn expression(rng: &mut ChaCha8Rng) -> Expression {
    MATERIAL.with(|material| pick(&material.expressions, rng))
}

fn event(rng: &mut ChaCha8Rng) -> &'static str {
    EVENTS.split_whitespace().nth(below(rng, EVENTS.split_whitespace().count())).unwrap_or_default()
}

/// The library as a program sees it: each table of functions with its name (the methods of files have none), and the
/// functions in it.
fn library() -> &'static [(String, Vec<String>)] {
    static LIBRARY: OnceLock<Vec<(String, Vec<String>)>> = OnceLock::new();
    const LIST: &str = "
        local words = {}
        local function list(name, library)
            words[#words + 1] = ':' .. name
            for key, value in pairs(library) do
                if type(value) == 'function' then words[#words + 1] = key end
            end
        end
        list('_G', _G)
        for name, value in pairs(package.loaded) do
            if type(value) == 'table' and value ~= _G then list(name, value) end
        end
        list('', getmetatable(io.stdout).__index)
        return table.concat(words, ' ')";
    LIBRARY.get_or_init(|| {
        let mut vm = Vm::new(Options::default()).expect("the default policy is sound");
        let words: String = vm.eval(LIST).unwrap_or_else(|error| unreachable!("{error}"));
        let libraries = words.split(':').skip(1).filter_map(|library| library.split_once(' '));
        libraries
            .map(|(name, functions)| (name.to_owned(), functions.split_whitespace().map(str::to_owned).collect()))
            .collect()
    })
}

/// Some function of the library, with the name of its table.
fn library_function(rng: &mut ChaCha8Rng) -> (&'static str, &'static str) {
    let (library, functions) = &library()[below(rng, library().len())];
    (library, &functions[below(rng, functions.len())])
}

fn is_library_function(name: &[u8]) -> bool {
    library().iter().any(|(_, functions)| functions.iter().any(|function| function.as_bytes() == name))
}

/// The text of the tree with a few things changed.
fn changed(tree: &Chunk, rng: &mut ChaCha8Rng) -> String {
    varied(tree, |mutant| {
        for _ in 0..=below(rng, CHANGES) {
            change(mutant, rng);
        }
    })
}

/// The text of the tree after changes that leave it Lua, if there are some among a few tries.
fn varied(tree: &Chunk, mut vary: impl FnMut(&mut Chunk)) -> String {
    let variant = |_| {
        let mut variant = tree.clone();
        vary(&mut variant);
        (variant != *tree).then(|| lua(&variant))?
    };
    (0..TRIES).find_map(variant).unwrap_or_else(|| print_chunk(tree))
}

/// Changes one thing, unless there is nothing of the kind that chance wants changed.
fn change(tree: &mut Chunk, rng: &mut ChaCha8Rng) {
    match rng.next_u32() % 16 {
        0..=1 => vary_literal(tree, rng),
        2..=3 => vary_string(tree, rng),
        4..=5 => call_another(tree, rng),
        6..=7 => {
            let new = expression(rng).kind;
            edit_some(tree, rng, |_| true, |kind, _| *kind = new);
        }
        8 => {
            let mut donor = if flip(rng) { tree.clone() } else { snippet(rng) };
            let mut new = None;
            edit_some(&mut donor, rng, |_| true, |kind, _| new = Some(kind.clone()));
            if let Some(new) = new {
                edit_some(tree, rng, |_| true, |kind, _| *kind = new);
            }
        }
        9..=10 => vary_arguments(tree, rng),
        11 => vary_operator(tree, rng),
        12 => vary_event(tree, rng),
        13 => vary_statements(tree, rng),
        14 => frame(tree, rng),
        _ => {
            let mut donor = if rng.next_u32().is_multiple_of(3) { tree.clone() } else { snippet(rng) };
            let statements = statements_of(&mut donor, rng);
            insert(tree, statements, rng);
        }
    }
}

fn flip(rng: &mut ChaCha8Rng) -> bool {
    rng.next_u32().is_multiple_of(2)
}

/// Edits one of the expressions that are wanted, if there are any.
fn edit_some(
    tree: &mut Chunk,
    rng: &mut ChaCha8Rng,
    wanted: impl Fn(&ExpressionKind) -> bool,
    edit: impl FnOnce(&mut ExpressionKind, &mut ChaCha8Rng),
) {
    let (mut number, mut places) = (0, Vec::new());
    for_each_expression(&mut tree.block, &mut |expression| {
        if wanted(&expression.kind) {
            places.push(number);
        }
        number += 1;
    });
    if !places.is_empty() {
        let place = places[below(rng, places.len())];
        edit_expression(tree, place, |expression| edit(&mut expression.kind, rng));
    }
}

/// A number a little different.
fn vary_literal(tree: &mut Chunk, rng: &mut ChaCha8Rng) {
    let number = |kind: &ExpressionKind| matches!(kind, ExpressionKind::Integer(_) | ExpressionKind::Float(_));
    edit_some(tree, rng, number, |kind, rng| match kind {
        ExpressionKind::Integer(value) => {
            *value = match rng.next_u32() % 5 {
                0 => value.wrapping_add(1),
                1 => value.wrapping_sub(1),
                2 => value.wrapping_mul(2),
                3 => value.wrapping_neg(),
                _ => 1 << below(rng, 64),
            }
        }
        ExpressionKind::Float(value) => {
            *value = match rng.next_u32() % 4 {
                0 => -*value,
                1 => *value * 0.5,
                2 => *value * *value,
                _ => f64::from_bits(rng.next_u64()),
            }
        }
        _ => {}
    });
}

/// A string with a piece more or less.
fn vary_string(tree: &mut Chunk, rng: &mut ChaCha8Rng) {
    // The others are the names of functions and events, as keys: what is not called so is nothing.
    let text = |kind: &ExpressionKind| matches!(kind, ExpressionKind::String(text) if !is_library_function(text) && !text.starts_with(b"__"));
    edit_some(tree, rng, text, |kind, rng| {
        let ExpressionKind::String(text) = kind else { return };
        let mut bytes = text.to_vec();
        let start = below(rng, bytes.len() + 1);
        let end = if flip(rng) { start } else { (start + below(rng, 4)).min(bytes.len()) };
        let piece = MATERIAL.with(|material| pick(&material.pieces, rng));
        bytes.splice(start..end, piece.iter().copied());
        *text = bytes.into();
    });
}

/// Another function or method in the place of one.
fn call_another(tree: &mut Chunk, rng: &mut ChaCha8Rng) {
    let callee = |kind: &ExpressionKind| match kind {
        ExpressionKind::Index(index) => {
            matches!(&index.key.kind, ExpressionKind::String(name) if is_library_function(name))
        }
        ExpressionKind::Name(name) => is_library_function(name.as_bytes()),
        ExpressionKind::MethodCall(_) => true,
        _ => false,
    };
    edit_some(tree, rng, callee, |kind, rng| {
        let (library, function) = library_function(rng);
        match kind {
            ExpressionKind::MethodCall(call) => call.method.name = function.into(),
            ExpressionKind::Index(index) if library.is_empty() || flip(rng) => {
                let siblings = match &index.key.kind {
                    ExpressionKind::String(name) => siblings(name),
                    _ => &[],
                };
                let other = siblings.get(below(rng, siblings.len())).map_or(function, String::as_str);
                index.key.kind = ExpressionKind::String(other.as_bytes().into());
            }
            _ => {
                let library = if library.is_empty() { "io.stdout" } else { library };
                *kind = values(&format!("return {library}.{function}")).remove(0).kind;
            }
        }
    });
}

/// The functions of a library that has one of that name.
fn siblings(name: &[u8]) -> &'static [String] {
    let has = |functions: &[String]| functions.iter().any(|function| function.as_bytes() == name);
    library().iter().find(|(_, functions)| has(functions)).map_or(&[], |(_, functions)| functions)
}

/// A call with an argument more, less or elsewhere.
fn vary_arguments(tree: &mut Chunk, rng: &mut ChaCha8Rng) {
    edit_some(
        tree,
        rng,
        |kind| kind.arguments().is_some(),
        |kind, rng| {
            let Some(arguments) = kind.arguments_mut() else { return };
            let at = below(rng, arguments.len());
            match rng.next_u32() % 4 {
                0 if !arguments.is_empty() => drop(arguments.remove(at)),
                1 if !arguments.is_empty() => arguments.insert(at, arguments[at].clone()),
                2 if !arguments.is_empty() => arguments.rotate_left(at),
                _ => arguments.insert(at, expression(rng)),
            }
        },
    );
}

fn vary_operator(tree: &mut Chunk, rng: &mut ChaCha8Rng) {
    let operation = |kind: &ExpressionKind| matches!(kind, ExpressionKind::Binary(_) | ExpressionKind::Unary { .. });
    edit_some(tree, rng, operation, |kind, rng| match kind {
        ExpressionKind::Binary(binary) => binary.operator = pick(BINARY, rng),
        ExpressionKind::Unary { operator, .. } => *operator = pick(UNARY, rng),
        _ => {}
    });
}

/// A metamethod for another event.
fn vary_event(tree: &mut Chunk, rng: &mut ChaCha8Rng) {
    let table = |kind: &ExpressionKind| matches!(kind, ExpressionKind::Table(fields) if !fields.is_empty());
    edit_some(tree, rng, table, |kind, rng| {
        let ExpressionKind::Table(fields) = kind else { return };
        let at = below(rng, fields.len());
        match &mut fields[at] {
            Field::Named(name, _) => name.name = event(rng).into(),
            Field::Item(value) | Field::Keyed(_, value) => {
                let key = made(ExpressionKind::String(event(rng).as_bytes().into()));
                fields[at] = Field::Keyed(key, value.clone());
            }
        }
    });
}

/// Edits the block that holds one of the statements, given with the statement's place, if there is a statement.
fn edit_some_statement(
    tree: &mut Chunk,
    rng: &mut ChaCha8Rng,
    edit: impl FnOnce(&mut Vec<Statement>, usize, &mut ChaCha8Rng),
) {
    let mut count = 0;
    for_each_block(&mut tree.block, &mut |block| count += block.statements.len());
    if count > 0 {
        let number = below(rng, count);
        edit_statement(tree, number, |statements, at| edit(statements, at, rng));
    }
}

/// A statement away, twice, or elsewhere in its block.
fn vary_statements(tree: &mut Chunk, rng: &mut ChaCha8Rng) {
    edit_some_statement(tree, rng, |statements, at, rng| match rng.next_u32() % 3 {
        0 => drop(statements.remove(at)),
        1 => statements.insert(at, statements[at].clone()),
        _ => {
            let other = below(rng, statements.len());
            statements.swap(at, other);
        }
    });
}

/// A few statements of a tree that follow each other.
fn statements_of(tree: &mut Chunk, rng: &mut ChaCha8Rng) -> Vec<Statement> {
    let mut some = Vec::new();
    edit_some_statement(tree, rng, |statements, at, rng| {
        let count = 1 + below(rng, statements.len() - at);
        some = statements[at..at + count].to_vec();
    });
    some
}

/// Puts statements somewhere into a tree.
fn insert(tree: &mut Chunk, statements: Vec<Statement>, rng: &mut ChaCha8Rng) {
    let mut count = 0;
    for_each_block(&mut tree.block, &mut |_| count += 1);
    let number = below(rng, count);
    edit_block(tree, number, |block| {
        let at = below(rng, block.statements.len() + 1);
        block.statements.splice(at..at, statements);
    });
}

/// Puts statements that follow each other into one of the frames.
fn frame(tree: &mut Chunk, rng: &mut ChaCha8Rng) {
    let mut frame = Block { statements: vec![MATERIAL.with(|material| pick(&material.frames, rng))] };
    edit_some_statement(tree, rng, |statements, at, rng| {
        let end = at + 1 + below(rng, (statements.len() - at).min(4));
        let mut body: Vec<Statement> = statements.drain(at..end).collect();
        for_each_block(&mut frame, &mut |block| {
            if let Some(place) = block.statements.iter().position(is_body) {
                block.statements.splice(place..=place, body.drain(..));
            }
        });
        statements.splice(at..at, frame.statements);
    });
}

fn is_body(statement: &Statement) -> bool {
    let StatementKind::Call(Expression { kind: ExpressionKind::Call(call), .. }) = &statement.kind else {
        return false;
    };
    matches!(&call.function.kind, ExpressionKind::Name(name) if **name == *BODY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 4096;

    #[test]
    fn every_snippet_ends_by_itself_and_is_short() {
        let mut vm_failures = Vec::new();
        for text in snippets() {
            let mut vm = Vm::new(Options::default()).unwrap();
            vm.set_input(&b"12 some input\nof two lines\n"[..]);
            match vm.run(text.as_bytes(), CHUNK_NAME.as_bytes(), &[]) {
                Ok(()) | Err(moonphase_vm::ScriptError::Exit(3)) => {}
                Err(error) => vm_failures.push(format!("{error} in\n{text}")),
            }
            assert!(text.len() < LONGEST, "{text}");
        }
        assert!(vm_failures.is_empty(), "{}", vm_failures.join("\n"));
        assert!(snippets().count() >= 60, "{}", snippets().count());
    }

    #[test]
    fn the_snippets_mention_every_function_of_the_library() {
        let text = SNIPPETS.concat();
        let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let missing = |function: &&String| !words.contains(&function.as_str());
        let missing: Vec<&String> = library().iter().flat_map(|(_, functions)| functions).filter(missing).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert!(library().len() >= 11, "{:?}", library());
    }

    #[test]
    fn all_that_mutation_inserts_is_lua() {
        MATERIAL.with(|material| {
            assert!(material.expressions.len() > 80 && material.pieces.len() == values(PIECES).len());
            assert!(material.frames.len() > 15);
            for frame in &material.frames {
                let mut bodies = 0;
                let mut frame = Block { statements: vec![frame.clone()] };
                for_each_block(&mut frame, &mut |block| {
                    bodies += block.statements.iter().filter(|statement| is_body(statement)).count();
                });
                assert_eq!(bodies, 1, "{frame:?}");
            }
        });
    }

    #[test]
    fn mutants_compile_differ_and_do_no_harm() {
        let mut data = vec![0; SIZE];
        let mut size = 0;
        let mut same = 0;
        for seed in 0..1000 {
            let old = data[..size].to_vec();
            size = mutate_library(&mut data, size, SIZE, seed, |data, size, _| {
                data[seed as usize % size] ^= 1 << (seed % 8);
                size
            });
            same += usize::from(old == data[..size]);
            if seed % 10 == 0 {
                assert_ne!(run_library(&data[..size]), Fate::Rejected, "{}", String::from_utf8_lossy(&data[..size]));
            } else {
                assert!(program(&data[..size]).is_some());
            }
        }
        assert!(same < 20, "{same}");
    }

    #[test]
    fn no_text_is_larger_than_asked_for() {
        let text = snippets().next().unwrap().as_bytes();
        for max_size in [0, 1, 20, 200] {
            let mut data = text.to_vec();
            assert!(mutate_library(&mut data, text.len(), max_size, 1, |_, _, _| 0) <= max_size);
            assert!(mutate_library(&mut data, 0, max_size, 32, |_, _, _| 0) <= max_size);
            assert!(crossover_library(text, text, &mut vec![0; max_size], 3) <= max_size);
        }
    }

    #[test]
    fn a_text_runs_unless_it_does_not_compile() {
        assert_eq!(run_library(b"return 1"), Fate::Executed);
        assert_eq!(run_library(b"error('x')"), Fate::Executed);
        assert_eq!(run_library(b"os.exit(false)"), Fate::Executed);
        assert_eq!(run_library(b"setmetatable({}, {__gc = function() while true do end end})"), Fate::Inconclusive);
        assert_eq!(run_library(b"return = 1"), Fate::Rejected);
        assert_eq!(run_library(b"\x1bLua"), Fate::Rejected);
    }

    #[test]
    fn a_child_has_statements_of_both_parents() {
        let mut out = vec![0; SIZE];
        let both = (0..20).filter(|&seed| {
            let size = crossover_library(b"first = 1", b"second = 2", &mut out, seed);
            let text = std::str::from_utf8(&out[..size]).unwrap();
            text.contains("first = 1") && text.contains("second = 2")
        });
        assert_eq!(both.count(), 20);
    }
}
