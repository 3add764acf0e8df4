//! Probes of single features of the language: names in tracebacks, yields in unusual places, numerals, keys, limits.

use super::maker::Maker;

impl Maker {
    /// One feature of the language.
    pub fn language_probe(&mut self) {
        match self.below(6) {
            0 => self.named_functions(),
            1 => self.yields(),
            2 => self.numerals(),
            3 => self.keys(),
            4 => self.assignments(),
            _ => self.limits(),
        }
    }

    /// Functions that call each other under names of every kind, down to an error or a traceback.
    fn named_functions(&mut self) {
        let end = self.pick(&[
            "error(\"bottom\")",
            "error(\"bottom\", 2)",
            "error(\"bottom\", 3)",
            "return debug.traceback(\"at\", 1)",
            "return nil + 1",
            "local t = {} return t.x.y",
            "return (undefined_function())",
            "string.rep()",
            "return setmetatable({}, {__index = function(t, k) error(k) end}).key",
            "return setmetatable({}, {__unm = function() return debug.traceback(\"in\") end}) .. \"x\"",
            "return -setmetatable({}, {__unm = function() return debug.traceback(\"in\") end})",
            "for _ in setmetatable({}, {__call = function() error(\"iterator\") end}) do end",
            "return debug.getinfo(1, \"n\").name, debug.getinfo(2, \"nSl\").name, debug.getinfo(3, \"nt\").istailcall",
            "return table.sort({2, 1, 3}, function(a, b) error(\"order\") end)",
            "return select(2, pcall(error, \"caught\")) .. 1 .. nil",
            "return (string.gsub(\"x\", \"x\", function(c) error(\"in \" .. c) end))",
        ]);
        self.block("do", "end", |maker| {
            maker.line(format!("local function bottom(...) {end} end"));
            maker.line("local object = {inner = {}}");
            let mut callee = "bottom".to_owned();
            for level in 1..=maker.between(1, 5) {
                let tail =
                    maker.pick(&["local r = {c}(...) return r", "return {c}(...)", "return ({c}(...))", "{c}(...)"]);
                let body = tail.replace("{c}", &callee);
                callee = match maker.below(7) {
                    0 => {
                        maker.line(format!("local function local{level}(...) {body} end"));
                        format!("local{level}")
                    }
                    1 => {
                        maker.line(format!("function object.field{level}(...) {body} end"));
                        format!("object.field{level}")
                    }
                    2 => {
                        maker.line(format!("function object:method{level}(...) {body} end"));
                        format!("object:method{level}")
                    }
                    3 => {
                        maker.line(format!("function object.inner.deep{level}(...) {body} end"));
                        format!("object.inner.deep{level}")
                    }
                    4 => {
                        let name = maker.fresh("GlobalFunction");
                        maker.line(format!("function {name}(...) {body} end"));
                        name
                    }
                    5 => {
                        maker.line(format!("local listed{level} = {{function(...) {body} end}}"));
                        format!("listed{level}[1]")
                    }
                    _ => {
                        maker.line(format!(
                            "local called{level} = setmetatable({{}}, {{__call = function(_, ...) {body} end}})"
                        ));
                        format!("called{level}")
                    }
                };
            }
            maker.line(format!("show(\"names\", traced(function(...) local r = {callee}(...) return r end, 1, nil))"));
            maker.line(format!("show(\"names\", pcall(function(...) return {callee}(...) end, {{}}, 2))"));
        });
    }

