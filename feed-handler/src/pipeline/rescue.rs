//! What a channel wishes of its recovery, and how long it waits for it.

use crate::recovery::Wish;
use crossbeam_channel::Sender;
use serde::{Deserialize, Serialize};

/// How a channel gets back what its lines lose.
#[derive(Clone, Debug)]
pub struct Rescue {
    /// Where wishes go. Whoever takes them must poll and not block on them: then sending neither locks nor calls the
    /// system. What finds no room is not wished.
    pub wishes: Sender<Wish>,
    /// Messages can be asked for.
    pub messages: bool,
    /// How long recovery may take without getting on, in nanoseconds, before a hole is given up.
    pub limit_nanos: u64,
    /// The same for a snapshot, where there are any.
    pub snapshot_nanos: Option<u64>,
    /// A loop in which the exchange repeats what every instrument is.
    pub refresh: Option<Loop>,
    /// What is done about messages of a session that were sent before it was first heard of.
    pub join: Join,
}

/// A loop of snapshots of single instruments. It makes whole whatever is not, also where a session was joined late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop {
    /// Their orders have a loop too.
    pub orders: bool,
}

/// What is done about the beginning of a session that is joined late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Join {
    /// Nothing: records say `Recovering`.
    #[default]
    Live,
    /// Its messages are asked for.
    Start,
    /// A snapshot is.
    Snapshot,
}
