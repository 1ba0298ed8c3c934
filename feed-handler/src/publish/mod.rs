//! Publication: records to the broadcast ring, and from there to consumers.

mod bridge;
mod digest;
mod records;
mod ring;

pub use bridge::{Bridge, ConsumerStats, Delivery};
pub use digest::Digest;
pub use records::Records;

use feed_common::event::Record;

/// Takes finished records, in order. Never waits.
pub trait Publish {
    /// Writes a record; it may stay invisible until [`Publish::flush`].
    fn publish(&mut self, record: &Record);

    /// Makes everything written visible. Called once per packet.
    fn flush(&mut self) {}
}
