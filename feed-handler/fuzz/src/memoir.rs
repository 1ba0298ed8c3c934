//! MEMOIR: datagrams to messages to records.

use super::messages::{Kept, context};
use feed_common::wire::memoir::{self, Message, Messages, PacketBuilder, packet_type, parse};
use feed_common::wire::message::Value;
use feed_common::wire::{Fit, ProtocolName};
use feed_handler::protocol::memoir::{MemoirDecoder, MemoirSheet};
use feed_handler::protocol::{Decode, DecodeError, Sheet};
use feed_handler::publish::Records;

/// A datagram. One that is not a packet is taken as messages without one.
pub fn memoir(data: &[u8]) {
    let messages = match parse(data) {
        Ok((header, count, messages)) => {
            assert_eq!(messages.count(), usize::from(count));
            let sequence = header.sequence_number.get();
            let mut again = PacketBuilder::new(header.session_id.get(), sequence, data.len());
            let short = data.len() <= memoir::MAX_PACKET;
            if short && header.message_type == packet_type::SEQUENCED {
                assert!(messages.into_iter().all(|message| again.push(message)));
                let length = usize::from(header.header_length);
                assert_eq!(again.payload()[2..18], data[2..18]);
                assert_eq!(again.payload()[18..], data[length..]);
            }
            messages
        }
        Err(_) => {
            assert_eq!(ProtocolName::Memoir.fit(data), Fit::No);
            Messages::new(data)
        }
    };
    decode(messages);
}

/// Decodes twice to the same records, and as the sheet has it.
fn decode(messages: Messages<'_>) {
    let new = || {
        let records = Records::new(Kept::default(), 1);
        (MemoirDecoder::with_room(4), records)
    };
    let ((mut decoder, mut records), (mut other, mut repeated)) = (new(), new());
    for (message, sequence) in messages.zip(1..) {
        let cx = context(sequence);
        let decoded = decoder.decode(message, &mut cx.clone(), &mut records);
        let again = other.decode(message, &mut cx.clone(), &mut repeated);
        assert_eq!(again, decoded);
        match (MemoirSheet::error(message), decoded) {
            (None, Ok(()) | Err(DecodeError::Invalid)) => {}
            (wrong, decoded) => assert_eq!(wrong, decoded.err()),
        }
        visit(message);
    }
    assert_eq!(records.into_sink().0, repeated.into_sink().0);
}

/// The fields of a message cover what is behind its SBE header.
fn visit(message: &[u8]) {
    let code = MemoirSheet::code(message);
    assert!(!MemoirSheet::key(code).is_empty());
    let mut excess = 0;
    MemoirSheet::visit(message, &mut |name, value| {
        if let ("excess", Value::Hex(bytes)) = (name, value) {
            excess = bytes.len();
        }
    });
    if let Ok(known) = Message::parse(message) {
        let fields: usize = known.fields().layout().iter().map(|f| f.len).sum();
        assert_eq!(fields + excess, message.len());
        assert_eq!(MemoirSheet::is_long(message), excess > 0);
    }
}
