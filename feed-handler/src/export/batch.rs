//! Rows gathered into columns, a batch at a time, for a thread that writes them.

use super::columns::{Column, PRICE_DECIMALS, PRICE_DIGITS, Prices, Type};
use super::names::Names;
use super::table::LeftOut;
use super::{ExportError, NAMES_MAX};
use crate::inspect::rows::Cell;
use arrow_array::builder::{
    Decimal128Builder, Int8Builder, Int32Builder, Int64Builder, TimestampNanosecondBuilder,
    UInt16Builder, UInt32Builder, UInt64Builder,
};
use arrow_array::{ArrayRef, DictionaryArray, RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use feed_common::wire::message::trimmed;
use std::sync::Arc;

/// Rows of a batch at most.
pub const BATCH_ROWS: usize = 1 << 14;
/// Rows of a row group at most: what a reader can skip, and what is kept before it is written.
pub const GROUP_ROWS: usize = 1 << 17;
/// Values of a row group at most, over all columns.
const GROUP_VALUES: usize = 1 << 22;

/// Rows of a row group of so many columns.
pub(super) fn group_rows(columns: usize) -> usize {
    (GROUP_VALUES / columns.max(1)).clamp(BATCH_ROWS / 8, GROUP_ROWS)
}

/// Rows being gathered.
#[derive(Debug)]
pub(super) struct Gathered {
    schema: SchemaRef,
    builders: Vec<Builder>,
    names: Names,
    rows: usize,
    most: usize,
    left_out: LeftOut,
}

#[derive(Debug)]
enum Builder {
    Symbol(Int32Builder),
    Word {
        words: &'static [&'static str],
        all: Arc<StringArray>,
        keys: Int8Builder,
    },
    U64(UInt64Builder),
    U32(UInt32Builder),
    U16(UInt16Builder),
    Time(TimestampNanosecondBuilder),
    SinceMidnight(Int64Builder),
    Decimal(Decimal128Builder),
    Integer(Int64Builder),
}

impl Gathered {
    pub(super) fn new<'c>(
        schema: SchemaRef,
        columns: impl Iterator<Item = &'c Column>,
        prices: Prices,
    ) -> Gathered {
        let most = group_rows(schema.fields().len()).min(BATCH_ROWS);
        Gathered {
            builders: columns
                .map(|c| Builder::new(c.holds, prices, most))
                .collect(),
            schema,
            names: Names::new(),
            rows: 0,
            most,
            left_out: LeftOut::default(),
        }
    }

    /// Takes a row; a batch when it is full.
    #[inline]
    pub(super) fn take(
        &mut self,
        cells: &[Cell<'_>],
        picked: &[usize],
    ) -> Result<Option<RecordBatch>, ExportError> {
        for (builder, &at) in self.builders.iter_mut().zip(picked) {
            if !builder.push(cells[at], &mut self.names, &mut self.left_out) {
                return Err(ExportError::Names);
            }
        }
        self.rows += 1;
        Ok(if self.rows == self.most {
            self.batch()
        } else {
            None
        })
    }

    /// What has been gathered, if anything.
    pub(super) fn batch(&mut self) -> Option<RecordBatch> {
        if std::mem::take(&mut self.rows) == 0 {
            return None;
        }
        let names = self.names.array();
        let arrays = self.builders.iter_mut().map(|b| b.array(&names)).collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays);
        Some(batch.expect("columns of the schema's types, all with every row"))
    }

    pub(super) fn left_out(&self) -> LeftOut {
        self.left_out
    }
}

