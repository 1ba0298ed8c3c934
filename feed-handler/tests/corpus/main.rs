//! Real captures against values decoded by an independent dissector, a file per exchange, and long files read whole.
//!
//! The captures are not part of the project. `FEED_CORPUS` names the folder that holds them, each capture with its
//! golden file beside it; without it the tests say so and pass.

mod iex;
mod itch50;
mod lines;
mod mdp3;
mod memoir;
mod pillar;
mod pitch;

use feed_common::capture::{CaptureFile, Datagrams, Format};
use feed_common::wire::message::{Value, trimmed};
use flate2::read::MultiGzDecoder;
use serde_json::Value as Json;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

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
    let Some(corpus) = corpus() else { return };
    for (path, kind, frames) in LONG {
        let path = corpus.join(path);
        let golden = long(&path).count() as u64;
        let file = CaptureFile::open(&path).expect("a readable capture");
        let path = path.display();
        let mut datagrams = Datagrams::new(&file);
        let (mut number, mut last) = (0, 0);
        while let Some(datagram) = datagrams.next() {
            assert!(datagram.number > number && datagram.time.is_known());
            (number, last) = (datagram.number, datagram.time.0);
        }
        assert_eq!(datagrams.frames(), frames, "{path}");
        assert_eq!(golden, frames, "{path}: golden packets");
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

/// The folder of the captures; `None`, and it is said, when there is none.
fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("FEED_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        say("skipped: FEED_CORPUS not set");
    }
    corpus
}

/// The captures with golden values below these folders of the corpus, in the order of their names.
fn captures(corpus: &Path, folders: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in folders {
        find(&corpus.join(folder), &mut found);
    }
    found.sort();
    assert!(!found.is_empty(), "no captures in {}", corpus.display());
    found
}

fn find(folder: &Path, captures: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the corpus") {
        let path = entry.expect("a readable folder").path();
        if path.is_dir() {
            find(&path, captures);
        } else if beside(&path, ".golden.json").is_file() {
            captures.push(path);
        }
    }
}

/// The packets of a capture's golden file: objects with `decoded`, a dissector's tree for [`flatten`].
fn golden(capture: &Path) -> Vec<Json> {
    let text = fs::read(beside(capture, ".golden.json")).expect("a golden file");
    let mut golden: Json = serde_json::from_slice(&text).expect("a golden file in JSON");
    match golden["packets"].take() {
        Json::Array(packets) => packets,
        other => panic!("{}: {other} are no packets", capture.display()),
    }
}

/// The packets of a long capture's golden file, one by one.
fn long(capture: &Path) -> impl Iterator<Item = Json> {
    let file = File::open(beside(capture, ".golden.jsonl.gz")).expect("a golden file");
    let lines = BufReader::new(MultiGzDecoder::new(file)).lines();
    lines.map(|line| serde_json::from_str(&line.expect("a gzip file")).expect("a line of JSON"))
}

fn beside(capture: &Path, ending: &str) -> PathBuf {
    let mut path = capture.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// A value the dissector found.
#[derive(Debug)]
struct Leaf {
    name: String,
    value: Option<String>,
    offset: usize,
    /// Its bytes; a single digit for one bit of them.
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

/// A packet and what the dissector found in it.
struct Check<'a> {
    capture: &'a Path,
    payload: &'a [u8],
    /// The name of our specification sheet, without underscores, for the dissector's.
    our_name: fn(&str) -> &str,
    /// What is still to be compared.
    leaves: Vec<Leaf>,
    compared: u64,
}

impl<'a> Check<'a> {
    /// The packet with this payload, and its golden values.
    fn new(
        capture: &'a Path,
        payload: &'a [u8],
        golden: &Json,
        our_name: fn(&str) -> &str,
    ) -> Check<'a> {
        let mut leaves = Vec::new();
        flatten(&golden["decoded"], &mut leaves);
        Check {
            capture,
            payload,
            our_name,
            leaves,
            compared: 0,
        }
    }

    /// Finds the dissector's leaf at `offset` and compares its name, bytes and value with ours.
    fn value(&mut self, name: &str, offset: usize, len: usize, value: Value<'_>) {
        let at = format!("{}: {name} at {offset}", self.capture.display());
        let leaf = self.leaf(name, offset);
        let bytes = &self.payload[offset..offset + len];
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(leaf.hex, hex, "{at}");
        if let (Some(theirs), Some(ours)) = (&leaf.value, shown(value)) {
            // A field of one blank it writes as a blank; all others without their padding.
            assert_eq!(theirs.trim_end(), ours, "{at}");
        }
        self.compared += 1;
    }

    /// Takes the leaf of this name at `offset` out of those still to be compared.
    fn leaf(&mut self, name: &str, offset: usize) -> Leaf {
        let plain = name.replace('_', "");
        let is_it = |leaf: &Leaf| leaf.offset == offset && (self.our_name)(&leaf.name) == plain;
        match self.leaves.iter().position(is_it) {
            Some(found) => self.leaves.swap_remove(found),
            None => {
                let mut there = self.leaves.iter().filter(|leaf| leaf.offset == offset);
                let capture = self.capture.display();
                panic!(
                    "{capture}: no {name} at {offset}, but {:?}",
                    there.next_back()
                )
            }
        }
    }

    /// How many values were compared; all there were.
    fn done(self) -> u64 {
        let capture = self.capture.display();
        assert!(
            self.leaves.is_empty(),
            "{capture}: not decoded: {:?}",
            self.leaves
        );
        self.compared
    }
}

/// A value as the dissector writes it; `None` where it has only bytes.
fn shown(value: Value<'_>) -> Option<String> {
    match value {
        Value::Unsigned(n) | Value::Time(n) => Some(n.to_string()),
        Value::Signed(n) => Some(n.to_string()),
        Value::Float(n) => Some(n.to_string()),
        Value::Text(text) => Some(String::from_utf8_lossy(trimmed(text)).into_owned()),
        Value::Price { mantissa, decimals } => {
            let scale = 10u128.pow(decimals);
            let (sign, whole) = (
                if mantissa < 0 { "-" } else { "" },
                mantissa.unsigned_abs() / scale,
            );
            let width = decimals as usize;
            let all = format!("{sign}{whole}.{:0width$}", mantissa.unsigned_abs() % scale);
            // Places that are zero are not written.
            Some(all.trim_end_matches('0').trim_end_matches('.').to_owned())
        }
        Value::Hex(_) | Value::Null | Value::Rows(_) => None,
    }
}

/// The commands that end in tables read these captures.
fn tables_are_printed(captures: &[PathBuf]) {
    for capture in captures {
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
    say(&format!("tables of {} captures", captures.len()));
}

/// Prints a line that is seen also when the test passes: the harness swallows what the print macros write.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("standard error");
}
