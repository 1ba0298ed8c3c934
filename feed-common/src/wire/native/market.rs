//! The `MarketData` records of a batch, whole or in columns.

use super::{Header, NativeError, RECORD_BASE, arrangement, record_kind};
use crate::event::{Flags, MarketData, Price};
use crate::prices::PriceLayout;
use zerocopy::byteorder::little_endian::{I64, U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

/// The records of a validated batch. Their prices are an array of their own, to be decoded once by
/// [`PriceDecoder`](crate::prices::PriceDecoder) and handed back to [`MarketBatch::for_each`].
#[derive(Clone, Copy, Debug)]
pub struct MarketBatch<'a> {
    count: usize,
    price: PriceLayout,
    /// From the first price to the end of the last; at the stride of `price`.
    prices: &'a [u8],
    rows: Rows<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Rows<'a> {
    Records { body: &'a [u8], length: usize },
    Columns(Columns<'a>),
}

/// All of the same length.
#[derive(Clone, Copy, Debug)]
struct Columns<'a> {
    symbols: &'a [[u8; 8]],
    quantities: &'a [U32],
    kinds: &'a [u8],
    sides: &'a [u8],
    flags: &'a [U16],
    timestamps: &'a [U64],
}

/// What follows the price in a whole record.
#[derive(Clone, Copy, Debug, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct Tail {
    quantity: U32,
    kind: u8,
    side: u8,
    flags: U16,
    timestamp: U64,
}

const SYMBOL: usize = 8;
const _: () = assert!(SYMBOL + size_of::<Tail>() == RECORD_BASE);

impl<'a> MarketBatch<'a> {
    /// `body` is `count * record_length` bytes and the header is valid; the errors here only say so again.
    #[inline]
    pub(super) fn new(header: &Header, body: &'a [u8]) -> Result<MarketBatch<'a>, NativeError> {
        if header.record_kind != record_kind::MARKET_DATA {
            return Err(NativeError::UnknownRecord);
        }
        let count = header.count.get() as usize;
        let length = header.record_length.get() as usize;
        let single = header.price().ok_or(NativeError::Header)?;
        let (price, prices_at, rows) = if header.arrangement == arrangement::RECORDS {
            let at_stride = single
                .with_stride(length)
                .map_err(|_| NativeError::Header)?;
            let rows = Rows::Records { body, length };
            (at_stride, SYMBOL.min(body.len()), rows)
        } else {
            let columns = Columns::new(body, count, single.width()).ok_or(NativeError::Overrun)?;
            (single, SYMBOL * count, Rows::Columns(columns))
        };
        let prices = body[prices_at..]
            .get(..price.bytes(count))
            .ok_or(NativeError::Overrun)?;
        Ok(MarketBatch {
            count,
            price,
            prices,
            rows,
        })
    }

    /// Number of records.
    #[inline]
    pub fn len(&self) -> usize {
        self.count
    }

    /// True for heartbeats.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The price array: exactly the bytes that [`MarketBatch::price_layout`] needs for [`MarketBatch::len`] values.
    #[inline]
    pub fn prices(&self) -> &'a [u8] {
        self.prices
    }

    /// How the price array lies.
    #[inline]
    pub fn price_layout(&self) -> PriceLayout {
        self.price
    }

    /// Calls `each` with the number and the record of every record from number `skip` on, in order, with the prices
    /// of `prices`, one for each record of the batch. Panics when there are fewer.
    #[inline]
    pub fn for_each(&self, skip: usize, prices: &[i64], mut each: impl FnMut(usize, MarketData)) {
        let skip = skip.min(self.count);
        let numbered = (skip..).zip(&prices[skip..self.count]);
        match self.rows {
            Rows::Records { body, length } => {
                let records = body[skip * length..].chunks_exact(length);
                for ((i, &price), record) in numbered.zip(records) {
                    if let Some(data) = whole(record, self.price.width(), price) {
                        each(i, data);
                    }
                }
            }
            Rows::Columns(columns) => {
                let c = columns.sized(self.count);
                for (i, &price) in numbered {
                    each(i, c.row(i, price));
                }
            }
        }
    }

    /// Record `i` with its price decoded on its own, for cold paths: null and [`Flags::PRICE_RANGE`] where it leaves
    /// the canonical range. `None` when there are not so many records.
    pub fn get(&self, i: usize) -> Option<MarketData> {
        if i >= self.count {
            return None;
        }
        let price = self.price.read(self.prices, i);
        let canonical = price.unwrap_or(Price::NULL).0;
        let mut data = match self.rows {
            Rows::Records { body, length } => {
                whole(&body[i * length..], self.price.width(), canonical)?
            }
            Rows::Columns(c) => c.row(i, canonical),
        };
        if price.is_err() {
            data.flags = U16::new(Flags(data.flags.get()).with(Flags::PRICE_RANGE).0);
        }
        Some(data)
    }

    /// The records as [`MarketBatch::get`] gives them.
    pub fn iter(&self) -> impl Iterator<Item = MarketData> + use<'a> {
        let batch = *self;
        (0..batch.count).map_while(move |i| batch.get(i))
    }
}

/// The record at the start of `record`, with a price decoded elsewhere; `None` when it is too short, which the
/// header's validation has ruled out.
#[inline]
fn whole(record: &[u8], price_width: usize, price: i64) -> Option<MarketData> {
    let (symbol, _) = <[u8; SYMBOL]>::ref_from_prefix(record).ok()?;
    let (tail, _) = Tail::ref_from_prefix(record.get(SYMBOL + price_width..)?).ok()?;
    Some(MarketData {
        symbol: *symbol,
        price: I64::new(price),
        quantity: tail.quantity,
        kind: tail.kind,
        side: tail.side,
        flags: tail.flags,
        timestamp: tail.timestamp,
    })
}

impl<'a> Columns<'a> {
    /// Cuts the columns off the front of `body`; `None` when it is too short.
    #[inline]
    fn new(body: &'a [u8], count: usize, price_width: usize) -> Option<Columns<'a>> {
        fn cut<'a, T: FromBytes + Immutable + KnownLayout + Unaligned>(
            body: &mut &'a [u8],
            count: usize,
        ) -> Option<&'a [T]> {
            let (column, rest) = <[T]>::ref_from_prefix_with_elems(body, count).ok()?;
            *body = rest;
            Some(column)
        }
        let mut rest = body;
        let symbols = cut(&mut rest, count)?;
        rest = rest.get(count * price_width..)?;
        Some(Columns {
            symbols,
            quantities: cut(&mut rest, count)?,
            kinds: cut(&mut rest, count)?,
            sides: cut(&mut rest, count)?,
            flags: cut(&mut rest, count)?,
            timestamps: cut(&mut rest, count)?,
        })
    }

    /// The same columns with their common length in plain sight, so that one bound covers all six.
    #[inline]
    fn sized(self, count: usize) -> Columns<'a> {
        Columns {
            symbols: &self.symbols[..count],
            quantities: &self.quantities[..count],
            kinds: &self.kinds[..count],
            sides: &self.sides[..count],
            flags: &self.flags[..count],
            timestamps: &self.timestamps[..count],
        }
    }

    #[inline]
    fn row(&self, i: usize, price: i64) -> MarketData {
        MarketData {
            symbol: self.symbols[i],
            price: I64::new(price),
            quantity: self.quantities[i],
            kind: self.kinds[i],
            side: self.sides[i],
            flags: self.flags[i],
            timestamp: self.timestamps[i],
        }
    }
}
