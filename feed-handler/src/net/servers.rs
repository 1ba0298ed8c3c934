//! Sockets to recovery servers: datagrams and connections behind one interface, none of which ever waits.

use super::LineAddress;
use super::socket::{LineSocket, SocketError};
use super::stamps::Timestamps;
use super::sys::wait;
use crate::recovery::{Heard, Net};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddrV4;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Reads from one socket before the others have their turn.
const READS: usize = 32;

/// Bytes that can wait to be written to a connection; whoever lets more wait does not read what it asks for.
const WRITE_BYTES: usize = 1 << 16;

/// Receive buffer asked for a group: what many clients asked for at once, or a round of snapshots.
const GROUP_BYTES: usize = 4 << 20;

/// The servers of one recovery, by their place.
#[derive(Debug)]
pub struct Servers {
    all: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    address: SocketAddrV4,
    /// What is listened to, of a group.
    group: Option<LineAddress>,
    socket: Option<Socket>,
    state: State,
    /// What is still to be written to the connection.
    unsent: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Datagrams,
    /// A group was joined; to be said.
    Joining,
    Joined,
    Apart,
    Connecting,
    Connected,
    /// It could not be connected, or was refused while being written to; to be said.
    Broken,
}

impl Servers {
    /// Sockets for datagrams to and from these servers, each deaf to everybody else. Which address they are sent from
    /// the system decides.
    pub fn datagrams(addresses: &[SocketAddrV4]) -> io::Result<Servers> {
        let server = |&address: &SocketAddrV4| {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            socket.set_nonblocking(true)?;
            socket.connect(&address.into())?;
            Ok(Server {
                address,
                group: None,
                socket: Some(socket),
                state: State::Datagrams,
                unsent: Vec::new(),
            })
        };
        let all = addresses.iter().map(server).collect::<io::Result<_>>()?;
        Ok(Servers { all })
    }

    /// Servers that are connected to when that is asked for.
    pub fn connections(addresses: &[SocketAddrV4]) -> Servers {
        let server = |&address: &SocketAddrV4| Server {
            address,
            group: None,
            socket: None,
            state: State::Apart,
            unsent: Vec::new(),
        };
        let all = addresses.iter().map(server).collect();
        Servers { all }
    }

    /// Groups that are joined when that is asked for, and left when they are closed. Each is tried here, so that what is
    /// wrong with it is said at once.
    pub fn groups(lines: &[LineAddress]) -> Result<Servers, SocketError> {
        let server = |line: &LineAddress| {
            LineSocket::open(line, GROUP_BYTES, Timestamps::User)?;
            Ok(Server {
                address: line.group,
                group: Some(line.clone()),
                socket: None,
                state: State::Apart,
                unsent: Vec::new(),
            })
        };
        let all = lines.iter().map(server).collect::<Result<_, _>>()?;
        Ok(Servers { all })
    }

    /// These servers, and behind them groups that are listened to, each as one more of datagrams to which nothing can be
    /// sent.
    pub fn with_groups(mut self, groups: &[LineAddress]) -> Result<Servers, SocketError> {
        for line in groups {
            self.all.push(Server {
                address: line.group,
                group: None,
                socket: Some(LineSocket::open(line, GROUP_BYTES, Timestamps::User)?.socket),
                state: State::Datagrams,
                unsent: Vec::new(),
            });
        }
        Ok(self)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What one server says that has not been heard yet, a piece at a time, read into `buffer`, which has
    /// [`Servers::BYTES`]; `None` when it says nothing.
    pub fn hear<'b>(&mut self, server: usize, buffer: &'b mut [u8]) -> Option<Heard<'b>> {
        self.all.get_mut(server)?.hear(buffer)
    }

    /// Room for any datagram.
    pub const BYTES: usize = 1 << 16;

    /// Waits for whatever one of many servers says, at most so long.
    pub fn wait<'s>(all: impl Iterator<Item = &'s Servers>, time: Duration) -> io::Result<()> {
        wait::wait(all.flat_map(Servers::sockets), time)
    }

    fn sockets(&self) -> impl Iterator<Item = (BorrowedFd<'_>, bool)> {
        self.all.iter().filter_map(|server| {
            let writes = server.state == State::Connecting || !server.unsent.is_empty();
            Some((server.socket.as_ref()?.as_fd(), writes))
        })
    }

    /// Pieces that are heard of one server before the others have their turn.
    pub const PIECES: usize = READS;
}

