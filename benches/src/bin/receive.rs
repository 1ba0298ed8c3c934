//! What the receiver costs over the system call it is made of.
//!
//! A socket's buffer is filled with packets, then emptied on this thread: once by a bare `recvmmsg` loop whose headers
//! for all slots were built beforehand and which looks at nothing, once by `UdpReceiver::fill`. Both write the same
//! amount of memory and run alternately, so that what the machine does besides hits both. The figure is thread CPU
//! time per packet; what counts is the ratio (aim: at most 1.10).
//!
//! Runs in a network namespace of its own, over `lo`: `cargo run --release -p benches --bin receive [-- ROUNDS]`.

use benches::measure::{median, thread_nanos};
use feed_common::packet::{RxBackend, RxMeta, SlotMut, SlotWriter};
use feed_common::time::Clock;
use feed_handler::net::{LineAddress, Timestamps, UdpOptions, UdpReceiver, enter_private};
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

const PACKETS: usize = 4096;
const SLOT_BYTES: usize = 1984;
const BATCH: usize = 32;
const ROUNDS: usize = 101;

fn main() {
    let rounds = benches::arguments().next().unwrap_or(ROUNDS).max(1);
    if let Err(e) = enter_private() {
        eprintln!("receive: {e}");
        std::process::exit(1);
    }
    println!("CPU ns per packet, median of {rounds} rounds of {PACKETS} packets, batch {BATCH}");
    println!(
        "{:>8} {:>7} {:>8} {:>9} {:>7}",
        "bytes", "stamps", "bare", "receiver", "ratio"
    );
    for (bytes, stamps) in [
        (64, false),
        (64, true),
        (200, false),
        (200, true),
        (1400, true),
    ] {
        let figures = compare(bytes, stamps, rounds);
        let [bare, ours, ratio] = figures.map(median);
        println!("{bytes:>8} {stamps:>7} {bare:>8.1} {ours:>9.1} {ratio:>7.3}");
    }
}

/// Per round: the bare loop, the receiver, and the ratio of the two.
fn compare(bytes: usize, stamps: bool, rounds: usize) -> [Vec<f64>; 3] {
    let options = UdpOptions {
        batch: BATCH,
        socket_buffer: 64 << 20,
        timestamps: match stamps {
            true => Timestamps::Kernel,
            false => Timestamps::User,
        },
    };
    let line = LineAddress {
        group: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 26_477),
        interface: None,
        source: None,
    };
    let to = line.group;
    let mut receiver = UdpReceiver::open(&[line], options, Clock::new()).expect("a loopback line");
    let mut slots = Slots::new();
    let mut bare = bare::Loop::new(stamps);
    let sender = UdpSocket::bind("127.0.0.1:0").expect("a sender");
    let payload = vec![0x5A; bytes];
    let send = |to: SocketAddrV4| {
        for _ in 0..PACKETS {
            sender.send_to(&payload, to).expect("loopback takes it");
        }
    };
    let mut figures = [const { Vec::new() }; 3];
    for round in 0..rounds + 2 {
        let mut ns = [0.0; 2];
        // Who goes first alternates.
        for arm in [round % 2, 1 - round % 2] {
            send(if arm == 0 { bare.address() } else { to });
            let start = thread_nanos();
            let taken = if arm == 0 {
                bare.drain()
            } else {
                slots.drain(&mut receiver)
            };
            ns[arm] = (thread_nanos() - start) as f64 / taken as f64;
            assert_eq!(taken, PACKETS, "the socket's buffer held everything");
        }
        // The first rounds fault the memory in.
        if round >= 2 {
            for (v, x) in figures.iter_mut().zip([ns[0], ns[1], ns[1] / ns[0]]) {
                v.push(x);
            }
        }
    }
    figures
}

/// As many slots as packets, filled from the first on and given back when drained.
struct Slots {
    meta: Vec<RxMeta>,
    payloads: Vec<Box<[u8]>>,
    filled: usize,
}

impl Slots {
    fn new() -> Slots {
        Slots {
            meta: vec![RxMeta::default(); PACKETS],
            payloads: vec![vec![0; SLOT_BYTES].into(); PACKETS],
            filled: 0,
        }
    }

    /// Empties the socket; packets taken.
    fn drain(&mut self, receiver: &mut UdpReceiver) -> usize {
        self.filled = 0;
        // Asks only while packets are due, as the bare loop does, so that both make the same number of calls.
        while self.filled < PACKETS {
            if receiver.fill(self).expect("an open socket") == 0 {
                break;
            }
        }
        self.filled
    }
}

