//! Cboe packets: equities, and what options and complex orders have in common with them.
//!
//! Flags are compared as a byte: the dissector takes them apart and, for options, names the bits of a later edition.

use super::{Check, captures, corpus, golden, say, tables_are_printed};
use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::wire::message::Value;
use feed_common::wire::pitch::{HEADER, Header, Message, name, parse};
use feed_common::wire::{Fit, ProtocolName};
use feed_handler::inspect::stats::stats;
use feed_handler::inspect::{Lines, Streams, dissector};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const FOLDERS: [&str; 1] = ["cboe_pitch"];

/// What was compared, and what was not with its reason.
#[derive(Default)]
struct Seen {
    compared: u64,
    skipped: BTreeMap<String, u64>,
}

impl Seen {
    fn skip(&mut self, reason: impl Into<String>, values: usize) {
        *self.skipped.entry(reason.into()).or_default() += values as u64;
    }
}

#[test]
fn every_golden_value_of_pitch() {
    let Some(corpus) = corpus() else { return };
    let captures = captures(&corpus, &FOLDERS);
    let mut seen = Seen::default();
    captures.iter().for_each(|file| compare(file, &mut seen));
    say(&format!(
        "PITCH: {} values of {} captures are as the dissector has them",
        seen.compared,
        captures.len()
    ));
    for (reason, values) in &seen.skipped {
        say(&format!("PITCH: {values} values not compared: {reason}"));
    }
    assert!(seen.compared > 0);
}

#[test]
fn books_of_every_capture_of_pitch() {
    let Some(corpus) = corpus() else { return };
    let mut captures = captures(&corpus, &FOLDERS);
    // The others carry nothing that would tell which protocol this is.
    captures.retain(|capture| {
        let file = CaptureFile::open(capture).expect("a readable capture");
        Streams::detect(Datagrams::new(&file)).is_ok()
    });
    tables_are_printed(&captures);
}

/// Compares a capture with its golden file.
fn compare(capture: &Path, seen: &mut Seen) {
    let file = CaptureFile::open(capture).expect("a readable capture");
    let mut datagrams = Datagrams::new(&file);
    let (mut messages, mut unknown, mut tells) = (0, 0, false);
    let mut seconds = HashMap::new();
    for golden in golden(capture) {
        let datagram = datagrams.next().expect("as many packets");
        let known = packet(capture, datagram.payload, &golden, &mut seconds, seen);
        let fit = ProtocolName::tell(datagram.payload);
        let want = match known {
            (0, _) => (Fit::Possible, None),
            _ => (Fit::Yes, Some(ProtocolName::Pitch)),
        };
        assert_eq!(fit, want, "{}", capture.display());
        tells |= known.0 > 0;
        messages += known.0 + known.1;
        unknown += known.1;
    }
    assert!(datagrams.next().is_none(), "{}", capture.display());
    let given = Streams::given(dissector(ProtocolName::Pitch));
    let given = (!tells).then_some(&given);
    let (counted, _) = stats(|| Datagrams::new(&file), given, &Lines::Found).expect("a protocol");
    assert_eq!(counted.messages, messages, "{}", capture.display());
    let errors: u64 = counted.errors.values().sum();
    assert_eq!(errors, unknown, "{}: {counted:?}", capture.display());
}

/// Compares the header and every message; how many messages are known, and how many are not.
fn packet(
    capture: &Path,
    payload: &[u8],
    golden: &serde_json::Value,
    seconds: &mut HashMap<u8, u64>,
    seen: &mut Seen,
) -> (u64, u64) {
    let mut check = Check::new(capture, payload, golden, our_name);
    let bits = take_bits(&mut check);
    let (header, blocks, rest) = parse(payload).expect("a block");
    assert!(rest.is_empty());
    header_values(&mut check, header);
    let (mut at, mut known, mut unknown) = (HEADER, 0, 0);
    for bytes in blocks {
        let end = at + bytes.len();
        check.value("length", at, 1, Value::Unsigned(bytes[0].into()));
        check.value("type", at + 1, 1, Value::Unsigned(bytes[1].into()));
        match Message::parse(bytes) {
            Ok(message) => {
                known += 1;
                fields(&mut check, message, at, seconds, header.unit, &bits, seen);
                if message.size() < bytes.len() {
                    let excess = &bytes[message.size()..];
                    let at = at + message.size();
                    check.value("excess", at, excess.len(), Value::Hex(excess));
                }
                if let Message::Time(m) = message {
                    seconds.insert(header.unit, m.time.get().into());
                    let ours = check.leaves.len();
                    check.leaves.retain(|leaf| leaf.name != "epochtime");
                    let dropped = ours - check.leaves.len();
                    seen.skip("epochtime, which the message is too short for", dropped);
                }
            }
            Err(e) => {
                unknown += 1;
                assert_eq!(name(bytes[1]), None, "{e}");
                let ours = check.leaves.len();
                let of_it = |offset: usize| (at..end).contains(&offset);
                check.leaves.retain(|leaf| !of_it(leaf.offset));
                let reason = format!("bodies of type 0x{:02X}, of complex orders", bytes[1]);
                seen.skip(reason, ours - check.leaves.len());
            }
        }
        at = end;
    }
    seen.compared += check.done();
    (known, unknown)
}

