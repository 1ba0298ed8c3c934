//! What a gateway is told to do, and what it refuses before it begins.

use super::tokens::{Tokens, TokensError};
use crate::tail::Place;
use feed_common::ring::RingError;
use feed_common::ring::shared::{OwnedBy, SharedError};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// What a gateway reads, where it listens, and whom it lets in.
#[derive(Debug)]
pub struct Options {
    /// Where lanes are.
    pub lanes: Place,
    /// Whose they are.
    pub owned_by: OwnedBy,
    /// Where WebSockets, `/status` and `/health` are; port 0 is one that the system chooses.
    pub listen: SocketAddr,
    /// Where frames over TCP are, if anywhere.
    pub tcp: Option<SocketAddr>,
    /// Who may come in; anybody of this machine where there are none.
    pub tokens: Tokens,
    /// Web pages that browsers may connect for, as in the header `Origin`.
    pub origins: Vec<String>,
    /// What a client can take up.
    pub limits: Limits,
}

/// What clients can take up, so that none of them hurts another.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Clients at once.
    pub clients: usize,
    /// Subscriptions of a client.
    pub subscriptions: usize,
    /// Bytes of a message from a client.
    pub message: usize,
    /// Records that wait for a client at most, and where it does not ask for fewer.
    pub queue: usize,
    /// Bytes of all records that wait for clients, and of snapshots being sent.
    pub memory: usize,
    /// How long a client has for its first message, and a connection for its request.
    pub handshake: Duration,
    /// A client of which nothing is heard, or to which nothing was sent, is asked for a sign of life this often. It is
    /// dropped after three times this long without one, or when it takes nothing for so long.
    pub heartbeat: Duration,
}

impl Limits {
    /// How long a client may be silent.
    pub fn silence(&self) -> Duration {
        self.heartbeat * 3
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            clients: 128,
            subscriptions: 64,
            message: 16 << 10,
            queue: 8192,
            memory: 256 << 20,
            handshake: Duration::from_secs(5),
            heartbeat: Duration::from_secs(10),
        }
    }
}

/// Why there is no gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Shared memory cannot be read.
    #[error(transparent)]
    Shared(#[from] SharedError),
    /// The tokens cannot be used.
    #[error(transparent)]
    Tokens(#[from] TokensError),
    /// Anybody could connect.
    #[error(
        "{0} can be reached from other machines: expected --tokens FILE, or an address of this machine such as \
         127.0.0.1:9000"
    )]
    Exposed(SocketAddr),
    /// None, or more than it can number.
    #[error("{0} files of lanes: expected 1 to {LANES_MAX}")]
    Lanes(usize),
    /// A figure that cannot be.
    #[error(transparent)]
    Limits(#[from] RingError),
    /// The address is taken, or not ours.
    #[error("{address}: {source}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused a thread.
    #[error("a thread: {0}")]
    Thread(io::Error),
}

impl GatewayError {
    /// Whether the user has to ask for something else.
    pub fn is_usage(&self) -> bool {
        !matches!(self, GatewayError::Listen { .. } | GatewayError::Thread(_))
    }
}

/// Most lanes of a gateway: their numbers have three digits in the session of a batch.
pub const LANES_MAX: usize = 1_000;

impl Options {
    /// Refuses what must not begin.
    pub fn check(&self) -> Result<(), GatewayError> {
        let addresses = [Some(self.listen), self.tcp].into_iter().flatten();
        for address in addresses {
            if !address.ip().is_loopback() && self.tokens.is_empty() {
                return Err(GatewayError::Exposed(address));
            }
        }
        match &self.lanes {
            Place::Files(files) if !(1..=LANES_MAX).contains(&files.len()) => {
                Err(GatewayError::Lanes(files.len()))
            }
            _ => Ok(()),
        }
    }
}
