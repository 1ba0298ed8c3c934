//! Recovery: getting back what no line brought, and joining what began before us.
//!
//! A [`Recovery`] is the client of one channel's services: a state machine that is told what is missing, what servers
//! say and what time it is, and says what to send ([`Net`]) and what has been got back ([`RecoverySink`]). It owns no
//! socket, no clock and no thread, so the same code runs on the control thread of a live handler and in a simulation in
//! virtual time. Time is in nanoseconds of the lane's clock.
//!
//! What is got back goes to the lane ([`Handed`]), which treats recovered packets as one more line of their channel, and
//! a snapshot as the state of the books as of a sequence number. Hot threads neither ask servers nor wait for them.

mod courier;
mod glimpse;
mod mdp3_loop;
mod moldudp64;
mod pillar;
mod pillar_link;
mod replay;
mod replay_wants;
mod soup;
mod soup_servers;

pub use courier::{Courier, courier, delivered};
pub use glimpse::{Glimpse, GlimpseSettings};
pub use mdp3_loop::{LoopSettings, Mdp3Loops};
pub use moldudp64::{MoldRequests, RequestLimits};
pub use pillar::{PillarRequests, PillarSettings};
pub use pillar_link::PillarTimes;
pub use replay::{ReplaySettings, SoupReplay};
pub use soup::{Ended, SoupClient, SoupEvent, SoupTimes, SoupUser};
pub use soup_servers::SoupServers;

use crate::sequence::SeqSpan;
use crate::transport::Session;

/// Messages of one numbering that no line has brought in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Number of the channel in records.
    pub channel: u16,
    /// Which numbering of the channel; 0 where there is one.
    pub unit: u8,
    /// Session the numbers belong to.
    pub session: Session,
    /// The numbers; never empty.
    pub span: SeqSpan,
}

/// What a lane tells the recovery of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// These messages are wanted.
    Messages(Missing),
    /// The state of the books as of any number from `span.first` on is wanted: what is behind it has been kept.
    Snapshot(Missing),
    /// Everything before `span.first` is there, or has been given up: what was wished of it is not wanted any more.
    Settled(Missing),
}

/// What a recovery hands to the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handed<'a> {
    /// A datagram of the channel's protocol, as a line would have brought it.
    Packet(&'a [u8]),
    /// These messages cannot be had.
    Failed(Missing),
    /// A snapshot begins: what was handed of one before is void.
    SnapshotBegins,
    /// A message of the snapshot, as the channel's protocol has them.
    SnapshotMessage(&'a [u8]),
    /// The snapshot is whole; the message with this number is the first that is not in it.
    SnapshotEnds {
        /// Session the number belongs to; `None` where the service does not say.
        session: Option<Session>,
        /// Which numbering of the channel.
        unit: u8,
        /// The number.
        next: u64,
    },
    /// The snapshot cannot be had.
    SnapshotFailed,
    /// A loop of snapshots of single instruments begins, of their levels or of their orders.
    LoopBegins {
        /// Of orders.
        orders: bool,
    },
    /// A snapshot of an instrument, or a part of one, as the channel's protocol has them.
    Refresh(&'a [u8]),
    /// Everything of the loop has been handed over.
    LoopEnds {
        /// Of orders.
        orders: bool,
        /// The number that its first snapshot is as of.
        as_of: u64,
    },
}

/// Where a recovery hands what it has got.
pub trait RecoverySink {
    /// True when there is room for `n` more; a recovery that would bring more than there is room for waits.
    fn has_room(&self, n: usize) -> bool;

    /// Takes one thing for a channel. What finds no room is counted and lost, like a packet on a line.
    fn hand(&mut self, channel: u16, what: Handed<'_>);
}

/// What a recovery can do to the servers it was made for, by their place in its list.
pub trait Net {
    /// Sends to a server. To one of datagrams this is a datagram; to one of connections these are the next bytes, taken
    /// whole or, when the connection is gone, not at all, and then [`Heard::Closed`] follows.
    fn send(&mut self, server: usize, bytes: &[u8]);

    /// Begins to connect, for servers of connections; [`Heard::Opened`] or [`Heard::Closed`] follows.
    fn open(&mut self, server: usize);

    /// Ends a connection, if there is one; nothing follows.
    fn close(&mut self, server: usize);
}

/// What comes from a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The connection is there.
    Opened,
    /// A datagram, or the next bytes of a connection, cut anywhere.
    Bytes(&'a [u8]),
    /// The connection could not be made, or has ended.
    Closed,
}

/// The client of one channel's recovery services.
pub trait Recovery: Send {
    /// Takes a wish of the lane. Room for wishes is bounded: what is beyond it fails at once.
    fn wish(&mut self, wish: Wish, now: u64, out: &mut dyn RecoverySink);

    /// Takes what a server says.
    fn heard(
        &mut self,
        server: usize,
        heard: Heard<'_>,
        now: u64,
        net: &mut dyn Net,
        out: &mut dyn RecoverySink,
    );

    /// How many bytes of a connection it can take. The driver reads no more than that, and TCP holds the server back; it
    /// looks again after each call. Servers of datagrams are read whatever it says.
    fn room(&self, server: usize) -> usize {
        let _ = server;
        usize::MAX
    }

    /// Does what is due at `now`: requests, repeats, giving up. Returns when it wants to be called again at the latest;
    /// `None` when nothing is open.
    fn poll(&mut self, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) -> Option<u64>;

    /// What it has counted, by name.
    fn counters(&self) -> Vec<(&'static str, u64)>;
}
