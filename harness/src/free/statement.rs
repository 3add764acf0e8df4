//! Statements of every kind, over variables of known types: what programs look like that people write.

use super::maker::Maker;

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    String,
    Boolean,
    /// A sequence of numbers.
    List,
    /// A function of two numbers, whose first result is one.
    Function,
}

#[derive(Clone, Debug)]
struct Variable {
    name: String,
    kind: Kind,
    constant: bool,
}

/// What can be seen at a place, and what may be done there.
#[derive(Clone, Debug, Default)]
struct Scope {
    variables: Vec<Variable>,
    /// How deep statements are nested.
    depth: usize,
    /// How often this place may run for one run of the program.
    times: usize,
    in_loop: bool,
    in_vararg: bool,
    /// Whether no variable is a constant.
    without_constants: bool,
}

/// More runs than this of one place are too many.
const MAX_TIMES: usize = 2_000;
/// Statements may be nested so deep.
const MAX_DEPTH: usize = 4;

impl Scope {
    /// A variable of a kind.
    fn find(&self, maker: &mut Maker, kind: Kind) -> Option<String> {
        let found: Vec<&Variable> = self.variables.iter().filter(|variable| variable.kind == kind).collect();
        (!found.is_empty()).then(|| found[maker.below(found.len())].name.clone())
    }

    fn assignable(&self, maker: &mut Maker) -> Option<Variable> {
        let found: Vec<&Variable> =
            self.variables.iter().filter(|variable| !variable.constant && variable.kind != Kind::Function).collect();
        (!found.is_empty()).then(|| found[maker.below(found.len())].clone())
    }

    fn add(&mut self, name: &str, kind: Kind, constant: bool) {
        self.variables.push(Variable { name: name.to_owned(), kind, constant });
    }

    fn inner(&self) -> Scope {
        Scope { depth: self.depth + 1, ..self.clone() }
    }
}

impl Maker {
    /// A block of statements in a protected call.
    pub fn statements(&mut self) {
        let traced = self.one_in(3);
        let (begin, end) = if traced {
            ("show(\"statements\", traced(function(...)", "end, 1, \"two\", nil))")
        } else {
            ("try(\"statements\", function(...)", "end, 1, \"two\", nil)")
        };
        let vararg = Scope { times: 1, in_vararg: true, ..Scope::default() };
        self.block(begin, end, |maker| {
            let mut scope = vararg;
            let count = maker.between(3, 8);
            for _ in 0..count {
                maker.statement(&mut scope);
            }
            let shown = scope.variables.iter().filter(|variable| variable.kind != Kind::Function);
            let names: Vec<&str> = shown.map(|variable| variable.name.as_str()).take(20).collect();
            maker.line(format!("return {}", names.join(", ")));
        });
    }

    /// Coroutines that exchange values and end in each of the ways.
    pub fn coroutines(&mut self) {
        self.block("do", "end", |maker| {
            let mut scope = Scope { times: 1, in_vararg: true, ..Scope::default() };
            maker.block("local thread = coroutine.create(function(...)", "end)", |maker| {
                // The names of temporaries are an implementation's own.
                maker.line("local first = ...");
                let count = maker.between(2, 5);
                for _ in 0..count {
                    maker.statement(&mut scope);
                    let values = maker.exchanged(&scope);
                    maker.line(format!("show(\"coroutine\", coroutine.yield({values}))"));
                }
                let values = maker.exchanged(&scope);
                let end = maker.pick(&["return ", "return ", "error"]);
                maker.line(if end == "error" { format!("error({values})") } else { format!("return {values}") });
            });
            for _ in 0..maker.between(1, 8) {
                let value = maker.plain();
                let line = match maker.below(10) {
                    0 => "show(\"coroutine\", coroutine.status(thread), debug.traceback(thread))".to_owned(),
                    1 => "show(\"coroutine\", debug.getlocal(thread, 1, 1))".to_owned(),
                    2 => "show(\"coroutine\", pcall(coroutine.wrap(function() return coroutine.resume(thread) end)))"
                        .to_owned(),
                    3 => "show(\"coroutine\", pcall(coroutine.close, thread))".to_owned(),
                    _ => format!("show(\"coroutine\", coroutine.resume(thread, {value}))"),
                };
                maker.line(line);
            }
            maker.line("show(\"coroutine\", coroutine.status(thread), pcall(coroutine.close, thread))");
        });
    }

