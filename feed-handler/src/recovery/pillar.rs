//! Retransmissions of NYSE Pillar: asked for over a connection, and answered on a multicast channel of their own.
//!
//! A request names a first and a last number, at most [`MAX_REQUESTED`] of them, and is accepted or rejected over the
//! connection. What was accepted comes as packets of the channel, with flags of their own, to everybody who listens
//! there; it can be lost on the way, and is asked for again then. A server that will not have them says so there too.
//! Requests are counted by the day, so one request takes in all that is missing within its reach, and packets that
//! nobody asked for here, which are other clients' answers, are left aside.
//!
//! Numbers that begin anew void what is open: the lane says so, and so may a packet on the channel of answers. An answer
//! that was sent before that is told by its time, by whoever takes it.

use super::pillar_link::{PillarLink, PillarTimes};
use super::replay_wants::{Want, Wants};
use super::soup_servers::ROOM_WAIT;
use super::{Handed, Heard, Missing, Net, Recovery, RecoverySink, Wish};
use crate::sequence::SeqSpan;
use crate::transport::{FrameKind, Framing, PillarFraming, Session};
use feed_common::wire::pillar::{
    Flag, MAX_REQUESTED, Message, RequestResponse, RetransmissionRequest, SourceId, Status,
    messages, parse,
};
use std::collections::VecDeque;

const MILLISECOND: u64 = 1_000_000;

/// Who asks, for what, and how patiently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PillarSettings {
    /// Request servers, which have the first places of the recovery's list. Behind them come the groups that answers are
    /// sent to.
    pub servers: usize,
    /// How the server knows this client.
    pub source_id: SourceId,
    /// Which of the exchange's products.
    pub product_id: u8,
    /// Which of the product's channels.
    pub channel_id: u8,
    /// Messages of one request at most; [`MAX_REQUESTED`] and no more.
    pub messages: u32,
    /// Requests in a row that bring nothing of a message after which it is given up.
    pub attempts: u32,
    /// How long a request may take to be answered, and an answer to go on, in nanoseconds.
    pub answer: u64,
    /// Nanoseconds after which a wish fails, attempts left or not.
    pub patience: u64,
    /// Wishes that can be open.
    pub wishes: usize,
    /// Of the connection.
    pub times: PillarTimes,
    /// Added to the recovery's time it is the time since the epoch, as packets have it.
    pub epoch: u64,
}

impl PillarSettings {
    /// The usual patience: 4 requests, half a second, a minute; 1,024 wishes.
    pub fn new(
        servers: usize,
        source_id: SourceId,
        product_id: u8,
        channel_id: u8,
    ) -> PillarSettings {
        PillarSettings {
            servers,
            source_id,
            product_id,
            channel_id,
            messages: MAX_REQUESTED,
            attempts: 4,
            answer: 500 * MILLISECOND,
            patience: 60_000 * MILLISECOND,
            wishes: 1_024,
            times: PillarTimes::default(),
            epoch: 0,
        }
    }
}

/// Requests that can be under way.
const UNDER_WAY: usize = 8;

/// Requests in a row without a response after which another server is tried.
const MUTE: u32 = 2;

/// The shortest wait for another packet of an answer.
const REST: u64 = 20 * MILLISECOND;

/// Channels have no sessions: what the framing gives them all.
const SESSION: Session = [0; 10];

/// The client of a channel's request servers.
#[derive(Debug)]
pub struct PillarRequests {
    settings: PillarSettings,
    link: PillarLink,
    wants: Wants,
    /// Under way; no number is in two of them.
    requests: VecDeque<Request>,
    /// Requests in a row that the server did not respond to.
    mute: u32,
    counts: Counts,
    /// By their place among [`Status::ALL`].
    responses: [u64; Status::ALL.len()],
}

#[derive(Clone, Copy, Debug)]
struct Request {
    /// Number of its packet.
    number: u32,
    span: SeqSpan,
    at: u64,
    until: u64,
    accepted: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    requests: u64,
    unanswered: u64,
    /// Packets that brought something wanted.
    answers: u64,
    messages: u64,
    /// Packets of answers with nothing that is wanted still: between what is, or by another group.
    unneeded: u64,
    unasked: u64,
    garbage: u64,
    no_room: u64,
    unavailable: u64,
    resets: u64,
    wishes_refused: u64,
    failed: u64,
    /// Rejected for a reason that the specification does not list.
    responses_other: u64,
}

