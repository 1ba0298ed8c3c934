//! A snapshot feed of CME: the state of every instrument, said again and again on a line with faults.
//!
//! In virtual time, like [`Downstream`](super::Downstream): a round begins with the packets of the session that have been
//! sent by then. Levels are said as they are when their packet is sent; orders as they were when the round began, since
//! every message says how many there are.

use super::history::History;
use super::mdp3_state::Mdp3State;
use crate::fault::{Account, Delivery, LineFaults, Lines};
use feed_common::time::UnixNanos;
use feed_common::wire::mdp3::{PacketBuilder, parse};
use std::collections::VecDeque;
use std::sync::Arc;

/// How a loop goes round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopTiming {
    /// Orders are said, and not levels.
    pub orders: bool,
    /// Nanoseconds from the begin of a round to that of the next, at least; above 0.
    pub period: u64,
    /// Nanoseconds from one packet to the next; above 0.
    pub spacing: u64,
    /// Bytes of a packet at most.
    pub payload: usize,
}

impl Default for LoopTiming {
    /// Levels, every 100 ms, a packet each 100 µs, 1,400 bytes.
    fn default() -> LoopTiming {
        LoopTiming {
            orders: false,
            period: 100_000_000,
            spacing: 100_000,
            payload: 1_400,
        }
    }
}

/// A snapshot feed of a session.
#[derive(Debug)]
pub struct SnapshotLoop {
    history: Arc<History>,
    lines: Lines,
    timing: LoopTiming,
    state: Mdp3State,
    /// Place of the next packet of the session.
    place: usize,
    /// Added to a time after the start it is the time that packets say.
    clock: u64,
    /// When the next packet, or round, is due, and the last.
    next_at: u64,
    end: u64,
    /// When the next round begins at the soonest.
    round_at: u64,
    number: u32,
    total: u32,
    /// What this round has yet to say.
    levels: VecDeque<i32>,
    orders: VecDeque<Vec<u8>>,
    played: Looped,
}

/// What a snapshot feed has sent, before its faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looped {
    /// Rounds that were begun.
    pub rounds: u64,
    /// Packets.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
}

impl SnapshotLoop {
    /// The snapshots of a session of MDP 3.0 until `end`.
    pub fn new(
        history: Arc<History>,
        faults: &LineFaults,
        seed: u64,
        timing: LoopTiming,
        end: u64,
    ) -> SnapshotLoop {
        let first = history.packet(0);
        let clock = first.and_then(|packet| {
            let (header, ..) = parse(packet.payload).ok()?;
            Some(header.sending_time.get().wrapping_sub(packet.at))
        });
        SnapshotLoop {
            lines: Lines::new(std::slice::from_ref(faults), seed),
            state: Mdp3State::default(),
            place: 0,
            clock: clock.unwrap_or(0),
            next_at: history.sent_at(0).unwrap_or(0),
            round_at: 0,
            end,
            number: 0,
            total: 0,
            levels: VecDeque::new(),
            orders: VecDeque::new(),
            played: Looped::default(),
            history,
            timing,
        }
    }

    /// When the next packet arrives; `None` when it is over and all that was sent has arrived.
    pub fn due(&mut self) -> Option<u64> {
        loop {
            let due = self.lines.due();
            match (self.next_at <= self.end).then_some(self.next_at) {
                // What is sent at the moment of an arrival cannot be there before it.
                Some(at) if due.is_none_or(|due| at < due) => self.send(at),
                _ => return due,
            }
        }
    }

    /// The next packet that arrives by `now`, in order of their times.
    pub fn next(&mut self, now: u64) -> Option<Delivery<'_>> {
        let due = self.due().filter(|&due| due <= now)?;
        self.lines.next(due)
    }

    /// How much was sent so far.
    pub fn played(&self) -> Looped {
        self.played
    }

    /// What became of it; packets are numbered through from 1.
    pub fn account(&self) -> &Account {
        self.lines.account()
    }

    fn send(&mut self, at: u64) {
        while let Some(packet) = self.history.packet(self.place).filter(|p| p.at <= at) {
            self.state.apply(packet.payload);
            self.place += 1;
        }
        if self.levels.is_empty() && self.orders.is_empty() && !self.begin(at) {
            self.next_at = at.saturating_add(self.timing.period);
            return;
        }
        self.number += 1;
        let mut packet = PacketBuilder::new(self.number, self.timing.payload);
        while let Some(message) = self.message()
            && (packet.push(&message) || self.too_long(&packet))
        {
            self.said();
        }
        let sent = UnixNanos(self.clock.wrapping_add(at));
        self.played.packets += 1;
        let number = self.played.packets;
        self.lines
            .send(at, number..number + 1, packet.payload(sent));
        let over = self.levels.is_empty() && self.orders.is_empty();
        let next = at.saturating_add(self.timing.spacing);
        self.next_at = if over { next.max(self.round_at) } else { next };
    }

    /// Begins a round; false when there is nothing to say.
    fn begin(&mut self, at: u64) -> bool {
        let room = self.timing.payload.saturating_sub(12);
        if self.timing.orders {
            self.orders = self.state.orders(room).into();
        } else {
            self.levels = self.state.instruments(false).into();
            self.total = self.levels.len() as u32;
        }
        let begins = !(self.levels.is_empty() && self.orders.is_empty());
        self.played.rounds += u64::from(begins);
        self.number = 0;
        self.round_at = at.saturating_add(self.timing.period);
        begins
    }

    /// The message that is to be said next.
    fn message(&self) -> Option<Vec<u8>> {
        match self.levels.front() {
            Some(&id) => Some(self.state.levels(id, self.total)),
            None => self.orders.front().cloned(),
        }
    }

    /// It has been.
    fn said(&mut self) {
        self.played.messages += 1;
        if self.levels.pop_front().is_none() {
            self.orders.pop_front();
        }
    }

    /// One that fits no packet is left out, and the round is not whole.
    fn too_long(&self, packet: &PacketBuilder) -> bool {
        packet.is_empty()
    }
}

#[cfg(test)]
#[path = "mdp3_loop_tests.rs"]
mod tests;
