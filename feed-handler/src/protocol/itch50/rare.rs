//! The messages that are not order flow: a few in a thousand, kept out of the hot function's code.

use super::{Itch50Decoder, headless, price};
use crate::protocol::DecodeError;
use feed_common::event::{
    Directory, Flags, Imbalance, MarketHandler, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Name, Price,
    Side, Statistic, StatisticKind, Status, StatusKind, Trade, TradeBreak,
};
use feed_common::wire::itch50 as wire;
use zerocopy::byteorder::big_endian::U64;

impl Itch50Decoder {
    /// Decodes a message of any of these types, whose head is in the context already.
    #[inline(never)]
    pub(super) fn decode_rare<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let Some(head) = wire::Head::of(message) else {
            return Err(headless(message));
        };
        let known = self.locates[usize::from(head.locate)];
        match head.kind {
            wire::CrossTrade::TYPE => {
                let m: &wire::CrossTrade = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                let trade = Trade {
                    match_id: m.match_number.get(),
                    side: Side::NONE,
                    price: price(m.cross_price),
                    quantity: m.shares.get(),
                    flags: Flags::CROSS,
                };
                out.on_trade(cx, trade);
            }
            wire::BrokenTrade::TYPE => {
                let m: &wire::BrokenTrade = self.lay(message)?;
                let match_id = m.match_number.get();
                out.on_trade_break(cx, TradeBreak { match_id });
            }
            wire::NetOrderImbalance::TYPE => {
                let m: &wire::NetOrderImbalance = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                imbalance(m, cx, out);
            }
            wire::StockDirectory::TYPE => {
                let m: &wire::StockDirectory = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                let directory = Directory {
                    round_lot: m.round_lot_size.get(),
                    ..Directory::of(Name::new(&m.stock))
                };
                out.on_directory(cx, directory);
            }
            wire::LuldAuctionCollar::TYPE => {
                let m: &wire::LuldAuctionCollar = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                // The quantity of each: how often the collar has been extended.
                let extensions = m.extension.get().into();
                let figure = |what, p| Statistic {
                    what,
                    price: price(p),
                    quantity: extensions,
                };
                let figures = [
                    figure(StatisticKind::COLLAR_REFERENCE, m.reference_price),
                    figure(StatisticKind::COLLAR_UPPER, m.upper_price),
                    figure(StatisticKind::COLLAR_LOWER, m.lower_price),
                ];
                statistics(&figures, cx, out);
            }
            wire::MwcbDeclineLevel::TYPE => {
                let m: &wire::MwcbDeclineLevel = self.lay(message)?;
                nowhere(cx);
                self.breaker_levels(m, cx, out);
            }
            wire::DirectListing::TYPE => {
                let m: &wire::DirectListing = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                direct_listing(m, cx, out);
            }
            _ => {
                let status = self.status(head, message, cx)?;
                out.on_status(cx, status);
            }
        }
        Ok(())
    }

    /// The messages that say one state.
    fn status(
        &mut self,
        head: wire::Head,
        message: &[u8],
        cx: &mut MsgCtx,
    ) -> Result<Status, DecodeError> {
        let known = self.locates[usize::from(head.locate)];
        let plain = |what, value| Status {
            what,
            value,
            detail: *b"    ",
            price: Price::NULL,
            continuous: None,
        };
        Ok(match head.kind {
            wire::SystemEvent::TYPE => {
                let m: &wire::SystemEvent = self.lay(message)?;
                nowhere(cx);
                plain(StatusKind::SYSTEM, m.event_code)
            }
            wire::MwcbStatus::TYPE => {
                let m: &wire::MwcbStatus = self.lay(message)?;
                nowhere(cx);
                plain(StatusKind::CIRCUIT_BREAKER, m.breached_level)
            }
            wire::StockTradingAction::TYPE => {
                let m: &wire::StockTradingAction = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                Status {
                    detail: m.reason,
                    ..plain(StatusKind::TRADING, m.trading_state)
                }
            }
            wire::RegShoRestriction::TYPE => {
                let m: &wire::RegShoRestriction = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                plain(StatusKind::SHORT_SALE, m.reg_sho_action)
            }
            wire::MarketParticipantPosition::TYPE => {
                let m: &wire::MarketParticipantPosition = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                Status {
                    detail: m.mpid,
                    ..plain(StatusKind::PARTICIPANT, m.participant_state)
                }
            }
            wire::QuotingPeriodUpdate::TYPE => {
                let m: &wire::QuotingPeriodUpdate = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                Status {
                    // A record shows the detail as a little-endian integer: the release time in seconds.
                    detail: m.release_time.get().to_le_bytes(),
                    price: price(m.ipo_price),
                    ..plain(StatusKind::QUOTING_PERIOD, m.qualifier)
                }
            }
            wire::OperationalHalt::TYPE => {
                let m: &wire::OperationalHalt = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                Status {
                    detail: [m.market_code, b' ', b' ', b' '],
                    ..plain(StatusKind::OPERATIONAL, m.action)
                }
            }
            wire::RetailPriceImprovement::TYPE => {
                let m: &wire::RetailPriceImprovement = self.lay(message)?;
                self.expect(cx, known, head.locate, m.stock);
                plain(StatusKind::RETAIL_INTEREST, m.interest_flag)
            }
            _ => return Err(DecodeError::UnknownType),
        })
    }

    /// Breaker levels have 8 decimal places in 64 bits, the only prices that can leave the canonical range.
    fn breaker_levels<H: MarketHandler>(
        &mut self,
        m: &wire::MwcbDeclineLevel,
        cx: &mut MsgCtx,
        out: &mut H,
    ) {
        let levels = [
            (StatisticKind::BREAKER_LEVEL_1, m.level1),
            (StatisticKind::BREAKER_LEVEL_2, m.level2),
            (StatisticKind::BREAKER_LEVEL_3, m.level3),
        ];
        let figures = levels.map(|(what, level): (_, U64)| {
            let wide = Price::from_wide(level.get().into(), 8);
            self.oddities.price_range += u64::from(wide.is_none());
            Statistic {
                what,
                price: wide.unwrap_or(Price::NULL),
                quantity: 0,
            }
        });
        statistics(&figures, cx, out);
    }
}

