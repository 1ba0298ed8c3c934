//! Which instruments are wanted.
//!
//! A [`Filter`] is asked when a decoder learns a symbol, never for a message: the answer is kept with what the decoder
//! knows of the instrument. Changes come from a cold thread ([`Subscription`]) and reach the lane through [`Changes`];
//! it then goes through the instruments it knows, a few a batch.

mod changes;
mod filter;
mod glob;
mod subscription;

pub use changes::Changes;
pub use filter::{Filter, RULES_MAX, Rule, TooManyRules};
pub use glob::{GLOB_BYTES_MAX, Glob, GlobError};
pub use subscription::Subscription;

/// What is decided about an instrument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Standing {
    /// Its messages are delivered.
    Wanted,
    /// Its messages are passed over.
    Unwanted,
    /// Its messages are delivered, but earlier ones of the session were not: its book cannot be whole.
    Late,
    /// Its messages are delivered; some of them may have been lost, and its next one shows whether they were.
    Doubtful,
    /// Its symbol has not been seen yet.
    Unknown,
}

impl Standing {
    /// Of a symbol seen for the first time.
    pub fn of(symbol: &[u8], filter: &Filter) -> Standing {
        match filter.wants(symbol) {
            true => Standing::Wanted,
            false => Standing::Unwanted,
        }
    }

    /// Of an instrument about which it is decided anew.
    pub fn again(self, symbol: &[u8], filter: &Filter) -> Standing {
        match (self, filter.wants(symbol)) {
            (Standing::Unknown, _) => Standing::Unknown,
            (Standing::Unwanted, true) => Standing::Late,
            (delivered, true) => delivered,
            (_, false) => Standing::Unwanted,
        }
    }

    /// Whether something of it is missing, or may be, that would have been delivered.
    pub fn has_missed(self) -> bool {
        matches!(self, Standing::Late | Standing::Doubtful)
    }

    /// Whether its messages are delivered.
    pub fn is_delivered(self) -> bool {
        matches!(self, Standing::Wanted | Standing::Late | Standing::Doubtful)
    }
}
