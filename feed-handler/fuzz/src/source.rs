//! Where a lane takes one packet from.

use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError, RxMeta};

/// A source with a single packet.
pub struct One<'p>(pub Option<(RxMeta, &'p [u8])>);

/// What it brings.
pub struct Batch<'p>(Option<(RxMeta, &'p [u8])>);

impl<'p> PacketSource for One<'p> {
    type Batch<'a>
        = Batch<'p>
    where
        Self: 'a;

    fn poll(&mut self) -> Result<Batch<'p>, RxError> {
        Ok(Batch(self.0.take()))
    }
}

impl PacketBatch for Batch<'_> {
    fn len(&self) -> usize {
        usize::from(self.0.is_some())
    }

    fn get(&self, _: usize) -> Packet<'_> {
        let (meta, bytes) = self.0.as_ref().expect("one packet");
        Packet { meta, bytes }
    }
}
