//! The handler's pipeline and the faults of lines and servers in virtual time, against an oracle.
//!
//! A [`Scenario`] follows from a seed or is read from a line of text: a small session of any protocol, one to three lines
//! with faults of their own, the handler's parameters, and a recovery: servers with faults, or loops of snapshots, as the
//! protocol has them. [`simulate`] runs it through the very lane and recovery client that run live, without sockets,
//! clocks or threads, and judges what they do as they do it. What fails is made small ([`shrink`]) and repeats from its text.
//!
//! ```
//! use simulation::{Scenario, simulate};
//!
//! let scenario: Scenario = "itch50 seed=7 messages=2000 rate=50000 restarts=0 join=0ns; \
//!     handler window=1ms stash=64 batch=8 stall=0ns; line payload=1472 loss=20%; line payload=512 loss=20%; \
//!     recovery service=moldudp64 poll=200us attempts=3 answer=8ms ask=1000 flight=4 payload=1400 limit=80ms \
//!     wishes=4096 room=4096 start=0; server"
//!     .parse()?;
//! let facts = simulate(&scenario).expect("what the handler does is right");
//! assert!(facts.lost_packets > 0 && facts.recovered > 0 && facts.whole);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod books;
mod control;
mod draw;
mod lines;
mod network;
mod oracle;
mod play;
mod run;
mod scenario;
mod shrink;
mod trace;
mod world;

pub use oracle::{Failure, Tally};
pub use run::{Failed, Totals, attempt, run};
pub use scenario::{
    Asking, Feed, Handler, Line, Scenario, ScenarioError, Service, name, protocols,
};
pub use shrink::shrink;
pub use world::{Facts, simulate};