    fn exchanged(&mut self, scope: &Scope) -> String {
        let count = self.between(0, 3);
        self.list(count, |maker| {
            let kind = maker.pick(&[Kind::Number, Kind::String, Kind::Boolean, Kind::List]);
            maker.expression(scope, kind, 2)
        })
    }

    /// A program in a string, with a piece of it changed: a message of the parser, or another program.
    pub fn damaged_text(&mut self) {
        const PIECES: [&str; 60] = [
            "end",
            "do",
            "then",
            "local",
            "function",
            "return",
            "if",
            "for",
            "in",
            "=",
            "==",
            "(",
            ")",
            "{",
            "}",
            "[",
            "]",
            "[[",
            "\"",
            "'",
            "--",
            "--[[",
            ";",
            ":",
            "::",
            ",",
            ".",
            "..",
            "...",
            "goto",
            "goto out",
            "::out::",
            "break",
            "nil",
            "not",
            "-",
            "~",
            "~=",
            "#",
            "1",
            "0x",
            "1e",
            "3.",
            "0xp1",
            "1..2",
            "\\",
            "\"\\x1\"",
            "\"\\u{\"",
            "\"\\999\"",
            "\"\\q\"",
            "<const>",
            "<close>",
            "<x>",
            "$",
            "@",
            "\0",
            "\x7f",
            "é",
            "until",
            "repeat",
        ];
        let mut inner = self.branch();
        // The message about an assignment to one has the line of the name here, and of the token behind it in PUC Lua.
        let mut scope = Scope { times: 1, in_vararg: true, without_constants: true, ..Scope::default() };
        for _ in 0..self.between(1, 3) {
            inner.declaration(&mut scope);
            inner.statement(&mut scope);
        }
        let mut text = inner.out.into_bytes();
        for _ in 0..self.between(1, 2) {
            let at = self.below(text.len());
            let piece = self.pick(&PIECES);
            match self.below(4) {
                0 => {
                    let end = (at + self.between(1, 8)).min(text.len());
                    text.drain(at..end);
                }
                1 => text.truncate(at),
                2 => text.splice(at..at, format!(" {piece} ").bytes()).for_each(drop),
                _ => text.splice(at..at, piece.bytes()).for_each(drop),
            }
            if text.is_empty() {
                break;
            }
        }
        // What it would do is not known any more: it might not end.
        let text = super::text::quote(&text);
        let name = self.pick(&["=damaged", "@damaged.lua", "damaged"]);
        self.block("do", "end", |maker| {
            maker.line(format!("local f, message = load({text}, {name:?})"));
            maker.line("show(\"load\", type(f), message)");
        });
    }

    /// The program ends with an error.
    pub fn failing_end(&mut self) {
        let line = self.pick(&[
            "error(\"the end\")",
            "error({})",
            "error(setmetatable({}, {__tostring = function() return \"the end\" end}))",
            "local t = nil; t.x = 1",
            "undefined.field = 1",
            "show(nil .. \"x\")",
            "coroutine.wrap(function() error(\"inside\", 2) end)()",
            "error(nil)",
            "error()",
            "error(12)",
            "local a <close> = setmetatable({}, {__close = function() error(\"closing\") end})",
            "string.rep()",
            "(\"x\"):bad()",
            "assert(false, \"asserted\")",
            "assert(nil)",
        ]);
        self.line(line);
    }

    /// An expression of a kind. It may fail, but seldom does.
    fn expression(&mut self, scope: &Scope, kind: Kind, depth: usize) -> String {
        if (depth == 0 || self.one_in(3))
            && let Some(variable) = scope.find(self, kind)
        {
            return variable;
        }
        let depth = depth.saturating_sub(1);
        match kind {
            Kind::Number => self.number_expression(scope, depth),
            Kind::String => self.string_expression(scope, depth),
            Kind::Boolean => self.boolean_expression(scope, depth),
            Kind::List => self.list_expression(scope, depth),
            Kind::Function => scope.find(self, Kind::Function).unwrap_or_else(|| "math.max".to_owned()),
        }
    }

