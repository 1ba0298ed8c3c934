//! Many sessions, on as many threads as are given.

use crate::oracle::Failure;
use crate::scenario::Scenario;
use crate::world::{Facts, simulate};
use feed_replay::synth::rng::splitmix64;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// What many sessions came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Sessions simulated.
    pub sessions: u64,
    /// Those of which every message was delivered, with the digests of the clean run.
    pub whole: u64,
    /// Those in which something was declared lost.
    pub with_gaps: u64,
    /// Messages delivered.
    pub messages: u64,
    /// Messages declared lost.
    pub lost: u64,
    /// Messages that servers brought.
    pub recovered: u64,
    /// Packets that lines lost.
    pub lost_packets: u64,
    /// Requests sent.
    pub requests: u64,
    /// New sessions after the first.
    pub restarts: u64,
    /// Damaged datagrams that were handed in.
    pub malformed: u64,
    /// Virtual nanoseconds.
    pub lasted: u64,
    /// Sessions by protocol.
    pub protocols: BTreeMap<String, u64>,
    /// Sessions by the service of their recovery, where they have one.
    pub services: BTreeMap<&'static str, u64>,
    /// Sessions that were not as they must be, in the order of their seeds.
    pub failed: Vec<Failed>,
}

/// A session that was not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed {
    /// The seed of its scenario.
    pub seed: u64,
    /// What was wrong.
    pub failure: Failure,
}

/// Failures after which no more sessions are begun.
const ENOUGH: u64 = 1_000;

/// Simulates the scenarios of `sessions` seeds: `seed` itself and those that follow it.
pub fn run(seed: u64, sessions: u64, threads: usize, first_only: bool) -> Totals {
    let (next, failures, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        let mut totals = Totals::default();
        while !stop.load(Relaxed) {
            let number = next.fetch_add(1, Relaxed);
            if number >= sessions {
                break;
            }
            let seed = nth(seed, number);
            let scenario = Scenario::draw(seed);
            match attempt(&scenario) {
                Ok(facts) => totals.add(&scenario, &facts),
                Err(failure) => {
                    totals.sessions += 1;
                    totals.failed.push(Failed { seed, failure });
                    let enough = failures.fetch_add(1, Relaxed) + 1 >= ENOUGH;
                    stop.store(enough || first_only, Relaxed);
                }
            }
        }
        totals
    };
    let mut all = Totals::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok(totals) => all.merge(totals),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    all.failed.sort_by_key(|failed| failed.seed);
    all
}

/// The seed of the session of a number: the first is that of the run, so that one session can be repeated alone.
fn nth(seed: u64, number: u64) -> u64 {
    match number {
        0 => seed,
        _ => splitmix64(seed ^ splitmix64(number)),
    }
}

/// Simulates a scenario; a panic is a failure like others.
pub fn attempt(scenario: &Scenario) -> Result<Facts, Failure> {
    catch_unwind(AssertUnwindSafe(|| simulate(scenario))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Failure {
            what: "a panic",
            detail: text.unwrap_or("without a text").to_owned(),
        })
    })
}

impl Totals {
    fn add(&mut self, scenario: &Scenario, facts: &Facts) {
        self.sessions += 1;
        self.whole += u64::from(facts.whole);
        self.with_gaps += u64::from(facts.tally.gaps > 0);
        self.messages += facts.tally.messages;
        self.lost += facts.tally.lost;
        self.recovered += facts.recovered;
        self.lost_packets += facts.lost_packets;
        self.requests += facts.requests;
        self.restarts += facts.tally.restarts;
        self.malformed += facts.tally.malformed;
        self.lasted += facts.lasted;
        *self
            .protocols
            .entry(crate::scenario::name(scenario.protocol))
            .or_default() += 1;
        if let Some(asking) = &scenario.recovery {
            *self.services.entry(asking.service.name()).or_default() += 1;
        }
    }

    fn merge(&mut self, other: Totals) {
        self.sessions += other.sessions;
        self.whole += other.whole;
        self.with_gaps += other.with_gaps;
        self.messages += other.messages;
        self.lost += other.lost;
        self.recovered += other.recovered;
        self.lost_packets += other.lost_packets;
        self.requests += other.requests;
        self.restarts += other.restarts;
        self.malformed += other.malformed;
        self.lasted += other.lasted;
        for (name, sessions) in other.protocols {
            *self.protocols.entry(name).or_default() += sessions;
        }
        for (name, sessions) in other.services {
            *self.services.entry(name).or_default() += sessions;
        }
        self.failed.extend(other.failed);
    }
}
