//! The native protocol: whole batches of 44 records of eight symbols, from datagram to handler.

use crate::context;
use feed_common::event::{MarketData, MarketHandler, MsgCtx};
use feed_common::prices::PriceLayout;
use feed_common::time::UnixNanos;
use feed_common::wire::native::{BatchInfo, encode_columns, encode_records};
use feed_handler::protocol::{Decode, native::NativeDecoder};
use feed_handler::transport::{Framing, native::NativeFraming};

/// Records of a batch.
pub const RECORDS: u64 = 44;

/// A datagram of columns, or of whole records, with prices of that layout.
pub fn datagram(columns: bool, layout: &PriceLayout) -> Vec<u8> {
    let record = |i: u64| {
        let mut symbol = *b"SYMBOL  ";
        symbol[6] = b'0' + (i % 8) as u8;
        MarketData {
            symbol,
            price: (i as i64 * 1_000_000_000).into(),
            quantity: 100.into(),
            timestamp: i.into(),
            ..MarketData::default()
        }
    };
    let records: Vec<MarketData> = (0..RECORDS).map(record).collect();
    let info = BatchInfo {
        session: *b"BENCH     ",
        sequence: 1,
        sent: UnixNanos(1),
    };
    let mut datagram = Vec::new();
    let encoded = match columns {
        true => encode_columns(&mut datagram, &info, layout, &records),
        false => encode_records(&mut datagram, &info, layout, &records),
    };
    encoded.expect("a batch");
    datagram
}

/// Decodes a datagram; records.
pub fn decode(decoder: &mut NativeDecoder, datagram: &[u8], all: &mut AllRecords) -> u64 {
    let (frame, _) = NativeFraming.open(datagram).expect("a frame");
    let mut cx = MsgCtx {
        sequence: frame.span.first,
        midnight: UnixNanos::UNKNOWN,
        ..context()
    };
    for message in frame.messages {
        decoder.decode(message, &mut cx, all).expect("a batch");
    }
    frame.span.count
}

/// Takes records and keeps the compiler from dropping any of their fields.
#[derive(Default)]
pub struct AllRecords(pub u64);

impl MarketHandler for AllRecords {
    #[inline]
    fn on_market_data(&mut self, cx: &MsgCtx, m: MarketData) {
        let price = m.price.get() as u64 ^ u64::from(m.quantity.get());
        self.0 = self
            .0
            .wrapping_add(price ^ m.timestamp.get() ^ u64::from(cx.instrument));
    }
}
