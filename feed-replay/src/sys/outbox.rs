//! Several datagrams or frames in one call.

use super::check;
use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Most datagrams handed over in one call.
pub const BATCH: usize = 64;

/// Room for the descriptions of a call, made once.
pub struct Outbox {
    headers: Box<[libc::mmsghdr; BATCH]>,
    vectors: Box<[libc::iovec; BATCH]>,
    controls: Box<[Segment; BATCH]>,
}

/// The control message that asks for a payload to be cut into datagrams of equal size (and a shorter last one).
#[derive(Clone, Copy)]
#[repr(C)]
struct Segment {
    header: libc::cmsghdr,
    bytes: u16,
    padding: [u8; 6],
}

impl Segment {
    const fn of(bytes: u16) -> Segment {
        Segment {
            header: libc::cmsghdr {
                cmsg_len: size_of::<libc::cmsghdr>() + size_of::<u16>(),
                cmsg_level: libc::SOL_UDP,
                cmsg_type: libc::UDP_SEGMENT,
            },
            bytes,
            padding: [0; 6],
        }
    }
}

// Control messages begin and end at multiples of a word.
const _: () = assert!(size_of::<Segment>().is_multiple_of(size_of::<usize>()));

impl Outbox {
    /// With all the memory it will ever need.
    pub fn new() -> Outbox {
        const EMPTY: libc::iovec = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: 0,
        };
        Outbox {
            // SAFETY: `mmsghdr` consists of integers and raw pointers, for which all bits zero is a value.
            headers: Box::new(unsafe { std::mem::zeroed() }),
            vectors: Box::new([EMPTY; BATCH]),
            controls: Box::new([Segment::of(0); BATCH]),
        }
    }

    /// Hands up to [`BATCH`] datagrams (or frames, to a packet socket) to a socket that knows where to; how many the
    /// kernel took, at least 1. `datagrams` must not be empty.
    #[inline]
    pub fn send(&mut self, socket: BorrowedFd<'_>, datagrams: &[&[u8]]) -> io::Result<usize> {
        match datagrams {
            [single] => send_one(socket, single).map(|()| 1),
            several => {
                let several = &several[..several.len().min(BATCH)];
                self.send_runs(socket, several, &[1; BATCH][..several.len()])
            }
        }
    }

    /// As [`Outbox::send`], to a UDP socket, where each of `runs` says how many of the datagrams go as one that is cut up
    /// behind the sockets: all of these have the first one's length but for the last, which may be shorter, and none is
    /// empty. Panics when the runs are more than the datagrams, or either more than [`BATCH`].
    pub fn send_runs(
        &mut self,
        socket: BorrowedFd<'_>,
        datagrams: &[&[u8]],
        runs: &[u8],
    ) -> io::Result<usize> {
        let mut begin = 0;
        for (i, &count) in runs.iter().enumerate() {
            let run = &datagrams[begin..][..usize::from(count)];
            let vectors = &mut self.vectors[begin..][..run.len()];
            for (vector, datagram) in vectors.iter_mut().zip(run) {
                vector.iov_base = datagram.as_ptr().cast_mut().cast();
                vector.iov_len = datagram.len();
            }
            let header = &mut self.headers[i].msg_hdr;
            header.msg_iov = vectors.as_mut_ptr();
            header.msg_iovlen = vectors.len();
            (header.msg_control, header.msg_controllen) = (ptr::null_mut(), 0);
            if count > 1 {
                self.controls[i] = Segment::of(run[0].len() as u16);
                header.msg_control = ptr::from_mut(&mut self.controls[i]).cast();
                header.msg_controllen = size_of::<Segment>();
            }
            begin += run.len();
        }
        // SAFETY: the first `runs.len()` headers, at most BATCH, have just been filled in: no address; `msg_iovlen`
        // vectors of `self.vectors`, each of which describes a slice that is borrowed until the call returns and that
        // sending only reads, so that the casts to mutable pointers are never used to write; and either no control data
        // or one message of `self.controls` with its length. Headers, vectors and controls are boxes of `self`, which is
        // borrowed uniquely, so they neither move nor change during the call. The kernel writes only `msg_len` of the
        // headers. Nothing of a header is used after this call before it is filled in again. The descriptor is open
        // for as long as it is borrowed.
        let sent = check(unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                runs.len() as u32,
                0,
            )
        })?;
        let runs = &runs[..sent as usize];
        Ok(runs.iter().map(|&count| usize::from(count)).sum())
    }
}

/// Hands one datagram over.
#[inline]
fn send_one(socket: BorrowedFd<'_>, datagram: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are those of a slice that is borrowed until the call returns and that is only read. The
    // descriptor is open for as long as it is borrowed.
    let sent = unsafe {
        libc::send(
            socket.as_raw_fd(),
            datagram.as_ptr().cast::<c_void>(),
            datagram.len(),
            0,
        )
    };
    match sent {
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether this system cuts payloads into datagrams (Linux 4.18 and later).
pub fn can_segment(socket: BorrowedFd<'_>) -> io::Result<()> {
    let (mut bytes, mut length): (c_int, _) = (0, size_of::<c_int>() as libc::socklen_t);
    // SAFETY: the pointers are to an integer and to its length, both live, and nothing keeps them.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_UDP,
            libc::UDP_SEGMENT,
            ptr::from_mut(&mut bytes).cast::<c_void>(),
            &mut length,
        )
    })
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn pair() -> (UdpSocket, UdpSocket) {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let limit = Some(std::time::Duration::from_secs(5));
        receiver.set_read_timeout(limit).unwrap();
        (sender, receiver)
    }

    fn expect<'a>(receiver: &UdpSocket, datagrams: impl IntoIterator<Item = &'a [u8]>) {
        let mut buffer = [0; 2048];
        for datagram in datagrams {
            let n = receiver.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..n], datagram);
        }
    }

    #[test]
    fn a_batch_arrives_in_order_and_whole() {
        let (sender, receiver) = pair();
        // The second has no bytes, and the last call a single one.
        let payloads: Vec<Vec<u8>> = (0..BATCH + 1).map(|i| vec![i as u8; i ^ 1]).collect();
        let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let (mut outbox, mut sent) = (Outbox::new(), 0);
        while sent < slices.len() {
            let n = outbox.send(sender.as_fd(), &slices[sent..]).unwrap();
            assert!((1..=BATCH).contains(&n));
            sent += n;
        }
        expect(&receiver, slices);
    }

    #[test]
    fn runs_are_cut_up_behind_the_socket() {
        let (sender, receiver) = pair();
        can_segment(sender.as_fd()).unwrap();
        let lengths = [100, 100, 40, 7, 7, 7, 0, 300, 200, 200];
        let payloads: Vec<Vec<u8>> = (0..).zip(lengths).map(|(i, n)| vec![i; n]).collect();
        let slices: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        let runs = [3, 3, 1, 1, 2];
        let mut outbox = Outbox::new();
        // Twice, so that what an earlier call left behind would show.
        for _ in 0..2 {
            let sent = outbox.send_runs(sender.as_fd(), &slices, &runs).unwrap();
            assert_eq!(sent, lengths.len());
            expect(&receiver, slices.iter().copied());
            assert_eq!(outbox.send(sender.as_fd(), &slices[..3]).unwrap(), 3);
            expect(&receiver, slices[..3].iter().copied());
        }
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn runs_beyond_the_datagrams_are_no_call() {
        let (sender, _receiver) = pair();
        let _ = Outbox::new().send_runs(sender.as_fd(), &[b"x"], &[2]);
    }
}