    fn number_expression(&mut self, scope: &Scope, depth: usize) -> String {
        if depth == 0 {
            return if self.one_in(8) { self.number() } else { self.small() };
        }
        let number = |maker: &mut Maker| maker.expression(scope, Kind::Number, depth);
        match self.below(16) {
            0..=5 => {
                let (left, right) = (number(self), number(self));
                let operator =
                    self.pick(&["+", "-", "*", "+", "-", "*", "/", "//", "%", "^", "<<", "|", "&", "~", ">>"]);
                format!("({left} {operator} {right})")
            }
            6 => {
                let operand = number(self);
                format!("(- {operand})")
            }
            7 => format!("#{}", self.operand(scope, Kind::List, depth)),
            8 => format!("#{}", self.operand(scope, Kind::String, depth)),
            9 | 10 => {
                let function = self.expression(scope, Kind::Function, depth);
                let count = self.pick(&[2, 2, 2, 1, 3, 0]);
                let arguments = self.list(count, number);
                // In parentheses there is exactly one result.
                if self.one_in(2) { format!("({function}({arguments}))") } else { format!("{function}({arguments})") }
            }
            11 => {
                let (condition, a, b) = (self.expression(scope, Kind::Boolean, depth), number(self), number(self));
                format!("({condition} and {a} or {b})")
            }
            12 => format!("{}[{}]", self.operand(scope, Kind::List, depth), number(self)),
            13 if scope.in_vararg => self.pick(&["select(\"#\", ...)", "(select(1, ...))", "(...)"]).to_owned(),
            14 => format!("(tonumber({}) or 0)", self.expression(scope, Kind::String, depth)),
            _ => {
                let function = self.pick(&["math.floor", "math.abs", "math.ceil", "math.tointeger", "math.sqrt"]);
                format!("{function}({})", number(self))
            }
        }
    }

    /// Something that can be indexed or have its length taken.
    fn operand(&mut self, scope: &Scope, kind: Kind, depth: usize) -> String {
        match scope.find(self, kind) {
            Some(variable) => variable,
            None => format!("({})", self.expression(scope, kind, depth)),
        }
    }

    fn string_expression(&mut self, scope: &Scope, depth: usize) -> String {
        if depth == 0 {
            return self.string();
        }
        let string = |maker: &mut Maker| maker.expression(scope, Kind::String, depth);
        match self.below(9) {
            0..=2 => {
                let (left, right) = (string(self), string(self));
                format!("cut({left} .. {right})")
            }
            3 => {
                let number = self.expression(scope, Kind::Number, depth);
                format!("(\"<\" .. {number} .. \">\")")
            }
            4 => format!("tostring({})", self.expression(scope, Kind::Number, depth)),
            5 => {
                let (i, j) = (self.small(), self.small());
                format!("({}):sub({i}, {j})", string(self))
            }
            6 => format!("({}):{}()", string(self), self.pick(&["upper", "lower", "reverse"])),
            7 => {
                let (a, b) = (string(self), self.expression(scope, Kind::Number, depth));
                format!("string.format(\"%5s|%g\", {a}, {b})")
            }
            _ => {
                let (pattern, replacement) = (self.pattern(), self.replacement());
                format!("cut((({}):gsub({pattern}, {replacement})))", string(self))
            }
        }
    }

    fn boolean_expression(&mut self, scope: &Scope, depth: usize) -> String {
        if depth == 0 {
            return self.pick(&["true", "false"]).to_owned();
        }
        match self.below(7) {
            0..=2 => {
                let operator = self.pick(&["<", "<=", ">", ">=", "==", "~="]);
                let kind = self.pick(&[Kind::Number, Kind::Number, Kind::String]);
                let (left, right) = (self.expression(scope, kind, depth), self.expression(scope, kind, depth));
                format!("({left} {operator} {right})")
            }
            3 => format!("(not {})", self.expression(scope, Kind::Boolean, depth)),
            4 => {
                let operator = self.pick(&["==", "~="]);
                let (left, right) =
                    (self.expression(scope, Kind::Number, depth), self.expression(scope, Kind::String, depth));
                format!("({left} {operator} {right})")
            }
            _ => {
                let operator = self.pick(&["and", "or"]);
                let (left, right) =
                    (self.expression(scope, Kind::Boolean, depth), self.expression(scope, Kind::Boolean, depth));
                format!("({left} {operator} {right})")
            }
        }
    }

