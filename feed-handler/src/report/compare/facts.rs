//! Whether runs can be compared at all, and what should be known of them.

use super::super::folder::Run;
use super::super::units::count;
use std::collections::BTreeSet;

/// Facts that must agree, and what they are called. A fact that one run lacks is not known and hinders nothing.
const EQUAL: [(&str, &str); 5] = [
    ("processor", "processors"),
    ("cores", "numbers of cores"),
    ("kernel", "kernels"),
    ("build", "builds"),
    ("books", "books kept"),
];

/// The rates of live runs may differ by this: latency follows from load.
const RATE_FACTOR: f64 = 1.25;

/// Why runs cannot be compared, where they cannot.
pub(super) fn hindrance(runs: &[&Run], base: &[&Run]) -> Option<String> {
    let all: Vec<&Run> = base.iter().chain(runs).copied().collect();
    let first = *all.first()?;
    if let Some(run) = all.iter().find(|run| run.blocks.is_empty()) {
        return Some(format!("{} has no intervals that can be read", run.name));
    }
    for run in &all[1..] {
        let differ = |what: &str, a: &str, b: &str| {
            let (ours, theirs) = (&run.name, &first.name);
            Some(format!(
                "different {what}: {ours} has {b:?}, {theirs} has {a:?}"
            ))
        };
        for (fact, what) in EQUAL {
            let of = |run: &Run| run.report.run.get(fact).cloned();
            if let (Some(a), Some(b)) = (of(first), of(run))
                && a != b
            {
                return differ(what, &a, &b);
            }
        }
        let (a, b) = (lanes(first), lanes(run));
        if a != b {
            return differ("lanes or protocols", &a, &b);
        }
        if let (Some(a), Some(b)) = (clock(first), clock(run))
            && (a.1 != b.1 || (a.0 / b.0 - 1.0).abs() > 0.01)
        {
            let of = |run: &Run| {
                run.report
                    .run
                    .get("stage clock")
                    .cloned()
                    .unwrap_or_default()
            };
            return differ("clocks", &of(first), &of(run));
        }
        if first.blocks.digits() != run.blocks.digits() {
            let of = |run: &Run| format!("{} digits", run.blocks.digits());
            return differ("resolutions", &of(first), &of(run));
        }
        if live(first) != live(run) {
            let of = |run: &Run| if live(run) { "live lines" } else { "a capture" };
            return differ("inputs", of(first), of(run));
        }
        let (a, b) = (handled(first), handled(run));
        if !live(first) && a != b {
            return differ("inputs", &a, &b);
        }
    }
    let rates = all
        .iter()
        .filter(|run| live(run))
        .filter_map(|run| rate(run));
    let (low, high) = rates.fold((f64::MAX, 0.0), |(low, high), r| (r.min(low), r.max(high)));
    (high > low * RATE_FACTOR).then(|| {
        let (low, high) = (count(low as u64), count(high as u64));
        format!("different load: from {low} to {high} messages a second")
    })
}

/// What should be known of them, the most important first.
pub(super) fn notes(runs: &[&Run], base: &[&Run]) -> Vec<String> {
    let mut notes = Vec::new();
    for run in runs.iter().chain(base) {
        if let Some(delay) = run.report.injected() {
            notes.push(format!("INJECTED DELAY: {} was run with {delay}", run.name));
        }
    }
    for run in runs.iter().chain(base).filter(|run| !run.damage.is_empty()) {
        notes.push(format!(
            "{} is damaged: {}",
            run.name,
            run.damage.join("; ")
        ));
    }
    let names =
        |side: &[&Run]| -> BTreeSet<String> { side.iter().map(|r| r.name.clone()).collect() };
    for name in names(runs).intersection(&names(base)) {
        notes.push(format!("{name} is held against itself"));
    }
    let digests = |side: &[&Run]| -> BTreeSet<String> {
        side.iter()
            .filter_map(|r| r.report.record_digest.clone())
            .collect()
    };
    let is_live = runs.iter().chain(base).any(|run| live(run));
    if !is_live && digests(runs) != digests(base) {
        notes.push(
            "the records differ: the two sides say different things of the same messages"
                .to_owned(),
        );
    }
    if is_debug(runs) {
        notes.push("these are debug builds: nothing they show holds for a release".to_owned());
    }
    notes
}

fn is_debug(runs: &[&Run]) -> bool {
    let debug = |run: &&Run| {
        run.report
            .run
            .get("build")
            .is_some_and(|b| b.starts_with("debug"))
    };
    runs.iter().any(debug)
}

/// True for a run of live lines.
fn live(run: &Run) -> bool {
    match run.report.run.get("input") {
        Some(input) => input == "live lines",
        None => run.report.holes.is_some(),
    }
}

/// What of a capture was handled; whatever the program made of it.
fn handled(run: &Run) -> String {
    let r = &run.report;
    let [packets, messages, filtered] = [r.packets, r.messages, r.filtered].map(count);
    format!("{packets} packets, {messages} messages, {filtered} not wanted")
}

/// What each lane is, without its name.
fn lanes(run: &Run) -> String {
    let facts = run.report.run.iter();
    let lanes = facts.filter(|(name, _)| name.starts_with("lane "));
    lanes
        .map(|(_, fact)| fact.as_str())
        .collect::<Vec<_>>()
        .join("; ")
}

/// The clock's frequency and everything else that is said of it, up to what its figures are.
fn clock(run: &Run) -> Option<(f64, String)> {
    let fact = run.report.run.get("stage clock")?;
    let fact = fact.split(';').next()?;
    let frequency = fact.split(' ').find_map(|word| word.parse::<f64>().ok())?;
    let rest = fact.split(' ').filter(|word| word.parse::<f64>().is_err());
    Some((frequency, rest.collect::<Vec<_>>().join(" ")))
}

/// Messages a second.
fn rate(run: &Run) -> Option<f64> {
    let last = run.report.timeline.last()?;
    let seconds = (last.start + last.length).as_secs_f64();
    (seconds > 0.0 && run.report.messages > 0).then(|| run.report.messages as f64 / seconds)
}
