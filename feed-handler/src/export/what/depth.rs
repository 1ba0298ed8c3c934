//! A row per change of the best levels of either side, with all of them: what `book --depth N` would show then.

use super::{Column, Frame, Type};
use crate::book::{Books, Change, Level};
use crate::export::Table;
use crate::inspect::rows::Cell;
use crate::inspect::{At, Judge};
use feed_common::event::{Price, Side};

/// Of each level of each side: price, quantity, orders.
const PARTS: usize = 3;

/// Levels from the best: bid and offer of each side by side.
pub(super) fn columns(levels: usize) -> impl Iterator<Item = Column> {
    (1..=levels).flat_map(|level| {
        ["bid", "ask"].into_iter().flat_map(move |side| {
            [
                ("price", Type::Price),
                ("quantity", Type::U64),
                ("orders", Type::U32),
            ]
            .map(|(part, holds)| Column {
                name: format!("{side}_{part}_{level}").into(),
                holds,
            })
        })
    })
}

/// What was told last: levels by number, of both sides.
#[derive(Clone, Debug, Default)]
pub(in crate::export) struct Depth {
    levels: Vec<Level>,
}

/// No level.
const NONE: Level = Level {
    price: Price::NULL,
    quantity: 0,
    orders: None,
};

/// Takes changes into a table.
pub(in crate::export) struct DepthTable {
    pub(in crate::export) table: Table,
    levels: usize,
    /// Those of the instrument at hand; kept for its memory, as the cells are.
    now: Vec<Level>,
    cells: Vec<Cell<'static>>,
}

impl DepthTable {
    pub(in crate::export) fn new(table: Table, levels: usize) -> DepthTable {
        DepthTable {
            table,
            levels,
            now: vec![NONE; 2 * levels],
            cells: Vec::new(),
        }
    }

    /// The levels of an instrument as they are: bid and offer of each number.
    fn look(&mut self, books: &Books, instrument: u32) {
        self.now.fill(NONE);
        for (place, side) in [Side::BUY, Side::SELL].into_iter().enumerate() {
            let now = &mut self.now;
            books.top(instrument, side, self.levels, &mut |number, level| {
                let at = 2 * (number as usize).wrapping_sub(1) + place;
                if let Some(to) = now.get_mut(at) {
                    *to = level;
                }
            });
        }
    }
}

impl Judge for DepthTable {
    type Told = Depth;

    #[inline]
    fn concerns(&self, _: Change) -> bool {
        true
    }

    fn judge(&mut self, books: &Books, at: &At, told: &mut Depth) {
        self.look(books, at.instrument);
        let nothing = told.levels.is_empty();
        if self.now == told.levels || nothing && self.now.iter().all(|level| *level == NONE) {
            return;
        }
        told.levels.clone_from(&self.now);
        self.cells.clear();
        for level in &self.now {
            let own: [_; PARTS] = [
                Cell::Price(level.price),
                Cell::beside(level.price, level.quantity),
                level
                    .orders
                    .map_or(Cell::Unknown, |n| Cell::Number(n.into())),
            ];
            self.cells.extend(own);
        }
        let name = at.name(books);
        let frame = Frame::at(&name, at);
        let mut cells = Vec::with_capacity(self.cells.len() + 6);
        cells.extend(frame.head());
        cells.extend(&self.cells);
        cells.extend(frame.tail());
        self.table.row(&cells);
    }
}
