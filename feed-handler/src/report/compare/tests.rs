use super::super::model::tests::fill;
use super::*;
use feed_common::latency::log::{LogReader, LogWriter};
use feed_common::latency::{Resolution, StageSet};
use feed_common::time::UnixNanos;

/// In an interval; three of them are just enough for p99.9 to be known.
const PACKETS: u64 = 1_500;

const START: u64 = 1_700_000_000_000_000_000;

/// A run begun in second `at`, on a machine `speed` times as slow as it can be, of a program whose decoding takes
/// `slower` times as long.
fn run(at: u64, intervals: u64, speed: f64, slower: f64) -> Run {
    let start = UnixNanos(START + at * 1_000_000_000);
    let mut log = LogWriter::begin(Vec::new(), start, &[]).unwrap();
    let mut set = StageSet::new(Resolution::default());
    let mut random = 0x9E37_79B9_7F4A_7C15 ^ (at + 1).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    for i in 0..intervals {
        set.reset();
        fill(&mut set, PACKETS, &mut random, speed, slower);
        let from = UnixNanos(start.0 + i * 100_000_000);
        log.write_set(&set, from, UnixNanos(from.0 + 100_000_000), None)
            .unwrap();
    }
    let text = String::from_utf8(log.finish().unwrap()).unwrap();
    let mut run = Run {
        name: format!("run{at}"),
        started: Some(start),
        ..Run::default()
    };
    for interval in LogReader::new(&text) {
        let interval = interval.unwrap();
        run.blocks.take(interval.stage.unwrap(), &interval);
    }
    run.blocks.close();
    let facts = [
        ("processor", "example CPU"),
        ("build", "release"),
        ("lane l", "itch50, one thread"),
        ("stage clock", "time-stamp counter, 2.600 GHz"),
        ("input", "capture a.pcap"),
    ];
    run.report.run = facts.map(|(k, v)| (k, v.to_owned())).into_iter().collect();
    run
}

/// Noise of a machine that drifts and has bad moments, from a seed: factors around 1.
fn weather(seed: u64) -> impl FnMut() -> f64 {
    let mut random = draws::Random::of(seed);
    let mut drift = 1.0f64;
    move || {
        let mut even = || random.below(1_000_000) as f64 / 1e6;
        drift = (drift + (even() - 0.5) * 0.12).clamp(0.8, 1.5);
        let bad = if even() < 0.08 { 1.0 + even() } else { 1.0 };
        drift * bad * (1.0 + (even() - 0.5) * 0.08)
    }
}

/// Runs in turn, each side first in every other pair.
fn interleaved(pairs: u64, seed: u64, slower: f64) -> (Vec<Run>, Vec<Run>) {
    let mut weather = weather(seed);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        for second in 0..2 {
            let at = seed * 1_000 + pair * 2 + second + 1;
            match (pair + second) % 2 {
                0 => theirs.push(run(at, 3, weather(), 1.0)),
                _ => ours.push(run(at, 3, weather(), slower)),
            }
        }
    }
    (ours, theirs)
}

#[test]
fn the_same_program_is_the_same() {
    let verdicts = (0..20).map(|seed| {
        let (ours, theirs) = interleaved(6, seed, 1.0);
        compare(&ours, &theirs).verdict
    });
    let wrong = verdicts.filter(|v| *v != Verdict::Same).count();
    assert!(wrong <= 1, "{wrong} of 20");
}

#[test]
fn a_stage_slowed_by_a_tenth_is_found_and_named() {
    let found = (0..2).filter(|seed| {
        let (ours, theirs) = interleaved(30, 100 + seed, 1.10);
        let c = compare(&ours, &theirs);
        if c.verdict == Verdict::Regressed {
            assert_eq!(c.slowed, Some("decoded"), "{}", c.reason);
            assert!(
                c.reason.contains("sequencing and decoding itself takes"),
                "{}",
                c.reason
            );
            let mut dequeue = c.rows.iter().filter(|row| row.stage == "dequeue");
            assert!(dequeue.all(|row| row.verdict != Verdict::Regressed));
        }
        c.verdict == Verdict::Regressed
    });
    assert_eq!(found.count(), 2);
    let (ours, theirs) = interleaved(20, 100, 0.8);
    assert_eq!(compare(&ours, &theirs).verdict, Verdict::Improved);
}

