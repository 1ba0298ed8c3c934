//! The books at the end of a capture.

use super::rows::{Cell, Column, RowFormat, counts, header, row};
use super::text::separate;
use crate::book::{Books, Level, View};
use feed_common::event::{Name, Side};
use std::io::{self, Write};

/// Which part of the books is printed, and how.
#[derive(Clone, Debug)]
pub struct BookOptions {
    /// How.
    pub format: RowFormat,
    /// Levels of each side at most.
    pub depth: usize,
    /// Whether it is the implied books, where the feed has them.
    pub implied: bool,
    /// Whether each level's orders are printed too, in the order in which they trade.
    pub queue: bool,
}

const LEVELS: [Column; 6] = [
    Column("symbol", 8),
    Column("side", 4),
    Column("level", 6),
    Column("price", 16),
    Column("quantity", 14),
    Column("orders", 8),
];

/// With queues, a row is an order; a level without one has a row all the same.
const ORDERS: [Column; 9] = [
    Column("symbol", 8),
    Column("side", 4),
    Column("level", 6),
    Column("price", 16),
    Column("quantity", 14),
    Column("orders", 8),
    Column("position", 8),
    Column("order_id", 20),
    Column("order_quantity", 14),
];

/// Prints the books of every channel: by symbol, then channel; bids, then offers; the best level first. In JSON one
/// document with `levels`, each with its `queue` where asked, and `faults`.
pub fn write_books<'a>(
    channels: &[Books],
    options: &BookOptions,
    faults: impl IntoIterator<Item = (&'a str, u64)>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut writer = Writer {
        options,
        rows: 0,
        row: Vec::new(),
        out,
    };
    writer.begin()?;
    for (name, channel, instrument) in sorted(channels) {
        for side in [Side::BUY, Side::SELL] {
            writer.side(&channels[channel], instrument, &name, side)?;
        }
    }
    writer.end(faults)
}

/// The instruments of all channels, by name, then channel.
fn sorted(channels: &[Books]) -> Vec<(Name, usize, u32)> {
    let mut all = Vec::new();
    for (channel, books) in channels.iter().enumerate() {
        for (instrument, name) in books.instruments() {
            if name != Name::NONE {
                all.push((name, channel, instrument));
            }
        }
    }
    all.sort();
    all
}

struct Writer<'o, W> {
    options: &'o BookOptions,
    rows: u64,
    row: Vec<u8>,
    out: &'o mut W,
}

impl<W: Write> Writer<'_, W> {
    fn begin(&mut self) -> io::Result<()> {
        match (self.options.format, self.options.queue) {
            (RowFormat::Json, _) => self.row.extend(b"{\"levels\":["),
            (format, true) => header(format, &ORDERS, &mut self.row),
            (format, false) => header(format, &LEVELS, &mut self.row),
        }
        self.flush()
    }

    fn side(&mut self, books: &Books, instrument: u32, name: &Name, side: Side) -> io::Result<()> {
        let mut levels = Vec::new();
        let mut take = |number: u32, level| {
            if number as usize <= self.options.depth {
                levels.push((number, level));
            }
        };
        match self.options.implied {
            false => books.levels(instrument, side, &mut take),
            true => books.implied(instrument, side, &mut take),
        }
        for (number, level) in levels {
            let cells = [
                Cell::Symbol(name.as_bytes()),
                Cell::Letter(side.0),
                Cell::Number(number.into()),
                Cell::Price(level.price),
                Cell::Number(level.quantity),
                level
                    .orders
                    .map_or(Cell::Unknown, |n| Cell::Number(n.into())),
            ];
            self.level(books, instrument, side, level, cells);
            self.flush()?;
        }
        Ok(())
    }

    fn level(
        &mut self,
        books: &Books,
        instrument: u32,
        side: Side,
        level: Level,
        cells: [Cell<'_>; 6],
    ) {
        let format = self.options.format;
        if format == RowFormat::Json {
            separate(self.rows as usize, b',', &mut self.row);
            self.row.push(b'\n');
        }
        self.rows += 1;
        if !self.options.queue || format == RowFormat::Json {
            row(format, &LEVELS, &cells, &mut self.row);
        }
        let mut queue = Vec::new();
        if self.options.queue && !self.options.implied {
            books.queue(instrument, side, level.price, &mut |order| {
                queue.push(order)
            });
        }
        match (format, self.options.queue) {
            (RowFormat::Json, true) => {
                self.row.extend(b",\"queue\":[");
                for (i, order) in queue.iter().enumerate() {
                    separate(i, b',', &mut self.row);
                    let order = [("order_id", order.order_id), ("quantity", order.quantity)];
                    counts(order, &mut self.row);
                }
                self.row.extend(b"]}");
            }
            (RowFormat::Json, false) => self.row.push(b'}'),
            (_, false) => {}
            (_, true) => {
                let [symbol, letter, number, price, quantity, orders] = cells;
                let mut order = |at: [Cell<'_>; 3]| {
                    let [position, id, size] = at;
                    let cells = [
                        symbol, letter, number, price, quantity, orders, position, id, size,
                    ];
                    row(format, &ORDERS, &cells, &mut self.row);
                };
                if queue.is_empty() {
                    order([Cell::Unknown; 3]);
                }
                for (position, queued) in (1..).zip(&queue) {
                    let what = [position, queued.order_id, queued.quantity];
                    order(what.map(Cell::Number));
                }
            }
        }
    }

    fn end<'a>(&mut self, faults: impl IntoIterator<Item = (&'a str, u64)>) -> io::Result<()> {
        if self.options.format == RowFormat::Json {
            self.row.extend(b"],\n\"faults\":");
            counts(faults, &mut self.row);
            self.row.extend(b"}\n");
        }
        self.flush()?;
        self.out.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.write_all(&self.row)?;
        self.row.clear();
        Ok(())
    }
}
