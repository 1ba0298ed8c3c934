//! A row per event of an order, as its record is published.

use super::{Column, Frame, HEAD, SIDES, TAIL, Type, side};
use crate::export::Table;
use crate::export::exact::TakeRecord;
use crate::inspect::rows::Cell;
use feed_common::event::{Flags, Kind, NO_INSTRUMENT, Name, Price, Record, Side, Trust};
use feed_common::time::UnixNanos;

pub(super) static COLUMNS: [Column; 7] = [
    Column::new("kind", Type::Word(&KINDS)),
    Column::new("order_id", Type::U64),
    Column::new("side", Type::Word(&SIDES)),
    Column::new("price", Type::Price),
    Column::new("quantity", Type::U64),
    Column::new("instrument", Type::U32),
    Column::new("flags", Type::U16),
];

/// The kinds of records that are rows.
const KINDS: [&str; 9] = [
    "add",
    "modify",
    "delete",
    "execute",
    "cancel",
    "replace-old",
    "replace-new",
    "clear",
    "gap",
];

/// Takes records of orders into a table.
pub(in crate::export) struct OrderTable(pub Table);

impl TakeRecord for OrderTable {
    fn take(&mut self, record: &Record, quantity: u64, name: &Name) {
        let kind = Kind(record.data.kind);
        // What an order is no part of, or its message does not repeat, is not known.
        let (order, size) = match kind {
            Kind::ADD | Kind::MODIFY | Kind::EXECUTE | Kind::CANCEL | Kind::REPLACE_NEW => {
                (true, Some(quantity))
            }
            Kind::DELETE | Kind::REPLACE_OLD => (true, None),
            Kind::CLEAR => (false, None),
            Kind::GAP => (false, Some(record.order_id.get())),
            _ => return,
        };
        let flags = Flags(record.data.flags.get());
        let instrument = record.instrument.get();
        let frame = Frame {
            symbol: name.as_bytes(),
            sequence: record.sequence.get(),
            time: UnixNanos(record.data.timestamp.get()),
            undated: flags.has(Flags::NO_DATE),
            channel: record.channel.get(),
            trust: Trust(record.trust),
        };
        let own = [
            Cell::Symbol(kind.name().unwrap_or_default().as_bytes()),
            match order {
                true => Cell::Number(record.order_id.get()),
                false => Cell::Unknown,
            },
            side(Side(record.data.side)),
            Cell::Price(Price(record.data.price.get())),
            size.map_or(Cell::Unknown, Cell::Number),
            match instrument {
                NO_INSTRUMENT => Cell::Unknown,
                known => Cell::Number(known.into()),
            },
            Cell::Number(flags.0.into()),
        ];
        let cells: [_; HEAD.len() + COLUMNS.len() + TAIL.len()] = frame.around(own);
        self.0.row(&cells);
    }

    fn has_failed(&self) -> bool {
        self.0.has_failed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_named_as_in_the_journal() {
        let kinds = [
            Kind::ADD,
            Kind::MODIFY,
            Kind::DELETE,
            Kind::EXECUTE,
            Kind::CANCEL,
            Kind::REPLACE_OLD,
            Kind::REPLACE_NEW,
            Kind::CLEAR,
            Kind::GAP,
        ];
        assert_eq!(kinds.map(|kind| kind.name().unwrap()), KINDS);
    }
}
