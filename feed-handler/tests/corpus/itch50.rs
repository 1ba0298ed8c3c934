//! Nasdaq packets. One of them was filed under another exchange by whoever collected it.

use super::{Check, captures, corpus, golden, say, tables_are_printed};
use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::wire::itch50::Message;
use feed_common::wire::message::Value;
use feed_common::wire::moldudp64;
use feed_handler::inspect::stats::stats;
use feed_handler::inspect::{Lines, Streams};
use std::path::Path;

const FOLDERS: [&str; 2] = ["nasdaq_itch50", "memx/nasdaq_misfiled"];

#[test]
fn every_golden_value_of_itch_50() {
    let Some(corpus) = corpus() else { return };
    let captures = captures(&corpus, &FOLDERS);
    let compared: u64 = captures.iter().map(|capture| compare(capture)).sum();
    say(&format!(
        "{compared} values of {} captures are as the dissector has them",
        captures.len()
    ));
    assert!(compared > 0);
}

#[test]
fn books_of_every_capture_of_itch_50() {
    let Some(corpus) = corpus() else { return };
    tables_are_printed(&captures(&corpus, &FOLDERS));
}

/// Compares a capture with its golden file; how many values were compared.
fn compare(capture: &Path) -> u64 {
    let file = CaptureFile::open(capture).expect("a readable capture");
    let streams = Streams::detect(Datagrams::new(&file)).expect("a protocol");
    let mut compared = 0;
    let mut messages = 0;
    let mut datagrams = Datagrams::new(&file);
    for golden in golden(capture) {
        let datagram = datagrams.next().expect("as many packets");
        let name = streams.of(&datagram).map(|p| p.name());
        assert_eq!(name, Some("itch50"), "{}", capture.display());
        let mut check = Check::new(capture, datagram.payload, &golden, our_name);
        messages += packet(&mut check);
        compared += check.done();
    }
    assert!(datagrams.next().is_none(), "{}", capture.display());
    let counted = stats(|| Datagrams::new(&file), None, &Lines::Found);
    let (counted, _) = counted.expect("a protocol");
    assert_eq!(counted.messages, messages, "{}", capture.display());
    assert!(counted.errors.is_empty(), "{counted:?}");
    compared
}

/// Compares the header and every message; how many messages there were.
fn packet(check: &mut Check) -> u64 {
    let (header, blocks) = moldudp64::parse(check.payload).expect("a MoldUDP64 packet");
    check.value("session", 0, 10, Value::Text(&header.session));
    check.value("sequence", 10, 8, Value::Unsigned(header.sequence.get()));
    let count = header.message_count.get().into();
    check.value("message_count", 18, 2, Value::Unsigned(count));
    let (mut at, mut messages) = (size_of::<moldudp64::Header>(), 0);
    for block in blocks {
        let len = block.len() as u64;
        check.value("length", at, 2, Value::Unsigned(len));
        at += 2;
        let message = Message::parse(block).expect("a known message");
        let mut layout = message.fields().layout().iter();
        message.fields().visit(&mut |name, value| {
            let field = layout.next().expect("as many fields as values");
            assert_eq!(field.name, name);
            check.value(name, at + field.offset, field.len, value);
        });
        at += block.len();
        messages += 1;
    }
    messages
}

/// The name of our specification sheet, without underscores, for the dissector's.
fn our_name(theirs: &str) -> &str {
    match theirs {
        "sequencenumber" => "sequence",
        "messagelength" => "length",
        "messagetype" => "type",
        "locatecode" => "stocklocate",
        "orderreferencenumber" => "orderref",
        "originalorderreferencenumber" => "originalref",
        "neworderreferencenumber" => "newref",
        "buysellindicator" => "side",
        "canceledshares" => "cancelledshares",
        "crossshares" => "shares",
        "currentreferenceprice" | "auctioncollarreferenceprice" => "referenceprice",
        "upperauctioncollarprice" => "upperprice",
        "lowerauctioncollarprice" => "lowerprice",
        "auctioncollarextension" => "extension",
        "pricevariationindicator" => "pricevariation",
        "marketparticipantstate" => "participantstate",
        same => same,
    }
}