impl PillarRequests {
    /// A client that has yet to connect.
    ///
    /// # Panics
    ///
    /// Without servers, or when a request could ask for no message or too many.
    pub fn new(settings: PillarSettings) -> PillarRequests {
        assert!(settings.servers > 0, "a recovery without servers");
        assert!((1..=MAX_REQUESTED).contains(&settings.messages));
        let PillarSettings {
            servers,
            source_id,
            times,
            epoch,
            ..
        } = settings;
        PillarRequests {
            settings,
            link: PillarLink::new(servers, source_id, times, epoch),
            wants: Wants::new(settings.wishes),
            requests: VecDeque::with_capacity(UNDER_WAY),
            mute: 0,
            counts: Counts::default(),
            responses: [0; Status::ALL.len()],
        }
    }

    /// A response on the connection.
    fn responded(&mut self, said: &RequestResponse, now: u64) {
        let number = said.request_seq_num.get();
        if said.source_id != self.settings.source_id || !self.link.has_sent(number) {
            self.counts.unasked += 1;
            return;
        }
        self.mute = 0;
        let status = Status::of(said.status);
        let place = Status::ALL.iter().position(|known| *known == status);
        *place.map_or(&mut self.counts.responses_other, |i| &mut self.responses[i]) += 1;
        // The answer may have come before the response.
        let Some(at) = self.requests.iter().position(|r| r.number == number) else {
            return;
        };
        let request = &mut self.requests[at];
        if status != Status::Accepted {
            let span = request.span;
            self.requests.remove(at);
            self.wants.fail(SESSION, span);
        } else if !request.accepted {
            request.accepted = true;
            request.until = now.saturating_add(self.settings.answer);
        }
    }

    /// A datagram on the channel of answers.
    fn answer(&mut self, bytes: &[u8], now: u64, out: &mut dyn RecoverySink) {
        let Ok((header, _)) = parse(bytes) else {
            self.counts.garbage += 1;
            return;
        };
        match header.flag() {
            Flag::HEARTBEAT => {}
            Flag::RETRANSMISSION | Flag::RETRANSMISSION_PART => self.retransmitted(bytes, now, out),
            Flag::UNAVAILABLE => self.unavailable(bytes),
            Flag::SEQUENCE_RESET => self.reset(),
            _ => self.counts.unasked += 1,
        }
    }

    fn retransmitted(&mut self, bytes: &[u8], now: u64, out: &mut dyn RecoverySink) {
        let Ok((frame, [])) = PillarFraming.open(bytes) else {
            self.counts.garbage += 1;
            return;
        };
        let span = frame.span;
        let asked = |request: &&mut Request| {
            request.span.first <= span.first && span.end() <= request.span.end()
        };
        let request = self.requests.iter_mut().find(asked);
        let (FrameKind::Data, Some(request)) = (frame.kind, request) else {
            self.counts.unasked += 1;
            return;
        };
        // Also what is not wanted shows that the answer goes on.
        let took = now.saturating_sub(request.at).max(REST);
        request.until = now.saturating_add(took.min(self.settings.answer));
        request.accepted = true; // whatever has become of the response
        self.mute = 0;
        let Some(channel) = self.wants.channel_of(SESSION, span) else {
            self.counts.unneeded += 1;
            return;
        };
        if !out.has_room(1) {
            self.counts.no_room += 1; // asked for again when nothing else comes
            return;
        }
        self.counts.answers += 1;
        self.counts.messages += self.wants.bring(SESSION, span);
        out.hand(channel, Handed::Packet(bytes));
        self.end_requests();
    }

    /// Messages that will not come, as far as they were asked for.
    fn unavailable(&mut self, bytes: &[u8]) {
        for message in messages(bytes).into_iter().flatten() {
            let Message::MessageUnavailable(said) = message else {
                self.counts.unasked += 1;
                continue;
            };
            let (first, last) = (said.begin_seq.get(), said.end_seq.get());
            let of = (said.product_id, said.channel_id);
            let ours = of == (self.settings.product_id, self.settings.channel_id);
            let mut any = false;
            for request in self.requests.iter().filter(|_| ours) {
                let first = u64::from(first).max(request.span.first);
                let end = (u64::from(last) + 1).min(request.span.end());
                if first < end {
                    any = true;
                    self.wants.fail(SESSION, SeqSpan::between(first, end));
                }
            }
            *(match any {
                true => &mut self.counts.unavailable,
                false => &mut self.counts.unasked,
            }) += 1;
        }
        self.end_requests();
    }

