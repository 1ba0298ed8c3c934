//! Cboe Multicast PITCH for US equities -> events.
//!
//! Messages about orders carry no symbol, so every live order is kept here with its instrument; and what remains of it,
//! because an execution at a price may leave another quantity than it should. Orders are told apart by unit and number.
//! An order that is not known (it was lost, or entered before this process did) is counted, and its events are about no
//! instrument.
//!
//! Times are nanoseconds since the unit's last Time message; before the first one they are unknown. A gap may have
//! swallowed a Time message: until the next one, times are then some seconds early.
//!
//! Not in events, but in `decode`: the display bit and the attribution of orders, the kind of an auction, and everything
//! of the TCP services.

mod orders;
mod rare;
mod sheet;

pub use sheet::PitchSheet;

use super::{About, Ahead, Decode, DecodeError, Described, Known, Place, Protocol};
use crate::subscribe::Filter;
use crate::transport::PitchFraming;
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, MarketHandler, ModifyOrder, MsgCtx,
    Price, ReplaceOrder, Side, Trade,
};
use feed_common::time::{UnixNanos, Zone};
use feed_common::wire::ProtocolName;
use feed_common::wire::pitch::{self as wire, flags};
use orders::{Found, INSTRUMENTS_MAX, Order, Orders};
use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// Multicast PITCH 2.x of Cboe's US equities exchanges.
#[derive(Clone, Copy, Debug)]
pub struct Pitch;

impl Protocol for Pitch {
    const NAME: ProtocolName = ProtocolName::Pitch;
    const ZONE: Zone = Zone::UsEastern;
    const ABOUT: About = About {
        feed: "Cboe Multicast PITCH, US equities",
        versions: "2.x",
        framing: "sequenced units",
        books: "orders",
    };
    type Framing = PitchFraming;
    type Decoder = PitchDecoder;
}

impl Described for Pitch {
    type Sheet = PitchSheet;
}

/// Decodes the messages of the multicast feed. All memory is taken when it is made.
#[derive(Debug)]
pub struct PitchDecoder {
    known: Known,
    orders: Orders,
    /// Nanoseconds from midnight to each unit's last full second, or [`NO_TIME`]. The length is part of the type, so that
    /// a unit needs no check.
    seconds: Box<[u64; UNITS]>,
    /// A bit for each instrument that is to be cleared; all are 0 between messages.
    marks: Box<[u64]>,
    oddities: Oddities,
}

const UNITS: usize = 1 << 8;

/// The second of a unit that has not said any.
const NO_TIME: u64 = u64::MAX;

/// Live orders of a channel: half of what books of a whole exchange are meant for, as a channel has some of its units.
const ORDERS: usize = 1 << 21;

#[derive(Clone, Copy, Debug, Default)]
struct Oddities {
    long: u64,
    price_range: u64,
    order_unknown: u64,
    orders_full: u64,
    time_unknown: u64,
}

impl Decode for PitchDecoder {
    fn with_room(instruments: usize) -> PitchDecoder {
        PitchDecoder::new(instruments, ORDERS)
    }

