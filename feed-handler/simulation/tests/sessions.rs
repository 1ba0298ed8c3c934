//! Sessions of fixed seeds, and the cases that nobody draws by chance.

use simulation::{Scenario, attempt, protocols, run, simulate};

fn scenario(text: &str) -> Scenario {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn sessions_of_fixed_seeds_are_as_they_must_be() {
    let totals = run(20_261_122, 150, 2, true);
    let failed: Vec<_> = totals
        .failed
        .iter()
        .map(|f| (f.seed, f.failure.to_string()))
        .collect();
    assert!(failed.is_empty(), "{failed:?}");
    // They would show nothing if nothing had happened.
    assert_eq!(totals.sessions, 150);
    assert!(totals.whole > 50 && totals.with_gaps > 10 && totals.whole < totals.sessions);
    assert!(totals.lost_packets > 500 && totals.recovered > 50 && totals.lost > 200);
    assert!(totals.restarts > 10 && totals.malformed > 5);
}

#[test]
fn a_session_is_the_same_every_time() {
    for seed in 1..20 {
        let scenario = Scenario::draw(seed);
        assert_eq!(attempt(&scenario), attempt(&scenario), "{scenario}");
    }
}

#[test]
fn scenarios_are_read_as_they_are_written() {
    for seed in 0..2_000 {
        let drawn = Scenario::draw(seed);
        assert_eq!(scenario(&drawn.to_string()), drawn, "{drawn}");
    }
    let good = Scenario::draw(1).to_string();
    for bad in [
        "",
        "itch",
        "itch50 seed=1",
        &good.replace("seed", "sead"),
        &good.replace("window=", "window=soon"),
        &format!("{good}; line payload=500 loss=101%"),
        &format!("{good}; server refuse=10%; heap"),
    ] {
        assert!(bad.parse::<Scenario>().is_err(), "{bad}");
    }
}

/// Without faults, and with faults that a second line makes up for, nothing is missing: of any protocol.
#[test]
fn every_protocol_comes_out_whole_when_a_line_has_it() {
    for protocol in protocols() {
        let name = simulation::name(protocol);
        for line in [
            "",
            "loss=20% burst=4",
            "reorder=5 delay=0ns..300us",
            "dup=50%",
            "corrupt=5%",
        ] {
            let text = format!(
                "{name} seed=3 messages=300 rate=50000 restarts=0 join=0ns; handler window=50ms stash=2048 batch=4 \
                 stall=1ms; line payload=512; line payload=512 {line}"
            );
            let facts = simulate(&scenario(&text)).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert!(
                facts.whole && facts.tally.messages >= 300,
                "{text}: {facts:?}"
            );
        }
    }
}

/// Whatever lines and servers do to each other, what comes out is the same, as long as nothing is lost.
#[test]
fn no_interleaving_of_lines_and_recovery_changes_what_comes_out() {
    let mut delivered = Vec::new();
    for (batch, stall, skew, poll) in [
        (1, "0ns", "0ns", "50us"),
        (32, "5ms", "0ns", "50us"),
        (4, "1ms", "2ms", "1ms"),
        (1, "200us", "20ms", "200us"),
        (32, "0ns", "10us", "1ms"),
    ] {
        let text = format!(
            "itch50 seed=5 messages=900 rate=200000 restarts=0 join=0ns; handler window=100us stash=1024 batch={batch} \
             stall={stall}; line payload=1472 loss=20%; line payload=512 loss=20% burst=3 skew={skew}; recovery service=moldudp64 \
             poll={poll} attempts=3 answer=8ms ask=100 flight=4 payload=1400 limit=100ms \
             wishes=4096 room=4096 start=1; server; server"
        );
        let facts = simulate(&scenario(&text)).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert!(facts.whole && facts.recovered > 0, "{text}: {facts:?}");
        delivered.push(facts.tally.messages);
    }
    assert!(delivered.iter().all(|&n| n == delivered[0]));
}

/// What no line brings is asked for, and given up when the only server is of no use: in time, and by name.
#[test]
fn useless_servers_lose_nothing_else() {
    for faults in [
        "refuse=100%",
        "wrong=100%",
        "loss=100%",
        "close=100%",
        "late=30s",
    ] {
        let text = format!(
            "itch50 seed=9 messages=300 rate=50000 restarts=0 join=0ns; handler window=100us stash=256 batch=4 \
             stall=0ns; line payload=512 loss=20%; recovery service=moldudp64 poll=200us attempts=3 answer=2ms ask=100 \
             flight=4 payload=1400 limit=10ms wishes=4096 room=64 start=0; server {faults}"
        );
        let facts = simulate(&scenario(&text)).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert!(
            facts.tally.gaps > 0 && facts.tally.lost > 0,
            "{text}: {facts:?}"
        );
    }
}

/// A line that is a session behind: what it brings of the old one is named, and turns nothing back.
#[test]
fn lines_that_are_sessions_behind_are_stragglers() {
    let text = "itch50 seed=9 messages=60 rate=200000 restarts=3 join=0ns; handler window=1ms stash=64 batch=4 \
                stall=0ns; line payload=512; line payload=512 skew=1s";
    let facts = simulate(&scenario(text)).unwrap();
    assert!(facts.whole && facts.tally.restarts == 3, "{facts:?}");
    assert!(facts.tally.old_session > 3, "{facts:?}");
}

/// What the lines lose comes back from each kind of server; of states, the books are whole in the end.
#[test]
fn every_service_makes_good_for_what_the_lines_lose() {
    for (protocol, service, whom, whole) in [
        ("itch50", "moldudp64", "server", true),
        ("itch50", "soupbintcp", "server", true),
        ("pillar", "pillar", "server", true),
        ("itch50", "glimpse", "server", false),
        (
            "mdp3",
            "mdp3",
            "loop orders=0 period=5ms; loop orders=1 period=5ms",
            false,
        ),
    ] {
        let text = format!(
            "{protocol} seed=11 messages=600 rate=50000 restarts=0 join=0ns; handler window=100us stash=1024 batch=4 \
             stall=0ns; line payload=512 loss=10%; recovery service={service} poll=50us attempts=3 answer=8ms ask=100 \
             flight=4 payload=1400 limit=100ms wishes=4096 room=4096 start=0; {whom}"
        );
        let facts = simulate(&scenario(&text)).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(facts.whole, whole, "{text}: {facts:?}");
        assert_eq!(facts.recovered > 0, whole, "{text}: {facts:?}");
        assert_eq!(facts.tally.gaps > 0, !whole, "{text}: {facts:?}");
    }
}