    /// Numbers begin anew: what is open was asked for by numbers that are other messages now.
    fn reset(&mut self) {
        self.counts.resets += 1;
        self.requests.clear();
        self.wants.iter_mut().for_each(|want| want.failed = true);
    }

    /// Forgets requests of which nothing is wanted any more.
    fn end_requests(&mut self) {
        let wants = &self.wants;
        self.requests
            .retain(|request| wants.channel_of(SESSION, request.span).is_some());
    }

    /// Nothing that is under way will be answered.
    fn disconnected(&mut self, now: u64) {
        self.mute = 0;
        while let Some(request) = self.requests.pop_front() {
            self.counts.unanswered += u64::from(!request.accepted);
            self.tried(request.span, now);
        }
    }

    /// A request has ended and left these.
    fn tried(&mut self, span: SeqSpan, now: u64) {
        for want in self.wants.iter_mut() {
            if (span.first..span.end()).contains(&want.missing.span.first) {
                want.attempts = match std::mem::take(&mut want.brought) {
                    true => 0,
                    false => want.attempts + 1,
                };
                want.after = now;
            }
        }
    }

    /// Ends the requests that take too long.
    fn hurry(&mut self, now: u64, net: &mut dyn Net) {
        for _ in 0..self.requests.len() {
            let Some(request) = self.requests.pop_front() else {
                break;
            };
            if now < request.until {
                self.requests.push_back(request);
                continue;
            }
            self.tried(request.span, now);
            if !request.accepted {
                self.counts.unanswered += 1;
                self.mute += 1;
            }
        }
        if self.mute >= MUTE {
            self.link.give_up(now, net);
            self.disconnected(now);
        }
    }

    fn give_up(&mut self, now: u64, out: &mut dyn RecoverySink) {
        let attempts = self.settings.attempts;
        for want in self.wants.iter_mut() {
            want.failed |= now >= want.deadline || want.attempts >= attempts;
        }
        self.wants.hand_failed(&mut |missing| {
            let room = out.has_room(1);
            if room {
                self.counts.failed += 1;
                out.hand(missing.channel, Handed::Failed(missing));
            }
            room
        });
        self.end_requests();
    }

    /// Asks for what is wanted and not under way, lowest numbers first.
    fn ask(&mut self, now: u64, net: &mut dyn Net) {
        while self.requests.len() < UNDER_WAY
            && let Some(span) = self.next_span()
        {
            let request = RetransmissionRequest {
                // A wish has no numbers beyond 32 bits.
                begin_seq: (span.first as u32).into(),
                end_seq: ((span.end() - 1) as u32).into(),
                source_id: self.settings.source_id,
                product_id: self.settings.product_id,
                channel_id: self.settings.channel_id,
                ..RetransmissionRequest::new()
            };
            let Some(number) = self.link.ask(&request, now, net) else {
                return;
            };
            self.counts.requests += 1;
            self.wants.cut_at(SESSION, span.end());
            self.requests.push_back(Request {
                number,
                span,
                at: now,
                until: now.saturating_add(self.settings.answer),
                accepted: false,
            });
        }
    }

    /// From the lowest number that nobody has been asked for to the last that one request reaches. No further than to
    /// what is under way: that would be asked for twice.
    fn next_span(&self) -> Option<SeqSpan> {
        let under_way = |number: u64| {
            let in_it = |r: &Request| (r.span.first..r.span.end()).contains(&number);
            self.requests.iter().any(in_it)
        };
        let free = |want: &&Want| !want.failed && !under_way(want.missing.span.first);
        let mut wants = self.wants.iter().filter(free);
        let first = wants.next()?.missing.span;
        let ahead = self.requests.iter().map(|r| r.span.first);
        let ahead = ahead.filter(|&begin| begin > first.first).min();
        let reach = first.first.saturating_add(self.settings.messages.into());
        let reach = reach.min(ahead.unwrap_or(u64::MAX));
        let within = wants.map(|want| want.missing.span);
        let within = within.take_while(|span| span.first < reach);
        let end = within.map(SeqSpan::end).fold(first.end(), u64::max);
        Some(SeqSpan::between(first.first, end.min(reach)))
    }

