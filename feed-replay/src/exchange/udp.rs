//! A server with datagrams on a socket.

use super::server::{DatagramServer, ServerCounts};
use crate::sys;
use socket2::{Domain, Protocol, Socket, Type};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a socket did that its server does not know of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketCounts {
    /// Packets of answers that the system took; of a connection, pieces.
    pub sent: u64,
    /// Packets of answers dropped because too many waited for their time; connections closed because there were too
    /// many.
    pub overflowed: u64,
    /// Calls that failed, most of them because nobody listens any more where an answer went.
    pub errors: u64,
}

/// A server and its socket. Answers go where their request came from, and nowhere else.
pub(super) struct UdpServer {
    socket: UdpSocket,
    address: SocketAddrV4,
    server: Box<dyn DatagramServer>,
    /// Packets that wait for their time.
    waiting: BinaryHeap<Reverse<Reply>>,
    replies: u64,
    counts: SocketCounts,
}

/// A packet of an answer, ordered by when it leaves.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reply {
    at: u64,
    /// How many there were before it: their order where times are equal.
    place: u64,
    to: SocketAddr,
    packet: Vec<u8>,
}

impl UdpServer {
    /// Most packets that wait for their time.
    const WAITING_MAX: usize = 16_384;

    /// How long it sleeps at most before it looks whether all is over.
    const WAIT: Duration = Duration::from_millis(20);

    /// Listens on an address of this machine, on one interface where one is named.
    pub fn bind(
        address: SocketAddrV4,
        interface: Option<&str>,
        server: Box<dyn DatagramServer>,
    ) -> io::Result<UdpServer> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        if let Some(interface) = interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        socket.bind(&address.into())?;
        socket.set_nonblocking(true)?;
        let socket = UdpSocket::from(socket);
        let address = match socket.local_addr()? {
            SocketAddr::V4(bound) => bound,
            SocketAddr::V6(_) => address,
        };
        Ok(UdpServer {
            socket,
            address,
            server,
            waiting: BinaryHeap::new(),
            replies: 0,
            counts: SocketCounts::default(),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// What server and socket did.
    pub fn counts(&self) -> (ServerCounts, SocketCounts) {
        (self.server.counts(), self.counts)
    }

    /// Answers until `over` is set; `start` is when the session began.
    pub fn serve(&mut self, start: Instant, over: &AtomicBool) {
        let mut buffer = vec![0; 1 << 16];
        while !over.load(Ordering::Relaxed) {
            let now = nanos(start);
            self.send_due(now);
            let wait = match self.waiting.peek() {
                Some(Reverse(next)) => Duration::from_nanos(next.at.saturating_sub(now)),
                None => Self::WAIT,
            };
            match sys::wait(&[(self.socket.as_fd(), false)], wait.min(Self::WAIT)) {
                Ok(true) => self.receive(&mut buffer, start),
                Ok(false) => {}
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.failed(),
            }
        }
    }

    fn receive(&mut self, buffer: &mut [u8], start: Instant) {
        match self.socket.recv_from(buffer) {
            Ok((length, from)) => self.answer(&buffer[..length], from, nanos(start)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            // An answer before this went where nobody listens: the system says so once.
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => self.counts.errors += 1,
            Err(_) => self.failed(),
        }
    }

    fn answer(&mut self, request: &[u8], from: SocketAddr, now: u64) {
        let (waiting, counts, replies) = (&mut self.waiting, &mut self.counts, &mut self.replies);
        self.server.answer(request, now, &mut |at, packet| {
            if waiting.len() == Self::WAITING_MAX {
                counts.overflowed += 1;
                return;
            }
            waiting.push(Reverse(Reply {
                at,
                place: *replies,
                to: from,
                packet: packet.to_vec(),
            }));
            *replies += 1;
        });
    }

    fn send_due(&mut self, now: u64) {
        while self.waiting.peek().is_some_and(|next| next.0.at <= now)
            && let Some(Reverse(reply)) = self.waiting.pop()
        {
            match self.socket.send_to(&reply.packet, reply.to) {
                Ok(_) => self.counts.sent += 1,
                Err(_) => self.counts.errors += 1,
            }
        }
    }

    /// A call failed for no reason that is known to pass: not at once again.
    fn failed(&mut self) {
        self.counts.errors += 1;
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Nanoseconds since the start; saturates after 584 years.
pub(super) fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
