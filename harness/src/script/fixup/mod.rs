//! Makes any model valid.
//!
//! Fixup walks a script in the order in which it runs, knows which variables are visible at each point and what they
//! hold, numbers them anew, and turns references to others into references to visible ones, or drops the operation
//! where there is none. It is idempotent: a script that went through it is not changed by it again.
//!
//! What it enforces, beyond references:
//! - bounded sizes: operations, nesting, iterations, locals and upvalues;
//! - tables that are weak are used only where it makes no difference when their entries go away;
//! - a table whose weakness changes holds only fresh objects, and variables that keep their tables to the end. When such a
//!   table loses an entry is uncertain, and nothing that is printed may depend on it. A table that may have the links of a
//!   chain never gets weak values alone;
//! - no chain of objects takes more than two collections to go away: tables with weak values and strong keys have only
//!   fresh objects as keys;
//! - list items have no holes, since `#` may then be any border;
//! - a variable is released or moved only where no coroutine may still use it by its old name;
//! - what finalizers do is settled after two full collections: an object that is set up for its finalizer again is no key of
//!   a weak table, and an object that its finalizer keeps alive holds nothing of which anybody counts the end. A variable that
//!   such an object held would end or not, as the object was finalized before the variable was released or after;
//! - once an error may have ended a coroutine, survivors of a collection are not counted: whether the stack of a dead
//!   coroutine keeps its values alive is up to the implementation. The same holds inside of callbacks, where registers that
//!   are in use no more may keep values alive;
//! - no stack overflows where finalizers may run, which would fail for want of room;
//! - `os.exit` is at the end of the main chunk;
//! - the language has what operations need: others are dropped, or say something else (`language`).

mod flow;
mod heap;
mod language;
mod scopes;

use std::collections::HashSet;

use super::function::MAX_SCOPE_LOCALS;
use super::payload::{MAX_MIX, MAX_STEPS};
use super::*;
use crate::language::{Feature, Language};

/// What fixup does with a reference to a variable that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// It takes another variable of the same kind.
    Replace,
    /// It drops the operation, or the value.
    Remove,
}

/// The most operations that a script may have.
const MAX_OPERATIONS: usize = 160;
/// The most locals, over all functions of the script: far below Lua's 200 a function.
const MAX_LOCALS: usize = 110;
/// The most blocks inside each other.
const MAX_DEPTH: usize = 3;
/// The most often that any operation runs.
const MAX_ITERATIONS: u8 = 12;
/// The most objects that one operation makes.
const MAX_ITEMS: u8 = 120;
/// The most objects that get a finalizer at once: the sweep of so many takes several steps.
const MAX_FINALIZED: u8 = 200;
/// The most entries of a chain of ephemerons.
const MAX_LINKS: u8 = 60;
/// The deepest recursion: every level passes on one more argument.
const MAX_RECURSION: u8 = 60;
/// The number of the block of the main chunk.
const MAIN_BLOCK: usize = 0;

impl Script {
    /// Makes the script valid in a language.
    pub fn fixup(&mut self, repair: Repair, language: &Language) {
        let mut fixer = Fixer::new(repair, *language);
        fixer.block(&mut self.body);
    }
}

/// A variable that the walk has come across.
struct Variable<T> {
    /// Its number before fixup.
    old: u16,
    /// Its number now.
    new: u16,
    /// The block that defines it.
    block: usize,
    /// Whether it was released, or lives in a table that was.
    gone: bool,
    place: Place,
    info: T,
}

#[derive(Clone, Copy, Default)]
struct TableInfo {
    /// What is weak, at first.
    weakness: Option<Weakness>,
    /// Whether that may change.
    changes: bool,
}

impl TableInfo {
    /// Whether the table may have the links of a chain as entries. It never has weak values and strong keys.
    fn links(&self, language: &Language) -> bool {
        match self.weakness {
            // Where it holds its values, each collection takes one link away. Nobody must count them.
            Some(Weakness::Keys) => self.changes || language.has(Feature::Ephemerons),
            Some(Weakness::Both) => !self.changes,
            Some(Weakness::Values) | None => false,
        }
    }

