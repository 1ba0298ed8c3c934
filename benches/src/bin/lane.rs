//! One lane to completion, without its sockets: nanoseconds from a packet's arrival in user space to its last record
//! in the broadcast ring, ten ITCH messages a packet, and what of it is spent measuring.
//!
//! Packets are handed out one and 32 a poll, from one line and from two that carry the same. `off` is the lane with no
//! probe, `on` with the recorder of a run. Rounds are interleaved and the medians compared.
//!
//! ```text
//! cargo run --release -p benches --bin lane [-- PACKETS [ROUNDS]]
//! ```

use benches::{MIDNIGHT, arguments, decoder};
use feed_common::event::Record;
use feed_common::latency::cost::Cost;
use feed_common::latency::recorder;
use feed_common::latency::{NoProbe, Probe, Resolution};
use feed_common::packet::{Packet, PacketBatch, PacketSource, RxError, RxMeta};
use feed_common::ring::broadcast;
use feed_common::time::Clock;
use feed_common::wire::moldudp64::PacketBuilder;
use feed_handler::pipeline::{ChannelSetup, Lane, LaneTime, SessionDay};
use feed_handler::protocol::itch50::Itch50;
use feed_handler::publish::Records;
use feed_handler::transport::MoldFraming;
use feed_replay::synth::{MessageSink, Protocol, Spec, generate_messages};
use std::io;
use std::time::Instant;

/// Messages of a packet.
const MESSAGES: usize = 10;
/// Records of the ring, as a lane has them by default.
const SLOTS: usize = 1 << 16;

fn main() {
    let mut arguments = arguments();
    let packets = arguments.next().unwrap_or(50_000);
    let rounds = arguments.next().unwrap_or(15);
    let session = Session::new(packets);
    let clock = Clock::new();

    let shapes = [(1, 1), (32, 1), (1, 2), (32, 2)];
    let mut figures = vec![[const { Vec::new() }; 2]; shapes.len()];
    for round in 0..=rounds {
        for (figure, (poll, lines)) in figures.iter_mut().zip(shapes) {
            let off = session.run(&clock, poll, lines, NoProbe);
            let recorder = recorder::pair(Resolution::default(), clock.clone()).0;
            let on = session.run(&clock, poll, lines, recorder);
            // The first round warms what can be warmed.
            if round > 0 {
                figure[0].push(off);
                figure[1].push(on);
            }
        }
    }
    println!("instruments alone: {}", Cost::measure(&clock));
    println!("{packets} packets of {MESSAGES} messages a line, {rounds} rounds; ns a packet");
    println!(
        "{:>8} {:>6} {:>8} {:>8} {:>8}",
        "a poll", "lines", "off", "on", "least on"
    );
    for (figure, (poll, lines)) in figures.iter_mut().zip(shapes) {
        let [off, on] = figure.each_mut().map(|f| {
            f.sort_by(f64::total_cmp);
            f[rounds / 2]
        });
        println!("{poll:8} {lines:6} {off:8.1} {on:8.1} {:8.1}", figure[1][0]);
    }
}

/// A session's packets, back to back.
struct Session {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Session {
    fn new(packets: usize) -> Session {
        struct Sink(Session, PacketBuilder, usize);
        impl MessageSink for Sink {
            fn message(&mut self, _time: u64, message: &[u8]) -> io::Result<()> {
                assert!(self.1.push(message), "ten messages fit a packet");
                self.2 += 1;
                if self.2 == MESSAGES {
                    self.0.bytes.extend_from_slice(self.1.payload());
                    self.0.ends.push(self.0.bytes.len());
                    self.1.clear();
                    self.2 = 0;
                }
                Ok(())
            }
        }
        let empty = Session {
            bytes: Vec::new(),
            ends: Vec::new(),
        };
        let spec = Spec {
            rate: 1_000_000,
            ..Spec::new(Protocol::Itch50, (packets * MESSAGES) as u64, 3)
        };
        let mut sink = Sink(empty, PacketBuilder::new(*b"BENCH     ", 1, 1472), 0);
        generate_messages(&spec, &mut sink).expect("a session that can be made");
        sink.0
    }

    /// Nanoseconds a packet through a new lane.
    fn run<R: Probe>(&self, clock: &Clock, poll: usize, lines: u16, probe: R) -> f64 {
        let setup = ChannelSetup {
            name: "itch".into(),
            number: 0,
            lines: lines.into(),
            window_nanos: 1_000_000,
            stash_slots: 16,
            stash_slot_bytes: 2048,
            day: SessionDay::Midnight(MIDNIGHT),
        };
        let channel = (setup, MoldFraming, decoder());
        let time = LaneTime::Received(clock.scale());
        let ring = Records::new(broadcast::<Record>(SLOTS).expect("memory"), 1);
        let mut lane = Lane::<Itch50, _, R>::new(vec![channel], time, 0, ring, probe);
        let mut source = Polls {
            session: self,
            clock,
            metas: vec![RxMeta::default(); poll],
            first: 0,
            lines: lines.into(),
        };
        let start = Instant::now();
        while lane.step(&mut source).is_ok() {}
        let took = start.elapsed().as_nanos() as f64;
        assert_eq!(lane.messages() as usize, self.ends.len() * MESSAGES);
        took / (self.ends.len() * usize::from(lines)) as f64
    }

    fn packet(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.bytes[start..self.ends[i]]
    }
}

/// Hands the session out, each packet once a line.
struct Polls<'s> {
    session: &'s Session,
    clock: &'s Clock,
    metas: Vec<RxMeta>,
    first: usize,
    lines: usize,
}

impl PacketSource for Polls<'_> {
    type Batch<'a>
        = Poll<'a>
    where
        Self: 'a;

    fn poll(&mut self) -> Result<Poll<'_>, RxError> {
        let first = self.first;
        let n = self
            .metas
            .len()
            .min(self.session.ends.len() * self.lines - first);
        if n == 0 {
            return Err(RxError::End);
        }
        let rx = self.clock.now();
        for (i, meta) in self.metas[..n].iter_mut().enumerate() {
            meta.rx = rx;
            meta.line = ((first + i) % self.lines) as u16;
        }
        self.first += n;
        Ok(Poll {
            session: self.session,
            metas: &self.metas[..n],
            first,
            lines: self.lines,
        })
    }
}

struct Poll<'a> {
    session: &'a Session,
    metas: &'a [RxMeta],
    first: usize,
    lines: usize,
}

impl PacketBatch for Poll<'_> {
    fn len(&self) -> usize {
        self.metas.len()
    }

    fn get(&self, i: usize) -> Packet<'_> {
        Packet {
            meta: &self.metas[i],
            bytes: self.session.packet((self.first + i) / self.lines),
        }
    }
}
