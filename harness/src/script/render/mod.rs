//! Scripts as Lua text.
//!
//! One statement a line, names that say what a variable holds (`f1`, `t2`, `co1`), and a prelude of those helpers that
//! the script uses. The text relies on what [`Script::fixup`] ensures; text of a model that did not go through it may
//! be invalid Lua, but rendering never fails.

mod functions;
mod heap;
mod language;
mod objects;

pub(super) use objects::INSPECT;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::RangeInclusive;

use super::prelude::Helper;
use super::*;
use crate::language::{Feature, Language};

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
    /// The script as text in a language.
    pub fn render(&self, language: &Language) -> Rendered {
        let mut renderer = Renderer { language: *language, ..Renderer::default() };
        renderer.block(&self.body);
        renderer.finish()
    }
}

#[derive(Default)]
pub(super) struct Renderer {
    language: Language,
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

pub(super) fn state_names(count: usize, suffix: &str) -> Vec<String> {
    STATE_NAMES.iter().take(count).map(|name| format!("{name}{suffix}")).collect()
}

/// Steps of the collector on one line.
pub(super) fn step_text(size: u8, times: u8) -> String {
    let step = format!("collectgarbage(\"step\", {size})");
    if times > 1 { format!("for _ = 1, {times} do {step} end") } else { step }
}

/// An expression for what an upvalue holds.
fn upvalue_text(function: &str, upvalue: u8) -> String {
    format!("select(2, debug.getupvalue({function}, {upvalue}))")
}

fn long_string(number: u8) -> String {
    format!("(\"long{number}\"):rep(9)")
}

impl Renderer {
    fn finish(mut self) -> Rendered {
        for helper in self.helpers.clone() {
            self.helpers.extend(helper.needs(&self.language));
        }
        let mut text: String = self.helpers.iter().map(|helper| helper.text(&self.language)).collect();
        let offset = text.bytes().filter(|&byte| byte == b'\n').count() as u32;
        text.push_str(&self.text);
        for span in &mut self.spans {
            span.lines = span.lines.start() + offset..=span.lines.end() + offset;
        }
        Rendered { text, spans: self.spans }
    }

