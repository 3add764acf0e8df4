//! Lua source text: text to tree, and tree back to text.
//!
//! [`parse`] turns the bytes of a chunk into the [`ast`] that the compiler reads; [`print_chunk`] writes a tree as
//! source again, in one fixed layout, which is how the minimizer shows and measures what it has left. Source is bytes
//! and need not be UTF-8. Every error reads as PUC Lua's does. Which Lua's grammar it is, [`Syntax`] says.
//!
//! Only what depends on the grammar is checked here. Whatever needs scopes (labels, `break`, constants, numbers of
//! variables) is the compiler's to check.

pub mod ast;
mod error;
mod features;
mod lexer;
mod number;
mod parser;
mod print;
mod spans;
mod token;

pub use error::SyntaxError;
pub(crate) use error::limit_message;
pub use features::Syntax;
pub use lexer::skip_shebang;
pub use moonphase_heap::chunk_id;
pub use number::{Number, parse_number};
pub use parser::{MAX_HEIGHT, MAX_LEVELS, parse};
pub(crate) use parser::{Statements, parse_prefix};
pub use print::{code_lines, print_chunk};
pub use spans::strip_spans;
