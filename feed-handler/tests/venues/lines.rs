//! Two lines of every protocol, whole and with packets cut out of either and of both: `lines` and `gaps` say exactly that.

use crate::made::Made;
use crate::sessions::GROUPS;
use crate::support::{Scratch, feed_handler, frame};
use feed_common::capture::PcapWriter;
use feed_common::time::UnixNanos;
use feed_handler::protocol::{ForProtocol, Protocol, with_protocol};
use feed_handler::transport::{FrameKind, Framing};
use feed_replay::synth::{Protocol as Session, Spec};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Line B comes so many nanoseconds later.
const SKEW: u64 = 700;

/// A numbered frame: its unit and numbers, first and last.
type Numbers = (u8, u64, u64);

/// The numbers that each packet of a session carries.
struct Carried<'a>(&'a Made);

impl ForProtocol for Carried<'_> {
    type Out = Vec<Vec<Numbers>>;

    fn call<P: Protocol>(self) -> Self::Out {
        let mut framing = P::Framing::default();
        let mut numbers = |mut rest: &[u8]| {
            let mut found = Vec::new();
            while !rest.is_empty() {
                let (frame, after) = framing.open(rest).unwrap();
                if frame.kind == FrameKind::Data && frame.span.count > 0 {
                    let unit = if P::Framing::UNITS { frame.unit } else { 0 };
                    found.push((unit, frame.span.first, frame.span.end() - 1));
                }
                rest = after;
            }
            found
        };
        let packets = self.0.session.packets();
        packets.map(|packet| numbers(packet.payload)).collect()
    }
}

/// Packets that can be missed: something of each of their units comes behind them.
fn missable(packets: &[Vec<Numbers>]) -> Vec<usize> {
    let mut last = HashMap::new();
    for (i, numbers) in packets.iter().enumerate() {
        numbers.iter().for_each(|&(unit, ..)| {
            last.insert(unit, i);
        });
    }
    let mut begun = BTreeSet::new();
    let mut found = Vec::new();
    for (i, numbers) in packets.iter().enumerate() {
        let known = numbers.iter().all(|(unit, ..)| begun.contains(unit));
        if known && !numbers.is_empty() && numbers.iter().all(|(unit, ..)| last[unit] > i) {
            found.push(i);
        }
        begun.extend(numbers.iter().map(|&(unit, ..)| unit));
    }
    found
}

/// Which lines lack which packets.
type Cut = BTreeMap<usize, [bool; 2]>;

fn capture(made: &Made, cut: &Cut) -> Vec<u8> {
    let mut frames = Vec::new();
    for (i, packet) in made.session.packets().enumerate() {
        let lacks = cut.get(&i).copied().unwrap_or_default();
        for line in (0..2).filter(|&line| !lacks[line]) {
            let time = UnixNanos(packet.time.0 + line as u64 * SKEW);
            frames.push((time, frame(&GROUPS[line].to_string(), packet.payload)));
        }
    }
    frames.sort_by_key(|(time, _)| *time);
    let mut out = PcapWriter::new(Vec::new()).unwrap();
    for (time, bytes) in frames {
        out.frame(time, &bytes).unwrap();
    }
    out.finish().unwrap()
}

/// The holes of a list, without when they were noticed and how late they were closed.
fn holes(list: &Value) -> BTreeSet<String> {
    let entries = list["entries"].as_array().unwrap();
    let holes = entries.iter().filter(|e| e["kind"] == "hole");
    let shown = holes.map(|e| {
        let [unit, first, last, lacked, by, cause] =
            ["unit", "first", "last", "lacked_by", "closed_by", "cause"].map(|key| &e[key]);
        assert_eq!(e["state"] == "open", by.is_null(), "{e}");
        json!([unit, first, last, lacked, by, cause]).to_string()
    });
    shown.collect()
}

fn expected(packets: &[Vec<Numbers>], cut: &Cut, has_units: bool) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for (&i, lacks) in cut {
        let (lacked, by, cause) = match lacks {
            [true, true] => (json!(["A", "B"]), Value::Null, "upstream"),
            [true, false] => (json!(["A"]), json!("line B"), "one_line"),
            [false, _] => (json!(["B"]), json!("line A"), "one_line"),
        };
        for &(unit, first, last) in &packets[i] {
            let unit = has_units.then_some(unit);
            expected.insert(json!([unit, first, last, lacked, by, cause]).to_string());
        }
    }
    expected
}

