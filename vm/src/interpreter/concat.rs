//! Concatenation (manual §3.4.6).

use crate::interpreter::error::Operand;
use crate::interpreter::{Throw, Vm};
use crate::value::{Metamethod, Value, format_number};

/// Bytes that are copied in the time of an instruction, roughly: what a concatenation charges to the instruction limit.
const BYTES_PER_INSTRUCTION: u64 = 64;

/// How far a concatenation got.
pub(crate) enum Concat {
    /// The result is in the first slot.
    Done,
    /// A metamethod is to be called with the values of `slot` and the one above; its result replaces the former, and the
    /// concatenation goes on from there.
    Call { handler: Value, slot: usize },
}

fn is_text(value: Value) -> bool {
    matches!(value, Value::String(_) | Value::Integer(_) | Value::Float(_))
}

impl Vm {
    /// Concatenates the values of the slots `first ..= last` of the running Lua function from the right, as many at once as
    /// are strings or numbers.
    pub(crate) fn concat(&mut self, first: usize, mut last: usize) -> Result<Concat, Throw> {
        while last > first {
            let (left, right) = (self.slot(last - 1), self.slot(last));
            if !is_text(left) || !is_text(right) {
                let mut handler = self.heap.metamethod_of(left, Metamethod::Concat);
                if handler.is_nil() {
                    handler = self.heap.metamethod_of(right, Metamethod::Concat);
                }
                if handler.is_nil() {
                    return Err(self.concat_error(left, right, last));
                }
                return Ok(Concat::Call { handler, slot: last - 1 });
            }
            let mut from = last - 1;
            while from > first && is_text(self.slot(from - 1)) {
                from -= 1;
            }
            let mut length = 0usize;
            for slot in from..=last {
                length = length.saturating_add(match self.slot(slot) {
                    Value::String(string) => string.as_bytes().len(),
                    _ => 24,
                });
            }
            self.reserve(length)?;
            self.charge(length as u64 / BYTES_PER_INSTRUCTION)?;
            let mut buffer = Vec::with_capacity(length);
            for slot in from..=last {
                match self.slot(slot) {
                    Value::String(string) => buffer.extend_from_slice(string.as_bytes()),
                    number => format_number(number, &mut buffer),
                }
            }
            let result = self.heap.new_string(&buffer);
            self.set_slot(from, Value::String(result));
            last = from;
        }
        Ok(Concat::Done)
    }

    fn concat_error(&mut self, left: Value, right: Value, right_slot: usize) -> Throw {
        let base = self.heap.current().frames.last().map_or(0, |frame| frame.base as usize);
        let register = |slot: usize| Operand::Register(slot.saturating_sub(base) as u8);
        if is_text(left) {
            self.operand_error("concatenate", right, register(right_slot))
        } else {
            self.operand_error("concatenate", left, register(right_slot - 1))
        }
    }
}
