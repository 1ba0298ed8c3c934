//! MoldUDP64 and ITCH: datagrams to messages to records and books.

use super::book::Keeper;
use super::messages::{Kept, context};
use feed_common::wire::moldudp64::{Blocks, END_OF_SESSION, PacketBuilder, parse};
use feed_handler::protocol::Decode;
use feed_handler::protocol::itch50::Itch50Decoder;
use feed_handler::publish::Records;

/// A datagram. One that is not a packet is taken as messages without one.
pub fn itch50(data: &[u8]) {
    let blocks = match parse(data) {
        Ok((header, blocks)) => {
            assert_eq!(blocks.count(), usize::from(header.blocks()));
            if header.message_count.get() != END_OF_SESSION {
                let sequence = header.sequence.get();
                let mut again = PacketBuilder::new(header.session, sequence, data.len());
                assert!(blocks.into_iter().all(|message| again.push(message)));
                assert_eq!(again.payload(), data);
            }
            blocks
        }
        Err(_) => Blocks::new(data),
    };
    decode(blocks);
}

/// Decodes to records, and to a book whose invariants must hold.
fn decode(blocks: Blocks<'_>) {
    let mut decoder = Itch50Decoder::with_room(4);
    let mut records = Records::new(Kept::default(), 1);
    let mut keeper = Keeper::new();
    for (message, sequence) in blocks.zip(1..) {
        let mut cx = context(sequence);
        let recorded = decoder.decode(message, &mut cx, &mut records);
        let mut cx = context(sequence);
        assert_eq!(decoder.decode(message, &mut cx, &mut keeper), recorded);
    }
    keeper.finish();
}
