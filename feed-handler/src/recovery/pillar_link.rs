//! The connection to a Pillar request server: made, kept alive, and made again when it is lost.
//!
//! There is no login: whoever is connected may ask, and is known by the source id in each message. The server sends a
//! heartbeat a minute and ends connections that do not answer it. The connection is there before the first request, and
//! as long as it can be had; attempts that fail are ever further apart.

use super::{Heard, Net};
use feed_common::wire::pillar::{
    Flag, Message, PacketStream, RequestPacket, RequestResponse, RetransmissionRequest, SourceId,
    messages, parse,
};

const SECOND: u64 = 1_000_000_000;

/// Packets back to which a response may be about one of ours.
const REMEMBERED: u32 = 1_000;

/// How patient the client is with connections, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PillarTimes {
    /// From beginning to connect until the connection is there.
    pub connect: u64,
    /// Without a whole packet, after which the server is dead. Parts of one are no sign of life.
    pub silence: u64,
    /// From the end of a connection to the next attempt; doubled with each attempt that fails.
    pub retry: u64,
    /// The longest of these waits.
    pub retry_most: u64,
}

impl Default for PillarTimes {
    /// Three seconds, two heartbeats and a half, a quarter of a second, 16 seconds.
    fn default() -> PillarTimes {
        PillarTimes {
            connect: 3 * SECOND,
            silence: 150 * SECOND,
            retry: SECOND / 4,
            retry_most: 16 * SECOND,
        }
    }
}

/// The connection to one of several servers that all have the same.
#[derive(Debug)]
pub(super) struct PillarLink {
    servers: usize,
    source_id: SourceId,
    times: PillarTimes,
    /// Added to `now` it is the time since the epoch.
    epoch: u64,
    stream: PacketStream,
    server: usize,
    state: State,
    /// The wait before the next attempt, should this one fail.
    retry: u64,
    /// Number of the packet that was sent last.
    sent: u32,
    counts: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not to be connected before this time.
    Apart(u64),
    /// Begun then.
    Opening(u64),
    /// Last heard then.
    Open(u64),
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    connections: u64,
    connected: u64,
    server_closed: u64,
    server_silent: u64,
    server_garbage: u64,
    heartbeats: u64,
    unasked: u64,
}

impl PillarLink {
    pub fn new(servers: usize, source_id: SourceId, times: PillarTimes, epoch: u64) -> PillarLink {
        PillarLink {
            servers,
            source_id,
            times,
            epoch,
            stream: PacketStream::new(),
            server: 0,
            state: State::Apart(0),
            retry: times.retry,
            sent: 0,
            counts: Counts::default(),
        }
    }

    /// True when requests can be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Sends a request; the number of its packet. Nothing is sent without a connection.
    pub fn ask(
        &mut self,
        request: &RetransmissionRequest,
        now: u64,
        net: &mut dyn Net,
    ) -> Option<u32> {
        if !self.is_open() {
            return None;
        }
        self.sent = self.sent.wrapping_add(1);
        let packet = RequestPacket::request(request, self.sent, self.epoch.saturating_add(now));
        net.send(self.server, packet.as_bytes());
        Some(self.sent)
    }

    /// True of the numbers of the packets that were sent not long ago.
    pub fn has_sent(&self, number: u32) -> bool {
        self.sent.wrapping_sub(number) < self.sent.min(REMEMBERED)
    }

    /// Takes what a server says; each response to `response`. True when the connection was lost by it.
    pub fn heard(
        &mut self,
        server: usize,
        heard: Heard<'_>,
        now: u64,
        net: &mut dyn Net,
        response: &mut dyn FnMut(&RequestResponse),
    ) -> bool {
        let apart = matches!(self.state, State::Apart(_));
        match (heard, self.state) {
            _ if apart || server != self.server => self.counts.unasked += 1,
            (Heard::Closed, _) => {
                self.counts.server_closed += 1;
                self.end(now);
            }
            (Heard::Opened, State::Opening(_)) => {
                self.counts.connected += 1;
                self.state = State::Open(now);
            }
            (Heard::Bytes(bytes), State::Open(_)) => self.read(bytes, now, net, response),
            (Heard::Opened | Heard::Bytes(_), _) => self.counts.unasked += 1,
        }
        !apart && matches!(self.state, State::Apart(_))
    }

    fn read(
        &mut self,
        mut bytes: &[u8],
        now: u64,
        net: &mut dyn Net,
        response: &mut dyn FnMut(&RequestResponse),
    ) {
        while !bytes.is_empty() {
            bytes = &bytes[self.stream.fill(bytes)..];
            loop {
                let packet = match self.stream.next() {
                    Ok(None) => break,
                    Ok(Some(packet)) => packet,
                    Err(_) => return self.garbage(now, net),
                };
                let Ok((header, _)) = parse(packet) else {
                    return self.garbage(now, net);
                };
                self.state = State::Open(now);
                // Proof that there is somebody: the next attempt may follow soon again.
                self.retry = self.times.retry;
                if header.flag() == Flag::HEARTBEAT {
                    self.counts.heartbeats += 1;
                    self.sent = self.sent.wrapping_add(1);
                    let time = self.epoch.saturating_add(now);
                    let alive = RequestPacket::alive(self.source_id, self.sent, time);
                    net.send(self.server, alive.as_bytes());
                    continue;
                }
                for message in messages(packet).into_iter().flatten() {
                    match message {
                        Message::RequestResponse(said) => response(said),
                        _ => self.counts.unasked += 1,
                    }
                }
            }
        }
    }

    fn garbage(&mut self, now: u64, net: &mut dyn Net) {
        self.counts.server_garbage += 1;
        net.close(self.server);
        self.end(now);
    }

    /// Gives up a server that does not say what it should.
    pub fn give_up(&mut self, now: u64, net: &mut dyn Net) {
        if !matches!(self.state, State::Apart(_)) {
            self.counts.server_silent += 1;
            net.close(self.server);
            self.end(now);
        }
    }

    /// Connects when it is time to, and gives up a server that is silent; true when the connection was lost.
    pub fn poll(&mut self, now: u64, net: &mut dyn Net) -> bool {
        if now < self.due() {
            return false;
        }
        match self.state {
            State::Apart(_) => {
                self.counts.connections += 1;
                self.stream.clear();
                self.state = State::Opening(now);
                net.open(self.server);
                false
            }
            State::Opening(_) | State::Open(_) => {
                self.give_up(now, net);
                true
            }
        }
    }

    /// When it is to be polled again at the latest.
    pub fn due(&self) -> u64 {
        match self.state {
            State::Apart(after) => after,
            State::Opening(at) => at.saturating_add(self.times.connect),
            State::Open(heard) => heard.saturating_add(self.times.silence),
        }
    }

    /// There is no connection any more: the next server is tried in a while.
    fn end(&mut self, now: u64) {
        self.state = State::Apart(now.saturating_add(self.retry));
        self.retry = self.retry.saturating_mul(2).min(self.times.retry_most);
        self.server = (self.server + 1) % self.servers;
    }

    pub fn counters(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.counts;
        [
            ("connections", counts.connections),
            ("connected", counts.connected),
            ("heartbeats_answered", counts.heartbeats),
            ("server_closed", counts.server_closed),
            ("server_silent", counts.server_silent),
            ("server_garbage", counts.server_garbage),
            ("server_unasked", counts.unasked),
        ]
        .into_iter()
    }
}
