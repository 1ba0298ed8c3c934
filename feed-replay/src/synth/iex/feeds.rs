//! What the three feeds say of orders and trades.

use super::{Notices, Segments, code, key, put, shares_of};
use crate::synth::Spec;
use crate::synth::told::{Event, Ledger, Order, Out, Venue, What};
use feed_common::event::Side;
use feed_common::wire::iex::{self, sale_flags};
use feed_common::wire::iextp;

/// DEEP: the total of every price that has changed, the last of an event marked, and every trade.
pub(in crate::synth) struct Deep {
    notices: Notices,
    /// A level of an event that may be over with it: held back until that is known.
    held: Option<iex::PriceLevelBuy>,
}

/// Where a level is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    instrument: usize,
    symbol: [u8; 8],
    side: Side,
    price: u32,
}

impl Venue for Deep {
    type Framer = Segments;

    /// The end of an event before it, a trade, official price, security event and status, its own end, and room for what
    /// it holds back.
    const MOST: u64 = 7;

    fn new(spec: &Spec) -> Deep {
        Deep {
            notices: Notices::new(spec),
            held: None,
        }
    }

    fn framer(spec: &Spec) -> Segments {
        Segments::new(spec, iextp::DEEP_1_0)
    }

    fn events(messages: u64) -> u64 {
        messages - messages / 12
    }

    fn code(message: &[u8]) -> u16 {
        code(message)
    }

    fn key(code: u16) -> String {
        key(code)
    }

    fn tell(&mut self, event: &Event, ledger: &Ledger, out: &mut Out<'_>) {
        let goes_on = matches!(
            event.what,
            What::Add(_)
                | What::Cancel { .. }
                | What::Delete { .. }
                | What::Execute { .. }
                | What::Replace { .. }
        );
        match self.held {
            Some(held) if held.symbol != event.symbol => self.release(true, out),
            Some(_) if goes_on => self.release(false, out),
            _ => {}
        }
        self.notices.tell(event, out);
        match event.what {
            What::Add(order) | What::Cancel { order, .. } | What::Delete { order } => {
                self.level(of(event, &order), !event.more, event, ledger, out);
            }
            What::Execute {
                order,
                shares,
                number,
                price,
                printable,
            } => {
                if printable {
                    let price = price.unwrap_or(order.price);
                    print(&self.notices, event, 0, shares.into(), price, number, out);
                }
                self.level(of(event, &order), !event.more, event, ledger, out);
            }
            What::Replace { old, new } => {
                if old.price != new.price {
                    self.level(of(event, &old), false, event, ledger, out);
                }
                self.level(of(event, &new), !event.more, event, ledger, out);
            }
            What::Hidden {
                shares,
                price,
                number,
            } => print(&self.notices, event, 0, shares.into(), price, number, out),
            What::Cross {
                shares,
                price,
                number,
                auction,
            } => {
                cross(&self.notices, event, shares, price, number, out);
                if shares > 0 {
                    self.notices.official(event, price, auction, out);
                }
                self.notices.security_event(event, auction, out);
                self.notices.opened(event, out);
            }
            What::Imbalance { .. } => self.notices.auction(event, out),
            What::Broken { .. } => self.notices.broken(event, out),
            _ => {}
        }
        if !event.more {
            self.release(true, out);
        }
    }

    fn filler(&mut self, now: u64, out: &mut Out<'_>) {
        match self.held {
            Some(_) => self.release(true, out),
            None => self.notices.filler(now, out),
        }
    }
}

impl Deep {
    /// Says what a level is now.
    fn level(
        &mut self,
        place: Place,
        complete: bool,
        event: &Event,
        ledger: &Ledger,
        out: &mut Out<'_>,
    ) {
        self.release(false, out);
        let total = ledger.level(place.instrument, place.side, place.price);
        let level = iex::PriceLevelBuy {
            msg_type: side(place.side),
            event_flags: 0,
            timestamp: self.notices.time(event).into(),
            symbol: place.symbol,
            size: shares_of(total.map_or(0, |total| total.shares)).into(),
            price: i64::from(place.price).into(),
        };
        self.held = Some(level);
        if complete {
            self.release(true, out);
        }
    }

