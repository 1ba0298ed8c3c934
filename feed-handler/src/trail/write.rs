//! Writing the file as the run goes.

use super::line::{Last, Line, Totals};
use super::{Origin, Trail};
use crate::publish::Mark;
use serde::Serialize;
use std::io::{self, Write};

/// Writes a run's marks.
#[derive(Debug)]
pub struct TrailWriter<W> {
    out: W,
    channels: Vec<String>,
    /// Whole lines that have not been written yet.
    waiting: Vec<u8>,
}

impl<W: Write> TrailWriter<W> {
    /// Writes the header.
    pub fn begin(
        out: W,
        every: u64,
        channels: Vec<String>,
        origin: Origin,
    ) -> io::Result<TrailWriter<W>> {
        let trail = Trail::new(every, channels, origin);
        let mut writer = TrailWriter {
            out,
            waiting: Vec::new(),
            channels: Vec::new(),
        };
        writer.line(&trail.header())?;
        writer.channels = trail.channels;
        writer.flush()?;
        Ok(writer)
    }

    /// Takes a mark, which is written with the next [`TrailWriter::flush`].
    pub fn mark(&mut self, mark: &Mark) -> io::Result<()> {
        match Line::of(mark, &self.channels) {
            Some(line) => self.line(&line),
            None => Ok(()),
        }
    }

    /// Says that marks were overwritten before they came here.
    pub fn missed(&mut self, count: u64) -> io::Result<()> {
        self.line(&Line::Missed { count })
    }

    /// Writes what was taken.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.waiting)?;
        self.waiting.clear();
        self.out.flush()
    }

    /// Ends the file with what the run came to.
    pub fn done(mut self, lasts: Vec<Last>, totals: Totals) -> io::Result<W> {
        for last in lasts {
            self.line(&Line::Last(last.into()))?;
        }
        self.line(&Line::Done(totals))?;
        self.flush()?;
        Ok(self.out)
    }

    fn line(&mut self, line: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut self.waiting, line)?;
        self.waiting.push(b'\n');
        Ok(())
    }
}
