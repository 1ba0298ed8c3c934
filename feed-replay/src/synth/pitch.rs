//! PITCH sessions: the market of an ITCH session in the words of Cboe, in one unit or, with every fourth seed, in two.
//!
//! Orders take the short forms where their quantities and prices fit, the expanded ones where a participant is named. A
//! replaced order keeps its number, which PITCH does not change. Whether an instrument trades is said when the market has
//! opened and its cross has been held, until when its book may be crossed. There is no End of Session: what fills a session
//! up comes behind the last event.

#[cfg(test)]
mod tests;

use super::packer::Framer;
use super::told::{Event, Ledger, Order, Out, Venue, What};
use super::{SECOND, Spec};
use feed_common::time::UnixNanos;
use feed_common::wire::pitch::{self as wire, HEADER, UnitBuilder, flags};
use zerocopy::{Immutable, IntoBytes};

/// The units there can be. Where there are two, every other instrument is in the second.
const UNITS: [u8; 2] = [1, 2];

/// How many of them a session has.
fn units(spec: &Spec) -> usize {
    match spec.seed % 4 {
        2 => 2,
        _ => 1,
    }
}

/// Tells the market. What it puts out has the number of its unit, an index of [`UNITS`], before it, which [`Units`] takes
/// off.
pub(super) struct Pitch {
    units: usize,
    /// Whether the market is open.
    open: bool,
    /// The last second each unit has said.
    seconds: [Option<u64>; UNITS.len()],
    instruments: Vec<Instrument>,
}

/// What is remembered of an instrument.
#[derive(Clone, Copy, Debug)]
struct Instrument {
    /// Its state in all markets.
    state: u8,
    /// Halted on this market alone.
    suspended: bool,
    /// Its cross has been held since the market opened and since it was halted.
    crossed: bool,
    restricted: bool,
    /// The trading status that was said last.
    said: u8,
}

impl Instrument {
    const NEW: Instrument = Instrument {
        state: b'T',
        suspended: false,
        crossed: false,
        restricted: false,
        said: 0,
    };

    /// Its trading status.
    fn status(&self, open: bool) -> u8 {
        match self.state {
            _ if self.suspended => b'S',
            b'T' if open && self.crossed => b'T',
            b'T' => b'A',
            b'Q' => b'Q',
            _ => b'H',
        }
    }
}

impl Venue for Pitch {
    type Framer = Units;

    /// The second, the status, what happened, and the status after that.
    const MOST: u64 = 4;

    fn new(spec: &Spec) -> Pitch {
        Pitch {
            units: units(spec),
            open: false,
            seconds: [None; UNITS.len()],
            instruments: Vec::new(),
        }
    }

    fn framer(spec: &Spec) -> Units {
        Units::new(spec)
    }

    /// Seconds and states come on top of what happens.
    fn events(messages: u64) -> u64 {
        messages - messages / 64
    }

    fn code(message: &[u8]) -> u16 {
        message[2].into()
    }

    fn key(code: u16) -> String {
        format!("0x{code:02X}")
    }

    fn tell(&mut self, event: &Event, _: &Ledger, out: &mut Out<'_>) {
        match event.what {
            What::System(code) => self.system(code),
            What::Breaker(_) | What::Collar { .. } | What::Other => {}
            _ => {
                self.turn(event);
                self.say(event, out);
                self.happen(event, out);
                self.say(event, out);
            }
        }
    }

    /// The second, said once more.
    fn filler(&mut self, now: u64, out: &mut Out<'_>) {
        self.second(0, now, out);
    }
}

impl Pitch {
    fn system(&mut self, code: u8) {
        self.open = code == b'Q';
        if !self.open {
            self.instruments.iter_mut().for_each(|i| i.crossed = false);
        }
    }

    /// The states an event changes.
    fn turn(&mut self, event: &Event) {
        if event.instrument >= self.instruments.len() {
            self.instruments
                .resize(event.instrument + 1, Instrument::NEW);
        }
        let open = self.open;
        let instrument = &mut self.instruments[event.instrument];
        match event.what {
            What::Status { state, .. } => {
                instrument.state = state;
                instrument.crossed &= state == b'T';
            }
            What::Operational {
                market: b'Q',
                halted,
            } => instrument.suspended = halted,
            What::ShortSale(action) => {
                instrument.restricted = action != b'0';
                instrument.said = 0; // to be said again, with this
            }
            // The cross itself is told while the book may still be crossed.
            What::Cross { .. } => instrument.said = instrument.status(open),
            _ => {}
        }
    }

