use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A line by sets: everything it brought and every jump, for ever.
#[derive(Default)]
struct Naive {
    brought: BTreeSet<u64>,
    start: Option<u64>,
    next: u64,
    last: Standing,
    jumps: Vec<(u64, u64, Interval)>,
}

impl Naive {
    fn bring(&mut self, span: SeqSpan, now: Standing) {
        let start = *self.start.get_or_insert(span.first);
        if start < span.first && self.next < span.first {
            let interval = Interval {
                from: self.last.at,
                to: now.at,
                dropped: now.dropped.since(self.last.dropped),
            };
            self.jumps.push((self.next, span.first, interval));
        }
        self.next = self.next.max(span.end());
        self.brought
            .extend((span.first..span.end()).filter(|n| *n >= start));
        self.last = now;
    }

    fn side(&self, hole: SeqSpan) -> Side {
        let Some(start) = self.start else {
            return Side::Behind;
        };
        if hole.end() <= start {
            return Side::Later;
        }
        let numbers = hole.first.max(start)..hole.end();
        let passed: Vec<u64> = numbers.filter(|n| *n < self.next).collect();
        if passed.is_empty() {
            return Side::Behind;
        }
        if passed.iter().all(|n| self.brought.contains(n)) {
            let all = hole.end() <= self.next;
            return if all { Side::Brought } else { Side::Behind };
        }
        let mut whole: Option<Interval> = None;
        for (first, end, interval) in &self.jumps {
            if *first < hole.end() && hole.first < *end {
                let w = whole.get_or_insert(Interval {
                    dropped: Dropped::default(),
                    ..*interval
                });
                w.to = interval.to;
                w.dropped.socket_buffer += interval.dropped.socket_buffer;
                w.dropped.ring_full += interval.dropped.ring_full;
                w.dropped.malformed += interval.dropped.malformed;
            }
        }
        whole.map_or(Side::Forgotten, Side::Lacks)
    }

    /// Numbers that it lacks, by the one cause of the jump over them.
    fn lost(&self) -> Dropped {
        let mut lost = Dropped::default();
        for (first, end, interval) in &self.jumps {
            let lacked = (*first..*end).filter(|n| !self.brought.contains(n)).count() as u64;
            match interval.dropped.cause() {
                Some(Cause::SocketBuffer) => lost.socket_buffer += lacked,
                Some(Cause::RingFull) => lost.ring_full += lacked,
                Some(Cause::Malformed) => lost.malformed += lacked,
                _ => {}
            }
        }
        lost
    }
}

fn bring(course: &mut Course, span: SeqSpan, now: Standing, lost: &mut Dropped) {
    if course.seen.next() != span.first {
        course.turns(span, now, lost);
    }
    course.last = now;
    course.seen.bring(span);
}

#[test]
fn what_is_too_long_ago_is_forgotten() {
    let mut course = Course::new();
    let mut lost = Dropped::default();
    // Every second number is missing.
    for n in 0..1_000 {
        let span = SeqSpan {
            first: 10 + 2 * n,
            count: 1,
        };
        bring(&mut course, span, Standing::default(), &mut lost);
    }
    let one = |first| SeqSpan { first, count: 1 };
    assert_eq!(course.side(one(11)), Side::Forgotten);
    let newest = 10 + 2 * 999 - 1;
    assert!(matches!(course.side(one(newest)), Side::Lacks(_)));
    let oldest = newest - 2 * (REMEMBERED as u64 - 1);
    assert!(matches!(course.side(one(oldest)), Side::Lacks(_)));
    assert_eq!(course.side(one(oldest - 2)), Side::Forgotten);
    course.restart();
    assert_eq!(course.side(one(newest)), Side::Behind);
}

#[test]
fn hostile_numbers_end_somewhere() {
    let mut course = Course::new();
    let mut lost = Dropped::default();
    let dropped = Dropped {
        socket_buffer: 1,
        ..Dropped::default()
    };
    let near = |first, count| SeqSpan { first, count };
    for (span, dropped) in [
        (near(1, 1), Dropped::default()),
        (near(u64::MAX - 1, 5), dropped),
        (near(u64::MAX, u64::MAX), dropped),
        (near(0, u64::MAX), dropped),
    ] {
        let now = Standing { at: 5, dropped };
        bring(&mut course, span, now, &mut lost);
        course.side(span);
        course.side(near(u64::MAX, u64::MAX));
    }
    assert!(lost.socket_buffer > 0);
}

proptest! {
    #[test]
    fn agrees_with_sets(
        packets in proptest::collection::vec((0u64..300, 0u64..12, 0u8..12), 1..100),
        holes in proptest::collection::vec((0u64..320, 1u64..20), 1..20),
    ) {
        let (mut course, mut naive) = (Course::new(), Naive::default());
        let (mut dropped, mut lost) = (Dropped::default(), Dropped::default());
        for (at, (first, count, kind)) in packets.into_iter().enumerate() {
            match kind {
                0 => dropped.socket_buffer += 2,
                1 => dropped.ring_full += 1,
                2 => dropped.malformed += 1,
                _ => {}
            }
            // Forward for the most part, as lines go.
            let first = if kind % 2 == 0 { first } else { course.seen.next() + first % 4 };
            let now = Standing { at: at as u64 * 10, dropped };
            let span = SeqSpan { first, count };
            bring(&mut course, span, now, &mut lost);
            naive.bring(span, now);
            prop_assert_eq!(lost, naive.lost());
        }
        for (first, count) in holes {
            let hole = SeqSpan { first, count };
            prop_assert_eq!(course.side(hole), naive.side(hole), "{:?}", hole);
        }
    }
}
