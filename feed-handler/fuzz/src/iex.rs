//! IEX-TP and TOPS, DEEP and DEEP+: datagrams to messages to records.

use super::messages::{Kept, context};
use feed_common::event::MsgCtx;
use feed_common::wire::iextp::{Blocks, SegmentBuilder, parse};
use feed_common::wire::message::Value;
use feed_common::wire::{Fit, iex};
use feed_handler::protocol::iex::{IexDecoder, IexSheet};
use feed_handler::protocol::{Decode, DecodeError, Sheet};
use feed_handler::publish::Records;

/// A datagram. One that is not a segment is taken as messages without one.
pub fn iex(data: &[u8]) {
    let (unit, blocks) = match parse(data) {
        Ok((header, blocks)) => {
            assert_eq!(blocks.count(), usize::from(header.message_count.get()));
            let protocol = header.message_protocol_id.get();
            let session = header.session_id.get();
            let mut again = SegmentBuilder::new(protocol, session, data.len());
            assert!(blocks.into_iter().all(|message| again.push(message)));
            let again = again.segment(header.send_time.get());
            // All but the channel and where the segment lies in the session.
            assert_eq!(again[8..16], data[8..16]);
            assert_eq!(again[32..], data[32..]);
            assert!(!header.begins() || iex::fit(data) != Fit::Possible);
            (protocol as u8, blocks)
        }
        Err(_) => {
            assert_eq!(iex::fit(data), Fit::No);
            (0, Blocks::new(data))
        }
    };
    decode(unit, blocks);
}

/// Decodes twice to the same records, and as the sheet has it.
fn decode(unit: u8, blocks: Blocks<'_>) {
    let new = || (IexDecoder::with_room(4), Records::new(Kept::default(), 1));
    let ((mut decoder, mut records), (mut other, mut repeated)) = (new(), new());
    for (message, sequence) in blocks.zip(1..) {
        let cx = MsgCtx {
            unit,
            ..context(sequence)
        };
        let decoded = decoder.decode(message, &mut cx.clone(), &mut records);
        let again = other.decode(message, &mut cx.clone(), &mut repeated);
        assert_eq!(again, decoded);
        match (IexSheet::error(message), decoded) {
            (None, Ok(()) | Err(DecodeError::Invalid)) => {}
            (wrong, decoded) => assert_eq!(wrong, decoded.err()),
        }
        visit(message);
    }
    assert_eq!(records.into_sink().0, repeated.into_sink().0);
}

/// The fields of a message cover what is behind its type.
fn visit(message: &[u8]) {
    let code = IexSheet::code(message);
    assert!(!IexSheet::key(code).is_empty());
    let mut excess = 0;
    IexSheet::visit(message, &mut |name, value| {
        if let ("excess", Value::Hex(bytes)) = (name, value) {
            excess = bytes.len();
        }
    });
    assert_eq!(IexSheet::is_long(message), excess > 0);
    let known = message.first().and_then(|&kind| iex::length_of(kind));
    if let (Some(len), None) = (known, IexSheet::error(message)) {
        assert_eq!(len + excess, message.len());
    }
}
