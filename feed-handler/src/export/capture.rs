//! The rows of a capture, by the pipeline that `bbo`, `trades` and a run have.

use super::exact::{Exact, TakeRecord};
use super::what::{BboTable, DepthTable, OrderTable, TradeTable};
use super::{ExportError, Finished, Table, What};
use crate::book::Fault;
use crate::inspect::{Bests, Breaks, Changes, Kept, Merged, Passed};
use crate::publish::{Booked, Records};
use crate::subscribe::Filter;

/// A capture's table, and what it came to.
#[derive(Debug)]
pub struct Exported<'f> {
    /// The table, not kept yet.
    pub table: Finished,
    /// What could not be, by name.
    pub faults: Vec<(&'static str, u64)>,
    /// What going through the capture came to.
    pub passed: Passed<'f>,
}

/// Goes through a capture and takes its rows into the table of `what`.
pub fn export_capture<'f>(
    capture: &Merged<'f>,
    what: What,
    table: Table,
) -> Result<Exported<'f>, ExportError> {
    match what {
        What::Bbo => bbo(capture, table),
        What::Trades => trades(capture, table),
        What::Orders => orders(capture, table),
        What::Depth(levels) => depth(capture, table, levels),
    }
}

fn bbo<'f>(capture: &Merged<'f>, table: Table) -> Result<Exported<'f>, ExportError> {
    let changes = Changes::new(Bests(BboTable(table)));
    let kept = Kept::new(capture.channels(), &capture.room(), changes)?;
    let failed = |kept: &Kept<Changes<Bests<BboTable>>>| kept.watch().judge().0.0.has_failed();
    let (kept, passed) = capture.run(kept, failed);
    let faults = kept.shortcomings().collect();
    let (mut changes, books) = kept.into_parts();
    changes.finish(&books);
    Ok(Exported {
        table: changes.into_judge().0.0.finish()?,
        faults,
        passed,
    })
}

fn depth<'f>(
    capture: &Merged<'f>,
    table: Table,
    levels: usize,
) -> Result<Exported<'f>, ExportError> {
    let changes = Changes::new(DepthTable::new(table, levels));
    let kept = Kept::new(capture.channels(), &capture.room(), changes)?;
    let failed = |kept: &Kept<Changes<DepthTable>>| kept.watch().judge().table.has_failed();
    let (kept, passed) = capture.run(kept, failed);
    let faults = kept.shortcomings().collect();
    let (mut changes, books) = kept.into_parts();
    changes.finish(&books);
    Ok(Exported {
        table: changes.into_judge().table.finish()?,
        faults,
        passed,
    })
}

fn trades<'f>(capture: &Merged<'f>, table: Table) -> Result<Exported<'f>, ExportError> {
    // What is broken comes after what it breaks: only those prints are remembered.
    let (breaks, _) = capture.run(Breaks::new(capture.channels()), |_| false);
    let kept = Kept::new(
        capture.channels(),
        &capture.room(),
        TradeTable::new(table, breaks, true),
    )?;
    let (kept, passed) = capture.run(kept, |kept| kept.watch().has_failed());
    let mut faults: Vec<_> = kept.shortcomings().collect();
    let (trades, _) = kept.into_parts();
    faults.push(("unknown_trade", trades.unknown_breaks()));
    faults.push(("breaks_full", trades.breaks_over()));
    Ok(Exported {
        table: trades.into_table().finish()?,
        faults,
        passed,
    })
}

fn orders<'f>(capture: &Merged<'f>, table: Table) -> Result<Exported<'f>, ExportError> {
    let channels = capture.channels();
    let records = Records::new(Exact::new(OrderTable(table), Filter::default()), channels);
    // Books, as a run keeps them, say what is suspect.
    let booked = Booked::new(records, 0..channels as u16, &capture.room(), false)?;
    let failed = |booked: &Booked<Exact<OrderTable>>| booked.sink().sink().has_failed();
    let (booked, passed) = capture.run(booked, failed);
    let faults = Fault::ALL.map(|fault| {
        let books = (0..channels as u16).filter_map(|channel| booked.channel(channel));
        (fault.name(), books.map(|b| b.faults().of(fault)).sum())
    });
    let orders = booked.into_sink().finish();
    Ok(Exported {
        table: orders.0.finish()?,
        faults: faults.into(),
        passed,
    })
}