    /// The trading status, where it is not the one that was said last.
    fn say(&mut self, event: &Event, out: &mut Out<'_>) {
        let instrument = &mut self.instruments[event.instrument];
        let status = instrument.status(self.open);
        if status == instrument.said {
            return;
        }
        instrument.said = status;
        let message = wire::TradingStatus {
            symbol: event.symbol,
            status,
            reg_sho: b"01"[usize::from(instrument.restricted)],
            ..wire::TradingStatus::new()
        };
        self.tell_of(event, message, out);
    }

    /// What is not a state.
    fn happen(&mut self, event: &Event, out: &mut Out<'_>) {
        let symbol = event.symbol;
        match event.what {
            What::Add(order) => self.add(event, &order, out),
            What::Execute {
                order,
                shares,
                number,
                price: None,
                ..
            } => {
                let message = wire::OrderExecuted {
                    order_id: order.origin.into(),
                    executed_quantity: shares.into(),
                    execution_id: number.into(),
                    ..wire::OrderExecuted::new()
                };
                self.tell_of(event, message, out);
            }
            What::Execute {
                order,
                shares,
                number,
                price: Some(price),
                ..
            } => {
                let message = wire::OrderExecutedAtPriceSize {
                    order_id: order.origin.into(),
                    executed_quantity: shares.into(),
                    remaining_quantity: (order.shares - shares).into(),
                    execution_id: number.into(),
                    price: u64::from(price).into(),
                    ..wire::OrderExecutedAtPriceSize::new()
                };
                self.tell_of(event, message, out);
            }
            What::Cancel { order, shares } => self.cancel(event, &order, shares, out),
            What::Delete { order } => {
                let message = wire::DeleteOrder {
                    order_id: order.origin.into(),
                    ..wire::DeleteOrder::new()
                };
                self.tell_of(event, message, out);
            }
            What::Replace { new, .. } => self.modify(event, &new, flags::DISPLAY, out),
            What::Hidden {
                shares,
                price,
                number,
            } => self.trade(event, shares, price, number, out),
            What::Cross {
                shares,
                price,
                auction,
                ..
            } => {
                if shares > 0 {
                    let message = wire::AuctionSummary {
                        symbol,
                        auction_type: auction,
                        price: u64::from(price).into(),
                        shares: saturated(shares).into(),
                        ..wire::AuctionSummary::new()
                    };
                    self.tell_of(event, message, out);
                }
                self.instruments[event.instrument].crossed = true;
            }
            What::Broken { number, .. } => {
                let message = wire::TradeBreak {
                    execution_id: number.into(),
                    ..wire::TradeBreak::new()
                };
                self.tell_of(event, message, out);
            }
            What::Imbalance {
                paired,
                imbalance,
                side,
                far,
                near,
                reference,
                auction,
            } => {
                let extra = |of: u8| paired + if side == of { imbalance } else { 0 };
                let message = wire::AuctionUpdate {
                    symbol,
                    auction_type: auction,
                    reference_price: u64::from(reference).into(),
                    buy_shares: saturated(extra(b'B')).into(),
                    sell_shares: saturated(extra(b'S')).into(),
                    indicative_price: u64::from(near).into(),
                    auction_only_price: u64::from(far).into(),
                    ..wire::AuctionUpdate::new()
                };
                self.tell_of(event, message, out);
            }
            What::Retail(interest) => {
                let message = wire::RetailPriceImprovement {
                    symbol,
                    interest,
                    ..wire::RetailPriceImprovement::new()
                };
                self.tell_of(event, message, out);
            }
            _ => {}
        }
    }

