//! The standard streams of a program, which its host gives.
//!
//! A program without a host's streams reads nothing and writes nowhere. Output is buffered as the host likes, unless the
//! program asks for less; standard error is never kept back.
//!
//! A failure of the system to write the output is the program's to see, as in C. Any other, and the pipe that nobody reads any
//! more, is the host's word that it wants no more output, which ends the program.

use crate::gc::Event;
use crate::interpreter::{Limit, Throw, Vm};
use std::io::{self, BufReader, ErrorKind, Read, Write};

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
    /// Whether output that is kept back is shown before the program waits for input: it may be the question.
    asks: bool,
    error: Box<dyn Write>,
}

impl Default for Streams {
    fn default() -> Self {
        Streams {
            input: BufReader::new(Box::new(io::empty())),
            output: Box::new(io::sink()),
            output_buffering: Buffering::Full,
            asks: true,
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

    /// Where the program's output goes, which is as C's standard output: on a terminal lines go out when they end, and what is
    /// there of a line when the program waits for input; elsewhere `output` keeps back what it likes until it is flushed.
    pub fn set_standard_output(&mut self, output: impl Write + 'static, is_terminal: bool) {
        self.set_output(output);
        self.streams.output_buffering = if is_terminal { Buffering::Line } else { Buffering::Full };
        self.streams.asks = is_terminal;
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

    /// Sends bytes to the program's output. The inner error is the program's to see.
    pub(crate) fn write_output(&mut self, bytes: &[u8]) -> Result<io::Result<()>, Throw> {
        self.heap.note(|| Event::Output(bytes));
        let streams = &mut self.streams;
        let (at_once, later) = bytes.split_at(match streams.output_buffering {
            Buffering::No => bytes.len(),
            Buffering::Full => 0,
            Buffering::Line => bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1),
        });
        let mut written = Ok(());
        if !at_once.is_empty() {
            written = streams.output.write_all(at_once).and_then(|()| streams.output.flush());
        }
        if !later.is_empty() {
            written = written.and_then(|()| streams.output.write_all(later));
        }
        for_program(written)
    }

    /// Flushes the output as the program asks for it. The inner error is the program's to see.
    pub(crate) fn flush_for_program(&mut self) -> Result<io::Result<()>, Throw> {
        for_program(self.flush_output())
    }

    /// Shows what is kept back before the program waits for input, where that is usual.
    pub(crate) fn flush_before_input(&mut self) {
        if self.streams.asks {
            // An error that lasts comes back when something is written.
            let _ = self.flush_output();
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

/// Whose a failure to write the output is: the program's, or the host's, which ends the program.
fn for_program(written: io::Result<()>) -> Result<io::Result<()>, Throw> {
    match written {
        Err(error) if error.raw_os_error().is_none() || error.kind() == ErrorKind::BrokenPipe => {
            Err(Throw::Limit(Limit::Output))
        }
        written => Ok(written),
    }
}
