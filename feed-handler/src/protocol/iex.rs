//! IEX TOPS, DEEP and DEEP+ -> events. A type byte means the same in all of them, so one decoder reads any.
//!
//! Every message but a system event carries its symbol, by which its instrument is found, so a process that joins late
//! misses no names.
//!
//! **The end of an event.** In DEEP an event of the exchange may change several levels of a security; the last of its
//! updates says so, and only there the level book is whole. Until then no event of the instrument has
//! [`Flags::END_OF_EVENT`]: not those of the levels, and not a trade report or a status between them, which carry no mark
//! of their own and touch no book. A trade report outside of an open event ends with itself. It may come ahead of its
//! event's first update, but then the book behind it is what it was before. Events are those of one instrument
//! ([`Flags::OF_INSTRUMENT`]): what ends for one may be open for another. DEEP+ has no mark (its document groups messages
//! of equal times), so there every message ends its event.
//!
//! **Continuous trading.** An instrument trades continuously when its trading status says so and no operational halt does
//! otherwise: both are kept, since each comes alone. At the end of system hours and of messages no instrument does.
//!
//! **Quotes** (TOPS): a size of 0 says that the side is empty, whatever its price.
//!
//! **Trades**: a single-price cross is [`Flags::CROSS`]. Reports of DEEP+ are of two orders that were not displayed
//! ([`Flags::HIDDEN`]); which feed it is says [`MsgCtx::unit`]. All trades count in volume.
//!
//! **Auctions**: an [`Imbalance`](feed_common::event::Imbalance), and as figures the indicative clearing price
//! (`AUCTION_CLEARING`), the price that the orders on the auction book alone would clear at (`AUCTION_FAR`), and the
//! collar with the number of extensions as quantity. Prices of 0 are left out: there is none.
//!
//! Not in events, but in `decode`: the flags of directory and quotes, sale conditions other than the cross, auction type
//! and time, the tier of the limit up, limit down plan.

mod rare;

use super::sheet::lettered_sheet;
use super::{About, Decode, DecodeError, Described, Instruments, Known, Place, Protocol};
use crate::subscribe::{Filter, Standing};
use crate::transport::IexFraming;
use feed_common::event::{
    AddOrder, DeleteOrder, ExecuteOrder, Flags, LevelUpdate, MarketHandler, ModifyOrder, MsgCtx,
    Price, QuoteUpdate, ReplaceOrder, Side, Trade, Trust,
};
use feed_common::time::{UnixNanos, Zone};
use feed_common::wire::iex as wire;
use feed_common::wire::{ProtocolName, iextp};
use zerocopy::byteorder::little_endian::I64;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// TOPS, DEEP and DEEP+ in IEX-TP.
#[derive(Clone, Copy, Debug)]
pub struct Iex;

impl Protocol for Iex {
    const NAME: ProtocolName = ProtocolName::Iex;
    /// Times are on the Unix epoch.
    const ZONE: Zone = Zone::Utc;
    const ABOUT: About = About {
        feed: "IEX TOPS, DEEP, DEEP+",
        versions: "TOPS 1.5, 1.6; DEEP 1.0; DEEP+ 1.0",
        framing: "IEX-TP 1.25",
        books: "quotes (TOPS), price levels (DEEP), orders (DEEP+)",
    };
    type Framing = IexFraming;
    type Decoder = IexDecoder;
}

lettered_sheet! {
    /// TOPS, DEEP and DEEP+: the 19 messages for people.
    IexSheet of iex
}

impl Described for Iex {
    type Sheet = IexSheet;
}

/// Decodes the 19 messages. All memory is taken when it is made.
#[derive(Debug)]
pub struct IexDecoder {
    known: Known,
    /// By instrument.
    states: Box<[State]>,
    /// Instruments with an open event.
    open: u32,
    oddities: Oddities,
}

/// What has to be remembered of an instrument between its messages: bits.
#[derive(Clone, Copy, Debug, Default)]
struct State(u8);

impl State {
    /// An update of its levels was not the last of its event.
    const OPEN_EVENT: u8 = 1;
    const TRADING: u8 = 1 << 1;
    const HALTED_HERE: u8 = 1 << 2;

