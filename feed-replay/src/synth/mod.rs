//! Makes trading sessions from a seed. The same specification gives the same bytes on every machine: integer
//! arithmetic only, one pseudo-random generator ([`rng`]), nothing that depends on hashing, time or threads.
//!
//! A session is produced as it is written, so memory holds the live orders and one packet, however long it is.

pub mod arrivals;
mod iex;
mod instruments;
mod itch;
mod mdp3;
mod memoir;
mod mix;
mod native;
mod packer;
mod pillar;
mod pitch;
mod recording;
pub mod rng;
mod told;

use feed_common::time::{CivilDate, UnixNanos, Zone};
use feed_common::wire::ProtocolName;
use packer::{MoldFramer, Packer};
use std::collections::BTreeMap;
use std::io;
use told::Ledger;

pub use arrivals::Bursts;
pub use mix::Mix;
pub use recording::{Recorded, Recording};
pub use told::Row;

const SECOND: u64 = 1_000_000_000;
/// The open of the market, after midnight in New York.
const OPEN: u64 = (9 * 60 + 30) * 60 * SECOND;

/// What to make.
#[derive(Clone, Debug)]
pub struct Spec {
    /// The exchange's language.
    pub protocol: Protocol,
    /// Messages in all. Below the smallest session of the protocol it is that many.
    pub messages: u64,
    /// Everything random follows from it.
    pub seed: u64,
    /// Instruments at most. A short session has fewer, so that at least half of it is about orders.
    pub symbols: u16,
    /// Messages per second on average.
    pub rate: u64,
    /// How unevenly they arrive.
    pub bursts: Bursts,
    /// What the order flow of the market is made of. Like the next two, of no meaning for native sessions.
    pub mix: Mix,
    /// Instruments that are halted for news or paused for volatility, in turn, and reopened. A short session has fewer.
    pub halts: u32,
    /// Whether the market-wide circuit breaker halts all instruments once; a session too short for that has none.
    pub breaker: bool,
    /// Day of the session.
    pub date: CivilDate,
    /// Largest UDP payload in bytes.
    pub payload_limit: usize,
}

/// The exchanges that tell the ITCH session's market in their own messages, a line each: what it is, which protocol,
/// which of its feeds (empty where there is one), and who tells it. The first feed of a protocol is its usual one.
macro_rules! exchanges {
    ($($(#[$doc:meta])* $exchange:ident = $name:ident $feed:literal, $venue:ty;)*) => {
        /// The protocols that can be made.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Protocol {
            /// Nasdaq TotalView-ITCH 5.0 over MoldUDP64.
            Itch50,
            /// Our own batches of quotes and trades.
            Native(Layout),
            $($(#[$doc])* $exchange,)*
        }

        impl Protocol {
            /// All of them.
            pub const ALL: &'static [Protocol] = &[
                Protocol::Itch50,
                Protocol::Native(Layout::Mixed),
                $(Protocol::$exchange,)*
            ];

            /// What the handler calls it.
            pub const fn name(self) -> ProtocolName {
                match self {
                    Protocol::Itch50 => ProtocolName::Itch50,
                    Protocol::Native(_) => ProtocolName::Native,
                    $(Protocol::$exchange => ProtocolName::$name,)*
                }
            }

            /// Which of several feeds of the protocol; empty where there is one.
            pub const fn feed(self) -> &'static str {
                match self {
                    Protocol::Itch50 | Protocol::Native(_) => "",
                    $(Protocol::$exchange => $feed,)*
                }
            }
        }

        /// Makes a session as packets, and its books where the protocol has any.
        fn make(spec: &Spec, sink: &mut dyn PacketSink) -> io::Result<(Summary, Option<Ledger>)> {
            match spec.protocol {
                Protocol::Itch50 => Ok((itch_packets(spec, sink)?, None)),
                Protocol::Native(layout) => Ok((native_packets(spec, layout, sink)?, None)),
                $(Protocol::$exchange => {
                    let (summary, ledger) = told::session::<$venue>(spec, sink)?;
                    Ok((summary, Some(ledger)))
                })*
            }
        }
    };
}

exchanges! {
    /// IEX DEEP 1.0: price levels and trades.
    IexDeep = Iex "deep", iex::Deep;
    /// IEX TOPS 1.6: best prices and trades.
    IexTops = Iex "tops", iex::Tops;
    /// IEX DEEP+ 1.0: orders.
    IexDeepPlus = Iex "deep+", iex::DeepPlus;
    /// CME MDP 3.0: ten levels of each side, trades, figures; of some instruments all orders.
    Mdp3 = Mdp3 "", mdp3::Mdp3;
    /// Cboe Multicast PITCH of a US equities exchange.
    Pitch = Pitch "", pitch::Pitch;
    /// NYSE Pillar: Integrated Feed.
    Pillar = Pillar "", pillar::Pillar;
    /// MEMX MEMOIR Depth.
    Memoir = Memoir "", memoir::Memoir;
}

impl Protocol {
    /// The feed of a protocol: the usual one unless one is asked for. Why there is none, if so.
    pub fn of(name: ProtocolName, feed: Option<&str>) -> Result<Protocol, String> {
        let feeds = || Self::ALL.iter().copied().filter(|p| p.name() == name);
        let usual = feeds().next();
        let usual = usual.ok_or_else(|| format!("{name} sessions cannot be made"))?;
        let Some(feed) = feed else {
            return Ok(usual);
        };
        if usual.feed().is_empty() {
            return Err(format!("{name} has one feed only: there is none to choose"));
        }
        feeds().find(|p| p.feed() == feed).ok_or_else(|| {
            let names: Vec<_> = feeds().map(Protocol::feed).collect();
            format!("{name} has no feed {feed:?}; it has {}", names.join(", "))
        })
    }
}

/// How native batches lay out their records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Record after record.
    Records,
    /// Field after field.
    Columns,
    /// Now this, now that.
    Mixed,
}