    fn is_weak(&self) -> bool {
        self.weakness.is_some()
    }
}

struct FunctionInfo {
    shape: Shape,
    /// Functions of a module live in its table, by a path that only the module changes.
    in_module: bool,
}

struct CoroutineInfo {
    wrapped: bool,
}

struct Fixer {
    repair: Repair,
    language: Language,
    operations: usize,
    locals: usize,
    blocks: usize,
    current_block: usize,
    depth: usize,
    /// How many operations follow in the same block.
    following: usize,
    iterations: u8,
    in_coroutine: bool,
    in_protected: bool,
    /// Inside of a callback, out of which nothing yields, and where nothing counts who survives.
    in_callback: bool,
    coroutine_may_fail: bool,
    next: [u16; 5],
    tables: Vec<Variable<TableInfo>>,
    functions: Vec<Variable<FunctionInfo>>,
    factories: Vec<Variable<Vec<Shape>>>,
    modules: Vec<Variable<()>>,
    coroutines: Vec<Variable<CoroutineInfo>>,
    /// Variables that must stay where they are: the body of a coroutine mentions them by name, or their ends would not be
    /// certain.
    held_tables: HashSet<u16>,
    held_functions: HashSet<u16>,
}

/// Finds the variable that `id` refers to, or one to take instead of it.
fn resolve<T>(
    variables: &[Variable<T>],
    id: u16,
    repair: Repair,
    accept: impl Fn(&Variable<T>) -> bool,
) -> Option<&Variable<T>> {
    let fits = |variable: &&Variable<T>| !variable.gone && accept(variable);
    if let Some(found) = variables.iter().rev().filter(fits).find(|variable| variable.old == id) {
        return Some(found);
    }
    match repair {
        Repair::Remove => None,
        Repair::Replace => {
            let count = variables.iter().filter(fits).count();
            if count == 0 {
                return None;
            }
            variables.iter().filter(fits).nth(usize::from(id) % count)
        }
    }
}

impl Fixer {
    fn new(repair: Repair, language: Language) -> Self {
        Fixer {
            repair,
            language,
            operations: 0,
            locals: 0,
            blocks: 0,
            current_block: 0,
            depth: 0,
            following: 0,
            iterations: 1,
            in_coroutine: false,
            in_protected: false,
            in_callback: false,
            coroutine_may_fail: false,
            next: [0; 5],
            tables: Vec::new(),
            functions: Vec::new(),
            factories: Vec::new(),
            modules: Vec::new(),
            coroutines: Vec::new(),
            held_tables: HashSet::new(),
            held_functions: HashSet::new(),
        }
    }

    /// Fixes a block whose variables are not visible after it.
    fn block(&mut self, block: &mut Block) {
        let outer = self.current_block;
        self.current_block = self.blocks;
        self.blocks += 1;
        let visible =
            [self.tables.len(), self.functions.len(), self.factories.len(), self.modules.len(), self.coroutines.len()];
        let mut following = block.len();
        block.retain_mut(|operation| {
            if self.operations >= MAX_OPERATIONS {
                return false;
            }
            self.operations += 1;
            following -= 1;
            self.following = following;
            let keep = self.operation(operation).is_some();
            if !keep {
                self.operations -= 1;
            }
            keep
        });
        self.tables.truncate(visible[0]);
        self.functions.truncate(visible[1]);
        self.factories.truncate(visible[2]);
        self.modules.truncate(visible[3]);
        self.coroutines.truncate(visible[4]);
        self.current_block = outer;
    }

    fn number(&mut self, kind: usize) -> u16 {
        self.next[kind] += 1;
        self.next[kind]
    }

    fn take_local(&mut self) -> bool {
        let free = self.locals < self.max_locals();
        self.locals += usize::from(free);
        free
    }

