//! Standard output as C has it, for programs that run as under `lua`.

use std::io::{self, Write};

/// Bytes that are kept back: what C libraries take for pipes and files.
const SIZE: usize = 4096;

/// Standard output behind a buffer. What cannot be written is lost, so that an error comes once; what is kept back goes out at
/// the end.
#[derive(Debug, Default)]
pub struct StandardOutput {
    kept: Vec<u8>,
}

impl StandardOutput {
    /// Writes past the standard library's own buffer, which holds on to what cannot be written.
    fn write_out(bytes: &[u8]) -> io::Result<()> {
        #[cfg(unix)]
        {
            let mut rest = bytes;
            while !rest.is_empty() {
                match rustix::io::write(rustix::stdio::stdout(), rest) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => rest = &rest[written..],
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(())
        }
        #[cfg(not(unix))]
        {
            let mut out = io::stdout();
            out.write_all(bytes).and_then(|()| out.flush())
        }
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.kept.len() + bytes.len() > SIZE {
            self.flush()?;
        }
        if bytes.len() >= SIZE {
            StandardOutput::write_out(bytes)?;
        } else {
            self.kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = StandardOutput::write_out(&self.kept);
        self.kept.clear();
        written
    }
}

impl Drop for StandardOutput {
    fn drop(&mut self) {
        // Nobody is left to hear of a failure.
        let _ = self.flush();
    }
}