// SAFETY: every payload is a box of its own, which `slot` neither moves nor frees and of which it touches only the one
// asked for.
#[allow(unsafe_code)]
unsafe impl SlotWriter for Slots {
    #[inline]
    fn free(&mut self, want: usize) -> usize {
        want.min(PACKETS - self.filled)
    }

    #[inline]
    fn slot(&mut self, i: usize) -> SlotMut<'_> {
        SlotMut {
            meta: &mut self.meta[self.filled + i],
            payload: &mut self.payloads[self.filled + i],
        }
    }

    #[inline]
    fn commit(&mut self, n: usize) {
        self.filled += n;
    }

    fn capacity(&self) -> usize {
        SLOT_BYTES
    }
}

/// The yardstick: the system call in a loop, and nothing else.
#[allow(unsafe_code)]
mod bare {
    use super::{BATCH, PACKETS, SLOT_BYTES};
    use std::net::{SocketAddrV4, UdpSocket};
    use std::os::fd::AsRawFd;

    const CONTROL_BYTES: usize = 64;

    pub struct Loop {
        socket: UdpSocket,
        headers: Vec<libc::mmsghdr>,
        // What the headers point to.
        _vectors: Vec<libc::iovec>,
        _payloads: Vec<Box<[u8]>>,
        _controls: Vec<[u64; CONTROL_BYTES / 8]>,
    }

    impl Loop {
        pub fn new(stamps: bool) -> Loop {
            let socket = UdpSocket::bind("127.0.0.1:0").expect("a loopback socket");
            set(&socket, libc::SO_RCVBUFFORCE, 64 << 20);
            set(&socket, libc::SO_RXQ_OVFL, 1);
            if stamps {
                set(&socket, libc::SO_TIMESTAMPNS, 1);
            }
            let mut payloads: Vec<Box<[u8]>> = vec![vec![0; SLOT_BYTES].into(); PACKETS];
            let mut controls = vec![[0u64; CONTROL_BYTES / 8]; PACKETS];
            let vectors = payloads.iter_mut().map(|p| libc::iovec {
                iov_base: p.as_mut_ptr().cast(),
                iov_len: SLOT_BYTES,
            });
            let mut vectors: Vec<_> = vectors.collect();
            let headers = vectors
                .iter_mut()
                .zip(&mut controls)
                .map(|(vector, control)| {
                    // SAFETY: a C structure of integers and pointers, for which all zeros is a valid value.
                    let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
                    header.msg_hdr.msg_iov = vector;
                    header.msg_hdr.msg_iovlen = 1;
                    header.msg_hdr.msg_control = control.as_mut_ptr().cast();
                    header
                });
            Loop {
                headers: headers.collect(),
                socket,
                _vectors: vectors,
                _payloads: payloads,
                _controls: controls,
            }
        }

        pub fn address(&self) -> SocketAddrV4 {
            match self.socket.local_addr() {
                Ok(std::net::SocketAddr::V4(address)) => address,
                other => panic!("bound to an IPv4 address, not {other:?}"),
            }
        }

        /// Empties the socket; packets taken.
        pub fn drain(&mut self) -> usize {
            let mut taken = 0;
            while taken < PACKETS {
                let rest = &mut self.headers[taken..];
                let n = rest.len().min(BATCH);
                for header in &mut rest[..n] {
                    header.msg_hdr.msg_controllen = CONTROL_BYTES;
                }
                // SAFETY: `n` initialised headers, whose vector, payload and control buffer are this loop's own.
                let received = unsafe {
                    libc::recvmmsg(
                        self.socket.as_raw_fd(),
                        rest.as_mut_ptr(),
                        n as _,
                        libc::MSG_DONTWAIT,
                        std::ptr::null_mut(),
                    )
                };
                match usize::try_from(received) {
                    Ok(received) => taken += received,
                    Err(_) => break,
                }
            }
            taken
        }
    }

    fn set(socket: &UdpSocket, name: i32, value: i32) {
        let (pointer, len) = (std::ptr::from_ref(&value).cast(), size_of::<i32>());
        // SAFETY: an open socket, and a live value of the length given.
        let done = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                name,
                pointer,
                len as _,
            )
        };
        assert_eq!(done, 0, "option {name}");
    }
}
