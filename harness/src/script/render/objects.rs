//! Metatables, finalizers, chains of ephemerons, strings and garbage, as text.

use super::*;

/// A table constructor with these fields.
fn constructor(fields: &[String]) -> String {
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

/// An expression whose value is of the type.
fn value_of(of: BasicType, language: &Language) -> &'static str {
    match of {
        BasicType::Nil => "nil",
        BasicType::Boolean => "true",
        BasicType::Number => "0",
        BasicType::String => "\"\"",
        BasicType::Function => "type",
        BasicType::Thread if language.has(Feature::MainCoroutine) => "coroutine.running()",
        BasicType::Thread => "coroutine.create(function() end)",
        BasicType::Userdata => "io.stderr",
    }
}

/// State that a finalizer shares with a function, which is looked at later.
const SHARED_STATE: &[&str] =
    &["local state, other = {}, {}", "local get, from = function() return state end, function() return other end"];

/// A factory that is called again by each reload, and what its functions share.
const RELOADED: &[&str] = &[
    "local function make(state) return function() return state end, function(v) state = v end end",
    "local get, set = make({})",
];

/// Looks at every level of the stack, and at its locals.
pub(in super::super) const INSPECT: &[&str] = &[
    "local size = #debug.traceback(\"text\")",
    "for level = 0, 20 do",
    "  local info = debug.getinfo(level)",
    "  if not info then break end",
    "  for i = -1, 9 do",
    "    local name, value = debug.getlocal(level, i)",
    "    size = size + #(name or type(value))",
    "  end",
    "end",
];

/// Calls the collector with every option.
const OPTIONS: &[&str] = &[
    "for option in (\"stop restart collect count step setpause setstepmul isrunning generational incremental\"):gmatch(\"%w+\") do",
    "  pcall(collectgarbage, option)",
    "end",
];

/// Loads a function, sets its upvalue and joins it to another.
const LOAD: &[&str] = &[
    "local get = load(\"local held, other = ... return function() return held, other end\")(object)",
    "debug.setupvalue(get, 2, { object })",
    "debug.upvaluejoin(get, 1, get, 2)",
    "debug.setupvalue(load(\"return held\"), 1, { held = get() })",
];

/// The same where functions have environments of their own.
const LOAD_WITH_ENVIRONMENT: &[&str] = &[
    "local get = loadstring(\"local held, other = ... return function() return held, other end\")(object)",
    "debug.setupvalue(get, 2, { object })",
    "debug.upvaluejoin(get, 1, get, 2)",
    "setfenv(loadstring(\"return held\"), { held = get() })",
];

/// The statements of a finalizer besides counting, as one each, with the locals that they need outside of it.
fn finalizer_text(finalizer: Finalizer, language: &Language) -> (&'static [&'static str], &'static [&'static str]) {
    const SAVE: &str = "saved[#saved + 1] = object";
    const AGAIN: &str = "if not object.again then object.again = setmetatable(object, getmetatable(object)) ~= nil end";
    match finalizer {
        Finalizer::Count => (&[], &[]),
        Finalizer::Save => (&[], &[SAVE]),
        Finalizer::Again => (&[], &[AGAIN]),
        Finalizer::SaveAgain => (&[], &["if not object.again then saved[#saved + 1] = object end", AGAIN]),
        Finalizer::Assign => (SHARED_STATE, &["state = { object }"]),
        Finalizer::SetUpvalue => (SHARED_STATE, &["debug.setupvalue(get, 1, { object })"]),
        Finalizer::UpvalueJoin => (SHARED_STATE, &["other = { object }", "debug.upvaluejoin(get, 1, from, 1)"]),
        Finalizer::Reload => (
            RELOADED,
            &[
                "local new_get, new_set = make()",
                "debug.upvaluejoin(new_get, 1, get, 1)",
                "debug.upvaluejoin(new_set, 1, set, 1)",
                "get, set = new_get, new_set",
                "set({ get(), object })",
            ],
        ),
        Finalizer::Allocate => (&[], &["for i = 1, 20 do object[i] = { \"a\" .. i } end"]),
        Finalizer::Create if !language.has(Feature::TableFinalizers) => {
            (&[], &["proxy({}, function() finalized = finalized + 1 end)"])
        }
        Finalizer::Create => (&[], &["setmetatable({}, { __gc = function() finalized = finalized + 1 end })"]),
        Finalizer::Collect if !language.has(Feature::RestInFinalizers) => (&[], &["collect()"]),
        Finalizer::Collect => (&[], &["collectgarbage(\"step\", 0) collectgarbage()"]),
        Finalizer::Throw => (&[], &["error(\"in a finalizer\")"]),
        Finalizer::ThrowTable => (&[], &["error({ object })"]),
        Finalizer::ThrowNil => (&[], &["error()"]),
        Finalizer::Inspect => (&[], INSPECT),
        Finalizer::Options => (&[], OPTIONS),
        Finalizer::Load if !language.has(Feature::Load) => (&[], LOAD_WITH_ENVIRONMENT),
        Finalizer::Load => (&[], LOAD),
    }
}

