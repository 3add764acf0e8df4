//! From a chunk to a closure: parse and compile a text, or take a binary chunk apart, and make the objects. And back, from
//! a prototype to what can be dumped.
//!
//! The collector works while the objects are made, as it does while Lua parses, where the debt is positive and under a schedule:
//! so every store into a prototype is one that a barrier may be needed for. What is not stored yet is anchored.

use crate::bytecode::{Constant, Instruction, LocalVariable, Template, UndumpError, UpvalueDescription, is_binary};
use crate::compiler;
use crate::gc::{AnyGc, CaptureOrigin, Event, Field, Gc, Header, Loading, Managed, ObjectView, Site};
use crate::interpreter::names::CodeView;
use crate::interpreter::{Limit, Throw, Vm};
use crate::syntax::SyntaxError;
use crate::value::{Closure, LocalName, MAX_SHORT, Prototype, Str, UpvalueName, Value, before_zero};
use crate::version::LuaVersion;
use std::collections::HashMap;
use std::rc::Rc;

/// Bytes of source that take as long as an instruction, roughly: what loading charges to the instruction limit.
const BYTES_PER_INSTRUCTION: u64 = 4;

/// Memory that a byte of a binary chunk takes at most, roughly, until it is loaded.
const BYTES_PER_BINARY_BYTE: usize = 64;

/// The long strings of the chunk that is loaded: equal ones become one object, over all its functions. Each is
/// anchored until it is a part of a prototype, which keeps it.
type LongStrings<'t> = HashMap<&'t [u8], Gc<Str>>;

/// Where a prototype is nested, while it is loaded.
struct Parent<'t> {
    prototype: Gc<Prototype>,
    template: &'t Template,
    /// The place among its prototypes.
    index: usize,
}

/// Why a chunk was not loaded.
pub(crate) enum LoadError {
    /// It is not Lua.
    Syntax(SyntaxError),
    /// It begins like a binary chunk, and is none that can be loaded.
    Binary {
        /// The chunk's name for messages.
        chunk: Vec<u8>,
        /// Why not.
        reason: UndumpError,
    },
    /// It is too large, or what was called meanwhile ended the program: a finalizer, an observer.
    Throw(Throw),
}

impl From<SyntaxError> for LoadError {
    fn from(error: SyntaxError) -> LoadError {
        LoadError::Syntax(error)
    }
}

impl From<Throw> for LoadError {
    fn from(throw: Throw) -> LoadError {
        LoadError::Throw(throw)
    }
}

impl LoadError {
    /// The message that a program sees, where it sees one.
    ///
    /// # Errors
    /// The program has ended.
    pub(crate) fn into_message(self) -> Result<Vec<u8>, Throw> {
        match self {
            LoadError::Syntax(error) => Ok(error.message),
            LoadError::Binary { chunk, reason } => {
                Ok([chunk.as_slice(), format!(": bad binary format ({reason})").as_bytes()].concat())
            }
            LoadError::Throw(throw) => Err(throw),
        }
    }
}

/// A text that was compiled: any VM of its version can run it, as often as it likes.
#[derive(Clone, Debug)]
pub struct Compiled {
    template: Template,
    /// Length of the text, bytes.
    length: usize,
}

impl Compiled {
    /// Compiles a text for a version of Lua.
    ///
    /// # Errors
    /// It is not Lua. A binary chunk is none either.
    pub fn new(text: &[u8], chunk_name: &[u8], version: LuaVersion) -> Result<Compiled, SyntaxError> {
        Ok(Compiled { template: compiler::compile_source(text, chunk_name, version)?, length: text.len() })
    }
}

impl Vm {
    /// Makes a closure from a chunk, text or binary. Its first upvalue is the table of globals.
    ///
    /// # Errors
    /// The chunk is not Lua, there is no memory for it, or a finalizer or an observer ended the program meanwhile.
    pub(crate) fn load(&mut self, chunk: &[u8], chunk_name: &[u8]) -> Result<Gc<Closure>, LoadError> {
        self.charge_loading(chunk.len())?;
        let template = match is_binary(chunk) {
            true => self.undump(chunk, chunk_name)?,
            false => Compiled::new(chunk, chunk_name, self.options.version)?.template,
        };
        self.load_template(&template)
    }

    /// As [`Vm::load`], where the program asks for it. `reader`: the program gave the chunk piece by piece.
    ///
    /// # Errors
    /// As [`Vm::load`].
    pub(crate) fn load_for_program(
        &mut self,
        chunk: &[u8],
        chunk_name: &[u8],
        reader: bool,
    ) -> Result<Gc<Closure>, LoadError> {
        let before = self.heap.set_loading(Some(Loading { binary: is_binary(chunk), reader }));
        let loaded = self.load(chunk, chunk_name);
        self.heap.set_loading(before);
        loaded
    }

    /// As [`Vm::load`], of a text that was compiled before. It is charged as if it were compiled now.
    pub(super) fn load_compiled(&mut self, compiled: &Compiled) -> Result<Gc<Closure>, LoadError> {
        self.charge_loading(compiled.length)?;
        self.load_template(&compiled.template)
    }

