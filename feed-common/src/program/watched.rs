//! A capture gone through while somebody waits.

use super::Progress;
use crate::capture::{CaptureFile, Datagram, Datagrams, Lend};

/// The datagrams of a capture, which say how far they are as they are taken.
#[derive(Debug)]
pub struct Watched<'f> {
    progress: Progress,
    datagrams: Datagrams<'f>,
}

impl<'f> Watched<'f> {
    /// From the first frame on; `progress` is of the same file.
    pub fn new(file: &'f CaptureFile, progress: Progress) -> Watched<'f> {
        Watched {
            progress,
            datagrams: Datagrams::new(file),
        }
    }

    /// The datagrams without those who watch: what they left out, and where they ended.
    pub fn into_datagrams(self) -> Datagrams<'f> {
        self.datagrams
    }
}

impl Lend for Watched<'_> {
    #[inline(always)] // a datagram handed back by a call goes through memory
    fn lend(&mut self) -> Option<Datagram<'_>> {
        self.progress.step(|| self.datagrams.taken());
        self.datagrams.next()
    }
}