    /// Yields inside of everything that calls functions, whether it can be left by a yield or not.
    fn yields(&mut self) {
        self.block("do", "end", |maker| {
            maker.line("local yield = coroutine.yield");
            maker.line("local function event(name) return setmetatable({}, {[name] = function(a, b) return yield(name, rawequal(a, b)) end}) end");
            maker.block("local thread = coroutine.create(function(...)", "end)", |maker| {
                for _ in 0..maker.between(1, 4) {
                    let line = maker.pick(&[
                        "show(\"yield\", pcall(yield, 1, ...))",
                        "show(\"yield\", xpcall(yield, debug.traceback, 1))",
                        "show(\"yield\", pcall(function() yield(2) error(\"after\") end))",
                        "show(\"yield\", xpcall(function() yield(2) error(\"after\") end, function(m) return \"<\" .. m .. \">\" end))",
                        "show(\"yield\", event(\"__add\") + 1, 1 + event(\"__add\"))",
                        "show(\"yield\", event(\"__index\").key, event(\"__index\")[1])",
                        "event(\"__newindex\").key = 1",
                        "show(\"yield\", event(\"__concat\") .. \"x\", \"x\" .. event(\"__concat\") .. \"y\" .. \"z\")",
                        "show(\"yield\", event(\"__eq\") == event(\"__eq\"), event(\"__lt\") < 1, event(\"__le\") <= 1)",
                        "if event(\"__lt\") < 1 then show(\"yield\", \"then\") else show(\"yield\", \"else\") end",
                        "show(\"yield\", not (event(\"__le\") >= 1), event(\"__lt\") <= event(\"__lt\"))",
                        "show(\"yield\", #event(\"__len\"), -event(\"__unm\"), ~event(\"__bnot\"))",
                        "show(\"yield\", event(\"__call\")(1, 2))",
                        "do local x <close> = event(\"__close\") yield(\"before\") end",
                        "pcall(function() local x <close> = event(\"__close\") error(\"out\") end)",
                        "show(\"yield\", (function() local x <close> = event(\"__close\") return 1, 2 end)())",
                        "for a, b in yield, \"state\", \"control\" do show(\"yield\", a, b) break end",
                        "for a in pairs(setmetatable({}, {__pairs = function() return yield, 1, 2 end})) do show(\"yield\", a) break end",
                        "show(\"yield\", pcall(table.sort, {3, 1, 2}, function(a, b) return yield(a) end))",
                        "show(\"yield\", pcall(string.gsub, \"ab\", \".\", yield))",
                        "show(\"yield\", pcall(load, yield))",
                        "show(\"yield\", coroutine.wrap(function() show(\"yield\", yield(\"inner\")) return \"done\" end)())",
                        "show(\"yield\", select(\"#\", yield()), (yield(nil, nil)))",
                        "show(\"yield\", pcall(pcall, pcall, yield, 3))",
                        "show(\"yield\", coroutine.isyieldable(), coroutine.running() ~= nil, coroutine.status(coroutine.running()))",
                        "show(\"yield\", pcall(coroutine.close, coroutine.running()))",
                        "show(\"yield\", tostring(setmetatable({}, {__tostring = function() return \"text\" end})), pcall(tostring, event(\"__tostring\")))",
                        "show(\"yield\", pcall(next, {}, yield))",
                    ]);
                    maker.line(line);
                }
                let end = maker.pick(&["return \"returned\"", "error(\"failed\")", "error({code = 1})"]);
                maker.line(end);
            });
            for _ in 0..maker.between(2, 9) {
                let value = maker.plain();
                maker.line(format!("show(\"resume\", coroutine.resume(thread, {value}))"));
            }
            let last = maker.pick(&[
                "show(\"resume\", pcall(coroutine.close, thread))",
                "show(\"resume\", coroutine.status(thread), debug.traceback(thread))",
            ]);
            maker.line(last);
        });
    }

    /// Numerals and string literals as the lexer and `tonumber` read them.
    fn numerals(&mut self) {
        for _ in 0..self.between(1, 4) {
            let mut numeral = String::new();
            let hexadecimal = self.one_in(3);
            let digits: &[char] =
                if hexadecimal { &['0', '1', '9', 'a', 'F', 'f', '7'] } else { &['0', '1', '9', '5', '2'] };
            if hexadecimal {
                numeral.push_str(self.pick(&["0x", "0X"]));
            }
            for _ in 0..self.pick(&[0, 1, 2, 3, 8, 16, 17, 20, 25]) {
                numeral.push(self.pick(digits));
            }
            if self.one_in(2) {
                numeral.push('.');
                for _ in 0..self.pick(&[0, 1, 2, 5, 17, 30]) {
                    numeral.push(self.pick(digits));
                }
            }
            if self.one_in(2) {
                numeral.push(if hexadecimal { 'p' } else { 'e' });
                numeral.push_str(self.pick(&["", "-", "+"]));
                numeral.push_str(
                    self.pick(&["", "0", "1", "10", "52", "300", "307", "308", "309", "324", "1023", "1074", "99999"]),
                );
            }
            if self.one_in(12) {
                numeral.push_str(self.pick(&["x", "_", ".", "e", "LL", " 1", "..2"]));
            }
            self.line(format!("show(\"numeral\", load(\"return {numeral}\"))"));
            self.line(format!("try(\"numeral\", function() return load(\"return {numeral}, -{numeral}\")() end)"));
            self.line(format!("show(\"numeral\", tonumber(\"{numeral}\"), tonumber(\" -{numeral} \"), math.type(tonumber(\"{numeral}\")))"));
        }
        let mut literal = Vec::new();
        for _ in 0..self.between(1, 5) {
            literal.extend_from_slice(
                self.pick(&[
                    "\\n",
                    "\\z  \n x",
                    "\\x41",
                    "\\x4",
                    "\\65",
                    "\\256",
                    "\\0",
                    "\\u{41}",
                    "\\u{7fffffff}",
                    "\\u{80000000}",
                    "\\u{",
                    "\\q",
                    "\\\n",
                    "\\\r\n",
                    "\\'",
                    "\\\"",
                    "a",
                    "é",
                    "\\xff",
                    "\\u{}",
                    "\\",
                    "\\a\\b\\f\\v",
                ])
                .as_bytes(),
            );
        }
        let quoted = super::text::quote(&[b"return \"", literal.as_slice(), b"\""].concat());
        self.line(format!("try(\"literal\", function() return assert(load({quoted}, \"=literal\"))() end)"));
    }

