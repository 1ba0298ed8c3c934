use super::*;
use crate::sequence::{Dropped, Interval};
use proptest::prelude::*;

const SOCKET: Dropped = Dropped {
    socket_buffer: 3,
    ring_full: 0,
    malformed: 0,
};
const RING: Dropped = Dropped {
    socket_buffer: 0,
    ring_full: 1,
    malformed: 0,
};
const NO_FRAME: Dropped = Dropped {
    socket_buffer: 0,
    ring_full: 0,
    malformed: 2,
};
const NOTHING: Dropped = Dropped {
    socket_buffer: 0,
    ring_full: 0,
    malformed: 0,
};

fn lacks(dropped: Dropped) -> Side {
    Side::Lacks(Interval {
        from: 100,
        to: 200,
        dropped,
    })
}

fn end(sides: &[Side], by: Option<By>) -> HoleEnd {
    let mut all = [Side::default(); SIDES];
    all[..sides.len()].copy_from_slice(sides);
    HoleEnd {
        channel: 0,
        unit: 0,
        span: SeqSpan { first: 5, count: 4 },
        opened: 200,
        closed: 300,
        by,
        lost: SeqSpan::default(),
        lines: sides.len(),
        sides: all,
    }
}

/// The cause, and those of the lines that lack it by their numbers, when no counter of the machine has grown.
fn judged(sides: &[Side], by: Option<By>) -> (&'static str, Vec<(usize, &'static str)>) {
    named(end(sides, by).verdict(|_, _, _| false))
}

fn named(verdict: Verdict) -> (&'static str, Vec<(usize, &'static str)>) {
    let lines = verdict.lines.into_iter().enumerate();
    let lines = lines.filter_map(|(line, cause)| Some((line, cause?.name())));
    (verdict.cause.name(), lines.collect())
}

#[test]
fn each_cause_by_its_evidence() {
    let clean = lacks(NOTHING);
    for (dropped, name) in [
        (SOCKET, "socket_buffer"),
        (RING, "ring_full"),
        (NO_FRAME, "malformed"),
    ] {
        let side = lacks(dropped);
        assert_eq!(judged(&[side], None), (name, vec![(0, name)]));
        let both = vec![(0, name), (1, name)];
        assert_eq!(
            judged(&[side, side], Some(By::Retransmission)),
            (name, both)
        );
        // Another line brought it: that is no more than the loss of one, and why is told of that one.
        let brought = judged(&[side, Side::Brought], Some(By::Line(1)));
        assert_eq!(brought, ("one_line", vec![(0, name)]));
    }
    assert_eq!(
        judged(&[clean, Side::Brought], Some(By::Line(1))),
        ("one_line", vec![(0, "one_line")])
    );
    assert_eq!(
        judged(&[clean, Side::Brought, clean], Some(By::Line(1))),
        ("some_lines", vec![(0, "some_lines"), (2, "some_lines")])
    );
    let upstream = vec![(0, "upstream"), (1, "upstream")];
    for by in [None, Some(By::Retransmission), Some(By::Snapshot)] {
        assert_eq!(judged(&[clean, clean], by), ("upstream", upstream.clone()));
    }
    assert_eq!(
        judged(&[Side::Brought, Side::Brought], Some(By::Line(0))),
        ("reordered", vec![])
    );
    assert_eq!(judged(&[Side::Later; 2], None), ("late_join", vec![]));
}

#[test]
fn what_the_evidence_does_not_decide_is_unknown() {
    let clean = lacks(NOTHING);
    // One line, and a line that has not come as far.
    assert_eq!(judged(&[clean], None), ("unknown", vec![(0, "unknown")]));
    let behind = judged(&[clean, Side::Behind], Some(By::Retransmission));
    assert_eq!(behind, ("unknown", vec![(0, "unknown")]));
    assert_eq!(judged(&[Side::Behind; 2], None), ("unknown", vec![]));
    assert_eq!(
        judged(&[Side::Forgotten, clean], None),
        ("unknown", vec![(0, "unknown"), (1, "unknown")])
    );
    // Two things were dropped in one interval.
    let two = Dropped {
        ring_full: 1,
        ..SOCKET
    };
    assert_eq!(
        judged(&[lacks(two)], None),
        ("unknown", vec![(0, "unknown")])
    );
}

