//! IEX sessions: the market of an ITCH session in the words of TOPS, DEEP or DEEP+, in IEX-TP segments.
//!
//! All three say the day's events, securities and states alike ([`Notices`]); the [`feeds`] differ in what they say of
//! orders and trades. Before its opening cross a security is in order acceptance, because until then its book may be
//! crossed; IEX names nothing else that would say so.

mod feeds;
#[cfg(test)]
mod tests;

pub(super) use feeds::{Deep, DeepPlus, Tops};

use super::Spec;
use super::packer::Framer;
use super::told::{Event, Out, What};
use feed_common::time::UnixNanos;
use feed_common::wire::iex::{self, sale_flags};
use feed_common::wire::iextp::SegmentBuilder;
use zerocopy::byteorder::little_endian::U64;
use zerocopy::{Immutable, IntoBytes};

/// IEX-TP segments. No segment ends a session: behind its last message it says what would be the next.
pub(super) struct Segments {
    builder: SegmentBuilder,
    out: Vec<u8>,
}

impl Segments {
    fn new(spec: &Spec, protocol: u16) -> Segments {
        // Differs between days and, mostly, between seeds.
        let session = (spec.date.days() as u32) << 16 | spec.seed as u32 & 0xffff;
        Segments {
            builder: SegmentBuilder::new(protocol, session, spec.payload_limit),
            out: Vec::with_capacity(spec.payload_limit),
        }
    }
}

impl Framer for Segments {
    fn push(&mut self, message: &[u8]) -> bool {
        self.builder.push(message)
    }

    fn is_empty(&self) -> bool {
        self.builder.is_empty()
    }

    fn len(&self) -> usize {
        self.builder.bytes()
    }

    fn take(&mut self, time: UnixNanos) -> &[u8] {
        self.out.clear();
        self.out.extend_from_slice(self.builder.segment(time.0));
        self.builder.clear();
        &self.out
    }

    fn heartbeat(&mut self, time: UnixNanos) -> Option<&[u8]> {
        Some(self.take(time))
    }

    fn end_of_session(&mut self, time: UnixNanos) -> Option<&[u8]> {
        Some(self.take(time))
    }
}

/// Number of a message's type.
fn code(message: &[u8]) -> u16 {
    message[0].into()
}

fn key(code: u16) -> String {
    char::from(code as u8).to_string()
}

/// What every feed says alike, and what it has to remember for that.
struct Notices {
    midnight: u64,
    /// Whether the market is in regular hours.
    open: bool,
    instruments: Vec<Instrument>,
}

/// What is remembered of a security.
#[derive(Clone, Copy, Debug, Default)]
struct Instrument {
    /// It trades once it has opened.
    opens: bool,
    /// Its collar: reference, lower, upper, extensions.
    collar: [u32; 4],
}

impl Notices {
    fn new(spec: &Spec) -> Notices {
        Notices {
            midnight: spec.midnight().0,
            open: false,
            instruments: Vec::new(),
        }
    }

    /// The instant of an event.
    fn time(&self, event: &Event) -> u64 {
        self.midnight + event.time
    }

    /// Tells an event that is of no order and no trade. What the others have to do with states is done here as well.
    fn tell(&mut self, event: &Event, out: &mut Out<'_>) {
        let (timestamp, symbol) = (U64::new(self.time(event)), event.symbol);
        match event.what {
            What::System(code) => {
                self.open = (self.open || code == b'Q') && code != b'M';
                let event = match code {
                    b'Q' => b'R',
                    same => same,
                };
                put(
                    out,
                    iex::SystemEvent {
                        event,
                        timestamp,
                        ..iex::SystemEvent::new()
                    },
                );
            }
            What::Directory { round_lot, class } => {
                self.instruments.push(Instrument::default());
                let directory = iex::SecurityDirectory {
                    flags: if class == b'Q' { 0x20 } else { 0 },
                    timestamp,
                    symbol,
                    round_lot: round_lot.into(),
                    luld_tier: 1,
                    ..iex::SecurityDirectory::new()
                };
                put(out, directory);
            }
            What::Status { state, reason, .. } => {
                self.instruments[event.instrument].opens = state == b'T' && !self.open;
                let (status, reason) = match state {
                    b'T' if self.open => (b'T', *b"    "),
                    b'H' => (b'H', halt_reason(reason)),
                    b'P' => (b'P', *b"    "),
                    _ => (b'O', *b"T2  "),
                };
                self.status(event, status, reason, out);
            }
            What::Operational {
                market: b'Q',
                halted,
            } => {
                let halt = iex::OperationalHaltStatus {
                    status: if halted { b'O' } else { b'N' },
                    timestamp,
                    symbol,
                    ..iex::OperationalHaltStatus::new()
                };
                put(out, halt);
            }
            What::ShortSale(action) => {
                let test = iex::ShortSalePriceTestStatus {
                    in_effect: (action != b'0').into(),
                    timestamp,
                    symbol,
                    detail: match action {
                        b'1' => b'A',
                        b'2' => b'C',
                        _ => b' ',
                    },
                    ..iex::ShortSalePriceTestStatus::new()
                };
                put(out, test);
            }
            What::Retail(interest) => {
                let indicator = match interest {
                    b'B' => b'A',
                    b'S' => b'B',
                    b'A' => b'C',
                    _ => b' ',
                };
                put(out, retail(symbol, timestamp.get(), indicator));
            }
            What::Collar {
                reference,
                upper,
                lower,
                extension,
            } => self.instruments[event.instrument].collar = [reference, lower, upper, extension],
            _ => {}
        }
    }