    fn add(&mut self, event: &Event, order: &Order, out: &mut Out<'_>) {
        let small = short(order.shares, order.price);
        match (order.participant, six(event.symbol), small) {
            (None, Some(symbol), Some((quantity, price))) => {
                let message = wire::AddOrderShort {
                    order_id: order.origin.into(),
                    side: order.side.0,
                    quantity: quantity.into(),
                    symbol,
                    price: price.into(),
                    flags: flags::DISPLAY,
                    ..wire::AddOrderShort::new()
                };
                self.tell_of(event, message, out);
            }
            (None, Some(symbol), None) => {
                let message = wire::AddOrderLong {
                    order_id: order.origin.into(),
                    side: order.side.0,
                    quantity: order.shares.into(),
                    symbol,
                    price: u64::from(order.price).into(),
                    flags: flags::DISPLAY,
                    ..wire::AddOrderLong::new()
                };
                self.tell_of(event, message, out);
            }
            (participant, ..) => {
                let message = wire::AddOrderExpanded {
                    order_id: order.origin.into(),
                    side: order.side.0,
                    quantity: order.shares.into(),
                    symbol: event.symbol,
                    price: u64::from(order.price).into(),
                    flags: flags::DISPLAY,
                    participant_id: participant.unwrap_or(*b"    "),
                    customer_indicator: b'N',
                    ..wire::AddOrderExpanded::new()
                };
                self.tell_of(event, message, out);
            }
        }
    }

    /// An order that shrinks is reduced; every third is modified and keeps its priority, which comes to the same.
    fn cancel(&mut self, event: &Event, order: &Order, shares: u32, out: &mut Out<'_>) {
        if order.id.is_multiple_of(3) {
            let left = Order {
                shares: order.shares - shares,
                ..*order
            };
            let keeps = flags::DISPLAY | flags::MAINTAINS_PRIORITY;
            return self.modify(event, &left, keeps, out);
        }
        match u16::try_from(shares) {
            Ok(shares) => {
                let message = wire::ReduceSizeShort {
                    order_id: order.origin.into(),
                    cancelled_quantity: shares.into(),
                    ..wire::ReduceSizeShort::new()
                };
                self.tell_of(event, message, out);
            }
            Err(_) => {
                let message = wire::ReduceSizeLong {
                    order_id: order.origin.into(),
                    cancelled_quantity: shares.into(),
                    ..wire::ReduceSizeLong::new()
                };
                self.tell_of(event, message, out);
            }
        }
    }

    /// An order is what `order` says from now on.
    fn modify(&mut self, event: &Event, order: &Order, flags: u8, out: &mut Out<'_>) {
        match short(order.shares, order.price) {
            Some((quantity, price)) => {
                let message = wire::ModifyOrderShort {
                    order_id: order.origin.into(),
                    quantity: quantity.into(),
                    price: price.into(),
                    flags,
                    ..wire::ModifyOrderShort::new()
                };
                self.tell_of(event, message, out);
            }
            None => {
                let message = wire::ModifyOrderLong {
                    order_id: order.origin.into(),
                    quantity: order.shares.into(),
                    price: u64::from(order.price).into(),
                    flags,
                    ..wire::ModifyOrderLong::new()
                };
                self.tell_of(event, message, out);
            }
        }
    }

    /// A trade of a hidden order, whose number and side are not disclosed.
    fn trade(&mut self, event: &Event, shares: u32, price: u32, number: u64, out: &mut Out<'_>) {
        match (six(event.symbol), short(shares, price)) {
            (Some(symbol), Some((quantity, price))) => {
                let message = wire::TradeShort {
                    side: b'B',
                    quantity: quantity.into(),
                    symbol,
                    price: price.into(),
                    execution_id: number.into(),
                    ..wire::TradeShort::new()
                };
                self.tell_of(event, message, out);
            }
            (Some(symbol), None) => {
                let message = wire::TradeLong {
                    side: b'B',
                    quantity: shares.into(),
                    symbol,
                    price: u64::from(price).into(),
                    execution_id: number.into(),
                    ..wire::TradeLong::new()
                };
                self.tell_of(event, message, out);
            }
            (None, _) => {
                let message = wire::TradeExpanded {
                    side: b'B',
                    quantity: shares.into(),
                    symbol: event.symbol,
                    price: u64::from(price).into(),
                    execution_id: number.into(),
                    ..wire::TradeExpanded::new()
                };
                self.tell_of(event, message, out);
            }
        }
    }

    /// A message about the event's instrument.
    fn tell_of(&mut self, event: &Event, message: impl IntoBytes + Immutable, out: &mut Out<'_>) {
        self.put(event.instrument % self.units, event.time, message, out);
    }

