//! Socket options that socket2 does not have.

use socket2::SockAddr;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets the receive buffer beyond `rmem_max`; needs CAP_NET_ADMIN.
pub fn force_receive_buffer(socket: BorrowedFd<'_>, bytes: usize) -> io::Result<()> {
    let bytes = i32::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &bytes)
}

/// Has the kernel stamp every datagram with its wall clock.
pub fn stamp_datagrams(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &1i32)
}

/// Has the kernel and the network card stamp every datagram, the card in its own time. Where the card stamps none,
/// this is not refused. What the kernel receives within a moment of the first such request on the machine it has not
/// stamped yet, and nothing stands in for it.
pub fn stamp_by_card(socket: BorrowedFd<'_>) -> io::Result<()> {
    let by_kernel = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
    let by_card = libc::SOF_TIMESTAMPING_RX_HARDWARE | libc::SOF_TIMESTAMPING_RAW_HARDWARE;
    let flags: u32 = by_kernel | by_card;
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPING, &flags)
}

/// Has the kernel say with each datagram how many the full buffer has cost so far.
pub fn count_overflow(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &1i32)
}

/// Joins `group` on the interface for packets of `source` only.
pub fn join_source(
    socket: BorrowedFd<'_>,
    interface: u32,
    group: Ipv4Addr,
    source: Ipv4Addr,
) -> io::Result<()> {
    let storage = |address| SockAddr::from(SocketAddrV4::new(address, 0));
    let (group, source) = (storage(group), storage(source));
    let request = libc::group_source_req {
        gsr_interface: interface,
        gsr_group: as_libc(&group),
        gsr_source: as_libc(&source),
    };
    set(
        socket,
        libc::IPPROTO_IP,
        libc::MCAST_JOIN_SOURCE_GROUP,
        &request,
    )
}

fn as_libc(address: &SockAddr) -> libc::sockaddr_storage {
    // SAFETY: a `SockAddr` is an initialised `sockaddr_storage` (it says so of `as_ptr`'s target), copied here whole;
    // unaligned reading asks nothing of the pointer's type.
    unsafe {
        address
            .as_ptr()
            .cast::<libc::sockaddr_storage>()
            .read_unaligned()
    }
}

/// Private to this file, which passes each option the type it takes.
fn set<T>(socket: BorrowedFd<'_>, level: i32, name: i32, value: &T) -> io::Result<()> {
    let (pointer, len) = (std::ptr::from_ref(value).cast(), size_of::<T>());
    // SAFETY: the socket is open while borrowed; the kernel reads at most `len` bytes from `pointer`, which is a live
    // reference to a value of that size, and keeps no pointer to it.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            pointer,
            len as libc::socklen_t,
        )
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
