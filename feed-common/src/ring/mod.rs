//! Preallocated rings: packets between two threads, records from one writer to any number of readers; and a pool of
//! buffers for whatever is made in one thread and used up in another.
//!
//! - [`packet_ring`]: the [`Producer`] receives datagrams straight into slots, the [`Consumer`] reads them in place; one
//!   thread each, nothing copied. [`Inline`] is the same slots when one thread does both.
//! - [`broadcast`]: the [`Writer`] overwrites and never waits; each [`Reader`] polls at its own pace and learns exactly
//!   how many records it was too slow for. `shared` puts it where other processes can read it, beside a table of the latest
//!   quotes.
//! - [`Pool`]: buffers that any thread takes, and that go back when they are dropped, wherever that is.
//!
//! All memory is taken and touched when a ring or a pool is made. Afterwards no call allocates, locks, waits or enters the
//! kernel, except that a pool that has run out allocates, and counts that.
//!
//! # Checking
//!
//! Beside the ordinary tests, loom runs the algorithms through all interleavings of small cases:
//!
//! ```text
//! RUSTFLAGS="--cfg loom" cargo test -p feed-common --release --lib loom_
//! ```
//!
//! The algorithms use acquire, release and relaxed accesses and fences only, which loom models; it has no sequential
//! consistency and needs none here. Two-thread stress tests run for about two seconds; `FEED_STRESS_RECORDS` sets how
//! many records each of them passes instead.

mod arena;
mod broadcast;
mod latest;
#[cfg(all(test, loom))]
mod loom_tests;
mod packet;
mod pool;
mod primitive;
#[cfg(not(loom))]
pub mod shared;
mod slots;

pub use arena::{Arena, Inline, InlineBatch};
pub use broadcast::{Item, Overrun, Reader, Subscriber, Writer, broadcast};
pub use packet::{Consumer, Gauge, Producer, RingBatch, packet_ring};
pub use pool::{Pool, PoolBuffer};
pub use slots::{SlotConfig, SlotError};

use crate::sys::MapError;

/// Why a broadcast ring or a pool was not made.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// Positions become slots by masking.
    #[error("a broadcast ring of {slots} slots: the number must be a power of two from 4 to 2^32")]
    Slots {
        /// What was asked for.
        slots: usize,
    },
    /// Buffers have numbers of 16 bits, and memory has bounds.
    #[error(
        "a pool of {buffers} buffers of {capacity} bytes: at least 1 of 1, at most {max} buffers and what an address can count",
        max = Pool::MAX_BUFFERS
    )]
    Pool {
        /// What was asked for.
        buffers: usize,
        /// Bytes of each.
        capacity: usize,
    },
    /// No memory for the slots.
    #[error(transparent)]
    Map(#[from] MapError),
}
