//! Tests of putting fragments together: by hand, and against a slow oracle.

use std::collections::HashMap;

use super::*;
use crate::wire::udp::UdpHeader;
use proptest::prelude::*;
use zerocopy::IntoBytes;

const SECOND: u64 = 1_000_000_000;
const T0: UnixNanos = UnixNanos(1_700_000_000 * SECOND);

fn after(seconds: u64) -> UnixNanos {
    UnixNanos(T0.0 + seconds * SECOND)
}

/// A UDP segment without checksum around `payload`.
fn segment(payload: &[u8]) -> Vec<u8> {
    let header = UdpHeader::new(0x1234, 0x5678, payload.len()).expect("fits");
    [header.as_bytes(), payload].concat()
}

fn fragment(id: u32, whole: &[u8], range: std::ops::Range<usize>) -> Fragment<'_> {
    Fragment {
        src: [10, 0, 0, 1].into(),
        dst: [239, 0, 0, 1].into(),
        protocol: 17,
        id,
        offset: range.start as u16,
        more: range.end < whole.len(),
        bytes: &whole[range],
    }
}

fn over_ipv6<'a>(fragment: Fragment<'a>) -> Fragment<'a> {
    Fragment {
        src: "fe80::1".parse().unwrap(),
        dst: "ff15::2".parse().unwrap(),
        ..fragment
    }
}

#[test]
fn two_halves_in_either_order() {
    let whole = segment(b"0123456789");
    let (a, b) = (fragment(7, &whole, 0..8), fragment(7, &whole, 8..18));
    for [first, second] in [[a, b], [b, a], [a, b].map(over_ipv6)] {
        let mut fragments = Fragments::new();
        assert_eq!(fragments.add(&first, T0), None);
        assert_eq!(fragments.incomplete(), 1);
        let want = UdpDatagram {
            src: first.src,
            dst: first.dst,
            src_port: 0x1234,
            dst_port: 0x5678,
            payload: b"0123456789",
            missing: 0,
        };
        assert_eq!(fragments.add(&second, after(30)), Some(want));
        assert_eq!(fragments.incomplete(), 0);
        let counters = FragmentCounters {
            completed: 1,
            ..FragmentCounters::default()
        };
        assert_eq!(*fragments.counters(), counters);
    }
}

#[test]
fn the_longest_datagram_in_the_most_fragments() {
    let whole = segment(&(0..65_507).map(|i| i as u8).collect::<Vec<_>>());
    let mut fragments = Fragments::new();
    let cuts: Vec<_> = (0..whole.len()).step_by(8).collect();
    for &at in cuts[1..].iter().rev() {
        let end = whole.len().min(at + 8);
        assert_eq!(fragments.add(&fragment(1, &whole, at..end), T0), None);
    }
    let got = fragments.add(&fragment(1, &whole, 0..8), T0);
    assert_eq!(got.map(|d| d.payload), Some(&whole[8..]));
}

#[test]
fn what_differs_in_address_or_number_is_not_mixed() {
    let whole = segment(b"0123456789");
    let mut fragments = Fragments::new();
    let (a, b) = (fragment(7, &whole, 0..8), fragment(7, &whole, 8..18));
    fragments.add(&a, T0);
    let other = IpAddr::from([10, 9, 9, 9]);
    for apart in [
        Fragment { id: 8, ..b },
        Fragment { src: other, ..b },
        Fragment { dst: other, ..b },
        over_ipv6(b),
    ] {
        assert_eq!(fragments.add(&apart, T0), None);
    }
    assert_eq!(fragments.incomplete(), 5);
    assert!(fragments.add(&b, T0).is_some());
}

#[test]
fn a_datagram_given_up_takes_its_late_fragments_along() {
    let whole = segment(&[b'x'; 32]);
    let (a, b, c) = (
        fragment(7, &whole, 0..16),
        fragment(7, &whole, 16..32),
        fragment(7, &whole, 32..40),
    );
    let other = [b'y'; 16];
    for (what, odd, overlap) in [
        ("other bytes", Fragment { bytes: &other, ..b }, true),
        ("half of it there", fragment(7, &whole, 24..40), true),
        ("not a multiple of 8", fragment(7, &whole, 32..39), false),
        ("nothing in it", fragment(7, &whole, 32..32), false),
        (
            "past the longest",
            Fragment {
                offset: 65_528,
                more: true,
                ..c
            },
            false,
        ),
        (
            "an end before what is there",
            Fragment { more: false, ..a },
            false,
        ),
        (
            "an end where more was promised",
            Fragment { more: false, ..b },
            false,
        ),
        ("begins within a unit", Fragment { offset: 36, ..c }, false),
    ] {
        let mut fragments = Fragments::new();
        fragments.add(&a, T0);
        fragments.add(&b, T0);
        assert_eq!(fragments.add(&odd, T0), None, "{what}");
        assert_eq!(fragments.add(&c, T0), None, "{what}");
        let counters = FragmentCounters {
            overlapping: u64::from(overlap),
            bad: u64::from(!overlap),
            late: 1,
            ..FragmentCounters::default()
        };
        assert_eq!(*fragments.counters(), counters, "{what}");
        assert_eq!(fragments.incomplete(), 0, "{what}");
        // After its time its number is free again.
        for f in [a, b] {
            assert_eq!(fragments.add(&f, after(31)), None, "{what}");
        }
        assert!(fragments.add(&c, after(31)).is_some(), "{what}");
    }
}

