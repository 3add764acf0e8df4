//! Indexing with metamethods (manual §2.4, `__index` and `__newindex`).
//!
//! Nothing is called here: what is to be called is given back, so that the dispatch loop can push a frame for it.

use crate::gc::{Gc, Site};
use crate::interpreter::error::Operand;
use crate::interpreter::{Throw, Vm};
use crate::value::{Metamethod, Str, Table, Value};

/// What indexing found.
pub(crate) enum Lookup {
    /// The value.
    Value(Value),
    /// A function to be called with this receiver and the key; its first result is the value.
    Call(Value, Value),
}

/// How many values an `__index`, `__newindex` or `__call` chain may have (Lua's `MAXTAGLOOP`).
pub(super) const MAX_CHAIN: usize = 2000;

impl Vm {
    /// `object[key]`
    pub(crate) fn lookup(&mut self, object: Value, key: Value) -> Result<Lookup, Throw> {
        self.lookup_named(object, key, Operand::Constant)
    }

    /// `object[key]`, where an error names the operand that holds the object.
    pub(crate) fn lookup_named(&mut self, object: Value, key: Value, operand: Operand) -> Result<Lookup, Throw> {
        let mut object = object;
        for turn in 0..MAX_CHAIN {
            let handler = match object {
                Value::Table(table) => {
                    let value = table.get(key);
                    if !value.is_nil() {
                        return Ok(Lookup::Value(value));
                    }
                    match self.table_metamethod(table, Metamethod::Index) {
                        Value::Nil => return Ok(Lookup::Value(Value::Nil)),
                        handler => handler,
                    }
                }
                _ => match self.heap.metamethod_of(object, Metamethod::Index) {
                    Value::Nil => {
                        let operand = if turn == 0 { operand } else { Operand::Constant };
                        return Err(self.index_error(object, key, operand));
                    }
                    handler => handler,
                },
            };
            if let Value::Closure(_) | Value::Builtin(_) | Value::NativeClosure(_) = handler {
                return Ok(Lookup::Call(handler, object));
            }
            object = handler;
        }
        Err(self.runtime_error(b"'__index' chain too long; possible loop"))
    }

    /// The value of a field that an object lacks but one of the tables has that the `__index` of its metatable
    /// leads to. `None` where `__index` is something else than such tables.
    #[inline(never)]
    pub(super) fn inherited(&self, metatable: Option<Gc<Table>>, name: Gc<Str>) -> Option<Value> {
        let mut metatable = metatable?;
        for _ in 0..MAX_CHAIN {
            let Value::Table(table) = self.heap.metamethod_in(metatable, Metamethod::Index) else { return None };
            let value = table.get_short(name);
            if !value.is_nil() {
                return Some(value);
            }
            metatable = table.metatable.get()?;
        }
        None
    }

    /// `object[key] = value`. Gives the function to be called with receiver, key and value, if there is one.
    pub(crate) fn assign(&mut self, object: Value, key: Value, value: Value) -> Result<Option<(Value, Value)>, Throw> {
        self.assign_named(object, key, value, Operand::Constant)
    }

    /// As [`Vm::assign`], where an error names the operand that holds the object.
    pub(crate) fn assign_named(
        &mut self,
        object: Value,
        key: Value,
        value: Value,
        operand: Operand,
    ) -> Result<Option<(Value, Value)>, Throw> {
        let mut object = object;
        for turn in 0..MAX_CHAIN {
            let handler = match object {
                Value::Table(table) => {
                    let slot = table.find(key);
                    let handler = match slot {
                        Some(slot) if !table.value_at(slot).is_nil() => Value::Nil,
                        _ => self.table_metamethod(table, Metamethod::NewIndex),
                    };
                    if handler.is_nil() {
                        match slot {
                            Some(slot) => self.heap.table_replace(Site::TableStore, table, slot, &value),
                            None => {
                                self.heap.table_add(table, key, value).map_err(|error| self.key_error(error))?;
                            }
                        }
                        return Ok(None);
                    }
                    handler
                }
                _ => match self.heap.metamethod_of(object, Metamethod::NewIndex) {
                    Value::Nil => {
                        let operand = if turn == 0 { operand } else { Operand::Constant };
                        return Err(self.index_error(object, key, operand));
                    }
                    handler => handler,
                },
            };
            if let Value::Closure(_) | Value::Builtin(_) | Value::NativeClosure(_) = handler {
                return Ok(Some((handler, object)));
            }
            object = handler;
        }
        Err(self.runtime_error(b"'__newindex' chain too long; possible loop"))
    }

    #[cold]
    fn index_error(&mut self, object: Value, _key: Value, operand: Operand) -> Throw {
        self.operand_error("index", object, operand)
    }

    /// A metamethod of a table, nil if it has none.
    #[inline(always)]
    pub(crate) fn table_metamethod(&self, table: Gc<Table>, metamethod: Metamethod) -> Value {
        match table.metatable.get() {
            None => Value::Nil,
            Some(metatable) => self.heap.metamethod_in(metatable, metamethod),
        }
    }
}
