//! A server with connections on a socket.

use super::server::{Again, ServerCounts, StreamConnection, StreamServer};
use super::soup_server::SoupServer;
use super::soupbintcp::{SoupConnection, SoupNext};
use super::udp::{SocketCounts, nanos};
use crate::send::Sender;
use crate::sys;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

impl StreamServer for SoupServer {
    fn connect(&mut self, now: u64) -> Box<dyn StreamConnection> {
        Box::new(SoupServer::connect(self, now))
    }

    fn counts(&self) -> ServerCounts {
        SoupServer::counts(self)
    }
}

impl StreamConnection for SoupConnection {
    fn heard(&mut self, bytes: &[u8], now: u64) {
        SoupConnection::heard(self, bytes, now);
    }

    fn poll(&mut self, now: u64, room: usize, out: &mut Vec<u8>) -> Again {
        match SoupConnection::poll(self, now, room, out) {
            SoupNext::At(at) => Again::At(at),
            SoupNext::Close => Again::Close,
        }
    }
}

/// A server and its socket, and the connections to it.
pub(super) struct TcpServer {
    listener: TcpListener,
    address: SocketAddrV4,
    server: Box<dyn StreamServer>,
    /// Where the server sends what is for everybody.
    group: Option<Sender>,
    clients: Vec<Client>,
    counts: SocketCounts,
}

struct Client {
    stream: TcpStream,
    connection: Box<dyn StreamConnection>,
    /// What was given and the system has not taken.
    out: Vec<u8>,
    /// When to ask the connection again.
    next: u64,
    /// To be closed when all is sent.
    ending: bool,
}

/// A client's connection is over.
struct Gone;

impl TcpServer {
    /// Most connections at a time; more are closed at once.
    const CLIENTS_MAX: usize = 64;

    /// Most bytes that a connection has ready before the system takes them.
    const AHEAD: usize = 1 << 16;

    /// How long it sleeps at most before it looks whether all is over.
    const WAIT: Duration = Duration::from_millis(20);

    /// Listens on an address of this machine, on one interface where one is named.
    pub fn bind(
        address: SocketAddrV4,
        interface: Option<&str>,
        server: Box<dyn StreamServer>,
    ) -> io::Result<TcpServer> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        if let Some(interface) = interface {
            socket.bind_device(Some(interface.as_bytes()))?;
        }
        socket.set_reuse_address(true)?; // also where connections of a run before are not forgotten yet
        socket.bind(&address.into())?;
        socket.listen(16)?;
        socket.set_nonblocking(true)?;
        let listener = TcpListener::from(socket);
        let address = match listener.local_addr()? {
            SocketAddr::V4(bound) => bound,
            SocketAddr::V6(_) => address,
        };
        Ok(TcpServer {
            listener,
            address,
            server,
            group: None,
            clients: Vec::new(),
            counts: SocketCounts::default(),
        })
    }

    /// Sends what the server has for everybody there.
    pub fn with_group(self, group: Sender) -> TcpServer {
        TcpServer {
            group: Some(group),
            ..self
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// What server and socket did.
    pub fn counts(&self) -> (ServerCounts, SocketCounts) {
        (self.server.counts(), self.counts)
    }

    /// Serves until `over` is set; `start` is when the session began.
    pub fn serve(&mut self, start: Instant, over: &AtomicBool) {
        let mut buffer = vec![0; 1 << 14];
        while !over.load(Ordering::Relaxed) {
            self.accept(nanos(start));
            let counts = &mut self.counts;
            self.clients
                .retain_mut(|client| client.turn(&mut buffer, nanos(start), counts).is_ok());
            let next = self.clients.iter().map(|client| client.next).min();
            let next = next.unwrap_or(u64::MAX).min(self.send_due(nanos(start)));
            let wait = Duration::from_nanos(next.saturating_sub(nanos(start)));
            let clients = self.clients.iter().map(Client::waits_for);
            let all: Vec<_> = clients.chain([(self.listener.as_fd(), false)]).collect();
            // An interrupted wait is a short one, and any other failure must not become a busy loop.
            if let Err(e) = sys::wait(&all, wait.min(Self::WAIT))
                && e.kind() != io::ErrorKind::Interrupted
            {
                self.counts.errors += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.clients.clear();
    }

    /// Sends to the group what is due; when something will be.
    fn send_due(&mut self, now: u64) -> u64 {
        let Some(group) = &self.group else {
            return u64::MAX;
        };
        let counts = &mut self.counts;
        self.server
            .datagrams(now, &mut |packet| match group.send(packet) {
                Ok(()) => counts.sent += 1,
                Err(_) => counts.errors += 1,
            })
    }

    fn accept(&mut self, now: u64) {
        while let Ok((stream, _)) = self.listener.accept() {
            let full = self.clients.len() == Self::CLIENTS_MAX;
            if full || stream.set_nonblocking(true).is_err() {
                self.counts.overflowed += 1;
                continue;
            }
            // Small pieces leave at once; where that cannot be had they leave later.
            let _ = stream.set_nodelay(true);
            self.clients.push(Client {
                stream,
                connection: self.server.connect(now),
                out: Vec::new(),
                next: now,
                ending: false,
            });
        }
    }
}

impl Client {
    /// One read and what follows from it: no client keeps the others waiting for long.
    fn turn(&mut self, buffer: &mut [u8], now: u64, counts: &mut SocketCounts) -> Result<(), Gone> {
        match self.stream.read(buffer) {
            Ok(0) => return Err(Gone),
            Ok(length) if !self.ending => self.connection.heard(&buffer[..length], now),
            Ok(_) => {}
            Err(e) if passes(&e) => {}
            Err(_) => {
                counts.errors += 1;
                return Err(Gone);
            }
        }
        let room = TcpServer::AHEAD - self.out.len();
        if !self.ending && room > 0 {
            match self.connection.poll(now, room, &mut self.out) {
                Again::At(at) => self.next = at,
                Again::Close => (self.ending, self.next) = (true, u64::MAX),
            }
        }
        if !self.out.is_empty() {
            match self.stream.write(&self.out) {
                Ok(length) => {
                    counts.sent += 1;
                    self.out.drain(..length);
                }
                Err(e) if passes(&e) => {}
                Err(_) => {
                    counts.errors += 1;
                    return Err(Gone);
                }
            }
        }
        match self.ending && self.out.is_empty() {
            true => Err(Gone),
            false => Ok(()),
        }
    }

    /// Something to read, and room for what is to be written.
    fn waits_for(&self) -> (BorrowedFd<'_>, bool) {
        (self.stream.as_fd(), !self.out.is_empty())
    }
}

/// True for errors after which the same call may work.
fn passes(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
