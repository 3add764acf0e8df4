//! Native functions: what they are, and what they see of the VM while they run.
//!
//! A native function finds its arguments on the Lua stack, pushes its results and returns how many they are. The collector
//! does not run inside it, except while it calls back into Lua ([`Call::call`] and whatever may call a metamethod): what it
//! needs after such a call must be an argument, or pushed. Under a schedule there are turns where it makes an object too,
//! for which the methods here are to be used: they keep what they make until the function has returned.

use crate::gc::{Gc, Heap};
use crate::interpreter::access::Lookup;
use crate::interpreter::arithmetic::Operator;
use crate::interpreter::{Throw, Vm};
use crate::value::{
    FloatRounding, NativeClosure, Str, Table, TableKeyError, Thread, Value, float_to_integer, format_number,
    str_to_number,
};

/// What a native function gives back: how many results it pushed.
pub type NativeResult = Result<usize, Throw>;

/// A native function.
pub struct Builtin {
    /// Its name for messages, such as `insert`.
    pub name: &'static str,
    /// What it does.
    pub function: Function,
}

/// The kinds of native functions.
#[derive(Clone, Copy)]
pub enum Function {
    /// Runs to its end on the Rust stack.
    Plain(fn(&mut Call<'_>) -> NativeResult),
    /// Changes the flow of control, which the interpreter does itself.
    Control(Control),
}

/// Functions that the interpreter carries out, so that they don't use the Rust stack and a yield may cross them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// `pcall`
    Pcall,
    /// `xpcall`
    Xpcall,
    /// `coroutine.resume`
    Resume,
    /// A function that `coroutine.wrap` made; its coroutine is its first upvalue.
    Wrapped,
    /// `coroutine.yield`
    Yield,
    /// `pairs`
    Pairs,
    /// `dofile`
    Dofile,
}

/// A native function's view of its call.
pub struct Call<'vm> {
    pub(crate) vm: &'vm mut Vm,
    pub(crate) base: usize,
    pub(crate) count: usize,
}

