//! Probes of library functions: calls with right arguments, and with wrong ones now and then.

use super::Use;
use super::catalog::LIBRARY;
use super::maker::Maker;

impl Maker {
    /// Some calls of library functions.
    pub fn library_probes(&mut self) {
        for _ in 0..self.between(2, 6) {
            let index = self.below(LIBRARY.len());
            let function = &LIBRARY[index];
            self.uses.push(Use::function(index));
            if function.parameters == "*" {
                self.special(function.name);
            } else {
                let arguments = self.arguments(function.parameters);
                self.call(function.name, &arguments);
            }
        }
    }

    /// Arguments as the catalog wants them, mostly.
    fn arguments(&mut self, parameters: &str) -> Vec<String> {
        let (needed, optional) = parameters.split_once('?').unwrap_or((parameters, ""));
        let optional = &optional[..self.between(0, optional.len())];
        let mut arguments: Vec<String> =
            needed.chars().chain(optional.chars()).map(|parameter| self.argument(parameter)).collect();
        if self.one_in(25) {
            arguments.pop();
        }
        if self.one_in(25) {
            let value = self.value();
            arguments.push(value);
        }
        arguments
    }

    fn argument(&mut self, parameter: char) -> String {
        // A count that is wrong is not a number: one that is huge costs all memory.
        if self.one_in(12) {
            return if parameter == 'i' {
                self.pick(&["\"x\"", "2.5", "{}", "\"2\"", "3.0", "nil"]).to_owned()
            } else {
                self.value()
            };
        }
        match parameter {
            's' if self.one_in(12) => self.number(),
            's' => self.string(),
            'u' => self.utf8(),
            'p' => self.pattern(),
            'n' if self.one_in(8) => self.string(),
            'n' => self.number(),
            'i' => self.small(),
            'I' => self.integer(),
            'b' => self.pick(&["true", "false", "nil"]).to_owned(),
            't' => self.table(),
            'l' => self.sequence(),
            'f' => self.function(),
            'c' => self.thread(),
            _ => self.value(),
        }
    }

    /// A call in one of the ways in which there can be one.
    fn call(&mut self, name: &str, arguments: &[String]) {
        let list = arguments.join(", ");
        let method = match (name.strip_prefix("string."), arguments.split_first()) {
            (Some(method), Some((subject, rest))) => Some(format!("({subject}):{method}({})", rest.join(", "))),
            _ => None,
        };
        match (self.below(8), method) {
            (0, _) => {
                let comma = if list.is_empty() { "" } else { ", " };
                self.line(format!("try({name:?}, {name}{comma}{list})"));
            }
            (1 | 2, Some(method)) => self.trying(name, |maker| maker.line(format!("return {method}"))),
            (3, _) => self.trying(name, |maker| {
                maker.line(format!("local f = {name}"));
                maker.line(format!("return f({list})"));
            }),
            (4, _) => self.line(format!("show({name:?}, traced(function() return {name}({list}) end))")),
            (5, _) => self.line(format!("show({name:?}, traced(function() local r = {name}({list}) return r end))")),
            _ => self.trying(name, |maker| maker.line(format!("return {name}({list})"))),
        }
    }

    fn lines(&mut self, name: &str, lines: &[String]) {
        self.trying(name, |maker| {
            for line in lines {
                maker.line(line);
            }
        });
    }

    /// One of several calls of a function.
    fn one_of(&mut self, name: &str, calls: &[&str]) {
        let call = self.pick(calls);
        self.trying(name, |maker| maker.line(format!("return {call}")));
    }

    /// Calls that need more than arguments.
    fn special(&mut self, name: &'static str) {
        match name.split_once('.') {
            Some(("coroutine", _)) => self.special_of_coroutine(name),
            Some(("debug", _)) => self.special_of_debug(name),
            Some(("io" | "file", _)) => self.special_of_io(name),
            Some(("math" | "os" | "package", _)) => self.special_of_system(name),
            Some(("string", _)) => self.special_of_string(name),
            Some(_) => self.special_of_table(name),
            None => self.special_of_base(name),
        }
    }

