//! Nasdaq TotalView-ITCH 5.0 -> events.
//!
//! An instrument is found by its locate, an index good for one day. The directory messages at the start of the day
//! announce it, but a process that joins late learns it from any message that also carries the symbol.
//!
//! A locate is known together with whether its instrument is wanted, so that messages of others are passed over right
//! after their head. A locate that changes its symbol within a session, which is an oddity, is decided about anew from
//! its directory message or its next message on.
//!
//! Not in events, but in `decode`: the directory's classifications, a participant's market maker mode, the time of a
//! direct listing's near price.

mod rare;

use super::sheet::lettered_sheet;
use super::{
    About, Ahead, Decode, DecodeError, Described, Instruments, Protocol, REVIEWED_AT_ONCE,
};
use crate::subscribe::{Filter, Standing};
use crate::transport::{ItchFileFraming, MoldFraming};
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, ExecuteOrder, Flags, MarketHandler, MsgCtx, NO_INSTRUMENT,
    NO_SYMBOL, Price, ReplaceOrder, Side, Trade, Trust,
};
use feed_common::time::{UnixNanos, Zone};
use feed_common::wire::ProtocolName;
use feed_common::wire::itch50 as wire;
use zerocopy::byteorder::big_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// TotalView-ITCH 5.0 in MoldUDP64.
#[derive(Clone, Copy, Debug)]
pub struct Itch50;

impl Protocol for Itch50 {
    const NAME: ProtocolName = ProtocolName::Itch50;
    const ZONE: Zone = Zone::UsEastern;
    const ABOUT: About = About {
        feed: "Nasdaq TotalView-ITCH",
        versions: "5.0",
        framing: "MoldUDP64, BinaryFILE",
        books: "orders",
    };
    type Framing = MoldFraming;
    type Decoder = Itch50Decoder;
}

lettered_sheet! {
    /// TotalView-ITCH 5.0: the 23 messages for people.
    Itch50Sheet of itch50
}

impl Described for Itch50 {
    type Sheet = Itch50Sheet;
}

/// TotalView-ITCH 5.0 in a BinaryFILE.
#[derive(Clone, Copy, Debug)]
pub struct Itch50File;

impl Protocol for Itch50File {
    const NAME: ProtocolName = Itch50::NAME;
    const ZONE: Zone = Itch50::ZONE;
    const ABOUT: About = Itch50::ABOUT;
    type Framing = ItchFileFraming;
    type Decoder = Itch50Decoder;
}

/// Decodes the 23 messages. All memory is taken when it is made.
#[derive(Debug)]
pub struct Itch50Decoder {
    /// By locate. The length is part of the type, so that a 16-bit index needs no check.
    locates: Box<[Located; LOCATES]>,
    instruments: Instruments,
    filter: Box<Filter>,
    /// Locates below this one have been said, some of them.
    learnt: usize,
    /// Locates that the filter has been asked about since it is there.
    reviewed: usize,
    filtered: u64,
    oddities: Oddities,
}

const LOCATES: usize = 1 << 16;

/// What a locate stands for: four to a cache line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(16))]
struct Located {
    symbol: [u8; 8],
    instrument: u32,
    standing: Standing,
}

impl Located {
    const NOTHING: Located = Located {
        symbol: NO_SYMBOL,
        instrument: NO_INSTRUMENT,
        standing: Standing::Unknown,
    };
}

#[derive(Clone, Copy, Debug, Default)]
struct Oddities {
    long: u64,
    unannounced: u64,
    reassigned: u64,
    price_range: u64,
}

impl Itch50Decoder {
    /// The instruments seen so far.
    pub fn instruments(&self) -> &Instruments {
        &self.instruments
    }
}

impl Decode for Itch50Decoder {
    fn with_room(instruments: usize) -> Itch50Decoder {
        let Ok(locates) = vec![Located::NOTHING; LOCATES]
            .into_boxed_slice()
            .try_into()
        else {
            unreachable!("made with that length")
        };
        Itch50Decoder {
            locates,
            instruments: Instruments::with_capacity(instruments),
            filter: Box::default(),
            learnt: 0,
            reviewed: 0,
            filtered: 0,
            oddities: Oddities::default(),
        }
    }

