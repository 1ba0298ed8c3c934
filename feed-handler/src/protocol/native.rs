//! The native protocol: records that are [`MarketData`](feed_common::event::MarketData) already, but for their price,
//! which comes as an array of the wire's own scale and goes through [`feed_common::prices`] once.

use super::{Decode, DecodeError, Instruments, Protocol, REVIEWED_AT_ONCE};
use crate::subscribe::{Filter, Standing};
use crate::transport::native::NativeFraming;
use feed_common::event::{Flags, MarketHandler, MsgCtx, NO_INSTRUMENT, NO_SYMBOL, Price, Trust};
use feed_common::prices::{Path, PriceDecoder, PriceLayout};
use feed_common::time::UnixNanos;
use feed_common::wire::native::{Batch, NativeError};
use zerocopy::byteorder::little_endian::U16;

/// The native protocol.
#[derive(Clone, Copy, Debug)]
pub struct Native;

impl Protocol for Native {
    const NAME: &'static str = "native";
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

/// The instruments, and whether they are wanted.
#[derive(Debug)]
struct Known {
    instruments: Instruments,
    /// By instrument.
    standings: Box<[Standing]>,
    filter: Box<Filter>,
    /// Instruments that the filter has been asked about since it is there.
    reviewed: usize,
    filtered: u64,
}

impl Default for NativeDecoder {
    /// Room for 65,536 symbols.
    fn default() -> NativeDecoder {
        NativeDecoder::new(1 << 16)
    }
}

impl NativeDecoder {
    /// A decoder for up to `instruments` symbols by the fastest path this machine has.
    pub fn new(instruments: usize) -> NativeDecoder {
        NativeDecoder::with_path(instruments, Path::best())
    }

    /// A decoder whose price arrays go by `path` where the machine can run it; what comes out is the same.
    pub fn with_path(instruments: usize, path: Path) -> NativeDecoder {
        NativeDecoder {
            known: Known {
                instruments: Instruments::with_capacity(instruments),
                standings: vec![Standing::Unknown; instruments.max(1)].into(),
                filter: Box::default(),
                reviewed: 0,
                filtered: 0,
            },
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
        &self.known.instruments
    }
}

impl Known {
    /// The number of a record's instrument, and whether it is wanted. A record about no instrument always is.
    #[inline]
    fn place(&mut self, symbol: [u8; 8]) -> (u32, Standing) {
        if symbol == NO_SYMBOL {
            return (NO_INSTRUMENT, Standing::Wanted);
        }
        let instrument = self.instruments.intern(symbol);
        match self.standings.get_mut(instrument as usize) {
            Some(Standing::Unknown) | None => (instrument, self.learn(instrument, symbol)),
            Some(known) => (instrument, *known),
        }
    }

    /// An instrument beyond the table has no place to keep the answer in.
    #[cold]
    fn learn(&mut self, instrument: u32, symbol: [u8; 8]) -> Standing {
        let standing = Standing::of(&symbol, &self.filter);
        if let Some(place) = self.standings.get_mut(instrument as usize) {
            *place = standing;
        }
        standing
    }
}

impl Decode for NativeDecoder {
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
        let batch = batch.market_data()?;
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
            cx.symbol = data.symbol;
            let (instrument, standing) = self.known.place(data.symbol);
            cx.instrument = instrument;
            cx.flags = Flags(data.flags.get());
            match standing {
                Standing::Unwanted => self.known.filtered += 1,
                Standing::Late if cx.trust == Trust::VALID => {
                    cx.trust = Trust::RECOVERING;
                    out.on_market_data(cx, data);
                    cx.trust = Trust::VALID;
                }
                _ => out.on_market_data(cx, data),
            }
            cx.sequence = cx.sequence.wrapping_add(1);
        });
        Ok(())
    }

    fn oddities(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("instrument_table_full", self.known.instruments.refused()),
            ("price_out_of_range", self.out_of_range),
        ]
    }

    /// Records name their symbols, so numbers given before keep their meaning. Of a new session nothing has been missed.
    fn restart(&mut self) {
        for standing in &mut self.known.standings {
            if *standing == Standing::Late {
                *standing = Standing::Wanted;
            }
        }
    }

    fn subscribe(&mut self, filter: Box<Filter>) -> Box<Filter> {
        self.known.reviewed = 0;
        std::mem::replace(&mut self.known.filter, filter)
    }

    fn review<H: MarketHandler>(&mut self, cx: &MsgCtx, out: &mut H) -> bool {
        let known = &mut self.known;
        let all = known.instruments.len();
        let end = (known.reviewed + REVIEWED_AT_ONCE).min(all);
        for number in known.reviewed..end {
            let symbol = known.instruments.symbol(number as u32);
            let before = known.standings[number];
            known.standings[number] = before.again(&symbol, &known.filter);
            if before.is_delivered() && !known.standings[number].is_delivered() {
                let cx = MsgCtx {
                    instrument: number as u32,
                    symbol,
                    ..*cx
                };
                out.on_clear(&cx);
            }
        }
        known.reviewed = end;
        end < all
    }

    fn filtered(&self) -> u64 {
        self.known.filtered
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
