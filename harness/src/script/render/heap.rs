//! What loads functions, what changes entries and weakness of tables, and growth, as text.

use super::*;

/// The value of `__mode`. A table that is not weak has one too, since its weakness may change.
fn mode(weakness: Option<Weakness>) -> &'static str {
    match weakness {
        None => "",
        Some(Weakness::Keys) => "k",
        Some(Weakness::Values) => "v",
        Some(Weakness::Both) => "kv",
    }
}

impl Renderer {
    pub(super) fn read_function(&mut self, read: &ReadFunction) {
        let ReadFunction { id, place, locals, body, chunk, reader } = read;
        let Chunk { wide, form, named, environment } = chunk;
        let Reader { piece, work, steps, stop } = reader;
        self.use_helper(Helper::Reader);
        let names = state_names(locals.len(), "");
        let values: Vec<_> = locals.iter().map(|&local| self.value(local)).collect();
        let environment = environment.map(|table| self.table(table));
        self.declare_function(*id, *place);
        let function = self.function(*id);
        if *place == Place::Local {
            self.push(format!("local {id}"));
        }
        self.push("do");
        self.indented(|inner| {
            inner.push(if *wide { "local chunk = ([[" } else { "local chunk = [[" });
            inner.indented(|inner| {
                inner.state(&names, &values);
                let mut lines = body.lines(&names);
                if *wide {
                    let first = names.first().map_or("nil", String::as_str);
                    inner.push(format!("local function many() return {{ WIDE, last = {first} }} end"));
                    lines.last_mut().into_iter().for_each(|last| last.push_str(", many"));
                }
                inner.push_all("return ", lines, "");
            });
            if *wide {
                inner.use_helper(Helper::Wide);
                inner.push("]]):gsub(\"WIDE\", wide)");
            } else {
                inner.push("]]");
            }
            match form {
                ChunkForm::Text => {}
                ChunkForm::Dump => inner.push(format!("chunk = string.dump({}(chunk))", inner.text_loader())),
                ChunkForm::Stripped => inner.push("chunk = string.dump(load(chunk), true)"),
            }
            let work = match work {
                ReaderWork::Nothing => "nil".to_owned(),
                ReaderWork::Step => format!("function() {} end", step_text(0, *steps)),
                ReaderWork::Collect => "collectgarbage".to_owned(),
                ReaderWork::Load => "function() load(reader(chunk, 50)) end".to_owned(),
            };
            if let Some(stop) = stop {
                let stop = match stop {
                    ReaderStop::Error => "error",
                    ReaderStop::Empty => "function() return \"\" end",
                    ReaderStop::Nil => "function() end",
                };
                inner.push(format!("print(load(reader(chunk, {piece}, {work}, {stop})) == nil)"));
            }
            let source = format!("reader(chunk, {piece}, {work})");
            let name = if *named { "\"=chunk\"" } else { "nil" };
            let call = match environment {
                None if *named => format!("load({source}, {name})()"),
                None => format!("load({source})()"),
                Some(table) if inner.has(Feature::Load) => format!("load({source}, {name}, nil, {table})()"),
                Some(table) => format!("setfenv(load({source}, {name}), {table})()"),
            };
            if *wide {
                inner.push("local many");
                inner.push(format!("{function}, many = {call}"));
                inner.push("print(#many(), many()[#many()])");
            } else {
                inner.push(format!("{function} = {call}"));
            }
        });
        self.push("end");
    }

    pub(super) fn copy_function(&mut self, CopyFunction { id, place, function, strip, value }: &CopyFunction) {
        self.use_helper(Helper::Copy);
        let call = format!("copy({}, {strip}, {})", self.function(*function), self.value(*value));
        let target = self.function_target(*id, *place);
        self.push(format!("{target} = {call}"));
    }

    pub(super) fn weak_table(&mut self, NewWeakTable { id, place, weakness, changes: _ }: &NewWeakTable) {
        let mode = mode(Some(*weakness));
        self.define_table(*id, *place, &format!("setmetatable({{}}, {{ __mode = \"{mode}\" }})"));
    }

    pub(super) fn change_weakness(&mut self, ChangeWeakness { table, weakness, change }: &ChangeWeakness) {
        let (table, mode) = (self.table(*table), mode(*weakness));
        let fresh = format!("setmetatable({table}, {{ __mode = \"{mode}\" }})");
        match change {
            WeaknessChange::Fresh => self.push(fresh),
            WeaknessChange::Weak => {
                let metatable = format!("setmetatable({{ {{}}, __mode = \"{mode}\" }}, {{ __mode = \"kv\" }})");
                self.push(format!("setmetatable({table}, {metatable})"));
            }
            WeaknessChange::InPlace => self.push(format!("getmetatable({table}).__mode = \"{mode}\"")),
            WeaknessChange::Shared(other) => {
                self.push(format!("setmetatable({table}, getmetatable({}))", self.table(*other)));
            }
            WeaknessChange::Bare(steps) => {
                self.push(format!("setmetatable({table}, nil)"));
                if *steps > 0 {
                    self.push(step_text(0, *steps));
                }
                self.push(fresh);
            }
        }
    }

    pub(super) fn empty_table(&mut self, EmptyTable { table, steps, again }: &EmptyTable) {
        self.use_helper(Helper::Empty);
        self.push(format!("empty({}, {steps}, {again})", self.table(*table)));
    }

    pub(super) fn grow_table(&mut self, GrowTable { table, growth, count, steps }: &GrowTable) {
        self.use_helper(Helper::Grow);
        let key = match growth {
            Growth::Up => "function(last, i) return last + i end".to_owned(),
            Growth::Down => format!("function(last, i) return last + {} - i end", u32::from(*count) + 1),
            Growth::Strings => "function(_, i) return \"grown\" .. i end".to_owned(),
            Growth::Objects => "function() return {} end".to_owned(),
        };
        self.push(format!("grow({}, {count}, {steps}, {key})", self.table(*table)));
    }

    pub(super) fn intern_strings(&mut self, InternStrings { hundreds, steps }: &InternStrings) {
        self.use_helper(Helper::Intern);
        self.push(format!("print(intern({hundreds}00, {steps}))"));
    }

    pub(super) fn switch_mode(&mut self, SwitchMode { generational, steps }: &SwitchMode) {
        let mut modes = ["generational", "incremental"];
        if *generational {
            modes.reverse();
        }
        self.push(format!("collectgarbage(\"{}\")", modes[0]));
        if *steps > 0 {
            self.push(step_text(0, *steps));
        }
        self.push(format!("collectgarbage(\"{}\")", modes[1]));
    }
}