    fn list_expression(&mut self, scope: &Scope, depth: usize) -> String {
        let count = self.between(0, 5);
        let mut items = self.list(count, |maker| {
            // One that is nil would make a hole.
            format!("({} or 0)", maker.expression(scope, Kind::Number, depth.min(1)))
        });
        if self.one_in(3)
            && let Some(list) = scope.find(self, Kind::List)
        {
            if !items.is_empty() {
                items.push_str(", ");
            }
            items.push_str(&format!("table.unpack({list}, 1, 5)"));
        }
        format!("{{{items}}}")
    }

    fn kind(&mut self) -> Kind {
        self.pick(&[Kind::Number, Kind::Number, Kind::String, Kind::Boolean, Kind::List])
    }

    fn statement(&mut self, scope: &mut Scope) {
        let nests = scope.depth < MAX_DEPTH;
        match self.below(30) {
            0..=4 => self.declaration(scope),
            5..=8 => self.assignment(scope),
            9 => self.swap(scope),
            10 | 11 => {
                let values = self.exchanged(scope);
                self.line(format!("show(\"statement\"{}{values})", if values.is_empty() { "" } else { ", " }));
            }
            12 | 13 if nests => self.branches(scope),
            14..=16 if nests => self.numeric_loop(scope),
            17 | 18 if nests => self.generic_loop(scope),
            19 if nests => self.conditional_loop(scope),
            20..=22 if nests => self.local_function(scope),
            23 if nests => self.closed_variable(scope),
            24 if nests => self.protected(scope),
            25 if nests => self.closures_in_loop(scope),
            26 => self.list_statement(scope),
            27 if nests => self.recursion(scope),
            28 if scope.in_loop && self.one_in(2) => {
                let condition = self.expression(scope, Kind::Boolean, 2);
                self.line(format!("if {condition} then break end"));
            }
            29 if self.one_in(4) => self.mistake(scope),
            _ => self.call_statement(scope),
        }
    }

    fn body(&mut self, scope: &Scope, most: usize) {
        let mut inner = scope.inner();
        for _ in 0..self.between(1, most) {
            self.statement(&mut inner);
        }
    }

    fn declaration(&mut self, scope: &mut Scope) {
        let kind = self.kind();
        let value = self.expression(scope, kind, 3);
        if self.one_in(6) {
            let (first, second) = (self.fresh("a"), self.fresh("a"));
            let other = self.expression(scope, Kind::Number, 2);
            self.line(format!("local {first}, {second} = {value}, {other}"));
            scope.add(&first, kind, false);
            scope.add(&second, Kind::Number, false);
            return;
        }
        let constant = !scope.without_constants && self.one_in(6);
        let global = !constant && self.one_in(5);
        let name = self.fresh(if global { "G" } else { "a" });
        let (local, attribute) = if global { ("", "") } else { ("local ", if constant { " <const>" } else { "" }) };
        self.line(format!("{local}{name}{attribute} = {value}"));
        scope.add(&name, kind, constant);
    }

    fn assignment(&mut self, scope: &Scope) {
        let Some(variable) = scope.assignable(self) else { return };
        let value = self.expression(scope, variable.kind, 3);
        let value = if variable.kind == Kind::String { format!("cut({value})") } else { value };
        self.line(format!("{} = {value}", variable.name));
    }

    /// An assignment to several places, whose order may show.
    fn swap(&mut self, scope: &Scope) {
        let (Some(first), Some(list)) = (scope.assignable(self), scope.find(self, Kind::List)) else { return };
        let (one, other) = (self.expression(scope, Kind::Number, 2), self.expression(scope, first.kind, 2));
        self.line(format!("{list}[#{list} + 1], {} = {one} or 0, {other}", first.name));
    }

    fn branches(&mut self, scope: &Scope) {
        let condition = self.expression(scope, Kind::Boolean, 3);
        self.line(format!("if {condition} then"));
        self.nested(scope, 2);
        if self.one_in(3) {
            let condition = self.expression(scope, Kind::Number, 2);
            self.line(format!("elseif {condition} == 1 then"));
            self.nested(scope, 2);
        }
        if self.one_in(2) {
            self.line("else");
            self.nested(scope, 2);
        }
        self.line("end");
    }

