//! What an exchange is to be: values only, from a configuration or from a program.

use super::downstream::Timing;
use super::history::Shape;
use super::mdp3_loop::LoopTiming;
use super::moldudp64::Limits;
use super::pillar::PillarLimits;
use crate::fault::{LineFaults, ServerFaults};
use crate::send::SenderOptions;
use crate::synth::Spec;
use std::net::{SocketAddr, SocketAddrV4};
use std::path::PathBuf;

/// An exchange.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What all faults follow from; a made session has a seed of its own.
    pub seed: u64,
    /// What is played.
    pub source: Source,
    /// How it is played.
    pub shape: Shape,
    /// When it speaks without having anything to say.
    pub timing: Timing,
    /// Where it is played.
    pub lines: Vec<LinePlan>,
    /// Where snapshots of its books are repeated, of a session of MDP 3.0.
    pub loops: Vec<LoopPlan>,
    /// Who answers for what was lost.
    pub servers: Vec<ServerPlan>,
}

/// Where a session comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// It is made.
    Made(Spec),
    /// It is in a capture.
    Capture {
        /// The file.
        path: PathBuf,
        /// Which of its groups; its only one where none is named.
        group: Option<SocketAddr>,
    },
}

/// A line.
#[derive(Clone, Debug)]
pub struct LinePlan {
    /// Its name in reports.
    pub name: String,
    /// Where it is sent: a multicast group, or an address of this machine.
    pub target: SocketAddrV4,
    /// Through which interface.
    pub interface: String,
    /// How packets leave.
    pub options: SenderOptions,
    /// What goes wrong on it.
    pub faults: LineFaults,
}

/// A feed of snapshots.
#[derive(Clone, Debug)]
pub struct LoopPlan {
    /// Where it is sent, and what goes wrong there.
    pub line: LinePlan,
    /// What it says, and how often.
    pub timing: LoopTiming,
}

/// A server.
#[derive(Clone, Debug)]
pub struct ServerPlan {
    /// Its name in reports.
    pub name: String,
    /// Where it listens: an address of this machine. With port 0 the system chooses one.
    pub address: SocketAddrV4,
    /// The interface it listens on and answers through; needed outside of 127.0.0.0/8.
    pub interface: Option<String>,
    /// What it does.
    pub service: Service,
    /// What goes wrong with its answers.
    pub faults: ServerFaults,
}

/// What a server does: one variant and one file for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Sends messages of MoldUDP64 again: [`MoldServer`](super::MoldServer).
    MoldUdp64(Limits),
    /// Replays the session over SoupBinTCP: [`SoupServer`](super::SoupServer).
    SoupBinTcp,
    /// Gives snapshots of the books over SoupBinTCP: [`SoupServer::snapshots`](super::SoupServer::snapshots).
    Glimpse,
    /// Sends messages of NYSE Pillar again, to a group: [`PillarServer`](super::PillarServer).
    Pillar {
        /// What it gives, and what for.
        limits: PillarLimits,
        /// Where answers go, through the server's interface.
        group: SocketAddrV4,
    },
}

impl Service {
    /// Its name in configurations and reports.
    pub fn name(self) -> &'static str {
        match self {
            Service::MoldUdp64(_) => "moldudp64",
            Service::SoupBinTcp => "soupbintcp",
            Service::Glimpse => "glimpse",
            Service::Pillar { .. } => "pillar",
        }
    }
}
