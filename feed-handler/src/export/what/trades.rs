//! A row per print and per break: what `trades` sums up.
//!
//! Prints as they come, each with `prints` 1. A break is a row with how many prints it voids and what traded in them, so
//! that over the rows of a symbol, prints less what is broken is what `trades` says.

use super::{Column, Frame, HEAD, SIDES, TAIL, Type, side};
use crate::book::Books;
use crate::export::Table;
use crate::inspect::rows::Cell;
use crate::inspect::{Breaks, Broken, Print, Voided, Watch};
use feed_common::event::{Flags, MsgCtx, Name, Price, Side};

pub(super) static COLUMNS: [Column; 8] = [
    Column::new("kind", Type::Word(&["trade", "break"])),
    Column::new("price", Type::Price),
    Column::new("quantity", Type::U64),
    Column::new("prints", Type::U64),
    Column::new("side", Type::Word(&SIDES)),
    Column::new("match_id", Type::U64),
    Column::new("order_id", Type::U64),
    Column::new("condition", Type::Word(&["hidden", "cross"])),
];

/// Takes prints and breaks into a table.
pub(in crate::export) struct TradeTable {
    table: Table,
    breaks: Breaks,
    /// Executions of visible orders come with their match numbers.
    matched: bool,
    unknown_breaks: u64,
    unpriced: u64,
}

impl TradeTable {
    /// The breaks are those of the same input; `matched` says whether executions have match numbers there.
    pub(in crate::export) fn new(table: Table, breaks: Breaks, matched: bool) -> TradeTable {
        TradeTable {
            table,
            breaks: breaks.again(),
            matched,
            unknown_breaks: 0,
            unpriced: 0,
        }
    }

    pub(in crate::export) fn into_table(self) -> Table {
        self.table
    }

    pub(in crate::export) fn has_failed(&self) -> bool {
        self.table.has_failed()
    }

    /// Breaks of prints that are not known.
    pub(in crate::export) fn unknown_breaks(&self) -> u64 {
        self.unknown_breaks
    }

    /// Breaks beyond those that are taken account of.
    pub(in crate::export) fn breaks_over(&self) -> u64 {
        self.breaks.over()
    }

    /// Prints at the price of an order that is not known.
    pub(in crate::export) fn unpriced(&self) -> u64 {
        self.unpriced
    }

    fn put(&mut self, cx: &MsgCtx, name: &Name, own: [Cell<'_>; COLUMNS.len()]) {
        let frame = Frame {
            symbol: name.as_bytes(),
            sequence: cx.sequence,
            time: cx.timestamp,
            undated: cx.flags.has(Flags::NO_DATE),
            channel: cx.channel,
            trust: cx.trust,
        };
        let cells: [_; HEAD.len() + COLUMNS.len() + TAIL.len()] = frame.around(own);
        self.table.row(&cells);
    }
}

fn known(n: Option<u64>) -> Cell<'static> {
    n.map_or(Cell::Unknown, Cell::Number)
}

impl Watch for TradeTable {
    fn printed(&mut self, books: &Books, cx: &MsgCtx, mut print: Print) {
        if print.order_id.is_some() && !self.matched {
            print.match_id = None;
        }
        self.breaks.printed(cx, &print);
        self.unpriced += u64::from(!print.price.is_some());
        let own = [
            Cell::Symbol(b"trade"),
            Cell::Price(print.price),
            Cell::Number(print.quantity),
            Cell::Number(1),
            side(print.side),
            known(print.match_id),
            known(print.order_id),
            match print.flags {
                flags if flags.has(Flags::CROSS) => Cell::Symbol(b"cross"),
                flags if flags.has(Flags::HIDDEN) => Cell::Symbol(b"hidden"),
                _ => Cell::Unknown,
            },
        ];
        self.put(cx, &books.name(cx.instrument, cx.symbol), own);
    }

    fn broken(&mut self, books: &Books, cx: &MsgCtx, broken: Broken) {
        let voided = self.breaks.broken(cx, broken);
        let of = voided.filter(|v| v.prints > 0);
        self.unknown_breaks += u64::from(voided.is_some() && of.is_none());
        let Voided {
            instrument, symbol, ..
        } = of.unwrap_or(Voided {
            instrument: cx.instrument,
            symbol: cx.symbol,
            ..Voided::default()
        });
        let own = [
            Cell::Symbol(b"break"),
            Cell::Price(Price::NULL),
            known(of.map(|v| v.quantity)),
            known(of.map(|v| v.prints)),
            side(Side::NONE),
            match broken {
                Broken::Match(match_id) => Cell::Number(match_id),
                Broken::Quantity(_) => Cell::Unknown,
            },
            Cell::Unknown,
            Cell::Unknown,
        ];
        self.put(cx, &books.name(instrument, symbol), own);
    }

    fn restarted(&mut self, _: &Books, cx: &MsgCtx) {
        self.breaks.restarted(cx);
    }
}
