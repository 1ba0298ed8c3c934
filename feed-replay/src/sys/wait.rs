//! Waiting for datagrams.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

/// Waits until one of `descriptors` can be read, or written where that is asked for too, at most for `timeout`; whether
/// one can.
pub fn wait(descriptors: &[(BorrowedFd<'_>, bool)], timeout: Duration) -> io::Result<bool> {
    let poll = |&(fd, write): &(BorrowedFd<'_>, bool)| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN | if write { libc::POLLOUT } else { 0 },
        revents: 0,
    };
    let mut polls: Vec<_> = descriptors.iter().map(poll).collect();
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: pointer and count describe `polls`, which lives until the call returns, as does `timeout`; the call writes
    // to the `revents` of the former only. The null signal mask leaves the thread's own. The descriptors are open for as
    // long as they are borrowed.
    let ready = unsafe {
        libc::ppoll(
            polls.as_mut_ptr(),
            polls.len() as libc::nfds_t,
            &timeout,
            ptr::null(),
        )
    };
    match ready {
        0 => Ok(false),
        1.. => Ok(true),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn waiting_ends_with_a_datagram_or_in_time() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let time = Duration::from_micros(1_500);
        let begin = std::time::Instant::now();
        assert!(!wait(&[(receiver.as_fd(), false)], time).unwrap());
        assert!(begin.elapsed() >= time);
        assert!(wait(&[(receiver.as_fd(), true)], time).unwrap());
        receiver
            .send_to(b"x", receiver.local_addr().unwrap())
            .unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let both = [(other.as_fd(), false), (receiver.as_fd(), false)];
        assert!(wait(&both, Duration::from_secs(5)).unwrap());
    }
}
