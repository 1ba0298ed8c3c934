//! NYSE XDP packets: datagrams to messages to records and books, and what people are shown of them.

use super::book::Keeper;
use super::messages::{Kept, context};
use feed_common::wire::pillar::{Flag, Header, MAX_PACKET, PacketBuilder, parse};
use feed_handler::protocol::pillar::{PillarDecoder, PillarSheet};
use feed_handler::protocol::{Decode, DecodeError, Sheet};
use feed_handler::publish::Records;
use feed_handler::transport::{Framing, PillarFraming};

/// A datagram. One that is not a packet is taken as messages without one.
pub fn pillar(data: &[u8]) {
    let opened = PillarFraming.open(data);
    match parse(data) {
        Ok((header, messages)) => {
            let (frame, rest) = opened.expect("what can be parsed can be opened");
            assert!(rest.is_empty());
            assert_eq!(u64::from(header.number_msgs), frame.span.count);
            let messages: Vec<_> = messages.collect();
            assert!(frame.messages.eq(messages.iter().copied()));
            again(header, &messages, data);
            decode(messages.into_iter());
        }
        Err(_) => {
            assert!(opened.is_err());
            let mut rest = data;
            decode(std::iter::from_fn(|| {
                let size = usize::from(*rest.first()?).min(rest.len() - 1);
                let (message, after) = rest[1..].split_at(size);
                rest = after;
                Some(message)
            }));
        }
    }
}

/// What was taken apart and put together again is the same.
fn again(header: &Header, messages: &[&[u8]], data: &[u8]) {
    let nanos = u64::from(header.send_time_ns.get());
    if data.len() > MAX_PACKET || nanos >= 1_000_000_000 {
        return;
    }
    let time = u64::from(header.send_time.get()) * 1_000_000_000 + nanos;
    let mut builder = PacketBuilder::new(header.seq_num.get(), MAX_PACKET);
    assert!(messages.iter().all(|message| builder.push(message)));
    assert_eq!(builder.payload(Flag(header.delivery_flag), time), data);
}

/// Decodes to records, and to a book whose invariants must hold; the sheet says the same of each message.
fn decode<'a>(messages: impl Iterator<Item = &'a [u8]>) {
    let mut decoder = PillarDecoder::with_room(4);
    let mut records = Records::new(Kept::default(), 1);
    let mut keeper = Keeper::new();
    for (message, sequence) in messages.zip(1..) {
        let mut cx = context(sequence);
        let recorded = decoder.decode(message, &mut cx, &mut records);
        let mut cx = context(sequence);
        assert_eq!(decoder.decode(message, &mut cx, &mut keeper), recorded);
        if recorded != Err(DecodeError::Invalid) {
            assert_eq!(recorded.err(), PillarSheet::error(message));
        }
        let mut fields = 0;
        PillarSheet::visit(message, &mut |_, _| fields += 1);
        assert!(fields > 0);
    }
    keeper.finish();
}
