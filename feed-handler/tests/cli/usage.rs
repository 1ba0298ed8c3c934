//! Arguments and configurations.

use crate::support::*;

#[test]
fn every_help_has_an_example() {
    for command in [
        "demo", "run", "check", "stats", "decode", "book", "bbo", "trades", "doctor", "top",
    ] {
        let ended = feed_handler(&[command, "--help"]);
        let example = format!("feed-handler {command} ");
        assert!(
            ended.out.contains("Example") && ended.out.contains(&example),
            "{ended:?}"
        );
        ended.is_quiet();
    }
}

#[test]
fn wrong_usage_is_status_2() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", session(100));
    for (arguments, said) in [
        (&[][..], "Usage: feed-handler"),
        (&["frobnicate"], "frobnicate"),
        (&["stats"], "<FILE>"),
        (&["stats", &capture, "--frobnicate"], "--frobnicate"),
        (&["stats", &capture, "--format", "yaml"], "json"),
        (&["stats", &capture, "--lines", "239.1.1.1"], "--lines"),
        (
            &[
                "stats",
                &capture,
                "--lines",
                "239.192.50.1:26477,239.9.9.9:9",
            ],
            "has nothing for 239.9.9.9:9",
        ),
        (
            &["stats", &capture, "--protocol", "morse"],
            "native, itch50",
        ),
        (&["decode", &capture, "--protocol", ""], "native, itch50"),
        (&["decode", &capture, "--limit=-1"], "--limit"),
        (
            &["decode", &capture, "--limit", "18446744073709551616"],
            "--limit",
        ),
        (&["run"], "--config"),
        (&["doctor", "feed.toml"], "feed.toml"),
        (&["doctor", "--format", "html"], "json"),
        (&["run", "-c", "x.toml", "--duration", "10"], "--duration"),
        (&["ctl", "list"], "--config"),
        (&["ctl", "--socket", "x", "subscribe"], "<GLOB>"),
        (
            &["ctl", "--socket", "x", "subscribe", "A B"],
            "symbol pattern",
        ),
        (&["ctl", "--socket", "x", "frobnicate"], "frobnicate"),
        (&["top", "--socket", "x"], "no terminal"),
        (&["top", "--socket", "x", "--format", "json"], "--once"),
        (&["top", "--socket", "x", "-c", "y", "--once"], "--config"),
        (&["demo", "--messages", "0"], "--messages"),
        (
            &["demo", "--messages", "18446744073709551615"],
            "--messages",
        ),
        (&["demo", "--rate", "0"], "--rate"),
    ] {
        let ended = feed_handler(arguments);
        ended.is(2, said);
        assert_eq!(ended.out, "", "facts are not for errors");
    }
}

#[test]
fn a_demo_longer_than_a_trading_day_is_refused() {
    let scratch = Scratch::new();
    let out = scratch.path("demo");
    feed_handler(&["demo", "--rate", "1", "--out", &out]).is(2, "trading day");
}

#[test]
fn limits_are_kept() {
    let scratch = Scratch::new();
    let capture = scratch.file("a.pcap", session(300));
    for (limit, lines) in [
        ("0", 0),
        ("1", 1),
        ("299", 299),
        ("18446744073709551615", 300),
    ] {
        for format in ["text", "json"] {
            let ended = feed_handler(&["decode", &capture, "--limit", limit, "--format", format]);
            assert_eq!(ended.is_quiet().out.lines().count(), lines);
        }
    }
}

#[test]
fn configurations_are_refused_with_their_place() {
    let scratch = Scratch::new();
    let good = configuration("itch50", "239.1.1.1:5000", "");
    let wrong = |name, from: &str, to: &str| scratch.file(name, good.replace(from, to));
    let ok = scratch.file("ok.toml", &good);
    let checked = feed_handler(&["check", &ok]);
    assert!(checked.is_quiet().out.contains("239.1.1.1:5000 on lo"));
    let checked = feed_handler(&["check", &ok, "--format", "json"])
        .is_quiet()
        .json();
    let line = &checked["lanes"][0]["channels"][0]["lines"][0];
    assert_eq!(
        (&line["group"], &line["interface"]),
        (&"239.1.1.1:5000".into(), &"lo".into())
    );
    for (file, said) in [
        (scratch.path("none.toml"), "none.toml"),
        (scratch.path(""), "directory"),
        (scratch.file("empty.toml", ""), "empty.toml"),
        (scratch.file("binary.toml", [0xff, 0, 1]), "binary.toml"),
        (
            wrong("key.toml", "name = \"l\"", "nam = \"l\""),
            "key.toml:2:",
        ),
        (
            wrong("group.toml", "239.1.1.1:5000", "10.1.1.1:5"),
            "group.toml:8:",
        ),
        (
            wrong("syntax.toml", "[[channel]]", "[[channel"),
            "syntax.toml:4:",
        ),
        (
            wrong("protocol.toml", "itch50", "itch51"),
            "protocol.toml:6:",
        ),
    ] {
        let by_check = feed_handler(&["check", &file]);
        let by_run = feed_handler(&["run", "-c", &file]);
        by_check.is(2, said);
        assert_eq!(by_check.err, by_run.is(2, said).err);
    }
}

#[test]
fn a_run_that_cannot_be_told_is_named() {
    let scratch = Scratch::new();
    let text = configuration("itch50", "239.1.1.1:5000", "");
    let mute = scratch.file("mute.toml", &text);
    feed_handler(&["ctl", "-c", &mute, "list"]).is(2, "mute.toml: it has no `socket`");
    let socket = scratch.path("feed.sock");
    let text = format!("[control]\nsocket = \"{socket}\"\n{text}");
    let config = scratch.file("feed.toml", text);
    for more in [&["list"][..], &["subscribe", "A*"], &["unsubscribe", "*"]] {
        let ended = feed_handler(&[&["ctl", "-c", &config], more].concat());
        ended.is(1, &socket).is(1, "nothing listens there");
    }
    // Something that is no socket is not touched.
    std::fs::write(&socket, "precious").unwrap();
    feed_handler(&["run", "-c", &config]).is(1, "is no socket");
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "precious");
}
