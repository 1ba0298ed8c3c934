//! Live lines: the sockets of a lane, polled in order, batch by batch.
//!
//! One `recvmmsg` per line asked, straight into free slots, and nothing else: no other system call, no allocation, one
//! clock reading per call that brought packets. A poll ends with the first line that has packets, so that these do not
//! wait for the others to be asked; the next poll begins with the line after it, so that each line gets one batch in
//! turn and none is left out in favour of a busier one.
//!
//! When a poll begins with no slot free, packets are taken off the sockets all the same and counted: left there they
//! would come later with a receive time that hides how long they waited.

use super::address::LineAddress;
use super::counters::{LineCounters, LineCounts, Sums};
use super::socket::{LineSocket, SocketError};
use super::stamps::{Stamper, Timestamps};
use super::sys::recvmmsg::{Facts, MessageBatch};
use feed_common::packet::{RxBackend, RxError, RxMeta, SlotWriter};
use feed_common::time::Clock;
use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

/// How the sockets of a lane are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpOptions {
    /// Packets taken by one receive call, at least 1.
    pub batch: usize,
    /// Receive buffer to ask for each socket, in bytes.
    pub socket_buffer: usize,
    /// Who stamps packets.
    pub timestamps: Timestamps,
}

/// The sockets of a lane as a [`RxBackend`].
pub struct UdpReceiver {
    lines: Vec<Line>,
    batch: MessageBatch,
    clock: Clock,
    counters: Arc<[LineCounters]>,
    /// Receive buffers granted, in bytes, by line.
    granted: Vec<usize>,
    /// The line the next poll begins with: the one after the last that was asked.
    next: usize,
}

struct Line {
    socket: LineSocket,
    /// Drops of the socket so far: the kernel's 32-bit counter, continued past its wrap.
    drops: u64,
    /// Packets of it that were thrown away because no slot was free.
    discarded: u64,
}

impl UdpReceiver {
    /// Opens and joins all lines, in polling order: line `i` marks its packets with `i`.
    ///
    /// # Panics
    ///
    /// With more lines than a packet can name (65,536).
    pub fn open(
        lines: &[LineAddress],
        options: UdpOptions,
        clock: Clock,
    ) -> Result<UdpReceiver, SocketError> {
        assert!(lines.len() <= 1 << 16, "line numbers have 16 bits");
        let open = |line| {
            let socket = LineSocket::open(line, options.socket_buffer, options.timestamps)?;
            Ok(Line {
                socket,
                drops: 0,
                discarded: 0,
            })
        };
        let opened = lines
            .iter()
            .map(open)
            .collect::<Result<Vec<_>, SocketError>>()?;
        Ok(UdpReceiver {
            granted: opened.iter().map(|line| line.socket.granted).collect(),
            counters: opened.iter().map(|_| LineCounters::default()).collect(),
            batch: MessageBatch::new(options.batch),
            lines: opened,
            clock,
            next: 0,
        })
    }

    /// The lines' counters, to be read by others while this receives.
    pub fn counters(&self) -> Arc<[LineCounters]> {
        Arc::clone(&self.counters)
    }

    /// The counters of line `i` as they stand.
    pub fn counts(&self, i: usize) -> LineCounts {
        self.counters[i].read()
    }

    /// Receive buffers the system granted, in bytes and by line, comparable with what was asked.
    pub fn granted(&self) -> &[usize] {
        &self.granted
    }

    /// Who stamps the packets of each line.
    pub fn stampers(&self) -> impl Iterator<Item = &Stamper> {
        self.lines.iter().map(|line| &line.socket.stamper)
    }
}

impl RxBackend for UdpReceiver {
    /// Takes a batch of the first line that has packets. The lines after it wait for the next poll, which begins with
    /// them: asking them now would cost the packets just received a system call for each line.
    fn fill<W: SlotWriter>(&mut self, slots: &mut W) -> Result<usize, RxError> {
        let count = self.lines.len();
        // Slots stay aimed at until something lands in them: empty lines cost their system call and no more.
        let mut aimed = self.batch.aim(slots);
        if aimed.is_empty() {
            self.discard()?;
            return Ok(0);
        }
        for _ in 0..count {
            let number = self.next;
            self.next = if number + 1 < count { number + 1 } else { 0 };
            let (line, counters) = (&mut self.lines[number], &self.counters[number]);
            let received = aimed.receive(line.socket.socket.as_fd());
            let Some(received) = taken(received, counters)? else {
                continue;
            };
            let rx = self.clock.now();
            let mut sums = Sums {
                packets: received as u64,
                ..Sums::default()
            };
            aimed.commit(received, |facts| {
                sums.bytes += u64::from(facts.len);
                sums.truncated += u64::from(facts.truncated);
                sums.by_card += u64::from(facts.card.is_known());
                RxMeta {
                    rx,
                    kernel: facts.kernel,
                    len: facts.len,
                    line: number as u16,
                    flags: if facts.truncated {
                        RxMeta::TRUNCATED
                    } else {
                        0
                    },
                    socket_drops: line.saw(facts),
                    ring_drops: line.discarded,
                    records: 0,
                    card: facts.card,
                }
            });
            counters.received(sums, line.drops);
            return Ok(received);
        }
        Ok(0)
    }
}

