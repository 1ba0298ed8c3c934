//! The pipeline of a run, from a file: live runs of the same sessions are in `live`.

use crate::made::Made;
use crate::sessions::{Faults, Feed, GROUPS, LAYOUTS, everything, from_file, plan};
use feed_replay::synth::Protocol;

#[test]
fn a_run_from_a_file_gives_the_same_in_either_layout() {
    for made in Made::all(51) {
        let what = made.what();
        let digests = LAYOUTS.map(|threads| {
            let outcome = from_file(&plan(made.spec.protocol, threads), made.capture(&GROUPS));
            let (lane, channel) = (&outcome.lanes[0], &outcome.lanes[0].channels[0]);
            assert_eq!(lane.messages, made.summary.messages, "{what}");
            let dropped = lane.drops.values().sum::<u64>();
            assert_eq!(dropped, 0, "{what}: {:?}", lane.drops);
            let sequence = (channel.sequence.gaps, channel.sequence.lost);
            assert_eq!(sequence, (0, 0), "{what}");
            assert!(lane.published > 0, "{what}");
            let faults = outcome.channel_books().map(|(_, books)| books.faults);
            let faults: u64 = faults
                .flat_map(|f| f.iter().map(|(_, n)| n).collect::<Vec<_>>())
                .sum();
            assert_eq!(faults, 0, "{what}: what cannot be in a book");
            (outcome.record_digest(), outcome.book_digest())
        });
        assert_eq!(digests[0], digests[1], "{what}");
        assert!(digests[0].1.is_some(), "{what}");
    }
}

#[test]
fn lines_that_lose_different_packets_give_what_one_whole_line_gives() {
    // The last has two units on its stream, which the lines interleave as they please.
    let all = everything().map(|protocol| (protocol, 71));
    for (protocol, seed) in all.chain([(Protocol::Pitch, 74)]) {
        let faults = Faults {
            per_line: 200,
            skew: 30_000,
            ..Faults::default()
        };
        let feed = Feed::new(protocol, 8_000, seed, faults);
        let plan = plan(protocol, LAYOUTS[0]);
        let merged = from_file(&plan, feed.capture());
        let whole = from_file(&plan, feed.lossless());
        let channel = &merged.lanes[0].channels[0];
        let lost = [0, 1].map(|line: usize| channel.lines[line].lost);
        assert!(lost.iter().all(|&n| n > 0), "{protocol:?}");
        assert_eq!(lost, feed.left_out, "{protocol:?}");
        let digest = merged.record_digest();
        assert_eq!(digest, whole.record_digest(), "{protocol:?}");
        assert_eq!(merged.book_digest(), whole.book_digest(), "{protocol:?}");
        // The digests tell sessions apart, so their being equal says something.
        let other = Feed::new(protocol, 8_000, 72, faults);
        let other = from_file(&plan, other.capture());
        assert_ne!(digest, other.record_digest(), "{protocol:?}");
        assert_ne!(merged.book_digest(), other.book_digest(), "{protocol:?}");
    }
}

#[test]
fn what_both_lines_lose_is_declared_exactly() {
    for protocol in everything() {
        let faults = Faults {
            per_line: 100,
            hole_every: 70,
            ..Faults::default()
        };
        let feed = Feed::new(protocol, 8_000, 81, faults);
        let outcome = from_file(&plan(protocol, LAYOUTS[0]), feed.capture());
        let sequence = outcome.lanes[0].channels[0].sequence;
        let lost: u64 = feed.holes.iter().map(|hole| hole.1).sum();
        assert!(lost > 0);
        assert_eq!(sequence.gaps, feed.holes.len() as u64, "{protocol:?}");
        assert_eq!(sequence.lost, lost, "{protocol:?}");
    }
}