    /// Fixes where a new variable lives.
    fn place(&mut self, place: &mut Place) {
        if let Place::Field(table) = place
            && self.plain_table(table).is_none()
        {
            *place = Place::Local;
        }
        if *place == Place::Local && !self.take_local() {
            *place = Place::Global;
        }
    }

    fn define_table(&mut self, id: &mut TableId, place: Place, info: TableInfo) {
        let new = self.number(0);
        let block = self.current_block;
        self.tables.push(Variable { old: id.0, new, block, gone: false, place, info });
        id.0 = new;
    }

    fn define_function(&mut self, id: &mut FunctionId, place: Place, shape: Shape, in_module: bool) {
        let new = self.number(1);
        let block = self.current_block;
        let info = FunctionInfo { shape, in_module };
        self.functions.push(Variable { old: id.0, new, block, gone: false, place, info });
        id.0 = new;
    }

    fn define_coroutine(&mut self, id: &mut CoroutineId, place: &mut Place, wrapped: bool) {
        self.place(place);
        let new = self.number(4);
        let block = self.current_block;
        let info = CoroutineInfo { wrapped };
        self.coroutines.push(Variable { old: id.0, new, block, gone: false, place: *place, info });
        id.0 = new;
    }

    /// Lets a variable stay where it is, if a coroutine mentions it.
    fn hold_table(&mut self, id: u16) {
        if self.in_coroutine {
            self.keep_table(id);
        }
    }

    /// Lets a variable stay where it is.
    fn keep_table(&mut self, id: u16) {
        let mut next = Some(id);
        while let Some(id) = next
            && self.held_tables.insert(id)
        {
            next = self.tables.iter().find(|table| table.new == id).and_then(|table| match table.place {
                Place::Field(outer) => Some(outer.0),
                _ => None,
            });
        }
    }

    fn any_table(&mut self, id: &mut TableId, accept: impl Fn(&Variable<TableInfo>) -> bool) -> Option<()> {
        id.0 = resolve(&self.tables, id.0, self.repair, accept)?.new;
        self.hold_table(id.0);
        Some(())
    }

    /// Fixes a reference to a table whose weakness does not change.
    fn steady_table(&mut self, id: &mut TableId) -> Option<()> {
        self.any_table(id, |table| !table.info.changes)
    }

    fn plain_table(&mut self, id: &mut TableId) -> Option<()> {
        self.any_table(id, |table| !table.info.is_weak())
    }

    /// Fixes a reference to a function and returns the function's shape.
    fn function(&mut self, id: &mut FunctionId) -> Option<Shape> {
        self.function_where(id, |_| true)
    }

    fn optional_function(&mut self, function: &mut Option<FunctionId>) {
        if let Some(id) = function
            && self.function(id).is_none()
        {
            *function = None;
        }
    }

    fn function_where(&mut self, id: &mut FunctionId, accept: impl Fn(&FunctionInfo) -> bool) -> Option<Shape> {
        let function = resolve(&self.functions, id.0, self.repair, |function| accept(&function.info))?;
        id.0 = function.new;
        let (shape, place) = (function.info.shape.clone(), function.place);
        if self.in_coroutine {
            self.held_functions.insert(id.0);
            if let Place::Field(table) = place {
                self.hold_table(table.0);
            }
        }
        Some(shape)
    }

    /// Fixes a reference to an upvalue.
    fn upvalue(&mut self, function: &mut FunctionId, upvalue: &mut u8) -> Option<()> {
        let count = self.function_where(function, |function| function.shape.upvalues() > 0)?.upvalues();
        if !(1..=count).contains(upvalue) {
            *upvalue = 1 + *upvalue % count;
        }
        Some(())
    }

