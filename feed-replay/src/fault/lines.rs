//! Several lines that carry the same session, each with faults of its own.

use super::account::Account;
use super::line::{Fate, FaultyLine};
use super::spec::LineFaults;
use crate::synth::rng::splitmix64;
use std::ops::Range;

/// Lines with faults, and what became of the session on them. The rules of [`FaultyLine`] about time hold here too.
#[derive(Debug)]
pub struct Lines {
    lines: Vec<FaultyLine>,
    account: Account,
}

/// A packet that arrives on a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery<'a> {
    /// When, in nanoseconds after the start.
    pub at: u64,
    /// On which line: an index.
    pub line: usize,
    /// The packet.
    pub payload: &'a [u8],
}

impl Lines {
    /// A line for each of `faults`; what happens on each follows from the seed and its index.
    pub fn new(faults: &[LineFaults], seed: u64) -> Lines {
        let line = |(i, faults)| FaultyLine::new(faults, splitmix64(seed ^ splitmix64(i as u64)));
        Lines {
            lines: faults.iter().enumerate().map(line).collect(),
            account: Account::new(faults.len()),
        }
    }

    /// Sends a packet with these messages on every line.
    pub fn send(&mut self, at: u64, numbers: Range<u64>, packet: &[u8]) {
        for line in 0..self.lines.len() {
            self.send_on(line, at, numbers.clone(), packet);
        }
    }

    /// Sends a packet with these messages on one line: where lines pack messages into packets differently.
    pub fn send_on(&mut self, line: usize, at: u64, numbers: Range<u64>, packet: &[u8]) -> Fate {
        let fate = self.lines[line].send(at, packet);
        self.account.note(line, numbers, fate);
        fate
    }

    /// When the next packet arrives if nothing is sent before; `None` when nothing is under way.
    pub fn due(&self) -> Option<u64> {
        self.lines.iter().filter_map(FaultyLine::due).min()
    }

    /// The next packet that arrives by `now`, in order of their times; the lower line first where they are equal.
    pub fn next(&mut self, now: u64) -> Option<Delivery<'_>> {
        let dues = self.lines.iter().enumerate();
        let (_, line) = dues.filter_map(|(i, line)| Some((line.due()?, i))).min()?;
        let arrival = self.lines[line].next(now)?;
        Some(Delivery {
            at: arrival.at,
            line,
            payload: arrival.payload,
        })
    }

    /// What became of what was sent so far.
    pub fn account(&self) -> &Account {
        &self.account
    }
}