#[test]
fn a_hole_of_different_causes_says_so_by_line() {
    assert_eq!(
        judged(&[lacks(SOCKET), lacks(RING)], None),
        ("unknown", vec![(0, "socket_buffer"), (1, "ring_full")])
    );
    // What the first line dropped here had come: the second lost it on its own way.
    assert_eq!(
        judged(&[lacks(SOCKET), lacks(NOTHING)], None),
        ("unknown", vec![(0, "socket_buffer"), (1, "one_line")])
    );
    // A line that decides is not outvoted by one that has not come as far.
    assert_eq!(
        judged(&[lacks(SOCKET), Side::Behind], None),
        ("socket_buffer", vec![(0, "socket_buffer")])
    );
}

#[test]
fn counters_of_the_machine_speak_where_nothing_was_dropped_in_this_process() {
    let end = end(&[lacks(NOTHING), lacks(SOCKET)], None);
    let asked = |line, from, to| {
        assert_eq!((from, to), (100, 200));
        line == 0
    };
    let want = vec![(0, "receive_queue"), (1, "socket_buffer")];
    assert_eq!(named(end.verdict(asked)), ("unknown", want));
    let both = super::tests::end(&[lacks(NOTHING); 2], None);
    let want = vec![(0, "receive_queue"), (1, "receive_queue")];
    assert_eq!(
        named(both.verdict(|_, _, _| true)),
        ("receive_queue", want.clone())
    );
}

#[test]
fn names_are_told_apart() {
    let names: std::collections::BTreeSet<_> = Cause::ALL.iter().map(|c| c.name()).collect();
    assert_eq!(names.len(), Cause::ALL.len());
    let letter = |line: usize| ["A", "B"][line].to_owned();
    assert_eq!(By::Line(1).name(letter), "line B");
}

/// A line of any kind, as often clean as not.
fn side() -> impl Strategy<Value = Side> {
    prop_oneof![
        Just(Side::Behind),
        Just(Side::Brought),
        Just(Side::Forgotten),
        Just(lacks(NOTHING)),
        Just(lacks(SOCKET)),
        Just(lacks(RING)),
        Just(lacks(NO_FRAME)),
    ]
}

proptest! {
    /// The rules one by one, on lists: what decides is only which lines came past, and whether they agree.
    #[test]
    fn the_verdict_follows_the_rules(sides in proptest::collection::vec(side(), 1..=SIDES), asked in any::<bool>()) {
        let by = match sides.iter().position(|s| *s == Side::Brought) {
            Some(line) => Some(By::Line(line)),
            None => asked.then_some(By::Retransmission),
        };
        let verdict = end(&sides, by).verdict(|_, _, _| false);
        let own = |side: &Side| match side {
            Side::Lacks(i) if i.dropped == NOTHING => Some("nothing"),
            Side::Lacks(i) if i.dropped == SOCKET => Some("socket_buffer"),
            Side::Lacks(i) if i.dropped == RING => Some("ring_full"),
            Side::Lacks(_) => Some("malformed"),
            Side::Forgotten => Some("unknown"),
            _ => None,
        };
        let lacking: Vec<&str> = sides.iter().filter_map(own).collect();
        let brought = sides.contains(&Side::Brought);
        let all_say = |what| lacking.iter().all(|l| *l == what);
        let want = match lacking.first() {
            None if brought => "reordered",
            None => "unknown",
            Some(_) if brought && lacking.len() == 1 => "one_line",
            Some(_) if brought => "some_lines",
            Some(&"nothing") if all_say("nothing") && lacking.len() == sides.len() && sides.len() > 1 => "upstream",
            Some(&first) if first != "nothing" && all_say(first) => first,
            Some(_) => "unknown",
        };
        prop_assert_eq!(verdict.cause.name(), want);
        for (line, side) in sides.iter().enumerate() {
            let told = verdict.lines[line].map(Cause::name);
            match own(side) {
                Some("nothing") => prop_assert!(
                    ["one_line", "some_lines", "upstream", "unknown"].contains(&told.unwrap())
                ),
                own => prop_assert_eq!(told, own),
            }
        }
        prop_assert!(verdict.lines[sides.len()..].iter().all(Option::is_none));
    }
}
