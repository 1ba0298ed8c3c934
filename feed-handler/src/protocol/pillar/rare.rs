//! The messages that are not order flow: a few in a thousand, kept out of the hot function's code.

use super::{PillarDecoder, Reader, SECOND};
use crate::protocol::{DecodeError, Place};
use feed_common::event::{
    AddOrder, Directory, Flags, Imbalance, MarketHandler, MsgCtx, Name, Price, Side, Statistic,
    StatisticKind, Status, StatusKind, Trade, TradeBreak,
};
use feed_common::time::UnixNanos;
use feed_common::wire::pillar as wire;
use zerocopy::byteorder::little_endian::U32;

impl PillarDecoder {
    /// Decodes a message that does not begin as those about orders and trades do.
    #[inline(never)]
    pub(super) fn decode_rare<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let PillarDecoder { known, reader } = self;
        cx.flags = Flags::END_OF_EVENT;
        // Those without a time of their own were said when their packet was sent.
        cx.timestamp = cx.sent;
        let nowhere = Place::NOWHERE;
        (cx.instrument, cx.symbol) = (nowhere.instrument, nowhere.symbol);
        let place = |reader: &mut Reader, symbol: U32| {
            let place = known.of(symbol.get());
            reader.oddities.unmapped += u64::from(place.is_none());
            place.copied().unwrap_or(nowhere)
        };
        match wire::kind_of(message) {
            wire::SourceTimeReference::TYPE => {
                let m: &wire::SourceTimeReference = reader.lay(message)?;
                reader.second = u64::from(m.source_time.get()) * SECOND;
            }
            wire::SymbolIndexMapping::TYPE => {
                let m: &wire::SymbolIndexMapping = reader.lay(message)?;
                return self.map(m, cx, out);
            }
            wire::SymbolClear::TYPE => {
                let m: &wire::SymbolClear = reader.lay(message)?;
                cx.timestamp = instant(m.source_time, m.source_time_ns);
                let place = place(reader, m.symbol_index);
                known.deliver(place, cx, |cx| out.on_clear(cx));
            }
            wire::SecurityStatus::TYPE => {
                let m: &wire::SecurityStatus = reader.lay(message)?;
                cx.timestamp = instant(m.source_time, m.source_time_ns);
                let place = place(reader, m.symbol_index);
                known.deliver(place, cx, |cx| reader.status(m, cx, out));
            }
            wire::Imbalance::TYPE => {
                let m: &wire::Imbalance = reader.lay(message)?;
                cx.timestamp = instant(m.source_time, m.source_time_ns);
                let place = place(reader, m.symbol_index);
                known.deliver(place, cx, |cx| reader.imbalance(m, cx, out));
            }
            wire::AddOrderRefresh::TYPE => {
                let m: &wire::AddOrderRefresh = reader.lay(message)?;
                cx.timestamp = instant(m.source_time, m.source_time_ns);
                let place = place(reader, m.symbol_index);
                known.deliver(place, cx, |cx| {
                    let add = AddOrder {
                        order_id: m.order_id.get(),
                        side: Side(m.side),
                        price: reader.price(m.price, cx),
                        quantity: m.volume.get().into(),
                    };
                    out.on_add(cx, add);
                });
            }
            wire::StockSummary::TYPE => {
                let m: &wire::StockSummary = reader.lay(message)?;
                cx.timestamp = instant(m.source_time, m.source_time_ns);
                let place = place(reader, m.symbol_index);
                known.deliver(place, cx, |cx| reader.summary(m, cx, out));
            }
            wire::MessageUnavailable::TYPE => {
                let m: &wire::MessageUnavailable = reader.lay(message)?;
                let range = m.begin_seq.get()..=m.end_seq.get();
                reader.oddities.unavailable += range.size_hint().0 as u64;
            }
            _ => return reader.without_event(message),
        }
        Ok(())
    }

    /// An instrument is announced, or said again with other values.
    fn map<H: MarketHandler>(
        &mut self,
        m: &wire::SymbolIndexMapping,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let PillarDecoder { known, reader } = self;
        let text = m.symbol.split(|&b| b == 0).next().unwrap_or_default();
        let name = Name::new(text);
        if name == Name::NONE {
            return Err(DecodeError::Invalid);
        }
        let place = known.intern_name(name.as_bytes());
        let index = m.symbol_index.get();
        if let Some(before) = known.of(index) {
            reader.oddities.reassigned += u64::from(before.instrument != place.instrument);
        }
        known.bind(index, place);
        reader.rescale(place.instrument, m.price_scale_code);
        known.deliver(place, cx, |cx| reader.directory(name, m, cx, out));
        Ok(())
    }
}