    pub(super) fn push(&mut self, line: impl AsRef<str>) {
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

    pub(super) fn indented(&mut self, inside: impl FnOnce(&mut Self)) {
        self.indent += 1;
        inside(self);
        self.indent -= 1;
    }

    pub(super) fn block(&mut self, block: &[Operation]) {
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

    pub(super) fn use_helper(&mut self, helper: Helper) {
        self.helpers.insert(helper);
    }

    pub(super) fn full_collections(&mut self) {
        self.push("collectgarbage()");
        self.push("collectgarbage()");
    }

    /// For text that calls `report` by itself.
    pub(super) fn use_report(&mut self) {
        self.use_helper(Helper::Report);
    }

    pub(super) fn report(&mut self, values: impl AsRef<str>) {
        self.use_report();
        self.push(format!("report({})", values.as_ref()));
    }

    fn at(&self, name: String, place: Place) -> String {
        match place {
            Place::Global if self.shadowed.contains(&name) => format!("_G.{name}"),
            Place::Local | Place::Global => name,
            Place::Field(table) => format!("{}.{name}", self.table(table)),
        }
    }

    pub(super) fn table(&self, id: TableId) -> String {
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

    pub(super) fn function(&self, id: FunctionId) -> String {
        match self.functions.get(&id) {
            Some(FunctionText { module: Some(module), .. }) => format!("{module}.{id}"),
            Some(FunctionText { place, .. }) => self.at(id.to_string(), *place),
            None => id.to_string(),
        }
    }

    pub(super) fn coroutine(&self, id: CoroutineId) -> String {
        let place = self.coroutines.get(&id).map_or(Place::Local, |(place, _)| *place);
        self.at(id.to_string(), place)
    }

    fn object(&self, object: Object) -> String {
        match object {
            Object::Table(id) => self.table(id),
            Object::Function(id) => self.function(id),
        }
    }

    pub(super) fn value(&self, value: Value) -> String {
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
    pub(super) fn function_target(&mut self, id: FunctionId, place: Place) -> String {
        self.declare_function(id, place);
        let keyword = if place == Place::Local { "local " } else { "" };
        format!("{keyword}{}", self.function(id))
    }

    /// Declares, without a value, those of the functions that live in locals.
    pub(super) fn declare_locals<'t>(&mut self, targets: impl Iterator<Item = &'t (FunctionId, Place)>) {
        let locals: Vec<_> =
            targets.filter(|(_, place)| *place == Place::Local).map(|(id, _)| id.to_string()).collect();
        if !locals.is_empty() {
            self.push(format!("local {}", locals.join(", ")));
        }
    }

    pub(super) fn next_scope(&mut self) -> String {
        self.scopes += 1;
        self.scopes.to_string()
    }

    pub(super) fn state(&mut self, names: &[String], values: &[String]) {
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
            Operation::NewWeakTable(table) => self.weak_table(table),
            Operation::ReadFunction(read) => self.read_function(read),
            Operation::CopyFunction(copy) => self.copy_function(copy),
            Operation::ChangeWeakness(changed) => self.change_weakness(changed),
            Operation::EmptyTable(empty) => self.empty_table(empty),
            Operation::GrowTable(grow) => self.grow_table(grow),
            Operation::InternStrings(strings) => self.intern_strings(strings),
            Operation::SwitchMode(switch) => self.switch_mode(switch),
            Operation::LateField(late) => self.late_field(late),
            Operation::SetNativeUpvalue(set) => self.native_upvalue(set),
            Operation::DropCoroutine(DropCoroutine { coroutine }) => {
                self.push(format!("{} = nil", self.coroutine(*coroutine)));
            }
            Operation::RuntimeErrors(errors) => self.runtime_errors(errors),
            Operation::NewList(NewList { id, place, before, steps, after }) => {
                self.use_helper(Helper::Steps);
                let mut items = vec!["{}".to_owned(); usize::from(*before)];
                items.push(format!("steps({steps})"));
                items.resize(items.len() + usize::from(*after), "{}".to_owned());
                self.define_table(*id, *place, &format!("{{ {} }}", items.join(", ")));
            }
            Operation::NewScope(scope) => self.scope(scope),
            Operation::ClosedScope(scope) => self.closed_scope(scope),
            Operation::CoroutineScope(scope) => self.coroutine_scope(scope),
            Operation::LoadFunction(load) => self.load_function(load),
            Operation::AttributedLocal(local) => self.attributed_local(local),
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
                self.begin_coroutine(*id, *place, *wrapped, "v");
                self.indented(|inner| {
                    inner.block(body);
                    inner.push("return v");
                });
                self.push("end)");
            }
            Operation::Resume(Resume { coroutine, argument }) => self.resume(*coroutine, *argument),
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
            Operation::SetLongKey(SetLongKey { table, number, value }) => {
                let (table, value) = (self.table(*table), self.value(*value));
                self.push(format!("{table}[{}] = {value}", long_string(*number)));
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
                        if self.has(Feature::TableMove) {
                            format!("table.move({other}, 1, math.min(#{other}, 3), #{table} + 1, {table})")
                        } else {
                            format!("for i = 1, math.min(#{other}, 3) do {table}[#{table} + 1] = {other}[i] end")
                        }
                    }
                    TableFunction::Repack(key) if self.has(Feature::TablePack) => {
                        format!("{table}.{key} = table.pack(table.unpack({table}))")
                    }
                    TableFunction::Repack(key) => format!("{table}.{key} = {{ n = #{table}, unpack({table}) }}"),
                });
            }
            Operation::SetMetatable(metatable) => self.metatable(metatable),
            Operation::ShareMetatable(ShareMetatable { table, from }) => {
                self.push(format!("setmetatable({}, getmetatable({}))", self.table(*table), self.table(*from)));
            }
            Operation::NewFinalizable(finalizable) => self.finalizable(finalizable),
            Operation::FinalizeMany(many) => self.finalize_many(many),
            Operation::FinalizeNested(nested) => self.finalize_nested(nested),
            Operation::EphemeronChain(chain) => self.ephemeron_chain(chain),
            Operation::MoveObject(MoveObject { object, place }) => self.move_object(*object, *place),
            Operation::Release(Release { object }) => self.push(format!("{} = nil", self.object(*object))),
            Operation::SetUpvalue(SetUpvalue { function, upvalue, value }) => {
                let function = self.function(*function);
                self.push(format!("debug.setupvalue({function}, {upvalue}, {})", self.value(*value)));
            }
            Operation::UpvalueJoin(UpvalueJoin { function, upvalue, from, from_upvalue }) => {
                self.join(&self.function(*function), *upvalue, &self.function(*from), *from_upvalue);
            }
            Operation::CopyUpvalue(CopyUpvalue { function, upvalue, table, key }) => {
                let value = upvalue_text(&self.function(*function), *upvalue);
                self.push(format!("{}.{key} = {value}", self.table(*table)));
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
                self.report(upvalue_text(&self.function(*function), *upvalue));
            }
            Operation::ShowField(ShowField { table, key }) => self.report(format!("{}.{key}", self.table(*table))),
            Operation::CompareUpvalues(CompareUpvalues { function, upvalue, other, other_upvalue }) => {
                let left = format!("debug.upvalueid({}, {upvalue})", self.function(*function));
                let right = format!("debug.upvalueid({}, {other_upvalue})", self.function(*other));
                self.push(format!("print({left} == {right})"));
            }
            Operation::Step(Step { size, times }) => {
                self.push(step_text(*size, *times));
            }
            Operation::FullCollection(_) => self.push("collectgarbage()"),
            Operation::StopCollector(_) => self.push("collectgarbage(\"stop\")"),
            Operation::RestartCollector(_) => self.push("collectgarbage(\"restart\")"),
            Operation::ShowRunning(_) => self.push("print(collectgarbage(\"isrunning\"))"),
            Operation::SetPace(SetPace { pause, multiplier, size }) => {
                if self.has(Feature::Modes) {
                    self.push(format!("collectgarbage(\"incremental\", {pause}, {multiplier}, {size})"));
                } else {
                    self.push(format!("collectgarbage(\"setpause\", {pause})"));
                    self.push(format!("collectgarbage(\"setstepmul\", {multiplier})"));
                }
            }
            Operation::SetGenerational(SetGenerational { minor, major }) => {
                self.push(format!("collectgarbage(\"generational\", {minor}, {major})"));
            }
            Operation::CountWeak(CountWeak { table }) => {
                self.use_helper(Helper::Survivors);
                self.push(format!("print(\"survivors\", survivors({}))", self.table(*table)));
            }
            Operation::CountFinalized(_) => self.count_finalized(),
            Operation::ForgetSaved(_) => {
                self.use_helper(Helper::Saved);
                // Whatever has become garbage by now is finalized before, at any schedule.
                self.full_collections();
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
            Operation::CloseVariable(close) => self.close_variable(close),
            Operation::LoadChunk(LoadChunk { table, key, other, set }) => {
                let table = self.table(*table);
                let chunk = format!("\"{key} = {{ {other} }} return {other}\"");
                if *set {
                    self.push("do");
                    self.indented(|inner| {
                        inner.push(format!("local chunk = {}", inner.load_text(&chunk, "=chunk", None)));
                        inner.push(if inner.has(Feature::Load) {
                            format!("debug.setupvalue(chunk, 1, {table})")
                        } else {
                            format!("debug.setfenv(chunk, {table})")
                        });
                        inner.report("chunk()");
                    });
                    self.push("end");
                } else {
                    self.report(format!("{}()", self.load_text(&chunk, "=chunk", Some(&table))));
                }
            }
            Operation::CallTable(CallTable { table, argument }) => {
                self.report(format!("pcall({}, {})", self.table(*table), self.value(*argument)));
            }
            Operation::RebuildStrings(RebuildStrings { table, key, as_key, count }) => {
                let (table, string) = (self.table(*table), "\"k\" .. i % 3");
                let store = if *as_key {
                    format!("{table}[{string}] = i % 2 == 0 and i or nil")
                } else {
                    format!("{table}.{key} = {string}")
                };
                self.push(format!("for i = 1, {count} do {store} collectgarbage(\"step\", 0) end"));
            }
            Operation::DeepCall(DeepCall { depth, steps }) => {
                self.use_helper(Helper::Deep);
                self.push(format!("print(deep({depth}, {steps}))"));
            }
            Operation::SetTypeMetatable(metatable) => self.type_metatable(metatable),
            Operation::ShowType(ShowType { of, usage }) => self.show_type(*of, *usage),
            Operation::SuspendedScope(scope) => self.suspended_scope(scope),
            Operation::MisplacedResume(resume) => self.misplaced_resume(resume),
            Operation::Callback(callback) => self.callback(callback),
            Operation::HookedCall(call) => self.hooked_call(call),
            Operation::Tower(tower) => self.tower(tower),
            Operation::PendingClose(pending) => self.pending_close(pending),
            Operation::EndObject(object) => self.end_object(object),
            Operation::Exit(exit) => self.exit(exit),
            Operation::DebugProbe(probe) => self.debug_probe(probe),
            Operation::ReuseFailed(reuse) => self.reuse_failed(reuse),
            Operation::Mix(Mix { rounds, start }) => {
                self.use_helper(Helper::Mix);
                self.push(format!("mix({rounds}, {start})"));
            }
        }
    }

    /// The line that defines a coroutine, up to the parameters of its function.
    pub(super) fn begin_coroutine(&mut self, id: CoroutineId, place: Place, wrapped: bool, parameter: &str) {
        let make = if wrapped { "wrap" } else { "create" };
        let keyword = if place == Place::Local { "local " } else { "" };
        let target = self.at(id.to_string(), place);
        self.push(format!("{keyword}{target} = coroutine.{make}(function({parameter})"));
        self.coroutines.insert(id, (place, wrapped));
    }

    pub(super) fn resume(&mut self, coroutine: CoroutineId, argument: Value) {
        let wrapped = self.coroutines.get(&coroutine).is_some_and(|(_, wrapped)| *wrapped);
        let resume = if wrapped { "pcall" } else { "coroutine.resume" };
        let argument = self.argument(argument);
        let comma = if argument.is_empty() { "" } else { ", " };
        self.report(format!("{resume}({}{comma}{argument})", self.coroutine(coroutine)));
    }

    fn define_table(&mut self, id: TableId, place: Place, value: &str) {
        self.tables.insert(id, place);
        let keyword = if place == Place::Local { "local " } else { "" };
        self.push(format!("{keyword}{} = {value}", self.table(id)));
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
}