    fn special_of_base(&mut self, name: &str) {
        match name {
            "collectgarbage" => self.one_of(
                name,
                &[
                    "collectgarbage()",
                    "collectgarbage(\"collect\")",
                    "math.type(collectgarbage(\"count\"))",
                    "type(collectgarbage(\"step\", 1))",
                    "collectgarbage(\"stop\"), collectgarbage(\"isrunning\"), collectgarbage(\"restart\")",
                    "collectgarbage(\"isrunning\")",
                    "type(collectgarbage(\"setpause\", 150))",
                    "collectgarbage(\"none\")",
                    "collectgarbage({})",
                    "(collectgarbage(\"incremental\") and nil), collectgarbage(\"generational\"), collectgarbage(\"incremental\")",
                    "collectgarbage(\"step\", \"x\")",
                ],
            ),
            "dofile" | "loadfile" => {
                let text = self.pick(&["return 1, ...", "return nil +", "#!shebang\\nreturn 2", "error('x', 0)", ""]);
                let mode = if name == "loadfile" { self.pick(&["", ", \"t\"", ", \"b\"", ", \"bt\", {}"]) } else { "" };
                let lines = if self.one_in(4) {
                    vec![format!("return {name}(\"/nonexistent/file.lua\"{mode})")]
                } else {
                    vec![
                        "local path = os.tmpname()".to_owned(),
                        "local file = io.open(path, \"w\")".to_owned(),
                        format!("file:write(\"{text}\")"),
                        "file:close()".to_owned(),
                        format!("local result = table.pack(pcall({name}, path{mode}))"),
                        "os.remove(path)".to_owned(),
                        // The name of the file is in messages.
                        "if type(result[3]) == \"string\" then result[3] = result[3]:gsub(\"^.-:\", \"\") end".to_owned(),
                        "if type(result[2]) == \"string\" then result[2] = result[2]:gsub(\"^.-:\", \"\") end".to_owned(),
                        "return result".to_owned(),
                    ]
                };
                self.lines(name, &lines);
            }
            "error" => {
                let value = self.value();
                let level = self.pick(&["", ", 0", ", 1", ", 2", ", 3"]);
                self.block("do", "end", |maker| {
                    maker.line(format!("local function thrower() error({value}{level}) end"));
                    maker.line("local function caller() thrower() return 1 end");
                    maker.line("show(\"error\", traced(caller))");
                });
            }
            "load" => {
                let environment = self.pick(&["", ", nil, {}", ", \"t\"", ", \"b\"", ", \"t\", {x = 5}"]);
                let chunk = match self.below(5) {
                    0 => "\"x = 1 return x, ...\"".to_owned(),
                    1 => {
                        let literal = self.string();
                        format!("\"return \" .. {literal}")
                    }
                    2 => "(function() local n = 0 return function() n = n + 1 return ({\"return \", \"1\", \" + 1\"})[n] end end)()"
                        .to_owned(),
                    3 => self.value(),
                    _ => {
                        let number = self.number();
                        format!("\"return -\" .. {number}")
                    }
                };
                let named = self.pick(&["\"=name\"", "\"@file\"", "\"text\\nmore\"", "nil"]);
                self.lines(
                    name,
                    &[
                        format!("local f, message = load({chunk}, {named}{environment})"),
                        "if f then return pcall(f, 7) end".to_owned(),
                        "return f, message".to_owned(),
                    ],
                );
            }
            "next" => self.one_of(
                name,
                &["next({})", "next({1})", "next({a = 1})", "next({1}, 1)", "next({}, 1)", "next({1}, \"x\")", "next(1)", "next()"],
            ),
            "require" => self.one_of(
                name,
                &[
                    "require(\"string\") == string",
                    "(function() package.preload.free = function(...) return {...} end return require(\"free\") end)()",
                    "(function() package.preload.bad = function() error(\"no\") end return require(\"bad\") end)()",
                    "(function() package.path, package.cpath = \"./?.none\", \"./?.never\" return require(\"free.missing\") end)()",
                    "require({})",
                    "#package.searchers, package.config",
                ],
            ),
            "setmetatable" => {
                let table = self.table();
                let metatable = self.pick(&["{}", "nil", "{__metatable = 1}", "1", "{__gc = true}", "{__mode = \"k\"}"]);
                self.line(format!(
                    "try(\"setmetatable\", function() return type(setmetatable({table}, {metatable})) end)"
                ));
            }
            "tonumber" => {
                let arguments = if self.one_in(3) {
                    let digits = self.pick(&["\"zz\"", "\"7f\"", "\"-101\"", "\" 12 \"", "\"9\"", "\"\"", "\"1 0\"", "\"ffffffffffffffffff\"", "12"]);
                    let base = self.between(0, 38);
                    vec![digits.to_owned(), base.to_string()]
                } else if self.one_in(4) {
                    vec![self.value()]
                } else {
                    vec![self.string()]
                };
                self.call(name, &arguments);
            }
            // What it writes is not compared; whether it fails is.
            _ => self.one_of(name, &["warn(\"@off\")", "warn(\"a\", \"b\")", "warn()", "warn(\"a\", {})", "warn(\"@unknown\")", "warn(1)"]),
        }
    }

