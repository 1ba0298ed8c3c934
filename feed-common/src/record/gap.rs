//! What a stream or a journal does not hold.

use super::kind;
use zerocopy::byteorder::little_endian::{U16, U64};

/// Why records are not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct GapCause(pub u8);

impl GapCause {
    /// Not said.
    pub const UNKNOWN: GapCause = GapCause(0);
    /// The queue between the pipeline and the one that writes had no room.
    pub const QUEUE_FULL: GapCause = GapCause(1);
    /// A reader of the broadcast ring was overrun.
    pub const OVERRUN: GapCause = GapCause(2);
    /// What was stored is damaged.
    pub const DAMAGED: GapCause = GapCause(3);
    /// They could not be written: the disk was full, or failed.
    pub const NO_ROOM: GapCause = GapCause(4);

    /// The name in facts; `None` for a cause this version does not know.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            GapCause::UNKNOWN => Some("unknown"),
            GapCause::QUEUE_FULL => Some("queue-full"),
            GapCause::OVERRUN => Some("overrun"),
            GapCause::DAMAGED => Some("damaged"),
            GapCause::NO_ROOM => Some("no-room"),
            _ => None,
        }
    }
}

crate::record! {
    /// Stands where published records should be and are not: whoever kept them was too slow. What the feed itself has
    /// lost is a published record, [`Kind::GAP`](crate::event::Kind::GAP).
    #[derive(Default)]
    pub struct GapRecord: 32, kind kind::GAP, version 1 {
        /// When it was noticed, nanoseconds since the Unix epoch; 0 not said.
        timestamp: U64,
        /// Position of the first that is missing among all that were published.
        first: U64,
        /// How many.
        count: U64,
        /// The channel they are of, or `u16::MAX` for any.
        channel: U16,
        /// A [`GapCause`].
        cause: u8,
        /// Zero.
        reserved: [u8; 5],
    }
}