impl Renderer {
    fn metatable_fields(&self, index: Index, call: Option<FunctionId>) -> Vec<String> {
        let index = match index {
            Index::None => None,
            Index::Table(table) => Some(format!("__index = {}", self.table(table))),
            Index::Function => Some("__index = function(_, k) return { k } end".to_owned()),
        };
        let call = call.map(|function| format!("__call = {}", self.function(function)));
        index.into_iter().chain(call).collect()
    }

    pub(super) fn type_metatable(&mut self, metatable: &SetTypeMetatable) {
        let SetTypeMetatable { of, value, index, call, clear } = metatable;
        let example = value_of(*of, &self.language);
        let value = if *clear { "nil".to_owned() } else { self.value(*value) };
        if *of == BasicType::String {
            // The prelude calls methods of strings.
            let call = call.filter(|_| !clear).map_or("nil".to_owned(), |function| self.function(function));
            self.push(format!("getmetatable(\"\").a, getmetatable(\"\").__call = {value}, {call}"));
        } else if *clear {
            self.push(format!("debug.setmetatable({example}, nil)"));
        } else {
            let mut fields = vec![format!("a = {value}")];
            fields.extend(self.metatable_fields(*index, *call));
            self.push(format!("debug.setmetatable({example}, {})", constructor(&fields)));
        }
    }

    pub(super) fn show_type(&mut self, of: BasicType, usage: TypeUsage) {
        let example = value_of(of, &self.language);
        self.report(match usage {
            TypeUsage::Field => format!("(debug.getmetatable({example}) or {{}}).a"),
            TypeUsage::Index(key) => format!("pcall(function() return ({example}).{key} end)"),
            TypeUsage::Call(argument) => format!("pcall({example}, {})", self.value(argument)),
        });
    }

    /// A finalizer as a function expression, one statement a line where there are several.
    fn finalizer(&mut self, actions: &[&str]) -> Vec<String> {
        self.use_helper(Helper::Finalized);
        let parameter = if actions.iter().any(|action| action.contains("object")) { "object" } else { "" };
        for (word, helper) in [("saved", Helper::Saved), ("proxy(", Helper::Proxy), ("collect()", Helper::Collect)] {
            if actions.iter().any(|action| action.contains(word)) {
                self.use_helper(helper);
            }
        }
        let head = format!("function({parameter})");
        let count = "finalized = finalized + 1";
        match actions {
            [] => vec![format!("{head} {count} end")],
            [action] => vec![format!("{head} {count} {action} end")],
            _ => {
                let statements = [count].into_iter().chain(actions.iter().copied());
                let lines = statements.map(|statement| format!("  {statement}"));
                [head].into_iter().chain(lines).chain(["end".to_owned()]).collect()
            }
        }
    }

    pub(super) fn finalizable(&mut self, finalizable: &NewFinalizable) {
        let NewFinalizable { table, key, as_key, content, finalizer } = finalizable;
        let content = if *content == Value::Nil { "{}".to_owned() } else { format!("{{ {} }}", self.value(*content)) };
        let (state, actions) = finalizer_text(*finalizer, &self.language);
        let lines = self.finalizer(actions);
        let (object, end) = self.finalized(&content);
        let (before, after) = match table {
            Some(table) if *as_key => (format!("{}[{object}", self.table(*table)), format!("{end}] = true")),
            Some(table) => (format!("{}.{key} = {object}", self.table(*table)), end.to_owned()),
            None => (object, end.to_owned()),
        };
        if state.is_empty() {
            self.push_all(&before, lines, &after);
            return;
        }
        self.use_helper(Helper::Kept);
        self.push("do");
        self.indented(|inner| {
            state.iter().for_each(|line| inner.push(line));
            inner.push("kept[#kept + 1] = function() return get() end");
            inner.push_all(&before, lines, &after);
        });
        self.push("end");
    }

    pub(super) fn finalize_many(&mut self, FinalizeMany { count, steps, swept }: &FinalizeMany) {
        self.use_helper(Helper::Finalized);
        if swept.is_some() {
            self.use_helper(Helper::FinishMarking);
        }
        self.push("do");
        self.indented(|inner| {
            inner.push("local objects = {}");
            let tables = inner.has(Feature::TableFinalizers);
            let object = if tables { "{}" } else { "newproxy(true)" };
            inner.push(format!("for i = 1, {count} do objects[i] = {object} end"));
            if *steps > 0 {
                inner.push(step_text(0, *steps));
            }
            if let Some(swept) = *swept {
                inner.push("finish_marking()");
                if swept > 0 {
                    inner.push(step_text(0, swept));
                }
            }
            if tables {
                inner.push("local meta = { __gc = function() finalized = finalized + 1 end }");
                inner.push(format!("for i = 1, {count} do setmetatable(objects[i], meta) end"));
            } else {
                inner.push("local function gc() finalized = finalized + 1 end");
                inner.push(format!("for i = 1, {count} do getmetatable(objects[i]).__gc = gc end"));
            }
        });
        self.push("end");
    }