    fn charge_loading(&mut self, bytes: usize) -> Result<(), Throw> {
        self.charge(bytes as u64 / BYTES_PER_INSTRUCTION)
    }

    fn load_template(&mut self, template: &Template) -> Result<Gc<Closure>, LoadError> {
        if !self.heap.has_room(template.code.len() * size_of::<Value>()) {
            return Err(Throw::Limit(Limit::Memory).into());
        }
        Ok(self.instantiate(template)?)
    }

    fn undump(&self, chunk: &[u8], chunk_name: &[u8]) -> Result<Template, LoadError> {
        if !self.heap.has_room(chunk.len().saturating_mul(BYTES_PER_BINARY_BYTE)) {
            return Err(Throw::Limit(Limit::Memory).into());
        }
        Template::undump(chunk).map_err(|reason| {
            let chunk = match chunk_name {
                [b'@' | b'=', name @ ..] => name,
                name if is_binary(name) => b"binary string",
                name => name,
            };
            LoadError::Binary { chunk: chunk.to_vec(), reason }
        })
    }

    /// Makes a closure of a main function. The main prototype and what it refers to by then stay while the collector works.
    fn instantiate(&mut self, template: &Template) -> Result<Gc<Closure>, Throw> {
        let anchored = self.heap.anchored();
        let prototype = self.new_prototype(template);
        if !planted!(self.heap, LoadedMainNotKept) {
            self.heap.anchor(prototype.erase(), self.nesting());
            self.step_while_loading(prototype)?;
        }
        self.fill_prototype(prototype, template, None, &mut LongStrings::new())?;
        let count = template.upvalues.len() as u8;
        let closure = self.heap.new_closure(prototype, count);
        self.step_while_loading(closure)?;
        for index in 0..count as usize {
            let upvalue = self.heap.new_closed_upvalue();
            // No turn comes before this store, as in Lua: a counted upvalue would be one that no closure holds.
            self.heap.set_closure_upvalue(Site::ClosureFresh, closure, index, upvalue);
            self.note_capture(closure, index, upvalue, CaptureOrigin::Fresh);
            if index == 0 {
                let globals = Value::Table(self.globals());
                self.heap.set_environment(upvalue, globals);
            }
        }
        self.heap.let_go_above(anchored);
        Ok(closure)
    }

    /// Lets the collector work where its debt is positive or a schedule says so, as Lua does for each string of its lexer and for
    /// each function (`luaX_newstring` in `llex.c`, `close_func` in `lparser.c`). The object stays.
    #[inline]
    fn step_while_loading<T: Managed>(&mut self, made: Gc<T>) -> Result<(), Throw> {
        if self.heap.wants_step() { self.pay_while_loading(made.erase()) } else { Ok(()) }
    }

    #[cold]
    fn pay_while_loading(&mut self, made: AnyGc) -> Result<(), Throw> {
        if !planted!(self.heap, LoadedPartsNotKept) {
            self.heap.anchor(made, self.nesting());
        }
        self.pay_debt_inside()
    }

    /// A prototype whose constants, names and nested prototypes are missing.
    fn new_prototype(&mut self, template: &Template) -> Gc<Prototype> {
        let cells = |count| (0..count).map(|_| Field::nil()).collect();
        self.heap.new_prototype(|header: Header| Prototype {
            header,
            source: Field::empty(),
            line_defined: template.line_defined,
            last_line_defined: template.last_line_defined,
            parameters: template.parameters,
            variadic: template.variadic,
            max_stack: template.max_stack,
            code: Rc::clone(&template.code),
            lines: Rc::clone(&template.lines),
            constants: cells(template.constants.len()),
            prototypes: template.prototypes.iter().map(|_| Field::empty()).collect(),
            upvalues: template
                .upvalues
                .iter()
                .map(|upvalue| UpvalueName { name: Field::empty(), in_stack: upvalue.in_stack, index: upvalue.index })
                .collect(),
            locals: template
                .locals
                .iter()
                .map(|local| LocalName { name: Field::empty(), start: local.start, end: local.end })
                .collect(),
            cache: Field::empty(),
        })
    }

