//! Which kind of socket packets leave through, and why.

use super::members::{LIST, is_member};
use super::{Interface, Sender, SenderOptions};
use crate::sys;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What packets leave through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SocketKind {
    /// A UDP socket for each target: the system makes headers, and members on this machine hear them too.
    #[default]
    Udp,
    /// One packet socket that takes whole Ethernet frames.
    Raw,
}

impl SocketKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            SocketKind::Udp => "udp",
            SocketKind::Raw => "raw",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketChoice {
    /// The kind; `None` is frames where that is possible, permitted, and heard by the same, else UDP.
    pub kind: Option<SocketKind>,
    /// Runs of datagrams of one size to one target leave as one, which is cut up behind the UDP socket or in the device.
    /// A capture on the way may see them whole.
    pub offload: bool,
    /// Frames do not pass the interface's queueing discipline. Captures on the interface do not see them.
    pub bypass: bool,
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
    /// The interface is switched off.
    #[error("interface `{0}` is down: switch it on first, as with `ip link set {0} up`")]
    Down(String),
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
    /// Frames were asked for.
    #[error("frames cannot be sent through `{interface}`: {reason}")]
    Frames {
        /// Through what.
        interface: String,
        /// Why.
        reason: NoFrames,
    },
    /// Offload was asked for.
    #[error("this system does not cut payloads into datagrams: {0}")]
    Offload(io::Error),
}

impl OpenError {
    /// True when what was asked for can never be done; false when the system did not do it.
    pub fn is_usage(&self) -> bool {
        match self {
            OpenError::Interface { .. } | OpenError::Target(_) => true,
            OpenError::Down(_) | OpenError::Socket { .. } | OpenError::Offload(_) => false,
            OpenError::Frames { reason, .. } => {
                !matches!(reason, NoFrames::NotPermitted | NoFrames::System(_))
            }
        }
    }
}

/// Why packets do not leave as frames.
#[derive(Debug, thiserror::Error)]
pub enum NoFrames {
    /// Nothing but Ethernet frames are made.
    #[error("it is not an Ethernet device; a UDP socket reaches it")]
    NotEthernet,
    /// The station of a single address is not known.
    #[error("{0} is not a multicast group, and only the stations of groups are known")]
    Target(SocketAddrV4),
    /// The packets must not leave the machine.
    #[error("packets with a TTL of 0 stay on this machine, and frames leave it")]
    StaysHere,
    /// There is no address to send from.
    #[error("it has no IPv4 address to send from; give it one, as with `ip address add`")]
    NoSource,
    /// Somebody on this machine listens.
    #[error("{0} is joined on this machine, where frames are not heard")]
    Joined(SocketAddrV4),
    /// Offload is of UDP sockets.
    #[error("runs of datagrams are cut up behind UDP sockets only")]
    Offload,
    /// A right is missing.
    #[error(
        "it is not permitted: be root, or give the program CAP_NET_RAW (`setcap cap_net_raw+ep`)"
    )]
    NotPermitted,
    /// Anything else.
    #[error("{0}")]
    System(io::Error),
}

/// Open senders.
#[derive(Debug)]
pub struct Opened {
    /// One for each target, in their order.
    pub senders: Vec<Sender>,
    /// What they leave through.
    pub kind: SocketKind,
    /// Why it is not frames, where that was left open.
    pub instead: Option<NoFrames>,
}