    /// Keys that are equal though they are written differently, and fields that come and go while a table is walked.
    fn keys(&mut self) {
        let keys: Vec<String> = (0..self.between(2, 6)).map(|_| self.value_of_key()).collect();
        self.block("do", "end", |maker| {
            maker.line("local t = {}");
            for (index, key) in keys.iter().enumerate() {
                maker.line(format!("show(\"key\", pcall(function() t[ {key} ] = {index} end))"));
            }
            for key in &keys {
                maker.line(format!("show(\"key\", t[ {key} ], rawget(t, {key}))"));
            }
            maker.line("local n = 0 for k in next, t do t[k] = nil n = n + 1 end");
            maker.line("show(\"key\", n, next(t), #t)");
        });
    }

    fn value_of_key(&mut self) -> String {
        match self.below(4) {
            0 => self
                .pick(&["1", "1.0", "2^53", "1 << 53", "-0.0", "0", "0/0", "nil", "\"1\"", "math.huge", "1e15"])
                .to_owned(),
            _ => self.plain(),
        }
    }

    /// Assignments to several places, where the order of evaluation shows.
    fn assignments(&mut self) {
        let line = self.pick(&[
            "local i, t = 1, {} i, t[i] = i + 1, 20 return i, t",
            "local t = {1, 2, 3} t[1], t[2], t[3] = t[3], t[1], t[2] return t",
            "local a, b, c = (function() return 1, 2 end)() return a, b, c",
            "local a, b, c = 0, (function() return 1, 2 end)() return a, b, c",
            "local a, b = ((function() return 1, 2 end)()) return a, b",
            "local log = {} local function f(n) log[#log + 1] = n return n end local t = setmetatable({}, {__newindex = function(_, k, v) log[#log + 1] = k * 10 + v end}) t[f(1)], t[f(2)], t[f(3)] = f(4), f(5), f(6) return log",
            "local log = {} local function f(n) log[#log + 1] = n return n end local t = {[f(1)] = f(2), f(3), [f(4)] = f(5), f(6)} return log, t",
            "local log = {} local function f(n) log[#log + 1] = n return n end local x = f(1) + f(2) * f(3) ^ f(4) .. f(5) return log, x",
            "local log = {} local function f(n) log[#log + 1] = n return n end local x = f(1) < f(2) and f(3) > f(4) or f(5) == f(6) return log, x",
            "local function f(...) return select(\"#\", ...), ... end return f(f(f())), (f(1, nil)), {f(nil, 2)}",
            "local function f(a, b, ...) local c, d = ... return a, b, c, d, ... end return f(1), f(1, 2, 3), f(1, 2, 3, 4, 5)",
            "local t = {n = 0} function t:add(k) self.n = self.n + k return self end return t:add(1):add(2):add(3).n",
            "local a = {} a.b = {} a.b.c, a.b = 1, a return a.b == a, rawget(a, \"c\")",
            "local x <const>, y <const> = 5, \"k\" local t = {[x] = y, [y] = x} return t[5], t.k, -x, y .. x",
            "local x = 1 do local x = x + 1 do local x = x * 10 return x end end",
            "local f = {} for i = 1, 3 do local j = i f[i] = function() j = j + i return i, j end end f[1]() return {f[1]()}, {f[2]()}",
            "local s = 0 for i = 10, 1, -3 do s = s * 10 + i i = 100 end return s",
            "local n = 0 while true do n = n + 1 if n > 5 then goto out end if n % 2 == 0 then goto again end ::again:: end ::out:: return n",
            "do local k = 0 ::top:: k = k + 1 local f = function() return k end if k < 3 then goto top end return f() end",
            "local t = {10, 20, 30, nil} t[#t + 1] = 40 return #t, t",
            "return 2^53 == 2^53 + 1, 1 < 1.5, 1 == 1.0, \"1\" == 1, -1 // 0.0, 0.0 / 0 ~= 0.0 / 0, 7 // -2, -7 % 3, 7 % -3.0, -2 ^ 2",
            "return 1 .. 2, 1.0 .. \"\", -0.0 .. \"\", 2^63 .. \"\", 1e100 .. \"\", 10 // 3 .. 10 / 2",
            "return not nil == true, 1 or error(), nil and 1, false or nil, 1 and nil or 2, \"a\" < \"b\" == true",
            "return 1 << 63, 1 << 64, -1 >> 1, 1 << -1, ~0, 5 & 3 | 8 ~ 1, \"3\" + 4, \"0x10\" * 1, 10 .. \"\"",
        ]);
        self.trying("assignment", |maker| maker.line(line));
    }

