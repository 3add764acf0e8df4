//! Operations that load functions: from chunks that a reader gives piece by piece, and from dumps of other functions.
//!
//! What a script shows of loading is the same for every correct Lua: the sizes of dumps, the number of pieces that a reader is
//! asked for, and the messages of failures are not shown.

use arbitrary::{Arbitrary, Unstructured};
use mutatis::Mutate;
use serde::{Deserialize, Serialize};

use super::payload::payloads;
use super::{Body, FunctionId, Place, TableId, Value, several};

payloads! {
    /// `local f1 = load(reader(chunk, 1, collectgarbage))()`: a function from a chunk that a reader gives piece by piece.
    ReadFunction {
        /// The variable.
        id: FunctionId,
        /// Where it lives.
        place: Place,
        /// The initial values of the locals that it may capture.
        #[arbitrary(with = |u: &mut Unstructured<'_>| several(u, 1, 2))]
        locals: Vec<Value>,
        /// What it does.
        body: Body,
        /// The chunk.
        chunk: Chunk,
        /// The reader.
        reader: Reader,
    }

    /// A chunk.
    Chunk {
        /// Whether it has a function with more constants than operands of instructions can name.
        #[arbitrary(with = |u: &mut Unstructured<'_>| Ok(u.arbitrary::<u8>()?.is_multiple_of(4)))]
        wide: bool,
        /// What it is.
        form: ChunkForm,
        /// Whether it has a name.
        named: bool,
        /// Its environment; without one it is that of the script.
        environment: Option<TableId>,
    }

    /// A function that gives a chunk piece by piece.
    Reader {
        /// How many bytes a piece has.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.choose(&[1, 5, 40, 250]).copied())]
        piece: u8,
        /// What it does besides.
        work: ReaderWork,
        /// How many steps there are each time that it works, if it steps the collector.
        #[arbitrary(with = |u: &mut Unstructured<'_>| u.int_in_range(1..=12))]
        steps: u8,
        /// How a reader stops in the midst of the chunk, before another one gives all of it.
        stop: Option<ReaderStop>,
    }

    /// `local f2 = copy(f1, true, {})`: a function is dumped and loaded again. Its first upvalue gets a value.
    CopyFunction {
        /// The variable.
        id: FunctionId,
        /// Where it lives.
        place: Place,
        /// The function that is dumped.
        function: FunctionId,
        /// Whether the dump is without debug information.
        strip: bool,
        /// What the first upvalue gets.
        value: Value,
    }
}

/// What a chunk is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum ChunkForm {
    /// Text.
    #[default]
    Text,
    /// The dump of a text.
    Dump,
    /// A dump without debug information.
    Stripped,
}

/// What a reader does a few times while it gives a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum ReaderWork {
    /// Nothing.
    #[default]
    Nothing,
    /// Steps of the collector.
    Step,
    /// A full collection.
    Collect,
    /// Loads the same chunk by a reader of its own.
    Load,
}

/// How a reader stops in the midst of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Arbitrary, Mutate)]
pub enum ReaderStop {
    /// By an error.
    Error,
    /// By `""`, now and whenever it is asked again.
    Empty,
    /// By `nil`, now and whenever it is asked again.
    Nil,
}
