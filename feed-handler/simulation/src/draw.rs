//! A scenario from a seed: every protocol, every fault, alone and together.

use crate::scenario::{Asking, Feed, Handler, Line, Scenario, Service, protocols};
use feed_replay::fault::{LineFaults, Reorder, ServerFaults, Silence, Spread};
use feed_replay::synth::Protocol;
use feed_replay::synth::rng::{Rng, splitmix64};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;

/// Payload limits that every protocol's messages fit.
const PAYLOADS: [usize; 4] = [1_472, 1_000, 700, 512];

impl Scenario {
    /// The scenario of a seed: four of five channels have a recovery, each of the services as often as any other.
    pub fn draw(seed: u64) -> Scenario {
        let mut rng = Rng::new(splitmix64(seed));
        let all: Vec<Protocol> = protocols().collect();
        let services = Service::ALL.len() as u64;
        let service = rng
            .chance(4, 5)
            .then(|| Service::ALL[rng.below(services) as usize]);
        let protocol = match service {
            Some(service) => service.protocol(),
            None => all[rng.below(all.len() as u64) as usize],
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
        let recovery = service.map(|service| asking(service, &mut rng));
        Scenario {
            protocol,
            seed: rng.next_u64() >> 32,
            messages,
            rate,
            restarts: match (service, rng.below(6)) {
                // The feed has no sessions.
                _ if protocol == Protocol::Pitch => 0,
                // Snapshots do not say of which session they are.
                (Some(service), _) if !service.brings_messages() => 0,
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

fn asking(service: Service, rng: &mut Rng) -> Asking {
    // As it should be: nothing may be lost then.
    let sound = rng.chance(1, 2);
    let answer = match sound {
        true => 8 * MS,
        false => [200 * US, 2 * MS, 10 * MS][rng.below(3) as usize],
    };
    let servers = match service {
        Service::Mdp3 => 0,
        _ => rng.between(1, 2),
    };
    let servers = (0..servers).map(|_| match sound {
        true => ServerFaults::default(),
        false => server(service, rng),
    });
    let servers = servers.collect();
    let loops = match service {
        Service::Mdp3 => loops(sound, rng),
        _ => Vec::new(),
    };
    Asking {
        service,
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
        loops,
    }
}

/// One or two feeds of levels and of orders: without the latter nothing would say that an instrument whose first order was
/// lost has any.
fn loops(sound: bool, rng: &mut Rng) -> Vec<Feed> {
    let levels = rng.between(1, 2);
    let orders = rng.between(1, 2);
    let kinds = (0..levels).map(|_| false).chain((0..orders).map(|_| true));
    // Feeds of one kind say the same.
    let periods = [0, 1].map(|_| [5 * MS, 10 * MS, 13 * MS, 30 * MS][rng.below(4) as usize]);
    let feed = |orders| Feed {
        orders,
        period: periods[usize::from(orders)],
        faults: match (sound, rng.chance(1, 2)) {
            (true, true) => LineFaults::default(),
            (true, false) => LineFaults {
                loss: Scenario::per_mille(50),
                ..LineFaults::default()
            },
            (false, _) => line(rng, 100 * MS).faults,
        },
    };
    kinds.map(feed).collect()
}

fn server(service: Service, rng: &mut Rng) -> ServerFaults {
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
        // The last is no answer at all.
        let high = [300 * US, 3 * MS, 30 * MS, 60_000 * MS][rng.below(4) as usize];
        faults.late = Spread { low: 0, high };
    }
    if rng.chance(1, 8) {
        faults.trickle = match service {
            // From message to message, or from packet to packet.
            Service::MoldUdp64 | Service::Pillar => [100 * US, 5 * MS][rng.below(2) as usize],
            // From byte to byte.
            _ => [2 * US, 30 * US, 1_000 * MS][rng.below(3) as usize],
        };
    }
    faults
}
