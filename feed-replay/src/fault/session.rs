//! The faults a session can have, before any line carries it.

use super::grammar::{FaultError, Faults, Item, read};
use super::spec::Words;
use feed_common::config::TimeSpan;
use std::fmt;
use std::str::FromStr;

/// What goes wrong with a session itself. Printed and read in the grammar of faults:
///
/// | fault | means |
/// |---|---|
/// | `restart@30s` | the exchange starts a new session, numbered from 1, without having ended the old one; may be given 8 times |
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionFaults {
    /// When the exchange restarts, in nanoseconds after the start; rising.
    pub restarts: Vec<u64>,
}

impl SessionFaults {
    /// Most restarts.
    pub const RESTARTS_MAX: usize = 8;
}

impl Faults for SessionFaults {
    const OF: &'static str = "a session";
    const NAMES: &'static [&'static str] = &["restart"];
    const REPEATED: &'static [&'static str] = &["restart"];

    fn set(&mut self, item: Item) -> Result<(), String> {
        let Item::Restart(at) = item else {
            return Err(format!("{item:?} is no fault of a session"));
        };
        if self.restarts.len() == Self::RESTARTS_MAX {
            return Err(format!("more than {} restarts", Self::RESTARTS_MAX));
        }
        if let Some(&last) = self.restarts.last()
            && at <= last
        {
            let (at, last) = (TimeSpan(at), TimeSpan(last));
            return Err(format!(
                "a restart at {at} after one at {last}: expected a later one"
            ));
        }
        self.restarts.push(at);
        Ok(())
    }

    fn check(&self) -> Result<(), (&'static str, String)> {
        Ok(())
    }
}

impl FromStr for SessionFaults {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<SessionFaults, FaultError> {
        read(text)
    }
}

impl fmt::Display for SessionFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = Words::new(f);
        for &at in &self.restarts {
            out.word_with("restart", '@', TimeSpan(at))?;
        }
        Ok(())
    }
}