    fn special_of_coroutine(&mut self, name: &str) {
        match name {
            "coroutine.wrap" => {
                let function = self.function();
                let value = self.plain();
                self.lines(
                    name,
                    &[
                        format!("local f = coroutine.wrap({function})"),
                        format!("local first = table.pack(f({value}))"),
                        "return first, pcall(f)".to_owned(),
                    ],
                );
            }
            _ => self.one_of(
                name,
                &[
                    "coroutine.wrap(function(...) return coroutine.yield(...) end)(1, 2)",
                    "pcall(coroutine.wrap(function() table.sort({3, 1, 2}, function(a, b) coroutine.yield() end) end))",
                    "pcall(coroutine.wrap(function() string.gsub(\"abc\", \".\", coroutine.yield) end))",
                    "(function() local f = coroutine.wrap(function(a) local b = coroutine.yield(a + 1) error(b) end) f(1) return pcall(f, 5) end)()",
                    "select(\"#\", coroutine.wrap(coroutine.yield)(1, nil, nil))",
                ],
            ),
        }
    }

    fn special_of_debug(&mut self, name: &str) {
        match name {
            "debug.getinfo" => {
                let what = self.pick(&["\"nSltur\"", "\"S\"", "\"l\"", "\"nu\"", "\"L\"", "\"t\"", "\"x\"", "\">S\"", "\"r\""]);
                let function = self.pick(&["1", "2", "string.rep", "show", "function(a, ...) local b = a return b end", "100", "-1", "{}", "2.5"]);
                self.lines(
                    name,
                    &[
                        format!("local info = debug.getinfo({function}, {what})"),
                        "if info then info.func = nil end".to_owned(),
                        "return info".to_owned(),
                    ],
                );
            }
            "debug.getlocal" => self.one_of(
                name,
                &[
                    "(function(a, b) local c = 3 return debug.getlocal(1, 2) end)(1, 2)",
                    "(function(a, ...) local c = 3 return debug.getlocal(1, -2) end)(1, 2, \"second\")",
                    "debug.getlocal(function(a, b, ...) local c end, 2)",
                    "debug.getlocal(function(a, b, ...) local c end, 3)",
                    "debug.getlocal(100, 1)",
                    "(function(a) for i = 1, 1 do return debug.getlocal(1, 3) end end)(1)",
                    "debug.getlocal(coroutine.create(print), 0, 1)",
                    "(function() local t = coroutine.create(function(x) local y = x coroutine.yield() end) coroutine.resume(t, 4) return debug.getlocal(t, 1, 2) end)()",
                ],
            ),
            "debug.setlocal" => self.one_of(
                name,
                &[
                    "(function(a, b) local name = debug.setlocal(1, 2, \"new\") return name, a, b end)(1, 2)",
                    "(function(...) local name = debug.setlocal(1, -1, \"new\") return name, ... end)(1, 2)",
                    "debug.setlocal(1, 100, 1)",
                    "debug.setlocal(100, 1, 1)",
                    "(function() local t = coroutine.create(function(x) coroutine.yield() return x end) coroutine.resume(t, 4) return debug.setlocal(t, 1, 1, 9), coroutine.resume(t) end)()",
                ],
            ),
            "debug.gethook" | "debug.sethook" => {
                let mask = self.pick(&["\"l\"", "\"c\"", "\"r\"", "\"cr\"", "\"crl\""]);
                self.block("do", "end", |maker| {
                    maker.line("local log = {}");
                    maker.block("local function watched(n)", "end", |maker| {
                        maker.block("for i = 1, n do", "end", |maker| {
                            maker.line("if i % 2 == 0 then n = n + i");
                            maker.line("else n = n - 1 end");
                        });
                        maker.line("return math.abs(n)");
                    });
                    maker.block("show(\"debug.sethook\", traced(function()", "end))", |maker| {
                        maker.line("debug.sethook(function(event, line)");
                        maker.line("  local info = debug.getinfo(2, \"nlt\")");
                        maker.line("  log[#log + 1] = event .. (line or \"\") .. (info.name or \"\") .. info.currentline");
                        maker.line(format!("end, {mask})"));
                        maker.line("local result = watched(3)");
                        maker.line("local hook, mask, count = debug.gethook()");
                        maker.line("debug.sethook()");
                        maker.line("return result, type(hook), mask, count, debug.gethook()");
                    });
                    maker.line("show(\"debug.gethook\", log)");
                });
            }
            "debug.getregistry" => self.one_of(name, &["type(debug.getregistry())"]),
            "debug.setmetatable" => {
                let value = self.pick(&["1", "true", "nil", "print"]);
                let call = self.pick(&["v.x", "v()", "v + v", "#v", "v .. v", "v < v", "-v", "v.x.y", "tostring(v)", "v:m()"]);
                self.lines(
                    name,
                    &[
                        format!("local v = {value}"),
                        "local meta = {__index = function(_, k) return k end, __call = function() return \"called\" end}".to_owned(),
                        "meta.__add = function() return \"added\" end meta.__len = function() return 9 end".to_owned(),
                        "debug.setmetatable(v, meta)".to_owned(),
                        format!("local result = table.pack(pcall(function() return {call} end))"),
                        "debug.setmetatable(v, nil)".to_owned(),
                        "return result".to_owned(),
                    ],
                );
            }
            "debug.setupvalue" | "debug.upvalueid" | "debug.upvaluejoin" => {
                let (i, j) = (self.pick(&["1", "2", "2", "3", "0"]), self.pick(&["1", "2", "1", "9"]));
                let call = match name {
                    "debug.setupvalue" => format!("debug.setupvalue(f, {i}, \"new\")"),
                    "debug.upvalueid" => format!("debug.upvalueid(f, {i}) == debug.upvalueid(g, {j})"),
                    _ => format!("debug.upvaluejoin(f, {i}, g, {j})"),
                };
                self.lines(
                    name,
                    &[
                        "local a, b = 1, 2".to_owned(),
                        "local function f() return a, b end".to_owned(),
                        "local function g() b = b + 1 return b, a end".to_owned(),
                        format!("local result = table.pack(pcall(function() return {call} end))"),
                        "return result, f(), g(), f()".to_owned(),
                    ],
                );
            }
            _ => {
                let call = self.pick(&[
                    "debug.traceback(\"message\")",
                    "debug.traceback()",
                    "debug.traceback({}) ~= nil",
                    "debug.traceback(\"m\", 0)",
                    "debug.traceback(\"m\", 2)",
                    "debug.traceback(nil, 1)",
                    "debug.traceback(12)",
                    "debug.traceback(coroutine.create(print))",
                    "debug.traceback(coroutine.running(), \"m\", 1)",
                ]);
                self.block("do", "end", |maker| {
                    maker.line(format!("local function deep(n) if n > 0 then return (deep(n - 1)) end return {call} end"));
                    let depth = maker.pick(&[0, 1, 3, 25]);
                    maker.line(format!("show(\"debug.traceback\", traced(function() local text = deep({depth}) return text end))"));
                });
            }
        }
    }

