//! Counts of frames that gave no datagram.

use crate::wire::frame::Skip;

/// Frames that gave no datagram, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skipped {
    counts: [u64; Skip::ALL.len()],
}

impl Skipped {
    /// Counts one.
    #[inline]
    pub fn count(&mut self, reason: Skip) {
        self.counts[reason as usize] += 1;
    }

    /// Frames skipped for one reason.
    pub fn of(&self, reason: Skip) -> u64 {
        self.counts[reason as usize]
    }

    /// Frames skipped in all.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Every reason with its count, also those that never occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Skip, u64)> + '_ {
        Skip::ALL
            .into_iter()
            .map(|reason| (reason, self.of(reason)))
    }
}
