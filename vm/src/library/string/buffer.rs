//! A string under construction.

use crate::interpreter::{Call, NativeResult, Throw};

/// How many copied bytes count as one step of work.
const BYTES_PER_STEP: usize = 64;

/// Charges the work of going over so many bytes once.
pub(crate) fn charge_bytes(call: &mut Call<'_>, bytes: usize) -> Result<(), Throw> {
    if bytes < BYTES_PER_STEP { Ok(()) } else { call.work((bytes / BYTES_PER_STEP) as u64) }
}

/// Bytes that become a string. They count against the limits of memory and of work as they are added.
#[derive(Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    /// Adds bytes.
    pub(crate) fn append(&mut self, call: &mut Call<'_>, bytes: &[u8]) -> Result<(), Throw> {
        charge_bytes(call, bytes.len())?;
        if bytes.len() > self.bytes.capacity() - self.bytes.len() {
            call.reserve(self.bytes.len() + bytes.len())?;
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds so many zeros.
    pub(crate) fn append_zeros(&mut self, call: &mut Call<'_>, count: usize) -> Result<(), Throw> {
        charge_bytes(call, count)?;
        let length = self.bytes.len() + count;
        if length > self.bytes.capacity() {
            call.reserve(length)?;
        }
        self.bytes.resize(length, 0);
        Ok(())
    }

    /// Adds a byte.
    #[inline]
    pub(crate) fn push(&mut self, call: &mut Call<'_>, byte: u8) -> Result<(), Throw> {
        if self.bytes.len() == self.bytes.capacity() {
            call.reserve(self.bytes.len() + 1)?;
        }
        self.bytes.push(byte);
        Ok(())
    }

    /// The bytes, for adding a few hundred at most.
    pub(crate) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The bytes, complete.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Gives the string as the result of the function.
    pub(crate) fn finish(self, call: &mut Call<'_>) -> NativeResult {
        call.ret_bytes(&self.bytes)
    }
}
