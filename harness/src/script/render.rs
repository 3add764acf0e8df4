//! Scripts as Lua text.
//!
//! One statement a line, names that say what a variable holds (`f1`, `t2`, `co1`), and a prelude of those helpers that
//! the script uses. The text relies on what [`Script::fixup`] ensures; text of a model that did not go through it may
//! be invalid Lua, but rendering never fails.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;

use moonphase_vm::LuaVersion;

use super::prelude::Helper;
use super::*;

/// Where an operation is in a script: its index in the main chunk, then in the blocks inside.
pub type OperationPath = Vec<u16>;

/// The lines that an operation was rendered to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The operation.
    pub path: OperationPath,
    /// Its kind.
    pub kind: OpKind,
    /// Its lines, counted from 1.
    pub lines: RangeInclusive<u32>,
}

/// A script as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The Lua text.
    pub text: String,
    /// The lines of every operation; operations come before those in their blocks.
    pub spans: Vec<Span>,
}

impl Rendered {
    /// The innermost operation that the line (counted from 1) belongs to; `None` in the prelude.
    pub fn operation_at(&self, line: u32) -> Option<&Span> {
        self.spans.iter().filter(|span| span.lines.contains(&line)).max_by_key(|span| span.path.len())
    }
}

impl Script {
    /// The script as Lua text of the given version.
    pub fn render(&self, version: LuaVersion) -> Rendered {
        // One version so far; what differs between versions is to be decided here.
        match version {
            LuaVersion::Lua54 => {}
            _ => debug_assert!(false, "no rendering for Lua {version}"),
        }
        let mut renderer = Renderer::default();
        renderer.block(&self.body);
        renderer.finish()
    }
}

#[derive(Default)]
struct Renderer {
    text: String,
    line: u32,
    indent: usize,
    path: OperationPath,
    spans: Vec<Span>,
    helpers: BTreeSet<Helper>,
    /// Scopes so far: a number for the names of their locals.
    scopes: u32,
    tables: HashMap<TableId, Place>,
    functions: HashMap<FunctionId, FunctionText>,
    coroutines: HashMap<CoroutineId, (Place, bool)>,
    modules: HashMap<ModuleId, Vec<(FunctionId, u8)>>,
    /// Variables that became globals after they had been locals, whose names still shadow them.
    shadowed: HashSet<String>,
}

struct FunctionText {
    place: Place,
    module: Option<ModuleId>,
}

/// Names for the state of functions, by number in the scope.
const STATE_NAMES: [&str; 4] = ["cfg", "log", "count", "cache"];

fn state_names(count: usize, suffix: &str) -> Vec<String> {
    STATE_NAMES.iter().take(count).map(|name| format!("{name}{suffix}")).collect()
}

fn long_string(number: u8) -> String {
    format!("(\"long{number}\"):rep(9)")
}

impl Renderer {
    fn finish(mut self) -> Rendered {
        for helper in self.helpers.clone() {
            self.helpers.extend(helper.needs());
        }
        let mut text: String = self.helpers.iter().map(|helper| helper.text()).collect();
        let offset = text.lines().count() as u32;
        text.push_str(&self.text);
        for span in &mut self.spans {
            span.lines = span.lines.start() + offset..=span.lines.end() + offset;
        }
        Rendered { text, spans: self.spans }
    }

