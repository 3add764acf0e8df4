//! The register bytecode: what the compiler emits and the interpreter runs.
//!
//! An [`Instruction`] is 32 bits: the opcode in the lowest byte, then the operands A, B and C of 8 bits each. B and C
//! together make the 16-bit operand Bx (or its signed form sBx), A, B and C together the signed 24-bit operand sJ of a
//! jump or the unsigned Ax. Registers are slots of the frame, constants and prototypes those of the running function.
//!
//! A [`Template`] is a compiled function outside of any heap; loading it makes the prototype objects. It comes from the
//! compiler, or from bytes ([`Template::undump`]), which are verified: the interpreter trusts both alike.

mod dump;
mod instruction;
mod opcode;
mod undump;
mod verify;

pub use dump::{HEADER_LENGTH, is_binary};
pub use instruction::Instruction;
pub use opcode::Opcode;
pub use undump::UndumpError;
pub use verify::{Fault, VerifyError};

use std::rc::Rc;

/// Registers of one function (Lua's `MAXREGS`).
pub const MAX_REGISTERS: usize = 255;
/// Upvalues of one function (Lua's `MAXUPVAL`).
pub const MAX_UPVALUES: usize = 255;
/// Active local variables of one function (Lua's `MAXVARS`).
pub const MAX_LOCALS: usize = 200;

/// A compiled function: everything that a prototype will hold, without any collected object. Code and lines are shared with
/// the prototypes that are made of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The chunk's name as given to `load`: `@file`, `=name`, or the source itself.
    pub source: Rc<[u8]>,
    /// Line of the word `function`; 0 for a main chunk.
    pub line_defined: u32,
    /// Line of its `end`; 0 for a main chunk.
    pub last_line_defined: u32,
    /// Named parameters, the `self` of a method included.
    pub parameters: u8,
    /// Whether it takes more arguments than those.
    pub variadic: bool,
    /// Registers that a call needs, at least 2.
    pub max_stack: u8,
    /// The code; its last instruction is a return.
    pub code: Rc<[Instruction]>,
    /// What `LoadK` and the K forms refer to.
    pub constants: Vec<Constant>,
    /// Where a new closure finds its upvalues.
    pub upvalues: Vec<UpvalueDescription>,
    /// The functions inside this one, for `Closure`.
    pub prototypes: Vec<Template>,
    /// The source line of each instruction; empty where debug information was left out.
    pub lines: Rc<[u32]>,
    /// Names of registers, for messages and `debug`: in the order in which their scopes begin.
    pub locals: Vec<LocalVariable>,
}

/// A constant of a function.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Constant {
    Nil,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(Rc<[u8]>),
}

/// Where a closure captures one upvalue from, and what the source calls it.
#[derive(Clone, Debug, PartialEq)]
pub struct UpvalueDescription {
    /// Its name in the source; empty where debug information was left out.
    pub name: Rc<[u8]>,
    /// Captured from a register of the enclosing function; else from that function's own upvalues.
    pub in_stack: bool,
    /// The register or the upvalue there.
    pub index: u8,
    /// Whether the variable is `<const>` or `<close>`: no code assigns it.
    pub read_only: bool,
}

/// The scope of a local variable. At an instruction, the active ones, counted in order, name the registers from 0 up
/// (compile-time constants have no register and are not listed).
#[derive(Clone, Debug, PartialEq)]
pub struct LocalVariable {
    /// Its name; those of the compiler begin with `(`, as `(for state)`.
    pub name: Rc<[u8]>,
    /// First instruction where it is active.
    pub start: u32,
    /// First instruction where it no longer is.
    pub end: u32,
}
