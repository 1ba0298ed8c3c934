//! Configuration: file -> validated [`Plan`] -> plain values. Nothing of it is read while packets flow.
//!
//! The file is TOML with strict keys; `docs/feed.toml` shows every one. Errors name file, line and column and say
//! what was expected: of syntax, keys and types the first, of everything else all at once.

mod cme;
pub mod defaults;
mod file;
mod injection;
mod plan;
mod resolve;
mod write;

pub use crate::net::Timestamps;
pub use feed_common::config::{ByteSize, ConfigError, Problem, TimeSpan, UnitError};
pub use feed_common::wire::ProtocolName;
pub use injection::{Injection, InjectionError};
pub use plan::{
    Account, Believed, BookKeep, BookPlan, ChannelPlan, ConsumerPlan, FeedId, JournalPlan,
    JournalSync, LanePlan, LaneThreads, LatencyPlan, LinePlan, Plan, RecordPlan, ServiceKind,
    ServicePlan, SessionPlan, SharedMemoryPlan, WhenFull,
};

use std::path::Path;

/// Reads and checks a configuration file.
pub fn load(path: &Path) -> Result<Plan, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path)
}

/// Checks the text of a configuration file; `path` is only for messages.
pub fn parse(text: &str, path: &Path) -> Result<Plan, ConfigError> {
    let file = toml::from_str(text).map_err(|e| ConfigError::of_toml(path, text, &e))?;
    resolve::resolve(file, text).map_err(|problems| ConfigError::invalid(path, text, problems))
}
