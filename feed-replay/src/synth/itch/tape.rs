//! Writes ITCH messages: fills in what all have in common, counts them, and knows how many may still come.

use super::orders::Order;
use crate::synth::MessageSink;
use feed_common::wire::itch50 as wire;
use std::io;
use zerocopy::{Immutable, IntoBytes};

/// The instrument a message is about.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// Number of the day.
    pub locate: u16,
    /// Symbol, padded with blanks.
    pub symbol: [u8; 8],
}

impl Name {
    /// Messages that are about no instrument.
    pub const NONE: Name = Name {
        locate: 0,
        symbol: *b"        ",
    };
}

/// The session's messages on their way out.
pub struct Tape<'a> {
    sink: &'a mut dyn MessageSink,
    /// Messages the session may still have.
    pub left: u64,
    /// Time of the event being written, nanoseconds after midnight.
    now: u64,
    tracking: u16,
    /// Time of the first message.
    pub first: Option<u64>,
    /// Bytes of all messages.
    pub bytes: u64,
    /// Messages by type byte.
    pub by_type: [u64; 256],
}

/// A message with the fields that all have in common filled in.
macro_rules! message {
    ($tape:expr, $name:expr, $kind:ident { $($field:ident: $value:expr),* $(,)? }) => {
        wire::$kind {
            stock_locate: $name.locate.into(),
            tracking_number: $tape.tracking.into(),
            timestamp: $tape.now.into(),
            $($field: $value,)*
            ..wire::$kind::new()
        }
    };
}

impl<'a> Tape<'a> {
    /// A session of `messages` messages.
    pub fn new(sink: &'a mut dyn MessageSink, messages: u64) -> Tape<'a> {
        Tape {
            sink,
            left: messages,
            now: 0,
            tracking: 0,
            first: None,
            bytes: 0,
            by_type: [0; 256],
        }
    }

    /// What is written from here on happens at `now` and belongs together.
    pub fn event(&mut self, now: u64) {
        assert!(now >= self.now, "exchange time goes forward");
        self.now = now;
        // Numbers are Nasdaq's own; that those of one event agree is what receivers sometimes look at.
        self.tracking = self.tracking.wrapping_add(2);
    }

    /// Time of the last event.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// System event.
    pub fn system(&mut self, code: u8) -> io::Result<()> {
        self.write(&message!(
            self,
            Name::NONE,
            SystemEvent { event_code: code }
        ))
    }

    /// The instrument is announced.
    pub fn directory(&mut self, name: Name, category: u8) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            StockDirectory {
                stock: name.symbol,
                market_category: category,
                financial_status: b'N',
                round_lot_size: 100.into(),
                round_lots_only: b'N',
                issue_classification: b'C',
                issue_sub_type: *b"Z ",
                authenticity: b'P',
                short_sale_threshold: b'N',
                ipo_flag: b'N',
                luld_tier: b'1',
                etp_flag: b'N',
                inverse_indicator: b'N',
            }
        ))
    }

    /// The instrument trades.
    pub fn trading(&mut self, name: Name) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            StockTradingAction {
                stock: name.symbol,
                trading_state: b'T',
                reserved: b' ',
                reason: *b"    ",
            }
        ))
    }

    /// A new order, with its participant or without.
    pub fn add(
        &mut self,
        name: Name,
        order: &Order,
        participant: Option<[u8; 4]>,
    ) -> io::Result<()> {
        match participant {
            None => self.write(&message!(
                self,
                name,
                AddOrder {
                    order_ref: order.id.into(),
                    side: order.side.0,
                    shares: order.shares.into(),
                    stock: name.symbol,
                    price: order.price.into(),
                }
            )),
            Some(attribution) => self.write(&message!(
                self,
                name,
                AddOrderMpid {
                    order_ref: order.id.into(),
                    side: order.side.0,
                    shares: order.shares.into(),
                    stock: name.symbol,
                    price: order.price.into(),
                    attribution: attribution,
                }
            )),
        }
    }

    /// An order trades at its own price.
    pub fn executed(
        &mut self,
        name: Name,
        order: &Order,
        shares: u32,
        match_number: u64,
    ) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            OrderExecuted {
                order_ref: order.id.into(),
                executed_shares: shares.into(),
                match_number: match_number.into(),
            }
        ))
    }

    /// An order trades at another price, or within a cross.
    pub fn executed_at(
        &mut self,
        name: Name,
        order: &Order,
        shares: u32,
        match_number: u64,
        price: u32,
        printable: bool,
    ) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            OrderExecutedWithPrice {
                order_ref: order.id.into(),
                executed_shares: shares.into(),
                match_number: match_number.into(),
                printable: if printable { b'Y' } else { b'N' },
                execution_price: price.into(),
            }
        ))
    }

    /// An order shrinks.
    pub fn cancel(&mut self, name: Name, order: &Order, shares: u32) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            OrderCancel {
                order_ref: order.id.into(),
                cancelled_shares: shares.into(),
            }
        ))
    }

    /// An order leaves.
    pub fn delete(&mut self, name: Name, order: &Order) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            OrderDelete {
                order_ref: order.id.into()
            }
        ))
    }

    /// An order gives way to another.
    pub fn replace(&mut self, name: Name, old: u64, new: &Order) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            OrderReplace {
                original_ref: old.into(),
                new_ref: new.id.into(),
                shares: new.shares.into(),
                price: new.price.into(),
            }
        ))
    }

    /// A trade against a hidden order.
    pub fn trade(
        &mut self,
        name: Name,
        shares: u32,
        price: u32,
        match_number: u64,
    ) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            Trade {
                side: b'B',
                shares: shares.into(),
                stock: name.symbol,
                price: price.into(),
                match_number: match_number.into(),
            }
        ))
    }

    /// The bulk print of an auction.
    pub fn cross(
        &mut self,
        name: Name,
        kind: u8,
        shares: u64,
        price: u32,
        match_number: u64,
    ) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            CrossTrade {
                shares: shares.into(),
                stock: name.symbol,
                cross_price: price.into(),
                match_number: match_number.into(),
                cross_type: kind,
            }
        ))
    }

    /// An execution is void.
    pub fn broken(&mut self, name: Name, match_number: u64) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            BrokenTrade {
                match_number: match_number.into()
            }
        ))
    }

    /// State of an auction: `side` has `unpaired` shares too many at `price`.
    pub fn imbalance(
        &mut self,
        name: Name,
        kind: u8,
        side: u8,
        paired: u64,
        unpaired: u64,
        price: u32,
    ) -> io::Result<()> {
        self.write(&message!(
            self,
            name,
            NetOrderImbalance {
                paired_shares: paired.into(),
                imbalance_shares: unpaired.into(),
                imbalance_direction: side,
                stock: name.symbol,
                far_price: price.into(),
                near_price: price.into(),
                reference_price: price.into(),
                cross_type: kind,
                price_variation: b'L',
            }
        ))
    }

    fn write<M: IntoBytes + Immutable>(&mut self, message: &M) -> io::Result<()> {
        let bytes = message.as_bytes();
        self.left = self
            .left
            .checked_sub(1)
            .expect("phases stop before the session's count is used up");
        self.first.get_or_insert(self.now);
        self.bytes += bytes.len() as u64;
        self.by_type[usize::from(bytes[0])] += 1;
        self.sink.message(self.now, bytes)
    }
}
