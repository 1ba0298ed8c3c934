//! The tables: their columns and rows.

mod bbo;
mod depth;
mod orders;
mod trades;

pub(super) use bbo::BboTable;
pub(super) use depth::DepthTable;
pub(super) use orders::OrderTable;
pub(super) use trades::TradeTable;

use super::columns::{Column, Type};
use crate::inspect::rows::Cell;
use feed_common::event::{Side, Trust};
use feed_common::time::UnixNanos;
use std::fmt;
use std::str::FromStr;

/// Levels of each side that a row of a depth table has at most.
pub const DEPTH_MAX: usize = 50;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A row per change of the best bid and offer.
    Bbo,
    /// A row per print and per break.
    Trades,
    /// A row per event of an order, as it is published.
    Orders,
    /// A row per change of so many best levels of each side.
    Depth(usize),
}

/// It is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected bbo, trades, orders, or depth:N with N from 1 to {DEPTH_MAX}")]
pub struct UnknownWhat;

impl FromStr for What {
    type Err = UnknownWhat;

    fn from_str(text: &str) -> Result<What, UnknownWhat> {
        match text {
            "bbo" => Ok(What::Bbo),
            "trades" => Ok(What::Trades),
            "orders" => Ok(What::Orders),
            _ => {
                let levels = text.strip_prefix("depth:").ok_or(UnknownWhat)?;
                match levels.parse() {
                    Ok(levels @ 1..=DEPTH_MAX) => Ok(What::Depth(levels)),
                    _ => Err(UnknownWhat),
                }
            }
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            What::Bbo => f.write_str("bbo"),
            What::Trades => f.write_str("trades"),
            What::Orders => f.write_str("orders"),
            What::Depth(levels) => write!(f, "depth:{levels}"),
        }
    }
}

impl What {
    /// Its columns.
    pub fn columns(self) -> Vec<Column> {
        let mut columns = HEAD.to_vec();
        match self {
            What::Bbo => columns.extend_from_slice(&bbo::COLUMNS),
            What::Trades => columns.extend_from_slice(&trades::COLUMNS),
            What::Orders => columns.extend_from_slice(&orders::COLUMNS),
            What::Depth(levels) => columns.extend(depth::columns(levels)),
        }
        columns.extend_from_slice(&TAIL);
        columns
    }
}

/// What all tables begin with.
static HEAD: [Column; 3] = [
    Column::new("symbol", Type::Symbol),
    Column::new("sequence", Type::U64),
    Column::new("timestamp", Type::Time),
];

/// What all tables end with.
static TAIL: [Column; 3] = [
    Column::new("channel", Type::U16),
    Column::new("trust", Type::Word(&TRUST)),
    Column::new("since_midnight", Type::SinceMidnight),
];

/// By [`Trust`].
const TRUST: [&str; 4] = ["valid", "stale", "recovering", "suspect"];

/// By place in the wire's `BS`.
const SIDES: [&str; 2] = ["B", "S"];

/// The cells of [`HEAD`] and [`TAIL`].
struct Frame<'a> {
    symbol: &'a [u8],
    sequence: u64,
    time: UnixNanos,
    undated: bool,
    channel: u16,
    trust: Trust,
}

impl<'a> Frame<'a> {
    #[inline(always)]
    fn head(&self) -> [Cell<'a>; HEAD.len()] {
        [
            Cell::Symbol(self.symbol),
            Cell::Number(self.sequence),
            match self.undated {
                true => Cell::Unknown,
                false => Cell::time(self.time),
            },
        ]
    }

    #[inline(always)]
    fn tail(&self) -> [Cell<'a>; TAIL.len()] {
        [
            Cell::Number(self.channel.into()),
            match TRUST.get(usize::from(self.trust.0)) {
                Some(word) => Cell::Symbol(word.as_bytes()),
                None => Cell::Unknown,
            },
            match self.undated {
                true => Cell::time(self.time),
                false => Cell::Unknown,
            },
        ]
    }

    /// All cells of a row.
    #[inline(always)]
    fn around<const OWN: usize, const ALL: usize>(&self, own: [Cell<'a>; OWN]) -> [Cell<'a>; ALL] {
        const { assert!(HEAD.len() + OWN + TAIL.len() == ALL) };
        let mut cells = [Cell::Unknown; ALL];
        cells[..HEAD.len()].copy_from_slice(&self.head());
        cells[HEAD.len()..HEAD.len() + OWN].copy_from_slice(&own);
        cells[HEAD.len() + OWN..].copy_from_slice(&self.tail());
        cells
    }
}

/// A side, where one is said.
fn side(side: Side) -> Cell<'static> {
    match side {
        Side::BUY | Side::SELL => Cell::Letter(side.0),
        _ => Cell::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_named_as_they_are_asked_for() {
        for text in ["bbo", "trades", "orders", "depth:1", "depth:50"] {
            assert_eq!(text.parse::<What>().unwrap().to_string(), text);
        }
        for text in [
            "", "book", "depth", "depth:", "depth:0", "depth:51", "depth:x", "Bbo",
        ] {
            assert_eq!(text.parse::<What>(), Err(UnknownWhat), "{text}");
        }
    }

    #[test]
    fn columns_have_names_of_their_own() {
        for what in [What::Bbo, What::Trades, What::Orders, What::Depth(50)] {
            let mut names: Vec<_> = what.columns().into_iter().map(|c| c.name).collect();
            let all = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), all, "{what}");
        }
        assert_eq!(What::Depth(10).columns().len(), 3 + 60 + 3);
    }
}
