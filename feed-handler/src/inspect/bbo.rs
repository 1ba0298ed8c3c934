//! Every change of the best bid and offer, as it comes.

use super::changes::{At, Changes, Judge};
use super::rows::{Cell, Column, RowFormat, counts, header, row};
use crate::book::{Bbo, Books, Change};
use feed_common::event::Name;
use std::io::{self, Write};

const COLUMNS: [Column; 7] = [
    Column("symbol", 8),
    Column("sequence", 12),
    Column("timestamp", 19),
    Column("bid_price", 14),
    Column("bid_quantity", 12),
    Column("ask_price", 14),
    Column("ask_quantity", 12),
];

/// Takes changes of the best bid and offer.
pub trait BboSink {
    /// Best bid and offer of an instrument are these now.
    fn row(&mut self, name: &Name, at: &At, bbo: &Bbo);
}

/// Finds the changes of the best bid and offer in those of books.
#[derive(Debug)]
pub struct Bests<S>(pub S);

impl<S: BboSink> Judge for Bests<S> {
    type Told = Bbo;

    #[inline]
    fn concerns(&self, change: Change) -> bool {
        change.bbo
    }

    fn judge(&mut self, books: &Books, at: &At, told: &mut Bbo) {
        let bbo = books.bbo(at.instrument);
        if *told != bbo {
            *told = bbo;
            self.0.row(&at.name(books), at, &bbo);
        }
    }
}

/// A row per change, as [`Changes`] finds them.
pub type BboRows<W> = Changes<Bests<BboText<W>>>;

/// Prints a row per change. Timestamps are nanoseconds since the Unix epoch, or since midnight where the capture has
/// no date. In JSON a row is an object of its own line, and behind the last one is an object `faults`.
#[derive(Debug)]
pub struct BboText<W> {
    out: W,
    format: RowFormat,
    rows: u64,
    /// The row at hand; kept for its memory.
    row: Vec<u8>,
    failed: Option<io::Error>,
}

impl<W: Write> BboRows<W> {
    /// Rows to `out`.
    pub fn to(out: W, format: RowFormat) -> BboRows<W> {
        Changes::new(Bests(BboText {
            out,
            format,
            rows: 0,
            row: Vec::new(),
            failed: None,
        }))
    }

    /// True when nothing more can be written.
    pub fn has_failed(&self) -> bool {
        self.judge().0.failed.is_some()
    }

    /// The end of the capture is the end of every event; then the faults, in JSON. `books` by channel.
    pub fn write_rest<'a>(
        &mut self,
        books: &[Books],
        faults: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> io::Result<()> {
        let text = &mut self.finish(books).0;
        text.begin();
        if text.format == RowFormat::Json {
            text.row.extend(b"{\"faults\":");
            counts(faults, &mut text.row);
            text.row.extend(b"}\n");
        }
        text.write();
        match text.failed.take() {
            Some(e) => Err(e),
            None => text.out.flush(),
        }
    }
}

impl<W: Write> BboText<W> {
    /// The header is printed with the first row, so that a capture that turns out to be the wrong one prints nothing.
    fn begin(&mut self) {
        if self.rows == 0 {
            header(self.format, &COLUMNS, &mut self.row);
        }
        self.rows += 1;
    }

    fn write(&mut self) {
        if self.failed.is_none() {
            self.failed = self.out.write_all(&self.row).err();
        }
        self.row.clear();
    }
}

impl<W: Write> BboSink for BboText<W> {
    fn row(&mut self, name: &Name, at: &At, bbo: &Bbo) {
        self.begin();
        let cells = [
            Cell::Symbol(name.as_bytes()),
            Cell::Number(at.sequence),
            Cell::time(at.time),
            Cell::Price(bbo.bid.price),
            Cell::beside(bbo.bid.price, bbo.bid.quantity),
            Cell::Price(bbo.ask.price),
            Cell::beside(bbo.ask.price, bbo.ask.quantity),
        ];
        row(self.format, &COLUMNS, &cells, &mut self.row);
        if self.format == RowFormat::Json {
            self.row.extend(b"}\n");
        }
        self.write();
    }
}
