//! What is wrong inside the blocks of a pcapng file, none of which ends it.

use std::fmt;

/// A contradiction inside a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
#[allow(missing_docs)]
pub enum Fault {
    #[error("the lengths before and behind a block differ")]
    Trailer,
    #[error("a packet block without room for its header")]
    ShortPacket,
    #[error("a frame longer than its block")]
    FrameTooLong,
    #[error("a packet of an interface that was not described")]
    UnknownInterface,
    #[error("an interface description that cannot be read")]
    BadInterface,
    #[error("an option that cannot be read")]
    BadOption,
    #[error("more interfaces than are kept apart")]
    TooManyInterfaces,
    #[error("a section of a version that is not supported")]
    SectionVersion,
}

impl Fault {
    /// All of them, for counters indexed by fault.
    pub const ALL: [Fault; 8] = [
        Fault::Trailer,
        Fault::ShortPacket,
        Fault::FrameTooLong,
        Fault::UnknownInterface,
        Fault::BadInterface,
        Fault::BadOption,
        Fault::TooManyInterfaces,
        Fault::SectionVersion,
    ];

    /// The name in facts.
    pub const fn name(self) -> &'static str {
        match self {
            Fault::Trailer => "block_trailer",
            Fault::ShortPacket => "block_short",
            Fault::FrameTooLong => "block_frame_long",
            Fault::UnknownInterface => "unknown_interface",
            Fault::BadInterface => "bad_interface",
            Fault::BadOption => "bad_option",
            Fault::TooManyInterfaces => "too_many_interfaces",
            Fault::SectionVersion => "section_version",
        }
    }
}

/// Faults counted by kind, with the place of the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    counts: [u64; Fault::ALL.len()],
    first: Option<(Fault, u64)>,
}

impl Faults {
    /// Counts one in the block that begins at byte `offset`.
    #[cold]
    pub(super) fn count(&mut self, fault: Fault, offset: u64) {
        self.counts[fault as usize] += 1;
        self.first.get_or_insert((fault, offset));
    }

    /// How often one occurred.
    pub fn of(&self, fault: Fault) -> u64 {
        self.counts[fault as usize]
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The first one, and the offset of its block in bytes from the start of the file.
    pub fn first(&self) -> Option<(Fault, u64)> {
        self.first
    }

    /// Every fault with its count, also those that never occurred.
    pub fn iter(&self) -> impl Iterator<Item = (Fault, u64)> + '_ {
        Fault::ALL.into_iter().map(|fault| (fault, self.of(fault)))
    }
}

/// The counts that are not zero by name, and where it began: `bad_option 2; the first in the block at byte 28`.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (fault, n) in self.iter().filter(|&(_, n)| n > 0) {
            write!(f, "{separator}{} {n}", fault.name())?;
            separator = ", ";
        }
        match self.first {
            Some((fault, offset)) => {
                write!(f, "; the first in the block at byte {offset}: {fault}")
            }
            None => Ok(()),
        }
    }
}
