//! `export`: every table in every form, read back and held against what the other commands print.

use super::support::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Int8Type, Int32Type, Int64Type, TimestampNanosecondType, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::FileReader;
use arrow_schema::{DataType, SchemaRef};
use feed_common::capture::BinaryFileWriter;
use feed_replay::output::BinaryFileSink;
use feed_replay::synth::{Protocol, Recording, Spec, generate_messages};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::fs::{self, File};

const WHATS: [&str; 4] = ["bbo", "trades", "orders", "depth:3"];

/// Runs `export` of a capture, or a run.
#[track_caller]
pub fn export(input: &str, what: &str, to: &str, more: &[&str]) -> Ended {
    feed_handler(&[&["export", input, "--what", what, "--to", to], more].concat())
}

/// A table as it is read back: its schema, its rows as they are in CSV.
pub fn read(path: &str) -> (SchemaRef, Vec<String>) {
    let (schema, batches): (SchemaRef, Vec<RecordBatch>) = match path.ends_with(".arrow") {
        true => {
            let reader = FileReader::try_new(File::open(path).unwrap(), None).unwrap();
            (reader.schema(), reader.map(Result::unwrap).collect())
        }
        false => {
            let file = File::open(path).unwrap();
            let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
            let schema = builder.schema().clone();
            let reader = builder.build().unwrap();
            (schema, reader.map(Result::unwrap).collect())
        }
    };
    let rows = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(|row| {
            let cells = batch.columns().iter().map(|column| cell(column, row));
            cells.collect::<Vec<_>>().join(",")
        })
    });
    (schema, rows.collect())
}