    // Always: the loop over a frame is its one hot caller, and within it context and record stay in registers. Left to
    // the compiler this depends on the program it is built into.
    #[inline(always)]
    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let Some(head) = wire::Head::of(message) else {
            return Err(headless(message));
        };
        // Before the branch on the type, which no processor can foresee: what it waits for meanwhile is then on its way.
        let known = self.locates[usize::from(head.locate)];
        if known.standing != Standing::Wanted {
            return self.decode_aside(message, cx, out);
        }
        self.dispatch(head, known, message, cx, out)
    }

    /// All messages about orders have the number in the same place, and only a replacement has another behind it.
    #[inline(always)]
    fn ahead(&self, message: &[u8]) -> Option<Ahead> {
        const ID: usize = 8;
        let head = wire::Head::of(message)?;
        let id = |at: usize| {
            let bytes = message.get(at..)?.first_chunk::<ID>()?;
            Some(u64::from_be_bytes(*bytes))
        };
        let replaces = head.kind == wire::OrderReplace::TYPE;
        Some(Ahead {
            instrument: self.locates[usize::from(head.locate)].instrument,
            order_id: id(wire::Head::LEN)?,
            new_id: id(wire::Head::LEN + usize::from(replaces) * ID)?,
        })
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("message_long", self.oddities.long),
            ("locate_unannounced", self.oddities.unannounced),
            ("locate_reassigned", self.oddities.reassigned),
            ("price_range", self.oddities.price_range),
            ("instruments_full", self.instruments.refused()),
        ]
    }

    fn restart(&mut self) {
        // What was not said need not be forgotten: a feed that begins anew all the time should not cost a mebibyte each.
        self.locates[..self.learnt].fill(Located::NOTHING);
        self.learnt = 0;
    }

    fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter> {
        self.reviewed = 0;
        std::mem::replace(&mut self.filter, filter)
    }

    fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool {
        let end = (self.reviewed + REVIEWED_AT_ONCE).min(self.learnt);
        for place in &mut self.locates[self.reviewed.min(end)..end] {
            let before = place.standing;
            place.standing = before.again(&place.symbol, &self.filter);
            if before.is_delivered() && !place.standing.is_delivered() {
                let cx = MsgCtx {
                    instrument: place.instrument,
                    symbol: place.symbol,
                    ..*cx
                };
                out.on_clear(&cx);
            }
        }
        self.reviewed = end;
        end < self.learnt
    }

    fn filtered(&self) -> u64 {
        self.filtered
    }
}

impl Itch50Decoder {
    /// Decodes a message whose instrument is not simply wanted: not known yet, not wanted, or subscribed to late.
    // Reads the head again, as `decode_rare` does: handed over, it would be written to memory for every message.
    #[inline(never)]
    fn decode_aside<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let Some(head) = wire::Head::of(message) else {
            return Err(headless(message));
        };
        let mut known = self.locates[usize::from(head.locate)];
        let says = match known.standing {
            Standing::Unknown => symbol_of(message),
            _ if head.kind == wire::StockDirectory::TYPE => symbol_of(message),
            _ => None,
        };
        if let Some(symbol) = says
            && symbol != known.symbol
        {
            known = self.learn(head.locate, symbol);
        }
        match known.standing {
            Standing::Unwanted => {
                self.filtered += 1;
                Ok(())
            }
            Standing::Late if cx.trust == Trust::VALID => {
                cx.trust = Trust::RECOVERING;
                let decoded = self.dispatch(head, known, message, cx, out);
                cx.trust = Trust::VALID;
                decoded
            }
            standing => {
                let decoded = self.dispatch(head, known, message, cx, out);
                let nameless = standing == Standing::Unknown && is_by_locate(head.kind);
                self.oddities.unannounced += u64::from(nameless && decoded.is_ok());
                decoded
            }
        }
    }

    #[inline(always)]
    fn dispatch<H: MarketHandler>(
        &mut self,
        head: wire::Head,
        known: Located,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        fill(cx, known, head.timestamp);
        match head.kind {
            wire::AddOrder::TYPE => {
                let m: &wire::AddOrder = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                let add = AddOrder {
                    order_id: m.order_ref.get(),
                    side: Side(m.side),
                    price: price(m.price),
                    quantity: m.shares.get().into(),
                };
                out.on_add(cx, add);
            }
            wire::AddOrderMpid::TYPE => {
                let m: &wire::AddOrderMpid = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                let add = AddOrder {
                    order_id: m.order_ref.get(),
                    side: Side(m.side),
                    price: price(m.price),
                    quantity: m.shares.get().into(),
                };
                out.on_add(cx, add);
            }
            wire::OrderDelete::TYPE => {
                let m: &wire::OrderDelete = self.lay(message)?;
                let order_id = m.order_ref.get();
                out.on_delete(cx, DeleteOrder { order_id });
            }
            wire::OrderReplace::TYPE => {
                let m: &wire::OrderReplace = self.lay(message)?;
                let replace = ReplaceOrder {
                    old_id: m.original_ref.get(),
                    new_id: m.new_ref.get(),
                    price: price(m.price),
                    quantity: m.shares.get().into(),
                };
                out.on_replace(cx, replace);
            }
            wire::OrderExecuted::TYPE => {
                let m: &wire::OrderExecuted = self.lay(message)?;
                let execute = ExecuteOrder {
                    order_id: m.order_ref.get(),
                    quantity: m.executed_shares.get().into(),
                    price: Price::NULL,
                    match_id: m.match_number.get(),
                    printable: true,
                };
                out.on_execute(cx, execute);
            }
            wire::OrderExecutedWithPrice::TYPE => {
                let m: &wire::OrderExecutedWithPrice = self.lay(message)?;
                let execute = ExecuteOrder {
                    order_id: m.order_ref.get(),
                    quantity: m.executed_shares.get().into(),
                    price: price(m.execution_price),
                    match_id: m.match_number.get(),
                    printable: m.printable == b'Y',
                };
                out.on_execute(cx, execute);
            }
            wire::OrderCancel::TYPE => {
                let m: &wire::OrderCancel = self.lay(message)?;
                let cancel = CancelOrder {
                    order_id: m.order_ref.get(),
                    quantity: m.cancelled_shares.get().into(),
                };
                out.on_cancel(cx, cancel);
            }
            wire::Trade::TYPE => {
                let m: &wire::Trade = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                let trade = Trade {
                    match_id: m.match_number.get(),
                    side: Side(m.side),
                    price: price(m.price),
                    quantity: m.shares.get().into(),
                    flags: Flags::HIDDEN,
                };
                out.on_trade(cx, trade);
            }
            _ => return self.decode_rare(message, cx, out),
        }
        Ok(())
    }

    /// The struct over the front of `message`: the one length check of a message.
    #[inline(always)]
    fn lay<'a, T>(&mut self, message: &'a [u8]) -> Result<&'a T, DecodeError>
    where
        T: FromBytes + KnownLayout + Immutable + Unaligned,
    {
        match T::ref_from_bytes(message) {
            Ok(m) => Ok(m),
            Err(_) => self.lay_over_longer(message),
        }
    }

    /// The same for a message that has another length than the struct.
    #[cold]
    fn lay_over_longer<'a, T>(&mut self, message: &'a [u8]) -> Result<&'a T, DecodeError>
    where
        T: FromBytes + KnownLayout + Immutable + Unaligned,
    {
        let (m, _) = T::ref_from_prefix(message).map_err(|_| DecodeError::Short)?;
        self.oddities.long += 1;
        Ok(m)
    }

    /// Corrects the context of a message that carries its symbol, where that is not what its locate stood for.
    #[inline(always)]
    fn expect(&mut self, cx: &mut MsgCtx, known: Located, locate: u16, symbol: [u8; 8]) {
        if known.symbol != symbol {
            let known = self.learn(locate, symbol);
            cx.instrument = known.instrument;
            cx.symbol = known.symbol;
        }
    }

    #[cold]
    fn learn(&mut self, locate: u16, symbol: [u8; 8]) -> Located {
        let place = &mut self.locates[usize::from(locate)];
        if symbol == NO_SYMBOL {
            return *place;
        }
        let known = Located {
            symbol,
            instrument: self.instruments.intern(symbol),
            standing: Standing::of(&symbol, &self.filter),
        };
        // Locate 0 says that the message is not about one instrument, so what it stood for is not to be kept.
        if locate != 0 {
            self.oddities.reassigned += u64::from(place.symbol != NO_SYMBOL);
            *place = known;
            self.learnt = self.learnt.max(usize::from(locate) + 1);
        }
        known
    }
}