    /// A string that a prototype will refer to. It may be in use already, and is kept until it is stored all the same.
    fn loaded_string<'t>(&mut self, bytes: &'t [u8], long: &mut LongStrings<'t>) -> Result<Gc<Str>, Throw> {
        let is_long = bytes.len() > MAX_SHORT;
        if is_long && let Some(&string) = long.get(bytes) {
            return Ok(string);
        }
        let string = self.heap.new_string(bytes);
        if is_long {
            long.insert(bytes, string);
        }
        self.step_while_loading(string)?;
        Ok(string)
    }

    /// Makes what a prototype refers to. A nested prototype is stored before its own parts are made, as in Lua.
    fn fill_prototype<'t>(
        &mut self,
        prototype: Gc<Prototype>,
        template: &'t Template,
        parent: Option<Parent<'t>>,
        long: &mut LongStrings<'t>,
    ) -> Result<(), Throw> {
        let anchored = self.heap.anchored();
        // A source can be the whole text, so it is not compared for each function that shares it.
        let shared = parent.as_ref().filter(|parent| Rc::ptr_eq(&parent.template.source, &template.source));
        let source = match shared.and_then(|parent| parent.prototype.source.get()) {
            Some(source) => source,
            None => self.loaded_string(&template.source, long)?,
        };
        self.heap.set_prototype_string(Site::PrototypeSource, prototype, |prototype| &prototype.source, source);
        for (index, constant) in template.constants.iter().enumerate() {
            let value = match constant {
                Constant::Nil => Value::Nil,
                Constant::Boolean(b) => Value::Boolean(*b),
                Constant::Integer(i) => Value::Integer(*i),
                Constant::Float(f) => Value::Float(*f),
                Constant::String(bytes) => Value::String(self.loaded_string(bytes, long)?),
            };
            self.heap.set_prototype_constant(prototype, index, value);
        }
        for (index, upvalue) in template.upvalues.iter().enumerate().filter(|(_, upvalue)| !upvalue.name.is_empty()) {
            let name = self.loaded_string(&upvalue.name, long)?;
            let site = Site::PrototypeUpvalueName;
            self.heap.set_prototype_string(site, prototype, |prototype| &prototype.upvalues[index].name, name);
        }
        for (index, local) in template.locals.iter().enumerate() {
            let name = self.loaded_string(&local.name, long)?;
            let site = Site::PrototypeLocalName;
            self.heap.set_prototype_string(site, prototype, |prototype| &prototype.locals[index].name, name);
        }
        self.heap.note(|| Event::LoadPrototype {
            prototype: ObjectView::new(prototype.erase()),
            parent: parent.map(|parent| (ObjectView::new(parent.prototype.erase()), parent.index)),
        });
        for (index, nested) in template.prototypes.iter().enumerate() {
            let made = self.new_prototype(nested);
            // As its parts come, the collector may work.
            self.heap.anchor(made.erase(), self.nesting());
            self.step_while_loading(made)?;
            self.heap.set_prototype_nested(prototype, index, made);
            self.fill_prototype(made, nested, Some(Parent { prototype, template, index }), long)?;
        }
        self.heap.let_go_above(anchored);
        Ok(())
    }
}

impl Prototype {
    /// The function as it was before it was loaded, but for what only the compiler wants to know.
    pub(crate) fn template(&self) -> Template {
        self.template_from(&Rc::from(self.source_bytes()))
    }

    /// The same for a function that shares its source with the one around it.
    fn template_from(&self, source: &Rc<[u8]>) -> Template {
        let text = |string: Gc<Str>| Rc::from(string.as_bytes());
        let name = |string: Option<Gc<Str>>| string.map_or_else(|| Rc::from([]), text);
        let constant = |value: &Field<Value>| match value.get() {
            Value::Boolean(value) => Constant::Boolean(value),
            Value::Integer(value) => Constant::Integer(value),
            Value::Float(value) => Constant::Float(value),
            Value::String(string) => Constant::String(text(string)),
            // Loading makes no others.
            _ => Constant::Nil,
        };
        Template {
            source: source.clone(),
            line_defined: self.line_defined,
            last_line_defined: self.last_line_defined,
            parameters: self.parameters,
            variadic: self.variadic,
            max_stack: self.max_stack,
            code: Rc::clone(&self.code),
            constants: self.constants.iter().map(constant).collect(),
            upvalues: self
                .upvalues
                .iter()
                .map(|upvalue| UpvalueDescription {
                    name: name(upvalue.name.get()),
                    in_stack: upvalue.in_stack,
                    index: upvalue.index,
                    read_only: false,
                })
                .collect(),
            prototypes: self.prototypes.iter().filter_map(|nested| Some(nested.get()?.template_from(source))).collect(),
            lines: Rc::clone(&self.lines),
            locals: self
                .locals
                .iter()
                .map(|local| LocalVariable { name: name(local.name.get()), start: local.start, end: local.end })
                .collect(),
        }
    }
}

impl CodeView for Prototype {
    fn code(&self) -> &[Instruction] {
        &self.code
    }

    fn string_constant(&self, index: usize) -> Option<&[u8]> {
        match self.constants.get(index)?.get() {
            Value::String(string) => Some(before_zero(string.bytes_held_by(self))),
            _ => None,
        }
    }

    fn upvalue_name(&self, index: usize) -> Option<&[u8]> {
        let name = self.upvalues.get(index)?.name.get();
        Some(name.map_or(b"?", |name| name.bytes_held_by(self)))
    }

    fn locals(&self) -> impl Iterator<Item = (&[u8], usize, usize)> {
        self.locals.iter().map(|local| {
            let name = local.name.get().map_or(b"?".as_slice(), |name| name.bytes_held_by(self));
            (name, local.start as usize, local.end as usize)
        })
    }
}