    fn value(&mut self, value: &mut Value) {
        let found = match value {
            Value::Table(table) => self.any_table(table, |_| true).is_some(),
            Value::Function(function) => self.function(function).is_some(),
            Value::Nil
            | Value::Boolean(_)
            | Value::Integer(_)
            | Value::String(_)
            | Value::FreshString(_)
            | Value::LongString(_)
            | Value::NewTable
            | Value::Record(_)
            | Value::NewClosure(_) => true,
        };
        if !found {
            *value = Value::NewTable;
        }
    }

    /// Fixes a value that must not be nil.
    fn item(&mut self, value: &mut Value) {
        self.value(value);
        if *value == Value::Nil {
            *value = Value::NewTable;
        }
    }

    /// Fixes the locals of a scope and returns their number, at least 1.
    fn scope_locals(&mut self, locals: &mut Vec<Value>) -> u8 {
        locals.truncate(MAX_SCOPE_LOCALS);
        if locals.is_empty() {
            locals.push(Value::NewTable);
        }
        locals.iter_mut().for_each(|local| self.value(local));
        locals.len() as u8
    }

    fn nested(&mut self, body: &mut Block, in_coroutine: bool, in_protected: bool) -> Option<()> {
        if self.depth >= MAX_DEPTH {
            return None;
        }
        let outer = (self.in_coroutine, self.in_protected);
        (self.in_coroutine, self.in_protected) = (in_coroutine, in_protected);
        self.depth += 1;
        self.block(body);
        self.depth -= 1;
        (self.in_coroutine, self.in_protected) = outer;
        Some(())
    }

    /// The variable behind `object`, if nothing but code of this block uses it by name.
    fn movable(&mut self, object: &mut Object) -> Option<()> {
        let block = self.current_block;
        match object {
            Object::Table(id) => {
                let held = &self.held_tables;
                let accept = |table: &Variable<TableInfo>| table.block == block && !held.contains(&table.new);
                id.0 = resolve(&self.tables, id.0, self.repair, accept)?.new;
            }
            Object::Function(id) => {
                let held = &self.held_functions;
                let accept = |function: &Variable<FunctionInfo>| {
                    function.block == block && !held.contains(&function.new) && !function.info.in_module
                };
                id.0 = resolve(&self.functions, id.0, self.repair, accept)?.new;
            }
        }
        Some(())
    }

    /// Whether the way to `table` leads through `through`.
    fn lives_in(&self, table: TableId, through: TableId) -> bool {
        let mut current = table;
        loop {
            if current == through {
                return true;
            }
            match self.tables.iter().find(|variable| variable.new == current.0).map(|variable| variable.place) {
                // A table lives in an older one, or was moved to one that does not live in it: the way ends.
                Some(Place::Field(outer)) => current = outer,
                _ => return false,
            }
        }
    }

    fn release(&mut self, object: Object) {
        match object {
            Object::Function(id) => {
                self.functions.iter_mut().filter(|function| function.new == id.0).for_each(|f| f.gone = true);
            }
            Object::Table(id) => {
                let lost: Vec<_> = self.tables.iter().map(|table| self.lives_in(TableId(table.new), id)).collect();
                let lost_functions: Vec<_> = self
                    .functions
                    .iter()
                    .map(|function| matches!(function.place, Place::Field(table) if self.lives_in(table, id)))
                    .collect();
                let lost_coroutines: Vec<_> = self
                    .coroutines
                    .iter()
                    .map(|coroutine| matches!(coroutine.place, Place::Field(table) if self.lives_in(table, id)))
                    .collect();
                self.tables.iter_mut().zip(lost).for_each(|(table, lost)| table.gone |= lost);
                self.functions.iter_mut().zip(lost_functions).for_each(|(f, lost)| f.gone |= lost);
                self.coroutines.iter_mut().zip(lost_coroutines).for_each(|(c, lost)| c.gone |= lost);
            }
        }
    }

