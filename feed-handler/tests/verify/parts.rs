//! What is the same is equal; what is not is found where it was put.

use crate::scratch::Scratch;
use crate::sessions::{Faults, Feed, LAYOUTS, everything};
use crate::support::*;
use feed_common::time::UnixNanos;
use feed_handler::trail::{DIGESTS, GapMark, PLAN};
use feed_handler::verify::{PartKind, render};
use feed_replay::synth::Protocol;

const LOSSY: Faults = Faults {
    per_line: 200,
    hole_every: 0,
    skew: 30_000,
};

#[test]
fn a_run_is_equal_to_its_file_and_to_a_run_on_other_threads_and_lines() {
    let scratch = Scratch::new();
    for (i, protocol) in everything().enumerate() {
        let feed = Feed::new(protocol, 3_000, 74, LOSSY);
        let lossy = file(&scratch.0, "lossy.pcap", feed.capture());
        let whole = file(&scratch.0, "whole.pcap", feed.lossless());
        let runs = LAYOUTS.map(|threads| {
            let dir = scratch.0.join(format!("{i} {threads}"));
            run(&marked(protocol, threads), &lossy, dir)
        });
        let [one, two] = &runs;
        for other in [&lossy, &whole, one, two] {
            let verdict = verdict(one, other);
            assert_equal(&verdict);
            let units: Vec<_> = verdict
                .records
                .compared
                .iter()
                .map(|c| c.place.unit)
                .collect();
            let want: &[u8] = if protocol == Protocol::Pitch {
                &[1, 2]
            } else {
                &units
            };
            assert_eq!(units, want, "{protocol:?}");
        }
    }
}

#[test]
fn a_changed_price_is_found_at_its_number() {
    let scratch = Scratch::new();
    let feed = Feed::new(Protocol::Itch50, 6_000, 3, Faults::default());
    let mut changed = packets(&feed);
    let plan = one_thread(Protocol::Itch50);
    let original = file(&scratch.0, "original.pcap", capture(&changed));
    let at = change_a_price(&mut changed, 3_000);
    let changed = file(&scratch.0, "changed.pcap", capture(&changed));
    let dir = run(&plan, &original, scratch.0.join("run"));
    let found = verdict(&dir, &changed);
    let part = first(&found);
    assert_eq!(part.kind, PartKind::Records);
    assert!(part.from <= at && at < part.to.unwrap(), "{part:?}");
    assert!(part.to.unwrap() - part.from <= EVERY);
    let narrowed = found.first.as_ref().unwrap();
    assert_eq!(narrowed.sequence, at);
    let [was, is] = narrowed.records.each_ref().map(|r| r.as_ref().unwrap());
    assert_eq!((was.kind.as_str(), is.kind.as_str()), ("add", "add"));
    assert!(was.price != is.price && was.order_id == is.order_id);
    // Both books and records differ, and as many messages came.
    let totals: Vec<_> = found.totals.iter().map(|t| t.what).collect();
    assert!(totals.contains(&"record_digest") && !totals.contains(&"messages"));
    assert!(render(&found).contains("The first record that differs is at sequence"));
    // A run whose capture is gone can say the stretch, and says why no more.
    std::fs::remove_file(&original).unwrap();
    let found = verdict(&dir, &changed);
    let part = first(&found);
    assert!(part.from <= at && at < part.to.unwrap());
    assert!(found.first.is_none());
    assert!(
        found.notes[0].contains("no capture of it is at hand"),
        "{:?}",
        found.notes
    );
}

#[test]
fn runs_that_part_and_come_together_again_are_compared_to_their_end() {
    let scratch = Scratch::new();
    // Without books a record follows from its message alone.
    let mut plan = one_thread(Protocol::Itch50);
    plan.book.keep = feed_handler::config::BookKeep::None;
    let feed = Feed::new(Protocol::Itch50, 6_000, 3, Faults::default());
    let mut changed = packets(&feed);
    let original = run_of_bytes(&plan, capture(&changed), scratch.0.join("original"));
    let at = [1_000, 4_000].map(|behind| change_a_price(&mut changed, behind));
    let changed = run_of_bytes(&plan, capture(&changed), scratch.0.join("changed"));
    let found = verdict(&original, &changed);
    let parts = &found.records.parts;
    assert_eq!((parts.len(), found.records.compared[0].parted), (2, 2));
    for (part, at) in parts.iter().zip(at) {
        assert!(part.from <= at && at < part.to.unwrap());
        assert_eq!(part.records[0], part.records[1]);
    }
}

#[test]
fn packets_that_one_side_lacks_are_a_gap_with_a_name() {
    let scratch = Scratch::new();
    let faults = Faults {
        hole_every: 70,
        ..LOSSY
    };
    for protocol in everything() {
        let feed = Feed::new(protocol, 6_000, 74, faults);
        let lossy = file(&scratch.0, "lossy.pcap", feed.capture());
        let whole = file(&scratch.0, "whole.pcap", feed.lossless());
        let dir = run(&one_thread(protocol), &lossy, scratch.0.join("run"));
        assert_equal(&verdict(&dir, &lossy));
        let found = verdict(&dir, &whole);
        let part = first(&found);
        let narrowed = found.first.as_ref();
        let narrowed = narrowed.unwrap_or_else(|| panic!("{protocol:?}: {:?}", found.notes));
        // Numbers of a feed with two units are not those of the session.
        let gap = match protocol {
            Protocol::Pitch => part.gaps[0][0],
            _ => {
                let (first, count) = feed.holes[0];
                GapMark { first, count }
            }
        };
        assert_eq!(part.gaps[0][0], gap, "{protocol:?}");
        assert_eq!(narrowed.sequence, gap.first, "{protocol:?}");
        let record = narrowed.records[0].as_ref().unwrap();
        assert_eq!((record.kind.as_str(), record.order_id), ("gap", gap.count));
        assert!(render(&found).contains("has a gap there that"));
        std::fs::remove_dir_all(dir).unwrap();
    }
}