    /// When something is to be done next.
    fn due(&self, now: u64, out: &dyn RecoverySink) -> u64 {
        let waits = self.wants.iter().any(|want| want.failed) && !out.has_room(1);
        let room = waits.then(|| now.saturating_add(ROOM_WAIT));
        let requests = self.requests.iter().map(|request| request.until);
        let wants = self.wants.iter().filter(|want| !want.failed);
        let deadlines = wants.map(|want| want.deadline);
        let all = requests.chain(deadlines).chain(room);
        all.fold(self.link.due(), u64::min).max(now + 1)
    }

    fn settle(&mut self, settled: &Missing) {
        self.wants.settle(settled);
        self.end_requests();
    }
}

impl Recovery for PillarRequests {
    fn wish(&mut self, wish: Wish, now: u64, out: &mut dyn RecoverySink) {
        match wish {
            Wish::Messages(missing) => {
                let last = missing.span.end().saturating_sub(1);
                let beyond = u32::try_from(last).is_err() || missing.session != SESSION;
                let mut refuse = |missing: Missing| {
                    self.counts.wishes_refused += 1;
                    out.hand(missing.channel, Handed::Failed(missing));
                };
                if beyond {
                    return refuse(missing);
                }
                let want = Want {
                    missing,
                    brought: false,
                    attempts: 0,
                    deadline: now.saturating_add(self.settings.patience),
                    after: now,
                    refused: 0,
                    failed: false,
                };
                self.wants.add(want, &mut refuse);
            }
            Wish::Settled(settled) => self.settle(&settled),
            Wish::Snapshot(missing) => {
                self.counts.wishes_refused += 1;
                out.hand(missing.channel, Handed::SnapshotFailed);
            }
        }
    }

    fn heard(
        &mut self,
        server: usize,
        heard: Heard<'_>,
        now: u64,
        net: &mut dyn Net,
        out: &mut dyn RecoverySink,
    ) {
        if server < self.settings.servers {
            let mut responses = Vec::new();
            let lost = self.link.heard(server, heard, now, net, &mut |said| {
                responses.push(*said);
            });
            for said in &responses {
                self.responded(said, now);
            }
            if lost {
                self.disconnected(now);
            }
        } else if let Heard::Bytes(bytes) = heard {
            self.answer(bytes, now, out);
        }
    }

    fn poll(&mut self, now: u64, net: &mut dyn Net, out: &mut dyn RecoverySink) -> Option<u64> {
        if self.link.poll(now, net) {
            self.disconnected(now);
        }
        self.hurry(now, net);
        self.give_up(now, out);
        self.ask(now, net);
        Some(self.due(now, out))
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let counts = self.counts;
        let own = [
            ("requests", counts.requests),
            ("requests_unanswered", counts.unanswered),
            ("answers", counts.answers),
            ("messages", counts.messages),
            ("unavailable", counts.unavailable),
            ("answers_unneeded", counts.unneeded),
            ("answers_unasked", counts.unasked),
            ("answers_garbage", counts.garbage),
            ("answers_no_room", counts.no_room),
            ("resets", counts.resets),
            ("wishes_refused", counts.wishes_refused),
            ("failed", counts.failed),
            ("rejected_other", counts.responses_other),
        ];
        let responses = Status::ALL.into_iter().zip(self.responses);
        let responses = responses.map(|(status, n)| (response(status), n));
        self.link.counters().chain(own).chain(responses).collect()
    }
}

/// The counter of a response.
const fn response(status: Status) -> &'static str {
    match status {
        Status::Accepted => "requests_accepted",
        Status::SourceId => "rejected_source_id",
        Status::RangeTooLarge => "rejected_range_too_large",
        Status::DailyRequests => "rejected_daily_requests",
        Status::DailyRefreshes => "rejected_daily_refreshes",
        Status::TooOld => "rejected_too_old",
        Status::Channel => "rejected_channel",
        Status::Product => "rejected_product",
        Status::Format => "rejected_format",
        Status::Other(_) => "rejected_other",
    }
}

#[cfg(test)]
#[path = "pillar_tests.rs"]
mod tests;