#[test]
fn more_behind_the_end_is_a_contradiction() {
    let whole = segment(&[b'x'; 24]);
    let last = fragment(7, &whole, 16..32);
    let long = segment(&[b'x'; 48]);
    for behind in [
        fragment(7, &long, 32..40),
        fragment(7, &long, 16..32),
        fragment(7, &long, 24..56),
    ] {
        let mut fragments = Fragments::new();
        fragments.add(&last, T0);
        assert_eq!(fragments.add(&behind, T0), None);
        assert_eq!(fragments.counters().bad, 1);
    }
}

#[test]
fn what_comes_together_and_is_no_datagram() {
    let mut long = segment(b"0123456789");
    long[5] += 1;
    let short = [0; 7];
    for (what, whole) in [("UDP length", &long[..]), ("no room for UDP", &short)] {
        let mut fragments = Fragments::new();
        let cut = (whole.len() - 1) / 8 * 8;
        if cut > 0 {
            fragments.add(&fragment(7, whole, 0..cut), T0);
        }
        assert_eq!(
            fragments.add(&fragment(7, whole, cut..whole.len()), T0),
            None
        );
        assert_eq!(fragments.counters().bad, 1, "{what}");
        assert_eq!(fragments.incomplete(), 0, "{what}");
    }
}

#[test]
fn the_checksum_parts_what_shares_a_number() {
    // 0A00 + 0001 + EF00 + 0001 + 0011 + 0012 + 1234 + 5678 + 0012 + five times 3030 = 252D3, folded 52D5.
    let mut whole = segment(b"0000000000");
    whole[6..8].copy_from_slice(&(!0x52D5u16).to_be_bytes());
    let mut other = whole.clone();
    other[17] = b'1';
    for (mixed, completed) in [(&whole, 1), (&other, 0)] {
        let mut fragments = Fragments::new();
        fragments.add(&fragment(7, &whole, 0..8), T0);
        let got = fragments.add(&fragment(7, mixed, 8..18), T0).is_some();
        assert_eq!(got, completed == 1);
        assert_eq!(fragments.counters().completed, completed);
        assert_eq!(fragments.counters().checksum, 1 - completed);
    }
}

#[test]
fn extension_headers_may_be_in_the_first_fragment() {
    let options = [17, 0, 1, 4, 0, 0, 0, 0];
    let whole = [&options, &segment(b"0123456789")[..]].concat();
    let mut fragments = Fragments::new();
    // Only the first fragment's protocol counts.
    let last = over_ipv6(fragment(7, &whole, 16..26));
    assert_eq!(fragments.add(&last, T0), None);
    let first = Fragment {
        protocol: 60,
        ..over_ipv6(fragment(7, &whole, 0..16))
    };
    let got = fragments.add(&first, T0).map(|d| d.payload);
    assert_eq!(got, Some(&b"0123456789"[..]));
}

#[test]
fn after_its_time_a_datagram_is_given_up() {
    let whole = segment(b"0123456789");
    let (a, b) = (fragment(7, &whole, 0..8), fragment(7, &whole, 8..18));
    let mut fragments = Fragments::new();
    fragments.add(&a, T0);
    assert_eq!(fragments.add(&b, UnixNanos(after(30).0 + 1)), None);
    assert_eq!(fragments.counters().timed_out, 1);
    assert_eq!(fragments.incomplete(), 1);
    // Time that goes back is no reason.
    assert!(fragments.add(&a, T0).is_some());
    assert_eq!(fragments.counters().lost(), 1);
}

#[test]
fn a_number_that_comes_round_begins_a_new_datagram() {
    let wholes = [segment(b"0123456789"), segment(b"9876543210!")];
    let mut fragments = Fragments::new();
    for whole in &wholes {
        let (a, b) = (fragment(7, whole, 0..8), fragment(7, whole, 8..whole.len()));
        assert_eq!(fragments.add(&a, T0), None);
        let got = fragments.add(&b, T0).map(|d| d.payload);
        assert_eq!(got, Some(&whole[8..]));
        // Both once more, as a capture of both sides of a switch has them.
        assert_eq!(fragments.add(&a, T0), None);
        assert_eq!(fragments.add(&b, T0), None);
    }
    let counters = FragmentCounters {
        completed: 2,
        duplicates: 4,
        ..FragmentCounters::default()
    };
    assert_eq!(*fragments.counters(), counters);
}