    /// A file for what is done with files, and what it holds.
    fn special_of_io(&mut self, name: &str) {
        let read = |maker: &mut Maker| {
            let formats = maker.between(0, 3);
            maker.list(formats, |maker| {
                maker.pick(&["\"l\"", "\"L\"", "\"n\"", "\"a\"", "3", "0", "\"*l\"", "\"x\"", "100", "{}"]).to_owned()
            })
        };
        let content = self.pick(&[
            "12 0x1F -7.5e1 abc\\nsecond line\\n\\nlast",
            "",
            "\\n\\n",
            "no end of line",
            "nan inf 1e+ 99999999999999999999",
            "a\\0b\\r\\nc\\n",
            ".5 5. - 0x.8p1 1e400",
        ]);
        let mut lines = vec!["local file <close> = io.tmpfile()".to_owned(), format!("file:write(\"{content}\")")];
        if !self.one_in(10) {
            lines.push("file:seek(\"set\")".to_owned());
        }
        match name {
            "file.read" => {
                for _ in 0..self.between(1, 3) {
                    let formats = read(self);
                    let put = self.fresh("r");
                    lines.push(format!("local {put} = table.pack(file:read({formats}))"));
                    lines.push(format!("show(\"file.read\", {put}, file:seek())"));
                }
            }
            "file.lines" => {
                let formats = read(self);
                lines.push("local n = 0".to_owned());
                lines.push(format!("for a, b in file:lines({formats}) do n = n + 1 show(\"file.lines\", a, b) if n > 9 then break end end"));
            }
            "file.seek" => {
                let whence = self.pick(&["\"set\"", "\"cur\"", "\"end\"", "\"none\"", ""]);
                let offset = self.pick(&["", ", 2", ", -1", ", 100", ", 1.5", ", \"x\""]);
                let offset = if whence.is_empty() { "" } else { offset };
                lines.push(format!("return file:seek({whence}{offset}), file:seek(), file:read(2)"));
            }
            "file.setvbuf" => {
                let mode = self.pick(&["\"no\"", "\"full\", 1024", "\"line\"", "\"none\"", "1"]);
                lines.push(format!("return file:setvbuf({mode}), file:write(\"x\") == file"));
            }
            "file.write" => {
                let values = self.between(0, 3);
                let values = self.list(values, |maker| maker.value());
                lines.push(format!("local ok, message = pcall(file.write, file, {})", if values.is_empty() { "\"\"" } else { &values }));
                lines.push("file:seek(\"set\")".to_owned());
                lines.push("return ok or message, file:read(\"a\")".to_owned());
            }
            "file.flush" => lines.push("return file:flush() == file, io.type(file)".to_owned()),
            "file.close" => lines.push(
                self.pick(&[
                    "return file:close(), io.type(file), pcall(file.read, file)",
                    "file:close() return tostring(file), pcall(function() return file:close() end)",
                    "file:close() return file:lines()",
                    "return file.close()",
                ])
                .to_owned(),
            ),
            "io.close" => lines.push(
                self.pick(&["return io.close(file), io.type(file)", "return io.close({})", "return pcall(io.close, file, 1)"]).to_owned(),
            ),
            "io.flush" => lines.push(
                "local old = io.output() io.output(file) io.write(\"x\", 1, 2.5) io.flush() io.output(old) file:seek(\"set\") return file:read(\"a\")"
                    .to_owned(),
            ),
            "io.input" | "io.read" | "io.lines" => {
                lines.push("local old = io.input()".to_owned());
                lines.push("io.input(file)".to_owned());
                let formats = read(self);
                lines.push(match name {
                    "io.lines" => {
                        format!("local result = table.pack(pcall(function() local n = 0 for a in io.lines(nil{}{formats}) do n = n + 1 show(\"io.lines\", a) if n > 9 then break end end return n end))", if formats.is_empty() { "" } else { ", " })
                    }
                    _ => format!("local result = table.pack(pcall(io.read{}{formats}))", if formats.is_empty() { "" } else { ", " }),
                });
                lines.push("io.input(old)".to_owned());
                lines.push("return result, pcall(io.input, \"/nonexistent/input\")".to_owned());
            }
            "io.output" | "io.write" => {
                let value = if self.one_in(2) { self.number() } else { self.string() };
                lines.push("local old = io.output()".to_owned());
                lines.push("io.output(file)".to_owned());
                lines.push(format!("local result = table.pack(pcall(io.write, \"a\", {value}))"));
                lines.push("local same = io.output() == file".to_owned());
                lines.push("io.output(old)".to_owned());
                lines.push("file:seek(\"set\")".to_owned());
                // The file itself has an address.
                lines.push("return type(result[2]), same, file:read(\"a\"), pcall(io.output, \"/nonexistent/output\")".to_owned());
            }
            "io.popen" => {
                lines = vec![
                    self.pick(&[
                        "local pipe = io.popen(\"echo one; echo two\") return pipe:read(\"a\"), pipe:close()",
                        "local pipe = io.popen(\"exit 3\") return pipe:read(), pipe:close()",
                        "local pipe = io.popen(\"true\", \"w\") return io.type(pipe), pipe:close()",
                        "return io.popen(\"true\", \"rw\")",
                        "for line in io.popen(\"echo one; echo two\"):lines() do show(\"io.popen\", line) end",
                    ])
                    .to_owned(),
                ];
                // A process costs more than all the rest of a program.
                if !self.one_in(4) {
                    lines = vec!["return io.popen(\"true\", \"x\")".to_owned()];
                }
            }
            _ => {
                let mode = self.pick(&["\"r\"", "\"w\"", "\"a+\"", "\"rb\"", "\"x\"", "\"rw\"", "\"\"", "\"r+b\""]);
                lines = vec![format!("local result = table.pack(pcall(io.open, \"/nonexistent/file\", {mode}))"), "return result".to_owned()];
            }
        }
        let name = name.to_owned();
        self.lines(&name, &lines);
    }

