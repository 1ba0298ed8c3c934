//! Opening a line: from its address to a bound, joined socket, or an error that says what to do.

use super::address::{Interface, LineAddress};
use super::stamps::{Lack, Stamper, Timestamps, stamper};
use super::sys::interfaces::{InterfaceFacts, interfaces};
use super::sys::options;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;

/// A bound, joined, non-blocking socket of one line.
#[derive(Debug)]
pub(super) struct LineSocket {
    pub socket: Socket,
    /// Receive buffer granted, in the unit it was asked in (the kernel keeps twice that, for its own headers).
    pub granted: usize,
    /// Who stamps its packets.
    pub stamper: Stamper,
}

/// Why a line could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A multicast group, and no interface to join it on.
    #[error("{group}: a multicast group needs the interface to join it on")]
    NoInterface {
        /// The line.
        group: SocketAddrV4,
    },
    /// The interface does not exist.
    #[error("{group}: this machine has no interface `{asked}`; it has {available}")]
    UnknownInterface {
        /// The line.
        group: SocketAddrV4,
        /// As configured.
        asked: Interface,
        /// What there is.
        available: String,
    },
    /// The interface exists and is down.
    #[error("{group}: interface `{name}` is down: bring it up with `ip link set {name} up`")]
    InterfaceDown {
        /// The line.
        group: SocketAddrV4,
        /// The interface.
        name: String,
    },
    /// The card does not stamp packets, and was to.
    #[error(
        "{group}: timestamps = \"hardware\" cannot be had: {lack}{}",
        otherwise(lack)
    )]
    Unstamped {
        /// The line.
        group: SocketAddrV4,
        /// Why.
        lack: Lack,
    },
    /// The port is taken.
    #[error(
        "{group}: the port is in use by a socket that does not share it: end that program \
         (`ss -ulpn 'sport = :{}'` names it) or choose another port", group.port()
    )]
    PortInUse {
        /// The line.
        group: SocketAddrV4,
    },
    /// Not allowed.
    #[error(
        "{group}: not permitted to {step}: run with the right to do so (ports below 1024 need CAP_NET_BIND_SERVICE)"
    )]
    Denied {
        /// The line.
        group: SocketAddrV4,
        /// What was tried.
        step: &'static str,
    },
    /// Anything else.
    #[error("{group}: cannot {step}: {source}")]
    System {
        /// The line.
        group: SocketAddrV4,
        /// What was tried.
        step: &'static str,
        /// What the system said.
        source: io::Error,
    },
}

impl LineSocket {
    /// Opens the line's socket with `buffer` bytes of receive buffer asked for.
    pub fn open(
        line: &LineAddress,
        buffer: usize,
        stamps: Timestamps,
    ) -> Result<LineSocket, SocketError> {
        let group = line.group;
        let interface = interface(line)?;
        let name = interface.as_ref().map(|i| i.name.as_str());
        let stamper =
            stamper(stamps, name).map_err(|lack| SocketError::Unstamped { group, lack })?;
        let failed = |step| move |source: io::Error| SocketError::new(group, step, source);
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))
            .map_err(failed("open a socket"))?;
        socket
            .set_nonblocking(true)
            .map_err(failed("make the socket non-blocking"))?;
        // Everything that shapes what is received comes before bind, so that the first packet is treated as all are.
        let granted = set_buffer(&socket, buffer).map_err(failed("set the receive buffer"))?;
        options::count_overflow(socket.as_fd()).map_err(failed("count overflow"))?;
        let stamped = match stamper {
            Stamper::Card { .. } => options::stamp_by_card(socket.as_fd()),
            Stamper::Kernel { .. } => options::stamp_datagrams(socket.as_fd()),
            Stamper::Nobody => Ok(()),
        };
        stamped.map_err(failed("have packets stamped"))?;
        if group.ip().is_multicast() {
            // Several programs may listen to a group on one port. A unicast port has one owner, and a second one is
            // a mistake to be told.
            socket
                .set_reuse_address(true)
                .map_err(failed("share the port"))?;
            // By default Linux gives a socket every group that any program here has joined.
            socket
                .set_multicast_all_v4(false)
                .map_err(failed("refuse foreign groups"))?;
        }
        socket
            .bind(&SockAddr::from(group))
            .map_err(failed("bind"))?;
        if let Some(interface) = interface.filter(|_| group.ip().is_multicast()) {
            join(&socket, line, &interface)?;
        }
        Ok(LineSocket {
            socket,
            granted,
            stamper,
        })
    }
}