/// The symbol a message carries, if it does.
#[cold]
fn symbol_of(message: &[u8]) -> Option<[u8; 8]> {
    let fields = wire::Message::parse(message).ok()?.fields();
    let stock = fields.layout().iter().find(|f| f.name == "stock")?;
    message.get(stock.offset..)?.first_chunk().copied()
}

/// Whether its locate is all there is to know the instrument of such a message by.
fn is_by_locate(kind: u8) -> bool {
    matches!(
        kind,
        wire::OrderExecuted::TYPE
            | wire::OrderExecutedWithPrice::TYPE
            | wire::OrderCancel::TYPE
            | wire::OrderDelete::TYPE
            | wire::OrderReplace::TYPE
            | wire::BrokenTrade::TYPE
    )
}

/// Why there is no head.
#[cold]
fn headless(message: &[u8]) -> DecodeError {
    match message.first() {
        None => DecodeError::Empty,
        Some(&kind) if wire::length_of(kind).is_some() => DecodeError::Short,
        Some(_) => DecodeError::UnknownType,
    }
}

/// The decoder's half of the context, for a message that is one event.
#[inline(always)]
fn fill(cx: &mut MsgCtx, known: Located, timestamp: u64) {
    let undated = if cx.midnight.is_known() {
        Flags::NONE
    } else {
        Flags::NO_DATE
    };
    // 48 bits of nanoseconds are three days; no midnight of this age comes near the end of the range.
    cx.timestamp = UnixNanos(cx.midnight.0.wrapping_add(timestamp));
    cx.flags = Flags::END_OF_EVENT.with(undated);
    cx.instrument = known.instrument;
    cx.symbol = known.symbol;
}

#[inline(always)]
fn price(wire: U32) -> Price {
    Price::from_u32::<4>(wire.get())
}

#[cfg(test)]
mod tests;
