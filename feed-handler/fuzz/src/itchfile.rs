//! BinaryFILE as a framing.

use feed_common::capture::BinaryFileReader;
use feed_handler::transport::{FrameKind, Framing, ItchFileFraming};

/// The first byte says in what pieces the rest arrives: the messages and their numbers must not depend on it.
pub fn itchfile(data: &[u8]) {
    let Some((&step, file)) = data.split_first() else {
        return;
    };
    let (mut framing, mut held, mut messages) = (ItchFileFraming::default(), Vec::new(), 0);
    let mut whole = true;
    for part in file.chunks(usize::from(step) + 1) {
        held.extend_from_slice(part);
        let chunk = std::mem::take(&mut held);
        let mut rest = &chunk[..];
        while let Ok((frame, after)) = framing.open(rest) {
            assert!(after.len() < rest.len());
            assert_eq!(frame.span.first, messages + 1);
            messages += frame.messages.count() as u64;
            assert_eq!(frame.span.end(), messages + 1);
            whole &= frame.kind == FrameKind::Data;
            rest = after;
        }
        held = rest.to_vec();
    }
    // Without an end of session the reader of files walks the same records.
    if whole {
        let mut reader = BinaryFileReader::new(file);
        let chunks = std::iter::from_fn(|| reader.next_chunk(64));
        assert_eq!(chunks.map(|c| u64::from(c.records)).sum::<u64>(), messages);
    }
}
