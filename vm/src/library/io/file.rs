//! An open file or pipe, buffered as C's streams are.
//!
//! One buffer serves reading, one writing, and at most one of them holds anything: a change of direction flushes what was
//! written, or moves the file's position back to where the program has read to.

use crate::interpreter::Buffering;
use crate::library::system::{self, OwnedHandle, bad_descriptor};
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};

/// Bytes of a buffer: about what C libraries take.
const BUFFER_SIZE: usize = 4096;

/// What a file is opened for: a mode of C's `fopen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    /// `r`, `w` or `a`.
    kind: u8,
    /// `+`: reading and writing.
    update: bool,
}

impl Mode {
    pub(super) const READ: Mode = Mode { kind: b'r', update: false };
    pub(super) const WRITE: Mode = Mode { kind: b'w', update: false };

    /// The mode that a text stands for: `[rwa]%+?b*`.
    pub(super) fn parse(text: &[u8]) -> Option<Mode> {
        let (&kind, rest) = text.split_first().filter(|(kind, _)| b"rwa".contains(kind))?;
        let (update, rest) = match rest {
            [b'+', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        rest.iter().all(|&byte| byte == b'b').then_some(Mode { kind, update })
    }

    fn reads(self) -> bool {
        self.update || self.kind == b'r'
    }

    fn writes(self) -> bool {
        self.update || self.kind != b'r'
    }
}

/// An open file, or one end of a pipe to a process.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    mode: Mode,
    process: Option<Child>,
    buffering: Buffering,
    /// What was read from the file, and how much of it the program has taken.
    input: Vec<u8>,
    taken: usize,
    /// What was written and is not in the file yet.
    output: Vec<u8>,
}

impl OpenFile {
    fn new(file: File, mode: Mode, process: Option<Child>) -> OpenFile {
        OpenFile { file, mode, process, buffering: Buffering::Full, input: Vec::new(), taken: 0, output: Vec::new() }
    }

    /// Opens a file.
    pub(super) fn open(path: &Path, mode: Mode) -> io::Result<OpenFile> {
        let mut options = OpenOptions::new();
        options.read(mode.reads()).create(mode.kind != b'r');
        match mode.kind {
            b'a' => options.append(true),
            kind => options.write(mode.writes()).truncate(kind == b'w'),
        };
        let mut file = options.open(path)?;
        if mode.kind == b'a' && !mode.update {
            // Where nothing can be read, the position is that of the first write. A pipe has none.
            let _ = file.seek(SeekFrom::End(0));
        }
        Ok(OpenFile::new(file, mode, None))
    }

    /// A file without a name, which goes away with the last that has it open.
    pub(super) fn temporary() -> io::Result<OpenFile> {
        Ok(OpenFile::new(tempfile::tempfile()?, Mode { kind: b'w', update: true }, None))
    }

    /// Starts a command of the shell. The file is its output, or its input where the mode is for writing.
    pub(super) fn process(command: &[u8], mode: Mode) -> io::Result<OpenFile> {
        let mut shell = system::shell(command);
        if mode.writes() {
            shell.stdin(Stdio::piped())
        } else {
            shell.stdout(Stdio::piped())
        };
        let mut child = shell.spawn()?;
        let end = match (child.stdin.take(), child.stdout.take()) {
            (Some(end), _) => OwnedHandle::from(end),
            (None, Some(end)) => OwnedHandle::from(end),
            (None, None) => unreachable!("one of them is piped"),
        };
        Ok(OpenFile::new(File::from(end), mode, Some(child)))
    }

    /// Closes the file; gives how its process ended, if it has one.
    pub(super) fn close(mut self) -> io::Result<Option<ExitStatus>> {
        let process = self.process.take();
        let flushed = self.flush();
        // The process may wait for the end of its input.
        drop(self);
        match process {
            Some(mut process) => process.wait().map(Some),
            None => flushed.map(|()| None),
        }
    }

    /// Changes when what is written gets to the file.
    pub(super) fn set_buffering(&mut self, buffering: Buffering) -> io::Result<()> {
        self.buffering = buffering;
        if buffering == Buffering::No { self.flush() } else { Ok(()) }
    }

    fn unread(&self) -> usize {
        self.input.len() - self.taken
    }

    fn forget_input(&mut self) {
        self.input.clear();
        self.taken = 0;
    }

    /// Puts bytes into the buffer, after making room; those that would fill it go straight to the file.
    fn buffer(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.output.len() + bytes.len() > BUFFER_SIZE {
            self.flush()?;
        }
        if bytes.len() >= BUFFER_SIZE {
            return self.file.write_all(bytes);
        }
        self.output.extend_from_slice(bytes);
        Ok(())
    }
}

impl Read for OpenFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(into)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for OpenFile {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if !self.mode.reads() {
            return Err(bad_descriptor());
        }
        if self.unread() == 0 {
            self.flush()?;
            self.taken = 0;
            self.input.resize(BUFFER_SIZE, 0);
            let read = loop {
                match self.file.read(&mut self.input) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.input.truncate(*read.as_ref().unwrap_or(&0));
            read?;
        }
        Ok(&self.input[self.taken..])
    }

    fn consume(&mut self, count: usize) {
        self.taken += count;
    }
}

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.mode.writes() {
            return Err(bad_descriptor());
        }
        if self.unread() > 0 {
            self.file.seek(SeekFrom::Current(-(self.unread() as i64)))?;
        }
        self.forget_input();
        let at_once = match self.buffering {
            Buffering::No => bytes.len(),
            Buffering::Full => 0,
            Buffering::Line => bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1),
        };
        let (at_once, later) = bytes.split_at(at_once);
        if !at_once.is_empty() {
            self.buffer(at_once)?;
            self.flush()?;
        }
        self.buffer(later)?;
        Ok(bytes.len())
    }

    /// What cannot be written is lost, so that the error comes once.
    fn flush(&mut self) -> io::Result<()> {
        let result = self.file.write_all(&self.output);
        self.output.clear();
        result
    }
}

impl Seek for OpenFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.flush()?;
        let to = match to {
            SeekFrom::Current(distance) => SeekFrom::Current(distance.saturating_sub(self.unread() as i64)),
            to => to,
        };
        let position = self.file.seek(to)?;
        self.forget_input();
        Ok(position)
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_those_that_c_knows() {
        for (text, reads, writes) in
            [("r", true, false), ("w", false, true), ("a", false, true), ("r+", true, true), ("w+bb", true, true)]
        {
            let mode = Mode::parse(text.as_bytes()).expect(text);
            assert_eq!((mode.reads(), mode.writes()), (reads, writes), "{text}");
        }
        for text in ["", "b", "+", "rw", "rb+", "r+bk", "rt", "R"] {
            assert_eq!(Mode::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn reading_and_writing_alternate_at_one_position() {
        let mut file = OpenFile::temporary().expect("a temporary file");
        file.write_all(b"one two three").expect("written");
        file.seek(SeekFrom::Start(4)).expect("a position");
        assert_eq!(&file.fill_buf().expect("text")[..3], b"two");
        file.consume(3);
        file.write_all(b"-").expect("written");
        assert_eq!(file.fill_buf().expect("text"), b"three");
        assert_eq!(file.stream_position().expect("a position"), 8);
        file.rewind().expect("a position");
        let mut text = String::new();
        file.read_to_string(&mut text).expect("text");
        assert_eq!(text, "one two-three");
    }
}
