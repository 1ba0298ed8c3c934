//! Real captures: Nasdaq packets against values decoded by an independent dissector, and long files read whole.
//!
//! The captures are not part of the project. `FEED_CORPUS` names the folder that holds them, each capture with its
//! golden file beside it; without it the test says so and passes.

use feed_common::capture::{CaptureFile, Datagrams, Format};
use feed_common::wire::itch50::Message;
use feed_common::wire::message::{Value, trimmed};
use feed_common::wire::moldudp64;
use feed_handler::inspect::stats::stats;
use feed_handler::inspect::{Lines, Streams};
use serde_json::Value as Json;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

const FOLDERS: [&str; 2] = ["nasdaq_itch50", "memx/nasdaq_misfiled"];

#[test]
fn every_golden_value_of_itch_50() {
    let Some(corpus) = std::env::var_os("FEED_CORPUS").map(PathBuf::from) else {
        say("skipped: FEED_CORPUS not set");
        return;
    };
    let mut captures = Vec::new();
    for folder in FOLDERS {
        find(&corpus.join(folder), &mut captures);
    }
    let compared: u64 = captures.iter().map(|capture| compare(capture)).sum();
    say(&format!(
        "{compared} values of {} captures are as the dissector has them",
        captures.len()
    ));
    assert!(compared > 0, "no captures in {}", corpus.display());
}

/// Long captures, one of each kind of file: where each is, what it is, and how many frames it has.
const LONG: [(&str, &str, u64); 3] = [
    (
        "iex/deep10_20231002_5000/test.pcap.gz",
        "pcap in gzip",
        5_000,
    ),
    // Its name is wrong, its bytes are not.
    ("iex/tops16_13k/TOPS16.pcapng.gz", "pcap in gzip", 13_022),
    (
        "cme_mdp3/ab_v1_8_10000/Cme.Mdp3.Sbe.v8.1.Example.pcap",
        "pcapng",
        10_000,
    ),
];

#[test]
fn long_captures_are_read_whole() {
    let Some(corpus) = std::env::var_os("FEED_CORPUS").map(PathBuf::from) else {
        say("skipped: FEED_CORPUS not set");
        return;
    };
    for (path, kind, frames) in LONG {
        let file = CaptureFile::open(corpus.join(path)).expect("a readable capture");
        let mut datagrams = Datagrams::new(&file);
        let (mut number, mut last) = (0, 0);
        while let Some(datagram) = datagrams.next() {
            assert!(datagram.number > number && datagram.time.is_known());
            (number, last) = (datagram.number, datagram.time.0);
        }
        assert_eq!(datagrams.frames(), frames, "{path}");
        assert_eq!((datagrams.cut(), datagrams.faults().total()), (None, 0));
        assert_eq!(datagrams.skipped().total(), 0, "{path}");
        // All were captured in the years that their protocols are of.
        assert!((1_400_000_000..1_800_000_000).contains(&(last / 1_000_000_000)));
        let format = match file.format() {
            Format::Pcap(_) => "pcap",
            Format::Pcapng => "pcapng",
            other => other.name(),
        };
        let found = match file.compression() {
            Some(compression) => format!("{format} in {}", compression.name()),
            None => format.to_owned(),
        };
        assert_eq!(found, kind, "{path}");
    }
    say("the long captures are read whole");
}

/// Prints a line that is seen also when the test passes: the harness swallows what the print macros write.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error");
}

/// Collects the captures below `folder`.
fn find(folder: &Path, captures: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the corpus") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            find(&path, captures);
        } else if path.extension().is_some_and(|e| e == "pcap") {
            captures.push(path);
        }
    }
}

/// Compares a capture with its golden file; how many values were compared.
fn compare(capture: &Path) -> u64 {
    let golden = PathBuf::from(format!("{}.golden.json", capture.display()));
    let golden: Json = serde_json::from_slice(&fs::read(&golden).expect("a golden file"))
        .expect("a golden file in JSON");
    let packets = golden["packets"].as_array().expect("packets");

    let file = CaptureFile::open(capture).expect("a readable capture");
    let streams = Streams::detect(Datagrams::new(&file)).expect("a protocol");
    let mut compared = 0;
    let mut messages = 0;
    let mut datagrams = Datagrams::new(&file);
    for golden in packets {
        let datagram = datagrams.next().expect("as many packets");
        let name = streams.of(&datagram).map(|p| p.name());
        assert_eq!(name, Some("itch50"), "{}", capture.display());
        let mut leaves = Vec::new();
        flatten(&golden["decoded"], &mut leaves);
        let mut check = Check {
            capture,
            payload: datagram.payload,
            leaves,
            compared: 0,
        };
        messages += check.packet();
        assert!(
            check.leaves.is_empty(),
            "{}: not decoded: {:?}",
            capture.display(),
            check.leaves
        );
        compared += check.compared;
    }
    assert!(datagrams.next().is_none(), "{}", capture.display());
    let counted = stats(|| Datagrams::new(&file), None, &Lines::Found);
    let (counted, _) = counted.expect("a protocol");
    assert_eq!(counted.messages, messages, "{}", capture.display());
    assert!(counted.errors.is_empty(), "{counted:?}");
    compared
}

