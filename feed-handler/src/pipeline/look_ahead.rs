//! Memory that messages will need is asked for before their turn, so that its answers overlap each other and the work.
//!
//! Done in two steps, as what the first finds (an order) leads to the second (its level): for the first messages of a
//! packet while packets before it are handled, for later ones of it a group at a time. Nothing of this changes what comes
//! out; looking at the wrong messages only costs time.

use crate::protocol::{Ahead, Decode};
use crate::publish::Outlet;

/// Messages whose memory is asked for at once: enough that the answers overlap, few enough that they are still there when
/// their message's turn comes.
pub(super) const GROUP: usize = 8;

/// The first messages of a packet, and what they will look up.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    found: [Ahead; GROUP],
    n: usize,
    /// Number of the channel in records.
    channel: u16,
    /// Messages that were looked at, whether or not they look anything up.
    pub(super) messages: usize,
}

impl Group {
    /// No messages.
    pub(super) const NONE: Group = Group {
        found: [Ahead {
            instrument: 0,
            order_id: 0,
            new_id: 0,
        }; GROUP],
        n: 0,
        channel: 0,
        messages: 0,
    };

    /// Looks at the next messages, and has the outlet ask for what they look up first.
    #[inline(always)]
    pub(super) fn of<'a, D: Decode, H: Outlet>(
        decoder: &D,
        channel: u16,
        messages: impl Iterator<Item = &'a [u8]>,
        outlet: &H,
    ) -> Group {
        // What they look up is kept, as finding it costs some protocols more than that.
        let mut group = Group {
            channel,
            ..Group::NONE
        };
        for message in messages.take(GROUP) {
            group.messages += 1;
            if let Some(ahead) = decoder.ahead(message) {
                outlet.fetch(channel, ahead);
                group.found[group.n] = ahead;
                group.n += 1;
            }
        }
        group
    }

    /// Has the outlet ask for what that leads to.
    #[inline(always)]
    pub(super) fn behind<H: Outlet>(&self, outlet: &H) {
        for &ahead in &self.found[..self.n] {
            outlet.fetch_behind(self.channel, ahead);
        }
    }
}
