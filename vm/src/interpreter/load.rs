//! From source to a closure: parse, compile, and make the objects.

use crate::bytecode::{Constant, Instruction, Template};
use crate::compiler;
use crate::gc::{Gc, Header, Site};
use crate::interpreter::names::CodeView;
use crate::interpreter::{Limit, Throw, Vm};
use crate::syntax::{self, SyntaxError};
use crate::value::{Closure, LocalName, Prototype, UpvalueName, Value};
use std::cell::Cell;

/// Bytes of source that take as long as an instruction, roughly: what loading charges to the instruction limit.
const BYTES_PER_INSTRUCTION: u64 = 4;

/// Why a chunk was not loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is not Lua.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It is too large.
    #[error(transparent)]
    Limit(#[from] Limit),
}

impl Vm {
    /// Makes a closure from source text. Its environment is the table of globals.
    ///
    /// # Errors
    /// The text is not Lua, or there is no memory for it.
    pub(crate) fn load(&mut self, source: &[u8], chunk_name: &[u8]) -> Result<Gc<Closure>, LoadError> {
        if let Err(Throw::Limit(limit)) = self.charge(source.len() as u64 / BYTES_PER_INSTRUCTION) {
            return Err(limit.into());
        }
        let chunk = syntax::parse(source, chunk_name, self.options.version)?;
        let template = compiler::compile(&chunk, chunk_name, self.options.version)?;
        if !self.heap.has_room(template.code.len() * size_of::<Value>()) {
            return Err(Limit::Memory.into());
        }
        Ok(self.instantiate(&template))
    }

    /// Makes a closure of a main function.
    pub(crate) fn instantiate(&mut self, template: &Template) -> Gc<Closure> {
        let prototype = self.new_prototype(template);
        self.push(Value::Nil); // A place for what is made.
        let count = template.upvalues.len() as u8;
        let closure = self.heap.new_closure(prototype, count);
        let top = self.top();
        self.set_slot(top - 1, Value::Closure(closure));
        for index in 0..count as usize {
            let upvalue = self.heap.new_closed_upvalue();
            self.heap.set_closure_upvalue(Site::ClosureFresh, closure, index, upvalue);
            if index == 0 {
                let globals = Value::Table(self.globals());
                self.heap.set_environment(upvalue, globals);
            }
        }
        self.pop();
        closure
    }

    fn new_prototype(&mut self, template: &Template) -> Gc<Prototype> {
        let cells = |count| (0..count).map(|_| Cell::new(Value::Nil)).collect();
        let prototype = self.heap.new_prototype(|header: Header| Prototype {
            header,
            source: Cell::new(None),
            line_defined: template.line_defined,
            last_line_defined: template.last_line_defined,
            parameters: template.parameters,
            variadic: template.variadic,
            max_stack: template.max_stack,
            code: template.code.clone().into_boxed_slice(),
            lines: template.lines.clone().into_boxed_slice(),
            constants: cells(template.constants.len()),
            prototypes: template.prototypes.iter().map(|_| Cell::new(None)).collect(),
            upvalues: template
                .upvalues
                .iter()
                .map(|upvalue| UpvalueName { name: Cell::new(None), in_stack: upvalue.in_stack, index: upvalue.index })
                .collect(),
            locals: template
                .locals
                .iter()
                .map(|local| LocalName { name: Cell::new(None), start: local.start, end: local.end })
                .collect(),
            cache: Cell::new(None),
        });
        let source = self.heap.new_string(&template.source);
        self.heap.set_prototype_string(Site::PrototypeSource, prototype, |prototype| &prototype.source, source);
        for (index, constant) in template.constants.iter().enumerate() {
            let value = match constant {
                Constant::Nil => Value::Nil,
                Constant::Boolean(b) => Value::Boolean(*b),
                Constant::Integer(i) => Value::Integer(*i),
                Constant::Float(f) => Value::Float(*f),
                Constant::String(bytes) => Value::String(self.heap.new_string(bytes)),
            };
            self.heap.set_prototype_constant(prototype, index, value);
        }
        for (index, upvalue) in template.upvalues.iter().enumerate() {
            let name = self.heap.new_string(&upvalue.name);
            let site = Site::PrototypeUpvalueName;
            self.heap.set_prototype_string(site, prototype, |prototype| &prototype.upvalues[index].name, name);
        }
        for (index, local) in template.locals.iter().enumerate() {
            let name = self.heap.new_string(&local.name);
            let site = Site::PrototypeLocalName;
            self.heap.set_prototype_string(site, prototype, |prototype| &prototype.locals[index].name, name);
        }
        for (index, nested) in template.prototypes.iter().enumerate() {
            let nested = self.new_prototype(nested);
            self.heap.set_prototype_nested(prototype, index, nested);
        }
        prototype
    }
}

impl CodeView for Prototype {
    fn code(&self) -> &[Instruction] {
        &self.code
    }

    fn string_constant(&self, index: usize) -> Option<&[u8]> {
        match self.constants.get(index)?.get() {
            Value::String(string) => Some(string.bytes_held_by(self)),
            _ => None,
        }
    }

    fn upvalue_name(&self, index: usize) -> Option<&[u8]> {
        Some(self.upvalues.get(index)?.name.get()?.bytes_held_by(self))
    }

    fn locals(&self) -> impl Iterator<Item = (&[u8], usize, usize)> {
        self.locals.iter().map(|local| {
            let name = local.name.get().map_or(b"?".as_slice(), |name| name.bytes_held_by(self));
            (name, local.start as usize, local.end as usize)
        })
    }
}
