//! The compiler: syntax tree to register bytecode, in one pass.
//!
//! The code is of the kind that PUC Lua's compiler makes: variables live in registers, operands are used where they are,
//! constants and small integers are part of instructions, conditions are jumps. Two things lean on that. The collector
//! takes every register below the operands of an allocating instruction or call as live, and messages name a value by what
//! the code before the error did with its register.
//!
//! - `constant`: values of the tree
//! - `function_state`: the function being compiled: code, constants, registers
//! - `jumps`: lists of jumps, and tests that deliver values
//! - `scope`: variables, blocks, labels
//! - `operand`: forms of values, from constants to registers
//! - `operator`, `fold`: operators, and those whose value is known
//! - `expression`, `statement`: the walk over the tree
//! - `disassemble`: the listing of a function
//!
//! A tree that the parser gives is compiled or refused with the message of PUC Lua; the errors here are those that need
//! scopes or limits. Where such a message names the line or the token after the error, and the tree does not keep it, the
//! nearest that is known stands for it.

mod constant;
mod disassemble;
mod expression;
mod fold;
mod function_state;
mod jumps;
mod operand;
mod operator;
mod scope;
mod statement;
#[cfg(test)]
mod tests;

pub use disassemble::disassemble;

use crate::bytecode::{MAX_LOCALS, Opcode, Template, UpvalueDescription};
use crate::syntax::ast::{Attribute, Chunk, FunctionBody, Name};
use crate::syntax::{Statements, SyntaxError, limit_message, parse_prefix};
use crate::version::LuaVersion;
use function_state::{Failure, FunctionState};
use scope::GotoTarget;
use std::rc::Rc;

/// Compile a chunk. `chunk_name` is the name that `load` was given; messages and the template's `source` come from it.
///
/// The main function is variadic and has one upvalue, `_ENV`.
///
/// # Errors
///
/// What the grammar cannot refuse: assignment to a constant, a `goto` without a label, a `break` outside of a loop, a
/// repeated label, and the limits of a function (registers, variables, upvalues, constants, distance of a jump).
pub fn compile(chunk: &Chunk, chunk_name: &[u8], version: LuaVersion) -> std::result::Result<Template, SyntaxError> {
    match version {
        LuaVersion::Lua54 => {}
    }
    compile_chunk(chunk, chunk_name).map_err(|error| *error)
}

fn compile_chunk(chunk: &Chunk, chunk_name: &[u8]) -> Result<Template> {
    let mut compiler = Compiler::new(chunk_name, USUAL_INSTRUCTIONS);
    compiler.statements(&chunk.block.statements, chunk.last_line, true)?;
    compiler.end(chunk.last_line)
}

/// Parse a source and compile it: as [`compile`] does it, but each statement once it is parsed, so that the memory of its
/// tree serves the next.
///
/// # Errors
///
/// Those of [`parse`](crate::syntax::parse) and [`compile`]: of all that are wrong with the source, the first.
pub(crate) fn compile_source(
    source: &[u8],
    chunk_name: &[u8],
    version: LuaVersion,
) -> std::result::Result<Template, SyntaxError> {
    let mut compiler = Compiler::new(chunk_name, source.len() / BYTES_PER_INSTRUCTION);
    let mut statements = Statements::new(source, chunk_name, version);
    loop {
        if let Err(error) = statements.step() {
            return Err(error_in_prefix(&parse_prefix(source, chunk_name, version), chunk_name).unwrap_or(*error));
        }
        if statements.parsed().is_empty() {
            break;
        }
        compiler.statements(statements.parsed(), statements.line(), true).map_err(|error| *error)?;
    }
    compiler.end(statements.line()).map_err(|error| *error)
}

/// What is wrong with the beginning of a chunk whose end nobody knows: not a jump whose target may come yet.
fn error_in_prefix(prefix: &Chunk, chunk_name: &[u8]) -> Option<SyntaxError> {
    let mut compiler = Compiler::new(chunk_name, USUAL_INSTRUCTIONS);
    let mut compiled = compiler.statements(&prefix.block.statements, prefix.last_line, true);
    if compiled.is_ok() {
        compiler.function.leave_block();
        compiler.function.gotos.clear();
        compiler.function.enter_block(false);
        compiled = compiler.end(prefix.last_line).map(|_| ());
    }
    compiled.err().map(|error| *error)
}

/// Instructions of a function, and bytes of source for each of those of a main function: what memory is taken for at first.
const USUAL_INSTRUCTIONS: usize = 64;
const BYTES_PER_INSTRUCTION: usize = 16;

/// Errors are rare, and boxed they make no result larger than what it is about.
type Result<T> = std::result::Result<T, Box<SyntaxError>>;