    fn nested(&mut self, scope: &Scope, most: usize) {
        self.indented(|maker| maker.body(scope, most));
    }

    /// The scope inside of a loop of so many turns, or none if that were too many.
    fn looping(&mut self, scope: &Scope, turns: usize) -> Option<Scope> {
        let times = scope.times * turns;
        (times <= MAX_TIMES).then(|| Scope { times, in_loop: true, ..scope.inner() })
    }

    fn numeric_loop(&mut self, scope: &Scope) {
        let Some(mut inner) = self.looping(scope, 6) else { return };
        let name = self.fresh("i");
        let bounds = match self.below(14) {
            0..=5 => format!("1, {}", self.between(0, 6)),
            6 => format!("{}, 1, -1", self.between(0, 6)),
            7 => format!("0, 1, {}", self.pick(&["0.25", "0.3", "0.5"])),
            8 => self
                .pick(&["math.maxinteger - 2, math.maxinteger", "math.mininteger + 2, math.mininteger, -1"])
                .to_owned(),
            9 => self
                .pick(&["math.maxinteger - 1, math.huge", "1, -math.huge, -3 << 60", "1.0, 4", "3, 1.5, -0.5"])
                .to_owned(),
            10 => self.pick(&["1, 3, 0", "1, 3, 0.0", "\"1\", 3", "1, {}", "1, 2, \"x\"", "1, nil"]).to_owned(),
            11 => {
                self.pick(&["1, 0/0", "1, 5, 2", "1, 6, math.maxinteger", "6, 1, math.mininteger", "1, 3.9"]).to_owned()
            }
            _ => match scope.find(self, Kind::List) {
                Some(list) => format!("1, math.min(#{list}, 6)"),
                None => "1, 3".to_owned(),
            },
        };
        inner.add(&name, Kind::Number, false);
        let skip = self.one_in(4);
        self.block(format!("for {name} = {bounds} do"), "end", |maker| {
            if skip {
                let condition = maker.expression(&inner, Kind::Boolean, 2);
                maker.line(format!("if {condition} then goto continue end"));
                // A jump may not enter the scope of a local.
                maker.block("do", "end", |maker| maker.body(&inner, 3));
                maker.line("::continue::");
            } else {
                maker.body(&inner, 3);
            }
        });
    }

    fn generic_loop(&mut self, scope: &Scope) {
        let Some(mut inner) = self.looping(scope, 6) else { return };
        let (first, second) = (self.fresh("k"), self.fresh("v"));
        let (iterator, kinds) = match self.below(9) {
            0..=2 => {
                let list = self.expression(scope, Kind::List, 2);
                (format!("ipairs({list})"), [Kind::Number, Kind::Number])
            }
            3 => (format!("pairs({{{}}})", self.small()), [Kind::Number, Kind::Number]),
            4 => {
                let text = self.expression(scope, Kind::String, 1);
                (format!("(cut({text})):sub(1, 6):gmatch(\"(.)(%d?)\")"), [Kind::String, Kind::String])
            }
            5 => (
                "coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i, i * 2) end end)".to_owned(),
                [Kind::Number, Kind::Number],
            ),
            6 => (
                "function(s, c) if c < 3 then return c + 1, s end end, 5, 0".to_owned(),
                [Kind::Number, Kind::Number],
            ),
            7 => (
                "next, {7}, nil, setmetatable({}, {__close = function(_, e) show(\"loop closed\", e) end})".to_owned(),
                [Kind::Number, Kind::Number],
            ),
            _ => (
                self.pick(&[
                    "setmetatable({}, {__call = function(_, _, c) c = (c or 0) + 1 if c < 4 then return c, -c end end})",
                    "utf8.codes(\"a\\u{e9}b\")",
                    "ipairs(setmetatable({}, {__index = function(_, i) if i < 4 then return i * 10 end end}))",
                    "1",
                    "nil",
                ])
                .to_owned(),
                [Kind::Number, Kind::Number],
            ),
        };
        inner.add(&first, kinds[0], false);
        inner.add(&second, kinds[1], false);
        self.block(format!("for {first}, {second} in {iterator} do"), "end", |maker| maker.body(&inner, 3));
    }

