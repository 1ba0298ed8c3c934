//! Re-requests of MoldUDP64: a request names a session, a first number and a count, and what comes back are ordinary
//! packets of the channel.
//!
//! One request at a time is open for a run of missing messages. A server answers with as many messages as it likes, in
//! one packet or several: what it left out is asked for again when no other packet has come for as long as the last one
//! took. Attempts go to the servers in turn, and an answer that brings what is missing begins their count anew. A packet
//! with messages that no request asked for is nobody's answer.

use super::{Handed, Heard, Missing, Net, Recovery, RecoverySink, Wish};
use crate::sequence::SeqSpan;
use crate::transport::{FrameKind, Framing, MoldFraming};
use feed_common::wire::moldudp64::Request;
use std::collections::VecDeque;
use zerocopy::IntoBytes;

/// How a re-request server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Requests that bring nothing after which messages are given up, over all servers.
    pub attempts: u32,
    /// How long an answer may take, in nanoseconds.
    pub answer_nanos: u64,
    /// Messages of one request at most.
    pub messages: u16,
    /// Runs of missing messages that can be open.
    pub open: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits {
            attempts: 4,
            answer_nanos: 20_000_000,
            messages: 1_000,
            open: 1_024,
        }
    }
}

/// The shortest wait for another packet of an answer.
const REST_NANOS: u64 = 200_000;

/// The client of a channel's re-request servers.
#[derive(Debug)]
pub struct MoldRequests {
    servers: usize,
    limits: RequestLimits,
    open: VecDeque<Open>,
    framing: MoldFraming,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    answers: u64,
    unanswered: u64,
    failed: u64,
    unasked: u64,
    garbage: u64,
}

/// A run of messages that is wanted.
#[derive(Clone, Copy, Debug)]
struct Open {
    /// What is still missing of it.
    missing: Missing,
    /// Requests since something came.
    attempts: u32,
    /// The request that an answer is waited for.
    asked: Option<Asked>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    at: u64,
    /// The number after the last that it asks for.
    end: u64,
    /// Until when a packet is waited for.
    until: u64,
    /// Something has come.
    answered: bool,
}

impl MoldRequests {
    /// Asks the servers numbered from 0 to `servers`, which are datagram sockets.
    pub fn new(servers: usize, limits: RequestLimits) -> MoldRequests {
        MoldRequests {
            servers: servers.max(1),
            limits,
            open: VecDeque::with_capacity(limits.open),
            framing: MoldFraming,
            counts: Counts::default(),
        }
    }

    fn want(&mut self, missing: Missing, out: &mut dyn RecoverySink) {
        if self.open.len() == self.limits.open {
            self.counts.failed += 1;
            return out.hand(missing.channel, Handed::Failed(missing));
        }
        self.open.push_back(Open {
            missing,
            attempts: 0,
            asked: None,
        });
    }

    /// Nothing before `next` is wanted any more.
    fn settle(&mut self, next: u64) {
        for open in &mut self.open {
            open.missing.span = behind(open.missing.span, next);
        }
        self.open.retain(|open| open.missing.span.count > 0);
    }

    fn answer(&mut self, bytes: &[u8], now: u64, out: &mut dyn RecoverySink) {
        let Ok((frame, [])) = self.framing.open(bytes) else {
            self.counts.garbage += 1;
            return;
        };
        let brought = frame.span;
        let wanted = |open: &Open| {
            let asked = open.asked.map_or(0, |asked| asked.end);
            open.missing.session == frame.session
                && open.missing.span.first < brought.end()
                && brought.end() <= asked
        };
        let asked_for = self.open.iter().any(wanted);
        if frame.kind != FrameKind::Data || brought.count == 0 || !asked_for {
            self.counts.unasked += 1;
            return;
        }
        self.counts.answers += 1;
        let mut channel = None;
        for open in self.open.iter_mut().filter(|open| wanted(open)) {
            channel = Some(open.missing.channel);
            // Packets of one answer come in order; what one of them left out is asked for again.
            if brought.first <= open.missing.span.first {
                open.missing.span = behind(open.missing.span, brought.end());
                open.attempts = 0;
            }
            if let Some(asked) = &mut open.asked {
                let took = now.saturating_sub(asked.at).max(REST_NANOS);
                asked.until = now + took.min(self.limits.answer_nanos);
                asked.answered = true;
                if open.missing.span.first >= asked.end {
                    open.asked = None;
                }
            }
        }
        self.open.retain(|open| open.missing.span.count > 0);
        if let Some(channel) = channel {
            out.hand(channel, Handed::Packet(bytes));
        }
    }
}

/// What of a span lies from `next` on.
fn behind(span: SeqSpan, next: u64) -> SeqSpan {
    match next > span.first {
        true => SeqSpan::between(next, span.end()),
        false => span,
    }
}

impl Recovery for MoldRequests {
    fn wish(&mut self, wish: Wish, _: u64, out: &mut dyn RecoverySink) {
        match wish {
            Wish::Messages(missing) => self.want(missing, out),
            Wish::Snapshot(missing) => out.hand(missing.channel, Handed::SnapshotFailed),
            Wish::Settled(missing) => self.settle(missing.span.first),
        }
    }

    fn heard(
        &mut self,
        _: usize,
        heard: Heard<'_>,
        now: u64,
        _: &mut dyn Net,
        out: &mut dyn RecoverySink,
    ) {
        if let Heard::Bytes(bytes) = heard {
            self.answer(bytes, now, out);
        }
    }

    fn poll(&mut self, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) -> Option<u64> {
        let RequestLimits {
            attempts,
            answer_nanos,
            messages,
            ..
        } = self.limits;
        let (servers, counts) = (self.servers, &mut self.counts);
        let mut next = None;
        self.open.retain_mut(|open| {
            if let Some(asked) = open.asked {
                if now < asked.until {
                    next = Some(next.map_or(asked.until, |n: u64| n.min(asked.until)));
                    return true;
                }
                counts.unanswered += u64::from(!asked.answered);
            }
            if open.attempts == attempts {
                counts.failed += 1;
                out.hand(open.missing.channel, Handed::Failed(open.missing));
                return false;
            }
            let Missing { session, span, .. } = open.missing;
            let count = span.count.min(messages.into()) as u16;
            let request = Request {
                session,
                sequence: span.first.into(),
                requested_count: count.into(),
            };
            net.send(open.attempts as usize % servers, request.as_bytes());
            counts.requests += 1;
            open.attempts += 1;
            let until = now + answer_nanos;
            open.asked = Some(Asked {
                at: now,
                end: span.first.saturating_add(count.into()),
                until,
                answered: false,
            });
            next = Some(next.map_or(until, |n: u64| n.min(until)));
            true
        });
        next
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("requests", self.counts.requests),
            ("answers", self.counts.answers),
            ("requests_unanswered", self.counts.unanswered),
            ("requests_failed", self.counts.failed),
            ("answers_unasked", self.counts.unasked),
            ("answers_garbage", self.counts.garbage),
        ]
    }
}

#[cfg(test)]
#[path = "moldudp64_tests.rs"]
mod tests;
