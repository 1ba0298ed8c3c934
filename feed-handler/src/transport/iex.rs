//! IEX-TP as a framing: one frame a datagram.

use super::{Frame, FrameError, FrameKind, Framing, Opened};
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use feed_common::wire::iextp::{Blocks, ParseError, parse};

/// Opens IEX-TP segments. Has no state.
///
/// The session of a frame is message protocol, channel and session as on the wire, 10 bytes: numbers are unique within
/// all three. The lowest byte of the message protocol is also the frame's `unit`, by which a decoder tells the feeds apart;
/// there are no others in its stream. Bytes behind the payload are an error, since a datagram is one segment.
#[derive(Clone, Copy, Debug, Default)]
pub struct IexFraming;

impl Framing for IexFraming {
    type Messages<'a> = Blocks<'a>;

    /// A session may begin anew under its own name, later than it had.
    const BEGINS: bool = true;

    #[inline]
    fn open<'a>(&mut self, datagram: &'a [u8]) -> Opened<'a, Blocks<'a>> {
        let (header, messages) = parse(datagram)?;
        let carries = header.message_count.get();
        let span = SeqSpan {
            first: header.first_sequence.get(),
            count: carries.into(),
        };
        if span.first.checked_add(span.count).is_none() {
            return Err(FrameError::Header);
        }
        let frame = Frame {
            session: header.stream(),
            span,
            kind: match carries {
                0 => FrameKind::Heartbeat,
                _ => FrameKind::Data,
            },
            sent: UnixNanos(header.send_time.get()),
            messages,
            carries: carries.into(),
            unit: header.message_protocol_id.get() as u8,
            begins: header.begins(),
        };
        Ok((frame, &[]))
    }
}

impl From<ParseError> for FrameError {
    fn from(e: ParseError) -> FrameError {
        match e {
            ParseError::ShortHeader => FrameError::ShortHeader,
            ParseError::Version => FrameError::Version,
            ParseError::Protocol => FrameError::Foreign,
            ParseError::Overrun => FrameError::Overrun,
            ParseError::Trailing => FrameError::Trailing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::wire::iextp::{DEEP_1_0, Header, SegmentBuilder, TOPS_1_6};
    use zerocopy::FromBytes;

    fn open(datagram: &[u8]) -> Result<Frame<Blocks<'_>>, FrameError> {
        let (frame, rest) = IexFraming.open(datagram)?;
        assert!(rest.is_empty());
        Ok(frame)
    }

    /// A segment of two messages at `first`, its header changed.
    fn changed(first: u64, change: impl Fn(&mut Header)) -> Vec<u8> {
        let mut b = SegmentBuilder::new(DEEP_1_0, 0x48dd_0000, 1400);
        assert!(b.push(b"one") && b.push(b""));
        let mut bytes = b.segment(9).to_vec();
        let (header, _) = Header::mut_from_prefix(&mut bytes).expect("a whole header");
        header.first_sequence = first.into();
        change(header);
        bytes
    }

    #[test]
    fn data_and_heartbeat() {
        let data = changed(41, |_| {});
        let frame = open(&data).unwrap();
        assert_eq!(frame.session, *b"\x04\x80\x01\0\0\0\0\0\xdd\x48");
        assert_eq!(
            (frame.kind, frame.carries, frame.unit),
            (FrameKind::Data, 2, 4)
        );
        let span = |first, count| SeqSpan { first, count };
        assert_eq!(frame.span, span(41, 2));
        assert_eq!(frame.sent, UnixNanos(9));
        assert_eq!(frame.messages.collect::<Vec<_>>(), [&b"one"[..], b""]);

        let mut b = SegmentBuilder::new(TOPS_1_6, 1, 1400);
        let frame = open(b.segment(3)).unwrap();
        assert_eq!((frame.kind, frame.span), (FrameKind::Heartbeat, span(1, 0)));
        assert!(!frame.begins, "what has no message begins nothing");
    }

    #[test]
    fn a_session_begins_with_its_first_message_at_its_first_byte() {
        assert!(open(&changed(1, |_| {})).unwrap().begins);
        assert!(!open(&changed(2, |_| {})).unwrap().begins);
        let later = changed(1, |header| header.stream_offset = 1.into());
        assert!(!open(&later).unwrap().begins);
    }

    #[test]
    fn channels_and_protocols_are_sessions_apart() {
        let one = changed(1, |_| {});
        let others = [
            changed(1, |header| header.channel_id = 2.into()),
            changed(1, |header| header.message_protocol_id = TOPS_1_6.into()),
            changed(1, |header| header.session_id = 2.into()),
        ];
        for other in &others {
            assert_ne!(open(&one).unwrap().session, open(other).unwrap().session);
        }
    }

    type Damage = fn(&mut Header);

    #[test]
    fn malformed_segments_are_refused_whole() {
        let error = |bytes: &[u8]| open(bytes).err();
        assert_eq!(error(&[1; 39]), Some(FrameError::ShortHeader));
        let good = changed(1, |_| {});
        assert_eq!(error(&good[..good.len() - 1]), Some(FrameError::Overrun));
        let mut long = good.clone();
        long.push(0);
        assert_eq!(error(&long), Some(FrameError::Trailing));
        let cases: [(Damage, FrameError); 6] = [
            (|h| h.version = 2, FrameError::Version),
            (
                |h| h.message_protocol_id = 0x8006.into(),
                FrameError::Foreign,
            ),
            (|h| h.payload_length = 8.into(), FrameError::Overrun),
            (|h| h.payload_length = 6.into(), FrameError::Trailing),
            (|h| h.message_count = 3.into(), FrameError::Overrun),
            (|h| h.message_count = 1.into(), FrameError::Trailing),
        ];
        for (change, want) in cases {
            assert_eq!(error(&changed(1, change)), Some(want));
        }
    }

    #[test]
    fn numbers_past_the_end_of_the_range_are_refused() {
        let error = |first| open(&changed(first, |_| {})).err();
        assert_eq!(error(u64::MAX - 1), Some(FrameError::Header));
        assert_eq!(error(u64::MAX - 2), None);
    }
}
