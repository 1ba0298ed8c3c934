//! CME sessions: the market of an ITCH session in the words of MDP 3.0.
//!
//! Every instrument shows ten levels of each side, numbered; what an event changes of them is found by comparing them
//! with those before it. Of every fourth instrument all orders are told too: in the same message where they are at a
//! level of it, else alone. A trade is told before the levels it changes, with the volume of the day. Some spreads are
//! announced, with names longer than a symbol, which have no market. What fills a session up are heartbeats.

mod definition;
mod levels;
mod packets;
#[cfg(test)]
mod tests;
mod trades;

use super::Spec;
use super::told::{Event, Ledger, Order, Out, Venue, What};
use feed_common::event::Side;
use feed_common::wire::mdp3::{
    BookEntry, Dimension, EventRoot, MessageBuilder, MessageHeader, NULL_DATE, NULL_I32,
    OrderBookEntry, OrderIdEntry, SecurityStatusRoot, event, template,
};
use levels::Shown;
use packets::Packets;
use std::collections::BTreeMap;
use std::mem::offset_of;
use trades::Done;
use zerocopy::{Immutable, IntoBytes};

/// The schema version that is written.
const VERSION: u16 = 13;

/// Units of 1e-9 in one of the market's prices, which have 4 decimals.
const PRICE_UNIT: i64 = 100_000;

/// Trading statuses.
const HALT: u8 = 2;
const NEW_PRICE: u8 = 15;
const READY: u8 = 17;
const PRE_OPEN: u8 = 21;
const POST_CLOSE: u8 = 26;

/// Tells the market.
pub(super) struct Mdp3 {
    midnight: u64,
    /// The trading status of an instrument that trades in all markets and has had its cross.
    phase: u8,
    instruments: Vec<Instrument>,
    /// The places of orders in their queues, by the number that an order keeps.
    ranks: BTreeMap<u64, u64>,
    ranked: u64,
    builder: MessageBuilder,
    /// The messages of the event at hand, each with the place of its match event indicator.
    messages: Vec<(Vec<u8>, usize)>,
    /// The last message did not end what happened.
    open: bool,
}

/// What is remembered of an instrument.
#[derive(Clone, Debug, Default)]
struct Instrument {
    shown: [Shown; 2],
    rpt_seq: u32,
    volume: u64,
    /// Lowest and highest price of the day, with 4 decimals, once there was a trade.
    range: Option<(u32, u32)>,
    /// Its state in all markets.
    state: u8,
    suspended: bool,
    /// Its cross has been held since the market opened and since it was halted.
    crossed: bool,
    /// The trading status that was said last.
    said: u8,
}

impl Venue for Mdp3 {
    type Framer = Packets;

    /// A status before and one after; a trade, the volume, the open, high and low; levels and orders.
    const MOST: u64 = 8;

    fn new(spec: &Spec) -> Mdp3 {
        Mdp3 {
            midnight: spec.midnight().0,
            phase: PRE_OPEN,
            instruments: Vec::new(),
            ranks: BTreeMap::new(),
            ranked: 0,
            builder: MessageBuilder::new(),
            messages: Vec::new(),
            open: false,
        }
    }

    fn framer(spec: &Spec) -> Packets {
        Packets::new(spec)
    }

    /// A trade takes several messages, a change below the levels that are shown none.
    fn events(messages: u64) -> u64 {
        messages - messages / 8
    }

    fn code(message: &[u8]) -> u16 {
        let at = offset_of!(MessageHeader, template_id);
        u16::from_le_bytes([message[at], message[at + 1]])
    }

    fn key(code: u16) -> String {
        code.to_string()
    }

    fn tell(&mut self, event: &Event, ledger: &Ledger, out: &mut Out<'_>) {
        match event.what {
            What::System(code) => self.system(code, event),
            What::Breaker(_) | What::Other | What::Retail(_) | What::ShortSale(_) => {}
            _ => {
                self.turn(event);
                self.say(event);
                self.happen(event, ledger);
                self.say(event);
            }
        }
        self.put(!event.more, event, out);
    }

    fn filler(&mut self, _: u64, out: &mut Out<'_>) {
        let heartbeat = self
            .builder
            .begin(template::ADMIN_HEARTBEAT, VERSION, &[0u8; 0]);
        out.put(heartbeat.finish());
    }
}

impl Mdp3 {
    /// Puts out the messages of an event; the last one ends it, if anything does.
    fn put(&mut self, ends: bool, event: &Event, out: &mut Out<'_>) {
        if self.messages.is_empty() && self.open && ends {
            // What follows changed nothing that is told, but what happened is over.
            self.levels(event, &[], &[]);
        }
        if let Some((last, at)) = self.messages.last_mut() {
            last[*at] |= if ends { event::END } else { 0 };
            self.open = !ends;
        }
        for (message, _) in self.messages.drain(..) {
            out.put(&message);
        }
    }