/// The context of a message that is about no instrument.
fn nowhere(cx: &mut MsgCtx) {
    (cx.instrument, cx.symbol) = (NO_INSTRUMENT, NO_SYMBOL);
}

/// Several figures of one message: one event, which the last one ends.
fn statistics<H: MarketHandler>(figures: &[Statistic], cx: &mut MsgCtx, out: &mut H) {
    let last = cx.flags;
    for (i, &figure) in figures.iter().enumerate() {
        let end = if i + 1 == figures.len() {
            last
        } else {
            open_ended(last)
        };
        cx.flags = match figure.price.is_some() {
            true => end,
            false => end.with(Flags::PRICE_RANGE),
        };
        out.on_statistic(cx, figure);
    }
}

const fn open_ended(flags: Flags) -> Flags {
    Flags(flags.0 & !Flags::END_OF_EVENT.0)
}

/// An imbalance, and those of its clearing prices that could be computed (0 says they could not).
fn imbalance<H: MarketHandler>(m: &wire::NetOrderImbalance, cx: &mut MsgCtx, out: &mut H) {
    let imbalance = Imbalance {
        side: match m.imbalance_direction {
            b'N' => Side::NONE,
            other => Side(other), // too few orders and paused are kept as they are
        },
        reference: price(m.reference_price),
        paired: m.paired_shares.get(),
        unpaired: m.imbalance_shares.get(),
    };
    let mut figures = [Statistic {
        what: StatisticKind::AUCTION_FAR,
        price: Price::NULL,
        quantity: 0,
    }; 2];
    let mut count = 0;
    for (what, p) in [
        (StatisticKind::AUCTION_FAR, m.far_price),
        (StatisticKind::AUCTION_NEAR, m.near_price),
    ] {
        if p.get() != 0 {
            figures[count] = Statistic {
                what,
                price: price(p),
                quantity: 0,
            };
            count += 1;
        }
    }
    let last = cx.flags;
    if count > 0 {
        cx.flags = open_ended(last);
    }
    out.on_imbalance(cx, imbalance);
    cx.flags = last;
    statistics(&figures[..count], cx, out);
}

/// A direct listing: whether it may open and at what price, then its four bounds.
fn direct_listing<H: MarketHandler>(m: &wire::DirectListing, cx: &mut MsgCtx, out: &mut H) {
    let status = Status {
        what: StatusKind::DIRECT_LISTING,
        value: m.open_eligibility,
        detail: *b"    ",
        price: price(m.near_execution_price),
        continuous: None,
    };
    let bound = |what, p| Statistic {
        what,
        price: price(p),
        quantity: 0,
    };
    let bounds = [
        bound(StatisticKind::LISTING_MINIMUM, m.min_allowable_price),
        bound(StatisticKind::LISTING_MAXIMUM, m.max_allowable_price),
        bound(StatisticKind::LISTING_LOWER, m.lower_price_range_collar),
        bound(StatisticKind::LISTING_UPPER, m.upper_price_range_collar),
    ];
    let last = cx.flags;
    cx.flags = open_ended(last);
    out.on_status(cx, status);
    cx.flags = last;
    statistics(&bounds, cx, out);
}
