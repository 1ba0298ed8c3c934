//! What a gateway delivers to its clients, how late, and what it takes for that.
//!
//! ```text
//! cargo run --release -p benches --bin gateway [RECORDS_A_SECOND] [SECONDS] [CLIENTS]
//! cargo run --release -p benches --bin gateway beside [RECORDS_A_SECOND] [SECONDS] [ROUNDS]
//! cargo run --release -p benches --bin gateway silence [TIMES]
//! ```
//!
//! A writer of shared memory publishes best prices on an absolute schedule, each with the time of its publication; the
//! gateway is a process of its own, the program beside this one; clients are threads of this process that read what comes
//! and nothing else. Two cores have to do for all of it, so the clients' work is in the latency too.
//!
//! Without a word: text and batches by WebSocket, batches by TCP, all conflating, once each. `beside`: what 99 clients have
//! beside one that reads, beside one that never does and beside one that asks for all quotes again and again, in turns. `silence`: the first record after a pause.

use benches::gateway::{Beside, Load, Outcome, Way, after_silence, measure};
use benches::measure::median;
use std::time::Duration;

/// Instruments, and where all quotes are asked for again and again.
const INSTRUMENTS: u64 = 1_000;
const MANY: u64 = 10_000;

/// Clients that are compared, beside one more.
const OTHERS: u64 = 99;

/// How long nothing comes before a first record.
const SILENCE: Duration = Duration::from_millis(1_500);

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_word = |word: &String| word.parse::<u64>().is_err();
    let what = arguments
        .first()
        .is_some_and(is_word)
        .then(|| arguments.remove(0));
    let number = |i: usize, or: u64| {
        let given = arguments.get(i).map(|a| a.parse().expect("a number"));
        given.unwrap_or(or)
    };
    match what.as_deref() {
        None => ways(number(0, 50_000), number(1, 10).clamp(1, 60), number(2, 20)),
        Some("beside") => beside(number(0, 5_000), number(1, 6).clamp(1, 60), number(2, 3)),
        Some("silence") => silence(number(0, 20).clamp(1, 100)),
        Some(word) => panic!("expected numbers, `beside` or `silence`, not {word}"),
    }
}

fn ways(rate: u64, seconds: u64, clients: u64) {
    println!(
        "{rate} records a second for {seconds} s, {INSTRUMENTS} instruments, {clients} clients that conflate"
    );
    println!(
        "{:<22} {:>12} {:>10} {:>8} {:>8} {:>9} {:>9} {:>9} {:>8} {:>8}",
        "",
        "delivered",
        "conflated",
        "dropped",
        "lost",
        "p50 µs",
        "p99 µs",
        "max µs",
        "CPU",
        "idle"
    );
    for (name, way) in [
        ("WebSocket, JSON", Way::Text),
        ("WebSocket, binary", Way::Binary),
        ("TCP, binary", Way::Tcp),
    ] {
        let outcome = measure(Load {
            way,
            rate,
            seconds,
            instruments: INSTRUMENTS,
            clients,
            beside: None,
        });
        println!(
            "{name:<22} {:>12} {:>10} {:>8} {:>8} {:>9.0} {:>9.0} {:>9.0} {:>7.1}% {:>7.1}%",
            outcome.latencies.len(),
            count(&outcome, "conflated"),
            count(&outcome, "dropped"),
            count(&outcome, "lost"),
            outcome.at(0.5),
            outcome.at(0.99),
            outcome.at(1.0),
            outcome.busy * 100.0,
            outcome.idle * 100.0
        );
    }
}

fn beside(rate: u64, seconds: u64, rounds: u64) {
    println!(
        "{rate} records a second for {seconds} s, {MANY} instruments, to {OTHERS} clients (TCP, binary) and one more, in turns"
    );
    let cases = [
        ("one that reads", Beside::Reads),
        ("one that never reads", Beside::Stuck),
        ("one that asks 20/s", Beside::Asks),
    ];
    let mut figures = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for ((_, beside), figures) in cases.iter().zip(&mut figures) {
            let outcome = measure(Load {
                way: Way::Tcp,
                rate,
                seconds,
                instruments: MANY,
                clients: OTHERS,
                beside: Some(*beside),
            });
            // Of more instruments than may wait there are states that cannot.
            let conflated = count(&outcome, "conflated") + count(&outcome, "dropped");
            // Else it was not stuck, and nothing was compared.
            assert!(
                *beside != Beside::Stuck || conflated > 0,
                "{}",
                outcome.facts
            );
            figures.push([
                outcome.at(0.5),
                outcome.at(0.99),
                outcome.at(1.0),
                outcome.busy * 100.0,
                conflated as f64,
                count(&outcome, "lost") as f64,
            ]);
        }
    }
    println!(
        "{:<22} {:>9} {:>9} {:>9} {:>8} {:>10} {:>8}   p50/p99 of each round",
        "the 99 beside", "p50 µs", "p99 µs", "max µs", "CPU", "left out", "lost"
    );
    for ((name, _), figures) in cases.iter().zip(&figures) {
        let [p50, p99, max, busy, conflated, lost] =
            [0, 1, 2, 3, 4, 5].map(|i| median(figures.iter().map(|f| f[i]).collect()));
        let rounds = figures.iter().map(|f| format!("{:.0}/{:.0}", f[0], f[1]));
        let rounds: Vec<_> = rounds.collect();
        println!(
            "{name:<22} {p50:>9.0} {p99:>9.0} {max:>9.0} {busy:>7.1}% {conflated:>10.0} {lost:>8.0}   {}",
            rounds.join(" ")
        );
    }
}

fn silence(times: u64) {
    let latencies = after_silence(SILENCE, times);
    let at = |q: f64| latencies[((latencies.len() - 1) as f64 * q) as usize] as f64 / 1_000.0;
    println!(
        "the first record after {:?}, {times} times: p50 {:.0} µs, p90 {:.0} µs, max {:.0} µs",
        SILENCE,
        at(0.5),
        at(0.9),
        at(1.0)
    );
}

fn count(outcome: &Outcome, key: &str) -> u64 {
    outcome.facts[key].as_u64().expect("a count")
}
