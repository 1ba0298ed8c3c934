//! A row per change of the best bid and offer: those of `bbo`.

use super::{Column, Frame, HEAD, TAIL, Type};
use crate::book::Bbo;
use crate::export::Table;
use crate::inspect::rows::Cell;
use crate::inspect::{At, BboSink};
use feed_common::event::Name;

pub(super) static COLUMNS: [Column; 4] = [
    Column::new("bid_price", Type::Price),
    Column::new("bid_quantity", Type::U64),
    Column::new("ask_price", Type::Price),
    Column::new("ask_quantity", Type::U64),
];

/// Takes changes into a table.
pub(in crate::export) struct BboTable(pub Table);

impl BboSink for BboTable {
    fn row(&mut self, name: &Name, at: &At, bbo: &Bbo) {
        let frame = Frame::at(name, at);
        let own = [
            Cell::Price(bbo.bid.price),
            Cell::beside(bbo.bid.price, bbo.bid.quantity),
            Cell::Price(bbo.ask.price),
            Cell::beside(bbo.ask.price, bbo.ask.quantity),
        ];
        let cells: [_; HEAD.len() + COLUMNS.len() + TAIL.len()] = frame.around(own);
        self.0.row(&cells);
    }
}

impl<'a> Frame<'a> {
    /// Of a change that was judged.
    pub(super) fn at(name: &'a Name, at: &At) -> Frame<'a> {
        Frame {
            symbol: name.as_bytes(),
            sequence: at.sequence,
            time: at.time,
            undated: at.undated,
            channel: at.channel,
            trust: at.trust,
        }
    }
}