impl Server {
    fn hear<'b>(&mut self, buffer: &'b mut [u8]) -> Option<Heard<'b>> {
        match self.state {
            State::Apart => None,
            State::Broken => {
                self.end();
                Some(Heard::Closed)
            }
            State::Connecting => self.connected(),
            State::Datagrams | State::Joined => self.datagram(buffer).map(Heard::Bytes),
            State::Joining => {
                self.state = State::Joined;
                Some(Heard::Opened)
            }
            State::Connected => {
                self.write();
                self.read(buffer)
            }
        }
    }

    /// Whether a connection that was begun is there now.
    fn connected<'b>(&mut self) -> Option<Heard<'b>> {
        let socket = self.socket.as_ref()?;
        match (socket.take_error(), socket.peer_addr()) {
            (Ok(None), Ok(_)) => {
                self.state = State::Connected;
                Some(Heard::Opened)
            }
            (Ok(None), Err(e)) if e.kind() == ErrorKind::NotConnected => None,
            _ => {
                self.end();
                Some(Heard::Closed)
            }
        }
    }

    /// The next datagram. What the network says of one that was sent (a port where nobody listens) is as good as
    /// silence.
    fn datagram<'b>(&mut self, buffer: &'b mut [u8]) -> Option<&'b [u8]> {
        for _ in 0..READS {
            match self.socket.as_mut()?.read(buffer) {
                Ok(n) => return Some(&buffer[..n]),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return None,
                Err(_) => {}
            }
        }
        None
    }

    fn read<'b>(&mut self, buffer: &'b mut [u8]) -> Option<Heard<'b>> {
        match self.socket.as_mut()?.read(buffer) {
            Ok(n) if n > 0 => Some(Heard::Bytes(&buffer[..n])),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            _ => {
                self.end();
                Some(Heard::Closed)
            }
        }
    }

    fn write(&mut self) {
        let Some(socket) = &mut self.socket else {
            return;
        };
        while !self.unsent.is_empty() {
            match socket.write(&self.unsent) {
                Ok(n) if n > 0 => drop(self.unsent.drain(..n)),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                _ => {
                    self.state = State::Broken;
                    return;
                }
            }
        }
    }

    fn end(&mut self) {
        if self.state != State::Datagrams {
            self.socket = None;
            self.state = State::Apart;
            self.unsent.clear();
        }
    }

    fn connect(&mut self) -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        match socket.connect(&SockAddr::from(self.address)) {
            Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
            _ => Ok(socket),
        }
    }
}

impl Net for Servers {
    fn send(&mut self, server: usize, bytes: &[u8]) {
        let Some(server) = self.all.get_mut(server) else {
            return;
        };
        match (server.state, &mut server.socket) {
            // A request that is not sent is not answered.
            (State::Datagrams, Some(socket)) => drop(socket.write(bytes)),
            (State::Connected, Some(_)) if server.unsent.len() + bytes.len() <= WRITE_BYTES => {
                server.unsent.extend_from_slice(bytes);
                server.write();
            }
            (State::Connected, _) => server.state = State::Broken,
            _ => {}
        }
    }

    fn open(&mut self, server: usize) {
        if let Some(server) = self.all.get_mut(server)
            && server.state == State::Apart
        {
            let opened = match &server.group {
                Some(line) => LineSocket::open(line, GROUP_BYTES, Timestamps::User)
                    .ok()
                    .map(|line| (line.socket, State::Joining)),
                None => server.connect().ok().map(|s| (s, State::Connecting)),
            };
            server.state = match opened {
                Some((socket, state)) => {
                    server.socket = Some(socket);
                    state
                }
                None => State::Broken,
            };
        }
    }

    fn close(&mut self, server: usize) {
        if let Some(server) = self.all.get_mut(server) {
            server.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, UdpSocket};
    use std::time::Instant;

    fn v4(address: io::Result<std::net::SocketAddr>) -> SocketAddrV4 {
        match address.unwrap() {
            std::net::SocketAddr::V4(v4) => v4,
            other => panic!("{other}"),
        }
    }

    /// What a server says within five seconds.
    fn next(servers: &mut Servers) -> Result<Vec<u8>, &'static str> {
        let begun = Instant::now();
        let mut buffer = vec![0; Servers::BYTES];
        while begun.elapsed() < Duration::from_secs(5) {
            match servers.hear(0, &mut buffer) {
                Some(Heard::Bytes(bytes)) => return Ok(bytes.to_vec()),
                Some(Heard::Opened) => return Err("opened"),
                Some(Heard::Closed) => return Err("closed"),
                None => {}
            }
            Servers::wait(std::iter::once(&*servers), Duration::from_millis(1)).unwrap();
        }
        Err("silent")
    }

