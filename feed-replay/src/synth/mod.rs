//! Makes trading sessions from a seed. The same specification gives the same bytes on every machine: integer
//! arithmetic only, one pseudo-random generator ([`rng`]), nothing that depends on hashing, time or threads.
//!
//! A session is produced as it is written, so memory holds the live orders and one packet, however long it is.

pub mod arrivals;
mod instruments;
mod itch;
mod mix;
mod native;
mod packer;
mod recording;
pub mod rng;

use feed_common::time::{CivilDate, UnixNanos, Zone};
use packer::{MoldFramer, Packer};
use std::collections::BTreeMap;
use std::io;

pub use arrivals::Bursts;
pub use mix::Mix;
pub use recording::{Recorded, Recording};

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
    /// What the order flow of an ITCH session is made of.
    pub mix: Mix,
    /// Instruments of an ITCH session that are halted for news or paused for volatility, in turn, and reopened. A
    /// short session has fewer.
    pub halts: u32,
    /// Whether the market-wide circuit breaker halts all instruments of an ITCH session once; a session too short for
    /// that has none.
    pub breaker: bool,
    /// Day of the session.
    pub date: CivilDate,
    /// Largest UDP payload in bytes.
    pub payload_limit: usize,
}

/// The protocols that can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Nasdaq TotalView-ITCH 5.0 over MoldUDP64.
    Itch50,
    /// Our own batches of quotes and trades.
    Native(Layout),
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

    /// The lowest payload limit: every packet header with the longest message fits.
    const PAYLOAD_LIMIT_MIN: usize = 128;

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
        if !(Self::PAYLOAD_LIMIT_MIN..=65_507).contains(&self.payload_limit) {
            return wrong(format!(
                "the payload limit must be from {} to 65507 bytes",
                Self::PAYLOAD_LIMIT_MIN
            ));
        }
        Ok(())
    }
}

/// Takes packets as they are made: a capture writer, a list, a socket.
pub trait PacketSink {
    /// One UDP payload, seen on the wire at `time`. Times never go back.
    fn packet(&mut self, time: UnixNanos, payload: &[u8]) -> io::Result<()>;
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
    match spec.protocol {
        Protocol::Itch50 => {
            let mut packer = Packer::new(spec, MoldFramer::new(spec), sink);
            let mut summary = itch::session(spec, &mut packer)?;
            (summary.packets, summary.bytes) = packer.finish()?;
            Ok(summary)
        }
        Protocol::Native(layout) => {
            let mut packer = Packer::new(spec, native::BatchFramer::new(spec, layout), sink);
            let mut summary = native::session(spec, &mut packer)?;
            (summary.packets, summary.bytes) = packer.finish()?;
            Ok(summary)
        }
    }
}

/// Makes a session as bare messages, for framings without packets.
pub fn generate_messages(
    spec: &Spec,
    sink: &mut dyn MessageSink,
) -> Result<Summary, GenerateError> {
    spec.check()?;
    match spec.protocol {
        Protocol::Itch50 => Ok(itch::session(spec, sink)?),
        Protocol::Native(_) => Err(GenerateError::Spec(
            "native batches are packets; they have no framing as bare messages".into(),
        )),
    }
}