#[test]
fn a_side_that_begins_later_or_ends_earlier_is_told_apart() {
    let scratch = Scratch::new();
    let mut plan = one_thread(Protocol::Itch50);
    plan.book.keep = feed_handler::config::BookKeep::None;
    let feed = Feed::new(Protocol::Itch50, 4_000, 5, Faults::default());
    let all = packets(&feed);
    // The last packet says that the session has ended, and would show what is missing before it.
    let all = &all[..all.len() * 9 / 10];
    let whole = file(&scratch.0, "whole.pcap", capture(all));
    let early = file(&scratch.0, "early.pcap", capture(&all[..all.len() / 2]));
    let late = file(&scratch.0, "late.pcap", capture(&all[all.len() / 4..]));
    let dir = run(&plan, &whole, scratch.0.join("run"));
    let found = verdict(&dir, &early);
    assert_eq!(
        (found.records.parts.len(), first(&found).kind),
        (1, PartKind::Ends)
    );
    assert_eq!(found.records.compared[0].to, Some(first(&found).from));
    assert_eq!(found.notes, Vec::<String>::new());
    // Other records between the last digest and that end are found too.
    let mut changed = all[..all.len() / 2].to_vec();
    let end = first(&found).from;
    let at = change_a_price(&mut changed, end / EVERY * EVERY);
    let changed = file(&scratch.0, "changed.pcap", capture(&changed));
    let found = verdict(&dir, &changed);
    let kinds: Vec<_> = found.records.parts.iter().map(|p| p.kind).collect();
    assert_eq!(kinds, [PartKind::Records, PartKind::Ends]);
    assert_eq!(found.first.as_ref().unwrap().sequence, at);
    // What is missing besides are the names, which ITCH says at the beginning.
    let found = verdict(&dir, &late);
    assert_eq!(
        (first(&found).kind, first(&found).from),
        (PartKind::Begins, 1)
    );
    assert_eq!(first(&found).less, Some(1));
}

#[test]
fn sessions_are_compared_one_by_one() {
    let scratch = Scratch::new();
    let plan = one_thread(Protocol::Itch50);
    let feeds = [6, 7].map(|seed| Feed::new(Protocol::Itch50, 2_000, seed, Faults::default()));
    let [mut one, two] = feeds.each_ref().map(packets);
    let last = one.last().unwrap().0;
    let second = two.iter().map(|(time, payload)| {
        let time = UnixNanos(last.0 + 1 + (*time - two[0].0) as u64);
        (time, payload.clone())
    });
    one.extend(second);
    let dir = run_of_bytes(&plan, capture(&one), scratch.0.join("run"));
    let at = change_a_price(&mut one[feeds[0].carried().count() / 2..], 1_000);
    let changed = file(&scratch.0, "changed.pcap", capture(&one));
    let found = verdict(&dir, &changed);
    let epochs: Vec<_> = found
        .records
        .compared
        .iter()
        .map(|c| (c.place.epoch, c.parted))
        .collect();
    assert!(matches!(epochs[..], [(0, 0), (1, 1..)]), "{epochs:?}");
    let part = first(&found);
    assert_eq!(part.place.epoch, 1);
    assert!(part.from <= at && at < part.to.unwrap());
}

#[test]
fn what_is_left_of_a_trail_is_compared_and_the_rest_is_named() {
    let scratch = Scratch::new();
    let feed = Feed::new(Protocol::Itch50, 4_000, 9, Faults::default());
    let whole = file(&scratch.0, "whole.pcap", feed.lossless());
    let dir = run(&one_thread(Protocol::Itch50), &whole, scratch.0.join("run"));
    let digests = dir.join(DIGESTS);
    let text = std::fs::read_to_string(&digests).unwrap();
    let damaged = text.replacen("\"sequence\":640,", "\"sequence\":oops,", 1);
    assert_ne!(damaged, text);
    std::fs::write(&digests, damaged).unwrap();
    let found = verdict(&dir, &whole);
    assert!(found.equal && found.notes[0].contains("not all of its trail can be read: line "));
    // Ended from outside, in the middle of a line.
    std::fs::write(&digests, &text[..text.len() / 2]).unwrap();
    let found = verdict(&dir, &whole);
    let part = first(&found);
    assert_eq!((part.kind, part.less), (PartKind::Ends, Some(0)));
    assert!(
        part.from > 1_000 && part.from.is_multiple_of(EVERY),
        "{part:?}"
    );
    assert!(found.notes[0].contains("its trail has no end"));
    for gone in [DIGESTS, PLAN] {
        std::fs::write(&digests, &text).unwrap();
        std::fs::remove_file(dir.join(gone)).unwrap();
        let error = feed_handler::verify::verify(&dir, &whole).unwrap_err();
        assert!(error.to_string().contains(gone), "{error}");
    }
}