/// A value as it is in CSV.
fn cell(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    match column.data_type() {
        DataType::UInt64 => column.as_primitive::<UInt64Type>().value(row).to_string(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::UInt16 => column.as_primitive::<UInt16Type>().value(row).to_string(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Timestamp(_, Some(zone)) if &**zone == "UTC" => {
            let column = column.as_primitive::<TimestampNanosecondType>();
            column.value(row).to_string()
        }
        DataType::Decimal128(18, 9) => {
            let text = column.as_primitive::<Decimal128Type>().value_as_string(row);
            let short = text.trim_end_matches('0').trim_end_matches('.');
            short.to_owned()
        }
        DataType::Dictionary(key, _) => {
            let (keys, values) = match **key {
                DataType::Int8 => {
                    let dictionary = column.as_dictionary::<Int8Type>();
                    (i32::from(dictionary.keys().value(row)), dictionary.values())
                }
                _ => {
                    let dictionary = column.as_dictionary::<Int32Type>();
                    (dictionary.keys().value(row), dictionary.values())
                }
            };
            values.as_string::<i32>().value(keys as usize).to_owned()
        }
        other => panic!("{other}"),
    }
}

/// The rows of CSV, without the header.
pub fn rows(text: &str) -> Vec<&str> {
    text.lines().skip(1).collect()
}

/// A made session as a capture.
pub fn made(protocol: Protocol, messages: u64) -> Vec<u8> {
    let (session, _) = Recording::of(&Spec::new(protocol, messages, 7)).unwrap();
    pcap(session.packets().map(|p| (GROUP, p.payload)))
}

#[test]
fn every_form_has_the_same_rows() {
    let scratch = Scratch::new();
    // More rows than a batch, and symbols that come later than the first of them.
    let file = scratch.file("day.pcap", session(40_000));
    for what in WHATS {
        let csv = export(&file, what, "-", &[]);
        let csv = csv.is_quiet();
        assert!(rows(&csv.out).len() > 1_000, "{what}");
        for form in ["parquet", "arrow"] {
            let path = scratch.path(&format!("{}.{form}", &what[..3]));
            export(&file, what, &path, &[]).is_quiet();
            let (schema, read) = read(&path);
            let names: Vec<_> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            assert_eq!(names.join(","), csv.out.lines().next().unwrap());
            assert_eq!(schema.metadata()["feed-handler.table"], what);
            let want = rows(&csv.out);
            let differs = read.iter().zip(&want).find(|(got, want)| got != *want);
            assert_eq!(differs, None, "{what} {form}");
            assert_eq!(read.len(), want.len(), "{what} {form}");
            let bytes = fs::read(&path).unwrap();
            export(&file, what, &path, &[]).is_quiet();
            assert!(fs::read(&path).unwrap() == bytes, "the same bytes");
        }
    }
}

#[test]
fn best_prices_are_those_that_bbo_prints_of_every_protocol() {
    let scratch = Scratch::new();
    let columns = "symbol,sequence,timestamp,bid_price,bid_quantity,ask_price,ask_quantity";
    for &protocol in Protocol::ALL {
        let file = scratch.file("day.pcap", made(protocol, 4_000));
        let printed = feed_handler(&["bbo", &file, "--format", "csv"]);
        let exported = export(&file, "bbo", "-", &["--columns", columns]);
        assert!(printed.out.lines().count() > 20, "{protocol:?}");
        assert!(printed.out == exported.out, "{protocol:?}");
        assert_eq!((printed.status, exported.status), (0, 0));
    }
}

#[test]
fn trades_add_up_to_what_trades_says_breaks_included() {
    let scratch = Scratch::new();
    for protocol in [Protocol::Itch50, Protocol::Mdp3, Protocol::Pitch] {
        let file = scratch.file("day.pcap", made(protocol, 20_000));
        let columns = ["--columns", "symbol,kind,price,quantity,prints"];
        let exported = export(&file, "trades", "-", &columns);
        let mut totals: BTreeMap<&str, (i64, i64, &str)> = BTreeMap::new();
        for row in rows(&exported.is(0, "").out) {
            let cells: Vec<_> = row.split(',').collect();
            let number = |at: usize| cells[at].parse::<i64>().unwrap();
            let total = totals.entry(cells[0]).or_default();
            let sign = if cells[1] == "trade" { 1 } else { -1 };
            total.0 += sign * number(4);
            total.1 += sign * number(3);
            if !cells[2].is_empty() {
                total.2 = cells[2];
            }
        }
        let totals = totals
            .iter()
            .map(|(symbol, (count, volume, last))| format!("{symbol},{count},{volume},{last}"));
        let printed = feed_handler(&["trades", &file, "--format", "csv"]);
        assert_eq!(
            totals.collect::<Vec<_>>(),
            rows(&printed.out),
            "{protocol:?}"
        );
    }
}

#[test]
fn depth_ends_as_the_books_do() {
    let scratch = Scratch::new();
    for protocol in [Protocol::Itch50, Protocol::Mdp3, Protocol::IexDeep] {
        let file = scratch.file("day.pcap", made(protocol, 8_000));
        let exported = export(&file, "depth:4", "-", &[]);
        let mut last: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for row in rows(&exported.out) {
            let cells: Vec<_> = row.split(',').collect();
            last.insert(cells[0], cells);
        }
        let mut want = Vec::new();
        for (symbol, cells) in last {
            for (side, first) in [("B", 3), ("S", 6)] {
                for level in 1..=4 {
                    let at = first + 6 * (level - 1);
                    if !cells[at].is_empty() {
                        let parts = cells[at..at + 3].join(",");
                        want.push(format!("{symbol},{side},{level},{parts}"));
                    }
                }
            }
        }
        let book = feed_handler(&["book", &file, "--depth", "4", "--format", "csv"]);
        assert!(want.len() > 10, "{protocol:?}");
        assert_eq!(rows(&book.out), want, "{protocol:?}");
    }
}

#[test]
fn symbols_columns_and_integer_prices_are_chosen() {
    let scratch = Scratch::new();
    let file = scratch.file("day.pcap", session(5_000));
    let all = export(&file, "bbo", "-", &["--columns", "symbol,ask_price"]);
    let symbol = rows(&all.is_quiet().out)[0].split(',').next().unwrap();
    let want: Vec<_> = all
        .out
        .lines()
        .filter(|row| row.starts_with(symbol))
        .collect();
    let path = scratch.path("some.parquet");
    let more = [
        "--symbol",
        symbol,
        "--columns",
        "ask_price,symbol",
        "--price",
        "int",
    ];
    export(&file, "bbo", &path, &more).is_quiet();
    let (schema, got) = read(&path);
    assert_eq!(schema.field(0).metadata()["scale"], "9");
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        let (price, symbol) = got.split_once(',').unwrap();
        let (want_symbol, want_price) = want.split_once(',').unwrap();
        assert_eq!(symbol, want_symbol);
        let nanos = price.parse::<i64>().map_or(String::new(), |n| {
            let text = format!("{}.{:09}", n / 1_000_000_000, n % 1_000_000_000);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        });
        assert_eq!(nanos, want_price);
    }
}

#[test]
fn what_cannot_be_asked_for_is_said() {
    let scratch = Scratch::new();
    let file = scratch.file("day.pcap", session(100));
    let out = scratch.path("out.csv");
    export(&file, "quotes", &out, &[]).is(2, "expected bbo, trades, orders, or depth:N");
    export(&file, "depth:0", &out, &[]).is(2, "N from 1 to 50");
    export(&file, "bbo", &scratch.path("out.txt"), &[]).is(2, ".parquet, .arrow or .csv");
    export(&file, "bbo", &out, &["--columns", "symbol,size"])
        .is(2, "there is no column size: bbo has symbol, sequence, ");
    export(&file, "bbo", &out, &["--columns", "symbol,symbol"]).is(2, "asked for twice");
    export(&file, "bbo", &out, &["--columns", ""]).is(2, "there is no column ");
    export(&file, "bbo", &out, &["--protocol", "iex"]).is(2, "no packet of iex");
    export(&scratch.path("none.pcap"), "bbo", &out, &[]).is(2, "No such file");
    export(&file, "bbo", &scratch.path("no/out.csv"), &[]).is(1, "cannot write ");
    let help = feed_handler(&["export", "--help"]);
    assert!(help.is_quiet().out.contains("Example"), "{help:?}");
    let left: Vec<_> = fs::read_dir(scratch.path("")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn an_empty_capture_is_an_empty_table() {
    let scratch = Scratch::new();
    let file = scratch.file("day.pcap", pcap([]));
    for what in WHATS {
        for form in ["parquet", "arrow"] {
            let path = scratch.path(&format!("{}.{form}", &what[..3]));
            export(&file, what, &path, &[]).is_quiet();
            let (schema, rows) = read(&path);
            assert_eq!((schema.field(0).name().as_str(), rows.len()), ("symbol", 0));
        }
        let csv = export(&file, what, "-", &[]);
        assert!(csv.is_quiet().out.starts_with("symbol,sequence,timestamp,"));
        assert_eq!(csv.out.lines().count(), 1);
    }
}

#[test]
fn a_capture_cut_short_gives_what_it_holds_and_replaces_nothing_where_that_is_fatal() {
    let scratch = Scratch::new();
    let whole = session(5_000);
    let file = scratch.file("day.pcap", &whole[..whole.len() / 2]);
    let printed = feed_handler(&["trades", &file, "--format", "csv"]);
    assert!(printed.out.lines().count() > 1);
    for form in ["parquet", "arrow", "csv"] {
        let path = scratch.file(&format!("orders.{form}"), "before");
        export(&file, "orders", &path, &["--strict"]).is(1, "cut");
        assert_eq!(fs::read(&path).unwrap(), b"before");
        export(&file, "orders", &path, &[]).is(0, "warning: ");
        assert!(fs::metadata(&path).unwrap().len() > 10_000);
    }
    assert_eq!(fs::read_dir(scratch.path("")).unwrap().count(), 4);
}

#[test]
fn a_full_disk_is_a_failure_with_the_path() {
    let scratch = Scratch::new();
    let file = scratch.file("day.pcap", session(5_000));
    for form in ["parquet", "arrow", "csv"] {
        let full = scratch.path(&format!("full.{form}"));
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        for what in ["orders", "trades"] {
            let ended = export(&file, what, &full, &[]);
            ended.is(1, "the disk is full").is(1, &full);
        }
    }
    // A file that may not grow further leaves what was there.
    let small = scratch.file("small.parquet", "before");
    let limited = format!(
        "trap '' XFSZ; ulimit -f 1; exec {PROGRAM} export {file} --what orders --to {small}"
    );
    let ended = run(std::process::Command::new("sh").args(["-c", &limited]), b"");
    ended.is(1, "cannot write ").is(1, &small);
    assert_eq!(fs::read(&small).unwrap(), b"before");
    assert_eq!(fs::read_dir(scratch.path("")).unwrap().count(), 5);
}

#[test]
fn times_without_a_date_are_in_a_column_of_their_own() {
    let scratch = Scratch::new();
    let mut sink = BinaryFileSink(BinaryFileWriter::new(Vec::new()));
    generate_messages(&Spec::new(Protocol::Itch50, 3_000, 9), &mut sink).unwrap();
    let file = scratch.file("day.itch", sink.0.finish().unwrap());
    let columns = ["--columns", "timestamp,since_midnight"];
    let undated = export(&file, "bbo", "-", &columns);
    undated.is(0, "since_midnight; --date gives one");
    let dated = export(
        &file,
        "bbo",
        "-",
        &[&columns[..], &["--date", "2026-11-20"]].concat(),
    );
    // Midnight in New York.
    let midnight = 1_795_150_800_000_000_000_u64;
    for (undated, dated) in rows(&undated.out)
        .into_iter()
        .zip(rows(&dated.is_quiet().out))
    {
        let since: u64 = undated.strip_prefix(',').unwrap().parse().unwrap();
        let time: u64 = dated.strip_suffix(',').unwrap().parse().unwrap();
        assert_eq!(time - midnight, since);
    }
    assert!(undated.out.lines().count() > 100);
}