impl Call<'_> {
    // Arguments, counted from 0.

    /// How many arguments there are.
    #[inline]
    pub fn arg_count(&self) -> usize {
        self.count
    }

    /// An argument, nil where there is none.
    #[inline]
    pub fn arg(&self, index: usize) -> Value {
        if index < self.count { self.vm.slot(self.base + index) } else { Value::Nil }
    }

    /// All arguments.
    pub fn args(&self) -> &[Value] {
        self.vm.slots(self.base, self.count)
    }

    /// An argument that must be there.
    pub fn check_any(&mut self, index: usize) -> Result<Value, Throw> {
        if index < self.count { Ok(self.arg(index)) } else { Err(self.arg_error(index, "value expected")) }
    }

    /// An argument that is a table.
    #[inline]
    pub fn check_table(&mut self, index: usize) -> Result<Gc<Table>, Throw> {
        match self.arg(index) {
            Value::Table(table) => Ok(table),
            _ => Err(self.type_error(index, "table")),
        }
    }

    /// An argument that is an integer, or can be converted to one.
    #[inline]
    pub fn check_integer(&mut self, index: usize) -> Result<i64, Throw> {
        match self.arg(index) {
            Value::Integer(i) => Ok(i),
            value => match to_integer(value) {
                Some(i) => Ok(i),
                None if to_number(value).is_some() => {
                    Err(self.arg_error(index, "number has no integer representation"))
                }
                None => Err(self.type_error(index, "number")),
            },
        }
    }

    /// An integer argument, or a default where it is nil or absent.
    pub fn opt_integer(&mut self, index: usize, default: i64) -> Result<i64, Throw> {
        if self.arg(index).is_nil() { Ok(default) } else { self.check_integer(index) }
    }

    /// An argument that is a number or can be converted to one: `Integer` or `Float`.
    pub fn check_number(&mut self, index: usize) -> Result<Value, Throw> {
        match to_number(self.arg(index)) {
            Some(number) => Ok(number),
            None => Err(self.type_error(index, "number")),
        }
    }

    /// A number argument as a float.
    pub fn check_float(&mut self, index: usize) -> Result<f64, Throw> {
        Ok(self.check_number(index)?.as_float().unwrap_or_default())
    }

    /// An argument that is a string, or a number, which becomes one in place.
    #[inline]
    pub fn check_string(&mut self, index: usize) -> Result<Gc<Str>, Throw> {
        match self.arg(index) {
            Value::String(string) => Ok(string),
            number @ (Value::Integer(_) | Value::Float(_)) => {
                let string = self.vm.number_to_string(number);
                self.vm.set_slot(self.base + index, Value::String(string));
                Ok(self.vm.made(string))
            }
            _ => Err(self.type_error(index, "string")),
        }
    }

    /// A string argument, or `None` where it is nil or absent.
    pub fn opt_string(&mut self, index: usize) -> Result<Option<Gc<Str>>, Throw> {
        if self.arg(index).is_nil() { Ok(None) } else { self.check_string(index).map(Some) }
    }

    /// A string argument that is one of a few words: its place among them.
    pub fn check_option(&mut self, index: usize, default: Option<&str>, options: &[&str]) -> Result<usize, Throw> {
        let given = match (self.arg(index), default) {
            (Value::Nil, Some(default)) => default.as_bytes().to_vec(),
            _ => self.check_string(index)?.as_bytes().to_vec(),
        };
        match options.iter().position(|option| option.as_bytes() == given) {
            Some(place) => Ok(place),
            None => {
                let message = [b"invalid option '", given.as_slice(), b"'"].concat();
                Err(self.arg_error(index, message))
            }
        }
    }

    /// An upvalue of the native closure that runs, nil where it has none.
    pub fn upvalue(&self, index: usize) -> Value {
        self.running_closure().and_then(|closure| Some(closure.upvalues.get(index)?.get())).unwrap_or_default()
    }

    /// All upvalues of the native closure that runs.
    pub(crate) fn upvalues(&self) -> Vec<Value> {
        self.running_closure().map_or_else(Vec::new, |closure| closure.upvalues.iter().map(|slot| slot.get()).collect())
    }

    /// Replaces an upvalue that the native closure that runs has.
    pub fn set_upvalue(&mut self, index: usize, value: Value) {
        if let Some(closure) = self.running_closure().filter(|closure| index < closure.upvalues.len()) {
            self.vm.heap.set_native_upvalue(closure, index, value);
        }
    }

    fn running_closure(&self) -> Option<Gc<NativeClosure>> {
        match self.vm.slot(self.base - 1) {
            Value::NativeClosure(closure) => Some(closure),
            _ => None,
        }
    }

    /// Charges work to the program's instruction limit. To be called now and then by what may take long.
    pub fn work(&mut self, steps: u64) -> Result<(), Throw> {
        self.vm.charge(steps)
    }

    // Errors.

    /// An error with the position of the function that called this one.
    pub fn error(&mut self, message: impl AsRef<[u8]>) -> Throw {
        self.vm.native_error(message.as_ref())
    }

    /// `bad argument #1 to 'f' (message)`.
    pub fn arg_error(&mut self, index: usize, message: impl AsRef<[u8]>) -> Throw {
        self.vm.argument_error(index, message.as_ref())
    }

    /// `bad argument #1 to 'f' (number expected, got nil)`.
    pub fn type_error(&mut self, index: usize, expected: &str) -> Throw {
        let got =
            if index < self.count { self.vm.type_name_for_messages(self.arg(index)) } else { b"no value".to_vec() };
        let message = [expected.as_bytes(), b" expected, got ", got.as_slice()].concat();
        self.arg_error(index, message)
    }

    // Results and the stack.

    /// Pushes a value: a result, or something to be kept.
    #[inline]
    pub fn push(&mut self, value: Value) {
        self.vm.push(value);
    }

    /// One result.
    #[inline]
    pub fn ret(&mut self, value: impl Into<Value>) -> NativeResult {
        self.vm.push(value.into());
        Ok(1)
    }

    /// One string as the result.
    pub fn ret_bytes(&mut self, bytes: &[u8]) -> NativeResult {
        let string = self.new_string(bytes)?;
        self.ret(string)
    }

    /// These results.
    pub fn ret_all(&mut self, values: &[Value]) -> NativeResult {
        for &value in values {
            self.vm.push(value);
        }
        Ok(values.len())
    }

    // Objects.

    /// The heap.
    pub fn heap(&mut self) -> &mut Heap {
        &mut self.vm.heap
    }

    /// The machine.
    pub fn vm(&mut self) -> &mut Vm {
        self.vm
    }

    /// Fails where so many bytes more would pass the memory limit. To be called before building something large.
    pub fn reserve(&mut self, bytes: usize) -> Result<(), Throw> {
        self.vm.reserve(bytes)
    }

    /// A string, if memory allows.
    pub fn new_string(&mut self, bytes: &[u8]) -> Result<Gc<Str>, Throw> {
        self.vm.reserve(bytes.len())?;
        let string = self.vm.heap.new_string(bytes);
        Ok(self.vm.made(string))
    }

    /// An empty table.
    pub fn new_table(&mut self) -> Gc<Table> {
        let table = self.vm.heap.new_table();
        self.vm.made(table)
    }

    /// A native closure with these upvalues.
    pub(crate) fn new_native_closure(&mut self, builtin: &'static Builtin, upvalues: &[Value]) -> Gc<NativeClosure> {
        let closure = self.vm.heap.new_native_closure(builtin, upvalues);
        self.vm.made(closure)
    }

    /// A coroutine that will run a function.
    pub(crate) fn new_coroutine(&mut self, function: Value) -> Gc<Thread> {
        let thread = self.vm.new_coroutine(function);
        self.vm.made(thread)
    }

    /// Sets a field without metamethods.
    pub fn set_field(&mut self, table: Gc<Table>, name: &str, value: Value) {
        let key = self.vm.heap.new_string(name.as_bytes());
        let key = self.vm.made(key);
        self.raw_set(table, Value::String(key), value).unwrap_or_else(|_| unreachable!("a string is a valid key"));
    }

    /// Sets a key without metamethods.
    pub fn raw_set(&mut self, table: Gc<Table>, key: Value, value: Value) -> Result<(), Throw> {
        self.vm.raw_set(table, key, value)
    }

    // Operations that may call metamethods.

    /// `object[key]`
    pub fn index(&mut self, object: Value, key: Value) -> Result<Value, Throw> {
        match self.vm.lookup(object, key)? {
            Lookup::Value(value) => Ok(value),
            Lookup::Call(handler, receiver) => self.call1(handler, &[receiver, key]),
        }
    }

    /// `object[key] = value`
    pub fn set_index(&mut self, object: Value, key: Value, value: Value) -> Result<(), Throw> {
        match self.vm.assign(object, key, value)? {
            None => Ok(()),
            Some((handler, receiver)) => self.call1(handler, &[receiver, key, value]).map(drop),
        }
    }

    /// `#object`, which must be an integer.
    pub fn length(&mut self, object: Value) -> Result<i64, Throw> {
        let length = self.vm.length_nested(object)?;
        match to_integer(length) {
            Some(length) => Ok(length),
            None => Err(self.error("object length is not an integer")),
        }
    }

    /// `a == b`
    pub fn equals(&mut self, a: Value, b: Value) -> Result<bool, Throw> {
        self.vm.equals_nested(a, b)
    }

    /// `a < b`
    pub fn less_than(&mut self, a: Value, b: Value) -> Result<bool, Throw> {
        self.vm.less_than_nested(a, b)
    }

    /// An arithmetic or bitwise operation.
    pub fn arithmetic(&mut self, operator: Operator, a: Value, b: Value) -> Result<Value, Throw> {
        self.vm.arithmetic_nested(operator, a, b)
    }

    /// `tostring(value)`
    pub fn to_string(&mut self, value: Value) -> Result<Gc<Str>, Throw> {
        let text = self.vm.text_of(value)?;
        Ok(self.vm.made(text))
    }

    // Calls into Lua.

    /// Calls a function. Its results are pushed; gives how many.
    pub fn call(&mut self, function: Value, args: &[Value]) -> NativeResult {
        self.vm.call_nested(function, args, None)
    }

    /// Calls a function for its first result, which is not on the stack any more.
    pub fn call1(&mut self, function: Value, args: &[Value]) -> Result<Value, Throw> {
        self.vm.call_nested(function, args, Some(1))?;
        Ok(self.vm.pop())
    }

    /// Takes the last value pushed.
    pub fn pop(&mut self) -> Value {
        self.vm.pop()
    }

    /// The last `count` values pushed.
    pub fn pushed(&self, count: usize) -> &[Value] {
        let top = self.vm.top();
        self.vm.slots(top - count, count)
    }
}