    fn status(&self, event: &Event, status: u8, reason: [u8; 4], out: &mut Out<'_>) {
        let status = iex::TradingStatus {
            status,
            timestamp: self.time(event).into(),
            symbol: event.symbol,
            reason,
            ..iex::TradingStatus::new()
        };
        put(out, status);
    }

    /// A security trades from its opening cross on, if it is not halted.
    fn opened(&mut self, event: &Event, out: &mut Out<'_>) {
        if std::mem::take(&mut self.instruments[event.instrument].opens) {
            self.status(event, b'T', *b"    ", out);
        }
    }

    /// The sale condition of a trade of `shares`.
    fn sale(&self, shares: u64) -> u8 {
        let odd = if shares < 100 { sale_flags::ODD_LOT } else { 0 };
        let extended = match self.open {
            true => 0,
            false => sale_flags::EXTENDED_HOURS,
        };
        odd | extended
    }

    fn trade(
        &self,
        event: &Event,
        sale_flags: u8,
        shares: u64,
        price: u32,
        number: u64,
    ) -> iex::TradeReport {
        iex::TradeReport {
            sale_flags,
            timestamp: self.time(event).into(),
            symbol: event.symbol,
            size: shares_of(shares).into(),
            price: i64::from(price).into(),
            trade_id: number.into(),
            ..iex::TradeReport::new()
        }
    }

    /// The coming auction.
    fn auction(&self, event: &Event, out: &mut Out<'_>) {
        let What::Imbalance {
            paired,
            imbalance,
            side,
            far,
            near,
            reference,
            auction,
        } = event.what
        else {
            return;
        };
        const SECOND: u64 = super::SECOND;
        let [collar, lower, upper, extension] = self.instruments[event.instrument].collar;
        let price = |price: u32| i64::from(price).into();
        let auction = iex::AuctionInformation {
            auction_type: auction,
            timestamp: self.time(event).into(),
            symbol: event.symbol,
            paired_shares: shares_of(paired).into(),
            reference_price: price(reference),
            indicative_clearing_price: price(near),
            imbalance_shares: shares_of(imbalance).into(),
            imbalance_side: match side {
                b'B' | b'S' => side,
                _ => b'N',
            },
            extension_number: extension.min(u8::MAX.into()) as u8,
            // The next full second; 32 bits of seconds last until 2106.
            scheduled_auction_time: (self.time(event).div_ceil(SECOND) as u32).into(),
            auction_book_clearing_price: price(far),
            collar_reference_price: price(collar),
            lower_collar: price(lower),
            upper_collar: price(upper),
            ..iex::AuctionInformation::new()
        };
        put(out, auction);
    }

    /// The end of an auction: its official price, and that it has been held.
    fn official(&self, event: &Event, price: u32, auction: u8, out: &mut Out<'_>) {
        let price_type = match auction {
            b'O' => b'Q',
            b'C' => b'M',
            _ => return,
        };
        let official = iex::OfficialPrice {
            price_type,
            timestamp: self.time(event).into(),
            symbol: event.symbol,
            official_price: i64::from(price).into(),
            ..iex::OfficialPrice::new()
        };
        put(out, official);
    }

    fn security_event(&self, event: &Event, auction: u8, out: &mut Out<'_>) {
        if matches!(auction, b'O' | b'C') {
            let held = iex::SecurityEvent {
                event: auction,
                timestamp: self.time(event).into(),
                symbol: event.symbol,
                ..iex::SecurityEvent::new()
            };
            put(out, held);
        }
    }

    /// A print is void.
    fn broken(&self, event: &Event, out: &mut Out<'_>) {
        let What::Broken { number, print } = event.what else {
            return;
        };
        let (shares, price) = print.map_or((0, 0), |print| (print.shares, print.price));
        let broken = iex::TradeBreak {
            sale_flags: self.sale(shares),
            timestamp: self.time(event).into(),
            symbol: event.symbol,
            size: shares_of(shares).into(),
            price: i64::from(price).into(),
            trade_id: number.into(),
            ..iex::TradeBreak::new()
        };
        put(out, broken);
    }

    /// A message that changes nothing: there is no retail interest in a security for tests.
    fn filler(&self, now: u64, out: &mut Out<'_>) {
        put(out, retail(*b"ZIEXT   ", self.midnight + now, b' '));
    }
}

fn retail(symbol: [u8; 8], timestamp: u64, indicator: u8) -> iex::RetailLiquidityIndicator {
    iex::RetailLiquidityIndicator {
        indicator,
        timestamp: timestamp.into(),
        symbol,
        ..iex::RetailLiquidityIndicator::new()
    }
}

/// The reason for a halt, for Nasdaq's.
fn halt_reason(reason: [u8; 4]) -> [u8; 4] {
    match &reason {
        b"T1  " | b"IPO1" => reason,
        b"MWC3" => *b"MCB3",
        _ => *b"NA  ",
    }
}

/// Shares in the 32 bits that messages have for them; no book of a generated session comes near.
fn shares_of(shares: u64) -> u32 {
    shares.min(u32::MAX.into()) as u32
}

fn put(out: &mut Out<'_>, message: impl IntoBytes + Immutable) {
    out.put(message.as_bytes());
}
