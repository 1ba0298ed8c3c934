//! The commands on captures: nothing is named, all of it is told by the bytes.

use crate::made::Made;
use crate::sessions::GROUPS;
use crate::support::{Ended, Scratch, feed_handler};
use serde_json::Value;
use std::collections::BTreeMap;

/// Holds a table against what it should be; says the first line that differs.
#[track_caller]
fn same(got: &str, want: &str, what: &str) {
    let mut lines = got.lines().zip(want.lines());
    if let Some((got, want)) = lines.find(|(got, want)| got != want) {
        panic!("{what}: {got}\ninstead of\n{want}");
    }
    assert_eq!(
        got.len(),
        want.len(),
        "{what}: the shorter is the longer's beginning"
    );
}

/// Runs the program, which has nothing to complain of.
#[track_caller]
fn quiet(arguments: &[&str], what: &str) -> Ended {
    let ended = feed_handler(arguments);
    let said = (ended.status, ended.err.as_str());
    assert_eq!(said, (0, ""), "{what}: {}", arguments[0]);
    ended
}

fn counts(facts: &Value, key: &str) -> BTreeMap<String, u64> {
    serde_json::from_value(facts[key].clone()).unwrap()
}

#[test]
fn every_message_is_counted_and_described() {
    let scratch = Scratch::new();
    for made in Made::all(11) {
        let (what, name) = (made.what(), made.protocol().name());
        let file = made.file(&scratch, &GROUPS[..1]);
        let ended = quiet(&["stats", &file, "--format", "json"], &what);
        let facts = ended.json();
        assert_eq!(facts["messages"], made.summary.messages, "{what}: {facts}");
        assert_eq!(facts["packets"], made.summary.packets, "{what}: {facts}");
        let beats = made.summary.packets - made.data_packets();
        assert_eq!(facts["heartbeats"], beats, "{what}: {facts}");
        for none in [
            "gaps",
            "lost",
            "duplicates",
            "restarts",
            "unrecognised_streams",
        ] {
            assert_eq!(facts[none], 0, "{what}: {none} in {facts}");
        }
        assert_eq!(facts["channels"], 1, "{what}: {facts}");
        assert_eq!(counts(&facts, "errors"), BTreeMap::new(), "{what}");
        assert_eq!(counts(&facts, "oddities"), BTreeMap::new(), "{what}");
        assert_eq!(counts(&facts, "by_type"), made.summary.by_type, "{what}");
        let named = quiet(
            &["stats", &file, "--format", "json", "--protocol", name],
            &what,
        );
        assert_eq!(named.json(), facts, "{what}: named or told");

        let ended = quiet(&["decode", &file, "--format", "json"], &what);
        let mut by_type = BTreeMap::<String, u64>::new();
        let mut frame = 0;
        for line in ended.out.lines() {
            let message: Value =
                serde_json::from_str(line).unwrap_or_else(|e| panic!("{what}: {e} in {line}"));
            let kind = message["type"]
                .as_str()
                .unwrap_or_else(|| panic!("{what}: no type in {line}"));
            *by_type.entry(kind.to_owned()).or_default() += 1;
            assert!(
                message["seq"].is_u64() && message["error"].is_null(),
                "{what}: {line}"
            );
            let name = message["name"].as_str().expect("a name");
            assert_eq!(facts["type_names"][kind], name, "{what}: {line}");
            let at = message["packet"].as_u64().expect("a packet");
            assert!(at >= frame && at <= made.summary.packets, "{what}: {line}");
            frame = at;
        }
        assert_eq!(by_type, made.summary.by_type, "{what}: decoded");
    }
}

#[test]
fn books_are_those_of_the_market() {
    let scratch = Scratch::new();
    for made in Made::all(21) {
        let Some(want) = made.book() else { continue };
        let what = made.what();
        let file = made.file(&scratch, &GROUPS[..1]);
        let ended = quiet(&["book", &file, "--format", "csv"], &what);
        same(&ended.out, &want, &what);
        let rows = want.lines().count();
        assert!(rows > 5, "{what}: {rows} rows");
    }
}

#[test]
fn best_prices_end_as_the_markets_do() {
    let scratch = Scratch::new();
    for made in Made::all(31) {
        let what = made.what();
        let file = made.file(&scratch, &GROUPS[..1]);
        let header = "symbol,sequence,timestamp,bid_price,bid_quantity,ask_price,ask_quantity";
        let last = table(&made, &["bbo", &file], header, &what);
        let Some(book) = made.book() else { continue };
        let mut best = BTreeMap::<&str, [String; 4]>::new();
        for row in book.lines().skip(1) {
            let row: Vec<&str> = row.split(',').collect();
            if row[2] == "1" {
                let quote = best.entry(row[0]).or_default();
                let at = if row[1] == "B" { 0 } else { 2 };
                quote[at..at + 2].clone_from_slice(&[row[3].to_owned(), row[4].to_owned()]);
            }
        }
        for (symbol, row) in &last {
            let want = best.remove(symbol.as_str()).unwrap_or_default();
            assert_eq!(row[3..], want, "{what}: {symbol}");
        }
        assert!(best.is_empty(), "{what}: never said: {best:?}");
    }
}

#[test]
fn trades_are_summed_up() {
    let scratch = Scratch::new();
    for made in Made::all(81) {
        let what = made.what();
        let file = made.file(&scratch, &GROUPS[..1]);
        let header = "symbol,count,volume,last_price";
        let rows = table(&made, &["trades", &file], header, &what);
        // A session of little more than its beginning need not have any.
        assert!(!rows.is_empty() || made.spec.messages < 1_000, "{what}");
        for row in rows.values() {
            let [count, volume] = [1, 2].map(|i| row[i].parse::<u64>().unwrap());
            assert!(volume >= count && !row[3].is_empty(), "{what}: {row:?}");
        }
    }
}

/// The last row of each symbol of a command's table.
fn table(made: &Made, command: &[&str], header: &str, what: &str) -> BTreeMap<String, Vec<String>> {
    let date = made.spec.date.to_string();
    let ended = quiet(
        &[command, &["--format", "csv", "--date", &date]].concat(),
        what,
    );
    let mut lines = ended.out.lines();
    assert_eq!(lines.next(), Some(header), "{what}");
    let rows = lines.map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let mut last = BTreeMap::new();
    for row in rows {
        assert_eq!(row.len(), header.split(',').count(), "{what}: {row:?}");
        last.insert(row[0].clone(), row);
    }
    last
}

#[test]
fn two_lines_are_one_channel() {
    let scratch = Scratch::new();
    for made in Made::all(41) {
        let what = made.what();
        let file = made.file(&scratch, &GROUPS);
        let facts = quiet(&["stats", &file, "--format", "json"], &what).json();
        assert_eq!(facts["channels"], 1, "{what}: {facts}");
        assert_eq!(facts["messages"], made.summary.messages, "{what}: {facts}");
        assert_eq!(
            facts["packets"],
            2 * made.summary.packets,
            "{what}: {facts}"
        );
        assert_eq!(facts["duplicates"], made.data_packets(), "{what}: {facts}");
        assert_eq!(
            (&facts["gaps"], &facts["lost"]),
            (&0.into(), &0.into()),
            "{what}"
        );
        if let Some(want) = made.book() {
            let ended = quiet(&["book", &file, "--format", "csv"], &what);
            same(&ended.out, &want, &what);
        }
    }
}