    /// Sends what was held back, as the last of its event or not.
    fn release(&mut self, complete: bool, out: &mut Out<'_>) {
        if let Some(mut held) = self.held.take() {
            held.event_flags = if complete { iex::EVENT_COMPLETE } else { 0 };
            put(out, held);
        }
    }
}

/// The level of an order.
fn of(event: &Event, order: &Order) -> Place {
    Place {
        instrument: order.instrument,
        symbol: event.symbol,
        side: order.side,
        price: order.price,
    }
}

/// TOPS: the best prices whenever they have changed, and every trade.
pub(in crate::synth) struct Tops {
    notices: Notices,
    /// What was said last, by instrument: price and size of bid and offer.
    said: Vec<Best>,
}

type Best = [(u32, u32); 2];

impl Venue for Tops {
    type Framer = Segments;

    /// A trade, official price and status, and the quote.
    const MOST: u64 = 4;

    fn new(spec: &Spec) -> Tops {
        Tops {
            notices: Notices::new(spec),
            said: Vec::new(),
        }
    }

    fn framer(spec: &Spec) -> Segments {
        Segments::new(spec, iextp::TOPS_1_6)
    }

    fn events(messages: u64) -> u64 {
        messages * 2 + messages / 10
    }

    fn code(message: &[u8]) -> u16 {
        code(message)
    }

    fn key(code: u16) -> String {
        key(code)
    }

    fn tell(&mut self, event: &Event, ledger: &Ledger, out: &mut Out<'_>) {
        self.notices.tell(event, out);
        match event.what {
            What::Directory { .. } => self.said.push(Best::default()),
            What::Execute {
                order,
                shares,
                number,
                price,
                printable: true,
            } => {
                let price = price.unwrap_or(order.price);
                print(&self.notices, event, 0, shares.into(), price, number, out);
            }
            What::Hidden {
                shares,
                price,
                number,
            } => print(&self.notices, event, 0, shares.into(), price, number, out),
            What::Cross {
                shares,
                price,
                number,
                auction,
            } => {
                cross(&self.notices, event, shares, price, number, out);
                if shares > 0 {
                    self.notices.official(event, price, auction, out);
                }
                self.notices.opened(event, out);
            }
            What::Imbalance { .. } => self.notices.auction(event, out),
            What::Broken { .. } => self.notices.broken(event, out),
            _ => {}
        }
        if event.symbol != *b"        " {
            self.quote(event, ledger, out);
        }
    }

    fn filler(&mut self, now: u64, out: &mut Out<'_>) {
        self.notices.filler(now, out);
    }
}

impl Tops {
    /// Says the best prices, if they are others than before.
    fn quote(&mut self, event: &Event, ledger: &Ledger, out: &mut Out<'_>) {
        let best = |side| {
            let best = ledger.best(event.instrument, side);
            best.map_or((0, 0), |best| (best.price, shares_of(best.shares)))
        };
        let now = [best(Side::BUY), best(Side::SELL)];
        let said = &mut self.said[event.instrument];
        if std::mem::replace(said, now) == now {
            return;
        }
        let [(bid_price, bid_size), (ask_price, ask_size)] = now;
        let quote = iex::QuoteUpdate {
            flags: if self.notices.open { 0 } else { 0x40 },
            timestamp: self.notices.time(event).into(),
            symbol: event.symbol,
            bid_size: bid_size.into(),
            bid_price: i64::from(bid_price).into(),
            ask_price: i64::from(ask_price).into(),
            ask_size: ask_size.into(),
            ..iex::QuoteUpdate::new()
        };
        put(out, quote);
    }
}

/// DEEP+: every order under the number it began with, and trades of orders that were not displayed.
///
/// What trades in a cross leaves its order without a print of its own; the cross is one trade.
pub(in crate::synth) struct DeepPlus {
    notices: Notices,
}

impl Venue for DeepPlus {
    type Framer = Segments;

    /// A trade, security event and status.
    const MOST: u64 = 3;

