//! MEMX MEMOIR Depth -> events.
//!
//! A security is found by its number of the day, which its directory message announces: messages about one that has not
//! been announced are delivered without an instrument, and counted. Nothing says how symbol and suffix are written as
//! one: here they are joined by a dot, which is ours.
//!
//! **Order Reduced** (12) has one quantity, and no source says whether it was taken away or remains. In Order Executed the
//! field of this name is the amount of what happened, which speaks for the former; the same message of the exchange's feed
//! for options has another field for the amount beside this one, which speaks for the latter; the captures have a single
//! such message, without its order. It is read as what was taken away (`reduced` is the one place that decides), because
//! then being wrong shows: sooner or later the book counts an order that goes below zero or is gone already, and says
//! `Suspect` of the instrument. Each message is counted as `order_reduced_unsettled`, so that no book rests on it in
//! silence.
//!
//! **Continuous trading**: a security's own status says it (`T`), and at the end of the day (session 4) none trades. The
//! other sessions say nothing of single securities.
//!
//! A corrected trade is the break of a print and the print that it should have been; nothing says whether that one was
//! against a displayed order.
//!
//! Not in events, but in `decode`: which securities are for tests, the sizes and prices of broken trades, and where a
//! snapshot ends.

use super::{About, Ahead, Decode, DecodeError, Described, Known, Place, Protocol, Sheet};
use crate::subscribe::{Filter, Standing};
use crate::transport::MemoirFraming;
use feed_common::event::{
    AddOrder, CancelOrder, DeleteOrder, Directory, ExecuteOrder, Flags, MarketHandler, MsgCtx,
    Name, Price, Side, Status, StatusKind, Trade, TradeBreak,
};
use feed_common::time::{UnixNanos, Zone};
use feed_common::wire::ProtocolName;
use feed_common::wire::memoir as wire;
use feed_common::wire::message::{Value, trimmed};
use zerocopy::byteorder::big_endian::I64;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// MEMOIR Depth.
#[derive(Clone, Copy, Debug)]
pub struct Memoir;

impl Protocol for Memoir {
    const NAME: ProtocolName = ProtocolName::Memoir;
    /// Times are on the Unix epoch.
    const ZONE: Zone = Zone::Utc;
    const ABOUT: About = About {
        feed: "MEMX MEMOIR Depth",
        versions: "1.3",
        framing: "MEMX-UDP, SBE",
        books: "orders",
    };
    type Framing = MemoirFraming;
    type Decoder = MemoirDecoder;
}

impl Described for Memoir {
    type Sheet = MemoirSheet;
}

/// Decodes the 13 messages. All memory that order flow looks into is taken when it is made.
#[derive(Debug)]
pub struct MemoirDecoder {
    known: Known,
    reader: Reader,
}

/// What messages are read with, apart from the instruments they are about: what is counted.
#[derive(Clone, Copy, Debug, Default)]
struct Reader {
    long: u64,
    unannounced: u64,
    unsettled: u64,
    price_range: u64,
}

impl Decode for MemoirDecoder {
    fn with_room(instruments: usize) -> MemoirDecoder {
        MemoirDecoder {
            known: Known::with_room(instruments),
            reader: Reader::default(),
        }
    }

