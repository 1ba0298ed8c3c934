//! MEMX MEMOIR Depth: a file per message, and one with many in a packet.

use super::{Check, captures, corpus, golden, say, tables_are_printed};
use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::wire::ProtocolName;
use feed_common::wire::memoir::{Header, Message, packet_type, parse};
use feed_common::wire::message::{Fields, Value};
use feed_handler::inspect::stats::stats;
use feed_handler::inspect::{Lines, Streams};
use std::path::Path;

const FOLDERS: [&str; 1] = ["memx/memx_memoir_depth_v1_3"];

/// Could be of any protocol.
const HEARTBEAT: &str = "Heartbeat.pcap";

#[test]
fn every_golden_value_of_memoir() {
    let Some(corpus) = corpus() else { return };
    let captures = captures(&corpus, &FOLDERS);
    let compared: u64 = captures.iter().map(|capture| compare(capture)).sum();
    say(&format!(
        "{compared} values of {} captures are as the dissector has them; none skipped",
        captures.len()
    ));
    assert!(compared > 0);
}

#[test]
fn books_of_every_capture_of_memoir() {
    let Some(corpus) = corpus() else { return };
    let mut captures = captures(&corpus, &FOLDERS);
    captures.retain(|capture| !capture.ends_with(HEARTBEAT));
    tables_are_printed(&captures);
}

/// A capture filed under this exchange is another's.
#[test]
fn a_misfiled_capture_is_told_by_its_bytes() {
    let Some(corpus) = corpus() else { return };
    for capture in super::captures(&corpus, &["memx/nasdaq_misfiled"]) {
        let file = CaptureFile::open(&capture).expect("a readable capture");
        let mut datagrams = Datagrams::new(&file);
        while let Some(datagram) = datagrams.next() {
            let told = ProtocolName::tell(datagram.payload).1;
            assert_eq!(told, Some(ProtocolName::Itch50));
        }
    }
}

/// Compares a capture with its golden file; how many values were compared.
fn compare(capture: &Path) -> u64 {
    let file = CaptureFile::open(capture).expect("a readable capture");
    let mut datagrams = Datagrams::new(&file);
    let (mut compared, mut messages) = (0, 0);
    for golden in golden(capture) {
        let datagram = datagrams.next().expect("as many packets");
        let mut check = Check::new(capture, datagram.payload, &golden, our_name);
        messages += packet(&mut check);
        compared += check.done();
    }
    assert!(datagrams.next().is_none(), "{}", capture.display());
    if capture.ends_with(HEARTBEAT) {
        assert_eq!(messages, 0);
        return compared;
    }
    let streams = Streams::detect(Datagrams::new(&file)).expect("a protocol");
    let mut datagrams = Datagrams::new(&file);
    let first = datagrams.next().expect("a packet");
    assert_eq!(streams.of(&first).map(|p| p.name()), Some("memoir"));
    let counted = stats(|| Datagrams::new(&file), None, &Lines::Found);
    let (counted, _) = counted.expect("a protocol");
    assert_eq!(counted.messages, messages, "{}", capture.display());
    assert!(counted.errors.is_empty(), "{counted:?}");
    compared
}

/// Compares the header and every message; how many messages there were.
fn packet(check: &mut Check) -> u64 {
    let (header, count, messages) = parse(check.payload).expect("a packet");
    fields(check, 0, header);
    let mut at = size_of::<Header>();
    if header.message_type == packet_type::SEQUENCED {
        check.value("message_count", at, 2, Value::Unsigned(count.into()));
        at += 2;
    }
    for message in messages {
        let length = message.len() as u64;
        check.value("message_length", at, 2, Value::Unsigned(length));
        at += 2;
        let parsed = Message::parse(message).expect("a known message");
        fields(check, at, parsed.fields());
        at += message.len();
    }
    count.into()
}

/// Compares the fields of a header or message that begins `at` an offset.
fn fields(check: &mut Check, at: usize, fields: &dyn Fields) {
    let mut layout = fields.layout().iter();
    fields.visit(&mut |name, value| {
        let field = layout.next().expect("as many fields as values");
        assert_eq!(field.name, name);
        check.value(name, at + field.offset, field.len, value);
    });
}

/// The name of our specification sheet, without underscores, for the dissector's.
fn our_name(theirs: &str) -> &str {
    match theirs {
        "shortsalerestriction" => "restricted",
        "securitytradingstatus" => "status",
        "securitytradingstatusreason" => "reason",
        "tradingsession" => "session",
        same => same,
    }
}
