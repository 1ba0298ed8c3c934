//! Packets of CME MDP 3.0: to messages, to groups, to what the sheet says of them, to records and books.

use super::book::Keeper;
use super::messages::{Kept, context};
use feed_common::time::UnixNanos;
use feed_common::wire::Fit;
use feed_common::wire::mdp3::{
    BookEntry, Dimension, Message, Messages, OrderIdEntry, PacketBuilder, fit, parse, template,
};
use feed_common::wire::message::Value;
use feed_handler::protocol::mdp3::{Mdp3Decoder, Mdp3Sheet};
use feed_handler::protocol::{Decode, Sheet};
use feed_handler::publish::Records;
use zerocopy::IntoBytes;

/// A datagram. One that is not a packet is taken as messages without one.
pub fn mdp3(data: &[u8]) {
    let messages = match parse(data) {
        Ok((header, messages, count)) => {
            assert_eq!(messages.count(), count as usize);
            let mut again = PacketBuilder::new(header.msg_seq_num.get(), data.len());
            assert!(messages.into_iter().all(|message| again.push(message)));
            let sent = UnixNanos(header.sending_time.get());
            assert_eq!(again.payload(sent), data);
            messages
        }
        Err(_) => {
            assert_eq!(fit(data), Fit::No);
            Messages::new(data)
        }
    };
    messages.for_each(message);
    decode(messages);
}

/// Decodes to records, and to books whose invariants must hold. The two decoders say the same as long as they know the
/// same, which they do: each sees every message.
fn decode(messages: Messages<'_>) {
    let mut records = (Mdp3Decoder::with_room(4), Records::new(Kept::default(), 1));
    let mut books = (Mdp3Decoder::with_room(4), Keeper::new());
    for (message, sequence) in messages.zip(1..) {
        let mut cx = context(sequence);
        let recorded = records.0.decode(message, &mut cx, &mut records.1);
        let mut cx = context(sequence);
        assert_eq!(books.0.decode(message, &mut cx, &mut books.1), recorded);
    }
    assert_eq!(records.0.oddities(), books.0.oddities());
    books.1.finish();
}

/// The sheet says the same twice, all of a message or none of it; books are read alike by structs and by the sheet.
fn message(bytes: &[u8]) {
    let said = said(bytes);
    assert_eq!(said, self::said(bytes));
    let error = Mdp3Sheet::error(bytes);
    assert_eq!(
        error.is_some(),
        said[..] == [("bytes", format!("{:?}", Value::Hex(bytes)))]
    );
    let excess = said.iter().any(|(name, _)| *name == "excess");
    assert_eq!(Mdp3Sheet::is_long(bytes), excess);
    let Ok(message) = Message::parse(bytes) else {
        return assert!(error.is_some());
    };
    if message.template_id() == template::BOOK && error.is_none() {
        book(message, &said);
    }
}

/// Every field, those of groups among them.
fn said(bytes: &[u8]) -> Vec<(&'static str, String)> {
    let mut said = Vec::new();
    Mdp3Sheet::visit(bytes, &mut |name, value| match value {
        Value::Rows(rows) => (0..rows.count()).for_each(|entry| {
            rows.visit(entry, &mut |name, value| {
                said.push((name, format!("{value:?}")))
            });
        }),
        value => said.push((name, format!("{value:?}"))),
    });
    said
}

fn book(message: Message<'_>, said: &[(&'static str, String)]) {
    let mut groups = message.groups();
    let levels = groups.next(Dimension::Three).expect("the sheet read it");
    let orders = groups.next(Dimension::Eight).expect("the sheet read it");
    let (Ok(entries), Ok(ids)) = (
        levels.entries::<BookEntry>(),
        orders.entries::<OrderIdEntry>(),
    ) else {
        return;
    };
    for (i, entry) in entries.enumerate() {
        assert_eq!(entry.as_bytes(), &levels.entry(i)[..size_of::<BookEntry>()]);
        assert_eq!(entries.get(i), Some(entry));
    }
    let counts = said.iter().filter(|(name, _)| *name == "rpt_seq");
    let ours = entries.map(|e| format!("{:?}", Value::Unsigned(e.rpt_seq.get().into())));
    assert!(counts.map(|(_, value)| value.clone()).eq(ours));
    assert_eq!(ids.count(), orders.len());
}