/// Names of variables that do not stand in the source.
struct HiddenNames {
    environment: Name,
    /// The first parameter of a method.
    receiver: Name,
    loop_state: Name,
}

/// The state of a compilation.
struct Compiler {
    source: Rc<[u8]>,
    hidden: HiddenNames,
    /// The innermost open function.
    function: FunctionState,
    /// The functions around it, outermost first, and then finished ones, whose memory others can use.
    others: Vec<FunctionState>,
    /// How many are around it.
    depth: usize,
}

impl Compiler {
    /// A compiler that is in the main function, which may have so many instructions.
    fn new(chunk_name: &[u8], instructions: usize) -> Compiler {
        let mut function = FunctionState::with_room(instructions);
        function.begin(0, 1);
        function.enter_block(false);
        function.variadic = true;
        function.emit_abc(Opcode::VarargPrep, 0, 0, 0);
        let hidden =
            HiddenNames { environment: "_ENV".into(), receiver: "self".into(), loop_state: "(for state)".into() };
        let name = Rc::from(hidden.environment.clone());
        function.add_upvalue(UpvalueDescription { name, in_stack: true, index: 0, read_only: false });
        Compiler { source: Rc::from(chunk_name), hidden, function, others: Vec::new(), depth: 0 }
    }

    /// End the main function, whose source ends at a line.
    fn end(mut self, last_line: u32) -> Result<Template> {
        self.end_function(0, last_line)
    }

    /// Compile the function `body`, which has a first parameter `self` if it is a method. Its number.
    fn inner_function(&mut self, is_method: bool, body: &FunctionBody) -> Result<u16> {
        self.function.at_line(body.line);
        let line = self.function.line;
        if self.depth == self.others.len() {
            self.others.push(FunctionState::with_room(USUAL_INSTRUCTIONS));
        }
        std::mem::swap(&mut self.function, &mut self.others[self.depth]);
        self.depth += 1;
        self.function.begin(body.line, line);
        self.function.enter_block(false);
        self.parameters(is_method, body)?;
        self.statements(&body.block.statements, body.end_line, true)?;
        self.function.at_line(body.end_line);
        let template = self.end_function(body.end_line, body.next_line)?;
        let line = self.function.line;
        self.depth -= 1;
        std::mem::swap(&mut self.function, &mut self.others[self.depth]);
        self.function.line = line;
        Ok(self.function.add_prototype(template))
    }

    /// End the innermost function, after which the source goes on at `next_line`.
    fn end_function(&mut self, last_line_defined: u32, next_line: u32) -> Result<Template> {
        let function = &mut self.function;
        function.emit_return(function.variable_registers, Some(0));
        function.leave_block();
        if let Some(goto) = function.gotos.first() {
            let message = match &goto.target {
                GotoTarget::Break => format!("break outside loop at line {}", goto.line),
                GotoTarget::Label(name) => format!("no visible label '{name}' for <goto> at line {}", goto.line),
            };
            return Err(self.error_at(next_line, &message));
        }
        let template = function.finish(self.source.clone(), last_line_defined);
        self.check_failure()?;
        Ok(template)
    }

    fn parameters(&mut self, is_method: bool, body: &FunctionBody) -> Result<()> {
        self.check_locals(usize::from(is_method) + body.parameters.len())?;
        if is_method {
            self.function.declare(&self.hidden.receiver, Attribute::Regular);
        }
        for parameter in &body.parameters {
            self.function.declare(&parameter.name, Attribute::Regular);
        }
        let count = self.function.variables.len();
        // At most 200.
        self.function.parameters = count as u8;
        if body.variadic {
            self.function.variadic = true;
            self.function.emit_abc(Opcode::VarargPrep, count as u8, 0, 0);
        }
        self.function.reserve(count);
        Ok(())
    }

    // Errors.

    /// The error `message` at the line that the compiler is at.
    fn error(&self, message: &str) -> Box<SyntaxError> {
        self.error_at(self.function.line, message)
    }

    fn error_at(&self, line: u32, message: &str) -> Box<SyntaxError> {
        Box::new(SyntaxError::new(&self.source, line, message, None))
    }

    fn failure(&self, failure: Failure) -> Box<SyntaxError> {
        self.error_at(failure.line, &failure.message)
    }

    /// Report a limit that was exceeded.
    fn check_failure(&mut self) -> Result<()> {
        match self.function.failure.take() {
            Some(failure) => Err(self.failure(failure)),
            None => Ok(()),
        }
    }

    /// Make sure that `count` more variables are within the limit, as those are that were parsed.
    fn check_locals(&self, count: usize) -> Result<()> {
        if self.function.variables.len() + count <= MAX_LOCALS {
            return Ok(());
        }
        Err(self.error(&limit_message("local variables", MAX_LOCALS, self.function.line_defined)))
    }
}
