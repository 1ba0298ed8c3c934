//! Sequenced units of Cboe PITCH as a framing: a block is a frame, and a datagram has one or several.

use super::{Frame, FrameError, FrameKind, Framing, Opened, Session};
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use feed_common::wire::pitch::{BlockError, Messages, parse};

/// Opens blocks; see [`feed_common::wire::pitch`] for the format. Has no state.
///
/// The feed names no session. Number 0 is of messages that were never numbered, as those of images of the spin server:
/// they are [`FrameKind::Unsequenced`].
#[derive(Clone, Copy, Debug, Default)]
pub struct PitchFraming;

impl Framing for PitchFraming {
    const UNITS: bool = true;

    type Messages<'a> = Messages<'a>;

    #[inline]
    fn open<'a>(&mut self, datagram: &'a [u8]) -> Opened<'a, Messages<'a>> {
        let (header, messages, rest) = parse(datagram)?;
        let first = header.sequence.get();
        let kind = match (first, header.count) {
            (0, _) => FrameKind::Unsequenced,
            (_, 0) => FrameKind::Heartbeat,
            _ => FrameKind::Data,
        };
        let frame = Frame {
            session: Session::default(),
            span: SeqSpan {
                first: first.into(),
                count: header.count.into(),
            },
            kind,
            sent: UnixNanos::UNKNOWN,
            carries: header.count.into(),
            unit: header.unit,
            begins: false,
            messages,
        };
        Ok((frame, rest))
    }
}

impl From<BlockError> for FrameError {
    fn from(e: BlockError) -> FrameError {
        match e {
            BlockError::ShortHeader => FrameError::ShortHeader,
            BlockError::Length => FrameError::Header,
            BlockError::Overrun => FrameError::Overrun,
            BlockError::Trailing => FrameError::Trailing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::wire::pitch::UnitBuilder;
    use zerocopy::IntoBytes;

    /// Kind, unit, first number, messages and the rest.
    type Seen<'a> = (FrameKind, u8, u64, Vec<&'a [u8]>, &'a [u8]);

    fn open(datagram: &[u8]) -> Result<Seen<'_>, FrameError> {
        let (frame, rest) = PitchFraming.open(datagram)?;
        assert_eq!(frame.session, [0; 10]);
        assert_eq!(u64::from(frame.carries), frame.span.count);
        let messages: Vec<_> = frame.messages.collect();
        assert_eq!(messages.len(), frame.carries as usize);
        Ok((frame.kind, frame.unit, frame.span.first, messages, rest))
    }

    fn block(unit: u8, sequence: u32, messages: &[&[u8]]) -> Vec<u8> {
        let mut b = UnitBuilder::new(unit, sequence, 1400);
        assert!(messages.iter().all(|m| b.push(m)));
        b.block().to_vec()
    }

    #[test]
    fn blocks_of_a_datagram_are_frames_of_their_units() {
        let first = block(3, 41, &[b"\x02\xff", b"\x03\x20x"]);
        let second = block(4, 7, &[b"\x02\xfe"]);
        let both = [&first[..], &second].concat();
        let want = vec![&b"\x02\xff"[..], b"\x03\x20x"];
        let (kind, unit, first, messages, rest) = open(&both).unwrap();
        assert_eq!((kind, unit, first), (FrameKind::Data, 3, 41));
        assert_eq!((messages, rest), (want, &second[..]));
        let (_, unit, first, messages, rest) = open(rest).unwrap();
        assert_eq!((unit, first, messages), (4, 7, vec![&b"\x02\xfe"[..]]));
        assert!(rest.is_empty());
    }

    #[test]
    fn heartbeats_announce_and_number_0_is_none() {
        let heartbeat = UnitBuilder::new(1, 9, 1400).heartbeat();
        let (kind, unit, first, ..) = open(heartbeat.as_bytes()).unwrap();
        assert_eq!((kind, unit, first), (FrameKind::Heartbeat, 1, 9));
        let spin = block(1, 0, &[b"\x02\xff"]);
        let (kind, _, _, messages, _) = open(&spin).unwrap();
        assert_eq!((kind, messages.len()), (FrameKind::Unsequenced, 1));
        let last = block(1, u32::MAX, &[b"\x02\xff", b"\x02\xff"]);
        let (kind, _, first, ..) = open(&last).unwrap();
        assert_eq!((kind, first), (FrameKind::Data, u32::MAX.into()));
    }

    #[test]
    fn blocks_that_lie_are_refused_whole() {
        let good = block(1, 1, &[b"\x03\x20x"]);
        let error = |bytes: &[u8]| open(bytes).map(|_| ()).unwrap_err();
        let with = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            error(&bytes)
        };
        assert_eq!(error(&good[..7]), FrameError::ShortHeader);
        assert_eq!(with(0, 7), FrameError::Header, "shorter than its header");
        assert_eq!(with(0, 12), FrameError::Overrun, "beyond the datagram");
        assert_eq!(with(2, 2), FrameError::Overrun, "a count too high");
        assert_eq!(with(2, 0), FrameError::Trailing, "a count too low");
        assert_eq!(with(8, 1), FrameError::Header, "a message without a type");
        assert_eq!(
            with(8, 4),
            FrameError::Overrun,
            "a message beyond its block"
        );
        assert_eq!(error(&[&good[..], b"\0"].concat()), FrameError::Trailing);
        let followed = [&good[..], &[0; 8]].concat();
        let (_, _, _, messages, rest) = open(&followed).unwrap();
        assert_eq!(messages.len(), 1, "the block before a bad one is good");
        assert_eq!(error(rest), FrameError::Header);
    }
}