impl Reader {
    /// The messages about trades that are not among order flow.
    #[inline(never)]
    pub(super) fn rare_flow<H: MarketHandler>(
        &mut self,
        kind: u16,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        match kind {
            wire::CrossTrade::TYPE => {
                let m: &wire::CrossTrade = self.lay(message)?;
                let trade = Trade {
                    match_id: m.cross_id.get().into(),
                    side: Side::NONE,
                    price: self.price(m.price, cx),
                    quantity: m.volume.get().into(),
                    flags: Flags::CROSS,
                };
                out.on_trade(cx, trade);
            }
            wire::TradeCancel::TYPE => {
                let m: &wire::TradeCancel = self.lay(message)?;
                let match_id = m.trade_id.get().into();
                out.on_trade_break(cx, TradeBreak { match_id });
            }
            wire::CrossCorrection::TYPE => {
                let m: &wire::CrossCorrection = self.lay(message)?;
                let corrected = Statistic {
                    what: StatisticKind::CROSS_VOLUME,
                    price: Price::NULL,
                    quantity: m.volume.get().into(),
                };
                out.on_statistic(cx, corrected);
            }
            wire::RetailPriceImprovement::TYPE => {
                let m: &wire::RetailPriceImprovement = self.lay(message)?;
                let status = Status {
                    what: StatusKind::RETAIL_INTEREST,
                    value: m.rpi,
                    detail: *b"    ",
                    price: Price::NULL,
                    continuous: None,
                };
                out.on_status(cx, status);
            }
            _ => return Err(DecodeError::UnknownType),
        }
        Ok(())
    }

    /// What says nothing about an instrument: the start of a numbering, the head of a refresh, requests and answers.
    fn without_event(&mut self, message: &[u8]) -> Result<(), DecodeError> {
        let kind = wire::kind_of(message);
        match (message.len(), wire::lengths_of(kind)) {
            (0, _) => Err(DecodeError::Empty),
            (1..4, _) => Err(DecodeError::Short),
            (_, None) => Err(DecodeError::UnknownType),
            (len, Some((size, _))) if len < size => Err(DecodeError::Short),
            (len, Some((size, _))) => {
                self.oddities.long += u64::from(len > size);
                Ok(())
            }
        }
    }

    fn directory<H: MarketHandler>(
        &mut self,
        name: Name,
        m: &wire::SymbolIndexMapping,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let directory = Directory {
            round_lot: m.lot_size.get().into(),
            tick: match m.mpv.get() {
                0 => Price::NULL,
                mpv => Price::from_u32::<4>(mpv.into()),
            },
            ..Directory::of(name)
        };
        let close = self.figure(StatisticKind::PREVIOUS_CLOSE, m.prev_close_price, cx);
        let close = close.map(|close| Statistic {
            quantity: m.prev_close_volume.get().into(),
            ..close
        });
        then([close], cx, out, |cx, out| out.on_directory(cx, directory));
    }

    /// A state, and where that is the end of the day, the end of all orders too.
    fn status<H: MarketHandler>(&mut self, m: &wire::SecurityStatus, cx: &mut MsgCtx, out: &mut H) {
        let what = match m.security_status {
            b'A' | b'C' | b'D' => StatusKind::SHORT_SALE,
            b'I' | b'G' => StatusKind::INDICATION,
            _ => StatusKind::TRADING,
        };
        let said = |byte: u8| if byte == 0 { b' ' } else { byte };
        let status = Status {
            what,
            value: m.security_status,
            detail: [
                said(m.halt_condition),
                said(m.market_state),
                said(m.ssr_state),
                b' ',
            ],
            price: self.some(m.price1, cx),
            continuous: continuous(m),
        };
        let high = match what {
            StatusKind::INDICATION => self.figure(StatisticKind::INDICATION_HIGH, m.price2, cx),
            _ => None,
        };
        if m.security_status != CLOSED {
            return then([high], cx, out, |cx, out| out.on_status(cx, status));
        }
        let last = cx.flags;
        cx.flags = open_ended(last);
        out.on_status(cx, status);
        cx.flags = last;
        out.on_clear(cx);
    }

