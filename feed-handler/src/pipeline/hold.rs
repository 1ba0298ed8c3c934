//! Where packets can be held up on purpose. Without that nothing of it is left in the code.

use feed_common::latency::Stage;
use feed_common::time::Ticks;

/// Asked in front of each stage that is marked for every packet.
pub trait Hold {
    /// Waits if the packet is to be held up here, and returns from when to when it was.
    fn hold(&mut self, stage: Stage) -> Option<(Ticks, Ticks)>;
}

/// Holds nothing up, has no size, and leaves nothing behind.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHold;

impl Hold for NoHold {
    #[inline(always)]
    fn hold(&mut self, _stage: Stage) -> Option<(Ticks, Ticks)> {
        None
    }
}

const _: () = assert!(size_of::<NoHold>() == 0);