    // Always, as for every protocol: the loop over a frame is its one hot caller.
    #[inline(always)]
    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let Some(head) = wire::Head::of(message) else {
            return self.decode_unnumbered(message, cx, out);
        };
        match self.known.of(head.security_id.into()) {
            Some(place) if place.standing == Standing::Wanted => {
                cx.instrument = place.instrument;
                cx.symbol = place.symbol;
                self.reader.tell(head, message, cx, out)
            }
            place => self.decode_aside(head, place.copied(), message, cx, out),
        }
    }

    /// All messages about orders have the number in the same place.
    #[inline(always)]
    fn ahead(&self, message: &[u8]) -> Option<Ahead> {
        let head = wire::Head::of(message)?;
        let order_id = u64::from_be_bytes(*message.get(wire::Head::LEN..)?.first_chunk()?);
        Some(Ahead {
            instrument: self.known.of(head.security_id.into())?.instrument,
            order_id,
            new_id: order_id,
        })
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("message_long", self.reader.long),
            ("security_unannounced", self.reader.unannounced),
            ("order_reduced_unsettled", self.reader.unsettled),
            ("price_range", self.reader.price_range),
            ("instruments_full", self.known.refused()),
        ]
    }

    fn restart(&mut self) {
        self.known.restart();
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

impl MemoirDecoder {
    /// Decodes a message whose security is not simply wanted: not announced, not wanted, or subscribed to late.
    #[inline(never)]
    fn decode_aside<H: MarketHandler>(
        &mut self,
        head: wire::Head,
        place: Option<Place>,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let mut decoded = Ok(());
        let MemoirDecoder { known, reader } = self;
        known.deliver(place.unwrap_or(Place::NOWHERE), cx, |cx| {
            decoded = reader.tell(head, message, cx, out);
        });
        reader.unannounced += u64::from(place.is_none() && decoded.is_ok());
        decoded
    }

    /// Decodes a message that is not about a security by number: what announces one, or concerns all.
    #[inline(never)]
    fn decode_unnumbered<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        if message.is_empty() {
            return Err(DecodeError::Empty);
        }
        (cx.instrument, cx.symbol) = (Place::NOWHERE.instrument, Place::NOWHERE.symbol);
        cx.flags = Flags::END_OF_EVENT;
        match wire::template_of(message) {
            Some(wire::InstrumentDirectory::TEMPLATE) => {
                let m: &wire::InstrumentDirectory = self.reader.lay(message)?;
                return self.announce(m, cx, out);
            }
            Some(wire::TradingSessionStatus::TEMPLATE) => {
                let m: &wire::TradingSessionStatus = self.reader.lay(message)?;
                cx.timestamp = UnixNanos(m.timestamp.get());
                let status = Status {
                    continuous: (m.session == b'4').then_some(false),
                    ..status(StatusKind::SYSTEM, m.session)
                };
                out.on_status(cx, status);
            }
            Some(wire::SnapshotComplete::TEMPLATE) => {
                let _: &wire::SnapshotComplete = self.reader.lay(message)?;
            }
            // About a security, but it ends before saying which; or it has no template.
            Some(0) if message.len() < wire::SBE => return Err(DecodeError::Short),
            Some(template) if wire::length_of(template).is_some() => {
                return Err(DecodeError::Short);
            }
            _ => return Err(DecodeError::UnknownType),
        }
        Ok(())
    }

    /// A security is announced.
    fn announce<H: MarketHandler>(
        &mut self,
        m: &wire::InstrumentDirectory,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let name = name(&m.symbol, &m.symbol_suffix);
        if name == Name::NONE {
            return Err(DecodeError::Invalid);
        }
        let MemoirDecoder { known, reader } = self;
        cx.timestamp = UnixNanos(m.timestamp.get());
        let place = known.intern_name(name.as_bytes());
        known.bind(m.security_id.get().into(), place);
        known.deliver(place, cx, |cx| {
            let directory = Directory {
                round_lot: m.round_lot.get(),
                tick: match m.mpv.get() {
                    0 => Price::NULL,
                    _ => reader.price(m.mpv, cx),
                },
                ..Directory::of(name)
            };
            out.on_directory(cx, directory);
        });
        Ok(())
    }
}

/// Symbol and suffix as one name, with a dot where there are both.
fn name(symbol: &[u8; 6], suffix: &[u8; 6]) -> Name {
    let (symbol, suffix) = (trimmed(symbol), trimmed(suffix));
    let mut text = [0; 13];
    text[..symbol.len()].copy_from_slice(symbol);
    if !suffix.is_empty() {
        text[symbol.len()] = b'.';
        text[symbol.len() + 1..][..suffix.len()].copy_from_slice(suffix);
    }
    Name::new(&text)
}

