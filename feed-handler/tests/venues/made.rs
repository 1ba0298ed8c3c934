//! Sessions of all protocols, as files, with what should be found in them.

use crate::support::Scratch;
use feed_common::wire::ProtocolName;
use feed_replay::output::PcapSink;
use feed_replay::synth::{Protocol, Recording, Row, Spec, Summary, expected_book};
use std::net::SocketAddrV4;

/// A made session.
pub struct Made {
    pub spec: Spec,
    pub session: Recording,
    pub summary: Summary,
}

/// How much of a book a feed says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// All orders.
    Orders,
    /// All price levels, without the number of their orders.
    Totals,
    /// So many levels, with the number of their orders.
    Slots(u32),
    /// The best levels, without the number of their orders.
    Quotes,
}

impl Made {
    /// Three sessions of every protocol: the usual one; few instruments in short packets; one that is hardly more than
    /// its beginning. The seed makes them anew.
    pub fn all(seed: u64) -> impl Iterator<Item = Made> {
        Protocol::ALL
            .iter()
            .flat_map(move |&protocol| Self::sessions(protocol, seed))
    }

    fn sessions(protocol: Protocol, seed: u64) -> [Made; 3] {
        let usual = Spec::new(protocol, 20_000, seed);
        let narrow = Spec {
            symbols: 5,
            payload_limit: 600,
            rate: 5_000,
            breaker: true,
            ..Spec::new(protocol, 20_000, seed + 1)
        };
        let short = Spec {
            symbols: 3,
            ..Spec::new(protocol, 150 + seed % 100, seed + 2)
        };
        [usual, narrow, short].map(Made::of)
    }

    /// The session of a specification.
    pub fn of(spec: Spec) -> Made {
        let (session, summary) = Recording::of(&spec).unwrap();
        Made {
            spec,
            session,
            summary,
        }
    }

    /// What it is, for messages of tests.
    pub fn what(&self) -> String {
        let Spec {
            protocol,
            messages,
            seed,
            ..
        } = self.spec;
        format!("{protocol:?}, {messages} messages, seed {seed}")
    }

    /// Packets with messages in them.
    pub fn data_packets(&self) -> u64 {
        self.session.packets().filter(|p| p.messages > 0).count() as u64
    }

    /// A capture of it, on as many lines as there are groups.
    pub fn capture(&self, groups: &[SocketAddrV4]) -> Vec<u8> {
        use feed_replay::synth::PacketSink;
        let mut sink = PcapSink::lines(Vec::new(), groups).unwrap();
        for packet in self.session.packets() {
            sink.packet(packet.time, packet.payload).unwrap();
        }
        sink.finish().unwrap()
    }

    /// The same as a file.
    pub fn file(&self, scratch: &Scratch, groups: &[SocketAddrV4]) -> String {
        scratch.file("session.pcap", self.capture(groups))
    }

    /// What the feed says of the market's books; `None` where there is no market.
    pub fn says(&self) -> Option<Says> {
        let protocol = self.spec.protocol;
        match (protocol.name().name(), protocol.feed()) {
            ("native", _) => None,
            ("iex", "tops") => Some(Says::Quotes),
            ("iex", "deep") => Some(Says::Totals),
            ("mdp3", feed) if feed != "mbo" => Some(Says::Slots(10)),
            _ => Some(Says::Orders),
        }
    }

    /// What `book --format csv` prints.
    pub fn book(&self) -> Option<String> {
        let says = self.says()?;
        let depth = match says {
            Says::Orders | Says::Totals => usize::MAX,
            Says::Slots(n) => n as usize,
            Says::Quotes => 1,
        };
        let mut text = format!("{}\n", Row::HEADER);
        for row in expected_book(&self.spec, depth).unwrap() {
            let row = row.to_string();
            let counted = matches!(says, Says::Orders | Says::Slots(_));
            let end = if counted {
                row.len()
            } else {
                row.rfind(',').unwrap() + 1
            };
            text.push_str(&row[..end]);
            text.push('\n');
        }
        Some(text)
    }

    /// Its protocol.
    pub fn protocol(&self) -> ProtocolName {
        self.spec.protocol.name()
    }
}