    fn move_object(&mut self, object: Object, place: &mut Place) -> Option<()> {
        if let Place::Field(table) = place {
            self.plain_table(table)?;
            if let Object::Table(moved) = object
                && self.lives_in(*table, moved)
            {
                return None;
            }
        }
        let current = match object {
            Object::Table(id) => &mut self.tables.iter_mut().find(|table| table.new == id.0)?.place,
            Object::Function(id) => &mut self.functions.iter_mut().find(|function| function.new == id.0)?.place,
        };
        if *current == *place || *place == Place::Local {
            return None;
        }
        *current = *place;
        Some(())
    }

    /// Fixes one operation; `None` drops it.
    fn operation(&mut self, operation: &mut Operation) -> Option<()> {
        self.translate(operation)?;
        match operation {
            Operation::NewTable(NewTable { id, place, items }) => {
                items.truncate(3);
                items.iter_mut().for_each(|item| self.item(item));
                self.place(place);
                self.define_table(id, *place, TableInfo::default());
            }
            Operation::NewWeakTable(NewWeakTable { id, place, weakness, changes }) => {
                self.place(place);
                self.define_table(id, *place, TableInfo { weakness: Some(*weakness), changes: *changes });
            }
            Operation::NewList(NewList { id, place, before, steps, after }) => {
                (*before, *after) = ((*before).min(MAX_ITEMS), (*after).min(MAX_ITEMS));
                *steps = (*steps).min(MAX_STEPS);
                self.place(place);
                self.define_table(id, *place, TableInfo::default());
            }
            Operation::NewScope(scope) => self.scope(scope)?,
            Operation::ClosedScope(scope) => self.closed_scope(scope)?,
            Operation::CoroutineScope(scope) => self.coroutine_scope(scope)?,
            Operation::LoadFunction(load) => self.load_function(load)?,
            Operation::ReadFunction(read) => self.read_function(read)?,
            Operation::CopyFunction(copy) => self.copy_function(copy)?,
            Operation::AttributedLocal(local) => self.attributed_local(local),
            Operation::ChangeWeakness(changed) => self.change_weakness(changed)?,
            Operation::EmptyTable(empty) => self.empty_table(empty)?,
            Operation::GrowTable(grow) => self.grow_table(grow)?,
            Operation::InternStrings(strings) => self.intern_strings(strings),
            Operation::LateField(late) => self.late_field(late),
            Operation::SetNativeUpvalue(SetNativeUpvalue { native: _, value, times }) => {
                *times = (*times).clamp(1, MAX_STEPS);
                self.value(value);
            }
            Operation::DropCoroutine(drop) => self.drop_coroutine(drop)?,
            Operation::RuntimeErrors(RuntimeErrors { hundreds }) => *hundreds = (*hundreds).clamp(1, 8),
            Operation::SwitchMode(SwitchMode { generational: _, steps }) => *steps = (*steps).min(MAX_STEPS),
            Operation::NewFactory(NewFactory { id, parameters, functions }) => {
                *parameters = (*parameters).clamp(1, MAX_SCOPE_LOCALS as u8);
                functions.truncate(3);
                if functions.is_empty() || !self.take_local() {
                    return None;
                }
                functions.iter_mut().for_each(|body| body.fixup(*parameters));
                let info = functions.iter().map(Body::shape).collect();
                let new = self.number(2);
                let block = self.current_block;
                let place = Place::Local;
                self.factories.push(Variable { old: id.0, new, block, gone: false, place, info });
                id.0 = new;
            }
            Operation::Instantiate(Instantiate { factory, arguments, functions }) => {
                let found = resolve(&self.factories, factory.0, self.repair, |_| true)?;
                factory.0 = found.new;
                let shapes = found.info.clone();
                arguments.truncate(MAX_SCOPE_LOCALS);
                arguments.iter_mut().for_each(|argument| self.value(argument));
                functions.truncate(shapes.len());
                if functions.is_empty() {
                    return None;
                }
                functions.iter_mut().for_each(|target| self.place(&mut target.place));
                for (target, shape) in functions.iter_mut().zip(shapes) {
                    self.define_function(&mut target.id, target.place, shape, false);
                }
            }
            Operation::CallMaker(CallMaker { id, place, maker, argument }) => {
                let shape = self.function_where(maker, |function| function.shape.returns_closure.is_some())?;
                self.value(argument);
                self.place(place);
                self.define_function(id, *place, Shape::opaque(shape.returns_closure?), false);
            }
            Operation::PickFunction(PickFunction { id, place, table, key: _, otherwise }) => {
                self.plain_table(table)?;
                self.function_where(otherwise, |function| function.shape.upvalues() > 0)?;
                self.place(place);
                self.define_function(id, *place, Shape::opaque(1), false);
            }
            Operation::NewModule(module) => self.module(module)?,
            Operation::Reload(Reload { module, keep: _, in_place: _ }) => {
                module.0 = resolve(&self.modules, module.0, self.repair, |_| true)?.new;
            }
            Operation::HotFix(fix) => self.hot_fix(fix)?,
            Operation::NewCoroutine(NewCoroutine { id, place, wrapped, body }) => {
                let outer = std::mem::replace(&mut self.in_callback, false);
                let nested = self.nested(body, true, false);
                self.in_callback = outer;
                nested?;
                self.define_coroutine(id, place, *wrapped);
            }
            Operation::Resume(Resume { coroutine, argument }) => {
                self.coroutine(coroutine, |_| true)?;
                self.value(argument);
            }
            Operation::CloseCoroutine(CloseCoroutine { coroutine }) => {
                // `coroutine.wrap` does not give its thread away.
                self.coroutine(coroutine, |coroutine| !coroutine.wrapped)?;
            }
            Operation::Yield(Yield { value }) => {
                let across = self.in_protected && !self.language.has(Feature::YieldAcrossCalls);
                if !self.in_coroutine || self.in_callback || across {
                    return None;
                }
                self.value(value);
            }
            Operation::SetField(SetField { table, key: _, value, raw: _ })
            | Operation::SetLongKey(SetLongKey { table, number: _, value })
            | Operation::CloseVariable(CloseVariable { table, key: _, value, returned: _ }) => {
                self.store(table, &mut [value])?
            }
            Operation::SetKey(SetKey { table, key, value }) => {
                self.store(table, &mut [key, value])?;
                // Other keys would make holes in lists, or be the names of fields.
                if !matches!(key, Value::NewTable | Value::NewClosure(_) | Value::Table(_) | Value::Function(_)) {
                    *key = Value::NewTable;
                }
                // Where keys or values are strong, chains of them would take a collection for each link.
                let weakness = self.tables.iter().find(|variable| variable.new == table.0)?.info.weakness;
                match weakness {
                    Some(Weakness::Values) => key.make_fresh(),
                    Some(Weakness::Keys) if !self.language.has(Feature::Ephemerons) => value.make_fresh(),
                    _ => {}
                }
            }
            Operation::Append(Append { table, value }) => {
                self.plain_table(table)?;
                self.item(value);
            }
            Operation::TableCall(TableCall { table, call }) => {
                self.plain_table(table)?;
                match call {
                    TableFunction::Insert(value) => self.item(value),
                    TableFunction::Move(other) => self.plain_table(other)?,
                    TableFunction::Remove | TableFunction::Repack(_) => {}
                }
            }
            Operation::SetMetatable(SetMetatable { table, index, newindex: _, call, gc: _ }) => {
                self.plain_table(table)?;
                if let Index::Table(indexed) = index {
                    let new = table.0;
                    if self.any_table(indexed, |other| !other.info.is_weak() && other.new < new).is_none() {
                        *index = Index::Function;
                    }
                }
                self.optional_function(call);
            }
            Operation::ShareMetatable(ShareMetatable { table, from }) => {
                self.plain_table(table)?;
                let new = table.0;
                self.any_table(from, |other| !other.info.is_weak() && other.new < new)?;
            }
            Operation::NewFinalizable(NewFinalizable { table, key: _, as_key, content, finalizer }) => {
                if let Some(holder) = table
                    && self.steady_table(holder).is_none()
                {
                    *table = None;
                }
                *as_key &= *finalizer != Finalizer::Again;
                if finalizer.keeps_alive() && matches!(content, Value::Table(_) | Value::Function(_)) {
                    *content = Value::NewTable;
                }
                self.value(content);
            }
            Operation::FinalizeMany(FinalizeMany { count, steps, swept }) => {
                *count = (*count).clamp(1, MAX_FINALIZED);
                *steps = (*steps).min(MAX_STEPS);
                *swept = swept.map(|steps| steps.min(MAX_STEPS));
            }
            Operation::FinalizeNested(nested) => self.finalize_nested(nested)?,
            Operation::EphemeronChain(chain) => self.ephemeron_chain(chain)?,
            Operation::MoveObject(MoveObject { object, place }) => {
                if self.in_coroutine {
                    return None;
                }
                self.movable(object)?;
                self.move_object(*object, place)?;
            }
            Operation::Release(Release { object }) => {
                if self.in_coroutine {
                    return None;
                }
                self.movable(object)?;
                self.release(*object);
            }
            Operation::SetUpvalue(SetUpvalue { function, upvalue, value }) => {
                self.upvalue(function, upvalue)?;
                self.value(value);
            }
            Operation::UpvalueJoin(UpvalueJoin { function, upvalue, from, from_upvalue }) => {
                self.upvalue(function, upvalue)?;
                self.upvalue(from, from_upvalue)?;
            }
            Operation::CopyUpvalue(CopyUpvalue { function, upvalue, table, key: _ }) => {
                self.upvalue(function, upvalue)?;
                self.steady_table(table)?;
            }
            Operation::Call(Call { function, argument, result }) => {
                self.function(function)?;
                self.value(argument);
                if let Some((table, _)) = result
                    && self.steady_table(table).is_none()
                {
                    *result = None;
                }
            }
            Operation::Show(Show { object }) => match object {
                Object::Table(table) => self.any_table(table, |_| true)?,
                Object::Function(function) => drop(self.function(function)?),
            },
            Operation::ShowCall(ShowCall { function, argument }) => {
                self.function(function)?;
                self.value(argument);
            }
            Operation::ShowUpvalue(ShowUpvalue { function, upvalue }) => self.upvalue(function, upvalue)?,
            Operation::ShowField(ShowField { table, key: _ }) => self.plain_table(table)?,
            Operation::CompareUpvalues(CompareUpvalues { function, upvalue, other, other_upvalue }) => {
                self.upvalue(function, upvalue)?;
                self.upvalue(other, other_upvalue)?;
            }
            Operation::Step(Step { size, times }) => {
                *size = (*size).min(16);
                *times = (*times).clamp(1, MAX_STEPS);
            }
            Operation::FullCollection(_)
            | Operation::StopCollector(_)
            | Operation::RestartCollector(_)
            | Operation::ShowRunning(_) => {}
            Operation::ForgetSaved(_) => {
                if self.in_coroutine || self.in_callback {
                    return None;
                }
            }
            Operation::SetPace(SetPace { pause, multiplier, size }) => {
                *pause = (*pause).clamp(10, 400);
                *multiplier = (*multiplier).clamp(4, 400);
                *size = (*size).clamp(1, 13);
            }
            Operation::SetGenerational(SetGenerational { minor, major }) => {
                *minor = (*minor).clamp(1, 100);
                *major = (*major).clamp(4, 400);
            }
            Operation::CountWeak(CountWeak { table }) => {
                self.may_count_survivors()?;
                self.any_table(table, |table| table.info.is_weak() && !table.info.changes)?;
            }
            Operation::CountFinalized(_) => self.may_count_survivors()?,
            Operation::Loop(Loop { times, body }) => {
                let outer = self.iterations;
                *times = (*times).clamp(1, (MAX_ITERATIONS / outer).max(1));
                self.iterations = outer * *times;
                let nested = self.nested(body, self.in_coroutine, self.in_protected);
                self.iterations = outer;
                nested?;
                if body.is_empty() {
                    return None;
                }
            }
            Operation::Protected(Protected { handler: _, body }) => {
                self.nested(body, self.in_coroutine, true)?;
                if body.is_empty() {
                    return None;
                }
            }
            Operation::Throw(Throw { error }) => {
                if !self.in_protected {
                    if !self.in_coroutine {
                        return None;
                    }
                    self.coroutine_may_fail = true;
                }
                if let Error::Value(value) = error {
                    self.value(value);
                }
            }
            Operation::Garbage(Garbage { kind: _, count }) | Operation::Strings(Strings { build: _, count }) => {
                *count = (*count).clamp(1, 8);
            }
            Operation::LoadChunk(LoadChunk { table, key: _, other: _, set: _ }) => self.plain_table(table)?,
            Operation::CallTable(CallTable { table, argument }) => {
                self.plain_table(table)?;
                self.value(argument);
            }
            Operation::RebuildStrings(RebuildStrings { table, key: _, as_key: _, count }) => {
                self.any_table(table, |_| true)?;
                *count = (*count).clamp(1, MAX_STEPS);
            }
            Operation::DeepCall(DeepCall { depth, steps }) => {
                *depth = (*depth).min(MAX_RECURSION);
                *steps = (*steps).min(MAX_STEPS);
            }
            Operation::SuspendedScope(scope) => self.suspended_scope(scope)?,
            Operation::MisplacedResume(MisplacedResume { status: _, call: _, steps }) => {
                *steps = (*steps).min(MAX_STEPS);
            }
            Operation::Callback(callback) => self.callback(callback)?,
            Operation::HookedCall(call) => self.hooked_call(call)?,
            Operation::Tower(tower) => self.tower(tower),
            Operation::PendingClose(PendingClose { value }) => {
                self.take_local().then_some(())?;
                self.value(value);
            }
            Operation::EndObject(EndObject { value, fails: _ }) => self.value(value),
            Operation::Exit(exit) => self.exit(exit)?,
            Operation::ReuseFailed(ReuseFailed { what: _, error, steps }) => {
                *steps = (*steps).min(MAX_STEPS);
                self.value(error);
            }
            Operation::DebugProbe(DebugProbe { function, .. }) => drop(self.function(function)?),
            Operation::Mix(Mix { rounds, start: _ }) => *rounds = (*rounds).clamp(1, MAX_MIX),
            Operation::SetTypeMetatable(SetTypeMetatable { of: _, value, index, call, clear: _ }) => {
                self.value(value);
                if let Index::Table(table) = index
                    && self.plain_table(table).is_none()
                {
                    *index = Index::Function;
                }
                self.optional_function(call);
            }
            Operation::ShowType(ShowType { of: _, usage }) => {
                if let TypeUsage::Call(argument) = usage {
                    self.value(argument);
                }
            }
        }
        Some(())
    }

    /// Whether an error may have ended a coroutine before this point runs. In loops and coroutines it may run later
    /// than the walk sees it.
    fn may_count_survivors(&self) -> Option<()> {
        (!self.coroutine_may_fail && self.is_plain_main()).then_some(())
    }

    /// Whether what runs here runs once, and called by nothing but calls of the main chunk.
    fn is_plain_main(&self) -> bool {
        !self.in_coroutine && !self.in_callback && self.iterations == 1
    }

    fn coroutine(&mut self, id: &mut CoroutineId, accept: impl Fn(&CoroutineInfo) -> bool) -> Option<()> {
        let found = resolve(&self.coroutines, id.0, self.repair, |coroutine| accept(&coroutine.info))?;
        id.0 = found.new;
        if let Place::Field(table) = found.place {
            self.hold_table(table.0);
        }
        Some(())
    }
}
