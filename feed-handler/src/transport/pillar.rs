//! NYSE XDP packets as a framing: one frame a datagram.

use super::{Frame, FrameError, FrameKind, Framing, Opened};
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use feed_common::wire::pillar::{
    Flag, Header, Messages, ParseError, SequenceNumberReset, kind_of, parse,
};

/// Opens the packets of a channel. Has no state.
///
/// Numbers begin at 1 with the day, and again after a failure: the packet says so by its flag or by its first message,
/// and when it was sent tells it from the one before. Retransmissions keep the numbers of what they repeat; they were
/// sent later than that, and begin nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct PillarFraming;

/// Channels have no sessions.
const SESSION: [u8; 10] = [0; 10];

impl Framing for PillarFraming {
    const BEGINS: bool = true;

    type Messages<'a> = Messages<'a>;

    #[inline]
    fn open<'a>(&mut self, datagram: &'a [u8]) -> Opened<'a, Messages<'a>> {
        let (header, messages) = parse(datagram)?;
        let span = SeqSpan {
            first: header.seq_num.get().into(),
            count: header.number_msgs.into(),
        };
        let frame = Frame {
            session: SESSION,
            span,
            kind: kind(header),
            sent: sent(header),
            carries: header.number_msgs.into(),
            unit: 0,
            begins: begins(header.flag(), messages),
            messages,
        };
        Ok((frame, &[]))
    }
}

/// What is said about messages that will not come has no place among the channel's messages.
#[inline]
fn kind(header: &Header) -> FrameKind {
    match header.flag() {
        Flag::UNAVAILABLE => FrameKind::Unsequenced,
        flag if flag.is_refresh() => FrameKind::Refresh,
        _ if header.number_msgs == 0 => FrameKind::Heartbeat,
        _ => FrameKind::Data,
    }
}

/// Whether numbers begin anew with a packet.
#[inline]
fn begins(flag: Flag, mut messages: Messages<'_>) -> bool {
    match flag {
        Flag::SEQUENCE_RESET => true,
        Flag::ORIGINAL | Flag::FAILOVER => {
            messages.next().map(kind_of) == Some(SequenceNumberReset::TYPE)
        }
        _ => false,
    }
}

/// Seconds and nanoseconds of 32 bits each are far from the end of the range.
#[inline]
fn sent(header: &Header) -> UnixNanos {
    let seconds = u64::from(header.send_time.get());
    UnixNanos(seconds * 1_000_000_000 + u64::from(header.send_time_ns.get()))
}

impl From<ParseError> for FrameError {
    fn from(e: ParseError) -> FrameError {
        match e {
            ParseError::ShortHeader => FrameError::ShortHeader,
            ParseError::Overrun => FrameError::Overrun,
            ParseError::Trailing => FrameError::Trailing,
            ParseError::Flag | ParseError::Size => FrameError::Header,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::wire::pillar::{MAX_PACKET, PacketBuilder};
    use zerocopy::IntoBytes;

    const TIME: u64 = 1_795_271_400_000_000_042;
    const MESSAGE: &[u8] = b"\x05\0\x8c\0x";

    fn packet(flag: Flag, messages: &[&[u8]]) -> Vec<u8> {
        let mut builder = PacketBuilder::new(41, MAX_PACKET);
        assert!(messages.iter().all(|message| builder.push(message)));
        builder.payload(flag, TIME).to_vec()
    }

    fn open(datagram: &[u8]) -> Result<Frame<Messages<'_>>, FrameError> {
        let (frame, rest) = PillarFraming.open(datagram)?;
        assert!(rest.is_empty());
        assert_eq!((frame.session, frame.unit), ([0; 10], 0));
        assert_eq!(u64::from(frame.carries), frame.span.count);
        assert_eq!(frame.messages.count() as u64, frame.span.count);
        Ok(frame)
    }

    #[test]
    fn every_flag_is_some_kind_of_frame() {
        use FrameKind::{Data, Heartbeat, Refresh, Unsequenced};
        let two = |flag: u8| packet(Flag(flag), &[MESSAGE, b"\x04\0\0\0"]);
        for (flag, kind, begins) in [
            (10, Data, false),
            (11, Data, false),
            (12, Data, true),
            (13, Data, false),
            (15, Data, false),
            (17, Refresh, false),
            (18, Refresh, false),
            (19, Refresh, false),
            (20, Refresh, false),
            (21, Unsequenced, false),
        ] {
            let packet = two(flag);
            let frame = open(&packet).unwrap();
            assert_eq!((frame.kind, frame.begins), (kind, begins), "{flag}");
            assert_eq!((frame.span.first, frame.span.count), (41, 2));
            assert_eq!(frame.sent, UnixNanos(TIME));
            assert!(frame.messages.eq([MESSAGE, b"\x04\0\0\0"]));
        }
        for flag in (0..=255).filter(|f| !matches!(f, 10..=13 | 15 | 17..=21)) {
            assert_eq!(open(&two(flag)).err(), Some(FrameError::Header), "{flag}");
        }
        let beat = PacketBuilder::new(43, MAX_PACKET).heartbeat(TIME);
        let frame = open(beat.as_bytes()).unwrap();
        assert_eq!((frame.kind, frame.span.first), (Heartbeat, 43));
        let nothing = packet(Flag::ORIGINAL, &[]);
        assert_eq!(open(&nothing).unwrap().kind, Heartbeat);
    }

    #[test]
    fn numbers_begin_anew_with_a_reset_unless_it_is_a_repeated_one() {
        let reset = SequenceNumberReset::new();
        let begins = |flag, messages: &[&[u8]]| open(&packet(flag, messages)).unwrap().begins;
        let reset = reset.as_bytes();
        assert!(begins(Flag::FAILOVER, &[reset]));
        assert!(begins(Flag::ORIGINAL, &[reset, MESSAGE]));
        assert!(!begins(Flag::ORIGINAL, &[MESSAGE, reset]));
        assert!(!begins(Flag::RETRANSMISSION, &[reset]));
    }

    #[test]
    fn malformed_datagrams_are_refused_whole() {
        let good = packet(Flag::ORIGINAL, &[MESSAGE]);
        assert_eq!(open(&good[..15]).err(), Some(FrameError::ShortHeader));
        assert_eq!(open(&good[..20]).err(), Some(FrameError::Overrun));
        let longer = [&good[..], b"x"].concat();
        assert_eq!(open(&longer).err(), Some(FrameError::Trailing));
        let small = packet(Flag::ORIGINAL, &[b"\x03\0\0\0"]);
        assert_eq!(open(&small).err(), Some(FrameError::Header));
    }
}
