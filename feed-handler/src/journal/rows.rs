//! The records of a journal as rows: `journal cat` and `journal tail`.

use crate::inspect::RowFormat;
use crate::inspect::rows::{Cell, Column, header, row};
use crate::subscribe::Glob;
use feed_common::encode::Frame;
use feed_common::event::{Flags, Kind, NO_INSTRUMENT, Price, Record};
use feed_common::record::{GapCause, GapRecord, kind};
use std::io::{self, Write};

const COLUMNS: [Column; 12] = [
    Column("number", 12),
    Column("kind", 12),
    Column("channel", 7),
    Column("sequence", 12),
    Column("timestamp", 19),
    Column("symbol", 8),
    Column("instrument", 10),
    Column("side", 4),
    Column("price", 14),
    Column("quantity", 10),
    Column("order_id", 20),
    Column("end", 3),
];

/// Which records are wanted, and what was made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picked {
    /// It is of another symbol.
    Passed,
    /// It is written.
    Written,
}

/// Writes records of a journal as rows.
///
/// A row has the record's `number` in the journal, the `kind` of the event and what is known of it; `end` is 1 at the
/// last record of an event. Of a gap record, `gap-record`, `sequence` is the position of the first that is missing
/// among all that were published, `quantity` how many, and `symbol` the cause. Of another kind of record, only its number
/// is known, in `order_id`, with `record` as the kind.
pub struct Rows<W> {
    out: W,
    format: RowFormat,
    wanted: Option<Glob>,
    line: Vec<u8>,
    begun: bool,
}

impl<W: Write> Rows<W> {
    /// Rows of the symbols that are `wanted`, gap records always; of every record where there is no pattern.
    pub fn new(out: W, format: RowFormat, wanted: Option<Glob>) -> Rows<W> {
        Rows {
            out,
            format,
            wanted,
            line: Vec::with_capacity(256),
            begun: false,
        }
    }

    /// Writes a record if it is wanted.
    pub fn take(&mut self, number: u64, frame: &Frame<'_>) -> io::Result<Picked> {
        self.begin()?;
        let cells = match frame.kind() {
            kind::RECORD => match frame.copy::<Record>() {
                Ok(record) => {
                    let is_wanted = |glob: &Glob| glob.matches(&record.data.symbol);
                    if !self.wanted.as_ref().is_none_or(is_wanted) {
                        return Ok(Picked::Passed);
                    }
                    return self.published(number, &record).map(|()| Picked::Written);
                }
                Err(_) => other(number, frame),
            },
            kind::GAP => match frame.copy::<GapRecord>() {
                Ok(gap) => missing(number, &gap),
                Err(_) => other(number, frame),
            },
            _ if self.wanted.is_some() => return Ok(Picked::Passed),
            _ => other(number, frame),
        };
        self.put(&cells).map(|()| Picked::Written)
    }

    /// Makes sure that whoever reads has what was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.begin()?;
        self.out.flush()
    }

    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        self.line.clear();
        header(self.format, &COLUMNS, &mut self.line);
        self.out.write_all(&self.line)
    }

    fn published(&mut self, number: u64, record: &Record) -> io::Result<()> {
        let data = &record.data;
        let known = |known: bool, cell| if known { cell } else { Cell::Unknown };
        let timestamp = data.timestamp.get();
        let instrument = record.instrument.get();
        let is_last = Flags(data.flags.get()).has(Flags::END_OF_EVENT);
        let cells = [
            Cell::Number(number),
            match Kind(data.kind).name() {
                Some(name) => Cell::Symbol(name.as_bytes()),
                None => Cell::Unknown,
            },
            Cell::Number(record.channel.get().into()),
            Cell::Number(record.sequence.get()),
            known(timestamp > 0, Cell::Number(timestamp)),
            Cell::Symbol(&data.symbol),
            known(instrument != NO_INSTRUMENT, Cell::Number(instrument.into())),
            known(data.side != 0, Cell::Letter(data.side)),
            Cell::Price(Price(data.price.get())),
            Cell::Number(data.quantity.get().into()),
            Cell::Number(record.order_id.get()),
            Cell::Number(is_last.into()),
        ];
        self.put(&cells)
    }

    fn put(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        self.line.clear();
        row(self.format, &COLUMNS, cells, &mut self.line);
        if self.format == RowFormat::Json {
            self.line.extend(b"}\n");
        }
        self.out.write_all(&self.line)
    }
}

fn missing(number: u64, gap: &GapRecord) -> [Cell<'static>; COLUMNS.len()] {
    let cause = GapCause(gap.cause).name();
    let mut cells = [Cell::Unknown; COLUMNS.len()];
    cells[0] = Cell::Number(number);
    cells[1] = Cell::Symbol(b"gap-record");
    cells[3] = Cell::Number(gap.first.get());
    cells[4] = Cell::Number(gap.timestamp.get());
    cells[5] = cause.map_or(Cell::Unknown, |name| Cell::Symbol(name.as_bytes()));
    cells[9] = Cell::Number(gap.count.get());
    cells
}

fn other(number: u64, frame: &Frame<'_>) -> [Cell<'static>; COLUMNS.len()] {
    let mut cells = [Cell::Unknown; COLUMNS.len()];
    cells[0] = Cell::Number(number);
    cells[1] = Cell::Symbol(b"record");
    cells[10] = Cell::Number(frame.kind().into());
    cells
}