    fn conditional_loop(&mut self, scope: &Scope) {
        let Some(inner) = self.looping(scope, 5) else { return };
        let counter = self.fresh("n");
        let condition = self.expression(scope, Kind::Boolean, 2);
        self.line(format!("local {counter} = 0"));
        if self.one_in(2) {
            self.block(format!("while {counter} < 5 and ({condition} or {counter} < 2) do"), "end", |maker| {
                maker.line(format!("{counter} = {counter} + 1"));
                maker.body(&inner, 3);
            });
        } else {
            let last = self.fresh("last");
            self.block("repeat", format!("until {counter} >= 5 or {last}"), |maker| {
                maker.line(format!("{counter} = {counter} + 1"));
                maker.line(format!("local {last} = {counter} > 2 and {condition}"));
                maker.block("do", "end", |maker| maker.body(&inner, 2));
                if maker.one_in(3) {
                    maker.line(format!("show(\"repeat\", (function() return {last}, {counter} end)())"));
                }
            });
        }
    }

    fn local_function(&mut self, scope: &mut Scope) {
        // It may be called from anywhere that it is seen, so it runs as often as that may be.
        let Some(looped) = self.looping(scope, 6) else { return };
        let name = self.fresh("f");
        let vararg = self.one_in(3);
        let mut inner = Scope { in_loop: false, in_vararg: vararg, ..looped.clone() };
        let (a, b) = (self.fresh("p"), self.fresh("p"));
        inner.add(&a, Kind::Number, false);
        inner.add(&b, Kind::Number, false);
        let head = match self.below(3) {
            0 => format!("local {name} = function({a}, {b}{})", if vararg { ", ..." } else { "" }),
            _ => format!("local function {name}({a}, {b}{})", if vararg { ", ..." } else { "" }),
        };
        self.block(head, "end", |maker| {
            let mut inner = inner;
            maker.line(format!("{a}, {b} = {a} or 1, {b} or 2"));
            for _ in 0..maker.between(0, 3) {
                maker.statement(&mut inner);
            }
            let value = maker.expression(&inner, Kind::Number, 2);
            let callee = inner.find(maker, Kind::Function).filter(|_| maker.one_in(3));
            let way = maker.below(4);
            maker.line(match (callee, way) {
                (Some(callee), _) => format!("return {callee}({value})"),
                (None, 0) if vararg => format!("return {value}, ..."),
                (None, 1) => format!("return {value}, {a}, {b}"),
                (None, _) => format!("return {value}"),
            });
        });
        scope.add(&name, Kind::Function, true);
    }

    fn closed_variable(&mut self, scope: &Scope) {
        let name = self.fresh("c");
        let then = self.pick(&["", "", " error(\"closing\")", " error({e})", " return 1"]);
        self.block("do", "end", |maker| {
            let value = if maker.one_in(8) {
                maker.pick(&["nil", "false", "1", "{}"]).to_owned()
            } else {
                format!("setmetatable({{}}, {{__close = function(_, e) show(\"closed {name}\", e){then} end}})")
            };
            maker.line(format!("local {name} <close> = {value}"));
            maker.body(scope, 3);
            if maker.one_in(4) {
                maker.line("error(\"inside\")");
            }
        });
    }

    fn protected(&mut self, scope: &Scope) {
        let call = self.pick(&[
            "pcall(function()",
            "pcall(function()",
            "xpcall(function()",
            "coroutine.resume(coroutine.create(function()",
            "pcall(coroutine.wrap(function()",
        ]);
        let end = match call.split('(').next().unwrap_or_default() {
            "xpcall" => self
                .pick(&[
                    "end, function(m) return type(m) end))",
                    "end, function(m) return \"<\" .. tostring(m) .. \">\" end))",
                    "end, function(m) error(m) end))",
                    "end, type))",
                ])
                .to_owned(),
            _ => format!("end{}", ")".repeat(call.matches('(').count())),
        };
        let inner = Scope { in_loop: false, in_vararg: false, ..scope.inner() };
        self.block(format!("show(\"protected\", {call}"), end, |maker| {
            maker.body(&inner, 3);
            let value = maker.expression(&inner, Kind::Number, 2);
            let level = maker.pick(&["", ", 1", ", 2", ", 0"]);
            if maker.one_in(3) {
                maker.line(format!("error({value}{level})"));
            } else {
                maker.line(format!("return {value}, {value}"));
            }
        });
    }