/// The session day when none is asked for.
const DEFAULT_DATE: CivilDate = match CivilDate::new(2026, 11, 20) {
    Ok(date) => date,
    Err(_) => panic!("there is such a day"),
};

impl Spec {
    /// The instant that exchange times count from: midnight in New York.
    pub fn midnight(&self) -> UnixNanos {
        Zone::UsEastern.midnight(self.date)
    }

    /// A session with the usual choices: 100 instruments, 100,000 messages per second with bursts, unfragmented packets.
    pub fn new(protocol: Protocol, messages: u64, seed: u64) -> Spec {
        Spec {
            protocol,
            messages,
            seed,
            symbols: 100,
            rate: 100_000,
            bursts: Bursts::USUAL,
            mix: Mix::USUAL,
            halts: Self::HALTS,
            breaker: false,
            date: DEFAULT_DATE,
            payload_limit: Self::PAYLOAD_LIMIT,
        }
    }

    /// The usual payload limit: what an Ethernet frame of 1500 bytes carries.
    pub const PAYLOAD_LIMIT: usize = 1472;

    /// The usual number of halts.
    pub const HALTS: u32 = 4;

    /// The lowest payload limit: every packet header with the longest message fits. Other exchanges have longer ones.
    fn payload_limit_min(&self) -> usize {
        let short = matches!(self.protocol, Protocol::Itch50 | Protocol::Native(_));
        if short { 128 } else { 512 }
    }

    /// Longest session that fits the trading day, in seconds: 6.5 hours.
    const DAY_SECONDS: u64 = 23_400;

    /// Whether such a session can be made.
    pub fn check(&self) -> Result<(), GenerateError> {
        let wrong = |reason: String| Err(GenerateError::Spec(reason));
        if self.symbols == 0 {
            return wrong("a session needs at least one symbol".into());
        }
        if self.rate == 0 || self.rate > 1_000_000_000 {
            return wrong("the rate must be from 1 to 1000000000 messages per second".into());
        }
        if self.messages.div_ceil(self.rate) > Self::DAY_SECONDS {
            return wrong(format!(
                "{} messages at {} per second do not fit the 6.5 hours of a trading day; the rate must be at least {}",
                self.messages,
                self.rate,
                self.messages.div_ceil(Self::DAY_SECONDS),
            ));
        }
        self.bursts.check().or_else(wrong)?;
        self.mix.check().or_else(wrong)?;
        let least = self.payload_limit_min();
        if !(least..=65_507).contains(&self.payload_limit) {
            return wrong(format!(
                "the payload limit must be from {least} to 65507 bytes"
            ));
        }
        Ok(())
    }
}

