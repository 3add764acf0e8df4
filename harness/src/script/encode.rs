//! Scripts as bytes, for fuzz inputs: one version byte, then the model in postcard's format.
//!
//! Decoding accepts any bytes and either gives a model or says why not; a decoded model still needs fixup.

use std::cell::Cell;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::{Block, Script};

/// The first byte of an encoded script. It changes with every change of the model that old bytes would not survive.
pub const FORMAT_VERSION: u8 = 5;

/// Longer inputs are refused, so that decoding takes bounded time and memory.
const MAX_BYTES: usize = 1 << 20;

/// How many blocks may be inside each other while decoding; fixup allows fewer.
const MAX_DEPTH: u32 = 16;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Reads a block inside an operation, refusing nesting that would overflow the stack.
pub(super) fn nested_block<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Block, D::Error> {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        return Err(D::Error::custom("blocks are nested too deeply"));
    }
    DEPTH.set(depth + 1);
    let block = Block::deserialize(deserializer);
    DEPTH.set(depth);
    block
}

/// Why bytes are not an encoded script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the input is empty")]
    Empty,
    /// The version byte is another one.
    #[error("the input has format version {found}, but this program reads version {FORMAT_VERSION}")]
    Version {
        /// The byte found.
        found: u8,
    },
    /// Too many bytes.
    #[error("the input has {found} bytes; at most {MAX_BYTES} are accepted")]
    TooLong {
        /// The number of bytes.
        found: usize,
    },
    /// The bytes after the version are damaged, cut off, or nest blocks too deeply.
    #[error("the input is damaged or cut off: {0}")]
    Damaged(postcard::Error),
    /// The model ends before the bytes do.
    #[error("the input has {extra} bytes after its end")]
    Trailing {
        /// How many.
        extra: usize,
    },
}

impl Script {
    /// The script as bytes.
    pub fn encode(&self) -> Vec<u8> {
        // Serializing plain data into memory has no way to fail; the version byte alone would decode as damaged.
        postcard::to_extend(self, vec![FORMAT_VERSION]).unwrap_or_else(|_| vec![FORMAT_VERSION])
    }

    /// The script that `bytes` encode; it needs [`fixup`](Script::fixup) before it is rendered.
    ///
    /// # Errors
    ///
    /// When the bytes are of another version, damaged, cut off, too long or followed by something else.
    pub fn decode(bytes: &[u8]) -> Result<Script, DecodeError> {
        let (&version, model) = bytes.split_first().ok_or(DecodeError::Empty)?;
        if version != FORMAT_VERSION {
            return Err(DecodeError::Version { found: version });
        }
        if bytes.len() > MAX_BYTES {
            return Err(DecodeError::TooLong { found: bytes.len() });
        }
        let (script, rest) = postcard::take_from_bytes(model).map_err(DecodeError::Damaged)?;
        if rest.is_empty() { Ok(script) } else { Err(DecodeError::Trailing { extra: rest.len() }) }
    }
}
