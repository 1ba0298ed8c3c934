//! Made sessions on two lossy lines, for the tests of whole lanes. Every loss is known beforehand.

// Each test program uses its part of this.
#![allow(dead_code)]

use feed_common::capture::{CaptureFile, PcapWriter};
use feed_common::time::UnixNanos;
use feed_common::wire::frame::UdpFlow;
use feed_handler::book::BookLimits;
use feed_handler::config::{
    BookPlan, ChannelPlan, LanePlan, LaneThreads, LinePlan, Plan, SessionPlan,
};
use feed_handler::net::{Interface, LineAddress};
use feed_handler::protocol::{self, ForProtocol, with_protocol};
use feed_handler::run::{Handler, Input, Outcome};
use feed_handler::transport::Framing;
use feed_replay::fault::{Line, LossPlan};
use feed_replay::send::Outgoing;
use feed_replay::synth::{Layout, Protocol, Recording, Spec};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Name of the one channel of [`plan`].
pub const CHANNEL: &str = "session";

/// Groups of lines A and B.
pub const GROUPS: [SocketAddrV4; 2] = [
    SocketAddrV4::new(Ipv4Addr::new(239, 192, 60, 1), 26_460),
    SocketAddrV4::new(Ipv4Addr::new(239, 192, 60, 2), 26_460),
];

/// The project's first two protocols, in every arrangement.
pub const PROTOCOLS: [Protocol; 4] = [
    Protocol::Itch50,
    Protocol::Native(Layout::Records),
    Protocol::Native(Layout::Columns),
    Protocol::Native(Layout::Mixed),
];

/// The same, and all that can be made besides.
pub fn everything() -> impl Iterator<Item = Protocol> {
    let others = Protocol::ALL.iter().copied();
    PROTOCOLS
        .into_iter()
        .chain(others.filter(|p| !PROTOCOLS.contains(p)))
}

/// One thread, and two; unpinned.
pub const LAYOUTS: [LaneThreads; 2] = [
    LaneThreads::One { core: None },
    LaneThreads::Two {
        receive_core: None,
        decode_core: None,
    },
];

/// How two lines carry a session.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Packets in 10,000 that each line loses and the other carries.
    pub per_line: u32,
    /// One packet in so many is lost on both; 0 for none.
    pub hole_every: usize,
    /// Line B comes this many nanoseconds later.
    pub skew: u64,
}

/// A session on two lines.
pub struct Feed {
    packets: Vec<Made>,
    carried: Vec<Carried>,
    /// Sequence numbers left out, by line: of messages, or of packets where those are numbered.
    pub left_out: [u64; 2],
    /// What neither line carries: first number and how many.
    pub holes: Vec<(u64, u64)>,
    /// Messages of the session.
    pub messages: u64,
}

/// Whether a protocol's sequence numbers count packets.
struct NumbersPackets;

impl ForProtocol for NumbersPackets {
    type Out = bool;

    fn call<P: protocol::Protocol>(self) -> bool {
        P::Framing::PACKETS
    }
}

struct Made {
    time: UnixNanos,
    payload: Vec<u8>,
}

struct Carried {
    time: UnixNanos,
    line: usize,
    packet: usize,
}

impl Feed {
    /// A session of `messages` messages at 50,000 a second.
    pub fn new(protocol: Protocol, messages: u64, seed: u64, faults: Faults) -> Feed {
        let spec = Spec {
            rate: 50_000,
            ..Spec::new(protocol, messages, seed)
        };
        let (session, _) = Recording::of(&spec).unwrap();
        let losses = LossPlan::of(seed, &session, faults.per_line);
        let last = session
            .packets()
            .enumerate()
            .filter(|(_, p)| p.messages > 0)
            .map(|(i, _)| i)
            .last()
            .unwrap_or(0);
        let mut feed = Feed {
            packets: Vec::new(),
            carried: Vec::new(),
            left_out: [0; 2],
            holes: Vec::new(),
            messages,
        };
        let numbers_packets = with_protocol(protocol.name(), NumbersPackets);
        let mut next = 1;
        for (i, packet) in session.packets().enumerate() {
            let messages = u64::from(packet.messages);
            let count = match numbers_packets {
                true => messages.min(1),
                false => messages,
            };
            let hole = count > 0
                && (1..last).contains(&i)
                && faults.hole_every > 0
                && i % faults.hole_every == 0;
            if hole {
                feed.holes.push((next, count));
            }
            let lost = losses.lost(i as u64, count > 0);
            for (line, name) in [Line::A, Line::B].into_iter().enumerate() {
                if hole || lost == Some(name) {
                    feed.left_out[line] += count;
                } else {
                    let time = UnixNanos(packet.time.0 + line as u64 * faults.skew);
                    feed.carried.push(Carried {
                        time,
                        line,
                        packet: i,
                    });
                }
            }
            feed.packets.push(Made {
                time: packet.time,
                payload: packet.payload.to_vec(),
            });
            next += count;
        }
        feed.carried.sort_by_key(|c| c.time);
        feed
    }