    fn push(&mut self, line: impl AsRef<str>) {
        self.line += 1;
        self.text.extend(std::iter::repeat_n("  ", self.indent));
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// Several lines, of which the first gets `before` and the last gets `after`.
    fn push_all(&mut self, before: &str, mut lines: Vec<String>, after: &str) {
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, before);
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(after);
        }
        lines.iter().for_each(|line| self.push(line));
    }

    fn indented(&mut self, inside: impl FnOnce(&mut Self)) {
        self.indent += 1;
        inside(self);
        self.indent -= 1;
    }

    fn block(&mut self, block: &[Operation]) {
        for (index, operation) in block.iter().enumerate() {
            self.path.push(index as u16);
            let slot = self.spans.len();
            let first = self.line + 1;
            let span = Span { path: self.path.clone(), kind: operation.kind(), lines: first..=first };
            self.spans.push(span);
            self.operation(operation);
            self.spans[slot].lines = first..=self.line.max(first);
            self.path.pop();
        }
    }

    fn use_helper(&mut self, helper: Helper) {
        self.helpers.insert(helper);
    }

    fn report(&mut self, values: impl AsRef<str>) {
        self.use_helper(Helper::Report);
        self.push(format!("report({})", values.as_ref()));
    }

    fn at(&self, name: String, place: Place) -> String {
        match place {
            Place::Global if self.shadowed.contains(&name) => format!("_G.{name}"),
            Place::Local | Place::Global => name,
            Place::Field(table) => format!("{}.{name}", self.table(table)),
        }
    }

    fn table(&self, id: TableId) -> String {
        // The places of a fixed model lead to a local or a global; a bare name ends the circle of a broken one.
        match self.tables.get(&id) {
            Some(&place) if self.reaches_root(id) => self.at(id.to_string(), place),
            _ => id.to_string(),
        }
    }

    fn reaches_root(&self, id: TableId) -> bool {
        let mut current = id;
        for _ in 0..=self.tables.len() {
            match self.tables.get(&current) {
                Some(Place::Field(outer)) => current = *outer,
                _ => return true,
            }
        }
        false
    }

    fn function(&self, id: FunctionId) -> String {
        match self.functions.get(&id) {
            Some(FunctionText { module: Some(module), .. }) => format!("{module}.{id}"),
            Some(FunctionText { place, .. }) => self.at(id.to_string(), *place),
            None => id.to_string(),
        }
    }

    fn coroutine(&self, id: CoroutineId) -> String {
        let place = self.coroutines.get(&id).map_or(Place::Local, |(place, _)| *place);
        self.at(id.to_string(), place)
    }

    fn object(&self, object: Object) -> String {
        match object {
            Object::Table(id) => self.table(id),
            Object::Function(id) => self.function(id),
        }
    }

    fn value(&self, value: Value) -> String {
        match value {
            Value::Nil => "nil".to_owned(),
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::String(number) => format!("\"s{number}\""),
            Value::FreshString(number) => format!("\"s\" .. {number}"),
            Value::LongString(number) => long_string(number),
            Value::NewTable => "{}".to_owned(),
            Value::Record(number) => format!("{{ id = {number} }}"),
            Value::NewClosure(number) => format!("function() return {number} end"),
            Value::Table(id) => self.table(id),
            Value::Function(id) => self.function(id),
        }
    }

    /// An argument list; a nil alone is left out.
    fn argument(&self, value: Value) -> String {
        if value == Value::Nil { String::new() } else { self.value(value) }
    }

    fn values(&self, values: &[Value]) -> String {
        let values: Vec<_> = values.iter().map(|&value| self.value(value)).collect();
        values.join(", ")
    }

    fn declare_function(&mut self, id: FunctionId, place: Place) {
        self.functions.insert(id, FunctionText { place, module: None });
    }

    /// The left side of the assignment that defines a function.
    fn function_target(&mut self, id: FunctionId, place: Place) -> String {
        self.declare_function(id, place);
        let keyword = if place == Place::Local { "local " } else { "" };
        format!("{keyword}{}", self.function(id))
    }

    /// Declares, without a value, those of the functions that live in locals.
    fn declare_locals<'t>(&mut self, targets: impl Iterator<Item = &'t (FunctionId, Place)>) {
        let locals: Vec<_> =
            targets.filter(|(_, place)| *place == Place::Local).map(|(id, _)| id.to_string()).collect();
        if !locals.is_empty() {
            self.push(format!("local {}", locals.join(", ")));
        }
    }

    fn next_scope(&mut self) -> String {
        self.scopes += 1;
        self.scopes.to_string()
    }

    fn state(&mut self, names: &[String], values: &[String]) {
        let used = values.iter().rposition(|value| value != "nil").map_or(0, |last| last + 1);
        let values = values[..used].join(", ");
        let equals = if used == 0 { "" } else { " = " };
        self.push(format!("local {}{equals}{values}", names.join(", ")));
    }

    fn operation(&mut self, operation: &Operation) {
        match operation {
            Operation::NewTable(NewTable { id, place, items }) => {
                let items = self.values(items);
                let items = if items.is_empty() { "{}".to_owned() } else { format!("{{ {items} }}") };
                self.define_table(*id, *place, &items);
            }
            Operation::NewWeakTable(NewWeakTable { id, place, weakness }) => {
                let mode = match weakness {
                    Weakness::Keys => "k",
                    Weakness::Values => "v",
                    Weakness::Both => "kv",
                };
                self.define_table(*id, *place, &format!("setmetatable({{}}, {{ __mode = \"{mode}\" }})"));
            }
            Operation::NewScope(scope) => self.scope(scope),
            Operation::NewFactory(factory) => self.factory(factory),
            Operation::Instantiate(Instantiate { factory, arguments, functions }) => {
                let arguments = self.values(arguments);
                let targets: Vec<_> = functions.iter().map(|target| (target.id, target.place)).collect();
                let all_local = targets.iter().all(|(_, place)| *place == Place::Local);
                if !all_local {
                    self.declare_locals(targets.iter());
                }
                let mut names = Vec::new();
                for (id, place) in targets {
                    self.declare_function(id, place);
                    names.push(self.function(id));
                }
                let keyword = if all_local { "local " } else { "" };
                self.push(format!("{keyword}{} = {factory}({arguments})", names.join(", ")));
            }
            Operation::CallMaker(CallMaker { id, place, maker, argument }) => {
                let call = format!("{}({})", self.function(*maker), self.argument(*argument));
                let target = self.function_target(*id, *place);
                self.push(format!("{target} = {call}"));
            }
            Operation::PickFunction(PickFunction { id, place, table, key, otherwise }) => {
                self.use_helper(Helper::Pick);
                let call = format!("pick({}.{key}, {})", self.table(*table), self.function(*otherwise));
                let target = self.function_target(*id, *place);
                self.push(format!("{target} = {call}"));
            }
            Operation::NewModule(module) => self.module(module),
            Operation::Reload(reload) => self.reload(reload),
            Operation::HotFix(fix) => self.hot_fix(fix),
            Operation::NewCoroutine(NewCoroutine { id, place, wrapped, body }) => {
                let make = if *wrapped { "wrap" } else { "create" };
                let keyword = if *place == Place::Local { "local " } else { "" };
                let target = self.at(id.to_string(), *place);
                self.push(format!("{keyword}{target} = coroutine.{make}(function(v)"));
                self.indented(|inner| {
                    inner.block(body);
                    inner.push("return v");
                });
                self.push("end)");
                self.coroutines.insert(*id, (*place, *wrapped));
            }
            Operation::Resume(Resume { coroutine, argument }) => {
                let wrapped = self.coroutines.get(coroutine).is_some_and(|(_, wrapped)| *wrapped);
                let resume = if wrapped { "pcall" } else { "coroutine.resume" };
                let argument = self.argument(*argument);
                let comma = if argument.is_empty() { "" } else { ", " };
                self.report(format!("{resume}({}{comma}{argument})", self.coroutine(*coroutine)));
            }
            Operation::CloseCoroutine(CloseCoroutine { coroutine }) => {
                self.report(format!("coroutine.close({})", self.coroutine(*coroutine)));
            }
            Operation::Yield(Yield { value }) => {
                self.push(format!("v = coroutine.yield({})", self.argument(*value)));
            }
            Operation::SetField(SetField { table, key, value, raw }) => {
                let (table, value) = (self.table(*table), self.value(*value));
                if *raw {
                    self.push(format!("rawset({table}, \"{key}\", {value})"));
                } else {
                    self.push(format!("{table}.{key} = {value}"));
                }
            }
            Operation::SetKey(SetKey { table, key, value }) => {
                self.push(format!("{}[{}] = {}", self.table(*table), self.value(*key), self.value(*value)));
            }
            Operation::Append(Append { table, value }) => {
                let table = self.table(*table);
                self.push(format!("{table}[#{table} + 1] = {}", self.value(*value)));
            }
            Operation::TableCall(TableCall { table, call }) => {
                let table = self.table(*table);
                self.push(match call {
                    TableFunction::Insert(value) => format!("table.insert({table}, 1, {})", self.value(*value)),
                    TableFunction::Remove => format!("table.remove({table})"),
                    // A bounded part, so that repetition does not double the list again and again.
                    TableFunction::Move(other) => {
                        let other = self.table(*other);
                        format!("table.move({other}, 1, math.min(#{other}, 3), #{table} + 1, {table})")
                    }
                    TableFunction::Repack(key) => format!("{table}.{key} = table.pack(table.unpack({table}))"),
                });
            }
            Operation::SetMetatable(metatable) => self.metatable(metatable),
            Operation::ShareMetatable(ShareMetatable { table, from }) => {
                self.push(format!("setmetatable({}, getmetatable({}))", self.table(*table), self.table(*from)));
            }
            Operation::NewFinalizable(NewFinalizable { table, key, resurrect }) => {
                self.use_helper(Helper::Finalized);
                let (parameter, save) = if *resurrect {
                    self.use_helper(Helper::Saved);
                    ("object", " saved[#saved + 1] = object")
                } else {
                    ("", "")
                };
                let count = "finalized = finalized + 1";
                let object = format!("setmetatable({{}}, {{ __gc = function({parameter}) {count}{save} end }})");
                match table {
                    Some(table) => self.push(format!("{}.{key} = {object}", self.table(*table))),
                    None => self.push(object),
                }
            }
            Operation::MoveObject(MoveObject { object, place }) => self.move_object(*object, *place),
            Operation::Release(Release { object }) => self.push(format!("{} = nil", self.object(*object))),
            Operation::SetUpvalue(SetUpvalue { function, upvalue, value }) => {
                let function = self.function(*function);
                self.push(format!("debug.setupvalue({function}, {upvalue}, {})", self.value(*value)));
            }
            Operation::UpvalueJoin(UpvalueJoin { function, upvalue, from, from_upvalue }) => {
                self.join(&self.function(*function), *upvalue, &self.function(*from), *from_upvalue);
            }
            Operation::Call(Call { function, argument, result }) => {
                let call = format!("{}({})", self.function(*function), self.argument(*argument));
                match result {
                    Some((table, key)) => self.push(format!("{}.{key} = {call}", self.table(*table))),
                    None => self.push(call),
                }
            }
            Operation::Show(Show { object }) => self.report(self.object(*object)),
            Operation::ShowCall(ShowCall { function, argument }) => {
                self.report(format!("{}({})", self.function(*function), self.argument(*argument)));
            }
            Operation::ShowUpvalue(ShowUpvalue { function, upvalue }) => {
                self.report(format!("debug.getupvalue({}, {upvalue})", self.function(*function)));
            }
            Operation::ShowField(ShowField { table, key }) => self.report(format!("{}.{key}", self.table(*table))),
            Operation::CompareUpvalues(CompareUpvalues { function, upvalue, other, other_upvalue }) => {
                let left = format!("debug.upvalueid({}, {upvalue})", self.function(*function));
                let right = format!("debug.upvalueid({}, {other_upvalue})", self.function(*other));
                self.push(format!("print({left} == {right})"));
            }
            Operation::Step(Step { size, times }) => {
                let step = format!("collectgarbage(\"step\", {size})");
                if *times > 1 {
                    self.push(format!("for _ = 1, {times} do {step} end"));
                } else {
                    self.push(step);
                }
            }
            Operation::FullCollection(_) => self.push("collectgarbage()"),
            Operation::StopCollector(_) => self.push("collectgarbage(\"stop\")"),
            Operation::RestartCollector(_) => self.push("collectgarbage(\"restart\")"),
            Operation::ShowRunning(_) => self.push("print(collectgarbage(\"isrunning\"))"),
            Operation::SetPace(SetPace { pause, multiplier, size }) => {
                self.push(format!("collectgarbage(\"incremental\", {pause}, {multiplier}, {size})"));
            }
            Operation::CountWeak(CountWeak { table }) => {
                self.use_helper(Helper::Survivors);
                self.push(format!("print(\"survivors\", survivors({}))", self.table(*table)));
            }
            Operation::CountFinalized(_) => {
                self.use_helper(Helper::Finalized);
                self.push("collectgarbage()");
                self.push("collectgarbage()");
                self.push("print(\"finalized\", finalized)");
            }
            Operation::ForgetSaved(_) => {
                self.use_helper(Helper::Saved);
                self.push("saved = {}");
            }
            Operation::Loop(Loop { times, body }) => {
                self.push(format!("for _ = 1, {times} do"));
                self.indented(|inner| inner.block(body));
                self.push("end");
            }
            Operation::Protected(Protected { handler, body }) => {
                self.use_helper(Helper::Report);
                let (call, last) =
                    if *handler { ("xpcall", "end, function(e) return { e } end))") } else { ("pcall", "end))") };
                self.push(format!("report({call}(function()"));
                self.indented(|inner| inner.block(body));
                self.push(last);
            }
            Operation::Throw(Throw { error }) => self.throw(*error),
            Operation::Garbage(Garbage { kind, count }) => self.garbage(*kind, *count),
            Operation::Strings(Strings { build, count }) => self.strings(*build, *count),
            Operation::CloseVariable(CloseVariable { table, key, value }) => {
                let (table, value) = (self.table(*table), self.value(*value));
                let close = format!("function() {table}.{key} = {value} end");
                self.push("do");
                self.indented(|inner| {
                    inner.push(format!("local guard <close> = setmetatable({{}}, {{ __close = {close} }})"));
                });
                self.push("end");
            }
            Operation::LoadChunk(LoadChunk { table, key, other, set }) => {
                let table = self.table(*table);
                let chunk = format!("load(\"{key} = {{ {other} }} return {other}\", \"=chunk\"");
                if *set {
                    self.push("do");
                    self.indented(|inner| {
                        inner.push(format!("local chunk = {chunk})"));
                        inner.push(format!("debug.setupvalue(chunk, 1, {table})"));
                        inner.report("chunk()");
                    });
                    self.push("end");
                } else {
                    self.report(format!("{chunk}, \"t\", {table})()"));
                }
            }
            Operation::CallTable(CallTable { table, argument }) => {
                self.report(format!("pcall({}, {})", self.table(*table), self.value(*argument)));
            }
        }
    }

    fn define_table(&mut self, id: TableId, place: Place, value: &str) {
        self.tables.insert(id, place);
        let keyword = if place == Place::Local { "local " } else { "" };
        self.push(format!("{keyword}{} = {value}", self.table(id)));
    }

    fn join(&mut self, function: &str, upvalue: u8, from: &str, from_upvalue: u8) {
        self.push(format!("debug.upvaluejoin({function}, {upvalue}, {from}, {from_upvalue})"));
    }

    fn scope(&mut self, NewScope { open, locals, functions }: &NewScope) {
        let names = state_names(locals.len(), &self.next_scope());
        let values: Vec<_> = locals.iter().map(|&local| self.value(local)).collect();
        let targets: Vec<_> = functions.iter().map(|function| (function.id, function.place)).collect();
        if *open {
            self.state(&names, &values);
            for NewFunction { id, place, body } in functions {
                let target = self.function_target(*id, *place);
                self.push_all(&format!("{target} = "), body.lines(&names), "");
            }
        } else {
            self.declare_locals(targets.iter());
            self.push("do");
            self.indented(|inner| {
                inner.state(&names, &values);
                for NewFunction { id, place, body } in functions {
                    inner.declare_function(*id, *place);
                    let target = inner.function(*id);
                    inner.push_all(&format!("{target} = "), body.lines(&names), "");
                }
            });
            self.push("end");
        }
    }

    fn factory(&mut self, NewFactory { id, parameters, functions }: &NewFactory) {
        let names = state_names(usize::from(*parameters), &self.next_scope());
        self.push(format!("local function {id}({})", names.join(", ")));
        self.indented(|inner| {
            let last = functions.len().saturating_sub(1);
            for (index, body) in functions.iter().enumerate() {
                let before = if index == 0 { "return " } else { "" };
                let after = if index == last { "" } else { "," };
                inner.push_all(before, body.lines(&names), after);
            }
        });
        self.push("end");
    }

    fn module(&mut self, NewModule { id, text, locals, functions }: &NewModule) {
        let names = state_names(locals.len(), "");
        let values: Vec<_> = locals.iter().map(|&local| self.value(local)).collect();
        let (first, last) = if *text {
            ("load([[".to_owned(), format!("]], \"={id}\")"))
        } else {
            ("function()".to_owned(), "end".into())
        };
        self.push(format!("package.preload.{id} = {first}"));
        self.indented(|inner| {
            inner.state(&names, &values);
            inner.push("local M = {}");
            for NewFunction { id: function, place: _, body } in functions {
                inner.functions.insert(*function, FunctionText { place: Place::Local, module: Some(*id) });
                inner.push_all(&format!("M.{function} = "), body.lines(&names), "");
            }
            inner.push("return M");
        });
        self.push(last);
        self.push(format!("local {id} = require(\"{id}\")"));
        let shapes = functions.iter().map(|function| (function.id, function.body.shape().upvalues())).collect();
        self.modules.insert(*id, shapes);
    }

    fn reload(&mut self, Reload { module, keep, in_place }: &Reload) {
        let functions = self.modules.get(module).cloned().unwrap_or_default();
        self.push("do");
        self.indented(|inner| {
            inner.push(format!("local old = {module}"));
            inner.push(format!("package.loaded.{module} = nil"));
            inner.push(format!("{module} = require(\"{module}\")"));
            for &(function, upvalues) in &functions {
                let (new, old) = (format!("{module}.{function}"), format!("old.{function}"));
                for upvalue in 1..=upvalues {
                    match keep {
                        Keep::Join => inner.join(&new, upvalue, &old, upvalue),
                        Keep::JoinOld => inner.join(&old, upvalue, &new, upvalue),
                        Keep::Copy => inner.copy_upvalue(&new, upvalue, &old, upvalue),
                        Keep::Nothing => {}
                    }
                }
                if *in_place {
                    inner.push(format!("{old} = {new}"));
                }
            }
            if *in_place {
                inner.push(format!("{module}, package.loaded.{module} = old, old"));
            }
        });
        self.push("end");
    }

    fn copy_upvalue(&mut self, function: &str, upvalue: u8, from: &str, from_upvalue: u8) {
        self.push(format!(
            "debug.setupvalue({function}, {upvalue}, select(2, debug.getupvalue({from}, {from_upvalue})))"
        ));
    }

    fn hot_fix(&mut self, HotFix { id, place, old, locals, body, share, replace }: &HotFix) {
        let names = state_names(locals.len(), &self.next_scope());
        let values: Vec<_> = locals
            .iter()
            .map(|local| match local {
                FixLocal::Old(_) => "nil".to_owned(),
                FixLocal::Own(value) => self.value(*value),
            })
            .collect();
        let old = self.function(*old);
        if *place == Place::Local {
            self.push(format!("local {id}"));
        }
        self.declare_function(*id, *place);
        let new = self.function(*id);
        self.push("do");
        self.indented(|inner| {
            inner.state(&names, &values);
            inner.push_all(&format!("{new} = "), body.lines(&names), "");
        });
        self.push("end");
        for (index, local) in body.shape().captures.into_iter().enumerate() {
            if let Some(FixLocal::Old(upvalue)) = locals.get(usize::from(local)) {
                let number = index as u8 + 1;
                if *share {
                    self.join(&new, number, &old, *upvalue);
                } else {
                    self.copy_upvalue(&new, number, &old, *upvalue);
                }
            }
        }
        if *replace {
            self.push(format!("{old} = {new}"));
        }
    }

    fn metatable(&mut self, SetMetatable { table, index, newindex, call, gc }: &SetMetatable) {
        let mut fields = Vec::new();
        match index {
            Index::None => {}
            Index::Table(table) => fields.push(format!("__index = {}", self.table(*table))),
            Index::Function => fields.push("__index = function(_, k) return { k } end".to_owned()),
        }
        if *newindex {
            fields.push("__newindex = function(t, k, v) rawset(t, k, v) end".to_owned());
        }
        if let Some(function) = call {
            fields.push(format!("__call = {}", self.function(*function)));
        }
        if let Some(fails) = gc {
            self.use_helper(Helper::Finalized);
            let error = if *fails { " error(\"in a finalizer\")" } else { "" };
            fields.push(format!("__gc = function() finalized = finalized + 1{error} end"));
        }
        let fields = if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) };
        self.push(format!("setmetatable({}, {fields})", self.table(*table)));
    }

    fn move_object(&mut self, object: Object, place: Place) {
        let from = self.object(object);
        let (name, old) = match object {
            Object::Table(id) => (id.to_string(), self.tables.insert(id, place)),
            Object::Function(id) => {
                let old = self.functions.insert(id, FunctionText { place, module: None });
                (id.to_string(), old.map(|function| function.place))
            }
        };
        if old == Some(Place::Local) {
            self.shadowed.insert(name);
        }
        let to = self.object(object);
        self.push(format!("{to}, {from} = {from}, nil"));
    }

    fn throw(&mut self, error: Error) {
        match error {
            Error::Value(value) => self.push(format!("error({}, 0)", self.value(value))),
            Error::Positioned(number) => self.push(format!("error(\"e{number}\")")),
            Error::Index => {
                self.push("local none");
                self.push("none.a = 1");
            }
            Error::Arithmetic => self.push("local sum = {} + 1"),
            Error::Call => {
                self.push("local none");
                self.push("none()");
            }
        }
    }

    fn garbage(&mut self, kind: GarbageKind, count: u8) {
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

    fn strings(&mut self, build: StringBuild, count: u8) {
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