    /// An imbalance, and those of its prices that there are.
    fn imbalance<H: MarketHandler>(&mut self, m: &wire::Imbalance, cx: &mut MsgCtx, out: &mut H) {
        use StatisticKind as Kind;
        let imbalance = Imbalance {
            side: match m.imbalance_side {
                0 | b' ' => Side::NONE,
                side => Side(side),
            },
            reference: self.some(m.reference_price, cx),
            paired: m.paired_qty.get().into(),
            unpaired: m.total_imbalance_qty.get().into(),
        };
        let figures = [
            (Kind::AUCTION_FAR, m.auction_interest_clearing_price),
            (Kind::AUCTION_NEAR, m.continuous_book_clearing_price),
            (Kind::AUCTION_CLEARING, m.indicative_match_price),
            (Kind::COLLAR_UPPER, m.upper_collar),
            (Kind::COLLAR_LOWER, m.lower_collar),
        ]
        .map(|(what, price)| self.figure(what, price, cx));
        then(figures, cx, out, |cx, out| out.on_imbalance(cx, imbalance));
    }

    fn summary<H: MarketHandler>(&mut self, m: &wire::StockSummary, cx: &mut MsgCtx, out: &mut H) {
        let volume = Statistic {
            what: StatisticKind::VOLUME,
            price: Price::NULL,
            quantity: m.total_volume.get().into(),
        };
        let figures = [
            (StatisticKind::HIGH, m.high_price),
            (StatisticKind::LOW, m.low_price),
            (StatisticKind::OPEN, m.open),
            (StatisticKind::CLOSE, m.close),
        ]
        .map(|(what, price)| self.figure(what, price, cx));
        then(figures, cx, out, |cx, out| out.on_statistic(cx, volume));
    }

    /// A price of which 0 says that there is none.
    fn some(&mut self, wire: U32, cx: &mut MsgCtx) -> Price {
        match wire.get() {
            0 => Price::NULL,
            _ => self.price(wire, cx),
        }
    }

    /// A figure, unless there is none.
    fn figure(&mut self, what: StatisticKind, wire: U32, cx: &mut MsgCtx) -> Option<Statistic> {
        (wire.get() != 0).then(|| Statistic {
            what,
            price: self.price(wire, cx),
            quantity: 0,
        })
    }
}

/// The status of a symbol whose day is over.
const CLOSED: u8 = b'X';

/// The condition of a symbol that is not halted.
const NOT_HALTED: u8 = b'~';

/// Whether orders match as they come after a status. They do in the early, the core and the late session, unless the
/// symbol is halted; and after a resume, if the market is in one of them.
fn continuous(m: &wire::SecurityStatus) -> Option<bool> {
    let session = |state: u8| matches!(state, b'E' | b'O' | b'L');
    match m.security_status {
        b'E' | b'O' | b'L' => Some(m.halt_condition == NOT_HALTED),
        b'5' if m.market_state == 0 => None, // a release that did not say
        b'5' => Some(session(m.market_state)),
        b'4' | b'6' | b'P' | b'B' | CLOSED => Some(false),
        _ => None,
    }
}

/// An event and the figures that belong to it: the last of them ends it.
fn then<H: MarketHandler, const N: usize>(
    figures: [Option<Statistic>; N],
    cx: &mut MsgCtx,
    out: &mut H,
    event: impl FnOnce(&MsgCtx, &mut H),
) {
    let last = cx.flags;
    let mut left = figures.iter().flatten().count();
    let flags = |left: usize| if left == 0 { last } else { open_ended(last) };
    cx.flags = flags(left);
    event(cx, out);
    for &figure in figures.iter().flatten() {
        left -= 1;
        cx.flags = flags(left);
        out.on_statistic(cx, figure);
    }
}

const fn open_ended(flags: Flags) -> Flags {
    Flags(flags.0 & !Flags::END_OF_EVENT.0)
}

/// Seconds and nanoseconds since the epoch, 32 bits of each: far from the end of the range.
fn instant(seconds: U32, nanos: U32) -> UnixNanos {
    UnixNanos(u64::from(seconds.get()) * SECOND + u64::from(nanos.get()))
}