    /// What the lines carry, in order: time, line, payload.
    pub fn carried(&self) -> impl Iterator<Item = (UnixNanos, usize, &[u8])> {
        let payload = |c: &Carried| self.packets[c.packet].payload.as_slice();
        self.carried
            .iter()
            .map(move |c| (c.time, c.line, payload(c)))
    }

    /// The same for a sender.
    pub fn outgoing(&self) -> impl Iterator<Item = Outgoing<&[u8]>> {
        let first = self.packets[0].time;
        self.carried().map(move |(time, line, payload)| Outgoing {
            offset: (time - first) as u64,
            line,
            payload,
        })
    }

    /// A capture of both lines.
    pub fn capture(&self) -> Vec<u8> {
        pcap(self.carried())
    }

    /// A capture of the whole session as line A alone would carry it without losses.
    pub fn lossless(&self) -> Vec<u8> {
        pcap(
            self.packets
                .iter()
                .map(|p| (p.time, 0, p.payload.as_slice())),
        )
    }
}

/// A nanosecond pcap of datagrams to the lines' groups.
pub fn pcap<'a>(packets: impl IntoIterator<Item = (UnixNanos, usize, &'a [u8])>) -> Vec<u8> {
    let source = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 10), 26_400);
    let flows = GROUPS.map(|group| UdpFlow::multicast(source, group));
    let (mut out, mut frame) = (PcapWriter::new(Vec::new()).unwrap(), Vec::new());
    for (i, (time, line, payload)) in packets.into_iter().enumerate() {
        flows[line].encode(payload, i as u16, &mut frame).unwrap();
        out.frame(time, &frame).unwrap();
    }
    out.finish().unwrap()
}

/// A plan with one lane and one channel of lines A and B over `lo`.
pub fn plan(protocol: Protocol, threads: LaneThreads) -> Plan {
    let lines = ["A", "B"].into_iter().zip(GROUPS).map(|(name, group)| {
        let address = LineAddress {
            group,
            interface: Some(Interface::Name("lo".to_owned())),
            source: None,
        };
        let name = name.to_owned();
        LinePlan {
            name,
            address,
            retransmission: false,
        }
    });
    let channel = ChannelPlan {
        // Tests share their cores: a lane that is kept from running between its two lines must not take that for loss.
        reorder_window: Duration::from_millis(100),
        stash_packets: 4096,
        ..ChannelPlan::new(CHANNEL, lines.collect())
    };
    Plan {
        session: SessionPlan {
            date: Some(Spec::new(protocol, 1, 1).date),
            zone: None,
        },
        book: BookPlan {
            limits: BookLimits {
                orders: 1 << 16,
                levels: 1 << 15,
                instruments: 1 << 10,
            },
            ..BookPlan::default()
        },
        ..Plan::new(vec![LanePlan {
            threads,
            // A lane that waits for its core while its packets come has room for a second of them.
            ring_slots: 1 << 15,
            ..LanePlan::new("lane", protocol.name(), vec![channel])
        }])
    }
}

/// Runs a plan over a capture, for at most 30 seconds.
pub fn from_file(plan: &Plan, capture: Vec<u8>) -> Outcome {
    let file = CaptureFile::from_memory("capture", capture).unwrap();
    let handler = Handler::start(plan, &Input::File(Arc::new(file))).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !handler.is_finished() {
        assert!(Instant::now() < deadline, "the file does not end");
        std::thread::sleep(Duration::from_millis(1));
    }
    handler.finish()
}
