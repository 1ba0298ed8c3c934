//! Where a lane says what became of its holes.

use crate::sequence::HoleEnd;
use crossbeam_channel::{Receiver, Sender, bounded};

/// Ends of holes that can wait to be read: those of seconds in which every hundredth packet is lost.
const WAITING: usize = 4_096;

/// The lane's end of a bounded queue. Whoever reads must poll and not block on it: then sending neither locks nor calls
/// the system. What finds no room is counted.
#[derive(Debug)]
pub struct HoleEnds {
    to: Sender<HoleEnd>,
    missed: u64,
}

impl HoleEnds {
    /// A queue and where to read it.
    pub fn new() -> (HoleEnds, Receiver<HoleEnd>) {
        let (to, ends) = bounded(WAITING);
        (HoleEnds { to, missed: 0 }, ends)
    }

    #[inline(never)]
    pub(super) fn send(&mut self, end: HoleEnd) {
        self.missed += u64::from(self.to.try_send(end).is_err());
    }

    /// How many found no room.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