    fn special_of_system(&mut self, name: &str) {
        match name {
            "math.random" | "math.randomseed" => {
                let seed = self.pick(&["42", "0", "-1", "1.5", "123, 456", "math.mininteger", "7.0"]);
                let count = self.between(0, 2);
                let range = self.list(count, |maker| maker.integer());
                self.lines(
                    name,
                    &[
                        format!("local x, y = math.randomseed({seed})"),
                        format!("return math.random({range}), math.random(), math.random(10), math.random(0), x, y"),
                    ],
                );
            }
            "os.clock" => self.one_of(name, &["math.type(os.clock()), os.clock() >= 0"]),
            "os.tmpname" => self.one_of(name, &["(function() local path = os.tmpname() return type(path), os.remove(path) end)()"]),
            "os.date" => {
                let format = match self.below(4) {
                    0 => self.pick(&["\"*t\"", "\"!*t\"", "\"!%c\"", "\"!%x %X %p\"", "\"\"", "\"%\"", "\"%E\"", "\"%Ey\"", "\"%Od\"", "\"%Q\"", "\"!%%\""]).to_owned(),
                    _ => {
                        let letters = "aAbBcdDeFgGhHIjmMnprRStTuUVwWxXyYzZ";
                        let count = self.between(1, 4);
                        let words = self.list(count, |maker| format!("%{}", &letters[maker.below(letters.len())..][..1]));
                        format!("\"!{words}\"")
                    }
                };
                let time = self.pick(&["0", "1", "1000000000", "-1", "86399", "951782400", "4102444800", "1e9", "2^40", "math.maxinteger", "1.5", "\"x\"", "-62135596800"]);
                self.call(name, &[format, time.to_owned()]);
            }
            "os.execute" => {
                let command = if self.one_in(4) { self.pick(&["\"true\"", "\"exit 3\"", "\"kill -9 $$\""]) } else { "{}" };
                self.trying(name, |maker| maker.line(format!("return os.execute({command})")));
            }
            // One that succeeds ends the process.
            "os.exit" => self.one_of(name, &["os.exit({})", "os.exit(\"x\")", "os.exit(2.5)"]),
            "os.getenv" => self.one_of(name, &["os.getenv(\"MOONPHASE_UNSET\")", "type(os.getenv(\"PATH\"))", "os.getenv({})", "os.getenv()"]),
            "os.remove" | "os.rename" => self.one_of(
                name,
                &[
                    "os.remove(\"/nonexistent/file\")",
                    "os.rename(\"/nonexistent/a\", \"/nonexistent/b\")",
                    "(function() local a = os.tmpname() local b = a .. \".renamed\" return os.rename(a, b), io.open(a), os.remove(b) end)() == true",
                    "os.remove()",
                    "os.rename(\"a\")",
                ],
            ),
            "os.setlocale" => self.one_of(
                name,
                &["os.setlocale()", "os.setlocale(\"C\")", "os.setlocale(nil, \"numeric\")", "os.setlocale(\"none\")", "os.setlocale(\"C\", \"none\")"],
            ),
            "os.time" => {
                let mut fields = vec![];
                for (field, least, most) in
                    [("year", 1960, 2040), ("month", 0, 14), ("day", 0, 35), ("hour", 0, 30), ("min", 0, 70), ("sec", 0, 70)]
                {
                    if field == "year" || field == "month" || field == "day" || self.one_in(2) {
                        fields.push(format!("{field} = {}", self.between(least, most)));
                    }
                }
                if self.one_in(6) {
                    let at = self.below(fields.len());
                    let value = self.pick(&["nil", "\"12\"", "\"x\"", "2.5", "3.0", "math.maxinteger", "-5", "{}"]);
                    let field = fields[at].split(' ').next().unwrap_or_default().to_owned();
                    fields[at] = format!("{field} = {value}");
                }
                let fields = fields.join(", ");
                self.lines(name, &[format!("local date = {{{fields}}}"), "return os.time(date), date".to_owned()]);
            }
            "package.loadlib" => self.one_of(name, &["(package.loadlib(\"/nonexistent.so\", \"f\"))", "package.loadlib()", "package.loadlib(\"x\")"]),
            _ => self.one_of(
                name,
                &[
                    "package.searchpath(\"a.b\", \"./?.none;/nonexistent/?/init\")",
                    "package.searchpath(\"a.b\", \"?\", \".\", \"_\")",
                    "package.searchpath(\"a-b\", \"x?y?\", \"-\")",
                    "package.searchpath(\"a\", \"\")",
                    "package.searchpath(\"a\")",
                ],
            ),
        }
    }

