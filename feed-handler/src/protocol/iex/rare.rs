//! The messages that are not order flow, kept out of the hot function's code.

use super::{IexDecoder, State, WHOLE};
use crate::protocol::{DecodeError, Place};
use feed_common::event::{
    Directory, Flags, Imbalance, MarketHandler, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Name, Price,
    Side, Statistic, StatisticKind, Status, StatusKind, TradeBreak,
};
use feed_common::time::UnixNanos;
use feed_common::wire::iex as wire;
use zerocopy::byteorder::little_endian::I64;

impl IexDecoder {
    /// Decodes a message without a symbol: a system event. The rest of what comes here is none.
    #[inline(never)]
    pub(super) fn decode_unnamed<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let &kind = message.first().ok_or(DecodeError::Empty)?;
        if wire::length_of(kind).is_none() {
            return Err(DecodeError::UnknownType);
        }
        if kind != wire::SystemEvent::TYPE {
            return Err(DecodeError::Short); // for its symbol
        }
        let m: &wire::SystemEvent = self.lay(message)?;
        cx.timestamp = UnixNanos(m.timestamp.get());
        (cx.instrument, cx.symbol) = (NO_INSTRUMENT, NO_SYMBOL);
        cx.flags = WHOLE;
        let status = Status {
            // The other events say nothing about when orders match: that is what trading statuses are for.
            continuous: matches!(m.event, b'E' | b'C').then_some(false),
            ..status(StatusKind::SYSTEM, m.event)
        };
        out.on_status(cx, status);
        Ok(())
    }

    /// Decodes a message of any of these types, whose head is in the context already.
    #[inline(never)]
    pub(super) fn decode_rare<H: MarketHandler>(
        &mut self,
        head: wire::Head,
        place: Place,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        match head.kind {
            wire::SecurityDirectory::TYPE => {
                let m: &wire::SecurityDirectory = self.lay(message)?;
                self.directory(m, cx, out);
            }
            wire::TradeBreak::TYPE => {
                let m: &wire::TradeBreak = self.lay(message)?;
                let match_id = m.trade_id.get();
                out.on_trade_break(cx, TradeBreak { match_id });
            }
            wire::OfficialPrice::TYPE => {
                let m: &wire::OfficialPrice = self.lay(message)?;
                let what = match m.price_type {
                    b'Q' => StatisticKind::OFFICIAL_OPEN,
                    b'M' => StatisticKind::OFFICIAL_CLOSE,
                    _ => return Err(DecodeError::Invalid),
                };
                let price = self.price(cx, m.official_price);
                let official = Statistic {
                    what,
                    price,
                    quantity: 0,
                };
                out.on_statistic(cx, official);
            }
            wire::AuctionInformation::TYPE => {
                let m: &wire::AuctionInformation = self.lay(message)?;
                self.auction(m, cx, out);
            }
            wire::ClearBook::TYPE => {
                let _: &wire::ClearBook = self.lay(message)?;
                out.on_clear(cx);
            }
            _ => {
                let status = self.status(head, place, message)?;
                out.on_status(cx, status);
            }
        }
        Ok(())
    }

    /// The messages that say one state of an instrument.
    fn status(
        &mut self,
        head: wire::Head,
        place: Place,
        message: &[u8],
    ) -> Result<Status, DecodeError> {
        Ok(match head.kind {
            wire::TradingStatus::TYPE => {
                let m: &wire::TradingStatus = self.lay(message)?;
                Status {
                    detail: m.reason,
                    continuous: self.continuous(place, State::TRADING, m.status == b'T'),
                    ..status(StatusKind::TRADING, m.status)
                }
            }
            wire::OperationalHaltStatus::TYPE => {
                let m: &wire::OperationalHaltStatus = self.lay(message)?;
                Status {
                    continuous: self.continuous(place, State::HALTED_HERE, m.status == b'O'),
                    ..status(StatusKind::OPERATIONAL, m.status)
                }
            }
            wire::ShortSalePriceTestStatus::TYPE => {
                let m: &wire::ShortSalePriceTestStatus = self.lay(message)?;
                Status {
                    detail: [m.detail, b' ', b' ', b' '],
                    ..status(StatusKind::SHORT_SALE, m.in_effect)
                }
            }
            wire::RetailLiquidityIndicator::TYPE => {
                let m: &wire::RetailLiquidityIndicator = self.lay(message)?;
                status(StatusKind::RETAIL_INTEREST, m.indicator)
            }
            wire::SecurityEvent::TYPE => {
                let m: &wire::SecurityEvent = self.lay(message)?;
                status(StatusKind::AUCTION, m.event)
            }
            _ => return Err(DecodeError::UnknownType),
        })
    }

    /// Takes one half of what decides about continuous trading, and says what both come to.
    fn continuous(&mut self, place: Place, bit: u8, to: bool) -> Option<bool> {
        let state = self.states.get_mut(place.instrument as usize)?;
        state.set(bit, to);
        Some(state.is_continuous())
    }

    /// An announcement, and the close of the day before if there was one.
    fn directory<H: MarketHandler>(
        &mut self,
        m: &wire::SecurityDirectory,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let directory = Directory {
            round_lot: m.round_lot.get(),
            ..Directory::of(Name::new(&m.symbol))
        };
        let close = [(StatisticKind::PREVIOUS_CLOSE, m.adjusted_poc_price, 0)];
        let last = cx.flags;
        cx.flags = ahead_of(&close, last);
        out.on_directory(cx, directory);
        cx.flags = last;
        self.figures(&close, cx, out);
    }

    fn auction<H: MarketHandler>(
        &mut self,
        m: &wire::AuctionInformation,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let extensions = m.extension_number.into();
        let figures = [
            (
                StatisticKind::AUCTION_CLEARING,
                m.indicative_clearing_price,
                0,
            ),
            (StatisticKind::AUCTION_FAR, m.auction_book_clearing_price, 0),
            (
                StatisticKind::COLLAR_REFERENCE,
                m.collar_reference_price,
                extensions,
            ),
            (StatisticKind::COLLAR_LOWER, m.lower_collar, extensions),
            (StatisticKind::COLLAR_UPPER, m.upper_collar, extensions),
        ];
        let last = cx.flags;
        cx.flags = ahead_of(&figures, last);
        let imbalance = Imbalance {
            side: match m.imbalance_side {
                b'N' => Side::NONE,
                other => Side(other),
            },
            reference: self.price(cx, m.reference_price),
            paired: m.paired_shares.get().into(),
            unpaired: m.imbalance_shares.get().into(),
        };
        out.on_imbalance(cx, imbalance);
        cx.flags = last;
        self.figures(&figures, cx, out);
    }

    /// Tells the figures that there are, which end the event.
    fn figures<H: MarketHandler>(&mut self, figures: &[Figure], cx: &mut MsgCtx, out: &mut H) {
        let last = cx.flags;
        for (i, &(what, price, quantity)) in figures.iter().enumerate() {
            if is_there(&figures[i]) {
                cx.flags = ahead_of(&figures[i + 1..], last);
                let price = self.price(cx, price);
                out.on_statistic(
                    cx,
                    Statistic {
                        what,
                        price,
                        quantity,
                    },
                );
            }
        }
    }
}

/// Price and quantity of a figure. There is none where the price is 0.
type Figure = (StatisticKind, I64, u64);

fn is_there(figure: &Figure) -> bool {
    figure.1.get() != 0
}

/// The flags of an event that has `last` behind these figures.
fn ahead_of(figures: &[Figure], last: Flags) -> Flags {
    match figures.iter().any(is_there) {
        true => Flags(last.0 & !Flags::END_OF_EVENT.0),
        false => last,
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