    #[test]
    fn datagrams_go_there_and_back_and_come_from_nobody_else() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut servers = Servers::datagrams(&[v4(server.local_addr())]).unwrap();
        servers.send(0, b"request");
        let mut buffer = [0; 16];
        let (n, client) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"request");
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        stranger.send_to(b"lie", client).unwrap();
        server.send_to(b"answer", client).unwrap();
        assert_eq!(next(&mut servers), Ok(b"answer".to_vec()));
        assert_eq!(servers.hear(0, &mut [0; 64]), None);
        assert_eq!(servers.hear(1, &mut [0; 64]), None);
    }

    #[test]
    fn a_group_is_heard_while_it_is_open() {
        let free = UdpSocket::bind("127.0.0.1:0").unwrap();
        let group = v4(free.local_addr());
        let line = LineAddress {
            group,
            interface: None,
            source: None,
        };
        let taken = Servers::groups(std::slice::from_ref(&line)).map(drop);
        assert!(taken.is_err(), "its port has an owner");
        drop(free);
        let mut servers = Servers::groups(&[line]).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..2 {
            // Nobody listens before it is open.
            drop(sender.send_to(b"lost", group));
            servers.open(0);
            assert_eq!(next(&mut servers), Err("opened"));
            drop(sender.send_to(b"heard", group));
            drop(sender.send_to(b"heard", group));
            assert_eq!(next(&mut servers), Ok(b"heard".to_vec()));
            servers.close(0);
            assert_eq!(servers.hear(0, &mut [0; 64]), None);
        }
    }

    #[test]
    fn a_port_where_nobody_listens_is_silence() {
        let gone = v4(UdpSocket::bind("127.0.0.1:0").unwrap().local_addr());
        let mut servers = Servers::datagrams(&[gone]).unwrap();
        for _ in 0..3 {
            servers.send(0, b"request");
            std::thread::sleep(Duration::from_millis(1));
            assert_eq!(servers.hear(0, &mut [0; 64]), None);
        }
    }

    #[test]
    fn a_connection_is_opened_used_and_ended_by_either_side() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut servers = Servers::connections(&[v4(listener.local_addr())]);
        assert_eq!(servers.hear(0, &mut [0; 64]), None);
        servers.send(0, b"nobody is there yet");
        servers.open(0);
        assert_eq!(next(&mut servers), Err("opened"));
        let (mut peer, _) = listener.accept().unwrap();
        servers.send(0, b"login");
        let mut buffer = [0; 5];
        peer.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"login");
        peer.write_all(b"welcome").unwrap();
        assert_eq!(next(&mut servers), Ok(b"welcome".to_vec()));
        drop(peer);
        assert_eq!(next(&mut servers), Err("closed"));
        assert_eq!(servers.hear(0, &mut [0; 64]), None);
        // Again, and nobody answers any more.
        drop(listener);
        servers.open(0);
        assert_eq!(next(&mut servers), Err("closed"));
        servers.close(0);
        assert_eq!(servers.hear(0, &mut [0; 64]), None);
    }

    #[test]
    fn a_group_stands_behind_the_servers_and_cannot_be_spoken_to() {
        let port = v4(UdpSocket::bind("127.0.0.1:0").unwrap().local_addr());
        let line = LineAddress {
            group: port,
            interface: None,
            source: None,
        };
        let nobody = "127.0.0.1:9".parse().unwrap();
        let servers = Servers::connections(&[nobody]).with_groups(std::slice::from_ref(&line));
        let mut servers = servers.unwrap();
        assert_eq!(servers.len(), 2);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for said in [b"one", b"two"] {
            sender.send_to(said, port).unwrap();
            Servers::wait(std::iter::once(&servers), Duration::from_secs(5)).unwrap();
            let mut buffer = [0; 64];
            assert_eq!(servers.hear(1, &mut buffer), Some(Heard::Bytes(said)));
            servers.send(1, b"nobody hears this");
            servers.close(1);
            servers.open(1);
        }
        let again = Servers::connections(&[]).with_groups(&[line]);
        assert!(matches!(again, Err(SocketError::PortInUse { .. })));
    }

    #[test]
    fn whoever_does_not_read_is_left() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut servers = Servers::connections(&[v4(listener.local_addr())]);
        servers.open(0);
        assert_eq!(next(&mut servers), Err("opened"));
        let _peer = listener.accept().unwrap();
        for _ in 0..1_000 {
            servers.send(0, &[0; 60_000]);
        }
        assert_eq!(next(&mut servers), Err("closed"));
    }
}
