//! What a run starts from, and why it may not start.

use super::control::ControlError;
use super::exposition::ExpositionError;
use crate::book::BookError;
use crate::journal::KeepError;
use crate::net::SocketError;
use crate::record::RecordError;
use crate::subscribe::TooManyRules;
use feed_common::capture::{CaptureFile, OpenError};
use feed_common::latency::ResolutionError;
use feed_common::ring::shared::SharedError;
use feed_common::ring::{RingError, SlotError};
use feed_common::sys::{AffinityError, MemlockError, PriorityError};
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Where a run's packets come from.
#[derive(Clone, Debug)]
pub enum Input {
    /// The plan's lines.
    Live,
    /// A capture of them.
    File(Arc<CaptureFile>),
}

/// Why a run did not start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A line could not be opened.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// There is no control socket.
    #[error(transparent)]
    Control(#[from] Box<ControlError>),
    /// The plan names too many symbols.
    #[error(transparent)]
    Symbols(#[from] TooManyRules),
    /// What is received cannot be kept.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// What is published cannot be kept.
    #[error(transparent)]
    Journal(#[from] Box<KeepError>),
    /// What comes from a file is in a file.
    #[error("a recording keeps what live lines bring, and the input is a capture already")]
    RecordInput,
    /// A channel's definitions cannot be read.
    #[error("definitions: {0}")]
    Definitions(OpenError),
    /// A recovery server cannot be spoken to.
    #[error("recovery server {server}: {source}")]
    Server {
        /// Its address.
        server: SocketAddrV4,
        /// What the system said.
        source: std::io::Error,
    },
    /// The clock of a card that stamps packets could not be followed.
    #[error("lane {lane}: cannot read the clock of its network card: {source}")]
    CardClock {
        /// The lane.
        lane: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A packet ring could not be made.
    #[error(transparent)]
    Slots(#[from] SlotError),
    /// The broadcast ring could not be made.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// There is no shared memory for the records.
    #[error("shared memory {0}")]
    Shared(#[from] Box<SharedError>),
    /// The shared memory should be of a group that there is not.
    #[error("shared memory: no group `{0}` in /etc/group: expected one of its names, or a number")]
    Group(String),
    /// The books could not be made.
    #[error(transparent)]
    Books(#[from] BookError),
    /// The histograms cannot be had.
    #[error(transparent)]
    Resolution(#[from] ResolutionError),
    /// There is nowhere to read metrics.
    #[error(transparent)]
    Metrics(#[from] ExpositionError),
    /// Memory is not locked.
    #[error(transparent)]
    Memory(#[from] MemlockError),
    /// A thread is not on its core.
    #[error("lane {lane}: {source}")]
    Pin {
        /// The lane.
        lane: String,
        /// What the system said.
        source: AffinityError,
    },
    /// A thread does not have its priority.
    #[error("lane {lane}: {source}")]
    Priority {
        /// The lane.
        lane: String,
        /// What the system said.
        source: PriorityError,
    },
    /// The system gave no thread.
    #[error("lane {lane}: cannot start a thread: {source}")]
    Thread {
        /// The lane.
        lane: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file without addresses and a plan with several channels do not go together.
    #[error(
        "a BinaryFILE has no groups: the configuration must have exactly one itch50 channel and no other"
    )]
    BinaryFileChannels,
}

/// A thread's result; its panic goes on in this one.
pub(super) fn join<T>(thread: JoinHandle<T>) -> T {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
