//! The native protocol: records that are [`MarketData`](feed_common::event::MarketData) already, but for their price,
//! which comes as an array of the wire's own scale and goes through [`feed_common::prices`] once; and records of other
//! kinds, which are handed out as they are.

use super::{About, Decode, DecodeError, Instruments, Known, Protocol};
use crate::subscribe::Filter;
use crate::transport::native::NativeFraming;
use feed_common::event::{Flags, MarketHandler, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Price};
use feed_common::prices::{Path, PriceDecoder, PriceLayout};
use feed_common::time::{UnixNanos, Zone};
use feed_common::wire::ProtocolName;
use feed_common::wire::native::{Batch, Contents, MarketBatch, NativeError, NativeRecord, Rows};
use zerocopy::byteorder::little_endian::U16;

/// The native protocol.
#[derive(Clone, Copy, Debug)]
pub struct Native;

impl Protocol for Native {
    const NAME: ProtocolName = ProtocolName::Native;
    const ZONE: Zone = Zone::Utc;
    const ABOUT: About = About {
        feed: "this project's own batches of `MarketData`",
        versions: "1",
        framing: "batches of records or columns",
        books: "price levels or quotes",
    };
    type Framing = NativeFraming;
    type Decoder = NativeDecoder;
}

/// Decodes batches. All memory is taken when it is made.
#[derive(Debug)]
pub struct NativeDecoder {
    known: Known,
    /// For the layout of the last batch; senders keep theirs.
    decoder: PriceDecoder,
    /// Canonical prices of the batch at hand. The count on the wire has 16 bits, so every batch fits.
    prices: Box<[i64]>,
    out_of_range: u64,
}

impl NativeDecoder {
    /// A decoder whose price arrays go by `path` where the machine can run it; what comes out is the same.
    pub fn with_path(instruments: usize, path: Path) -> NativeDecoder {
        NativeDecoder {
            known: Known::with_room(instruments),
            decoder: PriceDecoder::with_path(PriceLayout::CANONICAL, path),
            prices: vec![0; u16::MAX as usize].into_boxed_slice(),
            out_of_range: 0,
        }
    }

    /// The path its price arrays take.
    pub fn path(&self) -> Path {
        self.decoder.path()
    }

    /// The instruments seen so far.
    pub fn instruments(&self) -> &Instruments {
        self.known.instruments()
    }

    /// Delivers the records of a batch that has not been delivered up to `cx.skip`.
    #[inline(always)]
    fn market<H: MarketHandler>(&mut self, batch: &MarketBatch<'_>, cx: &mut MsgCtx, out: &mut H) {
        if batch.price_layout() != *self.decoder.layout() {
            self.decoder = PriceDecoder::with_path(batch.price_layout(), self.decoder.path());
        }
        let prices = &mut self.prices[..batch.len()];
        let overflows = self.decoder.decode(batch.prices(), prices);

        batch.for_each(cx.skip as usize, prices, |i, mut data| {
            // Nulls of the wire and of the range look alike; which one it is matters only where there is one of the
            // latter in the batch.
            if overflows != 0
                && data.price.get() == Price::NULL.0
                && self.decoder.overflowed(batch.prices(), i)
            {
                data.flags = U16::new(Flags(data.flags.get()).with(Flags::PRICE_RANGE).0);
                self.out_of_range += 1;
            }
            cx.timestamp = UnixNanos(data.timestamp.get());
            cx.flags = Flags(data.flags.get());
            let place = self.known.intern(data.symbol);
            self.known
                .deliver(place, cx, |cx| out.on_market_data(cx, data));
            cx.sequence = cx.sequence.wrapping_add(1);
        });
    }
}

/// Delivers records that are not market data: each is an event of its own, of no instrument.
fn rows<T: NativeRecord>(rows: Rows<'_, T>, cx: &mut MsgCtx, mut tell: impl FnMut(&MsgCtx, T)) {
    (cx.instrument, cx.symbol) = (NO_INSTRUMENT, NO_SYMBOL);
    // Whatever market data is open beside it stays open.
    cx.flags = Flags::END_OF_EVENT.with(Flags::OF_INSTRUMENT);
    for row in rows.iter(cx.skip as usize) {
        cx.timestamp = row.time();
        tell(cx, *row);
        cx.sequence = cx.sequence.wrapping_add(1);
    }
}

impl Decode for NativeDecoder {
    /// Price arrays go by the fastest path this machine has.
    fn with_room(instruments: usize) -> NativeDecoder {
        NativeDecoder::with_path(instruments, Path::best())
    }

    fn decode<H: MarketHandler>(
        &mut self,
        message: &[u8],
        cx: &mut MsgCtx,
        out: &mut H,
    ) -> Result<(), DecodeError> {
        if message.is_empty() {
            return Err(DecodeError::Empty);
        }
        let (batch, _) = Batch::parse(message)?;
        match batch.contents() {
            Contents::Market(batch) => self.market(&batch, cx, out),
            Contents::Sensors(rows) => self::rows(rows, cx, |cx, m| out.on_sensor(cx, m)),
            Contents::Points(rows) => self::rows(rows, cx, |cx, m| out.on_point(cx, m)),
            Contents::Unknown(_) => return Err(DecodeError::UnknownType),
        }
        Ok(())
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("instrument_table_full", self.known.refused()),
            ("price_out_of_range", self.out_of_range),
        ]
    }

    fn restart(&mut self) {
        self.known.restart();
    }

    fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter> {
        self.known.subscribe(filter)
    }

    fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool {
        self.known.review(cx, out)
    }

    fn filtered(&self) -> u64 {
        self.known.filtered()
    }
}

impl From<NativeError> for DecodeError {
    fn from(e: NativeError) -> DecodeError {
        match e {
            NativeError::ShortHeader | NativeError::Overrun => DecodeError::Short,
            NativeError::UnknownRecord => DecodeError::UnknownType,
            NativeError::Foreign | NativeError::Version | NativeError::Header => {
                DecodeError::Invalid
            }
        }
    }
}

#[cfg(test)]
mod tests;
