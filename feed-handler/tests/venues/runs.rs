//! The pipeline of a run, from a file: live runs of the same sessions are in `live`.

use crate::made::Made;
use crate::sessions::{GROUPS, LAYOUTS, from_file, plan};

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
