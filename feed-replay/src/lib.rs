//! Replays captures, and makes sessions.
//!
//! [`send`] puts packets on the network at the times that [`schedule`] says; [`synth`] makes sessions from a seed;
//! [`fault`] decides what goes wrong on the way; [`exchange`] plays a session on faulty lines and answers for what was
//! lost; [`info`] says what a capture holds. `unsafe` is confined to the system calls in `sys`.
//!
//! ```
//! use feed_replay::fault::LossPlan;
//! use feed_replay::synth::{Protocol, Recording, Spec};
//!
//! // A session, and what two lossy lines carry of it.
//! let (session, summary) = Recording::of(&Spec::new(Protocol::Itch50, 10_000, 7))?;
//! let plan = LossPlan::of(7, &session, LossPlan::ONE_PERCENT);
//! let [a, b] = plan.losses(&session);
//! let carried = plan.lines(&session).count() as u64;
//! assert_eq!(carried, 2 * summary.packets - a.packets - b.packets);
//! # Ok::<(), feed_replay::synth::GenerateError>(())
//! ```

pub mod exchange;
pub mod fault;
pub mod info;
pub mod output;
pub mod schedule;
pub mod send;
pub mod synth;
#[allow(unsafe_code)]
mod sys;