#[test]
fn what_was_cut_out_of_either_line_and_of_both_is_said_exactly() {
    let scratch = Scratch::new();
    for &protocol in Session::ALL {
        let made = Made::of(Spec {
            payload_limit: 600,
            ..Spec::new(protocol, 4_000, 5)
        });
        let what = made.what();
        let packets = with_protocol(made.protocol(), Carried(&made));
        let has_units = made.protocol().name() == "pitch";
        // Apart from each other, so that each is a hole of its own.
        let places: Vec<usize> = missable(&packets).into_iter().step_by(7).collect();
        assert!(places.len() > 20, "{what}: {} packets", packets.len());
        let lacks = [[true, false], [false, true], [true, true]];
        let all: Cut = places
            .iter()
            .copied()
            .zip(lacks.into_iter().cycle())
            .collect();
        let one: Cut = all
            .iter()
            .map(|(&i, l)| (i, *l))
            .filter(|(_, l)| l.contains(&false))
            .collect();
        for (cut, status) in [(Cut::new(), 0), (one, 0), (all, 3)] {
            let file = scratch.file("cut.pcap", capture(&made, &cut));
            let ended = feed_handler(&["gaps", &file, "--format", "json"]);
            assert_eq!(ended.status, status, "{what}: {}", ended.err);
            let list = ended.json();
            assert_eq!(holes(&list), expected(&packets, &cut, has_units), "{what}");
            assert_eq!(list["totals"]["channels"], 1, "{what}");
            lines(&file, &made, &packets, &cut, &list["totals"]["lost"]);
        }
    }
}

/// What `lines` says of the same capture.
fn lines(file: &str, made: &Made, packets: &[Vec<Numbers>], cut: &Cut, lost: &Value) {
    let ended = feed_handler(&["lines", file, "--format", "json"]);
    let (what, facts) = (made.what(), ended.is_quiet().json());
    let [channel] = &facts["channels"].as_array().unwrap()[..] else {
        panic!("{what}: {facts}");
    };
    assert_eq!(&channel["lost_by_all"], lost, "{what}");
    assert_eq!(channel["protocol"], made.protocol().name());
    let count = |of: &dyn Fn(&[bool; 2]) -> bool| -> u64 {
        let cut = cut.iter().filter(|(_, lacks)| of(lacks));
        let numbers = cut.flat_map(|(&i, _)| &packets[i]);
        numbers.map(|&(_, first, last)| last - first + 1).sum()
    };
    for line in 0..2 {
        let facts = &channel["lines"][line];
        let lacks = cut.values().filter(|lacks| lacks[line]).count() as u64;
        assert_eq!(
            facts["packets"],
            made.summary.packets - lacks,
            "{what}: {facts}"
        );
        assert_eq!(facts["group"], GROUPS[line].to_string());
        assert_eq!(facts["lost"], count(&|l| l[line]), "{what}: {facts}");
        assert_eq!(
            facts["lost_alone"],
            count(&|l| l[line] && !l[1 - line]),
            "{what}: {facts}"
        );
        assert_eq!(facts["absent"], 0, "{what}: {facts}");
    }
    // Line A is first with whatever it has, and always by as much.
    let [a, b] = [0, 1].map(|line| &channel["lines"][line]);
    let firsts = |line: &Value| line["first"].as_u64().unwrap();
    assert_eq!(channel["messages"], firsts(a) + firsts(b), "{what}");
    assert_eq!(
        firsts(b) > 0,
        cut.values().any(|l| *l == [true, false]),
        "{what}"
    );
    assert_eq!(b["lead_ns"]["count"], 0, "{what}: {b}");
    let lead = &a["lead_ns"];
    assert_eq!(
        (&lead["min"], &lead["max"]),
        (&json!(SKEW), &json!(SKEW)),
        "{what}: {lead}"
    );
    let both = packets
        .iter()
        .enumerate()
        .filter(|(i, _)| !cut.contains_key(i));
    let frames = both.map(|(_, numbers)| numbers.len() as u64).sum::<u64>();
    let measured = lead["count"].as_u64().unwrap();
    assert!(
        (frames * 9 / 10..=frames).contains(&measured),
        "{what}: {measured} of {frames}"
    );
}

