//! `ppoll(2)`: waiting on several sockets, finer than milliseconds. For cold threads.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Waits until something can be read from one of the sockets, or written to one of those that ask for that, or until
/// `time` has passed. A signal ends it early.
pub(in crate::net) fn wait<'fd>(
    sockets: impl Iterator<Item = (BorrowedFd<'fd>, bool)>,
    time: Duration,
) -> io::Result<()> {
    let mut polled: Vec<libc::pollfd> = sockets
        .map(|(socket, writes)| libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLIN | if writes { libc::POLLOUT } else { 0 },
            revents: 0,
        })
        .collect();
    let time = libc::timespec {
        tv_sec: time.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    let count = polled.len() as libc::nfds_t;
    // SAFETY: `polled` is an array of `count` structures that lives through the call and that nothing else refers to;
    // the descriptors are open, as their borrows outlive the iterator's items; `time` is a valid time span; a null mask
    // leaves the signals as they are.
    let ready = unsafe { libc::ppoll(polled.as_mut_ptr(), count, &time, std::ptr::null()) };
    match ready {
        -1 => match io::Error::last_os_error() {
            e if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            e => Err(e),
        },
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;
    use std::time::Instant;

    #[test]
    fn waits_no_longer_than_for_the_first_packet() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let one = || std::iter::once((socket.as_fd(), false));
        let begun = Instant::now();
        wait(one(), Duration::from_millis(20)).unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(20));
        socket.send_to(b"x", socket.local_addr().unwrap()).unwrap();
        let begun = Instant::now();
        wait(one(), Duration::from_secs(60)).unwrap();
        assert!(begun.elapsed() < Duration::from_secs(30));
    }
}
