//! Writes ITCH BinaryFILE.

use std::io::{self, Write};

/// Writes messages as they are given; the caller's `out` should be buffered, as each message is two writes.
#[derive(Debug)]
pub struct BinaryFileWriter<W: Write> {
    out: W,
}

impl<W: Write> BinaryFileWriter<W> {
    /// Begins a file; it has no header, so nothing is written.
    pub fn new(out: W) -> BinaryFileWriter<W> {
        BinaryFileWriter { out }
    }

    /// Writes a message. `InvalidInput` when it is empty (that would end the session) or exceeds 65,535 bytes.
    #[inline]
    pub fn message(&mut self, message: &[u8]) -> io::Result<()> {
        match u16::try_from(message.len()) {
            Ok(len) if len > 0 => {
                self.out.write_all(&len.to_be_bytes())?;
                self.out.write_all(message)
            }
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "BinaryFILE cannot hold a message of {} bytes",
                    message.len()
                ),
            )),
        }
    }

    /// Writes the end of the session, flushes, and gives the output back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0, 0])?;
        self.out.flush()?;
        Ok(self.out)
    }
}
