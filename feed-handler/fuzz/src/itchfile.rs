//! BinaryFILE as a framing.

use feed_common::capture::{CaptureFile, Format, Record};
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
    // The reader of files walks the same records.
    if let Ok(file) = CaptureFile::from_memory("fuzz", file.to_vec())
        && whole
        && file.format() == Format::BinaryFile
        && file.compression().is_none()
    {
        let (mut reader, mut walked) = (file.records(), 0);
        while let Some(Record::Run(chunk)) = reader.next(64) {
            walked += u64::from(chunk.records);
        }
        assert_eq!(walked, messages);
    }
}
