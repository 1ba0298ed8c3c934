//! Trades, and the figures that follow from them.

use super::{Mdp3, PRICE_UNIT, security_id, short};
use crate::synth::told::Event;
use feed_common::event::Side;
use feed_common::wire::mdp3::{
    Dimension, FillEntry, NULL_I32, NULL_U8, NULL_U32, SessionStatisticsEntry, TradeEntry,
    VolumeEntry, event, template,
};

/// A trade to be told.
pub(super) struct Done {
    pub shares: u64,
    pub price: u32,
    pub number: u64,
    /// The order that was there, and the side that came to it.
    pub resting: Option<(u64, Side)>,
}

impl Mdp3 {
    /// A trade that counts: the trade, the volume, and what it changes of open, high and low.
    pub(super) fn trade(&mut self, event: &Event, done: &Done) {
        self.trades(event, done, 0);
        let instrument = &mut self.instruments[event.instrument];
        instrument.volume += done.shares;
        instrument.rpt_seq += 1;
        let volume = VolumeEntry {
            md_entry_size_short: short(instrument.volume).into(),
            security_id: security_id(event.instrument).into(),
            rpt_seq: instrument.rpt_seq.into(),
            md_update_action: u8::from(instrument.range.is_some()),
            padding_3: [0; 3],
        };
        let price = done.price;
        let before = instrument.range;
        let (low, high) = before.unwrap_or((u32::MAX, 0));
        instrument.range = Some((low.min(price), high.max(price)));
        self.message(template::VOLUME, event, event::LAST_VOLUME, |message| {
            message.group(Dimension::Three, &[volume]);
        });
        let mut figures = Vec::new();
        if before.is_none() {
            figures.push((b'4', 0, price));
        }
        if price > high {
            figures.push((b'7', NULL_U8, price));
        }
        if price < low {
            figures.push((b'8', NULL_U8, price));
        }
        if !figures.is_empty() {
            self.figures(event, &figures);
        }
    }

    pub(super) fn trades(&mut self, event: &Event, done: &Done, action: u8) {
        let instrument = &mut self.instruments[event.instrument];
        instrument.rpt_seq += 1;
        let entry = TradeEntry {
            md_entry_px_ex: (i64::from(done.price) * PRICE_UNIT).into(),
            md_entry_size_short: short(done.shares).into(),
            security_id: security_id(event.instrument).into(),
            rpt_seq: instrument.rpt_seq.into(),
            number_of_orders: 2.into(),
            aggressor_side: match done.resting {
                Some((_, Side::BUY)) => 1,
                Some(_) => 2,
                None => 0,
            },
            md_update_action: action,
            raw_md_trade_entry: (done.number as u32 % NULL_U32).into(),
            padding_2: [0; 2],
        };
        let fill = |id: u64| FillEntry {
            order_id: id.into(),
            last_qty: short(done.shares).into(),
            padding_4: [0; 4],
        };
        // The order that came has no number of the market's; it is given one that no other has.
        let fills = done.resting.map(|(id, _)| [fill(!done.number), fill(id)]);
        self.message(
            template::TRADE_SUMMARY,
            event,
            event::LAST_TRADE,
            |message| {
                message
                    .group(Dimension::Three, &[entry])
                    .group(Dimension::Eight, fills.as_ref().map_or(&[][..], |f| f));
            },
        );
    }

    /// Figures of the session: their types, flags and prices.
    pub(super) fn figures(&mut self, event: &Event, figures: &[(u8, u8, u32)]) {
        let instrument = &mut self.instruments[event.instrument];
        let entries = figures.iter().map(|&(entry_type, flag, price)| {
            instrument.rpt_seq += 1;
            SessionStatisticsEntry {
                md_entry_px_ex: (i64::from(price) * PRICE_UNIT).into(),
                security_id: security_id(event.instrument).into(),
                rpt_seq: instrument.rpt_seq.into(),
                open_close_settl_flag: flag,
                md_update_action: 0,
                md_entry_type_statistics: entry_type,
                raw_size: NULL_I32.into(),
                padding_1: 0,
            }
        });
        let entries: Vec<_> = entries.collect();
        self.message(
            template::SESSION_STATISTICS,
            event,
            event::LAST_STATS,
            |message| {
                message.group(Dimension::Three, &entries);
            },
        );
    }
}
