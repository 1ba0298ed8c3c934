//! The commands on captures: nothing is named, all of it is told by the bytes.

use crate::made::Made;
use crate::sessions::GROUPS;
use crate::support::{Scratch, feed_handler};
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

fn counts(facts: &Value, key: &str) -> BTreeMap<String, u64> {
    serde_json::from_value(facts[key].clone()).unwrap()
}

#[test]
fn every_message_is_counted_and_described() {
    let scratch = Scratch::new();
    for made in Made::all(11) {
        let (what, name) = (made.what(), made.protocol().name());
        let file = made.file(&scratch, &GROUPS[..1]);
        let ended = feed_handler(&["stats", &file, "--format", "json"]);
        let facts = ended.is_quiet().json();
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
        let named = feed_handler(&["stats", &file, "--format", "json", "--protocol", name]);
        assert_eq!(named.is_quiet().json(), facts, "{what}: named or told");

        let ended = feed_handler(&["decode", &file, "--format", "json"]);
        let mut by_type = BTreeMap::<String, u64>::new();
        let mut frame = 0;
        for line in ended.is_quiet().out.lines() {
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
        let ended = feed_handler(&["book", &file, "--format", "csv"]);
        same(&ended.is_quiet().out, &want, &what);
        let rows = want.lines().count();
        assert!(rows > 5, "{what}: {rows} rows");
    }
}

#[test]
fn tables_of_best_prices_and_trades_are_printed() {
    let scratch = Scratch::new();
    for made in Made::all(31) {
        let what = made.what();
        let date = made.spec.date.to_string();
        let file = made.file(&scratch, &GROUPS[..1]);
        for (command, header) in [
            (
                "bbo",
                "symbol,sequence,timestamp,bid_price,bid_quantity,ask_price,ask_quantity",
            ),
            ("trades", "symbol,count,volume,last_price"),
        ] {
            let ended = feed_handler(&[command, &file, "--format", "csv", "--date", &date]);
            let mut lines = ended.is_quiet().out.lines();
            assert_eq!(lines.next(), Some(header), "{what}: {command}");
            let columns = header.split(',').count();
            assert!(
                lines.all(|l| l.split(',').count() == columns),
                "{what}: {command}"
            );
            let rows = ended.out.lines().count() - 1;
            // A session of little more than its beginning need not have trades.
            assert!(rows > 0 || made.spec.messages < 1_000, "{what}: {command}");
        }
    }
}

#[test]
fn two_lines_are_one_channel() {
    let scratch = Scratch::new();
    for made in Made::all(41) {
        let what = made.what();
        let file = made.file(&scratch, &GROUPS);
        let facts = feed_handler(&["stats", &file, "--format", "json"])
            .is_quiet()
            .json();
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
            let ended = feed_handler(&["book", &file, "--format", "csv"]);
            same(&ended.is_quiet().out, &want, &what);
        }
    }
}
