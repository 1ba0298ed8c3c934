use super::*;
use crate::inspect::dissector;
use crate::inspect::gaps::tests::{Sent, T, group, mold, traffic, with_capture};
use crate::inspect::stats::stats;
use crate::sequence::{self, SeqSpan};
use feed_common::wire::ProtocolName;
use proptest::prelude::*;

const S: &[u8; 10] = b"SESSION1  ";

fn look(sent: &[Sent], lines: &Lines) -> Contributions {
    with_capture(sent, |datagrams| {
        let streams = Streams::given(dissector(ProtocolName::Itch50));
        contributions(|| datagrams, &streams, lines).0
    })
}

#[test]
fn who_was_first_by_how_much_and_what_each_lost() {
    let packets = [
        (0, 1, 1, 2),
        (90, 2, 1, 2),
        (100, 1, 3, 1),
        (170, 2, 3, 1),
        (180, 2, 4, 4), // the first lost it
        (200, 2, 9, 1), // both lost 8
        (260, 1, 9, 1),
        (300, 1, 10, 3), // the second has ended
        (900, 1, 13, 0),
    ];
    let mut sent: Vec<Sent> = packets
        .iter()
        .map(|&(after, port, first, count)| (after, port, mold(S, first, count)))
        .collect();
    sent.push((901, 1, b"noise".to_vec()));
    let found = look(&sent, &Lines::Given(vec![vec![group(2), group(1)]]));
    assert_eq!(found.errors.values().sum::<u64>(), 1);
    let [channel] = &found.channels[..] else {
        panic!("{found:?}");
    };
    assert_eq!((channel.messages, channel.lost_by_all), (11, 1));
    assert_eq!(
        (channel.session.as_str(), channel.restarts),
        ("SESSION1", 0)
    );
    // As the user listed them.
    let [a, b] = &channel.lines[..] else {
        panic!("{channel:?}");
    };
    assert_eq!((a.line.as_str(), a.group.as_str()), ("A", "239.0.0.1:2"));
    assert_eq!((a.packets, a.messages, a.first), (4, 8, 5));
    assert_eq!((b.packets, b.messages, b.first), (6, 7, 6));
    assert_eq!((a.lost, a.lost_alone, a.absent), (1, 0, 3));
    assert_eq!((b.lost, b.lost_alone, b.absent), (5, 4, 0));
    assert_eq!((a.duplicates, b.duplicates), (2, 1));
    let lead = |count, min, max| (count, min, max);
    let of = |l: &LineFacts| (l.lead_ns.count, l.lead_ns.min, l.lead_ns.max);
    assert_eq!((of(a), of(b)), (lead(1, 60, 60), lead(2, 70, 90)));
    assert_eq!(
        (a.longest_silence_ns, a.longest_silence_since_ns),
        (701, Some(T + 200)),
        "to the end of the channel"
    );
    assert_eq!(
        (b.longest_silence_ns, b.longest_silence_since_ns),
        (600, Some(T + 300))
    );
    assert_eq!(
        (a.first_packet_ns, b.last_packet_ns),
        (Some(T + 90), Some(T + 901))
    );
}

#[test]
fn lines_of_sessions_that_only_one_has_are_absent_there() {
    let sent = [
        (0, 1, mold(S, 1, 2)),
        (1, 2, mold(S, 1, 2)),
        (2, 1, mold(b"SESSION2  ", 1, 5)),
    ];
    let found = look(&sent, &Lines::Given(vec![vec![group(1), group(2)]]));
    let [channel] = &found.channels[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        (channel.restarts, channel.session.as_str()),
        (1, "SESSION2")
    );
    assert_eq!((channel.lines[0].absent, channel.lines[1].absent), (0, 5));
}

proptest! {
    /// The live statistics, which know a window, and those of `stats`, which know all, say the same.
    #[test]
    fn agrees_with_the_live_statistics_and_with_stats(traffic in traffic()) {
        let sent: Vec<Sent> = (0..)
            .zip(&traffic)
            .map(|(at, &(port, first, count))| (at, port, mold(S, first, count)))
            .collect();
        let lines = Lines::Given(vec![vec![group(1), group(2), group(3)]]);
        let found = look(&sent, &lines);
        let channel = &found.channels[0];
        let counted = with_capture(&sent, |datagrams| {
            let streams = Streams::given(dissector(ProtocolName::Itch50));
            stats(|| datagrams, Some(&streams), &lines).unwrap().0
        });
        prop_assert_eq!(channel.lost_by_all, counted.lost);
        prop_assert_eq!(channel.messages, counted.messages);
        prop_assert_eq!(channel.lines.iter().map(|l| l.duplicates).sum::<u64>(), counted.duplicates);
        prop_assert_eq!(channel.lines.iter().map(|l| l.first).sum::<u64>(), counted.messages);

        let groups: Vec<String> = channel.lines.iter().map(|l| l.group.clone()).collect();
        let mut live = sequence::Lines::new(groups.len());
        live.add_unit();
        for (at, &(port, first, count)) in (0..).zip(&traffic) {
            let line = groups.iter().position(|g| *g == group(port).to_string()).unwrap();
            let span = SeqSpan { first, count: count as u64 };
            live.bring(line, 0, span, span.count, at, UnixNanos(T + at));
        }
        prop_assert_eq!(live.lost_by_all(), channel.lost_by_all);
        for (number, line) in channel.lines.iter().enumerate() {
            let of = &live[number];
            prop_assert_eq!((of.packets, of.messages), (line.packets, line.messages));
            prop_assert_eq!((of.lost(), of.lost_alone()), (line.lost, line.lost_alone));
            // What comes again from before the first of all has no lead while the window does not know of it.
            if traffic.iter().all(|&(_, first, _)| first >= traffic[0].1) {
                prop_assert_eq!(report::Lead::from(of.lead()), line.lead_ns);
            }
            prop_assert_eq!(live.silence(number).nanos, line.longest_silence_ns);
        }
    }
}
