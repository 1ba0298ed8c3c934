//! The examples, run over real sockets: however records reach the strategy, it hears the same and does the same.

// Each has the market as a module of its own.
#![allow(clippy::duplicate_mod)]

#[path = "../examples/blocking_on_a_channel.rs"]
#[allow(dead_code)] // its main
mod blocking_on_a_channel;
#[path = "../examples/inside_the_lane.rs"]
#[allow(dead_code)] // its main
mod inside_the_lane;
#[path = "../examples/polling_the_ring.rs"]
#[allow(dead_code)] // its main
mod polling_the_ring;

use feed_replay::output::PcapSink;
use feed_replay::synth::{Protocol, Spec, generate};
use std::error::Error;
use std::io::Write;
use std::process::{Command, Stdio};

type Run = fn(&mut Vec<u8>) -> Result<(), Box<dyn Error>>;

fn lines(run: Run) -> Vec<String> {
    let mut out = Vec::new();
    run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn however_records_reach_it_a_strategy_does_the_same() {
    let inside = lines(inside_the_lane::run);
    let polling = lines(polling_the_ring::run);
    let blocking = lines(blocking_on_a_channel::run);
    assert_eq!(inside[0], "20000 messages");
    let (quotes, orders) = inside[1].split_once(" quotes, ").unwrap();
    assert_eq!(quotes.parse(), Ok(changes_of_best_prices()));
    assert_ne!(orders, "0 orders");
    assert_eq!((&inside[0], &inside[1]), (&polling[0], &polling[1]));
    assert_eq!((&inside[0], &inside[1]), (&blocking[0], &blocking[1]));
}

/// As `bbo` has them of the same session in a file.
fn changes_of_best_prices() -> usize {
    let mut sink = PcapSink::new(Vec::new(), PcapSink::<Vec<u8>>::GROUP).unwrap();
    generate(&Spec::new(Protocol::Itch50, 20_000, 7), &mut sink).unwrap();
    let capture = sink.finish().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_feed-handler"))
        .args(["bbo", "-", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&capture).unwrap());
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(out.status.success());
    String::from_utf8(out.stdout).unwrap().lines().count() - 1
}
