//! A small exchange: a session on redundant lines with heartbeats, servers that answer for what was lost, and faults on
//! every way.
//!
//! Everything here is decided in virtual time, nanoseconds after the start, and without sockets: [`History`] is the
//! session and knows its messages by their numbers, [`Downstream`] plays it on faulty lines, and servers take requests
//! and say what leaves when. A simulation drives them with a clock of its own.
//!
//! A server with datagrams implements [`DatagramServer`].
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

mod downstream;
mod history;
mod moldudp64;
mod server;

pub use downstream::{Downstream, Played, Timing};
pub use history::{History, HistoryError, Numbering, Packet, Shape};
pub use moldudp64::{Limits, MoldServer};
pub use server::{DatagramServer, ServerCounts};
