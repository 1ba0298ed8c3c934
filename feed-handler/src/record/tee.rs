//! A packet source that keeps a copy of everything it lends.

use super::queue::Queue;
use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError};

/// Lends what another source lends and, when there is a queue, puts copies into it.
///
/// The copies are made when a batch is given back: its records are out by then, and the only packets that wait for the
/// copying are those that come next. Without a queue it costs a branch a batch.
#[derive(Debug)]
pub struct Tee<S> {
    source: S,
    queue: Option<Queue>,
}

impl<S> Tee<S> {
    /// Around `source`; without a queue nothing is kept.
    pub fn new(source: S, queue: Option<Queue>) -> Tee<S> {
        Tee { source, queue }
    }
}

impl<S: PacketSource> PacketSource for Tee<S> {
    type Batch<'a>
        = TeeBatch<'a, S::Batch<'a>>
    where
        S: 'a;

    #[inline]
    fn poll(&mut self) -> Result<Self::Batch<'_>, RxError> {
        let batch = self.source.poll()?;
        Ok(TeeBatch {
            queue: self.queue.as_mut(),
            batch,
        })
    }
}

/// A batch that is copied before its slots are given back.
#[derive(Debug)]
pub struct TeeBatch<'a, B: PacketBatch> {
    queue: Option<&'a mut Queue>,
    batch: B,
}

impl<B: PacketBatch> PacketBatch for TeeBatch<'_, B> {
    #[inline]
    fn len(&self) -> usize {
        self.batch.len()
    }

    #[inline]
    fn get(&self, i: usize) -> Packet<'_> {
        self.batch.get(i)
    }
}

impl<B: PacketBatch> Drop for TeeBatch<'_, B> {
    #[inline]
    fn drop(&mut self) {
        // Polls that found nothing are most of them.
        if let Some(queue) = &mut self.queue
            && !self.batch.is_empty()
        {
            queue.offer(&self.batch);
        }
    }
}
