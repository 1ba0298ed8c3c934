//! A MoldUDP64 re-request server: asked for messages, it sends them again as ordinary packets.

use super::history::History;
use super::server::{DatagramServer, Quota, ServerCounts};
use crate::fault::ServerFaults;
use crate::synth::rng::{Rng, splitmix64};
use feed_common::wire::moldudp64::{self, END_OF_SESSION, Header, PacketBuilder, Request};
use std::ops::Range;
use std::sync::Arc;
use zerocopy::FromBytes;

/// What a server gives at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// UDP payload of a packet, in bytes. A message that does not fit has a packet of its own.
    pub payload: usize,
    /// Packets for one request; at least 1.
    pub packets: u16,
    /// Messages for one request; at least 1.
    pub messages: u16,
    /// Requests in a second; 0 without limit.
    pub requests_per_second: u32,
    /// How many of the newest messages it keeps; 0 for all.
    pub keep: u64,
}

impl Default for Limits {
    /// One packet of 1,400 bytes for a request, and 10,000 requests a second.
    fn default() -> Limits {
        Limits {
            payload: 1_400,
            packets: 1,
            messages: 1_000,
            requests_per_second: 10_000,
            keep: 0,
        }
    }
}

/// The server. It knows a message from the moment it is sent on the lines.
///
/// What it does follows from its faults, the seed, and the requests with their times; each kind of fault draws from
/// numbers of its own, once for every request that could be answered.
#[derive(Debug)]
pub struct MoldServer {
    history: Arc<History>,
    limits: Limits,
    faults: ServerFaults,
    quota: Quota,
    refusals: Rng,
    delays: Rng,
    errors: Rng,
    closings: Rng,
    losses: Rng,
    /// Until when it is gone.
    gone_until: u64,
    counts: ServerCounts,
}

/// Why a request is not answered.
enum Unanswered {
    Malformed,
    OtherSession,
    Unknown,
    Limited,
    Refused,
    Closed,
}

impl MoldServer {
    /// Longest garbage.
    const GARBAGE_MAX: u64 = 200;

    /// A server for a session of MoldUDP64; of any other it knows no message.
    pub fn new(
        history: Arc<History>,
        limits: Limits,
        faults: &ServerFaults,
        seed: u64,
    ) -> MoldServer {
        let rng = |kind: u64| Rng::new(splitmix64(seed).wrapping_add(kind));
        MoldServer {
            quota: Quota::new(limits.requests_per_second),
            history,
            limits: Limits {
                packets: limits.packets.max(1),
                messages: limits.messages.max(1),
                ..limits
            },
            faults: faults.clone(),
            refusals: rng(1),
            delays: rng(2),
            errors: rng(3),
            closings: rng(4),
            losses: rng(5),
            gone_until: 0,
            counts: ServerCounts::default(),
        }
    }

    /// The messages to answer with, by their numbers.
    fn admit(&mut self, request: &[u8], now: u64) -> Result<Range<u64>, Unanswered> {
        if now < self.gone_until {
            return Err(Unanswered::Closed);
        }
        let request = Request::read_from_bytes(request).map_err(|_| Unanswered::Malformed)?;
        let count = match request.requested_count.get() {
            0 | END_OF_SESSION => return Err(Unanswered::Malformed),
            count => u64::from(count.min(self.limits.messages)),
        };
        if !self.quota.take(now) {
            return Err(Unanswered::Limited);
        }
        let known = self
            .history
            .sent_of(&request.session, request.sequence.get(), now);
        let known = known.ok_or(Unanswered::OtherSession)?;
        if known.is_empty() || known.start < self.oldest(now) {
            return Err(Unanswered::Unknown);
        }
        if self.history.messages(known.start).next().is_none() {
            return Err(Unanswered::Unknown);
        }
        // All are drawn, whatever comes of them.
        let refused = self.faults.refuse.happens(&mut self.refusals);
        if self.faults.close.happens(&mut self.closings) {
            self.gone_until = now.saturating_add(ServerFaults::CLOSED_NS);
            return Err(Unanswered::Closed);
        }
        if refused {
            return Err(Unanswered::Refused);
        }
        Ok(known.start..known.end.min(known.start.saturating_add(count)))
    }

    fn oldest(&self, now: u64) -> u64 {
        match self.limits.keep {
            0 => self.history.begin(),
            keep => self.history.reached(now).saturating_sub(keep),
        }
    }

