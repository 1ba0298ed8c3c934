//! A request server of NYSE Pillar: asked over a connection, it answers to a group, for everybody who listens there.
//!
//! It knows a message from the moment it is sent on the lines. Like all servers it owns no socket: connections are
//! handed what came, and what is to go to the group is asked for. Refreshes and symbol mappings it does not have, and
//! rejects requests for them as of a type it does not know.

use super::history::History;
use super::server::{Again, ServerCounts, StreamConnection, StreamServer};
use crate::fault::ServerFaults;
use crate::synth::rng::{Rng, splitmix64};
use feed_common::wire::pillar::{
    Flag, Header, MAX_PACKET, MAX_REQUESTED, Message, MessageUnavailable, PacketBuilder,
    PacketStream, RequestPacket, RequestResponse, RetransmissionRequest, SourceId, Status,
    messages, parse,
};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zerocopy::{FromZeros, IntoBytes};

const SECOND: u64 = 1_000_000_000;

/// What a server gives at most, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PillarLimits {
    /// Messages of one request; more are rejected.
    pub messages: u32,
    /// Requests until the end; 0 without limit.
    pub requests: u32,
    /// How many of the newest messages it keeps; 0 for all.
    pub keep: u64,
    /// Bytes of a packet of an answer.
    pub payload: usize,
    /// The product that it answers for.
    pub product_id: u8,
    /// The product's channel.
    pub channel_id: u8,
}

impl Default for PillarLimits {
    /// The specification's, of everything, for channel 1 of the NYSE Integrated Feed.
    fn default() -> PillarLimits {
        PillarLimits {
            messages: MAX_REQUESTED,
            requests: 5_000,
            keep: 0,
            payload: MAX_PACKET,
            product_id: 11,
            channel_id: 1,
        }
    }
}

