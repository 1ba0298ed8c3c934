//! IEX: a file per message of TOPS, DEEP and DEEP+, and two long stretches of a day.
//!
//! The bits of flag bytes are compared one by one, as the dissector has them. What is skipped is said.

use super::{Check, captures, corpus, golden, long, say, shown, tables_are_printed};
use feed_common::capture::{CaptureFile, Datagrams};
use feed_common::wire::iex::Message;
use feed_common::wire::iextp::{self, Header};
use feed_common::wire::message::{Fields, Value};
use feed_handler::inspect::stats::{Stats, stats};
use feed_handler::inspect::{Lines, Streams};
use serde_json::Value as Json;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FOLDERS: [&str; 4] = [
    "iex/iex_tops15",
    "iex/iex_tops16",
    "iex/iex_deep10",
    "iex/iex_deepplus",
];

/// Messages of the long captures.
const LONG: [(&str, u64); 2] = [
    ("iex/deep10_20231002_5000/test.pcap.gz", 48_325),
    ("iex/tops16_13k/TOPS16.pcapng.gz", 57_674),
];

#[test]
fn every_golden_value_of_iex() {
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
fn every_golden_value_of_long_captures_of_iex() {
    let Some(corpus) = corpus() else { return };
    for (path, messages) in LONG {
        let capture = corpus.join(path);
        let counted = count(&capture);
        assert_eq!(counted.messages, messages, "{path}");
        assert_eq!((counted.gaps, counted.lost, counted.duplicates), (0, 0, 0));
        assert_eq!(counted.restarts, 0, "heartbeats before the first message");
        let (compared, skipped) = compare_long(&capture);
        say(&format!(
            "{path}: {messages} messages without gaps, {compared} values as the dissector has them; skipped: {skipped} \
             reserved bytes, for which it writes a text that is not theirs",
        ));
    }
}

#[test]
fn books_of_every_capture_of_iex() {
    let Some(corpus) = corpus() else { return };
    let mut captures = captures(&corpus, &FOLDERS);
    say("skipped for tables: iex_deep10/Heartbeat.pcap, which could be of any protocol");
    captures.retain(|capture| !capture.ends_with("Heartbeat.pcap"));
    captures.extend(LONG.map(|(path, _)| corpus.join(path)));
    tables_are_printed(&captures);
}

fn count(capture: &Path) -> Stats {
    let file = CaptureFile::open(capture).expect("a readable capture");
    let counted = stats(|| Datagrams::new(&file), None, &Lines::Found);
    let (counted, _) = counted.expect("a protocol");
    assert!(
        counted.errors.is_empty(),
        "{}: {counted:?}",
        capture.display()
    );
    counted
}

/// Compares a capture with its golden file; how many values were compared.
fn compare(capture: &Path) -> u64 {
    let file = CaptureFile::open(capture).expect("a readable capture");
    let mut compared = 0;
    let mut messages = 0;
    let mut datagrams = Datagrams::new(&file);
    for golden in golden(capture) {
        let datagram = datagrams.next().expect("as many packets");
        let mut check = Check::new(capture, datagram.payload, &golden, our_name);
        messages += packet(&mut check);
        compared += check.done();
    }
    assert!(datagrams.next().is_none(), "{}", capture.display());
    if messages == 0 {
        return compared; // a heartbeat, which could be of anything
    }
    let streams = Streams::detect(Datagrams::new(&file)).expect("a protocol");
    let mut datagrams = Datagrams::new(&file);
    while let Some(datagram) = datagrams.next() {
        let name = streams.of(&datagram).map(|p| p.name());
        assert_eq!(name, Some("iex"), "{}", capture.display());
    }
    assert_eq!(count(capture).messages, messages, "{}", capture.display());
    compared
}

/// Compares the header and every message; how many messages there were.
fn packet(check: &mut Check) -> u64 {
    let (header, blocks) = iextp::parse(check.payload).expect("a segment");
    fields(check, 0, header);
    let (mut at, mut messages) = (size_of::<Header>(), 0);
    for block in blocks {
        check.value("length", at, 2, Value::Unsigned(block.len() as u64));
        at += 2;
        fields(
            check,
            at,
            Message::parse(block).expect("a known message").fields(),
        );
        at += block.len();
        messages += 1;
    }
    messages
}

/// Compares every field of a header or message that begins `at` these bytes.
fn fields(check: &mut Check, at: usize, fields: &dyn Fields) {
    let mut layout = fields.layout().iter();
    fields.visit(&mut |name, value| {
        let field = layout.next().expect("as many fields as values");
        assert_eq!(field.name, name);
        let at = at + field.offset;
        match (name, value) {
            ("flags" | "sale_flags" | "modify_flags", Value::Unsigned(flags)) => {
                bits(check, at, flags);
            }
            _ => check.value(name, at, field.len, value),
        }
    });
}

/// Compares the dissector's leaves of a byte of flags.
fn bits(check: &mut Check, at: usize, flags: u64) {
    let (theirs, others) = std::mem::take(&mut check.leaves)
        .into_iter()
        .partition(|leaf| leaf.offset == at);
    check.leaves = others;
    let theirs: Vec<super::Leaf> = theirs;
    assert!(!theirs.is_empty(), "{}: {at}", check.capture.display());
    for leaf in theirs {
        let mask = mask(&leaf.name).unwrap_or_else(|| panic!("no such bit: {}", leaf.name));
        let value = (flags & mask) >> mask.trailing_zeros();
        assert_eq!(leaf.value, Some(value.to_string()), "{}", leaf.name);
        check.compared += 1;
    }
}

/// The bits that the dissector calls so.
fn mask(name: &str) -> Option<u64> {
    Some(match name {
        "unused3" => 0x07,
        "unused4" => 0x0f, // of an edition before the single-price cross
        "unused5" => 0x1f,
        "unused6" => 0x3f,
        "unused7" => 0x7f,
        "singlepricecrosstrade" => 0x08,
        "tradethroughexempt" => 0x10,
        "oddlot" | "etp" => 0x20,
        "extendedhours" | "marketsession" | "whenissued" => 0x40,
        "intermarketsweep" | "symbolavailability" | "testsecurity" | "priority" => 0x80,
        _ => return None,
    })
}

/// Compares the headers of a long capture, and what `decode` prints of its messages, with its golden file: how many values
/// were compared and skipped.
fn compare_long(capture: &Path) -> (u64, u64) {
    let file = CaptureFile::open(capture).expect("a readable capture");
    let mut datagrams = Datagrams::new(&file);
    let mut decoded = Decoded::of(capture);
    let mut compared = Compared::default();
    for (number, golden) in (1u64..).zip(long(capture)) {
        let datagram = datagrams.next().expect("as many packets");
        let (header, blocks) = iextp::parse(datagram.payload).expect("a segment");
        let theirs = golden["fields"].as_array().expect("fields");
        let mut theirs = theirs.iter().map(pair).peekable();
        header.visit(&mut |name, value| {
            let (their_name, their_value) = theirs.next().expect("as many fields");
            compared.one(name, shown(value).as_deref(), their_name, their_value);
        });
        for (index, block) in (1u64..).zip(blocks) {
            let line = decoded.next().expect("as many messages");
            assert_eq!(line["packet"], number);
            assert_eq!(line["seq"], header.first_sequence.get() + index - 1);
            let length = block.len().to_string();
            for ours in [index.to_string(), length] {
                let (name, value) = theirs.next().expect("a message");
                assert!(["messageindex", "messagelength"].contains(&name));
                assert_eq!(value, ours);
                compared.values += 1;
            }
            while let Some((name, value)) = theirs.next_if(|(name, _)| *name != "messageindex") {
                match mask(name) {
                    Some(mask) => {
                        let flags = ["flags", "sale_flags"].map(|flags| line[flags].as_u64());
                        let flags = flags.into_iter().flatten().next().expect("flags");
                        let ours = (flags & mask) >> mask.trailing_zeros();
                        assert_eq!(value, ours.to_string(), "{name} of {line}");
                        compared.values += 1;
                    }
                    None => compared.field(&line, name, value),
                }
            }
        }
        assert_eq!(theirs.next(), None, "packet {number}");
    }
    assert!(decoded.next().is_none() && datagrams.next().is_none());
    (compared.values, compared.skipped)
}

fn pair(field: &Json) -> (&str, &str) {
    let text = |at: usize| field[at].as_str().expect("a text");
    (text(0), text(1))
}

#[derive(Default)]
struct Compared {
    values: u64,
    skipped: u64,
}

impl Compared {
    fn one(&mut self, name: &str, ours: Option<&str>, their_name: &str, theirs: &str) {
        assert_eq!(our_name(their_name), name.replace('_', ""));
        match ours {
            None => self.skipped += 1,
            Some(ours) => {
                assert_eq!(theirs.trim_end(), ours, "{name}");
                self.values += 1;
            }
        }
    }

    /// Compares with the field of a line of `decode`.
    fn field(&mut self, line: &Json, their_name: &str, theirs: &str) {
        let plain = our_name(their_name);
        let mut fields = line.as_object().expect("an object").iter();
        let (name, value) = fields
            .find(|(name, _)| name.replace('_', "") == plain)
            .unwrap_or_else(|| panic!("no {plain} in {line}"));
        let ours = match value {
            // Places that are zero it does not write.
            Json::String(price) if name.ends_with("price") || name.ends_with("collar") => {
                price.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            Json::String(text) => text.clone(),
            number => number.to_string(),
        };
        self.one(name, Some(&ours), their_name, theirs);
    }
}

/// What `decode` prints of a capture, line by line.
struct Decoded {
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    program: std::process::Child,
}

impl Decoded {
    fn of(capture: &Path) -> Decoded {
        let mut program = Command::new(PathBuf::from(env!("CARGO_BIN_EXE_feed-handler")))
            .args(["decode", "--format", "json"])
            .arg(capture)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program");
        let out = program.stdout.take().expect("its output");
        Decoded {
            lines: BufReader::new(out).lines(),
            program,
        }
    }
}

impl Iterator for Decoded {
    type Item = Json;

    fn next(&mut self) -> Option<Json> {
        match self.lines.next() {
            Some(line) => {
                let line = line.expect("text");
                Some(serde_json::from_str(&line).expect("a line of JSON"))
            }
            None => {
                assert!(self.program.wait().expect("its end").success());
                None
            }
        }
    }
}

/// The name of our specification sheet, without underscores, for the dissector's.
fn our_name(theirs: &str) -> &str {
    match theirs {
        "firstmessagesequencenumber" => "firstsequence",
        "messagelength" => "length",
        "messagetype" => "type",
        "systemevent" | "securityevent" => "event",
        "tradingstatus" | "operationalhaltstatus" => "status",
        "retailliquidityindicator" => "indicator",
        "shortsalepriceteststatus" => "ineffect",
        "roundlotsize" => "roundlot",
        "lowerauctioncollar" => "lowercollar",
        "upperauctioncollar" => "uppercollar",
        "orderidreference" => "orderid",
        "reserved1" => "reserved",
        same => same,
    }
}
