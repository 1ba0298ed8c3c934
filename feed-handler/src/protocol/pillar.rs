//! NYSE XDP Integrated Feed of the Pillar markets -> events.
//!
//! An instrument is found by its symbol index, which stays the same from day to day: it survives a numbering that begins
//! anew. Its mapping message also says where the point is in its prices. The price of a symbol that has not been mapped,
//! or whose scale code is out of range, is not guessed: it is null, flagged and counted.
//!
//! Messages about orders and trades say only the nanoseconds of their time. The second is that of the channel's last
//! Source Time Reference, and before the first one that in which the packet was sent.
//!
//! What earlier releases did not send is read as zeros, which mean "none" wherever an event has room for that.
//!
//! Not in events, but in `decode`: a mapping's classifications, attribution (`firm_id`), trade conditions, the auction's
//! time, type and states, its short sale filing price and its unpaired quantity at the indicative price, the volume and
//! time of a short sale trigger.

mod rare;
mod sheet;

pub use sheet::PillarSheet;

use super::{About, Ahead, Decode, DecodeError, Described, Known, Place, Protocol};
use crate::subscribe::{Filter, Standing};
use crate::transport::PillarFraming;
use feed_common::event::{
    AddOrder, DeleteOrder, ExecuteOrder, Flags, MarketHandler, ModifyOrder, MsgCtx, Price,
    ReplaceOrder, Side, Trade,
};
use feed_common::time::{UnixNanos, Zone};
use feed_common::wire::ProtocolName;
use feed_common::wire::pillar as wire;
use zerocopy::byteorder::little_endian::U32;
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// NYSE XDP as the Pillar markets send it.
#[derive(Clone, Copy, Debug)]
pub struct Pillar;

impl Protocol for Pillar {
    const NAME: ProtocolName = ProtocolName::Pillar;
    const ZONE: Zone = Zone::Utc;
    const ABOUT: About = About {
        feed: "NYSE XDP, Pillar Integrated",
        versions: "2.1 to 2.5",
        framing: "XDP packets",
        books: "orders",
    };
    type Framing = PillarFraming;
    type Decoder = PillarDecoder;
}

impl Described for Pillar {
    type Sheet = PillarSheet;
}

/// Decodes the messages of a channel. What order flow looks into is taken when it is made.
#[derive(Debug)]
pub struct PillarDecoder {
    known: Known,
    reader: Reader,
}

/// What messages are read with, apart from the instruments they are about.
#[derive(Debug)]
struct Reader {
    /// By instrument.
    scales: Box<[Scale]>,
    /// The second that times are in, in nanoseconds since the epoch; 0 before it has been said.
    second: u64,
    oddities: Oddities,
}

/// What an instrument's prices are multiplied by to be canonical; 0 where that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Scale(u32);

#[derive(Clone, Copy, Debug, Default)]
struct Oddities {
    long: u64,
    earlier: u64,
    unmapped: u64,
    reassigned: u64,
    scale_range: u64,
    scale_unknown: u64,
    unavailable: u64,
}

const SECOND: u64 = 1_000_000_000;

impl Scale {
    const UNKNOWN: Scale = Scale(0);

    /// Of a price scale code: decimal places.
    fn of(code: u8) -> Scale {
        let more = Price::DECIMALS.checked_sub(code.into());
        more.map_or(Scale::UNKNOWN, |more| Scale(10u32.pow(more)))
    }
}

impl Decode for PillarDecoder {
    fn with_room(instruments: usize) -> PillarDecoder {
        PillarDecoder {
            known: Known::with_room(instruments),
            reader: Reader {
                scales: vec![Scale::UNKNOWN; instruments.max(1)].into(),
                second: 0,
                oddities: Oddities::default(),
            },
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
        match self.decode_whole(message, cx, out) {
            Err(DecodeError::Short) => self.decode_short(message, cx, out),
            done => done,
        }
    }

    /// All messages about orders have the number in the same place, and only a replacement has another behind it.
    #[inline(always)]
    fn ahead(&self, message: &[u8]) -> Option<Ahead> {
        const ORDER: usize = 16;
        const ID: usize = 8;
        let head = wire::Head::of(message)?;
        let id = |at: usize| {
            let bytes = message.get(at..)?.first_chunk::<ID>()?;
            Some(u64::from_le_bytes(*bytes))
        };
        let replaces = head.kind == wire::ReplaceOrder::TYPE;
        Some(Ahead {
            instrument: self.known.of(head.symbol)?.instrument,
            order_id: id(ORDER)?,
            new_id: id(ORDER + usize::from(replaces) * ID)?,
        })
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        let odd = &self.reader.oddities;
        vec![
            ("message_long", odd.long),
            ("message_earlier_release", odd.earlier),
            ("symbol_unmapped", odd.unmapped),
            ("symbol_reassigned", odd.reassigned),
            ("scale_range", odd.scale_range),
            ("scale_unknown", odd.scale_unknown),
            ("messages_unavailable", odd.unavailable),
            ("instruments_full", self.known.refused()),
        ]
    }

    fn restart(&mut self) {
        self.known.resume();
        self.reader.second = 0;
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

impl PillarDecoder {
    /// Decodes a message that has all the bytes of its type.
    #[inline(always)]
    fn decode_whole<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let Some(head) = wire::Head::of(message) else {
            return self.decode_rare(message, cx, out);
        };
        match self.known.of(head.symbol) {
            Some(place) if place.standing == Standing::Wanted => {
                cx.instrument = place.instrument;
                cx.symbol = place.symbol;
                self.reader.flow(head, message, cx, out)
            }
            place => self.decode_aside(head, place.copied(), message, cx, out),
        }
    }

    /// Decodes a message whose instrument is not simply wanted: not mapped yet, not wanted, or subscribed to late.
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
        let PillarDecoder { known, reader } = self;
        known.deliver(place.unwrap_or(Place::NOWHERE), cx, |cx| {
            decoded = reader.flow(head, message, cx, out);
        });
        if place.is_none() && decoded.is_ok() {
            self.reader.oddities.unmapped += 1;
        }
        decoded
    }

    /// Decodes a message that has less than its type: those of earlier releases may.
    #[cold]
    #[inline(never)]
    fn decode_short<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let mut room = [0; wire::LONGEST];
        let long = wire::lengthened(message, &mut room).ok_or(DecodeError::Short)?;
        self.reader.oddities.earlier += 1;
        self.decode_whole(long, cx, out)
    }
}

