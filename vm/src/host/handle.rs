//! Handles: what keeps an object alive for the host.

use super::{Error, FromLua, FromValues, IntoLua, IntoValues};
use crate::interpreter::Vm;
use crate::interpreter::access::Lookup;
use crate::value::Value;
use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The slots that handles stand for. Slot numbers are keys, from 1, of the heap's table of host references.
#[derive(Default)]
pub(crate) struct References {
    /// Slots whose handles were dropped. Shared with all handles: dropping one touches nothing else.
    dropped: Rc<RefCell<Vec<i64>>>,
    /// Slots to be used again.
    free: Vec<i64>,
    /// Slots so far.
    count: i64,
}

/// One slot, freed with its last handle.
struct Root {
    slot: i64,
    dropped: Rc<RefCell<Vec<i64>>>,
}

impl Drop for Root {
    fn drop(&mut self) {
        self.dropped.borrow_mut().push(self.slot);
    }
}

/// A value as the host holds it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum LuaValue {
    /// `nil`
    #[default]
    Nil,
    /// `true` or `false`
    Boolean(bool),
    /// A number of the integer subtype.
    Integer(i64),
    /// A number of the float subtype.
    Float(f64),
    /// A string's bytes.
    String(Vec<u8>),
    /// A table.
    Table(Table),
    /// A function, of Lua or native.
    Function(Function),
    /// A userdata, full or light.
    Userdata(Userdata),
    /// A coroutine.
    Coroutine(Coroutine),
}

impl LuaValue {
    /// What `type` calls it.
    pub fn type_name(&self) -> &'static str {
        match self {
            LuaValue::Nil => "nil",
            LuaValue::Boolean(_) => "boolean",
            LuaValue::Integer(_) | LuaValue::Float(_) => "number",
            LuaValue::String(_) => "string",
            LuaValue::Table(_) => "table",
            LuaValue::Function(_) => "function",
            LuaValue::Userdata(_) => "userdata",
            LuaValue::Coroutine(_) => "thread",
        }
    }

    /// Whether a condition takes this as true (manual §3.3.4).
    pub fn is_truthy(&self) -> bool {
        !matches!(self, LuaValue::Nil | LuaValue::Boolean(false))
    }
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        ///
        /// Two handles are equal if they are copies of each other; use `==` in Lua to compare objects.
        #[derive(Clone)]
        pub struct $name(Rc<Root>);

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Rc::ptr_eq(&self.0, &other.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "#{}"), self.0.slot)
            }
        }
    )*};
}

handles! {
    /// A table that the host holds.
    Table,
    /// A function that the host holds.
    Function,
    /// A userdata that the host holds.
    Userdata,
    /// A coroutine that the host holds; Lua's `coroutine` functions resume it.
    Coroutine
}

impl Vm {
    /// Keeps a value for the host.
    pub(super) fn hold(&mut self, value: Value) -> LuaValue {
        match value {
            Value::Nil => LuaValue::Nil,
            Value::Boolean(b) => LuaValue::Boolean(b),
            Value::Integer(i) => LuaValue::Integer(i),
            Value::Float(x) => LuaValue::Float(x),
            Value::String(text) => LuaValue::String(text.as_bytes().to_vec()),
            Value::Table(_) => LuaValue::Table(self.hold_table(value)),
            Value::Builtin(_) | Value::Closure(_) | Value::NativeClosure(_) => {
                LuaValue::Function(self.hold_function(value))
            }
            Value::LightUserdata(_) | Value::Userdata(_) => LuaValue::Userdata(self.hold_userdata(value)),
            Value::Thread(_) => LuaValue::Coroutine(Coroutine(self.root(value))),
        }
    }

    pub(super) fn hold_table(&mut self, table: Value) -> Table {
        Table(self.root(table))
    }

    pub(super) fn hold_function(&mut self, function: Value) -> Function {
        Function(self.root(function))
    }

    pub(super) fn hold_userdata(&mut self, userdata: Value) -> Userdata {
        Userdata(self.root(userdata))
    }

    /// Puts a value into a slot.
    fn root(&mut self, value: Value) -> Rc<Root> {
        self.release_handles();
        let references = &mut self.references;
        let slot = references.free.pop().unwrap_or_else(|| {
            references.count += 1;
            references.count
        });
        let dropped = Rc::clone(&references.dropped);
        self.set_slot_of_host(slot, value);
        Rc::new(Root { slot, dropped })
    }

    /// Empties the slots of handles that were dropped.
    pub(super) fn release_handles(&mut self) {
        let dropped = std::mem::take(&mut *self.references.dropped.borrow_mut());
        for slot in dropped {
            self.set_slot_of_host(slot, Value::Nil);
            self.references.free.push(slot);
        }
    }