#[test]
fn one_run_a_side_shows_only_what_is_large() {
    let base = [run(1, 20, 1.0, 1.0)];
    let verdict = |speed, slower| {
        let c = compare(&[run(2, 20, speed, slower)], &base);
        assert!(
            c.notes.iter().any(|n| n.starts_with("one run a side")),
            "{:?}",
            c.notes
        );
        c.verdict
    };
    assert_eq!(verdict(1.0, 1.0), Verdict::Same);
    assert_eq!(
        verdict(1.4, 1.0),
        Verdict::Same,
        "machines do that within minutes"
    );
    assert_eq!(verdict(0.65, 1.0), Verdict::Same);
    assert_eq!(verdict(1.0, 4.0), Verdict::Regressed);
    assert_eq!(verdict(0.2, 1.0), Verdict::Improved);
}

#[test]
fn runs_that_are_not_interleaved_are_not_trusted_with_little() {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for at in 1..=6 {
        theirs.push(run(at, 3, 1.0, 1.0));
        // Twenty minutes later the machine is slower.
        ours.push(run(1_200 + at, 3, 1.3, 1.0));
    }
    let c = compare(&ours, &theirs);
    assert_eq!(c.verdict, Verdict::Same, "{}", c.reason);
    assert!(
        c.notes.iter().any(|n| n.contains("not interleaved")),
        "{:?}",
        c.notes
    );
}

#[test]
fn the_same_input_gives_the_same_answer() {
    let (ours, theirs) = interleaved(6, 3, 1.05);
    let json = |c: Comparison| serde_json::to_string(&c).unwrap();
    let first = json(compare(&ours, &theirs));
    assert_eq!(first, json(compare(&ours, &theirs)));
    let (ours, theirs): (Vec<_>, Vec<_>) = (ours.into_iter().rev().collect(), theirs);
    assert_eq!(
        first,
        json(compare(&ours, &theirs)),
        "in whatever order they are named"
    );
}

#[test]
fn what_cannot_be_compared_is_not() {
    let base = [run(1, 20, 1.0, 1.0)];
    let reason = |change: &dyn Fn(&mut Run)| {
        let mut other = run(2, 20, 1.0, 1.0);
        change(&mut other);
        let c = compare(&[other], &base);
        assert_eq!(c.verdict, Verdict::NotComparable, "{}", c.reason);
        c.reason
    };
    let fact = |name: &'static str, value: &'static str| {
        move |run: &mut Run| run.report.run.set(name, value.to_owned())
    };
    for (name, value, why) in [
        (
            "processor",
            "another",
            "different processors: run2 has \"another\", run1 has \"example CPU\"",
        ),
        ("build", "debug", "different builds"),
        ("lane l", "iex, one thread", "different lanes or protocols"),
        (
            "stage clock",
            "time-stamp counter, 3.000 GHz",
            "different clocks",
        ),
        (
            "input",
            "live lines",
            "different inputs: run2 has \"live lines\"",
        ),
    ] {
        let said = reason(&fact(name, value));
        assert!(said.starts_with(why), "{said}");
    }
    let said = reason(&|run| run.report.messages = 5);
    assert!(said.contains("0 packets, 5 messages"), "{said}");
    let said = reason(&|run| run.blocks = Blocks::default());
    assert!(said.contains("has no intervals"), "{said}");
    let short = [run(3, 2, 1.0, 1.0)];
    let c = compare(&short, &base);
    assert!(
        c.reason.starts_with("too short: a side has 2 intervals"),
        "{}",
        c.reason
    );
    // The clock is measured anew in every run.
    let mut other = run(2, 20, 1.0, 1.0);
    fact("stage clock", "time-stamp counter, 2.601 GHz")(&mut other);
    assert_eq!(compare(&[other], &base).verdict, Verdict::Same);
}

#[test]
fn an_injected_delay_is_compared_and_said_loudly() {
    let mut slowed = run(2, 20, 1.0, 5.0);
    let delay = "20us in front of decoded, 1 % of packets".to_owned();
    slowed.report.run.set(super::super::INJECTED, delay);
    let c = compare(&[slowed], &[run(1, 20, 1.0, 1.0)]);
    assert_eq!(c.verdict, Verdict::Regressed);
    assert!(
        c.notes[0].starts_with("INJECTED DELAY: run2 was run with 20us"),
        "{:?}",
        c.notes
    );
}