/// The integer that a number or a numeric string stands for.
pub(crate) fn to_integer(value: Value) -> Option<i64> {
    match value {
        Value::Integer(i) => Some(i),
        Value::Float(f) => float_to_integer(f, FloatRounding::Exact),
        Value::String(s) => str_to_number(s.as_bytes()).and_then(to_integer),
        _ => None,
    }
}

/// The number that a value is or, as a string, stands for.
pub(crate) fn to_number(value: Value) -> Option<Value> {
    match value {
        Value::Integer(_) | Value::Float(_) => Some(value),
        Value::String(s) => str_to_number(s.as_bytes()),
        _ => None,
    }
}

impl Vm {
    pub(crate) fn number_to_string(&mut self, number: Value) -> Gc<Str> {
        let mut text = Vec::with_capacity(24);
        format_number(number, &mut text);
        self.heap.new_string(&text)
    }

    pub(crate) fn raw_set(&mut self, table: Gc<Table>, key: Value, value: Value) -> Result<(), Throw> {
        self.heap.table_set(table, key, value).map_err(|error| self.key_error(error))
    }

    pub(crate) fn key_error(&mut self, error: TableKeyError) -> Throw {
        let text = match error {
            TableKeyError::Nil => "table index is nil",
            TableKeyError::Nan => "table index is NaN",
        };
        self.runtime_error(text.as_bytes())
    }
}
