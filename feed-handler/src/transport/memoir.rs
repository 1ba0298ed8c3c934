//! MEMOIR packets as a framing: one frame a datagram.

use super::{Frame, FrameError, FrameKind, Framing, Opened, Session};
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use feed_common::wire::memoir::{Header, Messages, ParseError, packet_type, parse};
use zerocopy::IntoBytes;

/// Opens packets. Has no state. The session of a frame is its number as on the wire, which a new day changes; packets do
/// not say when they were sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoirFraming;

impl Framing for MemoirFraming {
    type Messages<'a> = Messages<'a>;

    #[inline]
    fn open<'a>(&mut self, datagram: &'a [u8]) -> Opened<'a, Messages<'a>> {
        let (header, count, messages) = parse(datagram)?;
        let span = SeqSpan {
            first: header.sequence_number.get(),
            count: count.into(),
        };
        if span.first.checked_add(span.count).is_none() {
            return Err(FrameError::Header);
        }
        let frame = Frame {
            session: session(header),
            span,
            kind: match (header.message_type, count) {
                (packet_type::SHUTDOWN, _) => FrameKind::EndOfSession,
                (_, 0) => FrameKind::Heartbeat,
                _ => FrameKind::Data,
            },
            sent: UnixNanos::UNKNOWN,
            carries: count.into(),
            unit: 0,
            begins: false,
            messages,
        };
        Ok((frame, &[]))
    }
}

#[inline]
fn session(header: &Header) -> Session {
    let mut session = Session::default();
    session[..8].copy_from_slice(header.session_id.as_bytes());
    session
}

impl From<ParseError> for FrameError {
    fn from(e: ParseError) -> FrameError {
        match e {
            ParseError::ShortHeader => FrameError::ShortHeader,
            ParseError::Header => FrameError::Header,
            ParseError::Overrun => FrameError::Overrun,
            ParseError::Trailing => FrameError::Trailing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::wire::memoir::{MAX_PACKET, PacketBuilder};

    fn builder(sequence: u64) -> PacketBuilder {
        let mut builder = PacketBuilder::new(0x5553_4531_64e4_86c8, sequence, MAX_PACKET);
        assert!(builder.push(b"one") && builder.push(b""));
        builder
    }

    /// Kind, first number, and the messages.
    type Seen<'a> = (FrameKind, u64, Vec<&'a [u8]>);

    fn open(datagram: &[u8]) -> Result<Seen<'_>, FrameError> {
        let (frame, rest) = MemoirFraming.open(datagram)?;
        assert!(rest.is_empty());
        assert_eq!(frame.session, *b"USE1\x64\xe4\x86\xc8\0\0");
        assert_eq!((frame.unit, frame.begins), (0, false));
        assert_eq!(frame.sent, UnixNanos::UNKNOWN);
        let messages: Vec<_> = frame.messages.collect();
        assert_eq!(messages.len() as u64, frame.span.count);
        assert_eq!(frame.carries as usize, messages.len());
        Ok((frame.kind, frame.span.first, messages))
    }

    #[test]
    fn every_type_of_packet_is_some_kind_of_frame() {
        let data = builder(41).payload().to_vec();
        let messages = vec![&b"one"[..], b""];
        assert_eq!(open(&data), Ok((FrameKind::Data, 41, messages)));
        let none = |kind, first| Ok((kind, first, vec![]));
        let (beat, end) = (builder(41).heartbeat(), builder(41).shutdown());
        assert_eq!(open(beat.as_bytes()), none(FrameKind::Heartbeat, 43));
        assert_eq!(open(end.as_bytes()), none(FrameKind::EndOfSession, 43));
        let mut empty = builder(41);
        empty.clear();
        assert_eq!(open(empty.payload()), none(FrameKind::Heartbeat, 43));
    }

    #[test]
    fn malformed_packets_are_refused_whole() {
        let good = builder(1).payload().to_vec();
        let error = |bytes: &[u8]| open(bytes).err();
        assert_eq!(error(&good[..17]), Some(FrameError::ShortHeader));
        assert_eq!(error(&good[..24]), Some(FrameError::Overrun));
        let longer = [&good[..], b"x"].concat();
        assert_eq!(error(&longer), Some(FrameError::Trailing));
        let mut other = good.clone();
        other[0] = 3;
        assert_eq!(error(&other), Some(FrameError::Header));
    }

    #[test]
    fn numbers_past_the_end_of_the_range_are_refused() {
        let at = |first: u64| {
            let mut packet = builder(1).payload().to_vec();
            packet[10..18].copy_from_slice(&first.to_be_bytes());
            open(&packet).err()
        };
        assert_eq!(at(u64::MAX - 1), Some(FrameError::Header));
        assert_eq!(at(u64::MAX - 2), None);
    }
}