    fn set_slot_of_host(&mut self, slot: i64, value: Value) {
        let table = self.heap.host_references();
        self.heap.table_set(table, Value::Integer(slot), value).unwrap_or_else(|_| unreachable!("an integer is a key"));
    }

    fn rooted(&mut self, root: &Root) -> Result<Value, Error> {
        if !Rc::ptr_eq(&root.dropped, &self.references.dropped) {
            return Err(Error::ForeignHandle);
        }
        Ok(self.heap.host_references().get(Value::Integer(root.slot)))
    }

    /// The value inside the heap. A string is made, and nothing refers to it yet.
    pub(super) fn resolve(&mut self, value: &LuaValue) -> Result<Value, Error> {
        Ok(match value {
            LuaValue::Nil => Value::Nil,
            LuaValue::Boolean(b) => Value::Boolean(*b),
            LuaValue::Integer(i) => Value::Integer(*i),
            LuaValue::Float(x) => Value::Float(*x),
            LuaValue::String(bytes) => {
                self.reserve(bytes.len()).map_err(|throw| Error::from_throw(self, throw))?;
                Value::String(self.heap.new_string(bytes))
            }
            LuaValue::Table(Table(root))
            | LuaValue::Function(Function(root))
            | LuaValue::Userdata(Userdata(root))
            | LuaValue::Coroutine(Coroutine(root)) => self.rooted(root)?,
        })
    }

    /// Pushes a value, where the collector finds it, and gives it.
    fn push_held(&mut self, value: impl IntoLua) -> Result<Value, Error> {
        let value = value.into_lua(self)?;
        let value = self.resolve(&value)?;
        self.push(value);
        Ok(value)
    }

    /// Runs an operation that pushes what the collector must find meanwhile, and pops it.
    fn operate<T>(&mut self, operation: impl FnOnce(&mut Vm) -> Result<T, Error>) -> Result<T, Error> {
        let level = self.top();
        let result = operation(self);
        self.set_top(level);
        result
    }
}

impl Function {
    /// Calls the function.
    ///
    /// # Errors
    /// It raised an error, hit a limit, or returned something else than `R`.
    pub fn call<R: FromValues>(&self, vm: &mut Vm, arguments: impl IntoValues) -> Result<R, Error> {
        let arguments = arguments.into_values(vm)?;
        let function = vm.rooted(&self.0)?;
        let results = vm.operate(|vm| {
            let arguments = arguments.into_iter().map(|value| vm.push_held(value)).collect::<Result<Vec<_>, _>>()?;
            vm.call_from_host(function, &arguments)
        })?;
        R::from_values(results, vm)
    }
}

impl Vm {
    /// Calls a function in protected mode and keeps all its results for the host.
    fn call_from_host(&mut self, function: Value, arguments: &[Value]) -> Result<Vec<LuaValue>, Error> {
        match self.call_protected(function, arguments, None, 0) {
            Ok(count) => {
                let first = self.top() - count;
                Ok((first..first + count).map(|slot| self.hold(self.slot(slot))).collect())
            }
            Err(throw) => Err(Error::from_throw(self, throw)),
        }
    }

    /// The same for the first result.
    fn call_from_host_1(&mut self, function: Value, arguments: &[Value]) -> Result<LuaValue, Error> {
        Ok(self.call_from_host(function, arguments)?.into_iter().next().unwrap_or_default())
    }
}

impl Table {
    /// `table[key]`, with metamethods.
    ///
    /// # Errors
    /// A metamethod failed, or the value is something else than `V`.
    pub fn get<V: FromLua>(&self, vm: &mut Vm, key: impl IntoLua) -> Result<V, Error> {
        let table = vm.rooted(&self.0)?;
        let value = vm.operate(|vm| {
            let key = vm.push_held(key)?;
            match vm.lookup(table, key) {
                Ok(Lookup::Value(value)) => Ok(vm.hold(value)),
                Ok(Lookup::Call(handler, receiver)) => vm.call_from_host_1(handler, &[receiver, key]),
                Err(throw) => Err(Error::from_throw(vm, throw)),
            }
        })?;
        V::from_lua(value, vm)
    }

    /// `table[key] = value`, with metamethods.
    ///
    /// # Errors
    /// A metamethod failed, or the key is nil or NaN.
    pub fn set(&self, vm: &mut Vm, key: impl IntoLua, value: impl IntoLua) -> Result<(), Error> {
        let table = vm.rooted(&self.0)?;
        vm.operate(|vm| {
            let key = vm.push_held(key)?;
            let value = vm.push_held(value)?;
            match vm.assign(table, key, value) {
                Ok(None) => Ok(()),
                Ok(Some((handler, receiver))) => vm.call_from_host_1(handler, &[receiver, key, value]).map(drop),
                Err(throw) => Err(Error::from_throw(vm, throw)),
            }
        })
    }