/// The server.
///
/// What it does follows from its faults, the seed, and the requests with their times; each kind of fault draws from
/// numbers of its own, once for every request that could be answered. Connections share all of it.
#[derive(Debug)]
pub struct PillarServer(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    history: Arc<History>,
    limits: PillarLimits,
    faults: ServerFaults,
    refusals: Rng,
    delays: Rng,
    errors: Rng,
    closings: Rng,
    losses: Rng,
    counts: ServerCounts,
    /// What is to go to the group, by its time.
    answers: BinaryHeap<Reverse<Answer>>,
    /// Answers so far: their order where times are equal.
    answered: u64,
    /// When the group is told next that there is somebody.
    beat: u64,
    /// Connections so far, and which is the newest of each source id.
    connections: u64,
    clients: VecDeque<(SourceId, u64)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Answer {
    at: u64,
    place: u64,
    packet: Vec<u8>,
}

/// What becomes of a request on its connection.
enum Said {
    Response(u64, Status),
    Garbage,
    Close,
}

impl PillarServer {
    /// Between two heartbeats to the group.
    const BEAT: u64 = SECOND;
    /// Between two heartbeats on a connection, and how long the answer to one may take.
    const CONNECTION_BEAT: u64 = 60 * SECOND;
    const ALIVE: u64 = 5 * SECOND;
    /// Most packets that wait for their time.
    const WAITING_MAX: usize = 16_384;
    /// Source ids that are told apart.
    const CLIENTS_MAX: usize = 64;

    /// A server for a session of Pillar; of any other it knows no message.
    pub fn new(
        history: Arc<History>,
        limits: PillarLimits,
        faults: &ServerFaults,
        seed: u64,
    ) -> PillarServer {
        let rng = |kind: u64| Rng::new(splitmix64(seed).wrapping_add(kind));
        PillarServer(Arc::new(Mutex::new(Shared {
            history,
            limits,
            faults: faults.clone(),
            refusals: rng(1),
            delays: rng(2),
            errors: rng(3),
            closings: rng(4),
            losses: rng(5),
            counts: ServerCounts::default(),
            answers: BinaryHeap::new(),
            answered: 0,
            beat: 0,
            connections: 0,
            clients: VecDeque::new(),
        })))
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StreamServer for PillarServer {
    fn connect(&mut self, now: u64) -> Box<dyn StreamConnection> {
        let mut shared = lock(&self.0);
        shared.connections += 1;
        Box::new(Connection {
            shared: Arc::clone(&self.0),
            number: shared.connections,
            stream: PacketStream::new(),
            source: None,
            sent: 0,
            said: VecDeque::new(),
            beat: now.saturating_add(PillarServer::CONNECTION_BEAT),
            alive_by: u64::MAX,
            closed: false,
        })
    }

    fn datagrams(&mut self, now: u64, send: &mut dyn FnMut(&[u8])) -> u64 {
        let mut shared = lock(&self.0);
        while shared.answers.peek().is_some_and(|next| next.0.at <= now)
            && let Some(Reverse(answer)) = shared.answers.pop()
        {
            send(&answer.packet);
        }
        if now >= shared.beat {
            shared.beat = now.saturating_add(PillarServer::BEAT);
            if let Some(heartbeat) = shared.history.pillar_heartbeat(now) {
                send(heartbeat.as_bytes());
            }
        }
        let next = shared.answers.peek().map_or(u64::MAX, |next| next.0.at);
        next.min(shared.beat)
    }

    /// By requests: `other_session` counts those of another product or channel.
    fn counts(&self) -> ServerCounts {
        lock(&self.0).counts
    }
}

impl Shared {
    fn request(&mut self, request: &RetransmissionRequest, now: u64) -> Said {
        self.counts.requests += 1;
        let numbers = match self.admit(request, now) {
            Ok(numbers) => numbers,
            Err(status) => {
                *match status {
                    Status::Product | Status::Channel => &mut self.counts.other_session,
                    Status::RangeTooLarge | Status::DailyRequests => &mut self.counts.limited,
                    Status::TooOld => &mut self.counts.unknown,
                    _ => &mut self.counts.malformed,
                } += 1;
                return Said::Response(now, status);
            }
        };
        // All are drawn, whatever comes of them.
        let refused = self.faults.refuse.happens(&mut self.refusals);
        if self.faults.close.happens(&mut self.closings) {
            self.counts.closed += 1;
            return Said::Close;
        }
        if refused {
            self.counts.refused += 1;
            return Said::Response(now, Status::DailyRequests);
        }
        let at = now.saturating_add(self.faults.late.draw(&mut self.delays));
        let wrong = self.faults.wrong.happens(&mut self.errors);
        let random = self.errors.next_u64();
        self.counts.answered += 1;
        self.counts.late += u64::from(at > now);
        if wrong {
            self.counts.wrong += 1;
            return self.wrong(numbers, now, at, random);
        }
        self.answer(numbers, now, at);
        Said::Response(at, Status::Accepted)
    }

    /// The numbers to answer with, or why it does not.
    fn admit(&mut self, request: &RetransmissionRequest, now: u64) -> Result<Range<u64>, Status> {
        let PillarLimits {
            messages,
            requests,
            keep,
            product_id,
            channel_id,
            ..
        } = self.limits;
        let (begin, end) = (request.begin_seq.get(), request.end_seq.get());
        let numbers = u64::from(begin)..u64::from(end) + 1;
        if request.product_id != product_id {
            return Err(Status::Product);
        }
        if request.channel_id != channel_id {
            return Err(Status::Channel);
        }
        if begin == 0 || end < begin {
            return Err(Status::Format);
        }
        if numbers.end - numbers.start > messages.into() {
            return Err(Status::RangeTooLarge);
        }
        if requests > 0 && self.counts.answered + self.counts.refused >= requests.into() {
            return Err(Status::DailyRequests);
        }
        let reached = self.history.reached(now);
        let oldest = match keep {
            0 => self.history.begin(),
            keep => reached.saturating_sub(keep).max(self.history.begin()),
        };
        if numbers.start < oldest {
            return Err(Status::TooOld);
        }
        Ok(numbers)
    }

    /// Sends what there is of these numbers from `at` on, and says what there is not.
    fn answer(&mut self, numbers: Range<u64>, now: u64, at: u64) {
        let (packets, behind) = self.packets(numbers.clone(), now);
        let mut at = at;
        for packet in packets {
            self.send(at, packet);
            at = at.saturating_add(self.faults.trickle);
        }
        if behind < numbers.end {
            let unavailable = MessageUnavailable {
                begin_seq: (behind as u32).into(),
                end_seq: ((numbers.end - 1) as u32).into(),
                product_id: self.limits.product_id,
                channel_id: self.limits.channel_id,
                ..MessageUnavailable::new()
            };
            let mut packet = PacketBuilder::new(behind as u32, MAX_PACKET);
            packet.push(unavailable.as_bytes());
            let time = self.history.pillar_time(now).unwrap_or(0);
            let packet = packet.payload(Flag::UNAVAILABLE, time).to_vec();
            self.send(at, packet);
        }
    }

    /// The packets of these messages as far as they have been sent, and the number behind them. Numbers of requests
    /// have 32 bits.
    fn packets(&self, numbers: Range<u64>, now: u64) -> (Vec<Vec<u8>>, u64) {
        let end = numbers.end.min(self.history.reached(now));
        let time = self.history.pillar_time(now).unwrap_or(0);
        let limit = self.limits.payload;
        let wanted = usize::try_from(end.saturating_sub(numbers.start)).unwrap_or(usize::MAX);
        let mut left = self.history.messages(numbers.start).take(wanted).peekable();
        let mut packets: Vec<Vec<u8>> = Vec::new();
        let mut next = numbers.start;
        while left.peek().is_some() {
            let mut packet = PacketBuilder::new(next as u32, MAX_PACKET);
            let fits = |packet: &PacketBuilder, message: &[u8]| {
                packet.is_empty()
                    || (self.faults.trickle == 0 && packet.len() + message.len() <= limit)
            };
            let before = next;
            while let Some(message) = left.peek()
                && fits(&packet, message)
                && packet.push(message)
            {
                next += 1;
                left.next();
            }
            if next == before {
                break; // longer than any packet
            }
            packets.push(packet.payload(Flag::RETRANSMISSION_PART, time).to_vec());
        }
        if let [only] = &mut packets[..] {
            only[2] = Flag::RETRANSMISSION.0;
        }
        (packets, next)
    }

    /// A wrong answer: messages that nobody asked for, cut short, garbage, or garbage on the connection.
    fn wrong(&mut self, numbers: Range<u64>, now: u64, at: u64, random: u64) -> Said {
        let mut rng = Rng::new(random);
        let (begin, reached) = (self.history.begin(), self.history.reached(now));
        let count = numbers.end - numbers.start;
        match rng.below(4) {
            0 => {
                let first = begin + rng.below((reached - begin).max(1));
                let (packets, _) = self.packets(first..first.saturating_add(count), now);
                packets.into_iter().for_each(|packet| self.send(at, packet));
            }
            1 => {
                for mut packet in self.packets(numbers, now).0 {
                    packet.truncate(rng.below(packet.len() as u64) as usize);
                    self.send(at, packet);
                }
            }
            2 => {
                let length = rng.between(0, 200);
                let garbage = (0..length).map(|_| rng.next_u64() as u8).collect();
                self.send(at, garbage);
            }
            _ => return Said::Garbage,
        }
        Said::Response(at, Status::Accepted)
    }

    fn send(&mut self, at: u64, packet: Vec<u8>) {
        if self.faults.loss.happens(&mut self.losses)
            || self.answers.len() == PillarServer::WAITING_MAX
        {
            self.counts.lost += 1;
            return;
        }
        self.counts.packets += 1;
        self.counts.bytes += packet.len() as u64;
        self.counts.messages += parse(&packet).map_or(0, |(header, _)| header.number_msgs.into());
        let place = self.answered;
        self.answered += 1;
        self.answers.push(Reverse(Answer { at, place, packet }));
    }

    /// A connection has said who it is: an older one of the same is over.
    fn known(&mut self, source: SourceId, number: u64) {
        self.clients.retain(|(other, _)| *other != source);
        if self.clients.len() == PillarServer::CLIENTS_MAX {
            self.clients.pop_front();
        }
        self.clients.push_back((source, number));
    }

    /// True when a newer connection has the same source id.
    fn replaced(&self, source: SourceId, number: u64) -> bool {
        let newest = self.clients.iter().find(|(other, _)| *other == source);
        newest.is_some_and(|&(_, newest)| newest > number)
    }
}

/// A client's connection.
struct Connection {
    shared: Arc<Mutex<Shared>>,
    number: u64,
    stream: PacketStream,
    source: Option<SourceId>,
    /// Number of the packet that was sent last.
    sent: u32,
    /// What is to be said, each at its time.
    said: VecDeque<(u64, Vec<u8>)>,
    /// When a heartbeat is sent, and when the answer to one must have come.
    beat: u64,
    alive_by: u64,
    closed: bool,
}

impl Connection {
    /// Most responses that wait for their time: a client that asks for more is left.
    const WAITING_MAX: usize = 1_024;

    fn packet(&mut self, packet: &[u8], now: u64) {
        let Ok((&Header { seq_num, .. }, _)) = parse(packet) else {
            self.closed = true;
            return;
        };
        for message in messages(packet).into_iter().flatten() {
            match message {
                Message::HeartbeatResponse(alive) => {
                    self.is(alive.source_id);
                    self.alive_by = u64::MAX;
                }
                Message::RetransmissionRequest(request) => {
                    self.is(request.source_id);
                    let said = lock(&self.shared).request(request, now);
                    match said {
                        Said::Close => self.closed = true,
                        Said::Garbage => self.say(now, b"\x03\0what is this?".to_vec()),
                        Said::Response(at, status) => {
                            self.respond(request, seq_num.get(), at, status)
                        }
                    }
                }
                _ => {
                    let mut shared = lock(&self.shared);
                    shared.counts.requests += 1;
                    shared.counts.malformed += 1;
                    drop(shared);
                    let request = RetransmissionRequest::new_zeroed();
                    self.respond(&request, seq_num.get(), now, Status::Format);
                }
            }
        }
    }

    fn is(&mut self, source: SourceId) {
        if self.source.replace(source) != Some(source) {
            lock(&self.shared).known(source, self.number);
        }
    }

    fn respond(&mut self, request: &RetransmissionRequest, number: u32, at: u64, status: Status) {
        let response = RequestResponse {
            request_seq_num: number.into(),
            begin_seq: request.begin_seq,
            end_seq: request.end_seq,
            source_id: self.source.unwrap_or_default(),
            product_id: request.product_id,
            channel_id: request.channel_id,
            status: status.code(),
            ..RequestResponse::new()
        };
        self.sent = self.sent.wrapping_add(1);
        let packet = RequestPacket::response(&response, self.sent, 0);
        self.say(at, packet.as_bytes().to_vec());
    }

    fn say(&mut self, at: u64, bytes: Vec<u8>) {
        self.closed |= self.said.len() == Self::WAITING_MAX;
        // Later ones wait for earlier ones: what is said has an order.
        let at = self.said.back().map_or(at, |&(last, _)| at.max(last));
        self.said.push_back((at, bytes));
    }
}

impl StreamConnection for Connection {
    fn heard(&mut self, mut bytes: &[u8], now: u64) {
        while !bytes.is_empty() && !self.closed {
            bytes = &bytes[self.stream.fill(bytes)..];
            loop {
                match self.stream.next() {
                    Ok(None) => break,
                    Ok(Some(packet)) => {
                        let packet = packet.to_vec();
                        self.packet(&packet, now);
                    }
                    Err(_) => {
                        self.closed = true;
                        break;
                    }
                }
            }
        }
    }

    fn poll(&mut self, now: u64, room: usize, out: &mut Vec<u8>) -> Again {
        let replaced = |source| lock(&self.shared).replaced(source, self.number);
        if self.closed || now >= self.alive_by || self.source.is_some_and(replaced) {
            return Again::Close;
        }
        if now >= self.beat {
            self.beat = now.saturating_add(PillarServer::CONNECTION_BEAT);
            self.alive_by = now.saturating_add(PillarServer::ALIVE);
            self.sent = self.sent.wrapping_add(1);
            let beat = PacketBuilder::new(self.sent, MAX_PACKET).heartbeat(0);
            self.say(now, beat.as_bytes().to_vec());
        }
        let mut room = room;
        while let Some((at, bytes)) = self.said.front()
            && *at <= now
            && bytes.len() <= room
        {
            room -= bytes.len();
            out.extend_from_slice(bytes);
            self.said.pop_front();
        }
        // Also whether another has come in its place is looked at now and then.
        let due = self
            .beat
            .min(self.alive_by)
            .min(now.saturating_add(SECOND / 10));
        Again::At(
            self.said
                .front()
                .map_or(due, |&(at, _)| due.min(at.max(now + 1))),
        )
    }
}

#[cfg(test)]
#[path = "pillar_tests.rs"]
mod tests;
