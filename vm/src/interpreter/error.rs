//! Errors: how they travel, what they say, and what the host sees.

use crate::gc::Gc;
use crate::interpreter::Vm;
use crate::interpreter::arithmetic::exact_integer;
use crate::interpreter::names::{self, function_name};
use crate::syntax::chunk_id;
use crate::value::{Frame, FrameKind, Metamethod, Prototype, Value};

/// What unwinds the frames of a thread.
#[derive(Clone, Copy, Debug)]
pub enum Throw {
    /// A Lua error, as raised.
    Error(Value),
    /// A Lua error whose message handler has run.
    Handled(Value),
    /// A limit of the host. No `pcall` catches it.
    Limit(Limit),
    /// The observer ended the script. No `pcall` catches it.
    Halted,
    /// The script ends itself with `os.exit`. No `pcall` catches it.
    Exit {
        /// What the process is to end with.
        status: i32,
        /// Whether the state is to be closed before.
        close: bool,
    },
}

/// A limit of the host that a program hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// Too many bytes.
    #[error("memory limit reached")]
    Memory,
    /// Too many instructions.
    #[error("instruction limit reached")]
    Instructions,
    /// The program's output could not be written.
    #[error("output could not be written")]
    Output,
}

/// How a program failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// An error that the program did not catch; its message as `lua` would print it.
    #[error("{}", String::from_utf8_lossy(.0))]
    Error(Vec<u8>),
    /// A limit of the host.
    #[error("{0}")]
    Limit(Limit),
    /// The observer ended the program.
    #[error("ended by the observer")]
    Halted,
    /// The program ended itself with `os.exit`, which asks the process to end with this status. Where the state was to be
    /// closed, that is done.
    #[error("ended with exit status {0}")]
    Exit(i32),
}

/// Where an operand of the running instruction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Register(u8),
    Upvalue(u8),
    Constant,
}

impl Vm {
    /// What a throw means for the host.
    pub(crate) fn script_error(&mut self, throw: Throw) -> ScriptError {
        match throw {
            Throw::Limit(limit) => ScriptError::Limit(limit),
            Throw::Halted => ScriptError::Halted,
            Throw::Exit { status, .. } => ScriptError::Exit(status),
            Throw::Error(value) | Throw::Handled(value) => ScriptError::Error(match value {
                Value::String(text) => text.as_bytes().to_vec(),
                number @ (Value::Integer(_) | Value::Float(_)) => self.number_to_string(number).as_bytes().to_vec(),
                other => {
                    let has_text = !self.heap.metamethod_of(other, Metamethod::ToString).is_nil();
                    match has_text.then(|| self.text_of(other)) {
                        Some(Ok(text)) => text.as_bytes().to_vec(),
                        _ => format!("(error object is a {} value)", other.type_name()).into_bytes(),
                    }
                }
            }),
        }
    }

    /// An error with a message that names the position, if the innermost function is a Lua function.
    #[cold]
    pub(crate) fn runtime_error(&mut self, message: &[u8]) -> Throw {
        let position = match self.heap.current().frames.last().copied() {
            // Where the line is not known, the position says that there is none.
            Some(frame) => self.position(&frame, Some(-1)),
            None => Vec::new(),
        };
        self.string_error(&[position.as_slice(), message].concat())
    }

    /// An error with just this message.
    pub(crate) fn string_error(&mut self, message: &[u8]) -> Throw {
        Throw::Error(Value::String(self.heap.new_string(message)))
    }

    /// An error of a native function: the position is that of its caller.
    pub(crate) fn native_error(&mut self, message: &[u8]) -> Throw {
        let position = self.position_at_level(1);
        self.string_error(&[position.as_slice(), message].concat())
    }

    /// `chunk:line: ` of the function at a level (0: the innermost), empty where that is not a Lua function, or one without
    /// lines.
    pub(crate) fn position_at_level(&self, level: usize) -> Vec<u8> {
        let thread = self.heap.current();
        let frame = thread.frames.iter().rev().filter(|frame| frame.kind.is_activation()).nth(level).copied();
        frame.map_or_else(Vec::new, |frame| self.position(&frame, None))
    }

    /// Where a function is; `no_line` stands for the line where debug information was left out.
    fn position(&self, frame: &Frame, no_line: Option<i64>) -> Vec<u8> {
        let Some(prototype) = self.frame_prototype(frame) else { return Vec::new() };
        let line = prototype.line_at((frame.pc as usize).saturating_sub(1)).map(i64::from);
        let Some(line) = line.or(no_line) else { return Vec::new() };
        let mut text = chunk_id(&prototype.source_bytes());
        text.extend_from_slice(format!(":{line}: ").as_bytes());
        text
    }

    /// The code that a frame runs, if it is that of a Lua function.
    pub(crate) fn frame_prototype(&self, frame: &Frame) -> Option<Gc<Prototype>> {
        match (frame.kind, self.slot(frame.func as usize)) {
            (FrameKind::Lua, Value::Closure(closure)) => Some(closure.prototype.get()),
            _ => None,
        }
    }

