//! The latest quote of every instrument of a lane, in a table that other processes read. For a cold thread.
//!
//! A quote is written when both of its sides are as they were published together: of a pair of records the bid alone is
//! never seen. Names that are longer than a symbol come with the records of their announcement.

use super::quotes::{BestOf, BestPrices, Places, Touched};
use super::records::NAME_BYTES;
use feed_common::event::{Flags, Kind, NO_INSTRUMENT, Name, Record};
use feed_common::ring::shared::{Board, Instrument};

/// Keeps a [`Board`] from the records of a ring.
#[derive(Debug)]
pub struct Table {
    best: BestOf<Board>,
    /// A row that is another than what was written, of which more may come.
    due: Option<usize>,
    naming: Option<Naming>,
}

/// A long name of which some is there.
#[derive(Debug)]
struct Naming {
    of: (u16, u32),
    symbol: [u8; 8],
    name: Vec<u8>,
}

/// Rows are those of the board: both give the next one to an instrument that is new.
impl Places for Board {
    fn find(&self, _: &[BestPrices], record: &Record) -> Option<usize> {
        let row = self.row(record.channel.get(), record.instrument.get());
        row.map(|row| row as usize)
    }

    fn admit(&mut self, _: &[BestPrices], record: &Record) -> bool {
        if record.instrument.get() == NO_INSTRUMENT {
            return false;
        }
        let symbol = record.data.symbol;
        self.announce(&instrument(record, symbol, &symbol))
            .is_some()
    }
}

impl Table {
    /// Of a board on which nobody has written.
    pub fn new(board: Board) -> Table {
        Table {
            best: BestOf::over(board),
            due: None,
            naming: None,
        }
    }

    /// Takes the next record of the ring.
    pub fn take(&mut self, record: &Record) {
        let naming = self.naming.take();
        let kind = Kind(record.data.kind);
        if kind == Kind::DIRECTORY {
            self.announce(record);
        } else if let (Kind::EXTENSION, Some(naming)) = (kind, naming) {
            return self.name(record, naming);
        }
        match self.best.take(record) {
            Touched::Nothing => {}
            Touched::Row(row) => {
                if self.due.is_some_and(|due| due != row) {
                    self.settle();
                }
                self.due = Some(row);
                if kind != Kind::BID && !self.best.awaits_quantity() {
                    // Behind the extension of a bid the offer follows.
                    let open = !Flags(record.data.flags.get()).has(Flags::END_OF_EVENT);
                    if !(kind == Kind::EXTENSION && open) {
                        self.settle();
                    }
                }
            }
            Touched::Channel(channel) => self.rewrite(Some(channel)),
        }
    }

    /// Writes what waits for a record that has not come: for when there are none.
    pub fn settle(&mut self) {
        if let Some(row) = self.due.take() {
            self.write(row);
        }
    }

    /// Records were overwritten before they were read: every quote may have changed.
    pub fn lose(&mut self, lost: u64) {
        (self.due, self.naming) = (None, None);
        self.best.lose(lost);
        self.rewrite(None);
    }

    /// Records that were overwritten before they were read.
    pub fn lost(&self) -> u64 {
        self.best.lost()
    }

    /// The board.
    pub fn board(&mut self) -> &mut Board {
        self.best.places()
    }

    fn announce(&mut self, record: &Record) {
        let symbol = record.data.symbol;
        if self.best.place(record).is_some() {
            let it = instrument(record, symbol, &symbol);
            // Its name, if that is longer, follows.
            let is_long = symbol[0] == b'#';
            if !is_long {
                self.board().announce(&it);
            }
            self.naming = is_long.then(|| Naming {
                of: (it.channel, it.instrument),
                symbol,
                name: Vec::with_capacity(2 * NAME_BYTES),
            });
        }
    }

    fn name(&mut self, record: &Record, mut naming: Naming) {
        if (record.channel.get(), record.instrument.get()) != naming.of {
            return;
        }
        naming.name.extend(record.order_id.get().to_le_bytes());
        naming.name.extend(record.data.price.get().to_le_bytes());
        let it = instrument(record, naming.symbol, &naming.name);
        if naming.name.len() < Name::MAX {
            self.naming = Some(naming);
        }
        self.board().announce(&it);
    }

    fn rewrite(&mut self, channel: Option<u16>) {
        self.settle();
        let rows: Vec<_> = self.best.rows_of(channel).collect();
        rows.into_iter().for_each(|row| self.write(row));
    }

    fn write(&mut self, row: usize) {
        let Some(best) = self.best.row(row) else {
            return;
        };
        // One whose best prices nobody has said has no quote.
        if best.is_known() {
            self.board().put(row as u32, &best.quote());
        }
    }
}

fn instrument(record: &Record, symbol: [u8; 8], name: &[u8]) -> Instrument {
    Instrument {
        channel: record.channel.get(),
        instrument: record.instrument.get(),
        symbol,
        name: Name::new(name),
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
