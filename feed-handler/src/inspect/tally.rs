//! The messages of one protocol, counted by type.

use super::stats::Stats;
use super::{Dissect, Message};
use crate::protocol::DecodeError;
use std::collections::{BTreeMap, HashMap};

/// Counts of messages, of which the good ones of a one-byte type cost an increment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// By type codes of one byte, which most protocols have. Good and bad messages.
    small: [u64; 256],
    /// By all other type codes.
    large: HashMap<u32, u64>,
    /// Messages that cannot be read, by why.
    errors: BTreeMap<&'static str, u64>,
    /// Messages without a byte, which have no type.
    empty: u64,
    long: u64,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            small: [0; 256],
            large: HashMap::new(),
            errors: BTreeMap::new(),
            empty: 0,
            long: 0,
        }
    }
}

impl Tally {
    /// Counts a message that can be read and is as long as its type, a byte.
    #[inline]
    pub fn good(&mut self, kind: u8) {
        self.small[usize::from(kind)] += 1;
    }

    /// Takes back what [`Tally::good`] has counted.
    pub fn take_back(&mut self, kind: u8) {
        self.small[usize::from(kind)] -= 1;
    }

    /// Counts any message.
    pub fn message(&mut self, message: &dyn Message) {
        let error = message.error();
        if let Some(e) = error {
            *self.errors.entry(e.name()).or_default() += 1;
        }
        self.long += u64::from(message.is_long());
        match (error, u8::try_from(message.code())) {
            (Some(DecodeError::Empty), _) => self.empty += 1,
            (_, Ok(kind)) => self.good(kind),
            (_, Err(_)) => *self.large.entry(message.code()).or_default() += 1,
        }
    }

    /// Adds the counts to those of all protocols; this one says what its types are called.
    pub(super) fn add_to(&self, stats: &mut Stats, protocol: &dyn Dissect) {
        let small = (0..).zip(&self.small);
        let large = self.large.iter().map(|(&code, n)| (code, n));
        stats.messages += self.empty;
        for (code, &n) in small.chain(large).filter(|(_, n)| **n > 0) {
            let key = protocol.type_key(code);
            if let Some(name) = protocol.type_name(code) {
                stats.type_names.insert(key.clone(), name);
            }
            *stats.by_type.entry(key).or_default() += n;
            stats.messages += n;
        }
        for (&name, n) in &self.errors {
            *stats.errors.entry(name).or_default() += n;
        }
        if self.long > 0 {
            *stats.oddities.entry("message_long").or_default() += self.long;
        }
    }
}