#[test]
fn newer_datagrams_push_out_the_oldest() {
    let whole = segment(b"0123456789");
    let n = Fragments::DATAGRAMS as u32;
    let mut fragments = Fragments::new();
    let first = |id| fragment(id, &whole, 0..8);
    let second = |id| fragment(id, &whole, 8..18);
    for id in 0..n {
        fragments.add(&first(id), T0);
    }
    // A completed one gives its place before one under way does.
    assert!(fragments.add(&second(5), T0).is_some());
    fragments.add(&first(n), T0);
    assert_eq!(fragments.counters().pushed_out, 0);
    fragments.add(&first(n + 1), T0);
    assert_eq!(fragments.counters().pushed_out, 1);
    assert_eq!(fragments.incomplete(), u64::from(n));
    assert!(fragments.add(&second(1), T0).is_some());
    assert_eq!(fragments.add(&second(0), T0), None);
    // However many there are, the memory is that of the places.
    for id in 0..100 * n {
        fragments.add(&second(1_000_000 + id), T0);
    }
    assert_eq!(fragments.places.len(), Fragments::DATAGRAMS);
    assert_eq!(fragments.incomplete(), u64::from(n));
}

/// What a stream of fragments comes to, the slow way: every fragment of a datagram is kept, and all are looked at
/// again, byte by byte, for each that comes. Knows no time and no lack of places.
#[derive(Default)]
struct Oracle {
    datagrams: HashMap<(IpAddr, u32), Kept>,
    counters: FragmentCounters,
}

#[derive(Default)]
struct Kept {
    fragments: Vec<(usize, Vec<u8>, bool)>,
    completed: Option<Vec<u8>>,
    given_up: bool,
}

impl Oracle {
    fn add(&mut self, f: &Fragment<'_>) -> Option<Vec<u8>> {
        let counters = &mut self.counters;
        let kept = self.datagrams.entry((f.src, f.id)).or_default();
        let start = f.offset as usize;
        if kept.given_up {
            counters.late += 1;
            return None;
        }
        if let Some(whole) = &kept.completed {
            if start + f.bytes.len() <= whole.len() && whole[start..].starts_with(f.bytes) {
                counters.duplicates += 1;
                return None;
            }
            *kept = Kept::default();
        }
        kept.fragments.push((start, f.bytes.to_vec(), f.more));
        let ends = kept.fragments.iter().filter(|(_, _, more)| !more);
        let ends: Vec<_> = ends.map(|(start, bytes, _)| start + bytes.len()).collect();
        let lengths = kept.fragments.iter().all(|(start, bytes, more)| {
            let reach = start + bytes.len() + usize::from(*more);
            !bytes.is_empty()
                && (!more || bytes.len() % 8 == 0)
                && ends.iter().all(|&end| reach <= end)
        });
        if !lengths {
            kept.given_up = true;
            counters.bad += 1;
            return None;
        }
        let mut there: Vec<Option<u8>> = Vec::new();
        let (news, olds) = kept.fragments.split_last().unwrap();
        for (start, bytes, _) in olds {
            there.resize(there.len().max(start + bytes.len()), None);
            for (i, &byte) in bytes.iter().enumerate() {
                there[start + i] = Some(byte);
            }
        }
        there.resize(there.len().max(start + news.1.len()), None);
        let place = &mut there[start..start + news.1.len()];
        if place.iter().any(Option::is_some) {
            if place
                .iter()
                .zip(&news.1)
                .all(|(old, new)| *old == Some(*new))
            {
                counters.duplicates += 1;
                kept.fragments.pop();
            } else {
                counters.overlapping += 1;
                kept.given_up = true;
            }
            return None;
        }
        for (old, &new) in place.iter_mut().zip(&news.1) {
            *old = Some(new);
        }
        let whole: Vec<u8> = there.iter().map_while(|b| *b).collect();
        if ends.first() != Some(&whole.len()) {
            return None;
        }
        let length = whole
            .get(4..6)
            .map_or(0, |l| usize::from(l[0]) << 8 | usize::from(l[1]));
        if whole.len() < 8 || length < 8 || length > whole.len() {
            counters.bad += 1;
            kept.given_up = true;
            return None;
        }
        counters.completed += 1;
        let payload = whole[8..length].to_vec();
        kept.completed = Some(whole);
        Some(payload)
    }
}

