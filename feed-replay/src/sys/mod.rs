//! System calls that no safe wrapper offers: several datagrams at once, the multicast interface by its number, and
//! waiting for a datagram with a precise end. All `unsafe` of this crate is here.

use std::ffi::{CString, c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::Duration;

/// Most datagrams handed over in one call.
pub const BATCH: usize = 64;

/// Number of the interface with this name.
pub fn interface_index(name: &str) -> io::Result<u32> {
    let name = CString::new(name).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: `name` is a NUL-terminated string that lives until the call returns; nothing keeps the pointer.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// Multicast leaves through the interface with this number, whatever addresses it has.
pub fn set_multicast_interface(socket: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: 0 },
        imr_ifindex: index as c_int,
    };
    // SAFETY: the pointer and the length describe `request`, a plain structure that the kernel only reads during the
    // call. The descriptor is open for as long as it is borrowed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_MULTICAST_IF,
            ptr::from_ref(&request).cast::<c_void>(),
            size_of_val(&request) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

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

/// Hands up to [`BATCH`] datagrams to a connected socket in one call; how many the kernel took, at least 1.
pub fn send_batch(socket: BorrowedFd<'_>, payloads: &[&[u8]]) -> io::Result<usize> {
    const EMPTY: libc::iovec = libc::iovec {
        iov_base: ptr::null_mut(),
        iov_len: 0,
    };
    let count = payloads.len().min(BATCH);
    let mut vectors = [EMPTY; BATCH];
    // SAFETY: `mmsghdr` consists of integers and raw pointers, for which all bits zero is a value.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { std::mem::zeroed() };
    for ((vector, header), payload) in vectors.iter_mut().zip(&mut headers).zip(&payloads[..count])
    {
        vector.iov_base = payload.as_ptr().cast_mut().cast();
        vector.iov_len = payload.len();
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
    }
    // SAFETY: the first `count` headers are filled in: no address, no control data, and one vector each, in `vectors`,
    // which outlives the call and is not touched during it. Each vector describes a payload slice that is borrowed
    // until the call returns; sending only reads it, so the cast to a mutable pointer is never used to write. `count`
    // is at most the array's length. The kernel writes only `msg_len` of these headers.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), count as u32, 0) };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(sent as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn a_batch_arrives_in_order_and_whole() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let payloads: Vec<Vec<u8>> = (0..BATCH + 3).map(|i| vec![i as u8; i + 1]).collect();
        let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let mut sent = 0;
        while sent < slices.len() {
            let n = send_batch(sender.as_fd(), &slices[sent..]).unwrap();
            assert!((1..=BATCH).contains(&n));
            sent += n;
        }
        receiver
            .set_read_timeout(Some(std::time::Duration::from_secs(5)))
            .unwrap();
        let mut buffer = [0; 2048];
        for payload in &payloads {
            let n = receiver.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..n], payload);
        }
    }

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

    #[test]
    fn interfaces_are_found_by_name_or_refused() {
        assert!(interface_index("lo").unwrap() > 0);
        assert!(interface_index("no such one").is_err());
        assert!(interface_index("nul\0inside").is_err());
    }
}
