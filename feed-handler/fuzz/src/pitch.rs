//! PITCH: datagrams to blocks to messages to records and books.

use super::book::Keeper;
use super::messages::{Kept, context};
use feed_common::event::MsgCtx;
use feed_common::wire::pitch::{Messages, UnitBuilder, parse};
use feed_handler::protocol::pitch::{PitchDecoder, PitchSheet};
use feed_handler::protocol::{Decode, Sheet};
use feed_handler::publish::Records;

/// A datagram. What is no block is taken as messages without one.
pub fn pitch(data: &[u8]) {
    let mut decoders = [(); 2].map(|()| PitchDecoder::new(4, 16));
    let mut records = Records::new(Kept::default(), 1);
    let mut keeper = Keeper::new();
    let mut rest = data;
    loop {
        let (unit, messages, after) = match parse(rest) {
            Ok((header, messages, after)) => {
                assert_eq!(messages.count(), usize::from(header.count));
                let sequence = header.sequence.get();
                let mut again = UnitBuilder::new(header.unit, sequence, rest.len());
                assert!(messages.into_iter().all(|message| again.push(message)));
                assert_eq!(again.block(), &rest[..rest.len() - after.len()]);
                (header.unit, messages, after)
            }
            Err(_) => (0, Messages::new(rest), &[][..]),
        };
        let [one, other] = &mut decoders;
        for (message, sequence) in messages.zip(1..) {
            let begun = || MsgCtx {
                unit,
                ..context(sequence)
            };
            let _ = one.ahead(message);
            let recorded = one.decode(message, &mut begun(), &mut records);
            let kept = other.decode(message, &mut begun(), &mut keeper);
            assert_eq!(kept, recorded);
            assert_eq!(recorded.err(), PitchSheet::error(message));
            described(message);
        }
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    let [one, other] = &decoders;
    assert_eq!(one.oddities(), other.oddities());
    keeper.finish();
}

/// The fields of a message show its bytes, all of them or none.
fn described(message: &[u8]) {
    let mut shown = Vec::new();
    PitchSheet::visit(message, &mut |name, _| shown.push(name));
    let unread = PitchSheet::error(message).is_some();
    assert_eq!(shown == ["bytes"], unread);
    let long = PitchSheet::is_long(message);
    assert_eq!(shown.last() == Some(&"excess"), long);
}
