//! Packets of CME MDP 3.0 as a framing: one frame a datagram, numbered by packet.

use super::{Frame, FrameError, FrameKind, Framing, Opened, Session};
use crate::sequence::SeqSpan;
use feed_common::time::UnixNanos;
use feed_common::wire::mdp3::{Messages, PacketError, parse};

/// Opens packets of MDP 3.0. Has no state.
///
/// The wire has no session. The number of a packet is that of all its messages; number 1 begins a week, or a loop of a
/// feed that repeats itself. Messages are whole, from their size on. A packet without messages has a number like others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mdp3Framing;

impl Framing for Mdp3Framing {
    const PACKETS: bool = true;
    const BEGINS: bool = true;

    type Messages<'a> = Messages<'a>;

    #[inline]
    fn open<'a>(&mut self, datagram: &'a [u8]) -> Opened<'a, Messages<'a>> {
        let (header, messages, carries) = parse(datagram)?;
        let first = header.msg_seq_num.get();
        let frame = Frame {
            session: Session::default(),
            span: SeqSpan {
                first: first.into(),
                count: 1,
            },
            kind: FrameKind::Data,
            sent: UnixNanos(header.sending_time.get()),
            carries,
            unit: 0,
            begins: first == 1,
            messages,
        };
        Ok((frame, &[]))
    }
}

impl From<PacketError> for FrameError {
    fn from(e: PacketError) -> FrameError {
        match e {
            PacketError::ShortHeader => FrameError::ShortHeader,
            PacketError::Overrun => FrameError::Overrun,
            PacketError::Trailing => FrameError::Trailing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use feed_common::wire::mdp3::{MessageBuilder, PacketBuilder, template};

    /// A packet of so many heartbeats.
    fn packet(msg_seq_num: u32, count: usize) -> Vec<u8> {
        let mut heartbeat = MessageBuilder::new();
        heartbeat.begin(template::ADMIN_HEARTBEAT, 9, &[0u8; 0]);
        let mut packet = PacketBuilder::new(msg_seq_num, 1400);
        assert!((0..count).all(|_| packet.push(heartbeat.finish())));
        packet
            .payload(UnixNanos(1_475_012_773_473_571_343))
            .to_vec()
    }

    #[test]
    fn a_packet_is_one_number_however_many_messages_it_has() {
        for (number, count) in [(17_347_815, 3), (1, 1), (u32::MAX, 0)] {
            let bytes = packet(number, count);
            let (frame, rest) = Mdp3Framing.open(&bytes).unwrap();
            let (first, one) = (u64::from(number), 1);
            assert_eq!(frame.span, SeqSpan { first, count: one });
            assert_eq!((frame.kind, frame.unit), (FrameKind::Data, 0));
            assert_eq!((frame.session, frame.begins), ([0; 10], number == 1));
            assert_eq!(frame.sent, UnixNanos(1_475_012_773_473_571_343));
            assert_eq!(frame.carries as usize, count);
            assert_eq!(frame.messages.map(<[u8]>::len).sum::<usize>(), 10 * count);
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn a_size_that_lies_costs_the_packet() {
        let bytes = packet(2, 3);
        let error = |bytes: &[u8]| Mdp3Framing.open(bytes).err();
        assert_eq!(error(&bytes[..11]), Some(FrameError::ShortHeader));
        assert_eq!(error(&bytes[..bytes.len() - 1]), Some(FrameError::Overrun));
        let trailing = [&bytes[..], &[0]].concat();
        assert_eq!(error(&trailing), Some(FrameError::Trailing));
        for (size, found) in [
            (0, Some(FrameError::Overrun)),
            (9, Some(FrameError::Overrun)),
            (20, None),
            (21, Some(FrameError::Overrun)),
        ] {
            let mut lying = bytes.clone();
            lying[22] = size; // of the second message
            assert_eq!(error(&lying), found, "{size}");
        }
    }
}