    // Always: the loop over a frame is its one hot caller, and within it context and record stay in registers.
    #[inline(always)]
    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let &[_, kind, ..] = message else {
            return Err(DecodeError::Empty);
        };
        match kind {
            wire::AddOrderShort::TYPE => {
                let m: &wire::AddOrderShort = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let price = short(m.price);
                let quantity = m.quantity.get().into();
                let order_id = m.order_id.get();
                self.add(cx, out, wide(m.symbol), order_id, m.side, price, quantity);
            }
            wire::AddOrderLong::TYPE => {
                let m: &wire::AddOrderLong = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let price = self.long(cx, m.price);
                let (order_id, quantity) = (m.order_id.get(), m.quantity.get());
                self.add(cx, out, wide(m.symbol), order_id, m.side, price, quantity);
            }
            wire::OrderExecuted::TYPE => {
                let m: &wire::OrderExecuted = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let execute = ExecuteOrder {
                    order_id: m.order_id.get(),
                    quantity: m.executed_quantity.get().into(),
                    price: Price::NULL,
                    match_id: m.execution_id.get(),
                    printable: true,
                };
                let place = self.reduce(cx, execute.order_id, m.executed_quantity.get());
                self.known
                    .deliver(place, cx, |cx| out.on_execute(cx, execute));
            }
            wire::ReduceSizeShort::TYPE => {
                let m: &wire::ReduceSizeShort = self.lay(message)?;
                self.fill(cx, m.time_offset);
                self.cancel(cx, out, m.order_id, m.cancelled_quantity.get().into());
            }
            wire::ReduceSizeLong::TYPE => {
                let m: &wire::ReduceSizeLong = self.lay(message)?;
                self.fill(cx, m.time_offset);
                self.cancel(cx, out, m.order_id, m.cancelled_quantity.get());
            }
            wire::ModifyOrderShort::TYPE => {
                let m: &wire::ModifyOrderShort = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let (price, quantity) = (short(m.price), m.quantity.get().into());
                self.modify(cx, out, m.order_id, price, quantity, m.flags);
            }
            wire::ModifyOrderLong::TYPE => {
                let m: &wire::ModifyOrderLong = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let (price, quantity) = (self.long(cx, m.price), m.quantity.get());
                self.modify(cx, out, m.order_id, price, quantity, m.flags);
            }
            wire::DeleteOrder::TYPE => {
                let m: &wire::DeleteOrder = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let order_id = m.order_id.get();
                let found = self.orders.seek(cx.unit, order_id);
                let place = self.place(found);
                if let Ok(at) = found {
                    self.orders.remove(at);
                }
                let delete = DeleteOrder { order_id };
                self.known
                    .deliver(place, cx, |cx| out.on_delete(cx, delete));
            }
            wire::TradeShort::TYPE => {
                let m: &wire::TradeShort = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let (price, quantity) = (short(m.price), m.quantity.get().into());
                let match_id = m.execution_id.get();
                self.trade(cx, out, wide(m.symbol), match_id, m.side, price, quantity);
            }
            wire::TradeLong::TYPE => {
                let m: &wire::TradeLong = self.lay(message)?;
                self.fill(cx, m.time_offset);
                let (price, quantity) = (self.long(cx, m.price), m.quantity.get());
                let match_id = m.execution_id.get();
                self.trade(cx, out, wide(m.symbol), match_id, m.side, price, quantity);
            }
            _ => return self.decode_rare(kind, message, cx, out),
        }
        Ok(())
    }

    /// All messages about orders have the number in the same place. That of an order that enters leads nowhere yet.
    #[inline(always)]
    fn ahead(&self, message: &[u8]) -> Option<Ahead> {
        let order_id = u64::from_le_bytes(*message.get(6..)?.first_chunk()?);
        Some(Ahead {
            instrument: self.orders.guess(order_id),
            order_id,
            new_id: order_id,
        })
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("message_long", self.oddities.long),
            ("price_range", self.oddities.price_range),
            ("order_unknown", self.oddities.order_unknown),
            ("orders_full", self.oddities.orders_full),
            ("time_unknown", self.oddities.time_unknown),
            ("instruments_full", self.known.refused()),
        ]
    }

    fn restart(&mut self) {
        self.known.restart();
        self.orders.clear();
        self.seconds.fill(NO_TIME);
    }

    fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter> {
        self.known.subscribe(filter)
    }

    fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool {
        self.known.review(cx, out)
    }

    fn filtered(&self) -> u64 {
        self.known.filtered()
    }
}