    /// ` (local 'x')` for a value of the running Lua function, if it has a name.
    fn describe_operand(&self, operand: Operand) -> Vec<u8> {
        let thread = self.heap.current();
        let Some(frame) = thread.frames.last() else { return Vec::new() };
        let Some(prototype) = self.frame_prototype(frame) else { return Vec::new() };
        let pc = (frame.pc as usize).saturating_sub(1);
        let named = match operand {
            Operand::Register(register) => names::register_name(&*prototype, pc, register),
            Operand::Upvalue(index) => names::upvalue_name(&*prototype, index),
            Operand::Constant => None,
        };
        match named {
            Some((kind, name)) => parenthesized(kind, name),
            None => Vec::new(),
        }
    }

    /// `attempt to index a nil value (local 'x')`
    #[cold]
    pub(crate) fn operand_error(&mut self, action: &str, value: Value, operand: Operand) -> Throw {
        let name = self.describe_operand(operand);
        let kind = self.type_name_for_messages(value);
        let message =
            [b"attempt to ".as_slice(), action.as_bytes(), b" a ", &kind, b" value", name.as_slice()].concat();
        self.runtime_error(&message)
    }

    /// `attempt to call a nil value (global 'f')`. In the running Lua function the called expression is named.
    #[cold]
    pub(crate) fn call_error(&mut self, value: Value) -> Throw {
        let name = match self.heap.current().frames.last() {
            Some(frame) => self.called_name(frame).map_or_else(Vec::new, |(kind, name)| parenthesized(kind, &name)),
            None => Vec::new(),
        };
        let kind = self.type_name_for_messages(value);
        self.runtime_error(&[b"attempt to call a ".as_slice(), &kind, b" value", &name].concat())
    }

    /// The kind and the name of what a Lua function's running instruction calls.
    pub(crate) fn called_name(&self, frame: &Frame) -> Option<(&'static str, Vec<u8>)> {
        let prototype = self.frame_prototype(frame)?;
        let (kind, name) = function_name(&*prototype, (frame.pc as usize).saturating_sub(1))?;
        Some((kind, name.to_vec()))
    }

    /// The error of an arithmetic or bitwise operation.
    #[cold]
    pub(crate) fn arithmetic_error(&mut self, bitwise: bool, a: (Value, Operand), b: (Value, Operand)) -> Throw {
        let number = |value| matches!(value, Value::Integer(_) | Value::Float(_));
        if bitwise && number(a.0) && number(b.0) {
            let culprit = if exact_integer(a.0).is_some() { b.1 } else { a.1 };
            let name = self.describe_operand(culprit);
            return self.runtime_error(&[b"number".as_slice(), &name, b" has no integer representation"].concat());
        }
        let action = if bitwise { "perform bitwise operation on" } else { "perform arithmetic on" };
        // The second operand is to blame only if the first one is a number.
        let (value, operand) = if number(a.0) { b } else { a };
        self.operand_error(action, value, operand)
    }

    /// `attempt to compare two table values`
    #[cold]
    pub(crate) fn compare_error(&mut self, a: Value, b: Value) -> Throw {
        let (left, right) = (self.type_name_for_messages(a), self.type_name_for_messages(b));
        let message = if left == right {
            [b"attempt to compare two ".as_slice(), &left, b" values"].concat()
        } else {
            [b"attempt to compare ".as_slice(), &left, b" with ", &right].concat()
        };
        self.runtime_error(&message)
    }

    /// `bad argument #1 to 'f' (message)`; for a method the receiver does not count.
    #[cold]
    pub(crate) fn argument_error(&mut self, index: usize, message: &[u8]) -> Throw {
        let thread = self.heap.current();
        let mut number = index + 1;
        let mut found = None;
        let mut frames = thread.frames.iter().rev();
        let native = frames.next();
        // A native function that another one called has a boundary below it, which names nothing.
        if let Some(caller) = frames.next() {
            found = self.called_name(caller);
        }
        let name = match found {
            Some(("method", name)) => {
                number -= 1;
                if number == 0 {
                    let text = [b"calling '".as_slice(), &name[..], b"' on bad self (", message, b")"].concat();
                    return self.native_error(&text);
                }
                name
            }
            Some((_, name)) => name,
            None => {
                let function = native.map_or(Value::Nil, |frame| self.slot(frame.func as usize));
                crate::library::global_function_name(self, function).unwrap_or_else(|| b"?".to_vec())
            }
        };
        let text =
            [b"bad argument #".as_slice(), number.to_string().as_bytes(), b" to '", &name, b"' (", message, b")"]
                .concat();
        self.native_error(&text)
    }

    /// The type of a value, or the `__name` of its metatable.
    pub(crate) fn type_name_for_messages(&self, value: Value) -> Vec<u8> {
        if let Value::Table(_) | Value::Userdata(_) = value
            && let Value::String(name) = self.heap.metamethod_of(value, Metamethod::Name)
        {
            return name.as_bytes().to_vec();
        }
        if let Value::LightUserdata(_) = value {
            return b"light userdata".to_vec();
        }
        value.type_name().as_bytes().to_vec()
    }
}

fn parenthesized(kind: &str, name: &[u8]) -> Vec<u8> {
    [b" (".as_slice(), kind.as_bytes(), b" '", name, b"')"].concat()
}
