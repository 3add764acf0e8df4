//! The error that ends a compilation.

use super::chunk_id;

/// Why a chunk is not Lua.
///
/// The message is complete, as scripts get it from `load`: `chunk:line: what near 'token'`. It is made of bytes, since
/// it quotes the source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", String::from_utf8_lossy(.message))]
pub struct SyntaxError {
    /// The whole message.
    pub message: Vec<u8>,
    /// The line that it names.
    pub line: u32,
    /// Whether the source only ended too early, so that more text could make it right.
    pub incomplete: bool,
    /// Whether constructs are nested too deep. That is a runtime error of what loads the chunk, so message handlers see it.
    pub too_deep: bool,
}

impl SyntaxError {
    /// The error `what` at a line of a chunk, `near` a token as messages quote it.
    pub fn new(chunk_name: &[u8], line: u32, what: &str, near: Option<&[u8]>) -> SyntaxError {
        let mut message = chunk_id(chunk_name);
        message.extend_from_slice(format!(":{line}: {what}").as_bytes());
        if let Some(token) = near {
            message.extend_from_slice(b" near ");
            message.extend_from_slice(token);
        }
        SyntaxError { incomplete: message.ends_with(b"<eof>"), message, line, too_deep: false }
    }
}

/// What is wrong where the function defined at a line, 0 for a chunk, has too many of a countable thing.
pub(crate) fn limit_message(what: &str, limit: usize, line_defined: u32) -> String {
    match line_defined {
        0 => format!("too many {what} (limit is {limit}) in main function"),
        line => format!("too many {what} (limit is {limit}) in function at line {line}"),
    }
}

/// A piece of source between quotes, as messages show it: up to its first zero byte.
pub(super) fn quoted(text: &[u8]) -> Vec<u8> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or(text);
    let mut quoted = Vec::with_capacity(text.len() + 2);
    quoted.push(b'\'');
    quoted.extend_from_slice(text);
    quoted.push(b'\'');
    quoted
}
