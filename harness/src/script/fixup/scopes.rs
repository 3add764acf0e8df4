//! Fixup of what makes functions: scopes, modules, hot fixes and loaded text.

use super::*;

/// The most often that the coroutine of a scope yields.
const MAX_YIELDS: u8 = 6;
/// The most functions that a loaded text has besides the one that it gives.
const MAX_PARTS: u8 = 12;

/// Fixes the locals of a chunk that may run when variables of the script are gone; text cannot see its locals at all.
fn restrict_locals(locals: &mut [Value], text: bool) {
    for local in locals {
        if matches!(local, Value::Table(_) | Value::Function(_)) || (text && matches!(local, Value::NewClosure(_))) {
            *local = Value::NewTable;
        }
    }
}

impl Fixer {
    pub(super) fn scope(&mut self, scope: &mut NewScope) -> Option<()> {
        let NewScope { open, locals, functions } = scope;
        let count = self.scope_locals(locals);
        if *open {
            // All of them, or none: a scope that is half open does not exist.
            *open = self.locals + locals.len() <= self.max_locals();
            self.locals += if *open { locals.len() } else { 0 };
        }
        self.scope_functions(functions, count)
    }

    /// Fixes and defines the functions of a scope that has `locals` locals.
    pub(super) fn scope_functions(&mut self, functions: &mut Vec<NewFunction>, locals: u8) -> Option<()> {
        functions.truncate(4);
        if functions.is_empty() {
            return None;
        }
        for function in functions.iter_mut() {
            function.body.fixup(locals);
            self.place(&mut function.place);
        }
        for function in functions {
            let shape = function.body.shape();
            self.define_function(&mut function.id, function.place, shape, false);
        }
        Some(())
    }

    pub(super) fn closed_scope(&mut self, scope: &mut ClosedScope) -> Option<()> {
        let ClosedScope { closing: _, locals, functions, steps, value, joined } = scope;
        *steps = (*steps).min(MAX_STEPS);
        let count = self.scope_locals(locals);
        self.value(value);
        if let Some((function, upvalue)) = joined
            && self.upvalue(function, upvalue).is_none()
        {
            *joined = None;
        }
        self.scope_functions(functions, count)
    }

    pub(super) fn coroutine_scope(&mut self, scope: &mut CoroutineScope) -> Option<()> {
        let CoroutineScope { id, place, wrapped, locals, functions, yields, fails } = scope;
        *yields = (*yields).clamp(1, MAX_YIELDS);
        let count = self.scope_locals(locals);
        self.scope_functions(functions, count)?;
        self.define_coroutine(id, place, *wrapped);
        self.coroutine_may_fail |= *fails;
        Some(())
    }

    pub(super) fn load_function(&mut self, load: &mut LoadFunction) -> Option<()> {
        let LoadFunction { id, place, locals, body, parts, steps, environment } = load;
        *parts = (*parts).min(MAX_PARTS);
        *steps = (*steps).min(MAX_STEPS / (*parts + 4));
        self.loaded_function(id, place, locals, body, environment);
        Some(())
    }

    pub(super) fn attributed_local(&mut self, local: &mut AttributedLocal) {
        let AttributedLocal { id, place, variable: _, value, loaded, steps } = local;
        *steps = (*steps).min(MAX_STEPS);
        if *loaded {
            restrict_locals(std::slice::from_mut(value), true);
        }
        self.value(value);
        self.place(place);
        self.define_function(id, *place, Shape::opaque(1), false);
    }

    /// Fixes a function that a text gives, which has these locals to capture.
    pub(super) fn loaded_function(
        &mut self,
        id: &mut FunctionId,
        place: &mut Place,
        locals: &mut Vec<Value>,
        body: &mut Body,
        environment: &mut Option<TableId>,
    ) {
        restrict_locals(locals, true);
        let count = self.scope_locals(locals);
        body.fixup(count);
        self.environment(environment, body);
        self.place(place);
        self.define_function(id, *place, body.shape(), false);
    }

    /// Fixes the environment of a text that gives a function with this body.
    fn environment(&mut self, environment: &mut Option<TableId>, body: &Body) {
        if let Some(table) = environment {
            // Counting calls `tonumber`, which an environment of its own does not have.
            let counts = matches!(body.result, FunctionResult::Count(_));
            if counts || self.plain_table(table).is_none() {
                *environment = None;
            }
        }
    }

    pub(super) fn module(&mut self, module: &mut NewModule) -> Option<()> {
        let NewModule { id, text, locals, functions } = module;
        functions.truncate(3);
        if functions.is_empty() || !self.take_local() {
            return None;
        }
        restrict_locals(locals, *text);
        let count = self.scope_locals(locals);
        let new = self.number(3);
        let block = self.current_block;
        self.modules.push(Variable { old: id.0, new, block, gone: false, place: Place::Local, info: () });
        id.0 = new;
        for function in functions {
            function.place = Place::Local;
            function.body.fixup(count);
            let shape = function.body.shape();
            self.define_function(&mut function.id, Place::Local, shape, true);
        }
        Some(())
    }

    pub(super) fn hot_fix(&mut self, fix: &mut HotFix) -> Option<()> {
        let HotFix { id, place, old, locals, body, share: _, replace } = fix;
        let old_shape = self.function_where(old, |function| function.shape.upvalues() > 0)?;
        let old_count = old_shape.upvalues();
        locals.truncate(MAX_SCOPE_LOCALS);
        if locals.is_empty() {
            locals.push(FixLocal::Old(1));
        }
        for local in locals.iter_mut() {
            match local {
                FixLocal::Old(upvalue) if !(1..=old_count).contains(upvalue) => *upvalue = 1 + *upvalue % old_count,
                FixLocal::Old(_) => {}
                FixLocal::Own(value) => self.value(value),
            }
        }
        body.fixup(locals.len() as u8);
        let shape = body.shape();
        // Whoever uses the old function by its name relies on its shape.
        *replace &= shape.upvalues() >= old_count && old_shape.returns_closure.is_none();
        self.place(place);
        self.define_function(id, *place, shape, false);
        Some(())
    }
}
