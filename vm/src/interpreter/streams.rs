//! The standard streams of a program, which its host gives.
//!
//! A program without a host's streams reads nothing and writes nowhere. Output is buffered as the host likes, unless the
//! program asks for less; standard error is never kept back.

use crate::gc::Event;
use crate::interpreter::Vm;
use std::io::{self, BufReader, Read, Write};

/// When written bytes leave a buffer (manual §6.8, `file:setvbuf`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Buffering {
    /// At once.
    No,
    /// When the buffer is full.
    Full,
    /// At the end of each line.
    Line,
}

/// What the program reads from. Host functions that read give short pieces, so they come through a buffer.
pub(crate) type Input = BufReader<Box<dyn Read>>;

/// The standard streams.
pub(super) struct Streams {
    input: Input,
    output: Box<dyn Write>,
    output_buffering: Buffering,
    error: Box<dyn Write>,
}

impl Default for Streams {
    fn default() -> Self {
        Streams {
            input: BufReader::new(Box::new(io::empty())),
            output: Box::new(io::sink()),
            output_buffering: Buffering::Full,
            error: Box::new(io::sink()),
        }
    }
}

impl Vm {
    /// Where the program's standard input comes from. At first it is empty.
    pub fn set_input(&mut self, input: impl Read + 'static) {
        self.streams.input = BufReader::new(Box::new(input));
    }

    /// Where the program's output goes. At first nowhere.
    pub fn set_output(&mut self, output: impl Write + 'static) {
        self.streams.output = Box::new(output);
    }

    /// Where the program's standard error and its warnings go. At first nowhere.
    pub fn set_error_output(&mut self, output: impl Write + 'static) {
        self.streams.error = Box::new(output);
    }

    /// Flushes the program's output.
    ///
    /// # Errors
    /// Those of the host's output.
    pub fn flush_output(&mut self) -> io::Result<()> {
        self.streams.output.flush()
    }

    /// Sends bytes to the program's output.
    pub(crate) fn write_output(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.heap.note(|| Event::Output(bytes));
        self.streams.output.write_all(bytes)?;
        match self.streams.output_buffering {
            Buffering::No => self.flush_output(),
            Buffering::Line if bytes.contains(&b'\n') => self.flush_output(),
            _ => Ok(()),
        }
    }

    /// Sends bytes to the program's standard error.
    pub(crate) fn write_error(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.streams.error.write_all(bytes)?;
        self.streams.error.flush()
    }

    /// Changes when output is passed on, besides when its host does.
    pub(crate) fn set_output_buffering(&mut self, buffering: Buffering) {
        self.streams.output_buffering = buffering;
    }

    /// Lends the standard input to who uses the machine while reading. To be given back.
    pub(crate) fn take_input(&mut self) -> Input {
        std::mem::replace(&mut self.streams.input, BufReader::with_capacity(0, Box::new(io::empty())))
    }

    /// Takes the standard input back.
    pub(crate) fn give_input(&mut self, input: Input) {
        self.streams.input = input;
    }
}