#[test]
fn the_list_as_text_and_as_csv() {
    let scratch = Scratch::new();
    let made = Made::of(Spec::new(Session::Itch50, 2_000, 5));
    let packets = with_protocol(made.protocol(), Carried(&made));
    let cut = Cut::from([(missable(&packets)[3], [true, true])]);
    let file = scratch.file("cut.pcap", capture(&made, &cut));
    let csv = feed_handler(&["gaps", &file, "--format", "csv"]);
    csv.is(3, "1 open with ");
    let rows: Vec<Vec<&str>> = csv.out.lines().map(|l| l.split(',').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{csv:?}");
    let at = |name: &str| rows[0].iter().position(|c| *c == name).unwrap();
    let hole = rows.iter().find(|row| row[at("kind")] == "hole").unwrap();
    let (_, first, last) = packets[*cut.keys().next().unwrap()][0];
    assert_eq!(
        (hole[at("first")], hole[at("last")]),
        (&*first.to_string(), &*last.to_string())
    );
    assert_eq!((hole[at("lacked_by")], hole[at("state")]), ("A B", "open"));
    assert_eq!(hole[at("cause")], "upstream");

    let text = feed_handler(&["gaps", &file]);
    text.is(3, "");
    let last = text.out.lines().last().unwrap();
    assert!(
        last.starts_with("1 channel, 1 hole: 0 closed, 1 open with "),
        "{last}"
    );
    let head = format!(
        "channel 0  itch50  line A {}  line B {}",
        GROUPS[0], GROUPS[1]
    );
    assert_eq!(text.out.lines().next(), Some(&*head));
    let lines = feed_handler(&["lines", &file]);
    let said = &lines.is_quiet().out;
    assert!(
        said.contains("lost alone") && said.contains("longest silence"),
        "{said}"
    );
    assert!(said.starts_with("channel 0  itch50  session "), "{said}");

    let separate = feed_handler(&["gaps", &file, "--lines", "separate", "--format", "json"]);
    assert_eq!(separate.json()["totals"]["open"], 2);
    let none = feed_handler(&["lines", &file, "--lines", "239.9.9.9:1"]);
    none.is(2, "--lines");
}

#[test]
fn a_run_says_the_same_of_its_lines() {
    let scratch = Scratch::new();
    for &protocol in Session::ALL {
        let made = Made::of(Spec {
            payload_limit: 600,
            ..Spec::new(protocol, 3_000, 6)
        });
        let (what, name) = (made.what(), made.protocol().name());
        let packets = with_protocol(made.protocol(), Carried(&made));
        let places = missable(&packets).into_iter().step_by(9);
        let lacks = [[true, false], [false, true], [true, true]];
        let cut: Cut = places.zip(lacks.into_iter().cycle()).collect();
        let file = scratch.file("cut.pcap", capture(&made, &cut));
        let lines = [("A", GROUPS[0]), ("B", GROUPS[1])].map(|(n, group)| {
            format!("{{ name = \"{n}\", group = \"{group}\", interface = \"lo\" }}")
        });
        let config = format!(
            "[[lane]]\nname = \"l\"\n[[channel]]\nname = \"c\"\nprotocol = \"{name}\"\nlane = \"l\"\nlines = [{}]\n",
            lines.join(", ")
        );
        let config = scratch.file("feed.toml", config);
        let run = feed_handler(&["run", "-c", &config, "--input", &file, "--format", "json"]);
        let (summary, lines) = (
            run.json(),
            feed_handler(&["lines", &file, "--format", "json"]).json(),
        );
        let channel = &lines["channels"][0];
        assert_eq!(
            summary["sequence"]["lost"], channel["lost_by_all"],
            "{what}: {summary}"
        );
        for line in 0..2 {
            let (live, listed) = (&summary["lines"][line], &channel["lines"][line]);
            for key in [
                "group",
                "messages",
                "first",
                "lost",
                "lost_alone",
                "lead_ns",
                "longest_silence_ns",
                "longest_silence_since_ns",
            ] {
                assert_eq!(live[key], listed[key], "{what}: {key} of line {line}");
            }
        }
    }
}