/// A value the dissector found.
#[derive(Debug)]
struct Leaf {
    name: String,
    value: Option<String>,
    offset: usize,
    hex: String,
}

/// The leaves with bytes of a dissector's tree.
fn flatten(node: &Json, leaves: &mut Vec<Leaf>) {
    match node {
        Json::Array(nodes) => nodes.iter().for_each(|n| flatten(n, leaves)),
        _ if !node["fields"].is_null() => flatten(&node["fields"], leaves),
        _ => {
            if let (Some(offset), Some(hex)) = (node["off"].as_u64(), node["hex"].as_str()) {
                leaves.push(Leaf {
                    name: node["name"].as_str().expect("a name").to_owned(),
                    value: node["value"].as_str().map(str::to_owned),
                    offset: offset as usize,
                    hex: hex.to_owned(),
                });
            }
        }
    }
}

struct Check<'a> {
    capture: &'a Path,
    payload: &'a [u8],
    /// What is still to be compared.
    leaves: Vec<Leaf>,
    compared: u64,
}

impl Check<'_> {
    /// Compares the header and every message; how many messages there were.
    fn packet(&mut self) -> u64 {
        let (header, blocks) = moldudp64::parse(self.payload).expect("a MoldUDP64 packet");
        self.value("session", 0, 10, Value::Text(&header.session));
        self.value("sequence", 10, 8, Value::Unsigned(header.sequence.get()));
        let count = header.message_count.get().into();
        self.value("message_count", 18, 2, Value::Unsigned(count));
        let (mut at, mut messages) = (size_of::<moldudp64::Header>(), 0);
        for block in blocks {
            let len = block.len() as u64;
            self.value("length", at, 2, Value::Unsigned(len));
            at += 2;
            let message = Message::parse(block).expect("a known message");
            let mut layout = message.fields().layout().iter();
            message.fields().visit(&mut |name, value| {
                let field = layout.next().expect("as many fields as values");
                assert_eq!(field.name, name);
                self.value(name, at + field.offset, field.len, value);
            });
            at += block.len();
            messages += 1;
        }
        messages
    }

    /// Finds the dissector's leaf at `offset` and compares its name, bytes and value with ours.
    fn value(&mut self, name: &str, offset: usize, len: usize, value: Value<'_>) {
        let found = self.leaves.iter().position(|leaf| leaf.offset == offset);
        let at = format!("{}: {name} at {offset}", self.capture.display());
        let leaf = self
            .leaves
            .swap_remove(found.unwrap_or_else(|| panic!("{at}: no such leaf")));
        assert_eq!(our_name(&leaf.name), name.replace('_', ""), "{at}");
        let bytes = &self.payload[offset..offset + len];
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(leaf.hex, hex, "{at}");
        if let (Some(theirs), Some(ours)) = (&leaf.value, shown(value)) {
            // A field of one blank it writes as a blank; all others without their padding.
            assert_eq!(theirs.trim_end(), ours, "{at}");
        }
        self.compared += 1;
    }
}

/// A value as the dissector writes it; `None` where it has only bytes.
fn shown(value: Value<'_>) -> Option<String> {
    match value {
        Value::Unsigned(n) | Value::Time(n) => Some(n.to_string()),
        Value::Text(text) => Some(String::from_utf8_lossy(trimmed(text)).into_owned()),
        Value::Price { mantissa, decimals } => {
            let scale = 10i128.pow(decimals);
            let width = decimals as usize;
            let all = format!("{}.{:0width$}", mantissa / scale, mantissa % scale);
            // Places that are zero are not written.
            Some(all.trim_end_matches('0').trim_end_matches('.').to_owned())
        }
        Value::Hex(_) | Value::Null | Value::Signed(_) | Value::Rows(_) => None,
    }
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

#[test]
fn books_of_every_capture_of_itch_50() {
    let Some(corpus) = std::env::var_os("FEED_CORPUS").map(PathBuf::from) else {
        say("skipped: FEED_CORPUS not set");
        return;
    };
    let mut captures = Vec::new();
    for folder in FOLDERS {
        find(&corpus.join(folder), &mut captures);
    }
    for capture in &captures {
        for command in ["book", "bbo", "trades"] {
            let program = std::process::Command::new(env!("CARGO_BIN_EXE_feed-handler"))
                .args([command, "--format", "csv"])
                .arg(capture)
                .output()
                .expect("the program");
            let said = String::from_utf8_lossy(&program.stderr);
            assert!(program.status.success(), "{}: {said}", capture.display());
            assert!(program.stdout.starts_with(b"symbol,"), "{said}");
        }
    }
    say(&format!("books of {} captures", captures.len()));
}
