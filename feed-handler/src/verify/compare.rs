//! Two trails against each other: nothing but numbers, no files, no threads.

use crate::publish::Fingerprint;
use crate::trail::{GapMark, Place, Stream, Trail};
use serde::Serialize;
use std::collections::BTreeSet;

/// Most parts that are listed; all are counted.
const PARTS_MAX: usize = 1000;

/// What comparing two trails came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// Every numbering that either side has.
    pub compared: Vec<Compared>,
    /// Where they part: channel by channel, unit by unit, in order, the first thousand.
    pub parts: Vec<Part>,
    /// How many there are in all.
    pub parts_total: u64,
}

/// How much of a numbering was compared.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// The numbering.
    #[serde(flatten)]
    pub place: Place,
    /// Stretches that both sides have noted the ends of.
    pub stretches: u64,
    /// Those among them that are not equal.
    pub parted: u64,
    /// From this number on; null when nothing was compared.
    pub from: Option<u64>,
    /// Up to the one before this; null when nothing was, and for the whole of a numbering that a new one replaced.
    pub to: Option<u64>,
}

/// How two sides part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PartKind {
    /// Other records.
    Records,
    /// The same records in another order: those of one message.
    Order,
    /// One side begins at `from`, the other later.
    Begins,
    /// One side ends before `from`, the other goes on.
    Ends,
    /// Only one side has this numbering at all.
    OneSided,
}

/// A stretch in which two sides part.
#[derive(Clone, Debug, Serialize)]
pub struct Part {
    /// The numbering.
    #[serde(flatten)]
    pub place: Place,
    /// How.
    pub kind: PartKind,
    /// The first sequence number of the stretch.
    pub from: u64,
    /// The first one behind it; null when the stretch goes to the end of the numbering.
    pub to: Option<u64>,
    /// Records of either side in it, where that is known.
    pub records: [Option<u64>; 2],
    /// What each side declared lost in it and the other did not.
    pub gaps: [Vec<GapMark>; 2],
    /// Which side has less: it begins later, ends earlier, or lacks the numbering.
    pub less: Option<usize>,
    /// Sums and numbers of the records in it, by which records can be told to be those; of an end, those between the last
    /// number that both have noted, which comes first, and `from`, on the side that has less.
    #[serde(skip)]
    pub(super) known: Known,
}

/// What is known of the records around a part.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub sums: Option<[(u64, u64); 2]>,
    pub tail: Option<(u64, (u64, u64))>,
}

/// Holds two trails against each other.
pub fn compare(a: &Trail, b: &Trail) -> Comparison {
    let mut out = Comparison::default();
    let places: BTreeSet<&Place> = a.streams.keys().chain(b.streams.keys()).collect();
    for place in places {
        let sides = [a, b].map(|trail| trail.streams.get(place));
        let (parts, compared) = match sides {
            [Some(x), Some(y)] => of_both(place, [x, y], [a, b]),
            [Some(x), None] => (one_sided(place, x, 1), nothing(place)),
            [None, Some(y)] => (one_sided(place, y, 0), nothing(place)),
            [None, None] => continue,
        };
        out.compared.push(compared);
        out.parts_total += parts.len() as u64;
        let room = PARTS_MAX - out.parts.len();
        out.parts.extend(parts.into_iter().take(room));
    }
    out
}

fn nothing(place: &Place) -> Compared {
    Compared {
        place: place.clone(),
        stretches: 0,
        parted: 0,
        from: None,
        to: None,
    }
}

fn one_sided(place: &Place, has: &Stream, less: usize) -> Vec<Part> {
    let from = has.begin.map_or(0, |(first, _)| first);
    let to = has.end.and_then(|end| end.next);
    vec![Part {
        less: Some(less),
        ..Part::new(place, PartKind::OneSided, from, to)
    }]
}

/// A number that both sides have noted, with the fingerprints before it. The end of a replaced numbering is at the
/// highest number there is.
type Point = (u64, [Fingerprint; 2]);

