//! What the configuration files of all programs share: quantities with their unit, and errors that say where.
//!
//! A program's own keys, and what they mean, are its own.

mod error;
mod units;

pub use error::{ConfigError, Problem, place};
pub use units::{ByteSize, TimeSpan, UnitError};
