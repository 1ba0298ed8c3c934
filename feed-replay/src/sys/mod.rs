//! System calls that no safe wrapper offers: facts about interfaces, several datagrams at once, sockets that take whole
//! frames, and waiting for a datagram with a precise end. All `unsafe` of this crate is here.

mod interface;
mod outbox;
mod packet;
mod wait;

pub use interface::{InterfaceFacts, interface_facts, set_multicast_interface};
pub use outbox::{BATCH, Outbox, can_segment};
pub use packet::packet_socket;
pub use wait::wait;

use std::io;

/// What a call that says -1 when it fails came to.
fn check(result: i32) -> io::Result<i32> {
    if result >= 0 {
        Ok(result)
    } else {
        Err(io::Error::last_os_error())
    }
}