fn of_both(place: &Place, sides: [&Stream; 2], trails: [&Trail; 2]) -> (Vec<Part>, Compared) {
    let points = points(sides);
    let mut parts = Vec::new();
    let begins = sides.map(|side| side.begin.map(|(first, _)| first));
    if let [Some(x), Some(y)] = begins
        && x != y
    {
        let to = points.first().map(|point| point.0);
        parts.push(Part {
            less: Some(usize::from(y > x)),
            ..Part::new(place, PartKind::Begins, x.min(y), to)
        });
    }
    // Equal digests stay so while the records are equal; when they are not from the start, sums alone can tell.
    let mut aligned = points
        .first()
        .is_some_and(|(_, [x, y])| x.digest == y.digest);
    let mut compared = nothing(place);
    for pair in points.windows(2) {
        let [(from, before), (to, after)] = [pair[0], pair[1]];
        let sums = [0, 1].map(|i: usize| after[i].since(&before[i]));
        let same_order = !aligned || after[0].digest == after[1].digest;
        compared.stretches += 1;
        let kind = match (sums[0] == sums[1], same_order) {
            (true, true) => continue,
            (true, false) => PartKind::Order,
            (false, _) => PartKind::Records,
        };
        aligned = false;
        compared.parted += 1;
        let mut part = Part::new(place, kind, from, (to < u64::MAX).then_some(to));
        part.records = sums.map(|(_, records)| Some(records));
        part.gaps = gaps_of_one(sides, from, to);
        part.known.sums = Some(sums);
        parts.push(part);
    }
    compared.from = points.first().map(|point| point.0);
    compared.to = points
        .last()
        .map(|point| point.0)
        .filter(|&to| to < u64::MAX);
    parts.extend(ends(place, sides, trails, points.last()));
    (parts, compared)
}

fn points(sides: [&Stream; 2]) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    let [a, b] = sides;
    if let (Some((x, p)), Some((y, q))) = (a.begin, b.begin)
        && x == y
    {
        points.push((x, [p, q]));
    }
    // Numbers before a beginning are of no trail that was written whole.
    let first = [a, b].map(|side| side.begin.map_or(0, |(first, _)| first));
    let first = first[0].max(first[1]);
    let both =
        a.at.iter()
            .filter_map(|(&s, &p)| Some((s, [p, *b.at.get(&s)?])));
    points.extend(both.filter(|point| point.0 > first));
    if let (Some(x), Some(y)) = (a.end, b.end) {
        let next = match (x.next, y.next) {
            (Some(x), Some(y)) => (x == y).then_some(x),
            // It was replaced on one side at least, which says nothing of its last number.
            _ => Some(u64::MAX),
        };
        let last = points.last().map_or(0, |point| point.0);
        // An end right at a boundary is that point.
        points.extend(
            next.filter(|&next| next > last)
                .map(|next| (next, [x.print, y.print])),
        );
    }
    points
}

/// One side that ended before the other.
fn ends(
    place: &Place,
    sides: [&Stream; 2],
    trails: [&Trail; 2],
    last: Option<&Point>,
) -> Option<Part> {
    let nexts = sides.map(|side| side.end.map(|end| end.next));
    match nexts {
        [Some(Some(x)), Some(Some(y))] if x != y => {
            let less = usize::from(y < x);
            let mut part = Part::new(place, PartKind::Ends, x.min(y), Some(x.max(y)));
            part.less = Some(less);
            part.known.tail = sides[less].end.and_then(|end| {
                let (from, prints) = last?;
                Some((*from, end.print.since(&prints[less])))
            });
            Some(part)
        }
        // A run that was ended from outside has said nothing since its last mark.
        [None, Some(next)] if trails[0].totals.is_none() => stopped(place, sides[0], next, 0),
        [Some(next), None] if trails[1].totals.is_none() => stopped(place, sides[1], next, 1),
        _ => None,
    }
}

fn stopped(place: &Place, short: &Stream, next: Option<u64>, less: usize) -> Option<Part> {
    let boundary = short.at.last_key_value().map(|(&s, _)| s);
    let from = boundary.or(short.begin.map(|(first, _)| first))?;
    // Nothing was left of the other to be compared.
    (next != Some(from)).then(|| Part {
        less: Some(less),
        ..Part::new(place, PartKind::Ends, from, next)
    })
}

/// The gaps between two numbers that only one side has declared.
fn gaps_of_one(sides: [&Stream; 2], from: u64, to: u64) -> [Vec<GapMark>; 2] {
    let within = |side: &Stream| -> BTreeSet<GapMark> {
        let end = |gap: &GapMark| gap.first.saturating_add(gap.count);
        let gaps = side.gaps.iter().copied();
        gaps.filter(|gap| gap.first < to && end(gap) > from)
            .collect()
    };
    let [a, b] = sides.map(within);
    [&a - &b, &b - &a].map(|gaps| gaps.into_iter().take(PARTS_MAX).collect())
}

impl Part {
    pub(super) fn new(place: &Place, kind: PartKind, from: u64, to: Option<u64>) -> Part {
        Part {
            place: place.clone(),
            kind,
            from,
            to,
            records: [None; 2],
            gaps: Default::default(),
            less: None,
            known: Known::default(),
        }
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
