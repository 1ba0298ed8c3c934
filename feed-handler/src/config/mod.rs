//! Configuration: file -> validated [`Plan`] -> plain values. Nothing of it is read while packets flow.
//!
//! The file is TOML with strict keys; `docs/feed.toml` shows every one. Errors name file, line and column and say
//! what was expected: of syntax, keys and types the first, of everything else all at once.

mod cme;
pub mod defaults;
mod error;
mod file;
mod plan;
mod resolve;
mod units;
mod write;

pub use error::{ConfigError, Problem};
pub use feed_common::wire::ProtocolName;
pub use plan::{
    BookKeep, BookPlan, ChannelPlan, ConsumerPlan, LanePlan, LaneThreads, LatencyPlan, LinePlan,
    Plan, RecordPlan, SessionPlan, Timestamps, WhenFull,
};
pub use units::{ByteSize, TimeSpan, UnitError};

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
    let file = toml::from_str(text).map_err(|e| {
        ConfigError::invalid(
            path,
            text,
            vec![(e.span().unwrap_or(0..0), plain(e.message()))],
        )
    })?;
    resolve::resolve(file, text).map_err(|problems| ConfigError::invalid(path, text, problems))
}

/// The parser's message in the words of a configuration: keys and values, not fields and variants.
fn plain(message: &str) -> String {
    message
        .replace("unknown field", "unknown key")
        .replace("missing field", "missing key")
        .replace("duplicate field", "duplicate key")
        .replace("unknown variant", "unknown value")
        .replace("expected u64", "expected a whole number")
        .replace('\n', ", ")
}