impl Reader {
    /// The messages about a security, which is in the context already.
    #[inline(always)]
    fn tell<H: MarketHandler>(
        &mut self,
        head: wire::Head,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        cx.timestamp = UnixNanos(head.timestamp);
        cx.flags = Flags::END_OF_EVENT;
        match head.template {
            wire::OrderAdded::TEMPLATE => {
                let m: &wire::OrderAdded = self.lay(message)?;
                let add = AddOrder {
                    order_id: m.order_id.get(),
                    side: Side(m.side),
                    price: self.price(m.price, cx),
                    quantity: m.quantity.get().into(),
                };
                out.on_add(cx, add);
            }
            wire::OrderDeleted::TEMPLATE => {
                let m: &wire::OrderDeleted = self.lay(message)?;
                let order_id = m.order_id.get();
                out.on_delete(cx, DeleteOrder { order_id });
            }
            wire::OrderReduced::TEMPLATE => {
                let m: &wire::OrderReduced = self.lay(message)?;
                self.unsettled += 1;
                out.on_cancel(cx, reduced(m));
            }
            wire::OrderExecuted::TEMPLATE => {
                let m: &wire::OrderExecuted = self.lay(message)?;
                let execute = ExecuteOrder {
                    order_id: m.order_id.get(),
                    quantity: m.quantity.get().into(),
                    price: self.price(m.price, cx),
                    match_id: m.trade_id.get(),
                    printable: true,
                };
                out.on_execute(cx, execute);
            }
            _ => return self.tell_rare(head.template, message, cx, out),
        }
        Ok(())
    }

    /// Those that are not about a displayed order.
    #[inline(never)]
    fn tell_rare<H: MarketHandler>(
        &mut self,
        template: u8,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        match template {
            wire::RegShoRestriction::TEMPLATE => {
                let m: &wire::RegShoRestriction = self.lay(message)?;
                out.on_status(cx, status(StatusKind::SHORT_SALE, m.restricted));
            }
            wire::SecurityTradingStatus::TEMPLATE => {
                let m: &wire::SecurityTradingStatus = self.lay(message)?;
                let status = Status {
                    detail: [m.reason, b' ', b' ', b' '],
                    continuous: match m.status {
                        b'T' => Some(true),
                        b'H' | b'P' | b'Q' => Some(false),
                        _ => None,
                    },
                    ..status(StatusKind::TRADING, m.status)
                };
                out.on_status(cx, status);
            }
            wire::Trade::TEMPLATE => {
                let m: &wire::Trade = self.lay(message)?;
                let trade = Trade {
                    match_id: m.trade_id.get(),
                    side: Side::NONE,
                    price: self.price(m.price, cx),
                    quantity: m.quantity.get().into(),
                    flags: Flags::HIDDEN,
                };
                out.on_trade(cx, trade);
            }
            wire::BrokenTrade::TEMPLATE => {
                let m: &wire::BrokenTrade = self.lay(message)?;
                let match_id = m.trade_id.get();
                out.on_trade_break(cx, TradeBreak { match_id });
            }
            wire::CorrectedTrade::TEMPLATE => {
                let m: &wire::CorrectedTrade = self.lay(message)?;
                let match_id = m.trade_id.get();
                cx.flags = Flags::NONE;
                out.on_trade_break(cx, TradeBreak { match_id });
                cx.flags = Flags::END_OF_EVENT;
                let trade = Trade {
                    match_id,
                    side: Side::NONE,
                    price: self.price(m.corrected_price, cx),
                    quantity: m.corrected_quantity.get().into(),
                    flags: Flags::NONE,
                };
                out.on_trade(cx, trade);
            }
            wire::ClearBook::TEMPLATE => {
                let _: &wire::ClearBook = self.lay(message)?;
                out.on_clear(cx);
            }
            _ => return Err(DecodeError::UnknownType),
        }
        Ok(())
    }

