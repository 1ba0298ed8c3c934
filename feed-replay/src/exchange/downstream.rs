//! The session as the lines bring it: packets, heartbeats while there are none, the end of the session, and faults.

use super::history::{History, Numbering};
use crate::fault::{Account, Delivery, LineFaults, Lines};
use std::sync::Arc;
use zerocopy::IntoBytes;

/// A session played on lines with faults, in virtual time. It runs of itself: whoever plays it takes what
/// [`Downstream::next`] gives when its time has come.
#[derive(Debug)]
pub struct Downstream {
    history: Arc<History>,
    lines: Lines,
    timing: Timing,
    /// Place of the next packet of the session.
    place: usize,
    /// When the last packet of any kind was sent.
    quiet_since: Option<u64>,
    played: Played,
}

/// When an exchange speaks that has nothing to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Nanoseconds without a packet after which a heartbeat is sent; above 0.
    pub heartbeat: u64,
    /// Nanoseconds after the session in which its end is repeated, and servers answer.
    pub grace: u64,
}

impl Default for Timing {
    /// A heartbeat a second, and three seconds of grace.
    fn default() -> Timing {
        Timing {
            heartbeat: 1_000_000_000,
            grace: 3_000_000_000,
        }
    }
}

/// What was sent on every line, before its faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Packets of the session.
    pub packets: u64,
    /// Messages in them.
    pub messages: u64,
    /// Heartbeats.
    pub heartbeats: u64,
    /// End-of-session packets.
    pub ends: u64,
}

/// What is sent next.
enum Next {
    Packet,
    Heartbeat,
    End,
}

impl Downstream {
    /// Between the last message and the first end-of-session packet, unless heartbeats are closer together.
    const END_NS: u64 = 1_000_000;

    /// Plays a session on a line for each of `faults`.
    pub fn new(
        history: Arc<History>,
        faults: &[LineFaults],
        seed: u64,
        timing: Timing,
    ) -> Downstream {
        Downstream {
            lines: Lines::new(faults, seed),
            history,
            timing,
            place: 0,
            quiet_since: None,
            played: Played::default(),
        }
    }

    /// When the next packet arrives; `None` when the session and its grace are over and all that was sent has arrived.
    pub fn due(&mut self) -> Option<u64> {
        loop {
            let due = self.lines.due();
            match self.upcoming() {
                // What is sent at the moment of an arrival cannot be there before it.
                Some((at, next)) if due.is_none_or(|due| at < due) => self.send(at, next),
                _ => return due,
            }
        }
    }

    /// The next packet that arrives by `now`, in order of their times; the lower line first where they are equal.
    pub fn next(&mut self, now: u64) -> Option<Delivery<'_>> {
        let due = self.due().filter(|&due| due <= now)?;
        self.lines.next(due)
    }

    /// What became of what was sent so far. It is sent no sooner than it has to be to know what arrives next.
    pub fn account(&self) -> &Account {
        self.lines.account()
    }

    /// How much was sent so far.
    pub fn played(&self) -> Played {
        self.played
    }

    /// The session.
    pub fn history(&self) -> &Arc<History> {
        &self.history
    }

    /// When the grace ends.
    pub fn end(&self) -> u64 {
        self.history.last_at().saturating_add(self.timing.grace)
    }

    fn upcoming(&self) -> Option<(u64, Next)> {
        let packet = self.history.sent_at(self.place);
        if self.history.numbering() == Numbering::Counted {
            return packet.map(|at| (at, Next::Packet));
        }
        let after = |nanos: u64| self.quiet_since.map_or(0, |at| at.saturating_add(nanos));
        let idle = after(self.timing.heartbeat);
        match packet {
            Some(at) if at <= idle => Some((at, Next::Packet)),
            Some(_) => Some((idle, Next::Heartbeat)),
            // Nothing says that a session of Pillar is over.
            None if self.history.numbering() == Numbering::Pillar => {
                (idle <= self.end()).then_some((idle, Next::Heartbeat))
            }
            None => {
                let first = after(Self::END_NS.min(self.timing.heartbeat));
                let at = if self.played.ends == 0 { first } else { idle };
                (at <= self.end()).then_some((at, Next::End))
            }
        }
    }

    fn send(&mut self, at: u64, next: Next) {
        match next {
            Next::Packet => {
                if let Some(packet) = self.history.packet(self.place) {
                    self.played.packets += 1;
                    self.played.messages += packet.numbers.end - packet.numbers.start;
                    self.lines.send(at, packet.numbers, packet.payload);
                }
                self.place += 1;
            }
            Next::Heartbeat | Next::End => {
                let ended = matches!(next, Next::End);
                let header = self.history.heartbeat(at, ended);
                let of_pillar = self.history.pillar_heartbeat(at);
                let header = header.as_ref().map(IntoBytes::as_bytes);
                if let Some(header) = header.or(of_pillar.as_ref().map(IntoBytes::as_bytes)) {
                    self.played.ends += u64::from(ended);
                    self.played.heartbeats += u64::from(!ended);
                    self.lines.send(at, 0..0, header);
                }
            }
        }
        self.quiet_since = Some(at);
    }
}

#[cfg(test)]
#[path = "downstream_tests.rs"]
mod tests;
