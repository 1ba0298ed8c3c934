//! A scenario from a seed: every protocol, every fault, alone and together.

use crate::scenario::{Asking, Handler, Line, Scenario, protocols};
use feed_replay::fault::{LineFaults, Reorder, ServerFaults, Silence, Spread};
use feed_replay::synth::Protocol;
use feed_replay::synth::rng::{Rng, splitmix64};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;

/// Payload limits that every protocol's messages fit.
const PAYLOADS: [usize; 4] = [1_472, 1_000, 700, 512];

impl Scenario {
    /// The scenario of a seed. Half of them speak the protocol whose recovery can be simulated.
    pub fn draw(seed: u64) -> Scenario {
        let mut rng = Rng::new(splitmix64(seed));
        let all: Vec<Protocol> = protocols().collect();
        let protocol = match rng.chance(1, 2) {
            true => Protocol::Itch50,
            false => all[rng.below(all.len() as u64) as usize],
        };
        let messages = match rng.below(8) {
            0 => rng.between(500, 2_000),
            1..=3 => rng.between(200, 500),
            _ => rng.between(50, 200),
        };
        let rate = [20_000, 50_000, 200_000][rng.below(3) as usize];
        let lasts = messages * 1_000 * MS / rate;
        let lines = [1, 2, 2, 2, 3][rng.below(5) as usize];
        let lines = (0..lines).map(|_| line(&mut rng, lasts)).collect();
        let handler = Handler {
            window: [0, 100 * US, MS, 5 * MS][rng.below(4) as usize],
            stash: [1, 4, 16, 64, 256, 256][rng.below(6) as usize],
            batch: [1, 4, 32][rng.below(3) as usize],
            stall: [0, 0, 0, 200 * US, 5 * MS][rng.below(5) as usize],
        };
        let recovery = (protocol == Protocol::Itch50 && rng.chance(3, 4)).then(|| asking(&mut rng));
        Scenario {
            protocol,
            seed: rng.next_u64() >> 32,
            messages,
            rate,
            restarts: match (protocol, rng.below(6)) {
                // The feed has no sessions.
                (Protocol::Pitch, _) => 0,
                (_, 0) => rng.between(1, 3),
                _ => 0,
            },
            join: match rng.below(5) {
                0 => rng.below(lasts),
                _ => 0,
            },
            handler,
            lines,
            recovery,
        }
    }
}

fn line(rng: &mut Rng, lasts: u64) -> Line {
    let mut faults = LineFaults::default();
    if rng.chance(2, 3) {
        faults.loss = Scenario::per_mille([2, 10, 50, 200][rng.below(4) as usize]);
        if rng.chance(1, 3) {
            faults.burst = rng.between(2, 20) as u32;
        }
    }
    if rng.chance(1, 8) {
        let at = rng.below(lasts);
        faults.silences.push(Silence {
            at,
            length: rng.between(1, lasts),
        });
    }
    if rng.chance(1, 6) {
        faults.corrupt = Scenario::per_mille([5, 50][rng.below(2) as usize]);
    }
    if rng.chance(1, 4) {
        faults.dup = Scenario::per_mille([10, 300][rng.below(2) as usize]);
    }
    if rng.chance(1, 4) {
        faults.reorder = Reorder {
            rate: Scenario::per_mille([20, 200, 1_000][rng.below(3) as usize]),
            by: rng.between(1, 12),
        };
    }
    if rng.chance(1, 3) {
        let high = [20 * US, 300 * US, 2 * MS][rng.below(3) as usize];
        let low = rng.below(high);
        faults.delay = Spread { low, high };
    }
    if rng.chance(1, 4) {
        faults.skew = [10 * US, MS, 20 * MS][rng.below(3) as usize];
    }
    Line {
        payload: PAYLOADS[rng.below(4) as usize],
        faults,
    }
}

fn asking(rng: &mut Rng) -> Asking {
    // As it should be: nothing may be lost then.
    let sound = rng.chance(1, 2);
    let answer = match sound {
        true => 8 * MS,
        false => [200 * US, 2 * MS, 10 * MS][rng.below(3) as usize],
    };
    let servers = rng.between(1, 2);
    let servers = (0..servers).map(|_| match sound {
        true => ServerFaults::default(),
        false => server(rng),
    });
    let servers = servers.collect();
    Asking {
        poll: [50 * US, 200 * US, MS][rng.below(3) as usize],
        attempts: rng.between(1, 6) as u32,
        answer,
        ask: [1, 10, 1_000, 65_534][rng.below(4) as usize],
        flight: [1, 2, 4, 16][rng.below(4) as usize],
        payload: [100, 400, 1_400][rng.below(3) as usize],
        limit: match sound {
            true => 10 * answer,
            false => [100 * US, 10 * MS, 100 * MS][rng.below(3) as usize],
        },
        wishes: if sound {
            4_096
        } else {
            [1, 16, 4_096][rng.below(3) as usize]
        },
        room: if sound {
            4_096
        } else {
            [2, 64, 4_096][rng.below(3) as usize]
        },
        start: rng.chance(1, 2),
        servers,
    }
}

fn server(rng: &mut Rng) -> ServerFaults {
    let mut faults = ServerFaults::default();
    let mut rate = |of: u64| match rng.chance(1, of) {
        true => Scenario::per_mille([20, 200, 1_000][rng.below(3) as usize]),
        false => Scenario::per_mille(0),
    };
    faults.refuse = rate(3);
    faults.wrong = rate(3);
    faults.loss = rate(3);
    faults.close = rate(8);
    if rng.chance(1, 3) {
        let high = [300 * US, 3 * MS, 30 * MS][rng.below(3) as usize];
        faults.late = Spread { low: 0, high };
    }
    if rng.chance(1, 8) {
        faults.trickle = [100 * US, 5 * MS][rng.below(2) as usize];
    }
    faults
}
