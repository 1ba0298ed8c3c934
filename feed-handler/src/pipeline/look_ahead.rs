//! Memory that messages will need is asked for before their turn, so that its answers overlap each other and the work.

use crate::protocol::{Ahead, Decode};
use crate::publish::Outlet;

/// Messages whose memory is asked for at once: enough that the answers overlap, few enough that they are still there when
/// their message's turn comes.
pub(super) const GROUP: usize = 8;

/// Has the outlet ask for what the next messages will look up, first for all of them and then for what that leads to.
/// That nothing is asked for across packets was measured: books of ITCH and of MDP 3.0 took as long with it as without.
#[inline(always)]
pub(super) fn look_ahead<'a, D: Decode, H: Outlet>(
    decoder: &D,
    channel: u16,
    messages: impl Iterator<Item = &'a [u8]>,
    outlet: &H,
) {
    // Kept between the two, as finding them costs some protocols more than that.
    let mut found = [Ahead::default(); GROUP];
    let mut n = 0;
    let named = messages.take(GROUP).filter_map(|m| decoder.ahead(m));
    for (place, ahead) in found.iter_mut().zip(named) {
        outlet.fetch(channel, ahead);
        *place = ahead;
        n += 1;
    }
    for &ahead in &found[..n] {
        outlet.fetch_behind(channel, ahead);
    }
}
