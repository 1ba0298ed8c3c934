//! Every change of the best bid and offer, as it comes.
//!
//! A change is judged at the end of an event: for ITCH that is each message. What an event changes and changes back is
//! no row; else there is one for each instrument, in the order in which the event touched them, with sequence and time
//! of the message that ended it. The name is what is known then. A new session empties the books, which is a change of every instrument that had a price, at no known time.

use super::kept::Watch;
use super::rows::{Cell, Column, RowFormat, counts, header, row};
use crate::book::{Bbo, Books, Change};
use feed_common::event::{Flags, MsgCtx, NO_INSTRUMENT, NO_SYMBOL};
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
    /// By channel: the instruments that the event at hand has changed, each once.
    open: Vec<Vec<u32>>,
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
        symbol: NO_SYMBOL,
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
            open: Vec::new(),
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
            for instrument in self.take_open(channel) {
                let open = self.at(channel, instrument).open;
                let (sequence, time) = open.unwrap_or((0, UnixNanos::UNKNOWN));
                self.judge(books, channel, instrument, sequence, time);
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

    fn at(&mut self, channel: usize, instrument: u32) -> &mut Shown {
        if self.shown.len() <= channel {
            self.shown.resize(channel + 1, Vec::new());
            self.open.resize(channel + 1, Vec::new());
        }
        let (shown, at) = (&mut self.shown[channel], instrument as usize);
        if shown.len() <= at {
            shown.resize(at + 1, Shown::NOTHING);
        }
        &mut shown[at]
    }

    /// The instruments whose changes have not been judged, which they are now.
    fn take_open(&mut self, channel: usize) -> Vec<u32> {
        self.open
            .get_mut(channel)
            .map_or_else(Vec::new, std::mem::take)
    }

    fn judge(
        &mut self,
        books: &Books,
        channel: usize,
        instrument: u32,
        sequence: u64,
        at: UnixNanos,
    ) {
        let bbo = books.bbo(instrument);
        let shown = self.at(channel, instrument);
        shown.open = None;
        if shown.bbo == bbo {
            return;
        }
        shown.bbo = bbo;
        let name = books.name(instrument, shown.symbol);
        self.begin();
        let cells = [
            Cell::Symbol(name.as_bytes()),
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
    fn changed(&mut self, _: &Books, cx: &MsgCtx, change: Change) {
        let (channel, instrument) = (usize::from(cx.channel), cx.instrument);
        if instrument == NO_INSTRUMENT || !change.bbo {
            return;
        }
        self.undated |= cx.flags.has(Flags::NO_DATE);
        let shown = self.at(channel, instrument);
        shown.symbol = cx.symbol;
        let before = shown.open.replace((cx.sequence, cx.timestamp));
        if before.is_none() {
            self.open[channel].push(instrument);
        }
    }

    #[inline]
    fn ended(&mut self, books: &Books, cx: &MsgCtx) {
        let channel = usize::from(cx.channel);
        if self.open.get(channel).is_none_or(Vec::is_empty) {
            return;
        }
        let mut open = self.take_open(channel);
        for instrument in open.drain(..) {
            self.judge(books, channel, instrument, cx.sequence, cx.timestamp);
        }
        self.open[channel] = open; // for its memory
    }

    fn restarted(&mut self, books: &Books, cx: &MsgCtx) {
        let channel = usize::from(cx.channel);
        self.take_open(channel);
        for instrument in 0..self.shown.get(channel).map_or(0, Vec::len) {
            self.judge(
                books,
                channel,
                instrument as u32,
                cx.sequence,
                UnixNanos::UNKNOWN,
            );
        }
    }
}
