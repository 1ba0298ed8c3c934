//! Every change of the best bid and offer, as it comes.
//!
//! A change is judged at the end of an event: for ITCH that is each message. What an event changes and changes back is
//! no row. A new session empties the books, which is a change of every instrument that had a price, at no known time.

use super::kept::Watch;
use super::rows::{Cell, Column, RowFormat, counts, header, row};
use crate::book::{Bbo, Books, Change};
use feed_common::event::{Flags, MsgCtx, NO_INSTRUMENT};
use feed_common::time::UnixNanos;
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

/// Prints a row per change. Timestamps are nanoseconds since the Unix epoch, or since midnight where the capture has
/// no date. In JSON a row is an object of its own line, and behind the last one is an object `faults`.
pub struct BboRows<W> {
    out: W,
    format: RowFormat,
    /// By channel and instrument.
    shown: Vec<Vec<Shown>>,
    rows: u64,
    undated: bool,
    /// The row at hand; kept for its memory.
    row: Vec<u8>,
    failed: Option<io::Error>,
}

/// What was printed last of an instrument.
#[derive(Clone, Copy)]
struct Shown {
    symbol: [u8; 8],
    bbo: Bbo,
    /// Where a change was made that its event has not ended.
    open: Option<(u64, UnixNanos)>,
}

impl Shown {
    const NOTHING: Shown = Shown {
        symbol: [b' '; 8],
        bbo: Bbo::EMPTY,
        open: None,
    };
}

impl<W: Write> BboRows<W> {
    /// Rows to `out`.
    pub fn new(out: W, format: RowFormat) -> BboRows<W> {
        BboRows {
            out,
            format,
            shown: Vec::new(),
            rows: 0,
            undated: false,
            row: Vec::new(),
            failed: None,
        }
    }

    /// True when nothing more can be written.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// True when there were times without a date.
    pub fn is_undated(&self) -> bool {
        self.undated
    }

    /// The end of the capture is the end of every event; then the faults, in JSON. `books` by channel.
    pub fn finish<'a>(
        &mut self,
        books: &[Books],
        faults: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> io::Result<()> {
        for (channel, books) in books.iter().enumerate() {
            for instrument in 0..self.shown.get(channel).map_or(0, Vec::len) {
                if let Some((sequence, time)) = self.shown[channel][instrument].open {
                    let bbo = books.bbo(instrument as u32);
                    self.judge(channel, instrument, bbo, sequence, time);
                }
            }
        }
        self.begin();
        if self.format == RowFormat::Json {
            self.row.extend(b"{\"faults\":");
            counts(faults, &mut self.row);
            self.row.extend(b"}\n");
        }
        self.write();
        match self.failed.take() {
            Some(e) => Err(e),
            None => self.out.flush(),
        }
    }

    fn at(&mut self, channel: usize, instrument: usize) -> &mut Shown {
        if self.shown.len() <= channel {
            self.shown.resize(channel + 1, Vec::new());
        }
        let shown = &mut self.shown[channel];
        if shown.len() <= instrument {
            shown.resize(instrument + 1, Shown::NOTHING);
        }
        &mut shown[instrument]
    }

    fn judge(&mut self, channel: usize, instrument: usize, bbo: Bbo, sequence: u64, at: UnixNanos) {
        let shown = self.at(channel, instrument);
        shown.open = None;
        if shown.bbo == bbo {
            return;
        }
        shown.bbo = bbo;
        let symbol = shown.symbol;
        self.begin();
        let cells = [
            Cell::Symbol(&symbol),
            Cell::Number(sequence),
            match at.is_known() {
                true => Cell::Number(at.0),
                false => Cell::Unknown,
            },
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

impl<W: Write> Watch for BboRows<W> {
    #[inline]
    fn changed(&mut self, books: &Books, cx: &MsgCtx, change: Change) {
        let ends = cx.flags.has(Flags::END_OF_EVENT);
        let (channel, instrument) = (usize::from(cx.channel), cx.instrument);
        if instrument == NO_INSTRUMENT {
            return;
        }
        let known = self.shown.get(channel);
        let open = known.and_then(|shown| shown.get(instrument as usize)?.open);
        if !change.bbo && open.is_none() {
            return;
        }
        let shown = self.at(channel, instrument as usize);
        shown.symbol = cx.symbol;
        if !ends {
            shown.open = Some((cx.sequence, cx.timestamp));
            return;
        }
        self.undated |= cx.flags.has(Flags::NO_DATE);
        let bbo = books.bbo(instrument);
        self.judge(channel, instrument as usize, bbo, cx.sequence, cx.timestamp);
    }

    fn restarted(&mut self, cx: &MsgCtx) {
        let channel = usize::from(cx.channel);
        for instrument in 0..self.shown.get(channel).map_or(0, Vec::len) {
            self.judge(
                channel,
                instrument,
                Bbo::EMPTY,
                cx.sequence,
                UnixNanos::UNKNOWN,
            );
        }
    }
}
