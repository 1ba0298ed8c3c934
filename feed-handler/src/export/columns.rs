//! Columns: their types in every form.

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use feed_common::event::Price;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Decimal places of a price.
pub const PRICE_DECIMALS: u32 = Price::DECIMALS;

/// Digits of a decimal price, before and behind the point: what 64 bits hold, in which Parquet then keeps it and readers
/// calculate with it. Prices of a thousand million and more have no place.
pub(super) const PRICE_DIGITS: u8 = 18;

/// How prices are written in Parquet and Arrow; in CSV they are plain decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Prices {
    /// `Decimal128(18, 9)`.
    #[default]
    Decimal,
    /// `Int64` in units of 1e-9, `scale` of the field's metadata says so.
    Integer,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Cow<'static, str>,
    /// What is in it.
    pub holds: Type,
}

/// What a column holds; each value can also be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Names of instruments: a dictionary of text.
    Symbol,
    /// One of a few words: a dictionary of text.
    Word(&'static [&'static str]),
    /// A count or number: `UInt64`.
    U64,
    /// `UInt32`.
    U32,
    /// `UInt16`.
    U16,
    /// Nanoseconds since the Unix epoch: `Timestamp(ns, UTC)`.
    Time,
    /// Nanoseconds since midnight in the exchange's zone: `Int64`.
    SinceMidnight,
    /// See [`Prices`].
    Price,
}

impl Column {
    /// A column.
    pub const fn new(name: &'static str, holds: Type) -> Column {
        Column {
            name: Cow::Borrowed(name),
            holds,
        }
    }

    fn field(&self, prices: Prices) -> Field {
        let text = |key: DataType| DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8));
        let holds = match self.holds {
            Type::Symbol => text(DataType::Int32),
            Type::Word(_) => text(DataType::Int8),
            Type::U64 => DataType::UInt64,
            Type::U32 => DataType::UInt32,
            Type::U16 => DataType::UInt16,
            Type::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Type::SinceMidnight => DataType::Int64,
            Type::Price => match prices {
                Prices::Decimal => DataType::Decimal128(PRICE_DIGITS, PRICE_DECIMALS as i8),
                Prices::Integer => DataType::Int64,
            },
        };
        let field = Field::new(self.name.clone(), holds, true);
        match (self.holds, prices) {
            (Type::Price, Prices::Integer) => field.with_metadata(HashMap::from([(
                "scale".to_owned(),
                PRICE_DECIMALS.to_string(),
            )])),
            (Type::SinceMidnight, _) => {
                field.with_metadata(HashMap::from([("unit".to_owned(), "ns".to_owned())]))
            }
            _ => field,
        }
    }
}

/// The schema of a table in Parquet and Arrow.
pub(super) fn schema<'c>(
    columns: impl Iterator<Item = &'c Column>,
    prices: Prices,
    what: &str,
) -> SchemaRef {
    let fields: Vec<_> = columns.map(|column| column.field(prices)).collect();
    let table = HashMap::from([("feed-handler.table".to_owned(), what.to_owned())]);
    Arc::new(Schema::new(fields).with_metadata(table))
}