    fn set(&mut self, bit: u8, to: bool) {
        self.0 = self.0 & !bit | if to { bit } else { 0 };
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    fn is_continuous(self) -> bool {
        self.has(Self::TRADING) && !self.has(Self::HALTED_HERE)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Oddities {
    long: u64,
    price_range: u64,
}

/// An event that is not over, and one that is.
const OPEN: Flags = Flags::OF_INSTRUMENT;
const WHOLE: Flags = Flags::OF_INSTRUMENT.with(Flags::END_OF_EVENT);

impl IexDecoder {
    /// The instruments seen so far.
    pub fn instruments(&self) -> &Instruments {
        self.known.instruments()
    }
}

impl Decode for IexDecoder {
    fn with_room(instruments: usize) -> IexDecoder {
        IexDecoder {
            known: Known::with_room(instruments),
            states: vec![State::default(); instruments.max(1)].into(),
            open: 0,
            oddities: Oddities::default(),
        }
    }

    // Always: see the decoder of ITCH 5.0.
    #[inline(always)]
    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let head = match wire::Head::of(message) {
            Some(head) if wire::has_symbol(head.kind) => head,
            _ => return self.decode_unnamed(message, cx, out),
        };
        let place = self.known.intern(head.symbol);
        cx.timestamp = UnixNanos(head.timestamp);
        if place.standing != Standing::Wanted {
            return self.decode_aside(head, place, message, cx, out);
        }
        self.dispatch(head, place, message, cx, out)
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("message_long", self.oddities.long),
            ("price_range", self.oddities.price_range),
            ("instruments_full", self.known.refused()),
        ]
    }

    fn restart(&mut self) {
        self.known.restart();
        let seen = self.instruments().len().min(self.states.len());
        self.states[..seen].fill(State::default());
        self.open = 0;
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

impl IexDecoder {
    /// Decodes a message whose instrument is not simply wanted.
    #[inline(never)]
    fn decode_aside<H: MarketHandler>(
        &mut self,
        head: wire::Head,
        place: Place,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        match place.standing {
            Standing::Unwanted => {
                self.known.pass_over();
                Ok(())
            }
            Standing::Late if cx.trust == Trust::VALID => {
                cx.trust = Trust::RECOVERING;
                let decoded = self.dispatch(head, place, message, cx, out);
                cx.trust = Trust::VALID;
                decoded
            }
            _ => self.dispatch(head, place, message, cx, out),
        }
    }

    #[inline(always)]
    fn dispatch<H: MarketHandler>(
        &mut self,
        head: wire::Head,
        place: Place,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        cx.instrument = place.instrument;
        cx.symbol = place.symbol;
        cx.flags = match self.open {
            0 => WHOLE,
            _ => self.flags_of(place),
        };
        match head.kind {
            wire::PriceLevelBuy::TYPE | wire::PriceLevelSell::TYPE => {
                // Both have the same fields.
                let m: &wire::PriceLevelBuy = self.lay(message)?;
                cx.flags = self.level_flags(place, m.event_flags);
                let level = LevelUpdate {
                    side: side(head.kind),
                    price: self.price(cx, m.price),
                    quantity: m.size.get().into(),
                    orders: None,
                };
                out.on_level(cx, level);
            }
            wire::QuoteUpdate::TYPE => {
                let m: &wire::QuoteUpdate = self.lay(message)?;
                let quote = QuoteUpdate {
                    bid: self.price_of_some(cx, m.bid_price, m.bid_size.get()),
                    bid_quantity: m.bid_size.get().into(),
                    ask: self.price_of_some(cx, m.ask_price, m.ask_size.get()),
                    ask_quantity: m.ask_size.get().into(),
                };
                out.on_quote(cx, quote);
            }
            wire::AddOrder::TYPE => {
                let m: &wire::AddOrder = self.lay(message)?;
                if !matches!(m.side, wire::BUY | wire::SELL) {
                    return Err(DecodeError::Invalid);
                }
                let add = AddOrder {
                    order_id: m.order_id.get(),
                    side: side(m.side),
                    price: self.price(cx, m.price),
                    quantity: m.size.get().into(),
                };
                out.on_add(cx, add);
            }
            wire::OrderDelete::TYPE => {
                let m: &wire::OrderDelete = self.lay(message)?;
                let order_id = m.order_id.get();
                out.on_delete(cx, DeleteOrder { order_id });
            }
            wire::OrderModify::TYPE => {
                let m: &wire::OrderModify = self.lay(message)?;
                let (order_id, quantity) = (m.order_id.get(), m.size.get().into());
                let price = self.price(cx, m.price);
                // An order without size has no place in a queue to lose.
                if m.modify_flags & wire::KEEPS_PRIORITY != 0 || quantity == 0 {
                    let modify = ModifyOrder {
                        order_id,
                        price,
                        quantity,
                    };
                    out.on_modify(cx, modify);
                } else {
                    let replace = ReplaceOrder {
                        old_id: order_id,
                        new_id: order_id,
                        price,
                        quantity,
                    };
                    out.on_replace(cx, replace);
                }
            }
            wire::OrderExecuted::TYPE => {
                let m: &wire::OrderExecuted = self.lay(message)?;
                let execute = ExecuteOrder {
                    order_id: m.order_id.get(),
                    quantity: m.size.get().into(),
                    price: self.price(cx, m.price),
                    match_id: m.trade_id.get(),
                    printable: true,
                };
                out.on_execute(cx, execute);
            }
            wire::TradeReport::TYPE => {
                let m: &wire::TradeReport = self.lay(message)?;
                let trade = Trade {
                    match_id: m.trade_id.get(),
                    side: Side::NONE,
                    price: self.price(cx, m.price),
                    quantity: m.size.get().into(),
                    flags: trade_flags(m.sale_flags, cx.unit),
                };
                out.on_trade(cx, trade);
            }
            _ => return self.decode_rare(head, place, message, cx, out),
        }
        Ok(())
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

    /// The flags of an update of levels, which opens or ends an event of its instrument.
    #[inline(always)]
    fn level_flags(&mut self, place: Place, event_flags: u8) -> Flags {
        let complete = event_flags & wire::EVENT_COMPLETE != 0;
        if !complete || self.open > 0 {
            self.open_event(place, !complete);
        }
        if complete { WHOLE } else { OPEN }
    }

    #[cold]
    fn open_event(&mut self, place: Place, open: bool) {
        // An instrument beyond the table has no book either.
        if let Some(state) = self.states.get_mut(place.instrument as usize) {
            match (state.has(State::OPEN_EVENT), open) {
                (false, true) => self.open += 1,
                (true, false) => self.open -= 1,
                _ => {}
            }
            state.set(State::OPEN_EVENT, open);
        }
    }

    /// The flags of a message that has no mark of its own, while there are open events.
    #[cold]
    fn flags_of(&self, place: Place) -> Flags {
        match self.states.get(place.instrument as usize) {
            Some(state) if state.has(State::OPEN_EVENT) => OPEN,
            _ => WHOLE,
        }
    }

    /// A price that belongs to a size: null where that is 0.
    #[inline(always)]
    fn price_of_some(&mut self, cx: &mut MsgCtx, wire: I64, size: u32) -> Price {
        match size {
            0 => Price::NULL,
            _ => self.price(cx, wire),
        }
    }

    /// A price, or null and marked where it leaves the canonical range.
    #[inline(always)]
    fn price(&mut self, cx: &mut MsgCtx, wire: I64) -> Price {
        // The null price, -2^63, is no multiple of the scale and cannot come out.
        match wire.get().checked_mul(SCALE) {
            Some(nanos) => Price(nanos),
            None => self.price_beyond(cx),
        }
    }

    #[cold]
    fn price_beyond(&mut self, cx: &mut MsgCtx) -> Price {
        self.oddities.price_range += 1;
        cx.flags = cx.flags.with(Flags::PRICE_RANGE);
        Price::NULL
    }
}

/// From 4 decimal places to 9.
const SCALE: i64 = 100_000;

/// Of [`wire::AddOrder::side`], and of the types of level updates, which are the same bytes.
#[inline(always)]
fn side(byte: u8) -> Side {
    match byte {
        wire::BUY => Side::BUY,
        _ => Side::SELL,
    }
}

const _: () =
    assert!(wire::PriceLevelBuy::TYPE == wire::BUY && wire::PriceLevelSell::TYPE == wire::SELL);

#[inline(always)]
fn trade_flags(sale_flags: u8, feed: u8) -> Flags {
    const DEEP_PLUS: u8 = iextp::DEEP_PLUS_1_0.to_le_bytes()[0];
    let cross = match sale_flags & wire::sale_flags::SINGLE_PRICE_CROSS {
        0 => Flags::NONE,
        _ => Flags::CROSS,
    };
    match feed {
        DEEP_PLUS => cross.with(Flags::HIDDEN),
        _ => cross,
    }
}

#[cfg(test)]
mod tests;
