//! A socket below IP.

use super::check;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

/// A socket that puts whole frames on the interface with this number, and receives none. Needs `CAP_NET_RAW`.
///
/// With `bypass` frames do not pass the interface's queueing discipline: captures on the interface do not see them, and
/// what the device has no room for is refused at once.
pub fn packet_socket(index: u32, bypass: bool) -> io::Result<OwnedFd> {
    // Protocol 0 is none: nothing that arrives is copied for it.
    // SAFETY: takes no memory; the result is checked.
    let raw =
        check(unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: a descriptor just opened, owned by nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(raw) };
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: 0,
        sll_ifindex: index as c_int,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the pointer and the length describe `address`, which the kernel only reads during the call.
    check(unsafe {
        libc::bind(
            socket.as_raw_fd(),
            ptr::from_ref(&address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    })?;
    if bypass {
        let on: c_int = 1;
        // SAFETY: the pointer and the length describe `on`, which the kernel only reads during the call.
        check(unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_QDISC_BYPASS,
                ptr::from_ref(&on).cast::<c_void>(),
                size_of_val(&on) as libc::socklen_t,
            )
        })?;
    }
    Ok(socket)
}
