//! MoldUDP64 as a framing: one frame a datagram.

use super::{Frame, FrameError, FrameKind, Framing, Opened};
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use feed_common::wire::moldudp64::{Blocks, END_OF_SESSION, ParseError, parse};

/// Opens MoldUDP64 datagrams. Has no state.
///
/// A datagram without a session (ten NULs) at sequence 0 was never numbered; real sessions begin at 1. Its messages
/// are [`FrameKind::Unsequenced`].
#[derive(Clone, Copy, Debug, Default)]
pub struct MoldFraming;

impl Framing for MoldFraming {
    type Messages<'a> = Blocks<'a>;

    #[inline]
    fn open<'a>(&mut self, datagram: &'a [u8]) -> Opened<'a, Blocks<'a>> {
        let (header, messages) = parse(datagram)?;
        let span = SeqSpan {
            first: header.sequence.get(),
            count: header.blocks().into(),
        };
        if span.first.checked_add(span.count).is_none() {
            return Err(FrameError::Header);
        }
        let kind = if span.first == 0 && header.session == [0; 10] {
            FrameKind::Unsequenced
        } else {
            match header.message_count.get() {
                0 => FrameKind::Heartbeat,
                END_OF_SESSION => FrameKind::EndOfSession,
                _ => FrameKind::Data,
            }
        };
        let frame = Frame {
            session: header.session,
            span,
            kind,
            sent: UnixNanos::UNKNOWN,
            carries: header.blocks().into(),
            unit: 0,
            begins: false,
            messages,
        };
        Ok((frame, &[]))
    }
}

impl From<ParseError> for FrameError {
    fn from(e: ParseError) -> FrameError {
        match e {
            ParseError::ShortHeader => FrameError::ShortHeader,
            ParseError::Overrun => FrameError::Overrun,
            ParseError::Trailing => FrameError::Trailing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::wire::moldudp64::{Header, PacketBuilder};
    use zerocopy::IntoBytes;

    fn header(session: &[u8; 10], sequence: u64, count: u16) -> Vec<u8> {
        let header = Header {
            session: *session,
            sequence: sequence.into(),
            message_count: count.into(),
        };
        header.as_bytes().to_vec()
    }

    fn open(datagram: &[u8]) -> Result<(FrameKind, SeqSpan, Vec<&[u8]>), FrameError> {
        let (frame, rest) = MoldFraming.open(datagram)?;
        assert!(rest.is_empty());
        Ok((frame.kind, frame.span, frame.messages.collect()))
    }

    #[test]
    fn data_heartbeat_and_end_of_session() {
        let mut b = PacketBuilder::new(*b"000010059B", 41, 1400);
        b.push(b"one");
        b.push(b"");
        let span = |first, count| SeqSpan { first, count };
        assert_eq!(
            open(b.payload()),
            Ok((FrameKind::Data, span(41, 2), vec![&b"one"[..], b""]))
        );
        assert_eq!(
            open(b.heartbeat().as_bytes()),
            Ok((FrameKind::Heartbeat, span(43, 0), vec![]))
        );
        assert_eq!(
            open(b.end_of_session().as_bytes()),
            Ok((FrameKind::EndOfSession, span(43, 0), vec![])),
            "the count of an end of session is no number of blocks"
        );
    }

    #[test]
    fn a_packet_that_was_never_numbered_is_unsequenced() {
        let mut p = header(&[0; 10], 0, 1);
        p.extend(b"\x00\x01x");
        let (kind, _, messages) = open(&p).unwrap();
        assert_eq!((kind, messages), (FrameKind::Unsequenced, vec![&b"x"[..]]));
        assert_eq!(
            open(&header(&[0; 10], 1, 0)).unwrap().0,
            FrameKind::Heartbeat
        );
        assert_eq!(
            open(&header(b"A         ", 0, 0)).unwrap().0,
            FrameKind::Heartbeat
        );
    }

    #[test]
    fn malformed_datagrams_are_refused_whole() {
        assert_eq!(open(&[0; 19]), Err(FrameError::ShortHeader));
        let mut p = header(b"A         ", 1, 2);
        p.extend(b"\x00\x01x");
        assert_eq!(open(&p), Err(FrameError::Overrun));
        p.extend(b"\x00\x01yz");
        assert_eq!(open(&p), Err(FrameError::Trailing));
    }

    #[test]
    fn numbers_past_the_end_of_the_range_are_refused() {
        let mut p = header(b"A         ", u64::MAX, 1);
        p.extend(b"\x00\x01x");
        assert_eq!(open(&p), Err(FrameError::Header));
        assert!(open(&header(b"A         ", u64::MAX, 0)).is_ok());
    }
}