/// Opens a sender for each of `targets` through `interface`, all of the same kind.
pub fn open(
    targets: &[SocketAddrV4],
    interface: &Interface,
    options: SenderOptions,
    choice: SocketChoice,
) -> Result<Opened, OpenError> {
    let udp = || -> Result<Vec<Sender>, OpenError> {
        let open = |&target| Sender::open(target, interface, options);
        targets.iter().map(open).collect()
    };
    let mut instead = None;
    if choice.kind != Some(SocketKind::Udp) {
        match (as_frames(udp()?, interface, options, choice), choice.kind) {
            (Ok(senders), _) => {
                return Ok(Opened {
                    senders,
                    kind: SocketKind::Raw,
                    instead: None,
                });
            }
            (Err(reason), None) => instead = Some(reason),
            (Err(reason), Some(_)) => {
                return Err(OpenError::Frames {
                    interface: interface.name().into(),
                    reason,
                });
            }
        }
    }
    let mut senders = udp()?;
    if choice.offload {
        let offloading = senders.into_iter().map(Sender::with_offload);
        senders = offloading.collect::<Result<_, _>>()?;
    }
    Ok(Opened {
        senders,
        kind: SocketKind::Udp,
        instead,
    })
}

/// Turns senders into such that send frames, through one packet socket for all.
fn as_frames(
    senders: Vec<Sender>,
    interface: &Interface,
    options: SenderOptions,
    choice: SocketChoice,
) -> Result<Vec<Sender>, NoFrames> {
    if choice.offload {
        return Err(NoFrames::Offload);
    }
    if interface.mac().is_none() {
        return Err(NoFrames::NotEthernet);
    }
    if choice.kind.is_none() {
        // Where the list cannot be read nobody is known to listen.
        let list = std::fs::read_to_string(LIST).unwrap_or_default();
        let joined = |s: &&Sender| is_member(&list, interface.name(), *s.target().ip());
        if let Some(heard) = senders.iter().find(joined) {
            return Err(NoFrames::Joined(heard.target()));
        }
    }
    let link = Arc::new(link(interface, choice.bypass)?);
    let framed = senders.into_iter();
    let framed = framed.map(|sender| sender.with_frames(interface, &link, options));
    framed.collect()
}

fn link(interface: &Interface, bypass: bool) -> Result<OwnedFd, NoFrames> {
    sys::packet_socket(interface.index(), bypass).map_err(|e| match e.kind() {
        io::ErrorKind::PermissionDenied => NoFrames::NotPermitted,
        _ => NoFrames::System(e),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets(texts: &[&str]) -> Vec<SocketAddrV4> {
        texts.iter().map(|t| t.parse().unwrap()).collect()
    }

    fn on_lo(texts: &[&str], choice: SocketChoice) -> Result<Opened, OpenError> {
        let lo = Interface::named("lo").unwrap();
        open(&targets(texts), &lo, SenderOptions::default(), choice)
    }

    fn of_kind(kind: Option<SocketKind>) -> SocketChoice {
        SocketChoice {
            kind,
            ..SocketChoice::default()
        }
    }

    #[test]
    fn loopback_takes_udp_and_says_why() {
        let opened = on_lo(&["127.0.0.1:9"], of_kind(None)).unwrap();
        assert_eq!((opened.kind, opened.senders.len()), (SocketKind::Udp, 1));
        assert!(matches!(opened.instead, Some(NoFrames::NotEthernet)));
        let asked = on_lo(&["127.0.0.1:9"], of_kind(Some(SocketKind::Udp))).unwrap();
        assert!(asked.instead.is_none());
        let refused = on_lo(&["127.0.0.1:9"], of_kind(Some(SocketKind::Raw))).unwrap_err();
        assert!(refused.is_usage());
        let says = refused.to_string();
        assert!(
            says.contains("`lo`") && says.contains("not an Ethernet device"),
            "{says}"
        );
    }

    #[test]
    fn offload_is_of_udp() {
        let offload = |kind| SocketChoice {
            offload: true,
            ..of_kind(kind)
        };
        assert!(on_lo(&["127.0.0.1:9"], offload(Some(SocketKind::Udp))).is_ok());
        let opened = on_lo(&["127.0.0.1:9"], offload(None)).unwrap();
        assert!(matches!(opened.instead, Some(NoFrames::Offload)));
        let refused = on_lo(&["127.0.0.1:9"], offload(Some(SocketKind::Raw))).unwrap_err();
        assert!(refused.is_usage() && refused.to_string().contains("UDP sockets only"));
    }
}
