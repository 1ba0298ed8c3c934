//! A session of the native protocol: quotes (a bid and an offer) and trades, in batches.
//!
//! The type of prices (width, sign, byte order, decimals) follows from the seed and holds for the session. Layouts may
//! change from packet to packet. A session begins at the open of the market; it has as many records as asked for, at
//! least 1.

use super::arrivals::Arrivals;
use super::instruments::{TICK, first_price, shuffled, symbol, wander};
use super::packer::{Framer, session_name};
use super::rng::{Rng, Weighted};
use super::{Layout, MessageSink, OPEN, Spec, Summary};
use feed_common::event::{Flags, Kind, MarketData, Price, Side};
use feed_common::prices::{Endian, PriceLayout};
use feed_common::time::UnixNanos;
use feed_common::wire::native::{
    BatchInfo, encode_columns, encode_end_of_session, encode_heartbeat, encode_records,
    encoded_len, records_that_fit,
};
use std::io;
use zerocopy::{FromBytes, IntoBytes};

/// Types of prices that hold every price made here (whole cents up to 2,560 dollars), all of them readable.
const PRICES: [(usize, bool, Endian, u32); 8] = [
    (8, true, Endian::Little, 9),
    (4, true, Endian::Little, 4),
    (4, false, Endian::Little, 4),
    (8, true, Endian::Big, 8),
    (4, false, Endian::Big, 2),
    (8, false, Endian::Little, 6),
    (4, true, Endian::Big, 3),
    (8, true, Endian::Little, 2),
];

/// Native batches.
pub(super) struct BatchFramer {
    session: [u8; 10],
    layout: Layout,
    price: PriceLayout,
    rng: Rng,
    /// Sequence number of the first record waiting.
    sequence: u64,
    records: Vec<MarketData>,
    room: usize,
    out: Vec<u8>,
}

impl BatchFramer {
    pub(super) fn new(spec: &Spec, layout: Layout) -> BatchFramer {
        let mut rng = Rng::new(spec.seed ^ 0x6e61_7469_7665);
        let (width, signed, endian, decimals) = PRICES[rng.below(PRICES.len() as u64) as usize];
        let price = PriceLayout::new(width, signed, endian, decimals);
        let room = records_that_fit(spec.payload_limit, width);
        BatchFramer {
            session: session_name(spec),
            layout,
            price: price.expect("the table holds types that exist"),
            rng,
            sequence: 1,
            records: Vec::with_capacity(room),
            room,
            out: Vec::with_capacity(spec.payload_limit),
        }
    }

    fn info(&self, sent: UnixNanos) -> BatchInfo {
        BatchInfo {
            session: self.session,
            sequence: self.sequence,
            sent,
        }
    }
}

impl Framer for BatchFramer {
    fn push(&mut self, message: &[u8]) -> bool {
        if self.records.len() == self.room {
            return false;
        }
        let record = MarketData::read_from_bytes(message);
        self.records
            .push(record.expect("a native session makes whole records"));
        true
    }

    fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    fn len(&self) -> usize {
        encoded_len(self.records.len(), self.price.width())
    }

    fn take(&mut self, time: UnixNanos) -> &[u8] {
        self.out.clear();
        let info = self.info(time);
        let columns = match self.layout {
            Layout::Records => false,
            Layout::Columns => true,
            Layout::Mixed => self.rng.chance(1, 2),
        };
        let encode = if columns {
            encode_columns
        } else {
            encode_records
        };
        encode(&mut self.out, &info, &self.price, &self.records)
            .expect("not empty, within the limit, and the price type holds all prices made here");
        self.sequence += self.records.len() as u64;
        self.records.clear();
        &self.out
    }

    fn heartbeat(&mut self, time: UnixNanos) -> Option<&[u8]> {
        self.out.clear();
        let info = self.info(time);
        encode_heartbeat(&mut self.out, &info);
        Some(&self.out)
    }

    fn end_of_session(&mut self, time: UnixNanos) -> Option<&[u8]> {
        self.out.clear();
        let info = self.info(time);
        encode_end_of_session(&mut self.out, &info);
        Some(&self.out)
    }
}

struct Instrument {
    symbol: [u8; 8],
    base: u32,
    fair: u32,
    half_spread: u32,
}