/// A datagram's payload, and where it is cut, in units.
fn cut_datagrams() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<usize>, bool)>> {
    let len = prop_oneof![9 => 1usize..400, 1 => 60_000usize..65_508];
    let payload = (len, any::<u8>()).prop_map(|(len, first)| {
        let bytes = (0..len).map(|i| (i ^ i >> 8) as u8 ^ first);
        bytes.collect::<Vec<u8>>()
    });
    let cuts = proptest::collection::vec(1usize..8_190, 1..6);
    proptest::collection::vec((payload, cuts, any::<bool>()), 1..20)
}

/// The fragments of a segment that is cut at multiples of 8 that `cuts` say.
fn fragments_of<'a>(id: u32, whole: &'a [u8], cuts: &[usize], ipv6: bool) -> Vec<Fragment<'a>> {
    let units = (whole.len() - 1) / 8;
    let mut ends: Vec<usize> = cuts.iter().map(|c| (1 + c % units) * 8).collect();
    ends.push(whole.len());
    ends.sort_unstable();
    ends.dedup();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let fragments = starts.zip(&ends).map(|(start, &end)| {
        let fragment = fragment(id, whole, start..end);
        if ipv6 { over_ipv6(fragment) } else { fragment }
    });
    fragments.collect()
}

proptest! {
    /// Every datagram comes out once and whole, in any order and with any fragment repeated, except those that lack one.
    #[test]
    fn datagrams_come_out_whole(
        datagrams in cut_datagrams(),
        order in proptest::collection::vec(any::<u64>(), 20 * 7 * 2),
        repeated in proptest::collection::vec(any::<bool>(), 20 * 7),
        missing in proptest::collection::vec(0usize..20, 20),
    ) {
        let wholes: Vec<_> = datagrams.iter().map(|(payload, ..)| segment(payload)).collect();
        let (mut sent, mut repeats, mut lacking) = (Vec::new(), 0, 0);
        for (i, (_, cuts, ipv6)) in datagrams.iter().enumerate() {
            let mut parts = fragments_of(i as u32, &wholes[i], cuts, *ipv6);
            if missing[i] < parts.len() {
                parts.remove(missing[i]);
                lacking += u64::from(!parts.is_empty());
            }
            for part in parts {
                let times = 1 + usize::from(repeated[sent.len() % repeated.len()]);
                repeats += times as u64 - 1;
                sent.extend(std::iter::repeat_n(part, times));
            }
        }
        let mut sent: Vec<_> = sent.into_iter().zip(order).collect();
        sent.sort_by_key(|&(_, order)| order);

        let mut fragments = Fragments::new();
        let mut got = HashMap::new();
        for (part, _) in &sent {
            if let Some(d) = fragments.add(part, T0) {
                prop_assert!(got.insert(part.id, d.payload.to_vec()).is_none());
            }
        }
        for (id, payload) in &got {
            prop_assert_eq!(payload, &datagrams[*id as usize].0);
        }
        let whole = (0..datagrams.len()).filter(|&i| {
            missing[i] >= fragments_of(0, &wholes[i], &datagrams[i].1, false).len()
        });
        prop_assert_eq!(got.len(), whole.count());
        let want = FragmentCounters {
            completed: got.len() as u64,
            duplicates: repeats,
            ..FragmentCounters::default()
        };
        prop_assert_eq!(*fragments.counters(), want);
        prop_assert_eq!(fragments.incomplete(), lacking);
    }

    /// Fragments of every kind, many of them wrong, mean what the oracle says.
    #[test]
    fn as_the_oracle_says(
        stream in proptest::collection::vec(
            (0u32..12, 0usize..4, 1usize..4, 0u8..60, any::<bool>()), 1..120),
    ) {
        // Datagrams of 26 bytes, with more behind them for fragments that go on.
        let templates = [b'x', b'y'].map(|byte| {
            let mut template = segment(&[byte; 18]);
            template.resize(96, b'z');
            template
        });
        let mut fragments = Fragments::new();
        let mut oracle = Oracle::default();
        for (id, unit, units, odd, ipv6) in stream {
            let start = unit * 8;
            let end = match odd {
                0 => start,
                1 => start + units,
                2 => start + units * 16,
                _ => (start + units * 8).min(26),
            };
            let part = Fragment {
                more: (end < 26) ^ (odd == 3),
                ..fragment(id, &templates[usize::from(odd == 4)], start..end)
            };
            let part = if ipv6 { over_ipv6(part) } else { part };
            let got = fragments.add(&part, T0).map(|d| d.payload.to_vec());
            prop_assert_eq!(got, oracle.add(&part));
            prop_assert_eq!(fragments.counters(), &oracle.counters);
        }
    }
}