impl PitchDecoder {
    /// A decoder with room for so many instruments and live orders. Later instruments are delivered without a number;
    /// later orders are delivered, and what becomes of them is about no instrument.
    pub fn new(instruments: usize, orders: usize) -> PitchDecoder {
        let instruments = instruments.min(INSTRUMENTS_MAX);
        PitchDecoder {
            known: Known::with_room(instruments),
            orders: Orders::with_room(orders),
            seconds: Box::new([NO_TIME; UNITS]),
            marks: vec![0; instruments.div_ceil(64)].into(),
            oddities: Oddities::default(),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what the three forms have")]
    #[inline(always)]
    fn add<H: MarketHandler>(
        &mut self,
        cx: &mut MsgCtx,
        out: &mut H,
        symbol: [u8; 8],
        order_id: u64,
        side: u8,
        price: Price,
        quantity: u32,
    ) {
        let place = self.known.intern(symbol);
        // An order of nothing is none; what it is instead, the books say.
        if quantity > 0 {
            let order = Order {
                instrument: place.instrument,
                quantity,
                price,
            };
            let found = self.orders.seek(cx.unit, order_id);
            let room = self.orders.put(found, cx.unit, order_id, order);
            self.oddities.orders_full += u64::from(!room);
        }
        let add = AddOrder {
            order_id,
            side: Side(side),
            price,
            quantity: quantity.into(),
        };
        self.known.deliver(place, cx, |cx| out.on_add(cx, add));
    }

    #[inline(always)]
    fn cancel<H: MarketHandler>(
        &mut self,
        cx: &mut MsgCtx,
        out: &mut H,
        order_id: U64,
        quantity: u32,
    ) {
        let cancel = CancelOrder {
            order_id: order_id.get(),
            quantity: quantity.into(),
        };
        let place = self.reduce(cx, cancel.order_id, quantity);
        self.known
            .deliver(place, cx, |cx| out.on_cancel(cx, cancel));
    }

    /// A modified order keeps its number, and its place in the queue only where the message says so.
    #[inline(always)]
    fn modify<H: MarketHandler>(
        &mut self,
        cx: &mut MsgCtx,
        out: &mut H,
        order_id: U64,
        price: Price,
        quantity: u32,
        flags: u8,
    ) {
        let order_id = order_id.get();
        let found = self.orders.seek(cx.unit, order_id);
        let place = self.place(found);
        if let Ok(at) = found {
            self.orders.reprice(at, price);
            self.orders.resize(at, quantity);
        }
        let quantity = quantity.into();
        // Nothing of an order that is left with nothing would be at the back of a queue.
        if flags & flags::MAINTAINS_PRIORITY != 0 || quantity == 0 {
            let modify = ModifyOrder {
                order_id,
                price,
                quantity,
            };
            self.known
                .deliver(place, cx, |cx| out.on_modify(cx, modify));
        } else {
            let replace = ReplaceOrder {
                old_id: order_id,
                new_id: order_id,
                price,
                quantity,
            };
            self.known
                .deliver(place, cx, |cx| out.on_replace(cx, replace));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what the three forms have")]
    #[inline(always)]
    fn trade<H: MarketHandler>(
        &mut self,
        cx: &mut MsgCtx,
        out: &mut H,
        symbol: [u8; 8],
        match_id: u64,
        side: u8,
        price: Price,
        quantity: u32,
    ) {
        let trade = Trade {
            match_id,
            side: Side(side),
            price,
            quantity: quantity.into(),
            flags: Flags::HIDDEN,
        };
        let place = self.known.intern(symbol);
        self.known.deliver(place, cx, |cx| out.on_trade(cx, trade));
    }

    /// Takes `quantity` away from an order, which leaves when nothing remains; its instrument.
    #[inline(always)]
    fn reduce(&mut self, cx: &MsgCtx, order_id: u64, quantity: u32) -> Place {
        let found = self.orders.seek(cx.unit, order_id);
        let place = self.place(found);
        if let Ok(at) = found {
            let before = self.orders.at(at).quantity;
            self.orders.resize(at, before.saturating_sub(quantity));
        }
        place
    }

    /// The instrument of an order; none, and counted, where it is not known.
    #[inline(always)]
    fn place(&mut self, found: Found) -> Place {
        match found {
            Ok(at) => self.known.at(self.orders.at(at).instrument),
            Err(_) => {
                self.oddities.order_unknown += 1;
                Place::NOWHERE
            }
        }
    }

    /// The struct over the front of `message`: the one length check of a message.
    #[inline(always)]
    fn lay<'a, T>(&mut self, message: &'a [u8]) -> Result<&'a T, DecodeError>
    where
        T: FromBytes + KnownLayout + Immutable + Unaligned,
    {
        let (m, rest) = T::ref_from_prefix(message).map_err(|_| DecodeError::Short)?;
        if !rest.is_empty() {
            self.oddities.long += 1;
        }
        Ok(m)
    }

    /// The decoder's half of the context but for the instrument, for a message that is one event.
    #[inline(always)]
    fn fill(&mut self, cx: &mut MsgCtx, offset: U32) {
        let second = self.seconds[usize::from(cx.unit)];
        cx.flags = Flags::END_OF_EVENT;
        if second == NO_TIME {
            self.oddities.time_unknown += 1;
            cx.timestamp = UnixNanos::UNKNOWN;
            return;
        }
        if !cx.midnight.is_known() {
            cx.flags = cx.flags.with(Flags::NO_DATE);
        }
        // 32 bits of seconds are 136 years; no midnight of this age comes near the end of the range with them.
        let since = second + u64::from(offset.get());
        cx.timestamp = UnixNanos(cx.midnight.0.wrapping_add(since));
    }

    /// A price of the long forms, which can leave the canonical range.
    #[inline(always)]
    fn long(&mut self, cx: &mut MsgCtx, wire: U64) -> Price {
        match Price::from_wide(wire.get().into(), 4) {
            Some(price) => price,
            None => self.out_of_range(cx),
        }
    }

    #[cold]
    fn out_of_range(&mut self, cx: &mut MsgCtx) -> Price {
        self.oddities.price_range += 1;
        cx.flags = cx.flags.with(Flags::PRICE_RANGE);
        Price::NULL
    }
}

/// A price of the short forms.
#[inline(always)]
fn short(wire: U16) -> Price {
    Price::from_u32::<2>(wire.get().into())
}

/// A symbol of the forms that have 6 characters for it.
#[inline(always)]
fn wide([a, b, c, d, e, f]: [u8; 6]) -> [u8; 8] {
    [a, b, c, d, e, f, b' ', b' ']
}

#[cfg(test)]
mod tests;
