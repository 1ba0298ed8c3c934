//! Writes ITCH messages: fills in what all have in common, counts them, and knows how many may still come.

use super::orders::Order;
use crate::synth::MessageSink;
use feed_common::wire::itch50 as wire;
use std::io;
use zerocopy::{FromBytes, Immutable, IntoBytes};

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

/// How a resting order trades.
#[derive(Clone, Copy, Debug)]
pub struct Execution {
    /// Shares taken from it.
    pub shares: u32,
    /// Match number.
    pub number: u64,
}

/// The session's messages on their way out.
pub struct Tape<'a> {
    sink: &'a mut dyn MessageSink,
    /// Messages the session may still have.
    pub left: u64,
    /// Time of the event being written, nanoseconds after midnight.
    now: u64,
    tracking: u16,
    /// Tracking number and time as every message of the event has them.
    stamp: [u8; 8],
    /// Time of the first message.
    pub first: Option<u64>,
    /// Bytes of all messages.
    pub bytes: u64,
    /// Messages by type byte.
    pub by_type: [u64; 256],
}

impl<'a> Tape<'a> {
    /// A session of `messages` messages.
    pub fn new(sink: &'a mut dyn MessageSink, messages: u64) -> Tape<'a> {
        Tape {
            sink,
            left: messages,
            now: 0,
            tracking: 0,
            stamp: [0; 8],
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
        // Two bytes and six, which a time of day fits.
        self.stamp = (u64::from(self.tracking) << 48 | now).to_be_bytes();
    }

    /// Time of the last event.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Writes a message about an instrument. All of them begin alike: the type is there already, locate, tracking number
    /// and time are filled in.
    #[inline]
    pub fn put<M>(&mut self, name: Name, mut message: M) -> io::Result<()>
    where
        M: FromBytes + IntoBytes + Immutable,
    {
        let bytes = message.as_mut_bytes();
        bytes[1..3].copy_from_slice(&name.locate.to_be_bytes());
        bytes[3..11].copy_from_slice(&self.stamp);
        self.left = self
            .left
            .checked_sub(1)
            .expect("phases stop before the session's count is used up");
        self.first.get_or_insert(self.now);
        self.bytes += bytes.len() as u64;
        self.by_type[usize::from(bytes[0])] += 1;
        self.sink.message(self.now, bytes)
    }

    /// A new order.
    pub fn add(&mut self, name: Name, order: &Order) -> io::Result<()> {
        let message = wire::AddOrder {
            order_ref: order.id.into(),
            side: order.side.0,
            shares: order.shares.into(),
            stock: name.symbol,
            price: order.price.into(),
            ..wire::AddOrder::new()
        };
        self.put(name, message)
    }

    /// A new order with its participant.
    pub fn add_of(&mut self, name: Name, order: &Order, participant: [u8; 4]) -> io::Result<()> {
        let message = wire::AddOrderMpid {
            order_ref: order.id.into(),
            side: order.side.0,
            shares: order.shares.into(),
            stock: name.symbol,
            price: order.price.into(),
            attribution: participant,
            ..wire::AddOrderMpid::new()
        };
        self.put(name, message)
    }

    /// An order trades at its own price.
    pub fn executed(&mut self, name: Name, order: &Order, execution: Execution) -> io::Result<()> {
        let message = wire::OrderExecuted {
            order_ref: order.id.into(),
            executed_shares: execution.shares.into(),
            match_number: execution.number.into(),
            ..wire::OrderExecuted::new()
        };
        self.put(name, message)
    }

    /// An order trades at another price, or within a cross, whose bulk print is the one that counts.
    pub fn executed_at(
        &mut self,
        name: Name,
        order: &Order,
        execution: Execution,
        price: u32,
        printable: bool,
    ) -> io::Result<()> {
        let message = wire::OrderExecutedWithPrice {
            order_ref: order.id.into(),
            executed_shares: execution.shares.into(),
            match_number: execution.number.into(),
            printable: if printable { b'Y' } else { b'N' },
            execution_price: price.into(),
            ..wire::OrderExecutedWithPrice::new()
        };
        self.put(name, message)
    }

    /// An order shrinks.
    pub fn cancel(&mut self, name: Name, order: &Order, shares: u32) -> io::Result<()> {
        let message = wire::OrderCancel {
            order_ref: order.id.into(),
            cancelled_shares: shares.into(),
            ..wire::OrderCancel::new()
        };
        self.put(name, message)
    }

    /// An order leaves.
    pub fn delete(&mut self, name: Name, order: &Order) -> io::Result<()> {
        let message = wire::OrderDelete {
            order_ref: order.id.into(),
            ..wire::OrderDelete::new()
        };
        self.put(name, message)
    }

    /// An order gives way to another.
    pub fn replace(&mut self, name: Name, old: u64, new: &Order) -> io::Result<()> {
        let message = wire::OrderReplace {
            original_ref: old.into(),
            new_ref: new.id.into(),
            shares: new.shares.into(),
            price: new.price.into(),
            ..wire::OrderReplace::new()
        };
        self.put(name, message)
    }

    /// A trade against a hidden order.
    pub fn trade(&mut self, name: Name, execution: Execution, price: u32) -> io::Result<()> {
        let message = wire::Trade {
            side: b'B', // whatever the resting side was
            shares: execution.shares.into(),
            stock: name.symbol,
            price: price.into(),
            match_number: execution.number.into(),
            ..wire::Trade::new()
        };
        self.put(name, message)
    }
}