    fn special_of_string(&mut self, name: &str) {
        match name {
            "string.char" => {
                let count = self.between(0, 4);
                let mut codes: Vec<String> = (0..count).map(|_| self.below(256).to_string()).collect();
                if self.one_in(6) {
                    codes.push(self.pick(&["256", "-1", "\"65\"", "65.0", "1.5", "{}"]).to_owned());
                }
                self.call(name, &codes);
            }
            "string.dump" => {
                let strip = self.pick(&["", ", true", ", false"]);
                let function = self.pick(&[
                    "function(...) return ... end",
                    "function(a, b) local t = {a, b, n = 2.5} return t end",
                    "function() return \"constant\", 1 << 40, -0.0 end",
                    "function(n) local s = 0 for i = 1, n do s = s + i end return s end",
                    "function(a) return a.b.c end",
                    "function(a) return function() a = a + 1 return a end end",
                    "string.rep",
                ]);
                self.lines(
                    name,
                    &[
                        format!("local code = string.dump({function}{strip})"),
                        "local f, message = load(code, \"dumped\", \"b\")".to_owned(),
                        "return type(code), load(code, \"x\", \"t\"), pcall(f, 3, 4)".to_owned(),
                    ],
                );
            }
            "string.format" => {
                let arguments = self.format();
                self.call(name, &arguments);
            }
            "string.gmatch" => {
                let (subject, pattern) = (self.string(), self.pattern());
                let init = if self.one_in(3) { format!(", {}", self.small()) } else { String::new() };
                self.lines(
                    name,
                    &[
                        "local found = {}".to_owned(),
                        format!(
                            "for a, b in string.gmatch({subject}, {pattern}{init}) do found[#found + 1] = {{a, b}} end"
                        ),
                        "return found".to_owned(),
                    ],
                );
            }
            "string.gsub" => {
                let mut arguments = vec![self.argument('s'), self.pattern(), self.replacement()];
                if self.one_in(3) {
                    arguments.push(self.argument('i'));
                }
                self.call(name, &arguments);
            }
            "string.pack" => {
                let arguments = self.layout();
                self.call(name, &arguments);
            }
            "string.packsize" => {
                let arguments = self.layout();
                self.call(name, &arguments[..1]);
            }
            _ => {
                let arguments = self.layout();
                let layout = &arguments[0];
                if self.one_in(3) {
                    let bytes = self.letters(24);
                    let mut arguments = vec![layout.clone(), super::text::quote(&bytes)];
                    if self.one_in(3) {
                        arguments.push(self.argument('I'));
                    }
                    self.call(name, &arguments);
                } else {
                    let line = format!("return string.unpack({layout}, string.pack({}))", arguments.join(", "));
                    self.lines(name, &[line]);
                }
            }
        }
    }