impl UdpReceiver {
    /// The reader has not kept up and every slot is taken: a batch of each line is thrown away.
    #[cold]
    fn discard(&mut self) -> Result<(), RxError> {
        for (line, counters) in self.lines.iter_mut().zip(self.counters.iter()) {
            let socket = line.socket.socket.as_fd();
            let drops = &mut line.drops;
            let discarded = self
                .batch
                .discard(socket, |facts| *drops = widen(*drops, facts.drops));
            if let Some(discarded) = taken(discarded, counters)? {
                line.discarded += discarded as u64;
                counters.discarded(discarded as u64, line.drops);
            }
        }
        Ok(())
    }
}

impl Line {
    /// Takes note of the drop counter that came with a packet.
    #[inline]
    fn saw(&mut self, facts: Facts) -> u64 {
        self.drops = widen(self.drops, facts.drops);
        self.drops
    }
}

/// The number of packets, or `None` when there were none or the line has a passing trouble, either of them counted.
#[inline]
fn taken(result: io::Result<usize>, counters: &LineCounters) -> Result<Option<usize>, RxError> {
    match result {
        Ok(0) => {
            counters.found_empty();
            Ok(None)
        }
        Ok(n) => Ok(Some(n)),
        Err(e) if passes(&e) => {
            counters.troubled();
            Ok(None)
        }
        Err(e) => Err(RxError::Io(e)),
    }
}

/// Errors that say something about the network or the moment, not about the socket: the next poll may succeed.
#[cold]
fn passes(e: &io::Error) -> bool {
    matches!(
        e.raw_os_error(),
        Some(
            libc::ECONNREFUSED
                | libc::EHOSTUNREACH
                | libc::ENETUNREACH
                | libc::ENETDOWN
                | libc::ENOMEM
                | libc::ENOBUFS
        )
    )
}

/// Continues a 32-bit counter that wraps: `before` moved forward to the next value that ends in `now`.
#[inline]
fn widen(before: u64, now: Option<u32>) -> u64 {
    match now {
        Some(now) => before + u64::from(now.wrapping_sub(before as u32)),
        None => before,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sys::options::stamp_by_card;
    use super::*;
    use feed_common::packet::{PacketBatch, PacketSource};
    use feed_common::ring::{Inline, SlotConfig};
    use feed_common::time::{CardNanos, UnixNanos};
    use std::net::UdpSocket;
    use std::time::{Duration, Instant};

    /// What a card that stamps would be asked by: loopback has none, and the kernel's stamp comes all the same.
    #[test]
    fn the_kernel_stamps_beside_a_card() {
        let line = LineAddress {
            group: "127.0.0.1:0".parse().unwrap(),
            interface: None,
            source: None,
        };
        let options = UdpOptions {
            batch: 4,
            socket_buffer: 1 << 16,
            timestamps: Timestamps::User,
        };
        let receiver = UdpReceiver::open(&[line], options, Clock::new()).unwrap();
        let socket = &receiver.lines[0].socket.socket;
        stamp_by_card(socket.as_fd()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let slots = SlotConfig {
            slots: 4,
            stride: 128,
            batch: 4,
        };
        let counters = receiver.counters();
        let mut source = Inline::new(receiver, &slots).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        let before = UnixNanos::now();
        // The kernel begins to stamp a moment after it was asked.
        let deadline = Instant::now() + Duration::from_secs(5);
        let mut stamped = UnixNanos::UNKNOWN;
        while !stamped.is_known() {
            assert!(Instant::now() < deadline, "no packet is stamped");
            sender.send_to(b"x", address).unwrap();
            let batch = source.poll().unwrap();
            for i in 0..batch.len() {
                let meta = batch.get(i).meta;
                assert_eq!(meta.card, CardNanos::UNKNOWN);
                stamped = meta.kernel;
            }
        }
        assert!((0..10_000_000_000).contains(&(stamped - before)));
        let counts = counters[0].read();
        assert!(counts.packets > 0 && counts.by_card == 0);
    }

    #[test]
    fn a_wrapping_counter_goes_on() {
        assert_eq!(widen(0, None), 0);
        assert_eq!(widen(0, Some(7)), 7);
        assert_eq!(widen(7, None), 7);
        assert_eq!(widen(7, Some(7)), 7);
        assert_eq!(widen(u64::from(u32::MAX), Some(2)), (1 << 32) + 2);
        assert_eq!(widen((3 << 32) + 5, Some(4)), (4 << 32) + 4);
    }

    #[test]
    fn a_dead_socket_is_fatal_and_a_refusal_is_not() {
        let counters = LineCounters::default();
        let error = |code| Err(io::Error::from_raw_os_error(code));
        assert!(matches!(
            taken(error(libc::ECONNREFUSED), &counters),
            Ok(None)
        ));
        assert!(matches!(
            taken(error(libc::EBADF), &counters),
            Err(RxError::Io(_))
        ));
        assert!(matches!(taken(Ok(0), &counters), Ok(None)));
        assert!(matches!(taken(Ok(3), &counters), Ok(Some(3))));
        let counts = counters.read();
        assert_eq!((counts.troubles, counts.empty_polls), (1, 1));
    }
}
