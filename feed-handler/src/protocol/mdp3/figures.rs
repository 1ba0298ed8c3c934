//! Figures beside the book: volume, open, high and low, settlement, limits.

use super::book::DELETE;
use super::{Mdp3Decoder, long_quantity, quantity};
use crate::protocol::DecodeError;
use feed_common::event::{MarketHandler, MsgCtx, Statistic, StatisticKind};
use feed_common::wire::mdp3::{
    DailyStatisticsEntry, Dimension, Group, LimitsBandingEntry, Message, NULL_PRICE,
    SessionStatisticsEntry, SessionStatisticsLongEntry, VolumeEntry, VolumeLongEntry,
};

/// What an entry says: so many figures of one instrument.
struct Entry<const N: usize> {
    security_id: i32,
    rpt_seq: u32,
    action: u8,
    /// Which, its price and its quantity; none where nobody knows which it is.
    figures: Option<[(StatisticKind, i64, u64); N]>,
}

impl Mdp3Decoder {
    pub(super) fn volumes<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let entries = first(&message)?.entries()?.map(|entry: &VolumeEntry| {
            let volume = quantity(entry.md_entry_size_short.get());
            Entry {
                security_id: entry.security_id.get(),
                rpt_seq: entry.rpt_seq.get(),
                action: entry.md_update_action,
                figures: Some([(StatisticKind::VOLUME, NULL_PRICE, volume)]),
            }
        });
        self.tell_figures(message, entries, cx, out)
    }

    pub(super) fn long_volumes<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let entries = first(&message)?.entries()?.map(|entry: &VolumeLongEntry| {
            let volume = long_quantity(entry.md_entry_size.get());
            Entry {
                security_id: entry.security_id.get(),
                rpt_seq: entry.rpt_seq.get(),
                action: entry.md_update_action,
                figures: Some([(StatisticKind::VOLUME, NULL_PRICE, volume)]),
            }
        });
        self.tell_figures(message, entries, cx, out)
    }

    pub(super) fn session_figures<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let version = message.version();
        let entries = first(&message)?.entries()?;
        let entries = entries.map(|entry: &SessionStatisticsEntry| {
            let kind = session(entry.md_entry_type_statistics, entry.open_close_settl_flag);
            let size = entry.size(version).map_or(0, quantity);
            Entry {
                security_id: entry.security_id.get(),
                rpt_seq: entry.rpt_seq.get(),
                action: entry.md_update_action,
                figures: kind.map(|kind| [(kind, entry.md_entry_px_ex.get(), size)]),
            }
        });
        self.tell_figures(message, entries, cx, out)
    }

    pub(super) fn long_session_figures<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let entries = first(&message)?.entries()?;
        let entries = entries.map(|entry: &SessionStatisticsLongEntry| {
            let kind = session(entry.md_entry_type_statistics, entry.open_close_settl_flag);
            let size = long_quantity(entry.md_entry_size_optional.get());
            Entry {
                security_id: entry.security_id.get(),
                rpt_seq: entry.rpt_seq.get(),
                action: entry.md_update_action,
                figures: kind.map(|kind| [(kind, entry.md_entry_px_ex.get(), size)]),
            }
        });
        self.tell_figures(message, entries, cx, out)
    }

    pub(super) fn daily_figures<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let entries = first(&message)?.entries()?;
        let entries = entries.map(|entry: &DailyStatisticsEntry| {
            let kind = daily(entry.md_entry_type_daily_statistics);
            let price = entry.md_entry_px_optional_ex.get();
            let size = quantity(entry.md_entry_size_short_optional.get());
            Entry {
                security_id: entry.security_id.get(),
                rpt_seq: entry.rpt_seq.get(),
                action: entry.md_update_action,
                figures: kind.map(|kind| [(kind, price, size)]),
            }
        });
        self.tell_figures(message, entries, cx, out)
    }

    /// A limit that is null is one that is not there any more: all three are told.
    pub(super) fn limits<H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let entries = first(&message)?.entries()?;
        let entries = entries.map(|entry: &LimitsBandingEntry| Entry {
            security_id: entry.security_id.get(),
            rpt_seq: entry.rpt_seq.get(),
            action: super::book::NEW,
            figures: Some([
                (StatisticKind::LIMIT_UPPER, entry.high_limit_price.get(), 0),
                (StatisticKind::LIMIT_LOWER, entry.low_limit_price.get(), 0),
                (
                    StatisticKind::PRICE_BAND,
                    entry.max_price_variation.get(),
                    0,
                ),
            ]),
        });
        self.tell_figures(message, entries, cx, out)
    }

    fn tell_figures<const N: usize, H: MarketHandler>(
        &mut self,
        message: Message<'_>,
        entries: impl ExactSizeIterator<Item = Entry<N>>,
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        let ends = self.begin(&message, cx)?;
        let count = entries.len();
        for (i, entry) in (1..).zip(entries) {
            let place = self.place(entry.security_id, cx, out);
            let place = self.count(place, entry.rpt_seq, cx, out);
            let Some(figures) = entry.figures else {
                self.oddities.entry_unknown += 1;
                continue;
            };
            for (of, (what, price, quantity)) in (1..).zip(figures) {
                let (price, quantity) = match entry.action {
                    DELETE => (NULL_PRICE, 0),
                    _ => (price, quantity),
                };
                let (price, range) = self.price(&message, price);
                let statistic = Statistic {
                    what,
                    price,
                    quantity,
                };
                let last = ends && i == count && of == N;
                self.tell(place, last, range, cx, |cx| {
                    out.on_statistic(cx, statistic);
                });
            }
        }
        self.close(ends, cx, out);
        Ok(())
    }
}

fn first<'a>(message: &Message<'a>) -> Result<Group<'a>, DecodeError> {
    Ok(message.groups().next(Dimension::Three)?)
}

/// Of `md_entry_type_statistics` and `open_close_settl_flag`.
fn session(entry_type: u8, flag: u8) -> Option<StatisticKind> {
    const INDICATIVE: u8 = 5;
    Some(match entry_type {
        b'4' if flag == INDICATIVE => StatisticKind::AUCTION_CLEARING,
        b'4' => StatisticKind::OPEN,
        b'7' => StatisticKind::HIGH,
        b'8' => StatisticKind::LOW,
        b'9' => StatisticKind::VWAP,
        b'N' => StatisticKind::HIGH_BID,
        b'O' => StatisticKind::LOW_OFFER,
        _ => return None,
    })
}

/// Of `md_entry_type_daily_statistics`.
fn daily(entry_type: u8) -> Option<StatisticKind> {
    Some(match entry_type {
        b'6' => StatisticKind::SETTLEMENT,
        b'B' => StatisticKind::CLEARED_VOLUME,
        b'C' => StatisticKind::OPEN_INTEREST,
        b'W' => StatisticKind::FIXING,
        _ => return None,
    })
}