impl Builder {
    fn new(holds: Type, prices: Prices, rows: usize) -> Builder {
        match (holds, prices) {
            (Type::Symbol, _) => Builder::Symbol(Int32Builder::with_capacity(rows)),
            (Type::Word(words), _) => Builder::Word {
                words,
                all: Arc::new(StringArray::from_iter_values(words)),
                keys: Int8Builder::with_capacity(rows),
            },
            (Type::U64, _) => Builder::U64(UInt64Builder::with_capacity(rows)),
            (Type::U32, _) => Builder::U32(UInt32Builder::with_capacity(rows)),
            (Type::U16, _) => Builder::U16(UInt16Builder::with_capacity(rows)),
            (Type::Time, _) => {
                let builder = TimestampNanosecondBuilder::with_capacity(rows);
                Builder::Time(builder.with_timezone("UTC"))
            }
            (Type::SinceMidnight, _) => Builder::SinceMidnight(Int64Builder::with_capacity(rows)),
            (Type::Price, Prices::Decimal) => {
                let builder = Decimal128Builder::with_capacity(rows);
                let builder = builder.with_precision_and_scale(PRICE_DIGITS, PRICE_DECIMALS as i8);
                Builder::Decimal(builder.expect("18 digits, 9 of them decimals"))
            }
            (Type::Price, Prices::Integer) => Builder::Integer(Int64Builder::with_capacity(rows)),
        }
    }

    /// False when there is no room for another name.
    #[inline]
    fn push(&mut self, cell: Cell<'_>, names: &mut Names, left_out: &mut LeftOut) -> bool {
        match (self, cell) {
            (Builder::Symbol(keys), Cell::Symbol(name)) => {
                if trimmed(name).is_empty() {
                    keys.append_null();
                    return true;
                }
                match names.key(name) {
                    Some(key) => keys.append_value(key),
                    None => return false,
                }
            }
            (Builder::Symbol(keys), _) => keys.append_null(),
            (Builder::Word { words, keys, .. }, cell) => {
                let place = |text: &[u8]| words.iter().position(|w| w.as_bytes() == text);
                let place = match cell {
                    Cell::Symbol(text) => place(text),
                    Cell::Letter(letter) => place(&[letter]),
                    _ => None,
                };
                keys.append_option(place.map(|at| at as i8));
            }
            (Builder::U64(to), Cell::Number(n)) => to.append_value(n),
            (Builder::U64(to), _) => to.append_null(),
            // Columns of these widths are of numbers that have no more.
            (Builder::U32(to), Cell::Number(n)) => to.append_value(n as u32),
            (Builder::U32(to), _) => to.append_null(),
            (Builder::U16(to), Cell::Number(n)) => to.append_value(n as u16),
            (Builder::U16(to), _) => to.append_null(),
            (Builder::Time(to), Cell::Number(n)) => {
                let known = i64::try_from(n).ok();
                left_out.times += u64::from(known.is_none());
                to.append_option(known);
            }
            (Builder::Time(to), _) => to.append_null(),
            (Builder::SinceMidnight(to), Cell::Number(n)) => {
                let known = i64::try_from(n).ok();
                left_out.times += u64::from(known.is_none());
                to.append_option(known);
            }
            (Builder::SinceMidnight(to), _) => to.append_null(),
            (Builder::Decimal(to), Cell::Price(price)) if price.is_some() => {
                const END: i64 = 10i64.pow(PRICE_DIGITS as u32);
                let fits = -END < price.0 && price.0 < END;
                left_out.prices += u64::from(!fits);
                to.append_option(fits.then_some(price.0.into()));
            }
            (Builder::Decimal(to), _) => to.append_null(),
            (Builder::Integer(to), Cell::Price(price)) if price.is_some() => {
                to.append_value(price.0);
            }
            (Builder::Integer(to), _) => to.append_null(),
        }
        true
    }

    fn array(&mut self, names: &Arc<StringArray>) -> ArrayRef {
        const { assert!(NAMES_MAX <= i32::MAX as usize) };
        match self {
            Builder::Symbol(keys) => Arc::new(DictionaryArray::new(keys.finish(), names.clone())),
            Builder::Word { all, keys, .. } => {
                Arc::new(DictionaryArray::new(keys.finish(), all.clone()))
            }
            Builder::U64(to) => Arc::new(to.finish()),
            Builder::U32(to) => Arc::new(to.finish()),
            Builder::U16(to) => Arc::new(to.finish()),
            Builder::Time(to) => Arc::new(to.finish()),
            Builder::SinceMidnight(to) | Builder::Integer(to) => Arc::new(to.finish()),
            Builder::Decimal(to) => Arc::new(to.finish()),
        }
    }
}
