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
        self.make_room(call, bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// How many bytes there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds so many zeros.
    pub(crate) fn append_zeros(&mut self, call: &mut Call<'_>, count: usize) -> Result<(), Throw> {
        self.make_room(call, count)?;
        self.bytes.resize(self.bytes.len() + count, 0);
        Ok(())
    }

    /// Makes room for so many more bytes, and charges what adding them costs.
    pub(crate) fn make_room(&mut self, call: &mut Call<'_>, count: usize) -> Result<(), Throw> {
        charge_bytes(call, count)?;
        if count > self.bytes.capacity() - self.bytes.len() {
            call.reserve(self.bytes.len() + count)?;
            self.bytes.reserve(count);
        }
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

    /// The bytes, to be changed, or for adding what there is room for.
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
