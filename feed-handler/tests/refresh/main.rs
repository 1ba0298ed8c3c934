//! CME's snapshot loops joined with the packets of lossy lines, in virtual time: no book that is said to be valid is ever
//! another than the clean run's after the same packet, and in the end all of them are valid.

mod world;

use feed_replay::synth::rng::Rng;
use world::{End, MS, Scenario, play, play_changed};

/// Everything was made whole again, if the end of the session was seen.
#[track_caller]
fn assert_healed(end: &End, what: &Scenario) {
    if end.complete {
        assert_eq!(end.valid, end.all, "{what:?}: {end:?}");
    }
}

#[test]
fn without_a_loss_nothing_is_wished_for_and_nothing_doubted() {
    let end = play(&Scenario::new(1));
    assert!(end.complete && end.all > 20, "{end:?}");
    assert_eq!((end.lost, end.valid, end.doubted), (0, end.all, 0));
    assert_eq!(end.counters["joins"], 0);
}

#[test]
fn what_both_lines_lose_is_mended_by_instrument() {
    let (mut lost, mut complete) = (0, 0);
    for seed in 1..=12 {
        let scenario = Scenario {
            lines: vec!["loss=5%"; 2],
            ..Scenario::new(seed)
        };
        let end = play(&scenario);
        assert_healed(&end, &scenario);
        (lost, complete) = (lost + end.lost, complete + u32::from(end.complete));
    }
    assert!(
        lost > 15 && complete > 8,
        "{lost} lost, {complete} complete"
    );
}

#[test]
fn a_late_join_is_whole_after_a_loop_or_two() {
    for seed in 1..=6 {
        let scenario = Scenario {
            late: (20 + 20 * seed) * MS,
            ..Scenario::new(seed)
        };
        let end = play(&scenario);
        assert!(end.complete && end.lost == 0 && end.doubted > 0, "{end:?}");
        assert!(end.all > 20, "{end:?}");
        assert_healed(&end, &scenario);
        assert!(end.counters["snapshot_whole"] > 20, "{end:?}");
    }
}

#[test]
fn loops_with_faults_of_their_own_take_longer_and_tell_no_lies() {
    for seed in 1..=12 {
        let scenario = Scenario {
            lines: vec!["loss=3% burst=4", "loss=3% delay=0..500us"],
            levels: vec!["loss=10% dup=5% reorder=3", "loss=10% skew=200us"],
            orders: vec!["loss=5%", "dup=10% delay=0..2ms"],
            late: seed % 3 * 40 * MS,
            delay: seed % 4 * MS,
            ..Scenario::new(seed)
        };
        assert_healed(&play(&scenario), &scenario);
    }
}

/// A scenario in which much is to be mended, with loops changed on their way.
fn hostile(seed: u64, mut change: impl FnMut(&mut Rng, &mut Vec<u8>)) -> End {
    let scenario = Scenario {
        lines: vec!["loss=5%"; 2],
        late: seed % 2 * 30 * MS,
        ..Scenario::new(seed)
    };
    let mut rng = Rng::new(seed);
    play_changed(&scenario, &mut |packet| change(&mut rng, packet))
}

/// Where the messages of a packet of snapshots begin.
fn messages(packet: &[u8]) -> Vec<usize> {
    let mut at = vec![12];
    while let Some(size) = packet.get(at[at.len() - 1]..).and_then(|m| m.first_chunk()) {
        at.push(at[at.len() - 1] + usize::from(u16::from_le_bytes(*size)));
    }
    at.pop();
    at
}

#[test]
fn a_loop_of_garbage_mends_nothing() {
    for seed in 1..=3 {
        let end = hostile(seed, |rng, packet| {
            packet
                .iter_mut()
                .for_each(|byte| *byte = rng.below(256) as u8);
        });
        assert!(
            end.counters["snapshot_whole"] == 0 && end.counters["garbage"] > 0,
            "{end:?}"
        );
        let end = hostile(seed, |rng, packet| {
            packet.truncate(rng.below(packet.len() as u64) as usize);
        });
        assert!(end.counters["garbage"] > 0, "{end:?}");
    }
}

#[test]
fn snapshots_of_long_ago_and_of_times_to_come_are_of_no_use() {
    for (seed, as_of, counted) in [(1, 0, "snapshot_stale"), (2, u32::MAX, "snapshot_ahead")] {
        let end = hostile(seed, |_, packet| {
            for at in messages(packet) {
                packet[at + 10..at + 14].copy_from_slice(&as_of.to_le_bytes());
            }
        });
        assert!(end.counters[counted] > 0, "{end:?}");
        assert_eq!(end.counters["snapshot_whole"], 0, "{end:?}");
    }
}

#[test]
fn a_wrong_total_costs_wholeness_of_loops_alone() {
    let end = hostile(3, |_, packet| {
        for at in messages(packet) {
            packet[at + 14] ^= 1;
        }
    });
    assert_eq!(end.counters["loops_whole"], 0, "{end:?}");
    assert!(end.lost > 0, "{end:?}");
}

#[test]
fn chunks_out_of_order_are_not_put_together() {
    let end = hostile(4, |_, packet| {
        for at in messages(packet) {
            let template = u16::from_le_bytes([packet[at + 4], packet[at + 5]]);
            if template == 53 {
                packet[at + 10 + 16] = 2; // whatever it was
            }
        }
    });
    assert!(end.counters["snapshot_chunk"] > 0, "{end:?}");
    assert!(
        end.valid < end.all,
        "no orders, no trust in who has them: {end:?}"
    );
}

#[test]
fn two_loops_on_one_feed_tell_no_lies() {
    for seed in 5..=8 {
        let scenario = Scenario {
            lines: vec!["loss=5%"; 2],
            levels: vec!["", "delay=0..3ms"],
            orders: vec!["", "loss=10%"],
            uneven: true,
            late: seed % 2 * 30 * MS,
            ..Scenario::new(seed)
        };
        assert_healed(&play(&scenario), &scenario);
    }
}

#[test]
fn a_small_store_of_packets_makes_old_snapshots_stale() {
    let scenario = Scenario {
        lines: vec!["loss=5%"; 2],
        delay: 20 * MS,
        stash: 16,
        ..Scenario::new(6)
    };
    let end = play(&scenario);
    assert!(end.counters["snapshot_stale"] > 0, "{end:?}");
}
