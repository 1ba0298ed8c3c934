//! `export` of what a run has kept in its journal, held against the capture that the run handled.

use super::export::{export, made, read, rows};
use super::support::*;
use feed_replay::synth::Protocol;
use std::fs;

/// A run of a capture with a journal: its folder, and the capture.
fn kept(scratch: &Scratch, protocol: Protocol, messages: u64, more: &str) -> (String, String) {
    let capture = scratch.file("day.pcap", made(protocol, messages));
    let dir = scratch.path("journal");
    let book = format!("[book]\norders = 65536\nlevels = 65536\ninstruments = 1024\n{more}");
    let tables = format!("\n{book}\n[journal]\ndir = {dir:?}\nsegment = \"1MiB\"\n");
    let config = configuration(protocol.name().name(), GROUP, &tables);
    let config = scratch.file("feed.toml", config);
    let out = scratch.path("out");
    let ran = feed_handler(&["run", "-c", &config, "--input", &capture, "--out", &out]);
    ran.is(0, "journalled ");
    (out, capture)
}

/// What must be the same of a run and of its capture.
fn common(what: &str) -> &'static str {
    match what {
        // Which execution it was no record says.
        "trades" => "symbol,sequence,timestamp,kind,price,side,order_id,condition,channel",
        // Numbers of instruments are the run's own, and whether more of the event follows is the best prices' matter.
        "orders" => "symbol,sequence,timestamp,kind,order_id,side,price,quantity,channel",
        _ => "symbol,sequence,timestamp,bid_price,bid_quantity,ask_price,ask_quantity,channel",
    }
}

#[test]
fn a_run_has_the_rows_of_its_capture() {
    for &protocol in Protocol::ALL {
        let scratch = Scratch::new();
        let (run, capture) = kept(&scratch, protocol, 6_000, "");
        for what in ["bbo", "trades", "orders"] {
            let columns = ["--columns", common(what)];
            let of_capture = export(&capture, what, "-", &columns);
            let of_run = export(&run, what, "-", &columns);
            let (want, got) = (rows(&of_capture.out), rows(&of_run.out));
            let differs = got.iter().zip(&want).find(|(got, want)| {
                // A break that names its print and not its symbol, as those of PITCH, says no more in the journal.
                let nameless = got.starts_with(',') && got.contains(",break,");
                let from = if nameless { want.find(',').unwrap() } else { 0 };
                **got != &want[from..]
            });
            assert_eq!(differs, None, "{protocol:?} {what}");
            assert_eq!(got.len(), want.len(), "{protocol:?} {what}");
            assert_eq!((of_capture.status, of_run.status), (0, 0), "{of_run:?}");
        }
    }
}

#[test]
fn a_journal_can_hold_several_runs_and_each_folder_means_its_own() {
    let scratch = Scratch::new();
    let (run, _) = kept(&scratch, Protocol::Itch50, 2_000, "");
    let first = export(&run, "orders", "-", &[]);
    let first = rows(&first.is_quiet().out).len();
    let aside = scratch.path("first");
    fs::rename(&run, &aside).unwrap();
    let (run, capture) = kept(&scratch, Protocol::Itch50, 3_000, "");
    let all = scratch.path("all.parquet");
    let counts = [
        &aside,
        &run,
        &scratch.path("journal"),
        &scratch.path("journal/l"),
    ]
    .map(|dir| {
        export(dir, "orders", &all, &[]).is_quiet();
        read(&all).1.len()
    });
    let second = export(&capture, "orders", "-", &[]);
    let second = rows(&second.is_quiet().out).len();
    assert_eq!(counts, [first, second, first + second, first + second]);
    // Chosen symbols, as of a capture.
    let symbol = &read(&all).1[0];
    let symbol = ["--symbol", symbol.split(',').next().unwrap()];
    let columns = ["--columns", common("orders")];
    let some = |input: &str| export(input, "orders", "-", &[symbol, columns].concat()).out;
    let (of_run, of_capture) = (some(&run), some(&capture));
    assert!(of_run.lines().count() > 5);
    assert_eq!(of_run, of_capture);
}

#[test]
fn what_a_journal_does_not_have_is_refused() {
    let scratch = Scratch::new();
    let (run, capture) = kept(&scratch, Protocol::Itch50, 1_000, "publish_bbo = false\n");
    let out = scratch.path("out.parquet");
    export(&run, "depth:5", &out, &[]).is(2, "a journal has no depth: ");
    export(&run, "bbo", &out, &[]).is(2, "the run did not publish them (book.publish_bbo)");
    export(&run, "orders", &out, &["--protocol", "itch50"]).is(2, "--protocol is for captures");
    export(&run, "orders", &out, &["--date", "2026-01-01"]).is(2, "--date is for captures");
    // A run without one says what makes it keep one.
    let config = scratch.file("plain.toml", configuration("itch50", GROUP, ""));
    let plain = scratch.path("plain");
    feed_handler(&["run", "-c", &config, "--input", &capture, "--out", &plain]).is(0, "");
    export(&plain, "orders", &out, &[]).is(2, "[journal] in its configuration, with `dir`");
    let empty = scratch.path("empty");
    fs::create_dir(&empty).unwrap();
    export(&empty, "orders", &out, &[]).is(2, "no journal is here");
    fs::write(format!("{empty}/summary.json"), "{").unwrap();
    export(&empty, "orders", &out, &[]).is(2, "summary.json: ");
    assert!(fs::metadata(&out).is_err());
}

#[test]
fn damage_costs_what_it_hits_and_is_fatal_where_asked() {
    let scratch = Scratch::new();
    let (run, _) = kept(&scratch, Protocol::Itch50, 2_000, "");
    let whole = export(&run, "orders", "-", &[]);
    let segment = scratch.path("journal/l/segment-0000000000.fhj");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[40_000] ^= 0x10;
    fs::write(&segment, &bytes).unwrap();
    let rest = export(&run, "orders", "-", &[]);
    rest.is(0, "1 damaged place, the first: ");
    let lost = rows(&whole.is_quiet().out).len() - rows(&rest.out).len();
    assert!(lost <= 1, "{lost}");
    let out = scratch.path("out.arrow");
    export(&run, "orders", &out, &["--strict"]).is(1, "1 damaged place");
    assert!(fs::metadata(&out).is_err());
}