impl Reader {
    /// The messages about orders and trades; their instrument is in the context already.
    #[inline(always)]
    fn flow<H: MarketHandler>(
        &mut self,
        head: wire::Head,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        cx.timestamp = self.time(cx, head.nanos);
        cx.flags = Flags::END_OF_EVENT;
        match head.kind {
            wire::AddOrder::TYPE => {
                let m: &wire::AddOrder = self.lay(message)?;
                let add = AddOrder {
                    order_id: m.order_id.get(),
                    side: Side(m.side),
                    price: self.price(m.price, cx),
                    quantity: m.volume.get().into(),
                };
                out.on_add(cx, add);
            }
            wire::DeleteOrder::TYPE => {
                let m: &wire::DeleteOrder = self.lay(message)?;
                let order_id = m.order_id.get();
                out.on_delete(cx, DeleteOrder { order_id });
            }
            wire::OrderExecution::TYPE => {
                let m: &wire::OrderExecution = self.lay(message)?;
                let execute = ExecuteOrder {
                    order_id: m.order_id.get(),
                    quantity: m.volume.get().into(),
                    price: self.price(m.price, cx),
                    match_id: m.trade_id.get().into(),
                    printable: m.printable != 0,
                };
                out.on_execute(cx, execute);
            }
            wire::ReplaceOrder::TYPE => {
                let m: &wire::ReplaceOrder = self.lay(message)?;
                let replace = ReplaceOrder {
                    old_id: m.order_id.get(),
                    new_id: m.new_order_id.get(),
                    price: self.price(m.price, cx),
                    quantity: m.volume.get().into(),
                };
                out.on_replace(cx, replace);
            }
            wire::ModifyOrder::TYPE => {
                let m: &wire::ModifyOrder = self.lay(message)?;
                let (order_id, quantity) = (m.order_id.get(), m.volume.get().into());
                let price = self.price(m.price, cx);
                // At another price it has lost its place in any case, which the books see to.
                if m.position_change == 0 {
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
            wire::NonDisplayedTrade::TYPE => {
                let m: &wire::NonDisplayedTrade = self.lay(message)?;
                let unprinted = match m.printable {
                    0 => Flags::NON_PRINTABLE,
                    _ => Flags::NONE,
                };
                let trade = Trade {
                    match_id: m.trade_id.get().into(),
                    side: Side::NONE,
                    price: self.price(m.price, cx),
                    quantity: m.volume.get().into(),
                    flags: Flags::HIDDEN.with(unprinted),
                };
                out.on_trade(cx, trade);
            }
            _ => return self.rare_flow(head.kind, message, cx, out),
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

    /// The time of a message that says only its nanoseconds.
    #[inline(always)]
    fn time(&self, cx: &MsgCtx, nanos: u32) -> UnixNanos {
        let second = match self.second {
            0 => cx.sent.0 - cx.sent.0 % SECOND,
            said => said,
        };
        UnixNanos(second + u64::from(nanos))
    }

    /// A price of the context's instrument. The product of a scale and 32 bits cannot leave the range.
    #[inline(always)]
    fn price(&mut self, wire: U32, cx: &mut MsgCtx) -> Price {
        match self.scales.get(cx.instrument as usize) {
            Some(&Scale(scale)) if scale != 0 => Price(i64::from(wire.get()) * i64::from(scale)),
            _ => self.unscaled(cx),
        }
    }

    #[cold]
    fn unscaled(&mut self, cx: &mut MsgCtx) -> Price {
        self.oddities.scale_unknown += 1;
        cx.flags = cx.flags.with(Flags::PRICE_RANGE);
        Price::NULL
    }

    /// From now on the prices of an instrument have so many decimal places.
    fn rescale(&mut self, instrument: u32, code: u8) {
        let scale = Scale::of(code);
        self.oddities.scale_range += u64::from(scale == Scale::UNKNOWN);
        // There is none for instruments beyond the table.
        if let Some(kept) = self.scales.get_mut(instrument as usize) {
            *kept = scale;
        }
    }
}

#[cfg(test)]
mod tests;
