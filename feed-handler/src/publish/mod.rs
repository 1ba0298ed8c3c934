//! Publication: records to the broadcast ring, and from there to consumers.

pub(crate) mod ahead;
mod booked;
mod bridge;
mod digest;
mod digests;
mod due;
mod fields;
mod marks;
mod quotes;
mod records;
mod ring;
mod table;

pub use booked::{BookTotals, Booked};
pub use bridge::{Bridge, ConsumerGauge, ConsumerStats, Delivery, OfRecord, Taken, Waiting};
pub use digest::Digest;
pub use marks::{Fingerprint, Mark, MarkKind, MarkReader, Marks, Watch};
pub use quotes::{Best, BestOf, BestPrices, Chosen, Places, SYMBOLS_MAX, Touched};
pub use records::{NAME_BYTES, Records};
pub use table::Table;

use crate::book::Level;
use crate::protocol::Ahead;
use feed_common::event::{MarketHandler, Record, Side};

/// Takes finished records, in order. Never waits.
pub trait Publish {
    /// Writes a record; it may stay invisible until [`Publish::flush`].
    fn publish(&mut self, record: &Record);

    /// Makes everything written visible. Called once per packet.
    fn flush(&mut self) {}

    /// Gets ready for what comes next, while there is nothing to write. Called when a poll found nothing.
    fn prepare(&mut self) {}
}

/// What the records of one numbering of a channel came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitPrint {
    /// Which numbering; 0 where there is one.
    pub unit: u8,
    /// How often it had begun anew.
    pub epoch: u32,
    /// All its records.
    pub print: Fingerprint,
}

/// Where a lane's events end: what it makes of them becomes visible packet by packet.
pub trait Outlet: MarketHandler {
    /// Makes everything so far visible. Called once per packet that brought something.
    fn flush(&mut self) {}

    /// Gets ready for what comes next. Called when a poll found nothing.
    fn prepare(&mut self) {}

    /// What came out so far; a packet after which it is the same has brought nothing.
    fn published(&self) -> u64;

    /// The digest of what came out of a channel as numbered in [`MsgCtx::channel`](feed_common::event::MsgCtx::channel).
    fn digest(&self, channel: u16) -> Digest {
        let _ = channel;
        Digest::EMPTY
    }

    /// What the records of each of a channel's numberings came to.
    fn prints(&self, channel: u16) -> Vec<UnitPrint> {
        let _ = channel;
        Vec::new()
    }

    /// True when it has a use for being told of events before they come.
    const LOOKS_AHEAD: bool = false;

    /// Asks for the memory that an event to come looks at first, without waiting for it.
    #[inline(always)]
    fn fetch(&self, channel: u16, ahead: Ahead) {
        let _ = (channel, ahead);
    }

    /// The same for what that memory leads to, when it has had time to come.
    #[inline(always)]
    fn fetch_behind(&self, channel: u16, ahead: Ahead) {
        let _ = (channel, ahead);
    }

    /// Visits the `n` best levels of one side of an instrument's book with their numbers, the best first; none where no
    /// books are kept.
    fn top(
        &self,
        channel: u16,
        instrument: u32,
        side: Side,
        n: usize,
        visit: &mut dyn FnMut(u32, Level),
    ) {
        let _ = (channel, instrument, side, n, visit);
    }

    /// What the books of a channel came to; `None` when none are kept.
    fn books(&self, channel: u16) -> Option<BookTotals> {
        let _ = channel;
        None
    }
}
