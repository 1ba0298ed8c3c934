//! The rows of what a run has kept in its journals.
//!
//! A journal has what was published: records, and of best prices those that the run put together. So `orders` and `bbo`
//! need nothing else, and can begin anywhere. What traded at the price of an order is found by following orders from the
//! first record on. Levels beyond the best, places in queues and numbered books of unknown length are in no record, so
//! there is no depth.

use super::bests::PublishedBbo;
use super::exact::{Exact, TakeRecord};
use super::replay::Replay;
use super::what::{BboTable, OrderTable, TradeTable};
use super::{ExportError, Finished, Part, Table, What};
use crate::config::defaults::CHANNELS_PER_CAPTURE_MAX;
use crate::inspect::kept::room;
use crate::inspect::{Breaks, Kept};
use crate::publish::Publish;
use crate::subscribe::Filter;
use feed_common::event::{Name, Record};
use feed_common::journal::{Found, JournalReader, Start};
use feed_common::record::{GapRecord, kind};

/// The table of a run's journals, and what they lack.
#[derive(Debug)]
pub struct JournalExported {
    /// The table, not kept yet.
    pub table: Finished,
    /// Records that were published and never journalled.
    pub lost: u64,
    /// Stretches that cannot be read.
    pub damaged: u64,
    /// The first of them.
    pub damage: Option<String>,
    /// Prints at the price of an order that is not known.
    pub unpriced: u64,
    /// Breaks of prints that are not known.
    pub unknown_breaks: u64,
}

/// Goes through the journals of a run, one after another, and takes their rows of the symbols `wanted` into the table of `what`.
pub fn export_journals(
    parts: &[Part],
    wanted: &Filter,
    what: What,
    table: Table,
) -> Result<JournalExported, ExportError> {
    match what {
        What::Bbo => bbo(parts, wanted, table),
        What::Trades => trades(parts, wanted, table),
        What::Orders => {
            let (orders, lacks) = read(parts, wanted, OrderTable(table))?;
            Ok(lacks.of(orders.0.finish()?))
        }
        What::Depth(_) => Err(ExportError::NotInJournal(format!(
            "{what}: a journal has no depth: its records are changes, and neither what was in the books before the \
             first nor how many levels a numbered book has is in them; export it from a capture ([record] keeps one)"
        ))),
    }
}

fn bbo(parts: &[Part], wanted: &Filter, table: Table) -> Result<JournalExported, ExportError> {
    let (bests, lacks) = read(parts, wanted, PublishedBbo::new(BboTable(table)))?;
    if bests.bests == 0 && bests.others > 0 {
        return Err(ExportError::NotInJournal(
            "bbo: no best price is in the journal: the run did not publish them (book.publish_bbo)"
                .to_owned(),
        ));
    }
    Ok(lacks.of(bests.into_table().0.finish()?))
}

fn trades(parts: &[Part], wanted: &Filter, table: Table) -> Result<JournalExported, ExportError> {
    let (channels, _) = read(parts, wanted, Channels(0))?;
    let channels = channels.0;
    if channels > CHANNELS_PER_CAPTURE_MAX {
        return Err(ExportError::NotInJournal(format!(
            "trades: {channels} channels in the journal; orders of at most {CHANNELS_PER_CAPTURE_MAX} are followed at once"
        )));
    }
    let gather = Replay::new(Breaks::new(channels), |_| false);
    let (breaks, _) = read(parts, wanted, gather)?;
    // Of an execution a record says the order, and not which execution it is.
    let trades = TradeTable::new(table, breaks.to, false);
    let kept = Kept::new(channels, &room(channels, None), trades)?;
    let (replay, lacks) = read(
        parts,
        wanted,
        Replay::new(kept, |kept| kept.watch().has_failed()),
    )?;
    let (trades, _) = replay.to.into_parts();
    let (unpriced, unknown_breaks) = (trades.unpriced(), trades.unknown_breaks());
    Ok(JournalExported {
        unpriced,
        unknown_breaks,
        ..lacks.of(trades.into_table().finish()?)
    })
}

/// How many channels there are.
struct Channels(usize);

impl TakeRecord for Channels {
    fn take(&mut self, record: &Record, _: u64, _: &Name) {
        self.0 = self.0.max(usize::from(record.channel.get()) + 1);
    }

    fn has_failed(&self) -> bool {
        false
    }
}

/// What a reading of journals did not find.
#[derive(Default)]
struct Lacks {
    lost: u64,
    damaged: u64,
    damage: Option<String>,
}

impl Lacks {
    fn of(self, table: Finished) -> JournalExported {
        JournalExported {
            table,
            lost: self.lost,
            damaged: self.damaged,
            damage: self.damage,
            unpriced: 0,
            unknown_breaks: 0,
        }
    }
}

/// Hands every record that is meant to `to`.
fn read<S: TakeRecord>(parts: &[Part], wanted: &Filter, to: S) -> Result<(S, Lacks), ExportError> {
    let mut exact = Exact::new(to, wanted.clone());
    let mut lacks = Lacks::default();
    for part in parts {
        let start = match part.first {
            0 => Start::Oldest,
            first => Start::Number(first),
        };
        let mut left = part.records.unwrap_or(u64::MAX);
        let mut reader = JournalReader::open(&part.dir, start)?;
        while left > 0 && !exact.sink().has_failed() {
            match reader.read()? {
                None => break,
                Some(Found::Skipped(skipped)) => {
                    lacks.damaged += 1;
                    let dir = part.dir.display();
                    lacks
                        .damage
                        .get_or_insert_with(|| format!("{dir}: {skipped}"));
                    left = left.saturating_sub(skipped.records.unwrap_or(0));
                }
                Some(Found::Record { frame, .. }) => match frame.kind() {
                    kind::RECORD => {
                        if let Ok(record) = frame.copy::<Record>() {
                            exact.publish(&record);
                        }
                        left -= 1;
                    }
                    kind::GAP => {
                        if let Ok(gap) = frame.copy::<GapRecord>() {
                            lacks.lost = lacks.lost.saturating_add(gap.count.get());
                        }
                    }
                    _ => {}
                },
            }
        }
        exact.settle();
    }
    Ok((exact.finish(), lacks))
}