    /// A message of a unit, behind the second it belongs to.
    fn put(
        &mut self,
        unit: usize,
        time: u64,
        message: impl IntoBytes + Immutable,
        out: &mut Out<'_>,
    ) {
        if self.seconds[unit] != Some(time / SECOND) {
            self.second(unit, time, out);
        }
        let mut bytes = enveloped(unit, message.as_bytes());
        // All messages but the second itself have their time in the same place.
        let offset = (time % SECOND) as u32;
        bytes[3..7].copy_from_slice(&offset.to_le_bytes());
        out.put(&bytes[..=message.as_bytes().len()]);
    }

    fn second(&mut self, unit: usize, time: u64, out: &mut Out<'_>) {
        self.seconds[unit] = Some(time / SECOND);
        let message = wire::Time {
            time: ((time / SECOND) as u32).into(),
            ..wire::Time::new()
        };
        let bytes = enveloped(unit, message.as_bytes());
        out.put(&bytes[..=size_of::<wire::Time>()]);
    }
}

/// A message behind the number of its unit.
fn enveloped(unit: usize, message: &[u8]) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[0] = unit as u8;
    bytes[1..=message.len()].copy_from_slice(message);
    bytes
}

/// Quantity and price of the short forms, where they fit: the price has 2 decimals there.
fn short(shares: u32, price: u32) -> Option<(u16, u16)> {
    if !price.is_multiple_of(100) {
        return None;
    }
    Some((
        u16::try_from(shares).ok()?,
        u16::try_from(price / 100).ok()?,
    ))
}

/// A symbol of no more than 6 characters.
fn six(symbol: [u8; 8]) -> Option<[u8; 6]> {
    let [symbol @ .., b' ', b' '] = symbol else {
        return None;
    };
    Some(symbol)
}

fn saturated(shares: u64) -> u32 {
    u32::try_from(shares).unwrap_or(u32::MAX)
}

/// Datagrams of blocks. Most have one; every fourth takes messages of both units, in a block each.
pub(super) struct Units {
    builders: [UnitBuilder; UNITS.len()],
    units: usize,
    limit: usize,
    datagrams: u64,
    /// The unit of the next heartbeat: they take turns.
    beats: usize,
    out: Vec<u8>,
}

impl Units {
    const SHARED: u64 = 4;

    fn new(spec: &Spec) -> Units {
        Units {
            builders: UNITS.map(|unit| UnitBuilder::new(unit, 1, spec.payload_limit)),
            units: units(spec),
            limit: spec.payload_limit,
            datagrams: 0,
            beats: 0,
            out: Vec::with_capacity(spec.payload_limit),
        }
    }
}

impl Framer for Units {
    fn push(&mut self, message: &[u8]) -> bool {
        let (unit, message) = (usize::from(message[0]), &message[1..]);
        let begins = self.builders[unit].is_empty();
        if begins && !self.is_empty() && !self.datagrams.is_multiple_of(Self::SHARED) {
            return false;
        }
        let head = if begins { HEADER } else { 0 };
        self.len() + head + message.len() <= self.limit && self.builders[unit].push(message)
    }

    fn is_empty(&self) -> bool {
        self.builders.iter().all(UnitBuilder::is_empty)
    }

    fn len(&self) -> usize {
        let filled = self.builders.iter().filter(|b| !b.is_empty());
        filled.map(UnitBuilder::bytes).sum()
    }

    fn take(&mut self, _time: UnixNanos) -> &[u8] {
        self.out.clear();
        for builder in self.builders.iter_mut().filter(|b| !b.is_empty()) {
            self.out.extend_from_slice(builder.block());
            builder.clear();
        }
        self.datagrams += 1;
        &self.out
    }

    fn heartbeat(&mut self, _time: UnixNanos) -> Option<&[u8]> {
        let heartbeat = self.builders[self.beats].heartbeat();
        self.beats = (self.beats + 1) % self.units;
        self.out.clear();
        self.out.extend_from_slice(heartbeat.as_bytes());
        Some(&self.out)
    }

    /// A last heartbeat: nothing but messages ends a session.
    fn end_of_session(&mut self, time: UnixNanos) -> Option<&[u8]> {
        self.heartbeat(time)
    }
}
