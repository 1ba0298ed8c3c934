//! BinaryFILE as a framing: Nasdaq's historical files are `u16 length, message` repeated, big-endian, with no
//! numbers and no times. A length of zero ends the session.

use super::{Frame, FrameError, FrameKind, Framing, Opened, Session};
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::{Blocks, length};

/// Session name of messages from a file.
pub const FILE_SESSION: Session = *b"BINARYFILE";

/// Records in one frame at most: their lengths are walked twice, and the second time they should still be in cache.
const FRAME_RECORDS: u32 = 4096;

/// Opens chunks of a BinaryFILE and numbers their messages from 1, as MoldUDP64 did when they were sent.
///
/// Chunks must be opened once and in file order. What is handed back as the rest begins a record: further whole
/// ones, or a part to be completed with the next bytes of the file. A chunk that begins with a part of a record is
/// [`FrameError::Overrun`], which is how a file cut short ends.
#[derive(Clone, Debug)]
pub struct ItchFileFraming {
    next: u64,
}

impl Default for ItchFileFraming {
    fn default() -> ItchFileFraming {
        ItchFileFraming { next: 1 }
    }
}

impl Framing for ItchFileFraming {
    type Messages<'a> = Blocks<'a>;

    #[inline]
    fn open<'a>(&mut self, chunk: &'a [u8]) -> Opened<'a, Blocks<'a>> {
        if let [0, 0, rest @ ..] = chunk {
            return Ok((self.frame(FrameKind::EndOfSession, 0, &[]), rest));
        }
        let (count, rest) = whole_records(chunk);
        if count == 0 {
            return Err(FrameError::Overrun);
        }
        let records = &chunk[..chunk.len() - rest.len()];
        Ok((self.frame(FrameKind::Data, count, records), rest))
    }

    /// The walk that cuts a file into runs is the one that finds their lengths good; a second one cost 3 ns a message.
    #[inline]
    fn open_walked<'a>(&mut self, chunk: &'a [u8], records: u32) -> Opened<'a, Blocks<'a>> {
        if records == 0 {
            return self.open(chunk);
        }
        debug_assert_eq!(Blocks::new(chunk).count(), records as usize);
        Ok((self.frame(FrameKind::Data, records, chunk), &[]))
    }
}

impl ItchFileFraming {
    #[inline]
    fn frame<'a>(&mut self, kind: FrameKind, count: u32, records: &'a [u8]) -> Frame<Blocks<'a>> {
        let span = SeqSpan {
            first: self.next,
            count: count.into(),
        };
        self.next = span.end();
        Frame {
            session: FILE_SESSION,
            span,
            kind,
            sent: UnixNanos::UNKNOWN,
            carries: count,
            unit: 0,
            begins: false,
            messages: Blocks::new(records),
        }
    }
}

/// How many whole, non-empty records `chunk` begins with, and what follows them.
#[inline]
fn whole_records(chunk: &[u8]) -> (u32, &[u8]) {
    let (mut count, mut rest) = (0, chunk);
    while count < FRAME_RECORDS {
        let Some((len, tail)) = rest.split_first_chunk::<2>() else {
            break;
        };
        let len = length(*len);
        match tail.get(len..) {
            Some(tail) if len > 0 => rest = tail,
            _ => break,
        }
        count += 1;
    }
    (count, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Read<'a> = (FrameKind, u64, Vec<&'a [u8]>, &'a [u8]);

    fn open<'a>(f: &mut ItchFileFraming, chunk: &'a [u8]) -> Result<Read<'a>, FrameError> {
        let (frame, rest) = f.open(chunk)?;
        let messages: Vec<_> = frame.messages.collect();
        assert_eq!(messages.len(), frame.span.count as usize);
        Ok((frame.kind, frame.span.first, messages, rest))
    }

    #[test]
    fn records_are_numbered_across_chunks_and_the_rest_handed_back() {
        let mut f = ItchFileFraming::default();
        let read = open(&mut f, b"\x00\x01a\x00\x02bc\x00\x03de").unwrap();
        assert_eq!(
            read,
            (
                FrameKind::Data,
                1,
                vec![&b"a"[..], b"bc"],
                &b"\x00\x03de"[..]
            )
        );
        let read = open(&mut f, b"\x00\x03def\x00\x00\x00\x01g").unwrap();
        assert_eq!(
            read,
            (
                FrameKind::Data,
                3,
                vec![&b"def"[..]],
                &b"\x00\x00\x00\x01g"[..]
            )
        );
        let (kind, first, messages, rest) = open(&mut f, read.3).unwrap();
        assert_eq!(
            (kind, first, messages.len()),
            (FrameKind::EndOfSession, 4, 0)
        );
        assert_eq!(open(&mut f, rest).unwrap().1, 4);
    }

    #[test]
    fn a_part_of_a_record_alone_is_an_overrun() {
        let mut f = ItchFileFraming::default();
        for part in [&b""[..], b"\x00", b"\x00\x02", b"\x00\x02x"] {
            assert_eq!(open(&mut f, part), Err(FrameError::Overrun));
        }
        assert_eq!(
            open(&mut f, b"\x00\x01x").unwrap().1,
            1,
            "nothing was numbered"
        );
    }

    #[test]
    fn what_was_walked_is_numbered_as_what_was_not() {
        let chunk = b"\x00\x01a\x00\x02bc";
        let mut f = ItchFileFraming::default();
        for first in [1, 3] {
            let (frame, rest) = f.open_walked(chunk, 2).unwrap();
            assert_eq!((frame.span.first, frame.span.count), (first, 2));
            assert!(frame.messages.eq([&b"a"[..], b"bc"]) && rest.is_empty());
        }
        let (frame, rest) = f.open_walked(b"\x00\x01a\x00", 0).unwrap();
        assert_eq!(
            (frame.span.first, frame.span.count, rest),
            (5, 1, &b"\x00"[..])
        );
    }

    #[test]
    fn long_chunks_come_as_several_frames() {
        let chunk = b"\x00\x01x".repeat(10_000);
        let (mut f, mut rest, mut next) = (ItchFileFraming::default(), &chunk[..], 1);
        while !rest.is_empty() {
            let (_, first, messages, after) = open(&mut f, rest).unwrap();
            assert_eq!(first, next);
            next += messages.len() as u64;
            rest = after;
        }
        assert_eq!(next, 10_001);
    }

    proptest! {
        /// However a file is cut into chunks, the same messages come under the same numbers.
        #[test]
        fn chunking_does_not_show(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..50), 1..100),
            step in 1usize..200,
        ) {
            let mut file = Vec::new();
            for r in &records {
                file.extend((r.len() as u16).to_be_bytes());
                file.extend(r);
            }
            let (mut f, mut held, mut read) = (ItchFileFraming::default(), Vec::new(), Vec::new());
            for part in file.chunks(step) {
                held.extend_from_slice(part);
                let chunk = std::mem::take(&mut held);
                let mut rest = &chunk[..];
                while let Ok((_, first, messages, after)) = open(&mut f, rest) {
                    prop_assert_eq!(first, read.len() as u64 + 1);
                    read.extend(messages.into_iter().map(<[u8]>::to_vec));
                    rest = after;
                }
                held = rest.to_vec();
            }
            prop_assert!(held.is_empty());
            prop_assert_eq!(read, records);
        }
    }
}
