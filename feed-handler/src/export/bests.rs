//! Best prices as they were published, put together from their records.

use super::exact::TakeRecord;
use super::what::BboTable;
use crate::book::{Bbo, Quote};
use crate::inspect::{At, BboSink};
use feed_common::event::{Flags, Kind, NO_INSTRUMENT, Name, Price, Record, Trust};
use feed_common::time::UnixNanos;
use std::collections::BTreeMap;

/// Finds the changes in published best prices and takes them into a table.
pub(super) struct PublishedBbo {
    table: BboTable,
    /// By channel and instrument.
    told: BTreeMap<(u16, u32), Told>,
    /// Records of best prices there were, and of what best prices follow from.
    pub(super) bests: u64,
    pub(super) others: u64,
}

#[derive(Clone, Copy)]
struct Told {
    name: Name,
    symbol: [u8; 8],
    /// What was told last.
    told: Bbo,
    /// What has been said since.
    now: Bbo,
}

impl PublishedBbo {
    pub(super) fn new(table: BboTable) -> PublishedBbo {
        PublishedBbo {
            table,
            told: BTreeMap::new(),
            bests: 0,
            others: 0,
        }
    }

    pub(super) fn into_table(self) -> BboTable {
        self.table
    }

    fn best(&mut self, record: &Record, quantity: u64, name: &Name) {
        self.bests += 1;
        let key = (record.channel.get(), record.instrument.get());
        let told = self.told.entry(key).or_insert(Told {
            name: *name,
            symbol: record.data.symbol,
            told: Bbo::EMPTY,
            now: Bbo::EMPTY,
        });
        (told.name, told.symbol) = (*name, record.data.symbol);
        let price = Price(record.data.price.get());
        let is_bid = record.data.kind == Kind::BID.0;
        let side = match is_bid {
            true => &mut told.now.bid,
            false => &mut told.now.ask,
        };
        *side = Quote { price, quantity };
        // The bid of a pair waits for its offer.
        let ends = Flags(record.data.flags.get()).has(Flags::END_OF_EVENT);
        if (!is_bid || ends) && told.told != told.now {
            told.told = told.now;
            let at = at(record, told.symbol, UnixNanos(record.data.timestamp.get()));
            self.table.row(name, &at, &told.now);
        }
    }

    /// A new session: what there was is gone, at no known time.
    fn restart(&mut self, record: &Record) {
        let channel = record.channel.get();
        for (&(_, instrument), told) in self.told.range_mut((channel, 0)..=(channel, u32::MAX)) {
            told.now = Bbo::EMPTY;
            if told.told != told.now {
                told.told = told.now;
                let at = At {
                    instrument,
                    ..at(record, told.symbol, UnixNanos::UNKNOWN)
                };
                self.table.row(&told.name, &at, &told.now);
            }
        }
    }
}

fn at(record: &Record, symbol: [u8; 8], time: UnixNanos) -> At {
    At {
        channel: record.channel.get(),
        instrument: record.instrument.get(),
        symbol,
        sequence: record.sequence.get(),
        time,
        undated: Flags(record.data.flags.get()).has(Flags::NO_DATE),
        trust: Trust(record.trust),
    }
}

impl TakeRecord for PublishedBbo {
    fn take(&mut self, record: &Record, quantity: u64, name: &Name) {
        match Kind(record.data.kind) {
            Kind::BID | Kind::OFFER => self.best(record, quantity, name),
            Kind::CLEAR if record.instrument.get() == NO_INSTRUMENT => self.restart(record),
            Kind::ADD | Kind::LEVEL => self.others += 1,
            _ => {}
        }
    }

    fn has_failed(&self) -> bool {
        self.table.0.has_failed()
    }
}
