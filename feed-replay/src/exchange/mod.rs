//! A small exchange: a session on redundant lines with heartbeats, servers that answer for what was lost, and faults on
//! every way.
//!
//! Everything here is decided in virtual time, nanoseconds after the start, and without sockets: [`History`] is the
//! session and knows its messages by their numbers, [`Downstream`] plays it on faulty lines, and servers take requests
//! and say what leaves when. A simulation drives them with a clock of its own.
//!
//! A server with datagrams implements [`DatagramServer`], one with connections [`StreamServer`]: a [`SoupServer`] makes a
//! [`SoupConnection`] for each client, and what that serves is a [`SoupSource`]. A [`SnapshotLoop`] asks nobody: it says what
//! the books of an MDP 3.0 session are, again and again.
//!
//! [`Exchange`] is all of it on real sockets, as a [`Plan`] or a [configuration](config) says. A new server is a file, a
//! variant of [`Service`], and its arm in `live.rs`.
//!
//! ```
//! use feed_replay::exchange::{DatagramServer, Downstream, History, Limits, MoldServer, Numbering, Shape, Timing};
//! use feed_replay::fault::LineFaults;
//! use feed_replay::synth::{Protocol, Recording, Spec};
//! use std::sync::Arc;
//!
//! let (session, _) = Recording::of(&Spec::new(Protocol::Itch50, 10_000, 7))?;
//! let history = Arc::new(History::of(&session, Numbering::MoldUdp64, &Shape::default())?);
//!
//! let lossy: LineFaults = "loss=10%".parse()?;
//! let mut lines = Downstream::new(Arc::clone(&history), &[lossy.clone(), lossy], 7, Timing::default());
//! while lines.next(u64::MAX).is_some() {}
//! let missing = lines.account().lost_by_all();
//!
//! // A server answers for the first hole.
//! let hole = missing.ranges()[0].clone();
//! let (session, sequence) = history.wire(hole.start).unwrap();
//! let request = feed_common::wire::moldudp64::Request {
//!     session,
//!     sequence: sequence.into(),
//!     requested_count: 1.into(),
//! };
//! let mut server = MoldServer::new(history, Limits::default(), &"late=0..5ms".parse()?, 7);
//! let now = lines.end();
//! server.answer(zerocopy::IntoBytes::as_bytes(&request), now, &mut |at, packet| {
//!     assert!(at >= now && at <= now + 5_000_000 && packet.len() > 20);
//! });
//! assert_eq!(server.counts().answered, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod config;
mod downstream;
mod glimpse;
mod history;
mod live;
mod mdp3_loop;
mod mdp3_state;
mod moldudp64;
mod pillar;
mod plan;
mod server;
mod soup_server;
mod soupbintcp;
mod tcp;
mod udp;

pub use downstream::{Downstream, Played, Timing};
pub use glimpse::{GlimpseState, Snapshot};
pub use history::{History, HistoryError, Numbering, Packet, Shape};
pub use live::{Exchange, ExchangeError, LoopReport, Report, ServerReport};
pub use mdp3_loop::{LoopTiming, Looped, SnapshotLoop};
pub use mdp3_state::Mdp3State;
pub use moldudp64::{Limits, MoldServer};
pub use pillar::{PillarLimits, PillarServer};
pub use plan::{LinePlan, LoopPlan, Plan, ServerPlan, Service, Source};
pub use server::{Again, DatagramServer, ServerCounts, StreamConnection, StreamServer};
pub use soup_server::SoupServer;
pub use soupbintcp::{SoupConnection, SoupEnd, SoupFaults, SoupNext, SoupSource};
pub use udp::SocketCounts;