    fn new(spec: &Spec) -> DeepPlus {
        DeepPlus {
            notices: Notices::new(spec),
        }
    }

    fn framer(spec: &Spec) -> Segments {
        Segments::new(spec, iextp::DEEP_PLUS_1_0)
    }

    fn code(message: &[u8]) -> u16 {
        code(message)
    }

    fn key(code: u16) -> String {
        key(code)
    }

    fn tell(&mut self, event: &Event, _: &Ledger, out: &mut Out<'_>) {
        self.notices.tell(event, out);
        let timestamp = self.notices.time(event).into();
        match event.what {
            What::Add(order) => {
                let add = iex::AddOrder {
                    side: side(order.side),
                    timestamp,
                    symbol: event.symbol,
                    order_id: order.origin.into(),
                    size: order.shares.into(),
                    price: i64::from(order.price).into(),
                    ..iex::AddOrder::new()
                };
                put(out, add);
            }
            What::Execute {
                order,
                shares,
                number,
                price,
                printable: true,
            } => {
                let executed = iex::OrderExecuted {
                    sale_flags: self.notices.sale(shares.into()),
                    timestamp,
                    symbol: event.symbol,
                    order_id: order.origin.into(),
                    size: shares.into(),
                    price: i64::from(price.unwrap_or(order.price)).into(),
                    trade_id: number.into(),
                    ..iex::OrderExecuted::new()
                };
                put(out, executed);
            }
            What::Execute { order, shares, .. } | What::Cancel { order, shares } => {
                let left = Order {
                    shares: order.shares - shares,
                    ..order
                };
                match left.shares {
                    0 => self.delete(event, &order, out),
                    _ => self.modify(event, iex::KEEPS_PRIORITY, &left, out),
                }
            }
            What::Delete { order } => self.delete(event, &order, out),
            What::Replace { new, .. } => self.modify(event, 0, &new, out),
            What::Hidden {
                shares,
                price,
                number,
            } => print(&self.notices, event, 0, shares.into(), price, number, out),
            What::Cross {
                shares,
                price,
                number,
                auction,
            } => {
                cross(&self.notices, event, shares, price, number, out);
                self.notices.security_event(event, auction, out);
                self.notices.opened(event, out);
            }
            What::Broken { .. } => self.notices.broken(event, out),
            _ => {}
        }
    }

    fn filler(&mut self, now: u64, out: &mut Out<'_>) {
        self.notices.filler(now, out);
    }
}

impl DeepPlus {
    fn delete(&self, event: &Event, order: &Order, out: &mut Out<'_>) {
        let delete = iex::OrderDelete {
            timestamp: self.notices.time(event).into(),
            symbol: event.symbol,
            order_id: order.origin.into(),
            ..iex::OrderDelete::new()
        };
        put(out, delete);
    }

    /// An order is now as said.
    fn modify(&self, event: &Event, modify_flags: u8, order: &Order, out: &mut Out<'_>) {
        let modify = iex::OrderModify {
            modify_flags,
            timestamp: self.notices.time(event).into(),
            symbol: event.symbol,
            order_id: order.origin.into(),
            size: order.shares.into(),
            price: i64::from(order.price).into(),
            ..iex::OrderModify::new()
        };
        put(out, modify);
    }
}

/// Orders and levels have the same bytes for their sides.
fn side(side: Side) -> u8 {
    match side {
        Side::BUY => iex::BUY,
        _ => iex::SELL,
    }
}

/// A trade, with flags besides those that follow from its size and hour.
fn print(
    notices: &Notices,
    event: &Event,
    flags: u8,
    shares: u64,
    price: u32,
    number: u64,
    out: &mut Out<'_>,
) {
    let flags = flags | notices.sale(shares);
    put(out, notices.trade(event, flags, shares, price, number));
}

/// The bulk print of a cross in which something traded.
fn cross(
    notices: &Notices,
    event: &Event,
    shares: u64,
    price: u32,
    number: u64,
    out: &mut Out<'_>,
) {
    if shares > 0 {
        let flags = sale_flags::SINGLE_PRICE_CROSS;
        print(notices, event, flags, shares, price, number, out);
    }
}