    /// What a function or a chunk may have most of.
    fn limits(&mut self) {
        let line = self.pick(&[
            "return load(\"local \" .. string.rep(\"a, \", {n} - 1) .. \"a\")",
            "return load(\"local a \" .. string.rep(\"local function f() return a end \", {n}))",
            "return load(\"return \" .. string.rep(\"(\", {n}) .. \"1\" .. string.rep(\")\", {n}))",
            "return load(string.rep(\"do \", {n}) .. string.rep(\"end \", {n}))",
            "return load(\"return \" .. string.rep(\"1 .. \", {n}) .. \"1\")()",
            "return #load(\"return {\" .. string.rep(\"1, \", {n}) .. \"1}\")()",
            "return #load(\"return {\" .. string.rep(\"f(), \", {n}) .. \"1}\", \"=x\", \"t\", {f = function() return 1, 2 end})()",
            "return select(\"#\", table.unpack({}, 1, {n}))",
            "local names = {} for i = 1, {n} do names[i] = \"a\" .. i end local list = table.concat(names, \", \") return load(\"local \" .. list .. \" = 1 return function() return \" .. list .. \" end\")",
            "local parts = {} for i = 1, {n} do parts[i] = \"x = \" .. i .. \".5\" end return load(table.concat(parts, \" \") .. \" return x\", \"=x\", \"t\", {})()",
            "return load(\"local t = {} return \" .. string.rep(\"{\", {n}) .. string.rep(\"}\", {n})) ~= nil",
            "return load(string.rep(\"::a\" .. \"x:: \", {n}))",
            "return load(\"goto a \" .. string.rep(\"do \", 20) .. string.rep(\"end \", 20) .. \" ::a::\")",
            "return load(\"return function(\" .. string.rep(\"a, \", {n}) .. \"...) end\")",
            "return string.rep(\"x\", {n}):find(string.rep(\"x?\", {n}) .. string.rep(\"x\", {n}))",
            "return pcall(string.find, string.rep(\"(\", {n}), string.rep(\"(\", {n}))",
            "return load(\"a\" .. string.rep(\", a\", {n}) .. \" = 1\")",
            "return load(\"return \" .. string.rep(\"-\", {n}) .. \" 1\")",
            "return load(\"return \" .. string.rep(\"not \", {n}) .. \"1\")()",
            "return load(\"x = \" .. string.rep(\"a = \", {n}))",
            "return load(\"if a then \" .. string.rep(\"elseif b then \", {n}) .. \"end\") ~= nil",
        ]);
        let count = self.pick(&[
            "3", "10", "31", "49", "50", "51", "100", "190", "199", "200", "201", "220", "250", "255", "256", "257",
        ]);
        // A pattern of many optional items takes time that doubles with each.
        // Where registers run out, PUC Lua names the token that it has come to, which a tree does not have.
        let count = match line {
            _ if line.contains("x?") => "10",
            _ if line.contains("1 .. ") => self.pick(&["3", "100", "200", "240"]),
            _ => count,
        };
        self.trying("limit", |maker| maker.line(line.replace("{n}", count)));
    }
}
