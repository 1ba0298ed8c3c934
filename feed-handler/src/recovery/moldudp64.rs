//! Re-requests of MoldUDP64: a request names a session, a first number and a count, and what comes back are ordinary
//! packets of the channel.
//!
//! A run of missing messages is asked for in pieces, a few of them at a time and each message by one request only. A
//! server answers with as many messages as it likes, in one packet or several: what it left out is asked for again when
//! no other packet has come for as long as the last one took. How many an answer has is learned from that, so that the
//! next pieces are no longer, and their answers whole: nothing need be waited for then. Until it is known there is one
//! request at a time. Attempts at a piece go to the servers in turn, beginning with the one that brought something last,
//! and an answer that brings what is missing begins their count anew. A packet with messages that no request asked for is
//! nobody's answer.

mod run;

use super::{Handed, Heard, Missing, Net, Recovery, RecoverySink, Wish};
use crate::transport::{FrameKind, Framing, MoldFraming};
use run::{Asking, Run};
use std::collections::VecDeque;

/// How a re-request server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Requests that bring nothing after which messages are given up, over all servers.
    pub attempts: u32,
    /// How long an answer may take, in nanoseconds.
    pub answer_nanos: u64,
    /// Messages of one request at most.
    pub messages: u16,
    /// Requests for one run of missing messages that are under way at a time.
    pub in_flight: usize,
    /// Runs of missing messages that can be open.
    pub open: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits {
            attempts: 4,
            answer_nanos: 20_000_000,
            messages: 1_000,
            in_flight: 4,
            open: 1_024,
        }
    }
}

/// The client of a channel's re-request servers.
#[derive(Debug)]
pub struct MoldRequests {
    runs: VecDeque<Run>,
    asking: Asking,
    framing: MoldFraming,
}

impl MoldRequests {
    /// Asks the servers numbered from 0 to `servers`, which are datagram sockets.
    pub fn new(servers: usize, limits: RequestLimits) -> MoldRequests {
        MoldRequests {
            runs: VecDeque::with_capacity(limits.open),
            asking: Asking::new(servers, limits),
            framing: MoldFraming,
        }
    }

    fn want(&mut self, missing: Missing, out: &mut dyn RecoverySink) {
        if self.runs.len() == self.asking.limits.open {
            self.asking.counts.failed += 1;
            return out.hand(missing.channel, Handed::Failed(missing));
        }
        self.runs.push_back(Run::new(missing));
    }

    /// Nothing before `next` is wanted any more.
    fn settle(&mut self, next: u64) {
        self.runs.iter_mut().for_each(|run| run.settle(next));
        self.runs.retain(Run::is_wanted);
    }

    fn answer(&mut self, server: usize, bytes: &[u8], now: u64, out: &mut dyn RecoverySink) {
        let Ok((frame, [])) = self.framing.open(bytes) else {
            self.asking.counts.garbage += 1;
            return;
        };
        let mut channel = None;
        if frame.kind == FrameKind::Data && frame.span.count > 0 {
            for run in &mut self.runs {
                if run.missing.session == frame.session
                    && run.bring(frame.span, server, now, &mut self.asking)
                {
                    channel = Some(run.missing.channel);
                }
            }
        }
        let Some(channel) = channel else {
            self.asking.counts.unasked += 1;
            return;
        };
        self.asking.counts.answers += 1;
        self.runs.retain(Run::is_wanted);
        out.hand(channel, Handed::Packet(bytes));
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
        server: usize,
        heard: Heard<'_>,
        now: u64,
        _: &mut dyn Net,
        out: &mut dyn RecoverySink,
    ) {
        if let Heard::Bytes(bytes) = heard {
            self.answer(server, bytes, now, out);
        }
    }

    fn poll(&mut self, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) -> Option<u64> {
        let MoldRequests { runs, asking, .. } = self;
        runs.retain_mut(|run| run.poll(now, asking, net, out));
        runs.iter().filter_map(Run::due).min()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let counts = &self.asking.counts;
        vec![
            ("requests", counts.requests),
            ("answers", counts.answers),
            ("requests_unanswered", counts.unanswered),
            ("requests_failed", counts.failed),
            ("answers_unasked", counts.unasked),
            ("answers_garbage", counts.garbage),
        ]
    }
}

#[cfg(test)]
#[path = "moldudp64_tests.rs"]
mod tests;
