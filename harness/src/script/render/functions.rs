//! Scopes, factories, modules and whatever else makes functions, as text.

use super::super::function::name;
use super::*;

impl Renderer {
    pub(super) fn join(&mut self, function: &str, upvalue: u8, from: &str, from_upvalue: u8) {
        self.push(format!("debug.upvaluejoin({function}, {upvalue}, {from}, {from_upvalue})"));
    }

    pub(super) fn scope(&mut self, NewScope { open, locals, functions }: &NewScope) {
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
                inner.assign_functions(functions, &names);
            });
            self.push("end");
        }
    }

    /// The functions of a scope, whose variables are declared outside of it.
    pub(in super::super) fn assign_functions(&mut self, functions: &[NewFunction], names: &[String]) {
        for NewFunction { id, place, body } in functions {
            self.declare_function(*id, *place);
            let target = self.function(*id);
            self.push_all(&format!("{target} = "), body.lines(names), "");
        }
    }

    pub(super) fn closed_scope(&mut self, scope: &ClosedScope) {
        let ClosedScope { closing, locals, functions, steps, value, joined } = scope;
        let names = state_names(locals.len(), &self.next_scope());
        let values: Vec<_> = locals.iter().map(|&local| self.value(local)).collect();
        let targets: Vec<_> = functions.iter().map(|function| (function.id, function.place)).collect();
        self.declare_locals(targets.iter());
        if let Closing::For(leave, after) = *closing {
            self.closed_loop(leave, after, scope, (&names, &values));
            return;
        }
        let arguments = values.join(", ");
        let (first, last) = match closing {
            Closing::Recaptured | Closing::Guard => ("do", "end".to_owned()),
            Closing::Loop | Closing::Goto => ("for i = 1, 2 do", "end".to_owned()),
            Closing::Backward => ("do", "end".to_owned()),
            Closing::Break => ("while true do", "end".to_owned()),
            Closing::ReturnGuard => ("pcall(function()", "end)".to_owned()),
            Closing::Return => ("pcall(function(...)", format!("end, {arguments})")),
            Closing::Error => ("pcall(function()", "end)".to_owned()),
            Closing::Dropped => ("coroutine.wrap(function()", "end)()".to_owned()),
            Closing::Failed => ("coroutine.resume(coroutine.create(function()", "end))".to_owned()),
            Closing::Wrapped => ("pcall(coroutine.wrap(function()", "end))".to_owned()),
            Closing::Killed | Closing::Abandoned | Closing::For(..) => ("do", "end".to_owned()),
        };
        self.push(first);
        self.indented(|inner| {
            let inside = matches!(closing, Closing::Killed | Closing::Abandoned);
            if inside {
                inner.push("local co = coroutine.create(function()");
                inner.indent += 1;
            }
            if *closing == Closing::Backward {
                inner.push("local i = 0");
                inner.push("::again::");
                inner.push("i = i + 1");
            }
            if *closing == Closing::Return {
                inner.push(format!("local {} = ...", names.join(", ")));
            } else {
                inner.state(&names, &values);
            }
            let first = name(&names, 0);
            if *closing == Closing::Recaptured {
                inner.push(format!("for _ = 1, {steps} do"));
                inner.indented(|inner| {
                    inner.push(format!("local f = function() return {first} end"));
                    inner.push("f = collectgarbage(\"step\", 0)");
                });
                inner.push("end");
            }
            inner.join_open(*joined, first);
            inner.assign_functions(functions, &names);
            if !matches!(closing, Closing::Recaptured | Closing::Abandoned) && *steps > 0 {
                inner.push(step_text(0, *steps));
            }
            if *closing == Closing::Abandoned {
                inner.push("coroutine.yield()");
            }
            if *closing == Closing::Goto {
                inner.push("if i == 1 then goto continue end");
            }
            if *closing == Closing::Backward {
                inner.push("if i < 3 then goto again end");
            }
            let assign = format!("{first} = {}", inner.value(*value));
            let guarded = matches!(closing, Closing::Guard | Closing::Break | Closing::ReturnGuard);
            if guarded && inner.has(Feature::Attributes) {
                let close = format!("function() {assign} end");
                inner.push(format!("local guard <close> = setmetatable({{}}, {{ __close = {close} }})"));
            } else {
                inner.push(assign);
            }
            match closing {
                Closing::Goto => inner.push("::continue::"),
                Closing::Error | Closing::Failed | Closing::Wrapped => inner.push("error(\"closed\")"),
                Closing::Dropped | Closing::Killed | Closing::Abandoned => inner.push("coroutine.yield()"),
                Closing::Break => inner.push("break"),
                Closing::ReturnGuard => inner.push(format!("return {first}")),
                Closing::Recaptured
                | Closing::Loop
                | Closing::Backward
                | Closing::Guard
                | Closing::Return
                | Closing::For(..) => {}
            }
            if inside {
                inner.indent -= 1;
                inner.push("end)");
                inner.push("coroutine.resume(co)");
                if *closing == Closing::Killed {
                    inner.push("coroutine.close(co)");
                } else {
                    if *steps > 0 {
                        inner.push(step_text(0, *steps));
                    }
                    inner.push("coroutine.resume(co)");
                }
            }
        });
        self.push(last);
    }

    /// A join of an upvalue to a variable that is still open, if there is one.
    fn join_open(&mut self, joined: Option<(FunctionId, u8)>, variable: &str) {
        if let Some((function, upvalue)) = joined {
            let function = self.function(function);
            self.join(&function, upvalue, &format!("function() return {variable} end"), 1);
        }
    }

    /// A scope whose locals are the variables of a generic `for`, which has a to-be-closed value.
    fn closed_loop(&mut self, leave: Leave, after: After, scope: &ClosedScope, state: (&[String], &[String])) {
        let ClosedScope { functions, steps, value, joined, .. } = scope;
        let ((names, values), number) = (state, self.scopes);
        let once = format!("function(_, done) if not done then return true, {} end end", values.join(", "));
        let (before, behind) = match leave {
            Leave::End | Leave::Break | Leave::Goto => (None, [].as_slice()),
            Leave::Return | Leave::Error => (Some("pcall(function()"), ["end)"].as_slice()),
            Leave::Dropped => (Some("coroutine.wrap(function()"), ["end)()"].as_slice()),
            Leave::Killed => (
                Some("local co = coroutine.create(function()"),
                ["end)", "coroutine.resume(co)", "coroutine.close(co)"].as_slice(),
            ),
        };
        self.push("do");
        self.indented(|inner| {
            let closes = inner.has(Feature::Attributes);
            if closes {
                inner.push("local function close() print(\"closed\") end");
                inner.push("local guard = setmetatable({}, { __close = close })");
            } else {
                inner.push("local guard = {}");
            }
            before.into_iter().for_each(|line| inner.push(line));
            let nesting = usize::from(before.is_some());
            inner.indent += nesting;
            let guard = if closes { ", nil, nil, guard" } else { "" };
            inner.push(format!("for _, {} in {once}{guard} do", names.join(", ")));
            inner.indented(|inner| {
                let first = name(names, 0);
                inner.join_open(*joined, first);
                inner.assign_functions(functions, names);
                if *steps > 0 {
                    inner.push(step_text(0, *steps));
                }
                inner.push(format!("{first} = {}", inner.value(*value)));
                match leave {
                    Leave::End => {}
                    Leave::Break => inner.push("break"),
                    Leave::Goto => inner.push(format!("goto out{number}")),
                    Leave::Return => inner.push(format!("return {first}")),
                    Leave::Error => inner.push(format!("error({first})")),
                    Leave::Dropped | Leave::Killed => inner.push("coroutine.yield()"),
                }
            });
            inner.push("end");
            inner.indent -= nesting;
            behind.iter().for_each(|line| inner.push(line));
            if leave == Leave::Goto {
                inner.push(format!("::out{number}::"));
            }
            match after {
                After::Nothing => {}
                After::Guard => inner.push("local last <close> = guard"),
                After::Captured => {
                    inner.push("local last = { guard }");
                    inner.push("local function get() return last end");
                    inner.push("print(get()[1] == guard)");
                }
            }
        });
        self.push("end");
    }

    pub(super) fn coroutine_scope(&mut self, scope: &CoroutineScope) {
        let CoroutineScope { id, place, wrapped, locals, functions, yields, fails } = scope;
        let names = state_names(locals.len(), &self.next_scope());
        let values: Vec<_> = locals.iter().map(|&local| self.value(local)).collect();
        let targets: Vec<_> = functions.iter().map(|function| (function.id, function.place)).collect();
        self.declare_locals(targets.iter());
        self.begin_coroutine(*id, *place, *wrapped, "");
        self.indented(|inner| {
            inner.state(&names, &values);
            inner.assign_functions(functions, &names);
            let first = name(&names, 0);
            let exchange = format!("{first} = coroutine.yield({first})");
            inner.push(if *yields > 1 { format!("for _ = 1, {yields} do {exchange} end") } else { exchange });
            inner.push(if *fails { format!("error({first}, 0)") } else { format!("return {first}") });
        });
        self.push("end)");
        self.resume(*id, Value::Nil);
    }

    pub(super) fn load_function(&mut self, load: &LoadFunction) {
        let LoadFunction { id, place, locals, body, parts, steps, environment } = load;
        self.use_helper(Helper::Pieces);
        let names = state_names(locals.len(), "");
        let values: Vec<_> = locals.iter().map(|&local| self.value(local)).collect();
        let (before, after) = match environment.map(|table| self.table(table)) {
            None => ("", String::new()),
            Some(table) if self.has(Feature::Load) => ("", format!(", \"t\", {table}")),
            Some(table) => ("setfenv(", format!("), {table}")),
        };
        let target = self.function_target(*id, *place);
        self.push(format!("{target} = {before}load(pieces([["));
        self.indented(|inner| {
            inner.state(&names, &values);
            for part in 1..=*parts {
                let last = name(&names, part % (names.len() as u8).max(1));
                inner.push(format!("local function p{part}() return {last}, \"c{part}\", {part}.5 end"));
            }
            inner.push_all("return ", body.lines(&names), "");
        });
        self.push(format!("]], {steps}), \"=chunk\"{after})()"));
    }

    pub(super) fn factory(&mut self, NewFactory { id, parameters, functions }: &NewFactory) {
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

    pub(super) fn module(&mut self, NewModule { id, text, locals, functions }: &NewModule) {
        let names = state_names(locals.len(), "");
        let values: Vec<_> = locals.iter().map(|&local| self.value(local)).collect();
        let (first, last) = if *text {
            (format!("{}([[", self.text_loader()), format!("]], \"={id}\")"))
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

    pub(super) fn reload(&mut self, Reload { module, keep, in_place }: &Reload) {
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
        self.push(format!("debug.setupvalue({function}, {upvalue}, {})", upvalue_text(from, from_upvalue)));
    }

    pub(super) fn hot_fix(&mut self, HotFix { id, place, old, locals, body, share, replace }: &HotFix) {
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
}