    /// An event of the whole market, as the status of a group.
    fn system(&mut self, code: u8, event: &Event) {
        self.phase = match code {
            b'Q' => READY,
            b'M' => POST_CLOSE,
            b'O' => PRE_OPEN,
            _ => return,
        };
        if code != b'Q' {
            self.instruments.iter_mut().for_each(|i| i.crossed = false);
        }
        self.status(event, NULL_I32, self.phase);
    }

    /// The states an event changes.
    fn turn(&mut self, event: &Event) {
        if event.instrument >= self.instruments.len() {
            let new = Instrument {
                state: b'T',
                ..Instrument::default()
            };
            self.instruments.resize(event.instrument + 1, new);
        }
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
            _ => {}
        }
    }

    /// The trading status, where it is not the one that was said last. A cross is told while the book may still be
    /// crossed.
    fn say(&mut self, event: &Event) {
        let instrument = &mut self.instruments[event.instrument];
        let status = match instrument.state {
            _ if instrument.suspended => HALT,
            b'T' if self.phase == READY && !instrument.crossed => PRE_OPEN,
            b'T' => self.phase,
            b'Q' => NEW_PRICE,
            _ => HALT,
        };
        if status != instrument.said && !matches!(event.what, What::Directory { .. }) {
            instrument.said = status;
            self.status(event, security_id(event.instrument), status);
        }
    }

    fn status(&mut self, event: &Event, security_id: i32, status: u8) {
        let root = SecurityStatusRoot {
            transact_time: (self.midnight + event.time).into(),
            security_group: definition::GROUP,
            asset: definition::ASSET,
            security_id_optional: security_id.into(),
            trade_date: NULL_DATE.into(),
            security_trading_status: status,
            ..SecurityStatusRoot::default()
        };
        let message = self
            .builder
            .begin(template::SECURITY_STATUS, VERSION, &root);
        let at = offset_of!(SecurityStatusRoot, match_event_indicator);
        self.messages
            .push((message.finish().to_vec(), size_of::<MessageHeader>() + at));
    }

    fn happen(&mut self, event: &Event, ledger: &Ledger) {
        match event.what {
            What::Directory { .. } => self.define(event, ledger),
            What::Add(order) => self.change(event, ledger, &[(order, 0)]),
            What::Cancel { order, shares } | What::Execute { order, shares, .. } => {
                if let What::Execute {
                    number,
                    price,
                    printable: true,
                    ..
                } = event.what
                {
                    let done = Done {
                        shares: shares.into(),
                        price: price.unwrap_or(order.price),
                        number,
                        resting: Some((order.origin, other(order.side))),
                    };
                    self.trade(event, &done);
                }
                let left = order.shares - shares;
                let order = Order {
                    shares: left,
                    ..order
                };
                self.change(event, ledger, &[(order, if left > 0 { 1 } else { 2 })]);
            }
            What::Delete { order } => self.change(event, ledger, &[(order, 2)]),
            What::Replace { old, new } => {
                self.ranks.remove(&old.origin);
                self.change(event, ledger, &[(new, 1)]);
            }
            What::Hidden {
                shares,
                price,
                number,
            } => self.trade(
                event,
                &Done {
                    shares: shares.into(),
                    price,
                    number,
                    resting: None,
                },
            ),
            What::Cross {
                shares,
                price,
                number,
                ..
            } => {
                let done = Done {
                    shares,
                    price,
                    number,
                    resting: None,
                };
                if shares > 0 {
                    self.trade(event, &done);
                }
                self.instruments[event.instrument].crossed = self.phase == READY;
            }
            What::Broken {
                number,
                print: Some(print),
            } => {
                let done = Done {
                    shares: print.shares,
                    price: print.price,
                    number,
                    resting: None,
                };
                self.trades(event, &done, 2);
            }
            What::Imbalance { near, .. } if near > 0 => {
                const INDICATIVE: u8 = 5;
                self.figures(event, &[(b'4', INDICATIVE, near)]);
            }
            _ => {}
        }
    }

    /// What happened to orders, and to the levels that are shown.
    fn change(&mut self, event: &Event, ledger: &Ledger, orders: &[(Order, u8)]) {
        let id = security_id(event.instrument);
        let mut levels = Vec::new();
        for (of, side) in [Side::BUY, Side::SELL].into_iter().enumerate() {
            let instrument = &mut self.instruments[event.instrument];
            let now = ledger.levels(event.instrument, side);
            let lives = |price| ledger.level(event.instrument, side, price).is_some();
            instrument.shown[of].turn(now, lives, |action, level, total| {
                instrument.rpt_seq += 1;
                levels.push(BookEntry {
                    md_entry_px_optional_ex: (i64::from(total.price) * PRICE_UNIT).into(),
                    md_entry_size_short_optional: short(total.shares).into(),
                    security_id: id.into(),
                    rpt_seq: instrument.rpt_seq.into(),
                    number_of_orders_optional: (total.orders as i32).into(),
                    md_price_level: level,
                    md_update_action: action,
                    md_entry_type_book: entry_type(side),
                    raw_tradeable_size: NULL_I32.into(),
                    padding_1: 0,
                });
            });
        }
        let by_order = event.instrument % 4 == 1;
        let (mut along, mut alone) = (Vec::new(), Vec::new());
        for (order, action) in orders.iter().filter(|_| by_order) {
            let rank = self.rank(order, *action);
            let price = i64::from(order.price) * PRICE_UNIT;
            let at = levels.iter().position(|level| {
                level.md_entry_px_optional_ex.get() == price
                    && level.md_entry_type_book == entry_type(order.side)
            });
            match at {
                Some(at) => along.push(OrderIdEntry {
                    order_id: order.origin.into(),
                    md_order_priority_optional: rank.into(),
                    md_display_qty_optional: (order.shares as i32).into(),
                    reference_id: at as u8 + 1,
                    order_update_action: *action,
                    padding_2: [0; 2],
                }),
                None => alone.push(OrderBookEntry {
                    order_id_optional: order.origin.into(),
                    md_order_priority_optional: rank.into(),
                    md_entry_px_optional_ex: price.into(),
                    md_display_qty_optional: (order.shares as i32).into(),
                    security_id: id.into(),
                    md_update_action: *action,
                    md_entry_type_book: entry_type(order.side),
                    padding_6: [0; 6],
                }),
            }
        }
        if !levels.is_empty() {
            self.levels(event, &levels, &along);
        }
        if !alone.is_empty() {
            self.message(template::ORDER_BOOK, event, event::LAST_QUOTE, |message| {
                message.group(Dimension::Three, &alone);
            });
        }
    }

    /// Where an order is in its queue: behind all others, unless it had a place.
    fn rank(&mut self, order: &Order, action: u8) -> u64 {
        let next = &mut self.ranked;
        let rank = *self.ranks.entry(order.origin).or_insert_with(|| {
            *next += 1;
            *next
        });
        if action == 2 {
            self.ranks.remove(&order.origin);
        }
        rank
    }

    fn levels(&mut self, event: &Event, levels: &[BookEntry], orders: &[OrderIdEntry]) {
        self.message(template::BOOK, event, event::LAST_QUOTE, |message| {
            message
                .group(Dimension::Three, levels)
                .group(Dimension::Eight, orders);
        });
    }

    /// A message with the root that most have.
    fn message(
        &mut self,
        template_id: u16,
        event: &Event,
        indicator: u8,
        groups: impl FnOnce(&mut MessageBuilder),
    ) {
        let root = EventRoot {
            transact_time: (self.midnight + event.time).into(),
            match_event_indicator: indicator,
        };
        self.builder.begin(template_id, VERSION, &root);
        groups(&mut self.builder);
        let at = size_of::<MessageHeader>() + offset_of!(EventRoot, match_event_indicator);
        self.messages.push((self.builder.finish().to_vec(), at));
    }

    /// Keeps a whole message that begins with its match event indicator.
    fn keep<T: IntoBytes + Immutable + ?Sized>(
        &mut self,
        template_id: u16,
        root: &T,
        groups: impl FnOnce(&mut MessageBuilder),
    ) {
        self.builder.begin(template_id, VERSION, root);
        groups(&mut self.builder);
        self.messages
            .push((self.builder.finish().to_vec(), size_of::<MessageHeader>()));
    }
}

/// The exchange's number of an instrument: they are sparse.
fn security_id(instrument: usize) -> i32 {
    4_001 + 137 * instrument as i32
}

fn other(side: Side) -> Side {
    match side {
        Side::BUY => Side::SELL,
        _ => Side::BUY,
    }
}

fn entry_type(side: Side) -> u8 {
    match side {
        Side::BUY => b'0',
        _ => b'1',
    }
}

/// A quantity in 4 bytes; the largest stands for all beyond.
fn short(quantity: u64) -> i32 {
    i32::try_from(quantity).unwrap_or(i32::MAX - 1)
}
