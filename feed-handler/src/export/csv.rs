//! Comma-separated values, as the commands that print rows write them.

use crate::inspect::rows::{Cell, csv};
use std::io::{self, Write};

/// Writes rows behind a header.
#[derive(Debug)]
pub(super) struct CsvWriter<W> {
    out: W,
    /// The row at hand; kept for its memory.
    line: Vec<u8>,
}

impl<W: Write> CsvWriter<W> {
    /// Writes the header.
    pub(super) fn new<'c>(mut out: W, names: impl Iterator<Item = &'c str>) -> io::Result<Self> {
        let names: Vec<_> = names.collect();
        let mut line = names.join(",").into_bytes();
        line.push(b'\n');
        out.write_all(&line)?;
        Ok(CsvWriter { out, line })
    }

    pub(super) fn row(&mut self, cells: &[Cell<'_>], picked: &[usize]) -> io::Result<()> {
        self.line.clear();
        for &at in picked {
            csv(cells[at], &mut self.line);
            self.line.push(b',');
        }
        if let Some(last) = self.line.last_mut() {
            *last = b'\n';
        }
        self.out.write_all(&self.line)
    }

    pub(super) fn finish(mut self) -> io::Result<()> {
        self.out.flush()
    }
}