    /// The packets of an answer.
    fn packets(&self, numbers: Range<u64>) -> Vec<Vec<u8>> {
        let Some((session, sequence)) = self.history.wire(numbers.start) else {
            return Vec::new();
        };
        let single = self.faults.trickle > 0;
        let most = match single {
            true => self.limits.messages,
            false => self.limits.packets,
        };
        let wanted = usize::try_from(numbers.end - numbers.start).unwrap_or(usize::MAX);
        let messages = self.history.messages(numbers.start).take(wanted);
        let mut left = messages.peekable();
        let mut packets = Vec::new();
        // Packets are kept short below; what bounds the builder is a message too long for that.
        let mut packet = PacketBuilder::new(session, sequence, usize::MAX);
        while packets.len() < most.into() {
            let mut length = size_of::<Header>();
            let fits =
                |length: usize, message: &[u8]| length + 2 + message.len() <= self.limits.payload;
            while let Some(message) =
                left.next_if(|m| packet.is_empty() || (!single && fits(length, m)))
            {
                packet.push(message);
                length += 2 + message.len();
            }
            if packet.is_empty() {
                break;
            }
            packets.push(packet.payload().to_vec());
            packet.clear();
        }
        packets
    }

    /// A wrong answer: of another session, of other messages, cut short, or garbage. One packet, whatever was asked.
    fn wrong(&self, numbers: Range<u64>, now: u64, random: u64) -> Vec<u8> {
        let mut rng = Rng::new(random);
        let kind = rng.below(4);
        let numbers = match kind {
            // Truly those messages, but nobody asked for them.
            1 => self.unasked(now, numbers.end - numbers.start, &mut rng),
            _ => numbers,
        };
        let mut packet = self.packets(numbers).into_iter().next().unwrap_or_default();
        match kind {
            0 => packet[9] ^= 1,
            1 => {}
            2 => packet.truncate(rng.below(packet.len() as u64) as usize),
            _ => {
                let length = rng.between(0, Self::GARBAGE_MAX);
                packet = (0..length).map(|_| rng.next_u64() as u8).collect();
            }
        }
        packet
    }

    /// Other messages than were asked for, as many at most.
    fn unasked(&self, now: u64, count: u64, rng: &mut Rng) -> Range<u64> {
        let oldest = self.oldest(now);
        let first = oldest + rng.below(self.history.reached(now) - oldest);
        let sent = self
            .history
            .wire(first)
            .and_then(|(session, sequence)| self.history.sent_of(&session, sequence, now));
        let end = sent.map_or(first, |sent| sent.end);
        first..end.min(first + count)
    }
}

impl DatagramServer for MoldServer {
    fn answer(&mut self, request: &[u8], now: u64, reply: &mut dyn FnMut(u64, &[u8])) {
        self.counts.requests += 1;
        let numbers = match self.admit(request, now) {
            Ok(numbers) => numbers,
            Err(why) => return *self.counts.unanswered(why) += 1,
        };
        let late = self.faults.late.draw(&mut self.delays);
        let wrong = self.faults.wrong.happens(&mut self.errors);
        let random = self.errors.next_u64();
        let packets = match wrong {
            true => {
                self.counts.wrong += 1;
                vec![self.wrong(numbers, now, random)]
            }
            false => self.packets(numbers),
        };
        self.counts.answered += 1;
        self.counts.late += u64::from(late > 0);
        let mut at = now.saturating_add(late);
        for packet in &packets {
            if self.faults.loss.happens(&mut self.losses) {
                self.counts.lost += 1;
            } else {
                self.counts.packets += 1;
                self.counts.bytes += packet.len() as u64;
                self.counts.messages += messages_in(packet);
                reply(at, packet);
            }
            at = at.saturating_add(self.faults.trickle);
        }
    }

    fn counts(&self) -> ServerCounts {
        self.counts
    }
}

impl ServerCounts {
    fn unanswered(&mut self, why: Unanswered) -> &mut u64 {
        match why {
            Unanswered::Malformed => &mut self.malformed,
            Unanswered::OtherSession => &mut self.other_session,
            Unanswered::Unknown => &mut self.unknown,
            Unanswered::Limited => &mut self.limited,
            Unanswered::Refused => &mut self.refused,
            Unanswered::Closed => &mut self.closed,
        }
    }
}

/// Messages of a packet; none in what is no packet.
fn messages_in(packet: &[u8]) -> u64 {
    moldudp64::parse(packet).map_or(0, |(header, _)| header.blocks().into())
}

#[cfg(test)]
#[path = "moldudp64_tests.rs"]
mod tests;
