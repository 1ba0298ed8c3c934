//! A socket that sends to one group, and only through the interface it was told.

use crate::sys;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd;

/// A network interface that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    name: String,
    index: u32,
}

impl Interface {
    /// The interface with this name.
    pub fn named(name: &str) -> Result<Interface, OpenError> {
        let index = sys::interface_index(name).map_err(|reason| OpenError::Interface {
            name: name.into(),
            reason,
        })?;
        Ok(Interface {
            name: name.into(),
            index,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// How packets leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SenderOptions {
    /// Hops a packet may go; 1 keeps it on the local network, 0 on this machine.
    pub ttl: u8,
    /// Source port; 0 lets the system choose.
    pub source_port: u16,
}

impl Default for SenderOptions {
    fn default() -> Self {
        SenderOptions {
            ttl: 1,
            source_port: 0,
        }
    }
}

/// Why a sender could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such interface.
    #[error("interface `{name}`: {reason}")]
    Interface {
        /// The name.
        name: String,
        /// What the system said.
        reason: io::Error,
    },
    /// Neither multicast nor this machine.
    #[error("{0} is neither a multicast group nor in 127.0.0.0/8: packets are sent nowhere else")]
    Target(SocketAddrV4),
    /// The system refused.
    #[error("opening a socket to {target} through `{interface}`: {reason}")]
    Socket {
        /// Where packets were to go.
        target: SocketAddrV4,
        /// Through what.
        interface: String,
        /// What the system said.
        reason: io::Error,
    },
}

/// Sends to one multicast group, or to one address of this machine.
#[derive(Debug)]
pub struct Sender {
    socket: Socket,
    target: SocketAddrV4,
}

impl Sender {
    /// Opens a socket to `target` through `interface`. Packets also reach members of the group on this machine.
    pub fn open(
        target: SocketAddrV4,
        interface: &Interface,
        options: SenderOptions,
    ) -> Result<Sender, OpenError> {
        if !(target.ip().is_multicast() || target.ip().is_loopback()) || target.port() == 0 {
            return Err(OpenError::Target(target));
        }
        let open = || -> io::Result<Socket> {
            let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
            if options.source_port != 0 {
                socket.set_reuse_address(true)?; // all groups may share the port
                socket
                    .bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, options.source_port).into())?;
            }
            // Before connecting, because connecting looks up the route.
            sys::set_multicast_interface(socket.as_fd(), interface.index)?;
            socket.set_multicast_ttl_v4(options.ttl.into())?;
            socket.set_multicast_loop_v4(true)?;
            socket.connect(&target.into())?;
            Ok(socket)
        };
        match open() {
            Ok(socket) => Ok(Sender { socket, target }),
            Err(reason) => Err(OpenError::Socket {
                target,
                interface: interface.name.clone(),
                reason,
            }),
        }
    }

    /// Where it sends.
    pub fn target(&self) -> SocketAddrV4 {
        self.target
    }

    /// Sends the first of `payloads` (not empty), or several of them in one call; how many the kernel took.
    pub fn send(&self, payloads: &[&[u8]]) -> io::Result<usize> {
        match payloads {
            [single] => self.socket.send(single).map(|_| 1),
            several => sys::send_batch(self.socket.as_fd(), several),
        }
    }
}