fn header_values(check: &mut Check, header: &Header) {
    check.value("length", 0, 2, Value::Unsigned(header.length.get().into()));
    check.value("count", 2, 1, Value::Unsigned(header.count.into()));
    check.value("unit", 3, 1, Value::Unsigned(header.unit.into()));
    let sequence = header.sequence.get().into();
    check.value("sequence", 4, 4, Value::Unsigned(sequence));
}

/// Compares the fields of a message at `start` behind its length and type.
fn fields(
    check: &mut Check,
    message: Message<'_>,
    start: usize,
    seconds: &HashMap<u8, u64>,
    unit: u8,
    bits: &HashMap<usize, Vec<u64>>,
    seen: &mut Seen,
) {
    let mut layout = message.fields().layout().iter();
    message.fields().visit(&mut |name, value| {
        let field = layout.next().expect("as many fields as values");
        assert_eq!(field.name, name);
        let at = start + field.offset;
        match (name, value) {
            ("length" | "type", _) => {}
            ("flags", Value::Unsigned(flags)) if bits.contains_key(&at) => {
                // From the lowest bit on; the last of them has what is left.
                let theirs = bits[&at].iter().rev().fold(0, |all, bit| all << 1 | bit);
                assert_eq!(theirs, flags, "{}: flags at {at}", check.capture.display());
                check.compared += bits[&at].len() as u64;
            }
            // Complex orders have no flags: the byte is called padding, and written as text.
            ("flags", _) => check.value(name, at, field.len, Value::Null),
            ("time_offset", _) => {
                check.value(name, at, field.len, value);
                // In the same place, the second that it counts from, where the dissector knows it.
                if check.leaves.iter().any(|leaf| leaf.offset == at) {
                    let second = check.leaf("time", at).value;
                    let said = seconds.get(&unit).map(u64::to_string);
                    assert_eq!(second, said, "{}", check.capture.display());
                    check.compared += 1;
                }
            }
            ("price", _) => {
                let mut leaves = check.leaves.iter().filter(|leaf| leaf.offset == at);
                let signed = leaves.any(|l| l.value.as_ref().is_some_and(|v| v.starts_with('-')));
                if signed {
                    seen.skip("signs of prices of complex orders (bytes are compared)", 1);
                }
                let value = if signed { Value::Null } else { value };
                check.value(name, at, field.len, value);
            }
            _ => check.value(name, at, field.len, value),
        }
    });
}

/// Takes the bits of flags out of the leaves: by offset, in the dissector's order.
fn take_bits(check: &mut Check) -> HashMap<usize, Vec<u64>> {
    let mut bits = HashMap::<_, Vec<u64>>::new();
    check.leaves.retain(|leaf| {
        let is_bit = leaf.hex.len() == 1;
        if is_bit {
            let value = u64::from_str_radix(&leaf.hex, 16).expect("a digit");
            bits.entry(leaf.offset).or_default().push(value);
        }
        !is_bit
    });
    bits
}

/// The name of our specification sheet, without underscores, for the dissector's.
fn our_name(theirs: &str) -> &str {
    match theirs {
        "messagelength" => "length",
        "messagetype" => "type",
        "sideindicator" => "side",
        "quantityshort" => "quantity",
        "priceshort" => "price",
        "complexinstrumentid" => "symbol",
        "tradecondition" => "excess",
        "padding" => "flags",
        same => same,
    }
}