    pub(super) fn ephemeron_chain(&mut self, chain: &EphemeronChain) {
        let EphemeronChain { tables, links, backward, holder } = chain;
        let tables: Vec<_> = tables.iter().map(|&table| self.table(table)).collect();
        let (table, count) = (tables.join(", "), tables.len());
        let table = if count == 1 { table } else { format!("({{ {table} }})[i % {count} + 1]") };
        let range = if *backward { format!("{links}, 1, -1") } else { format!("1, {links}") };
        self.push("do");
        self.indented(|inner| {
            if *links <= 8 {
                inner.push(format!("local keys = {{ {} }}", vec!["{}"; usize::from(*links) + 1].join(", ")));
            } else {
                inner.push("local keys = {}");
                inner.push(format!("for i = 1, {} do keys[i] = {{}} end", links + 1));
            }
            inner.push(format!("for i = {range} do {table}[keys[i]] = keys[i + 1] end"));
            match holder {
                Holder::Nobody => {}
                Holder::Field(table, key) => inner.push(format!("{}.{key} = keys[1]", inner.table(*table))),
                Holder::Finalizable => {
                    let (_, actions) = finalizer_text(Finalizer::Save, &inner.language);
                    let lines = inner.finalizer(actions);
                    let (before, after) = inner.finalized("{ keys[1] }");
                    inner.push_all(&before, lines, after);
                }
            }
        });
        self.push("end");
    }

    pub(super) fn count_finalized(&mut self) {
        self.use_helper(Helper::Finalized);
        self.full_collections();
        self.push("print(\"finalized\", finalized)");
        if self.helpers.contains(&Helper::Kept) {
            self.use_helper(Helper::Report);
            self.push("for _, get in ipairs(kept) do report(get()) end");
        }
        if self.helpers.contains(&Helper::Saved) {
            self.use_helper(Helper::Sorted);
            self.push("print(\"saved\", sorted(saved))");
        }
    }

    pub(super) fn metatable(&mut self, SetMetatable { table, index, newindex, call, gc }: &SetMetatable) {
        let mut fields = self.metatable_fields(*index, *call);
        if *newindex {
            fields.push("__newindex = function(t, k, v) rawset(t, k, v) end".to_owned());
        }
        if let Some(fails) = gc {
            self.use_helper(Helper::Finalized);
            let error = if *fails { " error(\"in a finalizer\")" } else { "" };
            fields.push(format!("__gc = function() finalized = finalized + 1{error} end"));
        }
        self.push(format!("setmetatable({}, {})", self.table(*table), constructor(&fields)));
    }

    pub(super) fn garbage(&mut self, kind: GarbageKind, count: u8) {
        self.push(format!("for i = 1, {count} do"));
        self.indented(|inner| match kind {
            GarbageKind::Tables => {
                inner.push("local a, b = {}, { i }");
                inner.push("a.b, b.a = b, a");
            }
            GarbageKind::Strings => inner.push("local s = \"garbage\" .. i"),
            GarbageKind::Closures => {
                inner.push("local up = { i }");
                inner.push("local f = function() return up end");
            }
            GarbageKind::Coroutines => inner.push("local co = coroutine.create(function() return i end)"),
        });
        self.push("end");
    }

    pub(super) fn strings(&mut self, build: StringBuild, count: u8) {
        match build {
            StringBuild::Concatenate | StringBuild::Join => {
                let join = build == StringBuild::Join;
                let (empty, add, result) = if join {
                    ("{}", "s[i] = \"part\" .. i", "table.concat(s, \",\")")
                } else {
                    ("\"\"", "s = s .. \"part\" .. i", "s")
                };
                self.push("do");
                self.indented(|inner| {
                    inner.push(format!("local s = {empty}"));
                    inner.push(format!("for i = 1, {count} do {add} end"));
                    inner.push(format!("print({result})"));
                });
                self.push("end");
            }
            StringBuild::Format => {
                let format = "(\"%s-%d\"):format(\"x\", ";
                self.push(format!("print(({format}{count}):gsub(\"%w\", {{ x = \"y\" }})))"));
            }
            StringBuild::Split => {
                self.push(format!("for word in (\"w\" .. {count} .. \" end\"):gmatch(\"%w+\") do print(word) end"));
            }
        }
    }
}
