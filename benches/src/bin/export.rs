//! What tables of a session cost: how fast they are written, and the most memory that takes.
//!
//! ```text
//! cargo run --release -p benches --bin export [MESSAGES] [ROUNDS] [--json]
//! ```
//!
//! A session of ITCH 5.0 is made as a pcap file, and every table of it written in every form, each time by a process of its
//! own, whose peak of resident memory is the system's figure (`VmHWM`): the capture, which is mapped, is in it as far as the
//! system keeps it there. Ways take turns, round after round; the table gives medians. Messages a second are of the clock on
//! the wall, from before the capture is opened until the file has its name.

use benches::measure::median;
use feed_common::capture::CaptureFile;
use feed_common::program::Progress;
use feed_handler::export::{Destination, Prices, Table, What, export_capture};
use feed_handler::inspect::{Lines, Merged, Streams};
use feed_replay::output::PcapSink;
use feed_replay::synth::{Protocol, Spec, generate};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const TABLES: [&str; 4] = ["bbo", "trades", "orders", "depth:5"];
const FORMS: [&str; 3] = ["parquet", "arrow", "csv"];

/// What one export took.
#[derive(Clone, Copy)]
struct Took {
    seconds: f64,
    rows: f64,
    kib: f64,
    bytes: f64,
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [capture, what, to] = &arguments[..]
        && what.parse::<What>().is_ok()
    {
        return one(Path::new(capture), what, to);
    }
    let mut numbers = arguments.iter().filter(|text| !text.starts_with("--"));
    let mut number = |otherwise| {
        let given = numbers.next();
        given.map_or(otherwise, |text| text.parse().expect("a number"))
    };
    let (messages, rounds): (u64, u64) = (number(20_000_000), number(3));
    let name = format!("feed-export-bench-{}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let capture = make(&folder, messages);
    let ways = || {
        FORMS
            .map(|form| TABLES.map(|what| (what, form)))
            .into_iter()
            .flatten()
    };
    let mut took = vec![Vec::new(); ways().count()];
    for _ in 0..rounds.max(1) {
        for ((what, form), took) in ways().zip(&mut took) {
            took.push(in_its_own_process(&capture, what, form, &folder));
        }
    }
    fs::remove_dir_all(&folder).expect("its own folder");
    let mut facts = Vec::new();
    for ((what, form), took) in ways().zip(&took) {
        let of = |figure: fn(&Took) -> f64| median(took.iter().map(figure).collect());
        let seconds = of(|took| took.seconds);
        let (rate, rows) = (messages as f64 / seconds / 1e6, of(|took| took.rows));
        let (mib, bytes) = (of(|took| took.kib) / 1024.0, of(|took| took.bytes));
        facts.push(serde_json::json!({
            "what": what, "form": form, "messages": messages, "seconds": seconds, "rows": rows,
            "million_messages_a_second": rate, "million_rows_a_second": rows / seconds / 1e6,
            "peak_mib": mib, "bytes": bytes,
        }));
    }
    if arguments.iter().any(|text| text == "--json") {
        return println!("{}", serde_json::Value::from(facts));
    }
    println!(
        "{messages} messages, {rounds} rounds: {:>9} {:>12} {:>10} {:>10} {:>9} {:>8}",
        "seconds", "rows", "M msg/s", "M rows/s", "peak MiB", "MB"
    );
    for fact in facts {
        let (what, form) = (fact["what"].as_str(), fact["form"].as_str());
        let figure = |key: &str| fact[key].as_f64().unwrap_or_default();
        println!(
            "{:30} {:9.2} {:12.0} {:10.2} {:10.2} {:9.0} {:8.0}",
            format!("{} {}", what.unwrap_or_default(), form.unwrap_or_default()),
            figure("seconds"),
            figure("rows"),
            figure("million_messages_a_second"),
            figure("million_rows_a_second"),
            figure("peak_mib"),
            figure("bytes") / 1e6
        );
    }
}

/// A capture of a session.
fn make(folder: &Path, messages: u64) -> PathBuf {
    let path = folder.join("session.pcap");
    let out = BufWriter::with_capacity(1 << 20, File::create(&path).expect("room"));
    let mut sink = PcapSink::new(out, PcapSink::<Vec<u8>>::GROUP).expect("room");
    let spec = Spec::new(Protocol::Itch50, messages, 7);
    generate(&spec, &mut sink).expect("a session");
    sink.finish().expect("room");
    path
}

fn in_its_own_process(capture: &Path, what: &str, form: &str, folder: &Path) -> Took {
    let to = folder.join(format!("table.{form}"));
    let ended = Command::new(std::env::current_exe().expect("this program"))
        .args([capture.as_os_str(), what.as_ref(), to.as_os_str()])
        .output()
        .expect("a process");
    assert!(ended.status.success(), "{ended:?}");
    let said = String::from_utf8(ended.stdout).expect("text");
    let figures: Vec<f64> = said
        .split_whitespace()
        .map(|n| n.parse().expect("a number"))
        .collect();
    let [seconds, rows, kib] = figures[..] else {
        panic!("{said}");
    };
    let bytes = fs::metadata(&to).expect("a file").len() as f64;
    Took {
        seconds,
        rows,
        kib,
        bytes,
    }
}

/// One export: prints its seconds, its rows, and the peak of this process's memory in KiB.
fn one(capture: &Path, what: &str, to: &str) {
    let started = Instant::now();
    let what: What = what.parse().expect("a table");
    let to: Destination = to.parse().expect("a name");
    let file = CaptureFile::open(capture).expect("a capture");
    let streams = Streams::detect(feed_common::capture::Datagrams::new(&file)).expect("a protocol");
    let merged = Merged::new(&file, &streams, &Lines::Found, None, Progress::of_file);
    let merged = merged.expect("one channel");
    let table = Table::begin(to, what, &[], Prices::Decimal).expect("a file");
    let exported = export_capture(&merged, what, table).expect("a table");
    let rows = exported.table.rows;
    exported.table.keep().expect("room");
    let seconds = started.elapsed().as_secs_f64();
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|text| text.split_whitespace().next());
    println!("{seconds} {rows} {}", kib.expect("a peak"));
}
