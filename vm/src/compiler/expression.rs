//! Expressions: names, suffixes, calls, constructors, functions.
//!
//! They are walked by recursion: the parser bounds the height of the tree.
//!
//! The order of emission and the line at each point are those of a compiler that reads token by token, since the lines of
//! runtime errors come from there.

use super::constant::Text;
use super::function_state::Register;
use super::operand::{Operand, Place};
use super::scope::{Storage, Variable};
use super::{Compiler, Result};
use crate::bytecode::{Constant, Instruction, Opcode, UpvalueDescription};
use crate::syntax::ast::{Binary, Expression, ExpressionKind, Field, FunctionBody, Name, Span};
use std::rc::Rc;

/// How many list items of a constructor are stored at once.
const ITEMS_PER_FLUSH: usize = 50;

/// What a name means.
pub(super) enum Resolved {
    /// A variable, or a value known while compiling.
    Operand(Operand<'static>),
    /// A variable that cannot be assigned.
    ReadOnly(Operand<'static>),
    /// No variable: a field of `_ENV`.
    Global,
}

impl Compiler {
    /// Compile an expression up to its last operation.
    pub(super) fn expression<'t>(&mut self, expression: &'t Expression) -> Result<Operand<'t>> {
        let ExpressionKind::Binary(binary) = &expression.kind else {
            return self.operand(expression);
        };
        let Binary { operator, left, right, line } = &**binary;
        let left = self.expression(left)?;
        self.function.at_line(*line);
        let left = self.function.prepare_left(*operator, left);
        let right = self.expression(right)?;
        Ok(self.function.finish_binary(*operator, left, right, *line))
    }