/// Takes packets as they are made: a capture writer, a list, a socket.
pub trait PacketSink {
    /// One UDP payload, seen on the wire at `time`. Times never go back.
    fn packet(&mut self, time: UnixNanos, payload: &[u8]) -> io::Result<()>;

    /// The same packet with the number of messages in it, 0 for heartbeats and the end of session, for sinks that count
    /// them.
    fn carrying(&mut self, messages: u16, time: UnixNanos, payload: &[u8]) -> io::Result<()> {
        let _ = messages;
        self.packet(time, payload)
    }
}

impl<F: FnMut(UnixNanos, &[u8]) -> io::Result<()>> PacketSink for F {
    fn packet(&mut self, time: UnixNanos, payload: &[u8]) -> io::Result<()> {
        self(time, payload)
    }
}

/// Takes messages as they are made, before any framing.
pub trait MessageSink {
    /// One message, `time` nanoseconds after midnight at the exchange. Times never go back.
    fn message(&mut self, time: u64, message: &[u8]) -> io::Result<()>;
}

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Messages.
    pub messages: u64,
    /// Packets, heartbeats and the end of session included; 0 without packets.
    pub packets: u64,
    /// UDP payload bytes; without packets, message bytes.
    pub bytes: u64,
    /// Instruments.
    pub symbols: u64,
    /// Messages by type, under the names `stats` uses.
    pub by_type: BTreeMap<String, u64>,
    /// Exchange time of the first message.
    pub first: UnixNanos,
    /// Exchange time of the last message.
    pub last: UnixNanos,
}

/// Why a session was not made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The specification cannot be met; the user has to change it.
    #[error("{0}")]
    Spec(String),
    /// The sink failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Makes a session as packets, with heartbeats in idle stretches and an end-of-session packet.
pub fn generate(spec: &Spec, sink: &mut dyn PacketSink) -> Result<Summary, GenerateError> {
    spec.check()?;
    Ok(make(spec, sink)?.0)
}

fn itch_packets(spec: &Spec, sink: &mut dyn PacketSink) -> io::Result<Summary> {
    let mut packer = Packer::new(spec, MoldFramer::new(spec), sink);
    let mut summary = itch::session(spec, &mut packer)?;
    (summary.packets, summary.bytes) = packer.finish()?;
    Ok(summary)
}

fn native_packets(spec: &Spec, layout: Layout, sink: &mut dyn PacketSink) -> io::Result<Summary> {
    let mut packer = Packer::new(spec, native::BatchFramer::new(spec, layout), sink);
    let mut summary = native::session(spec, &mut packer)?;
    (summary.packets, summary.bytes) = packer.finish()?;
    Ok(summary)
}

/// The books at the end of a session, as the market has them: what a handler's books are compared with. By symbol, then
/// side, best level first, at most `depth` levels of each side; every level with the shares and the number of its orders,
/// also where the protocol would not say them all.
pub fn expected_book(spec: &Spec, depth: usize) -> Result<Vec<Row>, GenerateError> {
    spec.check()?;
    if let Protocol::Native(_) = spec.protocol {
        return Err(GenerateError::Spec(
            "native sessions are of quotes and trades; they have no books".into(),
        ));
    }
    let ledger = match spec.protocol {
        Protocol::Itch50 => {
            let mut ledger = Ledger::default();
            itch::session(spec, &mut ledger)?;
            Some(ledger)
        }
        _ => make(spec, &mut |_: UnixNanos, _: &[u8]| Ok(()))?.1,
    };
    Ok(ledger.map_or_else(Vec::new, |ledger| ledger.rows(depth)))
}

/// Makes a session as bare messages, for framings without packets.
pub fn generate_messages(
    spec: &Spec,
    sink: &mut dyn MessageSink,
) -> Result<Summary, GenerateError> {
    spec.check()?;
    match spec.protocol {
        Protocol::Itch50 => Ok(itch::session(spec, sink)?),
        other => Err(GenerateError::Spec(format!(
            "{} sessions are packets; they have no framing as bare messages",
            other.name()
        ))),
    }
}