/// Writes a session to `sink`. The specification has been checked.
pub(super) fn session(spec: &Spec, sink: &mut dyn MessageSink) -> io::Result<Summary> {
    let messages = spec.messages.max(1);
    let symbols = u64::from(spec.symbols).min((messages / 8).max(1)) as usize;
    let mut rng = Rng::new(spec.seed);
    let rank = shuffled(&mut rng, symbols);
    let zipf = Weighted::zipf(symbols);
    let activity = Weighted::new(rank.iter().map(|&r| zipf.weight(r)));
    let mut instruments: Vec<Instrument> = (0..symbols as u16)
        .map(|i| Instrument::new(&mut rng, i))
        .collect();
    let mut arrivals = Arrivals::new(Rng::new(rng.next_u64()), OPEN, spec.rate, spec.bursts);
    let midnight = spec.midnight().0;

    let mut summary = Summary {
        symbols: symbols as u64,
        ..Summary::default()
    };
    let mut by_kind = [0; 256];
    let mut records = Vec::with_capacity(2);
    let mut last = 1;
    while summary.messages < messages {
        let now = arrivals.next(last);
        let instrument = &mut instruments[activity.draw(&mut rng)];
        let stamp = midnight + now;
        records.clear();
        // A quote is two records; the last one of an odd count has to be a trade.
        if messages - summary.messages >= 2 && rng.chance(9, 10) {
            instrument.quote(&mut rng, stamp, &mut records);
        } else {
            records.push(instrument.trade(&mut rng, stamp));
        }
        for record in &records {
            sink.message(now, record.as_bytes())?;
            summary.bytes += size_of_val(record) as u64;
            by_kind[usize::from(record.kind)] += 1;
        }
        if summary.messages == 0 {
            summary.first = UnixNanos(stamp);
        }
        summary.last = UnixNanos(stamp);
        last = records.len() as u64;
        summary.messages += last;
    }
    let made = (0..=u8::MAX).zip(by_kind).filter(|&(_, n)| n > 0);
    summary.by_type = made
        .map(|(kind, n): (u8, u64)| (kind.to_string(), n))
        .collect();
    Ok(summary)
}

impl Instrument {
    fn new(rng: &mut Rng, index: u16) -> Instrument {
        let base = first_price(rng);
        Instrument {
            symbol: symbol(index),
            base,
            fair: base,
            half_spread: rng.between(1, 3) as u32,
        }
    }

    /// A new best bid and offer; the offer closes the event.
    fn quote(&mut self, rng: &mut Rng, stamp: u64, out: &mut Vec<MarketData>) {
        self.fair = wander(rng, self.fair, self.base);
        let half = self.half_spread * TICK;
        let size = |rng: &mut Rng| rng.between(1, 40) as u32 * 100;
        let (bid_size, offer_size) = (size(rng), size(rng));
        out.push(self.record(
            Kind::BID,
            Side::BUY,
            self.fair - half,
            bid_size,
            Flags::NONE,
            stamp,
        ));
        let offer = self.record(
            Kind::OFFER,
            Side::SELL,
            self.fair + half,
            offer_size,
            Flags::END_OF_EVENT,
            stamp,
        );
        out.push(offer);
    }

    /// A trade at the bid or the offer.
    fn trade(&mut self, rng: &mut Rng, stamp: u64) -> MarketData {
        let half = self.half_spread * TICK;
        let size = rng.between(1, 500) as u32;
        let (side, price) = match rng.chance(1, 2) {
            true => (Side::BUY, self.fair - half),
            false => (Side::SELL, self.fair + half),
        };
        self.record(Kind::TRADE, side, price, size, Flags::END_OF_EVENT, stamp)
    }

    fn record(
        &self,
        kind: Kind,
        side: Side,
        price: u32,
        quantity: u32,
        flags: Flags,
        stamp: u64,
    ) -> MarketData {
        MarketData {
            symbol: self.symbol,
            price: Price::from_u32::<4>(price).0.into(),
            quantity: quantity.into(),
            kind: kind.0,
            side: side.0,
            flags: flags.0.into(),
            timestamp: stamp.into(),
        }
    }
}
