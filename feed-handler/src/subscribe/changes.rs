//! New filters on their way to a lane, without a lock or a wait, and old ones on their way back.
//!
//! The hot thread looks once a batch at one number. What it takes is boxed already, and what it took before goes back
//! the same way, so that it neither allocates nor frees: see [`Slot`].

use super::Filter;
use feed_common::sys::handover::Slot;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

/// What a lane's channels should want from now on: posted by a cold thread, taken by the lane.
#[derive(Debug)]
pub struct Changes {
    posted: AtomicU64,
    channels: Box<[Exchange]>,
}

#[derive(Debug, Default)]
struct Exchange {
    offered: Slot<Filter>,
    returned: Slot<Filter>,
}

impl Changes {
    /// Nothing posted yet, for a lane of so many channels.
    pub fn new(channels: usize) -> Arc<Changes> {
        Arc::new(Changes {
            posted: AtomicU64::new(0),
            channels: (0..channels).map(|_| Exchange::default()).collect(),
        })
    }

    /// Posts a filter to every channel, in place of one that has not been taken yet. For cold threads.
    pub fn post(&self, filter: &Filter) {
        for channel in &self.channels {
            drop(channel.offered.put(Box::new(filter.clone())));
        }
        // Whoever sees the number finds the filters.
        self.posted.fetch_add(1, Release);
        self.collect();
    }

    /// Frees the filters that have come back. For cold threads; a filter is taken only when the one before the last has
    /// been freed.
    pub fn collect(&self) {
        for channel in &self.channels {
            drop(channel.returned.take());
        }
    }

    /// How often something has been posted.
    #[inline]
    pub fn posted(&self) -> u64 {
        self.posted.load(Acquire)
    }

    /// Lets `replace` put a posted filter in the place of the one it hands back. False when that has to wait because
    /// the last one handed back has not been freed yet.
    pub(crate) fn take(
        &self,
        channel: usize,
        replace: impl FnOnce(Box<Filter>) -> Box<Filter>,
    ) -> bool {
        let Some(exchange) = self.channels.get(channel) else {
            return true;
        };
        // Only this thread puts anything there, so that it stays empty until the new one is put.
        if !exchange.returned.seems_empty() {
            return false;
        }
        if let Some(new) = exchange.offered.take() {
            let displaced = exchange.returned.put(replace(new));
            debug_assert!(displaced.is_none());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_taken_and_the_old_comes_back_first() {
        let changes = Changes::new(1);
        let filter = |text: &str| Filter::of(vec![text.parse().unwrap()]).unwrap();
        let mut held = Box::new(Filter::default());
        let mut take = || {
            changes
                .take(0, |new| std::mem::replace(&mut held, new))
                .then(|| (*held).clone())
        };
        assert_eq!(take(), Some(Filter::default()), "nothing was posted");
        changes.post(&filter("A"));
        changes.post(&filter("B"));
        assert_eq!(changes.posted(), 2);
        assert_eq!(take(), Some(filter("B")));
        // What came back lies there until a cold thread frees it.
        changes.channels[0].offered.put(Box::new(filter("C")));
        assert_eq!(take(), None);
        changes.collect();
        assert_eq!(take(), Some(filter("C")));
    }
}
