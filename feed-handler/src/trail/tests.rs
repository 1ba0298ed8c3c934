use super::*;
use crate::publish::{Digest, MarkKind};
use proptest::prelude::*;

fn print(n: u64) -> Fingerprint {
    Fingerprint {
        digest: Digest::from_bits(n.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        sum: n << 40,
        records: 2 * n,
    }
}

fn mark(kind: MarkKind, sequence: u64, epoch: u32) -> Mark {
    Mark {
        sequence,
        count: if kind == MarkKind::GAP { 7 } else { 0 },
        print: print(sequence),
        epoch,
        channel: 1,
        unit: 3,
        kind,
    }
}

fn origin() -> Origin {
    Origin {
        input: None,
        recording: Some("runs/kept.pcapng".into()),
    }
}

fn channels() -> Vec<String> {
    ["one", "two"].map(str::to_owned).to_vec()
}

fn totals() -> Totals {
    Totals {
        messages: 9,
        published: 12,
        record_digest: "00ff".to_owned(),
        ..Totals::default()
    }
}

fn last() -> Last {
    Last {
        channel: "two".to_owned(),
        unit: 3,
        epoch: 1,
        next: 20,
        print: print(20),
    }
}

const MARKS: [(MarkKind, u64, u32); 6] = [
    (MarkKind::BEGIN, 1, 0),
    (MarkKind::AT, 4, 0),
    (MarkKind::GAP, 6, 0),
    (MarkKind::END, 0, 0),
    (MarkKind::BEGIN, 1, 1),
    (MarkKind::AT, 16, 1),
];

fn written() -> Vec<u8> {
    let mut writer = TrailWriter::begin(Vec::new(), 4, channels(), origin()).unwrap();
    for (kind, sequence, epoch) in MARKS {
        writer.mark(&mark(kind, sequence, epoch)).unwrap();
    }
    writer.missed(2).unwrap();
    writer.done(vec![last()], totals()).unwrap()
}

#[test]
fn what_is_written_is_read_back_and_is_what_was_noted() {
    let mut noted = Trail::new(4, channels(), origin());
    for (kind, sequence, epoch) in MARKS {
        noted.mark(&mark(kind, sequence, epoch));
    }
    noted.missed = 2;
    noted.done(vec![last()], totals());
    let read = Trail::read(&written()[..]).unwrap();
    assert_eq!(read, noted);
    assert_eq!(read.streams.len(), 2);
    let first = read.streams.values().next().unwrap();
    assert_eq!(first.gaps, [GapMark { first: 6, count: 7 }]);
    assert_eq!(first.at[&4], print(4));
    assert_eq!(first.end.unwrap().next, None);
}

#[test]
fn the_lines_have_the_promised_shape() {
    let text = String::from_utf8(written()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines[0],
        r#"{"version":1,"every":4,"channels":["one","two"],"input":null,"recording":"runs/kept.pcapng"}"#
    );
    assert_eq!(
        lines[2],
        r#"{"mark":"at","channel":"two","unit":3,"epoch":0,"sequence":4,"digest":"78dde6e5fd29f054","sum":"0000040000000000","records":8}"#
    );
    assert!(
        lines[3].contains(r#""sequence":6,"count":7,"#),
        "{}",
        lines[3]
    );
    assert_eq!(lines[7], r#"{"mark":"missed","count":2}"#);
}

#[test]
fn a_file_cut_anywhere_behind_its_header_gives_what_it_holds() {
    let whole = written();
    let header = whole.iter().position(|&b| b == b'\n').unwrap() + 1;
    for len in header..whole.len() {
        let trail = Trail::read(&whole[..len]).unwrap();
        assert_eq!(trail.damage, None, "cut at {len}");
        assert_eq!(trail.totals, None);
    }
}

#[test]
fn damage_is_said_and_passed_over() {
    let text = String::from_utf8(written()).unwrap();
    let broken = text.replacen("\"sequence\":4,", "\"sequence\":-4,", 1);
    let long = format!(
        "{}{}\n{}",
        &text[..text.find('\n').unwrap() + 1],
        "x".repeat(3 << 20),
        text
    );
    for (file, said) in [
        (broken.clone(), "line 3: "),
        (long, "2 lines, the first of them line 2: it is longer"),
    ] {
        let trail = Trail::read(file.as_bytes()).unwrap();
        let damage = trail.damage.unwrap();
        assert!(damage.starts_with(said), "{damage}");
        assert_eq!(trail.totals, Some(totals()));
        assert_eq!(trail.streams.len(), 2);
    }
}

#[test]
fn what_is_no_trail_is_refused() {
    for (file, said) in [
        ("", "its first line is no header"),
        ("{\"packets\":1}\n", "its first line is no header"),
        (
            "{\"version\":2,\"every\":4,\"channels\":[],\"input\":null,\"recording\":null}\n",
            "it is of version 2",
        ),
    ] {
        let error = Trail::read(file.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(mut at in 0usize..900, bytes in prop::collection::vec(any::<u8>(), 1..40)) {
        let mut file = written();
        at %= file.len();
        let end = (at + bytes.len()).min(file.len());
        file.splice(at..end, bytes);
        // It is read, with or without a word about it, or refused.
        let _ = Trail::read(&file[..]);
    }
}