    fn special_of_table(&mut self, name: &str) {
        match name {
            "table.insert" => {
                let (list, value) = (self.sequence(), self.plain());
                let position = if self.one_in(2) { format!("{}, ", self.small()) } else { String::new() };
                self.lines(
                    name,
                    &[
                        format!("local t = {list}"),
                        format!("table.insert(t, {position}{value})"),
                        "return t".to_owned(),
                    ],
                );
            }
            "table.sort" => {
                let count = self.between(0, 40);
                let kind = self.below(4);
                let items = self.list(count, |maker| match kind {
                    0 => maker.below(20).to_string(),
                    1 => maker.string(),
                    2 => maker.pick(&["1", "2.5", "-3", "1e10", "0.1", "7", "-0.0", "1 << 40"]).to_owned(),
                    _ => maker.plain(),
                });
                let order = self.pick(&[
                    "",
                    "",
                    ", function(a, b) return a > b end",
                    ", function(a, b) return tostring(a) < tostring(b) end",
                    ", function(a, b) return true end",
                    ", function(a, b) return a < b or a == b end",
                    ", function(a, b) error(\"order\") end",
                    ", 1",
                ]);
                self.lines(
                    name,
                    &[
                        format!("local t = {{{items}}}"),
                        format!("show(\"table.sort\", pcall(table.sort, t{order}))"),
                        "return t".to_owned(),
                    ],
                );
            }
            "utf8.char" => {
                let count = self.between(0, 3);
                let codes = (0..count)
                    .map(|_| {
                        self.pick(&[
                            "65",
                            "233",
                            "8364",
                            "66376",
                            "1114111",
                            "2147483647",
                            "2147483648",
                            "-1",
                            "0",
                            "55296",
                            "\"97\"",
                        ])
                        .to_owned()
                    })
                    .collect::<Vec<_>>();
                self.call(name, &codes);
            }
            _ => {
                let text = self.utf8();
                let lax = self.pick(&["", ", true"]);
                self.lines(
                    name,
                    &[
                        "local found = {}".to_owned(),
                        format!(
                            "for p, c in utf8.codes({text}{lax}) do found[#found + 1] = p found[#found + 1] = c end"
                        ),
                        "return found".to_owned(),
                    ],
                );
            }
        }
    }
}
