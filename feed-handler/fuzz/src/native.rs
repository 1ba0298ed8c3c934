//! Native batches.

use super::messages::{Kept, context};
use feed_common::event::Record;
use feed_common::prices::Path;
use feed_handler::protocol::Decode;
use feed_handler::protocol::native::NativeDecoder;
use feed_handler::publish::Records;
use feed_handler::transport::Framing;
use feed_handler::transport::native::NativeFraming;

/// A datagram: both paths of the price decoder give the same records, one for each number that is new.
pub fn native(data: &[u8]) {
    assert_eq!(decode(data, Path::best()), decode(data, Path::Portable));
}

fn decode(data: &[u8], path: Path) -> Vec<Record> {
    let mut decoder = NativeDecoder::with_path(4, path);
    let mut records = Records::new(Kept::default(), 1);
    let (mut rest, mut expected) = (data, 0);
    while let Ok((frame, after)) = NativeFraming.open(rest) {
        assert!(after.len() < rest.len());
        let skip = frame.span.count.min(u64::from(data[data.len() - 1] % 4));
        for message in frame.messages {
            assert_eq!(
                u64::from(NativeFraming::sequences(message)),
                frame.span.count
            );
            let mut cx = context(frame.span.first + skip);
            cx.skip = skip as u32;
            if decoder.decode(message, &mut cx, &mut records).is_ok() {
                expected += frame.span.count - skip;
            }
        }
        rest = after;
    }
    let records = records.into_sink().0;
    assert_eq!(records.len() as u64, expected);
    records
}
