//! From a scenario that fails to a small one that fails in the same way.

use crate::oracle::Failure;
use crate::scenario::{Asking, Scenario};
use feed_replay::fault::{LineFaults, Rate, Reorder, ServerFaults, Spread};
use feed_replay::synth::Protocol;

/// Scenarios that are tried at most.
const TRIES: usize = 600;

/// The smallest scenario found that fails as `failure` says, and its own failure.
pub fn shrink(
    scenario: Scenario,
    failure: Failure,
    fails: impl Fn(&Scenario) -> Option<Failure>,
) -> (Scenario, Failure) {
    let (mut smallest, mut shown, mut tries) = (scenario, failure, 0);
    'smaller: loop {
        for candidate in smaller(&smallest) {
            tries += 1;
            if tries > TRIES {
                break 'smaller;
            }
            if let Some(failure) = fails(&candidate).filter(|f| f.what == shown.what) {
                (smallest, shown) = (candidate, failure);
                continue 'smaller;
            }
        }
        break;
    }
    (smallest, shown)
}

/// Scenarios with less of something, those with much less first.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut with = |change: &dyn Fn(&mut Scenario)| {
        let mut changed = scenario.clone();
        change(&mut changed);
        if changed != *scenario {
            all.push(changed);
        }
    };
    with(&|s| s.recovery = None);
    for line in 0..scenario.lines.len() {
        if scenario.lines.len() > 1 {
            with(&|s| drop(s.lines.remove(line)));
        }
    }
    for restarts in [
        0,
        scenario.restarts / 2,
        scenario.restarts.saturating_sub(1),
    ] {
        with(&|s| s.restarts = restarts);
    }
    if scenario.recovery.is_none() {
        with(&|s| s.protocol = Protocol::Itch50);
    }
    let messages = scenario.messages;
    for messages in [
        messages / 4,
        messages / 2,
        messages * 3 / 4,
        messages * 9 / 10,
    ] {
        with(&|s| s.messages = messages.max(1));
    }
    for join in [0, scenario.join / 2] {
        with(&|s| s.join = join);
    }
    with(&|s| s.handler.stall = 0);
    with(&|s| s.handler.batch = 1);
    for place in 0..scenario.lines.len() {
        with(&|s| s.lines[place].payload = s.lines[0].payload);
        for faults in fewer(&scenario.lines[place].faults) {
            with(&|s| s.lines[place].faults = faults.clone());
        }
    }
    if let Some(asking) = &scenario.recovery {
        for simpler in simpler(asking) {
            with(&|s| s.recovery = Some(simpler.clone()));
        }
    }
    // Other packets are lost then, and perhaps fewer are needed.
    for seed in [1, 2, 3] {
        with(&|s| {
            if s.seed > seed {
                s.seed = seed;
            }
        });
    }
    all
}

/// Faults of a line or a feed, each left out or made less.
fn fewer(now: &LineFaults) -> Vec<LineFaults> {
    let half = |rate: Rate| Rate::per_billion(rate.billionths() / 2).unwrap_or(Rate::NEVER);
    let none = Reorder::default();
    let with = |change: &dyn Fn(&mut LineFaults)| {
        let mut faults = now.clone();
        change(&mut faults);
        faults
    };
    let mut all = vec![
        with(&|f| *f = LineFaults::default()),
        with(&|f| (f.loss, f.burst) = (Rate::NEVER, 0)),
        with(&|f| f.burst = 0),
        with(&|f| f.silences.clear()),
        with(&|f| f.corrupt = Rate::NEVER),
        with(&|f| f.dup = Rate::NEVER),
        with(&|f| f.reorder = none),
        with(&|f| f.delay = Spread::default()),
        with(&|f| f.skew = 0),
        with(&|f| f.corrupt = half(f.corrupt)),
        with(&|f| f.dup = half(f.dup)),
        with(&|f| {
            f.silences
                .iter_mut()
                .for_each(|s| s.length = s.length.div_ceil(2))
        }),
        with(&|f| f.skew /= 2),
        with(&|f| f.delay.low = f.delay.high),
    ];
    if !now.in_bursts() {
        all.push(with(&|f| f.loss = half(f.loss)));
    }
    if now.reorder.by > 1 {
        all.push(with(&|f| f.reorder.by /= 2));
    }
    all
}

/// Recovery with less that is wrong.
fn simpler(asking: &Asking) -> Vec<Asking> {
    let with = |change: &dyn Fn(&mut Asking)| {
        let mut simpler = asking.clone();
        change(&mut simpler);
        simpler
    };
    let mut all = vec![
        with(&|a| a.start = false),
        with(&|a| a.servers.truncate(1)),
        with(&|a| a.loops.retain(|feed| !feed.orders)),
        with(&|a| a.loops.truncate(1)),
        with(&|a| {
            a.loops
                .iter_mut()
                .for_each(|feed| feed.faults = LineFaults::default())
        }),
        with(&|a| {
            a.servers
                .iter_mut()
                .for_each(|s| *s = ServerFaults::default())
        }),
        with(&|a| (a.wishes, a.room) = (4_096, 4_096)),
        with(&|a| a.attempts = 1),
        with(&|a| a.ask = 1_000),
        with(&|a| (a.flight, a.payload) = (1, 1_400)),
    ];
    for place in 0..asking.servers.len() {
        all.extend([
            with(&|a| a.servers[place].refuse = Rate::NEVER),
            with(&|a| a.servers[place].wrong = Rate::NEVER),
            with(&|a| a.servers[place].loss = Rate::NEVER),
            with(&|a| a.servers[place].close = Rate::NEVER),
            with(&|a| a.servers[place].late = Spread::default()),
            with(&|a| a.servers[place].trickle = 0),
        ]);
    }
    for (place, feed) in asking.loops.iter().enumerate() {
        let fewer = fewer(&feed.faults).into_iter();
        all.extend(fewer.map(|faults| with(&|a| a.loops[place].faults = faults.clone())));
    }
    all
}
