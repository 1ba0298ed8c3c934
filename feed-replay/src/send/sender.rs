//! A socket that sends to one group, and only through the interface it was told: through UDP, or as whole frames.

use super::runs::all_runs;
use super::{Interface, NoFrames, OpenError};
use crate::sys::{self, BATCH, Outbox};
use feed_common::wire::frame::UdpFlow;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use zerocopy::IntoBytes;

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

/// Sends to one multicast group, or to one address of this machine.
#[derive(Debug)]
pub struct Sender {
    /// Of a sender of frames it holds the source port, and takes what has to be sent in parts.
    socket: Socket,
    target: SocketAddrV4,
    /// Bytes of the longest payload that the interface takes whole.
    whole_max: usize,
    offload: bool,
    frames: Option<Frames>,
}

/// What makes and takes a sender's frames.
#[derive(Debug)]
struct Frames {
    flow: UdpFlow,
    link: Arc<OwnedFd>,
}

/// IP and UDP headers.
const HEADERS: usize = 28;

impl Sender {
    /// Opens a UDP socket to `target` through `interface`. Packets also reach members of the group on this machine.
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
            sys::set_multicast_interface(socket.as_fd(), interface.index())?;
            socket.set_multicast_ttl_v4(options.ttl.into())?;
            socket.set_multicast_loop_v4(true)?;
            socket.connect(&target.into())?;
            Ok(socket)
        };
        match open() {
            Ok(socket) => Ok(Sender {
                socket,
                target,
                whole_max: interface.mtu().saturating_sub(HEADERS),
                offload: false,
                frames: None,
            }),
            Err(reason) => Err(OpenError::Socket {
                target,
                interface: interface.name().into(),
                reason,
            }),
        }
    }

    /// Lets runs of datagrams of one size leave as one, to be cut up behind the socket.
    pub(super) fn with_offload(mut self) -> Result<Sender, OpenError> {
        sys::can_segment(self.socket.as_fd()).map_err(OpenError::Offload)?;
        self.offload = true;
        Ok(self)
    }

    /// Sends whole frames through `link`, a packet socket of the same interface, from the address and port that the UDP
    /// socket has. Packets reach no member on this machine.
    pub(super) fn with_frames(
        mut self,
        interface: &Interface,
        link: &Arc<OwnedFd>,
        options: SenderOptions,
    ) -> Result<Sender, NoFrames> {
        if !self.target.ip().is_multicast() {
            return Err(NoFrames::Target(self.target));
        }
        if options.ttl == 0 {
            return Err(NoFrames::StaysHere);
        }
        let src_mac = interface.mac().ok_or(NoFrames::NotEthernet)?;
        let own = self.socket.local_addr().map_err(NoFrames::System)?;
        let src = own
            .as_socket_ipv4()
            .filter(|src| !src.ip().is_unspecified());
        let src = src.ok_or(NoFrames::NoSource)?;
        // What is sent in parts then reaches those whom the rest reaches.
        let alike = self.socket.set_multicast_loop_v4(false);
        alike.map_err(NoFrames::System)?;
        self.frames = Some(Frames {
            flow: UdpFlow {
                src_mac,
                ttl: options.ttl,
                ..UdpFlow::multicast(src, self.target)
            },
            link: Arc::clone(link),
        });
        Ok(self)
    }

    /// Where it sends.
    pub fn target(&self) -> SocketAddrV4 {
        self.target
    }

    /// Sends one datagram through the UDP socket.
    pub fn send(&self, payload: &[u8]) -> io::Result<()> {
        self.socket.send(payload).map(drop)
    }

    /// Bytes of the longest payload that the interface takes whole; longer ones are sent in parts.
    pub(super) fn whole_max(&self) -> usize {
        self.whole_max
    }

    /// Bytes of its longest frame; 0 when it sends none.
    pub(super) fn frame_max(&self) -> usize {
        let frames = self.frames.as_ref();
        frames.map_or(0, |_| UdpFlow::HEADERS + self.whole_max)
    }

    /// Writes the frame of a datagram to the front of `frame`, which has room for [`Sender::frame_max`] bytes; its
    /// length. `None` when it goes through the UDP socket: all of them do, or it has to be sent in parts.
    #[inline]
    pub(super) fn frame(&self, payload: &[u8], id: u16, frame: &mut [u8]) -> Option<usize> {
        let frames = self.frames.as_ref()?;
        if payload.len() > self.whole_max {
            return None;
        }
        let headers = frames.flow.headers_over(payload, id).ok()?;
        let (before, behind) = frame.split_at_mut(UdpFlow::HEADERS);
        before.copy_from_slice(headers.as_bytes());
        behind[..payload.len()].copy_from_slice(payload);
        Some(UdpFlow::HEADERS + payload.len())
    }

    /// Hands over frames of any senders with the same link; how many the kernel took.
    #[inline]
    pub(super) fn send_frames(&self, outbox: &mut Outbox, frames: &[&[u8]]) -> io::Result<usize> {
        match &self.frames {
            Some(own) => outbox.send(own.link.as_fd(), frames),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Hands over datagrams; how many the kernel took, and how many of these in runs.
    #[inline]
    pub(super) fn send_datagrams(
        &self,
        outbox: &mut Outbox,
        datagrams: &[&[u8]],
    ) -> io::Result<(usize, usize)> {
        if !self.offload || datagrams.len() < 2 {
            let taken = outbox.send(self.socket.as_fd(), datagrams)?;
            return Ok((taken, 0));
        }
        let mut runs = [0; BATCH];
        let count = all_runs(datagrams, self.whole_max, &mut runs);
        let runs = &runs[..count];
        let taken = outbox.send_runs(self.socket.as_fd(), datagrams, runs)?;
        let (mut begun, mut in_runs) = (0, 0);
        for run in runs.iter().map(|&run| usize::from(run)) {
            if begun < taken && run > 1 {
                in_runs += run;
            }
            begun += run;
        }
        Ok((taken, in_runs))
    }

    /// What the system says where runs cannot be cut up does not say that.
    pub(super) fn explain(&self, reason: io::Error) -> io::Error {
        match reason.raw_os_error() {
            Some(libc::EIO | libc::EINVAL) if self.offload => {
                let says = format!("{reason}: runs cannot be cut up here, send without offload");
                io::Error::new(reason.kind(), says)
            }
            _ => reason,
        }
    }
}
