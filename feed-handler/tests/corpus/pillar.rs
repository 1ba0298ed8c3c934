//! NYSE packets: Integrated Feed 2.5, and what the best bid and offer feed of NYSE National has in common with it.

use super::{Check, captures, corpus, golden, say, tables_are_printed};
use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::wire::message::{Fields, Value};
use feed_common::wire::pillar::{Header, Message, kind_of, parse};
use feed_common::wire::{Fit, ProtocolName};
use feed_handler::inspect::stats::stats;
use feed_handler::inspect::{Lines, Streams};
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 1] = ["nyse_pillar"];

/// Its one message is of a type that only the best bid and offer feed has: its packet alone does not tell the protocol,
/// and its fields are bytes to us.
const UNKNOWN: &str = "QuoteMessage.pcap";

/// What the dissector divides by a fixed 10^8, although each symbol has its own scale: compared by their bytes.
const PRICES: [&str; 13] = [
    "price",
    "price1",
    "price2",
    "prev_close_price",
    "reference_price",
    "continuous_book_clearing_price",
    "auction_interest_clearing_price",
    "ssr_filing_price",
    "indicative_match_price",
    "upper_collar",
    "lower_collar",
    "high_price",
    "low_price",
];

#[test]
fn every_golden_value_of_pillar() {
    let Some(corpus) = corpus() else { return };
    let captures = captures(&corpus, &FOLDERS);
    let mut seen = Seen::default();
    captures.iter().for_each(|c| compare(c, &mut seen));
    say(&format!(
        "{} values of {} captures are as the dissector has them, {} of them prices or without a meaning of their own \
         and so compared by their bytes; {} values skipped: Quote (140) is not in the Integrated Feed's specification",
        seen.compared,
        captures.len(),
        seen.bytes_only,
        seen.skipped,
    ));
    assert!(seen.compared > 0 && seen.bytes_only < seen.compared);
}

#[test]
fn books_of_every_capture_of_pillar() {
    let Some(corpus) = corpus() else { return };
    let told: Vec<PathBuf> = captures(&corpus, &FOLDERS)
        .into_iter()
        .filter(|capture| !capture.ends_with(UNKNOWN))
        .collect();
    tables_are_printed(&told);
}

/// What became of the golden values.
#[derive(Default)]
struct Seen {
    compared: u64,
    /// Of these, those of which bytes, offset and name were compared, and no value.
    bytes_only: u64,
    skipped: u64,
}

/// Compares a capture with its golden file.
fn compare(capture: &Path, seen: &mut Seen) {
    let file = CaptureFile::open(capture).expect("a readable capture");
    let mut datagrams = Datagrams::new(&file);
    let mut messages = 0;
    for golden in golden(capture) {
        let datagram = datagrams.next().expect("as many packets");
        let fit = match capture.ends_with(UNKNOWN) {
            true => Fit::Possible,
            false => Fit::Yes,
        };
        assert_eq!(ProtocolName::Pillar.fit(datagram.payload), fit);
        let mut check = Check::new(capture, datagram.payload, &golden, our_name);
        messages += packet(&mut check, seen);
        seen.compared += check.done();
    }
    assert!(datagrams.next().is_none(), "{}", capture.display());
    if capture.ends_with(UNKNOWN) {
        return;
    }
    let streams = Streams::detect(Datagrams::new(&file)).expect("a protocol");
    let mut datagrams = Datagrams::new(&file);
    let first = datagrams.next().expect("a packet");
    assert_eq!(streams.of(&first).map(|p| p.name()), Some("pillar"));
    let counted = stats(|| Datagrams::new(&file), None, &Lines::Found);
    let (counted, _) = counted.expect("a protocol");
    assert_eq!(counted.messages, messages, "{}", capture.display());
    assert!(counted.errors.is_empty(), "{counted:?}");
}

/// Compares the header and every message; how many messages there were.
fn packet(check: &mut Check, seen: &mut Seen) -> u64 {
    let (header, messages) = parse(check.payload).expect("a packet");
    fields(check, header, 0, seen);
    let mut at = size_of::<Header>();
    let mut count = 0;
    for bytes in messages {
        match Message::parse(bytes) {
            Some(message) => fields(check, message.fields(), at, seen),
            None => unknown(check, bytes, at, seen),
        }
        at += bytes.len();
        count += 1;
    }
    count
}

/// Compares the fields of what begins `at` an offset.
fn fields(check: &mut Check, fields: &dyn Fields, at: usize, seen: &mut Seen) {
    let mut layout = fields.layout().iter();
    fields.visit(&mut |name, value| {
        let field = layout.next().expect("as many fields as values");
        assert_eq!(field.name, name);
        let value = match name {
            // What release 2.3 called so is reserved in 2.5.
            "significant_imbalance" => Value::Hex(&[]),
            _ if PRICES.contains(&name) => Value::Hex(&[]),
            _ => value,
        };
        seen.bytes_only += u64::from(matches!(value, Value::Hex(_)));
        check.value(their_reserved(name), at + field.offset, field.len, value);
    });
}

/// Compares size and type of a message that the sheet does not have, and passes over the rest.
fn unknown(check: &mut Check, message: &[u8], at: usize, seen: &mut Seen) {
    assert!(check.capture.ends_with(UNKNOWN) && kind_of(message) == 140);
    check.value("msg_size", at, 2, Value::Unsigned(message.len() as u64));
    check.value("msg_type", at + 2, 2, Value::Unsigned(140));
    let before = check.leaves.len();
    check.leaves.retain(|leaf| leaf.offset < at + 4);
    seen.skipped += (before - check.leaves.len()) as u64;
}

/// Reserved bytes have many names.
fn their_reserved(name: &'static str) -> &'static str {
    match name {
        "reserved" | "significant_imbalance" => "reserved1",
        same => same,
    }
}

/// The name of our specification sheet, without underscores, for the dissector's.
fn our_name(theirs: &str) -> &str {
    match theirs {
        "seconds" => "sendtime",
        "nanoseconds" => "sendtimens",
        "messagesize" => "msgsize",
        "messagetype" => "msgtype",
        "printableflag" => "printable",
        "reserved4" => "reserved1",
        "ssrtriggeringexchangeid" => "ssrexchange",
        "ssrtriggeringvolume" => "ssrvolume",
        "roundlot" => "roundlotsaccepted",
        same => same,
    }
}