    /// The struct over the front of a message, within its root block.
    #[inline(always)]
    fn lay<'a, T>(&mut self, message: &'a [u8]) -> Result<&'a T, DecodeError>
    where
        T: FromBytes + KnownLayout + Immutable + Unaligned,
    {
        let block = wire::block(message).ok_or(DecodeError::Short)?;
        let (m, _) = T::ref_from_prefix(block).map_err(|_| DecodeError::Short)?;
        if message.len() > size_of::<T>() {
            self.long += 1;
        }
        Ok(m)
    }

    /// A price, or null and marked where it leaves the canonical range.
    #[inline(always)]
    fn price(&mut self, wire: I64, cx: &mut MsgCtx) -> Price {
        // The null price, -2^63, is no multiple of the scale and cannot come out.
        match wire.get().checked_mul(SCALE) {
            Some(nanos) => Price(nanos),
            None => self.price_beyond(cx),
        }
    }

    #[cold]
    fn price_beyond(&mut self, cx: &mut MsgCtx) -> Price {
        self.price_range += 1;
        cx.flags = cx.flags.with(Flags::PRICE_RANGE);
        Price::NULL
    }
}

/// From 6 decimal places to 9.
const SCALE: i64 = 1_000;

/// What an Order Reduced is taken to mean: its quantity is gone.
#[inline(always)]
fn reduced(m: &wire::OrderReduced) -> CancelOrder {
    CancelOrder {
        order_id: m.order_id.get(),
        quantity: m.quantity.get().into(),
    }
}

fn status(what: StatusKind, value: u8) -> Status {
    Status {
        what,
        value,
        detail: *b"    ",
        price: Price::NULL,
        continuous: None,
    }
}

/// The 13 messages for people. The SBE header is left out as framing is.
#[derive(Clone, Copy, Debug)]
pub struct MemoirSheet;

impl Sheet for MemoirSheet {
    /// The template, and above it one more than the schema where that is another.
    fn code(message: &[u8]) -> u32 {
        match message.first_chunk() {
            Some(&[_, _, template, wire::SCHEMA, _, _]) => template.into(),
            Some(&[_, _, template, schema, _, _]) => {
                (u32::from(schema) + 1) << 8 | u32::from(template)
            }
            None => 0,
        }
    }

    fn name(code: u32) -> Option<&'static str> {
        wire::name(u8::try_from(code).ok()?)
    }

    /// The template's number; of another schema's with that schema's before it.
    fn key(code: u32) -> String {
        match (code >> 8, code & 0xFF) {
            (0, template) => template.to_string(),
            (above, template) => format!("{}/{template}", above - 1),
        }
    }

    fn error(message: &[u8]) -> Option<DecodeError> {
        wire::Message::parse(message).err().map(DecodeError::from)
    }

    fn is_long(message: &[u8]) -> bool {
        !excess(message).is_empty()
    }

    fn visit(message: &[u8], visit: &mut dyn FnMut(&'static str, Value<'_>)) {
        let Ok(known) = wire::Message::parse(message) else {
            return visit("bytes", Value::Hex(message));
        };
        let mut layout = known.fields().layout().iter();
        known.fields().visit(&mut |name, value| {
            if layout.next().is_some_and(|field| field.offset >= wire::SBE) {
                visit(name, value);
            }
        });
        if Self::is_long(message) {
            visit("excess", Value::Hex(excess(message)));
        }
    }
}

/// What is behind the fields of its template.
fn excess(message: &[u8]) -> &[u8] {
    let known = wire::template_of(message).and_then(wire::length_of);
    known
        .and_then(|length| message.get(length..))
        .unwrap_or_default()
}

impl From<wire::MessageError> for DecodeError {
    fn from(e: wire::MessageError) -> DecodeError {
        match e {
            wire::MessageError::Empty => DecodeError::Empty,
            wire::MessageError::Short => DecodeError::Short,
            wire::MessageError::UnknownType => DecodeError::UnknownType,
        }
    }
}

#[cfg(test)]
mod tests;