    /// `rawget(table, key)`
    ///
    /// # Errors
    /// The value is something else than `V`.
    pub fn raw_get<V: FromLua>(&self, vm: &mut Vm, key: impl IntoLua) -> Result<V, Error> {
        let table = vm.table_of(self)?;
        let key = key.into_lua(vm)?;
        let key = vm.resolve(&key)?;
        let value = vm.hold(table.get(key));
        V::from_lua(value, vm)
    }

    /// `rawset(table, key, value)`
    ///
    /// # Errors
    /// The key is nil or NaN, or there is no memory.
    pub fn raw_set(&self, vm: &mut Vm, key: impl IntoLua, value: impl IntoLua) -> Result<(), Error> {
        let table = vm.table_of(self)?;
        vm.operate(|vm| {
            let key = vm.push_held(key)?;
            let value = vm.push_held(value)?;
            vm.raw_set(table, key, value).map_err(|throw| Error::from_throw(vm, throw))
        })
    }

    /// `rawlen(table)`: a border (manual §3.4.7).
    ///
    /// # Errors
    /// The handle belongs to another VM.
    pub fn raw_len(&self, vm: &mut Vm) -> Result<usize, Error> {
        Ok(vm.table_of(self)?.length() as usize)
    }

    /// All keys and values, in the order of `next`, without metamethods.
    ///
    /// # Errors
    /// A key or a value is something else than `K` and `V`.
    pub fn pairs<K: FromLua, V: FromLua>(&self, vm: &mut Vm) -> Result<Vec<(K, V)>, Error> {
        let table = vm.table_of(self)?;
        let mut pairs = Vec::new();
        let mut key = Value::Nil;
        while let Ok(Some((next, value))) = table.next(key) {
            let held = (vm.hold(next), vm.hold(value));
            pairs.push((K::from_lua(held.0, vm)?, V::from_lua(held.1, vm)?));
            key = next;
        }
        Ok(pairs)
    }

    /// Sets or takes away the metatable. Finalizers count if `__gc` is in it by then (manual §2.5.3).
    ///
    /// # Errors
    /// A handle belongs to another VM.
    pub fn set_metatable(&self, vm: &mut Vm, metatable: Option<&Table>) -> Result<(), Error> {
        let table = vm.table_of(self)?;
        let metatable = metatable.map(|metatable| vm.table_of(metatable)).transpose()?;
        vm.heap.set_table_metatable(table, metatable);
        Ok(())
    }
}

impl Vm {
    fn table_of(&mut self, table: &Table) -> Result<crate::gc::Gc<crate::value::Table>, Error> {
        match self.rooted(&table.0)? {
            Value::Table(table) => Ok(table),
            _ => unreachable!("no script can reach the slot, and the handle was made for a table"),
        }
    }
}

impl Userdata {
    /// The value that the host put in.
    ///
    /// # Errors
    /// It is not a `T`: a userdata of another type, or of the library.
    pub fn get<T: Any>(&self, vm: &mut Vm) -> Result<Rc<T>, Error> {
        let value = vm.rooted(&self.0)?;
        let data = match value {
            Value::Userdata(userdata) => userdata.data.as_ref().and_then(|data| data.downcast_ref::<Rc<T>>()).cloned(),
            _ => None,
        };
        data.ok_or_else(|| Error::Type {
            index: 0,
            expected: short_type_name::<T>().to_owned(),
            got: String::from_utf8_lossy(&vm.type_name_for_messages(value)).into_owned(),
        })
    }

    /// Sets or takes away the metatable; that of a light userdata is shared by all of them and stays.
    ///
    /// # Errors
    /// A handle belongs to another VM.
    pub fn set_metatable(&self, vm: &mut Vm, metatable: Option<&Table>) -> Result<(), Error> {
        let metatable = metatable.map(|metatable| vm.table_of(metatable)).transpose()?;
        if let Value::Userdata(userdata) = vm.rooted(&self.0)? {
            vm.heap.set_userdata_metatable(userdata, metatable);
        }
        Ok(())
    }
}

/// The name of a type without its path.
fn short_type_name<T>() -> &'static str {
    let name = std::any::type_name::<T>();
    let generics = name.find('<').unwrap_or(name.len());
    name[..generics].rfind("::").map_or(name, |at| &name[at + 2..])
}