    /// Compile an expression that is no binary operation.
    fn operand<'t>(&mut self, expression: &'t Expression) -> Result<Operand<'t>> {
        let place = match &expression.kind {
            ExpressionKind::Nil => Place::Nil,
            ExpressionKind::True => Place::True,
            ExpressionKind::False => Place::False,
            ExpressionKind::Integer(value) => Place::Integer(*value),
            ExpressionKind::Float(value) => Place::Float(*value),
            ExpressionKind::String(value) => Place::String(Text::String(value)),
            ExpressionKind::Vararg => Place::Vararg(self.function.emit_abc(Opcode::Vararg, 0, 0, 1)),
            ExpressionKind::Table(fields) => return self.table(fields, expression.span),
            ExpressionKind::Function(body) => return self.function_expression(body, false),
            ExpressionKind::Unary { operator, operand, line } => {
                self.function.at_line(*line);
                let operand = self.expression(operand)?;
                return Ok(self.function.unary(*operator, operand, *line));
            }
            ExpressionKind::Binary(_) => return self.expression(expression),
            ExpressionKind::Name(_)
            | ExpressionKind::Index(_)
            | ExpressionKind::Call(_)
            | ExpressionKind::MethodCall(_)
            | ExpressionKind::Parenthesized(_) => return self.suffixed(expression),
        };
        self.function.at_line(expression.span.end_line);
        Ok(place.into())
    }

    /// Compile a name or other primary expression with the indices and calls after it.
    pub(super) fn suffixed<'t>(&mut self, expression: &'t Expression) -> Result<Operand<'t>> {
        match &expression.kind {
            ExpressionKind::Name(name) => {
                self.function.at_line(expression.span.line);
                Ok(self.name(name))
            }
            ExpressionKind::Parenthesized(inner) => {
                let mut operand = self.expression(inner)?;
                self.function.at_line(expression.span.end_line);
                self.function.discharge(&mut operand);
                Ok(operand)
            }
            ExpressionKind::Index(index) => {
                let object = self.suffixed(&index.object)?;
                let table = self.function.load_table(object);
                let key = self.expression(&index.key)?;
                let key = self.function.load_value(key);
                self.function.at_line(expression.span.end_line);
                Ok(self.function.index(table, key))
            }
            ExpressionKind::MethodCall(call) => {
                let object = self.suffixed(&call.object)?;
                self.function.at_line(call.method.span.line);
                let base = self.method(object, &call.method.name);
                self.call(base, &call.arguments, call.line, expression.span.end_line)
            }
            ExpressionKind::Call(call) => {
                let function = self.suffixed(&call.function)?;
                let base = self.function.load_next_register(function);
                self.call(base, &call.arguments, call.line, expression.span.end_line)
            }
            _ => self.expression(expression),
        }
    }

    /// Emit what gets a method and its object; the register of the method.
    fn method(&mut self, object: Operand, name: &Name) -> Register {
        let function = &mut self.function;
        let object = function.load_any_register(object);
        function.free_register(object);
        let base = function.reserve(2);
        let name = Operand::from(Place::String(Text::Name(name)));
        match function.short_constant(&name) {
            Some(constant) => {
                function.emit_abc(Opcode::SelfK, base.0, object.0, constant);
            }
            None => {
                let key = function.load_any_register(name);
                function.emit_abc(Opcode::SelfR, base.0, object.0, key.0);
                function.free_register(key);
            }
        }
        base
    }

    /// Emit a call, from one line to another, of the function in `base`, which may be followed by arguments already.
    fn call<'t>(
        &mut self,
        base: Register,
        arguments: &'t [Expression],
        line: u32,
        end_line: u32,
    ) -> Result<Operand<'t>> {
        self.function.at_line(line);
        let mut is_open = false;
        let last = self.expressions(arguments)?;
        self.function.at_line(end_line);
        if let Some(last) = last {
            if last.place.is_multiple() {
                self.function.set_all_results(&last);
                is_open = true;
            } else {
                self.function.load_next_register(last);
            }
        }
        let function = &mut self.function;
        let count = if is_open { 0 } else { function.free.saturating_sub(base.0 as usize) };
        let pc = function.emit_abc(Opcode::Call, base.0, count as u8, 2);
        function.fix_line(line);
        // The call takes its function and arguments away and leaves one result.
        function.free = base.0 as usize + 1;
        Ok(Place::Call(pc).into())
    }

    /// Compile a list of expressions, all but the last into consecutive registers. The last; `None` if there is none.
    pub(super) fn expressions<'t>(&mut self, expressions: &'t [Expression]) -> Result<Option<Operand<'t>>> {
        let Some((last, others)) = expressions.split_last() else {
            return Ok(None);
        };
        for expression in others {
            let operand = self.expression(expression)?;
            self.function.load_next_register(operand);
        }
        self.expression(last).map(Some)
    }

    // Names.

    /// The value or place that a name stands for.
    fn name<'t>(&mut self, name: &'t Name) -> Operand<'t> {
        match self.resolve(name) {
            Resolved::Operand(operand) | Resolved::ReadOnly(operand) => operand,
            Resolved::Global => self.global(name),
        }
    }

    /// A field of the variable `_ENV`.
    pub(super) fn global<'t>(&mut self, name: &'t Name) -> Operand<'t> {
        let environment = match self.resolve(&self.hidden.environment.clone()) {
            Resolved::Operand(operand) | Resolved::ReadOnly(operand) => operand,
            Resolved::Global => unreachable!("every main chunk has the upvalue _ENV"),
        };
        let table = self.function.load_table(environment);
        self.function.index(table, Place::String(Text::Name(name)).into())
    }

    /// Find what a name means, and let the functions between here and its variable capture it.
    pub(super) fn resolve(&mut self, name: &Name) -> Resolved {
        if let Some(variable) = self.function.find_variable(name) {
            return match self.function.variables[variable].storage {
                Storage::Constant(ref value) => {
                    let value = value.clone();
                    Resolved::ReadOnly(self.function.known(&value))
                }
                Storage::Register { register, read_only: false, .. } => {
                    Resolved::Operand(Place::Local(register).into())
                }
                Storage::Register { register, read_only: true, .. } => {
                    Resolved::ReadOnly(Place::Local(register).into())
                }
            };
        }
        let upvalue = match self.function.find_upvalue(name) {
            Some(upvalue) => upvalue,
            None => {
                let (level, mut source) = match self.find_outside(name) {
                    Outside::Captured(level, source) => (level, source),
                    Outside::Constant(value) => return Resolved::ReadOnly(self.function.known(&value)),
                    Outside::Nowhere => return Resolved::Global,
                };
                for between in &mut self.others[level + 1..self.depth] {
                    let index = between.add_upvalue(source.clone());
                    source.in_stack = false;
                    source.index = index.0;
                }
                self.function.add_upvalue(source)
            }
        };
        let operand = Place::Upvalue(upvalue).into();
        let is_read_only = |upvalue: &UpvalueDescription| upvalue.read_only;
        match self.function.upvalues.get(upvalue.0 as usize).is_some_and(is_read_only) {
            true => Resolved::ReadOnly(operand),
            false => Resolved::Operand(operand),
        }
    }

    /// Look for a name in the enclosing functions, the innermost first.
    fn find_outside(&mut self, name: &Name) -> Outside {
        for (level, outer) in self.others[..self.depth].iter_mut().enumerate().rev() {
            if let Some(variable) = outer.find_variable(name) {
                let Variable { name, storage } = &outer.variables[variable];
                let (index, read_only) = match storage {
                    Storage::Constant(value) => return Outside::Constant(value.clone()),
                    Storage::Register { register, read_only, .. } => (register.0, *read_only),
                };
                let source = UpvalueDescription { name: Rc::from(name.clone()), in_stack: true, index, read_only };
                outer.mark_captured(variable);
                return Outside::Captured(level, source);
            }
            if let Some(upvalue) = outer.find_upvalue(name) {
                let found = &outer.upvalues[upvalue.0 as usize];
                let source = UpvalueDescription { in_stack: false, index: upvalue.0, ..found.clone() };
                return Outside::Captured(level, source);
            }
        }
        Outside::Nowhere
    }

    // Constructors.

    fn table<'t>(&mut self, fields: &'t [Field], span: Span) -> Result<Operand<'t>> {
        let new_table = self.function.emit_abc(Opcode::NewTable, 0, 0, 0);
        self.function.emit(Instruction::ax(Opcode::ExtraArg, 0));
        let table = self.function.reserve(1);
        self.function.at_line(span.line);
        // Items that are stored, items in registers after the table, and the latest item, which is not yet in one.
        let (mut stored, mut waiting, mut latest) = (0, 0, None);
        let mut hash_entries = 0_usize;
        for field in fields {
            if let Some(item) = latest.take() {
                self.function.load_next_register(item);
                if waiting == ITEMS_PER_FLUSH {
                    self.store_items(table, stored, Some(waiting));
                    stored += waiting;
                    waiting = 0;
                }
            }
            match field {
                Field::Item(value) => {
                    latest = Some(self.expression(value)?);
                    waiting += 1;
                }
                Field::Named(name, value) => {
                    self.function.at_line(name.span.line);
                    let key = Place::String(Text::Name(&name.name)).into();
                    self.entry(table, key, value)?;
                    hash_entries += 1;
                }
                Field::Keyed(key, value) => {
                    let free = self.function.free;
                    let key = self.expression(key)?;
                    let key = self.function.load_value(key);
                    self.entry(table, key, value)?;
                    self.function.free = free;
                    hash_entries += 1;
                }
            }
        }
        let mut list_items = stored + waiting;
        self.function.at_line(span.end_line);
        match latest {
            Some(last) if last.place.is_multiple() => {
                self.function.set_all_results(&last);
                self.store_items(table, stored, None);
                // How many the last one gives is not known.
                list_items -= 1;
            }
            last => {
                if let Some(last) = last {
                    self.function.load_next_register(last);
                }
                if waiting > 0 {
                    self.store_items(table, stored, Some(waiting));
                }
            }
        }
        let hash_size = if hash_entries == 0 { 0 } else { hash_entries.next_power_of_two().ilog2() + 1 };
        let list_size = (list_items as u64).min(u64::from(Instruction::MAX_AX)) as u32;
        self.function.code[new_table] = Instruction::abc(Opcode::NewTable, table.0, hash_size as u8, 0);
        self.function.code[new_table + 1] = Instruction::ax(Opcode::ExtraArg, list_size);
        Ok(Place::Register(table).into())
    }

    /// Compile a field with a key.
    fn entry(&mut self, table: Register, key: Operand, value: &Expression) -> Result<()> {
        let free = self.function.free;
        let target = self.function.index(Place::Register(table).into(), key);
        let value = self.expression(value)?;
        self.function.store(&target.place, value);
        self.function.free = free;
        Ok(())
    }

    /// Store `count` list items (`None`: up to the top) from the registers after the table.
    fn store_items(&mut self, table: Register, stored: usize, count: Option<usize>) {
        let function = &mut self.function;
        function.emit_abc(Opcode::SetList, table.0, count.unwrap_or(0) as u8, 0);
        let offset = u32::try_from(stored).unwrap_or(u32::MAX);
        if offset > Instruction::MAX_AX {
            function.fail_limit("items in a constructor", Instruction::MAX_AX as usize);
        }
        function.emit(Instruction::ax(Opcode::ExtraArg, offset.min(Instruction::MAX_AX)));
        function.free = table.0 as usize + 1;
    }

    // Functions.

    /// Compile a function and emit its closure. Methods have a first parameter `self`.
    pub(super) fn function_expression<'t>(&mut self, body: &'t FunctionBody, is_method: bool) -> Result<Operand<'t>> {
        let index = self.inner_function(is_method, body)?;
        // A closure is made in the highest register, so that the collector knows which ones are in use.
        let target = self.function.reserve(1);
        self.function.emit(Instruction::abx(Opcode::Closure, target.0, index));
        Ok(Place::Register(target).into())
    }
}

/// Where a name is, outside of the current function.
enum Outside {
    /// In the enclosing function at this level, which the next inner function captures it from.
    Captured(usize, UpvalueDescription),
    /// Known while compiling.
    Constant(Constant),
    Nowhere,
}
