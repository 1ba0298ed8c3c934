//! The configuration of an exchange: file -> [`Plan`].
//!
//! The file is TOML with strict keys; `docs/exchange.toml` shows every one. Errors name file, line and column and say
//! what was expected: of syntax, keys and types the first, of everything else all at once.

mod file;
mod resolve;

pub use feed_common::config::ConfigError;

use super::Plan;
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
    resolve::resolve(&file).map_err(|problems| ConfigError::invalid(path, text, problems))
}

#[cfg(test)]
mod tests;
