//! Batches by the encoding traits: written without a vector, read in place.

use super::{
    Batch, BatchInfo, EncodeError, HEADER_LENGTH, Header, MAX_UDP_PAYLOAD, NativeError, encode,
    encoded_len, records_that_fit, with_wire_null,
};
use crate::encode::{Decode, Encode, SerializeError, room};
use crate::event::{MarketData, Price};
use crate::prices::PriceLayout;
use std::io::{self, Write};
use zerocopy::IntoBytes;

impl<'a> Decode<'a> for Batch<'a> {
    type Error = NativeError;

    #[inline]
    fn deserialize_from(bytes: &'a [u8]) -> Result<(Batch<'a>, &'a [u8]), NativeError> {
        Batch::parse(bytes)
    }
}

impl Encode for Batch<'_> {
    #[inline]
    fn serialized_size(&self) -> usize {
        self.bytes().len()
    }

    /// The batch as it was read: what only its sender knows is passed on.
    fn serialize_into<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(self.bytes())
    }

    #[inline]
    fn serialize_into_slice(&self, out: &mut [u8]) -> Result<usize, SerializeError> {
        room(out, self.bytes().len())?.copy_from_slice(self.bytes());
        Ok(self.bytes().len())
    }
}

/// A batch of market data to be written, as [`encode_records`](super::encode_records) and
/// [`encode_columns`](super::encode_columns) append it to a vector.
#[derive(Clone, Copy, Debug)]
pub struct MarketRecords<'a> {
    info: &'a BatchInfo,
    price: PriceLayout,
    arrangement: u8,
    records: &'a [MarketData],
}

impl<'a> MarketRecords<'a> {
    /// Whole records ([`arrangement::RECORDS`](super::arrangement)). `price` says how prices are written; its stride and
    /// null are the protocol's. Refused as by [`encode_records`](super::encode_records), but for prices that have no
    /// exact place in the price's type: those are refused when written.
    pub fn new(
        info: &'a BatchInfo,
        price: &PriceLayout,
        records: &'a [MarketData],
    ) -> Result<MarketRecords<'a>, EncodeError> {
        let most = records_that_fit(MAX_UDP_PAYLOAD, price.width());
        encode::count_of(info, records.len(), most)?;
        Ok(MarketRecords {
            info,
            price: with_wire_null(*price),
            arrangement: super::arrangement::RECORDS,
            records,
        })
    }

    /// In columns instead.
    pub fn in_columns(self) -> MarketRecords<'a> {
        MarketRecords {
            arrangement: super::arrangement::COLUMNS,
            ..self
        }
    }

    fn header(&self) -> Header {
        // Fits: `new` has counted them.
        let count = self.records.len() as u16;
        encode::market_header(self.info, &self.price, self.arrangement, count)
    }

    /// The price of record `i` at the front of eight bytes.
    fn mantissa(&self, i: usize) -> Result<[u8; 8], EncodeError> {
        let mut bytes = [0; 8];
        let price = Price(self.records[i].price.get());
        match self.price.write(price, &mut bytes[..self.price.width()]) {
            Ok(()) => Ok(bytes),
            Err(_) => Err(EncodeError::Price(i)),
        }
    }
}

impl Encode for MarketRecords<'_> {
    #[inline]
    fn serialized_size(&self) -> usize {
        encoded_len(self.records.len(), self.price.width())
    }

    /// In pieces of a few bytes.
    fn serialize_into<W: Write + ?Sized>(&self, out: &mut W) -> io::Result<()> {
        // All are looked at before the first byte is written.
        let width = self.price.width();
        for i in 0..self.records.len() {
            self.mantissa(i).map_err(SerializeError::Batch)?;
        }
        let price = |out: &mut W, i| {
            let mantissa = self.mantissa(i).map_err(SerializeError::Batch)?;
            out.write_all(&mantissa[..width])
        };
        out.write_all(self.header().as_bytes())?;
        if self.arrangement == super::arrangement::RECORDS {
            for (i, r) in self.records.iter().enumerate() {
                out.write_all(&r.symbol)?;
                price(out, i)?;
                out.write_all(&r.as_bytes()[encode::BEHIND_PRICE])?;
            }
            return Ok(());
        }
        for r in self.records {
            out.write_all(&r.symbol)?;
        }
        for i in 0..self.records.len() {
            price(out, i)?;
        }
        for field in encode::FIELDS_BEHIND_PRICE {
            for r in self.records {
                out.write_all(&r.as_bytes()[field.clone()])?;
            }
        }
        Ok(())
    }

    fn serialize_into_slice(&self, out: &mut [u8]) -> Result<usize, SerializeError> {
        let size = self.serialized_size();
        let (header, body) = room(out, size)?.split_at_mut(HEADER_LENGTH);
        header.copy_from_slice(self.header().as_bytes());
        if self.arrangement == super::arrangement::RECORDS {
            encode::fill_records(body, &self.price, self.records)?;
        } else {
            encode::fill_columns(body, &self.price, self.records)?;
        }
        Ok(size)
    }
}