/// Beyond the system's limit where that is allowed, else up to it. What came of it is read back, never assumed.
fn set_buffer(socket: &Socket, bytes: usize) -> io::Result<usize> {
    if options::force_receive_buffer(socket.as_fd(), bytes).is_err() {
        socket.set_recv_buffer_size(bytes)?;
    }
    Ok(socket.recv_buffer_size()? / 2)
}

/// Receive buffer that a line's socket is granted when it asks for `bytes`, in the same unit: read back from a socket that
/// is closed again.
pub fn granted_buffer(bytes: usize) -> io::Result<usize> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    set_buffer(&socket, bytes)
}

/// The interface a line's packets come in on: where its group is joined, or whose address it has. `None` for an address
/// that no interface has, which `bind` refuses.
fn interface(line: &LineAddress) -> Result<Option<InterfaceFacts>, SocketError> {
    let group = line.group;
    let all =
        interfaces().map_err(|e| SocketError::new(group, "list the network interfaces", e))?;
    if !group.ip().is_multicast() {
        // Any address of 127.0.0.0/8 is one of loopback, which names only the first.
        let has =
            |own: &Ipv4Addr| own == group.ip() || own.is_loopback() && group.ip().is_loopback();
        return Ok(all.into_iter().find(|i| i.addresses.iter().any(has)));
    }
    let asked = line
        .interface
        .as_ref()
        .ok_or(SocketError::NoInterface { group })?;
    let found = all.iter().find(|i| match asked {
        Interface::Name(name) => i.name == *name,
        Interface::Address(address) => i.addresses.contains(address),
    });
    let interface = found.cloned();
    let interface = interface.ok_or_else(|| SocketError::UnknownInterface {
        group,
        asked: asked.clone(),
        available: describe(&all),
    })?;
    Ok(Some(interface))
}

fn join(
    socket: &Socket,
    line: &LineAddress,
    interface: &InterfaceFacts,
) -> Result<(), SocketError> {
    let group = line.group;
    if !interface.up {
        let name = interface.name.clone();
        return Err(SocketError::InterfaceDown { group, name });
    }
    let joined = match line.source {
        Some(source) => options::join_source(socket.as_fd(), interface.index, *group.ip(), source),
        None => {
            socket.join_multicast_v4_n(group.ip(), &InterfaceIndexOrAddress::Index(interface.index))
        }
    };
    joined.map_err(|e| SocketError::new(group, "join the group", e))
}

/// What to do where no command makes the card stamp.
fn otherwise(lack: &Lack) -> &'static str {
    match lack.fix {
        Some(_) => "",
        None => ": `timestamps = \"auto\"` takes the best there is",
    }
}

fn describe(all: &[InterfaceFacts]) -> String {
    let one = |i: &InterfaceFacts| match i.addresses.first() {
        Some(address) => format!("{} ({address})", i.name),
        None => i.name.clone(),
    };
    all.iter().map(one).collect::<Vec<_>>().join(", ")
}

impl SocketError {
    fn new(group: SocketAddrV4, step: &'static str, source: io::Error) -> SocketError {
        match source.raw_os_error() {
            Some(libc::EADDRINUSE) => SocketError::PortInUse { group },
            Some(libc::EACCES | libc::EPERM) => SocketError::Denied { group, step },
            _ => SocketError::System {
                group,
                step,
                source,
            },
        }
    }
}