    fn closures_in_loop(&mut self, scope: &mut Scope) {
        let (list, variable) = (self.fresh("fs"), self.fresh("i"));
        let captured = scope.find(self, Kind::Number).unwrap_or_else(|| variable.clone());
        self.line(format!("local {list} = {{}}"));
        self.block(format!("for {variable} = 1, 3 do"), "end", |maker| {
            let inner = maker.fresh("x");
            maker.line(format!("local {inner} = {variable} * 10"));
            maker.line(format!(
                "{list}[#{list} + 1] = function(d) {inner} = {inner} + d {variable} = {variable} + 1 return {inner}, {variable}, {captured} end"
            ));
            if maker.one_in(4) {
                maker.line(format!("if {variable} == 2 then break end"));
            }
        });
        self.line(format!("for _ = 1, 2 do for at = #{list}, 1, -1 do show(\"closure\", {list}[at](at)) end end"));
    }

    fn list_statement(&mut self, scope: &Scope) {
        let Some(list) = scope.find(self, Kind::List) else { return };
        let value = self.expression(scope, Kind::Number, 2);
        // Lists in loops stay short.
        let line = match self.below(8) {
            0 | 1 => format!("if #{list} < 12 then {list}[#{list} + 1] = {value} or 0 end"),
            2 => format!("if #{list} < 12 then table.insert({list}, 1, {value} or 0) end"),
            3 => format!("show(\"removed\", table.remove({list}))"),
            4 => format!("if #{list} > 0 then show(\"removed\", table.remove({list}, 1)) end"),
            5 => format!("show(\"sorted\", pcall(table.sort, {list}))"),
            6 => format!("show(\"joined\", pcall(table.concat, {list}, \",\"))"),
            _ => format!("if #{list} > 0 then {list}[#{list}] = {list}[1] end"),
        };
        self.line(line);
    }

    fn recursion(&mut self, scope: &mut Scope) {
        if self.looping(scope, 100).is_none() {
            return;
        }
        let name = self.fresh("r");
        let depth = self.pick(&["3", "5", "12", "30"]);
        let call = self.pick(&[
            "n * {r}(n - 1)",
            "{r}(n - 1)",
            "{r}(n - 1) + 1",
            "select(2, pcall({r}, n - 1))",
            "(coroutine.wrap({r})(n - 1))",
            "{r}(n - 1) .. n",
        ]);
        let bottom = self.pick(&["1", "\"bottom\"", "error(\"bottom\")", "nil + n", "{}"]);
        let call = call.replace("{r}", &name);
        self.line(format!("local function {name}(n) if n < 1 then return {bottom} end return {call} end"));
        let result = self.pick(&["cut(", "tostring(", "type("]);
        self.line(format!("show(\"recursion\", pcall(function() return {result}{name}({depth})) end))"));
    }

    fn call_statement(&mut self, scope: &Scope) {
        let function = self.expression(scope, Kind::Function, 1);
        let count = self.between(0, 3);
        let arguments = self.list(count, |maker| maker.expression(scope, Kind::Number, 2));
        self.line(format!("show(\"call\", {function}({arguments}))"));
    }

    /// What fails, with the name of a variable in its message.
    fn mistake(&mut self, scope: &Scope) {
        let kind = self.kind();
        let Some(variable) = scope.find(self, kind) else { return };
        let line = self.pick(&[
            "local _ = {v}.x.y",
            "{v}()",
            "{v}:method()",
            "local _ = {v} + {}",
            "local _ = {v} .. {}",
            "local _ = {v} < {}",
            "local _ = -{v} | 1.5",
            "missing({v})",
            "missing.{v} = 1",
            "string.rep({v}, {v}, {v}, {v})",
            "local _ = math.floor({v}, {v}) // 0",
            "setmetatable({v}, {v})",
            "for i = {v}, {v} do break end",
            ";({v}).field.field = {v}",
            "local t = {} t[{v}] = 1 t[nil] = {v}",
        ]);
        self.line(line.replace("{v}", &variable));
    }
}
