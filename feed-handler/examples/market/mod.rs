//! What the examples have in common: an exchange on this machine, the plan of a handler that listens to it, and a strategy
//! that does not care how records reach it.

use feed_common::event::{Kind, Price, Record, Trust};
use feed_common::wire::ProtocolName;
use feed_handler::book::BookLimits;
use feed_handler::config::{BookPlan, ChannelPlan, LanePlan, LinePlan, Plan};
use feed_handler::net::LineAddress;
use feed_replay::synth::{Protocol, Recording, Spec};
use std::error::Error;
use std::net::{SocketAddrV4, UdpSocket};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

/// Messages of the exchange's session; the same seed gives the same.
const MESSAGES: u64 = 20_000;
const SEED: u64 = 7;

/// Instruments there can be.
pub const INSTRUMENTS: usize = 256;

/// A session of ITCH 5.0 and where it is sent to: a port of this machine.
pub struct Exchange {
    session: Recording,
    pub line: SocketAddrV4,
    pub messages: u64,
}

impl Exchange {
    pub fn new() -> Result<Exchange, Box<dyn Error>> {
        let (session, made) = Recording::of(&Spec::new(Protocol::Itch50, MESSAGES, SEED))?;
        let free = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
        Ok(Exchange {
            session,
            line: format!("127.0.0.1:{}", free.port()).parse()?,
            messages: made.messages,
        })
    }

    /// What the line's socket listens to. A real one is a multicast group and names the interface that it is joined on.
    pub fn address(&self) -> LineAddress {
        LineAddress {
            group: self.line,
            interface: None,
            source: None,
        }
    }

    /// One lane with one channel of one line: as the smallest configuration file would have it.
    #[allow(dead_code)] // an example that builds its own lane has no plan
    pub fn plan(&self) -> Plan {
        let line = LinePlan {
            name: "A".into(),
            address: self.address(),
            retransmission: false,
        };
        let channel = ChannelPlan::new("itch", vec![line]);
        let lane = LanePlan::new("lane", ProtocolName::Itch50, vec![channel]);
        Plan {
            book: books(),
            publish_slots: 1 << 17,
            ..Plan::new(vec![lane])
        }
    }

    /// Sends the session, slowly enough for any machine.
    pub fn open(self) -> Result<JoinHandle<()>, Box<dyn Error>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        Ok(spawn(move || {
            for (i, packet) in self.session.packets().enumerate() {
                // Whoever does not listen any more has what it wanted.
                let _ = socket.send_to(packet.payload, self.line);
                if i % 16 == 15 {
                    sleep(Duration::from_millis(1));
                }
            }
        }))
    }
}

/// Small books: their memory is taken when the lane is made.
pub fn books() -> BookPlan {
    let limits = BookLimits {
        orders: 1 << 15,
        levels: 1 << 15,
        instruments: INSTRUMENTS,
    };
    BookPlan {
        limits,
        ..BookPlan::default()
    }
}

/// An order that the strategy would send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub instrument: u32,
    pub buy: bool,
    pub price: Price,
}

#[derive(Clone, Copy, Debug, Default)]
struct Top {
    bid: (Price, u32),
    lots: i32,
}

/// Leans with the queue: buys at the offer where far more is bid than offered, sells at the bid where it is the other way
/// round, one lot either way. Its memory is taken when it is made, so it may be called inside a lane.
pub struct Leaning {
    tops: Box<[Top]>,
    pub quotes: u64,
    pub orders: u64,
}

impl Leaning {
    /// How many times the other side one side has to be.
    const FAR_MORE: u64 = 4;

    pub fn new() -> Leaning {
        Leaning {
            tops: vec![Top::default(); INSTRUMENTS].into(),
            quotes: 0,
            orders: 0,
        }
    }

    /// Best prices come as a bid and the offer that closes it. What cannot be trusted is not acted on.
    #[inline]
    pub fn hear(&mut self, record: &Record) -> Option<Order> {
        let instrument = record.instrument.get();
        let top = self.tops.get_mut(instrument as usize)?;
        let (price, quantity) = (Price(record.data.price.get()), record.data.quantity.get());
        match Kind(record.data.kind) {
            Kind::BID => {
                top.bid = (price, quantity);
                None
            }
            Kind::OFFER => {
                self.quotes += 1;
                let (bid, bids) = (top.bid.0, u64::from(top.bid.1));
                let offers = u64::from(quantity);
                let whole = bid.is_some() && price.is_some() && Trust(record.trust) == Trust::VALID;
                let (buy, at) = match whole {
                    true if bids >= Leaning::FAR_MORE * offers && top.lots < 1 => (true, price),
                    true if offers >= Leaning::FAR_MORE * bids && top.lots > -1 => (false, bid),
                    _ => return None,
                };
                top.lots += if buy { 1 } else { -1 };
                self.orders += 1;
                Some(Order {
                    instrument,
                    buy,
                    price: at,
                })
            }
            _ => None,
        }
    }
}
